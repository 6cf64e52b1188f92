/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All questions of a look-up as one statement, where objects and permissions
 * are in one database.
 *
 * Binding and starting a statement costs PostgreSQL about as much as finding a
 * row (docs/performance.md has figures), and each part of it costs too, whether
 * it finds anything or not. So there is a text for each combination of parts,
 * the parts are plain scans, and what they find is sorted here. Rows say which
 * part they are of. Objects and permissions are as many parameters and not
 * arrays: a plan for these very values then looks no better to the planner than
 * the one for all, which it keeps.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

enum {
	WANTS = 2,		/* an object and its parent */
	OBJECTS = 5,		/* of bounds */
	PERMISSIONS = 4
};
enum column { KIND, TIME, DATA, NAME, PRINCIPAL };

#define GROUPS	"SELECT principal FROM user_principals"			\
	" WHERE user_id = ANY (ARRAY[$1, $2])"
/* $1 the user or NULL, $2 system.Authenticated or NULL, $3 ... $7 objects, $8
 * ... $11 permissions, $12 principals. */
#define LOOK								\
	"SELECT 'g' AS kind, NULL::timestamp AS last_modified,"		\
	" NULL::jsonb AS data, NULL::text AS name, g.principal"		\
	" FROM (" GROUPS ") AS g"					\
	" UNION ALL SELECT 'b', NULL, NULL, object_id, permission"	\
	" FROM access_control_entries"					\
	" WHERE object_id = ANY (ARRAY[$3, $4, $5, $6, $7])"		\
	" AND permission = ANY (ARRAY[$8, $9, $10, $11])"		\
	" AND (principal = ANY ($12::text[]) OR principal IN (" GROUPS "))"
#define OBJECT(kind, resource, parent, id)				\
	" UNION ALL SELECT '" kind "', o.last_modified, o.data, NULL, NULL" \
	" FROM objects AS o WHERE " PG_OBJECT_OF("o", id, parent, resource) \
	" AND " PG_LIVING("o")
#define LOOK_1	LOOK OBJECT("0", "$13", "$14", "$15")
#define LOOK_2	LOOK_1 OBJECT("1", "$16", "$17", "$18")
/* The entries of one object; the timestamp of a list. */
#define ACL(uri)							\
	" UNION ALL SELECT 'a', NULL, NULL, permission, principal"	\
	" FROM access_control_entries WHERE object_id = " uri
#define LIST(resource, parent)						\
	" UNION ALL SELECT 't', " PG_LIST_TIME(resource, parent) ","	\
	" NULL, NULL, NULL"

/* By the number of objects, whether there is an ACL, and a list. */
static const struct pg_stmt looks[WANTS + 1][2][2] = {
	{
		{ { PG_LOOK, LOOK },
		  { PG_LOOK + 1, LOOK LIST("$13", "$14") } },
		{ { PG_LOOK + 2, LOOK ACL("$13") },
		  { PG_LOOK + 3, LOOK ACL("$13") LIST("$14", "$15") } }
	}, {
		{ { PG_LOOK + 4, LOOK_1 },
		  { PG_LOOK + 5, LOOK_1 LIST("$16", "$17") } },
		{ { PG_LOOK + 6, LOOK_1 ACL("$16") },
		  { PG_LOOK + 7, LOOK_1 ACL("$16") LIST("$17", "$18") } }
	}, {
		{ { PG_LOOK + 8, LOOK_2 },
		  { PG_LOOK + 9, LOOK_2 LIST("$19", "$20") } },
		{ { PG_LOOK + 10, LOOK_2 ACL("$19") },
		  { PG_LOOK + 11, LOOK_2 ACL("$19") LIST("$20", "$21") } }
	}
};

/* ---- asking ------------------------------------------------------------- */

static void
add_once(struct clq_arena *arena, struct clq_strs *list, struct clq_str s)
{
	if (!clq_strs_has(*list, s))
		clq_strs_add(arena, list, s);
}

/* As many parameters as there is room for; the others are NULL. */
static bool
add_all(struct pg_args *args, struct clq_strs list, size_t room)
{
	size_t i;

	for (i = 0; i < room; i++)
		if (i < list.n)
			pg_arg_text(args, list.items[i]);
		else
			pg_arg_null(args);
	return list.n <= room;
}

/* false: too many. */
static bool
add_bounds(struct pg_args *args, const struct clq_lookup *l)
{
	struct clq_strs objects = { NULL, 0, 0 }, permissions = { NULL, 0, 0 };
	struct clq_strs user = { NULL, 0, 0 };
	size_t i;

	if (l->user.p != NULL) {
		clq_strs_add(l->arena, &user, l->user);
		clq_strs_add(l->arena, &user, CLQ_STR("system.Authenticated"));
	}
	for (i = 0; i < l->nbounds; i++) {
		add_once(l->arena, &objects, l->bounds[i].object);
		add_once(l->arena, &permissions, l->bounds[i].permission);
	}
	if (!add_all(args, user, 2) || !add_all(args, objects, OBJECTS) ||
	    !add_all(args, permissions, PERMISSIONS))
		return false;
	pg_arg_strs(args, l->principals);
	return true;
}

static void
add_coll(struct pg_args *args, const struct clq_coll *coll)
{
	pg_arg_text(args, coll->resource);
	pg_arg_text(args, coll->parent);
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
	pg_sort_strs(&k->l->groups);
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
	bool acl = l->acl_of.p != NULL;
	struct looking *k;
	struct pg_args args;
	size_t i;

	if (!db->storage || !db->permission || l->nwants > WANTS ||
	    (l->nbounds == 0 && l->user.p == NULL) ||
	    (list != NULL && pg_any_parent(list)))
		return false;
	pg_args_init(&args, l->arena);
	if (!add_bounds(&args, l))
		return false;
	for (i = 0; i < l->nwants; i++) {
		add_coll(&args, &l->wants[i].coll);
		pg_arg_text(&args, l->wants[i].id);
	}
	if (acl)
		pg_arg_text(&args, l->acl_of);
	if (list != NULL)
		add_coll(&args, list);
	clear(l);
	k = clq_arena_alloc(l->arena, sizeof *k);
	k->l = l;
	k->time = time;
	pg_exec(db, &looks[l->nwants][acl][list != NULL], &args, on_look, k);
	return true;
}
