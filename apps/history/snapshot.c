/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /buckets/{b}/snapshot/collections/{c}@{t}: the records of a collection
 * as they were at a time (section 08-8.3).
 *
 * What has not changed since is read from the collection. For each record
 * or tombstone that has, the newest entry of the history that is not newer than
 * the time tells what it was; a deletion tells that it was not. Both lists are
 * read in pieces, so that only what is answered stays in memory.
 */
#include "history.h"

#include <stdlib.h>

enum {
	CHUNK = 500	/* objects read at once; records looked up at once */
};

struct version {
	clq_msec	last_modified;
	struct clq_str	text;
};

struct snapshot {
	struct clq_request	*req;
	struct clq_arena	*arena;		/* of the answer */
	struct clq_str		 bucket;	/* URIs */
	struct clq_str		 collection;
	struct clq_str		 collection_id;
	clq_msec		 at;
	clq_msec		 began;		/* entries up to this one tell of
						   an earlier collection */
	struct version		*versions;
	size_t			 n;
	size_t			 cap;
};

static const struct clq_sort newest_first[] = {
	{ CLQ_STR("last_modified"), true },
};

static void
add_version(struct snapshot *s, clq_msec last_modified, struct clq_str text)
{
	size_t cap = s->cap > 0 ? 2 * s->cap : 64;

	if (s->n == s->cap) {
		s->versions = clq_arena_grow(s->arena, s->versions,
		    s->cap * sizeof *s->versions, cap * sizeof *s->versions);
		s->cap = cap;
	}
	s->versions[s->n++] = (struct version){ last_modified,
	    clq_arena_strdup(s->arena, text) };
}

static cJSON *
integer(struct clq_arena *arena, int64_t v)
{
	return clq_json_own(arena, clq_json_new_int(v));
}

static cJSON *
text(struct clq_arena *arena, struct clq_str v)
{
	return clq_json_own(arena, clq_json_new_str(v));
}

/* ---- lists in pieces --------------------------------------------------- */

typedef enum clq_status piece_f(struct snapshot *s, struct clq_arena *arena,
    const struct clq_page *page, void *ctx, bool *done);

/* Call fn for one piece of q after the other, newest first, each in an arena
 * that is emptied before the next, until it is done. */
static enum clq_status
in_pieces(struct snapshot *s, struct clq_query *q, piece_f *fn, void *ctx)
{
	struct clq_arena *arena = clq_arena_new();
	const struct clq_storage_ops *storage;
	const cJSON *after[1];
	struct clq_page page;
	bool done = false;
	enum clq_status rc = CLQ_OK;
	void *self;

	q->sorts = newest_first;
	q->nsorts = CLQ_COUNT(newest_first);
	q->limit = CHUNK;
	if ((storage = clq_storage(s->req, &self)) == NULL)
		rc = CLQ_UNAVAILABLE;
	while (rc == CLQ_OK && !done) {
		page = (struct clq_page){ NULL, 0 };
		clq_arena_reset(arena);
		rc = storage->list(self, arena, q, &page);
		if (rc != CLQ_OK || page.n == 0)
			break;
		done = page.n < CHUNK;
		after[0] = integer(s->arena,
		    page.objects[page.n - 1].last_modified);
		q->after = after;
		rc = fn(s, arena, &page, ctx, &done);
	}
	q->after = NULL;
	clq_arena_free(&arena);
	return rc;
}

/* ---- what has not changed ---------------------------------------------- */

static enum clq_status
take_unchanged(struct snapshot *s, struct clq_arena *arena,
    const struct clq_page *page, void *ctx, bool *done)
{
	(void)ctx;
	(void)done;
	for (size_t i = 0; i < page->n; i++)
		add_version(s, page->objects[i].last_modified,
		    clq_object_text(arena, &page->objects[i]));
	return CLQ_OK;
}

static enum clq_status
find_unchanged(struct snapshot *s)
{
	struct clq_filter until = { CLQ_STR("last_modified"), CLQ_OP_MAX,
		integer(s->arena, s->at) };
	struct clq_query q = {
		.coll = { CLQ_STR("record"), s->collection },
		.filters = &until, .nfilters = 1,
	};

	return in_pieces(s, &q, take_unchanged, NULL);
}

/* ---- what has ---------------------------------------------------------- */

/* The newest entry of a record that is still wanted tells what it was. */
static enum clq_status
take_entry(struct snapshot *s, struct clq_arena *arena, cJSON *wanted,
    const struct clq_object *entry)
{
	cJSON *tree, *data, *id;
	enum clq_status rc;
	int64_t modified;

	if ((rc = clq_object_tree(arena, entry, &tree)) != CLQ_OK)
		return rc;
	cJSON_ArrayForEach(id, wanted)
		if (clq_json_equal(id, clq_json_get(tree, "record_id")))
			break;
	if (id == NULL)
		return CLQ_OK;
	cJSON_Delete(cJSON_DetachItemViaPointer(wanted, id));
	data = clq_json_get(clq_json_get(tree, "target"), "data");
	if (!clq_str_is(clq_json_str(clq_json_get(tree, "action")),
	    "delete") && cJSON_IsObject(data) &&
	    clq_json_int(clq_json_get(data, "last_modified"), &modified))
		add_version(s, modified, clq_json_text(arena, data));
	return CLQ_OK;
}

static enum clq_status
take_entries(struct snapshot *s, struct clq_arena *arena,
    const struct clq_page *page, void *ctx, bool *done)
{
	cJSON *wanted = ctx;
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < page->n && rc == CLQ_OK; i++)
		rc = take_entry(s, arena, wanted, &page->objects[i]);
	*done = *done || wanted->child == NULL;
	return rc;
}

/* Look some changed records up in the history. */
static enum clq_status
take_changed(struct snapshot *s, struct clq_arena *arena,
    const struct clq_page *page, void *ctx, bool *done)
{
	cJSON *wanted = clq_json_own(arena, cJSON_CreateArray());
	struct clq_filter filters[] = {
		{ CLQ_STR("resource_name"), CLQ_OP_EQ,
		  text(arena, CLQ_STR("record")) },
		{ CLQ_STR("collection_id"), CLQ_OP_EQ,
		  text(arena, s->collection_id) },
		{ CLQ_STR("target.data.last_modified"), CLQ_OP_MAX,
		  integer(arena, s->at) },
		{ CLQ_STR("last_modified"), CLQ_OP_GT,
		  integer(arena, s->began) },
		{ CLQ_STR("record_id"), CLQ_OP_IN, NULL },
	};
	struct clq_query q = {
		.coll = history_list(s->bucket), .filters = filters,
		.nfilters = CLQ_COUNT(filters),
	};

	(void)ctx;
	(void)done;
	for (size_t i = 0; i < page->n; i++)
		cJSON_AddItemToArray(wanted,
		    clq_json_new_str(page->objects[i].id));
	filters[CLQ_COUNT(filters) - 1].value = clq_json_dup(arena, wanted);
	return in_pieces(s, &q, take_entries, wanted);
}

static enum clq_status
find_changed(struct snapshot *s)
{
	struct clq_filter since = { CLQ_STR("last_modified"), CLQ_OP_GT,
		integer(s->arena, s->at) };
	struct clq_query q = {
		.coll = { CLQ_STR("record"), s->collection },
		.filters = &since, .nfilters = 1, .include_deleted = true,
	};

	return in_pieces(s, &q, take_changed, NULL);
}

/* Records of an earlier collection of that name went with it, and without an
 * entry: those of its history do not count. */
static enum clq_status
find_beginning(struct snapshot *s)
{
	struct clq_filter filters[] = {
		{ CLQ_STR("resource_name"), CLQ_OP_EQ,
		  text(s->arena, CLQ_STR("collection")) },
		{ CLQ_STR("collection_id"), CLQ_OP_EQ,
		  text(s->arena, s->collection_id) },
		{ CLQ_STR("action"), CLQ_OP_EQ,
		  text(s->arena, CLQ_STR("delete")) },
		{ CLQ_STR("target.data.last_modified"), CLQ_OP_MAX,
		  integer(s->arena, s->at) },
	};
	struct clq_query q = {
		.coll = history_list(s->bucket), .filters = filters,
		.nfilters = CLQ_COUNT(filters), .sorts = newest_first,
		.nsorts = CLQ_COUNT(newest_first), .limit = 1,
	};
	const struct clq_storage_ops *storage;
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;
	void *self;

	if ((storage = clq_storage(s->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->list(self, s->arena, &q, &page)) != CLQ_OK)
		return rc;
	if (page.n > 0)
		s->began = page.objects[0].last_modified;
	return CLQ_OK;
}

/* ---- the answer -------------------------------------------------------- */

static int
newer_first(const void *a, const void *b)
{
	const struct version *x = a, *y = b;

	return x->last_modified > y->last_modified ? -1 :
	    x->last_modified < y->last_modified;
}

static enum clq_status
answer(struct snapshot *s)
{
	struct clq_buf b;
	size_t hint = 16;

	if (s->n > 1)
		qsort(s->versions, s->n, sizeof *s->versions, newer_first);
	for (size_t i = 0; i < s->n; i++)
		hint += s->versions[i].text.len + 1;
	clq_buf_init(&b, s->arena, hint);
	clq_buf_adds(&b, "{\"data\":[");
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			clq_buf_addc(&b, ',');
		clq_buf_add(&b, s->versions[i].text);
	}
	clq_buf_adds(&b, "]}");
	return clq_reply(s->req, 200, clq_buf_str(&b));
}

/* ---- the request ------------------------------------------------------- */

/* An integer, as Python reads one: digits beyond 64 bits are the far future. */
static bool
read_time(struct clq_str s, clq_msec *out)
{
	s = clq_str_trim(s);
	if (clq_str_int(s, out))
		return *out >= 0;
	*out = INT64_MAX;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

static enum clq_status
require_name(struct clq_request *req, struct clq_str id, const char *kind)
{
	struct clq_arena *arena = clq_request_arena(req);
	cJSON *details = clq_json_own(arena, cJSON_CreateObject());
	enum clq_status rc;

	if (clq_id_name.valid(id))
		return CLQ_OK;
	rc = clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, "%s", "");
	clq_json_set(details, "id", clq_json_new_str(id));
	clq_json_set(details, "resource_name",
	    clq_json_new_str(clq_str_of(kind)));
	clq_fail_details(req, details);
	return rc;
}

/* "c@1795456756960" in the path. */
static enum clq_status
read_target(struct snapshot *s)
{
	struct clq_str bucket = clq_request_var(s->req, "bucket_id");
	struct clq_str target = clq_request_var(s->req, "target"), time;
	size_t at = target.len;
	enum clq_status rc;

	while (at > 0 && target.p[at - 1] != '@')
		at--;
	time = clq_str_sub(target, at, target.len);
	if (at < 2 || time.len == 0)
		return clq_fail(s->req, CLQ_ERRNO_MISSING_RESOURCE, NULL);
	if (!read_time(time, &s->at))
		return clq_invalid(s->req, "path", CLQ_STR("timestamp"),
		    "Invalid timestamp '%.*s'", CLQ_FMT(time));
	s->collection_id = clq_str_sub(target, 0, at - 1);
	if ((rc = require_name(s->req, bucket, "bucket")) != CLQ_OK ||
	    (rc = require_name(s->req, s->collection_id,
	    "collection")) != CLQ_OK)
		return rc;
	s->bucket = clq_arena_printf(s->arena, "/buckets/%.*s",
	    CLQ_FMT(bucket));
	s->collection = clq_arena_printf(s->arena, "%.*s/collections/%.*s",
	    CLQ_FMT(s->bucket), CLQ_FMT(s->collection_id));
	return CLQ_OK;
}

/* By ACEs on bucket or collection; rights from settings do not count. */
static enum clq_status
authorize(struct snapshot *s)
{
	struct clq_bound bounds[] = {
		{ s->bucket, CLQ_STR("read"), false },
		{ s->bucket, CLQ_STR("write"), false },
		{ s->collection, CLQ_STR("read"), false },
		{ s->collection, CLQ_STR("write"), false },
	};
	struct clq_lookup lookup = {
		.bounds = bounds, .nbounds = CLQ_COUNT(bounds),
	};
	enum clq_status rc;

	if ((rc = clq_lookup(s->req, &lookup)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < CLQ_COUNT(bounds); i++)
		if (bounds[i].granted)
			return CLQ_OK;
	return clq_fail(s->req, clq_request_user(s->req).p == NULL ?
	    CLQ_ERRNO_MISSING_AUTH_TOKEN : CLQ_ERRNO_FORBIDDEN, NULL);
}

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	struct snapshot s = { .req = req, .arena = clq_request_arena(req) };
	enum clq_status rc;

	(void)ctx;
	if ((rc = read_target(&s)) != CLQ_OK ||		/* 404 400 */
	    (rc = authorize(&s)) != CLQ_OK ||		/* 401 403 */
	    (rc = find_unchanged(&s)) != CLQ_OK ||
	    (rc = find_beginning(&s)) != CLQ_OK ||
	    (rc = find_changed(&s)) != CLQ_OK)
		return rc;
	return answer(&s);
}

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_GET, view, CLQ_TX_READ },
};
const struct clq_service history_snapshot = {
	.size	= sizeof history_snapshot,
	.name	= "history_snapshot",
	.path	= "/buckets/{bucket_id}/snapshot/collections/{target}",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.description = "The records of a collection as they were at a time.",
	.openapi = "{\"get\":{\"tags\":[\"History\"],\"description\":\"The "
		"target is the collection's id, `@` and a time in ms: "
		"`articles@1795454839427`. Permission: `read` or `write` "
		"on the bucket or the collection.\",\"responses\":{"
		"\"200\":{\"description\":\"The records.\",\"schema\":{"
		"\"type\":\"object\",\"required\":[\"data\"],"
		"\"properties\":{\"data\":{\"type\":\"array\",\"items\":{"
		"\"type\":\"object\"}}}}},\"400\":{\"$ref\":"
		"\"#/responses/400\"},\"401\":{\"$ref\":"
		"\"#/responses/401\"},\"403\":{\"$ref\":"
		"\"#/responses/403\"},\"404\":{\"$ref\":"
		"\"#/responses/404\"}}}}",
};
