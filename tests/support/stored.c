/* SPDX-License-Identifier: Apache-2.0 */
/* The stored loopback: plugin, resources, comparison of answers. */
#include "stored.h"

#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/sqlite.h"

/* ---- the plugin ---------------------------------------------------- */

enum { MAX_KEYS = 32 };

struct key {
	char	name[256];
	char	value[256];
};

struct shelf {
	struct key	keys[MAX_KEYS];
};

static char folder[32];

static enum clq_status
configure(struct clq_settings *settings, const char *prefix, void **self)
{
	char path[64];
	struct sq_db *db = NULL;
	enum clq_status rc;

	(void)prefix;
	strcpy(folder, "/tmp/clq-stored-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/db", folder);
	if ((rc = sq_new(settings, path, &db)) == CLQ_OK) {
		db->synchronous = "off";
		*self = db;
	}
	return rc;
}

static void
close_db(void *self)
{
	static const char *const files[] = {
		"db", "db-wal", "db-shm", "db-journal", "db-queue"
	};
	struct sq_db *db = self;
	char path[64];

	sq_free(&db);
	for (size_t i = 0; i < CLQ_COUNT(files); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(folder);
}

static enum clq_status
cache_configure(struct clq_settings *settings, const char *prefix,
    void **self)
{
	(void)settings;
	(void)prefix;
	*self = calloc(1, sizeof(struct shelf));
	return *self != NULL ? CLQ_OK : CLQ_INVALID;
}

static enum clq_status
cache_open(void *self)
{
	(void)self;
	return CLQ_OK;
}

static enum clq_status
cache_ping(void *self, bool readonly, clq_msec timeout)
{
	(void)self;
	(void)readonly;
	(void)timeout;
	return CLQ_OK;
}

static struct key *
find_key(void *self, struct clq_str name)
{
	struct shelf *cache = self;

	for (size_t i = 0; i < MAX_KEYS; i++)
		if (clq_str_is(name, cache->keys[i].name))
			return &cache->keys[i];
	return NULL;
}

static enum clq_status
cache_set(void *self, struct clq_str name, struct clq_str value, clq_msec ttl)
{
	struct key *key = find_key(self, name);

	cr_assert_gt(ttl, 0);
	if (key == NULL)
		key = find_key(self, CLQ_STR(""));
	cr_assert_not_null(key);
	snprintf(key->name, sizeof key->name, "%.*s", CLQ_FMT(name));
	snprintf(key->value, sizeof key->value, "%.*s", CLQ_FMT(value));
	return CLQ_OK;
}

static enum clq_status
cache_get(void *self, struct clq_arena *arena, struct clq_str name,
    struct clq_str *value)
{
	struct key *key = find_key(self, name);

	if (key == NULL)
		return CLQ_NOT_FOUND;
	*value = clq_arena_strdup(arena, clq_str_of(key->value));
	return CLQ_OK;
}

static enum clq_status
cache_take(void *self, struct clq_arena *arena, struct clq_str name,
    struct clq_str *value)
{
	enum clq_status rc = cache_get(self, arena, name, value);

	if (rc == CLQ_OK)
		find_key(self, name)->name[0] = '\0';
	return rc;
}

static enum clq_status
cache_ttl(void *self, struct clq_str name, clq_msec *left)
{
	*left = 1000;
	return find_key(self, name) != NULL ? CLQ_OK : CLQ_NOT_FOUND;
}

static enum clq_status
cache_expire(void *self, struct clq_str name, clq_msec ttl)
{
	(void)ttl;
	return find_key(self, name) != NULL ? CLQ_OK : CLQ_NOT_FOUND;
}

static enum clq_status
cache_flush(void *self, struct clq_str prefix)
{
	struct shelf *cache = self;

	(void)prefix;
	memset(cache->keys, 0, sizeof cache->keys);
	return CLQ_OK;
}

static const struct clq_backend_ops backend = {
	.size = sizeof backend,
	.configure = configure, .open = sq_open, .ping = sq_ping,
	.close = close_db, .begin = sq_begin, .finish = sq_finish,
	.savepoint = sq_savepoint, .rollback = sq_rollback,
	.release = sq_release, .migrate = sq_migrate,
};

static const struct clq_backend_ops cache_backend = {
	.size = sizeof cache_backend,
	.configure = cache_configure, .open = cache_open,
	.ping = cache_ping, .close = free,
};

static const struct clq_cache_ops cache_ops = {
	.size = sizeof cache_ops,
	.get = cache_get, .set = cache_set, .take = cache_take,
	.ttl = cache_ttl, .expire = cache_expire, .flush = cache_flush,
};

const struct clq_plugin stored_plugin = {
	CLQ_PLUGIN_HEAD, .name = "stored", .backend = &backend,
	.storage = &sq_storage_ops, .permission = &sq_permission_ops,
};
const struct clq_plugin kept_plugin = {
	CLQ_PLUGIN_HEAD, .name = "kept", .backend = &cache_backend,
	.cache = &cache_ops,
};

/* ---- the resources ------------------------------------------------- */

/* book below shelf: write includes everything, read is inherited. */
static size_t
inherit(struct clq_arena *arena, const struct clq_access *a,
    struct clq_bound *out, size_t cap)
{
	bool book = strcmp(a->resource->name, "book") == 0;
	size_t n = 0;

	(void)arena;
	(void)cap;
	if (a->kind == CLQ_ACCESS_READ || a->kind == CLQ_ACCESS_WRITE)
		out[n++] = (struct clq_bound){ a->object, CLQ_STR("write"),
			false };
	if (a->kind == CLQ_ACCESS_READ)
		out[n++] = (struct clq_bound){ a->object, CLQ_STR("read"),
			false };
	if (a->kind == CLQ_ACCESS_READ && !book)
		out[n++] = (struct clq_bound){ a->object,
			CLQ_STR("book:create"), false };
	if (a->kind == CLQ_ACCESS_CREATE && !book)
		out[n++] = (struct clq_bound){ CLQ_STR(""),
			CLQ_STR("shelf:create"), false };
	if (!book)
		return n;
	out[n++] = (struct clq_bound){ a->parent, CLQ_STR("write"), false };
	if (a->kind == CLQ_ACCESS_READ || a->kind == CLQ_ACCESS_LIST)
		out[n++] = (struct clq_bound){ a->parent, CLQ_STR("read"),
			false };
	if (a->kind == CLQ_ACCESS_CREATE)
		out[n++] = (struct clq_bound){ a->parent,
			CLQ_STR("book:create"), false };
	return n;
}

static const char *const shelf_permissions[] = {
	"read", "write", "book:create", NULL
};
static const struct clq_field book_fields[] = {
	{ .name = "pages", .type = CLQ_FIELD_INT },
};
static const struct clq_field thing_fields[] = {
	{ .name = "name", .type = CLQ_FIELD_STRING, .flags = CLQ_REQUIRED },
	{ .name = "size", .type = CLQ_FIELD_INT, .def = "1" },
	{ .name = "serial", .type = CLQ_FIELD_ANY,
	  .flags = CLQ_FIELD_READONLY },
	{ .name = "code", .type = CLQ_FIELD_STRING,
	  .flags = CLQ_FIELD_UNIQUE },
};
static const struct clq_field note_fields[] = {
	{ .name = "url", .type = CLQ_FIELD_URL, .flags = CLQ_FIELD_UNIQUE },
	{ .name = "text", .type = CLQ_FIELD_STRING },
};

struct clq_resource stored_shelf = {
	.size = sizeof stored_shelf, .name = "shelf",
	.plural_path = "/shelves", .ids = &clq_id_name,
	.permissions = shelf_permissions, .inherit = inherit,
};
struct clq_resource stored_book = {
	.size = sizeof stored_book, .name = "book",
	.plural_path = "/shelves/{shelf_id}/books", .parent = "shelf",
	.ids = &clq_id_relaxed, .inherit = inherit,
	.fields = book_fields, .nfields = CLQ_COUNT(book_fields),
};
struct clq_resource stored_thing = {
	.size = sizeof stored_thing, .name = "thing",
	.plural_path = "/things", .flags = CLQ_RESOURCE_STRICT,
	.ids = &clq_id_relaxed,
	.fields = thing_fields, .nfields = CLQ_COUNT(thing_fields),
};
struct clq_resource stored_note = {
	.size = sizeof stored_note, .name = "note", .plural_path = "/notes",
	.flags = CLQ_RESOURCE_USER | CLQ_RESOURCE_LAZY_PATCH,
	.ids = &clq_id_relaxed,
	.fields = note_fields, .nfields = CLQ_COUNT(note_fields),
};

struct loopback
stored_new(const char *ini)
{
	const struct clq_resource *const all[] = {
		&stored_shelf, &stored_book, &stored_thing, &stored_note
	};
	struct clq_arena *arena = clq_arena_new();
	struct loopback lb;

	lb = loopback_new(clq_arena_printf(arena,
	    "project_version = 1.0\nstorage_backend = stored\n"
	    "permission_backend = stored\ncache_backend = kept\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n"
	    "shelf_create_principals = system.Authenticated\n"
	    "thing_create_principals = system.Authenticated\n"
	    "thing_read_principals = system.Authenticated\n%s", ini).p);
	clq_arena_free(&arena);
	for (size_t i = 0; i < CLQ_COUNT(all); i++)
		cr_assert_eq(clq_add_resource(lb.srv, all[i]), CLQ_OK);
	cr_assert_eq(clq_server_open(lb.srv), CLQ_OK);
	return lb;
}

void
stored_free(struct loopback *lb)
{
	loopback_free(lb);
}

/* ---- asking -------------------------------------------------------- */

struct clq_request *
stored_ask(struct loopback *lb, int status, const char *method,
    const char *url, const char *headers, const char *body)
{
	struct clq_request *req = loopback_send(lb, method, url, headers,
	    body);

	cr_assert_eq(req->response.status, status, "%s %s %s: %d %s", method,
	    url, body != NULL ? body : "", req->response.status,
	    loopback_body(req));
	return req;
}

const char *
stored_user(struct loopback *lb, const char *headers)
{
	struct clq_request *req = loopback_send(lb, "GET", "/v1/", headers,
	    NULL);
	struct clq_str user = clq_request_user(req);

	return user.p != NULL ? clq_arena_cstr(lb->arena, user) : "";
}

clq_msec
stored_etag(const struct clq_request *req)
{
	const char *etag = loopback_header(req, "ETag");

	return etag != NULL ? strtoll(etag + 1, NULL, 10) : -1;
}

/* ---- comparing ----------------------------------------------------- */

static bool
matches(const cJSON *have, const cJSON *want);

static bool
object_matches(const cJSON *have, const cJSON *want)
{
	const cJSON *item;

	if (!cJSON_IsObject(have) ||
	    cJSON_GetArraySize(have) != cJSON_GetArraySize(want))
		return false;
	cJSON_ArrayForEach(item, want)
		if (!matches(clq_json_get(have, item->string), item))
			return false;
	return true;
}

/* In any order: enough for principals, and for lists of few objects. */
static bool
array_matches(const cJSON *have, const cJSON *want)
{
	const cJSON *item, *other;
	bool found;

	if (!cJSON_IsArray(have) ||
	    cJSON_GetArraySize(have) != cJSON_GetArraySize(want))
		return false;
	cJSON_ArrayForEach(item, want) {
		found = false;
		cJSON_ArrayForEach(other, have)
			found = found || matches(other, item);
		if (!found)
			return false;
	}
	return true;
}

static bool
matches(const cJSON *have, const cJSON *want)
{
	if (have == NULL)
		return false;
	if (clq_str_is(clq_json_str(want), "*"))
		return true;
	if (cJSON_IsObject(want))
		return object_matches(have, want);
	if (cJSON_IsArray(want))
		return array_matches(have, want);
	return clq_json_equal(have, want);
}

/* "$A" and "$B" replaced by users. */
static const char *
expand(struct loopback *lb, const char *pattern)
{
	struct clq_buf b;

	clq_buf_init(&b, lb->arena, 256);
	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '$') {
			clq_buf_addc(&b, *pattern);
			continue;
		}
		pattern++;
		clq_buf_adds(&b, stored_user(lb, *pattern == 'A' ? ALICE :
		    BOB));
	}
	return clq_arena_cstr(lb->arena, clq_buf_str(&b));
}

cJSON *
stored_body(struct loopback *lb, const struct clq_request *req,
    const char *pattern)
{
	cJSON *have = NULL, *want = NULL;
	struct clq_str why;

	cr_assert_eq(clq_json_parse(lb->arena, req->response.body, &have,
	    &why), CLQ_OK, "%s", loopback_body(req));
	cr_assert_eq(clq_json_parse(lb->arena, clq_str_of(expand(lb,
	    pattern)), &want, &why), CLQ_OK, "%s", pattern);
	cr_expect(matches(have, want), "%s is not %s", loopback_body(req),
	    pattern);
	return have;
}
