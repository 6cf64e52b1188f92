/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to streams, syslog and the journal (see log_sink.h).
 *
 * syslog(3) and sd_journal_send(3) wait when the service at the other end does
 * not read, and a request with them. The two protocols are one datagram each,
 * so they are spoken here, without waiting: "<30>cliquetd[12]: text" to syslog,
 * KEY=value lines to the journal (as systemd documents for those without its
 * library). The state of losses is in memory that all workers share, so that
 * one of them tells it.
 */
#include "log_sink.h"

#include <cliquet/str.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 1000,	/* a reader of a pipe may be that slow, once */
	FIELDS_CAP = 12288,	/* bytes of fields for the journal */
	NAME_CAP = 256
};

struct clq_sink clq_sink = {
	.fd = STDERR_FILENO, .level = CLQ_LOG_INFO, .logger = "cliquet"
};

/* Shared by the processes of a server. */
struct losses {
	_Atomic(uint64_t)	lost;		/* lines since it failed */
	_Atomic(bool)		torn;		/* half a line is in the file */
};

static struct losses own_losses, *losses = &own_losses;

static struct {
	char			name[NAME_CAP];
	bool			may_block;	/* a pipe or a socket */
	struct sockaddr_un	address;
	char			fields[FIELDS_CAP];
	size_t			nfields;	/* bytes */
} state = { .name = "standard error" };

/* ---- losses -------------------------------------------------------------- */

/* On standard error, if that is another place; in signal-safe style. */
static void
tell(const char *text)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (clq_sink.fd != STDERR_FILENO && poll(&p, 1, 0) == 1)
		(void)!write(STDERR_FILENO, text, strlen(text));
}

static void
note_loss(int why)
{
	char text[NAME_CAP + 160];

	if (atomic_fetch_add(&losses->lost, 1) > 0)
		return;
	snprintf(text, sizeof text, "cliquet: log: %s: %s; lines are lost "
	    "until it can be written to again\n", state.name, strerror(why));
	tell(text);
}

/* It works again: whoever sees it first says so. */
static void
note_recovery(void)
{
	uint64_t lost = atomic_exchange(&losses->lost, 0);
	char text[NAME_CAP + 80];

	if (lost == 0)
		return;
	snprintf(text, sizeof text, "cliquet: log: %s can be written to "
	    "again\n", state.name);
	tell(text);
	clq_log_warn("log: %" PRIu64 " lines were lost: %s could not be "
	    "written to", lost, state.name);
}

/* ---- streams ------------------------------------------------------------- */

/* True if a write will not wait for a reader who has stopped. */
static bool
writable(void)
{
	struct pollfd p = { .fd = clq_sink.fd, .events = POLLOUT };

	return !state.may_block || poll(&p, 1,
	    atomic_load(&losses->lost) > 0 ? 0 : PATIENCE_MS) == 1;
}

static bool
write_stream(const char *line, size_t len)
{
	size_t done = 0, piece;
	ssize_t n;

	if (!writable()) {
		errno = ETIMEDOUT;
		return false;
	}
	/* What was begun before the disk was full stays a line of its own. */
	if (atomic_load(&losses->torn)) {
		if (write(clq_sink.fd, "\n", 1) != 1)
			return false;
		atomic_store(&losses->torn, false);
	}
	while (done < len) {
		/* A pipe that is writable has room for so much only. */
		piece = len - done;
		if (state.may_block && piece > PIPE_BUF)
			piece = PIPE_BUF;
		n = done > 0 && !writable() ? 0 :
		    write(clq_sink.fd, line + done, piece);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ETIMEDOUT;
			atomic_store(&losses->torn, done > 0);
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

/* ---- datagrams ----------------------------------------------------------- */

static bool
send_parts(struct iovec *parts, size_t n)
{
	struct msghdr msg = {
		.msg_name = &state.address,
		.msg_namelen = sizeof state.address,
		.msg_iov = parts, .msg_iovlen = n,
	};
	ssize_t rc;

	if (clq_sink.fd == -1) {
		clq_sink.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (clq_sink.fd == -1)
			return false;
	}
	do {
		rc = sendmsg(clq_sink.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (rc == -1 && errno == EINTR);
	return rc != -1;
}

static struct iovec
part(const char *p, size_t n)
{
	union {			/* iovec is for reading too, hence not const */
		const char	*in;
		void		*out;
	} u = { p };

	return (struct iovec){ u.out, n };
}

/* As the C library writes it: "<30>Nov 24 08:00:00 cliquetd[12]: ". */
static bool
write_syslog(enum clq_log_level level, const char *line, size_t len)
{
	time_t now = time(NULL);
	char head[96], stamp[32] = "";
	struct iovec parts[2];
	struct tm tm;
	int n;

	if (localtime_r(&now, &tm) != NULL)
		strftime(stamp, sizeof stamp, "%b %e %H:%M:%S ", &tm);
	n = snprintf(head, sizeof head, "<%d>%scliquetd[%ld]: ",
	    clq_sink.facility * 8 + (int)level, stamp, (long)getpid());
	parts[0] = part(head, (size_t)n);
	parts[1] = part(line, len - 1);
	return send_parts(parts, 2);
}

static bool
write_journal(enum clq_log_level level, const char *line, size_t len)
{
	struct iovec parts[3];
	char head[128];
	int n;

	n = snprintf(head, sizeof head, "PRIORITY=%d\nSYSLOG_IDENTIFIER="
	    "cliquetd\nSYSLOG_FACILITY=%d\nMESSAGE=", (int)level,
	    clq_sink.facility);
	parts[0] = part(head, (size_t)n);
	parts[1] = part(line, len);
	parts[2] = part(state.fields, state.nfields);
	state.nfields = 0;
	return send_parts(parts, 3);
}

static void
field_add(const char *p, size_t n)
{
	memcpy(state.fields + state.nfields, p, n);
	state.nfields += n;
}

/* "CLIQUET_QUERYSTRING=..."; what would be another line becomes a blank. */
static void
field_put(const char *name, struct clq_str value)
{
	static const char prefix[] = "CLIQUET_";
	size_t len = strlen(name), i, at;

	if (state.nfields + sizeof prefix + len + value.len + 2 >
	    sizeof state.fields)
		return;
	field_add(prefix, sizeof prefix - 1);
	at = state.nfields;
	field_add(name, len);
	for (i = at; i < state.nfields; i++)
		if (state.fields[i] >= 'a' && state.fields[i] <= 'z')
			state.fields[i] = (char)(state.fields[i] - 'a' + 'A');
	field_add("=", 1);
	at = state.nfields;
	field_add(value.p, value.len);
	for (i = at; i < state.nfields; i++)
		if ((unsigned char)state.fields[i] < ' ')
			state.fields[i] = ' ';
	field_add("\n", 1);
}

void
clq_sink_fields(const char *type, const struct clq_log_field *fields, size_t n)
{
	char number[24];

	state.nfields = 0;
	field_put("type", clq_str_of(type));
	for (size_t i = 0; i < n; i++) {
		snprintf(number, sizeof number, "%" PRId64, fields[i].number);
		field_put(fields[i].name, fields[i].text.p != NULL ?
		    fields[i].text : clq_str_of(number));
	}
}

bool
clq_sink_in_journal(void)
{
	static int known = -1;		/* does not change while we live */
	unsigned long long dev, ino;
	const char *text;
	struct stat st;

	if (clq_sink.target != CLQ_SINK_STREAM || clq_sink.fd != STDERR_FILENO)
		return false;
	if (known == -1)
		known = (text = getenv("JOURNAL_STREAM")) != NULL &&
		    sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
		    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
		    st.st_ino == ino;
	return known == 1;
}

/* ---- both ---------------------------------------------------------------- */

void
clq_sink_write(enum clq_log_level level, const char *line, size_t len)
{
	int saved = errno;
	bool good = false;

	switch (clq_sink.target) {
	case CLQ_SINK_STREAM:
		good = write_stream(line, len);
		break;
	case CLQ_SINK_SYSLOG:
		good = write_syslog(level, line, len);
		break;
	case CLQ_SINK_JOURNAL:
		good = write_journal(level, line, len);
		break;
	}
	if (!good)
		note_loss(errno);
	else if (atomic_load_explicit(&losses->lost, memory_order_relaxed) > 0)
		note_recovery();
	errno = saved;
}

void
clq_sink_open(enum clq_sink_target target, int fd, const char *socket,
    const char *name)
{
	struct stat st;
	void *shared;

	if (clq_sink.fd > STDERR_FILENO)
		close(clq_sink.fd);
	clq_sink.target = target;
	clq_sink.fd = target == CLQ_SINK_STREAM ? fd : -1;
	if (target != CLQ_SINK_STREAM)
		name = socket != NULL ? socket : "";
	memset(&state.address, 0, sizeof state.address);
	state.address.sun_family = AF_UNIX;
	snprintf(state.address.sun_path, sizeof state.address.sun_path, "%s",
	    name);
	snprintf(state.name, sizeof state.name, "%s", name);
	state.may_block = target == CLQ_SINK_STREAM && fstat(fd, &st) == 0 &&
	    (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	if (losses != &own_losses)
		return;
	shared = mmap(NULL, sizeof *losses, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared != MAP_FAILED)
		losses = shared;
}
