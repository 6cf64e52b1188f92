/* SPDX-License-Identifier: Apache-2.0 */
/* Registering resources: routes, verbs, ids, and what is refused. */
#include <cliquet/str.h>

#include "core/resource.h"
#include "core/router.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;
static struct fake_backend fake;

static void
start(const char *ini)
{
	lb = loopback_new(ini);
	memset(&fake, 0, sizeof fake);
	loopback_fake(&lb, &fake);
}

static void
stop(void)
{
	loopback_free(&lb);
}

static struct clq_resource
resource(const char *name, const char *path)
{
	return (struct clq_resource){ .size = sizeof(struct clq_resource),
		.name = name, .plural_path = path };
}

static const struct clq_route *
route(const char *path)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	return clq_router_match(req, clq_str_of(path));
}

/* "GET,HEAD,..." in the order of Allow. */
static const char *
allow(const char *path)
{
	const struct clq_route *r = route(path);
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, 0);
	for (size_t i = 0; r != NULL && i < r->norder; i++)
		clq_buf_printf(&b, "%s%s", i > 0 ? "," : "",
		    clq_method_name(r->order[i]));
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(registry, a_resource_gets_two_routes)
{
	struct clq_resource r = resource("thing", "/things");

	start("project_version = 1.0\n");
	cr_assert_eq(clq_add_resource(lb.srv, &r), CLQ_OK);
	cr_expect_str_eq(allow("/things"), "HEAD,GET,POST,DELETE,OPTIONS");
	cr_expect_str_eq(allow("/things/x"),
	    "GET,HEAD,PUT,PATCH,DELETE,OPTIONS");
	cr_expect_str_eq(route("/things")->name, "thing-plural");
	cr_expect_str_eq(route("/things/x")->name, "thing-object");
	cr_expect_eq(route("/things")->resource, &r);
	cr_expect_eq(route("/things")->ctx, clq_resource_entry(lb.srv, &r));
	cr_expect_eq(clq_find_resource(lb.srv, "thing"), &r);
	cr_expect_null(clq_find_resource(lb.srv, "other"));
	stop();
}

Test(registry, paths_that_a_url_cannot_have)
{
	static const char *const good[] = { "/a", "/a/{b}/c", "/a-b/c.d" };
	static const char *const bad[] = { "", "/", "a", "/a/", "/a/{b}",
	    "/a/{id}/b", "/a b", "/a\tb", "/a?b", "/a#b", "/a//b" };

	for (size_t i = 0; i < CLQ_COUNT(good); i++)
		cr_expect_null(clq_path_fault(good[i]), "%s", good[i]);
	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not_null(clq_path_fault(bad[i]), "%s", bad[i]);
}

Test(registry, verbs_as_declared)
{
	struct clq_resource r = resource("thing", "/things");

	r.plural_methods = CLQ_BIT(CLQ_METHOD_GET) |
	    CLQ_BIT(CLQ_METHOD_DELETE);
	r.object_methods = ~0u;
	start("project_version = 1.0\n");
	cr_assert_eq(clq_add_resource(lb.srv, &r), CLQ_OK);
	cr_expect_str_eq(allow("/things"), "GET,HEAD,DELETE,OPTIONS");
	cr_expect_eq(route("/things")->verbs[CLQ_METHOD_HEAD].view,
	    clq_plural_get);
	cr_expect_null(route("/things/x"));
	stop();
}

Test(registry, verbs_are_disabled_by_settings)
{
	struct clq_resource r = resource("thing", "/things");

	start("project_version = 1.0\n"
	    "plural_thing_delete_enabled = false\n"
	    "collection_thing_post_enabled = false\n"
	    "object_thing_put_enabled = false\n"
	    "record_thing_patch_enabled = no\n"
	    "object_other_get_enabled = false\n");
	cr_assert_eq(clq_add_resource(lb.srv, &r), CLQ_OK);
	cr_expect_str_eq(allow("/things"), "HEAD,GET,OPTIONS");
	cr_expect_str_eq(allow("/things/x"), "GET,HEAD,DELETE,OPTIONS");
	stop();
}

Test(registry, a_disabled_head_is_not_served_by_get)
{
	struct clq_resource r = resource("thing", "/things");

	start("project_version = 1.0\n"
	    "plural_thing_head_enabled = false\n"
	    "object_thing_head_enabled = false\n");
	cr_assert_eq(clq_add_resource(lb.srv, &r), CLQ_OK);
	cr_expect_str_eq(allow("/things"), "GET,POST,DELETE,OPTIONS");
	cr_expect_str_eq(allow("/things/x"),
	    "GET,PUT,PATCH,DELETE,OPTIONS");
	stop();
}

Test(registry, readonly_keeps_safe_verbs)
{
	struct clq_resource r = resource("thing", "/things");

	start("project_version = 1.0\nreadonly = true\n");
	cr_assert_eq(clq_add_resource(lb.srv, &r), CLQ_OK);
	cr_expect_str_eq(allow("/things"), "HEAD,GET,OPTIONS");
	cr_expect_str_eq(allow("/things/x"), "GET,HEAD,OPTIONS");
	stop();
}

Test(registry, ids_by_declaration_and_setting)
{
	struct clq_resource a = resource("a", "/a"), b = resource("b", "/b");
	struct clq_resource c = resource("c", "/c");

	start("project_version = 1.0\nid_generator = name\n"
	    "c_id_generator = kinto.views.RelaxedUUID\n");
	b.ids = &clq_id_uuid4;
	c.ids = &clq_id_name;
	cr_assert_eq(clq_add_resource(lb.srv, &a), CLQ_OK);
	cr_assert_eq(clq_add_resource(lb.srv, &b), CLQ_OK);
	cr_assert_eq(clq_add_resource(lb.srv, &c), CLQ_OK);
	cr_expect_eq(clq_resource_entry(lb.srv, &a)->ids, &clq_id_name);
	cr_expect_eq(clq_resource_entry(lb.srv, &b)->ids, &clq_id_uuid4);
	cr_expect_eq(clq_resource_entry(lb.srv, &c)->ids, &clq_id_relaxed);
	stop();
}

Test(registry, refuses_an_unknown_id_generator)
{
	struct clq_resource r = resource("thing", "/things");

	start("project_version = 1.0\nthing_id_generator = foo.Bar\n");
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	stop();
}

Test(registry, what_ids_look_like)
{
	static const struct {
		const char	*id;
		bool		 name;
		bool		 uuid4;
	} cases[] = {
		{ "a", true, false }, { "9", true, false },
		{ "a-b_c", true, false }, { "-a", false, false },
		{ "_a", false, false }, { "", false, false },
		{ "a b", false, false }, { "a\n", false, false },
		{ "a/b", false, false }, { "a.b", false, false },
		{ "\xc3\xa9", false, false },
		{ "73141b75-6d02-4c03-8aee-82ad1ea55d41", true, true },
		{ "73141b75-6d02-0c03-8aee-82ad1ea55d41", true, false },
		{ "73141b75-6d02-4c03-6aee-82ad1ea55d41", true, false },
		{ "73141B75-6d02-4c03-8aee-82ad1ea55d41", true, false },
		{ "73141b75-6d02-4c03-8aee-82ad1ea55d4", true, false },
	};
	struct clq_arena *arena = clq_arena_new();

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_str id = clq_str_of(cases[i].id);

		cr_expect_eq(clq_id_name.valid(id), cases[i].name, "%s",
		    cases[i].id);
		cr_expect_eq(clq_id_relaxed.valid(id), cases[i].name);
		cr_expect_eq(clq_id_uuid4.valid(id), cases[i].uuid4, "%s",
		    cases[i].id);
	}
	for (int i = 0; i < 1000; i++) {
		cr_assert(clq_id_name.valid(clq_id_name.make(arena)));
		cr_assert(clq_id_uuid4.valid(clq_id_relaxed.make(arena)));
	}
	cr_expect_eq(clq_id_name.make(arena).len, 8);
	clq_arena_free(&arena);
}

static struct clq_str
make_bad(struct clq_arena *arena)
{
	(void)arena;
	return CLQ_STR("-bad");
}

static bool
accept_all(struct clq_str id)
{
	(void)id;
	return true;
}

Test(registry, refuses_bad_declarations)
{
	static const char *const paths[] = {
		"", "/", "things", "/things/", "//things", "/a//b", "/{id}/b",
		"/a/{b", "/a/b}", "/a{b}", "/a/{}/c", "/a/{b}",
	};
	static const struct clq_field reserved[] = { { .name = "id" } };
	static const struct clq_field bad_default[] = {
		{ .name = "f", .def = "{" }
	};
	static const struct clq_id_kind own = { make_bad, NULL };
	static const struct clq_id_kind loose = { NULL, accept_all };
	struct clq_id_kind wrong = own;
	struct clq_resource r;

	start("project_version = 1.0\n");
	for (size_t i = 0; i < CLQ_COUNT(paths); i++) {
		r = resource("thing", paths[i]);
		cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID, "%s",
		    paths[i]);
	}
	r = resource("", "/things");
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r = resource("thing", "/things");
	r.size = 8;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r = resource("thing", "/things");
	r.parent = "nobody";
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r = resource("thing", "/things");
	r.fields = reserved;
	r.nfields = 1;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r.fields = bad_default;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r = resource("thing", "/a/{b}/things");
	r.flags = CLQ_RESOURCE_USER;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r = resource("thing", "/things");
	wrong.valid = clq_id_name.valid;
	r.ids = &wrong;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	r.ids = &loose;
	cr_expect_eq(clq_add_resource(lb.srv, &r), CLQ_INVALID);
	cr_expect_eq(lb.srv->nresources, 0);
	stop();
}

Test(registry, refuses_duplicates)
{
	struct clq_resource a = resource("a", "/a"), b = resource("a", "/b");
	struct clq_resource c = resource("c", "/a");

	start("project_version = 1.0\n");
	cr_assert_eq(clq_add_resource(lb.srv, &a), CLQ_OK);
	cr_expect_eq(clq_add_resource(lb.srv, &b), CLQ_INVALID);
	cr_expect_eq(clq_add_resource(lb.srv, &c), CLQ_INVALID);
	stop();
}

Test(registry, a_child_is_below_its_parent)
{
	struct clq_resource a = resource("a", "/as");
	struct clq_resource b = resource("b", "/as/{a_id}/bs");
	struct clq_resource c = resource("c", "/cs/{a_id}/cs");
	struct clq_resource d = resource("d", "/as/{a_id}/x/ds");

	b.parent = c.parent = d.parent = "a";
	start("project_version = 1.0\n");
	cr_assert_eq(clq_add_resource(lb.srv, &a), CLQ_OK);
	cr_expect_eq(clq_add_resource(lb.srv, &b), CLQ_OK);
	cr_expect_eq(clq_add_resource(lb.srv, &c), CLQ_INVALID);
	cr_expect_eq(clq_add_resource(lb.srv, &d), CLQ_INVALID);
	cr_expect_eq(clq_resource_entry(lb.srv, &b)->parent,
	    clq_resource_entry(lb.srv, &a));
	stop();
}

Test(registry, needs_a_storage_backend)
{
	struct clq_resource a = resource("a", "/as");

	lb = loopback_new("project_version = 1.0\n");
	cr_expect_eq(clq_add_resource(lb.srv, &a), CLQ_INVALID);
	stop();
}
