/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource events (section 07-11): gathered while a request runs, merged, and
 * handed to subscribers before and after the commit.
 *
 * Gathering is a flat log per request (shared by the sub-requests of a batch),
 * so that an undone sub-request only cuts the log. Merging by (resource,
 * parent, action) happens when the log is fired. What nobody subscribed to is
 * not even gathered. Used in a worker by the resource engine, batch, dispatch.
 */
#ifndef CLQ_EVENTS_H
#define CLQ_EVENTS_H

#include "request.h"

/* Beside the phases of app.h: ctx is an outbox, which the event is written to at
 * the end of the transaction. */
enum { CLQ_INTO_OUTBOX = CLQ_ON_CHANGE + 1 };

struct clq_event_list;		/* req->events */
struct clq_events;		/* srv->events: the subscribers */

/* True if some subscriber, of either phase, wants this: to skip work (fetching
 * the old object, for instance) when nobody looks. */
bool clq_event_wanted(const struct clq_server *srv,
    const struct clq_resource *resource, enum clq_action action);

/*
 * A create, update or delete was done (queued) by this request.
 *
 * change   copied, *change->new_ too; all texts, and *change->old, must live in
 *          the request's arena or longer
 * write    the write it comes from, in the arena: new_'s last_modified is taken
 *          from write->last_modified when the event is fired (after a sync);
 *          NULL if new_->last_modified is right already
 */
void clq_event_change(struct clq_request *req,
    const struct clq_change *change, const struct clq_write *write);

/* The same change to subscribers of CLQ_ON_CHANGE, before the resource's hook
 * `stored`. Statuses of the subscribers. */
enum clq_status clq_event_at_once(struct clq_request *req,
    const struct clq_change *change) CLQ_MUST_CHECK;

/*
 * Objects were read, as answered: n may be 0 (section 07-11). objects is
 * borrowed (arena); coll is copied.
 */
void clq_event_read(struct clq_request *req,
    const struct clq_resource *resource, const struct clq_coll *coll,
    const struct clq_object *objects, size_t n);

/* A position in the log, and back to it: for an undone sub-request. */
size_t clq_events_mark(const struct clq_request *req);
void clq_events_undo(struct clq_request *req, size_t mark);

/* Begin with an empty log: before a request is run, or run again. Sub-requests
 * of a batch point to the batch's. */
void clq_events_reset(struct clq_request *req);

/*
 * Hand the gathered events to the subscribers of a phase. CLQ_IN_TRANSACTION
 * syncs queued writes first; events that subscribers raise form further levels,
 * fired in the same call, a bounded number of times. A subscriber's failure is
 * returned at once. CLQ_AFTER_COMMIT always returns CLQ_OK; failures are logged
 * and leave req->error alone.
 */
enum clq_status clq_events_fire(struct clq_request *req, enum clq_phase phase)
    CLQ_MUST_CHECK;

#endif
