/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the counters are kept (section 08-9): as objects of the resource
 * `quota`, which no endpoint serves, below the bucket or collection that they
 * are about; so they go with it. In a writing transaction they stay locked from
 * reading to writing, as any object does.
 */
#include "quotas.h"

/* Offset of the slash after the nth segment of a URI. */
static size_t
segment_end(struct clq_str uri, int n)
{
	size_t at = 0;

	while (n-- > 0)
		at = clq_str_find(uri, '/', at + 1);
	return at;
}

static bool
is_collection(struct clq_str uri)
{
	return segment_end(uri, 2) < uri.len;
}

struct quotas_counters
quotas_of(struct clq_str uri)
{
	struct quotas_counters c = {
		.coll = { CLQ_STR("quota"), uri },
		.id = is_collection(uri) ? CLQ_STR("collection_info") :
		    CLQ_STR("bucket_info"),
	};

	return c;
}

static int64_t
member(const cJSON *tree, const char *name)
{
	int64_t n;

	return clq_json_int(clq_json_get(tree, name), &n) ? n : 0;
}

enum clq_status
quotas_read(struct clq_request *req, struct quotas_counters *counters,
    size_t n)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_want *wants = clq_arena_calloc(arena, n, sizeof *wants);
	struct clq_lookup lookup = {
		.arena = arena, .wants = wants, .nwants = n,
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	cJSON *tree;
	void *self;

	for (size_t i = 0; i < n; i++) {
		wants[i].coll = counters[i].coll;
		wants[i].id = counters[i].id;
	}
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->lookup(self, &lookup)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < n; i++) {
		counters[i].found = wants[i].found;
		if (!wants[i].found)
			continue;
		if ((rc = clq_object_tree(arena, &wants[i].object,
		    &tree)) != CLQ_OK)
			return rc;
		counters[i].collections = member(tree, "collection_count");
		counters[i].records = member(tree, "record_count");
		counters[i].bytes = member(tree, "storage_size");
	}
	return CLQ_OK;
}

static int64_t
positive(int64_t n)
{
	return n > 0 ? n : 0;
}

enum clq_status
quotas_write(struct clq_request *req, struct quotas_counters *counters,
    size_t n)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_write *writes = clq_arena_calloc(arena, n, sizeof *writes);
	const struct clq_storage_ops *storage;
	void *self;

	for (size_t i = 0; i < n; i++) {
		const struct quotas_counters *c = &counters[i];
		struct clq_buf b;

		clq_buf_init(&b, arena, 96);
		clq_buf_addc(&b, '{');
		if (!is_collection(c->coll.parent))
			clq_buf_printf(&b, "\"collection_count\":%lld,",
			    (long long)positive(c->collections));
		clq_buf_printf(&b, "\"record_count\":%lld,"
		    "\"storage_size\":%lld}", (long long)positive(c->records),
		    (long long)positive(c->bytes));
		writes[i].op = CLQ_WRITE_UPDATE;	/* or create */
		writes[i].coll = c->coll;
		writes[i].id = c->id;
		writes[i].data = clq_buf_str(&b);
	}
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	return storage->write(self, writes, n);
}

/* ---- limits ------------------------------------------------------------ */

int64_t
quotas_limit(struct clq_request *req, struct clq_str uri,
    enum quotas_limit limit)
{
	static const char *const names[] = {
		[QUOTAS_MAX_BYTES] = "max_bytes",
		[QUOTAS_MAX_ITEMS] = "max_items",
		[QUOTAS_MAX_BYTES_PER_ITEM] = "max_bytes_per_item",
	};
	const struct clq_settings *s =
	    clq_server_settings(clq_request_server(req));
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str bucket = clq_str_sub(uri, strlen("/buckets/"),
	    segment_end(uri, 2));
	struct clq_str collection = clq_str_sub(uri, segment_end(uri, 3) + 1,
	    uri.len);
	const char *name = names[limit], *keys[3];
	size_t n = 0;

	if (is_collection(uri)) {
		keys[n++] = clq_arena_printf(arena,
		    "quotas.collection_%.*s_%.*s_%s", CLQ_FMT(bucket),
		    CLQ_FMT(collection), name).p;
		keys[n++] = clq_arena_printf(arena,
		    "quotas.collection_%.*s_%s", CLQ_FMT(bucket), name).p;
		keys[n++] = clq_arena_printf(arena, "quotas.collection_%s",
		    name).p;
	} else {
		keys[n++] = clq_arena_printf(arena, "quotas.bucket_%.*s_%s",
		    CLQ_FMT(bucket), name).p;
		keys[n++] = clq_arena_printf(arena, "quotas.bucket_%s",
		    name).p;
	}
	for (size_t i = 0; i < n; i++)
		if (clq_settings_has(s, keys[i]))
			return clq_settings_int(s, keys[i], -1);
	return -1;
}
