/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions and savepoints, and the heartbeat.
 *
 * A reading transaction is none: each of its packets sees what was committed
 * when it began, and the timestamp of a list is asked for before its objects,
 * so that a page is never older than its timestamp. A writing one begins with
 * its first statement, in the same packet, and ends with what waited in the
 * queue and COMMIT in one packet; only the answer to COMMIT makes it a
 * success. ROLLBACK is sent and not waited for.
 *
 * An operation that fails dooms its transaction (pg_error): the rest answers
 * with the same status and finish undoes all.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <stdlib.h>
#include <unistd.h>

/* READ COMMITTED: a statement sees what was committed while it waited. */
static const struct pg_stmt begin = { PG_BEGIN,
	"BEGIN ISOLATION LEVEL READ COMMITTED" };
static const struct pg_stmt commit_ = { PG_COMMIT, "COMMIT" };
static const struct pg_stmt rollback = { PG_ROLLBACK, "ROLLBACK" };

/*
 * A plan made when a table was tiny reads all of it, and stays when the table
 * grows, until PostgreSQL happens to analyse it. Planning anew now and then
 * costs less than a thousandth.
 */
static const struct pg_stmt replan = { PG_REPLAN, "DISCARD PLANS" };
enum { PLAN_MSEC = 5000 };

/* Statuses that mean "our bug" are said where the mistake is. */
static enum clq_status
misuse(const struct pg_db *db, const char *what)
{
	clq_log_err("postgresql: %s: %s", db->shown, what);
	return CLQ_FAILED;
}

/* ---- beginning and ending ---------------------------------------------- */

static enum clq_status
connect_until(struct pg_db *db, clq_msec until)
{
	enum clq_status status;

	if (db->conn != NULL && db->pid != getpid())
		pg_disconnect(db);
	if (db->first < db->nexpected) {	/* of the last ROLLBACK */
		(void)(pg_wait_until(db, until) == CLQ_OK);
		db->doomed = CLQ_OK;
	}
	if (db->broken)
		pg_disconnect(db);
	pg_check_idle(db);
	status = pg_connect(db, until);
	if (status == CLQ_OK)
		status = pg_tables_again(db, until);
	if (status != CLQ_OK)
		db->doomed = status;
	return status;
}

static void
plan_anew(struct pg_db *db)
{
	clq_msec now = clq_monotonic();

	if (now - db->planned_at < PLAN_MSEC)
		return;
	db->planned_at = now;
	pg_exec(db, &replan, NULL, NULL, NULL);
}

enum clq_status
pg_start(struct pg_db *db, bool write)
{
	clq_msec until = clq_monotonic() + db->timeout;

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun)
		return misuse(db, "used outside a transaction");
	if (write && db->mode != CLQ_TX_WRITE)
		return misuse(db, "a write in a reading transaction");
	if (db->started)
		return CLQ_OK;
	if (connect_until(db, until) != CLQ_OK)
		return db->doomed;
	plan_anew(db);
	if (db->mode == CLQ_TX_WRITE) {
		pg_exec(db, &begin, NULL, NULL, NULL);
		db->started = db->doomed == CLQ_OK;
	}
	return db->doomed;
}

enum clq_status
pg_begin(void *self, enum clq_tx_mode mode)
{
	struct pg_db *db = pg_self(self);

	if (db->begun)
		return misuse(db, "a transaction within a transaction");
	db->begun = true;
	db->mode = mode;
	db->doomed = CLQ_OK;
	return CLQ_OK;
}

/* "COMMIT" of a failed transaction is answered with "ROLLBACK". */
static void
on_commit(struct pg_db *db, const PGresult *res, void *ctx)
{
	(void)ctx;
	/* cmdStatus is not const in libpq's prototype, but is not changed */
	db->committed = strcmp(PQcmdStatus((PGresult *)(uintptr_t)res),
	    "COMMIT") == 0;
}

static enum clq_status
commit_all(struct pg_db *db)
{
	enum clq_status status;

	db->committed = false;
	pg_send_queue(db, false);
	pg_exec(db, &commit_, NULL, on_commit, NULL);
	status = pg_wait(db);
	if (status == CLQ_OK && !db->committed)
		status = db->doomed = misuse(db, "nothing was committed");
	return status;
}

/* Undo, without waiting for the answer. */
static void
undo(struct pg_db *db)
{
	if (db->conn == NULL || db->broken)
		return;
	db->doomed = CLQ_OK;	/* it must go out all the same */
	pg_exec(db, &rollback, NULL, NULL, NULL);
	pg_let_go(db);
}

static void
forget(struct pg_db *db)
{
	clq_arena_reset(db->tx_arena);
	db->ops = NULL;
	db->nops = db->ops_cap = db->mark = 0;
	db->begun = db->started = db->batch = false;
	db->marked = db->mark_sent = false;
	db->rollback_due = db->release_due = false;
	memset(&db->known, 0, sizeof db->known);
	db->seen = db->seen_marked = NULL;
	db->outcomes = NULL;
	if (db->mode == CLQ_TX_WRITE)
		db->cautious = db->overtaken;
	db->overtaken = false;
	db->doomed = CLQ_OK;
	if (db->broken)
		pg_disconnect(db);
}

enum clq_status
pg_open(void *self)
{
	struct pg_db *db = pg_self(self);

	/* what this process inherited is its parent's */
	if (db->conn != NULL && db->pid != getpid()) {
		pg_disconnect(db);
		forget(db);
	}
	/* Said if it fails; the first request tries again. */
	(void)(pg_connect(db, clq_monotonic() + db->timeout) == CLQ_OK);
	return CLQ_OK;
}

enum clq_status
pg_finish(void *self, bool commit)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = db->doomed;

	if (commit && !db->begun)
		return misuse(db, "commit outside a transaction");
	if (commit && status == CLQ_OK && db->nops > 0)
		status = pg_start(db, true);
	if (commit && status == CLQ_OK && db->started)
		status = commit_all(db);
	if (db->started && (!commit || status != CLQ_OK))
		undo(db);
	forget(db);
	return commit ? status : CLQ_OK;
}

/* ---- savepoints -------------------------------------------------------- */

enum clq_status
pg_savepoint(void *self)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = pg_release(self);

	if (status != CLQ_OK)
		return status;
	db->marked = db->batch = true;
	db->mark = db->nops;
	db->seen_marked = db->seen;
	pg_known_mark(db);
	return CLQ_OK;
}

enum clq_status
pg_rollback(void *self)
{
	struct pg_db *db = pg_self(self);

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->marked)
		return misuse(db, "no mark to go back to");
	db->seen = db->seen_marked;	/* what was written since is undone */
	db->nops = db->mark;
	db->rollback_due |= db->mark_sent;
	pg_known_undo(db);
	return CLQ_OK;
}

enum clq_status
pg_release(void *self)
{
	struct pg_db *db = pg_self(self);

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun || db->mode != CLQ_TX_WRITE)
		return misuse(db, "a mark outside a writing transaction");
	db->release_due |= db->marked && db->mark_sent;
	db->marked = db->mark_sent = false;
	return CLQ_OK;
}

void
pg_close(void *self)
{
	struct pg_db *db = pg_self(self);

	pg_disconnect(db);
	free(db->expected);
	clq_arena_free(&db->tx_arena);
	clq_arena_free(&db->declared_arena);
	clq_arena_free(&db->tables_arena);
	clq_arena_free(&db->arena);
	db->magic = 0;
	free(db);
}

/* ---- heartbeat --------------------------------------------------------- */

/*
 * A row of `timestamps` whose resource no request can name: neither objects
 * nor counters show it, and Kinto ignores it.
 */
static const struct pg_stmt beat = { PG_BEAT,
	"INSERT INTO timestamps (parent_id, resource_name, last_modified)"
	" VALUES ('', '__heartbeat__', $1)"
	" ON CONFLICT (parent_id, resource_name)"
	" DO UPDATE SET last_modified = EXCLUDED.last_modified"
	" RETURNING last_modified" };
static const struct pg_stmt beat_permission = { PG_BEAT_PERMISSION,
	"INSERT INTO user_principals (user_id, principal)"
	" VALUES ('__heartbeat__', '__heartbeat__')"
	" ON CONFLICT (user_id, principal)"
	" DO UPDATE SET principal = EXCLUDED.principal"
	" RETURNING $1::timestamp" };
static const struct pg_stmt beat_cache = { PG_BEAT_CACHE,
	"INSERT INTO cache (key, value, ttl)"
	" VALUES ('__heartbeat__', 'true', now() + interval '1 minute')"
	" ON CONFLICT (key) DO UPDATE SET ttl = EXCLUDED.ttl"
	" RETURNING $1::timestamp" };
static const struct pg_stmt beat_read = { PG_BEAT_READ,
	"SELECT $1::timestamp" };

static void
on_beat(struct pg_db *db, const PGresult *res, void *ctx)
{
	clq_msec *read = ctx;

	(void)db;
	if (PQntuples(res) == 1)
		*read = pg_get_time(res, 0, 0);
}

enum clq_status
pg_ping(void *self, bool readonly, clq_msec timeout)
{
	struct pg_db *db = pg_self(self);
	clq_msec until = clq_monotonic() + timeout, sent = clq_now(),
	    read = 0;
	struct clq_arena *arena;
	enum clq_status status;
	struct pg_args args;

	status = pg_begin(self, CLQ_TX_READ);
	if (status != CLQ_OK)
		return status;
	arena = clq_arena_new();
	pg_args_init(&args, arena);
	pg_arg_time(&args, sent);
	if (db->storage && db->ntables > 0)
		db->look_again = true;
	if (connect_until(db, until) == CLQ_OK)
		pg_exec(db, readonly ? &beat_read : db->cache ? &beat_cache :
		    db->storage ? &beat : &beat_permission, &args, on_beat,
		    &read);
	status = pg_wait_until(db, until);
	if (status == CLQ_OK && read != sent)
		status = misuse(db, "the heartbeat reads what it did not "
		    "write");
	if (status == CLQ_OK && pg_tables_broken(db))
		status = CLQ_UNAVAILABLE;
	(void)(pg_finish(self, false) == CLQ_OK);
	clq_arena_free(&arena);
	return status;
}
