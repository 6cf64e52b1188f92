/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one log line per request, section 07-9.
 */
#ifndef CLQ_SUMMARY_H
#define CLQ_SUMMARY_H

#include "request.h"

/* Take the time, unless whoever received it has, and the request's id:
 * X-Request-Id, or a new one. */
void clq_summary_begin(struct clq_request *req);

/* Write the line, once the response is finished. type: "request.summary", or
 * "subrequest.summary" inside a batch. */
void clq_summary_log(struct clq_request *req, const char *type);

#endif
