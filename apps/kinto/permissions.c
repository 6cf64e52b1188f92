/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /permissions: on which objects the caller may do what (section 06-11).
 *
 * Rights come from two sources: the access control entries that name one of the
 * caller's principals, and settings, which give a right on every object of a
 * kind. Both become entries by URI; what a right means is worked out when an
 * entry is shown. The list is made anew for each request and answered by the
 * toolkit as any other.
 */
#include <stdlib.h>

#include "kinto.h"

enum { CHUNK = 1000 };		/* objects read at once */

static clq_view_f view;

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_HEAD, view, CLQ_TX_READ },
	{ CLQ_METHOD_GET, view, CLQ_TX_READ },
};
const struct clq_service kinto_permissions = {
	.size	= sizeof kinto_permissions,
	.name	= "permissions-plural",
	.path	= "/permissions",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.description = "The permissions of the caller, object by object.",
	.openapi = "{\"get\":{\"operationId\":\"get_permissions\",\"tags\":"
		"[\"Permissions\"],\"description\":\"Permission: to be "
		"named by the setting `permissions_read_principals`.\","
		"\"parameters\":[{\"$ref\":\"#/parameters/_limit\"},{"
		"\"$ref\":\"#/parameters/_token\"},{\"$ref\":"
		"\"#/parameters/_sort\"},{\"$ref\":"
		"\"#/parameters/_fields\"},{\"$ref\":"
		"\"#/parameters/id\"},{\"$ref\":"
		"\"#/parameters/last_modified\"},{\"$ref\":"
		"\"#/parameters/If-Match\"},{\"$ref\":"
		"\"#/parameters/If-None-Match\"}],\"responses\":{\"200\":"
		"{\"description\":\"A page of the list.\",\"schema\":{"
		"\"type\":\"object\",\"required\":[\"data\"],"
		"\"properties\":{\"data\":{\"type\":\"array\",\"items\":{"
		"\"type\":\"object\",\"properties\":{\"uri\":{\"type\":"
		"\"string\"},\"resource_name\":{\"type\":\"string\"},"
		"\"permissions\":{\"type\":\"array\",\"items\":{\"type\":"
		"\"string\"}}}}}}}},\"304\":{\"$ref\":"
		"\"#/responses/304\"},\"400\":{\"$ref\":"
		"\"#/responses/400\"},\"401\":{\"$ref\":"
		"\"#/responses/401\"},\"403\":{\"$ref\":"
		"\"#/responses/403\"},\"412\":{\"$ref\":"
		"\"#/responses/412\"}}}}",
};

static const struct clq_field fields[] = {
	{ .name = "uri" }, { .name = "resource_name" },
	{ .name = "permissions" }, { .name = "bucket_id" },
	{ .name = "collection_id" }, { .name = "group_id" },
	{ .name = "record_id" },
};

static const struct clq_sort order[] = {
	{ CLQ_STR("uri"), true },
};

/* An object, or the root ("/"), and what the caller holds there. */
struct entry {
	struct clq_str	uri;
	struct clq_strs	held;
};

struct gathering {
	struct clq_request	*req;
	struct clq_arena	*arena;
	struct clq_strs		 principals;
	struct entry		*entries;
	size_t			 n;
	size_t			 cap;
};

/* ---- what a right means ------------------------------------------------ */

/* What follows for the object itself from a right on it (section 06-3.1). A
 * right that is in no row means itself. */
static const struct {
	const char	*resource;
	const char	*held;
	const char	*means[6];
} rights[] = {
	{ "bucket", "write", { "write", "read", "read:attributes",
	  "collection:create", "group:create" } },
	{ "bucket", "read", { "read", "read:attributes" } },
	{ "bucket", "collection:create", { "collection:create",
	  "read:attributes" } },
	{ "bucket", "group:create", { "group:create", "read:attributes" } },
	{ "collection", "write", { "write", "read", "read:attributes",
	  "record:create" } },
	{ "collection", "read", { "read", "read:attributes" } },
	{ "collection", "record:create", { "record:create",
	  "read:attributes" } },
	{ NULL, "write", { "write", "read" } },
};

static void
add_text(cJSON *list, struct clq_str text)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (clq_str_eq(clq_json_str(item), text))
			return;
	cJSON_AddItemToArray(list, clq_json_new_str(text));
}

static void
add_meaning(cJSON *list, const char *resource, struct clq_str held)
{
	for (size_t i = 0; i < CLQ_COUNT(rights); i++) {
		if (!clq_str_is(held, rights[i].held) ||
		    (rights[i].resource != NULL &&
		    strcmp(rights[i].resource, resource) != 0))
			continue;
		for (size_t j = 0; rights[i].means[j] != NULL; j++)
			add_text(list, clq_str_of(rights[i].means[j]));
		return;
	}
	add_text(list, held);
}

/* The entry as it is shown. */
static enum clq_status
item(struct clq_request *req, struct clq_arena *arena, void *ctx, size_t i,
    cJSON **out)
{
	const struct entry *e = &((const struct gathering *)ctx)->entries[i];
	cJSON *tree = clq_json_own(arena, cJSON_CreateObject());
	cJSON *list = cJSON_CreateArray();
	const char *resource = "root";
	struct clq_located at;
	size_t k;

	*out = tree;
	clq_json_set(tree, "uri", clq_json_new_str(e->uri));
	if (!clq_str_is(e->uri, "/") &&
	    clq_locate(clq_request_server(req), e->uri, &at)) {
		resource = at.resource->name;
		for (k = 0; k < at.nvars; k++)
			clq_json_set(tree, clq_arena_cstr(arena,
			    at.vars[k].name),
			    clq_json_new_str(at.vars[k].value));
		clq_json_set(tree, "id", clq_json_new_str(at.id));
		clq_json_set(tree, clq_arena_printf(arena, "%s_id",
		    resource).p, clq_json_new_str(at.id));
	}
	clq_json_set(tree, "resource_name",
	    clq_json_new_str(clq_str_of(resource)));
	clq_json_set(tree, "permissions", list);
	for (k = 0; k < e->held.n; k++)
		add_meaning(list, resource, e->held.items[k]);
	return CLQ_OK;
}

/* ---- entries ----------------------------------------------------------- */

static struct entry *
add_entry(struct gathering *g, struct clq_str uri)
{
	size_t cap = g->cap > 0 ? 2 * g->cap : 64;

	if (g->n == g->cap) {
		g->entries = clq_arena_grow(g->arena, g->entries,
		    g->cap * sizeof *g->entries, cap * sizeof *g->entries);
		g->cap = cap;
	}
	g->entries[g->n] = (struct entry){ uri, { NULL, 0, 0 } };
	return &g->entries[g->n++];
}

static enum clq_status
add_accessible(struct gathering *g)
{
	struct clq_server *srv = clq_request_server(g->req);
	const struct clq_permission_ops *permission;
	struct clq_accessible *found = NULL;
	struct clq_located at;
	size_t n = 0;
	enum clq_status rc;
	void *self;

	if ((permission = clq_permission(g->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = permission->accessible(self, g->arena, g->principals, NULL,
	    0, true, &found, &n)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (clq_locate(srv, found[i].object, &at))
			add_entry(g, found[i].object)->held =
			    found[i].permissions;
	return CLQ_OK;
}

/* One page of all objects of a kind, whatever their parents. */
static void
add_page(struct gathering *g, const char *plural, struct clq_strs held,
    const struct clq_page *page)
{
	for (size_t i = 0; i < page->n; i++) {
		struct clq_str uri = clq_arena_printf(g->arena,
		    "%.*s/%s/%.*s", CLQ_FMT(page->objects[i].parent), plural,
		    CLQ_FMT(page->objects[i].id));

		add_entry(g, uri)->held = held;
	}
}

/* Read page after page, so that the documents do not add up in memory. */
static enum clq_status
add_every(struct gathering *g, const char *kind, struct clq_strs held)
{
	static const struct clq_sort sorts[] = {
		{ CLQ_STR("last_modified"), true }, { CLQ_STR("id"), false },
	};
	struct clq_query q = {
		.coll = { clq_str_of(kind), CLQ_STR(CLQ_ANY_PARENT) },
		.sorts = sorts, .nsorts = CLQ_COUNT(sorts), .limit = CHUNK,
	};
	const char *plural = clq_arena_printf(g->arena, "%ss", kind).p;
	struct clq_arena *scratch = clq_arena_new();
	const struct clq_storage_ops *storage;
	const cJSON *after[CLQ_COUNT(sorts)];
	struct clq_page page;
	enum clq_status rc = CLQ_UNAVAILABLE;
	void *self;

	storage = clq_storage(g->req, &self);
	while (storage != NULL) {
		page = (struct clq_page){ NULL, 0 };
		clq_arena_reset(scratch);
		rc = storage->list(self, scratch, &q, &page);
		if (rc != CLQ_OK)
			break;
		add_page(g, plural, held, &page);
		if (page.n < CHUNK)
			break;
		after[0] = clq_json_own(g->arena, clq_json_new_int(
		    page.objects[page.n - 1].last_modified));
		after[1] = clq_json_own(g->arena, clq_json_new_str(
		    page.objects[page.n - 1].id));
		q.after = after;
	}
	clq_arena_free(&scratch);
	return rc;
}

static bool
allowed(struct gathering *g, const char *kind, const char *permission)
{
	return clq_request_allowed(g->req, clq_arena_printf(g->arena,
	    "%s_%s_principals", kind, permission).p);
}

/* The rights that settings give on every object of a kind. */
static struct clq_strs
rights_on(struct gathering *g, const char *kind)
{
	static const struct {
		const char	*on;
		const char	*kind;
		const char	*permission;
		const char	*held;
	} all[] = {
		{ "bucket", "bucket", "write", "write" },
		{ "bucket", "bucket", "read", "read" },
		{ "bucket", "collection", "create", "collection:create" },
		{ "bucket", "group", "create", "group:create" },
		{ "collection", "collection", "write", "write" },
		{ "collection", "collection", "read", "read" },
		{ "collection", "record", "create", "record:create" },
		{ "group", "group", "write", "write" },
		{ "group", "group", "read", "read" },
		{ "root", "bucket", "create", "bucket:create" },
		{ "root", "account", "create", "account:create" },
	};
	struct clq_strs held = { NULL, 0, 0 };

	for (size_t i = 0; i < CLQ_COUNT(all); i++)
		if (strcmp(all[i].on, kind) == 0 &&
		    clq_find_resource(clq_request_server(g->req),
		    all[i].kind) != NULL &&
		    allowed(g, all[i].kind, all[i].permission))
			clq_strs_add(g->arena, &held,
			    clq_str_of(all[i].held));
	return held;
}

static enum clq_status
add_by_settings(struct gathering *g)
{
	static const char *const kinds[] = { "bucket", "collection", "group" };
	struct clq_strs held = rights_on(g, "root");
	enum clq_status rc;

	if (held.n > 0)
		add_entry(g, CLQ_STR("/"))->held = held;
	for (size_t i = 0; i < CLQ_COUNT(kinds); i++) {
		held = rights_on(g, kinds[i]);
		if (held.n > 0 && (rc = add_every(g, kinds[i],
		    held)) != CLQ_OK)
			return rc;
	}
	return CLQ_OK;
}

/* ---- one entry for each object ----------------------------------------- */

static int
by_uri(const void *a, const void *b)
{
	return clq_str_cmp(((const struct entry *)a)->uri,
	    ((const struct entry *)b)->uri);
}

static void
unite(struct gathering *g)
{
	size_t n = 0;

	if (g->n > 1)
		qsort(g->entries, g->n, sizeof *g->entries, by_uri);
	for (size_t i = 0; i < g->n; i++) {
		struct entry *last = n > 0 ? &g->entries[n - 1] : NULL;
		struct clq_strs both = { NULL, 0, 0 };
		size_t k;

		if (last == NULL || !clq_str_eq(last->uri,
		    g->entries[i].uri)) {
			g->entries[n++] = g->entries[i];
			continue;
		}
		for (k = 0; k < last->held.n; k++)
			clq_strs_add(g->arena, &both, last->held.items[k]);
		for (k = 0; k < g->entries[i].held.n; k++)
			clq_strs_add(g->arena, &both,
			    g->entries[i].held.items[k]);
		last->held = both;
	}
	g->n = n;
}

/* ---- the request ------------------------------------------------------- */

/* Who asks, with groups, and whether he may. */
static enum clq_status
begin(struct gathering *g)
{
	struct clq_strs known;
	struct clq_lookup lookup = { .arena = g->arena };
	enum clq_status rc;

	if ((rc = clq_lookup(g->req, &lookup)) != CLQ_OK)
		return rc;
	known = clq_request_principals(g->req);
	for (size_t i = 0; i < known.n; i++)
		clq_strs_add(g->arena, &g->principals, known.items[i]);
	for (size_t i = 0; i < lookup.groups.n; i++)
		clq_strs_add(g->arena, &g->principals,
		    lookup.groups.items[i]);
	if (clq_request_allowed(g->req, "permissions_read_principals"))
		return CLQ_OK;
	return clq_fail(g->req, clq_request_user(g->req).p == NULL ?
	    CLQ_ERRNO_MISSING_AUTH_TOKEN : CLQ_ERRNO_FORBIDDEN, NULL);
}

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	struct gathering g = { .req = req, .arena = clq_request_arena(req) };
	struct clq_list list = {
		.size = sizeof list, .fields = fields,
		.nfields = CLQ_COUNT(fields), .order = order,
		.norder = CLQ_COUNT(order), .item = item, .ctx = &g,
	};
	enum clq_status rc;

	(void)ctx;
	if ((rc = begin(&g)) != CLQ_OK ||			/* 401 403 */
	    (rc = add_accessible(&g)) != CLQ_OK ||
	    (rc = add_by_settings(&g)) != CLQ_OK)
		return rc;
	unite(&g);
	list.n = g.n;
	/* there is no telling when any of it changed last */
	list.timestamp = clq_now();
	return clq_reply_list(req, &list);		/* 400 412 */
}
