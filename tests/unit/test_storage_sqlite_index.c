/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared indexes on SQLite: that queries use them, and when not. That they
 * change no result is the conformance suite's business.
 */
#include "sqlite_fixture.h"

static void
setup(void)
{
	begin();
	cr_assert_eq(clq_settings_parse("test.ini", CLQ_STR("[app:main]\n"),
	    &settings), CLQ_OK);
	q = another();
}

#define IndexTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = end, .timeout = 60)

/* n objects: v counts them, k is one of four. */
static void
fill(struct sq_db *db, int n)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = list };
	int i;

	cr_assert_eq(sq_begin(db, CLQ_TX_WRITE), CLQ_OK);
	for (i = 0; i < n; i++) {
		w.id = clq_arena_printf(arena, "r%d", i);
		w.data = clq_arena_printf(arena, "{\"v\":%d,\"k\":\"k%d\"}",
		    i, i % 4);
		cr_assert_eq(sq_write(db, &w, 1), CLQ_OK);
		cr_assert_eq(w.status, CLQ_OK);
	}
	cr_assert_eq(sq_finish(db, true), CLQ_OK);
}

static const char *
plan_of(const struct clq_query *query, const char *head)
{
	struct sq_sql b;
	const char *plan;

	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(sq_start(q, false), CLQ_OK);
	cr_assert_eq(sq_index_learn(q), CLQ_OK);
	sq_sql_query_by(&b, q, arena, head, query, query->include_deleted);
	if (strstr(head, "count") == NULL) {
		sq_sql_after(&b, query);
		sq_sql_order(&b);
	}
	plan = explain(clq_buf_str(&b.text));
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	return plan;
}

static void
expect_plan(const struct clq_query *query, const char *head,
    const char *part)
{
	const char *plan = plan_of(query, head);

	cr_expect_not_null(strstr(plan, "declared_"), "%s", plan);
	cr_expect_not_null(strstr(plan, part), "%s: %s", part, plan);
	cr_expect_null(strstr(plan, "TEMP B-TREE"), "%s", plan);
}

IndexTest(plan, of_equality_delivers_the_default_order)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_filter f = { CLQ_STR("v"), CLQ_OP_EQ, json("5") };
	struct clq_query query = { .coll = list, .filters = &f,
	    .nfilters = 1, .sorts = &newest, .nsorts = 1 };
	const cJSON *after[] = { json("77") };

	cr_assert_null(strstr(plan_of(&query, PAGE), "declared_"));
	cr_assert_eq(sq_index_add(q, &list, CLQ_STR("v")), CLQ_OK);
	expect_plan(&query, PAGE, "(<expr>=?)");
	query.after = after;
	expect_plan(&query, PAGE, "(<expr>=? AND last_modified<?)");
	query.after = NULL;
	expect_plan(&query, "SELECT count(*)", "(<expr>=?)");
	f.op = CLQ_OP_IN;
	f.value = json("[1,\"a\",null]");
	expect_plan(&query, "SELECT count(*)", "(<expr>=?)");
	f.op = CLQ_OP_GT;
	expect_plan(&query, "SELECT count(*)", "(<expr>>?)");
	cr_assert_eq(sq_index_drop(q, &list, CLQ_STR("v")), CLQ_OK);
	cr_assert_null(strstr(plan_of(&query, PAGE), "declared_"));
}

IndexTest(plan, of_a_sort_is_a_walk_that_a_token_enters)
{
	struct clq_sort sorts[] = { { CLQ_STR("v"), false },
	    { CLQ_STR("last_modified"), true } };
	const cJSON *after[] = { json("\"x\""), json("77") };
	struct clq_query query = { .coll = list, .sorts = sorts,
	    .nsorts = 2 };
	const char *plan;

	cr_assert_eq(sq_index_add(q, &list, CLQ_STR("v")), CLQ_OK);
	expect_plan(&query, PAGE, "USING INDEX declared_");
	query.after = after;
	expect_plan(&query, PAGE, "(<expr>>?)");
	sorts[0].descending = true;	/* ties only are sorted */
	plan = plan_of(&query, PAGE);
	cr_expect_not_null(strstr(plan, "(<expr><?)"), "%s", plan);
	cr_expect_not_null(strstr(plan, "RIGHT PART OF ORDER BY"), "%s",
	    plan);
	query.include_deleted = true;
	cr_expect_null(strstr(plan_of(&query, PAGE), "declared_"));
	query.include_deleted = false;
	query.coll.parent = CLQ_STR("/b/other");
	cr_expect_null(strstr(plan_of(&query, PAGE), "declared_"));
}

/* Steps of SQLite's machine that a page takes. */
static int64_t
steps_of_page(const struct clq_query *query, size_t n)
{
	struct clq_page page;
	int64_t sum = 0;
	int round;

	for (round = 0; round < 2; round++) {	/* the first prepares */
		cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
		cr_assert_eq(sq_list(q, arena, query, &page), CLQ_OK);
		cr_assert_eq(sq_finish(q, true), CLQ_OK);
		cr_expect_eq(page.n, n);
		sum = steps();
	}
	return sum;
}

IndexTest(page, costs_what_it_returns)
{
	struct clq_sort sorts[] = { { CLQ_STR("v"), false },
	    { CLQ_STR("last_modified"), true } };
	struct clq_filter f = { CLQ_STR("v"), CLQ_OP_EQ, json("5") };
	struct clq_query sorted = { .coll = list, .sorts = sorts,
	    .nsorts = 2, .limit = 10 };
	struct clq_query equal = { .coll = list, .sorts = sorts + 1,
	    .nsorts = 1, .filters = &f, .nfilters = 1, .limit = 10 };

	fill(q, 3000);
	cr_expect_gt(steps_of_page(&sorted, 10), 9000);
	cr_expect_gt(steps_of_page(&equal, 1), 9000);
	cr_assert_eq(sq_index_add(q, &list, CLQ_STR("v")), CLQ_OK);
	cr_expect_lt(steps_of_page(&sorted, 10), 400);
	cr_expect_lt(steps_of_page(&equal, 1), 200);
}

/* Half of all objects are more than one sorts for a page. */
IndexTest(page, of_a_wide_range_is_read_in_the_default_order)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_filter f = { CLQ_STR("v"), CLQ_OP_MIN, json("10000") };
	struct clq_query query = { .coll = list, .sorts = &newest,
	    .nsorts = 1, .filters = &f, .nfilters = 1, .limit = 10 };

	fill(q, 21000);
	cr_assert_eq(sq_index_add(q, &list, CLQ_STR("v")), CLQ_OK);
	cr_expect_lt(steps_of_page(&query, 10), 120000, "sorted");
	f.value = json("20990");
	cr_expect_lt(steps_of_page(&query, 10), 1500, "scanned");
}

/* Another connection makes and removes an index between two pages. */
IndexTest(index, of_another_process_is_seen_at_once)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_filter f = { CLQ_STR("v"), CLQ_OP_EQ, json("5") };
	struct clq_query query = { .coll = list, .sorts = &newest,
	    .nsorts = 1, .filters = &f, .nfilters = 1, .limit = 10 };
	struct sq_db *other = another();

	fill(q, 100);
	(void)steps_of_page(&query, 1);
	cr_assert_eq(sq_index_add(other, &list, CLQ_STR("v")), CLQ_OK);
	cr_expect_lt(steps_of_page(&query, 1), 200);
	fill(other, 0);
	cr_assert_eq(sq_index_drop(other, &list, CLQ_STR("v")), CLQ_OK);
	cr_expect_gt(steps_of_page(&query, 1), 300);
	sq_close(other);
}
