/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every worker is doing, in memory shared by master and workers.
 *
 * Made by the master before it forks; never grows. Each worker writes its own
 * slot, the master assigns slots and reads all. Members are atomic because
 * readers look at any moment, and because a worker may be gone in the middle
 * of a line; texts may be seen half-written and are cut at their length.
 */
#ifndef CLQ_FCGI_SCOREBOARD_H
#define CLQ_FCGI_SCOREBOARD_H

#include <stdatomic.h>

#include <sys/types.h>

#include <cliquet/types.h>

enum clq_worker_state {
	CLQ_WORKER_FREE,		/* nobody has the slot */
	CLQ_WORKER_STARTING,		/* forked, opening its backends */
	CLQ_WORKER_IDLE,
	CLQ_WORKER_BUSY,		/* serving a request */
	CLQ_WORKER_LEAVING		/* accepts no more */
};

struct clq_slot {
	_Alignas(64) _Atomic(pid_t)	pid;
	_Atomic(int)			state;		/* clq_worker_state */
	_Atomic(unsigned)		generation;	/* of its settings */
	_Atomic(int64_t)		started;	/* clq_now() */
	_Atomic(int64_t)		request_started; /* clq_monotonic(); 0: none */
	_Atomic(uint64_t)		requests;	/* answered */
	_Atomic(uint64_t)		slow;		/* of those, over 1 s */
	_Atomic(uint32_t)		connections;	/* open */
	_Atomic(uint32_t)		text_len;
	char				text[256];	/* "GET /v1/..." of the current
							   or last request; no query */
};

struct clq_scoreboard {
	_Atomic(int64_t)	started;	/* clq_now() of the server */
	_Atomic(int64_t)	reloaded;	/* of the last good reload */
	_Atomic(unsigned)	generation;	/* counts good reloads */
	_Atomic(uint64_t)	respawns;	/* workers that died unasked */
	_Atomic(uint64_t)	timeouts;	/* requests ended by time */
	_Atomic(uint64_t)	requests;	/* by workers that are gone */
	size_t			nslots;
	size_t			size;		/* of the mapping */
	struct clq_slot		slots[];
};

/* nslots empty slots; NULL if there is no memory (logged). Process context:
 * master, or the only process. */
struct clq_scoreboard *clq_scoreboard_new(size_t nslots);
void clq_scoreboard_free(struct clq_scoreboard **board);

/* Note what is being served. Called by the slot's worker. */
void clq_slot_begin(struct clq_slot *slot, clq_msec now, struct clq_str method,
    struct clq_str path);
void clq_slot_end(struct clq_slot *slot, clq_msec now);

/* The current or last request of a slot, printable, into out[cap]. */
void clq_slot_text(const struct clq_slot *slot, char *out, size_t cap);

#endif
