/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sub-request of a batch is going to look up, before it runs.
 */
#ifndef CLQ_AHEAD_H
#define CLQ_AHEAD_H

#include "request.h"

/*
 * The look-up with which sub will begin, complete but for its answers, or NULL
 * if that is not known. Finds out who the caller is; leaves sub as it was
 * otherwise. In sub's arena.
 */
struct clq_lookup *clq_look_ahead(struct clq_request *sub);

#endif
