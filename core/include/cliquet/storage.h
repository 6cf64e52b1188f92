/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a storage backend offers (sections 03-7, 04, 11-5.1).
 *
 * Objects are addressed by (resource name, parent id, object id) and carry a
 * JSON document as text, without its `id` and `last_modified` members. All
 * functions run in a worker, between `begin` and `finish` of the backend's
 * lifecycle (abi.h), one request at a time.
 *
 * Queued writes. A backend behind a network may send writes without waiting
 * for their results. Hence the rule: what write() and its like return in
 * out-members is valid after the next list, count, timestamp, look-up of that
 * object or of that list's timestamp, sync, or finish(commit) - whichever
 * comes first. Until then the writes, and the texts that they refer to, must
 * stay. SQLite fills them at once; callers must not rely on it.
 *
 * The sync promise. Within one (resource, parent) every change gets a
 * distinct, increasing last_modified, and changes become visible in that
 * order: once a reader has seen timestamp T, no change with a timestamp <= T
 * appears later. A client-supplied past timestamp is the only exception.
 */
#ifndef CLQ_STORAGE_H
#define CLQ_STORAGE_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

struct clq_settings;

#ifdef __cplusplus
extern "C" {
#endif

/* A list of objects: all with the same resource name and parent. */
struct clq_coll {
	struct clq_str	resource;	/* "record" */
	struct clq_str	parent;		/* "/buckets/b/collections/c", or "" */
};

/* True for the same list. */
static inline bool
clq_coll_eq(const struct clq_coll *a, const struct clq_coll *b)
{
	return clq_str_eq(a->parent, b->parent) &&
	    clq_str_eq(a->resource, b->resource);
}

/*
 * In place of a parent: all lists of the resource. Taken by timestamp (the
 * latest of all; nothing is stored, now if there are none), lookup's
 * timestamp_of, list, count and delete_all only. Timestamps are distinct
 * within one list, so that here the sorts end with the id.
 */
#define CLQ_ANY_PARENT	"\001any"	/* no parent has control characters */

/* One object as stored, or its tombstone. Borrowed from the arena. */
struct clq_object {
	struct clq_str	id;
	clq_msec	last_modified;
	struct clq_str	data;	/* "{...}" without id, last_modified; "{}" for
				   a tombstone */
	bool		deleted;
	struct clq_str	parent;	/* if CLQ_ANY_PARENT was asked for; or absent */
};

/* ---- lookup: everything that a decision needs, in one round trip ------ */

/* An object wanted; the tombstone of a deleted one does not count. */
struct clq_want {
	struct clq_coll		coll;
	struct clq_str		id;
	bool			shared;		/* a writer only needs it to stay
						   as it is, as parents are:
						   others may use it too */
	bool			found;		/* out */
	struct clq_object	object;		/* out, if found */
};

/* "Does one of the principals hold `permission` on `object`?" */
struct clq_bound {
	struct clq_str	object;		/* URI, "/buckets/b" */
	struct clq_str	permission;	/* "write" */
	bool		granted;	/* out */
};

/* One permission of an object and who has it. */
struct clq_ace {
	struct clq_str	permission;
	struct clq_strs	principals;	/* not empty */
};

struct clq_acl {
	struct clq_ace	*aces;
	size_t		 n;
};

struct clq_query;
struct clq_page;

/*
 * A set of questions. Storage answers objects and timestamp, permission the
 * rest; where one instance is both, it answers all in one call.
 */
struct clq_lookup {
	struct clq_arena	*arena;		/* results live here */

	/* For storage. In a writing transaction the objects stay locked,
	 * unless `reading`: for a part of a batch that only reads. */
	struct clq_want		*wants;
	size_t			 nwants;
	bool			 reading;
	const struct clq_coll	*timestamp_of;	/* NULL: not wanted */
	clq_msec		 timestamp;	/* out; 0: none stored yet */

	/* For permission. */
	struct clq_str		 user;		/* whose groups count; absent: anonymous */
	struct clq_strs		 principals;	/* known already: user id, system.* */
	struct clq_strs		 groups;	/* out: from user_principals, of user
						   and of system.Authenticated */
	struct clq_bound	*bounds;
	size_t			 nbounds;
	struct clq_str		 acl_of;	/* object URI whose ACL is wanted */
	struct clq_acl		 acl;		/* out */

	/*
	 * For storage, a hint (since 1.11): the objects that the caller will
	 * probably ask list() for next, as of the timestamp or later. A backend
	 * for which that saves a round trip fills page and sets `listed`.
	 */
	const struct clq_query	*list;		/* NULL: none */
	struct clq_page		*page;		/* out, if listed */
	bool			 listed;	/* out */
};

/* ---- queries (section 04) -------------------------------------------- */

enum clq_op {
	CLQ_OP_EQ,
	CLQ_OP_NOT,
	CLQ_OP_LT,
	CLQ_OP_MAX,		/* <= */
	CLQ_OP_GT,
	CLQ_OP_MIN,		/* >= */
	CLQ_OP_IN,		/* value: array */
	CLQ_OP_EXCLUDE,		/* value: array */
	CLQ_OP_LIKE,		/* value: string; '*' is the wildcard */
	CLQ_OP_HAS,		/* value: true or false */
	CLQ_OP_CONTAINS,	/* value: array */
	CLQ_OP_CONTAINS_ANY,	/* value: array */
	CLQ_OP__COUNT
};

/*
 * field   dotted path; "id", "last_modified" and "deleted" are the object's
 *         own, everything else is looked up in its document
 * value   typed as section 04-2 says; last_modified gets an integer, id a
 *         string (or arrays of strings for IN and EXCLUDE)
 */
struct clq_filter {
	struct clq_str		 field;
	enum clq_op		 op;
	const struct cJSON	*value;
};

struct clq_sort {
	struct clq_str	field;
	bool		descending;
};

struct clq_query {
	struct clq_coll			 coll;
	const struct clq_filter		*filters;	/* AND */
	size_t				 nfilters;
	const struct clq_sort		*sorts;		/* most significant first;
							   last_modified is among them */
	size_t				 nsorts;
	/*
	 * Resume after the object with these values of the sort fields, one
	 * per sort; an item is NULL where the field is missing. NULL: start.
	 */
	const struct cJSON *const	*after;
	const struct clq_strs		*only_ids;	/* NULL: all; else just these */
	size_t				 limit;		/* objects; 0: none (all) */
	bool				 include_deleted;
};

struct clq_page {
	struct clq_object	*objects;
	size_t			 n;
};

/* ---- writes ---------------------------------------------------------- */

enum clq_write_op {
	CLQ_WRITE_CREATE,	/* CLQ_CONFLICT if a live object has the id;
				   replaces a tombstone */
	CLQ_WRITE_UPDATE,	/* replaces the document; creates if missing */
	CLQ_WRITE_DELETE	/* CLQ_NOT_FOUND if missing; leaves a tombstone */
};

struct clq_write {
	enum clq_write_op	 op;
	struct clq_coll		 coll;
	struct clq_str		 id;
	struct clq_str		 data;		/* ignored by DELETE */
	/*
	 * A client's timestamp (section 03-7): greater than the list's, it is
	 * taken and becomes the list's; equal, it counts as none; smaller, it is
	 * kept on the object, raised to the next free value if another object
	 * of the list has it, and the list's stays.
	 */
	bool			 has_timestamp;
	clq_msec		 timestamp;
	clq_msec		 last_modified;	/* out */
	enum clq_status		 status;	/* out: OK, CONFLICT, NOT_FOUND;
						   INVALID: see clq_stored */
};

/* An object deleted by delete_all. */
struct clq_deleted {
	struct clq_object	old;		/* as it was */
	clq_msec		last_modified;	/* of the tombstone */
};

struct clq_deletions {
	struct clq_deleted	*items;		/* in the order of the query */
	size_t			 n;
};

/* ---- the table -------------------------------------------------------- */

/* Answer the storage part of l. Order of wants is free. */
typedef enum clq_status clq_storage_lookup_f(void *self,
    struct clq_lookup *l);

/*
 * Latest timestamp of a list, tombstones included; strictly increasing, over
 * all workers. If there is none yet, the time is stored and returned, which
 * needs a writing transaction; CLQ_READONLY if the database cannot be written.
 */
typedef enum clq_status clq_storage_timestamp_f(void *self,
    const struct clq_coll *coll, clq_msec *out);

/* Execute or queue n writes, in order; see "Queued writes" above. A status
 * in an item does not stop the others. */
typedef enum clq_status clq_storage_write_f(void *self,
    struct clq_write *writes, size_t n);

/* Wait for queued writes. CLQ_OK, CLQ_RETRY, CLQ_UNAVAILABLE, CLQ_FAILED. */
typedef enum clq_status clq_storage_sync_f(void *self);

/* The objects of q, sorted, from arena. No cost beyond limit when an index
 * serves. */
typedef enum clq_status clq_storage_list_f(void *self,
    struct clq_arena *arena, const struct clq_query *q, struct clq_page *out);

/* How many objects match; limit, sorts and after are ignored. */
typedef enum clq_status clq_storage_count_f(void *self,
    const struct clq_query *q, int64_t *out);

/* Delete the live objects of q (limit, sorts, after apply), leaving
 * tombstones, each with a distinct timestamp. */
typedef enum clq_status clq_storage_delete_all_f(void *self,
    struct clq_arena *arena, const struct clq_query *q,
    struct clq_deletions *out);

/*
 * Erase everything below a parent: objects, tombstones and timestamps of
 * every list whose parent is `parent` or begins with `parent` and '/'.
 * resource absent: all resources. No trace stays (section 08-3).
 */
typedef enum clq_status clq_storage_erase_f(void *self,
    struct clq_str resource, struct clq_str parent);

/*
 * Remove tombstones. resource absent: of all resources.
 * before       only those older than this; 0: no bound
 * max_retained keep the newest N of each list; -1: no bound
 * With neither bound, the stored timestamps of the lists go too.
 */
typedef enum clq_status clq_storage_purge_f(void *self,
    struct clq_str resource, clq_msec before, int64_t max_retained,
    int64_t *removed);

/* Delete, without tombstones, all objects of q but the newest `keep`. */
typedef enum clq_status clq_storage_trim_f(void *self,
    const struct clq_query *q, size_t keep, int64_t *removed);

/* How many live objects and tombstones of each resource, for counters. */
struct clq_resource_count {
	struct clq_str	resource;
	int64_t		objects;
	int64_t		tombstones;
};
typedef enum clq_status clq_storage_totals_f(void *self,
    struct clq_arena *arena, struct clq_resource_count **out, size_t *n);

/* Remove everything, timestamps included. */
typedef enum clq_status clq_storage_flush_f(void *self);

/* ---- declared indexes (since 1.1) -------------------------------------- */

/*
 * An index that an operator wants for filters and sorts on one field of one
 * list. It changes no result, only what the results cost.
 */
struct clq_index {
	struct clq_coll	coll;
	struct clq_str	field;		/* dotted path, as in a filter */
	int64_t		bytes;		/* size on disk; -1: unknown */
	bool		ready;		/* queries use it */
};

/*
 * Create or remove one, while the service runs; called outside a transaction,
 * by `cliquet index` and `cliquet migrate`, also on an instance that is not
 * open. Takes as long as it takes. What exists already, or is missing already,
 * is CLQ_OK. CLQ_INVALID (said): no such index can be made; CLQ_READONLY,
 * CLQ_UNAVAILABLE and CLQ_FAILED as usual.
 */
typedef enum clq_status clq_storage_index_f(void *self,
    const struct clq_coll *coll, struct clq_str field);

/* All of them, from arena, in the order of lists and fields. */
typedef enum clq_status clq_storage_index_list_f(void *self,
    struct clq_arena *arena, struct clq_index **out, size_t *n);

/*
 * The look-ups that a batch is going to make, all of one caller, before its
 * first (since 1.6). A hint: ask for everything in a few round trips, and let
 * lookup() answer from that as long as it is true, that is, until this
 * transaction changes what was asked about, or undoes that; in a reading
 * transaction no longer than until anything else is asked. A writing
 * transaction locks the objects, but not for those that only read. The
 * questions, and the arena, stay until the end of the transaction. Statuses of
 * lookup.
 *
 * Called only where storage and permission are one instance.
 */
typedef enum clq_status clq_storage_prefetch_f(void *self,
    struct clq_lookup *const *lookups, size_t n);

/* ---- tables of somebody else (since 1.10) -------------------------------- */

/*
 * A resource whose objects are the rows of a table that exists already, with a
 * column for each attribute (docs/relational.md). All texts live as long as the
 * server.
 */
struct clq_table {
	const char		*resource;
	const char		*name;		/* as in SQL: [schema.]table */
	const char		*id_column;
	const char		*modified_column;
	const char		*parent_column;	/* NULL: there is one list */
	const char		*parent_prefix;	/* of the parent id, before what
						   the column has; or "" */
	const char *const	*columns;	/* and attributes: one name */
	size_t			 ncolumns;
	bool			 readonly;	/* no method changes a row */
	const char		*key;		/* setting that names it */
};

/*
 * In the master, once, when all resources are known: keep their objects there.
 * If the database can be reached, what is wrong with the tables is said with
 * clq_settings_error(); else it is found when a worker connects. CLQ_OK or
 * CLQ_INVALID.
 */
typedef enum clq_status clq_storage_map_f(void *self,
    struct clq_settings *settings, const struct clq_table *const *tables,
    size_t n);

/* What became of a write to such a table; texts until the transaction ends. */
struct clq_stored {
	struct clq_str	data;		/* the document as it was stored; absent:
					   as it was sent */
	bool		refused;	/* nothing was, since ... */
	bool		conflict;	/* ... of another row, else of its own */
	struct clq_str	field;		/* attribute; or absent */
	struct clq_str	why;		/* for the client */
};

/* False: the backend has nothing to say. w: as given to write(), whose status
 * is CLQ_INVALID if it was refused; before the end of the transaction. */
typedef bool clq_storage_written_f(void *self, const struct clq_write *w,
    struct clq_stored *out);

struct clq_storage_ops {
	uint32_t		 size;		/* sizeof, as the plugin sees it */
	/* all required */
	clq_storage_lookup_f	*lookup;
	clq_storage_timestamp_f	*timestamp;
	clq_storage_write_f	*write;
	clq_storage_sync_f	*sync;
	clq_storage_list_f	*list;
	clq_storage_count_f	*count;
	clq_storage_delete_all_f *delete_all;
	clq_storage_erase_f	*erase;
	clq_storage_purge_f	*purge;
	clq_storage_trim_f	*trim;
	clq_storage_totals_f	*totals;
	clq_storage_flush_f	*flush;
	/* optional; all three or none */
	clq_storage_index_f	*index_add;
	clq_storage_index_f	*index_drop;
	clq_storage_index_list_f *index_list;
	/* optional */
	clq_storage_prefetch_f	*prefetch;
	/* optional; both or none */
	clq_storage_map_f	*map;
	clq_storage_written_f	*written;
};

#ifdef __cplusplus
}
#endif
#endif
