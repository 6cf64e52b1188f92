/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parameters whose names begin with '_', and the query as a whole (section
 * 04-1, 04-5, 04-6, 04-8.1). Filters are in filter.c.
 *
 * What a client may send is bounded in number and size here, so that a query
 * costs no more than its text.
 */
#include "query.h"

#include <cliquet/str.h>

#include "resource_impl.h"
#include "server.h"

enum {
	MAX_PARAMS = 1024,	/* looked through pairwise for repetitions */
	MAX_NAME = 1024		/* bytes of a parameter's name */
};

static const struct clq_str no_name = { NULL, 0 };

/* ---- the `_` parameters ------------------------------------------------ */

/* Collects its errors; *out is written only if all is well. */
static void
integer_param(struct clq_request *req, struct clq_str name,
    struct clq_str value, int64_t *out)
{
	cJSON *v = clq_param_typed(req->arena, value);
	struct clq_str shown = cJSON_IsBool(v) || cJSON_IsNull(v) ? value :
	    clq_schema_shown(req->arena, v);
	int64_t n;

	if (clq_param_integer(v, true, &n)) {
		if (n >= 0)
			*out = n;
		else
			(void)clq_invalid(req, "querystring", name, "%.*s is "
			    "less than minimum value 0", CLQ_FMT(shown));
	} else if (cJSON_IsNumber(v) && v->valuedouble > 0) {
		(void)clq_invalid(req, "querystring", name, "%.*s is greater "
		    "than maximum value 9223372036854775808", CLQ_FMT(shown));
	} else if (cJSON_IsNumber(v)) {
		(void)clq_invalid(req, "querystring", name, "%.*s is less "
		    "than minimum value 0", CLQ_FMT(shown));
	} else {
		(void)clq_invalid(req, "querystring", name,
		    "\"%.*s\" is not a number", CLQ_FMT(shown));
	}
}

/* Comma-separated names, empty ones dropped. */
static void
read_fields(struct clq_request *req, struct clq_str value,
    struct clq_params *out)
{
	struct clq_str item;

	while (clq_str_next(&value, ',', &item)) {
		if (item.len == 0)
			continue;
		if (out->fields.n == CLQ_MAX_FIELDS) {
			(void)clq_invalid(req, "querystring",
			    CLQ_STR("_fields"), "There may be at most %d "
			    "fields", CLQ_MAX_FIELDS);
			return;
		}
		clq_strs_add(req->arena, &out->fields, item);
	}
}

/* True if name is a `_` parameter with a meaning. */
static bool
is_special(struct clq_str name)
{
	static const char *const names[] = {
		"_since", "_before", "_to", "_limit", "_token", "_sort",
		"_fields"
	};

	for (size_t i = 0; i < CLQ_COUNT(names); i++)
		if (clq_str_is(name, names[i]))
			return true;
	return false;
}

bool
clq_param_repeated(const struct clq_pairs *params, size_t i)
{
	struct clq_str name = clq_str_trim(params->items[i].name);

	while (i > 0)
		if (clq_str_eq(clq_str_trim(params->items[--i].name), name))
			return true;
	return false;
}

static void
read_special(struct clq_request *req, struct clq_str name,
    struct clq_str value, struct clq_params *out)
{
	int64_t ignored;

	if (clq_str_is(name, "_limit")) {
		if (value.len > 0)
			integer_param(req, name, value, &out->limit);
	} else if (clq_str_is(name, "_token")) {
		out->token = value;
	} else if (clq_str_is(name, "_sort")) {
		out->sort = value;
	} else if (clq_str_is(name, "_fields")) {
		read_fields(req, value, out);
	} else {
		integer_param(req, name, value, &ignored);
	}
}

static bool
has_nul(struct clq_str s)
{
	return s.len > 0 && memchr(s.p, '\0', s.len) != NULL;
}

/* False if the parameters are too many, too long or hold NUL; said. */
static bool
params_bounded(struct clq_request *req)
{
	const struct clq_pairs *params = &req->params;

	if (params->n > MAX_PARAMS) {
		(void)clq_invalid(req, "querystring", no_name,
		    "There may be at most %d parameters", MAX_PARAMS);
		return false;
	}
	for (size_t i = 0; i < params->n; i++) {
		const struct clq_pair *p = &params->items[i];

		if (has_nul(p->name) || has_nul(p->value)) {
			(void)clq_invalid(req, "querystring", clq_str_sub(
			    p->name, 0, 64), "Invalid character 0x00");
			return false;
		}
		if (p->name.len <= MAX_NAME && p->value.len <= CLQ_MAX_VALUE)
			continue;
		(void)clq_invalid(req, "querystring", clq_str_sub(p->name, 0,
		    64), "A parameter's name may have at most %d bytes and "
		    "its value %d", MAX_NAME, CLQ_MAX_VALUE);
		return false;
	}
	return true;
}

void
clq_params_read(struct clq_request *req, struct clq_params *out)
{
	struct clq_str name, value;
	int64_t ignored;

	memset(out, 0, sizeof *out);
	if (!params_bounded(req))
		return;
	for (size_t i = 0; i < req->params.n; i++) {
		name = clq_str_trim(req->params.items[i].name);
		value = req->params.items[i].value;
		if (clq_str_is(name, "last_modified") &&
		    !clq_param_repeated(&req->params, i))
			integer_param(req, name, value, &ignored);
		if (!is_special(name))
			continue;
		if (clq_param_repeated(&req->params, i))
			(void)clq_invalid(req, "querystring", name,
			    "The parameter is given more than once");
		else
			read_special(req, name, value, out);
	}
}

void
clq_params_fields(struct clq_request *req, struct clq_params *out)
{
	struct clq_str name;

	memset(out, 0, sizeof *out);
	if (!params_bounded(req))
		return;
	for (size_t i = 0; i < req->params.n; i++) {
		name = clq_str_trim(req->params.items[i].name);
		if (clq_str_is(name, "_fields"))
			read_fields(req, req->params.items[i].value, out);
	}
}

bool
clq_params_timestamp(struct clq_request *req, clq_msec *out)
{
	struct clq_str name = CLQ_STR("last_modified");
	struct clq_str value = clq_request_param(req, "last_modified");
	int64_t n;

	if (value.p == NULL)
		return false;
	if (value.len > CLQ_MAX_VALUE ||
	    !clq_param_integer(clq_param_typed(req->arena, value), false,
	    &n) || n < 0 || n > CLQ_MAX_TIMESTAMP) {
		(void)clq_param_invalid(req, name);
		return false;
	}
	*out = n;
	return true;
}

/* ---- sort, fields, limit ----------------------------------------------- */

static enum clq_status
read_sort(struct clq_request *req, const struct clq_resource *decl,
    struct clq_str sort, struct clq_query *q)
{
	struct clq_sort *sorts = clq_arena_calloc(req->arena,
	    CLQ_MAX_SORTS + 1, sizeof *sorts);
	struct clq_str item;
	bool descending, by_time = false;
	size_t n = 0;

	while (clq_str_next(&sort, ',', &item)) {
		item = clq_str_trim(item);
		descending = clq_str_starts(item, "-");
		if (descending || clq_str_starts(item, "+"))
			item = clq_str_sub(item, 1, item.len);
		if (!clq_is_field_name(item))
			continue;
		if (!clq_schema_knows(decl, item))
			return clq_invalid(req, "querystring", no_name,
			    "Unknown sort field '%.*s'", CLQ_FMT(item));
		if (n == CLQ_MAX_SORTS)
			return clq_invalid(req, "querystring",
			    CLQ_STR("_sort"), "There may be at most %d "
			    "fields", CLQ_MAX_SORTS);
		by_time = by_time || clq_str_is(item, "last_modified");
		sorts[n].field = item;
		sorts[n++].descending = descending;
	}
	if (!by_time) {
		sorts[n].field = CLQ_STR("last_modified");
		sorts[n++].descending = true;
	}
	q->sorts = sorts;
	q->nsorts = n;
	return CLQ_OK;
}

void
clq_query_by_id(struct clq_arena *arena, struct clq_query *q)
{
	struct clq_sort *sorts = clq_arena_calloc(arena, q->nsorts + 1,
	    sizeof *sorts);

	memcpy(sorts, q->sorts, q->nsorts * sizeof *sorts);
	sorts[q->nsorts].field = CLQ_STR("id");
	q->sorts = sorts;
	q->nsorts++;
}

enum clq_status
clq_query_fields(struct clq_request *req, const struct clq_resource *decl,
    struct clq_strs fields)
{
	struct clq_buf unknown;

	clq_buf_init(&unknown, req->arena, 0);
	for (size_t i = 0; i < fields.n; i++) {
		if (clq_schema_knows(decl, fields.items[i]))
			continue;
		if (unknown.len > 0)
			clq_buf_addc(&unknown, ',');
		clq_buf_add(&unknown, fields.items[i]);
	}
	if (unknown.len == 0)
		return CLQ_OK;
	return clq_invalid(req, "body", CLQ_STR("Invalid _fields parameter"),
	    "Fields %.*s do not exist", CLQ_FMT(clq_buf_str(&unknown)));
}

static size_t
effective_limit(const struct clq_server *srv, int64_t limit)
{
	if (srv->paginate_by > 0 && (limit == 0 || limit > srv->paginate_by))
		limit = srv->paginate_by;
	if (limit == 0 || limit > srv->max_fetch)
		limit = srv->max_fetch;
	return (size_t)limit;
}

enum clq_status
clq_query_read(struct clq_request *req, const struct clq_resource *decl,
    const struct clq_params *params, struct clq_query *q)
{
	enum clq_status rc;

	if ((rc = clq_filters_read(req, decl, q)) != CLQ_OK ||
	    (rc = read_sort(req, decl, params->sort, q)) != CLQ_OK ||
	    (rc = clq_query_fields(req, decl, params->fields)) != CLQ_OK)
		return rc;
	q->limit = effective_limit(req->server, params->limit);
	return CLQ_OK;
}
