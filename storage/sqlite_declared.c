/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared indexes in the database: made, removed, listed, learnt.
 *
 * The table declared_indexes, made with the first of them, says what each is
 * for; an index counts if it is in the schema too. Workers compare the
 * schema's version, which SQLite keeps in the file, in each transaction that
 * reads a list, so that they never name an index that has gone.
 *
 * CREATE INDEX is one writing transaction: other writers queue up behind it,
 * readers go on.
 */
#include "storage/sqlite.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#define TABLE								\
	"CREATE TABLE IF NOT EXISTS declared_indexes ("			\
	" name TEXT NOT NULL PRIMARY KEY,"				\
	" resource TEXT NOT NULL,"					\
	" parent TEXT NOT NULL,"					\
	" field TEXT NOT NULL) WITHOUT ROWID"

/* ---- texts ------------------------------------------------------------- */

static void
add_literal(struct clq_buf *b, struct clq_str s)
{
	size_t i;

	clq_buf_addc(b, '\'');
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\'')
			clq_buf_addc(b, '\'');
		clq_buf_addc(b, s.p[i]);
	}
	clq_buf_addc(b, '\'');
}

static const char *
name_of(struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str field)
{
	struct clq_str text = clq_arena_printf(arena, "%.*s\n%.*s\n%.*s",
	    CLQ_FMT(coll->resource), CLQ_FMT(coll->parent), CLQ_FMT(field));

	return clq_arena_printf(arena, "declared_%.16s",
	    clq_sha256_hex(arena, text).p).p;
}

/* All texts of an index; resource, parent and field are borrowed. */
static void
describe(struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str field, struct sq_declared *d)
{
	struct clq_buf b;

	d->coll = *coll;
	d->field = field;
	d->name = name_of(arena, coll, field);
	clq_buf_init(&b, arena, 128);
	clq_buf_adds(&b, "resource = ");
	add_literal(&b, coll->resource);
	clq_buf_adds(&b, " AND parent = ");
	add_literal(&b, coll->parent);
	d->where = clq_arena_cstr(arena, clq_buf_str(&b));
	clq_buf_init(&b, arena, 64);
	clq_buf_adds(&b, "clq_key(data, ");
	add_literal(&b, field);
	clq_buf_addc(&b, ')');
	d->key = clq_arena_cstr(arena, clq_buf_str(&b));
}

/* ---- reading ----------------------------------------------------------- */

/* The declared indexes that exist, in arena. */
static enum clq_status
read_all(struct sq_db *q, struct clq_arena *arena, struct sq_declared **out,
    size_t *n)
{
	struct sq_declared *items = NULL;
	size_t count = 0, cap = 0;
	enum clq_status status;
	sqlite3_stmt *stmt;
	struct clq_coll coll;
	int64_t table = -1;

	*out = NULL;
	*n = 0;
	status = sq_run_int(q, sq_prepare(q, "SELECT 1 FROM sqlite_schema"
	    " WHERE type = 'table' AND name = 'declared_indexes'", true),
	    &table);
	if (status != CLQ_OK || table < 0)
		return status;
	stmt = sq_prepare(q, "SELECT d.resource, d.parent, d.field"
	    " FROM declared_indexes AS d JOIN sqlite_schema AS s"
	    " ON s.type = 'index' AND s.name = d.name"
	    " ORDER BY d.resource, d.parent, d.field", false);
	if (stmt == NULL)
		return q->doomed;
	while ((status = sq_step(q, stmt)) == CLQ_OK) {
		if (count == cap) {
			cap = cap * 2 + 8;
			items = clq_arena_grow(arena, items, count *
			    sizeof *items, cap * sizeof *items);
		}
		coll.resource = sq_column_dup(arena, stmt, 0);
		coll.parent = sq_column_dup(arena, stmt, 1);
		describe(arena, &coll, sq_column_dup(arena, stmt, 2),
		    &items[count++]);
	}
	sq_done(stmt);
	*out = items;
	*n = count;
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

enum clq_status
sq_index_learn(struct sq_db *q)
{
	enum clq_status status;
	int64_t version = -1;

	status = sq_run_int(q, sq_prepare(q, "PRAGMA schema_version", true),
	    &version);
	if (status != CLQ_OK || version == q->declared_at)
		return status;
	q->declared_at = -1;
	clq_arena_free(&q->declared_arena);
	q->declared_arena = clq_arena_new();
	status = read_all(q, q->declared_arena, &q->declared, &q->ndeclared);
	if (status == CLQ_OK)
		q->declared_at = version;
	else
		q->ndeclared = 0;
	return status;
}

/* ---- changing ---------------------------------------------------------- */

/* Run sql, in which ? are the name, the resource, the parent, the field. */
static enum clq_status
run(struct sq_db *q, const char *sql, const struct sq_declared *d)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, false);

	if (stmt == NULL)
		return q->doomed;
	if (sqlite3_bind_parameter_count(stmt) > 0)
		sq_bind_str(q, stmt, 1, clq_str_of(d->name));
	if (sqlite3_bind_parameter_count(stmt) > 1) {
		sq_bind_str(q, stmt, 2, d->coll.resource);
		sq_bind_str(q, stmt, 3, d->coll.parent);
		sq_bind_str(q, stmt, 4, d->field);
	}
	return sq_run(q, stmt);
}

static enum clq_status
add(struct sq_db *q, struct clq_arena *arena, const struct sq_declared *d)
{
	enum clq_status status = run(q, TABLE, d);
	const char *sql = clq_arena_printf(arena,
	    "CREATE INDEX IF NOT EXISTS %s ON objects"
	    "(%s, last_modified DESC) WHERE %s AND deleted = 0",
	    d->name, d->key, d->where).p;

	if (status == CLQ_OK)
		status = run(q, sql, d);
	if (status == CLQ_OK)
		status = run(q, "INSERT OR REPLACE INTO declared_indexes"
		    " VALUES (?, ?, ?, ?)", d);
	return status;
}

static enum clq_status
drop(struct sq_db *q, struct clq_arena *arena, const struct sq_declared *d)
{
	enum clq_status status = run(q, TABLE, d);

	if (status == CLQ_OK)
		status = run(q, clq_arena_printf(arena,
		    "DROP INDEX IF EXISTS %s", d->name).p, d);
	if (status == CLQ_OK)
		status = run(q, "DELETE FROM declared_indexes"
		    " WHERE name = ?", d);
	return status;
}

/* begin is lazy, so that this works on an instance that was not opened. */
static enum clq_status
change(void *self, const struct clq_coll *coll, struct clq_str field,
    enum clq_status (*fn)(struct sq_db *q, struct clq_arena *arena,
    const struct sq_declared *d))
{
	struct sq_db *q = sq_self(self);
	struct clq_arena *arena = clq_arena_new();
	enum clq_status status = sq_begin(self, CLQ_TX_WRITE);
	struct sq_declared d;

	describe(arena, coll, field, &d);
	if (status == CLQ_OK) {
		status = sq_start(q, true);
		if (status == CLQ_OK)
			status = fn(q, arena, &d);
		if (status == CLQ_OK)
			status = sq_finish(self, true);
		else
			(void)(sq_finish(self, false) == CLQ_OK);
	}
	clq_arena_free(&arena);
	return status;
}

enum clq_status
sq_index_add(void *self, const struct clq_coll *coll, struct clq_str field)
{
	return change(self, coll, field, add);
}

enum clq_status
sq_index_drop(void *self, const struct clq_coll *coll, struct clq_str field)
{
	return change(self, coll, field, drop);
}

/* ---- listing ----------------------------------------------------------- */

/* dbstat is compiled in on Debian; elsewhere the size is unknown. */
static int64_t
size_of(struct sq_db *q, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	int64_t bytes = -1;

	if (sqlite3_prepare_v2(q->db, "SELECT pgsize FROM dbstat"
	    " WHERE name = ? AND aggregate = TRUE", -1, &stmt, NULL) ==
	    SQLITE_OK && sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC) ==
	    SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		bytes = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return bytes;
}

enum clq_status
sq_index_list(void *self, struct clq_arena *arena, struct clq_index **out,
    size_t *n)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_begin(self, CLQ_TX_READ);
	struct sq_declared *items = NULL;
	size_t count = 0, i;

	if (status != CLQ_OK)
		return status;
	status = sq_start(q, false);
	if (status == CLQ_OK)
		status = read_all(q, arena, &items, &count);
	if (status == CLQ_OK) {
		*out = clq_arena_calloc(arena, count + 1, sizeof **out);
		*n = count;
		for (i = 0; i < count; i++)
			(*out)[i] = (struct clq_index){ items[i].coll,
			    items[i].field, size_of(q, items[i].name), true };
		return sq_finish(self, true);
	}
	(void)(sq_finish(self, false) == CLQ_OK);
	return status;
}
