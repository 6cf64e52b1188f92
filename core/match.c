/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters and sorting on trees in memory (section 04-3).
 *
 * Storage backends that can query evaluate filters where the documents are;
 * this is the same rule, over clq_json_cmp(), for the others (select.c) and for
 * lists that are made on the fly (list.c). A like pattern is searched for part
 * by part, in linear time.
 */
#include <cliquet/match.h>

#include <cliquet/json.h>
#include <cliquet/str.h>

#include "query.h"

static bool
has_item(const cJSON *list, const cJSON *value)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (clq_json_equal(item, value))
			return true;
	return false;
}

static bool
contains(const cJSON *value, const cJSON *wanted, bool any)
{
	const cJSON *item;

	if (!cJSON_IsArray(value))
		return false;
	cJSON_ArrayForEach(item, wanted)
		if (has_item(value, item) == any)
			return any;
	return !any;
}

/* Take everything to the end of the first `part` off text. */
static bool
take_part(struct clq_str *text, struct clq_str part)
{
	size_t at = clq_str_search(*text, part);

	if (at == text->len && part.len > 0)
		return false;
	*text = clq_str_sub(*text, at + part.len, text->len);
	return true;
}

/* Both in lower case. Without a '*' the pattern may be anywhere. */
static bool
like(struct clq_str text, struct clq_str pattern)
{
	size_t star = clq_str_find(pattern, '*', 0);
	struct clq_str part;

	if (star == pattern.len)
		return take_part(&text, pattern);
	part = clq_str_sub(pattern, 0, star);
	if (!clq_str_eq(clq_str_sub(text, 0, star), part))
		return false;
	text = clq_str_sub(text, star, text.len);
	for (;;) {
		pattern = clq_str_sub(pattern, star + 1, pattern.len);
		star = clq_str_find(pattern, '*', 0);
		part = clq_str_sub(pattern, 0, star);
		if (star == pattern.len)	/* what the text ends in */
			return text.len >= part.len && clq_str_eq(part,
			    clq_str_sub(text, text.len - part.len, text.len));
		if (!take_part(&text, part))
			return false;
	}
}

static bool
is_like(struct clq_arena *scratch, const cJSON *value, const cJSON *pattern)
{
	if (!cJSON_IsString(value) || !cJSON_IsString(pattern))
		return false;
	return like(clq_str_lower(scratch, clq_json_str(value)),
	    clq_str_lower(scratch, clq_json_str(pattern)));
}

bool
clq_match(struct clq_arena *scratch, const cJSON *tree,
    const struct clq_filter *f)
{
	const cJSON *value = clq_json_path(tree, f->field);

	switch (f->op) {
	case CLQ_OP_EQ:
		return clq_json_cmp(value, f->value) == 0;
	case CLQ_OP_NOT:
		return clq_json_cmp(value, f->value) != 0;
	case CLQ_OP_LT:
		return clq_json_cmp(value, f->value) < 0;
	case CLQ_OP_MAX:
		return clq_json_cmp(value, f->value) <= 0;
	case CLQ_OP_GT:
		return clq_json_cmp(value, f->value) > 0;
	case CLQ_OP_MIN:
		return clq_json_cmp(value, f->value) >= 0;
	case CLQ_OP_IN:
		return value != NULL && has_item(f->value, value);
	case CLQ_OP_EXCLUDE:
		return value == NULL || !has_item(f->value, value);
	case CLQ_OP_LIKE:
		return is_like(scratch, value, f->value);
	case CLQ_OP_HAS:
		return (value != NULL) == cJSON_IsTrue(f->value);
	case CLQ_OP_CONTAINS:
	case CLQ_OP_CONTAINS_ANY:
		return contains(value, f->value,
		    f->op == CLQ_OP_CONTAINS_ANY);
	case CLQ_OP__COUNT:
		break;
	}
	return false;
}

int
clq_sort_cmp(const struct clq_query *q, const cJSON *const *a,
    const cJSON *const *b)
{
	int order;

	for (size_t i = 0; i < q->nsorts; i++) {
		order = clq_json_cmp(a[i], b[i]);
		if (order != 0)
			return q->sorts[i].descending ? -order : order;
	}
	return 0;
}

bool
clq_query_passes(struct clq_arena *scratch, const struct clq_query *q,
    const cJSON *tree)
{
	for (size_t i = 0; i < q->nfilters; i++)
		if (!clq_match(scratch, tree, &q->filters[i]))
			return false;
	return true;
}

const cJSON **
clq_query_keys(struct clq_arena *arena, const struct clq_query *q,
    const cJSON *tree)
{
	const cJSON **keys = clq_arena_calloc(arena, q->nsorts, sizeof *keys);

	for (size_t i = 0; i < q->nsorts; i++)
		keys[i] = clq_json_path(tree, q->sorts[i].field);
	return q->after != NULL && clq_sort_cmp(q, keys, q->after) <= 0 ?
	    NULL : keys;
}

const cJSON **
clq_query_keys_dup(struct clq_arena *arena, const struct clq_query *q,
    const cJSON *const *keys)
{
	const cJSON **own = clq_arena_calloc(arena, q->nsorts, sizeof *own);

	for (size_t i = 0; i < q->nsorts; i++)
		if (keys[i] != NULL)
			own[i] = clq_json_dup(arena, keys[i]);
	return own;
}
