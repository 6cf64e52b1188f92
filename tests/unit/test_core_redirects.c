/* SPDX-License-Identifier: Apache-2.0 */
/* Missing prefix and trailing slash, the tables of section 01-1. */
#include <cliquet/str.h>

#include "core/redirects.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static enum clq_status
ok(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static struct loopback
server(const char *ini)
{
	struct loopback lb = loopback_new(ini);

	loopback_view(&lb, CLQ_METHOD_GET, "/buckets", ok, NULL);
	return lb;
}

static void
expect(struct loopback *lb, const char *method, const char *url, int status,
    const char *location)
{
	struct clq_request *req = loopback_send(lb, method, url,
	    "Host: h.org:8888", NULL);
	const char *got = loopback_header(req, "Location");

	cr_expect_eq(req->response.status, status, "%s %s: %d", method, url,
	    req->response.status);
	if (location == NULL)
		cr_expect_null(got);
	else
		cr_expect(got != NULL && strcmp(got, location) == 0,
		    "%s: %s", url, got);
}

Test(redirects, to_the_version_prefix)
{
	struct loopback lb = server("project_version = 1.0\n");

	expect(&lb, "GET", "/", 307, "http://h.org:8888/v1/");
	expect(&lb, "GET", "/buckets?x=1&y=%20a", 307,
	    "http://h.org:8888/v1/buckets?x=1&y=%20a");
	expect(&lb, "POST", "/buckets", 307, "http://h.org:8888/v1/buckets");
	expect(&lb, "GET", "/vx/foo", 307, "http://h.org:8888/v1/vx/foo");
	expect(&lb, "GET", "/v", 307, "http://h.org:8888/v1/v");
	expect(&lb, "DELETE", "/a%2Fb/", 307, "http://h.org:8888/v1/a%2Fb/");
	expect(&lb, "GET", "//evil.org", 307,
	    "http://h.org:8888/v1//evil.org");
	loopback_free(&lb);
}

Test(redirects, other_versions_are_404)
{
	struct loopback lb = server("project_version = 1.0\n");
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v0/x", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":404,\"errno\":116,"
	    "\"error\":\"Not Found\",\"message\":\"The requested API version "
	    "is not available on this server.\"}");
	req = loopback_send(&lb, "GET", "/v2/", NULL, NULL);
	cr_expect_eq(req->error.errno_, 116);
	req = loopback_send(&lb, "GET", "/v12/foo", NULL, NULL);
	cr_expect_eq(req->error.errno_, 111);
	req = loopback_send(&lb, "GET", "/v1foo", NULL, NULL);
	cr_expect_eq(req->error.errno_, 111);
	loopback_free(&lb);
}

Test(redirects, trailing_slashes)
{
	struct loopback lb = server("project_version = 1.0\n");
	struct clq_request *req;

	expect(&lb, "GET", "/v1/buckets/", 307,
	    "http://h.org:8888/v1/buckets");
	expect(&lb, "PUT", "/v1/buckets/a//?x=1", 307,
	    "http://h.org:8888/v1/buckets/a?x=1");
	expect(&lb, "GET", "/v1/unknown/", 307,
	    "http://h.org:8888/v1/unknown");
	expect(&lb, "GET", "/v1", 307, "http://h.org:8888/v1/");
	expect(&lb, "GET", "/v1?a=b", 307, "http://h.org:8888/v1/?a=b");
	expect(&lb, "GET", "/v1/", 200, NULL);
	expect(&lb, "GET", "/v1//buckets", 404, NULL);
	expect(&lb, "GET", "/v1/buckets", 200, NULL);
	expect(&lb, "GET", "/v1/x%2F", 404, NULL);
	req = loopback_send(&lb, "GET", "/v1/x/", "Origin: http://a", NULL);
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "max-age=3600");
	cr_expect_not_null(loopback_header(req, "Expires"));
	cr_expect_str_eq(loopback_header(req, "Access-Control-Allow-Origin"),
	    "*");
	cr_expect_str_eq(loopback_header(req, "Content-Type"),
	    "text/plain; charset=UTF-8");
	loopback_free(&lb);
}

Test(redirects, are_cached_as_configured)
{
	struct loopback lb = server("project_version = 1.0\n"
	    "version_prefix_redirect_ttl_seconds = 0\n"
	    "trailing_slash_redirect_ttl_seconds = -1\n");
	struct loopback plain = server("project_version = 1.0\n");
	struct clq_request *req;

	req = loopback_send(&plain, "GET", "/x", NULL, NULL);
	cr_expect_null(loopback_header(req, "Cache-Control"));
	req = loopback_send(&lb, "GET", "/x", NULL, NULL);
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "max-age=0, must-revalidate, no-cache, no-store");
	cr_expect_str_eq(loopback_header(req, "Pragma"), "no-cache");
	req = loopback_send(&lb, "GET", "/v1/x/", NULL, NULL);
	cr_expect_null(loopback_header(req, "Cache-Control"));
	loopback_free(&lb);
	loopback_free(&plain);
}

Test(redirects, can_be_switched_off)
{
	struct loopback lb = server("project_version = 1.0\n"
	    "version_prefix_redirect_enabled = false\n"
	    "trailing_slash_redirect_enabled = false\n");

	expect(&lb, "GET", "/buckets", 404, NULL);
	cr_expect_eq(loopback_send(&lb, "GET", "/buckets", NULL, NULL)->
	    error.errno_, 116);
	expect(&lb, "GET", "/v1/buckets/", 404, NULL);
	expect(&lb, "GET", "/v1", 404, NULL);
	expect(&lb, "OPTIONS", "/buckets", 404, NULL);
	loopback_free(&lb);
}
