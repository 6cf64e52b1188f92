/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries as SQL (section 04): where, order, limit, and where to resume.
 *
 * Values and names of fields are parameters, so that the texts are few and
 * stay prepared; only the limit is written out, because the planner has to
 * know it to choose the index that delivers the order, and what has a declared
 * index (pg_index.c), because the planner recognises it by its text.
 */
#include "storage/pg_table.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

enum { MAX_NAMES = 16 };	/* of a path that is looked up part by part */

void
pg_sql_init(struct pg_sql *b, struct clq_arena *arena,
    struct pg_db *db, const struct clq_coll *coll)
{
	memset(b, 0, sizeof *b);
	b->arena = arena;
	b->collation = db->collation;
	b->db = db;
	b->table = pg_table_of(db, coll->resource);
	clq_buf_init(&b->text, arena, 512);
	pg_args_init(&b->args, arena);
	pg_arg_text(&b->args, coll->resource);
	pg_arg_text(&b->args, coll->parent);
}

void
pg_sql_add(struct pg_sql *b, const char *text)
{
	clq_buf_adds(&b->text, text);
}

/* ---- fields ------------------------------------------------------------ */

static enum pg_column
column_of(struct clq_str field)
{
	if (clq_str_is(field, "id"))
		return PG_ID;
	if (clq_str_is(field, "last_modified"))
		return PG_MODIFIED;
	return PG_DOCUMENT;
}

struct clq_strs
pg_names_of(struct clq_arena *arena, struct clq_str path)
{
	struct clq_strs names = { NULL, 0, 0 };
	size_t from = 0, dot;

	do {
		dot = clq_str_find(path, '.', from);
		clq_strs_add(arena, &names, clq_str_sub(path, from, dot));
		from = dot + 1;
	} while (dot < path.len);
	return names;
}

/* The names i ... j - 1 with the dots between them. */
static struct clq_str
part(const struct clq_strs *names, size_t i, size_t j)
{
	const struct clq_str *last = &names->items[j - 1];
	const char *from = names->items[i].p;

	return (struct clq_str){ from, (size_t)(last->p - from) + last->len };
}

size_t
pg_path_texts(const struct clq_strs *names,
    struct clq_str texts[PG_PATH_TEXTS])
{
	texts[0] = part(names, 0, names->n);
	switch (names->n) {
	case 1:
		return 1;
	case 2:
		texts[1] = names->items[0];
		texts[2] = names->items[1];
		return 3;
	}
	texts[1] = part(names, 0, 2);
	texts[2] = names->items[2];
	texts[3] = names->items[0];
	texts[4] = part(names, 1, 3);
	texts[5] = names->items[1];
	return PG_PATH_TEXTS;
}

/* The longest literal name first, then descend (section 04-3). */
void
pg_sql_path(struct clq_buf *b, size_t n, const char *const *a)
{
	if (n == 1)
		clq_buf_printf(b, "(data->%s)", a[0]);
	else if (n == 2)
		clq_buf_printf(b, "COALESCE(data->%s, data->%s->%s)", a[0],
		    a[1], a[2]);
	else
		clq_buf_printf(b, "COALESCE(data->%s, CASE WHEN data ? %s"
		    " THEN data->%s->%s ELSE COALESCE(data->%s->%s,"
		    " data->%s->%s->%s) END)", a[0], a[1], a[1], a[2], a[3],
		    a[4], a[3], a[5], a[2]);
}

struct pg_field
pg_field_of(struct pg_sql *b, const struct clq_coll *coll,
    struct clq_str path)
{
	struct pg_field f = { .column = column_of(path), .n = 1 };
	struct clq_str texts[PG_PATH_TEXTS] = { path };
	struct clq_strs names;
	size_t i, n = 1;

	if (f.column == PG_DOCUMENT && b->table != NULL)
		f.own = pg_table_column(b->table, path);
	if (f.column != PG_DOCUMENT || f.own != NULL ||
	    (f.declared = pg_index_find(b->db, coll, path)) != NULL)
		return f;
	names = pg_names_of(b->arena, path);
	if (names.n > PG_MAX_PATH && names.n <= MAX_NAMES) {
		f.n = 0;
		f.texts[0] = clq_arena_printf(b->arena, "$%u::text[]",
		    pg_arg_strs(&b->args, names)).p;
		return f;
	}
	/* too many to be worth it: the literal name only */
	if (names.n <= PG_MAX_PATH) {
		f.n = names.n;
		n = pg_path_texts(&names, texts);
	}
	for (i = 0; i < n; i++)
		f.texts[i] = clq_arena_printf(b->arena, "$%u::text",
		    pg_arg_text(&b->args, texts[i])).p;
	return f;
}

void
pg_sql_field(struct pg_sql *b, const struct pg_field *f)
{
	const char *a = f->texts[0];

	if (f->column != PG_DOCUMENT)
		pg_sql_add(b, f->column == PG_ID ? "id" : "last_modified");
	else if (f->alias != NULL)
		pg_sql_add(b, f->alias);
	else if (f->own != NULL)
		clq_buf_printf(&b->text, f->own->kind == PG_JSON ? "c%zu" :
		    "to_jsonb(c%zu)", f->own->n);
	else if (f->declared != NULL)
		pg_sql_add(b, f->declared->value);
	else if (f->n > 0)
		pg_sql_path(&b->text, f->n, f->texts);
	else
		clq_buf_printf(&b->text, "(WITH RECURSIVE p(v, i) AS ("
		    "SELECT data, 0 UNION ALL SELECT p.v->k.name, k.j"
		    " FROM p CROSS JOIN LATERAL (SELECT j, array_to_string("
		    "(%s)[p.i + 1:j], '.') AS name"
		    " FROM generate_series(cardinality(%s),"
		    " p.i + 1, -1) AS j WHERE jsonb_typeof(p.v) = 'object'"
		    " AND p.v ? array_to_string((%s)[p.i + 1:j],"
		    " '.') ORDER BY j DESC LIMIT 1) AS k)"
		    " SELECT v FROM p WHERE i = cardinality(%s))",
		    a, a, a, a);
}

/* ---- where ------------------------------------------------------------- */

void
pg_sql_where(struct pg_sql *b, const struct clq_query *q, bool deleted)
{
	const struct pg_declared *d = pg_index_any(b->db, q);
	size_t i;

	if (b->table != NULL)
		pg_table_from(b, q, deleted);
	else if (d != NULL)
		clq_buf_printf(&b->text, " FROM objects WHERE %s"
		    " AND $1::text IS NOT NULL AND $2::text IS NOT NULL",
		    d->where);
	else if (pg_any_parent(&q->coll))
		pg_sql_add(b, " FROM objects WHERE resource_name = $1"
		    " AND $2::text IS NOT NULL");
	else
		pg_sql_add(b, b->plan_once ? " FROM objects"
		    " WHERE resource_name = (SELECT $1::text)"
		    " AND parent_id = (SELECT $2::text)" :
		    " FROM objects WHERE resource_name = $1"
		    " AND parent_id = $2");
	if (!deleted && b->table == NULL)
		pg_sql_add(b, " AND NOT deleted");
	if (q->only_ids != NULL && q->only_ids->n == 0)
		pg_sql_add(b, " AND FALSE");
	else if (q->only_ids != NULL && b->row_id)
		pg_table_ids(b, q->only_ids);
	else if (q->only_ids != NULL)
		clq_buf_printf(&b->text, " AND id = ANY ($%u::text[])",
		    pg_arg_strs(&b->args, *q->only_ids));
	for (i = 0; i < q->nfilters; i++)
		pg_sql_filter(b, &q->coll, &q->filters[i]);
}

/* ---- order ------------------------------------------------------------- */

/* The sorts that count: those after a field that is unique in a list do not. */
static size_t
fields_of(struct pg_sql *b, const struct clq_query *q, struct pg_field *f)
{
	size_t i;

	for (i = 0; i < q->nsorts; i++) {
		f[i] = pg_field_of(b, &q->coll, q->sorts[i].field);
		if (f[i].column != PG_DOCUMENT && !pg_any_parent(&q->coll))
			return i + 1;
	}
	return i;
}

static void
add_after_one(struct pg_sql *b, const struct pg_field *f, enum clq_op op,
    const cJSON *value)
{
	if (f->column == PG_DOCUMENT)
		pg_sql_compare(b, f, op, value);
	else
		pg_sql_compare_column(b, f->column, op, value);
}

/*
 * (a after v) OR (a = v AND (b after w)) OR ...: with two columns the first is
 * not looked at twice if it decides. Where an index delivers the order, a
 * simple condition before it says where to enter the index.
 */
static void
add_after(struct pg_sql *b, const struct clq_query *q,
    const struct pg_field *f, size_t n)
{
	size_t i, j;

	if (f[0].declared != NULL || (f[0].own != NULL &&
	    (f[0].own->not_null || q->sorts[0].descending))) {
		pg_sql_add(b, " AND ");
		add_after_one(b, &f[0], q->sorts[0].descending ?
		    CLQ_OP_MAX : CLQ_OP_MIN, q->after[0]);
	}
	pg_sql_add(b, " AND (");
	for (i = 0; i < n; i++) {
		pg_sql_add(b, i > 0 ? " OR " : "");
		for (j = 0; j < i; j++) {
			add_after_one(b, &f[j], CLQ_OP_EQ, q->after[j]);
			pg_sql_add(b, " AND ");
		}
		add_after_one(b, &f[i], q->sorts[i].descending ? CLQ_OP_LT :
		    CLQ_OP_GT, q->after[i]);
	}
	pg_sql_add(b, ")");
}

static void
add_order(struct pg_sql *b, const struct clq_query *q,
    const struct pg_field *f, size_t n)
{
	size_t i;

	pg_sql_add(b, " ORDER BY ");
	for (i = 0; i < n; i++) {
		pg_sql_add(b, i > 0 ? ", " : "");
		pg_sql_sort(b, &f[i], q->sorts[i].descending);
	}
	if (n == 0)
		pg_sql_add(b, "last_modified DESC");
	if (q->limit > 0)
		clq_buf_printf(&b->text, " LIMIT %zu", q->limit);
}

static struct pg_field *
new_fields(struct pg_sql *b, const struct clq_query *q, size_t *n)
{
	struct pg_field *f = clq_arena_calloc(b->arena, q->nsorts + 1,
	    sizeof *f);

	*n = fields_of(b, q, f);
	return f;
}

void
pg_sql_page(struct pg_sql *b, const struct clq_query *q)
{
	size_t n;
	struct pg_field *f = new_fields(b, q, &n);

	if (q->after != NULL && n > 0)
		add_after(b, q, f, n);
	add_order(b, q, f, n);
}

void
pg_sql_order(struct pg_sql *b, const struct clq_query *q)
{
	size_t n;
	struct pg_field *f = new_fields(b, q, &n);

	add_order(b, q, f, n);
}

/* ---- a page ------------------------------------------------------------ */

/* Documents of so many objects are found again by their place. */
enum { MAX_PLACES = 1000 };

/*
 * Sorted by a field that no index delivers: all objects that pass are looked
 * at. So the field is taken out of each document once and has a name from then
 * on (OFFSET keeps the planner from writing it out again), and only what is
 * sorted by goes through the sort, not the documents.
 */
static void
add_scan(struct pg_sql *b, const struct clq_query *q, struct pg_field *f,
    size_t n)
{
	const char *parent = pg_any_parent(&q->coll) ? ", parent_id" : "";
	bool place = q->limit > 0 && q->limit <= MAX_PLACES;
	size_t i;

	clq_buf_printf(&b->text, "SELECT id, last_modified, deleted, %s%s"
	    " FROM (SELECT id, last_modified, deleted, %s%s", place ?
	    "(SELECT o.data FROM objects AS o WHERE o.ctid = place)" : "data",
	    parent, place ? "ctid AS place" : "data", parent);
	for (i = 0; i < n; i++) {
		if (f[i].column != PG_DOCUMENT)
			continue;
		pg_sql_add(b, ", ");
		pg_sql_field(b, &f[i]);
		f[i].declared = NULL;
		f[i].alias = clq_arena_printf(b->arena, "v%zu", i).p;
		clq_buf_printf(&b->text, " AS %s", f[i].alias);
	}
	pg_sql_where(b, q, q->include_deleted);
	pg_sql_add(b, " OFFSET 0) AS s WHERE TRUE");
	if (q->after != NULL)
		add_after(b, q, f, n);
	add_order(b, q, f, n);
}

/*
 * True if the list's own order decides all: there is one plan. One for this
 * very list or time may look better to the planner, for a list longer than
 * others always, so that it would make it each time, which costs as much as
 * half a page. So it is not shown them.
 */
static bool
is_walk(const struct clq_query *q)
{
	size_t i;

	for (i = 0; i < q->nfilters; i++)
		if (column_of(q->filters[i].field) != PG_MODIFIED)
			return false;
	return q->only_ids == NULL && (q->nsorts == 0 ||
	    column_of(q->sorts[0].field) == PG_MODIFIED);
}

void
pg_sql_objects(struct pg_sql *b, const struct clq_query *q)
{
	size_t n;
	struct pg_field *f = new_fields(b, q, &n);

	if (n > 0 && f[0].column == PG_DOCUMENT && f[0].declared == NULL) {
		add_scan(b, q, f, n);
		return;
	}
	b->plan_once = is_walk(q);
	pg_sql_add(b, "SELECT id, last_modified, deleted, data");
	pg_sql_add(b, pg_any_parent(&q->coll) ? ", parent_id" : "");
	pg_sql_where(b, q, q->include_deleted);
	if (q->after != NULL && n > 0)
		add_after(b, q, f, n);
	add_order(b, q, f, n);
}
