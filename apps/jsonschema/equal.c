/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equality of two values that pays for what it looks at: a large constant in a
 * schema must not be walked for each small item that differs from it. Members
 * of objects are compared in any order, numbers by value.
 */
#include "impl.h"

static int
name_order(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

/* Children side by side: true if there are as many; *n counts them. */
static bool
same_count(struct js_run *run, const cJSON *a, const cJSON *b, size_t *n)
{
	const cJSON *x = a->child, *y = b->child;

	for (*n = 0; x != NULL && y != NULL; x = x->next, y = y->next)
		++*n;
	return x == y && js_spend(run, *n / 8);
}

static bool
equal_arrays(struct js_run *run, const cJSON *a, const cJSON *b)
{
	const cJSON *x, *y = b->child;
	size_t n;

	if (!same_count(run, a, b, &n))
		return false;
	cJSON_ArrayForEach(x, a) {
		if (!js_equal(run, x, y))
			return false;
		y = y->next;
	}
	return true;
}

static void
sort_members(const cJSON *object, const cJSON **out, size_t n)
{
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach(item, object)
		out[i++] = item;
	qsort(out, n, sizeof *out, name_order);
}

static bool
equal_objects(struct js_run *run, const cJSON *a, const cJSON *b)
{
	const cJSON **x, **y;
	struct js_scratch *s;
	bool ok = true;
	size_t n;

	if (!same_count(run, a, b, &n) || !js_spend(run, n * 4))
		return false;
	s = js_scratch_take(run, 2 * n * sizeof *x);
	x = (const cJSON **)s->data;
	y = x + n;
	sort_members(a, x, n);
	sort_members(b, y, n);
	for (size_t i = 0; ok && i < n; i++)
		ok = strcmp(x[i]->string, y[i]->string) == 0 &&
		    js_equal(run, x[i], y[i]);
	js_scratch_give(run, s);
	return ok;
}

bool
js_equal(struct js_run *run, const cJSON *a, const cJSON *b)
{
	if (!js_spend(run, 1))
		return false;
	if (cJSON_IsArray(a) && cJSON_IsArray(b))
		return equal_arrays(run, a, b);
	if (cJSON_IsObject(a) && cJSON_IsObject(b))
		return equal_objects(run, a, b);
	if (cJSON_IsArray(a) || cJSON_IsObject(a) || cJSON_IsArray(b) ||
	    cJSON_IsObject(b))
		return false;
	return clq_json_equal(a, b);
}
