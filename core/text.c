/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining texts (see text.h).
 */
#include "text.h"

#include <cliquet/buf.h>

struct clq_str
clq_text_join(struct clq_arena *arena, const struct clq_str *parts, size_t n)
{
	size_t len = 0, at = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	p = clq_arena_alloc(arena, len + 1);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			memcpy(p + at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	return (struct clq_str){ p, len };
}

struct clq_str
clq_text_int(struct clq_arena *arena, int64_t number)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 24);
	clq_buf_addint(&b, number);
	return clq_buf_str(&b);
}
