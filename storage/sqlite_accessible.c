/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which objects somebody may see: the entries of his principals in ranges of
 * URIs, put together by object (section 06-10).
 *
 * A pattern is a range of texts, so that an index finds what lies below a URI;
 * patterns never reach SQL. Where children do not count, a subtree is stepped
 * over by one search, however large it is.
 */
#include "storage/sqlite.h"

#include <cliquet/str.h>

#include <stdlib.h>

struct sq_range
sq_range_of(struct clq_arena *arena, struct clq_str pattern)
{
	struct sq_range r = { .from = pattern };

	if (pattern.len == 0 || pattern.p[pattern.len - 1] != '*') {
		r.exact = true;
		return r;
	}
	r.from.len--;
	r.to = sq_successor(arena, r.from);
	r.open = r.to.p == NULL;
	return r;
}

/* Found so far: (object, permission) in any order, perhaps repeated. */
struct pair {
	struct clq_str	object;
	struct clq_str	permission;
};

struct found {
	struct clq_arena	*arena;
	struct pair		*pairs;
	size_t			 n;
	size_t			 cap;
};

static void
add_pair(struct found *f, struct clq_str object, struct clq_str permission)
{
	struct pair *more;

	if (f->n == f->cap) {
		f->cap = f->cap > 0 ? f->cap * 2 : 16;
		more = clq_arena_calloc(f->arena, f->cap, sizeof *more);
		if (f->n > 0)
			memcpy(more, f->pairs, f->n * sizeof *more);
		f->pairs = more;
	}
	f->pairs[f->n].object = object;
	f->pairs[f->n++].permission = permission;
}

/* The first text beyond all that lie below the child of `from` in which
 * `object` is: a whole subtree is stepped over by one search. */
static struct clq_str
beyond_child(struct clq_arena *arena, struct clq_str from,
    struct clq_str object)
{
	size_t slash = clq_str_find(object, '/', from.len);

	return sq_successor(arena, clq_str_sub(object, 0, slash + 1));
}

/*
 * What a principal has by one permission in a range. With !children objects
 * that have a '/' after the prefix are no members, and are stepped over.
 */
static enum clq_status
find_in_range(struct sq_db *q, struct found *f, struct clq_str principal,
    const struct clq_bound *b, bool children)
{
	struct sq_range r = sq_range_of(f->arena, b->object);
	struct clq_str object, args[4] = { principal, b->permission, r.from,
	    r.exact ? r.from : r.to };
	const char *sql = r.exact || r.open ?
	    "SELECT object FROM access_control_entries WHERE principal = ?1"
	    " AND permission = ?2 AND object >= ?3 ORDER BY object" :
	    "SELECT object FROM access_control_entries WHERE principal = ?1"
	    " AND permission = ?2 AND object >= ?3 AND object < ?4"
	    " ORDER BY object";
	enum clq_status status = CLQ_OK;
	sqlite3_stmt *stmt;
	bool again;

	do {
		again = false;
		stmt = sq_prepare_strs(q, sql, args, r.exact || r.open ? 3 : 4);
		if (stmt == NULL)
			return q->doomed;
		while ((status = sq_step(q, stmt)) == CLQ_OK) {
			object = sq_column_dup(f->arena, stmt, 0);
			if (r.exact && !clq_str_eq(object, r.from))
				break;
			if (!r.exact && !children && clq_str_find(object, '/',
			    r.from.len) < object.len) {
				args[2] = beyond_child(f->arena, r.from,
				    object);
				again = true;
				break;
			}
			add_pair(f, object, b->permission);
			if (r.exact)
				break;
		}
		sq_done(stmt);
	} while (again);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

/* Everything that a principal has. */
static enum clq_status
find_all(struct sq_db *q, struct found *f, struct clq_str principal)
{
	sqlite3_stmt *stmt = sq_prepare_strs(q,
	    "SELECT object, permission FROM access_control_entries"
	    " WHERE principal = ?1", &principal, 1);
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	while ((status = sq_step(q, stmt)) == CLQ_OK)
		add_pair(f, sq_column_dup(f->arena, stmt, 0),
		    sq_column_dup(f->arena, stmt, 1));
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

static int
pair_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int order = clq_str_cmp(x->object, y->object);

	return order != 0 ? order : clq_str_cmp(x->permission,
	    y->permission);
}

static void
gather(struct found *f, struct clq_accessible **out, size_t *nout)
{
	struct clq_accessible *items, *last = NULL;
	size_t i, n = 0;

	if (f->n > 0)
		qsort(f->pairs, f->n, sizeof *f->pairs, pair_order);
	items = clq_arena_calloc(f->arena, f->n, sizeof *items);
	for (i = 0; i < f->n; i++) {
		if (i > 0 && pair_order(&f->pairs[i - 1], &f->pairs[i]) == 0)
			continue;
		if (last == NULL ||
		    !clq_str_eq(last->object, f->pairs[i].object)) {
			last = &items[n++];
			last->object = f->pairs[i].object;
		}
		clq_strs_add(f->arena, &last->permissions,
		    f->pairs[i].permission);
	}
	*out = items;
	*nout = n;
}

enum clq_status
sq_accessible(void *self, struct clq_arena *arena, struct clq_strs principals,
    const struct clq_bound *bounds, size_t n, bool children,
    struct clq_accessible **out, size_t *nout)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	struct found f = { .arena = arena };
	size_t i, j;

	for (i = 0; status == CLQ_OK && i < principals.n; i++) {
		if (n == 0)
			status = find_all(q, &f, principals.items[i]);
		for (j = 0; status == CLQ_OK && j < n; j++)
			status = find_in_range(q, &f, principals.items[i],
			    &bounds[j], children);
	}
	if (status == CLQ_OK)
		gather(&f, out, nout);
	return status;
}
