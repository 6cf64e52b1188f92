/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and the envelope of bodies (sections 02-4.1, 03-2, 03-4). */
#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "core/resource_impl.h"

#include <criterion/criterion.h>

#include "loopback_fixture.h"

TestSuite(schema, .init = setup, .fini = teardown);
TestSuite(envelope, .init = setup, .fini = teardown);

static struct clq_request *
request(void)
{
	return clq_request_new(lb.srv, lb.arena);
}

/* "location name: description; ..." of all errors, in order of arrival. */
static const char *
errors(const struct clq_request *req)
{
	struct clq_buf b;

	clq_buf_init(&b, lb.arena, 64);
	for (size_t i = 0; i < req->error.ninvalid; i++) {
		const struct clq_detail *d = &req->error.invalid[i];

		clq_buf_printf(&b, "%s%s %.*s: %.*s", i > 0 ? "; " : "",
		    d->location, d->name.p != NULL ? (int)d->name.len : 4,
		    d->name.p != NULL ? d->name.p : "null",
		    CLQ_FMT(d->description));
	}
	return clq_arena_cstr(lb.arena, clq_buf_str(&b));
}

/* Apply one field to a document: the result, or "! errors". */
static const char *
apply(struct clq_field field, unsigned flags, const char *data)
{
	struct clq_resource decl = { .size = sizeof decl, .name = "x",
		.fields = &field, .nfields = 1, .flags = flags };
	struct clq_request *req = request();
	cJSON *doc = tree(data);

	clq_schema_apply(req, &decl, doc, "data.");
	if (req->error.ninvalid > 0)
		return clq_arena_printf(lb.arena, "! %s", errors(req)).p;
	return clq_arena_cstr(lb.arena, clq_json_text(lb.arena, doc));
}

static void
expect(enum clq_field_type type, const char *value, const char *result)
{
	struct clq_field f = { .name = "f", .type = type };
	struct clq_str in = clq_arena_printf(lb.arena, "{\"f\":%s}", value);
	struct clq_str out = result[0] == '!' || strcmp(result, "{}") == 0 ?
	    clq_str_of(result) : clq_arena_printf(lb.arena, "{\"f\":%s}",
	    result);
	const char *got = apply(f, 0, in.p);

	cr_expect_str_eq(got, out.p, "type %d, %s: %s", type, value, got);
}

Test(schema, strings)
{
	expect(CLQ_FIELD_STRING, "\"a\"", "\"a\"");
	expect(CLQ_FIELD_STRING, "\"\"", "\"\"");
	expect(CLQ_FIELD_STRING, "null", "{}");
	expect(CLQ_FIELD_STRING, "1",
	    "! body data.f: 1 is not a string: {'f': ''}");
	expect(CLQ_FIELD_STRING, "[1,\"a\",null,true,{\"x\":1}]",
	    "! body data.f: [1, 'a', None, True, {'x': 1}] is not a string: "
	    "{'f': ''}");
}

Test(schema, numbers_are_lenient)
{
	expect(CLQ_FIELD_INT, "12", "12");
	expect(CLQ_FIELD_INT, "\"12\"", "12");
	expect(CLQ_FIELD_INT, "1.5", "1");
	expect(CLQ_FIELD_INT, "-1.5", "-1");
	expect(CLQ_FIELD_INT, "true", "1");
	expect(CLQ_FIELD_INT, "9007199254740993", "9007199254740993");
	expect(CLQ_FIELD_INT, "null", "{}");
	expect(CLQ_FIELD_INT, "[]", "{}");
	expect(CLQ_FIELD_INT, "\"\"", "{}");
	expect(CLQ_FIELD_INT, "\"x\"", "! body data.f: \"x\" is not a number");
	expect(CLQ_FIELD_INT, "[1]", "! body data.f: \"[1]\" is not a number");
	expect(CLQ_FIELD_INT, "1e30", "! body data.f: "
	    "\"1000000000000000000000000000000\" is not a number");
	expect(CLQ_FIELD_NUMBER, "1.5", "1.5");
	expect(CLQ_FIELD_NUMBER, "\"1.5\"", "1.5");
	expect(CLQ_FIELD_NUMBER, "{\"a\":1}",
	    "! body data.f: \"{'a': 1}\" is not a number");
}

Test(schema, booleans_are_lenient)
{
	expect(CLQ_FIELD_BOOL, "true", "true");
	expect(CLQ_FIELD_BOOL, "\"false\"", "false");
	expect(CLQ_FIELD_BOOL, "\"0\"", "false");
	expect(CLQ_FIELD_BOOL, "\"yes\"", "true");
	expect(CLQ_FIELD_BOOL, "0", "false");
	expect(CLQ_FIELD_BOOL, "2", "true");
	expect(CLQ_FIELD_BOOL, "[1]",
	    "! body data.f: \"[1]\" is not a boolean");
}

Test(schema, containers)
{
	expect(CLQ_FIELD_OBJECT, "{\"a\":1}", "{\"a\":1}");
	expect(CLQ_FIELD_OBJECT, "[1]", "! body data.f: \"[1]\" is not a "
	    "mapping type: Does not implement dict-like functionality.");
	expect(CLQ_FIELD_LIST, "[1]", "[1]");
	expect(CLQ_FIELD_LIST, "\"a\"",
	    "! body data.f: \"a\" is not iterable");
	expect(CLQ_FIELD_STRINGS, "[\"a\",\"b\"]", "[\"a\",\"b\"]");
	expect(CLQ_FIELD_STRINGS, "[\"a\",\"\",3]", "! body data.f.1: "
	    "Required; body data.f.2: 3 is not a string: {'f': ''}");
	expect(CLQ_FIELD_ANY, "null", "null");
}

Test(schema, urls)
{
	expect(CLQ_FIELD_URL, "\" http://a.b/c \"", "\"http://a.b/c\"");
	expect(CLQ_FIELD_URL, "\"https://x\"", "\"https://x\"");
	for (size_t i = 0; i < 5; i++) {
		static const char *const bad[] = {
			"\"ftp://x\"", "\"http://\"", "\"\"", "\"x\"",
			"\"http://a b\""
		};

		expect(CLQ_FIELD_URL, bad[i], "! body data.f: String does "
		    "not match expected pattern");
	}
}

Test(schema, bounds)
{
	struct clq_field n = { .name = "n", .type = CLQ_FIELD_INT,
		.min = 1, .max = 3 };
	struct clq_field s = { .name = "s", .type = CLQ_FIELD_STRING,
		.min = 2, .max = 3 };

	cr_expect_str_eq(apply(n, 0, "{\"n\":0}"),
	    "! body data.n: 0 is less than minimum value 1");
	cr_expect_str_eq(apply(n, 0, "{\"n\":4}"),
	    "! body data.n: 4 is greater than maximum value 3");
	cr_expect_str_eq(apply(n, 0, "{\"n\":3}"), "{\"n\":3}");
	cr_expect_str_eq(apply(s, 0, "{\"s\":\"\xc3\xa9\"}"),
	    "! body data.s: Shorter than minimum length 2");
	cr_expect_str_eq(apply(s, 0, "{\"s\":\"\xc3\xa9\xc3\xa9\xc3\xa9\"}"),
	    "{\"s\":\"\xc3\xa9\xc3\xa9\xc3\xa9\"}");
	cr_expect_str_eq(apply(s, 0, "{\"s\":\"abcd\"}"),
	    "! body data.s: Longer than maximum length 3");
}

Test(schema, missing_fields)
{
	struct clq_field required = { .name = "f", .type = CLQ_FIELD_STRING,
		.flags = CLQ_REQUIRED };
	struct clq_field with_default = { .name = "f", .flags = CLQ_REQUIRED,
		.type = CLQ_FIELD_STRINGS, .def = "[\"a\"]" };
	struct clq_field null_default = { .name = "f", .def = "null",
		.type = CLQ_FIELD_STRING };
	struct clq_field now = { .name = "f", .type = CLQ_FIELD_TIMESTAMP,
		.flags = CLQ_FIELD_AUTO_NOW };
	struct clq_resource decl = { .fields = &required, .nfields = 1 };

	cr_expect_str_eq(apply(required, 0, "{}"), "! body data.f: Required");
	cr_expect_str_eq(apply(required, 0, "{\"f\":null}"),
	    "! body data.f: Required");
	cr_expect_str_eq(apply(with_default, 0, "{}"), "{\"f\":[\"a\"]}");
	cr_expect_str_eq(apply(null_default, 0, "{}"), "{\"f\":null}");
	cr_expect_eq(strncmp(apply(now, 0, "{}"), "{\"f\":1", 6), 0);
	cr_expect_not(clq_schema_accepts_empty(&decl));
	decl.fields = &with_default;
	cr_expect(clq_schema_accepts_empty(&decl));
}

Test(schema, unknown_attributes)
{
	struct clq_field f = { .name = "f", .type = CLQ_FIELD_ANY };

	cr_expect_str_eq(apply(f, 0, "{\"a\":1,\"f\":2}"),
	    "{\"a\":1,\"f\":2}");
	cr_expect_str_eq(apply(f, CLQ_RESOURCE_STRICT,
	    "{\"a\":1,\"f\":2,\"b\":3}"), "{\"f\":2}");
}

Test(schema, readonly_fields)
{
	struct clq_field f = { .name = "f", .flags = CLQ_FIELD_READONLY };
	struct clq_resource decl = { .fields = &f, .nfields = 1 };
	struct clq_request *req = request();

	clq_schema_readonly(req, &decl, tree("{\"f\":1}"),
	    tree("{\"f\":1.0}"));
	clq_schema_readonly(req, &decl, tree("{}"), tree("{\"f\":1}"));
	cr_expect_eq(req->error.ninvalid, 0);
	clq_schema_readonly(req, &decl, tree("{\"f\":1}"),
	    tree("{\"f\":2}"));
	clq_schema_readonly(req, &decl, tree("{\"f\":1}"), tree("{}"));
	cr_expect_str_eq(errors(req),
	    "body f: Cannot modify f; body f: Cannot modify f");
}

Test(schema, shown_values_are_cut)
{
	char text[5000];
	struct clq_str shown;

	memset(text, 'x', sizeof text);
	text[0] = text[sizeof text - 2] = '"';
	text[sizeof text - 1] = '\0';
	shown = clq_schema_shown(lb.arena, tree(text));
	cr_expect_lt(shown.len, 300);
	text[0] = '[';
	text[sizeof text - 2] = ']';
	for (size_t i = 1; i < sizeof text - 2; i++)
		text[i] = i % 2 == 1 ? '1' : ',';
	shown = clq_schema_shown(lb.arena, tree(text));
	cr_expect_lt(shown.len, 500);
	cr_expect(clq_str_ends(shown, "..."));
}

/* ---- envelopes --------------------------------------------------------- */

static const char *const known[] = { "read", "write", NULL };
static const struct clq_resource shared = { .name = "shared" };
static const struct clq_resource private = { .name = "private",
	.flags = CLQ_RESOURCE_USER };

static const char *
check(const struct clq_resource *decl, const char *method, const char *text)
{
	struct clq_resource_entry entry = { .decl = decl,
		.permissions = known };
	struct clq_request *req = request();
	struct clq_body body;

	req->method = clq_method_of(clq_str_of(method));
	req->body = clq_str_of(text);
	clq_body_read(req, &body);
	clq_body_check(req, &entry, CLQ_PATCH_PLAIN, &body);
	return errors(req);
}

Test(envelope, accepts)
{
	static const char *const good[] = {
		"{}", "", "  ", "{\"data\":{}}", "{\"data\":{\"a\":1}}",
		"{\"permissions\":{}}", "{\"permissions\":{\"read\":null}}",
		"{\"data\":{},\"permissions\":{\"read\":[\"a\"]}}",
	};

	for (size_t i = 0; i < CLQ_COUNT(good); i++)
		cr_expect_str_eq(check(&shared, "PUT", good[i]), "", "%s",
		    good[i]);
}

Test(envelope, refuses)
{
	static const struct {
		const char	*body;
		const char	*errors;
	} bad[] = {
		{ "[]", "body : \"[]\" is not a mapping type: Does not "
		  "implement dict-like functionality." },
		{ "3", "body : Should be a JSON object or an array; "
		  "body : Required" },
		{ "{\"data\":null}", "body data: \"None\" is not a mapping "
		  "type: Does not implement dict-like functionality." },
		{ "{\"data\":[1]}", "body data: \"[1]\" is not a mapping "
		  "type: Does not implement dict-like functionality." },
		{ "{\"permissions\":null}", "body permissions: \"None\" is "
		  "not a mapping type: Does not implement dict-like "
		  "functionality." },
		{ "{\"x\":1}", "body : Unrecognized keys in mapping: "
		  "\"{'x': 1}\"" },
		{ "{\"permissions\":{\"foo\":[]}}", "body permissions: "
		  "\"foo\" is not one of read, write" },
		{ "{\"permissions\":{\"read\":\"a\"}}",
		  "body permissions.read: \"a\" is not iterable" },
		{ "{\"permissions\":{\"read\":[\"a\",1,\"\"]}}",
		  "body permissions.read.1: 1 is not a string: "
		  "{'read': ''}; body permissions.read.2: Required" },
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_str_eq(check(&shared, "PUT", bad[i].body),
		    bad[i].errors, "%s: %s", bad[i].body, check(&shared,
		    "PUT", bad[i].body));
	cr_expect(strstr(check(&shared, "PUT", "{"), "Invalid JSON") != NULL);
	/* that a PATCH says nothing is found later, see resource_object.c */
	cr_expect_str_eq(check(&shared, "PATCH", "{}"), "");
	cr_expect_str_eq(check(&shared, "PATCH", "{\"permissions\":{}}"), "");
}

Test(envelope, private_resources_have_no_permissions)
{
	cr_expect_str_eq(check(&private, "PUT", "{\"data\":{}}"), "");
	cr_expect_str_eq(check(&private, "PUT",
	    "{\"permissions\":{}}"), "body : Unrecognized keys in mapping: "
	    "\"{'permissions': {}}\"");
}

Test(envelope, takes_id_and_time_out_of_data)
{
	struct clq_request *req = request();
	struct clq_body body;

	req->body = CLQ_STR("{\"data\":{\"id\":\"x\",\"a\":1,"
	    "\"last_modified\":5}}");
	clq_body_read(req, &body);
	cr_expect(clq_str_is(clq_json_text(lb.arena, body.data), "{\"a\":1}"));
	cr_expect(clq_str_is(clq_json_str(body.id), "x"));
	cr_expect_eq(clq_body_same_id(req, body.id, CLQ_STR("x")), CLQ_OK);
	cr_expect_eq(clq_body_same_id(req, NULL, CLQ_STR("x")), CLQ_OK);
	cr_expect_eq(clq_body_same_id(req, body.id, CLQ_STR("y")),
	    CLQ_INVALID);
	cr_expect_str_eq(errors(req),
	    "body id: Object id does not match existing object");
}

Test(envelope, client_timestamps)
{
	static const struct {
		const char	*value;
		bool		 fresh;		/* counts on creation */
		bool		 update;	/* over 100 */
	} cases[] = {
		{ "101", true, true }, { "100", true, false },
		{ "0", true, false }, { "-5", true, false },
		{ "\"101\"", false, false }, { "101.5", false, false },
		{ "null", false, false }, { "true", false, false },
		{ "9007199254740991", true, true },
		{ "9007199254740992", false, false },
		{ "-99999999999999999", false, false },
	};
	struct clq_object old = { .last_modified = 100 };
	clq_msec t;

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		cr_expect_eq(clq_body_timestamp(tree(cases[i].value), NULL,
		    &t), cases[i].fresh, "%s", cases[i].value);
		cr_expect_eq(clq_body_timestamp(tree(cases[i].value), &old,
		    &t), cases[i].update, "%s", cases[i].value);
	}
	cr_expect_not(clq_body_timestamp(NULL, NULL, &t));
}

Test(envelope, permissions_as_lists)
{
	struct clq_request *req = request();
	struct clq_body body;
	struct clq_acl acl;

	req->body = CLQ_STR("{\"permissions\":{\"read\":[\"a\",\"b\",\"a\"],"
	    "\"write\":null}}");
	clq_body_read(req, &body);
	clq_body_acl(lb.arena, &body, false, &acl);
	cr_expect_eq(acl.n, 1);
	cr_expect_eq(acl.aces[0].principals.n, 2);
	clq_body_acl(lb.arena, &body, true, &acl);
	cr_expect_eq(acl.n, 2);
	cr_expect_eq(clq_acl_get(&acl, CLQ_STR("write")).n, 0);
}

Test(envelope, bodies_that_do_not_matter_must_be_json_all_the_same)
{
	struct clq_request *req = request();

	req->body = CLQ_STR("{");
	clq_body_ignore(req);
	cr_expect_eq(req->error.ninvalid, 1);
	req = request();
	req->body = CLQ_STR("{");
	clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Content-Type"),
	    CLQ_STR("text/plain"));
	clq_body_ignore(req);
	cr_expect_eq(req->error.ninvalid, 0);
}

Test(envelope, patch_flavours_ignore_parameters)
{
	static const struct {
		const char		*type;
		enum clq_patch_kind	 kind;
	} cases[] = {
		{ "application/json", CLQ_PATCH_PLAIN },
		{ "", CLQ_PATCH_PLAIN },
		{ "application/merge-patch+json; charset=utf-8",
		  CLQ_PATCH_MERGE },
		{ "Application/JSON-patch+json", CLQ_PATCH_JSON },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_request *req = request();

		clq_pairs_add(lb.arena, &req->headers,
		    CLQ_STR("Content-Type"), clq_str_of(cases[i].type));
		cr_expect_eq(clq_patch_kind_of(req), cases[i].kind);
	}
}

Test(schema, tells_faults_of_declarations)
{
	static const struct {
		struct clq_field	 f;
		const char		*fault;	/* NULL: it is good */
	} cases[] = {
		{ { .type = CLQ_FIELD_INT, .def = "\"nine\"" }, "refuse" },
		{ { .type = CLQ_FIELD_INT, .def = "9", .max = 3 },
		    "9 is greater than maximum value 3" },
		{ { .type = CLQ_FIELD_INT, .def = "\"9\"" }, "write 9" },
		{ { .type = CLQ_FIELD_INT, .def = "1.5" }, "write 1" },
		{ { .type = CLQ_FIELD_STRING, .def = "\"long\"", .max = 3 },
		    "Longer than maximum length 3" },
		{ { .type = CLQ_FIELD_STRING, .def = "{" }, "not JSON" },
		{ { .type = CLQ_FIELD_STRINGS, .def = "[1]" }, "not a string" },
		{ { .type = CLQ_FIELD_BOOL, .def = "1" }, "write true" },
		{ { .type = CLQ_FIELD_OBJECT, .def = "[]" }, "mapping" },
		{ { .type = CLQ_FIELD_INT, .min = 5, .max = 3 },
		    "greater than its max" },
		{ { .type = CLQ_FIELD_INT, .def = "null" }, NULL },
		{ { .type = CLQ_FIELD_STRING, .def = "\"\"" }, NULL },
		{ { .type = CLQ_FIELD_INT, .def = "3", .max = 3 }, NULL },
		{ { .type = CLQ_FIELD_ANY, .def = "[1]" }, NULL },
		{ { .type = CLQ_FIELD_LIST, .def = "[1]" }, NULL },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		struct clq_field f = cases[i].f;
		const char *got;

		f.name = "f";
		got = clq_field_fault(lb.arena, &f);
		if (cases[i].fault == NULL)
			cr_expect_null(got, "%zu: %s", i, got);
		else
			cr_expect(got != NULL && strstr(got, cases[i].fault) !=
			    NULL, "%zu: %s", i, got != NULL ? got : "good");
	}
}
