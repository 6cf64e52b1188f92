/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by id: look-ups, writes, timestamps; and the storage table.
 *
 * The clock of a list is its row in `timestamps`, the highest value ever given
 * out (section 03-7). Since writers come one after the other and commit before
 * the next begins, giving out the next value in the transaction is enough for
 * the sync promise. A list without a row (new, or purged) starts at the time,
 * or at its newest object if that is later.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

/* The largest integer that clients can compute with. Values beyond it are cut
 * to it, so that one more can always be given out. */
#define MAX_TIMESTAMP	((clq_msec)1 << 53)

static sqlite3_stmt *
prepare_for(struct sq_db *q, const char *sql, const struct clq_coll *coll)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, true);

	if (stmt != NULL) {
		sq_bind_str(q, stmt, 1, coll->resource);
		sq_bind_str(q, stmt, 2, coll->parent);
	}
	return stmt;
}

/* The first column of the first row; CLQ_NOT_FOUND if it is null or no row. */
static enum clq_status
ask_int(struct sq_db *q, sqlite3_stmt *stmt, int64_t *out)
{
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	status = sq_step(q, stmt);
	if (status == CLQ_OK && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		status = CLQ_NOT_FOUND;
	if (status == CLQ_OK)
		*out = sqlite3_column_int64(stmt, 0);
	sq_done(stmt);
	return status;
}

/* ---- the clock of a list ---------------------------------------------- */

static enum clq_status
stored_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	return ask_int(q, prepare_for(q,
	    "SELECT last_modified FROM timestamps"
	    " WHERE resource = ?1 AND parent = ?2", coll), out);
}

static enum clq_status
newest_object(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	return ask_int(q, prepare_for(q,
	    "SELECT max(last_modified) FROM objects"
	    " WHERE resource = ?1 AND parent = ?2", coll), out);
}

/* The highest clock of all lists of a resource. */
static enum clq_status
latest_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	sqlite3_stmt *stmt = sq_prepare(q,
	    "SELECT max(last_modified) FROM timestamps"
	    " WHERE resource = ?1", true);

	if (stmt != NULL)
		sq_bind_str(q, stmt, 1, coll->resource);
	return ask_int(q, stmt, out);
}

/* CLQ_NOT_FOUND if the list has neither clock nor objects. */
static enum clq_status
current_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	enum clq_status status;

	if (sq_any_parent(coll))
		return latest_timestamp(q, coll, out);
	status = stored_timestamp(q, coll, out);
	if (status == CLQ_NOT_FOUND)
		status = newest_object(q, coll, out);
	return status;
}

static enum clq_status
store_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec t)
{
	sqlite3_stmt *stmt = prepare_for(q,
	    "INSERT INTO timestamps(resource, parent, last_modified)"
	    " VALUES(?1, ?2, ?3) ON CONFLICT(resource, parent)"
	    " DO UPDATE SET last_modified = excluded.last_modified", coll);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_int(q, stmt, 3, t);
	return sq_run(q, stmt);
}

enum clq_status
sq_bump(struct sq_db *q, const struct clq_coll *coll, size_t n,
    clq_msec *first)
{
	clq_msec now = clq_now(), t = 0;
	enum clq_status status = current_timestamp(q, coll, &t);

	if (status == CLQ_NOT_FOUND)
		t = now - 1;
	else if (status != CLQ_OK)
		return status;
	t = t + 1 > now ? t + 1 : now;
	status = store_timestamp(q, coll, t + (clq_msec)n - 1);
	if (status == CLQ_OK)
		*first = t;
	return status;
}

enum clq_status
sq_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	clq_msec t = 0;

	if (status == CLQ_OK && sq_any_parent(coll)) {
		status = latest_timestamp(q, coll, &t);
		if (status == CLQ_NOT_FOUND) {
			t = clq_now();
			status = CLQ_OK;
		}
	} else if (status == CLQ_OK) {
		status = stored_timestamp(q, coll, &t);
	}
	if (status == CLQ_NOT_FOUND) {
		status = newest_object(q, coll, &t);
		if (status == CLQ_NOT_FOUND) {
			if (q->mode == CLQ_TX_READ)
				return CLQ_READONLY;
			t = clq_now();
			status = CLQ_OK;
		}
		if (status == CLQ_OK && q->mode == CLQ_TX_WRITE)
			status = store_timestamp(q, coll, t);
	}
	if (status == CLQ_OK)
		*out = t;
	return status;
}

/* ---- writes ----------------------------------------------------------- */

/* What the id stands for before the write. */
struct before {
	bool		exists;		/* tombstones too */
	bool		deleted;
	clq_msec	last_modified;
};

static enum clq_status
find_before(struct sq_db *q, const struct clq_write *w, struct before *b)
{
	sqlite3_stmt *stmt = prepare_for(q,
	    "SELECT deleted, last_modified FROM objects"
	    " WHERE resource = ?1 AND parent = ?2 AND id = ?3", &w->coll);
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 3, w->id);
	status = sq_step(q, stmt);
	b->exists = status == CLQ_OK;
	if (b->exists) {
		b->deleted = sqlite3_column_int(stmt, 0) != 0;
		b->last_modified = sqlite3_column_int64(stmt, 1);
	}
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

/*
 * The lowest value from *t on, and below limit, that no other object of the
 * list has; limit if there is none. One pass over a run in the index.
 */
static enum clq_status
find_free(struct sq_db *q, const struct clq_write *w, const struct before *b,
    clq_msec limit, clq_msec *t)
{
	sqlite3_stmt *stmt = prepare_for(q,
	    "SELECT last_modified FROM objects INDEXED BY objects_modified"
	    " WHERE resource = ?1 AND parent = ?2 AND last_modified >= ?3"
	    " ORDER BY last_modified", &w->coll);
	enum clq_status status = CLQ_OK;

	if (stmt == NULL)
		return q->doomed;
	sq_bind_int(q, stmt, 3, *t);
	while (*t < limit && !(b->exists && b->last_modified == *t)) {
		status = sq_step(q, stmt);
		if (status != CLQ_OK || sqlite3_column_int64(stmt, 0) != *t)
			break;
		(*t)++;
	}
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

/*
 * The timestamp of a write (section 03-7). A past one is raised until it is
 * free; if nothing below the list's is, it counts as none.
 */
static enum clq_status
choose_timestamp(struct sq_db *q, const struct clq_write *w,
    const struct before *b, clq_msec *out)
{
	clq_msec current = 0, t = w->timestamp;
	enum clq_status status;

	if (!w->has_timestamp)
		return sq_bump(q, &w->coll, 1, out);
	if (t > MAX_TIMESTAMP)
		t = MAX_TIMESTAMP;
	status = current_timestamp(q, &w->coll, &current);
	if (status == CLQ_NOT_FOUND) {
		/* The list begins now, whatever is imported into it. */
		current = clq_now();
		*out = t;
		return store_timestamp(q, &w->coll, t > current ? t :
		    current);
	}
	if (status == CLQ_OK && t > current) {
		*out = t;
		return store_timestamp(q, &w->coll, t);
	}
	if (status == CLQ_OK)
		status = find_free(q, w, b, current, &t);
	if (status != CLQ_OK)
		return status;
	if (t >= current)
		return sq_bump(q, &w->coll, 1, out);
	*out = t;
	return CLQ_OK;
}

static enum clq_status
store_object(struct sq_db *q, const struct clq_write *w, clq_msec t)
{
	bool gone = w->op == CLQ_WRITE_DELETE;
	sqlite3_stmt *stmt = prepare_for(q,
	    "INSERT INTO objects(resource, parent, id, last_modified,"
	    " deleted, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
	    " ON CONFLICT(resource, parent, id) DO UPDATE SET"
	    " last_modified = excluded.last_modified,"
	    " deleted = excluded.deleted, data = excluded.data", &w->coll);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 3, w->id);
	sq_bind_int(q, stmt, 4, t);
	sq_bind_int(q, stmt, 5, gone);
	sq_bind_str(q, stmt, 6, gone ? CLQ_STR("{}") : w->data);
	return sq_run(q, stmt);
}

static enum clq_status
write_one(struct sq_db *q, struct clq_write *w)
{
	enum clq_status status;
	struct before b = { 0 };
	clq_msec t = 0;
	bool alive;

	status = find_before(q, w, &b);
	if (status != CLQ_OK)
		return status;
	sq_known_drop(q, SQ_FACT_OBJECT, w->id);
	alive = b.exists && !b.deleted;
	if (w->op == CLQ_WRITE_CREATE && alive) {
		w->status = CLQ_CONFLICT;
		return CLQ_OK;
	}
	if (w->op == CLQ_WRITE_DELETE && !alive) {
		w->status = CLQ_NOT_FOUND;
		return CLQ_OK;
	}
	status = choose_timestamp(q, w, &b, &t);
	if (status == CLQ_OK)
		status = store_object(q, w, t);
	if (status != CLQ_OK)
		return status;
	w->last_modified = t;
	w->status = CLQ_OK;
	return CLQ_OK;
}

enum clq_status
sq_write(void *self, struct clq_write *writes, size_t n)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start_careful(q);
	size_t i;

	for (i = 0; status == CLQ_OK && i < n; i++)
		status = write_one(q, &writes[i]);
	return status;
}

static enum clq_status
sync_writes(void *self)
{
	return sq_self(self)->doomed;
}

/* ---- look-up ---------------------------------------------------------- */

static enum clq_status
find_object(struct sq_db *q, struct clq_arena *arena, struct clq_want *w)
{
	sqlite3_stmt *stmt = prepare_for(q,
	    "SELECT last_modified, data FROM objects WHERE resource = ?1"
	    " AND parent = ?2 AND id = ?3 AND deleted = 0", &w->coll);
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 3, w->id);
	status = sq_step(q, stmt);
	w->found = status == CLQ_OK;
	if (w->found) {
		w->object.id = w->id;
		w->object.last_modified = sqlite3_column_int64(stmt, 0);
		w->object.data = sq_column_dup(arena, stmt, 1);
		w->object.deleted = false;
	}
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

/* A parent, which others have too. The value: its time, then its data. */
static enum clq_status
find_shared(struct sq_db *q, struct clq_arena *arena, struct clq_want *w)
{
	const struct sq_about about = { SQ_FACT_OBJECT, w->id, w->coll.parent,
	    w->coll.resource };
	struct clq_object *o = &w->object;
	struct sq_bytes *b = &q->known.value;
	enum clq_status status;
	struct clq_str value;

	w->found = sq_known_get(q, &about, &value);
	if (w->found) {
		memset(o, 0, sizeof *o);
		o->id = w->id;
		memcpy(&o->last_modified, value.p, sizeof o->last_modified);
		o->data = clq_arena_strdup(arena, clq_str_sub(value,
		    sizeof o->last_modified, value.len));
		return CLQ_OK;
	}
	status = find_object(q, arena, w);
	if (status == CLQ_OK && w->found) {
		b->len = 0;
		sq_bytes_add(b, &o->last_modified, sizeof o->last_modified);
		sq_bytes_add(b, o->data.p, o->data.len);
		sq_known_put(q, &about, sq_bytes_str(b));
	}
	return status;
}

/* What is known is not used before something was read: that comes first. */
static enum clq_status
find_objects(struct sq_db *q, struct clq_lookup *l)
{
	enum clq_status status = CLQ_OK;
	size_t i;

	for (i = 0; status == CLQ_OK && i < l->nwants; i++)
		if (!l->wants[i].shared)
			status = find_object(q, l->arena, &l->wants[i]);
	for (i = 0; status == CLQ_OK && i < l->nwants; i++)
		if (l->wants[i].shared)
			status = find_shared(q, l->arena, &l->wants[i]);
	return status;
}

/*
 * Also the permission part: where both are one instance only this is called,
 * and where they are two, that part is empty.
 */
enum clq_status
sq_lookup(void *self, struct clq_lookup *l)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	if (status == CLQ_OK)
		status = find_objects(q, l);
	if (status == CLQ_OK && l->timestamp_of != NULL) {
		l->timestamp = 0;
		status = current_timestamp(q, l->timestamp_of, &l->timestamp);
		if (status == CLQ_NOT_FOUND)
			status = CLQ_OK;
	}
	if (status == CLQ_OK)
		status = sq_permission_lookup(self, l);
	return status;
}

const struct clq_storage_ops sq_storage_ops = {
	.size		= sizeof sq_storage_ops,
	.lookup		= sq_lookup,
	.timestamp	= sq_timestamp,
	.write		= sq_write,
	.sync		= sync_writes,
	.list		= sq_list,
	.count		= sq_count,
	.delete_all	= sq_delete_all,
	.erase		= sq_erase,
	.purge		= sq_purge,
	.trim		= sq_trim,
	.totals		= sq_totals,
	.flush		= sq_flush,
	.index_add	= sq_index_add,
	.index_drop	= sq_index_drop,
	.index_list	= sq_index_list,
};
