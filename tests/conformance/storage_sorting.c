/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting, limits and walking through pages (section 04-6, 04-8). */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <stdio.h>

enum { MANY = 60 };

StorageTest(sort, puts_the_newest_first_by_default)
{
	create("a", "{}");
	create("b", "{}");
	create("c", "{}");
	update("a", "{}");
	cr_expect_str_eq(ids(query("-last_modified")), "a c b");
	cr_expect_str_eq(ids(query("last_modified")), "b c a");
}

StorageTest(sort, orders_all_types_with_missing_last)
{
	static const char *const docs[][2] = {
		{ "h", "{\"v\":true}" }, { "l", "{}" },
		{ "c", "{\"v\":\"a\"}" }, { "i", "{\"v\":[]}" },
		{ "e", "{\"v\":2}" }, { "a", "{\"v\":null}" },
		{ "k", "{\"v\":{}}" }, { "g", "{\"v\":false}" },
		{ "b", "{\"v\":\"A\"}" }, { "f", "{\"v\":10}" },
		{ "d", "{\"v\":-1}" }, { "j", "{\"v\":[1]}" },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(docs); i++)
		create(docs[i][0], docs[i][1]);
	cr_expect_str_eq(ids(query("v last_modified")),
	    "a b c d e f g h i j k l");
	cr_expect_str_eq(ids(query("-v last_modified")),
	    "l k j i h g f e d c b a");
}

StorageTest(sort, by_several_fields_breaks_ties_by_the_next)
{
	create("a", "{\"x\":1,\"y\":\"b\"}");
	create("b", "{\"x\":2,\"y\":\"b\"}");
	create("c", "{\"x\":1.0,\"y\":\"a\"}");
	create("d", "{\"x\":2}");
	create("e", "{\"x\":1,\"y\":\"b\"}");
	cr_expect_str_eq(ids(query("x y last_modified")), "c a e b d");
	cr_expect_str_eq(ids(query("x -y -last_modified")), "e a c d b");
	cr_expect_str_eq(ids(query("-x y -last_modified")), "b d c e a");
	cr_expect_str_eq(ids(query("y -x last_modified")), "c b a e d");
}

StorageTest(sort, by_nested_fields_and_by_id)
{
	create("b", "{\"x\":{\"y\":2}}");
	create("a", "{\"x\":{\"y\":3}}");
	create("c", "{\"x.y\":1}");
	cr_expect_str_eq(ids(query("x.y last_modified")), "c b a");
	cr_expect_str_eq(ids(query("id -last_modified")), "a b c");
	cr_expect_str_eq(ids(query("-id -last_modified")), "c b a");
}

StorageTest(sort, keeps_numbers_apart_that_a_double_cannot)
{
	create("c", "{\"n\":9007199254740993}");
	create("a", "{\"n\":-9007199254740993}");
	create("b", "{\"n\":9007199254740992}");
	create("d", "{\"n\":9007199254740993.5}");
	cr_expect_str_eq(ids(query("n last_modified")), "a b c d");
}

StorageTest(sort, takes_tombstones_along)
{
	struct clq_query *q = query("x last_modified");

	create("a", "{\"x\":1}");
	create("b", "{\"x\":2}");
	create("c", "{\"x\":3}");
	delete("b");
	q->include_deleted = true;
	cr_expect_str_eq(ids(q), "a c !b");
	q = query("deleted last_modified");
	q->include_deleted = true;
	cr_expect_str_eq(ids(q), "!b a c");
}

StorageTest(limit, cuts_and_zero_does_not)
{
	struct clq_query *q = query("id last_modified");

	create("a", "{}");
	create("b", "{}");
	create("c", "{}");
	q->limit = 2;
	cr_expect_str_eq(ids(q), "a b");
	cr_expect_eq(count(q), 3, "a count has no limit");
	q->limit = 0;
	cr_expect_str_eq(ids(q), "a b c");
	q->limit = 100;
	cr_expect_str_eq(ids(q), "a b c");
}

/* ---- walks ------------------------------------------------------------ */

/* The value of a sort field in an object, as a token would hold it. */
static const cJSON *
value_of(const struct clq_object *o, struct clq_str field)
{
	if (clq_str_is(field, "id"))
		return clq_json_own(fx.arena, clq_json_new_str(o->id));
	if (clq_str_is(field, "last_modified"))
		return clq_json_own(fx.arena,
		    clq_json_new_int(o->last_modified));
	return clq_json_path(json(o->deleted ? "{\"deleted\":true}" :
	    clq_arena_cstr(fx.arena, o->data)), field);
}

/* Walk through q page by page; the ids as ids() gives them. */
static const char *
walk(struct clq_query *q, size_t limit)
{
	const cJSON **after;
	struct clq_page page;
	struct clq_buf b;
	size_t i, pages = 0;

	clq_buf_init(&b, fx.arena, 0);
	q->limit = limit;
	q->after = NULL;
	do {
		page = run(q);
		cr_assert_leq(page.n, limit);
		cr_assert_lt(pages++, 1000, "the walk does not end");
		for (i = 0; i < page.n; i++)
			clq_buf_printf(&b, "%s%s%.*s", b.len > 0 ? " " : "",
			    page.objects[i].deleted ? "!" : "",
			    CLQ_FMT(page.objects[i].id));
		after = clq_arena_calloc(fx.arena, q->nsorts, sizeof *after);
		for (i = 0; i < q->nsorts && page.n > 0; i++)
			after[i] = value_of(&page.objects[page.n - 1],
			    q->sorts[i].field);
		q->after = after;
	} while (page.n == limit);
	q->after = NULL;
	q->limit = 0;
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

/* Objects of which many share values, of all types. */
static void
make_many(void)
{
	static const char *const values[] = { "null", "\"a\"", "\"b\"", "1",
	    "2", "true", "[1]", "[2]", "{\"k\":1}", "9007199254740993",
	    "9007199254740992" };
	char id[16], text[128];
	int i;

	tx_write();
	for (i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "r%02d", i * 37 % MANY);
		if (i % 7 == 0)
			snprintf(text, sizeof text, "{\"n\":%d}", i % 5);
		else
			snprintf(text, sizeof text, "{\"v\":%s,\"n\":%d}",
			    values[i % (int)CLQ_COUNT(values)], i % 5);
		cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, id, text,
		    NO_TIME), 0);
	}
	tx_commit();
}

StorageTest(walk, returns_every_object_once_and_in_order)
{
	static const char *const sorts[] = { "-last_modified",
	    "last_modified", "id", "-id", "v -last_modified",
	    "-v last_modified", "n v last_modified", "-n v -last_modified",
	    "v -n id", "n -v n last_modified", "missing -last_modified",
	    "-missing v last_modified", "v.k -last_modified" };
	static const size_t limits[] = { 1, 2, 7, MANY - 1, MANY, MANY + 1 };
	struct clq_query *q;
	const char *whole;
	size_t i, j;

	make_many();
	for (i = 0; i < CLQ_COUNT(sorts); i++) {
		q = query(sorts[i]);
		whole = ids(q);
		cr_assert_eq(strlen(whole), MANY * 4 - 1);
		for (j = 0; j < CLQ_COUNT(limits); j++)
			cr_expect_str_eq(walk(q, limits[j]), whole,
			    "sort %s, pages of %zu", sorts[i], limits[j]);
	}
}

StorageTest(walk, respects_filters_and_tombstones)
{
	struct clq_query *q;
	const char *whole;
	char id[16];
	int i;

	make_many();
	for (i = 0; i < MANY; i += 3) {
		snprintf(id, sizeof id, "r%02d", i);
		delete(id);
	}
	q = query("-v n last_modified");
	filter(q, "n", CLQ_OP_NOT, "3");
	filter(q, "last_modified", CLQ_OP_GT, "0");
	whole = ids(q);
	cr_expect_str_eq(walk(q, 4), whole);
	q->include_deleted = true;
	whole = ids(q);
	cr_expect_not_null(strchr(whole, '!'));
	cr_expect_str_eq(walk(q, 4), whole);
	q = query("-last_modified");
	q->include_deleted = true;
	whole = ids(q);
	cr_expect_str_eq(walk(q, 7), whole);
}

StorageTest(walk, is_not_disturbed_by_what_comes_before_the_cursor)
{
	const cJSON *after[1];
	struct clq_query *q = query("-last_modified");
	struct clq_page page;

	create("a", "{}");
	create("b", "{}");
	create("c", "{}");
	q->limit = 1;
	page = run(q);
	after[0] = value_of(&page.objects[0], CLQ_STR("last_modified"));
	create("d", "{}");
	q->after = after;
	q->limit = 10;
	cr_expect_str_eq(ids(q), "b a");
}

StorageTest(walk, accepts_a_cursor_of_any_kind)
{
	static const char *const values[] = { "null", "\"x\"", "1.5", "true",
	    "[]", "{}", "-1", "99999999999999999999" };
	const cJSON *after[2];
	struct clq_query *q;
	size_t i;

	create("a", "{\"v\":1}");
	for (i = 0; i <= CLQ_COUNT(values); i++) {
		after[0] = after[1] = i < CLQ_COUNT(values) ?
		    json(values[i]) : NULL;
		q = query("v -last_modified");
		q->after = after;
		cr_expect_leq(run(q).n, 1);
		q = query("-last_modified");
		q->after = after;
		cr_expect_leq(run(q).n, 1);
		q = query("id last_modified");
		q->after = after;
		cr_expect_leq(run(q).n, 1);
	}
}

StorageTest(page, may_have_ten_thousand_objects)
{
	enum { N = 10000, BLOCK = 500 };
	struct clq_write *w = clq_arena_calloc(fx.arena, N, sizeof *w);
	struct clq_page page;
	size_t i;

	tx_write();
	for (i = 0; i < N; i++) {
		w[i].op = CLQ_WRITE_CREATE;
		w[i].coll = list;
		w[i].id = clq_arena_printf(fx.arena, "r%05zu", i);
		w[i].data = clq_arena_printf(fx.arena, "{\"n\":%zu}", i);
	}
	for (i = 0; i < N; i += BLOCK)
		cr_assert_eq(storage()->write(fx.self, w + i, BLOCK), CLQ_OK);
	cr_assert_eq(storage()->sync(fx.self), CLQ_OK);
	tx_commit();
	page = run(query("-last_modified"));
	cr_assert_eq(page.n, N);
	for (i = 1; i < N; i++)
		cr_assert_gt(page.objects[i - 1].last_modified,
		    page.objects[i].last_modified);
	cr_expect(clq_str_is(page.objects[0].id, "r09999"));
	cr_expect_eq(count(query(NULL)), N);
	page = run(query("-n last_modified"));
	cr_assert_eq(page.n, N);
	cr_expect(clq_str_is(page.objects[0].id, "r09999"));
	cr_expect(clq_str_is(page.objects[N - 1].id, "r00000"));
}
