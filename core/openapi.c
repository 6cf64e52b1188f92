/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /__api__ and /__api__.html: made once, in the master, and shared by the
 * workers (section 07-3).
 *
 * What differs between requests is where the client reaches the service. It is
 * put into the ready texts for each request, and never kept: otherwise whoever
 * asks first with a strange Host header would send all others there.
 */
#include "openapi_impl.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "response.h"
#include "server.h"

struct clq_openapi {
	struct clq_str	json;		/* without the opening brace */
	struct clq_str	page[2];	/* before and after the URL */
	struct clq_str	csp;		/* of the page */
	struct clq_str	hash;		/* of all of it */
};

static const char json_type[] = "application/json";
static const char html_type[] = "text/html; charset=utf-8";

/* ---- answers ----------------------------------------------------------- */

/*
 * True, with 304, if the client has it. The ETag covers the URL too. Clients
 * ask each time: a description that is out of date is worse than a request.
 */
static bool
unchanged(struct clq_request *req, const char *type, struct clq_str url)
{
	const struct clq_openapi *o = req->server->openapi;
	struct clq_str known = clq_request_header(req, "If-None-Match");
	struct clq_str etag = clq_sha256_hex(req->arena, clq_arena_printf(
	    req->arena, "%.*s %s %.*s", CLQ_FMT(o->hash), type,
	    CLQ_FMT(url)));

	etag = clq_arena_printf(req->arena, "\"%.*s\"",
	    CLQ_FMT(clq_str_sub(etag, 0, 32)));
	clq_set_header(req, "ETag", etag);
	clq_set_header(req, "Cache-Control", CLQ_STR("no-cache"));
	if (!clq_str_is(clq_str_trim(known), "*") &&
	    clq_str_search(known, etag) == known.len)
		return false;
	clq_response_set(req, 304, NULL, CLQ_STR(""), false);
	return true;
}

/* The URL of the service, without a slash at its end. */
static struct clq_str
service_url(struct clq_request *req)
{
	return clq_text_clean(req->arena, clq_absolute_url(req,
	    req->server->prefix));
}

/* A name or address, maybe with a port; else clients do without. */
static bool
host_valid(struct clq_str host)
{
	for (size_t i = 0; i < host.len; i++)
		if (host.p[i] == '\0' || strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]",
		    host.p[i]) == NULL)
			return false;
	return host.len > 0;
}

static enum clq_status
view_json(struct clq_request *req, void *ctx)
{
	const struct clq_openapi *o = req->server->openapi;
	struct clq_str url = service_url(req);
	struct clq_str path = req->server->prefix, host;
	size_t colon = clq_str_search(url, CLQ_STR("://"));
	struct clq_buf b;

	(void)ctx;
	if (unchanged(req, json_type, url))
		return CLQ_OK;
	clq_buf_init(&b, req->arena, o->json.len + 256);
	clq_buf_addc(&b, '{');
	host = clq_str_sub(url, colon + 3, url.len - path.len);
	if (host_valid(host)) {
		clq_oa_add(&b, "'host':");
		clq_oa_str(&b, host);
		clq_oa_add(&b, ",'schemes':[");
		clq_oa_str(&b, clq_str_sub(url, 0, colon));
		clq_buf_adds(&b, "],");
	}
	clq_buf_add(&b, o->json);
	return clq_reply_raw(req, 200, json_type, clq_buf_str(&b));
}

static enum clq_status
view_page(struct clq_request *req, void *ctx)
{
	const struct clq_openapi *o = req->server->openapi;
	struct clq_str url = service_url(req);
	struct clq_buf b;

	(void)ctx;
	clq_set_header(req, "Content-Security-Policy", o->csp);
	if (unchanged(req, html_type, url))
		return CLQ_OK;
	clq_buf_init(&b, req->arena, o->page[0].len + o->page[1].len + 256);
	clq_buf_add(&b, o->page[0]);
	clq_oa_url(&b, url);
	clq_buf_add(&b, o->page[1]);
	return clq_reply_raw(req, 200, html_type, clq_buf_str(&b));
}

/* ---- start-up ---------------------------------------------------------- */

static const struct clq_verb json_verbs[] = {
	{ CLQ_METHOD_GET, view_json, CLQ_TX_READ } };
static const struct clq_verb page_verbs[] = {
	{ CLQ_METHOD_GET, view_page, CLQ_TX_READ } };

static const struct clq_service services[] = {
	{ .size = sizeof(struct clq_service), .name = "openapi",
	  .path = "/__api__", .verbs = json_verbs, .nverbs = 1,
	  .flags = CLQ_SERVICE_NO_TX,
	  .description = "What the service offers, for programs: this "
	      "document.",
	  .openapi = "{\"get\":{\"operationId\":\"get_openapi_spec\","
	      "\"tags\":[\"Utilities\"],\"security\":[],\"responses\":{"
	      "\"200\":{\"description\":\"An OpenAPI 2.0 document.\","
	      "\"schema\":{\"type\":\"object\"}},"
	      "\"304\":{\"$ref\":\"#/responses/304\"}}}}" },
	{ .size = sizeof(struct clq_service), .name = "openapi_page",
	  .path = "/__api__.html", .verbs = page_verbs, .nverbs = 1,
	  .flags = CLQ_SERVICE_NO_TX,
	  .description = "What the service offers, for people.",
	  .openapi = "{\"get\":{\"tags\":[\"Utilities\"],\"security\":[],"
	      "\"produces\":[\"text/html\"],\"responses\":{"
	      "\"200\":{\"description\":\"A page of HTML.\","
	      "\"schema\":{\"type\":\"string\"}},"
	      "\"304\":{\"$ref\":\"#/responses/304\"}}}}" },
};

/* The style, known by its hash, is all that the page may use. */
static struct clq_str
page_csp(struct clq_arena *arena)
{
	struct clq_str hash = clq_hex_base64(arena, clq_sha256_hex(arena,
	    clq_str_of(clq_oa_style)));

	return clq_arena_printf(arena, "default-src 'none'; style-src "
	    "'sha256-%.*s'; base-uri 'none'; form-action 'none'; "
	    "frame-ancestors 'none'", CLQ_FMT(hash));
}

static enum clq_status
build(struct clq_server *srv, struct clq_arena *scratch)
{
	struct clq_openapi *o = clq_arena_alloc(srv->arena, sizeof *o);
	struct clq_str text, page[2];
	enum clq_status rc;
	cJSON *root;

	if ((rc = clq_oa_document(srv, scratch, &root)) != CLQ_OK)
		return rc;
	text = clq_json_text(scratch, root);
	clq_oa_page(root, scratch, page);
	o->json = clq_arena_strdup(srv->arena, clq_str_sub(text, 1, text.len));
	o->page[0] = clq_arena_strdup(srv->arena, page[0]);
	o->page[1] = clq_arena_strdup(srv->arena, page[1]);
	o->csp = page_csp(srv->arena);
	o->hash = clq_sha256_hex(srv->arena, clq_arena_printf(scratch,
	    "%.*s%.*s%.*s", CLQ_FMT(text), CLQ_FMT(page[0]),
	    CLQ_FMT(page[1])));
	srv->openapi = o;
	return CLQ_OK;
}

enum clq_status
clq_openapi_configure(struct clq_server *srv)
{
	struct clq_arena *scratch;
	enum clq_status rc;

	if (!clq_settings_bool(srv->settings, "openapi_enabled", true))
		return CLQ_OK;
	for (size_t i = 0; i < CLQ_COUNT(services); i++)
		if ((rc = clq_add_service(srv, &services[i])) != CLQ_OK)
			return rc;
	scratch = clq_arena_new();
	rc = build(srv, scratch);
	clq_arena_free(&scratch);
	return rc;
}
