/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as the protocol wants it (section 01-4), over cJSON.
 *
 * Parsing is strict RFC 8259: UTF-8, no trailing text, no NaN, no lone
 * surrogates, no U+0000, numbers a double cannot hold in magnitude refused,
 * the last of duplicate keys wins, depth bounded. Numbers keep their value
 * exactly: a number whose text a double would not give back carries its text
 * in `valuestring`, in plain decimal notation without exponent, which
 * clq_json_print() writes; `valuedouble` is then the nearest double. Call
 * these functions rather than cJSON's parse, print and case-insensitive
 * look-ups, which do none of this.
 *
 * To change a number, replace its item (clq_json_set()): writing valuedouble
 * would leave the old text. Code that nests trees deeper than it got them must
 * bound the depth itself: what is printed deeper than CLQ_JSON_MAX_DEPTH cannot
 * be parsed again.
 */
#ifndef CLQ_JSON_H
#define CLQ_JSON_H

#include <cjson/cJSON.h>

#include <cliquet/arena.h>
#include <cliquet/buf.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLQ_JSON_MAX_DEPTH = 100 };	/* nested arrays and objects */

/*
 * Parse text. The tree is owned by the arena: do not cJSON_Delete() it, and
 * detached parts must be handed to clq_json_own().
 *
 * why     out, on failure only: short text for "Invalid JSON: <why>", with
 *         the byte offset; in the arena
 * Returns CLQ_OK or CLQ_INVALID (clq_fail() is left to the caller).
 */
CLQ_API enum clq_status clq_json_parse(struct clq_arena *arena,
    struct clq_str text, cJSON **out, struct clq_str *why) CLQ_MUST_CHECK;

/* Tie a tree made with cJSON_Create*() to the arena; returns it. */
CLQ_API cJSON *clq_json_own(struct clq_arena *arena, cJSON *tree);

/* A deep copy owned by the arena, number texts included. */
CLQ_API cJSON *clq_json_dup(struct clq_arena *arena, const cJSON *tree);

/* Compact text, UTF-8 unescaped, numbers exact. */
CLQ_API void clq_json_print(struct clq_buf *b, const cJSON *tree);
CLQ_API struct clq_str clq_json_text(struct clq_arena *arena,
    const cJSON *tree);

/*
 * The tree of an object as text without its top-level keys `id` and
 * `last_modified`: the form in which records are stored.
 */
CLQ_API struct clq_str clq_json_stored(struct clq_arena *arena,
    const cJSON *object);

/* Member of an object by exact name, or NULL. */
CLQ_API cJSON *clq_json_get(const cJSON *object, const char *name);

/*
 * Follow a dotted path (section 04-3): the longest literal key first, then
 * descend. NULL if missing. Arrays are not entered.
 */
CLQ_API cJSON *clq_json_path(const cJSON *object, struct clq_str path);

/* Slice over a string item; absent slice if item is not a string. */
CLQ_API struct clq_str clq_json_str(const cJSON *item);

/* True if item is a number that is an integer within 64 bits. */
CLQ_API bool clq_json_int(const cJSON *item, int64_t *out) CLQ_MUST_CHECK;

/* Add or replace a member; takes over value, which is not arena-owned. */
CLQ_API void clq_json_set(cJSON *object, const char *name, cJSON *value);

/* Remove a member, if present. */
CLQ_API void clq_json_remove(cJSON *object, const char *name);

/* New items for clq_json_set(). Integers beyond 2^53 keep their value. */
CLQ_API cJSON *clq_json_new_int(int64_t v);
CLQ_API cJSON *clq_json_new_str(struct clq_str s);

/* Equal as section 04-3 says: 1 == 1.0, key order irrelevant, exact. */
CLQ_API bool clq_json_equal(const cJSON *a, const cJSON *b);

/* The place of a value's type in the order of section 04-3: 0 null, 1 string,
 * 2 number, 3 boolean, 4 array, 5 object; 6 for NULL, which is "missing". */
CLQ_API int clq_json_rank(const cJSON *v);

/* The total order of section 04-3, of types first. */
CLQ_API int clq_json_cmp(const cJSON *a, const cJSON *b);

#ifdef __cplusplus
}
#endif
#endif
