/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords that apply other subschemas to the same value; references. */
#include "impl.h"

bool
js_check_all(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	for (size_t i = 0; i < check->n; i++)
		if (!js_eval(run, f, check->entries[i].node, f->value,
		    f->marks, JS_STEP(.keyword = check->rule->name,
		    .nth = i + 1)))
			return false;
	return true;
}

/* All must be asked where marks are kept: each may have its own. */
bool
js_check_any(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool any = false;

	for (size_t i = 0; i < check->n && !(any && f->marks == NULL); i++) {
		any |= js_eval_quiet(run, f, check->entries[i].node, f->value,
		    f->marks);
		if (run->stopped)
			return false;
	}
	return any || js_fail(run, f, check,
	    "%v is not valid under any of the given schemas", f->value->item);
}

/* "{...}, {...}": the later ones that accept, then the first. */
static const char *
shown(struct js_run *run, const struct js_check *check, const bool *accepts)
{
	const struct js_entry *first = NULL;
	struct clq_buf b;

	clq_buf_init(&b, run->arena, 64);
	for (size_t i = 0; i < check->n; i++) {
		if (!accepts[i])
			continue;
		if (first == NULL) {
			first = &check->entries[i];
			continue;
		}
		if (b.len > JS_REPR_MAX)
			break;
		js_repr_value(&b, check->entries[i].value);
		clq_buf_adds(&b, ", ");
	}
	if (first != NULL)
		js_repr_value(&b, first->value);
	return clq_arena_cstr(run->arena, clq_buf_str(&b));
}

bool
js_check_one(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	struct js_scratch *s = js_scratch_take(run, check->n * sizeof(bool));
	bool *accepts = (bool *)s->data, ok = true;
	size_t n = 0;

	for (size_t i = 0; i < check->n && !run->stopped; i++) {
		accepts[i] = js_eval_quiet(run, f, check->entries[i].node,
		    f->value, f->marks);
		n += accepts[i];
	}
	if (run->stopped)
		ok = false;
	else if (n == 0)
		ok = js_fail(run, f, check,
		    "%v is not valid under any of the given schemas",
		    f->value->item);
	else if (n > 1)
		ok = run->quiet > 0 ? false : js_fail(run, f, check,
		    "%v is valid under each of %s", f->value->item,
		    shown(run, check, accepts));
	js_scratch_give(run, s);
	return ok;
}

bool
js_check_not(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool accepts = js_eval_quiet(run, f, check->node, f->value, NULL);

	if (run->stopped)
		return false;
	return !accepts || js_fail(run, f, check,
	    "%v should not be valid under %v", f->value->item, check->value);
}

bool
js_check_if(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	bool accepts = js_eval_quiet(run, f, check->node, f->value, f->marks);
	const struct js_check *next = accepts ? f->node->then : f->node->else_;

	if (run->stopped || next == NULL)
		return !run->stopped;
	return js_eval(run, f, next->node, f->value, f->marks,
	    JS_STEP(.keyword = next->rule->name));
}

/* The node to which a dynamic anchor of the resource belongs, or NULL. */
static const struct js_node *
dynamic_node(struct js_run *run, const struct js_resource *r,
    const char *anchor)
{
	const struct js_anchor *a;

	for (a = r->anchors; a != NULL; a = a->next)
		if (js_spend(run, 1) && a->dynamic &&
		    strcmp(a->name, anchor) == 0)
			return a->node;
	return NULL;
}

/*
 * The target in the outermost resource of the dynamic scope that offers one:
 * resources are entered frame by frame.
 */
static const struct js_node *
outermost(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const struct js_ref *ref = check->ref;
	const struct js_node *node = ref->node, *other;
	const struct js_resource *r, *last = NULL;

	if (check->rule->keyword == JS_DYNAMIC_REF ? ref->anchor == NULL :
	    check->rule->keyword != JS_RECURSIVE_REF ||
	    node != node->resource->root || !node->resource->recursive)
		return node;
	for (; f != NULL && js_spend(run, 1); f = f->up) {
		r = f->node->resource;
		if (r == last)
			continue;
		last = r;
		if (ref->anchor != NULL)
			other = dynamic_node(run, r, ref->anchor);
		else
			other = r->recursive ? r->root : NULL;
		if (other != NULL)
			node = other;
	}
	return node;
}

bool
js_check_ref(struct js_run *run, const struct js_frame *f,
    const struct js_check *check)
{
	const struct js_ref *ref = check->ref;

	if (ref->node == NULL)
		return ref->within == NULL ?
		    js_stop(run, JS_UNRESOLVABLE, "%s: %s", ref->why,
		    ref->pointer) :
		    js_stop(run, JS_UNRESOLVABLE,
		    "%s: %q does not exist within %v", ref->why, ref->pointer,
		    ref->within);
	return js_eval(run, f, outermost(run, f, check), f->value, f->marks,
	    JS_STEP(.keyword = check->rule->keyword == JS_REF ? NULL :
	    check->rule->name));
}
