/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clocks of lists.
 *
 * The clock of a list is its row in `timestamps`, the highest value ever given
 * out (section 03-7). Since writers come one after the other and commit before
 * the next begins, giving out the next value in the transaction is enough for
 * the sync promise. A list without a row (new, or purged) starts at the time,
 * or at its newest object if that is later.
 *
 * The parts of a batch mostly change one list. Its clock is kept here while
 * the transaction lasts and written when another list's turn comes, or at the
 * end. A savepoint remembers it with what was not written yet.
 */
#include "storage/sqlite.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include <stdlib.h>

sqlite3_stmt *
sq_prepare_for(struct sq_db *q, const char *sql, const struct clq_coll *coll)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, true);

	if (stmt != NULL) {
		sq_bind_str(q, stmt, 1, coll->resource);
		sq_bind_str(q, stmt, 2, coll->parent);
	}
	return stmt;
}

/* The first column of the first row; CLQ_NOT_FOUND if it is null or no row. */
static enum clq_status
ask_int(struct sq_db *q, sqlite3_stmt *stmt, int64_t *out)
{
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	status = sq_step(q, stmt);
	if (status == CLQ_OK && sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		status = CLQ_NOT_FOUND;
	if (status == CLQ_OK)
		*out = sqlite3_column_int64(stmt, 0);
	sq_done(stmt);
	return status;
}

/* ---- the clock that is kept ------------------------------------------- */

static struct clq_coll
kept_list(const struct sq_db *q)
{
	const struct sq_clock *c = &q->kept;
	struct clq_str list = sq_bytes_str(&c->list);

	return (struct clq_coll){ clq_str_sub(list, 0, c->split),
	    clq_str_sub(list, c->split, list.len) };
}

static bool
is_kept(const struct sq_db *q, const struct clq_coll *coll)
{
	struct clq_coll kept = kept_list(q);

	return q->kept.valid && clq_str_eq(kept.parent, coll->parent) &&
	    clq_str_eq(kept.resource, coll->resource);
}

static void
keep(struct sq_db *q, const struct clq_coll *coll, clq_msec t, bool dirty)
{
	struct sq_clock *c = &q->kept;

	if (!is_kept(q, coll)) {
		c->list.len = 0;
		sq_bytes_add(&c->list, coll->resource.p, coll->resource.len);
		sq_bytes_add(&c->list, coll->parent.p, coll->parent.len);
		c->split = coll->resource.len;
		c->dirty = false;
	}
	c->t = t;
	c->valid = true;
	c->dirty = c->dirty || dirty;
}

enum clq_status
sq_clock_flush(struct sq_db *q)
{
	struct clq_coll coll = kept_list(q);
	sqlite3_stmt *stmt;

	if (!q->kept.valid || !q->kept.dirty)
		return CLQ_OK;
	q->kept.dirty = false;
	stmt = sq_prepare_for(q,
	    "INSERT INTO timestamps(resource, parent, last_modified)"
	    " VALUES(?1, ?2, ?3) ON CONFLICT(resource, parent)"
	    " DO UPDATE SET last_modified = excluded.last_modified", &coll);
	if (stmt == NULL)
		return q->doomed;
	sq_bind_int(q, stmt, 3, q->kept.t);
	return sq_run(q, stmt);
}

void
sq_clock_forget(struct sq_db *q)
{
	q->kept.valid = q->kept.dirty = false;
}

static void
copy_clock(struct sq_clock *to, const struct sq_clock *from)
{
	struct sq_bytes list = to->list;

	*to = *from;
	to->list = list;
	to->list.len = 0;
	sq_bytes_add(&to->list, from->list.p, from->list.len);
}

void
sq_clock_mark(struct sq_db *q)
{
	copy_clock(&q->kept_at_mark, &q->kept);
}

void
sq_clock_undo(struct sq_db *q)
{
	copy_clock(&q->kept, &q->kept_at_mark);
}

void
sq_clock_free(struct sq_db *q)
{
	free(q->kept.list.p);
	free(q->kept_at_mark.list.p);
	memset(&q->kept, 0, sizeof q->kept);
	memset(&q->kept_at_mark, 0, sizeof q->kept_at_mark);
}

/* ---- the clock of a list ---------------------------------------------- */

static enum clq_status
stored_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	enum clq_status status;

	if (is_kept(q, coll)) {
		*out = q->kept.t;
		return CLQ_OK;
	}
	status = ask_int(q, sq_prepare_for(q,
	    "SELECT last_modified FROM timestamps"
	    " WHERE resource = ?1 AND parent = ?2", coll), out);
	if (status == CLQ_OK && q->mode == CLQ_TX_WRITE && !q->kept.dirty)
		keep(q, coll, *out, false);
	return status;
}

static enum clq_status
newest_object(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	return ask_int(q, sq_prepare_for(q,
	    "SELECT max(last_modified) FROM objects"
	    " WHERE resource = ?1 AND parent = ?2", coll), out);
}

/* The highest clock of all lists of a resource. */
static enum clq_status
latest_timestamp(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	enum clq_status status = sq_clock_flush(q);
	sqlite3_stmt *stmt;

	if (status != CLQ_OK)
		return status;
	stmt = sq_prepare(q, "SELECT max(last_modified) FROM timestamps"
	    " WHERE resource = ?1", true);
	if (stmt != NULL)
		sq_bind_str(q, stmt, 1, coll->resource);
	return ask_int(q, stmt, out);
}

enum clq_status
sq_clock_read(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	enum clq_status status;

	if (sq_any_parent(coll))
		return latest_timestamp(q, coll, out);
	status = stored_timestamp(q, coll, out);
	if (status == CLQ_NOT_FOUND)
		status = newest_object(q, coll, out);
	return status;
}

enum clq_status
sq_clock_set(struct sq_db *q, const struct clq_coll *coll, clq_msec t)
{
	enum clq_status status = CLQ_OK;

	if (!is_kept(q, coll))
		status = sq_clock_flush(q);
	if (status == CLQ_OK)
		keep(q, coll, t, true);
	return status;
}

enum clq_status
sq_clock_next(struct sq_db *q, const struct clq_coll *coll, clq_msec *out)
{
	clq_msec now = clq_now(), t = 0;
	enum clq_status status = sq_clock_read(q, coll, &t);

	if (status == CLQ_NOT_FOUND)
		t = now - 1;
	else if (status != CLQ_OK)
		return status;
	*out = t + 1 > now ? t + 1 : now;
	return CLQ_OK;
}

enum clq_status
sq_bump(struct sq_db *q, const struct clq_coll *coll, size_t n,
    clq_msec *first)
{
	clq_msec t = 0;
	enum clq_status status = sq_clock_next(q, coll, &t);

	if (status == CLQ_OK)
		status = sq_clock_set(q, coll, t + (clq_msec)n - 1);
	if (status == CLQ_OK)
		*first = t;
	return status;
}

enum clq_status
sq_timestamp(void *self, const struct clq_coll *coll, clq_msec *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	clq_msec t = 0;

	if (status == CLQ_OK && sq_any_parent(coll)) {
		status = latest_timestamp(q, coll, &t);
		if (status == CLQ_NOT_FOUND) {
			t = clq_now();
			status = CLQ_OK;
		}
	} else if (status == CLQ_OK) {
		status = stored_timestamp(q, coll, &t);
	}
	if (status == CLQ_NOT_FOUND) {
		status = newest_object(q, coll, &t);
		if (status == CLQ_NOT_FOUND) {
			if (q->mode == CLQ_TX_READ)
				return CLQ_READONLY;
			t = clq_now();
			status = CLQ_OK;
		}
		if (status == CLQ_OK && q->mode == CLQ_TX_WRITE)
			status = sq_clock_set(q, coll, t);
	}
	if (status == CLQ_OK)
		*out = t;
	return status;
}
