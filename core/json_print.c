/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Printing and comparing cJSON trees.
 *
 * Output is compact, UTF-8 as it is, and gives back numbers as they were
 * sent, none of which cJSON's printer does. Numbers are compared by their
 * exact texts when their doubles are equal.
 *
 * Recursion is as deep as the tree: at most CLQ_JSON_MAX_DEPTH if parsed, and
 * code that builds deeper trees must bound them.
 */
#include <cliquet/json.h>

#include <cliquet/str.h>

#include "core/json_internal.h"

#include <assert.h>
#include <stdlib.h>

static void
print_number(struct clq_buf *b, const cJSON *item)
{
	char text[CLQ_JSON_NUM_MAX + 1];

	clq_buf_adds(b, clq_json_number_text(item, text));
}

static void
print_members(struct clq_buf *b, const cJSON *object, bool stored)
{
	const cJSON *item;
	bool first = true;

	clq_buf_addc(b, '{');
	cJSON_ArrayForEach(item, object) {
		if (stored && (strcmp(item->string, "id") == 0 ||
		    strcmp(item->string, "last_modified") == 0))
			continue;
		if (!first)
			clq_buf_addc(b, ',');
		first = false;
		clq_buf_json_str(b, clq_str_of(item->string));
		clq_buf_addc(b, ':');
		clq_json_print(b, item);
	}
	clq_buf_addc(b, '}');
}

static void
print_items(struct clq_buf *b, const cJSON *array)
{
	const cJSON *item;

	clq_buf_addc(b, '[');
	cJSON_ArrayForEach(item, array) {
		if (item != array->child)
			clq_buf_addc(b, ',');
		clq_json_print(b, item);
	}
	clq_buf_addc(b, ']');
}

void
clq_json_print(struct clq_buf *b, const cJSON *tree)
{
	if (cJSON_IsObject(tree))
		print_members(b, tree, false);
	else if (cJSON_IsArray(tree))
		print_items(b, tree);
	else if (cJSON_IsString(tree))
		clq_buf_json_str(b, clq_str_of(tree->valuestring));
	else if (cJSON_IsNumber(tree))
		print_number(b, tree);
	else if (cJSON_IsTrue(tree))
		clq_buf_adds(b, "true");
	else if (cJSON_IsFalse(tree))
		clq_buf_adds(b, "false");
	else if (cJSON_IsRaw(tree))	/* JSON text that was not parsed */
		clq_buf_adds(b, tree->valuestring);
	else
		clq_buf_adds(b, "null");
}

struct clq_str
clq_json_text(struct clq_arena *arena, const cJSON *tree)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 256);
	clq_json_print(&b, tree);
	return clq_buf_str(&b);
}

struct clq_str
clq_json_stored(struct clq_arena *arena, const cJSON *object)
{
	struct clq_buf b;

	assert(cJSON_IsObject(object));
	clq_buf_init(&b, arena, 256);
	print_members(&b, object, true);
	return clq_buf_str(&b);
}

int
clq_json_rank(const cJSON *item)
{
	if (cJSON_IsNull(item))
		return 0;
	if (cJSON_IsString(item))
		return 1;
	if (cJSON_IsNumber(item))
		return 2;
	if (cJSON_IsBool(item))
		return 3;
	if (cJSON_IsArray(item))
		return 4;
	if (cJSON_IsObject(item))
		return 5;
	return 6;		/* missing */
}

static int
sign(int v)
{
	return v < 0 ? -1 : v > 0;
}

/* Plain decimal texts without sign: 12.50 equals 12.5 and 012.5. */
static int
cmp_magnitude(struct clq_str a, struct clq_str b)
{
	size_t a_point, b_point;
	int order;

	while (a.len > 0 && a.p[0] == '0')
		a = clq_str_sub(a, 1, a.len);
	while (b.len > 0 && b.p[0] == '0')
		b = clq_str_sub(b, 1, b.len);
	a_point = clq_str_find(a, '.', 0);
	b_point = clq_str_find(b, '.', 0);
	if (a_point != b_point)
		return a_point < b_point ? -1 : 1;
	order = clq_str_cmp(clq_str_sub(a, 0, a_point),
	    clq_str_sub(b, 0, b_point));
	if (order != 0)
		return order;
	if (a_point < a.len)
		while (a.p[a.len - 1] == '0')
			a.len--;
	if (b_point < b.len)
		while (b.p[b.len - 1] == '0')
			b.len--;
	return clq_str_cmp(clq_str_sub(a, a_point + 1, a.len),
	    clq_str_sub(b, b_point + 1, b.len));
}

static int
cmp_numbers(const cJSON *a, const cJSON *b)
{
	char a_text[CLQ_JSON_NUM_MAX + 1], b_text[CLQ_JSON_NUM_MAX + 1];
	struct clq_str x, y;
	bool negative;

	if (a->valuedouble < b->valuedouble)
		return -1;
	if (a->valuedouble > b->valuedouble)
		return 1;
	if (a->valuestring == NULL && b->valuestring == NULL)
		return 0;
	/*
	 * Rounding to a double keeps the order, so only the tie is open. A
	 * tie at 0 may be between tiny numbers of different signs.
	 */
	x = clq_str_of(clq_json_number_text(a, a_text));
	y = clq_str_of(clq_json_number_text(b, b_text));
	negative = x.p[0] == '-';
	if (negative != (y.p[0] == '-'))
		return negative ? -1 : 1;
	if (!negative)
		return cmp_magnitude(x, y);
	return cmp_magnitude(clq_str_sub(y, 1, y.len),
	    clq_str_sub(x, 1, x.len));
}

static size_t
count(const cJSON *item)
{
	const cJSON *child;
	size_t n = 0;

	cJSON_ArrayForEach(child, item)
		n++;
	return n;
}

static int
cmp_arrays(const cJSON *a, const cJSON *b)
{
	const cJSON *x = a->child, *y = b->child;
	size_t a_n = count(a), b_n = count(b);
	int order = 0;

	if (a_n != b_n)
		return a_n < b_n ? -1 : 1;
	for (; order == 0 && x != NULL; x = x->next, y = y->next)
		order = clq_json_cmp(x, y);
	return order;
}

static int
name_order(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

static void
sort_members(const cJSON *object, const cJSON **members, size_t n)
{
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach(item, object)
		members[i++] = item;
	qsort(members, n, sizeof *members, name_order);
}

static int
cmp_objects(const cJSON *a, const cJSON *b)
{
	const cJSON *small[32], **x = small, **y;
	size_t n = count(a), b_n = count(b), i;
	int order = 0;

	if (n != b_n)
		return n < b_n ? -1 : 1;
	if (n > CLQ_COUNT(small) / 2)
		x = clq_json_mem(calloc(n * 2, sizeof *x));
	y = x + n;
	sort_members(a, x, n);
	sort_members(b, y, n);
	for (i = 0; order == 0 && i < n; i++)
		order = sign(strcmp(x[i]->string, y[i]->string));
	for (i = 0; order == 0 && i < n; i++)
		order = clq_json_cmp(x[i], y[i]);
	if (x != small)
		free(x);
	return order;
}

int
clq_json_cmp(const cJSON *a, const cJSON *b)
{
	int a_rank = clq_json_rank(a), b_rank = clq_json_rank(b);

	if (a_rank != b_rank)
		return a_rank < b_rank ? -1 : 1;
	switch (a_rank) {
	case 1:
		return sign(strcmp(a->valuestring, b->valuestring));
	case 2:
		return cmp_numbers(a, b);
	case 3:
		return cJSON_IsTrue(a) - cJSON_IsTrue(b);
	case 4:
		return cmp_arrays(a, b);
	case 5:
		return cmp_objects(a, b);
	default:
		return 0;
	}
}

bool
clq_json_equal(const cJSON *a, const cJSON *b)
{
	return clq_json_cmp(a, b) == 0;
}
