/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks and the date format of HTTP.
 *
 * CLQ_TEST_NOW holds milliseconds since 1970; it is read at the first call
 * only, so that a request never sees time jump. Dates are spelt here, since
 * strftime() would follow the locale.
 */
#include <cliquet/clock.h>

#include <cliquet/str.h>

#include <stdlib.h>
#include <time.h>

static clq_msec
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (clq_msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

clq_msec
clq_now(void)
{
	static enum { UNREAD, RUNNING, FROZEN } state;
	static clq_msec frozen;
	const char *env;

	if (state == UNREAD) {
		env = getenv("CLQ_TEST_NOW");
		if (env != NULL && clq_str_int(clq_str_of(env), &frozen))
			state = FROZEN;
		else
			state = RUNNING;
	}
	return state == FROZEN ? frozen : read_clock(CLOCK_REALTIME);
}

clq_msec
clq_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clq_ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct clq_str
clq_http_date(struct clq_arena *arena, clq_msec t)
{
	static const char days[7][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t seconds = t / 1000 - (t % 1000 < 0);
	struct tm tm;

	/* cannot fail: 64 bits of milliseconds stay below year 2^31 */
	gmtime_r(&seconds, &tm);
	return clq_arena_printf(arena, "%s, %02d %s %04ld %02d:%02d:%02d GMT",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900L, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
