/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the settings to the log's level, format and destination.
 *
 * All settings are looked at before anything is changed: a reload or a signal to
 * reopen leaves the log as it was if something is wrong.
 */
#include "log_conf.h"

#include <cliquet/str.h>

#include "log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum clq_status
parse_level(struct clq_settings *s, enum clq_log_level *level)
{
	struct clq_str v = clq_settings_str(s, "log_level");

	if (v.p == NULL || clq_str_caseis(v, "info"))
		*level = CLQ_LOG_INFO;
	else if (clq_str_caseis(v, "error"))
		*level = CLQ_LOG_ERROR;
	else if (clq_str_caseis(v, "warning"))
		*level = CLQ_LOG_WARNING;
	else if (clq_str_caseis(v, "debug"))
		*level = CLQ_LOG_DEBUG;
	else
		return clq_settings_error(s, "log_level", "'%.*s' is unknown; "
		    "write error, warning, info or debug", CLQ_FMT(v));
	return CLQ_OK;
}

static enum clq_status
parse_format(struct clq_settings *s, bool *json)
{
	struct clq_str v = clq_settings_str(s, "log_format");

	*json = v.p != NULL && clq_str_caseis(v, "json");
	if (v.p == NULL || *json || clq_str_caseis(v, "text"))
		return CLQ_OK;
	return clq_settings_error(s, "log_format",
	    "'%.*s' is unknown; write text or json", CLQ_FMT(v));
}

/* What and where, out of the settings. */
struct wish {
	enum clq_log_level	 level;
	bool			 json;
	enum clq_sink_target	 target;
	int			 facility;
};

static enum clq_status
parse_target(struct clq_settings *s, enum clq_sink_target *target)
{
	struct clq_str v = clq_settings_str(s, "log_target");

	*target = CLQ_SINK_STREAM;
	if (v.len == 0 || clq_str_caseis(v, "file"))
		return CLQ_OK;
	if (clq_str_caseis(v, "syslog"))
		*target = CLQ_SINK_SYSLOG;
	else if (clq_str_caseis(v, "journald"))
		*target = CLQ_SINK_JOURNAL;
	else
		return clq_settings_error(s, "log_target", "'%.*s' is unknown; "
		    "write file, syslog or journald", CLQ_FMT(v));
	return CLQ_OK;
}

static enum clq_status
parse_facility(struct clq_settings *s, int *facility)
{
	static const struct {
		const char	*name;
		int		 number;	/* of RFC 5424 */
	} known[] = {
		{ "daemon", 3 }, { "user", 1 }, { "local0", 16 },
		{ "local1", 17 }, { "local2", 18 }, { "local3", 19 },
		{ "local4", 20 }, { "local5", 21 }, { "local6", 22 },
		{ "local7", 23 },
	};
	struct clq_str v = clq_settings_str(s, "syslog_facility");

	*facility = 3;
	for (size_t i = 0; i < CLQ_COUNT(known); i++)
		if (v.len == 0 || clq_str_caseis(v, known[i].name)) {
			*facility = known[i].number;
			return CLQ_OK;
		}
	return clq_settings_error(s, "syslog_facility", "'%.*s' is unknown; "
	    "write daemon, user or local0 to local7", CLQ_FMT(v));
}

static enum clq_status
parse(struct clq_settings *s, struct wish *w)
{
	bool good = parse_level(s, &w->level) == CLQ_OK;

	good = parse_format(s, &w->json) == CLQ_OK && good;
	good = parse_target(s, &w->target) == CLQ_OK && good;
	good = parse_facility(s, &w->facility) == CLQ_OK && good;
	return good ? CLQ_OK : CLQ_INVALID;
}

enum clq_status
clq_log_check(struct clq_settings *s)
{
	struct wish w;

	return parse(s, &w);
}

static bool
want_colour(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && getenv("NO_COLOR") == NULL && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

/* The descriptor of a file; -1, said, if it cannot be opened. */
static int
open_file(struct clq_settings *s, struct clq_str file)
{
	int fd = open(clq_settings_cstr(s, "log_file"), O_WRONLY | O_APPEND |
	    O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd == -1)
		(void)clq_settings_error(s, "log_file", "cannot open %.*s: %s; "
		    "create its folder, or let the server's user write there",
		    CLQ_FMT(file), strerror(errno));
	return fd;
}

enum clq_status
clq_log_configure(struct clq_settings *s)
{
	struct clq_str file = clq_settings_str(s, "log_file");
	const char *name = clq_settings_cstr(s, "project_name");
	int fd = STDERR_FILENO;
	struct wish w;

	if (parse(s, &w) != CLQ_OK)
		return CLQ_INVALID;
	if (w.target == CLQ_SINK_STREAM && file.len != 0 &&
	    !clq_str_is(file, "-") && (fd = open_file(s, file)) == -1)
		return CLQ_INVALID;
	clq_sink.level = w.level;
	clq_sink.json = w.json;
	clq_sink.facility = w.facility;
	clq_sink.colour = !w.json && w.target == CLQ_SINK_STREAM &&
	    want_colour(fd);
	snprintf(clq_sink.logger, sizeof clq_sink.logger, "%s",
	    name != NULL && *name != '\0' ? name : "cliquet");
	clq_sink_open(w.target, fd, clq_settings_cstr(s,
	    w.target == CLQ_SINK_SYSLOG ? "syslog_socket" :
	    "journald_socket"), fd == STDERR_FILENO ? "standard error" :
	    clq_settings_cstr(s, "log_file"));
	return CLQ_OK;
}

int
clq_log_fd(void)
{
	return clq_sink.fd;
}

bool
clq_log_json(void)
{
	return clq_sink.json;
}

void
clq_log_set_level(enum clq_log_level level)
{
	clq_sink.level = level;
}
