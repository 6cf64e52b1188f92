/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking the time of backend calls (see timed.h): two readings of the clock
 * for each, shared by the request's phases and the metrics.
 */
#include "timed.h"

void
clq_timed_configure(struct clq_server *srv)
{
	if (!srv->wants_phases)
		return;
	srv->timed = clq_arena_alloc(srv->arena, sizeof *srv->timed);
	srv->timed->srv = srv;
	srv->cache.timed = srv->timed;
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
	(void)method;
}
