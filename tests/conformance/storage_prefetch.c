/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was announced with prefetch() is answered as if it had not been: after
 * whatever the transaction does, a look-up answers the same as one that was
 * never announced. Chance chooses what happens; the seed is printed.
 */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <stdlib.h>
#include <time.h>

enum { IDS = 4, ROUNDS = 60, STEPS = 30 };

static const char *const ids_of[IDS] = { "a", "b", "c", "d" };
static const char *const users[] = { "me", "you" };
static bool marked;

static size_t
below(size_t n)
{
	return (size_t)rand() % n;
}

static struct clq_str
uri_of(const char *id)
{
	return clq_arena_printf(fx.arena, "%.*s/records/%s",
	    CLQ_FMT(list.parent), id);
}

/* ---- look-ups ----------------------------------------------------------- */

static struct clq_lookup *
lookup_of(const char *id, bool reading)
{
	struct clq_lookup *l = clq_arena_alloc(fx.arena, sizeof *l);
	struct clq_want *w = clq_arena_calloc(fx.arena, 2, sizeof *w);
	struct clq_bound *b = clq_arena_calloc(fx.arena, 2, sizeof *b);

	l->arena = fx.arena;
	l->reading = reading;
	l->wants = w;
	l->nwants = 2;
	w[0].coll = (struct clq_coll){ CLQ_STR("collection"),
		CLQ_STR("/buckets/b") };
	w[0].id = CLQ_STR("c");
	w[0].shared = true;
	w[1].coll = list;
	w[1].id = clq_str_of(id);
	l->user = CLQ_STR("me");
	clq_strs_add(fx.arena, &l->principals, CLQ_STR("system.Everyone"));
	clq_strs_add(fx.arena, &l->principals, CLQ_STR("me"));
	l->bounds = b;
	l->nbounds = 2;
	b[0] = (struct clq_bound){ uri_of(id), CLQ_STR("write"), false };
	b[1] = (struct clq_bound){ list.parent, CLQ_STR("write"), false };
	l->acl_of = uri_of(id);
	return l;
}

/* All that a look-up answered, as a text. */
static const char *
shown(const struct clq_lookup *l)
{
	struct clq_buf b;
	size_t i, j;

	clq_buf_init(&b, fx.arena, 256);
	for (i = 0; i < l->nwants; i++)
		if (l->wants[i].found)
			clq_buf_printf(&b, "%zu: %.*s at %lld; ", i,
			    CLQ_FMT(l->wants[i].object.data),
			    (long long)l->wants[i].object.last_modified);
	for (i = 0; i < l->nbounds; i++)
		clq_buf_printf(&b, "%d ", l->bounds[i].granted);
	for (i = 0; i < l->groups.n; i++)
		clq_buf_printf(&b, "(%.*s) ", CLQ_FMT(l->groups.items[i]));
	for (i = 0; i < l->acl.n; i++)
		for (j = 0; j < l->acl.aces[i].principals.n; j++)
			clq_buf_printf(&b, "%.*s:%.*s ",
			    CLQ_FMT(l->acl.aces[i].permission),
			    CLQ_FMT(l->acl.aces[i].principals.items[j]));
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

/* That of what was announced, and that of what cannot have been: nobody
 * announces the timestamp of a list. */
static void
compare(const char *id, int seed, const char *after)
{
	struct clq_lookup *known = lookup_of(id, below(2) == 0);
	struct clq_lookup *fresh = lookup_of(id, true);

	fresh->timestamp_of = &list;
	cr_assert_eq(storage()->lookup(fx.self, known), CLQ_OK);
	cr_assert_eq(storage()->lookup(fx.self, fresh), CLQ_OK);
	cr_assert_str_eq(shown(known), shown(fresh), "seed %d: after %s: "
	    "%s is\n%s\nand not\n%s", seed, after, id, shown(known),
	    shown(fresh));
}

/* ---- what happens ------------------------------------------------------- */

static void
write_one(const char *id)
{
	struct clq_write *w = clq_arena_alloc(fx.arena, sizeof *w);

	w->op = below(3);
	w->coll = list;
	w->id = clq_str_of(id);
	w->data = clq_arena_printf(fx.arena, "{\"n\":%d}", rand() % 1000);
	cr_assert_eq(storage()->write(fx.self, w, 1), CLQ_OK);
}

static void
set_acl(const char *id)
{
	static const char *const who[] = { "me", "you", "group" };
	struct clq_ace ace = { .permission = CLQ_STR("write") };
	struct clq_acl acl = { &ace, 1 };

	if (below(3) > 0)
		clq_strs_add(fx.arena, &ace.principals,
		    clq_str_of(who[below(3)]));
	cr_assert_eq(fx.plugin->permission->replace(fx.self, below(4) > 0 ?
	    uri_of(id) : list.parent, &acl), CLQ_OK);
}

static void
drop_acl(const char *id)
{
	struct clq_str uri = below(2) == 0 ? uri_of(id) :
	    CLQ_STR("/buckets/b/collections/*");

	cr_assert_eq(fx.plugin->permission->delete_objects(fx.self, &uri, 1),
	    CLQ_OK);
}

static void
set_member(void)
{
	const struct clq_permission_ops *p = fx.plugin->permission;

	cr_assert_eq((below(2) ? p->add_member : p->remove_member)(fx.self,
	    clq_str_of(users[below(2)]), CLQ_STR("group")), CLQ_OK);
}

static void
mark(void)
{
	cr_assert_eq((marked ? backend()->release : backend()->savepoint)(
	    fx.self), CLQ_OK);
	marked = !marked;
}

static void
go_back(void)
{
	if (marked)
		cr_assert_eq(backend()->rollback(fx.self), CLQ_OK);
}

static void
delete_many(void)
{
	struct clq_query *q = query("last_modified");
	struct clq_deletions gone;

	if (below(2) == 0) {
		cr_assert_eq(storage()->erase(fx.self, (struct clq_str)
		    { NULL, 0 }, CLQ_STR("/buckets/b")), CLQ_OK);
		return;
	}
	cr_assert_eq(storage()->delete_all(fx.self, fx.arena, q, &gone),
	    CLQ_OK);
}

static const char *
step(const char *id)
{
	switch (below(16)) {
	case 0: case 1: case 2: case 3: case 4:
		write_one(id);
		return "a write";
	case 5: case 6: case 7:
		set_acl(id);
		return "new entries";
	case 8:
		drop_acl(id);
		return "no entries";
	case 9:
		set_member();
		return "a member";
	case 10: case 11: case 12:
		mark();
		return "a mark";
	case 13: case 14:
		go_back();
		return "going back";
	default:
		delete_many();
		return "deleting much";
	}
}

/* ---- tests -------------------------------------------------------------- */

static void
announce(void)
{
	struct clq_lookup *all[IDS];
	size_t i;

	if (!CLQ_HAS(storage(), prefetch))
		return;		/* a look-up is a look-up, then */
	for (i = 0; i < IDS; i++)
		all[i] = lookup_of(ids_of[i], false);
	cr_assert_eq(storage()->prefetch(fx.self, all, IDS), CLQ_OK);
}

StorageTest(prefetch, is_not_seen)
{
	int seed = (int)time(NULL), round, n;
	const char *after, *id;

	if (fx.plugin->permission == NULL)
		return;
	for (round = 0; round < ROUNDS; round++) {
		srand((unsigned)(seed + round));
		marked = false;
		tx_write();
		if (below(4) > 0)
			announce();
		for (n = 0; n < STEPS; n++) {
			id = ids_of[below(IDS)];
			after = step(id);
			if (below(3) > 0)
				compare(below(2) ? id : ids_of[below(IDS)],
				    seed + round, after);
		}
		tx_commit();
	}
}
