/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns, by PCRE2 with the options that come nearest to ECMA 262.
 *
 * A pattern is a stranger's program. Its compiled size is bounded by PCRE2 and
 * by us. Running it pays from the budget of the validation: with automatic
 * callouts PCRE2 calls us before each item of the pattern, and each call pays
 * for itself and for the text passed since the last one, so that even loops
 * within one item are paid for; where there are back references, a call pays
 * for the text that one may compare. Hence a catastrophic pattern ends when
 * the budget does, after the same number of steps each time. Limits on memory
 * are PCRE2's own.
 */
#include "impl.h"

enum {
	HEAP_KIB = 64 * 1024,
	DEPTH = 2 * 1000 * 1000,	/* of backtracking; memory ends first */
	TEXT_PER_STEP = 16		/* bytes PCRE2 passes in a step */
};

static void
free_code(void *code)
{
	pcre2_code_free(code);
}

static pcre2_code *
compile(const char *source, int *error)
{
	const uint32_t options = PCRE2_UTF | PCRE2_ALT_BSUX |
	    PCRE2_MATCH_UNSET_BACKREF | PCRE2_DOLLAR_ENDONLY |
	    PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C |
	    PCRE2_AUTO_CALLOUT;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code = NULL;
	PCRE2_SIZE offset;

	*error = PCRE2_ERROR_NOMEMORY;
	if (context == NULL)
		return NULL;
	if (pcre2_set_compile_extra_options(context,
	    PCRE2_EXTRA_ALT_BSUX) == 0 &&
	    pcre2_set_newline(context, PCRE2_NEWLINE_LF) == 0 &&
	    pcre2_set_parens_nest_limit(context, 100) == 0)
		code = pcre2_compile((PCRE2_SPTR)source,
		    PCRE2_ZERO_TERMINATED, options, error, &offset, context);
	pcre2_compile_context_free(context);
	return code;
}

struct js_pattern *
js_pattern_new(struct js_compiler *c, const char *keyword, const char *source)
{
	struct js_pattern *p = clq_arena_alloc(c->arena, sizeof *p);
	uint32_t backrefs = 0;
	size_t size = 0;
	int error;

	if (strlen(source) > JS_MAX_PATTERN_LEN ||
	    ++c->n_patterns > JS_MAX_PATTERNS) {
		(void)js_compile_fail(c, keyword, strlen(source) >
		    JS_MAX_PATTERN_LEN ? "the pattern is too long" :
		    "the schema has too many patterns");
		return NULL;
	}
	p->source = source;
	p->code = compile(source, &error);
	if (p->code == NULL) {
		(void)js_compile_fail(c, keyword, error ==
		    PCRE2_ERROR_NOMEMORY ? "out of memory for %q" :
		    "%q is not a 'regex'", source);
		return NULL;
	}
	clq_arena_defer(c->arena, free_code, p->code);
	if (pcre2_pattern_info(p->code, PCRE2_INFO_BACKREFMAX,
	    &backrefs) == 0 &&
	    pcre2_pattern_info(p->code, PCRE2_INFO_SIZE, &size) == 0)
		p->backrefs = backrefs > 0;
	c->schema->pattern_bytes += size;
	if (c->schema->pattern_bytes > JS_MAX_PATTERN_BYTES) {
		(void)js_compile_fail(c, keyword,
		    "the schema's patterns are too large");
		return NULL;
	}
	return p;
}

static int
on_callout(pcre2_callout_block *block, void *ctx)
{
	struct js_run *run = ctx;
	size_t now = block->current_position, was = run->match_pos;
	size_t passed = now > was ? now - was : was - now;

	run->match_pos = now;
	run->steps -= run->match_cost + (int64_t)(passed / TEXT_PER_STEP);
	return run->steps < 0 ? PCRE2_ERROR_CALLOUT : 0;
}

static void
free_match_data(void *data)
{
	pcre2_match_data_free(data);
}

static void
free_match_context(void *context)
{
	pcre2_match_context_free(context);
}

/* What matching needs, made once in a validation. */
static bool
prepare(struct js_run *run)
{
	if (run->match_context != NULL)
		return true;
	run->match_data = pcre2_match_data_create(1, NULL);
	if (run->match_data != NULL)
		clq_arena_defer(run->arena, free_match_data, run->match_data);
	run->match_context = pcre2_match_context_create(NULL);
	if (run->match_context != NULL)
		clq_arena_defer(run->arena, free_match_context,
		    run->match_context);
	return run->match_data != NULL && run->match_context != NULL &&
	    pcre2_set_heap_limit(run->match_context, HEAP_KIB) == 0 &&
	    pcre2_set_depth_limit(run->match_context, DEPTH) == 0 &&
	    pcre2_set_callout(run->match_context, on_callout, run) == 0;
}

bool
js_pattern_matches(struct js_run *run, const struct js_pattern *pattern,
    const char *text)
{
	size_t len = strlen(text);
	int rc = PCRE2_ERROR_NOMEMORY;

	if (!js_spend(run, 4 + len / TEXT_PER_STEP))
		return false;
	run->match_pos = 0;
	run->match_cost = 1 + (pattern->backrefs ?
	    (int64_t)(len / TEXT_PER_STEP) : 0);
	if (prepare(run))
		rc = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, 0,
		    run->match_data, run->match_context);
	if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
		return rc >= 0;
	if (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)
		return false;		/* a text that is none */
	return js_stop(run, JS_TOO_COMPLEX,
	    "the pattern %q is too complex for this value", pattern->source);
}
