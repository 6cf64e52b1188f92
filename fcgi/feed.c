/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libfcgi reads (see feed.h).
 *
 * OS_Read() is declared in libfcgi's <fcgios.h>; the program's definition goes
 * before the library's, as for any shared library. Whether it does is found
 * out at the start, with a small request. Where the library was linked so that
 * it calls its own (-Bsymbolic, as some distributions do), requests go to it
 * through a file in memory, which costs three system calls each.
 */
#include "feed.h"

#include <cliquet/log.h>

#include <errno.h>
#include <fcgios.h>
#include <sys/mman.h>
#include <unistd.h>

/* A number that no descriptor has, in case that libfcgi wants to close it. */
enum { NO_FD = 0x3fffffff };

static struct clq_feed rest;
static size_t taken;		/* bytes of the first piece of rest */
static bool by_file;		/* libfcgi reads with its own OS_Read() */
static int file = -1;		/* for that; -1: none yet */

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

static bool
write_all(const char *p, size_t n)
{
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done)
		if ((done = write(file, p, n)) <= 0)
			return false;
	return true;
}

static bool
fill_file(const struct clq_feed *feed)
{
	bool ok;
	size_t i;

	if (file == -1)
		file = memfd_create("cliquet-request", MFD_CLOEXEC);
	ok = file != -1 && ftruncate(file, 0) == 0 &&
	    lseek(file, 0, SEEK_SET) == 0;
	for (i = 0; ok && i < feed->n; i++)
		ok = write_all(feed->iov[i].iov_base, feed->iov[i].iov_len);
	ok = ok && lseek(file, 0, SEEK_SET) == 0;
	if (!ok)
		clq_log_err("memory file: %s", strerror(errno));
	return ok;
}

bool
clq_feed_accept(FCGX_Request *r, const struct clq_feed *feed)
{
	if (FCGX_InitRequest(r, -1, 0) != 0 || (by_file && !fill_file(feed)))
		return false;
	r->ipcFd = by_file ? file : NO_FD;
	r->keepConnection = 1;	/* or it begins with closing it */
	set(*feed);
	if (FCGX_Accept_r(r) == 0)
		return true;
	file = -1;		/* libfcgi has closed it */
	set((struct clq_feed){ NULL, 0 });
	return false;
}

void
clq_feed_done(FCGX_Request *r)
{
	FCGX_Free(r, 0);
	set((struct clq_feed){ NULL, 0 });
}

/* ---- records of a collected request ------------------------------------- */

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

/* ---- the start ---------------------------------------------------------- */

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
	bool ok;

	if (FCGX_Init() != 0) {
		clq_log_err("libfcgi does not start");
		return CLQ_FAILED;
	}
	by_file = false;
	ok = is_read();
	if (!ok) {
		clq_feed_by_file();
		ok = is_read();
	}
	/* Processes that are forked from here on make each their own. */
	if (file != -1)
		close(file);
	file = -1;
	if (ok)
		return CLQ_OK;
	clq_log_err("libfcgi accepts no request, neither from memory nor from "
	    "a file");
	return CLQ_FAILED;
}

void
clq_feed_by_file(void)
{
	by_file = true;
}
