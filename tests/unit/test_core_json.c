/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is JSON and what is not, what comes back of names and strings, the
 * order and equality of values, and changes to trees. Numbers have their own
 * file.
 */
#include <cliquet/json.h>

#include <criterion/criterion.h>
#include <time.h>

#include "json_fixture.h"

TestSuite(json, .init = setup, .fini = teardown);

static struct clq_str
nested(size_t depth, const char *open, const char *close)
{
	struct clq_str s = repeat("", open, depth, "1");

	return repeat(clq_arena_cstr(arena, s), close, depth, "");
}

Test(json, comes_back_as_sent)
{
	static const char *const texts[] = {
		"null", "true", "false", "0", "\"\"", "[]", "{}", "[[],{}]",
		"{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}", "{\"\":1}",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\u0001\\u001f\x7f\"", "[true,false,null]",
		"{\"A\":1,\"a\":2}", "{\"b\":1,\"a\":2}",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(texts); i++)
		cr_expect_str_eq(print(parse(texts[i])), texts[i]);
}

Test(json, is_printed_in_one_way)
{
	static const struct { const char *in, *out; } cases[] = {
		{ " \t\r\n[ 1 , 2 ]\n ", "[1,2]" },
		{ "{ \"a\" : { } }", "{\"a\":{}}" },
		{ "\"\\u00e9\\ud83d\\uDE00\\/\"",
		    "\"\xc3\xa9\xf0\x9f\x98\x80/\"" },
		{ "\"\\u0041\\u0022\\u000a\"", "\"A\\\"\\n\"" },
		{ "\"\\uffff\\ud7ff\\ue000\"",
		    "\"\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80\"" },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_str_eq(print(parse(cases[i].in)), cases[i].out);
}

Test(json, refuses_what_is_not_json)
{
	static const char *const bad[] = {
		"", " ", "nul", "nulll", "True", "NaN", "Infinity",
		"-Infinity", "undefined", "'a'", "[1,]", "[,1]", "[1 2]",
		"[1", "[", "]", "[1]]", "{\"a\":1,}", "{,}", "{a:1}",
		"{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{1:1}", "{\"a\":1",
		"{\"a\":1]", "[1}", "1 2", "null null", "// c\n1", "/**/1",
		"\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\u12\"",
		"\"\\u12g4\"", "\"\\u-123\"", "\"\t\"", "\"\n\"", "\"\x1f\"",
		"\v1", "\f1", "\xc2\xa0[]", "\xef\xbb\xbf{}",
		"\xff\xfe[\0]", "[1]\x1a", "[\"a\":1]", "{\"a\":1 \"b\":2}",
		"{null:1}",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++) {
		cr_expect_null(parse_str(clq_str_of(bad[i])), "%s", bad[i]);
		cr_expect_gt(why.len, 0);
	}
	cr_expect_null(parse_str((struct clq_str){ NULL, 0 }));
	cr_expect_null(parse_str(CLQ_STR("1\0")));
	cr_expect_null(parse_str(CLQ_STR("\"a\0b\"")));
	cr_expect_null(parse_str(CLQ_STR("\0")));
	/* cut off by the length, although the bytes go on */
	cr_expect_null(parse_str((struct clq_str){ "[1]", 2 }));
	cr_expect_null(parse_str((struct clq_str){ "true", 3 }));
	cr_expect_null(parse_str((struct clq_str){ "\"\\u0041\"", 5 }));
}

Test(json, refuses_bad_text_in_strings)
{
	static const char *const bad[] = {
		"\"\\u0000\"", "\"a\\u0000b\"", "{\"\\u0000\":1}",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"",
		"\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"",
		"\"\\udbff\\ue000\"", "\"\x80\"", "\"\xc0\x80\"",
		"\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xc3\"",
		"\"\xe2\x82\"", "{\"\xff\":1}",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_null(parse_str(clq_str_of(bad[i])), "%s", bad[i]);
}

Test(json, says_where_it_is_wrong)
{
	cr_assert_null(parse_str(CLQ_STR("{\"a\": tru}")));
	cr_assert(clq_str_is(why, "unknown word at byte 6"), "%.*s",
	    CLQ_FMT(why));
	cr_assert_null(parse_str(CLQ_STR("[1] x")));
	cr_assert(clq_str_is(why, "unexpected text after the value at byte 4"),
	    "%.*s", CLQ_FMT(why));
}

Test(json, bounds_depth)
{
	cr_expect_not_null(parse_str(nested(CLQ_JSON_MAX_DEPTH, "[", "]")));
	cr_expect_null(parse_str(nested(CLQ_JSON_MAX_DEPTH + 1, "[", "]")));
	cr_expect_not_null(parse_str(nested(CLQ_JSON_MAX_DEPTH, "{\"a\":",
	    "}")));
	cr_expect_null(parse_str(nested(CLQ_JSON_MAX_DEPTH + 1, "{\"a\":",
	    "}")));
	/* neighbours do not add up */
	cr_expect_not_null(parse_str(repeat("[", "[],", 1000, "[]]")));
	cr_expect_null(parse_str(repeat("", "[", 1000000, "")));
}

Test(json, last_of_duplicate_names_wins)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}" },
		{ "{\"a\":1,\"a\":2,\"a\":3,\"b\":4}", "{\"a\":3,\"b\":4}" },
		{ "{\"b\":0,\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
		{ "{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}" },
		{ "{\"a\":1,\"\\u0061\":2}", "{\"a\":2}" },
		{ "[{\"x\":{\"a\":1.0,\"a\":2.0}},3.0]",
		    "[{\"x\":{\"a\":2.0}},3.0]" },
		{ "{\"a\":{\"k\":1.10},\"a\":{\"k\":2.20},\"z\":3.30}",
		    "{\"a\":{\"k\":2.20},\"z\":3.30}" },
	};
	cJSON *tree;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_str_eq(print(parse(cases[i].in)), cases[i].out);
	/* the list is still sound at its end */
	tree = parse("{\"a\":1,\"a\":2}");
	clq_json_set(tree, "b", cJSON_CreateTrue());
	cr_expect_str_eq(print(tree), "{\"a\":2,\"b\":true}");
}

/* A square of 100,000 would take a minute of the processor. */
Test(json, many_names_cost_no_square, .timeout = 120)
{
	clock_t began = clock();
	struct clq_buf b;
	cJSON *tree, *copy;
	int i;

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 100000; i++)
		clq_buf_printf(&b, "%c\"k%d\":%d", i == 0 ? '{' : ',',
		    i % 50000, i);
	clq_buf_addc(&b, '}');
	tree = parse_str(clq_buf_str(&b));
	cr_assert_not_null(tree);
	cr_assert_eq(cJSON_GetArraySize(tree), 50000);
	cr_assert_eq(clq_json_get(tree, "k7")->valuedouble, 50007);
	copy = clq_json_dup(arena, tree);
	cr_assert(clq_json_equal(tree, copy));
	cr_expect_lt(clock() - began, 20 * CLOCKS_PER_SEC);
}

/* Each value is lower than all that follow it. */
static const char *const ascending[] = {
	"null",
	"\"\"", "\"A\"", "\"a\"", "\"aa\"", "\"b\"", "\"\xc3\xa9\"",
	"\"\xef\xbf\xbf\"", "\"\xf0\x90\x80\x80\"",
	"-1e300", "-18446744073709551617", "-9007199254740993",
	"-9007199254740992", "-1.5", "-1", "-1e-400", "0", "1e-401", "1e-400",
	"0.1", "0.10000000000000000000001", "0.5", "1", "1.5", "2", "10",
	"9007199254740992", "9007199254740992.5", "9007199254740993",
	"9007199254740994", "18446744073709551616", "18446744073709551617",
	"1e300",
	"false", "true",
	"[]", "[null]", "[2]", "[true]", "[\"z\",[]]", "[1,1]",
	"[1,2]", "[1,1,1]",
	"{}", "{\"a\":1}", "{\"a\":2}", "{\"b\":0}", "{\"a\":9,\"b\":1}",
	"{\"a\":9,\"b\":2}", "{\"b\":0,\"c\":0}", "{\"a\":0,\"b\":0,\"c\":0}",
};

Test(json, has_a_total_order)
{
	cJSON *values[CLQ_COUNT(ascending)];
	size_t i, j;

	for (i = 0; i < CLQ_COUNT(ascending); i++)
		values[i] = parse(ascending[i]);
	for (i = 0; i < CLQ_COUNT(ascending); i++) {
		cr_expect_lt(clq_json_cmp(values[i], NULL), 0);
		cr_expect_gt(clq_json_cmp(NULL, values[i]), 0);
		for (j = 0; j < CLQ_COUNT(ascending); j++) {
			cr_expect_eq(clq_json_cmp(values[i], values[j]),
			    i < j ? -1 : i > j, "%s and %s", ascending[i],
			    ascending[j]);
			cr_expect_eq(clq_json_equal(values[i], values[j]),
			    i == j);
		}
	}
	cr_expect_eq(clq_json_cmp(NULL, NULL), 0);
}

Test(json, equals_by_value)
{
	static const struct { const char *a, *b; } cases[] = {
		{ "1", "1.0" }, { "1", "1.000e0" }, { "100", "1e2" },
		{ "0", "-0.000" }, { "0.5", "0.500" }, { "-2", "-2.0" },
		{ "9007199254740993", "9007199254740993.00" },
		{ "1e22", "10000000000000000000000.0" },
		{ "{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1.0}" },
		{ "\"\\u00e9\"", "\"\xc3\xa9\"" },
	};
	static const struct { const char *a, *b; } differ[] = {
		{ "1", "true" }, { "0", "false" }, { "0", "null" },
		{ "\"1\"", "1" }, { "[]", "{}" }, { "\"a\"", "\"A\"" },
		{ "[1,2]", "[2,1]" }, { "{\"a\":1}", "{\"A\":1}" },
		{ "9007199254740992", "9007199254740993" },
		{ "{\"a\":1}", "{\"a\":1,\"b\":1}" },
		{ "0.1", "0.1000000000000000055511151231257827" },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect(clq_json_equal(parse(cases[i].a),
		    parse(cases[i].b)), "%s %s", cases[i].a, cases[i].b);
	for (i = 0; i < CLQ_COUNT(differ); i++)
		cr_expect_not(clq_json_equal(parse(differ[i].a),
		    parse(differ[i].b)), "%s %s", differ[i].a, differ[i].b);
}

Test(json, compares_big_objects)
{
	struct clq_buf b;
	cJSON *x, *y;
	int i;

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 200; i++)
		clq_buf_printf(&b, "%c\"k%d\":1", i == 0 ? '{' : ',', i);
	clq_buf_addc(&b, '}');
	x = parse_str(clq_buf_str(&b));
	clq_buf_init(&b, arena, 0);
	for (i = 199; i >= 0; i--)
		clq_buf_printf(&b, "%c\"k%d\":1", i == 199 ? '{' : ',', i);
	clq_buf_addc(&b, '}');
	y = parse_str(clq_buf_str(&b));
	cr_assert(clq_json_equal(x, y));
	clq_json_set(y, "k100", clq_json_new_int(2));
	cr_assert_eq(clq_json_cmp(x, y), -1);
}

Test(json, stored_form_lacks_id_and_last_modified)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "{\"id\":\"x\",\"a\":1.50,\"last_modified\":3,\"b\":2}",
		    "{\"a\":1.50,\"b\":2}" },
		{ "{\"last_modified\":3,\"id\":\"x\"}", "{}" },
		{ "{}", "{}" },
		{ "{\"a\":{\"id\":1,\"last_modified\":2},\"ID\":3}",
		    "{\"a\":{\"id\":1,\"last_modified\":2},\"ID\":3}" },
	};
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		s = clq_json_stored(arena, parse(cases[i].in));
		cr_expect(clq_str_is(s, cases[i].out), "%.*s", CLQ_FMT(s));
	}
}

Test(json, gets_by_exact_name)
{
	cJSON *tree = parse("{\"abc\":1,\"ABC\":2,\"\":3}");

	cr_expect_eq(clq_json_get(tree, "abc")->valuedouble, 1);
	cr_expect_eq(clq_json_get(tree, "ABC")->valuedouble, 2);
	cr_expect_eq(clq_json_get(tree, "")->valuedouble, 3);
	cr_expect_null(clq_json_get(tree, "Abc"));
	cr_expect_null(clq_json_get(tree, "ab"));
	cr_expect_null(clq_json_get(parse("[1]"), "0"));
	cr_expect_null(clq_json_get(parse("\"abc\""), "abc"));
	cr_expect_null(clq_json_get(NULL, "abc"));
}

Test(json, follows_paths)
{
	static const struct { const char *path; const char *value; }
	    cases[] = {
		{ "a", "{\"b\":{\"c\":1},\"b.c\":2}" },
		{ "a.b.c", "2" },		/* the longest name first */
		{ "a.b", "{\"c\":1}" },
		{ "x.y", "3" }, { "x.y.z", NULL }, { "x.z", "4" },
		{ "l.0", NULL }, { "s.t", NULL }, { "none", NULL },
		{ "a.none", NULL }, { "", "{\"e\":5}" }, { ".e", "5" },
		{ ".", NULL },
		{ "a.", NULL }, { "ab", NULL }, { "p.q.r", NULL },
	};
	cJSON *tree = parse("{\"a\":{\"b\":{\"c\":1},\"b.c\":2},\"x.y\":3,"
	    "\"x\":{\"y\":9,\"z\":4},\"l\":[1],\"s\":\"t\",\"\":{\"e\":5},"
	    "\"p.q\":1,\"p\":{\"q\":{\"r\":1}}}");
	cJSON *item;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		item = clq_json_path(tree, clq_str_of(cases[i].path));
		if (cases[i].value == NULL)
			cr_expect_null(item, "%s", cases[i].path);
		else
			cr_expect_str_eq(print(item), cases[i].value);
	}
	cr_expect_null(clq_json_path(NULL, CLQ_STR("a")));
	cr_expect_null(clq_json_path(parse("[]"), CLQ_STR("a")));
	cr_expect_null(clq_json_path(parse("{\"a\":1}"), CLQ_STR("")));
}

Test(json, gives_strings)
{
	cr_expect(clq_str_is(clq_json_str(parse("\"abc\"")), "abc"));
	cr_expect_not_null(clq_json_str(parse("\"\"")).p);
	cr_expect_null(clq_json_str(parse("1")).p);
	cr_expect_null(clq_json_str(parse("9007199254740993")).p);
	cr_expect_null(clq_json_str(parse("null")).p);
	cr_expect_null(clq_json_str(NULL).p);
}

Test(json, sets_and_removes)
{
	cJSON *tree = parse("{\"a\":1,\"b\":2,\"c\":3}");

	clq_json_set(tree, "b", clq_json_new_str(CLQ_STR("new")));
	cr_assert_str_eq(print(tree), "{\"a\":1,\"b\":\"new\",\"c\":3}");
	clq_json_set(tree, "B", cJSON_CreateNull());
	clq_json_set(tree, "c", cJSON_CreateArray());
	cr_assert_str_eq(print(tree),
	    "{\"a\":1,\"b\":\"new\",\"c\":[],\"B\":null}");
	clq_json_remove(tree, "a");
	clq_json_remove(tree, "A");
	clq_json_remove(tree, "B");
	cr_assert_str_eq(print(tree), "{\"b\":\"new\",\"c\":[]}");
	clq_json_remove(tree, "b");
	clq_json_remove(tree, "c");
	clq_json_remove(tree, "c");
	cr_assert_str_eq(print(tree), "{}");
	clq_json_set(tree, "z", cJSON_CreateTrue());
	cr_assert_str_eq(print(tree), "{\"z\":true}");
}

Test(json, replaces_a_number_with_its_text)
{
	cJSON *tree = parse("{\"n\":9007199254740993}");

	clq_json_set(tree, "n", clq_json_new_int(5));
	cr_assert_str_eq(print(tree), "{\"n\":5}");
}

Test(json, new_string_takes_a_slice)
{
	cJSON *item;

	item = clq_json_own(arena,
	    clq_json_new_str((struct clq_str){ "abcdef", 3 }));
	cr_assert_str_eq(print(item), "\"abc\"");
	item = clq_json_own(arena,
	    clq_json_new_str((struct clq_str){ NULL, 0 }));
	cr_assert_str_eq(print(item), "\"\"");
}

Test(json, prints_raw_text_and_nothing_as_null)
{
	cJSON *tree = clq_json_own(arena, cJSON_CreateObject());

	cJSON_AddItemToObject(tree, "raw", cJSON_CreateRaw("{\"x\":1.50}"));
	cr_expect_str_eq(print(tree), "{\"raw\":{\"x\":1.50}}");
	cr_expect_str_eq(print(NULL), "null");
}

Test(json, printing_respects_the_limit)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	b.limit = 10;
	clq_json_print(&b, parse("[1,2,3,4,5,6,7,8]"));
	cr_assert_not(clq_buf_ok(&b));
}
