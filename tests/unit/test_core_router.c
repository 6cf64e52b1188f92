/* SPDX-License-Identifier: Apache-2.0 */
/* Which route a path finds, what its variables are, what is refused. */
#include <cliquet/str.h>

#include "core/router.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(router, .init = setup, .fini = teardown);

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply_raw(req, 200, "text/plain",
	    clq_str_of(clq_method_name(req->method)));
}

static enum clq_status
add(const char *pattern)
{
	struct clq_route r = { .kind = CLQ_ROUTE_SERVICE, .name = pattern,
		.pattern = pattern, .norder = 1 };

	r.verbs[CLQ_METHOD_GET] = (struct clq_verb){ CLQ_METHOD_GET, view,
		CLQ_TX_READ };
	r.order[0] = CLQ_METHOD_GET;
	return clq_router_add(lb.srv, &r);
}

static void
expect(const char *path, const char *pattern, const char *vars)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);
	const struct clq_route *r = clq_router_match(req, clq_str_of(path));
	struct clq_buf b;

	cr_expect((r == NULL) == (pattern == NULL), "%s", path);
	if (r == NULL || pattern == NULL)
		return;
	cr_expect_str_eq(r->pattern, pattern);
	clq_buf_init(&b, lb.arena, 0);
	for (size_t i = 0; i < req->nvars; i++)
		clq_buf_printf(&b, "%.*s=%.*s;", CLQ_FMT(req->vars[i].name),
		    CLQ_FMT(req->vars[i].value));
	cr_expect(clq_str_is(clq_buf_str(&b), vars), "%s: %.*s", path,
	    CLQ_FMT(clq_buf_str(&b)));
}

Test(router, earlier_literals_win_whatever_the_order)
{
	cr_assert_eq(add("/{a}/{b}"), CLQ_OK);
	cr_assert_eq(add("/buckets/{id}"), CLQ_OK);
	cr_assert_eq(add("/buckets/default"), CLQ_OK);
	cr_assert_eq(add("/buckets/default/{rest*}"), CLQ_OK);
	cr_assert_eq(add("/buckets/{id}/groups"), CLQ_OK);
	cr_assert_eq(add("/buckets/{id}/groups/{g}/x"), CLQ_OK);
	cr_assert_eq(add("/{z}/b/c"), CLQ_OK);
	cr_assert_eq(add("/a/{x}/{y}"), CLQ_OK);
	expect("/buckets/x", "/buckets/{id}", "id=x;");
	expect("/buckets/default", "/buckets/default", "");
	expect("/other/x", "/{a}/{b}", "a=other;b=x;");
	expect("/buckets/x/groups", "/buckets/{id}/groups", "id=x;");
	expect("/buckets/default/groups", "/buckets/default/{rest*}",
	    "rest=groups;");
	expect("/buckets/default/groups/g/x", "/buckets/default/{rest*}",
	    "rest=groups/g/x;");
	expect("/buckets/d/groups/g/x", "/buckets/{id}/groups/{g}/x",
	    "id=d;g=g;");
	expect("/buckets/default/x/y/z", "/buckets/default/{rest*}",
	    "rest=x/y/z;");
	expect("/buckets/default/", "/buckets/default/{rest*}", "rest=;");
	expect("/a/b/c", "/a/{x}/{y}", "x=b;y=c;");
	expect("/q/b/c", "/{z}/b/c", "z=q;");
	expect("/a/q/c", "/a/{x}/{y}", "x=q;y=c;");
}

Test(router, empty_segments_match_no_variable)
{
	cr_assert_eq(add("/buckets"), CLQ_OK);
	cr_assert_eq(add("/buckets/{id}"), CLQ_OK);
	cr_assert_eq(add("/docs/"), CLQ_OK);
	expect("/", "/", "");
	expect("/buckets", "/buckets", "");
	expect("/buckets/", NULL, NULL);
	expect("//buckets", NULL, NULL);
	expect("/buckets//", NULL, NULL);
	expect("/docs/", "/docs/", "");
	expect("/docs", NULL, NULL);
	expect("", NULL, NULL);
	expect("buckets", NULL, NULL);
}

Test(router, long_paths_only_match_what_takes_the_rest)
{
	char path[4000] = "";

	cr_assert_eq(add("/x/{rest*}"), CLQ_OK);
	for (int i = 0; i < 1000; i++)
		strcat(path, "/x");
	expect(path, "/x/{rest*}", clq_arena_printf(lb.arena, "rest=%s;",
	    path + 3).p);
	path[1] = 'y';
	expect(path, NULL, NULL);
}

Test(router, refuses_what_is_malformed_or_taken)
{
	static const char *const bad[] = { "", "x", "/{}", "/{a", "/a}",
		"/{a}b", "/a{b}", "/{rest*}/x", "/{*}",
		"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}" };

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_eq(add(bad[i]), CLQ_INVALID, "%s", bad[i]);
	cr_expect_eq(add("/a/{x}"), CLQ_OK);
	cr_expect_eq(add("/a/{y}"), CLQ_INVALID);
	cr_expect_eq(add("/a/{y*}"), CLQ_OK);
	cr_expect_eq(add("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}"), CLQ_OK);
}

Test(router, services_need_proper_verbs)
{
	struct clq_verb verbs[] = { { CLQ_METHOD_GET, view, CLQ_TX_READ },
		{ CLQ_METHOD_GET, view, CLQ_TX_READ } };
	struct clq_service s = { .size = sizeof s, .name = "s",
		.path = "/s", .verbs = verbs, .nverbs = 2 };

	cr_expect_eq(clq_add_service(lb.srv, &s), CLQ_INVALID);
	verbs[1].method = CLQ_METHOD_OPTIONS;
	cr_expect_eq(clq_add_service(lb.srv, &s), CLQ_INVALID);
	verbs[1] = (struct clq_verb){ CLQ_METHOD_PUT, NULL, CLQ_TX_READ };
	cr_expect_eq(clq_add_service(lb.srv, &s), CLQ_INVALID);
	s.nverbs = 1;
	cr_expect_eq(clq_add_service(lb.srv, &s), CLQ_OK);
}

Test(router, head_is_served_by_get_and_any_method_by_the_first)
{
	static const char *const all[] = { "GET", "HEAD", "POST", "PUT",
		"PATCH", "DELETE" };
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/get", view, NULL);
	loopback_service(&lb, "/any", (struct clq_verb){ CLQ_METHOD_GET,
	    view, CLQ_TX_READ }, CLQ_SERVICE_ANY_METHOD, NULL);
	req = loopback_send(&lb, "HEAD", "/v1/get", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	req = loopback_send(&lb, "PUT", "/v1/get", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
	cr_expect_str_eq(loopback_header(req, "Allow"), "GET, HEAD, OPTIONS");
	for (size_t i = 0; i < CLQ_COUNT(all); i++) {
		req = loopback_send(&lb, all[i], "/v1/any", NULL, NULL);
		cr_expect_eq(req->response.status, 200);
		if (i != 1)
			cr_expect_str_eq(loopback_body(req), all[i]);
	}
	req = loopback_send(&lb, "TRACE", "/v1/any", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
	req = loopback_send(&lb, "BREW", "/v1/any", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
}

Test(router, lists_its_routes)
{
	size_t n = 0;

	while (clq_router_nth(lb.srv->router, n) != NULL)
		n++;
	cr_expect_eq(n, 8u, "core has %zu", n);
}
