/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing, configuring, opening and closing the backends (section 09-5).
 */
#ifndef CLQ_BACKENDS_H
#define CLQ_BACKENDS_H

#include <cliquet/app.h>

/*
 * Load the plugins that `storage_backend`, `permission_backend` and
 * `cache_backend` name and configure an instance of each; in the master. One
 * plugin with one URL serves storage and permission as one instance. CLQ_OK or
 * CLQ_INVALID (all problems said).
 */
enum clq_status clq_backends_configure(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* In a worker. The first failure is returned. */
enum clq_status clq_backends_open(struct clq_server *srv) CLQ_MUST_CHECK;

/* Close each instance once; also after a configure that failed half-way. */
void clq_backends_close(struct clq_server *srv);

#endif
