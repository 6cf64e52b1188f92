/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request points to: parent ids and URIs (section 03-1). */
#include <cliquet/str.h>

#include "core/resource_impl.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;

static const struct clq_resource bucket = { .name = "bucket",
	.plural_path = "/buckets" };
static const struct clq_resource collection = { .name = "collection",
	.plural_path = "/buckets/{bucket_id}/collections" };
static const struct clq_resource record = { .name = "record",
	.plural_path =
	    "/buckets/{bucket_id}/collections/{collection_id}/records" };
static const struct clq_resource note = { .name = "note",
	.plural_path = "/my/notes", .flags = CLQ_RESOURCE_USER };

static const struct clq_resource_entry buckets = { .decl = &bucket,
	.ids = &clq_id_name };
static const struct clq_resource_entry collections = {
	.decl = &collection, .ids = &clq_id_name };
static const struct clq_resource_entry records = { .decl = &record,
	.parent = &collections, .ids = &clq_id_relaxed };
static const struct clq_resource_entry notes = { .decl = &note,
	.ids = &clq_id_uuid4 };

static void
setup(void)
{
	lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n");
}

static void
teardown(void)
{
	loopback_free(&lb);
}

TestSuite(uri, .init = setup, .fini = teardown);

static struct clq_request *
request(const char *b, const char *c, const char *id)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);
	const struct clq_pair vars[] = {
		{ CLQ_STR("bucket_id"), clq_str_of(b) },
		{ CLQ_STR("collection_id"), clq_str_of(c) },
		{ CLQ_STR("id"), clq_str_of(id) },
	};

	for (size_t i = 0; i < CLQ_COUNT(vars); i++)
		if (vars[i].value.p != NULL)
			req->vars[req->nvars++] = vars[i];
	return req;
}

static void
expect(const struct clq_place *at, const char *coll_parent,
    const char *parent, const char *plural, const char *object)
{
	cr_expect(clq_str_is(at->coll.parent, coll_parent), "%.*s",
	    CLQ_FMT(at->coll.parent));
	cr_expect(clq_str_is(at->parent, parent), "%.*s",
	    CLQ_FMT(at->parent));
	cr_expect(clq_str_is(at->plural, plural), "%.*s",
	    CLQ_FMT(at->plural));
	if (object == NULL)
		cr_expect_null(at->object.p);
	else
		cr_expect(clq_str_is(at->object, object), "%.*s",
		    CLQ_FMT(at->object));
}

Test(uri, of_lists)
{
	struct clq_place at;

	clq_place_of_request(request(NULL, NULL, NULL), &buckets, &at);
	expect(&at, "", "", "/buckets", NULL);
	clq_place_of_request(request("b", NULL, NULL), &collections, &at);
	expect(&at, "/buckets/b", "/buckets/b", "/buckets/b/collections",
	    NULL);
	clq_place_of_request(request("b", "c", NULL), &records, &at);
	expect(&at, "/buckets/b/collections/c", "/buckets/b/collections/c",
	    "/buckets/b/collections/c/records", NULL);
	cr_expect(clq_str_is(at.coll.resource, "record"));
}

Test(uri, of_objects)
{
	struct clq_place at;

	clq_place_of_request(request(NULL, NULL, "x"), &buckets, &at);
	expect(&at, "", "", "/buckets", "/buckets/x");
	cr_expect(clq_str_is(at.id, "x"));
	clq_place_of_request(request("b", "c", "r"), &records, &at);
	expect(&at, "/buckets/b/collections/c", "/buckets/b/collections/c",
	    "/buckets/b/collections/c/records",
	    "/buckets/b/collections/c/records/r");
}

Test(uri, by_parent_id)
{
	struct clq_place at;

	clq_place_of_id(lb.arena, &buckets, CLQ_STR(""), CLQ_STR("b"), &at);
	expect(&at, "", "", "/buckets", "/buckets/b");
	clq_place_of_id(lb.arena, &collections, CLQ_STR("/buckets/b"),
	    CLQ_STR("c"), &at);
	expect(&at, "/buckets/b", "/buckets/b", "/buckets/b/collections",
	    "/buckets/b/collections/c");
	clq_place_of_id(lb.arena, &notes, CLQ_STR("me"), CLQ_STR("n"), &at);
	expect(&at, "me", "/my", "/my/notes", "/my/notes/n");
}

Test(uri, of_the_parent_object)
{
	struct clq_request *req = request("b", "c", NULL);
	struct clq_place at;
	struct clq_want want;

	clq_place_of_request(req, &records, &at);
	clq_place_of_parent(req, &records, &at, &want);
	cr_expect(clq_str_is(want.coll.resource, "collection"));
	cr_expect(clq_str_is(want.coll.parent, "/buckets/b"));
	cr_expect(clq_str_is(want.id, "c"));
}

Test(uri, lists_of_users)
{
	struct clq_request *req = request(NULL, NULL, NULL);
	struct clq_place at;

	clq_place_of_request(req, &notes, &at);
	cr_expect_null(at.coll.parent.p);
	req = request(NULL, NULL, NULL);
	clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Authorization"),
	    CLQ_STR("Basic bWF0OnNlY3Iz"));
	clq_place_of_request(req, &notes, &at);
	cr_expect(clq_str_starts(at.coll.parent, "basicauth:"));
	cr_expect(clq_str_is(at.plural, "/my/notes"));
}

Test(uri, ids_are_bounded)
{
	char id[CLQ_MAX_URI + 1];
	struct clq_place at;

	memset(id, 'x', sizeof id);
	id[sizeof id - 1] = '\0';
	clq_place_of_request(request(NULL, NULL, id), &buckets, &at);
	cr_expect_not(clq_id_valid(&buckets, &at));
	id[CLQ_MAX_URI - strlen("/buckets/")] = '\0';
	clq_place_of_request(request(NULL, NULL, id), &buckets, &at);
	cr_expect(clq_id_valid(&buckets, &at));
	clq_place_of_request(request(NULL, NULL, "a b"), &buckets, &at);
	cr_expect_not(clq_id_valid(&buckets, &at));
	clq_place_of_request(request(NULL, NULL, "not-a-uuid"), &notes, &at);
	cr_expect_not(clq_id_valid(&notes, &at));
}

/* ---- clq_locate() ------------------------------------------------------ */

static struct clq_resource history = { .name = "history",
	.plural_path = "/buckets/{bucket_id}/history", .object_methods = ~0u };

static void
declare_all(void)
{
	static struct clq_resource_entry all[4];

	all[0] = buckets;
	all[1] = collections;
	all[2] = records;
	all[3] = (struct clq_resource_entry){ .decl = &history,
		.ids = &clq_id_uuid4 };
	lb.srv->resources = all;
	lb.srv->nresources = 4;
}

Test(uri, is_located)
{
	struct clq_located at;

	declare_all();
	cr_assert(clq_locate(lb.srv, CLQ_STR("/buckets/b"), &at));
	cr_expect_eq(at.resource, &bucket);
	cr_expect(clq_str_is(at.id, "b"));
	cr_expect(clq_str_is(at.parent, ""));
	cr_expect_eq(at.nvars, 0);
	cr_assert(clq_locate(lb.srv,
	    CLQ_STR("/buckets/b/collections/c/records/r"), &at));
	cr_expect_eq(at.resource, &record);
	cr_expect(clq_str_is(at.id, "r"));
	cr_expect(clq_str_is(at.parent, "/buckets/b/collections/c"));
	cr_assert_eq(at.nvars, 2);
	cr_expect(clq_str_is(at.vars[0].name, "bucket_id"));
	cr_expect(clq_str_is(at.vars[0].value, "b"));
	cr_expect(clq_str_is(at.vars[1].name, "collection_id"));
	cr_expect(clq_str_is(at.vars[1].value, "c"));
}

Test(uri, that_names_no_object_is_not_located)
{
	static const char *const uris[] = {
		"", "/", "b", "/buckets", "/buckets/", "/buckets/a.b",
		"buckets/b", "//buckets/b", "/buckets/b/", "/groups/b",
		"/buckets//collections/c", "/buckets/b/collections",
		"/buckets/b/collections/c/records", "/buckets/b/c/d",
		"/buckets/b/history/6f3d8e5c-0b0f-4d7b-9c1e-0f7d0c9e1a2b",
	};
	struct clq_located at;

	declare_all();
	for (size_t i = 0; i < CLQ_COUNT(uris); i++)
		cr_expect(!clq_locate(lb.srv, clq_str_of(uris[i]), &at),
		    "%s", uris[i]);
}
