/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a request: JSON, envelope, permissions (sections 01-4, 03-2).
 *
 * The body is parsed before authorization, because `data.id` of a POST takes
 * part in it; but what is wrong with it is said only afterwards, together with
 * wrong headers and parameters (section 01-2).
 */
#include "resource_impl.h"

#include <cliquet/str.h>

#include "cors.h"
#include "negotiation.h"

enum { MAX_PRINCIPALS = 2000 };	/* in one request, all permissions */

static const struct clq_str whole = { "", 0 };	/* the name of the body */

static bool
blank(struct clq_str s)
{
	return clq_str_trim(s).len == 0;
}

void
clq_checks_begin(struct clq_request *req)
{
	enum clq_status rc = clq_cors_check(req);

	(void)rc;		/* collected; clq_checks_end() tells */
}

enum clq_status
clq_checks_end(struct clq_request *req)
{
	return req->error.errno_ != 0 ? CLQ_INVALID : CLQ_OK;
}

void
clq_data_split(struct clq_arena *arena, cJSON *data, const cJSON **id,
    const cJSON **last_modified)
{
	cJSON *item;

	*id = *last_modified = NULL;
	if ((item = clq_json_get(data, "id")) != NULL)
		*id = clq_json_own(arena, cJSON_DetachItemViaPointer(data,
		    item));
	if ((item = clq_json_get(data, "last_modified")) != NULL)
		*last_modified = clq_json_own(arena,
		    cJSON_DetachItemViaPointer(data, item));
}

void
clq_body_read(struct clq_request *req, struct clq_body *out)
{
	struct clq_str body = clq_request_body(req), why;
	cJSON *data;

	memset(out, 0, sizeof *out);
	if (blank(body))
		body = CLQ_STR("{}");
	/* parsed for this run alone: parts of it are changed in place */
	if (clq_json_parse(req->arena, body, &out->tree, &why) != CLQ_OK)
		return;
	data = clq_json_get(out->tree, "data");
	if (cJSON_IsObject(data)) {
		out->data = data;
		clq_data_split(req->arena, data, &out->id,
		    &out->last_modified);
	}
	if (cJSON_IsObject(clq_json_get(out->tree, "permissions")))
		out->permissions = clq_json_get(out->tree, "permissions");
}

void
clq_not_mapping(struct clq_request *req, struct clq_str name,
    const cJSON *value)
{
	struct clq_str shown = clq_schema_shown(req->arena, value);

	(void)clq_invalid(req, "body", name, "\"%.*s\" is not a mapping type: "
	    "Does not implement dict-like functionality.", CLQ_FMT(shown));
}

void
clq_not_iterable(struct clq_request *req, struct clq_str name,
    const cJSON *value)
{
	struct clq_str shown = clq_schema_shown(req->arena, value);

	(void)clq_invalid(req, "body", name, "\"%.*s\" is not iterable",
	    CLQ_FMT(shown));
}

void
clq_not_string(struct clq_request *req, struct clq_str name, const char *key,
    const cJSON *value)
{
	struct clq_str shown = clq_schema_shown(req->arena, value);

	(void)clq_invalid(req, "body", name, "%.*s is not a string: "
	    "{'%s': ''}", CLQ_FMT(shown), key);
}

void
clq_body_keys(struct clq_request *req, struct clq_str name,
    const cJSON *object, const char *const *known)
{
	cJSON *extra = clq_json_own(req->arena, cJSON_CreateObject());
	struct clq_str shown;
	const cJSON *item;
	size_t i;

	cJSON_ArrayForEach(item, object) {
		for (i = 0; known[i] != NULL; i++)
			if (strcmp(item->string, known[i]) == 0)
				break;
		if (known[i] == NULL)
			cJSON_AddItemToObject(extra, item->string,
			    cJSON_Duplicate(item, true));
	}
	if (extra->child == NULL)
		return;
	shown = clq_schema_shown(req->arena, extra);
	(void)clq_invalid(req, "body", name,
	    "Unrecognized keys in mapping: \"%.*s\"", CLQ_FMT(shown));
}

/* ---- permissions ------------------------------------------------------- */

static bool
known_permission(const struct clq_resource_entry *entry, const char *name)
{
	for (size_t i = 0; entry->permissions[i] != NULL; i++)
		if (strcmp(entry->permissions[i], name) == 0)
			return true;
	return false;
}

static void
unknown_permission(struct clq_request *req,
    const struct clq_resource_entry *entry, const char *permission)
{
	struct clq_str name = clq_str_sub(clq_str_of(permission), 0, 200);
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 64);
	for (size_t i = 0; entry->permissions[i] != NULL; i++) {
		if (i > 0)
			clq_buf_adds(&b, ", ");
		clq_buf_adds(&b, entry->permissions[i]);
	}
	(void)clq_invalid(req, "body", CLQ_STR("permissions"),
	    "\"%.*s\" is not one of %.*s", CLQ_FMT(name),
	    CLQ_FMT(clq_buf_str(&b)));
}

static void
check_principal(struct clq_request *req, const char *permission, int i,
    const cJSON *item)
{
	struct clq_str name = clq_arena_printf(req->arena,
	    "permissions.%s.%d", permission, i);

	if (!cJSON_IsString(item)) {
		clq_not_string(req, name, permission, item);
	} else if (item->valuestring[0] == '\0') {
		(void)clq_invalid(req, "body", name, "Required");
	} else if (strlen(item->valuestring) > CLQ_MAX_PRINCIPAL) {
		(void)clq_invalid(req, "body", name, "Longer than maximum "
		    "length %d", CLQ_MAX_PRINCIPAL);
	}
}

static void
check_permissions(struct clq_request *req,
    const struct clq_resource_entry *entry, const cJSON *permissions)
{
	const cJSON *item, *principal;
	int total = 0, i;

	cJSON_ArrayForEach(item, permissions) {
		if (!known_permission(entry, item->string)) {
			unknown_permission(req, entry, item->string);
			continue;
		}
		if (cJSON_IsNull(item))
			continue;
		if (!cJSON_IsArray(item)) {
			clq_not_iterable(req, clq_arena_printf(req->arena,
			    "permissions.%s", item->string), item);
			continue;
		}
		i = 0;
		cJSON_ArrayForEach(principal, item) {
			if (total++ == MAX_PRINCIPALS) {
				(void)clq_invalid(req, "body",
				    CLQ_STR("permissions"), "There may be at "
				    "most %d principals", MAX_PRINCIPALS);
				return;
			}
			check_principal(req, item->string, i++, principal);
		}
	}
}

void
clq_acl_check(struct clq_request *req, const struct clq_resource_entry *entry,
    const struct clq_acl *acl)
{
	for (size_t i = 0; i < acl->n; i++) {
		const struct clq_ace *ace = &acl->aces[i];
		const char *name = clq_arena_cstr(req->arena, ace->permission);

		if (!known_permission(entry, name))
			unknown_permission(req, entry, name);
		for (size_t j = 0; j < ace->principals.n; j++)
			if (ace->principals.items[j].len == 0 ||
			    ace->principals.items[j].len > CLQ_MAX_PRINCIPAL)
				(void)clq_invalid(req, "body",
				    clq_arena_printf(req->arena,
				    "permissions.%s", name), "A principal has "
				    "1 to %d bytes", CLQ_MAX_PRINCIPAL);
	}
}

/* ---- the envelope ------------------------------------------------------ */

/* Not JSON, or no envelope at all; said. */
static bool
check_form(struct clq_request *req, enum clq_patch_kind kind,
    struct clq_body *body)
{
	cJSON *tree;

	if (clq_request_json(req, &tree) != CLQ_OK) {
		(void)clq_invalid(req, "body", whole, "Required");
		return false;
	}
	if (kind == CLQ_PATCH_JSON) {
		if (!cJSON_IsArray(body->tree))
			clq_not_iterable(req, whole, body->tree);
		else
			clq_patch_json_check(req, body->tree);
		return false;
	}
	if (cJSON_IsObject(body->tree))
		return true;
	clq_not_mapping(req, whole, body->tree);
	return false;
}

void
clq_body_check(struct clq_request *req,
    const struct clq_resource_entry *entry, enum clq_patch_kind kind,
    struct clq_body *body)
{
	bool user = (entry->decl->flags & CLQ_RESOURCE_USER) != 0;
	const char *const known[] = { "data", user ? NULL : "permissions",
		NULL };
	const cJSON *data, *permissions;

	if (!check_form(req, kind, body))
		return;
	data = clq_json_get(body->tree, "data");
	permissions = clq_json_get(body->tree, "permissions");
	clq_body_keys(req, whole, body->tree, known);
	if (data != NULL && !cJSON_IsObject(data))
		clq_not_mapping(req, CLQ_STR("data"), data);
	if (body->permissions != NULL)
		check_permissions(req, entry, body->permissions);
	else if (permissions != NULL)
		clq_not_mapping(req, CLQ_STR("permissions"), permissions);
}

void
clq_body_ignore(struct clq_request *req)
{
	struct clq_str type = clq_media_type(clq_request_header(req,
	    "Content-Type"));
	cJSON *tree;
	enum clq_status rc;

	if (blank(clq_request_body(req)) || (type.len > 0 &&
	    !clq_str_caseis(type, "application/json")))
		return;
	rc = clq_request_json(req, &tree);	/* collects what is wrong */
	(void)rc;
}

enum clq_status
clq_body_same_id(struct clq_request *req, const cJSON *id,
    struct clq_str wanted)
{
	if (id == NULL || (cJSON_IsString(id) &&
	    clq_str_eq(clq_json_str(id), wanted)))
		return CLQ_OK;
	return clq_invalid(req, "body", CLQ_STR("id"),
	    "Object id does not match existing object");
}

void
clq_body_acl(struct clq_arena *arena, const struct clq_body *body,
    bool nulls, struct clq_acl *out)
{
	const cJSON *item, *principal;

	memset(out, 0, sizeof *out);
	cJSON_ArrayForEach(item, body->permissions) {
		struct clq_strs principals = { NULL, 0, 0 };

		if (!cJSON_IsArray(item) && !nulls)
			continue;
		cJSON_ArrayForEach(principal, item)
			if (!clq_strs_has(principals,
			    clq_json_str(principal)))
				clq_strs_add(arena, &principals,
				    clq_json_str(principal));
		clq_acl_set(arena, out, clq_str_of(item->string), principals);
	}
}

bool
clq_body_timestamp(const cJSON *sent, const struct clq_object *existing,
    clq_msec *out)
{
	int64_t n;

	if (sent == NULL || !clq_json_int(sent, &n) ||
	    n < CLQ_MIN_TIMESTAMP || n > CLQ_MAX_TIMESTAMP ||
	    (existing != NULL && n <= existing->last_modified))
		return false;
	*out = n;
	return true;
}

enum clq_patch_kind
clq_patch_kind_of(struct clq_request *req)
{
	struct clq_str type = clq_media_type(clq_request_header(req,
	    "Content-Type"));

	if (clq_str_caseis(type, "application/merge-patch+json"))
		return CLQ_PATCH_MERGE;
	if (clq_str_caseis(type, "application/json-patch+json"))
		return CLQ_PATCH_JSON;
	return CLQ_PATCH_PLAIN;
}
