/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints that every service has (sections 05 and 07-1 to 07-3).
 */
#ifndef CLQ_VIEWS_H
#define CLQ_VIEWS_H

#include "request.h"

/* Register hello, heartbeats, version, contribute.json and batch. In the
 * master, before the application's own. */
enum clq_status clq_views_setup(struct clq_server *srv) CLQ_MUST_CHECK;

#endif
