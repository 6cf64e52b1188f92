/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: reading, counting, deleting and trimming what a query selects.
 *
 * delete_all is one statement: it selects, buries and returns both. It takes
 * the list's lock first (pg_lock.c), so that nobody who has looked an object
 * up finds it deleted behind his back.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

/* PostgreSQL's protocol numbers parameters with 16 bits. */
static enum clq_status
check(struct pg_db *db, const struct pg_sql *b)
{
	if (b->args.n <= PG_MAX_PARAMS)
		return CLQ_OK;
	clq_log_err("postgresql: %s: a query has %zu parameters, at most %d "
	    "are possible", db->shown, b->args.n, (int)PG_MAX_PARAMS);
	return db->doomed = CLQ_FAILED;
}

static void
exec(struct pg_db *db, const struct pg_sql *b, pg_result_f *fn, void *ctx)
{
	(b->plan_anew ? pg_exec_once : pg_exec_sql)(db,
	    clq_buf_str(&b->text), &b->args, fn, ctx);
}

/* ---- reading ----------------------------------------------------------- */

struct reading {
	struct clq_arena	*arena;
	struct clq_page		*page;
	bool			 any_parent;	/* which comes as fifth column */
};

static void
read_object(struct clq_arena *arena, const PGresult *res, int row,
    struct clq_object *o)
{
	o->id = pg_get_text(arena, res, row, 0);
	o->last_modified = pg_get_time(res, row, 1);
	o->deleted = pg_get_bool(res, row, 2);
	o->data = o->deleted ? CLQ_STR("{}") :
	    pg_get_json(arena, res, row, 3);
}

static void
on_page(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct reading *r = ctx;
	int row, n = PQntuples(res);

	(void)db;
	r->page->n = (size_t)n;
	r->page->objects = clq_arena_calloc(r->arena, (size_t)n,
	    sizeof *r->page->objects);
	for (row = 0; row < n; row++) {
		read_object(r->arena, res, row, &r->page->objects[row]);
		if (r->any_parent)
			r->page->objects[row].parent = pg_get_text(r->arena,
			    res, row, 4);
	}
}

enum clq_status
pg_send_list(struct pg_db *db, struct clq_arena *arena,
    const struct clq_query *q, struct clq_page *out)
{
	struct reading *r = clq_arena_alloc(arena, sizeof *r);
	enum clq_status status;
	struct pg_sql b;

	r->arena = arena;
	r->page = out;
	r->any_parent = pg_any_parent(&q->coll);
	pg_sql_init(&b, arena, db, &q->coll);
	if (b.table != NULL) {
		pg_sql_add(&b, "SELECT id, last_modified, deleted, data");
		pg_sql_add(&b, r->any_parent ? ", parent_id" : "");
		pg_table_page(&b, q);
	} else {
		pg_sql_objects(&b, q);
	}
	if ((status = check(db, &b)) == CLQ_OK)
		exec(db, &b, on_page, r);
	return status;
}

enum clq_status
pg_list(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_page *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	struct clq_page page = { NULL, 0 };

	if (status != CLQ_OK || (status = pg_index_learn(db)) != CLQ_OK)
		return status;
	pg_send_queue(db, false);
	if ((status = pg_send_list(db, arena, q, &page)) != CLQ_OK)
		return status;
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = page;
	return status;
}

static void
on_count(struct pg_db *db, const PGresult *res, void *ctx)
{
	(void)db;
	*(int64_t *)ctx = pg_get_int(res, 0, 0);
}

/* Send b and return the number that comes back. */
static enum clq_status
ask_number(struct pg_db *db, const struct pg_sql *b, int64_t *out)
{
	enum clq_status status = check(db, b);
	int64_t n = 0;

	if (status != CLQ_OK)
		return status;
	exec(db, b, on_count, &n);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = n;
	return status;
}

enum clq_status
pg_count(void *self, const struct clq_query *q, int64_t *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	struct clq_arena *arena;
	struct pg_sql b;

	if (status != CLQ_OK || (status = pg_index_learn(db)) != CLQ_OK)
		return status;
	arena = clq_arena_new();
	pg_sql_init(&b, arena, db, &q->coll);
	pg_sql_add(&b, "SELECT count(*)");
	pg_sql_where(&b, q, q->include_deleted);
	pg_send_queue(db, false);
	status = ask_number(db, &b, out);
	clq_arena_free(&arena);
	return status;
}

/* ---- deleting ---------------------------------------------------------- */

struct burying {
	struct clq_arena	*arena;
	struct clq_deletions	*dead;
};

static void
on_buried(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct burying *u = ctx;
	struct clq_deleted *d;
	int row, n = PQntuples(res);

	(void)db;
	u->dead->n = (size_t)n;
	u->dead->items = clq_arena_calloc(u->arena, (size_t)n, sizeof *d);
	for (row = 0; row < n; row++) {
		d = &u->dead->items[row];
		read_object(u->arena, res, row, &d->old);
		d->last_modified = pg_get_time(res, row, 4);
	}
}

/* Objects of several lists, each of which has its own clock and lock; or rows
 * of a table, which are written one by one. */
static enum clq_status
delete_apart(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_deletions *out)
{
	struct clq_query live = *q;
	struct clq_page page = { NULL, 0 };
	struct clq_write *writes;
	struct clq_coll coll;
	enum clq_status status;
	size_t i;

	live.include_deleted = false;
	if (!pg_any_parent(&q->coll)) {
		pg_take_list(pg_self(self), arena, &q->coll);
		pg_table_hold(pg_self(self), arena, &q->coll);
	}
	if ((status = pg_list(self, arena, &live, &page)) != CLQ_OK)
		return status;
	writes = clq_arena_calloc(arena, page.n, sizeof *writes);
	for (i = 0; i < page.n; i++) {
		coll.resource = q->coll.resource;
		coll.parent = q->coll.parent;
		if (pg_any_parent(&q->coll)) {
			coll.parent = page.objects[i].parent;
			pg_take_list(pg_self(self), arena, &coll);
		}
		pg_table_saw(pg_self(self), &coll, page.objects[i].id,
		    page.objects[i].last_modified);
		writes[i].op = CLQ_WRITE_DELETE;
		writes[i].coll = coll;
		writes[i].id = page.objects[i].id;
	}
	if ((status = pg_write(self, writes, page.n)) != CLQ_OK ||
	    (status = pg_sync(self)) != CLQ_OK)
		return status;
	out->items = clq_arena_calloc(arena, page.n, sizeof *out->items);
	for (out->n = i = 0; i < page.n; i++) {
		if (writes[i].status == CLQ_CONFLICT)
			return CLQ_RETRY;	/* it is another row now */
		if (writes[i].status != CLQ_OK)
			continue;	/* somebody was faster */
		out->items[out->n].old = page.objects[i];
		out->items[out->n++].last_modified = writes[i].last_modified;
	}
	return CLQ_OK;
}

enum clq_status
pg_delete_all(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_deletions *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, true);
	struct clq_deletions dead = { NULL, 0 };
	struct burying u = { arena, &dead };
	struct pg_sql b;

	if (status == CLQ_OK && (pg_any_parent(&q->coll) ||
	    pg_table_of(db, q->coll.resource) != NULL))
		return delete_apart(self, arena, q, out);
	if (status != CLQ_OK || (status = pg_index_learn(db)) != CLQ_OK)
		return status;
	pg_sql_init(&b, arena, db, &q->coll);
	pg_sql_add(&b, pg_sql_clock);
	pg_sql_add(&b, ", n AS MATERIALIZED (SELECT s.*,"
	    " row_number() OVER () - 1 AS k FROM ("
	    "SELECT id, last_modified, deleted, data, ctid AS place");
	pg_sql_where(&b, q, false);
	pg_sql_page(&b, q);
	/* by place: a planner that knows nothing of the table yet would look
	 * for each id in the whole of it */
	pg_sql_add(&b, ") AS s), w AS (UPDATE objects AS o"
	    " SET deleted = TRUE, data = '{\"deleted\": true}',"
	    " last_modified = b.t + n.k * interval '1 millisecond'"
	    " FROM b, n WHERE o.ctid = n.place AND o.parent_id = $2"
	    " AND o.resource_name = $1 AND NOT o.deleted"
	    " RETURNING o.id, n.last_modified AS old, n.deleted, n.data,"
	    " o.last_modified, n.k)");
	pg_sql_add(&b, pg_sql_tail);
	pg_sql_add(&b, " SELECT id, old, deleted, data, last_modified FROM w"
	    " ORDER BY k");
	if ((status = check(db, &b)) != CLQ_OK)
		return status;
	pg_known_forget(db);
	pg_take_list(db, arena, &q->coll);
	pg_send_queue(db, false);
	pg_send_ensure(db, &q->coll, NULL);
	exec(db, &b, on_buried, &u);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = dead;
	return status;
}

/* ---- trimming ---------------------------------------------------------- */

/* The clock stays where it is, even if the newest object goes. */
static const struct pg_stmt keep_time = { PG_KEEP_TIME,
	"INSERT INTO timestamps (parent_id, resource_name, last_modified)"
	" SELECT $2, $1, last_modified FROM objects"
	" WHERE parent_id = $2 AND resource_name = $1"
	" ORDER BY last_modified DESC LIMIT 1"
	" ON CONFLICT (parent_id, resource_name)"
	" DO UPDATE SET last_modified = EXCLUDED.last_modified"
	" WHERE timestamps.last_modified < EXCLUDED.last_modified" };

enum clq_status
pg_trim(void *self, const struct clq_query *q, size_t keep, int64_t *removed)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, true);
	struct clq_arena *arena;
	struct pg_args args;
	struct pg_sql b;

	if (status == CLQ_OK && pg_is_mapped(db, q->coll.resource)) {
		clq_log_err("postgresql: %.*s: rows of a table are not "
		    "trimmed", CLQ_FMT(q->coll.resource));
		return CLQ_FAILED;
	}
	if (status != CLQ_OK || (status = pg_index_learn(db)) != CLQ_OK)
		return status;
	arena = clq_arena_new();
	pg_args_init(&args, arena);
	pg_arg_text(&args, q->coll.resource);
	pg_arg_text(&args, q->coll.parent);
	pg_sql_init(&b, arena, db, &q->coll);
	pg_sql_add(&b, "WITH n AS MATERIALIZED (SELECT id");
	pg_sql_where(&b, q, q->include_deleted);
	clq_buf_printf(&b.text, " ORDER BY last_modified DESC"
	    " OFFSET $%u::bigint), w AS (DELETE FROM objects AS o USING n"
	    " WHERE " PG_OBJECT("o", "n.id") " RETURNING 1)"
	    " SELECT count(*) FROM w", pg_arg_int(&b.args, (int64_t)keep));
	pg_known_forget(db);
	pg_send_queue(db, false);
	pg_exec(db, &keep_time, &args, NULL, NULL);
	status = ask_number(db, &b, removed);
	clq_arena_free(&arena);
	return status;
}
