/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared indexes on PostgreSQL: that the planner takes them, seen in the
 * server's own counters, which tell for the statements as they are sent how
 * many entries of an index were read.
 */
#include "tests/conformance/postgresql.h"

#include <cliquet/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { OBJECTS = 20000 };

static void
fill(void)
{
	char text[512];

	snprintf(text, sizeof text, "INSERT INTO objects (id, parent_id,"
	    " resource_name, last_modified, data, deleted) SELECT 'r' || i,"
	    " '%s', 'record', from_epoch(1700000000000 + i),"
	    " jsonb_build_object('v', i, 's', 'text ' || i %% 1000),"
	    " FALSE FROM generate_series(1, %d) AS i",
	    clq_arena_cstr(fx.arena, list.parent), (int)OBJECTS);
	sql("clq", text);
	sql("clq", "ANALYZE objects");
}

static const cJSON *
json(const char *text)
{
	struct clq_str why;
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(fx.arena, clq_str_of(text), &tree, &why),
	    CLQ_OK);
	return tree;
}

/* Entries read from declared indexes and those that a test makes by hand, by
 * sessions that have ended. */
static long
entries_read(void)
{
	return strtol(sql("clq", "SELECT coalesce(sum(idx_tup_read), 0)"
	    " FROM pg_stat_user_indexes"
	    " WHERE indexrelname LIKE 'idx_cliquet_field_%'"
	    " OR indexrelname LIKE 'idx_own%'"), NULL, 10);
}

/*
 * Run q a few times on a new session; the entries read each time. Ten times,
 * so that plans for unknown values have been made too.
 */
static long
cost(const struct clq_query *q, size_t n)
{
	const struct timespec pause = { 0, 20000000 };
	long before = entries_read(), after = 0;
	pid_t session;
	struct clq_page page;
	int i;

	for (i = 0; i < 10; i++) {
		cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
		cr_assert_eq(fx.plugin->storage->list(fx.self, fx.arena, q,
		    &page), CLQ_OK);
		cr_assert_eq(finish(true), CLQ_OK);
		cr_assert_eq(page.n, n, "%zu objects, not %zu", page.n, n);
	}
	session = server_process();
	use("clq", "");
	await_end(session);	/* it tells all that it did when it ends */
	for (i = 0; i < 100; i++) {
		nanosleep(&pause, NULL);
		after = entries_read();
		if (after > before)
			break;
	}
	return (after - before) / 10;
}

static void
expect_cost(const struct clq_query *q, size_t n, long at_most)
{
	long entries = cost(q, n);

	cr_expect_geq(entries, (long)n, "not always used: %ld", entries);
	cr_expect_leq(entries, at_most, "%ld entries for %zu objects",
	    entries, n);
}

static void
change(clq_storage_index_f *fn, const char *field)
{
	cr_assert_eq(fn(fx.self, &list, clq_str_of(field)), CLQ_OK);
}

PgTest(index, serves_equality_in_the_default_order)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_filter f = { CLQ_STR("s"), CLQ_OP_EQ, NULL };
	struct clq_query q = { .coll = list, .filters = &f, .nfilters = 1,
	    .sorts = &newest, .nsorts = 1, .limit = 5 };

	fill();
	change(fx.plugin->storage->index_add, "s");
	f.value = json("\"text 77\"");
	expect_cost(&q, 5, 20);
	f.op = CLQ_OP_IN;
	f.value = json("[\"text 77\",\"text 78\"]");
	expect_cost(&q, 5, 60);
	f.value = json("[\"text 77\",\"text 78\",1,null]");
	expect_cost(&q, 5, 60);
	f.op = CLQ_OP_GT;
	f.value = json("\"text 998\"");
	expect_cost(&q, 5, 60);
	change(fx.plugin->storage->index_drop, "s");
}

PgTest(index, serves_ranges_orders_and_tokens)
{
	struct clq_sort sorts[] = { { CLQ_STR("v"), false },
	    { CLQ_STR("last_modified"), true } };
	struct clq_filter f = { CLQ_STR("v"), CLQ_OP_GT, NULL };
	struct clq_query q = { .coll = list, .sorts = sorts, .nsorts = 2,
	    .limit = 10 };
	const cJSON *after[2];

	fill();
	change(fx.plugin->storage->index_add, "v");
	expect_cost(&q, 10, 15);
	after[0] = json("15000");
	after[1] = json("1700000015000");
	q.after = after;
	expect_cost(&q, 10, 15);
	sorts[0].descending = true;
	after[0] = json("15000");	/* the old one went with its session */
	after[1] = json("1700000015000");
	expect_cost(&q, 10, 60);
	q.after = NULL;
	q.filters = &f;
	q.nfilters = 1;
	f.value = json("19997");
	expect_cost(&q, 3, 10);
	q.sorts = sorts + 1;
	q.nsorts = 1;
	f.value = json("19997");
	expect_cost(&q, 3, 10);
	change(fx.plugin->storage->index_drop, "v");
}

/* Made by another session, it is found by the next that connects. */
PgTest(index, that_was_interrupted_is_made_anew)
{
	struct clq_index *items = NULL;
	size_t n = 0;

	fill();
	change(fx.plugin->storage->index_add, "v");
	sql("clq", "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid ="
	    " (SELECT oid FROM pg_class"
	    " WHERE relname LIKE 'idx_cliquet_field_%')");
	cr_assert_eq(fx.plugin->storage->index_list(fx.self, fx.arena,
	    &items, &n), CLQ_OK);
	cr_assert_eq(n, 1);
	cr_expect(!items[0].ready);
	change(fx.plugin->storage->index_add, "v");
	cr_assert_eq(fx.plugin->storage->index_list(fx.self, fx.arena,
	    &items, &n), CLQ_OK);
	cr_assert_eq(n, 1);
	cr_expect(items[0].ready);
	cr_expect_gt(items[0].bytes, 100000);
	change(fx.plugin->storage->index_drop, "v");
}

PgTest(index, of_more_than_three_names_is_refused)
{
	cr_expect_eq(fx.plugin->storage->index_add(fx.self, &list,
	    CLQ_STR("a.b.c.d")), CLQ_INVALID);
}

/* Equality is said so that the indexes which docs/postgresql.md shows serve
 * it, whichever there is. */
PgTest(index, made_by_an_operator_serves_equality)
{
	static const char *const made[] = {
		"CREATE INDEX idx_own ON objects ((data->'s'))"
		" WHERE resource_name = 'record' AND NOT deleted",
		"CREATE INDEX idx_own ON objects USING gin"
		" (data jsonb_path_ops)"
		" WHERE resource_name = 'record' AND NOT deleted",
	};
	struct clq_filter f = { CLQ_STR("s"), CLQ_OP_EQ, NULL };
	struct clq_sort sort = { CLQ_STR("v"), false };
	struct clq_query q = { .coll = list, .filters = &f, .nfilters = 1,
	    .sorts = &sort, .nsorts = 1, .limit = 100 };
	size_t i;

	fill();
	for (i = 0; i < CLQ_COUNT(made); i++) {
		sql("clq", made[i]);
		sql("clq", "ANALYZE objects");
		use("clq", "");		/* a session that looks for it */
		f.value = json("\"text 77\"");
		expect_cost(&q, 20, 60);
		sql("clq", "DROP INDEX idx_own");
	}
}
