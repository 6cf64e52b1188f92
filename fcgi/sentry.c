/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending events by libcurl (see sentry.h).
 *
 * Only this process loads libcurl, at run time, so that master and workers stay
 * small. Each event is one POST with limits on every step. A server that does
 * not answer, or asks to be left alone (429), gets a pause, in which events are
 * thrown away: old news is worth less than memory.
 */
#include "sentry.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "report.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECT_MS = 3000,
	TOTAL_MS = 5000,
	LAST_MS = 1000,		/* per event, once we are to end */
	PAUSE_SEC = 30,
	PAUSE_MAX_SEC = 3600
};

static struct {
	void		*library;
	__typeof__(&curl_global_init)	global_init;
	__typeof__(&curl_easy_init)	init;
	__typeof__(&curl_easy_setopt)	setopt;
	__typeof__(&curl_easy_perform)	perform;
	__typeof__(&curl_easy_getinfo)	getinfo;
	__typeof__(&curl_easy_strerror)	strerror;
	__typeof__(&curl_slist_append)	append;
} lib;

static volatile sig_atomic_t ending;

static struct {
	CURL			*curl;
	const struct clq_dsn	*dsn;
	clq_msec		 pause_until;
	uint64_t		 dropped;
	char			 error[CURL_ERROR_SIZE];
} out;

static void
on_term(int sig)
{
	(void)sig;
	ending = 1;
}

static bool
find(const char *name, void *to)
{
	void *p = dlsym(lib.library, name);

	memcpy(to, &p, sizeof p);
	return p != NULL;
}

static bool
load(void)
{
	lib.library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (lib.library != NULL && find("curl_global_init", &lib.global_init) &&
	    find("curl_easy_init", &lib.init) &&
	    find("curl_easy_setopt", &lib.setopt) &&
	    find("curl_easy_perform", &lib.perform) &&
	    find("curl_easy_getinfo", &lib.getinfo) &&
	    find("curl_easy_strerror", &lib.strerror) &&
	    find("curl_slist_append", &lib.append) &&
	    lib.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return true;
	clq_log_warn("sentry: libcurl cannot be used: %s; install libcurl4",
	    lib.library == NULL ? dlerror() : "another version");
	return false;
}

static size_t
ignore(char *piece, size_t size, size_t n, void *ctx)
{
	(void)piece;
	(void)ctx;
	return size * n;
}

static bool
set_up(void)
{
	char auth[256];
	struct curl_slist *headers;
	CURL *c;

	if (!load() || (c = lib.init()) == NULL)
		return false;
	snprintf(auth, sizeof auth, "X-Sentry-Auth: Sentry sentry_version=7, "
	    "sentry_client=cliquet/%s, sentry_key=%s", CLQ_VERSION,
	    out.dsn->key);
	headers = lib.append(NULL, auth);
	headers = lib.append(headers,
	    "Content-Type: application/x-sentry-envelope");
	headers = lib.append(headers, "Expect:");
	out.curl = c;
	return headers != NULL &&
	    lib.setopt(c, CURLOPT_URL, out.dsn->url) == CURLE_OK &&
	    lib.setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	    lib.setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	    lib.setopt(c, CURLOPT_USERAGENT, "cliquet/" CLQ_VERSION) ==
	    CURLE_OK &&
	    lib.setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) ==
	    CURLE_OK &&
	    lib.setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	    lib.setopt(c, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") ==
	    CURLE_OK &&
	    lib.setopt(c, CURLOPT_ERRORBUFFER, out.error) == CURLE_OK &&
	    lib.setopt(c, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK;
}

static void
pause_for(int64_t seconds, const char *why)
{
	if (seconds < 1)
		seconds = PAUSE_SEC;
	if (seconds > PAUSE_MAX_SEC)
		seconds = PAUSE_MAX_SEC;
	out.pause_until = clq_monotonic() + seconds * 1000;
	clq_log_warn("sentry: %s; events are thrown away for %" PRId64
	    " seconds", why, seconds);
}

/* One envelope with one event. */
static void
send_event(const char *event, size_t len)
{
	static char text[CLQ_REPORT_MAX + 512];
	curl_off_t wait = 0;
	long code = 0;
	CURLcode rc;
	int n;

	n = snprintf(text, sizeof text, "{\"event_id\":\"%.*s\"}\n"
	    "{\"type\":\"event\",\"length\":%zu}\n%.*s\n", CLQ_REPORT_ID,
	    event, len - CLQ_REPORT_ID, (int)(len - CLQ_REPORT_ID),
	    event + CLQ_REPORT_ID);
	out.error[0] = '\0';
	(void)lib.setopt(out.curl, CURLOPT_TIMEOUT_MS,
	    (long)(ending ? LAST_MS : TOTAL_MS));
	(void)lib.setopt(out.curl, CURLOPT_POSTFIELDSIZE, (long)n);
	(void)lib.setopt(out.curl, CURLOPT_POSTFIELDS, text);
	rc = lib.perform(out.curl);
	if (rc != CURLE_OK) {
		pause_for(PAUSE_SEC, out.error[0] != '\0' ? out.error :
		    lib.strerror(rc));
		return;
	}
	(void)lib.getinfo(out.curl, CURLINFO_RESPONSE_CODE, &code);
	if (code == 429 || code >= 500) {
		(void)lib.getinfo(out.curl, CURLINFO_RETRY_AFTER, &wait);
		pause_for((int64_t)wait, code == 429 ?
		    "the server asks for fewer events" :
		    "the server has an error");
	} else if (code >= 400) {
		clq_log_once(CLQ_LOG_WARNING, "sentry-refused", "sentry: the "
		    "server refuses events with status %ld; look at "
		    "sentry_dsn", code);
	}
}

/* Take one event out, and send it or not. False: there is none. */
static bool
serve_one(int fd)
{
	static char event[CLQ_REPORT_MAX];
	ssize_t n = recv(fd, event, sizeof event, MSG_DONTWAIT);

	if (n == 0)
		ending = 1;	/* nobody is left who could send one */
	if (n <= 0)
		return false;
	if (n <= CLQ_REPORT_ID)
		return true;
	if (out.curl == NULL || clq_monotonic() < out.pause_until) {
		out.dropped++;
		return true;
	}
	if (out.dropped > 0)
		clq_log_info("sentry: %" PRIu64 " events were thrown away",
		    out.dropped);
	out.dropped = 0;
	send_event(event, (size_t)n);
	return true;
}

_Noreturn void
clq_sentry_run(const struct clq_dsn *dsn, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sigaction sa;
	sigset_t none;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_term;
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = SIG_IGN;	/* the master's business */
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGQUIT, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	out.dsn = dsn;
	if (!set_up())
		out.curl = NULL;
	while (!ending) {
		(void)poll(&p, 1, 1000);
		while (!ending && serve_one(fd))
			;
	}
	while (serve_one(fd))
		;
	_exit(EXIT_SUCCESS);
}
