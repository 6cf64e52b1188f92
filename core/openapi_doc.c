/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI 2.0 document: from routes, resources and policies to one tree
 * (section 07-3).
 *
 * What is served is what the router has, so the router is asked: a verb that a
 * setting disables, or readonly mode refuses, does not appear. The document is
 * the same for all requests; host and scheme, which are not, come later.
 */
#include "openapi_impl.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <ctype.h>
#include <stdlib.h>

#include "auth.h"
#include "hello.h"
#include "resource_impl.h"
#include "server.h"

/* ---- writing ----------------------------------------------------------- */

void
clq_oa_add(struct clq_buf *b, const char *literal)
{
	for (; literal != NULL && *literal != '\0'; literal++)
		clq_buf_addc(b, *literal == '\'' ? '"' : *literal);
}

void
clq_oa_str(struct clq_buf *b, struct clq_str s)
{
	clq_buf_json_str(b, clq_text_clean(b->arena, s));
}

void
clq_oa_member(struct clq_buf *b, const char *key, const char *fmt, ...)
{
	struct clq_str text;
	va_list ap;

	va_start(ap, fmt);
	text = clq_arena_vprintf(b->arena, fmt, ap);
	va_end(ap);
	clq_oa_str(b, clq_str_of(key));
	clq_buf_addc(b, ':');
	clq_oa_str(b, text);
}

/* ---- names ------------------------------------------------------------- */

struct clq_str
clq_oa_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return clq_str_of(slash != NULL ? slash + 1 : path);
}

struct clq_str
clq_oa_tag(struct clq_oa *oa, struct clq_str name)
{
	char *p = clq_arena_cstr(oa->arena, name);

	if (*p >= 'a' && *p <= 'z')
		*p = (char)(*p - 'a' + 'A');
	return clq_str_of(p);
}

struct clq_str
clq_oa_id(struct clq_oa *oa, struct clq_str base)
{
	struct clq_str id = base;

	for (int i = 2; clq_strs_has(oa->ids, id); i++)
		id = clq_arena_printf(oa->arena, "%.*s_%d", CLQ_FMT(base), i);
	clq_strs_add(oa->arena, &oa->ids, id);
	return id;
}

struct clq_str
clq_oa_key(struct clq_oa *oa, const struct clq_resource *decl)
{
	const struct clq_resource_entry *e = oa->srv->resources;
	char *p = clq_arena_cstr(oa->arena, clq_str_of(decl->name));
	size_t changed = 0, nth = 0;

	for (char *c = p; *c != '\0'; c++) {
		if (isalnum((unsigned char)*c) || *c == '_' || *c == '.')
			continue;
		*c = '_';
		changed++;
	}
	if (changed == 0)
		return clq_str_of(p);
	while (e[nth].decl != decl)
		nth++;
	return clq_arena_printf(oa->arena, "%s.%zu", p, nth);
}

/* ---- authentication ---------------------------------------------------- */

static bool
is_basic(const char *challenge)
{
	struct clq_str s = clq_str_of(challenge);

	return clq_str_caseis(clq_str_sub(s, 0, clq_str_find(s, ' ', 0)),
	    "Basic");
}

/* Version 2.0 knows basic authentication by name; any other use of the header
 * is an "API key" in it. */
static void
add_security_definitions(struct clq_oa *oa)
{
	const char *name, *challenge;
	struct clq_str scheme;

	clq_oa_add(&oa->b, ",'securityDefinitions':{");
	for (size_t i = 0; clq_auth_nth(oa->srv, i, &name, &challenge); i++) {
		clq_buf_adds(&oa->b, i > 0 ? "," : "");
		clq_oa_str(&oa->b, clq_str_of(name));
		if (is_basic(challenge)) {
			clq_oa_add(&oa->b, ":{'type':'basic'}");
			continue;
		}
		scheme = clq_str_of(challenge);
		scheme = clq_str_sub(scheme, 0, clq_str_find(scheme, ' ', 0));
		clq_oa_add(&oa->b, ":{'type':'apiKey','in':'header',"
		    "'name':'Authorization',");
		clq_oa_member(&oa->b, "description", "`Authorization: %.*s` "
		    "and the token.", CLQ_FMT(scheme));
		clq_oa_add(&oa->b, ",");
		clq_oa_member(&oa->b, "x-scheme", "%.*s", CLQ_FMT(scheme));
		clq_buf_addc(&oa->b, '}');
	}
	clq_buf_addc(&oa->b, '}');
}

const char *
clq_oa_verb(struct clq_oa *oa, enum clq_method method)
{
	return clq_arena_cstr(oa->arena, clq_str_lower(oa->arena,
	    clq_str_of(clq_method_name(method))));
}

enum clq_method
clq_oa_method(const char *verb)
{
	size_t m = 0;

	while (m < CLQ_METHOD_OPTIONS && !clq_str_caseis(clq_str_of(verb),
	    clq_method_name((enum clq_method)m)))
		m++;
	return (enum clq_method)m;
}

bool
clq_oa_head_of_get(const struct clq_route *route, enum clq_method method)
{
	return method == CLQ_METHOD_HEAD && route->verbs[method].view ==
	    route->verbs[CLQ_METHOD_GET].view;
}

void
clq_oa_security(struct clq_oa *oa, bool anonymous)
{
	const char *name, *challenge, *sep = "";

	clq_oa_add(&oa->b, ",'security':[");
	for (size_t i = 0; clq_auth_nth(oa->srv, i, &name, &challenge); i++) {
		clq_buf_printf(&oa->b, "%s{", sep);
		clq_oa_str(&oa->b, clq_str_of(name));
		clq_buf_adds(&oa->b, ":[]}");
		sep = ",";
	}
	if (anonymous && sep[0] != '\0')
		clq_buf_adds(&oa->b, ",{}");
	clq_buf_addc(&oa->b, ']');
}

/* ---- paths ------------------------------------------------------------- */

/* What the service says about its verbs; *out is NULL if nothing. */
static enum clq_status
read_more(struct clq_oa *oa, const struct clq_route *r, cJSON **out)
{
	struct clq_str why = CLQ_STR("it is no object of objects, one for "
	    "each verb that it describes");
	cJSON *item;

	*out = NULL;
	if (r->openapi == NULL)
		return CLQ_OK;
	if (clq_json_parse(oa->arena, clq_str_of(r->openapi), out, &why) !=
	    CLQ_OK || !cJSON_IsObject(*out))
		goto bad;
	cJSON_ArrayForEach(item, *out) {
		enum clq_method m = clq_oa_method(item->string);

		if (m < CLQ_METHOD_OPTIONS && r->verbs[m].view != NULL &&
		    (cJSON_IsObject(item) || cJSON_IsNull(item)))
			continue;
		why = clq_arena_printf(oa->arena, "\"%s\" is no verb of the "
		    "service, in lower case, or has no object", item->string);
		goto bad;
	}
	return CLQ_OK;
bad:
	clq_log_err("service %s: `openapi`: %.*s", r->name, CLQ_FMT(why));
	return CLQ_INVALID;
}

/* What the variable is the id of, if a resource has just that path before it;
 * or NULL. */
static const struct clq_resource_entry *
resource_of_variable(const struct clq_oa *oa, struct clq_str before)
{
	for (size_t i = 0; i < oa->srv->nresources; i++)
		if (clq_str_is(before, oa->srv->resources[i].decl->plural_path))
			return &oa->srv->resources[i];
	return NULL;
}

/* A service that declares the variable says itself what it may be. */
static bool
declares(const struct clq_route *r, struct clq_str variable)
{
	for (size_t i = 0; i < r->ninputs; i++)
		if (r->inputs[i].in == CLQ_IN_PATH &&
		    clq_str_is(variable, r->inputs[i].field.name))
			return true;
	return false;
}

static void
add_variable(struct clq_oa *oa, const struct clq_route *r,
    struct clq_str before, struct clq_str name)
{
	const struct clq_resource_entry *e = resource_of_variable(oa, before);
	bool rest = clq_str_ends(name, "*");

	if (rest)
		name = clq_str_sub(name, 0, name.len - 1);
	if (declares(r, name))
		e = NULL;
	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "name", "%.*s", CLQ_FMT(name));
	clq_oa_add(&oa->b, ",'in':'path','required':true,");
	if (rest)
		clq_oa_add(&oa->b, "'description':'The rest of the path, "
		    "slashes included.','x-rest':true,");
	if (e != NULL) {
		clq_oa_id_pattern(&oa->b, e->ids);
		clq_oa_member(&oa->b, "description", "Id of the %s.",
		    e->decl->name);
		clq_buf_addc(&oa->b, ',');
	}
	clq_oa_add(&oa->b, "'type':'string'}");
}

static void
add_variables(struct clq_oa *oa, const struct clq_route *r)
{
	struct clq_str path = clq_str_of(r->pattern);
	const char *sep = "'parameters':[";
	size_t open = 0, close;

	for (;;) {
		open = clq_str_find(path, '{', open);
		if (open == path.len)
			break;
		close = clq_str_find(path, '}', open);
		clq_oa_add(&oa->b, sep);
		sep = ",";
		add_variable(oa, r, clq_str_sub(path, 0, open - 1),
		    clq_str_sub(path, open + 1, close));
		open = close;
	}
	if (sep[0] == ',')
		clq_oa_add(&oa->b, "],");
}

/* The pattern without the star of a last variable. */
static struct clq_str
path_name(struct clq_oa *oa, const char *pattern)
{
	struct clq_str s = clq_str_of(pattern);

	if (!clq_str_ends(s, "*}"))
		return s;
	return clq_arena_printf(oa->arena, "%.*s}", CLQ_FMT(clq_str_sub(s, 0,
	    s.len - 2)));
}

/* Neither OPTIONS, which every path has, nor what readonly mode refuses. */
static bool
served(const struct clq_oa *oa, const struct clq_route *r,
    enum clq_method method)
{
	return method < CLQ_METHOD_OPTIONS && r->verbs[method].view != NULL &&
	    (!oa->srv->readonly || clq_method_safe(method));
}

static enum clq_status
add_operations(struct clq_oa *oa, const struct clq_route *r)
{
	enum clq_status rc = CLQ_OK;
	const char *sep = "";
	const char *verb;
	cJSON *more;

	if ((rc = read_more(oa, r, &more)) != CLQ_OK)
		return rc;
	for (size_t m = 0; m < CLQ_METHOD_OPTIONS && rc == CLQ_OK; m++) {
		enum clq_method method = (enum clq_method)m;

		verb = clq_oa_verb(oa, method);
		if (!served(oa, r, method) ||
		    cJSON_IsNull(clq_json_get(more, verb)))
			continue;
		clq_buf_adds(&oa->b, sep);
		sep = ",";
		clq_oa_str(&oa->b, clq_str_of(verb));
		clq_buf_addc(&oa->b, ':');
		if (r->kind == CLQ_ROUTE_SERVICE)
			rc = clq_oa_service_operation(oa, r, method, more);
		else
			clq_oa_resource_operation(oa, r, method);
	}
	return rc;
}

static int
by_pattern(const void *a, const void *b)
{
	return strcmp((*(const struct clq_route *const *)a)->pattern,
	    (*(const struct clq_route *const *)b)->pattern);
}

/* The routes that serve something, in order of their paths. */
static const struct clq_route **
sorted_routes(struct clq_oa *oa, size_t *out)
{
	const struct clq_route **list, *r;
	size_t n = 0, all = 0;

	while (clq_router_nth(oa->srv->router, all) != NULL)
		all++;
	list = clq_arena_calloc(oa->arena, all, sizeof *list);
	for (size_t i = 0; i < all; i++) {
		r = clq_router_nth(oa->srv->router, i);
		for (size_t m = 0; m < CLQ_METHOD_OPTIONS; m++) {
			if (!served(oa, r, (enum clq_method)m))
				continue;
			list[n++] = r;
			break;
		}
	}
	qsort(list, n, sizeof *list, by_pattern);
	*out = n;
	return list;
}

static enum clq_status
add_paths(struct clq_oa *oa)
{
	size_t n;
	const struct clq_route **list = sorted_routes(oa, &n);
	enum clq_status rc = CLQ_OK;

	clq_oa_add(&oa->b, ",'paths':{");
	for (size_t i = 0; i < n && rc == CLQ_OK; i++) {
		clq_buf_adds(&oa->b, i > 0 ? "," : "");
		clq_oa_str(&oa->b, path_name(oa, list[i]->pattern));
		clq_oa_add(&oa->b, ":{");
		add_variables(oa, list[i]);
		rc = add_operations(oa, list[i]);
		clq_buf_addc(&oa->b, '}');
	}
	clq_buf_addc(&oa->b, '}');
	return rc;
}

/* ---- the whole --------------------------------------------------------- */

static void
add_info(struct clq_oa *oa)
{
	struct clq_settings *set = oa->srv->settings;
	struct clq_str title = clq_settings_str(set, "project_name");
	struct clq_str docs = clq_settings_str(set, "project_docs");

	clq_oa_add(&oa->b, "{'swagger':'2.0','info':{");
	clq_oa_member(&oa->b, "title", "%.*s", CLQ_FMT(title));
	clq_buf_addc(&oa->b, ',');
	clq_oa_member(&oa->b, "version", "%.*s",
	    CLQ_FMT(clq_api_version(oa->srv)));
	clq_buf_addc(&oa->b, ',');
	clq_oa_member(&oa->b, "x-project-version", "%.*s",
	    CLQ_FMT(clq_settings_str(set, "project_version")));
	clq_oa_add(&oa->b, ",'description':'Every path also answers OPTIONS, "
	    "for scripts of other origins. Answers that tell of an error have "
	    "the form of `Error`.'},");
	if (docs.len > 0) {
		clq_oa_add(&oa->b, "'externalDocs':{");
		clq_oa_member(&oa->b, "url", "%.*s", CLQ_FMT(docs));
		clq_oa_add(&oa->b, "},");
	}
	clq_oa_member(&oa->b, "basePath", "%.*s", CLQ_FMT(oa->srv->prefix));
	clq_oa_add(&oa->b, ",'consumes':['application/json'],"
	    "'produces':['application/json']");
}

/* Resources that serve nothing, because of readonly mode or settings, have no
 * description; their schemas do no harm. */
static enum clq_status
add_resources(struct clq_oa *oa)
{
	struct clq_server *srv = oa->srv;
	struct clq_strs tags = { NULL, 0, 0 };
	enum clq_status rc = CLQ_OK;

	clq_oa_add(&oa->b, ",'tags':[");
	for (size_t i = 0; i < srv->nresources; i++) {
		const struct clq_resource *decl = srv->resources[i].decl;
		struct clq_str tag = clq_oa_tag(oa,
		    clq_oa_last(decl->plural_path));

		if (clq_strs_has(tags, tag))
			continue;
		clq_oa_add(&oa->b, tags.n > 0 ? ",{'name':" : "{'name':");
		clq_strs_add(oa->arena, &tags, tag);
		clq_oa_str(&oa->b, tag);
		if (decl->description != NULL) {
			clq_buf_addc(&oa->b, ',');
			clq_oa_member(&oa->b, "description", "%s",
			    decl->description);
		}
		clq_buf_addc(&oa->b, '}');
	}
	clq_oa_add(&oa->b, "],'parameters':{");
	clq_oa_add(&oa->b, clq_oa_parameters);
	clq_oa_add(&oa->b, "},'responses':{");
	clq_oa_add(&oa->b, clq_oa_responses);
	clq_oa_add(&oa->b, "},'definitions':{");
	clq_oa_add(&oa->b, clq_oa_definitions);
	for (size_t i = 0; i < srv->nresources && rc == CLQ_OK; i++)
		rc = clq_oa_resource_schemas(oa, &srv->resources[i]);
	clq_buf_addc(&oa->b, '}');
	return rc;
}

enum clq_status
clq_oa_document(struct clq_server *srv, struct clq_arena *arena,
    cJSON **out)
{
	struct clq_oa oa = { .srv = srv, .arena = arena };
	struct clq_str why;
	enum clq_status rc;

	clq_buf_init(&oa.b, arena, 64 << 10);
	add_info(&oa);
	add_security_definitions(&oa);
	if ((rc = add_resources(&oa)) != CLQ_OK ||
	    (rc = add_paths(&oa)) != CLQ_OK)
		return rc;
	clq_buf_addc(&oa.b, '}');
	if (clq_json_parse(arena, clq_buf_str(&oa.b), out, &why) == CLQ_OK)
		return CLQ_OK;
	clq_log_err("OpenAPI: the document is no JSON: %.*s", CLQ_FMT(why));
	return CLQ_INVALID;
}
