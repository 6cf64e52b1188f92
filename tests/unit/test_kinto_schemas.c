/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled schemas of a worker (section 08-6): when they are used again. */
#include "apps/kinto/schema_cache.h"

#include <cliquet/str.h>

#include "core/log_conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct clq_arena *arena;
static const char *const ignored[] = { "last_modified", "schema", NULL };

static void
setup(void)
{
	arena = clq_arena_new();
}

static void
teardown(void)
{
	kinto_schema_cache_clear();
	clq_arena_free(&arena);
}

TestSuite(kinto_schemas, .init = setup, .fini = teardown);

/* The schema of a holder; *compiled: whether it was compiled now. */
static const struct kinto_schema *
get(const char *uri, clq_msec timestamp, const char *data, bool *compiled)
{
	struct clq_object holder = {
		.last_modified = timestamp, .data = clq_str_of(data),
	};
	struct kinto_schema_at at = {
		.uri = clq_str_of(uri), .holder = &holder,
		.attribute = "schema", .ignored = ignored,
	};
	const struct kinto_schema *out;
	size_t before = kinto_schema_compiled();

	cr_assert_eq(kinto_schema_get(arena, &at, &out), CLQ_OK);
	*compiled = kinto_schema_compiled() > before;
	return out;
}

/* True if the document is valid. */
static bool
accepts(const struct kinto_schema *schema, const char *text)
{
	struct clq_str why;
	struct js_error e;
	cJSON *tree;

	cr_assert_eq(clq_json_parse(arena, clq_str_of(text), &tree, &why),
	    CLQ_OK);
	return js_validate(schema->schema, tree, arena, &e) == JS_VALID;
}

#define A	"{\"schema\":{\"required\":[\"a\"]}}"
#define B	"{\"schema\":{\"required\":[\"b\"]}}"

Test(kinto_schemas, are_compiled_once)
{
	bool compiled;

	cr_assert_not_null(get("/c", 1, A, &compiled));
	cr_expect(compiled);
	for (int i = 0; i < 3; i++) {
		cr_expect(accepts(get("/c", 1, A, &compiled), "{\"a\":1}"));
		cr_expect_not(compiled);
	}
	cr_expect_not(accepts(get("/c", 1, A, &compiled), "{}"));
}

Test(kinto_schemas, follow_their_holder)
{
	bool compiled;

	cr_expect(accepts(get("/c", 1, A, &compiled), "{\"a\":1}"));
	cr_expect(accepts(get("/c", 2, B, &compiled), "{\"b\":1}"));
	cr_expect(compiled);
	/* the same timestamp, after a transaction that was undone */
	cr_expect(accepts(get("/c", 2, A, &compiled), "{\"a\":1}"));
	cr_expect(compiled);
	/* another holder with the same text */
	cr_expect(accepts(get("/d", 2, A, &compiled), "{\"a\":1}"));
	cr_expect(compiled);
	cr_expect_null(get("/c", 3, "{}", &compiled));
	cr_expect_not(compiled);
	cr_expect(accepts(get("/c", 4, A, &compiled), "{\"a\":1}"));
}

Test(kinto_schemas, say_nothing_about_what_the_server_sets)
{
	const struct kinto_schema *s;
	bool compiled;

	s = get("/c", 1, "{\"schema\":{\"required\":[\"id\",\"schema\","
	    "\"last_modified\"]}}", &compiled);
	cr_expect(accepts(s, "{}"));
	cr_expect_not(s->uses_id);
	s = get("/c", 2, "{\"schema\":{\"required\":[\"id\",\"schema\"],"
	    "\"properties\":{\"id\":{}}}}", &compiled);
	cr_expect(s->uses_id);
	cr_expect_not(accepts(s, "{}"));
	cr_expect(accepts(s, "{\"id\":1}"));
	/* below the top nothing is taken out */
	s = get("/c", 3, "{\"schema\":{\"properties\":{\"x\":{\"required\":["
	    "\"schema\"]}}}}", &compiled);
	cr_expect_not(accepts(s, "{\"x\":{}}"));
}

Test(kinto_schemas, that_do_not_compile_are_remembered_too)
{
	static const char data[] = "{\"schema\":{\"prefixItems\":1}}";
	const struct kinto_schema *s;
	bool compiled;

	s = get("/c", 1, data, &compiled);
	cr_expect_null(s->schema);
	cr_expect(clq_str_is(s->why,
	    "prefixItems: 1 is not of type 'array'"), "%.*s",
	    CLQ_FMT(s->why));
	s = get("/c", 1, data, &compiled);
	cr_expect_not(compiled);
	cr_expect_gt(s->why.len, 0);
}

Test(kinto_schemas, holders_without_a_schema)
{
	static const char *const none[] = {
		"{}", "{\"x\":{\"schema\":{}}}", "{\"schema\":1}",
		"{\"schema\":null}", "{\"x\":\"\\\"schema\\\"\"}"
	};
	bool compiled;

	for (size_t i = 0; i < CLQ_COUNT(none); i++) {
		cr_expect_null(get("/c", 1, none[i], &compiled), "%s",
		    none[i]);
		cr_expect_not(compiled);
	}
	cr_expect_not_null(get("/c", 1, "{\"schema\":{}}", &compiled));
}

Test(kinto_schemas, the_least_used_go)
{
	char uri[32];
	bool compiled;

	for (int i = 0; i < KINTO_SCHEMAS_MAX; i++) {
		snprintf(uri, sizeof uri, "/%d", i);
		(void)get(uri, 1, A, &compiled);
	}
	(void)get("/0", 1, A, &compiled);
	cr_expect_not(compiled);
	(void)get("/new", 1, A, &compiled);	/* in place of 1 */
	(void)get("/0", 1, A, &compiled);
	cr_expect_not(compiled);
	(void)get("/2", 1, A, &compiled);
	cr_expect_not(compiled);
	(void)get("/1", 1, A, &compiled);
	cr_expect(compiled);
}

/* Schemas of a megabyte: only so many bytes of them. */
Test(kinto_schemas, large_ones_displace_each_other)
{
	struct clq_buf b;
	const char *data;
	bool compiled;
	char uri[32];

	clq_buf_init(&b, arena, 1 << 20);
	clq_buf_adds(&b, "{\"schema\":{\"enum\":[");
	for (int i = 0; i < 60000; i++)
		clq_buf_printf(&b, "\"%d\",", i);
	clq_buf_adds(&b, "0]}}");
	data = clq_arena_cstr(arena, clq_buf_str(&b));
	for (int i = 0; i < 6; i++) {
		snprintf(uri, sizeof uri, "/%d", i);
		(void)get(uri, 1, data, &compiled);
	}
	(void)get("/5", 1, data, &compiled);
	cr_expect_not(compiled);
	(void)get("/0", 1, data, &compiled);
	cr_expect(compiled);
}

Test(kinto_schemas, stored_text_that_is_no_json)
{
	struct clq_object holder = {
		.data = CLQ_STR("{\"schema\":{}"), .last_modified = 1,
	};
	struct kinto_schema_at at = {
		.uri = CLQ_STR("/c"), .holder = &holder,
		.attribute = "schema", .ignored = ignored,
	};
	const struct kinto_schema *out;

	clq_log_set_level((enum clq_log_level)0);
	cr_expect_eq(kinto_schema_get(arena, &at, &out), CLQ_FAILED);
}
