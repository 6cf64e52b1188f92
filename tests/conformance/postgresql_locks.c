/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for whom: what a writing transaction looked up stays as it is,
 * also if it is missing, and nobody waits for more than that. Queued writes
 * and marks.
 */
#include "tests/conformance/postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What another worker does, and when. */
struct other {
	const char	*id;
	bool		 shared;
	enum { LOOK, LOOK_AFTER_B, STORE, DELETE_ALL, ERASE } what;
	_Atomic clq_msec done;
	_Atomic int	 found;
	_Atomic int	 status;
};

static struct other *
other_new(const char *id, bool shared, int what)
{
	struct other *o = mmap(NULL, sizeof *o, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(o != MAP_FAILED);
	o->id = id;
	o->shared = shared;
	o->what = what;
	return o;
}

static int
other_run(struct fixture *f, void *ctx)
{
	struct clq_query all = { .coll = list };
	struct clq_deletions dead;
	struct other *o = ctx;
	struct clq_want want = { .found = false };
	enum clq_status rc;

	(void)f;
	if (begin(CLQ_TX_WRITE) != CLQ_OK)
		return EXIT_FAILURE;
	switch (o->what) {
	case LOOK_AFTER_B:
		rc = find("b", false, &want);
		if (rc != CLQ_OK)
			break;
		/* FALLTHROUGH */
	case LOOK:
		rc = find(o->id, o->shared, &want);
		break;
	case STORE:
		put(o->id, "{\"by\":\"another\"}");
		rc = CLQ_OK;
		break;
	case DELETE_ALL:
		rc = fx.plugin->storage->delete_all(fx.self, fx.arena, &all,
		    &dead);
		break;
	default:
		rc = fx.plugin->storage->erase(fx.self,
		    (struct clq_str){ NULL, 0 }, CLQ_STR("/buckets/b"));
	}
	if (rc == CLQ_OK)
		rc = finish(true);
	else
		(void)!finish(false);
	o->found = want.found;
	o->status = (int)rc;
	o->done = clq_monotonic();
	return EXIT_SUCCESS;
}

/* Start it; it has done, or waits for a lock, when this returns. */
static pid_t
other_start(struct other *o)
{
	clq_msec until = clq_monotonic() + 60000;
	struct fixture *f = &fx;
	pid_t pid = fixture_fork(f, other_run, o);

	while (o->done == 0 && strcmp(sql("postgres", "SELECT count(*)"
	    " FROM pg_locks WHERE NOT granted"), "0") == 0) {
		cr_assert_lt(clq_monotonic(), until, "it does nothing");
		usleep(10000);
	}
	return pid;
}

PgTest(looked_up, object_is_changed_by_nobody_else)
{
	struct other *o = other_new("a", false, LOOK);
	struct clq_want want;
	pid_t pid;

	cr_assert_eq(store("a", "{}"), CLQ_OK);
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_eq(o->done, 0, "it did not wait");
	put("a", NULL);
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
	cr_expect_eq(o->found, 0, "it sees what was done while it waited");
}

PgTest(looked_up, object_that_is_missing_is_created_by_nobody_else)
{
	struct other *o = other_new("new", false, LOOK);
	struct clq_want want;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("new", false, &want), CLQ_OK);
	cr_assert(!want.found);
	pid = other_start(o);
	cr_expect_eq(o->done, 0, "it did not wait");
	put("new", "{}");
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
	cr_expect_eq(o->found, 1);
}

PgTest(looked_up, parent_is_shared)
{
	struct other *o = other_new("p", true, LOOK);
	struct clq_want want;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("p", true, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_neq(o->done, 0, "it waited");
	cr_assert_eq(finish(false), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
}

PgTest(looked_up, parent_is_changed_by_nobody)
{
	struct other *o = other_new("p", false, LOOK);
	struct clq_want want;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("p", true, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_eq(o->done, 0, "it did not wait");
	cr_assert_eq(finish(false), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
}

PgTest(looked_up, object_is_not_deleted_with_its_list)
{
	static const int whats[] = { DELETE_ALL, ERASE };
	struct clq_want want;
	struct other *o;
	pid_t pid;
	size_t i;

	for (i = 0; i < CLQ_COUNT(whats); i++) {
		o = other_new("a", false, whats[i]);
		cr_assert_eq(store("a", "{}"), CLQ_OK);
		cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
		cr_assert_eq(find("a", false, &want), CLQ_OK);
		cr_assert(want.found);
		pid = other_start(o);
		cr_expect_eq(o->done, 0, "it did not wait");
		put("a", "{\"n\":1}");
		cr_assert_eq(finish(true), CLQ_OK);
		cr_expect_eq(fixture_wait(pid), 0);
		cr_expect_eq(o->status, CLQ_OK);
		cr_expect(!exists("a"));
	}
}

PgTest(looked_up, by_a_reader_holds_nobody_up)
{
	struct other *o = other_new("a", false, STORE);
	struct clq_want want;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_neq(o->done, 0, "it waited");
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
}

PgTest(queued_write, does_not_hold_the_clock)
{
	struct other *o = other_new("b", false, STORE);
	struct clq_want want;
	struct clq_write *w;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	w = put("a", "{}");
	cr_assert_eq(find("c", false, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_neq(o->done, 0, "it waited");
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
	cr_expect_eq(w->status, CLQ_OK);
	cr_expect_gt(w->last_modified, 0);
}

PgTest(queued_write, is_sent_for_a_look_up_of_its_object)
{
	struct clq_want want;
	struct clq_write *w;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	w = put("a", "{\"n\":1}");
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	cr_expect(want.found);
	cr_expect_eq(w->status, CLQ_OK);
	cr_expect_eq(w->last_modified, want.object.last_modified);
	cr_assert_eq(finish(true), CLQ_OK);
}

PgTest(deadlock, makes_one_of_two_try_again)
{
	struct other *o = other_new("a", false, LOOK_AFTER_B);
	struct clq_want want;
	enum clq_status rc;
	pid_t pid;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	pid = other_start(o);
	cr_expect_eq(o->done, 0);
	rc = find("b", false, &want);
	cr_expect(rc == CLQ_OK || rc == CLQ_RETRY, "status %d", (int)rc);
	cr_expect_eq(finish(rc == CLQ_OK), CLQ_OK);
	cr_expect_eq(fixture_wait(pid), 0);
	cr_expect(o->status == CLQ_OK || o->status == CLQ_RETRY);
	cr_expect((rc == CLQ_OK) != (o->status == CLQ_OK), "one of two");
	cr_expect_eq(store("b", "{}"), CLQ_OK);
}

/* ---- marks -------------------------------------------------------------- */

static void
mark(void)
{
	cr_assert_eq(fx.plugin->backend->savepoint(fx.self), CLQ_OK);
}

static void
undo(void)
{
	cr_assert_eq(fx.plugin->backend->rollback(fx.self), CLQ_OK);
}

static void
sync_(void)
{
	cr_assert_eq(fx.plugin->storage->sync(fx.self), CLQ_OK);
}

/* Which of a ... f exist. */
static const char *
left(void)
{
	static char text[8];
	char id[2] = "a", *p = text;

	for (; id[0] <= 'f'; id[0]++)
		if (exists(id))
			*p++ = id[0];
	*p = '\0';
	return text;
}

PgTest(mark, works_whatever_was_sent_when)
{
	int sent;

	/* each bit: send after that write */
	for (sent = 0; sent < 32; sent++) {
		cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
		put("a", "{}");
		if (sent & 1)
			sync_();
		mark();
		put("b", "{}");
		if (sent & 2)
			sync_();
		undo();
		put("c", "{}");
		if (sent & 4)
			sync_();
		mark();
		put("d", "{}");
		if (sent & 8)
			sync_();
		undo();
		cr_assert_eq(fx.plugin->backend->release(fx.self), CLQ_OK);
		put("e", "{}");
		if (sent & 16)
			sync_();
		cr_assert_eq(finish(true), CLQ_OK, "case %d", sent);
		cr_expect_str_eq(left(), "ace", "case %d", sent);
		cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
		cr_assert_eq(fx.plugin->storage->flush(fx.self), CLQ_OK);
		cr_assert_eq(finish(true), CLQ_OK);
	}
}

static void
allow(const char *object)
{
	cr_assert_eq(fx.plugin->permission->add(fx.self, clq_str_of(object),
	    CLQ_STR("read"), CLQ_STR("somebody")), CLQ_OK);
}

static size_t
acl_size(const char *object)
{
	struct clq_acl acl = { NULL, 0 };

	cr_assert_eq(fx.plugin->permission->acl(fx.self, fx.arena,
	    clq_str_of(object), &acl), CLQ_OK);
	return acl.n;
}

PgTest(mark, covers_permissions_that_were_asked_about)
{
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("a", "{}");
	allow("/1");
	mark();
	put("b", "{}");
	allow("/2");
	cr_expect_eq(acl_size("/1"), 1);
	cr_expect_eq(acl_size("/2"), 1);
	undo();
	cr_expect_eq(acl_size("/1"), 1);
	cr_expect_eq(acl_size("/2"), 0);
	put("c", "{}");
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_str_eq(left(), "ac");
	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(acl_size("/1"), 1);
	cr_expect_eq(acl_size("/2"), 0);
	cr_assert_eq(finish(true), CLQ_OK);
}

/* Who reads the timestamp of a list, and then an object of it, must not get
 * the object as it was before, although it was announced. */
PgTest(locks, what_a_reader_announced_is_no_older_than_its_list)
{
	const struct clq_storage_ops *ops = fx.plugin->storage;
	struct clq_want want[2] = { { .coll = list, .id = CLQ_STR("a") },
		{ .coll = list, .id = CLQ_STR("b") } };
	struct clq_lookup l[2] = {
		{ .arena = fx.arena, .wants = &want[0], .nwants = 1 },
		{ .arena = fx.arena, .wants = &want[1], .nwants = 1 },
	};
	struct clq_lookup *all[] = { &l[0], &l[1] };
	clq_msec now = 0;

	cr_assert_eq(store("a", "{\"n\":1}"), CLQ_OK);
	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(ops->prefetch(fx.self, all, 2), CLQ_OK);
	sql("clq", "UPDATE objects SET data = to_jsonb(2)");
	cr_assert_eq(ops->lookup(fx.self, &l[0]), CLQ_OK);
	cr_expect(clq_str_is(want[0].object.data, "{\"n\":1}"),
	    "what was announced was asked again");
	cr_assert_eq(ops->timestamp(fx.self, &list, &now), CLQ_OK);
	cr_assert_eq(ops->lookup(fx.self, &l[0]), CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect(clq_str_is(want[0].object.data, "2"));
	cr_expect(want[0].object.last_modified >= now);
}
