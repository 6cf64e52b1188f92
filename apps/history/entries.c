/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the entries of an event, and removing old ones (section 08-8.1).
 *
 * An event has all changes of one request to one list, so the entries of a
 * batch are written in one go, and the permissions of bucket and collection are
 * asked for once. Runs before the commit, when the timestamps of the changes
 * are known; whatever undoes the change undoes its entry.
 */
#include "history.h"

#include <time.h>

/* Entries that one event removes at most: the next one goes on. */
enum { TRIM_MAX = 1000 };

/* An event on its way into the list of entries. */
struct noting {
	struct clq_request	*req;
	struct clq_arena	*arena;
	const struct clq_event	*event;
	const struct history	*history;
	struct clq_str		 date;
	bool			 asked;		/* readers are known */
	struct clq_strs		 readers;	/* of bucket and collection */
	struct clq_write	*writes;
	size_t			 n;
};

/* ---- which changes ----------------------------------------------------- */

/* True if uri or something that it lies below is excluded. */
static bool
excluded(const struct history *h, struct clq_str uri)
{
	for (size_t i = 0; i < h->exclude_resources.n; i++) {
		struct clq_str root = h->exclude_resources.items[i];

		if (clq_str_eq(clq_str_sub(uri, 0, root.len), root) &&
		    (uri.len == root.len || uri.p[root.len] == '/'))
			return true;
	}
	return false;
}

/* A bucket's history goes with it: its deletion leaves no entry, and neither
 * do changes that came before it in the same batch. */
static bool
wanted(const struct noting *n, const struct clq_change *change)
{
	if (change->action == CLQ_ACTION_DELETE &&
	    strcmp(change->resource->name, "bucket") == 0)
		return false;
	return !clq_deleted_since(n->req, change,
	    history_bucket(change->uri)) && !excluded(n->history, change->uri);
}

/* ---- who may read an entry --------------------------------------------- */

static void
add_readers(struct clq_arena *arena, struct clq_strs *readers,
    const struct clq_acl *acl)
{
	for (size_t i = 0; i < acl->n; i++) {
		const struct clq_ace *ace = &acl->aces[i];

		if (!clq_str_is(ace->permission, "read") &&
		    !clq_str_is(ace->permission, "write"))
			continue;
		for (size_t j = 0; j < ace->principals.n; j++)
			if (!clq_strs_has(*readers, ace->principals.items[j]))
				clq_strs_add(arena, readers,
				    ace->principals.items[j]);
	}
}

/* Those of the bucket, and of the collection if the list is one's: the parent
 * of the list and the parent's parent. */
static enum clq_status
ask_readers(struct noting *n)
{
	const struct clq_permission_ops *permission;
	struct clq_str parent = n->event->coll.parent;
	struct clq_str bucket = history_bucket(parent);
	struct clq_acl acl = { NULL, 0 };
	enum clq_status rc;
	void *self;

	if (n->asked || parent.len == 0)
		return CLQ_OK;
	n->asked = true;
	if ((permission = clq_permission(n->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = permission->acl(self, n->arena, bucket, &acl)) != CLQ_OK)
		return rc;
	add_readers(n->arena, &n->readers, &acl);
	if (clq_str_eq(parent, bucket))
		return CLQ_OK;
	acl = (struct clq_acl){ NULL, 0 };
	if ((rc = permission->acl(self, n->arena, parent, &acl)) != CLQ_OK)
		return rc;
	add_readers(n->arena, &n->readers, &acl);
	return CLQ_OK;
}

/* Who may read bucket, collection or object now may always read the entry. */
static enum clq_status
permit(struct noting *n, const struct clq_change *change, struct clq_str id)
{
	struct clq_str bucket = history_bucket(change->uri);
	struct clq_strs readers = { NULL, 0, 0 };
	const struct clq_permission_ops *permission;
	struct clq_ace read = { CLQ_STR("read"), { NULL, 0, 0 } };
	struct clq_acl acl = { &read, 1 };
	void *self;

	if (!n->history->explicit_permissions)
		return CLQ_OK;
	for (size_t i = 0; i < n->readers.n; i++)
		clq_strs_add(n->arena, &readers, n->readers.items[i]);
	if (change->acl != NULL)
		add_readers(n->arena, &readers, change->acl);
	if (readers.n == 0)
		return CLQ_OK;
	read.principals = readers;
	if ((permission = clq_permission(n->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	return permission->replace(self, clq_arena_printf(n->arena,
	    "%.*s/history/%.*s", CLQ_FMT(bucket), CLQ_FMT(id)), &acl);
}

/* ---- the entry --------------------------------------------------------- */

/* "2026-11-23T17:59:16.960335+00:00" */
static struct clq_str
date_now(struct clq_arena *arena)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	return clq_arena_printf(arena, "%s.%06ld+00:00", text,
	    now.tv_nsec / 1000);
}

static void
add_member(struct clq_buf *b, const char *name, struct clq_str value)
{
	clq_buf_printf(b, ",\"%s\":", name);
	if (value.p == NULL)
		clq_buf_adds(b, "null");
	else
		clq_buf_json_str(b, value);
}

static void
add_permissions(struct clq_buf *b, const struct clq_acl *acl)
{
	bool first = true;

	clq_buf_addc(b, '{');
	for (size_t i = 0; acl != NULL && i < acl->n; i++) {
		const struct clq_ace *ace = &acl->aces[i];

		if (ace->principals.n == 0)
			continue;
		if (!first)
			clq_buf_addc(b, ',');
		first = false;
		clq_buf_json_str(b, ace->permission);
		for (size_t j = 0; j < ace->principals.n; j++) {
			clq_buf_adds(b, j == 0 ? ":[" : ",");
			clq_buf_json_str(b, ace->principals.items[j]);
		}
		clq_buf_addc(b, ']');
	}
	clq_buf_addc(b, '}');
}

/* The id in a URI behind "/collections/". */
static struct clq_str
collection_of(struct clq_str uri)
{
	struct clq_str below = clq_str_sub(uri, history_bucket(uri).len +
	    strlen("/collections/"), uri.len);

	return clq_str_sub(below, 0, clq_str_find(below, '/', 0));
}

static struct clq_str
document(const struct noting *n, const struct clq_change *change)
{
	static const char *const actions[CLQ_ACTION__COUNT] = {
		[CLQ_ACTION_CREATE] = "create", [CLQ_ACTION_UPDATE] = "update",
		[CLQ_ACTION_DELETE] = "delete", [CLQ_ACTION_READ] = "read",
	};
	const char *kind = change->resource->name;
	struct clq_buf b;

	clq_buf_init(&b, n->arena, change->new_->data.len + 512);
	clq_buf_adds(&b, "{\"action\":");
	clq_buf_json_str(&b, clq_str_of(actions[change->action]));
	add_member(&b, "date", n->date);
	add_member(&b, "uri", change->uri);
	add_member(&b, "user_id", n->event->user);
	add_member(&b, "resource_name", clq_str_of(kind));
	if (strcmp(kind, "record") == 0)
		add_member(&b, "collection_id", collection_of(change->uri));
	clq_buf_printf(&b, ",\"%s_id\":", kind);
	clq_buf_json_str(&b, change->new_->id);
	clq_buf_adds(&b, ",\"target\":{\"data\":");
	clq_buf_add(&b, clq_object_text(n->arena, change->new_));
	clq_buf_adds(&b, ",\"permissions\":");
	add_permissions(&b, change->acl);
	clq_buf_adds(&b, "}}");
	return clq_buf_str(&b);
}

static enum clq_status
note(struct noting *n, const struct clq_change *change)
{
	struct clq_write *w = &n->writes[n->n];
	enum clq_status rc;

	if (!wanted(n, change))
		return CLQ_OK;
	if ((rc = ask_readers(n)) != CLQ_OK)
		return rc;
	w->op = CLQ_WRITE_CREATE;
	w->coll = history_list(history_bucket(change->uri));
	w->id = clq_uuid4(n->arena);
	w->data = document(n, change);
	n->n++;
	return permit(n, change, w->id);
}

/* ---- trimming ---------------------------------------------------------- */

/* Forget the permissions of the `surplus` oldest entries, then the entries. */
static enum clq_status
trim(struct noting *n, struct clq_query *q, size_t surplus, size_t keep)
{
	static const struct clq_sort oldest = {
		CLQ_STR("last_modified"), false
	};
	const struct clq_storage_ops *storage;
	const struct clq_permission_ops *permission;
	struct clq_page page = { NULL, 0 };
	struct clq_str *uris;
	void *store, *perm;
	enum clq_status rc;
	int64_t removed;

	q->sorts = &oldest;
	q->nsorts = 1;
	q->limit = surplus;
	if ((storage = clq_storage(n->req, &store)) == NULL ||
	    (permission = clq_permission(n->req, &perm)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->list(store, n->arena, q, &page)) != CLQ_OK)
		return rc;
	uris = clq_arena_calloc(n->arena, page.n, sizeof *uris);
	for (size_t i = 0; i < page.n; i++)
		uris[i] = clq_arena_printf(n->arena, "%.*s/history/%.*s",
		    CLQ_FMT(q->coll.parent), CLQ_FMT(page.objects[i].id));
	if ((rc = permission->delete_objects(perm, uris, page.n)) != CLQ_OK)
		return rc;
	q->limit = 0;
	if ((rc = storage->trim(store, q, keep, &removed)) == CLQ_OK)
		clq_log_info("history of %.*s: removed %lld old entries",
		    CLQ_FMT(q->coll.parent), (long long)removed);
	return rc;
}

/* Keep `trim_max` entries of this kind (and of this user, if users are named)
 * in the bucket, but for a threshold that makes trimming rare. */
static enum clq_status
trim_bucket(struct noting *n, struct clq_str bucket)
{
	const struct history *h = n->history;
	const struct clq_storage_ops *storage;
	struct clq_filter filters[2] = {
		{ CLQ_STR("resource_name"), CLQ_OP_EQ, NULL },
		{ CLQ_STR("user_id"), CLQ_OP_EQ, NULL },
	};
	struct clq_query q = {
		.coll = history_list(bucket), .filters = filters,
		.nfilters = h->trim_users.n > 0 ? 2 : 1,
	};
	int64_t total = 0, surplus;
	enum clq_status rc;
	void *self;

	filters[0].value = clq_json_own(n->arena, clq_json_new_str(
	    clq_str_of(n->event->resource->name)));
	if (q.nfilters == 2)
		filters[1].value = clq_json_own(n->arena,
		    clq_json_new_str(n->event->user));
	if ((storage = clq_storage(n->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->count(self, &q, &total)) != CLQ_OK ||
	    total <= h->trim_max + h->trim_threshold)
		return rc;
	surplus = total - h->trim_max;
	if (surplus > TRIM_MAX)
		surplus = TRIM_MAX;
	return trim(n, &q, (size_t)surplus, (size_t)(total - surplus));
}

static enum clq_status
trim_all(struct noting *n)
{
	const struct history *h = n->history;
	enum clq_status rc;
	size_t i, j;

	if (h->trim_max <= 0 || (h->trim_users.n > 0 &&
	    (n->event->user.p == NULL ||
	    !clq_strs_has(h->trim_users, n->event->user))))
		return CLQ_OK;
	for (i = 0; i < n->n; i++) {
		for (j = 0; j < i; j++)		/* each bucket once */
			if (clq_str_eq(n->writes[j].coll.parent,
			    n->writes[i].coll.parent))
				break;
		if (j < i)
			continue;
		if ((rc = trim_bucket(n, n->writes[i].coll.parent)) != CLQ_OK)
			return rc;
	}
	return CLQ_OK;
}

/* ---- the subscriber ---------------------------------------------------- */

enum clq_status
history_note(struct clq_request *req, const struct clq_event *event,
    void *ctx)
{
	const struct history *h = ctx;
	struct noting n = {
		.req = req, .arena = clq_request_arena(req), .event = event,
		.history = h,
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	if (event->user.p != NULL &&
	    clq_strs_has(h->exclude_users, event->user))
		return CLQ_OK;
	n.date = date_now(n.arena);
	n.writes = clq_arena_calloc(n.arena, event->nchanges,
	    sizeof *n.writes);
	for (size_t i = 0; i < event->nchanges; i++)
		if ((rc = note(&n, &event->changes[i])) != CLQ_OK)
			return rc;
	if (n.n == 0)
		return CLQ_OK;
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->write(self, n.writes, n.n)) != CLQ_OK)
		return rc;
	return trim_all(&n);
}
