/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of workers (see children.h).
 *
 * Back-off: a worker that dies before it is ready doubles the pause before the
 * next fork, up to five seconds, so that a broken database or plugin makes no
 * storm. One that dies young after having been ready, say by a request that
 * crashes it, costs a short pause only.
 */
#include "children.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "../core/backtrace.h"
#include "deliverers.h"
#include "report.h"
#include "watchdog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	YOUNG_MS = 1000,	/* a death before that age counts as early */
	FIRST_PAUSE_MS = 100,
	MAX_PAUSE_MS = 5000,
	MAX_READY_PAUSE_MS = 250,
	WHAT_MAX = 448,		/* bytes, of doing() */
	GRACE_MS = 2000		/* beyond a limit that the worker enforces */
};

enum clq_status
clq_children_open(struct clq_children *c, size_t nslots, const char *ini)
{
	*c = (struct clq_children){ .board = clq_scoreboard_new(nslots,
	    ini) };
	if (c->board == NULL)
		return CLQ_FAILED;
	c->items = calloc(nslots, sizeof *c->items);
	if (c->items == NULL) {
		clq_log_err("master: %s", strerror(errno));
		clq_scoreboard_free(&c->board);
		return CLQ_FAILED;
	}
	return CLQ_OK;
}

void
clq_children_close(struct clq_children *c)
{
	free(c->items);
	c->items = NULL;
	clq_scoreboard_free(&c->board);
}

static void
set_state(struct clq_child *child, enum clq_child_state state)
{
	child->state = state;
	child->since = clq_monotonic();
}

pid_t
clq_children_fork(struct clq_children *c, struct clq_generation *g,
    struct clq_slot **slot)
{
	struct clq_slot *s;
	size_t i;
	pid_t pid;

	for (i = 0; i < c->board->nslots; i++)
		if (c->items[i].state == CLQ_CHILD_NONE)
			break;
	if (i == c->board->nslots) {
		c->not_before = clq_monotonic() + FIRST_PAUSE_MS;
		return -1;	/* leaving workers will make room */
	}
	s = &c->board->slots[i];
	memset(s, 0, sizeof *s);
	atomic_store(&s->state, CLQ_WORKER_STARTING);
	atomic_store(&s->started, clq_now());
	atomic_store(&s->generation, g->number);
	pid = fork();
	if (pid == 0) {
		atomic_store(&s->pid, getpid());
		*slot = s;
		return 0;
	}
	if (pid == -1) {
		clq_log_err("fork: %s", strerror(errno));
		atomic_store(&s->state, CLQ_WORKER_FREE);
		c->not_before = clq_monotonic() + FIRST_PAUSE_MS * 10;
		return -1;
	}
	c->items[i] = (struct clq_child){ .pid = pid, .generation = g };
	set_state(&c->items[i], CLQ_CHILD_STARTING);
	c->items[i].forked = c->items[i].since;
	g->workers++;
	return pid;
}

/* ---- deaths -------------------------------------------------------------- */

static void
back_off(struct clq_children *c, const struct clq_child *child)
{
	clq_msec now = clq_monotonic(), pause = FIRST_PAUSE_MS;
	clq_msec max = child->state == CLQ_CHILD_STARTING ? MAX_PAUSE_MS :
	    MAX_READY_PAUSE_MS;

	if (now - child->forked >= YOUNG_MS) {
		c->fails = 0;
		return;
	}
	for (unsigned i = 0; i < c->fails && pause < max; i++)
		pause *= 2;
	c->fails++;
	c->not_before = now + (pause < max ? pause : max);
}

/* "while serving GET /v1/x (rid 12ab)", if it was. */
static const char *
doing(const struct clq_slot *s, char *out, size_t cap)
{
	char text[sizeof s->text + 1], rid[sizeof s->lost.rid];

	out[0] = '\0';
	if (atomic_load(&s->request_started) == 0)
		return out;
	clq_slot_text(s, text, sizeof text);
	clq_lost_rid(&s->lost, rid, sizeof rid);
	snprintf(out, cap, " while serving %s%s%s%s", text,
	    rid[0] != '\0' ? " (rid " : "", rid, rid[0] != '\0' ? ")" : "");
	return out;
}

/* The frames were noted by the worker itself, as its last act; the master has
 * the same programs at the same addresses. */
static void
say_crash(const struct clq_child *child, const struct clq_slot *s, int sig,
    const char *what)
{
	void *frames[CLQ_FRAMES_MAX];
	struct clq_arena *arena = clq_arena_new();
	int n = atomic_load(&s->nframes);
	struct clq_buf b;

	clq_buf_init(&b, arena, 1024);
	if (n > 0 && n <= CLQ_FRAMES_MAX) {
		memcpy(frames, s->frames, (size_t)n * sizeof frames[0]);
		clq_buf_adds(&b, "; backtrace: ");
		clq_backtrace_text(&b, frames, n);
	}
	clq_log_err("worker %ld died of signal %d (%s)%s%.*s",
	    (long)child->pid, sig, strsignal(sig), what,
	    CLQ_FMT(clq_buf_str(&b)));
	clq_arena_free(&arena);
}

static void
say_death(struct clq_children *c, const struct clq_child *child,
    const struct clq_slot *s, int status)
{
	int64_t began = atomic_load(&s->request_started);
	char what[WHAT_MAX];

	doing(s, what, sizeof what);
	if (WIFSIGNALED(status)) {
		say_crash(child, s, WTERMSIG(status), what);
	} else if (WEXITSTATUS(status) == CLQ_EXIT_TIMEOUT) {
		atomic_fetch_add(&c->board->timeouts, 1);
		clq_log_err("worker %ld ended%s: no answer after %lld ms; "
		    "503 was sent", (long)child->pid, what,
		    (long long)(clq_monotonic() - began));
	} else if (WEXITSTATUS(status) != 0) {
		clq_log_err("worker %ld ended with status %d%s",
		    (long)child->pid, WEXITSTATUS(status), what);
	} else {
		clq_log_debug("worker %ld has left", (long)child->pid);
	}
}

/* What was not answered by the worker is a request all the same. */
static void
count_lost(struct clq_children *c, const struct clq_child *child,
    const struct clq_slot *s)
{
	int64_t began = atomic_load(&s->request_started);
	clq_msec ms = clq_monotonic() - began;
	clq_msec slow = child->generation->conf.slow_request;
	char text[sizeof s->text + 1];

	if (began == 0)
		return;
	clq_slot_text(s, text, sizeof text);
	clq_lost_log(child->generation->server, &s->lost, text, ms);
	clq_scoreboard_leave(c->board, &s->lost, ms);
	atomic_fetch_add(&c->board->requests, 1);
	if (slow > 0 && ms >= slow)
		atomic_fetch_add(&c->board->slow, 1);
}

static void
bury(struct clq_children *c, struct clq_child *child, int status,
    bool stopping)
{
	struct clq_slot *s = &c->board->slots[child - c->items];
	int state = atomic_load(&s->state);
	bool asked = child->state == CLQ_CHILD_LEAVING ||
	    state == CLQ_WORKER_LEAVING;

	if (child->state == CLQ_CHILD_STARTING &&
	    state != CLQ_WORKER_STARTING)
		child->state = CLQ_CHILD_READY;	/* too quick for check() */
	say_death(c, child, s, status);
	count_lost(c, child, s);
	if (!stopping && !(asked && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0)) {
		atomic_fetch_add(&c->board->respawns, 1);
		back_off(c, child);
	}
	atomic_fetch_add(&c->board->requests, atomic_load(&s->requests));
	atomic_fetch_add(&c->board->slow, atomic_load(&s->slow));
	child->generation->workers--;
	child->state = CLQ_CHILD_NONE;
	atomic_store(&s->state, CLQ_WORKER_FREE);
	atomic_store(&s->pid, 0);
}

void
clq_children_reap(struct clq_children *c, bool stopping)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		clq_report_reaped(pid);
		clq_deliverers_reaped(pid);
		for (size_t i = 0; i < c->board->nslots; i++)
			if (c->items[i].state != CLQ_CHILD_NONE &&
			    c->items[i].pid == pid)
				bury(c, &c->items[i], status, stopping);
	}
}

void
clq_child_wait(pid_t pid, clq_msec until)
{
	while (pid != 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (clq_monotonic() >= until)
			kill(pid, SIGKILL);
		(void)poll(NULL, 0, 10);
	}
}

/* ---- looking after them -------------------------------------------------- */

/* First the warning that makes a worker answer 503 and end, then the kill. In
 * between it has its time, even if the whole machine was late. */
static void
force(struct clq_child *child, const struct clq_slot *s, clq_msec now,
    const char *why)
{
	char what[WHAT_MAX];

	if (child->forced == 0) {
		child->forced = now;
		kill(child->pid, SIGALRM);
		return;
	}
	if (now - child->forced < GRACE_MS)
		return;
	clq_log_err("worker %ld killed%s: %s", (long)child->pid,
	    doing(s, what, sizeof what), why);
	kill(child->pid, SIGKILL);
}

static void
check_one(struct clq_child *child, const struct clq_slot *s, clq_msec now)
{
	const struct clq_conf *conf = &child->generation->conf;
	int64_t began = atomic_load(&s->request_started);
	int state = atomic_load(&s->state);
	clq_msec over;

	if (child->state == CLQ_CHILD_STARTING &&
	    state != CLQ_WORKER_STARTING)
		set_state(child, CLQ_CHILD_READY);
	if (child->state == CLQ_CHILD_READY && state == CLQ_WORKER_LEAVING)
		set_state(child, CLQ_CHILD_LEAVING);
	if (child->state == CLQ_CHILD_LEAVING) {
		over = now - child->since - conf->shutdown_timeout;
		if (over > GRACE_MS / 4)
			force(child, s, now, "shutdown_timeout is over");
		return;
	}
	if (conf->request_timeout > 0 && began != 0) {
		over = now - began - conf->request_timeout;
		if (over > GRACE_MS)
			force(child, s, now, "request_timeout is over");
	}
}

void
clq_children_check(struct clq_children *c, clq_msec now)
{
	for (size_t i = 0; i < c->board->nslots; i++)
		if (c->items[i].state != CLQ_CHILD_NONE)
			check_one(&c->items[i], &c->board->slots[i], now);
}

int
clq_children_count(const struct clq_children *c, enum clq_child_state state,
    const struct clq_generation *g)
{
	int n = 0;

	for (size_t i = 0; i < c->board->nslots; i++)
		n += c->items[i].state == state &&
		    (g == NULL || c->items[i].generation == g);
	return n;
}

int
clq_children_alive(const struct clq_children *c)
{
	return (int)c->board->nslots - clq_children_count(c, CLQ_CHILD_NONE,
	    NULL);
}

bool
clq_children_retire(struct clq_children *c, const struct clq_generation *g)
{
	for (size_t i = 0; i < c->board->nslots; i++) {
		struct clq_child *child = &c->items[i];

		if (child->generation == g ||
		    (child->state != CLQ_CHILD_READY &&
		    child->state != CLQ_CHILD_STARTING))
			continue;
		kill(child->pid, SIGQUIT);
		set_state(child, CLQ_CHILD_LEAVING);
		return true;
	}
	return false;
}

void
clq_children_signal(struct clq_children *c, int sig)
{
	for (size_t i = 0; i < c->board->nslots; i++) {
		if (c->items[i].state == CLQ_CHILD_NONE)
			continue;
		kill(c->items[i].pid, sig);
		if (sig == SIGTERM)
			set_state(&c->items[i], CLQ_CHILD_LEAVING);
	}
}
