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
		"title", "description", "default", "format", "multipleOf",
		"maximum", "minimum", "maxLength", "minLength", "pattern",
		"maxItems", "minItems", "uniqueItems", "enum", "required"
	};
	const cJSON *value;

	for (size_t i = 0; i < CLQ_COUNT(same); i++)
		if ((value = clq_json_get(from, same[i])) != NULL)
			clq_json_set(to, same[i], cJSON_Duplicate(value, true));
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

const char *
ini_describe(struct ini *ini, const cJSON *schema)
{
	const cJSON *properties = clq_json_get(schema, "properties");
	cJSON *to = clq_json_own(ini->arena, cJSON_CreateObject());

	if (!cJSON_IsObject(properties))
		return NULL;
	clq_json_set(to, "properties", describe_all(properties, 0));
	clq_json_remove(clq_json_get(to, "properties"), "id");
	clq_json_remove(clq_json_get(to, "properties"), "last_modified");
	return clq_arena_cstr(ini->arena, clq_json_text(ini->arena, to));
}
