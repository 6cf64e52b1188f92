/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application for tests of the process model: requests that last, crash,
 * are large, or tell what arrived.
 *
 *	GET  /sleep/{ms}	answer after that time; ?file= is written first, and
 *				once somebody removes it the time is over
 *	GET  /rest/{ms}		one nanosleep(2): {"errno"}, 0 if it was not interrupted
 *	GET  /crash		a segmentation fault
 *	GET  /abort		a failed assertion
 *	GET  /big/{bytes}	a body of that size
 *	GET  /env		{"pid", "path", "header", "param", "body"};
 *				?name= says which header and parameter
 *	POST /echo		the body back
 *
 * Nothing but the installed headers; no backend.
 */
#include <cliquet/cliquet.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t
number(struct clq_request *req, const char *var)
{
	int64_t n = 0;

	if (!clq_str_int(clq_request_var(req, var), &n) || n < 0)
		return -1;
	return n;
}

static enum clq_status
answer(struct clq_request *req)
{
	return clq_reply(req, 200, clq_arena_printf(clq_request_arena(req),
	    "{\"pid\":%ld}", (long)getpid()));
}

/* Tests know by the file that the request is being served, and end it. */
static void
sleep_while(const char *path, int64_t ms)
{
	static const struct timespec step = { 0, 10000000 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd != -1) {
		dprintf(fd, "%ld\n", (long)getpid());
		close(fd);
	}
	for (; ms > 0 && access(path, F_OK) == 0; ms -= 10)
		(void)nanosleep(&step, NULL);
}

static enum clq_status
view_sleep(struct clq_request *req, void *ctx)
{
	int64_t ms = number(req, "ms");
	struct clq_str file = clq_request_param(req, "file");
	struct timespec until;

	(void)ctx;
	if (ms < 0 || ms > 600000)
		return clq_invalid(req, "path", CLQ_STR("ms"), "0 to 600000");
	if (file.p != NULL) {
		sleep_while(clq_arena_cstr(clq_request_arena(req), file), ms);
		return answer(req);
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
	    NULL) == EINTR)
		;
	return answer(req);
}

static enum clq_status
view_rest(struct clq_request *req, void *ctx)
{
	int64_t ms = number(req, "ms");
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	int rc;

	(void)ctx;
	rc = nanosleep(&t, NULL) == -1 ? errno : 0;
	return clq_reply(req, 200, clq_arena_printf(clq_request_arena(req),
	    "{\"errno\":%d}", rc));
}

static enum clq_status
view_crash(struct clq_request *req, void *ctx)
{
	(void)ctx;
	raise(SIGSEGV);
	return answer(req);
}

static enum clq_status
view_abort(struct clq_request *req, void *ctx)
{
	(void)req;
	(void)ctx;
	abort();
}

static enum clq_status
view_big(struct clq_request *req, void *ctx)
{
	int64_t n = number(req, "bytes");
	char *p;

	(void)ctx;
	if (n < 0 || n > 64 << 20)
		return clq_invalid(req, "path", CLQ_STR("bytes"), "too large");
	p = clq_arena_alloc(clq_request_arena(req), (size_t)n);
	for (int64_t i = 0; i < n; i++)
		p[i] = (char)('a' + i % 26);
	return clq_reply_raw(req, 200, "text/plain",
	    (struct clq_str){ p, (size_t)n });
}

static enum clq_status
view_env(struct clq_request *req, void *ctx)
{
	struct clq_str name = clq_request_param(req, "name"), v;
	struct clq_buf b;

	(void)ctx;
	clq_buf_init(&b, clq_request_arena(req), 512);
	clq_buf_printf(&b, "{\"pid\":%ld,\"path\":", (long)getpid());
	clq_buf_json_str(&b, clq_request_path(req));
	clq_buf_adds(&b, ",\"header\":");
	v = clq_request_header(req, clq_arena_cstr(clq_request_arena(req),
	    name));
	if (v.p != NULL)
		clq_buf_json_str(&b, v);
	else
		clq_buf_adds(&b, "null");
	clq_buf_adds(&b, ",\"param\":");
	v = clq_request_param(req, "value");
	if (v.p != NULL)
		clq_buf_json_str(&b, v);
	else
		clq_buf_adds(&b, "null");
	clq_buf_printf(&b, ",\"body\":%zu}", clq_request_body(req).len);
	return clq_reply(req, 200, clq_buf_str(&b));
}

static enum clq_status
view_echo(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply_raw(req, 200, "application/octet-stream",
	    clq_request_body(req));
}

static const struct clq_verb sleep_verbs[] = {
	{ CLQ_METHOD_GET, view_sleep, CLQ_TX_READ },
	{ CLQ_METHOD_POST, view_sleep, CLQ_TX_READ },
};
static const struct clq_verb rest_verbs[] = {
	{ CLQ_METHOD_GET, view_rest, CLQ_TX_READ },
};
static const struct clq_verb crash_verbs[] = {
	{ CLQ_METHOD_GET, view_crash, CLQ_TX_READ },
};
static const struct clq_verb abort_verbs[] = {
	{ CLQ_METHOD_GET, view_abort, CLQ_TX_READ },
};
static const struct clq_verb big_verbs[] = {
	{ CLQ_METHOD_GET, view_big, CLQ_TX_READ },
};
static const struct clq_verb env_verbs[] = {
	{ CLQ_METHOD_GET, view_env, CLQ_TX_READ },
	{ CLQ_METHOD_POST, view_env, CLQ_TX_READ },
	{ CLQ_METHOD_PUT, view_env, CLQ_TX_READ },
};
static const struct clq_verb echo_verbs[] = {
	{ CLQ_METHOD_POST, view_echo, CLQ_TX_READ },
};

#define SERVICE(n, p, v)						\
	{ .size = sizeof(struct clq_service), .name = n, .path = p,	\
	  .verbs = v, .nverbs = CLQ_COUNT(v), .flags = CLQ_SERVICE_NO_TX }

static const struct clq_service services[] = {
	SERVICE("sleep", "/sleep/{ms}", sleep_verbs),
	SERVICE("rest", "/rest/{ms}", rest_verbs),
	SERVICE("crash", "/crash", crash_verbs),
	SERVICE("abort", "/abort", abort_verbs),
	SERVICE("big", "/big/{bytes}", big_verbs),
	SERVICE("env", "/env", env_verbs),
	SERVICE("echo", "/echo", echo_verbs),
};

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; rc == CLQ_OK && i < CLQ_COUNT(services); i++)
		rc = clq_add_service(srv, &services[i]);
	return rc;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "slow", .version = "1", .app = &app,
};
