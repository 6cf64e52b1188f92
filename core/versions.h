/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several major versions of an application, served side by side: the setting
 * `other_versions` of one ini names the others (docs/toolkit.md).
 */
#ifndef CLQ_VERSIONS_H
#define CLQ_VERSIONS_H

#include "server.h"

/* Build the servers that `other_versions` names, in the master, when srv itself
 * is complete. CLQ_OK or CLQ_INVALID (said). */
enum clq_status clq_versions_configure(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* Open them in a worker; free them. */
enum clq_status clq_versions_open(struct clq_server *srv) CLQ_MUST_CHECK;
void clq_versions_free(struct clq_server *srv);

/* The other server whose version prefix the path (as sent) has, or NULL. */
struct clq_server *clq_version_of(const struct clq_server *srv,
    struct clq_str path);

#endif
