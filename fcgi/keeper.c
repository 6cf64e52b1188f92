/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that shares the worker's descriptors (see keeper.h).
 *
 * clone(2) with CLONE_FILES alone: a fork, except that what the worker opens
 * later is open here too, and stays so for the moment that the hand-over
 * needs. The keeper calls nothing but the kernel.
 */
#include "keeper.h"

#include <cliquet/log.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void
keep(struct clq_conns *t, const struct clq_handover *h, pid_t worker)
{
	sigset_t all, end;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&end);
	sigaddset(&end, SIGUSR1);
	(void)prctl(PR_SET_NAME, "cliquetd-keeper");
	(void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
	while (getppid() == worker)
		(void)sigwaitinfo(&end, NULL);
	clq_conns_give(t, h);
	_exit(EXIT_SUCCESS);
}

pid_t
clq_keeper_start(struct clq_conns *t, const struct clq_handover *h)
{
	const char *preload = getenv("LD_PRELOAD");
	pid_t worker = getpid();
	long pid;

	if (h->put == -1)
		return 0;
	/* Valgrind ends the process over this kind of clone. */
	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		return 0;
#ifdef __s390__			/* takes the first two the other way round */
	pid = syscall(SYS_clone, 0, CLONE_FILES | SIGCHLD, 0, 0, 0);
#else
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
#endif
	if (pid == 0)
		keep(t, h, worker);
	if (pid == -1) {
		clq_log_debug("keeper: %s", strerror(errno));
		return 0;
	}
	return (pid_t)pid;
}

void
clq_keeper_stop(pid_t keeper)
{
	if (keeper > 0) {
		kill(keeper, SIGKILL);
		(void)waitpid(keeper, NULL, 0);
	}
}
