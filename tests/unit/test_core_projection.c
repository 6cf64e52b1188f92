/* SPDX-License-Identifier: Apache-2.0 */
/* _fields: what is left of an object (section 04-5). */
#include <cliquet/str.h>

#include "core/resource_impl.h"

#include <criterion/criterion.h>

static void
expect(const char *data, const char *fields, const char *text)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_object obj = { .id = CLQ_STR("x"), .last_modified = 5,
		.data = clq_str_of(data) };
	struct clq_str rest = clq_str_of(fields), item;
	struct clq_strs list = { NULL, 0, 0 };
	struct clq_buf b;

	obj.deleted = strcmp(data, "") == 0;
	while (clq_str_next(&rest, ',', &item))
		clq_strs_add(arena, &list, item);
	clq_buf_init(&b, arena, 0);
	cr_assert_eq(clq_project(&b, arena, &obj, list), CLQ_OK);
	cr_expect(clq_str_is(clq_buf_str(&b), text), "%s of %s: %.*s", fields,
	    data, CLQ_FMT(clq_buf_str(&b)));
	clq_arena_free(&arena);
}

#define TAIL "\"id\":\"x\",\"last_modified\":5}"

Test(projection, keeps_what_is_named)
{
	expect("{\"a\":1,\"b\":2}", "a", "{\"a\":1," TAIL);
	expect("{\"a\":1,\"b\":2}", "b,a", "{\"b\":2,\"a\":1," TAIL);
	expect("{\"a\":1}", "zz", "{" TAIL);
	expect("{\"a\":null}", "a", "{\"a\":null," TAIL);
	expect("{\"a\":9007199254740993}", "a", "{\"a\":9007199254740993,"
	    TAIL);
}

Test(projection, keeps_nesting)
{
	expect("{\"a\":{\"b\":1,\"c\":2},\"d\":3}", "a.b",
	    "{\"a\":{\"b\":1}," TAIL);
	expect("{\"a\":{\"b\":1,\"c\":2,\"d\":3}}", "a.b,a.d",
	    "{\"a\":{\"b\":1,\"d\":3}," TAIL);
	expect("{\"a\":{\"b\":1,\"c\":2}}", "a.b,a",
	    "{\"a\":{\"b\":1,\"c\":2}," TAIL);
	expect("{\"a\":{\"b\":1,\"c\":2}}", "a,a.b",
	    "{\"a\":{\"b\":1,\"c\":2}," TAIL);
	expect("{\"a\":{\"b\":{\"c\":1,\"d\":2}}}", "a.b.c",
	    "{\"a\":{\"b\":{\"c\":1}}," TAIL);
	expect("{\"a\":{\"b\":1}}", "a.z", "{\"a\":{}," TAIL);
}

Test(projection, path_through_a_plain_value_gives_it)
{
	expect("{\"g\":1}", "g.z", "{\"g\":1," TAIL);
	expect("{\"g\":[1]}", "g.0", "{\"g\":[1]," TAIL);
	expect("{\"a.b\":1}", "a.b", "{" TAIL);
}

Test(projection, deleted_only_if_named)
{
	expect("", "a", "{" TAIL);
	expect("", "a,deleted", "{\"deleted\":true," TAIL);
}

Test(projection, id_and_time_are_the_objects_own)
{
	expect("{\"a\":1}", "id,last_modified", "{" TAIL);
	expect("{\"a\":1}", "id.x", "{" TAIL);
}

Test(projection, refuses_what_is_not_json)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_object obj = { .id = CLQ_STR("x"), .data = CLQ_STR("{") };
	struct clq_strs none = { NULL, 0, 0 };
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	cr_expect_eq(clq_project(&b, arena, &obj, none), CLQ_FAILED);
	clq_arena_free(&arena);
}
