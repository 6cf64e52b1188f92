/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet top`: what a running server is doing, from its scoreboard.
 *
 * The scoreboard is a memory file that the master keeps open; it is found in
 * /proc and read (board.c). So nothing has to be configured, no process is
 * asked, and a server that hangs can be looked at as well. The kernel shows it
 * to root and to the user who serves.
 */
#include <cliquet/arena.h>
#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "../fcgi/status.h"
#include "board.h"
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	PERIOD_MS = 1000,
	USER_CAP = 40
};

/* ---- finding the server -------------------------------------------------- */

/* The name of a user, or his number. */
static const char *
user_name(uid_t uid, char out[USER_CAP])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw != NULL)
		snprintf(out, USER_CAP, "%s", pw->pw_name);
	else
		snprintf(out, USER_CAP, "%lu", (unsigned long)uid);
	return out;
}

static void
name_them(const struct cli_boards *all)
{
	char user[USER_CAP];

	for (size_t i = 0; i < all->n; i++)
		clq_log_err("  cliquet top %ld   # %s, as %s",
		    (long)all->list[i].pid, all->list[i].copy->head.ini,
		    user_name(all->list[i].uid, user));
}

/* Which one is meant: that of the ini, or the only one. NULL: said. */
static struct cli_board *
choose(const struct cli *cli, struct cli_boards *all)
{
	char *ini = realpath(cli->ini, NULL);
	struct cli_board *chosen = NULL;
	const char *said;
	size_t same = 0;

	for (size_t i = 0; i < all->n && ini != NULL; i++) {
		if (strcmp(all->list[i].copy->head.ini, ini) != 0)
			continue;
		chosen = &all->list[i];
		same++;
	}
	free(ini);
	if (same == 1)
		return chosen;
	if (cli->ini_given && same == 0 && cli->noperands == 0) {
		clq_log_err("the server of %s is not running, or is another "
		    "user's%s", cli->ini, all->n > 0 ? "; these are running:" :
		    "");
		name_them(all);
	} else if (all->n == 1) {
		return &all->list[0];
	} else if (all->n > 1) {
		clq_log_err("several servers are running; name the process id "
		    "of one:");
		name_them(all);
	} else if (cli->noperands == 1 && !all->other_version) {
		said = all->forbidden ? ", or is another user's" : "";
		cli_boards_find(all, NULL);
		clq_log_err("%s is not the process id of a running server's "
		    "master%s%s", cli->operands[0], said, all->n > 0 ?
		    "; these are running:" : "");
		name_them(all);
	} else if (all->other_version) {
		clq_log_err("the running server is of another version than "
		    "this command; use the one that belongs to it");
	} else {
		clq_log_err("no running server is to be seen%s", all->forbidden
		    ? "; look as root, or as the user it runs as" : "");
	}
	return NULL;
}

/* ---- the picture --------------------------------------------------------- */

struct row {
	const struct clq_slot	*slot;
	pid_t			 pid;
	int			 state;
	clq_msec		 busy;		/* -1: idle */
};

/* What the last picture had, for the rates. */
struct last {
	clq_msec	at;
	uint64_t	requests;
};

static int
busiest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->busy != y->busy)
		return x->busy < y->busy ? 1 : -1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static size_t
collect(const struct clq_scoreboard *board, clq_msec monotonic,
    struct row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < board->nslots && n < CLQ_SLOTS_MAX; i++) {
		const struct clq_slot *s = &board->slots[i];
		int64_t began = atomic_load(&s->request_started);
		struct row r = { .slot = s, .pid = atomic_load(&s->pid),
		    .state = atomic_load(&s->state), .busy = -1 };

		if (r.pid <= 0 || r.state == CLQ_WORKER_FREE)
			continue;
		if (began != 0)
			r.busy = monotonic > began ? monotonic - began : 0;
		rows[n++] = r;
	}
	qsort(rows, n, sizeof *rows, busiest_first);
	return n;
}

/* A line, cut at the width of the terminal. */
static void CLQ_PRINTF(4, 5)
line(FILE *to, int width, bool live, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (width > 0 && width < (int)sizeof text)
		text[width] = '\0';
	fprintf(to, "%s%s\n", text, live ? "\033[K" : "");
}

static const char *
number(int n, char out[16])
{
	snprintf(out, 16, n < 0 ? "?" : "%d", n);
	return out;
}

static void
head(FILE *to, const struct cli_board *board, const struct clq_status_sums *s,
    const struct last *last, int width, bool live)
{
	const struct clq_scoreboard *b = board->copy;
	int64_t up = (s->now - atomic_load(&b->started)) / 1000;
	char w[16], most[16], backlog[16], rate[32] = "";
	char user[USER_CAP];

	if (last->at != 0 && s->monotonic > last->at)
		snprintf(rate, sizeof rate, " (%.0f/s)",
		    (double)(s->requests - last->requests) * 1000 /
		    (double)(s->monotonic - last->at));
	line(to, width, live, "cliquetd %s  master %ld as %s  generation %u  "
	    "up %" PRId64 "d %02d:%02d:%02d  %.300s", b->head.version,
	    (long)board->pid, user_name(board->uid, user),
	    atomic_load(&b->generation), up / 86400,
	    (int)(up / 3600 % 24), (int)(up / 60 % 60), (int)(up % 60),
	    b->head.ini);
	line(to, width, live, "workers %d wanted: %d busy, %d idle, %d "
	    "starting, %d leaving   connections %" PRIu64,
	    atomic_load(&b->wanted), s->workers[CLQ_WORKER_BUSY],
	    s->workers[CLQ_WORKER_IDLE], s->workers[CLQ_WORKER_STARTING],
	    s->workers[CLQ_WORKER_LEAVING], s->connections);
	line(to, width, live, "requests %" PRIu64 "%s   slow %" PRIu64
	    "   respawns %" PRIu64 "   timeouts %" PRIu64
	    "   waiting %s (most %s, backlog %s)", s->requests, rate, s->slow,
	    (uint64_t)atomic_load(&b->respawns),
	    (uint64_t)atomic_load(&b->timeouts),
	    number(atomic_load(&b->waiting), w),
	    number(atomic_load(&b->waiting_most), most),
	    number(atomic_load(&b->backlog), backlog));
}

static void
picture(FILE *to, const struct cli_board *board, struct last *last,
    int width, int height, bool live)
{
	static struct row rows[CLQ_SLOTS_MAX];
	struct clq_status_sums s;
	char text[280], busy[24];
	int64_t rss, pss;
	size_t n, i;

	clq_status_sum(board->copy, &s);
	n = collect(board->copy, s.monotonic, rows);
	if (live)
		fputs("\033[H", to);
	head(to, board, &s, last, width, live);
	line(to, width, live, "%7s %-8s %3s %9s %6s %5s %7s %7s %8s  %s",
	    "PID", "STATE", "GEN", "REQUESTS", "SLOW", "CONNS", "RSS/MB",
	    "PSS/MB", "MS", "REQUEST");
	for (i = 0; i < n && (height <= 0 || (int)i < height - 5); i++) {
		const struct clq_slot *w = rows[i].slot;
		char share[16] = "?";

		clq_slot_text(w, text, sizeof text);
		clq_status_memory(rows[i].pid, &rss, &pss);
		snprintf(busy, sizeof busy, rows[i].busy < 0 ? "-" : "%lld",
		    (long long)rows[i].busy);
		if (pss >= 0)
			snprintf(share, sizeof share, "%.1f",
			    (double)pss / 1048576);
		line(to, width, live, "%7ld %-8s %3u %9" PRIu64 " %6" PRIu64
		    " %5u %7.1f %7s %8s  %s", (long)rows[i].pid,
		    clq_worker_state_name(rows[i].state),
		    atomic_load(&w->generation),
		    (uint64_t)atomic_load(&w->requests),
		    (uint64_t)atomic_load(&w->slow),
		    atomic_load(&w->connections), (double)rss / 1048576, share,
		    busy, text);
	}
	if (live)
		fputs("\033[J", to);
	fflush(to);
	*last = (struct last){ s.monotonic, s.requests };
}

/* ---- living -------------------------------------------------------------- */

static volatile sig_atomic_t ended;

static void
on_end(int sig)
{
	(void)sig;
	ended = 1;
}

static int
live(struct cli_board *board)
{
	struct last last = { 0, 0 };
	struct sigaction sa;
	struct winsize size;
	bool gone = false;

	memset(&sa, 0, sizeof sa);
	sa.sa_handler = on_end;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	/* Another screen, no cursor: what was there comes back at the end. */
	fputs("\033[?1049h\033[?25l", stdout);
	while (!ended && !gone && !ferror(stdout)) {
		memset(&size, 0, sizeof size);
		(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
		picture(stdout, board, &last, size.ws_col, size.ws_row, true);
		(void)poll(NULL, 0, PERIOD_MS);
		gone = (kill(board->pid, 0) == -1 && errno == ESRCH) ||
		    !cli_board_read(board);
	}
	/* A signal that comes while a picture is written fails the write: no
	 * fault of the terminal, and nobody wants the rest of the picture. */
	if (ended)
		clearerr(stdout);
	fputs("\033[?25h\033[?1049l", stdout);
	if (!gone || ended)
		return CLI_OK;
	fflush(stdout);
	clq_log_err("the server has ended");
	return CLI_FAILED;
}

static void
print_json(const struct clq_scoreboard *board)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_buf b;

	clq_buf_init(&b, arena, 4096);
	clq_status_json(&b, board);
	printf("%.*s\n", CLQ_FMT(clq_buf_str(&b)));
	clq_arena_free(&arena);
}

int
cli_top(const struct cli *cli)
{
	static struct cli_boards all;
	struct cli_board *board;
	struct last last = { 0, 0 };
	int rc = CLI_OK;

	if (cli->noperands == 1 && strspn(cli->operands[0], "0123456789") !=
	    strlen(cli->operands[0])) {
		clq_log_err("top: '%s' is no process id", cli->operands[0]);
		return CLI_USAGE;
	}
	cli_boards_find(&all, cli->noperands == 1 ? cli->operands[0] : NULL);
	if ((board = choose(cli, &all)) == NULL)
		rc = CLI_FAILED;
	else if (cli->json)
		print_json(board->copy);
	else if (cli->once || !isatty(STDOUT_FILENO))
		picture(stdout, board, &last, 0, 0, false);
	else
		rc = live(board);
	cli_boards_close(&all);
	return rc;
}
