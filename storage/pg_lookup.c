/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All questions of a look-up as one statement, where objects and permissions
 * are in one database.
 *
 * Binding and starting a statement costs PostgreSQL about as much as finding a
 * row (docs/performance.md has figures). Rows say which part they are of; a
 * part that is not asked for gets NULL and reads nothing. Arrays come by a
 * sub-select, so that a plan for these very values looks no better to the
 * planner than the one for all, which it then keeps.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

enum { WANTS = 2 };		/* an object and its parent */
enum column { KIND, TIME, DATA, NAME, PRINCIPAL };

#define OBJECT(kind, resource, parent, id)				\
	"SELECT '" kind "' AS kind, o.last_modified, o.data,"		\
	" NULL::text AS name, NULL::text AS principal"			\
	" FROM objects AS o WHERE " PG_OBJECT_OF("o", id, parent, resource) \
	" AND " PG_LIVING("o")
/* $7 user or NULL, $8 objects, $9 permissions, $10 principals, $11 the object
 * whose entries are wanted. What is sorted within its part stays so. */
#define LOOK								\
	OBJECT("0", "$1", "$2", "$3")					\
	" UNION ALL " OBJECT("1", "$4", "$5", "$6")			\
	" UNION ALL SELECT 'g', NULL, NULL, NULL, g.principal"		\
	" FROM (SELECT DISTINCT principal COLLATE \"C\" AS principal"	\
	" FROM user_principals WHERE user_id = ANY (ARRAY["		\
	"(SELECT $7::text), 'system.Authenticated'])"			\
	" AND $7::text IS NOT NULL ORDER BY 1) AS g"			\
	" UNION ALL SELECT 'b', NULL, NULL, object_id, permission"	\
	" FROM access_control_entries"					\
	" WHERE object_id = ANY ((SELECT $8::text[])::text[])"		\
	" AND permission = ANY ((SELECT $9::text[])::text[])"		\
	" AND (principal = ANY ((SELECT $10::text[])::text[])"		\
	" OR principal IN (SELECT principal FROM user_principals"	\
	" WHERE user_id IN ($7, 'system.Authenticated')"		\
	" AND $7::text IS NOT NULL))"					\
	" UNION ALL SELECT 'a', NULL, NULL, a.permission, a.principal"	\
	" FROM (SELECT permission, principal FROM access_control_entries" \
	" WHERE object_id = $11 ORDER BY permission COLLATE \"C\","	\
	" principal COLLATE \"C\") AS a"

static const struct pg_stmt look = { PG_LOOK, LOOK };
static const struct pg_stmt look_and_time = { PG_LOOK_TIME,
	LOOK " UNION ALL SELECT 't', (" PG_LIST_TIME("$12", "$13") "),"
	" NULL, NULL, NULL" };

/* ---- asking ------------------------------------------------------------- */

static void
arg_or_null(struct pg_args *args, struct clq_str s)
{
	if (s.p != NULL)
		pg_arg_text(args, s);
	else
		pg_arg_null(args);
}

static void
add_wants(struct pg_args *args, const struct clq_lookup *l)
{
	size_t i;

	for (i = 0; i < WANTS; i++) {
		if (i >= l->nwants) {
			pg_arg_null(args);
			pg_arg_null(args);
			pg_arg_null(args);
			continue;
		}
		pg_arg_text(args, l->wants[i].coll.resource);
		pg_arg_text(args, l->wants[i].coll.parent);
		pg_arg_text(args, l->wants[i].id);
	}
}

static void
add_once(struct clq_arena *arena, struct clq_strs *list, struct clq_str s)
{
	if (!clq_strs_has(*list, s))
		clq_strs_add(arena, list, s);
}

static void
add_bounds(struct pg_args *args, const struct clq_lookup *l)
{
	struct clq_strs objects = { NULL, 0, 0 }, permissions = { NULL, 0, 0 };
	size_t i;

	for (i = 0; i < l->nbounds; i++) {
		add_once(l->arena, &objects, l->bounds[i].object);
		add_once(l->arena, &permissions, l->bounds[i].permission);
	}
	pg_arg_strs(args, objects);
	pg_arg_strs(args, permissions);
	pg_arg_strs(args, l->principals);
}

/* ---- answers ------------------------------------------------------------ */

struct looking {
	struct clq_lookup	*l;
	clq_msec		*time;
};

static struct clq_str
text_of(const PGresult *res, int row, int column)
{
	return (struct clq_str){ PQgetvalue(res, row, column),
	    (size_t)PQgetlength(res, row, column) };
}

/* An entry's object and permission need not be of one bound. */
static void
grant(struct clq_lookup *l, const PGresult *res, int row)
{
	struct clq_str object = text_of(res, row, NAME);
	struct clq_str permission = text_of(res, row, PRINCIPAL);
	struct clq_bound *b;

	for (b = l->bounds; b < l->bounds + l->nbounds; b++)
		if (clq_str_eq(b->permission, permission) &&
		    clq_str_eq(b->object, object))
			b->granted = true;
}

static int
end_of(const PGresult *res, int row)
{
	int n = PQntuples(res);

	while (row < n && *PQgetvalue(res, row, KIND) == 'a')
		row++;
	return row;
}

static void
on_row(const struct looking *k, const PGresult *res, int row)
{
	struct clq_lookup *l = k->l;

	switch (*PQgetvalue(res, row, KIND)) {
	case '0':
	case '1':
		pg_found(l->arena,
		    &l->wants[*PQgetvalue(res, row, KIND) - '0'], res, row,
		    TIME);
		break;
	case 'g':
		clq_strs_add(l->arena, &l->groups,
		    pg_get_text(l->arena, res, row, PRINCIPAL));
		break;
	case 'b':
		grant(l, res, row);
		break;
	case 't':
		if (!PQgetisnull(res, row, TIME))
			*k->time = pg_get_time(res, row, TIME);
		break;
	}
}

static void
on_look(struct pg_db *db, const PGresult *res, void *ctx)
{
	const struct looking *k = ctx;
	int row = 0, end;

	(void)db;
	while (row < PQntuples(res)) {
		if ((end = end_of(res, row)) == row) {
			on_row(k, res, row++);
			continue;
		}
		k->l->acl = pg_read_acl(k->l->arena, res, row, end, NAME);
		row = end;
	}
}

/* ---- the look-up -------------------------------------------------------- */

static void
clear(struct clq_lookup *l)
{
	size_t i;

	for (i = 0; i < l->nwants; i++)
		l->wants[i].found = false;
	for (i = 0; i < l->nbounds; i++)
		l->bounds[i].granted = false;
	memset(&l->groups, 0, sizeof l->groups);
	if (l->acl_of.p != NULL)
		memset(&l->acl, 0, sizeof l->acl);
}

bool
pg_send_look(struct pg_db *db, struct clq_lookup *l, clq_msec *time)
{
	const struct clq_coll *list = l->timestamp_of;
	struct looking *k;
	struct pg_args args;

	if (!db->storage || !db->permission || l->nwants > WANTS ||
	    (l->nbounds == 0 && l->user.p == NULL) ||
	    (list != NULL && pg_any_parent(list)))
		return false;
	clear(l);
	k = clq_arena_alloc(l->arena, sizeof *k);
	k->l = l;
	k->time = time;
	pg_args_init(&args, l->arena);
	add_wants(&args, l);
	arg_or_null(&args, l->user);
	add_bounds(&args, l);
	arg_or_null(&args, l->acl_of);
	if (list != NULL) {
		pg_arg_text(&args, list->resource);
		pg_arg_text(&args, list->parent);
	}
	pg_exec(db, list != NULL ? &look_and_time : &look, &args, on_look, k);
	return true;
}
