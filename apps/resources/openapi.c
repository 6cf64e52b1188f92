/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a JSON Schema says of attributes, for OpenAPI: the keywords that a
 * Schema Object of version 2.0 has too. What only JSON Schema knows (references,
 * alternatives, conditions) is left out: a description may say less than is
 * checked, never something else.
 */
#include "resources.h"

static cJSON *describe(const cJSON *schema, int depth);

enum { DEPTH_MAX = 20 };

/* A copy of the keywords that mean the same in both. */
static void
copy_plain(const cJSON *from, cJSON *to)
{
	static const char *const same[] = {
		"title", "description", "format", "multipleOf", "maximum",
		"minimum", "maxLength", "minLength", "pattern", "maxItems",
		"minItems", "uniqueItems", "enum", "required"
	};
	const cJSON *value;

	for (size_t i = 0; i < CLQ_COUNT(same); i++) {
		value = clq_json_get(from, same[i]);
		/* Newer drafts have empty lists where OpenAPI has none. */
		if (value != NULL && !(cJSON_IsArray(value) &&
		    value->child == NULL))
			clq_json_set(to, same[i], cJSON_Duplicate(value, true));
	}
	value = clq_json_get(from, "type");	/* there are no lists of types */
	if (cJSON_IsString(value) && strcmp(value->valuestring, "null") != 0)
		clq_json_set(to, "type", cJSON_Duplicate(value, true));
}

static cJSON *
describe_all(const cJSON *properties, int depth)
{
	cJSON *all = cJSON_CreateObject();
	const cJSON *p;

	cJSON_ArrayForEach(p, properties)
		clq_json_set(all, p->string, describe(p, depth + 1));
	return all;
}

static cJSON *
describe(const cJSON *schema, int depth)
{
	const cJSON *items = clq_json_get(schema, "items");
	const cJSON *properties = clq_json_get(schema, "properties");
	cJSON *to = cJSON_CreateObject();

	if (!cJSON_IsObject(schema) || depth > DEPTH_MAX)
		return to;		/* anything */
	copy_plain(schema, to);
	if (cJSON_IsObject(properties))
		clq_json_set(to, "properties", describe_all(properties,
		    depth));
	if (cJSON_IsObject(items))
		clq_json_set(to, "items", describe(items, depth + 1));
	else if (clq_str_is(clq_json_str(clq_json_get(to, "type")), "array"))
		clq_json_set(to, "items", cJSON_CreateObject());
	return to;
}

/* Attributes of which `fields` says something are core's to describe. */
const char *
ini_describe(struct ini *ini, const struct ini_resource *r,
    const cJSON *schema)
{
	cJSON *to = clq_json_own(ini->arena, cJSON_CreateObject());
	cJSON *properties = cJSON_CreateObject();
	const struct clq_field *f;
	const cJSON *p;

	clq_json_set(to, "properties", properties);
	cJSON_ArrayForEach(p, clq_json_get(schema, "properties")) {
		f = ini_find_field(r, clq_str_of(p->string));
		if (f != NULL && f->type == CLQ_FIELD_ANY && cJSON_IsObject(p))
			clq_json_set(properties, p->string, describe(p, 0));
	}
	return clq_arena_cstr(ini->arena, clq_json_text(ini->arena, to));
}
