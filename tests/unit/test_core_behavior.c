/* SPDX-License-Identifier: Apache-2.0 */
/* Response-Behavior: what a PATCH answers (section 03-8.3). */
#include <cliquet/str.h>

#include "core/resource_impl.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static cJSON *
tree(struct clq_arena *arena, const char *text)
{
	struct clq_str why;
	cJSON *out = NULL;

	cr_assert_eq(clq_json_parse(arena, clq_str_of(text), &out, &why),
	    CLQ_OK, "%s", text);
	return out;
}

static void
expect(enum clq_behavior behavior, const char *sent, const char *text)
{
	struct clq_arena *arena = clq_arena_new();
	cJSON *old = tree(arena, "{\"a\":1,\"b\":2,\"gone\":3,"
	    "\"id\":\"x\",\"last_modified\":10}");
	cJSON *new_ = tree(arena, "{\"a\":1,\"b\":5,\"n\":7,"
	    "\"id\":\"x\",\"last_modified\":11}");
	cJSON *out = clq_behavior_apply(arena, behavior, tree(arena, sent),
	    old, new_);

	cr_expect(clq_str_is(clq_json_text(arena, out), text), "%s: %.*s",
	    sent, CLQ_FMT(clq_json_text(arena, out)));
	clq_arena_free(&arena);
}

Test(behavior, light_shows_what_was_sent_and_changed)
{
	expect(CLQ_BEHAVIOR_LIGHT, "{\"a\":1}", "{}");
	expect(CLQ_BEHAVIOR_LIGHT, "{\"b\":5}", "{\"b\":5}");
	expect(CLQ_BEHAVIOR_LIGHT, "{\"n\":7,\"a\":1}", "{\"n\":7}");
	expect(CLQ_BEHAVIOR_LIGHT, "{\"last_modified\":4}",
	    "{\"last_modified\":11}");
	expect(CLQ_BEHAVIOR_LIGHT, "{\"gone\":null}", "{}");
	expect(CLQ_BEHAVIOR_LIGHT, "{}", "{}");
}

Test(behavior, diff_shows_what_came_out_differently)
{
	expect(CLQ_BEHAVIOR_DIFF, "{\"b\":5}", "{}");
	expect(CLQ_BEHAVIOR_DIFF, "{\"b\":4}", "{\"b\":5}");
	expect(CLQ_BEHAVIOR_DIFF, "{\"b\":4,\"last_modified\":4}",
	    "{\"b\":5,\"last_modified\":11}");
	expect(CLQ_BEHAVIOR_DIFF, "{\"last_modified\":11}", "{}");
}

static enum clq_behavior
read_header(struct loopback *lb, const char *value, size_t *errors)
{
	struct clq_request *req = clq_request_new(lb->srv, lb->arena);
	enum clq_behavior b;

	if (value != NULL)
		clq_pairs_add(lb->arena, &req->headers,
		    CLQ_STR("Response-Behavior"), clq_str_of(value));
	b = clq_behavior_read(req);
	*errors = req->error.ninvalid;
	return b;
}

Test(behavior, reads_the_header)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");
	size_t errors;

	cr_expect_eq(read_header(&lb, NULL, &errors), CLQ_BEHAVIOR_FULL);
	cr_expect_eq(read_header(&lb, "", &errors), CLQ_BEHAVIOR_FULL);
	cr_expect_eq(read_header(&lb, "full", &errors), CLQ_BEHAVIOR_FULL);
	cr_expect_eq(read_header(&lb, "light", &errors), CLQ_BEHAVIOR_LIGHT);
	cr_expect_eq(read_header(&lb, "diff", &errors), CLQ_BEHAVIOR_DIFF);
	cr_expect_eq(errors, 0);
	(void)read_header(&lb, "Light", &errors);
	cr_expect_eq(errors, 1);
	loopback_free(&lb);
}
