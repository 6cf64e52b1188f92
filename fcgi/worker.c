/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's loop (see worker.h).
 *
 * One epoll set over the listening sockets, the queue of handed-over
 * connections (both are "doors": each wakes one worker only) and the kept
 * connections. One new connection is taken per turn, so that a burst spreads
 * over the workers. At the limit of connections the doors are shut; while
 * others wait outside, connections are let go after their answer.
 *
 * Leaving, after QUIT or max_requests: the doors are shut, idle connections go
 * to other workers, what runs is finished. After TERM there are no others: idle
 * connections are closed, or the peer is asked to (reply.h).
 */
#include "worker.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "../core/dispatch.h"
#include "../core/log_conf.h"
#include "../core/metrics.h"
#include "connection.h"
#include "deliverers.h"
#include "fcgi_request.h"
#include "keeper.h"
#include "reply.h"
#include "report.h"
#include "signals.h"
#include "status_page.h"
#include "watchdog.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	SWEEP_MS = 1000,
	HURRY_MS = 100,		/* sweep period when leaving or full */
	PAUSE_MS = 1000,	/* no accept after running out of descriptors */
	FLUSH_MS = 100		/* metrics are sent that often */
};

struct state {
	const struct clq_worker	*w;
	struct clq_conns	 conns;
	struct clq_arena	*arena;
	bool			 doors_open;
	bool			 crowded;	/* full, and others wait */
	bool			 leaving;
	bool			 last;		/* nobody takes over */
	clq_msec		 leave_by;
	clq_msec		 swept;
	clq_msec		 paused;	/* doors shut until then */
	clq_msec		 flushed;	/* metrics were sent */
	clq_msec		 let_in;	/* signals were, for certain */
};

/* ---- doors --------------------------------------------------------------- */

/* data.ptr of a door points at its descriptor, inside *w. */
static void
door(struct state *s, const int *fd, bool open)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLEXCLUSIVE,
		.data.ptr = (void *)(uintptr_t)fd,
	};

	if (*fd != -1 && epoll_ctl(s->conns.epoll, open ? EPOLL_CTL_ADD :
	    EPOLL_CTL_DEL, *fd, &ev) == -1)
		clq_log_warn("epoll: %s", strerror(errno));
}

static void
set_doors(struct state *s, bool open)
{
	const struct clq_listeners *l = s->w->listeners;

	if (open == s->doors_open)
		return;
	for (size_t i = 0; i < l->n; i++)
		door(s, &l->items[i].fd, open);
	door(s, &s->w->handover.get, open);
	s->doors_open = open;
}

/* True if p came from door(); then take one connection in. */
static bool
came_in(struct state *s, const void *p, clq_msec now)
{
	const struct clq_listeners *l = s->w->listeners;
	struct clq_orphan o = { .fd = -1 };
	size_t i;

	for (i = 0; i < l->n && p != &l->items[i].fd; i++)
		;
	if (i == l->n && p != &s->w->handover.get)
		return false;
	if (s->conns.n == s->conns.max)
		return true;	/* next turn shuts the doors */
	if (i == l->n) {
		if (clq_handover_get(&s->w->handover, &o))
			(void)clq_conns_add(&s->conns, &o);
		return true;
	}
	o.fd = clq_listener_accept(l->items[i].fd);
	if (o.fd != -1) {
		(void)clq_conns_add(&s->conns, &o);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		clq_log_err("accept: %s; raise the limit (ulimit -n)",
		    strerror(errno));
		s->paused = now + PAUSE_MS;
	}
	return true;
}

/* Is somebody waiting outside? */
static bool
waiters(const struct state *s)
{
	const struct clq_listeners *l = s->w->listeners;
	struct pollfd p[CLQ_MAX_LISTENERS + 1];
	size_t i;

	for (i = 0; i < l->n; i++)
		p[i] = (struct pollfd){ .fd = l->items[i].fd,
		    .events = POLLIN };
	p[i] = (struct pollfd){ .fd = s->w->handover.get, .events = POLLIN };
	return poll(p, i + 1, 0) > 0;
}

/* Let the connection go that has been idle longest, to make room. */
static void
make_room(struct state *s, clq_msec now)
{
	struct clq_conn *oldest = NULL, *c;

	for (size_t i = 0; i < s->conns.max; i++) {
		c = &s->conns.items[i];
		/* Who has just connected is about to send something. */
		if (c->state == CLQ_CONN_IDLE && !c->hinted &&
		    now - c->since >= (c->served ? HURRY_MS : SWEEP_MS) &&
		    (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	if (oldest != NULL)
		clq_conn_dismiss(&s->conns, oldest);
}

static void
mind_doors(struct state *s, clq_msec now)
{
	bool full = s->conns.n == s->conns.max;

	s->crowded = false;
	if (s->leaving)
		return;
	set_doors(s, !full && now >= s->paused);
	if (!full)
		return;
	s->crowded = waiters(s);
	if (s->crowded)
		make_room(s, now);
}

/* ---- requests ------------------------------------------------------------ */

/* A request that was collected, as in receive(). */
static bool
receive_kept(struct state *s, struct clq_conn *c, struct clq_incoming *in)
{
	struct clq_body_file file = { c->scan.body_fd, c->scan.nbody };
	struct clq_feed feed = clq_feed_of_scan(s->arena, &c->scan);
	bool in_file = c->scan.in_file;
	enum clq_status rc;

	c->scan.in_file = false;	/* the arena's now */
	rc = clq_incoming_read(s->w->server, s->arena, &feed,
	    c->scan.body.len, in_file ? &file : NULL, in);
	clq_scan_free(&c->scan);
	return rc == CLQ_OK;
}

/* Get the request out of c. On failure c has been closed. */
static bool
receive(struct state *s, struct clq_conn *c, const struct clq_whole *whole,
    struct clq_incoming *in)
{
	struct iovec one = { s->conns.scratch, whole->len };
	struct clq_feed feed = { &one, 1 };

	if (whole->len > 0) {
		if (clq_incoming_read(s->w->server, s->arena, &feed,
		    whole->nbody, NULL, in) == CLQ_OK)
			return true;
	} else if (c->scan.refused != 0) {
		clq_incoming_refuse(s->w->server, s->arena, &c->scan, in);
		return true;
	} else if (receive_kept(s, c, in)) {
		return true;
	}
	clq_conn_close(&s->conns, c);
	return false;
}

static void
serve(struct state *s, struct clq_conn *c, const struct clq_whole *whole)
{
	const struct clq_worker *w = s->w;
	struct clq_incoming in;
	struct clq_reply r;
	bool hint = false, kept;
	clq_msec now, end;

	if (!receive(s, c, whole, &in)) {
		atomic_store(&s->conns.table->busy, -1);
		clq_arena_reset(s->arena);
		return;
	}
	now = (clq_msec)(in.req->summary.started / 1000000);
	c->nginx = in.nginx;
	clq_slot_begin(w->slot, now, in.req->method_name, in.req->raw_path);
	clq_report_request(in.req);
	clq_watchdog_begin(c, in.req, now);
	if (!clq_status_page(w, &in))
		clq_dispatch(in.req);
	clq_watchdog_end();
	clq_report_request(NULL);
	if (c->keep && (s->crowded || (s->leaving && s->last) || c->hinted)) {
		hint = c->nginx;
		c->keep = hint;
	}
	if (in.apache)
		clq_reply_no_redirect(in.req);
	r = clq_reply_build(in.req, c->request_id, hint);
	kept = clq_conn_send(&s->conns, c, r.iov, r.n);
	if (kept && hint)
		c->hinted = true;
	atomic_store(&s->conns.table->busy, -1);
	clq_arena_reset(s->arena);
	end = kept ? c->since : clq_monotonic();
	clq_slot_end(w->slot, end, w->conf->slow_request);
	if (end - now >= HURRY_MS / 2)
		s->swept = 0;	/* places of connections given away */
}

static void
on_event(struct state *s, struct clq_conn *c)
{
	struct clq_whole whole = { 0, 0 };
	enum clq_arrival in;

	/* Given away while it was waiting for its turn, or closed. */
	if (c->fd == -1)
		return;
	switch (c->state) {
	case CLQ_CONN_WRITING:
		clq_conn_output(&s->conns, c);
		break;
	case CLQ_CONN_LINGER:
		clq_conn_discard(&s->conns, c);
		break;
	case CLQ_CONN_IDLE:
	case CLQ_CONN_READING:
		in = clq_conn_input(&s->conns, c, &whole);
		if (in == CLQ_INPUT_WHOLE || in == CLQ_INPUT_KEPT)
			serve(s, c, &whole);
		break;
	case CLQ_CONN_FREE:
	case CLQ_CONN__COUNT:
		break;
	}
}

/* ---- leaving ------------------------------------------------------------- */

static void
leave(struct state *s, bool last, clq_msec now)
{
	const struct clq_listeners *l = s->w->listeners;
	struct clq_orphan o = { .fd = -1 };
	size_t i;

	s->last = last || s->w->handover.put == -1;
	if (s->leaving)
		return;
	s->leaving = true;
	s->leave_by = now + s->w->conf->shutdown_timeout;
	/* Whom a door has woken must look behind it, or nobody does. */
	for (i = 0; i < l->n; i++)
		while (s->conns.n < s->conns.max &&
		    (o.fd = clq_listener_accept(l->items[i].fd)) != -1)
			(void)clq_conns_add(&s->conns, &o);
	set_doors(s, false);
	s->swept = 0;
}

static void
take_signals(struct state *s, clq_msec now)
{
	const struct clq_conf *conf = s->w->conf;

	if (clq_signals.reopen) {
		clq_signals.reopen = 0;
		if (clq_log_configure(s->w->server->settings) != CLQ_OK)
			clq_log_warn("log file not reopened");
		if (s->w->master == 0)
			clq_deliverers_reopen();
	}
	if (clq_signals.reload) {	/* without a master only */
		clq_signals.reload = 0;
		clq_log_warn("SIGHUP: this process has no master; "
		    "restart it to load new settings");
	}
	if (clq_signals.stop) {
		clq_signals.stop = 0;
		leave(s, true, now);
	}
	if (clq_signals.leave) {
		clq_signals.leave = 0;
		leave(s, false, now);
	}
	if (!s->leaving && conf->max_requests > 0 &&
	    atomic_load(&s->w->slot->requests) >=
	    (uint64_t)conf->max_requests) {
		clq_log_debug("max_requests reached");
		leave(s, false, now);
	}
}

/* ---- the loop ------------------------------------------------------------ */

/* A worker that is never idle hears of signals, too. */
static void
let_signals_in(struct state *s, clq_msec now)
{
	if (now - s->let_in < HURRY_MS)
		return;
	s->let_in = now;
	clq_signals_let_in();
}

static int
patience(const struct state *s)
{
	if (s->leaving || s->conns.n == s->conns.max)
		return HURRY_MS;
	return s->conns.n > 0 || s->paused != 0 ? SWEEP_MS : -1;
}

static void
sweep(struct state *s, clq_msec now)
{
	bool give = s->leaving && !s->last;

	if (give)	/* nothing stays that another worker can have */
		clq_conns_give(&s->conns, &s->w->handover);
	if (!give && now - s->swept < (s->leaving ? HURRY_MS : SWEEP_MS))
		return;
	s->swept = now;
	if (now >= s->paused)
		s->paused = 0;
	clq_conns_sweep(&s->conns, now, s->leaving && s->last);
}

/* While connections are kept the loop turns every second: nothing waits for
 * longer, and a busy worker sends many metrics at once. */
static void
send_metrics(struct state *s, clq_msec now)
{
	if (s->conns.n > 0 && now - s->flushed < FLUSH_MS)
		return;
	s->flushed = now;
	clq_metrics_flush(s->w->server);
}

/* Whoever comes after a worker that died counts what it was serving. */
static void
count_lost(const struct clq_worker *w)
{
	struct clq_lost lost;
	clq_msec ms;

	if (w->board == NULL)
		return;
	while (clq_scoreboard_take(w->board, &lost, &ms))
		clq_lost_count(w->server, &lost, ms);
}

static int
loop(struct state *s)
{
	struct epoll_event events[EVENTS];
	clq_msec now = clq_monotonic();
	int i, n;

	for (;;) {
		take_signals(s, now);
		mind_doors(s, now);
		sweep(s, now);
		atomic_store_explicit(&s->w->slot->connections,
		    (uint32_t)s->conns.n, memory_order_relaxed);
		if (s->leaving)
			atomic_store(&s->w->slot->state, CLQ_WORKER_LEAVING);
		if (s->leaving && (s->conns.n == 0 || now >= s->leave_by))
			return EXIT_SUCCESS;
		n = epoll_pwait(s->conns.epoll, events, EVENTS, patience(s),
		    clq_signals_waiting());
		now = clq_monotonic();
		if (n == -1 && errno != EINTR) {
			clq_log_err("epoll: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		let_signals_in(s, now);
		for (i = 0; i < n; i++)
			if (!came_in(s, events[i].data.ptr, now))
				on_event(s, events[i].data.ptr);
		send_metrics(s, now);
	}
}

int
clq_worker_run(const struct clq_worker *w)
{
	struct state s = { .w = w, .conns = { .epoll = -1 } };
	struct clq_watchdog dog = {
		.conns = &s.conns, .handover = &w->handover, .slot = w->slot,
		.limit = w->conf->request_timeout, .master = w->master,
		.server = w->server,
	};
	int rc = EXIT_FAILURE;

	pid_t keeper;

	if (clq_conns_open(&s.conns, w->conf) != CLQ_OK)
		return rc;
	s.conns.server = w->server;
	keeper = clq_keeper_start(&s.conns, &w->handover);
	if (clq_server_open(w->server) == CLQ_OK) {
		s.arena = clq_arena_new();
		clq_watchdog_start(&dog, w->server->settings);
		atomic_store(&w->slot->state, CLQ_WORKER_IDLE);
		count_lost(w);
		rc = loop(&s);
		clq_watchdog_stop();
		clq_arena_free(&s.arena);
	} else {
		clq_log_err("worker: backends could not be opened");
	}
	clq_keeper_stop(keeper);
	clq_conns_close(&s.conns);
	return rc;
}
