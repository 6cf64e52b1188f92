/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache in Kinto's table `cache` (section 11-5.3): for those who have a
 * database and want nothing else to look after.
 *
 * It has a connection of its own and no transactions: each call is one
 * statement that commits by itself. The table that `cliquet migrate` makes is
 * UNLOGGED: nothing is written ahead for it, and after a crash of PostgreSQL it
 * is empty, as a cache may be, and no token that was taken comes back. Kinto's
 * own logged one is served as well. Expired rows are swept now and then, by
 * those who write.
 *
 * memcached and the memory cache are many times faster; docs/postgresql.md.
 */
#include "storage/pg.h"

enum { SWEEP_EVERY = 256 };	/* of the writes of a worker */

/* A thousand years, which a TIMESTAMP can still hold. */
#define FOR_EVER	((clq_msec)1000 * 365 * 24 * 3600 * 1000)

#define IN_MSEC(n)							\
	"(clock_timestamp() AT TIME ZONE 'UTC')"			\
	" + " n "::bigint * interval '1 millisecond'"
#define ALIVE	"ttl > (clock_timestamp() AT TIME ZONE 'UTC')"

/* clang-format off */
static const struct pg_stmt cache_get = { PG_CACHE_GET,
	"SELECT value FROM cache WHERE key = $1::text AND " ALIVE };
static const struct pg_stmt cache_set = { PG_CACHE_SET,
	"INSERT INTO cache (key, value, ttl)"
	" VALUES ($1::text, $2, " IN_MSEC("$3") ")"
	" ON CONFLICT (key) DO UPDATE"
	" SET value = EXCLUDED.value, ttl = EXCLUDED.ttl" };
/* The value of an expired row is not returned, which is as good as gone. */
static const struct pg_stmt cache_take = { PG_CACHE_TAKE,
	"DELETE FROM cache WHERE key = $1::text AND " ALIVE
	" RETURNING value" };
static const struct pg_stmt cache_ttl = { PG_CACHE_TTL,
	"SELECT (EXTRACT(EPOCH FROM ttl - (clock_timestamp()"
	" AT TIME ZONE 'UTC')) * 1000)::bigint"
	" FROM cache WHERE key = $1::text AND " ALIVE };
static const struct pg_stmt cache_expire = { PG_CACHE_EXPIRE,
	"UPDATE cache SET ttl = " IN_MSEC("$2")
	" WHERE key = $1::text AND " ALIVE " RETURNING 1::bigint" };
static const struct pg_stmt cache_flush = { PG_CACHE_FLUSH,
	"DELETE FROM cache WHERE starts_with(key, $1)" };
static const struct pg_stmt cache_sweep = { PG_CACHE_SWEEP,
	"DELETE FROM cache WHERE key IN (SELECT key FROM cache"
	" WHERE NOT " ALIVE " LIMIT 1000 FOR UPDATE SKIP LOCKED)" };
/* clang-format on */

/* One statement by itself, with its result if it has one. */
static enum clq_status
run(struct pg_db *db, const struct pg_stmt *stmt, const struct pg_args *args,
    pg_result_f *fn, void *ctx)
{
	enum clq_status status = pg_begin(db, CLQ_TX_READ);

	if (status != CLQ_OK)
		return status;
	status = pg_start(db, false);
	if (status == CLQ_OK) {
		pg_exec(db, stmt, args, fn, ctx);
		status = pg_wait(db);
	}
	(void)(pg_finish(db, false) == CLQ_OK);
	/* A cache has no transaction that somebody could repeat. */
	return status == CLQ_RETRY ? CLQ_UNAVAILABLE : status;
}

static int64_t
bounded(clq_msec ttl)
{
	return ttl < FOR_EVER ? ttl : FOR_EVER;
}

/* ---- reading ------------------------------------------------------------- */

struct text_wanted {
	struct clq_arena	*arena;
	struct clq_str		*value;
	bool			 found;
};

static void
on_text(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct text_wanted *w = ctx;

	(void)db;
	if (PQntuples(res) == 1) {
		*w->value = pg_get_text(w->arena, res, 0, 0);
		w->found = true;
	}
}

/* get and take differ in their statement. */
static enum clq_status
ask_text(void *self, const struct pg_stmt *stmt, struct clq_arena *arena,
    struct clq_str key, struct clq_str *value)
{
	struct text_wanted w = { arena, value, false };
	struct pg_args args;
	enum clq_status status;

	pg_args_init(&args, arena);
	pg_arg_text(&args, key);
	status = run(pg_self(self), stmt, &args, on_text, &w);
	return status == CLQ_OK && !w.found ? CLQ_NOT_FOUND : status;
}

static enum clq_status
get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	return ask_text(self, &cache_get, arena, key, value);
}

static enum clq_status
take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	return ask_text(self, &cache_take, arena, key, value);
}

/* ---- the rest ------------------------------------------------------------ */

struct number_wanted {
	int64_t	value;
	bool	found;
};

static void
on_number(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct number_wanted *w = ctx;

	(void)db;
	if (PQntuples(res) == 1) {
		w->value = pg_get_int(res, 0, 0);
		w->found = true;
	}
}

/* A statement on a key that may have a second parameter and returns a number
 * if there is such a key. */
static enum clq_status
ask_number(void *self, const struct pg_stmt *stmt, struct clq_str key,
    const int64_t *second, int64_t *out)
{
	struct clq_arena *arena = clq_arena_new();
	struct number_wanted w = { 0, false };
	struct pg_args args;
	enum clq_status status;

	pg_args_init(&args, arena);
	pg_arg_text(&args, key);
	if (second != NULL)
		pg_arg_int(&args, *second);
	status = run(pg_self(self), stmt, &args, on_number, &w);
	clq_arena_free(&arena);
	*out = w.value;
	return status == CLQ_OK && !w.found ? CLQ_NOT_FOUND : status;
}

static enum clq_status
ttl(void *self, struct clq_str key, clq_msec *left)
{
	int64_t n;
	enum clq_status status = ask_number(self, &cache_ttl, key, NULL, &n);

	if (status == CLQ_OK)
		*left = n;
	return status;
}

static enum clq_status
expire(void *self, struct clq_str key, clq_msec new_ttl)
{
	int64_t one, until = bounded(new_ttl);

	return ask_number(self, &cache_expire, key, &until, &one);
}

static enum clq_status
set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl_)
{
	struct pg_db *db = pg_self(self);
	struct clq_arena *arena = clq_arena_new();
	struct pg_args args;
	enum clq_status status;

	pg_args_init(&args, arena);
	pg_arg_text(&args, key);
	pg_arg_text(&args, value);
	pg_arg_int(&args, bounded(ttl_));
	status = run(db, &cache_set, &args, NULL, NULL);
	if (status == CLQ_OK && ++db->cached % SWEEP_EVERY == 0)
		/* what is left is swept another time */
		(void)(run(db, &cache_sweep, NULL, NULL, NULL) == CLQ_OK);
	clq_arena_free(&arena);
	return status;
}

static enum clq_status
flush(void *self, struct clq_str prefix)
{
	struct clq_arena *arena = clq_arena_new();
	struct pg_args args;
	enum clq_status status;

	pg_args_init(&args, arena);
	pg_arg_text(&args, prefix);
	status = run(pg_self(self), &cache_flush, &args, NULL, NULL);
	clq_arena_free(&arena);
	return status;
}

const struct clq_cache_ops pg_cache_ops = {
	.size	= sizeof pg_cache_ops,
	.get	= get,
	.set	= set,
	.take	= take,
	.ttl	= ttl,
	.expire	= expire,
	.flush	= flush,
};
