/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries by declared indexes: what the index of a field holds, and conditions
 * and orders in its terms.
 *
 * Its columns are the three keys of the order of section 04-3 and then
 * last_modified, newest first. None of the keys is NULL for a reason: equality
 * of all three then fixes them, and the planner sees that the index delivers
 * the default order too.
 *
 * The planner recognises an expression by its text, so lists and fields are
 * literals here, quoted; only declared ones, which an operator has chosen, get
 * this far, so the texts stay few. Values are parameters as ever.
 */
#include "storage/pg.h"

#include <cliquet/crypto.h>
#include <cliquet/json.h>
#include <cliquet/str.h>

enum { MISSING = 6 };		/* the highest place */

/* ---- texts ------------------------------------------------------------- */

/* A literal that means the same whatever standard_conforming_strings is. */
static void
add_literal(struct clq_buf *b, struct clq_str s)
{
	size_t i;

	if (clq_str_find(s, '\\', 0) < s.len)
		clq_buf_adds(b, " E");
	clq_buf_addc(b, '\'');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\'' || s.p[i] == '\\')
			clq_buf_addc(b, s.p[i]);
		clq_buf_addc(b, s.p[i]);
	}
	clq_buf_adds(b, "'::text");
}

static const char *
value_of(struct clq_arena *arena, struct clq_str field)
{
	struct clq_strs names = pg_names_of(arena, field);
	struct clq_str texts[PG_PATH_TEXTS];
	const char *literals[PG_PATH_TEXTS];
	size_t n = pg_path_texts(&names, texts), i;
	struct clq_buf b;

	for (i = 0; i < n; i++) {
		clq_buf_init(&b, arena, 32);
		add_literal(&b, texts[i]);
		literals[i] = clq_arena_cstr(arena, clq_buf_str(&b));
	}
	clq_buf_init(&b, arena, 64);
	pg_sql_path(&b, names.n, literals);
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

static const char *
name_of(struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str field)
{
	struct clq_str text = clq_arena_printf(arena, "%.*s\n%.*s\n%.*s",
	    CLQ_FMT(coll->resource), CLQ_FMT(coll->parent), CLQ_FMT(field));

	return clq_arena_printf(arena, "idx_cliquet_field_%.16s",
	    clq_sha256_hex(arena, text).p).p;
}

void
pg_index_describe(struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str field, struct pg_declared *d)
{
	struct clq_buf b;
	const char *v = value_of(arena, field);

	d->coll = *coll;
	d->field = field;
	d->name = name_of(arena, coll, field);
	d->value = v;
	d->rank = clq_arena_printf(arena, "(CASE jsonb_typeof(%s)"
	    " WHEN 'string' THEN 1 WHEN 'number' THEN 2 WHEN 'null' THEN 0"
	    " WHEN 'boolean' THEN 3 WHEN 'array' THEN 4"
	    " WHEN 'object' THEN 5 ELSE %d END)", v, (int)MISSING).p;
	d->text = clq_arena_printf(arena, "(COALESCE(CASE jsonb_typeof(%s)"
	    " WHEN 'string' THEN %s #>> '{}' END, '') COLLATE \"C\")",
	    v, v).p;
	d->json = clq_arena_printf(arena, "(CASE jsonb_typeof(%s)"
	    " WHEN 'string' THEN 'null'::jsonb ELSE %s END)", v, v).p;
	clq_buf_init(&b, arena, 128);
	clq_buf_adds(&b, "resource_name = ");
	add_literal(&b, coll->resource);
	clq_buf_adds(&b, " AND parent_id = ");
	add_literal(&b, coll->parent);
	d->where = clq_arena_cstr(arena, clq_buf_str(&b));
}

/* ---- finding ----------------------------------------------------------- */

const struct pg_declared *
pg_index_find(const struct pg_db *db, const struct clq_coll *coll,
    struct clq_str field)
{
	const struct pg_declared *d;

	for (d = db->declared; d < db->declared + db->ndeclared; d++)
		if (clq_str_eq(d->field, field) && clq_coll_eq(&d->coll, coll))
			return d;
	return NULL;
}

const struct pg_declared *
pg_index_any(const struct pg_db *db, const struct clq_query *q)
{
	const struct pg_declared *d = NULL;
	size_t i;

	for (i = 0; d == NULL && i < q->nfilters; i++)
		d = pg_index_find(db, &q->coll, q->filters[i].field);
	for (i = 0; d == NULL && i < q->nsorts; i++)
		d = pg_index_find(db, &q->coll, q->sorts[i].field);
	return d;
}

bool
pg_index_foreign(const struct pg_db *db, struct clq_str resource)
{
	return clq_strs_has(db->expressions, resource) ||
	    clq_strs_has(db->expressions, CLQ_STR(""));
}

/* ---- comparing --------------------------------------------------------- */

/* Text and JSON that a value has in the index. */
static void
add_keys(struct pg_sql *b, const cJSON *value, const char **text,
    const char **json)
{
	*text = "''";
	*json = "'null'::jsonb";
	if (cJSON_IsString(value))
		*text = clq_arena_printf(b->arena, "$%u::text",
		    pg_arg_text(&b->args, clq_json_str(value))).p;
	else
		*json = clq_arena_printf(b->arena, "$%u::jsonb",
		    pg_arg_json(&b->args, clq_json_text(b->arena,
		    value))).p;
}

/* Above or below a value: by its type, or by itself among its type. */
static void
add_exact(struct pg_sql *b, const struct pg_declared *d, enum clq_op op,
    const cJSON *value, const char *text, const char *json)
{
	bool down = op == CLQ_OP_LT || op == CLQ_OP_MAX;
	bool string = cJSON_IsString(value);
	int rank = clq_json_rank(value);

	clq_buf_printf(&b->text, "(%s %s %d OR (%s = %d AND %s %s %s",
	    d->rank, down ? "<" : ">", rank, d->rank, rank, d->text,
	    string ? pg_sign[op] : "=", text);
	clq_buf_printf(&b->text, " AND %s %s %s))", d->json,
	    string ? "=" : pg_sign[op], json);
}

/*
 * Comparing rows is how an index on several columns is entered, but tells the
 * planner nothing, as it looks at the first column only; hence the two forms.
 */
void
pg_index_compare(struct pg_sql *b, const struct pg_declared *d,
    enum clq_op op, const cJSON *value)
{
	const char *text, *json;
	int rank = clq_json_rank(value);

	if (value == NULL) {
		clq_buf_printf(&b->text, "%s %s %d", d->rank, pg_sign[op],
		    (int)MISSING);
		return;
	}
	add_keys(b, value, &text, &json);
	if (op == CLQ_OP_EQ)
		clq_buf_printf(&b->text, "(%s = %d AND %s = %s AND %s = %s)",
		    d->rank, rank, d->text, text, d->json, json);
	else if (op == CLQ_OP_LT || op == CLQ_OP_GT)
		add_exact(b, d, op, value, text, json);
	else
		clq_buf_printf(&b->text, "(%s, %s, %s) %s (%d, %s, %s)",
		    d->rank, d->text, d->json, pg_sign[op], rank, text, json);
}

/*
 * A range twice: where an ordered walk enters or leaves the index, and exactly.
 * Whether the index pays depends on how many objects pass, which statistics
 * tell for known values only, so the statement is planned for these.
 */
void
pg_index_range(struct pg_sql *b, const struct pg_declared *d, enum clq_op op,
    const cJSON *value)
{
	bool down = op == CLQ_OP_LT || op == CLQ_OP_MAX;
	const char *text, *json;

	b->plan_anew = true;
	add_keys(b, value, &text, &json);
	clq_buf_printf(&b->text, "((%s, %s, %s) %s (%d, %s, %s) AND ",
	    d->rank, d->text, d->json, down ? "<=" : ">=",
	    clq_json_rank(value), text, json);
	add_exact(b, d, op, value, text, json);
	pg_sql_add(b, ")");
}

static struct clq_str
get_item(const void *ctx, size_t i)
{
	const struct clq_strs *items = ctx;

	return items->items[i];
}

/* The items that are strings, and the others. */
void
pg_index_member(struct pg_sql *b, const struct pg_declared *d,
    const cJSON *value)
{
	struct clq_strs strings = { NULL, 0, 0 }, others = { NULL, 0, 0 };
	bool list = cJSON_IsArray(value);
	const cJSON *item = list ? value->child : value;

	for (; item != NULL; item = list ? item->next : NULL)
		if (cJSON_IsString(item))
			clq_strs_add(b->arena, &strings, clq_json_str(item));
		else
			clq_strs_add(b->arena, &others,
			    clq_json_text(b->arena, item));
	pg_sql_add(b, "(");
	if (strings.n > 0 || others.n == 0)
		clq_buf_printf(&b->text, "(%s = 1 AND %s = ANY ($%u::text[])"
		    " AND %s = 'null'::jsonb)", d->rank, d->text,
		    pg_arg_strs(&b->args, strings), d->json);
	if (strings.n > 0 && others.n > 0)
		pg_sql_add(b, " OR ");
	if (others.n > 0)	/* null is not to be taken for a string */
		clq_buf_printf(&b->text, "(%s = ANY ('{0,2,3,4,5}')"
		    " AND %s = '' AND %s = ANY ($%u::jsonb[]))", d->rank,
		    d->text, d->json, pg_arg_jsons(&b->args, get_item,
		    &others, others.n));
	pg_sql_add(b, ")");
}

void
pg_index_sort(struct pg_sql *b, const struct pg_declared *d, bool descending)
{
	const char *way = descending ? "DESC" : "ASC";

	clq_buf_printf(&b->text, "%s %s, %s %s, %s %s", d->rank, way,
	    d->text, way, d->json, way);
}
