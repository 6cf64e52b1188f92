/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of the protocol (section 02): the registry, and turning what
 * clq_fail() and clq_invalid() noted into a response.
 */
#ifndef CLQ_ERROR_H
#define CLQ_ERROR_H

#include <cliquet/errors.h>

#include "request.h"

/* HTTP status of the error noted in req: its own, else the registry's; 0 if
 * there is none. */
int clq_error_status(const struct clq_request *req);

/*
 * The one place where a status without an error becomes an error: 503/201 for
 * UNAVAILABLE, READONLY and RETRY, 409/122 for CONFLICT, 500/999 (logged) for
 * the rest; CLQ_OK and CLQ_DONE are that of a view without an answer.
 */
void clq_error_of_status(struct clq_request *req, enum clq_status status);

/*
 * What a resource's hook returned, for its caller to return. Where it would be
 * 500 it is so here, and logged with both names. hook: of clq_resource.
 */
enum clq_status clq_error_of_hook(struct clq_request *req,
    const char *resource, const char *hook, enum clq_status status)
    CLQ_MUST_CHECK;

/* Replace the response by the error noted: status, body of section 02-1,
 * WWW-Authenticate, Retry-After. Headers that a view set are dropped but for
 * those of a 412 (ETag, Last-Modified) and Allow. */
void clq_error_render(struct clq_request *req);

#endif
