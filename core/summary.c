/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asked for what, what it became, how long it took (section 07-9).
 *
 * Bodies and credentials never get here. The request id comes from the client
 * or its proxy if it looks like one, so that lines of several servers can be
 * joined; it is bounded and printable because it is copied into every line.
 */
#include "summary.h"

#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include <time.h>

#include "log_conf.h"

enum { RID_MAX = 128, FIELD_MAX = 16, TEXT_MAX = 2000 };

struct line {
	struct clq_arena	*arena;
	struct clq_log_field	 fields[FIELD_MAX];
	size_t			 n;
};

static bool
rid_sane(struct clq_str rid)
{
	for (size_t i = 0; i < rid.len; i++)
		if (rid.p[i] <= ' ' || rid.p[i] >= 0x7f)
			return false;
	return rid.len > 0 && rid.len <= RID_MAX;
}

void
clq_summary_begin(struct clq_request *req)
{
	struct clq_str rid = clq_request_header(req, "X-Request-Id");

	if (req->summary.started == 0)
		req->summary.started = clq_ticks();
	if (rid_sane(rid))
		req->summary.rid = rid;
	else if (req->parent != NULL)
		req->summary.rid = req->parent->summary.rid;
	else
		req->summary.rid = clq_random_hex(req->arena, 16);
}

static void
add_text(struct line *l, const char *name, struct clq_str text)
{
	if (text.p == NULL || l->n == FIELD_MAX)
		return;
	text = clq_text_clean(l->arena, clq_str_sub(text, 0, TEXT_MAX));
	l->fields[l->n++] = (struct clq_log_field){ .name = name,
	    .text = text };
}

static void
add_number(struct line *l, const char *name, int64_t number)
{
	if (l->n < FIELD_MAX)
		l->fields[l->n++] = (struct clq_log_field){ .name = name,
		    .number = number };
}

static bool
said_later(const struct clq_pairs *p, size_t i)
{
	for (size_t j = i + 1; j < p->n; j++)
		if (clq_str_eq(p->items[i].name, p->items[j].name))
			return true;
	return false;
}

/* As sent for people; decoded, as an object, for machines. */
static void
add_query(struct line *l, struct clq_request *req)
{
	const struct clq_pairs *p = &req->params;
	struct clq_buf b;
	size_t n = l->n;

	add_text(l, "querystring", req->raw_query);
	if (p->n == 0 || l->n == n || !clq_log_json())
		return;
	clq_buf_init(&b, l->arena, 256);
	for (size_t i = 0; i < p->n && b.len <= TEXT_MAX; i++) {
		if (said_later(p, i))
			continue;	/* an object has each key once */
		clq_buf_addc(&b, b.len > 0 ? ',' : '{');
		clq_buf_json_str(&b, p->items[i].name);
		clq_buf_addc(&b, ':');
		clq_buf_json_str(&b, p->items[i].value);
	}
	clq_buf_addc(&b, '}');
	if (b.len <= TEXT_MAX)	/* else the text, which is cut */
		l->fields[n].json = clq_buf_str(&b);
}

static struct clq_str
local_time(struct clq_arena *arena)
{
	time_t t = (time_t)(clq_now() / 1000);
	char text[32];
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return CLQ_STR("");
	return clq_arena_strdup(arena, clq_str_of(text));
}

void
clq_summary_log(struct clq_request *req, const char *type)
{
	struct line l = { .arena = req->arena };

	if (!clq_log_enabled(CLQ_LOG_INFO))
		return;
	add_text(&l, "agent", clq_request_header(req, "User-Agent"));
	add_text(&l, "lang", clq_request_header(req, "Accept-Language"));
	add_text(&l, "path", req->asked_path.len > 0 ? req->asked_path :
	    req->raw_path);
	add_text(&l, "method", req->method_name);
	if (req->raw_query.len > 0)
		add_query(&l, req);
	add_text(&l, "rid", req->summary.rid);
	add_text(&l, "uid", req->identity.userid);
	add_text(&l, "authn_type", req->identity.policy);
	add_number(&l, "errno", req->error.errno_);
	add_number(&l, "code", req->response.status);
	add_number(&l, "t", (int64_t)(clq_ticks() - req->summary.started) /
	    1000000);
	add_text(&l, "time", local_time(req->arena));
	if (req->summary.batch_size >= 0)
		add_number(&l, "batch_size", req->summary.batch_size);
	clq_log_fields(CLQ_LOG_INFO, type, l.fields, l.n);
}
