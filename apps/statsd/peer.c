/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket and the thread that connects it (see peer.h).
 *
 * Both worker and thread hold the structure and the last to let go frees it, so
 * that a worker never waits for a name server in order to leave. The thread
 * ends with the first success; failures are tried again, less and less often,
 * and said by the worker: the log looks at the request under way.
 */
#include "peer.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_PAUSE_SEC = 1, LONGEST_PAUSE_SEC = 60 };

struct statsd_peer {
	_Atomic(int)	fd;		/* connected; -1: not yet */
	_Atomic(int)	holders;
	_Atomic(bool)	closed;
	_Atomic(const char *) why;	/* the last attempt failed; static */
	char		*host;
	char		*port;
};

static void
let_go(struct statsd_peer *p)
{
	int fd;

	if (atomic_fetch_sub(&p->holders, 1) > 1)
		return;
	fd = atomic_load(&p->fd);
	if (fd != -1)
		close(fd);
	free(p->host);
	free(p->port);
	free(p);
}

/* A socket connected to the first address that takes one; or -1. */
static int
socket_of(const struct addrinfo *ai)
{
	int fd;

	for (; ai != NULL; ai = ai->ai_next) {
		fd = socket(ai->ai_family,
		    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd == -1)
			continue;
		if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
			return fd;
		close(fd);
	}
	return -1;
}

/* flags: AI_NUMERICHOST for what asks nobody. True if it is connected now. */
static bool
try(struct statsd_peer *p, int flags)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM,
		.ai_flags = flags | AI_NUMERICSERV,
	}, *found = NULL;
	int rc = getaddrinfo(p->host, p->port, &hints, &found), fd;

	if (rc != 0) {
		atomic_store(&p->why, gai_strerror(rc));
		return false;
	}
	fd = socket_of(found);
	freeaddrinfo(found);
	if (fd == -1)
		atomic_store(&p->why, "no route to it");
	atomic_store(&p->fd, fd);
	return fd != -1;
}

static void *
resolve(void *arg)
{
	struct statsd_peer *p = arg;
	struct timespec pause = { FIRST_PAUSE_SEC, 0 };

	while (!atomic_load(&p->closed) && !try(p, 0)) {
		nanosleep(&pause, NULL);
		pause.tv_sec *= 2;
		if (pause.tv_sec > LONGEST_PAUSE_SEC)
			pause.tv_sec = LONGEST_PAUSE_SEC;
	}
	let_go(p);
	return NULL;
}

/* With all signals blocked: they are the worker's. */
static void
start_thread(struct statsd_peer *p)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&p->holders, 1);
	rc = pthread_create(&thread, &attr, resolve, p);
	if (rc != 0) {
		atomic_fetch_sub(&p->holders, 1);
		clq_log_err("statsd: no thread to find %s: %s", p->host,
		    strerror(rc));
	}
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct statsd_peer *
statsd_peer_open(const char *host, const char *port)
{
	struct statsd_peer *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	atomic_store(&p->fd, -1);
	atomic_store(&p->holders, 1);
	p->host = strdup(host);
	p->port = strdup(port);
	if (p->host == NULL || p->port == NULL) {
		statsd_peer_close(&p);
		return NULL;
	}
	if (try(p, AI_NUMERICHOST))
		return p;
	atomic_store(&p->why, NULL);	/* nobody was asked yet */
	start_thread(p);
	return p;
}

void
statsd_peer_send(struct statsd_peer *p, const char *text, size_t len)
{
	int fd = p != NULL ? atomic_load(&p->fd) : -1;
	const char *why = p != NULL ? atomic_load(&p->why) : NULL;

	if (fd == -1 && why != NULL)
		clq_log_once(CLQ_LOG_WARNING, "statsd: host", "statsd: %s: %s; "
		    "metrics are dropped until it can be found", p->host, why);
	/* ECONNREFUSED is said once per datagram that nobody received. */
	if (fd != -1 && send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		clq_log_once(CLQ_LOG_WARNING, "statsd: send",
		    "statsd: a datagram was lost: %s (said once)",
		    strerror(errno));
}

void
statsd_peer_close(struct statsd_peer **peer)
{
	struct statsd_peer *p = *peer;

	*peer = NULL;
	if (p == NULL)
		return;
	atomic_store(&p->closed, true);
	let_go(p);
}
