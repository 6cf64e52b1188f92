/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several requests in one, section 05.
 */
#ifndef CLQ_BATCH_H
#define CLQ_BATCH_H

#include "request.h"

/* A value of a request and the one of `defaults` that completes it, if both
 * are objects; NULL where there is none. */
struct clq_batch_value {
	const cJSON	*own;
	const cJSON	*defaults;
};

/* One valid item of a batch. */
struct clq_batch_item {
	struct clq_str		 method;
	struct clq_str		 path;		/* as sent, with its query */
	struct clq_batch_value	 headers;	/* objects of strings */
	struct clq_batch_value	 body;		/* own: object or array */
};

struct clq_batch {
	struct clq_batch_item	*items;
	size_t			 n;
};

/* batch_parse.c: check the body against section 05-1, pair requests with their
 * defaults. CLQ_OK, or CLQ_INVALID with all errors collected. */
enum clq_status clq_batch_parse(struct clq_request *req,
    struct clq_batch *out) CLQ_MUST_CHECK;

/* The merged value as JSON text: own members, then those of the defaults that
 * it lacks, recursively. */
void clq_batch_print(struct clq_buf *b, struct clq_batch_value value);

/* POST /batch */
clq_view_f clq_batch_view;

#endif
