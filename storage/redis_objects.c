/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by id: look-ups, writes, timestamps (section 03-7).
 *
 * Writers hold the lock, so the clock of a list is read, moved on and logged
 * here, and results are known at once.
 */
#include "storage/redis.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

/* The last value that a timestamp of a client may have. */
#define MAX_TIMESTAMP	((clq_msec)1 << 53)

static clq_msec
time_of(struct clq_str text)
{
	int64_t t;

	return text.p != NULL && clq_str_int(text, &t) ? t : 0;
}

clq_msec
rd_list_timestamp(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	struct clq_str key = rd_key_timestamp(arena, coll), value;

	rd_get(db, arena, &key, &value, 1);
	return time_of(value);
}

/* ---- looking up ----------------------------------------------------------- */

/* The latest timestamp of all lists of a resource; 0: none. */
static clq_msec
latest(struct rd_db *db, struct clq_arena *arena, struct clq_str resource)
{
	struct clq_str *keys, *values;
	struct clq_coll *lists;
	clq_msec t = 0;
	size_t i, n;

	lists = rd_lists(db, arena, resource, (struct clq_str){ NULL, 0 },
	    &n);
	keys = clq_arena_calloc(arena, n, sizeof *keys);
	values = clq_arena_calloc(arena, n, sizeof *values);
	for (i = 0; i < n; i++)
		keys[i] = rd_key_timestamp(arena, &lists[i]);
	rd_get(db, arena, keys, values, n);
	for (i = 0; i < n; i++)
		if (time_of(values[i]) > t)
			t = time_of(values[i]);
	return t;
}

enum clq_status
rd_lookup(void *self, struct clq_lookup *l)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct clq_str *keys, *values;
	size_t i, n = l->nwants;

	if (status != CLQ_OK)
		return status;
	keys = clq_arena_calloc(l->arena, n + 1, sizeof *keys);
	values = clq_arena_calloc(l->arena, n + 1, sizeof *values);
	for (i = 0; i < n; i++)
		keys[i] = rd_key_object(l->arena, &l->wants[i].coll,
		    l->wants[i].id, false);
	if (l->timestamp_of != NULL && rd_any_parent(l->timestamp_of))
		l->timestamp = latest(db, l->arena, l->timestamp_of->resource);
	else if (l->timestamp_of != NULL)
		keys[n++] = rd_key_timestamp(l->arena, l->timestamp_of);
	rd_get(db, l->arena, keys, values, n);
	for (i = 0; i < l->nwants; i++) {
		l->wants[i].found = values[i].p != NULL;
		if (l->wants[i].found && !rd_unpack(db, l->arena, values[i],
		    false, &l->wants[i].object))
			return CLQ_FAILED;
	}
	if (n > l->nwants)
		l->timestamp = time_of(values[n - 1]);
	rd_lookup_permission(db, l);
	return db->doomed;
}

enum clq_status
rd_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct clq_arena *arena;
	clq_msec t;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	t = rd_any_parent(coll) ? latest(db, arena, coll->resource) :
	    rd_list_timestamp(db, arena, coll);
	status = db->doomed;
	if (status == CLQ_OK && t == 0) {
		t = clq_now();
		if (!rd_any_parent(coll) && db->mode == CLQ_TX_READ)
			status = CLQ_READONLY;
		else if (!rd_any_parent(coll))
			rd_set_timestamp(db, arena, coll, t);
	}
	clq_arena_free(&arena);
	if (status == CLQ_OK)
		*out = t;
	return status;
}

/* ---- changes --------------------------------------------------------------- */

void
rd_set_timestamp(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, clq_msec t)
{
	rd_log(db, RD_SET, rd_key_timestamp(arena, coll),
	    clq_arena_printf(arena, "%lld", (long long)t), 0);
	rd_log(db, RD_SADD, RD_LISTS, rd_list_name(arena, coll), 0);
}

void
rd_store(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, const struct clq_object *o)
{
	rd_log(db, RD_SET, rd_key_object(arena, coll, o->id, o->deleted),
	    rd_pack(arena, o), 0);
	rd_log(db, RD_DEL, rd_key_object(arena, coll, o->id, !o->deleted),
	    CLQ_STR(""), 0);
	rd_log(db, RD_SADD, rd_key_ids(arena, coll, o->deleted), o->id, 0);
	rd_log(db, RD_SREM, rd_key_ids(arena, coll, !o->deleted), o->id, 0);
	rd_log(db, RD_ZADD, rd_key_times(arena, coll), o->id,
	    o->last_modified);
	rd_log(db, RD_SADD, RD_LISTS, rd_list_name(arena, coll), 0);
}

void
rd_vanish(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, struct clq_str id)
{
	for (int tombstone = 0; tombstone < 2; tombstone++) {
		rd_log(db, RD_DEL, rd_key_object(arena, coll, id, tombstone),
		    CLQ_STR(""), 0);
		rd_log(db, RD_SREM, rd_key_ids(arena, coll, tombstone), id,
		    0);
	}
	rd_log(db, RD_ZREM, rd_key_times(arena, coll), id, 0);
}

/*
 * A past timestamp, raised until no other object has it; it leaves the list's
 * alone. False if nothing below the list's is free.
 */
static bool
find_free(struct rd_db *db, struct clq_arena *arena,
    const struct clq_write *w, clq_msec list, clq_msec *t)
{
	struct clq_str times = rd_key_times(arena, &w->coll);

	for (*t = w->timestamp; *t < list; ++*t)
		if (db->doomed != CLQ_OK ||
		    !rd_score_taken(db, arena, times, *t, w->id))
			return true;
	return false;
}

/* The timestamp of a write (section 03-7): the client's, or the next. */
static clq_msec
choose_timestamp(struct rd_db *db, struct clq_arena *arena,
    const struct clq_write *w)
{
	clq_msec list = rd_list_timestamp(db, arena, &w->coll), t,
	    now = clq_now();
	bool sent = w->has_timestamp;

	if (sent && w->timestamp < list && find_free(db, arena, w, list, &t))
		return t;
	t = now > list ? now : list + 1;
	if (sent && w->timestamp > list)
		t = w->timestamp < MAX_TIMESTAMP ? w->timestamp :
		    MAX_TIMESTAMP;
	/* A list begins now, whatever is imported into it. */
	rd_set_timestamp(db, arena, &w->coll, list == 0 && t < now ? now :
	    t);
	return t;
}

static void
write_one(struct rd_db *db, struct clq_arena *arena, struct clq_write *w)
{
	struct clq_str key = rd_key_object(arena, &w->coll, w->id, false);
	struct clq_object o = { .id = w->id, .data = w->data,
		.deleted = w->op == CLQ_WRITE_DELETE };
	struct clq_str there;

	rd_get(db, arena, &key, &there, 1);
	w->status = CLQ_OK;
	if (w->op == CLQ_WRITE_CREATE && there.p != NULL)
		w->status = CLQ_CONFLICT;
	if (w->op == CLQ_WRITE_DELETE && there.p == NULL)
		w->status = CLQ_NOT_FOUND;
	if (w->status != CLQ_OK || db->doomed != CLQ_OK)
		return;
	o.last_modified = w->last_modified = choose_timestamp(db, arena, w);
	rd_store(db, arena, &w->coll, &o);
}

enum clq_status
rd_write(void *self, struct clq_write *writes, size_t n)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, true);
	struct clq_arena *arena;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	for (size_t i = 0; db->doomed == CLQ_OK && i < n; i++)
		write_one(db, arena, &writes[i]);
	clq_arena_free(&arena);
	return db->doomed;
}

enum clq_status
rd_sync(void *self)
{
	return rd_self(self)->doomed;
}

const struct clq_storage_ops rd_storage_ops = {
	.size		= sizeof rd_storage_ops,
	.lookup		= rd_lookup,
	.timestamp	= rd_timestamp,
	.write		= rd_write,
	.sync		= rd_sync,
	.list		= rd_list,
	.count		= rd_count,
	.delete_all	= rd_delete_all,
	.erase		= rd_erase,
	.purge		= rd_purge,
	.trim		= rd_trim,
	.totals		= rd_totals,
	.flush		= rd_flush,
};
