/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the server as a text, out of the scoreboard.
 *
 * Read by a worker for the status page and by `cliquet top`, which has the
 * scoreboard of another process: nothing in it is believed to be sound.
 */
#ifndef CLQ_FCGI_STATUS_H
#define CLQ_FCGI_STATUS_H

#include <cliquet/buf.h>

#include "scoreboard.h"

/* Sums over the slots, and the times as they were when looked at. */
struct clq_status_sums {
	clq_msec	now;		/* clq_now() */
	clq_msec	monotonic;
	int		workers[CLQ_WORKER_LEAVING + 1];	/* by state */
	uint64_t	requests;
	uint64_t	slow;
	uint64_t	connections;
};

void clq_status_sum(const struct clq_scoreboard *board,
    struct clq_status_sums *out);

/* "idle"; "unknown" for what is no state. */
const char *clq_worker_state_name(int state);

/* Memory of a process in bytes: resident, and its share of what is shared. -1
 * for what may not be known. */
void clq_status_memory(pid_t pid, int64_t *rss, int64_t *pss);

/* One JSON object; documented in docs/operations.md. */
void clq_status_json(struct clq_buf *b, const struct clq_scoreboard *board);

/* The same for people: a page with two tables. */
void clq_status_html(struct clq_buf *b, const struct clq_scoreboard *board);

#endif
