/* SPDX-License-Identifier: Apache-2.0 */
/* The response: headers that all carry, replies, and nobody's line breaks. */
#include <cliquet/str.h>

#include "core/response.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(response, .init = setup, .fini = teardown);

static enum clq_status
headers_view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	clq_set_header(req, "X-A", CLQ_STR("one"));
	clq_set_header(req, "x-a", CLQ_STR("two"));
	clq_set_header(req, "X-B", CLQ_STR("a\r\nSet-Cookie: x\t\x01\x7f"));
	clq_set_header(req, "X\r\nC", CLQ_STR("c"));
	return clq_reply(req, 201, CLQ_STR("{\"a\":1}"));
}

Test(response, headers_are_replaced_and_stripped_of_controls)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/h", headers_view, NULL);
	req = loopback_send(&lb, "GET", "/v1/h", NULL, NULL);
	cr_expect_eq(req->response.status, 201);
	cr_expect_str_eq(loopback_header(req, "X-A"), "two");
	cr_expect_str_eq(loopback_header(req, "X-B"), "aSet-Cookie: x ");
	cr_expect_str_eq(loopback_header(req, "XC"), "c");
	for (size_t i = 0; i < req->response.headers.n; i++) {
		struct clq_str v = req->response.headers.items[i].value;

		cr_expect_eq(clq_str_find(v, '\n', 0), v.len);
		cr_expect_eq(clq_str_find(v, '\r', 0), v.len);
	}
}

Test(response, all_carry_the_same_headers)
{
	static const char *const urls[] = { "/v1/", "/", "/v1/nothing",
		"/v9/", "/v1/%ff", "/v1/nothing/" };
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(urls); i++) {
		req = loopback_send(&lb, "GET", urls[i], NULL, NULL);
		cr_expect_str_eq(loopback_header(req,
		    "Content-Security-Policy"), "default-src 'none'; "
		    "frame-ancestors 'none'; base-uri 'none'; ");
		cr_expect_str_eq(loopback_header(req,
		    "X-Content-Type-Options"), "nosniff");
		cr_expect_str_eq(loopback_header(req, "Content-Length"),
		    clq_arena_printf(lb.arena, "%zu",
		    req->response.body.len).p);
		cr_expect_null(loopback_header(req, "Backoff"));
		cr_expect_null(loopback_header(req, "Alert"));
	}
}

static enum clq_status
own_csp(struct clq_request *req, void *ctx)
{
	(void)ctx;
	clq_set_header(req, "content-security-policy", CLQ_STR("mine"));
	return clq_reply_raw(req, 200, "text/html", CLQ_STR("<p>"));
}

static enum clq_status
not_modified(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_reply(req, 304, CLQ_STR("ignored"));
	return CLQ_DONE;
}

Test(response, a_view_may_set_its_own_policy)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/csp", own_csp, NULL);
	req = loopback_send(&lb, "GET", "/v1/csp", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Content-Security-Policy"),
	    "mine");
	cr_expect_str_eq(loopback_header(req, "Content-Type"), "text/html");
	cr_expect_not(req->response.json);
}

Test(response, not_modified_has_no_body)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/304", not_modified, NULL);
	req = loopback_send(&lb, "GET", "/v1/304", NULL, NULL);
	cr_expect_eq(req->response.status, 304);
	cr_expect_eq(req->response.body.len, 0u);
	cr_expect_null(loopback_header(req, "Content-Length"));
}

Test(response, head_tells_the_length_of_the_get)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/h", headers_view, NULL);
	req = loopback_send(&lb, "HEAD", "/v1/h", NULL, NULL);
	cr_expect_eq(req->response.status, 201);
	cr_expect_eq(req->response.body.len, 0u);
	cr_expect_str_eq(loopback_header(req, "Content-Length"), "7");
}

static enum clq_status
redirecting(struct clq_request *req, void *ctx)
{
	return clq_redirect(req, clq_str_of(ctx));
}

Test(response, redirects_are_absolute)
{
	static char path[] = "/v1/there?x=1", url[] = "https://x.org/a\r\nb";
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/r1", redirecting, path);
	loopback_view(&lb, CLQ_METHOD_GET, "/r2", redirecting, url);
	req = loopback_send(&lb, "GET", "/v1/r1", "Host: me:81", NULL);
	cr_expect_eq(req->response.status, 307);
	cr_expect_str_eq(loopback_header(req, "Location"),
	    "http://me:81/v1/there?x=1");
	req = loopback_send(&lb, "GET", "/v1/r2", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Location"),
	    "https://x.org/ab");
}

static enum clq_status
caching(struct clq_request *req, void *ctx)
{
	clq_response_cache(req, *(const int64_t *)ctx);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(response, cache_headers)
{
	static int64_t none = -1, expired = 0, hour = 3600,
		huge = INT64_C(1) << 60;
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/none", caching, &none);
	loopback_view(&lb, CLQ_METHOD_GET, "/expired", caching, &expired);
	loopback_view(&lb, CLQ_METHOD_GET, "/hour", caching, &hour);
	loopback_view(&lb, CLQ_METHOD_GET, "/huge", caching, &huge);
	req = loopback_send(&lb, "GET", "/v1/none", NULL, NULL);
	cr_expect_null(loopback_header(req, "Cache-Control"));
	cr_expect_null(loopback_header(req, "Expires"));
	req = loopback_send(&lb, "GET", "/v1/expired", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "max-age=0, must-revalidate, no-cache, no-store");
	cr_expect_str_eq(loopback_header(req, "Pragma"), "no-cache");
	cr_expect_not_null(loopback_header(req, "Expires"));
	req = loopback_send(&lb, "GET", "/v1/hour", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "max-age=3600");
	cr_expect_null(loopback_header(req, "Pragma"));
	req = loopback_send(&lb, "GET", "/v1/huge", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
}

static enum clq_status
alerting(struct clq_request *req, void *ctx)
{
	(void)ctx;
	clq_alert(req, "soft-eol", "Adi\xc3\xb3s \"\xf0\x9f\x98\x80\"\n",
	    NULL);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(response, alerts_are_ascii_json)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/alert", alerting, NULL);
	req = loopback_send(&lb, "GET", "/v1/alert", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Alert"),
	    "{\"code\":\"soft-eol\",\"message\":\"Adi\\u00F3s "
	    "\\\"\\uD83D\\uDE00\\\"\\n\",\"url\":null}");
}

Test(response, reasons)
{
	cr_expect_str_eq(clq_reason(412), "Precondition Failed");
	cr_expect_str_eq(clq_reason(200), "OK");
	cr_expect_str_eq(clq_reason(599), "Unknown");
}
