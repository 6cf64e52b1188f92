/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-origin resource sharing (section 01-5).
 *
 * Whether an Origin may use the service is part of validating a request; the
 * headers that tell the browser so are put on every response at the very end,
 * whatever it became. Credentials are never allowed, so "*" is an answer.
 */
#include "cors.h"

#include <cliquet/str.h>

#include "response.h"
#include "router.h"
#include "server.h"

#define EXPOSE_BASE \
    "Backoff, Retry-After, Alert, Content-Length, Content-Type"
#define EXPOSE_CACHED "Last-Modified, ETag, Cache-Control, Expires, Pragma"
#define EXPOSE_TOTALS "Total-Objects, Total-Records"

struct clq_cors {
	struct clq_strs	origins;
	bool		any;		/* "*" is among them */
	int64_t		max_age;	/* seconds; 0: no header */
};

void
clq_cors_configure(struct clq_server *srv)
{
	struct clq_cors *c = clq_arena_alloc(srv->arena, sizeof *c);

	c->origins = clq_settings_list(srv->settings, "cors_origins");
	c->any = clq_strs_has(c->origins, CLQ_STR("*"));
	c->max_age = clq_settings_int(srv->settings, "cors_max_age_seconds",
	    0);
	srv->cors = c;
}

/* patterns: shell-style wildcards count, not only literal origins. */
static bool
origin_allowed(const struct clq_cors *c, struct clq_str origin, bool patterns)
{
	if (c->any)
		return true;
	for (size_t i = 0; i < c->origins.n; i++)
		if (patterns ? clq_str_glob(origin, c->origins.items[i]) :
		    clq_str_eq(origin, c->origins.items[i]))
			return true;
	return false;
}

enum clq_status
clq_cors_check(struct clq_request *req)
{
	struct clq_str origin = clq_request_header(req, "Origin");

	if (origin.p == NULL ||
	    origin_allowed(req->server->cors, origin, true))
		return CLQ_OK;
	if (req->origin_checked)
		return CLQ_INVALID;
	req->origin_checked = true;
	return clq_invalid(req, "header", CLQ_STR("Origin"),
	    "%.*s not allowed", CLQ_FMT(origin));
}

/* ---- preflight --------------------------------------------------------- */

static bool
method_offered(const struct clq_request *req, struct clq_str name)
{
	enum clq_method m = clq_method_of(name);

	return m != CLQ_METHOD_OTHER && req->route->methods & CLQ_BIT(m);
}

/* The headers that the service may expose with some verb, comma separated. */
static void
add_service_headers(struct clq_buf *b, const struct clq_route *route)
{
	clq_buf_adds(b, EXPOSE_BASE);
	if (route->kind == CLQ_ROUTE_SERVICE)
		return;
	clq_buf_adds(b, ", " EXPOSE_CACHED);
	if (route->kind == CLQ_ROUTE_PLURAL)
		clq_buf_adds(b, ", Next-Page, " EXPOSE_TOTALS);
}

static struct clq_str
allow_headers(struct clq_request *req)
{
	struct clq_str rest = clq_request_header(req,
	    "Access-Control-Request-Headers");
	struct clq_str item;
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 256);
	add_service_headers(&b, req->route);
	while (clq_str_next(&rest, ',', &item)) {
		item = clq_str_trim(item);
		if (item.len == 0)
			continue;
		clq_buf_adds(&b, ", ");
		clq_buf_add(&b, item);
	}
	return clq_buf_str(&b);
}

static struct clq_str
allow_methods(struct clq_request *req)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 64);
	for (size_t i = 0; i < req->route->norder; i++)
		clq_buf_printf(&b, "%s%s", i > 0 ? "," : "",
		    clq_method_name(req->route->order[i]));
	return clq_buf_str(&b);
}

enum clq_status
clq_cors_preflight(struct clq_request *req)
{
	struct clq_str origin = clq_request_header(req, "Origin");
	struct clq_str method = clq_request_header(req,
	    "Access-Control-Request-Method");
	enum clq_status rc = CLQ_OK;

	if (origin.len == 0)
		rc = clq_invalid(req, "header", CLQ_STR("Origin"),
		    "this header is mandatory");
	else
		rc = clq_cors_check(req);
	if (method.len == 0)
		rc = clq_invalid(req, "header",
		    CLQ_STR("Access-Control-Request-Method"),
		    "this header is mandatory");
	else if (!method_offered(req, method))
		rc = clq_invalid(req, "header",
		    CLQ_STR("Access-Control-Request-Method"),
		    "Method not allowed");
	if (rc != CLQ_OK)
		return rc;
	clq_set_header(req, "Access-Control-Allow-Methods",
	    allow_methods(req));
	clq_set_header(req, "Access-Control-Allow-Headers",
	    allow_headers(req));
	if (req->server->cors->max_age > 0)
		clq_set_header(req, "Access-Control-Max-Age",
		    clq_arena_printf(req->arena, "%lld",
		    (long long)req->server->cors->max_age));
	return clq_reply(req, 200, CLQ_STR("null"));
}

/* ---- every response ---------------------------------------------------- */

/* What scripts may read; absent for what is no verb of the service (405), and
 * for preflights. */
static struct clq_str
exposed(const struct clq_route *route, enum clq_method m)
{
	if (route != NULL && (!(route->methods & CLQ_BIT(m)) ||
	    m == CLQ_METHOD_OPTIONS))
		return (struct clq_str){ 0 };
	if (route == NULL || route->kind == CLQ_ROUTE_SERVICE ||
	    (m != CLQ_METHOD_GET && m != CLQ_METHOD_HEAD))
		return CLQ_STR(EXPOSE_BASE);
	if (route->kind != CLQ_ROUTE_PLURAL)
		return CLQ_STR(EXPOSE_BASE ", " EXPOSE_CACHED);
	return m == CLQ_METHOD_HEAD ? CLQ_STR(EXPOSE_BASE ", Next-Page, "
	    EXPOSE_CACHED ", " EXPOSE_TOTALS) :
	    CLQ_STR(EXPOSE_BASE ", Next-Page, " EXPOSE_CACHED);
}

void
clq_cors_headers(struct clq_request *req)
{
	const struct clq_cors *c = req->server->cors;
	struct clq_str origin = clq_request_header(req, "Origin");
	struct clq_str expose = exposed(req->route, req->method);

	if (origin.p != NULL && origin_allowed(c, origin, req->route != NULL))
		clq_set_header(req, "Access-Control-Allow-Origin",
		    c->any ? CLQ_STR("*") : origin);
	if (expose.p != NULL)
		clq_set_own_header(req,
		    CLQ_STR("Access-Control-Expose-Headers"), expose);
}
