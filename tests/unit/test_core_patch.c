/* SPDX-License-Identifier: Apache-2.0 */
/* Plain PATCH, RFC 7396 and RFC 6902 (sections 03-6.3, 03-8). */
#include <cliquet/str.h>

#include "core/resource_impl.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(patch, .init = setup, .fini = teardown);
TestSuite(jsonpatch, .init = setup, .fini = teardown);

typedef void apply_f(struct clq_arena *arena, cJSON *data, cJSON *changes);

static void
expect(apply_f *apply, const char *data, const char *changes,
    const char *result)
{
	cJSON *doc = tree(data);
	struct clq_str text;

	apply(lb.arena, doc, tree(changes));
	text = clq_json_text(lb.arena, doc);
	cr_expect(clq_str_is(text, result), "%s + %s: %.*s", data, changes,
	    CLQ_FMT(text));
}

Test(patch, plain_overwrites_top_level_keys)
{
	apply_f *f = clq_patch_plain;

	expect(f, "{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}",
	    "{\"a\":1,\"b\":3,\"c\":4}");
	expect(f, "{\"a\":{\"x\":1}}", "{\"a\":{\"y\":2}}",
	    "{\"a\":{\"y\":2}}");
	expect(f, "{\"a\":1}", "{\"a\":null}", "{\"a\":null}");
	expect(f, "{\"A\":1}", "{\"a\":2}", "{\"A\":1,\"a\":2}");
	expect(f, "{}", "{}", "{}");
	expect(f, "{\"n\":9007199254740993}", "{\"m\":9007199254740995}",
	    "{\"n\":9007199254740993,\"m\":9007199254740995}");
}

Test(patch, plain_of_many_members)
{
	struct clq_buf b;
	cJSON *data, *changes;

	clq_buf_init(&b, lb.arena, 0);
	clq_buf_addc(&b, '{');
	for (int i = 0; i < 20000; i++)
		clq_buf_printf(&b, "%s\"k%d\":%d", i > 0 ? "," : "", i, i);
	clq_buf_addc(&b, '}');
	data = tree(clq_arena_cstr(lb.arena, clq_buf_str(&b)));
	changes = tree(clq_arena_cstr(lb.arena, clq_buf_str(&b)));
	clq_patch_plain(lb.arena, data, changes);
	cr_expect_eq(cJSON_GetArraySize(data), 20000);
}

/* The examples of the appendix of RFC 7396 that have object targets. */
Test(patch, merge_as_the_rfc_says)
{
	apply_f *f = clq_patch_merge;

	expect(f, "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
	expect(f, "{\"a\":\"b\"}", "{\"b\":\"c\"}",
	    "{\"a\":\"b\",\"b\":\"c\"}");
	expect(f, "{\"a\":\"b\"}", "{\"a\":null}", "{}");
	expect(f, "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}",
	    "{\"b\":\"c\"}");
	expect(f, "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
	expect(f, "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
	expect(f, "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
	    "{\"a\":{\"b\":\"d\"}}");
	expect(f, "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
	expect(f, "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
	expect(f, "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}",
	    "{\"a\":{\"bb\":{}}}");
	expect(f, "{\"a\":1}", "{\"a\":{\"b\":2,\"c\":null}}",
	    "{\"a\":{\"b\":2}}");
	expect(f, "{\"a\":1,\"b\":2,\"c\":3}",
	    "{\"b\":null,\"a\":null,\"c\":null,\"d\":4}", "{\"d\":4}");
}

/* ---- RFC 6902 ---------------------------------------------------------- */

struct outcome {
	struct clq_request	*req;
	enum clq_status		 rc;
	const char		*data;
	const char		*permissions;	/* "read=a,b write=c " */
};

static struct clq_acl
stored_acl(void)
{
	struct clq_acl acl = { NULL, 0 };
	struct clq_strs nobody = { NULL, 0, 0 }, me = { NULL, 0, 0 };

	clq_strs_add(lb.arena, &me, CLQ_STR("me"));
	clq_acl_set(lb.arena, &acl, CLQ_STR("read"), nobody);
	clq_acl_set(lb.arena, &acl, CLQ_STR("write"), me);
	clq_acl_set(lb.arena, &acl, CLQ_STR("x:create"), nobody);
	return acl;
}

static struct outcome
run(const char *data, const char *ops)
{
	struct outcome out = { .req = clq_request_new(lb.srv, lb.arena) };
	struct clq_acl acl = stored_acl();
	cJSON *doc = tree(data);
	struct clq_buf b;

	clq_patch_json_check(out.req, tree(ops));
	if (out.req->error.ninvalid > 0) {
		out.rc = CLQ_FAILED;		/* its form is wrong */
		return out;
	}
	out.rc = clq_patch_json(out.req, tree(ops), &doc, &acl);
	out.data = clq_arena_cstr(lb.arena, clq_json_text(lb.arena, doc));
	clq_buf_init(&b, lb.arena, 64);
	for (size_t i = 0; i < acl.n; i++) {
		clq_buf_printf(&b, "%.*s=", CLQ_FMT(acl.aces[i].permission));
		for (size_t j = 0; j < acl.aces[i].principals.n; j++)
			clq_buf_printf(&b, "%s%.*s", j > 0 ? "," : "",
			    CLQ_FMT(acl.aces[i].principals.items[j]));
		clq_buf_addc(&b, ' ');
	}
	out.permissions = clq_arena_cstr(lb.arena, clq_buf_str(&b));
	return out;
}

static void
expect_data(const char *data, const char *ops, const char *result)
{
	struct outcome out = run(data, ops);

	cr_expect_eq(out.rc, CLQ_OK, "%s", ops);
	if (out.rc == CLQ_OK)
		cr_expect_str_eq(out.data, result, "%s: %s", ops, out.data);
}

static void
expect_failure(const char *data, const char *ops, const char *why)
{
	struct outcome out = run(data, ops);
	const struct clq_detail *d = out.req->error.invalid;

	cr_assert_eq(out.rc, CLQ_INVALID, "%s", ops);
	cr_expect_null(d->name.p);
	cr_expect_str_eq(d->location, "body");
	cr_expect(clq_str_starts(d->description,
	    "JSON Patch operation failed: "));
	cr_expect(clq_str_ends(d->description, why), "%s: %.*s", ops,
	    CLQ_FMT(d->description));
	cr_expect_str_eq(out.data, data, "nothing is applied");
}

static void
expect_acl(const char *ops, const char *permissions)
{
	struct outcome out = run("{}", ops);

	cr_expect_eq(out.rc, CLQ_OK, "%s", ops);
	if (out.rc == CLQ_OK)
		cr_expect_str_eq(out.permissions, permissions, "%s: %s", ops,
		    out.permissions);
}

#define ADD(path, value) \
	"{\"op\":\"add\",\"path\":\"" path "\",\"value\":" value "}"

Test(jsonpatch, operations)
{
	expect_data("{\"a\":1}", "[]", "{\"a\":1}");
	expect_data("{\"a\":1}", "[" ADD("/data/b", "2") "]",
	    "{\"a\":1,\"b\":2}");
	expect_data("{\"a\":1}", "[" ADD("/data/a", "2") "]", "{\"a\":2}");
	expect_data("{\"l\":[1,2]}", "[" ADD("/data/l/-", "3") ","
	    ADD("/data/l/0", "0") "," ADD("/data/l/4", "4") "]",
	    "{\"l\":[0,1,2,3,4]}");
	expect_data("{\"a\":1,\"b\":2}",
	    "[{\"op\":\"remove\",\"path\":\"/data/a\"}]", "{\"b\":2}");
	expect_data("{\"l\":[1,2,3]}",
	    "[{\"op\":\"remove\",\"path\":\"/data/l/1\"}]", "{\"l\":[1,3]}");
	expect_data("{\"l\":[1,2,3]}", "[{\"op\":\"replace\","
	    "\"path\":\"/data/l/1\",\"value\":9}]", "{\"l\":[1,9,3]}");
	expect_data("{\"l\":[1,2]}", "[{\"op\":\"replace\","
	    "\"path\":\"/data/l/1\",\"value\":9}]", "{\"l\":[1,9]}");
	expect_data("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/data/a\","
	    "\"path\":\"/data/b\"}]", "{\"b\":1}");
	expect_data("{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/data/a\","
	    "\"path\":\"/data/a\"}]", "{\"a\":1}");
	expect_data("{\"l\":[1,2,3]}", "[{\"op\":\"move\","
	    "\"from\":\"/data/l/0\",\"path\":\"/data/l/2\"}]",
	    "{\"l\":[2,3,1]}");
	expect_data("{\"a\":{\"b\":1}}", "[{\"op\":\"copy\","
	    "\"from\":\"/data/a\",\"path\":\"/data/a/c\"}]",
	    "{\"a\":{\"b\":1,\"c\":{\"b\":1}}}");
	expect_data("{\"a\":{\"x\":1,\"y\":[1]}}", "[{\"op\":\"test\","
	    "\"path\":\"/data/a\",\"value\":{\"y\":[1.0],\"x\":1}}]",
	    "{\"a\":{\"x\":1,\"y\":[1]}}");
	expect_data("{\"a/b\":1,\"m~n\":2}", "["
	    ADD("/data/a~1b", "3") "," ADD("/data/m~0n", "4") "]",
	    "{\"a/b\":3,\"m~n\":4}");
	expect_data("{\"\":1}", "[" ADD("/data/", "2") "]", "{\"\":2}");
	expect_data("{\"n\":9007199254740993}", "[{\"op\":\"copy\","
	    "\"from\":\"/data/n\",\"path\":\"/data/m\"}]",
	    "{\"n\":9007199254740993,\"m\":9007199254740993}");
	expect_data("{\"a\":1}", "[" ADD("/foo", "1") "]", "{\"a\":1}");
}

Test(jsonpatch, failures_change_nothing)
{
	expect_failure("{\"a\":1}", "[" ADD("/data/b", "1") ",{\"op\":"
	    "\"test\",\"path\":\"/data/a\",\"value\":2}]", "a test failed");
	expect_failure("{}", "[{\"op\":\"remove\",\"path\":\"/data/x\"}]",
	    "a member does not exist");
	expect_failure("{}", "[" ADD("/data/x/y", "1") "]",
	    "a member does not exist");
	expect_failure("{\"a\":1}", "[" ADD("/data/a/y", "1") "]",
	    "a pointer leads into a plain value");
	expect_failure("{\"a\":1}", "[{\"op\":\"replace\","
	    "\"path\":\"/data/b\",\"value\":1}]", "a member does not exist");
	expect_failure("{\"a\":{}}", "[{\"op\":\"move\",\"from\":\"/data/a\","
	    "\"path\":\"/data/a/b\"}]", "a value cannot be moved into itself");
	expect_failure("{\"l\":[1]}", "[" ADD("/data/l/3", "1") "]",
	    "an index is out of range");
	expect_failure("{\"l\":[1]}", "[" ADD("/data/l/01", "1") "]",
	    "an array has no such index");
	expect_failure("{\"l\":[1]}",
	    "[{\"op\":\"remove\",\"path\":\"/data/l/-\"}]",
	    "an array has no such index");
	expect_failure("{}", "[{\"op\":\"add\",\"path\":\"/data/x\"}]",
	    "an operation has no value");
	expect_failure("{}", "[" ADD("/data/~2", "1") "]",
	    "a '~' is not followed by 0 or 1");
	expect_failure("{}", "[{\"op\":\"remove\",\"path\":\"/data\"}]",
	    "data is no object any more");
	expect_failure("{}", "[{\"op\":\"replace\",\"path\":\"/data\","
	    "\"value\":[]}]", "data is no object any more");
}

Test(jsonpatch, principals)
{
	expect_acl("[]", "read= write=me x:create= ");
	expect_acl("[{\"op\":\"add\",\"path\":\"/permissions/read/a\"}]",
	    "read=a write=me x:create= ");
	expect_acl("[{\"op\":\"add\",\"path\":"
	    "\"/permissions/x:create/fxa:u\"}]",
	    "read= write=me x:create=fxa:u ");
	expect_acl("[{\"op\":\"add\",\"path\":"
	    "\"/permissions/read/~1buckets~1b~1groups~1g\"}]",
	    "read=/buckets/b/groups/g write=me x:create= ");
	expect_acl("[{\"op\":\"add\",\"path\":"
	    "\"/permissions/read//buckets/b/groups/g\"}]",
	    "read=/buckets/b/groups/g write=me x:create= ");
	expect_acl("[{\"op\":\"remove\",\"path\":\"/permissions/write/me\"}]",
	    "read= write= x:create= ");
	expect_acl("[{\"op\":\"replace\",\"path\":\"/permissions/read\","
	    "\"value\":{\"p\":{}}}]", "read=p write=me x:create= ");
	expect_acl("[{\"op\":\"replace\",\"path\":\"/permissions/read\","
	    "\"value\":[\"p\",\"q\",\"p\"]}]",
	    "read=p,q write=me x:create= ");
	expect_acl("[{\"op\":\"remove\",\"path\":\"/permissions/write\"}]",
	    "read= x:create= ");
	expect_failure("{}", "[{\"op\":\"remove\","
	    "\"path\":\"/permissions/read/nobody\"}]",
	    "a member does not exist");
	expect_failure("{}", "[{\"op\":\"replace\","
	    "\"path\":\"/permissions/read\",\"value\":3}]",
	    "a permission is no list of principals");
	expect_failure("{}", "[{\"op\":\"replace\","
	    "\"path\":\"/permissions/read\",\"value\":[3]}]",
	    "a principal is no string");
}

Test(jsonpatch, form)
{
	static const char *const bad[] = {
		"[1]", "[{\"op\":\"add\"}]",
		"[{\"op\":\"foo\",\"path\":\"/data\"}]",
		"[{\"op\":\"add move\",\"path\":\"/data\"}]",
		"[{\"op\":\"add\",\"path\":\"data\",\"value\":1}]",
		"[{\"op\":\"add\",\"path\":3,\"value\":1}]",
		"[{\"op\":\"add\",\"path\":\"\",\"value\":1}]",
		"[{\"op\":\"move\",\"path\":\"/data/a\"}]",
		("[{\"op\":\"test\",\"path\":\"/data/a\",\"value\":1,"
		"\"x\":2}]"),
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++) {
		struct outcome out = run("{}", bad[i]);

		cr_expect_eq(out.rc, CLQ_FAILED, "%s", bad[i]);
		cr_expect_eq(out.req->error.ninvalid, 1, "%s", bad[i]);
	}
}

/* n times the same operation, as an array. */
static const char *
repeat(const char *op, int n)
{
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, 0);
	for (int i = 0; i < n; i++)
		clq_buf_printf(&b, "%c%s", i > 0 ? ',' : '[', op);
	clq_buf_addc(&b, ']');
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

Test(jsonpatch, is_bounded)
{
	struct clq_buf b;

	/* each copy doubles the list, or the object */
	expect_failure("{\"l\":[1,2,3,4]}", repeat("{\"op\":\"copy\","
	    "\"from\":\"/data/l\",\"path\":\"/data/l/-\"}", 60),
	    "it takes too much work");
	clq_buf_init(&b, lb.arena, 0);
	clq_buf_addc(&b, '[');
	for (int i = 0; i < 200; i++)
		clq_buf_printf(&b, "%s{\"op\":\"copy\",\"from\":\"/data\","
		    "\"path\":\"/data/a%d\"}", i > 0 ? "," : "", i);
	clq_buf_addc(&b, ']');
	expect_failure("{\"x\":[1,2,3]}", clq_arena_cstr(lb.arena,
	    clq_buf_str(&b)), "it takes too much work");
	clq_buf_init(&b, lb.arena, 0);
	clq_buf_adds(&b, "[{\"op\":\"add\",\"path\":\"/data/l/-\","
	    "\"value\":");
	for (int i = 0; i < 95; i++)
		clq_buf_addc(&b, '[');
	for (int i = 0; i < 95; i++)
		clq_buf_addc(&b, ']');
	clq_buf_adds(&b, "},{\"op\":\"copy\",\"from\":\"/data/l\","
	    "\"path\":\"/data/l/0/0/0/-\"}]");
	expect_failure("{\"l\":[]}", clq_arena_cstr(lb.arena,
	    clq_buf_str(&b)), "the result is too deep");
	cr_expect_eq(run("{}", repeat(ADD("/data/a", "1"), 5001)).rc,
	    CLQ_FAILED);
	cr_expect_eq(run("{}", repeat(ADD("/data/a", "1"), 5000)).rc, CLQ_OK);
}
