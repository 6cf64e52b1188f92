/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every worker is doing, in memory shared by master and workers.
 *
 * Made by the master before it forks; never grows. Each worker writes its own
 * slot, the master assigns slots and reads all. Members are atomic because
 * readers look at any moment, and because a worker may be gone in the middle
 * of a line; texts may be seen half-written and are cut at their length.
 *
 * The mapping is a memory file (memfd) of the master's, sealed against changes
 * of its size: `cliquet top` finds it among the descriptors in /proc and reads
 * it (cli/board.c), so nobody has to answer it. Who may look there is the
 * kernel's decision: root, and the user who serves.
 */
#ifndef CLQ_FCGI_SCOREBOARD_H
#define CLQ_FCGI_SCOREBOARD_H

#include <stdatomic.h>

#include <sys/types.h>

#include <cliquet/types.h>

#include "../core/backtrace.h"
#include "../core/lost.h"

enum clq_worker_state {
	CLQ_WORKER_FREE,		/* nobody has the slot */
	CLQ_WORKER_STARTING,		/* forked, opening its backends */
	CLQ_WORKER_IDLE,
	CLQ_WORKER_BUSY,		/* serving a request */
	CLQ_WORKER_LEAVING		/* accepts no more */
};

enum { CLQ_SLOTS_MAX = 2304 };	/* twice the largest `workers`, and some */

struct clq_slot {
	_Alignas(64) _Atomic(pid_t)	pid;
	_Atomic(int)			state;		/* clq_worker_state */
	_Atomic(unsigned)		generation;	/* of its settings */
	_Atomic(int64_t)		started;	/* clq_now() */
	_Atomic(int64_t)		request_started; /* clq_monotonic(); 0: none */
	_Atomic(uint64_t)		requests;	/* answered */
	_Atomic(uint64_t)		slow;		/* of those, over slow_request_ms */
	_Atomic(uint32_t)		connections;	/* open */
	_Atomic(int)			nframes;	/* of a crash */
	void				*frames[CLQ_FRAMES_MAX];
	struct clq_lost			lost;		/* of a death */
	_Atomic(uint32_t)		text_len;
	char				text[256];	/* "GET /v1/..." of the current
							   or last request; no query */
};

/* First in the mapping, and the same in all versions. */
struct clq_board_head {
	char			magic[8];	/* CLQ_BOARD_MAGIC */
	uint32_t		head_size;	/* sizeof struct clq_scoreboard */
	uint32_t		slot_size;
	char			version[32];	/* of the server */
	char			ini[512];	/* absolute; empty: none, or long */
};
#define CLQ_BOARD_MAGIC	"clqboard"
#define CLQ_BOARD_NAME	"cliquet-scoreboard"

/* Lost requests on their way to the metrics, which workers alone have open. */
enum { CLQ_LOST_MAX = 32 };
struct clq_lost_entry {
	_Atomic(int)		full;
	clq_msec		ms;
	struct clq_lost		lost;
};

struct clq_scoreboard {
	struct clq_board_head	head;
	_Atomic(pid_t)		pid;		/* of the master */
	_Atomic(int)		wanted;		/* workers */
	_Atomic(int)		waiting;	/* to be accepted; -1: unknown */
	_Atomic(int)		waiting_most;	/* so far */
	_Atomic(int)		backlog;	/* may wait; -1: unknown */
	_Atomic(int64_t)	started;	/* clq_now() of the server */
	_Atomic(int64_t)	reloaded;	/* of the last good reload */
	_Atomic(unsigned)	generation;	/* counts good reloads */
	_Atomic(uint64_t)	respawns;	/* workers that died unasked */
	_Atomic(uint64_t)	timeouts;	/* requests ended by time */
	_Atomic(uint64_t)	requests;	/* by workers that are gone */
	_Atomic(uint64_t)	slow;
	struct clq_lost_entry	lost[CLQ_LOST_MAX];
	size_t			nslots;
	size_t			size;		/* of the mapping */
	struct clq_slot		slots[];
};

/* nslots empty slots; ini may be NULL. NULL if there is no memory (logged).
 * Process context: master, or the only process. */
struct clq_scoreboard *clq_scoreboard_new(size_t nslots, const char *ini);
void clq_scoreboard_free(struct clq_scoreboard **board);

/* Note what waits on the listening sockets (backlog.h). */
void clq_scoreboard_queue(struct clq_scoreboard *board, int waiting,
    int backlog);

/* The master leaves a lost request there; a worker takes one, false: there is
 * none. With many at once some are not counted. */
void clq_scoreboard_leave(struct clq_scoreboard *board,
    const struct clq_lost *lost, clq_msec ms);
bool clq_scoreboard_take(struct clq_scoreboard *board, struct clq_lost *lost,
    clq_msec *ms);

/* Note what is being served. Called by the slot's worker. */
void clq_slot_begin(struct clq_slot *slot, clq_msec now, struct clq_str method,
    struct clq_str path);
void clq_slot_end(struct clq_slot *slot, clq_msec now, clq_msec slow);

/* The current or last request of a slot, printable, into out[cap]. */
void clq_slot_text(const struct clq_slot *slot, char *out, size_t cap);

#endif
