/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layer over the cache backend sends it: prefixes, allowed keys,
 * hashes; and what it does without a backend. The backend is a table here that
 * remembers one key and its value.
 */
#include "core/cache.h"

#include <cliquet/crypto.h>

#include <criterion/criterion.h>

static struct clq_arena *arena;
static struct clq_cache cache;

/* The backend: what came last, and one entry. */
static struct fake {
	struct clq_str	 key;
	struct clq_str	 value;		/* absent: no entry */
	clq_msec	 ttl;
	int		 n_calls;
	enum clq_status	 answer;	/* unless CLQ_OK */
} fake;

static enum clq_status
called(struct clq_str key)
{
	fake.n_calls++;
	if (fake.answer == CLQ_OK && fake.value.p != NULL &&
	    !clq_str_eq(key, fake.key))
		return CLQ_NOT_FOUND;
	fake.key = key;
	return fake.answer;
}

static enum clq_status
fake_get(void *self, struct clq_arena *a, struct clq_str key,
    struct clq_str *value)
{
	enum clq_status st = called(key);

	cr_assert_eq(self, &fake);
	cr_assert_eq(a, arena);
	if (st == CLQ_OK && fake.value.p == NULL)
		st = CLQ_NOT_FOUND;
	if (st == CLQ_OK)
		*value = fake.value;
	return st;
}

static enum clq_status
fake_set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	cr_assert_eq(self, &fake);
	fake.value.p = NULL;
	fake.ttl = ttl;
	if (called(key) == CLQ_OK)
		fake.value = value;
	return fake.answer;
}

static enum clq_status
fake_take(void *self, struct clq_arena *a, struct clq_str key,
    struct clq_str *value)
{
	enum clq_status st = fake_get(self, a, key, value);

	if (st == CLQ_OK)
		fake.value.p = NULL;
	return st;
}

static enum clq_status
fake_ttl(void *self, struct clq_str key, clq_msec *left)
{
	cr_assert_eq(self, &fake);
	*left = fake.ttl;
	return called(key);
}

static enum clq_status
fake_expire(void *self, struct clq_str key, clq_msec ttl)
{
	cr_assert_eq(self, &fake);
	fake.ttl = ttl;
	return called(key);
}

static enum clq_status
fake_flush(void *self, struct clq_str prefix)
{
	cr_assert_eq(self, &fake);
	fake.value.p = NULL;
	return called(prefix);
}

static const struct clq_cache_ops fake_ops = {
	.size = sizeof(fake_ops),
	.get = fake_get, .set = fake_set, .take = fake_take,
	.ttl = fake_ttl, .expire = fake_expire, .flush = fake_flush,
};

static void
setup(void)
{
	arena = clq_arena_new();
	cache = (struct clq_cache){ .ops = &fake_ops, .self = &fake,
	    .prefix = CLQ_STR("app:") };
	fake = (struct fake){ .answer = CLQ_OK };
}

static void
teardown(void)
{
	clq_arena_free(&arena);
}

TestSuite(cached, .init = setup, .fini = teardown);

static struct clq_str
repeated(char c, size_t len)
{
	char *p = clq_arena_alloc(arena, len);

	memset(p, c, len);
	return (struct clq_str){ p, len };
}

/* The key that reaches the backend. */
static struct clq_str
sent(struct clq_str key)
{
	cr_assert_eq(clq_cached_set(&cache, arena, key, CLQ_STR("v"), 1),
	    CLQ_OK);
	cr_assert_leq(fake.key.len, (size_t)CLQ_CACHE_MAX_KEY);
	for (size_t i = 0; i < fake.key.len; i++)
		cr_assert(fake.key.p[i] > ' ' || fake.key.p[i] < 0);
	return fake.key;
}

static bool
is_hash_of(struct clq_str full, const char *prefix, struct clq_str key)
{
	struct clq_str hex = clq_sha256_hex(arena, key);
	struct clq_str want = clq_arena_printf(arena, "%s#%.*s", prefix,
	    CLQ_FMT(hex));

	return clq_str_eq(full, want);
}

Test(cached, passes_all_through)
{
	struct clq_str key = CLQ_STR("k"), v;
	clq_msec left;

	cr_assert_eq(clq_cached_set(&cache, arena, key, CLQ_STR("1"), 70),
	    CLQ_OK);
	cr_assert(clq_str_is(fake.key, "app:k"));
	cr_assert_eq(fake.ttl, 70);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_OK);
	cr_assert(clq_str_is(v, "1"));
	cr_assert_eq(clq_cached_get(&cache, arena, CLQ_STR("other"), &v),
	    CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_ttl(&cache, arena, key, &left), CLQ_OK);
	cr_assert_eq(left, 70);
	cr_assert_eq(clq_cached_expire(&cache, arena, key, 80), CLQ_OK);
	cr_assert_eq(fake.ttl, 80);
	cr_assert_eq(clq_cached_take(&cache, arena, key, &v), CLQ_OK);
	cr_assert(clq_str_is(v, "1"));
	cr_assert_eq(clq_cached_take(&cache, arena, key, &v), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_flush(&cache, arena), CLQ_OK);
	cr_assert(clq_str_is(fake.key, "app:"));
}

Test(cached, passes_failures_on)
{
	struct clq_str key = CLQ_STR("k"), v;
	clq_msec left;

	fake.answer = CLQ_UNAVAILABLE;
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_set(&cache, arena, key, key, 1),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_set(&cache, arena, key, key, 0),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_take(&cache, arena, key, &v),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_ttl(&cache, arena, key, &left),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_expire(&cache, arena, key, 1),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(clq_cached_flush(&cache, arena), CLQ_UNAVAILABLE);
}

Test(cached, sends_allowed_keys_as_they_are)
{
	struct clq_str longest = repeated('k', CLQ_CACHE_MAX_KEY - 4);

	cr_assert(clq_str_is(sent(CLQ_STR("a:b/\xc3\xa9#")),
	    "app:a:b/\xc3\xa9#"));
	cr_assert(clq_str_is(sent(CLQ_STR("")), "app:"));
	cr_assert_eq(sent(longest).len, (size_t)CLQ_CACHE_MAX_KEY);
	cr_assert(clq_str_eq((struct clq_str){ fake.key.p + 4, longest.len },
	    longest));
}

Test(cached, hashes_what_is_not_allowed)
{
	const struct clq_str keys[] = {
		CLQ_STR("a b"), CLQ_STR("a\tb"), CLQ_STR("a\r\nflush_all\r\n"),
		CLQ_STR("a\0b"), CLQ_STR("\x7f"),
		repeated('k', CLQ_CACHE_MAX_KEY - 3), repeated('k', 100000)
	};

	for (size_t i = 0; i < CLQ_COUNT(keys); i++)
		cr_assert(is_hash_of(sent(keys[i]), "app:", keys[i]), "%zu",
		    i);
}

/* A client that knows the hash of another's key cannot ask for it. */
Test(cached, keeps_hashes_for_itself)
{
	struct clq_str hashed = sent(CLQ_STR("a b")), forged;

	forged = (struct clq_str){ hashed.p + 4, hashed.len - 4 };
	cr_assert_eq(forged.p[0], '#');
	cr_assert(!clq_str_eq(sent(forged), hashed));
	cr_assert(is_hash_of(sent(forged), "app:", forged));
}

Test(cached, replaces_an_unusable_prefix)
{
	const struct clq_str prefixes[] = {
		CLQ_STR("my app:"), repeated('p', 186), repeated('p', 5000)
	};

	for (size_t i = 0; i < CLQ_COUNT(prefixes); i++) {
		struct clq_str hex = clq_sha256_hex(arena, prefixes[i]);

		cache.prefix = prefixes[i];
		(void)sent(repeated('k', 300));
		(void)sent(CLQ_STR("k"));
		cr_assert_eq(memcmp(fake.key.p, hex.p, hex.len), 0);
		cr_assert_eq(clq_cached_flush(&cache, arena), CLQ_OK);
		cr_assert(clq_str_eq(fake.key, hex), "the same one");
	}
	cache.prefix = repeated('p', 185);
	cr_assert_eq(sent(repeated('k', 300)).len, (size_t)CLQ_CACHE_MAX_KEY);
	cache.prefix = (struct clq_str){ NULL, 0 };
	cr_assert(clq_str_is(sent(CLQ_STR("k")), "k"));
	cr_assert_eq(clq_cached_flush(&cache, arena), CLQ_OK);
	cr_assert_eq(fake.key.len, 0);
	cr_assert_not_null(fake.key.p);
}

Test(cached, removes_instead_of_storing_what_cannot_be)
{
	struct clq_str key = CLQ_STR("k"), v;
	struct clq_str limit = repeated('v', CLQ_CACHE_MAX_VALUE);
	struct clq_str large = repeated('v', CLQ_CACHE_MAX_VALUE + 1);

	cr_assert_eq(clq_cached_set(&cache, arena, key, limit, 9), CLQ_OK);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_OK);
	cr_assert_eq(clq_cached_set(&cache, arena, key, large, 9), CLQ_OK);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_NOT_FOUND);

	cr_assert_eq(clq_cached_set(&cache, arena, key, key, 9), CLQ_OK);
	cr_assert_eq(clq_cached_set(&cache, arena, key, key, 0), CLQ_OK);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_set(&cache, arena, key, key, -1), CLQ_OK,
	    "there was none");

	cr_assert_eq(clq_cached_set(&cache, arena, key, key, 9), CLQ_OK);
	cr_assert_eq(clq_cached_expire(&cache, arena, key, -1), CLQ_OK);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_expire(&cache, arena, key, 0), CLQ_NOT_FOUND);

	cr_assert_eq(clq_cached_set(&cache, arena, key,
	    (struct clq_str){ NULL, 0 }, 9), CLQ_OK);
	cr_assert_eq(clq_cached_get(&cache, arena, key, &v), CLQ_OK);
	cr_assert_eq(v.len, 0);
}

Test(cached, without_a_backend_has_forgotten_all)
{
	struct clq_cache none = { .prefix = CLQ_STR("app:") };
	struct clq_str key = CLQ_STR("k"), v;
	clq_msec left;

	cr_assert_eq(clq_cached_set(&none, arena, key, key, 9), CLQ_OK);
	cr_assert_eq(clq_cached_get(&none, arena, key, &v), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_take(&none, arena, key, &v), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_ttl(&none, arena, key, &left), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_expire(&none, arena, key, 9), CLQ_NOT_FOUND);
	cr_assert_eq(clq_cached_flush(&none, arena), CLQ_OK);
	cr_assert_eq(fake.n_calls, 0);
}
