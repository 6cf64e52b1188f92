/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the PostgreSQL backend share; nobody else includes this.
 *
 * An instance (struct pg_db) is configured in the master and opened in each
 * worker: one connection in libpq's pipeline mode, one transaction at a time,
 * storage and permission on both. Statements are sent without waiting;
 * pg_wait() ends what was sent with a synchronisation point and hands each
 * result to the function that was given with its statement. All parameters and
 * results are in binary form: no text of a client is ever part of SQL.
 */
#ifndef CLQ_STORAGE_PG_H
#define CLQ_STORAGE_PG_H

#include <cliquet/abi.h>
#include <cliquet/arena.h>
#include <cliquet/buf.h>

#include <libpq-fe.h>
#include <sys/types.h>

enum {
	PG_MAGIC	= 0x70677371,
	PG_DYNAMIC	= 64,		/* prepared ones of unforeseen text */
	PG_DYNAMIC_LEN	= 16384,		/* bytes of such a text at most */
	PG_MAX_PARAMS	= 65535
};

/* ---- hashes ------------------------------------------------------------ */

/* FNV-1a: what PG_HASH began goes on over s. */
#define PG_HASH		UINT64_C(14695981039346656037)
#define PG_HASH_PRIME	UINT64_C(1099511628211)

static inline uint64_t
pg_hash(uint64_t h, struct clq_str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * PG_HASH_PRIME;
	return h;
}

/* And over a byte that no UTF-8 has: several texts are told apart. */
static inline uint64_t
pg_hash_word(uint64_t h, struct clq_str s)
{
	return (pg_hash(h, s) ^ 0xff) * PG_HASH_PRIME;
}

/* ---- parameters of statements ----------------------------------------- */

/* Their values live in the arena or are borrowed until pg_exec() returns. */
struct pg_args {
	struct clq_arena	 *arena;
	const char		**values;
	int			 *lengths;
	int			 *formats;
	size_t			  n;
	size_t			  cap;
};

void pg_args_init(struct pg_args *a, struct clq_arena *arena);

/* Append one; each returns its number, from 1 on. */
unsigned pg_arg_null(struct pg_args *a);
unsigned pg_arg_text(struct pg_args *a, struct clq_str s);
unsigned pg_arg_int(struct pg_args *a, int64_t v);
unsigned pg_arg_time(struct pg_args *a, clq_msec t);
unsigned pg_arg_json(struct pg_args *a, struct clq_str json);

/* Arrays of n items; get() is called with 0 ... n - 1. */
typedef struct clq_str pg_item_f(const void *ctx, size_t i);
unsigned pg_arg_texts(struct pg_args *a, pg_item_f *get, const void *ctx,
    size_t n);
unsigned pg_arg_jsons(struct pg_args *a, pg_item_f *get, const void *ctx,
    size_t n);
unsigned pg_arg_strs(struct pg_args *a, struct clq_strs list);
unsigned pg_arg_ints(struct pg_args *a, const int64_t *v, size_t n);
unsigned pg_arg_times(struct pg_args *a, const clq_msec *t, size_t n);

/* ---- columns of results ----------------------------------------------- */

/* The last value that a timestamp of a client may have: 2^53. */
#define PG_MAX_TIME	((clq_msec)1 << 53)

/* Copies in the arena, never absent; json without needless blanks. */
struct clq_str pg_get_text(struct clq_arena *arena, const PGresult *res,
    int row, int column);
struct clq_str pg_get_json(struct clq_arena *arena, const PGresult *res,
    int row, int column);
/* Rounded to milliseconds as Kinto's as_epoch() does. */
clq_msec pg_get_time(const PGresult *res, int row, int column);
int64_t pg_get_int(const PGresult *res, int row, int column);
bool pg_get_bool(const PGresult *res, int row, int column);

/* ---- statements -------------------------------------------------------- */

/* Statements whose text is known beforehand, one row each; prepared at their
 * first use on a connection. */
enum pg_fixed {
	PG_BEGIN,
	PG_COMMIT,
	PG_ROLLBACK,
	PG_SAVEPOINT,
	PG_ROLLBACK_TO,
	PG_RELEASE,
	PG_LOCK,
	PG_REPLAN,
	PG_BEAT,
	PG_BEAT_PERMISSION,
	PG_BEAT_READ,
	PG_FIND,
	PG_FIND_MANY,
	PG_TIMESTAMP,
	PG_TIMESTAMP_INIT,
	PG_LATEST,
	PG_ENSURE,
	PG_WRITE,		/* and the next eight: pg_write.c */
	PG_WRITE_LAST = PG_WRITE + 8,
	PG_ERASE,
	PG_ERASE_TIMES,
	PG_PURGE,
	PG_PURGE_RANKED,
	PG_PURGE_TIMES,
	PG_KEEP_TIMES,
	PG_KEEP_TIME,
	PG_TOTALS,
	PG_FLUSH,
	PG_FLUSH_TIMES,
	PG_LOOK,		/* and the next eleven: pg_lookup.c */
	PG_LOOK_LAST = PG_LOOK + 11,
	PG_GROUPS,
	PG_BOUNDS,
	PG_ACL,
	PG_ACLS,
	PG_ACE_REPLACE,
	PG_ACE_SET,
	PG_ACE_ADD,
	PG_ACE_REMOVE,
	PG_ACE_DELETE,
	PG_ACE_DELETE_RANGE,
	PG_ACCESSIBLE_ALL,
	PG_ACCESSIBLE,
	PG_MEMBER_ADD,
	PG_MEMBER_REMOVE,
	PG_FORGET,
	PG_FORGET_RANGE,
	PG_FLUSH_ACES,
	PG_FLUSH_MEMBERS,
	PG_DECLARED,
	PG_CACHE_GET,
	PG_CACHE_SET,
	PG_CACHE_TAKE,
	PG_CACHE_TTL,
	PG_CACHE_EXPIRE,
	PG_CACHE_FLUSH,
	PG_CACHE_SWEEP,
	PG_BEAT_CACHE,
	PG__FIXED_COUNT
};

/*
 * The object `o` of the list ($1 resource, $2 parent) that has this id. No
 * index but the primary key is offered all it could use: "IS TRUE" is said
 * because no index knows it. Without statistics, as in a list that is just
 * being filled, the planner takes one over the whole list for as good, and the
 * plan is kept. For the same reason it is not "NOT deleted", which a partial
 * index knows.
 */
#define PG_OBJECT_OF(o, id, parent, resource)				\
	o ".id = " id " AND " o ".parent_id = " parent			\
	" AND (" o ".resource_name = " resource ") IS TRUE"
#define PG_OBJECT(o, id) PG_OBJECT_OF(o, id, "$2", "$1")
#define PG_LIVING(o)	o ".deleted IS NOT TRUE"
/* The timestamp of a list; NULL: nothing was ever in it. */
#define PG_LIST_TIME(resource, parent)					\
	"GREATEST((SELECT last_modified FROM timestamps"		\
	" WHERE parent_id = " parent " AND resource_name = " resource "),"	\
	" (SELECT last_modified FROM objects"				\
	" WHERE parent_id = " parent " AND resource_name = " resource	\
	" ORDER BY last_modified DESC LIMIT 1))"

struct pg_stmt {
	enum pg_fixed	 id;	/* PG__FIXED_COUNT: made for the occasion */
	const char	*sql;
};

enum pg_prepared {
	PG_UNPREPARED,
	PG_PREPARING,		/* sent; the result has not been read */
	PG_PREPARED
};

struct pg_dynamic {
	char			*sql;		/* NULL: free */
	uint64_t		 hash;
	uint64_t		 used;		/* pg_db.clock then */
	enum pg_prepared	 state;
	unsigned		 serial;	/* part of its name */
};

struct pg_db;
struct pg_table;		/* and its columns: pg_table.h */
struct pg_table_column;

/* Called with the result of a statement that succeeded. */
typedef void pg_result_f(struct pg_db *db, const PGresult *res, void *ctx);

/* A result that is to come. */
struct pg_expected {
	enum { PG_RESULT, PG_PARSED, PG_SYNCED } kind;
	pg_result_f		*fn;		/* or NULL */
	void			*ctx;
	enum pg_prepared	*state;		/* of PG_PARSED */
	const char		*what;		/* for messages */
};

/* ---- the instance ------------------------------------------------------ */

/* A change that waits to be sent: a write, a statement, or entries. */
struct pg_op {
	bool			 storage;	/* else permission */
	struct clq_write	*write;		/* NULL: not a write */
	const struct pg_stmt	*stmt;		/* NULL: not a statement */
	struct pg_args		 args;
	struct clq_str		 uri;		/* whose entries become these */
	struct clq_acl		 acl;
};

/* What a batch has asked already (pg_known.c); valid until the end of the
 * transaction. */
struct pg_known {
	bool			 on;
	struct clq_arena	*arena;		/* of the answers */
	struct pg_fact		**table;	/* in tx_arena, hashed */
	size_t			 n;
	size_t			 cap;
	uint64_t		 clock;		/* counts what happens */
	uint64_t		 forgotten;	/* what is not newer is void */
	uint64_t		 mark;
	struct clq_str		 user;		/* who asks */
	struct clq_strs		 principals;
	struct clq_strs		 groups;
	uint64_t		 groups_since;
};

/*
 * A declared index. Its columns are the place of the value's type, the text if
 * that is a string, and the value if not, then last_modified; all as SQL.
 */
struct pg_declared {
	struct clq_coll	 coll;
	struct clq_str	 field;
	const char	*name;
	const char	*where;		/* the list, as conditions */
	const char	*value;
	const char	*rank;
	const char	*text;
	const char	*json;
};

struct pg_db {
	unsigned		 magic;

	/* Configuration; read-only after configure. */
	struct clq_arena	*arena;
	const char		*conninfo;	/* as libpq wants it */
	const char		*shown;		/* for logs, no secret */
	size_t			 nhosts;	/* in conninfo */
	clq_msec		 connect_timeout; /* of one host */
	clq_msec		 timeout;	/* of a statement */
	bool			 storage;	/* which tables must be there */
	bool			 permission;
	bool			 cache;

	/* The connection, in the worker. */
	PGconn			*conn;	/* NULL: not connected */
	pid_t			 pid;		/* whose connection it is */
	bool			 broken;	/* disconnect when it is idle */
	clq_msec		 retry_at;	/* clq_monotonic() */
	clq_msec		 delay;		/* of the next failure */
	clq_msec		 complained_at;	/* the last line about it */
	bool			 complained;
	const char		*collation;	/* for lower(); quoted */
	enum pg_prepared	 fixed[PG__FIXED_COUNT];
	struct pg_dynamic	 dynamic[PG_DYNAMIC];
	uint64_t		 clock;
	unsigned		 serial;
	clq_msec		 planned_at;	/* clq_monotonic() */

	/* The declared indexes, as they were a moment ago. */
	struct clq_arena	*declared_arena;
	struct pg_declared	*declared;
	size_t			 ndeclared;
	struct clq_strs		 expressions;	/* resources with others that
						   are on expressions; "": all */
	clq_msec		 declared_at;	/* clq_monotonic(); 0: never */

	/* Tables of somebody else (pg_table.h); as the catalog has them. */
	const struct clq_table *const *maps;	/* configuration */
	size_t			 ntables;
	struct clq_arena	*tables_arena;
	struct pg_table		*tables;
	clq_msec		 tables_at;	/* when they were looked at */
	clq_msec		*tables_told;	/* when each was complained of */
	bool			 look_again;
	struct pg_seen		*seen;		/* of this transaction */
	struct pg_seen		*seen_marked;	/* of it before the mark */
	struct pg_outcome	*outcomes;	/* of its writes to tables */
	bool			 overtaken;	/* a row was not as seen */
	bool			 cautious;	/* the last one was overtaken */

	/* The pipeline. */
	struct pg_expected	*expected;	/* a queue: from first on */
	size_t			 first;
	size_t			 nexpected;
	size_t			 cap;
	bool			 unsynced;	/* sent since the last sync */

	/* The transaction. */
	enum clq_tx_mode	 mode;
	bool			 begun;		/* core called begin */
	bool			 started;	/* PostgreSQL was told */
	bool			 committed;	/* ... and has done COMMIT */
	enum clq_status		 doomed;	/* CLQ_OK: not; else nothing of
						   it may be committed */
	struct clq_arena	*tx_arena;	/* what waits lives here */
	struct pg_op		*ops;
	size_t			 nops;
	size_t			 ops_cap;
	bool			 batch;		/* there was a mark */
	bool			 marked;
	bool			 mark_sent;
	size_t			 mark;		/* ops before the mark */
	bool			 rollback_due;	/* to be sent first */
	bool			 release_due;

	uint64_t		 cached;	/* values put into the cache */
	struct pg_known		 known;
};

/* The instance behind self, checked. */
struct pg_db *pg_self(void *self);

/* ---- pg_url.c: settings ----------------------------------------------- */

/* A new instance for prefix_url and prefix_*. CLQ_OK or CLQ_INVALID (said). */
clq_backend_configure_f pg_configure;

/* ---- pg_conn.c: the connection ----------------------------------------- */

/*
 * Connect unless connected; at once CLQ_UNAVAILABLE while backing off after a
 * failure. Logged now and then. until: clq_monotonic() at which to give up,
 * if that is earlier than connect_timeout says.
 */
enum clq_status pg_connect(struct pg_db *db, clq_msec until) CLQ_MUST_CHECK;

/*
 * The same for `cliquet migrate`: no back-off, no look at the tables, and not
 * in pipeline mode.
 */
enum clq_status pg_attach(struct pg_db *db) CLQ_MUST_CHECK;

/* Forget the connection and all that it knew. */
void pg_disconnect(struct pg_db *db);

/* Disconnect if the server hung up while nobody looked. */
void pg_check_idle(struct pg_db *db);

/* Log why there is no connection, but not for each request. Returns
 * CLQ_UNAVAILABLE. */
enum clq_status pg_complain(struct pg_db *db, const char *why);

/* Run SQL outside the pipeline mode. NULL: failed, complained about. The
 * result is the caller's. */
PGresult *pg_ask(struct pg_db *db, const char *sql, clq_msec until);

/*
 * Wait until the connection can be read from, or written to if `writing`.
 * false: not before `until` (clq_monotonic()).
 */
bool pg_poll(struct pg_db *db, bool writing, clq_msec until);

/* ---- pg_error.c: foreign errors ---------------------------------------- */

/* What SQLSTATE (NULL: none) means to core. */
enum clq_status pg_status(const char *sqlstate);

/*
 * Note a failed result: log it unless it is part of normal operation, doom the
 * transaction, and see whether the connection is of use any longer. res may be
 * NULL: the connection was lost. what: the statement, for the log.
 */
enum clq_status pg_error(struct pg_db *db, const PGresult *res,
    const char *what);

/* ---- pg_pipeline.c: sending and receiving ------------------------------ */

/* Send one statement; its result goes to fn (or NULL) with ctx. Failures doom
 * the transaction, so that they need not be checked before pg_wait(). */
void pg_exec(struct pg_db *db, const struct pg_stmt *stmt,
    const struct pg_args *args, pg_result_f *fn, void *ctx);
/* The same for a text made for the occasion, which the arena keeps. */
void pg_exec_sql(struct pg_db *db, struct clq_str sql,
    const struct pg_args *args, pg_result_f *fn, void *ctx);
/* And planned for these very parameters. */
void pg_exec_once(struct pg_db *db, struct clq_str sql,
    const struct pg_args *args, pg_result_f *fn, void *ctx);

/* Wait for all results. CLQ_OK, or what doomed the transaction. */
enum clq_status pg_wait(struct pg_db *db) CLQ_MUST_CHECK;
enum clq_status pg_wait_until(struct pg_db *db, clq_msec until)
    CLQ_MUST_CHECK;

/* Let what was sent go; its results are read by the next pg_wait(). */
void pg_let_go(struct pg_db *db);

/* ---- pg_tx.c: transactions --------------------------------------------- */

/* Start what begin announced. Every operation calls it first. write: refused
 * with CLQ_FAILED in a reading transaction. */
enum clq_status pg_start(struct pg_db *db, bool write) CLQ_MUST_CHECK;

/* Functions of the backend's table. */
clq_backend_begin_f pg_begin;
clq_backend_finish_f pg_finish;
clq_backend_savepoint_f pg_savepoint;
clq_backend_rollback_f pg_rollback;
clq_backend_release_f pg_release;
clq_backend_open_f pg_open;
clq_backend_ping_f pg_ping;
clq_backend_close_f pg_close;

/* ---- pg_queue.c: changes that wait ------------------------------------- */

/* Remember a write, which is borrowed until its results are filled in. */
void pg_queue_write(struct pg_db *db, struct clq_write *w);

/* Remember a statement; returns where its parameters go, whose texts must be
 * copied to db->tx_arena. */
struct pg_args *pg_queue_stmt(struct pg_db *db, bool storage,
    const struct pg_stmt *stmt);

/* Remember what the entries of an object become; borrowed as a write is. */
void pg_queue_aces(struct pg_db *db, struct clq_str uri,
    const struct clq_acl *acl);

/* Send what waits: all of it, or that of permissions only. */
void pg_send_queue(struct pg_db *db, bool permission_only);

/* True if a write to the list waits; id absent: to any object of it. */
bool pg_queue_has(const struct pg_db *db, const struct clq_coll *coll,
    struct clq_str id);

/* ---- pg_lock.c: who waits for whom -------------------------------------- */

/* Locks of a writing transaction, taken before it looks; all until its end. */
struct pg_locks {
	struct clq_arena	*arena;
	struct pg_lock		*items;
	size_t			 n;
	size_t			 cap;
};

/* What a want is about, its list and all that is above it. whole_list: the list
 * of an object that is not shared, instead of it. */
void pg_lock_want(struct pg_locks *locks, const struct clq_want *want,
    bool whole_list);
/* A whole list, or all below a parent, against everybody else. */
void pg_lock_list(struct pg_locks *locks, const struct clq_coll *coll);
void pg_lock_below(struct pg_locks *locks, struct clq_str parent);

/* The parameters of pg_lock_stmt. */
void pg_lock_args(struct pg_locks *locks, struct pg_args *args);
extern const struct pg_stmt pg_lock_stmt;

/* Send the statement for a whole list. */
void pg_take_list(struct pg_db *db, struct clq_arena *arena,
    const struct clq_coll *coll);

/* ---- pg_write.c --------------------------------------------------------- */

/* Send writes, list by list. */
void pg_send_writes(struct pg_db *db, struct clq_write **writes, size_t n);

/* The pieces of a statement that changes a list ($1 resource, $2 parent):
 * clock `l`, next timestamp `b(t)`; to be followed by `w`, then the tail. */
extern const char pg_sql_clock[];
extern const char pg_sql_tail[];
/* The list's row in `timestamps`, which `l` locks, must exist: send this
 * first. own: the timestamp that the first change brings, or NULL. */
void pg_send_ensure(struct pg_db *db, const struct clq_coll *coll,
    const clq_msec *own);

clq_storage_write_f pg_write;
clq_storage_sync_f pg_sync;

/* ---- pg_known.c: what a batch knows already ----------------------------- */

/* From now on answers are kept. l: who asks, and where answers live. */
void pg_known_begin(struct pg_db *db, const struct clq_lookup *l);

/* Answer l from what is known. false: something of it is not. */
bool pg_known_answer(const struct pg_db *db, struct clq_lookup *l);

/* True if this object, bound or URI was not mentioned before. One of them. */
bool pg_known_new(struct pg_db *db, const struct clq_want *w,
    const struct clq_bound *b, struct clq_str acl_of);

/* Keep the answers of l, which took locks, and those ACLs. */
void pg_known_learn(struct pg_db *db, const struct clq_lookup *l,
    const struct clq_str *uris, const struct clq_acl *acls, size_t nacls);

/* What the transaction is about to change: an object; the entries of an
 * object; the groups of a user; anything. */
void pg_known_wrote(struct pg_db *db, const struct clq_write *w);
void pg_known_touched(struct pg_db *db, struct clq_str uri);
void pg_known_member(struct pg_db *db, struct clq_str user);
void pg_known_forget(struct pg_db *db);

/* A mark, and going back to it. */
void pg_known_mark(struct pg_db *db);
void pg_known_undo(struct pg_db *db);

/* ---- pg_prefetch.c ------------------------------------------------------ */

clq_storage_prefetch_f pg_prefetch;

/* ---- pg_lookup.c -------------------------------------------------------- */

/* Send all of l as one statement; the list's timestamp goes to *time, if there
 * is one. false: it has to be asked for part by part. */
bool pg_send_look(struct pg_db *db, struct clq_lookup *l, clq_msec *time);

/* ---- pg_objects.c ------------------------------------------------------- */

/* An object that is wanted was found: timestamp and document are in `column`
 * and the next one of the row. */
void pg_found(struct clq_arena *arena, struct clq_want *w,
    const PGresult *res, int row, int column);

clq_storage_lookup_f pg_lookup;
clq_storage_timestamp_f pg_timestamp;

/* ---- pg_sql.c, pg_filter.c, pg_compare.c: queries as SQL ---------------- */

/* True if all lists of the resource are meant. */
static inline bool
pg_any_parent(const struct clq_coll *coll)
{
	return clq_str_is(coll->parent, CLQ_ANY_PARENT);
}

/* A statement under construction. */
struct pg_sql {
	struct clq_arena	*arena;
	struct clq_buf		 text;
	struct pg_args		 args;
	const char		*collation;
	const struct pg_db	*db;
	const struct pg_table	*table;		/* its rows are meant; or NULL */
	int			 part;		/* which: enum pg_part */
	bool			 row_id;	/* no tombstones among them */
	bool			 plan_anew;	/* the plan depends on values */
	bool			 plan_once;	/* it does not: they are hidden
						   from the planner */
};

enum pg_column { PG_DOCUMENT, PG_ID, PG_MODIFIED };

enum {
	PG_MAX_PATH = 3,	/* names of a path that is written out */
	PG_PATH_TEXTS = 6	/* that the expression for it is made of */
};

/* A field of a query; its expression can be written any number of times. */
struct pg_field {
	enum pg_column	 column;
	const char	*texts[PG_PATH_TEXTS];	/* parameters, with type */
	size_t		 n;		/* names on the path; 0: deep */
	const struct pg_declared *declared;	/* its index; or NULL */
	const struct pg_table_column *own;	/* its column; or NULL */
	const char	*alias;		/* what it is called by now; or NULL */
};

/* Begin with $1 resource and $2 parent. */
void pg_sql_init(struct pg_sql *b, struct clq_arena *arena,
    struct pg_db *db, const struct clq_coll *coll);
void pg_sql_add(struct pg_sql *b, const char *text);

/* " FROM objects WHERE ..." of q. deleted: tombstones take part. */
void pg_sql_where(struct pg_sql *b, const struct clq_query *q, bool deleted);
/* " AND ..." to resume after q->after, " ORDER BY ...", " LIMIT ...". */
void pg_sql_page(struct pg_sql *b, const struct clq_query *q);
/* The latter two only. */
void pg_sql_order(struct pg_sql *b, const struct clq_query *q);
/* A whole page of objects; q->coll is no table of somebody else. */
void pg_sql_objects(struct pg_sql *b, const struct clq_query *q);

struct pg_field pg_field_of(struct pg_sql *b, const struct clq_coll *coll,
    struct clq_str path);
/* The names between the dots. */
struct clq_strs pg_names_of(struct clq_arena *arena, struct clq_str path);
/* The texts that the expression for a path of at most PG_MAX_PATH names
 * compares with; returns how many. And that expression, with each of them as
 * it is to be written. */
size_t pg_path_texts(const struct clq_strs *names,
    struct clq_str texts[PG_PATH_TEXTS]);
void pg_sql_path(struct clq_buf *b, size_t n, const char *const *texts);
void pg_sql_field(struct pg_sql *b, const struct pg_field *f);

/* One filter of a query on coll as " AND ...". */
void pg_sql_filter(struct pg_sql *b, const struct clq_coll *coll,
    const struct clq_filter *f);

/* Comparisons, equality and its contrary as SQL has them; NULL: no such. */
extern const char *const pg_sign[CLQ_OP__COUNT];

/* <field> <op> <value>, op being a comparison or CLQ_OP_EQ; NULL: missing. */
void pg_sql_compare(struct pg_sql *b, const struct pg_field *f,
    enum clq_op op, const struct cJSON *value);
/* The same for the columns id and last_modified. */
void pg_sql_compare_column(struct pg_sql *b, enum pg_column column,
    enum clq_op op, const struct cJSON *value);
void pg_sql_column_member(struct pg_sql *b, enum pg_column column, bool in,
    const struct cJSON *list);

/* The keys by which a field sorts. */
void pg_sql_sort(struct pg_sql *b, const struct pg_field *f,
    bool descending);

/* ---- pg_index.c, pg_declared.c: declared indexes ------------------------- */

/* All texts of an index, in arena; coll and field are borrowed. */
void pg_index_describe(struct clq_arena *arena, const struct clq_coll *coll,
    struct clq_str field, struct pg_declared *d);
/* The index of a field, or NULL. */
const struct pg_declared *pg_index_find(const struct pg_db *db,
    const struct clq_coll *coll, struct clq_str field);
/* That of any field which q filters or sorts by; they differ in fields only. */
const struct pg_declared *pg_index_any(const struct pg_db *db,
    const struct clq_query *q);

/* True if there may be an index on an expression, made by somebody else. */
bool pg_index_foreign(const struct pg_db *db, struct clq_str resource);

/* The counterparts of pg_sql_*() for a field with an index: op is CLQ_OP_EQ,
 * LT, MAX, GT or MIN. */
void pg_index_compare(struct pg_sql *b, const struct pg_declared *d,
    enum clq_op op, const struct cJSON *value);
void pg_index_range(struct pg_sql *b, const struct pg_declared *d,
    enum clq_op op, const struct cJSON *value);	/* not EQ; not missing */
void pg_index_member(struct pg_sql *b, const struct pg_declared *d,
    const struct cJSON *value);
void pg_index_sort(struct pg_sql *b, const struct pg_declared *d,
    bool descending);

/* Learn which there are: when connecting, outside the pipeline mode; and
 * before a query, if that was long ago. */
enum clq_status pg_index_load(struct pg_db *db, clq_msec until)
    CLQ_MUST_CHECK;
enum clq_status pg_index_learn(struct pg_db *db) CLQ_MUST_CHECK;

clq_storage_index_f pg_index_add;
clq_storage_index_f pg_index_drop;
clq_storage_index_list_f pg_index_list;

/* ---- the tables ---------------------------------------------------------- */

extern const struct clq_storage_ops pg_storage_ops;
extern const struct clq_permission_ops pg_permission_ops;
extern const struct clq_cache_ops pg_cache_ops;

/* pg_list.c: send the query of a list; *out is filled by pg_wait(). */
enum clq_status pg_send_list(struct pg_db *db, struct clq_arena *arena,
    const struct clq_query *q, struct clq_page *out) CLQ_MUST_CHECK;
clq_storage_list_f pg_list;
clq_storage_count_f pg_count;
clq_storage_delete_all_f pg_delete_all;
clq_storage_trim_f pg_trim;

/* pg_sweep.c */
clq_storage_erase_f pg_erase;
clq_storage_purge_f pg_purge;
clq_storage_totals_f pg_totals;
clq_storage_flush_f pg_flush;

/* pg_permission.c: send the questions of l; answers come with pg_wait(). */
void pg_send_permission(struct pg_db *db, struct clq_lookup *l);
/* In byte order, each once. */
void pg_sort_strs(struct clq_strs *list);
/* The rows from `row` on and before `end`, in any order: permission in
 * `column`, then principal. */
struct clq_acl pg_read_acl(struct clq_arena *arena, const PGresult *res,
    int row, int end, int column);
clq_permission_acl_f pg_acl;
clq_permission_groups_f pg_groups;
clq_permission_accessible_f pg_accessible;

/* pg_ace.c: send what the entries of n objects become. */
void pg_send_aces(struct pg_db *db, struct pg_op *const *ops, size_t n);

/* True if s ends in '*'. */
bool pg_is_pattern(struct clq_str s);

/*
 * The first text after all those that begin with prefix, in byte order; the
 * absent slice if there is no end.
 */
struct clq_str pg_successor(struct clq_arena *arena, struct clq_str prefix);

/* ---- pg_schema.c, pg_migrate.c ------------------------------------------- */

enum { PG_STORAGE_VERSION = 26, PG_PERMISSION_VERSION = 2 };

/* What a database holds; a version is 0 if there are no such tables, -1 if
 * there are some of unknown version. */
struct pg_state {
	int	storage;
	int	permission;
	int	cliquet;	/* what `cliquet migrate` added */
	bool	metadata;	/* the table */
	bool	cache;		/* the table */
};

/* CLQ_OK or CLQ_UNAVAILABLE, complained about. Outside the pipeline mode. */
enum clq_status pg_schema_read(struct pg_db *db, clq_msec until,
    struct pg_state *out) CLQ_MUST_CHECK;
/* NULL if the tables can be served, else why not and what to do. */
const char *pg_schema_verdict(const struct pg_db *db,
    const struct pg_state *s, char *buf, size_t cap);

/* A session that changes the schema; no other does at the same time. */
enum clq_status pg_be_alone(struct pg_db *db) CLQ_MUST_CHECK;
void pg_not_alone(struct pg_db *db);
clq_backend_migrate_f pg_migrate;

#endif
