/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second pass over a schema: from keywords to checks.
 *
 * Nodes are taken in the order of their creation until none is left, since
 * following a reference may create more. A value of the wrong shape is an
 * error even where a validator could ignore it: its author meant something.
 */
#include "impl.h"


enum { VALUE_BYTES = sizeof(cJSON) + 32 };	/* with malloc's and texts */

bool
js_compile_fail(struct js_compiler *c, const char *name, const char *fmt, ...)
{
	struct js_error *e = c->error;
	struct clq_buf b;
	va_list ap;

	if (c->failed)
		return false;
	c->failed = true;
	clq_buf_init(&b, c->errors, 64);
	va_start(ap, fmt);
	js_message(&b, fmt, ap);
	va_end(ap);
	*e = (struct js_error){
		.message = clq_buf_str(&b),
		.keyword = clq_arena_strdup(c->errors, clq_str_of(name)),
		.path = CLQ_STR(""),
		.schema_path = CLQ_STR(""),
	};
	e->name = e->keyword;
	return false;
}

static bool
wrong_type(struct js_compiler *c, const struct js_check *k, const char *type)
{
	return js_compile_fail(c, k->rule->name, "%v is not of type %q",
	    k->value, type);
}

/* ---- values that hold schemas ------------------------------------------ */

static bool
take_schema(struct js_compiler *c, struct js_check *k, const cJSON *value,
    struct js_node **out)
{
	if (!js_is_schema(value))
		return js_compile_fail(c, k->rule->name,
		    "%v is not of type 'object', 'boolean'", value);
	*out = js_node_find(c, value);
	return *out != NULL || js_compile_fail(c, k->rule->name,
	    "%v is no place for a schema", value);
}

static bool
is_string_list(const cJSON *value)
{
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return false;
	cJSON_ArrayForEach(item, value)
		if (!cJSON_IsString(item))
			return false;
	return true;
}

static int
entry_order(const void *a, const void *b)
{
	const struct js_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

const struct js_entry *
js_entry_find(const struct js_check *k, const char *name)
{
	struct js_entry key = { .name = name };

	if (k == NULL)
		return NULL;
	if (k->by_name != NULL)
		return bsearch(&key, k->by_name, k->n, sizeof key,
		    entry_order);
	for (size_t i = 0; i < k->n; i++)
		if (strcmp(k->entries[i].name, name) == 0)
			return &k->entries[i];
	return NULL;
}

static bool
take_entry(struct js_compiler *c, struct js_check *k, struct js_entry *e)
{
	enum js_shape shape = k->rule->shape;

	if (shape == JS_SHAPE_PATTERNS &&
	    (e->pattern = js_pattern_new(c, k->rule->name, e->name)) == NULL)
		return false;
	if (shape == JS_SHAPE_LISTS ||
	    (shape == JS_SHAPE_DEPENDENCIES && cJSON_IsArray(e->value)))
		return is_string_list(e->value) ||
		    js_compile_fail(c, k->rule->name,
		    "%v is not a list of strings", e->value);
	return take_schema(c, k, e->value, &e->node);
}

/* The members of an object or the items of an array. */
static bool
take_entries(struct js_compiler *c, struct js_check *k, bool object)
{
	const cJSON *item;
	size_t i = 0;

	if (object ? !cJSON_IsObject(k->value) : !cJSON_IsArray(k->value))
		return wrong_type(c, k, object ? "object" : "array");
	cJSON_ArrayForEach(item, k->value)
		k->n++;
	k->entries = clq_arena_calloc(c->arena, k->n, sizeof *k->entries);
	cJSON_ArrayForEach(item, k->value) {
		struct js_entry *e = &k->entries[i++];

		e->name = item->string;
		e->value = item;
		if (!take_entry(c, k, e))
			return false;
	}
	if (object && k->n >= JS_BY_NAME_MIN) {
		k->by_name = clq_arena_calloc(c->arena, k->n,
		    sizeof *k->by_name);
		memcpy(k->by_name, k->entries, k->n * sizeof *k->entries);
		qsort(k->by_name, k->n, sizeof *k->by_name, entry_order);
	}
	return true;
}

/* ---- other values ------------------------------------------------------ */

static bool
take_types(struct js_compiler *c, struct js_check *k)
{
	const cJSON *item;
	unsigned type;

	if (!cJSON_IsString(k->value) && !is_string_list(k->value))
		return wrong_type(c, k, "array");
	item = cJSON_IsArray(k->value) ? k->value->child : k->value;
	for (; item != NULL; item = item->next) {
		if ((type = js_type_named(item->valuestring)) == 0)
			return js_compile_fail(c, k->rule->name,
			    "%v is not a type", item);
		k->types |= type;
		if (!cJSON_IsArray(k->value))
			break;
	}
	return true;
}

static bool
take_number(struct js_compiler *c, struct js_check *k)
{
	enum js_shape shape = k->rule->shape;

	if (!cJSON_IsNumber(k->value))
		return wrong_type(c, k, shape == JS_SHAPE_COUNT ? "integer" :
		    "number");
	if (shape == JS_SHAPE_POSITIVE && k->value->valuedouble <= 0)
		return js_compile_fail(c, k->rule->name,
		    "%v is less than or equal to the minimum of 0", k->value);
	if (shape != JS_SHAPE_COUNT)
		return true;
	if (!js_is_integer(k->value, JS_DRAFT_NEWEST))
		return wrong_type(c, k, "integer");
	if (k->value->valuedouble < 0)
		return js_compile_fail(c, k->rule->name,
		    "%v is less than the minimum of 0", k->value);
	if (!clq_json_int(k->value, &k->limit))
		k->limit = INT64_MAX;
	return true;
}

static bool
take_text(struct js_compiler *c, struct js_check *k,
    const struct js_node *node)
{
	if (!cJSON_IsString(k->value))
		return wrong_type(c, k, "string");
	if (k->rule->shape == JS_SHAPE_PATTERN) {
		k->pattern = js_pattern_new(c, k->rule->name,
		    k->value->valuestring);
		return k->pattern != NULL;
	}
	k->ref = js_resolve(c, node, k->value->valuestring,
	    k->rule->keyword == JS_DYNAMIC_REF);
	return k->ref != NULL;
}

static bool
take_value(struct js_compiler *c, struct js_check *k,
    const struct js_node *node)
{
	switch (k->rule->shape) {
	case JS_SHAPE_SCHEMA:
		return take_schema(c, k, k->value, &k->node);
	case JS_SHAPE_ITEMS:
		return cJSON_IsArray(k->value) ? take_entries(c, k, false) :
		    take_schema(c, k, k->value, &k->node);
	case JS_SHAPE_SCHEMAS:
		return take_entries(c, k, false);
	case JS_SHAPE_MAP:
	case JS_SHAPE_PATTERNS:
	case JS_SHAPE_DEPENDENCIES:
	case JS_SHAPE_LISTS:
		return take_entries(c, k, true);
	case JS_SHAPE_STRINGS:
		return is_string_list(k->value) || wrong_type(c, k, "array");
	case JS_SHAPE_ARRAY:
		return cJSON_IsArray(k->value) || wrong_type(c, k, "array");
	case JS_SHAPE_TYPES:
		return take_types(c, k);
	case JS_SHAPE_NUMBER:
	case JS_SHAPE_POSITIVE:
	case JS_SHAPE_COUNT:
		return take_number(c, k);
	case JS_SHAPE_BOOL:
	case JS_SHAPE_BOUND:
		return cJSON_IsBool(k->value) || wrong_type(c, k, "boolean");
	case JS_SHAPE_PATTERN:
	case JS_SHAPE_REF:
		return take_text(c, k, node);
	case JS_SHAPE_ANY:
		return true;
	}
	return true;
}

/* ---- nodes ------------------------------------------------------------- */

/* What a keyword means to its siblings. */
static void
relate(struct js_node *node, struct js_check *k)
{
	const char *flag;

	switch ((int)k->rule->keyword) {
	case JS_PROPERTIES:		node->properties = k; break;
	case JS_PATTERN_PROPERTIES:	node->patterns = k; break;
	case JS_THEN:			node->then = k; break;
	case JS_ELSE:			node->else_ = k; break;
	case JS_MIN_CONTAINS:		node->min_contains = k; break;
	case JS_MAX_CONTAINS:		node->max_contains = k; break;
	case JS_PREFIX_ITEMS:		node->prefix = k; break;
	case JS_ITEMS:
		if (k->node == NULL)
			node->positional = k;
		break;
	case JS_UNEVALUATED_ITEMS:
	case JS_UNEVALUATED_PROPERTIES:
		node->tracks = true;
		break;
	case JS_MAXIMUM:
	case JS_MINIMUM:
		flag = k->rule->keyword == JS_MAXIMUM ? "exclusiveMaximum" :
		    "exclusiveMinimum";
		k->exclusive = node->draft == JS_DRAFT_4 &&
		    cJSON_IsTrue(clq_json_get(node->schema, flag));
		break;
	default:
		break;
	}
}

static bool
add_check(struct js_compiler *c, struct js_node *node,
    const struct js_rule *rule, const cJSON *value)
{
	struct js_check *k = &node->checks[node->n];

	k->rule = rule;
	k->value = value;
	if (!take_value(c, k, node))
		return false;
	node->n++;
	relate(node, k);
	if (k->ref != NULL && k->ref->node == NULL &&
	    c->schema->ndangling < JS_MAX_DANGLING)
		c->schema->dangling[c->schema->ndangling++] =
		    value->valuestring;
	return true;
}

static bool
is_last(const struct js_rule *rule)
{
	return rule->keyword == JS_UNEVALUATED_ITEMS ||
	    rule->keyword == JS_UNEVALUATED_PROPERTIES;
}

static bool
build(struct js_compiler *c, struct js_node *node)
{
	const cJSON *ref = node->draft <= JS_DRAFT_7 ?
	    clq_json_get(node->schema, "$ref") : NULL, *value;
	const struct js_rule *rule;
	size_t n = 0;

	if (!cJSON_IsObject(node->schema))
		return true;
	cJSON_ArrayForEach(value, node->schema)
		n += js_rule_find(node->draft, value->string) != NULL;
	node->checks = clq_arena_calloc(c->arena, n, sizeof *node->checks);
	if (ref != NULL)	/* up to draft 7 it replaces its siblings */
		return add_check(c, node, js_rule_find(node->draft, "$ref"),
		    ref);
	for (int last = 0; last < 2; last++)
		cJSON_ArrayForEach(value, node->schema) {
			rule = js_rule_find(node->draft, value->string);
			if (rule != NULL && is_last(rule) == last &&
			    !add_check(c, node, rule, value))
				return false;
		}
	return true;
}

/* ---- the whole --------------------------------------------------------- */

struct size {
	size_t	values, bytes, depth;
};

/* False if the tree is too large or too deep. */
static bool
measure(const cJSON *tree, struct size *size)
{
	const cJSON *item;

	size->bytes += VALUE_BYTES;
	if (tree->string != NULL)
		size->bytes += strlen(tree->string);
	if (cJSON_IsString(tree))
		size->bytes += strlen(tree->valuestring);
	if (++size->values > JS_MAX_VALUES ||
	    ++size->depth > CLQ_JSON_MAX_DEPTH + 1)
		return false;
	cJSON_ArrayForEach(item, tree)
		if (!measure(item, size))
			return false;
	size->depth--;
	return true;
}

enum clq_status
js_compile(const cJSON *tree, enum js_draft fallback,
    struct clq_arena *arena, struct js_schema **out, struct js_error *error)
{
	struct js_compiler *c = clq_arena_alloc(arena, sizeof *c);
	struct clq_arena *own = clq_arena_new();
	struct js_schema *schema = clq_arena_alloc(own, sizeof *schema);
	struct size size = { 0, 0, 0 };
	struct js_node *node;

	c->schema = schema;
	c->arena = schema->arena = own;
	c->errors = arena;
	c->error = error;
	c->last = &c->nodes;
	if (!js_is_schema(tree))
		(void)js_compile_fail(c, "schema",
		    "%v is not of type 'object', 'boolean'", tree);
	else if (!measure(tree, &size))
		(void)js_compile_fail(c, "schema", "the schema is too large");
	if (!c->failed) {
		schema->tree = clq_json_dup(own, tree);
		schema->tree_bytes = size.bytes;
		schema->root = js_scan(c, schema->tree, NULL, fallback);
	}
	for (node = c->nodes; !c->failed && node != NULL; node = node->next)
		(void)build(c, node);
	if (c->failed) {
		js_schema_free(&schema);
		return CLQ_INVALID;
	}
	*out = schema;
	return CLQ_OK;
}

void
js_schema_free(struct js_schema **schema)
{
	struct clq_arena *arena;

	if (*schema == NULL)
		return;
	arena = (*schema)->arena;	/* which holds the schema itself */
	clq_arena_free(&arena);
	*schema = NULL;
}

const char *
js_dangling(const struct js_schema *schema, size_t i)
{
	return i < schema->ndangling ? schema->dangling[i] : NULL;
}

size_t
js_schema_size(const struct js_schema *schema)
{
	return clq_arena_used(schema->arena) + schema->tree_bytes +
	    schema->pattern_bytes;
}
