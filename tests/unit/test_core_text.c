/* SPDX-License-Identifier: Apache-2.0 */
/* Joining texts. */
#include "core/text.h"

#include <criterion/criterion.h>

Test(text, joins)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str s;

	s = clq_text_join(arena, (const struct clq_str[]){ CLQ_STR("a"),
	    { NULL, 0 }, CLQ_STR(""), CLQ_STR("bc") }, 4);
	cr_expect_eq(s.len, 3);
	cr_expect_str_eq(s.p, "abc");
	s = clq_text_join(arena, NULL, 0);
	cr_expect_str_eq(s.p, "");
	s = clq_text_int(arena, -1203);
	cr_expect_str_eq(s.p, "-1203");
	clq_arena_free(&arena);
}
