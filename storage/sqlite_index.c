/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries by a declared index: which one, and the conditions that it serves.
 *
 * Such an index holds clq_key(data, 'field'), last_modified of the living
 * objects of one list. SQLite takes it only where the statement spells the
 * list and the key as the index does, so these texts are written out; the
 * fields are those an operator has declared, which keeps the texts few. Values
 * are bound as keys (sqlite_key.c).
 *
 * Without statistics a rule has to do: equality first, then membership, then
 * an index that delivers the order, then a range.
 */
#include "storage/sqlite.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

/* How good it is to begin with a filter; 0: an index is of no use. */
static int
worth(const struct clq_filter *f)
{
	switch (f->op) {
	case CLQ_OP_EQ:
		return 3;
	case CLQ_OP_IN:
		return cJSON_IsArray(f->value) && cJSON_GetArraySize(
		    f->value) <= SQ_MAX_MEMBERS ? 2 : 0;
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		return 1;
	case CLQ_OP_NOT:
	case CLQ_OP_EXCLUDE:
	case CLQ_OP_LIKE:
	case CLQ_OP_HAS:
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
	case CLQ_OP__COUNT:
		break;
	}
	return 0;
}

static const struct sq_declared *
find(const struct sq_db *db, const struct clq_coll *coll,
    struct clq_str field)
{
	const struct sq_declared *d;

	for (d = db->declared; d < db->declared + db->ndeclared; d++)
		if (clq_str_eq(d->field, field) && clq_coll_eq(&d->coll, coll))
			return d;
	return NULL;
}

/* True if the sorts are one document field and then last_modified. */
static bool
sorts_fit(const struct sq_sorts *sorts, const struct clq_query *q)
{
	return sorts->n == 2 && sorts->items[0].column == SQ_DOCUMENT &&
	    sorts->items[1].column == SQ_MODIFIED && (q->after == NULL ||
	    cJSON_IsNumber(q->after[1]));
}

void
sq_index_choose(struct sq_sql *b, const struct sq_db *db,
    const struct clq_query *q)
{
	const struct sq_declared *d, *order = NULL;
	int best = 0, w;
	size_t i;

	if (db->ndeclared == 0)
		return;
	for (i = 0; i < q->nfilters; i++) {
		w = worth(&q->filters[i]);
		if (w <= best || (d = find(db, &q->coll,
		    q->filters[i].field)) == NULL)
			continue;
		best = w;
		b->index = d;
	}
	if (sorts_fit(b->sorts, q))
		order = find(db, &q->coll, b->sorts->items[0].path);
	if (order != NULL && best < 2)
		b->index = order;
	b->in_order = order != NULL && b->index == order;
	b->by_range = best == 1;
}

bool
sq_index_serves(const struct sq_sql *b, const struct clq_filter *f)
{
	return b->index != NULL && worth(f) > 0 &&
	    clq_str_eq(f->field, b->index->field);
}

/* The number of parameters is a power of two, to have few texts. */
static void
add_members(struct sq_sql *b, const cJSON *list)
{
	int n = cJSON_GetArraySize(list), i = 0;
	struct clq_str key = { NULL, 0 };
	const cJSON *item = list->child;

	if (n == 0) {
		b->nothing = true;
		return;
	}
	clq_buf_printf(&b->text, " AND %s IN (", b->index->key);
	for (; i < n || (i & (i - 1)) != 0; i++) {
		if (item != NULL) {
			key = sq_key_of(b->arena, item);
			item = item->next;
		}
		clq_buf_adds(&b->text, i > 0 ? ", " : "");
		sq_sql_add_blob(b, key);
	}
	clq_buf_addc(&b->text, ')');
}

void
sq_index_filter(struct sq_sql *b, const struct clq_filter *f)
{
	if (f->op == CLQ_OP_IN) {
		add_members(b, f->value);
		return;
	}
	clq_buf_printf(&b->text, " AND %s %s ", b->index->key,
	    sq_sign[f->op]);
	sq_sql_add_blob(b, sq_key_of(b->arena, f->value));
}

/* The first condition is where the index is entered, the second passes by
 * the objects with the same value that have been seen. */
void
sq_index_after(struct sq_sql *b, const struct clq_query *q)
{
	const struct sq_sort *sorts = b->sorts->items;
	struct clq_str key = sq_key_of(b->arena, q->after[0]);
	const char *way = sorts[0].descending ? "<" : ">";

	clq_buf_printf(&b->text, " AND %s %s= ", b->index->key, way);
	sq_sql_add_blob(b, key);
	clq_buf_printf(&b->text, " AND (%s %s ", b->index->key, way);
	sq_sql_add_blob(b, key);
	clq_buf_printf(&b->text, " OR last_modified %s ",
	    sorts[1].descending ? "<" : ">");
	sq_sql_add_number(b, q->after[1]);
	clq_buf_addc(&b->text, ')');
}

void
sq_index_order(struct sq_sql *b)
{
	const struct sq_sort *sorts = b->sorts->items;

	clq_buf_printf(&b->text, " ORDER BY %s %s, last_modified %s",
	    b->index->key, sorts[0].descending ? "DESC" : "ASC",
	    sorts[1].descending ? "DESC" : "ASC");
}
