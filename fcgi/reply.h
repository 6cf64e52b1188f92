/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as FastCGI records.
 *
 * libfcgi would cut them into records of 8 KiB, one write each. An answer is
 * laid out here as one vector, of a longer one over the response's own memory,
 * and goes out with one call. In a worker.
 */
#ifndef CLQ_FCGI_REPLY_H
#define CLQ_FCGI_REPLY_H

#include <sys/uio.h>

#include <cliquet/arena.h>

#include "../core/request.h"

/* A vector, in the arena, over memory of the request. */
struct clq_reply {
	struct iovec	*iov;
	size_t		 n;
};

/*
 * Lay out the response of req for the FastCGI request `id`.
 *
 * hint    append an empty STDERR record after the end. nginx keeps no
 *         connection on which something follows the end of a request, and
 *         ignores that record if it has sent the next one already: so it is
 *         asked to close without any race.
 */
struct clq_reply clq_reply_build(struct clq_request *req, unsigned id,
    bool hint);

/*
 * Take a Location out of an answer with status 200: Apache's mod_fcgid knows
 * only that of CGI, and would redirect the client instead of passing the answer
 * on. Location of uploads, which nobody needs (section 08-11:2).
 */
void clq_reply_no_redirect(struct clq_request *req);

/* An empty STDERR record: the hint by itself, for an idle connection. */
enum { CLQ_REPLY_HINT_LEN = 8 };
void clq_reply_hint(unsigned char out[CLQ_REPLY_HINT_LEN], unsigned id);

#endif
