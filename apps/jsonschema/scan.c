/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first pass over a schema: where subschemas are, and what they call
 * themselves. Only places where a keyword of the draft has a schema are
 * looked at, so that an `$id` within an `enum` or an unknown keyword is none.
 *
 * Recursion is as deep as the tree, which js_compile() has measured.
 */
#include "impl.h"

#include <assert.h>

static size_t
bucket_of(const cJSON *item)
{
	return ((uintptr_t)item >> 4) * 2654435761u % JS_BUCKETS;
}

struct js_node *
js_node_find(const struct js_compiler *c, const cJSON *item)
{
	const struct js_slot *slot = c->buckets[bucket_of(item)];

	for (; slot != NULL; slot = slot->next)
		if (slot->node->schema == item)
			return slot->node;
	return NULL;
}

struct js_resource *
js_resource_find(const struct js_compiler *c, const char *uri)
{
	struct js_resource *r;

	for (r = c->resources; r != NULL; r = r->next)
		if (strcmp(r->uri, uri) == 0)
			return r;
	return NULL;
}

static bool
count_name(struct js_compiler *c, const char *keyword)
{
	return ++c->n_names <= JS_MAX_NAMES ||
	    js_compile_fail(c, keyword, "the schema has too many identifiers");
}

static struct js_node *
add_node(struct js_compiler *c, const cJSON *item)
{
	struct js_node *node = clq_arena_alloc(c->arena, sizeof *node);
	struct js_slot *slot = clq_arena_alloc(c->arena, sizeof *slot);
	size_t bucket = bucket_of(item);

	node->schema = item;
	slot->node = node;
	slot->next = c->buckets[bucket];
	c->buckets[bucket] = slot;
	*c->last = node;
	c->last = &node->next;
	c->n_nodes++;
	return node;
}

static struct js_resource *
add_resource(struct js_compiler *c, const char *uri, struct js_node *root)
{
	struct js_resource *r = clq_arena_alloc(c->arena, sizeof *r);

	r->uri = uri;
	r->root = root;
	r->next = c->resources;
	c->resources = r;
	return r;
}

static bool
add_anchor(struct js_compiler *c, struct js_node *node, const char *keyword,
    const char *name, bool dynamic)
{
	struct js_anchor *a = clq_arena_alloc(c->arena, sizeof *a);

	a->name = name;
	a->node = node;
	a->dynamic = dynamic;
	a->next = node->resource->anchors;
	node->resource->anchors = a;
	return count_name(c, keyword);
}

/* The schema's own identifier; up to draft 7 a reference hides it. */
static const char *
identifier(const struct js_node *node)
{
	const char *keyword = node->draft == JS_DRAFT_4 ? "id" : "$id";

	if (node->draft <= JS_DRAFT_7 &&
	    cJSON_IsString(clq_json_get(node->schema, "$ref")))
		return NULL;
	return clq_json_str(clq_json_get(node->schema, keyword)).p;
}

/*
 * Where the node belongs: to a resource of its own if it has an identifier
 * that is more than a fragment, or is a root.
 */
static bool
identify(struct js_compiler *c, struct js_node *node,
    struct js_resource *within)
{
	const char *id = identifier(node), *uri;
	struct clq_str text = clq_str_of(id != NULL ? id : "");
	size_t hash = clq_str_find(text, '#', 0);

	node->resource = within;
	if (within == NULL || hash > 0) {
		uri = js_uri_join(c, within != NULL ? within->uri : "",
		    clq_str_sub(text, 0, hash));
		if (uri == NULL)
			return false;
		node->resource = add_resource(c, uri, node);
		if (!count_name(c, "$id"))
			return false;
	}
	return hash + 1 >= text.len || node->draft > JS_DRAFT_7 ||
	    add_anchor(c, node, "$id", id + hash + 1, false);
}

static bool
anchors(struct js_compiler *c, struct js_node *node)
{
	const char *name;

	if (node->draft < JS_DRAFT_2019_09)
		return true;
	name = clq_json_str(clq_json_get(node->schema, "$anchor")).p;
	if (name != NULL && !add_anchor(c, node, "$anchor", name, false))
		return false;
	if (node->draft == JS_DRAFT_2019_09) {
		if (node->resource->root == node)
			node->resource->recursive = cJSON_IsTrue(
			    clq_json_get(node->schema, "$recursiveAnchor"));
		return true;
	}
	name = clq_json_str(clq_json_get(node->schema, "$dynamicAnchor")).p;
	return name == NULL ||
	    add_anchor(c, node, "$dynamicAnchor", name, true);
}

/* The schemas in a value that holds several. */
static bool
scan_several(struct js_compiler *c, const cJSON *value,
    const struct js_node *node)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, value)
		if (js_is_schema(item) &&
		    js_scan(c, item, node->resource, node->draft) == NULL)
			return false;
	return true;
}

static bool
scan_keyword(struct js_compiler *c, const struct js_rule *rule,
    const cJSON *value, const struct js_node *node)
{
	switch (rule->shape) {
	case JS_SHAPE_SCHEMA:
		return !js_is_schema(value) ||
		    js_scan(c, value, node->resource, node->draft) != NULL;
	case JS_SHAPE_ITEMS:
		if (js_is_schema(value))
			return js_scan(c, value, node->resource,
			    node->draft) != NULL;
		return scan_several(c, value, node);
	case JS_SHAPE_SCHEMAS:
	case JS_SHAPE_MAP:
	case JS_SHAPE_PATTERNS:
	case JS_SHAPE_DEPENDENCIES:
		return scan_several(c, value, node);
	case JS_SHAPE_ANY:
	case JS_SHAPE_LISTS:
	case JS_SHAPE_STRINGS:
	case JS_SHAPE_ARRAY:
	case JS_SHAPE_TYPES:
	case JS_SHAPE_NUMBER:
	case JS_SHAPE_POSITIVE:
	case JS_SHAPE_COUNT:
	case JS_SHAPE_BOOL:
	case JS_SHAPE_PATTERN:
	case JS_SHAPE_REF:
	case JS_SHAPE_BOUND:
		return true;
	}
	return true;
}

struct js_node *
js_scan(struct js_compiler *c, const cJSON *item, struct js_resource *within,
    enum js_draft draft)
{
	struct js_node *node = js_node_find(c, item);
	const struct js_rule *rule;
	const cJSON *value;

	if (node != NULL)
		return node;
	if (c->n_nodes == JS_MAX_SUBSCHEMAS) {
		(void)js_compile_fail(c, "schema",
		    "the schema has too many subschemas");
		return NULL;
	}
	node = add_node(c, item);
	node->draft = js_draft_of(item, draft);
	if (!identify(c, node, within) || !anchors(c, node))
		return NULL;
	if (!cJSON_IsObject(item))
		return node;
	cJSON_ArrayForEach(value, item) {
		rule = js_rule_find(node->draft, value->string);
		if (rule != NULL && !scan_keyword(c, rule, value, node))
			return NULL;
	}
	return node;
}

bool
js_load_builtin(struct js_compiler *c, const char *uri)
{
	const struct js_builtin *b;
	struct clq_str why;
	enum clq_status rc;
	cJSON *tree;

	for (size_t i = 0; i < js_n_builtins; i++) {
		b = &js_builtins[i];
		if (strcmp(b->uri, uri) != 0 || (c->loaded & 1u << i) != 0)
			continue;
		c->loaded |= 1u << i;
		rc = clq_json_parse(c->arena, clq_str_of(b->text), &tree,
		    &why);
		assert(rc == CLQ_OK);
		return js_scan(c, tree, NULL, b->draft) != NULL;
	}
	return false;
}
