/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Response-Behavior of PATCH: how much of the object is answered (section
 * 03-8.3).
 */
#include "resource_impl.h"

#include <cliquet/str.h>

static const char *const names[] = {
	[CLQ_BEHAVIOR_FULL]	= "full",
	[CLQ_BEHAVIOR_LIGHT]	= "light",
	[CLQ_BEHAVIOR_DIFF]	= "diff",
};

enum clq_behavior
clq_behavior_read(struct clq_request *req)
{
	struct clq_str value = clq_request_header(req, "Response-Behavior");

	if (value.len == 0)
		return CLQ_BEHAVIOR_FULL;
	for (size_t i = 0; i < CLQ_COUNT(names); i++)
		if (clq_str_is(value, names[i]))
			return (enum clq_behavior)i;
	value = clq_str_sub(value, 0, 200);
	(void)clq_invalid(req, "header", CLQ_STR("Response-Behavior"),
	    "\"%.*s\" is not one of full, light, diff", CLQ_FMT(value));
	return CLQ_BEHAVIOR_FULL;
}

cJSON *
clq_behavior_apply(struct clq_arena *arena, enum clq_behavior behavior,
    const cJSON *sent, const cJSON *old, const cJSON *data)
{
	cJSON *out = clq_json_own(arena, cJSON_CreateObject());
	struct clq_members before, after;
	const cJSON *item, *now, *was;

	clq_members_of(arena, old, &before);
	clq_members_of(arena, data, &after);
	cJSON_ArrayForEach(item, sent) {
		now = clq_members_find(&after, item->string);
		was = clq_members_find(&before, item->string);
		if (now == NULL || (was != NULL && clq_json_equal(was, now)))
			continue;
		if (behavior == CLQ_BEHAVIOR_DIFF && clq_json_equal(item, now))
			continue;
		cJSON_AddItemToObject(out, item->string,
		    cJSON_Duplicate(now, true));
	}
	return out;
}
