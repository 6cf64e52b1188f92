/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through many lists: erasing, purging, counting, flushing. */
#include "storage/redis.h"

#include <cliquet/str.h>

#include <stdlib.h>

static const struct clq_str any = { NULL, 0 };

/* A list, without trace. */
static void
erase_list(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	struct clq_strs ids;

	for (int tombstones = 0; tombstones < 2; tombstones++) {
		ids = rd_members(db, arena, rd_key_ids(arena, coll,
		    tombstones));
		for (size_t i = 0; i < ids.n; i++)
			rd_log(db, RD_DEL, rd_key_object(arena, coll,
			    ids.items[i], tombstones), CLQ_STR(""), 0);
		rd_log(db, RD_DEL, rd_key_ids(arena, coll, tombstones),
		    CLQ_STR(""), 0);
	}
	rd_log(db, RD_DEL, rd_key_timestamp(arena, coll), CLQ_STR(""), 0);
	rd_log(db, RD_DEL, rd_key_times(arena, coll), CLQ_STR(""), 0);
	rd_log(db, RD_SREM, RD_LISTS, rd_list_name(arena, coll), 0);
}

enum clq_status
rd_erase(void *self, struct clq_str resource, struct clq_str parent)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, true);
	struct clq_arena *arena;
	struct clq_coll *lists;
	size_t i, n;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	lists = rd_lists(db, arena, resource, parent, &n);
	for (i = 0; i < n; i++)
		erase_list(db, arena, &lists[i]);
	clq_arena_free(&arena);
	return db->doomed;
}

enum clq_status
rd_flush(void *self)
{
	return rd_erase(self, any, any);
}

/* ---- purging ------------------------------------------------------------ */

static int
newest_first(const void *a, const void *b)
{
	const struct clq_object *x = a, *y = b;

	return x->last_modified < y->last_modified ? 1 :
	    x->last_modified > y->last_modified ? -1 : 0;
}

static void
set_clock(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, clq_msec newest)
{
	if (newest > 0)
		rd_set_timestamp(db, arena, coll, newest);
	else
		rd_log(db, RD_DEL, rd_key_timestamp(arena, coll),
		    CLQ_STR(""), 0);
}

static int64_t
purge_list(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, clq_msec before, int64_t max_retained)
{
	struct rd_objects all = { NULL, 0, 0 };
	int64_t removed = 0, rank = 0;
	clq_msec newest = 0;
	size_t i, dead = 0;

	rd_load(db, arena, coll, true, &all);
	for (i = 0; i < all.n; i++)
		if (all.items[i].deleted)
			all.items[dead++] = all.items[i];
		else if (all.items[i].last_modified > newest)
			newest = all.items[i].last_modified;
	if (dead > 1)
		qsort(all.items, dead, sizeof *all.items, newest_first);
	for (i = 0; i < dead; i++, rank++) {
		if ((before != 0 && all.items[i].last_modified >= before) ||
		    (max_retained >= 0 && rank < max_retained))
			continue;
		rd_vanish(db, arena, coll, all.items[i].id);
		removed++;
	}
	/* The clock starts anew, but not before what it has given out. */
	if (before == 0 && max_retained < 0)
		set_clock(db, arena, coll, newest);
	return removed;
}

enum clq_status
rd_purge(void *self, struct clq_str resource, clq_msec before,
    int64_t max_retained, int64_t *removed)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, true);
	struct clq_arena *arena;
	struct clq_coll *lists;
	size_t i, n;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	lists = rd_lists(db, arena, resource, any, &n);
	*removed = 0;
	for (i = 0; db->doomed == CLQ_OK && i < n; i++)
		*removed += purge_list(db, arena, &lists[i], before,
		    max_retained);
	clq_arena_free(&arena);
	return db->doomed;
}

/* ---- counting ------------------------------------------------------------- */

static struct clq_resource_count *
count_of(struct clq_resource_count *all, size_t *n, struct clq_str resource)
{
	for (size_t i = 0; i < *n; i++)
		if (clq_str_eq(all[i].resource, resource))
			return &all[i];
	all[*n] = (struct clq_resource_count){ .resource = resource };
	return &all[(*n)++];
}

enum clq_status
rd_totals(void *self, struct clq_arena *arena,
    struct clq_resource_count **out, size_t *n)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct clq_resource_count *counts, *c;
	struct clq_coll *lists;
	size_t i, nlists;

	if (status != CLQ_OK)
		return status;
	lists = rd_lists(db, arena, any, any, &nlists);
	counts = clq_arena_calloc(arena, nlists, sizeof *counts);
	*n = 0;
	for (i = 0; i < nlists; i++) {
		struct clq_strs live = rd_members(db, arena,
		    rd_key_ids(arena, &lists[i], false));
		struct clq_strs dead = rd_members(db, arena,
		    rd_key_ids(arena, &lists[i], true));

		if (live.n + dead.n == 0)
			continue;
		c = count_of(counts, n, lists[i].resource);
		c->objects += (int64_t)live.n;
		c->tombstones += (int64_t)dead.n;
	}
	*out = counts;
	return db->doomed;
}
