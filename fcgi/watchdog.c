/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time limit and crash handling of a worker (see watchdog.h).
 *
 * The thread wakes up every few milliseconds while there is work, and sleeps
 * from a second without any until the next request, so that a request costs no
 * system call for it. It takes all decisions under a lock that only the end of
 * a request and a crash wait for: an answer is written only before core is done
 * with the request, so two never mix. It has every signal blocked; those of the
 * process go to the thread that serves.
 */
#include "watchdog.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "scan.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 50,
	GIVE_MS = 50,		/* others wait no longer than about this */
	IDLE_TICKS = 20,	/* then the thread sleeps */
	STACK = 256 * 1024,
	FATAL_TRIES = 200,	/* of a millisecond */
	ALTSTACK = 64 * 1024
};

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static struct {
	struct clq_watchdog	 w;
	pthread_t		 thread;
	bool			 running;	/* there is a thread */
	sem_t			 wake;
	_Atomic(bool)		 asleep;	/* until `wake` */
	_Atomic(bool)		 stopping;
	_Atomic(bool)		 forced;	/* the master wants an end */
	atomic_flag		 lock;
	_Atomic(int)		 fd;		/* of the request; -1: none */
	_Atomic(unsigned)	 id;
	_Atomic(int64_t)	 started;
	const struct clq_request *_Atomic req;
	char			*stack;
	size_t			 answer_len;
	unsigned char		 answer[2048];	/* records; ids are set late */
} dog = { .fd = -1, .lock = ATOMIC_FLAG_INIT };

static void
pause_ms(int ms)
{
	struct timespec t = { 0, ms * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* Held for as long as it takes to give connections away. tries: then it is
 * taken for granted; 0: never. */
static void
lock(int tries)
{
	for (int i = 0; atomic_flag_test_and_set(&dog.lock); i++) {
		if (tries > 0 && i >= tries)
			return;
		pause_ms(1);
	}
}

static void
unlock(void)
{
	atomic_flag_clear(&dog.lock);
}

/* Put the request's id into the prepared records, and send them. */
static void
answer_503(void)
{
	int fd = atomic_load(&dog.fd);
	unsigned id = atomic_load(&dog.id);
	size_t i = 0, content;

	const struct clq_request *req = atomic_load(&dog.req);

	if (fd == -1)
		return;
	if (req != NULL)
		clq_lost_note(&dog.w.slot->lost, req);
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
	char text[sizeof dog.w.slot->text + 1];

	/* The thread that serves may hold what the log needs: then we end. */
	signal(SIGALRM, SIG_DFL);
	alarm(1);
	clq_slot_text(dog.w.slot, text, sizeof text);
	clq_log_err("%s: no answer after %lld ms; 503 sent, process ends",
	    text, (long long)age);
	clq_lost_log(dog.w.server, &dog.w.slot->lost, text, age);
}

/* One look; the lock is held. False: nothing is being served. */
static bool
look(void)
{
	int64_t age;

	if (atomic_load(&dog.fd) == -1)
		return false;
	age = clq_monotonic() - atomic_load(&dog.started);
	if (age >= GIVE_MS)
		clq_conns_give(dog.w.conns, dog.w.handover);
	if (!atomic_load(&dog.forced) &&
	    (dog.w.limit == 0 || age < dog.w.limit))
		return true;
	settle();
	if (dog.w.master == 0)
		say_timeout(age);
	_exit(CLQ_EXIT_TIMEOUT);
}

static void *
watch(void *unused)
{
	int idle = 0;

	while (!atomic_load(&dog.stopping)) {
		pause_ms(TICK_MS);
		lock(0);
		idle = look() ? 0 : idle + 1;
		unlock();
		if (idle < IDLE_TICKS)
			continue;
		idle = 0;
		atomic_store(&dog.asleep, true);
		/* Whoever began in between has not seen it. */
		if (atomic_load(&dog.fd) == -1 &&
		    !atomic_load(&dog.stopping))
			while (sem_wait(&dog.wake) == -1 && errno == EINTR)
				continue;
		atomic_store(&dog.asleep, false);
	}
	return unused;
}

/* The master is out of patience: the thread ends us; without one, at once. */
static void
on_alarm(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	if (si->si_code != SI_USER || si->si_pid != dog.w.master ||
	    atomic_load(&dog.fd) == -1)
		return;
	atomic_store(&dog.forced, true);
	if (dog.running)
		return;
	settle();
	_exit(CLQ_EXIT_TIMEOUT);
}

static void
on_fatal(int sig)
{
	int n;

	/* SA_RESETHAND: a second fault, or this one repeated, ends it. */
	lock(FATAL_TRIES);
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

static void
start_thread(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int rc;

	atomic_store(&dog.stopping, false);
	atomic_store(&dog.asleep, false);
	atomic_store(&dog.forced, false);
	atomic_flag_clear(&dog.lock);
	sem_init(&dog.wake, 0, 0);
	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&dog.thread, &attr, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	dog.running = rc == 0;
	if (rc != 0)
		clq_log_warn("watchdog: %s; the master alone looks after "
		    "request_timeout", strerror(rc));
}

static void
stop_thread(void)
{
	if (!dog.running)
		return;
	atomic_store(&dog.stopping, true);
	sem_post(&dog.wake);
	pthread_join(dog.thread, NULL);
	sem_destroy(&dog.wake);
	dog.running = false;
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
	start_thread();
}

void
clq_watchdog_stop(void)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	stop_thread();
	signal(SIGALRM, SIG_IGN);
	for (size_t i = 0; i < CLQ_COUNT(fatal); i++)
		signal(fatal[i], SIG_DFL);
	(void)sigaltstack(&none, NULL);
	free(dog.stack);
	dog.stack = NULL;
}

void
clq_watchdog_begin(const struct clq_conn *c, const struct clq_request *req,
    clq_msec now)
{
	atomic_store(&dog.started, now);
	atomic_store(&dog.id, c->request_id);
	atomic_store(&dog.req, req);
	atomic_store(&dog.fd, c->fd);
	if (atomic_load(&dog.asleep) && dog.running)
		sem_post(&dog.wake);
}

void
clq_watchdog_end(void)
{
	lock(0);
	atomic_store(&dog.fd, -1);
	atomic_store(&dog.req, NULL);
	unlock();
}
