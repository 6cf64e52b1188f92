/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener `command`: a program is run for each event, with the payload on
 * its standard input.
 *
 * No shell: the setting is split at blanks. The program gets a small
 * environment, its output goes nowhere, what it says on standard error to the
 * log. It may run for timeout_seconds, then it is killed with all that it
 * started (its process group). Exit status 0: delivered; 75 (EX_TEMPFAIL), a
 * signal or a timeout: later; anything else: the event is not wanted. As many
 * run at once as the listener has `processes`.
 */
#include <cliquet/app.h>
#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	TICK_MS = 20,		/* between looks at a program that is quiet */
	SAID_MAX = 2000,	/* bytes of its standard error that are kept */
	PIECES_MAX = 64,	/* read at each look: what a pipe holds, so that
				   the clock is looked at, too */
	MAX_WORDS = 64
};

struct command {
	char		*argv[MAX_WORDS + 1];
	int64_t		 timeout;	/* seconds */
};

/* One run. */
struct run {
	const struct command	*command;
	struct clq_delivery	*d;
	pid_t			 pid;
	int			 in;	/* its standard input; -1: closed */
	int			 err;	/* its standard error */
	size_t			 sent;
	char			 said[SAID_MAX];
	size_t			 nsaid;
};

/* ---- settings ------------------------------------------------------------- */

static const struct clq_setting options[] = {
	{ "command", CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "The program (an absolute path) and its arguments, separated by "
	  "blanks; no shell looks at them." },
	{ "timeout_seconds", CLQ_SET_INT, "10", 1, 60, "seconds",
	  "How long it may run for one event." },
};

static enum clq_status
configure(struct clq_server *srv, const char *listener, const char *prefix,
    void **ctx)
{
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_settings *s = clq_server_settings(srv);
	struct command *c = clq_arena_alloc(arena, sizeof *c);
	const struct clq_setting *t;
	struct clq_strs words;

	t = clq_settings_declare_below(s, prefix, options,
	    CLQ_COUNT(options));
	if (t == NULL)
		return CLQ_INVALID;
	words = clq_settings_list(s, t[0].key);
	if (words.n == 0 || words.n > MAX_WORDS)
		return clq_settings_error(s, t[0].key, "the listener \"%s\" "
		    "needs it: a program and its arguments, %d at most",
		    listener, MAX_WORDS - 1);
	for (size_t i = 0; i < words.n; i++)
		c->argv[i] = clq_arena_cstr(arena, words.items[i]);
	if (c->argv[0][0] != '/' || access(c->argv[0], X_OK) == -1)
		return clq_settings_error(s, t[0].key, "%s: %s", c->argv[0],
		    c->argv[0][0] != '/' ? "is no absolute path" :
		    strerror(errno));
	c->timeout = clq_settings_int(s, t[1].key, 10);
	*ctx = c;
	return CLQ_OK;
}

/* ---- start ------------------------------------------------------------------ */

static bool
make_pipes(int in[2], int err[2])
{
	in[0] = in[1] = err[0] = err[1] = -1;
	return pipe2(in, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
	    fcntl(in[1], F_SETFL, O_NONBLOCK) == 0 &&
	    fcntl(err[0], F_SETFL, O_NONBLOCK) == 0;
}

static void
close_if(int fd)
{
	if (fd != -1)
		close(fd);
}

/* A process group of its own, signals as they are by default. */
static int
prepare(posix_spawnattr_t *attr, posix_spawn_file_actions_t *files, int in,
    int err)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	if ((rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) != 0 ||
	    (rc = posix_spawnattr_setsigmask(attr, &none)) != 0 ||
	    (rc = posix_spawnattr_setsigdefault(attr, &all)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(files, in, 0)) != 0 ||
	    (rc = posix_spawn_file_actions_addopen(files, 1, "/dev/null",
	    O_WRONLY, 0)) != 0 ||
	    (rc = posix_spawn_file_actions_adddup2(files, err, 2)) != 0 ||
	    (rc = posix_spawn_file_actions_addclosefrom_np(files, 3)) != 0)
		return rc;
	return 0;
}

static int
spawn(struct run *r, int in, int err)
{
	struct clq_arena *arena = r->d->arena;
	char *env[] = {
		clq_arena_cstr(arena, CLQ_STR("PATH=/usr/local/bin:/usr/bin:"
		    "/bin")),
		clq_arena_cstr(arena, CLQ_STR("LANG=C.UTF-8")),
		clq_arena_cstr(arena, clq_arena_printf(arena,
		    "CLIQUET_LISTENER=%s", r->d->listener)),
		clq_arena_cstr(arena, clq_arena_printf(arena,
		    "CLIQUET_EVENT_ID=%.*s", CLQ_FMT(r->d->id))),
		NULL
	};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	if ((rc = posix_spawnattr_init(&attr)) != 0)
		return rc;
	if ((rc = posix_spawn_file_actions_init(&files)) == 0) {
		if ((rc = prepare(&attr, &files, in, err)) == 0)
			rc = posix_spawn(&r->pid, r->command->argv[0], &files,
			    &attr, r->command->argv, env);
		(void)posix_spawn_file_actions_destroy(&files);
	}
	(void)posix_spawnattr_destroy(&attr);
	return rc;
}

static bool
start(struct run *r)
{
	int in[2], err[2], rc = 0;
	bool good = make_pipes(in, err);

	if (!good || (rc = spawn(r, in[0], err[1])) != 0) {
		r->d->why = clq_arena_printf(r->d->arena, "%s: %s",
		    r->command->argv[0], strerror(good ? rc : errno));
		close_if(in[1]);
		close_if(err[0]);
		good = false;
	} else {
		r->in = in[1];
		r->err = err[0];
	}
	close_if(in[0]);
	close_if(err[1]);
	return good;
}

/* ---- while it runs ------------------------------------------------------------ */

static void
feed(struct run *r)
{
	struct clq_str rest = clq_str_sub(r->d->payload, r->sent,
	    r->d->payload.len);
	ssize_t n = r->in != -1 && rest.len > 0 ? write(r->in, rest.p,
	    rest.len) : 0;

	if (n > 0)
		r->sent += (size_t)n;
	/* It need not read all of it, or anything. */
	if (r->in != -1 && (r->sent == r->d->payload.len || (n == -1 &&
	    errno != EAGAIN && errno != EINTR))) {
		close(r->in);
		r->in = -1;
	}
}

static void
listen_to(struct run *r)
{
	char piece[1024];
	ssize_t n;

	for (int i = 0; i < PIECES_MAX && (n = read(r->err, piece,
	    sizeof piece)) > 0; i++) {
		size_t room = sizeof r->said - r->nsaid;

		if ((size_t)n < room)
			room = (size_t)n;
		memcpy(r->said + r->nsaid, piece, room);
		r->nsaid += room;
	}
}

/* True if it has ended by itself. */
static bool
wait_for(struct run *r, int *status)
{
	clq_msec until = clq_monotonic() + r->command->timeout * 1000;
	struct pollfd p;
	bool ended;

	do {
		feed(r);
		ended = waitpid(r->pid, status, WNOHANG) == r->pid;
		listen_to(r);
		if (ended)
			break;
		p = (struct pollfd){ .fd = r->in, .events = POLLOUT };
		(void)poll(&p, 1, TICK_MS);
	} while (clq_monotonic() < until);
	if (!ended)
		kill(-r->pid, SIGKILL);
	while (!ended && waitpid(r->pid, status, 0) == -1 && errno == EINTR)
		;
	return ended;
}

static enum clq_status
judge(struct run *r, bool ended, int status)
{
	struct clq_arena *arena = r->d->arena;

	if (!ended)
		r->d->why = clq_arena_printf(arena, "it ran for more than "
		    "%lld seconds", (long long)r->command->timeout);
	else if (WIFSIGNALED(status))
		r->d->why = clq_arena_printf(arena, "it ended by signal %d",
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) == EXIT_SUCCESS)
		return CLQ_OK;
	else
		r->d->why = clq_arena_printf(arena, "its exit status is %d",
		    WEXITSTATUS(status));
	return ended && WIFEXITED(status) && WEXITSTATUS(status) !=
	    EX_TEMPFAIL && WEXITSTATUS(status) != 127 ? CLQ_INVALID :
	    CLQ_UNAVAILABLE;
}

static enum clq_status
deliver(struct clq_delivery *d, void *ctx)
{
	struct run r = { .command = ctx, .d = d, .in = -1, .err = -1 };
	struct clq_str said;
	int status = 0;
	bool ended;

	if (!start(&r))
		return CLQ_UNAVAILABLE;
	ended = wait_for(&r, &status);
	close_if(r.in);
	close_if(r.err);
	said = clq_str_trim((struct clq_str){ r.said, r.nsaid });
	if (said.len > 0)
		clq_log_warn("listener %s: %s says: %.*s", d->listener,
		    r.command->argv[0], CLQ_FMT(said));
	return judge(&r, ended, status);
}

static const struct clq_listener_kind kind = {
	.size		= sizeof kind,
	.name		= "command",
	.configure	= configure,
	.deliver	= deliver,
};

static enum clq_status
setup(struct clq_server *srv)
{
	return clq_add_listener_kind(srv, &kind);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };
const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "command", .version = "1", .app = &app,
};
