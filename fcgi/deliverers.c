/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, replacing and ending the processes of the outbox (see
 * deliverers.h).
 */
#include "deliverers.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "../core/log_conf.h"
#include "../core/outbox.h"
#include "children.h"
#include "privileges.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PAUSE_MS = 2000,	/* before a dead one is replaced */
	LAST_MS = 3000		/* theirs, at the end */
};

struct deliverer {
	struct deliverer	*next;
	struct clq_outbox	*box;
	int			 process;
	pid_t			 pid;		/* 0: none */
	clq_msec		 not_before;
};

static struct {
	struct clq_server			*srv;
	const struct clq_deliverers_start	*start;
	struct deliverer			*first;
	pid_t					 parent;
	pid_t					 nurse;	/* 0: we are it */
} all;

static void
let_go(const struct clq_deliverers_start *start)
{
	for (size_t i = 0; i < start->listeners->n; i++)
		close(start->listeners->items[i].fd);
	if (start->handover != NULL) {
		close(start->handover->put);
		close(start->handover->get);
	}
	if (start->pidfile != NULL)
		clq_pidfile_forget(start->pidfile);
}

static _Noreturn void
be_deliverer(const struct deliverer *d, pid_t parent)
{
	clq_signals_init(true);
	(void)prctl(PR_SET_NAME, "cliquetd-outbox");
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_SUCCESS);
	let_go(all.start);
	_exit(clq_outbox_run(all.srv, d->box, d->process, &clq_signals.stop,
	    clq_signals_waiting()));
}

static void
start_one(struct deliverer *d)
{
	pid_t self = getpid(), pid = fork();

	if (pid == 0)
		be_deliverer(d, self);
	if (pid == -1) {
		clq_log_err("outbox: fork: %s", strerror(errno));
		d->not_before = clq_monotonic() + PAUSE_MS;
		return;
	}
	d->pid = pid;
}

/* They finish on their own time; whoever takes over waits for their lanes. */
static void
retire(void)
{
	struct deliverer *d;

	while ((d = all.first) != NULL) {
		all.first = d->next;
		if (d->pid != 0 && all.parent == getpid())
			kill(d->pid, SIGTERM);
		free(d);
	}
}

static void
add(struct clq_outbox *box, int process)
{
	struct deliverer *d = calloc(1, sizeof *d);

	if (d == NULL) {
		clq_log_err("outbox: %s", strerror(errno));
		return;
	}
	d->box = box;
	d->process = process;
	d->next = all.first;
	all.first = d;
}

void
clq_deliverers_configure(struct clq_server *srv,
    const struct clq_deliverers_start *start)
{
	retire();
	all.srv = srv;
	all.start = start;
	all.parent = getpid();
	for (struct clq_outbox *box = clq_outbox_first(srv); box != NULL;
	    box = box->next)
		for (int i = 0; i < box->processes; i++)
			add(box, i);
	clq_deliverers_look();
}

void
clq_deliverers_reaped(pid_t pid)
{
	for (struct deliverer *d = all.first; d != NULL; d = d->next)
		if (d->pid == pid) {
			clq_log_warn("outbox: the process of the listener %s "
			    "has ended; another one follows", d->box->name);
			d->pid = 0;
			d->not_before = clq_monotonic() + PAUSE_MS;
		}
}

void
clq_deliverers_look(void)
{
	clq_msec now = clq_monotonic();

	for (struct deliverer *d = all.first; d != NULL; d = d->next)
		if (d->pid == 0 && now >= d->not_before)
			start_one(d);
}

void
clq_deliverers_reopen(void)
{
	if (all.nurse != 0)
		kill(all.nurse, SIGUSR1);
	else if (all.first != NULL)
		clq_deliverers_configure(all.srv, all.start);
}

void
clq_deliverers_stop(void)
{
	clq_msec until = clq_monotonic() + LAST_MS;
	struct deliverer *d;

	if (all.parent != getpid())
		return;
	if (all.nurse != 0) {
		kill(all.nurse, SIGTERM);
		clq_child_wait(all.nurse, until + LAST_MS);
		all.nurse = 0;
	}
	for (d = all.first; d != NULL; d = d->next)
		if (d->pid != 0)
			kill(d->pid, SIGTERM);
	for (d = all.first; d != NULL; d = d->next) {
		clq_child_wait(d->pid, until);
		d->pid = 0;
	}
	retire();
}

/* ---- without a master ---------------------------------------------------- */

static _Noreturn void
nurse(struct clq_server *srv, const struct clq_deliverers_start *start,
    pid_t parent)
{
	const struct timespec second = { .tv_sec = 1 };
	pid_t pid;

	clq_signals_init(true);
	(void)prctl(PR_SET_NAME, "cliquetd-nurse");
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_SUCCESS);
	let_go(start);
	clq_deliverers_configure(srv, &(struct clq_deliverers_start){
	    .listeners = &(struct clq_listeners){ .n = 0 } });
	while (!clq_signals.stop) {
		(void)ppoll(NULL, 0, &second, clq_signals_waiting());
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			clq_deliverers_reaped(pid);
		if (clq_signals.reopen) {
			clq_signals.reopen = 0;
			if (clq_log_configure(srv->settings) != CLQ_OK)
				clq_log_warn("log file not reopened");
			clq_deliverers_reopen();
		}
		if (!clq_signals.stop)
			clq_deliverers_look();
	}
	clq_deliverers_stop();
	_exit(EXIT_SUCCESS);
}

void
clq_deliverers_detach(struct clq_server *srv,
    const struct clq_deliverers_start *start)
{
	pid_t self = getpid();

	all.parent = self;
	if (clq_outbox_first(srv) == NULL)
		return;
	all.nurse = fork();
	if (all.nurse == 0)
		nurse(srv, start, self);
	if (all.nurse == -1) {
		clq_log_err("outbox: fork: %s; nothing is delivered",
		    strerror(errno));
		all.nurse = 0;
	}
}
