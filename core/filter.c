/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: from query parameters to conditions on fields (section 04-1 to
 * 04-4).
 *
 * A name may begin with an operator; everything else is the field. Values are
 * JSON where they parse as JSON, else plain text; `id` and `last_modified` have
 * types of their own, so that storage never meets a value that it cannot
 * compare.
 */
#include "query.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "resource_impl.h"

enum { DAY = 86400 * 1000 };	/* ms that a client's clock may be ahead */

static const struct clq_str no_name = { NULL, 0 };

/* ---- values ------------------------------------------------------------ */

static cJSON *
text_value(struct clq_arena *arena, struct clq_str s)
{
	return clq_json_own(arena, clq_json_new_str(s));
}

/* Section 04-2: JSON if it is JSON, else the text. */
cJSON *
clq_param_typed(struct clq_arena *arena, struct clq_str s)
{
	struct clq_str why;
	cJSON *v;

	if (s.len == 0 || clq_json_parse(arena, s, &v, &why) != CLQ_OK)
		return text_value(arena, s);
	return v;
}

/* An integer, or digits in quotes as ETags are; truncate: 1.5 is 1. */
bool
clq_param_integer(const cJSON *v, bool truncate, int64_t *out)
{
	struct clq_str text = clq_json_str(v);

	if (text.p != NULL)
		return clq_str_int(clq_str_trim(text), out);
	if (clq_json_int(v, out))
		return true;
	if (!truncate || !cJSON_IsNumber(v) || v->valuedouble <= -9e18 ||
	    v->valuedouble >= 9e18)
		return false;
	*out = (int64_t)v->valuedouble;
	return true;
}

enum clq_status
clq_param_invalid(struct clq_request *req, struct clq_str param)
{
	return clq_invalid(req, "querystring", param,
	    "Invalid value for %.*s", CLQ_FMT(param));
}

/* ---- filters ----------------------------------------------------------- */

static const struct {
	const char	*prefix;
	enum clq_op	 op;
} operators[] = {
	{ "lt_",		CLQ_OP_LT },
	{ "min_",		CLQ_OP_MIN },
	{ "max_",		CLQ_OP_MAX },
	{ "not_",		CLQ_OP_NOT },
	{ "eq_",		CLQ_OP_EQ },
	{ "gt_",		CLQ_OP_GT },
	{ "in_",		CLQ_OP_IN },
	{ "exclude_",		CLQ_OP_EXCLUDE },
	{ "like_",		CLQ_OP_LIKE },
	{ "has_",		CLQ_OP_HAS },
	{ "contains_any_",	CLQ_OP_CONTAINS_ANY },
	{ "contains_",		CLQ_OP_CONTAINS },
};
_Static_assert(CLQ_COUNT(operators) == CLQ_OP__COUNT, "");

/* Letters, digits, '_' and '.'; beyond ASCII everything counts as a letter. */
bool
clq_is_field_name(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '.' ||
		    (unsigned char)c >= 0x80))
			return false;
	}
	return s.len > 0;
}

/* Split "min_age"; a name that is not of this form is a field as a whole. */
static void
split_name(struct clq_str name, enum clq_op *op, struct clq_str *field)
{
	struct clq_str rest;

	*op = CLQ_OP_EQ;
	*field = name;
	for (size_t i = 0; i < CLQ_COUNT(operators); i++) {
		if (!clq_str_starts(name, operators[i].prefix))
			continue;
		rest = clq_str_sub(name, strlen(operators[i].prefix),
		    name.len);
		if (!clq_is_field_name(rest))
			continue;
		*op = operators[i].op;
		*field = rest;
		return;
	}
}

/* How values of a field are read. */
enum reading {
	READ_TYPED,		/* section 04-2 */
	READ_NUMBERS,		/* numbers are the text sent */
	READ_TEXT		/* so is all but a text in quotes, and null */
};

/* One filter in the making: a parameter and how often it was sent. */
struct filter_source {
	struct clq_request	*req;
	struct clq_str		 param;
	struct clq_str		 field;
	enum clq_op		 op;
	struct clq_str		 value;		/* the first */
	cJSON			*list;		/* all, if more than one */
	enum reading		 reading;
};

/* JSON's idea of true, with Python's of empty. */
static bool
truthy(const cJSON *v)
{
	if (cJSON_IsString(v))
		return v->valuestring[0] != '\0';
	if (cJSON_IsNumber(v))
		return v->valuedouble != 0;
	if (cJSON_IsArray(v) || cJSON_IsObject(v))
		return v->child != NULL;
	return cJSON_IsTrue(v);
}

static cJSON *
has_value(const struct filter_source *src)
{
	struct clq_arena *arena = src->req->arena;
	const cJSON *v = src->list != NULL ? src->list :
	    clq_param_typed(arena, src->value);

	return clq_json_own(arena, cJSON_CreateBool(truthy(v)));
}

static cJSON *
read_value(struct clq_arena *arena, struct clq_str s, enum reading reading)
{
	cJSON *v = clq_param_typed(arena, s);
	bool text = (reading == READ_NUMBERS && cJSON_IsNumber(v)) ||
	    (reading == READ_TEXT && !cJSON_IsString(v) && !cJSON_IsNull(v));

	return text ? text_value(arena, s) : v;
}

/* "a,b," -> ["a","b"], each typed. */
static cJSON *
split_list(struct clq_arena *arena, struct clq_str s, enum reading reading)
{
	cJSON *list = clq_json_own(arena, cJSON_CreateArray());
	struct clq_str item;

	while (clq_str_next(&s, ',', &item))
		if (item.len > 0)
			cJSON_AddItemToArray(list, cJSON_Duplicate(
			    read_value(arena, item, reading), true));
	return list;
}

static cJSON *
value_of(const struct filter_source *src)
{
	struct clq_arena *arena = src->req->arena;
	cJSON *v, *list;

	if (src->list != NULL)
		return src->list;
	if (src->op == CLQ_OP_IN || src->op == CLQ_OP_EXCLUDE)
		return split_list(arena, src->value, src->reading);
	v = read_value(arena, src->value, src->reading);
	if (src->op != CLQ_OP_CONTAINS && src->op != CLQ_OP_CONTAINS_ANY)
		return v;
	if (cJSON_IsArray(v))
		return v;
	list = clq_json_own(arena, cJSON_CreateArray());
	cJSON_AddItemToArray(list, cJSON_Duplicate(v, true));
	return list;
}

static bool
all_strings(const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (!cJSON_IsString(item))
			return false;
	return true;
}

/* Ids are strings; only ranges take numbers, as the text that was sent. */
static enum clq_status
id_filter(const struct filter_source *src, struct clq_filter *out)
{
	cJSON *v = value_of(src);
	bool ok = false;

	switch (src->op) {
	case CLQ_OP_EQ:
	case CLQ_OP_NOT:
	case CLQ_OP_LIKE:
		ok = cJSON_IsString(v);
		break;
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		if (cJSON_IsNumber(v))
			v = text_value(src->req->arena, src->value);
		ok = cJSON_IsString(v);
		break;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
		ok = all_strings(v);
		break;
	case CLQ_OP_HAS:	/* not reached: see add_filter() */
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
	case CLQ_OP__COUNT:
		break;
	}
	if (!ok)
		return clq_param_invalid(src->req, src->param);
	out->value = v;
	return CLQ_OK;
}

/* truncate: fractions are cut off, as for `_since`. */
static enum clq_status
timestamp_filter(const struct filter_source *src, bool truncate,
    struct clq_filter *out)
{
	struct clq_request *req = src->req;
	int64_t n;

	if (src->list != NULL || src->op == CLQ_OP_IN ||
	    src->op == CLQ_OP_EXCLUDE || src->op == CLQ_OP_LIKE ||
	    src->op == CLQ_OP_CONTAINS || src->op == CLQ_OP_CONTAINS_ANY ||
	    !clq_param_integer(clq_param_typed(req->arena, src->value),
	    truncate, &n) || n < 0 || n >= clq_now() + DAY)
		return clq_param_invalid(req, src->param);
	out->value = clq_json_own(req->arena, clq_json_new_int(n));
	return CLQ_OK;
}

static enum clq_status
field_filter(const struct filter_source *src, struct clq_filter *out)
{
	out->value = value_of(src);
	if (src->op == CLQ_OP_LIKE && !cJSON_IsString(out->value))
		return clq_param_invalid(src->req, src->param);
	return CLQ_OK;
}

static enum reading
reading_of(const struct clq_resource *decl, struct clq_str name)
{
	const struct clq_field *f = NULL;
	bool text;

	for (size_t i = 0; i < decl->nfields && f == NULL; i++)
		if (clq_str_is(name, decl->fields[i].name))
			f = &decl->fields[i];
	if (f == NULL)
		return READ_TYPED;
	text = (f->flags & CLQ_FIELD_TEXT) != 0;
	if ((f->flags & CLQ_FIELD_TYPED) != 0)
		return text ? READ_NUMBERS : READ_TYPED;
	return text || f->type == CLQ_FIELD_STRING ||
	    f->type == CLQ_FIELD_URL ? READ_TEXT : READ_TYPED;
}

static enum clq_status
add_filter(struct filter_source *src, const struct clq_resource *decl,
    struct clq_filter *out)
{
	out->field = src->field;
	out->op = src->op;
	if (!clq_schema_knows(decl, src->field))
		return clq_invalid(src->req, "querystring", src->param,
		    "Unknown filter field '%.*s'", CLQ_FMT(src->param));
	if (src->op == CLQ_OP_HAS) {
		out->value = has_value(src);
		return CLQ_OK;
	}
	if (clq_str_is(src->field, "id"))
		return id_filter(src, out);
	if (clq_str_is(src->field, "last_modified"))
		return timestamp_filter(src,
		    clq_str_is(src->param, "last_modified"), out);
	src->reading = reading_of(decl, src->field);
	return field_filter(src, out);
}

/* `_since` and its like: filters under another name. */
static enum clq_status
add_bound(struct filter_source *src, struct clq_filter *out)
{
	src->field = CLQ_STR("last_modified");
	src->op = clq_str_is(src->param, "_since") ? CLQ_OP_GT : CLQ_OP_LT;
	if (clq_str_is(src->param, "_to"))
		clq_alert(src->req, "soft-eol", "_to is now deprecated, you "
		    "should use _before instead",
		    "https://kinto.readthedocs.io/en/2.4.0/api/resource.html"
		    "#list-of-available-url-parameters");
	out->field = src->field;
	out->op = src->op;
	return timestamp_filter(src, true, out);
}

static bool
is_bound(struct clq_str name)
{
	return clq_str_is(name, "_since") || clq_str_is(name, "_before") ||
	    clq_str_is(name, "_to");
}

/* All values of the parameter at i as texts; NULL if there is but one. */
static cJSON *
collect(struct clq_request *req, size_t i)
{
	const struct clq_pairs *params = &req->params;
	struct clq_str name = clq_str_trim(params->items[i].name);
	cJSON *list = NULL;

	for (size_t j = i + 1; j < params->n; j++) {
		if (!clq_str_eq(clq_str_trim(params->items[j].name), name))
			continue;
		if (list == NULL) {
			list = clq_json_own(req->arena, cJSON_CreateArray());
			cJSON_AddItemToArray(list,
			    clq_json_new_str(params->items[i].value));
		}
		cJSON_AddItemToArray(list,
		    clq_json_new_str(params->items[j].value));
	}
	return list;
}

enum clq_status
clq_filters_read(struct clq_request *req, const struct clq_resource *decl,
    struct clq_query *q)
{
	const struct clq_pairs *params = &req->params;
	struct clq_filter *filters = clq_arena_calloc(req->arena, params->n,
	    sizeof *filters);
	enum clq_status rc;
	size_t n = 0;

	for (size_t i = 0; i < params->n; i++) {
		struct filter_source src = {
			.req = req,
			.param = clq_str_trim(params->items[i].name),
			.value = params->items[i].value,
		};

		if (src.param.len == 0 || clq_param_repeated(params, i) ||
		    (src.param.p[0] == '_' && !is_bound(src.param)))
			continue;
		if (n == CLQ_MAX_FILTERS)
			return clq_invalid(req, "querystring", no_name,
			    "There may be at most %d filters",
			    CLQ_MAX_FILTERS);
		src.list = collect(req, i);
		split_name(src.param, &src.op, &src.field);
		rc = is_bound(src.param) ? add_bound(&src, &filters[n]) :
		    add_filter(&src, decl, &filters[n]);
		if (rc != CLQ_OK)
			return rc;
		if (clq_str_is(filters[n++].field, "last_modified"))
			q->include_deleted = true;
	}
	q->filters = filters;
	q->nfilters = n;
	return CLQ_OK;
}
