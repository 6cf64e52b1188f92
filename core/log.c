/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the log: one line per event, in text or as MozLog JSON.
 *
 * A line is built in a buffer on the stack and leaves with one write(2), so
 * that lines of several workers never mix (log files are opened with
 * O_APPEND). What comes from outside is made harmless first: control
 * characters and bytes that are not UTF-8 become \n or \xHH, so that nobody
 * forges a line or drives a terminal. Long texts are cut and say so. The
 * destination is a process-wide state, inherited over fork; until
 * clq_log_configure() it is standard error, text, level info.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "log_conf.h"

#include <errno.h>
#include <fcntl.h>
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
	int			 fd;
	enum clq_log_level	 level;
	bool			 json;
	bool			 colour;
	char			 logger[64];	/* MozLog's "Logger" */
} sink = { STDERR_FILENO, CLQ_LOG_INFO, false, false, "cliquet" };

static struct {
	pthread_mutex_t	  lock;
	char		**keys;
	size_t		  n;
} once = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A line under construction; what does not fit is dropped, and noted. */
struct line {
	char	p[LINE_CAP];
	size_t	len;
	size_t	cap;
	bool	full;
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

/* Bytes of the well-formed, printable UTF-8 character at p; 0 if none. */
static size_t
printable(const char *p, size_t left)
{
	unsigned char c = (unsigned char)p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	struct clq_str one = { p, len };

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (len > left || !clq_utf8_valid(one))
		return 0;
	if (c == 0xc2 && (unsigned char)p[1] < 0xa0)
		return 0;	/* C1 controls */
	return len;
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

		if ((n = printable(p, s.len - i)) != 0) {
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
line_init(struct line *l)
{
	l->len = 0;
	l->cap = LINE_CAP - TAIL_CAP;
	l->full = false;
}

/* Let the closing part have its reserve, add the newline, and send. */
static void
line_send(struct line *l, const char *tail)
{
	size_t done = 0;
	int saved = errno;
	ssize_t n;

	l->cap = LINE_CAP;
	l->full = false;
	puts_(l, tail);
	put(l, "\n", 1);
	while (done < l->len) {
		n = write(sink.fd, l->p + done, l->len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;		/* nowhere left to complain */
		done += (size_t)n;
	}
	errno = saved;
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

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	putf(l, "%s.%03ldZ [%ld] %s%s%s ", stamp, now.tv_nsec / 1000000,
	    (long)getpid(), sink.colour ? level_colour(level) : "",
	    level_name(level), sink.colour ? "\033[0m" : "");
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
	put_text(l, clq_str_of(sink.logger), FIELD_CAP, true, false);
	puts_(l, "\",\"Hostname\":\"");
	put_text(l, clq_str_of(host), FIELD_CAP, true, false);
	putf(l, "\",\"EnvVersion\":\"2.0\",\"Severity\":%d,\"Pid\":%ld,"
	    "\"Fields\":{", (int)level, (long)getpid());
}

bool
clq_log_enabled(enum clq_log_level level)
{
	return level <= sink.level;
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
	line_init(&l);
	if (sink.json) {
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
	line_init(&l);
	if (sink.json) {
		json_head(&l, level, type);
	} else {
		text_head(&l, level);
		put_text(&l, clq_str_of(type), FIELD_CAP, false, false);
		first = false;
	}
	for (i = 0; i < n; i++) {
		mark = l.len;
		put_field(&l, &fields[i], sink.json, first);
		if (l.full) {		/* keep whole fields only */
			l.len = mark;
			break;
		}
		first = false;
	}
	if (i < n)
		line_send(&l, !sink.json ? " truncated=1" : first ?
		    "\"truncated\":1}}" : ",\"truncated\":1}}");
	else
		line_send(&l, sink.json ? "}}" : "");
}

/* ---- configuration ----------------------------------------------------- */

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

enum clq_status
clq_log_check(struct clq_settings *s)
{
	enum clq_log_level level;
	bool json;
	enum clq_status rc = parse_level(s, &level), rc2;

	rc2 = parse_format(s, &json);
	return rc != CLQ_OK ? rc : rc2;
}

static bool
want_colour(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && getenv("NO_COLOR") == NULL && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

enum clq_status
clq_log_configure(struct clq_settings *s)
{
	struct clq_str file = clq_settings_str(s, "log_file");
	const char *name = clq_settings_cstr(s, "project_name");
	enum clq_log_level level;
	int fd = STDERR_FILENO;
	bool json;

	if (clq_log_check(s) != CLQ_OK ||
	    parse_level(s, &level) != CLQ_OK ||
	    parse_format(s, &json) != CLQ_OK)
		return CLQ_INVALID;
	if (file.len != 0 && !clq_str_is(file, "-")) {
		fd = open(clq_settings_cstr(s, "log_file"), O_WRONLY |
		    O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
		if (fd == -1)
			return clq_settings_error(s, "log_file", "cannot open "
			    "%.*s: %s; create its folder, or let the server's "
			    "user write there", CLQ_FMT(file),
			    strerror(errno));
	}
	if (sink.fd != STDERR_FILENO)
		close(sink.fd);
	sink.fd = fd;
	sink.level = level;
	sink.json = json;
	sink.colour = !json && want_colour(fd);
	snprintf(sink.logger, sizeof sink.logger, "%s",
	    name != NULL && *name != '\0' ? name : "cliquet");
	return CLQ_OK;
}

void
clq_log_set_level(enum clq_log_level level)
{
	sink.level = level;
}
