/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as conditions (sections 04-2, 04-3), all of them bound to
 * parameters. A missing field is NULL, which each condition here takes care
 * of: it is different from everything and above everything.
 */
#include "storage/pg_table.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

/* ---- lists ------------------------------------------------------------- */

/* A JSON list's items as texts; anything else stands for a list of itself. */
static struct clq_strs
items_of(struct pg_sql *b, const cJSON *value)
{
	struct clq_strs items = { NULL, 0, 0 };
	const cJSON *item;

	if (!cJSON_IsArray(value)) {
		clq_strs_add(b->arena, &items,
		    clq_json_text(b->arena, value));
		return items;
	}
	cJSON_ArrayForEach(item, value)
		clq_strs_add(b->arena, &items, clq_json_text(b->arena, item));
	return items;
}

static struct clq_str
get_item(const void *ctx, size_t i)
{
	const struct clq_strs *items = ctx;

	return items->items[i];
}

static unsigned
arg_items(struct pg_sql *b, const cJSON *value)
{
	struct clq_strs items = items_of(b, value);

	return pg_arg_jsons(&b->args, get_item, &items, items.n);
}

static void
add_member(struct pg_sql *b, const struct pg_field *f, bool in,
    const cJSON *value)
{
	if (in && f->declared != NULL) {
		pg_index_member(b, f->declared, value);
		return;
	}
	pg_sql_add(b, in ? "" : "(");
	pg_sql_field(b, f);
	if (in) {
		clq_buf_printf(&b->text, " = ANY ($%u::jsonb[])",
		    arg_items(b, value));
		return;
	}
	clq_buf_printf(&b->text, " <> ALL ($%u::jsonb[]) OR ",
	    arg_items(b, value));
	pg_sql_field(b, f);
	pg_sql_add(b, " IS NULL)");
}

static bool
only_scalars(const cJSON *value)
{
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return !cJSON_IsObject(value);
	cJSON_ArrayForEach(item, value)
		if (cJSON_IsArray(item) || cJSON_IsObject(item))
			return false;
	return true;
}

/*
 * A GIN index on `data`, as Kinto's operators may have made one, serves
 * containment of the whole document. Only for a plain name and scalars it means
 * equality: of arrays and objects containment would accept parts.
 */
static bool
has_containment(const struct pg_sql *b, const struct clq_filter *filter)
{
	return b->table == NULL &&	/* no such index can exist */
	    clq_str_find(filter->field, '.', 0) == filter->field.len &&
	    only_scalars(filter->value);
}

static void
add_containment(struct pg_sql *b, const struct clq_filter *filter)
{
	struct clq_buf json;

	clq_buf_init(&json, b->arena, 64);
	clq_buf_addc(&json, '{');
	clq_buf_json_str(&json, filter->field);
	clq_buf_addc(&json, ':');
	clq_json_print(&json, filter->value);
	clq_buf_addc(&json, '}');
	clq_buf_printf(&b->text, "data @> $%u::jsonb",
	    pg_arg_json(&b->args, clq_buf_str(&json)));
}

/* Where nothing but that index can help, containment alone is said: it costs
 * half of what comparing the field's value does. */
static bool
is_containment(const struct pg_sql *b, const struct clq_coll *coll,
    const struct clq_filter *filter)
{
	return filter->op == CLQ_OP_EQ && filter->value != NULL &&
	    !cJSON_IsArray(filter->value) && has_containment(b, filter) &&
	    !clq_str_is(filter->field, "id") &&
	    !clq_str_is(filter->field, "last_modified") &&
	    pg_index_find(b->db, coll, filter->field) == NULL &&
	    !pg_index_foreign(b->db, coll->resource);
}

/* Else it is said once more. */
static void
add_too(struct pg_sql *b, const struct clq_filter *filter)
{
	if (!has_containment(b, filter))
		return;
	pg_sql_add(b, " AND ");
	add_containment(b, filter);
}

/* Among scalars containment is equality. */
static void
add_contains(struct pg_sql *b, const struct pg_field *f, bool any,
    const cJSON *value)
{
	pg_sql_add(b, "CASE jsonb_typeof(");
	pg_sql_field(b, f);
	pg_sql_add(b, ") WHEN 'array' THEN ");
	if (!any && only_scalars(value)) {
		pg_sql_field(b, f);
		clq_buf_printf(&b->text, " @> $%u::jsonb",
		    pg_arg_json(&b->args, clq_json_text(b->arena, value)));
	} else if (any) {
		pg_sql_add(b, "EXISTS (SELECT FROM jsonb_array_elements(");
		pg_sql_field(b, f);
		clq_buf_printf(&b->text, ") AS e WHERE e = ANY"
		    " ($%u::jsonb[]))", arg_items(b, value));
	} else {
		clq_buf_printf(&b->text, "NOT EXISTS (SELECT FROM"
		    " unnest($%u::jsonb[]) AS w WHERE NOT EXISTS ("
		    "SELECT FROM jsonb_array_elements(",
		    arg_items(b, value));
		pg_sql_field(b, f);
		pg_sql_add(b, ") AS e WHERE e = w))");
	}
	pg_sql_add(b, " ELSE FALSE END");
}

/* ---- patterns ---------------------------------------------------------- */

/* '*' as LIKE's '%'; LIKE's own characters as themselves. Without '*' the text
 * may stand anywhere. */
static unsigned
arg_pattern(struct pg_sql *b, struct clq_str s)
{
	bool anywhere = clq_str_find(s, '*', 0) == s.len;
	struct clq_buf p;
	size_t i;

	clq_buf_init(&p, b->arena, s.len * 2 + 2);
	if (anywhere)
		clq_buf_addc(&p, '%');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
			clq_buf_addc(&p, '\\');
		clq_buf_addc(&p, s.p[i] == '*' ? '%' : s.p[i]);
	}
	if (anywhere)
		clq_buf_addc(&p, '%');
	return pg_arg_text(&b->args, clq_buf_str(&p));
}

static void
add_like_text(struct pg_sql *b, const char *text, struct clq_str s)
{
	clq_buf_printf(&b->text, "lower(%s COLLATE %s) COLLATE \"C\" LIKE"
	    " lower($%u::text COLLATE %s) COLLATE \"C\"", text, b->collation,
	    arg_pattern(b, s), b->collation);
}

static void
add_like(struct pg_sql *b, const struct pg_field *f, const cJSON *value)
{
	struct clq_str s = clq_json_str(value);

	if (f->column == PG_MODIFIED) {		/* strings only */
		pg_sql_add(b, "FALSE");
		return;
	}
	if (f->column == PG_ID) {
		add_like_text(b, "id", s);
		return;
	}
	pg_sql_add(b, "CASE jsonb_typeof(");
	pg_sql_field(b, f);
	pg_sql_add(b, ") WHEN 'string' THEN lower((");
	pg_sql_field(b, f);
	clq_buf_printf(&b->text, " #>> '{}') COLLATE %s) COLLATE \"C\" LIKE"
	    " lower($%u::text COLLATE %s) COLLATE \"C\" ELSE FALSE END",
	    b->collation, arg_pattern(b, s), b->collation);
}

/* ---- one filter -------------------------------------------------------- */

static void
add_column_filter(struct pg_sql *b, const struct pg_field *f,
    const struct clq_filter *filter)
{
	switch (filter->op) {
	case CLQ_OP_EQ:
	case CLQ_OP_NOT:
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		pg_sql_compare_column(b, f->column, filter->op,
		    filter->value);
		break;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
		pg_sql_column_member(b, f->column, filter->op == CLQ_OP_IN,
		    filter->value);
		break;
	case CLQ_OP_LIKE:
		add_like(b, f, filter->value);
		break;
	case CLQ_OP_HAS:
		pg_sql_add(b, cJSON_IsTrue(filter->value) ? "TRUE" :
		    "FALSE");
		break;
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
	case CLQ_OP__COUNT:
		pg_sql_add(b, "FALSE");
	}
}

static void
add_document_filter(struct pg_sql *b, const struct pg_field *f,
    const struct clq_filter *filter)
{
	switch (filter->op) {
	case CLQ_OP_EQ:
		pg_sql_compare(b, f, filter->op, filter->value);
		if (filter->value != NULL && f->declared == NULL &&
		    !cJSON_IsArray(filter->value))
			add_too(b, filter);
		break;
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		if (f->declared != NULL && filter->value != NULL) {
			pg_index_range(b, f->declared, filter->op,
			    filter->value);
			break;
		}
		/* fall through */
	case CLQ_OP_NOT:
		pg_sql_compare(b, f, filter->op, filter->value);
		break;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
		add_member(b, f, filter->op == CLQ_OP_IN, filter->value);
		break;
	case CLQ_OP_LIKE:
		add_like(b, f, filter->value);
		break;
	case CLQ_OP_HAS:
		pg_sql_field(b, f);
		pg_sql_add(b, cJSON_IsTrue(filter->value) ? " IS NOT NULL" :
		    " IS NULL");
		break;
	case CLQ_OP_CONTAINS:
		add_contains(b, f, false, filter->value);
		if (cJSON_IsArray(filter->value))
			add_too(b, filter);
		break;
	case CLQ_OP_CONTAINS_ANY:
		add_contains(b, f, true, filter->value);
		break;
	case CLQ_OP__COUNT:
		pg_sql_add(b, "FALSE");
	}
}

void
pg_sql_filter(struct pg_sql *b, const struct clq_coll *coll,
    const struct clq_filter *filter)
{
	struct pg_field f;

	pg_sql_add(b, " AND ");
	if (filter->op == CLQ_OP_LIKE && !cJSON_IsString(filter->value)) {
		pg_sql_add(b, "FALSE");
		return;
	}
	if (is_containment(b, coll, filter)) {
		add_containment(b, filter);
		return;
	}
	f = pg_field_of(b, coll, filter->field);
	if (f.own != NULL && pg_table_filter(b, f.own, filter))
		return;
	if (f.column == PG_DOCUMENT)
		add_document_filter(b, &f, filter);
	else
		add_column_filter(b, &f, filter);
}
