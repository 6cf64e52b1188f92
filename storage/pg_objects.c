/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups and timestamps of lists; and the storage table.
 *
 * A look-up is one packet, whatever it asks. In a writing transaction its
 * first statement takes the locks (pg_lock.c). It does not send writes that
 * wait, unless it asks for what they change: their list's clock would be held
 * while core thinks.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>

static const struct pg_stmt find = { PG_FIND,
	"SELECT last_modified, data FROM objects AS o WHERE "
	PG_OBJECT("o", "$3") " AND " PG_LIVING("o") };
static const struct pg_stmt timestamp = { PG_TIMESTAMP,
	"SELECT " PG_LIST_TIME("$1", "$2") };
/* Of all lists of a resource; the second parameter is not a parent then. */
static const struct pg_stmt latest = { PG_LATEST,
	"SELECT max(last_modified) FROM timestamps"
	" WHERE resource_name = $1 AND $2::text IS NOT NULL" };
static const struct pg_stmt timestamp_init = { PG_TIMESTAMP_INIT,
	"INSERT INTO timestamps (parent_id, resource_name, last_modified)"
	" VALUES ($2, $1, date_trunc('milliseconds', clock_timestamp()"
	" AT TIME ZONE 'UTC'))"
	" ON CONFLICT (parent_id, resource_name) DO NOTHING" };

static void
coll_args(struct pg_args *args, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	pg_args_init(args, arena);
	pg_arg_text(args, coll->resource);
	pg_arg_text(args, coll->parent);
}

/* ---- look-up ----------------------------------------------------------- */

void
pg_found(struct clq_arena *arena, struct clq_want *w, const PGresult *res,
    int row, int column)
{
	w->found = true;
	w->object.id = w->id;
	w->object.last_modified = pg_get_time(res, row, column);
	w->object.data = pg_get_json(arena, res, row, column + 1);
	w->object.deleted = false;
}

/* A want and where its answer goes. */
struct finding {
	struct clq_arena	*arena;
	struct clq_want		*want;
};

static void
on_found(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct finding *f = ctx;

	(void)db;
	f->want->found = false;
	if (PQntuples(res) > 0)
		pg_found(f->arena, f->want, res, 0, 0);
}

static void
on_timestamp(struct pg_db *db, const PGresult *res, void *ctx)
{
	clq_msec *t = ctx;

	(void)db;
	*t = PQntuples(res) > 0 && !PQgetisnull(res, 0, 0) ?
	    pg_get_time(res, 0, 0) : INT64_MIN;
}

static void
send_timestamp(struct pg_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, clq_msec *out)
{
	struct pg_args args;

	coll_args(&args, arena, coll);
	pg_exec(db, pg_any_parent(coll) ? &latest : &timestamp, &args,
	    on_timestamp, out);
}

static void
send_find(struct pg_db *db, struct clq_arena *arena, struct clq_want *want)
{
	struct finding *f = clq_arena_alloc(arena, sizeof *f);
	struct pg_args args;

	if (pg_table_of(db, want->coll.resource) != NULL) {
		pg_table_find(db, arena, want);
		return;
	}
	f->arena = arena;
	f->want = want;
	coll_args(&args, arena, &want->coll);
	pg_arg_text(&args, want->id);
	pg_exec(db, &find, &args, on_found, f);
}

static void
send_locks(struct pg_db *db, const struct clq_lookup *l)
{
	struct pg_locks locks = { .arena = l->arena };
	struct pg_args args;
	size_t i;

	if (db->mode != CLQ_TX_WRITE || l->reading || l->nwants == 0)
		return;
	for (i = 0; i < l->nwants; i++)
		pg_lock_want(&locks, &l->wants[i], db->batch);
	pg_args_init(&args, l->arena);
	pg_lock_args(&locks, &args);
	pg_exec(db, &pg_lock_stmt, &args, NULL, NULL);
	for (i = 0; i < l->nwants; i++)
		if (!l->wants[i].shared)
			pg_table_hold(db, l->arena, &l->wants[i].coll);
}

/* True if the answer depends on writes that wait. */
static bool
needs_writes(const struct pg_db *db, const struct clq_lookup *l)
{
	const struct clq_str any = { NULL, 0 };
	size_t i;

	if (db->nops == 0)
		return false;
	if (l->timestamp_of != NULL && (pg_any_parent(l->timestamp_of) ||
	    pg_queue_has(db, l->timestamp_of, any)))
		return true;
	for (i = 0; i < l->nwants; i++)
		if (pg_queue_has(db, &l->wants[i].coll, l->wants[i].id))
			return true;
	return false;
}

/* Each question on its own. */
static void
send_parts(struct pg_db *db, struct clq_lookup *l, clq_msec *time)
{
	size_t i;

	if (l->timestamp_of != NULL)
		send_timestamp(db, l->arena, l->timestamp_of, time);
	for (i = 0; i < l->nwants; i++)
		send_find(db, l->arena, &l->wants[i]);
	pg_send_permission(db, l);
}

/* True if one of the objects is a row of a table (pg_table.h). */
static bool
in_table(struct pg_db *db, const struct clq_lookup *l)
{
	size_t i;

	for (i = 0; i < l->nwants; i++)
		if (pg_table_of(db, l->wants[i].coll.resource) != NULL)
			return true;
	return false;
}

/*
 * Also the permission part: where both are one instance only this is called,
 * and where they are two, that part is empty.
 */
enum clq_status
pg_lookup(void *self, struct clq_lookup *l)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	bool list = l->list != NULL && db->mode == CLQ_TX_READ;
	clq_msec t = INT64_MIN;

	l->listed = false;
	if (status != CLQ_OK || pg_known_answer(db, l) ||
	    (list && (status = pg_index_learn(db)) != CLQ_OK))
		return status;
	if (db->mode == CLQ_TX_WRITE)
		pg_send_queue(db, !needs_writes(db, l));
	send_locks(db, l);
	if (in_table(db, l) || !pg_send_look(db, l, &t))
		send_parts(db, l, &t);
	/* behind the timestamp, which it is never older than */
	if (list && (status = pg_send_list(db, l->arena, l->list,
	    l->page)) != CLQ_OK)
		return status;
	status = pg_wait(db);
	l->listed = list && status == CLQ_OK;
	if (status == CLQ_OK && l->timestamp_of != NULL)
		l->timestamp = t != INT64_MIN ? t : 0;
	if (status == CLQ_OK && db->known.on && !l->reading &&
	    db->mode == CLQ_TX_WRITE && l->arena == db->known.arena)
		pg_known_learn(db, l, NULL, NULL, 0);
	return status;
}

/* ---- the clock of a list ----------------------------------------------- */

enum clq_status
pg_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_start(db, false);
	struct clq_arena *arena;
	struct pg_args args;
	clq_msec t = INT64_MIN;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	pg_send_queue(db, false);
	send_timestamp(db, arena, coll, &t);
	status = pg_wait(db);
	if (status == CLQ_OK && t == INT64_MIN && pg_any_parent(coll))
		t = clq_now();
	if (status == CLQ_OK && t == INT64_MIN && db->mode == CLQ_TX_READ)
		status = CLQ_READONLY;
	if (status == CLQ_OK && t == INT64_MIN) {
		/* if another was faster, the second statement sees it */
		coll_args(&args, arena, coll);
		pg_exec(db, &timestamp_init, &args, NULL, NULL);
		send_timestamp(db, arena, coll, &t);
		status = pg_wait(db);
	}
	if (status == CLQ_OK)
		*out = t;
	clq_arena_free(&arena);
	return status;
}

const struct clq_storage_ops pg_storage_ops = {
	.size		= sizeof pg_storage_ops,
	.lookup		= pg_lookup,
	.timestamp	= pg_timestamp,
	.write		= pg_write,
	.sync		= pg_sync,
	.list		= pg_list,
	.count		= pg_count,
	.delete_all	= pg_delete_all,
	.erase		= pg_erase,
	.purge		= pg_purge,
	.trim		= pg_trim,
	.totals		= pg_totals,
	.flush		= pg_flush,
	.index_add	= pg_index_add,
	.index_drop	= pg_index_drop,
	.index_list	= pg_index_list,
	.prefetch	= pg_prefetch,
	.map		= pg_map,
	.written	= pg_written,
};
