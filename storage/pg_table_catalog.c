/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the catalog says about one table that a resource is mapped to
 * (pg_table.h): names as PostgreSQL quotes them, types, indexes, privileges;
 * and what is wrong with it, and what to do then.
 */
#include "storage/pg_table.h"

#include <cliquet/str.h>

#include <string.h>

/* ---- asking ------------------------------------------------------------- */

/* One table, while it is read. */
struct reading {
	struct pg_db		*db;
	struct clq_arena	*arena;
	const struct clq_table	*conf;
	struct pg_table		*t;
	clq_msec		 until;
	const char		*why;		/* NULL: nothing is wrong */
};

/* A text of the configuration as a literal. */
static const char *
literal(struct reading *r, const char *text)
{
	char *quoted = PQescapeLiteral(r->db->conn, text, strlen(text));
	const char *out = quoted == NULL ? "NULL" :
	    clq_arena_cstr(r->arena, clq_str_of(quoted));

	PQfreemem(quoted);
	return out;
}

static const char *
cell(struct reading *r, const PGresult *res, int row, int column)
{
	return PQgetisnull(res, row, column) ? NULL : clq_arena_cstr(r->arena,
	    clq_str_of(PQgetvalue(res, row, column)));
}

static bool
yes(const PGresult *res, int row, int column)
{
	return PQgetvalue(res, row, column)[0] == 't';
}

static void
wrong(struct reading *r, struct clq_str why)
{
	if (r->why == NULL)
		r->why = clq_arena_printf(r->arena, "resource %s, table %s: "
		    "%.*s", r->conf->resource, r->conf->name,
		    CLQ_FMT(why)).p;
}

/* Is there a unique index over the id, or over it and the parent? */
#define UNIQUE								\
	"EXISTS (SELECT FROM pg_index AS i CROSS JOIN LATERAL"		\
	" (SELECT array_agg(a.attname::text) AS names"			\
	" FROM pg_attribute AS a WHERE a.attrelid = c.oid"		\
	" AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))"	\
	" AS k WHERE i.indrelid = c.oid AND i.indisunique"		\
	" AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"	\
	" AND k.names @> ARRAY[%s] AND k.names <@ ARRAY[%s, %s])"

/* Functions are named after the resource, in the schema of `objects`. */
#define FUNCTION(what)							\
	"(SELECT format('%%I.%%I', s.nspname,"				\
	" 'cliquet_' || r.name || '_" what "')"				\
	" FROM pg_class AS o JOIN pg_namespace AS s"			\
	" ON s.oid = o.relnamespace WHERE o.oid = to_regclass('objects'))"

static const char table_query[] =
	"SELECT format('%%I.%%I', n.nspname, c.relname), c.relkind,"
	" has_table_privilege(c.oid, 'SELECT'),"
	" has_table_privilege(c.oid, 'INSERT')"
	" AND has_table_privilege(c.oid, 'UPDATE')"
	" AND has_table_privilege(c.oid, 'DELETE'), "
	UNIQUE ", "
	FUNCTION("lock") ", " FUNCTION("tick") ", " FUNCTION("bury") ", "
	FUNCTION("stamp") ", " FUNCTION("moved") ", " FUNCTION("write") ","
	" quote_ident('cliquet_' || r.name || '_modified'),"
	" COALESCE((SELECT obj_description(p.oid, 'pg_proc') FROM pg_proc"
	" AS p WHERE p.oid = to_regproc(" FUNCTION("write") ")), ''),"
	" (SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = c.oid"
	" AND g.tgname LIKE 'zz\\_cliquet\\_%%'"
	" AND g.tgenabled IN ('O', 'A')) = %d"
	" AND EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS x"
	" ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisvalid"
	" AND x.relname = 'cliquet_' || r.name || '_modified'),"
	" quote_literal(r.name),"
	" (SELECT quote_ident(s.nspname) FROM pg_class AS o"
	" JOIN pg_namespace AS s ON s.oid = o.relnamespace"
	" WHERE o.oid = to_regclass('objects')),"
	" quote_literal(format('%%I.%%I', n.nspname, c.relname)),"
	" quote_literal('cliquet_' || r.name || '_modified')"
	" FROM (SELECT %s::text AS name) AS r, pg_class AS c"
	" JOIN pg_namespace AS n ON n.oid = c.relnamespace"
	" WHERE c.oid = to_regclass(%s)";

static const char column_query[] =
	"SELECT a.attname, quote_ident(a.attname), quote_literal(a.attname),"
	" format_type(a.atttypid, a.atttypmod), b.typname, a.attnotnull,"
	" CASE WHEN a.attcollation IN (0, 100) THEN '' ELSE"
	" format(' COLLATE %%I.%%I', n.nspname, l.collname) END,"
	" CASE WHEN a.attcollation = 0 OR CASE WHEN a.attcollation = 100"
	" THEN (SELECT datcollate FROM pg_database"
	" WHERE datname = current_database()) ELSE l.collname END"
	" IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8', 'ucs_basic')"
	" THEN '' ELSE ' COLLATE \"C\"' END,"
	" a.attgenerated <> '' OR a.attidentity = 'a',"
	" pg_get_expr(d.adbin, d.adrelid), COALESCE(l.collisdeterministic,"
	" true) FROM pg_attribute AS a"
	" JOIN pg_type AS t ON t.oid = a.atttypid"
	" JOIN pg_type AS b ON b.oid = CASE t.typtype WHEN 'd'"
	" THEN t.typbasetype ELSE t.oid END"
	" LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid"
	" AND d.adnum = a.attnum"
	" LEFT JOIN pg_collation AS l ON l.oid = a.attcollation"
	" LEFT JOIN pg_namespace AS n ON n.oid = l.collnamespace"
	" WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0"
	" AND NOT a.attisdropped";

/* ---- columns ------------------------------------------------------------ */

static enum pg_kind
kind_of(const char *type, bool deterministic)
{
	static const struct {
		const char	*type;
		enum pg_kind	 kind;
	} kinds[] = {
		{ "text", PG_TEXT }, { "varchar", PG_TEXT },
		{ "int2", PG_INTEGER }, { "int4", PG_INTEGER },
		{ "int8", PG_INTEGER }, { "numeric", PG_NUMERIC },
		{ "bool", PG_BOOLEAN }, { "uuid", PG_UUID },
		{ "timestamptz", PG_INSTANT }, { "jsonb", PG_JSON },
		{ "_text", PG_TEXTS },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind == PG_TEXT && !deterministic ?
			    PG_OTHER : kinds[i].kind;
	return PG_OTHER;
}

/* The column of that name; wrong if there is none. */
static bool
take(struct reading *r, const PGresult *res, const char *name,
    const char *what, struct pg_table_column *c)
{
	int row, n = PQntuples(res);

	memset(c, 0, sizeof *c);
	for (row = 0; row < n; row++)
		if (strcmp(PQgetvalue(res, row, 0), name) == 0)
			break;
	if (row == n) {
		wrong(r, clq_arena_printf(r->arena, "there is no column \"%s\""
		    " %s", name, what));
		return false;
	}
	c->name = cell(r, res, row, 0);
	c->ident = cell(r, res, row, 1);
	c->literal = cell(r, res, row, 2);
	c->type = cell(r, res, row, 3);
	c->not_null = yes(res, row, 5);
	c->collate = cell(r, res, row, 6);
	c->bytewise = cell(r, res, row, 7);
	c->generated = yes(res, row, 8);
	c->def = c->generated ? NULL : cell(r, res, row, 9);
	c->kind = kind_of(PQgetvalue(res, row, 4), yes(res, row, 10));
	return true;
}

static void
check_key(struct reading *r, const struct pg_table_column *c,
    const char *option)
{
	if (r->why == NULL && c->kind != PG_TEXT && c->kind != PG_UUID)
		wrong(r, clq_arena_printf(r->arena, "the column \"%s\" has "
		    "the type %s, and %s must be text, varchar or uuid; name "
		    "or add such a column (ALTER TABLE %s ADD COLUMN uid uuid "
		    "NOT NULL UNIQUE DEFAULT gen_random_uuid())", c->name,
		    c->type, option, r->t->name));
}

/* Without time zone, and as fine as there are. */
static bool
is_timestamp(const char *type)
{
	return strncmp(type, "timestamp", 9) == 0 &&
	    strstr(type, "with time zone") == NULL &&
	    strchr(type, '(') == NULL;
}

static void
take_own(struct reading *r, const PGresult *res)
{
	const struct clq_table *conf = r->conf;
	struct pg_table *t = r->t;

	if (take(r, res, conf->id_column, "with ids; name the one there is "
	    "as id_column", &t->id))
		check_key(r, &t->id, "id_column");
	if (take(r, res, conf->modified_column, clq_arena_printf(r->arena,
	    "for the time of the last change; run ALTER TABLE %s ADD COLUMN "
	    "\"%s\" timestamp, or name another as modified_column", t->name,
	    conf->modified_column).p, &t->modified) &&
	    !is_timestamp(t->modified.type))
		wrong(r, clq_arena_printf(r->arena, "the column \"%s\" has "
		    "the type %s, and modified_column must be timestamp "
		    "(without time zone: it is kept in UTC); add one of its "
		    "own", t->modified.name, t->modified.type));
	if (conf->parent_column != NULL && take(r, res, conf->parent_column,
	    "that says whose list a row is in; name the one there is as "
	    "parent_column", &t->parent))
		check_key(r, &t->parent, "parent_column");
}

static void
take_attributes(struct reading *r, const PGresult *res)
{
	const struct clq_table *conf = r->conf;
	struct pg_table *t = r->t;
	size_t i;

	t->n = conf->ncolumns;
	t->columns = clq_arena_calloc(r->arena, t->n + 1,
	    sizeof *t->columns);
	for (i = 0; i < t->n; i++) {
		if (strcmp(conf->columns[i], conf->modified_column) == 0 ||
		    strcmp(conf->columns[i], conf->id_column) == 0 ||
		    (conf->parent_column != NULL &&
		    strcmp(conf->columns[i], conf->parent_column) == 0)) {
			wrong(r, clq_arena_printf(r->arena, "the column "
			    "\"%s\" is the server's, and cannot be an "
			    "attribute; take it out of them",
			    conf->columns[i]));
			return;
		}
		if (!take(r, res, conf->columns[i], "for the attribute of "
		    "that name; add it to the table, or take the attribute "
		    "out", &t->columns[i]))
			return;
		t->columns[i].n = i;
	}
}

static enum clq_status
read_columns(struct reading *r)
{
	PGresult *res = pg_ask(r->db, clq_arena_printf(r->arena, column_query,
	    literal(r, r->conf->name)).p, r->until);

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	take_own(r, res);
	if (r->why == NULL)
		take_attributes(r, res);
	PQclear(res);
	return CLQ_OK;
}

/* ---- the table ---------------------------------------------------------- */

static void
check_table(struct reading *r, const PGresult *res)
{
	const struct clq_table *conf = r->conf;

	if (strcmp(PQgetvalue(res, 0, 1), "r") != 0)
		wrong(r, CLQ_STR("it is no plain table (but a view, a "
		    "partitioned or a foreign one); name a table"));
	else if (!yes(res, 0, 2))
		wrong(r, clq_arena_printf(r->arena, "may not be read by the "
		    "user of storage_url; run GRANT SELECT ON %s TO that user",
		    r->t->name));
	else if (!conf->readonly && !yes(res, 0, 3))
		wrong(r, clq_arena_printf(r->arena, "may not be written by "
		    "the user of storage_url; run GRANT INSERT, UPDATE, DELETE "
		    "ON %s TO that user, or leave reading methods only "
		    "(plural_methods = GET HEAD, object_methods = GET)",
		    r->t->name));
}

static void
take_table(struct reading *r, const PGresult *res)
{
	struct pg_table *t = r->t;
	size_t i;

	t->name = cell(r, res, 0, 0);
	for (i = 0; i < PG_FN__COUNT; i++)
		t->fn[i] = cell(r, res, 0, 5 + (int)i);
	t->index = cell(r, res, 0, 11);
	t->remembered = cell(r, res, 0, 12);
	t->complete = yes(res, 0, 13);
	t->resource_sql = cell(r, res, 0, 14);
	t->schema = cell(r, res, 0, 15);
	t->name_literal = cell(r, res, 0, 16);
	t->index_literal = cell(r, res, 0, 17);
	t->prefix_sql = literal(r, r->conf->parent_prefix);
	check_table(r, res);
}

static enum clq_status
read_table(struct reading *r, bool *unique)
{
	const struct clq_table *conf = r->conf;
	const char *id = literal(r, conf->id_column);
	PGresult *res = pg_ask(r->db, clq_arena_printf(r->arena, table_query,
	    id, id, conf->parent_column != NULL ? literal(r,
	    conf->parent_column) : id, conf->parent_column != NULL ?
	    PG_TRIGGERS - 1 : PG_TRIGGERS, literal(r, conf->resource),
	    literal(r, conf->name)).p, r->until);

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	if (PQntuples(res) == 0) {
		wrong(r, CLQ_STR("there is no such table; create it, or "
		    "correct the name (a schema may stand before it; capitals "
		    "need double quotes, as in SQL)"));
	} else {
		take_table(r, res);
		*unique = yes(res, 0, 4);
	}
	PQclear(res);
	return CLQ_OK;
}

/* What a row of it, t, looks like as an object. */
static void
describe(struct reading *r)
{
	struct pg_table *t = r->t;
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, r->arena, 512);
	clq_buf_adds(&b, "(SELECT COALESCE(jsonb_object_agg(x.k, x.v)"
	    " FILTER (WHERE x.v IS NOT NULL), '{}') FROM (VALUES");
	for (i = 0; i < t->n; i++)
		clq_buf_printf(&b, "%s\n (%s, to_jsonb(t.%s))",
		    i > 0 ? "," : "", t->columns[i].literal,
		    t->columns[i].ident);
	clq_buf_adds(&b, ") AS x(k, v))");
	t->document = clq_arena_cstr(r->arena, clq_buf_str(&b));
	t->parent_sql = r->conf->parent_column == NULL ? "''::text" :
	    clq_arena_printf(r->arena, "%s || t.%s::text", t->prefix_sql,
	    t->parent.ident).p;
}

enum clq_status
pg_table_read(struct pg_db *db, struct clq_arena *arena,
    const struct clq_table *conf, clq_msec until, struct pg_table *out,
    const char **why)
{
	struct reading r = { .db = db, .arena = arena, .conf = conf,
	    .t = out, .until = until };
	bool unique = false;
	enum clq_status status;

	memset(out, 0, sizeof *out);
	out->conf = conf;
	out->resource = clq_str_of(conf->resource);
	status = read_table(&r, &unique);
	if (status == CLQ_OK && r.why == NULL)
		status = read_columns(&r);
	if (status == CLQ_OK && r.why == NULL && !unique)
		wrong(&r, clq_arena_printf(arena, "ids are not unique; run "
		    "CREATE UNIQUE INDEX ON %s (%s%s%s)", out->name,
		    out->id.ident, conf->parent_column != NULL ? ", " : "",
		    conf->parent_column != NULL ? out->parent.ident : ""));
	if (status == CLQ_OK && r.why == NULL)
		describe(&r);
	*why = r.why;
	return status;
}
