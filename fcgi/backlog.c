/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the kernel about a listening socket (see backlog.h).
 *
 * TCP tells it by TCP_INFO; a UNIX socket only through the socket diagnostics
 * of netlink, as `ss -lx` does, by the inode of the socket. A sandbox may
 * forbid netlink: then it is unknown, and not asked for again.
 */
#include "backlog.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

struct query {
	struct nlmsghdr		head;
	struct unix_diag_req	req;
};

static bool
ask_tcp(int fd, int *waiting, int *backlog)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	memset(&info, 0, sizeof info);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return false;
	*waiting = (int)info.tcpi_unacked;	/* so for a listening one */
	*backlog = (int)info.tcpi_sacked;
	return true;
}

/* The attribute UNIX_DIAG_RQLEN out of an answer of n bytes. */
static bool
take_answer(const void *buf, size_t n, int *waiting, int *backlog)
{
	const struct nlmsghdr *h = buf;
	struct unix_diag_rqlen rq;
	const struct rtattr *a;
	size_t left;

	const size_t fixed = NLMSG_SPACE(sizeof(struct unix_diag_msg));

	if (n < fixed || h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    h->nlmsg_len < fixed || h->nlmsg_len > n)
		return false;
	a = (const void *)((const char *)buf + fixed);
	left = h->nlmsg_len - fixed;
	for (; RTA_OK(a, left); a = (const void *)((const char *)a +
	    RTA_ALIGN(a->rta_len)), left -= RTA_ALIGN(a->rta_len)) {
		if (a->rta_type != UNIX_DIAG_RQLEN ||
		    RTA_PAYLOAD(a) < sizeof rq)
			continue;
		memcpy(&rq, (const char *)a + RTA_LENGTH(0), sizeof rq);
		*waiting = (int)rq.udiag_rqueue;
		*backlog = (int)rq.udiag_wqueue;
		return true;
	}
	return false;
}

static bool
ask_unix(int fd, int *waiting, int *backlog)
{
	static bool forbidden;
	struct query q = {
		.head = { .nlmsg_len = sizeof q, .nlmsg_flags = NLM_F_REQUEST,
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.req = { .sdiag_family = AF_UNIX, .udiag_states = -1U,
		    .udiag_show = UDIAG_SHOW_RQLEN,
		    .udiag_cookie = { -1U, -1U } },
	};
	struct timeval limit = { 0, 100000 };
	_Alignas(8) char buf[1024];
	bool good = false;
	struct stat st;
	ssize_t n;
	int nl;

	if (forbidden || fstat(fd, &st) == -1)
		return false;
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (nl == -1) {
		forbidden = errno != EMFILE && errno != ENFILE;
		return false;
	}
	q.req.udiag_ino = (unsigned)st.st_ino;
	(void)setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (send(nl, &q, sizeof q, 0) == sizeof q &&
	    (n = recv(nl, buf, sizeof buf, 0)) > 0)
		good = take_answer(buf, (size_t)n, waiting, backlog);
	close(nl);
	return good;
}

void
clq_backlog_read(const struct clq_listeners *l, int *waiting, int *backlog)
{
	struct sockaddr sa;
	socklen_t len;
	bool good;
	int w, b;

	*waiting = *backlog = l->n > 0 ? 0 : -1;
	for (size_t i = 0; i < l->n; i++) {
		len = sizeof sa;
		good = getsockname(l->items[i].fd, &sa, &len) == 0 &&
		    (sa.sa_family == AF_UNIX ?
		    ask_unix(l->items[i].fd, &w, &b) :
		    ask_tcp(l->items[i].fd, &w, &b));
		if (!good) {
			*waiting = *backlog = -1;
			return;
		}
		*waiting += w;
		*backlog += b;
	}
}
