/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time limit and crash handling of a worker (see watchdog.h).
 *
 * The timer ticks only while there is work: it starts with the first request
 * and stops after a second without any, so that a request costs no system
 * call for it. An answer is written only before core is done with the request
 * (clq_watchdog_end() comes first), so two never mix.
 */
#include "watchdog.h"

#include <cliquet/log.h>

#include "scan.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 50,
	GIVE_MS = 50,		/* others wait no longer than about this */
	IDLE_TICKS = 20,	/* then the timer stops */
	ALTSTACK = 64 * 1024
};

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static struct {
	struct clq_watchdog	 w;
	_Atomic(int)		 fd;		/* of the request; -1: none */
	_Atomic(unsigned)	 id;
	_Atomic(int64_t)	 started;
	_Atomic(bool)		 ticking;
	int			 idle;		/* ticks without a request */
	char			*stack;
	size_t			 answer_len;
	unsigned char		 answer[2048];	/* records; ids are set late */
} dog = { .fd = -1 };

static void
tick_every(int ms)
{
	struct itimerval t = {
		.it_interval = { 0, ms * 1000 }, .it_value = { 0, ms * 1000 },
	};

	(void)setitimer(ITIMER_REAL, &t, NULL);
	atomic_store(&dog.ticking, ms != 0);
}

/* Put the request's id into the prepared records, and send them. */
static void
answer_503(void)
{
	int fd = atomic_load(&dog.fd);
	unsigned id = atomic_load(&dog.id);
	size_t i = 0, content;

	if (fd == -1)
		return;
	while (i + CLQ_FCGI_HEAD <= dog.answer_len) {
		dog.answer[i + 2] = (unsigned char)(id >> 8);
		dog.answer[i + 3] = (unsigned char)id;
		content = (size_t)dog.answer[i + 4] << 8 | dog.answer[i + 5];
		i += CLQ_FCGI_HEAD + content;
	}
	(void)send(fd, dog.answer, dog.answer_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
}

/* The end of the process: what can still be done for others. */
static void
settle(void)
{
	answer_503();
	clq_conns_give(dog.w.conns, dog.w.handover);
	clq_conns_flush(dog.w.conns);
	clq_conns_give(dog.w.conns, dog.w.handover);
}

/* Without a master nobody else can say it. */
static void
say_timeout(int64_t age)
{
	char text[256];

	/* The log is not made for signal context: if it hangs, we end. */
	signal(SIGALRM, SIG_DFL);
	alarm(1);
	clq_slot_text(dog.w.slot, text, sizeof text);
	clq_log_err("%s: no answer after %lld ms; 503 sent, process ends",
	    text, (long long)age);
}

static void
on_alarm(int sig, siginfo_t *si, void *context)
{
	int saved = errno;
	struct timespec ts;
	int64_t age;
	bool forced = si->si_code == SI_USER && si->si_pid == dog.w.master;

	(void)sig;
	(void)context;
	if (atomic_load(&dog.fd) == -1) {
		if (++dog.idle >= IDLE_TICKS)
			tick_every(0);
		errno = saved;
		return;
	}
	dog.idle = 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	age = ts.tv_sec * 1000LL + ts.tv_nsec / 1000000 -
	    atomic_load(&dog.started);
	if (age >= GIVE_MS)
		clq_conns_give(dog.w.conns, dog.w.handover);
	if (forced || (dog.w.limit > 0 && age >= dog.w.limit)) {
		settle();
		if (dog.w.master == 0)
			say_timeout(age);
		_exit(CLQ_EXIT_TIMEOUT);
	}
	errno = saved;
}

static void
on_fatal(int sig)
{
	int n;

	/* SA_RESETHAND: a second fault, or this one repeated, ends it. */
	settle();
	n = backtrace(dog.w.slot->frames, CLQ_FRAMES_MAX);
	atomic_store(&dog.w.slot->nframes, n);
	if (dog.w.master == 0)		/* nobody else will tell */
		backtrace_symbols_fd(dog.w.slot->frames, n, STDERR_FILENO);
	raise(sig);
}

/* A record of the prepared answer. */
static void
prepare(enum clq_fcgi_type type, const char *content, size_t len)
{
	clq_fcgi_head(dog.answer + dog.answer_len, type, 0, len);
	dog.answer_len += CLQ_FCGI_HEAD;
	if (len > 0)
		memcpy(dog.answer + dog.answer_len, content, len);
	dog.answer_len += len;
}

/* Section 02-1, as core would say it. */
static void
prepare_answer(const struct clq_settings *s)
{
	static const char body[] = "{\"code\":503,\"errno\":201,"
	    "\"error\":\"Service Unavailable\",\"message\":\"Service temporary "
	    "unavailable due to overloading or maintenance, please retry "
	    "later.\"}";
	static const char end[8];
	struct clq_strs origins = clq_settings_list(s, "cors_origins");
	char text[1500];
	bool any = false;
	int n;

	for (size_t i = 0; i < origins.n; i++)
		any |= clq_str_is(origins.items[i], "*");
	n = snprintf(text, sizeof text, "Status: 503 Service Unavailable\r\n"
	    "Content-Type: application/json\r\n"
	    "Retry-After: %lld\r\n"
	    "%s"
	    "Access-Control-Expose-Headers: Backoff, Retry-After, Alert, "
	    "Content-Length, Content-Type\r\n"
	    "Content-Security-Policy: default-src 'none'; "
	    "frame-ancestors 'none'; base-uri 'none'; \r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Content-Length: %zu\r\n\r\n%s",
	    (long long)clq_settings_int(s, "retry_after_seconds", 30),
	    any ? "Access-Control-Allow-Origin: *\r\n" : "",
	    sizeof body - 1, body);
	dog.answer_len = 0;
	prepare(CLQ_FCGI_STDOUT, text, (size_t)n);
	prepare(CLQ_FCGI_STDOUT, NULL, 0);
	prepare(CLQ_FCGI_END_REQUEST, end, sizeof end);
}

void
clq_watchdog_start(const struct clq_watchdog *w,
    const struct clq_settings *settings)
{
	struct sigaction sa;
	stack_t stack;

	dog.w = *w;
	clq_backtrace_init();
	atomic_store(&dog.fd, -1);
	prepare_answer(settings);
	dog.stack = malloc(ALTSTACK);	/* a crash may be a full stack */
	if (dog.stack != NULL) {
		stack = (stack_t){ .ss_sp = dog.stack, .ss_size = ALTSTACK };
		(void)sigaltstack(&stack, NULL);
	}
	memset(&sa, 0, sizeof sa);
	sigfillset(&sa.sa_mask);
	sa.sa_sigaction = on_alarm;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	memset(&sa, 0, sizeof sa);
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGALRM);
	sa.sa_handler = on_fatal;
	sa.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
	for (size_t i = 0; i < CLQ_COUNT(fatal); i++)
		sigaction(fatal[i], &sa, NULL);
}

void
clq_watchdog_stop(void)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	tick_every(0);
	signal(SIGALRM, SIG_IGN);
	for (size_t i = 0; i < CLQ_COUNT(fatal); i++)
		signal(fatal[i], SIG_DFL);
	(void)sigaltstack(&none, NULL);
	free(dog.stack);
	dog.stack = NULL;
}

void
clq_watchdog_begin(const struct clq_conn *c, clq_msec now)
{
	atomic_store(&dog.started, now);
	atomic_store(&dog.id, c->request_id);
	atomic_store(&dog.fd, c->fd);
	if (!atomic_load(&dog.ticking)) {
		dog.idle = 0;
		tick_every(TICK_MS);
	}
}

void
clq_watchdog_end(void)
{
	atomic_store(&dog.fd, -1);
}
