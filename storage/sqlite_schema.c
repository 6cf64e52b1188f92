/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, their version, and how they are made and upgraded.
 *
 * PRAGMA application_id tells our files from other people's, user_version is
 * the version of the tables: the number of steps of `steps` that were applied.
 * A new file gets its tables from the first worker that opens it; an older one
 * is upgraded by `cliquet migrate` only.
 *
 * objects holds the living and the tombstones (deleted = 1, data '{}'). Its
 * indexes each have one purpose: `objects_id` look-ups, `objects_modified` the
 * distinctness of timestamps and lists with tombstones, `objects_live` lists
 * and counts of the living, which must not wade through tombstones (`deleted`
 * is in it so that a count need not look at the rows). Rows are kept apart
 * from the keys (not WITHOUT ROWID), so that scans of an index pass by the
 * documents and long documents do not spill one page each.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x636c7174 };	/* "clqt" */

/* clang-format off */
static const char *const steps[] = {
	"CREATE TABLE objects ("
	" resource TEXT NOT NULL,"
	" parent TEXT NOT NULL,"
	" id TEXT NOT NULL,"
	" last_modified INTEGER NOT NULL,"
	" deleted INTEGER NOT NULL,"
	" data TEXT NOT NULL);"
	"CREATE UNIQUE INDEX objects_id"
	" ON objects(resource, parent, id);"
	"CREATE UNIQUE INDEX objects_modified"
	" ON objects(resource, parent, last_modified);"
	"CREATE INDEX objects_live"
	" ON objects(resource, parent, last_modified, deleted)"
	" WHERE deleted = 0;"
	"CREATE TABLE timestamps ("
	" resource TEXT NOT NULL,"
	" parent TEXT NOT NULL,"
	" last_modified INTEGER NOT NULL,"
	" PRIMARY KEY (resource, parent)) WITHOUT ROWID;"
	"CREATE TABLE user_principals ("
	" user TEXT NOT NULL,"
	" principal TEXT NOT NULL,"
	" PRIMARY KEY (user, principal)) WITHOUT ROWID;"
	"CREATE INDEX user_principals_principal"
	" ON user_principals(principal);"
	"CREATE TABLE access_control_entries ("
	" object TEXT NOT NULL,"
	" permission TEXT NOT NULL,"
	" principal TEXT NOT NULL,"
	" PRIMARY KEY (object, permission, principal)) WITHOUT ROWID;"
	"CREATE INDEX access_control_entries_principal"
	" ON access_control_entries(principal, permission, object);"
	"CREATE TABLE heartbeat ("
	" id INTEGER PRIMARY KEY,"
	" value INTEGER NOT NULL);",
};
/* clang-format on */

enum { SCHEMA_VERSION = CLQ_COUNT(steps) };

/* What a file is. */
struct state {
	int64_t	application;
	int64_t	version;
	int64_t	tables;
};

static void
say_log(const char *line)
{
	clq_log_info("%s", line);
}

/* The first column of the only row of sql. */
static int
ask(struct sq_db *q, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(q->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int64(stmt, 0);
		rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int
read_state(struct sq_db *q, struct state *s)
{
	int rc;

	memset(s, 0, sizeof *s);
	rc = ask(q, "PRAGMA application_id", &s->application);
	if (rc == SQLITE_OK)
		rc = ask(q, "PRAGMA user_version", &s->version);
	if (rc == SQLITE_OK)
		rc = ask(q, "SELECT count(*) FROM sqlite_schema", &s->tables);
	return rc;
}

static enum clq_status
failed(struct sq_db *q, int rc)
{
	if ((rc & 0xff) == SQLITE_NOTADB)
		return sq_complain(q, "is not an SQLite database: check "
		    "storage_url, or move the file away");
	(void)sq_complain(q, sqlite3_errmsg(q->db));
	return (rc & 0xff) == SQLITE_READONLY ? CLQ_READONLY :
	    CLQ_UNAVAILABLE;
}

/*
 * The journal mode lives in the file. Changing it needs the file alone, and
 * other workers may be opening it in the same moment.
 */
static int
ensure_wal(struct sq_db *q)
{
	const struct timespec pause = { 0, 10000000 };
	clq_msec deadline = clq_monotonic() + q->lock_timeout;
	int rc;

	if (sqlite3_db_readonly(q->db, "main") != 0)
		return SQLITE_OK;
	while ((rc = sqlite3_exec(q->db, "PRAGMA journal_mode=wal", NULL,
	    NULL, NULL)) != SQLITE_OK) {
		if ((rc & 0xff) != SQLITE_BUSY || clq_monotonic() > deadline)
			break;
		nanosleep(&pause, NULL);
	}
	return rc;
}

/* Apply the steps that lack, in one transaction. */
static int
apply_steps(struct sq_db *q, void (*say)(const char *line))
{
	struct state s;
	char text[128];
	int rc = sq_lock(q, q->lock_timeout);
	int64_t i;

	if (rc != SQLITE_OK)
		return rc;
	rc = read_state(q, &s);		/* another may have been faster */
	for (i = s.version; rc == SQLITE_OK && i < SCHEMA_VERSION; i++) {
		rc = sqlite3_exec(q->db, steps[i], NULL, NULL, NULL);
		snprintf(text, sizeof text, "SQLite tables brought to "
		    "version %lld", (long long)i + 1);
		if (rc == SQLITE_OK)
			say(text);
	}
	if (rc == SQLITE_OK && s.version < SCHEMA_VERSION) {
		snprintf(text, sizeof text, "PRAGMA application_id=%d;"
		    "PRAGMA user_version=%d", (int)APPLICATION_ID,
		    (int)SCHEMA_VERSION);
		rc = sqlite3_exec(q->db, text, NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK) {
		(void)sq_unlock(q, false);
		return rc;
	}
	return sq_unlock(q, true);
}

/* CLQ_OK if the file is empty or ours and not newer than we are. */
static enum clq_status
examine(struct sq_db *q, const struct state *s)
{
	char text[160];

	if (s->application == APPLICATION_ID && s->version <= SCHEMA_VERSION)
		return CLQ_OK;
	if (s->application == APPLICATION_ID) {
		snprintf(text, sizeof text, "has tables of version %lld, made "
		    "by a newer cliquet; this one knows %d: upgrade it",
		    (long long)s->version, (int)SCHEMA_VERSION);
		return sq_complain(q, text);
	}
	if (s->application == 0 && s->version == 0 && s->tables == 0)
		return CLQ_OK;
	return sq_complain(q, "is a database of another program: check "
	    "storage_url");
}

/* The state of one moment: while several workers open a new file, one of them
 * makes its tables. */
static int
read_snapshot(struct sq_db *q, struct state *s)
{
	int rc = sqlite3_exec(q->db, "BEGIN", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = read_state(q, s);
	(void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

enum clq_status
sq_schema_check(struct sq_db *q, bool create)
{
	enum clq_status status;
	struct state s;
	int rc = read_snapshot(q, &s);

	if (rc != SQLITE_OK)
		return failed(q, rc);
	if ((status = examine(q, &s)) != CLQ_OK)
		return status;
	if (s.application == 0) {
		if (!create)
			return sq_complain(q, "has no tables yet: run `cliquet "
			    "migrate`");
		if ((rc = ensure_wal(q)) != SQLITE_OK ||
		    (rc = apply_steps(q, say_log)) != SQLITE_OK)
			return failed(q, rc);
		return CLQ_OK;
	}
	if (s.version < SCHEMA_VERSION)
		return sq_complain(q, "has tables of an older version: run "
		    "`cliquet migrate`");
	if ((rc = ensure_wal(q)) != SQLITE_OK)
		return failed(q, rc);
	return CLQ_OK;
}

static enum clq_status
migrate(struct sq_db *q, bool dry_run, void (*say)(const char *line))
{
	enum clq_status status;
	struct state s = { 0 };
	char text[128];
	int rc;

	if (!dry_run || access(q->path, F_OK) == 0) {
		if ((status = sq_attach(q, !dry_run)) != CLQ_OK)
			return status;
		if ((rc = read_snapshot(q, &s)) != SQLITE_OK)
			return failed(q, rc);
		if ((status = examine(q, &s)) != CLQ_OK)
			return status;
	}
	snprintf(text, sizeof text, "SQLite tables: version %lld, %s %d",
	    (long long)s.version, s.version == SCHEMA_VERSION ?
	    "up to date with" : "to be brought to", (int)SCHEMA_VERSION);
	say(text);
	if (dry_run)
		return CLQ_OK;
	if ((rc = ensure_wal(q)) != SQLITE_OK ||
	    (rc = apply_steps(q, say)) != SQLITE_OK)
		return failed(q, rc);
	return CLQ_OK;
}

enum clq_status
sq_migrate(void *self, bool dry_run, void (*say)(const char *line))
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = migrate(q, dry_run, say);

	sq_disconnect(q);	/* the next use looks at the tables anew */
	return status;
}
