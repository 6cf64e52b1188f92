/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections wait to be accepted: the first sign of too few workers.
 */
#ifndef CLQ_FCGI_BACKLOG_H
#define CLQ_FCGI_BACKLOG_H

#include "listen.h"

/*
 * Sums over all listening sockets: connections that wait, and how many may. -1
 * for what the kernel does not tell. In the master, or the only process.
 */
void clq_backlog_read(const struct clq_listeners *l, int *waiting,
    int *backlog);

#endif
