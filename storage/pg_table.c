/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which resources are tables (pg_table.h), and whether all that is needed is
 * there, else what to do.
 *
 * Looked at in the master, if the database can be reached then, and by each
 * worker when it connects: a table may change at any time, and what was made
 * for it is recognised by a mark over all that it depends on.
 *
 * A table that a worker cannot serve is the trouble of its resource alone:
 * requests for that one are answered 503, and so is the heartbeat, until it
 * has been repaired, for which is looked again while anybody asks.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <string.h>

enum {
	LOOK_MSEC = 1000,	/* between two looks at broken ones */
	TELL_MSEC = 10000	/* between two lines about one */
};

bool
pg_is_mapped(const struct pg_db *db, struct clq_str resource)
{
	size_t i;

	for (i = 0; i < db->ntables; i++)
		if (clq_str_is(resource, db->maps[i]->resource))
			return true;
	return false;
}

/* ---- those that cannot be served ----------------------------------------- */

static void
tell(struct pg_db *db, size_t i, const char *why)
{
	clq_msec now = clq_monotonic(), *told = &db->tables_told[i];

	if (*told != 0 && now - *told < TELL_MSEC)
		return;
	*told = now;
	clq_log_err("postgresql: %s: %s; requests for this resource are "
	    "answered 503 until then", db->shown, why);
}

static void
look_soon(struct pg_db *db)
{
	if (clq_monotonic() - db->tables_at >= LOOK_MSEC)
		db->look_again = true;
}

bool
pg_tables_broken(struct pg_db *db)
{
	bool broken = false;
	size_t i;

	for (i = 0; db->tables != NULL && i < db->ntables; i++)
		if (db->tables[i].broken != NULL) {
			tell(db, i, db->tables[i].broken);
			broken = true;
		}
	return broken;
}

void
pg_table_refuse(struct pg_db *db, size_t i)
{
	tell(db, i, db->tables[i].broken);
	look_soon(db);
	if (db->doomed == CLQ_OK)
		db->doomed = CLQ_UNAVAILABLE;
}

const struct pg_table *
pg_table_of(struct pg_db *db, struct clq_str resource)
{
	size_t i;

	for (i = 0; db->tables != NULL && i < db->ntables; i++) {
		if (!clq_str_eq(resource, db->tables[i].resource))
			continue;
		if (db->tables[i].broken == NULL)
			return &db->tables[i];
		pg_table_refuse(db, i);
		return NULL;
	}
	return NULL;
}

/* ---- looking at all of them ---------------------------------------------- */

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

/* Read the catalog about table i of all, after those before it. */
static enum clq_status
read_next(struct pg_db *db, struct clq_arena *arena, clq_msec until,
    struct pg_table *all, size_t i, const char **why)
{
	enum clq_status status = pg_table_read(db, arena, db->maps[i], until,
	    &all[i], why);

	if (status == CLQ_OK && *why == NULL)
		*why = taken(arena, all, i);
	return status;
}

/* What a worker needs of table i, beyond what the master looks at. */
static void
judge(struct pg_db *db, struct pg_table *all, size_t i, const char *why)
{
	struct clq_arena *arena = db->tables_arena;

	if (why == NULL && !pg_table_is_ready(arena, &all[i]))
		why = clq_arena_printf(arena, "resource %s, table %s: it has "
		    "no triggers of cliquet, or those for another mapping or "
		    "another form of the table: run `cliquet migrate`",
		    db->maps[i]->resource, all[i].name).p;
	all[i].broken = why;
	if (why != NULL) {
		tell(db, i, why);
	} else if (db->tables_told[i] != 0) {
		db->tables_told[i] = 0;
		clq_log_info("postgresql: %s: resource %s, table %s: is "
		    "served again", db->shown, db->maps[i]->resource,
		    all[i].name);
	}
}

enum clq_status
pg_tables_load(struct pg_db *db, clq_msec until)
{
	enum clq_status status = CLQ_OK;
	struct pg_table *all;
	const char *why;
	size_t i;

	db->tables = NULL;
	db->look_again = false;
	if (db->ntables == 0)
		return CLQ_OK;
	if (db->tables_arena == NULL)
		db->tables_arena = clq_arena_new();
	clq_arena_reset(db->tables_arena);
	all = clq_arena_calloc(db->tables_arena, db->ntables, sizeof *all);
	for (i = 0; i < db->ntables; i++) {
		status = read_next(db, db->tables_arena, until, all, i, &why);
		if (status != CLQ_OK)
			return status;
		judge(db, all, i, why);
	}
	db->tables = all;
	db->tables_at = clq_monotonic();
	return CLQ_OK;
}

enum clq_status
pg_tables_again(struct pg_db *db, clq_msec until)
{
	if (!db->look_again)
		return CLQ_OK;
	if (PQexitPipelineMode(db->conn) == 1 &&
	    pg_tables_load(db, until) == CLQ_OK &&
	    PQenterPipelineMode(db->conn) == 1)
		return CLQ_OK;
	pg_disconnect(db);
	return pg_connect(db, until);
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
		if (read_next(db, arena, until, all, i, &why) != CLQ_OK)
			return rc;	/* said; a worker will see */
		if (why != NULL)
			rc = clq_settings_error(settings, db->maps[i]->key,
			    "%s", why);
	}
	return rc;
}

/* ---- what the ini says --------------------------------------------------- */

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
	db->tables_told = clq_arena_calloc(db->arena, n,
	    sizeof *db->tables_told);
	for (i = 0; i < n; i++)
		if (check_mapping(settings, tables[i]) != CLQ_OK)
			rc = CLQ_INVALID;
	if (rc == CLQ_OK && pg_attach(db) == CLQ_OK)
		rc = check_all(db, settings, arena);
	pg_disconnect(db);
	clq_arena_free(&arena);
	return rc;
}
