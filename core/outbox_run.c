/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that delivers the events of one listener (see outbox.h).
 *
 * It looks into a lane when a worker says that it wrote there, and into all of
 * its lanes every few seconds, for what came from elsewhere. What is there is
 * delivered in order, a handful at a time, then removed in one transaction: a
 * crash in between repeats that handful. While nothing can be delivered
 * everything waits, longer and longer; an event that is refused holds up its
 * own lane only, and after some attempts is put aside.
 */
#include "outbox.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "metrics.h"
#include "server.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	HANDFUL = 16,		/* entries read at a time */
	REMOVE_MS = 500,	/* and removed no later than that */
	LOOK_MS = 2000,		/* at all lanes */
	COUNT_MS = 10000,
	COUNT_TRIES = 3,	/* while workers write */
	LEASE_MS = 180000,	/* of a lane */
	NEEDED_MS = 70000,	/* of that, for one delivery: a minute at most */
	TAKEN_MS = 1000,	/* until a lane of others is looked at again */
	FIRST_WAIT_MS = 500
};

struct lane {
	bool		 due;		/* there may be something */
	clq_msec	 not_before;	/* clq_monotonic(), as the next */
	clq_msec	 owned_until;
	clq_msec	 wait;		/* last pause because of its head */
	unsigned	 attempts;
	char		 head[64];	/* the id that was refused */
};

struct runner {
	struct clq_server		*srv;
	struct clq_outbox		*box;
	int				 process;
	const volatile sig_atomic_t	*stop;
	const sigset_t			*waiting;
	struct clq_arena		*arena;
	struct lane			 lanes[CLQ_LANES];
	clq_msec			 not_before;	/* for all */
	clq_msec			 wait;
	unsigned			 failures;	/* in a row */
	clq_msec			 looked;
	clq_msec			 counted;
};

/* Let signals in: they come nowhere else while there is work. */
static bool
stopped(const struct runner *r)
{
	static const struct timespec at_once;

	(void)ppoll(NULL, 0, &at_once, r->waiting);
	return *r->stop;
}

/* ---- pauses -------------------------------------------------------------- */

/* Twice as long as the last one, within bounds, and not all at once. */
static clq_msec
longer(const struct runner *r, clq_msec *wait, clq_msec asked)
{
	clq_msec ms;

	*wait = *wait == 0 ? FIRST_WAIT_MS : 2 * *wait;
	if (*wait > r->box->max_wait)
		*wait = r->box->max_wait;
	ms = *wait - clq_random_below((uint32_t)(*wait / 4) + 1);
	if (asked > ms)
		ms = asked < r->box->max_wait ? asked : r->box->max_wait;
	return clq_monotonic() + ms;
}

static void
count(struct runner *r, const struct clq_metric *metric, int64_t value)
{
	const struct clq_str label = clq_str_of(r->box->name);

	clq_observe(r->srv, metric, value, &label);
}

/* ---- one event ------------------------------------------------------------ */

static enum clq_status
deliver(struct runner *r, const struct clq_object *entry,
    struct clq_delivery *d)
{
	uint64_t since = clq_ticks();
	enum clq_status rc;

	d->arena = r->arena;
	d->listener = r->box->name;
	d->id = entry->id;
	d->stored = entry->last_modified;
	d->payload = clq_arena_printf(r->arena,
	    "{\"event_id\":\"%.*s\",%.*s", CLQ_FMT(entry->id),
	    CLQ_FMT(clq_str_sub(entry->data, 1, entry->data.len)));
	rc = r->box->kind->deliver(d, r->box->ctx);
	clq_observe(r->srv, r->box->seconds, (int64_t)(clq_ticks() - since),
	    NULL);
	return rc;
}

/* The target is down: nothing is lost, but the log should say so once. */
static void
target_down(struct runner *r, const struct clq_delivery *d)
{
	r->not_before = longer(r, &r->wait, d->wait);
	if (r->failures++ == 0)
		clq_log_warn("listener %s: events wait, because nothing can "
		    "be delivered: %.*s", r->box->name, CLQ_FMT(d->why));
}

static void
target_up(struct runner *r)
{
	if (r->failures > 0)
		clq_log_info("listener %s: events are delivered again, after "
		    "%u failures", r->box->name, r->failures);
	r->failures = 0;
	r->wait = 0;
}

/* True if it was put aside. */
static bool
put_aside(struct runner *r, const struct clq_coll *coll,
    const struct clq_object *entry, const char *because,
    const struct clq_delivery *d)
{
	struct clq_str why = clq_arena_printf(r->arena, "%s: %.*s", because,
	    CLQ_FMT(clq_str_sub(d->why, 0, 400)));

	if (clq_outbox_bury(r->srv, r->arena, r->box, coll, entry, why) !=
	    CLQ_OK)
		return false;
	clq_log_err("listener %s: the event %.*s is put aside (cliquet outbox "
	    "list), %.*s", r->box->name, CLQ_FMT(entry->id), CLQ_FMT(why));
	atomic_fetch_sub(&r->box->count->waiting, 1);
	count(r, &clq_outbox_dead, 1);
	return true;
}

/* It could not be delivered: decide what comes next. */
static void
failed(struct runner *r, struct lane *lane, const struct clq_coll *coll,
    const struct clq_object *entry, enum clq_status rc,
    const struct clq_delivery *d)
{
	const struct clq_outbox *box = r->box;
	bool refused = rc == CLQ_INVALID, gone = false;

	count(r, &clq_outbox_failures, 1);
	if (box->max_age > 0 && clq_now() - entry->last_modified >
	    box->max_age)
		gone = put_aside(r, coll, entry, "too old", d);
	else if (refused && lane->attempts >= box->max_attempts)
		gone = put_aside(r, coll, entry, "refused", d);
	if (gone) {
		lane->attempts = 0;
		lane->wait = 0;
	}
	if (!refused)
		target_down(r, d);
	else if (!gone)
		lane->not_before = longer(r, &lane->wait, d->wait);
	lane->due = true;
}

static enum clq_status
try(struct runner *r, struct lane *lane, const struct clq_coll *coll,
    const struct clq_object *entry)
{
	struct clq_delivery d = { .why = CLQ_STR("") };
	enum clq_status rc;

	if (!clq_str_is(entry->id, lane->head)) {
		struct clq_str id = clq_str_sub(entry->id, 0,
		    sizeof lane->head - 1);

		memcpy(lane->head, id.p, id.len);
		lane->head[id.len] = '\0';
		lane->attempts = 0;
		lane->wait = 0;
	}
	d.attempt = ++lane->attempts;
	rc = deliver(r, entry, &d);
	if (rc == CLQ_OK || rc == CLQ_INVALID)
		target_up(r);
	if (rc == CLQ_OK)
		count(r, &clq_outbox_delivered, 1);
	else
		failed(r, lane, coll, entry, rc, &d);
	return rc;
}

/* ---- a lane --------------------------------------------------------------- */

/* The storage does not answer: it has said so itself. */
static void
storage_down(struct runner *r, struct lane *lane)
{
	lane->due = true;
	r->not_before = longer(r, &r->wait, 0);
}

static bool
own(struct runner *r, struct lane *lane, int number)
{
	clq_msec now = clq_monotonic();
	enum clq_status rc;

	if (lane->owned_until - now > NEEDED_MS)
		return true;
	rc = clq_outbox_lease(r->srv, r->arena, r->box, number,
	    clq_now() + LEASE_MS);
	if (rc == CLQ_OK) {
		lane->owned_until = now + LEASE_MS;
		return true;
	}
	lane->owned_until = 0;
	lane->due = true;
	if (rc == CLQ_CONFLICT)
		lane->not_before = now + TAKEN_MS;
	else
		storage_down(r, lane);
	return false;
}

/* Remove what was delivered; what cannot be removed will come again. */
static bool
forget(struct runner *r, struct lane *lane, const struct clq_coll *coll,
    struct clq_strs *done)
{
	if (done->n == 0)
		return true;
	if (clq_outbox_remove(r->srv, coll, done) != CLQ_OK) {
		storage_down(r, lane);
		return false;
	}
	atomic_fetch_sub(&r->box->count->waiting, (int64_t)done->n);
	done->n = 0;
	return true;
}

static void
deliver_page(struct runner *r, struct lane *lane, int number,
    const struct clq_coll *coll, const struct clq_page *page)
{
	struct clq_strs done = { NULL, 0, 0 };
	clq_msec since = clq_monotonic();
	bool good = true;

	for (size_t i = 0; good && i < page->n && !stopped(r); i++) {
		if (!own(r, lane, number))
			break;
		good = try(r, lane, coll, &page->objects[i]) == CLQ_OK;
		if (good)
			clq_strs_add(r->arena, &done, page->objects[i].id);
		if (clq_monotonic() - since >= REMOVE_MS) {
			if (!forget(r, lane, coll, &done))
				break;
			since = clq_monotonic();
		}
	}
	(void)forget(r, lane, coll, &done);
}

static void
serve(struct runner *r, int number)
{
	struct lane *lane = &r->lanes[number];
	struct clq_page page = { NULL, 0 };
	struct clq_coll coll = clq_outbox_lane(r->arena, r->box, number);

	lane->due = false;
	if (clq_outbox_read(r->srv, r->arena, &coll, HANDFUL, &page) != CLQ_OK)
		storage_down(r, lane);
	else if (page.n > 0 && own(r, lane, number)) {
		lane->due = page.n == HANDFUL;
		deliver_page(r, lane, number, &coll, &page);
	}
	clq_arena_reset(r->arena);
}

/* ---- the loop -------------------------------------------------------------- */

static bool
mine(const struct runner *r, int number)
{
	return number % r->box->processes == r->process;
}

/* Which lanes are to be looked at. */
static void
look_around(struct runner *r, clq_msec now)
{
	uint64_t calls;
	uint32_t hints = 0;
	bool all = now - r->looked >= LOOK_MS;

	while (read(r->box->wake[r->process], &calls, sizeof calls) > 0)
		;
	if (all)
		r->looked = now;
	for (int i = 0; i < CLQ_LANES; i++) {
		if (!mine(r, i))
			continue;
		hints = atomic_fetch_and(&r->box->count->hints, ~(1u << i));
		if (all || (hints & 1u << i) != 0)
			r->lanes[i].due = true;
	}
}

/* What workers add while we look is in the result or is not: look again. */
static void
recount_once(struct runner *r)
{
	struct clq_outbox_state state;
	int64_t before;
	bool good = false;

	for (int i = 0; i < COUNT_TRIES && !good; i++) {
		before = atomic_load(&r->box->count->waiting);
		if (clq_outbox_look(r->srv, r->arena, r->box, &state) !=
		    CLQ_OK)
			return;
		good = atomic_compare_exchange_strong(
		    &r->box->count->waiting, &before, state.waiting);
	}
	if (!good)
		atomic_store(&r->box->count->waiting, state.waiting);
	count(r, &clq_outbox_waiting, state.waiting);
}

/* One process per listener keeps the number of events right. */
static void
recount(struct runner *r, clq_msec now)
{
	if (r->process != 0 || (r->counted != 0 &&
	    now - r->counted < COUNT_MS))
		return;
	r->counted = now;
	recount_once(r);
	clq_arena_reset(r->arena);
}

static void
rest(struct runner *r)
{
	struct pollfd p = { .fd = r->box->wake[r->process],
	    .events = POLLIN };
	clq_msec now = clq_monotonic(), until = r->looked + LOOK_MS;
	struct timespec ts;

	for (int i = 0; i < CLQ_LANES; i++) {
		clq_msec t = r->lanes[i].not_before;

		if (!mine(r, i) || !r->lanes[i].due)
			continue;
		if (t < r->not_before)
			t = r->not_before;
		if (t < until)
			until = t;
	}
	if (until < now)
		until = now;
	ts = (struct timespec){ (until - now) / 1000,
	    (until - now) % 1000 * 1000000L };
	/* While all is waiting, news is no reason to wake. */
	(void)ppoll(&p, r->not_before > now ? 0 : 1, &ts, r->waiting);
}

static void
give_back(struct runner *r)
{
	for (int i = 0; i < CLQ_LANES; i++)
		if (r->lanes[i].owned_until > clq_monotonic() &&
		    clq_outbox_lease(r->srv, r->arena, r->box, i, 0) != CLQ_OK)
			break;
}

int
clq_outbox_run(struct clq_server *srv, struct clq_outbox *box, int process,
    const volatile sig_atomic_t *stop, const sigset_t *waiting)
{
	struct runner r = { .srv = srv, .box = box, .process = process,
	    .stop = stop, .waiting = waiting, .looked = -LOOK_MS };
	clq_msec now;

	if (clq_server_open(srv) != CLQ_OK)
		return EXIT_FAILURE;
	r.arena = clq_arena_new();
	while (!stopped(&r)) {
		now = clq_monotonic();
		look_around(&r, now);
		recount(&r, now);
		for (int i = 0; i < CLQ_LANES && !*stop; i++)
			if (r.lanes[i].due && r.not_before <= clq_monotonic() &&
			    r.lanes[i].not_before <= clq_monotonic())
				serve(&r, i);
		clq_metrics_flush(srv);
		if (!*stop)
			rest(&r);
	}
	give_back(&r);
	clq_arena_free(&r.arena);
	return EXIT_SUCCESS;
}
