/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept connections (see connection.h).
 *
 * The usual request comes as a whole with one recv(2), is found sound by a dry
 * scan and read by libfcgi where it lies (feed.h). Anything else is scanned
 * again, keeping its bytes.
 */
#include "connection.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "bodyfile.h"
#include "reply.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HINT_MS = 5000,		/* a peer that was asked to close may take so */
	LINGER_MS = 2000,
	LEAVE_MS = 1000,	/* a silent peer, when the worker leaves */
	FLUSH_STEP_MS = 50,	/* of a peer that takes nothing */
	FLUSH_STEPS = 10,
	MIN_RATE = 1024,	/* bytes a second that earn more time */
	MAX_DRAIN = 16 << 20	/* bytes read and dropped to answer politely */
};

enum clq_status
clq_conns_open(struct clq_conns *t, const struct clq_conf *conf)
{
	size_t max = (size_t)conf->max_connections;
	size_t size = sizeof *t->table + max * sizeof *t->items;

	*t = (struct clq_conns){
		.conf = conf, .max = max,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
	};
	t->scratch = malloc(CLQ_SCRATCH);
	t->table = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->table == MAP_FAILED)
		t->table = NULL;
	if (t->epoll == -1 || t->table == NULL || t->scratch == NULL) {
		clq_log_err("connections: %s", strerror(errno));
		clq_conns_close(t);
		return CLQ_FAILED;
	}
	t->table->size = size;
	atomic_store(&t->table->busy, -1);
	t->items = t->table->items;
	for (size_t i = t->max; i-- > 0; ) {
		t->items[i].fd = -1;
		t->items[i].next = t->free;
		t->free = &t->items[i];
	}
	return CLQ_OK;
}

void
clq_conns_close(struct clq_conns *t)
{
	for (size_t i = 0; t->items != NULL && i < t->max; i++)
		if (t->items[i].state != CLQ_CONN_FREE)
			clq_conn_close(t, &t->items[i]);
	if (t->epoll != -1)
		close(t->epoll);
	if (t->table != NULL)
		munmap(t->table, t->table->size);
	free(t->scratch);
	*t = (struct clq_conns){ .epoll = -1 };
}

static void
set_state(struct clq_conn *c, enum clq_conn_state state)
{
	c->state = state;
	c->since = clq_monotonic();
}

static bool
watch(struct clq_conns *t, struct clq_conn *c, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	return epoll_ctl(t->epoll, op, c->fd, &ev) == 0;
}

struct clq_conn *
clq_conns_add(struct clq_conns *t, const struct clq_orphan *o)
{
	struct clq_conn *c = t->free;

	if (c == NULL) {
		close(o->fd);
		return NULL;
	}
	t->free = c->next;
	t->n++;
	*c = (struct clq_conn){
		.fd = o->fd, .nginx = o->nginx, .served = o->served,
		.hinted = o->hinted, .request_id = o->request_id,
	};
	set_state(c, CLQ_CONN_IDLE);
	if (!watch(t, c, EPOLLIN, EPOLL_CTL_ADD)) {
		clq_log_warn("epoll: %s", strerror(errno));
		clq_conn_close(t, c);
		return NULL;
	}
	return c;
}

void
clq_conn_close(struct clq_conns *t, struct clq_conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	clq_scan_free(&c->scan);
	clq_bytes_free(&c->out);
	*c = (struct clq_conn){ .fd = -1, .next = t->free };
	t->free = c;
	t->n--;
}

/* ---- input --------------------------------------------------------------- */

/* Scan and keep what was received. */
static enum clq_arrival
keep(struct clq_conns *t, struct clq_conn *c, size_t got)
{
	struct clq_scan *s = &c->scan;
	enum clq_scan_verdict v;
	size_t used;

	v = clq_scan_feed(s, t->scratch, got, &used);
	if (v != CLQ_SCAN_BROKEN && s->reply.len > 0) {
		/* Control records are few and small: they fit, or the peer
		 * does not read. */
		if (send(c->fd, s->reply.p, s->reply.len, MSG_DONTWAIT |
		    MSG_NOSIGNAL) != (ssize_t)s->reply.len)
			v = CLQ_SCAN_BROKEN;
		s->reply.len = 0;
	}
	if (v == CLQ_SCAN_BROKEN) {
		clq_log_info("fastcgi: malformed records, connection closed");
		clq_conn_close(t, c);
		return CLQ_INPUT_GONE;
	}
	if (v == CLQ_SCAN_DONE) {
		/* Who sends more before the answer cannot be served: we said
		 * FCGI_MPXS_CONNS=0. */
		c->keep = s->keep && used == got;
		return CLQ_INPUT_KEPT;
	}
	if (s->refused != 0 && s->nparams + s->nbody > t->conf->max_params +
	    t->conf->max_body + MAX_DRAIN) {
		c->keep = false;
		return CLQ_INPUT_KEPT;
	}
	if (!s->begun && s->nhead == 0) {	/* only control records */
		clq_scan_free(s);
		set_state(c, CLQ_CONN_IDLE);
	}
	return CLQ_INPUT_NONE;
}

/* First bytes on an idle connection. */
static enum clq_arrival
look(struct clq_conns *t, struct clq_conn *c, size_t got,
    struct clq_whole *whole)
{
	const struct clq_conf *conf = t->conf;
	struct clq_scan dry;
	size_t used;

	clq_scan_start(&dry, true, conf->max_params, conf->max_body);
	if (clq_scan_feed(&dry, t->scratch, got, &used) == CLQ_SCAN_DONE &&
	    dry.plain && dry.refused == 0 && used == got) {
		c->keep = dry.keep;
		c->request_id = dry.request_id;
		*whole = (struct clq_whole){ got, dry.nbody };
		return CLQ_INPUT_WHOLE;
	}
	clq_scan_start(&c->scan, false, conf->max_params, conf->max_body);
	if (t->server != NULL) {
		c->scan.room = clq_bodyfile_room;
		c->scan.room_ctx = t->server;
	}
	set_state(c, CLQ_CONN_READING);
	return keep(t, c, got);
}

enum clq_arrival
clq_conn_input(struct clq_conns *t, struct clq_conn *c,
    struct clq_whole *whole)
{
	enum clq_arrival in;
	ssize_t got;

	/* What has been taken is lost with the worker: nobody else is to wait
	 * for it. */
	atomic_store(&t->table->busy, c->fd);
	got = recv(c->fd, t->scratch, CLQ_SCRATCH, MSG_DONTWAIT);
	if (got == -1 && (errno == EAGAIN || errno == EINTR)) {
		in = CLQ_INPUT_NONE;
	} else if (got <= 0) {
		clq_conn_close(t, c);
		in = CLQ_INPUT_GONE;
	} else if (c->state == CLQ_CONN_IDLE) {
		in = look(t, c, (size_t)got, whole);
	} else {
		in = keep(t, c, (size_t)got);
	}
	if (in == CLQ_INPUT_NONE || in == CLQ_INPUT_GONE)
		atomic_store(&t->table->busy, -1);
	if (in == CLQ_INPUT_KEPT)
		c->request_id = c->scan.request_id;
	return in;
}

/* ---- output -------------------------------------------------------------- */

/* The answer is out. */
static bool
sent_all(struct clq_conns *t, struct clq_conn *c)
{
	bool refused = c->scan.refused != 0;

	clq_scan_free(&c->scan);
	clq_bytes_free(&c->out);
	c->sent = 0;
	if (c->keep) {
		set_state(c, CLQ_CONN_IDLE);
		return true;
	}
	if (!refused) {
		clq_conn_close(t, c);
		return false;
	}
	/* Closing on unread input would take the answer back. */
	(void)shutdown(c->fd, SHUT_WR);
	set_state(c, CLQ_CONN_LINGER);
	return true;
}

/* Keep what has not been sent, beginning `skip` bytes into the vector. */
static bool
keep_rest(struct clq_conn *c, const struct iovec *iov, size_t n, size_t skip)
{
	for (size_t i = 0; i < n; i++) {
		const char *p = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		if (!clq_bytes_add(&c->out, p + skip, len - skip))
			return false;
		skip = 0;
	}
	return true;
}

static ssize_t
send_some(int fd, const struct iovec *iov, size_t n)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n,
	};
	ssize_t got;

	do
		got = n == 1 ? send(fd, iov->iov_base, iov->iov_len,
		    MSG_DONTWAIT | MSG_NOSIGNAL) :
		    sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (got == -1 && errno == EINTR);
	return got;
}

bool
clq_conn_send(struct clq_conns *t, struct clq_conn *c,
    const struct iovec *iov, size_t n)
{
	size_t i = 0, k, want;
	ssize_t got;

	c->served = true;
	while (i < n) {
		k = n - i < IOV_MAX ? n - i : IOV_MAX;
		want = 0;
		for (size_t j = i; j < i + k; j++)
			want += iov[j].iov_len;
		got = send_some(c->fd, iov + i, k);
		if (got == -1 && errno == EAGAIN)
			got = 0;
		if (got == -1) {	/* the peer has lost interest */
			clq_conn_close(t, c);
			return false;
		}
		if ((size_t)got < want) {
			if (!keep_rest(c, iov + i, n - i, (size_t)got) ||
			    !watch(t, c, EPOLLOUT, EPOLL_CTL_MOD)) {
				clq_conn_close(t, c);
				return false;
			}
			set_state(c, CLQ_CONN_WRITING);
			return true;
		}
		i += k;
	}
	return sent_all(t, c);
}

void
clq_conn_output(struct clq_conns *t, struct clq_conn *c)
{
	ssize_t got = send(c->fd, c->out.p + c->sent, c->out.len - c->sent,
	    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == -1) {
		clq_conn_close(t, c);
		return;
	}
	c->sent += (size_t)got;
	c->since = clq_monotonic();
	if (c->sent < c->out.len)
		return;
	if (!watch(t, c, EPOLLIN, EPOLL_CTL_MOD))
		clq_conn_close(t, c);
	else
		(void)sent_all(t, c);
}

void
clq_conn_discard(struct clq_conns *t, struct clq_conn *c)
{
	ssize_t got = recv(c->fd, t->scratch, CLQ_SCRATCH, MSG_DONTWAIT);

	if (got > 0)
		c->sent += (size_t)got;		/* nothing else counts here */
	if (got == 0 || (got == -1 && errno != EAGAIN && errno != EINTR) ||
	    c->sent > MAX_DRAIN)
		clq_conn_close(t, c);
}

/* Has it sent something that epoll has not told us of yet? */
static bool
has_asked(const struct clq_conn *c)
{
	char first;

	return recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

void
clq_conn_dismiss(struct clq_conns *t, struct clq_conn *c)
{
	unsigned char hint[CLQ_REPLY_HINT_LEN];

	if (c->hinted || has_asked(c))
		return;
	clq_reply_hint(hint, c->request_id);
	if (!c->nginx || send(c->fd, hint, sizeof hint, MSG_DONTWAIT |
	    MSG_NOSIGNAL) != (ssize_t)sizeof hint) {
		clq_conn_close(t, c);
		return;
	}
	c->hinted = true;
	c->since = clq_monotonic();
}

bool
clq_conn_give(struct clq_conns *t, struct clq_conn *c,
    const struct clq_handover *h)
{
	struct clq_orphan o = {
		c->fd, c->request_id, c->nginx, c->served, c->hinted
	};

	if (c->state != CLQ_CONN_IDLE || c->fd == -1 ||
	    !clq_handover_put(h, &o))
		return false;
	(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	return true;
}

void
clq_conns_give(struct clq_conns *t, const struct clq_handover *h)
{
	int busy = atomic_load(&t->table->busy);

	for (size_t i = 0; i < t->max; i++)
		if (t->items[i].fd != busy)
			(void)clq_conn_give(t, &t->items[i], h);
}

void
clq_conns_flush(struct clq_conns *t)
{
	int patience = FLUSH_STEPS;

	for (size_t i = 0; i < t->max; i++) {
		struct clq_conn *c = &t->items[i];
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };
		ssize_t n;

		while (c->state == CLQ_CONN_WRITING && c->fd != -1 &&
		    c->sent < c->out.len && patience > 0) {
			n = send(c->fd, c->out.p + c->sent,
			    c->out.len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0)
				c->sent += (size_t)n;
			else if (n == 0 || errno != EAGAIN)
				break;
			else if (poll(&p, 1, FLUSH_STEP_MS) == 0)
				patience--;
		}
		/* The peer may have sent its next request by now. */
		if (c->state == CLQ_CONN_WRITING && c->sent == c->out.len &&
		    c->keep)
			c->state = CLQ_CONN_IDLE;
	}
}

/* ---- time ---------------------------------------------------------------- */

static void
sweep_idle(struct clq_conns *t, struct clq_conn *c, clq_msec age, bool leaving)
{
	bool late = c->hinted ? age > HINT_MS :
	    age > t->conf->read_timeout || (leaving && age > LEAVE_MS);

	if (c->served && !c->hinted) {
		if (age > t->conf->idle_timeout ||
		    (leaving && (c->nginx || age > LEAVE_MS)))
			clq_conn_dismiss(t, c);
	} else if (late && !has_asked(c)) {
		clq_conn_close(t, c);
	}
}

static void
sweep_one(struct clq_conns *t, struct clq_conn *c, clq_msec now, bool leaving)
{
	clq_msec age = now - c->since;
	size_t bytes = c->scan.nbody + c->scan.nparams;

	if (c->fd == -1) {		/* given away */
		clq_conn_close(t, c);
		return;
	}
	switch (c->state) {
	case CLQ_CONN_IDLE:
		sweep_idle(t, c, age, leaving);
		break;
	case CLQ_CONN_READING:
		if (age > t->conf->read_timeout +
		    (clq_msec)(bytes / MIN_RATE * 1000)) {
			clq_log_info("fastcgi: incomplete request, "
			    "connection closed");
			clq_conn_close(t, c);
		}
		break;
	case CLQ_CONN_WRITING:
		if (age > t->conf->read_timeout) {
			clq_log_info("fastcgi: answer not taken, "
			    "connection closed");
			clq_conn_close(t, c);
		}
		break;
	case CLQ_CONN_LINGER:
		if (age > LINGER_MS)
			clq_conn_close(t, c);
		break;
	case CLQ_CONN_FREE:
	case CLQ_CONN__COUNT:
		break;
	}
}

void
clq_conns_sweep(struct clq_conns *t, clq_msec now, bool leaving)
{
	for (size_t i = 0; i < t->max; i++)
		if (t->items[i].state != CLQ_CONN_FREE)
			sweep_one(t, &t->items[i], now, leaving);
}
