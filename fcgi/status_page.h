/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status page: what `status_path` serves, from the scoreboard.
 */
#ifndef CLQ_FCGI_STATUS_PAGE_H
#define CLQ_FCGI_STATUS_PAGE_H

#include "fcgi_request.h"
#include "worker.h"

/*
 * If in asks for the status page and may see it: answer, true. Else false, and
 * the request is core's. In a worker.
 */
bool clq_status_page(const struct clq_worker *w, struct clq_incoming *in);

#endif
