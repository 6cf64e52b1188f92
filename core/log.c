/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the log: one line per event, in text or as MozLog JSON.
 *
 * A line is built in a buffer on the stack and leaves with one write(2), so
 * that lines of several workers never mix (log files are opened with
 * O_APPEND). What comes from outside is made harmless first: control
 * characters and bytes that are not UTF-8 become \n or \xHH, so that nobody
 * forges a line or drives a terminal. Long texts are cut and say so. Where it
 * goes is log_sink.c's business.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "log_conf.h"
#include "log_sink.h"
#include "printable.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_CAP = 16384,	/* bytes of a line, newline included */
	TAIL_CAP = 64,		/* of those, kept for what closes a line */
	MESSAGE_CAP = 6000,	/* bytes of a message before escaping */
	FIELD_CAP = 2000,	/* bytes of a field's text before escaping */
	ONCE_MAX = 1000		/* distinct keys of clq_log_once() */
};

static struct {
	pthread_mutex_t	  lock;
	char		**keys;
	size_t		  n;
} once = { .lock = PTHREAD_MUTEX_INITIALIZER };

static clq_log_reporter_f *reporter;

/* A line under construction; what does not fit is dropped, and noted. */
struct line {
	char	p[LINE_CAP];
	size_t	len;
	size_t	cap;
	bool	full;
	enum clq_log_level level;
};

static void
put(struct line *l, const char *p, size_t n)
{
	if (l->full || n > l->cap - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->p + l->len, p, n);
	l->len += n;
}

static void
puts_(struct line *l, const char *c)
{
	put(l, c, strlen(c));
}

static void CLQ_PRINTF(2, 3)
putf(struct line *l, const char *fmt, ...)
{
	char tmp[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof tmp, fmt, ap);
	va_end(ap);
	if (n > 0)
		put(l, tmp, (size_t)n < sizeof tmp ? (size_t)n :
		    sizeof tmp - 1);
}

/*
 * Append s made harmless. json: inside a JSON string, so that quotes and
 * backslashes are escaped, those of our own escapes too. quoted: inside
 * quotes in a text line.
 */
static void
put_text(struct line *l, struct clq_str s, size_t max, bool json,
    bool quoted)
{
	bool cut = s.len > max;
	size_t n, i = 0;

	if (cut)
		s.len = max;
	while (i < s.len && !l->full) {
		const char *p = s.p + i;

		if ((n = clq_printable(p, s.len - i)) != 0) {
			if ((json || quoted) && (*p == '"' || *p == '\\'))
				putf(l, "\\%c", *p);	/* both or none */
			else
				put(l, p, n);
			i += n;
			continue;
		}
		if (cut && s.len - i < 4 && ((unsigned char)*p & 0xc0) == 0xc0)
			break;		/* a character cut in two */
		if (*p == '\n' || *p == '\t' || *p == '\r')
			putf(l, "\\%c", *p == '\n' ? 'n' :
			    *p == '\t' ? 't' : 'r');
		else
			putf(l, json ? "\\\\x%02x" : "\\x%02x",
			    (unsigned)(unsigned char)*p);
		i++;
	}
	if (cut)
		put(l, "...", 3);
}

static void
line_init(struct line *l, enum clq_log_level level)
{
	l->len = 0;
	l->cap = LINE_CAP - TAIL_CAP;
	l->full = false;
	l->level = level;
	if (clq_sink_in_journal())
		putf(l, "<%d>", (int)level);
}

/* Let the closing part have its reserve, add the newline, and send. */
static void
line_send(struct line *l, const char *tail)
{
	l->cap = LINE_CAP;
	l->full = false;
	puts_(l, tail);
	put(l, "\n", 1);
	clq_sink_write(l->level, l->p, l->len);
}

static const char *
level_name(enum clq_log_level level)
{
	switch (level) {
	case CLQ_LOG_ERROR:
		return "ERROR";
	case CLQ_LOG_WARNING:
		return "WARN";
	case CLQ_LOG_INFO:
		return "INFO";
	case CLQ_LOG_DEBUG:
		return "DEBUG";
	}
	return "INFO";
}

static const char *
level_colour(enum clq_log_level level)
{
	switch (level) {
	case CLQ_LOG_ERROR:
		return "\033[1;31m";
	case CLQ_LOG_WARNING:
		return "\033[33m";
	case CLQ_LOG_INFO:
		return "\033[32m";
	case CLQ_LOG_DEBUG:
		return "\033[2m";
	}
	return "";
}

/* "2026-11-24T05:33:02.123Z [pid] LEVEL " */
static void
text_head(struct line *l, enum clq_log_level level)
{
	struct timespec now;
	struct tm tm;
	char stamp[32];

	if (clq_sink.target != CLQ_SINK_STREAM || clq_sink_in_journal())
		return;		/* syslog and journal note that themselves */
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	putf(l, "%s.%03ldZ [%ld] %s%s%s ", stamp, now.tv_nsec / 1000000,
	    (long)getpid(), clq_sink.colour ? level_colour(level) : "",
	    level_name(level), clq_sink.colour ? "\033[0m" : "");
}

/* Everything of a MozLog object up to the brace that opens Fields. */
static void
json_head(struct line *l, enum clq_log_level level, const char *type)
{
	struct timespec now;
	char host[256] = "";

	clock_gettime(CLOCK_REALTIME, &now);
	if (gethostname(host, sizeof host - 1) == -1)
		host[0] = '\0';
	putf(l, "{\"Timestamp\":%" PRId64 ",\"Type\":\"",
	    (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	put_text(l, clq_str_of(type), FIELD_CAP, true, false);
	puts_(l, "\",\"Logger\":\"");
	put_text(l, clq_str_of(clq_sink.logger), FIELD_CAP, true, false);
	puts_(l, "\",\"Hostname\":\"");
	put_text(l, clq_str_of(host), FIELD_CAP, true, false);
	putf(l, "\",\"EnvVersion\":\"2.0\",\"Severity\":%d,\"Pid\":%ld,"
	    "\"Fields\":{", (int)level, (long)getpid());
}

bool
clq_log_enabled(enum clq_log_level level)
{
	return level <= clq_sink.level;
}

void
clq_log_set_reporter(clq_log_reporter_f *fn)
{
	reporter = fn;
}

void
clq_vlog(enum clq_log_level level, const char *fmt, va_list ap)
{
	char msg[MESSAGE_CAP + 2];
	struct clq_str s = { msg, 0 };
	struct line l;
	int n;

	if (!clq_log_enabled(level))
		return;
	if ((n = vsnprintf(msg, sizeof msg, fmt, ap)) < 0)
		return;
	/* One byte more than the limit is enough to show that it was cut. */
	s.len = (size_t)n < sizeof msg ? (size_t)n : sizeof msg - 1;
	if (reporter != NULL)
		reporter(level, fmt, s);
	line_init(&l, level);
	if (clq_sink.json) {
		json_head(&l, level, "log");
		puts_(&l, "\"msg\":\"");
		put_text(&l, s, MESSAGE_CAP, true, false);
		line_send(&l, "\"}}");
	} else {
		text_head(&l, level);
		put_text(&l, s, MESSAGE_CAP, false, false);
		line_send(&l, "");
	}
}

void
clq_log(enum clq_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	clq_vlog(level, fmt, ap);
	va_end(ap);
}

/* True the first time key comes by. */
static bool
first_time(const char *key)
{
	bool first = false;
	char *copy;
	size_t i;

	pthread_mutex_lock(&once.lock);
	for (i = 0; i < once.n; i++)
		if (strcmp(once.keys[i], key) == 0)
			goto out;
	if (once.keys == NULL &&
	    (once.keys = calloc(ONCE_MAX, sizeof *once.keys)) == NULL)
		goto out;
	if (once.n == ONCE_MAX || (copy = strdup(key)) == NULL)
		goto out;	/* rather silent than without end */
	once.keys[once.n++] = copy;
	first = true;
out:	pthread_mutex_unlock(&once.lock);
	return first;
}

void
clq_log_once(enum clq_log_level level, const char *key, const char *fmt, ...)
{
	va_list ap;

	if (!clq_log_enabled(level) || !first_time(key))
		return;
	va_start(ap, fmt);
	clq_vlog(level, fmt, ap);
	va_end(ap);
}

/* True if a value must be quoted to be told from the next field. */
static bool
needs_quotes(struct clq_str s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '=')
			return true;
	return s.len == 0;
}

static void
put_field(struct line *l, const struct clq_log_field *f, bool json,
    bool first)
{
	struct clq_str name = clq_str_of(f->name);
	bool quotes = f->text.p != NULL && (json || needs_quotes(f->text));

	if (!first)
		put(l, json ? "," : " ", 1);
	if (json)
		put(l, "\"", 1);
	put_text(l, name, FIELD_CAP, json, false);
	puts_(l, json ? "\":" : "=");
	if (f->text.p == NULL) {
		putf(l, "%" PRId64, f->number);
		return;
	}
	if (json && f->json.len > 0) {	/* escaped by whoever made it */
		put(l, f->json.p, f->json.len);
		return;
	}
	if (quotes)
		put(l, "\"", 1);
	put_text(l, f->text, FIELD_CAP, json, quotes);
	if (quotes)
		put(l, "\"", 1);
}

void
clq_log_fields(enum clq_log_level level, const char *type,
    const struct clq_log_field *fields, size_t n)
{
	struct line l;
	bool first = true;
	size_t i, mark;

	if (!clq_log_enabled(level))
		return;
	line_init(&l, level);
	if (clq_sink.target == CLQ_SINK_JOURNAL)
		clq_sink_fields(type, fields, n);
	if (clq_sink.json) {
		json_head(&l, level, type);
	} else {
		text_head(&l, level);
		put_text(&l, clq_str_of(type), FIELD_CAP, false, false);
		first = false;
	}
	for (i = 0; i < n; i++) {
		mark = l.len;
		put_field(&l, &fields[i], clq_sink.json, first);
		if (l.full) {		/* keep whole fields only */
			l.len = mark;
			break;
		}
		first = false;
	}
	if (i < n)
		line_send(&l, !clq_sink.json ? " truncated=1" : first ?
		    "\"truncated\":1}}" : ",\"truncated\":1}}");
	else
		line_send(&l, clq_sink.json ? "}}" : "");
}
