/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords about objects. */
#include "impl.h"

static void
mark(const struct js_frame *f, size_t i)
{
	if (f->marks != NULL)
		f->marks->seen[i] = 1;
}

bool
js_check_n_properties(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool max = check->rule->keyword == JS_MAX_PROPERTIES;
	int64_t n;

	if (!cJSON_IsObject(f->value->item))
		return true;
	n = (int64_t)js_count(run, f->value);
	if (max ? n <= check->limit : n >= check->limit)
		return true;
	return js_fail(run, f, check, max ? check->limit == 0 ?
	    "%v is expected to be empty" : "%v has too many properties" :
	    check->limit == 1 ? "%v should be non-empty" :
	    "%v does not have enough properties", f->value->item);
}

bool
js_check_required(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *name;
	size_t pos;

	if (!cJSON_IsObject(f->value->item))
		return true;
	cJSON_ArrayForEach(name, check->value) {
		if (!js_spend(run, 1))
			return false;
		if (js_member(run, f->value, name->valuestring, &pos) == NULL)
			return js_fail_as(run, f, check->rule->name,
			    name->valuestring, "%v is a required property",
			    name);
	}
	return true;
}

bool
js_check_properties(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *member;
	size_t pos;

	if (!cJSON_IsObject(f->value->item))
		return true;
	for (size_t i = 0; i < check->n; i++) {
		const struct js_entry *e = &check->entries[i];

		if (!js_spend(run, 1))
			return false;
		member = js_member(run, f->value, e->name, &pos);
		if (member == NULL)
			continue;
		if (!js_eval_item(run, f, e->node, member,
		    JS_STEP(.keyword = check->rule->name, .name = e->name,
		    .key = e->name)))
			return false;
		mark(f, pos);
	}
	return true;
}

bool
js_check_patterns(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *member;
	size_t pos;

	if (!cJSON_IsObject(f->value->item))
		return true;
	for (size_t i = 0; i < check->n; i++) {
		const struct js_entry *e = &check->entries[i];

		pos = 0;
		cJSON_ArrayForEach(member, f->value->item) {
			if (js_pattern_matches(run, e->pattern,
			    member->string)) {
				if (!js_eval_item(run, f, e->node, member,
				    JS_STEP(.keyword = check->rule->name,
				    .name = e->name, .key = member->string)))
					return false;
				mark(f, pos);
			}
			if (run->stopped)
				return false;
			pos++;
		}
	}
	return true;
}

/* True if properties or patternProperties deal with the member. */
static bool
is_known(struct js_run *run, const struct js_frame *f, const char *name)
{
	const struct js_check *patterns = f->node->patterns;

	if (js_entry_find(f->node->properties, name) != NULL)
		return true;
	for (size_t i = 0; patterns != NULL && i < patterns->n; i++)
		if (js_pattern_matches(run, patterns->entries[i].pattern,
		    name))
			return true;
	return false;
}

static int
text_order(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "'a', 'b'" in order. */
static const char *
sorted(struct js_run *run, const char **names, size_t n)
{
	struct clq_buf b;

	qsort(names, n, sizeof *names, text_order);
	clq_buf_init(&b, run->arena, 64);
	for (size_t i = 0; i < n; i++) {
		if (b.len > JS_REPR_MAX) {
			clq_buf_adds(&b, ", ...");
			break;
		}
		if (i > 0)
			clq_buf_adds(&b, ", ");
		js_repr_text(&b, names[i]);
	}
	return clq_arena_cstr(run->arena, clq_buf_str(&b));
}

/* The error of `additionalProperties: false`. */
static bool
refuse_additional(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const struct js_check *patterns = f->node->patterns;
	size_t n = 0, total = js_count(run, f->value);
	const char **names, **sources;
	const cJSON *member;

	if (run->quiet > 0)
		return false;
	names = clq_arena_calloc(run->arena, total, sizeof *names);
	cJSON_ArrayForEach(member, f->value->item)
		if (!is_known(run, f, member->string))
			names[n++] = member->string;
	if (patterns == NULL)
		return js_fail(run, f, check, "Additional properties are not "
		    "allowed (%s %s unexpected)", sorted(run, names, n),
		    n == 1 ? "was" : "were");
	sources = clq_arena_calloc(run->arena, patterns->n, sizeof *sources);
	for (size_t i = 0; i < patterns->n; i++)
		sources[i] = patterns->entries[i].name;
	return js_fail(run, f, check, "%s %s not match any of the regexes: %s",
	    sorted(run, names, n), n == 1 ? "does" : "do",
	    sorted(run, sources, patterns->n));
}

bool
js_check_additional(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *member;
	size_t pos = 0;

	if (!cJSON_IsObject(f->value->item))
		return true;
	cJSON_ArrayForEach(member, f->value->item) {
		if (!js_spend(run, 2))
			return false;
		if (!is_known(run, f, member->string)) {
			if (run->stopped)
				return false;
			if (cJSON_IsFalse(check->value))
				return refuse_additional(run, f, check);
			if (!js_eval_item(run, f, check->node, member,
			    JS_STEP(.keyword = check->rule->name,
			    .key = member->string)))
				return false;
			mark(f, pos);
		}
		pos++;
	}
	return true;
}

bool
js_check_names(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *member;

	if (!cJSON_IsObject(f->value->item))
		return true;
	cJSON_ArrayForEach(member, f->value->item) {
		cJSON name = {
			.type = cJSON_String, .valuestring = member->string
		};

		if (!js_eval_item(run, f, check->node, &name,
		    JS_STEP(.keyword = check->rule->name)))
			return false;
	}
	return true;
}

/* All names that the entry lists must be there. */
static bool
depends(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, const struct js_entry *e)
{
	const cJSON *name;
	size_t pos;

	cJSON_ArrayForEach(name, e->value) {
		if (!js_spend(run, 1))
			return false;
		if (js_member(run, f->value, name->valuestring, &pos) == NULL)
			return js_fail(run, f, check,
			    "%v is a dependency of %q", name, e->name);
	}
	return true;
}

bool
js_check_dependencies(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	size_t pos;
	bool ok;

	if (!cJSON_IsObject(f->value->item))
		return true;
	for (size_t i = 0; i < check->n; i++) {
		const struct js_entry *e = &check->entries[i];

		if (!js_spend(run, 1))
			return false;
		if (js_member(run, f->value, e->name, &pos) == NULL)
			continue;
		ok = e->node == NULL ? depends(run, f, check, e) :
		    js_eval(run, f, e->node, f->value, f->marks,
		    JS_STEP(.keyword = check->rule->name, .name = e->name));
		if (!ok)
			return false;
	}
	return true;
}

/* Names of the members that are not marked. */
static const char *
unmarked(struct js_run *run, const struct js_frame *f, size_t *n)
{
	const char **names = clq_arena_calloc(run->arena, f->marks->n,
	    sizeof *names);
	const cJSON *member;
	size_t pos = 0;

	*n = 0;
	cJSON_ArrayForEach(member, f->value->item)
		if (!f->marks->seen[pos++])
			names[(*n)++] = member->string;
	return sorted(run, names, *n);
}

bool
js_check_unevaluated_properties(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const cJSON *member;
	size_t pos = 0, n;
	const char *names;
	bool bad = false;

	if (!cJSON_IsObject(f->value->item) || f->marks == NULL)
		return true;
	run->quiet++;
	cJSON_ArrayForEach(member, f->value->item) {
		if (!f->marks->seen[pos] && js_eval_item(run, f, check->node,
		    member, JS_STEP()))
			mark(f, pos);
		if (run->stopped)
			break;
		bad = bad || !f->marks->seen[pos];
		pos++;
	}
	run->quiet--;
	if (!bad || run->stopped || run->quiet > 0)
		return !bad && !run->stopped;
	names = unmarked(run, f, &n);
	return js_fail(run, f, check, cJSON_IsFalse(check->value) ?
	    "Unevaluated properties are not allowed (%s %s unexpected)" :
	    "Unevaluated properties are not valid under the given schema "
	    "(%s %s unevaluated and invalid)", names, n == 1 ? "was" :
	    "were");
}
