/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-origin requests: every line of section 01-5's tables. */
#include <cliquet/str.h>

#include "core/cors.h"
#include "core/router.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#define BASE "Backoff, Retry-After, Alert, Content-Length, Content-Type"
#define CACHED "Last-Modified, ETag, Cache-Control, Expires, Pragma"

static enum clq_status
ok(struct clq_request *req, void *ctx)
{
	if (ctx != NULL)
		++*(int *)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static enum clq_status
refuse(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_fail(req, 121, NULL);
}

/* A plural or object route without the resource engine. */
static void
add_route(struct loopback *lb, enum clq_route_kind kind, const char *pattern,
    clq_view_f *view)
{
	static const enum clq_method plural[] = { CLQ_METHOD_HEAD,
		CLQ_METHOD_GET, CLQ_METHOD_POST, CLQ_METHOD_DELETE };
	static const enum clq_method object[] = { CLQ_METHOD_GET,
		CLQ_METHOD_PUT, CLQ_METHOD_PATCH, CLQ_METHOD_DELETE };
	struct clq_route r = { .kind = kind, .name = pattern,
		.pattern = pattern, .norder = 4 };

	memcpy(r.order, kind == CLQ_ROUTE_PLURAL ? plural : object,
	    sizeof plural);
	for (size_t i = 0; i < r.norder; i++)
		r.verbs[r.order[i]] = (struct clq_verb){ r.order[i], view,
		    CLQ_TX_READ };
	cr_assert_eq(clq_router_add(lb->srv, &r), CLQ_OK);
}

static struct loopback
server(const char *ini)
{
	struct loopback lb = loopback_new(ini);

	add_route(&lb, CLQ_ROUTE_PLURAL, "/things", ok);
	add_route(&lb, CLQ_ROUTE_OBJECT, "/things/{id}", ok);
	add_route(&lb, CLQ_ROUTE_PLURAL, "/secrets", refuse);
	return lb;
}

static const char *
header(struct loopback *lb, const char *method, const char *url,
    const char *headers, const char *name)
{
	return loopback_header(loopback_send(lb, method, url, headers, NULL),
	    name);
}

Test(cors, origin_is_answered_on_every_kind_of_response)
{
	static const char *const urls[] = { "/v1/", "/v1/things", "/", "/v7/",
		"/v1/nothing", "/v1/nothing/", "/v1/%ff", "/v1/secrets" };
	struct loopback lb = server("project_version = 1.0\n");

	for (size_t i = 0; i < CLQ_COUNT(urls); i++) {
		cr_expect_str_eq(header(&lb, "GET", urls[i],
		    "Origin: http://a.org", "Access-Control-Allow-Origin"),
		    "*", "%s", urls[i]);
		cr_expect_null(header(&lb, "GET", urls[i], NULL,
		    "Access-Control-Allow-Origin"));
		cr_expect_not_null(header(&lb, "GET", urls[i], NULL,
		    "Access-Control-Expose-Headers"));
		cr_expect_null(header(&lb, "GET", urls[i],
		    "Origin: http://a.org",
		    "Access-Control-Allow-Credentials"));
	}
	loopback_free(&lb);
}

Test(cors, exposed_headers_depend_on_the_endpoint)
{
	static const struct { const char *method, *url, *want; } t[] = {
		{ "GET", "/v1/", BASE },
		{ "GET", "/v1/nothing", BASE },
		{ "GET", "/v1/things", BASE ", Next-Page, " CACHED },
		{ "HEAD", "/v1/things", BASE ", Next-Page, " CACHED
		    ", Total-Objects, Total-Records" },
		{ "GET", "/v1/things/x", BASE ", " CACHED },
		{ "HEAD", "/v1/things/x", BASE ", " CACHED },
		{ "POST", "/v1/things", BASE },
		{ "PUT", "/v1/things/x", BASE },
		{ "DELETE", "/v1/things", BASE },
	};
	struct loopback lb = server("project_version = 1.0\n");

	for (size_t i = 0; i < CLQ_COUNT(t); i++)
		cr_expect_str_eq(header(&lb, t[i].method, t[i].url, NULL,
		    "Access-Control-Expose-Headers"), t[i].want);
	cr_expect_null(header(&lb, "PUT", "/v1/things", "Origin: http://a",
	    "Access-Control-Expose-Headers"), "405");
	loopback_free(&lb);
}

#define SOME "project_version = 1.0\ncors_origins = http://a.org " \
	"https://*.b.org\n"

Test(cors, patterns_name_the_origin)
{
	struct loopback lb = server(SOME);

	cr_expect_str_eq(header(&lb, "GET", "/v1/things",
	    "Origin: http://a.org", "Access-Control-Allow-Origin"),
	    "http://a.org");
	cr_expect_str_eq(header(&lb, "GET", "/v1/things",
	    "Origin: https://x.b.org", "Access-Control-Allow-Origin"),
	    "https://x.b.org");
	/* outside of services only literal ones count */
	cr_expect_null(header(&lb, "GET", "/v1/nothing",
	    "Origin: https://x.b.org", "Access-Control-Allow-Origin"));
	cr_expect_str_eq(header(&lb, "GET", "/v1/nothing",
	    "Origin: http://a.org", "Access-Control-Allow-Origin"),
	    "http://a.org");
	loopback_free(&lb);
}

Test(cors, foreign_origins_are_refused_and_nothing_is_done)
{
	struct loopback lb = server(SOME);
	struct clq_request *req;
	int calls = 0;

	loopback_view(&lb, CLQ_METHOD_POST, "/service", ok, &calls);
	req = loopback_send(&lb, "POST", "/v1/service", "Origin: http://evil",
	    NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"Origin in "
	    "header: http://evil not allowed\",\"details\":[{\"location\":"
	    "\"header\",\"name\":\"Origin\",\"description\":\"http://evil "
	    "not allowed\"}]}");
	cr_expect_eq(calls, 0);
	cr_expect_null(loopback_header(req, "Access-Control-Allow-Origin"));

	/* a resource's view runs, but what it did does not stay */
	req = loopback_send(&lb, "GET", "/v1/things", "Origin: http://evil",
	    NULL);
	cr_expect_eq(req->response.status, 400);
	/* an earlier failure wins, and names no origin */
	req = loopback_send(&lb, "GET", "/v1/secrets", "Origin: http://evil",
	    NULL);
	cr_expect_eq(req->response.status, 403);
	cr_expect_null(loopback_header(req, "Access-Control-Allow-Origin"));
	req = loopback_send(&lb, "GET", "/v1/things",
	    "Origin: http://evil\nAccept: text/html", NULL);
	cr_expect_eq(req->response.status, 406);
	loopback_free(&lb);
}

Test(cors, a_refused_origin_undoes_what_the_view_did)
{
	struct loopback lb = server(SOME);
	struct fake_backend fake = { .timestamp = 1 };

	loopback_fake(&lb, &fake);
	cr_assert_eq(lb.srv->storage.self, (void *)&fake);
	loopback_service(&lb, "/tx", (struct clq_verb){ CLQ_METHOD_POST, ok,
	    CLQ_TX_WRITE }, 0, NULL);
	(void)loopback_send(&lb, "POST", "/v1/tx", "Origin: http://a.org",
	    NULL);
	cr_expect_str_eq(fake.log, "begin(write) commit");
	loopback_free(&lb);
}

Test(cors, preflight_is_answered)
{
	struct loopback lb = server("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n");
	struct clq_request *req;

	req = loopback_send(&lb, "OPTIONS", "/v1/things",
	    "Origin: http://a.org\nAccess-Control-Request-Method: POST\n"
	    "Access-Control-Request-Headers: X-Foo ,If-Match", NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_body(req), "null");
	cr_expect_str_eq(loopback_header(req, "Content-Type"),
	    "application/json");
	cr_expect_str_eq(loopback_header(req, "Access-Control-Allow-Origin"),
	    "*");
	cr_expect_str_eq(loopback_header(req, "Access-Control-Allow-Methods"),
	    "HEAD,GET,POST,DELETE,OPTIONS");
	cr_expect_str_eq(loopback_header(req, "Access-Control-Allow-Headers"),
	    BASE ", " CACHED ", Next-Page, Total-Objects, Total-Records, "
	    "X-Foo, If-Match");
	cr_expect_str_eq(loopback_header(req, "Access-Control-Max-Age"),
	    "3600");
	cr_expect_null(loopback_header(req, "Access-Control-Expose-Headers"));
	cr_expect_str_eq(header(&lb, "OPTIONS", "/v1/things/x",
	    "Origin: http://a.org\nAccess-Control-Request-Method: HEAD",
	    "Access-Control-Allow-Methods"),
	    "GET,HEAD,PUT,PATCH,DELETE,OPTIONS");
	loopback_free(&lb);
}

Test(cors, preflight_checks_its_headers)
{
	static const struct { const char *headers, *name, *text; } t[] = {
	    { "Access-Control-Request-Method: GET", "Origin",
		"this header is mandatory" },
	    { "Origin: http://a.org", "Access-Control-Request-Method",
		"this header is mandatory" },
	    { "Origin: http://a.org\nAccess-Control-Request-Method: PUT",
		"Access-Control-Request-Method", "Method not allowed" },
	    { "Origin: http://a.org\nAccess-Control-Request-Method: FOO",
		"Access-Control-Request-Method", "Method not allowed" },
	    { "Origin: http://c.org\nAccess-Control-Request-Method: GET",
		"Origin", "http://c.org not allowed" },
	};
	struct loopback lb = server(SOME "cors_max_age_seconds =\n");
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, "OPTIONS", "/v1/things",
		    t[i].headers, NULL);
		cr_expect_eq(req->response.status, 400);
		cr_assert_eq(req->error.ninvalid, 1u);
		cr_expect(clq_str_is(req->error.invalid[0].name, t[i].name));
		cr_expect(clq_str_is(req->error.invalid[0].description,
		    t[i].text));
	}
	req = loopback_send(&lb, "OPTIONS", "/v1/things",
	    "Origin: http://a.org\nAccess-Control-Request-Method: GET", NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_null(loopback_header(req, "Access-Control-Max-Age"));
	loopback_free(&lb);
}

Test(cors, readonly_mode_offers_only_safe_verbs)
{
	struct loopback lb = server("project_version = 1.0\n"
	    "readonly = true\n");

	cr_expect_str_eq(header(&lb, "OPTIONS", "/v1/things",
	    "Origin: http://a.org\nAccess-Control-Request-Method: GET",
	    "Access-Control-Allow-Methods"), "HEAD,GET,OPTIONS");
	loopback_free(&lb);
}

Test(cors, options_without_a_route)
{
	struct loopback lb = server("project_version = 1.0\n");
	struct clq_request *req;

	req = loopback_send(&lb, "OPTIONS", "/anything",
	    "Origin: http://a.org", NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_eq(req->response.body.len, 0u);
	cr_expect_str_eq(loopback_header(req, "Access-Control-Allow-Origin"),
	    "*");
	cr_expect_null(loopback_header(req, "Access-Control-Allow-Methods"));
	cr_expect_str_eq(loopback_header(req,
	    "Access-Control-Expose-Headers"), BASE);
	req = loopback_send(&lb, "OPTIONS", "/v1/nothing", NULL, NULL);
	cr_expect_eq(req->response.status, 404);
	loopback_free(&lb);
}
