/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over schema and document.
 *
 * One frame for each subschema that is being applied: recursion is bounded by
 * JS_MAX_DEPTH, work by JS_MAX_STEPS. The first failure ends a subschema. What
 * only asks whether a subschema accepts (anyOf, not, if, ...) does so quietly.
 *
 * Marks tell unevaluatedItems and unevaluatedProperties what other keywords
 * have dealt with. A subschema that is applied to the same value has marks of
 * its own, which become its caller's if it accepts.
 */
#include "impl.h"

static js_check_f *const checks[JS_KEYWORD__COUNT] = {
	[JS_REF]			= js_check_ref,
	[JS_RECURSIVE_REF]		= js_check_ref,
	[JS_DYNAMIC_REF]		= js_check_ref,
	[JS_TYPE]			= js_check_type,
	[JS_ENUM]			= js_check_enum,
	[JS_CONST]			= js_check_const,
	[JS_MULTIPLE_OF]		= js_check_multiple,
	[JS_MAXIMUM]			= js_check_bound,
	[JS_MINIMUM]			= js_check_bound,
	[JS_EXCLUSIVE_MAXIMUM]		= js_check_bound,
	[JS_EXCLUSIVE_MINIMUM]		= js_check_bound,
	[JS_MAX_LENGTH]			= js_check_length,
	[JS_MIN_LENGTH]			= js_check_length,
	[JS_PATTERN]			= js_check_pattern,
	[JS_MAX_ITEMS]			= js_check_n_items,
	[JS_MIN_ITEMS]			= js_check_n_items,
	[JS_UNIQUE_ITEMS]		= js_check_unique,
	[JS_PREFIX_ITEMS]		= js_check_items,
	[JS_ITEMS]			= js_check_items,
	[JS_ADDITIONAL_ITEMS]		= js_check_additional_items,
	[JS_CONTAINS]			= js_check_contains,
	[JS_MAX_PROPERTIES]		= js_check_n_properties,
	[JS_MIN_PROPERTIES]		= js_check_n_properties,
	[JS_REQUIRED]			= js_check_required,
	[JS_PROPERTIES]			= js_check_properties,
	[JS_PATTERN_PROPERTIES]		= js_check_patterns,
	[JS_ADDITIONAL_PROPERTIES]	= js_check_additional,
	[JS_PROPERTY_NAMES]		= js_check_names,
	[JS_DEPENDENCIES]		= js_check_dependencies,
	[JS_DEPENDENT_REQUIRED]		= js_check_dependencies,
	[JS_DEPENDENT_SCHEMAS]		= js_check_dependencies,
	[JS_ALL_OF]			= js_check_all,
	[JS_ANY_OF]			= js_check_any,
	[JS_ONE_OF]			= js_check_one,
	[JS_NOT]			= js_check_not,
	[JS_IF]				= js_check_if,
	[JS_UNEVALUATED_ITEMS]		= js_check_unevaluated_items,
	[JS_UNEVALUATED_PROPERTIES]	= js_check_unevaluated_properties,
	/* then, else, minContains, maxContains: their siblings look at them */
};

bool
js_spend(struct js_run *run, size_t steps)
{
	if (run->stopped)
		return false;
	if (run->steps >= (int64_t)steps) {
		run->steps -= (int64_t)steps;
		return true;
	}
	run->steps = -1;
	return js_stop(run, JS_TOO_COMPLEX,
	    "the schema is too complex for this value");
}

static bool
run_checks(struct js_run *run, const struct js_frame *f)
{
	const struct js_node *node = f->node;

	for (size_t i = 0; i < node->n; i++) {
		js_check_f *check = checks[node->checks[i].rule->keyword];

		if (check == NULL)
			continue;
		if (!js_spend(run, 1) || !check(run, f, &node->checks[i]) ||
		    run->stopped)
			return false;
	}
	return true;
}

bool
js_eval(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, struct js_value *value,
    struct js_marks *marks, struct js_step step)
{
	struct js_frame f = {
		.up = up, .node = node, .value = value, .step = step,
		.depth = up != NULL ? up->depth + 1 : 0,
	};
	struct js_marks own;
	bool ok;

	if (!js_spend(run, 1))
		return false;
	if (cJSON_IsBool(node->schema))
		return cJSON_IsTrue(node->schema) || js_fail_as(run, &f, "",
		    NULL, "False schema does not allow %v", value->item);
	if (f.depth == JS_MAX_DEPTH)
		return js_stop(run, JS_TOO_COMPLEX,
		    "the schema recurses too deeply");
	if ((marks == NULL && !node->tracks) ||
	    !(cJSON_IsObject(value->item) || cJSON_IsArray(value->item)))
		return run_checks(run, &f);
	js_marks_begin(run, &own, js_count(run, value));
	f.marks = &own;
	ok = run_checks(run, &f);
	js_marks_end(run, &own, ok ? marks : NULL);
	return ok;
}

bool
js_eval_item(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, const cJSON *item, struct js_step step)
{
	struct js_value value = { .item = item };
	bool ok = js_eval(run, up, node, &value, NULL, step);

	js_value_done(run, &value);
	return ok;
}

bool
js_eval_quiet(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, struct js_value *value,
    struct js_marks *marks)
{
	bool ok;

	run->quiet++;
	ok = js_eval(run, up, node, value, marks, JS_STEP());
	run->quiet--;
	return ok;
}

enum js_result
js_validate(const struct js_schema *schema, const cJSON *instance,
    struct clq_arena *arena, struct js_error *error)
{
	struct js_run run = {
		.arena = arena, .error = error, .steps = JS_MAX_STEPS,
	};

	if (js_eval_item(&run, NULL, schema->root, instance, JS_STEP()))
		return JS_VALID;
	return run.result;
}
