/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions and savepoints of the SQLite backend, and the heartbeat.
 *
 * begin only notes what is wanted; the first operation starts it, so that a
 * request which ends before it needs data costs nothing. A reader gets a
 * snapshot and waits for nobody. A writer queues (sqlite_queue.c), then takes
 * SQLite's lock with BEGIN IMMEDIATE and keeps both until finish: what it
 * looks up cannot change, timestamps are given out in the order of commits,
 * and a commit cannot lose a race.
 *
 * An operation that fails dooms its transaction (sq_error): the rest answers
 * with the same status and finish undoes all.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <unistd.h>

/* Statuses that mean "our bug" are said where the mistake is. */
static enum clq_status
misuse(const struct sq_db *q, const char *what)
{
	clq_log_err("sqlite: %s: %s", q->path, what);
	return CLQ_FAILED;
}

static enum clq_status
run_fixed(struct sq_db *q, const char *sql)
{
	return sq_run(q, sq_prepare(q, sql, true));
}

/* The result code of SQLite, for those who say themselves what it means. */
static int
run_bare(struct sq_db *q, const char *sql)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, true);
	int rc;

	if (stmt == NULL)
		return sqlite3_extended_errcode(q->db);
	rc = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- locking ---------------------------------------------------------- */

/* How long SQLite waits for its locks. */
static void
set_patience(struct sq_db *q, clq_msec timeout)
{
	if (q->db != NULL)
		sqlite3_busy_timeout(q->db, timeout > 1 ? (int)timeout : 1);
}

int
sq_lock(struct sq_db *q, clq_msec timeout)
{
	clq_msec deadline = clq_monotonic() + timeout;
	int rc;

	if (q->queue != NULL && !sq_queue_enter(q->queue, timeout))
		return SQLITE_BUSY;
	set_patience(q, deadline - clq_monotonic());
	rc = run_bare(q, "BEGIN IMMEDIATE");
	set_patience(q, q->lock_timeout);
	if (rc != SQLITE_OK && q->queue != NULL)
		sq_queue_leave(q->queue);
	return rc;
}

int
sq_unlock(struct sq_db *q, bool commit)
{
	int rc = SQLITE_OK;

	if (commit)
		rc = run_bare(q, "COMMIT");
	if (!sqlite3_get_autocommit(q->db))
		(void)run_bare(q, "ROLLBACK");
	sq_vfs_end(q->db);
	if (q->queue != NULL)
		sq_queue_leave(q->queue);
	return rc;
}

static enum clq_status
start(struct sq_db *q, bool write)
{
	enum clq_status status;
	int rc;

	if (q->doomed != CLQ_OK)
		return q->doomed;
	if (!q->begun)
		return misuse(q, "used outside a transaction");
	if (write && q->mode != CLQ_TX_WRITE)
		return misuse(q, "a write in a reading transaction");
	if (q->started)
		return CLQ_OK;
	status = sq_connect(q, !q->readonly);
	if (status != CLQ_OK)
		return q->doomed = status;
	if (q->mode == CLQ_TX_READ) {
		if ((status = run_fixed(q, "BEGIN")) != CLQ_OK)
			return status;
	} else if ((rc = sq_lock(q, q->lock_timeout)) != SQLITE_OK) {
		return sq_error(q, rc, "waiting for other writers");
	}
	q->started = true;
	return CLQ_OK;
}

enum clq_status
sq_start(struct sq_db *q, bool write)
{
	enum clq_status status = start(q, write);

	if (!write || status != CLQ_OK)
		return status;
	sq_known_forget(q);
	status = sq_clock_flush(q);
	sq_clock_forget(q);
	return status;
}

enum clq_status
sq_start_careful(struct sq_db *q)
{
	return start(q, true);
}

/* ---- the backend's table ---------------------------------------------- */

enum clq_status
sq_open(void *self)
{
	struct sq_db *q = sq_self(self);

	if (q->db != NULL && q->pid != getpid())
		sq_disconnect(q);
	/* Said if it fails; begin tries again. */
	(void)(sq_connect(q, !q->readonly) == CLQ_OK);
	return CLQ_OK;
}

enum clq_status
sq_begin(void *self, enum clq_tx_mode mode)
{
	struct sq_db *q = sq_self(self);

	if (q->begun)
		return misuse(q, "a transaction within a transaction");
	q->begun = true;
	q->mode = mode;
	q->doomed = CLQ_OK;
	return CLQ_OK;
}

enum clq_status
sq_finish(void *self, bool commit)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = q->doomed;
	int rc;

	if (commit && !q->begun)
		return misuse(q, "commit outside a transaction");
	if (q->started && commit && status == CLQ_OK)
		status = sq_clock_flush(q);
	sq_clock_forget(q);
	if (q->started) {
		rc = sq_unlock(q, commit && status == CLQ_OK);
		if (rc != SQLITE_OK)
			status = sq_error(q, rc, "COMMIT");
		sq_known_end(q, q->mode == CLQ_TX_WRITE, commit &&
		    status == CLQ_OK);
	}
	q->begun = q->started = q->marked = false;
	q->doomed = CLQ_OK;
	if (q->lost)
		sq_disconnect(q);
	return commit ? status : CLQ_OK;
}

enum clq_status
sq_savepoint(void *self)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	if (status == CLQ_OK && q->marked)	/* one at a time */
		status = run_fixed(q, "RELEASE mark");
	if (status == CLQ_OK)
		status = run_fixed(q, "SAVEPOINT mark");
	q->marked = status == CLQ_OK;
	sq_clock_mark(q);
	return status;
}

enum clq_status
sq_rollback(void *self)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	if (status != CLQ_OK)
		return status;
	if (!q->marked)
		return misuse(q, "no mark to go back to");
	sq_known_forget(q);
	sq_clock_undo(q);
	return run_fixed(q, "ROLLBACK TO mark");
}

enum clq_status
sq_release(void *self)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	if (status == CLQ_OK && q->marked)
		status = run_fixed(q, "RELEASE mark");
	q->marked = false;
	return status;
}

void
sq_close(void *self)
{
	struct sq_db *q = self;

	sq_free(&q);
}

/* ---- heartbeat -------------------------------------------------------- */

/* The row of the heartbeat; *value is 0 if there was none yet. */
static enum clq_status
read_beat(struct sq_db *q, int64_t *value)
{
	*value = 0;
	return sq_run_int(q, sq_prepare(q, "SELECT value FROM heartbeat",
	    true), value);
}

static enum clq_status
write_beat(struct sq_db *q, int64_t value)
{
	sqlite3_stmt *stmt = sq_prepare(q,
	    "INSERT OR REPLACE INTO heartbeat(id, value) VALUES(1, ?)", true);

	if (stmt == NULL)
		return q->doomed;
	sq_bind_int(q, stmt, 1, value);
	return sq_run(q, stmt);
}

static enum clq_status
beat(struct sq_db *q, bool readonly)
{
	enum clq_status status = sq_start(q, !readonly);
	int64_t before, after = 0;

	if (status == CLQ_OK)
		status = read_beat(q, &before);
	if (status != CLQ_OK || readonly)
		return status;
	before = (before + 1) & INT32_MAX;
	status = write_beat(q, before);
	if (status == CLQ_OK)
		status = read_beat(q, &after);
	if (status == CLQ_OK && after != before)
		return misuse(q, "the heartbeat reads what it did not write");
	return status;
}

enum clq_status
sq_ping(void *self, bool readonly, clq_msec timeout)
{
	struct sq_db *q = sq_self(self);
	clq_msec usual = q->lock_timeout;
	enum clq_status status;

	status = sq_begin(q, readonly ? CLQ_TX_READ : CLQ_TX_WRITE);
	if (status != CLQ_OK)
		return status;
	if (timeout < usual)
		q->lock_timeout = timeout > 0 ? timeout : 1;
	set_patience(q, q->lock_timeout);
	status = beat(q, readonly);
	if (status == CLQ_OK)
		status = sq_finish(q, true);
	else
		(void)(sq_finish(q, false) == CLQ_OK);
	q->lock_timeout = usual;
	set_patience(q, usual);
	return status;
}
