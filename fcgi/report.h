/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors for Sentry: what is told, and how it gets to the process that sends it.
 *
 * What the log is told at `sentry_events_min_level` or above becomes an event,
 * made by the process that has met the error and sent through a socket pair
 * without waiting. The socket's buffer is the queue: when it is full, events
 * are lost, and requests never wait. A helper process of the master's
 * (sentry.h) takes them out.
 *
 * An event holds the message, method and path of the request that was being
 * served, its id, and names of this server. It has no query string, header,
 * body, cookie or user; passwords in URLs are masked.
 */
#ifndef CLQ_FCGI_REPORT_H
#define CLQ_FCGI_REPORT_H

#include <sys/types.h>

#include "../core/request.h"
#include "conf.h"

enum {
	CLQ_REPORT_MAX = 24576,		/* bytes of an event */
	CLQ_REPORT_ID = 32		/* of those, its id in front */
};

/*
 * At start and after each reload, in the master (or the only process): make the
 * channel, have the helper run as conf says, report from now on. conf must
 * outlive the process or the next call.
 */
void clq_report_configure(const struct clq_conf *conf);

/* Is this dead child the helper? Then another will be started by
 * clq_report_look(). In the master. */
void clq_report_reaped(pid_t pid);
void clq_report_look(void);

/* The log was opened again: a helper that has the new one. */
void clq_report_reopen(void);

/* The end: the helper gets a moment to send what it has. */
void clq_report_stop(void);

/* In a worker: what is being served; NULL: nothing. */
void clq_report_request(struct clq_request *req);

#endif
