/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event on standard error, or where the settings say.
 *
 * Text for people or JSON in MozLog form (section 07-9), chosen by the setting
 * `log_format`. Never put a secret or an Authorization header in a message.
 * Callable in every process; a line is written with one write(2).
 */
#ifndef CLQ_LOG_H
#define CLQ_LOG_H

#include <stdarg.h>

#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clq_log_level {
	CLQ_LOG_ERROR = 3,	/* syslog's numbers, MozLog's Severity */
	CLQ_LOG_WARNING = 4,
	CLQ_LOG_INFO = 6,
	CLQ_LOG_DEBUG = 7
};

/* Without a final newline; newlines inside are written as "\n". */
CLQ_API void clq_log(enum clq_log_level level, const char *fmt, ...)
    CLQ_PRINTF(2, 3);
CLQ_API void clq_vlog(enum clq_log_level level, const char *fmt, va_list ap)
    CLQ_PRINTF(2, 0);

#define clq_log_err(...)	clq_log(CLQ_LOG_ERROR, __VA_ARGS__)
#define clq_log_warn(...)	clq_log(CLQ_LOG_WARNING, __VA_ARGS__)
#define clq_log_info(...)	clq_log(CLQ_LOG_INFO, __VA_ARGS__)
#define clq_log_debug(...)	clq_log(CLQ_LOG_DEBUG, __VA_ARGS__)

/*
 * The same, but each distinct key is said only once in the life of the
 * process (unknown settings, quirks). key is copied.
 */
CLQ_API void clq_log_once(enum clq_log_level level, const char *key,
    const char *fmt, ...) CLQ_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
