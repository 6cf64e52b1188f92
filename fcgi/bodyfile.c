/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in unnamed files (see bodyfile.h).
 */
#include "bodyfile.h"

#include <cliquet/errors.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "../core/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct target {
	struct clq_str	method;
	struct clq_str	uri;
	struct clq_str	script_name;
	struct clq_str	path_info;
};

static void
param(void *ctx, struct clq_str name, struct clq_str value)
{
	struct target *t = ctx;

	if (clq_str_is(name, "REQUEST_METHOD"))
		t->method = value;
	else if (clq_str_is(name, "REQUEST_URI"))
		t->uri = value;
	else if (clq_str_is(name, "SCRIPT_NAME"))
		t->script_name = value;
	else if (clq_str_is(name, "PATH_INFO"))
		t->path_info = value;
}

/* The path that fcgi_request.c will find; the absolute form has no room. */
static bool
asks_for_room(const struct clq_server *srv, const struct target *t,
    uint64_t *max, const char **folder)
{
	char path[4096];
	int n;

	if (t->uri.len > 0)
		return clq_request_room(srv, t->method, clq_str_sub(t->uri, 0,
		    clq_str_find(t->uri, '?', 0)), max, folder);
	n = snprintf(path, sizeof path, "%.*s%.*s", CLQ_FMT(t->script_name),
	    CLQ_FMT(t->path_info));
	return n > 0 && (size_t)n < sizeof path && clq_request_room(srv,
	    t->method, (struct clq_str){ path, (size_t)n }, max, folder);
}

/* Not every file system has O_TMPFILE. */
static int
open_unnamed(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[4096];
	int n;

	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR &&
	    errno != EINVAL))
		return fd;
	n = snprintf(name, sizeof name, "%s/.cliquet-body-XXXXXX", folder);
	if (n < 0 || (size_t)n >= sizeof name)
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd != -1)
		(void)unlink(name);
	return fd;
}

void
clq_bodyfile_room(struct clq_scan *s, const void *ctx)
{
	struct target t = { .method = { NULL, 0 } };
	const char *folder;
	uint64_t max;

	if (!clq_params_each(s->params.p, s->params.len, CLQ_FCGI_MAX_PAIRS,
	    param, &t) || !asks_for_room(ctx, &t, &max, &folder))
		return;
	s->max_body = max < SIZE_MAX ? (size_t)max : SIZE_MAX;
	s->body_fd = open_unnamed(folder);
	s->in_file = s->body_fd != -1;
	if (!s->in_file) {
		clq_log_err("%s: %s; bodies of uploads are kept there",
		    folder, strerror(errno));
		s->refused = CLQ_ERRNO_BACKEND;
	}
}

bool
clq_bodyfile_write(int fd, const unsigned char *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = write(fd, p, n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			clq_log_err("body of an upload: %s", strerror(errno));
			return false;
		}
		p += got;
		n -= (size_t)got;
	}
	return true;
}
