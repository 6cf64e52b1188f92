/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table behind memory.so: keys and values with deadlines in one area of
 * fixed size that several processes share.
 *
 * Every function takes the area's lock itself, but for those that say
 * otherwise. Times are milliseconds of the machine's monotonic clock; the
 * caller gives them, so that tests can choose them.
 */
#ifndef CLQ_CACHE_MEMORY_TABLE_H
#define CLQ_CACHE_MEMORY_TABLE_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

struct mem_table;

enum { MEM_TABLE_MIN = 4096 };		/* bytes */
#define MEM_TABLE_MAX	(INT64_C(64) << 30)

/* Bytes an area must have whose keys and values, with what it takes to keep
 * them, fill at most max_bytes. */
size_t mem_table_area(size_t max_bytes);

/*
 * Make an empty table in a zeroed area of mem_table_area(max_bytes) bytes,
 * which starts at a page. seed varies the hash from server to server. Returns
 * NULL if the system has no robust process-shared mutexes.
 */
struct mem_table *mem_table_init(void *area, size_t max_bytes, uint32_t seed);

/* CLQ_OK, CLQ_NOT_FOUND or CLQ_UNAVAILABLE (lock not obtained; logged). The
 * value is copied into the arena. */
enum clq_status mem_table_get(struct mem_table *t, struct clq_arena *arena,
    struct clq_str key, clq_msec now, struct clq_str *value) CLQ_MUST_CHECK;

/* The same, and the entry is gone: of several callers one gets it. */
enum clq_status mem_table_take(struct mem_table *t, struct clq_arena *arena,
    struct clq_str key, clq_msec now, struct clq_str *value) CLQ_MUST_CHECK;

/*
 * Store, as the newest entry; an older value of key is gone in any case.
 * CLQ_INVALID if the whole table could not hold the entry, CLQ_UNAVAILABLE.
 */
enum clq_status mem_table_set(struct mem_table *t, struct clq_str key,
    struct clq_str value, clq_msec now, clq_msec ttl) CLQ_MUST_CHECK;

/* Milliseconds left, more than 0. CLQ_NOT_FOUND, CLQ_UNAVAILABLE. */
enum clq_status mem_table_ttl(struct mem_table *t, struct clq_str key,
    clq_msec now, clq_msec *left) CLQ_MUST_CHECK;

/* A new ttl, counted from now. CLQ_NOT_FOUND, CLQ_UNAVAILABLE. */
enum clq_status mem_table_expire(struct mem_table *t, struct clq_str key,
    clq_msec now, clq_msec ttl) CLQ_MUST_CHECK;

/* Drop what begins with prefix; takes time in proportion to the table. */
enum clq_status mem_table_flush(struct mem_table *t, struct clq_str prefix)
    CLQ_MUST_CHECK;

struct mem_table_stats {
	uint32_t	n_entries;
	uint32_t	n_blocks;	/* in the table */
	uint32_t	n_used;		/* by entries, expired ones included */
	uint32_t	n_evicted;	/* entries, since the start; wraps */
	uint32_t	n_resets;	/* after a crash within a change */
};

enum clq_status mem_table_stats(struct mem_table *t,
    struct mem_table_stats *out) CLQ_MUST_CHECK;

/* Blocks that an entry takes: what evictions are counted in. */
uint32_t mem_table_cost(size_t key_len, size_t value_len);

/*
 * The lock by itself, for tests. Waits a second at most. If the holder died,
 * the table is checked, emptied if it was being changed or does not hold
 * together, and goes on.
 */
enum clq_status mem_table_lock(struct mem_table *t) CLQ_MUST_CHECK;
void mem_table_unlock(struct mem_table *t);

/* True if all links and counts agree. The caller holds the lock. */
bool mem_table_check(const struct mem_table *t);

#endif
