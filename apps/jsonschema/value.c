/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members and items of the document, and scratch memory.
 *
 * cJSON's objects are lists. One with more than a few members gets a sorted
 * table the first time a member is asked for by name, so that no schema makes
 * a large document cost a square. Tables and marks come from a stack of blocks
 * that are used again: a validation keeps no more than the depth of the
 * document times its widest object.
 */
#include "impl.h"

enum { FEW = 8, SCRATCH_MIN = 256 };

size_t
js_count(struct js_run *run, struct js_value *value)
{
	const cJSON *item;

	if (!value->counted) {
		cJSON_ArrayForEach(item, value->item)
			value->n++;
		value->counted = true;
		(void)js_spend(run, value->n / 8);
	}
	return value->n;
}

static int
member_order(const void *a, const void *b)
{
	const struct js_member *x = a, *y = b;

	return strcmp(x->item->string, y->item->string);
}

static void
make_table(struct js_run *run, struct js_value *value)
{
	const cJSON *item;
	size_t i = 0;

	value->scratch = js_scratch_take(run,
	    value->n * sizeof *value->members);
	value->members = (struct js_member *)value->scratch->data;
	cJSON_ArrayForEach(item, value->item) {
		value->members[i].item = item;
		value->members[i].pos = i;
		i++;
	}
	qsort(value->members, value->n, sizeof *value->members, member_order);
	(void)js_spend(run, value->n * 4);
}

const cJSON *
js_member(struct js_run *run, struct js_value *value, const char *name,
    size_t *pos)
{
	size_t n = js_count(run, value), low = 0, middle, i = 0;
	const cJSON *item;
	int order;

	if (n <= FEW) {
		cJSON_ArrayForEach(item, value->item) {
			if (strcmp(item->string, name) == 0) {
				*pos = i;
				return item;
			}
			i++;
		}
		return NULL;
	}
	if (value->members == NULL)
		make_table(run, value);
	while (low < n) {
		middle = low + (n - low) / 2;
		order = strcmp(name, value->members[middle].item->string);
		if (order == 0) {
			*pos = value->members[middle].pos;
			return value->members[middle].item;
		}
		if (order < 0)
			n = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void
js_value_done(struct js_run *run, struct js_value *value)
{
	if (value->scratch != NULL)
		js_scratch_give(run, value->scratch);
}

size_t
js_weight(const cJSON *tree, size_t limit)
{
	const cJSON *item;
	size_t n = 1;

	cJSON_ArrayForEach(item, tree) {
		if (n >= limit)
			break;
		n += js_weight(item, limit - n);
	}
	return n;
}

struct js_scratch *
js_scratch_take(struct js_run *run, size_t len)
{
	struct js_scratch **from, *s;

	for (from = &run->free; *from != NULL; from = &(*from)->next)
		if ((*from)->cap >= len) {
			s = *from;
			*from = s->next;
			return s;
		}
	if (len < SCRATCH_MIN)
		len = SCRATCH_MIN;
	s = clq_arena_alloc(run->arena, sizeof *s + len);
	s->cap = len;
	return s;
}

void
js_scratch_give(struct js_run *run, struct js_scratch *scratch)
{
	scratch->next = run->free;
	run->free = scratch;
}

void
js_marks_begin(struct js_run *run, struct js_marks *marks, size_t n)
{
	marks->n = n;
	marks->scratch = js_scratch_take(run, n);
	marks->seen = marks->scratch->data;
	memset(marks->seen, 0, n);
	(void)js_spend(run, n / 16);
}

void
js_marks_end(struct js_run *run, struct js_marks *marks,
    struct js_marks *into)
{
	for (size_t i = 0; into != NULL && i < marks->n; i++)
		into->seen[i] |= marks->seen[i];
	js_scratch_give(run, marks->scratch);
}
