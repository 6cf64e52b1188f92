/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters: operators, typing, errors, sort, limit (section 04). */
#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "core/query.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;

static const struct clq_field strict_fields[] = {
	{ .name = "name", .type = CLQ_FIELD_STRING },
	{ .name = "target", .type = CLQ_FIELD_OBJECT },
	{ .name = "serial", .type = CLQ_FIELD_STRING,
	  .flags = CLQ_FIELD_TYPED | CLQ_FIELD_TEXT },
	{ .name = "action", .type = CLQ_FIELD_STRING,
	  .flags = CLQ_FIELD_TYPED },
	{ .name = "code", .type = CLQ_FIELD_ANY, .flags = CLQ_FIELD_TEXT },
};
static const struct clq_resource loose = {
	.size = sizeof loose, .name = "loose", .plural_path = "/looses",
};
static const struct clq_resource strict = {
	.size = sizeof strict, .name = "strict", .plural_path = "/stricts",
	.flags = CLQ_RESOURCE_STRICT, .fields = strict_fields,
	.nfields = CLQ_COUNT(strict_fields),
};

static void
setup(void)
{
	lb = loopback_new("project_version = 1.0\n"
	    "paginate_by = 50\nstorage_max_fetch_size = 200\n");
}

static void
teardown(void)
{
	loopback_free(&lb);
}

TestSuite(query, .init = setup, .fini = teardown);

static struct clq_request *
request(const char *query)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->raw_query = clq_str_of(query);
	cr_assert_eq(clq_request_decode_query(req), CLQ_OK);
	return req;
}

/* Both steps; the request tells what went wrong. */
static struct clq_request *
parse(const struct clq_resource *decl, const char *query,
    struct clq_query *q)
{
	struct clq_request *req = request(query);
	struct clq_params params;

	memset(q, 0, sizeof *q);
	clq_params_read(req, &params);
	if (req->error.ninvalid == 0 &&
	    clq_query_read(req, decl, &params, q) != CLQ_OK)
		cr_expect(req->error.ninvalid > 0, "%s", query);
	return req;
}

/* "field op value" of the only filter. */
static void
expect_filter(const char *query, const char *field, enum clq_op op,
    const char *value)
{
	struct clq_query q;
	struct clq_request *req = parse(&loose, query, &q);

	cr_expect_eq(req->error.ninvalid, 0, "%s", query);
	cr_assert_eq(q.nfilters, 1, "%s: %zu filters", query, q.nfilters);
	cr_expect(clq_str_is(q.filters[0].field, field), "%s: field %.*s",
	    query, CLQ_FMT(q.filters[0].field));
	cr_expect_eq(q.filters[0].op, op, "%s", query);
	cr_expect(clq_str_is(clq_json_text(lb.arena, q.filters[0].value),
	    value), "%s: %.*s", query, CLQ_FMT(clq_json_text(lb.arena,
	    q.filters[0].value)));
}

/* The first error: location, name (NULL: null) and description. */
static void
expect_error(const struct clq_resource *decl, const char *query,
    const char *name, const char *description)
{
	struct clq_query q;
	struct clq_request *req = parse(decl, query, &q);
	const struct clq_detail *d = req->error.invalid;

	cr_assert_gt(req->error.ninvalid, 0, "%s", query);
	cr_expect_eq(req->error.errno_, 107);
	if (name == NULL)
		cr_expect_null(d->name.p, "%s", query);
	else
		cr_expect(clq_str_is(d->name, name), "%s: name %.*s", query,
		    CLQ_FMT(d->name));
	cr_expect(clq_str_is(d->description, description), "%s: %.*s", query,
	    CLQ_FMT(d->description));
}

Test(query, reads_operators)
{
	expect_filter("a=1", "a", CLQ_OP_EQ, "1");
	expect_filter("eq_a=1", "a", CLQ_OP_EQ, "1");
	expect_filter("not_a=1", "a", CLQ_OP_NOT, "1");
	expect_filter("lt_a=1", "a", CLQ_OP_LT, "1");
	expect_filter("max_a=1", "a", CLQ_OP_MAX, "1");
	expect_filter("gt_a=1", "a", CLQ_OP_GT, "1");
	expect_filter("min_a.b=1", "a.b", CLQ_OP_MIN, "1");
	expect_filter("in_a=1,b", "a", CLQ_OP_IN, "[1,\"b\"]");
	expect_filter("exclude_a=1", "a", CLQ_OP_EXCLUDE, "[1]");
	expect_filter("like_a=x*", "a", CLQ_OP_LIKE, "\"x*\"");
	expect_filter("has_a=true", "a", CLQ_OP_HAS, "true");
	expect_filter("contains_a=1", "a", CLQ_OP_CONTAINS, "[1]");
	expect_filter("contains_any_a=[1,2]", "a", CLQ_OP_CONTAINS_ANY,
	    "[1,2]");
}

Test(query, takes_other_names_as_fields)
{
	expect_filter("foo_v=1", "foo_v", CLQ_OP_EQ, "1");
	expect_filter("min_=1", "min_", CLQ_OP_EQ, "1");
	expect_filter("MIN_a=1", "MIN_a", CLQ_OP_EQ, "1");
	expect_filter("contains_any_=1", "any_", CLQ_OP_CONTAINS, "[1]");
	expect_filter("min_a-b=1", "min_a-b", CLQ_OP_EQ, "1");
	expect_filter("%20a%20=1", "a", CLQ_OP_EQ, "1");
	expect_filter("min_%C3%A9=1", "\xc3\xa9", CLQ_OP_MIN, "1");
	expect_filter("_other=1&a=1", "a", CLQ_OP_EQ, "1");
	expect_filter("=1&a=1", "a", CLQ_OP_EQ, "1");
}

Test(query, types_values)
{
	expect_filter("a=1.0", "a", CLQ_OP_EQ, "1.0");
	expect_filter("a=%221%22", "a", CLQ_OP_EQ, "\"1\"");
	expect_filter("a=01", "a", CLQ_OP_EQ, "\"01\"");
	expect_filter("a=abc", "a", CLQ_OP_EQ, "\"abc\"");
	expect_filter("a=True", "a", CLQ_OP_EQ, "\"True\"");
	expect_filter("a=true", "a", CLQ_OP_EQ, "true");
	expect_filter("a=null", "a", CLQ_OP_EQ, "null");
	expect_filter("a={\"k\":[1]}", "a", CLQ_OP_EQ, "{\"k\":[1]}");
	expect_filter("a=", "a", CLQ_OP_EQ, "\"\"");
	expect_filter("a=+1", "a", CLQ_OP_EQ, "1");
	expect_filter("a=9007199254740993", "a", CLQ_OP_EQ,
	    "9007199254740993");
}

Test(query, splits_lists)
{
	expect_filter("in_a=%221%22,true,", "a", CLQ_OP_IN, "[\"1\",true]");
	expect_filter("in_a=", "a", CLQ_OP_IN, "[]");
	expect_filter("in_a=a,%20b", "a", CLQ_OP_IN, "[\"a\",\" b\"]");
	expect_filter("in_a=%22%22", "a", CLQ_OP_IN, "[\"\"]");
	expect_filter("in_a=x,y&in_a=z", "a", CLQ_OP_IN, "[\"x,y\",\"z\"]");
	expect_filter("contains_a=1,2", "a", CLQ_OP_CONTAINS, "[\"1,2\"]");
	expect_filter("a=1&a=2", "a", CLQ_OP_EQ, "[\"1\",\"2\"]");
}

Test(query, text_fields_take_numbers_as_they_were_sent)
{
	static const struct {
		const char	*query, *value;
	} cases[] = {
		{ "serial=12", "\"12\"" }, { "serial=012", "\"012\"" },
		{ "serial=1.0", "\"1.0\"" }, { "serial=\"12\"", "\"12\"" },
		{ "serial=true", "true" }, { "action=12", "12" },
		{ "name=12", "\"12\"" }, { "name=1.0", "\"1.0\"" },
		{ "name=true", "\"true\"" }, { "name=[1]", "\"[1]\"" },
		{ "name=\"12\"", "\"12\"" }, { "name=null", "null" },
		{ "name=\"null\"", "\"null\"" }, { "like_name=12", "\"12\"" },
		{ "in_name=12,\"13\",true", "[\"12\",\"13\",\"true\"]" },
		{ "code=12", "\"12\"" }, { "code=true", "\"true\"" },
		{ "has_name=0", "false" },
		{ "in_serial=12,a,013", "[\"12\",\"a\",\"013\"]" },
		{ "contains_serial=12", "[\"12\"]" },
		{ "like_serial=12", "\"12\"" }, { "serial.x=12", "12" },
	};
	struct clq_query q;

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		cr_assert_eq(parse(&strict, cases[i].query,
		    &q)->error.ninvalid, 0, "%s", cases[i].query);
		cr_expect(clq_str_is(clq_json_text(lb.arena,
		    q.filters[0].value), cases[i].value), "%s",
		    cases[i].query);
	}
}

Test(query, has_follows_truth)
{
	expect_filter("has_a=false", "a", CLQ_OP_HAS, "false");
	expect_filter("has_a=0", "a", CLQ_OP_HAS, "false");
	expect_filter("has_a=", "a", CLQ_OP_HAS, "false");
	expect_filter("has_a=null", "a", CLQ_OP_HAS, "false");
	expect_filter("has_a=no", "a", CLQ_OP_HAS, "true");
	expect_filter("has_id=1", "id", CLQ_OP_HAS, "true");
	expect_filter("has_last_modified=1", "last_modified", CLQ_OP_HAS,
	    "true");
}

Test(query, like_and_id_need_text)
{
	expect_filter("like_a=%221%22", "a", CLQ_OP_LIKE, "\"1\"");
	expect_filter("id=%22i1%22", "id", CLQ_OP_EQ, "\"i1\"");
	expect_filter("gt_id=12", "id", CLQ_OP_GT, "\"12\"");
	expect_filter("in_id=a,b", "id", CLQ_OP_IN, "[\"a\",\"b\"]");
	expect_error(&loose, "like_a=1", "like_a", "Invalid value for like_a");
	expect_error(&loose, "id=1", "id", "Invalid value for id");
	expect_error(&loose, "in_id=1,2", "in_id", "Invalid value for in_id");
	expect_error(&loose, "id=a&id=b", "id", "Invalid value for id");
	expect_error(&loose, "contains_id=a", "contains_id",
	    "Invalid value for contains_id");
	expect_error(&loose, "min_id=true", "min_id",
	    "Invalid value for min_id");
}

Test(query, timestamps_are_integers_in_range)
{
	struct clq_str far = clq_arena_printf(lb.arena, "_since=%lld",
	    (long long)clq_now() + 2 * 86400 * 1000);
	struct clq_str soon = clq_arena_printf(lb.arena, "_since=%lld",
	    (long long)clq_now() + 3600 * 1000);
	struct clq_query q;

	expect_filter("_since=12", "last_modified", CLQ_OP_GT, "12");
	expect_filter("_since=%2212%22", "last_modified", CLQ_OP_GT, "12");
	expect_filter("_since=12.9", "last_modified", CLQ_OP_GT, "12");
	expect_filter("_before=12", "last_modified", CLQ_OP_LT, "12");
	expect_filter("min_last_modified=0", "last_modified", CLQ_OP_MIN, "0");
	cr_expect_eq(parse(&loose, soon.p, &q)->error.ninvalid, 0);
	expect_error(&loose, far.p, "_since", "Invalid value for _since");
	expect_error(&loose, "_since=abc", "_since",
	    "\"abc\" is not a number");
	expect_error(&loose, "_since=", "_since", "\"\" is not a number");
	expect_error(&loose, "_since=-1", "_since",
	    "-1 is less than minimum value 0");
	expect_error(&loose, "_since=null", "_since",
	    "\"null\" is not a number");
	expect_error(&loose, "_since=true", "_since",
	    "\"true\" is not a number");
	expect_error(&loose, "_since=1&_since=2", "_since",
	    "The parameter is given more than once");
	expect_error(&loose, "last_modified=x", "last_modified",
	    "\"x\" is not a number");
	expect_error(&loose, "min_last_modified=1.5", "min_last_modified",
	    "Invalid value for min_last_modified");
	expect_error(&loose, "in_last_modified=1,2", "in_last_modified",
	    "Invalid value for in_last_modified");
	expect_error(&loose, "_since=99999999999999999999", "_since",
	    "99999999999999999999 is greater than maximum value "
	    "9223372036854775808");
}

Test(query, tombstones_come_with_timestamps)
{
	struct clq_query q;

	parse(&loose, "a=1", &q);
	cr_expect_not(q.include_deleted);
	parse(&loose, "deleted=true", &q);
	cr_expect_not(q.include_deleted);
	parse(&loose, "_since=1", &q);
	cr_expect(q.include_deleted);
	parse(&loose, "has_last_modified=true", &q);
	cr_expect(q.include_deleted);
}

Test(query, to_raises_an_alert)
{
	struct clq_query q;
	struct clq_request *req = parse(&loose, "_to=5", &q);

	cr_expect_eq(q.filters[0].op, CLQ_OP_LT);
	cr_expect_neq(clq_str_search(req->alert, CLQ_STR("soft-eol")),
	    req->alert.len);
	cr_expect_null(parse(&loose, "_before=5", &q)->alert.p);
}

static void
expect_sort(const char *query, const char *text)
{
	struct clq_query q;
	struct clq_buf b;

	cr_expect_eq(parse(&loose, query, &q)->error.ninvalid, 0);
	clq_buf_init(&b, lb.arena, 0);
	for (size_t i = 0; i < q.nsorts; i++)
		clq_buf_printf(&b, "%s%.*s ", q.sorts[i].descending ? "-" :
		    "", CLQ_FMT(q.sorts[i].field));
	cr_expect(clq_str_is(clq_buf_str(&b), text), "%s: %.*s", query,
	    CLQ_FMT(clq_buf_str(&b)));
}

Test(query, reads_sort)
{
	expect_sort("", "-last_modified ");
	expect_sort("_sort=a", "a -last_modified ");
	expect_sort("_sort=-a,+b, c.d ", "-a b c.d -last_modified ");
	expect_sort("_sort=last_modified", "last_modified ");
	expect_sort("_sort=-last_modified,a", "-last_modified a ");
	expect_sort("_sort=a b,,!", "-last_modified ");
}

Test(query, strict_resources_know_their_fields)
{
	struct clq_query q;

	cr_expect_eq(parse(&strict, "name=1&min_target.x=2&id=a&deleted=true"
	    "&_sort=name&_fields=name,target.y", &q)->error.ninvalid, 0);
	expect_error(&strict, "min_foo=1", "min_foo",
	    "Unknown filter field 'min_foo'");
	expect_error(&strict, "_sort=foo", NULL, "Unknown sort field 'foo'");
	expect_error(&strict, "_fields=name,x,y", "Invalid _fields parameter",
	    "Fields x,y do not exist");
}

static size_t
limit_of(const char *query)
{
	struct clq_query q;

	cr_expect_eq(parse(&loose, query, &q)->error.ninvalid, 0, "%s", query);
	return q.limit;
}

Test(query, limits)
{
	cr_expect_eq(limit_of(""), 50);
	cr_expect_eq(limit_of("_limit=10"), 10);
	cr_expect_eq(limit_of("_limit=100"), 50);
	cr_expect_eq(limit_of("_limit=0"), 50);
	cr_expect_eq(limit_of("_limit="), 50);
	cr_expect_eq(limit_of("_limit=%222%22"), 2);
	cr_expect_eq(limit_of("_limit=1.5"), 1);
	lb.srv->paginate_by = 0;
	cr_expect_eq(limit_of(""), 200);
	cr_expect_eq(limit_of("_limit=1000"), 200);
	expect_error(&loose, "_limit=-1", "_limit",
	    "-1 is less than minimum value 0");
	expect_error(&loose, "_limit=x", "_limit", "\"x\" is not a number");
	expect_error(&loose, "_limit=1&_limit=2", "_limit",
	    "The parameter is given more than once");
}

/* n parameters "f<i>=1". */
static const char *
many(size_t n)
{
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, n * 8);
	for (size_t i = 0; i < n; i++)
		clq_buf_printf(&b, "f%zu=1&", i);
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(query, is_bounded)
{
	char *big = clq_arena_alloc(lb.arena, 1024 * 1024 + 3);
	struct clq_query q;

	memset(big, 'x', 1024 * 1024 + 2);
	big[1] = '=';
	cr_expect_eq(parse(&loose, many(500), &q)->error.ninvalid, 0);
	cr_expect_eq(q.nfilters, 500);
	expect_error(&loose, many(513), NULL,
	    "There may be at most 512 filters");
	expect_error(&loose, many(2000), NULL,
	    "There may be at most 1024 parameters");
	cr_expect_gt(parse(&loose, big, &q)->error.ninvalid, 0);
}

Test(query, refuses_nul)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);
	struct clq_params params;

	clq_pairs_add(lb.arena, &req->params, CLQ_STR("a"), CLQ_STR("x\0y"));
	clq_params_read(req, &params);
	cr_assert_eq(req->error.ninvalid, 1);
	cr_expect(clq_str_is(req->error.invalid[0].description,
	    "Invalid character 0x00"));
	cr_expect(clq_str_is(req->error.invalid[0].name, "a"));
}

Test(query, fields_drop_empty_items)
{
	struct clq_request *req = request("_fields=a,,%20b,");
	struct clq_params params;

	clq_params_fields(req, &params);
	cr_assert_eq(params.fields.n, 2);
	cr_expect(clq_str_is(params.fields.items[1], " b"));
}

Test(query, timestamp_of_a_deletion)
{
	clq_msec t = 0;

	cr_expect(clq_params_timestamp(request("last_modified=12"), &t));
	cr_expect_eq(t, 12);
	cr_expect(clq_params_timestamp(request("last_modified=%2213%22"),
	    &t));
	cr_expect_eq(t, 13);
	cr_expect_not(clq_params_timestamp(request("a=1"), &t));
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = {
			"last_modified=x", "last_modified=1.5",
			"last_modified=", "last_modified=-1",
			"last_modified=99999999999999999999"
		};
		struct clq_request *req = request(bad[i]);

		cr_expect_not(clq_params_timestamp(req, &t));
		cr_expect_eq(req->error.ninvalid, 1, "%s", bad[i]);
	}
}
