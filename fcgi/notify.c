/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify without libsystemd (see notify.h).
 */
#include "notify.h"

#include <cliquet/log.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_un to;	/* sun_family 0: nobody listens */
static socklen_t to_len;
static clq_msec watchdog;	/* between signs of life; 0: nobody looks */
static clq_msec last_sign;

/* What systemd wants to hear how often: a third of that, to be on the safe
 * side. */
static void
watchdog_init(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	/* Meant for another process if it names one. */
	if (usec != NULL && (pid == NULL || atol(pid) == (long)getpid()))
		watchdog = strtoll(usec, NULL, 10) / 3000;
	if (watchdog < 0)
		watchdog = 0;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
clq_notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path != NULL ? strlen(path) : 0;

	if (n > 1 && n < sizeof to.sun_path &&
	    (path[0] == '/' || path[0] == '@')) {
		to.sun_family = AF_UNIX;
		memcpy(to.sun_path, path, n);
		if (path[0] == '@')	/* abstract */
			to.sun_path[0] = '\0';
		to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    n);
	}
	unsetenv("NOTIFY_SOCKET");
	watchdog_init();
}

void
clq_notify_alive(clq_msec now)
{
	if (watchdog == 0 || now - last_sign < watchdog)
		return;
	last_sign = now;
	clq_notify("WATCHDOG=1");
}

void
clq_notify(const char *state)
{
	int fd;

	if (to.sun_family == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&to, to_len) == -1)
		clq_log_warn("systemd: %s", strerror(errno));
	if (fd != -1)
		close(fd);
}

void
clq_notify_reloading(void)
{
	struct timespec ts;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    ts.tv_sec * 1000000LL + ts.tv_nsec / 1000);
	clq_notify(text);
}
