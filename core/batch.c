/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several requests in one (section 05): built, run in one transaction, and
 * answered together.
 *
 * Each sub-request goes through the pipeline of dispatch.c with a savepoint.
 * They share arena, transaction, events and authentication with the batch.
 * Their answers are made after the batch's commit, because queued writes are
 * known only then. Everything is kept until the end, hence the bound on what
 * the bodies may add up to.
 */
#include "batch.h"

#include <cliquet/str.h>

#include "ahead.h"
#include "auth.h"
#include "dispatch.h"
#include "error.h"
#include "negotiation.h"
#include "response.h"
#include "server.h"
#include "tx.h"

struct run {
	struct clq_request	**subs;
	size_t			  n;
	size_t			  body_bytes;	/* of all sub-requests */
	size_t			  body_max;
};

/* ---- building a sub-request (section 05-2) ----------------------------- */

static void
set_request_header(struct clq_request *sub, struct clq_str name,
    struct clq_str value)
{
	for (size_t i = 0; i < sub->headers.n; i++) {
		if (!clq_str_caseeq(sub->headers.items[i].name, name))
			continue;
		sub->headers.items[i].value = value;
		return;
	}
	clq_pairs_add(sub->arena, &sub->headers, name, value);
}

static void
override_headers(struct clq_request *sub, const cJSON *headers)
{
	const cJSON *h;

	cJSON_ArrayForEach(h, headers)
		set_request_header(sub, clq_str_of(h->string),
		    clq_json_str(h));
}

static void
build_headers(struct clq_request *sub, const struct clq_batch_item *item)
{
	const struct clq_pairs *mine = &sub->parent->headers;
	struct clq_str host;

	for (size_t i = 0; i < mine->n; i++)
		if (!clq_str_caseis(mine->items[i].name, "Content-Length"))
			clq_pairs_add(sub->arena, &sub->headers,
			    mine->items[i].name, mine->items[i].value);
	override_headers(sub, item->headers.defaults);
	override_headers(sub, item->headers.own);
	host = clq_pairs_get(&sub->headers, "Host");
	if (host.len > 0)
		sub->host = host;
}

/* A body is JSON, or one of the patches that its own headers name. */
static void
build_content_type(struct clq_request *sub)
{
	struct clq_str type = clq_media_type(clq_pairs_get(&sub->headers,
	    "Content-Type"));

	if (sub->method == CLQ_METHOD_PATCH &&
	    (clq_str_caseis(type, "application/merge-patch+json") ||
	    clq_str_caseis(type, "application/json-patch+json")))
		return;
	set_request_header(sub, CLQ_STR("Content-Type"),
	    CLQ_STR("application/json; charset=utf-8"));
}

static void
build_body(struct clq_request *sub, const struct clq_batch_item *item)
{
	struct clq_buf b;

	if (item->body.own == NULL)
		return;
	clq_buf_init(&b, sub->arena, 256);
	clq_batch_print(&b, item->body);
	if (clq_str_is(clq_buf_str(&b), "{}"))
		return;
	sub->body = clq_buf_str(&b);
	build_content_type(sub);
}

static struct clq_request *
build(struct clq_request *req, const struct clq_batch_item *item)
{
	struct clq_request *sub = clq_request_new(req->server, req->arena);
	struct clq_str prefix = req->server->prefix;
	size_t mark = clq_str_find(item->path, '?', 0);

	sub->parent = req;
	sub->method = clq_method_of(item->method);
	sub->method_name = item->method;
	sub->scheme = req->scheme;
	sub->host = req->host;
	sub->raw_path = clq_str_sub(item->path, 0, mark);
	sub->raw_query = clq_str_sub(item->path, mark + 1, item->path.len);
	if (!clq_str_eq(clq_str_sub(sub->raw_path, 0, prefix.len), prefix))
		sub->raw_path = clq_arena_printf(req->arena, "%.*s%.*s",
		    CLQ_FMT(prefix), CLQ_FMT(sub->raw_path));
	build_headers(sub, item);
	build_body(sub, item);
	return sub;
}

/* ---- checks before anything is executed -------------------------------- */

/* True if the sub-request would be a batch itself, now or after redirects. */
static bool
is_batch(const struct clq_request *sub)
{
	struct clq_str path = clq_url_decode(sub->arena, sub->raw_path,
	    false);
	struct clq_str prefix = sub->server->prefix;

	while (clq_str_ends(path, "/"))
		path.len--;
	return clq_str_is(clq_str_sub(path, prefix.len, path.len), "/batch");
}

static enum clq_status
forbid_recursion(struct clq_request *req)
{
	return clq_invalid(req, "body", CLQ_STR("requests"),
	    "Recursive call on /batch endpoint is forbidden.");
}

static enum clq_status
build_all(struct clq_request *req, const struct clq_batch *batch,
    struct run *run)
{
	int64_t max = clq_settings_int(req->server->settings,
	    "max_body_bytes", 16 << 20);

	run->subs = clq_arena_calloc(req->arena, batch->n,
	    sizeof(struct clq_request *));
	run->body_max = 2 * (size_t)max;
	for (; run->n < batch->n; run->n++) {
		struct clq_request *sub = build(req, &batch->items[run->n]);

		run->subs[run->n] = sub;
		run->body_bytes += sub->body.len;
		if (run->body_bytes > run->body_max)
			return clq_fail(req, CLQ_ERRNO_REQUEST_TOO_LARGE,
			    "The requests of the batch are too large once "
			    "the defaults are merged in.");
		if (is_batch(sub))
			return forbid_recursion(req);
		if (!clq_method_safe(sub->method))
			req->tx->always_write = true;
	}
	return CLQ_OK;
}

/*
 * Find out who all of them are, before the first one begins to write: checking
 * passwords takes long, and other writers would wait. What cannot be found out
 * now is asked again, and reported, by the sub-request that needs it.
 */
static void
identify_all(struct clq_request *req, const struct run *run)
{
	for (size_t i = 0; req->tx->always_write && i < run->n; i++) {
		struct clq_request *sub = run->subs[i];

		sub->tx = req->tx;
		if (clq_auth_resolve(sub) == CLQ_OK)
			continue;
		memset(&sub->identity, 0, sizeof sub->identity);
		memset(&sub->error, 0, sizeof sub->error);
		return;
	}
}

/*
 * What they are going to look up, asked at once. Only for the caller of the
 * first; nearly always all have the same.
 */
static enum clq_status
prefetch(struct clq_request *req, const struct run *run)
{
	struct clq_lookup **lookups = clq_arena_calloc(req->arena, run->n,
	    sizeof(struct clq_lookup *)), *l;
	size_t n = 0, i;

	if (run->n < 2 || !clq_tx_can_prefetch(req))
		return CLQ_OK;
	for (i = 0; i < run->n; i++) {
		run->subs[i]->tx = req->tx;
		l = clq_look_ahead(run->subs[i]);
		if (l != NULL && (n == 0 ||
		    clq_str_eq(l->user, lookups[0]->user)))
			lookups[n++] = l;
	}
	return n > 1 ? clq_tx_prefetch(req, lookups, n) : CLQ_OK;
}

/* ---- the answer (section 05-3) ----------------------------------------- */

/* A JSON object has a name once: values of repeated headers are joined. */
static void
add_headers(struct clq_buf *b, const struct clq_pairs *h)
{
	clq_buf_adds(b, ",\"headers\":{");
	for (size_t i = 0; i < h->n; i++) {
		struct clq_str name = h->items[i].name;
		struct clq_str value = h->items[i].value;
		size_t j;

		for (j = 0; j < i; j++)
			if (clq_str_caseeq(h->items[j].name, name))
				break;
		if (j < i)
			continue;	/* joined to an earlier one */
		for (j = i + 1; j < h->n; j++)
			if (clq_str_caseeq(h->items[j].name, name))
				value = clq_arena_printf(b->arena,
				    "%.*s, %.*s", CLQ_FMT(value),
				    CLQ_FMT(h->items[j].value));
		if (i > 0)
			clq_buf_addc(b, ',');
		clq_buf_json_str(b, clq_text_clean(b->arena, name));
		clq_buf_addc(b, ':');
		clq_buf_json_str(b, clq_text_clean(b->arena, value));
	}
	clq_buf_addc(b, '}');
}

static void
add_body(struct clq_buf *b, const struct clq_response *r)
{
	clq_buf_adds(b, ",\"body\":");
	if (r->status == 304)	/* clients look for members in it */
		clq_buf_adds(b, "{}");
	else if (r->json && r->body.len > 0)
		clq_buf_add(b, r->body);
	else
		clq_buf_json_str(b, clq_text_clean(b->arena, r->body));
}

static void
add_response(struct clq_buf *b, const struct clq_request *sub)
{
	struct clq_str path = sub->asked_path.len > 0 ? sub->asked_path :
	    sub->raw_path;

	clq_buf_adds(b, "{\"path\":");
	clq_buf_json_str(b, clq_text_clean(b->arena, path));
	clq_buf_printf(b, ",\"status\":%d", sub->response.status);
	add_headers(b, &sub->response.headers);
	add_body(b, &sub->response);
	clq_buf_addc(b, '}');
}

static enum clq_status
batch_render(struct clq_request *req, void *ctx)
{
	struct run *run = ctx;
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 512 * (run->n + 1));
	clq_buf_adds(&b, "{\"responses\":[");
	for (size_t i = 0; i < run->n; i++) {
		clq_subrequest_render(run->subs[i]);
		if (i > 0)
			clq_buf_addc(&b, ',');
		add_response(&b, run->subs[i]);
	}
	clq_buf_adds(&b, "]}");
	return clq_reply(req, 200, clq_buf_str(&b));
}

/* ---- the view ---------------------------------------------------------- */

enum clq_status
clq_batch_view(struct clq_request *req, void *ctx)
{
	struct clq_batch batch = { 0 };
	struct run *run = clq_arena_alloc(req->arena, sizeof *run);
	enum clq_status rc;

	(void)ctx;
	if (req->parent != NULL)	/* through an alias */
		return forbid_recursion(req);
	if ((rc = clq_negotiate_json_body(req)) != CLQ_OK ||
	    (rc = clq_batch_parse(req, &batch)) != CLQ_OK ||
	    (rc = build_all(req, &batch, run)) != CLQ_OK)
		return rc;
	identify_all(req, run);
	if ((rc = prefetch(req, run)) != CLQ_OK)
		return rc;
	req->summary.batch_size = (int64_t)run->n;
	for (size_t i = 0; i < run->n; i++) {
		if (req->tx->wrote)	/* accounts, perhaps */
			clq_auth_again(run->subs[i]);
		if ((rc = clq_subrequest_run(run->subs[i])) != CLQ_OK)
			return rc;
	}
	req->render = batch_render;
	req->render_ctx = run;
	return CLQ_OK;
}
