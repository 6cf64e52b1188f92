/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: the objects come here and are filtered and sorted here, since Redis
 * cannot (section 11-5.5).
 *
 * The two lists that are asked for most, the newest objects and what has changed
 * since, are an exception: a sorted set by time gives their objects alone.
 */
#include "storage/redis.h"

#include <cliquet/json.h>
#include <cliquet/match.h>
#include <cliquet/str.h>

#include <stdlib.h>

static void
add(struct clq_arena *arena, struct rd_objects *list,
    const struct clq_object *o)
{
	size_t cap;

	if (list->n == list->cap) {
		cap = list->cap > 0 ? list->cap * 2 : 64;
		list->items = clq_arena_grow(arena, list->items,
		    list->cap * sizeof *list->items,
		    cap * sizeof *list->items);
		list->cap = cap;
	}
	list->items[list->n++] = *o;
}

static void
add_text(struct rd_db *db, struct clq_arena *arena, struct clq_str text,
    bool tombstone, struct rd_objects *out)
{
	struct clq_object o;

	if (text.len == 0)
		return;
	if (rd_unpack(db, arena, text, tombstone, &o))
		add(arena, out, &o);
	else if (db->doomed == CLQ_OK)
		db->doomed = CLQ_FAILED;
}

/* ---- whole lists ------------------------------------------------------------ */

/* Nobody else writes: ids first, then the objects, both through the log. */
static void
load_locked(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, bool tombstones, struct rd_objects *out)
{
	struct clq_strs ids = rd_members(db, arena, rd_key_ids(arena, coll,
	    tombstones));
	struct clq_str *keys, *texts;
	size_t i;

	keys = clq_arena_calloc(arena, ids.n, sizeof *keys);
	texts = clq_arena_calloc(arena, ids.n, sizeof *texts);
	for (i = 0; i < ids.n; i++)
		keys[i] = rd_key_object(arena, coll, ids.items[i],
		    tombstones);
	rd_get(db, arena, keys, texts, ids.n);
	for (i = 0; i < ids.n; i++)
		add_text(db, arena, texts[i], tombstones, out);
}

/* The key of an object, in two parts around its id. */
static void
arg_around(struct rd_call *c, const struct clq_coll *coll)
{
	struct clq_str key = rd_key_ids(c->arena, coll, false);

	rd_arg(c, clq_str_sub(key, 0, key.len - strlen("records")));
	rd_arg(c, CLQ_STR(".records"));
}

/* The answer of a script: live objects and tombstones by turns. */
static void
add_reply(struct rd_db *db, struct clq_arena *arena, const redisReply *r,
    struct rd_objects *out)
{
	for (size_t i = 0; r != NULL && i < r->elements; i++)
		add_text(db, arena, rd_text(r->element[i]), i % 2 == 1, out);
}

/* Others write: all at one moment. */
static void
load_at_once(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, bool tombstones, struct rd_objects *out)
{
	struct rd_call c;

	rd_script(&c, arena, db, RD_LOAD);
	arg_around(&c, coll);
	rd_arg(&c, rd_key_ids(arena, coll, false));
	if (tombstones) {
		rd_arg(&c, CLQ_STR(".deleted"));
		rd_arg(&c, rd_key_ids(arena, coll, true));
	}
	add_reply(db, arena, rd_ask_script(db, &c, RD_LOAD), out);
}

void
rd_load(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, bool tombstones, struct rd_objects *out)
{
	if (db->token.p == NULL) {
		load_at_once(db, arena, coll, tombstones, out);
		return;
	}
	load_locked(db, arena, coll, false, out);
	if (tombstones)
		load_locked(db, arena, coll, true, out);
}

struct clq_coll *
rd_lists(struct rd_db *db, struct clq_arena *arena, struct clq_str resource,
    struct clq_str parent, size_t *n)
{
	struct clq_strs names = rd_members(db, arena, RD_LISTS);
	struct clq_coll *out = clq_arena_calloc(arena, names.n, sizeof *out);
	struct clq_coll c;

	*n = 0;
	for (size_t i = 0; i < names.n; i++) {
		c = rd_list_of(names.items[i]);
		if (resource.p != NULL && !clq_str_eq(c.resource, resource))
			continue;
		if (parent.p != NULL && !clq_str_eq(c.parent, parent) &&
		    (c.parent.len <= parent.len ||
		    c.parent.p[parent.len] != '/' ||
		    memcmp(c.parent.p, parent.p, parent.len) != 0))
			continue;
		out[(*n)++] = c;
	}
	return out;
}

/* All objects that q may mean. */
static void
load_for(struct rd_db *db, struct clq_arena *arena, const struct clq_query *q,
    struct rd_objects *out)
{
	struct clq_coll *lists;
	size_t i, k, n;

	if (!rd_any_parent(&q->coll)) {
		rd_load(db, arena, &q->coll, q->include_deleted, out);
		return;
	}
	lists = rd_lists(db, arena, q->coll.resource,
	    (struct clq_str){ NULL, 0 }, &n);
	for (i = 0; i < n; i++) {
		k = out->n;
		rd_load(db, arena, &lists[i], q->include_deleted, out);
		for (; k < out->n; k++)
			out->items[k].parent = lists[i].parent;
	}
}

/* ---- by time ------------------------------------------------------------------ */

struct range {
	struct clq_str	low;	/* as Redis wants it */
	struct clq_str	high;
	bool		up;
};

static void
narrow(struct clq_arena *arena, struct range *r, enum clq_op op, int64_t t)
{
	struct clq_str bound = clq_arena_printf(arena, "%s%lld",
	    op == CLQ_OP_LT || op == CLQ_OP_GT ? "(" : "", (long long)t);

	if (op == CLQ_OP_LT || op == CLQ_OP_MAX || op == CLQ_OP_EQ)
		r->high = bound;
	if (op == CLQ_OP_GT || op == CLQ_OP_MIN || op == CLQ_OP_EQ)
		r->low = bound;
}

/* Scores are doubles; the script gets what holds exactly. */
static bool
exact(const cJSON *item, int64_t *t)
{
	return clq_json_int(item, t) && *t > -((int64_t)1 << 53) &&
	    *t < ((int64_t)1 << 53);
}

/*
 * True if a range of times holds all that q can return first; its filters and
 * limit are then applied once more by clq_select().
 */
static bool
range_of(struct rd_db *db, struct clq_arena *arena, const struct clq_query *q,
    struct range *r)
{
	int64_t t;

	*r = (struct range){ CLQ_STR("-inf"), CLQ_STR("+inf"), false };
	if (db->token.p != NULL || rd_any_parent(&q->coll) ||
	    q->only_ids != NULL || q->limit == 0 || q->nsorts == 0 ||
	    q->nfilters > 1 || (q->nfilters == 1 && q->after != NULL) ||
	    !clq_str_is(q->sorts[0].field, "last_modified"))
		return false;
	r->up = !q->sorts[0].descending;
	if (q->after != NULL) {
		if (!exact(q->after[0], &t))
			return false;
		narrow(arena, r, r->up ? CLQ_OP_GT : CLQ_OP_LT, t);
	}
	if (q->nfilters == 1) {
		enum clq_op op = q->filters[0].op;

		if (!clq_str_is(q->filters[0].field, "last_modified") ||
		    op == CLQ_OP_NOT || op > CLQ_OP_MIN ||
		    !exact(q->filters[0].value, &t))
			return false;
		narrow(arena, r, op, t);
	}
	return true;
}

static void
load_range(struct rd_db *db, struct clq_arena *arena,
    const struct clq_query *q, const struct range *range,
    struct rd_objects *out)
{
	struct rd_call c;

	rd_script(&c, arena, db, RD_BY_TIME);
	rd_arg(&c, rd_key_times(arena, &q->coll));
	arg_around(&c, &q->coll);
	rd_arg(&c, q->include_deleted ? CLQ_STR(".deleted") : CLQ_STR(""));
	rd_arg(&c, range->low);
	rd_arg(&c, range->high);
	rd_arg(&c, range->up ? CLQ_STR("up") : CLQ_STR("down"));
	rd_arg_int(&c, (int64_t)q->limit);
	add_reply(db, arena, rd_ask_script(db, &c, RD_BY_TIME), out);
}

/* ---- the table's functions ------------------------------------------------------ */

enum clq_status
rd_list(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_page *out)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct rd_objects all = { NULL, 0, 0 };
	struct range range;

	if (status != CLQ_OK)
		return status;
	if (range_of(db, arena, q, &range))
		load_range(db, arena, q, &range, &all);
	else
		load_for(db, arena, q, &all);
	if (db->doomed != CLQ_OK)
		return db->doomed;
	return clq_select(arena, q, all.items, all.n, out);
}

enum clq_status
rd_count(void *self, const struct clq_query *q, int64_t *out)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_query all = *q;
	struct clq_page page = { NULL, 0 };
	enum clq_status status;

	all.limit = 0;
	all.nsorts = 0;
	all.after = NULL;
	status = rd_list(self, arena, &all, &page);
	clq_arena_free(&arena);
	if (status == CLQ_OK)
		*out = (int64_t)page.n;
	return status;
}

/* One of those deleted: its list's clock moves on. */
static void
delete_one(struct rd_db *db, const struct clq_query *q,
    struct clq_deleted *d)
{
	struct clq_write w = { .op = CLQ_WRITE_DELETE, .coll = q->coll,
		.id = d->old.id };

	if (rd_any_parent(&q->coll))
		w.coll.parent = d->old.parent;
	(void)(rd_write(db, &w, 1) == CLQ_OK);	/* db->doomed tells */
	d->last_modified = w.last_modified;
}

enum clq_status
rd_delete_all(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_deletions *out)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, true);
	struct clq_query live = *q;
	struct clq_page page;

	if (status != CLQ_OK)
		return status;
	live.include_deleted = false;
	if ((status = rd_list(self, arena, &live, &page)) != CLQ_OK)
		return status;
	out->items = clq_arena_calloc(arena, page.n, sizeof *out->items);
	out->n = page.n;
	for (size_t i = 0; db->doomed == CLQ_OK && i < page.n; i++) {
		out->items[i].old = page.objects[i];
		delete_one(db, q, &out->items[i]);
	}
	return db->doomed;
}

enum clq_status
rd_trim(void *self, const struct clq_query *q, size_t keep, int64_t *removed)
{
	static const struct clq_sort newest = { { "last_modified", 13 },
		true };
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, true);
	struct clq_arena *arena = clq_arena_new();
	struct clq_query live = *q;
	struct clq_page page = { NULL, 0 };
	size_t i;

	live.sorts = &newest;
	live.nsorts = 1;
	live.limit = 0;
	live.after = NULL;
	live.include_deleted = false;
	if (status == CLQ_OK)
		status = rd_list(self, arena, &live, &page);
	for (i = keep; status == CLQ_OK && i < page.n; i++)
		rd_vanish(db, arena, &q->coll, page.objects[i].id);
	if (status == CLQ_OK)
		*removed = page.n > keep ? (int64_t)(page.n - keep) : 0;
	clq_arena_free(&arena);
	return status;
}
