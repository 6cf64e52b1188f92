/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions over a protocol that has none: looking up and queuing.
 *
 * Nothing locks the other side. Instead, what a lookup saw becomes the
 * condition of the change that follows: If-Match with the timestamp that was
 * seen, If-None-Match if there was nothing. Where it fails, a race was lost and
 * the request is run again. Changes wait until their results are asked for, at
 * the latest for the commit, and leave together (kinto_send.c).
 */
#include "storage/kinto.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

enum { NO_MARK = 0 };

/* ---- life ---------------------------------------------------------------- */

enum clq_status
kr_begin(void *self, enum clq_tx_mode mode)
{
	struct kr *k = kr_self(self);

	clq_arena_reset(k->tx);
	k->mode = mode;
	k->known = NULL;
	k->changes = NULL;
	k->nknown = k->nchanges = k->sent = 0;
	k->mark = NO_MARK;
	return CLQ_OK;
}

enum clq_status
kr_finish(void *self, bool commit)
{
	struct kr *k = kr_self(self);
	enum clq_status rc = CLQ_OK;

	if (commit)
		rc = kr_send(k);
	if (!commit || rc != CLQ_OK)
		(void)kr_undo(k, 0);
	k->nchanges = k->sent = k->nknown = 0;
	k->req = NULL;
	clq_arena_reset(k->tx);
	return rc;
}

enum clq_status
kr_savepoint(void *self)
{
	struct kr *k = kr_self(self);

	k->mark = k->nchanges;
	return CLQ_OK;
}

enum clq_status
kr_rollback(void *self)
{
	struct kr *k = kr_self(self);

	return kr_undo(k, k->mark) ? CLQ_OK : CLQ_FAILED;
}

enum clq_status
kr_release(void *self)
{
	kr_self(self)->mark = NO_MARK;
	return CLQ_OK;
}

/* ---- lists that are not there yet ---------------------------------------- */

static enum clq_status
make_one(struct kr *k, struct clq_arena *arena, struct clq_str path,
    struct clq_str login)
{
	struct kr_call call = {
		.method = "PUT", .path = path, .body = CLQ_STR("{}"),
		.condition = KR_IF_MISSING, .login = login,
	};
	enum clq_status rc = kr_ask(k, arena, &call);

	/* 412: it is there */
	if (rc == CLQ_OK && call.status == 403)
		return kr_forbidden(k);
	return rc;
}

static enum clq_status
make_list(struct kr *k, struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str login)
{
	enum clq_status rc;

	if (!clq_str_is(k->bucket, "default") &&
	    (rc = make_one(k, arena, clq_arena_printf(arena, "/buckets/%.*s",
	    CLQ_FMT(k->bucket)), login)) != CLQ_OK)
		return rc;
	return make_one(k, arena, kr_list_path(k, arena, coll), login);
}

static enum clq_status
make_and_ask(struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct kr_call *call)
{
	enum clq_status rc;

	if ((rc = make_list(k, arena, coll, call->login)) != CLQ_OK ||
	    (rc = kr_ask(k, arena, call)) != CLQ_OK)
		return rc;
	return call->status == 403 ? kr_forbidden(k) : CLQ_OK;
}

enum clq_status
kr_ask_making(struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct kr_call *call)
{
	enum clq_status rc = kr_ask(k, arena, call);

	if (rc == CLQ_OK && (call->status == 403 || call->status == 404))
		rc = make_and_ask(k, arena, coll, call);
	return rc;
}

/* A bucket that is not there is hidden behind 403. */
enum clq_status
kr_ask_about(struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct kr_call *call)
{
	enum clq_status rc = kr_ask(k, arena, call);

	if (rc == CLQ_OK && call->status == 403)
		rc = make_and_ask(k, arena, coll, call);
	return rc;
}

/* ---- looking up ---------------------------------------------------------- */

enum clq_status
kr_object(struct clq_arena *arena, const cJSON *tree, bool tombstones,
    struct clq_object *out)
{
	struct clq_str id = clq_json_str(clq_json_get(tree, "id"));
	int64_t t;

	if (id.p == NULL || !clq_json_int(clq_json_get(tree,
	    "last_modified"), &t)) {
		clq_log_err("remote Kinto: an object without id or "
		    "last_modified");
		return CLQ_FAILED;
	}
	memset(out, 0, sizeof *out);
	out->id = clq_arena_strdup(arena, id);
	out->last_modified = t;
	out->deleted = tombstones &&
	    cJSON_IsTrue(clq_json_get(tree, "deleted"));
	out->data = out->deleted ? CLQ_STR("{}") : clq_json_stored(arena,
	    tree);
	return CLQ_OK;
}

static struct kr_known *
find_known(struct kr *k, const struct clq_coll *coll, struct clq_str id)
{
	for (size_t i = k->nknown; i-- > 0; )
		if (clq_str_eq(k->known[i]->id, id) &&
		    clq_coll_eq(&k->known[i]->coll, coll))
			return k->known[i];
	return NULL;
}

static struct clq_coll
coll_copy(struct clq_arena *arena, const struct clq_coll *coll)
{
	return (struct clq_coll){ clq_arena_strdup(arena, coll->resource),
	    clq_arena_strdup(arena, coll->parent) };
}

/* Keep what was seen until the end of the transaction. */
static void
remember(struct kr *k, const struct clq_want *w)
{
	struct kr_known *n = clq_arena_alloc(k->tx, sizeof *n);

	n->coll = coll_copy(k->tx, &w->coll);
	n->id = clq_arena_strdup(k->tx, w->id);
	n->found = w->found;
	if (w->found) {
		n->object = w->object;
		n->object.data = clq_arena_strdup(k->tx, w->object.data);
	}
	k->known = clq_arena_grow(k->tx, k->known, k->nknown *
	    sizeof *k->known, (k->nknown + 1) * sizeof *k->known);
	k->known[k->nknown++] = n;
}

static enum clq_status
look_up(struct kr *k, struct clq_arena *arena, struct clq_want *w)
{
	struct kr_call call = { .method = "GET" };
	enum clq_status rc;

	w->found = false;
	if (!kr_id_fits(w->id))
		return CLQ_OK;		/* it cannot be there */
	call.path = kr_object_path(k, arena, &w->coll, w->id);
	if ((rc = kr_ask_about(k, arena, &w->coll, &call)) != CLQ_OK)
		return rc;
	w->found = call.status == 200;
	if (w->found && (rc = kr_object(arena, clq_json_get(call.tree,
	    "data"), false, &w->object)) != CLQ_OK)
		return rc;
	if (k->mode == CLQ_TX_WRITE)
		remember(k, w);
	return CLQ_OK;
}

/* The list's timestamp; 0 if the list is not there. */
static enum clq_status
head(struct kr *k, struct clq_arena *arena, const struct clq_coll *coll,
    bool make, clq_msec *out)
{
	struct kr_call call = { .method = "HEAD" };
	enum clq_status rc;

	if (kr_of_all_users(coll))
		return CLQ_FAILED;
	call.path = clq_arena_printf(arena, "%.*s/records",
	    CLQ_FMT(kr_list_path(k, arena, coll)));
	rc = make ? kr_ask_making(k, arena, coll, &call) :
	    kr_ask(k, arena, &call);
	if (rc == CLQ_OK)
		*out = call.status == 200 ? call.etag : 0;
	return rc;
}

/* True if a change that waits is about what l asks. */
static bool
touches_queue(const struct kr *k, const struct clq_lookup *l)
{
	for (size_t i = k->sent; i < k->nchanges; i++) {
		const struct clq_write *w = &k->changes[i].write;

		if (l->timestamp_of != NULL && clq_str_eq(w->coll.parent,
		    l->timestamp_of->parent))
			return true;
		for (size_t j = 0; j < l->nwants; j++)
			if (clq_str_eq(w->id, l->wants[j].id))
				return true;
	}
	return false;
}

enum clq_status
kr_lookup(void *self, struct clq_lookup *l)
{
	struct kr *k = kr_self(self);
	enum clq_status rc;

	if (touches_queue(k, l) && (rc = kr_send(k)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < l->nwants; i++)
		if ((rc = look_up(k, l->arena, &l->wants[i])) != CLQ_OK)
			return rc;
	if (l->timestamp_of == NULL)
		return CLQ_OK;
	return head(k, l->arena, l->timestamp_of, false, &l->timestamp);
}

enum clq_status
kr_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct kr *k = kr_self(self);
	struct clq_arena *arena;
	enum clq_status rc;
	clq_msec t = 0;

	if ((rc = kr_send(k)) != CLQ_OK)
		return rc;
	arena = clq_arena_new();
	rc = head(k, arena, coll, k->mode == CLQ_TX_WRITE, &t);
	clq_arena_free(&arena);
	if (rc == CLQ_OK && t == 0)
		rc = CLQ_READONLY;
	if (rc == CLQ_OK)
		*out = t;
	return rc;
}

/* ---- changes ------------------------------------------------------------- */

enum clq_status
kr_write(void *self, struct clq_write *writes, size_t n)
{
	struct kr *k = kr_self(self);

	k->changes = clq_arena_grow(k->tx, k->changes, k->nchanges *
	    sizeof *k->changes, (k->nchanges + n) * sizeof *k->changes);
	for (size_t i = 0; i < n; i++) {
		struct kr_known *known = find_known(k, &writes[i].coll,
		    writes[i].id);
		struct kr_change *c = &k->changes[k->nchanges];

		if (!kr_id_fits(writes[i].id)) {
			clq_log_err("remote Kinto: an id that Kinto does not "
			    "take: %.*s", CLQ_FMT(clq_str_sub(writes[i].id, 0,
			    100)));
			return CLQ_FAILED;
		}
		memset(c, 0, sizeof *c);
		c->result = &writes[i];
		c->write = writes[i];
		c->write.coll = coll_copy(k->tx, &writes[i].coll);
		c->write.id = clq_arena_strdup(k->tx, writes[i].id);
		c->write.data = clq_arena_strdup(k->tx, writes[i].data);
		c->login = kr_login(k);
		if (known != NULL && !known->used) {
			c->known = known;
			known->used = true;
		}
		writes[i].status = CLQ_OK;
		k->nchanges++;
	}
	return CLQ_OK;
}

enum clq_status
kr_sync(void *self)
{
	return kr_send(kr_self(self));
}
