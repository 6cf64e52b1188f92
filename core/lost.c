/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and numbers of requests that were lost (see lost.h).
 *
 * A request is made up again from what was noted, and goes through the code
 * that all requests go through at their end.
 */
#include "lost.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "error.h"
#include "metrics.h"
#include "router.h"
#include "server.h"
#include "summary.h"
#include "timing.h"

static void
copy(char *out, size_t cap, struct clq_str s)
{
	size_t n = s.len < cap - 1 ? s.len : cap - 1;

	if (s.p == NULL)
		n = 0;
	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}

void
clq_lost_note(struct clq_lost *lost, const struct clq_request *req)
{
	const struct clq_route *route = req->route;

	lost->method = (int)req->method;
	copy(lost->rid, sizeof lost->rid, req->summary.rid);
	lost->endpoint[0] = '\0';
	if (route != NULL && route->name != NULL)
		copy(lost->endpoint, sizeof lost->endpoint,
		    (struct clq_str){ route->name, strlen(route->name) });
}

/* What a process wrote that was about to die. */
static void
printable(const char *in, size_t size, char *out, size_t cap)
{
	size_t n = 0;

	while (n < size && n < cap - 1 && in[n] > ' ' && in[n] < 0x7f) {
		out[n] = in[n];
		n++;
	}
	out[n] = '\0';
}

void
clq_lost_rid(const struct clq_lost *lost, char *out, size_t cap)
{
	printable(lost->rid, sizeof lost->rid, out, cap);
}

static struct clq_request *
made_up(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_lost *lost, clq_msec ms)
{
	struct clq_request *req = clq_request_new(srv, arena);
	uint64_t ns = (uint64_t)(ms > 0 ? ms : 0) * 1000000;
	char rid[sizeof lost->rid];

	clq_lost_rid(lost, rid, sizeof rid);
	if (rid[0] != '\0')
		req->summary.rid = clq_arena_strdup(arena, clq_str_of(rid));
	req->summary.started = clq_ticks() - ns;
	req->summary.batch_size = -1;
	req->method = lost->method >= 0 && lost->method < CLQ_METHOD__COUNT ?
	    (enum clq_method)lost->method : CLQ_METHOD_OTHER;
	req->error.errno_ = CLQ_ERRNO_BACKEND;
	req->response.status = 503;
	return req;
}

void
clq_lost_log(struct clq_server *srv, const struct clq_lost *lost,
    const char *what, clq_msec ms)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_request *req = made_up(srv, arena, lost, ms);
	struct clq_str all = clq_str_of(what);
	size_t space = clq_str_find(all, ' ', 0);

	req->method_name = clq_str_sub(all, 0, space);
	req->raw_path = clq_str_sub(all, space + 1, all.len);
	clq_summary_log(req, "request.summary");
	clq_timing_slow(req, clq_ticks() - req->summary.started);
	clq_arena_free(&arena);
}

void
clq_lost_count(struct clq_server *srv, const struct clq_lost *lost,
    clq_msec ms)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_request *req = made_up(srv, arena, lost, ms);
	struct clq_route *route = clq_arena_calloc(arena, 1, sizeof *route);
	char name[sizeof lost->endpoint];

	printable(lost->endpoint, sizeof lost->endpoint, name, sizeof name);
	route->name = name;
	if (name[0] != '\0')
		req->route = route;
	clq_request_metrics(req, (uint64_t)(ms > 0 ? ms : 0) * 1000000);
	clq_arena_free(&arena);
}
