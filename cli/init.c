/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet init`: writes a configuration for the Kinto service.
 *
 * The file is complete: `cliquet check-config` and cliquetd take it as it is.
 * It is made with mode 0600, since it holds the keys from which user and
 * bucket ids are derived, and never over another file. Without options all
 * that the service needs lies beside the file.
 */
#include <cliquet/arena.h>
#include <cliquet/buf.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SECRET_LEN = 32,	/* random bytes of a key */
	PORT = 9000,		/* where --host names none */
	SOCKET_MAX = 107	/* bytes of a UNIX socket's path */
};

/* The choices, as they will stand in the file. */
struct choice {
	const char	*storage;	/* "sqlite" */
	const char	*cache;		/* "memory" */
	const char	*url;		/* of the storage, or NULL */
	const char	*socket;
};

/* ---- checks ------------------------------------------------------------ */

static bool
one_of(struct clq_arena *arena, const char *option, const char *value,
    const char *const *names, size_t n)
{
	struct clq_buf list;
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(value, names[i]) == 0)
			return true;
	clq_buf_init(&list, arena, 0);
	for (i = 0; i < n; i++)
		clq_buf_printf(&list, "%s%s", i == 0 ? "" : i + 1 < n ? ", " :
		    " or ", names[i]);
	clq_log_err("%s: '%s' is not available; choose %.*s", option, value,
	    CLQ_FMT(clq_buf_str(&list)));
	return false;
}

/* A value that may stand in a list of words in an ini. */
static bool
plain(const char *option, const char *value)
{
	const unsigned char *c;

	for (c = (const unsigned char *)value; *c > ' ' && *c != 0x7f; c++)
		;
	if (*c == '\0' && *value != '\0' &&
	    clq_utf8_valid(clq_str_of(value)))
		return true;
	clq_log_err("%s: empty, or with a blank or control character in it; "
	    "choose another name", option);
	return false;
}

/* value with '%' doubled, as an ini wants it. */
static const char *
escaped(struct clq_arena *arena, const char *value)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	for (; *value != '\0'; value++) {
		clq_buf_addc(&b, *value);
		if (*value == '%')
			clq_buf_addc(&b, '%');
	}
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

/* path made absolute; NULL, and said, if that cannot be. */
static const char *
absolute(struct clq_arena *arena, const char *path)
{
	const char *result;
	char *cwd;

	if (*path == '/')
		return path;
	if ((cwd = getcwd(NULL, 0)) == NULL) {
		clq_log_err("the working folder: %s; change to another one",
		    strerror(errno));
		return NULL;
	}
	result = clq_arena_printf(arena, "%s/%s", cwd, path).p;
	free(cwd);
	return result;
}

/* ---- folders ----------------------------------------------------------- */

/* Make a folder and those above it. */
static bool
make_folders(struct clq_arena *arena, const char *path, mode_t mode)
{
	char *copy = clq_arena_cstr(arena, clq_str_of(path)), *c;
	struct stat st;

	for (c = copy + 1; *c != '\0'; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		(void)mkdir(copy, 0755);	/* the last one tells */
		*c = '/';
	}
	if (mkdir(copy, mode) == 0)
		return true;
	if (errno == EEXIST && stat(copy, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	clq_log_err("%s: cannot be made a folder: %s; choose another one, or "
	    "make it", path, strerror(errno));
	return false;
}

static bool
choose_data(const struct cli *cli, struct clq_arena *arena, struct choice *c)
{
	const char *folder;

	c->url = NULL;
	if (strcmp(c->storage, "memory") == 0) {
		if (cli->data == NULL)
			return true;
		clq_log_err("--data: memory keeps nothing; leave it out");
		return false;
	}
	if (strcmp(c->storage, "postgresql") == 0) {
		c->url = "postgresql:///cliquet";
		if (cli->data == NULL)
			return true;
		clq_log_err("--data: PostgreSQL has its own; leave it out");
		return false;
	}
	if (strcmp(c->storage, "redis") == 0) {
		c->url = "redis://localhost:6379/0";
		if (cli->data == NULL)
			return true;
		clq_log_err("--data: Redis has its own; leave it out");
		return false;
	}
	c->url = "sqlite://%(here)s/kinto.db";
	if (cli->data == NULL)
		return true;
	if (!plain("--data", cli->data) ||
	    (folder = absolute(arena, cli->data)) == NULL ||
	    !make_folders(arena, folder, 0750))
		return false;
	c->url = clq_arena_printf(arena, "sqlite://%s/kinto.db",
	    escaped(arena, folder)).p;
	return true;
}

/* The socket beside the file, if its folder lends itself to that. */
static bool
choose_beside(const struct cli *cli, struct clq_arena *arena,
    struct choice *c)
{
	const char *path = absolute(arena, cli->ini), *slash;
	struct clq_str dir;

	if (path == NULL)
		return false;
	slash = strrchr(path, '/');
	dir = (struct clq_str){ path, (size_t)(slash - path) };
	c->socket = "%(here)s/cliquet.sock";
	if (dir.len + strlen("/cliquet.sock") <= SOCKET_MAX &&
	    strpbrk(clq_arena_cstr(arena, dir), " \t\n\r") == NULL)
		return true;
	clq_log_err("%.*s: too long, or a blank in it: no socket can lie "
	    "there; choose one with --socket", CLQ_FMT(dir));
	return false;
}

static bool
choose_socket(const struct cli *cli, struct clq_arena *arena,
    struct choice *c)
{
	const char *colon, *path;

	if (cli->socket != NULL && cli->host != NULL) {
		clq_log_err("--socket and --host exclude each other; give one "
		    "of them");
		return false;
	}
	if (cli->socket != NULL) {
		if (!plain("--socket", cli->socket) ||
		    (path = absolute(arena, cli->socket)) == NULL)
			return false;
		if (strlen(path) > SOCKET_MAX) {
			clq_log_err("--socket: the path is too long; at most "
			    "%d bytes are possible", SOCKET_MAX);
			return false;
		}
		c->socket = escaped(arena, path);
	} else if (cli->host != NULL) {
		if (!plain("--host", cli->host))
			return false;
		/* A colon in brackets is part of an IPv6 address. */
		colon = strrchr(cli->host, ':');
		if (colon != NULL && strchr(colon, ']') != NULL)
			colon = NULL;
		c->socket = colon != NULL ? escaped(arena, cli->host) :
		    clq_arena_printf(arena, "%s:%d",
		    escaped(arena, cli->host), PORT).p;
	} else {
		return choose_beside(cli, arena, c);
	}
	return true;
}

static bool
choose(const struct cli *cli, struct clq_arena *arena, struct choice *c)
{
	static const char *const storages[] = { "sqlite", "postgresql",
	    "redis", "memory" };
	static const char *const caches[] = { "memory", "memcached", "redis",
	    "postgresql" };

	c->storage = cli->backend != NULL ? cli->backend : "sqlite";
	c->cache = cli->cache_backend != NULL ? cli->cache_backend : "memory";
	return one_of(arena, "--backend", c->storage, storages,
	    CLQ_COUNT(storages)) && one_of(arena, "--cache-backend", c->cache,
	    caches, CLQ_COUNT(caches)) &&
	    choose_data(cli, arena, c) && choose_socket(cli, arena, c);
}

/* ---- the file ---------------------------------------------------------- */

static void
add_application(struct clq_buf *b, struct clq_arena *arena)
{
	clq_buf_adds(b,
	    "# Configuration of cliquetd, written by `cliquet init`.\n"
	    "#\n"
	    "# `cliquet dump-config` shows every setting with its meaning, "
	    "value and\n"
	    "# default; `cliquet check-config` says what is wrong. A setting "
	    "may come from\n"
	    "# the environment instead: CLIQUET_ or KINTO_ and the key in "
	    "capitals, as in\n"
	    "# KINTO_PAGINATE_BY=100. %(here)s is the folder of this file; "
	    "write a percent\n"
	    "# sign as two.\n\n"
	    "[app:main]\n"
	    "use = egg:kinto\n\n"
	    "# ---- plugins ----\n"
	    "# default_bucket: /buckets/default is each user's own bucket.\n"
	    "# flush lets ANYBODY DELETE ALL DATA with one request: for tests "
	    "only.\n"
	    "includes = kinto.plugins.default_bucket\n"
	    "#          kinto.plugins.flush\n\n"
	    "# ---- users and rights ----\n"
	    "# basicauth takes any name and password, without registration: "
	    "whoever sends\n"
	    "# the same pair again is the same user. Do not use it for what "
	    "must be kept\n"
	    "# from others.\n"
	    "multiauth.policies = basicauth\n\n"
	    "# Keys from which the ids of users and of their buckets are "
	    "derived. Keep them\n"
	    "# secret, and never change them: all users would lose their "
	    "data.\n");
	clq_buf_printf(b, "userid_hmac_secret = %s\n",
	    clq_random_hex(arena, SECRET_LEN).p);
	clq_buf_printf(b, "default_bucket_hmac_secret = %s\n\n",
	    clq_random_hex(arena, SECRET_LEN).p);
	clq_buf_adds(b,
	    "# Who may create buckets: everybody who is authenticated.\n"
	    "bucket_create_principals = system.Authenticated\n\n");
}

static void
add_backends(struct clq_buf *b, const struct choice *c)
{
	clq_buf_adds(b, "# ---- data ----\n");
	if (c->url == NULL)
		clq_buf_adds(b, "# memory: everything is lost when the server "
		    "stops.\n");
	else if (strcmp(c->storage, "postgresql") == 0)
		clq_buf_adds(b, "# The database cliquet on this machine, as "
		    "the user of the same name as the\n"
		    "# process; elsewhere: postgresql://user:password@host/"
		    "database. `cliquet migrate`\n"
		    "# makes the tables.\n");
	else if (strcmp(c->storage, "redis") == 0)
		clq_buf_adds(b, "# As durable as Redis is set up: appendonly "
		    "yes, appendfsync always.\n");
	clq_buf_printf(b, "storage_backend = %s\n", c->storage);
	if (c->url != NULL)
		clq_buf_printf(b, "storage_url = %s\n", c->url);
	clq_buf_printf(b, "permission_backend = %s\n", c->storage);
	if (c->url != NULL)
		clq_buf_printf(b, "permission_url = %s\n", c->url);
	clq_buf_printf(b, "\ncache_backend = %s\n", c->cache);
	if (strcmp(c->cache, "memcached") == 0)
		clq_buf_adds(b, "cache_hosts = 127.0.0.1:11211\n"
		    "# Tells the keys of several services apart.\n"
		    "cache_prefix = kinto\n");
	else if (strcmp(c->cache, "redis") == 0)
		clq_buf_adds(b, "cache_url = redis://localhost:6379/1\n");
	else if (strcmp(c->cache, "postgresql") == 0)
		clq_buf_adds(b, "cache_url = postgresql:///cliquet\n");
	clq_buf_adds(b, "\n"
	    "# Objects in a page of a list, where the client asks for no "
	    "less.\n"
	    "#paginate_by = 1000\n\n");
}

static void
add_process(struct clq_buf *b, const struct choice *c)
{
	clq_buf_printf(b,
	    "# ---- process ----\n"
	    "# Where the web server finds cliquetd; not used when systemd, "
	    "spawn-fcgi or\n"
	    "# mod_fcgid hands over the socket.\n"
	    "socket = %s\n", c->socket);
	if (strchr(c->socket, '/') != NULL)
		clq_buf_adds(b, "socket_mode = 0660\n");
	clq_buf_adds(b,
	    "# About one for each core.\n"
	    "workers = 2\n"
	    "#user = www-data\n"
	    "#log_level = info\n"
	    "#log_format = json\n");
}

static bool
write_file(const char *path, struct clq_str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOCTTY, 0600);

	if (fd == -1 && errno == EEXIST) {
		clq_log_err("%s: exists already and is left as it is; give "
		    "another name with --ini, or remove it", path);
		return false;
	}
	if (fd == -1) {
		clq_log_err("%s: cannot be made: %s; choose another place "
		    "with --ini", path, strerror(errno));
		return false;
	}
	if (cli_write(fd, text) && fsync(fd) == 0) {
		close(fd);
		return true;
	}
	clq_log_err("%s: cannot be written: %s; check the disk", path,
	    strerror(errno));
	close(fd);
	unlink(path);	/* half a configuration is none */
	return false;
}

int
cli_init(const struct cli *cli)
{
	struct clq_arena *arena = clq_arena_new();
	struct choice c;
	struct clq_buf b;
	struct stat st;
	char *folder, *slash;
	bool good = false;

	/* Before folders are made for nothing; open decides. */
	if (lstat(cli->ini, &st) == 0) {
		clq_log_err("%s: exists already and is left as it is; give "
		    "another name with --ini, or remove it", cli->ini);
		goto out;
	}
	if (!choose(cli, arena, &c))
		goto out;
	clq_buf_init(&b, arena, 4096);
	add_application(&b, arena);
	add_backends(&b, &c);
	add_process(&b, &c);
	folder = clq_arena_cstr(arena, clq_str_of(cli->ini));
	if ((slash = strrchr(folder, '/')) != NULL && slash != folder) {
		*slash = '\0';
		if (!make_folders(arena, folder, 0755))
			goto out;
	}
	if ((good = write_file(cli->ini, clq_buf_str(&b))))
		cli_say(cli, "%s: written; it holds secrets, keep it private",
		    cli->ini);
out:	clq_arena_free(&arena);
	return good ? CLI_OK : CLI_FAILED;
}
