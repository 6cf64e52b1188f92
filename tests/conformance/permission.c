/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every permission backend promises (<cliquet/permission.h>, sections
 * 06-3, 06-10, 11-5.2). Knows no backend.
 */
#include "tests/conformance/permission.h"

#include <cliquet/str.h>

int
main(int argc, char **argv)
{
	return fixture_main(argc, argv, "permission");
}

/* ---- entries ---------------------------------------------------------- */

PermissionTest(entry, is_added_and_removed)
{
	allow("/buckets/b", "write", "alice");
	allow("/buckets/b", "write", "bob");
	allow("/buckets/b", "read", "carol");
	cr_expect_str_eq(acl_of("/buckets/b"), "read=carol write=alice,bob");
	disallow("/buckets/b", "write", "alice");
	cr_expect_str_eq(acl_of("/buckets/b"), "read=carol write=bob");
	disallow("/buckets/b", "read", "carol");
	cr_expect_str_eq(acl_of("/buckets/b"), "write=bob");
}

PermissionTest(entry, can_be_added_and_removed_twice)
{
	allow("/o", "write", "alice");
	allow("/o", "write", "alice");
	cr_expect_str_eq(acl_of("/o"), "write=alice");
	disallow("/o", "write", "alice");
	disallow("/o", "write", "alice");
	disallow("/none", "write", "alice");
	cr_expect_str_eq(acl_of("/o"), "");
}

PermissionTest(replace, sets_what_is_listed_and_leaves_the_rest)
{
	static const char *const first[] = { "read", "a b", "write", "c",
	    "record:create", "d", NULL };
	static const char *const then[] = { "read", "x", "write", "", NULL };

	replace("/o", first);
	cr_expect_str_eq(acl_of("/o"), "read=a,b record:create=d write=c");
	replace("/o", then);
	cr_expect_str_eq(acl_of("/o"), "read=x record:create=d");
}

PermissionTest(replace, takes_a_principal_named_twice_once)
{
	static const char *const twice[] = { "read", "a b a", NULL };

	replace("/o", twice);
	replace("/o", twice);
	cr_expect_str_eq(acl_of("/o"), "read=a,b");
}

PermissionTest(entry, may_hold_any_text)
{
	static const char *const texts[] = { "'", "\"", "\\", "%", "_",
	    "; DROP TABLE x", "\xf0\x9d\x84\x9e", "a=b", "{}", "[]" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(texts); i++)
		allow(texts[i], texts[i], texts[i]);
	for (i = 0; i < CLQ_COUNT(texts); i++) {
		cr_expect_str_eq(acl_of(texts[i]), clq_arena_printf(fx.arena,
		    "%s=%s", texts[i], texts[i]).p);
		delete_objects(i == 5 ? "none" : texts[i]);
		cr_expect_str_eq(acl_of(texts[i]), i == 5 ?
		    "; DROP TABLE x=; DROP TABLE x" : "");
	}
}

/* ---- deleting --------------------------------------------------------- */

static void
allow_tree(void)
{
	static const char *const objects[] = { "/buckets/b",
	    "/buckets/b/collections/c", "/buckets/b/collections/c/records/r",
	    "/buckets/bb", "/buckets/b%", "/buckets/b_/groups/g" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(objects); i++)
		allow(objects[i], "write", "alice");
}

PermissionTest(delete, of_a_uri_touches_no_other)
{
	allow_tree();
	delete_objects("/buckets/b");
	cr_expect_str_eq(acl_of("/buckets/b"), "");
	cr_expect_str_eq(acl_of("/buckets/b/collections/c"), "write=alice");
	cr_expect_str_eq(acl_of("/buckets/bb"), "write=alice");
}

PermissionTest(delete, of_a_pattern_takes_what_begins_so)
{
	allow_tree();
	delete_objects("/buckets/b/*");
	cr_expect_str_eq(accessible("alice", NULL, true), "/buckets/b=write "
	    "/buckets/b%=write /buckets/b_/groups/g=write /buckets/bb=write");
	delete_objects("/buckets/b%* /buckets/b_*");
	cr_expect_str_eq(accessible("alice", NULL, true),
	    "/buckets/b=write /buckets/bb=write");
	delete_objects("/buckets/b*");
	cr_expect_str_eq(accessible("alice", NULL, true), "");
}

PermissionTest(delete, of_everything)
{
	allow_tree();
	allow("x", "write", "alice");
	delete_objects("*");
	cr_expect_str_eq(accessible("alice", NULL, true), "");
}

/* ---- groups ----------------------------------------------------------- */

PermissionTest(group, is_given_and_taken)
{
	member("alice", "/buckets/b/groups/g");
	member("alice", "/buckets/b/groups/h");
	member("alice", "/buckets/b/groups/g");
	member("bob", "/buckets/b/groups/g");
	cr_expect_str_eq(groups_of("alice"),
	    "/buckets/b/groups/g,/buckets/b/groups/h");
	cr_expect_str_eq(groups_of("bob"), "/buckets/b/groups/g");
	cr_expect_str_eq(groups_of("carol"), "");
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->remove_member(fx.self, S("alice"),
	    S("/buckets/b/groups/g")), CLQ_OK);
	cr_assert_eq(ops()->remove_member(fx.self, S("alice"),
	    S("/buckets/b/groups/g")), CLQ_OK);
	commit();
	cr_expect_str_eq(groups_of("alice"), "/buckets/b/groups/h");
	cr_expect_str_eq(groups_of("bob"), "/buckets/b/groups/g");
}

PermissionTest(group, of_authenticated_users_counts_for_each_of_them)
{
	member("system.Authenticated", "/buckets/b/groups/all");
	member("alice", "/buckets/b/groups/all");
	member("alice", "/buckets/b/groups/g");
	cr_expect_str_eq(groups_of("alice"),
	    "/buckets/b/groups/all,/buckets/b/groups/g");
	cr_expect_str_eq(groups_of("anybody"), "/buckets/b/groups/all");
}

PermissionTest(forget, takes_a_principal_from_every_user)
{
	member("alice", "/buckets/b/groups/g");
	member("bob", "/buckets/b/groups/g");
	member("bob", "/buckets/b/groups/gg");
	forget("/buckets/b/groups/g");
	cr_expect_str_eq(groups_of("alice"), "");
	cr_expect_str_eq(groups_of("bob"), "/buckets/b/groups/gg");
}

PermissionTest(forget, takes_a_pattern)
{
	member("alice", "/buckets/b/groups/g");
	member("alice", "/buckets/bb/groups/g");
	member("bob", "/buckets/b/groups/h");
	member("bob", "/buckets/b%/groups/h");
	forget("/buckets/b/*");
	cr_expect_str_eq(groups_of("alice"), "/buckets/bb/groups/g");
	cr_expect_str_eq(groups_of("bob"), "/buckets/b%/groups/h");
	forget("/buckets/b_*");
	cr_expect_str_eq(groups_of("alice"), "/buckets/bb/groups/g");
}

PermissionTest(forget, leaves_entries)
{
	allow("/o", "read", "/buckets/b/groups/g");
	forget("/buckets/b/groups/g");
	cr_expect_str_eq(acl_of("/o"), "read=/buckets/b/groups/g");
}

/* ---- look-up ---------------------------------------------------------- */

PermissionTest(lookup, grants_by_principals_and_groups)
{
	struct clq_bound bounds[] = {
		{ .object = S("/o"), .permission = S("write") },
		{ .object = S("/o"), .permission = S("read") },
		{ .object = S("/p"), .permission = S("read") },
		{ .object = S("/p"), .permission = S("write") },
		{ .object = S("/none"), .permission = S("read"),
		    .granted = true },
	};
	struct clq_lookup l;

	allow("/o", "write", "alice");
	allow("/o", "read", "/groups/g");
	allow("/p", "read", "system.Everyone");
	allow("/p", "write", "bob");
	member("alice", "/groups/g");
	member("bob", "/groups/h");
	l = look("alice", "alice system.Everyone system.Authenticated",
	    bounds, 5, "/p");
	cr_expect(bounds[0].granted, "by the user id");
	cr_expect(bounds[1].granted, "by a group");
	cr_expect(bounds[2].granted, "by everyone");
	cr_expect(!bounds[3].granted);
	cr_expect(!bounds[4].granted);
	cr_expect_str_eq(strs_text(l.groups), "/groups/g");
	cr_expect_str_eq(acl_text(l.acl), "read=system.Everyone write=bob");
}

PermissionTest(lookup, of_an_anonymous_request_has_no_groups)
{
	struct clq_bound bounds[] = {
		{ .object = S("/o"), .permission = S("read") },
		{ .object = S("/p"), .permission = S("read") },
	};
	struct clq_lookup l;

	member("system.Authenticated", "/groups/all");
	allow("/o", "read", "/groups/all");
	allow("/p", "read", "system.Everyone");
	l = look(NULL, "system.Everyone", bounds, 2, NULL);
	cr_expect_eq(l.groups.n, 0);
	cr_expect(!bounds[0].granted);
	cr_expect(bounds[1].granted);
	l = look("anybody", "anybody system.Everyone system.Authenticated",
	    bounds, 2, NULL);
	cr_expect(bounds[0].granted);
}

PermissionTest(lookup, finds_one_among_many_principals)
{
	struct clq_bound bounds[] = {
		{ .object = S("/o"), .permission = S("read") },
		{ .object = S("/o"), .permission = S("write") },
	};
	struct clq_str name;
	int i;

	begin(CLQ_TX_WRITE);
	for (i = 0; i < 500; i++) {
		name = clq_arena_printf(fx.arena, "user:%03d", i);
		cr_assert_eq(ops()->add(fx.self, S("/o"), S("read"), name),
		    CLQ_OK);
	}
	commit();
	look("user:499", "user:499", bounds, 2, NULL);
	cr_expect(bounds[0].granted);
	cr_expect(!bounds[1].granted);
	look("user:500", "user:500", bounds, 2, NULL);
	cr_expect(!bounds[0].granted);
	member("zoe", "user:250");
	look("zoe", "zoe", bounds, 2, NULL);
	cr_expect(bounds[0].granted, "by a group among many");
}

/* ---- accessible ------------------------------------------------------- */

PermissionTest(accessible, without_bounds_is_all_that_one_has)
{
	allow("/b/x", "write", "alice");
	allow("/b/x", "read", "alice");
	allow("/b/x", "read", "/groups/g");
	allow("/a", "read", "/groups/g");
	allow("/c", "read", "bob");
	cr_expect_str_eq(accessible("alice /groups/g", NULL, true),
	    "/a=read /b/x=read,write");
	cr_expect_str_eq(accessible("carol", NULL, true), "");
	cr_expect_str_eq(accessible("", NULL, true), "");
}

PermissionTest(accessible, in_a_list_takes_one_segment_or_all)
{
	static const char *const buckets[] = { "/buckets/*", "write",
	    "/buckets/*", "read", NULL };
	static const char *const write[] = { "/buckets/*", "write", NULL };
	static const char *const exact[] = { "/buckets/b", "write",
	    "/buckets/c", "write", NULL };
	static const char *const records[] = {
	    "/buckets/b/collections/c/records/*", "read", NULL };

	allow("/buckets/a", "read", "alice");
	allow("/buckets/b", "write", "alice");
	allow("/buckets/b", "read", "alice");
	allow("/buckets/b/collections/c", "write", "alice");
	allow("/buckets/b/collections/c/records/r", "read", "alice");
	allow("/buckets/b/collections/c/records/s", "read", "alice");
	allow("/buckets/b/collections/cc/records/s", "read", "alice");
	allow("/buckets/b-", "read", "alice");
	allow("/buckets/b0", "read", "alice");
	allow("/buckets/c", "read", "bob");
	allow("/bucketsx", "read", "alice");
	cr_expect_str_eq(accessible("alice", buckets, false),
	    "/buckets/a=read /buckets/b=read,write /buckets/b-=read "
	    "/buckets/b0=read");
	cr_expect_str_eq(accessible("alice", write, true),
	    "/buckets/b=write /buckets/b/collections/c=write");
	cr_expect_str_eq(accessible("alice", write, false),
	    "/buckets/b=write");
	cr_expect_str_eq(accessible("alice", exact, false),
	    "/buckets/b=write");
	cr_expect_str_eq(accessible("alice bob", records, false),
	    "/buckets/b/collections/c/records/r=read "
	    "/buckets/b/collections/c/records/s=read");
}

PermissionTest(accessible, takes_percent_and_underscore_as_they_are)
{
	static const char *const percent[] = { "/b%/*", "read", NULL };
	static const char *const under[] = { "/b_/*", "read", NULL };

	allow("/b%/x", "read", "alice");
	allow("/bb/x", "read", "alice");
	allow("/b_/y", "read", "alice");
	cr_expect_str_eq(accessible("alice", percent, false), "/b%/x=read");
	cr_expect_str_eq(accessible("alice", under, false), "/b_/y=read");
}

/* ---- transactions ----------------------------------------------------- */

PermissionTest(transaction, undone_leaves_nothing)
{
	allow("/o", "read", "alice");
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add(fx.self, S("/o"), S("read"), S("bob")),
	    CLQ_OK);
	cr_assert_eq(ops()->remove(fx.self, S("/o"), S("read"), S("alice")),
	    CLQ_OK);
	cr_assert_eq(ops()->add_member(fx.self, S("bob"), S("/g")), CLQ_OK);
	cr_assert_eq(fx.plugin->backend->finish(fx.self, false), CLQ_OK);
	cr_expect_str_eq(acl_of("/o"), "read=alice");
	cr_expect_str_eq(groups_of("bob"), "");
}

PermissionTest(savepoint, undoes_what_came_after_it_only)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add(fx.self, S("/o"), S("read"), S("alice")),
	    CLQ_OK);
	cr_assert_eq(fx.plugin->backend->savepoint(fx.self), CLQ_OK);
	cr_assert_eq(ops()->add(fx.self, S("/o"), S("read"), S("bob")),
	    CLQ_OK);
	cr_assert_eq(fx.plugin->backend->rollback(fx.self), CLQ_OK);
	cr_assert_eq(fx.plugin->backend->release(fx.self), CLQ_OK);
	commit();
	cr_expect_str_eq(acl_of("/o"), "read=alice");
}

PermissionTest(change, is_seen_by_the_transaction_that_made_it)
{
	struct clq_acl acl = { 0 };
	struct clq_strs list = { 0 };

	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add(fx.self, S("/o"), S("read"), S("alice")),
	    CLQ_OK);
	cr_assert_eq(ops()->add_member(fx.self, S("bob"), S("/g")), CLQ_OK);
	cr_assert_eq(ops()->acl(fx.self, fx.arena, S("/o"), &acl), CLQ_OK);
	cr_assert_eq(ops()->groups(fx.self, fx.arena, S("bob"), &list),
	    CLQ_OK);
	commit();
	cr_expect_str_eq(acl_text(acl), "read=alice");
	cr_assert_eq(list.n, 1);
	cr_expect(clq_str_is(list.items[0], "/g"));
}

PermissionTest(flush, leaves_nothing)
{
	allow("/o", "read", "alice");
	member("alice", "/g");
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->flush(fx.self), CLQ_OK);
	commit();
	cr_expect_str_eq(acl_of("/o"), "");
	cr_expect_str_eq(groups_of("alice"), "");
}
