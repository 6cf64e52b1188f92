/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz driver for JSON schemas: the first line is a schema, the rest a
 * document. Whatever they are, compiling and validating end, with the same
 * verdict each time, and what is refused is explained; the metaschemas stand
 * any document.
 */
#include <cliquet/str.h>

#include "apps/jsonschema/jsonschema.h"

#include "fuzz.h"

static bool
parse(struct clq_arena *arena, struct clq_str text, cJSON **out)
{
	struct clq_str why;

	return clq_json_parse(arena, text, out, &why) == CLQ_OK;
}

static enum js_result
validate(const struct js_schema *schema, const cJSON *document,
    struct clq_arena *arena, struct js_error *e)
{
	enum js_result result;

	memset(e, 0, sizeof *e);
	result = js_validate(schema, document, arena, e);
	if (result != JS_VALID) {
		check(e->message.len > 0, "no message");
		check(e->name.p != NULL && e->path.p != NULL &&
		    e->schema_path.p != NULL && e->keyword.p != NULL,
		    "an error without its parts");
		check(clq_utf8_valid(e->message), "message is not UTF-8");
	}
	return result;
}

static void
try_draft(const cJSON *tree, const cJSON *document, enum js_draft draft)
{
	struct clq_arena *arena = clq_arena_new();
	struct js_schema *schema = NULL;
	struct js_error e, again;
	enum js_result result;

	(void)validate(js_metaschema(draft), tree, arena, &e);
	if (js_compile(tree, draft, arena, &schema, &e) != CLQ_OK) {
		check(e.message.len > 0, "refused without a reason");
		clq_arena_free(&arena);
		return;
	}
	result = validate(schema, document, arena, &e);
	check(validate(schema, document, arena, &again) == result,
	    "the second verdict differs");
	check(result == JS_VALID || clq_str_eq(e.message, again.message),
	    "the second message differs");
	js_schema_free(&schema);
	clq_arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str text = { (const char *)data, len };
	size_t end = clq_str_find(text, '\n', 0);
	cJSON *schema, *document;

	if (parse(arena, clq_str_sub(text, 0, end), &schema) &&
	    parse(arena, clq_str_sub(text, end + 1, len), &document))
		for (int d = 0; d < JS_DRAFT__COUNT; d++)
			try_draft(schema, document, (enum js_draft)d);
	clq_arena_free(&arena);
	return 0;
}

#ifndef CLQ_LIBFUZZER
int
main(int argc, char **argv)
{
	int status = fuzz_files(argc, argv);

	js_metaschemas_free();
	return status;
}
#endif
