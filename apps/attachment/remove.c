/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files go with what they belong to, and only when that is gone for good
 * (section 08-11:5).
 *
 * Deletions of records, collections and buckets are looked at before the
 * commit, when all of a request is known; the files themselves are removed
 * after it. A change of the attribute by anybody but the endpoint is refused at
 * the moment of the change, so that in a batch it fails alone.
 */
#include "attachment.h"

#include <unistd.h>

struct removal {
	struct clq_strs	  locations;
	const char	**witnesses;	/* in .incoming; NULL: none */
};

static void
remove_all(struct clq_request *req, enum clq_tx_end end, void *ctx)
{
	const struct removal *r = ctx;

	if (end == CLQ_TX_UNKNOWN)
		return;		/* better a file too many; it will be swept */
	for (size_t i = 0; i < r->locations.n; i++) {
		if (end == CLQ_TX_COMMITTED)
			attachment_remove_file(req, r->locations.items[i]);
		if (r->witnesses[i] != NULL)
			(void)unlink(r->witnesses[i]);
	}
}

/* A second name for each, in case we do not live to remove it. There may be
 * none: a file that is missing, or somebody else's. */
static void
add_witnesses(struct clq_request *req, struct removal *r)
{
	bool ready = attachment_incoming_ready(req);

	for (size_t i = 0; i < r->locations.n && ready; i++) {
		struct clq_str location = r->locations.items[i];
		const char *name = attachment_incoming_name(req);

		if (attachment_location_safe(location) &&
		    link(attachment_path(req, location), name) == 0)
			r->witnesses[i] = name;
	}
	if (ready)
		(void)attachment_incoming_sync(req);
}

void
attachment_remove_later(struct clq_request *req,
    const struct clq_strs *locations)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct removal *r;

	if (locations->n == 0)
		return;
	r = clq_arena_alloc(arena, sizeof *r);
	r->locations = *locations;
	r->witnesses = clq_arena_calloc(arena, locations->n,
	    sizeof *r->witnesses);
	add_witnesses(req, r);
	clq_tx_then(req, remove_all, r);
}

/* ---- deletions ---------------------------------------------------------- */

/* Of a bucket and of what lies in it; "/buckets/b/collections/c" or less. */
static bool
kept(struct clq_request *req, struct clq_str uri)
{
	return attachment_flag(req, uri, "keep_old_files", false);
}

enum clq_status
attachment_on_delete(struct clq_request *req, const struct clq_event *event,
    void *ctx)
{
	const char *kind = event->resource->name;
	struct clq_strs found = { NULL, 0, 0 };
	struct clq_str owner = event->coll.parent;
	enum clq_status rc;

	(void)ctx;
	if (strcmp(kind, "record") == 0) {
		rc = attachment_links_take_records(req, owner, event->changes,
		    event->nchanges, &found);
		if (rc == CLQ_OK && !kept(req, owner))
			attachment_remove_later(req, &found);
		return rc;
	}
	for (size_t i = 0; i < event->nchanges; i++) {
		struct clq_str uri = event->changes[i].uri;

		found = (struct clq_strs){ NULL, 0, 0 };
		rc = attachment_links_take_all(req, strcmp(kind, "bucket") ==
		    0 ? "bucket_uri" : "collection_uri", uri, &found);
		if (rc != CLQ_OK)
			return rc;
		if (!kept(req, uri))
			attachment_remove_later(req, &found);
	}
	return CLQ_OK;
}

/* ---- changes ------------------------------------------------------------ */

/* Python's truth: something is there. */
static bool
present(const cJSON *value)
{
	return value != NULL && !cJSON_IsNull(value) &&
	    !cJSON_IsFalse(value) &&
	    !(cJSON_IsNumber(value) && value->valuedouble == 0) &&
	    !(cJSON_IsString(value) && value->valuestring[0] == '\0') &&
	    !((cJSON_IsObject(value) || cJSON_IsArray(value)) &&
	    value->child == NULL);
}

static enum clq_status
check_change(struct clq_request *req, const struct clq_change *change)
{
	struct clq_arena *arena = clq_request_arena(req);
	cJSON *before, *after;
	enum clq_status rc;

	if (!attachment_in(change->old) || !attachment_in(change->new_))
		return CLQ_OK;
	if ((rc = clq_object_tree(arena, change->old, &before)) != CLQ_OK ||
	    (rc = clq_object_tree(arena, change->new_, &after)) != CLQ_OK)
		return rc;
	before = clq_json_get(before, "attachment");
	after = clq_json_get(after, "attachment");
	if (!present(before) || !present(after) ||
	    clq_json_equal(before, after))
		return CLQ_OK;
	return attachment_refuse(req, CLQ_ERRNO_UNDEFINED,
	    "Attachment metadata cannot be modified.");
}

enum clq_status
attachment_on_update(struct clq_request *req, const struct clq_event *event,
    void *ctx)
{
	enum clq_status rc = CLQ_OK;

	(void)ctx;
	if (attachment_own_change(req))
		return CLQ_OK;
	for (size_t i = 0; i < event->nchanges && rc == CLQ_OK; i++)
		rc = check_change(req, &event->changes[i]);
	return rc;
}
