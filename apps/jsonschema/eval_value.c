/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords about a value as a whole: type, enum, const, numbers, strings. */
#include "impl.h"

static const struct {
	const char	*name;
	unsigned	 bit;
} types[] = {
	{ "null", 1 }, { "boolean", 2 }, { "integer", 4 }, { "number", 8 },
	{ "string", 16 }, { "array", 32 }, { "object", 64 }
};

unsigned
js_type_named(const char *name)
{
	for (size_t i = 0; i < CLQ_COUNT(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].bit;
	return 0;
}

unsigned
js_types_of(const cJSON *item, enum js_draft draft)
{
	if (cJSON_IsNumber(item))
		return js_type_named("number") | (js_is_integer(item, draft) ?
		    js_type_named("integer") : 0);
	return js_type_named(cJSON_IsNull(item) ? "null" :
	    cJSON_IsBool(item) ? "boolean" : cJSON_IsString(item) ? "string" :
	    cJSON_IsArray(item) ? "array" : "object");
}

/* "'string'", or "'string', 'null'" */
static const char *
shown_types(struct clq_arena *arena, const cJSON *value)
{
	const cJSON *item;
	struct clq_buf b;

	clq_buf_init(&b, arena, 64);
	if (cJSON_IsString(value))
		js_repr_value(&b, value);
	cJSON_ArrayForEach(item, value) {
		if (item != value->child)
			clq_buf_adds(&b, ", ");
		js_repr_value(&b, item);
	}
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

bool
js_check_type(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *item = f->value->item;

	if ((js_types_of(item, f->node->draft) & check->types) != 0)
		return true;
	return run->quiet > 0 ? false : js_fail(run, f, check,
	    "%v is not of type %s", item,
	    shown_types(run->arena, check->value));
}

bool
js_check_enum(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, check->value)
		if (js_equal(run, item, f->value->item))
			return true;
		else if (run->stopped)
			return false;
	return js_fail(run, f, check, "%v is not one of %v", f->value->item,
	    check->value);
}

bool
js_check_const(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	return js_equal(run, check->value, f->value->item) ||
	    js_fail(run, f, check, "%v was expected", check->value);
}

bool
js_check_bound(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	enum js_keyword keyword = check->rule->keyword;
	bool upper = keyword == JS_MAXIMUM || keyword == JS_EXCLUSIVE_MAXIMUM;
	bool exclusive = check->exclusive ||
	    keyword == JS_EXCLUSIVE_MAXIMUM || keyword == JS_EXCLUSIVE_MINIMUM;
	int order;

	if (check->rule->shape == JS_SHAPE_BOUND ||
	    !cJSON_IsNumber(f->value->item))
		return true;
	order = clq_json_cmp(f->value->item, check->value);
	if (upper)
		order = -order;
	if (order > 0 || (order == 0 && !exclusive))
		return true;
	return js_fail(run, f, check, "%v is %s than %sthe %s of %v",
	    f->value->item, upper ? "greater" : "less",
	    exclusive ? "or equal to " : "", upper ? "maximum" : "minimum",
	    check->value);
}

bool
js_check_multiple(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	size_t cost;
	bool ok;

	if (!cJSON_IsNumber(f->value->item))
		return true;
	ok = js_is_multiple(f->value->item, check->value, &cost);
	if (!js_spend(run, cost))
		return false;
	return ok || js_fail(run, f, check, "%v is not a multiple of %v",
	    f->value->item, check->value);
}

/* Code points of valid UTF-8. */
static int64_t
length(const char *s)
{
	int64_t n = 0;

	for (; *s != '\0'; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

bool
js_check_length(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool max = check->rule->keyword == JS_MAX_LENGTH;
	int64_t n;

	if (!cJSON_IsString(f->value->item))
		return true;
	n = length(f->value->item->valuestring);
	if (!js_spend(run, (size_t)n / 64))
		return false;
	if (max ? n <= check->limit : n >= check->limit)
		return true;
	return js_fail(run, f, check, max ? check->limit == 0 ?
	    "%v is expected to be empty" : "%v is too long" :
	    check->limit == 1 ? "%v should be non-empty" : "%v is too short",
	    f->value->item);
}

bool
js_check_pattern(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	if (!cJSON_IsString(f->value->item) || js_pattern_matches(run,
	    check->pattern, f->value->item->valuestring))
		return true;
	return js_fail(run, f, check, "%v does not match %v", f->value->item,
	    check->value);
}
