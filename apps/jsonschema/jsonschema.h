/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schema: compile a schema once, validate many documents with it.
 *
 * Drafts 4, 6, 7, 2019-09 and 2020-12, chosen by `$schema`. References stay
 * within the document and the metaschemas of the drafts, which are built in;
 * nothing is ever fetched. `format` and `content*` are annotations and are not
 * checked. Numbers are compared and divided by their decimal texts, exactly.
 *
 * Schemas and documents come from strangers, so everything is bounded: the
 * size of a schema and of its patterns when it is compiled, the work of a
 * validation by a budget of steps in which patterns pay too. What goes beyond
 * is refused with JS_TOO_COMPLEX, the same way each time.
 *
 * A compiled schema owns its memory and is not changed by validation. Errors
 * live in the caller's arena. Texts of errors are those that Kinto's clients
 * know (section 08-6). Used in one process, by one thread at a time.
 */
#ifndef JSONSCHEMA_H
#define JSONSCHEMA_H

#include <cliquet/json.h>

enum js_draft {
	JS_DRAFT_4,
	JS_DRAFT_6,
	JS_DRAFT_7,
	JS_DRAFT_2019_09,
	JS_DRAFT_2020_12,
	JS_DRAFT__COUNT,
	JS_DRAFT_NEWEST = JS_DRAFT_2020_12
};

enum js_result {
	JS_VALID,
	JS_INVALID,
	JS_UNRESOLVABLE,	/* met a reference that leads nowhere */
	JS_TOO_COMPLEX		/* out of steps, too deep, or a pattern is */
};

enum {
	JS_MAX_SUBSCHEMAS = 10000,
	JS_MAX_VALUES = 200000,		/* JSON values in a schema */
	JS_MAX_PATTERNS = 1000,
	JS_MAX_PATTERN_LEN = 4096,	/* bytes of one */
	JS_MAX_PATTERN_BYTES = 4 << 20,	/* of all, compiled */
	JS_MAX_DANGLING = 10,		/* references kept to be told */
	JS_MAX_DEPTH = 1000,		/* nested subschemas in a validation */
	JS_MAX_STEPS = 20 * 1000 * 1000	/* one is 10 to 50 ns */
};

/*
 * The first failure, in the order of the schema's text. All texts live in the
 * arena that was given.
 *
 * name    what Kinto calls the failing field (section 08-6): the last part of
 *         path; at the root the missing property, else the keyword; "schema" if
 *         the schema itself is to blame
 */
struct js_error {
	struct clq_str	message;	/* "1 is not of type 'string'" */
	struct clq_str	keyword;	/* "type"; empty: a schema `false` */
	struct clq_str	path;		/* JSON pointer into the document */
	struct clq_str	schema_path;	/* "/properties/a/type"; references
					   followed, `$ref` and `if` left out */
	struct clq_str	name;
	bool		name_is_index;	/* name is the decimal of an array's
					   index */
};

struct js_schema;

/*
 * Compile a schema, a JSON object or boolean; the tree is copied.
 *
 * fallback  the draft if `$schema` is missing or unknown
 * out       the caller's, for js_schema_free()
 * error     on CLQ_INVALID: name is the offending keyword, path empty
 *
 * Returns CLQ_OK, or CLQ_INVALID if a keyword has a value of the wrong shape, a
 * pattern is no regular expression, or a limit is passed. A schema that its
 * metaschema accepts is refused for the latter two only. References that lead
 * nowhere are not looked at until a validation meets them.
 */
enum clq_status js_compile(const cJSON *schema, enum js_draft fallback,
    struct clq_arena *arena, struct js_schema **out, struct js_error *error)
    CLQ_MUST_CHECK;

/* The draft that a `$schema` names, or fallback. */
enum js_draft js_draft_of(const cJSON *schema, enum js_draft fallback);

/* The references that lead nowhere, as they are written, by number from 0; NULL
 * after the last one that is kept. They live as long as the schema. */
const char *js_dangling(const struct js_schema *schema, size_t i);

/* Free *schema, which may be NULL, and set it to NULL. */
void js_schema_free(struct js_schema **schema);

/* Bytes a compiled schema takes, about; for caches. */
size_t js_schema_size(const struct js_schema *schema);

/*
 * Validate a tree made by clq_json_parse() (or as clean as such a one).
 *
 * error    written unless the result is JS_VALID
 */
enum js_result js_validate(const struct js_schema *schema,
    const cJSON *instance, struct clq_arena *arena, struct js_error *error)
    CLQ_MUST_CHECK;

/* The metaschema of a draft, compiled at the first use in each process. */
const struct js_schema *js_metaschema(enum js_draft draft);

/* Free what js_metaschema() keeps. */
void js_metaschemas_free(void);

#endif
