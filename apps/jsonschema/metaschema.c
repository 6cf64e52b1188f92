/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that references may lead to without being fetched, and the
 * compiled metaschemas of this process.
 */
#include "impl.h"

#include <assert.h>

#define OLD(n)	"http://json-schema.org/draft-" n "/schema"
#define D19(p)	"https://json-schema.org/draft/2019-09/" p
#define D20(p)	"https://json-schema.org/draft/2020-12/" p

/* The metaschemas come first, in the order of enum js_draft. */
const struct js_builtin js_builtins[] = {
	{ OLD("04"), JS_DRAFT_4, js_text_draft4 },
	{ OLD("06"), JS_DRAFT_6, js_text_draft6 },
	{ OLD("07"), JS_DRAFT_7, js_text_draft7 },
	{ D19("schema"), JS_DRAFT_2019_09, js_text_2019_schema },
	{ D20("schema"), JS_DRAFT_2020_12, js_text_2020_schema },
	{ D19("meta/core"), JS_DRAFT_2019_09, js_text_2019_core },
	{ D19("meta/applicator"), JS_DRAFT_2019_09, js_text_2019_applicator },
	{ D19("meta/validation"), JS_DRAFT_2019_09, js_text_2019_validation },
	{ D19("meta/meta-data"), JS_DRAFT_2019_09, js_text_2019_metadata },
	{ D19("meta/format"), JS_DRAFT_2019_09, js_text_2019_format },
	{ D19("meta/content"), JS_DRAFT_2019_09, js_text_2019_content },
	{ D20("meta/core"), JS_DRAFT_2020_12, js_text_2020_core },
	{ D20("meta/applicator"), JS_DRAFT_2020_12, js_text_2020_applicator },
	{ D20("meta/unevaluated"), JS_DRAFT_2020_12,
	  js_text_2020_unevaluated },
	{ D20("meta/validation"), JS_DRAFT_2020_12, js_text_2020_validation },
	{ D20("meta/meta-data"), JS_DRAFT_2020_12, js_text_2020_metadata },
	{ D20("meta/format-annotation"), JS_DRAFT_2020_12,
	  js_text_2020_format },
	{ D20("meta/content"), JS_DRAFT_2020_12, js_text_2020_content },
};
const size_t js_n_builtins = CLQ_COUNT(js_builtins);

static struct js_schema *compiled[JS_DRAFT__COUNT];

const struct js_schema *
js_metaschema(enum js_draft draft)
{
	const struct js_builtin *b = &js_builtins[draft];
	struct clq_arena *arena;
	struct js_error error;
	struct clq_str why;
	enum clq_status rc;
	cJSON *tree;

	if (compiled[draft] != NULL)
		return compiled[draft];
	assert(b->draft == draft);
	arena = clq_arena_new();
	rc = clq_json_parse(arena, clq_str_of(b->text), &tree, &why);
	assert(rc == CLQ_OK);
	rc = js_compile(tree, draft, arena, &compiled[draft], &error);
	assert(rc == CLQ_OK);
	clq_arena_free(&arena);
	return compiled[draft];
}

void
js_metaschemas_free(void)
{
	for (int i = 0; i < JS_DRAFT__COUNT; i++)
		js_schema_free(&compiled[i]);
}
