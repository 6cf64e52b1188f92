/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a request: those who want to know are told, and requests
 * within requests share its fate.
 */
#include "core/dispatch.h"
#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <unistd.h>

static struct loopback lb;
static struct fake_backend fake;
static char log_[256];

static void
ended(struct clq_request *req, enum clq_tx_end end, void *ctx)
{
	static const char *const names[] = {
		[CLQ_TX_COMMITTED] = "committed",
		[CLQ_TX_UNDONE] = "undone",
		[CLQ_TX_UNKNOWN] = "unknown",
	};

	(void)req;
	cr_assert_lt(strlen(log_), 200u);
	(void)sprintf(log_ + strlen(log_), "%s %s;", (const char *)ctx,
	    names[end]);
}

/* ctx: NULL, or a status to return. */
static enum clq_status
writes(struct clq_request *req, void *ctx)
{
	static char first[] = "first", second[] = "second";
	enum clq_status rc = clq_tx_write(req);

	if (rc != CLQ_OK)
		return rc;
	clq_tx_then(req, ended, first);
	clq_tx_then(req, ended, second);
	if (ctx != NULL)
		return *(const enum clq_status *)ctx == CLQ_INVALID ?
		    clq_fail(req, 121, NULL) : *(const enum clq_status *)ctx;
	clq_set_header(req, "ETag", CLQ_STR("\"7\""));
	return clq_reply(req, 201, CLQ_STR("{}"));
}

/* Runs /writes or /fails within itself. */
static enum clq_status
outer(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_request_inner(req, CLQ_METHOD_POST,
	    clq_str_of(ctx), CLQ_STR("{\"a\":1}"));

	return rc != CLQ_OK ? rc : clq_reply(req, 200, CLQ_STR("{\"o\":1}"));
}

static void
setup(void)
{
	static enum clq_status invalid = CLQ_INVALID, retry = CLQ_RETRY;
	static char to_writes[] = "/writes", to_fails[] = "/fails";
	static const struct {
		const char	*path;
		clq_view_f	*view;
		void		*ctx;
	} views[] = {
		{ "/writes", writes, NULL },
		{ "/fails", writes, &invalid },
		{ "/loses", writes, &retry },
		{ "/outer", outer, to_writes },
		{ "/broken", outer, to_fails },
	};

	memset(&fake, 0, sizeof fake);
	log_[0] = '\0';
	lb = loopback_new("project_version = 1.0\n");
	loopback_fake(&lb, &fake);
	for (size_t i = 0; i < CLQ_COUNT(views); i++)
		loopback_view(&lb, CLQ_METHOD_POST, views[i].path,
		    views[i].view, views[i].ctx);
}

static void
teardown(void)
{
	cr_expect_eq(fake.open, 0);
	loopback_free(&lb);
}

TestSuite(tx_end, .init = setup, .fini = teardown);
TestSuite(inner, .init = setup, .fini = teardown);

static int
post(const char *path)
{
	log_[0] = '\0';
	return loopback_send(&lb, "POST", path, NULL, "{}")->response.status;
}

Test(tx_end, is_told_the_last_first)
{
	cr_expect_eq(post("/v1/writes"), 201);
	cr_expect_str_eq(log_, "second committed;first committed;");
	cr_expect_eq(post("/v1/fails"), 403);
	cr_expect_str_eq(log_, "second undone;first undone;");
	fake.commit = CLQ_UNAVAILABLE;
	cr_expect_eq(post("/v1/writes"), 503);
	cr_expect_str_eq(log_, "second unknown;first unknown;");
	fake.commit = CLQ_RETRY;
	fake.commit_times = 1;
	cr_expect_eq(post("/v1/writes"), 201);
	cr_expect_str_eq(log_, "second undone;first undone;"
	    "second committed;first committed;");
}

Test(tx_end, in_a_batch_comes_to_each_part_alone)
{
	struct clq_request *req = loopback_send(&lb, "POST", "/v1/batch",
	    "Content-Type: application/json\n", "{\"requests\":["
	    "{\"method\":\"POST\",\"path\":\"/writes\"},"
	    "{\"method\":\"POST\",\"path\":\"/fails\"}]}");

	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(log_, "second undone;first undone;"
	    "second committed;first committed;");
}

Test(inner, answers_with_the_state_of_the_other)
{
	struct clq_request *req = loopback_send(&lb, "POST", "/v1/outer",
	    NULL, "");

	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_body(req), "{\"o\":1}");
	cr_expect_str_eq(loopback_header(req, "ETag"), "\"7\"");
	cr_expect_str_eq(log_, "second committed;first committed;");
}

Test(inner, fails_as_the_other_does)
{
	cr_expect_eq(post("/v1/broken"), 403);
	cr_expect_str_eq(log_, "second undone;first undone;");
}

/* ---- bodies in files ---------------------------------------------------- */

static enum clq_status
echo(struct clq_request *req, void *ctx)
{
	char text[8];
	struct clq_buf b;
	uint64_t at = 0;
	ssize_t n;

	(void)ctx;
	clq_buf_init(&b, clq_request_arena(req), 16);
	while ((n = clq_request_body_read(req, at, text, sizeof text)) > 0) {
		clq_buf_add(&b, (struct clq_str){ text, (size_t)n });
		at += (uint64_t)n;
	}
	if (n == -1)
		return CLQ_FAILED;
	cr_expect_eq(at, clq_request_body_len(req));
	cr_expect_eq(clq_request_body_read(req, UINT64_MAX, text, 1), 0);
	return clq_reply_raw(req, 200, "text/plain", clq_buf_str(&b));
}

static void
add_echo(void)
{
	static const struct clq_verb verb = { CLQ_METHOD_POST, echo,
		CLQ_TX_READ };
	static const struct clq_service service = {
		.size = sizeof service, .name = "echo", .path = "/echo/{x}",
		.verbs = &verb, .nverbs = 1, .max_body = 1 << 20,
		.body_folder = "/tmp",
	};

	cr_assert_eq(clq_add_service(lb.srv, &service), CLQ_OK);
}

Test(body, has_room_where_a_service_says_so, .init = setup, .fini = teardown)
{
	const char *folder = NULL;
	uint64_t max = 0;

	add_echo();
	cr_expect(clq_request_room(lb.srv, CLQ_STR("POST"),
	    CLQ_STR("/v1/%65cho/a"), &max, &folder));
	cr_expect_eq(max, 1u << 20);
	cr_expect_str_eq(folder, "/tmp");
	cr_expect(!clq_request_room(lb.srv, CLQ_STR("POST"),
	    CLQ_STR("/v1/echo"), &max, &folder));
	cr_expect(!clq_request_room(lb.srv, CLQ_STR("POST"),
	    CLQ_STR("/v1/echo/a/b"), &max, &folder));
	cr_expect(!clq_request_room(lb.srv, CLQ_STR("POST"),
	    CLQ_STR("/v1/writes"), &max, &folder));
	cr_expect(!clq_request_room(lb.srv, CLQ_STR("POST"),
	    CLQ_STR("*"), &max, &folder));
	cr_expect(!clq_request_room(lb.srv, CLQ_STR("GET"),
	    CLQ_STR("/v1/echo/a"), &max, &folder));
}

Test(body, is_read_from_memory_and_from_a_file, .init = setup,
    .fini = teardown)
{
	struct clq_request *req;
	FILE *f = tmpfile();

	add_echo();
	req = loopback_send(&lb, "POST", "/v1/echo/x", NULL,
	    "in memory, it is");
	cr_expect_str_eq(loopback_body(req), "in memory, it is");
	req = clq_request_new(lb.srv, lb.arena);
	req->method = CLQ_METHOD_POST;
	req->method_name = CLQ_STR("POST");
	req->raw_path = CLQ_STR("/v1/echo/x");
	cr_assert_not_null(f);
	cr_assert_geq(fputs("in a file, it is", f), 0);
	cr_assert_eq(fflush(f), 0);
	clq_request_set_file(req, dup(fileno(f)), 16);
	clq_dispatch(req);
	cr_expect_str_eq(loopback_body(req), "in a file, it is");
	req = clq_request_new(lb.srv, lb.arena);
	req->method = CLQ_METHOD_POST;
	req->method_name = CLQ_STR("POST");
	req->raw_path = CLQ_STR("/v1/echo/x");
	clq_request_set_file(req, dup(fileno(f)), 17);	/* it has shrunk */
	clq_dispatch(req);
	cr_expect_eq(req->response.status, 500);
	fclose(f);
}
