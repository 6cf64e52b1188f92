/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The remote Kinto backend: what its files share (section 11-5.6).
 *
 * kinto.c has the descriptor, kinto_url.c the settings, kinto_http.c talks,
 * kinto_names.c says where a list is on the other side, kinto_tx.c looks up and
 * queues changes, kinto_send.c sends and undoes them, kinto_list.c queries.
 * docs/remote-kinto.md says what is promised and what cannot be.
 */
#ifndef STORAGE_KINTO_H
#define STORAGE_KINTO_H

#include <cliquet/abi.h>
#include <cliquet/app.h>
#include <cliquet/json.h>

#include <curl/curl.h>

#define KR_MAGIC	0x6b72656du

/* What a lookup of this transaction has seen: the condition of the write that
 * follows, and what undoing it brings back. */
struct kr_known {
	struct clq_coll		 coll;
	struct clq_str		 id;
	bool			 found;
	bool			 used;		/* changed since */
	struct clq_object	 object;	/* if found */
};

struct kr_change {
	struct clq_write	*result;	/* the caller's; until it is filled */
	struct clq_write	 write;		/* our own copy */
	struct kr_known		*known;		/* NULL: not looked up, or used */
	struct clq_str		 login;		/* Authorization; or absent */
	bool			 done;		/* stored over there */
};

struct kr {
	unsigned		 magic;
	struct clq_arena	*arena;		/* settings */
	struct clq_str		 base;		/* "https://host/v1" */
	struct clq_str		 login;		/* of the service account; absent:
						   the caller's */
	struct clq_str		 bucket;
	int64_t			 batch_max;
	clq_msec		 connect_timeout;
	clq_msec		 timeout;
	size_t			 max_bytes;	/* of an answer, of a list */

	CURL			*curl;
	pid_t			 pid;		/* whose curl is */

	/* of the transaction */
	struct clq_arena	*tx;
	struct clq_request	*req;		/* on whose behalf; or NULL */
	enum clq_tx_mode	 mode;
	struct kr_known		**known;
	size_t			 nknown;
	struct kr_change	*changes;
	size_t			 nchanges;
	size_t			 sent;		/* of them */
	size_t			 mark;		/* savepoint */
};

struct kr *kr_self(void *self);

clq_backend_configure_f kr_configure;		/* kinto_url.c */

/* ---- kinto_http.c ---- */

enum kr_condition {
	KR_ALWAYS,
	KR_IF_MISSING,		/* If-None-Match: * */
	KR_IF_MATCH		/* If-Match: "time" */
};

struct kr_call {
	const char		*method;
	struct clq_str		 path;		/* below the base, encoded */
	struct clq_str		 body;		/* JSON; or absent */
	enum kr_condition	 condition;
	clq_msec		 time;
	struct clq_str		 login;		/* instead of the caller's */
	clq_msec		 limit;		/* ms; 0: the setting */
	/* out */
	int			 status;
	int			 errno_;	/* of an error; or 0 */
	struct clq_str		 text;
	cJSON			*tree;		/* NULL: none */
	clq_msec		 etag;		/* 0: none */
	int64_t			 total;		/* -1: none */
	struct clq_str		 next;		/* query of the next page */
};

/*
 * Ask, and wait for the answer. arena: for the out-members. CLQ_OK for an
 * answer that the caller can use: 2xx, 304, 404, 409, 412 and, for his eyes, 403.
 * CLQ_UNAVAILABLE (logged): no answer, 5xx, 429, or the service account was
 * refused; CLQ_READONLY; CLQ_FAILED: anything else, and 401, which the caller
 * of the request is told.
 */
enum clq_status kr_ask(struct kr *k, struct clq_arena *arena,
    struct kr_call *call) CLQ_MUST_CHECK;

/* 403 that stays: tell the caller of the request. */
enum clq_status kr_forbidden(struct kr *k);

/* The Authorization of the request that is served now. */
struct clq_str kr_login(const struct kr *k);
void kr_hang_up(struct kr *k);

/* ---- kinto_names.c ---- */

/* "/buckets/b/collections/c" of a list. */
struct clq_str kr_list_path(const struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll);
struct clq_str kr_object_path(const struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct clq_str id);
/* The reverse; false if the collection is none of ours. */
bool kr_list_of(struct clq_arena *arena, struct clq_str name,
    struct clq_coll *out);
/* True for an id that Kinto takes. */
bool kr_id_fits(struct clq_str id);

/* ---- kinto_tx.c, kinto_send.c ---- */

clq_backend_begin_f kr_begin;
clq_backend_finish_f kr_finish;
clq_backend_savepoint_f kr_savepoint;
clq_backend_rollback_f kr_rollback;
clq_backend_release_f kr_release;
clq_storage_lookup_f kr_lookup;
clq_storage_timestamp_f kr_timestamp;
clq_storage_write_f kr_write;
clq_storage_sync_f kr_sync;

/* Ask; if the list is not there yet, or the bucket, make it and ask again. The
 * other one, for what reads, finds it good enough that there is no list. */
enum clq_status kr_ask_making(struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct kr_call *call) CLQ_MUST_CHECK;
enum clq_status kr_ask_about(struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct kr_call *call) CLQ_MUST_CHECK;

/* Send what is queued, and fill the results in. */
enum clq_status kr_send(struct kr *k) CLQ_MUST_CHECK;

/* Undo the changes from `from` on; false, logged, if one stays. */
bool kr_undo(struct kr *k, size_t from);

/* An item of a list, or data of an answer, as stored. tombstones: it may be
 * one. */
enum clq_status kr_object(struct clq_arena *arena, const cJSON *tree,
    bool tombstones, struct clq_object *out) CLQ_MUST_CHECK;

/* ---- kinto_list.c, kinto_whole.c ---- */

/* True, and logged, if the lists of all users are meant: there is no asking
 * for those. */
bool kr_of_all_users(const struct clq_coll *coll);

clq_storage_list_f kr_list;
clq_storage_count_f kr_count;
clq_storage_delete_all_f kr_delete_all;
clq_storage_erase_f kr_erase;
clq_storage_purge_f kr_purge;
clq_storage_trim_f kr_trim;
clq_storage_totals_f kr_totals;
clq_storage_flush_f kr_flush;

#endif
