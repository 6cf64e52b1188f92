/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content negotiation of the endpoints that speak JSON only (section 01-3).
 *
 * Parameters and case are ignored where the reference is stricter: no client
 * depends on being refused. An Accept header that cannot be parsed counts as
 * none, as in the reference; an empty one accepts nothing.
 */
#include "negotiation.h"

#include <cliquet/str.h>

#include "error.h"

static const char *const json_only[] = { "application/json", NULL };
static const char *const patch_types[] = { "application/json",
	"application/merge-patch+json", "application/json-patch+json", NULL };

static bool
token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!token_char(s.p[i]))
			return false;
	return s.len > 0;
}

/* True unless the weight of a range is zero ("0", "0.0", "0.000"). */
static bool
weight_positive(struct clq_str params)
{
	struct clq_str item, value;
	size_t eq;

	while (clq_str_next(&params, ';', &item)) {
		eq = clq_str_find(item, '=', 0);
		if (!clq_str_caseis(clq_str_trim(clq_str_sub(item, 0, eq)),
		    "q"))
			continue;
		value = clq_str_trim(clq_str_sub(item, eq + 1, item.len));
		for (size_t i = 0; i < value.len; i++)
			if (value.p[i] >= '1' && value.p[i] <= '9')
				return true;
		return false;
	}
	return true;
}

/* How closely a range names application/json: 0 not at all, 3 exactly; -1 if
 * it is no media range. */
static int
range_fit(struct clq_str range)
{
	size_t slash = clq_str_find(range, '/', 0);
	struct clq_str type = clq_str_sub(range, 0, slash);
	struct clq_str sub = clq_str_sub(range, slash + 1, range.len);

	if (slash == range.len || !is_token(type) || !is_token(sub))
		return -1;
	if (clq_str_is(type, "*"))
		return clq_str_is(sub, "*") ? 1 : -1;
	if (!clq_str_caseis(type, "application"))
		return 0;
	return clq_str_is(sub, "*") ? 2 : clq_str_caseis(sub, "json") ? 3 : 0;
}

bool
clq_accepts_json(struct clq_str accept)
{
	struct clq_str rest = accept, item;
	bool accepted = false;
	int best = 0, fit;
	size_t semi;

	if (accept.p == NULL)
		return true;
	while (clq_str_next(&rest, ',', &item)) {
		item = clq_str_trim(item);
		if (item.len == 0)
			continue;
		semi = clq_str_find(item, ';', 0);
		fit = range_fit(clq_str_trim(clq_str_sub(item, 0, semi)));
		if (fit < 0)
			return true;
		if (fit == 0 || fit < best)
			continue;
		/* The closest range decides; among equals, any that admits. */
		accepted = (fit == best && accepted) || weight_positive(
		    clq_str_sub(item, semi + 1, item.len));
		best = fit;
	}
	return accepted;
}

struct clq_str
clq_media_type(struct clq_str content_type)
{
	return clq_str_trim(clq_str_sub(content_type, 0,
	    clq_str_find(content_type, ';', 0)));
}

/* "['a', 'b']", as the reference writes it. */
static struct clq_str
list_text(struct clq_arena *arena, const char *const *types)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 96);
	for (size_t i = 0; types[i] != NULL; i++)
		clq_buf_printf(&b, "%s'%s'", i > 0 ? ", " : "[", types[i]);
	clq_buf_addc(&b, ']');
	return clq_buf_str(&b);
}

static enum clq_status
refuse(struct clq_request *req, int status, const char *header,
    const char *const *types)
{
	enum clq_status rc = clq_invalid(req, "header", clq_str_of(header),
	    "%s header should be one of %.*s", header,
	    CLQ_FMT(list_text(req->arena, types)));

	clq_fail_as(req, status, NULL);
	return rc;
}

static enum clq_status
check_content_type(struct clq_request *req, const char *const *types)
{
	struct clq_str type = clq_media_type(clq_request_header(req,
	    "Content-Type"));

	if (type.len == 0)
		return CLQ_OK;
	for (size_t i = 0; types[i] != NULL; i++)
		if (clq_str_caseis(type, types[i]))
			return CLQ_OK;
	return refuse(req, 415, "Content-Type", types);
}

enum clq_status
clq_negotiate_json_body(struct clq_request *req)
{
	return check_content_type(req, json_only);
}

enum clq_status
clq_negotiate(struct clq_request *req)
{
	if (!clq_accepts_json(clq_request_header(req, "Accept")))
		return refuse(req, 406, "Accept", json_only);
	if (req->method == CLQ_METHOD_PATCH)
		return check_content_type(req, patch_types);
	if (req->method == CLQ_METHOD_POST || req->method == CLQ_METHOD_PUT)
		return check_content_type(req, json_only);
	return CLQ_OK;
}
