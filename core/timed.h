/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock around each call of a backend (sections 07-8, 11-5).
 *
 * When somebody wants to know (phases.h, or a plugin that collects metrics),
 * views get tables whose functions take the time and call the real ones; else
 * they get the real ones, and nothing is paid.
 */
#ifndef CLQ_TIMED_H
#define CLQ_TIMED_H

#include "phases.h"
#include "server.h"

enum clq_timed_kind {
	CLQ_TIMED_STORAGE,
	CLQ_TIMED_PERMISSION,
	CLQ_TIMED_CACHE,
	CLQ_TIMED__COUNT
};

/* srv->timed; NULL: nobody wants to know. */
struct clq_timed {
	struct clq_server	*srv;
};

struct clq_call {
	enum clq_timed_kind	 kind;
	enum clq_phase_of	 before;
	uint64_t		 since;		/* clq_ticks() */
};

/* In the master, when all that could want it has been set up. CLQ_OK or
 * CLQ_INVALID (logged). */
enum clq_status clq_timed_configure(struct clq_server *srv) CLQ_MUST_CHECK;

/* What to call storage and permission with; NULL if there is none. */
const struct clq_storage_ops *clq_timed_storage(struct clq_server *srv,
    void **self);
const struct clq_permission_ops *clq_timed_permission(
    struct clq_server *srv, void **self);

/* Around a call for which there is no table; t may be NULL. method is a
 * literal: "commit". */
struct clq_call clq_call_begin(const struct clq_timed *t,
    enum clq_timed_kind kind);
void clq_call_end(const struct clq_timed *t, const struct clq_call *call,
    struct clq_str method);

/* Count what became of a look into the cache. */
void clq_call_hit(const struct clq_timed *t, enum clq_status rc);

#endif
