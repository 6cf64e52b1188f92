/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where references lead: to a resource by its URI, then into it by a JSON
 * pointer or an anchor. A pointer may lead where the first pass did not look;
 * what is there becomes a subschema.
 *
 * A reference that leads nowhere is no error yet: it may never be met.
 */
#include "impl.h"

static const char nowhere[] = "PointerToNowhere";

/* Member of an object, or item of an array, by the text of a pointer. */
static const cJSON *
child_of(struct js_compiler *c, const cJSON *parent, struct clq_str token)
{
	const cJSON *item;
	int64_t index = -1;

	if (cJSON_IsArray(parent) && (!clq_str_int(token, &index) ||
	    index < 0 || token.p[0] < '0' || token.p[0] > '9'))
		return NULL;
	if (!cJSON_IsArray(parent) && !cJSON_IsObject(parent))
		return NULL;
	cJSON_ArrayForEach(item, parent) {
		c->steps++;
		if (cJSON_IsArray(parent) ? index-- == 0 :
		    clq_str_is(token, item->string))
			return item;
	}
	return NULL;
}

/* "~1" is '/' and "~0" is '~'. */
static struct clq_str
unescape(struct clq_arena *arena, struct clq_str token)
{
	char *out = clq_arena_alloc(arena, token.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < token.len; i++) {
		char next = i + 1 < token.len ? token.p[i + 1] : '\0';

		if (token.p[i] == '~' && (next == '0' || next == '1')) {
			out[n++] = next == '0' ? '~' : '/';
			i++;
		} else {
			out[n++] = token.p[i];
		}
	}
	return (struct clq_str){ out, n };
}

static void
set_nowhere(struct js_ref *ref, const char *why, const char *what,
    const cJSON *within)
{
	ref->why = why;
	ref->pointer = what;
	ref->within = within;
}

/* Follow a pointer from the root of a resource. False: failed for good. */
static bool
follow(struct js_compiler *c, struct js_ref *ref,
    const struct js_resource *from, struct clq_str pointer)
{
	const cJSON *item = from->root->schema;
	const struct js_node *last = from->root, *node;
	struct clq_str rest = clq_str_sub(pointer, 1, pointer.len), token;
	bool more = true;

	while (more) {
		size_t end = clq_str_find(rest, '/', 0);

		token = unescape(c->arena, clq_str_sub(rest, 0, end));
		more = end < rest.len;
		rest = clq_str_sub(rest, end + 1, rest.len);
		item = child_of(c, item, token);
		if (c->steps > JS_MAX_WALK)
			return js_compile_fail(c, "$ref",
			    "the schema has too many references");
		if (item == NULL) {
			set_nowhere(ref, nowhere, pointer.p,
			    from->root->schema);
			return true;
		}
		node = js_node_find(c, item);
		if (node != NULL)
			last = node;
	}
	if (!js_is_schema(item)) {
		set_nowhere(ref, nowhere, pointer.p, from->root->schema);
		return true;
	}
	ref->node = js_scan(c, item, last->resource, last->draft);
	return ref->node != NULL;
}

static void
find_anchor(struct js_ref *ref, const struct js_resource *r, const char *name,
    bool dynamic)
{
	const struct js_anchor *a;

	for (a = r->anchors; a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			break;
	if (a == NULL) {
		set_nowhere(ref, "NoSuchAnchor", name, r->root->schema);
		return;
	}
	ref->node = a->node;
	if (dynamic && a->dynamic)
		ref->anchor = a->name;
}

struct js_ref *
js_resolve(struct js_compiler *c, const struct js_node *node,
    const char *text, bool dynamic)
{
	struct js_ref *ref = clq_arena_alloc(c->arena, sizeof *ref);
	struct clq_str whole = clq_str_of(text), fragment;
	size_t hash = clq_str_find(whole, '#', 0);
	struct clq_str base = clq_str_sub(whole, 0, hash);
	const struct js_resource *r = node->resource;
	const char *uri = NULL;

	if (base.len > 0) {
		if ((uri = js_uri_join(c, r->uri, base)) == NULL)
			return NULL;
		if ((r = js_resource_find(c, uri)) == NULL &&
		    js_load_builtin(c, uri))
			r = js_resource_find(c, uri);
		if (c->failed)
			return NULL;
	}
	if (r == NULL) {
		fragment = clq_str_sub(whole, hash, whole.len);
		set_nowhere(ref, "Unresolvable", clq_arena_printf(c->arena,
		    "%s%.*s", uri, CLQ_FMT(fragment)).p, NULL);
		return ref;
	}
	fragment = clq_url_decode(c->arena, clq_str_sub(whole, hash + 1,
	    whole.len), false);
	fragment = clq_str_of(clq_arena_cstr(c->arena, fragment));
	if (fragment.len == 0)
		ref->node = r->root;
	else if (fragment.p[0] != '/')
		find_anchor(ref, r, fragment.p, dynamic);
	else if (!follow(c, ref, r, fragment))
		return NULL;
	return ref;
}
