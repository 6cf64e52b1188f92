/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on the columns of a table (pg_table.h) as SQL.
 *
 * What decides whether an index is found is written here, in terms of the
 * columns and their types: comparisons, membership, order. All else is
 * left to pg_filter.c and pg_compare.c, which see a column as the jsonb that
 * it becomes, so that the answer is that of any other resource. NULL is a
 * missing attribute: the highest of all, where PostgreSQL's order has it too.
 */
#include "storage/pg_table.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

#include <math.h>

const struct pg_table_column *
pg_table_column(const struct pg_table *t, struct clq_str name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (clq_str_is(name, t->columns[i].name))
			return &t->columns[i];
	return NULL;
}

/* ---- values ------------------------------------------------------------- */

/* The place of a column's values in the order of types, as clq_json_rank(). */
static int
rank_of_kind(enum pg_kind kind)
{
	switch (kind) {
	case PG_INTEGER:
	case PG_NUMERIC:
		return 2;
	case PG_BOOLEAN:
		return 3;
	default:
		return 1;
	}
}

bool
pg_is_uuid(struct clq_str s)
{
	size_t i;

	if (s.len != 36)
		return false;
	for (i = 0; i < s.len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' :
		    s.p[i] == '\0' || strchr("0123456789abcdef", s.p[i]) ==
		    NULL)
			return false;
	return true;
}

static bool
digits(struct clq_str s, size_t from, size_t n, int *out)
{
	size_t i;

	*out = 0;
	for (i = from; i < from + n; i++) {
		if (i >= s.len || s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (s.p[i] - '0');
	}
	return true;
}

/* Days since 2000-01-01 in the Gregorian calendar, years 1 ... 9999. */
static int64_t
days(int y, int m, int d)
{
	int64_t year = m > 2 ? y : y - 1, month = m > 2 ? m - 3 : m + 9;

	return year * 365 + year / 4 - year / 100 + year / 400 +
	    (month * 153 + 2) / 5 + d - 730426;
}

/* "+02:00" or "Z" as seconds east. */
static bool
zone(struct clq_str s, int *out)
{
	int h, m;

	*out = 0;
	if (s.len == 1 && (s.p[0] == 'Z' || s.p[0] == 'z'))
		return true;
	if (s.len != 6 || (s.p[0] != '+' && s.p[0] != '-') ||
	    !digits(s, 1, 2, &h) || s.p[3] != ':' || !digits(s, 4, 2, &m) ||
	    h > 15 || m > 59)
		return false;
	*out = (h * 3600 + m * 60) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

/* A date and time of RFC 3339, with a zone: microseconds since 2000. Anything
 * else compares as the text that it is. */
static bool
instant(struct clq_str s, int64_t *out)
{
	int y, mo, d, h, mi, se, east, digit;
	int64_t part = 0, unit = 100000;
	size_t i = 19;

	if (!digits(s, 0, 4, &y) || !digits(s, 5, 2, &mo) ||
	    !digits(s, 8, 2, &d) || !digits(s, 11, 2, &h) ||
	    !digits(s, 14, 2, &mi) || !digits(s, 17, 2, &se) ||
	    s.p[4] != '-' || s.p[7] != '-' ||
	    (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' ') ||
	    s.p[13] != ':' || s.p[16] != ':' || y < 1 || mo < 1 || mo > 12 ||
	    d < 1 || d > 31 || h > 23 || mi > 59 || se > 59)
		return false;
	i += i < s.len && s.p[i] == '.';
	for (; i > 19 && digits(s, i, 1, &digit); i++, unit /= 10) {
		if (digit != 0 && unit == 0)
			return false;	/* finer than a column */
		part += digit * unit;
	}
	if (!zone(clq_str_sub(s, i, s.len), &east))
		return false;
	*out = ((days(y, mo, d) * 24 + h) * 60 + mi) * INT64_C(60000000) +
	    (se - east) * INT64_C(1000000) + part;
	return true;
}

/* ---- comparing ---------------------------------------------------------- */

/* An expression of a column, and where conditions on it go. */
struct term {
	struct pg_sql			*b;
	const struct pg_table_column	*c;
	const char			*expr;	/* "c0" or "t.\"name\"" */
};

static bool
upwards(enum clq_op op)
{
	return op == CLQ_OP_GT || op == CLQ_OP_MIN;
}

/* A number that is no integer of 64 bits, against a column of integers. */
static void
compare_odd(const struct term *t, enum clq_op op, double v)
{
	if (op == CLQ_OP_EQ)
		pg_sql_add(t->b, "FALSE");
	else if (fabs(v) >= 9e18)
		clq_buf_printf(&t->b->text, upwards(op) == (v < 0) ?
		    "%s IS NOT NULL" : "(%s IS NULL AND FALSE)", t->expr);
	else
		clq_buf_printf(&t->b->text, "%s %s $%u::bigint", t->expr,
		    upwards(op) ? ">=" : "<", pg_arg_int(&t->b->args,
		    (int64_t)ceil(v)));
}

/* <column> <op> <value> for values of the column's type; false: the value
 * cannot be given as one. */
static bool
compare_same(const struct term *t, enum clq_op op, const cJSON *v)
{
	struct clq_buf *text = &t->b->text;
	struct pg_args *args = &t->b->args;
	struct clq_str s = clq_json_str(v);
	int64_t i;

	switch (t->c->kind) {
	case PG_TEXT:
		clq_buf_printf(text, "%s%s %s $%u::text", t->expr,
		    op == CLQ_OP_EQ ? "" : t->c->bytewise, pg_sign[op],
		    pg_arg_text(args, s));
		return true;
	case PG_INTEGER:
		if (!clq_json_int(v, &i))
			compare_odd(t, op, v->valuedouble);
		else
			clq_buf_printf(text, "%s %s $%u::bigint", t->expr,
			    pg_sign[op], pg_arg_int(args, i));
		return true;
	case PG_NUMERIC:
		clq_buf_printf(text, "%s %s ($%u::text)::numeric", t->expr,
		    pg_sign[op], pg_arg_text(args, clq_json_text(t->b->arena,
		    v)));
		return true;
	case PG_BOOLEAN:
		clq_buf_printf(text, "%s %s %s", t->expr, pg_sign[op],
		    cJSON_IsTrue(v) ? "TRUE" : "FALSE");
		return true;
	case PG_UUID:
		if (!pg_is_uuid(s))
			return false;
		clq_buf_printf(text, "%s %s ($%u::text)::uuid", t->expr,
		    pg_sign[op], pg_arg_text(args, s));
		return true;
	case PG_INSTANT:
		if (!instant(s, &i))
			return false;
		clq_buf_printf(text, "%s %s $%u::timestamptz", t->expr,
		    pg_sign[op], pg_arg_int(args, i));
		return true;
	default:
		return false;
	}
}

/* A value of another type, or none: all of the column's values are on one side
 * of it, and the missing ones above. */
static void
compare_other(const struct term *t, enum clq_op op, const cJSON *v)
{
	bool below = rank_of_kind(t->c->kind) < clq_json_rank(v);
	const char *form = "%s IS NOT NULL OR TRUE";	/* all */

	if (v == NULL && (op == CLQ_OP_EQ || op == CLQ_OP_MIN))
		form = "%s IS NULL";
	else if (op == CLQ_OP_EQ || (v == NULL && op == CLQ_OP_GT))
		form = "%s IS NULL AND FALSE";
	else if (!upwards(op) && !(v == NULL && op == CLQ_OP_MAX))
		form = below ? "%s IS NOT NULL" : "%s IS NULL AND FALSE";
	else if (upwards(op) && below)
		form = "%s IS NULL";
	pg_sql_add(t->b, "(");
	clq_buf_printf(&t->b->text, form, t->expr);
	pg_sql_add(t->b, ")");
}

static bool
compare(const struct term *t, enum clq_op op, const cJSON *v)
{
	struct clq_buf *text = &t->b->text;
	size_t before = clq_buf_str(text).len;
	bool missing = upwards(op) && !t->c->not_null;

	if (t->c->kind == PG_OTHER || t->c->kind == PG_JSON ||
	    t->c->kind == PG_TEXTS || op == CLQ_OP_NOT ||
	    pg_sign[op] == NULL)
		return false;
	if (clq_json_rank(v) != rank_of_kind(t->c->kind)) {
		compare_other(t, op, v);
		return true;
	}
	pg_sql_add(t->b, "(");
	if (!compare_same(t, op, v)) {
		text->len = before;
		return false;
	}
	if (missing)
		clq_buf_printf(text, " OR %s IS NULL", t->expr);
	pg_sql_add(t->b, ")");
	return true;
}

static const char *
outer_name(struct pg_sql *b, const struct pg_table_column *c)
{
	return clq_arena_printf(b->arena, "c%zu", c->n).p;
}

bool
pg_table_compare(struct pg_sql *b, const struct pg_table_column *c,
    enum clq_op op, const cJSON *value)
{
	struct term t = { b, c, outer_name(b, c) };

	return compare(&t, op, value);
}

/* ---- filters ------------------------------------------------------------ */

/* "one = ... OR two = ..."; texts and integers as one array. */
static bool
member(const struct term *t, const cJSON *list)
{
	size_t n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
	struct clq_strs texts = { NULL, 0, 0 };
	int64_t *ints = clq_arena_calloc(t->b->arena, n + 1, sizeof *ints);
	size_t nints = 0;
	const cJSON *item;

	if (!cJSON_IsArray(list) ||
	    (t->c->kind != PG_TEXT && t->c->kind != PG_INTEGER))
		return false;
	cJSON_ArrayForEach(item, list) {
		if (t->c->kind == PG_TEXT && cJSON_IsString(item))
			clq_strs_add(t->b->arena, &texts, clq_json_str(item));
		if (t->c->kind == PG_INTEGER && cJSON_IsNumber(item) &&
		    clq_json_int(item, &ints[nints]))
			nints++;
	}
	if (t->c->kind == PG_TEXT)
		clq_buf_printf(&t->b->text, "%s = ANY ($%u::text[])",
		    t->expr, pg_arg_strs(&t->b->args, texts));
	else
		clq_buf_printf(&t->b->text, "%s = ANY ($%u::bigint[])",
		    t->expr, pg_arg_ints(&t->b->args, ints, nints));
	return true;
}

/* Lists of texts against a list of texts, which a GIN index serves. */
static bool
contains(const struct term *t, enum clq_op op, const cJSON *list)
{
	struct clq_strs texts = { NULL, 0, 0 };
	const cJSON *item;

	if (!cJSON_IsArray(list) || t->c->kind != PG_TEXTS)
		return false;
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item))
			return false;
		clq_strs_add(t->b->arena, &texts, clq_json_str(item));
	}
	clq_buf_printf(&t->b->text, "%s %s $%u::text[]", t->expr,
	    op == CLQ_OP_CONTAINS ? "@>" : "&&",
	    pg_arg_strs(&t->b->args, texts));
	return true;
}

bool
pg_table_filter(struct pg_sql *b, const struct pg_table_column *c,
    const struct clq_filter *f)
{
	struct term t = { b, c, outer_name(b, c) };

	switch (f->op) {
	case CLQ_OP_IN:
		return member(&t, f->value);
	case CLQ_OP_HAS:
		clq_buf_printf(&b->text, cJSON_IsTrue(f->value) ?
		    "%s IS NOT NULL" : "%s IS NULL", t.expr);
		return true;
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
		return contains(&t, f->op, f->value);
	default:
		return compare(&t, f->op, f->value);
	}
}

bool
pg_table_sort(struct pg_sql *b, const struct pg_table_column *c,
    bool descending)
{
	if (c->kind == PG_OTHER || c->kind == PG_JSON || c->kind == PG_TEXTS)
		return false;
	clq_buf_printf(&b->text, "c%zu%s%s", c->n,
	    c->kind == PG_TEXT ? c->bytewise : "",
	    descending ? " DESC" : "");
	return true;
}

bool
pg_table_from_value(struct pg_sql *b, const struct pg_table_column *c,
    const char *expr, const cJSON *value)
{
	struct pg_table_column present = *c;
	struct term t = { b, &present, expr };

	present.not_null = true;
	return compare(&t, CLQ_OP_MIN, value);
}
