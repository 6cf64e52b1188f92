/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeding libfcgi from memory.
 *
 * libfcgi reads from descriptors only, and a request has been taken off its
 * socket before (connection.h): reading it there a second time costs a fifth
 * of the time of a short answer. So its way to read(2), which libfcgi calls by
 * a public name, is ours (feed.c). Bytes are not copied but into libfcgi's
 * buffer. In a worker.
 */
#ifndef CLQ_FCGI_FEED_H
#define CLQ_FCGI_FEED_H

#include <fcgiapp.h>
#include <sys/uio.h>

#include <cliquet/arena.h>

#include "scan.h"

/* Pieces of records, in order. Borrowed. */
struct clq_feed {
	const struct iovec	*iov;
	size_t			 n;
};

/*
 * Start libfcgi, once in a process, before signal handlers are set (it sets
 * some), and find out how it reads. CLQ_FAILED (logged) if it does not start.
 */
enum clq_status clq_feed_init(void) CLQ_MUST_CHECK;

/* From now on through a file, whatever libfcgi is like. */
void clq_feed_by_file(void);

/* Have libfcgi accept the request in feed, which must last until done; false if
 * it does not like it (there is nothing to be done then). */
bool clq_feed_accept(FCGX_Request *r, const struct clq_feed *feed);
void clq_feed_done(FCGX_Request *r);

/*
 * A collected request, which must be complete and not refused, in the plainest
 * of records. They are in the arena, their content is where s keeps it.
 */
struct clq_feed clq_feed_of_scan(struct clq_arena *arena,
    const struct clq_scan *s);

#endif
