/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is observed of each request and sub-request (section 07-8.1).
 *
 * Values of labels that clients choose freely are blanked in answers from 400
 * on, unknown methods are one method and unknown paths one endpoint, so that
 * nobody can fill a collector's memory by guessing names.
 */
#include "metrics.h"

#include <cliquet/str.h>

#include "router.h"
#include "server.h"

#include <stdio.h>

enum { METHOD, ENDPOINT, FIELDS };	/* places of labels */

struct clq_request_metrics {
	struct clq_strs		 fields;	/* metrics_matchdict_fields */
	struct clq_metric	 summary;	/* + status */
	struct clq_metric	 duration;
	struct clq_metric	 size;
};

static const char *const user_labels[] = { "auth", "userid", NULL };
static const struct clq_metric users = {
	.size = sizeof users, .name = "users", .kind = CLQ_METRIC_COUNTER,
	.help = "Requests by user.", .labels = user_labels, .open = 1u << 1,
};
static const char *const type_labels[] = { "type", NULL };
static const struct clq_metric authentication = {
	.size = sizeof authentication, .name = "authentication",
	.kind = CLQ_METRIC_COUNTER, .labels = type_labels,
	.help = "Authenticated requests by policy.",
};

/* ---- declaration ----------------------------------------------------------- */

/* method, endpoint, the fields and, if wanted, the status. */
static const char *const *
label_names(struct clq_server *srv, struct clq_strs fields,
    const char *status)
{
	const char **names = clq_arena_calloc(srv->arena, fields.n + 4,
	    sizeof *names);
	size_t n = 0;

	names[n++] = "method";
	names[n++] = "endpoint";
	for (size_t i = 0; i < fields.n; i++)
		names[n++] = clq_arena_cstr(srv->arena, fields.items[i]);
	names[n] = status;
	return names;
}

static bool
fields_valid(struct clq_strs fields)
{
	for (size_t i = 0; i < fields.n; i++) {
		const struct clq_str *f = &fields.items[i];

		if (!clq_metric_name_valid(*f, "") ||
		    clq_str_is(*f, "method") || clq_str_is(*f, "endpoint") ||
		    clq_str_is(*f, "status"))
			return false;
		for (size_t k = 0; k < i; k++)
			if (clq_str_eq(*f, fields.items[k]))
				return false;
	}
	return fields.n <= CLQ_MAX_VARS;
}

enum clq_status
clq_request_metrics_declare(struct clq_server *srv)
{
	struct clq_request_metrics *m = clq_arena_alloc(srv->arena, sizeof *m);
	const char *key = "metrics_matchdict_fields";
	unsigned open;

	m->fields = clq_settings_list(srv->settings, key);
	if (!fields_valid(m->fields))
		return clq_settings_error(srv->settings, key, "at most %d "
		    "different names of route variables (letters, digits, "
		    "\"_\"; not method, endpoint, status)", (int)CLQ_MAX_VARS);
	open = ((1u << m->fields.n) - 1) << FIELDS;
	m->summary = (struct clq_metric){
		.size = sizeof m->summary, .name = "request_summary",
		.help = "Requests answered.", .kind = CLQ_METRIC_COUNTER,
		.labels = label_names(srv, m->fields, "status"), .open = open,
	};
	m->duration = (struct clq_metric){
		.size = sizeof m->duration, .name = "request_duration_seconds",
		.help = "Time to answer a request.", .kind = CLQ_METRIC_TIMER,
		.labels = label_names(srv, m->fields, NULL), .open = open,
	};
	m->size = (struct clq_metric){
		.size = sizeof m->size, .name = "request_size",
		.help = "Bytes of answers' bodies.",
		.kind = CLQ_METRIC_SUMMARY,
		.labels = label_names(srv, m->fields, NULL), .open = open,
	};
	srv->request_metrics = m;
	return clq_add_metric(srv, &m->summary) == CLQ_OK &&
	    clq_add_metric(srv, &m->duration) == CLQ_OK &&
	    clq_add_metric(srv, &m->size) == CLQ_OK &&
	    clq_add_metric(srv, &users) == CLQ_OK &&
	    clq_add_metric(srv, &authentication) == CLQ_OK ?
	    CLQ_OK : CLQ_INVALID;
}

/* ---- values ---------------------------------------------------------------- */

static struct clq_str
method_label(enum clq_method method)
{
	static const struct clq_str names[] = {
		[CLQ_METHOD_GET]	= { "get", 3 },
		[CLQ_METHOD_HEAD]	= { "head", 4 },
		[CLQ_METHOD_POST]	= { "post", 4 },
		[CLQ_METHOD_PUT]	= { "put", 3 },
		[CLQ_METHOD_PATCH]	= { "patch", 5 },
		[CLQ_METHOD_DELETE]	= { "delete", 6 },
		[CLQ_METHOD_OPTIONS]	= { "options", 7 },
		[CLQ_METHOD_TRACE]	= { "trace", 5 },
		[CLQ_METHOD_OTHER]	= { "other", 5 },
	};

	_Static_assert(CLQ_COUNT(names) == CLQ_METHOD__COUNT, "");
	return names[method];
}

/* The object's id goes by the name of its resource: "record_id". */
static struct clq_str
field_value(const struct clq_request *req, struct clq_str field)
{
	const struct clq_route *r = req->route;

	if (r->kind == CLQ_ROUTE_OBJECT && clq_str_ends(field, "_id") &&
	    clq_str_is(clq_str_sub(field, 0, field.len - strlen("_id")),
	    r->resource->name))
		field = CLQ_STR("id");
	for (size_t i = 0; i < req->nvars; i++)
		if (clq_str_eq(req->vars[i].name, field))
			return req->vars[i].value;
	return CLQ_STR("");
}

static void
observe_user(struct clq_request *req)
{
	const struct clq_identity *id = &req->identity;
	struct clq_str labels[2] = { id->policy, id->userid };
	char *text, *colon;

	if (id->policy.p == NULL)
		return;
	if (clq_str_find(id->userid, ':', 0) < id->userid.len) {
		text = clq_arena_cstr(req->arena, id->userid);
		while ((colon = strchr(text, ':')) != NULL)
			*colon = '.';
		labels[1] = clq_str_of(text);
	}
	clq_observe(req->server, &users, 1, labels);
	clq_observe(req->server, &authentication, 1, &id->policy);
}

void
clq_request_metrics(struct clq_request *req, uint64_t ns)
{
	const struct clq_request_metrics *m = req->server->request_metrics;
	struct clq_str labels[FIELDS + CLQ_MAX_VARS + 1];
	int status = req->response.status;
	size_t n = FIELDS;
	char text[16];

	if (!clq_metrics_on(req->server))
		return;
	labels[METHOD] = method_label(req->method);
	if (req->route != NULL)
		labels[ENDPOINT] = clq_str_of(req->route->name);
	else
		labels[ENDPOINT] = status == 404 ? CLQ_STR("unknown") :
		    CLQ_STR("unnamed");
	for (size_t i = 0; i < m->fields.n; i++)
		labels[n++] = req->route != NULL && status < 400 ?
		    field_value(req, m->fields.items[i]) : CLQ_STR("");
	(void)snprintf(text, sizeof text, "%d", status);
	labels[n] = clq_str_of(text);
	clq_observe(req->server, &m->summary, 1, labels);
	clq_observe(req->server, &m->duration, (int64_t)ns, labels);
	clq_observe(req->server, &m->size, (int64_t)req->response.body.len,
	    labels);
	observe_user(req);
}
