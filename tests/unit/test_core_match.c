/* SPDX-License-Identifier: Apache-2.0 */
/* Filters on trees in memory: section 04-3. */
#include <cliquet/str.h>

#include <cliquet/match.h>

#include <criterion/criterion.h>

#include "json_fixture.h"

TestSuite(match, .init = setup, .fini = teardown);

static bool
matches(const char *tree, enum clq_op op, const char *value)
{
	struct clq_filter f = { CLQ_STR("f"), op, parse(value) };

	return clq_match(arena, parse(tree), &f);
}

/* Of the documents {"f":1} {"f":2} ... which pass, as digits. */
static void
expect(enum clq_op op, const char *value, const char *wanted)
{
	static const char *const docs[] = {
		"{}", "{\"f\":null}", "{\"f\":\"a\"}", "{\"f\":\"b\"}",
		"{\"f\":1}", "{\"f\":2}", "{\"f\":true}", "{\"f\":[]}",
		"{\"f\":[1,2]}", "{\"f\":{\"x\":1}}",
	};
	char got[16];
	size_t n = 0;

	for (size_t i = 0; i < CLQ_COUNT(docs); i++)
		if (matches(docs[i], op, value))
			got[n++] = (char)('0' + i);
	got[n] = '\0';
	cr_expect_str_eq(got, wanted, "operator %d, %s: %s, not %s", (int)op,
	    value, got, wanted);
}

Test(match, compares)
{
	expect(CLQ_OP_EQ, "1.0", "4");
	expect(CLQ_OP_EQ, "\"a\"", "2");
	expect(CLQ_OP_EQ, "null", "1");
	expect(CLQ_OP_EQ, "[1.0,2]", "8");
	expect(CLQ_OP_EQ, "{\"x\":1}", "9");
	expect(CLQ_OP_NOT, "1", "012356789");
	expect(CLQ_OP_LT, "2", "1234");
	expect(CLQ_OP_MAX, "2", "12345");
	expect(CLQ_OP_GT, "2", "06789");
	expect(CLQ_OP_MIN, "2", "056789");
}

Test(match, lists)
{
	expect(CLQ_OP_IN, "[1,\"b\",true]", "346");
	expect(CLQ_OP_IN, "[]", "");
	expect(CLQ_OP_EXCLUDE, "[1,\"b\",true]", "0125789");
	expect(CLQ_OP_EXCLUDE, "[]", "0123456789");
	expect(CLQ_OP_CONTAINS, "[2]", "8");
	expect(CLQ_OP_CONTAINS, "[2,3]", "");
	expect(CLQ_OP_CONTAINS, "[]", "78");
	expect(CLQ_OP_CONTAINS_ANY, "[2,3]", "8");
	expect(CLQ_OP_CONTAINS_ANY, "[3]", "");
	expect(CLQ_OP_CONTAINS_ANY, "[]", "");
}

Test(match, has)
{
	expect(CLQ_OP_HAS, "true", "123456789");
	expect(CLQ_OP_HAS, "false", "0");
}

Test(match, like)
{
	static const struct {
		const char	*text, *pattern;
		bool		 matches;
	} cases[] = {
		{ "abc", "b", true }, { "abc", "B", true },
		{ "aBc", "bC", true }, { "abc", "d", false },
		{ "abc", "", true }, { "", "", true }, { "", "*", true },
		{ "abc", "*", true }, { "abc", "a*", true },
		{ "abc", "b*", false }, { "abc", "*c", true },
		{ "abc", "*b", false }, { "abc", "a*c", true },
		{ "abc", "*b*", true }, { "abc", "**", true },
		{ "abc", "a*b*c", true }, { "abc", "a*c*b", false },
		{ "ab", "ab*b", false }, { "abab", "ab*ab", true },
		{ "aba", "ab*ba", false }, { "a%c", "a%c", true },
		{ "abc", "a%c", false }, { "abc", "a.c", false },
		{ "\xc3\x89t\xc3\xa9", "\xc3\xa9T", true },
	};
	struct clq_filter f = { CLQ_STR("f"), CLQ_OP_LIKE, NULL };

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		cJSON *tree = clq_json_own(arena, cJSON_CreateObject());

		clq_json_set(tree, "f",
		    clq_json_new_str(clq_str_of(cases[i].text)));
		f.value = clq_json_own(arena,
		    clq_json_new_str(clq_str_of(cases[i].pattern)));
		cr_expect_eq(clq_match(arena, tree, &f), cases[i].matches,
		    "%s like %s", cases[i].text, cases[i].pattern);
	}
	expect(CLQ_OP_LIKE, "\"1\"", "");
}

Test(match, descends)
{
	struct clq_filter f = { CLQ_STR("a.b"), CLQ_OP_EQ, parse("1") };

	cr_expect(clq_match(arena, parse("{\"a\":{\"b\":1}}"), &f));
	cr_expect(clq_match(arena, parse("{\"a.b\":1}"), &f));
	cr_expect(!clq_match(arena, parse("{\"a\":1}"), &f));
}

Test(match, sorts)
{
	const struct clq_sort sorts[] = {
		{ CLQ_STR("a"), false }, { CLQ_STR("b"), true },
	};
	struct clq_query q = { .sorts = sorts, .nsorts = 2 };
	const cJSON *low[] = { parse("1"), parse("9") };
	const cJSON *high[] = { parse("1"), parse("2") };
	const cJSON *none[] = { NULL, parse("2") };

	cr_expect_lt(clq_sort_cmp(&q, low, high), 0);
	cr_expect_gt(clq_sort_cmp(&q, high, low), 0);
	cr_expect_eq(clq_sort_cmp(&q, high, high), 0);
	cr_expect_lt(clq_sort_cmp(&q, high, none), 0);
}
