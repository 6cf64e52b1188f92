/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of a list and the timestamps of clients (section 03-7). */
#include "tests/conformance/storage.h"

#include <cliquet/clock.h>

#include <stdio.h>
#include <unistd.h>

static clq_msec
modified(const char *id)
{
	const struct clq_object *o = get(id);

	cr_assert_not_null(o);
	return o->last_modified;
}

static int64_t
create_at(const char *id, clq_msec at)
{
	return put_at(&list, CLQ_WRITE_CREATE, id, "{}", at);
}

StorageTest(timestamp, is_the_time_and_increases_with_each_change)
{
	clq_msec before = clq_now(), last, t;
	int i;

	last = create("r1", "{}");
	cr_expect_geq(last, before);
	cr_expect_leq(last, clq_now());
	for (i = 0; i < 50; i++) {
		t = update("r1", "{}");
		cr_assert_gt(t, last);
		last = t;
	}
	t = delete("r1");
	cr_expect_gt(t, last);
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(timestamp, is_distinct_within_a_transaction)
{
	int64_t last = 0, t;
	char id[16];
	int i;

	tx_write();
	for (i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "r%d", i);
		t = write_at(&list, CLQ_WRITE_CREATE, id, "{}", NO_TIME);
		cr_assert_gt(t, last);
		last = t;
	}
	tx_commit();
	cr_expect_eq(timestamp_of(&list), last);
}

StorageTest(timestamp, of_an_empty_list_is_now_and_stays)
{
	clq_msec before = clq_now(), t = timestamp_of(&list);

	cr_expect_geq(t, before);
	cr_expect_leq(t, clq_now());
	usleep(5000);
	cr_expect_eq(timestamp_of(&list), t);
	cr_expect_gt(create("r1", "{}"), t);
}

StorageTest(timestamp, can_be_read_without_writing_once_it_is_stored)
{
	clq_msec t = create("r1", "{}"), read = 0;

	tx_read();
	cr_assert_eq(storage()->timestamp(fx.self, &list, &read), CLQ_OK);
	tx_commit();
	cr_expect_eq(read, t);
}

StorageTest(timestamp, belongs_to_one_list)
{
	const struct clq_coll other = { CLQ_STR("group"), list.parent };
	clq_msec t = timestamp_of(&other);

	create("r1", "{}");
	cr_expect_eq(timestamp_of(&other), t);
}

StorageTest(timestamp, counts_tombstones)
{
	clq_msec t;

	create("r1", "{}");
	create("r2", "{}");
	t = delete("r1");
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(client_timestamp, in_the_future_becomes_the_lists)
{
	clq_msec t = create("r0", "{}") + 100000;

	cr_expect_eq(create_at("r1", t), t);
	cr_expect_eq(modified("r1"), t);
	cr_expect_eq(timestamp_of(&list), t);
	cr_expect_eq(create("r2", "{}"), t + 1, "the next follows it");
}

StorageTest(client_timestamp, above_the_lists_is_taken_in_the_past_too)
{
	/* The clock of the list stands where a client put it. */
	clq_msec t = create("r0", "{}") + 500000;

	create_at("r1", t);
	cr_expect_eq(create_at("r2", t + 7), t + 7);
	cr_expect_eq(timestamp_of(&list), t + 7);
}

StorageTest(client_timestamp, equal_to_the_lists_counts_as_none)
{
	clq_msec t = create("r0", "{}");
	int64_t got = create_at("r1", t);

	cr_expect_gt(got, t);
	cr_expect_eq(timestamp_of(&list), got);
}

StorageTest(client_timestamp, in_the_past_is_kept_and_leaves_the_lists)
{
	clq_msec t = create("r0", "{}");

	cr_expect_eq(create_at("r1", t - 1000), t - 1000);
	cr_expect_eq(modified("r1"), t - 1000);
	cr_expect_eq(timestamp_of(&list), t);
	cr_expect_eq(create_at("r2", 1), 1);
	cr_expect_eq(create_at("r3", 0), 0);
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(client_timestamp, of_the_first_object_is_kept)
{
	clq_msec now = clq_now();

	cr_expect_eq(create_at("r1", 1447000000000), 1447000000000);
	cr_expect_geq(timestamp_of(&list), 1447000000000);
	cr_expect_geq(create("r2", "{}"), now);
}

StorageTest(client_timestamp, of_the_first_object_lets_the_list_begin_now)
{
	struct clq_coll l = list;
	char parent[32];
	clq_msec before;
	int i;

	for (i = 0; i < 50; i++) {	/* many: in one millisecond or not */
		snprintf(parent, sizeof parent, "/b/new%d", i);
		l.parent = clq_str_of(parent);
		before = clq_now();
		cr_expect_eq(put_at(&l, CLQ_WRITE_CREATE, "r1", "{}", 1234),
		    1234);
		cr_expect_geq(timestamp_of(&l), before);
		cr_expect_eq(put_at(&l, CLQ_WRITE_CREATE, "r2", "{}", 1234),
		    1235);
		snprintf(parent, sizeof parent, "/b/own%d", i);
		before = clq_now();	/* the very millisecond is as good */
		cr_expect_eq(put_at(&l, CLQ_WRITE_CREATE, "r1", "{}", before),
		    before);
	}
}

StorageTest(client_timestamp, that_another_object_has_is_raised)
{
	clq_msec t = create("r0", "{}");

	cr_expect_eq(create_at("r1", t - 100), t - 100);
	cr_expect_eq(create_at("r2", t - 99), t - 99);
	cr_expect_eq(create_at("r3", t - 100), t - 98);
	cr_expect_eq(create_at("r4", t - 100), t - 97);
	cr_expect_eq(modified("r4"), t - 97);
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(client_timestamp, with_nothing_free_below_the_lists_comes_after)
{
	clq_msec t = create("r0", "{}");
	int64_t got;

	cr_expect_eq(create_at("r1", t - 1), t - 1);
	got = create_at("r2", t - 1);
	cr_expect_gt(got, t);
	cr_expect_eq(timestamp_of(&list), got);
}

StorageTest(client_timestamp, that_a_tombstone_has_is_raised)
{
	clq_msec t = create("r0", "{}");

	cr_assert_eq(create_at("r1", t - 10), t - 10);
	cr_assert_eq(put_at(&list, CLQ_WRITE_DELETE, "r1", NULL, t - 5),
	    t - 5);
	cr_expect_eq(create_at("r2", t - 5), t - 4);
}

StorageTest(client_timestamp, that_only_the_object_itself_has_is_kept)
{
	clq_msec t = create("r0", "{}");

	cr_assert_eq(create_at("r1", t - 10), t - 10);
	cr_expect_eq(put_at(&list, CLQ_WRITE_UPDATE, "r1", "{\"n\":1}",
	    t - 10), t - 10);
	cr_expect_eq(modified("r1"), t - 10);
}

StorageTest(client_timestamp, works_for_update_and_delete)
{
	clq_msec t = create("r1", "{}");

	cr_expect_eq(put_at(&list, CLQ_WRITE_UPDATE, "r1", "{}", t + 5000),
	    t + 5000);
	cr_expect_eq(timestamp_of(&list), t + 5000);
	cr_expect_eq(put_at(&list, CLQ_WRITE_DELETE, "r1", NULL, t + 9000),
	    t + 9000);
	cr_expect_eq(timestamp_of(&list), t + 9000);
}

StorageTest(client_timestamp, of_a_refused_write_moves_nothing)
{
	clq_msec t = create("r1", "{}");

	cr_expect_eq(create_at("r1", t + 5000), -CLQ_CONFLICT);
	cr_expect_eq(put_at(&list, CLQ_WRITE_DELETE, "none", NULL, t + 5000),
	    -CLQ_NOT_FOUND);
	cr_expect_eq(timestamp_of(&list), t);
}
