/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics that are declared, the sinks that collect them, and what core
 * itself observes (section 07-8.1).
 */
#ifndef CLQ_CORE_METRICS_H
#define CLQ_CORE_METRICS_H

#include <cliquet/metrics.h>

#include "request.h"

struct clq_metrics;		/* srv->metrics */

struct clq_metrics *clq_metrics_new(struct clq_arena *arena);

/* In the master: can there be observations? True once a sink was added. */
bool clq_metrics_wanted(const struct clq_server *srv);

/* In the master, after everything else: tell the sinks what there will be.
 * CLQ_OK or CLQ_INVALID (said). */
enum clq_status clq_metrics_configure(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* In a worker. */
void clq_metrics_open(struct clq_server *srv);

/* In a worker that is about to wait: send what sinks have gathered. */
CLQ_API void clq_metrics_flush(struct clq_server *srv);

void clq_metrics_close(struct clq_server *srv);

/* Letters, digits (not first), '_', and those of `more`. */
bool clq_metric_name_valid(struct clq_str name, const char *more);

/* A metric "<before><name><after>" in the server's memory, declared. label: its
 * only one, or NULL. */
const struct clq_metric *clq_metric_named(struct clq_server *srv,
    const char *const parts[3], const char *label, const char *help);

/* ---- metrics_request.c ---------------------------------------------------- */

/* Declare the metrics of requests; their labels depend on
 * `metrics_matchdict_fields`. */
enum clq_status clq_request_metrics_declare(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* Observe a finished request or sub-request. ns: how long it took. */
void clq_request_metrics(struct clq_request *req, uint64_t ns);

#endif
