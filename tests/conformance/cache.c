/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every promise of <cliquet/cache.h>, for any cache backend.
 *
 * See fixture.h for the environment. CLQ_TEST_URL, if set, also names the
 * hosts of a backend that wants `cache_hosts`. A backend with a service of its
 * own is tested for its loss too if CLQ_TEST_STOP and CLQ_TEST_START hold
 * shell commands that kill it and start it again. The cache must hold 8 MiB;
 * the memory cache is told so.
 */
#include "tests/conformance/cache.h"

#include <string.h>
#include <time.h>

struct fixture f;
const struct clq_cache_ops *ops;

static int
flush_all(struct fixture *fx, void *ctx)
{
	(void)ctx;
	return fx->plugin->cache->flush(fx->self, CLQ_STR("")) != CLQ_OK;
}

void
cache_setup(void)
{
	fixture_configure(&f, "cache");
	ops = f.plugin->cache;
	cr_assert_not_null(ops);
	cr_assert_eq(fixture_wait(fixture_fork(&f, flush_all, NULL)), 0);
}

void
cache_teardown(void)
{
	fixture_close(&f);
}

static void
setup_open(void)
{
	cache_setup();
	fixture_open(&f);
}

TestSuite(cache, .init = setup_open, .fini = cache_teardown, .timeout = 120);

void
sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

struct clq_str
numbered(const char *name, int i)
{
	return clq_arena_printf(f.arena, "%s%d", name, i);
}

bool
stored(struct clq_str key, struct clq_str value)
{
	return ops->set(f.self, key, value, MINUTE) == CLQ_OK;
}

void
put(struct clq_str key, struct clq_str value, clq_msec ttl)
{
	cr_assert_eq(ops->set(f.self, key, value, ttl), CLQ_OK, "%.*s",
	    CLQ_FMT(key));
}

bool
holds(struct clq_str key, struct clq_str value)
{
	struct clq_str v = { NULL, 0 };

	return ops->get(f.self, f.arena, key, &v) == CLQ_OK && v.p != NULL &&
	    clq_str_eq(v, value);
}

bool
lacks(struct clq_str key)
{
	struct clq_str v;

	return ops->get(f.self, f.arena, key, &v) == CLQ_NOT_FOUND;
}

struct clq_str
text_of(size_t len, unsigned seed)
{
	char *p = clq_arena_alloc(f.arena, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (char)(' ' + (seed + i * 7 + i / 251) % 90);
	return (struct clq_str){ p, len };
}

Test(cache, has_nothing_at_first)
{
	struct clq_str v = CLQ_STR("untouched");
	clq_msec left = -7;

	cr_assert_eq(ops->get(f.self, f.arena, CLQ_STR("k"), &v),
	    CLQ_NOT_FOUND);
	cr_assert_eq(ops->take(f.self, f.arena, CLQ_STR("k"), &v),
	    CLQ_NOT_FOUND);
	cr_assert_eq(ops->ttl(f.self, CLQ_STR("k"), &left), CLQ_NOT_FOUND);
	cr_assert_eq(ops->expire(f.self, CLQ_STR("k"), 1000), CLQ_NOT_FOUND);
	cr_assert(clq_str_is(v, "untouched"));
	cr_assert_eq(left, -7);
	cr_assert(lacks(CLQ_STR("k")), "expire made nothing");
}

Test(cache, returns_values_as_they_were)
{
	static const struct clq_str values[] = {
		{ "", 0 },
		{ "null", 4 },
		{ "{\"a\":[1,2.50,true,\"x\"]}", 23 },
		{ "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", 11 },
		{ "line\r\nEND\r\nVALUE k 0 5\r\n", 24 },
		{ "\x01\x02\x7f '\\u0000", 11 },
		{ "noreply", 7 },
	};

	for (size_t i = 0; i < CLQ_COUNT(values); i++)
		put(numbered("v", (int)i), values[i], MINUTE);
	for (size_t i = 0; i < CLQ_COUNT(values); i++)
		cr_assert(holds(numbered("v", (int)i), values[i]), "%zu", i);
}

Test(cache, values_outlive_what_comes_after)
{
	struct clq_str v;

	put(CLQ_STR("k"), CLQ_STR("first"), MINUTE);
	cr_assert_eq(ops->get(f.self, f.arena, CLQ_STR("k"), &v), CLQ_OK);
	put(CLQ_STR("k"), CLQ_STR("other"), MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("other")));
	cr_assert(clq_str_is(v, "first"), "it lives in the arena");
}

Test(cache, overwrites)
{
	clq_msec left;

	put(CLQ_STR("k"), text_of(5000, 1), MINUTE);
	put(CLQ_STR("k"), CLQ_STR("short"), 10 * MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("short")));
	cr_assert_eq(ops->ttl(f.self, CLQ_STR("k"), &left), CLQ_OK);
	cr_assert(left > 9 * MINUTE && left <= 10 * MINUTE);
	put(CLQ_STR("k"), CLQ_STR(""), MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("")));
}

Test(cache, tells_what_is_left)
{
	clq_msec left, before = clq_monotonic();

	put(CLQ_STR("k"), CLQ_STR("v"), MINUTE);
	sleep_ms(150);
	cr_assert_eq(ops->ttl(f.self, CLQ_STR("k"), &left), CLQ_OK);
	cr_assert_leq(left, MINUTE - 140);
	cr_assert_geq(left, MINUTE - 10 - (clq_monotonic() - before));
}

/* It is there, or this machine was too busy to look before it ended. */
static bool
holds_until(clq_msec end, struct clq_str key, struct clq_str value)
{
	return holds(key, value) || clq_monotonic() >= end - 5;
}

Test(cache, forgets_on_time)
{
	clq_msec left, now = clq_monotonic();
	struct clq_str v;

	put(CLQ_STR("short"), CLQ_STR("v"), 300);
	put(CLQ_STR("token"), CLQ_STR("v"), 300);
	put(CLQ_STR("second"), CLQ_STR("v"), 1700);
	put(CLQ_STR("long"), CLQ_STR("v"), MINUTE);
	cr_assert(holds_until(now + 300, CLQ_STR("short"), CLQ_STR("v")));
	sleep_ms(310);
	cr_assert(lacks(CLQ_STR("short")));
	cr_assert_eq(ops->ttl(f.self, CLQ_STR("short"), &left), CLQ_NOT_FOUND);
	cr_assert_eq(ops->expire(f.self, CLQ_STR("short"), MINUTE),
	    CLQ_NOT_FOUND, "expiry is final");
	cr_assert(lacks(CLQ_STR("short")));
	cr_assert_eq(ops->take(f.self, f.arena, CLQ_STR("token"), &v),
	    CLQ_NOT_FOUND);
	sleep_ms(1100);
	cr_assert(holds_until(now + 1700, CLQ_STR("second"), CLQ_STR("v")),
	    "not too early");
	sleep_ms(300);
	cr_assert(lacks(CLQ_STR("second")));
	cr_assert(holds(CLQ_STR("long"), CLQ_STR("v")));
}

/* Store a key for two seconds, and prolong it before they have passed. */
static void
put_and_prolong(struct clq_str key, struct clq_str value)
{
	enum clq_status st;
	clq_msec end;

	do {
		end = clq_monotonic() + 2000;
		put(key, value, 2000);
		st = ops->expire(f.self, key, MINUTE);
	} while (st == CLQ_NOT_FOUND && clq_monotonic() >= end - 5);
	cr_assert_eq(st, CLQ_OK);
}

Test(cache, changes_the_ttl)
{
	clq_msec left, now;

	put(CLQ_STR("shorter"), CLQ_STR("w"), MINUTE);
	put_and_prolong(CLQ_STR("longer"), CLQ_STR("v"));
	now = clq_monotonic();
	cr_assert_eq(ops->expire(f.self, CLQ_STR("shorter"), 300), CLQ_OK);
	cr_assert_eq(ops->ttl(f.self, CLQ_STR("longer"), &left), CLQ_OK);
	cr_assert(left > MINUTE / 2 && left <= MINUTE);
	cr_assert(holds_until(now + 300, CLQ_STR("shorter"), CLQ_STR("w")));
	sleep_ms(2010);
	cr_assert(holds(CLQ_STR("longer"), CLQ_STR("v")));
	cr_assert(lacks(CLQ_STR("shorter")));
}

/* 30 days, 2038 and 2^32 seconds are where clocks of services change sense. */
Test(cache, takes_any_ttl)
{
	static const clq_msec days[] = { 29, 30, 31, 400, 12000, 60000 };
	clq_msec left, day = 24 * 60 * MINUTE;

	for (size_t i = 0; i < CLQ_COUNT(days); i++) {
		struct clq_str key = numbered("d", (int)i);

		put(key, CLQ_STR("v"), days[i] * day);
		cr_assert(holds(key, CLQ_STR("v")), "%d days", (int)days[i]);
		cr_assert_eq(ops->ttl(f.self, key, &left), CLQ_OK);
		cr_assert(left > days[i] * day - MINUTE &&
		    left <= days[i] * day, "%d days", (int)days[i]);
		cr_assert_eq(ops->expire(f.self, key, days[i] * day), CLQ_OK);
		cr_assert(holds(key, CLQ_STR("v")), "%d days", (int)days[i]);
	}
	put(CLQ_STR("ever"), CLQ_STR("v"), INT64_MAX);
	cr_assert(holds(CLQ_STR("ever"), CLQ_STR("v")));
}

Test(cache, tells_keys_apart)
{
	char longest[CLQ_CACHE_MAX_KEY], other[CLQ_CACHE_MAX_KEY];
	const struct clq_str keys[] = {
		{ longest, sizeof(longest) }, { other, sizeof(other) },
		{ longest, sizeof(longest) - 1 }, CLQ_STR("a"), CLQ_STR("ab"),
		CLQ_STR("A"), CLQ_STR("a:b"), CLQ_STR("\xc3\xa9\xe2\x82\xac"),
		CLQ_STR("{\"json\":[\"%s\\n\"]}"), CLQ_STR("../../x"),
		CLQ_STR("'; DROP TABLE cache; --"), CLQ_STR("%"), CLQ_STR("_")
	};
	struct clq_str key;
	char text[32];

	memset(longest, 'k', sizeof(longest));
	memset(other, 'k', sizeof(other));
	other[sizeof(other) - 1] = 'l';
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < CLQ_COUNT(keys); i++) {
			key = keys[i];
			if (memchr(key.p, ' ', key.len) != NULL)
				key.len = 2;	/* blanks are core's matter */
			snprintf(text, sizeof(text), "value %zu", i);
			if (pass == 0)
				put(key, clq_str_of(text), MINUTE);
			else
				cr_assert(holds(key, clq_str_of(text)), "%zu",
				    i);
		}
}

Test(cache, holds_large_values)
{
	static const size_t sizes[] = { 1, 1000, 65535, 65536, 900000 };

	for (size_t i = 0; i < CLQ_COUNT(sizes); i++)
		put(numbered("l", (int)i), text_of(sizes[i], (unsigned)i),
		    MINUTE);
	for (size_t i = 0; i < CLQ_COUNT(sizes); i++)
		cr_assert(holds(numbered("l", (int)i),
		    text_of(sizes[i], (unsigned)i)), "%zu", sizes[i]);
}

/* The largest may be too large for a service's configuration. */
Test(cache, never_returns_a_value_that_was_replaced_by_a_large_one)
{
	struct clq_str largest = text_of(CLQ_CACHE_MAX_VALUE, 1);

	put(CLQ_STR("k"), CLQ_STR("old"), MINUTE);
	put(CLQ_STR("k"), largest, MINUTE);
	cr_assert(holds(CLQ_STR("k"), largest) || lacks(CLQ_STR("k")));
	put(CLQ_STR("k"), CLQ_STR("new"), MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("new")));
}

Test(cache, may_forget_but_not_confuse)
{
	enum { N = 20000, LEN = 700 };
	struct clq_arena *kept = f.arena;
	int found = 0;

	f.arena = clq_arena_new();
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < N; i++) {
			struct clq_str key = numbered("many", i);

			clq_arena_reset(f.arena);
			key = numbered("many", i);
			if (pass == 0) {
				put(key, text_of(LEN, (unsigned)i), MINUTE);
			} else if (!lacks(key)) {
				cr_assert(holds(key, text_of(LEN,
				    (unsigned)i)), "%d", i);
				found++;
			}
		}
	cr_assert(holds(numbered("many", N - 1), text_of(LEN, N - 1)));
	cr_assert_gt(found, N / 5);
	clq_arena_free(&f.arena);
	f.arena = kept;
}

Test(cache, gives_away_once)
{
	struct clq_str v;

	put(CLQ_STR("t"), CLQ_STR("token"), MINUTE);
	put(CLQ_STR("u"), CLQ_STR("other"), MINUTE);
	cr_assert_eq(ops->take(f.self, f.arena, CLQ_STR("t"), &v), CLQ_OK);
	cr_assert(clq_str_is(v, "token"));
	cr_assert_eq(ops->take(f.self, f.arena, CLQ_STR("t"), &v),
	    CLQ_NOT_FOUND);
	cr_assert(lacks(CLQ_STR("t")));
	cr_assert_eq(ops->expire(f.self, CLQ_STR("t"), MINUTE),
	    CLQ_NOT_FOUND);
	cr_assert(holds(CLQ_STR("u"), CLQ_STR("other")));
	put(CLQ_STR("t"), CLQ_STR(""), MINUTE);
	cr_assert_eq(ops->take(f.self, f.arena, CLQ_STR("t"), &v), CLQ_OK);
	cr_assert_eq(v.len, 0);
	cr_assert_not_null(v.p);
	put(CLQ_STR("t"), CLQ_STR("again"), MINUTE);
	cr_assert(holds(CLQ_STR("t"), CLQ_STR("again")));
}

Test(cache, flushes)
{
	for (int i = 0; i < 50; i++) {
		put(numbered("p:", i), CLQ_STR("v"), MINUTE);
		put(numbered("q:", i), CLQ_STR("v"), MINUTE);
	}
	cr_assert_eq(ops->flush(f.self, CLQ_STR("p:")), CLQ_OK);
	for (int i = 0; i < 50; i++)
		cr_assert(lacks(numbered("p:", i)), "%d", i);
	put(CLQ_STR("p:1"), CLQ_STR("w"), MINUTE);
	cr_assert(holds(CLQ_STR("p:1"), CLQ_STR("w")), "and goes on");
	cr_assert_eq(ops->flush(f.self, CLQ_STR("")), CLQ_OK);
	cr_assert(lacks(CLQ_STR("p:1")));
	cr_assert(lacks(CLQ_STR("q:1")));
	put(CLQ_STR("q:1"), CLQ_STR("x"), MINUTE);
	cr_assert(holds(CLQ_STR("q:1"), CLQ_STR("x")));
}

Test(cache, answers_a_heartbeat)
{
	const struct clq_backend_ops *b = f.plugin->backend;

	put(CLQ_STR("k"), CLQ_STR("v"), MINUTE);
	cr_assert_eq(b->ping(f.self, false, 10000), CLQ_OK);
	cr_assert_eq(b->ping(f.self, true, 10000), CLQ_OK);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("v")));
}

static enum clq_status
ask(void)
{
	struct clq_str v;

	return ops->get(f.self, f.arena, CLQ_STR("k"), &v);
}

/* How long a thousand requests take that fail. */
static clq_msec
time_of_failures(void)
{
	clq_msec before = clq_monotonic();

	for (int i = 0; i < 1000; i++)	/* all of them, not only the first */
		cr_assert_eq(ask(), CLQ_UNAVAILABLE);
	cr_assert_eq(ops->set(f.self, CLQ_STR("k"), CLQ_STR("v"), MINUTE),
	    CLQ_UNAVAILABLE);
	cr_assert_eq(f.plugin->backend->ping(f.self, false, 1000),
	    CLQ_UNAVAILABLE);
	return clq_monotonic() - before;
}

/* Ask until there is an answer; the status of the last. */
static enum clq_status
ask_patiently(void)
{
	clq_msec end = clq_monotonic() + MINUTE;
	enum clq_status st;

	while ((st = ask()) == CLQ_UNAVAILABLE && clq_monotonic() < end)
		sleep_ms(100);
	return st;
}

Test(cache, comes_back_after_its_service_does)
{
	const char *stop = getenv("CLQ_TEST_STOP");
	const char *start = getenv("CLQ_TEST_START");
	clq_msec took = MINUTE;

	if (stop == NULL || start == NULL)
		cr_skip_test("no CLQ_TEST_STOP and CLQ_TEST_START");
	put(CLQ_STR("k"), CLQ_STR("v"), MINUTE);
	cr_assert_eq(system(stop), 0);
	for (int i = 0; i < 3 && took >= 3000; i++)	/* or all else is slow */
		took = time_of_failures();
	cr_assert_lt(took, 3000, "failures are quick");
	cr_assert_eq(system(start), 0);
	cr_assert_neq(ask_patiently(), CLQ_UNAVAILABLE);
	put(CLQ_STR("k"), CLQ_STR("new"), MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("new")));

	/* A restart that nobody noticed costs nothing. */
	cr_assert_eq(system(stop), 0);
	cr_assert_eq(system(start), 0);
	sleep_ms(300);
	cr_assert_neq(ask(), CLQ_UNAVAILABLE);
	put(CLQ_STR("k"), CLQ_STR("newer"), MINUTE);
	cr_assert(holds(CLQ_STR("k"), CLQ_STR("newer")));
}

/* What a tester need not write: the hosts from the URL, room enough. */
static void
complete_options(void)
{
	const char *options = getenv("CLQ_TEST_OPTIONS");
	const char *url = getenv("CLQ_TEST_URL");
	struct clq_arena *arena = clq_arena_new();
	struct clq_str text;

	if (options == NULL)
		options = "";
	text = clq_str_of(options);
	if (url != NULL && *url != '\0' &&
	    strstr(options, "cache_hosts") == NULL)
		text = clq_arena_printf(arena, "%.*s;cache_hosts = %s",
		    CLQ_FMT(text), url);
	if (strstr(options, "cache_max_size_bytes") == NULL)
		text = clq_arena_printf(arena,
		    "%.*s;cache_max_size_bytes = %d", CLQ_FMT(text), 8 << 20);
	setenv("CLQ_TEST_OPTIONS", clq_arena_cstr(arena, text), 1);
	clq_arena_free(&arena);
}

/* Visible, since Criterion looks its entry up. */
CLQ_API int
main(int argc, char **argv)
{
	complete_options();
	return fixture_main(argc, argv, "cache");
}
