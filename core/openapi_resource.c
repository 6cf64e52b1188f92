/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of a resource's two endpoints (sections 03-5, 03-6).
 *
 * One row for each tells what all resources have in common; the permissions
 * come from the same function that decides about requests, asked with the
 * variables of the path in place of ids.
 */
#include "openapi_impl.h"

#include <cliquet/str.h>

#include "resource_impl.h"
#include "server.h"

struct row {
	enum clq_route_kind	 kind;
	enum clq_method		 method;
	bool			 of_list;	/* named by the last segment of
						   the path, not the resource */
	const char		*id;		/* of the operation */
	const char		*summary;
	const char		*params;	/* shared ones, by name */
	const char		*body;		/* definition: <resource>... */
	const char		*answer;	/* the same; or "." for a shared
						   one */
	const char		*created;	/* what 201 means, or NULL */
	const char		*errors;	/* responses */
};

#define FILTERS		"_limit _token _sort _since _before _to id last_modified "
#define CONDITIONS	"If-Match If-None-Match"

static const struct row rows[] = {
	{ CLQ_ROUTE_PLURAL, CLQ_METHOD_GET, true, "get", "List",
	    FILTERS "_fields " CONDITIONS, NULL, "-list", NULL,
	    "304 400 401 403 406 412" },
	{ CLQ_ROUTE_PLURAL, CLQ_METHOD_HEAD, true, "head",
	    "Size and timestamp of the list of", FILTERS "_fields " CONDITIONS,
	    NULL, "-list", NULL, "304 400 401 403 406 412" },
	{ CLQ_ROUTE_PLURAL, CLQ_METHOD_POST, false, "create", "Create",
	    CONDITIONS, "-body", "-answer", "It was created.",
	    "400 401 403 406 412 415" },
	{ CLQ_ROUTE_PLURAL, CLQ_METHOD_DELETE, true, "delete", "Delete",
	    FILTERS CONDITIONS, NULL, ".DeletedList", NULL,
	    "400 401 403 406 412" },
	{ CLQ_ROUTE_OBJECT, CLQ_METHOD_GET, false, "get", "Read",
	    "_fields " CONDITIONS, NULL, "-answer", NULL,
	    "304 400 401 403 404 406 412" },
	{ CLQ_ROUTE_OBJECT, CLQ_METHOD_HEAD, false, "head",
	    "Timestamp of", "_fields " CONDITIONS, NULL, "-answer", NULL,
	    "304 400 401 403 404 406 412" },
	{ CLQ_ROUTE_OBJECT, CLQ_METHOD_PUT, false, "update",
	    "Create or replace", CONDITIONS, "-body", "-answer",
	    "It was created.", "400 401 403 406 412 415" },
	{ CLQ_ROUTE_OBJECT, CLQ_METHOD_PATCH, false, "patch", "Change",
	    CONDITIONS " Response-Behavior", "-patch", "-answer", NULL,
	    "400 401 403 404 406 412 415" },
	{ CLQ_ROUTE_OBJECT, CLQ_METHOD_DELETE, false, "delete", "Delete",
	    "deleted_at " CONDITIONS, NULL, ".Deleted", NULL,
	    "400 401 403 404 406 412" },
};

static const struct row *
row_of(const struct clq_route *route, enum clq_method method)
{
	for (size_t i = 0; i < CLQ_COUNT(rows); i++)
		if (rows[i].kind == route->kind && rows[i].method == method)
			return &rows[i];
	return NULL;
}

/* ---- permissions ------------------------------------------------------- */

static size_t
bounds_of(struct clq_oa *oa, const struct clq_route *route,
    enum clq_access_kind kind, struct clq_bound *out)
{
	const struct clq_resource *decl = route->resource;
	struct clq_str plural = clq_str_of(decl->plural_path);
	bool on_object = kind == CLQ_ACCESS_READ || kind == CLQ_ACCESS_WRITE;
	struct clq_access access = {
		.kind = kind, .resource = decl, .plural = plural,
		.parent = clq_str_sub(plural, 0, plural.len -
		    clq_oa_last(decl->plural_path).len - 1),
	};

	if (on_object)
		access.object = clq_arena_printf(oa->arena, "%.*s/{id}",
		    CLQ_FMT(plural));
	return clq_access_bounds(oa->arena, &access, out);
}

/* "`write` on `/buckets/{id}`, or ... " */
static void
add_bounds(struct clq_oa *oa, struct clq_buf *b,
    const struct clq_route *route, enum clq_access_kind kind)
{
	struct clq_bound bounds[CLQ_MAX_BOUNDS];
	size_t n = bounds_of(oa, route, kind, bounds);
	const char *sep = "";

	for (size_t i = 0; i < n; i++) {
		struct clq_str permission = bounds[i].permission;
		struct clq_str key = clq_access_setting(oa->arena,
		    route->resource, permission);

		if (bounds[i].object.len > 0) {
			clq_buf_printf(b, "%s`%.*s` on `%.*s`", sep,
			    CLQ_FMT(permission), CLQ_FMT(bounds[i].object));
			sep = ", or ";
		}
		if (bounds[i].object.len == 0 || clq_settings_list(
		    oa->srv->settings, key.p).n > 0) {
			clq_buf_printf(b, "%s to be named by the setting "
			    "`%.*s`", sep, CLQ_FMT(key));
			sep = ", or ";
		}
	}
	clq_buf_adds(b, n == 0 ? "nobody has it" : "");
}

static void
describe(struct clq_oa *oa, struct clq_buf *b, const char *text,
    const struct clq_route *route, enum clq_access_kind kind)
{
	clq_buf_adds(b, text);
	add_bounds(oa, b, route, kind);
	clq_buf_adds(b, ".");
}

/* Who may do it, in words. */
static struct clq_str
permission_text(struct clq_oa *oa, const struct clq_route *route,
    enum clq_method method)
{
	bool plural = route->kind == CLQ_ROUTE_PLURAL;
	struct clq_buf b;

	clq_buf_init(&b, oa->arena, 256);
	if (route->resource->flags & CLQ_RESOURCE_USER) {
		clq_buf_adds(&b, "Each user has a list of his own.");
	} else if (method == CLQ_METHOD_POST) {
		describe(oa, &b, "Permission: ", route, CLQ_ACCESS_CREATE);
		describe(oa, &b, " If the object is there: ", route,
		    CLQ_ACCESS_READ);
	} else if (method == CLQ_METHOD_PUT) {
		describe(oa, &b, "Permission: ", route, CLQ_ACCESS_WRITE);
		describe(oa, &b, " If the object is missing: ", route,
		    CLQ_ACCESS_CREATE);
	} else if (plural) {
		describe(oa, &b, "Permission: ", route,
		    method == CLQ_METHOD_DELETE ? CLQ_ACCESS_DELETE_LIST :
		    CLQ_ACCESS_LIST);
		clq_buf_adds(&b, " With permissions on single objects only, "
		    "the list is that of these objects. Filters: any "
		    "attribute by its name, or with `not_`, `min_`, `max_`, "
		    "`lt_`, `gt_`, `in_`, `exclude_`, `has_`, `like_`, "
		    "`contains_`, `contains_any_` before it.");
	} else {
		describe(oa, &b, "Permission: ", route, method ==
		    CLQ_METHOD_GET || method == CLQ_METHOD_HEAD ?
		    CLQ_ACCESS_READ : CLQ_ACCESS_WRITE);
	}
	return clq_buf_str(&b);
}

/* ---- parameters -------------------------------------------------------- */

/* Attributes that lists may be filtered by. */
static void
add_filters(struct clq_oa *oa, const struct clq_resource *decl,
    const char *sep)
{
	for (size_t i = 0; i < decl->nfields; i++) {
		const struct clq_field *f = &decl->fields[i];

		clq_buf_adds(&oa->b, sep);
		clq_oa_add(&oa->b, "{'name':");
		clq_oa_str(&oa->b, clq_str_of(f->name));
		clq_oa_add(&oa->b, ",'in':'query',");
		clq_oa_simple_type(&oa->b, f);
		clq_oa_add(&oa->b, ",'description':'Only objects with that "
		    "value.'}");
		sep = ",";
	}
}

static void
add_parameters(struct clq_oa *oa, const struct clq_route *route,
    const struct row *row)
{
	struct clq_str rest = clq_str_of(row->params), name;
	const struct clq_resource *decl = route->resource;
	const char *sep = "";

	clq_oa_add(&oa->b, ",'parameters':[");
	for (; clq_str_next_word(&rest, &name); sep = ",") {
		clq_buf_adds(&oa->b, sep);
		clq_buf_addc(&oa->b, '{');
		clq_oa_member(&oa->b, "$ref", "#/parameters/%.*s",
		    CLQ_FMT(name));
		clq_buf_addc(&oa->b, '}');
	}
	if (row->body != NULL) {
		bool required = row->method == CLQ_METHOD_PATCH ||
		    !clq_schema_accepts_empty(decl);

		clq_buf_printf(&oa->b, "%s", sep);
		clq_oa_add(&oa->b, "{'name':'body','in':'body','required':");
		clq_oa_add(&oa->b, required ? "true" : "false");
		clq_oa_add(&oa->b, ",'schema':{");
		clq_oa_member(&oa->b, "$ref", "#/definitions/%.*s%s",
		    CLQ_FMT(clq_oa_key(oa, decl)), row->body);
		clq_oa_add(&oa->b, "}}");
	}
	if (route->kind == CLQ_ROUTE_PLURAL && row->body == NULL)
		add_filters(oa, decl, sep);
	clq_buf_addc(&oa->b, ']');
}

/* ---- responses --------------------------------------------------------- */

static void
add_headers(struct clq_oa *oa, const struct row *row, bool totals)
{
	clq_oa_add(&oa->b, ",'headers':{'ETag':{'type':'string',"
	    "'description':'The timestamp, in quotes.'},"
	    "'Last-Modified':{'type':'string','description':'The same as a "
	    "date.'}");
	if (row->kind == CLQ_ROUTE_PLURAL && row->method != CLQ_METHOD_POST)
		clq_oa_add(&oa->b, ",'Next-Page':{'type':'string',"
		    "'description':'URL of the next page, if there is one.'}");
	if (totals)
		clq_oa_add(&oa->b, ",'Total-Objects':{'type':'integer',"
		    "'description':'Objects that fit the filters.'},"
		    "'Total-Records':{'type':'integer','description':'The "
		    "same, as older clients know it.'}");
	clq_buf_addc(&oa->b, '}');
}

/* One answer that is none of the shared ones. */
static void
add_answer(struct clq_oa *oa, const struct clq_resource *decl,
    const struct row *row, const char *description, bool totals)
{
	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "description", "%s", description);
	if (row->method != CLQ_METHOD_HEAD) {
		clq_oa_add(&oa->b, ",'schema':{");
		if (row->answer[0] == '.')
			clq_oa_member(&oa->b, "$ref", "#/definitions/%s",
			    row->answer + 1);
		else
			clq_oa_member(&oa->b, "$ref", "#/definitions/%.*s%s",
			    CLQ_FMT(clq_oa_key(oa, decl)), row->answer);
		clq_buf_addc(&oa->b, '}');
	}
	add_headers(oa, row, totals);
	clq_buf_addc(&oa->b, '}');
}

static void
add_shared(struct clq_oa *oa, const struct row *row, struct clq_str code)
{
	clq_buf_addc(&oa->b, ',');
	clq_oa_str(&oa->b, code);
	clq_oa_add(&oa->b, ":{");
	if (row->method == CLQ_METHOD_HEAD)	/* which has no body */
		clq_oa_member(&oa->b, "description", "As for GET.");
	else
		clq_oa_member(&oa->b, "$ref", "#/responses/%.*s",
		    CLQ_FMT(code));
	clq_buf_addc(&oa->b, '}');
}

static bool
has_unique(const struct clq_resource *decl)
{
	for (size_t i = 0; i < decl->nfields; i++)
		if (decl->fields[i].flags & CLQ_FIELD_UNIQUE)
			return true;
	return false;
}

static void
add_responses(struct clq_oa *oa, const struct clq_route *route,
    const struct row *row)
{
	const struct clq_resource *decl = route->resource;
	struct clq_str rest = clq_str_of(row->errors), code;
	bool totals = row->kind == CLQ_ROUTE_PLURAL &&
	    row->method == CLQ_METHOD_HEAD &&
	    !clq_oa_head_of_get(route, row->method);

	clq_oa_add(&oa->b, ",'responses':{'200':");
	add_answer(oa, decl, row, row->method == CLQ_METHOD_PUT ?
	    "It was replaced." : row->created != NULL ? "It was there "
	    "already, and is as it was." : "Done.", totals);
	if (row->created != NULL) {
		clq_oa_add(&oa->b, ",'201':");
		add_answer(oa, decl, row, row->created, false);
	}
	while (clq_str_next_word(&rest, &code))
		add_shared(oa, row, code);
	if (decl->parent != NULL && clq_str_search(clq_str_of(row->errors),
	    CLQ_STR("404")) == strlen(row->errors))
		add_shared(oa, row, CLQ_STR("404"));
	if (row->body != NULL && has_unique(decl))
		add_shared(oa, row, CLQ_STR("409"));
	add_shared(oa, row, CLQ_STR("default"));
	clq_buf_addc(&oa->b, '}');
}

/* ---- the operation ----------------------------------------------------- */

void
clq_oa_resource_operation(struct clq_oa *oa, const struct clq_route *route,
    enum clq_method method)
{
	const struct clq_resource *decl = route->resource;
	struct clq_str list = clq_oa_last(decl->plural_path);
	const struct row *row = row_of(route, method);
	struct clq_str name = row->of_list ? list : clq_str_of(decl->name);
	bool vowel = name.len > 0 && strchr("aeiou", name.p[0]) != NULL;
	struct clq_str id = clq_oa_id(oa, clq_arena_printf(oa->arena,
	    "%s_%.*s", row->id, CLQ_FMT(name)));

	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "operationId", "%.*s", CLQ_FMT(id));
	clq_oa_add(&oa->b, ",'tags':[");
	clq_oa_str(&oa->b, clq_oa_tag(oa, list));
	clq_oa_add(&oa->b, "],");
	clq_oa_member(&oa->b, "summary", "%s %s%.*s", row->summary,
	    row->of_list ? "" : vowel ? "an " : "a ", CLQ_FMT(name));
	clq_buf_addc(&oa->b, ',');
	clq_oa_member(&oa->b, "description", "%.*s", CLQ_FMT(
	    permission_text(oa, route, method)));
	if (method == CLQ_METHOD_PATCH)
		clq_oa_add(&oa->b, ",'consumes':['application/json',"
		    "'application/merge-patch+json',"
		    "'application/json-patch+json']");
	else if (row->body != NULL)
		clq_oa_add(&oa->b, ",'consumes':['application/json']");
	clq_oa_add(&oa->b, ",'produces':['application/json']");
	if (clq_oa_head_of_get(route, method))
		clq_oa_add(&oa->b, ",'x-head-of-get':true");
	add_parameters(oa, route, row);
	clq_oa_security(oa, !(decl->flags & CLQ_RESOURCE_USER));
	add_responses(oa, route, row);
	clq_buf_addc(&oa->b, '}');
}
