/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passing kept connections from one worker to another.
 *
 * A web server sends a request on any of its kept connections without knowing
 * who holds it. A worker that leaves, dies or is busy for long must therefore
 * not close or hold them: it puts them into this queue, a socket pair that the
 * master made and all workers share, and whoever is free takes them out. What
 * the web server has sent meanwhile waits in the connection's own buffer. With
 * this, replacing a worker breaks nothing, and one that dies loses its own
 * request only (keeper.h).
 */
#ifndef CLQ_FCGI_HANDOVER_H
#define CLQ_FCGI_HANDOVER_H

#include <cliquet/types.h>

struct clq_handover {
	int	put;		/* end that connections are put into; -1: none */
	int	get;		/* readable when one can be taken out */
};

/* What the next holder must know of a connection. */
struct clq_orphan {
	int		fd;
	uint16_t	request_id;	/* last used */
	bool		nginx;		/* takes the hint of reply.h */
	bool		served;		/* has had a request */
	bool		hinted;		/* was asked to close */
};

/* In the master, before it forks. CLQ_FAILED (logged) without descriptors. */
enum clq_status clq_handover_open(struct clq_handover *h) CLQ_MUST_CHECK;
void clq_handover_close(struct clq_handover *h);

/* Put a copy of o->fd into the queue; the caller still closes its own. False
 * if there is no queue or it is full. Async-signal-safe. */
bool clq_handover_put(const struct clq_handover *h,
    const struct clq_orphan *o);

/* Take one out; false if there is none. The descriptor is non-blocking. */
bool clq_handover_get(const struct clq_handover *h, struct clq_orphan *o);

#endif
