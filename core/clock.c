/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks and the date format of HTTP.
 *
 * CLQ_TEST_NOW holds milliseconds since 1970; it is read at the first call
 * only, so that a request never sees time jump. Dates are spelt here, since
 * strftime() would follow the locale.
 */
#include <cliquet/clock.h>

#include <cliquet/buf.h>
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

static void
two_digits(struct clq_buf *b, int n, char after)
{
	clq_buf_addc(b, (char)('0' + n / 10));
	clq_buf_addc(b, (char)('0' + n % 10));
	clq_buf_addc(b, after);
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

	struct clq_buf b;

	/* cannot fail: 64 bits of milliseconds stay below year 2^31 */
	gmtime_r(&seconds, &tm);
	clq_buf_init(&b, arena, 32);
	clq_buf_adds(&b, days[tm.tm_wday]);
	clq_buf_adds(&b, ", ");
	two_digits(&b, tm.tm_mday, ' ');
	clq_buf_adds(&b, months[tm.tm_mon]);
	clq_buf_addc(&b, ' ');
	if (tm.tm_year >= 1000 - 1900)
		clq_buf_addint(&b, tm.tm_year + 1900L);
	else
		clq_buf_printf(&b, "%04ld", tm.tm_year + 1900L);
	clq_buf_addc(&b, ' ');
	two_digits(&b, tm.tm_hour, ':');
	two_digits(&b, tm.tm_min, ':');
	two_digits(&b, tm.tm_sec, ' ');
	clq_buf_adds(&b, "GMT");
	return clq_buf_str(&b);
}
