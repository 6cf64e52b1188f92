/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict parsing into cJSON trees, and access to them.
 *
 * clq_json_scan() decides whether the text is JSON; cJSON then builds the
 * tree and can only fail for want of memory; a walk gives the numbers their
 * exact texts and drops all but the last of members of the same name. cJSON
 * frees and copies `valuestring` whatever the type of the item, so the texts
 * live and die with their items.
 *
 * Trees belong to malloc, not to the arena, which only remembers to delete
 * them: parts may be moved between trees.
 */
#include <cliquet/json.h>

#include <cliquet/str.h>

#include "core/json_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct walk {
	struct clq_arena		*arena;
	const struct clq_json_number	*number;	/* the next noted */
	const struct clq_json_number	*end;
	size_t				 seen;
};

struct member {
	cJSON	*item;
	size_t	 pos;
};

void *
clq_json_mem(void *p)
{
	if (p == NULL) {
		fputs("cliquet: out of memory\n", stderr);
		abort();
	}
	return p;
}

static char *
copy_text(const char *text, size_t len)
{
	char *copy = clq_json_mem(cJSON_malloc(len + 1));

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static void
delete_tree(void *tree)
{
	cJSON_Delete(tree);
}

static void
delete_member(cJSON *object, cJSON *item)
{
	cJSON_Delete(cJSON_DetachItemViaPointer(object, item));
}

static int
member_order(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = strcmp(x->item->string, y->item->string);

	if (order != 0)
		return order;
	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* Sorting keeps a hostile object of many names from costing a square. */
static void
drop_duplicates(struct walk *w, cJSON *object)
{
	struct member small[16], *members = small;
	size_t n = 0, i = 0;
	cJSON *item;

	cJSON_ArrayForEach(item, object)
		n++;
	if (n < 2)
		return;
	if (n > CLQ_COUNT(small))
		members = clq_arena_calloc(w->arena, n, sizeof *members);
	cJSON_ArrayForEach(item, object) {
		members[i].item = item;
		members[i].pos = i;
		i++;
	}
	qsort(members, n, sizeof *members, member_order);
	for (i = 0; i + 1 < n; i++)
		if (strcmp(members[i].item->string,
		    members[i + 1].item->string) == 0)
			delete_member(object, members[i].item);
}

static void
set_exact(cJSON *item, const struct clq_json_number *number)
{
	item->valuedouble = number->value;
	if (number->value >= INT_MAX)
		item->valueint = INT_MAX;
	else if (number->value <= INT_MIN)
		item->valueint = INT_MIN;
	else
		item->valueint = (int)number->value;
	if (number->text != NULL)
		item->valuestring = copy_text(number->text,
		    strlen(number->text));
}

/* In document order, so that numbers are met as the scan met them. */
static void
finish(struct walk *w, cJSON *item)
{
	cJSON *child;

	if (cJSON_IsNumber(item)) {
		if (w->number < w->end && w->number->ordinal == w->seen)
			set_exact(item, w->number++);
		w->seen++;
		return;
	}
	cJSON_ArrayForEach(child, item)
		finish(w, child);
	if (cJSON_IsObject(item))
		drop_duplicates(w, item);
}

/*
 * The text with "0" and blanks in place of the numbers that cJSON would cut
 * in two. Their values are known already.
 */
static struct clq_str
without_long_numbers(const struct clq_json_scan *scan)
{
	char *p = clq_arena_cstr(scan->arena, scan->text);
	const struct clq_json_number *number;
	size_t i;

	for (i = 0; i < scan->n_numbers; i++) {
		number = &scan->numbers[i];
		memset(p + (number->source.p - scan->text.p), ' ',
		    number->source.len);
		p[number->source.p - scan->text.p] = '0';
	}
	return (struct clq_str){ p, scan->text.len };
}

enum clq_status
clq_json_parse(struct clq_arena *arena, struct clq_str text, cJSON **out,
    struct clq_str *why)
{
	struct clq_json_scan scan = { .arena = arena, .text = text };
	struct walk w = { .arena = arena };
	cJSON *tree;

	if (!clq_json_scan(&scan)) {
		*why = clq_arena_printf(arena, "%s at byte %zu", scan.why,
		    scan.pos);
		return CLQ_INVALID;
	}
	if (scan.long_source)
		text = without_long_numbers(&scan);
	tree = clq_json_mem(cJSON_ParseWithLengthOpts(text.p, text.len, NULL,
	    false));
	if (scan.n_numbers > 0) {
		w.number = scan.numbers;
		w.end = scan.numbers + scan.n_numbers;
	}
	finish(&w, tree);
	*out = clq_json_own(arena, tree);
	return CLQ_OK;
}

cJSON *
clq_json_own(struct clq_arena *arena, cJSON *tree)
{
	if (tree != NULL)
		clq_arena_defer(arena, delete_tree, tree);
	return tree;
}

cJSON *
clq_json_dup(struct clq_arena *arena, const cJSON *tree)
{
	if (tree == NULL)
		return NULL;
	return clq_json_own(arena, clq_json_mem(cJSON_Duplicate(tree, true)));
}

cJSON *
clq_json_get(const cJSON *object, const char *name)
{
	cJSON *item;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach(item, object)
		if (strcmp(item->string, name) == 0)
			return item;
	return NULL;
}

cJSON *
clq_json_path(const cJSON *object, struct clq_str path)
{
	cJSON *item, *best;
	size_t len, best_len;

	for (;;) {
		if (!cJSON_IsObject(object))
			return NULL;
		best = NULL;
		best_len = 0;
		cJSON_ArrayForEach(item, object) {
			len = strlen(item->string);
			if ((best == NULL || len > best_len) &&
			    clq_str_starts(path, item->string) &&
			    (len == path.len || path.p[len] == '.')) {
				best = item;
				best_len = len;
			}
		}
		if (best == NULL || best_len == path.len)
			return best;
		path = clq_str_sub(path, best_len + 1, path.len);
		object = best;
	}
}

struct clq_str
clq_json_str(const cJSON *item)
{
	return clq_str_of(cJSON_IsString(item) ? item->valuestring : NULL);
}

bool
clq_json_int(const cJSON *item, int64_t *out)
{
	char scratch[CLQ_JSON_NUM_MAX + 1];
	struct clq_str text;
	size_t point, i;

	if (!cJSON_IsNumber(item))
		return false;
	text = clq_str_of(clq_json_number_text(item, scratch));
	point = clq_str_find(text, '.', 0);
	for (i = point + 1; i < text.len; i++)
		if (text.p[i] != '0')
			return false;
	return clq_str_int(clq_str_sub(text, 0, point), out);
}

void
clq_json_set(cJSON *object, const char *name, cJSON *value)
{
	cJSON *old = clq_json_get(object, name);
	bool ok;

	assert(cJSON_IsObject(object) && value != NULL && value != old);
	if (old != NULL)
		ok = cJSON_ReplaceItemInObjectCaseSensitive(object, name,
		    value);
	else
		ok = cJSON_AddItemToObject(object, name, value);
	clq_json_mem(ok ? object : NULL);
}

void
clq_json_remove(cJSON *object, const char *name)
{
	cJSON *item = clq_json_get(object, name);

	if (item != NULL)
		delete_member(object, item);
}

cJSON *
clq_json_new_int(int64_t v)
{
	cJSON *item = clq_json_mem(cJSON_CreateNumber((double)v));
	char text[32], back[CLQ_JSON_NUM_MAX + 1];
	size_t len;

	len = (size_t)snprintf(text, sizeof text, "%" PRId64, v);
	clq_json_double_text(item->valuedouble, back);
	if (strcmp(text, back) != 0)
		item->valuestring = copy_text(text, len);
	return item;
}

cJSON *
clq_json_new_str(struct clq_str s)
{
	cJSON *item = clq_json_mem(cJSON_CreateNull());

	/* takes a length, which cJSON_CreateString() does not */
	item->type = cJSON_String;
	item->valuestring = copy_text(s.len > 0 ? s.p : "", s.len);
	return item;
}
