/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storing one object with all that hangs on it: document, permissions, hooks,
 * event (sections 03-6, 06-5, 07-11).
 *
 * Writes may be queued (storage.h), so nothing here reads what they return,
 * except where a rule has to be checked once more behind them. The caller has
 * looked the object up in the same writing transaction; a creation that meets
 * an object all the same lost a race, and the request is run again.
 */
#include "resource_impl.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "error.h"
#include "events.h"
#include "server.h"
#include "tx.h"

void
clq_model_wrote(struct clq_request *req)
{
	if (req->tx != NULL)
		req->tx->wrote = true;
}

enum clq_status
clq_model_process(struct clq_target *t, struct clq_edit *edit)
{
	struct clq_draft draft = {
		.resource = t->entry->decl, .action = edit->action,
		.patch = edit->patch, .id = t->at.id, .data = edit->data,
		.old = t->existing, .parent = t->parent,
		.parent_id = t->at.coll.parent, .id_sent = !edit->id_made,
		.implicit = edit->implicit,
	};
	enum clq_status rc;

	if (t->entry->decl->process == NULL)
		return CLQ_OK;
	if (t->parent != NULL)
		draft.parent_modified = t->parent->last_modified;
	rc = clq_error_of_hook(t->req, draft.resource->name, "process",
	    t->entry->decl->process(t->req, &draft));
	edit->data = draft.data;
	if (rc == CLQ_OK && t->req->error.ninvalid > 0)
		return CLQ_INVALID;	/* collected without saying so */
	return rc;
}

/* ---- unique fields (section 03-11) ------------------------------------- */

static bool
has_unique(const struct clq_resource *decl)
{
	for (size_t i = 0; i < decl->nfields; i++)
		if ((decl->fields[i].flags & CLQ_FIELD_UNIQUE) != 0)
			return true;
	return false;
}

/* One object of the list with that value, but for the target itself. */
static enum clq_status
find_equal(struct clq_target *t, const char *field, const cJSON *value,
    struct clq_page *page)
{
	static const struct clq_sort newest = {
		CLQ_STR("last_modified"), true
	};
	const struct clq_storage_ops *storage;
	struct clq_filter filters[2] = {
		{ clq_str_of(field), CLQ_OP_EQ, value },
		{ CLQ_STR("id"), CLQ_OP_NOT, NULL },
	};
	struct clq_query q = {
		.coll = t->at.coll, .filters = filters, .nfilters = 1,
		.sorts = &newest, .nsorts = 1, .limit = 1,
	};
	void *self;

	if ((storage = clq_storage(t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if (t->at.id.p != NULL) {
		filters[1].value = clq_json_own(t->req->arena,
		    clq_json_new_str(t->at.id));
		q.nfilters = 2;
	}
	memset(page, 0, sizeof *page);
	return storage->list(self, t->req->arena, &q, page);
}

enum clq_status
clq_model_unique(struct clq_target *t, const cJSON *data, const char **field,
    struct clq_object *other)
{
	const struct clq_resource *decl = t->entry->decl;
	struct clq_page page;
	enum clq_status rc;

	*field = NULL;
	for (size_t i = 0; i < decl->nfields; i++) {
		const char *name = decl->fields[i].name;
		const cJSON *value = clq_json_get(data, name);

		if ((decl->fields[i].flags & CLQ_FIELD_UNIQUE) == 0 ||
		    value == NULL || cJSON_IsNull(value))
			continue;
		if ((rc = find_equal(t, name, value, &page)) != CLQ_OK)
			return rc;
		if (page.n > 0) {
			*field = name;
			*other = page.objects[0];
			return CLQ_OK;
		}
	}
	return CLQ_OK;
}

enum clq_status
clq_model_refuse(struct clq_target *t, const char *field,
    const struct clq_object *other)
{
	struct clq_request *req = t->req;
	enum clq_status rc = clq_fail(req, CLQ_ERRNO_CONSTRAINT_VIOLATED,
	    "Conflict of field %s on record %.*s", field, CLQ_FMT(other->id));
	cJSON *details = clq_json_own(req->arena, cJSON_CreateObject());
	cJSON *existing;

	clq_json_set(details, "field", clq_json_new_str(clq_str_of(field)));
	/* in a list of many users it may be an object that this one may not
	 * read */
	if ((t->entry->decl->flags & CLQ_RESOURCE_USER) != 0 &&
	    clq_object_tree(req->arena, other, &existing) == CLQ_OK)
		clq_json_set(details, "existing",
		    cJSON_Duplicate(existing, true));
	clq_fail_details(req, details);
	return rc;
}

/*
 * Look again behind the write: the list's clock makes concurrent writers queue
 * up, so that the later one sees what the earlier one stored.
 */
static enum clq_status
still_unique(struct clq_target *t, const struct clq_edit *edit)
{
	struct clq_object other;
	const char *field;
	enum clq_status rc;

	if (edit->action == CLQ_ACTION_DELETE || !has_unique(t->entry->decl))
		return CLQ_OK;
	if ((rc = clq_tx_sync(t->req)) != CLQ_OK ||
	    (rc = clq_model_unique(t, edit->data, &field, &other)) != CLQ_OK)
		return rc;
	return field != NULL ? CLQ_RETRY : CLQ_OK;
}

/* ---- permissions ------------------------------------------------------- */

/* What changes in the object's ACL; the whole of it goes to edit->acl. */
static struct clq_acl
changes_of(struct clq_target *t, struct clq_edit *edit)
{
	struct clq_arena *arena = t->req->arena;
	struct clq_str write = CLQ_STR("write");
	struct clq_str owner = t->owner.p != NULL ? t->owner :
	    clq_caller(t->req);
	const struct clq_strs nobody = { NULL, 0, 0 };
	struct clq_acl changes = { NULL, 0 };
	struct clq_strs writers = { NULL, 0, 0 }, now;
	size_t i;

	edit->acl = clq_acl_copy(arena, &t->lookup.acl);
	/* nothing of an earlier object of that name may come back to life */
	for (i = 0; edit->action == CLQ_ACTION_CREATE && i < edit->acl.n; i++)
		clq_acl_set(arena, &changes, edit->acl.aces[i].permission,
		    nobody);
	for (i = 0; i < edit->set.n; i++)
		clq_acl_set(arena, &changes, edit->set.aces[i].permission,
		    edit->set.aces[i].principals);
	for (i = 0; i < changes.n; i++)
		clq_acl_set(arena, &edit->acl, changes.aces[i].permission,
		    changes.aces[i].principals);
	now = clq_acl_get(&edit->acl, write);
	if (!t->req->server->explicit_permissions || clq_strs_has(now, owner))
		return changes;
	for (i = 0; i < now.n; i++)
		clq_strs_add(arena, &writers, now.items[i]);
	clq_strs_add(arena, &writers, owner);
	clq_acl_set(arena, &changes, write, writers);
	clq_acl_set(arena, &edit->acl, write, writers);
	return changes;
}

static enum clq_status
store_permissions(struct clq_target *t, struct clq_edit *edit)
{
	const struct clq_permission_ops *permission;
	struct clq_acl changes;
	void *self;

	if ((t->entry->decl->flags & CLQ_RESOURCE_USER) != 0 ||
	    (permission = clq_permission(t->req, &self)) == NULL)
		return CLQ_OK;
	if (edit->action == CLQ_ACTION_DELETE)
		return permission->delete_objects(self, &t->at.object, 1);
	changes = changes_of(t, edit);
	if (changes.n == 0)
		return CLQ_OK;
	return permission->replace(self, t->at.object, &changes);
}

/* ---- the object -------------------------------------------------------- */

/*
 * What is larger than any body could not be put back, and must not come
 * together by PATCH either: JSON-patch copies a lot with few bytes, and every
 * further change would be paid by all who write to the list.
 */
static enum clq_status
check_size(struct clq_request *req, struct clq_str document)
{
	if (document.len <= (size_t)req->server->max_body)
		return CLQ_OK;
	return clq_fail(req, CLQ_ERRNO_REQUEST_TOO_LARGE,
	    "The object is too large.");
}

/*
 * A row may become something else than the document that was sent: columns have
 * types, defaults, constraints and triggers. What was refused is told, what was
 * changed is shown.
 */
static enum clq_status
take_stored(struct clq_target *t, struct clq_edit *edit)
{
	const struct clq_storage_ops *ops = t->req->server->storage.ops;
	struct clq_stored stored;
	struct clq_str why, name;

	memset(&stored, 0, sizeof stored);
	if (!CLQ_HAS(t->entry->decl, table) || !CLQ_HAS(ops, written) ||
	    !ops->written(t->req->server->storage.self, &edit->write,
	    &stored))
		return CLQ_OK;
	if (stored.refused && stored.conflict)
		return clq_fail(t->req, CLQ_ERRNO_CONSTRAINT_VIOLATED,
		    "%.*s", CLQ_FMT(stored.why));		/* 409 */
	name = stored.field.p == NULL ? CLQ_STR("data") :
	    clq_arena_printf(t->req->arena, "data.%.*s",
	    CLQ_FMT(stored.field));
	if (stored.refused)
		return clq_invalid(t->req, "body", name, "%.*s",
		    CLQ_FMT(stored.why));			/* 400 */
	if (stored.data.p == NULL || edit->action == CLQ_ACTION_DELETE)
		return CLQ_OK;
	edit->result.data = clq_arena_strdup(t->req->arena, stored.data);
	edit->write.data = edit->result.data;
	return clq_json_parse(t->req->arena, edit->result.data, &edit->data,
	    &why);
}

static enum clq_status
store_document(struct clq_target *t, struct clq_edit *edit)
{
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	edit->write.op = edit->action == CLQ_ACTION_CREATE ?
	    CLQ_WRITE_CREATE : edit->action == CLQ_ACTION_UPDATE ?
	    CLQ_WRITE_UPDATE : CLQ_WRITE_DELETE;
	edit->write.coll = t->at.coll;
	edit->write.id = t->at.id;
	edit->write.data = edit->data != NULL ? clq_json_stored(t->req->arena,
	    edit->data) : CLQ_STR("{}");
	if ((rc = check_size(t->req, edit->write.data)) != CLQ_OK)
		return rc;			/* 413 */
	edit->write.has_timestamp = edit->has_timestamp;
	edit->write.timestamp = edit->timestamp;
	edit->write.status = CLQ_OK;
	edit->result.id = t->at.id;
	edit->result.data = edit->write.data;
	edit->result.deleted = edit->action == CLQ_ACTION_DELETE;
	if ((storage = clq_storage(t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	clq_model_wrote(t->req);
	if ((rc = storage->write(self, &edit->write, 1)) != CLQ_OK)
		return rc;
	/* a backend that does not queue knows already */
	if (edit->write.status == CLQ_CONFLICT ||
	    edit->write.status == CLQ_NOT_FOUND)
		return CLQ_RETRY;
	if ((rc = take_stored(t, edit)) != CLQ_OK)
		return rc;
	edit->result.last_modified = edit->write.last_modified;
	return CLQ_OK;
}

enum clq_status
clq_model_store(struct clq_target *t, struct clq_edit *edit)
{
	const struct clq_resource *decl = t->entry->decl;
	struct clq_change change = {
		.resource = decl, .action = edit->action, .coll = t->at.coll,
		.uri = t->at.object, .old = t->existing,
		.new_ = &edit->result,
	};
	enum clq_status rc;

	if ((rc = store_document(t, edit)) != CLQ_OK ||
	    (rc = still_unique(t, edit)) != CLQ_OK ||
	    (rc = store_permissions(t, edit)) != CLQ_OK)
		return rc;
	if (edit->action != CLQ_ACTION_DELETE &&
	    (decl->flags & CLQ_RESOURCE_USER) == 0)
		change.acl = &edit->acl;
	if ((rc = clq_event_at_once(t->req, &change)) != CLQ_OK)
		return rc;
	if (decl->stored != NULL &&
	    (rc = clq_error_of_hook(t->req, decl->name, "stored",
	    decl->stored(t->req, &change))) != CLQ_OK)
		return rc;
	clq_event_change(t->req, &change, &edit->write);
	return CLQ_OK;
}

/* ---- objects that the server makes ------------------------------------- */

/* The document of an object nobody sent: data, or one without attributes. */
static enum clq_status
prepare(struct clq_target *t, const cJSON *data, struct clq_edit *edit)
{
	struct clq_arena *arena = t->req->arena;

	edit->action = CLQ_ACTION_CREATE;
	edit->implicit = data == NULL;
	edit->data = data != NULL ? clq_json_dup(arena, data) :
	    clq_json_own(arena, cJSON_CreateObject());
	clq_json_remove(edit->data, "id");
	clq_json_remove(edit->data, "last_modified");
	if (data != NULL)
		clq_schema_apply(t->req, t->entry->decl, edit->data, "data.");
	if (t->req->error.ninvalid > 0)
		return CLQ_INVALID;
	return clq_model_process(t, edit);
}

/* The object of that list, before anything is asked. */
static struct clq_target *
target_of(struct clq_request *req, const struct clq_resource *decl,
    struct clq_str parent, struct clq_str id)
{
	struct clq_target *t = clq_arena_alloc(req->arena, sizeof *t);

	t->req = req;
	t->entry = clq_resource_entry(req->server, decl);
	clq_place_of_id(req->arena, t->entry, parent, id, &t->at);
	return t;
}

/* The same of a resource by its name; NULL: there is none, which is logged as
 * an error of the caller's. */
static struct clq_target *
target_named(struct clq_request *req, const char *caller,
    const char *resource, struct clq_str parent, struct clq_str id)
{
	const struct clq_resource *decl = clq_find_resource(req->server,
	    resource);

	if (decl != NULL)
		return target_of(req, decl, parent, id);
	clq_log_err("%s: there is no resource %s", caller, resource);
	return NULL;
}

enum clq_status
clq_object_ensure(struct clq_request *req, const char *resource,
    struct clq_str parent, struct clq_str id, const cJSON *data,
    bool *created)
{
	struct clq_target *t = target_named(req, "clq_object_ensure",
	    resource, parent, id);
	struct clq_edit *edit = clq_arena_alloc(req->arena, sizeof *edit);
	const struct clq_str no_name = { NULL, 0 };
	enum clq_status rc;

	if (t == NULL)
		return CLQ_FAILED;
	if (!clq_id_valid(t->entry, &t->at))
		return clq_invalid(req, "path", no_name, "Invalid %s id",
		    resource);
	if ((rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, CLQ_LOOK_ACL)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK)
		return rc;
	*created = t->existing == NULL;
	if (t->existing != NULL)
		return CLQ_OK;
	if ((rc = prepare(t, data, edit)) != CLQ_OK)
		return rc;
	return clq_model_store(t, edit);
}

enum clq_status
clq_object_access(struct clq_request *req, const char *resource,
    struct clq_str parent, struct clq_str id, const struct clq_object **old)
{
	struct clq_target *t = target_named(req, "clq_object_access",
	    resource, parent, id);
	enum clq_status rc;

	if (t == NULL)
		return CLQ_FAILED;
	clq_target_ask(t, CLQ_ACCESS_CREATE);
	clq_target_ask(t, CLQ_ACCESS_WRITE);
	if ((rc = clq_target_lookup(t, 0)) != CLQ_OK ||
	    (rc = clq_authorize(t, t->existing == NULL ? CLQ_ACCESS_CREATE :
	    CLQ_ACCESS_WRITE)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK ||
	    (rc = clq_require_id(t)) != CLQ_OK)
		return rc;
	*old = t->existing;
	return CLQ_OK;
}

/* Where a resource that chooses lists by request keeps this object: in the
 * list in which one of that id is found. */
static enum clq_status
find_list(struct clq_target *t)
{
	static const struct clq_sort newest[] = {
		{ CLQ_STR("last_modified"), true }, { CLQ_STR("id"), false },
	};
	const struct clq_storage_ops *storage;
	struct clq_filter by_id = { CLQ_STR("id"), CLQ_OP_EQ,
		clq_json_own(t->req->arena, clq_json_new_str(t->at.id)) };
	struct clq_query q = {
		.coll = { t->at.coll.resource, CLQ_STR(CLQ_ANY_PARENT) },
		.filters = &by_id, .nfilters = 1, .sorts = newest,
		.nsorts = CLQ_COUNT(newest), .limit = 1,
	};
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;
	void *self;

	if ((storage = clq_storage(t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->list(self, t->req->arena, &q, &page)) != CLQ_OK)
		return rc;
	if (page.n > 0)
		t->at.coll.parent = page.objects[0].parent;
	return CLQ_OK;
}

enum clq_status
clq_object_remove(struct clq_request *req, struct clq_str uri, bool *removed)
{
	struct clq_edit *edit = clq_arena_alloc(req->arena, sizeof *edit);
	struct clq_located at;
	struct clq_target *t;
	enum clq_status rc;

	*removed = false;
	if (!clq_locate(req->server, uri, &at))
		return CLQ_OK;
	t = target_of(req, at.resource, at.parent, at.id);
	if ((rc = clq_tx_write(req)) != CLQ_OK ||
	    (CLQ_HAS(at.resource, scope) &&
	    (rc = find_list(t)) != CLQ_OK) ||
	    (rc = clq_target_lookup(t, 0)) != CLQ_OK)
		return rc;
	*removed = t->existing != NULL;
	if (t->existing == NULL)
		return CLQ_OK;
	edit->action = CLQ_ACTION_DELETE;
	return clq_model_store(t, edit);
}
