/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The declared inputs of services (section 11-3): typed, with defaults, from
 * the path, the query string, headers and the body.
 *
 * Before a view runs, what arrived is gathered by location, checked and
 * converted as the fields of a resource are (schema.c), and all that is wrong
 * is reported together. The view gets a tree of the declared names only.
 * Declarations are checked in the master, when the service is added.
 */
#include "inputs.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "negotiation.h"
#include "resource_impl.h"
#include "router.h"
#include "server.h"
#include "settings_load.h"

static const char *const locations[] = {
	[CLQ_IN_PATH] = "path",
	[CLQ_IN_QUERY] = "querystring",
	[CLQ_IN_HEADER] = "header",
	[CLQ_IN_BODY] = "body",
};
_Static_assert(CLQ_COUNT(locations) == CLQ_IN__COUNT, "");

/* ---- in the master ------------------------------------------------------ */

static const char *
input_fault(struct clq_server *srv, const char *pattern,
    const struct clq_input *input)
{
	enum clq_field_type type = input->field.type;
	struct clq_str variable;
	const char *fault;

	if (input->field.name == NULL || input->field.name[0] == '\0')
		return "has no name";
	if ((unsigned)input->in >= CLQ_IN__COUNT ||
	    (unsigned)type > CLQ_FIELD_URL)
		return "has a location or a type that does not exist";
	if (input->in != CLQ_IN_BODY && (type == CLQ_FIELD_OBJECT ||
	    type == CLQ_FIELD_LIST))
		return "is an object or a list, which only a body holds";
	if ((fault = clq_field_fault(srv->arena, &input->field)) != NULL)
		return fault;
	variable = clq_arena_printf(srv->arena, "{%s", input->field.name);
	if (input->in == CLQ_IN_PATH && clq_str_search(clq_str_of(pattern),
	    variable) == strlen(pattern))
		return "is no variable of the path";
	return NULL;
}

enum clq_status
clq_inputs_check(struct clq_server *srv, const struct clq_route *route)
{
	const char *fault;

	for (size_t i = 0; i < route->ninputs; i++) {
		const struct clq_input *input = &route->inputs[i];

		if ((fault = input_fault(srv, route->pattern, input)) == NULL)
			continue;
		clq_log_err("service %s: its input %zu (%s) %s", route->name,
		    i, input->field.name != NULL ? input->field.name : "?",
		    fault);
		return CLQ_INVALID;
	}
	return CLQ_OK;
}

/* ---- in a worker -------------------------------------------------------- */

static bool
has_body(enum clq_method method)
{
	return method == CLQ_METHOD_POST || method == CLQ_METHOD_PUT ||
	    method == CLQ_METHOD_PATCH;
}

bool
clq_input_applies(const struct clq_input *input, enum clq_method method)
{
	unsigned bits = CLQ_BIT(method);

	if (method == CLQ_METHOD_HEAD)	/* as the GET it may be */
		bits |= CLQ_BIT(CLQ_METHOD_GET);
	if (input->methods == 0)
		return input->in != CLQ_IN_BODY || has_body(method);
	return (input->methods & bits) != 0;
}

static struct clq_str
text_of(struct clq_request *req, const struct clq_input *input)
{
	switch (input->in) {
	case CLQ_IN_PATH:
		return clq_request_var(req, input->field.name);
	case CLQ_IN_QUERY:
		return clq_request_param(req, input->field.name);
	case CLQ_IN_HEADER:
		return clq_request_header(req, input->field.name);
	case CLQ_IN_BODY:
	case CLQ_IN__COUNT:
		break;
	}
	return (struct clq_str){ NULL, 0 };
}

/* "a, b" as a list of texts. */
static cJSON *
list_of(struct clq_str text)
{
	cJSON *list = cJSON_CreateArray();
	struct clq_str item;

	while (clq_str_next(&text, ',', &item))
		cJSON_AddItemToArray(list, clq_json_new_str(
		    clq_str_trim(item)));
	return list;
}

/* A text as JSON of about its type; schema.c converts numbers. */
static void
add_text(struct clq_request *req, const struct clq_input *input, cJSON *to)
{
	struct clq_str text = text_of(req, input);
	const char *name = input->field.name;
	bool b;

	if (text.p == NULL)
		return;
	if (!clq_utf8_valid(text) || memchr(text.p, '\0', text.len) != NULL)
		(void)clq_invalid(req, locations[input->in],
		    clq_str_of(name), "String does not match expected "
		    "pattern");
	else if (input->field.type == CLQ_FIELD_STRINGS)
		clq_json_set(to, name, list_of(text));
	else if (input->field.type != CLQ_FIELD_BOOL)
		clq_json_set(to, name, clq_json_new_str(text));
	else if (clq_settings_parse_bool(text, &b))
		clq_json_set(to, name, cJSON_CreateBool(b));
	else
		clq_json_set(to, name, cJSON_CreateNull());
}

/* A null stands for a text that is no boolean. */
static bool
refuse_bool(struct clq_request *req, const struct clq_input *input,
    const cJSON *tree)
{
	struct clq_str text = text_of(req, input);

	if (input->in == CLQ_IN_BODY ||
	    input->field.type != CLQ_FIELD_BOOL ||
	    !cJSON_IsNull(clq_json_get(tree, input->field.name)))
		return false;
	text = clq_schema_shown(req->arena, clq_json_own(req->arena,
	    clq_json_new_str(text)));
	(void)clq_invalid(req, locations[input->in],
	    clq_str_of(input->field.name), "\"%.*s\" is not a boolean",
	    CLQ_FMT(text));
	return true;
}

static void
check_choice(struct clq_request *req, const struct clq_input *input,
    const cJSON *value)
{
	struct clq_str text = clq_schema_shown(req->arena, value);
	struct clq_buf all;
	size_t i;

	clq_buf_init(&all, req->arena, 0);
	for (i = 0; input->one_of[i] != NULL; i++) {
		if (clq_str_is(text, input->one_of[i]))
			return;
		clq_buf_printf(&all, "%s%s", i > 0 ? ", " : "",
		    input->one_of[i]);
	}
	(void)clq_invalid(req, locations[input->in],
	    clq_str_of(input->field.name), "\"%.*s\" is not one of %.*s",
	    CLQ_FMT(text), CLQ_FMT(clq_buf_str(&all)));
}

static void
check_choices(struct clq_request *req, const struct clq_input *input,
    const cJSON *tree)
{
	const cJSON *value = clq_json_get(tree, input->field.name), *item;

	if (value == NULL || input->one_of == NULL)
		return;
	if (!cJSON_IsArray(value)) {
		check_choice(req, input, value);
		return;
	}
	cJSON_ArrayForEach(item, value)
		check_choice(req, input, item);
}

/* The body's object, if any input is in it. CLQ_INVALID: collected. */
static enum clq_status
body_of(struct clq_request *req, const cJSON **out)
{
	struct clq_str shown;
	enum clq_status rc;
	cJSON *tree;

	if ((rc = clq_negotiate_json_body(req)) != CLQ_OK ||
	    (rc = clq_request_json(req, &tree)) != CLQ_OK)
		return rc;
	*out = tree;
	if (cJSON_IsObject(tree))
		return CLQ_OK;
	shown = clq_schema_shown(req->arena, tree);
	return clq_invalid(req, "body", CLQ_STR(""), "\"%.*s\" is not a "
	    "mapping type: Does not implement dict-like functionality.",
	    CLQ_FMT(shown));
}

static void
add_member(const cJSON *body, const struct clq_input *input, cJSON *to)
{
	const cJSON *value = clq_json_get(body, input->field.name);

	if (value != NULL)
		clq_json_set(to, input->field.name,
		    cJSON_Duplicate(value, true));
}

static void
take(struct clq_request *req, const struct clq_input *input,
    const cJSON *body)
{
	cJSON *to = req->inputs[input->in];

	if (input->in == CLQ_IN_BODY)
		add_member(body, input, to);
	else
		add_text(req, input, to);
	if (refuse_bool(req, input, to))
		return;
	clq_schema_field(req, &input->field, to, locations[input->in], "");
	check_choices(req, input, to);
}

enum clq_status
clq_inputs_read(struct clq_request *req)
{
	const struct clq_route *r = req->route;
	const cJSON *body = NULL;
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < CLQ_IN__COUNT; i++)
		req->inputs[i] = clq_json_own(req->arena,
		    cJSON_CreateObject());
	for (size_t i = 0; i < r->ninputs; i++) {
		const struct clq_input *input = &r->inputs[i];

		if (!clq_input_applies(input, req->method))
			continue;
		if (input->in == CLQ_IN_BODY && body == NULL && rc == CLQ_OK)
			rc = body_of(req, &body);
		if (input->in != CLQ_IN_BODY || rc == CLQ_OK)
			take(req, input, body);
	}
	if (rc != CLQ_OK)
		return rc;
	return req->error.errno_ != 0 ? CLQ_INVALID : CLQ_OK;
}

cJSON *
clq_request_inputs(struct clq_request *req, enum clq_location in)
{
	if (req->inputs[in] == NULL)	/* none are declared */
		req->inputs[in] = clq_json_own(req->arena,
		    cJSON_CreateObject());
	return req->inputs[in];
}
