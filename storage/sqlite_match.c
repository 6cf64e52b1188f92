/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters and sorting on document fields, as SQL functions (section 04-3).
 *
 * A query's filters on documents become one call of clq_match() and its sorts
 * one call of clq_sortkey(), whose blob is compared bytewise: SQLite sees the
 * same few statements whatever a client asks, and no text of his. Values are
 * compared by their keys (sqlite_key.c), so a filter, an order and the place
 * where a page resumes can never disagree.
 */
#include "storage/sqlite.h"

#include <cliquet/json.h>
#include <cliquet/str.h>

#include <stdlib.h>

struct sq_filter {
	struct clq_str	 path;
	enum clq_op	 op;
	bool		 wanted;	/* of CLQ_OP_HAS */
	bool		 impossible;	/* the value's type excludes all */
	struct clq_strs	 keys;		/* of the value or its items, sorted */
	struct sq_pattern pattern;	/* of CLQ_OP_LIKE */
};

static struct clq_str
bytes_dup(struct clq_arena *arena, struct sq_bytes *b)
{
	struct clq_str s = { (const char *)b->p, b->len };

	return clq_arena_strdup(arena, s);
}

/* ---- making filters --------------------------------------------------- */

enum sq_column
sq_column_of(struct clq_str field)
{
	if (clq_str_is(field, "id"))
		return SQ_ID;
	if (clq_str_is(field, "last_modified"))
		return SQ_MODIFIED;
	return SQ_DOCUMENT;
}

struct clq_str
sq_key_of(struct clq_arena *arena, const cJSON *value)
{
	struct sq_bytes b = { 0 };
	struct clq_str key;

	if (value == NULL)
		sq_key_add_missing(&b);
	else
		sq_key_add(&b, clq_json_text(arena, value));
	key = bytes_dup(arena, &b);
	free(b.p);
	return key;
}

static int
key_order(const void *a, const void *b)
{
	const struct clq_str *x = a, *y = b;

	return clq_str_cmp(*x, *y);
}

/* The keys of a list's items; anything else stands for a list of itself. */
static void
add_keys(struct clq_arena *arena, struct sq_filter *f, const cJSON *value)
{
	const cJSON *item;
	size_t i;

	if (!cJSON_IsArray(value)) {
		clq_strs_add(arena, &f->keys, sq_key_of(arena, value));
		return;
	}
	cJSON_ArrayForEach(item, value)
		clq_strs_add(arena, &f->keys, sq_key_of(arena, item));
	if (f->keys.n < 2)
		return;
	qsort(f->keys.items, f->keys.n, sizeof *f->keys.items, key_order);
	for (i = f->keys.n; i-- > 1; )	/* each once: contains counts them */
		if (clq_str_eq(f->keys.items[i], f->keys.items[i - 1])) {
			memmove(f->keys.items + i, f->keys.items + i + 1,
			    (f->keys.n - i - 1) * sizeof *f->keys.items);
			f->keys.n--;
		}
}

void
sq_filters_add(struct clq_arena *arena, struct sq_filters *filters,
    const struct clq_filter *filter)
{
	struct sq_filter *f;

	filters->items = clq_arena_grow(arena, filters->items,
	    filters->n * sizeof *f, (filters->n + 1) * sizeof *f);
	f = &filters->items[filters->n++];
	memset(f, 0, sizeof *f);
	f->path = clq_arena_strdup(arena, filter->field);
	f->op = filter->op;
	switch (f->op) {
	case CLQ_OP_EQ:
	case CLQ_OP_NOT:
	case CLQ_OP_LT:
	case CLQ_OP_MAX:
	case CLQ_OP_GT:
	case CLQ_OP_MIN:
		clq_strs_add(arena, &f->keys, sq_key_of(arena, filter->value));
		break;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
		add_keys(arena, f, filter->value);
		break;
	case CLQ_OP_LIKE:
		f->impossible = !cJSON_IsString(filter->value);
		if (!f->impossible)
			sq_pattern_parse(arena, &f->pattern,
			    clq_json_str(filter->value));
		break;
	case CLQ_OP_HAS:
		f->wanted = cJSON_IsTrue(filter->value);
		break;
	case CLQ_OP__COUNT:
		f->impossible = true;
	}
}

/* ---- matching --------------------------------------------------------- */

/* The index of a key in the sorted list, or its length. */
static size_t
key_index(struct clq_strs keys, struct clq_str key)
{
	struct clq_str *found = NULL;

	if (keys.n > 0)
		found = bsearch(&key, keys.items, keys.n, sizeof key,
		    key_order);
	return found != NULL ? (size_t)(found - keys.items) : keys.n;
}

/* The key of a value in scratch; the caller cuts scratch back. */
static struct clq_str
scratch_key(struct sq_bytes *scratch, bool found, struct clq_str value)
{
	size_t from = scratch->len;

	if (found)
		sq_key_add(scratch, value);
	else
		sq_key_add_missing(scratch);
	return (struct clq_str){ (const char *)scratch->p + from,
	    scratch->len - from };
}

static bool
contains(const struct sq_filter *f, struct clq_str array, bool any,
    struct sq_bytes *scratch)
{
	size_t from, seen, left = f->keys.n, i;
	struct clq_str item;

	if (array.len == 0 || array.p[0] != '[')
		return false;
	/* One flag per key, so that an item given twice counts once. */
	seen = scratch->len;
	sq_bytes_room(scratch, f->keys.n + 1);
	memset(scratch->p + seen, 0, f->keys.n);
	scratch->len += f->keys.n;
	from = scratch->len;
	while (left > 0 && sq_json_items(&array, &item)) {
		i = key_index(f->keys, scratch_key(scratch, true, item));
		scratch->len = from;
		if (i == f->keys.n || scratch->p[seen + i])
			continue;
		scratch->p[seen + i] = 1;
		left = any ? 0 : left - 1;
		if (any)
			break;
	}
	scratch->len = seen;
	return left == 0 && !(any && f->keys.n == 0);
}

static bool
like_text(const struct sq_filter *f, struct clq_str text,
    struct sq_bytes *scratch)
{
	return !f->impossible && sq_pattern_match(&f->pattern, text, scratch);
}

static bool
like_value(const struct sq_filter *f, struct clq_str value,
    struct sq_bytes *scratch)
{
	struct sq_bytes text = { 0 };
	bool result;

	if (value.len < 2 || value.p[0] != '"')
		return false;
	value = clq_str_sub(value, 1, value.len - 1);
	if (memchr(value.p, '\\', value.len) == NULL)
		return like_text(f, value, scratch);
	sq_json_unescape(&text, value);
	result = like_text(f, (struct clq_str){ (const char *)text.p,
	    text.len }, scratch);
	free(text.p);
	return result;
}

static bool
filter_match(const struct sq_filter *f, struct clq_str doc,
    struct sq_bytes *scratch)
{
	struct clq_str value = { 0 }, key;
	size_t from = scratch->len;
	bool found = sq_json_find(doc, f->path, &value);
	int order;

	if (f->op == CLQ_OP_HAS)
		return found == f->wanted;
	if (f->op == CLQ_OP_LIKE)
		return found && like_value(f, value, scratch);
	if (f->op == CLQ_OP_CONTAINS || f->op == CLQ_OP_CONTAINS_ANY)
		return found && contains(f, value,
		    f->op == CLQ_OP_CONTAINS_ANY, scratch);
	if (f->impossible)
		return false;
	key = scratch_key(scratch, found, value);
	scratch->len = from;
	if (f->op == CLQ_OP_IN || f->op == CLQ_OP_EXCLUDE)
		return (key_index(f->keys, key) < f->keys.n) ==
		    (f->op == CLQ_OP_IN);
	order = clq_str_cmp(key, f->keys.items[0]);
	switch (f->op) {
	case CLQ_OP_EQ:
		return order == 0;
	case CLQ_OP_NOT:
		return order != 0;
	case CLQ_OP_LT:
		return order < 0;
	case CLQ_OP_MAX:
		return order <= 0;
	case CLQ_OP_GT:
		return order > 0;
	case CLQ_OP_MIN:
		return order >= 0;
	case CLQ_OP_IN:
	case CLQ_OP_EXCLUDE:
	case CLQ_OP_LIKE:
	case CLQ_OP_HAS:
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
	case CLQ_OP__COUNT:
		break;
	}
	return false;
}

/* A tombstone's document is nothing but the field "deleted". */
static struct clq_str
document(const struct sq_row *row)
{
	return row->deleted ? CLQ_STR("{\"deleted\":true}") : row->data;
}

bool
sq_filters_match(const struct sq_filters *f, const struct sq_row *row,
    struct sq_bytes *scratch)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!filter_match(&f->items[i], document(row), scratch))
			return false;
	return true;
}

bool
sq_filters_like(const struct sq_filters *f, struct clq_str text,
    struct sq_bytes *scratch)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (!like_text(&f->items[i], text, scratch))
			return false;
	return true;
}

/* ---- sorting ---------------------------------------------------------- */

struct sq_sorts *
sq_sorts_new(struct clq_arena *arena, const struct clq_query *q)
{
	struct sq_sorts *sorts = clq_arena_alloc(arena, sizeof *sorts);
	struct sq_sort *s;
	size_t i;

	sorts->items = clq_arena_calloc(arena, q->nsorts + 1, sizeof *s);
	for (i = 0; i < q->nsorts; i++) {
		s = &sorts->items[sorts->n++];
		s->column = sq_column_of(q->sorts[i].field);
		s->path = clq_arena_strdup(arena, q->sorts[i].field);
		s->descending = q->sorts[i].descending;
		if (s->column == SQ_ID || (s->column == SQ_MODIFIED &&
		    !sq_any_parent(&q->coll)))	/* unique in a list */
			break;
	}
	return sorts;
}

/* Complement what was added since `from`: the order turns around. */
static void
reverse(struct sq_bytes *b, size_t from)
{
	for (; from < b->len; from++)
		b->p[from] = (unsigned char)~b->p[from];
}

void
sq_sorts_key(const struct sq_sorts *sorts, const struct sq_row *row,
    struct sq_bytes *out)
{
	const struct sq_sort *s;
	struct clq_str value;
	size_t from;

	for (s = sorts->items; s < sorts->items + sorts->n; s++) {
		from = out->len;
		if (s->column == SQ_ID)
			sq_key_add_str(out, row->id);
		else if (s->column == SQ_MODIFIED)
			sq_key_add_int(out, row->last_modified);
		else if (sq_json_find(document(row), s->path, &value))
			sq_key_add(out, value);
		else
			sq_key_add_missing(out);
		if (s->descending)
			reverse(out, from);
	}
}

struct clq_str
sq_sorts_after(struct clq_arena *arena, const struct sq_sorts *sorts,
    const cJSON *const *after)
{
	struct sq_bytes b = { 0 };
	struct clq_str key;
	size_t i, from;

	for (i = 0; i < sorts->n; i++) {
		from = b.len;
		key = sq_key_of(arena, after[i]);
		sq_bytes_add(&b, key.p, key.len);
		if (sorts->items[i].descending)
			reverse(&b, from);
	}
	sq_bytes_room(&b, 1);
	key = bytes_dup(arena, &b);
	free(b.p);
	return key;
}

/* ---- SQL functions ---------------------------------------------------- */

static struct clq_str
text_arg(sqlite3_value *arg)
{
	const unsigned char *p = sqlite3_value_text(arg);

	return (struct clq_str){ p != NULL ? (const char *)p : "",
	    (size_t)sqlite3_value_bytes(arg) };
}

static struct sq_bytes *
scratch_of(sqlite3_context *ctx)
{
	struct sq_bytes *scratch = sqlite3_user_data(ctx);

	scratch->len = 0;
	return scratch;
}

static void
match_fn(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct sq_filters *f = sqlite3_value_pointer(argv[2],
	    SQ_FILTERS);
	struct sq_row row = { .deleted = sqlite3_value_int(argv[1]) != 0 };

	(void)argc;
	if (f == NULL) {
		sqlite3_result_error(ctx, "clq_match: no filters", -1);
		return;
	}
	row.data = text_arg(argv[0]);
	sqlite3_result_int(ctx, sq_filters_match(f, &row, scratch_of(ctx)));
}

static void
like_fn(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct sq_filters *f = sqlite3_value_pointer(argv[1],
	    SQ_FILTERS);

	(void)argc;
	if (f == NULL) {
		sqlite3_result_error(ctx, "clq_like: no filters", -1);
		return;
	}
	sqlite3_result_int(ctx, sq_filters_like(f, text_arg(argv[0]),
	    scratch_of(ctx)));
}

static void
sortkey_fn(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct sq_sorts *sorts = sqlite3_value_pointer(argv[4],
	    SQ_SORTS);
	struct sq_bytes *key = scratch_of(ctx);
	struct sq_row row = { .deleted = sqlite3_value_int(argv[1]) != 0 };

	(void)argc;
	if (sorts == NULL) {
		sqlite3_result_error(ctx, "clq_sortkey: no sorts", -1);
		return;
	}
	row.data = text_arg(argv[0]);
	row.id = text_arg(argv[2]);
	row.last_modified = sqlite3_value_int64(argv[3]);
	sq_bytes_room(key, 1);
	sq_sorts_key(sorts, &row, key);
	sqlite3_result_blob64(ctx, key->p, key->len, SQLITE_TRANSIENT);
}

/* The key of one field, which indexes hold. Names no column and no pointer,
 * so that the schema may call it. */
static void
key_fn(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct sq_bytes *key = scratch_of(ctx);
	struct clq_str value;

	(void)argc;
	if (sq_json_find(text_arg(argv[0]), text_arg(argv[1]), &value))
		sq_key_add(key, value);
	else
		sq_key_add_missing(key);
	sqlite3_result_blob64(ctx, key->p, key->len, SQLITE_TRANSIENT);
}

int
sq_match_register(struct sq_db *q)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC |
	    SQLITE_DIRECTONLY;
	int rc;

	rc = sqlite3_create_function_v2(q->db, "clq_match", 3, flags,
	    &q->scratch, match_fn, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(q->db, "clq_like", 2, flags,
		    &q->scratch, like_fn, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(q->db, "clq_sortkey", 5,
		    flags, &q->scratch, sortkey_fn, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function_v2(q->db, "clq_key", 2,
		    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
		    &q->scratch, key_fn, NULL, NULL, NULL);
	return rc;
}
