/* SPDX-License-Identifier: Apache-2.0 */
/* Section 05: what a batch may hold, how it runs, how it answers. */
#include <cliquet/str.h>

#include "core/batch.h"
#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

static struct loopback lb;
static struct fake_backend fake;

/* Answer with what arrived. */
static enum clq_status
mirror(struct clq_request *req, void *ctx)
{
	struct clq_buf b;

	(void)ctx;
	clq_buf_init(&b, clq_request_arena(req), 0);
	clq_buf_printf(&b, "%s %.*s?%.*s [%.*s] ",
	    clq_method_name(clq_request_method(req)),
	    CLQ_FMT(clq_request_path(req)), CLQ_FMT(req->raw_query),
	    CLQ_FMT(clq_request_body(req)));
	for (size_t i = 0; i < req->headers.n; i++)
		clq_buf_printf(&b, "%.*s=%.*s;",
		    CLQ_FMT(req->headers.items[i].name),
		    CLQ_FMT(req->headers.items[i].value));
	return clq_reply_raw(req, 200, "text/plain", clq_buf_str(&b));
}

static enum clq_status
writes(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_tx_write(req);

	if (rc != CLQ_OK)
		return rc;
	if (ctx == NULL)
		return clq_reply(req, 201, CLQ_STR("{\"data\":1}"));
	rc = *(const enum clq_status *)ctx;
	if (rc == CLQ_INVALID)
		return clq_fail(req, 121, NULL);
	if (rc == CLQ_DONE)	/* an answer that is an error */
		return clq_reply(req, 507, CLQ_STR("{\"full\":true}"));
	return rc;
}

static enum clq_status
reads(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static enum clq_status
not_modified(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_reply(req, 304, CLQ_STR(""));
	return CLQ_DONE;
}

static void
setup(void)
{
	static enum clq_status refused = CLQ_INVALID, taken = CLQ_CONFLICT,
		down = CLQ_UNAVAILABLE, bug = CLQ_FAILED, full = CLQ_DONE;

	memset(&fake, 0, sizeof fake);
	lb = loopback_new("project_version = 1.0\nmax_body_bytes = 20000\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n");
	loopback_fake(&lb, &fake);
	loopback_service(&lb, "/mirror/{x}", (struct clq_verb){
	    CLQ_METHOD_GET, mirror, CLQ_TX_READ },
	    CLQ_SERVICE_ANY_METHOD | CLQ_SERVICE_NO_TX, NULL);
	loopback_view(&lb, CLQ_METHOD_GET, "/r", reads, NULL);
	loopback_view(&lb, CLQ_METHOD_GET, "/same", not_modified, NULL);
	loopback_view(&lb, CLQ_METHOD_POST, "/w", writes, NULL);
	loopback_view(&lb, CLQ_METHOD_POST, "/refused", writes, &refused);
	loopback_view(&lb, CLQ_METHOD_POST, "/taken", writes, &taken);
	loopback_view(&lb, CLQ_METHOD_POST, "/down", writes, &down);
	loopback_view(&lb, CLQ_METHOD_POST, "/bug", writes, &bug);
	loopback_view(&lb, CLQ_METHOD_POST, "/full", writes, &full);
}

static void
teardown(void)
{
	cr_expect_eq(fake.open, 0);
	loopback_free(&lb);
}

TestSuite(batch, .init = setup, .fini = teardown);

static struct clq_request *
post(const char *headers, const char *json)
{
	fake.log[0] = '\0';
	return loopback_send(&lb, "POST", "/v1/batch", headers, json);
}

/* Item i of the responses of a successful batch. */
static const cJSON *
item(struct clq_request *req, int i)
{
	struct clq_str why;
	cJSON *tree;

	cr_assert_eq(req->response.status, 200, "%s", loopback_body(req));
	cr_assert_eq(clq_json_parse(lb.arena, req->response.body, &tree,
	    &why), CLQ_OK, "%.*s", CLQ_FMT(why));
	return cJSON_GetArrayItem(clq_json_get(tree, "responses"), i);
}

static void
expect_text(struct clq_request *req, int i, const char *key,
    const char *want)
{
	struct clq_str got = clq_json_str(clq_json_get(item(req, i), key));

	cr_expect(clq_str_is(got, want), "%d.%s: %.*s", i, key, CLQ_FMT(got));
}

static void
expect_status(struct clq_request *req, int i, int want)
{
	const cJSON *status = clq_json_get(item(req, i), "status");

	cr_expect_eq((int)status->valuedouble, want, "%d: %d", i,
	    (int)status->valuedouble);
}

static void
expect_invalid(const char *json, const char *name, const char *description)
{
	struct clq_request *req = post(NULL, json);

	cr_expect_eq(req->response.status, 400, "%s", json);
	cr_assert_eq(req->error.ninvalid, 1u, "%s", loopback_body(req));
	cr_expect(clq_str_is(req->error.invalid[0].name, name), "%s: %.*s",
	    json, CLQ_FMT(req->error.invalid[0].name));
	cr_expect(clq_str_is(req->error.invalid[0].description, description),
	    "%s: %.*s", json, CLQ_FMT(req->error.invalid[0].description));
	cr_expect_str_eq(fake.log, "");
}

Test(batch, of_nothing)
{
	cr_expect_str_eq(loopback_body(post(NULL, "{\"requests\":[]}")),
	    "{\"responses\":[]}");
}

Test(batch, is_checked)
{
	expect_invalid("{}", "requests", "Required");
	expect_invalid("", "requests", "Required");
	expect_invalid("[]", "", "\"[]\" is not a mapping type: Does not "
	    "implement dict-like functionality.");
	expect_invalid("{\"requests\":{\"a\":1}}", "requests",
	    "\"{'a': 1}\" is not iterable");
	expect_invalid("{\"requests\":[],\"x\":\"y\"}", "",
	    "Unrecognized keys in mapping: \"{'x': 'y'}\"");
	expect_invalid("{\"requests\":[1]}", "requests.0", "\"1\" is not a "
	    "mapping type: Does not implement dict-like functionality.");
	expect_invalid("{\"requests\":[{}]}", "requests.0.path", "Required");
	expect_invalid("{\"requests\":[{\"path\":\"x\"}]}",
	    "requests.0.path", "String does not match expected pattern");
	expect_invalid("{\"requests\":[{\"path\":\"\"}]}",
	    "requests.0.path", "Required");
	expect_invalid("{\"requests\":[{\"path\":null}]}",
	    "requests.0.path", "Required");
	expect_invalid("{\"requests\":[{\"path\":7}]}", "requests.0.path",
	    "7 is not a string: {'path': ''}");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"method\":7}]}",
	    "requests.0.method", "7 is not a string: {'method': ''}");
	expect_invalid("{\"requests\":[{\"path\":\"/\"},{\"path\":\"/\","
	    "\"method\":\"get\"}]}", "requests.1.method", "\"get\" is not "
	    "one of GET, HEAD, DELETE, TRACE, POST, PUT, PATCH");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"method\":"
	    "\"OPTIONS\"}]}", "requests.0.method", "\"OPTIONS\" is not one "
	    "of GET, HEAD, DELETE, TRACE, POST, PUT, PATCH");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"headers\":[]}]}",
	    "requests.0.headers", "\"[]\" is not a mapping type: Does not "
	    "implement dict-like functionality.");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"headers\":"
	    "{\"A\":1}}]}", "requests.0.headers.A", "1 is not a string: "
	    "{'A': ''}");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"body\":\"x\"}]}",
	    "requests.0.body", "\"x\" is not a mapping type: Does not "
	    "implement dict-like functionality.");
	expect_invalid("{\"requests\":[{\"path\":\"/\",\"body\":null}]}",
	    "requests.0.body", "\"None\" is not a mapping type: Does not "
	    "implement dict-like functionality.");
	expect_invalid("{\"requests\":[],\"defaults\":{\"path\":\"x\"}}",
	    "defaults.path", "String does not match expected pattern");
	expect_invalid("{\"requests\":[],\"defaults\":[]}", "defaults",
	    "\"[]\" is not a mapping type: Does not implement dict-like "
	    "functionality.");
	cr_expect_eq(post(NULL, "{\"requests\":")->response.status, 400);
}

static char *
many(int n)
{
	char *json = calloc(1, 64 + 32 * (size_t)n);

	cr_assert_not_null(json);
	strcpy(json, "{\"requests\":[");
	for (int i = 0; i < n; i++)
		strcat(json, i > 0 ? ",{\"path\":\"/r\"}" :
		    "{\"path\":\"/r\"}");
	strcat(json, "]}");
	return json;
}

Test(batch, is_bounded)
{
	char *json = many(26);

	expect_invalid(json, "requests",
	    "Number of requests is limited to 25");
	free(json);
	json = many(25);
	expect_status(post(NULL, json), 24, 200);
	free(json);
}

Test(batch, in_a_batch_is_forbidden)
{
	static const char *const t[] = { "/batch", "/v1/batch", "/batch/",
		"/v1/batch//", "/b%61tch", "/batch?x=1" };
	char json[200];
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		snprintf(json, sizeof json, "{\"requests\":[{\"method\":"
		    "\"POST\",\"path\":\"/w\"},{\"method\":\"POST\","
		    "\"path\":\"%s\"}]}", t[i]);
		expect_invalid(json, "requests", "Recursive call on /batch "
		    "endpoint is forbidden.");
	}
	req = post(NULL, "{\"requests\":[{\"path\":\"/buckets/batch\"},"
	    "{\"path\":\"/r?a=/batch\"}]}");
	expect_status(req, 0, 404);
	expect_status(req, 1, 200);
}

Test(batch, sub_requests_inherit_headers)
{
	struct clq_request *req = post("If-Match: \"1\"\nContent-Length: 9\n"
	    "Content-Type: application/json\nX-A: batch",
	    "{\"requests\":[{\"path\":\"/mirror/1\"},"
	    "{\"path\":\"/v1/mirror/2?q=%20\",\"headers\":{\"x-a\":\"own\","
	    "\"B\":\"b\"}},"
	    "{\"method\":\"PUT\",\"path\":\"/mirror/3\",\"body\":{}},"
	    "{\"method\":\"PUT\",\"path\":\"/mirror/4\",\"body\":"
	    "{\"n\":9007199254740993}}]}");

	expect_text(req, 0, "body", "GET /v1/mirror/1? [] If-Match=\"1\";"
	    "Content-Type=application/json;X-A=batch;");
	expect_text(req, 1, "body", "GET /v1/mirror/2?q=%20 [] If-Match="
	    "\"1\";Content-Type=application/json;X-A=own;B=b;");
	expect_text(req, 1, "path", "/v1/mirror/2");
	expect_text(req, 2, "body", "PUT /v1/mirror/3? [] If-Match=\"1\";"
	    "Content-Type=application/json;X-A=batch;");
	expect_text(req, 3, "body", "PUT /v1/mirror/4? "
	    "[{\"n\":9007199254740993}] If-Match=\"1\";Content-Type="
	    "application/json; charset=utf-8;X-A=batch;");
}

Test(batch, defaults_complete_requests)
{
	struct clq_request *req = post(NULL, "{\"defaults\":{\"method\":"
	    "\"PUT\",\"path\":\"/mirror/d\",\"headers\":{\"A\":\"d\","
	    "\"B\":\"d\"},\"body\":{\"data\":{\"x\":1,\"y\":{\"z\":2}},"
	    "\"permissions\":{}}},\"requests\":[{},{\"method\":\"GET\","
	    "\"path\":\"/mirror/o\",\"headers\":{\"B\":\"o\"},\"body\":"
	    "{\"data\":{\"x\":3,\"y\":{\"w\":4}}}},"
	    "{\"body\":[1],\"headers\":{}}]}");

	expect_text(req, 0, "body", "PUT /v1/mirror/d? [{\"data\":{\"x\":1,"
	    "\"y\":{\"z\":2}},\"permissions\":{}}] A=d;B=d;"
	    "Content-Type=application/json; charset=utf-8;");
	expect_text(req, 1, "body", "GET /v1/mirror/o? [{\"data\":{\"x\":3,"
	    "\"y\":{\"w\":4,\"z\":2}},\"permissions\":{}}] A=d;B=o;"
	    "Content-Type=application/json; charset=utf-8;");
	expect_text(req, 2, "body", "PUT /v1/mirror/d? [[1]] A=d;B=d;"
	    "Content-Type=application/json; charset=utf-8;");
}

Test(batch, patches_keep_their_content_type)
{
	struct clq_request *req = post("Content-Type: application/json",
	    "{\"defaults\":{\"method\":\"PATCH\",\"path\":\"/mirror/p\"},"
	    "\"requests\":[{\"headers\":{\"content-type\":"
	    "\"application/json-patch+json\"},\"body\":[{\"op\":\"x\"}]},"
	    "{\"headers\":{\"Content-Type\":\"text/plain\"},\"body\":"
	    "{\"a\":1}}]}");

	expect_text(req, 0, "body", "PATCH /v1/mirror/p? [[{\"op\":\"x\"}]] "
	    "Content-Type=application/json-patch+json;");
	expect_text(req, 1, "body", "PATCH /v1/mirror/p? [{\"a\":1}] "
	    "Content-Type=application/json; charset=utf-8;");
}

Test(batch, redirects_are_followed)
{
	struct clq_request *req = post(NULL, "{\"requests\":["
	    "{\"path\":\"/r/\"},{\"path\":\"/v1\"},{\"path\":\"/v2/x\"},"
	    "{\"path\":\"/mirror/%C3%A9\"},{\"path\":\"/mirror/\xc3\xa9\"},"
	    "{\"path\":\"/%ff\"}]}");

	expect_text(req, 0, "path", "/v1/r");
	expect_status(req, 0, 200);
	expect_text(req, 1, "path", "/v1/");
	expect_status(req, 1, 200);
	expect_text(req, 2, "path", "/v1/v2/x");
	expect_status(req, 2, 404);
	expect_text(req, 3, "path", "/v1/mirror/\xc3\xa9");
	expect_text(req, 4, "path", "/v1/mirror/\xc3\xa9");
	expect_status(req, 5, 400);
}

Test(batch, answers_are_embedded)
{
	struct clq_request *req = post("Origin: http://a.org",
	    "{\"requests\":[{\"path\":\"/same\"},{\"method\":\"HEAD\","
	    "\"path\":\"/r\"},{\"method\":\"TRACE\",\"path\":\"/r\"},"
	    "{\"path\":\"/__lbheartbeat__\"}]}");
	const cJSON *body;

	expect_status(req, 0, 304);
	body = clq_json_get(item(req, 0), "body");
	cr_expect(cJSON_IsObject(body) && body->child == NULL);
	expect_status(req, 1, 200);
	expect_text(req, 1, "body", "");
	expect_status(req, 2, 405);
	cr_expect(clq_str_is(clq_json_str(clq_json_get(clq_json_get(
	    item(req, 2), "headers"), "Allow")), "GET, HEAD, OPTIONS"));
	expect_status(req, 3, 200);
	cr_expect(clq_str_is(clq_json_str(clq_json_get(clq_json_get(
	    item(req, 3), "headers"), "Access-Control-Allow-Origin")), "*"));
	cr_expect(clq_str_starts(req->response.body,
	    "{\"responses\":[{\"path\":\"/v1/same\",\"status\":304,"
	    "\"headers\":{"));
}

Test(batch, reading_is_one_transaction_without_savepoints)
{
	(void)post(NULL, "{\"requests\":[{\"path\":\"/r\"},{\"path\":"
	    "\"/r\"},{\"path\":\"/nothing\"}]}");
	cr_expect_str_eq(fake.log, "begin(read) commit");
}

Test(batch, a_failing_write_undoes_itself_only)
{
	struct clq_request *req = post(NULL, "{\"defaults\":{\"method\":"
	    "\"POST\"},\"requests\":[{\"path\":\"/w\"},{\"path\":"
	    "\"/refused\"},{\"method\":\"GET\",\"path\":\"/r\"},"
	    "{\"path\":\"/taken\"},{\"path\":\"/full\"},"
	    "{\"path\":\"/w\"}]}");

	expect_status(req, 0, 201);
	expect_status(req, 1, 403);
	expect_status(req, 2, 200);
	expect_status(req, 3, 409);
	expect_status(req, 4, 507);
	expect_status(req, 5, 201);
	cr_expect_str_eq(fake.log, "begin(write) mark release mark undo "
	    "release mark undo release mark undo release mark release "
	    "commit");
}

Test(batch, trouble_of_the_server_fails_the_whole)
{
	struct clq_request *req = post(NULL, "{\"defaults\":{\"method\":"
	    "\"POST\"},\"requests\":[{\"path\":\"/w\"},{\"path\":\"/down\"},"
	    "{\"path\":\"/w\"}]}");

	cr_expect_eq(req->response.status, 503);
	cr_expect_not_null(loopback_header(req, "Retry-After"));
	cr_expect_str_eq(fake.log, "begin(write) mark release mark abort");
	req = post(NULL, "{\"defaults\":{\"method\":\"POST\"},\"requests\":["
	    "{\"path\":\"/w\"},{\"path\":\"/bug\"}]}");
	cr_expect_eq(req->response.status, 500);
	cr_expect_eq(req->error.errno_, 999);
	fake.commit = CLQ_UNAVAILABLE;
	req = post(NULL, "{\"requests\":[{\"method\":\"POST\",\"path\":"
	    "\"/w\"}]}");
	cr_expect_eq(req->response.status, 503);
}

Test(batch, a_lost_race_runs_the_whole_again)
{
	struct clq_request *req;

	fake.commit = CLQ_RETRY;
	fake.commit_times = 1;
	req = post(NULL, "{\"requests\":[{\"method\":\"POST\",\"path\":"
	    "\"/w\"},{\"path\":\"/r\"}]}");
	expect_status(req, 0, 201);
	expect_status(req, 1, 200);
	cr_expect_str_eq(fake.log, "begin(write) mark release commit "
	    "begin(write) mark release commit");
}

Test(batch, refusals_carry_the_challenge_once_per_name)
{
	struct clq_request *req;

	loopback_service(&lb, "/private", (struct clq_verb){ CLQ_METHOD_GET,
	    reads, CLQ_TX_READ }, CLQ_SERVICE_PRIVATE, NULL);
	req = post(NULL, "{\"requests\":[{\"path\":\"/private\"},{\"path\":"
	    "\"/private\",\"headers\":{\"Authorization\":"
	    "\"Basic bWF0OnNlY3IzdA==\"}}]}");
	expect_status(req, 0, 401);
	cr_expect(clq_str_is(clq_json_str(clq_json_get(clq_json_get(
	    item(req, 0), "headers"), "WWW-Authenticate")),
	    "Basic realm=\"Realm\""));
	expect_status(req, 1, 200);
}

Test(batch, small_requests_cannot_multiply_large_defaults)
{
	char *json = calloc(1, 20000);
	struct clq_request *req;

	cr_assert_not_null(json);
	strcpy(json, "{\"defaults\":{\"method\":\"PUT\",\"path\":"
	    "\"/mirror/x\",\"body\":{\"t\":\"");
	memset(json + strlen(json), 'x', 5000);
	strcat(json, "\"}},\"requests\":[{}");
	for (int i = 0; i < 6; i++)
		strcat(json, ",{}");
	strcat(json, "]}");
	req = post(NULL, json);
	cr_expect_eq(req->response.status, 200);
	strcpy(json + strlen(json) - 2, ",{},{}]}");
	req = post(NULL, json);
	cr_expect_eq(req->response.status, 413);
	cr_expect_eq(req->error.errno_, 113);
	free(json);
}

Test(batch, needs_post)
{
	struct clq_request *req = loopback_send(&lb, "GET", "/v1/batch",
	    NULL, NULL);

	cr_expect_eq(req->response.status, 405);
	cr_expect_str_eq(loopback_header(req, "Allow"), "POST, OPTIONS");
}
