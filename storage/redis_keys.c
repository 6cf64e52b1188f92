/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of keys (section 11-5.5), and objects as texts.
 *
 * The names are those of Cliquet's Redis backend: parts with dots between them.
 * A dot within a parent or an id is written "%2E", so that no two objects share
 * a key; Cliquet's parents had none unless a user's id did. An object is kept as
 * the JSON that clients see; its own two members come first, which saves
 * parsing it again.
 */
#include "storage/redis.h"

#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

static void
add_part(struct clq_buf *b, struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.')
			clq_buf_adds(b, "%2E");
		else if (s.p[i] == '%')
			clq_buf_adds(b, "%25");
		else
			clq_buf_addc(b, s.p[i]);
	}
	clq_buf_addc(b, '.');
}

static struct clq_str
key(struct clq_arena *a, const struct clq_coll *coll, struct clq_str id,
    const char *end)
{
	struct clq_buf b;

	clq_buf_init(&b, a, 0);
	add_part(&b, coll->resource);
	add_part(&b, coll->parent);
	if (id.p != NULL)
		add_part(&b, id);
	clq_buf_adds(&b, end);
	return clq_buf_str(&b);
}

static const struct clq_str none = { NULL, 0 };

struct clq_str
rd_key_timestamp(struct clq_arena *a, const struct clq_coll *coll)
{
	return key(a, coll, none, "timestamp");
}

struct clq_str
rd_key_object(struct clq_arena *a, const struct clq_coll *coll,
    struct clq_str id, bool tombstone)
{
	return key(a, coll, id, tombstone ? "deleted" : "records");
}

struct clq_str
rd_key_ids(struct clq_arena *a, const struct clq_coll *coll, bool tombstones)
{
	return key(a, coll, none, tombstones ? "deleted" : "records");
}

struct clq_str
rd_key_times(struct clq_arena *a, const struct clq_coll *coll)
{
	return key(a, coll, none, "times");
}

struct clq_str
rd_list_name(struct clq_arena *a, const struct clq_coll *coll)
{
	return clq_arena_printf(a, "%.*s\t%.*s", CLQ_FMT(coll->resource),
	    CLQ_FMT(coll->parent));
}

struct clq_coll
rd_list_of(struct clq_str name)
{
	size_t tab = clq_str_find(name, '\t', 0);

	return (struct clq_coll){ .resource = clq_str_sub(name, 0, tab),
		.parent = clq_str_sub(name, tab + 1, name.len) };
}

/* ---- objects as texts ---------------------------------------------------- */

struct clq_str
rd_pack(struct clq_arena *a, const struct clq_object *o)
{
	struct clq_str data = o->data.p != NULL ? clq_str_trim(o->data) :
	    CLQ_STR("{}");
	struct clq_str rest = clq_str_trim(clq_str_sub(data, 1, data.len));
	struct clq_buf b;

	clq_buf_init(&b, a, data.len + o->id.len + 64);
	clq_buf_adds(&b, "{\"id\":");
	clq_buf_json_str(&b, o->id);
	clq_buf_adds(&b, ",\"last_modified\":");
	clq_buf_addint(&b, o->last_modified);
	if (o->deleted) {
		clq_buf_adds(&b, ",\"deleted\":true}");
	} else {
		if (!clq_str_is(rest, "}"))
			clq_buf_addc(&b, ',');
		clq_buf_add(&b, rest);
	}
	return clq_buf_str(&b);
}

/* Take a literal off the front. */
static bool
take(struct clq_str *s, const char *literal)
{
	if (!clq_str_starts(*s, literal))
		return false;
	*s = clq_str_sub(*s, strlen(literal), s->len);
	return true;
}

/* What rd_pack() wrote, with an id that needs no escapes. */
static bool
unpack_ours(struct clq_arena *a, struct clq_str text, struct clq_object *o)
{
	size_t end;

	if (!take(&text, "{\"id\":\""))
		return false;
	end = clq_str_find(text, '"', 0);
	o->id = clq_str_sub(text, 0, end);
	if (clq_str_find(o->id, '\\', 0) < o->id.len)
		return false;
	text = clq_str_sub(text, end, text.len);
	if (!take(&text, "\",\"last_modified\":"))
		return false;
	for (end = 0; end < text.len && text.p[end] >= '0' &&
	    text.p[end] <= '9'; end++)
		;
	if (end == 0 || end == text.len || !clq_str_int(clq_str_sub(text, 0,
	    end), &o->last_modified))
		return false;
	o->id = clq_arena_strdup(a, o->id);
	if (text.p[end] == '}')
		o->data = CLQ_STR("{}");
	else if (text.p[end] == ',')
		o->data = clq_arena_printf(a, "{%.*s", CLQ_FMT(clq_str_sub(
		    text, end + 1, text.len)));
	else
		return false;
	return true;
}

static bool
unpack_any(struct clq_arena *a, struct clq_str text, struct clq_object *o)
{
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(a, text, &tree, &why) != CLQ_OK ||
	    !cJSON_IsObject(tree) ||
	    !clq_json_int(clq_json_get(tree, "last_modified"),
	    &o->last_modified))
		return false;
	o->id = clq_json_str(clq_json_get(tree, "id"));
	o->data = clq_json_stored(a, tree);
	return o->id.p != NULL;
}

bool
rd_unpack(struct rd_db *db, struct clq_arena *a, struct clq_str text,
    bool tombstone, struct clq_object *o)
{
	memset(o, 0, sizeof *o);
	if (!unpack_ours(a, text, o) && !unpack_any(a, text, o)) {
		clq_log_err("redis: %s: an object is no JSON object with id "
		    "and last_modified: %.60s...", db->shown,
		    clq_arena_cstr(a, clq_str_sub(text, 0, 60)));
		return false;
	}
	o->deleted = tombstone;
	if (tombstone)
		o->data = CLQ_STR("{}");
	return true;
}
