/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content negotiation, section 01-3: what the client accepts, what it sent.
 */
#ifndef CLQ_NEGOTIATION_H
#define CLQ_NEGOTIATION_H

#include "request.h"

/* True if an Accept header (absent: true) admits application/json. */
bool clq_accepts_json(struct clq_str accept);

/* The media type of a Content-Type header, without parameters and blanks. */
struct clq_str clq_media_type(struct clq_str content_type);

/*
 * For a resource's endpoint: 406 if JSON is not wanted, 415 for a body that
 * POST, PUT or PATCH do not take. CLQ_OK or CLQ_INVALID.
 */
enum clq_status clq_negotiate(struct clq_request *req) CLQ_MUST_CHECK;

/* 415 unless the Content-Type is application/json or absent: for batch. */
enum clq_status clq_negotiate_json_body(struct clq_request *req)
    CLQ_MUST_CHECK;

#endif
