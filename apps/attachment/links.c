/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files belong to which record: objects in storage (see attachment.h).
 *
 * The record's own attribute cannot be trusted with it, since clients may
 * write one where there was none. Links are those of existing databases:
 * resource "__attachments__", no parent, with the location and the three URIs.
 * Ours have an id made of hashes of the bucket's, the collection's and the
 * record's URI, so that a record's link is found by key, and those of a
 * collection or bucket lie side by side. Others, made before, have UUIDs, which
 * all come before ours; they are looked for by their URI. Links leave no
 * tombstones.
 */
#include "attachment.h"

#include <stdlib.h>

enum {
	PAGE = 500,	/* links looked at in one go */
	FEW = 16	/* records that are asked for one by one */
};

#define LINKS { CLQ_STR("__attachments__"), CLQ_STR("") }

static const struct clq_sort by_id[] = {
	{ CLQ_STR("id"), false },
	{ CLQ_STR("last_modified"), false },
};

/* Ids that begin so are ours; those of UUIDs are below. */
#define OURS "l-"

/* The URI of the n-th ancestor: 1: "/buckets/b", 2: with its collection. */
static struct clq_str
ancestor(struct clq_str uri, int n)
{
	size_t end = 0;

	for (int i = 0; i < 2 * n; i++)
		end = clq_str_find(uri, '/', end + 1);
	return clq_str_sub(uri, 0, end);
}

static const char *
hash(struct clq_arena *arena, struct clq_str uri)
{
	return clq_sha256_hex(arena, uri).p;
}

/* What ids of links of a bucket begin with; of a collection. */
static struct clq_str
bucket_prefix(struct clq_arena *arena, struct clq_str bucket)
{
	return clq_arena_printf(arena, OURS "%.16s-", hash(arena, bucket));
}

static struct clq_str
collection_prefix(struct clq_arena *arena, struct clq_str collection)
{
	return clq_arena_printf(arena, "%.*s%.16s-", CLQ_FMT(bucket_prefix(
	    arena, ancestor(collection, 1))), hash(arena, collection));
}

static struct clq_str
link_id(struct clq_arena *arena, struct clq_str record_uri)
{
	return clq_arena_printf(arena, "%.*s%.32s", CLQ_FMT(collection_prefix(
	    arena, ancestor(record_uri, 2))), hash(arena, record_uri));
}

static void
take_location(struct clq_arena *arena, const cJSON *link,
    struct clq_strs *found)
{
	struct clq_str location = clq_json_str(clq_json_get(link,
	    "location"));

	if (location.len > 0)
		clq_strs_add(arena, found, clq_arena_strdup(arena, location));
}

static enum clq_status
trim(struct clq_request *req, const char *field, cJSON *value, enum clq_op op)
{
	struct clq_filter filter = { clq_str_of(field), op,
		clq_json_own(clq_request_arena(req), value) };
	struct clq_query q = {
		.coll = LINKS, .filters = &filter, .nfilters = 1,
		.sorts = by_id, .nsorts = CLQ_COUNT(by_id),
	};
	const struct clq_storage_ops *storage;
	int64_t removed;
	void *self;

	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	return storage->trim(self, &q, 0, &removed);
}

bool
attachment_in(const struct clq_object *record)
{
	return record != NULL && clq_str_search(record->data,
	    CLQ_STR("\"attachment\"")) < record->data.len;
}

static enum clq_status
find_one(struct clq_request *req, struct clq_str id, bool reading,
    struct clq_strs *found)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_want want = { .coll = LINKS, .id = id };
	struct clq_lookup l = {
		.arena = arena, .wants = &want, .nwants = 1,
		.reading = reading,
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	cJSON *tree;
	void *self;

	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->lookup(self, &l)) != CLQ_OK || !want.found)
		return rc;
	if ((rc = clq_object_tree(arena, &want.object, &tree)) == CLQ_OK)
		take_location(arena, tree, found);
	return rc;
}

enum clq_status
attachment_links_take_record(struct clq_request *req,
    struct clq_str record_uri, bool had, struct clq_strs *found)
{
	struct clq_str id = link_id(clq_request_arena(req), record_uri);
	size_t before = found->n;
	enum clq_status rc;

	if ((rc = find_one(req, id, false, found)) != CLQ_OK)
		return rc;
	if (found->n > before)
		return trim(req, "id", clq_json_new_str(id), CLQ_OP_EQ);
	return had ? attachment_links_take_all(req, "record_uri", record_uri,
	    found) : CLQ_OK;
}

/* ---- many --------------------------------------------------------------- */

/* Called for each link; true: take it. */
typedef bool link_wanted_f(void *ctx, const cJSON *link);

struct walk {
	struct clq_request	*req;
	struct clq_str		 low;		/* ids from here */
	struct clq_str		 high;		/* to before here */
	const char		*field;		/* has this value; NULL: any */
	struct clq_str		 uri;
	link_wanted_f		*wanted;	/* NULL: all */
	void			*ctx;
	struct clq_strs		*found;
};

/* One page of links after the id (absent: from the beginning). */
static enum clq_status
next_page(const struct walk *w, struct clq_str after, struct clq_page *page)
{
	struct clq_arena *arena = clq_request_arena(w->req);
	struct clq_filter filters[] = {
		{ CLQ_STR("id"), CLQ_OP_MIN, clq_json_own(arena,
		    clq_json_new_str(w->low)) },
		{ CLQ_STR("id"), CLQ_OP_LT, clq_json_own(arena,
		    clq_json_new_str(w->high)) },
		{ clq_str_of(w->field != NULL ? w->field : ""), CLQ_OP_EQ,
		    clq_json_own(arena, clq_json_new_str(w->uri)) },
	};
	const cJSON *const from[] = { clq_json_own(arena,
		clq_json_new_str(after)), NULL };
	struct clq_query q = {
		.coll = LINKS, .filters = filters,
		.nfilters = w->field != NULL ? 3 : 2,
		.sorts = by_id, .nsorts = CLQ_COUNT(by_id), .limit = PAGE,
		.after = after.p != NULL ? from : NULL,
	};
	const struct clq_storage_ops *storage;
	void *self;

	if ((storage = clq_storage(w->req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	return storage->list(self, arena, &q, page);
}

/* Take what is wanted of a page, and remove those links. */
static enum clq_status
take_page(const struct walk *w, const struct clq_page *page)
{
	struct clq_arena *arena = clq_request_arena(w->req);
	cJSON *ids = cJSON_CreateArray(), *tree;
	enum clq_status rc = CLQ_OK;
	size_t n = 0;

	for (size_t i = 0; i < page->n && rc == CLQ_OK; i++) {
		rc = clq_object_tree(arena, &page->objects[i], &tree);
		if (rc != CLQ_OK || (w->wanted != NULL &&
		    !w->wanted(w->ctx, tree)))
			continue;
		take_location(arena, tree, w->found);
		cJSON_AddItemToArray(ids, clq_json_new_str(
		    page->objects[i].id));
		n++;
	}
	if (rc == CLQ_OK && n > 0)
		return trim(w->req, "id", ids, CLQ_OP_IN);
	cJSON_Delete(ids);
	return rc;
}

static enum clq_status
walk(const struct walk *w)
{
	struct clq_page page;
	struct clq_str after = { NULL, 0 };
	enum clq_status rc;

	do {
		page = (struct clq_page){ NULL, 0 };
		if ((rc = next_page(w, after, &page)) != CLQ_OK ||
		    (rc = take_page(w, &page)) != CLQ_OK)
			return rc;
		if (page.n > 0)
			after = page.objects[page.n - 1].id;
	} while (page.n == PAGE);
	return CLQ_OK;
}

/* Those of ours with the prefix (absent: none), then those made before. */
static enum clq_status
walk_all(struct walk *w, struct clq_str prefix)
{
	enum clq_status rc = CLQ_OK;

	if (prefix.p != NULL) {
		w->low = prefix;
		w->high = clq_arena_printf(clq_request_arena(w->req), "%.*s~",
		    CLQ_FMT(prefix));
		rc = walk(w);
	}
	w->low = CLQ_STR("");
	w->high = CLQ_STR(OURS);
	return rc == CLQ_OK ? walk(w) : rc;
}

enum clq_status
attachment_links_take_all(struct clq_request *req, const char *field,
    struct clq_str uri, struct clq_strs *found)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct walk w = { .req = req, .field = field, .uri = uri,
		.found = found };
	struct clq_str prefix = { NULL, 0 };

	if (strcmp(field, "bucket_uri") == 0)
		prefix = bucket_prefix(arena, uri);
	else if (strcmp(field, "collection_uri") == 0)
		prefix = collection_prefix(arena, uri);
	return walk_all(&w, prefix);
}

struct uris {
	struct clq_str	*items;		/* sorted */
	size_t		 n;
	bool		*linked;	/* of locations; or NULL */
};

static int
compare(const void *a, const void *b)
{
	return clq_str_cmp(*(const struct clq_str *)a,
	    *(const struct clq_str *)b);
}

static bool
among(void *ctx, const cJSON *link)
{
	const struct uris *u = ctx;
	struct clq_str uri = clq_json_str(clq_json_get(link, "record_uri"));

	return uri.p != NULL && bsearch(&uri, u->items, u->n,
	    sizeof *u->items, compare) != NULL;
}

enum clq_status
attachment_links_take_records(struct clq_request *req,
    struct clq_str collection, const struct clq_change *changes, size_t n,
    struct clq_strs *found)
{
	struct uris u = { clq_arena_calloc(clq_request_arena(req), n,
	    sizeof *u.items), n, NULL };
	struct walk w = { .req = req, .field = "collection_uri",
		.uri = collection, .wanted = among, .ctx = &u,
		.found = found };
	enum clq_status rc = CLQ_OK;

	if (n <= FEW) {
		for (size_t i = 0; i < n && rc == CLQ_OK; i++)
			rc = attachment_links_take_record(req, changes[i].uri,
			    attachment_in(changes[i].old), found);
		return rc;
	}
	for (size_t i = 0; i < n; i++)
		u.items[i] = changes[i].uri;
	qsort(u.items, n, sizeof *u.items, compare);
	return walk_all(&w, collection_prefix(clq_request_arena(req),
	    collection));
}

/* Not to be taken; noted in ctx, a bool for each location. */
static bool
note(void *ctx, const cJSON *link)
{
	struct uris *u = ctx;
	struct clq_str location = clq_json_str(clq_json_get(link,
	    "location")), *hit;

	hit = location.p == NULL ? NULL : bsearch(&location, u->items, u->n,
	    sizeof *u->items, compare);
	if (hit != NULL)
		u->linked[hit - u->items] = true;
	return false;
}

enum clq_status
attachment_links_keep_unlinked(struct clq_request *req,
    struct clq_strs *locations)
{
	struct uris u = { locations->items, locations->n, clq_arena_calloc(
	    clq_request_arena(req), locations->n + 1, sizeof *u.linked) };
	struct walk w = { .req = req, .low = CLQ_STR(""),
		.high = CLQ_STR("~"), .wanted = note, .ctx = &u };
	enum clq_status rc;
	size_t n = 0;

	if (u.n == 0)
		return CLQ_OK;
	qsort(u.items, u.n, sizeof *u.items, compare);
	if ((rc = walk(&w)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < u.n; i++)
		if (!u.linked[i])
			locations->items[n++] = u.items[i];
	locations->n = n;
	return CLQ_OK;
}

/* ---- one more ----------------------------------------------------------- */

enum clq_status
attachment_link_add(struct clq_request *req, struct clq_str record_uri,
    struct clq_str location)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str collection = attachment_collection_uri(req);
	struct clq_write *w = clq_arena_alloc(arena, sizeof *w);
	cJSON *link = clq_json_own(arena, cJSON_CreateObject());
	const struct clq_storage_ops *storage;
	void *self;

	clq_json_set(link, "location", clq_json_new_str(location));
	clq_json_set(link, "bucket_uri", clq_json_new_str(ancestor(
	    collection, 1)));
	clq_json_set(link, "collection_uri", clq_json_new_str(collection));
	clq_json_set(link, "record_uri", clq_json_new_str(record_uri));
	*w = (struct clq_write){
		.op = CLQ_WRITE_UPDATE, .coll = LINKS,
		.id = link_id(arena, record_uri),
		.data = clq_json_stored(arena, link),
	};
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	return storage->write(self, w, 1);
}

bool
attachment_link_committed(struct clq_request *req, struct clq_str record_uri,
    struct clq_str location, bool *linked)
{
	struct clq_strs found = { NULL, 0, 0 };

	if (find_one(req, link_id(clq_request_arena(req), record_uri), true,
	    &found) != CLQ_OK)
		return false;
	*linked = clq_strs_has(found, location);
	return true;
}
