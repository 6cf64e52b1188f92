/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable listeners: their settings, and writing their events (see outbox.h).
 *
 * All events of a request are written at its end, sorted by listener and lane:
 * writers take the clocks of the lanes in one order, so none waits for another
 * that waits for it. After the commit the process that delivers is woken.
 */
#include "outbox.h"

#include <cliquet/buf.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "metrics.h"
#include "payload.h"
#include "server.h"
#include "timed.h"
#include "tx.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PART_BYTES = 1 << 20 };	/* a larger event comes in several */

/* ---- metrics ------------------------------------------------------------- */

static const char *const by_listener[] = { "listener", NULL };
#define METRIC(variable, called, text, sort)				\
	const struct clq_metric variable = {				\
		.size = sizeof variable, .name = called, .help = text,	\
		.kind = sort, .labels = by_listener,			\
	}
METRIC(clq_outbox_delivered, "outbox_delivered", "Events delivered.",
    CLQ_METRIC_COUNTER);
METRIC(clq_outbox_failures, "outbox_failures",
    "Attempts to deliver an event that failed.", CLQ_METRIC_COUNTER);
METRIC(clq_outbox_dropped, "outbox_dropped",
    "Events that were not kept because the outbox was full.",
    CLQ_METRIC_COUNTER);
METRIC(clq_outbox_dead, "outbox_dead", "Events put aside as undeliverable.",
    CLQ_METRIC_COUNTER);
METRIC(clq_outbox_waiting, "outbox_waiting",
    "Events that wait for delivery.", CLQ_METRIC_GAUGE);

static enum clq_status
add_metrics(struct clq_server *srv, struct clq_outbox *box)
{
	const struct clq_metric *const all[] = { &clq_outbox_delivered,
	    &clq_outbox_failures, &clq_outbox_dropped, &clq_outbox_dead,
	    &clq_outbox_waiting };

	box->seconds = clq_metric_named(srv, (const char *const[]){
	    "listeners.", box->name, ".seconds" }, NULL,
	    "Time of a listener.");
	for (size_t i = 0; i < CLQ_COUNT(all); i++)
		if (clq_add_metric(srv, all[i]) != CLQ_OK)
			return CLQ_INVALID;
	return CLQ_OK;
}

/* ---- settings ------------------------------------------------------------ */

enum option { OBJECTS, PROCESSES, MAX_ENTRIES, WHEN_FULL, MAX_ATTEMPTS, MAX_AGE,
    MAX_WAIT };

static const struct clq_setting options[] = {
	[OBJECTS] = { "objects", CLQ_SET_BOOL, NULL, 0, 0, NULL,
	  "Send the objects with each event: what they are and were." },
	[PROCESSES] = { "processes", CLQ_SET_INT, "1", 1, CLQ_LANES,
	  "processes", "How many deliver at the same time; events of one list "
	  "stay in order." },
	[MAX_ENTRIES] = { "max_entries", CLQ_SET_INT, "1000000", 1,
	  INT64_C(1000000000), "events",
	  "So many wait at most; see when_full." },
	[WHEN_FULL] = { "when_full", CLQ_SET_STR, "drop", 0, 0, NULL,
	  "What becomes of a change while max_entries wait: drop (it is made, "
	  "its event is lost) or refuse (503)." },
	[MAX_ATTEMPTS] = { "max_attempts", CLQ_SET_INT, "10", 1, 1000,
	  "attempts", "Attempts for an event that the target refuses, before "
	  "it is put aside." },
	[MAX_AGE] = { "max_age_seconds", CLQ_SET_INT, "604800", 0, INT32_MAX,
	  "seconds", "Older events are put aside when an attempt fails; 0: "
	  "never." },
	[MAX_WAIT] = { "max_wait_seconds", CLQ_SET_INT, "60", 1, 86400,
	  "seconds", "Longest pause between attempts; it doubles from half a "
	  "second on." },
};

static int64_t
number(const struct clq_settings *s, const struct clq_setting *table,
    enum option o)
{
	return clq_settings_int(s, table[o].key, strtoll(table[o].def, NULL,
	    10));
}

static enum clq_status
read_options(struct clq_server *srv, struct clq_outbox *box,
    const char *prefix)
{
	struct clq_settings *s = srv->settings;
	struct clq_setting rows[CLQ_COUNT(options)];
	const struct clq_setting *table;
	struct clq_str full;

	memcpy(rows, options, sizeof rows);
	rows[OBJECTS].def = box->kind->flags & CLQ_LISTENER_BRIEF ?
	    "false" : "true";
	table = clq_settings_declare_below(s, prefix, rows, CLQ_COUNT(rows));
	if (table == NULL)
		return CLQ_INVALID;
	box->objects = clq_settings_bool(s, table[OBJECTS].key, true);
	box->processes = (int)number(s, table, PROCESSES);
	box->max_entries = number(s, table, MAX_ENTRIES);
	box->max_attempts = number(s, table, MAX_ATTEMPTS);
	box->max_age = number(s, table, MAX_AGE) * 1000;
	box->max_wait = number(s, table, MAX_WAIT) * 1000;
	full = clq_settings_str(s, table[WHEN_FULL].key);
	box->refuse = clq_str_is(full, "refuse");
	if (!box->refuse && !clq_str_is(full, "drop"))
		return clq_settings_error(s, table[WHEN_FULL].key,
		    "\"%.*s\" is not one of drop, refuse", CLQ_FMT(full));
	return CLQ_OK;
}

/* ---- construction -------------------------------------------------------- */

/* It is part of the names of lists. */
static bool
good_name(const struct clq_server *srv, const char *name)
{
	for (const struct clq_outbox *b = srv->outbox; b != NULL; b = b->next)
		if (strcmp(b->name, name) == 0)
			return false;
	return strlen(name) <= 64 && name[strspn(name,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_.-")] == '\0';
}

static enum clq_status
open_shared(struct clq_outbox *box)
{
	void *p = mmap(NULL, sizeof *box->count, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		clq_log_err("listener %s: %s", box->name, strerror(errno));
		return CLQ_FAILED;
	}
	box->count = p;
	for (int i = 0; i < box->processes; i++)
		if ((box->wake[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) ==
		    -1) {
			clq_log_err("listener %s: %s", box->name,
			    strerror(errno));
			return CLQ_FAILED;
		}
	return CLQ_OK;
}

enum clq_status
clq_outbox_add(struct clq_server *srv, const char *name, const char *prefix,
    const struct clq_listener_kind *kind, unsigned actions,
    struct clq_outbox **out)
{
	struct clq_outbox *box = clq_arena_alloc(srv->arena, sizeof *box);
	const char *use = clq_arena_printf(srv->arena, "%suse", prefix).p;
	struct clq_outbox **at = &srv->outbox;

	box->name = name;
	box->kind = kind;
	for (int i = 0; i < CLQ_LANES; i++)
		box->wake[i] = -1;
	if (!good_name(srv, name))
		return clq_settings_error(srv->settings, "event_listeners",
		    "\"%s\" is there twice, or has other characters than "
		    "letters, digits, '_', '.', '-'", name);
	if (srv->storage.ops == NULL)
		return clq_settings_error(srv->settings, use, "events are "
		    "kept in the storage until they are delivered, and there "
		    "is none; set storage_backend");
	if (srv->readonly && (actions & CLQ_BIT(CLQ_ACTION_READ)) != 0)
		return clq_settings_error(srv->settings, clq_arena_printf(
		    srv->arena, "%sactions", prefix).p, "read events are "
		    "written to the storage, which is read-only; remove "
		    "\"read\", or set readonly = false");
	if (read_options(srv, box, prefix) != CLQ_OK)
		return CLQ_INVALID;
	for (; *at != NULL; at = &(*at)->next)
		box->index++;
	*at = box;
	*out = box;
	if (open_shared(box) != CLQ_OK)
		return CLQ_FAILED;
	return add_metrics(srv, box);
}

void
clq_outbox_close(struct clq_server *srv)
{
	for (struct clq_outbox *box = srv->outbox; box != NULL;
	    box = box->next) {
		for (int i = 0; i < CLQ_LANES; i++)
			if (box->wake[i] != -1)
				close(box->wake[i]);
		if (box->count != NULL)
			munmap(box->count, sizeof *box->count);
	}
	srv->outbox = NULL;
}

struct clq_outbox *
clq_outbox_first(const struct clq_server *srv)
{
	return srv->outbox;
}

/* ---- writing -------------------------------------------------------------- */

/* An entry on its way into the storage. */
struct entry {
	struct clq_outbox	*box;
	int			 lane;
	size_t			 order;
	struct clq_str		 text;
};

struct entries {
	struct entry	*items;
	size_t		 n;
	size_t		 cap;
};

/* FNV-1a */
static uint32_t
hash(uint32_t h, struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT32_C(16777619);
	return h;
}

static int
lane_of(const struct clq_coll *coll)
{
	uint32_t h = hash(hash(UINT32_C(2166136261), coll->resource),
	    coll->parent);

	return (int)((h ^ h >> 16) % CLQ_LANES);
}

static int
by_lane(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->box->index != b->box->index)
		return a->box->index < b->box->index ? -1 : 1;
	if (a->lane != b->lane)
		return a->lane - b->lane;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void
add_entry(struct clq_arena *arena, struct entries *all,
    const struct clq_outbox_item *item, struct clq_str text)
{
	size_t cap = all->cap > 0 ? 2 * all->cap : 8;

	if (all->n == all->cap) {
		all->items = clq_arena_grow(arena, all->items,
		    all->cap * sizeof *all->items,
		    cap * sizeof *all->items);
		all->cap = cap;
	}
	all->items[all->n] = (struct entry){ item->box,
	    lane_of(&item->event->coll), all->n, text };
	all->n++;
}

static void
add_event(struct clq_arena *arena, struct entries *all,
    const struct clq_outbox_item *item)
{
	size_t n = clq_payload_count(item->event), from = 0;
	struct clq_buf b;

	do {
		clq_buf_init(&b, arena, 1024);
		from = clq_payload_part(&b, item->event, item->box->objects,
		    from, PART_BYTES);
		add_entry(arena, all, item, clq_buf_str(&b));
	} while (from < n);
}

/* CLQ_DONE: this event is not kept. */
static enum clq_status
check_room(struct clq_request *req, const struct clq_outbox *box)
{
	const struct clq_str label = clq_str_of(box->name);

	if (atomic_load(&box->count->waiting) < box->max_entries)
		return CLQ_OK;
	if (box->refuse) {
		clq_log_err("listener %s: a change is refused, because "
		    "%lld events wait already (max_entries)", box->name,
		    (long long)box->max_entries);
		return CLQ_UNAVAILABLE;
	}
	/* The first and every hundredth. */
	if (atomic_fetch_add(&box->count->dropped, 1) % 100 == 0)
		clq_log_err("listener %s: events are lost, because %lld wait "
		    "already (max_entries)", box->name,
		    (long long)box->max_entries);
	clq_observe(req->server, &clq_outbox_dropped, 1, &label);
	return CLQ_DONE;
}

static void
wake(struct clq_request *req, enum clq_tx_end end, void *ctx)
{
	const struct entries *all = ctx;
	const uint64_t one = 1;

	(void)req;
	for (size_t i = 0; end != CLQ_TX_UNDONE && i < all->n; i++) {
		const struct entry *e = &all->items[i];

		atomic_fetch_add(&e->box->count->waiting, 1);
		/* One call of the kernel for many of a lane. */
		if ((atomic_fetch_or(&e->box->count->hints, 1u << e->lane) &
		    1u << e->lane) == 0)
			(void)!write(e->box->wake[e->lane % e->box->processes],
			    &one, sizeof one);
	}
}

static enum clq_status
write_entries(struct clq_request *req, struct entries *all)
{
	struct clq_write *writes = clq_arena_calloc(req->arena, all->n,
	    sizeof *writes);
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	qsort(all->items, all->n, sizeof *all->items, by_lane);
	for (size_t i = 0; i < all->n; i++) {
		writes[i].op = CLQ_WRITE_CREATE;
		writes[i].coll = clq_outbox_lane(req->arena,
		    all->items[i].box, all->items[i].lane);
		writes[i].id = clq_uuid4(req->arena);
		writes[i].data = all->items[i].text;
	}
	if ((rc = clq_tx_write(req)) != CLQ_OK)
		return rc;
	storage = clq_timed_storage(req->server, &self);
	if ((rc = storage->write(self, writes, all->n)) != CLQ_OK)
		return rc;
	req->tx->wrote = true;
	clq_tx_then(req, wake, all);
	return CLQ_OK;
}

enum clq_status
clq_outbox_write(struct clq_request *req,
    const struct clq_outbox_item *items, size_t n)
{
	struct entries *all = clq_arena_alloc(req->arena, sizeof *all);
	enum clq_status rc;

	for (size_t i = 0; i < n; i++) {
		rc = check_room(req, items[i].box);
		if (rc == CLQ_OK)
			add_event(req->arena, all, &items[i]);
		else if (rc != CLQ_DONE)
			return rc;
	}
	return all->n > 0 ? write_entries(req, all) : CLQ_OK;
}
