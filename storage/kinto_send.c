/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending what is queued, and undoing what has been sent.
 *
 * One change is one request; several are one batch, which is one transaction on
 * the other side if it fits in one. What is sent before the commit, because its
 * result was wanted, can only be undone by its contrary: under the condition
 * that nobody has changed the object since.
 */
#include "storage/kinto.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

/* ---- one change as a request --------------------------------------------- */

static void
add_document(struct clq_buf *b, const struct clq_write *w)
{
	struct clq_str rest = clq_str_sub(w->data, 1, w->data.len);

	clq_buf_adds(b, "{\"data\":");
	if (w->has_timestamp) {
		clq_buf_printf(b, "{\"last_modified\":%lld%s",
		    (long long)w->timestamp, rest.len > 1 ? "," : "");
		clq_buf_add(b, rest);
	} else {
		clq_buf_add(b, w->data);
	}
	clq_buf_addc(b, '}');
}

static void
condition(const struct kr_change *c, struct kr_call *call)
{
	const struct kr_known *known = c->known;

	call->condition = KR_ALWAYS;
	if (c->write.op == CLQ_WRITE_CREATE || (known != NULL &&
	    !known->found && c->write.op == CLQ_WRITE_UPDATE)) {
		call->condition = KR_IF_MISSING;
	} else if (known != NULL && known->found) {
		call->condition = KR_IF_MATCH;
		call->time = known->object.last_modified;
	}
}

static struct kr_call
request_of(struct kr *k, struct clq_arena *arena, const struct kr_change *c)
{
	const struct clq_write *w = &c->write;
	struct kr_call call = { .method = "PUT", .login = c->login };
	struct clq_buf b;

	call.path = kr_object_path(k, arena, &w->coll, w->id);
	condition(c, &call);
	if (w->op == CLQ_WRITE_DELETE) {
		call.method = "DELETE";
		if (w->has_timestamp)
			call.path = clq_arena_printf(arena,
			    "%.*s?last_modified=%lld", CLQ_FMT(call.path),
			    (long long)w->timestamp);
		return call;
	}
	clq_buf_init(&b, arena, w->data.len + 64);
	add_document(&b, w);
	call.body = clq_buf_str(&b);
	return call;
}

/* ---- its answer ---------------------------------------------------------- */

static enum clq_status
take_answer(struct kr_change *c, const struct kr_call *sent, int status,
    const cJSON *body)
{
	struct clq_write *w = c->result;
	int64_t t;

	if (status == 200 || status == 201) {
		if (!clq_json_int(clq_json_get(clq_json_get(body, "data"),
		    "last_modified"), &t)) {
			clq_log_err("remote Kinto: an answer without "
			    "last_modified");
			return CLQ_FAILED;
		}
		c->done = true;
		w->last_modified = c->write.last_modified = t;
		w->status = CLQ_OK;
		return CLQ_OK;
	}
	if (status == 404 && w->op == CLQ_WRITE_DELETE) {
		w->status = CLQ_NOT_FOUND;
		return CLQ_OK;
	}
	if (status == 412 && w->op == CLQ_WRITE_CREATE) {
		w->status = CLQ_CONFLICT;
		return CLQ_OK;
	}
	if (status == 412 || status == 409)
		return CLQ_RETRY;	/* somebody was faster */
	if (status == 405)
		return CLQ_READONLY;
	clq_log_err("remote Kinto: %s %.*s: %d in a batch", sent->method,
	    CLQ_FMT(clq_str_sub(sent->path, 0, 200)), status);
	return status >= 500 || status == 429 ? CLQ_UNAVAILABLE : CLQ_FAILED;
}

static enum clq_status
send_one(struct kr *k, struct clq_arena *arena, struct kr_change *c)
{
	struct kr_call call = request_of(k, arena, c);
	enum clq_status rc;

	if (c->write.op == CLQ_WRITE_DELETE) {
		rc = kr_ask(k, arena, &call);
		if (rc == CLQ_OK && call.status == 403)
			return kr_forbidden(k);
	} else {
		rc = kr_ask_making(k, arena, &c->write.coll, &call);
	}
	return rc != CLQ_OK ? rc : take_answer(c, &call, call.status,
	    call.tree);
}

/* ---- several at once ----------------------------------------------------- */

static void
add_part(struct clq_buf *b, const struct kr_call *call)
{
	clq_buf_printf(b, "{\"method\":\"%s\",\"path\":", call->method);
	clq_buf_json_str(b, call->path);
	clq_buf_adds(b, ",\"headers\":{");
	if (call->condition == KR_IF_MISSING)
		clq_buf_adds(b, "\"If-None-Match\":\"*\"");
	else if (call->condition == KR_IF_MATCH)
		clq_buf_printf(b, "\"If-Match\":\"\\\"%lld\\\"\"",
		    (long long)call->time);
	clq_buf_addc(b, '}');
	if (call->body.p != NULL) {
		clq_buf_adds(b, ",\"body\":");
		clq_buf_add(b, call->body);
	}
	clq_buf_addc(b, '}');
}

/* The list was not there, or its bucket: one by one, which makes it. */
static bool
list_missing(const struct kr_change *c, int status)
{
	return c->write.op != CLQ_WRITE_DELETE &&
	    (status == 404 || status == 403);
}

static enum clq_status
take_batch(struct kr *k, struct clq_arena *arena, const struct kr_call *batch,
    struct kr_change *c, const struct kr_call *calls, size_t n)
{
	const cJSON *list = clq_json_get(batch->tree, "responses"), *item;
	enum clq_status rc = CLQ_OK, one;
	int64_t status;
	size_t i = 0;

	if (batch->status != 200 || !cJSON_IsArray(list) ||
	    (size_t)cJSON_GetArraySize(list) != n) {
		clq_log_err("remote Kinto: a batch was answered %d",
		    batch->status);
		return CLQ_UNAVAILABLE;
	}
	/* All of them: what is done must be known, to be undone. */
	cJSON_ArrayForEach(item, list) {
		if (!clq_json_int(clq_json_get(item, "status"), &status))
			status = 500;
		one = list_missing(&c[i], (int)status) ?
		    send_one(k, arena, &c[i]) : take_answer(&c[i], &calls[i],
		    (int)status, clq_json_get(item, "body"));
		rc = rc != CLQ_OK ? rc : one;
		i++;
	}
	return rc;
}

static enum clq_status
send_batch(struct kr *k, struct clq_arena *arena, struct kr_change *c,
    size_t n)
{
	struct kr_call *calls = clq_arena_calloc(arena, n, sizeof *calls);
	struct kr_call batch = {
		.method = "POST", .path = CLQ_STR("/batch"),
		.login = c->login,
	};
	struct clq_buf b;
	enum clq_status rc;

	clq_buf_init(&b, arena, 4096);
	clq_buf_adds(&b, "{\"requests\":[");
	for (size_t i = 0; i < n; i++) {
		calls[i] = request_of(k, arena, &c[i]);
		if (i > 0)
			clq_buf_addc(&b, ',');
		add_part(&b, &calls[i]);
	}
	clq_buf_adds(&b, "]}");
	batch.body = clq_buf_str(&b);
	if ((rc = kr_ask(k, arena, &batch)) != CLQ_OK)
		return rc;
	return take_batch(k, arena, &batch, c, calls, n);
}

/* As many as one batch takes, all of one caller. */
static size_t
together(const struct kr *k, size_t from)
{
	size_t n = 1;

	while (from + n < k->nchanges && (int64_t)n < k->batch_max &&
	    clq_str_eq(k->changes[from].login, k->changes[from + n].login))
		n++;
	return n;
}

enum clq_status
kr_send(struct kr *k)
{
	struct clq_arena *arena;
	enum clq_status rc = CLQ_OK;
	size_t n;

	if (k->sent == k->nchanges)
		return CLQ_OK;
	arena = clq_arena_new();
	while (rc == CLQ_OK && k->sent < k->nchanges) {
		n = together(k, k->sent);
		rc = n == 1 ? send_one(k, arena, &k->changes[k->sent]) :
		    send_batch(k, arena, &k->changes[k->sent], n);
		k->sent += n;
	}
	clq_arena_free(&arena);
	return rc;
}

/* ---- undoing ------------------------------------------------------------- */

static bool
same_object(const struct kr_change *a, const struct kr_change *b)
{
	return clq_str_eq(a->write.id, b->write.id) &&
	    clq_coll_eq(&a->write.coll, &b->write.coll);
}

/* The last change of c's object among [from, to) that was done, or NULL. */
static const struct kr_change *
last_done(const struct kr *k, const struct kr_change *c, size_t from,
    size_t to)
{
	while (to-- > from)
		if (k->changes[to].done && same_object(&k->changes[to], c))
			return &k->changes[to];
	return NULL;
}

/* What the object was before `from`; *data absent: it was not there. False:
 * nobody has looked. */
static bool
before(const struct kr *k, const struct kr_change *c, size_t from,
    struct clq_str *data)
{
	const struct kr_change *prev = last_done(k, c, 0, from);

	*data = (struct clq_str){ NULL, 0 };
	if (prev != NULL) {
		if (prev->write.op != CLQ_WRITE_DELETE)
			*data = prev->write.data;
	} else if (c->known != NULL) {
		if (c->known->found)
			*data = c->known->object.data;
	} else if (c->write.op != CLQ_WRITE_CREATE) {
		return false;
	}
	return true;
}

static bool
restore(struct kr *k, struct clq_arena *arena, const struct kr_change *c,
    size_t from)
{
	const struct kr_change *last = last_done(k, c, from, k->nchanges);
	struct kr_call call = { .method = "PUT", .login = c->login };
	bool there = last->write.op != CLQ_WRITE_DELETE;
	struct clq_str data;

	if (!before(k, c, from, &data))
		return false;
	if (data.p == NULL && !there)
		return true;
	if (data.p == NULL)
		call.method = "DELETE";
	else
		call.body = clq_arena_printf(arena, "{\"data\":%.*s}",
		    CLQ_FMT(data));
	call.path = kr_object_path(k, arena, &c->write.coll, c->write.id);
	call.condition = there ? KR_IF_MATCH : KR_IF_MISSING;
	call.time = last->write.last_modified;
	/* 412, 404: somebody else's change stays */
	return kr_ask(k, arena, &call) == CLQ_OK && call.status != 403;
}

bool
kr_undo(struct kr *k, size_t from)
{
	struct clq_arena *arena = clq_arena_new();
	bool good = true;

	for (size_t i = from; i < k->nchanges; i++) {
		struct kr_change *c = &k->changes[i];

		if (c->done && last_done(k, c, from, i) == NULL)
			good = restore(k, arena, c, from) && good;
		else if (!c->done && c->known != NULL)
			c->known->used = false;
	}
	if (!good)
		clq_log_err("remote Kinto: changes of a request that failed "
		    "could not be undone");
	k->nchanges = from < k->nchanges ? from : k->nchanges;
	if (k->sent > k->nchanges)
		k->sent = k->nchanges;
	clq_arena_free(&arena);
	return good;
}
