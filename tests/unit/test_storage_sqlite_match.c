/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend's reading of documents as text, held against core's
 * reading of trees: the same values found, the same order, nothing read beyond
 * the end.
 */
#include <cliquet/json.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/sqlite.h"
#include "arena_fixture.h"

#define MatchTest(...)	Test(__VA_ARGS__, .init = setup, .fini = teardown)

static const cJSON *
parse(struct clq_str text)
{
	struct clq_str why = { NULL, 0 };
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(arena, text, &tree, &why), CLQ_OK,
	    "%.*s: %.*s", CLQ_FMT(text), CLQ_FMT(why));
	return tree;
}

static struct clq_str
key_of(struct clq_str value)
{
	struct sq_bytes b = { 0 };
	struct clq_str key;

	sq_key_add(&b, value);
	key = clq_arena_strdup(arena, (struct clq_str){ (char *)b.p, b.len });
	free(b.p);
	return key;
}

static const char *const values[] = { "null", "\"\"", "\"a\"", "\"ab\"",
    "\"b\"", "\"\\\"\"", "\"\\\\\"", "\"\\u00e9\"", "\"\xc3\xa9\"",
    "\"\\ud834\\udd1e\"", "\"\xf0\x9d\x84\x9e\"", "\"\\n\"", "\"/\"",
    "\"\\/\"", "0", "-0", "0.0", "1", "1.0", "1.00", "1e0", "10e-1",
    "0.1e1", "-1", "-1.5", "-10", "-0.1", "-0.01", "0.1", "0.01", "0.001",
    "10", "100", "99", "99.9", "1e2", "1E+2", "1e-7", "9007199254740992",
    "9007199254740993", "-9007199254740993", "123456789012345678901234567890",
    "123456789012345678901234567891", "1e20", "100000000000000000000",
    "false", "true", "[]", "[null]", "[1]", "[1.0]", "[2]", "[1,2]",
    "[\"a\"]", "[[]]", "[[1]]", "[[],[]]", "[\"a\",\"b\"]", "[\"ab\"]",
    "[ 1 , 2 ]", "[{}]", "{}", "{\"a\":1}", "{\"a\":1.0}", "{\"a\":2}",
    "{\"b\":1}", "{\"b\":0}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}",
    "{ \"b\" : 2 , \"a\" : 1 }", "{\"a\":{\"b\":[1,{\"c\":null}]}}",
    "{\"\\u0061\":1}", "{\"\":1}", "{\"a\":[],\"aa\":[]}",
    "{\"aa\":[],\"b\":[]}" };

static int
sign(int v)
{
	return v < 0 ? -1 : v > 0;
}

MatchTest(key, sorts_as_values_do)
{
	struct clq_str a, b;
	size_t i, j;

	for (i = 0; i < CLQ_COUNT(values); i++)
		for (j = 0; j < CLQ_COUNT(values); j++) {
			a = clq_str_of(values[i]);
			b = clq_str_of(values[j]);
			cr_expect_eq(sign(clq_str_cmp(key_of(a), key_of(b))),
			    sign(clq_json_cmp(parse(a), parse(b))),
			    "%s and %s", values[i], values[j]);
		}
}

MatchTest(key, is_no_beginning_of_another)
{
	struct clq_str a, b;
	size_t i, j;

	for (i = 0; i < CLQ_COUNT(values); i++)
		for (j = 0; j < CLQ_COUNT(values); j++) {
			a = key_of(clq_str_of(values[i]));
			b = key_of(clq_str_of(values[j]));
			if (a.len < b.len)
				cr_expect(memcmp(a.p, b.p, a.len) != 0,
				    "%s and %s", values[i], values[j]);
		}
}

/* A document of random values, bounded in depth. */
static void
random_value(struct clq_buf *b, unsigned *seed, int depth)
{
	int kind = rand_r(seed) % (depth > 3 ? 4 : 6), n, i;

	switch (kind) {
	case 4:
	case 5:
		n = rand_r(seed) % 4;
		clq_buf_addc(b, kind == 4 ? '[' : '{');
		for (i = 0; i < n; i++) {
			clq_buf_adds(b, i > 0 ? "," : "");
			if (kind == 5)
				clq_buf_printf(b, "\"%c%d\":",
				    "abc"[rand_r(seed) % 3], i);
			random_value(b, seed, depth + 1);
		}
		clq_buf_addc(b, kind == 4 ? ']' : '}');
		break;
	case 3:
		clq_buf_printf(b, "\"%d\\\"x\"", rand_r(seed) % 20);
		break;
	case 2:
		clq_buf_printf(b, "%d.%d", rand_r(seed) % 100 - 50,
		    rand_r(seed) % 10);
		break;
	default:
		clq_buf_adds(b, values[rand_r(seed) % CLQ_COUNT(values)]);
	}
}

MatchTest(key, sorts_random_values_as_core_does)
{
	struct clq_buf a, b;
	unsigned seed = 1;
	int i;

	for (i = 0; i < 3000; i++) {
		clq_buf_init(&a, arena, 0);
		clq_buf_init(&b, arena, 0);
		random_value(&a, &seed, 0);
		random_value(&b, &seed, 0);
		cr_assert_eq(sign(clq_str_cmp(key_of(clq_buf_str(&a)),
		    key_of(clq_buf_str(&b)))),
		    clq_json_cmp(parse(clq_buf_str(&a)),
		    parse(clq_buf_str(&b))), "%.*s and %.*s",
		    CLQ_FMT(clq_buf_str(&a)), CLQ_FMT(clq_buf_str(&b)));
	}
}

static const char *const documents[] = { "{}", "{\"a\":1}",
    "{\"a\":{\"b\":{\"c\":1}}}", "{\"a.b\":{\"c\":2},\"a\":{\"b.c\":3}}",
    "{\"a\":{\"b.c\":3},\"a.b.c\":4}", "{\"a\":[{\"b\":1}]}",
    "{\"x\":\"}{\\\"a\\\":1\",\"a\":\"\\\\\"}", "{\"\":{\"a\":1},\"a\":2}",
    "{\"a.\":1,\"a\":{\"\":2}}", "{\"\\u0061\":{\"\\\"\":5}}",
    "{ \"a\" : { \"b\" : [ 1 , 2 ] } , \"b\" : null }",
    "{\"\xc3\xa9\":1,\"\\u00e9t\":2}", "{\"ab\":1,\"abc\":{\"d\":1}}" };

static const char *const paths[] = { "a", "a.b", "a.b.c", "b", "a.0", "",
    ".", "a.", ".a", "a..b", "a.\"", "\xc3\xa9", "\xc3\xa9t", "ab", "abc.d",
    "x", "a.b.c.d" };

MatchTest(path, finds_what_core_finds)
{
	struct clq_str doc, path, value;
	const cJSON *expected;
	size_t i, j;
	bool found;

	for (i = 0; i < CLQ_COUNT(documents); i++)
		for (j = 0; j < CLQ_COUNT(paths); j++) {
			doc = clq_str_of(documents[i]);
			path = clq_str_of(paths[j]);
			expected = clq_json_path(parse(doc), path);
			found = sq_json_find(doc, path, &value);
			cr_expect_eq(found, expected != NULL, "%s in %s",
			    paths[j], documents[i]);
			if (found && expected != NULL)
				cr_expect(clq_json_equal(parse(value),
				    expected), "%s in %s: %.*s", paths[j],
				    documents[i], CLQ_FMT(value));
		}
}

/* Exactly as long as the text, so that a sanitizer sees each byte too many. */
static void
read_all(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	struct clq_str doc = { copy, len }, value;
	struct sq_bytes b = { 0 };
	size_t i;

	memcpy(copy, text, len);
	for (i = 0; i < CLQ_COUNT(paths); i++)
		if (sq_json_find(doc, clq_str_of(paths[i]), &value)) {
			cr_assert(value.p >= copy &&
			    value.p + value.len <= copy + len);
			sq_key_add(&b, value);
		}
	sq_key_add(&b, doc);
	sq_json_unescape(&b, doc);
	free(b.p);
	free(copy);
}

MatchTest(scan, stays_within_texts_that_are_cut_or_wrong)
{
	char text[64];
	unsigned seed = 2;
	size_t i, len;
	int n;

	for (i = 0; i < CLQ_COUNT(documents); i++)
		for (len = 0; len <= strlen(documents[i]); len++)
			read_all(documents[i], len);
	for (i = 0; i < CLQ_COUNT(values); i++)
		for (len = 0; len <= strlen(values[i]); len++)
			read_all(values[i], len);
	for (n = 0; n < 20000; n++) {
		len = (size_t)rand_r(&seed) % sizeof text;
		for (i = 0; i < len; i++)
			text[i] = "{}[]\",:\\u0a1e-. t"[rand_r(&seed) % 17];
		read_all(text, len);
	}
}

/* ---- filters ---------------------------------------------------------- */

static bool
matches(const char *field, enum clq_op op, const char *value,
    const struct sq_row *row)
{
	struct clq_filter filter = { clq_str_of(field), op,
	    parse(clq_str_of(value)) };
	struct sq_filters f = { 0 };
	struct sq_bytes scratch = { 0 };
	bool result;

	sq_filters_add(arena, &f, &filter);
	result = sq_filters_match(&f, row, &scratch);
	cr_expect_eq(scratch.len, 0, "scratch is given back");
	free(scratch.p);
	return result;
}

MatchTest(filter, compares_every_pair_as_core_does)
{
	struct sq_row row = { 0 };
	size_t i, j;
	int order;

	for (i = 0; i < CLQ_COUNT(values); i++)
		for (j = 0; j < CLQ_COUNT(values); j++) {
			row.data = clq_arena_printf(arena, "{\"v\":%s}",
			    values[i]);
			order = clq_json_cmp(parse(clq_str_of(values[i])),
			    parse(clq_str_of(values[j])));
			cr_expect_eq(matches("v", CLQ_OP_EQ, values[j], &row),
			    order == 0);
			cr_expect_eq(matches("v", CLQ_OP_LT, values[j], &row),
			    order < 0);
			cr_expect_eq(matches("v", CLQ_OP_MIN, values[j],
			    &row), order >= 0);
		}
}

MatchTest(filter, takes_values_of_the_wrong_shape)
{
	struct sq_row row = { .data = CLQ_STR("{\"v\":[1]}") };

	cr_expect(matches("v", CLQ_OP_IN, "[[1]]", &row));
	cr_expect(matches("v", CLQ_OP_CONTAINS, "1", &row),
	    "a list of itself");
	cr_expect(!matches("v", CLQ_OP_LIKE, "1", &row));
	cr_expect(matches("v", CLQ_OP_HAS, "true", &row));
	cr_expect(!matches("v", CLQ_OP_HAS, "1", &row));
}

MatchTest(filter, sees_a_tombstone_as_deleted_and_nothing_else)
{
	struct sq_row row = { .data = CLQ_STR("{}"), .deleted = true };

	cr_expect(matches("deleted", CLQ_OP_EQ, "true", &row));
	cr_expect(matches("x", CLQ_OP_HAS, "false", &row));
	row.deleted = false;
	cr_expect(matches("deleted", CLQ_OP_HAS, "false", &row));
}

static bool
like(const char *pattern, const char *text)
{
	struct sq_bytes scratch = { 0 };
	struct sq_pattern p;
	bool result;

	sq_pattern_parse(arena, &p, clq_str_of(pattern));
	result = sq_pattern_match(&p, clq_str_of(text), &scratch);
	free(scratch.p);
	return result;
}

MatchTest(pattern, anchors_only_with_a_wildcard)
{
	cr_expect(like("b", "abc"));
	cr_expect(like("", "abc") && like("", ""));
	cr_expect(like("*", "") && like("**", "") && like("**", "x"));
	cr_expect(like("a*c", "abc") && like("a*c", "ac"));
	cr_expect(!like("a*c", "abcd") && !like("b*", "abc"));
	cr_expect(like("*b*", "abc") && like("a**c", "abc"));
	cr_expect(!like("ab*bc", "abc"), "parts do not overlap");
	cr_expect(like("a*b*a", "aba") && !like("a*b*a", "ab"));
	cr_expect(!like("abc", "") && !like("*a", ""));
}

MatchTest(pattern, ignores_case_in_all_planes)
{
	cr_expect(like("\xc3\x89", "\xc3\xa9"));		/* É é */
	cr_expect(like("\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"));/* Deseret */
	cr_expect(like("\xf0\x90\x90\xa8", "\xf0\x90\x90\x80"));
	cr_expect(!like("\xc3\x89", "e"));
	cr_expect(like("\xe4\xb8\xad", "\xe4\xb8\xad"));
	cr_expect(like("\xff", "\xff"), "bytes that are no text");
	cr_expect(like("\xf0\x90", "x\xf0\x90"));
}

MatchTest(pattern, cannot_be_made_slow)
{
	enum { TEXT = 200000, PATTERN = 8000 };
	char *text = clq_arena_alloc(arena, TEXT + 1);
	char *pattern = clq_arena_alloc(arena, PATTERN + 1);
	size_t i;

	memset(text, 'a', TEXT);
	memset(pattern, 'a', PATTERN);
	pattern[PATTERN - 1] = 'b';
	cr_expect(!like(pattern, text));
	for (i = 0; i < PATTERN - 1; i += 2)
		pattern[i] = '*';
	cr_expect(!like(pattern, text));
}

/* ---- sorting ---------------------------------------------------------- */

MatchTest(sorts, compose_keys_in_both_directions)
{
	struct clq_sort by[] = { { CLQ_STR("v"), true },
	    { CLQ_STR("last_modified"), false } };
	struct clq_query q = { .sorts = by, .nsorts = 2 };
	struct sq_sorts *sorts;
	struct sq_bytes x = { 0 }, y = { 0 };
	struct sq_row a = { .last_modified = 5 }, b = { .last_modified = 40 };
	size_t i, j;
	int order, direction;

	for (direction = 0; direction < 2; direction++) {
		by[0].descending = direction == 1;
		sorts = sq_sorts_new(arena, &q);
		for (i = 0; i <= CLQ_COUNT(values); i++)
			for (j = 0; j < CLQ_COUNT(values); j++) {
				a.data = i == CLQ_COUNT(values) ?
				    CLQ_STR("{}") : clq_arena_printf(arena,
				    "{\"v\":%s}", values[i]);
				b.data = clq_arena_printf(arena,
				    "{\"v\":%s}", values[j]);
				x.len = y.len = 0;
				sq_sorts_key(sorts, &a, &x);
				sq_sorts_key(sorts, &b, &y);
				order = clq_json_cmp(i == CLQ_COUNT(values) ?
				    NULL : parse(clq_str_of(values[i])),
				    parse(clq_str_of(values[j])));
				if (direction == 1)
					order = -order;
				if (order == 0)
					order = -1;	/* 5 before 40 */
				cr_expect_eq(clq_str_cmp((struct clq_str){
				    (char *)x.p, x.len }, (struct clq_str){
				    (char *)y.p, y.len }), order);
			}
	}
	free(x.p);
	free(y.p);
}

MatchTest(sorts, end_with_the_first_unique_field)
{
	struct clq_sort by[] = { { CLQ_STR("a"), false },
	    { CLQ_STR("id"), false }, { CLQ_STR("b"), false } };
	struct clq_query q = { .sorts = by, .nsorts = 3 };

	cr_expect_eq(sq_sorts_new(arena, &q)->n, 2);
}
