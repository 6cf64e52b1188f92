/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the response and giving it the headers that all have (01-6).
 */
#ifndef CLQ_RESPONSE_H
#define CLQ_RESPONSE_H

#include "request.h"

/* Status, media type (NULL: none) and body, all at once; other headers stay.
 * body is borrowed until the arena is reset. */
void clq_response_set(struct clq_request *req, int status,
    const char *content_type, struct clq_str body, bool json);

/*
 * clq_set_header() for what cannot hold a control character: a literal, or
 * text that core made of digits and its own words. Name and value are borrowed
 * until the arena is reset.
 */
void clq_set_own_header(struct clq_request *req, struct clq_str name,
    struct clq_str value);

/* Forget everything set so far: the request is run again. */
void clq_response_reset(struct clq_request *req);

/* True if a view answered. */
bool clq_response_ready(const struct clq_request *req);

/* max-age=N and Expires for N > 0, the "expired" set for 0 (01-6.3), nothing
 * for a negative number. */
void clq_response_cache(struct clq_request *req, int64_t seconds);

/* The last step: headers of 01-6.1, CORS, Content-Length; no body for HEAD. */
void clq_response_finish(struct clq_request *req);

/* s as a JSON string in ASCII, for headers: everything else as \uXXXX. s must
 * be UTF-8. */
void clq_ascii_json_str(struct clq_buf *b, struct clq_str s);

#endif
