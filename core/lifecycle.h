/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a service: read-only mode, backoff, end of service (07-4 to 7).
 */
#ifndef CLQ_LIFECYCLE_H
#define CLQ_LIFECYCLE_H

#include "request.h"

/* Read `eos`, `eos_message`, `eos_url`, `backoff`, `backoff_percentage`; in the
 * master. CLQ_OK or CLQ_INVALID (said). */
enum clq_status clq_lifecycle_configure(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* Steps 2 and 3 of section 01-2: 410 past the end, 405 for a writing verb in
 * read-only mode. CLQ_OK or CLQ_INVALID (clq_fail()ed). */
enum clq_status clq_lifecycle_gate(struct clq_request *req) CLQ_MUST_CHECK;

/* Set Backoff and Alert on the finished response. */
void clq_lifecycle_headers(struct clq_request *req);

#endif
