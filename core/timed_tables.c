/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables with a clock (see timed.h).
 *
 * self is srv->timed, so that the real table and instance are looked up at
 * each call. What only operators' commands call (indexes) is left out.
 */
#include "timed.h"

static const struct clq_storage_backend *
storage_of(const void *self)
{
	return &((const struct clq_timed *)self)->srv->storage;
}

static const struct clq_permission_backend *
permission_of(const void *self)
{
	return &((const struct clq_timed *)self)->srv->permission;
}

/* ---- storage -------------------------------------------------------------- */

static enum clq_status
timed_s_lookup(void *self, struct clq_lookup *l)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->lookup(b->self, l);
	clq_call_end(self, &call, CLQ_STR("lookup"));
	return rc;
}

static enum clq_status
timed_s_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->timestamp(b->self, coll, out);
	clq_call_end(self, &call, CLQ_STR("timestamp"));
	return rc;
}

static enum clq_status
timed_s_write(void *self, struct clq_write *writes, size_t n)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->write(b->self, writes, n);
	clq_call_end(self, &call, CLQ_STR("write"));
	return rc;
}

static enum clq_status
timed_s_sync(void *self)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->sync(b->self);
	clq_call_end(self, &call, CLQ_STR("sync"));
	return rc;
}

static enum clq_status
timed_s_list(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_page *out)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->list(b->self, arena, q, out);
	clq_call_end(self, &call, CLQ_STR("list"));
	return rc;
}

static enum clq_status
timed_s_count(void *self, const struct clq_query *q, int64_t *out)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->count(b->self, q, out);
	clq_call_end(self, &call, CLQ_STR("count"));
	return rc;
}

static enum clq_status
timed_s_delete_all(void *self, struct clq_arena *arena,
    const struct clq_query *q, struct clq_deletions *out)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->delete_all(b->self, arena, q, out);
	clq_call_end(self, &call, CLQ_STR("delete_all"));
	return rc;
}

static enum clq_status
timed_s_erase(void *self, struct clq_str resource, struct clq_str parent)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->erase(b->self, resource, parent);
	clq_call_end(self, &call, CLQ_STR("erase"));
	return rc;
}

static enum clq_status
timed_s_purge(void *self, struct clq_str resource, clq_msec before,
    int64_t max_retained, int64_t *removed)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->purge(b->self, resource, before, max_retained, removed);
	clq_call_end(self, &call, CLQ_STR("purge"));
	return rc;
}

static enum clq_status
timed_s_trim(void *self, const struct clq_query *q, size_t keep,
    int64_t *removed)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->trim(b->self, q, keep, removed);
	clq_call_end(self, &call, CLQ_STR("trim"));
	return rc;
}

static enum clq_status
timed_s_totals(void *self, struct clq_arena *arena,
    struct clq_resource_count **out, size_t *n)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->totals(b->self, arena, out, n);
	clq_call_end(self, &call, CLQ_STR("totals"));
	return rc;
}

static enum clq_status
timed_s_flush(void *self)
{
	const struct clq_storage_backend *b = storage_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_STORAGE);
	enum clq_status rc;

	rc = b->ops->flush(b->self);
	clq_call_end(self, &call, CLQ_STR("flush"));
	return rc;
}

static const struct clq_storage_ops timed_storage = {
	.size = sizeof timed_storage,
	.lookup = timed_s_lookup,
	.timestamp = timed_s_timestamp,
	.write = timed_s_write,
	.sync = timed_s_sync,
	.list = timed_s_list,
	.count = timed_s_count,
	.delete_all = timed_s_delete_all,
	.erase = timed_s_erase,
	.purge = timed_s_purge,
	.trim = timed_s_trim,
	.totals = timed_s_totals,
	.flush = timed_s_flush,
};

/* ---- permission ----------------------------------------------------------- */

static enum clq_status
timed_p_lookup(void *self, struct clq_lookup *l)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->lookup(b->self, l);
	clq_call_end(self, &call, CLQ_STR("lookup"));
	return rc;
}

static enum clq_status
timed_p_replace(void *self, struct clq_str object,
    const struct clq_acl *acl)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->replace(b->self, object, acl);
	clq_call_end(self, &call, CLQ_STR("replace"));
	return rc;
}

static enum clq_status
timed_p_add(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->add(b->self, object, permission, principal);
	clq_call_end(self, &call, CLQ_STR("add"));
	return rc;
}

static enum clq_status
timed_p_remove(void *self, struct clq_str object,
    struct clq_str permission, struct clq_str principal)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->remove(b->self, object, permission, principal);
	clq_call_end(self, &call, CLQ_STR("remove"));
	return rc;
}

static enum clq_status
timed_p_delete_objects(void *self, const struct clq_str *patterns, size_t n)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->delete_objects(b->self, patterns, n);
	clq_call_end(self, &call, CLQ_STR("delete_objects"));
	return rc;
}

static enum clq_status
timed_p_acl(void *self, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->acl(b->self, arena, object, out);
	clq_call_end(self, &call, CLQ_STR("acl"));
	return rc;
}

static enum clq_status
timed_p_accessible(void *self, struct clq_arena *arena,
    struct clq_strs principals, const struct clq_bound *bounds, size_t n,
    bool children, struct clq_accessible **out, size_t *nout)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->accessible(b->self, arena, principals, bounds, n,
	    children, out, nout);
	clq_call_end(self, &call, CLQ_STR("accessible"));
	return rc;
}

static enum clq_status
timed_p_add_member(void *self, struct clq_str user,
    struct clq_str principal)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->add_member(b->self, user, principal);
	clq_call_end(self, &call, CLQ_STR("add_member"));
	return rc;
}

static enum clq_status
timed_p_remove_member(void *self, struct clq_str user,
    struct clq_str principal)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->remove_member(b->self, user, principal);
	clq_call_end(self, &call, CLQ_STR("remove_member"));
	return rc;
}

static enum clq_status
timed_p_forget_principal(void *self, struct clq_str pattern)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->forget_principal(b->self, pattern);
	clq_call_end(self, &call, CLQ_STR("forget_principal"));
	return rc;
}

static enum clq_status
timed_p_groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->groups(b->self, arena, user, out);
	clq_call_end(self, &call, CLQ_STR("groups"));
	return rc;
}

static enum clq_status
timed_p_flush(void *self)
{
	const struct clq_permission_backend *b = permission_of(self);
	struct clq_call call = clq_call_begin(self, CLQ_TIMED_PERMISSION);
	enum clq_status rc;

	rc = b->ops->flush(b->self);
	clq_call_end(self, &call, CLQ_STR("flush"));
	return rc;
}

static const struct clq_permission_ops timed_permission = {
	.size = sizeof timed_permission,
	.lookup = timed_p_lookup,
	.replace = timed_p_replace,
	.add = timed_p_add,
	.remove = timed_p_remove,
	.delete_objects = timed_p_delete_objects,
	.acl = timed_p_acl,
	.accessible = timed_p_accessible,
	.add_member = timed_p_add_member,
	.remove_member = timed_p_remove_member,
	.forget_principal = timed_p_forget_principal,
	.groups = timed_p_groups,
	.flush = timed_p_flush,
};

/* ---- who gets which ----------------------------------------------------- */

const struct clq_storage_ops *
clq_timed_storage(struct clq_server *srv, void **self)
{
	bool timed = srv->timed != NULL && srv->storage.ops != NULL;

	*self = timed ? (void *)srv->timed : srv->storage.self;
	return timed ? &timed_storage : srv->storage.ops;
}

const struct clq_permission_ops *
clq_timed_permission(struct clq_server *srv, void **self)
{
	bool timed = srv->timed != NULL && srv->permission.ops != NULL;

	*self = timed ? (void *)srv->timed : srv->permission.self;
	return timed ? &timed_permission : srv->permission.ops;
}
