/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet migrate`: create the tables, or add to those of Kinto what makes
 * them faster (pg_schema.h).
 *
 * The service may be running. Steps that change tables are one transaction;
 * indexes of large tables are built without locking them (CONCURRENTLY), which
 * cannot be part of one. An index whose building was interrupted is dropped
 * and built anew. A second migration at the same time is refused after a few
 * seconds: waiting in a statement, it would stop the first one's indexes.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include <poll.h>
#include <stdio.h>

#include "storage/pg_schema.h"

enum { VERSION = 1 };		/* of cliquet's additions */

/* A migration takes as long as it takes. */
#define PATIENCE	((clq_msec)24 * 3600 * 1000)
#define MOMENT		((clq_msec)5000)

struct migration {
	struct pg_db	*db;
	bool		 dry_run;
	void		(*say)(const char *line);
	enum clq_status	 status;
};

static void
run(struct migration *m, const char *sql)
{
	PGresult *res;

	if (m->status != CLQ_OK || m->dry_run)
		return;
	res = pg_ask(m->db, sql, clq_monotonic() + PATIENCE);
	if (res == NULL)
		m->status = CLQ_FAILED;		/* told */
	PQclear(res);
}

static void
say(const struct migration *m, const char *verb, const char *what)
{
	char line[160];

	snprintf(line, sizeof line, "PostgreSQL: %s%s %s",
	    m->dry_run ? "would " : "", verb, what);
	m->say(line);
}

/* The statements themselves, for those who run them by hand. */
static void
show(const struct migration *m, const char *sql)
{
	struct clq_str rest = clq_str_of(sql), line;
	char text[200];

	while (m->dry_run && clq_str_next(&rest, '\n', &line)) {
		snprintf(text, sizeof text, "    %.*s", CLQ_FMT(line));
		m->say(text);
	}
}

static void
run_step(struct migration *m, const struct pg_step *step)
{
	if (m->status != CLQ_OK)
		return;
	say(m, "make", step->what);
	show(m, step->sql);
	run(m, step->sql);
}

/* Those that can be part of a transaction, or those that cannot. */
static void
run_steps(struct migration *m, const struct pg_step *steps, size_t n,
    bool alone)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (steps[i].alone == alone)
			run_step(m, &steps[i]);
}

/* What CREATE INDEX CONCURRENTLY leaves if it is interrupted. */
static void
drop_invalid(struct migration *m)
{
	run(m, "DO $$ DECLARE name TEXT; BEGIN"
	    " FOR name IN SELECT c.oid::regclass::text FROM pg_index AS i"
	    " JOIN pg_class AS c ON c.oid = i.indexrelid"
	    " WHERE NOT i.indisvalid AND c.relname LIKE 'idx\\_cliquet\\_%'"
	    " LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END $$");
}

/* Tables, in one transaction; then what must stand alone. */
static void
apply(struct migration *m, const struct pg_state *s)
{
	const struct pg_db *db = m->db;
	bool tables = db->storage && s->storage == 0;
	bool permissions = db->permission && s->permission == 0;

	run(m, "BEGIN");
	if (tables)
		run_steps(m, pg_storage_steps, CLQ_COUNT(pg_storage_steps),
		    false);
	if (permissions)
		run_steps(m, pg_permission_steps,
		    CLQ_COUNT(pg_permission_steps), false);
	run(m, "COMMIT");
	if (m->status == CLQ_OK)
		drop_invalid(m);
	if (db->storage)
		run_steps(m, pg_storage_additions,
		    CLQ_COUNT(pg_storage_additions), true);
	if (db->permission)
		run_steps(m, pg_permission_additions,
		    CLQ_COUNT(pg_permission_additions), true);
	if (db->storage)
		run_steps(m, pg_storage_additions,
		    CLQ_COUNT(pg_storage_additions), false);
}

/* What has been added is complete: say so in the database. */
static void
note_version(struct migration *m)
{
	char sql[256];

	snprintf(sql, sizeof sql, "INSERT INTO metadata (name, value)"
	    " SELECT 'cliquet_schema_version', '%d' WHERE NOT EXISTS ("
	    "SELECT 1 FROM metadata WHERE name = 'cliquet_schema_version'"
	    " AND value = '%d')", (int)VERSION, (int)VERSION);
	run(m, sql);
}

static void
describe(const struct migration *m, const struct pg_state *s)
{
	char line[160];

	snprintf(line, sizeof line, "PostgreSQL: schema version of objects "
	    "%d, of permissions %d, of cliquet's additions %d", s->storage,
	    s->permission, s->cliquet);
	m->say(line);
}

/* Versions that cannot be migrated are refused with the same words as by a
 * worker. */
static bool
acceptable(struct migration *m, const struct pg_state *s)
{
	struct pg_state goal = *s;
	const char *why;
	char text[256];

	if (goal.storage == 0)
		goal.storage = PG_STORAGE_VERSION;
	if (goal.permission == 0)
		goal.permission = PG_PERMISSION_VERSION;
	goal.cache = true;
	why = pg_schema_verdict(m->db, &goal, text, sizeof text);
	if (why != NULL)
		m->status = pg_complain(m->db, why);
	return why == NULL;
}

static bool
complete(const struct pg_db *db, const struct pg_state *s)
{
	if (db->cache)		/* which is an instance of its own */
		return s->cache;
	return (!db->storage || s->storage > 0) &&
	    (!db->permission || s->permission > 0) && s->cliquet >= VERSION;
}

/* 't', 'f' or, with the error said, 0. */
static char
try_lock(struct pg_db *db)
{
	PGresult *res = pg_ask(db, "SET TIME ZONE 'UTC';"
	    "SET client_min_messages TO warning;"
	    "SELECT pg_try_advisory_lock(hashtext('cliquet migrate'))",
	    clq_monotonic() + PATIENCE);
	char got = 0;

	if (res != NULL)
		got = PQgetvalue(res, 0, 0)[0];
	PQclear(res);
	return got;
}

/* The session's lock goes with the session, a killed one's a moment after it:
 * hence some patience, with no statement open meanwhile. */
enum clq_status
pg_be_alone(struct pg_db *db)
{
	clq_msec end = clq_monotonic() + MOMENT;
	char got;

	while ((got = try_lock(db)) == 'f' && clq_monotonic() < end)
		(void)poll(NULL, 0, 100);
	if (got == 0)
		return CLQ_UNAVAILABLE;
	return got == 't' ? CLQ_OK : pg_complain(db, "another migration is "
	    "running: wait for its end");
}

/* Said, since the server notices the end of a session a little later, when the
 * next one may have come. */
void
pg_not_alone(struct pg_db *db)
{
	if (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK)
		PQclear(pg_ask(db, "SELECT pg_advisory_unlock_all()",
		    clq_monotonic() + db->timeout));
}

/* Triggers and functions for the tables that resources are mapped to
 * (pg_table_script.c), where they are not there or for another mapping. */
static void
migrate_tables(struct migration *m)
{
	struct clq_arena *arena = clq_arena_new();
	size_t i;

	for (i = 0; m->status == CLQ_OK && i < m->db->ntables; i++) {
		const struct clq_table *conf = m->db->maps[i];
		struct pg_step step = { .alone = false };
		struct pg_table t;
		const char *why;

		m->status = pg_table_read(m->db, arena, conf,
		    clq_monotonic() + PATIENCE, &t, &why);
		if (m->status == CLQ_OK && why != NULL)
			m->status = pg_complain(m->db, why);
		if (m->status != CLQ_OK || pg_table_is_ready(arena, &t))
			continue;
		step.what = clq_arena_printf(arena, "clock and triggers of "
		    "table %s for the resource %s", t.name,
		    conf->resource).p;
		step.sql = pg_table_script(arena, &t).p;
		run_step(m, &step);
	}
	clq_arena_free(&arena);
}

static void
migrate(struct migration *m)
{
	struct pg_state s;

	m->status = pg_be_alone(m->db);
	if (m->status == CLQ_OK)
		m->status = pg_schema_read(m->db, clq_monotonic() + PATIENCE,
		    &s);
	if (m->status != CLQ_OK)
		return;
	describe(m, &s);
	if (!acceptable(m, &s))
		return;
	if (complete(m->db, &s)) {
		migrate_tables(m);
		return;
	}
	if (m->db->cache) {
		run_step(m, &pg_cache_step);
		return;
	}
	apply(m, &s);
	note_version(m);
	migrate_tables(m);
}

enum clq_status
pg_migrate(void *self, bool dry_run, void (*say_)(const char *line))
{
	struct migration m = { .db = pg_self(self), .dry_run = dry_run,
	    .say = say_, .status = CLQ_OK };

	m.status = pg_attach(m.db);
	if (m.status == CLQ_OK)
		migrate(&m);
	pg_not_alone(m.db);
	pg_disconnect(m.db);	/* the next use looks at the tables anew */
	return m.status;
}
