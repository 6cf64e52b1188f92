/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal flags (see signals.h).
 */
#include "signals.h"

#include <poll.h>
#include <string.h>

struct clq_signals clq_signals;

static sigset_t waiting;

static void
on_signal(int sig)
{
	if (sig == SIGTERM || sig == SIGINT)
		clq_signals.stop = 1;
	else if (sig == SIGQUIT)
		clq_signals.leave = 1;
	else if (sig == SIGHUP)
		clq_signals.reload = 1;
	else if (sig == SIGUSR1)
		clq_signals.reopen = 1;
	else if (sig == SIGCHLD)
		clq_signals.child = 1;
}

static void
handle(int sig, void (*fn)(int))
{
	struct sigaction sa;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = fn;
	sigemptyset(&sa.sa_mask);
	sa.sa_flags = sig == SIGCHLD ? SA_NOCLDSTOP : 0;
	sigaction(sig, &sa, NULL);
}

void
clq_signals_init(bool worker)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGQUIT);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigprocmask(SIG_BLOCK, NULL, &waiting);
	sigdelset(&waiting, SIGTERM);
	sigdelset(&waiting, SIGINT);
	sigdelset(&waiting, SIGQUIT);
	sigdelset(&waiting, SIGHUP);
	sigdelset(&waiting, SIGUSR1);
	sigdelset(&waiting, SIGCHLD);
	memset(&clq_signals, 0, sizeof clq_signals);
	handle(SIGTERM, on_signal);
	handle(SIGQUIT, on_signal);
	handle(SIGUSR1, on_signal);
	handle(SIGPIPE, SIG_IGN);
	/* ^C reaches the whole group; the master tells its workers. */
	handle(SIGINT, worker ? SIG_IGN : on_signal);
	handle(SIGHUP, worker ? SIG_IGN : on_signal);
	handle(SIGCHLD, worker ? SIG_DFL : on_signal);
}

const sigset_t *
clq_signals_waiting(void)
{
	return &waiting;
}

void
clq_signals_let_in(void)
{
	static const struct timespec at_once;

	(void)ppoll(NULL, 0, &at_once, &waiting);
}
