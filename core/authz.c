/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what (section 06-3 to 06-6), decided on one lookup.
 *
 * An endpoint first says what it may want to do, since that can depend on
 * whether the object exists (PUT creates or updates); the lookup then answers
 * for objects and permissions together, and the decision costs nothing more.
 * Only a list that is not granted as a whole asks a second question: which of
 * its objects are shared with the caller.
 */
#include "resource_impl.h"

#include <assert.h>

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "auth.h"
#include "error.h"
#include "log_conf.h"
#include "server.h"
#include "tx.h"

/* ---- what to ask ------------------------------------------------------- */

struct clq_target *
clq_target_new(struct clq_request *req, const struct clq_resource_entry *entry)
{
	struct clq_target *t = clq_arena_alloc(req->arena, sizeof *t);

	t->req = req;
	t->entry = entry;
	clq_place_of_request(req, entry, &t->at);
	return t;
}

enum clq_status
clq_target_scope(struct clq_target *t)
{
	const struct clq_resource *decl = t->entry->decl;
	struct clq_scope scope = {
		.id = t->at.id, .parent = t->at.coll.parent,
	};
	enum clq_status rc;

	if (!CLQ_HAS(decl, scope))
		return CLQ_OK;
	if ((rc = clq_error_of_hook(t->req, decl->name, "scope",
	    decl->scope(t->req, &scope))) != CLQ_OK)
		return rc;
	t->at.coll.parent = scope.parent;
	t->owner = scope.owner;
	return CLQ_OK;
}

static bool
by_user(const struct clq_target *t)
{
	return (t->entry->decl->flags & CLQ_RESOURCE_USER) != 0;
}

static size_t
bound(struct clq_bound *out, size_t n, size_t cap, struct clq_str object,
    struct clq_str permission)
{
	if (n < cap)
		out[n++] = (struct clq_bound){ object, permission, false };
	return n;
}

/* A toolkit resource stands alone (section 11-3): its own URIs, and write
 * includes read. */
static size_t
inherit_default(struct clq_arena *arena, const struct clq_access *a,
    struct clq_bound *out, size_t cap)
{
	struct clq_str on = a->kind == CLQ_ACCESS_READ ||
	    a->kind == CLQ_ACCESS_WRITE ? a->object : a->plural;
	size_t n = 0;

	switch (a->kind) {
	case CLQ_ACCESS_READ:
	case CLQ_ACCESS_LIST:
		n = bound(out, n, cap, on, CLQ_STR("write"));
		n = bound(out, n, cap, on, CLQ_STR("read"));
		break;
	case CLQ_ACCESS_WRITE:
	case CLQ_ACCESS_DELETE_LIST:
		n = bound(out, n, cap, on, CLQ_STR("write"));
		break;
	case CLQ_ACCESS_CREATE:
		n = bound(out, n, cap, on, clq_arena_printf(arena,
		    "%s:create", a->resource->name));
		break;
	}
	return n;
}

size_t
clq_access_bounds(struct clq_arena *arena, const struct clq_access *access,
    struct clq_bound *out)
{
	const struct clq_resource *decl = access->resource;
	clq_inherit_f *inherit = decl->inherit != NULL ? decl->inherit :
	    inherit_default;
	size_t n = inherit(arena, access, out, CLQ_MAX_BOUNDS);

	return n < CLQ_MAX_BOUNDS ? n : CLQ_MAX_BOUNDS;
}

static size_t
bounds_of(struct clq_target *t, enum clq_access_kind kind,
    struct clq_str object, struct clq_bound *out)
{
	struct clq_access access = {
		.kind = kind, .resource = t->entry->decl, .object = object,
		.parent = t->at.parent, .plural = t->at.plural,
	};

	return clq_access_bounds(t->req->arena, &access, out);
}

void
clq_target_ask(struct clq_target *t, enum clq_access_kind kind)
{
	struct clq_ask *ask = &t->asks[t->nasks];
	bool on_object = kind == CLQ_ACCESS_READ || kind == CLQ_ACCESS_WRITE;
	const struct clq_str none = { NULL, 0 };

	assert(t->nasks < CLQ_MAX_ASKS);
	ask->kind = kind;
	ask->bounds = t->bounds + t->lookup.nbounds;
	ask->n = by_user(t) ? 0 : bounds_of(t, kind,
	    on_object ? t->at.object : none, ask->bounds);
	t->lookup.nbounds += ask->n;
	t->nasks++;
}

bool
clq_target_prepare(struct clq_target *t, unsigned what)
{
	struct clq_want *want;

	/* without a user there is no list to look into */
	if (by_user(t) && t->at.coll.parent.p == NULL)
		return false;
	t->lookup.arena = t->req->arena;
	t->lookup.bounds = t->bounds;
	t->lookup.wants = t->wants;
	if (t->entry->parent != NULL) {
		want = &t->wants[t->lookup.nwants++];
		clq_place_of_parent(t->req, t->entry, &t->at, want);
		want->shared = true;	/* not a queue of all its writers */
	}
	/* what is no id need not trouble the database */
	if (t->at.id.p != NULL && clq_id_valid(t->entry, &t->at)) {
		want = &t->wants[t->lookup.nwants++];
		want->coll = t->at.coll;
		want->id = t->at.id;
		if ((what & CLQ_LOOK_ACL) != 0 && !by_user(t))
			t->lookup.acl_of = t->at.object;
	}
	if ((what & CLQ_LOOK_TIMESTAMP) != 0)
		t->lookup.timestamp_of = &t->at.coll;
	return true;
}

enum clq_status
clq_target_lookup(struct clq_target *t, unsigned what)
{
	const struct clq_want *w = t->wants, *end;
	enum clq_status rc;

	/* it is another matter if nobody can tell now who it is */
	if (!clq_target_prepare(t, what))
		return clq_auth_resolve(t->req);
	if ((rc = clq_tx_lookup(t->req, &t->lookup)) != CLQ_OK)
		return rc;
	end = t->wants + t->lookup.nwants;
	if (t->entry->parent != NULL) {
		if (w->found)
			t->parent = &w->object;
		w++;
	}
	if (w < end && w->found)
		t->existing = &w->object;
	return CLQ_OK;
}

/* ---- what was granted -------------------------------------------------- */

struct clq_str
clq_access_setting(struct clq_arena *arena, const struct clq_resource *decl,
    struct clq_str permission)
{
	size_t len = strlen(decl->name);
	bool create = clq_str_starts(permission, decl->name) &&
	    permission.len > len && permission.p[len] == ':';

	if (create)
		return clq_arena_printf(arena, "%s_create_principals",
		    decl->name);
	return clq_arena_printf(arena, "%s_%.*s_principals", decl->name,
	    CLQ_FMT(permission));
}

static bool
allowed_by_setting(struct clq_target *t, struct clq_str permission)
{
	return clq_request_allowed(t->req, clq_access_setting(t->req->arena,
	    t->entry->decl, permission).p);
}

bool
clq_target_granted(struct clq_target *t, enum clq_access_kind kind)
{
	const struct clq_ask *ask = t->asks;
	size_t i;

	if (t->req->trusted)
		return true;
	if (by_user(t))
		return clq_request_user(t->req).p != NULL;
	while (ask < t->asks + t->nasks && ask->kind != kind)
		ask++;
	assert(ask < t->asks + t->nasks);
	for (i = 0; i < ask->n; i++)
		if (ask->bounds[i].granted)
			return true;
	for (i = 0; i < ask->n; i++)
		if (allowed_by_setting(t, ask->bounds[i].permission))
			return true;
	return false;
}

/* Section 07-9. What would have granted it first stands for all. */
static void
log_denial(const struct clq_target *t, enum clq_access_kind kind)
{
	struct clq_request *req = t->req;
	const struct clq_bound *bound = NULL;
	struct clq_str user = clq_request_user(req), perm, uri, text;

	for (size_t i = 0; i < t->nasks && bound == NULL; i++)
		if (t->asks[i].kind == kind && t->asks[i].n > 0)
			bound = &t->asks[i].bounds[0];
	if (bound == NULL || !clq_log_enabled(CLQ_LOG_INFO))
		return;
	perm = bound->permission;
	uri = clq_text_clean(req->arena, bound->object);
	text = clq_arena_printf(req->arena, "Permission '%.*s' on '%.*s' not "
	    "granted to '%.*s'.", CLQ_FMT(perm), CLQ_FMT(uri), CLQ_FMT(user));
	clq_log_fields(CLQ_LOG_INFO, text.p, (const struct clq_log_field[]){
	    { .name = "userid", .text = user }, { .name = "uri", .text = uri },
	    { .name = "perm", .text = perm } }, 3);
}

static enum clq_status
refuse(const struct clq_target *t, enum clq_access_kind kind)
{
	if (clq_request_user(t->req).p == NULL)
		return clq_fail(t->req, CLQ_ERRNO_MISSING_AUTH_TOKEN, NULL);
	log_denial(t, kind);
	return clq_fail(t->req, CLQ_ERRNO_FORBIDDEN, NULL);
}

enum clq_status
clq_authorize(struct clq_target *t, enum clq_access_kind kind)
{
	return clq_target_granted(t, kind) ? CLQ_OK : refuse(t, kind);
}

/* ---- shared lists (section 06-6) --------------------------------------- */

/* The principals of the caller, groups included. */
static struct clq_strs
all_principals(struct clq_request *req)
{
	struct clq_strs known = clq_request_principals(req);
	struct clq_strs all = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < known.n; i++)
		clq_strs_add(req->arena, &all, known.items[i]);
	for (i = 0; i < req->identity.groups.n; i++)
		clq_strs_add(req->arena, &all, req->identity.groups.items[i]);
	return all;
}

/* The objects of the list on which the caller holds by himself what one of
 * them alone would ask for. */
static enum clq_status
shared_ids(struct clq_target *t, enum clq_access_kind one,
    struct clq_strs *out)
{
	struct clq_arena *arena = t->req->arena;
	struct clq_str every = clq_arena_printf(arena, "%.*s/*",
	    CLQ_FMT(t->at.plural));
	const struct clq_permission_ops *permission;
	struct clq_bound bounds[CLQ_MAX_BOUNDS];
	struct clq_accessible *found = NULL;
	size_t n, nown = 0, nfound = 0, i;
	enum clq_status rc;
	void *self;

	if ((permission = clq_permission(t->req, &self)) == NULL)
		return CLQ_OK;
	memset(bounds, 0, sizeof bounds);
	n = bounds_of(t, one, every, bounds);
	for (i = 0; i < n; i++)
		if (clq_str_eq(bounds[i].object, every))
			bounds[nown++] = bounds[i];
	if (nown == 0)
		return CLQ_OK;
	rc = permission->accessible(self, arena, all_principals(t->req),
	    bounds, nown, false, &found, &nfound);
	if (rc != CLQ_OK)
		return rc;
	for (i = 0; i < nfound; i++)
		clq_strs_add(arena, out, clq_str_sub(found[i].object,
		    every.len - 1, found[i].object.len));
	return CLQ_OK;
}

enum clq_status
clq_authorize_list(struct clq_target *t, enum clq_access_kind kind,
    const struct clq_strs **only)
{
	struct clq_strs *ids;
	enum clq_status rc;

	*only = NULL;
	if (clq_target_granted(t, kind))
		return CLQ_OK;
	if (by_user(t))
		return refuse(t, kind);
	ids = clq_arena_alloc(t->req->arena, sizeof *ids);
	rc = shared_ids(t, kind == CLQ_ACCESS_LIST ? CLQ_ACCESS_READ :
	    CLQ_ACCESS_WRITE, ids);
	if (rc != CLQ_OK)
		return rc;
	if (ids->n == 0 && !clq_target_granted(t, CLQ_ACCESS_CREATE))
		return refuse(t, kind);
	*only = ids;
	return CLQ_OK;
}

/* ---- what must exist --------------------------------------------------- */

static enum clq_status
missing(struct clq_request *req, int errno_, struct clq_str id,
    const char *resource)
{
	enum clq_status rc = clq_fail(req, errno_, "%s", "");
	cJSON *details = clq_json_own(req->arena, cJSON_CreateObject());

	clq_json_set(details, "id", clq_json_new_str(id));
	clq_json_set(details, "resource_name",
	    clq_json_new_str(clq_str_of(resource)));
	clq_fail_details(req, details);
	return rc;
}

enum clq_status
clq_require_parent(struct clq_target *t)
{
	struct clq_want want;

	if (t->entry->parent == NULL || t->parent != NULL)
		return CLQ_OK;
	clq_place_of_parent(t->req, t->entry, &t->at, &want);
	return missing(t->req, CLQ_ERRNO_MISSING_RESOURCE, want.id,
	    t->entry->parent->decl->name);
}

enum clq_status
clq_require_id(struct clq_target *t)
{
	const struct clq_str no_name = { NULL, 0 };

	if (clq_id_valid(t->entry, &t->at))
		return CLQ_OK;
	return clq_invalid(t->req, "path", no_name, "Invalid object id");
}

enum clq_status
clq_require_object(struct clq_target *t)
{
	if (t->existing != NULL)
		return CLQ_OK;
	if (by_user(t))
		return clq_fail(t->req, CLQ_ERRNO_INVALID_RESOURCE_ID, "%s",
		    "");
	return missing(t->req, CLQ_ERRNO_INVALID_RESOURCE_ID, t->at.id,
	    t->entry->decl->name);
}

enum clq_status
clq_target_timestamp(struct clq_target *t, clq_msec *out)
{
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	if (t->lookup.timestamp_of != NULL && t->lookup.timestamp != 0) {
		*out = t->lookup.timestamp;
		return CLQ_OK;
	}
	if ((rc = clq_tx_write(t->req)) != CLQ_OK)
		return rc;
	if ((storage = clq_storage(t->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->timestamp(self, &t->at.coll, out)) == CLQ_OK)
		clq_model_wrote(t->req);
	return rc;
}

/* ---- access control lists ---------------------------------------------- */

struct clq_str
clq_caller(struct clq_request *req)
{
	struct clq_str user = clq_request_user(req);

	return user.p != NULL ? user : CLQ_STR("system.Everyone");
}

struct clq_strs
clq_acl_get(const struct clq_acl *acl, struct clq_str permission)
{
	for (size_t i = 0; i < acl->n; i++)
		if (clq_str_eq(acl->aces[i].permission, permission))
			return acl->aces[i].principals;
	return (struct clq_strs){ NULL, 0, 0 };
}

struct clq_acl
clq_acl_copy(struct clq_arena *arena, const struct clq_acl *acl)
{
	struct clq_acl copy;

	copy.n = acl->n;
	copy.aces = clq_arena_calloc(arena, acl->n, sizeof *copy.aces);
	if (acl->n > 0)
		memcpy(copy.aces, acl->aces, acl->n * sizeof *copy.aces);
	return copy;
}

void
clq_acl_set(struct clq_arena *arena, struct clq_acl *acl,
    struct clq_str permission, struct clq_strs principals)
{
	size_t i;

	for (i = 0; i < acl->n; i++)
		if (clq_str_eq(acl->aces[i].permission, permission))
			break;
	if (i == acl->n) {
		acl->aces = clq_arena_grow(arena, acl->aces,
		    acl->n * sizeof *acl->aces,
		    (acl->n + 1) * sizeof *acl->aces);
		acl->n++;
	}
	acl->aces[i].permission = permission;
	acl->aces[i].principals = principals;
}

bool
clq_acl_visible(const struct clq_target *t, const struct clq_acl *acl)
{
	struct clq_strs writers = clq_acl_get(acl, CLQ_STR("write"));
	struct clq_strs mine = all_principals(t->req);

	if (t->owner.p != NULL && clq_strs_has(writers, t->owner))
		return true;
	for (size_t i = 0; i < mine.n; i++)
		if (clq_strs_has(writers, mine.items[i]))
			return true;
	return false;
}
