/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User, pid file, background (see privileges.h).
 */
#include "privileges.h"

#include <cliquet/log.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready_fd = -1;	/* of a daemon: its starter listens */

/* Drop root; each step is checked, a half-dropped process must not run. */
static bool
drop(const char *name, uid_t uid, gid_t gid)
{
	if (name != NULL ? initgroups(name, gid) == -1 :
	    setgroups(1, &gid) == -1)
		return false;
	if (setgid(gid) == -1 || (name != NULL && setuid(uid) == -1))
		return false;
	return name == NULL || uid == 0 || setuid(0) == -1;
}

enum clq_status
clq_become(const char *user, const char *group)
{
	struct passwd *pw = user != NULL ? getpwnam(user) : NULL;
	struct group *gr = group != NULL ? getgrnam(group) : NULL;
	uid_t uid = pw != NULL ? pw->pw_uid : geteuid();
	gid_t gid = gr != NULL ? gr->gr_gid : pw != NULL ? pw->pw_gid :
	    getegid();

	if (user == NULL && group == NULL)
		return CLQ_OK;
	if (user != NULL && pw == NULL) {
		clq_log_err("user: there is no user \"%s\"", user);
		return CLQ_FAILED;
	}
	if (group != NULL && gr == NULL) {
		clq_log_err("group: there is no group \"%s\"", group);
		return CLQ_FAILED;
	}
	if (geteuid() != 0) {
		if (uid == geteuid() && gid == getegid())
			return CLQ_OK;
		clq_log_err("user, group: only root can change them; start as "
		    "root or remove the settings");
		return CLQ_FAILED;
	}
	if (!drop(user, uid, gid)) {
		clq_log_err("cannot become user %s, group %s: %s",
		    user != NULL ? user : "(same)",
		    group != NULL ? group : "(the user's)", strerror(errno));
		return CLQ_FAILED;
	}
	return CLQ_OK;
}

/* ---- pid file ------------------------------------------------------------ */

enum clq_status
clq_pidfile_open(struct clq_pidfile *f, const char *path)
{
	char text[32];
	int len, fd;

	*f = (struct clq_pidfile){ .fd = -1 };
	if (path == NULL)
		return CLQ_OK;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1) {
		clq_log_err("pidfile %s: %s", path, strerror(errno));
		return CLQ_FAILED;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		clq_log_err("pidfile %s: %s", path, errno == EWOULDBLOCK ?
		    "a server with this pidfile is running" : strerror(errno));
		close(fd);
		return CLQ_FAILED;
	}
	len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)len, 0) != len) {
		clq_log_err("pidfile %s: %s", path, strerror(errno));
		close(fd);
		return CLQ_FAILED;
	}
	f->fd = fd;
	f->path = realpath(path, NULL);
	return CLQ_OK;
}

void
clq_pidfile_forget(struct clq_pidfile *f)
{
	if (f->fd != -1)
		close(f->fd);
	free(f->path);
	*f = (struct clq_pidfile){ .fd = -1 };
}

void
clq_pidfile_remove(struct clq_pidfile *f)
{
	/* After dropping root the folder may be closed to us: then an empty
	 * file stays, which is in nobody's way. */
	if (f->fd != -1 && (f->path == NULL || unlink(f->path) == -1) &&
	    ftruncate(f->fd, 0) == -1)
		clq_log_debug("pidfile: %s", strerror(errno));
	clq_pidfile_forget(f);
}

/* ---- background ---------------------------------------------------------- */

/* What the starter does: wait for a byte, or for the end of the daemon. */
static int
await(int fd, pid_t child)
{
	char c;
	ssize_t n;

	do
		n = read(fd, &c, 1);
	while (n == -1 && errno == EINTR);
	close(fd);
	(void)waitpid(child, NULL, 0);
	return n == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

enum clq_status
clq_daemonize(int *status)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) == -1 || (pid = fork()) == -1) {
		clq_log_err("daemonize: %s", strerror(errno));
		return CLQ_FAILED;
	}
	if (pid > 0) {
		close(p[1]);
		*status = await(p[0], pid);
		return CLQ_DONE;
	}
	close(p[0]);
	ready_fd = p[1];
	/* A second fork: the daemon must not get a terminal by opening one. */
	if (setsid() == -1 || (pid = fork()) == -1)
		return CLQ_FAILED;
	if (pid > 0) {
		*status = EXIT_SUCCESS;
		return CLQ_DONE;
	}
	return CLQ_OK;
}

void
clq_daemon_ready(void)
{
	int null;

	if (ready_fd == -1)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (write(ready_fd, "", 1) != 1)
		clq_log_debug("daemonize: %s", strerror(errno));
	close(ready_fd);
	ready_fd = -1;
}
