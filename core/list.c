/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists that no storage holds, answered as if one did (chapter 04): filters,
 * sorting, projection, pages.
 *
 * Items are made one by one, and one by one forgotten; what stays are the sort
 * values of the best ones so far. These are gathered until there are twice as
 * many as a page has, then sorted and cut down to a page, into a new arena. So
 * the memory is that of a page, whatever the length of the list. The items of
 * the page are made once more to be printed.
 */
#include "resource_impl.h"

#include <stdlib.h>

#include <cliquet/match.h>
#include "query.h"

struct row {
	size_t			 i;		/* of the item */
	const cJSON		**keys;		/* one per sort; NULL: missing */
};

struct listing {
	struct clq_request	*req;
	const struct clq_list	*list;
	struct clq_resource	 decl;		/* what the parsers want to know */
	struct clq_precond	 cond;
	struct clq_params	 params;
	struct clq_query	 query;
	struct clq_token	 token;
	struct clq_arena	*scratch;	/* of one item */
	struct clq_arena	*kept;		/* of the rows' keys */
	struct row		*rows;
	size_t			 n;
	size_t			 total;		/* items that pass the filters */
};

/* ---- the query --------------------------------------------------------- */

/* True if conditions on the field mean something for these items. */
static bool
counts(const struct clq_list *list, struct clq_str field)
{
	if (!clq_str_is(field, "last_modified"))
		return true;
	for (size_t i = 0; i < list->nfields; i++)
		if (strcmp(list->fields[i].name, "last_modified") == 0)
			return true;
	return false;
}

/* Drop what does not count; end with the list's own order. */
static void
adapt(struct listing *l)
{
	struct clq_query *q = &l->query;
	struct clq_arena *arena = l->req->arena;
	struct clq_filter *filters = clq_arena_calloc(arena, q->nfilters,
	    sizeof *filters);
	struct clq_sort *sorts = clq_arena_calloc(arena, q->nsorts +
	    l->list->norder, sizeof *sorts);
	size_t n = 0, i;

	for (i = 0; i < q->nfilters; i++)
		if (counts(l->list, q->filters[i].field))
			filters[n++] = q->filters[i];
	q->filters = filters;
	q->nfilters = n;
	/* without _sort the parser has put -last_modified there */
	for (n = i = 0; l->params.sort.len > 0 && i < q->nsorts; i++)
		if (counts(l->list, q->sorts[i].field))
			sorts[n++] = q->sorts[i];
	for (i = 0; i < l->list->norder; i++)
		sorts[n++] = l->list->order[i];
	q->sorts = sorts;
	q->nsorts = n;
}

static enum clq_status
check(struct listing *l)
{
	clq_checks_begin(l->req);
	clq_body_ignore(l->req);
	clq_precond_read(l->req, &l->cond);
	clq_params_read(l->req, &l->params);
	return clq_checks_end(l->req);
}

static enum clq_status
begin(struct listing *l)
{
	struct clq_current now = {
		.exists = true, .timestamp = l->list->timestamp,
	};
	enum clq_status rc;

	l->query.coll.resource = CLQ_STR("");	/* not stored */
	l->decl.flags = CLQ_RESOURCE_STRICT;
	l->decl.fields = l->list->fields;
	l->decl.nfields = l->list->nfields;
	if ((rc = check(l)) != CLQ_OK ||			/* 400 */
	    (l->list->timestamp != 0 && (rc = clq_precond_check(l->req,
	    &l->cond, &now)) != CLQ_OK) ||			/* 304 412 */
	    (rc = clq_query_read(l->req, &l->decl, &l->params,
	    &l->query)) != CLQ_OK)				/* 400 */
		return rc;
	adapt(l);
	if (l->params.token.len == 0)
		return CLQ_OK;
	return clq_token_read(l->req, l->params.token, &l->query, &l->token);
}

/* ---- choosing ---------------------------------------------------------- */

static int
row_cmp(const void *a, const void *b, void *ctx)
{
	const struct row *x = a, *y = b;
	int order = clq_sort_cmp(ctx, x->keys, y->keys);

	return order != 0 ? order : x->i < y->i ? -1 : x->i > y->i;
}

/* Keep the best `limit` rows, and their keys in an arena of their own. */
static void
cut(struct listing *l, size_t limit)
{
	struct clq_arena *kept = clq_arena_new();

	if (l->n > 1)
		qsort_r(l->rows, l->n, sizeof *l->rows, row_cmp, &l->query);
	if (l->n > limit)
		l->n = limit;
	for (size_t i = 0; i < l->n; i++)
		l->rows[i].keys = clq_query_keys_dup(kept, &l->query,
		    l->rows[i].keys);
	clq_arena_free(&l->kept);
	l->kept = kept;
}

/* Note the item, unless it is before the page. */
static void
consider(struct listing *l, size_t i, const cJSON *item)
{
	const struct clq_query *q = &l->query;
	const cJSON **keys = clq_query_keys(l->scratch, q, item);

	if (keys == NULL)
		return;
	if (l->n == 2 * (q->limit + 1))
		cut(l, q->limit + 1);
	l->rows[l->n++] = (struct row){ i, clq_query_keys_dup(l->kept, q,
	    keys) };
}

static enum clq_status
make(struct listing *l, size_t i, cJSON **out)
{
	clq_arena_reset(l->scratch);
	return l->list->item(l->req, l->scratch, l->list->ctx, i, out);
}

/* Look at all items: count them, or find those of the page. */
static enum clq_status
choose(struct listing *l, bool count_only)
{
	size_t cap = 2 * (l->query.limit + 1);
	enum clq_status rc;
	cJSON *item;

	if (cap > l->list->n)
		cap = l->list->n;
	l->rows = clq_arena_calloc(l->req->arena, cap, sizeof *l->rows);
	for (size_t i = 0; i < l->list->n; i++) {
		if ((rc = make(l, i, &item)) != CLQ_OK)
			return rc;
		if (!clq_query_passes(l->scratch, &l->query, item))
			continue;
		l->total++;
		if (!count_only)
			consider(l, i, item);
	}
	cut(l, l->query.limit + 1);
	return CLQ_OK;
}

/* ---- answering --------------------------------------------------------- */

/* One object more than a page has shows that there is another page. */
static enum clq_status
link_next(struct listing *l)
{
	struct clq_query *q = &l->query;

	if (l->n <= q->limit)
		return CLQ_OK;
	l->n = q->limit;
	q->after = l->rows[l->n - 1].keys;
	return clq_next_page(l->req, clq_request_uri(l->req), q,
	    l->token.offset + (int64_t)l->n, false);
}

static enum clq_status
print(struct listing *l, struct clq_str *out)
{
	struct clq_strs fields = l->params.fields;
	enum clq_status rc;
	struct clq_buf b;
	cJSON *item;

	clq_buf_init(&b, l->req->arena, 64 * (l->n + 1));
	clq_buf_adds(&b, "{\"data\":[");
	for (size_t i = 0; i < l->n; i++) {
		if ((rc = make(l, l->rows[i].i, &item)) != CLQ_OK)
			return rc;
		if (i > 0)
			clq_buf_addc(&b, ',');
		if (fields.n > 0)
			item = clq_project_tree(l->scratch, item, fields);
		clq_json_print(&b, item);
	}
	clq_buf_adds(&b, "]}");
	*out = clq_buf_str(&b);
	return CLQ_OK;
}

static enum clq_status
answer(struct listing *l)
{
	struct clq_request *req = l->req;
	bool head = req->method == CLQ_METHOD_HEAD;
	struct clq_str body = CLQ_STR("{\"data\":[]}"), total;
	enum clq_status rc;

	if ((rc = choose(l, head)) != CLQ_OK)
		return rc;
	if (head) {
		total = clq_arena_printf(req->arena, "%zu", l->total);
		clq_set_header(req, "Total-Objects", total);
		clq_set_header(req, "Total-Records", total);
	} else if ((rc = link_next(l)) != CLQ_OK ||
	    (rc = print(l, &body)) != CLQ_OK) {
		return rc;
	}
	if (l->list->timestamp != 0)
		clq_set_etag(req, l->list->timestamp);
	clq_set_header(req, "Cache-Control", CLQ_STR("no-cache, no-store"));
	return clq_reply(req, 200, body);
}

enum clq_status
clq_reply_list(struct clq_request *req, const struct clq_list *list)
{
	struct listing l = { .req = req, .list = list };
	enum clq_status rc;

	if ((rc = begin(&l)) != CLQ_OK)
		return rc;
	l.scratch = clq_arena_new();
	l.kept = clq_arena_new();
	rc = answer(&l);
	clq_arena_free(&l.scratch);
	clq_arena_free(&l.kept);
	return rc;
}
