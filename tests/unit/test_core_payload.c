/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON text of events: section 07-11. */
#include <cliquet/str.h>

#include "core/payload.h"

#include <criterion/criterion.h>

#include "arena_fixture.h"

static const struct clq_resource record = { .size = sizeof record,
	.name = "record",
	.plural_path = "/buckets/{bucket_id}/collections/{collection_id}"
	    "/records" };
static const struct clq_resource nested = { .size = sizeof nested,
	.name = "thing" };

TestSuite(payload, .init = setup, .fini = teardown);

static const char *
text_of(const struct clq_event *event, bool objects)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	clq_event_print(&b, event, objects);
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

static struct clq_event
event_at(const char *uri)
{
	return (struct clq_event){ .resource = &record,
		.action = CLQ_ACTION_CREATE, .uri = clq_str_of(uri),
		.timestamp = 12 };
}

#define HEAD(uri) "{\"timestamp\":12,\"action\":\"create\",\"uri\":\"" uri \
    "\",\"user_id\":null,\"resource_name\":\"record\""

Test(payload, has_the_variables_of_the_route)
{
	struct clq_event e = event_at("/buckets/b/collections/c/records/r");

	cr_expect_str_eq(text_of(&e, false),
	    HEAD("/buckets/b/collections/c/records/r")
	    ",\"bucket_id\":\"b\",\"collection_id\":\"c\""
	    ",\"record_id\":\"r\"}");
	e = event_at("/buckets/b/collections/c/records");
	cr_expect_str_eq(text_of(&e, false),
	    HEAD("/buckets/b/collections/c/records")
	    ",\"bucket_id\":\"b\",\"collection_id\":\"c\"}");
}

Test(payload, of_a_path_that_is_not_the_resources)
{
	struct clq_event e = event_at("/batch");

	cr_expect_str_eq(text_of(&e, false), HEAD("/batch") "}");
	e = event_at("/buckets/b");
	cr_expect_str_eq(text_of(&e, false), HEAD("/buckets/b")
	    ",\"bucket_id\":\"b\"}");
	e = event_at("/x");
	e.resource = &nested;		/* no path at all */
	cr_expect(strstr(text_of(&e, false), "\"thing\"}") != NULL);
}

Test(payload, escapes_what_it_says)
{
	struct clq_event e = event_at("/a\"b");

	e.user = CLQ_STR("basicauth:\\x");
	cr_expect(strstr(text_of(&e, false), "\"uri\":\"/a\\\"b\"") != NULL);
	cr_expect(strstr(text_of(&e, false), "\"basicauth:\\\\x\"") != NULL);
}

Test(payload, shows_what_objects_are_and_were)
{
	struct clq_object old = { CLQ_STR("r"), 1, CLQ_STR("{\"n\":1}"), false,
		{ NULL, 0 } };
	struct clq_object new_ = { CLQ_STR("r"), 2, CLQ_STR("{}"), true,
		{ NULL, 0 } };
	struct clq_change change = { .old = &old, .new_ = &new_ };
	struct clq_event e = event_at("/x");

	e.changes = &change;
	e.nchanges = 1;
	cr_expect_str_eq(strstr(text_of(&e, true), ",\"impacted"),
	    ",\"impacted_objects\":[{\"new\":{\"id\":\"r\","
	    "\"last_modified\":2,\"deleted\":true},\"old\":{\"n\":1,"
	    "\"id\":\"r\",\"last_modified\":1}}]}");
	e.action = CLQ_ACTION_READ;
	cr_expect(clq_str_ends(clq_str_of(text_of(&e, true)),
	    ",\"read_objects\":[]}"));
}

Test(payload, comes_in_parts)
{
	struct clq_object objects[5];
	struct clq_event e = event_at("/x");
	size_t from = 0, parts = 0;
	struct clq_buf b;

	for (size_t i = 0; i < 5; i++)
		objects[i] = (struct clq_object){ CLQ_STR("r"), 1,
		    CLQ_STR("{\"a\":\"0123456789012345678901234567890\"}"),
		    false, { NULL, 0 } };
	e.action = CLQ_ACTION_READ;
	e.reads = objects;
	e.nreads = 5;
	do {
		clq_buf_init(&b, arena, 0);
		from = clq_payload_part(&b, &e, true, from, 200);
		parts++;
		cr_expect(clq_str_ends(clq_buf_str(&b), "}]}"));
	} while (from < clq_payload_count(&e) && parts < 10);
	cr_expect_geq(parts, 2);
	cr_expect_leq(parts, 5);
	clq_buf_init(&b, arena, 0);
	cr_expect_eq(clq_payload_part(&b, &e, false, 0, 1), 5);
}
