/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz driver for forms: the first line is a Content-Type, the rest a body.
 * Whatever they are, the parser ends, how the bytes are cut does not matter,
 * and what it hands on is bounded, clean UTF-8 and not longer than the body.
 */
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include "apps/attachment/multipart.h"

#include "fuzz.h"

/* All that the callbacks were told. */
struct told {
	struct clq_arena	*arena;
	struct clq_sha256	*sha;
	size_t			 n;
};

static void
name(struct told *t, struct clq_str s)
{
	check(s.len <= MULTIPART_MAX_NAME, "a long name");
	check(clq_utf8_valid(s), "a name that is not UTF-8");
	for (size_t i = 0; i < s.len; i++)
		check((unsigned char)s.p[i] >= ' ', "a control character");
	clq_sha256_add(t->sha, s.p != NULL ? s.p : "-", s.len + 1 -
	    (s.p != NULL));
}

static bool
on_part(void *ctx, const struct multipart_part *part)
{
	struct told *t = ctx;

	check(part->name.p != NULL, "no name");
	name(t, part->name);
	name(t, part->filename);
	name(t, part->type);
	return true;
}

static bool
on_data(void *ctx, const char *p, size_t n)
{
	struct told *t = ctx;

	t->n += n;
	clq_sha256_add(t->sha, p, n);
	return true;
}

static const struct multipart_ops ops = { on_part, on_data };

static enum clq_status
run(struct clq_arena *arena, struct clq_str boundary, struct clq_str body,
    size_t step, struct clq_str *hash)
{
	static struct multipart m;
	struct told t = { arena, clq_sha256_new(arena), 0 };
	enum clq_status rc = CLQ_OK;

	multipart_begin(&m, boundary, &ops, &t);
	for (size_t i = 0; i < body.len && rc == CLQ_OK; i += step)
		rc = multipart_feed(&m, body.p + i, body.len - i < step ?
		    body.len - i : step);
	if (rc == CLQ_OK)
		rc = multipart_finish(&m);
	check(rc == CLQ_OK || (rc == CLQ_INVALID && m.why != NULL),
	    "refused without a reason");
	check(t.n <= body.len, "more than there was");
	*hash = clq_sha256_end(t.sha, arena);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct clq_str all = { (const char *)data, len };
	size_t line = clq_str_find(all, '\n', 0);
	struct clq_str body = clq_str_sub(all, line + 1, len), boundary;
	struct clq_arena *arena = clq_arena_new();
	struct clq_str whole, cut;
	enum clq_status rc;

	if (multipart_boundary(clq_str_sub(all, 0, line), &boundary)) {
		rc = run(arena, boundary, body, body.len + 1, &whole);
		for (size_t step = 1; step < 4; step++) {
			check(run(arena, boundary, body, step, &cut) == rc,
			    "cut differently, judged differently");
			check(clq_str_eq(cut, whole),
			    "cut differently, read differently");
		}
	}
	clq_arena_free(&arena);
	return 0;
}

#ifndef CLQ_LIBFUZZER
int
main(int argc, char **argv)
{
	return fuzz_files(argc, argv);
}
#endif
