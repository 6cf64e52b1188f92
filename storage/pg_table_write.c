/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a table (pg_table.h): finding one, writing one, removing many.
 *
 * A write is a call of the function that `cliquet migrate` made for the table,
 * which catches what the table refuses, so that it costs this object and not
 * the transaction. The client is told, so writes do not wait in the queue.
 *
 * SQL takes none of our locks (pg_lock.c): a row may change between look-up
 * and write. Then core runs the request again, and this time the look-up takes
 * the clock first, for which SQL has to wait: trying as before would lose again
 * and again to writers that are never done. Not at once, since the clock would
 * be held for all the time core thinks.
 */
#include "storage/pg_table.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

/* ---- finding ------------------------------------------------------------ */

struct finding {
	struct clq_arena	*arena;
	struct clq_want		*want;
};

void
pg_table_saw(struct pg_db *db, const struct clq_coll *coll,
    struct clq_str id, clq_msec last_modified)
{
	struct clq_arena *arena = db->tx_arena;
	struct pg_seen *s;

	if (db->mode != CLQ_TX_WRITE ||
	    pg_table_of(db, coll->resource) == NULL)
		return;
	s = clq_arena_alloc(arena, sizeof *s);
	s->coll.resource = clq_arena_strdup(arena, coll->resource);
	s->coll.parent = clq_arena_strdup(arena, coll->parent);
	s->id = clq_arena_strdup(arena, id);
	s->last_modified = last_modified;
	s->next = db->seen;
	db->seen = s;
}

static const struct pg_seen *
seen(const struct pg_db *db, const struct clq_write *w)
{
	const struct pg_seen *s;

	for (s = db->seen; s != NULL; s = s->next)
		if (clq_str_eq(s->id, w->id) && clq_coll_eq(&s->coll, &w->coll))
			break;
	return s;
}

void
pg_table_hold(struct pg_db *db, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	const struct pg_table *t = pg_table_of(db, coll->resource);
	struct pg_args args;

	if (!db->cautious || db->mode != CLQ_TX_WRITE || t == NULL)
		return;
	pg_args_init(&args, arena);
	pg_arg_text(&args, coll->parent);
	pg_exec_sql(db, clq_arena_printf(arena, "SELECT %s($1)",
	    t->fn[PG_FN_LOCK]), &args, NULL, NULL);
}

static void
on_found(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct finding *f = ctx;
	struct clq_want *w = f->want;

	w->found = false;
	if (PQntuples(res) == 0)
		return;
	pg_found(f->arena, w, res, 0, 0);
	pg_table_saw(db, &w->coll, w->id, w->object.last_modified);
}

void
pg_table_find(struct pg_db *db, struct clq_arena *arena,
    struct clq_want *want)
{
	struct finding *f = clq_arena_alloc(arena, sizeof *f);
	const struct clq_query q = { .coll = want->coll };
	struct pg_sql b;

	f->arena = arena;
	f->want = want;
	pg_sql_init(&b, arena, db, &want->coll);
	pg_sql_add(&b, "SELECT last_modified, data");
	pg_table_from(&b, &q, false);
	pg_table_id(&b, want->id);
	pg_exec_sql(db, clq_buf_str(&b.text), &b.args, on_found, f);
}

/* ---- writing ------------------------------------------------------------ */

/* What became of a write. */
struct pg_outcome {
	struct clq_write	*write;
	struct clq_stored	 stored;
	struct pg_outcome	*next;
};

static void
refuse(struct pg_outcome *o, const PGresult *res, struct clq_str state,
    struct clq_arena *arena)
{
	o->write->status = CLQ_INVALID;
	o->stored.refused = true;
	/* unique, exclusion; or a row that others refer to */
	o->stored.conflict = clq_str_is(state, "23505") ||
	    clq_str_is(state, "23P01") || o->write->op == CLQ_WRITE_DELETE;
	o->stored.why = pg_get_text(arena, res, 0, 1);
	if (!PQgetisnull(res, 0, 2) && PQgetlength(res, 0, 2) > 0)
		o->stored.field = pg_get_text(arena, res, 0, 2);
}

/* state, message, column, timestamp, document */
static void
on_written(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct pg_outcome *o = ctx;
	struct clq_write *w = o->write;
	struct clq_str state;

	if (PQntuples(res) != 1)
		return;
	if (PQgetisnull(res, 0, 0)) {
		w->status = CLQ_OK;
		w->last_modified = pg_get_time(res, 0, 3);
		if (!PQgetisnull(res, 0, 4))
			o->stored.data = pg_get_json(db->tx_arena, res, 0, 4);
		pg_table_saw(db, &w->coll, w->id, w->last_modified);
		return;
	}
	state = pg_get_text(db->tx_arena, res, 0, 0);
	if (clq_str_is(state, "missing"))
		w->status = CLQ_NOT_FOUND;
	else if (clq_str_is(state, "changed"))
		w->status = CLQ_CONFLICT;
	else
		refuse(o, res, state, db->tx_arena);
	db->overtaken |= w->status != CLQ_INVALID;
}

void
pg_table_send(struct pg_db *db, const struct pg_table *t,
    struct clq_write *w)
{
	struct pg_outcome *o = clq_arena_alloc(db->tx_arena, sizeof *o);
	const struct pg_seen *s = seen(db, w);
	struct pg_args args;

	memset(o, 0, sizeof *o);
	o->write = w;
	o->next = db->outcomes;
	db->outcomes = o;
	w->status = CLQ_FAILED;
	pg_args_init(&args, db->tx_arena);
	pg_arg_int(&args, w->op);
	pg_arg_text(&args, w->id);
	pg_arg_text(&args, w->coll.parent);
	if (w->op == CLQ_WRITE_DELETE)
		pg_arg_null(&args);
	else
		pg_arg_json(&args, w->data);
	if (w->has_timestamp)
		pg_arg_time(&args, w->timestamp < PG_MAX_TIME ?
		    w->timestamp : PG_MAX_TIME);
	else
		pg_arg_null(&args);
	if (s != NULL && w->op != CLQ_WRITE_CREATE)
		pg_arg_time(&args, s->last_modified);
	else
		pg_arg_null(&args);
	pg_exec_sql(db, clq_arena_printf(db->tx_arena,
	    "SELECT state, message, col, stamp, stored FROM"
	    " %s($1, $2, $3, $4, $5, $6)", t->fn[PG_FN_WRITE]), &args,
	    on_written, o);
}

bool
pg_written(void *self, const struct clq_write *w, struct clq_stored *out)
{
	const struct pg_db *db = pg_self(self);
	const struct pg_outcome *o;

	for (o = db->outcomes; o != NULL; o = o->next)
		if (o->write == w) {
			*out = o->stored;
			return true;
		}
	return false;
}

/* ---- many --------------------------------------------------------------- */

/* The rows of the one list of that parent; below it there are none. */
void
pg_table_erase(struct pg_db *db, struct clq_str resource,
    struct clq_str parent)
{
	struct pg_stmt *stmt;
	struct pg_args *args;
	size_t i;

	for (i = 0; db->tables != NULL && i < db->ntables; i++) {
		const struct pg_table *t = &db->tables[i];
		const char *prefix = t->conf->parent_prefix;

		if (t->conf->parent_column == NULL ||
		    (resource.p != NULL &&
		    !clq_str_eq(resource, t->resource)) ||
		    !clq_str_starts(parent, prefix))
			continue;
		if (t->broken != NULL) {
			pg_table_refuse(db, i);
			return;
		}
		stmt = clq_arena_alloc(db->tx_arena, sizeof *stmt);
		stmt->id = PG__FIXED_COUNT;
		/* a text is compared as it is, so that its index serves */
		stmt->sql = clq_arena_printf(db->tx_arena,
		    "DELETE FROM %s AS t WHERE t.%s%s = $1::text", t->name,
		    t->parent.ident, t->parent.kind == PG_TEXT ? "" :
		    "::text").p;
		args = pg_queue_stmt(db, true, stmt);
		pg_arg_text(args, clq_arena_strdup(db->tx_arena,
		    clq_str_sub(parent, strlen(prefix), parent.len)));
	}
}

void
pg_table_flush(struct pg_db *db)
{
	struct pg_args none;
	size_t i;

	pg_args_init(&none, db->tx_arena);
	for (i = 0; db->tables != NULL && i < db->ntables; i++)
		if (db->tables[i].broken != NULL)
			pg_table_refuse(db, i);
		else
			pg_exec_sql(db, clq_arena_printf(db->tx_arena,
			    "DELETE FROM %s", db->tables[i].name), &none,
			    NULL, NULL);
}

static void
on_total(struct pg_db *db, const PGresult *res, void *ctx)
{
	(void)db;
	*(int64_t *)ctx = pg_get_int(res, 0, 0);
}

void
pg_table_totals(struct pg_db *db, struct clq_arena *arena, int64_t *counts)
{
	struct pg_args none;
	size_t i;

	pg_args_init(&none, arena);
	for (i = 0; db->tables != NULL && i < db->ntables; i++)
		if (db->tables[i].broken == NULL)
			pg_exec_sql(db, clq_arena_printf(arena,
			    "SELECT count(*) FROM %s", db->tables[i].name),
			    &none, on_total, &counts[i]);
}
