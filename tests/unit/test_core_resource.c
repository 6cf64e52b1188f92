/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object endpoint of a resource, from request to answer, on SQLite:
 * bodies, verbs, preconditions (sections 01-7, 03). Lists are in
 * test_core_resource_lists.c.
 */
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "resource_fixture.h"

TestSuite(resource, .init = setup, .fini = teardown);

/* ---- objects ------------------------------------------------------- */

Test(resource, a_created_object_comes_back)
{
	struct clq_request *req = ask(201, "PUT", THING, "", A_THING);
	clq_msec t = stored_etag(req);

	stored_body(&lb, req, "{\"permissions\":{\"write\":[\"$A\"]},\"data\":"
	    "{\"name\":\"n\",\"size\":1,\"id\":\"x\","
	    "\"last_modified\":\"*\"}}");
	req = ask(200, "GET", THING, "", NULL);
	stored_body(&lb, req, "{\"permissions\":{\"write\":[\"$A\"]},\"data\":"
	    "{\"name\":\"n\",\"size\":1,\"id\":\"x\","
	    "\"last_modified\":\"*\"}}");
	cr_expect_eq(stored_etag(req), t);
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "no-cache, no-store");
	req = ask(200, "HEAD", THING, "", NULL);
	cr_expect_eq(req->response.body.len, 0);
	cr_expect_eq(stored_etag(req), t);
}

Test(resource, permissions_come_before_data)
{
	struct clq_request *req = ask(201, "PUT", THING, "", A_THING);

	cr_expect(clq_str_starts(req->response.body, "{\"permissions\":"));
}

Test(resource, numbers_stay_exact)
{
	struct clq_request *req;

	ask(201, "PUT", THING, "", "{\"data\":{\"name\":\"n\","
	    "\"serial\":[9007199254740993,0.1000000000000000055511151231]}}");
	req = ask(200, "GET", THING, "", NULL);
	cr_expect_not_null(strstr(loopback_body(req), "[9007199254740993,"
	    "0.1000000000000000055511151231]"), "%s", loopback_body(req));
}

Test(resource, a_missing_object_is_named)
{
	/* alice may read shelves that she may create, but this is none */
	ask(201, "PUT", "/v1/shelves/s", "", NULL);
	stored_body(&lb, ask(404, "GET", "/v1/shelves/s/books/b", "", NULL),
	    "{\"code\":404,\"errno\":110,\"error\":\"Not Found\",\"details\":"
	    "{\"id\":\"b\",\"resource_name\":\"book\"}}");
	stored_body(&lb, ask(400, "GET", "/v1/shelves/s/books/-b", "", NULL),
	    "{\"code\":400,\"errno\":107,\"error\":\"Invalid parameters\","
	    "\"message\":\"path: Invalid object id\",\"details\":"
	    "[{\"location\":\"path\",\"name\":null,\"description\":"
	    "\"Invalid object id\"}]}");
}

Test(resource, put_replaces)
{
	clq_msec t;

	t = stored_etag(ask(201, "PUT", THING, "", "{\"data\":"
	    "{\"name\":\"n\",\"size\":5}}"));
	stored_body(&lb, ask(200, "PUT", THING, "", "{\"data\":"
	    "{\"name\":\"m\"}}"), "{\"permissions\":\"*\",\"data\":"
	    "{\"name\":\"m\",\"size\":1,\"id\":\"x\","
	    "\"last_modified\":\"*\"}}");
	cr_expect_gt(stored_etag(ask(200, "PUT", THING, "", "{\"data\":"
	    "{\"name\":\"m\"}}")), t);
}

Test(resource, put_without_data_keeps_it)
{
	clq_msec t;

	t = stored_etag(ask(201, "PUT", THING, "", "{\"data\":"
	    "{\"name\":\"n\",\"size\":5}}"));
	stored_body(&lb, ask(200, "PUT", THING, "", "{\"permissions\":"
	    "{\"read\":[\"r\"]}}"), "{\"permissions\":{\"read\":[\"r\"],"
	    "\"write\":[\"$A\"]},\"data\":{\"name\":\"n\",\"size\":5,"
	    "\"id\":\"x\",\"last_modified\":\"*\"}}");
	cr_expect_gt(stored_etag(ask(200, "PUT", THING, "", NULL)), t);
	stored_body(&lb, ask(400, "PUT", "/v1/things/y", "", "{}"),
	    "{\"code\":400,\"errno\":107,\"error\":\"Invalid parameters\","
	    "\"message\":\"data in body: Required\",\"details\":\"*\"}");
}

/* The envelope table of section 03-2, on a resource that accepts {}. */
Test(resource, envelopes)
{
	static const struct {
		const char	*body;
		int		 post, put, patch;
	} cases[] = {
		{ "",				201, 200, 400 },
		{ "{}",				201, 200, 400 },
		{ "{\"data\":{\"a\":1}}",	201, 200, 200 },
		{ "{\"permissions\":{\"read\":[\"p\"]}}", 201, 200, 200 },
		{ "{\"permissions\":{}}",	201, 200, 200 },
		{ "{\"data\":null}",		400, 400, 400 },
		{ "{\"data\":[]}",		400, 400, 400 },
		{ "{\"permissions\":null}",	400, 400, 400 },
		{ "{\"data\":{},\"x\":1}",	400, 400, 400 },
		{ "[]",				400, 400, 400 },
		{ "3",				400, 400, 400 },
		{ "{",				400, 400, 400 },
		{ "{\"permissions\":{\"foo\":[]}}", 400, 400, 400 },
	};

	ask(201, "PUT", "/v1/shelves/s", "", NULL);
	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		ask(cases[i].post, "POST", "/v1/shelves", "", cases[i].body);
		ask(cases[i].put, "PUT", "/v1/shelves/s", "", cases[i].body);
		ask(cases[i].patch, "PATCH", "/v1/shelves/s", "",
		    cases[i].body);
	}
}

Test(resource, errors_are_collected)
{
	ask(201, "PUT", THING, "", A_THING);
	stored_body(&lb, ask(400, "PUT", THING "?_since=x",
	    "If-Match: 3\nOrigin: http://x\n", "{\"data\":{\"size\":\"x\"}}"),
	    "{\"code\":400,\"errno\":107,\"error\":\"Invalid parameters\","
	    "\"message\":\"If-Match in header: The value should be integer "
	    "between double quotes.\",\"details\":["
	    "{\"location\":\"header\",\"name\":\"If-Match\","
	    "\"description\":\"*\"},"
	    "{\"location\":\"querystring\",\"name\":\"_since\","
	    "\"description\":\"\\\"x\\\" is not a number\"},"
	    "{\"location\":\"body\",\"name\":\"data.name\","
	    "\"description\":\"Required\"},"
	    "{\"location\":\"body\",\"name\":\"data.size\","
	    "\"description\":\"\\\"x\\\" is not a number\"}]}");
}

Test(resource, ids_in_bodies)
{
	stored_body(&lb, ask(400, "PUT", THING, "",
	    "{\"data\":{\"id\":\"y\",\"name\":\"n\"}}"), "{\"code\":400,"
	    "\"errno\":107,\"error\":\"Invalid parameters\",\"message\":"
	    "\"Object id does not match existing object\","
	    "\"details\":\"*\"}");
	ask(400, "PUT", THING, "", "{\"data\":{\"id\":null,\"name\":\"n\"}}");
	ask(201, "PUT", THING, "",
	    "{\"data\":{\"id\":\"x\",\"name\":\"n\"}}");
	ask(400, "PATCH", THING, "", "{\"data\":{\"id\":\"y\"}}");
	ask(200, "PATCH", THING, "", "{\"data\":{\"id\":\"x\"}}");
	stored_body(&lb, ask(400, "POST", "/v1/things", "",
	    "{\"data\":{\"id\":5,\"name\":\"n\"}}"), "{\"code\":400,"
	    "\"errno\":107,\"error\":\"Invalid parameters\",\"message\":"
	    "\"path: Invalid object id\",\"details\":\"*\"}");
	ask(400, "POST", "/v1/things", "", "{\"data\":{\"id\":null}}");
}

Test(resource, patch_merges)
{
	clq_msec t;

	t = stored_etag(ask(201, "PUT", "/v1/shelves/s", "",
	    "{\"data\":{\"a\":1,\"b\":{\"x\":1}}}"));
	stored_body(&lb, ask(200, "PATCH", "/v1/shelves/s", "",
	    "{\"data\":{\"b\":{\"y\":2},\"c\":null}}"),
	    "{\"permissions\":\"*\",\"data\":{\"a\":1,\"b\":{\"y\":2},"
	    "\"c\":null,\"id\":\"s\",\"last_modified\":\"*\"}}");
	cr_expect_gt(stored_etag(ask(200, "PATCH", "/v1/shelves/s", "",
	    "{\"data\":{}}")), t);
	stored_body(&lb, ask(200, "PATCH", "/v1/shelves/s",
	    "Content-Type: application/merge-patch+json\n",
	    "{\"data\":{\"a\":{\"n\":null,\"m\":1},\"b\":{\"y\":null}}}"),
	    "{\"permissions\":\"*\",\"data\":{\"a\":{\"m\":1},\"b\":{},"
	    "\"c\":null,\"id\":\"s\",\"last_modified\":\"*\"}}");
	stored_body(&lb, ask(200, "PATCH", "/v1/shelves/s",
	    "Content-Type: application/json-patch+json; charset=utf-8\n",
	    "[{\"op\":\"move\",\"from\":\"/data/a\",\"path\":\"/data/b\"},"
	    "{\"op\":\"add\",\"path\":\"/permissions/book:create/u\"}]"),
	    "{\"permissions\":{\"write\":[\"$A\"],\"book:create\":[\"u\"]},"
	    "\"data\":{\"b\":{\"m\":1},\"c\":null,\"id\":\"s\","
	    "\"last_modified\":\"*\"}}");
}

Test(resource, patch_is_checked)
{
	ask(201, "PUT", THING, "", "{\"data\":{\"name\":\"n\",\"serial\":1}}");
	stored_body(&lb, ask(400, "PATCH", THING, "",
	    "{\"data\":{\"serial\":2}}"), "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":"
	    "\"Cannot modify serial\",\"details\":[{\"location\":\"body\","
	    "\"name\":\"serial\",\"description\":\"Cannot modify serial\"}]}");
	ask(200, "PATCH", THING, "", "{\"data\":{\"serial\":1}}");
	stored_body(&lb, ask(400, "PATCH", THING, "",
	    "{\"data\":{\"size\":\"x\"}}"), "{\"code\":400,\"errno\":107,"
	    "\"error\":\"Invalid parameters\",\"message\":"
	    "\"size in body: \\\"x\\\" is not a number\",\"details\":\"*\"}");
	ask(400, "PATCH", THING, "Response-Behavior: Light\n",
	    "{\"data\":{}}");
	stored_body(&lb, ask(400, "PATCH", THING, "", "{}"), "{\"code\":400,"
	    "\"errno\":107,\"error\":\"Invalid parameters\",\"message\":"
	    "\"Provide at least one of data or permissions\","
	    "\"details\":\"*\"}");
	ask(412, "PATCH", THING, "If-Match: \"1\"\n", "{}");
	ask(200, "PATCH", THING, "", "{\"permissions\":{}}");
	ask(400, "PATCH", THING,
	    "Content-Type: application/json-patch+json\n",
	    "[{\"op\":\"replace\",\"path\":\"/data/id\",\"value\":\"y\"}]");
	ask(200, "PATCH", THING,
	    "Content-Type: application/json-patch+json\n",
	    "[{\"op\":\"remove\",\"path\":\"/data/id\"}]");
	ask(400, "PATCH", THING,
	    "Content-Type: application/json-patch+json\n",
	    "[{\"op\":\"add\",\"path\":\"/permissions/foo\",\"value\":{}},"
	    "{\"op\":\"add\",\"path\":\"/permissions/foo/bar\"}]");
	ask(400, "PATCH", THING,
	    "Content-Type: application/json-patch+json\n", "{}");
}

Test(resource, patch_answers_in_part)
{
	ask(201, "PUT", THING, "", "{\"data\":{\"name\":\"n\",\"size\":5}}");
	stored_body(&lb, ask(200, "PATCH", THING,
	    "Response-Behavior: light\n",
	    "{\"data\":{\"name\":\"m\",\"size\":5}}"),
	    "{\"data\":{\"name\":\"m\"}}");
	stored_body(&lb, ask(200, "PATCH", THING, "Response-Behavior: diff\n",
	    "{\"data\":{\"name\":\"o\",\"size\":\"6\"}}"),
	    "{\"data\":{\"size\":6}}");
	stored_body(&lb, ask(200, "PATCH", THING, "Response-Behavior: light\n"
	    "Content-Type: application/merge-patch+json\n",
	    "{\"data\":{\"size\":null,\"name\":\"p\"}}"),
	    "{\"data\":{\"name\":\"p\",\"size\":1}}");
	stored_body(&lb, ask(200, "PATCH", THING, "Response-Behavior: light\n"
	    "Content-Type: application/json-patch+json\n",
	    "[{\"op\":\"replace\",\"path\":\"/data/name\",\"value\":\"q\"}]"),
	    "{\"data\":{\"name\":\"q\",\"last_modified\":\"*\"}}");
}

Test(resource, delete_leaves_a_tombstone)
{
	clq_msec t = stored_etag(ask(201, "PUT", "/v1/shelves/s", "", NULL));
	struct clq_request *req = ask(200, "DELETE", "/v1/shelves/s", "",
	    "{}");

	stored_body(&lb, req, "{\"data\":{\"id\":\"s\",\"last_modified\":"
	    "\"*\",\"deleted\":true}}");
	cr_expect_gt(stored_etag(req), t);
	ask(403, "GET", "/v1/shelves/s", "", NULL);
	ask(403, "DELETE", "/v1/shelves/s", "", NULL);
	ask(201, "PUT", "/v1/shelves/s", "If-None-Match: *\n", NULL);
}

Test(resource, delete_takes_a_timestamp)
{
	clq_msec t = stored_etag(ask(201, "PUT", THING, "", A_THING));
	struct clq_str url;

	ask(400, "DELETE", THING "?last_modified=abc", "", NULL);
	url = clq_arena_printf(lb.arena, THING "?last_modified=\"%lld\"",
	    (long long)t + 100000);
	cr_expect_eq(stored_etag(ask(200, "DELETE", url.p, "", NULL)),
	    t + 100000);
	ask(201, "PUT", THING, "", A_THING);
	cr_expect_gt(stored_etag(ask(200, "DELETE",
	    THING "?last_modified=12", "", NULL)), t + 100000);
}

Test(resource, client_timestamps)
{
	clq_msec t = stored_etag(ask(201, "PUT", THING, "", A_THING));
	const char *past = "{\"data\":{\"name\":\"n\",\"last_modified\":12}}";

	cr_expect_eq(stored_etag(ask(201, "PUT", "/v1/things/old", "", past)),
	    12);
	cr_expect_eq(stored_etag(ask(200, "GET", "/v1/things/old", "", NULL)),
	    12);
	cr_expect_gt(stored_etag(ask(200, "PUT", THING, "", past)), t);
	cr_expect_gt(stored_etag(ask(201, "PUT", "/v1/things/s", "",
	    "{\"data\":{\"name\":\"n\",\"last_modified\":\"12\"}}")), t);
	cr_expect_eq(stored_etag(ask(200, "PATCH", THING, "", clq_arena_printf(
	    lb.arena, "{\"data\":{\"last_modified\":%lld}}",
	    (long long)t + 500000).p)), t + 500000);
}

/* ---- preconditions ------------------------------------------------- */

Test(resource, preconditions_of_objects)
{
	clq_msec t = stored_etag(ask(201, "PUT", THING, "", A_THING));
	const char *same = clq_arena_printf(lb.arena, "\"%lld\"",
	    (long long)t).p;
	const char *match = clq_arena_printf(lb.arena, "If-Match: %s\n",
	    same).p;
	const char *none = clq_arena_printf(lb.arena, "If-None-Match: %s\n",
	    same).p;
	struct clq_request *req;

	ask(200, "GET", THING, match, NULL);
	ask(200, "GET", THING, "If-Match: *\n", NULL);
	ask(412, "GET", THING, "If-Match: \"5\"\n", NULL);
	ask(200, "GET", THING, "If-None-Match: \"5\"\n", NULL);
	ask(412, "GET", THING, "If-None-Match: *\n", NULL);
	req = ask(304, "GET", THING, none, NULL);
	cr_expect_eq(req->response.body.len, 0);
	cr_expect_eq(stored_etag(req), t);
	cr_expect_null(loopback_header(req, "Cache-Control"));

	req = ask(412, "PUT", THING, "If-Match: \"5\"\n", A_THING);
	cr_expect_eq(stored_etag(req), t);
	stored_body(&lb, req, "{\"code\":412,\"errno\":114,\"error\":"
	    "\"Precondition Failed\",\"message\":\"Resource was modified "
	    "meanwhile\",\"details\":{\"existing\":{\"name\":\"n\","
	    "\"size\":1,\"id\":\"x\",\"last_modified\":\"*\"}}}");
	ask(412, "PUT", THING, "If-None-Match: *\n", A_THING);
	ask(412, "PATCH", THING, "If-Match: \"5\"\n", "{\"data\":{}}");
	ask(412, "DELETE", THING, "If-Match: \"5\"\n", NULL);
	ask(412, "DELETE", THING, "If-None-Match: *\n", NULL);
	/* 412 wins over an id that differs, but not over a malformed body */
	ask(412, "PUT", THING, "If-Match: \"5\"\n",
	    "{\"data\":{\"id\":\"y\",\"name\":\"n\"}}");
	ask(400, "PUT", THING, "If-Match: \"5\"\n", "{\"data\":{}}");
	ask(200, "PUT", THING, match, A_THING);
	ask(412, "PUT", THING, match, A_THING);

	req = ask(412, "PUT", "/v1/things/new", "If-Match: *\n", A_THING);
	stored_body(&lb, req, "{\"code\":412,\"errno\":114,\"error\":"
	    "\"Precondition Failed\",\"message\":\"*\"}");
	cr_expect_eq(stored_etag(req), stored_etag(ask(200, "GET",
	    "/v1/things", "", NULL)));
	ask(201, "PUT", "/v1/things/new", none, A_THING);
}

Test(resource, preconditions_of_lists)
{
	struct clq_request *req;
	clq_msec t;
	const char *match, *none;

	ask(201, "PUT", THING, "", A_THING);
	t = stored_etag(ask(200, "GET", "/v1/things", "", NULL));
	match = clq_arena_printf(lb.arena, "If-Match: \"%lld\"\n",
	    (long long)t).p;
	none = clq_arena_printf(lb.arena, "If-None-Match: \"%lld\"\n",
	    (long long)t).p;
	ask(200, "GET", "/v1/things", match, NULL);
	req = ask(304, "GET", "/v1/things", none, NULL);
	cr_expect_eq(stored_etag(req), t);
	ask(304, "HEAD", "/v1/things", none, NULL);
	ask(412, "GET", "/v1/things", "If-None-Match: *\n", NULL);
	req = ask(412, "GET", "/v1/things", "If-Match: \"5\"\n", NULL);
	stored_body(&lb, req, "{\"code\":412,\"errno\":114,\"error\":"
	    "\"Precondition Failed\",\"message\":\"*\"}");
	ask(304, "GET", "/v1/things?_since=99999999999999999", none, NULL);
	ask(400, "GET", "/v1/things?_limit=x", none, NULL);
	ask(412, "POST", "/v1/things", match, A_THING);
	ask(201, "POST", "/v1/things", "If-None-Match: *\n", A_THING);
	ask(412, "POST", "/v1/things", "If-None-Match: *\n",
	    "{\"data\":{\"id\":\"x\",\"name\":\"n\"}}");
	ask(200, "POST", "/v1/things", "If-Match: *\n",
	    "{\"data\":{\"id\":\"x\",\"name\":\"n\"}}");
	ask(412, "DELETE", "/v1/things", match, NULL);
	ask(412, "DELETE", "/v1/things", "If-None-Match: *\n", NULL);
	ask(200, "DELETE", "/v1/things", "If-Match: *\n", NULL);
}
