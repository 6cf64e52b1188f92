/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object endpoint: GET, HEAD, PUT, PATCH, DELETE (section 03-6).
 *
 * Each function follows the order of section 01-2, because the order of the
 * steps is the order in which errors win. Answers to writes are rendered when
 * the new timestamp is known, which may be after the commit.
 */
#include "resource_impl.h"

#include <cliquet/str.h>

#include "answer.h"
#include "events.h"
#include "negotiation.h"

/* ---- GET and HEAD ------------------------------------------------------ */

static enum clq_status
show(struct clq_target *t, const struct clq_params *params)
{
	struct clq_request *req = t->req;
	bool head = req->method == CLQ_METHOD_HEAD;
	enum clq_status rc;
	struct clq_buf b;

	clq_event_read(req, t->entry->decl, &t->at.coll, t->existing,
	    head ? 0 : 1);
	clq_cache_headers(req, t->entry, t->parent);
	if (params->fields.n == 0)
		return clq_answer_object(t, 200, t->existing, &t->lookup.acl);
	clq_set_etag(req, t->existing->last_modified);
	clq_buf_init(&b, req->arena, 256);
	clq_buf_adds(&b, "{\"data\":");
	if ((rc = clq_project(&b, req->arena, t->existing,
	    params->fields)) != CLQ_OK)
		return rc;
	clq_buf_addc(&b, '}');
	return clq_reply(req, 200, clq_buf_str(&b));
}

static enum clq_status
check_get(struct clq_request *req, struct clq_precond *cond,
    struct clq_params *params)
{
	clq_checks_begin(req);
	clq_body_ignore(req);
	clq_precond_read(req, cond);
	clq_params_fields(req, params);
	return clq_checks_end(req);
}

/* If-Match and If-None-Match against the object, which exists. */
static enum clq_status
check_existing(struct clq_target *t, const struct clq_precond *cond)
{
	struct clq_current now = {
		.exists = true, .timestamp = t->existing->last_modified,
		.object = t->existing,
	};

	return clq_precond_check(t->req, cond, &now);
}

enum clq_status
clq_object_get(struct clq_request *req, void *ctx)
{
	struct clq_target *t = clq_target_new(req, ctx);
	unsigned what = clq_target_ask_all(t);
	struct clq_precond cond;
	struct clq_params params;
	enum clq_status rc;

	if ((rc = clq_target_scope(t)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, what)) != CLQ_OK ||
	    (rc = clq_authorize(t, CLQ_ACCESS_READ)) != CLQ_OK || /* 401 403 */
	    (rc = clq_require_parent(t)) != CLQ_OK ||		/* 404/111 */
	    (rc = check_get(req, &cond, &params)) != CLQ_OK ||	/* 400 */
	    (rc = clq_require_id(t)) != CLQ_OK ||		/* 400 */
	    (rc = clq_require_object(t)) != CLQ_OK ||		/* 404/110 */
	    (rc = check_existing(t, &cond)) != CLQ_OK ||	/* 304 412 */
	    (rc = clq_query_fields(req, t->entry->decl,
	    params.fields)) != CLQ_OK)				/* 400 */
		return rc;
	return show(t, &params);
}

/* ---- PUT --------------------------------------------------------------- */

enum clq_status
clq_check_whole(struct clq_target *t, struct clq_body *body,
    struct clq_precond *cond)
{
	struct clq_request *req = t->req;
	const struct clq_resource *decl = t->entry->decl;
	struct clq_params unused;

	clq_checks_begin(req);
	clq_body_check(req, t->entry, CLQ_PATCH_PLAIN, body);
	clq_precond_read(req, cond);
	clq_params_read(req, &unused);
	if (body->data != NULL)
		clq_schema_apply(req, decl, body->data, "data.");
	else if (body->tree != NULL && t->existing == NULL &&
	    clq_json_get(body->tree, "data") == NULL &&
	    !clq_schema_accepts_empty(decl))
		(void)clq_invalid(req, "body", CLQ_STR("data"), "Required");
	return clq_checks_end(req);
}

enum clq_status
clq_check_condition(struct clq_target *t, const struct clq_precond *cond)
{
	struct clq_current now = { .exists = false };
	enum clq_status rc;

	if (t->existing == NULL) {
		/* a missing object has no timestamp: its list's is shown */
		if (cond->match.kind != CLQ_ETAG_NONE &&
		    (rc = clq_target_timestamp(t, &now.timestamp)) != CLQ_OK)
			return rc;
		return clq_precond_check(t->req, cond, &now);
	}
	now.exists = true;
	now.timestamp = t->existing->last_modified;
	/* who may only create is not shown what others have created */
	if (!clq_creates_only(t->req) || clq_target_granted(t, CLQ_ACCESS_READ))
		now.object = t->existing;
	return clq_precond_check(t->req, cond, &now);
}

/* Permissions of a PUT: what is listed is set and the rest cleared, unless
 * nothing is listed (section 03-6.2). */
static void
put_permissions(struct clq_target *t, const struct clq_body *body,
    struct clq_acl *out)
{
	const char *const *names = t->entry->permissions;
	struct clq_strs nobody = { NULL, 0, 0 };
	struct clq_acl listed;

	clq_body_acl(t->req->arena, body, false, &listed);
	*out = listed;
	for (size_t i = 0; listed.n > 0 && names[i] != NULL; i++)
		if (clq_json_get(body->permissions, names[i]) == NULL ||
		    cJSON_IsNull(clq_json_get(body->permissions, names[i])))
			clq_acl_set(t->req->arena, out, clq_str_of(names[i]),
			    nobody);
}

/* The document to store: what was sent, else what is there, else nothing. */
static enum clq_status
put_data(struct clq_target *t, const struct clq_body *body, cJSON **out)
{
	struct clq_arena *arena = t->req->arena;
	const cJSON *id, *last_modified;
	enum clq_status rc;

	if (body->data != NULL) {
		*out = body->data;
		return CLQ_OK;
	}
	if (t->existing == NULL) {
		*out = clq_json_own(arena, cJSON_CreateObject());
		return CLQ_OK;
	}
	if ((rc = clq_object_tree(arena, t->existing, out)) != CLQ_OK)
		return rc;
	clq_data_split(arena, *out, &id, &last_modified);
	return CLQ_OK;
}

/* 409 if another object has one of the unique values. */
static enum clq_status
check_unique(struct clq_target *t, const cJSON *data)
{
	struct clq_object other;
	const char *field;
	enum clq_status rc;

	if ((rc = clq_model_unique(t, data, &field, &other)) != CLQ_OK)
		return rc;
	return field != NULL ? clq_model_refuse(t, field, &other) : CLQ_OK;
}

static enum clq_status
put(struct clq_target *t, const struct clq_body *body)
{
	struct clq_edit *edit = clq_arena_alloc(t->req->arena, sizeof *edit);
	enum clq_status rc;

	edit->action = t->existing != NULL ? CLQ_ACTION_UPDATE :
	    CLQ_ACTION_CREATE;
	edit->has_timestamp = clq_body_timestamp(body->last_modified,
	    t->existing, &edit->timestamp);
	put_permissions(t, body, &edit->set);
	if ((rc = put_data(t, body, &edit->data)) != CLQ_OK ||
	    (rc = clq_model_process(t, edit)) != CLQ_OK ||	/* 400 */
	    (rc = check_unique(t, edit->data)) != CLQ_OK ||	/* 409 */
	    (rc = clq_model_store(t, edit)) != CLQ_OK)
		return rc;
	return clq_answer_edit(t, t->existing != NULL ? 200 : 201, edit);
}

enum clq_status
clq_object_put(struct clq_request *req, void *ctx)
{
	struct clq_target *t = clq_target_new(req, ctx);
	bool create_only = clq_creates_only(req);
	struct clq_precond cond;
	struct clq_body body;
	enum clq_status rc;
	unsigned what;

	clq_body_read(req, &body);
	what = clq_target_ask_all(t);
	if ((rc = clq_target_scope(t)) != CLQ_OK ||
	    (rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, what)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK ||		/* 404/111 */
	    (rc = clq_negotiate(req)) != CLQ_OK ||		/* 406 415 */
	    (rc = clq_authorize(t, t->existing == NULL || create_only ?
	    CLQ_ACCESS_CREATE : CLQ_ACCESS_WRITE)) != CLQ_OK || /* 401 403 */
	    (rc = clq_check_whole(t, &body, &cond)) != CLQ_OK || /* 400 */
	    (rc = clq_require_id(t)) != CLQ_OK ||		/* 400 */
	    (rc = clq_check_condition(t, &cond)) != CLQ_OK ||	/* 412 */
	    (rc = clq_body_same_id(req, body.id, t->at.id)) != CLQ_OK)
		return rc;
	return put(t, &body);
}

/* ---- PATCH ------------------------------------------------------------- */

struct patch {
	enum clq_patch_kind	 kind;
	enum clq_behavior	 behavior;
	struct clq_body		 body;
	struct clq_precond	 cond;
	cJSON			*sent;		/* for light and diff */
	cJSON			*old;		/* with id, last_modified */
};

static enum clq_status
check_patch(struct clq_target *t, struct patch *p)
{
	struct clq_params unused;

	clq_checks_begin(t->req);
	clq_body_check(t->req, t->entry, p->kind, &p->body);
	clq_precond_read(t->req, &p->cond);
	p->behavior = clq_behavior_read(t->req);
	clq_params_read(t->req, &unused);
	return clq_checks_end(t->req);
}

/* A PATCH that names neither data nor permissions is a mistake. */
static enum clq_status
require_change(struct clq_request *req, const struct patch *p)
{
	if (p->kind == CLQ_PATCH_JSON || p->body.data != NULL ||
	    p->body.permissions != NULL)
		return CLQ_OK;
	return clq_invalid(req, "body", CLQ_STR("data"),
	    "Provide at least one of data or permissions");
}

/* True if both name the same principals; each does so once. */
static bool
same_principals(struct clq_strs a, struct clq_strs b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (!clq_strs_has(b, a.items[i]))
			return false;
	return true;
}

/* RFC 6902 on data (with id and last_modified) and on the stored ACL, which a
 * writer may replace anyway, so that nothing he cannot see gets lost. */
static enum clq_status
patch_json(struct clq_target *t, struct patch *p, cJSON **data,
    struct clq_acl *set)
{
	struct clq_request *req = t->req;
	const char *const *names = t->entry->permissions;
	struct clq_acl acl = clq_acl_copy(req->arena, &t->lookup.acl);
	enum clq_status rc;

	for (size_t i = 0; names[i] != NULL; i++)
		clq_acl_set(req->arena, &acl, clq_str_of(names[i]),
		    clq_acl_get(&acl, clq_str_of(names[i])));
	if ((rc = clq_patch_json(req, p->body.tree, data, &acl)) != CLQ_OK)
		return rc;
	memset(set, 0, sizeof *set);
	for (size_t i = 0; i < acl.n; i++)
		if (!same_principals(acl.aces[i].principals,
		    clq_acl_get(&t->lookup.acl, acl.aces[i].permission)))
			clq_acl_set(req->arena, set, acl.aces[i].permission,
			    acl.aces[i].principals);
	clq_acl_check(req, t->entry, set);
	if (p->behavior != CLQ_BEHAVIOR_FULL)
		p->sent = clq_json_dup(req->arena, *data);
	return clq_checks_end(req);
}

/* What the client sent, as a tree of its own. */
static cJSON *
sent_copy(struct clq_arena *arena, const struct clq_body *body)
{
	cJSON *sent = body->data != NULL ? clq_json_dup(arena, body->data) :
	    clq_json_own(arena, cJSON_CreateObject());

	if (body->last_modified != NULL)
		clq_json_set(sent, "last_modified",
		    cJSON_Duplicate(body->last_modified, true));
	return sent;
}

/* The new document, and what the body says about id and timestamp. */
static enum clq_status
apply(struct clq_target *t, struct patch *p, struct clq_edit *edit,
    const cJSON **id, const cJSON **last_modified)
{
	struct clq_arena *arena = t->req->arena;
	const cJSON *unused;
	enum clq_status rc;

	if ((rc = clq_object_tree(arena, t->existing, &p->old)) != CLQ_OK)
		return rc;
	edit->data = clq_json_dup(arena, p->old);
	if (p->kind == CLQ_PATCH_JSON) {
		if ((rc = patch_json(t, p, &edit->data, &edit->set)) != CLQ_OK)
			return rc;
		/* without an id, it is still that of the URL */
		clq_data_split(arena, edit->data, id, last_modified);
		return CLQ_OK;
	}
	clq_data_split(arena, edit->data, &unused, &unused);
	*id = p->body.id;
	*last_modified = p->body.last_modified;
	if (p->behavior != CLQ_BEHAVIOR_FULL)
		p->sent = sent_copy(arena, &p->body);
	clq_body_acl(arena, &p->body, p->kind == CLQ_PATCH_MERGE, &edit->set);
	if (p->body.data == NULL)
		return CLQ_OK;
	if (p->kind == CLQ_PATCH_MERGE)
		clq_patch_merge(arena, edit->data, p->body.data);
	else
		clq_patch_plain(arena, edit->data, p->body.data);
	return CLQ_OK;
}

/* True if a resource that asks for it need not be written (section 03-6.3). */
static bool
changes_nothing(struct clq_target *t, const struct patch *p,
    const struct clq_edit *edit)
{
	const cJSON *id, *last_modified;
	cJSON *old;

	if ((t->entry->decl->flags & CLQ_RESOURCE_LAZY_PATCH) == 0 ||
	    edit->set.n > 0 || edit->has_timestamp)
		return false;
	old = clq_json_dup(t->req->arena, p->old);
	clq_data_split(t->req->arena, old, &id, &last_modified);
	return clq_json_equal(old, edit->data);
}

static enum clq_status
patch(struct clq_target *t, struct patch *p)
{
	struct clq_request *req = t->req;
	struct clq_edit *edit = clq_arena_alloc(req->arena, sizeof *edit);
	const struct clq_resource *decl = t->entry->decl;
	const cJSON *id = NULL, *last_modified = NULL;
	enum clq_status rc;

	edit->action = CLQ_ACTION_UPDATE;
	edit->patch = true;
	if ((rc = apply(t, p, edit, &id, &last_modified)) != CLQ_OK ||
	    (rc = clq_body_same_id(req, id, t->at.id)) != CLQ_OK)
		return rc;
	edit->has_timestamp = clq_body_timestamp(last_modified, t->existing,
	    &edit->timestamp);
	clq_schema_readonly(req, decl, p->old, edit->data);
	clq_schema_apply(req, decl, edit->data, "");
	if ((rc = clq_checks_end(req)) != CLQ_OK ||		/* 400 */
	    (rc = clq_model_process(t, edit)) != CLQ_OK ||	/* 400 */
	    (rc = check_unique(t, edit->data)) != CLQ_OK)	/* 409 */
		return rc;
	if (changes_nothing(t, p, edit)) {
		clq_event_read(req, decl, &t->at.coll, t->existing, 1);
		return clq_answer_same(t, p->behavior, p->sent, p->old);
	}
	if ((rc = clq_model_store(t, edit)) != CLQ_OK)
		return rc;
	if (p->behavior == CLQ_BEHAVIOR_FULL)
		return clq_answer_edit(t, 200, edit);
	return clq_answer_part(t, p->behavior, edit, p->sent, p->old);
}

enum clq_status
clq_object_patch(struct clq_request *req, void *ctx)
{
	struct clq_target *t = clq_target_new(req, ctx);
	struct patch p = { .kind = clq_patch_kind_of(req) };
	enum clq_status rc;
	unsigned what;

	clq_body_read(req, &p.body);
	what = clq_target_ask_all(t);
	if ((rc = clq_target_scope(t)) != CLQ_OK ||
	    (rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, what)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK ||		/* 404/111 */
	    (rc = clq_negotiate(req)) != CLQ_OK ||		/* 406 415 */
	    (rc = clq_authorize(t, t->existing != NULL ? CLQ_ACCESS_WRITE :
	    CLQ_ACCESS_LIST)) != CLQ_OK ||			/* 401 403 */
	    (rc = check_patch(t, &p)) != CLQ_OK ||		/* 400 */
	    (rc = clq_require_id(t)) != CLQ_OK ||		/* 400 */
	    (rc = clq_require_object(t)) != CLQ_OK ||		/* 404/110 */
	    (rc = check_existing(t, &p.cond)) != CLQ_OK ||	/* 412 */
	    (rc = require_change(req, &p)) != CLQ_OK)		/* 400 */
		return rc;
	return patch(t, &p);
}

/* ---- DELETE ------------------------------------------------------------ */

static enum clq_status
check_delete(struct clq_request *req, struct clq_precond *cond,
    struct clq_edit *edit)
{
	clq_checks_begin(req);
	clq_body_ignore(req);
	clq_precond_read(req, cond);
	edit->has_timestamp = clq_params_timestamp(req, &edit->timestamp);
	return clq_checks_end(req);
}

enum clq_status
clq_object_delete(struct clq_request *req, void *ctx)
{
	struct clq_target *t = clq_target_new(req, ctx);
	struct clq_edit *edit = clq_arena_alloc(req->arena, sizeof *edit);
	struct clq_precond cond;
	enum clq_status rc;
	unsigned what;

	edit->action = CLQ_ACTION_DELETE;
	what = clq_target_ask_all(t);
	if ((rc = clq_target_scope(t)) != CLQ_OK ||
	    (rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_target_lookup(t, what)) != CLQ_OK ||
	    (rc = clq_require_parent(t)) != CLQ_OK ||		/* 404/111 */
	    (rc = clq_negotiate(req)) != CLQ_OK ||		/* 406 415 */
	    (rc = clq_authorize(t, t->existing != NULL ? CLQ_ACCESS_WRITE :
	    CLQ_ACCESS_LIST)) != CLQ_OK ||			/* 401 403 */
	    (rc = check_delete(req, &cond, edit)) != CLQ_OK ||	/* 400 */
	    (rc = clq_require_id(t)) != CLQ_OK ||		/* 400 */
	    (rc = clq_require_object(t)) != CLQ_OK ||		/* 404/110 */
	    (rc = check_existing(t, &cond)) != CLQ_OK)		/* 412 */
		return rc;
	if (edit->timestamp <= t->existing->last_modified)
		edit->has_timestamp = false;
	if ((rc = clq_model_store(t, edit)) != CLQ_OK)
		return rc;
	return clq_answer_edit(t, 200, edit);
}
