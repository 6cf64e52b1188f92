/* SPDX-License-Identifier: Apache-2.0 */
/* Wall clock in milliseconds, and the dates that HTTP headers carry. */
#ifndef CLQ_CLOCK_H
#define CLQ_CLOCK_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Now. Tests may freeze it with the environment variable CLQ_TEST_NOW. */
CLQ_API clq_msec clq_now(void);

/* Monotonic milliseconds, for durations and deadlines only. */
CLQ_API clq_msec clq_monotonic(void);

/* The same in nanoseconds, for what is short. */
CLQ_API uint64_t clq_ticks(void);

/* "Mon, 23 Nov 2026 17:27:19 GMT": RFC 1123, floored to the second. */
CLQ_API struct clq_str clq_http_date(struct clq_arena *arena, clq_msec t);

#ifdef __cplusplus
}
#endif
#endif
