/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes over many lists: erasing below a parent, purging tombstones,
 * counting all, emptying.
 *
 * Parents and principals are compared as ranges, never as patterns, so that
 * '%', '_' and '*' in them mean themselves. The keys begin with the resource:
 * what concerns all resources goes from one to the next through the index.
 */
#include "storage/sqlite.h"

typedef enum clq_status each_resource_f(struct sq_db *q,
    struct clq_str resource, void *ctx);

/*
 * Call fn for each resource in the table that `next` looks into: it selects
 * the lowest resource above its parameter.
 */
static enum clq_status
each_resource(struct sq_db *q, const char *next, each_resource_f *fn,
    void *ctx)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str resource = CLQ_STR("");
	enum clq_status status = CLQ_OK;
	sqlite3_stmt *stmt;

	while (status == CLQ_OK) {
		stmt = sq_prepare(q, next, true);
		if (stmt == NULL) {
			status = q->doomed;
			break;
		}
		sq_bind_str(q, stmt, 1, resource);
		status = sq_step(q, stmt);
		if (status == CLQ_OK)
			resource = sq_column_dup(arena, stmt, 0);
		sq_done(stmt);
		if (status == CLQ_OK)
			status = fn(q, resource, ctx);
	}
	clq_arena_free(&arena);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

static enum clq_status
run_str(struct sq_db *q, const char *sql, struct clq_str a)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, true);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 1, a);
	return sq_run(q, stmt);
}

/* ---- erase ------------------------------------------------------------ */

struct below {
	const char	*sql;
	struct clq_str	 parent;
	struct clq_str	 from;		/* parent and '/' */
	struct clq_str	 to;		/* the first beyond */
};

static enum clq_status
erase_below(struct sq_db *q, struct clq_str resource, void *ctx)
{
	const struct below *b = ctx;
	sqlite3_stmt *stmt = sq_prepare(q, b->sql, true);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 1, resource);
	sq_bind_str(q, stmt, 2, b->parent);
	sq_bind_str(q, stmt, 3, b->from);
	sq_bind_str(q, stmt, 4, b->to);
	return sq_run(q, stmt);
}

static enum clq_status
erase_table(struct sq_db *q, struct clq_str resource, const char *next,
    struct below *b)
{
	if (resource.p != NULL)
		return erase_below(q, resource, b);
	return each_resource(q, next, erase_below, b);
}

enum clq_status
sq_erase(void *self, struct clq_str resource, struct clq_str parent)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);
	struct clq_arena *arena;
	struct below b = { .parent = parent };

	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	b.from = clq_arena_printf(arena, "%.*s/", CLQ_FMT(parent));
	b.to = sq_successor(arena, b.from);
	b.sql = "DELETE FROM objects WHERE resource = ?1 AND (parent = ?2"
	    " OR (parent >= ?3 AND parent < ?4))";
	status = erase_table(q, resource, "SELECT resource FROM objects"
	    " INDEXED BY objects_id WHERE resource > ?1"
	    " ORDER BY resource LIMIT 1", &b);
	b.sql = "DELETE FROM timestamps WHERE resource = ?1 AND (parent = ?2"
	    " OR (parent >= ?3 AND parent < ?4))";
	if (status == CLQ_OK)
		status = erase_table(q, resource,
		    "SELECT resource FROM timestamps WHERE resource > ?1"
		    " ORDER BY resource LIMIT 1", &b);
	clq_arena_free(&arena);
	return status;
}

/* ---- purge ------------------------------------------------------------ */

struct purge {
	clq_msec	before;
	int64_t		max_retained;
	int64_t		removed;
};

/* The newest max_retained of each list stay, and what is not before. */
static enum clq_status
purge_resource(struct sq_db *q, struct clq_str resource, void *ctx)
{
	struct purge *p = ctx;
	enum clq_status status;
	sqlite3_stmt *stmt;

	if (p->max_retained >= 0)
		stmt = sq_prepare(q,
		    "DELETE FROM objects WHERE rowid IN (SELECT row FROM"
		    " (SELECT rowid AS row, last_modified, row_number() OVER"
		    "  (PARTITION BY parent ORDER BY last_modified DESC) AS n"
		    "  FROM objects INDEXED BY objects_modified"
		    "  WHERE resource = ?1 AND deleted = 1)"
		    " WHERE n > ?3 AND last_modified < ?2)", true);
	else
		stmt = sq_prepare(q,
		    "DELETE FROM objects INDEXED BY objects_modified"
		    " WHERE resource = ?1 AND deleted = 1"
		    " AND last_modified < ?2", true);
	if (stmt == NULL)
		return q->doomed;
	sq_bind_str(q, stmt, 1, resource);
	sq_bind_int(q, stmt, 2, p->before > 0 ? p->before : INT64_MAX);
	if (p->max_retained >= 0)
		sq_bind_int(q, stmt, 3, p->max_retained);
	status = sq_run(q, stmt);
	if (status == CLQ_OK)
		p->removed += sqlite3_changes(q->db);
	return status;
}

static enum clq_status
forget_timestamps(struct sq_db *q, struct clq_str resource)
{
	if (resource.p != NULL)
		return run_str(q, "DELETE FROM timestamps WHERE resource = ?1",
		    resource);
	return sq_run(q, sq_prepare(q, "DELETE FROM timestamps", true));
}

enum clq_status
sq_purge(void *self, struct clq_str resource, clq_msec before,
    int64_t max_retained, int64_t *removed)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);
	struct purge p = { before, max_retained, 0 };

	if (status != CLQ_OK)
		return status;
	if (resource.p != NULL)
		status = purge_resource(q, resource, &p);
	else
		status = each_resource(q, "SELECT resource FROM objects"
		    " INDEXED BY objects_id WHERE resource > ?1"
		    " ORDER BY resource LIMIT 1", purge_resource, &p);
	if (status == CLQ_OK && before <= 0 && max_retained < 0)
		status = forget_timestamps(q, resource);
	if (status == CLQ_OK)
		*removed = p.removed;
	return status;
}

/* ---- totals ----------------------------------------------------------- */

struct totals {
	struct clq_arena		*arena;
	struct clq_resource_count	*items;
	size_t				 n;
	size_t				 cap;
};

static enum clq_status
count_rows(struct sq_db *q, const char *sql, struct clq_str resource,
    int64_t *out)
{
	return sq_run_int(q, sq_prepare_strs(q, sql, &resource, 1), out);
}

/* Both counts come from indexes, without a look at the documents. */
static enum clq_status
add_total(struct sq_db *q, struct clq_str resource, void *ctx)
{
	struct totals *t = ctx;
	struct clq_resource_count *more, c = { 0 };
	enum clq_status status;
	int64_t all = 0;

	status = count_rows(q, "SELECT count(*) FROM objects"
	    " INDEXED BY objects_live WHERE resource = ?1 AND deleted = 0",
	    resource, &c.objects);
	if (status == CLQ_OK)
		status = count_rows(q, "SELECT count(*) FROM objects"
		    " INDEXED BY objects_modified WHERE resource = ?1",
		    resource, &all);
	if (status != CLQ_OK)
		return status;
	if (t->n == t->cap) {
		t->cap = t->cap > 0 ? t->cap * 2 : 8;
		more = clq_arena_calloc(t->arena, t->cap, sizeof *more);
		if (t->n > 0)
			memcpy(more, t->items, t->n * sizeof *more);
		t->items = more;
	}
	c.resource = clq_arena_strdup(t->arena, resource);
	c.tombstones = all - c.objects;
	t->items[t->n++] = c;
	return CLQ_OK;
}

enum clq_status
sq_totals(void *self, struct clq_arena *arena,
    struct clq_resource_count **out, size_t *n)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	struct totals t = { .arena = arena };

	if (status == CLQ_OK)
		status = each_resource(q, "SELECT resource FROM objects"
		    " INDEXED BY objects_id WHERE resource > ?1"
		    " ORDER BY resource LIMIT 1", add_total, &t);
	if (status != CLQ_OK)
		return status;
	*out = t.items;
	*n = t.n;
	return CLQ_OK;
}

enum clq_status
sq_flush(void *self)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);

	if (status == CLQ_OK)
		status = sq_run(q, sq_prepare(q, "DELETE FROM objects", true));
	if (status == CLQ_OK)
		status = sq_run(q, sq_prepare(q, "DELETE FROM timestamps",
		    true));
	return status;
}
