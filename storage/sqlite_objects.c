/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by id: look-ups and writes; and the storage table.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

/* The largest integer that clients can compute with. Values beyond it are cut
 * to it, so that one more can always be given out. */
#define MAX_TIMESTAMP	((clq_msec)1 << 53)

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
	sqlite3_stmt *stmt = sq_prepare_for(q,
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
	sqlite3_stmt *stmt = sq_prepare_for(q,
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
	status = sq_clock_read(q, &w->coll, &current);
	if (status == CLQ_NOT_FOUND) {
		/* The list begins now, whatever is imported into it. */
		current = clq_now();
		*out = t;
		return sq_clock_set(q, &w->coll, t > current ? t :
		    current);
	}
	if (status == CLQ_OK && t > current) {
		*out = t;
		return sq_clock_set(q, &w->coll, t);
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
	sqlite3_stmt *stmt = sq_prepare_for(q,
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

/*
 * Create what most likely was never there, without a look first. CLQ_CONFLICT:
 * it was, living or dead, and nothing was done.
 */
static enum clq_status
create(struct sq_db *q, struct clq_write *w)
{
	sqlite3_stmt *stmt;
	enum clq_status status;
	clq_msec t = 0;

	if ((status = sq_clock_next(q, &w->coll, &t)) != CLQ_OK)
		return status;
	stmt = sq_prepare_for(q,
	    "INSERT INTO objects(resource, parent, id, last_modified,"
	    " deleted, data) VALUES(?1, ?2, ?3, ?4, 0, ?5)"
	    " ON CONFLICT(resource, parent, id) DO NOTHING", &w->coll);
	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 3, w->id);
	sq_bind_int(q, stmt, 4, t);
	sq_bind_str(q, stmt, 5, w->data);
	if ((status = sq_run(q, stmt)) != CLQ_OK)
		return status;
	if (sqlite3_changes(q->db) == 0)
		return CLQ_CONFLICT;
	w->last_modified = t;
	w->status = CLQ_OK;
	return sq_clock_set(q, &w->coll, t);
}

static enum clq_status
write_one(struct sq_db *q, struct clq_write *w)
{
	enum clq_status status;
	struct before b = { 0 };
	clq_msec t = 0;
	bool alive;

	sq_known_drop(q, SQ_FACT_OBJECT, w->id);
	if (w->op == CLQ_WRITE_CREATE && !w->has_timestamp &&
	    (status = create(q, w)) != CLQ_CONFLICT)
		return status;
	status = find_before(q, w, &b);
	if (status != CLQ_OK)
		return status;
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
	sqlite3_stmt *stmt = sq_prepare_for(q,
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
		status = sq_clock_read(q, l->timestamp_of, &l->timestamp);
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
