/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every permission backend promises (<cliquet/permission.h>, sections
 * 06-3, 06-10, 11-5.2). Knows no backend.
 */
#include <cliquet/abi.h>
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/fixture.h"

static struct fixture fx;

int
main(int argc, char **argv)
{
	return fixture_main(argc, argv, "permission");
}

/* ---- words ------------------------------------------------------------ */

#define S(text)	clq_str_of(text)

static const struct clq_permission_ops *
ops(void)
{
	return fx.plugin->permission;
}

static void
begin(enum clq_tx_mode mode)
{
	cr_assert_eq(fx.plugin->backend->begin(fx.self, mode), CLQ_OK);
}

static void
commit(void)
{
	cr_assert_eq(fx.plugin->backend->finish(fx.self, true), CLQ_OK);
}

static void
setup(void)
{
	fixture_configure(&fx, "permission");
	cr_assert_not_null(ops(), "no permissions in the plugin");
	fixture_open(&fx);
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->flush(fx.self), CLQ_OK);
	commit();
}

static void
teardown(void)
{
	fixture_close(&fx);
}

#define PermissionTest(...)						\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 60)

/* The words of a text; they stay, since changes may be queued. */
static struct clq_strs
words(const char *text)
{
	struct clq_str rest = clq_str_of(text), word;
	struct clq_strs list = { 0 };

	while (clq_str_next_word(&rest, &word))
		clq_strs_add(fx.arena, &list, word);
	return list;
}

static void
allow(const char *object, const char *permission, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add(fx.self, S(object), S(permission),
	    S(principal)), CLQ_OK);
	commit();
}

static void
disallow(const char *object, const char *permission, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->remove(fx.self, S(object), S(permission),
	    S(principal)), CLQ_OK);
	commit();
}

/* Replace permissions given as pairs: name, words; ended by NULL. */
static void
replace(const char *object, const char *const *pairs)
{
	struct clq_ace *aces = clq_arena_calloc(fx.arena, 8, sizeof *aces);
	struct clq_acl acl = { .aces = aces };

	for (; *pairs != NULL; pairs += 2) {
		aces[acl.n].permission = S(pairs[0]);
		aces[acl.n++].principals = words(pairs[1]);
	}
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->replace(fx.self, S(object), &acl), CLQ_OK);
	commit();
}

static void
delete_objects(const char *patterns)
{
	struct clq_strs list = words(patterns);

	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->delete_objects(fx.self, list.items, list.n),
	    CLQ_OK);
	commit();
}

static int
text_order(const void *a, const void *b)
{
	const struct clq_str *x = a, *y = b;

	return clq_str_cmp(*x, *y);
}

static void
print_sorted(struct clq_buf *b, struct clq_strs list)
{
	size_t i;

	if (list.n > 0)
		qsort(list.items, list.n, sizeof *list.items, text_order);
	for (i = 0; i < list.n; i++) {
		clq_buf_adds(b, i > 0 ? "," : "");
		clq_buf_add(b, list.items[i]);
	}
}

static int
ace_order(const void *a, const void *b)
{
	const struct clq_ace *x = a, *y = b;

	return clq_str_cmp(x->permission, y->permission);
}

/* "read=a,b write=c", everything sorted. */
static const char *
acl_text(struct clq_acl acl)
{
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, fx.arena, 0);
	if (acl.n > 0)
		qsort(acl.aces, acl.n, sizeof *acl.aces, ace_order);
	for (i = 0; i < acl.n; i++) {
		cr_expect_gt(acl.aces[i].principals.n, 0);
		clq_buf_printf(&b, "%s%.*s=", i > 0 ? " " : "",
		    CLQ_FMT(acl.aces[i].permission));
		print_sorted(&b, acl.aces[i].principals);
	}
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

static const char *
acl_of(const char *object)
{
	struct clq_acl acl = { 0 };

	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->acl(fx.self, fx.arena, S(object), &acl), CLQ_OK);
	commit();
	return acl_text(acl);
}

static const char *
groups_of(const char *user)
{
	struct clq_strs list = { 0 };
	struct clq_buf b;

	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->groups(fx.self, fx.arena, S(user), &list),
	    CLQ_OK);
	commit();
	clq_buf_init(&b, fx.arena, 0);
	print_sorted(&b, list);
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

static void
member(const char *user, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add_member(fx.self, S(user), S(principal)),
	    CLQ_OK);
	commit();
}

static void
forget(const char *pattern)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->forget_principal(fx.self, S(pattern)), CLQ_OK);
	commit();
}

/*
 * accessible() for bounds given as pairs: object, permission; ended by NULL.
 * "/a=read,write /b=read", in the order returned.
 */
static const char *
accessible(const char *principals, const char *const *pairs, bool children)
{
	struct clq_bound *bounds = clq_arena_calloc(fx.arena, 8,
	    sizeof *bounds);
	struct clq_accessible *found = NULL;
	size_t n = 0, nfound = 0, i;
	struct clq_buf b;

	for (; pairs != NULL && *pairs != NULL; pairs += 2) {
		bounds[n].object = S(pairs[0]);
		bounds[n++].permission = S(pairs[1]);
	}
	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->accessible(fx.self, fx.arena, words(principals),
	    bounds, n, children, &found, &nfound), CLQ_OK);
	commit();
	clq_buf_init(&b, fx.arena, 0);
	for (i = 0; i < nfound; i++) {
		clq_buf_printf(&b, "%s%.*s=", i > 0 ? " " : "",
		    CLQ_FMT(found[i].object));
		print_sorted(&b, found[i].permissions);
	}
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
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

static struct clq_lookup
look(const char *user, const char *principals, struct clq_bound *bounds,
    size_t n, const char *acl)
{
	struct clq_lookup l = { .arena = fx.arena, .user = S(user),
	    .principals = words(principals), .bounds = bounds, .nbounds = n,
	    .acl_of = S(acl) };

	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->lookup(fx.self, &l), CLQ_OK);
	commit();
	return l;
}

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
	struct clq_buf b;

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
	clq_buf_init(&b, fx.arena, 0);
	print_sorted(&b, l.groups);
	cr_expect_str_eq(clq_arena_cstr(fx.arena, clq_buf_str(&b)),
	    "/groups/g");
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
