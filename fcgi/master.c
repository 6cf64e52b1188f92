/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master's loop (see master.h).
 *
 * It sleeps in ppoll until a signal or the time of the next look. Each look
 * compares what is with what should be: `workers` of the newest configuration.
 * So start, respawn and reload are one rule: fork what is missing, with
 * back-off; for each new worker that is ready, an old one is told to leave,
 * and hands its connections over (handover.h).
 */
#include "master.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "../core/log_conf.h"
#include "backlog.h"
#include "children.h"
#include "deliverers.h"
#include "load.h"
#include "notify.h"
#include "report.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	LOOK_MS = 1000,
	LOOK_SOON_MS = 20	/* while something is changing */
};

struct master {
	const struct clq_master_start	*start;
	struct clq_children		 children;
	struct clq_handover		 handover;
	struct clq_deliverers_start	 deliverers;
	struct clq_slot			*slot;	/* in a worker: its own */
	bool				 stopping;
	bool				 announced;	/* READY=1 is due */
	bool				 told;		/* "ready" */
};

/* Newest first. Static, so that a worker's copies count as reachable: it must
 * not free what others still use. */
static struct clq_generation *generations;

static enum clq_status
add_generation(struct clq_server *srv, const struct clq_conf *conf,
    int workers)
{
	struct clq_generation *g = calloc(1, sizeof *g);

	if (g == NULL) {
		clq_log_err("master: %s", strerror(errno));
		return CLQ_FAILED;
	}
	g->older = generations;
	g->number = g->older != NULL ? g->older->number + 1 : 1;
	g->server = srv;
	g->conf = *conf;
	if (workers > 0)
		g->conf.workers = workers;
	generations = g;
	return CLQ_OK;
}

/* Free those that nobody runs with any more, but the newest. */
static void
free_generations(bool all)
{
	struct clq_generation **at = &generations, *g;

	if (!all && generations != NULL)
		at = &generations->older;
	while ((g = *at) != NULL) {
		if (g->workers > 0) {
			at = &g->older;
			continue;
		}
		*at = g->older;
		clq_server_free(&g->server);
		free(g);
	}
}

/* ---- reload -------------------------------------------------------------- */

/* What only a restart changes. */
static void
warn_unchangeable(const struct clq_conf *old, const struct clq_conf *new)
{
	const struct {
		const char	*key;
		const char	*was;
		const char	*is;
	} fixed[] = {
		{ "user", old->user, new->user },
		{ "group", old->group, new->group },
		{ "pidfile", old->pidfile, new->pidfile },
	};

	for (size_t i = 0; i < CLQ_COUNT(fixed); i++) {
		const char *was = fixed[i].was != NULL ? fixed[i].was : "";
		const char *is = fixed[i].is != NULL ? fixed[i].is : "";

		if (strcmp(was, is) != 0)
			clq_log_warn("reload: a new value of `%s` needs a "
			    "restart", fixed[i].key);
	}
}

static enum clq_status
load(struct master *m)
{
	const struct clq_master_start *start = m->start;
	struct clq_settings *settings = NULL;
	struct clq_server *srv = NULL;
	struct clq_conf conf;
	enum clq_status rc;

	if ((rc = clq_load_settings(start->ini, &settings, &conf)) != CLQ_OK)
		return rc;
	if ((rc = clq_server_new(settings, &srv)) != CLQ_OK)
		return rc;
	if (!start->listeners->inherited)
		rc = clq_listeners_update(start->listeners, &conf);
	if (rc == CLQ_OK &&
	    (rc = clq_log_configure(srv->settings)) != CLQ_OK &&
	    !start->listeners->inherited &&
	    clq_listeners_update(start->listeners, &generations->conf) !=
	    CLQ_OK)
		clq_log_warn("reload: the old sockets are not all back");
	if (rc == CLQ_OK) {
		warn_unchangeable(&generations->conf, &conf);
		rc = add_generation(srv, &conf, start->workers);
	}
	if (rc != CLQ_OK)
		clq_server_free(&srv);
	return rc;
}

static void
reload(struct master *m)
{
	struct clq_scoreboard *board = m->children.board;

	clq_log_info("reload: reading %s", m->start->ini != NULL ?
	    m->start->ini : "the environment");
	clq_notify_reloading();
	m->announced = false;
	if (load(m) != CLQ_OK) {
		clq_log_err("reload: refused for the reasons above; the old "
		    "configuration stays in force");
		return;
	}
	atomic_store(&board->reloaded, clq_now());
	atomic_store(&board->generation, generations->number);
	clq_report_configure(&generations->conf);
	clq_deliverers_configure(generations->server, &m->deliverers);
	m->children.fails = 0;
	m->children.not_before = 0;
	clq_log_info("reload: configuration %u is in force",
	    generations->number);
}

/* ---- what is, what should be --------------------------------------------- */

/* True in a new worker. */
static bool
fork_missing(struct master *m, clq_msec now)
{
	struct clq_children *c = &m->children;
	struct clq_generation *g = generations;
	int starting = clq_children_count(c, CLQ_CHILD_STARTING, g);
	int have = starting + clq_children_count(c, CLQ_CHILD_READY, g);
	bool rolling = g->older != NULL;

	while (have < g->conf.workers && now >= c->not_before) {
		/* One by one while an old configuration is still served, and
		 * while they die: the first one shows how it goes. */
		if (starting > 0 && (rolling || c->fails > 0))
			break;
		switch (clq_children_fork(c, g, &m->slot)) {
		case 0:
			return true;
		case -1:
			return false;
		default:
			starting++;
			have++;
		}
	}
	return false;
}

/* As many old workers may go as new ones are ready. */
static void
retire_old(struct master *m)
{
	struct clq_children *c = &m->children;
	const struct clq_generation *g = generations;
	int ready = clq_children_count(c, CLQ_CHILD_READY, g);
	int old = clq_children_count(c, CLQ_CHILD_READY, NULL) - ready +
	    clq_children_count(c, CLQ_CHILD_STARTING, NULL) -
	    clq_children_count(c, CLQ_CHILD_STARTING, g);

	while (ready > 0 && old > 0 && ready + old > g->conf.workers &&
	    clq_children_retire(c, g))
		old--;
}

static void
announce(struct master *m)
{
	const struct clq_generation *g = generations;
	int ready = clq_children_count(&m->children, CLQ_CHILD_READY, g);
	bool all = ready >= g->conf.workers && g->older == NULL;
	char text[64];

	/* First start: one is enough to serve. Reload: when it is through, or
	 * was refused. */
	if (m->announced || (g->number == 1 ? ready == 0 : !all))
		return;
	m->announced = true;
	snprintf(text, sizeof text, "READY=1\nSTATUS=%d worker%s",
	    g->conf.workers, g->conf.workers == 1 ? "" : "s");
	clq_notify(text);
	if (g->number == 1 && !m->told)
		clq_log_info("ready, %d worker%s", g->conf.workers,
		    g->conf.workers == 1 ? "" : "s");
	m->told = true;
}

static void
stop(struct master *m)
{
	clq_log_info("stopping");
	clq_notify("STOPPING=1");
	m->stopping = true;
	clq_children_signal(&m->children, SIGTERM);
}

static void
take_signals(struct master *m)
{
	if (clq_signals.reopen) {
		clq_signals.reopen = 0;
		if (clq_log_configure(generations->server->settings) != CLQ_OK)
			clq_log_warn("log file not reopened");
		clq_report_reopen();
		clq_deliverers_reopen();
		clq_children_signal(&m->children, SIGUSR1);
	}
	if (clq_signals.reload) {
		clq_signals.reload = 0;
		if (!m->stopping)
			reload(m);
	}
	if (clq_signals.stop || clq_signals.leave) {
		clq_signals.stop = clq_signals.leave = 0;
		if (!m->stopping)
			stop(m);
	}
}

static int
patience(const struct master *m, clq_msec now)
{
	const struct clq_children *c = &m->children;

	if (m->stopping || generations->older != NULL ||
	    clq_children_count(c, CLQ_CHILD_STARTING, NULL) > 0)
		return LOOK_SOON_MS;
	if (c->not_before > now && c->not_before - now < LOOK_MS)
		return (int)(c->not_before - now);
	return LOOK_MS;
}

static void
look_at_queue(struct master *m)
{
	int waiting, backlog;

	clq_backlog_read(m->start->listeners, &waiting, &backlog);
	clq_scoreboard_queue(m->children.board, waiting, backlog);
	atomic_store(&m->children.board->wanted, generations->conf.workers);
}

/* False in a new worker; true when the service has ended. */
static bool
loop(struct master *m)
{
	struct clq_children *c = &m->children;
	struct timespec ts;
	clq_msec now;
	int ms;

	for (;;) {
		clq_signals.child = 0;
		clq_children_reap(c, m->stopping);
		take_signals(m);
		now = clq_monotonic();
		clq_notify_alive(now);
		clq_children_check(c, now);
		free_generations(false);
		look_at_queue(m);
		clq_report_look();
		if (!m->stopping)
			clq_deliverers_look();
		if (m->stopping && clq_children_alive(c) == 0)
			return true;
		if (!m->stopping) {
			if (fork_missing(m, now))
				return false;
			retire_old(m);
			announce(m);
		}
		ms = patience(m, now);
		ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
		(void)ppoll(NULL, 0, &ts, clq_signals_waiting());
	}
}

/* ---- both kinds of process ----------------------------------------------- */

static int
be_worker(struct master *m, pid_t master)
{
	struct clq_generation *g = generations;
	struct clq_worker w = {
		.server = g->server, .conf = &g->conf,
		.listeners = m->start->listeners, .handover = m->handover,
		.slot = m->slot, .board = m->children.board,
		.master = master,
	};
	int rc;

	clq_signals_init(true);
	clq_pidfile_forget(m->start->pidfile);
	(void)prctl(PR_SET_NAME, "cliquetd-worker");
	/* Without its master a worker finishes what it has and leaves. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		clq_signals.stop = 1;
	rc = clq_worker_run(&w);
	clq_server_free(&g->server);
	return rc;
}

int
clq_master_run(const struct clq_master_start *start)
{
	struct master m = { .start = start };
	pid_t self = getpid();
	int rc = EXIT_FAILURE;

	if (add_generation(start->server, &start->conf, start->workers) !=
	    CLQ_OK)
		return rc;
	if (clq_children_open(&m.children, CLQ_SLOTS_MAX, start->ini) !=
	    CLQ_OK)
		return rc;
	if (clq_handover_open(&m.handover) != CLQ_OK)
		goto out;
	/* Keepers outlive their workers for a moment: they are ours to bury. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	clq_report_configure(&generations->conf);
	m.deliverers = (struct clq_deliverers_start){ start->listeners,
	    &m.handover, start->pidfile };
	clq_deliverers_configure(generations->server, &m.deliverers);
	if (loop(&m))
		rc = EXIT_SUCCESS;
	else
		rc = be_worker(&m, self);
	clq_handover_close(&m.handover);
	if (getpid() == self) {
		clq_deliverers_stop();
		clq_report_stop();
	}
out:	clq_children_close(&m.children);
	if (getpid() == self)
		free_generations(true);
	return rc;
}
