/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a request that takes too long or kills its worker.
 *
 * A thread looks at the request that is being served, and handlers of fatal
 * signals are installed. So a view is never interrupted: what it waits in
 * (sleep, poll, a library) returns when it would without us. Both work while
 * core runs a request and may hold any lock, so they use system calls and
 * memory prepared before, nothing else.
 *
 *  - a request that runs for a moment: the other connections of the worker are
 *    given to others (handover.h), so that nobody waits behind it;
 *  - one that runs longer than request_timeout: its client gets 503, the worker
 *    ends with CLQ_EXIT_TIMEOUT, the master says which request it was and has
 *    SIGKILL in reserve;
 *  - a crash: its client gets 503, the other connections are given away, what
 *    is left of other answers is sent, and the signal takes its course.
 */
#ifndef CLQ_FCGI_WATCHDOG_H
#define CLQ_FCGI_WATCHDOG_H

#include "connection.h"
#include "scoreboard.h"

enum { CLQ_EXIT_TIMEOUT = 79 };	/* exit status of a worker that was ended */

struct clq_watchdog {
	struct clq_conns		*conns;
	const struct clq_handover	*handover;
	struct clq_slot			*slot;
	clq_msec			 limit;		/* 0: none */
	pid_t				 master;	/* 0: there is none */
	struct clq_server		*server;
};

/*
 * Install handlers and prepare the answer. settings gives Retry-After and
 * CORS. *w is copied; what it points to must outlive the worker.
 */
void clq_watchdog_start(const struct clq_watchdog *w,
    const struct clq_settings *settings);

/* Stop the thread; default handlers again. */
void clq_watchdog_stop(void);

/* Around core's work on one request of connection c. */
void clq_watchdog_begin(const struct clq_conn *c,
    const struct clq_request *req, clq_msec now);
void clq_watchdog_end(void);

#endif
