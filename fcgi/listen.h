/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets: our own, or those of whoever started us.
 *
 * libfcgi's FCGX_OpenSocket is not used: it removes what is at the path
 * unasked and ends the process on errors. All sockets are non-blocking and
 * close-on-exec. In the master, before privileges are dropped; workers inherit
 * the descriptors.
 */
#ifndef CLQ_FCGI_LISTEN_H
#define CLQ_FCGI_LISTEN_H

#include <sys/types.h>

#include "conf.h"

enum { CLQ_MAX_LISTENERS = 16 };

struct clq_listener {
	int	 fd;
	char	*name;		/* as in the settings, or "fd 3"; owned */
	dev_t	 dev;		/* of our socket file, */
	ino_t	 ino;		/* 0: there is none of ours */
};

struct clq_listeners {
	struct clq_listener	items[CLQ_MAX_LISTENERS];
	size_t			n;
	bool			inherited;
};

enum clq_started_by {
	CLQ_STARTED_ALONE,	/* sockets come from the settings */
	CLQ_STARTED_STDIN,	/* one on descriptor 0: spawn-fcgi, mod_fcgid */
	CLQ_STARTED_SYSTEMD	/* LISTEN_FDS */
};

/*
 * Take over sockets that we were started with. Variables LISTEN_* are removed
 * from the environment. l must be empty; ALONE leaves it so.
 */
enum clq_started_by clq_listeners_inherit(struct clq_listeners *l);

/*
 * Make l listen on exactly conf->sockets: open what is new, keep what stays,
 * close what is gone. On CLQ_FAILED (logged, with the remedy) l is unchanged.
 * A socket file that nobody answers on is replaced; one in use is not.
 */
enum clq_status clq_listeners_update(struct clq_listeners *l,
    const struct clq_conf *conf) CLQ_MUST_CHECK;

/* Close all. remove: our socket files go, too (the last process does it). */
void clq_listeners_close(struct clq_listeners *l, bool remove);

/*
 * A connection from a listening descriptor, non-blocking; -1 with errno. A
 * TCP peer that FCGI_WEB_SERVER_ADDRS does not name is turned away (EAGAIN).
 */
int clq_listener_accept(int fd);

#endif
