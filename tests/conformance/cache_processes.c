/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cache promises to several processes at once: they see the same, a
 * token goes to one of them, and the death of one costs the others nothing.
 *
 * Connections do not survive a fork: each process opens its own, the test's
 * own none.
 */
#include "tests/conformance/cache.h"

#include <cliquet/clock.h>

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { N_PROCESSES = 8, N_TOKENS = 200, N_ROUNDS = 2000,
	ROUNDS_MSEC = 3000 };

/* What processes tell each other. */
static struct board {
	atomic_int	 go;
	atomic_int	 done;
	atomic_int	 taken[N_TOKENS];
	atomic_int	 seen[N_ROUNDS];
} *board;

static void
setup(void)
{
	cache_setup();
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(board, MAP_FAILED);
}

static void
teardown(void)
{
	munmap(board, sizeof(*board));
	cache_teardown();
}

TestSuite(cache_shared, .init = setup, .fini = teardown, .timeout = 120);

static void
await(atomic_int *what, int value)
{
	while (atomic_load(what) < value)
		sleep_ms(1);
}

/* Criterion's assertions belong to its own process; a child leaves with 1. */
static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "in a child: not so: %s\n", what);
	_exit(EXIT_FAILURE);
}

static int
writer(struct fixture *fx, void *ctx)
{
	(void)fx;
	(void)ctx;
	must(stored(CLQ_STR("from-a"), CLQ_STR("1")), "a writes");
	atomic_store(&board->go, 1);
	await(&board->go, 2);		/* the other has flushed and written */
	must(lacks(CLQ_STR("from-a")), "the other's flush is seen");
	must(holds(CLQ_STR("from-b"), CLQ_STR("2")), "and its value");
	must(stored(CLQ_STR("from-a"), CLQ_STR("3")), "a writes again");
	atomic_store(&board->go, 3);
	await(&board->go, 4);
	must(lacks(CLQ_STR("from-b")), "the other's take is seen");
	return 0;
}

static int
reader(struct fixture *fx, void *ctx)
{
	struct clq_str v;

	await(&board->go, 1);
	(void)ctx;
	must(holds(CLQ_STR("from-a"), CLQ_STR("1")), "b sees a's value");
	must(ops->flush(fx->self, CLQ_STR("from-")) == CLQ_OK, "b flushes");
	must(stored(CLQ_STR("from-b"), CLQ_STR("2")), "b writes");
	atomic_store(&board->go, 2);
	await(&board->go, 3);
	must(holds(CLQ_STR("from-a"), CLQ_STR("3")), "b sees a's new value");
	must(ops->take(fx->self, fx->arena, CLQ_STR("from-b"), &v) == CLQ_OK,
	    "b takes");
	atomic_store(&board->go, 4);
	return 0;
}

Test(cache_shared, is_seen_by_all_processes)
{
	pid_t a = fixture_fork(&f, writer, NULL);
	pid_t b = fixture_fork(&f, reader, NULL);

	cr_assert_eq(fixture_wait(a), 0);
	cr_assert_eq(fixture_wait(b), 0);
}

/* Run body in n processes; each gets its number. All must return 0. */
static void
run_together(int n, fixture_body_f *body)
{
	static int numbers[N_PROCESSES];
	pid_t pids[N_PROCESSES];

	for (int i = 0; i < n; i++) {
		numbers[i] = i;
		pids[i] = fixture_fork(&f, body, &numbers[i]);
	}
	atomic_store(&board->go, 1);
	for (int i = 0; i < n; i++)
		cr_assert_eq(fixture_wait(pids[i]), 0, "process %d", i);
}

static int
put_tokens(struct fixture *fx, void *ctx)
{
	(void)fx;
	(void)ctx;
	for (int i = 0; i < N_TOKENS; i++)
		must(stored(numbered("token", i), numbered("value", i)),
		    "a token is stored");
	return 0;
}

static int
take_tokens(struct fixture *fx, void *ctx)
{
	struct clq_str v;
	enum clq_status st;

	(void)ctx;
	await(&board->go, 1);
	for (int i = 0; i < N_TOKENS; i++) {
		st = ops->take(fx->self, fx->arena, numbered("token", i), &v);
		if (st == CLQ_OK && clq_str_eq(v, numbered("value", i)))
			atomic_fetch_add(&board->taken[i], 1);
		else if (st != CLQ_NOT_FOUND)
			return 1;
	}
	return 0;
}

Test(cache_shared, gives_each_token_to_one_of_eight)
{
	cr_assert_eq(fixture_wait(fixture_fork(&f, put_tokens, NULL)), 0);
	run_together(N_PROCESSES, take_tokens);
	for (int i = 0; i < N_TOKENS; i++)
		cr_assert_eq(board->taken[i], 1, "token %d: taken %d times", i,
		    (int)board->taken[i]);
}

/* Locks need not be fair: the others may keep the writer waiting. */
static int
renew(struct clq_str key)
{
	clq_msec end = clq_monotonic() + ROUNDS_MSEC;

	for (int i = 0; i < N_ROUNDS && clq_monotonic() < end; i++) {
		must(stored(key, numbered("", i)), "a value is stored");
		nanosleep(&(struct timespec){ 0, 50000 }, NULL);
	}
	atomic_store(&board->done, 1);
	return 0;
}

/* One process stores ever new values under one key, others take and prolong
 * them: a value must not be taken twice, nor come back. */
static int
take_and_renew(struct fixture *fx, void *ctx)
{
	const int *number = ctx;
	struct clq_arena *arena = clq_arena_new();
	struct clq_str v, key = CLQ_STR("renewed");

	await(&board->go, 1);
	if (*number == 0)
		return renew(key);
	while (!atomic_load(&board->done)) {
		enum clq_status st = CLQ_NOT_FOUND;

		clq_arena_reset(arena);
		if (*number % 2 == 1)
			st = ops->expire(fx->self, key, MINUTE);
		else if ((st = ops->take(fx->self, arena, key, &v)) ==
		    CLQ_OK && v.len < 10)
			atomic_fetch_add(&board->seen[atoi(
			    clq_arena_cstr(arena, v))], 1);
		if (st != CLQ_OK && st != CLQ_NOT_FOUND)
			return 1;
	}
	clq_arena_free(&arena);
	return 0;
}

Test(cache_shared, never_takes_a_value_twice_while_others_write)
{
	int n = 0;

	run_together(4, take_and_renew);
	for (int i = 0; i < N_ROUNDS; i++) {
		cr_assert_leq(board->seen[i], 1, "value %d", i);
		n += board->seen[i];
	}
	cr_assert_gt(n, 0);
}

static int
work_for_ever(struct fixture *fx, void *ctx)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str v, key;
	enum clq_status st;

	(void)ctx;
	for (int i = 0; ; i = (i + 1) % 50) {
		clq_arena_reset(arena);
		key = clq_arena_printf(arena, "work%d", i);
		st = ops->set(fx->self, key, key, MINUTE);
		if (st == CLQ_OK)
			st = ops->get(fx->self, arena, key, &v);
		if (st == CLQ_OK && i % 3 == 0)
			st = ops->take(fx->self, arena, key, &v);
		if (st != CLQ_OK && st != CLQ_NOT_FOUND)
			return 1;
		atomic_fetch_add(&board->go, 1);
	}
}

static int
work_a_little(struct fixture *fx, void *ctx)
{
	const int *round = ctx;
	struct clq_str key = numbered("little", *round);

	(void)fx;
	must(stored(key, key), "the others go on writing");
	return holds(key, key) ? 0 : 1;
}

Test(cache_shared, survives_the_death_of_a_process)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fixture_fork(&f, work_for_ever, NULL);

		await(&board->go, 1);
		sleep_ms(1 + i % 5);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(fixture_wait(pid), -1 - SIGKILL);
		cr_assert_eq(fixture_wait(fixture_fork(&f, work_a_little, &i)),
		    0, "round %d", i);
		atomic_store(&board->go, 0);
	}
}
