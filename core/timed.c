/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the time of backend calls (see timed.h): two readings of the clock
 * for each, shared by the request's phases and the metrics.
 */
#include "timed.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "metrics.h"

static const char *const labels[] = { "method", NULL };
static const struct clq_metric seconds[] = {
	[CLQ_TIMED_STORAGE] = {
		.size = sizeof *seconds, .name = "backend.storage.seconds",
		.help = "Time of calls of the storage backend; with "
		    "permissions where one database has both.",
		.kind = CLQ_METRIC_TIMER, .labels = labels,
	},
	[CLQ_TIMED_PERMISSION] = {
		.size = sizeof *seconds, .name = "backend.permission.seconds",
		.help = "Time of calls of the permission backend.",
		.kind = CLQ_METRIC_TIMER, .labels = labels,
	},
	[CLQ_TIMED_CACHE] = {
		.size = sizeof *seconds, .name = "backend.cache.seconds",
		.help = "Time of calls of the cache backend.",
		.kind = CLQ_METRIC_TIMER, .labels = labels,
	},
};
static const struct clq_metric hits = {
	.size = sizeof hits, .name = "cache_hits", .kind = CLQ_METRIC_COUNTER,
	.help = "Looks into the cache that found something.",
};
static const struct clq_metric misses = {
	.size = sizeof misses, .name = "cache_misses",
	.kind = CLQ_METRIC_COUNTER,
	.help = "Looks into the cache that found nothing.",
};

_Static_assert(CLQ_COUNT(seconds) == CLQ_TIMED__COUNT, "");

enum clq_status
clq_timed_configure(struct clq_server *srv)
{
	enum clq_status rc = CLQ_OK;

	if (!srv->wants_phases && !clq_metrics_wanted(srv))
		return CLQ_OK;
	srv->timed = clq_arena_alloc(srv->arena, sizeof *srv->timed);
	srv->timed->srv = srv;
	srv->cache.timed = srv->timed;
	for (size_t i = 0; i < CLQ_COUNT(seconds) && rc == CLQ_OK; i++)
		rc = clq_add_metric(srv, &seconds[i]);
	if (rc == CLQ_OK)
		rc = clq_add_metric(srv, &hits);
	return rc == CLQ_OK ? clq_add_metric(srv, &misses) : rc;
}

struct clq_call
clq_call_begin(const struct clq_timed *t, enum clq_timed_kind kind)
{
	struct clq_call call = { .kind = kind };

	if (t == NULL)
		return call;
	call.since = clq_ticks();
	call.before = clq_phase_enter_at(kind == CLQ_TIMED_CACHE ?
	    CLQ_PHASE_CACHE : CLQ_PHASE_DATABASE, call.since);
	return call;
}

void
clq_call_end(const struct clq_timed *t, const struct clq_call *call,
    struct clq_str method)
{
	uint64_t now;

	if (t == NULL)
		return;
	now = clq_ticks();
	(void)clq_phase_enter_at(call->before, now);
	clq_observe(t->srv, &seconds[call->kind],
	    (int64_t)(now - call->since), &method);
}

void
clq_call_hit(const struct clq_timed *t, enum clq_status rc)
{
	if (t != NULL && (rc == CLQ_OK || rc == CLQ_NOT_FOUND))
		clq_observe(t->srv, rc == CLQ_OK ? &hits : &misses, 1, NULL);
}
