/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz driver for the JSON wrapper: what was parsed and printed must parse
 * again, and print the same; equal trees must compare equal.
 */
#include <cliquet/json.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str why = { NULL, 0 }, first, second;
	struct clq_str text = { (const char *)data, len };
	cJSON *tree, *again;
	int64_t v;

	if (clq_json_parse(arena, text, &tree, &why) != CLQ_OK) {
		check(why.len > 0, "refused without a reason");
		clq_arena_free(&arena);
		return 0;
	}
	first = clq_json_text(arena, tree);
	check(clq_json_parse(arena, first, &again, &why) == CLQ_OK,
	    "refused its own output");
	second = clq_json_text(arena, again);
	check(clq_str_eq(first, second), "the second print differs");
	check(clq_json_equal(tree, again), "the second tree differs");
	check(clq_json_equal(tree, clq_json_dup(arena, tree)),
	    "the copy differs");
	if (cJSON_IsObject(tree)) {
		text = clq_json_stored(arena, tree);
		check(clq_json_parse(arena, text, &again, &why) == CLQ_OK,
		    "refused the stored form");
	}
	if (clq_json_int(tree, &v)) {
		again = clq_json_own(arena, clq_json_new_int(v));
		check(clq_json_equal(tree, again), "the integer differs");
	}
	clq_arena_free(&arena);
	return 0;
}

#ifndef CLQ_LIBFUZZER
int
main(int argc, char **argv)
{
	return fuzz_files(argc, argv);
}
#endif
