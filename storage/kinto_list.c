/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: what the other side can be asked is asked there, and everything is
 * looked at once more here.
 *
 * Filters that mean the same on both sides, and the order and the limit where
 * the first sort key is distinct, go into the URL: they only make the answer
 * smaller. The result is what clq_select() makes of it, so that no difference
 * between servers shows.
 */
#include "storage/kinto.h"

#include <cliquet/log.h>
#include <cliquet/match.h>
#include <cliquet/str.h>

enum { PAGE_MAX = 1000 };	/* objects asked for at once */

/* ---- the URL ------------------------------------------------------------- */

struct question {
	struct clq_buf	 params;
	bool		 all;		/* every filter is in the URL */
	bool		 ordered;	/* so are the sorts and the position */
	bool		 tombstones;	/* they may come, too */
};

static void
param(struct clq_arena *arena, struct question *q, const char *prefix,
    struct clq_str field, struct clq_str value)
{
	clq_buf_printf(&q->params, "%c%s%.*s=",
	    q->params.len > 0 ? '&' : '?', prefix, CLQ_FMT(field));
	clq_buf_add(&q->params, clq_url_encode(arena, value, "", false));
}

static bool
is_own(struct clq_str field)
{
	return clq_str_is(field, "last_modified") || clq_str_is(field, "id");
}

/* A timestamp that every server takes. */
static bool
plain_time(const cJSON *v)
{
	int64_t n;

	return clq_json_int(v, &n) && n >= 0 && n < 1LL << 47;
}

/* A name that no server takes for something else. */
static bool
plain_name(struct clq_str field)
{
	static const char *const prefixes[] = {
		"lt_", "min_", "max_", "not_", "gt_", "in_", "exclude_",
		"like_", "has_", "contains_", "_",
	};

	for (size_t i = 0; i < CLQ_COUNT(prefixes); i++)
		if (clq_str_starts(field, prefixes[i]))
			return false;
	for (size_t i = 0; i < field.len; i++)
		if (!(field.p[i] == '_' || (field.p[i] >= '0' &&
		    field.p[i] <= '9') || (field.p[i] >= 'a' &&
		    field.p[i] <= 'z') || (field.p[i] >= 'A' &&
		    field.p[i] <= 'Z')))
			return false;
	return field.len > 0 && !clq_str_is(field, "deleted");
}

/* Texts, booleans and small integers are equal everywhere. */
static bool
plain_value(const cJSON *v)
{
	int64_t n;

	return cJSON_IsBool(v) || (cJSON_IsString(v) &&
	    strlen(v->valuestring) < 2048) || (cJSON_IsNumber(v) &&
	    clq_json_int(v, &n) && n > -(1LL << 53) && n < 1LL << 53);
}

static bool
add_filter(struct clq_arena *arena, struct question *q,
    const struct clq_filter *f)
{
	static const char *const prefixes[CLQ_OP__COUNT] = {
		[CLQ_OP_EQ] = "", [CLQ_OP_LT] = "lt_", [CLQ_OP_MAX] = "max_",
		[CLQ_OP_GT] = "gt_", [CLQ_OP_MIN] = "min_",
	};
	bool time = clq_str_is(f->field, "last_modified");

	if (prefixes[f->op] == NULL || (time ? !plain_time(f->value) :
	    f->op != CLQ_OP_EQ || !plain_name(f->field) ||
	    !plain_value(f->value)))
		return false;
	q->tombstones = q->tombstones || time;
	param(arena, q, prefixes[f->op], f->field, is_own(f->field) &&
	    cJSON_IsString(f->value) ? clq_json_str(f->value) :
	    clq_json_text(arena, f->value));
	return true;
}

/* Sorts and position, where the first key alone decides. */
static void
add_order(struct clq_arena *arena, struct question *q,
    const struct clq_query *query)
{
	const struct clq_sort *first = query->sorts;
	const cJSON *after;

	q->ordered = query->nsorts > 0 && is_own(first->field);
	if (!q->ordered)
		return;
	param(arena, q, "", CLQ_STR("_sort"), clq_arena_printf(arena, "%s%.*s",
	    first->descending ? "-" : "", CLQ_FMT(first->field)));
	if (query->after == NULL)
		return;
	after = query->after[0];
	q->ordered = clq_str_is(first->field, "last_modified") &&
	    after != NULL && plain_time(after);
	if (q->ordered) {
		param(arena, q, first->descending ? "lt_" : "gt_",
		    first->field, clq_json_text(arena, after));
		q->tombstones = true;
	}
}

static void
ask_for(struct clq_arena *arena, const struct clq_query *query,
    struct question *q)
{
	memset(q, 0, sizeof *q);
	clq_buf_init(&q->params, arena, 128);
	q->all = query->only_ids == NULL;
	for (size_t i = 0; i < query->nfilters; i++)
		if (!add_filter(arena, q, &query->filters[i]))
			q->all = false;
	if (query->include_deleted && !q->tombstones) {
		param(arena, q, "", CLQ_STR("_since"), CLQ_STR("0"));
		q->tombstones = true;
	}
}

/* ---- the answer ---------------------------------------------------------- */

struct found {
	struct clq_object	*objects;
	size_t			 n;
	size_t			 useful;	/* of them, that count for a limit */
	size_t			 bytes;
};

static enum clq_status
take_page(struct kr *k, struct clq_arena *arena, const struct kr_call *call,
    const struct clq_query *query, bool tombstones, struct found *f)
{
	const cJSON *list = clq_json_get(call->tree, "data"), *item;
	size_t n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
	enum clq_status rc;

	f->bytes += call->text.len;
	if (f->bytes > k->max_bytes) {
		clq_log_err("remote Kinto: a list is larger than "
		    "storage_max_answer_bytes");
		return CLQ_FAILED;
	}
	f->objects = clq_arena_grow(arena, f->objects, f->n *
	    sizeof *f->objects, (f->n + n) * sizeof *f->objects);
	cJSON_ArrayForEach(item, list) {
		struct clq_object *o = &f->objects[f->n];

		if ((rc = kr_object(arena, item, tombstones, o)) != CLQ_OK)
			return rc;
		f->n++;
		if (!o->deleted || query->include_deleted)
			f->useful++;
	}
	return CLQ_OK;
}

/* All that may be in the result. */
static enum clq_status
fetch(struct kr *k, struct clq_arena *arena, const struct clq_query *query,
    struct found *f)
{
	struct clq_str path = clq_arena_printf(arena, "%.*s/records",
	    CLQ_FMT(kr_list_path(k, arena, &query->coll)));
	struct kr_call call = { .method = "GET" };
	struct question q;
	enum clq_status rc;
	size_t limit = 0;

	memset(f, 0, sizeof *f);
	ask_for(arena, query, &q);
	add_order(arena, &q, query);
	if (q.all && q.ordered)
		limit = query->limit;
	param(arena, &q, "", CLQ_STR("_limit"), clq_arena_printf(arena, "%zu",
	    limit > 0 && limit < PAGE_MAX ? limit : (size_t)PAGE_MAX));
	call.path = clq_arena_printf(arena, "%.*s%.*s", CLQ_FMT(path),
	    CLQ_FMT(clq_buf_str(&q.params)));
	do {
		rc = kr_ask_about(k, arena, &query->coll, &call);
		if (rc != CLQ_OK || call.status != 200)
			return rc;	/* 404: there is nothing */
		if ((rc = take_page(k, arena, &call, query,
		    q.tombstones, f)) != CLQ_OK)
			return rc;
		call.path = clq_arena_printf(arena, "%.*s%.*s", CLQ_FMT(path),
		    CLQ_FMT(call.next));
	} while (call.next.len > 0 && (limit == 0 || f->useful < limit));
	return CLQ_OK;
}

bool
kr_of_all_users(const struct clq_coll *coll)
{
	if (!clq_str_is(coll->parent, CLQ_ANY_PARENT))
		return false;
	clq_log_err("remote Kinto: lists of all users cannot be asked for");
	return true;
}

enum clq_status
kr_list(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_page *out)
{
	struct kr *k = kr_self(self);
	struct found f;
	enum clq_status rc;

	if (kr_of_all_users(&q->coll))
		return CLQ_FAILED;
	if ((rc = kr_send(k)) != CLQ_OK ||
	    (rc = fetch(k, arena, q, &f)) != CLQ_OK)
		return rc;
	return clq_select(arena, q, f.objects, f.n, out);
}

/* By HEAD, where the other side can see all that matters. */
static enum clq_status
head_count(struct kr *k, struct clq_arena *arena, const struct clq_query *q,
    const struct question *asked, int64_t *out)
{
	struct kr_call call = { .method = "HEAD" };
	enum clq_status rc;

	call.path = clq_arena_printf(arena, "%.*s/records%.*s",
	    CLQ_FMT(kr_list_path(k, arena, &q->coll)),
	    CLQ_FMT(clq_buf_str(&asked->params)));
	rc = kr_ask_about(k, arena, &q->coll, &call);
	if (rc == CLQ_OK)
		*out = call.status == 200 && call.total > 0 ? call.total : 0;
	return rc;
}

enum clq_status
kr_count(void *self, const struct clq_query *q, int64_t *out)
{
	struct kr *k = kr_self(self);
	struct clq_query whole = *q;
	struct clq_arena *arena;
	struct question asked;
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;
	struct found f;

	if (kr_of_all_users(&q->coll))
		return CLQ_FAILED;
	if ((rc = kr_send(k)) != CLQ_OK)
		return rc;
	arena = clq_arena_new();
	whole.nsorts = whole.limit = 0;
	whole.after = NULL;
	ask_for(arena, &whole, &asked);
	if (asked.all && !asked.tombstones) {
		rc = head_count(k, arena, q, &asked, out);
	} else if ((rc = fetch(k, arena, &whole, &f)) == CLQ_OK &&
	    (rc = clq_select(arena, &whole, f.objects, f.n, &page)) ==
	    CLQ_OK) {
		*out = (int64_t)page.n;
	}
	clq_arena_free(&arena);
	return rc;
}

enum clq_status
kr_delete_all(void *self, struct clq_arena *arena, const struct clq_query *q,
    struct clq_deletions *out)
{
	struct kr *k = kr_self(self);
	struct clq_query living = *q;
	struct clq_write *writes;
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;

	living.include_deleted = false;
	if ((rc = kr_list(self, arena, &living, &page)) != CLQ_OK)
		return rc;
	writes = clq_arena_calloc(k->tx, page.n, sizeof *writes);
	out->items = clq_arena_calloc(arena, page.n, sizeof *out->items);
	for (size_t i = 0; i < page.n; i++) {
		writes[i].op = CLQ_WRITE_DELETE;
		writes[i].coll = q->coll;
		writes[i].id = page.objects[i].id;
		writes[i].data = CLQ_STR("{}");
	}
	if ((rc = kr_write(self, writes, page.n)) != CLQ_OK ||
	    (rc = kr_send(k)) != CLQ_OK)
		return rc;
	out->n = 0;
	for (size_t i = 0; i < page.n; i++) {
		if (writes[i].status != CLQ_OK)
			continue;	/* somebody else has */
		out->items[out->n].old = page.objects[i];
		out->items[out->n++].last_modified = writes[i].last_modified;
	}
	return CLQ_OK;
}
