/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline: the order in which errors win (section 01-2), what happens to
 * the transaction, retries, late rendering, forwarding.
 */
#include <cliquet/str.h>

#include "core/dispatch.h"
#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;
static struct fake_backend fake;

static void
setup(void)
{
	memset(&fake, 0, sizeof fake);
	lb = loopback_new("project_version = 1.0\n");
	loopback_fake(&lb, &fake);
}

static void
teardown(void)
{
	cr_expect_eq(fake.open, 0, "no transaction is left open");
	loopback_free(&lb);
}

TestSuite(dispatch, .init = setup, .fini = teardown);

static enum clq_status
ok(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static enum clq_status
replies(struct clq_request *req, void *ctx)
{
	return clq_reply(req, *(const int *)ctx, CLQ_STR("{}"));
}

static enum clq_status
fails(struct clq_request *req, void *ctx)
{
	return clq_fail(req, *(const int *)ctx, NULL);
}

static const char *
diary_of(const char *method, const char *url)
{
	fake.log[0] = '\0';
	(void)loopback_send(&lb, method, url, NULL, NULL);
	return fake.log;
}

Test(dispatch, answers_commit_and_errors_do_not)
{
	static int ok_status = 201, bad = 400, down = 503, nope = 121,
		gone = 999;

	loopback_view(&lb, CLQ_METHOD_GET, "/r", ok, NULL);
	loopback_view(&lb, CLQ_METHOD_POST, "/w", replies, &ok_status);
	loopback_view(&lb, CLQ_METHOD_POST, "/bad", replies, &bad);
	loopback_view(&lb, CLQ_METHOD_GET, "/down", replies, &down);
	loopback_view(&lb, CLQ_METHOD_PUT, "/nope", fails, &nope);
	loopback_view(&lb, CLQ_METHOD_PUT, "/gone", fails, &gone);
	loopback_service(&lb, "/none", (struct clq_verb){ CLQ_METHOD_GET, ok,
	    CLQ_TX_READ }, CLQ_SERVICE_NO_TX, NULL);
	cr_expect_str_eq(diary_of("GET", "/v1/r"), "begin(read) commit");
	cr_expect_str_eq(diary_of("HEAD", "/v1/r"), "begin(read) commit");
	cr_expect_str_eq(diary_of("POST", "/v1/w"), "begin(write) commit");
	cr_expect_str_eq(diary_of("POST", "/v1/bad"), "begin(write) abort");
	cr_expect_str_eq(diary_of("GET", "/v1/down"), "begin(read) abort");
	cr_expect_str_eq(diary_of("PUT", "/v1/nope"), "begin(write) abort");
	cr_expect_str_eq(diary_of("PUT", "/v1/gone"), "begin(write) abort");
	cr_expect_str_eq(diary_of("GET", "/v1/none"), "");
	cr_expect_str_eq(diary_of("GET", "/v1/nothing"), "");
	cr_expect_str_eq(diary_of("PATCH", "/v1/r"), "");
	cr_expect_str_eq(diary_of("OPTIONS", "/v1/r"), "");
}

Test(dispatch, a_backend_that_is_down_makes_503)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/w", ok, NULL);
	fake.begin = CLQ_UNAVAILABLE;
	req = loopback_send(&lb, "POST", "/v1/w", NULL, NULL);
	cr_expect_eq(req->response.status, 503);
	cr_expect_str_eq(loopback_header(req, "Retry-After"), "30");
	fake.begin = CLQ_OK;
	fake.commit = CLQ_UNAVAILABLE;
	req = loopback_send(&lb, "POST", "/v1/w", NULL, NULL);
	cr_expect_eq(req->response.status, 503);
	cr_expect_eq(req->error.errno_, 201);
}

Test(dispatch, lost_races_are_run_again)
{
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/w", ok, NULL);
	fake.commit = CLQ_RETRY;
	fake.commit_times = 2;
	req = loopback_send(&lb, "POST", "/v1/w", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(fake.log, "begin(write) commit begin(write) commit "
	    "begin(write) commit");
	fake.commit = CLQ_RETRY;
	fake.commit_times = 0;
	fake.log[0] = '\0';
	req = loopback_send(&lb, "POST", "/v1/w", NULL, NULL);
	cr_expect_eq(req->response.status, 503);
	cr_expect_str_eq(fake.log, "begin(write) commit begin(write) commit "
	    "begin(write) commit begin(write) commit begin(write) commit");
}

/* A view that loses twice, leaving traces which must not survive. */
static enum clq_status
loses(struct clq_request *req, void *ctx)
{
	int *left = ctx;
	cJSON *body;

	cr_expect_eq(clq_request_json(req, &body), CLQ_OK);
	cr_expect_null(clq_json_get(body, "seen"), "parsed anew");
	clq_json_set(body, "seen", cJSON_CreateTrue());
	cr_expect_eq(req->response.headers.n, 0u);
	cr_expect_eq(req->error.errno_, 0);
	clq_set_header(req, "X-Lost", CLQ_STR("1"));
	if ((*left)-- > 0) {
		(void)clq_fail(req, 121, NULL);
		return CLQ_RETRY;
	}
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(dispatch, another_run_starts_afresh)
{
	int left = 2;
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/loses", loses, &left);
	req = loopback_send(&lb, "POST", "/v1/loses", NULL, "{\"a\":1}");
	cr_expect_eq(req->response.status, 200);
	cr_expect_eq(left, -1);
	cr_expect_str_eq(fake.log, "begin(write) abort begin(write) abort "
	    "begin(write) commit");
}

static enum clq_status
render(struct clq_request *req, void *ctx)
{
	cr_expect_eq(fake.open, 0, "after the commit");
	if (ctx != NULL)
		return clq_fail(req, *(const int *)ctx, NULL);
	return clq_reply(req, 201, CLQ_STR("{\"late\":true}"));
}

static enum clq_status
renders_later(struct clq_request *req, void *ctx)
{
	req->render = render;
	req->render_ctx = ctx;
	return CLQ_OK;
}

Test(dispatch, late_answers_are_made_after_the_commit)
{
	static int conflict = 122;
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_POST, "/late", renders_later, NULL);
	loopback_view(&lb, CLQ_METHOD_POST, "/bad", renders_later, &conflict);
	req = loopback_send(&lb, "POST", "/v1/late", NULL, NULL);
	cr_expect_eq(req->response.status, 201);
	cr_expect_str_eq(loopback_body(req), "{\"late\":true}");
	req = loopback_send(&lb, "POST", "/v1/bad", NULL, NULL);
	cr_expect_eq(req->response.status, 409);
	fake.commit = CLQ_FAILED;
	req = loopback_send(&lb, "POST", "/v1/late", NULL, NULL);
	cr_expect_eq(req->response.status, 500);
}

Test(dispatch, the_earlier_check_wins)
{
	static const struct { const char *method, *url; int status, e; } t[] = {
		{ "BREW", "/v1/%ff?%ff", 400, 107 },
		{ "GET", "/nowhere?%ff", 400, 107 },
		{ "GET", "/nowhere", 307, 0 },
		{ "BREW", "/v2/x", 404, 116 },
		{ "BREW", "/v1/nowhere", 404, 111 },
		{ "BREW", "/v1/r", 405, 115 },
	};
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/r", ok, NULL);
	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		req = loopback_send(&lb, t[i].method, t[i].url, NULL, NULL);
		cr_expect_eq(req->response.status, t[i].status, "%s",
		    t[i].url);
		cr_expect_eq(req->error.errno_, t[i].e);
	}
}

Test(dispatch, what_the_front_refused_is_answered_like_the_rest)
{
	static const struct { int refused, status; } t[] = {
		{ 112, 411 }, { 113, 413 }, { 107, 400 } };

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		struct clq_request *req = clq_request_new(lb.srv, lb.arena);

		req->method = CLQ_METHOD_POST;
		req->raw_path = CLQ_STR("/v1/r");
		req->refused = t[i].refused;
		clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Origin"),
		    CLQ_STR("http://a"));
		clq_dispatch(req);
		cr_expect_eq(req->response.status, t[i].status);
		cr_expect_str_eq(loopback_header(req,
		    "Access-Control-Allow-Origin"), "*");
		cr_expect_not_null(loopback_header(req,
		    "Content-Security-Policy"));
	}
	cr_expect_str_eq(fake.log, "");
}

static enum clq_status
forwards(struct clq_request *req, void *ctx)
{
	return clq_forward(req, clq_str_of(ctx));
}

static enum clq_status
where(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply_raw(req, 200, "text/plain", clq_arena_printf(
	    clq_request_arena(req), "%.*s %.*s %.*s %.*s",
	    CLQ_FMT(clq_request_path(req)), CLQ_FMT(clq_request_uri(req)),
	    CLQ_FMT(clq_request_var(req, "id")), CLQ_FMT(req->raw_path)));
}

static void
add_alias(const char *path, char *target)
{
	loopback_service(&lb, path, (struct clq_verb){ CLQ_METHOD_GET,
	    forwards, CLQ_TX_READ }, CLQ_SERVICE_ANY_METHOD, target);
}

Test(dispatch, aliases_are_served_as_their_target)
{
	static char target[] = "/real/a \xc3\xa9", nowhere[] = "/nowhere",
		slash[] = "/real/x/", circle[] = "/circle";
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/real/{id}", where, NULL);
	add_alias("/alias", target);
	add_alias("/lost", nowhere);
	add_alias("/slash/", slash);
	add_alias("/circle", circle);
	req = loopback_send(&lb, "GET", "/v1/alias", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "/v1/real/a \xc3\xa9 "
	    "/real/a \xc3\xa9 a \xc3\xa9 /v1/real/a%20%C3%A9");
	req = loopback_send(&lb, "PUT", "/v1/alias", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
	cr_expect_str_eq(loopback_header(req, "Allow"), "GET, HEAD, OPTIONS");
	req = loopback_send(&lb, "GET", "/v1/lost", NULL, NULL);
	cr_expect_eq(req->response.status, 404);
	req = loopback_send(&lb, "GET", "/v1/slash/", NULL, NULL);
	cr_expect_eq(req->response.status, 307);
	cr_expect_str_eq(loopback_header(req, "Location"),
	    "http://localhost/v1/slash");
	req = loopback_send(&lb, "GET", "/v1/circle", NULL, NULL);
	cr_expect_eq(req->response.status, 500);
}

static struct clq_str
to_real(struct clq_request *req)
{
	(void)req;
	return CLQ_STR("/real/a");
}

Test(dispatch, aliases_serve_no_slash_at_the_end)
{
	static char target[] = "/real/a";
	static const struct clq_verb verb = { CLQ_METHOD_GET, forwards,
		CLQ_TX_READ };
	struct clq_service below = { .size = sizeof below, .name = "below",
		.path = "/below/{rest*}", .verbs = &verb, .nverbs = 1,
		.ctx = target, .alias = to_real };
	struct clq_request *req;

	loopback_view(&lb, CLQ_METHOD_GET, "/real/{id}", where, NULL);
	cr_assert_eq(clq_add_service(lb.srv, &below), CLQ_OK);
	req = loopback_send(&lb, "GET", "/v1/below/x", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	req = loopback_send(&lb, "OPTIONS", "/v1/below/x//", NULL, NULL);
	cr_expect_eq(req->response.status, 307);
	cr_expect_str_eq(loopback_header(req, "Location"),
	    "http://localhost/v1/below/x");
	req = loopback_send(&lb, "GET", "/v1/below/", NULL, NULL);
	cr_expect_eq(req->response.status, 307);
	cr_expect_str_eq(loopback_header(req, "Location"),
	    "http://localhost/v1/below");
}

Test(dispatch, request_ids_are_taken_if_sane)
{
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v1/", "X-Request-Id: abc-123", NULL);
	cr_expect(clq_str_is(req->summary.rid, "abc-123"));
	req = loopback_send(&lb, "GET", "/v1/", "X-Request-Id: a b", NULL);
	cr_expect_eq(req->summary.rid.len, 32u);
	req = loopback_send(&lb, "GET", "/v1/", "X-Request-Id: \x01", NULL);
	cr_expect_eq(req->summary.rid.len, 32u);
	req = loopback_send(&lb, "GET", "/v1/", NULL, NULL);
	cr_expect_eq(req->summary.rid.len, 32u);
}
