/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The official JSON Schema test suite against apps/jsonschema.
 *
 *	run_suite SUITE DRAFT FILE...	DRAFT is the name of the files' folder
 *
 * Each test of each file is one TAP line. The suite expects its folder
 * `remotes` on a web server; since nothing is ever fetched, tests which refer
 * to a document that is there are skipped. U+0000, which our JSON refuses,
 * becomes U+0001 in the tests that use it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cliquet/str.h>

#include "apps/jsonschema/jsonschema.h"

enum { FILE_MAX = 4 << 20 };

static const char server[] = "http://localhost:1234/";
static const char *suite;
static size_t n_run, n_failed;

static bool
draft_named(const char *name, enum js_draft *draft)
{
	static const char *const names[JS_DRAFT__COUNT] = {
		[JS_DRAFT_4] = "draft4", [JS_DRAFT_6] = "draft6",
		[JS_DRAFT_7] = "draft7", [JS_DRAFT_2019_09] = "draft2019-09",
		[JS_DRAFT_2020_12] = "draft2020-12",
	};

	for (int i = 0; i < JS_DRAFT__COUNT; i++)
		if (strcmp(name, names[i]) == 0) {
			*draft = (enum js_draft)i;
			return true;
		}
	return false;
}

static const char *
text_of(const cJSON *object, const char *name)
{
	struct clq_str s = clq_json_str(clq_json_get(object, name));

	return s.p != NULL ? s.p : "?";
}

static void
say(bool ok, const char *file, const cJSON *group, const cJSON *test,
    const char *more)
{
	const char *slash = strrchr(file, '/');

	n_run++;
	n_failed += !ok;
	printf("%sok %zu - %s: %s: %s%s\n", ok ? "" : "not ", n_run,
	    slash != NULL ? slash + 1 : file, text_of(group, "description"),
	    text_of(test, "description"), more);
}

/* True if the text has the URI of a document in `remotes`. */
static bool
is_remote(struct clq_arena *arena, struct clq_str text)
{
	size_t at = clq_str_search(text, clq_str_of(server));
	struct clq_str uri = clq_str_sub(text, at + strlen(server), text.len);

	uri = clq_str_sub(uri, 0, clq_str_find(uri, '#', 0));
	return uri.len > 0 && access(clq_arena_printf(arena, "%s/remotes/%.*s",
	    suite, CLQ_FMT(uri)).p, R_OK) == 0;
}

static void
run_test(const struct js_schema *schema, const char *file, const cJSON *group,
    const cJSON *test)
{
	struct clq_arena *arena = clq_arena_new();
	bool valid = cJSON_IsTrue(clq_json_get(test, "valid")), ok, remote;
	struct js_error e = { .name_is_index = false };
	enum js_result result = js_validate(schema,
	    clq_json_get(test, "data"), arena, &e);

	ok = result == (valid ? JS_VALID : JS_INVALID);
	remote = result == JS_UNRESOLVABLE ? is_remote(arena, e.message) :
	    is_remote(arena, clq_json_str(clq_json_get(clq_json_get(group,
	    "schema"), "$schema")));
	say(ok || remote, file, group, test, remote ?
	    " # SKIP remote document" : "");
	if (!ok && !remote)
		printf("# result %d, %.*s at '%.*s'\n", (int)result,
		    CLQ_FMT(e.message), CLQ_FMT(e.path));
	clq_arena_free(&arena);
}

static void
run_group(enum js_draft draft, const char *file, const cJSON *group)
{
	struct clq_arena *arena = clq_arena_new();
	struct js_schema *schema = NULL;
	struct js_error e;
	const cJSON *test;

	if (js_compile(clq_json_get(group, "schema"), draft, arena, &schema,
	    &e) != CLQ_OK)
		printf("# not compiled: %.*s\n", CLQ_FMT(e.message));
	cJSON_ArrayForEach(test, clq_json_get(group, "tests"))
		if (schema != NULL)
			run_test(schema, file, group, test);
		else
			say(false, file, group, test, "");
	js_schema_free(&schema);
	clq_arena_free(&arena);
}

static bool
run_file(enum js_draft draft, const char *file)
{
	struct clq_arena *arena = clq_arena_new();
	FILE *f = fopen(file, "rb");
	char *p = clq_arena_alloc(arena, FILE_MAX);
	struct clq_str text = { p, 0 }, why;
	const cJSON *group;
	cJSON *groups;
	bool ok = false;

	if (f == NULL) {
		perror(file);
		goto out;
	}
	text.len = fread(p, 1, FILE_MAX - 1, f);
	fclose(f);
	while ((p = strstr(p, "\\u0000")) != NULL)
		p[5] = '1';
	if (clq_json_parse(arena, text, &groups, &why) != CLQ_OK) {
		printf("# %s: %.*s\n", file, CLQ_FMT(why));
		goto out;
	}
	cJSON_ArrayForEach(group, groups)
		run_group(draft, file, group);
	ok = true;
out:	clq_arena_free(&arena);
	return ok;
}

int
main(int argc, char **argv)
{
	enum js_draft draft;
	bool ok = true;

	if (argc < 4 || !draft_named(argv[2], &draft)) {
		fprintf(stderr, "usage: run_suite SUITE DRAFT FILE...\n");
		return 2;
	}
	suite = argv[1];
	for (int i = 3; i < argc; i++)
		ok = run_file(draft, argv[i]) && ok;
	printf("1..%zu\n", n_run);
	return ok && n_failed == 0 ? 0 : 1;
}
