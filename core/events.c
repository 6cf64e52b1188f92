/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of what a request did to objects, and the subscribers (07-11).
 *
 * Entries keep what they were told plus, for queued writes, where the new
 * timestamp will appear; it is copied when the log is fired, after a sync.
 * Merging then groups entries by (resource, parent, action) in order of first
 * appearance. Everything is in the request's arena, which a batch shares with
 * its sub-requests.
 */
#include "events.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "outbox.h"
#include "resource.h"
#include "server.h"
#include "timed.h"
#include "tx.h"

/* Listeners may raise events whose listeners raise events ...: that far. */
enum { MAX_LEVELS = 8 };

struct subscriber {
	enum clq_phase		 phase;
	unsigned		 actions;
	const char *const	*resources;
	clq_subscriber_f	*fn;
	void			*ctx;
	struct subscriber	*next;
};

struct clq_events {
	struct subscriber	*first;
	struct subscriber	*last;
};

struct entry {
	const struct clq_resource	*resource;
	enum clq_action			 action;
	struct clq_coll			 coll;
	struct clq_str			 uri;
	struct clq_str			 user;
	struct clq_change		 change;	/* not READ */
	struct clq_object		 new_;
	const struct clq_write		*write;
	const struct clq_object		*reads;		/* READ */
	size_t				 nreads;
	bool				 merged;
	bool				 silent;	/* nobody wants to hear */
	const struct entry		*before;	/* of list->uprooted */
};

struct clq_event_list {
	struct entry		**entries;
	size_t			  n;
	size_t			  cap;
	size_t			  fired;	/* entries before it were */
	const struct entry	 *uprooted;	/* the last that deleted an
						   object with others below */
	struct clq_event	 *events;	/* fired; for the 2nd phase */
	size_t			  nevents;
};

/* ---- subscribers ------------------------------------------------------- */

enum clq_status
clq_subscribe(struct clq_server *srv, enum clq_phase phase, unsigned actions,
    const char *const *resources, clq_subscriber_f *fn, void *ctx)
{
	struct subscriber *s = clq_arena_alloc(srv->arena, sizeof *s);

	if (srv->events == NULL)
		srv->events = clq_arena_alloc(srv->arena, sizeof *srv->events);
	*s = (struct subscriber){ phase, actions, resources, fn, ctx, NULL };
	if (srv->events->last != NULL)
		srv->events->last->next = s;
	else
		srv->events->first = s;
	srv->events->last = s;
	return CLQ_OK;
}

static bool
subscriber_wants(const struct subscriber *s,
    const struct clq_resource *resource, enum clq_action action)
{
	if ((s->actions & CLQ_BIT(action)) == 0)
		return false;
	if (s->resources == NULL)
		return true;
	for (size_t i = 0; s->resources[i] != NULL; i++)
		if (strcmp(s->resources[i], resource->name) == 0)
			return true;
	return false;
}

bool
clq_event_wanted(const struct clq_server *srv,
    const struct clq_resource *resource, enum clq_action action)
{
	const struct subscriber *s;

	if (srv->events == NULL)
		return false;
	for (s = srv->events->first; s != NULL; s = s->next)
		if (s->phase != CLQ_ON_CHANGE &&
		    subscriber_wants(s, resource, action))
			return true;
	return false;
}

/* ---- gathering --------------------------------------------------------- */

/* True if objects of other resources may lie below those of this one. */
static bool
has_below(const struct clq_server *srv, const struct clq_resource *resource)
{
	for (size_t i = 0; i < srv->nresources; i++) {
		const char *path = srv->resources[i].decl->plural_path;
		size_t len = strlen(resource->plural_path);

		if (strncmp(path, resource->plural_path, len) == 0 &&
		    path[len] == '/')
			return true;
	}
	return false;
}

static struct entry *
entry_add(struct clq_request *req, const struct clq_resource *resource,
    enum clq_action action, const struct clq_coll *coll)
{
	struct clq_event_list *list = req->events;
	struct entry *e = clq_arena_alloc(req->arena, sizeof *e);
	size_t cap;

	if (list->n == list->cap) {
		cap = list->cap > 0 ? 2 * list->cap : 8;
		list->entries = clq_arena_grow(req->arena, list->entries,
		    list->cap * sizeof *list->entries,
		    cap * sizeof *list->entries);
		list->cap = cap;
	}
	e->resource = resource;
	e->action = action;
	e->coll = *coll;
	e->uri = clq_request_uri(req);
	e->user = clq_request_user(req);
	list->entries[list->n++] = e;
	return e;
}

enum clq_status
clq_event_at_once(struct clq_request *req, const struct clq_change *change)
{
	struct clq_event event = {
		.resource = change->resource, .action = change->action,
		.coll = change->coll, .uri = clq_request_uri(req),
		.changes = change, .nchanges = 1,
	};
	const struct subscriber *s;
	enum clq_status rc;

	if (req->server->events == NULL)
		return CLQ_OK;
	for (s = req->server->events->first; s != NULL; s = s->next) {
		if (s->phase != CLQ_ON_CHANGE || !subscriber_wants(s,
		    change->resource, change->action))
			continue;
		event.user = clq_request_user(req);
		if ((rc = s->fn(req, &event, s->ctx)) != CLQ_OK)
			return rc;
	}
	return CLQ_OK;
}

void
clq_event_change(struct clq_request *req, const struct clq_change *change,
    const struct clq_write *write)
{
	bool wanted = clq_event_wanted(req->server, change->resource,
	    change->action), uproots;
	struct entry *e;

	uproots = req->server->events != NULL &&
	    change->action == CLQ_ACTION_DELETE &&
	    has_below(req->server, change->resource);
	if (!wanted && !uproots)
		return;
	e = entry_add(req, change->resource, change->action, &change->coll);
	e->silent = !wanted;
	e->change = *change;
	e->change.order = req->events->n - 1;
	e->write = write;
	if (change->new_ != NULL) {
		e->new_ = *change->new_;
		e->change.new_ = &e->new_;
	}
	if (uproots) {
		e->before = req->events->uprooted;
		req->events->uprooted = e;
	}
}

bool
clq_deleted_since(const struct clq_request *req,
    const struct clq_change *change, struct clq_str uri)
{
	const struct entry *e = req->events->uprooted;

	for (; e != NULL && e->change.order > change->order; e = e->before)
		if (clq_str_eq(e->change.uri, uri))
			return true;
	return false;
}

void
clq_event_read(struct clq_request *req, const struct clq_resource *resource,
    const struct clq_coll *coll, const struct clq_object *objects, size_t n)
{
	struct entry *e;

	if (!clq_event_wanted(req->server, resource, CLQ_ACTION_READ))
		return;
	e = entry_add(req, resource, CLQ_ACTION_READ, coll);
	e->reads = objects;
	e->nreads = n;
}

size_t
clq_events_mark(const struct clq_request *req)
{
	return req->events != NULL ? req->events->n : 0;
}

void
clq_events_undo(struct clq_request *req, size_t mark)
{
	struct clq_event_list *list = req->events;

	if (list == NULL)
		return;
	list->n = mark;
	while (list->uprooted != NULL &&
	    list->uprooted->change.order >= mark)
		list->uprooted = list->uprooted->before;
}

void
clq_events_reset(struct clq_request *req)
{
	if (req->events == NULL)
		req->events = clq_arena_alloc(req->arena, sizeof *req->events);
	memset(req->events, 0, sizeof *req->events);
}

/* ---- merging ----------------------------------------------------------- */

static bool
same_event(const struct entry *a, const struct entry *b)
{
	return a->resource == b->resource && a->action == b->action &&
	    clq_str_eq(a->coll.parent, b->coll.parent);
}

/* The event that entry i of entries[0..n) begins: all like it, in order. True
 * if its timestamp does not follow from them. */
static bool
event_merge(struct clq_arena *arena, struct entry **entries, size_t n,
    size_t i, struct clq_event *out)
{
	const struct entry *first = entries[i];
	struct clq_change *changes = NULL;
	struct clq_object *reads = NULL;
	size_t nchanges = 0, nreads = 0;
	bool ask = first->action == CLQ_ACTION_READ;

	for (size_t j = i; j < n; j++) {
		if (!same_event(first, entries[j]))
			continue;
		ask = ask || (entries[j]->write != NULL &&
		    entries[j]->write->has_timestamp);
		nchanges += first->action != CLQ_ACTION_READ;
		nreads += entries[j]->nreads;
	}
	changes = clq_arena_calloc(arena, nchanges, sizeof *changes);
	reads = clq_arena_calloc(arena, nreads, sizeof *reads);
	*out = (struct clq_event){
		.resource = first->resource, .action = first->action,
		.coll = first->coll, .uri = first->uri, .user = first->user,
		.changes = changes, .reads = reads,
	};
	for (size_t j = i; j < n; j++) {
		struct entry *e = entries[j];

		if (!same_event(first, e))
			continue;
		e->merged = true;
		if (e->action != CLQ_ACTION_READ)
			changes[out->nchanges++] = e->change;
		for (size_t k = 0; k < e->nreads; k++)
			reads[out->nreads++] = e->reads[k];
	}
	return ask;
}

/*
 * The list's timestamp after the operation: that of its newest change, unless
 * a client chose one, or nothing was changed: then storage knows it.
 */
static clq_msec
event_timestamp(struct clq_request *req, const struct clq_event *event,
    bool ask)
{
	const struct clq_storage_ops *storage;
	clq_msec newest = 0, stored;
	void *self;

	storage = clq_timed_storage(req->server, &self);
	if (ask && storage != NULL && req->tx->open &&
	    storage->timestamp(self, &event->coll, &stored) == CLQ_OK)
		return stored;
	for (size_t i = 0; i < event->nchanges; i++)
		if (event->changes[i].new_ != NULL &&
		    event->changes[i].new_->last_modified > newest)
			newest = event->changes[i].new_->last_modified;
	for (size_t i = 0; i < event->nreads; i++)
		if (event->reads[i].last_modified > newest)
			newest = event->reads[i].last_modified;
	return newest;
}

/* Merge entries [from, to) and append the events to the list. */
static void
list_merge(struct clq_request *req, size_t from, size_t to)
{
	struct clq_event_list *list = req->events;
	struct entry **entries = list->entries + from;
	size_t n = to - from;
	struct clq_event *event;
	bool ask;

	for (size_t i = 0; i < n; i++)
		if (entries[i]->write != NULL)
			entries[i]->new_.last_modified =
			    entries[i]->write->last_modified;
	list->events = clq_arena_grow(req->arena, list->events,
	    list->nevents * sizeof *list->events,
	    (list->nevents + n) * sizeof *list->events);
	for (size_t i = 0; i < n; i++) {
		if (entries[i]->merged || entries[i]->silent)
			continue;
		event = &list->events[list->nevents++];
		ask = event_merge(req->arena, entries, n, i, event);
		event->timestamp = event_timestamp(req, event, ask);
	}
}

/* ---- firing ------------------------------------------------------------ */

static enum clq_status
event_fire(struct clq_request *req, const struct clq_event *event,
    enum clq_phase phase)
{
	struct clq_error kept = req->error;
	const struct subscriber *s;
	enum clq_status rc;

	for (s = req->server->events->first; s != NULL; s = s->next) {
		if (s->phase != phase ||
		    !subscriber_wants(s, event->resource, event->action))
			continue;
		rc = s->fn(req, event, s->ctx);
		if (rc == CLQ_OK && req->error.errno_ == kept.errno_)
			continue;
		if (phase == CLQ_IN_TRANSACTION)
			return rc != CLQ_OK ? rc : CLQ_FAILED;
		clq_log_err("a listener of %s failed after the commit "
		    "(status %d): %.*s", event->resource->name, (int)rc,
		    CLQ_FMT(req->error.message));
		req->error = kept;
	}
	return CLQ_OK;
}

/* All that was fired, for the listeners that are told later. */
static enum clq_status
fill_outboxes(struct clq_request *req)
{
	const struct clq_event_list *list = req->events;
	struct clq_outbox_item *items = NULL;
	const struct subscriber *s;
	size_t n = 0, i;

	for (s = req->server->events->first; s != NULL; s = s->next) {
		if ((int)s->phase != CLQ_INTO_OUTBOX)
			continue;
		items = clq_arena_grow(req->arena, items, n * sizeof *items,
		    (n + list->nevents) * sizeof *items);
		for (i = 0; i < list->nevents; i++)
			if (subscriber_wants(s, list->events[i].resource,
			    list->events[i].action))
				items[n++] = (struct clq_outbox_item){
				    &list->events[i], s->ctx };
	}
	return n > 0 ? clq_outbox_write(req, items, n) : CLQ_OK;
}

static enum clq_status
fire_before_commit(struct clq_request *req)
{
	struct clq_event_list *list = req->events;
	enum clq_status rc;
	size_t level, first, to;

	for (level = 0; list->fired < list->n; level++) {
		if (level == MAX_LEVELS) {
			clq_log_err("events: listeners keep raising events, "
			    "%d levels deep", MAX_LEVELS);
			return CLQ_FAILED;
		}
		if ((rc = clq_tx_sync(req)) != CLQ_OK)
			return rc;
		to = list->n;	/* what listeners add is the next level */
		first = list->nevents;
		list_merge(req, list->fired, to);
		list->fired = to;
		for (size_t i = first, n = list->nevents; i < n; i++) {
			rc = event_fire(req, &list->events[i],
			    CLQ_IN_TRANSACTION);
			if (rc != CLQ_OK)
				return rc;
		}
	}
	return fill_outboxes(req);
}

enum clq_status
clq_events_fire(struct clq_request *req, enum clq_phase phase)
{
	struct clq_event_list *list = req->events;

	if (list == NULL || req->server->events == NULL)
		return CLQ_OK;
	if (phase == CLQ_IN_TRANSACTION)
		return fire_before_commit(req);
	for (size_t i = 0; i < list->nevents; i++)
		(void)event_fire(req, &list->events[i], CLQ_AFTER_COMMIT);
	return CLQ_OK;
}
