/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and Next-Page (section 04-8). */
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include "core/query.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;
static struct clq_str kept;		/* the one key of the fake cache */
static clq_msec kept_ttl;
static enum clq_status cache_status;

static enum clq_status
cache_set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	(void)self;
	(void)value;
	kept = clq_arena_strdup(lb.arena, key);
	kept_ttl = ttl;
	return cache_status;
}

static enum clq_status
cache_take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	(void)self;
	(void)arena;
	if (!clq_str_eq(key, kept))
		return CLQ_NOT_FOUND;
	kept = (struct clq_str){ NULL, 0 };
	*value = CLQ_STR("1");
	return CLQ_OK;
}

static const struct clq_cache_ops cache_ops = {
	.size = sizeof cache_ops, .set = cache_set, .take = cache_take,
};

static const struct clq_sort sorts[] = {
	{ CLQ_STR("a.b"), false }, { CLQ_STR("last_modified"), true },
};

static void
setup(void)
{
	lb = loopback_new("project_version = 1.0\n"
	    "pagination_token_validity_seconds = 7\n");
	lb.srv->cache.ops = &cache_ops;
	kept = (struct clq_str){ NULL, 0 };
	cache_status = CLQ_OK;
}

static void
teardown(void)
{
	lb.srv->cache.ops = NULL;	/* not the server's to close */
	loopback_free(&lb);
}

TestSuite(pagination, .init = setup, .fini = teardown);

static struct clq_request *
request(const char *query)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->raw_query = clq_str_of(query);
	cr_assert_eq(clq_request_decode_query(req), CLQ_OK);
	return req;
}

static struct clq_query
query_of(const struct clq_sort *s, size_t n)
{
	return (struct clq_query){ .sorts = s, .nsorts = n, .limit = 3 };
}

static struct clq_str
token_of(const char *json)
{
	return clq_base64_encode(lb.arena, clq_str_of(json));
}

static enum clq_status
read_token(struct clq_str token, struct clq_query *q, struct clq_token *t)
{
	return clq_token_read(request(""), token, q, t);
}

/* The value of a query parameter of a URL, decoded. */
static struct clq_str
param_of(const char *url, const char *name)
{
	struct clq_request *req = request(strchr(url, '?') + 1);

	return clq_request_param(req, name);
}

Test(pagination, a_token_leads_behind_the_last_object)
{
	struct clq_request *req = request("_sort=a.b");
	struct clq_query q = query_of(sorts, 2), again = query_of(sorts, 2);
	struct clq_object last = { .id = CLQ_STR("x"), .last_modified = 99,
		.data = CLQ_STR("{\"a\":{\"b\":9007199254740993}}") };
	struct clq_token t;
	const char *url;

	cr_assert_eq(clq_query_after(req, &q, &last), CLQ_OK);
	cr_assert_eq(clq_next_page(req, CLQ_STR("/things"), &q, 3, false),
	    CLQ_OK);
	url = loopback_header(req, "Next-Page");
	cr_assert_not_null(url);
	cr_assert_eq(read_token(param_of(url, "_token"), &again, &t), CLQ_OK);
	cr_expect_eq(t.offset, 3);
	cr_expect(clq_str_starts(t.nonce, "pagination-token-"));
	cr_expect(clq_str_is(clq_json_text(lb.arena, again.after[0]),
	    "9007199254740993"));
	cr_expect(clq_str_is(clq_json_text(lb.arena, again.after[1]), "99"));
	cr_expect_null(kept.p, "GET tokens need no cache");
}

Test(pagination, a_missing_field_stays_missing)
{
	struct clq_request *req = request("");
	struct clq_query q = query_of(sorts, 2), again = query_of(sorts, 2);
	struct clq_object last = { .id = CLQ_STR("x"), .last_modified = 99,
		.data = CLQ_STR("{\"a\":5}") };
	struct clq_token t;

	cr_assert_eq(clq_query_after(req, &q, &last), CLQ_OK);
	cr_expect_null(q.after[0]);
	cr_assert_eq(clq_next_page(req, CLQ_STR("/things"), &q, 0, false),
	    CLQ_OK);
	cr_assert_eq(read_token(param_of(loopback_header(req, "Next-Page"),
	    "_token"), &again, &t), CLQ_OK);
	cr_expect_null(again.after[0]);
	cr_expect_not_null(again.after[1]);
}

Test(pagination, the_url_keeps_the_other_parameters)
{
	struct clq_request *req = request("_token=old&a=%2C%20%3D&_limit=9&b");
	struct clq_query q = query_of(sorts + 1, 1);
	struct clq_object last = { .last_modified = 1,
		.data = CLQ_STR("{}") };
	const char *url;

	cr_assert_eq(clq_query_after(req, &q, &last), CLQ_OK);
	cr_assert_eq(clq_next_page(req, CLQ_STR("/a b/\xc3\xa9"), &q, 0,
	    false), CLQ_OK);
	url = loopback_header(req, "Next-Page");
	cr_expect_eq(strncmp(url, "http://localhost/v1/a%20b/%C3%A9?_token=",
	    40), 0, "%s", url);
	cr_expect_not_null(strstr(url, "&a=%2C+%3D&_limit=3&b="), "%s", url);
	cr_expect_null(strstr(url, "old"));
}

Test(pagination, refuses_other_tokens)
{
	static const char *const bad[] = {
		"", "[]", "{}", "x",
		"{\"last_object\":{\"last_modified\":1},\"offset\":1}",
		"{\"last_object\":{\"last_modified\":1},\"nonce\":\"n\"}",
		"{\"last_object\":{\"last_modified\":1},\"nonce\":\"n\","
		"\"offset\":\"x\"}",
		"{\"last_object\":{\"last_modified\":1},\"nonce\":\"n\","
		"\"offset\":-1}",
		"{\"last_object\":{},\"nonce\":\"n\",\"offset\":1}",
		"{\"last_object\":{\"last_modified\":\"1\"},\"nonce\":\"n\","
		"\"offset\":1}",
		"{\"last_object\":[],\"nonce\":\"n\",\"offset\":1}",
	};
	struct clq_query q = query_of(sorts, 2);
	struct clq_token t;

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_eq(read_token(token_of(bad[i]), &q, &t),
		    CLQ_INVALID, "%s", bad[i]);
	cr_expect_eq(read_token(CLQ_STR("$$$"), &q, &t), CLQ_INVALID);
	cr_expect_eq(read_token(token_of("{\"last_object\":"
	    "{\"last_modified\":1},\"nonce\":\"n\",\"offset\":1}"), &q, &t),
	    CLQ_OK);
}

Test(pagination, the_id_resumes_as_text)
{
	static const struct clq_sort by_id[] = { { CLQ_STR("id"), false } };
	struct clq_query q = query_of(by_id, 1);
	struct clq_token t;

	cr_expect_eq(read_token(token_of("{\"last_object\":{\"id\":1},"
	    "\"nonce\":\"n\",\"offset\":1}"), &q, &t), CLQ_INVALID);
	cr_expect_eq(read_token(token_of("{\"last_object\":{\"id\":\"a\"},"
	    "\"nonce\":\"n\",\"offset\":1}"), &q, &t), CLQ_OK);
}

Test(pagination, a_single_use_token_is_good_once)
{
	struct clq_request *req = request("");
	struct clq_query q = query_of(sorts + 1, 1), again = q;
	struct clq_object last = { .last_modified = 1,
		.data = CLQ_STR("{}") };
	struct clq_token t;

	cr_assert_eq(clq_query_after(req, &q, &last), CLQ_OK);
	cr_assert_eq(clq_next_page(req, CLQ_STR("/things"), &q, 0, true),
	    CLQ_OK);
	cr_expect_eq(kept_ttl, 7000);
	cr_assert_eq(read_token(param_of(loopback_header(req, "Next-Page"),
	    "_token"), &again, &t), CLQ_OK);
	cr_expect_eq(clq_token_take(req, t.nonce), CLQ_OK);
	cr_expect_eq(clq_token_take(req, t.nonce), CLQ_INVALID);
	cr_expect(clq_str_is(req->error.invalid[0].description,
	    "_token was already used or has expired."));
}

Test(pagination, takes_nothing_else_from_the_cache)
{
	struct clq_request *req = request("");

	kept = CLQ_STR("somebody's secret");
	cr_expect_eq(clq_token_take(req, kept), CLQ_INVALID);
	cr_expect_not_null(kept.p);
}

Test(pagination, a_cache_that_is_down_is_said)
{
	struct clq_request *req = request("");
	struct clq_query q = query_of(sorts + 1, 1);
	struct clq_object last = { .last_modified = 1,
		.data = CLQ_STR("{}") };

	cache_status = CLQ_UNAVAILABLE;
	cr_assert_eq(clq_query_after(req, &q, &last), CLQ_OK);
	cr_expect_eq(clq_next_page(req, CLQ_STR("/things"), &q, 0, true),
	    CLQ_UNAVAILABLE);
	cr_expect_null(loopback_header(req, "Next-Page"));
}
