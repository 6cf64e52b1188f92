/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: reading, counting, deleting and trimming what a query selects.
 *
 * A page is read row by row into the arena; with a limit SQLite stops there.
 * delete_all first reads what it will delete, because it must return it, and
 * gives the tombstones a run of consecutive timestamps.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>

enum {
	PAGE_FIRST	= 32,	/* objects a page has room for at first */
	MANY		= 10000	/* objects that are sorted for one page */
};

static void
read_object(struct clq_arena *arena, sqlite3_stmt *stmt,
    struct clq_object *o)
{
	memset(o, 0, sizeof *o);
	o->id = sq_column_dup(arena, stmt, 0);
	o->last_modified = sqlite3_column_int64(stmt, 1);
	o->deleted = sqlite3_column_int(stmt, 2) != 0;
	o->data = sq_column_dup(arena, stmt, 3);
	if (sqlite3_column_count(stmt) > 4)
		o->parent = sq_column_dup(arena, stmt, 4);
}

/* Not clq_arena_grow(): the texts come in between. */
static struct clq_object *
next_place(struct clq_arena *arena, struct clq_page *page, size_t *cap)
{
	struct clq_object *more;

	if (page->n == *cap) {
		*cap = *cap > 0 ? *cap * 2 : PAGE_FIRST;
		more = clq_arena_calloc(arena, *cap, sizeof *more);
		if (page->n > 0)
			memcpy(more, page->objects, page->n * sizeof *more);
		page->objects = more;
	}
	return &page->objects[page->n++];
}

/*
 * A range may hold nearly all objects, which then would all be sorted for the
 * first page, although the index of the default order comes upon enough of
 * them at once. true: the range of `page`, the statement for query, holds MANY
 * or more.
 */
static bool
too_wide(struct sq_db *q, struct clq_arena *arena, const struct sq_sql *page,
    const struct clq_query *query)
{
	struct clq_query range = *query;
	struct clq_filter *served;
	sqlite3_stmt *stmt;
	int64_t n = MANY;
	struct sq_sql b;
	size_t i;

	served = clq_arena_calloc(arena, query->nfilters, sizeof *served);
	range.filters = served;
	for (range.nfilters = i = 0; i < query->nfilters; i++)
		if (sq_index_serves(page, &query->filters[i]))
			served[range.nfilters++] = query->filters[i];
	sq_sql_query_by(&b, q, arena, "SELECT count(*) FROM (SELECT 1",
	    &range, false);
	sq_sql_add_int(&b, " LIMIT ?)", MANY);
	if ((stmt = sq_sql_prepare(q, &b)) == NULL)
		return false;
	if (sq_step(q, stmt) == CLQ_OK)
		n = sqlite3_column_int64(stmt, 0);
	sq_done(stmt);
	return n >= MANY;
}

/* The statement for a page, by a declared index if that pays. */
static void
begin_page(struct sq_db *q, struct sq_sql *b, struct clq_arena *arena,
    const char *head, const struct clq_query *query, bool deleted)
{
	sq_sql_query_by(b, q, arena, head, query, deleted);
	if (b->index == NULL || !b->by_range || b->in_order ||
	    query->limit == 0 || b->sorts->n > 1 || b->nothing)
		return;
	if (too_wide(q, arena, b, query))
		sq_sql_query(b, arena, head, query, deleted);
}

static enum clq_status
select_objects(struct sq_db *q, struct clq_arena *arena,
    const struct clq_query *query, bool deleted, struct clq_page *out)
{
	struct clq_page page = { 0 };
	enum clq_status status;
	sqlite3_stmt *stmt;
	struct sq_sql b;
	size_t cap = 0;

	if ((status = sq_index_learn(q)) != CLQ_OK)
		return status;
	begin_page(q, &b, arena, sq_any_parent(&query->coll) ?
	    "SELECT id, last_modified, deleted, data, parent" :
	    "SELECT id, last_modified, deleted, data", query, deleted);
	sq_sql_after(&b, query);
	sq_sql_order(&b);
	if (query->limit > 0)
		sq_sql_add_int(&b, " LIMIT ?", (int64_t)query->limit);
	if (b.nothing) {
		*out = page;
		return CLQ_OK;
	}
	stmt = sq_sql_prepare(q, &b);
	if (stmt == NULL)
		return q->doomed;
	while ((status = sq_step(q, stmt)) == CLQ_OK)
		read_object(arena, stmt, next_place(arena, &page, &cap));
	sq_done(stmt);
	if (status != CLQ_NOT_FOUND)
		return status;
	*out = page;
	return CLQ_OK;
}

enum clq_status
sq_list(void *self, struct clq_arena *arena, const struct clq_query *query,
    struct clq_page *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	if (status != CLQ_OK)
		return status;
	return select_objects(q, arena, query, query->include_deleted, out);
}

enum clq_status
sq_count(void *self, const struct clq_query *query, int64_t *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	struct clq_arena *arena;
	struct sq_sql b;

	if (status != CLQ_OK)
		return status;
	if ((status = sq_index_learn(q)) != CLQ_OK)
		return status;
	arena = clq_arena_new();
	sq_sql_query_by(&b, q, arena, "SELECT count(*)", query,
	    query->include_deleted);
	if (b.nothing)
		*out = 0;
	else
		status = sq_run_int(q, sq_sql_prepare(q, &b), out);
	clq_arena_free(&arena);
	return status;
}

static enum clq_status
bury(struct sq_db *q, const struct clq_coll *coll,
    const struct clq_deleted *item)
{
	sqlite3_stmt *stmt = sq_prepare(q,
	    "UPDATE objects SET deleted = 1, data = '{}', last_modified = ?4"
	    " WHERE resource = ?1 AND parent = ?2 AND id = ?3", true);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 1, coll->resource);
	sq_bind_str(q, stmt, 2, coll->parent);
	sq_bind_str(q, stmt, 3, item->old.id);
	sq_bind_int(q, stmt, 4, item->last_modified);
	return sq_run(q, stmt);
}

/* Bury objects of several lists, each with the clock of its own. */
static enum clq_status
bury_apart(struct sq_db *q, struct clq_str resource,
    struct clq_deleted *items, size_t n)
{
	struct clq_coll coll = { .resource = resource };
	enum clq_status status = CLQ_OK;
	size_t i;

	for (i = 0; status == CLQ_OK && i < n; i++) {
		coll.parent = items[i].old.parent;
		status = sq_bump(q, &coll, 1, &items[i].last_modified);
		if (status == CLQ_OK)
			status = bury(q, &coll, &items[i]);
	}
	return status;
}

static enum clq_status
bury_together(struct sq_db *q, const struct clq_coll *coll,
    struct clq_deleted *items, size_t n)
{
	enum clq_status status;
	clq_msec first = 0;
	size_t i;

	if (n == 0)
		return CLQ_OK;
	status = sq_bump(q, coll, n, &first);
	for (i = 0; status == CLQ_OK && i < n; i++) {
		items[i].last_modified = first + (clq_msec)i;
		status = bury(q, coll, &items[i]);
	}
	return status;
}

enum clq_status
sq_delete_all(void *self, struct clq_arena *arena,
    const struct clq_query *query, struct clq_deletions *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);
	struct clq_deletions dead = { 0 };
	struct clq_page page = { 0 };
	size_t i;

	if (status == CLQ_OK)
		status = select_objects(q, arena, query, false, &page);
	if (status != CLQ_OK)
		return status;
	dead.items = clq_arena_calloc(arena, page.n, sizeof *dead.items);
	for (i = 0; i < page.n; i++)
		dead.items[i].old = page.objects[i];
	if (sq_any_parent(&query->coll))
		status = bury_apart(q, query->coll.resource, dead.items,
		    page.n);
	else
		status = bury_together(q, &query->coll, dead.items, page.n);
	if (status != CLQ_OK)
		return status;
	dead.n = page.n;
	*out = dead;
	return CLQ_OK;
}

enum clq_status
sq_trim(void *self, const struct clq_query *query, size_t keep,
    int64_t *removed)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);
	struct clq_arena *arena;
	struct sq_sql b;

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	sq_sql_query(&b, arena,
	    "DELETE FROM objects WHERE rowid IN (SELECT rowid", query,
	    query->include_deleted);
	sq_sql_add_int(&b, " ORDER BY last_modified DESC LIMIT -1 OFFSET ?",
	    (int64_t)keep);
	sq_sql_add(&b, ")");
	if (!b.nothing)
		status = sq_run(q, sq_sql_prepare(q, &b));
	if (status == CLQ_OK)
		*removed = b.nothing ? 0 : sqlite3_changes(q->db);
	clq_arena_free(&arena);
	return status;
}
