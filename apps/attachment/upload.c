/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST and DELETE of a record's attachment (section 08-11).
 *
 * The caller's right is looked at first, then the file is read and made
 * durable, while no transaction is held that others would wait for; then one
 * transaction patches or creates the record, as a request of its own would,
 * and notes the link. Without a commit the file is taken away with the request;
 * what it replaces is removed only after one. A run that lost a race finds the
 * file as it was.
 */
#include "attachment.h"

struct upload {
	struct attachment_form	 form;
	struct clq_str		 record_uri;
	struct clq_str		 collection;
	const struct clq_object	*old;		/* the record, or NULL */
};

static const char upload_key;
static const char own_change_key;

enum clq_status
attachment_refuse(struct clq_request *req, int errno_, const char *message)
{
	enum clq_status rc = clq_fail(req, errno_, "%s", message);

	clq_fail_as(req, 400, "Bad Request");
	return rc;
}

struct clq_str
attachment_collection_uri(struct clq_request *req)
{
	struct clq_str bucket = clq_request_var(req, "bucket_id");
	struct clq_str collection = clq_request_var(req, "collection_id");

	return clq_arena_printf(clq_request_arena(req),
	    "/buckets/%.*s/collections/%.*s", CLQ_FMT(bucket),
	    CLQ_FMT(collection));
}

static struct clq_str
record_uri(struct clq_request *req)
{
	struct clq_str collection = attachment_collection_uri(req);
	struct clq_str id = clq_request_var(req, "id");

	return clq_arena_printf(clq_request_arena(req), "%.*s/records/%.*s",
	    CLQ_FMT(collection), CLQ_FMT(id));
}

bool
attachment_own_change(const struct clq_request *req)
{
	return clq_request_kept(req, &own_change_key) != NULL;
}

static void
set_own_change(struct clq_request *req, bool own)
{
	static char yes;

	clq_request_keep(req, &own_change_key, own ? &yes : NULL);
}

/* Change the record as the client himself would. */
static enum clq_status
change_record(struct clq_request *req, struct clq_str uri, bool exists,
    cJSON *body)
{
	enum clq_status rc;

	set_own_change(req, true);
	rc = clq_request_inner(req, exists ? CLQ_METHOD_PATCH :
	    CLQ_METHOD_PUT, uri, clq_json_text(clq_request_arena(req), body));
	set_own_change(req, false);
	return rc;
}

/* ---- POST --------------------------------------------------------------- */

static bool
randomized(struct clq_request *req, struct clq_str collection)
{
	struct clq_str asked = clq_request_param(req, "randomize");

	if (asked.p != NULL)
		return !clq_str_caseis(asked, "false") &&
		    !clq_str_is(asked, "0");
	return attachment_flag(req, collection, "randomize", true);
}

/* {"filename": ..., "location": ..., "hash": ..., ...} */
static cJSON *
describe(struct clq_request *req, const struct attachment_form *form)
{
	cJSON *a = cJSON_CreateObject();

	clq_json_set(a, "filename", clq_json_new_str(form->filename));
	clq_json_set(a, "location", clq_json_new_str(attachment_url(req,
	    form->file.location)));
	clq_json_set(a, "hash", clq_json_new_str(form->hash));
	clq_json_set(a, "mimetype", clq_json_new_str(form->type));
	clq_json_set(a, "size", clq_json_new_int((int64_t)form->size));
	return a;
}

static cJSON *
body_of(struct clq_request *req, const struct upload *u, cJSON *attachment)
{
	struct clq_arena *arena = clq_request_arena(req);
	cJSON *body = clq_json_own(arena, cJSON_CreateObject());
	cJSON *data = u->form.data != NULL ?
	    cJSON_Duplicate(u->form.data, true) : cJSON_CreateObject();

	clq_json_set(data, "attachment", cJSON_Duplicate(attachment, true));
	clq_json_set(body, "data", data);
	if (u->form.permissions != NULL)
		clq_json_set(body, "permissions",
		    cJSON_Duplicate(u->form.permissions, true));
	return body;
}

/* It is known whether the record is stored; if it is, its file stays. */
static void
settle_file(struct clq_request *req, enum clq_tx_end end, void *ctx)
{
	struct upload *u = ctx;
	bool linked = true;

	u->form.file.in_doubt = end == CLQ_TX_UNKNOWN &&
	    !attachment_link_committed(req, u->record_uri,
	    u->form.file.location, &linked);
	if (u->form.file.in_doubt)
		clq_log_err("attachment %.*s stays for now: whether its record "
		    "was stored is not known", CLQ_FMT(u->form.file.location));
	u->form.file.kept = end != CLQ_TX_UNDONE && linked;
}

/* Give the file its name, outside of the transaction: this takes time. */
static enum clq_status
publish(struct clq_request *req, struct upload *u)
{
	struct clq_str folder = attachment_folder(req);

	if (folder.p == NULL) {
		clq_log_err("attachment.folder: what it gives for %.*s is no "
		    "folder", CLQ_FMT(u->record_uri));
		return CLQ_FAILED;
	}
	if (!attachment_file_publish(&u->form.file, folder, u->form.filename,
	    randomized(req, u->collection)))
		return clq_fail(req, CLQ_ERRNO_BACKEND,
		    "The file could not be stored.");
	return CLQ_OK;
}

/* The form; read once, however often the request is run. */
static enum clq_status
read_once(struct clq_request *req, struct upload **out)
{
	struct upload *u = clq_request_kept(req, &upload_key);
	enum clq_status rc;

	if (u == NULL) {
		u = clq_arena_alloc(clq_request_arena(req), sizeof *u);
		u->form.file.fd = -1;
		u->record_uri = record_uri(req);
		u->collection = attachment_collection_uri(req);
		attachment_sweep(req);
		if ((rc = attachment_form_read(req, u->collection,
		    &u->form)) != CLQ_OK || (rc = publish(req, u)) != CLQ_OK)
			return rc;
		clq_request_keep(req, &upload_key, u);
	}
	*out = u;
	return CLQ_OK;
}

static enum clq_status
access(struct clq_request *req, const struct clq_object **old)
{
	return clq_object_access(req, "record",
	    attachment_collection_uri(req), clq_request_var(req, "id"), old);
}

/* In the transaction, all that is to be written. */
static enum clq_status
store(struct clq_request *req, struct upload *u)
{
	struct clq_strs replaced = { NULL, 0, 0 };
	cJSON *attachment;
	enum clq_status rc;

	clq_tx_then(req, settle_file, u);
	attachment = clq_json_own(clq_request_arena(req),
	    describe(req, &u->form));
	if ((rc = change_record(req, u->record_uri, u->old != NULL,
	    body_of(req, u, attachment))) != CLQ_OK ||
	    (rc = attachment_links_take_record(req, u->record_uri,
	    attachment_in(u->old), &replaced)) != CLQ_OK ||
	    (rc = attachment_link_add(req, u->record_uri,
	    u->form.file.location)) != CLQ_OK)
		return rc;
	if (!attachment_flag(req, u->collection, "keep_old_files", false))
		attachment_remove_later(req, &replaced);
	clq_set_header(req, "Location", attachment_service_url(req,
	    u->record_uri));
	return clq_reply_json(req, 200, attachment);
}

enum clq_status
attachment_upload_view(struct clq_request *req, void *ctx)
{
	const struct clq_object *old;
	struct upload *u;
	enum clq_status rc;

	(void)ctx;
	if ((rc = access(req, &old)) != CLQ_OK ||	/* 401 403 404 400 */
	    (rc = read_once(req, &u)) != CLQ_OK ||	/* 400 413 503 */
	    (rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = access(req, &u->old)) != CLQ_OK)	/* since then? */
		return rc;
	return store(req, u);
}

/* ---- DELETE ------------------------------------------------------------- */

enum clq_status
attachment_delete_view(struct clq_request *req, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str uri = record_uri(req);
	struct clq_strs found = { NULL, 0, 0 };
	cJSON *body = clq_json_own(arena, cJSON_CreateObject());
	cJSON *data = cJSON_CreateObject();
	const struct clq_object *old;
	enum clq_status rc;

	(void)ctx;
	clq_json_set(body, "data", data);
	clq_json_set(data, "attachment", cJSON_CreateNull());
	if ((rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = access(req, &old)) != CLQ_OK)		/* 401 403 404 400 */
		return rc;
	if (old == NULL)
		return clq_fail(req, CLQ_ERRNO_INVALID_RESOURCE_ID, NULL);
	if ((rc = change_record(req, uri, true, body)) != CLQ_OK ||
	    (rc = attachment_links_take_record(req, uri, attachment_in(old),
	    &found)) != CLQ_OK)
		return rc;
	if (!attachment_flag(req, attachment_collection_uri(req),
	    "keep_old_files", false))
		attachment_remove_later(req, &found);
	return clq_reply_raw(req, 204, NULL, CLQ_STR(""));
}
