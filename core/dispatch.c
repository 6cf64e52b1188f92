/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline from request to response. The order of the steps decides which
 * error wins, and is that of section 01-2.
 *
 * Steps return CLQ_OK to go on, anything else to stop; settle() then turns
 * what came out into either an answer or a noted error, and only afterwards is
 * the transaction finished and the answer rendered. Whatever answers 4xx or 5xx
 * leaves nothing behind. A run that lost a race starts over with fresh state.
 */
#include "dispatch.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "auth.h"
#include "cors.h"
#include "error.h"
#include "events.h"
#include "inputs.h"
#include "lifecycle.h"
#include "metrics.h"
#include "negotiation.h"
#include "phases.h"
#include "redirects.h"
#include "response.h"
#include "router.h"
#include "server.h"
#include "summary.h"
#include "timing.h"
#include "tx.h"
#include "versions.h"

enum {
	MAX_ATTEMPTS = 5,	/* runs of a request that keeps losing races */
	MAX_MOVES = 5		/* redirects followed for a sub-request */
};

/* ---- routing ----------------------------------------------------------- */

/* Look for the route of req->path. CLQ_NOT_FOUND with *move filled if the
 * client should ask elsewhere. */
static enum clq_status
find_route(struct clq_request *req, struct clq_move *move)
{
	struct clq_str prefix = req->server->prefix, below;

	req->route = NULL;
	req->nvars = 0;
	if (clq_move_to_version(req, move)) {
		if (req->method != CLQ_METHOD_OPTIONS)
			return CLQ_NOT_FOUND;
		clq_response_set(req, 200, NULL, CLQ_STR(""), false);
		return CLQ_DONE;
	}
	if (!clq_str_eq(clq_str_sub(req->path, 0, prefix.len), prefix))
		return clq_fail(req, CLQ_ERRNO_VERSION_NOT_AVAILABLE, NULL);
	below = clq_str_sub(req->path, prefix.len, req->path.len);
	req->route = clq_router_match(req, below);
	if (req->route != NULL)
		return CLQ_OK;
	if (clq_move_slash(req, move))
		return CLQ_NOT_FOUND;
	return clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, NULL);
}

/* The same, following redirects inside a batch (section 05-2). */
static enum clq_status
route(struct clq_request *req)
{
	struct clq_move move;
	enum clq_status rc;

	for (int moves = 0;; moves++) {
		rc = find_route(req, &move);
		if (rc != CLQ_NOT_FOUND)
			return rc;
		if (req->parent == NULL || moves == MAX_MOVES)
			return clq_move_reply(req, &move);
		req->raw_path = move.path;
		if ((rc = clq_request_decode_path(req)) != CLQ_OK)
			return rc;
	}
}

static enum clq_status
refuse_method(struct clq_request *req)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 64);
	for (size_t i = 0; i < req->route->norder; i++)
		clq_buf_printf(&b, "%s%s", i > 0 ? ", " : "",
		    clq_method_name(req->route->order[i]));
	clq_set_header(req, "Allow", clq_buf_str(&b));
	return clq_fail(req, CLQ_ERRNO_METHOD_NOT_ALLOWED, NULL);
}

/* What a service's view may rely on; a resource's view does this itself, in
 * the order of section 01-2. */
static enum clq_status
prepare_service(struct clq_request *req, const struct clq_verb *verb)
{
	unsigned flags = req->route->flags;
	enum clq_status rc;

	if (flags & CLQ_SERVICE_PRIVATE) {
		if ((rc = clq_auth_resolve(req)) != CLQ_OK)
			return rc;
		if (req->identity.user.p == NULL)
			return clq_fail(req, CLQ_ERRNO_MISSING_AUTH_TOKEN,
			    NULL);
	}
	if ((rc = clq_cors_check(req)) != CLQ_OK ||
	    (req->route->ninputs > 0 &&
	    (rc = clq_inputs_read(req)) != CLQ_OK))
		return rc;
	return flags & CLQ_SERVICE_NO_TX ? CLQ_OK :
	    clq_tx_open(req, verb->tx);
}

/* Step 6: these look at parent and object before anything else, and so their
 * views negotiate themselves. */
static bool
has_context(const struct clq_route *r, enum clq_method method)
{
	if (r->kind == CLQ_ROUTE_PLURAL)
		return method == CLQ_METHOD_POST;
	return method == CLQ_METHOD_PUT || method == CLQ_METHOD_PATCH ||
	    method == CLQ_METHOD_DELETE;
}

/* Steps 7 to 11 on the matched route. */
static enum clq_status
serve_route(struct clq_request *req)
{
	const struct clq_route *r = req->route;
	const struct clq_verb *verb = &r->verbs[req->method];
	enum clq_status rc;

	if (req->method == CLQ_METHOD_OPTIONS)
		return clq_cors_preflight(req);
	if (verb->view == NULL)
		return refuse_method(req);
	if (r->kind == CLQ_ROUTE_SERVICE)
		rc = prepare_service(req, verb);
	else
		rc = has_context(r, req->method) ? CLQ_OK :
		    clq_negotiate(req);
	return rc == CLQ_OK ? verb->view(req, r->ctx) : rc;
}

enum clq_status
clq_forward(struct clq_request *req, struct clq_str path)
{
	const struct clq_route *target;
	struct clq_move move;

	if (req->aliased) {	/* an alias of an alias may be a circle */
		clq_log_err("%.*s: forwarded twice", CLQ_FMT(req->path));
		return clq_fail(req, CLQ_ERRNO_UNDEFINED, NULL);
	}
	req->aliased = true;
	target = clq_router_match(req, path);
	if (target == NULL && clq_move_slash(req, &move))
		return clq_move_reply(req, &move);
	req->route = target;
	if (target == NULL)
		return clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, NULL);
	req->path = clq_arena_printf(req->arena, "%.*s%.*s",
	    CLQ_FMT(req->server->prefix), CLQ_FMT(path));
	req->raw_path = clq_url_encode(req->arena, req->path,
	    "/:@!$&'()*+,;=", false);
	return serve_route(req);
}

static enum clq_status
run_steps(struct clq_request *req)
{
	enum clq_status rc;

	if (req->refused != 0)
		(void)clq_fail(req, req->refused, NULL);
	if ((rc = clq_request_decode_path(req)) != CLQ_OK ||
	    req->refused != 0)
		return rc != CLQ_OK ? rc : CLQ_INVALID;
	if ((rc = clq_lifecycle_gate(req)) != CLQ_OK ||
	    (rc = clq_request_decode_query(req)) != CLQ_OK ||
	    (rc = route(req)) != CLQ_OK)
		return rc;
	(void)clq_phase_enter(CLQ_PHASE_VIEW);
	return serve_route(req);
}

/* ---- outcome ----------------------------------------------------------- */

/* A resource whose view did not get as far as validation owes the check of
 * the Origin; with its errors, or instead of an answer it would not get. */
static void
check_origin_late(struct clq_request *req)
{
	const struct clq_error *e = &req->error;

	if (req->route == NULL || req->route->kind == CLQ_ROUTE_SERVICE ||
	    req->method == CLQ_METHOD_OPTIONS)
		return;
	if (e->errno_ == 0 || (e->ninvalid > 0 && e->status == 0))
		(void)clq_cors_check(req);
}

/*
 * Turn what the steps returned into an answer or a noted error. CLQ_OK: an
 * answer, or render will make one; CLQ_RETRY; CLQ_FAILED: an error is noted.
 */
static enum clq_status
settle(struct clq_request *req, enum clq_status rc)
{
	if (rc == CLQ_RETRY)
		return rc;
	if (rc == CLQ_OK || rc == CLQ_DONE) {
		if (req->error.errno_ == 0 && req->render == NULL &&
		    !clq_response_ready(req))
			clq_error_of_status(req, rc);
	} else if (req->error.errno_ == 0) {
		clq_error_of_status(req, rc);
	}
	check_origin_late(req);
	return req->error.errno_ != 0 ? CLQ_FAILED : CLQ_OK;
}

/* After the commit, or for a request without any: make the answer. */
static void
render(struct clq_request *req)
{
	enum clq_status rc;

	(void)clq_phase_enter(CLQ_PHASE_RENDER);
	if (req->error.errno_ == 0 && req->render != NULL) {
		rc = req->render(req, req->render_ctx);
		req->render = NULL;
		if (settle(req, rc) == CLQ_RETRY)
			clq_error_of_status(req, CLQ_RETRY);
	}
	if (req->error.errno_ != 0)
		clq_error_render(req);
}

/* ---- one request ------------------------------------------------------- */

/* Run once, up to and with the end of the transaction. As settle(). */
static enum clq_status
attempt(struct clq_request *req)
{
	enum clq_status rc;

	(void)clq_phase_enter(CLQ_PHASE_ROUTE);
	rc = settle(req, run_steps(req));
	if (rc == CLQ_OK && req->response.status < 400)
		rc = settle(req, clq_events_fire(req, CLQ_IN_TRANSACTION));
	if (rc != CLQ_OK || req->response.status >= 400) {
		(void)clq_tx_finish(req, false);
		return rc;
	}
	return settle(req, clq_tx_finish(req, true));
}

/* Forget what a lost attempt left, but not who the caller is. */
static void
start_over(struct clq_request *req, struct clq_str raw_path,
    struct clq_str body)
{
	memset(&req->error, 0, sizeof req->error);
	clq_response_reset(req);
	clq_events_reset(req);
	memset(&req->identity.groups, 0, sizeof req->identity.groups);
	req->alert = (struct clq_str){ 0 };
	req->raw_path = raw_path;
	req->body = body;
	req->aliased = false;
	req->json_tried = false;
	req->json = NULL;
	req->origin_checked = false;
	req->render = NULL;
	req->render_ctx = NULL;
	req->summary.batch_size = -1;
}

static void
tell_committed(struct clq_request *req)
{
	(void)clq_phase_enter(CLQ_PHASE_VIEW);
	if (clq_events_fire(req, CLQ_AFTER_COMMIT) != CLQ_OK)
		clq_log_warn("events: after-commit listeners failed");
}

void
clq_dispatch(struct clq_request *req)
{
	struct clq_str raw_path = req->raw_path, body = req->body;
	struct clq_server *other;
	enum clq_status rc;
	uint64_t end;

	if ((other = clq_version_of(req->server, raw_path)) != NULL)
		req->server = other;
	clq_summary_begin(req);
	if (req->server->wants_phases) {
		req->phases = clq_arena_alloc(req->arena, sizeof *req->phases);
		clq_phases_begin(req->phases, req->summary.started);
	}
	req->tx = clq_arena_alloc(req->arena, sizeof *req->tx);
	clq_events_reset(req);
	while ((rc = attempt(req)) == CLQ_RETRY) {
		(void)clq_tx_finish(req, false);
		start_over(req, raw_path, body);
		memset(req->tx, 0, sizeof *req->tx);
		if (++req->attempts == MAX_ATTEMPTS) {
			clq_log_err("%.*s %.*s: gave up after %d attempts",
			    CLQ_FMT(req->method_name), CLQ_FMT(req->path),
			    MAX_ATTEMPTS);
			clq_error_of_status(req, CLQ_RETRY);
			break;
		}
	}
	render(req);
	if (rc == CLQ_OK && req->response.status < 400)
		tell_committed(req);
	end = clq_ticks();
	if (req->phases != NULL)
		clq_phases_end(end);
	clq_timing_header(req);
	clq_response_finish(req);
	clq_request_metrics(req, end - req->summary.started);
	clq_summary_log(req, "request.summary");
	clq_timing_slow(req, end - req->summary.started);
}

/* ---- sub-requests ------------------------------------------------------ */

/* Undo what a failed sub-request did, and only that. */
static enum clq_status
undo(struct clq_request *req, size_t events, struct clq_tx_hook *hooks)
{
	enum clq_status rc;

	clq_tx_tell(req, hooks, CLQ_TX_UNDONE);

	clq_events_undo(req, events);
	if ((rc = clq_tx_undo(req)) != CLQ_OK)
		return rc;
	return clq_tx_release(req);
}

/* Errors that say nothing about the sub-request but that the server is in
 * trouble: they become the batch's (section 05-4). */
static bool
spoils_batch(const struct clq_request *req)
{
	int e = req->error.errno_;

	return e == CLQ_ERRNO_BACKEND ||
	    (e == CLQ_ERRNO_UNDEFINED && clq_error_status(req) == 500);
}

enum clq_status
clq_subrequest_run(struct clq_request *req)
{
	struct clq_tx_hook *hooks;
	size_t events;
	enum clq_status rc;

	clq_summary_begin(req);
	req->tx = req->parent->tx;
	req->events = req->parent->events;
	req->tx->mark_wanted = true;
	events = clq_events_mark(req);
	(void)clq_phase_enter(CLQ_PHASE_ROUTE);
	hooks = req->tx->hooks;
	rc = settle(req, run_steps(req));
	(void)clq_phase_enter(CLQ_PHASE_VIEW);
	if (clq_metrics_on(req->server))
		req->summary.ran = clq_ticks() - req->summary.started;
	req->tx->mark_wanted = false;
	if (rc == CLQ_RETRY)
		return rc;
	if (rc != CLQ_OK && spoils_batch(req)) {
		req->parent->error = req->error;
		return CLQ_FAILED;
	}
	if (rc != CLQ_OK || req->response.status >= 400)
		return undo(req, events, hooks);
	return clq_tx_release(req);
}

void
clq_subrequest_render(struct clq_request *req)
{
	render(req);
	clq_response_finish(req);
	clq_request_metrics(req, req->summary.ran);
	clq_summary_log(req, "subrequest.summary");
}

/* ---- a request within a request ---------------------------------------- */

/* In place of the view's render: the answer is made, what is missing is the
 * state that it describes. */
static enum clq_status
inner_render(struct clq_request *req, void *ctx)
{
	static const char *const taken[] = { "ETag", "Last-Modified" };
	struct clq_request *inner = ctx;
	enum clq_status rc;

	if (inner->render != NULL && (rc = inner->render(inner,
	    inner->render_ctx)) != CLQ_OK && rc != CLQ_DONE)
		return rc;
	for (size_t i = 0; i < CLQ_COUNT(taken); i++) {
		struct clq_str value = clq_pairs_get(&inner->response.headers,
		    taken[i]);

		if (value.p != NULL)
			clq_set_header(req, taken[i], value);
	}
	return CLQ_OK;
}

static void
inner_headers(const struct clq_request *req, struct clq_request *inner)
{
	static const char *const dropped[] = { "Content-Length",
		"Content-Type", "Response-Behavior" };
	const struct clq_pairs *h = &req->headers;
	size_t i, j;

	for (i = 0; i < h->n; i++) {
		for (j = 0; j < CLQ_COUNT(dropped); j++)
			if (clq_str_caseis(h->items[i].name, dropped[j]))
				break;
		if (j == CLQ_COUNT(dropped))
			clq_pairs_add(inner->arena, &inner->headers,
			    h->items[i].name, h->items[i].value);
	}
	clq_pairs_add(inner->arena, &inner->headers, CLQ_STR("Content-Type"),
	    CLQ_STR("application/json"));
}

enum clq_status
clq_request_inner(struct clq_request *req, enum clq_method method,
    struct clq_str path, struct clq_str body)
{
	struct clq_request *inner = clq_request_new(req->server, req->arena);
	enum clq_status rc;

	inner->parent = req;
	inner->method = method;
	inner->method_name = clq_str_of(clq_method_name(method));
	inner->scheme = req->scheme;
	inner->host = req->host;
	inner->raw_path = clq_arena_printf(req->arena, "%.*s%.*s",
	    CLQ_FMT(req->server->prefix), CLQ_FMT(clq_url_encode(req->arena,
	    path, "/:@!$&'()*+,;=", false)));
	inner->body = body;
	inner->trusted = req->trusted;
	inner->tx = req->tx;
	inner->events = req->events;
	inner_headers(req, inner);
	clq_summary_begin(inner);
	rc = settle(inner, run_steps(inner));
	if (rc == CLQ_RETRY)
		return rc;
	if (rc == CLQ_OK && inner->response.status >= 400)
		(void)clq_fail(inner, CLQ_ERRNO_UNDEFINED, NULL);
	if (inner->error.errno_ != 0) {
		if (req->error.errno_ == 0)
			req->error = inner->error;
		return clq_error_status(req) < 500 ? CLQ_INVALID : CLQ_FAILED;
	}
	req->render = inner_render;
	req->render_ctx = inner;
	return CLQ_OK;
}
