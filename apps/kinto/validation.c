/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON schemas: those that are stored are checked always (section 08-2), those
 * that are there are applied if the operator wants it (section 08-6).
 *
 * Records obey the `schema` of their collection, then the `record:schema` of
 * the bucket; collections and groups the bucket's schemas for them. Attributes
 * that the server sets are left out on both sides. Runs in hooks of writing
 * requests, before anything is stored.
 */
#include "kinto.h"

#include <cliquet/str.h>

#include "schema_cache.h"

static const char setting[] = "experimental_collection_schema_validation";

bool
kinto_validates(struct clq_server *srv)
{
	return clq_settings_bool(clq_server_settings(srv), setting, false);
}

/* ---- schemas on their way into storage --------------------------------- */

/* The last part of a JSON pointer. */
static struct clq_str
last_part(struct clq_str pointer)
{
	size_t from = pointer.len;

	while (from > 0 && pointer.p[from - 1] != '/')
		from--;
	return clq_str_sub(pointer, from, pointer.len);
}

enum clq_status
kinto_check_schema(struct clq_request *req, const struct clq_draft *draft,
    const char *attribute)
{
	const cJSON *value = clq_json_get(draft->data, attribute);
	struct clq_arena *arena = clq_request_arena(req);
	struct js_schema *schema = NULL;
	struct clq_str shown;
	struct js_error e;

	if (value == NULL)
		return CLQ_OK;
	if (!cJSON_IsObject(value)) {
		shown = kinto_shown(arena, value);
		return kinto_refuse(req, draft, attribute, "\"%.*s\" is not "
		    "a mapping type: Does not implement dict-like "
		    "functionality.", CLQ_FMT(shown));
	}
	if (js_validate(js_metaschema(JS_DRAFT_7), value, arena, &e) !=
	    JS_VALID) {
		shown = last_part(e.path);
		return kinto_refuse(req, draft, attribute, "%.*s%.*s",
		    CLQ_FMT(shown), CLQ_FMT(e.message));
	}
	if (js_compile(value, JS_DRAFT_NEWEST, arena, &schema, &e) != CLQ_OK)
		return kinto_refuse(req, draft, attribute, "%.*s%.*s",
		    CLQ_FMT(e.name), CLQ_FMT(e.message));
	js_schema_free(&schema);
	return CLQ_OK;
}

/* ---- documents that schemas are about ---------------------------------- */

static enum clq_status
refuse(struct clq_request *req, const struct js_error *e)
{
	int64_t index;

	if (e->name_is_index && clq_str_int(e->name, &index))
		return clq_invalid_index(req, "body", index, "%.*s",
		    CLQ_FMT(e->message));
	return clq_invalid(req, "body", e->name, "%.*s", CLQ_FMT(e->message));
}

/*
 * Validate without the ignored members, which come back at the end of the
 * document, and with the id if the schema mentions it and the client sent one.
 */
static enum clq_status
validate(struct clq_request *req, struct clq_draft *draft,
    const struct kinto_schema *schema, const char *const *ignored)
{
	cJSON *aside = cJSON_CreateArray(), *item;
	enum js_result result;
	struct js_error e;

	for (; *ignored != NULL; ignored++) {
		item = clq_json_get(draft->data, *ignored);
		if (item != NULL)
			cJSON_AddItemToArray(aside,
			    cJSON_DetachItemViaPointer(draft->data, item));
	}
	if (schema->uses_id && draft->id_sent)
		clq_json_set(draft->data, "id", clq_json_new_str(draft->id));
	result = js_validate(schema->schema, draft->data,
	    clq_request_arena(req), &e);
	clq_json_remove(draft->data, "id");
	while ((item = aside->child) != NULL) {
		item = cJSON_DetachItemViaPointer(aside, item);
		clq_json_set(draft->data, item->string, item);
	}
	cJSON_Delete(aside);
	return result == JS_VALID ? CLQ_OK : refuse(req, &e);
}

/* found: out, whether there is a schema. */
static enum clq_status
apply(struct clq_request *req, struct clq_draft *draft,
    const struct kinto_schema_at *at, bool *found)
{
	const struct kinto_schema *schema;
	enum clq_status rc;

	rc = kinto_schema_get(clq_request_arena(req), at, &schema);
	if (rc != CLQ_OK)
		return rc;
	*found = schema != NULL;
	if (schema == NULL)
		return CLQ_OK;
	if (schema->schema == NULL)
		return clq_invalid(req, "body", CLQ_STR("schema"), "%.*s",
		    CLQ_FMT(schema->why));
	return validate(req, draft, schema, at->ignored);
}

/* "/buckets/b/collections/c" -> "/buckets/b". */
static struct clq_str
bucket_of(struct clq_str uri)
{
	return clq_str_sub(uri, 0, clq_str_find(uri, '/',
	    strlen("/buckets/")));
}

/* The bucket above the draft; 404 if it is missing (section 08-5). */
static enum clq_status
find_bucket(struct clq_request *req, struct clq_str uri,
    struct clq_want *want)
{
	const struct clq_storage_ops *storage;
	struct clq_lookup l = {
		.arena = clq_request_arena(req), .wants = want, .nwants = 1,
	};
	enum clq_status rc;
	cJSON *details;
	void *self;

	*want = (struct clq_want){
		.coll = { CLQ_STR("bucket"), CLQ_STR("") },
		.id = clq_str_sub(uri, strlen("/buckets/"), uri.len),
		.shared = true,
	};
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->lookup(self, &l)) != CLQ_OK || want->found)
		return rc;
	rc = clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, "%s", "");
	details = clq_json_own(l.arena, cJSON_CreateObject());
	clq_json_set(details, "id", clq_json_new_str(want->id));
	clq_json_set(details, "resource_name",
	    clq_json_new_str(want->coll.resource));
	clq_fail_details(req, details);
	return rc;
}

/* The bucket's schema for this kind of objects. */
static enum clq_status
apply_bucket(struct clq_request *req, struct clq_draft *draft,
    const char *attribute, const char *const *ignored)
{
	struct kinto_schema_at at = {
		.uri = bucket_of(draft->parent_id), .attribute = attribute,
		.ignored = ignored,
	};
	struct clq_want want;
	enum clq_status rc;
	bool found;

	if ((rc = find_bucket(req, at.uri, &want)) != CLQ_OK)
		return rc;
	at.holder = &want.object;
	return apply(req, draft, &at, &found);
}

enum clq_status
kinto_validate(struct clq_request *req, struct clq_draft *draft,
    const char *attribute)
{
	static const char *const ignored[] = { "last_modified", NULL };

	if (draft->implicit || !kinto_validates(clq_request_server(req)))
		return CLQ_OK;
	return apply_bucket(req, draft, attribute, ignored);
}

enum clq_status
kinto_validate_record(struct clq_request *req, struct clq_draft *draft)
{
	static const char *const ignored[] = {
		"last_modified", "schema", NULL
	};
	struct kinto_schema_at at = {
		.uri = draft->parent_id, .holder = draft->parent,
		.attribute = "schema", .ignored = ignored,
	};
	enum clq_status rc;
	bool found;

	if (draft->implicit || !kinto_validates(clq_request_server(req)))
		return CLQ_OK;
	if ((rc = apply(req, draft, &at, &found)) != CLQ_OK)
		return rc;
	if (found)
		clq_json_set(draft->data, "schema",
		    clq_json_new_int(draft->parent_modified));
	return apply_bucket(req, draft, "record:schema", ignored);
}
