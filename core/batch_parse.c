/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a batch (section 05-1): what is wrong with it, and its requests
 * completed by the defaults.
 *
 * Defaults are not copied into each request: an item points to both, and the
 * text of a body is made of both when it is needed. So a few bytes of requests
 * cannot multiply a large default in memory before batch.c has counted.
 */
#include "batch.h"

#include <cliquet/str.h>

#include "resource_impl.h"
#include "server.h"

enum { MAX_HEADERS = 100 };	/* named by one request */

/* An object of the body and its dotted name in errors. */
struct node {
	struct clq_request	*req;
	const cJSON		*json;
	struct clq_str		 name;
};

/* ---- messages ---------------------------------------------------------- */

static struct clq_str
name_of(const struct node *n, const char *key)
{
	if (n->name.len == 0)
		return clq_str_of(key);
	return clq_arena_printf(n->req->arena, "%.*s.%s", CLQ_FMT(n->name),
	    key);
}

static void
bad(const struct node *n, const char *key, const char *description)
{
	(void)clq_invalid(n->req, "body", name_of(n, key), "%s", description);
}

static bool
is_mapping(const struct node *n)
{
	if (cJSON_IsObject(n->json))
		return true;
	clq_not_mapping(n->req, n->name, n->json);
	return false;
}

/* ---- one request, or the defaults -------------------------------------- */

static void
check_method(const struct node *n, const cJSON *method)
{
	static const char *const methods[] = { "GET", "HEAD", "DELETE",
		"TRACE", "POST", "PUT", "PATCH" };

	if (!cJSON_IsString(method)) {
		clq_not_string(n->req, name_of(n, "method"), "method", method);
		return;
	}
	for (size_t i = 0; i < CLQ_COUNT(methods); i++)
		if (clq_str_is(clq_json_str(method), methods[i]))
			return;
	(void)clq_invalid(n->req, "body", name_of(n, "method"), "\"%.*s\" is "
	    "not one of GET, HEAD, DELETE, TRACE, POST, PUT, PATCH",
	    CLQ_FMT(clq_schema_shown(n->req->arena, method)));
}

static void
check_path(const struct node *n, const cJSON *path)
{
	if (!cJSON_IsString(path) && !cJSON_IsNull(path))
		clq_not_string(n->req, name_of(n, "path"), "path", path);
	else if (clq_json_str(path).len == 0)
		bad(n, "path", "Required");
	else if (!clq_str_starts(clq_json_str(path), "/"))
		bad(n, "path", "String does not match expected pattern");
}

static void
check_headers(const struct node *n, const cJSON *headers)
{
	struct node h = { n->req, headers, name_of(n, "headers") };
	const cJSON *value;
	size_t count = 0;

	if (!is_mapping(&h))
		return;
	cJSON_ArrayForEach(value, headers) {
		if (++count > MAX_HEADERS) {
			bad(n, "headers", "Too many headers");
			return;
		}
		if (!cJSON_IsString(value))
			clq_not_string(h.req, name_of(&h, value->string),
			    value->string, value);
	}
}

static void
check_body(const struct node *n, const cJSON *body)
{
	struct node b = { n->req, body, name_of(n, "body") };

	if (!cJSON_IsArray(body))	/* as a JSON-patch has it */
		(void)is_mapping(&b);
}

static void
check_members(const struct node *n)
{
	static const char *const known[] = { "method", "path", "headers",
		"body", NULL };
	const cJSON *v;

	clq_body_keys(n->req, n->name, n->json, known);
	v = clq_json_get(n->json, "method");
	if (v != NULL && !cJSON_IsNull(v))	/* null: GET, as with Kinto */
		check_method(n, v);
	if ((v = clq_json_get(n->json, "path")) != NULL)
		check_path(n, v);
	if ((v = clq_json_get(n->json, "headers")) != NULL)
		check_headers(n, v);
	if ((v = clq_json_get(n->json, "body")) != NULL)
		check_body(n, v);
}

/* ---- merging ----------------------------------------------------------- */

static struct clq_batch_value
value_of(const cJSON *request, const cJSON *defaults, const char *key)
{
	struct clq_batch_value v = { clq_json_get(request, key),
		clq_json_get(defaults, key) };

	if (v.own == NULL) {
		v.own = v.defaults;
		v.defaults = NULL;
	} else if (!cJSON_IsObject(v.own) || !cJSON_IsObject(v.defaults)) {
		v.defaults = NULL;
	}
	return v;
}

static void
print_key(struct clq_buf *b, const cJSON *member, bool *any)
{
	if (*any)
		clq_buf_addc(b, ',');
	*any = true;
	clq_buf_json_str(b, clq_str_of(member->string));
	clq_buf_addc(b, ':');
}

void
clq_batch_print(struct clq_buf *b, struct clq_batch_value value)
{
	struct clq_members own, defaults;
	const cJSON *member, *other;
	bool any = false;

	if (!cJSON_IsObject(value.own) || !cJSON_IsObject(value.defaults)) {
		clq_json_print(b, value.own);
		return;
	}
	clq_members_of(b->arena, value.own, &own);
	clq_members_of(b->arena, value.defaults, &defaults);
	clq_buf_addc(b, '{');
	cJSON_ArrayForEach(member, value.own) {
		other = clq_members_find(&defaults, member->string);
		print_key(b, member, &any);
		clq_batch_print(b, (struct clq_batch_value){ member, other });
	}
	cJSON_ArrayForEach(member, value.defaults) {
		if (clq_members_find(&own, member->string) != NULL)
			continue;
		print_key(b, member, &any);
		clq_json_print(b, member);
	}
	clq_buf_addc(b, '}');
}

/* ---- the whole --------------------------------------------------------- */

/* A valid request, completed: whatever is wrong with it was said. */
static void
item_fill(const struct node *n, const cJSON *defaults,
    struct clq_batch_item *item)
{
	item->method = clq_json_str(value_of(n->json, defaults,
	    "method").own);
	if (item->method.p == NULL)
		item->method = CLQ_STR("GET");
	item->path = clq_json_str(value_of(n->json, defaults, "path").own);
	if (item->path.p == NULL &&
	    clq_json_get(n->json, "path") == NULL)
		bad(n, "path", "Required");
	item->headers = value_of(n->json, defaults, "headers");
	item->body = value_of(n->json, defaults, "body");
}

static void
parse_requests(struct clq_request *req, const cJSON *requests,
    const cJSON *defaults, struct clq_batch *out)
{
	struct node n = { .req = req };
	const cJSON *item;

	out->n = 0;
	out->items = clq_arena_calloc(req->arena,
	    (size_t)cJSON_GetArraySize(requests), sizeof *out->items);
	cJSON_ArrayForEach(item, requests) {
		n.json = item;
		n.name = clq_arena_printf(req->arena, "requests.%zu", out->n);
		if (is_mapping(&n)) {
			check_members(&n);
			item_fill(&n, defaults, &out->items[out->n]);
		}
		out->n++;
	}
}

static bool
too_many(struct clq_request *req, const cJSON *requests)
{
	int64_t limit = clq_settings_int(req->server->settings,
	    "batch_max_requests", 0);

	if (limit <= 0 || cJSON_GetArraySize(requests) <= limit)
		return false;
	(void)clq_invalid(req, "body", CLQ_STR("requests"),
	    "Number of requests is limited to %lld", (long long)limit);
	return true;
}

enum clq_status
clq_batch_parse(struct clq_request *req, struct clq_batch *out)
{
	static const char *const known[] = { "requests", "defaults", NULL };
	struct node top = { .req = req, .name = CLQ_STR("") }, d;
	const cJSON *requests, *defaults;
	enum clq_status rc;
	cJSON *tree;

	if ((rc = clq_request_json(req, &tree)) != CLQ_OK)
		return rc;
	top.json = tree;
	if (!is_mapping(&top))
		return CLQ_INVALID;
	clq_body_keys(req, top.name, tree, known);
	defaults = clq_json_get(tree, "defaults");
	if (defaults != NULL) {
		d = (struct node){ req, defaults, CLQ_STR("defaults") };
		if (is_mapping(&d))
			check_members(&d);
	}
	requests = clq_json_get(tree, "requests");
	if (requests == NULL)
		bad(&top, "requests", "Required");
	else if (!cJSON_IsArray(requests))
		clq_not_iterable(req, CLQ_STR("requests"), requests);
	else if (!too_many(req, requests))
		parse_requests(req, requests, defaults, out);
	return req->error.errno_ != 0 ? CLQ_INVALID : CLQ_OK;
}
