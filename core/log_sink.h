/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lines of the log go: a stream, syslog, or systemd's journal.
 *
 * Process-wide, inherited over fork; standard error until clq_sink_open(). A
 * destination that fails costs lines, never a request and never more than a
 * second once: what could not be written is counted over all processes, the
 * first loss is told on standard error, the end of it in the log itself.
 */
#ifndef CLQ_LOG_SINK_H
#define CLQ_LOG_SINK_H

#include <stddef.h>

#include "log_conf.h"

enum clq_sink_target { CLQ_SINK_STREAM, CLQ_SINK_SYSLOG, CLQ_SINK_JOURNAL };

struct clq_sink {
	enum clq_sink_target	 target;
	int			 fd;		/* stream or datagram socket */
	enum clq_log_level	 level;
	bool			 json;
	bool			 colour;
	int			 facility;	/* of syslog */
	char			 logger[64];	/* MozLog's "Logger" */
};

/* Read by log.c, written by log_conf.c. */
extern struct clq_sink clq_sink;

/*
 * From now on lines go to target. fd: of a stream, taken over unless it is
 * standard error. socket: path of the service. name: what a message about it
 * calls it; copied.
 */
void clq_sink_open(enum clq_sink_target target, int fd, const char *socket,
    const char *name);

/*
 * True if lines go to standard error and systemd's journal reads that, as
 * JOURNAL_STREAM says (systemd.exec(5)). It knows when and who, and takes "<3>"
 * before a line for its level (sd-daemon(3)).
 */
bool clq_sink_in_journal(void);

/* One line with its newline. */
void clq_sink_write(enum clq_log_level level, const char *line, size_t len);

/* Fields that go to the journal beside the next line. */
void clq_sink_fields(const char *type, const struct clq_log_field *fields,
    size_t n);

#endif
