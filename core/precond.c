/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditional requests: If-Match, If-None-Match, 304 and 412 (section 01-7).
 *
 * A condition compares for equality: a client that knows a newer timestamp
 * than the server is as wrong as one that knows an older one.
 */
#include "resource_impl.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "error.h"
#include "response.h"

void
clq_set_etag(struct clq_request *req, clq_msec timestamp)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 24);
	clq_buf_addc(&b, '"');
	clq_buf_addint(&b, timestamp);
	clq_buf_addc(&b, '"');
	clq_set_own_header(req, CLQ_STR("ETag"), clq_buf_str(&b));
	clq_set_own_header(req, CLQ_STR("Last-Modified"),
	    clq_http_date(req->arena, timestamp));
}

/* An integer between double quotes: digits only, no sign. */
static bool
quoted_digits(struct clq_str s, int64_t *out)
{
	if (s.len < 3 || s.p[0] != '"' || s.p[s.len - 1] != '"' ||
	    s.p[1] < '0' || s.p[1] > '9')
		return false;
	return clq_str_int(clq_str_sub(s, 1, s.len - 1), out);
}

static void
read_etag(struct clq_request *req, const char *name, struct clq_etag *out)
{
	struct clq_str value = clq_str_trim(clq_request_header(req, name));
	int64_t n;

	out->kind = CLQ_ETAG_NONE;
	out->timestamp = 0;
	if (value.len == 0)
		return;
	if (clq_str_is(value, "*")) {
		out->kind = CLQ_ETAG_ANY;
	} else if (!quoted_digits(value, &n)) {
		(void)clq_invalid(req, "header", clq_str_of(name),
		    "The value should be integer between double quotes.");
	} else if (n != 0) {	/* zero is the same as no header at all */
		out->kind = CLQ_ETAG_TIMESTAMP;
		out->timestamp = n;
	}
}

void
clq_precond_read(struct clq_request *req, struct clq_precond *out)
{
	read_etag(req, "If-Match", &out->match);
	read_etag(req, "If-None-Match", &out->none_match);
}

static enum clq_status
not_modified(struct clq_request *req, const struct clq_current *now)
{
	clq_set_etag(req, now->timestamp);
	req->response.status = 304;
	req->response.body = CLQ_STR("");
	return CLQ_DONE;
}

static enum clq_status
modified(struct clq_request *req, const struct clq_current *now)
{
	enum clq_status rc = clq_fail(req, CLQ_ERRNO_MODIFIED_MEANWHILE, NULL);
	cJSON *details, *object, *copy;

	clq_set_etag(req, now->timestamp);
	if (now->object != NULL &&
	    clq_object_tree(req->arena, now->object, &object) == CLQ_OK) {
		details = clq_json_own(req->arena, cJSON_CreateObject());
		copy = cJSON_Duplicate(object, true);
		clq_json_set(details, "existing", copy);
		clq_fail_details(req, details);
	}
	return rc;
}

enum clq_status
clq_precond_check(struct clq_request *req, const struct clq_precond *p,
    const struct clq_current *now)
{
	if (now->exists && p->none_match.kind == CLQ_ETAG_ANY)
		return modified(req, now);
	if (now->exists && p->none_match.kind == CLQ_ETAG_TIMESTAMP &&
	    clq_method_safe(req->method) &&
	    p->none_match.timestamp == now->timestamp)
		return not_modified(req, now);
	if (p->match.kind == CLQ_ETAG_NONE)
		return CLQ_OK;
	if (!now->exists || (p->match.kind == CLQ_ETAG_TIMESTAMP &&
	    p->match.timestamp != now->timestamp))
		return modified(req, now);
	return CLQ_OK;
}
