/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-origin requests, section 01-5: the check of actual requests, preflight,
 * and the headers that every response carries.
 */
#ifndef CLQ_CORS_H
#define CLQ_CORS_H

#include "request.h"

/* Read `cors_origins` and `cors_max_age_seconds`; in the master. */
void clq_cors_configure(struct clq_server *srv);

/*
 * Collect a validation error if the request's Origin is not allowed (01-5.1).
 * For the place in the order of checks where validation begins, that is after
 * authorization; adds it once however often it is called. Dispatch calls it
 * for services before, and for resources at the latest after the view.
 * CLQ_OK or CLQ_INVALID.
 */
enum clq_status clq_cors_check(struct clq_request *req);

/* Answer an OPTIONS request on a matched route (01-5.3). */
enum clq_status clq_cors_preflight(struct clq_request *req) CLQ_MUST_CHECK;

/* Set Access-Control-* on the finished response (01-5.1, 5.2, 5.4). */
void clq_cors_headers(struct clq_request *req);

#endif
