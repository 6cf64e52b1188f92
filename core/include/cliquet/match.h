/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters, sorting and pages over objects in memory (section 04-3, 04-6): for
 * storage backends without a query language, and for lists that no storage
 * holds. Pure functions, in any process.
 */
#ifndef CLQ_MATCH_H
#define CLQ_MATCH_H

#include <cliquet/json.h>
#include <cliquet/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

/* True if the tree of an object passes the filter. scratch: for what is needed
 * on the way. */
CLQ_API bool clq_match(struct clq_arena *scratch, const cJSON *tree,
    const struct clq_filter *f);

/* The order of two objects by the values of q's sort fields; NULL: missing. */
CLQ_API int clq_sort_cmp(const struct clq_query *q, const cJSON *const *a,
    const cJSON *const *b);

/*
 * What `list` of a storage backend returns (storage.h), chosen from all objects
 * of the list, tombstones included: filtered, sorted, resumed and limited.
 * q->coll is not looked at. Costs time for each object, and a parsed document
 * for each if a filter or sort needs one.
 *
 * out  copies of the structures in arena, texts borrowed from `objects`
 * Returns CLQ_OK, or CLQ_FAILED (logged) if a document is not a JSON object.
 */
CLQ_API enum clq_status clq_select(struct clq_arena *arena,
    const struct clq_query *q, const struct clq_object *objects, size_t n,
    struct clq_page *out) CLQ_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
