/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords about arrays. */
#include "impl.h"

enum { WEIGHT_MAX = 1 << 24 };

static void
mark(const struct js_frame *f, size_t i)
{
	if (f->marks != NULL)
		f->marks->seen[i] = 1;
}

bool
js_check_n_items(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool max = check->rule->keyword == JS_MAX_ITEMS;
	int64_t n;

	if (!cJSON_IsArray(f->value->item))
		return true;
	n = (int64_t)js_count(run, f->value);
	if (max ? n <= check->limit : n >= check->limit)
		return true;
	return js_fail(run, f, check, max ? check->limit == 0 ?
	    "%v is expected to be empty" : "%v is too long" :
	    check->limit == 1 ? "%v should be non-empty" : "%v is too short",
	    f->value->item);
}

static int
item_order(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return clq_json_cmp(*x, *y);
}

/* Equal items are neighbours once they are sorted. */
static bool
unique(struct js_run *run, struct js_value *value)
{
	size_t n = js_count(run, value), i = 0, cost = 1;
	struct js_scratch *scratch;
	const cJSON *item, **items;
	bool ok = true;

	if (n < 2)
		return true;
	for (size_t rest = n; rest > 1; rest /= 2)
		cost++;
	if (!js_spend(run, cost * js_weight(value->item, WEIGHT_MAX)))
		return false;
	scratch = js_scratch_take(run, n * sizeof *items);
	items = (const cJSON **)scratch->data;
	cJSON_ArrayForEach(item, value->item)
		items[i++] = item;
	qsort(items, n, sizeof *items, item_order);
	for (i = 0; ok && i + 1 < n; i++)
		ok = !clq_json_equal(items[i], items[i + 1]);
	js_scratch_give(run, scratch);
	return ok;
}

bool
js_check_unique(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	if (!cJSON_IsTrue(check->value) || !cJSON_IsArray(f->value->item) ||
	    unique(run, f->value))
		return true;
	return js_fail(run, f, check, "%v has non-unique elements",
	    f->value->item);
}

/* Each item by the schema of its place. */
static bool
positional(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *item = f->value->item->child;

	for (size_t i = 0; i < check->n && item != NULL; i++) {
		if (!js_eval_item(run, f, check->entries[i].node, item,
		    JS_STEP(.keyword = check->rule->name, .nth = i + 1,
		    .item = i + 1)))
			return false;
		mark(f, i);
		item = item->next;
	}
	return true;
}

/* All items from a place on by one schema. */
static bool
from(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, size_t start)
{
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach(item, f->value->item) {
		if (i >= start) {
			if (!js_eval_item(run, f, check->node, item,
			    JS_STEP(.keyword = check->rule->name,
			    .item = i + 1)))
				return false;
			mark(f, i);
		}
		i++;
	}
	return true;
}

/* "1, 'x' were": the values from a place on that are not marked. */
static const char *
extras(struct js_run *run, const struct js_frame *f, size_t start,
    const struct js_marks *marks)
{
	const cJSON *item;
	struct clq_buf b;
	size_t i = 0, n = 0;

	clq_buf_init(&b, run->arena, 64);
	cJSON_ArrayForEach(item, f->value->item) {
		if (i >= start && (marks == NULL || !marks->seen[i])) {
			if (b.len > JS_REPR_MAX)
				break;
			if (n++ > 0)
				clq_buf_adds(&b, ", ");
			js_repr_value(&b, item);
		}
		i++;
	}
	clq_buf_adds(&b, item != NULL ? ", ... were" : n == 1 ? " was" :
	    " were");
	return clq_arena_cstr(run->arena, clq_buf_str(&b));
}

/* `items: false` behind n items of prefixItems. */
static bool
too_many(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, size_t prefix)
{
	size_t n = js_count(run, f->value), i = 0;
	const cJSON *item;
	struct clq_buf b;

	if (n <= prefix)
		return true;
	if (run->quiet > 0)
		return false;
	clq_buf_init(&b, run->arena, 64);
	cJSON_ArrayForEach(item, f->value->item) {
		if (i++ < prefix)
			continue;
		if (b.len > JS_REPR_MAX) {
			clq_buf_adds(&b, ", ...");
			break;
		}
		clq_buf_adds(&b, b.len > 0 ? ", " : n - prefix == 1 ? "" :
		    "[");
		js_repr_value(&b, item);
	}
	clq_buf_adds(&b, n - prefix == 1 ? "" : "]");
	return js_fail(run, f, check,
	    "Expected at most %z %s but found %z extra: %s", prefix,
	    prefix == 1 ? "item" : "items", n - prefix,
	    clq_arena_cstr(run->arena, clq_buf_str(&b)));
}

bool
js_check_items(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	size_t prefix = f->node->prefix != NULL ? f->node->prefix->n : 0;

	if (!cJSON_IsArray(f->value->item))
		return true;
	if (check->node == NULL)
		return positional(run, f, check);
	if (cJSON_IsFalse(check->value) &&
	    f->node->draft == JS_DRAFT_2020_12)
		return too_many(run, f, check, prefix);
	return from(run, f, check, prefix);
}

bool
js_check_additional_items(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	size_t start;

	if (!cJSON_IsArray(f->value->item) || f->node->positional == NULL)
		return true;
	start = f->node->positional->n;
	if (!cJSON_IsFalse(check->value))
		return from(run, f, check, start);
	if (js_count(run, f->value) <= start)
		return true;
	return run->quiet > 0 ? false : js_fail(run, f, check,
	    "Additional items are not allowed (%s unexpected)",
	    extras(run, f, start, NULL));
}

/* How many items the schema accepts; may stop beyond max, unless marks are
 * kept. */
static int64_t
matches(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, int64_t max)
{
	struct js_value value;
	int64_t n = 0;
	size_t i = 0;
	const cJSON *item;
	bool ok;

	cJSON_ArrayForEach(item, f->value->item) {
		value = (struct js_value){ .item = item };
		ok = js_eval_quiet(run, f, check->node, &value, NULL);
		js_value_done(run, &value);
		if (run->stopped)
			break;
		if (ok && f->node->draft == JS_DRAFT_2020_12)
			mark(f, i);
		if (ok && ++n > max && f->marks == NULL)
			break;
		i++;
	}
	return n;
}

bool
js_check_contains(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const struct js_check *min = f->node->min_contains;
	const struct js_check *max = f->node->max_contains;
	int64_t least = min != NULL ? min->limit : 1, n;

	if (!cJSON_IsArray(f->value->item))
		return true;
	n = matches(run, f, check, max != NULL ? max->limit : least);
	if (run->stopped)
		return false;
	if (max != NULL && n > max->limit)
		return js_fail_as(run, f, max->rule->name, NULL,
		    "Too many items match the given schema (expected at most "
		    "%v)", max->value);
	if (n >= least)
		return true;
	if (n > 0)
		return js_fail_as(run, f, min->rule->name, NULL,
		    "Too few items match the given schema (expected at least "
		    "%v but only %z matched)", min->value, (size_t)n);
	return js_fail(run, f, check, f->node->draft <= JS_DRAFT_7 ?
	    "None of %v are valid under the given schema" :
	    "%v does not contain items matching the given schema",
	    f->value->item);
}

bool
js_check_unevaluated_items(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool bad = false;
	const cJSON *item;
	size_t i = 0;

	if (!cJSON_IsArray(f->value->item) || f->marks == NULL)
		return true;
	run->quiet++;
	cJSON_ArrayForEach(item, f->value->item) {
		if (!f->marks->seen[i] && js_eval_item(run, f, check->node,
		    item, JS_STEP()))
			mark(f, i);
		if (run->stopped)
			break;
		bad = bad || !f->marks->seen[i];
		i++;
	}
	run->quiet--;
	if (!bad || run->stopped || run->quiet > 0)
		return !bad && !run->stopped;
	return js_fail(run, f, check,
	    "Unevaluated items are not allowed (%s unexpected)",
	    extras(run, f, 0, f->marks));
}
