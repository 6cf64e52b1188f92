/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on what buckets and collections hold (section 08-9). A plugin of the
 * Kinto application.
 *
 * Changes are added up before the commit, list by list, when their timestamps
 * and so the sizes of the objects are known; what would pass a limit undoes the
 * request. A collection's deletion is different: what it takes along must be
 * known before it goes, so that is subtracted at once, and changes that came
 * before it in the same batch do not count at all. Neither do those before the
 * deletion of a bucket, whose counters go with it.
 */
#include "quotas.h"

#define BYTES(key, help) { key, CLQ_SET_INT, NULL, 0, INT64_MAX, "bytes", help }
#define ITEMS(key, help) { key, CLQ_SET_INT, NULL, 0, INT64_MAX, "records", help }

/* Each for all, and for those that the '*' names. */
static const struct clq_setting settings[] = {
	BYTES("quotas.bucket_max_bytes", "Size of all that a bucket holds, "
	    "itself included."),
	BYTES("quotas.bucket_*_max_bytes", "The same for one bucket."),
	ITEMS("quotas.bucket_max_items", "Records in a bucket."),
	ITEMS("quotas.bucket_*_max_items", "The same for one bucket."),
	BYTES("quotas.bucket_max_bytes_per_item", "Size of any object in a "
	    "bucket."),
	BYTES("quotas.bucket_*_max_bytes_per_item", "The same for one "
	    "bucket."),
	BYTES("quotas.collection_max_bytes", "Size of all that a collection "
	    "holds, itself included."),
	BYTES("quotas.collection_*_max_bytes", "The same for the collections "
	    "of one bucket (<bucket>) or for one (<bucket>_<collection>)."),
	ITEMS("quotas.collection_max_items", "Records in a collection."),
	ITEMS("quotas.collection_*_max_items", "The same for the collections "
	    "of one bucket, or for one."),
	BYTES("quotas.collection_max_bytes_per_item", "Size of a record, or "
	    "of the collection's own object."),
	BYTES("quotas.collection_*_max_bytes_per_item", "The same for the "
	    "collections of one bucket, or for one."),
};

/* What an event adds to a bucket or collection. */
struct sum {
	struct quotas_counters	counters;
	int64_t			collections;
	int64_t			records;
	int64_t			bytes;
	int64_t			largest;	/* object that grew */
};

/* ---- sizes ------------------------------------------------------------- */

/* The length of the object's compact JSON, in bytes. A database may have given
 * it in another form than it was written in. */
static enum clq_status
size_of(struct clq_arena *arena, const struct clq_object *obj, int64_t *out)
{
	enum clq_status rc;
	cJSON *tree;

	*out = 0;
	if (obj == NULL || obj->deleted)
		return CLQ_OK;
	if ((rc = clq_object_tree(arena, obj, &tree)) == CLQ_OK)
		*out = (int64_t)clq_json_text(arena, tree).len;
	return rc;
}

/* Objects before and after the change. */
static enum clq_status
sizes_of(const struct clq_change *change, int64_t *before, int64_t *after)
{
	struct clq_arena *scratch = clq_arena_new();
	enum clq_status rc;

	if ((rc = size_of(scratch, change->old, before)) == CLQ_OK)
		rc = size_of(scratch, change->new_, after);
	clq_arena_free(&scratch);
	return rc;
}

/* ---- adding up --------------------------------------------------------- */

static bool
is(const struct clq_event *event, const char *kind)
{
	return strcmp(event->resource->name, kind) == 0;
}

static struct clq_str
bucket_of(struct clq_str uri)
{
	return clq_str_sub(uri, 0, clq_str_find(uri, '/',
	    strlen("/buckets/")));
}

/* The collection that the change counts for; absent: none. */
static struct clq_str
collection_of(const struct clq_event *event, const struct clq_change *change)
{
	const struct clq_str none = { NULL, 0 };

	return is(event, "record") ? event->coll.parent :
	    is(event, "collection") ? change->uri : none;
}

/* Deletions of buckets and collections take their counters along. */
static bool
counts(struct clq_request *req, const struct clq_event *event,
    const struct clq_change *change)
{
	struct clq_str collection = collection_of(event, change);

	if (event->action == CLQ_ACTION_DELETE && (is(event, "bucket") ||
	    is(event, "collection")))
		return false;
	return !clq_deleted_since(req, change, bucket_of(change->uri)) &&
	    (collection.p == NULL ||
	    !clq_deleted_since(req, change, collection));
}

static struct sum *
sum_of(struct sum *sums, size_t *n, struct clq_str uri)
{
	for (size_t i = 0; i < *n; i++)
		if (clq_str_eq(sums[i].counters.coll.parent, uri))
			return &sums[i];
	memset(&sums[*n], 0, sizeof sums[*n]);
	sums[*n].counters = quotas_of(uri);
	return &sums[(*n)++];
}

static void
add(struct sum *sum, const struct clq_event *event, int64_t before,
    int64_t after)
{
	int64_t one = event->action == CLQ_ACTION_CREATE ? 1 :
	    event->action == CLQ_ACTION_DELETE ? -1 : 0;

	sum->bytes += after - before;
	if (after > before && after > sum->largest)
		sum->largest = after;
	if (is(event, "record"))
		sum->records += one;
	if (is(event, "collection"))
		sum->collections += one;
}

/* Two sums for each bucket or collection among the changes at most. */
static enum clq_status
add_up(struct clq_request *req, const struct clq_event *event,
    struct sum *sums, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < event->nchanges; i++) {
		const struct clq_change *change = &event->changes[i];
		struct clq_str collection = collection_of(event, change);
		int64_t before, after;
		enum clq_status rc;

		if (!counts(req, event, change))
			continue;
		if ((rc = sizes_of(change, &before, &after)) != CLQ_OK)
			return rc;
		add(sum_of(sums, n, bucket_of(change->uri)), event, before,
		    after);
		if (collection.p != NULL)
			add(sum_of(sums, n, collection), event, before, after);
	}
	return CLQ_OK;
}

/* ---- limits ------------------------------------------------------------ */

static enum clq_status
exceeded(struct clq_request *req, const char *what, int64_t have,
    int64_t limit, const char *unit)
{
	enum clq_status rc = clq_fail(req, CLQ_ERRNO_FORBIDDEN, "%s exceeded "
	    "(%lld > %lld %s). ", what, (long long)have, (long long)limit, unit);

	clq_fail_as(req, 507, "Insufficient Storage");
	return rc;
}

/* Refuse what grew beyond a limit; what shrinks may stay above it. */
static enum clq_status
check(struct clq_request *req, const struct sum *sum)
{
	const struct quotas_counters *c = &sum->counters;
	struct clq_str uri = c->coll.parent;
	bool bucket = clq_str_is(c->id, "bucket_info");
	int64_t limit;

	limit = quotas_limit(req, uri, QUOTAS_MAX_BYTES_PER_ITEM);
	if (limit >= 0 && sum->largest > limit)
		return exceeded(req, "Maximum bytes per object",
		    sum->largest, limit, "Bytes");
	limit = quotas_limit(req, uri, QUOTAS_MAX_BYTES);
	if (limit >= 0 && sum->bytes > 0 && c->bytes > limit)
		return exceeded(req, bucket ? "Bucket maximum total size" :
		    "Collection maximum size", c->bytes, limit, "Bytes");
	limit = quotas_limit(req, uri, QUOTAS_MAX_ITEMS);
	if (limit >= 0 && sum->records > 0 && c->records > limit)
		return exceeded(req, bucket ?
		    "Bucket maximum number of objects" :
		    "Collection maximum number of objects", c->records, limit,
		    "objects");
	return CLQ_OK;
}

/* ---- the subscribers --------------------------------------------------- */

/* Before the commit: count the changes of an event. */
static enum clq_status
count(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct sum *sums = clq_arena_calloc(arena, 2 * event->nchanges,
	    sizeof *sums);
	struct quotas_counters *counters;
	enum clq_status rc;
	size_t n, i;

	(void)ctx;
	if ((rc = add_up(req, event, sums, &n)) != CLQ_OK || n == 0)
		return rc;
	counters = clq_arena_calloc(arena, n, sizeof *counters);
	for (i = 0; i < n; i++)
		counters[i] = sums[i].counters;
	if ((rc = quotas_read(req, counters, n)) != CLQ_OK)
		return rc;
	for (i = 0; i < n; i++) {
		counters[i].collections += sums[i].collections;
		counters[i].records += sums[i].records;
		counters[i].bytes += sums[i].bytes;
		sums[i].counters = counters[i];
		if ((rc = check(req, &sums[i])) != CLQ_OK)
			return rc;
	}
	return quotas_write(req, counters, n);
}

/* While the counters of a deleted collection are still there: take them off
 * those of the bucket. One without counters was never counted. */
static enum clq_status
subtract(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	struct clq_str uri = event->changes[0].uri;
	struct quotas_counters both[] = {
		quotas_of(bucket_of(uri)), quotas_of(uri),
	};
	enum clq_status rc;

	(void)ctx;
	if ((rc = quotas_read(req, both, CLQ_COUNT(both))) != CLQ_OK ||
	    !both[1].found)
		return rc;
	both[0].collections--;
	both[0].records -= both[1].records;
	both[0].bytes -= both[1].bytes;
	return quotas_write(req, both, 1);
}

static enum clq_status
setup(struct clq_server *srv)
{
	static const char *const counted[] = {
		"bucket", "group", "collection", "record", NULL
	};
	static const char *const collections[] = { "collection", NULL };
	enum clq_status rc;

	if ((rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings))) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_IN_TRANSACTION,
	    CLQ_BIT(CLQ_ACTION_CREATE) | CLQ_BIT(CLQ_ACTION_UPDATE) |
	    CLQ_BIT(CLQ_ACTION_DELETE), counted, count, NULL)) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_ON_CHANGE,
	    CLQ_BIT(CLQ_ACTION_DELETE), collections, subtract,
	    NULL)) != CLQ_OK)
		return rc;
	return clq_add_capability(srv, "quotas", "Quotas on buckets and "
	    "collections.", "https://kinto.readthedocs.io/en/latest/"
	    "configuration/settings.html#quotas", NULL);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "quotas", .version = "1", .app = &app,
};
