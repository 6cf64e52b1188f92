/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables with a clock (see timed.h).
 *
 * self is srv->timed, so that the real table and instance are looked up at
 * each call. All functions do the same around it, so that a list of the calls
 * makes them and the tables. What only operators' commands call (indexes) is
 * left out.
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

/* ---- the calls ----------------------------------------------------------- */

/*
 * Of each function of a table: its name, which is the method of the metrics
 * too; its parameters; what the real one, of the backend b, is called with.
 */
/* clang-format off */
#define STORAGE_CALLS(X)						\
	X(lookup, (void *self, struct clq_lookup *l), (b->self, l))	\
	X(timestamp, (void *self, const struct clq_coll *coll,		\
	    clq_msec *out),						\
	    (b->self, coll, out))					\
	X(write, (void *self, struct clq_write *writes, size_t n),	\
	    (b->self, writes, n))					\
	X(sync, (void *self), (b->self))				\
	X(list, (void *self, struct clq_arena *arena,			\
	    const struct clq_query *q, struct clq_page *out),		\
	    (b->self, arena, q, out))					\
	X(count, (void *self, const struct clq_query *q,		\
	    int64_t *out),						\
	    (b->self, q, out))						\
	X(delete_all, (void *self, struct clq_arena *arena,		\
	    const struct clq_query *q, struct clq_deletions *out),	\
	    (b->self, arena, q, out))					\
	X(erase, (void *self, struct clq_str resource,			\
	    struct clq_str parent),					\
	    (b->self, resource, parent))				\
	X(purge, (void *self, struct clq_str resource,			\
	    clq_msec before, int64_t max_retained, int64_t *removed),	\
	    (b->self, resource, before, max_retained, removed))		\
	X(trim, (void *self, const struct clq_query *q, size_t keep,	\
	    int64_t *removed),						\
	    (b->self, q, keep, removed))				\
	X(totals, (void *self, struct clq_arena *arena,			\
	    struct clq_resource_count **out, size_t *n),		\
	    (b->self, arena, out, n))					\
	X(flush, (void *self), (b->self))

#define PERMISSION_CALLS(X)						\
	X(lookup, (void *self, struct clq_lookup *l), (b->self, l))	\
	X(replace, (void *self, struct clq_str object,			\
	    const struct clq_acl *acl),					\
	    (b->self, object, acl))					\
	X(add, (void *self, struct clq_str object,			\
	    struct clq_str permission, struct clq_str principal),	\
	    (b->self, object, permission, principal))			\
	X(remove, (void *self, struct clq_str object,			\
	    struct clq_str permission, struct clq_str principal),	\
	    (b->self, object, permission, principal))			\
	X(delete_objects, (void *self, const struct clq_str *patterns,	\
	    size_t n),							\
	    (b->self, patterns, n))					\
	X(acl, (void *self, struct clq_arena *arena,			\
	    struct clq_str object, struct clq_acl *out),		\
	    (b->self, arena, object, out))				\
	X(accessible, (void *self, struct clq_arena *arena,		\
	    struct clq_strs principals,					\
	    const struct clq_bound *bounds, size_t n, bool children,	\
	    struct clq_accessible **out, size_t *nout),			\
	    (b->self, arena, principals, bounds, n, children, out,	\
	    nout))							\
	X(add_member, (void *self, struct clq_str user,			\
	    struct clq_str principal),					\
	    (b->self, user, principal))					\
	X(remove_member, (void *self, struct clq_str user,		\
	    struct clq_str principal),					\
	    (b->self, user, principal))					\
	X(forget_principal, (void *self, struct clq_str pattern),	\
	    (b->self, pattern))						\
	X(groups, (void *self, struct clq_arena *arena,			\
	    struct clq_str user, struct clq_strs *out),			\
	    (b->self, arena, user, out))				\
	X(flush, (void *self), (b->self))
/* clang-format on */

/* ---- the tables ---------------------------------------------------------- */

#define TIMED_STORAGE(name, params, args)				\
	static enum clq_status						\
	timed_s_##name params						\
	{								\
		const struct clq_storage_backend *b = storage_of(self);	\
		struct clq_call call = clq_call_begin(self,		\
		    CLQ_TIMED_STORAGE);					\
		enum clq_status rc = b->ops->name args;			\
									\
		clq_call_end(self, &call, CLQ_STR(#name));		\
		return rc;						\
	}
STORAGE_CALLS(TIMED_STORAGE)

#define STORAGE_ROW(name, params, args)	.name = timed_s_##name,
static const struct clq_storage_ops timed_storage = {
	.size = sizeof timed_storage,
	STORAGE_CALLS(STORAGE_ROW)
};

#define TIMED_PERMISSION(name, params, args)				\
	static enum clq_status						\
	timed_p_##name params						\
	{								\
		const struct clq_permission_backend *b =		\
		    permission_of(self);				\
		struct clq_call call = clq_call_begin(self,		\
		    CLQ_TIMED_PERMISSION);				\
		enum clq_status rc = b->ops->name args;			\
									\
		clq_call_end(self, &call, CLQ_STR(#name));		\
		return rc;						\
	}
PERMISSION_CALLS(TIMED_PERMISSION)

#define PERMISSION_ROW(name, params, args)	.name = timed_p_##name,
static const struct clq_permission_ops timed_permission = {
	.size = sizeof timed_permission,
	PERMISSION_CALLS(PERMISSION_ROW)
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
