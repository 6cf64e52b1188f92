/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the time of a request was spent on.
 *
 * A stop-watch with one hand: at any moment it runs for one phase, so that
 * the phases of a request add up to its time and nested work (a policy that
 * asks the database) counts once. Sub-requests of a batch add to the batch's.
 * Each change of phase reads the clock once; nothing is read unless somebody
 * asked with clq_phases_want(). A worker serves one request at a time, hence
 * there is one watch per process.
 */
#ifndef CLQ_PHASES_H
#define CLQ_PHASES_H

#include <cliquet/types.h>

enum clq_phase_of {
	CLQ_PHASE_ROUTE,	/* decode, gates, query string, find the route */
	CLQ_PHASE_AUTH,		/* the policies, without what they ask others */
	CLQ_PHASE_DATABASE,	/* storage and permission */
	CLQ_PHASE_CACHE,
	CLQ_PHASE_VIEW,		/* the endpoint itself, hooks, listeners */
	CLQ_PHASE_RENDER,	/* the answer's text and headers */
	CLQ_PHASE__COUNT
};

struct clq_server;

struct clq_phases {
	uint64_t	ns[CLQ_PHASE__COUNT];
};

/* "route", "auth", "database", ... */
CLQ_API const char *clq_phase_name(enum clq_phase_of phase);

/* Ask for req->phases in all requests of this server; in the master, while it
 * is being configured. */
CLQ_API void clq_phases_want(struct clq_server *srv);

/* Start the watch in ROUTE, into *p; now is of clq_ticks(). In a worker;
 * dispatch does it. */
void clq_phases_begin(struct clq_phases *p, uint64_t now);

/* Stop it: *p is complete. */
void clq_phases_end(uint64_t now);

/* From here on it is that phase; says which it was. Cheap without a watch. */
enum clq_phase_of clq_phase_enter(enum clq_phase_of phase);

/* The same for who has read the clock: now is of clq_ticks(). */
enum clq_phase_of clq_phase_enter_at(enum clq_phase_of phase, uint64_t now);

#endif
