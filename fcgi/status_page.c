/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving the status page (see status_page.h).
 *
 * Off unless `status_path` is set. It tells paths of running requests, so only
 * client addresses of `status_allow` get it; for everybody else the path does
 * not exist: core answers, as to any unknown path. The address is that which
 * the web server has seen (REMOTE_ADDR); nothing a client sends counts.
 */
#include "status_page.h"

#include <cliquet/str.h>

#include "backlog.h"
#include "status.h"

static bool
allowed(const struct clq_conf *conf, struct clq_str remote)
{
	for (size_t i = 0; i < conf->status_allow.n; i++)
		if (clq_str_is(conf->status_allow.items[i], "all") ||
		    (remote.len > 0 &&
		    clq_str_eq(conf->status_allow.items[i], remote)))
			return true;
	return false;
}

static void
add_header(struct clq_request *req, const char *name, struct clq_str value)
{
	clq_pairs_add(req->arena, &req->response.headers, clq_str_of(name),
	    value);
}

static bool
wants_html(struct clq_request *req)
{
	if (clq_str_is(req->raw_query, "html"))
		return true;
	if (clq_str_is(req->raw_query, "json"))
		return false;
	return clq_str_search(clq_pairs_get(&req->headers, "Accept"),
	    CLQ_STR("text/html")) <
	    clq_pairs_get(&req->headers, "Accept").len;
}

bool
clq_status_page(const struct clq_worker *w, struct clq_incoming *in)
{
	struct clq_request *req = in->req;
	bool html, head = req->method == CLQ_METHOD_HEAD;
	int waiting, backlog;
	struct clq_buf b;

	if (w->conf->status_path == NULL || req->refused != 0 ||
	    !clq_str_is(req->raw_path, w->conf->status_path) ||
	    (req->method != CLQ_METHOD_GET && !head) ||
	    !allowed(w->conf, in->remote))
		return false;
	if (w->master == 0) {	/* nobody else looks */
		clq_backlog_read(w->listeners, &waiting, &backlog);
		clq_scoreboard_queue(w->board, waiting, backlog);
	}
	html = wants_html(req);
	clq_buf_init(&b, req->arena, 4096);
	if (html)
		clq_status_html(&b, w->board);
	else
		clq_status_json(&b, w->board);
	req->response.status = 200;
	add_header(req, "Content-Type", html ?
	    CLQ_STR("text/html; charset=utf-8") : CLQ_STR("application/json"));
	add_header(req, "Content-Length", clq_arena_printf(req->arena, "%zu",
	    b.len));
	add_header(req, "Cache-Control", CLQ_STR("no-store"));
	add_header(req, "X-Content-Type-Options", CLQ_STR("nosniff"));
	add_header(req, "Content-Security-Policy",
	    CLQ_STR("default-src 'none'; frame-ancestors 'none'"));
	if (!head)
		req->response.body = clq_buf_str(&b);
	return true;
}
