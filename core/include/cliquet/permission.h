/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a permission backend offers (sections 06-3, 06-10, 11-5.2).
 *
 * Access control entries are (object URI, permission, principal); group
 * membership is (user id, principal). All functions run in a worker inside
 * the request's transaction; changes may be queued as storage writes are.
 */
#ifndef CLQ_PERMISSION_H
#define CLQ_PERMISSION_H

#include <cliquet/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Answer the permission part of l: groups, bounds, acl. */
typedef enum clq_status clq_permission_lookup_f(void *self,
    struct clq_lookup *l);

/* Set the listed permissions of an object; others stay. An item without
 * principals clears that permission. */
typedef enum clq_status clq_permission_replace_f(void *self,
    struct clq_str object, const struct clq_acl *acl);

/* Add or remove one principal; both idempotent. */
typedef enum clq_status clq_permission_ace_f(void *self,
    struct clq_str object, struct clq_str permission,
    struct clq_str principal);

/*
 * Forget the ACEs of objects. Each pattern is a URI, or ends in '*' and then
 * stands for all that begin with what precedes it. No other wildcard.
 */
typedef enum clq_status clq_permission_delete_f(void *self,
    const struct clq_str *patterns, size_t n);

/* The ACL of an object, without empty permissions. */
typedef enum clq_status clq_permission_acl_f(void *self,
    struct clq_arena *arena, struct clq_str object, struct clq_acl *out);

/* One object on which somebody has something. */
struct clq_accessible {
	struct clq_str	object;
	struct clq_strs	permissions;	/* those held, each once */
};

/*
 * The objects on which one of the principals holds one of the bounds, whose
 * `object` is a URI or ends in "/" and then '*'. With children == false the
 * '*' stands for one path segment, else for any rest. n bounds == 0: every
 * object on which the principals hold anything. Sorted by URI.
 */
typedef enum clq_status clq_permission_accessible_f(void *self,
    struct clq_arena *arena, struct clq_strs principals,
    const struct clq_bound *bounds, size_t n, bool children,
    struct clq_accessible **out, size_t *nout);

/* Give a principal (group URI) to users, or take it away; idempotent. */
typedef enum clq_status clq_permission_member_f(void *self,
    struct clq_str user, struct clq_str principal);

/* Take principals away from every user. A pattern as for delete. */
typedef enum clq_status clq_permission_forget_f(void *self,
    struct clq_str pattern);

/* The groups of a user, those of system.Authenticated included. */
typedef enum clq_status clq_permission_groups_f(void *self,
    struct clq_arena *arena, struct clq_str user, struct clq_strs *out);

typedef enum clq_status clq_permission_flush_f(void *self);

struct clq_permission_ops {
	uint32_t			 size;
	/* all required */
	clq_permission_lookup_f		*lookup;
	clq_permission_replace_f	*replace;
	clq_permission_ace_f		*add;
	clq_permission_ace_f		*remove;
	clq_permission_delete_f		*delete_objects;
	clq_permission_acl_f		*acl;
	clq_permission_accessible_f	*accessible;
	clq_permission_member_f		*add_member;
	clq_permission_member_f		*remove_member;
	clq_permission_forget_f		*forget_principal;
	clq_permission_groups_f		*groups;
	clq_permission_flush_f		*flush;
};

#ifdef __cplusplus
}
#endif
#endif
