/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema: verdicts, texts and names of errors (section 08-6). What the
 * keywords mean is left to the official suite, tests/schema/suite.sh. */
#include <cliquet/str.h>

#include "apps/jsonschema/jsonschema.h"

#include <criterion/criterion.h>

#include "json_fixture.h"

static void
teardown_all(void)
{
	teardown();
	js_metaschemas_free();
}

TestSuite(jsonschema, .init = setup, .fini = teardown_all);

/* "name: message" of the first error, "#name: ..." if it is an index, "!" in
 * front if the schema is to blame; "" if the document is valid. */
static const char *
verdict(const char *schema_text, const char *text)
{
	struct js_schema *schema = NULL;
	struct js_error e = { .name_is_index = false };
	enum js_result result;

	cr_assert_eq(js_compile(parse(schema_text), JS_DRAFT_NEWEST, arena,
	    &schema, &e), CLQ_OK, "%s: %.*s", schema_text,
	    CLQ_FMT(e.message));
	result = js_validate(schema, parse(text), arena, &e);
	js_schema_free(&schema);
	cr_assert_null(schema);
	if (result == JS_VALID)
		return "";
	return clq_arena_printf(arena, "%s%s%.*s: %.*s",
	    result == JS_INVALID ? "" : "!", e.name_is_index ? "#" : "",
	    CLQ_FMT(e.name), CLQ_FMT(e.message)).p;
}

struct row {
	const char	*schema, *document, *want;
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(verdict(rows[i].schema, rows[i].document),
		    rows[i].want, "%s of %s: %s, not %s", rows[i].document,
		    rows[i].schema, verdict(rows[i].schema, rows[i].document),
		    rows[i].want);
}

Test(jsonschema, tells_what_kinto_tells)
{
	static const struct row rows[] = {
		{ "{\"properties\":{\"title\":{\"type\":\"string\"}}}",
		  "{\"title\":1}", "title: 1 is not of type 'string'" },
		{ "{\"required\":[\"title\"]}", "{}",
		  "title: 'title' is a required property" },
		{ "{\"required\":[\"a\",\"b\",\"c\"]}", "{\"a\":1,\"c\":1}",
		  "b: 'b' is a required property" },
		{ "{\"properties\":{\"n\":{\"minimum\":3}}}", "{\"n\":1}",
		  "n: 1 is less than the minimum of 3" },
		{ "{\"properties\":{\"l\":{\"items\":{\"type\":\"integer\"}}}}",
		  "{\"l\":[\"x\"]}", "#0: 'x' is not of type 'integer'" },
		{ "{\"properties\":{\"k\":{\"enum\":[\"x\",\"y\"]}}}",
		  "{\"k\":\"z\"}", "k: 'z' is not one of ['x', 'y']" },
		{ "{\"properties\":{\"o\":{\"additionalProperties\":false}}}",
		  "{\"o\":{\"q\":1}}", "o: Additional properties are not "
		  "allowed ('q' was unexpected)" },
		{ "{\"additionalProperties\":false}", "{\"e\":1,\"d\":2}",
		  "additionalProperties: Additional properties are not "
		  "allowed ('d', 'e' were unexpected)" },
		{ "{\"minProperties\":2}", "{}", "minProperties: {} does not "
		  "have enough properties" },
		{ "{\"type\":\"array\"}", "{}", "type: {} is not of type "
		  "'array'" },
		{ "{\"properties\":{\"a\":{\"required\":[\"b\"]}}}",
		  "{\"a\":{}}", "a: 'b' is a required property" },
		{ "{\"properties\":{\"a\":false}}", "{\"a\":1}",
		  "a: False schema does not allow 1" },
		{ "{\"allOf\":[{\"required\":[\"b\"]}]}", "{}",
		  "b: 'b' is a required property" },
		{ "{\"allOf\":[{},false]}", "{}",
		  "allOf: False schema does not allow {}" },
	};

	check_rows(rows, CLQ_COUNT(rows));
}

Test(jsonschema, says_it_like_python)
{
	static const struct row rows[] = {
		{ "{\"pattern\":\"^a\"}", "\"b\"",
		  "pattern: 'b' does not match '^a'" },
		{ "{\"minLength\":2}", "\"\\u00e9\"", "minLength: 'é' is too "
		  "short" },
		{ "{\"minLength\":1}", "\"\"", "minLength: '' should be "
		  "non-empty" },
		{ "{\"maxLength\":1}", "\"ab\"", "maxLength: 'ab' is too long" },
		{ "{\"minItems\":2}", "[]", "minItems: [] is too short" },
		{ "{\"maxItems\":0}", "[1]", "maxItems: [1] is expected to be "
		  "empty" },
		{ "{\"exclusiveMaximum\":3}", "3", "exclusiveMaximum: 3 is "
		  "greater than or equal to the maximum of 3" },
		{ "{\"multipleOf\":0.01}", "0.075", "multipleOf: 0.075 is not "
		  "a multiple of 0.01" },
		{ "{\"const\":{\"a\":[true,null]}}", "1", "const: {'a': [True, "
		  "None]} was expected" },
		{ "{\"uniqueItems\":true}", "[1,1.0]", "uniqueItems: [1, 1.0] "
		  "has non-unique elements" },
		{ "{\"not\":{\"type\":\"null\"}}", "null", "not: None should "
		  "not be valid under {'type': 'null'}" },
		{ "{\"anyOf\":[{\"type\":\"null\"},false]}", "\"it's\"",
		  "anyOf: \"it's\" is not valid under any of the given "
		  "schemas" },
		{ "{\"oneOf\":[{\"minimum\":1},{\"minimum\":2},{\"minimum\":9}]}",
		  "3", "oneOf: 3 is valid under each of {'minimum': 2}, "
		  "{'minimum': 1}" },
		{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
		  "dependentRequired: 'b' is a dependency of 'a'" },
		{ "{\"type\":[\"null\",\"string\"]}", "\"a\\n\\\\'\\\"\\u0001\"",
		  "" },
		{ "{\"type\":[\"null\",\"array\"]}", "\"a\\n\\\\'\\\"\\u0001\"",
		  "type: 'a\\n\\\\\\'\"\\x01' is not of type 'null', 'array'" },
		{ "{\"contains\":{\"const\":1}}", "[2]", "contains: [2] does "
		  "not contain items matching the given schema" },
		{ "{\"contains\":{\"const\":1},\"minContains\":2}", "[1,2]",
		  "minContains: Too few items match the given schema (expected "
		  "at least 2 but only 1 matched)" },
		{ "{\"prefixItems\":[{}],\"items\":false}", "[1,2,3]",
		  "items: Expected at most 1 item but found 2 extra: [2, 3]" },
		{ "{\"patternProperties\":{\"^a\":{}},"
		  "\"additionalProperties\":false}", "{\"b\":1}",
		  "additionalProperties: 'b' does not match any of the regexes:"
		  " '^a'" },
		{ "{\"unevaluatedProperties\":false}", "{\"b\":1}",
		  "unevaluatedProperties: Unevaluated properties are not "
		  "allowed ('b' was unexpected)" },
		{ "{\"prefixItems\":[{}],\"unevaluatedItems\":false}",
		  "[1,\"x\",null]", "unevaluatedItems: Unevaluated items are "
		  "not allowed ('x', None were unexpected)" },
	};

	check_rows(rows, CLQ_COUNT(rows));
}

Test(jsonschema, the_first_error_is_that_of_the_text)
{
	static const struct row rows[] = {
		{ "{\"required\":[\"a\"],\"properties\":{\"b\":false}}",
		  "{\"b\":1}", "a: 'a' is a required property" },
		{ "{\"properties\":{\"b\":false},\"required\":[\"a\"]}",
		  "{\"b\":1}", "b: False schema does not allow 1" },
		{ "{\"properties\":{\"z\":false,\"b\":false}}",
		  "{\"b\":1,\"z\":2}", "z: False schema does not allow 2" },
	};

	check_rows(rows, CLQ_COUNT(rows));
}

Test(jsonschema, paths_are_pointers)
{
	struct js_schema *schema = NULL;
	struct js_error e;

	cr_assert_eq(js_compile(parse("{\"$ref\":\"#/$defs/x\",\"$defs\":{"
	    "\"x\":{\"properties\":{\"a/b\":{\"items\":{\"if\":true,\"then\":{"
	    "\"properties\":{\"c\":{\"type\":\"null\"}}}}}}}}}"),
	    JS_DRAFT_NEWEST, arena, &schema, &e), CLQ_OK);
	cr_assert_eq(js_validate(schema, parse("{\"a/b\":[{},{\"c\":1}]}"),
	    arena, &e), JS_INVALID);
	cr_expect(clq_str_is(e.path, "/a~1b/1/c"), "%.*s", CLQ_FMT(e.path));
	cr_expect(clq_str_is(e.schema_path,
	    "/properties/a~1b/items/then/properties/c/type"), "%.*s",
	    CLQ_FMT(e.schema_path));
	cr_expect(clq_str_is(e.keyword, "type"));
	js_schema_free(&schema);
}

Test(jsonschema, numbers_are_exact)
{
	static const struct row rows[] = {
		{ "{\"type\":\"integer\"}", "1.0", "" },
		{ "{\"type\":\"integer\"}", "1e300", "" },
		{ "{\"type\":\"integer\"}", "1.5", "type: 1.5 is not of type "
		  "'integer'" },
		{ "{\"type\":\"integer\"}", "9007199254740993.5", "type: "
		  "9007199254740993.5 is not of type 'integer'" },
		{ "{\"maximum\":9007199254740993}", "9007199254740993", "" },
		{ "{\"maximum\":9007199254740993}", "9007199254740994",
		  "maximum: 9007199254740994 is greater than the maximum of "
		  "9007199254740993" },
		{ "{\"const\":9007199254740993}", "9007199254740992",
		  "const: 9007199254740993 was expected" },
		{ "{\"multipleOf\":0.01}", "0.07", "" },
		{ "{\"multipleOf\":0.01}", "4.35", "" },
		{ "{\"multipleOf\":0.0001}", "0.0075", "" },
		{ "{\"multipleOf\":3}", "9007199254740993", "" },
		{ "{\"multipleOf\":3}", "-9007199254740993", "" },
		{ "{\"multipleOf\":2}", "9007199254740993", "multipleOf: "
		  "9007199254740993 is not a multiple of 2" },
		{ "{\"multipleOf\":1e-8}", "12391239123", "" },
		{ "{\"multipleOf\":7}", "0", "" },
		/* (10^20 + 39) * (10^30 + 57) and the same plus one */
		{ "{\"multipleOf\":100000000000000000039}",
		  "100000000000000000039000000005700000000000000002223", "" },
		{ "{\"multipleOf\":100000000000000000039}",
		  "100000000000000000039000000005700000000000000002224",
		  "multipleOf: 1000000000000000000390000000057000000000000000"
		  "02224 is not a multiple of 100000000000000000039" },
		{ "{\"multipleOf\":1e-300}", "1e300", "" },
	};

	check_rows(rows, CLQ_COUNT(rows));
	cr_expect_neq(*verdict("{\"multipleOf\":0.123456789}", "1e308"), '\0');
	cr_expect_neq(*verdict("{\"multipleOf\":7e-300}", "1e300"), '\0');
}

Test(jsonschema, drafts_differ)
{
#define D4	"{\"$schema\":\"http://json-schema.org/draft-04/schema#\","
#define D7	"{\"$schema\":\"http://json-schema.org/draft-07/schema#\","
	static const struct row rows[] = {
		{ D4 "\"type\":\"integer\"}", "1.0",
		  "type: 1.0 is not of type 'integer'" },
		{ D7 "\"type\":\"integer\"}", "1.0", "" },
		{ D4 "\"minimum\":1,\"exclusiveMinimum\":true}", "1",
		  "minimum: 1 is less than or equal to the minimum of 1" },
		{ D4 "\"const\":1}", "2", "" },
		{ D4 "\"id\":\"http://x/a\",\"$ref\":\"#/definitions/x\","
		  "\"definitions\":{\"x\":false}}", "1", "$ref" },
		{ D7 "\"$ref\":\"#/definitions/x\",\"type\":\"null\","
		  "\"definitions\":{\"x\":{}}}", "1", "" },
		{ "{\"$ref\":\"#/$defs/x\",\"type\":\"null\",\"$defs\":{\"x\":"
		  "{}}}", "1", "type: 1 is not of type 'null'" },
		{ D7 "\"contains\":{\"const\":1}}", "[2]",
		  "contains: None of [2] are valid under the given schema" },
		{ D7 "\"items\":[{}],\"additionalItems\":false}", "[1,2]",
		  "additionalItems: Additional items are not allowed (2 was "
		  "unexpected)" },
		/* older forms in a schema that does not say what it is */
		{ "{\"items\":[{},{\"type\":\"null\"}]}", "[1,2]",
		  "#1: 2 is not of type 'null'" },
		{ "{\"items\":[{}],\"additionalItems\":false}", "[1,2]",
		  "additionalItems: Additional items are not allowed (2 was "
		  "unexpected)" },
		{ "{\"$schema\":\"http://nowhere/\",\"prefixItems\":[false]}",
		  "[1]", "#0: False schema does not allow 1" },
	};
#undef D4
#undef D7

	for (size_t i = 0; i < CLQ_COUNT(rows); i++) {
		if (strcmp(rows[i].want, "$ref") == 0)
			cr_expect_neq(*verdict(rows[i].schema,
			    rows[i].document), '\0');
		else
			check_rows(&rows[i], 1);
	}
}

Test(jsonschema, references_that_lead_nowhere)
{
	static const struct row rows[] = {
		{ "{\"$ref\":\"#/definitions/nope\"}", "1",
		  "!schema: PointerToNowhere: '/definitions/nope' does not "
		  "exist within {'$ref': '#/definitions/nope'}" },
		{ "{\"$ref\":\"#nope\"}", "1", "!schema: NoSuchAnchor: 'nope' "
		  "does not exist within {'$ref': '#nope'}" },
		{ "{\"$ref\":\"http://example.com/x\"}", "1",
		  "!schema: Unresolvable: http://example.com/x" },
		{ "{\"$id\":\"http://a/b/c\",\"$ref\":\"../d#e\"}", "1",
		  "!schema: Unresolvable: http://a/d#e" },
		/* never met */
		{ "{\"properties\":{\"a\":{\"$ref\":\"#/x\"}}}", "{}", "" },
		/* met where only the verdict counts */
		{ "{\"not\":{\"$ref\":\"#/x\"}}", "1", "!schema: "
		  "PointerToNowhere: '/x' does not exist within {'not': "
		  "{'$ref': '#/x'}}" },
		{ "{\"anyOf\":[true,{\"$ref\":\"#/x\"}]}", "1", "" },
		{ "{\"anyOf\":[{\"$ref\":\"#/anyOf/7\"},true]}", "1",
		  "!schema: PointerToNowhere: '/anyOf/7' does not exist within "
		  "{'anyOf': [{'$ref': '#/anyOf/7'}, True]}" },
		{ "{\"x\":1,\"$ref\":\"#/x\"}", "1", "!schema: "
		  "PointerToNowhere: '/x' does not exist within {'x': 1, "
		  "'$ref': '#/x'}" },
	};

	check_rows(rows, CLQ_COUNT(rows));
}

Test(jsonschema, references_within_the_document)
{
	static const struct row rows[] = {
		{ "{\"properties\":{\"child\":{\"$ref\":\"#\"}},\"required\":["
		  "\"v\"]}", "{\"v\":1,\"child\":{\"v\":1,\"child\":{}}}",
		  "child: 'v' is a required property" },
		{ "{\"$ref\":\"#/unknown/place\",\"unknown\":{\"place\":"
		  "{\"type\":\"null\"}}}", "1",
		  "type: 1 is not of type 'null'" },
		{ "{\"$ref\":\"http://json-schema.org/draft-07/schema#\"}",
		  "{\"properties\":{\"a\":{\"type\":\"foo\"}}}", "type: 'foo' "
		  "is not valid under any of the given schemas" },
		{ "{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}",
		  "{\"properties\":{\"a\":{\"minLength\":-1}}}", "minLength: "
		  "-1 is less than the minimum of 0" },
		{ "{\"$ref\":\"https://json-schema.org/draft/2019-09/schema\"}",
		  "{\"properties\":{\"a\":{\"items\":[1]}}}", "items: [1] is "
		  "not valid under any of the given schemas" },
		{ "{\"$dynamicRef\":\"#d\",\"$defs\":{\"x\":{"
		  "\"$dynamicAnchor\":\"d\",\"type\":\"null\"}}}", "1",
		  "type: 1 is not of type 'null'" },
	};

	check_rows(rows, CLQ_COUNT(rows));
}

/* "keyword: message" of a schema that does not compile. */
static const char *
refusal(const char *text)
{
	struct js_schema *schema = NULL;
	struct js_error e;

	if (js_compile(parse(text), JS_DRAFT_NEWEST, arena, &schema, &e) ==
	    CLQ_OK) {
		js_schema_free(&schema);
		return "";
	}
	return clq_arena_printf(arena, "%.*s: %.*s", CLQ_FMT(e.name),
	    CLQ_FMT(e.message)).p;
}

Test(jsonschema, refuses_values_of_the_wrong_shape)
{
	static const char *const rows[][2] = {
		{ "{\"pattern\":\"[\"}", "pattern: '[' is not a 'regex'" },
		{ "{\"patternProperties\":{\"(\":{}}}",
		  "patternProperties: '(' is not a 'regex'" },
		{ "{\"pattern\":\"a\\\\Cb\"}",
		  "pattern: 'a\\\\Cb' is not a 'regex'" },
		{ "{\"prefixItems\":1}",
		  "prefixItems: 1 is not of type 'array'" },
		{ "{\"minContains\":-1}",
		  "minContains: -1 is less than the minimum of 0" },
		{ "{\"dependentRequired\":{\"a\":[1]}}",
		  "dependentRequired: [1] is not a list of strings" },
		{ "{\"multipleOf\":0}", "multipleOf: 0 is less than or equal "
		  "to the minimum of 0" },
		{ "{\"$defs\":{\"a\":3}}",
		  "$defs: 3 is not of type 'object', 'boolean'" },
		{ "{\"not\":{\"type\":\"any\"}}",
		  "type: 'any' is not a type" },
		{ "{\"$ref\":1}", "$ref: 1 is not of type 'string'" },
		{ "[]", "schema: [] is not of type 'object', 'boolean'" },
		/* unknown keywords may hold anything */
		{ "{\"x-order\":[1],\"format\":3,\"$comment\":{}}", "" },
		{ "{\"minLength\":2.0,\"maxLength\":1e300}", "" },
	};

	for (size_t i = 0; i < CLQ_COUNT(rows); i++)
		cr_expect_str_eq(refusal(rows[i][0]), rows[i][1],
		    "%s: %s, not %s", rows[i][0], refusal(rows[i][0]),
		    rows[i][1]);
}

Test(jsonschema, metaschemas_accept_each_other)
{
	struct js_error e;

	for (int d = 0; d < JS_DRAFT__COUNT; d++) {
		const struct js_schema *meta = js_metaschema((enum js_draft)d);

		cr_expect_eq(meta, js_metaschema((enum js_draft)d));
		cr_expect_eq(js_validate(meta, parse("{\"type\":\"object\","
		    "\"properties\":{\"a\":{\"enum\":[1]}}}"), arena, &e),
		    JS_VALID, "%d", d);
		cr_expect_eq(js_validate(meta, parse("{\"properties\":{\"a\":{"
		    "\"required\":1}}}"), arena, &e), JS_INVALID, "%d", d);
		cr_expect(clq_str_is(e.name, "required"), "%d: %.*s", d,
		    CLQ_FMT(e.name));
	}
}

Test(jsonschema, the_compiled_schema_is_independent_of_the_tree)
{
	struct clq_arena *other = clq_arena_new();
	struct js_schema *schema = NULL;
	struct js_error e;
	cJSON *t;

	cr_assert_eq(clq_json_parse(other, CLQ_STR("{\"enum\":[\"a\"],"
	    "\"pattern\":\"a\"}"), &t, &why), CLQ_OK);
	cr_assert_eq(js_compile(t, JS_DRAFT_NEWEST, other, &schema, &e),
	    CLQ_OK);
	clq_arena_free(&other);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(js_validate(schema, parse("\"a\""), arena, &e),
		    JS_VALID);
		cr_expect_eq(js_validate(schema, parse("\"b\""), arena, &e),
		    JS_INVALID);
	}
	cr_expect_gt(js_schema_size(schema), 100);
	js_schema_free(&schema);
	js_schema_free(&schema);
}
