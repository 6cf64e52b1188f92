/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries as SQL (section 04).
 *
 * `id` and `last_modified` become conditions on their columns, which indexes
 * serve; what concerns documents becomes one call of clq_match() and one of
 * clq_sortkey(). Texts and values are bound, fields too, so the statements
 * are few and stay prepared.
 *
 * The index is named where the planner, which has no statistics, could choose
 * one that passes through the whole list. Declared ones are chosen, and their
 * conditions written, in sqlite_index.c.
 */
#include "storage/sqlite.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

/* ---- parameters ------------------------------------------------------- */

static struct sq_param *
add_param(struct sq_sql *b, enum sq_param_type type)
{
	struct sq_param *p;

	b->params = clq_arena_grow(b->arena, b->params,
	    b->n * sizeof *p, (b->n + 1) * sizeof *p);
	p = &b->params[b->n++];
	memset(p, 0, sizeof *p);
	p->type = type;
	return p;
}

static void
add_text(struct sq_sql *b, const char *sql, struct clq_str s)
{
	clq_buf_adds(&b->text, sql);
	add_param(b, SQ_TEXT)->s = s;
}

static void
add_pointer(struct sq_sql *b, const char *sql, void *p, const char *tag)
{
	struct sq_param *param;

	clq_buf_adds(&b->text, sql);
	param = add_param(b, SQ_POINTER);
	param->p = p;
	param->tag = tag;
}

void
sq_sql_add(struct sq_sql *b, const char *text)
{
	clq_buf_adds(&b->text, text);
}

void
sq_sql_add_int(struct sq_sql *b, const char *text, int64_t v)
{
	clq_buf_adds(&b->text, text);
	add_param(b, SQ_INT)->i = v;
}

void
sq_sql_add_blob(struct sq_sql *b, struct clq_str v)
{
	clq_buf_addc(&b->text, '?');
	add_param(b, SQ_BLOB)->s = v;
}

/* ---- conditions on columns -------------------------------------------- */

const char *const sq_sign[CLQ_OP__COUNT] = {
	[CLQ_OP_EQ] = "=", [CLQ_OP_NOT] = "<>", [CLQ_OP_LT] = "<",
	[CLQ_OP_MAX] = "<=", [CLQ_OP_GT] = ">", [CLQ_OP_MIN] = ">="
};

static const char *
column_name(enum sq_column column)
{
	return column == SQ_ID ? "id" : "last_modified";
}

/* As clq_json_rank(): the columns hold strings and numbers. */
static int
column_rank(enum sq_column column)
{
	return column == SQ_ID ? 1 : 2;
}

static void
add_number(struct sq_sql *b, const cJSON *v)
{
	int64_t i;

	if (clq_json_int(v, &i))
		add_param(b, SQ_INT)->i = i;
	else
		add_param(b, SQ_REAL)->d = v->valuedouble;
}

void
sq_sql_add_number(struct sq_sql *b, const cJSON *v)
{
	clq_buf_addc(&b->text, '?');
	add_number(b, v);
}

/* A condition decided without a look at any row. It is not for SQL: a
 * constant in WHERE makes INDEXED BY fail. */
static void
add_verdict(struct sq_sql *b, bool verdict)
{
	b->nothing = b->nothing || !verdict;
}

/* column <op> value; a value of another type is above or below all. */
static void
add_comparison(struct sq_sql *b, enum sq_column column, enum clq_op op,
    const cJSON *v)
{
	int order = column_rank(column) - clq_json_rank(v);

	if (order != 0) {
		add_verdict(b, op == CLQ_OP_NOT ||
		    (order < 0 && (op == CLQ_OP_LT || op == CLQ_OP_MAX)) ||
		    (order > 0 && (op == CLQ_OP_GT || op == CLQ_OP_MIN)));
		return;
	}
	clq_buf_printf(&b->text, " AND %s %s ?", column_name(column),
	    sq_sign[op]);
	if (column == SQ_ID)
		add_param(b, SQ_TEXT)->s = clq_json_str(v);
	else
		add_number(b, v);
}

/* The items of a list that have the column's type, as a JSON text. */
static struct clq_str
fitting_items(struct sq_sql *b, enum sq_column column, const cJSON *list,
    size_t *n)
{
	struct clq_buf json;
	const cJSON *item;

	clq_buf_init(&json, b->arena, 64);
	*n = 0;
	cJSON_ArrayForEach(item, list) {
		if (clq_json_rank(item) != column_rank(column))
			continue;
		clq_buf_addc(&json, (*n)++ == 0 ? '[' : ',');
		clq_json_print(&json, item);
	}
	clq_buf_addc(&json, ']');
	return clq_buf_str(&json);
}

static void
add_membership(struct sq_sql *b, enum sq_column column, bool in,
    const cJSON *list)
{
	struct clq_str json;
	size_t n;

	if (!cJSON_IsArray(list)) {
		add_comparison(b, column, in ? CLQ_OP_EQ : CLQ_OP_NOT, list);
		return;
	}
	json = fitting_items(b, column, list, &n);
	if (n == 0) {
		add_verdict(b, !in);
		return;
	}
	clq_buf_printf(&b->text, " AND %s %s ", column_name(column),
	    in ? "IN" : "NOT IN");
	add_text(b, "(SELECT value FROM json_each(?))", json);
}

static void
add_like(struct sq_sql *b, const struct clq_filter *filter)
{
	struct sq_filters *f = clq_arena_alloc(b->arena, sizeof *f);

	sq_filters_add(b->arena, f, filter);
	add_pointer(b, " AND clq_like(id, ?)", f, SQ_FILTERS);
}

static void
add_column_filter(struct sq_sql *b, enum sq_column column,
    const struct clq_filter *f)
{
	switch (f->op) {
	case CLQ_OP_EQ:
	case CLQ_OP_NOT:
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		add_comparison(b, column, f->op, f->value);
		break;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
		add_membership(b, column, f->op == CLQ_OP_IN, f->value);
		break;
	case CLQ_OP_LIKE:
		if (column == SQ_ID)
			add_like(b, f);
		else
			add_verdict(b, false);	/* strings only */
		break;
	case CLQ_OP_HAS:
		add_verdict(b, cJSON_IsTrue(f->value));
		break;
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
	case CLQ_OP__COUNT:
		add_verdict(b, false);
	}
}

/* ---- the statement ---------------------------------------------------- */

/* True if q names the objects that it can be about. */
static bool
names_ids(const struct clq_query *q)
{
	size_t i;

	if (q->only_ids != NULL)
		return true;
	for (i = 0; i < q->nfilters; i++)
		if (sq_column_of(q->filters[i].field) == SQ_ID &&
		    (q->filters[i].op == CLQ_OP_EQ ||
		    q->filters[i].op == CLQ_OP_IN))
			return true;
	return false;
}

static const char *
choose_index(struct sq_sql *b, const struct sq_db *db,
    const struct clq_query *q, bool deleted)
{
	if (!names_ids(q) && !deleted && db != NULL)
		sq_index_choose(b, db, q);
	if (b->index != NULL)
		return b->index->name;
	if (names_ids(q) ||
	    (b->sorts->n > 0 && b->sorts->items[0].column == SQ_ID))
		return "objects_id";
	return deleted ? "objects_modified" : "objects_live";
}

static void
add_only_ids(struct sq_sql *b, const struct clq_strs *ids)
{
	struct clq_buf json;
	size_t i;

	if (ids->n == 0) {
		add_verdict(b, false);
		return;
	}
	clq_buf_init(&json, b->arena, ids->n * 40 + 2);
	for (i = 0; i < ids->n; i++) {
		clq_buf_addc(&json, i == 0 ? '[' : ',');
		clq_buf_json_str(&json, ids->items[i]);
	}
	clq_buf_addc(&json, ']');
	add_text(b, " AND id IN (SELECT value FROM json_each(?))",
	    clq_buf_str(&json));
}

static void
add_filters(struct sq_sql *b, const struct clq_query *q)
{
	struct sq_filters *f = clq_arena_alloc(b->arena, sizeof *f);
	enum sq_column column;
	size_t i;

	for (i = 0; i < q->nfilters; i++) {
		column = sq_column_of(q->filters[i].field);
		if (sq_index_serves(b, &q->filters[i]))
			sq_index_filter(b, &q->filters[i]);
		else if (column == SQ_DOCUMENT)
			sq_filters_add(b->arena, f, &q->filters[i]);
		else
			add_column_filter(b, column, &q->filters[i]);
	}
	if (f->n > 0)
		add_pointer(b, " AND clq_match(data, deleted, ?)", f,
		    SQ_FILTERS);
}

void
sq_sql_query(struct sq_sql *b, struct clq_arena *arena, const char *head,
    const struct clq_query *q, bool deleted)
{
	sq_sql_query_by(b, NULL, arena, head, q, deleted);
}

void
sq_sql_query_by(struct sq_sql *b, const struct sq_db *db,
    struct clq_arena *arena, const char *head, const struct clq_query *q,
    bool deleted)
{
	memset(b, 0, sizeof *b);
	b->arena = arena;
	b->sorts = sq_sorts_new(arena, q);
	clq_buf_init(&b->text, arena, 256);
	clq_buf_printf(&b->text, "%s FROM objects INDEXED BY %s", head,
	    choose_index(b, db, q, deleted));
	if (b->index != NULL)
		clq_buf_printf(&b->text, " WHERE %s", b->index->where);
	else
		add_text(b, " WHERE resource = ?", q->coll.resource);
	if (b->index == NULL && !sq_any_parent(&q->coll))
		add_text(b, " AND parent = ?", q->coll.parent);
	if (!deleted)
		clq_buf_adds(&b->text, " AND deleted = 0");
	if (q->only_ids != NULL)
		add_only_ids(b, q->only_ids);
	add_filters(b, q);
}

#define SORTKEY	"clq_sortkey(data, deleted, id, last_modified, ?)"

/* True if the first sort is on a column, which decides alone. */
static bool
sorts_by_column(const struct sq_sql *b)
{
	return b->sorts->n == 1 && b->sorts->items[0].column != SQ_DOCUMENT;
}

/* The parameter is only read: sqlite3_bind_pointer() has no const. */
static void *
unconst(const void *p)
{
	return (void *)(uintptr_t)p;
}

void
sq_sql_after(struct sq_sql *b, const struct clq_query *q)
{
	const struct sq_sort *first = b->sorts->items;

	if (q->after == NULL || b->sorts->n == 0)
		return;
	if (b->in_order) {
		sq_index_after(b, q);
		return;
	}
	if (sorts_by_column(b)) {
		add_comparison(b, first->column, first->descending ?
		    CLQ_OP_LT : CLQ_OP_GT, q->after[0]);
		return;
	}
	add_pointer(b, " AND " SORTKEY " > ", unconst(b->sorts), SQ_SORTS);
	clq_buf_adds(&b->text, "?");
	add_param(b, SQ_BLOB)->s = sq_sorts_after(b->arena, b->sorts,
	    q->after);
}

void
sq_sql_order(struct sq_sql *b)
{
	const struct sq_sort *first = b->sorts->items;

	if (b->in_order)
		sq_index_order(b);
	else if (b->sorts->n == 0)
		clq_buf_adds(&b->text, " ORDER BY last_modified DESC");
	else if (sorts_by_column(b))
		clq_buf_printf(&b->text, " ORDER BY %s %s",
		    column_name(first->column),
		    first->descending ? "DESC" : "ASC");
	else
		add_pointer(b, " ORDER BY " SORTKEY, unconst(b->sorts),
		    SQ_SORTS);
}

/* ---- binding ---------------------------------------------------------- */

static int
bind(sqlite3_stmt *stmt, int i, const struct sq_param *p)
{
	const char *text = p->s.p != NULL ? p->s.p : "";

	switch (p->type) {
	case SQ_INT:
		return sqlite3_bind_int64(stmt, i, p->i);
	case SQ_REAL:
		return sqlite3_bind_double(stmt, i, p->d);
	case SQ_TEXT:
		return sqlite3_bind_text64(stmt, i, text, p->s.len,
		    SQLITE_STATIC, SQLITE_UTF8);
	case SQ_BLOB:
		return sqlite3_bind_blob64(stmt, i, text, p->s.len,
		    SQLITE_STATIC);
	case SQ_POINTER:
		return sqlite3_bind_pointer(stmt, i, p->p, p->tag, NULL);
	}
	return SQLITE_MISUSE;
}

sqlite3_stmt *
sq_sql_prepare(struct sq_db *q, struct sq_sql *b)
{
	const char *sql = clq_arena_cstr(b->arena, clq_buf_str(&b->text));
	sqlite3_stmt *stmt = sq_prepare(q, sql, false);
	size_t i;
	int rc;

	for (i = 0; stmt != NULL && i < b->n; i++) {
		rc = bind(stmt, (int)i + 1, &b->params[i]);
		if (rc != SQLITE_OK) {
			sq_error(q, rc, "bind");
			sq_done(stmt);
			return NULL;
		}
	}
	return stmt;
}
