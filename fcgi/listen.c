/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening sockets (see listen.h).
 *
 * An address is a path ("/run/x.sock", also "unix:/run/x.sock") or host:port
 * ("127.0.0.1:9000", "[::1]:9000", ":9000" for all). Whether a socket file is
 * stale is found out by connecting to it.
 */
#include "listen.h"

#include <cliquet/log.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED = 3 };	/* sd_listen_fds(3) */

/* ---- inherited ----------------------------------------------------------- */

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

static void
adopt(struct clq_listeners *l, int fd)
{
	char text[32], *name;

	snprintf(text, sizeof text, "fd %d", fd);
	if (l->n == CLQ_MAX_LISTENERS || (name = strdup(text)) == NULL) {
		clq_log_warn("%s: one socket too many, not used", text);
		return;
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	l->items[l->n++] = (struct clq_listener){
		.fd = fd, .name = name,
	};
	l->inherited = true;
}

enum clq_started_by
clq_listeners_inherit(struct clq_listeners *l)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	int fd, last = 0;

	if (pid != NULL && n != NULL && strtol(pid, NULL, 10) == getpid())
		last = FIRST_PASSED + atoi(n);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (fd = FIRST_PASSED; fd < last; fd++) {
		if (is_listening(fd))
			adopt(l, fd);
		else
			clq_log_warn("fd %d: not a listening socket", fd);
	}
	if (l->n > 0)
		return CLQ_STARTED_SYSTEMD;
	if (is_listening(STDIN_FILENO)) {
		adopt(l, STDIN_FILENO);
		return CLQ_STARTED_STDIN;
	}
	return CLQ_STARTED_ALONE;
}

/* ---- UNIX ---------------------------------------------------------------- */

/* True if the path may be bound: nothing there, or a stale socket (removed). */
static bool
clear_path(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(sun->sun_path, &st) == -1) {
		if (errno == ENOENT)
			return true;
		clq_log_err("%s: %s", sun->sun_path, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		clq_log_err("%s: exists and is not a socket; remove it or "
		    "change `socket`", sun->sun_path);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)sun,
	    sizeof *sun) == -1)
		err = errno;
	if (fd != -1)
		close(fd);
	if (err == ECONNREFUSED)
		err = unlink(sun->sun_path) == 0 || errno == ENOENT ? ENOENT :
		    errno;
	if (err == ENOENT)
		return true;
	if (err == 0 || err == EAGAIN)
		clq_log_err("%s: in use by a running server; stop it or "
		    "change `socket`", sun->sun_path);
	else
		clq_log_err("%s: %s", sun->sun_path, strerror(err));
	return false;
}

static enum clq_status
set_owner(const char *path, const struct clq_conf *conf)
{
	struct passwd *pw = NULL;
	struct group *gr = NULL;

	if (conf->socket_owner != NULL &&
	    (pw = getpwnam(conf->socket_owner)) == NULL) {
		clq_log_err("socket_owner: no user \"%s\"",
		    conf->socket_owner);
		return CLQ_FAILED;
	}
	if (conf->socket_group != NULL &&
	    (gr = getgrnam(conf->socket_group)) == NULL) {
		clq_log_err("socket_group: no group \"%s\"",
		    conf->socket_group);
		return CLQ_FAILED;
	}
	if ((pw != NULL || gr != NULL) && chown(path,
	    pw != NULL ? pw->pw_uid : (uid_t)-1,
	    gr != NULL ? gr->gr_gid : (gid_t)-1) == -1) {
		clq_log_err("%s: cannot change its owner: %s", path,
		    strerror(errno));
		return CLQ_FAILED;
	}
	return CLQ_OK;
}

static enum clq_status
open_unix(const char *path, const struct clq_conf *conf,
    struct clq_listener *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	enum clq_status rc = CLQ_FAILED;
	struct stat st;
	bool bound = false;
	mode_t old;
	int fd;

	if (strlen(path) >= sizeof sun.sun_path) {
		clq_log_err("%s: path of a socket longer than %zu bytes", path,
		    sizeof sun.sun_path - 1);
		return CLQ_FAILED;
	}
	memcpy(sun.sun_path, path, strlen(path));
	if (!clear_path(&sun))
		return CLQ_FAILED;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	old = umask(~conf->socket_mode & 0777);
	if (fd != -1)
		bound = bind(fd, (struct sockaddr *)&sun, sizeof sun) == 0;
	umask(old);
	if (!bound || lstat(path, &st) == -1) {
		clq_log_err("%s: %s", path, strerror(errno));
		goto out;
	}
	/* Owner first, then listen: nobody connects before. */
	if (set_owner(path, conf) != CLQ_OK)
		goto out;
	if (listen(fd, conf->backlog) == -1) {
		clq_log_err("%s: %s", path, strerror(errno));
		goto out;
	}
	out->fd = fd;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	fd = -1;
	rc = CLQ_OK;
out:	if (rc != CLQ_OK && bound)
		unlink(path);
	if (fd != -1)
		close(fd);
	return rc;
}

/* ---- TCP ----------------------------------------------------------------- */

static int
bind_tcp(const struct addrinfo *ai, int backlog)
{
	int yes = 1, err, fd = socket(ai->ai_family, SOCK_STREAM |
	    SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, backlog) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static enum clq_status
open_tcp(const char *address, const struct clq_conf *conf,
    struct clq_listener *out)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list = NULL;
	char host[256];
	const char *colon = strrchr(address, ':'), *from = address;
	size_t len = (size_t)(colon - address);
	int rc;

	if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
		from++;
		len -= 2;
	}
	if (len >= sizeof host) {
		clq_log_err("socket %s: host name too long", address);
		return CLQ_FAILED;
	}
	memcpy(host, from, len);
	host[len] = '\0';
	rc = getaddrinfo(len == 0 || strcmp(host, "*") == 0 ? NULL : host,
	    colon + 1, &hints, &list);
	if (rc != 0) {
		clq_log_err("socket %s: %s", address, gai_strerror(rc));
		return CLQ_FAILED;
	}
	out->fd = -1;
	for (struct addrinfo *ai = list; ai != NULL && out->fd == -1;
	    ai = ai->ai_next)
		out->fd = bind_tcp(ai, conf->backlog);
	if (out->fd == -1)
		clq_log_err("socket %s: %s", address, strerror(errno));
	freeaddrinfo(list);
	return out->fd == -1 ? CLQ_FAILED : CLQ_OK;
}

/* ---- the set ------------------------------------------------------------- */

static const char *
path_of(const char *name)
{
	return strncmp(name, "unix:", 5) == 0 ? name + 5 : name;
}

static bool
is_path(const char *name)
{
	return strncmp(name, "unix:", 5) == 0 || strchr(name, '/') != NULL ||
	    strchr(name, ':') == NULL;
}

static void
close_one(struct clq_listener *one, bool remove)
{
	const char *path = path_of(one->name);
	struct stat st;

	close(one->fd);
	/* Another server may have its own there by now. */
	if (remove && one->ino != 0 && lstat(path, &st) == 0 &&
	    st.st_ino == one->ino && st.st_dev == one->dev &&
	    unlink(path) == -1)
		clq_log_debug("%s: %s", path, strerror(errno));
	free(one->name);
}

static struct clq_listener *
find(struct clq_listeners *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i].name, name) == 0)
			return &l->items[i];
	return NULL;
}

enum clq_status
clq_listeners_update(struct clq_listeners *l, const struct clq_conf *conf)
{
	struct clq_listeners next = { .n = 0 };
	bool fresh[CLQ_MAX_LISTENERS] = { false };
	size_t i;

	if (conf->sockets.n == 0) {
		clq_log_err("socket: is not set, and no socket was handed "
		    "over: write one into the ini (cliquetd FILE), as in "
		    "socket = /run/cliquet/cliquet.sock");
		return CLQ_FAILED;
	}
	if (conf->sockets.n > CLQ_MAX_LISTENERS) {
		clq_log_err("socket: %zu addresses; give at most %d",
		    conf->sockets.n, CLQ_MAX_LISTENERS);
		return CLQ_FAILED;
	}
	for (i = 0; i < conf->sockets.n; i++) {
		struct clq_str s = conf->sockets.items[i];
		char *name = strndup(s.p, s.len);
		struct clq_listener *one = &next.items[i], *old;

		if (name == NULL) {
			clq_log_err("socket: %s", strerror(errno));
			goto fail;
		}
		old = find(l, name);
		if (find(&next, name) != NULL) {
			clq_log_err("socket: %s is given twice", name);
			free(name);
			goto fail;
		}
		fresh[i] = old == NULL;
		if (old != NULL)
			*one = *old;
		else if ((is_path(name) ? open_unix(path_of(name), conf, one) :
		    open_tcp(name, conf, one)) != CLQ_OK) {
			free(name);
			goto fail;
		}
		one->name = name;
		next.n++;
	}
	for (i = 0; i < l->n; i++) {	/* names of kept ones were copied */
		if (find(&next, l->items[i].name) == NULL)
			close_one(&l->items[i], true);
		else
			free(l->items[i].name);
	}
	*l = next;
	return CLQ_OK;
fail:
	while (next.n-- > 0) {
		if (fresh[next.n])
			close_one(&next.items[next.n], true);
		else
			free(next.items[next.n].name);
	}
	return CLQ_FAILED;
}

void
clq_listeners_close(struct clq_listeners *l, bool remove)
{
	for (size_t i = 0; i < l->n; i++)
		close_one(&l->items[i], remove);
	l->n = 0;
}

/* ---- accept -------------------------------------------------------------- */

/* FastCGI specification, chapter 2: a comma-separated list of addresses. */
static bool
peer_allowed(const struct sockaddr_in *peer)
{
	const char *list = getenv("FCGI_WEB_SERVER_ADDRS");
	char text[INET_ADDRSTRLEN];
	size_t n;

	if (list == NULL || peer->sin_family != AF_INET)
		return true;
	inet_ntop(AF_INET, &peer->sin_addr, text, sizeof text);
	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == strlen(text) && strncmp(list, text, n) == 0)
			return true;
	}
	return false;
}

int
clq_listener_accept(int fd)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof peer;
	int yes = 1, conn = accept4(fd, (struct sockaddr *)&peer, &len,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (conn == -1)
		return -1;
	if (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)
		(void)setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &yes,
		    sizeof yes);
	if (!peer_allowed((const struct sockaddr_in *)&peer)) {
		close(conn);
		errno = EAGAIN;
		return -1;
	}
	return conn;
}
