/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DELETE /__user_data__/{principal}: forget somebody (section 06-9).
 *
 * What only that principal can write is deleted, with all below it and with the
 * events of any deletion; of everything else it loses its permissions, and it
 * leaves all groups. Objects come sorted by URI, ancestors first, so that
 * nothing is looked at that goes with an ancestor anyway.
 */
#include <stdlib.h>

#include "kinto.h"

static clq_view_f view;

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_DELETE, view, CLQ_TX_WRITE },
};
const struct clq_service kinto_user_data = {
	.size	= sizeof kinto_user_data,
	.name	= "user-data-object",
	.path	= "/__user_data__/{principal}",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.description = "What a user owns, to be deleted.",
	.openapi = "{\"delete\":{\"operationId\":\"delete_user-data\","
		"\"tags\":[\"User-data\"],\"description\":\"Permission: "
		"to be named by the setting "
		"`user-data_delete_principals`.\",\"responses\":{\"200\":"
		"{\"description\":\"Nothing of it is left.\",\"schema\":{"
		"\"type\":\"object\",\"required\":[\"data\"],"
		"\"properties\":{\"data\":{\"type\":\"object\","
		"\"required\":[\"principal\"],\"properties\":{"
		"\"principal\":{\"type\":\"string\"}}}}}},\"401\":{"
		"\"$ref\":\"#/responses/401\"},\"403\":{\"$ref\":"
		"\"#/responses/403\"}}}}",
};

struct forgetting {
	struct clq_request		*req;
	struct clq_arena		*arena;
	struct clq_str			 principal;
	const struct clq_permission_ops	*permission;
	void				*self;
	struct clq_strs			 deleted;	/* URIs, sorted */
};

static int
by_text(const void *a, const void *b)
{
	const struct clq_str *x = a, *y = b;

	return clq_str_cmp(*x, *y);
}

/* True if an ancestor of the object has been deleted. */
static bool
gone(const struct forgetting *f, struct clq_str uri)
{
	struct clq_str above = uri;

	while (f->deleted.n > 0 && above.len > 0) {
		while (above.len > 0 && above.p[above.len - 1] != '/')
			above.len--;
		above.len -= above.len > 0;
		if (bsearch(&above, f->deleted.items, f->deleted.n,
		    sizeof above, by_text) != NULL)
			return true;
	}
	return false;
}

/* Nobody else may write it. */
static enum clq_status
is_owner(struct forgetting *f, const struct clq_accessible *a, bool *out)
{
	struct clq_acl acl = { NULL, 0 };
	enum clq_status rc;

	*out = false;
	if (!clq_strs_has(a->permissions, CLQ_STR("write")))
		return CLQ_OK;
	if ((rc = f->permission->acl(f->self, f->arena, a->object,
	    &acl)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < acl.n; i++)
		if (clq_str_is(acl.aces[i].permission, "write"))
			*out = acl.aces[i].principals.n == 1;
	return CLQ_OK;
}

static enum clq_status
forget_object(struct forgetting *f, const struct clq_accessible *a)
{
	bool owner, removed = false;
	enum clq_status rc;

	if (gone(f, a->object))
		return CLQ_OK;
	if ((rc = is_owner(f, a, &owner)) != CLQ_OK)
		return rc;
	if (owner && (rc = clq_object_remove(f->req, a->object,
	    &removed)) != CLQ_OK)
		return rc;
	if (removed) {
		clq_strs_add(f->arena, &f->deleted, a->object);
		return CLQ_OK;
	}
	for (size_t i = 0; i < a->permissions.n; i++)
		if ((rc = f->permission->remove(f->self, a->object,
		    a->permissions.items[i], f->principal)) != CLQ_OK)
			return rc;
	return CLQ_OK;
}

static enum clq_status
forget_objects(struct forgetting *f)
{
	struct clq_strs one = { &f->principal, 1, 0 };
	struct clq_accessible *found = NULL;
	size_t n = 0;
	enum clq_status rc;

	rc = f->permission->accessible(f->self, f->arena, one, NULL, 0, true,
	    &found, &n);
	for (size_t i = 0; rc == CLQ_OK && i < n; i++)
		rc = forget_object(f, &found[i]);
	return rc;
}

static enum clq_status
leave_groups(struct forgetting *f)
{
	struct clq_strs groups = { NULL, 0, 0 };
	enum clq_status rc;

	rc = f->permission->groups(f->self, f->arena, f->principal, &groups);
	for (size_t i = 0; rc == CLQ_OK && i < groups.n; i++)
		rc = f->permission->remove_member(f->self, f->principal,
		    groups.items[i]);
	return rc;
}

static enum clq_status
authorize(struct clq_request *req)
{
	struct clq_lookup lookup = { .arena = clq_request_arena(req) };
	enum clq_status rc;

	if ((rc = clq_lookup(req, &lookup)) != CLQ_OK)	/* groups count */
		return rc;
	if (clq_request_allowed(req, "user-data_delete_principals"))
		return CLQ_OK;
	return clq_fail(req, clq_request_user(req).p == NULL ?
	    CLQ_ERRNO_MISSING_AUTH_TOKEN : CLQ_ERRNO_FORBIDDEN, NULL);
}

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	struct forgetting f = {
		.req = req, .arena = clq_request_arena(req),
		.principal = clq_request_var(req, "principal"),
	};
	struct clq_buf b;
	enum clq_status rc;

	(void)ctx;
	if ((rc = authorize(req)) != CLQ_OK)		/* 401 403 */
		return rc;
	if ((f.permission = clq_permission(req, &f.self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = forget_objects(&f)) != CLQ_OK ||
	    (rc = leave_groups(&f)) != CLQ_OK)
		return rc;
	clq_buf_init(&b, f.arena, f.principal.len + 32);
	clq_buf_adds(&b, "{\"data\":{\"principal\":");
	clq_buf_json_str(&b, f.principal);
	clq_buf_adds(&b, "}}");
	return clq_reply(req, 200, clq_buf_str(&b));
}
