/* SPDX-License-Identifier: Apache-2.0 */
/* Where the log goes and how it looks: used by the programs only. */
#ifndef CLQ_LOG_CONF_H
#define CLQ_LOG_CONF_H

#include <cliquet/log.h>
#include <cliquet/settings.h>

/*
 * Apply log_level (error warning info debug), log_format (text json) and
 * log_target: log_file ("" or "-": standard error), syslog or journald. Text is
 * coloured on a terminal.
 * CLQ_INVALID (said) if the file cannot be opened. Also reopens: call it again
 * on SIGUSR1.
 */
CLQ_API enum clq_status clq_log_configure(struct clq_settings *s)
    CLQ_MUST_CHECK;

/* Only look whether level, format, target and facility are right. CLQ_OK or
 * CLQ_INVALID (said). For `cliquet check-config`, which must not create the
 * file. */
CLQ_API enum clq_status clq_log_check(struct clq_settings *s) CLQ_MUST_CHECK;

/* Write lines up to this level, until the next clq_log_configure(). */
CLQ_API void clq_log_set_level(enum clq_log_level level);

/* A field of a structured line: a text, or a number if text.p is NULL. */
struct clq_log_field {
	const char	*name;
	struct clq_str	 text;
	int64_t		 number;
	struct clq_str	 json;	/* for JSON, instead of text: a whole value */
};

/*
 * One structured line of the given type ("request.summary"): in text, the
 * fields as name=value; in JSON, MozLog's Fields (section 07-9).
 */
CLQ_API void clq_log_fields(enum clq_log_level level, const char *type,
    const struct clq_log_field *fields, size_t n);

/* Called with each message that is written: its format, and the text. */
typedef void clq_log_reporter_f(enum clq_log_level level, const char *format,
    struct clq_str message);
CLQ_API void clq_log_set_reporter(clq_log_reporter_f *fn);

/* The descriptor lines are written to, or -1. */
CLQ_API int clq_log_fd(void);

/* True if lines are JSON. */
CLQ_API bool clq_log_json(void);

/* True if lines of this level are written: to skip work for the others. */
CLQ_API bool clq_log_enabled(enum clq_log_level level);

#endif
