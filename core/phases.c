/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stop-watch of a request (see phases.h).
 */
#include "phases.h"

#include <cliquet/clock.h>

#include "server.h"

static struct {
	struct clq_phases	*phases;	/* NULL: stopped */
	enum clq_phase_of	 now;
	uint64_t		 since;
} watch;

const char *
clq_phase_name(enum clq_phase_of phase)
{
	static const char *const names[] = {
		[CLQ_PHASE_ROUTE]	= "route",
		[CLQ_PHASE_AUTH]	= "auth",
		[CLQ_PHASE_DATABASE]	= "database",
		[CLQ_PHASE_CACHE]	= "cache",
		[CLQ_PHASE_VIEW]	= "view",
		[CLQ_PHASE_RENDER]	= "render",
	};

	_Static_assert(CLQ_COUNT(names) == CLQ_PHASE__COUNT, "");
	return names[phase];
}

void
clq_phases_want(struct clq_server *srv)
{
	srv->wants_phases = true;
}

void
clq_phases_begin(struct clq_phases *p, uint64_t now)
{
	watch.phases = p;
	watch.now = CLQ_PHASE_ROUTE;
	watch.since = now;
}

void
clq_phases_end(uint64_t now)
{
	(void)clq_phase_enter_at(watch.now, now);
	watch.phases = NULL;
}

enum clq_phase_of
clq_phase_enter_at(enum clq_phase_of phase, uint64_t now)
{
	enum clq_phase_of before = watch.now;

	if (watch.phases == NULL)
		return before;
	watch.phases->ns[before] += now - watch.since;
	watch.since = now;
	watch.now = phase;
	return before;
}

enum clq_phase_of
clq_phase_enter(enum clq_phase_of phase)
{
	return watch.phases == NULL || phase == watch.now ? watch.now :
	    clq_phase_enter_at(phase, clq_ticks());
}
