/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The total order of section 04-3 in SQL: comparing and sorting.
 *
 * jsonb has nearly that order of its own: null, strings, numbers, booleans,
 * arrays, objects. What differs is made good here:
 *	strings		compare by the database's collation; here by code point
 *	[]		is below all in jsonb; here the lowest of the arrays
 *	missing		is NULL; here the highest
 * Within arrays and objects jsonb's order stays: strings as in the database's
 * collation, members of objects one by one, shorter names first. Keys of
 * functions or subqueries could do better there, but no index could serve them.
 *
 * The value is known when the SQL is written, so its type chooses the form.
 */
#include "storage/pg_table.h"

#include <cliquet/json.h>

#include <math.h>

const char *const pg_sign[CLQ_OP__COUNT] = {
	[CLQ_OP_EQ] = "=", [CLQ_OP_NOT] = "<>", [CLQ_OP_LT] = "<",
	[CLQ_OP_MAX] = "<=", [CLQ_OP_GT] = ">", [CLQ_OP_MIN] = ">="
};

static bool
downwards(enum clq_op op)
{
	return op == CLQ_OP_LT || op == CLQ_OP_MAX;
}

/* Literal pieces around the field: {before, field, after} ... */
static void
around(struct pg_sql *b, const char *before, const struct pg_field *f,
    const char *after)
{
	pg_sql_add(b, before);
	pg_sql_field(b, f);
	pg_sql_add(b, after);
}

/* ---- sort keys --------------------------------------------------------- */

static const char *
text_of(struct pg_sql *b, const struct pg_field *f)
{
	struct clq_buf whole = b->text;
	const char *text;

	clq_buf_init(&b->text, b->arena, 64);
	pg_sql_field(b, f);
	text = clq_arena_cstr(b->arena, clq_buf_str(&b->text));
	b->text = whole;
	return text;
}

void
pg_sql_sort(struct pg_sql *b, const struct pg_field *f, bool descending)
{
	const char *way = descending ? " DESC" : " ASC", *v;

	if (f->column != PG_DOCUMENT) {
		around(b, "", f, way);
		return;
	}
	if (f->own != NULL && pg_table_sort(b, f->own, descending))
		return;
	if (f->declared != NULL) {
		pg_index_sort(b, f->declared, descending);
		return;
	}
	/* The place of the type, with a string's text in one key with it: each
	 * expression costs for every object, and most compare strings. NULL,
	 * the missing one, is above all, as PostgreSQL has it by itself. */
	v = text_of(b, f);
	clq_buf_printf(&b->text, "CASE jsonb_typeof(%s) WHEN 'string'"
	    " THEN '1' || (%s #>> '{}') WHEN 'number' THEN '2'"
	    " WHEN 'null' THEN '0' WHEN 'boolean' THEN '3'"
	    " WHEN 'array' THEN '4' WHEN 'object' THEN '5' END"
	    " COLLATE \"C\"%s, %s%s", v, v, way, v, way);
}

/* ---- comparing fields -------------------------------------------------- */

static void
compare_missing(struct pg_sql *b, const struct pg_field *f, enum clq_op op)
{
	/* the field is named in any case: its parameters must be used */
	if (op == CLQ_OP_MAX)
		around(b, "(", f, " IS NULL OR TRUE)");
	else if (op == CLQ_OP_GT)
		around(b, "(", f, " IS NULL AND FALSE)");
	else
		around(b, "", f, op == CLQ_OP_LT || op == CLQ_OP_NOT ?
		    " IS NOT NULL" : " IS NULL");
}

/* null, numbers, booleans: jsonb's order but for []. */
static void
compare_plain(struct pg_sql *b, const struct pg_field *f, enum clq_op op,
    unsigned arg)
{
	around(b, "(", f, "");
	clq_buf_printf(&b->text, " %s $%u::jsonb", pg_sign[op], arg);
	if (downwards(op)) {
		around(b, " AND ", f, " <> '[]')");
	} else {
		around(b, " OR ", f, " = '[]'");
		around(b, " OR ", f, " IS NULL)");
	}
}

static void
compare_string(struct pg_sql *b, const struct pg_field *f, enum clq_op op,
    struct clq_str s)
{
	bool down = downwards(op);

	around(b, "CASE jsonb_typeof(", f, ")");
	pg_sql_add(b, down ? " WHEN 'null' THEN TRUE" :
	    " WHEN 'null' THEN FALSE");
	around(b, " WHEN 'string' THEN (", f, " #>> '{}')");
	clq_buf_printf(&b->text, " COLLATE \"C\" %s $%u::text ELSE %s END",
	    pg_sign[op], pg_arg_text(&b->args, s), down ? "FALSE" : "TRUE");
}

/* []: all arrays and objects are above it. */
static void
compare_empty(struct pg_sql *b, const struct pg_field *f, enum clq_op op)
{
	if (downwards(op)) {
		around(b, "(jsonb_typeof(", f,
		    ") IN ('null', 'string', 'number', 'boolean')");
		if (op == CLQ_OP_MAX)
			around(b, " OR ", f, " = '[]'");
	} else {
		around(b, "(", f, " IS NULL");
		around(b, " OR jsonb_typeof(", f, ") IN ('array', 'object')");
		if (op == CLQ_OP_GT)
			around(b, " AND ", f, " <> '[]'");
	}
	pg_sql_add(b, ")");
}

/* Other arrays, and objects: [] is below them in jsonb too. */
static void
compare_nested(struct pg_sql *b, const struct pg_field *f, enum clq_op op,
    unsigned arg)
{
	around(b, "(", f, "");
	clq_buf_printf(&b->text, " %s $%u::jsonb", pg_sign[op], arg);
	if (!downwards(op))
		around(b, " OR ", f, " IS NULL");
	pg_sql_add(b, ")");
}

void
pg_sql_compare(struct pg_sql *b, const struct pg_field *f, enum clq_op op,
    const cJSON *value)
{
	bool equality = op == CLQ_OP_EQ || op == CLQ_OP_NOT;
	unsigned arg;

	if (f->own != NULL && pg_table_compare(b, f->own, op, value))
		return;
	if (f->declared != NULL && op != CLQ_OP_NOT) {
		pg_index_compare(b, f->declared, op, value);
	} else if (value == NULL) {
		compare_missing(b, f, op);
	} else if (!equality && cJSON_IsString(value)) {
		compare_string(b, f, op, clq_json_str(value));
	} else if (!equality && cJSON_IsArray(value) &&
	    value->child == NULL) {
		compare_empty(b, f, op);
	} else {
		arg = pg_arg_json(&b->args, clq_json_text(b->arena, value));
		if (!equality && clq_json_rank(value) >= 4) {
			compare_nested(b, f, op, arg);
		} else if (!equality) {
			compare_plain(b, f, op, arg);
		} else {
			around(b, "", f, "");
			clq_buf_printf(&b->text, op == CLQ_OP_EQ ?
			    " = $%u::jsonb" : " IS DISTINCT FROM $%u::jsonb",
			    arg);
		}
	}
}

/* ---- comparing columns ------------------------------------------------- */

static const char *
column_name(enum pg_column column)
{
	return column == PG_ID ? "id" : "last_modified";
}

/* As clq_json_rank(). */
static int
column_rank(enum pg_column column)
{
	return column == PG_ID ? 1 : 2;
}

static void
verdict(struct pg_sql *b, bool v)
{
	pg_sql_add(b, v ? "TRUE" : "FALSE");
}

/* last_modified against a time. */
static void
add_time(struct pg_sql *b, const char *sign, clq_msec t)
{
	clq_buf_printf(&b->text, b->plan_once ?
	    "last_modified %s (SELECT $%u::timestamp)" :
	    "last_modified %s $%u::timestamp", sign,
	    pg_arg_time(&b->args, t));
}

/* last_modified against a number that is no integer of 64 bits: below all,
 * above all, or between two integers. */
static void
compare_odd(struct pg_sql *b, enum clq_op op, double v)
{
	if (op == CLQ_OP_EQ || op == CLQ_OP_NOT || fabs(v) > 9e15) {
		verdict(b, op == CLQ_OP_NOT || (op != CLQ_OP_EQ &&
		    downwards(op) == (v > 0)));
		return;
	}
	add_time(b, downwards(op) ? "<" : ">=", (clq_msec)ceil(v));
}

void
pg_sql_compare_column(struct pg_sql *b, enum pg_column column,
    enum clq_op op, const cJSON *value)
{
	int order = column_rank(column) - clq_json_rank(value);
	int64_t i;

	if (order != 0) {
		verdict(b, op == CLQ_OP_NOT || (op != CLQ_OP_EQ &&
		    downwards(op) == (order < 0)));
	} else if (column == PG_ID && b->row_id && op == CLQ_OP_EQ) {
		pg_sql_add(b, "(TRUE");
		pg_table_id(b, clq_json_str(value));
		pg_sql_add(b, ")");
	} else if (column == PG_ID) {
		clq_buf_printf(&b->text, "id %s $%u::text", pg_sign[op],
		    pg_arg_text(&b->args, clq_json_str(value)));
	} else if (clq_json_int(value, &i) && i > -PG_MAX_TIME / 50 &&
	    i < PG_MAX_TIME + PG_MAX_TIME / 64) {
		add_time(b, pg_sign[op], i);
	} else {
		compare_odd(b, op, value->valuedouble);
	}
}

static struct clq_str
get_str(const void *ctx, size_t i)
{
	const cJSON *const *items = ctx;

	return clq_json_str(items[i]);
}

/* The items of a list that have the column's type: others match nothing. */
void
pg_sql_column_member(struct pg_sql *b, enum pg_column column, bool in,
    const cJSON *list)
{
	size_t cap = cJSON_IsArray(list) ?
	    (size_t)cJSON_GetArraySize(list) : 0, n = 0;
	const cJSON **items = clq_arena_calloc(b->arena, cap + 1,
	    sizeof(const cJSON *)), *item;
	clq_msec *times = clq_arena_calloc(b->arena, cap + 1, sizeof *times);

	if (!cJSON_IsArray(list)) {
		pg_sql_compare_column(b, column, in ? CLQ_OP_EQ : CLQ_OP_NOT,
		    list);
		return;
	}
	cJSON_ArrayForEach(item, list)
		if (clq_json_rank(item) == column_rank(column) &&
		    (column == PG_ID || clq_json_int(item, &times[n])))
			items[n++] = item;
	clq_buf_printf(&b->text, "%s %s ($%u::%s[])", column_name(column),
	    in ? "= ANY" : "<> ALL", column == PG_ID ?
	    pg_arg_texts(&b->args, get_str, items, n) :
	    pg_arg_times(&b->args, times, n),
	    column == PG_ID ? "text" : "timestamp");
}
