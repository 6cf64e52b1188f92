/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON text of an event (section 07-11): what all its objects have in
 * common, then the objects.
 *
 * The variables of the route are found by laying the request's path over the
 * resource's: "/buckets/{bucket_id}/groups" over "/buckets/b/groups/g" gives
 * bucket_id, and group_id for what is left over.
 */
#include "payload.h"

#include <cliquet/str.h>

const char *
clq_action_name(enum clq_action action)
{
	static const char *const names[] = {
		[CLQ_ACTION_CREATE]	= "create",
		[CLQ_ACTION_UPDATE]	= "update",
		[CLQ_ACTION_DELETE]	= "delete",
		[CLQ_ACTION_READ]	= "read",
	};

	_Static_assert(CLQ_COUNT(names) == CLQ_ACTION__COUNT, "");
	return names[action];
}

static void
add_text(struct clq_buf *b, struct clq_str name, const char *suffix,
    struct clq_str value)
{
	clq_buf_printf(b, ",\"%.*s%s\":", CLQ_FMT(name), suffix);
	if (value.p == NULL)
		clq_buf_adds(b, "null");
	else
		clq_buf_json_str(b, clq_utf8_valid(value) ? value :
		    CLQ_STR("?"));
}

static void
add_variables(struct clq_buf *b, const struct clq_event *event)
{
	struct clq_str pattern = clq_str_of(event->resource->plural_path);
	struct clq_str uri = event->uri, name, value;

	if (pattern.p == NULL)
		return;
	while (clq_str_next(&pattern, '/', &name)) {
		if (!clq_str_next(&uri, '/', &value))
			return;
		if (clq_str_starts(name, "{"))
			add_text(b, clq_str_sub(name, 1, name.len - 1), "",
			    value);
		else if (!clq_str_eq(name, value))
			return;		/* an alias of something else */
	}
	if (uri.len > 0 && clq_str_find(uri, '/', 0) == uri.len)
		add_text(b, clq_str_of(event->resource->name), "_id", uri);
}

static void
add_head(struct clq_buf *b, const struct clq_event *event)
{
	clq_buf_adds(b, "{\"timestamp\":");
	clq_buf_addint(b, event->timestamp);
	add_text(b, CLQ_STR("action"), "",
	    clq_str_of(clq_action_name(event->action)));
	add_text(b, CLQ_STR("uri"), "", event->uri);
	add_text(b, CLQ_STR("user_id"), "", event->user);
	add_text(b, CLQ_STR("resource_name"), "",
	    clq_str_of(event->resource->name));
	add_variables(b, event);
}

static void
add_object(struct clq_buf *b, const struct clq_event *event, size_t i)
{
	const struct clq_change *change;

	if (event->action == CLQ_ACTION_READ) {
		clq_buf_add(b, clq_object_text(b->arena, &event->reads[i]));
		return;
	}
	change = &event->changes[i];
	clq_buf_adds(b, "{\"new\":");
	if (change->new_ != NULL)
		clq_buf_add(b, clq_object_text(b->arena, change->new_));
	else
		clq_buf_adds(b, "null");
	if (change->old != NULL) {
		clq_buf_adds(b, ",\"old\":");
		clq_buf_add(b, clq_object_text(b->arena, change->old));
	}
	clq_buf_addc(b, '}');
}

size_t
clq_payload_count(const struct clq_event *event)
{
	return event->action == CLQ_ACTION_READ ? event->nreads :
	    event->nchanges;
}

size_t
clq_payload_part(struct clq_buf *b, const struct clq_event *event,
    bool objects, size_t from, size_t limit)
{
	size_t n = clq_payload_count(event), i = from;

	add_head(b, event);
	if (objects) {
		clq_buf_adds(b, event->action == CLQ_ACTION_READ ?
		    ",\"read_objects\":[" : ",\"impacted_objects\":[");
		for (; i < n && (i == from || limit == 0 || b->len < limit);
		    i++) {
			if (i > from)
				clq_buf_addc(b, ',');
			add_object(b, event, i);
		}
		clq_buf_addc(b, ']');
	} else {
		i = n;
	}
	clq_buf_addc(b, '}');
	return i;
}

void
clq_event_print(struct clq_buf *b, const struct clq_event *event,
    bool objects)
{
	(void)clq_payload_part(b, event, objects, 0, 0);
}
