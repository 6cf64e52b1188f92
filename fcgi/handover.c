/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of connections between workers (see handover.h).
 *
 * One SCM_RIGHTS message for each. Whoever has the ends keeps what is in
 * between alive, so connections survive moments without any worker.
 */
#include "handover.h"

#include <cliquet/log.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* What goes with the descriptor. */
struct note {
	uint16_t	request_id;
	uint8_t		nginx;
	uint8_t		served;
	uint8_t		hinted;
};

union control {
	struct cmsghdr	head;
	char		space[CMSG_SPACE(sizeof(int))];
};

enum clq_status
clq_handover_open(struct clq_handover *h)
{
	int pair[2], big = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, pair) == -1) {
		clq_log_err("socketpair: %s", strerror(errno));
		return CLQ_FAILED;
	}
	/* As many as the system lets us have; it clamps the number. */
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
	h->get = pair[0];
	h->put = pair[1];
	return CLQ_OK;
}

void
clq_handover_close(struct clq_handover *h)
{
	if (h->put != -1) {
		close(h->put);
		close(h->get);
	}
	h->put = h->get = -1;
}

bool
clq_handover_put(const struct clq_handover *h, const struct clq_orphan *o)
{
	struct note note = { o->request_id, o->nginx, o->served,
		o->hinted };
	struct iovec iov = { &note, sizeof note };
	union control c;
	struct msghdr msg;
	struct cmsghdr *head;

	if (h->put == -1)
		return false;
	memset(&c, 0, sizeof c);
	memset(&msg, 0, sizeof msg);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &c;
	msg.msg_controllen = sizeof c;
	head = CMSG_FIRSTHDR(&msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &o->fd, sizeof(int));
	return sendmsg(h->put, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)sizeof note;
}

bool
clq_handover_get(const struct clq_handover *h, struct clq_orphan *o)
{
	struct note note = { 0 };
	struct iovec iov = { &note, sizeof note };
	union control c;
	struct msghdr msg;
	struct cmsghdr *head;

	if (h->get == -1)
		return false;
	memset(&msg, 0, sizeof msg);
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = &c;
	msg.msg_controllen = sizeof c;
	if (recvmsg(h->get, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    (ssize_t)sizeof note)
		return false;
	head = CMSG_FIRSTHDR(&msg);
	if (head == NULL || head->cmsg_type != SCM_RIGHTS)
		return false;	/* no descriptor free in this process */
	memcpy(&o->fd, CMSG_DATA(head), sizeof(int));
	o->request_id = note.request_id;
	o->nginx = note.nginx != 0;
	o->served = note.served != 0;
	o->hinted = note.hinted != 0;
	return true;
}
