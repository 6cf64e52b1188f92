/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of a validation: their texts, paths and Kinto's name for the field.
 */
#include "impl.h"

#include <stdio.h>

void
js_message(struct clq_buf *b, const char *fmt, va_list ap)
{
	char digits[32];

	for (; *fmt != '\0'; fmt++) {
		if (*fmt != '%') {
			clq_buf_addc(b, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 'v':
			js_repr_value(b, va_arg(ap, const cJSON *));
			break;
		case 'q':
			js_repr_text(b, va_arg(ap, const char *));
			break;
		case 's':
			clq_buf_adds(b, va_arg(ap, const char *));
			break;
		case 'z':
			snprintf(digits, sizeof digits, "%zu",
			    va_arg(ap, size_t));
			clq_buf_adds(b, digits);
			break;
		}
	}
}

void
js_pointer_add(struct clq_buf *b, const char *part)
{
	clq_buf_addc(b, '/');
	for (; *part != '\0'; part++) {
		if (*part == '~')
			clq_buf_adds(b, "~0");
		else if (*part == '/')
			clq_buf_adds(b, "~1");
		else
			clq_buf_addc(b, *part);
	}
}

static void
add_part(struct clq_buf *b, const char *name, size_t position)
{
	if (name != NULL)
		js_pointer_add(b, name);
	else if (position > 0)
		clq_buf_printf(b, "/%zu", position - 1);
}

/* The frames from the root to f, of which there are depth + 1. */
static const struct js_frame **
way(struct clq_arena *arena, const struct js_frame *f)
{
	const struct js_frame **frames = clq_arena_calloc(arena, f->depth + 1,
	    sizeof *frames);

	for (; f != NULL; f = f->up)
		frames[f->depth] = f;
	return frames;
}

/*
 * The last part of the path; at the root the name that the check gives, else
 * the last part of the schema's path.
 */
static void
name_field(struct clq_arena *arena, struct js_error *e,
    const struct js_frame *f, const char *name)
{
	const struct js_frame *at = f;
	const char *last = *e->keyword.p != '\0' ? e->keyword.p : NULL;

	for (; at->up != NULL; at = at->up)
		if (at->step.key != NULL || at->step.item > 0)
			break;
	if (at->step.key != NULL) {
		name = at->step.key;
	} else if (at->up != NULL) {
		e->name = clq_arena_printf(arena, "%zu", at->step.item - 1);
		e->name_is_index = true;
		return;
	} else if (name == NULL) {
		name = last;
		for (at = f; name == NULL && at->up != NULL; at = at->up)
			name = at->step.name != NULL ? at->step.name :
			    at->step.keyword;
	}
	e->name = clq_arena_strdup(arena, clq_str_of(name != NULL ? name :
	    "schema"));
}

static void
report(struct js_run *run, const struct js_frame *f, const char *keyword,
    const char *name, const char *fmt, va_list ap)
{
	const struct js_frame **frames = way(run->arena, f);
	struct clq_buf path, schema_path, message;
	struct js_error *e = run->error;

	memset(e, 0, sizeof *e);
	clq_buf_init(&path, run->arena, 64);
	clq_buf_init(&schema_path, run->arena, 64);
	clq_buf_init(&message, run->arena, 64);
	for (size_t i = 1; i <= f->depth; i++) {
		const struct js_step *step = &frames[i]->step;

		add_part(&path, step->key, step->item);
		add_part(&schema_path, step->keyword, 0);
		add_part(&schema_path, step->name, step->nth);
	}
	if (*keyword != '\0')
		js_pointer_add(&schema_path, keyword);
	js_message(&message, fmt, ap);
	e->path = clq_buf_str(&path);
	e->schema_path = clq_buf_str(&schema_path);
	e->message = clq_buf_str(&message);
	e->keyword = clq_arena_strdup(run->arena, clq_str_of(keyword));
	name_field(run->arena, e, f, name);
	run->result = JS_INVALID;
}

bool
js_fail(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, const char *fmt, ...)
{
	va_list ap;

	if (run->quiet > 0 || run->stopped)
		return false;
	va_start(ap, fmt);
	report(run, f, check->rule->name, NULL, fmt, ap);
	va_end(ap);
	return false;
}

bool
js_fail_as(struct js_run *run, const struct js_frame *f, const char *keyword,
    const char *name, const char *fmt, ...)
{
	va_list ap;

	if (run->quiet > 0 || run->stopped)
		return false;
	va_start(ap, fmt);
	report(run, f, keyword, name, fmt, ap);
	va_end(ap);
	return false;
}

bool
js_stop(struct js_run *run, enum js_result result, const char *fmt, ...)
{
	struct clq_buf b;
	va_list ap;

	if (run->stopped)
		return false;
	run->stopped = true;
	run->result = result;
	clq_buf_init(&b, run->arena, 64);
	va_start(ap, fmt);
	js_message(&b, fmt, ap);
	va_end(ap);
	*run->error = (struct js_error){
		.message = clq_buf_str(&b), .keyword = CLQ_STR(""),
		.path = CLQ_STR(""), .schema_path = CLQ_STR(""),
		.name = CLQ_STR("schema"),
	};
	return false;
}
