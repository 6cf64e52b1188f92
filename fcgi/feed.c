/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libfcgi reads (see feed.h).
 *
 * OS_Read() is declared in libfcgi's <fcgios.h>; the program's definition goes
 * before the library's, as for any shared library. Whether it does is found
 * out at the start, with a small request: with another kind of library nothing
 * could be served.
 */
#include "feed.h"

#include <cliquet/log.h>

#include <fcgios.h>

/* A number that no descriptor has, in case that libfcgi wants to close it. */
enum { NO_FD = 0x3fffffff };

static struct clq_feed rest;
static size_t taken;		/* bytes of the first piece of rest */

__attribute__((visibility("default"))) int
OS_Read(int fd, char *buf, size_t len)
{
	size_t done = 0, n;

	(void)fd;
	while (done < len && rest.n > 0) {
		n = rest.iov->iov_len - taken;
		if (n > len - done)
			n = len - done;
		if (n > 0)
			memcpy(buf + done, (const char *)rest.iov->iov_base +
			    taken, n);
		done += n;
		taken += n;
		if (taken == rest.iov->iov_len) {
			rest.iov++;
			rest.n--;
			taken = 0;
		}
	}
	return (int)done;	/* len is the size of libfcgi's buffer */
}

static void
set(struct clq_feed feed)
{
	rest = feed;
	taken = 0;
}

bool
clq_feed_accept(FCGX_Request *r, const struct clq_feed *feed)
{
	if (FCGX_InitRequest(r, -1, 0) != 0)
		return false;
	r->ipcFd = NO_FD;
	r->keepConnection = 1;	/* or it begins with closing it */
	set(*feed);
	if (FCGX_Accept_r(r) == 0)
		return true;
	set((struct clq_feed){ NULL, 0 });
	return false;
}

void
clq_feed_done(FCGX_Request *r)
{
	FCGX_Free(r, 0);
	set((struct clq_feed){ NULL, 0 });
}

/* ---- records of a collected request ---------------------------------------- */

struct builder {
	struct clq_arena	*arena;
	struct iovec		*iov;
	size_t			 n;
	unsigned		 id;
};

static void
push(struct builder *b, const void *p, size_t n)
{
	if (n > 0)
		b->iov[b->n++] = (struct iovec){ (void *)(uintptr_t)p, n };
}

static void
push_record(struct builder *b, enum clq_fcgi_type type, const void *p,
    size_t n)
{
	unsigned char *head = clq_arena_alloc(b->arena, CLQ_FCGI_HEAD);

	clq_fcgi_head(head, type, b->id, n);
	push(b, head, CLQ_FCGI_HEAD);
	push(b, p, n);
}

static void
push_stream(struct builder *b, enum clq_fcgi_type type,
    const struct clq_bytes *bytes)
{
	size_t n, at = 0;

	for (; at < bytes->len; at += n) {
		n = bytes->len - at < CLQ_FCGI_MAX_CONTENT ? bytes->len - at :
		    CLQ_FCGI_MAX_CONTENT;
		push_record(b, type, bytes->p + at, n);
	}
	push_record(b, type, NULL, 0);
}

struct clq_feed
clq_feed_of_scan(struct clq_arena *arena, const struct clq_scan *s)
{
	static const unsigned char responder[8] = { 0, 1, 1 };
	size_t records = s->params.len / CLQ_FCGI_MAX_CONTENT +
	    s->body.len / CLQ_FCGI_MAX_CONTENT + 5;
	struct builder b = {
		.arena = arena, .id = s->request_id,
		.iov = clq_arena_calloc(arena, 2 * records, sizeof *b.iov),
	};

	push_record(&b, CLQ_FCGI_BEGIN_REQUEST, responder, sizeof responder);
	push_stream(&b, CLQ_FCGI_PARAMS, &s->params);
	push_stream(&b, CLQ_FCGI_STDIN, &s->body);
	return (struct clq_feed){ b.iov, b.n };
}

/* ---- the start ------------------------------------------------------------- */

/* True if libfcgi sees a request that is nowhere but here. */
static bool
is_read(void)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_scan none = { .request_id = 1 };
	struct clq_feed feed = clq_feed_of_scan(arena, &none);
	FCGX_Request r;
	bool ok;

	ok = clq_feed_accept(&r, &feed);
	if (ok)
		clq_feed_done(&r);
	clq_arena_free(&arena);
	return ok;
}

enum clq_status
clq_feed_init(void)
{
	if (FCGX_Init() != 0) {
		clq_log_err("libfcgi does not start");
		return CLQ_FAILED;
	}
	if (is_read())
		return CLQ_OK;
	clq_log_err("libfcgi does not read through OS_Read(); link with the "
	    "shared library of Debian (libfcgi0ldbl), or with one built "
	    "without -Bsymbolic");
	return CLQ_FAILED;
}
