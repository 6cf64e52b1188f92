/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache as core uses it: a backend's table with `cache_prefix` in front of
 * every key (section 11-5.3).
 *
 * Keys may be any text here: one that the contract of <cliquet/cache.h> does
 * not allow (long, with blanks or control characters) is replaced by its
 * hash, without ever meeting another key. Functions run in a worker; the arena
 * is the request's. Without a backend (an empty `cache_backend`) every
 * function behaves as a cache that has forgotten all.
 */
#ifndef CLQ_CORE_CACHE_H
#define CLQ_CORE_CACHE_H

#include <cliquet/cache.h>

struct clq_timed;		/* timed.h */

struct clq_cache {
	const struct clq_cache_ops	*ops;	/* NULL: no backend */
	void				*self;
	struct clq_str			 prefix; /* borrowed; may be absent */
	const struct clq_timed		*timed;	/* NULL: no clock */
};

/* CLQ_OK (value in the arena), CLQ_NOT_FOUND or CLQ_UNAVAILABLE. */
enum clq_status clq_cached_get(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value) CLQ_MUST_CHECK;

/*
 * ttl in milliseconds; not positive: the key is removed. A value above
 * CLQ_CACHE_MAX_VALUE is not stored (logged once), the old one is removed.
 * CLQ_OK or CLQ_UNAVAILABLE.
 */
enum clq_status clq_cached_set(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str value, clq_msec ttl) CLQ_MUST_CHECK;

/* Remove and return: exactly one caller gets it. As clq_cached_get(). */
enum clq_status clq_cached_take(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value) CLQ_MUST_CHECK;

/* Milliseconds left. CLQ_OK, CLQ_NOT_FOUND or CLQ_UNAVAILABLE. */
enum clq_status clq_cached_ttl(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, clq_msec *left) CLQ_MUST_CHECK;

/* A new ttl in milliseconds; not positive: the key is removed. As above. */
enum clq_status clq_cached_expire(struct clq_cache *c,
    struct clq_arena *arena, struct clq_str key, clq_msec ttl) CLQ_MUST_CHECK;

/* Forget all keys under cache_prefix. CLQ_OK or CLQ_UNAVAILABLE. Exported for
 * the cliquet command. */
CLQ_API enum clq_status clq_cached_flush(struct clq_cache *c,
    struct clq_arena *arena) CLQ_MUST_CHECK;

#endif
