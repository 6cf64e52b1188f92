/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: the order across types, every operator, fields (section 04). */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>

#include <stdio.h>

/* One object for each value of `v`, from the lowest to the highest. */
static const struct {
	const char	*id;
	const char	*value;		/* NULL: missing */
} world[] = {
	{ "a", "null" },
	{ "b", "\"\"" },
	{ "c", "\"10\"" },
	{ "d", "\"ABC\"" },
	{ "e", "\"abc\"" },
	{ "f", "\"\xc3\xa9t\xc3\xa9\"" },
	{ "g", "\"\xef\xbf\xbd\"" },		/* U+FFFD, below ... */
	{ "h", "\"\xf0\x9d\x84\x9e\"" },	/* ... U+1D11E */
	{ "i", "-9007199254740993" },
	{ "j", "-9007199254740992" },
	{ "k", "-3.5" },
	{ "l", "0" },
	{ "m", "0.1" },
	{ "n", "1" },
	{ "o", "1.5" },
	{ "p", "10" },
	{ "q", "9007199254740992" },
	{ "r", "9007199254740993" },
	{ "s", "false" },
	{ "t", "true" },
	{ "u", "[]" },
	{ "v", "[2]" },
	{ "w", "[\"a\",1]" },
	{ "x", "[1,\"a\"]" },
	{ "y", "{}" },
	{ "z", "{\"b\":1}" },
	{ "z1", "{\"b\":2}" },
	{ "z2", "{\"a\":1,\"b\":1}" },
	{ "z3", NULL },
};

enum { MISSING = CLQ_COUNT(world) - 1 };

static void
make_world(void)
{
	char text[128];
	size_t i;

	tx_write();
	for (i = 0; i < CLQ_COUNT(world); i++) {
		if (i == MISSING)
			snprintf(text, sizeof text, "{\"w\":1}");
		else
			snprintf(text, sizeof text, "{\"v\":%s,\"w\":1}",
			    world[i].value);
		cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, world[i].id,
		    text, NO_TIME), 0);
	}
	tx_commit();
}

static bool
passes(enum clq_op op, size_t object, size_t operand)
{
	switch (op) {
	case CLQ_OP_EQ:
		return object == operand;
	case CLQ_OP_NOT:
		return object != operand;
	case CLQ_OP_LT:
		return object < operand;
	case CLQ_OP_MAX:
		return object <= operand;
	case CLQ_OP_GT:
		return object > operand;
	default:
		return object >= operand;
	}
}

StorageTest(filter, compares_across_all_types)
{
	static const enum clq_op ops[] = { CLQ_OP_EQ, CLQ_OP_NOT, CLQ_OP_LT,
	    CLQ_OP_MAX, CLQ_OP_GT, CLQ_OP_MIN };
	struct clq_buf expected;
	size_t i, j, op;

	make_world();
	for (i = 0; i < MISSING; i++)
		for (op = 0; op < CLQ_COUNT(ops); op++) {
			clq_buf_init(&expected, fx.arena, 0);
			for (j = 0; j < CLQ_COUNT(world); j++)
				if (passes(ops[op], j, i))
					clq_buf_printf(&expected, "%s%s",
					    expected.len > 0 ? " " : "",
					    world[j].id);
			cr_expect_str_eq(matching("v", ops[op],
			    world[i].value), clq_arena_cstr(fx.arena,
			    clq_buf_str(&expected)), "op %d of %s: %s",
			    (int)ops[op], world[i].value,
			    matching("v", ops[op], world[i].value));
		}
}

struct filter_case {
	enum clq_op	 op;
	const char	*value;
	const char	*expected;
};

static void
check(const char *field, const struct filter_case *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		cr_expect_str_eq(matching(field, cases[i].op,
		    cases[i].value), cases[i].expected,
		    "%s op %d %s gives %s", field, (int)cases[i].op,
		    cases[i].value, matching(field, cases[i].op,
		    cases[i].value));
}

#define ALL_BUT_R "a b c d e f g h i j k l m n o p q s t u v w x y z z1 z2 z3"

StorageTest(filter, takes_lists_and_presence)
{
	static const struct filter_case cases[] = {
		{ CLQ_OP_IN, "[1,\"10\",null,[2],{\"b\":1.0}]", "a c n v z" },
		{ CLQ_OP_IN, "[\"1\",\"true\"]", "" },
		{ CLQ_OP_IN, "[true,1.50]", "o t" },
		{ CLQ_OP_IN, "[]", "" },
		{ CLQ_OP_EXCLUDE, "[9007199254740993]", ALL_BUT_R },
		{ CLQ_OP_EXCLUDE, "[9007199254740993,\"no\"]", ALL_BUT_R },
		{ CLQ_OP_HAS, "false", "z3" },
		{ CLQ_OP_EQ, "1.0", "n" },
		{ CLQ_OP_EQ, "1e1", "p" },
		{ CLQ_OP_EQ, "{\"b\":1,\"a\":1}", "z2" },
		{ CLQ_OP_EQ, "[1]", "" },
	};

	make_world();
	check("v", cases, CLQ_COUNT(cases));
	cr_expect_eq(count(query(NULL)), (int64_t)CLQ_COUNT(world));
	{
		struct clq_query *all = query(NULL), *has = query(NULL);

		filter(all, "v", CLQ_OP_EXCLUDE, "[]");
		cr_expect_eq(count(all), (int64_t)CLQ_COUNT(world));
		filter(has, "v", CLQ_OP_HAS, "true");
		cr_expect_eq(count(has), (int64_t)CLQ_COUNT(world) - 1);
	}
}

StorageTest(filter, contains_looks_into_arrays)
{
	static const struct filter_case cases[] = {
		{ CLQ_OP_CONTAINS, "[]", "a b c d" },
		{ CLQ_OP_CONTAINS, "[1]", "b c" },
		{ CLQ_OP_CONTAINS, "[1,1]", "b c" },
		{ CLQ_OP_CONTAINS, "[1,\"x\"]", "b" },
		{ CLQ_OP_CONTAINS, "[1.0]", "b c" },
		{ CLQ_OP_CONTAINS, "[\"1\"]", "" },
		{ CLQ_OP_CONTAINS, "[true]", "d" },
		{ CLQ_OP_CONTAINS, "[null]", "d" },
		{ CLQ_OP_CONTAINS, "[[1]]", "d" },
		{ CLQ_OP_CONTAINS_ANY, "[]", "" },
		{ CLQ_OP_CONTAINS_ANY, "[2,\"x\"]", "b c" },
		{ CLQ_OP_CONTAINS_ANY, "[{\"k\":1}]", "d" },
		{ CLQ_OP_CONTAINS_ANY, "[\"nothing\",3]", "" },
	};

	create("a", "{\"v\":[]}");
	create("b", "{\"v\":[1,\"x\"]}");
	create("c", "{\"v\":[2,1]}");
	create("d", "{\"v\":[true,null,[1],{\"k\":1}]}");
	create("e", "{\"v\":\"x1\"}");
	create("f", "{\"v\":{\"x\":1}}");
	create("g", "{}");
	check("v", cases, CLQ_COUNT(cases));
}

StorageTest(filter, like_matches_strings_whatever_their_case)
{
	static const struct filter_case cases[] = {
		{ CLQ_OP_LIKE, "\"GREEN\"", "a b c" },
		{ CLQ_OP_LIKE, "\"green*\"", "a b" },
		{ CLQ_OP_LIKE, "\"*green\"", "a c" },
		{ CLQ_OP_LIKE, "\"g*n\"", "a" },
		{ CLQ_OP_LIKE, "\"*e*e*\"", "a b c" },
		{ CLQ_OP_LIKE, "\"*\"", "a b c d e f g" },
		{ CLQ_OP_LIKE, "\"\"", "a b c d e f g" },
		{ CLQ_OP_LIKE, "\"%\"", "d" },
		{ CLQ_OP_LIKE, "\"_\"", "d" },
		{ CLQ_OP_LIKE, "\"100%*\"", "d" },
		{ CLQ_OP_LIKE, "\".*\"", "" },
		{ CLQ_OP_LIKE, "\"[a-z]\"", "" },
		{ CLQ_OP_LIKE, "\"(\"", "" },
		{ CLQ_OP_LIKE, "\"\xc3\xa9T\xc3\x89\"", "e" },
		{ CLQ_OP_LIKE, "\"\xce\xa9*\"", "f" },
		{ CLQ_OP_LIKE, "\"\xd0\xb4\xd0\x90\"", "g" },
		{ CLQ_OP_LIKE, "\"\\\"\\\\\"", "d" },
		{ CLQ_OP_LIKE, "\"1\"", "d" },
		{ CLQ_OP_LIKE, "\"ab*ba\"", "" },
	};

	create("a", "{\"v\":\"green\"}");
	create("b", "{\"v\":\"Greenish\"}");
	create("c", "{\"v\":\"evergreen\"}");
	create("d", "{\"v\":\"100%_ of \\\"\\\\ aba\"}");
	create("e", "{\"v\":\"un \xc3\x89t\xc3\xa9\"}");	/* Été */
	create("f", "{\"v\":\"\xcf\x89mega\"}");		/* ωmega */
	create("g", "{\"v\":\"\xd0\x94\xd0\xb0\"}");		/* Да */
	create("h", "{\"v\":1}");
	create("i", "{\"v\":[\"green\"]}");
	create("j", "{\"v\":null}");
	create("k", "{}");
	check("v", cases, CLQ_COUNT(cases));
}

StorageTest(field, with_dots_descends_but_prefers_the_literal_name)
{
	create("a", "{\"x\":{\"y\":{\"z\":1}}}");
	create("b", "{\"x.y.z\":1}");
	create("c", "{\"x.y\":{\"z\":1}}");
	create("d", "{\"x\":{\"y.z\":1}}");
	create("e", "{\"x.y.z\":2,\"x\":{\"y\":{\"z\":1}}}");
	create("f", "{\"x\":[{\"y\":{\"z\":1}}]}");
	create("g", "{\"x\":1,\"y\":1,\"z\":1}");
	create("h", "{\"x\":{\"y\":{}}}");
	cr_expect_str_eq(matching("x.y.z", CLQ_OP_EQ, "1"), "a b c d");
	cr_expect_str_eq(matching("x.y.z", CLQ_OP_HAS, "true"), "a b c d e");
	cr_expect_str_eq(matching("x.y.z", CLQ_OP_NOT, "1"), "e f g h");
	cr_expect_str_eq(matching("x.0.y.z", CLQ_OP_HAS, "true"), "");
}

StorageTest(field, may_have_any_name)
{
	static const struct {
		const char *field, *member;
	} names[] = {
		{ "'", "'" }, { "a'); --", "a'); --" }, { "\"", "\\\"" },
		{ "\\", "\\\\" }, { "%", "%" }, { "$", "$" }, { "?1", "?1" },
		{ "a b", "a b" }, { "\xc3\xa9", "\xc3\xa9" },
		{ "\t", "\\t" }, { "data", "data" }, { "resource", "resource" },
		{ "parent", "parent" }, { "rowid", "rowid" }, { "*", "*" },
	};
	char text[64];
	size_t i;

	for (i = 0; i < CLQ_COUNT(names); i++) {
		snprintf(text, sizeof text, "{\"%s\":%zu}", names[i].member,
		    i);
		update("r1", text);
		snprintf(text, sizeof text, "%zu", i);
		cr_expect_str_eq(matching(names[i].field, CLQ_OP_EQ, text),
		    "r1", "field %s", names[i].field);
	}
}

StorageTest(filter, on_id_compares_texts)
{
	static const struct filter_case cases[] = {
		{ CLQ_OP_EQ, "\"b\"", "b" },
		{ CLQ_OP_EQ, "\"none\"", "" },
		{ CLQ_OP_NOT, "\"b\"", "B a c" },
		{ CLQ_OP_GT, "\"a\"", "b c" },
		{ CLQ_OP_MIN, "\"a\"", "a b c" },
		{ CLQ_OP_LT, "\"b\"", "B a" },
		{ CLQ_OP_MAX, "\"b\"", "B a b" },
		{ CLQ_OP_IN, "[\"c\",\"a\",\"none\"]", "a c" },
		{ CLQ_OP_IN, "[]", "" },
		{ CLQ_OP_EXCLUDE, "[\"c\",\"a\"]", "B b" },
		{ CLQ_OP_EXCLUDE, "[]", "B a b c" },
		{ CLQ_OP_LIKE, "\"b\"", "B b" },
		{ CLQ_OP_HAS, "true", "B a b c" },
		{ CLQ_OP_HAS, "false", "" },
	};

	create("a", "{}");
	create("c", "{}");
	create("b", "{}");
	create("B", "{}");
	check("id", cases, CLQ_COUNT(cases));
}

StorageTest(filter, on_last_modified_compares_numbers)
{
	struct filter_case cases[] = {
		{ CLQ_OP_EQ, NULL, "b" }, { CLQ_OP_NOT, NULL, "a c" },
		{ CLQ_OP_LT, NULL, "a" }, { CLQ_OP_MAX, NULL, "a b" },
		{ CLQ_OP_GT, NULL, "c" }, { CLQ_OP_MIN, NULL, "b c" },
		{ CLQ_OP_HAS, "true", "a b c" }, { CLQ_OP_HAS, "false", "" },
	};
	char number[32], set[80];
	clq_msec t;
	size_t i;

	create("a", "{}");
	t = create("b", "{}");
	create("c", "{}");
	snprintf(number, sizeof number, "%lld", (long long)t);
	snprintf(set, sizeof set, "[%lld,1]", (long long)t);
	for (i = 0; i < 6; i++)
		cases[i].value = number;
	check("last_modified", cases, CLQ_COUNT(cases));
	cr_expect_str_eq(matching("last_modified", CLQ_OP_IN, set), "b");
	cr_expect_str_eq(matching("last_modified", CLQ_OP_EXCLUDE, set),
	    "a c");
}

StorageTest(filter, several_must_all_pass)
{
	struct clq_query *q = query("id last_modified");

	make_world();
	filter(q, "w", CLQ_OP_EQ, "1");
	filter(q, "v", CLQ_OP_MIN, "0");
	filter(q, "v", CLQ_OP_LT, "10");
	filter(q, "v", CLQ_OP_HAS, "true");
	filter(q, "id", CLQ_OP_NOT, "\"m\"");
	cr_expect_str_eq(ids(q), "l n o");
	cr_expect_eq(count(q), 3);
	filter(q, "w", CLQ_OP_EQ, "2");
	cr_expect_str_eq(ids(q), "");
	cr_expect_eq(count(q), 0);
}

/* ---- tombstones and restrictions -------------------------------------- */

static const char *
with_deleted(const char *field, enum clq_op op, const char *value)
{
	struct clq_query *q = query("id last_modified");

	q->include_deleted = true;
	filter(q, field, op, value);
	return ids(q);
}

StorageTest(tombstone, takes_part_only_when_asked_for)
{
	create("a", "{\"x\":1}");
	create("b", "{\"x\":1}");
	create("c", "{\"deleted\":true}");
	create("d", "{\"deleted\":\"perhaps\"}");
	delete("b");
	cr_expect_str_eq(ids(query("id last_modified")), "a c d");
	cr_expect_str_eq(matching("last_modified", CLQ_OP_GT, "0"), "a c d");
	cr_expect_str_eq(with_deleted("last_modified", CLQ_OP_GT, "0"),
	    "a !b c d");
	cr_expect_str_eq(with_deleted("id", CLQ_OP_EQ, "\"b\""), "!b");
	cr_expect_str_eq(with_deleted("x", CLQ_OP_EQ, "1"), "a");
	cr_expect_str_eq(with_deleted("x", CLQ_OP_NOT, "1"), "!b c d");
	cr_expect_str_eq(with_deleted("x", CLQ_OP_HAS, "false"), "!b c d");
	cr_expect_str_eq(with_deleted("deleted", CLQ_OP_EQ, "true"), "!b c");
	cr_expect_str_eq(with_deleted("deleted", CLQ_OP_NOT, "true"), "a d");
	cr_expect_str_eq(with_deleted("deleted", CLQ_OP_HAS, "true"),
	    "!b c d");
	cr_expect_str_eq(matching("deleted", CLQ_OP_EQ, "true"), "c");
}

StorageTest(tombstone, is_counted_only_when_asked_for)
{
	struct clq_query *q = query(NULL);

	create("a", "{}");
	create("b", "{}");
	delete("a");
	cr_expect_eq(count(q), 1);
	q->include_deleted = true;
	cr_expect_eq(count(q), 2);
}

StorageTest(only_ids, restrict_a_list)
{
	struct clq_str names[] = { CLQ_STR("c"), CLQ_STR("none"),
	    CLQ_STR("a"), CLQ_STR("'\"\\") };
	struct clq_strs some = { .items = names, .n = CLQ_COUNT(names) };
	struct clq_strs none = { .items = names, .n = 0 };
	struct clq_query *q = query("id last_modified");

	create("a", "{\"n\":1}");
	create("b", "{\"n\":1}");
	create("c", "{\"n\":2}");
	create("'\"\\", "{\"n\":1}");
	q->only_ids = &some;
	cr_expect_str_eq(ids(q), "'\"\\ a c");
	cr_expect_eq(count(q), 3);
	filter(q, "n", CLQ_OP_EQ, "1");
	cr_expect_str_eq(ids(q), "'\"\\ a");
	q->only_ids = &none;
	cr_expect_str_eq(ids(q), "");
	cr_expect_eq(count(q), 0);
}
