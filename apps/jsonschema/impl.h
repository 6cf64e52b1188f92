/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the JSON Schema library share.
 *
 * A schema is compiled in two passes. The first walks the places where
 * subschemas may be, makes a node for each and notes identifiers and anchors
 * (scan.c); the second turns keywords into checks and resolves references
 * (compile.c, refs.c), which may bring in more nodes. A validation walks nodes
 * and document together (eval*.c). It needs no memory but for unusual
 * documents: its state is a chain of frames on the stack, from which paths and
 * the dynamic scope are read when they are needed.
 */
#ifndef JSONSCHEMA_IMPL_H
#define JSONSCHEMA_IMPL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cliquet/json.h>
#include <cliquet/str.h>

#include "apps/jsonschema/jsonschema.h"

/* ---- keywords (keywords.c) --------------------------------------------- */

enum js_keyword {
	JS_REF, JS_RECURSIVE_REF, JS_DYNAMIC_REF,
	JS_TYPE, JS_ENUM, JS_CONST,
	JS_MULTIPLE_OF, JS_MAXIMUM, JS_MINIMUM,
	JS_EXCLUSIVE_MAXIMUM, JS_EXCLUSIVE_MINIMUM,
	JS_MAX_LENGTH, JS_MIN_LENGTH, JS_PATTERN,
	JS_MAX_ITEMS, JS_MIN_ITEMS, JS_UNIQUE_ITEMS,
	JS_PREFIX_ITEMS, JS_ITEMS, JS_ADDITIONAL_ITEMS,
	JS_CONTAINS, JS_MIN_CONTAINS, JS_MAX_CONTAINS,
	JS_MAX_PROPERTIES, JS_MIN_PROPERTIES, JS_REQUIRED,
	JS_PROPERTIES, JS_PATTERN_PROPERTIES, JS_ADDITIONAL_PROPERTIES,
	JS_PROPERTY_NAMES, JS_DEPENDENCIES,
	JS_DEPENDENT_REQUIRED, JS_DEPENDENT_SCHEMAS,
	JS_ALL_OF, JS_ANY_OF, JS_ONE_OF, JS_NOT, JS_IF, JS_THEN, JS_ELSE,
	JS_UNEVALUATED_ITEMS, JS_UNEVALUATED_PROPERTIES,
	JS_DEFINITIONS,		/* and $defs: only hold subschemas */
	JS_KEYWORD__COUNT
};

/* What the value of a keyword must look like. */
enum js_shape {
	JS_SHAPE_ANY,
	JS_SHAPE_SCHEMA,
	JS_SHAPE_SCHEMAS,	/* non-empty array of schemas */
	JS_SHAPE_ITEMS,		/* a schema, or an array of them */
	JS_SHAPE_MAP,		/* object of schemas */
	JS_SHAPE_PATTERNS,	/* object of schemas, names are patterns */
	JS_SHAPE_DEPENDENCIES,	/* object of schemas and arrays of strings */
	JS_SHAPE_LISTS,		/* object of arrays of strings */
	JS_SHAPE_STRINGS,	/* array of strings */
	JS_SHAPE_ARRAY,
	JS_SHAPE_TYPES,		/* name of a type, or an array of them */
	JS_SHAPE_NUMBER,
	JS_SHAPE_POSITIVE,	/* a number above 0 */
	JS_SHAPE_COUNT,		/* an integer from 0 */
	JS_SHAPE_BOOL,
	JS_SHAPE_PATTERN,
	JS_SHAPE_REF,
	JS_SHAPE_BOUND		/* draft 4's boolean exclusive... */
};

struct js_rule {
	const char	*name;
	enum js_keyword	 keyword;
	enum js_shape	 shape;
	enum js_draft	 from, to;
};

/* The rule of a keyword in a draft, or NULL. */
const struct js_rule *js_rule_find(enum js_draft draft, const char *name);

static inline bool
js_is_schema(const cJSON *item)
{
	return cJSON_IsObject(item) || cJSON_IsBool(item);
}

/* ---- the compiled schema ----------------------------------------------- */

struct js_anchor {
	const char		*name;
	struct js_node		*node;
	bool			 dynamic;
	struct js_anchor	*next;
};

/* A schema with an identifier of its own, or the root. */
struct js_resource {
	const char		*uri;		/* absolute but for a root
						   without; no fragment */
	struct js_node		*root;
	struct js_anchor	*anchors;
	bool			 recursive;	/* $recursiveAnchor: true */
	struct js_resource	*next;
};

struct js_pattern {
	const char		*source;
	pcre2_code		*code;
	bool			 backrefs;
};

/* A reference; node is NULL if it leads nowhere. */
struct js_ref {
	struct js_node		*node;
	const char		*anchor;	/* dynamic: its name; or NULL */
	const char		*why;		/* how it fails: a kind of error */
	const char		*pointer;	/* and what was looked for */
	const cJSON		*within;	/* where; NULL: nowhere at all */
};

/* A subschema with the name under which its keyword has it. */
struct js_entry {
	const char		*name;
	const cJSON		*value;
	struct js_node		*node;
	struct js_pattern	*pattern;	/* of name */
	size_t			 order;		/* in the text */
};

enum { JS_BY_NAME_MIN = 8 };	/* fewer are not worth a second table */

/* One keyword of a node, ready to be evaluated. */
struct js_check {
	const struct js_rule	*rule;
	const cJSON		*value;
	struct js_node		*node;
	struct js_entry		*entries;	/* in the order of the text */
	struct js_entry		*by_name;	/* sorted; NULL if few */
	size_t			 n;		/* of entries; positions */
	struct js_pattern	*pattern;
	struct js_ref		*ref;
	int64_t			 limit;
	unsigned		 types;
	bool			 exclusive;	/* draft 4: of the sibling */
};

struct js_node {
	const cJSON		*schema;
	struct js_resource	*resource;
	struct js_node		*next;		/* in order of creation */
	struct js_check		*checks;
	size_t			 n;
	enum js_draft		 draft;
	bool			 tracks;	/* has unevaluated... */
	/* Checks that others of the node depend on, or NULL. */
	const struct js_check	*properties, *patterns, *then, *else_;
	const struct js_check	*min_contains, *max_contains;
	const struct js_check	*prefix;	/* prefixItems */
	const struct js_check	*positional;	/* items, if it is an array */
};

struct js_schema {
	struct clq_arena	*arena;
	const cJSON		*tree;
	struct js_node		*root;
	size_t			 tree_bytes;
	size_t			 pattern_bytes;
	const char		*dangling[JS_MAX_DANGLING];
	size_t			 ndangling;
};

/* ---- compiling --------------------------------------------------------- */

/* A chained hash of nodes by their places in the trees. */
enum {
	JS_BUCKETS = 1024,
	JS_MAX_NAMES = 1000,
	JS_MAX_URI = 1024,		/* bytes, without fragment */
	JS_MAX_WALK = 20 * 1000 * 1000
};
struct js_slot {
	struct js_node	*node;
	struct js_slot	*next;
};

struct js_compiler {
	struct js_schema	*schema;
	struct clq_arena	*arena;		/* of the schema */
	struct clq_arena	*errors;	/* of the caller */
	struct js_error		*error;
	enum js_draft		 fallback;
	struct js_node		*nodes, **last;
	struct js_resource	*resources;
	struct js_slot		*buckets[JS_BUCKETS];
	unsigned		 loaded;	/* built-in documents, by bit */
	size_t			 n_nodes;
	size_t			 n_names;	/* identifiers and anchors */
	size_t			 n_patterns;
	size_t			 steps;		/* along members, for pointers */
	bool			 failed;
};

/* Note the first error; returns false. name: last part of the path. */
bool js_compile_fail(struct js_compiler *c, const char *name,
    const char *fmt, ...);

/* scan.c: a node for item and for all subschemas within; NULL: failed. */
struct js_node *js_scan(struct js_compiler *c, const cJSON *item,
    struct js_resource *within, enum js_draft draft);
struct js_node *js_node_find(const struct js_compiler *c, const cJSON *item);
struct js_resource *js_resource_find(const struct js_compiler *c,
    const char *uri);
/* Bring a built-in document in if uri is one; true if it did. */
bool js_load_builtin(struct js_compiler *c, const char *uri);

/* refs.c: where a reference of a node leads; NULL: failed for good. */
struct js_ref *js_resolve(struct js_compiler *c, const struct js_node *node,
    const char *text, bool dynamic);

/* uri.c: RFC 3986 section 5.2; the result has no fragment. NULL: failed, it
 * would be too long. */
const char *js_uri_join(struct js_compiler *c, const char *base,
    struct clq_str ref);

/* pattern.c: NULL: failed, said. */
struct js_pattern *js_pattern_new(struct js_compiler *c, const char *keyword,
    const char *source);

/* metaschema.c: JSON text and URI of a built-in document; NULL past the end. */
struct js_builtin {
	const char	*uri;
	enum js_draft	 draft;
	const char	*text;
};
extern const struct js_builtin js_builtins[];
extern const size_t js_n_builtins;
extern const char js_text_draft4[], js_text_draft6[], js_text_draft7[];
extern const char js_text_2019_schema[], js_text_2019_core[],
    js_text_2019_applicator[], js_text_2019_validation[],
    js_text_2019_metadata[], js_text_2019_format[], js_text_2019_content[];
extern const char js_text_2020_schema[], js_text_2020_core[],
    js_text_2020_applicator[], js_text_2020_unevaluated[],
    js_text_2020_validation[], js_text_2020_metadata[],
    js_text_2020_format[], js_text_2020_content[];

/* ---- validating -------------------------------------------------------- */

/* A value of the document, and what was found out about it. */
struct js_value {
	const cJSON	*item;
	size_t		 n;		/* members or items */
	bool		 counted;
	struct js_member *members;	/* by name; NULL: not made */
	struct js_scratch *scratch;	/* of members */
};

struct js_member {
	const cJSON	*item;
	size_t		 pos;
};

/* Memory that is used over and over. */
struct js_scratch {
	struct js_scratch	*next;
	size_t			 cap;
	_Alignas(max_align_t) unsigned char data[];
};

/* Which members or items were looked at by some subschema. */
struct js_marks {
	unsigned char		*seen;
	size_t			 n;
	struct js_scratch	*scratch;
};

/* The way from one frame to the next, for paths. Positions count from 1; 0 is
 * none. */
struct js_step {
	const char	*keyword;	/* in the schema; NULL: not shown */
	const char	*name;		/* below the keyword, or NULL; or */
	size_t		 nth;		/* a position */
	const char	*key;		/* in the document, or NULL; or */
	size_t		 item;		/* a position */
};
#define JS_STEP(...)	((struct js_step){ __VA_ARGS__ })

struct js_frame {
	const struct js_frame	*up;
	const struct js_node	*node;
	struct js_value		*value;
	struct js_marks		*marks;		/* NULL: nobody asks */
	struct js_step		 step;
	unsigned		 depth;
};

struct js_run {
	struct clq_arena	*arena;
	struct js_error		*error;
	enum js_result		 result;
	bool			 stopped;	/* result is final */
	unsigned		 quiet;		/* failures are not errors */
	int64_t			 steps;		/* left */
	struct js_scratch	*free;
	pcre2_match_data	*match_data;
	pcre2_match_context	*match_context;
	size_t			 match_pos;	/* at the last callout */
	int64_t			 match_cost;	/* of one more */
};

/* eval.c. All return false if the value is invalid or the run stopped; who
 * goes on after false looks at run->stopped first. */
bool js_eval(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, struct js_value *value,
    struct js_marks *marks, struct js_step step);
bool js_eval_item(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, const cJSON *item, struct js_step step);
/* The same without errors: only the verdict matters. */
bool js_eval_quiet(struct js_run *run, const struct js_frame *up,
    const struct js_node *node, struct js_value *value,
    struct js_marks *marks);

bool js_spend(struct js_run *run, size_t steps);
bool js_stop(struct js_run *run, enum js_result result, const char *fmt,
    ...);

/* eval_value.c, eval_number.c, eval_array.c, eval_object.c, eval_logic.c */
typedef bool js_check_f(struct js_run *run, const struct js_frame *f,
    const struct js_check *check);
js_check_f js_check_type, js_check_enum, js_check_const, js_check_length,
    js_check_pattern, js_check_bound, js_check_multiple, js_check_n_items,
    js_check_unique, js_check_items, js_check_additional_items,
    js_check_contains, js_check_unevaluated_items, js_check_n_properties,
    js_check_required, js_check_properties, js_check_patterns,
    js_check_additional, js_check_names, js_check_dependencies,
    js_check_unevaluated_properties, js_check_all, js_check_any, js_check_one,
    js_check_not, js_check_if, js_check_ref;

/* A bit for each type that JSON Schema names. */
unsigned js_types_of(const cJSON *item, enum js_draft draft);
unsigned js_type_named(const char *name);

/* value.c: members and items of a value. */
size_t js_count(struct js_run *run, struct js_value *value);
const cJSON *js_member(struct js_run *run, struct js_value *value,
    const char *name, size_t *pos);
void js_value_done(struct js_run *run, struct js_value *value);
/* How many values a tree has, at most limit. */
size_t js_weight(const cJSON *tree, size_t limit);
struct js_scratch *js_scratch_take(struct js_run *run, size_t len);
void js_scratch_give(struct js_run *run, struct js_scratch *scratch);
void js_marks_begin(struct js_run *run, struct js_marks *marks, size_t n);
void js_marks_end(struct js_run *run, struct js_marks *marks,
    struct js_marks *into);
const struct js_entry *js_entry_find(const struct js_check *check,
    const char *name);

/* equal.c. Look at run->stopped after false. */
bool js_equal(struct js_run *run, const cJSON *a, const cJSON *b);

/* pattern.c: does it match somewhere? Look at run->stopped after false. */
bool js_pattern_matches(struct js_run *run, const struct js_pattern *pattern,
    const char *text);

/* decimal.c: numbers as digits. */
bool js_is_integer(const cJSON *number, enum js_draft draft);
bool js_is_multiple(const cJSON *number, const cJSON *of, size_t *cost);

/*
 * report.c: record the error of a check, unless the run is quiet. Returns
 * false. In fmt, %v is a value as Python writes it (const cJSON *), %q a text
 * as Python writes it, %s a text as it is, %z a size_t.
 */
bool js_fail(struct js_run *run, const struct js_frame *f,
    const struct js_check *check, const char *fmt, ...);
/* The same where the check's keyword or name is not what the error is about.
 * keyword: "" for a schema `false`. name: NULL, or what Kinto calls the field
 * if the failure is at the root. */
bool js_fail_as(struct js_run *run, const struct js_frame *f,
    const char *keyword, const char *name, const char *fmt, ...);

/* %-formats of errors, see js_fail(). */
void js_message(struct clq_buf *b, const char *fmt, va_list ap);

/* repr.c: as Python writes it, cut if it is long. */
void js_repr_value(struct clq_buf *b, const cJSON *item);
void js_repr_text(struct clq_buf *b, const char *text);
enum { JS_REPR_MAX = 2000 };	/* bytes, about */

/* One more "/part" of a JSON pointer. */
void js_pointer_add(struct clq_buf *b, const char *part);

#endif
