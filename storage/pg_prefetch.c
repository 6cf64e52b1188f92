/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All look-ups of a batch in one packet.
 *
 * What they ask is collected without repetition, as most of them ask about the
 * same parent and the same ancestors. Then each kind of question is one
 * statement: locks, objects of a list, groups and bounds, ACLs. The answers go
 * to pg_known.c, from where lookup() takes them.
 */
#include "storage/pg_table.h"

#include <cliquet/str.h>

/*
 * The limit, and OFFSET, keep it a search for each item: a planner that knows
 * little of the table could as well read all of it. Arrays as in pg_write.c.
 *
 * $1 resource, $2 parent, $3 ids
 */
static const struct pg_stmt find_many = { PG_FIND_MANY,
	"SELECT w.k, f.last_modified, f.data"
	" FROM unnest((SELECT $3::text[]))"
	" WITH ORDINALITY AS w(id, k) CROSS JOIN LATERAL"
	" (SELECT last_modified, data FROM objects AS o WHERE "
	PG_OBJECT("o", "w.id") " AND " PG_LIVING("o") " LIMIT 1) AS f" };
/* $1 URIs */
static const struct pg_stmt acls_of = { PG_ACLS,
	"SELECT w.uri, a.permission, a.principal"
	" FROM unnest((SELECT $1::text[]))"
	" AS w(uri) CROSS JOIN LATERAL (SELECT permission, principal"
	" FROM access_control_entries WHERE object_id = w.uri OFFSET 0) AS a"
	" ORDER BY w.uri COLLATE \"C\", a.permission COLLATE \"C\","
	" a.principal COLLATE \"C\"" };

/* Everything that is asked, once. */
struct prefetch {
	struct clq_lookup	 all;		/* wants and bounds of all */
	struct clq_str		*uris;		/* whose ACLs are wanted */
	struct clq_acl		*acls;
	size_t			 nuris;
};

/* The wants of one list, and their answers. */
struct finding {
	struct clq_arena	*arena;
	struct clq_want		**wants;
	size_t			 n;
};

/* ---- collecting --------------------------------------------------------- */

/* A reading part of a writing batch locks nothing, so that what it asks may
 * have changed when its turn comes. */
static bool
counts(const struct pg_db *db, const struct clq_lookup *l)
{
	return db->mode == CLQ_TX_READ || !l->reading;
}

static void
collect_one(struct pg_db *db, struct prefetch *p, const struct clq_lookup *l)
{
	const struct clq_str none = { NULL, 0 };
	size_t i;

	for (i = 0; i < l->nwants; i++)
		if (pg_known_new(db, &l->wants[i], NULL, none))
			p->all.wants[p->all.nwants++] = l->wants[i];
	for (i = 0; i < l->nbounds; i++)
		if (pg_known_new(db, NULL, &l->bounds[i], none))
			p->all.bounds[p->all.nbounds++] = l->bounds[i];
	if (l->acl_of.p != NULL && pg_known_new(db, NULL, NULL, l->acl_of))
		p->uris[p->nuris++] = l->acl_of;
}

static void
collect(struct pg_db *db, struct prefetch *p,
    struct clq_lookup *const *lookups, size_t n)
{
	size_t wants = 0, bounds = 0, i;

	for (i = 0; i < n; i++) {
		wants += lookups[i]->nwants;
		bounds += lookups[i]->nbounds;
	}
	p->all.arena = lookups[0]->arena;
	p->all.user = lookups[0]->user;
	p->all.principals = lookups[0]->principals;
	p->all.wants = clq_arena_calloc(db->tx_arena, wants,
	    sizeof *p->all.wants);
	p->all.bounds = clq_arena_calloc(db->tx_arena, bounds,
	    sizeof *p->all.bounds);
	p->uris = clq_arena_calloc(db->tx_arena, n, sizeof *p->uris);
	p->acls = clq_arena_calloc(db->tx_arena, n, sizeof *p->acls);
	for (i = 0; i < n; i++)
		if (counts(db, lookups[i]))
			collect_one(db, p, lookups[i]);
}

/* ---- asking ------------------------------------------------------------- */

/* Of all that are asked, also those that were not the first to ask: one may
 * share what another needs alone. */
static void
send_locks(struct pg_db *db, struct clq_lookup *const *lookups, size_t n)
{
	struct pg_locks locks = { .arena = db->tx_arena };
	struct pg_args args;
	size_t i, j;

	if (db->mode != CLQ_TX_WRITE)
		return;
	db->batch = true;
	for (i = 0; i < n; i++)
		for (j = 0; counts(db, lookups[i]) &&
		    j < lookups[i]->nwants; j++)
			pg_lock_want(&locks, &lookups[i]->wants[j], true);
	pg_args_init(&args, db->tx_arena);
	pg_lock_args(&locks, &args);
	pg_exec(db, &pg_lock_stmt, &args, NULL, NULL);
}

static void
on_found(struct pg_db *db, const PGresult *res, void *ctx)
{
	const struct finding *f = ctx;
	int row;

	(void)db;
	for (row = 0; row < PQntuples(res); row++)
		pg_found(f->arena, f->wants[pg_get_int(res, row, 0) - 1],
		    res, row, 1);
}

static struct clq_str
get_id(const void *ctx, size_t i)
{
	return ((struct clq_want *const *)ctx)[i]->id;
}

static void
send_finding(struct pg_db *db, struct finding *f)
{
	struct pg_args args;
	size_t i;

	if (pg_table_of(db, f->wants[0]->coll.resource) != NULL) {
		pg_table_hold(db, db->tx_arena, &f->wants[0]->coll);
		for (i = 0; i < f->n; i++)
			pg_table_find(db, f->arena, f->wants[i]);
		return;
	}
	pg_args_init(&args, db->tx_arena);
	pg_arg_text(&args, f->wants[0]->coll.resource);
	pg_arg_text(&args, f->wants[0]->coll.parent);
	pg_arg_texts(&args, get_id, f->wants, f->n);
	pg_exec(db, &find_many, &args, on_found, f);
}

/* One statement for each list. */
static void
send_finds(struct pg_db *db, const struct clq_lookup *all)
{
	size_t n = all->nwants, kept, i;
	struct clq_want **rest = clq_arena_calloc(db->tx_arena, n,
	    sizeof(struct clq_want *));
	struct clq_want **sorted = clq_arena_calloc(db->tx_arena, n,
	    sizeof(struct clq_want *));
	const struct clq_coll *list;
	struct finding *f;

	for (i = 0; i < n; i++)
		rest[i] = &all->wants[i];
	for (; n > 0; n = kept, sorted += f->n) {
		f = clq_arena_alloc(db->tx_arena, sizeof *f);
		f->arena = all->arena;
		f->wants = sorted;
		list = &rest[0]->coll;
		for (i = kept = 0; i < n; i++)
			if (clq_coll_eq(&rest[i]->coll, list))
				f->wants[f->n++] = rest[i];
			else
				rest[kept++] = rest[i];
		send_finding(db, f);
	}
}

static struct clq_acl *
acl_of(const struct prefetch *p, const PGresult *res, int row)
{
	struct clq_str uri = { PQgetvalue(res, row, 0),
		(size_t)PQgetlength(res, row, 0) };
	size_t i;

	for (i = 0; i < p->nuris; i++)
		if (clq_str_eq(p->uris[i], uri))
			return &p->acls[i];
	return NULL;
}

/* Rows come sorted by URI, and then as pg_read_acl() wants them. */
static void
on_acls(struct pg_db *db, const PGresult *res, void *ctx)
{
	const struct prefetch *p = ctx;
	int row, from = 0, n = PQntuples(res);
	struct clq_acl *acl;

	(void)db;
	for (row = 1; row <= n; row++) {
		acl = acl_of(p, res, from);
		if (row < n && acl_of(p, res, row) == acl)
			continue;
		if (acl != NULL)
			*acl = pg_read_acl(p->all.arena, res, from, row, 1);
		from = row;
	}
}

static struct clq_str
get_uri(const void *ctx, size_t i)
{
	return ((const struct clq_str *)ctx)[i];
}

static void
send_acls(struct pg_db *db, struct prefetch *p)
{
	struct pg_args args;

	if (p->nuris == 0)
		return;
	pg_args_init(&args, db->tx_arena);
	pg_arg_texts(&args, get_uri, p->uris, p->nuris);
	pg_exec(db, &acls_of, &args, on_acls, p);
}

/* ---- the table's function ----------------------------------------------- */

enum clq_status
pg_prefetch(void *self, struct clq_lookup *const *lookups, size_t n)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	struct prefetch p = { .nuris = 0 };

	if (status != CLQ_OK || n == 0)
		return status;
	pg_known_begin(db, lookups[0]);
	collect(db, &p, lookups, n);
	if (db->mode == CLQ_TX_WRITE)
		pg_send_queue(db, false);
	send_locks(db, lookups, n);
	send_finds(db, &p.all);
	pg_send_permission(db, &p.all);
	send_acls(db, &p);
	status = pg_wait(db);
	if (status == CLQ_OK)
		pg_known_learn(db, &p.all, p.uris, p.acls, p.nuris);
	return status;
}
