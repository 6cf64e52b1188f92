/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master: keeps workers running, and never serves.
 */
#ifndef CLQ_FCGI_MASTER_H
#define CLQ_FCGI_MASTER_H

#include "privileges.h"
#include "worker.h"

struct clq_master_start {
	const char		*ini;		/* NULL: none; read again on HUP */
	struct clq_server	*server;	/* taken over */
	struct clq_conf		 conf;
	struct clq_listeners	*listeners;
	struct clq_pidfile	*pidfile;
	int			 workers;	/* of the command line; 0: not given */
};

/*
 * Run until the service has ended. Also returns in each forked worker, after
 * its end: either way the result is the exit status of the process.
 */
int clq_master_run(const struct clq_master_start *start);

#endif
