/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cache backend offers (section 11-5.3): text values with a time to
 * live, outside any transaction.
 *
 * Keys come with `cache_prefix` already in front and are at most 250 bytes
 * without blanks and control characters (core hashes what is longer). Values
 * are JSON texts of at most CLQ_CACHE_MAX_VALUE bytes. A cache may forget
 * anything at any time, but must never return an expired or foreign value.
 * Functions run in a worker, one request at a time; all workers share what is
 * stored.
 */
#ifndef CLQ_CACHE_H
#define CLQ_CACHE_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLQ_CACHE_MAX_VALUE = 1000000, CLQ_CACHE_MAX_KEY = 250 };

/* CLQ_OK, CLQ_NOT_FOUND (absent or expired), CLQ_UNAVAILABLE. */
typedef enum clq_status clq_cache_get_f(void *self, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value);

/* ttl in milliseconds, positive. */
typedef enum clq_status clq_cache_set_f(void *self, struct clq_str key,
    struct clq_str value, clq_msec ttl);

/* Remove, and return the old value: exactly one of several concurrent callers
 * gets it (single-use tokens). CLQ_NOT_FOUND if there was none. */
typedef enum clq_status clq_cache_take_f(void *self, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value);

/* Milliseconds left; CLQ_NOT_FOUND if there is none. */
typedef enum clq_status clq_cache_ttl_f(void *self, struct clq_str key,
    clq_msec *left);

/* Change the ttl (milliseconds); CLQ_NOT_FOUND if there is no such key. */
typedef enum clq_status clq_cache_expire_f(void *self, struct clq_str key,
    clq_msec ttl);

/* Forget everything that begins with prefix (possibly more). */
typedef enum clq_status clq_cache_flush_f(void *self, struct clq_str prefix);

struct clq_cache_ops {
	uint32_t		 size;
	/* all required */
	clq_cache_get_f		*get;
	clq_cache_set_f		*set;
	clq_cache_take_f	*take;
	clq_cache_ttl_f		*ttl;
	clq_cache_expire_f	*expire;
	clq_cache_flush_f	*flush;
};

#ifdef __cplusplus
}
#endif
#endif
