/* SPDX-License-Identifier: Apache-2.0 */
/* The words of permission.h. */
#include "tests/conformance/permission.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <stdlib.h>

struct fixture fx;

const struct clq_permission_ops *
ops(void)
{
	return fx.plugin->permission;
}

void
begin(enum clq_tx_mode mode)
{
	cr_assert_eq(fx.plugin->backend->begin(fx.self, mode), CLQ_OK);
}

void
commit(void)
{
	cr_assert_eq(fx.plugin->backend->finish(fx.self, true), CLQ_OK);
}

void
permission_setup(void)
{
	fixture_configure(&fx, "permission");
	cr_assert_not_null(ops(), "no permissions in the plugin");
	fixture_open(&fx);
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->flush(fx.self), CLQ_OK);
	commit();
}

void
permission_teardown(void)
{
	fixture_close(&fx);
}

struct clq_strs
words(const char *text)
{
	struct clq_str rest = clq_str_of(text), word;
	struct clq_strs list = { 0 };

	while (clq_str_next_word(&rest, &word))
		clq_strs_add(fx.arena, &list, word);
	return list;
}

void
allow(const char *object, const char *permission, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add(fx.self, S(object), S(permission),
	    S(principal)), CLQ_OK);
	commit();
}

void
disallow(const char *object, const char *permission, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->remove(fx.self, S(object), S(permission),
	    S(principal)), CLQ_OK);
	commit();
}

void
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

void
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

const char *
strs_text(struct clq_strs list)
{
	struct clq_buf b;

	clq_buf_init(&b, fx.arena, 0);
	print_sorted(&b, list);
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

static int
ace_order(const void *a, const void *b)
{
	const struct clq_ace *x = a, *y = b;

	return clq_str_cmp(x->permission, y->permission);
}

const char *
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

const char *
acl_of(const char *object)
{
	struct clq_acl acl = { 0 };

	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->acl(fx.self, fx.arena, S(object), &acl), CLQ_OK);
	commit();
	return acl_text(acl);
}

const char *
groups_of(const char *user)
{
	struct clq_strs list = { 0 };

	begin(CLQ_TX_READ);
	cr_assert_eq(ops()->groups(fx.self, fx.arena, S(user), &list),
	    CLQ_OK);
	commit();
	return strs_text(list);
}

void
member(const char *user, const char *principal)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->add_member(fx.self, S(user), S(principal)),
	    CLQ_OK);
	commit();
}

void
forget(const char *pattern)
{
	begin(CLQ_TX_WRITE);
	cr_assert_eq(ops()->forget_principal(fx.self, S(pattern)), CLQ_OK);
	commit();
}

const char *
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

struct clq_lookup
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
