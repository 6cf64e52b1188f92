/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Examples for the page: a body that fits a schema, and a command that sends a
 * request. Both are plain text; who shows them escapes them.
 *
 * What goes to a shell is quoted for it, since paths, names and policies are
 * those of applications and operators.
 */
#include "openapi_impl.h"

#include <cliquet/str.h>

enum { MAX_DEPTH = 8 };		/* schemas may refer to themselves */

/* ---- values ------------------------------------------------------------ */

static bool
type_is(const cJSON *schema, const char *type)
{
	return clq_str_is(clq_json_str(clq_json_get(schema, "type")), type);
}

static void value(const struct clq_oa_page *page, struct clq_buf *b,
    const cJSON *schema, int depth);

/* What the server makes is not sent, unless it must be. */
static bool
shown(const cJSON *schema, const cJSON *property)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, clq_json_get(schema, "required"))
		if (clq_str_is(clq_json_str(item), property->string))
			return true;
	return strcmp(property->string, "id") != 0 &&
	    strcmp(property->string, "last_modified") != 0;
}

/* The members of an object, or of all parts of one, without braces. */
static void
members(const struct clq_oa_page *page, struct clq_buf *b,
    const cJSON *schema, int depth)
{
	const cJSON *item;

	schema = clq_oa_resolve(page->root, schema);
	if (schema == NULL || depth > MAX_DEPTH)
		return;
	cJSON_ArrayForEach(item, clq_json_get(schema, "allOf"))
		members(page, b, item, depth + 1);
	cJSON_ArrayForEach(item, clq_json_get(schema, "properties")) {
		if (!shown(schema, item))
			continue;
		if (b->len > 0 && b->p[b->len - 1] != '{')
			clq_buf_adds(b, ", ");
		clq_buf_json_str(b, clq_str_of(item->string));
		clq_buf_adds(b, ": ");
		value(page, b, item, depth + 1);
	}
}

static void
text(struct clq_buf *b, const cJSON *schema)
{
	struct clq_str format = clq_json_str(clq_json_get(schema, "format"));

	clq_buf_adds(b, clq_str_is(format, "uri") ?
	    "\"https://example.org/\"" : "\"text\"");
}

static void
value(const struct clq_oa_page *page, struct clq_buf *b, const cJSON *schema,
    int depth)
{
	const cJSON *given;

	schema = clq_oa_resolve(page->root, schema);
	if (schema == NULL || depth > MAX_DEPTH) {
		clq_buf_adds(b, "null");
	} else if ((given = clq_json_get(schema, "example")) != NULL ||
	    (given = clq_json_get(schema, "default")) != NULL ||
	    (given = clq_json_get(schema, "enum")) != NULL) {
		clq_json_print(b, given->string != NULL && strcmp(
		    given->string, "enum") == 0 ? given->child : given);
	} else if (type_is(schema, "array")) {
		clq_buf_addc(b, '[');
		value(page, b, clq_json_get(schema, "items"), depth + 1);
		clq_buf_addc(b, ']');
	} else if (type_is(schema, "string")) {
		text(b, schema);
	} else if (type_is(schema, "boolean")) {
		clq_buf_adds(b, "true");
	} else if (type_is(schema, "integer") || type_is(schema, "number")) {
		if ((given = clq_json_get(schema, "minimum")) != NULL)
			clq_json_print(b, given);
		else
			clq_buf_adds(b, "1");
	} else {
		clq_buf_addc(b, '{');
		members(page, b, schema, depth);
		clq_buf_addc(b, '}');
	}
}

struct clq_str
clq_oa_example(const struct clq_oa_page *page, const cJSON *schema)
{
	struct clq_buf b;

	clq_buf_init(&b, page->arena, 128);
	value(page, &b, schema, 0);
	return clq_buf_str(&b);
}

/* ---- the command ------------------------------------------------------- */

struct clq_str
clq_oa_quoted(struct clq_arena *arena, struct clq_str s)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, s.len + 2);
	clq_buf_addc(&b, '\'');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\'')
			clq_buf_adds(&b, "'\\''");
		else
			clq_buf_addc(&b, s.p[i]);
	}
	clq_buf_addc(&b, '\'');
	return clq_buf_str(&b);
}

static void
quote(struct clq_buf *b, struct clq_str s)
{
	clq_buf_add(b, clq_oa_quoted(b->arena, s));
}

/* A variable of the path, as one of the shell. */
static void
add_variable(struct clq_buf *b, struct clq_str name)
{
	clq_buf_adds(b, "${");
	for (size_t i = 0; i < name.len; i++)
		clq_buf_addc(b, (name.p[i] >= '0' && name.p[i] <= '9') ||
		    ((name.p[i] | 0x20) >= 'a' && (name.p[i] | 0x20) <= 'z') ?
		    name.p[i] : '_');
	clq_buf_addc(b, '}');
}

/* "$SERVER/buckets/${bucket_id}"; what the shell might see is encoded. */
static void
add_url(struct clq_buf *b, const char *path)
{
	struct clq_str s = clq_str_of(path);
	size_t open, close;

	clq_buf_adds(b, "\"$SERVER");
	while (s.len > 0) {
		open = clq_str_find(s, '{', 0);
		clq_buf_add(b, clq_url_encode(b->arena, clq_str_sub(s, 0,
		    open), "/:@", false));
		close = clq_str_find(s, '}', open);
		if (open < s.len)
			add_variable(b, clq_str_sub(s, open + 1, close));
		s = clq_str_sub(s, close + 1, s.len);
	}
	clq_buf_addc(b, '"');
}

/* The credentials of the first policy that the operation takes. */
static void
add_credentials(const struct clq_oa_page *page, struct clq_buf *b,
    const cJSON *operation)
{
	const cJSON *first = clq_json_get(operation, "security");
	const cJSON *policy;
	struct clq_str scheme, header;

	first = first != NULL ? first->child : NULL;
	if (first == NULL || first->child == NULL)
		return;
	policy = clq_json_get(clq_json_get(page->root, "securityDefinitions"),
	    first->child->string);
	if (policy == NULL)
		return;
	if (type_is(policy, "basic")) {
		clq_buf_adds(b, " \\\n    -u \"$LOGIN:$PASSWORD\"");
		return;
	}
	scheme = clq_json_str(clq_json_get(policy, "x-scheme"));
	header = clq_arena_printf(page->arena, "Authorization: %.*s ",
	    CLQ_FMT(scheme));
	clq_buf_adds(b, " \\\n    -H ");
	quote(b, header);
	clq_buf_adds(b, "\"$TOKEN\"");
}

static void
add_body(const struct clq_oa_page *page, struct clq_buf *b,
    const cJSON *operation)
{
	const cJSON *item, *param;
	struct clq_str in, type;

	cJSON_ArrayForEach(item, clq_json_get(operation, "parameters")) {
		param = clq_oa_resolve(page->root, item);
		in = clq_json_str(clq_json_get(param, "in"));
		if (clq_str_is(in, "formData")) {
			struct clq_str name = clq_json_str(clq_json_get(param,
			    "name"));
			bool file = type_is(param, "file");

			clq_buf_adds(b, " \\\n    -F ");
			quote(b, clq_arena_printf(page->arena, "%.*s=%s",
			    CLQ_FMT(name), file ? "@file" : "text"));
		}
		if (!clq_str_is(in, "body"))
			continue;
		item = clq_json_get(operation, "consumes");
		type = clq_json_str(item != NULL ? item->child : NULL);
		if (type.p == NULL)
			type = CLQ_STR("application/json");
		clq_buf_adds(b, " \\\n    -H ");
		quote(b, clq_arena_printf(page->arena, "Content-Type: %.*s",
		    CLQ_FMT(type)));
		clq_buf_adds(b, " \\\n    -d ");
		quote(b, clq_oa_example(page, clq_json_get(param,
		    "schema")));
		return;
	}
}

struct clq_str
clq_oa_curl(const struct clq_oa_page *page, const char *path,
    const char *method, const cJSON *operation)
{
	struct clq_buf b;

	clq_buf_init(&b, page->arena, 256);
	clq_buf_adds(&b, "curl ");
	if (strcmp(method, "HEAD") == 0)
		clq_buf_adds(&b, "-I ");
	else if (strcmp(method, "GET") != 0)
		clq_buf_printf(&b, "-X %s ", method);
	add_url(&b, path);
	add_credentials(page, &b, operation);
	add_body(page, &b, operation);
	return clq_buf_str(&b);
}
