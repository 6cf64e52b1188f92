/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending statements and receiving their results, in libpq's pipeline mode.
 *
 * pg_exec() hands a statement to libpq and remembers what to do with its
 * result; pg_wait() sends the synchronisation point, so that all goes out in
 * one packet, and reads until that point comes back. An error makes the server
 * skip the rest up to there. A statement is prepared when it is first used on
 * a connection, in the same packet; a new connection knows none.
 *
 * The socket is non-blocking and every wait has an end: a server that hangs
 * costs its connection, not the worker.
 */
#include "storage/pg.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_LEN	= 32,
	GRACE_MSEC	= 2000		/* beyond the server's own time-out */
};

/* ---- what is to come --------------------------------------------------- */

static void
expect(struct pg_db *db, struct pg_expected e)
{
	size_t cap;

	if (db->first > 0 && db->first == db->nexpected)
		db->first = db->nexpected = 0;
	if (db->nexpected == db->cap) {
		cap = db->cap > 0 ? db->cap * 2 : 64;
		db->expected = realloc(db->expected,
		    cap * sizeof *db->expected);
		if (db->expected == NULL) {
			fputs("cliquet: out of memory\n", stderr);
			abort();
		}
		db->cap = cap;
	}
	db->expected[db->nexpected++] = e;
}

/* The connection is lost: nothing will come any more. */
static void
lost(struct pg_db *db, const char *what)
{
	(void)pg_error(db, NULL, what);
	pg_disconnect(db);
}

/* ---- statements -------------------------------------------------------- */

/* Wait for e if libpq has taken what it answers (ok is 1). */
static bool
sent(struct pg_db *db, int ok, struct pg_expected e)
{
	if (ok != 1) {
		lost(db, e.what);
		return false;
	}
	db->unsynced = true;
	expect(db, e);
	return true;
}

static void
send_prepare(struct pg_db *db, const char *name, const char *sql,
    enum pg_prepared *state)
{
	int ok = PQsendPrepare(db->conn, name, sql, 0, NULL);

	if (sent(db, ok, (struct pg_expected){ .kind = PG_PARSED,
	    .state = state, .what = sql }))
		*state = PG_PREPARING;
}

static void
send_prepared(struct pg_db *db, const char *name, const char *sql,
    const struct pg_args *args, pg_result_f *fn, void *ctx)
{
	int ok = PQsendQueryPrepared(db->conn, name,
	    args != NULL ? (int)args->n : 0,
	    args != NULL ? args->values : NULL,
	    args != NULL ? args->lengths : NULL,
	    args != NULL ? args->formats : NULL, 1);

	(void)sent(db, ok, (struct pg_expected){ .kind = PG_RESULT, .fn = fn,
	    .ctx = ctx, .what = sql });
}

/* Also the place where it shows that another packet is about to go: nothing
 * is locked in a reading transaction (pg_known.c). */
static bool
usable(struct pg_db *db)
{
	if (db->mode == CLQ_TX_READ)
		pg_known_forget(db);
	return db->doomed == CLQ_OK && db->conn != NULL;
}

void
pg_exec(struct pg_db *db, const struct pg_stmt *stmt,
    const struct pg_args *args, pg_result_f *fn, void *ctx)
{
	char name[NAME_LEN];

	if (!usable(db))
		return;
	snprintf(name, sizeof name, "clq_%d", (int)stmt->id);
	if (db->fixed[stmt->id] == PG_UNPREPARED)
		send_prepare(db, name, stmt->sql, &db->fixed[stmt->id]);
	if (usable(db))
		send_prepared(db, name, stmt->sql, args, fn, ctx);
}

/* A statement that is used once. */
static void
send_once(struct pg_db *db, const char *sql, const struct pg_args *args,
    pg_result_f *fn, void *ctx)
{
	int ok = PQsendQueryParams(db->conn, sql,
	    args != NULL ? (int)args->n : 0, NULL,
	    args != NULL ? args->values : NULL,
	    args != NULL ? args->lengths : NULL,
	    args != NULL ? args->formats : NULL, 1);

	(void)sent(db, ok, (struct pg_expected){ .kind = PG_RESULT, .fn = fn,
	    .ctx = ctx, .what = sql });
}

/* Make room for a statement in place of the one used longest ago. */
static struct pg_dynamic *
replace_oldest(struct pg_db *db, struct clq_str sql, uint64_t hash)
{
	struct pg_dynamic *d = &db->dynamic[0];
	char text[NAME_LEN * 2];
	size_t i;

	for (i = 1; i < PG_DYNAMIC && d->sql != NULL; i++)
		if (db->dynamic[i].sql == NULL ||
		    db->dynamic[i].used < d->used)
			d = &db->dynamic[i];
	if (d->state == PG_PREPARING)
		return NULL;	/* all of them in one packet */
	if (d->state == PG_PREPARED) {
		snprintf(text, sizeof text, "DEALLOCATE clq_d%u", d->serial);
		send_once(db, text, NULL, NULL, NULL);
		if (!usable(db))
			return NULL;
	}
	free(d->sql);
	d->state = PG_UNPREPARED;
	d->serial = ++db->serial;
	d->hash = hash;
	d->sql = strndup(sql.p, sql.len);
	return d->sql != NULL ? d : NULL;
}

static struct pg_dynamic *
find_dynamic(struct pg_db *db, struct clq_str sql)
{
	uint64_t hash = pg_hash(PG_HASH, sql);
	size_t i;

	for (i = 0; i < PG_DYNAMIC; i++)
		if (db->dynamic[i].hash == hash &&
		    db->dynamic[i].sql != NULL &&
		    clq_str_is(sql, db->dynamic[i].sql))
			return &db->dynamic[i];
	return replace_oldest(db, sql, hash);
}

void
pg_exec_once(struct pg_db *db, struct clq_str sql,
    const struct pg_args *args, pg_result_f *fn, void *ctx)
{
	if (usable(db))
		send_once(db, clq_arena_cstr(args->arena, sql), args, fn,
		    ctx);
}

void
pg_exec_sql(struct pg_db *db, struct clq_str sql, const struct pg_args *args,
    pg_result_f *fn, void *ctx)
{
	struct pg_dynamic *d = NULL;
	char name[NAME_LEN];

	if (!usable(db))
		return;
	if (sql.len <= PG_DYNAMIC_LEN)
		d = find_dynamic(db, sql);
	if (!usable(db))
		return;
	if (d == NULL) {
		send_once(db, clq_arena_cstr(args->arena, sql), args, fn,
		    ctx);
		return;
	}
	d->used = ++db->clock;
	snprintf(name, sizeof name, "clq_d%u", d->serial);
	if (d->state == PG_UNPREPARED)
		send_prepare(db, name, d->sql, &d->state);
	if (usable(db))
		send_prepared(db, name, d->sql, args, fn, ctx);
}

/* ---- results ----------------------------------------------------------- */

/* Wait until libpq has a result or nothing more will come. */
static bool
ready(struct pg_db *db, clq_msec until)
{
	int unsent;

	while (PQisBusy(db->conn)) {
		unsent = PQflush(db->conn);
		if (unsent == -1)
			return false;
		if (!pg_poll(db, unsent == 1, until)) {
			clq_log_err("postgresql: %s: no answer in time; the "
			    "connection is given up", db->shown);
			return false;
		}
		if (PQconsumeInput(db->conn) != 1)
			return false;
	}
	return true;
}

/* A statement's result, and the end of its results. */
static bool
take_result(struct pg_db *db, const struct pg_expected *e, clq_msec until)
{
	PGresult *res;
	ExecStatusType st;

	if (!ready(db, until) || (res = PQgetResult(db->conn)) == NULL)
		return false;
	st = PQresultStatus(res);
	if (st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK) {
		if (e->state != NULL)
			*e->state = PG_PREPARED;
		if (e->fn != NULL)
			e->fn(db, res, e->ctx);
	} else {
		if (e->state != NULL)
			*e->state = PG_UNPREPARED;
		if (st != PGRES_PIPELINE_ABORTED)
			(void)pg_error(db, res, e->what);
	}
	PQclear(res);
	if (!ready(db, until))
		return false;
	res = PQgetResult(db->conn);
	PQclear(res);
	return res == NULL;
}

static bool
take_sync(struct pg_db *db, clq_msec until)
{
	ExecStatusType st;
	PGresult *res;

	if (!ready(db, until) || (res = PQgetResult(db->conn)) == NULL)
		return false;
	st = PQresultStatus(res);
	PQclear(res);
	return st == PGRES_PIPELINE_SYNC;
}

static bool
send_sync(struct pg_db *db)
{
	if (!db->unsynced)
		return true;
	if (PQpipelineSync(db->conn) != 1)
		return false;
	db->unsynced = false;
	expect(db, (struct pg_expected){ .kind = PG_SYNCED });
	return true;
}

enum clq_status
pg_wait_until(struct pg_db *db, clq_msec until)
{
	struct pg_expected e = { .what = "sync" };
	bool good = true;

	if (db->conn == NULL)
		return db->doomed;
	good = send_sync(db);
	while (good && db->first < db->nexpected) {
		e = db->expected[db->first++];
		good = e.kind == PG_SYNCED ? take_sync(db, until) :
		    take_result(db, &e, until);
	}
	if (!good)
		lost(db, e.what != NULL ? e.what : "sync");
	return db->doomed;
}

enum clq_status
pg_wait(struct pg_db *db)
{
	return pg_wait_until(db, clq_monotonic() + db->timeout + GRACE_MSEC);
}

void
pg_let_go(struct pg_db *db)
{
	if (db->conn == NULL)
		return;
	if (!send_sync(db) || PQflush(db->conn) == -1)
		pg_disconnect(db);
}
