/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keywords of the drafts: one table says which exist where and what their
 * values look like. What is not in it is an annotation, and ignored.
 */
#include "impl.h"

#define D4	JS_DRAFT_4
#define D6	JS_DRAFT_6
#define D7	JS_DRAFT_7
#define D19	JS_DRAFT_2019_09
#define D20	JS_DRAFT_2020_12

/*
 * Sorted by name. `items` as an array and `additionalItems` are accepted in
 * 2020-12 too, since that is the draft of schemas that do not name theirs, and
 * such are most likely older.
 */
static const struct js_rule rules[] = {
	{ "$defs", JS_DEFINITIONS, JS_SHAPE_MAP, D4, D20 },
	{ "$dynamicRef", JS_DYNAMIC_REF, JS_SHAPE_REF, D20, D20 },
	{ "$recursiveRef", JS_RECURSIVE_REF, JS_SHAPE_REF, D19, D19 },
	{ "$ref", JS_REF, JS_SHAPE_REF, D4, D20 },
	{ "additionalItems", JS_ADDITIONAL_ITEMS, JS_SHAPE_SCHEMA, D4, D20 },
	{ "additionalProperties", JS_ADDITIONAL_PROPERTIES, JS_SHAPE_SCHEMA,
	  D4, D20 },
	{ "allOf", JS_ALL_OF, JS_SHAPE_SCHEMAS, D4, D20 },
	{ "anyOf", JS_ANY_OF, JS_SHAPE_SCHEMAS, D4, D20 },
	{ "const", JS_CONST, JS_SHAPE_ANY, D6, D20 },
	{ "contains", JS_CONTAINS, JS_SHAPE_SCHEMA, D6, D20 },
	{ "definitions", JS_DEFINITIONS, JS_SHAPE_MAP, D4, D20 },
	{ "dependencies", JS_DEPENDENCIES, JS_SHAPE_DEPENDENCIES, D4, D7 },
	{ "dependentRequired", JS_DEPENDENT_REQUIRED, JS_SHAPE_LISTS, D19,
	  D20 },
	{ "dependentSchemas", JS_DEPENDENT_SCHEMAS, JS_SHAPE_MAP, D19, D20 },
	{ "else", JS_ELSE, JS_SHAPE_SCHEMA, D7, D20 },
	{ "enum", JS_ENUM, JS_SHAPE_ARRAY, D4, D20 },
	{ "exclusiveMaximum", JS_EXCLUSIVE_MAXIMUM, JS_SHAPE_NUMBER, D6,
	  D20 },
	{ "exclusiveMinimum", JS_EXCLUSIVE_MINIMUM, JS_SHAPE_NUMBER, D6,
	  D20 },
	{ "if", JS_IF, JS_SHAPE_SCHEMA, D7, D20 },
	{ "items", JS_ITEMS, JS_SHAPE_ITEMS, D4, D20 },
	{ "maxContains", JS_MAX_CONTAINS, JS_SHAPE_COUNT, D19, D20 },
	{ "maxItems", JS_MAX_ITEMS, JS_SHAPE_COUNT, D4, D20 },
	{ "maxLength", JS_MAX_LENGTH, JS_SHAPE_COUNT, D4, D20 },
	{ "maxProperties", JS_MAX_PROPERTIES, JS_SHAPE_COUNT, D4, D20 },
	{ "maximum", JS_MAXIMUM, JS_SHAPE_NUMBER, D4, D20 },
	{ "minContains", JS_MIN_CONTAINS, JS_SHAPE_COUNT, D19, D20 },
	{ "minItems", JS_MIN_ITEMS, JS_SHAPE_COUNT, D4, D20 },
	{ "minLength", JS_MIN_LENGTH, JS_SHAPE_COUNT, D4, D20 },
	{ "minProperties", JS_MIN_PROPERTIES, JS_SHAPE_COUNT, D4, D20 },
	{ "minimum", JS_MINIMUM, JS_SHAPE_NUMBER, D4, D20 },
	{ "multipleOf", JS_MULTIPLE_OF, JS_SHAPE_POSITIVE, D4, D20 },
	{ "not", JS_NOT, JS_SHAPE_SCHEMA, D4, D20 },
	{ "oneOf", JS_ONE_OF, JS_SHAPE_SCHEMAS, D4, D20 },
	{ "pattern", JS_PATTERN, JS_SHAPE_PATTERN, D4, D20 },
	{ "patternProperties", JS_PATTERN_PROPERTIES, JS_SHAPE_PATTERNS, D4,
	  D20 },
	{ "prefixItems", JS_PREFIX_ITEMS, JS_SHAPE_SCHEMAS, D20, D20 },
	{ "properties", JS_PROPERTIES, JS_SHAPE_MAP, D4, D20 },
	{ "propertyNames", JS_PROPERTY_NAMES, JS_SHAPE_SCHEMA, D6, D20 },
	{ "required", JS_REQUIRED, JS_SHAPE_STRINGS, D4, D20 },
	{ "then", JS_THEN, JS_SHAPE_SCHEMA, D7, D20 },
	{ "type", JS_TYPE, JS_SHAPE_TYPES, D4, D20 },
	{ "unevaluatedItems", JS_UNEVALUATED_ITEMS, JS_SHAPE_SCHEMA, D19,
	  D20 },
	{ "unevaluatedProperties", JS_UNEVALUATED_PROPERTIES, JS_SHAPE_SCHEMA,
	  D19, D20 },
	{ "uniqueItems", JS_UNIQUE_ITEMS, JS_SHAPE_BOOL, D4, D20 },
};

/* Only a flag of its sibling in draft 4. */
static const struct js_rule bounds[] = {
	{ "exclusiveMaximum", JS_EXCLUSIVE_MAXIMUM, JS_SHAPE_BOUND, D4, D4 },
	{ "exclusiveMinimum", JS_EXCLUSIVE_MINIMUM, JS_SHAPE_BOUND, D4, D4 },
};

static int
rule_order(const void *name, const void *rule)
{
	return strcmp(name, ((const struct js_rule *)rule)->name);
}

const struct js_rule *
js_rule_find(enum js_draft draft, const char *name)
{
	const struct js_rule *rule = bsearch(name, rules, CLQ_COUNT(rules),
	    sizeof *rules, rule_order);

	if (rule != NULL && draft == D4 && rule->from == D6) {
		for (size_t i = 0; i < CLQ_COUNT(bounds); i++)
			if (bounds[i].keyword == rule->keyword)
				return &bounds[i];
	}
	return rule != NULL && rule->from <= draft && draft <= rule->to ?
	    rule : NULL;
}

enum js_draft
js_draft_of(const cJSON *schema, enum js_draft fallback)
{
	static const char *const uris[] = {
		[JS_DRAFT_4] = "http://json-schema.org/draft-04/schema",
		[JS_DRAFT_6] = "http://json-schema.org/draft-06/schema",
		[JS_DRAFT_7] = "http://json-schema.org/draft-07/schema",
		[JS_DRAFT_2019_09] =
		    "https://json-schema.org/draft/2019-09/schema",
		[JS_DRAFT_2020_12] =
		    "https://json-schema.org/draft/2020-12/schema",
	};
	struct clq_str uri = clq_json_str(clq_json_get(schema, "$schema"));

	_Static_assert(CLQ_COUNT(uris) == JS_DRAFT__COUNT, "");
	if (clq_str_ends(uri, "#"))
		uri.len--;
	for (int i = 0; i < JS_DRAFT__COUNT; i++)
		if (clq_str_is(uri, uris[i]))
			return (enum js_draft)i;
	return fallback;
}
