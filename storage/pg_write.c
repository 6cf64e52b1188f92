/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes, and the clock of a list (sections 03-7, 11-5.1).
 *
 * The clock is the list's row in `timestamps`. A statement that changes the
 * list locks it (`l`), computes the next value (`b`), changes the objects
 * (`w`) and moves the clock to the newest of them (`u`), so that changes
 * commit, and become visible, in the order of their timestamps. The row is
 * moved after the objects on purpose: Kinto's trigger gives an object another
 * timestamp if it finds the same one in that row.
 *
 * A row that Kinto left behind its objects does no harm, since their newest is
 * looked at too. A list without a row gets one first (PG_ENSURE): a row that
 * does not exist cannot be locked.
 *
 * All writes of a list that follow each other and do the same become one
 * statement over arrays. One with a client's timestamp stands alone.
 */
#include "storage/pg_table.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <stdlib.h>

enum { MAX_GROUP = 500 };	/* writes of one statement */

#define NOW	"date_trunc('milliseconds', clock_timestamp()"		\
		" AT TIME ZONE 'UTC')"
#define MSEC	"interval '1 millisecond'"
/* Kinto's rows are in microseconds and read as rounded. */
#define ROUND(x) "date_trunc('milliseconds', " x			\
		" + interval '500 microseconds')"
#define NEWEST	"(SELECT last_modified FROM objects"			\
		" WHERE parent_id = $2 AND resource_name = $1"		\
		" ORDER BY last_modified DESC LIMIT 1)"

#define CLOCK								\
	"WITH l AS (SELECT last_modified FROM timestamps"		\
	" WHERE parent_id = $2 AND resource_name = $1"			\
	" FOR NO KEY UPDATE)"
#define NEXT								\
	", b AS MATERIALIZED (SELECT GREATEST(" NOW ", "		\
	ROUND("l.last_modified") " + " MSEC ", " NEWEST " + " MSEC	\
	") AS t FROM l)"
#define MOVE								\
	", u AS (INSERT INTO timestamps"				\
	" (parent_id, resource_name, last_modified)"			\
	" SELECT $2, $1, max(last_modified) FROM w HAVING count(*) > 0"	\
	" ON CONFLICT (parent_id, resource_name)"			\
	" DO UPDATE SET last_modified = EXCLUDED.last_modified"		\
	" WHERE timestamps.last_modified < EXCLUDED.last_modified)"

const char pg_sql_clock[] = CLOCK NEXT;
const char pg_sql_tail[] = MOVE;

/*
 * The same with a client's timestamp $5 for the object $3: taken if it is
 * above the clock; below, the first value that no other object has; if none
 * is left there, the next one.
 */
#define OTHER(t) "EXISTS (SELECT 1 FROM objects AS p"			\
	" WHERE p.parent_id = $2 AND p.resource_name = $1"		\
	" AND p.last_modified = " t " AND p.id <> ($3::text[])[1])"
#define CLIENT								\
	", c AS MATERIALIZED (SELECT GREATEST("				\
	ROUND("l.last_modified") ", " NEWEST ") AS t FROM l)"		\
	", f AS MATERIALIZED (SELECT CASE WHEN " OTHER("$5::timestamp")	\
	" THEN (SELECT o.last_modified + " MSEC " FROM objects AS o"	\
	" WHERE o.parent_id = $2 AND o.resource_name = $1"		\
	" AND o.last_modified >= $5::timestamp AND NOT "		\
	OTHER("o.last_modified + " MSEC)				\
	" ORDER BY o.last_modified LIMIT 1)"				\
	" ELSE $5::timestamp END AS t)"					\
	", b AS MATERIALIZED (SELECT CASE"				\
	" WHEN $5::timestamp > c.t THEN $5::timestamp"			\
	" WHEN f.t < c.t THEN f.t"					\
	" ELSE GREATEST(" NOW ", c.t + " MSEC ") END AS t FROM c, f)"

/*
 * `n`: what is to be written, k = 0, 1, ... Each object is searched for on its
 * own: in a join the planner, which may know little of the table, could as
 * well read the list. Arrays come by a sub-select, so that a plan for these
 * very values looks no better to the planner than the one for all: planning
 * costs twice what the statement does.
 */
#define N_CREATE							\
	", n AS MATERIALIZED (SELECT i.id, i.data,"			\
	" row_number() OVER (ORDER BY i.k) - 1 AS k"			\
	" FROM unnest((SELECT $3::text[]), (SELECT $4::jsonb[]))"	\
	" WITH ORDINALITY AS i(id, data, k)"				\
	" WHERE (SELECT o.deleted FROM objects AS o WHERE "		\
	PG_OBJECT("o", "i.id") ") IS NOT FALSE)"
#define N_UPDATE							\
	", n AS MATERIALIZED (SELECT id, data, k - 1 AS k"		\
	" FROM unnest((SELECT $3::text[]), (SELECT $4::jsonb[]))"	\
	" WITH ORDINALITY AS i(id, data, k))"
#define N_DELETE							\
	", n AS MATERIALIZED (SELECT o.place,"				\
	" row_number() OVER (ORDER BY i.k) - 1 AS k"			\
	" FROM unnest((SELECT $3::text[]))"				\
	" WITH ORDINALITY AS i(id, k)"					\
	" CROSS JOIN LATERAL (SELECT ctid AS place FROM objects AS o"	\
	" WHERE " PG_OBJECT("o", "i.id") " AND " PG_LIVING("o")		\
	" LIMIT 1) AS o"						\
	" WHERE $4::jsonb[] IS NULL)"

#define W_UPSERT(where)							\
	", w AS (INSERT INTO objects (id, parent_id, resource_name,"	\
	" last_modified, data, deleted)"				\
	" SELECT n.id, $2, $1, b.t + n.k * " MSEC ", n.data, FALSE"	\
	" FROM b, n ORDER BY n.k"					\
	" ON CONFLICT (id, parent_id, resource_name) DO UPDATE"		\
	" SET last_modified = EXCLUDED.last_modified,"			\
	" data = EXCLUDED.data, deleted = FALSE " where			\
	" RETURNING id, last_modified)"
#define W_DELETE							\
	", w AS (UPDATE objects AS o SET deleted = TRUE,"		\
	" data = '{\"deleted\": true}',"				\
	" last_modified = b.t + n.k * " MSEC " FROM b, n"		\
	" WHERE o.ctid = n.place AND o.parent_id = $2"			\
	" AND o.resource_name = $1 AND NOT o.deleted"			\
	" RETURNING o.id, o.last_modified)"
#define RESULT " SELECT id, last_modified FROM w"

/* One object, as most requests write: $3 id, $4 document. */
#define ONE_UPSERT(where)						\
	", w AS (INSERT INTO objects (id, parent_id, resource_name,"	\
	" last_modified, data, deleted)"				\
	" SELECT $3, $2, $1, b.t, $4::jsonb, FALSE FROM b"		\
	" ON CONFLICT (id, parent_id, resource_name) DO UPDATE"		\
	" SET last_modified = EXCLUDED.last_modified,"			\
	" data = EXCLUDED.data, deleted = FALSE " where			\
	" RETURNING id, last_modified)"
#define ONE_DELETE							\
	", w AS (UPDATE objects AS o SET deleted = TRUE,"		\
	" data = '{\"deleted\": true}', last_modified = b.t FROM b"	\
	" WHERE " PG_OBJECT("o", "$3") " AND " PG_LIVING("o")		\
	" AND $4::jsonb IS NULL RETURNING o.id, o.last_modified)"

/* By operation: one; several; one with a timestamp. */
enum form { ONE, SEVERAL, TIMED };
static const struct pg_stmt statements[3][3] = {
	[ONE] = {
		[CLQ_WRITE_CREATE] = { PG_WRITE + 6, CLOCK NEXT
		    ONE_UPSERT("WHERE objects.deleted") MOVE RESULT },
		[CLQ_WRITE_UPDATE] = { PG_WRITE + 7, CLOCK NEXT
		    ONE_UPSERT("") MOVE RESULT },
		[CLQ_WRITE_DELETE] = { PG_WRITE + 8, CLOCK NEXT
		    ONE_DELETE MOVE RESULT },
	},
	[SEVERAL] = {
		[CLQ_WRITE_CREATE] = { PG_WRITE, CLOCK NEXT N_CREATE
		    W_UPSERT("WHERE objects.deleted") MOVE RESULT },
		[CLQ_WRITE_UPDATE] = { PG_WRITE + 1, CLOCK NEXT N_UPDATE
		    W_UPSERT("") MOVE RESULT },
		[CLQ_WRITE_DELETE] = { PG_WRITE + 2, CLOCK NEXT N_DELETE
		    W_DELETE MOVE RESULT },
	},
	[TIMED] = {
		[CLQ_WRITE_CREATE] = { PG_WRITE + 3, CLOCK CLIENT N_CREATE
		    W_UPSERT("WHERE objects.deleted") MOVE RESULT },
		[CLQ_WRITE_UPDATE] = { PG_WRITE + 4, CLOCK CLIENT N_UPDATE
		    W_UPSERT("") MOVE RESULT },
		[CLQ_WRITE_DELETE] = { PG_WRITE + 5, CLOCK CLIENT N_DELETE
		    W_DELETE MOVE RESULT },
	}
};

/* The first change of a list is now, so the list begins before; but it begins
 * now if that change has another time $3 of its own. */
static const struct pg_stmt ensure = { PG_ENSURE,
	"INSERT INTO timestamps (parent_id, resource_name, last_modified)"
	" SELECT $2, $1, COALESCE(" NEWEST ", (SELECT"
	" CASE WHEN $3::timestamp <> n.t THEN n.t ELSE n.t - " MSEC " END"
	" FROM (SELECT " NOW " AS t) AS n))"
	" WHERE NOT EXISTS (SELECT 1 FROM timestamps"
	" WHERE parent_id = $2 AND resource_name = $1)"
	" ON CONFLICT (parent_id, resource_name) DO NOTHING" };

void
pg_send_ensure(struct pg_db *db, const struct clq_coll *coll,
    const clq_msec *own)
{
	struct pg_args args;

	pg_args_init(&args, db->tx_arena);
	pg_arg_text(&args, coll->resource);
	pg_arg_text(&args, coll->parent);
	if (own != NULL)
		pg_arg_time(&args, *own < PG_MAX_TIME ? *own : PG_MAX_TIME);
	else
		pg_arg_null(&args);
	pg_exec(db, &ensure, &args, NULL, NULL);
}

/* ---- groups ------------------------------------------------------------ */

/* Writes of one statement; borrowed from the queue's arena. */
struct group {
	struct clq_write	**writes;
	size_t			  n;
};

static struct clq_str
get_id(const void *ctx, size_t i)
{
	const struct group *g = ctx;

	return g->writes[i]->id;
}

static struct clq_str
get_data(const void *ctx, size_t i)
{
	const struct group *g = ctx;

	return g->writes[i]->data;
}

/* Rows come in the order of the writes; what was refused has none. */
static void
on_written(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct group *g = ctx;
	int row, rows = PQntuples(res), seen = 0;
	struct clq_write *w;
	size_t i;

	(void)db;
	for (i = 0; i < g->n; i++) {
		w = g->writes[i];
		w->status = w->op == CLQ_WRITE_DELETE ? CLQ_NOT_FOUND :
		    CLQ_CONFLICT;
		for (row = seen; row < rows + seen; row++) {
			int r = row % rows;

			if ((size_t)PQgetlength(res, r, 0) != w->id.len ||
			    memcmp(PQgetvalue(res, r, 0), w->id.p,
			    w->id.len) != 0)
				continue;
			w->status = CLQ_OK;
			w->last_modified = pg_get_time(res, r, 1);
			seen = r + 1;
			break;
		}
	}
}

static void
send_group(struct pg_db *db, struct clq_write **writes, size_t n)
{
	struct group *g = clq_arena_alloc(db->tx_arena, sizeof *g);
	const struct clq_write *first = writes[0];
	enum form form = first->has_timestamp ? TIMED : n > 1 ? SEVERAL : ONE;
	struct pg_args args;

	g->writes = writes;
	g->n = n;
	pg_args_init(&args, db->tx_arena);
	pg_arg_text(&args, first->coll.resource);
	pg_arg_text(&args, first->coll.parent);
	if (form == ONE)
		pg_arg_text(&args, first->id);
	else
		pg_arg_texts(&args, get_id, g, n);
	if (first->op == CLQ_WRITE_DELETE)
		pg_arg_null(&args);
	else if (form == ONE)
		pg_arg_json(&args, first->data);
	else
		pg_arg_jsons(&args, get_data, g, n);
	if (first->has_timestamp)
		pg_arg_time(&args, first->timestamp < PG_MAX_TIME ?
		    first->timestamp : PG_MAX_TIME);
	pg_exec(db, &statements[form][first->op], &args, on_written, g);
}

/* True if w can go with the group: one statement cannot touch an object
 * twice. */
static bool
fits(struct clq_write *const *writes, size_t n, const struct clq_write *w)
{
	size_t i;

	if (n >= MAX_GROUP || w->has_timestamp || writes[0]->has_timestamp ||
	    w->op != writes[0]->op)
		return false;
	for (i = 0; i < n; i++)
		if (clq_str_eq(writes[i]->id, w->id))
			return false;
	return true;
}

/* All of one list. */
static void
send_list(struct pg_db *db, struct clq_write **writes, size_t n)
{
	const struct pg_table *table = pg_table_of(db,
	    writes[0]->coll.resource);
	size_t i, from = 0;

	if (db->batch)
		pg_take_list(db, db->tx_arena, &writes[0]->coll);
	if (table != NULL) {
		for (i = 0; i < n; i++)
			pg_table_send(db, table, writes[i]);
		return;
	}
	pg_send_ensure(db, &writes[0]->coll, writes[0]->has_timestamp ?
	    &writes[0]->timestamp : NULL);
	for (i = 1; i <= n; i++) {
		if (i < n && fits(writes + from, i - from, writes[i]))
			continue;
		send_group(db, writes + from, i - from);
		from = i;
	}
}

static int
list_order(const struct clq_write *a, const struct clq_write *b)
{
	int order = clq_str_cmp(a->coll.parent, b->coll.parent);

	return order != 0 ? order :
	    clq_str_cmp(a->coll.resource, b->coll.resource);
}

/* Stable: the writes of a list keep their order. Mostly there is one list. */
static void
sort_by_list(struct clq_arena *arena, struct clq_write **w, size_t n)
{
	struct clq_write **half;
	size_t mid = n / 2, i, j, k;

	for (i = 1; i < n && list_order(w[i - 1], w[i]) <= 0; i++)
		;
	if (i >= n)
		return;
	sort_by_list(arena, w, mid);
	sort_by_list(arena, w + mid, n - mid);
	half = clq_arena_calloc(arena, mid, sizeof(struct clq_write *));
	memcpy(half, w, mid * sizeof(struct clq_write *));
	for (i = 0, j = mid, k = 0; i < mid; k++)
		if (j < n && list_order(w[j], half[i]) < 0)
			w[k] = w[j++];
		else
			w[k] = half[i++];
}

/*
 * Lists in one order for all workers: then two that write to the same lists
 * do not wait for each other in a circle.
 */
void
pg_send_writes(struct pg_db *db, struct clq_write **writes, size_t n)
{
	struct clq_write **own;
	size_t i, from = 0;

	if (n == 0)
		return;
	own = clq_arena_calloc(db->tx_arena, n, sizeof(struct clq_write *));
	memcpy(own, writes, n * sizeof(struct clq_write *));
	sort_by_list(db->tx_arena, own, n);
	for (i = 1; i <= n; i++) {
		if (i < n && list_order(own[i - 1], own[i]) == 0)
			continue;
		send_list(db, own + from, i - from);
		from = i;
	}
}

/* ---- the table --------------------------------------------------------- */

enum clq_status
pg_write(void *self, struct clq_write *writes, size_t n)
{
	struct pg_db *db = pg_self(self);
	bool at_once = false;
	size_t i;

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun || db->mode != CLQ_TX_WRITE)
		return pg_start(db, true);	/* says what is wrong */
	for (i = 0; i < n; i++) {
		pg_queue_write(db, &writes[i]);
		/* what a table's constraints say, the client is told */
		at_once |= pg_is_mapped(db, writes[i].coll.resource);
	}
	return at_once ? pg_sync(self) : CLQ_OK;
}

enum clq_status
pg_sync(void *self)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = db->doomed;

	if (status != CLQ_OK || db->nops == 0)
		return status;
	if ((status = pg_start(db, true)) != CLQ_OK)
		return status;
	pg_send_queue(db, false);
	return pg_wait(db);
}
