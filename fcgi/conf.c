/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the server process (see conf.h).
 *
 * Types and bounds are checked by core's table of settings; here is what the
 * table cannot say.
 */
#include "conf.h"

#include <arpa/inet.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

/* An empty text means the same as none. */
static const char *
text(const struct clq_settings *s, const char *key)
{
	const char *v = clq_settings_cstr(s, key);

	return v == NULL || *v == '\0' ? NULL : v;
}

static clq_msec
seconds(const struct clq_settings *s, const char *key, int64_t def)
{
	return clq_settings_int(s, key, def) * 1000;
}

static enum clq_status
read_mode(struct clq_settings *s, mode_t *mode)
{
	const char *v = text(s, "socket_mode");
	char *end;
	unsigned long n;

	*mode = 0660;
	if (v == NULL)
		return CLQ_OK;
	n = strtoul(v, &end, 8);
	if (*end != '\0' || n > 0777)
		return clq_settings_error(s, "socket_mode",
		    "not an octal mode like 0660");
	*mode = (mode_t)n;
	return CLQ_OK;
}

/* Levels are those of Python's logging, as in existing files. */
static enum clq_status
read_sentry(struct clq_settings *s, struct clq_conf *conf)
{
	conf->sentry_env = text(s, "sentry_env");
	conf->sentry_level = clq_settings_int(s, "sentry_events_min_level",
	    30) > 30 ? CLQ_LOG_ERROR : CLQ_LOG_WARNING;
	if (text(s, "sentry_dsn") == NULL ||
	    clq_dsn_parse(clq_settings_str(s, "sentry_dsn"), &conf->sentry))
		return CLQ_OK;
	return clq_settings_error(s, "sentry_dsn", "not a DSN; write "
	    "https://KEY@HOST/PROJECT, as Sentry shows it");
}

/* Said before anything is opened, with the line of the file. */
static enum clq_status
check_names(struct clq_settings *s)
{
	static const struct {
		const char	*key;
		bool		 group;
	} names[] = {
		{ "user", false }, { "group", true },
		{ "socket_owner", false }, { "socket_group", true },
	};
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < CLQ_COUNT(names); i++) {
		const char *v = text(s, names[i].key);

		if (v == NULL || (names[i].group ? getgrnam(v) != NULL :
		    getpwnam(v) != NULL))
			continue;
		rc = clq_settings_error(s, names[i].key, "there is no %s "
		    "\"%s\"; make it, or name another",
		    names[i].group ? "group" : "user", v);
	}
	return rc;
}

/* Who may see the status page: addresses as the web server sends them. */
static enum clq_status
check_allowed(struct clq_settings *s, struct clq_strs allowed)
{
	unsigned char address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < allowed.n; i++) {
		struct clq_str a = allowed.items[i];

		(void)snprintf(text, sizeof text, "%.*s", CLQ_FMT(a));
		/* nginx: "unix:" for clients on a socket of its own */
		if (!clq_str_is(a, "all") && !clq_str_is(a, "unix:") &&
		    (a.len >= sizeof text ||
		    (inet_pton(AF_INET, text, address) != 1 &&
		    inet_pton(AF_INET6, text, address) != 1)))
			return clq_settings_error(s, "status_allow", "'%.*s' "
			    "is no address; write addresses, as in 127.0.0.1 "
			    "::1, or all; names and networks are not known",
			    CLQ_FMT(a));
	}
	return CLQ_OK;
}

enum clq_status
clq_conf_read(struct clq_settings *s, struct clq_conf *conf)
{
	enum clq_status rc;

	*conf = (struct clq_conf){
		.sockets = clq_settings_list(s, "socket"),
		.socket_owner = text(s, "socket_owner"),
		.socket_group = text(s, "socket_group"),
		.backlog = (int)clq_settings_int(s, "backlog", 1024),
		.workers = (int)clq_settings_int(s, "workers", 2),
		.max_requests = clq_settings_int(s, "max_requests", 0),
		.status_path = text(s, "status_path"),
		.status_allow = clq_settings_list(s, "status_allow"),
		.slow_request = clq_settings_int(s, "slow_request_ms", 1000),
		.request_timeout = seconds(s, "request_timeout", 60),
		.shutdown_timeout = seconds(s, "shutdown_timeout", 30),
		.idle_timeout = seconds(s, "connection_idle_timeout", 60),
		.read_timeout = seconds(s, "connection_read_timeout", 10),
		.max_connections = (int)clq_settings_int(s,
		    "max_connections_per_worker", 64),
		.max_body = (size_t)clq_settings_int(s, "max_body_bytes",
		    16 << 20),
		.max_params = (size_t)clq_settings_int(s, "max_params_bytes",
		    256 << 10),
		.pidfile = text(s, "pidfile"),
		.user = text(s, "user"),
		.group = text(s, "group"),
		.daemonize = clq_settings_bool(s, "daemonize", false),
	};
	rc = read_mode(s, &conf->socket_mode);
	if (conf->status_path != NULL && conf->status_path[0] != '/')
		rc = clq_settings_error(s, "status_path", "begin it with a "
		    "slash, as in /__status__");
	if (read_sentry(s, conf) != CLQ_OK ||
	    check_allowed(s, conf->status_allow) != CLQ_OK)
		rc = CLQ_INVALID;
	return check_names(s) != CLQ_OK ? CLQ_INVALID : rc;
}
