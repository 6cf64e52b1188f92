/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes that wait in the worker until they must be sent.
 *
 * Writing to a list takes its clock, for which all its writers queue up. So
 * writes stay here as long as possible, at best until they go out in one
 * packet with COMMIT, and those of many calls become one statement. A mark
 * (savepoint) is a place in this queue; PostgreSQL hears of it only if
 * something behind it must be sent before the mark is dropped.
 *
 * Changes of permissions touch other tables, so both kinds may pass each
 * other: permissions go first, and alone if only they are asked about.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

enum { MAX_ACES = 500 };	/* objects of one statement */

static const struct pg_stmt savepoint = { PG_SAVEPOINT, "SAVEPOINT mark" };
static const struct pg_stmt rollback_to = { PG_ROLLBACK_TO,
	"ROLLBACK TO mark" };
static const struct pg_stmt release = { PG_RELEASE, "RELEASE mark" };

static struct pg_op *
add(struct pg_db *db)
{
	struct pg_op *more;

	if (db->nops == db->ops_cap) {
		db->ops_cap = db->ops_cap > 0 ? db->ops_cap * 2 : 16;
		more = clq_arena_calloc(db->tx_arena, db->ops_cap,
		    sizeof *more);
		if (db->nops > 0)
			memcpy(more, db->ops, db->nops * sizeof *more);
		db->ops = more;
	}
	memset(&db->ops[db->nops], 0, sizeof *db->ops);
	return &db->ops[db->nops++];
}

void
pg_queue_write(struct pg_db *db, struct clq_write *w)
{
	struct pg_op *op = add(db);

	op->storage = true;
	op->write = w;
	pg_known_wrote(db, w);
}

void
pg_queue_aces(struct pg_db *db, struct clq_str uri, const struct clq_acl *acl)
{
	struct pg_op *op = add(db);

	op->uri = uri;
	op->acl = *acl;
	pg_known_touched(db, uri);
}

struct pg_args *
pg_queue_stmt(struct pg_db *db, bool storage, const struct pg_stmt *stmt)
{
	struct pg_op *op = add(db);

	op->storage = storage;
	op->stmt = stmt;
	pg_args_init(&op->args, db->tx_arena);
	return &op->args;
}

bool
pg_queue_has(const struct pg_db *db, const struct clq_coll *coll,
    struct clq_str id)
{
	const struct clq_write *w;
	size_t i;

	for (i = 0; i < db->nops; i++) {
		if (!db->ops[i].storage)
			continue;
		w = db->ops[i].write;
		if (w == NULL)		/* something large */
			return true;
		if (clq_coll_eq(&w->coll, coll) &&
		    (id.p == NULL || clq_str_eq(w->id, id)))
			return true;
	}
	return false;
}

static void
send_statement(struct pg_db *db, const struct pg_op *op)
{
	if (op->stmt->id == PG__FIXED_COUNT)
		pg_exec_sql(db, clq_str_of(op->stmt->sql), &op->args, NULL,
		    NULL);
	else
		pg_exec(db, op->stmt, &op->args, NULL, NULL);
}

/* True if one of them is about the same object, or they are too many. */
static bool
is_full(struct pg_op *const *aces, size_t n, const struct pg_op *op)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (clq_str_eq(aces[i]->uri, op->uri))
			return true;
	return n >= MAX_ACES;
}

/* Those of permissions from `from` on and before `to`, in order; entries of
 * several objects go together. */
static void
send_permissions(struct pg_db *db, size_t from, size_t to)
{
	struct pg_op *aces[MAX_ACES], *op;
	size_t n = 0;

	for (op = db->ops + from; op < db->ops + to; op++) {
		if (op->storage)
			continue;
		if (n > 0 && (op->stmt != NULL || is_full(aces, n, op))) {
			pg_send_aces(db, aces, n);
			n = 0;
		}
		if (op->stmt != NULL)
			send_statement(db, op);
		else
			aces[n++] = op;
	}
	if (n > 0)
		pg_send_aces(db, aces, n);
}

/* Writes until a statement that concerns the same tables; then that. */
static void
send_storage(struct pg_db *db, size_t from, size_t to)
{
	struct clq_write **writes = clq_arena_calloc(db->tx_arena,
	    to - from, sizeof(struct clq_write *));
	size_t i, n = 0;

	for (i = from; i < to; i++) {
		if (db->ops[i].write != NULL) {
			writes[n++] = db->ops[i].write;
		} else if (db->ops[i].storage) {
			pg_send_writes(db, writes, n);
			n = 0;
			send_statement(db, &db->ops[i]);
		}
	}
	pg_send_writes(db, writes, n);
}

static void
send_range(struct pg_db *db, size_t from, size_t to, bool permission_only)
{
	send_permissions(db, from, to);
	if (!permission_only)
		send_storage(db, from, to);
}

/* Forget what was sent. */
static void
drop_sent(struct pg_db *db, size_t from, bool permission_only)
{
	size_t i, n = from, mark = db->mark;

	for (i = from; permission_only && i < db->nops; i++) {
		if (db->ops[i].storage)
			db->ops[n++] = db->ops[i];
		else if (i < db->mark)
			mark--;
	}
	db->nops = n;
	db->mark = mark < n ? mark : n;
}

static bool
waits(const struct pg_db *db, size_t from, bool permission_only)
{
	size_t i;

	for (i = from; i < db->nops; i++)
		if (!permission_only || !db->ops[i].storage)
			return true;
	return false;
}

void
pg_send_queue(struct pg_db *db, bool permission_only)
{
	if (db->rollback_due)
		pg_exec(db, &rollback_to, NULL, NULL, NULL);
	if (db->release_due)
		pg_exec(db, &release, NULL, NULL, NULL);
	db->rollback_due = db->release_due = false;
	if (!waits(db, 0, permission_only))
		return;
	if (db->marked && !db->mark_sent &&
	    waits(db, db->mark, permission_only)) {
		/* all before the mark must be there when it is set */
		send_range(db, 0, db->mark, false);
		pg_exec(db, &savepoint, NULL, NULL, NULL);
		db->mark_sent = true;
		send_range(db, db->mark, db->nops, permission_only);
		memmove(db->ops, db->ops + db->mark,
		    (db->nops - db->mark) * sizeof *db->ops);
		db->nops -= db->mark;
		db->mark = 0;
	} else {
		send_range(db, 0, db->nops, permission_only);
	}
	drop_sent(db, 0, permission_only);
}
