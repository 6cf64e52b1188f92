/* SPDX-License-Identifier: Apache-2.0 */
/* Answers made from stored text. */
#include <cliquet/str.h>

#include "core/resource_impl.h"

#include <criterion/criterion.h>

#include "arena_fixture.h"

TestSuite(splice, .init = setup, .fini = teardown);

static struct clq_object
object(const char *data)
{
	return (struct clq_object){ .id = CLQ_STR("x\"y"),
	    .last_modified = 5, .data = clq_str_of(data) };
}

static void
expect_object(const char *data, const char *text)
{
	struct clq_object obj = object(data);
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	clq_splice_object(&b, &obj);
	cr_expect(clq_str_is(clq_buf_str(&b), text), "%.*s",
	    CLQ_FMT(clq_buf_str(&b)));
}

Test(splice, appends_id_and_time)
{
	expect_object("{\"a\":1}",
	    "{\"a\":1,\"id\":\"x\\\"y\",\"last_modified\":5}");
	expect_object("{}", "{\"id\":\"x\\\"y\",\"last_modified\":5}");
	expect_object(" { } ", "{\"id\":\"x\\\"y\",\"last_modified\":5}");
	expect_object("{\"a\": {\"b\": 1}}",
	    "{\"a\": {\"b\": 1},\"id\":\"x\\\"y\",\"last_modified\":5}");
}

Test(splice, tombstones)
{
	struct clq_object obj = object("{}");

	obj.deleted = true;
	obj.id = CLQ_STR("t");
	cr_expect(clq_str_is(clq_splice_list(arena, &obj, 1),
	    "{\"data\":[{\"id\":\"t\",\"last_modified\":5,"
	    "\"deleted\":true}]}"));
}

Test(splice, lists)
{
	struct clq_object two[] = { object("{\"a\":1}"), object("{}") };

	two[0].id = two[1].id = CLQ_STR("i");
	cr_expect(clq_str_is(clq_splice_list(arena, NULL, 0),
	    "{\"data\":[]}"));
	cr_expect(clq_str_is(clq_splice_list(arena, two, 2), "{\"data\":["
	    "{\"a\":1,\"id\":\"i\",\"last_modified\":5},"
	    "{\"id\":\"i\",\"last_modified\":5}]}"));
}

Test(splice, permissions_come_first_and_without_empty_ones)
{
	struct clq_str two[] = { CLQ_STR("a"), CLQ_STR("b\"") };
	struct clq_ace aces[] = {
		{ CLQ_STR("read"), { NULL, 0, 0 } },
		{ CLQ_STR("write"), { two, 2, 0 } },
		{ CLQ_STR("x:create"), { two, 1, 0 } },
	};
	struct clq_acl acl = { aces, 3 };
	struct clq_object obj = object("{}");

	obj.id = CLQ_STR("i");
	cr_expect(clq_str_is(clq_splice_answer(arena, &acl, &obj),
	    "{\"permissions\":{\"write\":[\"a\",\"b\\\"\"],"
	    "\"x:create\":[\"a\"]},"
	    "\"data\":{\"id\":\"i\",\"last_modified\":5}}"));
	cr_expect(clq_str_is(clq_splice_answer(arena, NULL, &obj),
	    "{\"data\":{\"id\":\"i\",\"last_modified\":5}}"));
	acl.n = 0;
	cr_expect(clq_str_is(clq_splice_answer(arena, &acl, &obj),
	    "{\"permissions\":{},"
	    "\"data\":{\"id\":\"i\",\"last_modified\":5}}"));
}

Test(splice, the_same_as_a_tree)
{
	struct clq_object obj = object("{\"n\":9007199254740993}");
	cJSON *tree;

	cr_assert_eq(clq_object_tree(arena, &obj, &tree), CLQ_OK);
	cr_expect(clq_str_is(clq_json_text(arena, tree),
	    "{\"n\":9007199254740993,\"id\":\"x\\\"y\","
	    "\"last_modified\":5}"));
	obj.data = CLQ_STR("[]");
	cr_expect_eq(clq_object_tree(arena, &obj, &tree), CLQ_FAILED);
}
