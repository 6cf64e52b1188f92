/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets: the roots of the tree (section 08). */
#include "kinto.h"

static clq_process_f process;
static clq_stored_f stored;

static const char *const permissions[] = {
	"read", "write", "collection:create", "group:create", NULL
};

const struct clq_resource kinto_bucket = {
	.size		= sizeof kinto_bucket,
	.name		= "bucket",
	.plural_path	= "/buckets",
	.permissions	= permissions,
	.ids		= &clq_id_name,
	.inherit	= kinto_inherit,
	.process	= process,
	.stored		= stored,
	.description	= "Buckets hold groups and collections, and are where "
			  "permissions begin.",
	.openapi	= "{\"properties\":{\"collection:schema\":{"
			"\"type\":\"object\",\"description\":\"JSON "
			"schema of the collections in it.\"},\"group:"
			"schema\":{\"type\":\"object\",\"description\":"
			"\"JSON schema of the groups in it.\"},\"record:"
			"schema\":{\"type\":\"object\",\"description\":"
			"\"JSON schema of the records in it.\"}}}",
};

/* The attributes that hold JSON schemas for what is below the bucket. */
static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	static const char *const schemas[] = {
		"collection:schema", "group:schema", "record:schema"
	};
	enum clq_status rc, all = CLQ_OK;

	for (size_t i = 0; i < CLQ_COUNT(schemas); i++)
		if ((rc = kinto_check_schema(req, draft, schemas[i])) != CLQ_OK)
			all = rc;
	return all;
}

/*
 * A deleted bucket takes everything below it along, and the membership of its
 * groups: a later bucket of the same name must not grant former members
 * anything (section 06-10, quirk not copied).
 */
static enum clq_status
stored(struct clq_request *req, const struct clq_change *change)
{
	const struct clq_permission_ops *permission;
	struct clq_str groups;
	void *self;
	enum clq_status rc;

	if (change->action != CLQ_ACTION_DELETE)
		return CLQ_OK;
	if ((rc = kinto_erase_below(req, change->uri)) != CLQ_OK)
		return rc;
	groups = clq_arena_printf(clq_request_arena(req), "%.*s/groups/*",
	    CLQ_FMT(change->uri));
	permission = clq_permission(req, &self);
	return permission->forget_principal(self, groups);
}
