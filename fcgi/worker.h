/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the process that serves requests, one at a time.
 *
 * Forked by the master, or the only process when a process manager (spawn-fcgi,
 * mod_fcgid) started the server. Ends when told to, after max_requests, or when
 * its backends cannot be opened at all.
 */
#ifndef CLQ_FCGI_WORKER_H
#define CLQ_FCGI_WORKER_H

#include "../core/server.h"
#include "conf.h"
#include "handover.h"
#include "listen.h"
#include "scoreboard.h"

struct clq_worker {
	struct clq_server		*server;
	const struct clq_conf		*conf;
	const struct clq_listeners	*listeners;
	struct clq_handover		 handover;	/* -1s without a master */
	struct clq_slot			*slot;
	struct clq_scoreboard		*board;		/* slot is in it */
	pid_t				 master;	/* 0: none */
};

/*
 * Serve until it is time to leave. Signals must be blocked by the caller
 * (clq_signals_block); they are taken while waiting only. Returns the exit
 * status of the process.
 */
int clq_worker_run(const struct clq_worker *w);

#endif
