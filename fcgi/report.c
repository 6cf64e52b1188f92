/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making events and keeping the helper alive (see report.h).
 *
 * An event is JSON as Sentry defines it, after its id. The text without the
 * values in it (the format) is what Sentry groups by.
 */
#include "report.h"

#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "../core/log_conf.h"
#include "../core/settings_load.h"
#include "children.h"
#include "sentry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	QUEUE_BYTES = 256 << 10,
	PAUSE_MS = 2000,	/* before a dead helper is replaced */
	LAST_MS = 3000		/* the helper's, at the end */
};

static struct {
	const struct clq_conf	*conf;
	int			 put;		/* -1: no reports */
	int			 take;
	pid_t			 helper;	/* 0: none */
	pid_t			 parent;	/* who forked it */
	struct clq_dsn		 dsn;		/* the helper's */
	clq_msec		 not_before;
	struct clq_request	*req;
	bool			 inside;	/* an event is being made */
} report = { .put = -1, .take = -1 };

/* ---- events -------------------------------------------------------------- */

static void
add_text(struct clq_buf *b, const char *key, struct clq_str text)
{
	clq_buf_adds(b, ",\"");
	clq_buf_adds(b, key);
	clq_buf_adds(b, "\":");
	clq_buf_json_str(b, clq_utf8_valid(text) ? text : CLQ_STR("?"));
}

static void
add_request(struct clq_buf *b, const struct clq_request *req)
{
	const char *scheme = clq_str_is(req->scheme, "https") ? "https" :
	    "http";

	clq_buf_adds(b, ",\"request\":{\"method\":");
	clq_buf_json_str(b, clq_str_of(clq_method_name(req->method)));
	add_text(b, "url", clq_arena_printf(b->arena, "%s://%.*s%.*s", scheme,
	    CLQ_FMT(clq_str_sub(req->host, 0, 255)),
	    CLQ_FMT(clq_str_sub(req->raw_path, 0, 2000))));
	clq_buf_adds(b, "},\"tags\":{\"transport\":\"fastcgi\"");
	if (req->summary.rid.len > 0)
		add_text(b, "rid", req->summary.rid);
	clq_buf_addc(b, '}');
}

static void
make_event(struct clq_buf *b, enum clq_log_level level, const char *format,
    struct clq_str message)
{
	char host[256] = "", stamp[32] = "";
	time_t now = time(NULL);
	struct tm tm;

	(void)gethostname(host, sizeof host - 1);
	if (gmtime_r(&now, &tm) != NULL)
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
	clq_buf_add(b, clq_random_hex(b->arena, CLQ_REPORT_ID / 2));
	clq_buf_printf(b, "{\"event_id\":\"%.*s\",\"timestamp\":\"%s\","
	    "\"platform\":\"native\",\"level\":\"%s\",\"logger\":\"cliquet\","
	    "\"release\":\"cliquet@%s\"", CLQ_REPORT_ID, clq_buf_str(b).p,
	    stamp, level <= CLQ_LOG_ERROR ? "error" : "warning", CLQ_VERSION);
	add_text(b, "server_name", clq_str_of(host));
	if (report.conf->sentry_env != NULL)
		add_text(b, "environment",
		    clq_str_of(report.conf->sentry_env));
	clq_buf_adds(b, ",\"logentry\":{\"message\":");
	clq_buf_json_str(b, clq_str_of(format));
	add_text(b, "formatted", clq_text_without_passwords(b->arena,
	    message));
	clq_buf_addc(b, '}');
	if (report.req != NULL)
		add_request(b, report.req);
	clq_buf_addc(b, '}');
}

/* What the log calls with each line. */
static void
on_line(enum clq_log_level level, const char *format, struct clq_str message)
{
	struct clq_arena *arena;
	struct clq_str text;
	struct clq_buf b;

	if (report.put == -1 || report.inside ||
	    level > report.conf->sentry_level)
		return;
	report.inside = true;
	arena = clq_arena_new();
	clq_buf_init(&b, arena, 2048);
	make_event(&b, level, format, message);
	text = clq_buf_str(&b);
	if (text.len <= CLQ_REPORT_MAX)
		(void)!send(report.put, text.p, text.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	clq_arena_free(&arena);
	report.inside = false;
}

void
clq_report_request(struct clq_request *req)
{
	report.req = req;
}

/* ---- the helper ---------------------------------------------------------- */

static bool
open_channel(void)
{
	int pair[2], size = QUEUE_BYTES;

	if (report.put != -1)
		return true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		clq_log_err("sentry: %s", strerror(errno));
		return false;
	}
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	report.put = pair[0];
	report.take = pair[1];
	return true;
}

static void
close_channel(void)
{
	clq_log_set_reporter(NULL);
	if (report.put != -1) {
		close(report.put);
		close(report.take);
	}
	report.put = report.take = -1;
}

/* What would outlive its owner here: listening sockets, the lock of the pid
 * file. The log and the queue stay. */
static void
close_others(void)
{
	int log = clq_log_fd(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int low = log < report.take ? log : report.take;
	int high = log < report.take ? report.take : log;

	if (null != -1)
		(void)dup2(null, STDIN_FILENO);
	if (low <= STDERR_FILENO)
		low = STDERR_FILENO;
	if (low > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)low - 1, 0);
	if (high > low + 1)
		(void)close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	(void)close_range((unsigned)high + 1, ~0U, 0);
}

static void
start_helper(void)
{
	pid_t self = getpid(), pid = fork();

	if (pid == -1) {
		clq_log_err("sentry: fork: %s", strerror(errno));
		report.not_before = clq_monotonic() + PAUSE_MS;
		return;
	}
	if (pid > 0) {
		report.helper = pid;
		report.parent = self;
		report.dsn = report.conf->sentry;
		return;
	}
	clq_log_set_reporter(NULL);	/* its own troubles are not events */
	close(report.put);
	(void)prctl(PR_SET_NAME, "cliquetd-sentry");
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != self)
		_exit(0);
	close_others();
	clq_sentry_run(&report.conf->sentry, report.take);
}

static void
stop_helper(void)
{
	clq_msec until = clq_monotonic() + LAST_MS;

	if (report.helper == 0 || report.parent != getpid())
		return;
	kill(report.helper, SIGTERM);
	clq_child_wait(report.helper, until);
	report.helper = 0;
}

/* It sends what it has on its own time; another takes over at once. */
static void
retire_helper(void)
{
	if (report.helper != 0 && report.parent == getpid())
		kill(report.helper, SIGTERM);
	report.helper = 0;
}

void
clq_report_configure(const struct clq_conf *conf)
{
	report.conf = conf;
	if (report.helper != 0 && (strcmp(report.dsn.url, conf->sentry.url) !=
	    0 || strcmp(report.dsn.key, conf->sentry.key) != 0))
		retire_helper();
	if (conf->sentry.url[0] == '\0') {
		close_channel();
		return;
	}
	if (!open_channel())
		return;
	clq_log_set_reporter(on_line);
	if (report.helper == 0)
		start_helper();
}

void
clq_report_reopen(void)
{
	if (report.put == -1)
		return;
	retire_helper();
	start_helper();
}

void
clq_report_reaped(pid_t pid)
{
	if (pid != report.helper)
		return;
	report.helper = 0;
	report.not_before = clq_monotonic() + PAUSE_MS;
}

void
clq_report_look(void)
{
	if (report.put != -1 && report.helper == 0 &&
	    clq_monotonic() >= report.not_before)
		start_helper();
}

void
clq_report_stop(void)
{
	stop_helper();
	close_channel();
}
