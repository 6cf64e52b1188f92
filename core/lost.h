/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests whose process ended before they were answered: for want of time, or
 * by a crash. Their client got 503 from the watchdog (fcgi/watchdog.h); here
 * they get their lines in the log and are counted, like all others.
 *
 * The dying process notes what only it knows; whoever survives it tells.
 */
#ifndef CLQ_LOST_H
#define CLQ_LOST_H

#include "request.h"

/* In shared memory: texts may be torn, and are cut at their size. */
struct clq_lost {
	int	method;			/* enum clq_method */
	char	rid[132];		/* empty: unknown */
	char	endpoint[64];		/* name of the route; empty: none */
};

/* Take what is known of req. Async-signal-safe; req is being served, maybe by
 * another thread. */
CLQ_API void clq_lost_note(struct clq_lost *lost,
    const struct clq_request *req);

/* The request's id, as far as it is fit for a log; into out[cap]. */
CLQ_API void clq_lost_rid(const struct clq_lost *lost, char *out, size_t cap);

/*
 * Write its lines: request.summary, and request.slow if it was.
 * what   "GET /v1/path", printable
 * ms     how long it had run
 */
CLQ_API void clq_lost_log(struct clq_server *srv, const struct clq_lost *lost,
    const char *what, clq_msec ms);

/* Count it in the metrics. In a worker. */
CLQ_API void clq_lost_count(struct clq_server *srv, const struct clq_lost *lost,
    clq_msec ms);

#endif
