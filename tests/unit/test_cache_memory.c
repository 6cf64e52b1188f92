/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory cache's table: order of eviction, the 80 % rule, expiry by a
 * clock that the tests set, and what is left after a process dies with the
 * lock in its hand.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* White-box: the files of a plugin, which no library offers. */
#include "cache/memory.c"
#include "cache/memory_blocks.c"
#include "cache/memory_table.c"
#include "core/settings_load.h"

enum { MAX_BYTES = 64 * MEM_BLOCK_SIZE };

static struct clq_arena *arena;
static struct mem_table *t;
static size_t area_len;

static void
make_table(size_t max_bytes)
{
	void *p;

	area_len = mem_table_area(max_bytes);
	p = mmap(NULL, area_len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(p, MAP_FAILED);
	t = mem_table_init(p, max_bytes, 42);
	cr_assert_not_null(t);
}

static void
setup(void)
{
	arena = clq_arena_new();
	make_table(MAX_BYTES);
}

static void
teardown(void)
{
	munmap(t, area_len);
	clq_arena_free(&arena);
}

TestSuite(memtable, .init = setup, .fini = teardown, .timeout = 60);

static struct clq_str
numbered(const char *name, int i)
{
	return clq_arena_printf(arena, "%s%d", name, i);
}

static enum clq_status
set(struct clq_str key, struct clq_str value, clq_msec now, clq_msec ttl)
{
	return mem_table_set(t, key, value, now, ttl);
}

static bool
has(struct clq_str key, clq_msec now)
{
	struct clq_str v;

	return mem_table_get(t, arena, key, now, &v) == CLQ_OK;
}

static struct mem_table_stats
stats(void)
{
	struct mem_table_stats s;

	cr_assert_eq(mem_table_stats(t, &s), CLQ_OK);
	return s;
}

static void
check(void)
{
	cr_assert_eq(mem_table_lock(t), CLQ_OK);
	cr_assert(mem_table_check(t));
	mem_table_unlock(t);
}

static struct clq_str
text_of(size_t len, unsigned seed)
{
	char *p = clq_arena_alloc(arena, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (char)((seed + i * 7 + i / 251) & 0xff);
	return (struct clq_str){ p, len };
}

Test(memtable, keeps_texts_of_all_lengths)
{
	struct clq_str v;

	for (size_t len = 0; len < 600; len++) {
		struct clq_str key = text_of(1 + len % 250, (unsigned)len);
		struct clq_str value = text_of(len, 3);

		cr_assert_eq(set(key, value, 0, 10), CLQ_OK);
		cr_assert_eq(mem_table_get(t, arena, key, 9, &v), CLQ_OK);
		cr_assert(clq_str_eq(v, value), "%zu", len);
		cr_assert_eq(mem_table_take(t, arena, key, 9, &v), CLQ_OK);
		cr_assert(clq_str_eq(v, value), "%zu", len);
		cr_assert(!has(key, 9));
	}
	check();
	cr_assert_eq(stats().n_used, 0);
	cr_assert_eq(stats().n_entries, 0);
}

Test(memtable, evicts_the_oldest_down_to_80_percent)
{
	struct mem_table_stats s;

	for (int i = 0; i < 64; i++)
		cr_assert_eq(set(numbered("k", i), CLQ_STR("v"), i, 1000),
		    CLQ_OK);
	s = stats();
	cr_assert_eq(s.n_blocks, 64);
	cr_assert_eq(s.n_used, 64);
	cr_assert_eq(s.n_evicted, 0, "full is not too full");

	cr_assert_eq(set(numbered("k", 64), CLQ_STR("v"), 64, 1000), CLQ_OK);
	s = stats();
	cr_assert_eq(s.n_used, 64 * 80 / 100);
	cr_assert_eq(s.n_evicted, 64 + 1 - 51);
	for (int i = 0; i <= 64; i++)
		cr_assert_eq(has(numbered("k", i), 64), i >= 14, "%d", i);
	check();
}

Test(memtable, writing_makes_young_and_reading_does_not)
{
	for (int i = 0; i < 64; i++)
		cr_assert_eq(set(numbered("k", i), CLQ_STR("v"), 0, 1000),
		    CLQ_OK);
	cr_assert_eq(set(numbered("k", 0), CLQ_STR("new"), 0, 1000), CLQ_OK);
	cr_assert(has(numbered("k", 1), 0));
	cr_assert_eq(mem_table_expire(t, numbered("k", 2), 0, 9000), CLQ_OK);
	cr_assert_eq(set(CLQ_STR("one more"), CLQ_STR("v"), 0, 1000), CLQ_OK);
	cr_assert(has(numbered("k", 0), 0));
	cr_assert(!has(numbered("k", 1), 0));
	cr_assert(!has(numbered("k", 2), 0));
	check();
}

Test(memtable, drops_expired_entries_before_old_ones)
{
	for (int i = 0; i < 64; i++)	/* the newer half expires at 10 */
		cr_assert_eq(set(numbered("k", i), CLQ_STR("v"), 0,
		    i < 32 ? 1000 : 10), CLQ_OK);
	cr_assert_eq(set(CLQ_STR("one more"), CLQ_STR("v"), 10, 1000), CLQ_OK);
	for (int i = 0; i < 32; i++)
		cr_assert(has(numbered("k", i), 10), "%d", i);
	cr_assert_eq(stats().n_evicted, 0);
	cr_assert_eq(stats().n_entries, 33);
	check();
}

Test(memtable, makes_room_for_a_large_entry)
{
	struct clq_str large = text_of(60 * 120, 1), v;

	for (int i = 0; i < 64; i++)
		cr_assert_eq(set(numbered("k", i), CLQ_STR("v"), 0, 1000),
		    CLQ_OK);
	cr_assert_eq(set(CLQ_STR("large"), large, 0, 1000), CLQ_OK);
	cr_assert_eq(stats().n_entries, 1, "too large for others");
	cr_assert_eq(mem_table_get(t, arena, CLQ_STR("large"), 0, &v), CLQ_OK);
	cr_assert(clq_str_eq(v, large));
	check();
}

Test(memtable, refuses_what_never_fits_and_drops_the_old_value)
{
	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("old"), 0, 1000), CLQ_OK);
	cr_assert_eq(set(CLQ_STR("other"), CLQ_STR("v"), 0, 1000), CLQ_OK);
	cr_assert_eq(set(CLQ_STR("k"), text_of(64 * 120, 1), 0, 1000),
	    CLQ_INVALID);
	cr_assert(!has(CLQ_STR("k"), 0));
	cr_assert(has(CLQ_STR("other"), 0), "nobody else pays for it");
	check();
}

Test(memtable, expires_to_the_millisecond)
{
	clq_msec left;

	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("v"), 100, 50), CLQ_OK);
	cr_assert(has(CLQ_STR("k"), 149));
	cr_assert_eq(mem_table_ttl(t, CLQ_STR("k"), 149, &left), CLQ_OK);
	cr_assert_eq(left, 1);
	cr_assert_eq(mem_table_expire(t, CLQ_STR("k"), 149, 10), CLQ_OK);
	cr_assert(has(CLQ_STR("k"), 158));
	cr_assert_eq(mem_table_ttl(t, CLQ_STR("k"), 159, &left),
	    CLQ_NOT_FOUND);
	cr_assert_eq(stats().n_entries, 0, "dropped when looked at");
	cr_assert_eq(mem_table_expire(t, CLQ_STR("k"), 159, 10),
	    CLQ_NOT_FOUND);

	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("v"), 100, INT64_MAX), CLQ_OK);
	cr_assert(has(CLQ_STR("k"), INT64_MAX - 1), "no overflow");
	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("v"), 100, 0), CLQ_OK);
	cr_assert(!has(CLQ_STR("k"), 100));
}

Test(memtable, flushes_a_prefix_or_all)
{
	struct mem_table_stats s;

	for (int i = 0; i < 10; i++) {
		cr_assert_eq(set(numbered("a:", i), CLQ_STR("v"), 0, 9),
		    CLQ_OK);
		cr_assert_eq(set(numbered("ab:", i), text_of(300, 1), 0, 9),
		    CLQ_OK);
	}
	cr_assert_eq(mem_table_flush(t, CLQ_STR("a:")), CLQ_OK);
	cr_assert_eq(stats().n_entries, 10);
	cr_assert(has(CLQ_STR("ab:3"), 0));
	cr_assert(!has(CLQ_STR("a:3"), 0));
	check();
	cr_assert_eq(mem_table_flush(t, CLQ_STR("")), CLQ_OK);
	s = stats();
	cr_assert_eq(s.n_entries, 0);
	cr_assert_eq(s.n_used, 0);
	check();
}

/* Compare with a model that knows what was stored last. */
Test(memtable, agrees_with_a_model_over_many_operations)
{
	enum { KEYS = 40 };
	unsigned model[KEYS] = { 0 };	/* seed of the value; 0: removed */
	struct clq_str v;
	unsigned r = 1;

	for (unsigned i = 1; i <= 20000; i++) {
		unsigned k;

		r = r * 1103515245u + 12345u;
		k = r >> 16 & 0x7fff;
		switch (k % 4) {
		case 0:
		case 1:
			cr_assert_eq(set(numbered("k", (int)(k / 4 % KEYS)),
			    text_of(k % 400, i), 0, 9), CLQ_OK);
			model[k / 4 % KEYS] = i;
			break;
		case 2:
			if (mem_table_take(t, arena,
			    numbered("k", (int)(k / 4 % KEYS)), 0,
			    &v) == CLQ_OK)
				cr_assert(clq_str_eq(v, text_of(v.len,
				    model[k / 4 % KEYS])));
			model[k / 4 % KEYS] = 0;
			break;
		default:
			if (mem_table_get(t, arena,
			    numbered("k", (int)(k / 4 % KEYS)), 0,
			    &v) != CLQ_OK)
				break;
			cr_assert_neq(model[k / 4 % KEYS], 0);
			cr_assert(clq_str_eq(v, text_of(v.len,
			    model[k / 4 % KEYS])));
		}
		if (i % 500 == 0) {
			check();
			clq_arena_reset(arena);
		}
	}
	cr_assert_gt(stats().n_evicted, 0);
	cr_assert_eq(stats().n_resets, 0);
}

/* Run fn in a process that ends with the lock in its hand. */
static void
die_locked(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (mem_table_lock(t) == CLQ_OK)
			fn();
		raise(SIGKILL);
	}
	cr_assert_gt(pid, 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void
nothing(void)
{
}

static void
begin_a_change(void)
{
	change(t);
	mem_entry(t, t->newest)->older = 0;
}

static void
damage_silently(void)
{
	t->n_used++;
}

static void
make_a_circle(void)
{
	mem_entry(t, t->newest)->newer = t->oldest;
}

static void
point_outside(void)
{
	mem_entry(t, t->oldest)->chain = 1000000;
	mem_entry(t, t->oldest)->newer = 1000000;
}

static void
write_over_blocks(void)
{
	memset(mem_block(t, 0), 0x5a, 3 * MEM_BLOCK_SIZE);
}

static void
lie_about_length(void)
{
	mem_entry(t, t->newest)->value_len = UINT32_MAX;
}

static void
fill_a_little(void)
{
	for (int i = 0; i < 10; i++)
		cr_assert_eq(set(numbered("k", i), CLQ_STR("v"), 0, 1000),
		    CLQ_OK);
}

Test(memtable, keeps_all_if_a_holder_dies_between_changes)
{
	fill_a_little();
	die_locked(nothing);
	cr_assert(has(CLQ_STR("k0"), 0));
	cr_assert_eq(stats().n_entries, 10);
	cr_assert_eq(stats().n_resets, 0);
	check();
}

Test(memtable, forgets_all_if_a_holder_dies_within_a_change)
{
	static void (*const damage[])(void) = {
		begin_a_change, damage_silently, make_a_circle, point_outside,
		write_over_blocks, lie_about_length
	};

	for (size_t i = 0; i < CLQ_COUNT(damage); i++) {
		fill_a_little();
		check();
		die_locked(damage[i]);
		cr_assert(!has(CLQ_STR("k0"), 0), "%zu", i);
		cr_assert_eq(stats().n_entries, 0, "%zu", i);
		cr_assert_eq(stats().n_resets, i + 1, "%zu", i);
		check();
	}
}

Test(memtable, survives_processes_killed_anywhere)
{
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (int k = 0; ; k = (k + 1) % 100) {
				clq_arena_reset(arena);
				if (set(numbered("k", k), text_of(
				    (size_t)k * 5, 1), 0, 9) != CLQ_OK)
					_exit(1);
			}
		cr_assert_gt(pid, 0);
		usleep(1000 + (useconds_t)i * 37);
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		check();
		fill_a_little();
		cr_assert(has(CLQ_STR("k5"), 0));
	}
}

/* A stopped worker must not stop the others for good. */
Test(memtable, gives_up_on_a_lock_that_nobody_opens)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (mem_table_lock(t) == CLQ_OK)
			raise(SIGSTOP);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("v"), 0, 9), CLQ_UNAVAILABLE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_assert_eq(set(CLQ_STR("k"), CLQ_STR("v"), 0, 9), CLQ_OK);
}

/* An instance as the master makes one from an ini; NULL if refused. */
static void *
configured(const char *option)
{
	struct clq_str ini = clq_arena_printf(arena, "[app:main]\n%s\n",
	    option);
	struct clq_settings *s;
	void *self = NULL;
	enum clq_status st;

	st = clq_settings_parse("test", ini, &s);
	if (st == CLQ_OK)
		st = mem_configure(s, "cache", &self);
	cr_assert_eq(st == CLQ_OK, self != NULL);
	clq_settings_free(&s);
	return self;
}

Test(memtable, goes_on_through_a_reload)
{
	void *old = configured(""), *same, *other;
	struct clq_str v;

	cr_assert_eq(mem_set(old, CLQ_STR("k"), CLQ_STR("v"), 60000), CLQ_OK);
	same = configured("cache_max_size_bytes = 524288");
	other = configured("cache_max_size_bytes = 8192");
	cr_assert_eq(mem_get(same, arena, CLQ_STR("k"), &v), CLQ_OK);
	cr_assert_eq(mem_get(other, arena, CLQ_STR("k"), &v), CLQ_NOT_FOUND);
	mem_close(old);
	cr_assert_eq(mem_get(same, arena, CLQ_STR("k"), &v), CLQ_OK);
	mem_close(other);
	mem_close(same);
	cr_assert_null(areas);
}

Test(memtable, keeps_to_its_size)
{
	void *self = configured("cache_max_size_bytes = 100000");
	struct mem_table_stats s = { .n_used = 0 };
	struct clq_str v;

	for (int i = 0; i < 2000; i++)
		cr_assert_eq(mem_set(self, numbered("k", i), text_of(100, 1),
		    60000), CLQ_OK);
	cr_assert_eq(mem_table_stats(mem_self(self), &s), CLQ_OK);
	cr_assert_leq(s.n_used * MEM_BLOCK_SIZE, 100000);
	cr_assert_gt(s.n_used * MEM_BLOCK_SIZE, 75000);
	cr_assert_eq(mem_set(self, CLQ_STR("k"), text_of(100000, 1), 60000),
	    CLQ_OK, "not stored, which a cache may do");
	cr_assert_eq(mem_get(self, arena, CLQ_STR("k"), &v), CLQ_NOT_FOUND);
	mem_close(self);
}

Test(memtable, refuses_a_senseless_size)
{
	cr_assert_null(configured("cache_max_size_bytes = 100"));
	cr_assert_null(configured("cache_max_size_bytes = -1"));
	cr_assert_null(configured("cache_max_size_bytes = 100000000000"),
	    "the core allows it, this plugin does not");
}
