/* SPDX-License-Identifier: Apache-2.0 */
/* Small pieces that several kinds of the Kinto application use. */
#include <stdarg.h>

#include "kinto.h"

enum clq_status
kinto_erase_below(struct clq_request *req, struct clq_str uri)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str below = clq_arena_printf(arena, "%.*s/*", CLQ_FMT(uri));
	const struct clq_str all = { NULL, 0 };
	const struct clq_storage_ops *storage;
	const struct clq_permission_ops *permission;
	void *store, *perm;
	enum clq_status rc;

	storage = clq_storage(req, &store);
	permission = clq_permission(req, &perm);
	if ((rc = storage->erase(store, all, uri)) != CLQ_OK)
		return rc;
	return permission->delete_objects(perm, &below, 1);
}

enum clq_status
kinto_refuse(struct clq_request *req, const struct clq_draft *draft,
    const char *attribute, const char *fmt, ...)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str name, text;
	va_list ap;

	name = clq_arena_printf(arena, "%s%s", draft->patch ? "" : "data.",
	    attribute);
	va_start(ap, fmt);
	text = clq_arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return clq_invalid(req, "body", name, "%.*s", CLQ_FMT(text));
}

struct clq_str
kinto_shown(struct clq_arena *arena, const cJSON *value)
{
	struct clq_str s = clq_json_str(value);

	return s.p != NULL ? s : clq_json_text(arena, value);
}
