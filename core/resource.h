/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generic resource engine (sections 03 and 04): what a registered resource
 * becomes, and the pieces its endpoints are made of.
 */
#ifndef CLQ_RESOURCE_H
#define CLQ_RESOURCE_H

#include "request.h"

/* A registered resource with what was worked out once at start-up. */
struct clq_resource_entry {
	const struct clq_resource	*decl;
	const struct clq_resource_entry	*parent;	/* or NULL */
	const struct clq_id_kind	*ids;		/* declared or by setting */
	const char *const		*permissions;
};

/* So many resources may be registered: entries never move, since routes and
 * other entries point to them. */
enum { CLQ_MAX_RESOURCES = 128 };

/* The entry of a route's resource; NULL if it is not registered. */
const struct clq_resource_entry *clq_resource_entry(struct clq_server *srv,
    const struct clq_resource *decl);

/* Views of the two endpoints; ctx is the struct clq_resource_entry. */
clq_view_f clq_plural_get, clq_plural_head, clq_plural_post,
    clq_plural_delete;
clq_view_f clq_object_get, clq_object_put, clq_object_patch,
    clq_object_delete;

#endif
