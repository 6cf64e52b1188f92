/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are too large for memory.
 *
 * A service may allow more than max_body_bytes (clq_service.max_body). Who
 * receives requests asks here as soon as it knows where one wants to go, and
 * keeps such a body in a file; views read either kind with the same call.
 */
#include "request.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <errno.h>
#include <unistd.h>

#include "router.h"
#include "server.h"
#include "versions.h"

bool
clq_request_room(const struct clq_server *srv, struct clq_str method,
    struct clq_str raw_path, uint64_t *max_body, const char **folder)
{
	struct clq_arena *scratch;
	const struct clq_route *r = NULL;
	const struct clq_server *other;
	struct clq_str path;

	if (!clq_str_is(method, "POST") && !clq_str_is(method, "PUT"))
		return false;
	scratch = clq_arena_new();
	if ((other = clq_version_of(srv, raw_path)) != NULL)
		srv = other;
	path = clq_url_decode(scratch, raw_path, false);
	if (clq_str_eq(clq_str_sub(path, 0, srv->prefix.len), srv->prefix))
		r = clq_router_room(srv->router, clq_str_sub(path,
		    srv->prefix.len, path.len));
	clq_arena_free(&scratch);
	if (r == NULL)
		return false;
	*max_body = r->max_body;
	*folder = r->body_folder;
	return true;
}

static void
close_file(void *p)
{
	close(*(int *)p);
}

void
clq_request_set_file(struct clq_request *req, int fd, uint64_t len)
{
	req->body = CLQ_STR("");
	req->body_in_file = true;
	req->body_fd = fd;
	req->body_file_len = len;
	clq_arena_defer(req->arena, close_file, &req->body_fd);
}

uint64_t
clq_request_body_len(const struct clq_request *req)
{
	return req->body_in_file ? req->body_file_len : req->body.len;
}

ssize_t
clq_request_body_read(const struct clq_request *req, uint64_t at, void *to,
    size_t n)
{
	uint64_t left = clq_request_body_len(req);
	ssize_t got;

	left -= at < left ? at : left;
	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	if (!req->body_in_file) {
		memcpy(to, req->body.p + at, n);
		return (ssize_t)n;
	}
	do
		got = pread(req->body_fd, to, n, (off_t)at);
	while (got == -1 && errno == EINTR);
	if (got <= 0) {
		clq_log_err("body of a request: %s", got == 0 ?
		    "shorter than it was" : strerror(errno));
		return -1;
	}
	return got;
}
