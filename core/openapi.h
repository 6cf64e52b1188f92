/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service offers, for programs and for people (section 07-3):
 * /__api__ is an OpenAPI 2.0 document, /__api__.html a page made of it.
 */
#ifndef CLQ_OPENAPI_H
#define CLQ_OPENAPI_H

#include "request.h"

struct clq_openapi;		/* srv->openapi; NULL: not offered */

/*
 * Unless `openapi_enabled` is false, add the two services and make both texts.
 * In the master, after everything that adds routes, resources or policies.
 * CLQ_OK, or CLQ_INVALID (logged).
 */
enum clq_status clq_openapi_configure(struct clq_server *srv) CLQ_MUST_CHECK;

#endif
