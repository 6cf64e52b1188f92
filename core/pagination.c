/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Continuing a list: tokens and the Next-Page header (section 04-8).
 *
 * A token holds the values of the sort fields in the last object given, so
 * that the next page starts behind them whatever was inserted in between. It
 * is not signed: it says nothing that a client could not ask with filters.
 * Tokens of DELETE are good once; what makes them so is a key in the cache.
 */
#include "query.h"

#include <cliquet/crypto.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include "resource_impl.h"
#include "server.h"

enum { MAX_TOKEN = 16384 };	/* bytes of base64; longer ones are not ours */

static const struct clq_str no_name = { NULL, 0 };

static enum clq_status
bad_token(struct clq_request *req)
{
	return clq_invalid(req, "querystring", no_name,
	    "_token has invalid content");
}

/*
 * The value to resume after, or NULL if the field was missing. False if it is
 * of a type that the field of a stored object cannot have.
 */
static bool
resume_value(const cJSON *last, struct clq_arena *arena, struct clq_str field,
    bool stored, const cJSON **out)
{
	int64_t n;

	*out = clq_json_get(last, clq_arena_cstr(arena, field));
	if (!stored)
		return true;
	if (clq_str_is(field, "last_modified"))
		return clq_json_int(*out, &n);
	if (clq_str_is(field, "id"))
		return cJSON_IsString(*out);
	if (clq_str_is(field, "deleted"))
		return *out == NULL || cJSON_IsBool(*out);
	return true;
}

enum clq_status
clq_token_read(struct clq_request *req, struct clq_str token,
    struct clq_query *q, struct clq_token *out)
{
	const cJSON **after = clq_arena_calloc(req->arena, q->nsorts,
	    sizeof *after);
	bool stored = q->coll.resource.p == NULL || q->coll.resource.len > 0;
	struct clq_str text, why;
	cJSON *tree, *last;
	size_t i;

	if (token.len > MAX_TOKEN ||
	    clq_base64_decode(req->arena, token, &text) != CLQ_OK ||
	    clq_json_parse(req->arena, text, &tree, &why) != CLQ_OK)
		return bad_token(req);
	last = clq_json_get(tree, "last_object");
	out->nonce = clq_json_str(clq_json_get(tree, "nonce"));
	if (!cJSON_IsObject(last) || out->nonce.p == NULL ||
	    !clq_json_int(clq_json_get(tree, "offset"), &out->offset) ||
	    out->offset < 0 || out->offset > INT64_MAX / 2)
		return bad_token(req);
	for (i = 0; i < q->nsorts; i++)
		if (!resume_value(last, req->arena, q->sorts[i].field,
		    stored, &after[i]))
			return bad_token(req);
	q->after = after;
	return CLQ_OK;
}

enum clq_status
clq_query_after(struct clq_request *req, struct clq_query *q,
    const struct clq_object *last)
{
	const cJSON **after = clq_arena_calloc(req->arena, q->nsorts,
	    sizeof *after);
	cJSON *tree = NULL;
	enum clq_status rc;
	size_t i;

	for (i = 0; i < q->nsorts; i++) {
		struct clq_str field = q->sorts[i].field;

		/* the default order needs no look into the document */
		if (clq_str_is(field, "last_modified")) {
			after[i] = clq_json_own(req->arena,
			    clq_json_new_int(last->last_modified));
			continue;
		}
		if (tree == NULL && (rc = clq_object_tree(req->arena, last,
		    &tree)) != CLQ_OK)
			return rc;
		after[i] = clq_json_path(tree, field);
	}
	q->after = after;
	return CLQ_OK;
}

static struct clq_str
token_text(struct clq_request *req, const struct clq_query *q,
    int64_t offset, struct clq_str nonce)
{
	bool first = true;
	struct clq_buf b;
	size_t i, j;

	clq_buf_init(&b, req->arena, 256);
	clq_buf_adds(&b, "{\"last_object\":{");
	for (i = 0; i < q->nsorts; i++) {
		if (q->after[i] == NULL)
			continue;
		for (j = 0; j < i; j++)
			if (clq_str_eq(q->sorts[j].field, q->sorts[i].field))
				break;
		if (j < i)
			continue;
		if (!first)
			clq_buf_addc(&b, ',');
		first = false;
		clq_buf_json_str(&b, q->sorts[i].field);
		clq_buf_addc(&b, ':');
		clq_json_print(&b, q->after[i]);
	}
	clq_buf_adds(&b, "},\"offset\":");
	clq_buf_addint(&b, offset);
	clq_buf_adds(&b, ",\"nonce\":");
	clq_buf_json_str(&b, nonce);
	clq_buf_addc(&b, '}');
	return clq_base64_encode(req->arena, clq_buf_str(&b));
}

static void
add_param(struct clq_buf *b, struct clq_str name, struct clq_str value,
    bool *first)
{
	clq_buf_addc(b, *first ? '?' : '&');
	*first = false;
	clq_buf_add(b, clq_url_encode(b->arena, name, NULL, true));
	clq_buf_addc(b, '=');
	clq_buf_add(b, clq_url_encode(b->arena, value, NULL, true));
}

/* This request's URL with another limit and token, in place or appended. */
static struct clq_str
page_url(struct clq_request *req, struct clq_str path, struct clq_str limit,
    struct clq_str token)
{
	bool first = true, has_limit = false, has_token = false;
	struct clq_buf b;

	clq_buf_init(&b, req->arena, req->raw_query.len + 512);
	clq_buf_add(&b, req->server->prefix);
	clq_buf_add(&b, clq_url_encode(req->arena, path, "/:@", false));
	for (size_t i = 0; i < req->params.n; i++) {
		struct clq_str name = req->params.items[i].name;
		struct clq_str value = req->params.items[i].value;

		if (clq_str_is(clq_str_trim(name), "_limit")) {
			has_limit = true;
			value = limit;
		} else if (clq_str_is(clq_str_trim(name), "_token")) {
			has_token = true;
			value = token;
		}
		add_param(&b, name, value, &first);
	}
	if (!has_limit)
		add_param(&b, CLQ_STR("_limit"), limit, &first);
	if (!has_token)
		add_param(&b, CLQ_STR("_token"), token, &first);
	return clq_absolute_url(req, clq_buf_str(&b));
}

enum clq_status
clq_token_keep(struct clq_request *req, struct clq_str nonce)
{
	int64_t seconds = clq_settings_int(req->server->settings,
	    "pagination_token_validity_seconds", 600);

	return clq_cache_set(req, nonce, CLQ_STR("1"), seconds * 1000);
}

enum clq_status
clq_next_page(struct clq_request *req, struct clq_str path,
    const struct clq_query *q, int64_t offset, bool single)
{
	struct clq_str uuid = clq_uuid4(req->arena);
	struct clq_str nonce = clq_arena_printf(req->arena,
	    "pagination-token-%.*s", CLQ_FMT(uuid));
	struct clq_str limit = clq_arena_printf(req->arena, "%zu", q->limit);
	enum clq_status rc;

	if (single && (rc = clq_token_keep(req, nonce)) != CLQ_OK)
		return rc;
	clq_set_header(req, "Next-Page", page_url(req, path, limit,
	    token_text(req, q, offset, nonce)));
	return CLQ_OK;
}

enum clq_status
clq_token_take(struct clq_request *req, struct clq_str nonce)
{
	struct clq_str value;
	enum clq_status rc = CLQ_NOT_FOUND;

	/* other keys in the cache are nobody's to take */
	if (clq_str_starts(nonce, "pagination-token-"))
		rc = clq_cache_take(req, nonce, &value);
	if (rc == CLQ_NOT_FOUND)
		return clq_invalid(req, "querystring", no_name,
		    "_token was already used or has expired.");
	return rc;
}
