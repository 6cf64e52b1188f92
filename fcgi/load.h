/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ini file to a server that can be run; at start and at reload.
 */
#ifndef CLQ_FCGI_LOAD_H
#define CLQ_FCGI_LOAD_H

#include "../core/server.h"
#include "conf.h"

/*
 * Read and check the settings. path NULL: defaults and environment. Nothing is
 * changed in this process. On failure everything wrong has been said and
 * *settings is NULL.
 */
enum clq_status clq_load_settings(const char *path,
    struct clq_settings **settings, struct clq_conf *conf) CLQ_MUST_CHECK;

#endif
