/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises that hold between processes: changes become visible in the
 * order of their timestamps, a killed writer harms nobody, and batches of the
 * same objects do not get in each other's way.
 *
 * As in the server, the backend is configured before the fork and opened after
 * it. Writers note what was acknowledged in shared memory.
 */
#include "tests/conformance/storage.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	WRITERS		= 8,
	ACKS		= 100000,	/* of one writer */
	LOAD_MSEC	= 2000,
	PATIENCE_MSEC	= 60000,	/* with a busy machine */
	BATCHES		= 100,		/* of one process */
	BATCH_OBJECTS	= 8,
	BATCH_MAX_MSEC	= 30000		/* a minute and more with deadlocks */
};

struct acks {
	_Atomic size_t	n;
	clq_msec	times[ACKS];
};

struct shared {
	_Atomic bool	stop;
	_Atomic int	ready;
	struct acks	acks[WRITERS];
};

struct writer {
	struct shared	*shared;
	int		 number;
};

static struct shared *
shared_new(void)
{
	struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	cr_assert(s != MAP_FAILED);
	return s;
}

/* One change in a transaction of its own. */
static enum clq_status
change(struct fixture *f, const char *id, enum clq_write_op op,
    clq_msec *t)
{
	const struct clq_storage_ops *ops = f->plugin->storage;
	struct clq_write w = { .op = op, .coll = list,
	    .id = clq_str_of(id), .data = CLQ_STR("{\"n\":1}") };
	enum clq_status rc;

	rc = f->plugin->backend->begin(f->self, CLQ_TX_WRITE);
	if (rc != CLQ_OK)
		return rc;
	rc = ops->write(f->self, &w, 1);
	if (rc == CLQ_OK) {
		rc = f->plugin->backend->finish(f->self, true);
	} else {
		(void)!f->plugin->backend->finish(f->self, false);
		return rc;
	}
	*t = w.last_modified;
	return rc == CLQ_OK ? w.status : rc;
}

/* Create objects until told to stop; every fourth is deleted again. */
static int
write_load(struct fixture *f, void *ctx)
{
	struct writer *me = ctx;
	struct acks *acks = &me->shared->acks[me->number];
	enum clq_status rc;
	char id[32];
	clq_msec t;
	size_t n;

	while (!me->shared->stop && (n = acks->n) < ACKS) {
		snprintf(id, sizeof id, "w%d-%zu", me->number,
		    n % 4 == 3 ? n - 1 : n);
		rc = change(f, id, n % 4 == 3 ? CLQ_WRITE_DELETE :
		    CLQ_WRITE_CREATE, &t);
		if (rc == CLQ_RETRY)
			continue;
		if (rc != CLQ_OK)
			return EXIT_FAILURE;
		acks->times[n] = t;
		acks->n = n + 1;
	}
	return EXIT_SUCCESS;
}

static int
flush_all(struct fixture *f, void *ctx)
{
	(void)ctx;
	if (f->plugin->backend->begin(f->self, CLQ_TX_WRITE) != CLQ_OK ||
	    f->plugin->storage->flush(f->self) != CLQ_OK)
		return EXIT_FAILURE;
	return f->plugin->backend->finish(f->self, true) == CLQ_OK ?
	    EXIT_SUCCESS : EXIT_FAILURE;
}

static void
setup(void)
{
	fixture_configure(&fx, "storage");
	cr_assert_eq(fixture_wait(fixture_fork(&fx, flush_all, NULL)), 0);
}

#define ProcessTest(...)						\
	Test(__VA_ARGS__, .init = setup, .fini = storage_teardown,	\
	    .timeout = 120)

static int
time_order(const void *a, const void *b)
{
	const clq_msec *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What the writer has done that had fewest turns. */
static size_t
fewest_acks(const struct shared *s)
{
	size_t i, n = ACKS;

	for (i = 0; i < WRITERS; i++)
		n = s->acks[i].n < n ? s->acks[i].n : n;
	return n;
}

/* All acknowledged timestamps, sorted. */
static clq_msec *
all_acks(const struct shared *s, size_t *n)
{
	clq_msec *times;
	size_t i, count_ = 0;

	*n = 0;
	for (i = 0; i < WRITERS; i++)
		count_ += s->acks[i].n;
	times = clq_arena_calloc(fx.arena, count_, sizeof *times);
	for (i = 0; i < WRITERS; i++) {
		memcpy(times + *n, s->acks[i].times,
		    s->acks[i].n * sizeof *times);
		*n += s->acks[i].n;
	}
	qsort(times, *n, sizeof *times, time_order);
	return times;
}

static void
start_writers(struct writer *writers, pid_t *pids, struct shared *s)
{
	int i;

	for (i = 0; i < WRITERS; i++) {
		writers[i].shared = s;
		writers[i].number = i;
		pids[i] = fixture_fork(&fx, write_load, &writers[i]);
	}
}

/*
 * Read what changed since *since, as a client does, and note the timestamps.
 * Returns how many.
 */
static size_t
poll_changes(clq_msec *since, clq_msec *seen, size_t n, size_t cap)
{
	struct clq_arena *usual = fx.arena;
	struct clq_query *q;
	struct clq_page page;
	char number[32];
	size_t i;

	fx.arena = clq_arena_new();
	q = query("last_modified");
	q->include_deleted = true;
	snprintf(number, sizeof number, "%lld", (long long)*since);
	filter(q, "last_modified", CLQ_OP_GT, number);
	page = run(q);
	for (i = 0; i < page.n && n < cap; i++)
		seen[n++] = *since = page.objects[i].last_modified;
	clq_arena_free(&fx.arena);
	fx.arena = usual;
	return n;
}

/*
 * A change that is overwritten by a later one of the same object need not be
 * seen: the odd ones of write_load() that are deleted again.
 */
static bool
overwritten(const struct shared *s, clq_msec t)
{
	size_t i, n;

	for (i = 0; i < WRITERS; i++)
		for (n = 2; n + 1 < s->acks[i].n; n += 4)
			if (s->acks[i].times[n] == t)
				return true;
	return false;
}

ProcessTest(sync_promise, a_reader_misses_no_change_of_eight_writers)
{
	static struct writer writers[WRITERS];
	struct shared *s = shared_new();
	pid_t pids[WRITERS];
	const size_t cap = (size_t)WRITERS * ACKS;
	clq_msec *seen, *acks, since = 0, end;
	size_t n = 0, nacks, i, missed = 0, same = 0;

	start_writers(writers, pids, s);
	fixture_open(&fx);
	seen = clq_arena_calloc(fx.arena, cap, sizeof *seen);
	end = clq_monotonic() + LOAD_MSEC;
	while (clq_monotonic() < end ||
	    (fewest_acks(s) < 8 && clq_monotonic() < end + PATIENCE_MSEC))
		n = poll_changes(&since, seen, n, cap);
	s->stop = true;
	for (i = 0; i < WRITERS; i++)
		cr_expect_eq(fixture_wait(pids[i]), 0, "writer %zu", i);
	n = poll_changes(&since, seen, n, cap);
	acks = all_acks(s, &nacks);
	cr_assert_gt(nacks, 0);
	for (i = 0; i < nacks; i++) {
		same += i > 0 && acks[i] == acks[i - 1];
		missed += bsearch(&acks[i], seen, n, sizeof *seen,
		    time_order) == NULL && !overwritten(s, acks[i]);
	}
	cr_expect_eq(same, 0, "%zu of %zu timestamps twice", same, nacks);
	cr_expect_eq(missed, 0, "%zu of %zu changes missed", missed, nacks);
	cr_expect_eq(timestamp_of(&list), acks[nacks - 1]);
	cr_expect_gt(fewest_acks(s), 5, "a writer starved");
	munmap(s, sizeof *s);
}

/* ---- killed writers --------------------------------------------------- */

/* Write without committing, say so, and wait to be killed. */
static int
hold(struct fixture *f, void *ctx)
{
	struct shared *s = ctx;
	static struct clq_write w;
	clq_msec t;

	if (change(f, "acknowledged", CLQ_WRITE_CREATE, &t) != CLQ_OK)
		return EXIT_FAILURE;
	w.op = CLQ_WRITE_CREATE;
	w.coll = list;
	w.id = CLQ_STR("unfinished");
	w.data = CLQ_STR("{}");
	if (f->plugin->backend->begin(f->self, CLQ_TX_WRITE) != CLQ_OK ||
	    f->plugin->storage->write(f->self, &w, 1) != CLQ_OK ||
	    f->plugin->storage->sync(f->self) != CLQ_OK)
		return EXIT_FAILURE;
	s->ready = 1;
	for (;;)
		pause();
}

/* Create one object, say when that begins, and note when it is done. */
static int
write_once(struct fixture *f, void *ctx)
{
	struct shared *s = ctx;
	clq_msec t;

	s->ready = 2;
	if (change(f, "waiting", CLQ_WRITE_CREATE, &t) != CLQ_OK)
		return EXIT_FAILURE;
	s->acks[0].times[0] = clq_monotonic();
	return EXIT_SUCCESS;
}

static void
await(const struct shared *s, int ready)
{
	while (s->ready < ready)
		usleep(1000);
}

/* How long a writer waits after the death of the one before it. */
static clq_msec
wait_after_a_kill(struct shared *s)
{
	pid_t holder, waiting;
	clq_msec killed;

	cr_assert_eq(fixture_wait(fixture_fork(&fx, flush_all, NULL)), 0);
	s->ready = 0;
	holder = fixture_fork(&fx, hold, s);
	await(s, 1);
	waiting = fixture_fork(&fx, write_once, s);
	await(s, 2);
	usleep(200000);			/* it waits for the holder */
	killed = clq_monotonic();
	cr_assert_eq(kill(holder, SIGKILL), 0);
	cr_expect_eq(fixture_wait(holder), -1 - SIGKILL);
	cr_expect_eq(fixture_wait(waiting), 0);
	cr_expect_geq(s->acks[0].times[0], killed, "it did not wait");
	return s->acks[0].times[0] - killed;
}

/* On a busy machine anything takes a second, but not each time. */
ProcessTest(killed_writer, lets_others_go_on_and_loses_nothing_acknowledged)
{
	struct shared *s = shared_new();
	clq_msec took;
	int i = 0;

	do
		took = wait_after_a_kill(s);
	while (took > 1000 && ++i < 3);
	cr_expect_leq(took, 1000);
	fixture_open(&fx);
	cr_expect_not_null(get("acknowledged"));
	cr_expect_not_null(get("waiting"));
	cr_expect_null(get("unfinished"));
	munmap(s, sizeof *s);
}

ProcessTest(killed_writer, in_a_crowd_costs_only_its_own_write)
{
	static struct writer writers[WRITERS];
	struct shared *s = shared_new();
	pid_t pids[WRITERS];
	clq_msec end;
	char id[32];
	size_t i, n;

	start_writers(writers, pids, s);
	for (i = 0; i < WRITERS - 2; i++) {
		usleep(100000);
		cr_assert_eq(kill(pids[i], SIGKILL), 0);
		cr_expect_eq(fixture_wait(pids[i]), -1 - SIGKILL);
	}
	n = s->acks[WRITERS - 1].n;
	end = clq_monotonic() + PATIENCE_MSEC;
	while (s->acks[WRITERS - 1].n == n && clq_monotonic() < end)
		usleep(10000);
	cr_expect_gt(s->acks[WRITERS - 1].n, n, "the others stopped");
	s->stop = true;
	for (; i < WRITERS; i++)
		cr_expect_eq(fixture_wait(pids[i]), 0);
	fixture_open(&fx);
	for (i = 0; i < WRITERS; i++)
		for (n = 0; n < s->acks[i].n; n += 4) {
			snprintf(id, sizeof id, "w%zu-%zu", i, n);
			cr_expect_not_null(get(id), "%s is lost", id);
		}
	munmap(s, sizeof *s);
}

/* ---- batches ------------------------------------------------------------ */

/* One part of a batch, as core does it: mark, look, write. */
static enum clq_status
change_after_look(struct fixture *f, const char *id, struct clq_write *w)
{
	const struct clq_storage_ops *ops = f->plugin->storage;
	struct clq_want want = { .coll = list, .id = clq_str_of(id) };
	struct clq_lookup l = { .arena = f->arena, .wants = &want,
	    .nwants = 1 };
	enum clq_status rc;

	if ((rc = f->plugin->backend->savepoint(f->self)) != CLQ_OK ||
	    (rc = ops->lookup(f->self, &l)) != CLQ_OK)
		return rc;
	*w = (struct clq_write){ .op = want.found ? CLQ_WRITE_UPDATE :
	    CLQ_WRITE_CREATE, .coll = list, .id = want.id,
	    .data = CLQ_STR("{}") };
	if ((rc = ops->write(f->self, w, 1)) != CLQ_OK)
		return rc;
	return f->plugin->backend->release(f->self);
}

/* The objects forwards or backwards, in one transaction. */
static enum clq_status
batch(struct fixture *f, bool backwards)
{
	struct clq_write *writes = clq_arena_calloc(f->arena, BATCH_OBJECTS,
	    sizeof *writes);
	enum clq_status rc;
	char *id;
	int i, k;

	rc = f->plugin->backend->begin(f->self, CLQ_TX_WRITE);
	for (i = 0; rc == CLQ_OK && i < BATCH_OBJECTS; i++) {
		k = backwards ? BATCH_OBJECTS - 1 - i : i;
		id = clq_arena_alloc(f->arena, 2);
		id[0] = (char)('a' + k);
		rc = change_after_look(f, id, &writes[i]);
	}
	if (rc != CLQ_OK) {
		(void)!f->plugin->backend->finish(f->self, false);
		return rc;
	}
	rc = f->plugin->backend->finish(f->self, true);
	for (i = 0; rc == CLQ_OK && i < BATCH_OBJECTS; i++)
		rc = writes[i].status;
	return rc;
}

static int
batch_load(struct fixture *f, void *ctx)
{
	struct writer *me = ctx;
	int i;

	for (i = 0; i < BATCHES; i++)
		if (batch(f, (me->number + i) % 2 != 0) != CLQ_OK)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

ProcessTest(batches, of_the_same_objects_in_any_order_all_succeed_at_once)
{
	static struct writer writers[WRITERS];
	clq_msec began = clq_monotonic();
	pid_t pids[WRITERS];
	size_t i;

	for (i = 0; i < WRITERS; i++) {
		writers[i].number = (int)i;
		pids[i] = fixture_fork(&fx, batch_load, &writers[i]);
	}
	for (i = 0; i < WRITERS; i++)
		cr_expect_eq(fixture_wait(pids[i]), 0);
	cr_expect_leq(clq_monotonic() - began, BATCH_MAX_MSEC);
}
