/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters and sorting on trees in memory (section 04-3, 04-6), for lists that
 * no storage holds. Used by list.c.
 */
#ifndef CLQ_MATCH_H
#define CLQ_MATCH_H

#include <cliquet/json.h>
#include <cliquet/storage.h>

/* True if the tree of an object passes the filter. scratch: for what is needed
 * on the way. */
bool clq_match(struct clq_arena *scratch, const cJSON *tree,
    const struct clq_filter *f);

/* The order of two objects by the values of q's sort fields; NULL: missing. */
int clq_sort_cmp(const struct clq_query *q, const cJSON *const *a,
    const cJSON *const *b);

#endif
