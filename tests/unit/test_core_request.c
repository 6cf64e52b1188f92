/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of path, query string and body, and what views see of them. */
#include <cliquet/str.h>

#include "core/request.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(request, .init = setup, .fini = teardown);

Test(request, methods_have_names)
{
	cr_expect_eq(clq_method_of(CLQ_STR("PATCH")), CLQ_METHOD_PATCH);
	cr_expect_eq(clq_method_of(CLQ_STR("get")), CLQ_METHOD_OTHER);
	cr_expect_eq(clq_method_of(CLQ_STR("")), CLQ_METHOD_OTHER);
	cr_expect_eq(clq_method_of(CLQ_STR("OTHER")), CLQ_METHOD_OTHER);
	for (int m = 0; m < CLQ_METHOD__COUNT; m++)
		cr_expect_eq(clq_method_of(clq_str_of(clq_method_name(m))),
		    (enum clq_method)m);
	cr_expect(clq_method_safe(CLQ_METHOD_OPTIONS));
	cr_expect_not(clq_method_safe(CLQ_METHOD_DELETE));
}

Test(request, pairs_ignore_case_and_grow)
{
	struct clq_pairs p = { 0 };
	struct clq_str n;

	for (int i = 0; i < 100; i++)
		clq_pairs_add(lb.arena, &p, clq_arena_printf(lb.arena,
		    "Name-%d", i), clq_arena_printf(lb.arena, "%d", i));
	cr_expect_eq(p.n, 100u);
	cr_expect(clq_str_is(clq_pairs_get(&p, "nAME-77"), "77"));
	n = clq_pairs_get(&p, "Name-100");
	cr_expect_null(n.p);
}

static enum clq_status
show(struct clq_request *req, void *ctx)
{
	struct clq_buf b;

	(void)ctx;
	clq_buf_init(&b, clq_request_arena(req), 0);
	clq_buf_printf(&b, "%.*s|%.*s|%.*s|%.*s",
	    CLQ_FMT(clq_request_path(req)), CLQ_FMT(clq_request_uri(req)),
	    CLQ_FMT(clq_request_var(req, "name")),
	    CLQ_FMT(clq_request_param(req, "q")));
	for (size_t i = 0; i < req->params.n; i++)
		clq_buf_printf(&b, "|%.*s=%.*s",
		    CLQ_FMT(req->params.items[i].name),
		    CLQ_FMT(req->params.items[i].value));
	return clq_reply_raw(req, 200, "text/plain", clq_buf_str(&b));
}

Test(request, path_and_query_are_decoded)
{
	static const struct { const char *url, *want; } t[] = {
	    { "/v1/show/a", "/v1/show/a|/show/a|a|" },
	    { "/v1/show/a%20b+c", "/v1/show/a b+c|/show/a b+c|a b+c|" },
	    { "/v1/show/ren%C3%A9", "/v1/show/ren\xc3\xa9|/show/ren\xc3\xa9|"
		"ren\xc3\xa9|" },
	    { "/v1/show/x?q=1&q=2&b=%26+%3D",
		"/v1/show/x|/show/x|x|1|q=1|q=2|b=& =" },
	    { "/v1/show/x?&&a&=v&q=a=b",
		"/v1/show/x|/show/x|x|a=b|a=|=v|q=a=b" },
	    { "/v1/show/x?q=%zz%2", "/v1/show/x|/show/x|x|%zz%2|q=%zz%2" },
	    { "/v1/show/x?%61=%2b", "/v1/show/x|/show/x|x||a=+" },
	};
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/show/{name}", show, NULL);
	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, "GET", t[i].url, NULL, NULL);
		cr_expect_str_eq(loopback_body(req), t[i].want);
	}
}

Test(request, bad_paths_are_400)
{
	static const char *const t[] = { "/v1/%ff", "/v1/\xc3(", "/v1/%00",
		"/v1/%ed%a0%80", "*", "v1/", "/v1/%c0%af" };
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, "GET", t[i], NULL, NULL);
		cr_expect_str_eq(loopback_body(req), "{\"code\":400,"
		    "\"errno\":107,\"error\":\"Bad Request\",\"message\":"
		    "\"Invalid URL path.\"}", "%s", t[i]);
	}
	req = loopback_send_raw(&lb, "GET",
	    (struct clq_str){ "/v1/a\0b", 7 }, CLQ_STR(""));
	cr_expect_eq(req->response.status, 400);
	req = loopback_send_raw(&lb, "GET", CLQ_STR(""), CLQ_STR(""));
	cr_expect_eq(req->response.status, 307);
}

Test(request, bad_query_strings_are_400)
{
	static const char *const t[] = { "/v1/?a=%ff", "/v1/?%ff=1",
		"/v1/nothing?x=\xff" };
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, "GET", t[i], NULL, NULL);
		cr_expect_eq(req->response.status, 400, "%s", t[i]);
		cr_expect_eq(req->error.errno_, 107);
		cr_expect(clq_utf8_valid(req->response.body));
	}
	req = loopback_send(&lb, "GET", "/v1/?a=%ff", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Bad Request\",\"message\":\"A request with an "
	    "incorrect encoding in the querystring wasreceived. Please make "
	    "sure your requests are encoded in UTF-8: a=%ff\"}");
}

static enum clq_status
json_view(struct clq_request *req, void *ctx)
{
	enum clq_status rc;
	cJSON *a, *b;

	(void)ctx;
	if ((rc = clq_request_json(req, &a)) != CLQ_OK) {
		cr_expect_eq(clq_request_json(req, &b), CLQ_INVALID);
		return rc;
	}
	cr_expect_eq(clq_request_json(req, &b), CLQ_OK);
	cr_expect_eq(a, b, "parsed once");
	return clq_reply_json(req, 200, a);
}

Test(request, body_is_json_or_nothing)
{
	static const struct { const char *body, *want; int status; } t[] = {
	    { "", "{}", 200 },
	    { " \r\n", "{}", 200 },
	    { " {\"a\":[1,2.50]} ", "{\"a\":[1,2.50]}", 200 },
	    { "[]", "[]", 200 },
	    { "{\"n\":9007199254740993}", "{\"n\":9007199254740993}", 200 },
	};
	static const char *const bad[] = { "{", "{\"a\":1,}", "NaN",
		"{\"a\":\"\xff\"}", "{} x", "\xef\xbb\xbf{}" };
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/json", json_view, NULL);
	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, "POST", "/v1/json", NULL, t[i].body);
		cr_expect_eq(req->response.status, t[i].status);
		if (i != 2)
			cr_expect_str_eq(loopback_body(req), t[i].want);
	}
	for (size_t i = 0; i < CLQ_COUNT(bad); i++) {
		req = loopback_send(&lb, "POST", "/v1/json", NULL, bad[i]);
		cr_expect_eq(req->response.status, 400, "%s", bad[i]);
		cr_assert_eq(req->error.ninvalid, 1u);
		cr_expect(clq_str_starts(req->error.invalid[0].description,
		    "Invalid JSON: "));
		cr_expect(clq_str_is(req->error.invalid[0].name, ""));
	}
	req = loopback_send(&lb, "POST", "/v1/json", NULL, "3");
	cr_expect_str_eq(loopback_body(req), "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"Should be a JSON "
	    "object or an array\",\"details\":[{\"location\":\"body\","
	    "\"name\":\"\",\"description\":\"Should be a JSON object or an "
	    "array\"}]}");
}

Test(request, texts_are_cleaned)
{
	struct clq_str s = CLQ_STR("fine \xc3\xa9");

	cr_expect_eq(clq_text_clean(lb.arena, s).p, s.p, "not copied");
	s = clq_text_clean(lb.arena, (struct clq_str){ "a\xff\0\xe2\x82", 5 });
	cr_expect(clq_str_is(s, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd"));
}

static enum clq_status
url_view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply_raw(req, 200, "text/plain",
	    clq_absolute_url(req, CLQ_STR("/v1/x")));
}

Test(request, absolute_urls_omit_default_ports)
{
	static const struct { const char *host, *want; } t[] = {
		{ "Host: a.org", "http://a.org/v1/x" },
		{ "Host: a.org:80", "http://a.org/v1/x" },
		{ "Host: a.org:8888", "http://a.org:8888/v1/x" },
		{ "Host: a.org:443", "http://a.org:443/v1/x" },
	};

	loopback_view(&lb, CLQ_METHOD_GET, "/url", url_view, NULL);
	for (size_t i = 0; i < CLQ_COUNT(t); i++)
		cr_expect_str_eq(loopback_body(loopback_send(&lb, "GET",
		    "/v1/url", t[i].host, NULL)), t[i].want);
}

Test(request, settings_override_scheme_and_host)
{
	struct loopback other = loopback_new("project_version = 1.0\n"
	    "http_scheme = https\nhttp_host = kinto.example.com:443\n");

	loopback_view(&other, CLQ_METHOD_GET, "/url", url_view, NULL);
	cr_expect_str_eq(loopback_body(loopback_send(&other, "GET", "/v1/url",
	    "Host: a.org", NULL)), "https://kinto.example.com/v1/x");
	loopback_free(&other);
}

/* ---- what plugins keep --------------------------------------------------- */

static const char one_key, other_key;

static enum clq_status
keep(struct clq_request *req, void *ctx)
{
	static char first[] = "1", second[] = "2";

	(void)ctx;
	cr_expect_null(clq_request_kept(req, &other_key));
	if (clq_request_kept(req, &one_key) != NULL)
		return clq_reply(req, 200, CLQ_STR("true"));
	clq_request_keep(req, &one_key, first);
	clq_request_keep(req, &one_key, second);
	cr_expect_eq(clq_request_kept(req, &one_key), second);
	return clq_reply(req, 200, CLQ_STR("false"));
}

Test(request, keeps_things_for_a_batch_and_no_longer)
{
	struct clq_request *req;
	const char *body;

	loopback_view(&lb, CLQ_METHOD_GET, "/keep", keep, NULL);
	req = loopback_send(&lb, "POST", "/v1/batch", NULL, "{\"requests\":["
	    "{\"path\":\"/keep\"},{\"path\":\"/keep\"}]}");
	body = loopback_body(req);
	cr_expect_not_null(strstr(body, "\"body\":false"), "%s", body);
	cr_expect_not_null(strstr(body, "\"body\":true"), "%s", body);
	req = loopback_send(&lb, "GET", "/v1/keep", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "false");
}
