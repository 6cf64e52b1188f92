/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as flags, taken only where a process waits.
 *
 * They are blocked from the start, and let in by the waiting call itself
 * (ppoll, epoll_pwait), so none is lost between a test and a wait, and none
 * interrupts a request. Handlers do nothing but set a flag. Master and worker
 * use the same flags for what concerns them.
 */
#ifndef CLQ_FCGI_SIGNALS_H
#define CLQ_FCGI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct clq_signals {
	volatile sig_atomic_t	stop;	/* TERM, INT: end of the service */
	volatile sig_atomic_t	leave;	/* QUIT: a worker is replaced */
	volatile sig_atomic_t	reload;	/* HUP */
	volatile sig_atomic_t	reopen;	/* USR1: log files */
	volatile sig_atomic_t	child;	/* CHLD */
};

extern struct clq_signals clq_signals;

/*
 * Block them and install the handlers; clear the flags. At the start of the
 * process (after FCGX_Init, which takes USR1 and PIPE for itself) and again in
 * a forked worker. worker: HUP and INT are not for it, CHLD is the default.
 */
void clq_signals_init(bool worker);

/* The mask that waiting calls use: ours let in. */
const sigset_t *clq_signals_waiting(void);

/*
 * Let in those that have come. For a loop that may always have something to
 * do: epoll_pwait lets no signal in when it finds a descriptor ready.
 */
void clq_signals_let_in(void);

#endif
