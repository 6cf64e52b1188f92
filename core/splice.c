/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers put together from stored text, without parsing it (design: stored
 * documents travel as text).
 *
 * Storage gives `{...}` without id and last_modified; these are appended
 * before the closing brace. Only the last byte is looked at, so the cost is
 * one copy.
 */
#include "resource_impl.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

/* Between the braces; empty if the document is. */
static struct clq_str
inside(struct clq_str data)
{
	data = clq_str_trim(data);
	if (data.len < 2)
		return CLQ_STR("");
	return clq_str_trim(clq_str_sub(data, 1, data.len - 1));
}

void
clq_splice_object(struct clq_buf *b, const struct clq_object *obj)
{
	struct clq_str members = obj->deleted ? CLQ_STR("") :
	    inside(obj->data);

	clq_buf_addc(b, '{');
	clq_buf_add(b, members);
	clq_buf_adds(b, members.len > 0 ? ",\"id\":" : "\"id\":");
	clq_buf_json_str(b, obj->id);
	clq_buf_adds(b, ",\"last_modified\":");
	clq_buf_addint(b, obj->last_modified);
	if (obj->deleted)
		clq_buf_adds(b, ",\"deleted\":true");
	clq_buf_addc(b, '}');
}

struct clq_str
clq_object_text(struct clq_arena *arena, const struct clq_object *obj)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, obj->data.len + obj->id.len + 64);
	clq_splice_object(&b, obj);
	return clq_buf_str(&b);
}

enum clq_status
clq_object_tree(struct clq_arena *arena, const struct clq_object *obj,
    cJSON **out)
{
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(arena, obj->deleted ? CLQ_STR("{}") : obj->data,
	    &tree, &why) != CLQ_OK || !cJSON_IsObject(tree)) {
		clq_log_err("object %.*s: the stored document is no JSON "
		    "object", CLQ_FMT(obj->id));
		return CLQ_FAILED;
	}
	clq_json_set(tree, "id", clq_json_new_str(obj->id));
	clq_json_set(tree, "last_modified",
	    clq_json_new_int(obj->last_modified));
	if (obj->deleted)
		cJSON_AddTrueToObject(tree, "deleted");
	*out = tree;
	return CLQ_OK;
}

void
clq_splice_permissions(struct clq_buf *b, const struct clq_acl *acl)
{
	bool first = true;
	size_t i, j;

	clq_buf_adds(b, "\"permissions\":{");
	for (i = 0; i < acl->n; i++) {
		const struct clq_ace *ace = &acl->aces[i];

		if (ace->principals.n == 0)
			continue;
		if (!first)
			clq_buf_addc(b, ',');
		first = false;
		clq_buf_json_str(b, ace->permission);
		clq_buf_adds(b, ":[");
		for (j = 0; j < ace->principals.n; j++) {
			if (j > 0)
				clq_buf_addc(b, ',');
			clq_buf_json_str(b, ace->principals.items[j]);
		}
		clq_buf_addc(b, ']');
	}
	clq_buf_addc(b, '}');
}

struct clq_str
clq_splice_answer(struct clq_arena *arena, const struct clq_acl *acl,
    const struct clq_object *obj)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, obj->data.len + 256);
	clq_buf_addc(&b, '{');
	if (acl != NULL) {
		clq_splice_permissions(&b, acl);
		clq_buf_addc(&b, ',');
	}
	clq_buf_adds(&b, "\"data\":");
	clq_splice_object(&b, obj);
	clq_buf_addc(&b, '}');
	return clq_buf_str(&b);
}

struct clq_str
clq_splice_list(struct clq_arena *arena, const struct clq_object *objects,
    size_t n)
{
	struct clq_buf b;
	size_t i, hint = 16;

	for (i = 0; i < n; i++)
		hint += objects[i].data.len + objects[i].id.len + 48;
	clq_buf_init(&b, arena, hint);
	clq_buf_adds(&b, "{\"data\":[");
	for (i = 0; i < n; i++) {
		if (i > 0)
			clq_buf_addc(&b, ',');
		clq_splice_object(&b, &objects[i]);
	}
	clq_buf_adds(&b, "]}");
	return clq_buf_str(&b);
}
