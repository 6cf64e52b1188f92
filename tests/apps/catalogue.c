/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application for tests of the API's description: every type of field, a
 * resource of each flavour, services whose texts try to break out of JSON,
 * HTML and a shell. With `catalogue = <word>` it declares something wrong.
 */
#include <cliquet/cliquet.h>

#define HOSTILE	"</script></style><script>alert(1)</script>\"'`$(id)`\\ \xff\x01"

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static enum clq_status
head(struct clq_request *req, void *ctx)
{
	clq_set_header(req, "X-Head", CLQ_STR("its own"));
	return view(req, ctx);
}

static const struct clq_field fields[] = {
	{ .name = "any", .type = CLQ_FIELD_ANY },
	{ .name = "string", .type = CLQ_FIELD_STRING, .flags = CLQ_REQUIRED,
	  .min = 1, .max = 9 },
	{ .name = "int", .type = CLQ_FIELD_INT, .min = -5, .max = 5,
	  .def = "2" },
	{ .name = "number", .type = CLQ_FIELD_NUMBER, .def = "null" },
	{ .name = "bool", .type = CLQ_FIELD_BOOL, .flags =
	    CLQ_FIELD_READONLY },
	{ .name = "object", .type = CLQ_FIELD_OBJECT },
	{ .name = "list", .type = CLQ_FIELD_LIST, .def = "[1]" },
	{ .name = "strings", .type = CLQ_FIELD_STRINGS },
	{ .name = "time", .type = CLQ_FIELD_TIMESTAMP,
	  .flags = CLQ_FIELD_AUTO_NOW },
	{ .name = "url", .type = CLQ_FIELD_URL, .flags = CLQ_FIELD_UNIQUE },
	{ .name = "a'b\"c<d>", .type = CLQ_FIELD_STRING },
};
static const struct clq_resource thing = {
	.size = sizeof thing, .name = "thing", .plural_path = "/things",
	.flags = CLQ_RESOURCE_STRICT, .fields = fields,
	.nfields = CLQ_COUNT(fields), .description = HOSTILE,
	.openapi = "{\"properties\":{\"string\":{\"description\":\"More.\"}}}",
};
static const struct clq_resource part = {
	.size = sizeof part, .name = "part/~ 1", .parent = "thing",
	.plural_path = "/things/{thing_id}/parts", .ids = &clq_id_name,
	.object_methods = CLQ_BIT(CLQ_METHOD_GET),
};
static const struct clq_resource mine = {
	.size = sizeof mine, .name = "mine", .plural_path = "/mine",
	.flags = CLQ_RESOURCE_USER,
};
static const struct clq_resource only = {
	.size = sizeof only, .name = "only", .plural_path = "/only",
	.plural_methods = CLQ_BIT(CLQ_METHOD_GET), .object_methods = ~0u,
};

static const struct clq_verb some[] = {
	{ CLQ_METHOD_GET, view, CLQ_TX_READ },
	{ CLQ_METHOD_POST, view, CLQ_TX_WRITE },
};
static const struct clq_verb headed[] = {
	{ CLQ_METHOD_HEAD, head, CLQ_TX_READ },
	{ CLQ_METHOD_GET, view, CLQ_TX_READ },
};

#define SERVICE(n, p, v, f, d, o) { .size = sizeof(struct clq_service),	\
	.name = n, .path = p, .verbs = v, .nverbs = 2,			\
	.flags = CLQ_SERVICE_NO_TX | (f), .description = d, .openapi = o }

static const struct clq_service services[] = {
	SERVICE("plain", "/plain", some, 0, NULL, NULL),
	SERVICE("plain", "/plain/{some-id}/{b}", some, 0, HOSTILE, NULL),
	SERVICE("private", "/private", headed, CLQ_SERVICE_PRIVATE, HOSTILE,
	    "{\"get\":{\"tags\":[\"<i>&\"],\"parameters\":[{\"name\":\"'<q>\","
	    "\"in\":\"query\",\"type\":\"string\"}],\"responses\":{\"200\":{"
	    "\"description\":\"`<b>` & `it\"}}}}"),
	SERVICE("any", "/any/{rest*}", some, CLQ_SERVICE_ANY_METHOD, NULL,
	    NULL),
	SERVICE("o'dd $name", "/o'dd $(x)\"<&", some, 0, NULL,
	    "{\"post\":{\"consumes\":[\"multipart/form-data\"],"
	    "\"parameters\":[{\"name\":\"it's\",\"in\":\"formData\","
	    "\"type\":\"file\"}]}}"),
};

static const char *const colours[] = { "red", "b\"lue", NULL };
static const char *const sizes[] = { "1", "2", NULL };
static const struct clq_input inputs[] = {
	{ .in = CLQ_IN_PATH, .field = { .name = "n", .type = CLQ_FIELD_INT,
	  .flags = CLQ_REQUIRED } },
	{ .in = CLQ_IN_QUERY, .field = { .name = "colour",
	  .type = CLQ_FIELD_STRING, .flags = CLQ_REQUIRED },
	  .methods = CLQ_BIT(CLQ_METHOD_GET), .one_of = colours },
	{ .in = CLQ_IN_QUERY, .field = { .name = "size",
	  .type = CLQ_FIELD_INT, .def = "1" }, .one_of = sizes },
	{ .in = CLQ_IN_QUERY, .field = { .name = "names",
	  .type = CLQ_FIELD_STRINGS } },
	{ .in = CLQ_IN_HEADER, .field = { .name = "X-When",
	  .type = CLQ_FIELD_TIMESTAMP } },
	{ .in = CLQ_IN_BODY, .field = { .name = "text",
	  .type = CLQ_FIELD_STRING, .flags = CLQ_REQUIRED, .max = 5 } },
	{ .in = CLQ_IN_BODY, .field = { .name = "list",
	  .type = CLQ_FIELD_LIST } },
};
static const struct clq_service declared = {
	.size = sizeof declared, .name = "declared",
	.path = "/declared/{n}", .verbs = some, .nverbs = CLQ_COUNT(some),
	.flags = CLQ_SERVICE_NO_TX, .inputs = inputs,
	.ninputs = CLQ_COUNT(inputs),
};

/* Below objects of a resource, with a word of its own on the id. */
static const struct clq_input below_inputs[] = {
	{ .in = CLQ_IN_PATH, .field = { .name = "id",
	  .type = CLQ_FIELD_STRING, .max = 9 } },
};
static const struct clq_service below = {
	.size = sizeof below, .name = "below", .path = "/things/{id}/below",
	.verbs = some, .nverbs = CLQ_COUNT(some),
	.flags = CLQ_SERVICE_NO_TX, .inputs = below_inputs,
	.ninputs = CLQ_COUNT(below_inputs),
};

/* Before this member was, services ended here. */
static const struct clq_service old = {
	.size = offsetof(struct clq_service, openapi), .name = "old",
	.path = "/old", .verbs = some, .nverbs = 1,
	.flags = CLQ_SERVICE_NO_TX, .openapi = "not to be looked at",
};

static enum clq_status
add_wrong(struct clq_server *srv)
{
	static struct clq_service wrong = SERVICE("wrong", "/wrong", some, 0,
	    NULL, NULL);
	static struct clq_resource odd = {
		.size = sizeof odd, .name = "odd", .plural_path = "/odds",
	};
	struct clq_str what = clq_settings_str(clq_server_settings(srv),
	    "catalogue");

	if (what.len == 0)
		return CLQ_OK;
	if (clq_str_is(what, "resource")) {
		odd.openapi = "[]";
		return clq_add_resource(srv, &odd);
	}
	wrong.openapi = clq_str_is(what, "json") ? "{" :
	    clq_str_is(what, "list") ? "[]" :
	    clq_str_is(what, "verb") ? "{\"delete\":{}}" :
	    clq_str_is(what, "name") ? "{\"Get it\":{}}" : "{\"get\":1}";
	return clq_add_service(srv, &wrong);
}

static const struct clq_setting settings[] = {
	{ "catalogue", CLQ_SET_STR, NULL, 0, 0, NULL, "What is wrong." },
};

static enum clq_status
setup(struct clq_server *srv)
{
	static const struct clq_resource *const resources[] = {
		&thing, &part, &mine, &only
	};
	enum clq_status rc;

	if ((rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings))) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < CLQ_COUNT(resources); i++)
		if ((rc = clq_add_resource(srv, resources[i])) != CLQ_OK)
			return rc;
	for (size_t i = 0; i < CLQ_COUNT(services); i++)
		if ((rc = clq_add_service(srv, &services[i])) != CLQ_OK)
			return rc;
	if ((rc = clq_add_service(srv, &old)) != CLQ_OK ||
	    (rc = clq_add_service(srv, &declared)) != CLQ_OK ||
	    (rc = clq_add_service(srv, &below)) != CLQ_OK)
		return rc;
	return add_wrong(srv);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "catalogue", .version = "1", .app = &app,
};
