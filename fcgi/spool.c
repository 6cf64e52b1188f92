/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a collected request (see spool.h).
 */
#include "spool.h"

#include <cliquet/log.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static bool
put(int fd, enum clq_fcgi_type type, unsigned id, const unsigned char *p,
    size_t n)
{
	unsigned char head[CLQ_FCGI_HEAD];
	struct iovec iov[2] = { { head, sizeof head } };

	clq_fcgi_head(head, type, id, n);
	iov[1].iov_base = (void *)(uintptr_t)p;
	iov[1].iov_len = n;
	return writev(fd, iov, n > 0 ? 2 : 1) ==
	    (ssize_t)(n + sizeof head);
}

static bool
put_stream(int fd, enum clq_fcgi_type type, unsigned id,
    const struct clq_bytes *b)
{
	size_t n, at = 0;

	for (; at < b->len; at += n) {
		n = b->len - at < CLQ_FCGI_MAX_CONTENT ? b->len - at :
		    CLQ_FCGI_MAX_CONTENT;
		if (!put(fd, type, id, b->p + at, n))
			return false;
	}
	return put(fd, type, id, NULL, 0);
}

bool
clq_spool_write(int *fd, const struct clq_scan *s)
{
	static const unsigned char responder[8] = { 0, 1, 1 };
	unsigned id = s->request_id;
	bool ok;

	if (*fd == -1)
		*fd = memfd_create("cliquet-request", MFD_CLOEXEC);
	ok = *fd != -1 && ftruncate(*fd, 0) == 0 &&
	    lseek(*fd, 0, SEEK_SET) == 0 &&
	    put(*fd, CLQ_FCGI_BEGIN_REQUEST, id, responder, 8) &&
	    put_stream(*fd, CLQ_FCGI_PARAMS, id, &s->params) &&
	    put_stream(*fd, CLQ_FCGI_STDIN, id, &s->body) &&
	    lseek(*fd, 0, SEEK_SET) == 0;
	if (!ok)
		clq_log_err("memory file: %s", strerror(errno));
	return ok;
}
