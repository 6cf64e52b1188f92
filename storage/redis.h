/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the Redis backend share; nobody else includes this.
 *
 * An instance (struct rd_db) is configured in the master and opened in each
 * worker: one connection, one transaction at a time. Redis has no transaction
 * that could look and then write, so a writing one takes a lock for the whole
 * database, gathers its changes in a log (redis_tx.c), and hands them to a
 * script, which checks that the lock is still held and applies them all or none.
 * Reading goes through the log, so that a transaction sees what it has written.
 */
#ifndef CLQ_STORAGE_REDIS_H
#define CLQ_STORAGE_REDIS_H

#include <cliquet/abi.h>
#include <cliquet/arena.h>
#include <cliquet/buf.h>

#include <hiredis/hiredis.h>
#include <sys/types.h>

#include "storage/redis_address.h"

enum { RD_MAGIC = 0x72656469 };

/* Scripts, by their place in redis_conn.c's table. */
enum rd_script {
	RD_COMMIT,		/* apply the log and unlock */
	RD_UNLOCK,
	RD_LOAD,		/* all objects of a list */
	RD_BY_TIME,		/* some of them, in the order of time */
	RD_TAKE,		/* of the cache */
	RD__SCRIPTS
};

enum rd_kind {
	RD_SET,			/* a text */
	RD_DEL,			/* whatever the key holds */
	RD_SADD,		/* a member of a set */
	RD_SREM,
	RD_ZADD,		/* a member of a sorted set, with its score */
	RD_ZREM
};

/* One change that waits. */
struct rd_op {
	enum rd_kind	kind;
	struct clq_str	key;
	struct clq_str	value;		/* text or member */
	int64_t		score;
	uint64_t	hash;		/* of the key */
};

struct rd_db {
	unsigned		 magic;

	/* Configuration; read-only after configure. */
	struct clq_arena	*arena;
	struct redis_address	 address;
	const char		*shown;		/* for logs, no secret */
	clq_msec		 connect_timeout;
	clq_msec		 timeout;	/* of a command, and of a lock */

	/* The connection, in the worker. */
	redisContext		*conn;	/* NULL: not connected */
	pid_t			 pid;		/* whose connection it is */
	int64_t			 client_id;
	char			 run_id[64];	/* of the server; or empty */
	clq_msec		 retry_at;	/* clq_monotonic() */
	clq_msec		 delay;		/* of the next failure */
	clq_msec		 complained_at;
	bool			 complained;
	char			 sha[RD__SCRIPTS][41];

	/* The transaction. */
	enum clq_tx_mode	 mode;
	bool			 begun;
	struct clq_str		 token;		/* of the lock; absent: none */
	enum clq_status		 doomed;	/* CLQ_OK: not */
	struct clq_arena	*tx_arena;	/* of the log */
	struct rd_op		*ops;
	size_t			 nops;
	size_t			 cap;
	size_t			 mark;		/* ops before the mark */
	bool			 marked;
};

/* The instance behind self, checked. */
struct rd_db *rd_self(void *self);

/* ---- redis_url.c: settings -------------------------------------------- */

clq_backend_configure_f rd_configure;

/* ---- redis_conn.c: commands -------------------------------------------- */

/* A command under construction; texts are borrowed until it is sent. */
struct rd_call {
	struct clq_arena	 *arena;
	const char		**argv;
	size_t			 *lengths;
	size_t			  n;
	size_t			  cap;
};

void rd_call(struct rd_call *c, struct clq_arena *arena, const char *name);
void rd_arg(struct rd_call *c, struct clq_str s);
void rd_arg_int(struct rd_call *c, int64_t v);

/* Connect unless connected; at once CLQ_UNAVAILABLE while backing off. */
enum clq_status rd_connect(struct rd_db *db) CLQ_MUST_CHECK;
void rd_disconnect(struct rd_db *db);

/* How long a command may take from now on; false: the connection is of no use. */
bool rd_set_timeout(struct rd_db *db, clq_msec timeout) CLQ_MUST_CHECK;

/*
 * Send a command, or receive the reply of one that was sent, owned by the
 * arena. NULL: lost or an error, which dooms the transaction.
 */
void rd_send(struct rd_db *db, const struct rd_call *c);
redisReply *rd_receive(struct rd_db *db, struct clq_arena *arena);
redisReply *rd_ask(struct rd_db *db, const struct rd_call *c);

/* Begin a call of a script without keys; rd_ask_script() sends it, loading the
 * script again if the server forgot it. */
void rd_script(struct rd_call *c, struct clq_arena *arena,
    const struct rd_db *db, enum rd_script script);
redisReply *rd_ask_script(struct rd_db *db, struct rd_call *c,
    enum rd_script script);

/* The text of a reply; absent for nil and anything else. */
struct clq_str rd_text(const redisReply *r);

/* ---- redis_tx.c: the log ----------------------------------------------- */

clq_backend_begin_f rd_begin;
clq_backend_finish_f rd_finish;
clq_backend_savepoint_f rd_savepoint;
clq_backend_rollback_f rd_rollback;
clq_backend_release_f rd_release;

/* Every operation calls it first: connects and, in a writing transaction,
 * locks. write: refused with CLQ_FAILED in a reading one. */
enum clq_status rd_start(struct rd_db *db, bool write) CLQ_MUST_CHECK;

/* Add to the log; texts are copied. */
void rd_log(struct rd_db *db, enum rd_kind kind, struct clq_str key,
    struct clq_str value, int64_t score);

/* What keys hold, through the log: texts (absent: none), the members of sets
 * (of several in one round trip), and those of a sorted set of scores 0 that
 * begin with prefix. Failures show in db->doomed. */
void rd_get(struct rd_db *db, struct clq_arena *arena,
    const struct clq_str *keys, struct clq_str *values, size_t n);
void rd_members_of(struct rd_db *db, struct clq_arena *arena,
    const struct clq_str *keys, struct clq_strs *lists, size_t n);
struct clq_strs rd_members(struct rd_db *db, struct clq_arena *arena,
    struct clq_str key);
struct clq_strs rd_prefixed(struct rd_db *db, struct clq_arena *arena,
    struct clq_str key, struct clq_str prefix);
/* True if a member other than `but` has that score. */
bool rd_score_taken(struct rd_db *db, struct clq_arena *arena,
    struct clq_str key, int64_t score, struct clq_str but);

/* ---- redis_keys.c: names of keys, and what is in them (docs/redis.md) ---- */

struct clq_str rd_key_timestamp(struct clq_arena *a,
    const struct clq_coll *coll);
struct clq_str rd_key_object(struct clq_arena *a, const struct clq_coll *coll,
    struct clq_str id, bool tombstone);
struct clq_str rd_key_ids(struct clq_arena *a, const struct clq_coll *coll,
    bool tombstones);
struct clq_str rd_key_times(struct clq_arena *a,
    const struct clq_coll *coll);
#define RD_LISTS CLQ_STR("cliquet.lists")

static inline bool
rd_any_parent(const struct clq_coll *coll)
{
	return clq_str_is(coll->parent, CLQ_ANY_PARENT);
}

/* A member of RD_LISTS, and back. */
struct clq_str rd_list_name(struct clq_arena *a, const struct clq_coll *coll);
struct clq_coll rd_list_of(struct clq_str name);

/* An object as it is kept, and back: false (logged) if it is no such thing. */
struct clq_str rd_pack(struct clq_arena *a, const struct clq_object *o);
bool rd_unpack(struct rd_db *db, struct clq_arena *a, struct clq_str text,
    bool tombstone, struct clq_object *out);

/* ---- redis_objects.c ---------------------------------------------------- */

/* The list's timestamp through the log; 0: none. */
clq_msec rd_list_timestamp(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll);

/* Log what storing an object, or the tombstone of it, changes. */
void rd_store(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, const struct clq_object *o);
/* Log that the object and its tombstone are gone without trace. */
void rd_vanish(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, struct clq_str id);
void rd_set_timestamp(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, clq_msec t);

clq_storage_lookup_f rd_lookup;
clq_storage_timestamp_f rd_timestamp;
clq_storage_write_f rd_write;
clq_storage_sync_f rd_sync;

/* ---- redis_list.c -------------------------------------------------------- */

struct rd_objects {
	struct clq_object	*items;
	size_t			 n;
	size_t			 cap;
};

/* All objects of a list, tombstones too if wanted. */
void rd_load(struct rd_db *db, struct clq_arena *arena,
    const struct clq_coll *coll, bool tombstones, struct rd_objects *out);

/* The lists of a resource (absent: of all) whose parent is `parent` or below
 * it; parent absent: any. */
struct clq_coll *rd_lists(struct rd_db *db, struct clq_arena *arena,
    struct clq_str resource, struct clq_str parent, size_t *n);

clq_storage_list_f rd_list;
clq_storage_count_f rd_count;
clq_storage_delete_all_f rd_delete_all;
clq_storage_trim_f rd_trim;

/* ---- redis_sweep.c -------------------------------------------------------- */

clq_storage_erase_f rd_erase;
clq_storage_purge_f rd_purge;
clq_storage_totals_f rd_totals;
clq_storage_flush_f rd_flush;

/* ---- the tables ------------------------------------------------------------ */

extern const struct clq_storage_ops rd_storage_ops;
extern const struct clq_permission_ops rd_permission_ops;
extern const struct clq_cache_ops rd_cache_ops;

/* redis_permission.c: the permission part of a look-up. */
void rd_lookup_permission(struct rd_db *db, struct clq_lookup *l);

#endif
