/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server without a socket: built from the text of an ini, asked with
 * literals, answered by clq_dispatch() in the test's own process.
 *
 * For white-box tests of core, which link the archive and load no plugins (see
 * offer.h for those that want some). Services may be added to lb->srv between
 * loopback_new() and the first request. A fake backend stands for storage and
 * permission where a test wants to see what core does with its transaction.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <cliquet/app.h>

#include "core/request.h"
#include "core/server.h"

struct loopback {
	struct clq_server	*srv;
	struct clq_arena	*arena;		/* of all requests */
};

/* A backend that remembers the calls and answers as told. */
struct fake_backend {
	char		 log[4096];	/* "begin(read) finish(commit) ..." */
	enum clq_status	 begin;		/* statuses to return */
	enum clq_status	 commit;
	enum clq_status	 ping;
	unsigned	 commit_times;	/* commit counts for so many calls; 0:
					   all of them */
	clq_msec	 timestamp;
	struct clq_strs	 groups;
	int		 open;		/* transactions begun, not finished */
};

/*
 * ini: lines of [app:main]; backends are empty unless named. Fails the test if
 * the server cannot be built.
 */
struct loopback loopback_new(const char *ini);

/* The status of clq_server_new() on that ini, with nothing left behind. */
enum clq_status loopback_try(const char *ini);

void loopback_free(struct loopback *lb);

/* Add a service of one verb at path (below the prefix). Texts are borrowed. */
void loopback_view(struct loopback *lb, enum clq_method method,
    const char *path, clq_view_f *view, void *ctx);

/* The same with all that can be said. */
void loopback_service(struct loopback *lb, const char *path,
    struct clq_verb verb, unsigned flags, void *ctx);

/* Make the fake the server's storage and permission backend. */
void loopback_fake(struct loopback *lb, struct fake_backend *fake);

/*
 * Send a request: url is path and query as on the wire; headers are lines
 * "Name: value\n", or NULL; body may be NULL. The result lives as long as lb.
 */
struct clq_request *loopback_send(struct loopback *lb, const char *method,
    const char *url, const char *headers, const char *body);

/* The same with any bytes in url. */
struct clq_request *loopback_send_raw(struct loopback *lb,
    const char *method, struct clq_str path, struct clq_str query);

/* Body and header of a response as C strings; NULL if there is no header. */
const char *loopback_body(const struct clq_request *req);
const char *loopback_header(const struct clq_request *req,
    const char *name);

#endif
