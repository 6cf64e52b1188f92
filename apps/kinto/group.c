/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: principals that stand for lists of users (sections 06-10, 08-2).
 *
 * Membership is kept twice: in the group's `members`, which is what clients
 * see, and as principals of each user in the permission backend, which is what
 * decides. Both change in one transaction, here.
 */
#include "kinto.h"

static clq_process_f process;
static clq_stored_f stored;

static const struct clq_field fields[] = {
	{ .name = "members", .type = CLQ_FIELD_STRINGS, .def = "[]" },
};

const struct clq_resource kinto_group = {
	.size		= sizeof kinto_group,
	.name		= "group",
	.plural_path	= "/buckets/{bucket_id}/groups",
	.fields		= fields,
	.nfields	= CLQ_COUNT(fields),
	.ids		= &clq_id_name,
	.inherit	= kinto_inherit,
	.process	= process,
	.stored		= stored,
	.description	= "Groups are lists of users that permissions can "
			  "name.",
};

/* Only users may be members: no groups, and not everybody. */
static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	const cJSON *members = clq_json_get(draft->data, "members");
	const cJSON *item;
	enum clq_status rc = CLQ_OK;
	int i = 0;

	cJSON_ArrayForEach(item, members) {
		struct clq_str user = clq_json_str(item);
		struct clq_str name = clq_arena_printf(clq_request_arena(req),
		    "members.%d", i++);

		if (clq_str_starts(user, "/buckets/") ||
		    clq_str_is(user, "system.Everyone"))
			rc = kinto_refuse(req, draft, name.p,
			    "'%.*s' is not a valid user ID.", CLQ_FMT(user));
	}
	return rc != CLQ_OK ? rc : kinto_validate(req, draft, "group:schema");
}

/* The members of a stored group; none if obj is NULL. */
static enum clq_status
members_of(struct clq_request *req, const struct clq_object *obj,
    struct clq_strs *out)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str why;
	const cJSON *item;
	cJSON *data;

	*out = (struct clq_strs){ .n = 0 };
	if (obj == NULL || obj->deleted)
		return CLQ_OK;
	if (clq_json_parse(arena, obj->data, &data, &why) != CLQ_OK) {
		clq_log_err("group %.*s: stored document: %.*s",
		    CLQ_FMT(obj->id), CLQ_FMT(why));
		return CLQ_FAILED;
	}
	cJSON_ArrayForEach(item, clq_json_get(data, "members"))
		if (cJSON_IsString(item))
			clq_strs_add(arena, out, clq_json_str(item));
	return CLQ_OK;
}

static enum clq_status
stored(struct clq_request *req, const struct clq_change *change)
{
	const struct clq_permission_ops *permission;
	struct clq_strs before, after;
	enum clq_status rc;
	void *self;

	permission = clq_permission(req, &self);
	if (change->action == CLQ_ACTION_DELETE)
		return permission->forget_principal(self, change->uri);
	if ((rc = members_of(req, change->old, &before)) != CLQ_OK ||
	    (rc = members_of(req, change->new_, &after)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < before.n; i++)
		if (!clq_strs_has(after, before.items[i]) &&
		    (rc = permission->remove_member(self, before.items[i],
		    change->uri)) != CLQ_OK)
			return rc;
	for (size_t i = 0; i < after.n; i++)
		if (!clq_strs_has(before, after.items[i]) &&
		    (rc = permission->add_member(self, after.items[i],
		    change->uri)) != CLQ_OK)
			return rc;
	return CLQ_OK;
}
