/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application is made of: resources, services, hooks (section 11).
 *
 * An application (or a plugin named in `includes`) is a .so whose descriptor
 * has an `app` table. Its setup function runs once in the master, before the
 * workers are forked, and declares things on the server; everything declared
 * must stay valid (static data). Views and hooks run in a worker, one request
 * at a time, and use the request's arena.
 */
#ifndef CLQ_APP_H
#define CLQ_APP_H

#include <sys/types.h>

#include <cliquet/abi.h>
#include <cliquet/errors.h>
#include <cliquet/json.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the request, as views and hooks see it --------------------------- */

/* Memory until the answer is sent; the server; GET and the like. */
CLQ_API struct clq_arena *clq_request_arena(struct clq_request *req);
CLQ_API struct clq_server *clq_request_server(struct clq_request *req);
CLQ_API enum clq_method clq_request_method(const struct clq_request *req);

/* Decoded path, version prefix included: "/v1/buckets/a". */
CLQ_API struct clq_str clq_request_path(const struct clq_request *req);

/* Route variable, percent-decoded; absent if the route has none such. */
CLQ_API struct clq_str clq_request_var(const struct clq_request *req,
    const char *name);

/* First header of that name, any case; absent if there is none. */
CLQ_API struct clq_str clq_request_header(const struct clq_request *req,
    const char *name);

/* First query parameter of that name, decoded; absent if there is none. */
CLQ_API struct clq_str clq_request_param(const struct clq_request *req,
    const char *name);

CLQ_API struct clq_str clq_request_body(const struct clq_request *req);

/*
 * The same where the body may be in a file, because the service has a
 * `max_body`: its length, and up to n bytes of it from `at` on. Returns how
 * many, 0 at its end, -1 (logged) if the file cannot be read.
 */
CLQ_API uint64_t clq_request_body_len(const struct clq_request *req);
CLQ_API ssize_t clq_request_body_read(const struct clq_request *req,
    uint64_t at, void *to, size_t n);

/* Replace the body, borrowed; before clq_forward(). */
CLQ_API void clq_request_set_body(struct clq_request *req,
    struct clq_str body);

/* The body as JSON (an empty body is `{}`); on bad JSON clq_fail()ed. */
CLQ_API enum clq_status clq_request_json(struct clq_request *req,
    cJSON **out) CLQ_MUST_CHECK;

/*
 * Prefixed user id ("basicauth:9917..."); absent if anonymous. The first call
 * authenticates (and may ask the cache); a failing cache makes the caller
 * anonymous only if the policy needs no cache.
 */
CLQ_API struct clq_str clq_request_user(struct clq_request *req);

/* "system.Everyone", and for a user also "system.Authenticated" and the
 * user id; without groups, which only a lookup knows. */
CLQ_API struct clq_strs clq_request_principals(struct clq_request *req);

/* True if one of those, or of the groups known so far, is in the setting
 * `<key>`, a list of principals (section 06-4). */
CLQ_API bool clq_request_allowed(struct clq_request *req, const char *key);

/*
 * Keep something for the rest of this request; a batch and its sub-requests
 * share what they keep. key: the address of a static object of one's own; a
 * second value replaces the first. value must live in the arena, or longer.
 */
CLQ_API void clq_request_keep(struct clq_request *req, const void *key,
    void *value);
CLQ_API void *clq_request_kept(const struct clq_request *req,
    const void *key);

/* Absolute URL of a path (encoded, version prefix included) of this server, as
 * the client reaches it (section 01-10). */
CLQ_API struct clq_str clq_absolute_url(struct clq_request *req,
    struct clq_str path);

/* ---- the response ----------------------------------------------------- */

/* Set or replace a header; name and value are copied. */
CLQ_API void clq_set_header(struct clq_request *req, const char *name,
    struct clq_str value);

/* Answer with a JSON text (borrowed until the arena is reset). */
CLQ_API enum clq_status clq_reply(struct clq_request *req, int status,
    struct clq_str json);
CLQ_API enum clq_status clq_reply_json(struct clq_request *req, int status,
    const cJSON *tree);

/* Answer with any media type. */
CLQ_API enum clq_status clq_reply_raw(struct clq_request *req, int status,
    const char *content_type, struct clq_str body);

/* 307 to an absolute URL, or to a path of this server. Returns CLQ_DONE. */
CLQ_API enum clq_status clq_redirect(struct clq_request *req,
    struct clq_str target);

/*
 * Answer with an error: the first failure wins, later ones are its echo.
 *
 * errno_   CLQ_ERRNO_...; gives the HTTP status
 * fmt      message, or NULL for the registry's default text; one that comes
 *          out empty means "no message"
 * Returns CLQ_INVALID for 400s and CLQ_FAILED otherwise, for `return`.
 */
CLQ_API enum clq_status clq_fail(struct clq_request *req, int errno_,
    const char *fmt, ...) CLQ_PRINTF(3, 4);

/*
 * Add a validation error (section 02-4) and go on collecting; they are reported
 * together as 400 errno 107. location: "body", "querystring", "header",
 * "path". name: absent slice for JSON null. Returns CLQ_INVALID.
 */
CLQ_API enum clq_status clq_invalid(struct clq_request *req,
    const char *location, struct clq_str name, const char *fmt, ...)
    CLQ_PRINTF(4, 5);

/* The same for an item of a list: the name is a JSON number. */
CLQ_API enum clq_status clq_invalid_index(struct clq_request *req,
    const char *location, int64_t index, const char *fmt, ...)
    CLQ_PRINTF(4, 5);

/* Attach `details` to the error set by clq_fail(); an empty one is omitted.
 * details must live in the arena. */
CLQ_API void clq_fail_details(struct clq_request *req, const cJSON *details);

/* Give the error set by clq_fail() another HTTP status (0: keep) and another
 * `error` text (NULL: keep; static) than the registry's. */
CLQ_API void clq_fail_as(struct clq_request *req, int status,
    const char *title);

/* Set the Alert header (section 07-6): e.g. "soft-eol". url may be NULL. */
CLQ_API void clq_alert(struct clq_request *req, const char *code,
    const char *message, const char *url);

/* ---- attributes and inputs ---------------------------------------------- */

enum clq_field_type {
	CLQ_FIELD_ANY,
	CLQ_FIELD_STRING,
	CLQ_FIELD_INT,
	CLQ_FIELD_NUMBER,
	CLQ_FIELD_BOOL,
	CLQ_FIELD_OBJECT,
	CLQ_FIELD_LIST,		/* of anything */
	CLQ_FIELD_STRINGS,	/* list of non-empty strings */
	CLQ_FIELD_TIMESTAMP,	/* integer, ms */
	CLQ_FIELD_URL		/* http(s), 1 to 2048 characters, trimmed */
};

enum {
	CLQ_REQUIRED = 1,
	CLQ_FIELD_READONLY = 2,	/* PATCH may not change it: "Cannot modify x" */
	CLQ_FIELD_UNIQUE = 4,	/* per list: 200 on POST (409 if the caller may
				   not read the other one), 409 on PUT, PATCH */
	CLQ_FIELD_AUTO_NOW = 8,	/* TIMESTAMP: now if missing */
	CLQ_FIELD_TEXT = 16,	/* filters compare with the text sent, as they
				   do for STRING and URL anyway: 222 is a text,
				   so is "222" in quotes; null stays null */
	CLQ_FIELD_TRIM = 32,	/* STRING: without blanks at both ends, before
				   its length is looked at (since 1.7) */
	CLQ_FIELD_TYPED = 64	/* filters follow section 04-2 all the same: 222
				   is a number; with TEXT, numbers alone are
				   texts (since 1.8) */
};

struct clq_field {
	const char		*name;
	enum clq_field_type	 type;
	unsigned		 flags;
	const char		*def;	/* JSON text used when missing; or NULL */
	int64_t			 min;	/* INT, NUMBER: value; STRING: characters */
	int64_t			 max;	/* 0 and min 0: no bounds */
};

/*
 * What is wrong with a declaration by itself: its bounds, or a default that
 * the field would refuse or store as something else. A text in the arena, to be
 * put behind the field's name; NULL: it is good. clq_add_resource() and
 * clq_add_service() refuse such fields. Since 1.8. In the master.
 */
CLQ_API const char *clq_field_fault(struct clq_arena *arena,
    const struct clq_field *field);

/* ---- services: endpoints of one's own --------------------------------- */

/* Where an input of a service comes from. */
enum clq_location {
	CLQ_IN_PATH,		/* a variable of the path */
	CLQ_IN_QUERY,
	CLQ_IN_HEADER,
	CLQ_IN_BODY,		/* a member of the JSON object */
	CLQ_IN__COUNT
};

/*
 * One input: checked and converted before the view runs; all that is wrong is
 * reported together as 400 errno 107 (section 02-4). Texts of path, query and
 * headers become numbers and booleans as their type says; CLQ_FIELD_STRINGS is
 * there a list separated by commas, OBJECT and LIST are for bodies. The flags
 * that count are CLQ_REQUIRED and CLQ_FIELD_AUTO_NOW.
 */
struct clq_input {
	enum clq_location	 in;
	struct clq_field	 field;
	unsigned		 methods;	/* CLQ_BIT()s; 0: all, and for the
						   body POST, PUT, PATCH */
	const char *const	*one_of;	/* the texts of its values,
						   NULL-terminated; NULL: any */
};

typedef enum clq_status clq_view_f(struct clq_request *req, void *ctx);

struct clq_verb {
	enum clq_method	 method;
	clq_view_f	*view;
	enum clq_tx_mode tx;		/* CLQ_TX_WRITE to store something */
};

enum {
	CLQ_SERVICE_PRIVATE = 1,	/* 401 unless authenticated */
	CLQ_SERVICE_ANY_METHOD = 2,	/* verbs[0] answers all but OPTIONS */
	CLQ_SERVICE_NO_TX = 4		/* the view opens no transaction */
};

/*
 * For a service that only forwards (since 1.6): the path to which it will,
 * decoded, below the prefix; absent: it cannot be told. Without any effect: a
 * batch asks it to know what its parts will look up. The caller is known and
 * the variables of the route are set. "{rest*}" of such a service takes no path
 * that ends in a slash: that is redirected, as other paths are (01-1.2).
 */
typedef struct clq_str clq_alias_f(struct clq_request *req);

/*
 * path: below the version prefix; "/score/{game}". A variable is one segment;
 * "{rest*}" at the end takes everything. HEAD is served by GET if not given.
 * Where two paths match, the one that is literal at the first segment in which
 * they differ wins: "/a/default/{rest*}" before "/a/{id}/b".
 */
struct clq_service {
	uint32_t		 size;
	const char		*name;		/* "score", for metrics, OpenAPI */
	const char		*path;
	const struct clq_verb	*verbs;
	size_t			 nverbs;
	unsigned		 flags;
	void			*ctx;		/* given to the views */
	const char		*description;	/* for OpenAPI, may be NULL */
	const struct clq_input	*inputs;	/* since 1.2 */
	size_t			 ninputs;
	/*
	 * More for OpenAPI, or NULL: JSON text, an object with an Operation
	 * Object of OpenAPI 2.0 for some of the verbs: {"post": {"consumes":
	 * [...], "responses": {...}}}. It is merged (RFC 7396) over what is
	 * known anyway: operationId, tags, summary, security, inputs. A null
	 * in place of one leaves the verb out: of CLQ_SERVICE_ANY_METHOD, one
	 * that the view refuses. Variables of the path need no parameter.
	 */
	const char		*openapi;	/* since 1.3 */
	/*
	 * Bytes that a body may have instead of the setting max_body_bytes; 0:
	 * as the setting. Such bodies are kept in an unnamed file in
	 * body_folder (absolute) where they do not come at once; see
	 * clq_request_body_read(). Since 1.5.
	 */
	uint64_t		 max_body;
	const char		*body_folder;
	/* since 1.6 */
	clq_alias_f		*alias;		/* or NULL */
};

CLQ_API enum clq_status clq_add_service(struct clq_server *srv,
    const struct clq_service *service) CLQ_MUST_CHECK;

/*
 * What the declared inputs of a location came to: an object with the declared
 * names only, defaults filled in. Owned by the arena; it may be changed.
 */
CLQ_API cJSON *clq_request_inputs(struct clq_request *req,
    enum clq_location in);

/*
 * Serve this request again as if it had been sent to another path (decoded,
 * below the prefix); the answer becomes this request's. For aliases.
 */
CLQ_API enum clq_status clq_forward(struct clq_request *req,
    struct clq_str path);

/*
 * Run another request for the same caller, in the same transaction: with this
 * one's headers, but a JSON body and no query string. path as above. If it
 * fails, its error becomes this request's. CLQ_OK if it was done; the answer is
 * still the view's to give, and gets the ETag and Last-Modified of the other.
 */
CLQ_API enum clq_status clq_request_inner(struct clq_request *req,
    enum clq_method method, struct clq_str path, struct clq_str body)
    CLQ_MUST_CHECK;

/* ---- resources -------------------------------------------------------- */

/* Who makes ids and which are accepted (section 03-3). */
struct clq_id_kind {
	struct clq_str	(*make)(struct clq_arena *arena);	/* NULL: the
						client must send data.id */
	bool		(*valid)(struct clq_str id);
};
CLQ_API extern const struct clq_id_kind clq_id_uuid4;	/* strict UUID4 */
CLQ_API extern const struct clq_id_kind clq_id_relaxed;	/* UUID4 made, names
							   accepted */
CLQ_API extern const struct clq_id_kind clq_id_name;	/* 8 characters made */

enum clq_access_kind {
	CLQ_ACCESS_READ,	/* GET, HEAD an object; POST of an existing id */
	CLQ_ACCESS_WRITE,	/* PUT, PATCH, DELETE an existing object */
	CLQ_ACCESS_CREATE,	/* POST, PUT a missing object */
	CLQ_ACCESS_LIST,	/* GET, HEAD plural */
	CLQ_ACCESS_DELETE_LIST	/* DELETE plural */
};

/*
 * What a request wants to do, as URIs without the version prefix. object is
 * absent for CREATE, LIST and DELETE_LIST.
 */
struct clq_access {
	enum clq_access_kind		 kind;
	const struct clq_resource	*resource;
	struct clq_str			 object;	/* "/buckets/b/groups/g" */
	struct clq_str			 parent;	/* "/buckets/b"; or "" */
	struct clq_str			 plural;	/* "/buckets/b/groups" */
};

/*
 * The ACEs any of which grants an access: fill out[0..cap) with object and
 * permission (texts in the arena or static), return how many. Pure: no I/O.
 */
enum { CLQ_MAX_BOUNDS = 16 };
typedef size_t clq_inherit_f(struct clq_arena *arena,
    const struct clq_access *access, struct clq_bound *out, size_t cap);

enum clq_action {
	CLQ_ACTION_CREATE,
	CLQ_ACTION_UPDATE,
	CLQ_ACTION_DELETE,
	CLQ_ACTION_READ,
	CLQ_ACTION__COUNT
};

/* A document on its way into storage. */
struct clq_draft {
	const struct clq_resource	*resource;
	enum clq_action			 action;	/* CREATE or UPDATE */
	bool				 patch;		/* by PATCH */
	struct clq_str			 id;
	cJSON				*data;		/* change it freely; without id,
							   last_modified */
	const struct clq_object		*old;		/* NULL on create */
	const struct clq_object		*parent;	/* if resource->parent */
	clq_msec			 parent_modified;
	struct clq_str			 parent_id;	/* of the list in storage */
	bool				 id_sent;	/* the client chose the id */
	bool				 implicit;	/* clq_object_ensure() without
							   data */
};

/*
 * Called after schema validation and before storing: may change draft->data,
 * or refuse with clq_invalid()/clq_fail(). Runs in the writing transaction.
 *
 * Whoever looks at other objects with clq_storage() must first lock a name that
 * stands for the rule, by a clq_lookup() of it: on PostgreSQL requests at the
 * same time do not see each other's objects. See "A rule over several objects"
 * in docs/toolkit.md.
 */
typedef enum clq_status clq_process_f(struct clq_request *req,
    struct clq_draft *draft);

/* One stored change, as hooks and subscribers see it. */
struct clq_change {
	const struct clq_resource	*resource;
	enum clq_action			 action;
	struct clq_coll			 coll;
	struct clq_str			 uri;		/* of the object */
	const struct clq_object		*old;		/* NULL on create */
	const struct clq_object		*new_;		/* tombstone on delete; its
					last_modified may still be queued (storage.h) */
	const struct clq_acl		*acl;		/* all permissions of the
					object afterwards; NULL: none, or deleted */
	size_t				 order;		/* of events: greater than
					that of earlier changes of the request */
};

/* Right after each change, inside the transaction: cascades, group members. A
 * failure undoes the request. */
typedef enum clq_status clq_stored_f(struct clq_request *req,
    const struct clq_change *change);

/*
 * What a resource may decide about each request, before anything is looked up
 * and outside of any transaction: where the list is, and for whom the server
 * acts. All is filled in with the defaults before the call.
 *
 * id      the object's, from the URL or from the body of a POST; absent if the
 *         request names none. Not validated.
 * parent  parent id of the list in storage. CLQ_ANY_PARENT (storage.h) for GET,
 *         HEAD and DELETE of the plural endpoint: all lists of the resource.
 * owner   who gets the write ACE in place of the caller; absent: the caller
 */
struct clq_scope {
	struct clq_str	id;
	struct clq_str	parent;
	struct clq_str	owner;
};

/* CLQ_OK, or refuse with clq_invalid()/clq_fail(). */
typedef enum clq_status clq_scope_f(struct clq_request *req,
    struct clq_scope *scope);

enum {
	CLQ_RESOURCE_STRICT = 1,	/* drop unknown attributes, refuse unknown
					   filter, sort and _fields names */
	CLQ_RESOURCE_USER = 2,		/* isolated by user: parent id = user id, no
					   permissions (section 03-11) */
	CLQ_RESOURCE_LAZY_PATCH = 4	/* PATCH without effect keeps timestamp */
};

/*
 * plural_path  "/mushrooms" or "/buckets/{bucket_id}/collections"; the object
 *              endpoint is plural_path + "/{id}". The parent id in storage is
 *              the plural URI without its last segment (or the user id).
 * parent       name of the resource whose object must exist first (404 errno
 *              111, also before authentication on writes: section 01-2), or NULL;
 *              it must have been added before
 */
struct clq_resource {
	uint32_t			 size;
	const char			*name;
	const char			*plural_path;
	const char			*parent;
	unsigned			 plural_methods; /* CLQ_BIT()s; 0: all */
	unsigned			 object_methods; /* 0: all; ~0u: no endpoint */
	unsigned			 flags;
	const char *const		*permissions;	/* NULL-terminated; NULL: read,
							   write */
	const struct clq_field		*fields;
	size_t				 nfields;
	const struct clq_id_kind	*ids;		/* NULL: clq_id_uuid4 */
	clq_inherit_f			*inherit;	/* NULL: section 11-3's default */
	clq_process_f			*process;	/* hooks, may be NULL */
	clq_stored_f			*stored;
	/* Seconds of Cache-Control for an anonymous GET; -1: no rule, 0: expired.
	 * parent: the parent object if resource->parent. NULL: the setting
	 * <name>_cache_expires_seconds. */
	int64_t				(*cache_seconds)(struct clq_request *req,
					    const struct clq_object *parent);
	const char			*description;
	clq_scope_f			*scope;		/* or NULL */
	/* More for OpenAPI, or NULL: JSON text, a Schema Object merged (RFC
	 * 7396) over the one that fields make, for attributes that are none. */
	const char			*openapi;	/* since 1.3 */
	/* Keep the objects there, if the storage can; the flags include
	 * CLQ_RESOURCE_STRICT then. NULL: where all objects are. */
	const struct clq_table		*table;		/* since 1.10 */
};

/* What is wrong with a plural_path by itself, as "is not of the form ..."; NULL:
 * it is good. clq_add_resource() asks, too (since 1.11). */
CLQ_API const char *clq_path_fault(const char *path);

CLQ_API enum clq_status clq_add_resource(struct clq_server *srv,
    const struct clq_resource *resource) CLQ_MUST_CHECK;

CLQ_API const struct clq_resource *clq_find_resource(struct clq_server *srv,
    const char *name);

/*
 * Create the object if it is missing, on behalf of the caller, who gets the
 * write ACE; fires the create event. Any authorization is the view's business.
 * parent: parent id; id must be valid for the resource (else clq_invalid()).
 * Needs CLQ_TX_WRITE: see clq_tx_write().
 */
CLQ_API enum clq_status clq_object_ensure(struct clq_request *req,
    const char *resource, struct clq_str parent, struct clq_str id,
    const cJSON *data, bool *created) CLQ_MUST_CHECK;

/*
 * Delete the object of that URI if there is one, as a DELETE of it would:
 * permissions, hooks, tombstone, event. Any authorization is the view's
 * business. Needs CLQ_TX_WRITE.
 */
CLQ_API enum clq_status clq_object_remove(struct clq_request *req,
    struct clq_str uri, bool *removed) CLQ_MUST_CHECK;

/*
 * Would a PUT of that object be allowed to the caller (section 06-3)? 404 if
 * its parent is missing (after 401: an anonymous caller learns nothing), 400 if
 * the id is malformed. old: out, on CLQ_OK; NULL if there is no such object.
 */
CLQ_API enum clq_status clq_object_access(struct clq_request *req,
    const char *resource, struct clq_str parent, struct clq_str id,
    const struct clq_object **old) CLQ_MUST_CHECK;

/* The object as clients see it: with id and last_modified, or the tombstone. */
CLQ_API struct clq_str clq_object_text(struct clq_arena *arena,
    const struct clq_object *obj);

/* The same as a tree owned by the arena. CLQ_FAILED (logged) if what is
 * stored is not an object. */
CLQ_API enum clq_status clq_object_tree(struct clq_arena *arena,
    const struct clq_object *obj, cJSON **out) CLQ_MUST_CHECK;

/* What a URI names: an object of a resource that has an object endpoint and is
 * not isolated by user. */
enum { CLQ_MAX_URI_VARS = 8 };
struct clq_located {
	const struct clq_resource	*resource;
	struct clq_str			 parent;	/* URI, or "" */
	struct clq_str			 id;
	size_t				 nvars;		/* of the route, without id */
	struct {
		struct clq_str	name;			/* "bucket_id" */
		struct clq_str	value;
	} vars[CLQ_MAX_URI_VARS];
};

/*
 * False if no resource has such a URI; whether the object exists is another
 * matter. Texts are borrowed from uri or in the server's memory.
 */
CLQ_API bool clq_locate(struct clq_server *srv, struct clq_str uri,
    struct clq_located *out);

/* ---- lists that are not stored ---------------------------------------- */

/* Make item i of a list; arena: where to, gone with the item. The tree is
 * owned by it. Asked several times for the same, and in any order. */
typedef enum clq_status clq_item_f(struct clq_request *req,
    struct clq_arena *arena, void *ctx, size_t i, cJSON **out);

/*
 * fields     the names that filters, _sort and _fields may use, beside id,
 *            last_modified and deleted; others are refused (400)
 * order      the order without _sort, and behind the fields of one. No two
 *            items may be equal in all of it
 * timestamp  of the list, for ETag and preconditions; 0: it has none
 */
struct clq_list {
	uint32_t		 size;
	const struct clq_field	*fields;
	size_t			 nfields;
	const struct clq_sort	*order;
	size_t			 norder;
	clq_msec		 timestamp;
	size_t			 n;
	clq_item_f		*item;
	void			*ctx;
};

/*
 * Answer this GET or HEAD with such a list: filtered, sorted, projected and
 * divided into pages as chapter 04 of the protocol has it. Items without a
 * declared last_modified are neither filtered nor sorted by it. Costs time for
 * each item, memory for those of a page. Needs no storage.
 */
CLQ_API enum clq_status clq_reply_list(struct clq_request *req,
    const struct clq_list *list);

/* ---- backends, inside the request's transaction ----------------------- */

/*
 * Turn a reading transaction into a writing one. What was looked up before may
 * have changed: look again. CLQ_OK at once if it is one already.
 */
CLQ_API enum clq_status clq_tx_write(struct clq_request *req) CLQ_MUST_CHECK;

/*
 * Ask storage and permission one set of questions, in one round trip where they
 * are one instance; arena, user and principals are filled in. What it says of
 * groups counts in clq_request_allowed() afterwards. CLQ_OK, CLQ_UNAVAILABLE
 * or CLQ_FAILED.
 */
CLQ_API enum clq_status clq_lookup(struct clq_request *req,
    struct clq_lookup *l) CLQ_MUST_CHECK;

/*
 * What is to be done outside of the database when it is known what became of
 * this writing transaction; for a part of a batch that is undone alone, at that
 * moment. CLQ_TX_UNKNOWN: the connection was lost over the commit; fn may look
 * (clq_storage() gives a transaction of its own). Called in the reverse order
 * of registration, before the answer leaves. A request that lost a race is
 * undone and then run again. ctx must live in the arena, or longer.
 */
enum clq_tx_end {
	CLQ_TX_COMMITTED,
	CLQ_TX_UNDONE,
	CLQ_TX_UNKNOWN
};
typedef void clq_tx_end_f(struct clq_request *req, enum clq_tx_end end,
    void *ctx);
CLQ_API void clq_tx_then(struct clq_request *req, clq_tx_end_f *fn,
    void *ctx);

/* The tables and instances the ini chose; NULL if none is configured or no
 * transaction can be opened now (then return CLQ_UNAVAILABLE). */
CLQ_API const struct clq_storage_ops *clq_storage(struct clq_request *req,
    void **self);
CLQ_API const struct clq_permission_ops *clq_permission(
    struct clq_request *req, void **self);

/* The cache, prefix applied. ttl in milliseconds. See cache.h. */
CLQ_API enum clq_status clq_cache_get(struct clq_request *req,
    struct clq_str key, struct clq_str *value) CLQ_MUST_CHECK;
CLQ_API enum clq_status clq_cache_set(struct clq_request *req,
    struct clq_str key, struct clq_str value, clq_msec ttl);
CLQ_API enum clq_status clq_cache_take(struct clq_request *req,
    struct clq_str key, struct clq_str *value) CLQ_MUST_CHECK;
CLQ_API enum clq_status clq_cache_expire(struct clq_request *req,
    struct clq_str key, clq_msec ttl);

/* Empty storage, permission and cache (section 07-3, __flush__). */
CLQ_API enum clq_status clq_flush_all(struct clq_request *req) CLQ_MUST_CHECK;

/* ---- events (section 07-11) ------------------------------------------- */

struct clq_event {
	const struct clq_resource	*resource;
	enum clq_action			 action;
	struct clq_coll			 coll;
	struct clq_str			 uri;		/* request path, no prefix */
	struct clq_str			 user;		/* absent: anonymous */
	clq_msec			 timestamp;
	const struct clq_change		*changes;	/* create, update, delete */
	size_t				 nchanges;
	const struct clq_object		*reads;		/* read */
	size_t				 nreads;
};

/*
 * CLQ_ON_CHANGE is the moment of each change, before the resource's own hook
 * lets it cascade: the event has that one change and no timestamp yet. The
 * other two come at the end, for the whole request or batch.
 */
enum clq_phase {
	CLQ_IN_TRANSACTION,	/* a failure undoes the request */
	CLQ_AFTER_COMMIT,	/* failures are only logged */
	CLQ_ON_CHANGE		/* a failure undoes the request */
};

typedef enum clq_status clq_subscriber_f(struct clq_request *req,
    const struct clq_event *event, void *ctx);

/* actions: CLQ_BIT(CLQ_ACTION_...)s. resources: NULL-terminated, NULL: all. */
CLQ_API enum clq_status clq_subscribe(struct clq_server *srv,
    enum clq_phase phase, unsigned actions, const char *const *resources,
    clq_subscriber_f *fn, void *ctx);

/*
 * In CLQ_IN_TRANSACTION: true if the object of that URI was deleted later than
 * the change in this request (a batch), with all below it. For objects of
 * resources that have others below them.
 */
CLQ_API bool clq_deleted_since(const struct clq_request *req,
    const struct clq_change *change, struct clq_str uri);

/*
 * The event as JSON text, as it is sent to listeners (section 07-11): the common
 * payload, and with objects `impacted_objects` or `read_objects`.
 */
CLQ_API void clq_event_print(struct clq_buf *b, const struct clq_event *event,
    bool objects);

/*
 * One event on its way to where a listener sends it (since 1.8). payload is what
 * clq_event_print() made, with the member "event_id" (id) in front. A large
 * event comes in several, each with some of the objects and an id of its own.
 */
struct clq_delivery {
	struct clq_arena	*arena;		/* gone after the call */
	const char		*listener;
	struct clq_str		 id;		/* the same at each attempt */
	struct clq_str		 payload;
	clq_msec		 stored;	/* when the change was made */
	unsigned		 attempt;	/* from 1 */
	struct clq_str		 why;		/* out: what was wrong, for people */
	clq_msec		 wait;		/* out: not before; 0: our choice */
};

/*
 * Deliver it, now: in a process that does nothing else, outside of any request
 * and transaction, for at most a minute. CLQ_OK: done. CLQ_UNAVAILABLE: nothing
 * can be delivered now; it is tried again, later and later, and the others wait.
 * CLQ_INVALID: this one is not wanted; it is tried a few times and then put
 * aside. It may come twice, after a crash.
 */
typedef enum clq_status clq_deliver_f(struct clq_delivery *d, void *ctx);

enum {
	CLQ_LISTENER_BRIEF = 1,	/* without the objects, unless the setting
				   `objects` says so */
	CLQ_LISTENER_AFTER = 2	/* notify after the commit, when nothing can be
				   refused any more; its failures are logged */
};

/*
 * A kind of listener for the setting `event_listeners` (section 07-11.1): a
 * subscriber before the commit whose actions and resources the operator
 * chooses. Setup registers kinds; `event_listeners.<name>.use` names one, or an
 * application plugin whose setup registers one of the same name.
 *
 * One that sends events elsewhere has `deliver` instead of `notify`: its events
 * are stored in the transaction of the change and delivered afterwards, at
 * least once (docs/listeners.md).
 */
struct clq_listener_kind {
	uint32_t		 size;
	const char		*name;
	const char *const	*aliases;	/* NULL-terminated, or NULL */
	/* In the master, once per listener: options are the keys that begin with
	 * prefix ("event_listeners.<listener>."). ctx: out, for notify; in the
	 * server's memory or static. May be NULL. */
	enum clq_status		(*configure)(struct clq_server *srv,
				    const char *listener, const char *prefix,
				    void **ctx);
	clq_subscriber_f	*notify;	/* one of these two */
	clq_deliver_f		*deliver;	/* since 1.8 */
	unsigned		 flags;
};

CLQ_API enum clq_status clq_add_listener_kind(struct clq_server *srv,
    const struct clq_listener_kind *kind) CLQ_MUST_CHECK;

/* ---- authentication (section 06-2) ------------------------------------- */

/*
 * A kind of authentication policy. Setup registers kinds; the settings
 * `multiauth.policies` and `multiauth.policy.<name>.use` then say which policies
 * there are, in which order, and of which kind.
 */
struct clq_auth_kind {
	uint32_t		 size;
	const char		*name;		/* "basicauth": as in `use`; a policy
						   of this name needs no `use` */
	const char *const	*aliases;	/* dotted names that `use` may hold,
						   NULL-terminated; or NULL */
	/*
	 * In the master, once per policy of this kind, after all setups: check
	 * the options, whose keys begin with prefix ("multiauth.policy.<policy>.").
	 * self: out, given to the others; lives in the server's memory or is
	 * static. CLQ_INVALID after clq_settings_error(). NULL: nothing to do.
	 */
	enum clq_status		(*configure)(struct clq_server *srv,
				    const char *policy, const char *prefix,
				    void **self);
	/*
	 * In a worker: who sent this Authorization header? userid without the
	 * policy's prefix, in the arena. CLQ_OK; CLQ_NOT_FOUND if the
	 * credentials are absent, foreign or wrong (the next policy is asked);
	 * CLQ_UNAVAILABLE if it cannot be known now (503). Must not call
	 * clq_fail(). Required. May be asked once for several sub-requests.
	 * clq_storage() gives it a reading transaction of its own, which ends
	 * with the call, so that nobody waits for a slow answer.
	 */
	enum clq_status		(*authenticate)(struct clq_request *req,
				    void *self, struct clq_str *userid);
	const char		*challenge;	/* WWW-Authenticate of a 401, e.g.
						   "Basic realm=\"Realm\"" */
	/* The same where it depends on the options; overrides the above. */
	const char		*(*challenge_of)(void *self);
};

CLQ_API enum clq_status clq_add_auth_kind(struct clq_server *srv,
    const struct clq_auth_kind *kind) CLQ_MUST_CHECK;

/* Name of the nth configured policy that is of that kind, or NULL; after the
 * setups only. */
CLQ_API const char *clq_auth_policy(struct clq_server *srv, const char *kind,
    size_t nth);

/*
 * The user name and password of an `Authorization: Basic` header, as UTF-8 in
 * the arena; false if there is none or it is malformed. The name is not empty.
 */
CLQ_API bool clq_basic_credentials(struct clq_request *req,
    struct clq_str *user, struct clq_str *password);

/* ---- start-up --------------------------------------------------------- */

/* Memory that lives as long as the server. */
CLQ_API struct clq_arena *clq_server_arena(struct clq_server *srv);

/* The settings, to read; and to declare one's own in setup. */
CLQ_API struct clq_settings *clq_server_settings(struct clq_server *srv);

/* Announce a capability in hello; extra: more keys as JSON text, or NULL. A
 * second one of the same id is refused. */
CLQ_API enum clq_status clq_add_capability(struct clq_server *srv,
    const char *id, const char *description, const char *url,
    const char *extra) CLQ_MUST_CHECK;

/* Add an entry to the heartbeat. CLQ_OK is true, anything else false. */
typedef enum clq_status clq_heartbeat_f(struct clq_request *req, void *ctx,
    clq_msec timeout);
CLQ_API enum clq_status clq_add_heartbeat(struct clq_server *srv,
    const char *name, clq_heartbeat_f *fn, void *ctx) CLQ_MUST_CHECK;

/* Show a setting in hello's `settings`. */
CLQ_API void clq_add_public_setting(struct clq_server *srv, const char *key);

/*
 * What an application stores, and in which form (since 1.2). `cliquet migrate`
 * calls step once for each version from the one that was stored last (0: none)
 * up to the one that is wanted, each in a writing transaction of its own, which
 * keeps the number too; a status that is not CLQ_OK undoes the step and ends
 * the command. req is no client's: every access is granted, and clq_storage(),
 * clq_lookup() and the like work as in a view.
 */
typedef enum clq_status clq_migrate_f(struct clq_request *req,
    int64_t version, void *ctx);

struct clq_migration {
	uint32_t	 size;
	const char	*name;		/* of the plugin, say */
	int64_t		 version;	/* wanted; the first is 1 */
	clq_migrate_f	*step;		/* brings that version about */
	void		*ctx;
};

/* A second one of the same name is refused. */
CLQ_API enum clq_status clq_add_migration(struct clq_server *srv,
    const struct clq_migration *migration) CLQ_MUST_CHECK;

/* Called when hello builds `user`: add members to it. */
typedef void clq_user_info_f(struct clq_request *req, cJSON *user);
CLQ_API void clq_add_user_info(struct clq_server *srv, clq_user_info_f *fn);

struct clq_app_ops {
	uint32_t	size;
	/* In the master, once per load of the configuration. CLQ_INVALID after
	 * clq_settings_error() stops the start. */
	enum clq_status	(*setup)(struct clq_server *srv);	/* required */
};

#ifdef __cplusplus
}
#endif
#endif
