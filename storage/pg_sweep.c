/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What concerns whole lists or all of them: erase, purge, totals, flush.
 *
 * What lies below a parent is a range of texts in byte order, which the
 * columns' collation "C" makes a range of the index; no pattern reaches SQL,
 * so % and _ are characters like others.
 */
#include "storage/pg_table.h"

#include <cliquet/str.h>

#include <stdlib.h>

/* $1 resource or NULL, $2 parent, $3 and $4 the range below it. */
#define BELOW								\
	" WHERE (parent_id = $2 OR"					\
	" (parent_id >= $3 AND parent_id < $4))"			\
	" AND ($1::text IS NULL OR resource_name = $1)"

static const struct pg_stmt erase = { PG_ERASE,
	"DELETE FROM objects" BELOW };
static const struct pg_stmt erase_times = { PG_ERASE_TIMES,
	"DELETE FROM timestamps" BELOW };

/* $1 resource or NULL, $2 before or NULL */
static const struct pg_stmt purge = { PG_PURGE,
	"WITH w AS (DELETE FROM objects WHERE deleted"
	" AND ($1::text IS NULL OR resource_name = $1)"
	" AND ($2::timestamp IS NULL OR last_modified < $2)"
	" RETURNING 1) SELECT count(*) FROM w" };
/* $3 how many to keep of each list */
static const struct pg_stmt purge_ranked = { PG_PURGE_RANKED,
	"WITH n AS MATERIALIZED (SELECT id, parent_id, resource_name,"
	" last_modified, row_number() OVER"
	" (PARTITION BY parent_id, resource_name"
	" ORDER BY last_modified DESC) AS k FROM objects WHERE deleted"
	" AND ($1::text IS NULL OR resource_name = $1)),"
	" w AS (DELETE FROM objects AS o USING n"
	" WHERE o.id = n.id AND o.parent_id = n.parent_id"
	" AND o.resource_name = n.resource_name AND o.deleted"
	" AND n.k > $3::bigint"
	" AND ($2::timestamp IS NULL OR n.last_modified < $2)"
	" RETURNING 1) SELECT count(*) FROM w" };
static const struct pg_stmt purge_times = { PG_PURGE_TIMES,
	"DELETE FROM timestamps"
	" WHERE $1::text IS NULL OR resource_name = $1" };
/* Lists that Kinto wrote to have their time in their newest object only. */
static const struct pg_stmt keep_times = { PG_KEEP_TIMES,
	"INSERT INTO timestamps (parent_id, resource_name, last_modified)"
	" SELECT parent_id, resource_name, max(last_modified) FROM objects"
	" WHERE deleted AND ($1::text IS NULL OR resource_name = $1)"
	" GROUP BY parent_id, resource_name"
	" ON CONFLICT (parent_id, resource_name)"
	" DO UPDATE SET last_modified = EXCLUDED.last_modified"
	" WHERE timestamps.last_modified < EXCLUDED.last_modified" };

static const struct pg_stmt totals = { PG_TOTALS,
	"SELECT resource_name, count(*) FILTER (WHERE NOT deleted),"
	" count(*) FILTER (WHERE deleted) FROM objects"
	" GROUP BY resource_name ORDER BY resource_name" };
static const struct pg_stmt flush = { PG_FLUSH, "DELETE FROM objects" };
static const struct pg_stmt flush_times = { PG_FLUSH_TIMES,
	"DELETE FROM timestamps" };

static void
arg_resource(struct pg_args *args, struct clq_str resource)
{
	if (resource.p == NULL)
		pg_arg_null(args);
	else
		pg_arg_text(args, clq_arena_strdup(args->arena, resource));
}

/* ---- erase ------------------------------------------------------------- */

static void
queue_erase(struct pg_db *db, const struct pg_stmt *stmt,
    struct clq_str resource, struct clq_str parent)
{
	struct pg_args *args = pg_queue_stmt(db, true, stmt);
	struct clq_arena *arena = db->tx_arena;

	pg_known_forget(db);
	arg_resource(args, resource);
	pg_arg_text(args, clq_arena_strdup(arena, parent));
	pg_arg_text(args, clq_arena_printf(arena, "%.*s/",
	    CLQ_FMT(parent)));
	/* '0' is the character behind '/' */
	pg_arg_text(args, clq_arena_printf(arena, "%.*s0",
	    CLQ_FMT(parent)));
}

/*
 * Waits in the queue. Its lock is among what is sent first, before the clock
 * of any list is taken.
 */
enum clq_status
pg_erase(void *self, struct clq_str resource, struct clq_str parent)
{
	struct pg_db *db = pg_self(self);
	struct pg_locks locks;
	enum clq_status status;

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun || db->mode != CLQ_TX_WRITE)
		return pg_start(db, true);	/* says what is wrong */
	/* what tables there are is known by the connection */
	if (db->ntables > 0 && (status = pg_start(db, true)) != CLQ_OK)
		return status;
	memset(&locks, 0, sizeof locks);
	locks.arena = db->tx_arena;
	pg_lock_below(&locks, parent);
	pg_lock_args(&locks, pg_queue_stmt(db, false, &pg_lock_stmt));
	pg_table_erase(db, resource, parent);
	if (db->doomed != CLQ_OK)
		return db->doomed;
	queue_erase(db, &erase, resource, parent);
	queue_erase(db, &erase_times, resource, parent);
	return CLQ_OK;
}

/* ---- purge ------------------------------------------------------------- */

static void
on_number(struct pg_db *db, const PGresult *res, void *ctx)
{
	(void)db;
	*(int64_t *)ctx = pg_get_int(res, 0, 0);
}

enum clq_status
pg_purge(void *self, struct clq_str resource, clq_msec before,
    int64_t max_retained, int64_t *removed)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, true);
	struct pg_args one, args;
	int64_t n = 0;

	if (status != CLQ_OK)
		return status;
	pg_args_init(&one, db->tx_arena);
	arg_resource(&one, resource);
	pg_args_init(&args, db->tx_arena);
	arg_resource(&args, resource);
	if (before != 0)
		pg_arg_time(&args, before);
	else
		pg_arg_null(&args);
	pg_known_forget(db);
	pg_send_queue(db, false);
	if (before != 0 || max_retained >= 0)
		pg_exec(db, &keep_times, &one, NULL, NULL);
	if (max_retained >= 0) {
		pg_arg_int(&args, max_retained);
		pg_exec(db, &purge_ranked, &args, on_number, &n);
	} else {
		pg_exec(db, &purge, &args, on_number, &n);
		if (before == 0)
			pg_exec(db, &purge_times, &one, NULL, NULL);
	}
	status = pg_wait(db);
	if (status == CLQ_OK)
		*removed = n;
	return status;
}

/* ---- totals and flush -------------------------------------------------- */

struct counting {
	struct clq_arena		*arena;
	struct clq_resource_count	*counts;
	size_t				 n;
	const int64_t			*rows;	/* of the tables of db */
};

static void
on_totals(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct counting *c = ctx;
	int row;

	c->n = (size_t)PQntuples(res);
	c->counts = clq_arena_calloc(c->arena, c->n + db->ntables,
	    sizeof *c->counts);
	for (row = 0; row < PQntuples(res); row++) {
		c->counts[row].resource = pg_get_text(c->arena, res, row, 0);
		c->counts[row].objects = pg_get_int(res, row, 1);
		c->counts[row].tombstones = pg_get_int(res, row, 2);
	}
}

static int
by_resource(const void *a, const void *b)
{
	const struct clq_resource_count *x = a, *y = b;

	return clq_str_cmp(x->resource, y->resource);
}

/* The rows of tables are the living objects of their resources. */
static void
add_tables(const struct pg_db *db, struct counting *c)
{
	struct clq_resource_count *to;
	size_t i;

	for (i = 0; i < db->ntables; i++) {
		if (db->tables[i].broken != NULL)
			continue;	/* nobody knows */
		for (to = c->counts; to < c->counts + c->n; to++)
			if (clq_str_eq(to->resource, db->tables[i].resource))
				break;
		if (to == c->counts + c->n) {
			c->n++;
			to->resource = clq_arena_strdup(c->arena,
			    db->tables[i].resource);
		}
		to->objects = c->rows[i];
	}
	if (db->ntables > 0)
		qsort(c->counts, c->n, sizeof *c->counts, by_resource);
}

enum clq_status
pg_totals(void *self, struct clq_arena *arena,
    struct clq_resource_count **out, size_t *n)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	int64_t *rows = clq_arena_calloc(arena, db->ntables + 1,
	    sizeof *rows);
	struct counting c = { arena, NULL, 0, rows };

	if (status != CLQ_OK)
		return status;
	pg_send_queue(db, false);
	pg_table_totals(db, arena, rows);
	pg_exec(db, &totals, NULL, on_totals, &c);
	status = pg_wait(db);
	if (status != CLQ_OK)
		return status;
	add_tables(db, &c);
	*out = c.counts;
	*n = c.n;
	return CLQ_OK;
}

enum clq_status
pg_flush(void *self)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, true);

	if (status != CLQ_OK)
		return status;
	pg_known_forget(db);
	pg_send_queue(db, false);
	pg_table_flush(db);
	pg_exec(db, &flush, NULL, NULL, NULL);
	pg_exec(db, &flush_times, NULL, NULL, NULL);
	return pg_wait(db);
}
