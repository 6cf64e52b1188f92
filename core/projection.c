/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `_fields`: objects reduced to what the client asked for (section 04-5).
 *
 * Dots always separate; a path whose head is no object gives the value at that
 * head. `id` and `last_modified` are always there, `deleted` of a tombstone
 * only if named.
 */
#include "resource_impl.h"

#include <cliquet/str.h>

/* Copy what the path names from `from` into `to`. */
static void
pick(struct clq_arena *arena, cJSON *to, const cJSON *from,
    struct clq_str path)
{
	const char *head;
	cJSON *value, *part;
	size_t dot;

	for (;;) {
		dot = clq_str_find(path, '.', 0);
		head = clq_arena_cstr(arena, clq_str_sub(path, 0, dot));
		if ((value = clq_json_get(from, head)) == NULL)
			return;
		if (dot == path.len || !cJSON_IsObject(value)) {
			clq_json_set(to, head, cJSON_Duplicate(value, true));
			return;
		}
		if ((part = clq_json_get(to, head)) == NULL) {
			part = cJSON_CreateObject();
			clq_json_set(to, head, part);
		}
		to = part;
		from = value;
		path = clq_str_sub(path, dot + 1, path.len);
	}
}

cJSON *
clq_project_tree(struct clq_arena *scratch, const cJSON *tree,
    struct clq_strs fields)
{
	cJSON *out = clq_json_own(scratch, cJSON_CreateObject());

	for (size_t i = 0; i < fields.n; i++)
		pick(scratch, out, tree, fields.items[i]);
	pick(scratch, out, tree, CLQ_STR("id"));
	pick(scratch, out, tree, CLQ_STR("last_modified"));
	return out;
}

enum clq_status
clq_project(struct clq_buf *b, struct clq_arena *scratch,
    const struct clq_object *obj, struct clq_strs fields)
{
	enum clq_status rc;
	cJSON *tree;

	if ((rc = clq_object_tree(scratch, obj, &tree)) != CLQ_OK)
		return rc;
	clq_json_print(b, clq_project_tree(scratch, tree, fields));
	return CLQ_OK;
}
