/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From FastCGI parameters and body to a struct clq_request.
 *
 * In a worker, once a request is complete and sound (scan.h). Everything is
 * copied into the arena: libfcgi's pointers die with its request.
 */
#ifndef CLQ_FCGI_REQUEST_H
#define CLQ_FCGI_REQUEST_H

#include "../core/request.h"
#include "feed.h"

/* A body that is in a file already, and not in the stream. */
struct clq_body_file {
	int			 fd;
	uint64_t		 len;
};

/* A request, and what the connection wants to know of it. */
struct clq_incoming {
	struct clq_request	*req;
	bool			 nginx;		/* it understands the hint */
	bool			 apache;	/* perhaps with mod_fcgid */
	struct clq_str		 remote;	/* REMOTE_ADDR; may be absent */
};

/*
 * Read a sound request with libfcgi.
 *
 * feed   where libfcgi reads it
 * nbody  bytes of the body, known from the scan
 * file   the body if nbody is 0 because it is in a file: closed with the arena,
 *        on any status; or NULL
 * out    filled on CLQ_OK; out->req->refused is set if CONTENT_LENGTH does not
 *        agree with the body (107), or if the caller set `refused`
 * CLQ_FAILED if libfcgi did not like it (logged).
 */
enum clq_status clq_incoming_read(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_feed *feed, size_t nbody,
    const struct clq_body_file *file, struct clq_incoming *out)
    CLQ_MUST_CHECK;

/*
 * Build a request that is to be refused: method, URI and the headers that came
 * in time are kept, so that the answer fits them. s->refused says why.
 */
void clq_incoming_refuse(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_scan *s, struct clq_incoming *out);

#endif
