/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings of the server process, read once into plain values.
 *
 * The master fills it at start-up and at each reload; a worker inherits the
 * one of its generation over fork. Texts belong to the settings, which live as
 * long as the server object (core/server.h) that took them over.
 */
#ifndef CLQ_FCGI_CONF_H
#define CLQ_FCGI_CONF_H

#include <sys/types.h>

#include <cliquet/log.h>
#include <cliquet/settings.h>

#include "dsn.h"

struct clq_conf {
	struct clq_strs	 sockets;	/* paths and host:port */
	mode_t		 socket_mode;
	const char	*socket_owner;	/* NULL: unchanged */
	const char	*socket_group;
	int		 backlog;
	int		 workers;
	int64_t		 max_requests;	/* 0: no end */
	const char	*status_path;	/* NULL: no status page */
	struct clq_strs	 status_allow;	/* addresses; "all" */
	clq_msec	 slow_request;	/* 0: none is */
	clq_msec	 request_timeout;	/* 0: none */
	clq_msec	 shutdown_timeout;
	clq_msec	 idle_timeout;
	clq_msec	 read_timeout;
	int		 max_connections;	/* per worker */
	size_t		 max_body;	/* bytes */
	size_t		 max_params;	/* bytes */
	const char	*pidfile;	/* NULL: none */
	const char	*user;		/* NULL: stay */
	const char	*group;
	bool		 daemonize;
	struct clq_dsn	 sentry;	/* url empty: none */
	const char	*sentry_env;	/* NULL: none */
	enum clq_log_level sentry_level; /* reported up to this one */
};

/*
 * Read s into *conf. In the master. Wrong values are said through
 * clq_settings_error(): then CLQ_INVALID, and *conf must not be used.
 */
enum clq_status clq_conf_read(struct clq_settings *s, struct clq_conf *conf)
    CLQ_MUST_CHECK;

#endif
