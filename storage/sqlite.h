/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the SQLite backend share; nobody else includes this.
 *
 * An instance (struct sq_db) is configured in the master and opened in each
 * worker: one connection, one transaction at a time, storage and permission
 * on both. sqlite.so and memory.so are the same code with another configure.
 */
#ifndef CLQ_STORAGE_SQLITE_H
#define CLQ_STORAGE_SQLITE_H

#include <cliquet/abi.h>
#include <cliquet/arena.h>
#include <cliquet/buf.h>

#include <sqlite3.h>
#include <sys/types.h>

enum {
	SQ_MAGIC	= 0x73716c69,
	SQ_STATEMENTS	= 128,	/* prepared ones kept per connection */
	SQ_MAX_FIXED	= 64,	/* of which with a text known beforehand */
	SQ_RECENT	= 256,	/* of which found without reading the text */
	SQ_FACTS	= 64	/* that look-ups keep, 2 KiB each at most */
};

struct sq_queue;		/* sqlite_queue.c */

/* A declared index and the expression that it holds. */
struct sq_declared {
	const char		*name;
	struct clq_coll		 coll;
	struct clq_str		 field;
	const char		*where;	/* the list, as conditions */
	const char		*key;	/* clq_key(data, 'field') */
};

struct sq_prepared {
	const char	*sql;		/* NULL: free; owned unless fixed */
	sqlite3_stmt	*stmt;
	uint64_t	 hash;
	uint64_t	 used;		/* sq_db.clock at the last use */
	bool		 fixed;		/* stays until the connection ends */
};

/* A growing piece of memory that survives from row to row. */
struct sq_bytes {
	unsigned char	*p;
	size_t		 len;
	size_t		 cap;
};

/* What look-ups found out; sqlite_known.c. */
enum sq_fact_kind { SQ_FACT_OBJECT, SQ_FACT_GROUPS, SQ_FACT_ENTRIES };

struct sq_fact {
	uint64_t	 hash;		/* 0: free */
	size_t		 keylen;
	struct sq_bytes	 bytes;		/* what it is about, and the value */
};

static inline struct clq_str
sq_bytes_str(const struct sq_bytes *b)
{
	return (struct clq_str){ (const char *)b->p, b->len };
}

struct sq_known {
	struct sq_fact	 facts[SQ_FACTS];
	unsigned	 version;	/* of the database that they hold for */
	bool		 checked;	/* ... is what the transaction sees */
	unsigned	 turn;		/* whose place is taken next */
	struct sq_bytes	 key;		/* scratch */
	struct sq_bytes	 value;
};

/* The clock of the list that is being changed; sqlite_clock.c. */
struct sq_clock {
	struct sq_bytes	 list;		/* resource and parent */
	size_t		 split;		/* where the parent begins */
	clq_msec	 t;
	bool		 valid;
	bool		 dirty;		/* later than what is stored */
};

struct sq_db {
	unsigned		 magic;

	/* Configuration; read-only after configure. */
	struct clq_arena	*arena;
	const char		*path;		/* absolute */
	const char		*synchronous;	/* "full", "normal" or "off" */
	clq_msec		 lock_timeout;
	int			 wal_pages;
	int			 cache_kib;
	bool			 readonly;	/* setting: never create */
	void			*folder;	/* memory.so's; else NULL */

	/* The connection, in the worker. */
	sqlite3			*db;		/* NULL: not connected */
	pid_t			 pid;		/* whose connection it is */
	struct sq_queue		*queue;		/* NULL: none to be had */
	struct sq_prepared	 statements[SQ_STATEMENTS];
	struct sq_prepared	*recent[SQ_RECENT];	/* by the address of
						   the text */
	uint64_t		 clock;
	struct sq_bytes		 scratch;	/* of the SQL functions */
	struct sq_known		 known;
	struct sq_clock		 kept;		/* in the transaction */
	struct sq_clock		 kept_at_mark;
	struct clq_arena	*declared_arena;
	struct sq_declared	*declared;
	size_t			 ndeclared;
	int64_t			 declared_at;	/* schema_version; -1: none */
	clq_msec		 complained;	/* clq_monotonic() of the
						   last line about it */

	/* The transaction. */
	enum clq_tx_mode	 mode;
	bool			 begun;		/* core called begin */
	bool			 started;	/* SQLite was told */
	bool			 marked;
	bool			 lost;		/* reconnect then */
	enum clq_status		 doomed;	/* not CLQ_OK: nothing of
						   it may be committed */
};

/* ---- sqlite_conn.c: instance, connection, statements ------------------ */

/* The instance behind self, checked. */
struct sq_db *sq_self(void *self);

/*
 * A new instance on the file path (absolute, borrowed until copied), with the
 * settings sqlite_*. CLQ_OK or CLQ_INVALID (said).
 */
enum clq_status sq_new(struct clq_settings *settings, const char *path,
    struct sq_db **out) CLQ_MUST_CHECK;

/* Disconnect and free; *q becomes NULL. */
void sq_free(struct sq_db **q);

/*
 * Connect unless connected. create: also make the file and its tables if they
 * do not exist. CLQ_OK, CLQ_UNAVAILABLE or CLQ_READONLY, logged now and then.
 */
enum clq_status sq_connect(struct sq_db *q, bool create) CLQ_MUST_CHECK;
void sq_disconnect(struct sq_db *q);

/* The same without a look at the tables; create: the file only. */
enum clq_status sq_attach(struct sq_db *q, bool create) CLQ_MUST_CHECK;

/* Log why there is no connection, but not for each request. Returns
 * CLQ_UNAVAILABLE. */
enum clq_status sq_complain(struct sq_db *q, const char *why);

/*
 * Translate and log a result code of SQLite, and doom the transaction.
 * `what` says what was being done.
 */
enum clq_status sq_error(struct sq_db *q, int rc, const char *what);

/*
 * The prepared form of sql, ready for binding. fixed: sql is a literal, kept
 * for the life of the connection; else one of a bounded number of texts.
 * NULL on failure, which dooms the transaction: return q->doomed.
 */
sqlite3_stmt *sq_prepare(struct sq_db *q, const char *sql, bool fixed);

/* Bind a text that stays valid until sq_done(). */
void sq_bind_str(struct sq_db *q, sqlite3_stmt *stmt, int i,
    struct clq_str s);
/* A kept statement with these texts as ?1, ?2, ...; NULL: failed. */
sqlite3_stmt *sq_prepare_strs(struct sq_db *q, const char *sql,
    const struct clq_str *args, int n);
void sq_bind_int(struct sq_db *q, sqlite3_stmt *stmt, int i, int64_t v);

/* Next row. CLQ_OK: there is one. CLQ_NOT_FOUND: no more. Else the error. */
enum clq_status sq_step(struct sq_db *q, sqlite3_stmt *stmt) CLQ_MUST_CHECK;

/* Run to the end and give the statement back. CLQ_OK or the error. */
enum clq_status sq_run(struct sq_db *q, sqlite3_stmt *stmt) CLQ_MUST_CHECK;

/* The same for the integer that is all its answer; without a row *out stays
 * as it is. */
enum clq_status sq_run_int(struct sq_db *q, sqlite3_stmt *stmt, int64_t *out)
    CLQ_MUST_CHECK;

/* Give a statement back: no lock stays, no bound text is remembered. */
void sq_done(sqlite3_stmt *stmt);

/* Column i: borrowed until the next step, or copied. Never absent. */
struct clq_str sq_column(sqlite3_stmt *stmt, int i);
struct clq_str sq_column_dup(struct clq_arena *arena, sqlite3_stmt *stmt,
    int i);

/*
 * The first text after all those that begin with prefix, in byte order; the
 * absent slice if there is no end.
 */
struct clq_str sq_successor(struct clq_arena *arena, struct clq_str prefix);

/* ---- sqlite_tx.c: the transaction ------------------------------------- */

/* Start what begin announced. Every operation calls it first. write: refused
 * with CLQ_FAILED in a reading transaction, and all facts are forgotten. */
enum clq_status sq_start(struct sq_db *q, bool write) CLQ_MUST_CHECK;

/* The same for a write of somebody who drops what it makes untrue. */
enum clq_status sq_start_careful(struct sq_db *q) CLQ_MUST_CHECK;

/* Functions of the backend's table. */
clq_backend_begin_f sq_begin;
clq_backend_finish_f sq_finish;
clq_backend_savepoint_f sq_savepoint;
clq_backend_rollback_f sq_rollback;
clq_backend_release_f sq_release;
clq_backend_open_f sq_open;
clq_backend_ping_f sq_ping;
clq_backend_close_f sq_close;

/*
 * The bare writing transaction: queue and lock, waiting at most timeout, and
 * their end, also that of a reading one. Result codes of SQLite.
 */
int sq_lock(struct sq_db *q, clq_msec timeout) CLQ_MUST_CHECK;
int sq_unlock(struct sq_db *q, bool commit);

/* ---- sqlite_schema.c -------------------------------------------------- */

/* Check the tables of a connection; create them if it may. CLQ_OK,
 * CLQ_UNAVAILABLE or CLQ_READONLY, logged with the remedy. */
enum clq_status sq_schema_check(struct sq_db *q, bool create) CLQ_MUST_CHECK;
clq_backend_migrate_f sq_migrate;

/* ---- sqlite_clock.c: the clocks of lists ------------------------------ */

/* sq_prepare() of a literal whose first parameters are a list. */
sqlite3_stmt *sq_prepare_for(struct sq_db *q, const char *sql,
    const struct clq_coll *coll);

/* What it shows, the newest object standing in for it. CLQ_NOT_FOUND if the
 * list has neither. */
enum clq_status sq_clock_read(struct sq_db *q, const struct clq_coll *coll,
    clq_msec *out) CLQ_MUST_CHECK;

/* In a writing transaction: set it, and what its next change would show. */
enum clq_status sq_clock_set(struct sq_db *q, const struct clq_coll *coll,
    clq_msec t) CLQ_MUST_CHECK;
enum clq_status sq_clock_next(struct sq_db *q, const struct clq_coll *coll,
    clq_msec *out) CLQ_MUST_CHECK;

/*
 * Reserve n consecutive timestamps for changes of a list; *first is the
 * lowest. In a writing transaction.
 */
enum clq_status sq_bump(struct sq_db *q, const struct clq_coll *coll,
    size_t n, clq_msec *first) CLQ_MUST_CHECK;
clq_storage_timestamp_f sq_timestamp;

/* Write what is kept: before a commit, and before others touch the table. */
enum clq_status sq_clock_flush(struct sq_db *q) CLQ_MUST_CHECK;
void sq_clock_forget(struct sq_db *q);

/* With a savepoint, and with the way back to it. */
void sq_clock_mark(struct sq_db *q);
void sq_clock_undo(struct sq_db *q);
void sq_clock_free(struct sq_db *q);

/* ---- sqlite_known.c: what look-ups found out -------------------------- */

/* What a fact is about; all of it counts. */
struct sq_about {
	enum sq_fact_kind	kind;
	struct clq_str		name;	/* by which it is dropped */
	struct clq_str		of;
	struct clq_str		more;
};

/* The value, borrowed until the next call; false: look it up. */
bool sq_known_get(struct sq_db *q, const struct sq_about *about,
    struct clq_str *value);

/* Remember what a query of this transaction has found; too much is not. */
void sq_known_put(struct sq_db *q, const struct sq_about *about,
    struct clq_str value);

/* Drop the facts about a name, and all. */
void sq_known_drop(struct sq_db *q, enum sq_fact_kind kind,
    struct clq_str name);
void sq_known_forget(struct sq_db *q);

/* The transaction has ended. written: it could write. */
void sq_known_end(struct sq_db *q, bool written, bool committed);
void sq_known_free(struct sq_db *q);

/* A value that is a list of texts: append one, take the first one off. */
void sq_known_add_str(struct sq_bytes *b, struct clq_str s);
bool sq_known_next_str(struct clq_str *value, struct clq_str *s);

/* ---- sqlite_vfs.c: the write-ahead log, gathered ---------------------- */

/* Make the VFS known; *name is what to open a database with. Only for
 * synchronous=FULL. A result code of SQLite. */
int sq_vfs_register(const char **name) CLQ_MUST_CHECK;

/* A writing transaction has ended, either way: what it collected and did not
 * write is forgotten. What was committed has been written by the sync. */
void sq_vfs_end(sqlite3 *db);

/* ---- sqlite_queue.c: the writers' queue ------------------------------- */

/*
 * Attach to the queue of a database, which all processes on this machine that
 * write to it share: a file beside it. NULL if there can be none, logged; the
 * database then has to do with SQLite's own lock.
 */
struct sq_queue *sq_queue_open(const char *database);
void sq_queue_close(struct sq_queue **queue);

/* Wait for our turn, first come, first served. false: not within timeout. */
bool sq_queue_enter(struct sq_queue *queue, clq_msec timeout) CLQ_MUST_CHECK;
void sq_queue_leave(struct sq_queue *queue);

/* ---- sqlite_scan.c: reading the text of JSON documents ---------------- */

/*
 * Find the value at a dotted path in the text of a JSON object, with the rules
 * of clq_json_path(). False if missing. Never reads beyond the text, valid or
 * not.
 */
bool sq_json_find(struct clq_str doc, struct clq_str path,
    struct clq_str *value);

/* Items of an array, members of an object, one after the other; the first
 * argument becomes what is left. Names are between their quotes, escaped. */
bool sq_json_items(struct clq_str *array, struct clq_str *item);
bool sq_json_members(struct clq_str *object, struct clq_str *name,
    struct clq_str *value);

/* Append the text between the quotes of a JSON string, without escapes. */
void sq_json_unescape(struct sq_bytes *b, struct clq_str raw);

/* ---- sqlite_key.c: JSON values as texts that sort --------------------- */

/* Append n bytes, or make room for n more. Out of memory ends the process. */
void sq_bytes_add(struct sq_bytes *b, const void *p, size_t n);
void sq_bytes_room(struct sq_bytes *b, size_t n);

/*
 * Append the key of a JSON value: memcmp() of keys is clq_json_cmp() of
 * values, and equal keys are equal values.
 */
void sq_key_add(struct sq_bytes *b, struct clq_str value);
void sq_key_add_missing(struct sq_bytes *b);
void sq_key_add_str(struct sq_bytes *b, struct clq_str s);
void sq_key_add_int(struct sq_bytes *b, int64_t v);

/* ---- sqlite_like.c: patterns ------------------------------------------ */

struct sq_pattern {
	struct clq_strs	 parts;		/* between wildcards, lower-cased */
	bool		 anywhere;	/* no wildcard: a substring */
};

void sq_pattern_parse(struct clq_arena *arena, struct sq_pattern *p,
    struct clq_str text);

/* The text matches, whatever the case. scratch is changed. */
bool sq_pattern_match(const struct sq_pattern *p, struct clq_str text,
    struct sq_bytes *scratch);

/* ---- sqlite_match.c: filters and sorting as SQL functions ------------- */

/*
 * What the SQL functions need to know of a query, made once and passed as a
 * bound pointer, so that no text of a client becomes SQL.
 *
 *	clq_match(data, deleted, SQ_FILTERS)	1 if the document passes all
 *	clq_key(data, 'field')			the key of a field, for indexes
 *	clq_like(text, SQ_FILTERS)		the same for a text
 *	clq_sortkey(data, deleted, id, last_modified, SQ_SORTS)
 *						a blob in the order of the sorts
 */
#define SQ_FILTERS	"clq_filters"
#define SQ_SORTS	"clq_sorts"

struct sq_filter;

struct sq_filters {
	struct sq_filter	*items;
	size_t			 n;
};

enum sq_column { SQ_DOCUMENT, SQ_ID, SQ_MODIFIED };

struct sq_sort {
	enum sq_column	 column;
	bool		 descending;
	struct clq_str	 path;		/* of SQ_DOCUMENT */
};

struct sq_sorts {
	struct sq_sort	*items;
	size_t		 n;
};

/* An object or tombstone, as the functions see it. */
struct sq_row {
	struct clq_str	data;
	bool		deleted;
	struct clq_str	id;
	clq_msec	last_modified;
};

/* True if all lists of the resource are meant. */
static inline bool
sq_any_parent(const struct clq_coll *coll)
{
	return clq_str_is(coll->parent, CLQ_ANY_PARENT);
}

/* The column that a field names. */
enum sq_column sq_column_of(struct clq_str field);

/* The key of a value; NULL: missing. */
struct clq_str sq_key_of(struct clq_arena *arena, const struct cJSON *value);

/* Append a filter on a document to f. */
void sq_filters_add(struct clq_arena *arena, struct sq_filters *f,
    const struct clq_filter *filter);

/* True if the document passes all filters. scratch is changed. */
bool sq_filters_match(const struct sq_filters *f, const struct sq_row *row,
    struct sq_bytes *scratch);

/* True if a text passes all filters, which are CLQ_OP_LIKE. */
bool sq_filters_like(const struct sq_filters *f, struct clq_str text,
    struct sq_bytes *scratch);

/* The sorts of q that count: those after a unique field do not. */
struct sq_sorts *sq_sorts_new(struct clq_arena *arena,
    const struct clq_query *q);

/* Append the key of a row, or that of the row where a page ended. */
void sq_sorts_key(const struct sq_sorts *sorts, const struct sq_row *row,
    struct sq_bytes *out);
struct clq_str sq_sorts_after(struct clq_arena *arena,
    const struct sq_sorts *sorts, const struct cJSON *const *after);

/* Register the functions with the connection. A result code of SQLite. */
int sq_match_register(struct sq_db *q);

/* ---- sqlite_sql.c: queries as SQL ------------------------------------- */

enum sq_param_type { SQ_INT, SQ_REAL, SQ_TEXT, SQ_BLOB, SQ_POINTER };

struct sq_param {
	enum sq_param_type	 type;
	int64_t			 i;
	double			 d;
	struct clq_str		 s;
	void			*p;
	const char		*tag;		/* type of p */
};

/* A statement under construction. */
struct sq_sql {
	struct clq_arena	*arena;
	struct clq_buf		 text;
	struct sq_param		*params;
	size_t			 n;
	const struct sq_sorts	*sorts;
	const struct sq_declared *index;	/* NULL: none of those */
	bool			 by_range;	/* chosen for a range only */
	bool			 in_order;	/* it delivers the sorts */
	bool			 nothing;	/* no object can match:
						   do not run it */
};

/*
 * Begin a statement with `head`, then FROM and WHERE as q says.
 * deleted: tombstones take part.
 */
void sq_sql_query(struct sq_sql *b, struct clq_arena *arena,
    const char *head, const struct clq_query *q, bool deleted);

/* The same, by a declared index if one of db serves q. */
void sq_sql_query_by(struct sq_sql *b, const struct sq_db *db,
    struct clq_arena *arena, const char *head, const struct clq_query *q,
    bool deleted);

/* Resume after q->after: another condition. Before sq_sql_order(). */
void sq_sql_after(struct sq_sql *b, const struct clq_query *q);

/* ORDER BY the sorts of q. */
void sq_sql_order(struct sq_sql *b);

/* Comparisons, equality and its contrary as SQL has them; NULL: no such. */
extern const char *const sq_sign[CLQ_OP__COUNT];

void sq_sql_add(struct sq_sql *b, const char *text);
void sq_sql_add_blob(struct sq_sql *b, struct clq_str v);
void sq_sql_add_number(struct sq_sql *b, const struct cJSON *v);
void sq_sql_add_int(struct sq_sql *b, const char *text, int64_t v);

/* Prepare and bind; b stays alive until sq_done(). NULL as sq_prepare(). */
sqlite3_stmt *sq_sql_prepare(struct sq_db *q, struct sq_sql *b);

/* ---- sqlite_index.c, sqlite_declared.c: declared indexes --------------- */

enum { SQ_MAX_MEMBERS = 64 };	/* of a list that an index is asked for */

/* Choose b->index for q, whose sorts b has. */
void sq_index_choose(struct sq_sql *b, const struct sq_db *db,
    const struct clq_query *q);

/* True if b->index serves f, which sq_index_filter() then adds to b. */
bool sq_index_serves(const struct sq_sql *b, const struct clq_filter *f);
void sq_index_filter(struct sq_sql *b, const struct clq_filter *f);

/* Resume after q->after and ORDER BY, if b->in_order. */
void sq_index_after(struct sq_sql *b, const struct clq_query *q);
void sq_index_order(struct sq_sql *b);

/* In a transaction: learn which there are, unless that is known. CLQ_OK or
 * what doomed the transaction. */
enum clq_status sq_index_learn(struct sq_db *q) CLQ_MUST_CHECK;

clq_storage_index_f sq_index_add;
clq_storage_index_f sq_index_drop;
clq_storage_index_list_f sq_index_list;

/* ---- the tables ------------------------------------------------------- */

extern const struct clq_storage_ops sq_storage_ops;
extern const struct clq_permission_ops sq_permission_ops;

/* sqlite_objects.c; the others are in their files. */
clq_storage_lookup_f sq_lookup;
clq_storage_write_f sq_write;
clq_storage_erase_f sq_erase;
clq_storage_purge_f sq_purge;
clq_storage_totals_f sq_totals;
clq_storage_flush_f sq_flush;

/* sqlite_list.c */
clq_storage_list_f sq_list;
clq_storage_count_f sq_count;
clq_storage_delete_all_f sq_delete_all;
clq_storage_trim_f sq_trim;

/* The permission part of a lookup. */
clq_permission_lookup_f sq_permission_lookup;

/* ---- sqlite_accessible.c ------------------------------------------------ */

/* A pattern of URIs or principals as the texts [from, to), or as one. */
struct sq_range {
	struct clq_str	from;
	struct clq_str	to;
	bool		open;		/* without end; `to` is absent */
	bool		exact;		/* `from` itself */
};

struct sq_range sq_range_of(struct clq_arena *arena, struct clq_str pattern);
clq_permission_accessible_f sq_accessible;

#endif
