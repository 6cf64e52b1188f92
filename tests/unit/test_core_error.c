/* SPDX-License-Identifier: Apache-2.0 */
/* The error registry and bodies, against the tables of section 02. */
#include <cliquet/str.h>

#include "core/error.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>

/* Views that fail in one way each. */
static enum clq_status
fails_with(struct clq_request *req, void *ctx)
{
	return clq_fail(req, *(const int *)ctx, NULL);
}

static void
add(struct loopback *lb, const char *path, clq_view_f *view, void *ctx)
{
	loopback_view(lb, CLQ_METHOD_GET, path, view, ctx);
}

static void
expect_body(struct loopback *lb, const char *path, int status,
    const char *body)
{
	struct clq_request *req = loopback_send(lb, "GET", path, NULL, NULL);

	cr_expect_eq(req->response.status, status, "%s: %d", path,
	    req->response.status);
	cr_expect_str_eq(loopback_body(req), body);
}

Test(error, every_name_is_in_the_registry)
{
	for (int e = 100; e <= CLQ_ERRNO_UNDEFINED; e++) {
		struct clq_request req = { .error.errno_ = e };
		bool known = false;

		switch ((enum clq_errno)e) {	/* no default: all of them */
		case CLQ_ERRNO_MISSING_AUTH_TOKEN:
		case CLQ_ERRNO_INVALID_AUTH_TOKEN:
		case CLQ_ERRNO_BADJSON:
		case CLQ_ERRNO_INVALID_PARAMETERS:
		case CLQ_ERRNO_MISSING_PARAMETERS:
		case CLQ_ERRNO_INVALID_POSTED_DATA:
		case CLQ_ERRNO_INVALID_RESOURCE_ID:
		case CLQ_ERRNO_MISSING_RESOURCE:
		case CLQ_ERRNO_MISSING_CONTENT_LENGTH:
		case CLQ_ERRNO_REQUEST_TOO_LARGE:
		case CLQ_ERRNO_MODIFIED_MEANWHILE:
		case CLQ_ERRNO_METHOD_NOT_ALLOWED:
		case CLQ_ERRNO_VERSION_NOT_AVAILABLE:
		case CLQ_ERRNO_CLIENT_REACHED_CAPACITY:
		case CLQ_ERRNO_FORBIDDEN:
		case CLQ_ERRNO_CONSTRAINT_VIOLATED:
		case CLQ_ERRNO_BACKEND:
		case CLQ_ERRNO_SERVICE_DEPRECATED:
		case CLQ_ERRNO_UNDEFINED:
			known = true;
			break;
		case CLQ_ERRNO_NONE:
			break;
		}
		cr_expect_eq(clq_error_status(&req) != 500, known &&
		    e != CLQ_ERRNO_UNDEFINED, "%d", e);
	}
}

Test(error, registry_gives_status_title_and_message)
{
	static struct {
		int		 e;
		int		 status;
		const char	*body;
	} t[] = {
	    { 104, 401, "{\"code\":401,\"errno\":104,\"error\":"
		"\"Unauthorized\",\"message\":\"Please authenticate yourself "
		"to use this endpoint.\"}" },
	    { 121, 403, "{\"code\":403,\"errno\":121,\"error\":\"Forbidden\","
		"\"message\":\"This user cannot access this resource.\"}" },
	    { 110, 404, "{\"code\":404,\"errno\":110,\"error\":"
		"\"Not Found\"}" },
	    { 111, 404, "{\"code\":404,\"errno\":111,\"error\":\"Not Found\","
		"\"message\":\"The resource you are looking for could not be "
		"found.\"}" },
	    { 114, 412, "{\"code\":412,\"errno\":114,\"error\":"
		"\"Precondition Failed\",\"message\":\"Resource was modified "
		"meanwhile\"}" },
	    { 122, 409, "{\"code\":409,\"errno\":122,\"error\":\"Conflict\","
		"\"message\":\"Integrity constraint violated, please "
		"retry.\"}" },
	    { 201, 503, "{\"code\":503,\"errno\":201,\"error\":"
		"\"Service Unavailable\",\"message\":\"Service temporary "
		"unavailable due to overloading or maintenance, please retry "
		"later.\"}" },
	    { 113, 413, "{\"code\":413,\"errno\":113,\"error\":\"Request "
		"Entity Too Large\",\"message\":\"The request is too "
		"large.\"}" },
	    { 999, 500, "{\"code\":500,\"errno\":999,\"error\":"
		"\"Internal Server Error\",\"message\":\"A programmatic "
		"error occurred, developers have been informed.\",\"info\":"
		"\"https://github.com/Kinto/kinto/issues/\"}" },
	};
	struct loopback lb = loopback_new("project_version = 1.0\n");
	char paths[CLQ_COUNT(t)][16], urls[CLQ_COUNT(t)][32];

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		snprintf(paths[i], sizeof paths[i], "/e%d", t[i].e);
		snprintf(urls[i], sizeof urls[i], "/v1/e%d", t[i].e);
		add(&lb, paths[i], fails_with, &t[i].e);
		expect_body(&lb, urls[i], t[i].status, t[i].body);
	}
	loopback_free(&lb);
}

Test(error, an_empty_link_is_omitted)
{
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "error_info_link =\n");
	int e = 999;

	add(&lb, "/e", fails_with, &e);
	expect_body(&lb, "/v1/e", 500, "{\"code\":500,\"errno\":999,"
	    "\"error\":\"Internal Server Error\",\"message\":\"A "
	    "programmatic error occurred, developers have been informed.\"}");
	loopback_free(&lb);
}

static enum clq_status
fails_twice(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_fail(req, 121, "first %d", 1);
	(void)clq_invalid(req, "body", CLQ_STR("x"), "second");
	return clq_fail(req, 999, "third");
}

static enum clq_status
fails_but_returns_ok(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_fail(req, 113, "%s", "");
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(error, first_failure_wins_and_an_empty_message_is_omitted)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");

	add(&lb, "/twice", fails_twice, NULL);
	add(&lb, "/ok", fails_but_returns_ok, NULL);
	expect_body(&lb, "/v1/twice", 403, "{\"code\":403,\"errno\":121,"
	    "\"error\":\"Forbidden\",\"message\":\"first 1\"}");
	expect_body(&lb, "/v1/ok", 413, "{\"code\":413,\"errno\":113,"
	    "\"error\":\"Request Entity Too Large\"}");
	loopback_free(&lb);
}

static enum clq_status
collects(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_invalid(req, "querystring", CLQ_STR("_since"), "bad");
	(void)clq_invalid(req, "header", CLQ_STR("If-Match"), "worse");
	(void)clq_invalid(req, "body", CLQ_STR(""), "worst");
	(void)clq_invalid(req, "path", (struct clq_str){ 0 }, "null");
	return clq_invalid(req, "body", CLQ_STR(""), "second worst");
}

static enum clq_status
names_in_text(struct clq_request *req, void *ctx)
{
	const char *const *t = ctx;

	return clq_invalid(req, "body", clq_str_of(t[0]), "%s", t[1]);
}

Test(error, details_are_sorted_by_name_and_the_first_makes_the_message)
{
	static const char *plain[] = { "data.cache_expires",
		"\"x\" is not a number" };
	static const char *contained[] = { "data", "wrong data here" };
	static const char *null[] = { NULL, "Invalid object id" };
	struct loopback lb = loopback_new("project_version = 1.0\n");

	add(&lb, "/all", collects, NULL);
	add(&lb, "/plain", names_in_text, plain);
	add(&lb, "/contained", names_in_text, contained);
	add(&lb, "/null", names_in_text, null);
	expect_body(&lb, "/v1/all", 400, "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"worst\","
	    "\"details\":["
	    "{\"location\":\"body\",\"name\":\"\",\"description\":\"worst\"},"
	    "{\"location\":\"body\",\"name\":\"\","
	    "\"description\":\"second worst\"},"
	    "{\"location\":\"header\",\"name\":\"If-Match\","
	    "\"description\":\"worse\"},"
	    "{\"location\":\"path\",\"name\":null,\"description\":\"null\"},"
	    "{\"location\":\"querystring\",\"name\":\"_since\","
	    "\"description\":\"bad\"}]}");
	expect_body(&lb, "/v1/plain", 400, "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":"
	    "\"data.cache_expires in body: \\\"x\\\" is not a number\","
	    "\"details\":[{\"location\":\"body\",\"name\":"
	    "\"data.cache_expires\",\"description\":"
	    "\"\\\"x\\\" is not a number\"}]}");
	expect_body(&lb, "/v1/contained", 400, "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"wrong data "
	    "here\",\"details\":[{\"location\":\"body\",\"name\":\"data\","
	    "\"description\":\"wrong data here\"}]}");
	expect_body(&lb, "/v1/null", 400, "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"body: Invalid "
	    "object id\",\"details\":[{\"location\":\"body\",\"name\":null,"
	    "\"description\":\"Invalid object id\"}]}");
	loopback_free(&lb);
}

static enum clq_status
with_details(struct clq_request *req, void *ctx)
{
	cJSON *d = clq_json_own(clq_request_arena(req),
	    cJSON_CreateObject());
	enum clq_status rc = clq_fail(req, 110, NULL);

	if (ctx != NULL) {
		clq_json_set(d, "id", clq_json_new_str(CLQ_STR("zz")));
		clq_json_set(d, "resource_name",
		    clq_json_new_str(CLQ_STR("record")));
	}
	clq_fail_details(req, d);
	return rc;
}

static enum clq_status
other_title(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_fail(req, 999, "%s", "");

	(void)ctx;
	clq_fail_as(req, 401, "Cannot read accounts.");
	return rc;
}

static enum clq_status
invalid_item(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_invalid_index(req, "body", 12, "%d is too much", 3);
}

Test(error, the_name_of_an_item_is_a_number)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");

	add(&lb, "/i", invalid_item, NULL);
	expect_body(&lb, "/v1/i", 400, "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":\"12 in body: 3 is "
	    "too much\",\"details\":[{\"location\":\"body\",\"name\":12,"
	    "\"description\":\"3 is too much\"}]}");
	loopback_free(&lb);
}

Test(error, details_and_titles_of_ones_own)
{
	static int yes;
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = s\n");
	struct clq_request *req;

	add(&lb, "/details", with_details, &yes);
	add(&lb, "/empty", with_details, NULL);
	add(&lb, "/title", other_title, NULL);
	expect_body(&lb, "/v1/details", 404, "{\"code\":404,\"errno\":110,"
	    "\"error\":\"Not Found\",\"details\":{\"id\":\"zz\","
	    "\"resource_name\":\"record\"}}");
	expect_body(&lb, "/v1/empty", 404, "{\"code\":404,\"errno\":110,"
	    "\"error\":\"Not Found\"}");
	expect_body(&lb, "/v1/title", 401, "{\"code\":401,\"errno\":999,"
	    "\"error\":\"Cannot read accounts.\"}");
	req = loopback_send(&lb, "GET", "/v1/title", NULL, NULL);
	cr_expect_null(loopback_header(req, "WWW-Authenticate"));
	loopback_free(&lb);
}

static enum clq_status
returns(struct clq_request *req, void *ctx)
{
	(void)req;
	return *(const enum clq_status *)ctx;
}

Test(error, statuses_without_an_error_become_one)
{
	static enum clq_status st[] = { CLQ_UNAVAILABLE, CLQ_READONLY,
		CLQ_CONFLICT, CLQ_FAILED, CLQ_NOT_FOUND, CLQ_INVALID,
		CLQ_OK, CLQ_DONE };
	static const int code[] = { 503, 503, 409, 500, 500, 500, 500, 500 };
	static const int num[] = { 201, 201, 122, 999, 999, 999, 999, 999 };
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "retry_after_seconds = 7\n");
	char path[CLQ_COUNT(st)][8], url[16];
	struct clq_request *req;

	for (size_t i = 0; i < CLQ_COUNT(st); i++) {
		snprintf(path[i], sizeof path[i], "/s%zu", i);
		snprintf(url, sizeof url, "/v1%s", path[i]);
		add(&lb, path[i], returns, &st[i]);
		req = loopback_send(&lb, "GET", url, NULL, NULL);
		cr_expect_eq(req->response.status, code[i]);
		cr_expect_eq(req->error.errno_, num[i]);
		if (code[i] == 503 || code[i] == 409)
			cr_expect_str_eq(loopback_header(req, "Retry-After"),
			    "7");
		else
			cr_expect_null(loopback_header(req, "Retry-After"));
	}
	req = loopback_send(&lb, "GET", "/v1/s1", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":503,\"errno\":201,"
	    "\"error\":\"Service Unavailable\",\"message\":\"Resource "
	    "timestamp cannot be written. Plural endpoint must be hit at "
	    "least once from a writable instance.\"}");
	loopback_free(&lb);
}

static enum clq_status
bad_bytes(struct clq_request *req, void *ctx)
{
	static const struct clq_str name = { "n\xff\0x", 4 };

	(void)ctx;
	return clq_invalid(req, "header", name, "d%c%c", 0xc3, 0x28);
}

Test(error, texts_that_are_not_utf8_are_mended)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");
	struct clq_request *req;

	add(&lb, "/bad", bad_bytes, NULL);
	req = loopback_send(&lb, "GET", "/v1/bad", NULL, NULL);
	cr_expect_eq(req->response.status, 400);
	cr_expect(clq_utf8_valid(req->response.body));
	cr_expect_not_null(strstr(loopback_body(req),
	    "\"name\":\"n\xef\xbf\xbd\xef\xbf\xbdx\""));
	loopback_free(&lb);
}

Test(error, head_has_headers_but_no_body)
{
	static int e = 121;
	struct loopback lb = loopback_new("project_version = 1.0\n");
	struct clq_request *req;

	add(&lb, "/e", fails_with, &e);
	req = loopback_send(&lb, "HEAD", "/v1/e", NULL, NULL);
	cr_expect_eq(req->response.status, 403);
	cr_expect_eq(req->response.body.len, 0u);
	cr_expect_str_eq(loopback_header(req, "Content-Length"), "95");
	loopback_free(&lb);
}
