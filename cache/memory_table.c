/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table in shared memory, bounded in bytes, oldest out first.
 *
 * Entries lie in chains of equal blocks (memory_blocks.h), so there is nothing
 * to compact, and the oldest entry is exactly the one to go.
 *
 * When a new entry does not fit, expired ones go, then the oldest, until with
 * the new one 80 % are filled (section 09-5). That walk comes once per fifth
 * of the table written, so that an operation's cost stays constant on average.
 *
 * A process may be killed while it holds the lock. The mutex is robust; `busy`
 * tells the next owner whether links were being changed. It empties the table
 * then: a cache may forget, and must not return what belongs to another key.
 */
#include "memory_table.h"

#include <cliquet/log.h>

#include "memory_blocks.h"

#include <errno.h>
#include <time.h>

enum {
	FILL_PERCENT = 80,
	LOCK_WAIT_SEC = 1
};

/* FNV-1a from a secret start, its bits mixed at the end: the low ones choose
 * the bucket. */
static uint32_t
hash(const struct mem_table *t, struct clq_str key)
{
	uint64_t h = UINT64_C(14695981039346656037) ^
	    ((uint64_t)t->seed << 32 | t->seed);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.p[i]) * UINT64_C(1099511628211);
	h ^= h >> 29;
	h *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

/* From here to the unlock, a death leaves links in an unknown state. The
 * fence keeps the compiler from moving a change in front of it. */
static void
change(struct mem_table *t)
{
	atomic_store(&t->busy, true);
	atomic_signal_fence(memory_order_seq_cst);
}

static void
reset(struct mem_table *t)
{
	change(t);
	for (uint32_t i = 0; i < t->n_buckets; i++)
		mem_buckets(t)[i] = MEM_NONE;
	t->fresh = 0;
	t->free = MEM_NONE;
	t->n_used = 0;
	t->n_entries = 0;
	t->oldest = MEM_NONE;
	t->newest = MEM_NONE;
}

static void
entry_remove(struct mem_table *t, uint32_t i)
{
	struct mem_entry *e = mem_entry(t, i);
	uint32_t *link = &mem_buckets(t)[e->hash & (t->n_buckets - 1)];

	change(t);
	while (*link != i)
		link = &mem_entry(t, *link)->chain;
	*link = e->chain;
	if (e->older != MEM_NONE)
		mem_entry(t, e->older)->newer = e->newer;
	else
		t->oldest = e->newer;
	if (e->newer != MEM_NONE)
		mem_entry(t, e->newer)->older = e->older;
	else
		t->newest = e->older;
	t->n_entries--;
	mem_chain_free(t, i);
}

static void
entry_add(struct mem_table *t, struct clq_str key, uint32_t h,
    struct clq_str value, clq_msec deadline)
{
	uint32_t *bucket = &mem_buckets(t)[h & (t->n_buckets - 1)];
	struct mem_cursor c = { t, 0, 0 };
	uint32_t head;

	change(t);
	head = mem_chain_alloc(t, mem_table_cost(key.len, value.len));
	*mem_entry(t, head) = (struct mem_entry){
		.chain = *bucket, .older = t->newest, .newer = MEM_NONE,
		.hash = h, .key_len = (uint32_t)key.len,
		.value_len = (uint32_t)value.len, .deadline = deadline,
	};
	c.block = head;
	mem_copy_in(&c, key);
	mem_copy_in(&c, value);
	*bucket = head;
	if (t->newest != MEM_NONE)
		mem_entry(t, t->newest)->newer = head;
	else
		t->oldest = head;
	t->newest = head;
	t->n_entries++;
}

/* The entry of key, or MEM_NONE; an expired one is dropped on the way. */
static uint32_t
find(struct mem_table *t, struct clq_str key, uint32_t h, clq_msec now)
{
	uint32_t i = mem_buckets(t)[h & (t->n_buckets - 1)];

	for (; i != MEM_NONE; i = mem_entry(t, i)->chain) {
		const struct mem_entry *e = mem_entry(t, i);
		struct mem_cursor c = { t, i, 0 };

		if (e->hash != h || e->key_len != key.len ||
		    !mem_text_begins(&c, key))
			continue;
		if (e->deadline > now)
			return i;
		entry_remove(t, i);
		return MEM_NONE;
	}
	return MEM_NONE;
}

/* Let need blocks be free, and a fifth of the table besides. */
static void
make_room(struct mem_table *t, uint32_t need, clq_msec now)
{
	uint64_t target = (uint64_t)t->n_blocks * FILL_PERCENT / 100;
	uint32_t i, newer;

	for (i = t->oldest; i != MEM_NONE; i = newer) {
		newer = mem_entry(t, i)->newer;
		if (mem_entry(t, i)->deadline <= now)
			entry_remove(t, i);
	}
	while (t->oldest != MEM_NONE && (uint64_t)t->n_used + need > target) {
		entry_remove(t, t->oldest);
		t->n_evicted++;
	}
}

static struct clq_str
entry_value(struct mem_table *t, uint32_t i, struct clq_arena *arena)
{
	const struct mem_entry *e = mem_entry(t, i);
	struct mem_cursor c = { t, i, 0 };
	char *p;

	mem_copy_out(&c, NULL, e->key_len);
	p = clq_arena_alloc(arena, e->value_len);
	mem_copy_out(&c, p, e->value_len);
	return (struct clq_str){ p, e->value_len };
}

static clq_msec
deadline_of(clq_msec now, clq_msec ttl)
{
	return ttl > INT64_MAX - now ? INT64_MAX : now + ttl;
}

enum clq_status
mem_table_lock(struct mem_table *t)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOCK_WAIT_SEC;
	rc = pthread_mutex_clocklock(&t->mutex, CLOCK_MONOTONIC, &until);
	if (rc == EOWNERDEAD) {
		if (atomic_load(&t->busy) || !mem_table_check(t)) {
			reset(t);
			t->n_resets++;
			atomic_store(&t->busy, false);
			clq_log_warn("memory cache: emptied, since a process "
			    "died while it changed it");
		}
		rc = pthread_mutex_consistent(&t->mutex);
	}
	if (rc == 0)
		return CLQ_OK;
	clq_log_err("memory cache: not locked within %d s: %s", LOCK_WAIT_SEC,
	    strerror(rc));
	return CLQ_UNAVAILABLE;
}

void
mem_table_unlock(struct mem_table *t)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store(&t->busy, false);
	pthread_mutex_unlock(&t->mutex);
}

static enum clq_status
fetch(struct mem_table *t, struct clq_arena *arena, struct clq_str key,
    clq_msec now, bool take, struct clq_str *value)
{
	enum clq_status st = mem_table_lock(t);
	uint32_t i;

	if (st != CLQ_OK)
		return st;
	i = find(t, key, hash(t, key), now);
	if (i != MEM_NONE) {
		*value = entry_value(t, i, arena);
		if (take)
			entry_remove(t, i);
	}
	mem_table_unlock(t);
	return i != MEM_NONE ? CLQ_OK : CLQ_NOT_FOUND;
}

enum clq_status
mem_table_get(struct mem_table *t, struct clq_arena *arena,
    struct clq_str key, clq_msec now, struct clq_str *value)
{
	return fetch(t, arena, key, now, false, value);
}

enum clq_status
mem_table_take(struct mem_table *t, struct clq_arena *arena,
    struct clq_str key, clq_msec now, struct clq_str *value)
{
	return fetch(t, arena, key, now, true, value);
}

enum clq_status
mem_table_set(struct mem_table *t, struct clq_str key, struct clq_str value,
    clq_msec now, clq_msec ttl)
{
	uint32_t need = mem_table_cost(key.len, value.len);
	enum clq_status st = mem_table_lock(t);
	uint32_t h, i;

	if (st != CLQ_OK)
		return st;
	h = hash(t, key);
	i = find(t, key, h, now);
	if (i != MEM_NONE)
		entry_remove(t, i);
	if (need > t->n_blocks) {
		st = CLQ_INVALID;
	} else {
		if (need > t->n_blocks - t->n_used)
			make_room(t, need, now);
		entry_add(t, key, h, value, deadline_of(now, ttl));
	}
	mem_table_unlock(t);
	return st;
}

enum clq_status
mem_table_ttl(struct mem_table *t, struct clq_str key, clq_msec now,
    clq_msec *left)
{
	enum clq_status st = mem_table_lock(t);
	uint32_t i;

	if (st != CLQ_OK)
		return st;
	i = find(t, key, hash(t, key), now);
	if (i != MEM_NONE)
		*left = mem_entry(t, i)->deadline - now;
	mem_table_unlock(t);
	return i != MEM_NONE ? CLQ_OK : CLQ_NOT_FOUND;
}

enum clq_status
mem_table_expire(struct mem_table *t, struct clq_str key, clq_msec now,
    clq_msec ttl)
{
	enum clq_status st = mem_table_lock(t);
	uint32_t i;

	if (st != CLQ_OK)
		return st;
	i = find(t, key, hash(t, key), now);
	if (i != MEM_NONE)
		mem_entry(t, i)->deadline = deadline_of(now, ttl);
	mem_table_unlock(t);
	return i != MEM_NONE ? CLQ_OK : CLQ_NOT_FOUND;
}

enum clq_status
mem_table_flush(struct mem_table *t, struct clq_str prefix)
{
	enum clq_status st = mem_table_lock(t);
	uint32_t i, newer;

	if (st != CLQ_OK)
		return st;
	if (prefix.len == 0)
		reset(t);
	for (i = t->oldest; i != MEM_NONE; i = newer) {
		struct mem_cursor c = { t, i, 0 };

		newer = mem_entry(t, i)->newer;
		if (mem_entry(t, i)->key_len >= prefix.len &&
		    mem_text_begins(&c, prefix))
			entry_remove(t, i);
	}
	mem_table_unlock(t);
	return CLQ_OK;
}

enum clq_status
mem_table_stats(struct mem_table *t, struct mem_table_stats *out)
{
	enum clq_status st = mem_table_lock(t);

	if (st != CLQ_OK)
		return st;
	*out = (struct mem_table_stats){
		.n_entries = t->n_entries, .n_blocks = t->n_blocks,
		.n_used = t->n_used, .n_evicted = t->n_evicted,
		.n_resets = t->n_resets,
	};
	mem_table_unlock(t);
	return CLQ_OK;
}

size_t
mem_table_area(size_t max_bytes)
{
	return mem_blocks_offset(mem_count_buckets(max_bytes)) +
	    (size_t)mem_count_blocks(max_bytes) * MEM_BLOCK_SIZE;
}

struct mem_table *
mem_table_init(void *area, size_t max_bytes, uint32_t seed)
{
	struct mem_table *t = area;
	pthread_mutexattr_t attr;
	bool ok;

	if (pthread_mutexattr_init(&attr) != 0)
		return NULL;
	ok = pthread_mutexattr_setpshared(&attr,
	    PTHREAD_PROCESS_SHARED) == 0 &&
	    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
	    pthread_mutex_init(&t->mutex, &attr) == 0;
	pthread_mutexattr_destroy(&attr);
	if (!ok)
		return NULL;
	t->seed = seed;
	t->n_buckets = mem_count_buckets(max_bytes);
	t->n_blocks = mem_count_blocks(max_bytes);
	reset(t);
	atomic_store(&t->busy, false);
	return t;
}
