/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a table, and the tombstones of its list, as what a query selects
 * from (pg_table.h); and pages of them.
 *
 * The subquery has no more conditions than say which list is meant, so that the
 * planner merges it into the query around it and finds the table's indexes.
 */
#include "storage/pg_table.h"

#include <cliquet/str.h>

/* ---- ids ----------------------------------------------------------------- */

void
pg_table_id(struct pg_sql *b, struct clq_str id)
{
	if (b->table->id.kind != PG_UUID)
		clq_buf_printf(&b->text, " AND row_id = $%u::text",
		    pg_arg_text(&b->args, id));
	else if (pg_is_uuid(id))
		clq_buf_printf(&b->text, " AND row_id = ($%u::text)::uuid",
		    pg_arg_text(&b->args, id));
	else
		pg_sql_add(b, " AND FALSE");
}

void
pg_table_ids(struct pg_sql *b, const struct clq_strs *ids)
{
	struct clq_strs good = { NULL, 0, 0 };
	bool uuid = b->table->id.kind == PG_UUID;
	size_t i;

	for (i = 0; i < ids->n; i++)
		if (!uuid || pg_is_uuid(ids->items[i]))
			clq_strs_add(b->arena, &good, ids->items[i]);
	clq_buf_printf(&b->text, uuid ?
	    " AND row_id = ANY (($%u::text[])::uuid[])" :
	    " AND row_id = ANY ($%u::text[])", pg_arg_strs(&b->args, good));
}

/* ---- the table as `objects` --------------------------------------------- */

/* The rows of the list, as a condition on t. */
static void
add_list(struct pg_sql *b, const struct clq_coll *coll)
{
	const struct pg_table *t = b->table;
	struct clq_str own = clq_str_sub(coll->parent,
	    strlen(t->conf->parent_prefix), coll->parent.len);

	pg_sql_add(b, "$1::text IS NOT NULL AND $2::text IS NOT NULL");
	if (t->conf->parent_column == NULL || pg_any_parent(coll))
		return;
	if (!clq_str_starts(coll->parent, t->conf->parent_prefix) ||
	    (t->parent.kind == PG_UUID && !pg_is_uuid(own)))
		pg_sql_add(b, " AND FALSE");
	else
		clq_buf_printf(&b->text, t->parent.kind == PG_UUID ?
		    " AND t.%s = ($%u::text)::uuid" : " AND t.%s = $%u::text",
		    t->parent.ident, pg_arg_text(&b->args, own));
}

static void
add_rows(struct pg_sql *b, const struct clq_coll *coll)
{
	const struct pg_table *t = b->table;
	size_t i;

	clq_buf_printf(&b->text, "SELECT t.%s::text COLLATE \"C\" AS id,"
	    " t.%s AS row_id, t.%s AS last_modified, FALSE AS deleted,"
	    " %s AS data, (%s) COLLATE \"C\" AS parent_id", t->id.ident,
	    t->id.ident, t->modified.ident, t->document, t->parent_sql);
	for (i = 0; i < t->n; i++)
		clq_buf_printf(&b->text, ", t.%s AS c%zu",
		    t->columns[i].ident, i);
	clq_buf_printf(&b->text, " FROM %s AS t WHERE ", t->name);
	add_list(b, coll);
}

/* Tombstones have none of the columns. */
static void
add_tombstones(struct pg_sql *b, const struct clq_coll *coll)
{
	const struct pg_table *t = b->table;
	size_t i;

	clq_buf_printf(&b->text, "SELECT o.id, NULL::%s%s AS row_id,"
	    " o.last_modified, TRUE AS deleted, o.data, o.parent_id",
	    t->id.type, t->id.collate);
	for (i = 0; i < t->n; i++)
		clq_buf_printf(&b->text, ", NULL::%s%s AS c%zu",
		    t->columns[i].type, t->columns[i].collate, i);
	pg_sql_add(b, " FROM objects AS o WHERE o.resource_name = $1");
	pg_sql_add(b, pg_any_parent(coll) ? " AND $2::text IS NOT NULL" :
	    " AND o.parent_id = $2");
	pg_sql_add(b, " AND o.deleted");
}

/* The column by which rows are sorted first, if a page that resumes has to
 * look at those with a value and those without. */
static const struct pg_table_column *
splits(const struct pg_sql *b, const struct clq_query *q)
{
	const struct pg_table_column *c;

	if (q->after == NULL || q->nsorts == 0 || q->after[0] == NULL ||
	    q->sorts[0].descending)
		return NULL;
	c = pg_table_column(b->table, q->sorts[0].field);
	return c != NULL && !c->not_null ? c : NULL;
}

/* Narrow down the rows to one side of such a split. */
static void
add_side(struct pg_sql *b, const struct clq_query *q)
{
	const struct pg_table_column *c = splits(b, q);
	size_t before = clq_buf_str(&b->text).len;
	const char *expr;

	if (c == NULL)
		return;
	expr = clq_arena_printf(b->arena, "t.%s", c->ident).p;
	if (b->part == PG_WITHOUT_VALUE) {
		clq_buf_printf(&b->text, " AND %s IS NULL", expr);
		return;
	}
	pg_sql_add(b, " AND ");
	if (!pg_table_from_value(b, c, expr, q->after[0])) {
		b->text.len = before;
		clq_buf_printf(&b->text, " AND %s IS NOT NULL", expr);
	}
}

void
pg_table_from(struct pg_sql *b, const struct clq_query *q, bool deleted)
{
	pg_sql_add(b, " FROM (");
	if (b->part != PG_TOMBSTONES)
		add_rows(b, &q->coll);
	if (b->part == PG_WITH_VALUE || b->part == PG_WITHOUT_VALUE)
		add_side(b, q);
	if (b->part == PG_ALL && deleted)
		pg_sql_add(b, " UNION ALL ");
	if (b->part == PG_TOMBSTONES || (b->part == PG_ALL && deleted))
		add_tombstones(b, &q->coll);
	b->row_id = b->part != PG_TOMBSTONES &&
	    !(b->part == PG_ALL && deleted);
	pg_sql_add(b, ") AS objects WHERE TRUE");
}

/* ---- pages -------------------------------------------------------------- */

static void
add_part(struct pg_sql *b, const struct clq_query *q, enum pg_part part)
{
	b->part = part;
	pg_sql_add(b, "(SELECT *");
	pg_sql_where(b, q, false);
	pg_sql_page(b, q);
	pg_sql_add(b, ")");
}

/*
 * Tombstones are in another table; and in ascending order the rows without a
 * value come last, so that "after v" is a range or NULL, and no index can be
 * entered at both. So a page may be made of up to three, each of which an index
 * can serve, and none of which is longer than the page.
 */
void
pg_table_page(struct pg_sql *b, const struct clq_query *q)
{
	bool split = splits(b, q) != NULL;

	if (!split && !q->include_deleted) {
		pg_sql_where(b, q, false);
		pg_sql_page(b, q);
		return;
	}
	pg_sql_add(b, " FROM (");
	add_part(b, q, split ? PG_WITH_VALUE : PG_ROWS);
	if (split) {
		pg_sql_add(b, " UNION ALL ");
		add_part(b, q, PG_WITHOUT_VALUE);
	}
	if (q->include_deleted) {
		pg_sql_add(b, " UNION ALL ");
		add_part(b, q, PG_TOMBSTONES);
	}
	pg_sql_add(b, ") AS objects");
	pg_sql_order(b, q);
}
