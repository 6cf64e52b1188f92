/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The master's book of workers and of the configurations they run with.
 *
 * A slot of the scoreboard belongs to one child at a time; the arrays run in
 * parallel because one is shared and the other is the master's alone.
 */
#ifndef CLQ_FCGI_CHILDREN_H
#define CLQ_FCGI_CHILDREN_H

#include "../core/server.h"
#include "conf.h"
#include "scoreboard.h"

/*
 * One loaded configuration. A reload makes a new one; the old one is freed
 * when its last worker is gone, because its backends may own what those use.
 */
struct clq_generation {
	struct clq_generation	*older;
	unsigned		 number;
	struct clq_server	*server;
	struct clq_conf		 conf;
	int			 workers;	/* alive */
};

enum clq_child_state {
	CLQ_CHILD_NONE,
	CLQ_CHILD_STARTING,	/* not ready yet */
	CLQ_CHILD_READY,
	CLQ_CHILD_LEAVING,	/* was told to, or said so */
	CLQ_CHILD__COUNT
};

struct clq_child {
	enum clq_child_state	 state;
	pid_t			 pid;
	struct clq_generation	*generation;
	clq_msec		 since;		/* in this state */
	clq_msec		 forked;
	clq_msec		 forced;	/* the last warning was sent */
};

struct clq_children {
	struct clq_scoreboard	*board;
	struct clq_child	*items;		/* board->nslots of them */
	unsigned		 fails;		/* young deaths in a row */
	clq_msec		 not_before;	/* next fork, for back-off */
};

/* An empty book of nslots; CLQ_FAILED (logged) without memory. ini: as the
 * scoreboard names it. */
enum clq_status clq_children_open(struct clq_children *c, size_t nslots,
    const char *ini) CLQ_MUST_CHECK;
void clq_children_close(struct clq_children *c);

/*
 * Fork a worker of g into a free slot. Returns its pid, -1 (logged) if it could
 * not be, or 0 in the new process, where *slot is its own.
 */
pid_t clq_children_fork(struct clq_children *c, struct clq_generation *g,
    struct clq_slot **slot);

/* Take note of ended workers, say how they ended, set the back-off. stopping:
 * they were all told to end. */
void clq_children_reap(struct clq_children *c, bool stopping);

/*
 * Look at each: who has become ready, who is stuck (over request_timeout, or
 * over shutdown_timeout when leaving) and is ended.
 */
void clq_children_check(struct clq_children *c, clq_msec now);

/* Wait for one that is none of the book, which was told to end; by force if it
 * does not end until then (clq_monotonic()). pid 0: there is none. */
void clq_child_wait(pid_t pid, clq_msec until);

/* How many in a state; g NULL: of all generations. */
int clq_children_count(const struct clq_children *c,
    enum clq_child_state state, const struct clq_generation *g);
int clq_children_alive(const struct clq_children *c);

/* Tell one worker of a generation other than g to leave; false if none. */
bool clq_children_retire(struct clq_children *c,
    const struct clq_generation *g);

/* Send sig to all; TERM makes them leaving. */
void clq_children_signal(struct clq_children *c, int sig);

#endif
