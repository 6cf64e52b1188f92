/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PATCH with an envelope: plain (section 03-6.3) and RFC 7396 (03-8.1); and
 * the form of RFC 6902 operations, which jsonpatch.c runs.
 *
 * Changes are moved into the document, not copied. Members are found in a
 * sorted index, so that a body full of names costs no square of their number.
 */
#include "resource_impl.h"

#include <cliquet/str.h>

#include <stdlib.h>

enum { MAX_OPS = 5000 };	/* JSON-patch operations in one body */

static int
by_name(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

void
clq_members_of(struct clq_arena *arena, const cJSON *object,
    struct clq_members *out)
{
	size_t n = 0;
	cJSON *item;

	cJSON_ArrayForEach(item, object)
		n++;
	out->n = n;
	out->items = clq_arena_calloc(arena, n, sizeof *out->items);
	n = 0;
	cJSON_ArrayForEach(item, object)
		out->items[n++] = item;
	if (n > 1)
		qsort(out->items, n, sizeof *out->items, by_name);
}

/* Where the index has the member of that name; NULL if nowhere. */
static cJSON **
slot_of(const struct clq_members *members, const char *name)
{
	size_t lo = 0, hi = members->n, mid;
	int order;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		order = strcmp(name, members->items[mid]->string);
		if (order == 0)
			return &members->items[mid];
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

cJSON *
clq_members_find(const struct clq_members *members, const char *name)
{
	cJSON **slot = slot_of(members, name);

	return slot != NULL ? *slot : NULL;
}

/* Move item, detached and named, over the member in slot or behind all
 * others. The index stays usable. */
static void
put(cJSON *object, cJSON **slot, cJSON *item)
{
	if (slot != NULL) {
		cJSON_ReplaceItemViaPointer(object, *slot, item);
		*slot = item;
	} else {
		cJSON_AddItemToObject(object, item->string, item);
	}
}

void
clq_patch_plain(struct clq_arena *arena, cJSON *data, cJSON *changes)
{
	struct clq_members members;
	cJSON *item;

	clq_members_of(arena, data, &members);
	while ((item = changes->child) != NULL) {
		cJSON_DetachItemViaPointer(changes, item);
		put(data, slot_of(&members, item->string), item);
	}
}

/* A new object holds no nulls either. */
static void
strip_nulls(cJSON *object)
{
	cJSON *item = object->child, *next;

	for (; item != NULL; item = next) {
		next = item->next;
		if (cJSON_IsNull(item))
			cJSON_Delete(cJSON_DetachItemViaPointer(object, item));
		else if (cJSON_IsObject(item))
			strip_nulls(item);
	}
}

void
clq_patch_merge(struct clq_arena *arena, cJSON *data, cJSON *changes)
{
	cJSON *gone = clq_json_own(arena, cJSON_CreateArray());
	struct clq_members members;
	cJSON *item, **slot;

	clq_members_of(arena, data, &members);
	while ((item = changes->child) != NULL) {
		cJSON_DetachItemViaPointer(changes, item);
		slot = slot_of(&members, item->string);
		if (cJSON_IsNull(item)) {
			/* the index still needs the names of what goes */
			if (slot != NULL)
				cJSON_AddItemToArray(gone,
				    cJSON_DetachItemViaPointer(data, *slot));
			cJSON_Delete(item);
		} else if (cJSON_IsObject(item) && slot != NULL &&
		    cJSON_IsObject(*slot)) {
			clq_patch_merge(arena, *slot, item);
			cJSON_Delete(item);
		} else {
			if (cJSON_IsObject(item))
				strip_nulls(item);
			put(data, slot, item);
		}
	}
}

/* ---- the form of JSON-patch -------------------------------------------- */

/* A member that is a string, and not the empty one; else absent, and said if
 * it is something else, or needed. */
static struct clq_str
text_of(struct clq_request *req, const struct clq_str at, const cJSON *op,
    const char *key, bool needed)
{
	const cJSON *item = clq_json_get(op, key);
	struct clq_str text = clq_json_str(item), none = { NULL, 0 };
	struct clq_str name = clq_arena_printf(req->arena, "%.*s.%s",
	    CLQ_FMT(at), key);

	if (text.len > 0)
		return text;
	if (item != NULL && text.p == NULL && !cJSON_IsNull(item))
		clq_not_string(req, name, key, item);
	else if (needed)
		(void)clq_invalid(req, "body", name, "Required");
	return none;
}

static void
check_pointer(struct clq_request *req, struct clq_str at, const cJSON *op,
    const char *key, bool needed)
{
	struct clq_str text = text_of(req, at, op, key, needed);

	if (text.p != NULL && text.p[0] != '/')
		(void)clq_invalid(req, "body", clq_arena_printf(req->arena,
		    "%.*s.%s", CLQ_FMT(at), key),
		    "String does not match expected pattern");
}

/* What is wrong with the form of one operation. */
static void
check_op(struct clq_request *req, int i, const cJSON *op)
{
	static const char *const names[] = { "add", "remove", "replace",
		"move", "copy", "test" };
	static const char *const keys[] = { "op", "path", "from", "value",
		NULL };
	struct clq_str at = clq_arena_printf(req->arena, "%d", i), name;
	size_t n = 0;

	if (!cJSON_IsObject(op)) {
		clq_not_mapping(req, at, op);
		return;
	}
	name = text_of(req, at, op, "op", true);
	while (n < CLQ_COUNT(names) && !clq_str_is(name, names[n]))
		n++;
	if (name.p != NULL && n == CLQ_COUNT(names))
		(void)clq_invalid(req, "body", clq_arena_printf(req->arena,
		    "%d.op", i), "\"%.*s\" is not one of add, remove, "
		    "replace, move, copy, test", CLQ_FMT(clq_schema_shown(
		    req->arena, clq_json_get(op, "op"))));
	check_pointer(req, at, op, "path", true);
	check_pointer(req, at, op, "from", clq_str_is(name, "move") ||
	    clq_str_is(name, "copy"));
	clq_body_keys(req, at, op, keys);
}

void
clq_patch_json_check(struct clq_request *req, const cJSON *ops)
{
	size_t before = req->error.ninvalid;
	const cJSON *op;
	int i = 0;

	cJSON_ArrayForEach(op, ops) {
		if (i == MAX_OPS) {
			(void)clq_invalid(req, "body", CLQ_STR(""),
			    "There may be at most %d operations", MAX_OPS);
			return;
		}
		check_op(req, i++, op);
		if (req->error.ninvalid > before)
			return;		/* bounds what is said */
	}
}
