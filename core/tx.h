/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's transaction over storage and permission (design: one per
 * request, one per batch with a savepoint per sub-request).
 *
 * Opened by the first view that needs it, shared by sub-requests, finished by
 * dispatch. Where storage and permission are one instance there is one backend
 * transaction; otherwise two, committed storage first.
 */
#ifndef CLQ_TX_H
#define CLQ_TX_H

#include "request.h"

struct clq_tx_hook;

struct clq_tx {
	enum clq_tx_mode mode;
	bool		 open;
	bool		 marked;	/* a savepoint is set */
	bool		 wrote;		/* something was written (queued) */
	bool		 always_write;	/* a batch that will write: begin as such */
	bool		 mark_wanted;	/* in a sub-request: set a savepoint before
					   it may write */
	struct clq_tx_hook *hooks;	/* clq_tx_then(), the last first */
};

/* Begin if not open; req->tx must exist. CLQ_OK or CLQ_UNAVAILABLE. */
enum clq_status clq_tx_open(struct clq_request *req, enum clq_tx_mode mode)
    CLQ_MUST_CHECK;

/* Commit or undo, and close. Statuses of abi.h's finish. */
enum clq_status clq_tx_finish(struct clq_request *req, bool commit);

/* Savepoint handling for sub-requests. */
enum clq_status clq_tx_mark(struct clq_request *req) CLQ_MUST_CHECK;
enum clq_status clq_tx_undo(struct clq_request *req);
enum clq_status clq_tx_release(struct clq_request *req);

/* Tell those who registered after `since` (NULL: all) what became of it, and
 * forget them. */
void clq_tx_tell(struct clq_request *req, struct clq_tx_hook *since,
    enum clq_tx_end end);

/* Wait for queued writes: their out-members are valid afterwards. */
enum clq_status clq_tx_sync(struct clq_request *req) CLQ_MUST_CHECK;

/*
 * Answer l from storage and permission, in one call where they are one
 * instance; the groups found are kept in req->identity. l->user and
 * l->principals are filled in here from the identity.
 */
enum clq_status clq_tx_lookup(struct clq_request *req, struct clq_lookup *l)
    CLQ_MUST_CHECK;

/* Announce the look-ups of a batch to the backend (storage.h), if it wants to
 * know; all of one caller, complete but for their answers. */
bool clq_tx_can_prefetch(const struct clq_request *req);
enum clq_status clq_tx_prefetch(struct clq_request *req,
    struct clq_lookup *const *lookups, size_t n) CLQ_MUST_CHECK;

#endif
