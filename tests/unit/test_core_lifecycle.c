/* SPDX-License-Identifier: Apache-2.0 */
/* End of service, read-only mode, backoff: sections 07-4, 07-6, 07-7. */
#include <cliquet/str.h>

#include "core/lifecycle.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

static enum clq_status
ok(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

#define V "project_version = 1.0\n"

Test(lifecycle, a_future_end_is_announced_everywhere)
{
	struct loopback lb = loopback_new(V "eos = \"2999-01-01\"\n"
	    "eos_message = Bye\neos_url = http://x.org/\n");
	static const char *const urls[] = { "/", "/v1/", "/v1/nothing",
		"/v3/" };

	for (size_t i = 0; i < CLQ_COUNT(urls); i++)
		cr_expect_str_eq(loopback_header(loopback_send(&lb, "GET",
		    urls[i], NULL, NULL), "Alert"), "{\"code\":\"soft-eol\","
		    "\"message\":\"Bye\",\"url\":\"http://x.org/\"}");
	cr_expect_not_null(strstr(loopback_body(loopback_send(&lb, "GET",
	    "/v1/", NULL, NULL)), "\"eos\":\"2999-01-01\""));
	loopback_free(&lb);
}

Test(lifecycle, url_of_the_alert)
{
	struct loopback docs = loopback_new(V "eos = 2999-01-01\n"
	    "project_docs = http://docs/\n");
	struct loopback empty = loopback_new(V "eos = 2999-01-01\n"
	    "project_docs = http://docs/\neos_url = \"\"\n");

	cr_expect_str_eq(loopback_header(loopback_send(&docs, "GET", "/v1/",
	    NULL, NULL), "Alert"), "{\"code\":\"soft-eol\",\"message\":null,"
	    "\"url\":\"http://docs/\"}");
	cr_expect_str_eq(loopback_header(loopback_send(&empty, "GET", "/v1/",
	    NULL, NULL), "Alert"), "{\"code\":\"soft-eol\",\"message\":null,"
	    "\"url\":\"\"}");
	loopback_free(&docs);
	loopback_free(&empty);
}

Test(lifecycle, past_the_end_everything_is_gone)
{
	static const struct { const char *method, *url; } t[] = {
		{ "GET", "/v1/" }, { "OPTIONS", "/v1/" },
		{ "POST", "/v1/batch" }, { "GET", "/nothing" },
		{ "DELETE", "/v7/x" }, { "GET", "/v1/?a=%ff" } };
	struct loopback lb = loopback_new(V "eos = 2015-01-01\n"
	    "readonly = true\n");
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, t[i].method, t[i].url,
		    "Origin: http://a", NULL);
		cr_expect_eq(req->response.status, 410, "%s", t[i].url);
		cr_expect_str_eq(loopback_body(req), "{\"code\":410,"
		    "\"errno\":202,\"error\":\"Gone\",\"message\":\"The "
		    "service you are trying to connect no longer exists at "
		    "this location.\"}");
		cr_expect(clq_str_starts(clq_str_of(loopback_header(req,
		    "Alert")), "{\"code\":\"hard-eol\""));
		cr_expect_str_eq(loopback_header(req,
		    "Access-Control-Allow-Origin"), "*");
	}
	/* a path that cannot be decoded has no service to be gone */
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/%ff", NULL, NULL)->
	    response.status, 400);
	loopback_free(&lb);
}

Test(lifecycle, dates)
{
	static const char *const good[] = { "2999-01-01", "2999/01/01",
		"2999-01-01T12:30", "2999-01-01 12:30:59",
		"2999-01-01T12:30:59.123456", "2999-01-01T12:30:59Z",
		"2999-01-01T12:30:59+02:00", "2999-01-01T12:30:59-0530",
		" 2999-12-31 " };
	static const char *const bad[] = { "soon", "2999-13-01", "2999-01-32",
		"2999-01", "29990101x", "2999-01-01T25:00", "2999-01-01T12",
		"2999-01-01T12:30+9", "2999-01-01 x", "2999-00-10" };
	char ini[200];

	for (size_t i = 0; i < CLQ_COUNT(good); i++) {
		snprintf(ini, sizeof ini, V "eos = %s\n", good[i]);
		cr_expect_eq(loopback_try(ini), CLQ_OK, "%s", good[i]);
	}
	for (size_t i = 0; i < CLQ_COUNT(bad); i++) {
		snprintf(ini, sizeof ini, V "eos = %s\n", bad[i]);
		cr_expect_eq(loopback_try(ini), CLQ_INVALID, "%s", bad[i]);
	}
}

/* The frozen clock is read once per process: a test for each moment. */
static int
status_at(const char *msec)
{
	struct loopback lb;
	int status;

	setenv("CLQ_TEST_NOW", msec, 1);
	lb = loopback_new(V "eos = 2026-06-15T12:00:00+02:00\n");
	status = loopback_send(&lb, "GET", "/v1/", NULL, NULL)->
	    response.status;
	loopback_free(&lb);
	return status;
}

Test(lifecycle, the_service_lives_until_the_end)
{
	cr_expect_eq(status_at("1781517599999"), 200);	/* 09:59:59.999Z */
}

Test(lifecycle, the_end_comes_at_the_moment_given)
{
	cr_expect_eq(status_at("1781517600000"), 410);
}

Test(lifecycle, readonly_refuses_before_routing)
{
	static const struct { const char *method, *url; int status; } t[] = {
		{ "POST", "/v1/batch", 405 }, { "PUT", "/v1/nothing", 405 },
		{ "DELETE", "/", 405 }, { "BREW", "/v1/", 405 },
		{ "GET", "/v1/", 200 }, { "HEAD", "/v1/", 200 },
		{ "GET", "/v1/nothing", 404 }, { "OPTIONS", "/x", 200 } };
	struct loopback lb = loopback_new(V "readonly = true\n");
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/post", ok, NULL);
	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, t[i].method, t[i].url, NULL, NULL);
		cr_expect_eq(req->response.status, t[i].status, "%s %s",
		    t[i].method, t[i].url);
		if (t[i].status != 405)
			continue;
		cr_expect_str_eq(loopback_body(req), "{\"code\":405,"
		    "\"errno\":115,\"error\":\"Method Not Allowed\","
		    "\"message\":\"Method not allowed on this "
		    "endpoint.\"}");
		cr_expect_null(loopback_header(req, "Allow"));
	}
	req = loopback_send(&lb, "POST", "/v1/post", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
	loopback_free(&lb);
}

Test(lifecycle, backoff_is_sent_with_every_response)
{
	static const char *const urls[] = { "/", "/v1/", "/v1/nothing",
		"/v1/%ff" };
	struct loopback lb = loopback_new(V "backoff = 10\n");

	for (size_t i = 0; i < CLQ_COUNT(urls); i++)
		cr_expect_str_eq(loopback_header(loopback_send(&lb, "GET",
		    urls[i], NULL, NULL), "Backoff"), "10");
	loopback_free(&lb);
}

Test(lifecycle, backoff_may_be_sent_with_some)
{
	struct loopback half = loopback_new(V "backoff = 10\n"
	    "backoff_percentage = 50\n");
	struct loopback none = loopback_new(V "backoff = 10\n"
	    "backoff_percentage = 0\n");
	int n = 0;

	for (int i = 0; i < 400; i++) {
		n += loopback_header(loopback_send(&half, "GET", "/v1/",
		    NULL, NULL), "Backoff") != NULL;
		cr_assert_null(loopback_header(loopback_send(&none, "GET",
		    "/v1/", NULL, NULL), "Backoff"));
	}
	cr_expect(n > 100 && n < 300, "%d of 400", n);	/* 10 sigma */
	loopback_free(&half);
	loopback_free(&none);
}
