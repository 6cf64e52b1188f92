/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `schema`: a file with a JSON Schema (any draft that
 * apps/jsonschema knows), compiled in the master and applied to each object
 * before it is stored.
 *
 * The properties of the schema's top level are the attributes that core knows
 * of: for `unknown = drop`, and for their `default`, which is stored where the
 * attribute is missing. `id` and `last_modified` are the server's: they are not
 * part of what is validated, and nobody can require them.
 */
#include "resources.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SCHEMA_MAX = 1024 * 1024 };	/* bytes of a file */

/* ---- the file ---------------------------------------------------------- */

/* The option's path, relative to the ini's folder. */
static const char *
path_of(struct ini *ini, const char *key)
{
	const char *value = clq_settings_cstr(ini->settings, key);
	struct clq_str origin = clq_str_of(clq_settings_origin(ini->settings,
	    key));
	size_t end = origin.len;

	while (end > 0 && origin.p[end - 1] != '/')
		end--;
	if (value[0] == '/' || clq_str_starts(origin, "environment "))
		return value;
	return clq_arena_printf(ini->arena, "%.*s%s",
	    CLQ_FMT(clq_str_sub(origin, 0, end)), value).p;
}

/* Its size; -1: wrong, said. */
static off_t
size_of(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		ini_wrong(ini, r, key, "%s: %s; give the path of a JSON "
		    "Schema, relative to this file", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		ini_wrong(ini, r, key, "%s: not a file; give the path of a "
		    "JSON Schema", path);
	else if (st.st_size > SCHEMA_MAX)
		ini_wrong(ini, r, key, "%s: a schema has at most %d bytes; "
		    "make it smaller", path, SCHEMA_MAX);
	else
		return st.st_size;
	return -1;
}

static bool
read_file(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path, struct clq_str *out)
{
	off_t size = size_of(ini, r, key, path);
	FILE *f;
	char *text;
	size_t n;
	bool failed;

	if (size == -1)
		return false;
	if ((f = fopen(path, "re")) == NULL)
		return ini_wrong(ini, r, key, "%s: %s; let the server's user "
		    "read it", path, strerror(errno));
	text = clq_arena_alloc(ini->arena, (size_t)size);
	n = fread(text, 1, (size_t)size, f);
	failed = ferror(f) != 0;
	fclose(f);
	if (failed)
		return ini_wrong(ini, r, key, "%s: cannot be read; check the "
		    "disk", path);
	*out = (struct clq_str){ text, n };
	return true;
}

/* "... at byte 17" -> the line that holds it, from 1. */
static unsigned
line_of(struct clq_str text, struct clq_str why)
{
	unsigned line = 1;
	int64_t at;

	while (why.len > 0 && clq_str_find(why, ' ', 0) < why.len)
		why = clq_str_sub(why, clq_str_find(why, ' ', 0) + 1,
		    why.len);
	if (!clq_str_int(why, &at) || at < 0)
		return line;
	for (size_t i = 0; i < text.len && i < (size_t)at; i++)
		line += text.p[i] == '\n';
	return line;
}

/* ---- the tree ---------------------------------------------------------- */

static void
free_schema(void *p)
{
	struct js_schema *schema = p;

	js_schema_free(&schema);
}

/* Nobody can require what the server makes. */
static void
not_required(cJSON *schema)
{
	cJSON *list = clq_json_get(schema, "required"), *item, *next;

	if (!cJSON_IsArray(list))
		return;
	for (item = list->child; item != NULL; item = next) {
		struct clq_str name = clq_json_str(item);

		next = item->next;
		if (name.p != NULL && (clq_str_is(name, "id") ||
		    clq_str_is(name, "last_modified")))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
	}
	/* Draft 4 has no empty list. */
	if (list->child == NULL)
		clq_json_remove(schema, "required");
}

/*
 * The schema without what objects as a whole must fit: so that a single
 * attribute can be checked. NULL: it does not compile alone.
 */
static struct js_schema *
of_properties(struct ini *ini, const cJSON *schema)
{
	static const char *const kept[] = {
		"$schema", "$id", "id", "definitions", "$defs", "properties"
	};
	cJSON *part = clq_json_own(ini->arena, cJSON_CreateObject());
	struct js_schema *out;
	const cJSON *item;
	struct js_error e;

	for (size_t i = 0; i < CLQ_COUNT(kept); i++)
		if ((item = clq_json_get(schema, kept[i])) != NULL)
			clq_json_set(part, kept[i],
			    cJSON_Duplicate(item, true));
	if (js_compile(part, JS_DRAFT_NEWEST, ini->arena, &out, &e) != CLQ_OK)
		return NULL;
	clq_arena_defer(ini->arena, free_schema, out);
	return out;
}

/* A default that no client could send. */
static void
check_default(struct ini *ini, struct ini_resource *r, const char *key,
    const char *name, const cJSON *def, const struct js_schema *schema)
{
	cJSON *object = clq_json_own(ini->arena, cJSON_CreateObject());
	struct js_error e;

	clq_json_set(object, name, cJSON_Duplicate(def, true));
	if (schema != NULL && js_validate(schema, object, ini->arena, &e) !=
	    JS_VALID)
		ini_wrong(ini, r, key, "the default of \"%s\" does not fit "
		    "the schema: %.*s; correct one of them", name,
		    CLQ_FMT(e.message));
}

/* A text, and nothing but a text or null. */
static bool
is_text(const cJSON *property)
{
	const cJSON *type = clq_json_get(property, "type"), *item;
	bool text = false;

	if (!cJSON_IsArray(type))
		return clq_str_is(clq_json_str(type), "string");
	cJSON_ArrayForEach(item, type) {
		if (clq_str_is(clq_json_str(item), "string"))
			text = true;
		else if (!clq_str_is(clq_json_str(item), "null"))
			return false;
	}
	return text;
}

static void
take_properties(struct ini *ini, struct ini_resource *r, const cJSON *schema,
    const char *key)
{
	const cJSON *properties = clq_json_get(schema, "properties"), *p, *def;
	const struct js_schema *alone;
	struct clq_field *f;

	if (!cJSON_IsObject(properties))
		return;
	alone = of_properties(ini, schema);
	cJSON_ArrayForEach(p, properties) {
		struct clq_str name = clq_str_of(p->string);

		if (name.len == 0 || clq_str_is(name, "id") ||
		    clq_str_is(name, "last_modified"))
			continue;
		if ((f = ini_field(ini, r, name, key)) == NULL)
			return;
		if (f->type == CLQ_FIELD_ANY && is_text(p))
			f->flags |= CLQ_FIELD_TEXT;
		def = cJSON_IsObject(p) ? clq_json_get(p, "default") : NULL;
		if (def != NULL)
			check_default(ini, r, key, p->string, def, alone);
		if (def != NULL && f->def == NULL)
			f->def = clq_arena_cstr(ini->arena,
			    clq_json_text(ini->arena, def));
	}
}

/* ---- compiling --------------------------------------------------------- */

static bool
check_draft(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path, const cJSON *tree)
{
	const cJSON *named = clq_json_get(tree, "$schema");

	if (named == NULL || js_draft_of(tree, JS_DRAFT__COUNT) !=
	    JS_DRAFT__COUNT)
		return true;
	return ini_wrong(ini, r, key, "%s: $schema names no draft that is "
	    "known; there are draft-04, draft-06, draft-07, 2019-09 and "
	    "2020-12, as in \"http://json-schema.org/draft-07/schema#\"",
	    path);
}

void
ini_read_schema(struct ini *ini, struct ini_resource *r)
{
	const char *key = ini_key(ini, r, "schema"), *path;
	struct clq_str text, why;
	cJSON *tree;

	if (!clq_settings_has(ini->settings, key))
		return;
	path = path_of(ini, key);
	if (!read_file(ini, r, key, path, &text))
		return;
	if (clq_json_parse(ini->arena, text, &tree, &why) != CLQ_OK) {
		ini_wrong(ini, r, key, "%s:%u: not JSON: %.*s; correct the "
		    "file", path, line_of(text, why), CLQ_FMT(why));
		return;
	}
	if (!cJSON_IsObject(tree)) {
		ini_wrong(ini, r, key, "%s: a schema is a JSON object; "
		    "begin it with {", path);
		return;
	}
	if (!check_draft(ini, r, key, path, tree))
		return;
	not_required(tree);
	if (!ini_compile(ini, r, key, path, tree, &r->schema))
		return;
	clq_arena_defer(ini->arena, free_schema, r->schema);
	take_properties(ini, r, tree, key);
	r->decl.openapi = ini_describe(ini, r, tree);
	r->decl.process = ini_validate;
}

/* ---- the hook ---------------------------------------------------------- */

/* "data.a.0.b" for "/a/0/b"; a PATCH names attributes without "data". */
static struct clq_str
name_of(struct clq_arena *arena, const struct js_error *e, bool patch)
{
	bool missing = e->path.len == 0 && clq_str_is(e->keyword, "required");
	struct clq_buf b;
	char *out;

	clq_buf_init(&b, arena, 0);
	clq_buf_add(&b, e->path);
	if (missing)
		clq_buf_printf(&b, "/%.*s", CLQ_FMT(e->name));
	out = clq_arena_cstr(arena, clq_buf_str(&b));
	for (char *c = out; *c != '\0'; c++)
		if (*c == '/')
			*c = '.';
	if (patch && *out == '.')
		return clq_str_of(out + 1);
	return patch ? CLQ_STR("data") : clq_arena_printf(arena, "data%s",
	    out);
}

enum clq_status
ini_validate(struct clq_request *req, struct clq_draft *draft)
{
	struct clq_arena *arena = clq_request_arena(req);
	const struct ini_resource *r;
	struct js_error e;

	/* The declaration is the first member of ours. */
	r = (const struct ini_resource *)(const void *)draft->resource;
	if (draft->implicit || js_validate(r->schema, draft->data, arena,
	    &e) == JS_VALID)
		return CLQ_OK;
	return clq_invalid(req, "body", name_of(arena, &e, draft->patch),
	    "%.*s", CLQ_FMT(e.message));
}
