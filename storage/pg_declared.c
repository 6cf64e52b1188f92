/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared indexes in the database: made, removed, listed, learnt.
 *
 * The comment on an index says as JSON what it is for, so that dumps keep it
 * and Kinto is not disturbed; an index without is one whose making was
 * interrupted. They are built with CONCURRENTLY, beside all reading and
 * writing, and used as soon as they are valid: workers look when they connect
 * and then twice a minute. An index that has gone meanwhile does no harm, as
 * statements do not name it.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <stdlib.h>

enum { LEARN_MSEC = 30000, STATISTICS_SERVER = 140000 };

/* An index takes as long as it takes. */
#define PATIENCE	((clq_msec)24 * 3600 * 1000)

#define FROM_INDEXES							\
	" FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"\
	" JOIN pg_description AS d ON d.objoid = c.oid"			\
	" AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0"	\
	" WHERE i.indrelid = to_regclass('objects')"			\
	" AND c.relname LIKE 'idx\\_cliquet\\_field\\_%'"

/* And those of others on expressions, with the one resource they are about. */
static const struct pg_stmt declared = { PG_DECLARED,
	"SELECT d.description, NULL AS resource" FROM_INDEXES
	" AND i.indisvalid UNION ALL SELECT NULL, COALESCE(substring("
	"pg_get_expr(i.indpred, i.indrelid) FROM"
	" '^[(]resource_name = ''([^'']*)''::text[)]$'), '')"
	" FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid"
	" WHERE i.indrelid = to_regclass('objects')"
	" AND i.indexprs IS NOT NULL"
	" AND c.relname NOT LIKE 'idx\\_cliquet\\_field\\_%'" };

/* ---- learning ---------------------------------------------------------- */

/* What a comment says; false if it is not one of ours. */
static bool
parse(struct clq_arena *arena, const PGresult *res, int row,
    struct clq_coll *coll, struct clq_str *field)
{
	struct clq_str text = pg_get_text(arena, res, row, 0), why;
	cJSON *tree = NULL;

	if (clq_json_parse(arena, text, &tree, &why) != CLQ_OK)
		return false;
	coll->resource = clq_json_str(clq_json_get(tree, "resource"));
	coll->parent = clq_json_str(clq_json_get(tree, "parent"));
	*field = clq_json_str(clq_json_get(tree, "field"));
	return coll->resource.len > 0 && coll->parent.p != NULL &&
	    field->len > 0 && pg_names_of(arena, *field).n <=
	    PG_MAX_PATH;
}

static void
on_declared(struct pg_db *db, const PGresult *res, void *ctx)
{
	int n = PQntuples(res), row;
	struct clq_coll coll;
	struct clq_str field;

	(void)ctx;
	db->ndeclared = 0;
	clq_arena_free(&db->declared_arena);
	db->declared_arena = clq_arena_new();
	db->declared = clq_arena_calloc(db->declared_arena, (size_t)n + 1,
	    sizeof *db->declared);
	memset(&db->expressions, 0, sizeof db->expressions);
	for (row = 0; row < n; row++)
		if (!PQgetisnull(res, row, 1))
			clq_strs_add(db->declared_arena, &db->expressions,
			    pg_get_text(db->declared_arena, res, row, 1));
		else if (parse(db->declared_arena, res, row, &coll, &field))
			pg_index_describe(db->declared_arena, &coll, field,
			    &db->declared[db->ndeclared++]);
	db->declared_at = clq_monotonic();
}

enum clq_status
pg_index_load(struct pg_db *db, clq_msec until)
{
	PGresult *res = pg_ask(db, declared.sql, until);

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	on_declared(db, res, NULL);
	PQclear(res);
	return CLQ_OK;
}

enum clq_status
pg_index_learn(struct pg_db *db)
{
	if (clq_monotonic() - db->declared_at < LEARN_MSEC)
		return CLQ_OK;
	pg_exec(db, &declared, NULL, on_declared, NULL);
	return pg_wait(db);
}

/* ---- changing ---------------------------------------------------------- */

static enum clq_status
run(struct pg_db *db, const char *sql)
{
	PGresult *res = pg_ask(db, sql, clq_monotonic() + PATIENCE);
	enum clq_status status = res != NULL ? CLQ_OK : CLQ_FAILED;

	PQclear(res);
	return status;
}

/* A session of its own, on tables that are ours. */
static enum clq_status
attach(struct pg_db *db)
{
	enum clq_status status = pg_attach(db);
	struct pg_state state;
	const char *why;
	char text[256];

	if (status == CLQ_OK)
		status = pg_be_alone(db);
	if (status == CLQ_OK)
		status = run(db, "SET statement_timeout TO 0");
	if (status == CLQ_OK)
		status = pg_schema_read(db, clq_monotonic() + PATIENCE,
		    &state);
	if (status != CLQ_OK)
		return status;
	why = pg_schema_verdict(db, &state, text, sizeof text);
	return why != NULL ? pg_complain(db, why) : CLQ_OK;
}

/* In *out: 't' valid, 'f' not, '-' there is none. */
static enum clq_status
look(struct pg_db *db, struct clq_arena *arena, const struct pg_declared *d,
    char *out)
{
	PGresult *res = pg_ask(db, clq_arena_printf(arena,
	    "SELECT indisvalid FROM pg_index WHERE indexrelid ="
	    " to_regclass('%s')", d->name).p, clq_monotonic() + PATIENCE);

	if (res == NULL)
		return CLQ_FAILED;
	*out = PQntuples(res) == 1 ? PQgetvalue(res, 0, 0)[0] : '-';
	PQclear(res);
	return CLQ_OK;
}

static enum clq_status
comment(struct pg_db *db, struct clq_arena *arena,
    const struct pg_declared *d)
{
	enum clq_status status = CLQ_FAILED;
	struct clq_buf json;
	char *quoted;

	clq_buf_init(&json, arena, 128);
	clq_buf_adds(&json, "{\"resource\": ");
	clq_buf_json_str(&json, d->coll.resource);
	clq_buf_adds(&json, ", \"parent\": ");
	clq_buf_json_str(&json, d->coll.parent);
	clq_buf_adds(&json, ", \"field\": ");
	clq_buf_json_str(&json, d->field);
	clq_buf_addc(&json, '}');
	quoted = PQescapeLiteral(db->conn, clq_buf_str(&json).p,
	    clq_buf_str(&json).len);
	if (quoted != NULL)
		status = run(db, clq_arena_printf(arena,
		    "COMMENT ON INDEX %s IS %s", d->name, quoted).p);
	PQfreemem(quoted);
	return status;
}

static enum clq_status
remove_index(struct pg_db *db, struct clq_arena *arena,
    const struct pg_declared *d)
{
	enum clq_status status = run(db, clq_arena_printf(arena,
	    "DROP INDEX CONCURRENTLY IF EXISTS %s", d->name).p);

	if (status == CLQ_OK)
		status = run(db, clq_arena_printf(arena, "DROP STATISTICS"
		    " IF EXISTS %s_1, %s_2, %s_3", d->name, d->name,
		    d->name).p);
	return status;
}

/*
 * What ANALYZE finds out about a partial index the planner does not use, so
 * it is asked to look at the expressions themselves; PostgreSQL 14 can.
 */
static enum clq_status
add_statistics(struct pg_db *db, struct clq_arena *arena,
    const struct pg_declared *d)
{
	const char *const keys[] = { d->rank, d->text, d->json };
	enum clq_status status = CLQ_OK;
	size_t i;

	for (i = 0; status == CLQ_OK && i < CLQ_COUNT(keys) &&
	    PQserverVersion(db->conn) >= STATISTICS_SERVER; i++)
		status = run(db, clq_arena_printf(arena, "CREATE STATISTICS"
		    " IF NOT EXISTS %s_%zu ON %s FROM objects", d->name,
		    i + 1, keys[i]).p);
	return status == CLQ_OK ? run(db, "ANALYZE objects") : status;
}

static enum clq_status
add(struct pg_db *db, struct clq_arena *arena, const struct pg_declared *d)
{
	enum clq_status status;
	char state = '-';

	status = look(db, arena, d, &state);
	if (status == CLQ_OK && state == 'f')
		status = remove_index(db, arena, d);
	if (status == CLQ_OK && state != 't')
		status = run(db, clq_arena_printf(arena,
		    "CREATE INDEX CONCURRENTLY %s ON objects"
		    " (%s, %s, %s, last_modified DESC)"
		    " WHERE %s AND NOT deleted", d->name, d->rank, d->text,
		    d->json, d->where).p);
	if (status == CLQ_OK)
		status = comment(db, arena, d);
	if (status == CLQ_OK && state != 't')
		status = add_statistics(db, arena, d);
	return status;
}

static enum clq_status
change(void *self, const struct clq_coll *coll, struct clq_str field,
    enum clq_status (*fn)(struct pg_db *db, struct clq_arena *arena,
    const struct pg_declared *d))
{
	struct pg_db *db = pg_self(self);
	struct clq_arena *arena = clq_arena_new();
	struct pg_declared d;
	enum clq_status status;

	if (pg_is_mapped(db, coll->resource)) {
		clq_log_err("postgresql: %.*s: its objects are rows of a "
		    "table; write CREATE INDEX on that table",
		    CLQ_FMT(coll->resource));
		clq_arena_free(&arena);
		return CLQ_INVALID;
	}
	if (pg_names_of(arena, field).n > PG_MAX_PATH) {
		clq_log_err("postgresql: %.*s: a field of more than %d names "
		    "cannot have an index", CLQ_FMT(field),
		    (int)PG_MAX_PATH);
		clq_arena_free(&arena);
		return CLQ_INVALID;
	}
	pg_index_describe(arena, coll, field, &d);
	status = attach(db);
	if (status == CLQ_OK)
		status = fn(db, arena, &d);
	pg_not_alone(db);
	pg_disconnect(db);	/* the next use learns of it */
	clq_arena_free(&arena);
	return status;
}

enum clq_status
pg_index_add(void *self, const struct clq_coll *coll, struct clq_str field)
{
	return change(self, coll, field, add);
}

enum clq_status
pg_index_drop(void *self, const struct clq_coll *coll, struct clq_str field)
{
	return change(self, coll, field, remove_index);
}

/* ---- listing ----------------------------------------------------------- */

static int
order(const void *a, const void *b)
{
	const struct clq_index *x = a, *y = b;
	int n = clq_str_cmp(x->coll.resource, y->coll.resource);

	if (n == 0)
		n = clq_str_cmp(x->coll.parent, y->coll.parent);
	return n != 0 ? n : clq_str_cmp(x->field, y->field);
}

enum clq_status
pg_index_list(void *self, struct clq_arena *arena, struct clq_index **out,
    size_t *n)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_attach(db);
	PGresult *res = NULL;
	struct clq_index *x;
	int row;

	if (status == CLQ_OK && (res = pg_ask(db, "SELECT d.description,"
	    " pg_relation_size(c.oid), i.indisvalid" FROM_INDEXES,
	    clq_monotonic() + PATIENCE)) == NULL)
		status = CLQ_FAILED;
	if (status == CLQ_OK) {
		*out = clq_arena_calloc(arena, (size_t)PQntuples(res) + 1,
		    sizeof **out);
		for (*n = 0, row = 0; row < PQntuples(res); row++) {
			x = &(*out)[*n];
			if (!parse(arena, res, row, &x->coll, &x->field))
				continue;
			x->bytes = strtoll(PQgetvalue(res, row, 1), NULL, 10);
			x->ready = PQgetvalue(res, row, 2)[0] == 't';
			(*n)++;
		}
		qsort(*out, *n, sizeof **out, order);
	}
	PQclear(res);
	pg_disconnect(db);
	return status;
}
