/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's transaction over the configured backends (design: one per
 * request, one per batch with savepoints).
 *
 * Storage and permission are usually one instance, hence one transaction; where
 * they are two, storage commits first, since an ACE without its object harms
 * nobody. A sub-request of a batch gets its savepoint only when it is about to
 * write, so that reading ones cost no round trip.
 */
#include "tx.h"

#include <cliquet/log.h>

#include "auth.h"
#include "cache.h"
#include "router.h"
#include "server.h"
#include "timed.h"

struct backend {
	const struct clq_backend_ops	*ops;
	void				*self;
	enum clq_timed_kind		 kind;
};

/* The distinct transactional instances: 0, 1 or 2, storage first. */
static size_t
backends(const struct clq_server *srv, struct backend out[2])
{
	size_t n = 0;

	if (srv->storage.ops != NULL)
		out[n++] = (struct backend){ srv->storage.plugin->backend,
		    srv->storage.self, CLQ_TIMED_STORAGE };
	if (srv->permission.ops != NULL &&
	    (n == 0 || srv->permission.self != out[0].self))
		out[n++] = (struct backend){ srv->permission.plugin->backend,
		    srv->permission.self, CLQ_TIMED_PERMISSION };
	return n;
}

static enum clq_status
begin_one(const struct clq_timed *t, const struct backend *b,
    enum clq_tx_mode mode)
{
	struct clq_call call = clq_call_begin(t, b->kind);
	enum clq_status rc = b->ops->begin(b->self, mode);

	clq_call_end(t, &call, CLQ_STR("begin"));
	return rc;
}

static enum clq_status
finish_one(const struct clq_timed *t, const struct backend *b, bool commit)
{
	struct clq_call call = clq_call_begin(t, b->kind);
	enum clq_status rc = b->ops->finish(b->self, commit);

	clq_call_end(t, &call, commit ? CLQ_STR("commit") :
	    CLQ_STR("rollback"));
	return rc;
}

/* Tell the storage for whom it works. */
static void
tell_caller(struct clq_request *req)
{
	const struct clq_storage_backend *storage = &req->server->storage;

	if (storage->ops != NULL && CLQ_HAS(storage->plugin->backend,
	    on_behalf))
		storage->plugin->backend->on_behalf(storage->self, req);
}

static enum clq_status
begin_all(struct clq_request *req, enum clq_tx_mode mode)
{
	struct backend b[2];
	const struct clq_timed *t = req->server->timed;
	size_t n = backends(req->server, b);
	enum clq_status rc;

	tell_caller(req);
	for (size_t i = 0; i < n; i++) {
		rc = begin_one(t, &b[i], mode);
		if (rc == CLQ_OK)
			continue;
		while (i-- > 0)
			(void)finish_one(t, &b[i], false);
		return rc;
	}
	req->tx->mode = mode;
	req->tx->open = true;
	req->tx->marked = false;
	req->tx->wrote = false;
	return CLQ_OK;
}

/* ---- who wants to know what became of it ------------------------------- */

struct clq_tx_hook {
	clq_tx_end_f		*fn;
	void			*ctx;
	struct clq_tx_hook	*next;
};

void
clq_tx_then(struct clq_request *req, clq_tx_end_f *fn, void *ctx)
{
	struct clq_tx_hook *h = clq_arena_alloc(req->arena, sizeof *h);

	*h = (struct clq_tx_hook){ fn, ctx, req->tx->hooks };
	req->tx->hooks = h;
}

void
clq_tx_tell(struct clq_request *req, struct clq_tx_hook *since,
    enum clq_tx_end end)
{
	struct clq_tx_hook *h;

	while ((h = req->tx->hooks) != since && h != NULL) {
		req->tx->hooks = h->next;
		h->fn(req, end, h->ctx);
	}
}

/* ---- the end ----------------------------------------------------------- */

/* half: out, true if objects were committed and their permissions were not. */
static enum clq_status
finish_all(struct clq_request *req, bool commit, bool *half)
{
	struct backend b[2];
	size_t n = backends(req->server, b);
	enum clq_status rc = CLQ_OK, one;

	req->tx->open = false;
	req->tx->marked = false;
	*half = false;
	for (size_t i = 0; i < n; i++) {
		one = finish_one(req->server->timed, &b[i],
		    commit && rc == CLQ_OK);
		if (rc != CLQ_OK || one == CLQ_OK || !commit)
			continue;
		rc = one;
		*half = i > 0;	/* two databases cannot commit as one */
		if (*half)
			clq_log_err("permissions could not be committed "
			    "after their objects were (status %d)", (int)rc);
	}
	return rc;
}

enum clq_status
clq_tx_finish(struct clq_request *req, bool commit)
{
	enum clq_tx_end end = CLQ_TX_UNKNOWN;
	enum clq_status rc;
	bool half;

	if (!req->tx->open)
		return CLQ_OK;
	rc = finish_all(req, commit, &half);
	if (req->tx->hooks == NULL)
		return rc;
	if (!commit || (rc == CLQ_RETRY && !half))
		end = CLQ_TX_UNDONE;
	else if (rc == CLQ_OK)
		end = CLQ_TX_COMMITTED;
	clq_tx_tell(req, NULL, end);
	if (req->tx->open)	/* by one who had to look */
		(void)finish_all(req, false, &half);
	return rc;
}

enum clq_status
clq_tx_mark(struct clq_request *req)
{
	struct backend b[2];
	size_t n = backends(req->server, b);
	enum clq_status rc;

	for (size_t i = 0; i < n; i++)
		if ((rc = b[i].ops->savepoint(b[i].self)) != CLQ_OK)
			return rc;
	req->tx->marked = true;
	return CLQ_OK;
}

enum clq_status
clq_tx_undo(struct clq_request *req)
{
	struct backend b[2];
	size_t n = backends(req->server, b);
	enum clq_status rc = CLQ_OK, one;

	if (!req->tx->open || !req->tx->marked)
		return CLQ_OK;
	for (size_t i = 0; i < n; i++) {
		one = b[i].ops->rollback(b[i].self);
		rc = rc != CLQ_OK ? rc : one;
	}
	return rc;
}

enum clq_status
clq_tx_release(struct clq_request *req)
{
	struct backend b[2];
	size_t n = backends(req->server, b);
	enum clq_status rc = CLQ_OK, one;

	if (!req->tx->open || !req->tx->marked)
		return CLQ_OK;
	req->tx->marked = false;
	for (size_t i = 0; i < n; i++) {
		one = b[i].ops->release(b[i].self);
		rc = rc != CLQ_OK ? rc : one;
	}
	return rc;
}

/* Finding out who it is may take long: not while other writers wait for us. */
static enum clq_status
begin_as(struct clq_request *req, enum clq_tx_mode mode)
{
	enum clq_status rc;

	if (mode == CLQ_TX_WRITE && (rc = clq_auth_resolve(req)) != CLQ_OK)
		return rc;
	return begin_all(req, mode);
}

enum clq_status
clq_tx_open(struct clq_request *req, enum clq_tx_mode mode)
{
	struct clq_tx *tx = req->tx;
	enum clq_status rc;

	if (tx->open && tx->mode == CLQ_TX_READ && mode == CLQ_TX_WRITE)
		(void)clq_tx_finish(req, false);	/* nothing written */
	if (!tx->open && (rc = begin_as(req, tx->always_write &&
	    !req->authenticating ? CLQ_TX_WRITE : mode)) != CLQ_OK)
		return rc;
	if (mode == CLQ_TX_WRITE && tx->mark_wanted && !tx->marked)
		return clq_tx_mark(req);
	return CLQ_OK;
}

enum clq_status
clq_tx_write(struct clq_request *req)
{
	return clq_tx_open(req, CLQ_TX_WRITE);
}

/* What the verb of the matched route declared; reading when in doubt. */
static enum clq_tx_mode
verb_mode(const struct clq_request *req)
{
	if (req->route == NULL || req->authenticating)
		return CLQ_TX_READ;
	return req->route->verbs[req->method].tx;
}

enum clq_status
clq_tx_sync(struct clq_request *req)
{
	const struct clq_storage_ops *storage;
	void *self;

	storage = clq_timed_storage(req->server, &self);
	if (!req->tx->open || storage == NULL)
		return CLQ_OK;
	return storage->sync(self);
}

/* ---- lookups ----------------------------------------------------------- */

/* Two instances: each gets only its own questions, since a backend that can
 * answer both halves would. */
static enum clq_status
lookup_apart(struct clq_server *srv, struct clq_lookup *l)
{
	const struct clq_permission_ops *permission;
	const struct clq_storage_ops *storage;
	struct clq_lookup half;
	enum clq_status rc;
	void *self;

	storage = clq_timed_storage(srv, &self);
	if (storage != NULL) {
		memset(&half, 0, sizeof half);
		half.arena = l->arena;
		half.wants = l->wants;
		half.nwants = l->nwants;
		half.reading = l->reading;
		half.timestamp_of = l->timestamp_of;
		half.list = l->list;
		half.page = l->page;
		rc = storage->lookup(self, &half);
		if (rc != CLQ_OK)
			return rc;
		l->timestamp = half.timestamp;
		l->listed = half.listed;
	}
	permission = clq_timed_permission(srv, &self);
	if (permission == NULL)
		return CLQ_OK;
	half = *l;
	half.wants = NULL;
	half.nwants = 0;
	half.timestamp_of = NULL;
	half.list = NULL;
	rc = permission->lookup(self, &half);
	if (rc != CLQ_OK)
		return rc;
	l->groups = half.groups;
	l->acl = half.acl;
	return CLQ_OK;
}

enum clq_status
clq_tx_lookup(struct clq_request *req, struct clq_lookup *l)
{
	struct clq_server *srv = req->server;
	enum clq_status rc;
	void *self;

	if ((rc = clq_auth_resolve(req)) != CLQ_OK)
		return rc;
	if (!req->tx->open &&
	    (rc = clq_tx_open(req, verb_mode(req))) != CLQ_OK)
		return rc;
	tell_caller(req);
	if (l->arena == NULL)
		l->arena = req->arena;
	l->user = req->identity.user;
	l->principals = req->identity.principals;
	l->reading = req->tx->mark_wanted && !req->tx->marked;
	if (srv->storage.ops != NULL &&
	    srv->storage.self == srv->permission.self)
		rc = clq_timed_storage(srv, &self)->lookup(self, l);
	else
		rc = lookup_apart(srv, l);
	if (rc == CLQ_OK)
		req->identity.groups = l->groups;
	return rc;
}

enum clq_status
clq_lookup(struct clq_request *req, struct clq_lookup *l)
{
	return clq_tx_lookup(req, l);
}

bool
clq_tx_can_prefetch(const struct clq_request *req)
{
	const struct clq_server *srv = req->server;

	return srv->storage.ops != NULL &&
	    srv->storage.self == srv->permission.self &&
	    CLQ_HAS(srv->storage.ops, prefetch);
}

enum clq_status
clq_tx_prefetch(struct clq_request *req, struct clq_lookup *const *lookups,
    size_t n)
{
	const struct clq_server *srv = req->server;
	struct clq_call call;
	enum clq_status rc;

	if (!req->tx->open &&
	    (rc = clq_tx_open(req, req->tx->always_write ? CLQ_TX_WRITE :
	    CLQ_TX_READ)) != CLQ_OK)
		return rc;
	call = clq_call_begin(srv->timed, CLQ_TIMED_STORAGE);
	rc = srv->storage.ops->prefetch(srv->storage.self, lookups, n);
	clq_call_end(srv->timed, &call, CLQ_STR("prefetch"));
	return rc;
}

/* ---- what applications see --------------------------------------------- */

static bool
backend_usable(struct clq_request *req)
{
	if (req->tx->open)
		return true;
	return clq_tx_open(req, verb_mode(req)) == CLQ_OK;
}

const struct clq_storage_ops *
clq_storage(struct clq_request *req, void **self)
{
	if (req->server->storage.ops == NULL || !backend_usable(req))
		return NULL;
	tell_caller(req);
	return clq_timed_storage(req->server, self);
}

const struct clq_permission_ops *
clq_permission(struct clq_request *req, void **self)
{
	if (req->server->permission.ops == NULL || !backend_usable(req))
		return NULL;
	return clq_timed_permission(req->server, self);
}

enum clq_status
clq_cache_get(struct clq_request *req, struct clq_str key,
    struct clq_str *value)
{
	return clq_cached_get(&req->server->cache, req->arena, key, value);
}

enum clq_status
clq_cache_set(struct clq_request *req, struct clq_str key,
    struct clq_str value, clq_msec ttl)
{
	return clq_cached_set(&req->server->cache, req->arena, key, value,
	    ttl);
}

enum clq_status
clq_cache_take(struct clq_request *req, struct clq_str key,
    struct clq_str *value)
{
	return clq_cached_take(&req->server->cache, req->arena, key, value);
}

enum clq_status
clq_cache_expire(struct clq_request *req, struct clq_str key, clq_msec ttl)
{
	return clq_cached_expire(&req->server->cache, req->arena, key, ttl);
}

enum clq_status
clq_flush_all(struct clq_request *req)
{
	struct clq_server *srv = req->server;
	enum clq_status rc;

	if ((rc = clq_tx_open(req, CLQ_TX_WRITE)) != CLQ_OK)
		return rc;
	if (srv->storage.ops != NULL &&
	    (rc = srv->storage.ops->flush(srv->storage.self)) != CLQ_OK)
		return rc;
	if (srv->permission.ops != NULL &&
	    (rc = srv->permission.ops->flush(srv->permission.self)) != CLQ_OK)
		return rc;
	req->tx->wrote = true;
	return clq_cached_flush(&srv->cache, req->arena);
}
