/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `cliquet migrate` makes for a table (pg_table.h): functions and
 * triggers, one transaction for each table.
 *
 *	lock	takes the clock of a list
 *	tick	moves it, and returns the time of the next change
 *	bury	leaves a tombstone
 *	stamp	trigger before each row that is inserted or updated
 *	moved	trigger after it, and after deletions; and for TRUNCATE
 *	write	what cliquet calls, for one object
 *
 * Whoever writes takes the clock before the row where that is possible, so that
 * two writers do not wait for each other in a circle. Triggers run with the
 * rights of their owner, since those who write to the table need none on
 * cliquet's; `write` runs with those of its caller.
 *
 * A mark over the whole text, kept as a comment, tells whether it is what was
 * made: it depends on all that the functions depend on.
 */
#include "storage/pg_table.h"

#include <cliquet/str.h>

#include <string.h>

/* clang-format off */

#define NOW	"date_trunc('milliseconds', clock_timestamp()"		\
		" AT TIME ZONE 'UTC')"
#define MSEC	"interval '1 millisecond'"
#define BODY	"$cliquet$"
#define DEFINER	"  SECURITY DEFINER SET search_path = @schema, pg_temp\n" \
		"  SET \"cliquet.clock\" = 'on' AS " BODY "\n"

/*
 * @word stands for what a table has; see value_of(). @in(x) is a condition on
 * the row t: it is in the list list_.
 */
static const char functions[] =
"CREATE OR REPLACE FUNCTION @lock(list_ TEXT) RETURNS TIMESTAMP\n"
"  LANGUAGE plpgsql AS " BODY "\n"
"DECLARE l_ TIMESTAMP;\n"
"BEGIN\n"
"  LOOP\n"
"    SELECT s.last_modified INTO l_ FROM timestamps AS s\n"
"      WHERE s.parent_id = list_ AND s.resource_name = @resource\n"
"      FOR NO KEY UPDATE;\n"
"    EXIT WHEN FOUND;\n"
"    INSERT INTO timestamps (parent_id, resource_name, last_modified)\n"
"      SELECT list_, @resource, COALESCE(GREATEST(\n"
"        (SELECT max(t.@modified) FROM @table AS t WHERE @in),\n"
"        (SELECT max(o.last_modified) FROM objects AS o\n"
"          WHERE o.parent_id = list_ AND o.resource_name = @resource)),\n"
"        " NOW " - " MSEC ")\n"
"      ON CONFLICT (parent_id, resource_name) DO NOTHING;\n"
"  END LOOP;\n"
"  RETURN date_trunc('milliseconds', l_ + interval '500 microseconds');\n"
"END " BODY ";\n"

"CREATE OR REPLACE FUNCTION @tick(list_ TEXT, id_ TEXT)\n"
"  RETURNS TIMESTAMP LANGUAGE plpgsql AS " BODY "\n"
"DECLARE\n"
"  l_ TIMESTAMP := @lock(list_);\n"
"  t_ TIMESTAMP := NULLIF(current_setting('cliquet.wanted', true), '');\n"
"BEGIN\n"
"  IF t_ < l_ THEN\n"
"    WHILE EXISTS (SELECT FROM @table AS t WHERE @in\n"
"        AND t.@modified = t_ AND t.@id::text <> id_)\n"
"      OR EXISTS (SELECT FROM objects AS o WHERE o.parent_id = list_\n"
"        AND o.resource_name = @resource AND o.last_modified = t_\n"
"        AND o.id <> id_) LOOP\n"
"      t_ := t_ + " MSEC ";\n"
"    END LOOP;\n"
"    IF t_ < l_ THEN\n"
"      RETURN t_;\n"
"    END IF;\n"
"  END IF;\n"
"  IF t_ IS NULL OR t_ <= l_ THEN\n"
"    t_ := GREATEST(" NOW ", l_ + " MSEC ");\n"
"  END IF;\n"
"  UPDATE timestamps AS s SET last_modified = t_\n"
"    WHERE s.parent_id = list_ AND s.resource_name = @resource;\n"
"  RETURN t_;\n"
"END " BODY ";\n"

"CREATE OR REPLACE FUNCTION @bury(list_ TEXT, id_ TEXT) RETURNS VOID\n"
"  LANGUAGE sql AS " BODY "\n"
"  INSERT INTO objects (id, parent_id, resource_name, last_modified,\n"
"      data, deleted)\n"
"    SELECT id_, list_, @resource, @tick(list_, id_),\n"
"      '{\"deleted\": true}', TRUE\n"
"    ON CONFLICT (id, parent_id, resource_name) DO UPDATE\n"
"      SET last_modified = EXCLUDED.last_modified, data = EXCLUDED.data,\n"
"        deleted = TRUE;\n"
"" BODY ";\n"

"CREATE OR REPLACE FUNCTION @stamp() RETURNS trigger LANGUAGE plpgsql\n"
DEFINER
"BEGIN\n"
"  IF TG_LEVEL = 'STATEMENT' THEN\n"
"    PERFORM @lock('');\n"
"    RETURN NULL;\n"
"  END IF;\n"
"  NEW.@modified := @tick(@parent(NEW), NEW.@id::text);\n"
"  RETURN NEW;\n"
"END " BODY ";\n"

"CREATE OR REPLACE FUNCTION @moved() RETURNS trigger LANGUAGE plpgsql\n"
DEFINER
"BEGIN\n"
"  IF TG_OP = 'TRUNCATE' THEN\n"
"    PERFORM @bury(o.list, o.id) FROM (SELECT @parent(t) AS list,\n"
"      t.@id::text AS id FROM @table AS t ORDER BY t.@modified) AS o;\n"
"    RETURN NULL;\n"
"  END IF;\n"
"  IF TG_OP = 'DELETE' THEN\n"
"    PERFORM @bury(@parent(OLD), OLD.@id::text);\n"
"    RETURN NULL;\n"
"  END IF;\n"
"  IF TG_OP = 'UPDATE' THEN\n"
"    IF OLD.@id = NEW.@id AND @parent(OLD) = @parent(NEW) THEN\n"
"      RETURN NULL;\n"
"    END IF;\n"
"    PERFORM @bury(@parent(OLD), OLD.@id::text);\n"
"  END IF;\n"
"  DELETE FROM objects AS o WHERE o.id = NEW.@id::text\n"
"    AND o.parent_id = @parent(NEW) AND o.resource_name = @resource;\n"
"  RETURN NULL;\n"
"END " BODY ";\n";

/* op_: enum clq_write_op. expected_: the row's time when it was looked at. */
static const char write_function[] =
"CREATE OR REPLACE FUNCTION @write(op_ BIGINT, id_ TEXT, list_ TEXT,\n"
"  doc_ JSONB, wanted_ TIMESTAMP, expected_ TIMESTAMP, OUT state TEXT,\n"
"  OUT message TEXT, OUT col TEXT, OUT stamp TIMESTAMP, OUT stored JSONB)\n"
"  LANGUAGE plpgsql AS " BODY "\n"
"DECLARE\n"
"  r_ @table%ROWTYPE;\n"
"  was_ TIMESTAMP;\n"
"BEGIN\n"
"  PERFORM @lock(list_);\n"
"  PERFORM set_config('cliquet.wanted', COALESCE(wanted_::text, ''), true);\n"
"  SET CONSTRAINTS ALL IMMEDIATE;\n"
"  SELECT t.@modified INTO was_ FROM @table AS t\n"
"    WHERE t.@id = id_::@idtype AND @in FOR UPDATE;\n"
"  IF was_ IS NULL AND op_ = 2 THEN\n"
"    state := 'missing';\n"
"    RETURN;\n"
"  END IF;\n"
"  IF (was_ IS NOT NULL AND op_ = 0) OR (expected_ IS NOT NULL\n"
"      AND was_ IS DISTINCT FROM expected_) THEN\n"
"    state := 'changed';\n"
"    RETURN;\n"
"  END IF;\n"
"  IF op_ = 2 THEN\n"
"    DELETE FROM @table AS t WHERE t.@id = id_::@idtype AND @in;\n"
"    SELECT o.last_modified INTO stamp FROM objects AS o\n"
"      WHERE o.id = id_ AND o.parent_id = list_\n"
"        AND o.resource_name = @resource AND o.deleted;\n"
"    IF stamp IS NULL THEN\n"
"      RAISE EXCEPTION 'A trigger of the table keeps this row.';\n"
"    END IF;\n"
"    PERFORM set_config('cliquet.wanted', '', true);\n"
"    RETURN;\n"
"  END IF;\n"
"  r_ := jsonb_populate_record(NULL::@table, doc_);\n"
"  SELECT e.key, 'The column does not keep this ' ||\n"
"      jsonb_typeof(e.value) || ' as it is.' INTO col, message\n"
"    FROM jsonb_each(doc_) AS e\n"
"    CROSS JOIN LATERAL (SELECT to_jsonb(r_) -> e.key AS v) AS k\n"
"    WHERE NOT e.key = ANY (ARRAY[@keys]::text[])\n"
"      OR jsonb_typeof(e.value) NOT IN ('null', jsonb_typeof(k.v))\n"
"      OR (jsonb_typeof(e.value) IN ('array', 'object')\n"
"        AND k.v IS DISTINCT FROM e.value) LIMIT 1;\n"
"  IF FOUND THEN\n"
"    state := '22000';\n"
"    RETURN;\n"
"  END IF;\n"
"@change"
"  IF stamp IS NULL THEN\n"
"    RAISE EXCEPTION 'A trigger of the table refuses this row.';\n"
"  END IF;\n"
"  PERFORM set_config('cliquet.wanted', '', true);\n"
"EXCEPTION WHEN data_exception OR integrity_constraint_violation\n"
"    OR raise_exception OR invalid_text_representation THEN\n"
"  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,\n"
"    message = MESSAGE_TEXT, col = COLUMN_NAME;\n"
"  stamp := NULL;\n"
"  stored := NULL;\n"
"END " BODY ";\n";

/* Rows that are there get times of the past, in the order they seem to have,
 * if theirs are not distinct milliseconds yet: the index says so. */
static const char table_changes[] =
"DROP TRIGGER IF EXISTS zz_cliquet_clock ON @table;\n"
"DROP TRIGGER IF EXISTS zz_cliquet_stamp ON @table;\n"
"DROP TRIGGER IF EXISTS zz_cliquet_moved ON @table;\n"
"DROP TRIGGER IF EXISTS zz_cliquet_truncate ON @table;\n"
"DO " BODY " BEGIN\n"
"  IF NOT EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c\n"
"      ON c.oid = i.indexrelid WHERE i.indrelid = to_regclass(@regclass)\n"
"      AND i.indisvalid AND c.relname = @indexname) THEN\n"
"    UPDATE @table AS t SET @modified = n.stamp\n"
"      FROM (SELECT s.ctid AS place,\n"
"        date_trunc('milliseconds', now() AT TIME ZONE 'UTC') - " MSEC " *\n"
"        row_number() OVER (ORDER BY s.@modified DESC NULLS LAST, s.@id)\n"
"        AS stamp FROM @table AS s) AS n WHERE t.ctid = n.place;\n"
"    CREATE UNIQUE INDEX @index ON @table (@lists@modified DESC);\n"
"    ALTER TABLE @table ALTER COLUMN @modified SET NOT NULL;\n"
"  END IF;\n"
"END " BODY ";\n"
"INSERT INTO timestamps (parent_id, resource_name, last_modified)\n"
"  SELECT @parent(t), @resource, max(t.@modified) FROM @table AS t\n"
"    GROUP BY 1\n"
"  ON CONFLICT (parent_id, resource_name) DO UPDATE\n"
"    SET last_modified = GREATEST(timestamps.last_modified,\n"
"      EXCLUDED.last_modified);\n"
"CREATE TRIGGER zz_cliquet_stamp BEFORE INSERT OR UPDATE ON @table\n"
"  FOR EACH ROW EXECUTE FUNCTION @stamp();\n"
"CREATE TRIGGER zz_cliquet_moved AFTER INSERT OR UPDATE OR DELETE\n"
"  ON @table FOR EACH ROW EXECUTE FUNCTION @moved();\n"
"CREATE TRIGGER zz_cliquet_truncate BEFORE TRUNCATE ON @table\n"
"  FOR EACH STATEMENT EXECUTE FUNCTION @moved();\n";

static const char clock_trigger[] =
"CREATE TRIGGER zz_cliquet_clock BEFORE INSERT OR UPDATE OR DELETE\n"
"  ON @table FOR EACH STATEMENT EXECUTE FUNCTION @stamp();\n";

/* clang-format on */

/* ---- templates ----------------------------------------------------------- */

struct word {
	const char	*name;
	const char	*value;
};

/* The text with each @name replaced; "@parent(x)" is that of the row x. */
static void
expand(struct clq_buf *b, const struct pg_table *t, const struct word *words,
    size_t n, const char *text)
{
	const char *at, *close;
	size_t i;

	for (; (at = strchr(text, '@')) != NULL; text = at) {
		clq_buf_add(b, (struct clq_str){ text, (size_t)(at - text) });
		at++;
		if (strncmp(at, "parent(", 7) == 0) {
			close = strchr(at, ')');
			at += 7;
			if (t->conf->parent_column == NULL)
				clq_buf_adds(b, "''::text");
			else
				clq_buf_printf(b, "(%s || %.*s.%s::text)",
				    t->prefix_sql, (int)(close - at), at,
				    t->parent.ident);
			at = close + 1;
			continue;
		}
		for (i = 0; i < n; i++)
			if (strncmp(at, words[i].name,
			    strlen(words[i].name)) == 0)
				break;
		if (i == n) {		/* an '@' of its own */
			clq_buf_addc(b, '@');
			continue;
		}
		clq_buf_adds(b, words[i].value);
		at += strlen(words[i].name);
	}
	clq_buf_adds(b, text);
}

/* What is written where an attribute is not sent: the column's default. */
static void
add_value(struct clq_buf *b, const struct pg_table_column *c)
{
	if (c->def == NULL)
		clq_buf_printf(b, "r_.%s", c->ident);
	else
		clq_buf_printf(b, "CASE WHEN doc_ ? %s THEN r_.%s ELSE %s "
		    "END", c->literal, c->ident, c->def);
}

/* Pieces of the statements of `write`. */
struct pieces {
	const struct pg_table	*t;
	const char		*in;		/* condition: in the list list_ */
	const char		*own;		/* the parent column's value */
	const char		*id;		/* the id column's */
};

static void
add_update(struct clq_buf *b, const struct pieces *p)
{
	const struct pg_table *t = p->t;
	const char *comma = "";
	size_t i;

	clq_buf_printf(b, "  IF was_ IS NOT NULL THEN\n"
	    "    UPDATE %s AS t SET", t->name);
	for (i = 0; i < t->n; i++)
		if (!t->columns[i].generated) {
			clq_buf_printf(b, "%s\n      %s = ", comma,
			    t->columns[i].ident);
			add_value(b, &t->columns[i]);
			comma = ",";
		}
	if (*comma == '\0')
		clq_buf_printf(b, " %s = t.%s", t->modified.ident,
		    t->modified.ident);
	clq_buf_printf(b, "\n      WHERE t.%s = %s AND %s\n"
	    "      RETURNING t.%s, %s INTO stamp, stored;\n", t->id.ident,
	    p->id, p->in, t->modified.ident, t->document);
}

static void
add_insert(struct clq_buf *b, const struct pieces *p)
{
	const struct pg_table *t = p->t;
	bool parent = t->conf->parent_column != NULL;
	size_t i;

	clq_buf_printf(b, "  ELSE\n    INSERT INTO %s AS t (%s%s%s", t->name,
	    t->id.ident, parent ? ", " : "", parent ? t->parent.ident : "");
	for (i = 0; i < t->n; i++)
		if (!t->columns[i].generated)
			clq_buf_printf(b, ",\n      %s", t->columns[i].ident);
	clq_buf_printf(b, ")\n      VALUES (%s%s%s", p->id,
	    parent ? ", " : "", parent ? p->own : "");
	for (i = 0; i < t->n; i++)
		if (!t->columns[i].generated) {
			clq_buf_adds(b, ",\n      ");
			add_value(b, &t->columns[i]);
		}
	clq_buf_printf(b, ")\n      RETURNING t.%s, %s INTO stamp, "
	    "stored;\n  END IF;\n", t->modified.ident, t->document);
}

static const char *
keys(struct clq_arena *arena, const struct pg_table *t)
{
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, arena, 256);
	for (i = 0; i < t->n; i++)
		clq_buf_printf(&b, "%s%s", i > 0 ? ",\n      " : "",
		    t->columns[i].literal);
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

/* Without the column's length: a cast to it would cut. */
static const char *
key_type(const struct pg_table_column *c)
{
	return c->kind == PG_UUID ? "uuid" : "text";
}

static struct pieces
pieces_of(struct clq_arena *arena, const struct pg_table *t)
{
	struct pieces p = { t, "list_ = ''", "NULL", NULL };

	p.id = clq_arena_printf(arena, "id_::%s", key_type(&t->id)).p;
	if (t->conf->parent_column == NULL)
		return p;
	/* characters, not bytes; a path's are ASCII or escaped */
	p.own = clq_arena_printf(arena, "substr(list_, length(%s) + 1)::%s",
	    t->prefix_sql, key_type(&t->parent)).p;
	p.in = clq_arena_printf(arena, "t.%s = %s", t->parent.ident,
	    p.own).p;
	return p;
}

static const char *
changes(struct clq_arena *arena, const struct pieces *p)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 2048);
	add_update(&b, p);
	add_insert(&b, p);
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

/* Everything but the mark. */
static struct clq_str
body(struct clq_arena *arena, const struct pg_table *t)
{
	struct pieces p = pieces_of(arena, t);
	bool parent = t->conf->parent_column != NULL;
	const char *lists = !parent ? "" : clq_arena_printf(arena, "%s, ",
	    t->parent.ident).p;
	const struct word words[] = {
		/* longer names before those that they begin with */
		{ "lock", t->fn[PG_FN_LOCK] }, { "tick", t->fn[PG_FN_TICK] },
		{ "bury", t->fn[PG_FN_BURY] },
		{ "stamp", t->fn[PG_FN_STAMP] },
		{ "moved", t->fn[PG_FN_MOVED] },
		{ "write", t->fn[PG_FN_WRITE] }, { "table", t->name },
		{ "regclass", t->name_literal },
		{ "resource", t->resource_sql }, { "schema", t->schema },
		{ "indexname", t->index_literal }, { "index", t->index },
		{ "idtype", key_type(&t->id) }, { "id", t->id.ident },
		{ "in", p.in }, { "modified", t->modified.ident },
		{ "keys", keys(arena, t) }, { "lists", lists },
		{ "change", changes(arena, &p) },
	};
	size_t n = CLQ_COUNT(words);
	struct clq_buf out;

	clq_buf_init(&out, arena, 16384);
	expand(&out, t, words, n, functions);
	expand(&out, t, words, n, write_function);
	expand(&out, t, words, n, table_changes);
	if (!parent)
		expand(&out, t, words, n, clock_trigger);
	return clq_buf_str(&out);
}

/* ---- the mark ------------------------------------------------------------ */

static const char *
mark(struct clq_arena *arena, struct clq_str text)
{
	return clq_arena_printf(arena, "cliquet %016llx",
	    (unsigned long long)pg_hash(PG_HASH, text)).p;
}

bool
pg_table_is_ready(struct clq_arena *arena, const struct pg_table *t)
{
	return t->complete && t->fn[PG_FN_WRITE] != NULL &&
	    strcmp(t->remembered, mark(arena, body(arena, t))) == 0;
}

struct clq_str
pg_table_script(struct clq_arena *arena, const struct pg_table *t)
{
	struct clq_str text = body(arena, t);
	const char *name = mark(arena, text);

	return clq_arena_printf(arena, "BEGIN;\n"
	    "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE;\n"
	    "%.*sCOMMENT ON FUNCTION %s IS '%s';\nCOMMIT;\n", t->name,
	    CLQ_FMT(text), t->fn[PG_FN_WRITE], name);
}
