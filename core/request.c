/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request as data: header and parameter tables, decoding of path and query
 * string, the lazily parsed body, and the public accessors over them.
 *
 * Who receives a request (fcgi, batch, a test) has bounded its parts before
 * they get here; this file only has to be linear in them. Section 01-2, steps 1
 * and 4, and 01-4 for the body.
 */
#include "request.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "error.h"
#include "response.h"
#include "server.h"
#include "text.h"

static const char *const method_names[] = {
	[CLQ_METHOD_GET]	= "GET",
	[CLQ_METHOD_HEAD]	= "HEAD",
	[CLQ_METHOD_POST]	= "POST",
	[CLQ_METHOD_PUT]	= "PUT",
	[CLQ_METHOD_PATCH]	= "PATCH",
	[CLQ_METHOD_DELETE]	= "DELETE",
	[CLQ_METHOD_OPTIONS]	= "OPTIONS",
	[CLQ_METHOD_TRACE]	= "TRACE",
	[CLQ_METHOD_OTHER]	= "OTHER",
};
_Static_assert(CLQ_COUNT(method_names) == CLQ_METHOD__COUNT, "");

enum clq_method
clq_method_of(struct clq_str name)
{
	for (size_t i = 0; i < CLQ_METHOD_OTHER; i++)
		if (clq_str_is(name, method_names[i]))
			return (enum clq_method)i;
	return CLQ_METHOD_OTHER;
}

const char *
clq_method_name(enum clq_method method)
{
	return method_names[method];
}

bool
clq_method_safe(enum clq_method method)
{
	return method == CLQ_METHOD_GET || method == CLQ_METHOD_HEAD ||
	    method == CLQ_METHOD_OPTIONS;
}

/* ---- construction ------------------------------------------------------ */

struct clq_request *
clq_request_new(struct clq_server *srv, struct clq_arena *arena)
{
	struct clq_request *req = clq_arena_alloc(arena, sizeof *req);

	req->arena = arena;
	req->server = srv;
	req->method = CLQ_METHOD_GET;
	req->method_name = CLQ_STR("GET");
	req->raw_path = CLQ_STR("/");
	req->raw_query = CLQ_STR("");
	req->scheme = CLQ_STR("http");
	req->host = CLQ_STR("localhost");
	req->body = CLQ_STR("");
	req->path = CLQ_STR("");
	req->asked_path = CLQ_STR("");
	req->summary.batch_size = -1;
	clq_response_reset(req);
	return req;
}

void
clq_pairs_add(struct clq_arena *arena, struct clq_pairs *pairs,
    struct clq_str name, struct clq_str value)
{
	size_t cap;

	if (pairs->n == pairs->cap) {
		cap = pairs->cap > 0 ? 2 * pairs->cap : 16;
		pairs->items = clq_arena_grow(arena, pairs->items,
		    pairs->cap * sizeof *pairs->items,
		    cap * sizeof *pairs->items);
		pairs->cap = cap;
	}
	pairs->items[pairs->n++] = (struct clq_pair){ name, value };
}

struct clq_str
clq_pairs_get(const struct clq_pairs *pairs, const char *name)
{
	struct clq_str n = clq_str_of(name);

	for (size_t i = 0; i < pairs->n; i++)
		if (pairs->items[i].name.len == n.len &&
		    clq_str_caseeq(pairs->items[i].name, n))
			return pairs->items[i].value;
	return (struct clq_str){ 0 };
}

/* ---- accessors --------------------------------------------------------- */

struct clq_arena *
clq_request_arena(struct clq_request *req)
{
	return req->arena;
}

struct clq_server *
clq_request_server(struct clq_request *req)
{
	return req->server;
}

enum clq_method
clq_request_method(const struct clq_request *req)
{
	return req->method;
}

struct clq_str
clq_request_path(const struct clq_request *req)
{
	return req->path;
}

struct clq_str
clq_request_var(const struct clq_request *req, const char *name)
{
	for (size_t i = 0; i < req->nvars; i++)
		if (clq_str_is(req->vars[i].name, name))
			return req->vars[i].value;
	return (struct clq_str){ 0 };
}

struct clq_str
clq_request_header(const struct clq_request *req, const char *name)
{
	return clq_pairs_get(&req->headers, name);
}

struct clq_str
clq_request_param(const struct clq_request *req, const char *name)
{
	for (size_t i = 0; i < req->params.n; i++)
		if (clq_str_is(req->params.items[i].name, name))
			return req->params.items[i].value;
	return (struct clq_str){ 0 };
}

struct clq_str
clq_request_body(const struct clq_request *req)
{
	return req->body;
}

void
clq_request_set_body(struct clq_request *req, struct clq_str body)
{
	req->body = body;
	req->json_tried = false;
	req->json = NULL;
}

struct clq_str
clq_request_uri(const struct clq_request *req)
{
	struct clq_str prefix = req->server->prefix;

	if (req->path.len >= prefix.len &&
	    clq_str_eq(clq_str_sub(req->path, 0, prefix.len), prefix))
		return clq_str_sub(req->path, prefix.len, req->path.len);
	return req->path;
}

/* ---- the body ---------------------------------------------------------- */

static bool
blank(struct clq_str s)
{
	return clq_str_trim(s).len == 0;
}

enum clq_status
clq_request_json(struct clq_request *req, cJSON **out)
{
	struct clq_str body = req->body, why = CLQ_STR("");
	cJSON *tree = NULL;

	if (req->json_tried) {
		if (req->json == NULL)
			return CLQ_INVALID;	/* said the first time */
		*out = req->json;
		return CLQ_OK;
	}
	req->json_tried = true;
	if (blank(body))
		body = CLQ_STR("{}");
	if (clq_json_parse(req->arena, body, &tree, &why) != CLQ_OK)
		return clq_invalid(req, "body", CLQ_STR(""),
		    "Invalid JSON: %.*s", CLQ_FMT(why));
	if (!cJSON_IsObject(tree) && !cJSON_IsArray(tree))
		return clq_invalid(req, "body", CLQ_STR(""),
		    "Should be a JSON object or an array");
	req->json = tree;
	*out = tree;
	return CLQ_OK;
}

/* ---- path and query string --------------------------------------------- */

static bool
text_ok(struct clq_str s)
{
	return clq_utf8_valid(s) && memchr(s.p, '\0', s.len) == NULL;
}

enum clq_status
clq_request_decode_path(struct clq_request *req)
{
	struct clq_str path = clq_url_decode(req->arena, req->raw_path, false);

	if (path.len == 0)
		path = CLQ_STR("/");
	if (!text_ok(path) || path.p[0] != '/')
		return clq_fail(req, CLQ_ERRNO_INVALID_PARAMETERS,
		    "Invalid URL path.");
	req->path = path;
	req->asked_path = path;
	return CLQ_OK;
}

static enum clq_status
bad_query(struct clq_request *req)
{
	enum { ECHO_MAX = 1000 };	/* the answer stays small */
	struct clq_str echo = clq_str_sub(req->raw_query, 0, ECHO_MAX);

	return clq_fail(req, CLQ_ERRNO_INVALID_PARAMETERS,
	    "A request with an incorrect encoding in the querystring was"
	    "received. Please make sure your requests are encoded in UTF-8: "
	    "%.*s", CLQ_FMT(clq_text_clean(req->arena, echo)));
}

enum clq_status
clq_request_decode_query(struct clq_request *req)
{
	struct clq_str rest = req->raw_query, item, name, value;
	size_t eq;

	memset(&req->params, 0, sizeof req->params);
	while (clq_str_next(&rest, '&', &item)) {
		if (item.len == 0)
			continue;
		eq = clq_str_find(item, '=', 0);
		name = clq_url_decode(req->arena, clq_str_sub(item, 0, eq),
		    true);
		value = clq_url_decode(req->arena,
		    clq_str_sub(item, eq + 1, item.len), true);
		if (!clq_utf8_valid(name) || !clq_utf8_valid(value))
			return bad_query(req);
		clq_pairs_add(req->arena, &req->params, name, value);
	}
	return CLQ_OK;
}

/* Length of the well-formed sequence that s begins with; 0 if none. */
static size_t
utf8_len(struct clq_str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (clq_utf8_valid(clq_str_sub(s, 0, n)))
			return n;
	return 0;
}

struct clq_str
clq_text_clean(struct clq_arena *arena, struct clq_str s)
{
	struct clq_buf b;
	size_t n;

	if (s.len == 0 || text_ok(s))
		return s;
	clq_buf_init(&b, arena, s.len + 16);
	for (size_t i = 0; i < s.len; i += n > 0 ? n : 1) {
		n = utf8_len(clq_str_sub(s, i, s.len));
		if (n > 0 && s.p[i] != '\0')
			clq_buf_add(&b, clq_str_sub(s, i, i + n));
		else
			clq_buf_adds(&b, "\xef\xbf\xbd");
	}
	return clq_buf_str(&b);
}

/* ---- absolute URLs (section 01-10) ------------------------------------- */

static struct clq_str
without_default_port(struct clq_str scheme, struct clq_str host)
{
	const char *port = clq_str_is(scheme, "https") ? ":443" : ":80";

	if (clq_str_ends(host, port))
		return clq_str_sub(host, 0, host.len - strlen(port));
	return host;
}

struct clq_kept {
	const void	*key;
	void		*value;
	struct clq_kept	*next;
};

static const struct clq_request *
outermost(const struct clq_request *req)
{
	while (req->parent != NULL)
		req = req->parent;
	return req;
}

static struct clq_kept *
kept_find(const struct clq_request *req, const void *key)
{
	struct clq_kept *k = outermost(req)->kept;

	while (k != NULL && k->key != key)
		k = k->next;
	return k;
}

void
clq_request_keep(struct clq_request *req, const void *key, void *value)
{
	struct clq_kept *k = kept_find(req, key);

	while (req->parent != NULL)
		req = req->parent;
	if (k == NULL) {
		k = clq_arena_alloc(req->arena, sizeof *k);
		k->key = key;
		k->next = req->kept;
		req->kept = k;
	}
	k->value = value;
}

void *
clq_request_kept(const struct clq_request *req, const void *key)
{
	const struct clq_kept *k = kept_find(req, key);

	return k != NULL ? k->value : NULL;
}

struct clq_str
clq_absolute_url(struct clq_request *req, struct clq_str path)
{
	const struct clq_settings *set = req->server->settings;
	struct clq_str scheme = clq_settings_str(set, "http_scheme");
	struct clq_str host = clq_settings_str(set, "http_host");

	if (scheme.len == 0)
		scheme = req->scheme;
	if (host.len == 0)
		host = req->host;
	host = without_default_port(scheme, host);
	return clq_text_join(req->arena, (const struct clq_str[]){
	    scheme, CLQ_STR("://"), host, path }, 4);
}
