/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of services: what their declaration says, their inputs, and
 * over it what they say in OpenAPI's own words (section 11-3).
 *
 * Core cannot know what a view answers. A service that says nothing of its
 * responses has one, "not described", rather than a guess.
 */
#include "openapi_impl.h"

#include <cliquet/str.h>

#include "inputs.h"
#include "resource_impl.h"

/* ---- inputs ------------------------------------------------------------ */

/* A text as the value that it stands for. */
static void
add_value(struct clq_buf *b, enum clq_field_type type, struct clq_str text)
{
	struct clq_str why;
	cJSON *value;

	if ((type == CLQ_FIELD_INT || type == CLQ_FIELD_NUMBER ||
	    type == CLQ_FIELD_BOOL || type == CLQ_FIELD_TIMESTAMP) &&
	    clq_json_parse(b->arena, text, &value, &why) == CLQ_OK)
		clq_json_print(b, value);
	else
		clq_oa_str(b, text);
}

static void
add_one_of(struct clq_buf *b, const struct clq_input *input)
{
	if (input->one_of == NULL || input->one_of[0] == NULL)
		return;
	clq_oa_add(b, ",'enum':[");
	for (size_t i = 0; input->one_of[i] != NULL; i++) {
		clq_buf_adds(b, i > 0 ? "," : "");
		add_value(b, input->field.type,
		    clq_str_of(input->one_of[i]));
	}
	clq_buf_addc(b, ']');
}

/* A parameter of path, query or header. */
static void
add_parameter(struct clq_oa *oa, const struct clq_input *input)
{
	static const char *const in[CLQ_IN__COUNT] = {
		"path", "query", "header", "body"
	};
	const struct clq_field *f = &input->field;
	bool required = input->in == CLQ_IN_PATH || clq_oa_required(f);

	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "name", "%s", f->name);
	clq_buf_addc(&oa->b, ',');
	clq_oa_member(&oa->b, "in", "%s", in[input->in]);
	clq_oa_add(&oa->b, required ? ",'required':true," : ",");
	if (f->type == CLQ_FIELD_STRINGS)
		clq_oa_add(&oa->b, "'type':'array','items':{'type':'string'},"
		    "'collectionFormat':'csv'");
	else
		clq_oa_simple_type(&oa->b, f);
	clq_oa_field_rest(&oa->b, f);
	add_one_of(&oa->b, input);
	clq_buf_addc(&oa->b, '}');
}

/* The members of the body as one schema. */
static void
add_body(struct clq_oa *oa, const struct clq_route *r,
    enum clq_method method)
{
	struct clq_buf required;

	clq_buf_init(&required, oa->arena, 64);
	clq_oa_add(&oa->b, "{'name':'body','in':'body','schema':{"
	    "'type':'object','properties':{");
	for (size_t i = 0, n = 0; i < r->ninputs; i++) {
		const struct clq_input *input = &r->inputs[i];
		const struct clq_field *f = &input->field;

		if (input->in != CLQ_IN_BODY ||
		    !clq_input_applies(input, method))
			continue;
		clq_buf_adds(&oa->b, n++ > 0 ? "," : "");
		clq_oa_property(&oa->b, f);
		add_one_of(&oa->b, input);
		clq_buf_addc(&oa->b, '}');
		if (!clq_oa_required(f))
			continue;
		clq_buf_adds(&required, required.len > 0 ? "," : "");
		clq_oa_str(&required, clq_str_of(f->name));
	}
	clq_buf_addc(&oa->b, '}');
	if (required.len > 0)
		clq_buf_printf(&oa->b, ",\"required\":[%.*s]",
		    CLQ_FMT(clq_buf_str(&required)));
	clq_buf_printf(&oa->b, "},\"required\":%s}", required.len > 0 ?
	    "true" : "false");
}

/* What is declared of this verb, and what follows when it is wrong. */
static void
add_inputs(struct clq_oa *oa, const struct clq_route *r,
    enum clq_method method)
{
	bool body = false;
	size_t n = 0;

	for (size_t i = 0; i < r->ninputs; i++) {
		if (!clq_input_applies(&r->inputs[i], method))
			continue;
		if (n == 0)
			clq_oa_add(&oa->b, ",'parameters':[");
		if (r->inputs[i].in == CLQ_IN_BODY) {
			if (body)
				continue;
			body = true;
		}
		clq_buf_adds(&oa->b, n++ > 0 ? "," : "");
		if (r->inputs[i].in == CLQ_IN_BODY)
			add_body(oa, r, method);
		else
			add_parameter(oa, &r->inputs[i]);
	}
	clq_buf_adds(&oa->b, n > 0 ? "]" : "");
	if (body)
		clq_oa_add(&oa->b, ",'consumes':['application/json']");
	clq_oa_add(&oa->b, n > 0 ? ",'responses':{'400':{"
	    "'$ref':'#/responses/400'}}" : ",'responses':{}");
}

/* ---- the operation ----------------------------------------------------- */

static struct clq_str
service_operation(struct clq_oa *oa, const struct clq_route *r,
    enum clq_method method)
{
	static const char *const verbs[CLQ_METHOD__COUNT] = {
		[CLQ_METHOD_GET] = "get", [CLQ_METHOD_HEAD] = "head",
		[CLQ_METHOD_POST] = "create", [CLQ_METHOD_PUT] = "update",
		[CLQ_METHOD_PATCH] = "patch", [CLQ_METHOD_DELETE] = "delete",
	};
	const char *name = r->name != NULL ? r->name : r->pattern;
	struct clq_buf kept = oa->b;
	struct clq_str text;

	clq_buf_init(&oa->b, oa->arena, 256);
	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "operationId", "%s_%s", verbs[method], name);
	clq_oa_add(&oa->b, ",'tags':[");
	clq_oa_str(&oa->b, clq_oa_tag(oa, clq_str_of(name)));
	clq_buf_addc(&oa->b, ']');
	if (r->description != NULL) {
		clq_buf_addc(&oa->b, ',');
		clq_oa_member(&oa->b, "summary", "%s", r->description);
	}
	clq_oa_security(oa, !(r->flags & CLQ_SERVICE_PRIVATE));
	clq_oa_add(&oa->b, ",'produces':['application/json']");
	add_inputs(oa, r, method);
	clq_buf_addc(&oa->b, '}');
	text = clq_buf_str(&oa->b);
	oa->b = kept;
	return text;
}

/* The last response: an error, or all that there is. */
static void
add_default(cJSON *op)
{
	cJSON *responses = clq_json_get(op, "responses");
	cJSON *item = cJSON_CreateObject();

	if (clq_json_get(responses, "default") != NULL ||
	    !cJSON_IsObject(responses)) {
		cJSON_Delete(item);
		return;
	}
	if (responses->child == NULL)
		clq_json_set(item, "description",
		    clq_json_new_str(CLQ_STR("Not described.")));
	else
		clq_json_set(item, "$ref",
		    clq_json_new_str(CLQ_STR("#/responses/default")));
	clq_json_set(responses, "default", item);
}

static void
make_head(cJSON *op)
{
	cJSON *response;

	clq_json_set(op, "x-head-of-get", cJSON_CreateTrue());

	cJSON_ArrayForEach(response, clq_json_get(op, "responses")) {
		clq_json_remove(response, "schema");
		if (clq_json_get(response, "$ref") == NULL)
			continue;
		clq_json_remove(response, "$ref");
		clq_json_set(response, "description",
		    clq_json_new_str(CLQ_STR("As for GET.")));
	}
}

enum clq_status
clq_oa_service_operation(struct clq_oa *oa, const struct clq_route *r,
    enum clq_method method, const cJSON *more)
{
	bool head = clq_oa_head_of_get(r, method);
	enum clq_method said = head ? CLQ_METHOD_GET : method;
	struct clq_str text, why;
	const cJSON *mine = clq_json_get(more, clq_oa_verb(oa, said));
	cJSON *op;

	text = service_operation(oa, r, said);
	if (clq_json_parse(oa->arena, text, &op, &why) != CLQ_OK)
		return CLQ_FAILED;
	if (clq_json_get(mine, "responses") != NULL)
		clq_json_remove(op, "responses");
	if (mine != NULL)
		clq_patch_merge(oa->arena, op, clq_json_dup(oa->arena, mine));
	add_default(op);
	text = clq_json_str(clq_json_get(op, "operationId"));
	if (text.p == NULL)
		return CLQ_INVALID;
	if (head) {
		make_head(op);
		text = clq_arena_printf(oa->arena, "head_%.*s",
		    CLQ_FMT(clq_str_starts(text, "get_") ?
		    clq_str_sub(text, 4, text.len) : text));
	}
	text = clq_oa_id(oa, clq_arena_strdup(oa->arena, text));
	clq_json_set(op, "operationId", clq_json_new_str(text));
	clq_json_print(&oa->b, op);
	return CLQ_OK;
}
