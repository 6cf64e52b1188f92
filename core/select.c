/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of objects in memory, for storage backends that cannot query.
 *
 * Each object becomes a tree for a moment, with its document only if a filter
 * or a sort looks into it; what stays are the values to sort by.
 */
#include <cliquet/app.h>
#include <cliquet/match.h>
#include <cliquet/str.h>

#include <stdlib.h>

#include "query.h"

struct candidate {
	const struct clq_object	*object;
	const cJSON		**keys;		/* one per sort */
};

/* "deleted" may be in a document too. */
static bool
own_field(struct clq_str field)
{
	return clq_str_is(field, "id") || clq_str_is(field, "last_modified");
}

static bool
needs_documents(const struct clq_query *q)
{
	size_t i;

	for (i = 0; i < q->nfilters; i++)
		if (!own_field(q->filters[i].field))
			return true;
	for (i = 0; i < q->nsorts; i++)
		if (!own_field(q->sorts[i].field))
			return true;
	return false;
}

static int
candidate_cmp(const void *a, const void *b, void *ctx)
{
	const struct candidate *x = a, *y = b;

	return clq_sort_cmp(ctx, x->keys, y->keys);
}

static void
fill_page(struct clq_arena *arena, const struct clq_query *q,
    struct candidate *c, size_t n, struct clq_page *out)
{
	struct clq_query by = *q;

	if (n > 1)
		qsort_r(c, n, sizeof *c, candidate_cmp, &by);
	if (q->limit > 0 && n > q->limit)
		n = q->limit;
	out->objects = clq_arena_calloc(arena, n, sizeof *out->objects);
	out->n = n;
	for (size_t i = 0; i < n; i++)
		out->objects[i] = *c[i].object;
}

enum clq_status
clq_select(struct clq_arena *arena, const struct clq_query *q,
    const struct clq_object *objects, size_t n, struct clq_page *out)
{
	struct candidate *c = clq_arena_calloc(arena, n, sizeof *c);
	struct clq_arena *scratch = clq_arena_new();
	bool whole = needs_documents(q);
	enum clq_status rc = CLQ_OK;
	struct clq_object o;
	const cJSON **keys;
	size_t found = 0;
	cJSON *tree;

	for (size_t i = 0; rc == CLQ_OK && i < n; i++) {
		o = objects[i];
		if ((o.deleted && !q->include_deleted) || (q->only_ids != NULL &&
		    !clq_strs_has(*q->only_ids, o.id)))
			continue;
		if (!whole)
			o.data = CLQ_STR("{}");
		clq_arena_reset(scratch);
		if ((rc = clq_object_tree(scratch, &o, &tree)) == CLQ_OK &&
		    clq_query_passes(scratch, q, tree) &&
		    (keys = clq_query_keys(scratch, q, tree)) != NULL)
			c[found++] = (struct candidate){ &objects[i],
			    clq_query_keys_dup(arena, q, keys) };
	}
	clq_arena_free(&scratch);
	if (rc == CLQ_OK)
		fill_page(arena, q, c, found, out);
	return rc;
}
