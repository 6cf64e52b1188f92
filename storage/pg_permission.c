/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access control entries and group membership, in the same transaction as the
 * objects (sections 06-3, 06-10).
 *
 * Whether somebody may do something is one statement for all bounds, in which
 * the groups are looked up too; with each bound one finds its entry by the
 * primary key, however long the list of principals is. What changes them is in
 * pg_ace.c.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

#include <stdlib.h>

/* $1 user */
static const struct pg_stmt groups_of = { PG_GROUPS,
	"SELECT DISTINCT principal COLLATE \"C\" AS principal"
	" FROM user_principals"
	" WHERE user_id IN ($1, 'system.Authenticated') ORDER BY 1" };
/* $1 objects, $2 permissions, $3 principals, $4 user or NULL. Not EXISTS,
 * which the planner would answer from a table of all that they may do. */
static const struct pg_stmt bounds_of = { PG_BOUNDS,
	"WITH p AS MATERIALIZED (SELECT $3::text[] || ARRAY("
	"SELECT principal FROM user_principals"
	" WHERE user_id IN ($4, 'system.Authenticated')"
	" AND $4::text IS NOT NULL) AS who)"
	" SELECT (SELECT TRUE FROM access_control_entries AS a"
	" WHERE a.object_id = b.object AND a.permission = b.permission"
	" AND a.principal = ANY ((SELECT who FROM p)::text[]) LIMIT 1)"
	" IS NOT NULL"
	" FROM unnest((SELECT $1::text[]), (SELECT $2::text[]))"
	" WITH ORDINALITY"
	" AS b(object, permission, k) ORDER BY b.k" };
static const struct pg_stmt acl_of = { PG_ACL,
	"SELECT permission, principal FROM access_control_entries"
	" WHERE object_id = $1" };

/* $1 principals */
static const struct pg_stmt accessible_all = { PG_ACCESSIBLE_ALL,
	"SELECT DISTINCT object_id, permission COLLATE \"C\" AS permission"
	" FROM access_control_entries WHERE principal = ANY ($1::text[])"
	" ORDER BY object_id, 2" };
/*
 * $1 principals; for each bound $2 where it begins, $3 where it ends ("": it
 * is that one URI), $4 permission; $5 children too. Behind the beginning of a
 * range there is no other '/', unless children are wanted.
 */
static const struct pg_stmt accessible_some = { PG_ACCESSIBLE,
	"SELECT DISTINCT a.object_id,"
	" a.permission COLLATE \"C\" AS permission"
	" FROM unnest($2::text[], $3::text[], $4::text[])"
	" AS b(start, stop, permission)"
	" JOIN access_control_entries AS a ON a.permission = b.permission"
	" AND a.principal = ANY ($1::text[])"
	" AND a.object_id >= b.start AND (a.object_id < b.stop"
	" OR (b.stop = '' AND a.object_id = b.start))"
	" WHERE $5::bigint <> 0 OR b.stop = ''"
	" OR strpos(substr(a.object_id, length(b.start) + 1), '/') = 0"
	" ORDER BY a.object_id, 2" };

/* ---- look-up ----------------------------------------------------------- */

struct asking {
	struct clq_arena	*arena;
	struct clq_strs		*strs;
	struct clq_acl		*acl;
	struct clq_bound	*bounds;
	size_t			 nbounds;
};

static void
on_groups(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;
	int row;

	(void)db;
	for (row = 0; row < PQntuples(res); row++)
		clq_strs_add(a->arena, a->strs,
		    pg_get_text(a->arena, res, row, 0));
}

static void
on_bounds(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;
	size_t i;

	(void)db;
	for (i = 0; i < a->nbounds; i++)
		a->bounds[i].granted = (int)i < PQntuples(res) &&
		    pg_get_bool(res, (int)i, 0);
}

static int
compare_strs(const void *a, const void *b)
{
	return clq_str_cmp(*(const struct clq_str *)a,
	    *(const struct clq_str *)b);
}

void
pg_sort_strs(struct clq_strs *list)
{
	size_t i, n = 0;

	if (list->n < 2)
		return;
	qsort(list->items, list->n, sizeof *list->items, compare_strs);
	for (i = 1; i < list->n; i++)
		if (!clq_str_eq(list->items[n], list->items[i]))
			list->items[++n] = list->items[i];
	list->n = n + 1;
}

static int
compare_aces(const void *a, const void *b)
{
	return clq_str_cmp(((const struct clq_ace *)a)->permission,
	    ((const struct clq_ace *)b)->permission);
}

/* The entry of a permission, of which there are few. */
static struct clq_ace *
ace_of(struct clq_arena *arena, struct clq_acl *acl, struct clq_str name)
{
	struct clq_ace *ace = acl->aces;

	while (ace < acl->aces + acl->n && !clq_str_eq(ace->permission, name))
		ace++;
	if (ace == acl->aces + acl->n) {
		ace->permission = clq_arena_strdup(arena, name);
		acl->n++;
	}
	return ace;
}

/* Sorted here, which costs less than a node of PostgreSQL's plan. */
struct clq_acl
pg_read_acl(struct clq_arena *arena, const PGresult *res, int row, int end,
    int column)
{
	struct clq_acl acl = { NULL, 0 };
	struct clq_ace *ace;
	struct clq_str name;

	acl.aces = clq_arena_calloc(arena, (size_t)(end - row), sizeof *ace);
	for (; row < end; row++) {
		name.p = PQgetvalue(res, row, column);
		name.len = (size_t)PQgetlength(res, row, column);
		clq_strs_add(arena, &ace_of(arena, &acl, name)->principals,
		    pg_get_text(arena, res, row, column + 1));
	}
	if (acl.n > 1)
		qsort(acl.aces, acl.n, sizeof *ace, compare_aces);
	for (ace = acl.aces; ace < acl.aces + acl.n; ace++)
		pg_sort_strs(&ace->principals);
	return acl;
}

static void
on_acl(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;

	(void)db;
	*a->acl = pg_read_acl(a->arena, res, 0, PQntuples(res), 0);
}

static struct clq_str
get_object(const void *ctx, size_t i)
{
	return ((const struct clq_bound *)ctx)[i].object;
}

static struct clq_str
get_permission(const void *ctx, size_t i)
{
	return ((const struct clq_bound *)ctx)[i].permission;
}

static void
send_groups(struct pg_db *db, struct asking *a, struct clq_str user)
{
	struct pg_args args;

	memset(a->strs, 0, sizeof *a->strs);
	if (user.p == NULL)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_text(&args, user);
	pg_exec(db, &groups_of, &args, on_groups, a);
}

static void
send_bounds(struct pg_db *db, struct asking *a, const struct clq_lookup *l)
{
	struct pg_args args;

	if (l->nbounds == 0)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_texts(&args, get_object, l->bounds, l->nbounds);
	pg_arg_texts(&args, get_permission, l->bounds, l->nbounds);
	pg_arg_strs(&args, l->principals);
	if (l->user.p != NULL)
		pg_arg_text(&args, l->user);
	else
		pg_arg_null(&args);
	pg_exec(db, &bounds_of, &args, on_bounds, a);
}

static void
send_acl(struct pg_db *db, struct asking *a, struct clq_str object)
{
	struct pg_args args;

	if (object.p == NULL)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_text(&args, object);
	pg_exec(db, &acl_of, &args, on_acl, a);
}

void
pg_send_permission(struct pg_db *db, struct clq_lookup *l)
{
	struct asking *a = clq_arena_alloc(l->arena, sizeof *a);

	a->arena = l->arena;
	a->strs = &l->groups;
	a->acl = &l->acl;
	a->bounds = l->bounds;
	a->nbounds = l->nbounds;
	send_groups(db, a, l->user);
	send_bounds(db, a, l);
	send_acl(db, a, l->acl_of);
}

/* ---- reading ----------------------------------------------------------- */

/* Ready to ask; what waits is sent first. */
static enum clq_status
start_reading(struct pg_db *db)
{
	enum clq_status status = pg_start(db, false);

	if (status == CLQ_OK && db->mode == CLQ_TX_WRITE)
		pg_send_queue(db, true);
	return status;
}

enum clq_status
pg_acl(void *self, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct clq_acl found = { NULL, 0 };
	struct asking a = { .arena = arena, .acl = &found };

	if (status != CLQ_OK)
		return status;
	send_acl(db, &a, object);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = found;
	return status;
}

enum clq_status
pg_groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct clq_strs found = { NULL, 0, 0 };
	struct asking a = { .arena = arena, .strs = &found };

	if (status != CLQ_OK)
		return status;
	send_groups(db, &a, user);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = found;
	return status;
}

/* ---- accessible objects ------------------------------------------------ */

struct collecting {
	struct clq_arena	*arena;
	struct clq_accessible	*items;
	size_t			 n;
};

/* Rows are sorted by object. */
static void
on_accessible(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct collecting *c = ctx;
	struct clq_accessible *item = NULL;
	struct clq_str object;
	int row, n = PQntuples(res);

	(void)db;
	c->items = clq_arena_calloc(c->arena, (size_t)n, sizeof *item);
	for (row = 0; row < n; row++) {
		object.p = PQgetvalue(res, row, 0);
		object.len = (size_t)PQgetlength(res, row, 0);
		if (item == NULL || !clq_str_eq(item->object, object)) {
			item = &c->items[c->n++];
			item->object = clq_arena_strdup(c->arena, object);
		}
		clq_strs_add(c->arena, &item->permissions,
		    pg_get_text(c->arena, res, row, 1));
	}
}

static void
accessible_args(struct pg_args *args, const struct clq_bound *bounds,
    size_t n, bool children)
{
	struct clq_strs from = { NULL, 0, 0 }, to = { NULL, 0, 0 };
	struct clq_str start, stop;
	size_t i;

	for (i = 0; i < n; i++) {
		start = bounds[i].object;
		stop = CLQ_STR("");
		if (pg_is_pattern(start)) {
			start.len--;
			stop = pg_successor(args->arena, start);
			if (stop.p == NULL)	/* "*": beyond all URIs */
				stop = CLQ_STR("\xf4\x8f\xbf\xbf");
		}
		clq_strs_add(args->arena, &from, start);
		clq_strs_add(args->arena, &to, stop);
	}
	pg_arg_strs(args, from);
	pg_arg_strs(args, to);
	pg_arg_texts(args, get_permission, bounds, n);
	pg_arg_int(args, children);
}

enum clq_status
pg_accessible(void *self, struct clq_arena *arena, struct clq_strs principals,
    const struct clq_bound *bounds, size_t n, bool children,
    struct clq_accessible **out, size_t *nout)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct collecting c = { arena, NULL, 0 };
	struct pg_args args;

	if (status != CLQ_OK)
		return status;
	pg_args_init(&args, arena);
	pg_arg_strs(&args, principals);
	if (n > 0)
		accessible_args(&args, bounds, n, children);
	pg_exec(db, n > 0 ? &accessible_some : &accessible_all, &args,
	    on_accessible, &c);
	status = pg_wait(db);
	if (status != CLQ_OK)
		return status;
	*out = c.items;
	*nout = c.n;
	return CLQ_OK;
}
