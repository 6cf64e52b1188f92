/* SPDX-License-Identifier: Apache-2.0 */
/* Accept and Content-Type, section 01-3. */
#include <cliquet/str.h>

#include "core/negotiation.h"
#include "core/router.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

/* As a resource's views, which negotiate themselves on writes. */
static enum clq_status
ok(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_negotiate(req);

	(void)ctx;
	return rc != CLQ_OK ? rc : clq_reply(req, 200, CLQ_STR("{}"));
}

static struct loopback
server(void)
{
	static const enum clq_method verbs[] = { CLQ_METHOD_GET,
		CLQ_METHOD_POST, CLQ_METHOD_PUT, CLQ_METHOD_PATCH,
		CLQ_METHOD_DELETE };
	struct loopback lb = loopback_new("project_version = 1.0\n");
	struct clq_route r = { .kind = CLQ_ROUTE_OBJECT, .name = "r",
		.pattern = "/things/{id}", .norder = CLQ_COUNT(verbs) };

	memcpy(r.order, verbs, sizeof verbs);
	for (size_t i = 0; i < r.norder; i++)
		r.verbs[verbs[i]] = (struct clq_verb){ verbs[i], ok,
		    CLQ_TX_READ };
	cr_assert_eq(clq_router_add(lb.srv, &r), CLQ_OK);
	return lb;
}

Test(negotiation, accept)
{
	static const struct { const char *accept; bool ok; } t[] = {
		{ NULL, true }, { "*/*", true }, { "application/json", true },
		{ "application/*", true }, { "Application/JSON", true },
		{ "application/json; charset=utf-8", true },
		{ "text/html, */*;q=0.1", true },
		{ "text/html,application/json;q=0.5", true },
		{ "nonsense", true }, { "text/html, nonsense", true },
		{ "*/json", true }, { "/", true },
		{ "", false }, { "text/html", false },
		{ "text/html, text/*", false },
		{ "application/json;q=0", false },
		{ "application/json;q=0.000", false },
		{ "application/json;q=0, */*", false },
		{ "*/*;q=0, application/json;q=0.1", true },
		{ "application/*;q=0, */*", false },
		{ "application/jsonx", false }, { ",", false },
	};

	for (size_t i = 0; i < CLQ_COUNT(t); i++)
		cr_expect_eq(clq_accepts_json(clq_str_of(t[i].accept)),
		    t[i].ok, "%s", t[i].accept);
}

Test(negotiation, refusals_say_what_is_served)
{
	struct loopback lb = server();
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v1/things/x", "Accept: text/html",
	    NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":406,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"Accept header "
	    "should be one of ['application/json']\",\"details\":[{"
	    "\"location\":\"header\",\"name\":\"Accept\",\"description\":"
	    "\"Accept header should be one of ['application/json']\"}]}");
	req = loopback_send(&lb, "PUT", "/v1/things/x",
	    "Content-Type: text/plain", "");
	cr_expect_str_eq(loopback_body(req), "{\"code\":415,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"Content-Type "
	    "header should be one of ['application/json']\",\"details\":[{"
	    "\"location\":\"header\",\"name\":\"Content-Type\","
	    "\"description\":\"Content-Type header should be one of "
	    "['application/json']\"}]}");
	loopback_free(&lb);
}

Test(negotiation, content_type)
{
	static const struct { const char *method, *type; int status; } t[] = {
		{ "POST", NULL, 200 },
		{ "POST", "Content-Type:", 200 },
		{ "POST", "Content-Type: application/json", 200 },
		{ "PUT", "Content-Type: Application/JSON ; charset=utf-8",
		    200 },
		{ "POST", "Content-Type: application/merge-patch+json", 415 },
		{ "POST", "Content-Type: application/x-www-form-urlencoded",
		    415 },
		{ "PATCH", "Content-Type: application/merge-patch+json", 200 },
		{ "PATCH", "Content-Type: application/json-patch+json;a=b",
		    200 },
		{ "PATCH", "Content-Type: application/json", 200 },
		{ "PATCH", "Content-Type: text/plain", 415 },
		{ "GET", "Content-Type: text/plain", 200 },
		{ "DELETE", "Content-Type: text/plain", 200 },
		{ "HEAD", "Content-Type: text/plain", 200 },
	};
	struct loopback lb = server();

	for (size_t i = 0; i < CLQ_COUNT(t); i++)
		cr_expect_eq(loopback_send(&lb, t[i].method, "/v1/things/x",
		    t[i].type, NULL)->response.status, t[i].status, "%zu", i);
	loopback_free(&lb);
}

Test(negotiation, services_do_not_care_but_batch_does)
{
	struct loopback lb = server();
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v1/", "Accept: text/html", NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_header(req, "Content-Type"),
	    "application/json");
	req = loopback_send(&lb, "POST", "/v1/batch",
	    "Content-Type: text/plain", "{\"requests\":[]}");
	cr_expect_eq(req->response.status, 415);
	req = loopback_send(&lb, "POST", "/v1/batch", NULL,
	    "{\"requests\":[]}");
	cr_expect_eq(req->response.status, 200);
	loopback_free(&lb);
}

Test(negotiation, verb_comes_before_accept)
{
	struct loopback lb = server();

	cr_expect_eq(loopback_send(&lb, "TRACE", "/v1/things/x",
	    "Accept: text/html", NULL)->response.status, 405);
	cr_expect_eq(loopback_send(&lb, "PUT", "/v1/things/x",
	    "Accept: text/html\nContent-Type: text/plain", NULL)->
	    response.status, 406);
	loopback_free(&lb);
}
