/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections that a worker keeps, and their input and output.
 *
 * Nothing here blocks. A request that has arrived as a whole is served as it
 * came; one that comes in pieces is collected until it is whole; an answer that
 * the peer does not take at once is kept until it does. So a slow or silent peer
 * costs a place in the table, for a bounded time, and never the worker.
 */
#ifndef CLQ_FCGI_CONNECTION_H
#define CLQ_FCGI_CONNECTION_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "conf.h"
#include "handover.h"
#include "scan.h"

enum clq_conn_state {
	CLQ_CONN_FREE,
	CLQ_CONN_IDLE,		/* between requests, nothing read */
	CLQ_CONN_READING,	/* part of a request has been taken */
	CLQ_CONN_WRITING,	/* part of an answer has to be sent */
	CLQ_CONN_LINGER,	/* answered; waits for the peer to close */
	CLQ_CONN__COUNT
};

struct clq_conn {
	enum clq_conn_state	 state;
	int			 fd;
	bool			 nginx;		/* takes the hint of reply.h */
	bool			 served;	/* has had a request */
	bool			 hinted;	/* was asked to close */
	bool			 keep;		/* after this answer */
	uint16_t		 request_id;	/* last used */
	clq_msec		 since;		/* in this state */
	struct clq_scan		 scan;		/* READING */
	struct clq_bytes	 out;		/* WRITING */
	size_t			 sent;		/* of out; LINGER: bytes dropped */
	struct clq_conn		*next;		/* of the free ones */
};

/*
 * The part that outlives the worker: in memory shared with its keeper, which
 * uses descriptors and flags, never the pointers.
 */
struct clq_conn_table {
	_Atomic(int)		 busy;	/* descriptor being served; -1: none */
	size_t			 size;	/* of the mapping */
	struct clq_conn		 items[];
};

struct clq_conns {
	const struct clq_conf	*conf;
	const struct clq_server	*server;	/* knows whose bodies may be
						   large; NULL: nobody's */
	int			 epoll;
	struct clq_conn_table	*table;
	struct clq_conn		*items;		/* of the table */
	size_t			 max;
	size_t			 n;		/* in use */
	struct clq_conn		*free;
	unsigned char		*scratch;	/* CLQ_SCRATCH bytes */
};

/* As much as a socket's buffer holds: a request that fits is not collected. */
enum { CLQ_SCRATCH = 256 << 10 };

/* Empty table with its epoll descriptor; CLQ_FAILED (logged) without memory
 * or descriptors. conf is borrowed. In a worker. */
enum clq_status clq_conns_open(struct clq_conns *t,
    const struct clq_conf *conf) CLQ_MUST_CHECK;

/* Close all connections and free the table. */
void clq_conns_close(struct clq_conns *t);

/* Add a connected, non-blocking descriptor, which is taken over, on failure
 * too (closed). NULL if the table is full or epoll has no memory. */
struct clq_conn *clq_conns_add(struct clq_conns *t, const struct clq_orphan *o);

/* Close c and free its place. fd may be -1 already. */
void clq_conn_close(struct clq_conns *t, struct clq_conn *c);

enum clq_arrival {
	CLQ_INPUT_NONE,		/* nothing to serve yet */
	CLQ_INPUT_WHOLE,	/* a sound request, in t->scratch */
	CLQ_INPUT_KEPT,		/* a request, in c->scan; maybe refused */
	CLQ_INPUT_GONE		/* c has been closed */
};

/* A request that came in one piece. */
struct clq_whole {
	size_t	len;		/* bytes of t->scratch */
	size_t	nbody;		/* bytes of its body */
};

/*
 * Bytes may have arrived on an IDLE or READING connection. They are good until
 * the next call.
 * whole   out, for CLQ_INPUT_WHOLE
 */
enum clq_arrival clq_conn_input(struct clq_conns *t, struct clq_conn *c,
    struct clq_whole *whole);

/*
 * Send an answer (or keep what the peer does not take now). Afterwards c is
 * IDLE, WRITING or LINGER; false if c has been closed. c->keep decides.
 */
bool clq_conn_send(struct clq_conns *t, struct clq_conn *c,
    const struct iovec *iov, size_t n);

/* A WRITING connection takes bytes again, or a LINGER one sent some. */
void clq_conn_output(struct clq_conns *t, struct clq_conn *c);
void clq_conn_discard(struct clq_conns *t, struct clq_conn *c);

/* Ask the peer of an idle connection to close it: by the hint if it takes it,
 * else by closing. Nothing is done if it has just sent something. */
void clq_conn_dismiss(struct clq_conns *t, struct clq_conn *c);

/*
 * Give an idle connection to another worker. False if nobody can take it: c is
 * as before. On success only the descriptor is gone (fd == -1, which frees
 * the place at the next sweep). Async-signal-safe.
 */
bool clq_conn_give(struct clq_conns *t, struct clq_conn *c,
    const struct clq_handover *h);

/* The same for all but the busy one. */
void clq_conns_give(struct clq_conns *t, const struct clq_handover *h);

/* The process is about to die: send what is kept of answers, for as long as
 * that makes sense; those connections are idle then. Async-signal-safe. */
void clq_conns_flush(struct clq_conns *t);

/* Close what is over its time. leaving: the worker wants to end. */
void clq_conns_sweep(struct clq_conns *t, clq_msec now, bool leaving);

#endif
