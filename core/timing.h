/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling where the time of a request went: `Server-Timing` for a sample of the
 * answers, a line in the log for each that was slow.
 */
#ifndef CLQ_TIMING_H
#define CLQ_TIMING_H

#include "server.h"

/* Read the settings; asks for the phases (phases.h) if they are needed. In the
 * master. CLQ_OK or CLQ_INVALID (said). */
enum clq_status clq_timing_configure(struct clq_server *srv) CLQ_MUST_CHECK;

/* Once the phases are known, before the response is finished: the header, if
 * this request is one of the sample. In a worker. */
void clq_timing_header(struct clq_request *req);

/* At the very end: the line, if it was slow; ns is how long it took. In a
 * worker. */
void clq_timing_slow(struct clq_request *req, uint64_t ns);

#endif
