/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the wire to a request and back: collected bytes through libfcgi, the
 * meaning of parameters, and the records of an answer.
 */
#include <criterion/criterion.h>

#include "fcgi/fcgi_request.h"
#include "fcgi/reply.h"
#include "fcgi/scan.h"

#include <stdlib.h>
#include <unistd.h>

static struct clq_arena *arena;
static struct clq_scan scan;
static struct clq_incoming in;

static void
setup(void)
{
	arena = clq_arena_new();
	cr_assert_eq(clq_feed_init(), CLQ_OK);
	clq_scan_start(&scan, false, 1 << 20, 1 << 20);
	scan.request_id = 1;
}

static void
teardown(void)
{
	clq_scan_free(&scan);
	clq_arena_free(&arena);
}

static void
setup_file(void)
{
	setup();
	clq_feed_by_file();
}

TestSuite(incoming, .init = setup, .fini = teardown);

static void
param(const char *name, const char *value)
{
	unsigned char lens[2] = {
		(unsigned char)strlen(name), (unsigned char)strlen(value)
	};

	cr_assert(clq_bytes_add(&scan.params, lens, 2));
	cr_assert(clq_bytes_add(&scan.params, name, strlen(name)));
	cr_assert(clq_bytes_add(&scan.params, value, strlen(value)));
}

/* What libfcgi makes of the parameters and the body. */
static struct clq_request *
receive(const char *body)
{
	struct clq_feed feed;

	if (body != NULL)
		cr_assert(clq_bytes_add(&scan.body, body, strlen(body)));
	feed = clq_feed_of_scan(arena, &scan);
	cr_assert_eq(clq_incoming_read(NULL, arena, &feed, scan.body.len, NULL,
	    &in), CLQ_OK);
	return in.req;
}

Test(incoming, parameters_have_a_meaning)
{
	struct clq_request *req;

	param("REQUEST_METHOD", "PUT");
	param("REQUEST_URI", "/v1/a%2Fb?x=1?y");
	param("HTTP_IF_NONE_MATCH", "\"1\"");
	param("HTTP_HOST", "example.org:8080");
	param("HTTPS", "on");
	param("CONTENT_TYPE", "application/json");
	param("HTTP_CONTENT_TYPE", "text/plain");
	param("CONTENT_LENGTH", "2");
	param("SERVER_SOFTWARE", "nginx/1.22.1");
	req = receive("{}");
	cr_expect_eq(req->method, CLQ_METHOD_PUT);
	cr_expect(clq_str_is(req->raw_path, "/v1/a%2Fb"));
	cr_expect(clq_str_is(req->raw_query, "x=1?y"));
	cr_expect(clq_str_is(req->host, "example.org:8080"));
	cr_expect(clq_str_is(req->scheme, "https"));
	cr_expect(clq_str_is(req->body, "{}"));
	cr_expect(clq_str_is(clq_pairs_get(&req->headers, "If-None-Match"),
	    "\"1\""));
	cr_expect(clq_str_is(clq_pairs_get(&req->headers, "Content-Type"),
	    "application/json"));
	cr_expect_eq(req->refused, 0);
	cr_expect(in.nginx);
}

Test(incoming, path_is_put_together)
{
	struct clq_request *req;

	param("SCRIPT_NAME", "/v1");
	param("PATH_INFO", "/caf\xc3\xa9 b?#%2F");
	param("QUERY_STRING", "a=%20");
	req = receive(NULL);
	cr_expect(clq_str_is(req->raw_path, "/v1/caf%C3%A9%20b%3F%23%252F"),
	    "%.*s", CLQ_FMT(req->raw_path));
	cr_expect(clq_str_is(req->raw_query, "a=%20"));
	cr_expect_not(in.nginx);
}

Test(incoming, nothing_is_something)
{
	struct clq_request *req = receive(NULL);

	cr_expect_eq(req->method, CLQ_METHOD_GET);
	cr_expect(clq_str_is(req->raw_path, "/"));
	cr_expect_eq(req->raw_query.len, 0);
	cr_expect_eq(req->refused, 0);
	cr_expect_neq(req->body.p, NULL);
}

Test(incoming, lying_length_is_refused)
{
	static const struct {
		const char	*length;
		int		 refused;
	} cases[] = {
		{ "5", 0 }, { "005", 0 }, { "", 0 }, { "4", 107 },
		{ "6", 107 }, { "-5", 107 }, { "5 ", 107 }, { "0x5", 107 },
		{ "18446744073709551621", 107 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		scan.params.len = scan.body.len = 0;
		param("CONTENT_LENGTH", cases[i].length);
		cr_expect_eq(receive("hello")->refused, cases[i].refused,
		    "%s", cases[i].length);
	}
}

Test(incoming, large_streams_come_through)
{
	static char big[200000];

	memset(big, 'b', sizeof big);
	for (int i = 0; i < 900; i++)
		param("HTTP_X", "0123456789012345678901234567890123456789"
		    "0123456789012345678901234567890123456789");
	cr_assert(clq_bytes_add(&scan.body, big, sizeof big));
	receive(NULL);
	cr_expect_eq(in.req->headers.n, 900);
	cr_expect_eq(in.req->body.len, sizeof big);
	cr_expect_eq(memcmp(in.req->body.p, big, sizeof big), 0);
}

Test(incoming, refused_request_keeps_what_the_answer_needs)
{
	param("REQUEST_METHOD", "POST");
	param("REQUEST_URI", "/v1/x");
	param("HTTP_ORIGIN", "http://o");
	cr_assert(clq_bytes_add(&scan.params, "\7\7cut", 5));
	scan.refused = 107;
	clq_incoming_refuse(NULL, arena, &scan, &in);
	cr_expect_eq(in.req->refused, 107);
	cr_expect_eq(in.req->method, CLQ_METHOD_POST);
	cr_expect(clq_str_is(in.req->raw_path, "/v1/x"));
	cr_expect(clq_str_is(clq_pairs_get(&in.req->headers, "Origin"),
	    "http://o"));
}

/* ---- answers ------------------------------------------------------------- */

/* The STDOUT stream of a vector; checks the records around it. */
static struct clq_bytes
unwrap(const struct clq_reply *r, unsigned id, bool hint)
{
	struct clq_bytes all = { 0 }, out = { 0 };
	size_t i = 0, n, records = 0;
	bool ended = false;

	for (size_t k = 0; k < r->n; k++)
		cr_assert(clq_bytes_add(&all, r->iov[k].iov_base,
		    r->iov[k].iov_len));
	while (i < all.len) {
		const unsigned char *h = all.p + i;

		n = (size_t)h[4] << 8 | h[5];
		cr_assert_leq(i + 8 + n, all.len);
		cr_assert_eq(h[0], 1);
		cr_assert_eq((unsigned)(h[2] << 8 | h[3]), id);
		if (h[1] == CLQ_FCGI_STDOUT)
			cr_assert(clq_bytes_add(&out, h + 8, n));
		else if (h[1] == CLQ_FCGI_END_REQUEST)
			ended = true;
		else
			cr_assert(ended && hint && h[1] == CLQ_FCGI_STDERR);
		i += 8 + n;
		records++;
	}
	cr_expect(ended);
	free(all.p);
	return out;
}

Test(incoming, answer_is_laid_out_in_records)
{
	static const size_t sizes[] = { 0, 1, 2048, 2049, 65534, 65535,
		65536, 200000 };
	static char body[200000];

	memset(body, 'x', sizeof body);
	for (size_t i = 0; i < CLQ_COUNT(sizes); i++) {
		struct clq_request *req = clq_request_new(NULL, arena);
		struct clq_reply r;
		struct clq_bytes out;
		static const char head[] = "Status: 412 Precondition Failed"
		    "\r\nX-Y: z\r\n\r\n";

		req->response.status = 412;
		clq_set_header(req, "X-Y", CLQ_STR("z"));
		req->response.body = (struct clq_str){ body, sizes[i] };
		r = clq_reply_build(req, 0x1234, i % 3 == 0);
		out = unwrap(&r, 0x1234, i % 3 == 0);
		cr_assert_eq(out.len, sizeof head - 1 + sizes[i]);
		cr_expect_eq(memcmp(out.p, head, sizeof head - 1), 0);
		free(out.p);
	}
}

Test(incoming, mod_fcgid_is_given_no_redirect)
{
	struct clq_request *req = clq_request_new(NULL, arena);

	clq_set_header(req, "Location", CLQ_STR("http://h/"));
	clq_set_header(req, "ETag", CLQ_STR("\"1\""));
	req->response.status = 201;
	clq_reply_no_redirect(req);
	cr_expect_eq(req->response.headers.n, 2);
	req->response.status = 200;
	clq_reply_no_redirect(req);
	cr_assert_eq(req->response.headers.n, 1);
	cr_expect(clq_str_is(req->response.headers.items[0].name, "ETag"));
}

Test(incoming, headers_beyond_a_record)
{
	struct clq_request *req = clq_request_new(NULL, arena);
	static char value[60000];
	struct clq_reply r;
	struct clq_bytes out;

	memset(value, 'v', sizeof value);
	clq_set_header(req, "A", (struct clq_str){ value, sizeof value });
	clq_set_header(req, "B", (struct clq_str){ value, sizeof value });
	req->response.status = 200;
	req->response.body = CLQ_STR("body");
	r = clq_reply_build(req, 1, false);
	out = unwrap(&r, 1, false);
	cr_expect_gt(out.len, 120000);
	cr_expect_eq(memcmp(out.p + out.len - 8, "\r\n\r\nbody", 8), 0);
	free(out.p);
}

/* ---- with a libfcgi that reads for itself --------------------------------- */

TestSuite(incoming_by_file, .init = setup_file, .fini = teardown);

Test(incoming_by_file, requests_come_one_after_the_other)
{
	static const char *const bodies[] = { "first", "", "a longer third" };
	struct clq_request *req;

	for (size_t i = 0; i < 3; i++) {
		param("REQUEST_METHOD", "POST");
		param("REQUEST_URI", "/v1/x");
		req = receive(bodies[i]);
		cr_expect_eq(req->method, CLQ_METHOD_POST);
		cr_expect(clq_str_is(req->raw_path, "/v1/x"));
		cr_expect(clq_str_is(req->body, bodies[i]));
		clq_scan_free(&scan);
		clq_scan_start(&scan, false, 1 << 20, 1 << 20);
		scan.request_id = 1;
	}
}

Test(incoming_by_file, a_refused_one_leaves_room_for_the_next)
{
	struct iovec nothing = { NULL, 0 };
	struct clq_feed none = { &nothing, 1 };

	cr_expect_eq(clq_incoming_read(NULL, arena, &none, 0, NULL, &in),
	    CLQ_FAILED);
	param("REQUEST_METHOD", "GET");
	param("REQUEST_URI", "/v1/");
	cr_expect_eq(receive(NULL)->method, CLQ_METHOD_GET);
}
