/* SPDX-License-Identifier: Apache-2.0 */
/* What concerns many objects: deleting, erasing, purging, trimming. */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <stdio.h>

static const struct clq_str any = { NULL, 0 };

static struct clq_deletions
delete_all(const struct clq_query *q)
{
	struct clq_deletions d = { 0 };

	tx_write();
	cr_assert_eq(storage()->delete_all(fx.self, fx.arena, q, &d), CLQ_OK);
	cr_assert_eq(storage()->sync(fx.self), CLQ_OK);
	tx_commit();
	return d;
}

static void
erase(struct clq_str resource, const char *parent)
{
	tx_write();
	cr_assert_eq(storage()->erase(fx.self, resource, clq_str_of(parent)),
	    CLQ_OK);
	tx_commit();
}

static int64_t
purge(struct clq_str resource, clq_msec before, int64_t max_retained)
{
	int64_t removed = -1;

	tx_write();
	cr_assert_eq(storage()->purge(fx.self, resource, before,
	    max_retained, &removed), CLQ_OK);
	tx_commit();
	return removed;
}

static int64_t
trim(const struct clq_query *q, size_t keep)
{
	int64_t removed = -1;

	tx_write();
	cr_assert_eq(storage()->trim(fx.self, q, keep, &removed), CLQ_OK);
	tx_commit();
	return removed;
}

static const char *
everything(void)
{
	struct clq_query *q = query("id last_modified");

	q->include_deleted = true;
	return ids(q);
}

static void
make_five(void)
{
	create("a", "{\"n\":1}");
	create("b", "{\"n\":2}");
	create("c", "{\"n\":1}");
	create("d", "{\"n\":2}");
	create("e", "{\"n\":1}");
}

/* ---- delete_all ------------------------------------------------------- */

StorageTest(delete_all, buries_what_matches_and_returns_it)
{
	struct clq_query *q = query("-id");
	struct clq_deletions d;
	clq_msec before, t;

	make_five();
	t = get("c")->last_modified;
	before = timestamp_of(&list);
	filter(q, "n", CLQ_OP_EQ, "1");
	d = delete_all(q);
	cr_assert_eq(d.n, 3);
	cr_expect(clq_str_is(d.items[0].old.id, "e"));
	cr_expect(clq_str_is(d.items[1].old.id, "c"));
	cr_expect(clq_str_is(d.items[2].old.id, "a"));
	cr_expect_eq(d.items[1].old.last_modified, t);
	cr_expect(same_json(d.items[1].old.data, "{\"n\":1}"));
	cr_expect(!d.items[1].old.deleted);
	cr_expect_gt(d.items[0].last_modified, before);
	cr_expect_str_eq(everything(), "!a b !c d !e");
}

StorageTest(delete_all, gives_each_tombstone_its_timestamp)
{
	struct clq_query *q = query("-last_modified");
	struct clq_deletions d;
	struct clq_page page;
	clq_msec highest = 0;
	size_t i, j;

	make_five();
	d = delete_all(query("id last_modified"));
	cr_assert_eq(d.n, 5);
	q->include_deleted = true;
	page = run(q);
	cr_assert_eq(page.n, 5);
	for (i = 0; i < 5; i++) {
		if (d.items[i].last_modified > highest)
			highest = d.items[i].last_modified;
		for (j = 0; j < 5; j++) {
			if (clq_str_eq(page.objects[j].id, d.items[i].old.id))
				cr_expect_eq(page.objects[j].last_modified,
				    d.items[i].last_modified);
			cr_expect(i == j || d.items[i].last_modified !=
			    d.items[j].last_modified);
		}
	}
	cr_expect_eq(timestamp_of(&list), highest);
}

StorageTest(delete_all, takes_limit_and_cursor)
{
	struct clq_query *q = query("id");
	const cJSON *after[] = { json("\"b\"") };

	make_five();
	q->limit = 2;
	cr_expect_eq(delete_all(q).n, 2);
	cr_expect_str_eq(everything(), "!a !b c d e");
	q->after = after;
	q->limit = 1;
	cr_expect_eq(delete_all(q).n, 1);
	cr_expect_str_eq(everything(), "!a !b !c d e");
}

StorageTest(delete_all, never_deletes_tombstones_again)
{
	struct clq_query *q = query("id last_modified");
	clq_msec t;

	make_five();
	t = delete("a");
	q->include_deleted = true;
	filter(q, "last_modified", CLQ_OP_MAX, "9000000000000000");
	cr_expect_eq(delete_all(q).n, 4);
	cr_expect_eq(delete_all(q).n, 0);
	q = query("last_modified");
	q->include_deleted = true;
	cr_expect_eq(run(q).objects[0].last_modified, t);
}

StorageTest(delete_all, of_nothing_changes_nothing)
{
	struct clq_query *q = query("id last_modified");
	struct clq_strs none = { 0 };
	clq_msec t;

	make_five();
	t = timestamp_of(&list);
	filter(q, "n", CLQ_OP_EQ, "9");
	cr_expect_eq(delete_all(q).n, 0);
	q = query("id last_modified");
	q->only_ids = &none;
	cr_expect_eq(delete_all(q).n, 0);
	cr_expect_eq(timestamp_of(&list), t);
	cr_expect_str_eq(everything(), "a b c d e");
}

/* ---- erase ------------------------------------------------------------ */

static const char *const parents[] = { "", "/buckets/b", "/buckets/bb",
    "/buckets/b/collections/c", "/buckets/b/collections/c%",
    "/buckets/b_", "/buckets/b-", "/buckets/b0", "/buckets/B",
    "/buckets/xb/collections/c", "/buckets/b%/collections/c" };

/* An object in each of the parents, of two resources; one deleted. */
static void
make_parents(void)
{
	static const struct clq_str resources[] = { { "group", 5 },
	    { "record", 6 } };
	struct clq_coll coll;
	size_t i, j;

	for (i = 0; i < CLQ_COUNT(parents); i++)
		for (j = 0; j < 2; j++) {
			coll.resource = resources[j];
			coll.parent = clq_str_of(parents[i]);
			cr_assert_gt(put_at(&coll, CLQ_WRITE_CREATE, "x",
			    "{}", NO_TIME), 0);
			cr_assert_gt(put_at(&coll, CLQ_WRITE_CREATE, "y",
			    "{}", NO_TIME), 0);
			cr_assert_gt(put_at(&coll, CLQ_WRITE_DELETE, "y",
			    NULL, NO_TIME), 0);
		}
}

/* The parents that hold something of a resource, by their indexes. */
static const char *
parents_left(const char *resource)
{
	struct clq_query *q = query("id last_modified");
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, fx.arena, 0);
	q->include_deleted = true;
	q->coll.resource = clq_str_of(resource);
	for (i = 0; i < CLQ_COUNT(parents); i++) {
		q->coll.parent = clq_str_of(parents[i]);
		if (run(q).n > 0)
			clq_buf_printf(&b, "%zu ", i);
	}
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

StorageTest(erase, takes_what_is_below_a_parent_and_nothing_beside)
{
	make_parents();
	erase(any, "/buckets/b");
	cr_expect_str_eq(parents_left("record"), "0 2 5 6 7 8 9 10 ");
	cr_expect_str_eq(parents_left("group"), "0 2 5 6 7 8 9 10 ");
}

StorageTest(erase, takes_percent_and_underscore_as_they_are)
{
	make_parents();
	erase(any, "/buckets/b%");
	erase(any, "/buckets/b_");
	cr_expect_str_eq(parents_left("record"), "0 1 2 3 4 6 7 8 9 ");
	erase(any, "/buckets/b/collections/c%");
	cr_expect_str_eq(parents_left("record"), "0 1 2 3 6 7 8 9 ");
}

StorageTest(erase, can_be_limited_to_a_resource)
{
	make_parents();
	erase(CLQ_STR("record"), "/buckets/b");
	cr_expect_str_eq(parents_left("record"), "0 2 5 6 7 8 9 10 ");
	cr_expect_str_eq(parents_left("group"), "0 1 2 3 4 5 6 7 8 9 10 ");
}

StorageTest(erase, forgets_the_clock)
{
	clq_msec future = create("a", "{}") + 1000000, t;

	put_at(&list, CLQ_WRITE_CREATE, "b", "{}", future);
	erase(any, "/buckets/b");
	t = timestamp_of(&list);
	cr_expect_lt(t, future, "the list starts afresh");
	cr_expect_geq(create("a", "{}"), t);
	cr_expect_str_eq(everything(), "a");
}

/* ---- purge ------------------------------------------------------------ */

StorageTest(purge, removes_tombstones_and_keeps_the_living)
{
	make_five();
	delete("a");
	delete("d");
	cr_expect_eq(purge(any, 0, -1), 2);
	cr_expect_str_eq(everything(), "b c e");
	cr_expect_eq(purge(any, 0, -1), 0);
}

StorageTest(purge, without_bound_never_turns_a_clock_back)
{
	clq_msec t;

	make_five();
	put_at(&list, CLQ_WRITE_UPDATE, "b", "{}",
	    timestamp_of(&list) + 100000);
	t = get("b")->last_modified;
	delete("a");
	purge(any, 0, -1);
	cr_expect_gt(create("f", "{}"), t);
}

StorageTest(purge, before_a_time_keeps_later_ones)
{
	clq_msec t;

	make_five();
	delete("a");
	t = delete("b");
	delete("c");
	cr_expect_eq(purge(any, t, -1), 1);
	cr_expect_str_eq(everything(), "!b !c d e");
	cr_expect_eq(purge(any, t + 1, -1), 1);
	cr_expect_str_eq(everything(), "!c d e");
}

StorageTest(purge, with_a_bound_leaves_the_clock)
{
	clq_msec t;

	make_five();
	t = delete("a");
	cr_expect_eq(purge(any, t + 1, -1), 1);
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(purge, retains_the_newest_of_each_list)
{
	const struct clq_coll other = { list.resource, CLQ_STR("/other") };

	make_five();
	put_at(&other, CLQ_WRITE_CREATE, "x", "{}", NO_TIME);
	put_at(&other, CLQ_WRITE_DELETE, "x", NULL, NO_TIME);
	delete("c");
	delete("a");
	delete("b");
	cr_expect_eq(purge(any, 0, 2), 1);
	cr_expect_str_eq(everything(), "!a !b d e");
	cr_expect_eq(purge(any, 0, 0), 3);
	cr_expect_str_eq(everything(), "d e");
}

StorageTest(purge, can_be_limited_to_a_resource)
{
	const struct clq_coll group = { CLQ_STR("group"), list.parent };

	create("a", "{}");
	delete("a");
	put_at(&group, CLQ_WRITE_CREATE, "g", "{}", NO_TIME);
	put_at(&group, CLQ_WRITE_DELETE, "g", NULL, NO_TIME);
	cr_expect_eq(purge(CLQ_STR("group"), 0, -1), 1);
	cr_expect_str_eq(everything(), "!a");
}

/* ---- trim, totals, flush ---------------------------------------------- */

StorageTest(trim, keeps_the_newest_and_leaves_no_tombstones)
{
	make_five();
	update("a", "{\"n\":1}");
	cr_expect_eq(trim(query(NULL), 2), 3);
	cr_expect_str_eq(everything(), "a e");
	cr_expect_eq(trim(query(NULL), 2), 0);
}

StorageTest(trim, looks_at_filters)
{
	struct clq_query *q = query(NULL);

	make_five();
	filter(q, "n", CLQ_OP_EQ, "1");
	cr_expect_eq(trim(q, 1), 2);
	cr_expect_str_eq(everything(), "b d e");
	cr_expect_eq(trim(q, 0), 1);
	cr_expect_str_eq(everything(), "b d");
}

StorageTest(totals, count_each_resource)
{
	const struct clq_coll group = { CLQ_STR("group"), list.parent };
	struct clq_resource_count *totals = NULL;
	size_t n = 0, i;

	make_five();
	delete("a");
	delete("b");
	put_at(&group, CLQ_WRITE_CREATE, "g", "{}", NO_TIME);
	tx_read();
	cr_assert_eq(storage()->totals(fx.self, fx.arena, &totals, &n),
	    CLQ_OK);
	tx_commit();
	cr_assert_eq(n, 2);
	i = clq_str_is(totals[0].resource, "record") ? 0 : 1;
	cr_expect(clq_str_is(totals[i].resource, "record"));
	cr_expect_eq(totals[i].objects, 3);
	cr_expect_eq(totals[i].tombstones, 2);
	cr_expect(clq_str_is(totals[1 - i].resource, "group"));
	cr_expect_eq(totals[1 - i].objects, 1);
	cr_expect_eq(totals[1 - i].tombstones, 0);
}

StorageTest(flush, leaves_nothing)
{
	clq_msec future = create("a", "{}") + 1000000;

	put_at(&list, CLQ_WRITE_UPDATE, "a", "{}", future);
	delete("a");
	tx_write();
	cr_assert_eq(storage()->flush(fx.self), CLQ_OK);
	tx_commit();
	cr_expect_str_eq(everything(), "");
	cr_expect_lt(timestamp_of(&list), future);
}

/* ---- all lists of a resource ------------------------------------------- */

StorageTest(any_parent, reads_counts_and_deletes_in_all_lists)
{
	struct clq_coll one = { CLQ_STR("thing"), CLQ_STR("/x/1") };
	struct clq_coll two = { CLQ_STR("thing"), CLQ_STR("/x/2") };
	struct clq_coll other = { CLQ_STR("other"), CLQ_STR("/x/1") };
	struct clq_coll all = { CLQ_STR("thing"), CLQ_STR(CLQ_ANY_PARENT) };
	struct clq_query *q = query("id");
	struct clq_deletions d;
	struct clq_page page;
	clq_msec last;

	(void)put_at(&one, CLQ_WRITE_CREATE, "a", "{\"n\":1}", NO_TIME);
	(void)put_at(&other, CLQ_WRITE_CREATE, "b", "{\"n\":1}", NO_TIME);
	(void)put_at(&one, CLQ_WRITE_CREATE, "c", "{\"n\":2}", NO_TIME);
	last = put_at(&two, CLQ_WRITE_CREATE, "d", "{\"n\":1}", NO_TIME);
	cr_expect(timestamp_of(&all) >= last);
	q->coll = all;
	page = run(q);
	cr_assert_eq(page.n, 3);
	cr_expect(clq_str_is(page.objects[0].parent, "/x/1"));
	cr_expect(clq_str_is(page.objects[2].parent, "/x/2"));
	cr_expect_eq(count(q), 3);
	filter(q, "n", CLQ_OP_EQ, "1");
	d = delete_all(q);
	cr_assert_eq(d.n, 2);
	cr_expect(clq_str_is(d.items[0].old.id, "a"));
	cr_expect(clq_str_is(d.items[1].old.id, "d"));
	cr_expect_null(get_in(&one, "a"));
	cr_expect_null(get_in(&two, "d"));
	cr_expect_not_null(get_in(&one, "c"));
	cr_expect_not_null(get_in(&other, "b"));
	cr_expect(timestamp_of(&two) >= d.items[1].last_modified);
}
