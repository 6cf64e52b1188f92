/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled schemas of this worker: schema_cache.h. */
#include "schema_cache.h"

#include <stdlib.h>

struct entry {
	struct kinto_schema	 schema;
	struct clq_arena	*arena;		/* of the texts */
	struct clq_str		 uri;
	struct clq_str		 attribute;
	struct clq_str		 text;		/* of the holder */
	clq_msec		 timestamp;
	size_t			 bytes;
	uint64_t		 used;		/* clock of uses; 0: free */
};

static struct entry entries[KINTO_SCHEMAS_MAX];
static uint64_t uses;
static size_t compiled;

static void
drop(struct entry *e)
{
	js_schema_free(&e->schema.schema);
	if (e->arena != NULL)
		clq_arena_free(&e->arena);
	memset(e, 0, sizeof *e);
}

void
kinto_schema_cache_clear(void)
{
	for (size_t i = 0; i < CLQ_COUNT(entries); i++)
		drop(&entries[i]);
}

size_t
kinto_schema_compiled(void)
{
	return compiled;
}

static struct entry *
find(const struct kinto_schema_at *at)
{
	for (size_t i = 0; i < CLQ_COUNT(entries); i++)
		if (entries[i].used > 0 &&
		    clq_str_eq(entries[i].uri, at->uri) &&
		    clq_str_is(entries[i].attribute, at->attribute))
			return &entries[i];
	return NULL;
}

/* A free entry; the oldest ones go until there is room for so many bytes. */
static struct entry *
make_room(size_t bytes)
{
	struct entry *oldest, *unused;
	size_t total;

	for (;;) {
		oldest = unused = NULL;
		total = bytes;
		for (size_t i = 0; i < CLQ_COUNT(entries); i++) {
			struct entry *e = &entries[i];

			total += e->bytes;
			if (e->used == 0)
				unused = e;
			else if (oldest == NULL || e->used < oldest->used)
				oldest = e;
		}
		if (unused != NULL &&
		    (total <= KINTO_SCHEMAS_BYTES || oldest == NULL))
			return unused;
		if (oldest != NULL)
			drop(oldest);
	}
}

static bool
is_ignored(const struct kinto_schema_at *at, const cJSON *name, bool id)
{
	struct clq_str s = clq_json_str(name);

	for (const char *const *p = at->ignored; *p != NULL; p++)
		if (clq_str_is(s, *p))
			return true;
	return id && clq_str_is(s, "id");
}

/* A copy of the schema whose `required` says nothing of ignored names. */
static cJSON *
without_ignored(struct clq_arena *arena, const struct kinto_schema_at *at,
    const cJSON *schema, bool uses_id)
{
	cJSON *copy = clq_json_dup(arena, schema);
	cJSON *required = clq_json_get(copy, "required"), *item, *next;

	if (!cJSON_IsArray(required))
		return copy;
	for (item = required->child; item != NULL; item = next) {
		next = item->next;
		if (is_ignored(at, item, !uses_id))
			cJSON_Delete(cJSON_DetachItemViaPointer(required,
			    item));
	}
	if (required->child == NULL)
		clq_json_remove(copy, "required");
	return copy;
}

static const struct kinto_schema *
compile(struct clq_arena *arena, const struct kinto_schema_at *at,
    const cJSON *schema)
{
	struct kinto_schema made = { .schema = NULL };
	struct js_error error;
	struct entry *e;
	size_t bytes;

	compiled++;
	made.uses_id = clq_json_get(clq_json_get(schema, "properties"),
	    "id") != NULL;
	schema = without_ignored(arena, at, schema, made.uses_id);
	bytes = at->uri.len + at->holder->data.len + 1024;
	if (js_compile(schema, JS_DRAFT_NEWEST, arena, &made.schema,
	    &error) == CLQ_OK)
		bytes += js_schema_size(made.schema);
	e = make_room(bytes);
	e->arena = clq_arena_new();
	e->schema = made;
	if (made.schema == NULL)
		e->schema.why = clq_arena_printf(e->arena, "%.*s: %.*s",
		    CLQ_FMT(error.name), CLQ_FMT(error.message));
	e->uri = clq_arena_strdup(e->arena, at->uri);
	e->attribute = clq_arena_strdup(e->arena, clq_str_of(at->attribute));
	e->text = clq_arena_strdup(e->arena, at->holder->data);
	e->timestamp = at->holder->last_modified;
	e->bytes = bytes;
	e->used = ++uses;
	return &e->schema;
}

/* The attribute of the holder: a schema, or NULL. */
static enum clq_status
read_attribute(struct clq_arena *arena, const struct kinto_schema_at *at,
    const cJSON **out)
{
	const cJSON *value;
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(arena, at->holder->data, &tree, &why) != CLQ_OK) {
		clq_log_err("%.*s: stored document: %.*s", CLQ_FMT(at->uri),
		    CLQ_FMT(why));
		return CLQ_FAILED;
	}
	value = clq_json_get(tree, at->attribute);
	*out = cJSON_IsObject(value) ? value : NULL;
	return CLQ_OK;
}

enum clq_status
kinto_schema_get(struct clq_arena *arena, const struct kinto_schema_at *at,
    const struct kinto_schema **out)
{
	struct clq_str needle = clq_arena_printf(arena, "\"%s\"",
	    at->attribute);
	struct entry *e = find(at);
	const cJSON *schema;
	enum clq_status rc;

	*out = NULL;
	if (e != NULL && e->timestamp == at->holder->last_modified &&
	    clq_str_eq(e->text, at->holder->data)) {
		e->used = ++uses;
		*out = &e->schema;
		return CLQ_OK;
	}
	if (e != NULL)
		drop(e);
	if (clq_str_search(at->holder->data, needle) ==
	    at->holder->data.len)
		return CLQ_OK;		/* the common case: nothing to parse */
	if ((rc = read_attribute(arena, at, &schema)) != CLQ_OK)
		return rc;
	if (schema != NULL)
		*out = compile(arena, at, schema);
	return CLQ_OK;
}
