/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys for the cache backend (section 11-5.3): prefix, bounds, hashes.
 *
 * A key goes to the backend as prefix + key if the contract allows it, else as
 * prefix + '#' + SHA-256. Keys that begin with '#' are always hashed, so that
 * no client can choose a key that is the hash of another. A prefix which is
 * itself not allowed becomes a hash too; flush uses the same one.
 */
#include "cache.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>

#include "timed.h"

enum {
	HASH_LEN = 64,
	/* Leaves room for '#' and a hash. */
	MAX_PREFIX = CLQ_CACHE_MAX_KEY - HASH_LEN - 1
};

/* No blanks, no control characters: what backends take as it is. */
static bool
is_plain(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

static struct clq_str
safe_prefix(const struct clq_cache *c, struct clq_arena *arena)
{
	if (c->prefix.len == 0)
		return CLQ_STR("");
	if (c->prefix.len <= MAX_PREFIX && is_plain(c->prefix))
		return c->prefix;
	return clq_sha256_hex(arena, c->prefix);
}

static struct clq_str
full_key(const struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key)
{
	struct clq_str prefix = safe_prefix(c, arena);
	const char *mark = "";

	if (key.len > CLQ_CACHE_MAX_KEY - prefix.len || !is_plain(key) ||
	    (key.len > 0 && key.p[0] == '#')) {
		key = clq_sha256_hex(arena, key);
		mark = "#";
	}
	return clq_arena_printf(arena, "%.*s%s%.*s", CLQ_FMT(prefix), mark,
	    CLQ_FMT(key));
}

/* Of a call: the clock stops, its result goes on. */
static enum clq_status
done(const struct clq_cache *c, const struct clq_call *call,
    struct clq_str method, enum clq_status rc)
{
	clq_call_end(c->timed, call, method);
	return rc;
}

/* For those who only want it gone. */
static enum clq_status
drop(struct clq_cache *c, struct clq_arena *arena, struct clq_str key)
{
	struct clq_str old;

	return clq_cached_take(c, arena, key, &old);
}

enum clq_status
clq_cached_get(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value)
{
	struct clq_call call;
	enum clq_status rc;

	if (c->ops == NULL)
		return CLQ_NOT_FOUND;
	call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
	rc = done(c, &call, CLQ_STR("get"), c->ops->get(c->self, arena,
	    full_key(c, arena, key), value));
	clq_call_hit(c->timed, rc);
	return rc;
}

enum clq_status
clq_cached_set(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str value, clq_msec ttl)
{
	struct clq_call call;
	enum clq_status st;

	if (c->ops == NULL)
		return CLQ_OK;
	if (value.p == NULL)
		value = CLQ_STR("");
	if (ttl > 0 && value.len <= CLQ_CACHE_MAX_VALUE) {
		call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
		return done(c, &call, CLQ_STR("set"), c->ops->set(c->self,
		    full_key(c, arena, key), value, ttl));
	}
	if (ttl > 0)
		clq_log_once(CLQ_LOG_WARNING, "cache value too large",
		    "cache: a value of %zu bytes is not stored; the limit is "
		    "%d (said once)", value.len, (int)CLQ_CACHE_MAX_VALUE);
	st = drop(c, arena, key);
	return st == CLQ_NOT_FOUND ? CLQ_OK : st;
}

enum clq_status
clq_cached_take(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value)
{
	struct clq_call call;

	if (c->ops == NULL)
		return CLQ_NOT_FOUND;
	call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
	return done(c, &call, CLQ_STR("take"), c->ops->take(c->self, arena,
	    full_key(c, arena, key), value));
}

enum clq_status
clq_cached_ttl(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, clq_msec *left)
{
	struct clq_call call;

	if (c->ops == NULL)
		return CLQ_NOT_FOUND;
	call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
	return done(c, &call, CLQ_STR("ttl"), c->ops->ttl(c->self,
	    full_key(c, arena, key), left));
}

enum clq_status
clq_cached_expire(struct clq_cache *c, struct clq_arena *arena,
    struct clq_str key, clq_msec ttl)
{
	struct clq_call call;

	if (c->ops == NULL)
		return CLQ_NOT_FOUND;
	if (ttl <= 0)
		return drop(c, arena, key);
	call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
	return done(c, &call, CLQ_STR("expire"), c->ops->expire(c->self,
	    full_key(c, arena, key), ttl));
}

enum clq_status
clq_cached_flush(struct clq_cache *c, struct clq_arena *arena)
{
	struct clq_call call;

	if (c->ops == NULL)
		return CLQ_OK;
	call = clq_call_begin(c->timed, CLQ_TIMED_CACHE);
	return done(c, &call, CLQ_STR("flush"), c->ops->flush(c->self,
	    safe_prefix(c, arena)));
}
