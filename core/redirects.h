/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redirects of core itself: missing version prefix, trailing slash (01-1).
 */
#ifndef CLQ_REDIRECTS_H
#define CLQ_REDIRECTS_H

#include "request.h"

struct clq_move {
	struct clq_str	path;		/* still percent-encoded */
	int64_t		ttl;		/* for caches; -1: not said */
};

/* True if the path lacks a version prefix and redirecting is enabled. To be
 * asked before routing. */
bool clq_move_to_version(const struct clq_request *req, struct clq_move *out);

/* True if the unmatched path ends in slashes, or is the bare prefix, and
 * redirecting is enabled. To be asked after routing. */
bool clq_move_slash(const struct clq_request *req, struct clq_move *out);

/* Answer 307 with the query string as it came. Returns CLQ_DONE. */
enum clq_status clq_move_reply(struct clq_request *req,
    const struct clq_move *move);

#endif
