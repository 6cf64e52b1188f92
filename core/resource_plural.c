/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plural endpoint: HEAD, GET, DELETE (section 03-5, 04). POST is in
 * resource_post.c.
 *
 * Each function follows the order of section 01-2, because the order of the
 * steps is the order in which errors win. The list's timestamp is read before
 * its objects, so that an ETag never promises what the answer does not hold.
 */
#include "resource_impl.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "error.h"
#include "events.h"
#include "tx.h"

/* What GET, HEAD and DELETE of a list work on. */
struct listing {
	struct clq_target	*t;
	struct clq_precond	 cond;
	struct clq_params	 params;
	const struct clq_strs	*only;		/* NULL: the whole list */
	clq_msec		 timestamp;
	struct clq_query	 query;
	struct clq_token	 token;
	bool			 read;		/* params, query and token are
						   there and are right */
	struct clq_query	 hint;		/* what the look-up answers */
	struct clq_page		 hinted;	/* along with the rest */
};

static enum clq_status
check_list(struct clq_request *req, struct listing *l)
{
	clq_checks_begin(req);
	clq_body_ignore(req);
	clq_precond_read(req, &l->cond);
	if (!l->read)
		clq_params_read(req, &l->params);
	return clq_checks_end(req);
}

/* A plural endpoint always exists, and is compared by its timestamp. */
static enum clq_status
check_condition(struct listing *l)
{
	struct clq_current now = { .exists = true };
	enum clq_status rc;

	if ((rc = clq_target_timestamp(l->t, &l->timestamp)) != CLQ_OK)
		return rc;
	now.timestamp = l->timestamp;
	return clq_precond_check(l->t->req, &l->cond, &now);
}

static enum clq_status
read_query(struct listing *l)
{
	struct clq_request *req = l->t->req;
	enum clq_status rc;

	l->query.only_ids = l->only;
	if (l->read)
		return CLQ_OK;
	l->query.coll = l->t->at.coll;
	if ((rc = clq_query_read(req, l->t->entry->decl, &l->params,
	    &l->query)) != CLQ_OK)
		return rc;
	if (clq_str_is(l->query.coll.parent, CLQ_ANY_PARENT))
		clq_query_by_id(req->arena, &l->query);
	if (req->method == CLQ_METHOD_DELETE)
		l->query.include_deleted = false;
	if (l->params.token.len == 0)
		return CLQ_OK;
	return clq_token_read(req, l->params.token, &l->query, &l->token);
}

/* ---- looking ahead ------------------------------------------------------ */

enum { MAX_AHEAD = 128 };	/* objects that may be read in vain */

/* True if an index delivers the first objects of the query, and they are
 * probably all that it wants: a poll finds few. */
static bool
is_cheap(const struct clq_query *q)
{
	if (q->limit >= MAX_AHEAD && q->nfilters == 0)
		return false;
	for (size_t i = 0; i < q->nfilters; i++)
		if (!clq_str_is(q->filters[i].field, "last_modified"))
			return false;
	return q->nsorts == 0 || clq_str_is(q->sorts[0].field,
	    "last_modified");
}

/*
 * A list that needs nothing but its first objects is asked for together with
 * the look-up, and its answer forgotten if the caller may not see it, or not
 * all of it. Whatever is wrong with the request is told later, in its turn.
 */
static void
look_ahead(struct listing *l)
{
	struct clq_request *req = l->t->req;
	struct clq_error error = req->error;
	struct clq_str alert = req->alert;

	if (req->method != CLQ_METHOD_GET || req->parent != NULL ||
	    error.errno_ != 0 || l->t->at.coll.parent.p == NULL ||
	    clq_str_is(l->t->at.coll.parent, CLQ_ANY_PARENT) ||
	    clq_request_header(req, "If-Match").p != NULL ||
	    clq_request_header(req, "If-None-Match").p != NULL)
		return;
	clq_params_read(req, &l->params);
	l->read = req->error.errno_ == 0 && read_query(l) == CLQ_OK &&
	    req->error.errno_ == 0 && req->alert.p == alert.p;
	req->error = error;
	req->alert = alert;
	if (!l->read || !is_cheap(&l->query))
		return;
	l->hint = l->query;
	if (l->hint.limit++ >= MAX_AHEAD)
		l->hint.limit = MAX_AHEAD;
	l->t->lookup.list = &l->hint;
	l->t->lookup.page = &l->hinted;
}

/* True if all that the query asks for has come already. The first timestamp of
 * a list is made after the look-up, which it would promise too much of. */
static bool
has_come(const struct listing *l)
{
	return l->t->lookup.listed && l->only == NULL &&
	    l->t->lookup.timestamp != 0 && (l->hinted.n < l->hint.limit ||
	    l->hint.limit > l->query.limit);
}

/* ---- before objects are asked for --------------------------------------- */

static enum clq_status
begin(struct clq_request *req, void *ctx, enum clq_access_kind kind,
    struct listing *l)
{
	enum clq_status rc;
	unsigned what;

	memset(l, 0, sizeof *l);
	l->t = clq_target_new(req, ctx);
	if ((rc = clq_target_scope(l->t)) != CLQ_OK)
		return rc;
	what = clq_target_ask_all(l->t);
	if (req->method == CLQ_METHOD_DELETE &&
	    (rc = clq_tx_write(req)) != CLQ_OK)
		return rc;
	look_ahead(l);
	if ((rc = clq_target_lookup(l->t, what)) != CLQ_OK ||
	    (rc = clq_authorize_list(l->t, kind, &l->only)) != CLQ_OK ||
	    (rc = clq_require_parent(l->t)) != CLQ_OK ||	/* 404/111 */
	    (rc = check_list(req, l)) != CLQ_OK ||		/* 400 */
	    (rc = check_condition(l)) != CLQ_OK ||		/* 304 412 */
	    (rc = read_query(l)) != CLQ_OK)			/* 400 */
		return rc;
	return CLQ_OK;
}

/* True if the caller may see nothing of the list: storage need not be asked. */
static bool
nothing_shared(const struct listing *l)
{
	return l->only != NULL && l->only->n == 0;
}

/* ---- GET and HEAD ------------------------------------------------------ */

/* {"data":[...]} of projected objects; each tree is gone before the next. */
static enum clq_status
project_list(struct listing *l, const struct clq_page *page,
    struct clq_str *out)
{
	struct clq_arena *scratch = clq_arena_new();
	enum clq_status rc = CLQ_OK;
	struct clq_buf b;

	clq_buf_init(&b, l->t->req->arena, 1024);
	clq_buf_adds(&b, "{\"data\":[");
	for (size_t i = 0; i < page->n && rc == CLQ_OK; i++) {
		if (i > 0)
			clq_buf_addc(&b, ',');
		rc = clq_project(&b, scratch, &page->objects[i],
		    l->params.fields);
		clq_arena_reset(scratch);
	}
	clq_buf_adds(&b, "]}");
	clq_arena_free(&scratch);
	*out = clq_buf_str(&b);
	return rc;
}

/* One object more than a page shows that there is another page. */
static enum clq_status
fetch(struct listing *l, struct clq_page *page, bool *more)
{
	const struct clq_storage_ops *storage;
	struct clq_query q = l->query;
	enum clq_status rc;
	void *self;

	memset(page, 0, sizeof *page);
	*more = false;
	if (nothing_shared(l))
		return CLQ_OK;
	if ((storage = clq_storage(l->t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	q.limit++;
	if (has_come(l))
		*page = l->hinted;
	else if ((rc = storage->list(self, l->t->req->arena, &q,
	    page)) != CLQ_OK)
		return rc;
	if (page->n > l->query.limit) {
		page->n = l->query.limit;
		*more = true;
	}
	return CLQ_OK;
}

static enum clq_status
link_next(struct listing *l, const struct clq_object *last, size_t n,
    bool single)
{
	struct clq_request *req = l->t->req;
	enum clq_status rc;

	if ((rc = clq_query_after(req, &l->query, last)) != CLQ_OK)
		return rc;
	return clq_next_page(req, l->t->at.plural, &l->query,
	    l->token.offset + (int64_t)n, single);
}

enum clq_status
clq_plural_get(struct clq_request *req, void *ctx)
{
	struct listing l;
	struct clq_page page;
	struct clq_str body;
	bool more;
	enum clq_status rc;

	if ((rc = begin(req, ctx, CLQ_ACCESS_LIST, &l)) != CLQ_OK ||
	    (rc = fetch(&l, &page, &more)) != CLQ_OK)
		return rc;
	if (more && (rc = link_next(&l, &page.objects[page.n - 1], page.n,
	    false)) != CLQ_OK)
		return rc;
	if (l.params.fields.n == 0)
		body = clq_splice_list(req->arena, page.objects, page.n);
	else if ((rc = project_list(&l, &page, &body)) != CLQ_OK)
		return rc;
	clq_event_read(req, l.t->entry->decl, &l.t->at.coll, page.objects,
	    page.n);
	clq_set_etag(req, l.timestamp);
	clq_cache_headers(req, l.t->entry, l.t->parent);
	return clq_reply(req, 200, body);
}

static enum clq_status
count(struct listing *l, int64_t *out)
{
	const struct clq_storage_ops *storage;
	void *self;

	*out = 0;
	if (nothing_shared(l))
		return CLQ_OK;
	if ((storage = clq_storage(l->t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	l->query.include_deleted = false;	/* counts are of objects */
	return storage->count(self, &l->query, out);
}

enum clq_status
clq_plural_head(struct clq_request *req, void *ctx)
{
	struct listing l;
	struct clq_str total;
	int64_t n;
	enum clq_status rc;

	if ((rc = begin(req, ctx, CLQ_ACCESS_LIST, &l)) != CLQ_OK ||
	    (rc = count(&l, &n)) != CLQ_OK)
		return rc;
	clq_event_read(req, l.t->entry->decl, &l.t->at.coll, NULL, 0);
	total = clq_arena_printf(req->arena, "%lld", (long long)n);
	clq_set_header(req, "Total-Objects", total);
	clq_set_header(req, "Total-Records", total);
	clq_set_etag(req, l.timestamp);
	clq_cache_headers(req, l.t->entry, l.t->parent);
	return clq_reply(req, 200, CLQ_STR("{\"data\":[]}"));
}

/* ---- DELETE ------------------------------------------------------------ */

/* Hooks and events of one deleted object. */
static enum clq_status
deleted_one(struct clq_target *t, const struct clq_deleted *d,
    struct clq_str uri, struct clq_object *tombstone)
{
	const struct clq_resource *decl = t->entry->decl;
	struct clq_change change = {
		.resource = decl, .action = CLQ_ACTION_DELETE,
		.coll = t->at.coll, .uri = uri, .old = &d->old,
		.new_ = tombstone,
	};
	enum clq_status rc;

	if (d->old.parent.p != NULL)	/* deleted in all lists */
		change.coll.parent = d->old.parent;
	tombstone->id = d->old.id;
	tombstone->last_modified = d->last_modified;
	tombstone->data = CLQ_STR("{}");
	tombstone->deleted = true;
	if ((rc = clq_event_at_once(t->req, &change)) != CLQ_OK)
		return rc;
	if (decl->stored != NULL &&
	    (rc = clq_error_of_hook(t->req, decl->name, "stored",
	    decl->stored(t->req, &change))) != CLQ_OK)
		return rc;
	clq_event_change(t->req, &change, NULL);
	return CLQ_OK;
}

/*
 * The permissions go with the objects, one by one: a pattern over the list would
 * also take those of objects below a parent that is not there (section 08-5).
 */
static enum clq_status
forget_permissions(struct clq_target *t, const struct clq_str *uris, size_t n)
{
	const struct clq_permission_ops *permission;
	void *self;

	if (n == 0 || (t->entry->decl->flags & CLQ_RESOURCE_USER) != 0 ||
	    (permission = clq_permission(t->req, &self)) == NULL)
		return CLQ_OK;
	return permission->delete_objects(self, uris, n);
}

/* True if an object that matches is left behind the last one deleted. */
static enum clq_status
more_left(struct listing *l, const struct clq_object *last, bool *more)
{
	const struct clq_storage_ops *storage;
	struct clq_query q = l->query;
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;
	void *self;

	if ((rc = clq_query_after(l->t->req, &q, last)) != CLQ_OK)
		return rc;
	if ((storage = clq_storage(l->t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	q.limit = 1;
	rc = storage->list(self, l->t->req->arena, &q, &page);
	*more = page.n > 0;
	return rc;
}

static enum clq_status
delete_objects(struct listing *l, struct clq_deletions *out)
{
	const struct clq_storage_ops *storage;
	struct clq_request *req = l->t->req;
	enum clq_status rc;
	void *self;

	memset(out, 0, sizeof *out);
	if (nothing_shared(l))
		return CLQ_OK;
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	clq_model_wrote(req);
	if ((rc = storage->delete_all(self, req->arena, &l->query,
	    out)) != CLQ_OK)
		return rc;
	return clq_tx_sync(req);
}

/* Everything that follows from the deletions; tombstones: room for out->n. */
static enum clq_status
follow_up(struct listing *l, const struct clq_deletions *out,
    struct clq_object *tombstones)
{
	struct clq_target *t = l->t;
	struct clq_str *uris = clq_arena_calloc(t->req->arena, out->n,
	    sizeof *uris);
	bool more = false;
	enum clq_status rc;

	for (size_t i = 0; i < out->n; i++) {
		uris[i] = clq_arena_printf(t->req->arena, "%.*s/%.*s",
		    CLQ_FMT(t->at.plural), CLQ_FMT(out->items[i].old.id));
		if ((rc = deleted_one(t, &out->items[i], uris[i],
		    &tombstones[i])) != CLQ_OK)
			return rc;
		if (tombstones[i].last_modified > l->timestamp)
			l->timestamp = tombstones[i].last_modified;
	}
	if (out->n > 0 && out->n >= l->query.limit &&
	    (rc = more_left(l, &out->items[out->n - 1].old, &more)) != CLQ_OK)
		return rc;
	if ((rc = forget_permissions(t, uris, out->n)) != CLQ_OK)
		return rc;
	return more ? link_next(l, &out->items[out->n - 1].old, out->n,
	    true) : CLQ_OK;
}

/* Delete with a token, which is good once; it is not used up in vain. */
static enum clq_status
delete_page(struct listing *l, struct clq_deletions *out)
{
	struct clq_request *req = l->t->req;
	enum clq_status rc;

	if (l->token.nonce.p == NULL)
		return delete_objects(l, out);
	if ((rc = clq_token_take(req, l->token.nonce)) != CLQ_OK)
		return rc;
	if ((rc = delete_objects(l, out)) != CLQ_OK &&
	    clq_token_keep(req, l->token.nonce) != CLQ_OK)
		clq_log_warn("a pagination token was lost");
	return rc;
}

enum clq_status
clq_plural_delete(struct clq_request *req, void *ctx)
{
	struct listing l;
	struct clq_deletions gone;
	struct clq_object *tombstones;
	enum clq_status rc;

	if ((rc = begin(req, ctx, CLQ_ACCESS_DELETE_LIST, &l)) != CLQ_OK ||
	    (rc = delete_page(&l, &gone)) != CLQ_OK)
		return rc;
	tombstones = clq_arena_calloc(req->arena, gone.n, sizeof *tombstones);
	if ((rc = follow_up(&l, &gone, tombstones)) != CLQ_OK)
		return rc;
	if (gone.n == 0)
		clq_event_read(req, l.t->entry->decl, &l.t->at.coll, NULL, 0);
	clq_set_etag(req, l.timestamp);
	return clq_reply(req, 200, clq_splice_list(req->arena, tombstones,
	    gone.n));
}
