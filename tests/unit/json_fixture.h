/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that need JSON and nothing else: an arena, texts to trees and back,
 * long texts, and `why` the last text was refused. Each file that includes this
 * declares its suites with setup and teardown.
 */
#ifndef CLQ_JSON_FIXTURE_H
#define CLQ_JSON_FIXTURE_H

#include <cliquet/buf.h>
#include <cliquet/json.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "arena_fixture.h"

static struct clq_str why;

/* NULL if refused. */
static inline cJSON *
parse_str(struct clq_str text)
{
	cJSON *tree;

	why.p = NULL;
	if (clq_json_parse(arena, text, &tree, &why) != CLQ_OK)
		return NULL;
	return tree;
}

static inline cJSON *
parse(const char *text)
{
	cJSON *tree = parse_str(clq_str_of(text));

	cr_assert_not_null(tree, "%s: %.*s", text, CLQ_FMT(why));
	return tree;
}

static inline const char *
print(const cJSON *tree)
{
	return clq_arena_cstr(arena, clq_json_text(arena, tree));
}

/* A text of n times part between head and tail. */
static inline struct clq_str
repeat(const char *head, const char *part, size_t n, const char *tail)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	clq_buf_adds(&b, head);
	while (n-- > 0)
		clq_buf_adds(&b, part);
	clq_buf_adds(&b, tail);
	return clq_arena_strdup(arena, clq_buf_str(&b));
}

#endif
