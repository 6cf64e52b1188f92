/* SPDX-License-Identifier: Apache-2.0 */
/* Each test runs in its own process, hence may set CLQ_TEST_NOW itself. */
#include <cliquet/clock.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

Test(clock, tells_the_time)
{
	clq_msec now;
	time_t before, after;

	unsetenv("CLQ_TEST_NOW");
	before = time(NULL);
	now = clq_now();
	after = time(NULL);
	/* time() may lag behind by one tick */
	cr_assert_geq(now / 1000, before);
	cr_assert_leq(now / 1000, after + 1);
}

Test(clock, can_be_frozen)
{
	setenv("CLQ_TEST_NOW", "1795454839427", 1);
	cr_assert_eq(clq_now(), 1795454839427);
	setenv("CLQ_TEST_NOW", "5", 1);
	cr_assert_eq(clq_now(), 1795454839427, "read more than once");
}

Test(clock, ignores_a_bad_frozen_time)
{
	setenv("CLQ_TEST_NOW", "noon", 1);
	cr_assert_gt(clq_now(), 1000);
}

Test(clock, does_not_thaw)
{
	unsetenv("CLQ_TEST_NOW");
	clq_now();
	setenv("CLQ_TEST_NOW", "5", 1);
	cr_assert_neq(clq_now(), 5);
}

Test(clock, monotonic_advances)
{
	struct timespec nap = { 0, 20 * 1000 * 1000 };
	clq_msec start = clq_monotonic(), passed;

	nanosleep(&nap, NULL);
	passed = clq_monotonic() - start;
	cr_assert_geq(passed, 19);
	cr_assert_lt(passed, 60000);
}

Test(clock, writes_http_dates)
{
	static const struct { clq_msec t; const char *text; } cases[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 999, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 1000, "Thu, 01 Jan 1970 00:00:01 GMT" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ -1000, "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ 1795454839427, "Mon, 23 Nov 2026 17:27:19 GMT" },
		{ 1709164800000, "Thu, 29 Feb 2024 00:00:00 GMT" },
		{ 4102444799999, "Thu, 31 Dec 2099 23:59:59 GMT" },
	};
	struct clq_arena *arena = clq_arena_new();
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		s = clq_http_date(arena, cases[i].t);
		cr_expect(clq_str_is(s, cases[i].text), "%.*s", CLQ_FMT(s));
	}
	/* no crash at the ends of the range */
	cr_expect_gt(clq_http_date(arena, INT64_MAX).len, 29);
	cr_expect_gt(clq_http_date(arena, INT64_MIN).len, 29);
	clq_arena_free(&arena);
}
