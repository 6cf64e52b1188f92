/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on text slices: search, trim, split, numbers, URL and UTF-8 coding.
 *
 * No function keeps a pointer; those that need memory take an arena.
 */
#ifndef CLQ_STR_H
#define CLQ_STR_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True if s begins, or ends, with that text. */
CLQ_API bool clq_str_starts(struct clq_str s, const char *prefix);
CLQ_API bool clq_str_ends(struct clq_str s, const char *suffix);

/* Equal but for the case of A-Z. */
CLQ_API bool clq_str_caseis(struct clq_str s, const char *c);
CLQ_API bool clq_str_caseeq(struct clq_str a, struct clq_str b);

/* Offset of the first c at or after from; s.len if there is none. */
CLQ_API size_t clq_str_find(struct clq_str s, char c, size_t from);

/* Offset of the first occurrence of needle; s.len if there is none. */
CLQ_API size_t clq_str_search(struct clq_str s, struct clq_str needle);

/* The part [from, to), both clamped to the length of s. */
CLQ_API struct clq_str clq_str_sub(struct clq_str s, size_t from, size_t to);

/* Without space, tab, CR and LF at both ends. */
CLQ_API struct clq_str clq_str_trim(struct clq_str s);

/*
 * Take the text before the next sep off *rest and put it in *item, without
 * copying. False when *rest is exhausted. "a,,b" yields "a", "", "b"; the
 * empty text yields nothing, and a sep at the very end adds no item.
 */
CLQ_API bool clq_str_next(struct clq_str *rest, char sep,
    struct clq_str *item);

/* The same for items separated by blanks of any number, never empty. */
CLQ_API bool clq_str_next_word(struct clq_str *rest, struct clq_str *item);

/* Bytewise order, as strcmp. */
CLQ_API int clq_str_cmp(struct clq_str a, struct clq_str b);

/* Decimal digits with an optional sign; false on anything else or overflow. */
CLQ_API bool clq_str_int(struct clq_str s, int64_t *out) CLQ_MUST_CHECK;

/* True if the list holds s. */
CLQ_API bool clq_strs_has(struct clq_strs list, struct clq_str s);

/*
 * Append a borrowed s to a list whose array grows in the arena. Start with
 * { 0 }; a list over another array (cap == 0) is copied first. Of two copies
 * of one struct clq_strs only one may be appended to.
 */
CLQ_API void clq_strs_add(struct clq_arena *arena, struct clq_strs *list,
    struct clq_str s);

/* Shell-style match: '*' any run, '?' one byte, anything else itself. */
CLQ_API bool clq_str_glob(struct clq_str s, struct clq_str pattern);

/* In lower case, letters beyond ASCII too; in the arena. */
CLQ_API struct clq_str clq_str_lower(struct clq_arena *arena,
    struct clq_str s);

/* Well-formed UTF-8 without overlong forms and surrogates (RFC 3629). */
CLQ_API bool clq_utf8_valid(struct clq_str s);

/*
 * Percent-decode. plus: '+' means a space (query strings). An incomplete
 * escape stays as it is. The result may hold any byte: check its UTF-8.
 */
CLQ_API struct clq_str clq_url_decode(struct clq_arena *arena,
    struct clq_str s, bool plus);

/*
 * Percent-encode everything but letters, digits and "-._~"; what `keep` names
 * stays too. plus: a space becomes '+', else "%20".
 */
CLQ_API struct clq_str clq_url_encode(struct clq_arena *arena,
    struct clq_str s, const char *keep, bool plus);

#ifdef __cplusplus
}
#endif
#endif
