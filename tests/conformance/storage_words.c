/* SPDX-License-Identifier: Apache-2.0 */
/* The words of storage.h. */
#include "tests/conformance/storage.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

enum { QUERY_MAX_FILTERS = 8, QUERY_MAX_SORTS = 8 };

struct fixture fx;
const struct clq_coll list = { { "record", 6 },
    { "/buckets/b/collections/c", 24 } };

void
storage_setup(void)
{
	fixture_configure(&fx, "storage");
	cr_assert_not_null(fx.plugin->storage, "no storage in the plugin");
	fixture_open(&fx);
	tx_write();
	cr_assert_eq(storage()->flush(fx.self), CLQ_OK);
	tx_commit();
}

void
storage_teardown(void)
{
	fixture_close(&fx);
}

const struct clq_backend_ops *
backend(void)
{
	return fx.plugin->backend;
}

const struct clq_storage_ops *
storage(void)
{
	return fx.plugin->storage;
}

void
tx_read(void)
{
	cr_assert_eq(backend()->begin(fx.self, CLQ_TX_READ), CLQ_OK);
}

void
tx_write(void)
{
	cr_assert_eq(backend()->begin(fx.self, CLQ_TX_WRITE), CLQ_OK);
}

void
tx_commit(void)
{
	cr_assert_eq(backend()->finish(fx.self, true), CLQ_OK);
}

void
tx_undo(void)
{
	cr_assert_eq(backend()->finish(fx.self, false), CLQ_OK);
}

int64_t
write_at(const struct clq_coll *coll, enum clq_write_op op, const char *id,
    const char *data, clq_msec at)
{
	/* On the heap of the arena: queued writes keep the pointer. */
	struct clq_write *w = clq_arena_alloc(fx.arena, sizeof *w);

	w->op = op;
	w->coll = *coll;
	w->id = clq_str_of(id);
	w->data = clq_str_of(data);
	w->has_timestamp = at != NO_TIME;
	w->timestamp = w->has_timestamp ? at : 0;
	cr_assert_eq(storage()->write(fx.self, w, 1), CLQ_OK);
	cr_assert_eq(storage()->sync(fx.self), CLQ_OK);
	return w->status == CLQ_OK ? w->last_modified : -(int64_t)w->status;
}

int64_t
put_at(const struct clq_coll *coll, enum clq_write_op op, const char *id,
    const char *data, clq_msec at)
{
	int64_t t;

	tx_write();
	t = write_at(coll, op, id, data, at);
	tx_commit();
	return t;
}

clq_msec
create(const char *id, const char *data)
{
	int64_t t = put_at(&list, CLQ_WRITE_CREATE, id, data, NO_TIME);

	cr_assert_gt(t, 0, "cannot create %s", id);
	return t;
}

clq_msec
update(const char *id, const char *data)
{
	int64_t t = put_at(&list, CLQ_WRITE_UPDATE, id, data, NO_TIME);

	cr_assert_gt(t, 0, "cannot update %s", id);
	return t;
}

clq_msec
delete(const char *id)
{
	int64_t t = put_at(&list, CLQ_WRITE_DELETE, id, NULL, NO_TIME);

	cr_assert_gt(t, 0, "cannot delete %s", id);
	return t;
}

const struct clq_object *
get_in(const struct clq_coll *coll, const char *id)
{
	struct clq_want *want = clq_arena_alloc(fx.arena, sizeof *want);
	struct clq_lookup l = { .arena = fx.arena, .wants = want,
	    .nwants = 1 };

	want->coll = *coll;
	want->id = clq_str_of(id);
	tx_read();
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	tx_commit();
	if (!want->found)
		return NULL;
	cr_assert(clq_str_is(want->object.id, id));
	return &want->object;
}

const struct clq_object *
get(const char *id)
{
	return get_in(&list, id);
}

clq_msec
timestamp_of(const struct clq_coll *coll)
{
	clq_msec t = 0;

	tx_write();
	cr_assert_eq(storage()->timestamp(fx.self, coll, &t), CLQ_OK);
	tx_commit();
	return t;
}

const cJSON *
json(const char *text)
{
	struct clq_str why = { NULL, 0 };
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(fx.arena, clq_str_of(text), &tree, &why),
	    CLQ_OK, "%s: %.*s", text, CLQ_FMT(why));
	return tree;
}

bool
same_json(struct clq_str data, const char *expected)
{
	return clq_json_equal(json(clq_arena_cstr(fx.arena, data)),
	    json(expected));
}

struct clq_query *
query(const char *sorts)
{
	struct clq_query *q = clq_arena_alloc(fx.arena, sizeof *q);
	struct clq_sort *s = clq_arena_calloc(fx.arena, QUERY_MAX_SORTS,
	    sizeof *s);
	struct clq_str rest = clq_str_of(sorts), word;

	q->coll = list;
	q->sorts = s;
	if (sorts == NULL)
		rest = CLQ_STR("-last_modified");
	while (clq_str_next_word(&rest, &word)) {
		cr_assert_lt(q->nsorts, QUERY_MAX_SORTS);
		s[q->nsorts].descending = word.p[0] == '-';
		s[q->nsorts++].field = clq_str_sub(word, word.p[0] == '-',
		    word.len);
	}
	return q;
}

void
filter(struct clq_query *q, const char *field, enum clq_op op,
    const char *value)
{
	struct clq_filter *filters = clq_arena_calloc(fx.arena,
	    q->nfilters + 1, sizeof *filters);

	if (q->nfilters > 0)
		memcpy(filters, q->filters, q->nfilters * sizeof *filters);
	filters[q->nfilters].field = clq_str_of(field);
	filters[q->nfilters].op = op;
	filters[q->nfilters++].value = json(value);
	q->filters = filters;
}

struct clq_page
run(const struct clq_query *q)
{
	struct clq_page page = { 0 };

	tx_read();
	cr_assert_eq(storage()->list(fx.self, fx.arena, q, &page), CLQ_OK);
	tx_commit();
	return page;
}

int64_t
count(const struct clq_query *q)
{
	int64_t n = -1;

	tx_read();
	cr_assert_eq(storage()->count(fx.self, q, &n), CLQ_OK);
	tx_commit();
	return n;
}

const char *
ids(const struct clq_query *q)
{
	struct clq_page page = run(q);
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, fx.arena, 0);
	for (i = 0; i < page.n; i++) {
		if (i > 0)
			clq_buf_addc(&b, ' ');
		if (page.objects[i].deleted)
			clq_buf_addc(&b, '!');
		clq_buf_add(&b, page.objects[i].id);
	}
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

const char *
matching(const char *field, enum clq_op op, const char *value)
{
	struct clq_query *q = query("id last_modified");

	filter(q, field, op, value);
	return ids(q);
}
