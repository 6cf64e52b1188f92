/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plural endpoint of a resource, from request to answer, on SQLite:
 * POST, lists and pages, tombstones, deletion; missing parents; resources of
 * users; batches (sections 03, 04).
 */
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "resource_fixture.h"

TestSuite(lists, .init = setup, .fini = teardown);

/* ---- lists --------------------------------------------------------- */

Test(lists, post_creates_or_finds)
{
	struct clq_request *req = ask(201, "POST", "/v1/things", "",
	    "{\"data\":{\"name\":\"n\",\"zz\":1}}");
	clq_msec t;

	stored_body(&lb, req, "{\"permissions\":{\"write\":[\"$A\"]},\"data\":"
	    "{\"name\":\"n\",\"size\":1,\"id\":\"*\","
	    "\"last_modified\":\"*\"}}");
	req = ask(201, "POST", "/v1/things", "", "{\"data\":"
	    "{\"id\":\"mine\",\"name\":\"n\"},\"permissions\":"
	    "{\"read\":[\"r\"]}}");
	t = stored_etag(req);
	req = ask(200, "POST", "/v1/things", "", "{\"data\":"
	    "{\"id\":\"mine\",\"name\":\"other\"},\"permissions\":{}}");
	stored_body(&lb, req, "{\"permissions\":{\"read\":[\"r\"],"
	    "\"write\":[\"$A\"]},\"data\":{\"name\":\"n\",\"size\":1,"
	    "\"id\":\"mine\",\"last_modified\":\"*\"}}");
	cr_expect_eq(stored_etag(req), t);
	ask(200, "DELETE", "/v1/things/mine", "", NULL);
	ask(201, "POST", "/v1/things", "", "{\"data\":{\"id\":\"mine\","
	    "\"name\":\"n\"}}");
}

/* Things a, b, c with sizes 1, 2, 3, each later than the one before. */
static clq_msec
three_things(void)
{
	ask(201, "PUT", "/v1/things/a", "",
	    "{\"data\":{\"name\":\"a\",\"size\":1}}");
	ask(201, "PUT", "/v1/things/b", "",
	    "{\"data\":{\"name\":\"b\",\"size\":2}}");
	return stored_etag(ask(201, "PUT", "/v1/things/c", "",
	    "{\"data\":{\"name\":\"c\",\"size\":3}}"));
}

/* The ids of a list, in order. */
static const char *
ids_of(const struct clq_request *req)
{
	struct clq_str why;
	const cJSON *item;
	struct clq_buf b;
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(lb.arena, req->response.body, &tree,
	    &why), CLQ_OK);
	clq_buf_init(&b, lb.arena, 32);
	cJSON_ArrayForEach(item, clq_json_get(tree, "data"))
		clq_buf_printf(&b, "%s%s", b.len > 0 ? "," : "",
		    clq_json_get(item, "id")->valuestring);
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

static void
expect_ids(const char *query, const char *ids)
{
	struct clq_str url = clq_arena_printf(lb.arena, "/v1/things?%s",
	    query);

	cr_expect_str_eq(ids_of(ask(200, "GET", url.p, "", NULL)), ids, "%s",
	    query);
}

Test(lists, lists_filter_and_sort)
{
	struct clq_request *req;

	three_things();
	expect_ids("", "c,b,a");
	expect_ids("min_size=2", "c,b");
	expect_ids("_sort=size", "a,b,c");
	expect_ids("in_id=a,c&_sort=-size", "c,a");
	expect_ids("name=zz", "");
	ask(400, "GET", "/v1/things?unknown=1", "", NULL);
	ask(400, "GET", "/v1/things?_fields=unknown", "", NULL);
	stored_body(&lb, ask(200, "GET", "/v1/things?_fields=size&id=a", "",
	    NULL), "{\"data\":[{\"size\":1,\"id\":\"a\","
	    "\"last_modified\":\"*\"}]}");
	stored_body(&lb, ask(200, "GET", "/v1/things/a?_fields=size", "",
	    NULL), "{\"data\":{\"size\":1,\"id\":\"a\","
	    "\"last_modified\":\"*\"}}");
	req = ask(200, "HEAD", "/v1/things?min_size=2&_limit=1", "", NULL);
	cr_expect_str_eq(loopback_header(req, "Total-Objects"), "2");
	cr_expect_str_eq(loopback_header(req, "Total-Records"), "2");
	cr_expect_null(loopback_header(req, "Next-Page"));
	cr_expect_str_eq(loopback_header(req, "Content-Length"), "11");
	cr_expect_null(loopback_header(ask(200, "GET", "/v1/things", "",
	    NULL), "Total-Objects"));
}

Test(lists, the_timestamp_of_an_empty_list_is_stable)
{
	clq_msec t = stored_etag(ask(200, "GET", "/v1/notes", "", NULL));

	cr_expect_gt(t, 0);
	cr_expect_eq(stored_etag(ask(200, "GET", "/v1/notes", "", NULL)), t);
	cr_expect_eq(stored_etag(ask(200, "HEAD", "/v1/notes", "", NULL)), t);
	cr_expect_gt(stored_etag(ask(201, "POST", "/v1/notes", "", NULL)), t);
}

Test(lists, tombstones_show_with_timestamps)
{
	clq_msec t = three_things();
	struct clq_str since = clq_arena_printf(lb.arena,
	    "/v1/things?_since=%lld", (long long)t);

	ask(200, "DELETE", "/v1/things/b", "", NULL);
	expect_ids("", "c,a");
	expect_ids("deleted=true", "");
	stored_body(&lb, ask(200, "GET", since.p, "", NULL), "{\"data\":["
	    "{\"id\":\"b\",\"last_modified\":\"*\",\"deleted\":true}]}");
	expect_ids("_since=0", "b,c,a");
	expect_ids("_since=0&deleted=true", "b");
	expect_ids("_since=0&not_deleted=true", "c,a");
	expect_ids("_since=0&size=3", "c");
	expect_ids("has_last_modified=true", "b,c,a");
	cr_expect_str_eq(loopback_header(ask(200, "HEAD",
	    "/v1/things?_since=0", "", NULL), "Total-Objects"), "2");
}

/* "<prefix>0<suffix><prefix>1<suffix>...", n times. */
static const char *
series(const char *start, const char *prefix, const char *suffix, int n)
{
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, 4096);
	clq_buf_adds(&b, start);
	for (int i = 0; i < n; i++)
		clq_buf_printf(&b, "%s%d%s", prefix, i, suffix);
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(lists, long_queries)
{
	ask(201, "PUT", "/v1/shelves/s", "", "{\"data\":{\"f1\":1}}");
	ask(201, "PUT", "/v1/shelves/t", "", "{\"data\":{\"f1\":2}}");
	stored_body(&lb, ask(200, "GET", series("/v1/shelves?_fields=x&", "f",
	    "=1&", 500), "", NULL), "{\"data\":[]}");
	stored_body(&lb, ask(200, "GET", series("/v1/shelves?_fields=x&f1=1&",
	    "not_g", "=1&", 500), "", NULL),
	    "{\"data\":[{\"id\":\"s\",\"last_modified\":\"*\"}]}");
	stored_body(&lb, ask(200, "GET", series("/v1/shelves?_fields=x&in_f1=",
	    "", ",", 10000), "", NULL), "{\"data\":["
	    "{\"id\":\"s\",\"last_modified\":\"*\"},"
	    "{\"id\":\"t\",\"last_modified\":\"*\"}]}");
	ask(400, "GET", series("/v1/shelves?", "f", "=1&", 600), "", NULL);
	ask(400, "GET", series("/v1/shelves?a=", "xxxxxxxx", "", 100000), "",
	    NULL);
	ask(400, "GET", series("/v1/shelves?_sort=", "f", ",", 33), "", NULL);
	ask(400, "GET", series("/v1/shelves?_fields=", "f", ",", 257), "",
	    NULL);
	cr_expect_str_eq(ids_of(ask(200, "GET", series("/v1/shelves?_sort=",
	    "-f", ",", 32), "", NULL)), "t,s");
	cr_expect_not_null(loopback_header(ask(200, "GET", series(
	    "/v1/shelves?_limit=1&_sort=", "f", ",", 32), "", NULL),
	    "Next-Page"));
}

/* Follow Next-Page to the end: all ids, pages separated by '|'. */
static const char *
walk(const char *method, const char *url)
{
	struct clq_request *req;
	const char *next = url;
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, 64);
	for (int pages = 0; next != NULL && pages < 20; pages++) {
		req = ask(200, method, next, "", NULL);
		clq_buf_printf(&b, "%s%s", pages > 0 ? "|" : "",
		    ids_of(req));
		next = loopback_header(req, "Next-Page");
		if (next == NULL)
			break;
		cr_assert_eq(strncmp(next, "http://localhost/v1/", 20), 0);
		next += strlen("http://localhost");
	}
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(lists, pages)
{
	for (int i = 0; i < 7; i++)
		ask(201, "PUT", clq_arena_printf(lb.arena, "/v1/things/t%d",
		    i).p, "", clq_arena_printf(lb.arena, "{\"data\":"
		    "{\"name\":\"n\",\"size\":%d}}", i % 2).p);
	cr_expect_str_eq(walk("GET", "/v1/things?_limit=3"),
	    "t6,t5,t4|t3,t2,t1|t0");
	cr_expect_str_eq(walk("GET", "/v1/things?_limit=7"),
	    "t6,t5,t4,t3,t2,t1,t0");
	cr_expect_str_eq(walk("GET", "/v1/things?_limit=3&_sort=size,id"),
	    "t0,t2,t4|t6,t1,t3|t5");
	cr_expect_str_eq(walk("GET", "/v1/things?_limit=6&_sort=name,serial,"
	    "code,size,name,-serial,-code"), "t6,t4,t2,t0,t5,t3|t1");
	cr_expect_str_eq(walk("GET",
	    "/v1/things?_limit=2&_sort=-size&min_size=1&_fields=size"),
	    "t5,t3|t1");
	lb.srv->paginate_by = 4;
	cr_expect_str_eq(walk("GET", "/v1/things?_limit=100"),
	    "t6,t5,t4,t3|t2,t1,t0");
	ask(400, "GET", "/v1/things?_token=abc", "", NULL);
}

Test(lists, deletes_lists)
{
	struct clq_request *req;
	clq_msec t = three_things();

	stored_body(&lb, ask(200, "DELETE", "/v1/things?size=7", "", NULL),
	    "{\"data\":[]}");
	req = ask(200, "DELETE", "/v1/things?max_size=2", "", NULL);
	stored_body(&lb, req, "{\"data\":["
	    "{\"id\":\"a\",\"last_modified\":\"*\",\"deleted\":true},"
	    "{\"id\":\"b\",\"last_modified\":\"*\",\"deleted\":true}]}");
	cr_expect_gt(stored_etag(req), t);
	cr_expect_eq(stored_etag(ask(200, "GET", "/v1/things", "", NULL)),
	    stored_etag(req));
	expect_ids("", "c");
	ask(200, "DELETE", "/v1/things", "", NULL);
	expect_ids("", "");
	expect_ids("_since=0&_sort=id", "a,b,c");
	stored_body(&lb, ask(200, "DELETE", "/v1/things?_since=0", "", NULL),
	    "{\"data\":[]}");
}

Test(lists, deletes_pages_with_tokens_that_are_good_once)
{
	struct clq_request *req;
	const char *next;

	for (int i = 0; i < 5; i++)
		ask(201, "PUT", clq_arena_printf(lb.arena, "/v1/things/t%d",
		    i).p, "", clq_arena_printf(lb.arena, "{\"data\":"
		    "{\"name\":\"n\",\"size\":%d}}", i).p);
	req = ask(200, "DELETE", "/v1/things?_limit=2&_sort=size", "", NULL);
	cr_expect_str_eq(ids_of(req), "t0,t1");
	next = loopback_header(req, "Next-Page");
	cr_assert_not_null(next);
	next += strlen("http://localhost");
	req = ask(200, "DELETE", next, "", NULL);
	cr_expect_str_eq(ids_of(req), "t2,t3");
	cr_expect_not_null(loopback_header(req, "Next-Page"));
	stored_body(&lb, ask(400, "DELETE", next, "", NULL), "{\"code\":400,"
	    "\"errno\":107,\"error\":\"Invalid parameters\",\"message\":"
	    "\"querystring: _token was already used or has expired.\","
	    "\"details\":\"*\"}");
	expect_ids("", "t4");
	cr_expect_null(loopback_header(ask(200, "DELETE",
	    "/v1/things?_limit=1", "", NULL), "Next-Page"));
}

Test(lists, deleting_a_page_keeps_the_permissions_of_the_rest)
{
	three_things();
	ask(200, "DELETE", "/v1/things?_limit=2&_sort=size", "", NULL);
	stored_body(&lb, ask(200, "GET", "/v1/things/c", "", NULL),
	    "{\"permissions\":{\"write\":[\"$A\"]},\"data\":\"*\"}");
}

/* ---- parents ------------------------------------------------------- */

Test(lists, a_missing_parent)
{
	static const struct {
		const char	*method;
		const char	*url;
		int		 anonymous;	/* before authentication? */
	} cases[] = {
		{ "GET",	"/v1/shelves/no/books",		401 },
		{ "DELETE",	"/v1/shelves/no/books",		401 },
		{ "POST",	"/v1/shelves/no/books",		404 },
		{ "GET",	"/v1/shelves/no/books/b",	401 },
		{ "PUT",	"/v1/shelves/no/books/b",	404 },
		{ "PATCH",	"/v1/shelves/no/books/b",	404 },
		{ "DELETE",	"/v1/shelves/no/books/b",	404 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		stored_ask(&lb, cases[i].anonymous, cases[i].method,
		    cases[i].url, NOBODY, NULL);
	stored_body(&lb, ask(404, "PUT", "/v1/shelves/no/books/b", "", NULL),
	    "{\"code\":404,\"errno\":111,\"error\":\"Not Found\",\"details\":"
	    "{\"id\":\"no\",\"resource_name\":\"shelf\"}}");
}

/* ---- resources of users -------------------------------------------- */

Test(lists, notes_are_private)
{
	struct clq_request *req;

	stored_ask(&lb, 401, "GET", "/v1/notes", NOBODY, NULL);
	stored_ask(&lb, 401, "PUT", "/v1/notes/n", NOBODY, NULL);
	stored_body(&lb, ask(201, "PUT", "/v1/notes/n", "",
	    "{\"data\":{\"text\":\"t\"}}"), "{\"data\":{\"text\":\"t\","
	    "\"id\":\"n\",\"last_modified\":\"*\"}}");
	stored_ask(&lb, 404, "GET", "/v1/notes/n", BOB, NULL);
	req = stored_ask(&lb, 404, "DELETE", "/v1/notes/n", BOB, NULL);
	stored_body(&lb, req,
	    "{\"code\":404,\"errno\":110,\"error\":\"Not Found\"}");
	stored_body(&lb, stored_ask(&lb, 200, "GET", "/v1/notes", BOB, NULL),
	    "{\"data\":[]}");
	stored_ask(&lb, 201, "PUT", "/v1/notes/n", BOB, NULL);
	stored_ask(&lb, 200, "DELETE", "/v1/notes", BOB, NULL);
	stored_body(&lb, ask(200, "GET", "/v1/notes/n", "", NULL),
	    "{\"data\":{\"text\":\"t\",\"id\":\"n\","
	    "\"last_modified\":\"*\"}}");
	ask(400, "PUT", "/v1/notes/n", "", "{\"permissions\":{}}");
}

Test(lists, a_lazy_patch_without_effect_writes_nothing)
{
	clq_msec t = stored_etag(ask(201, "PUT", "/v1/notes/n", "",
	    "{\"data\":{\"text\":\"t\"}}"));

	cr_expect_eq(stored_etag(ask(200, "PATCH", "/v1/notes/n", "",
	    "{\"data\":{\"text\":\"t\"}}")), t);
	cr_expect_eq(stored_etag(ask(200, "GET", "/v1/notes/n", "", NULL)),
	    t);
	cr_expect_gt(stored_etag(ask(200, "PATCH", "/v1/notes/n", "",
	    "{\"data\":{\"text\":\"u\"}}")), t);
}

Test(lists, unique_fields)
{
	const char *body = "{\"data\":{\"url\":\"http://x\"}}";
	struct clq_request *req = ask(201, "POST", "/v1/notes", "", body);
	clq_msec t = stored_etag(req);

	req = ask(200, "POST", "/v1/notes", "", body);
	cr_expect_eq(stored_etag(req), t);
	stored_ask(&lb, 201, "POST", "/v1/notes", BOB, body);
	stored_body(&lb, ask(409, "PUT", "/v1/notes/other", "", body),
	    "{\"code\":409,\"errno\":122,\"error\":\"Conflict\",\"message\":"
	    "\"*\",\"details\":{\"field\":\"url\",\"existing\":"
	    "{\"url\":\"http://x\",\"id\":\"*\",\"last_modified\":\"*\"}}}");
	ask(201, "PUT", "/v1/notes/other", "", NULL);
	ask(409, "PATCH", "/v1/notes/other", "", body);
	ask(201, "PUT", "/v1/notes/third", "", "{\"data\":{\"url\":null}}");
	ask(201, "PUT", "/v1/notes/fourth", "", "{\"data\":{\"url\":null}}");
	/* where lists are shared, to everybody who may read it */
	ask(201, "PUT", THING, "", "{\"data\":{\"name\":\"n\","
	    "\"code\":\"c\"}}");
	stored_body(&lb, stored_ask(&lb, 200, "POST", "/v1/things", BOB,
	    "{\"data\":{\"name\":\"m\",\"code\":\"c\"}}"),
	    "{\"permissions\":{},\"data\":{\"name\":\"n\",\"code\":\"c\","
	    "\"size\":1,\"id\":\"*\",\"last_modified\":\"*\"}}");
}

Test(lists, batches)
{
	struct clq_request *req = ask(200, "POST", "/v1/batch", "",
	    "{\"requests\":[{\"method\":\"PUT\",\"path\":\"/things/a\","
	    "\"body\":{\"data\":{\"name\":\"n\"}}},"
	    "{\"method\":\"PUT\",\"path\":\"/things/a\","
	    "\"headers\":{\"If-None-Match\":\"*\"},"
	    "\"body\":{\"data\":{\"name\":\"m\"}}},"
	    "{\"path\":\"/things/a\"},"
	    "{\"method\":\"DELETE\",\"path\":\"/things\"}]}");

	stored_body(&lb, req, "{\"responses\":["
	    "{\"path\":\"/v1/things/a\",\"status\":201,\"headers\":\"*\","
	    "\"body\":{\"permissions\":{\"write\":[\"$A\"]},\"data\":\"*\"}},"
	    "{\"path\":\"/v1/things/a\",\"status\":412,\"headers\":\"*\","
	    "\"body\":{\"code\":412,\"errno\":114,\"error\":\"*\","
	    "\"message\":\"*\",\"details\":\"*\"}},"
	    "{\"path\":\"/v1/things/a\",\"status\":200,\"headers\":\"*\","
	    "\"body\":{\"permissions\":\"*\",\"data\":{\"name\":\"n\","
	    "\"size\":1,\"id\":\"a\",\"last_modified\":\"*\"}}},"
	    "{\"path\":\"/v1/things\",\"status\":200,\"headers\":\"*\","
	    "\"body\":{\"data\":[{\"id\":\"a\",\"last_modified\":\"*\","
	    "\"deleted\":true}]}}]}");
}
