/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks of lists on SQLite, which a transaction keeps until it ends: what
 * is stored then, whatever was undone on the way, and that a batch costs one
 * write of it.
 */
#include "sqlite_fixture.h"

static const struct clq_coll one = { { "record", 6 }, { "/b/1", 4 } };
static const struct clq_coll two = { { "record", 6 }, { "/b/2", 4 } };
static int number;

static void
setup(void)
{
	begin();
	cr_assert_eq(clq_settings_parse("test.ini", CLQ_STR("[app:main]\n"),
	    &settings), CLQ_OK);
	cr_assert_eq(sq_new(settings, path, &q), CLQ_OK);
	cr_assert_eq(sq_open(q), CLQ_OK);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
}

#define ClockTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = end, .timeout = 60)

static clq_msec
add(const struct clq_coll *coll)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = *coll,
	    .id = clq_arena_printf(arena, "r%d", number++),
	    .data = CLQ_STR("{}") };

	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	cr_assert_eq(w.status, CLQ_OK);
	return w.last_modified;
}

static clq_msec
shown(const struct clq_coll *coll)
{
	clq_msec t = 0;

	cr_assert_eq(sq_timestamp(q, coll, &t), CLQ_OK);
	return t;
}

/* What is stored after the end of the transaction; 0: nothing. */
static clq_msec
stored(const struct clq_coll *coll)
{
	clq_msec t = 0;

	if (q->begun)
		cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	if (sq_timestamp(q, coll, &t) != CLQ_OK)
		t = 0;
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	return t;
}

ClockTest(clock, is_stored_at_the_end)
{
	clq_msec a, b;

	a = add(&one);
	cr_expect_eq(shown(&one), a);
	b = add(&two);
	cr_expect_eq(shown(&one), a);
	cr_expect_eq(shown(&two), b);
	a = add(&one);
	cr_expect_eq(stored(&one), a);
	cr_expect_eq(stored(&two), b);
}

ClockTest(clock, of_all_lists_is_the_latest)
{
	const struct clq_coll any = { one.resource, CLQ_STR(CLQ_ANY_PARENT) };
	clq_msec a = add(&one), b = 0;

	for (int i = 0; i < 100; i++)
		b = add(&two);
	cr_expect_gt(b, a);
	cr_expect_eq(shown(&any), b);
	cr_expect_eq(stored(&any), b);
}

/* The list changes before, after and between the marks. */
ClockTest(clock, goes_back_to_the_mark)
{
	clq_msec a = add(&one), b;

	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	add(&one);
	add(&two);
	add(&one);
	cr_assert_eq(sq_rollback(q), CLQ_OK);
	cr_expect_eq(shown(&one), a);
	b = add(&two);
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	add(&two);
	cr_assert_eq(sq_rollback(q), CLQ_OK);
	cr_expect_eq(shown(&two), b);
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	a = add(&one);
	cr_assert_eq(sq_release(q), CLQ_OK);
	cr_expect_eq(stored(&one), a);
	cr_expect_eq(stored(&two), b);
}

ClockTest(clock, of_what_was_undone_is_as_before)
{
	clq_msec a = stored(&one);

	cr_expect_eq(a, 0);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	add(&one);
	cr_assert_eq(sq_finish(q, false), CLQ_OK);
	cr_expect_eq(stored(&one), 0);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	add(&one);
	cr_assert_eq(sq_rollback(q), CLQ_OK);
	cr_expect_eq(stored(&one), 0);
}

ClockTest(clock, is_forgotten_with_its_list)
{
	clq_msec b;

	add(&one);
	b = add(&two);
	cr_assert_eq(sq_erase(q, one.resource, one.parent), CLQ_OK);
	cr_expect_eq(stored(&one), 0);
	cr_expect_eq(stored(&two), b);
}

ClockTest(clock, stands_still_when_nothing_is_created)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = one,
	    .id = CLQ_STR("same"), .data = CLQ_STR("{}") };
	clq_msec t;

	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	t = stored(&one);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	cr_expect_eq(w.status, CLQ_CONFLICT);
	cr_expect_eq(shown(&one), t);
	cr_expect_eq(stored(&one), t);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	w.op = CLQ_WRITE_DELETE;
	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	w.op = CLQ_WRITE_CREATE;
	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	cr_expect_eq(w.status, CLQ_OK, "a tombstone is in nobody's way");
	cr_expect_geq(w.last_modified, t + 2);
	cr_expect_eq(stored(&one), w.last_modified);
}

ClockTest(clock, costs_a_batch_one_write)
{
	int i, n = 0;

	add(&one);
	sqlite3_trace_v2(q->db, SQLITE_TRACE_STMT, count_statement, &n);
	for (i = 0; i < 25; i++)
		add(&one);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	sqlite3_trace_v2(q->db, 0, NULL, NULL);
	cr_expect_eq(n, 25 + 2, "%d", n);	/* the clock, COMMIT */
}
