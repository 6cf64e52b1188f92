/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record scanner: what it finds whole, what it keeps, what it answers and
 * what it refuses, however the bytes are cut.
 */
#include <criterion/criterion.h>

#include "fcgi/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_PARAMS = 4096, MAX_BODY = 1000 };

static unsigned char wire[1 << 17];
static size_t len;

static void
add(enum clq_fcgi_type type, unsigned id, const void *p, size_t n,
    unsigned char padding)
{
	clq_fcgi_head(wire + len, type, id, n);
	wire[len + 6] = padding;
	len += CLQ_FCGI_HEAD;
	if (n > 0)
		memcpy(wire + len, p, n);
	len += n;
	memset(wire + len, 0xee, padding);
	len += padding;
}

static void
begin(unsigned id, unsigned char role, unsigned char flags)
{
	unsigned char body[8] = { 0, role, flags };

	add(CLQ_FCGI_BEGIN_REQUEST, id, body, sizeof body, 0);
}

static const unsigned char params[] = "\1\2Axy\0\3abc";
enum { PARAMS_LEN = sizeof params - 1 };

/* A request with those parameters and the body "hello". */
static void
request(unsigned id)
{
	begin(id, 1, 1);
	add(CLQ_FCGI_PARAMS, id, params, PARAMS_LEN, 3);
	add(CLQ_FCGI_PARAMS, id, NULL, 0, 0);
	add(CLQ_FCGI_STDIN, id, "hello", 5, 3);
	add(CLQ_FCGI_STDIN, id, NULL, 0, 0);
}

/* Feed all of wire in pieces of `step`; *used is the total. */
static enum clq_scan_verdict
feed(struct clq_scan *s, bool dry, size_t step, size_t *used)
{
	enum clq_scan_verdict v = CLQ_SCAN_MORE;
	size_t n, k;

	clq_scan_start(s, dry, MAX_PARAMS, MAX_BODY);
	*used = 0;
	while (v == CLQ_SCAN_MORE && *used < len) {
		n = len - *used < step ? len - *used : step;
		v = clq_scan_feed(s, wire + *used, n, &k);
		*used += k;
	}
	return v;
}

static bool
holds(const struct clq_bytes *b, const void *p, size_t n)
{
	return b->len == n && memcmp(b->p, p, n) == 0;
}

static void
setup(void)
{
	len = 0;
}

TestSuite(scan, .init = setup);

Test(scan, whole_request_is_plain)
{
	struct clq_scan s;
	size_t used;

	request(1);
	cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
	cr_expect(s.plain);
	cr_expect(s.keep);
	cr_expect_eq(s.refused, 0);
	cr_expect_eq(s.nbody, 5);
	cr_expect_eq(s.request_id, 1);
	cr_expect_eq(used, len);
}

Test(scan, any_cut_gives_the_same)
{
	struct clq_scan s;
	size_t used;

	request(0xabcd);
	for (size_t step = 1; step <= len; step++) {
		cr_assert_eq(feed(&s, false, step, &used), CLQ_SCAN_DONE);
		cr_expect_eq(used, len);
		cr_expect_eq(s.request_id, 0xabcd);
		cr_expect(holds(&s.params, params, PARAMS_LEN));
		cr_expect(holds(&s.body, "hello", 5));
		cr_expect_eq(s.reply.len, 0);
		clq_scan_free(&s);
	}
}

Test(scan, every_prefix_wants_more)
{
	struct clq_scan s;
	size_t used, whole;

	request(1);
	whole = len;
	for (len = 0; len < whole; len++) {
		cr_assert_eq(feed(&s, true, whole, &used), CLQ_SCAN_MORE);
		cr_expect_eq(used, len);
	}
}

Test(scan, stops_at_the_end_of_a_request)
{
	struct clq_scan s;
	size_t used, first;

	request(1);
	first = len;
	request(2);
	cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
	cr_expect_eq(used, first);
}

Test(scan, what_confuses_libfcgi_is_not_plain)
{
	struct clq_scan s;
	size_t used;

	/* Two records of parameters. */
	begin(1, 1, 1);
	add(CLQ_FCGI_PARAMS, 1, params, 5, 0);
	add(CLQ_FCGI_PARAMS, 1, params + 5, PARAMS_LEN - 5, 0);
	add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
	add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
	cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
	cr_expect_not(s.plain);
	cr_assert_eq(feed(&s, false, len, &used), CLQ_SCAN_DONE);
	cr_expect(holds(&s.params, params, PARAMS_LEN));
	clq_scan_free(&s);
	/* Padding of an empty record. */
	len = 0;
	begin(1, 1, 1);
	add(CLQ_FCGI_PARAMS, 1, params, PARAMS_LEN, 0);
	add(CLQ_FCGI_PARAMS, 1, NULL, 0, 8);
	add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
	cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
	cr_expect_not(s.plain);
}

Test(scan, limits_are_exact)
{
	static unsigned char big[MAX_PARAMS + 1];
	struct clq_scan s;
	size_t used;

	for (int over = 0; over <= 1; over++) {
		len = 0;
		begin(1, 1, 1);
		add(CLQ_FCGI_PARAMS, 1, params, PARAMS_LEN, 0);
		add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
		add(CLQ_FCGI_STDIN, 1, big, MAX_BODY, 0);
		add(CLQ_FCGI_STDIN, 1, big, (size_t)over, 0);
		if (over != 0)
			add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
		cr_assert_eq(feed(&s, false, len, &used), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, over ? 113 : 0);
		cr_expect_leq(s.body.len, MAX_BODY);
		cr_expect(holds(&s.params, params, PARAMS_LEN));
		clq_scan_free(&s);
	}
	for (size_t over = 0; over <= 1; over++) {
		len = 0;
		/* One pair: lengths of 1 and 4 bytes, name of 1. */
		memcpy(big, "\1\x80\0\0\0X", 6);
		big[3] = (unsigned char)((MAX_PARAMS + over - 6) >> 8);
		big[4] = (unsigned char)(MAX_PARAMS + over - 6);
		memset(big + 6, 'x', MAX_PARAMS + over - 6);
		begin(1, 1, 1);
		add(CLQ_FCGI_PARAMS, 1, big, MAX_PARAMS + over, 0);
		add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
		add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
		cr_assert_eq(feed(&s, false, 1000, &used), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, over ? 107 : 0);
		cr_expect_leq(s.params.len, MAX_PARAMS);
		clq_scan_free(&s);
	}
}

Test(scan, malformed_pairs_are_refused)
{
	static const struct {
		const char	*p;
		size_t		 n;
	} cases[] = {
		{ "\1", 1 }, { "\1\1", 2 }, { "\1\1A", 3 }, { "\x80\0\0", 3 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
		{ "\1\xff\xff\xff\xff" "A", 6 }, { "\1\2Ax\0", 5 },
		{ "\2\1A\0x", 5 },
	};
	struct clq_scan s;
	size_t used;

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		len = 0;
		begin(1, 1, 1);
		add(CLQ_FCGI_PARAMS, 1, cases[i].p, cases[i].n, 0);
		add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
		add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
		cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, 107, "case %zu", i);
		cr_assert_eq(feed(&s, false, 1, &used), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, 107, "case %zu", i);
		clq_scan_free(&s);
	}
}

Test(scan, number_of_pairs_is_bounded)
{
	static unsigned char many[2 * (CLQ_FCGI_MAX_PAIRS + 1)];
	struct clq_scan s;
	size_t used;

	for (size_t over = 0; over <= 1; over++) {
		len = 0;
		begin(1, 1, 1);
		add(CLQ_FCGI_PARAMS, 1, many,
		    2 * (CLQ_FCGI_MAX_PAIRS + over), 0);
		add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
		add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
		cr_assert_eq(feed(&s, true, len, &used), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, over ? 107 : 0);
	}
}

Test(scan, control_records_are_answered)
{
	static const unsigned char ask[] = "\16\0FCGI_MAX_CONNS";
	struct clq_scan s;
	size_t used;

	add(CLQ_FCGI_GET_VALUES, 0, ask, sizeof ask - 1, 0);
	add(77, 0, "x", 1, 0);
	begin(3, 2, 1);			/* AUTHORIZER */
	begin(4, 1, 1);
	begin(5, 1, 1);			/* while 4 is open */
	cr_assert_eq(feed(&s, false, 1, &used), CLQ_SCAN_MORE);
	cr_expect(s.begun);
	cr_expect_eq(s.request_id, 4);
	cr_assert_eq(s.reply.len, 8 + 17 + 16 + 16 + 16);
	cr_expect_eq(s.reply.p[1], CLQ_FCGI_GET_VALUES_RESULT);
	cr_expect_eq(memcmp(s.reply.p + 8, "\16\1FCGI_MAX_CONNS1", 17), 0);
	cr_expect_eq(s.reply.p[26], CLQ_FCGI_UNKNOWN_TYPE);
	cr_expect_eq(s.reply.p[33], 77);
	cr_expect_eq(s.reply.p[41 + 3], 3);
	cr_expect_eq(s.reply.p[41 + 12], 3);	/* UNKNOWN_ROLE */
	cr_expect_eq(s.reply.p[57 + 3], 5);
	cr_expect_eq(s.reply.p[57 + 12], 1);	/* CANT_MPX_CONN */
	clq_scan_free(&s);
	/* Not without end. */
	for (len = 0; len < 60000; )
		add(77, 0, "x", 1, 0);
	cr_expect_eq(feed(&s, false, len, &used), CLQ_SCAN_BROKEN);
	clq_scan_free(&s);
}

Test(scan, abort_forgets_the_request)
{
	struct clq_scan s;
	size_t used;

	begin(1, 1, 1);
	add(CLQ_FCGI_PARAMS, 1, params, PARAMS_LEN, 0);
	add(CLQ_FCGI_ABORT_REQUEST, 1, NULL, 0, 0);
	request(2);
	cr_assert_eq(feed(&s, false, 7, &used), CLQ_SCAN_DONE);
	cr_expect_eq(s.request_id, 2);
	cr_expect(holds(&s.params, params, PARAMS_LEN));
	cr_expect_eq(s.reply.len, 16);
	cr_expect_eq(s.reply.p[1], CLQ_FCGI_END_REQUEST);
	clq_scan_free(&s);
}

Test(scan, nonsense_is_broken)
{
	struct clq_scan s;
	size_t used;

	memcpy(wire, "GET / HTTP/1.1\r\n", len = 16);
	cr_expect_eq(feed(&s, true, len, &used), CLQ_SCAN_BROKEN);
	len = 0;
	begin(0, 1, 1);
	cr_expect_eq(feed(&s, true, len, &used), CLQ_SCAN_BROKEN);
	len = 0;
	begin(1, 1, 1);
	add(CLQ_FCGI_STDIN, 1, "x", 1, 0);
	cr_expect_eq(feed(&s, true, len, &used), CLQ_SCAN_BROKEN);
	len = 0;
	begin(1, 1, 1);
	add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
	add(CLQ_FCGI_PARAMS, 1, "x", 1, 0);
	cr_expect_eq(feed(&s, true, len, &used), CLQ_SCAN_BROKEN);
	len = 0;
	begin(1, 1, 1);
	add(CLQ_FCGI_STDOUT, 1, "x", 1, 0);
	cr_expect_eq(feed(&s, true, len, &used), CLQ_SCAN_BROKEN);
}

static void
room(struct clq_scan *s, const void *ctx)
{
	FILE *f = tmpfile();

	cr_assert_not_null(f);
	s->max_body = *(const size_t *)ctx;
	s->body_fd = dup(fileno(f));
	s->in_file = true;
	fclose(f);
}

/* All of wire, with room for a body in a file. */
static enum clq_scan_verdict
feed_file(struct clq_scan *s, const size_t *max, size_t step)
{
	enum clq_scan_verdict v = CLQ_SCAN_MORE;
	size_t k;

	clq_scan_start(s, false, MAX_PARAMS, MAX_BODY);
	s->room = room;
	s->room_ctx = max;
	for (size_t i = 0; i < len && v == CLQ_SCAN_MORE; i += k)
		v = clq_scan_feed(s, wire + i, len - i < step ? len - i : step,
		    &k);
	return v;
}

Test(scan, a_body_may_go_to_a_file)
{
	static char body[3 * MAX_BODY], got[sizeof body];
	const size_t enough = sizeof body, less = sizeof body - 1;
	struct clq_scan s;

	memset(body, 'b', sizeof body);
	begin(1, 1, 1);
	add(CLQ_FCGI_PARAMS, 1, params, PARAMS_LEN, 3);
	add(CLQ_FCGI_PARAMS, 1, NULL, 0, 0);
	add(CLQ_FCGI_STDIN, 1, body, sizeof body, 3);
	add(CLQ_FCGI_STDIN, 1, NULL, 0, 0);
	for (size_t step = 1; step < len; step += 100) {
		cr_expect_eq(feed_file(&s, &enough, step), CLQ_SCAN_DONE);
		cr_expect_eq(s.refused, 0);
		cr_expect_eq(s.nbody, sizeof body);
		cr_expect_eq(s.body.len, 0u);
		cr_expect_eq(pread(s.body_fd, got, sizeof got, 0),
		    (ssize_t)sizeof got);
		cr_expect_arr_eq(got, body, sizeof body);
		clq_scan_free(&s);
		cr_expect(!s.in_file);
	}
	cr_expect_eq(feed_file(&s, &less, 512), CLQ_SCAN_DONE);
	cr_expect_eq(s.refused, 113);
	clq_scan_free(&s);
}
