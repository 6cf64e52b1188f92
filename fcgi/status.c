/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the scoreboard to JSON and HTML (see status.h).
 *
 * Every value is read once: it may be another one a moment later.
 */
#include "status.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "../core/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TIME_CAP = 32, TEXT_CAP = 280 };

/* One worker, copied. */
struct row {
	pid_t		pid;
	int		state;
	unsigned	generation;
	int64_t		started;
	int64_t		busy_ms;	/* -1: no request */
	uint64_t	requests;
	uint64_t	slow;
	uint32_t	connections;
	int64_t		rss;
	int64_t		pss;
	char		text[TEXT_CAP];
};

static bool
read_slot(const struct clq_slot *s, struct row *r, clq_msec monotonic)
{
	int64_t began;

	r->pid = atomic_load(&s->pid);
	r->state = atomic_load(&s->state);
	if (r->pid <= 0 || r->state == CLQ_WORKER_FREE)
		return false;
	r->generation = atomic_load(&s->generation);
	r->started = atomic_load(&s->started);
	began = atomic_load(&s->request_started);
	r->busy_ms = began == 0 ? -1 : monotonic > began ? monotonic - began :
	    0;
	r->requests = atomic_load(&s->requests);
	r->slow = atomic_load(&s->slow);
	r->connections = atomic_load(&s->connections);
	clq_slot_text(s, r->text, sizeof r->text);
	return true;
}

void
clq_status_sum(const struct clq_scoreboard *board, struct clq_status_sums *out)
{
	struct row r;

	memset(out, 0, sizeof *out);
	out->now = clq_now();
	out->monotonic = clq_monotonic();
	out->requests = atomic_load(&board->requests);
	out->slow = atomic_load(&board->slow);
	for (size_t i = 0; i < board->nslots; i++) {
		if (!read_slot(&board->slots[i], &r, out->monotonic))
			continue;
		if (r.state > 0 && r.state <= CLQ_WORKER_LEAVING)
			out->workers[r.state]++;
		out->requests += r.requests;
		out->slow += r.slow;
		out->connections += r.connections;
	}
}

const char *
clq_worker_state_name(int state)
{
	static const char *const names[] = { "free", "starting", "idle", "busy",
	    "leaving" };

	return state >= 0 && state < (int)CLQ_COUNT(names) ? names[state] :
	    "unknown";
}

void
clq_status_memory(pid_t pid, int64_t *rss, int64_t *pss)
{
	char path[64], line[256];
	long long kib, pages;
	FILE *f;

	*rss = *pss = -1;
	snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
	if ((f = fopen(path, "re")) != NULL) {
		if (fscanf(f, "%*s %lld", &pages) == 1)
			*rss = pages * sysconf(_SC_PAGESIZE);
		fclose(f);
	}
	snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
	if ((f = fopen(path, "re")) == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Pss: %lld", &kib) == 1)
			*pss = kib * 1024;
	fclose(f);
}

/* "2026-11-24T08:00:00Z" of milliseconds; empty for 0. */
static const char *
stamp(int64_t ms, char out[TIME_CAP])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	if (ms <= 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, TIME_CAP, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		*out = '\0';
	return out;
}

/* A text of the board's, which need not be terminated. */
static struct clq_str
bounded(struct clq_arena *arena, const char *p, size_t cap)
{
	struct clq_str s = { p, strnlen(p, cap) };

	return clq_utf8_valid(s) ? s : clq_arena_strdup(arena, CLQ_STR("?"));
}

/* ---- JSON ---------------------------------------------------------------- */

static void
add_number(struct clq_buf *b, const char *name, int64_t n)
{
	if (n < 0)
		clq_buf_printf(b, ",\"%s\":null", name);
	else
		clq_buf_printf(b, ",\"%s\":%" PRId64, name, n);
}

static void
add_stamp(struct clq_buf *b, const char *name, int64_t ms)
{
	char text[TIME_CAP];

	stamp(ms, text);
	clq_buf_printf(b, *text != '\0' ? ",\"%s\":\"%s\"" : ",\"%s\":null%s",
	    name, text);
}

static void
add_row(struct clq_buf *b, struct row *r, const struct clq_status_sums *sums)
{
	clq_status_memory(r->pid, &r->rss, &r->pss);
	clq_buf_printf(b, "{\"pid\":%ld,\"state\":\"%s\",\"generation\":%u",
	    (long)r->pid, clq_worker_state_name(r->state), r->generation);
	add_stamp(b, "started", r->started);
	add_number(b, "age_seconds", (sums->now - r->started) / 1000);
	add_number(b, "requests", (int64_t)r->requests);
	add_number(b, "slow", (int64_t)r->slow);
	add_number(b, "connections", (int64_t)r->connections);
	add_number(b, "rss_bytes", r->rss);
	add_number(b, "pss_bytes", r->pss);
	clq_buf_adds(b, ",\"request\":");
	clq_buf_json_str(b, clq_str_of(r->text));
	add_number(b, "request_ms", r->busy_ms);
	clq_buf_addc(b, '}');
}

void
clq_status_json(struct clq_buf *b, const struct clq_scoreboard *board)
{
	int64_t reloaded = atomic_load(&board->reloaded);
	struct clq_status_sums s;
	bool first = true;
	struct row r;

	clq_status_sum(board, &s);
	clq_buf_adds(b, "{\"version\":");
	clq_buf_json_str(b, bounded(b->arena, board->head.version,
	    sizeof board->head.version));
	add_number(b, "pid", atomic_load(&board->pid));
	clq_buf_adds(b, ",\"config\":");
	clq_buf_json_str(b, bounded(b->arena, board->head.ini,
	    sizeof board->head.ini));
	add_number(b, "generation", atomic_load(&board->generation));
	add_stamp(b, "started", atomic_load(&board->started));
	add_stamp(b, "reloaded", reloaded);
	add_number(b, "uptime_seconds", (s.now - atomic_load(&board->started)) /
	    1000);
	clq_buf_printf(b, ",\"workers\":{\"wanted\":%d",
	    atomic_load(&board->wanted));
	for (int i = CLQ_WORKER_STARTING; i <= CLQ_WORKER_LEAVING; i++)
		add_number(b, clq_worker_state_name(i), s.workers[i]);
	clq_buf_addc(b, '}');
	add_number(b, "requests", (int64_t)s.requests);
	add_number(b, "slow", (int64_t)s.slow);
	add_number(b, "respawns", (int64_t)atomic_load(&board->respawns));
	add_number(b, "timeouts", (int64_t)atomic_load(&board->timeouts));
	add_number(b, "connections", (int64_t)s.connections);
	add_number(b, "waiting", atomic_load(&board->waiting));
	add_number(b, "waiting_most", atomic_load(&board->waiting_most));
	add_number(b, "backlog", atomic_load(&board->backlog));
	clq_buf_adds(b, ",\"processes\":[");
	for (size_t i = 0; i < board->nslots; i++) {
		if (!read_slot(&board->slots[i], &r, s.monotonic))
			continue;
		if (!first)
			clq_buf_addc(b, ',');
		first = false;
		add_row(b, &r, &s);
	}
	clq_buf_adds(b, "]}");
}

/* ---- HTML ---------------------------------------------------------------- */

static void
html_row(struct clq_buf *b, const char *name, struct clq_str value)
{
	clq_buf_printf(b, "<tr><th align=left>%s<td>", name);
	clq_html_add(b, value);
}

static void
html_number(struct clq_buf *b, const char *name, int64_t n)
{
	html_row(b, name, n < 0 ? CLQ_STR("unknown") :
	    clq_arena_printf(b->arena, "%" PRId64, n));
}

static void
html_worker(struct clq_buf *b, struct row *r,
    const struct clq_status_sums *sums)
{
	clq_status_memory(r->pid, &r->rss, &r->pss);
	clq_buf_printf(b, "<tr><td>%ld<td>%s<td>%u<td>%" PRId64 "<td>%" PRIu64
	    "<td>%" PRIu64 "<td>%" PRIu32, (long)r->pid,
	    clq_worker_state_name(r->state), r->generation,
	    (sums->now - r->started) / 1000, r->requests, r->slow,
	    r->connections);
	if (r->rss >= 0)
		clq_buf_printf(b, "<td>%.1f", (double)r->rss / 1048576);
	else
		clq_buf_adds(b, "<td>?");
	if (r->pss >= 0)
		clq_buf_printf(b, "<td>%.1f", (double)r->pss / 1048576);
	else
		clq_buf_adds(b, "<td>?");
	if (r->busy_ms >= 0)
		clq_buf_printf(b, "<td>%" PRId64 "<td>", r->busy_ms);
	else
		clq_buf_adds(b, "<td><td>");
	clq_html_add(b, clq_str_of(r->text));
}

void
clq_status_html(struct clq_buf *b, const struct clq_scoreboard *board)
{
	struct clq_status_sums s;
	char text[TIME_CAP];
	struct row r;

	clq_status_sum(board, &s);
	clq_buf_adds(b, "<!DOCTYPE html><html lang=en><title>cliquetd</title>"
	    "<h1>cliquetd</h1><table>");
	html_row(b, "version", bounded(b->arena, board->head.version,
	    sizeof board->head.version));
	html_number(b, "master", atomic_load(&board->pid));
	html_row(b, "configuration", bounded(b->arena, board->head.ini,
	    sizeof board->head.ini));
	html_number(b, "generation", atomic_load(&board->generation));
	html_row(b, "started", clq_str_of(stamp(atomic_load(&board->started),
	    text)));
	html_row(b, "reloaded", clq_str_of(stamp(atomic_load(
	    &board->reloaded), text)));
	html_number(b, "workers wanted", atomic_load(&board->wanted));
	for (int i = CLQ_WORKER_STARTING; i <= CLQ_WORKER_LEAVING; i++)
		html_number(b, clq_worker_state_name(i), s.workers[i]);
	html_number(b, "requests", (int64_t)s.requests);
	html_number(b, "slow", (int64_t)s.slow);
	html_number(b, "respawns", (int64_t)atomic_load(&board->respawns));
	html_number(b, "timeouts", (int64_t)atomic_load(&board->timeouts));
	html_number(b, "connections", (int64_t)s.connections);
	html_number(b, "waiting", atomic_load(&board->waiting));
	html_number(b, "waiting, most", atomic_load(&board->waiting_most));
	html_number(b, "backlog", atomic_load(&board->backlog));
	clq_buf_adds(b, "</table><table border=1><tr><th>pid<th>state<th>"
	    "generation<th>age, s<th>requests<th>slow<th>connections<th>RSS, "
	    "MiB<th>PSS, MiB<th>ms<th>request");
	for (size_t i = 0; i < board->nslots; i++)
		if (read_slot(&board->slots[i], &r, s.monotonic))
			html_worker(b, &r, &s);
	clq_buf_adds(b, "</table></html>\n");
}
