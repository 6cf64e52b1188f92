/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the catalog says about the tables that resources are mapped to
 * (pg_table.h): names as PostgreSQL quotes them, types, indexes, privileges;
 * and whether all that is needed is there, else what to do.
 *
 * Looked at in the master, if the database can be reached then, and by each
 * worker when it connects: a table may change at any time, and what was made
 * for it is recognised by a mark over all that it depends on.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <string.h>

bool
pg_is_mapped(const struct pg_db *db, struct clq_str resource)
{
	size_t i;

	for (i = 0; i < db->ntables; i++)
		if (clq_str_is(resource, db->maps[i]->resource))
			return true;
	return false;
}

const struct pg_table *
pg_table_of(const struct pg_db *db, struct clq_str resource)
{
	size_t i;

	for (i = 0; db->tables != NULL && i < db->ntables; i++)
		if (clq_str_eq(resource, db->tables[i].resource))
			return &db->tables[i];
	return NULL;
}

/* ---- asking ------------------------------------------------------------- */

/* One table, while it is read. */
struct reading {
	struct pg_db		*db;
	struct clq_arena	*arena;
	const struct clq_table	*conf;
	struct pg_table		*t;
	clq_msec		 until;
	const char		*why;		/* NULL: nothing is wrong */
	bool			 uuid_id;
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
	    strncmp(t->modified.type, "timestamp", 9) == 0 &&
	    strstr(t->modified.type, "with time zone") == NULL &&
	    strchr(t->modified.type, '(') == NULL)
		;
	else if (r->why == NULL)
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

/* ---- all of them -------------------------------------------------------- */

/* Two resources on one table would have one set of triggers. */
static const char *
taken(struct clq_arena *arena, const struct pg_table *all, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (all[k].name != NULL && all[i].name != NULL &&
		    strcmp(all[k].name, all[i].name) == 0)
			return clq_arena_printf(arena, "resource %s, table "
			    "%s: the resource %s has it already; one table "
			    "is one resource", all[i].conf->resource,
			    all[i].name, all[k].conf->resource).p;
	return NULL;
}

enum clq_status
pg_tables_load(struct pg_db *db, clq_msec until)
{
	enum clq_status status = CLQ_OK;
	struct pg_table *all;
	const char *why;
	size_t i;

	db->tables = NULL;
	if (db->ntables == 0)
		return CLQ_OK;
	if (db->tables_arena == NULL)
		db->tables_arena = clq_arena_new();
	clq_arena_reset(db->tables_arena);
	all = clq_arena_calloc(db->tables_arena, db->ntables, sizeof *all);
	for (i = 0; i < db->ntables; i++) {
		status = pg_table_read(db, db->tables_arena, db->maps[i],
		    until, &all[i], &why);
		if (status != CLQ_OK)
			return status;
		if (why == NULL)
			why = taken(db->tables_arena, all, i);
		if (why == NULL && !pg_table_is_ready(db->tables_arena,
		    &all[i]))
			why = clq_arena_printf(db->tables_arena, "resource "
			    "%s, table %s: it has no triggers of cliquet, or "
			    "those for another mapping or another form of the "
			    "table: run `cliquet migrate`",
			    db->maps[i]->resource, all[i].name).p;
		if (why != NULL)
			return pg_complain(db, why);
	}
	db->tables = all;
	return CLQ_OK;
}

/* What is wrong with the tables themselves; what migrate can put right is not
 * wrong. */
static enum clq_status
check_all(struct pg_db *db, struct clq_settings *settings,
    struct clq_arena *arena)
{
	clq_msec until = clq_monotonic() + db->timeout;
	struct pg_table *all = clq_arena_calloc(arena, db->ntables,
	    sizeof *all);
	enum clq_status rc = CLQ_OK;
	const char *why;
	size_t i;

	for (i = 0; i < db->ntables; i++) {
		if (pg_table_read(db, arena, db->maps[i], until, &all[i],
		    &why) != CLQ_OK)
			return rc;	/* said; a worker will see */
		if (why == NULL)
			why = taken(arena, all, i);
		if (why != NULL)
			rc = clq_settings_error(settings, db->maps[i]->key,
			    "%s", why);
	}
	return rc;
}

/* The end of one name of SQL, quoted or plain; NULL: it is none. */
static const char *
name_end(const char *p)
{
	if (*p == '"') {
		for (p++; *p != '\0'; p++)
			if (*p == '"' && *++p != '"')
				return p;
		return NULL;
	}
	if (*p == '\0' || (*p >= '0' && *p <= '9'))
		return NULL;
	while (*p == '_' || *p == '$' || (unsigned char)*p >= 0x80 ||
	    (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
	    (*p >= 'A' && *p <= 'Z'))
		p++;
	return p;
}

static bool
is_name(const char *name)
{
	const char *end = name_end(name);

	if (end != NULL && end > name && *end == '.')
		end = name_end(name = end + 1);
	return end != NULL && end > name && *end == '\0';
}

/* What is wrong with a mapping by itself. */
static enum clq_status
check_mapping(struct clq_settings *settings, const struct clq_table *m)
{
	enum { MAX_NAME = 40 };		/* of 63 bytes of an identifier */

	if (strlen(m->resource) > MAX_NAME)
		return clq_settings_error(settings, m->key, "the name of a "
		    "resource with a table has at most %d characters; give it "
		    "another", (int)MAX_NAME);
	if (!is_name(m->name))
		return clq_settings_error(settings, m->key, "'%s' is no name "
		    "of a table; write table = NAME or SCHEMA.NAME, with "
		    "double quotes as in SQL where needed", m->name);
	return CLQ_OK;
}

enum clq_status
pg_map(void *self, struct clq_settings *settings,
    const struct clq_table *const *tables, size_t n)
{
	struct pg_db *db = pg_self(self);
	struct clq_arena *arena = clq_arena_new();
	enum clq_status rc = CLQ_OK;
	size_t i;

	db->maps = tables;
	db->ntables = n;
	for (i = 0; i < n; i++)
		if (check_mapping(settings, tables[i]) != CLQ_OK)
			rc = CLQ_INVALID;
	if (rc == CLQ_OK && pg_attach(db) == CLQ_OK)
		rc = check_all(db, settings, arena);
	pg_disconnect(db);
	clq_arena_free(&arena);
	return rc;
}
