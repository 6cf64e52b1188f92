/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared indexes, which a backend may offer: they change no result. Every
 * query is run twice, without the index and with it.
 */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <stdio.h>

/* Of every type, ties, and neighbours of what is asked for. */
static const char *const values[] = { "null", "\"\"", "\"a\"", "\"A\"",
    "\"ab\"", "\"é\"", "\"𝄞\"", "\"null\"", "\"'\\\\%_\"", "0", "-1", "1",
    "1.5", "10", "9007199254740993", "9007199254740992", "1e-3", "false",
    "true", "[]", "[1]", "[\"a\"]", "[[]]", "{}", "{\"b\":1}", "[1,2]" };

static const enum clq_op ops[] = { CLQ_OP_EQ, CLQ_OP_NOT, CLQ_OP_LT,
    CLQ_OP_MAX, CLQ_OP_GT, CLQ_OP_MIN };

static bool
offered(void)
{
	const struct clq_storage_ops *table = storage();

	return CLQ_HAS(table, index_add) && CLQ_HAS(table, index_drop) &&
	    CLQ_HAS(table, index_list);
}

static void
add_index(const char *field)
{
	cr_assert_eq(storage()->index_add(fx.self, &list,
	    clq_str_of(field)), CLQ_OK);
}

static void
drop_index(const char *field)
{
	cr_assert_eq(storage()->index_drop(fx.self, &list,
	    clq_str_of(field)), CLQ_OK);
}

/* Objects with each value twice, some without; tombstones between them. */
static void
fill(void)
{
	char id[16], doc[128];
	unsigned round;
	size_t i;

	for (round = 0; round < 2; round++)
		for (i = 0; i < CLQ_COUNT(values); i++) {
			snprintf(id, sizeof id, "r%u-%02zu", round, i);
			snprintf(doc, sizeof doc, "{\"v\":%s,\"w\":%zu,"
			    "\"o\":{\"p\":%s}}", values[i], i % 3, values[i]);
			create(id, doc);
		}
	create("none-1", "{}");
	create("none-2", "{\"w\":1}");
	create("gone", "{\"v\":1,\"w\":1}");
	delete("gone");
}

static void
note(struct clq_buf *out, const char *what, struct clq_query *q)
{
	clq_buf_printf(out, "%s: %s (%lld)\n", what, ids(q),
	    (long long)count(q));
}

/* The values of q's sort fields in o, as a token would hold them. */
static const cJSON *const *
place(const struct clq_query *q, const struct clq_object *o)
{
	const cJSON **after = clq_arena_calloc(fx.arena, q->nsorts,
	    sizeof *after);
	size_t i;

	for (i = 0; i < q->nsorts; i++)
		if (clq_str_is(q->sorts[i].field, "last_modified"))
			after[i] = clq_json_own(fx.arena,
			    clq_json_new_int(o->last_modified));
		else
			after[i] = clq_json_path(json(clq_arena_cstr(
			    fx.arena, o->data)), q->sorts[i].field);
	return after;
}

static void
note_walk(struct clq_buf *out, struct clq_query *q, size_t limit)
{
	struct clq_page page;
	size_t pages = 0;

	q->limit = limit;
	do {
		cr_assert_lt(pages++, 200, "the walk does not end");
		clq_buf_printf(out, "page: %s\n", ids(q));
		page = run(q);
		if (page.n > 0)
			q->after = place(q, &page.objects[page.n - 1]);
	} while (page.n == limit);
}

/* All that one field can be asked, as one text. */
static const char *
answers(const char *field)
{
	static const char *const lists[] = { "[]", "[1]", "[\"a\",\"A\"]",
	    "[null,\"null\",1,\"\",[],{},true]", "[\"nobody\",2]",
	    "[0,1,2,3,4,5,6,7,8,9,10,\"a\",\"b\"]" };
	static const char *const tails[] = { "-last_modified",
	    "last_modified", "w -last_modified" };
	struct clq_query *q;
	struct clq_buf out;
	size_t i, j;

	clq_buf_init(&out, fx.arena, 65536);
	for (i = 0; i < CLQ_COUNT(values); i++)
		for (j = 0; j < CLQ_COUNT(ops); j++) {
			q = query(NULL);
			filter(q, field, ops[j], values[i]);
			note(&out, values[i], q);
		}
	for (i = 0; i < CLQ_COUNT(lists); i++)
		for (j = 0; j < 2; j++) {
			q = query(NULL);
			filter(q, field, j == 0 ? CLQ_OP_IN : CLQ_OP_EXCLUDE,
			    lists[i]);
			note(&out, lists[i], q);
		}
	for (i = 0; i < 2 * CLQ_COUNT(tails); i++) {
		q = query(clq_arena_printf(fx.arena, "%s%s %s",
		    i % 2 == 0 ? "" : "-", field, tails[i / 2]).p);
		note(&out, "sorted", q);
		note_walk(&out, q, 7);
		q->after = NULL;
		filter(q, field, CLQ_OP_MIN, "\"a\"");
		filter(q, "w", CLQ_OP_EQ, "1");
		note_walk(&out, q, 3);
	}
	return clq_arena_cstr(fx.arena, clq_buf_str(&out));
}

/* Say the first line that differs. */
static void
expect_same(const char *without, const char *with)
{
	struct clq_str a = clq_str_of(without), b = clq_str_of(with), x, y;

	while (clq_str_next(&a, '\n', &x) && clq_str_next(&b, '\n', &y))
		cr_assert(clq_str_eq(x, y), "\nwithout: %.*s\nwith:    %.*s",
		    CLQ_FMT(x), CLQ_FMT(y));
	cr_expect_eq(strlen(without), strlen(with));
}

static void
compare(const char *field)
{
	const char *without;

	if (!offered())
		return;
	fill();
	without = answers(field);
	add_index(field);
	expect_same(without, answers(field));
	drop_index(field);
	expect_same(without, answers(field));
}

StorageTest(index, changes_no_result_of_a_plain_field)
{
	compare("v");
}

StorageTest(index, changes_no_result_of_a_nested_field)
{
	compare("o.p");
}

StorageTest(index, may_be_on_any_name)
{
	static const char *const fields[] = { "it's", "a\\b", "q\"q", "%s",
	    "é𝄞", "$1 ?", "--", "x.y.z" };
	struct clq_query *q;
	size_t i;

	if (!offered())
		return;
	for (i = 0; i < CLQ_COUNT(fields); i++) {
		add_index(fields[i]);
		create(clq_arena_printf(fx.arena, "r%zu", i).p,
		    clq_arena_printf(fx.arena, "{\"%s\":%zu}",
		    i == 1 ? "a\\\\b" : i == 2 ? "q\\\"q" : fields[i],
		    i).p);
	}
	for (i = 0; i < CLQ_COUNT(fields); i++) {
		q = query(clq_arena_printf(fx.arena, "-last_modified").p);
		filter(q, fields[i], CLQ_OP_EQ, clq_arena_printf(fx.arena,
		    "%zu", i).p);
		cr_expect_str_eq(ids(q), clq_arena_printf(fx.arena, "r%zu",
		    i).p, "%s", fields[i]);
	}
	for (i = 0; i < CLQ_COUNT(fields); i++)
		drop_index(fields[i]);
}

StorageTest(index, follows_every_change)
{
	struct clq_query *q = query("v -last_modified");

	if (!offered())
		return;
	add_index("v");
	filter(q, "v", CLQ_OP_MIN, "1");
	create("a", "{\"v\":3}");
	create("b", "{\"v\":1}");
	create("c", "{\"v\":2}");
	cr_expect_str_eq(ids(q), "b c a");
	update("a", "{\"v\":0}");
	delete("b");
	cr_expect_str_eq(ids(q), "c");
	create("b", "{\"v\":5}");
	cr_expect_str_eq(ids(q), "c b");
	cr_expect_eq(count(q), 2);
	drop_index("v");
}

StorageTest(index, belongs_to_one_list)
{
	const struct clq_coll other = { list.resource,
	    CLQ_STR("/buckets/b/collections/d") };
	struct clq_query *q = query("v -last_modified");

	if (!offered())
		return;
	add_index("v");
	create("a", "{\"v\":1}");
	put_at(&other, CLQ_WRITE_CREATE, "x", "{\"v\":1}", NO_TIME);
	filter(q, "v", CLQ_OP_EQ, "1");
	cr_expect_str_eq(ids(q), "a");
	q->coll = other;
	cr_expect_str_eq(ids(q), "x");
	q->coll.parent = CLQ_STR(CLQ_ANY_PARENT);
	cr_expect_eq(count(q), 2);
	drop_index("v");
}

StorageTest(index, serves_deletions_too)
{
	struct clq_query *q = query("v -last_modified");
	struct clq_deletions dead = { NULL, 0 };

	if (!offered())
		return;
	fill();
	add_index("v");
	filter(q, "v", CLQ_OP_GT, "1");
	filter(q, "v", CLQ_OP_LT, "false");
	tx_write();
	cr_assert_eq(storage()->delete_all(fx.self, fx.arena, q, &dead),
	    CLQ_OK);
	tx_commit();
	cr_expect_eq(dead.n, 8);
	cr_expect_eq(count(q), 0);
	q->include_deleted = true;
	cr_expect_str_eq(ids(q), "");
	drop_index("v");
}

StorageTest(index, is_listed_once_and_not_when_it_has_gone)
{
	struct clq_index *items = NULL;
	size_t n = 0;

	if (!offered())
		return;
	drop_index("v");
	add_index("v");
	add_index("v");
	cr_assert_eq(storage()->index_list(fx.self, fx.arena, &items, &n),
	    CLQ_OK);
	cr_assert_eq(n, 1);
	cr_expect(clq_str_eq(items[0].coll.parent, list.parent));
	cr_expect(clq_str_eq(items[0].coll.resource, list.resource));
	cr_expect(clq_str_is(items[0].field, "v"));
	cr_expect(items[0].ready);
	drop_index("v");
	drop_index("v");
	cr_assert_eq(storage()->index_list(fx.self, fx.arena, &items, &n),
	    CLQ_OK);
	cr_expect_eq(n, 0);
}
