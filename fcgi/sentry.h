/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that sends events to Sentry.
 */
#ifndef CLQ_FCGI_SENTRY_H
#define CLQ_FCGI_SENTRY_H

#include "dsn.h"

/*
 * Send what comes out of fd to dsn, until SIGTERM; then what is there, for a
 * moment. In the helper process; does not return.
 */
_Noreturn void clq_sentry_run(const struct clq_dsn *dsn, int fd);

#endif
