/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces that the endpoints of a resource are made of.
 *
 * An endpoint works on one struct clq_target: where the request points to
 * (uri.c), what one lookup said about it (authz.c), what the client sent
 * (envelope.c, schema.c, precond.c), what is written (model.c) and how it is
 * answered (splice.c, cache_headers.c). Everything lives in the arena of the
 * request and nothing outlives one run of the view: a request that is run
 * again starts from an empty target. Used by core only, in workers.
 */
#ifndef CLQ_RESOURCE_IMPL_H
#define CLQ_RESOURCE_IMPL_H

#include <cliquet/buf.h>
#include <cliquet/storage.h>

#include "query.h"
#include "resource.h"

/*
 * Client timestamps that are taken (ms): what both PostgreSQL's calendar and
 * the integers of JavaScript can hold.
 */
#define CLQ_MIN_TIMESTAMP	(-210866803200000LL)
#define CLQ_MAX_TIMESTAMP	9007199254740991LL

/* ---- uri.c: where ------------------------------------------------------ */

enum {
	/*
	 * Longest URI of an object and longest principal, in bytes. The
	 * protocol has no limit, but database keys have: object, permission
	 * and principal together stay below a third of a page of PostgreSQL.
	 */
	CLQ_MAX_URI = 1024,
	CLQ_MAX_PRINCIPAL = 1024
};

struct clq_place {
	struct clq_coll	coll;		/* the list in storage */
	struct clq_str	parent;		/* URI: plural without last segment */
	struct clq_str	plural;		/* URI of the list */
	struct clq_str	id;		/* absent: the list is meant */
	struct clq_str	object;		/* URI; absent with id */
};

/*
 * The place that the route variables of req name: the object if there is an
 * `id` among them. For CLQ_RESOURCE_USER the caller is authenticated, and
 * coll.parent is absent if there is none.
 */
void clq_place_of_request(struct clq_request *req,
    const struct clq_resource_entry *entry, struct clq_place *out);

/* The place of an object by the parent id of its list in storage. */
void clq_place_of_id(struct clq_arena *arena,
    const struct clq_resource_entry *entry, struct clq_str parent,
    struct clq_str id, struct clq_place *out);

/* Point at an object of the list. */
void clq_place_set_id(struct clq_arena *arena, struct clq_place *at,
    struct clq_str id);

/* Where the parent object is stored; entry->parent is not NULL. */
void clq_place_of_parent(struct clq_request *req,
    const struct clq_resource_entry *entry, const struct clq_place *at,
    struct clq_want *out);

/* True if the id is one the resource accepts and its URI is not too long. */
bool clq_id_valid(const struct clq_resource_entry *entry,
    const struct clq_place *at);

/* ---- authz.c: what one lookup says, and whether that is enough --------- */

/* The ACEs any of which grants an access: fill out, which holds CLQ_MAX_BOUNDS,
 * and return how many. For OpenAPI, the URIs may hold variables. */
size_t clq_access_bounds(struct clq_arena *arena,
    const struct clq_access *access, struct clq_bound *out);

/* The setting that stands beside a bound (section 06-4), as a C string. */
struct clq_str clq_access_setting(struct clq_arena *arena,
    const struct clq_resource *decl, struct clq_str permission);

enum { CLQ_MAX_ASKS = 2 };

/* One access asked about, and its slice of the target's bounds. */
struct clq_ask {
	enum clq_access_kind	 kind;
	struct clq_bound	*bounds;
	size_t			 n;
};

struct clq_target {
	struct clq_request		*req;
	const struct clq_resource_entry	*entry;
	struct clq_place		 at;
	struct clq_ask			 asks[CLQ_MAX_ASKS];
	size_t				 nasks;
	struct clq_bound		 bounds[CLQ_MAX_ASKS * CLQ_MAX_BOUNDS];
	struct clq_want			 wants[2];
	struct clq_lookup		 lookup;

	struct clq_str			 owner;		/* gets the write ACE */

	/* After clq_target_lookup(). */
	const struct clq_object		*existing;	/* NULL: missing */
	const struct clq_object		*parent;	/* NULL: missing, or
							   entry has none */
};

/* Begin: the place that the route names, nothing asked yet. In the arena,
 * since events and answers refer to it. */
struct clq_target *clq_target_new(struct clq_request *req,
    const struct clq_resource_entry *entry);

/*
 * Let the resource say where its list is (clq_scope_f); for POST after the id
 * of the body is known, and before the transaction. CLQ_OK, or its refusal.
 */
enum clq_status clq_target_scope(struct clq_target *t) CLQ_MUST_CHECK;

/* Ask, with the lookup, whether the caller may do this there. */
void clq_target_ask(struct clq_target *t, enum clq_access_kind kind);

enum {
	CLQ_LOOK_TIMESTAMP = 1,		/* the list's */
	CLQ_LOOK_ACL = 2		/* the object's own */
};

/* ahead.c: ask everything that the endpoint has to know for the request's
 * method. Returns what else the lookup must bring. */
unsigned clq_target_ask_all(struct clq_target *t);

/* A client that only wants to create needs no more than the right to create,
 * whether the object exists (then it gets 412) or not (section 01-7.3). */
bool clq_creates_only(struct clq_request *req);

/* The lookup made ready, to be asked by the next one. false: there is nothing
 * to look into. */
bool clq_target_prepare(struct clq_target *t, unsigned what);

/* The one lookup: parent, object (if at.id is there and valid), bounds.
 * Statuses of clq_tx_lookup(). */
enum clq_status clq_target_lookup(struct clq_target *t, unsigned what)
    CLQ_MUST_CHECK;

/* True if an ACE or a setting grants what was asked about. */
bool clq_target_granted(struct clq_target *t, enum clq_access_kind kind);

/* CLQ_OK, or 401 or 403. */
enum clq_status clq_authorize(struct clq_target *t, enum clq_access_kind kind)
    CLQ_MUST_CHECK;

/*
 * The same for a list, which may be restricted to what is shared with the
 * caller (section 06-6). CLQ_ACCESS_CREATE must have been asked about too.
 *
 * only    out: NULL, or the ids to which the list is restricted; maybe none
 */
enum clq_status clq_authorize_list(struct clq_target *t,
    enum clq_access_kind kind, const struct clq_strs **only) CLQ_MUST_CHECK;

/* 404 errno 111 if the parent object is missing (section 03-10). */
enum clq_status clq_require_parent(struct clq_target *t) CLQ_MUST_CHECK;

/* 400 if the id is malformed, and 404 errno 110 if there is no object. */
enum clq_status clq_require_id(struct clq_target *t) CLQ_MUST_CHECK;
enum clq_status clq_require_object(struct clq_target *t) CLQ_MUST_CHECK;

/* The list's timestamp; stored now if there was none, which makes the
 * transaction a writing one. */
enum clq_status clq_target_timestamp(struct clq_target *t, clq_msec *out)
    CLQ_MUST_CHECK;

/* The caller as a principal: the user, or system.Everyone. */
struct clq_str clq_caller(struct clq_request *req);

/* The principals that the caller may see of an object's ACL (03-2.1). */
bool clq_acl_visible(const struct clq_target *t, const struct clq_acl *acl);

/* The principals of one permission; an empty list if there are none. */
struct clq_strs clq_acl_get(const struct clq_acl *acl,
    struct clq_str permission);

/* A copy that may be changed; the principals are shared. */
struct clq_acl clq_acl_copy(struct clq_arena *arena,
    const struct clq_acl *acl);

/* Set them in an ACL of one's own; n == 0 is kept as such. */
void clq_acl_set(struct clq_arena *arena, struct clq_acl *acl,
    struct clq_str permission, struct clq_strs principals);

/* ---- precond.c: If-Match and If-None-Match ----------------------------- */

enum clq_etag_kind {
	CLQ_ETAG_NONE,
	CLQ_ETAG_ANY,			/* * */
	CLQ_ETAG_TIMESTAMP
};

struct clq_etag {
	enum clq_etag_kind	kind;
	clq_msec		timestamp;
};

struct clq_precond {
	struct clq_etag	match;
	struct clq_etag	none_match;
};

/* Read both headers; a malformed one is collected with clq_invalid(). */
void clq_precond_read(struct clq_request *req, struct clq_precond *out);

/* What the headers are compared with. */
struct clq_current {
	bool			 exists;
	clq_msec		 timestamp;	/* for the ETag */
	const struct clq_object	*object;	/* shown in a 412; or NULL */
};

/* CLQ_OK, CLQ_DONE (304 is answered) or 412, by the matrix of 01-7.3. */
enum clq_status clq_precond_check(struct clq_request *req,
    const struct clq_precond *p, const struct clq_current *now)
    CLQ_MUST_CHECK;

/* ETag and Last-Modified. */
void clq_set_etag(struct clq_request *req, clq_msec timestamp);

/* ---- envelope.c and schema.c: the body --------------------------------- */

enum clq_patch_kind {
	CLQ_PATCH_PLAIN,
	CLQ_PATCH_MERGE,		/* RFC 7396 */
	CLQ_PATCH_JSON			/* RFC 6902 */
};

/*
 * What the client sent. The tree belongs to this run of the view, so that its
 * parts may be changed in place.
 */
struct clq_body {
	cJSON			*tree;		/* NULL: not JSON */
	cJSON			*data;		/* object without id and
						   last_modified, or NULL */
	const cJSON		*id;		/* what was there; or NULL */
	const cJSON		*last_modified;
	cJSON			*permissions;	/* object; NULL: absent */
};

/* Around the checks that are reported together (section 01-2, step 10). The
 * first begins with the Origin; the second is CLQ_INVALID if any failed. */
void clq_checks_begin(struct clq_request *req);
enum clq_status clq_checks_end(struct clq_request *req) CLQ_MUST_CHECK;

/*
 * What is wrong with a part of a body, as the catalogue has it (02-4.1); name
 * is the part's dotted path, key the last word of it. clq_body_keys() looks
 * for members of object that are not known (NULL at the end) and, if there
 * are, says which.
 */
void clq_not_mapping(struct clq_request *req, struct clq_str name,
    const cJSON *value);
void clq_not_iterable(struct clq_request *req, struct clq_str name,
    const cJSON *value);
void clq_not_string(struct clq_request *req, struct clq_str name,
    const char *key, const cJSON *value);
void clq_body_keys(struct clq_request *req, struct clq_str name,
    const cJSON *object, const char *const *known);

/* Parse, whatever it is: errors are said by clq_body_check() only. */
void clq_body_read(struct clq_request *req, struct clq_body *out);

/* Collect what is wrong with the envelope (section 03-2). */
void clq_body_check(struct clq_request *req,
    const struct clq_resource_entry *entry, enum clq_patch_kind kind,
    struct clq_body *body);

/*
 * All that is wrong with a request that brings a whole object (PUT, POST), once
 * t is looked up: its body, applied to the schema, its conditions, its
 * parameters. cond: out. CLQ_INVALID if anything was collected.
 */
enum clq_status clq_check_whole(struct clq_target *t, struct clq_body *body,
    struct clq_precond *cond) CLQ_MUST_CHECK;

/*
 * Then its conditions, against the object or its absence: a creation meets no
 * If-Match, whatever it says (section 01-7.3). Statuses of clq_precond_check()
 * and of clq_target_timestamp().
 */
enum clq_status clq_check_condition(struct clq_target *t,
    const struct clq_precond *cond) CLQ_MUST_CHECK;

/* For GET and DELETE, whose bodies do not matter: bad JSON is collected. */
void clq_body_ignore(struct clq_request *req);

/* Take id and last_modified out of data; owned by the arena, NULL if absent. */
void clq_data_split(struct clq_arena *arena, cJSON *data, const cJSON **id,
    const cJSON **last_modified);

/* 400 if there is an id in the body other than that of the URL. */
enum clq_status clq_body_same_id(struct clq_request *req, const cJSON *id,
    struct clq_str wanted) CLQ_MUST_CHECK;

/*
 * The permissions of a checked body.
 *
 * nulls  true: a null clears, as in RFC 7396; false: it says nothing
 */
void clq_body_acl(struct clq_arena *arena, const struct clq_body *body,
    bool nulls, struct clq_acl *out);

/* Collect unknown permissions and impossible principals. */
void clq_acl_check(struct clq_request *req,
    const struct clq_resource_entry *entry, const struct clq_acl *acl);

/*
 * A client's `last_modified` (section 03-7; NULL: none), which must be an
 * integer that databases can store, and greater than the existing object's.
 */
bool clq_body_timestamp(const cJSON *sent, const struct clq_object *existing,
    clq_msec *out);

/* The flavour that the Content-Type asks for. */
enum clq_patch_kind clq_patch_kind_of(struct clq_request *req);

enum { CLQ_URL_MAX = 2048 };	/* characters of a CLQ_FIELD_URL, section 11-3 */

/*
 * Check data against the fields, complete defaults, convert, drop what is
 * unknown if strict; errors are collected.
 *
 * prefix  of the names in errors: "data." or ""
 */
void clq_schema_apply(struct clq_request *req,
    const struct clq_resource *decl, cJSON *data, const char *prefix);

/*
 * The same for one field: a member of data, which is named "<prefix><field>" in
 * errors of that location ("body", "querystring", ...).
 */
void clq_schema_field(struct clq_request *req, const struct clq_field *f,
    cJSON *data, const char *location, const char *prefix);

/* True if an object without attributes would be accepted. */
bool clq_schema_accepts_empty(const struct clq_resource *decl);

/* True if a strict resource knows the name before the first dot, or if the
 * resource is not strict. */
bool clq_schema_knows(const struct clq_resource *decl, struct clq_str field);

/* Collect "Cannot modify x" for read-only fields with another value. */
void clq_schema_readonly(struct clq_request *req,
    const struct clq_resource *decl, const cJSON *old, const cJSON *data);

/* The value as errors show it (section 02-4.1), cut to a bearable length. */
struct clq_str clq_schema_shown(struct clq_arena *arena, const cJSON *value);

/* ---- patch.c and jsonpatch.c ------------------------------------------- */

/*
 * Members of an object in order of their names, to find one without walking
 * along all of them. Of use while no member is added to or taken from it.
 */
struct clq_members {
	cJSON	**items;
	size_t	  n;
};
void clq_members_of(struct clq_arena *arena, const cJSON *object,
    struct clq_members *out);
cJSON *clq_members_find(const struct clq_members *members, const char *name);

/* Overwrite members of data by those of changes, which is used up. */
void clq_patch_plain(struct clq_arena *arena, cJSON *data, cJSON *changes);

/* RFC 7396: the same, recursively; null removes. */
void clq_patch_merge(struct clq_arena *arena, cJSON *data, cJSON *changes);

/*
 * RFC 6902 on the document of section 03-8.2.
 *
 * ops     the body, an array
 * data    attributes, id and last_modified; replaced by the result, owned by
 *         the arena
 * acl     all permissions of the object; replaced by those of the result
 * CLQ_OK or CLQ_INVALID (collected); then nothing has changed.
 */
enum clq_status clq_patch_json(struct clq_request *req, const cJSON *ops,
    cJSON **data, struct clq_acl *acl) CLQ_MUST_CHECK;

/* Collect what is wrong with the form of the operations. */
void clq_patch_json_check(struct clq_request *req, const cJSON *ops);

/* ---- behavior.c: Response-Behavior ------------------------------------- */

enum clq_behavior {
	CLQ_BEHAVIOR_FULL,
	CLQ_BEHAVIOR_LIGHT,
	CLQ_BEHAVIOR_DIFF
};

/* Read the header; a wrong one is collected. */
enum clq_behavior clq_behavior_read(struct clq_request *req);

/*
 * The part of the new data that light and diff show: an object owned by the
 * arena. All three trees with id and last_modified.
 */
cJSON *clq_behavior_apply(struct clq_arena *arena, enum clq_behavior behavior,
    const cJSON *sent, const cJSON *old, const cJSON *data);

/* ---- model.c: writing -------------------------------------------------- */

/* One change on its way. Must live in the arena. */
struct clq_edit {
	enum clq_action		 action;	/* CREATE, UPDATE or DELETE */
	bool			 patch;
	bool			 id_made;	/* not the client's */
	bool			 implicit;	/* nobody sent a document */
	cJSON			*data;		/* without id, last_modified */
	bool			 has_timestamp;
	clq_msec		 timestamp;
	struct clq_acl		 set;		/* permissions to replace */

	/* Out; write.status and last_modified are valid after a sync. */
	struct clq_write	 write;
	struct clq_object	 result;	/* without last_modified */
	struct clq_acl		 acl;		/* of the object, afterwards */
};

/* Call the resource's hook on edit->data. */
enum clq_status clq_model_process(struct clq_target *t, struct clq_edit *edit)
    CLQ_MUST_CHECK;

/*
 * Look for another object with the same value of a unique field.
 *
 * field, other  out; field is NULL if there is none
 */
enum clq_status clq_model_unique(struct clq_target *t, const cJSON *data,
    const char **field, struct clq_object *other) CLQ_MUST_CHECK;

/*
 * Store edit at t->at: the document, the permissions (with the caller's write
 * ACE), the `stored` hook, the event. CLQ_RETRY if somebody was faster.
 */
enum clq_status clq_model_store(struct clq_target *t, struct clq_edit *edit)
    CLQ_MUST_CHECK;

/* Set the 409 of a unique field (section 03-11). */
enum clq_status clq_model_refuse(struct clq_target *t, const char *field,
    const struct clq_object *other) CLQ_MUST_CHECK;

/* Tell tx.h that something was written. */
void clq_model_wrote(struct clq_request *req);

/* ---- splice.c: answers without parsing --------------------------------- */

/* The object with id and last_modified, or the tombstone. */
void clq_splice_object(struct clq_buf *b, const struct clq_object *obj);

/* "permissions":{...} */
void clq_splice_permissions(struct clq_buf *b, const struct clq_acl *acl);

/* {"permissions":{...},"data":{...}}; acl NULL: no permissions. */
struct clq_str clq_splice_answer(struct clq_arena *arena,
    const struct clq_acl *acl, const struct clq_object *obj);

/* {"data":[...]} */
struct clq_str clq_splice_list(struct clq_arena *arena,
    const struct clq_object *objects, size_t n);

/* ---- projection.c ------------------------------------------------------ */

/*
 * Append the object reduced to the fields (section 04-5).
 *
 * scratch  an arena for the tree, which the caller may reset afterwards
 * CLQ_OK or CLQ_FAILED (logged).
 */
enum clq_status clq_project(struct clq_buf *b, struct clq_arena *scratch,
    const struct clq_object *obj, struct clq_strs fields) CLQ_MUST_CHECK;

/* The same on a tree that need not be a stored object; the result is owned by
 * scratch. */
cJSON *clq_project_tree(struct clq_arena *scratch, const cJSON *tree,
    struct clq_strs fields);

/* ---- cache_headers.c --------------------------------------------------- */

/* Cache-Control and its like of a successful GET or HEAD (section 01-6.3). */
void clq_cache_headers(struct clq_request *req,
    const struct clq_resource_entry *entry, const struct clq_object *parent);

#endif
