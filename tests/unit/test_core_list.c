/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that are not stored: chapter 04 on items made on the fly. */
#include <cliquet/str.h>

#include "tests/support/loopback.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct clq_field fields[] = {
	{ .name = "n", .type = CLQ_FIELD_INT },
	{ .name = "kind", .type = CLQ_FIELD_STRING },
	{ .name = "deep", .type = CLQ_FIELD_OBJECT },
};
static const struct clq_sort by_n[] = { { CLQ_STR("n"), false } };

static struct loopback lb;
static struct clq_list list;
static size_t made;

/* n counts up, kind is even or odd, deep.m counts down; every third has an
 * id. */
static enum clq_status
item(struct clq_request *req, struct clq_arena *arena, void *ctx, size_t i,
    cJSON **out)
{
	cJSON *tree = clq_json_own(arena, cJSON_CreateObject());
	cJSON *deep = cJSON_CreateObject();

	cr_assert_eq(ctx, &made);
	made++;
	clq_json_set(tree, "n", clq_json_new_int((int64_t)i));
	clq_json_set(tree, "kind", clq_json_new_str(i % 2 == 0 ?
	    CLQ_STR("even") : CLQ_STR("odd")));
	clq_json_set(deep, "m", clq_json_new_int(-(int64_t)i));
	clq_json_set(tree, "deep", deep);
	if (i % 3 == 0)
		clq_json_set(tree, "id", clq_json_new_str(
		    clq_arena_printf(arena, "i%zu", i)));
	*out = tree;
	if (i == 1000)
		return clq_fail(req, 999, "item 1000");
	return CLQ_OK;
}

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply_list(req, &list);
}

static void
setup(void)
{
	lb = loopback_new("project_version = 1.0\n"
	    "paginate_by = 50\nstorage_max_fetch_size = 200\n");
	loopback_view(&lb, CLQ_METHOD_GET, "/list", view, NULL);
	list = (struct clq_list){ .size = sizeof list, .fields = fields,
		.nfields = CLQ_COUNT(fields), .order = by_n, .norder = 1,
		.n = 7, .item = item, .ctx = &made };
	made = 0;
}

static void
teardown(void)
{
	loopback_free(&lb);
}

TestSuite(list, .init = setup, .fini = teardown);

static struct clq_request *
get(const char *query)
{
	return loopback_send(&lb, "GET", clq_arena_printf(lb.arena,
	    "/v1/list%s", query).p, NULL, NULL);
}

/* The n of the items answered: "0 1 2". */
static const char *
numbers(const struct clq_request *req)
{
	struct clq_buf b;
	struct clq_str why;
	const cJSON *one;
	cJSON *tree = NULL;
	int64_t n;

	cr_assert_eq(req->response.status, 200, "%s", loopback_body(req));
	cr_assert_eq(clq_json_parse(lb.arena, req->response.body, &tree,
	    &why), CLQ_OK);
	clq_buf_init(&b, lb.arena, 64);
	cJSON_ArrayForEach(one, clq_json_get(tree, "data")) {
		cr_assert(clq_json_int(clq_json_get(one, "n"), &n));
		clq_buf_printf(&b, "%s%d", b.len > 0 ? " " : "", (int)n);
	}
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(list, is_answered_as_it_is)
{
	struct clq_request *req;

	list.n = 1;
	req = get("");
	cr_expect_str_eq(loopback_body(req), "{\"data\":[{\"n\":0,\"kind\":"
	    "\"even\",\"deep\":{\"m\":0},\"id\":\"i0\"}]}");
	cr_expect_str_eq(loopback_header(req, "Cache-Control"),
	    "no-cache, no-store");
	cr_expect_null(loopback_header(req, "ETag"));
	cr_expect_null(loopback_header(req, "Next-Page"));
	list.n = 0;
	cr_expect_str_eq(loopback_body(get("")), "{\"data\":[]}");
}

Test(list, is_filtered_and_sorted)
{
	static const struct {
		const char	*query, *numbers;
	} cases[] = {
		{ "", "0 1 2 3 4 5 6" },
		{ "?kind=odd", "1 3 5" },
		{ "?min_n=2&lt_n=5", "2 3 4" },
		{ "?in_n=6,0", "0 6" },
		{ "?like_kind=O*", "1 3 5" },
		{ "?id=i3", "3" }, { "?has_id=false", "1 2 4 5" },
		{ "?deep.m=-4", "4" },
		{ "?deleted=true", "" },
		{ "?_sort=-n", "6 5 4 3 2 1 0" },
		{ "?_sort=kind", "0 2 4 6 1 3 5" },
		{ "?_sort=-kind", "1 3 5 0 2 4 6" },
		{ "?_sort=deep.m", "6 5 4 3 2 1 0" },
		{ "?_sort=id,-n", "0 3 6 5 4 2 1" },
		{ "?_sort=-last_modified,-n", "6 5 4 3 2 1 0" },
		{ "?_since=5&_before=6&last_modified=7", "0 1 2 3 4 5 6" },
		{ "?_sort=", "0 1 2 3 4 5 6" },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_str_eq(numbers(get(cases[i].query)),
		    cases[i].numbers, "%s", cases[i].query);
}

Test(list, knows_its_fields)
{
	static const char *const bad[] = {
		"?x=1", "?_sort=x", "?_fields=n,x", "?_since=a", "?_limit=-1",
		"?like_n=1", "?_token=x", "?_limit=1&_limit=2",
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_eq(get(bad[i])->response.status, 400, "%s", bad[i]);
	cr_expect_str_eq(loopback_body(get("?_fields=kind,deep.m&n=3")),
	    "{\"data\":[{\"kind\":\"odd\",\"deep\":{\"m\":-3},"
	    "\"id\":\"i3\"}]}");
	cr_expect_str_eq(loopback_body(get("?_fields=kind&n=1")),
	    "{\"data\":[{\"kind\":\"odd\"}]}");
}

/* All pages of a query, one after the other, each of at most `limit`. */
static const char *
walk(const char *query, size_t limit)
{
	struct clq_request *req = get(query);
	struct clq_buf b;
	const char *next;

	clq_buf_init(&b, lb.arena, 64);
	for (;;) {
		struct clq_str page = clq_str_of(numbers(req)), one;
		size_t n = 0;

		clq_buf_printf(&b, "%s%.*s", b.len > 0 ? " " : "",
		    CLQ_FMT(page));
		while (clq_str_next_word(&page, &one))
			n++;
		cr_expect_leq(n, limit, "%s", query);
		if ((next = loopback_header(req, "Next-Page")) == NULL)
			break;
		cr_assert_eq(n, limit, "%s", query);
		next = strstr(next, "/v1/list");
		cr_assert_not_null(next);
		req = loopback_send(&lb, "GET", next, NULL, NULL);
	}
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(list, is_divided_into_pages)
{
	static const struct {
		const char	*query, *numbers;
	} cases[] = {
		{ "?_limit=%zu", "0 1 2 3 4 5 6" },
		{ "?_limit=%zu&_sort=-n", "6 5 4 3 2 1 0" },
		{ "?_limit=%zu&_sort=kind", "0 2 4 6 1 3 5" },
		{ "?_limit=%zu&_sort=id", "0 3 6 1 2 4 5" },
		{ "?_limit=%zu&_sort=-id,-deep.m", "1 2 4 5 6 3 0" },
		{ "?_limit=%zu&kind=odd", "1 3 5" },
		{ "?_limit=%zu&_sort=kind,last_modified", "0 2 4 6 1 3 5" },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		for (size_t limit = 1; limit < 9; limit++) {
			struct clq_buf b;
			struct clq_str q = clq_str_of(cases[i].query);
			size_t at = clq_str_find(q, '%', 0);

			clq_buf_init(&b, lb.arena, 64);
			clq_buf_add(&b, clq_str_sub(q, 0, at));
			clq_buf_addint(&b, (int64_t)limit);
			clq_buf_add(&b, clq_str_sub(q, at + 3, q.len));
			cr_expect_str_eq(walk(clq_arena_cstr(lb.arena,
			    clq_buf_str(&b)), limit), cases[i].numbers,
			    "%.*s", CLQ_FMT(clq_buf_str(&b)));
		}
}

/* Bytes of the request's arena that an answer of 5 of n items takes. */
static size_t
memory(size_t n)
{
	size_t before = clq_arena_used(lb.arena);

	list.n = n;
	(void)get("?_limit=5&_sort=-n");
	return clq_arena_used(lb.arena) - before;
}

Test(list, of_many_items_keeps_a_page_only)
{
	struct clq_request *req;
	size_t little = memory(100);

	cr_expect_lt(memory(900), little + little / 4);
	list.n = 900;		/* many times the page of 50 */
	made = 0;
	req = get("?_sort=deep.m");
	cr_expect(clq_str_starts(clq_str_of(numbers(req)),
	    "899 898 897"));
	cr_expect_not_null(loopback_header(req, "Next-Page"));
	cr_expect_eq(made, 900 + 50);
}

Test(list, head_counts)
{
	struct clq_request *req = loopback_send(&lb, "HEAD",
	    "/v1/list?kind=even&_limit=1", NULL, NULL);

	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_header(req, "Total-Objects"), "4");
	cr_expect_str_eq(loopback_header(req, "Total-Records"), "4");
	cr_expect_eq(req->response.body.len, 0);
}

Test(list, conditions_compare_with_its_time)
{
	list.timestamp = 1795456756960;
	cr_expect_str_eq(loopback_header(get(""), "ETag"),
	    "\"1795456756960\"");
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/list",
	    "If-None-Match: \"1795456756960\"\n", NULL)->response.status,
	    304);
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/list",
	    "If-Match: \"1\"\n", NULL)->response.status, 412);
	list.timestamp = 0;
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/list",
	    "If-Match: \"1\"\n", NULL)->response.status, 200);
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/list",
	    "If-Match: x\n", NULL)->response.status, 400);
}

Test(list, an_item_that_fails_is_an_error)
{
	list.n = 1001;
	cr_expect_eq(get("")->response.status, 500);
}

static const struct clq_field timed[] = {
	{ .name = "n", .type = CLQ_FIELD_INT },
	{ .name = "last_modified", .type = CLQ_FIELD_TIMESTAMP },
};

static enum clq_status
timed_item(struct clq_request *req, struct clq_arena *arena, void *ctx,
    size_t i, cJSON **out)
{
	cJSON *tree = clq_json_own(arena, cJSON_CreateObject());

	(void)req;
	(void)ctx;
	clq_json_set(tree, "n", clq_json_new_int((int64_t)i));
	clq_json_set(tree, "last_modified",
	    clq_json_new_int(100 + (int64_t)(i ^ 1)));
	*out = tree;
	return CLQ_OK;
}

Test(list, may_have_times)
{
	list.fields = timed;
	list.nfields = CLQ_COUNT(timed);
	list.item = timed_item;
	list.n = 4;
	cr_expect_str_eq(numbers(get("?_since=101")), "2 3");
	cr_expect_str_eq(numbers(get("?_sort=-last_modified")), "2 3 0 1");
	cr_expect_str_eq(numbers(get("")), "0 1 2 3");
}
