/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: events that wait in the storage until they are delivered.
 *
 * A listener with `deliver` has its events written in the transaction of the
 * change, one object each, so that change and event are stored or neither. They
 * are in one of CLQ_LANES lists per listener, chosen by the list that changed:
 * a list of ours has the sync promise too, so events of one list come out in the
 * order of the changes, and changes to different lists rarely wait for each
 * other. Processes of their own (outbox_run.c, fcgi/deliverers.h) take them out.
 *
 * What is counted here lives in memory shared by master, workers and those
 * processes, and is only an estimate between two looks at the storage.
 */
#ifndef CLQ_OUTBOX_H
#define CLQ_OUTBOX_H

#include <signal.h>
#include <stdatomic.h>

#include <cliquet/app.h>
#include <cliquet/metrics.h>

enum {
	CLQ_LANES = 16,
	CLQ_DEAD_KEPT = 10000	/* events put aside, per listener */
};

/* Shared memory, one per listener. */
struct clq_outbox_count {
	_Atomic int64_t		waiting;	/* events in all lanes */
	_Atomic int64_t		dropped;	/* since the start */
	_Atomic uint32_t	hints;		/* lanes just written to */
};

/* A durable listener. */
struct clq_outbox {
	struct clq_outbox		*next;
	size_t				 index;
	const char			*name;
	const struct clq_listener_kind	*kind;
	void				*ctx;
	bool				 objects;
	bool				 refuse;	/* when full */
	int				 processes;
	int64_t				 max_entries;
	int64_t				 max_attempts;
	clq_msec			 max_age;	/* 0: none */
	clq_msec			 max_wait;
	int				 wake[CLQ_LANES];	/* eventfds, one
							   per process */
	struct clq_outbox_count		*count;
	const struct clq_metric		*seconds;
};

/* ---- outbox.c: configuration, writing ---------------------------------- */

/* Make one of kind->deliver for the listener; in the master. */
enum clq_status clq_outbox_add(struct clq_server *srv, const char *name,
    const char *prefix, const struct clq_listener_kind *kind,
    unsigned actions, struct clq_outbox **out) CLQ_MUST_CHECK;

/* Give back descriptors and shared memory. */
void clq_outbox_close(struct clq_server *srv);

/* An event for an outbox. */
struct clq_outbox_item {
	const struct clq_event	*event;
	struct clq_outbox	*box;
};

/* Write them, in the request's transaction. CLQ_OK, or the request fails. */
enum clq_status clq_outbox_write(struct clq_request *req,
    const struct clq_outbox_item *items, size_t n) CLQ_MUST_CHECK;

CLQ_API struct clq_outbox *clq_outbox_first(const struct clq_server *srv);

extern const struct clq_metric clq_outbox_delivered, clq_outbox_failures,
    clq_outbox_dropped, clq_outbox_dead, clq_outbox_waiting;

/* ---- outbox_store.c: what is stored -------------------------------------- */

CLQ_API struct clq_coll clq_outbox_lane(struct clq_arena *arena,
    const struct clq_outbox *box, int lane);

/* Events that were put aside: {"event": payload, "why": text}. */
CLQ_API struct clq_coll clq_outbox_aside(struct clq_arena *arena,
    const struct clq_outbox *box);

/* The following are transactions of their own, in a process that serves no
 * request. Statuses of the storage. */

/* Up to n of the oldest entries of a list. */
CLQ_API enum clq_status clq_outbox_read(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_coll *coll, size_t n,
    struct clq_page *out) CLQ_MUST_CHECK;

/* How many entries are in the lanes and put aside, and since when. */
struct clq_outbox_state {
	int64_t		waiting;
	int64_t		aside;
	clq_msec	oldest;		/* waiting; 0: none */
};
CLQ_API enum clq_status clq_outbox_look(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_outbox *box,
    struct clq_outbox_state *out) CLQ_MUST_CHECK;

/* Delivered, or not wanted any more: without trace. */
CLQ_API enum clq_status clq_outbox_remove(struct clq_server *srv,
    const struct clq_coll *coll, const struct clq_strs *ids) CLQ_MUST_CHECK;

/* Put an entry of a lane aside, and back into a lane. */
enum clq_status clq_outbox_bury(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_outbox *box,
    const struct clq_coll *lane, const struct clq_object *entry,
    struct clq_str why) CLQ_MUST_CHECK;
CLQ_API enum clq_status clq_outbox_revive(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_outbox *box,
    const struct clq_object *entry) CLQ_MUST_CHECK;

/*
 * Own a lane until `until` (of the clock), if nobody else does; 0 gives it back.
 * CLQ_CONFLICT: somebody does. An owner on this machine who is gone counts as
 * nobody.
 */
enum clq_status clq_outbox_lease(struct clq_server *srv,
    struct clq_arena *arena, const struct clq_outbox *box, int lane,
    clq_msec until) CLQ_MUST_CHECK;

/* ---- outbox_run.c ---------------------------------------------------------- */

/*
 * Deliver until *stop is set by a signal, which `waiting` lets in. In a process
 * of its own, srv not open yet. Process number `process` of box->processes.
 */
CLQ_API int clq_outbox_run(struct clq_server *srv, struct clq_outbox *box,
    int process, const volatile sig_atomic_t *stop, const sigset_t *waiting);

#endif
