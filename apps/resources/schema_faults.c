/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a tree from being a JSON Schema: told all at once, up to a bound,
 * as with everything else that is wrong in an ini.
 *
 * A validation ends at its first failure. So what has been told is taken out
 * of a copy, which is validated again. What is taken out is always the member
 * of an object: without an element, its neighbours' positions would be told
 * wrong. A list with several wrong elements has its first one told.
 *
 * Of the rest, patterns are told by a compilation, which ends at its first
 * failure too, and references only if nothing was taken out, which they might
 * have led to.
 */
#include "resources.h"

#include <string.h>

enum { FAULTS_MAX = 10 };	/* of one file */

/* A part of a JSON pointer, decoded: "~1" is '/', "~0" is '~'. */
static const char *
part_of(struct clq_arena *arena, struct clq_str coded)
{
	char *part = clq_arena_cstr(arena, coded), *to = part;

	for (const char *c = part; *c != '\0'; c++) {
		*to = *c;
		if (*c == '~' && c[1] != '\0')
			*to = *++c == '1' ? '/' : '~';
		to++;
	}
	*to = '\0';
	return part;
}

/* Take out of tree the innermost member of an object on the way that pointer
 * goes. False: there is none, all of the tree is meant. */
static bool
prune(struct clq_arena *arena, cJSON *tree, struct clq_str pointer)
{
	cJSON *at = tree, *child, *object = NULL, *member = NULL;
	struct clq_str rest = pointer, coded;
	int64_t index;

	(void)clq_str_next(&rest, '/', &coded);	/* before the first '/' */
	while (clq_str_next(&rest, '/', &coded)) {
		child = NULL;
		if (cJSON_IsObject(at))
			child = clq_json_get(at, part_of(arena, coded));
		else if (clq_str_int(coded, &index) && index >= 0 &&
		    index < cJSON_GetArraySize(at))
			child = cJSON_GetArrayItem(at, (int)index);
		if (child == NULL)
			break;
		if (cJSON_IsObject(at)) {
			object = at;
			member = child;
		}
		at = child;
	}
	if (member == NULL)
		return false;
	cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
	return true;
}

/* Tell what its metaschema does not allow; takes it out of tree. The number. */
static unsigned
tell_misfits(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path, cJSON *tree)
{
	enum js_draft draft = js_draft_of(tree, JS_DRAFT_NEWEST);
	struct js_error e;
	unsigned n = 0;

	while (js_validate(js_metaschema(draft), tree, ini->arena, &e) !=
	    JS_VALID) {
		if (n++ == FAULTS_MAX) {
			ini_wrong(ini, r, key, "%s: too many faults; further "
			    "ones are not told", path);
			break;
		}
		ini_wrong(ini, r, key, "%s: no JSON Schema: at \"%.*s\" "
		    "%.*s; correct the schema", path, CLQ_FMT(e.path),
		    CLQ_FMT(e.message));
		if (!prune(ini->arena, tree, e.path))
			break;
	}
	return n;
}

bool
ini_compile(struct ini *ini, struct ini_resource *r, const char *key,
    const char *path, const cJSON *tree, struct js_schema **out)
{
	cJSON *rest = clq_json_dup(ini->arena, tree);
	unsigned n = tell_misfits(ini, r, key, path, rest);
	const char *dangling;
	struct js_error e;

	if (n > FAULTS_MAX)
		return false;
	if (js_compile(n == 0 ? tree : rest, JS_DRAFT_NEWEST, ini->arena, out,
	    &e) != CLQ_OK)
		return ini_wrong(ini, r, key, "%s: %.*s: %.*s; correct the "
		    "schema", path, CLQ_FMT(e.name), CLQ_FMT(e.message));
	for (size_t i = 0; n == 0 &&
	    (dangling = js_dangling(*out, i)) != NULL; i++)
		ini_wrong(ini, r, key, "%s: the reference \"%s\" leads "
		    "nowhere; only parts of the same file can be referred to",
		    path, dangling);
	if (n == 0 && js_dangling(*out, 0) == NULL)
		return true;
	js_schema_free(out);
	return false;
}
