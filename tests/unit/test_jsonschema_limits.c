/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema: schemas, patterns and documents made to hang a validator. */
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "apps/jsonschema/jsonschema.h"

#include <criterion/criterion.h>
#include <time.h>

#include "arena_fixture.h"

TestSuite(jsonschema_limits, .init = setup, .fini = teardown, .timeout = 120);

/* CPU seconds that a hostile case may take, sanitizers included. */
#define MAX_SECONDS	20.0

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static cJSON *
tree(struct clq_str text)
{
	struct clq_str why = { NULL, 0 };
	cJSON *out = NULL;

	cr_assert_eq(clq_json_parse(arena, text, &out, &why), CLQ_OK, "%.*s",
	    CLQ_FMT(why));
	return out;
}

/* text n times, between before and after. */
static struct clq_str
many(const char *before, const char *text, size_t n, const char *after)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 1024);
	clq_buf_adds(&b, before);
	for (size_t i = 0; i < n; i++)
		clq_buf_adds(&b, text);
	clq_buf_adds(&b, after);
	return clq_buf_str(&b);
}

/* The result, -1 if the schema is refused; error in *e. In time. */
static int
run(struct clq_str schema_text, struct clq_str text, struct js_error *e)
{
	struct js_schema *schema = NULL;
	double began = seconds(), took;
	int result = -1;

	if (js_compile(tree(schema_text), JS_DRAFT_NEWEST, arena, &schema,
	    e) == CLQ_OK)
		result = (int)js_validate(schema, tree(text), arena, e);
	js_schema_free(&schema);
	took = seconds() - began;
	cr_expect_lt(took, MAX_SECONDS, "%.2f s: %.*s", took,
	    (int)(schema_text.len < 80 ? schema_text.len : 80),
	    schema_text.p);
	return result;
}

static void
expect_text(const struct js_error *e, const char *text)
{
	cr_expect_lt(clq_str_search(e->message, clq_str_of(text)),
	    e->message.len, "%.*s", CLQ_FMT(e->message));
	cr_expect_leq(e->message.len, 10000);
}

Test(jsonschema_limits, catastrophic_patterns_end)
{
	static const char *const patterns[] = {
		"^(a+)+$", "^(a|aa)+$", "(a*)*b", "(.*a){20}b",
		"^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "(?:a?){60}a{60}b",
		"\\\\w*\\\\w*\\\\w*[=;]", "^(.*)\\\\1\\\\1[=;]", "(?=(a+))a*b\\\\1",
		"(a*)(a*)(a*)(a*)(a*)(a*)(a*)b",
	};
	struct js_error e;

	for (size_t i = 0; i < CLQ_COUNT(patterns); i++) {
		struct clq_str schema = clq_arena_printf(arena,
		    "{\"pattern\":\"%s\"}", patterns[i]);
		int result = run(schema, many("\"", "a", 20000, "!\""), &e);

		cr_expect(result == JS_TOO_COMPLEX || result == JS_INVALID,
		    "%s: %d", patterns[i], result);
		if (result == JS_TOO_COMPLEX)
			expect_text(&e, "is too complex for this value");
	}
	cr_expect_eq(run(CLQ_STR("{\"pattern\":\"^(a+)+$\"}"),
	    many("\"", "a", 100, "!\""), &e), JS_TOO_COMPLEX);
}

Test(jsonschema_limits, catastrophic_patterns_share_the_budget)
{
	struct js_error e;

	cr_expect_eq(run(CLQ_STR("{\"items\":{\"pattern\":\"^(a+)+$\"}}"),
	    many("[", "\"aaaaaaaaaaaaaaaa!\",", 1000, "\"a\"]"), &e),
	    JS_INVALID);
	cr_expect_eq(run(CLQ_STR("{\"items\":{\"anyOf\":[{\"pattern\":"
	    "\"^(a+)+$\"},true]}}"), many("[", "\"aaaaaaaaaaaaaaaa!\",", 5000,
	    "\"a\"]"), &e), JS_TOO_COMPLEX);
}

Test(jsonschema_limits, ordinary_patterns_on_long_texts)
{
	struct js_error e;

	cr_expect_eq(run(CLQ_STR("{\"pattern\":\"^.*$\"}"),
	    many("\"", "a", 1 << 20, "\""), &e), JS_VALID);
	cr_expect_eq(run(CLQ_STR("{\"pattern\":\"^(a|b)*$\"}"),
	    many("\"", "ab", 50000, "\""), &e), JS_VALID);
	cr_expect_eq(run(CLQ_STR("{\"pattern\":\"zz\"}"),
	    many("\"", "a", 1 << 20, "zz\""), &e), JS_VALID);
}

Test(jsonschema_limits, patterns_are_bounded)
{
	struct js_error e;

	cr_expect_eq(run(many("{\"pattern\":\"", "a", JS_MAX_PATTERN_LEN + 1,
	    "\"}"), CLQ_STR("1"), &e), -1);
	expect_text(&e, "too long");
	cr_expect_eq(run(many("{\"allOf\":[", "{\"pattern\":\"a\"},",
	    JS_MAX_PATTERNS, "{\"pattern\":\"a\"}]}"), CLQ_STR("1"), &e), -1);
	expect_text(&e, "too many patterns");
	cr_expect_eq(run(many("{\"allOf\":[", "{\"pattern\":\"(abcd){900}\"},",
	    900, "{}]}"), CLQ_STR("1"), &e), -1);
	expect_text(&e, "patterns are too large");
	cr_expect_eq(run(CLQ_STR("{\"pattern\":\"((((a{99}){99}){99}){99}\"}"),
	    CLQ_STR("1"), &e), -1);
	cr_expect_eq(run(many("{\"pattern\":\"", "(", 300, "\"}"),
	    CLQ_STR("1"), &e), -1);
}

Test(jsonschema_limits, recursion_ends)
{
	static const char *const schemas[] = {
		"{\"$ref\":\"#\"}",
		"{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}",
		"{\"not\":{\"$ref\":\"#\"}}",
		"{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"},true]}",
		"{\"if\":{\"$ref\":\"#\"},\"then\":{\"$ref\":\"#\"}}",
		"{\"$dynamicAnchor\":\"a\",\"$dynamicRef\":\"#a\"}",
		"{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":"
		"\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}",
		"{\"unevaluatedProperties\":{\"$ref\":\"#\"},\"oneOf\":["
		"{\"$ref\":\"#\"}]}",
	};
	struct js_error e;

	for (size_t i = 0; i < CLQ_COUNT(schemas); i++) {
		cr_expect_eq(run(clq_str_of(schemas[i]),
		    CLQ_STR("{\"a\":1}"), &e), JS_TOO_COMPLEX, "%s",
		    schemas[i]);
		expect_text(&e, "recurses too deeply");
		cr_expect(clq_str_is(e.name, "schema"));
	}
}

Test(jsonschema_limits, deep_documents_and_recursive_schemas)
{
	struct js_error e;
	struct clq_str deep = many("", "[", 99, ""), text;

	text = many(clq_arena_cstr(arena, deep), "]", 99, "");
	cr_expect_eq(run(CLQ_STR("{\"items\":{\"$ref\":\"#/$defs/a\"},"
	    "\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},"
	    "\"b\":{\"anyOf\":[{\"$ref\":\"#\"},false]}}}"), text, &e),
	    JS_VALID);
}

/* Each level doubles the work. */
Test(jsonschema_limits, exponential_schemas_end)
{
	struct clq_buf b;
	struct js_error e;

	clq_buf_init(&b, arena, 4096);
	clq_buf_adds(&b, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
	for (int i = 0; i < 60; i++)
		clq_buf_printf(&b, "\"d%d\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
		    "d%d\"},{\"$ref\":\"#/$defs/d%d\"}]},", i, i + 1, i + 1);
	clq_buf_adds(&b, "\"d60\":false}}");
	cr_expect_eq(run(clq_buf_str(&b), CLQ_STR("1"), &e), JS_TOO_COMPLEX);
	expect_text(&e, "the schema is too complex for this value");
}

Test(jsonschema_limits, large_schemas_are_refused)
{
	struct js_error e;

	cr_expect_eq(run(many("{\"allOf\":[", "{},", JS_MAX_SUBSCHEMAS,
	    "{}]}"), CLQ_STR("1"), &e), -1);
	expect_text(&e, "too many subschemas");
	cr_expect_eq(run(many("{\"enum\":[", "1,", JS_MAX_VALUES, "1]}"),
	    CLQ_STR("1"), &e), -1);
	expect_text(&e, "too large");
	cr_expect_eq(run(many("{\"allOf\":[", "{\"$anchor\":\"a\"},", 2000,
	    "{}]}"), CLQ_STR("1"), &e), -1);
	expect_text(&e, "too many identifiers");
	cr_expect_eq(run(many("{\"$id\":\"", "a", 2000, "\"}"), CLQ_STR("1"),
	    &e), -1);
	expect_text(&e, "too long identifiers");
}

/* Work that would be a square of the sizes. */
Test(jsonschema_limits, many_members_and_many_rules)
{
	struct clq_buf schema, text, refs;
	struct js_error e;
	int result;

	clq_buf_init(&schema, arena, 1 << 20);
	clq_buf_init(&text, arena, 1 << 20);
	clq_buf_init(&refs, arena, 1 << 20);
	clq_buf_adds(&schema, "{\"additionalProperties\":{\"type\":\"null\"},"
	    "\"properties\":{");
	clq_buf_adds(&text, "{");
	clq_buf_adds(&refs, "{\"$defs\":{");
	for (int i = 0; i < 9000; i++) {
		clq_buf_printf(&schema, "\"p%d\":true,", i);
		clq_buf_printf(&text, "\"p%d\":%d,", i, i);
		clq_buf_printf(&refs, "\"p%d\":{\"$ref\":\"#/$defs/p%d\"},", i,
		    8999 - i);
	}
	clq_buf_adds(&schema, "\"z\":true}}");
	clq_buf_adds(&text, "\"z\":1}");
	clq_buf_adds(&refs, "\"z\":true}}");
	cr_expect_eq(run(clq_buf_str(&schema), clq_buf_str(&text), &e),
	    JS_VALID);
	result = run(clq_buf_str(&refs), CLQ_STR("1"), &e);
	cr_expect(result == JS_VALID || result == -1);
	if (result == -1)
		expect_text(&e, "too many references");
}

Test(jsonschema_limits, unique_items_and_enums_of_many)
{
	struct clq_buf text, schema;
	struct js_error e;

	clq_buf_init(&text, arena, 1 << 20);
	clq_buf_adds(&text, "[");
	for (int i = 0; i < 50000; i++)
		clq_buf_printf(&text, "{\"a\":%d},", i);
	clq_buf_adds(&text, "{\"a\":7.5}]");
	cr_expect_eq(run(CLQ_STR("{\"uniqueItems\":true}"),
	    clq_buf_str(&text), &e), JS_VALID);
	text.len -= 10;
	clq_buf_adds(&text, "{\"a\":77.0}]");
	cr_expect_eq(run(CLQ_STR("{\"uniqueItems\":true}"),
	    clq_buf_str(&text), &e), JS_INVALID);
	cr_expect_leq(e.message.len, 10000);

	/* 20,000 large things that differ at their ends, 2,000 times */
	clq_buf_init(&schema, arena, 1 << 20);
	clq_buf_init(&text, arena, 1 << 20);
	clq_buf_adds(&schema, "{\"items\":{\"enum\":[");
	clq_buf_adds(&text, "[");
	for (int i = 0; i < 2000; i++) {
		clq_buf_printf(&schema, "[0,0,0,0,0,0,0,0,0,0,0,0,0,%d],", i);
		clq_buf_adds(&text, "[0,0,0,0,0,0,0,0,0,0,0,0,0,1e9],");
	}
	clq_buf_adds(&schema, "[0,0,0,0,0,0,0,0,0,0,0,0,0,1e9]]}}");
	clq_buf_adds(&text, "[]]");
	cr_expect_eq(run(clq_buf_str(&schema), clq_buf_str(&text), &e),
	    JS_TOO_COMPLEX);
}

/* One constant of many values, many small items that differ from it. */
Test(jsonschema_limits, large_constants)
{
	struct clq_str wide = many("{\"items\":{\"not\":{\"const\":[[", "1,",
	    150000, "1]]}}}");
	struct js_error e;

	cr_expect_eq(run(wide, many("[", "[[1,1]],", 30000, "1]"), &e),
	    JS_VALID);
	cr_expect_eq(run(many("{\"items\":{\"not\":{\"const\":{\"a\":{",
	    "\"b\":1,", 1, "\"c\":{\"d\":[true]}}}}}}"),
	    many("[", "{\"a\":{\"c\":{\"d\":[true]},\"b\":1.0}},", 1, "1]"),
	    &e), JS_INVALID);
}

Test(jsonschema_limits, long_numbers)
{
	struct js_error e;
	struct clq_str digits = many("", "123456789", 30, ""), schema;

	schema = clq_arena_printf(arena,
	    "{\"items\":{\"multipleOf\":%.*s7}}", CLQ_FMT(digits));
	cr_expect_eq(run(schema, many("[", clq_arena_printf(arena, "-%.*s7,",
	    CLQ_FMT(digits)).p, 2000, "0]"), &e), JS_VALID);
	cr_expect_eq(run(schema, many("[", clq_arena_printf(arena, "%.*s8,",
	    CLQ_FMT(digits)).p, 1, "0]"), &e), JS_INVALID);
}

Test(jsonschema_limits, messages_are_cut)
{
	struct js_error e;

	cr_expect_eq(run(CLQ_STR("{\"type\":\"null\"}"),
	    many("\"", "a", 1 << 20, "\""), &e), JS_INVALID);
	expect_text(&e, "a...' is not of type 'null'");
	cr_expect_eq(run(CLQ_STR("{\"maxItems\":3}"),
	    many("[", "1,", 1 << 18, "1]"), &e), JS_INVALID);
	expect_text(&e, ", ...] is too long");
	cr_expect_eq(run(CLQ_STR("{\"additionalProperties\":false}"),
	    many("{\"", "a", 1 << 20, "\":1}"), &e), JS_INVALID);
	expect_text(&e, "...' was unexpected)");
}
