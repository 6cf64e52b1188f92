/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a worker's connections, for the case that it is killed.
 *
 * SIGKILL and the kernel's own reasons leave no time for a handler, and close
 * all connections with whatever the web server has sent on them. So each worker
 * has a companion: a process that shares its table of descriptors, sleeps, and
 * when the worker is gone puts its connections into the queue (handover.h), all
 * but the one that was being served. It costs nothing per request, and no
 * memory but its own pages.
 */
#ifndef CLQ_FCGI_KEEPER_H
#define CLQ_FCGI_KEEPER_H

#include <sys/types.h>

#include "connection.h"

/* Start it, in a worker, before anything but t is opened. 0 if there is none:
 * without a queue, or where the system does not let us. */
pid_t clq_keeper_start(struct clq_conns *t, const struct clq_handover *h);

/* The worker ends in good order. */
void clq_keeper_stop(pid_t keeper);

#endif
