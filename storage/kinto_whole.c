/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What concerns many lists, by their collections: emptying them. And what the
 * protocol has no words for, which is refused: removing tombstones, trimming
 * without them, counting everything.
 */
#include "storage/kinto.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

static enum clq_status
impossible(const char *what)
{
	clq_log_err("remote Kinto: %s is not possible over HTTP; do it where "
	    "the objects are", what);
	return CLQ_FAILED;
}

static enum clq_status
delete_path(struct kr *k, struct clq_arena *arena, struct clq_str path)
{
	struct kr_call call = { .method = "DELETE", .path = path };

	/* 403, 404: there is no such bucket */
	return kr_ask(k, arena, &call);
}

/* True if the list is that of `parent`, or below it. */
static bool
below(const struct clq_coll *coll, struct clq_str resource,
    struct clq_str parent)
{
	if (resource.p != NULL && !clq_str_eq(coll->resource, resource))
		return false;
	return clq_str_eq(coll->parent, parent) ||
	    (coll->parent.len > parent.len && memcmp(coll->parent.p, parent.p,
	    parent.len) == 0 && coll->parent.p[parent.len] == '/');
}

static enum clq_status
erase(struct kr *k, struct clq_arena *arena, struct clq_str resource,
    struct clq_str parent)
{
	struct clq_str path = clq_arena_printf(arena,
	    "/buckets/%.*s/collections", CLQ_FMT(k->bucket));
	struct kr_call call = { .method = "GET", .path = path };
	enum clq_status rc = CLQ_OK;
	struct clq_coll coll;
	const cJSON *item;

	do {
		if ((rc = kr_ask(k, arena, &call)) != CLQ_OK ||
		    call.status != 200)
			return rc;
		cJSON_ArrayForEach(item, clq_json_get(call.tree, "data")) {
			if (!kr_list_of(arena, clq_json_str(clq_json_get(item,
			    "id")), &coll) || !below(&coll, resource, parent))
				continue;
			if ((rc = delete_path(k, arena, kr_list_path(k, arena,
			    &coll))) != CLQ_OK)
				return rc;
		}
		call.path = clq_arena_printf(arena, "%.*s%.*s", CLQ_FMT(path),
		    CLQ_FMT(call.next));
	} while (call.next.len > 0);
	return CLQ_OK;
}

enum clq_status
kr_erase(void *self, struct clq_str resource, struct clq_str parent)
{
	struct kr *k = kr_self(self);
	struct clq_arena *arena;
	enum clq_status rc;

	if ((rc = kr_send(k)) != CLQ_OK)
		return rc;
	arena = clq_arena_new();
	rc = erase(k, arena, resource, parent);
	clq_arena_free(&arena);
	return rc;
}

enum clq_status
kr_flush(void *self)
{
	struct kr *k = kr_self(self);
	struct clq_arena *arena;
	enum clq_status rc;

	if ((rc = kr_send(k)) != CLQ_OK)
		return rc;
	arena = clq_arena_new();
	rc = delete_path(k, arena, clq_arena_printf(arena,
	    "/buckets/%.*s/collections", CLQ_FMT(k->bucket)));
	clq_arena_free(&arena);
	return rc;
}

enum clq_status
kr_purge(void *self, struct clq_str resource, clq_msec before,
    int64_t max_retained, int64_t *removed)
{
	(void)self, (void)resource, (void)before, (void)max_retained;
	(void)removed;
	return impossible("removing tombstones");
}

enum clq_status
kr_trim(void *self, const struct clq_query *q, size_t keep, int64_t *removed)
{
	(void)self, (void)q, (void)keep, (void)removed;
	return impossible("trimming a list");
}

enum clq_status
kr_totals(void *self, struct clq_arena *arena, struct clq_resource_count **out,
    size_t *n)
{
	(void)self, (void)arena, (void)out, (void)n;
	return impossible("counting all objects");
}
