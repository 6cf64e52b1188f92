/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz driver for FastCGI records and parameters: no bytes may crash or hang
 * the scanner; how they are cut must not matter; and what it lets through
 * libfcgi must take, with the same body.
 */
#include "fcgi/fcgi_request.h"
#include "fcgi/scan.h"

#include "core/log_conf.h"

#include "fuzz.h"

enum { MAX_PARAMS = 8192, MAX_BODY = 8192 };

static void
wrong(const char *what)
{
	fprintf(stderr, "fuzz_fcgi: %s\n", what);
	abort();
}

static enum clq_scan_verdict
feed(struct clq_scan *s, bool dry, const uint8_t *data, size_t len,
    size_t step, size_t *used)
{
	enum clq_scan_verdict v = CLQ_SCAN_MORE;
	size_t n, k;

	clq_scan_start(s, dry, MAX_PARAMS, MAX_BODY);
	*used = 0;
	while (v == CLQ_SCAN_MORE && *used < len) {
		n = len - *used < step ? len - *used : step;
		v = clq_scan_feed(s, data + *used, n, &k);
		if (k > n || (k < n && v == CLQ_SCAN_MORE))
			wrong("bytes taken");
		*used += k;
	}
	return v;
}

static bool
same(const struct clq_bytes *a, const struct clq_bytes *b)
{
	return a->len == b->len &&
	    (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void
through_libfcgi(const struct clq_feed *feed, const struct clq_bytes *body,
    size_t nbody)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_incoming in;

	if (clq_incoming_read(NULL, arena, feed, nbody, NULL, &in) != CLQ_OK)
		wrong("libfcgi refused what the scanner let through");
	if (in.req->body.len != nbody || (body != NULL && nbody > 0 &&
	    memcmp(in.req->body.p, body->p, nbody) != 0))
		wrong("another body");
	clq_arena_free(&arena);
}

static void
as_it_came(const uint8_t *data, size_t len, size_t nbody)
{
	struct iovec one = { (void *)(uintptr_t)data, len };
	struct clq_feed feed = { &one, 1 };

	through_libfcgi(&feed, NULL, nbody);
}

static void
collected(const struct clq_scan *s)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_feed feed = clq_feed_of_scan(arena, s);

	through_libfcgi(&feed, &s->body, s->body.len);
	clq_arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct clq_scan dry, whole, bytes;
	enum clq_scan_verdict a, b, c;
	size_t ua, ub, uc;

	a = feed(&dry, true, data, len, len + 1, &ua);
	b = feed(&whole, false, data, len, len + 1, &ub);
	c = feed(&bytes, false, data, len, 1, &uc);
	if (b != c || ub != uc || whole.refused != bytes.refused ||
	    !same(&whole.reply, &bytes.reply))
		wrong("cut differently, read differently");
	/* of what is refused anyway, more or less may have been kept */
	if ((whole.refused == 0 && !same(&whole.body, &bytes.body)) ||
	    (whole.refused != 107 && !same(&whole.params, &bytes.params)))
		wrong("cut differently, kept differently");
	if (whole.params.len > MAX_PARAMS || whole.body.len > MAX_BODY)
		wrong("a limit passed");
	if (a == CLQ_SCAN_DONE && dry.plain && dry.refused == 0) {
		if (b != CLQ_SCAN_DONE || whole.body.len != dry.nbody)
			wrong("the dry scan saw something else");
		if (ua == len)
			as_it_came(data, len, dry.nbody);
	}
	if (b == CLQ_SCAN_DONE && whole.refused == 0)
		collected(&whole);
	if (b == CLQ_SCAN_DONE && whole.refused != 0) {
		struct clq_arena *arena = clq_arena_new();
		struct clq_incoming in;

		clq_incoming_refuse(NULL, arena, &whole, &in);
		clq_arena_free(&arena);
	}
	clq_scan_free(&whole);
	clq_scan_free(&bytes);
	return 0;
}

#ifdef CLQ_LIBFUZZER
int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return clq_feed_init() == CLQ_OK ? 0 : 1;
}
#else
int
main(int argc, char **argv)
{
	if (clq_feed_init() != CLQ_OK)
		return EXIT_FAILURE;
	return fuzz_files(argc, argv);
}
#endif
