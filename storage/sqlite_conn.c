/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instance, its connection and its prepared statements.
 *
 * A connection belongs to the worker that opened it. One that met an error
 * which reopening may cure is closed at the end of the transaction and opened
 * again by the next. Statements are found by their text: the fixed ones stay,
 * those built for queries give way to each other.
 *
 * Every failure of SQLite goes through sq_error(), which also dooms the
 * transaction: what has failed in part must never be committed.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	COMPLAIN_MSEC	= 5000,		/* between lines about connecting */
	WAL_LIMIT_BYTES	= 64 << 20,	/* a WAL grown larger is cut to it */
	UNDO_BYTES	= 1 << 20	/* kept in memory to undo a part of a
					   transaction, then in a file */
};

/* clang-format off */
static const struct clq_setting settings_table[] = {
	{ "sqlite_synchronous", CLQ_SET_STR, "full", 0, 0, NULL,
	    "When a write counts as done: full (on the disk), normal (on the "
	    "disk soon: a power failure may undo the last ones), off." },
	{ "sqlite_busy_timeout", CLQ_SET_INT, "10000", 1, 3600000,
	    "milliseconds",
	    "How long a request waits for other writers before it is answered "
	    "with 503." },
	{ "sqlite_wal_pages", CLQ_SET_INT, "4000", 1, 1000000, "pages",
	    "Size of the write-ahead log at which it is copied into the "
	    "database." },
	{ "sqlite_cache_size", CLQ_SET_INT, "16384", 64, 4194304, "KiB",
	    "Memory that each worker uses to keep parts of the database." },
};
/* clang-format on */

/* ---- the instance ----------------------------------------------------- */

struct sq_db *
sq_self(void *self)
{
	struct sq_db *q = self;

	assert(q != NULL && q->magic == SQ_MAGIC);
	return q;
}

/*
 * What one part of a batch changes is often a little more than SQLite's own
 * bound, and once it is in a file so is the rest. Its statistics of memory,
 * which nobody reads, are a lock for each allocation. Refused where SQLite is
 * at work already, which only costs time.
 */
static void
tune_library(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, (int)UNDO_BYTES);
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum clq_status
sq_new(struct clq_settings *settings, const char *path, struct sq_db **out)
{
	struct clq_arena *arena;
	struct clq_str sync;
	struct sq_db *q;

	if (clq_settings_declare(settings, settings_table,
	    CLQ_COUNT(settings_table)) != CLQ_OK)
		return CLQ_INVALID;
	sync = clq_settings_str(settings, "sqlite_synchronous");
	if (!clq_str_is(sync, "full") && !clq_str_is(sync, "normal") &&
	    !clq_str_is(sync, "off"))
		return clq_settings_error(settings, "sqlite_synchronous",
		    "\"%.*s\" is none of full, normal, off", CLQ_FMT(sync));
	tune_library();
	arena = clq_arena_new();
	q = clq_arena_alloc(arena, sizeof *q);
	q->magic = SQ_MAGIC;
	q->arena = arena;
	q->path = clq_arena_cstr(arena, clq_str_of(path));
	q->synchronous = clq_arena_cstr(arena, sync);
	q->lock_timeout = clq_settings_int(settings, "sqlite_busy_timeout",
	    10000);
	q->wal_pages = (int)clq_settings_int(settings, "sqlite_wal_pages",
	    4000);
	q->cache_kib = (int)clq_settings_int(settings, "sqlite_cache_size",
	    16384);
	q->readonly = clq_settings_bool(settings, "readonly", false);
	q->complained = -COMPLAIN_MSEC;
	q->declared_at = -1;
	*out = q;
	return CLQ_OK;
}

void
sq_free(struct sq_db **q)
{
	struct clq_arena *arena;

	if (*q == NULL)
		return;
	sq_disconnect(*q);
	free((*q)->scratch.p);
	sq_known_free(*q);
	sq_clock_free(*q);
	clq_arena_free(&(*q)->declared_arena);
	arena = (*q)->arena;
	(*q)->magic = 0;
	*q = NULL;
	clq_arena_free(&arena);
}

/* ---- the connection --------------------------------------------------- */

enum clq_status
sq_complain(struct sq_db *q, const char *why)
{
	clq_msec now = clq_monotonic();

	if (now - q->complained >= COMPLAIN_MSEC) {
		q->complained = now;
		clq_log_err("sqlite: %s: %s", q->path, why);
	}
	return CLQ_UNAVAILABLE;
}

/*
 * SQLite would create the file readable by everybody. The descriptor is closed
 * at once, which drops no lock: nobody can have the new file open yet.
 */
static enum clq_status
create_file(struct sq_db *q)
{
	int fd = open(q->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int why = errno;

	if (fd == -1 && why == ENOENT)
		return sq_complain(q, "its folder does not exist: make it, "
		    "owned by the user the server runs as");
	if (fd == -1 && why != EEXIST && access(q->path, F_OK) == -1)
		return sq_complain(q, strerror(why));
	if (fd != -1)
		close(fd);
	return CLQ_OK;
}

static int
set_pragmas(struct sq_db *q)
{
	char sql[256];

	sqlite3_snprintf(sizeof sql, sql,
	    "PRAGMA synchronous=%s;"
	    "PRAGMA wal_autocheckpoint=%d;"
	    "PRAGMA journal_size_limit=%d;"
	    "PRAGMA cache_size=-%d;"
	    "PRAGMA secure_delete=fast;"
	    "PRAGMA trusted_schema=off;",
	    q->synchronous, q->wal_pages, WAL_LIMIT_BYTES, q->cache_kib);
	return sqlite3_exec(q->db, sql, NULL, NULL, NULL);
}

enum clq_status
sq_attach(struct sq_db *q, bool create)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	const char *vfs = NULL;
	enum clq_status status;
	int rc = SQLITE_OK;

	if (q->db != NULL)
		return CLQ_OK;
	if (create && (status = create_file(q)) != CLQ_OK)
		return status;
	q->pid = getpid();
	if (strcmp(q->synchronous, "full") == 0)
		rc = sq_vfs_register(&vfs);
	if (rc == SQLITE_OK)
		rc = sqlite3_open_v2(q->path, &q->db, flags, vfs);
	if (rc == SQLITE_OK)
		rc = sqlite3_extended_result_codes(q->db, 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(q->db, (int)q->lock_timeout);
	if (rc == SQLITE_OK)
		rc = set_pragmas(q);
	if (rc == SQLITE_OK)
		rc = sq_match_register(q);
	if (rc != SQLITE_OK) {
		status = sq_complain(q, q->db != NULL ?
		    sqlite3_errmsg(q->db) : sqlite3_errstr(rc));
		sq_disconnect(q);
		return status;
	}
	if (sqlite3_db_readonly(q->db, "main") == 0)
		q->queue = sq_queue_open(q->path);
	return CLQ_OK;
}

enum clq_status
sq_connect(struct sq_db *q, bool create)
{
	enum clq_status status;

	if (q->db != NULL)
		return CLQ_OK;
	status = sq_attach(q, create);
	if (status == CLQ_OK)
		status = sq_schema_check(q, create);
	if (status != CLQ_OK)
		sq_disconnect(q);
	return status;
}

static void
forget_statement(struct sq_prepared *p)
{
	sqlite3_finalize(p->stmt);
	if (!p->fixed)
		sqlite3_free((void *)(uintptr_t)p->sql);
	memset(p, 0, sizeof *p);
}

void
sq_disconnect(struct sq_db *q)
{
	size_t i;

	if (q->db != NULL && q->pid == getpid()) {
		for (i = 0; i < SQ_STATEMENTS; i++)
			forget_statement(&q->statements[i]);
		if (sqlite3_close(q->db) != SQLITE_OK)
			clq_log_err("sqlite: %s: close: %s", q->path,
			    sqlite3_errmsg(q->db));
	}
	/* What another process opened must not be touched, only forgotten. */
	memset(q->statements, 0, sizeof q->statements);
	q->db = NULL;
	q->declared_at = -1;
	sq_known_forget(q);
	sq_queue_close(&q->queue);
	q->lost = false;
}

/* ---- errors ----------------------------------------------------------- */

static enum clq_status
translate(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
		return rc == SQLITE_BUSY_SNAPSHOT ? CLQ_RETRY :
		    CLQ_UNAVAILABLE;
	case SQLITE_READONLY:
		return rc == SQLITE_READONLY_DBMOVED ? CLQ_UNAVAILABLE :
		    CLQ_READONLY;
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_PROTOCOL:
	case SQLITE_NOMEM:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return CLQ_UNAVAILABLE;
	default:
		return CLQ_FAILED;
	}
}

/* True if a fresh connection may see something else. */
static bool
reopen_helps(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_READONLY:
		return true;
	default:
		return false;
	}
}

enum clq_status
sq_error(struct sq_db *q, int rc, const char *what)
{
	enum clq_status status = translate(rc);
	const char *why = sqlite3_errstr(rc);

	if (q->db != NULL && sqlite3_extended_errcode(q->db) == rc)
		why = sqlite3_errmsg(q->db);
	if ((rc & 0xff) == SQLITE_FULL)
		why = "the disk is full, or a quota is reached";
	if (status == CLQ_RETRY)
		clq_log_debug("sqlite: %s: %s: %s", q->path, what, why);
	else
		clq_log_err("sqlite: %s: %s: %s (%d)", q->path, what, why, rc);
	if (reopen_helps(rc))
		q->lost = true;
	if (q->doomed == CLQ_OK)
		q->doomed = status;
	return q->doomed;
}

/* ---- statements ------------------------------------------------------- */

static uint64_t
hash_text(const char *s)
{
	uint64_t h = 14695981039346656037u;	/* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

/* A free place, or that of the query longest not seen. */
static struct sq_prepared *
choose_place(struct sq_db *q)
{
	struct sq_prepared *p, *oldest = NULL, *empty = NULL;
	size_t dynamic = 0;

	for (p = q->statements; p < q->statements + SQ_STATEMENTS; p++) {
		if (p->stmt == NULL) {
			empty = p;
			continue;
		}
		if (p->fixed)
			continue;
		dynamic++;
		if (oldest == NULL || p->used < oldest->used)
			oldest = p;
	}
	if (empty == NULL || dynamic >= SQ_STATEMENTS - SQ_MAX_FIXED) {
		forget_statement(oldest);
		return oldest;
	}
	return empty;
}

sqlite3_stmt *
sq_prepare(struct sq_db *q, const char *sql, bool fixed)
{
	struct sq_prepared *p, **recent;
	uint64_t hash;
	int rc;

	/* mostly the same literal as the last time */
	recent = &q->recent[(uintptr_t)sql / 8 % SQ_RECENT];
	p = *recent;
	if (fixed && p != NULL && p->sql == sql)
		goto found;
	hash = hash_text(sql);
	for (p = q->statements; p < q->statements + SQ_STATEMENTS; p++)
		if (p->hash == hash && p->stmt != NULL &&
		    strcmp(p->sql, sql) == 0)
			goto found;
	p = choose_place(q);
	rc = sqlite3_prepare_v3(q->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
	    &p->stmt, NULL);
	if (rc != SQLITE_OK) {
		memset(p, 0, sizeof *p);
		sq_error(q, rc, sql);
		return NULL;
	}
	p->hash = hash;
	p->fixed = fixed;
	p->sql = fixed ? sql : sqlite3_mprintf("%s", sql);
	if (p->sql == NULL) {
		forget_statement(p);
		sq_error(q, SQLITE_NOMEM, sql);
		return NULL;
	}
found:	p->used = ++q->clock;
	*recent = p;
	return p->stmt;
}

void
sq_bind_str(struct sq_db *q, sqlite3_stmt *stmt, int i, struct clq_str s)
{
	int rc = sqlite3_bind_text64(stmt, i, s.p != NULL ? s.p : "", s.len,
	    SQLITE_STATIC, SQLITE_UTF8);

	if (rc != SQLITE_OK)
		sq_error(q, rc, "bind");
}

sqlite3_stmt *
sq_prepare_strs(struct sq_db *q, const char *sql, const struct clq_str *args,
    int n)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, true);
	int i;

	for (i = 0; stmt != NULL && i < n; i++)
		sq_bind_str(q, stmt, i + 1, args[i]);
	return stmt;
}

void
sq_bind_int(struct sq_db *q, sqlite3_stmt *stmt, int i, int64_t v)
{
	int rc = sqlite3_bind_int64(stmt, i, v);

	if (rc != SQLITE_OK)
		sq_error(q, rc, "bind");
}

enum clq_status
sq_step(struct sq_db *q, sqlite3_stmt *stmt)
{
	int rc;

	if (q->doomed != CLQ_OK)	/* a bind failed */
		return q->doomed;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return CLQ_OK;
	if (rc == SQLITE_DONE)
		return CLQ_NOT_FOUND;
	return sq_error(q, rc, sqlite3_sql(stmt));
}

enum clq_status
sq_run(struct sq_db *q, sqlite3_stmt *stmt)
{
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	do
		status = sq_step(q, stmt);
	while (status == CLQ_OK);
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

enum clq_status
sq_run_int(struct sq_db *q, sqlite3_stmt *stmt, int64_t *out)
{
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	status = sq_step(q, stmt);
	if (status == CLQ_OK)
		*out = sqlite3_column_int64(stmt, 0);
	sq_done(stmt);
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

void
sq_done(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);		/* its error was reported by step */
	sqlite3_clear_bindings(stmt);
}

struct clq_str
sq_column(sqlite3_stmt *stmt, int i)
{
	const unsigned char *p = sqlite3_column_text(stmt, i);
	struct clq_str s = CLQ_STR("");

	if (p != NULL) {
		s.p = (const char *)p;
		s.len = (size_t)sqlite3_column_bytes(stmt, i);
	}
	return s;
}

struct clq_str
sq_column_dup(struct clq_arena *arena, sqlite3_stmt *stmt, int i)
{
	return clq_arena_strdup(arena, sq_column(stmt, i));
}

struct clq_str
sq_successor(struct clq_arena *arena, struct clq_str prefix)
{
	char *p;

	while (prefix.len > 0 &&
	    (unsigned char)prefix.p[prefix.len - 1] == 0xff)
		prefix.len--;
	if (prefix.len == 0)
		return (struct clq_str){ NULL, 0 };
	p = clq_arena_alloc(arena, prefix.len);
	memcpy(p, prefix.p, prefix.len);
	p[prefix.len - 1]++;
	return (struct clq_str){ p, prefix.len };
}
