/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming a service: user, pid file, background.
 *
 * In the master (or the only process), once, before anything is forked.
 */
#ifndef CLQ_FCGI_PRIVILEGES_H
#define CLQ_FCGI_PRIVILEGES_H

#include <cliquet/types.h>

/*
 * Become user and group for good. NULL user: stay; NULL group: the user's own.
 * Without root, only a user that we are already is accepted. CLQ_FAILED is
 * logged.
 */
enum clq_status clq_become(const char *user, const char *group)
    CLQ_MUST_CHECK;

struct clq_pidfile {
	int	 fd;		/* -1: none */
	char	*path;
};

/*
 * Write our pid. The file stays locked while we live, so a second server with
 * the same one is refused, and a left-over file is not in the way. path NULL:
 * no file. CLQ_FAILED is logged.
 */
enum clq_status clq_pidfile_open(struct clq_pidfile *f, const char *path)
    CLQ_MUST_CHECK;

/* In a forked worker: let go of it. In the master: remove it. */
void clq_pidfile_forget(struct clq_pidfile *f);
void clq_pidfile_remove(struct clq_pidfile *f);

/*
 * Go on in the background, in a session of our own. The first process waits
 * until clq_daemon_ready() or our end, so that its exit status tells how the
 * start went. The working directory stays, since paths in the settings may be
 * relative to it. CLQ_DONE: this is the first process, *status is what it has
 * to exit with.
 */
enum clq_status clq_daemonize(int *status) CLQ_MUST_CHECK;

/* The start has succeeded: release the first process, drop the terminal. */
void clq_daemon_ready(void);

#endif
