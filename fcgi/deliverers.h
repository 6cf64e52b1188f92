/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that deliver events from the outbox (core/outbox.h).
 *
 * Children of the master, one or more for each listener that needs them; started
 * again when they die, replaced on reload. They hold none of the descriptors
 * that others wait for. A process that serves without a master has a child
 * which is to them what the master would be.
 */
#ifndef CLQ_FCGI_DELIVERERS_H
#define CLQ_FCGI_DELIVERERS_H

#include <sys/types.h>

#include "../core/server.h"
#include "handover.h"
#include "listen.h"

/* What a child must let go of. */
struct clq_deliverers_start {
	const struct clq_listeners	*listeners;
	const struct clq_handover	*handover;	/* or NULL */
	struct clq_pidfile		*pidfile;	/* or NULL */
};

/*
 * At start and after each reload: have those of srv run, end the others. srv
 * must stay until the next call. start must stay.
 */
void clq_deliverers_configure(struct clq_server *srv,
    const struct clq_deliverers_start *start);

/* Was this dead child one of them? Then it will be started again by
 * clq_deliverers_look(). */
void clq_deliverers_reaped(pid_t pid);
void clq_deliverers_look(void);

/* Without a master, before anything of srv is open: have a child look after
 * them. */
void clq_deliverers_detach(struct clq_server *srv,
    const struct clq_deliverers_start *start);

/* The log was opened again: processes that have the new one. */
void clq_deliverers_reopen(void);

/* The end: they finish what they are about, within a moment. */
void clq_deliverers_stop(void);

#endif
