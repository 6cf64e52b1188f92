/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions: the lock, the log of changes, and reading through it.
 *
 * The lock is a key with a life of LOCK_MSEC and the holder's token in it. The
 * script that commits does nothing unless the token is still there, so a holder
 * that was stopped for too long loses its work, and nobody else's. Those who
 * wait sleep in BLPOP, which wakes them in the order they came. A holder that
 * died is found by its connection, which the server no longer knows; and one
 * whose server died (a restart with its data, a failover) by the run of the
 * server that the token names: connections are numbered anew in each.
 *
 * Savepoints are lengths of the log.
 */
#include "storage/redis.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <unistd.h>

enum {
	LOCK_MSEC	= 60000,
	LOOK_MSEC	= 100		/* after so long, is the holder alive? */
};
#define LOCK	CLQ_STR("cliquet.lock")

static enum clq_status
misuse(struct rd_db *db, const char *what)
{
	clq_log_err("redis: %s: %s", db->shown, what);
	return CLQ_FAILED;
}

/* ---- the lock ------------------------------------------------------------ */

static bool
try_lock(struct rd_db *db, struct clq_str token)
{
	struct rd_call c;

	rd_call(&c, db->tx_arena, "SET");
	rd_arg(&c, LOCK);
	rd_arg(&c, token);
	rd_arg(&c, CLQ_STR("NX"));
	rd_arg(&c, CLQ_STR("PX"));
	rd_arg_int(&c, LOCK_MSEC);
	return clq_str_is(rd_text(rd_ask(db, &c)), "OK");
}

static void
unlock(struct rd_db *db, struct clq_str token)
{
	struct rd_call c;

	rd_script(&c, db->tx_arena, db, RD_UNLOCK);
	rd_arg(&c, token);
	(void)rd_ask_script(db, &c, RD_UNLOCK);
}

/* Sleep until somebody unlocks, or LOOK_MSEC are over. */
static void
wait_for_unlock(struct rd_db *db)
{
	struct rd_call c;

	rd_call(&c, db->tx_arena, "BLPOP");
	rd_arg(&c, CLQ_STR("cliquet.free"));
	rd_arg(&c, clq_arena_printf(db->tx_arena, "0.%03d", LOOK_MSEC));
	(void)rd_ask(db, &c);
}

/* True if the server still knows the connection of this number. */
static bool
is_connected(struct rd_db *db, struct clq_str id)
{
	struct rd_call c;

	rd_call(&c, db->tx_arena, "CLIENT");
	rd_arg(&c, CLQ_STR("LIST"));
	rd_arg(&c, CLQ_STR("ID"));
	rd_arg(&c, id);
	return clq_str_trim(rd_text(rd_ask(db, &c))).len > 0;
}

/* A token is the run of the server, the number of the holder's connection, and
 * something random. */
static void
unlock_dead(struct rd_db *db)
{
	struct clq_str token, rest, run = CLQ_STR(""), id = CLQ_STR("");
	struct rd_call c;
	bool dead;

	rd_call(&c, db->tx_arena, "GET");
	rd_arg(&c, LOCK);
	rest = token = rd_text(rd_ask(db, &c));
	if (!clq_str_next(&rest, ':', &run) || !clq_str_next(&rest, ':', &id) ||
	    id.len == 0)
		return;
	dead = !clq_str_is(run, db->run_id) || !is_connected(db, id);
	if (dead && db->doomed == CLQ_OK)
		unlock(db, token);
}

static enum clq_status
lock(struct rd_db *db)
{
	clq_msec until = clq_monotonic() + db->timeout;
	clq_msec look = clq_monotonic() + LOOK_MSEC;
	struct clq_str random = clq_random_hex(db->tx_arena, 8);
	struct clq_str token = clq_arena_printf(db->tx_arena, "%s:%lld:%.*s",
	    db->run_id, (long long)db->client_id, CLQ_FMT(random));

	while (db->doomed == CLQ_OK && !try_lock(db, token)) {
		if (db->doomed == CLQ_OK && clq_monotonic() > until) {
			clq_log_err("redis: %s: the lock was not to be had "
			    "in time", db->shown);
			db->doomed = CLQ_UNAVAILABLE;
		}
		if (db->doomed == CLQ_OK)
			wait_for_unlock(db);
		if (db->doomed == CLQ_OK && clq_monotonic() > look) {
			unlock_dead(db);
			look = clq_monotonic() + LOOK_MSEC;
		}
	}
	if (db->doomed == CLQ_OK)
		db->token = token;
	return db->doomed;
}

/* ---- beginning and ending ------------------------------------------------ */

enum clq_status
rd_begin(void *self, enum clq_tx_mode mode)
{
	struct rd_db *db = rd_self(self);

	if (db->begun)
		return misuse(db, "a transaction within a transaction");
	db->begun = true;
	db->mode = mode;
	db->doomed = CLQ_OK;
	return CLQ_OK;
}

enum clq_status
rd_start(struct rd_db *db, bool write)
{
	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun)
		return misuse(db, "used outside a transaction");
	if (write && db->mode != CLQ_TX_WRITE)
		return misuse(db, "a write in a reading transaction");
	if (db->token.p != NULL)
		return CLQ_OK;
	if (rd_connect(db) != CLQ_OK)
		return db->doomed;
	return db->mode == CLQ_TX_WRITE ? lock(db) : CLQ_OK;
}

static enum clq_status
commit_all(struct rd_db *db)
{
	static const char kinds[][2] = { [RD_SET] = "s", [RD_DEL] = "d",
		[RD_SADD] = "a", [RD_SREM] = "r", [RD_ZADD] = "z",
		[RD_ZREM] = "x" };
	struct rd_call c;
	struct clq_str answer;
	size_t i;

	rd_script(&c, db->tx_arena, db, RD_COMMIT);
	rd_arg(&c, db->token);
	for (i = 0; i < db->nops; i++) {
		rd_arg(&c, clq_str_of(kinds[db->ops[i].kind]));
		rd_arg(&c, db->ops[i].key);
		rd_arg(&c, db->ops[i].value);
		rd_arg_int(&c, db->ops[i].score);
	}
	answer = rd_text(rd_ask_script(db, &c, RD_COMMIT));
	if (db->doomed != CLQ_OK)
		return db->doomed;
	return clq_str_is(answer, "OK") ? CLQ_OK : CLQ_RETRY;
}

enum clq_status
rd_finish(void *self, bool commit)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = db->doomed;

	if (commit && !db->begun)
		return misuse(db, "commit outside a transaction");
	if (commit && status == CLQ_OK && db->nops > 0)
		status = commit_all(db);
	else if (db->token.p != NULL && db->conn != NULL)
		unlock(db, db->token);
	if (commit && status != CLQ_OK && db->conn != NULL &&
	    db->token.p != NULL)
		unlock(db, db->token);
	clq_arena_reset(db->tx_arena);
	db->ops = NULL;
	db->nops = db->cap = db->mark = 0;
	db->token = (struct clq_str){ NULL, 0 };
	db->begun = db->marked = false;
	db->doomed = CLQ_OK;
	return commit ? status : CLQ_OK;
}

/* ---- savepoints ----------------------------------------------------------- */

enum clq_status
rd_savepoint(void *self)
{
	struct rd_db *db = rd_self(self);

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun || db->mode != CLQ_TX_WRITE)
		return misuse(db, "a mark outside a writing transaction");
	db->marked = true;
	db->mark = db->nops;
	return CLQ_OK;
}

enum clq_status
rd_rollback(void *self)
{
	struct rd_db *db = rd_self(self);

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->marked)
		return misuse(db, "no mark to go back to");
	db->nops = db->mark;
	return CLQ_OK;
}

enum clq_status
rd_release(void *self)
{
	struct rd_db *db = rd_self(self);

	if (db->doomed != CLQ_OK)
		return db->doomed;
	if (!db->begun || db->mode != CLQ_TX_WRITE)
		return misuse(db, "a mark outside a writing transaction");
	db->marked = false;
	return CLQ_OK;
}

/* ---- the log -------------------------------------------------------------- */

static uint64_t
hash_of(struct clq_str s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return h;
}

void
rd_log(struct rd_db *db, enum rd_kind kind, struct clq_str key,
    struct clq_str value, int64_t score)
{
	size_t cap;

	if (db->nops == db->cap) {
		cap = db->cap > 0 ? db->cap * 2 : 64;
		db->ops = clq_arena_grow(db->tx_arena, db->ops,
		    db->cap * sizeof *db->ops, cap * sizeof *db->ops);
		db->cap = cap;
	}
	db->ops[db->nops++] = (struct rd_op){ .kind = kind,
		.key = clq_arena_strdup(db->tx_arena, key),
		.value = clq_arena_strdup(db->tx_arena, value),
		.score = score, .hash = hash_of(key) };
}

/* The first change of a key at or after i; db->nops: none. */
static size_t
next_op(const struct rd_db *db, struct clq_str key, uint64_t hash, size_t i)
{
	while (i < db->nops && (db->ops[i].hash != hash ||
	    !clq_str_eq(db->ops[i].key, key)))
		i++;
	return i;
}

/* ---- reading through it ----------------------------------------------------- */

/* The last change of a key that holds a text, or NULL. */
static const struct rd_op *
last_op(const struct rd_db *db, struct clq_str key)
{
	uint64_t hash = hash_of(key);

	for (size_t i = db->nops; i > 0; i--)
		if (db->ops[i - 1].hash == hash &&
		    clq_str_eq(db->ops[i - 1].key, key))
			return &db->ops[i - 1];
	return NULL;
}

void
rd_get(struct rd_db *db, struct clq_arena *arena, const struct clq_str *keys,
    struct clq_str *values, size_t n)
{
	const struct rd_op *op;
	struct rd_call c;
	redisReply *r;
	size_t i, asked = 0;

	rd_call(&c, arena, "MGET");
	for (i = 0; i < n; i++) {
		values[i] = (struct clq_str){ NULL, 0 };
		if ((op = last_op(db, keys[i])) == NULL)
			rd_arg(&c, keys[i]);
		else if (op->kind == RD_SET)
			values[i] = clq_arena_strdup(arena, op->value);
	}
	if (c.n == 1)
		return;
	r = rd_ask(db, &c);
	if (r == NULL || r->elements != c.n - 1)
		return;
	for (i = 0; i < n; i++)
		if (last_op(db, keys[i]) == NULL)
			values[i] = rd_text(r->element[asked++]);
}

static void
remove_member(struct clq_strs *list, struct clq_str member)
{
	for (size_t i = 0; i < list->n; i++)
		if (clq_str_eq(list->items[i], member)) {
			list->items[i] = list->items[--list->n];
			return;
		}
}

/* What the log does to the members of a set, of those with the prefix. */
static void
replay(struct rd_db *db, struct clq_arena *arena, struct clq_str key,
    struct clq_str prefix, struct clq_strs *list)
{
	uint64_t hash = hash_of(key);
	const struct rd_op *op;
	size_t i;

	for (i = next_op(db, key, hash, 0); i < db->nops;
	    i = next_op(db, key, hash, i + 1)) {
		op = &db->ops[i];
		if (op->kind == RD_DEL)
			list->n = 0;
		else if (op->value.len < prefix.len || (prefix.len > 0 &&
		    memcmp(op->value.p, prefix.p, prefix.len) != 0))
			continue;
		else if (op->kind == RD_SREM || op->kind == RD_ZREM)
			remove_member(list, op->value);
		else if (!clq_strs_has(*list, op->value))
			/* the log ends with the transaction */
			clq_strs_add(arena, list, clq_arena_strdup(arena,
			    op->value));
	}
}

static struct clq_strs
strs_of(struct clq_arena *arena, const redisReply *r)
{
	struct clq_strs list = { NULL, 0, 0 };
	size_t i, n = r != NULL && r->type == REDIS_REPLY_ARRAY ?
	    r->elements : 0;

	for (i = 0; i < n; i++)
		clq_strs_add(arena, &list, rd_text(r->element[i]));
	return list;
}

void
rd_members_of(struct rd_db *db, struct clq_arena *arena,
    const struct clq_str *keys, struct clq_strs *lists, size_t n)
{
	struct rd_call c;
	size_t i;

	for (i = 0; i < n; i++) {
		rd_call(&c, arena, "SMEMBERS");
		rd_arg(&c, keys[i]);
		rd_send(db, &c);
	}
	for (i = 0; i < n; i++) {
		lists[i] = strs_of(arena, rd_receive(db, arena));
		replay(db, arena, keys[i], CLQ_STR(""), &lists[i]);
	}
}

struct clq_strs
rd_members(struct rd_db *db, struct clq_arena *arena, struct clq_str key)
{
	struct clq_strs list;

	rd_members_of(db, arena, &key, &list, 1);
	return list;
}

struct clq_strs
rd_prefixed(struct rd_db *db, struct clq_arena *arena, struct clq_str key,
    struct clq_str prefix)
{
	struct clq_strs list;
	struct rd_call c;

	/* No text in a key has the byte 0xff, which UTF-8 has not. */
	rd_call(&c, arena, "ZRANGEBYLEX");
	rd_arg(&c, key);
	rd_arg(&c, clq_arena_printf(arena, "[%.*s", CLQ_FMT(prefix)));
	rd_arg(&c, clq_arena_printf(arena, "(%.*s\xff", CLQ_FMT(prefix)));
	list = strs_of(arena, rd_ask(db, &c));
	replay(db, arena, key, prefix, &list);
	return list;
}

bool
rd_score_taken(struct rd_db *db, struct clq_arena *arena, struct clq_str key,
    int64_t score, struct clq_str but)
{
	uint64_t hash = hash_of(key);
	struct clq_strs list;
	struct rd_call c;
	size_t i;

	rd_call(&c, arena, "ZRANGEBYSCORE");
	rd_arg(&c, key);
	rd_arg_int(&c, score);
	rd_arg_int(&c, score);
	list = strs_of(arena, rd_ask(db, &c));
	for (i = next_op(db, key, hash, 0); i < db->nops;
	    i = next_op(db, key, hash, i + 1)) {
		const struct rd_op *op = &db->ops[i];

		if (op->kind == RD_DEL)
			list.n = 0;
		remove_member(&list, op->value);
		if (op->kind == RD_ZADD && op->score == score)
			clq_strs_add(arena, &list, op->value);
	}
	remove_member(&list, but);
	return list.n > 0;
}
