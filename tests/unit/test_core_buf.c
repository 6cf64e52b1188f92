/* SPDX-License-Identifier: Apache-2.0 */
/* Appending in all ways, the limit and its sticky failure, JSON strings. */
#include <cliquet/buf.h>

#include <criterion/criterion.h>

static struct clq_arena *arena;
static struct clq_buf b;

static void
setup(void)
{
	arena = clq_arena_new();
	clq_buf_init(&b, arena, 0);
}

static void
teardown(void)
{
	clq_arena_free(&arena);
}

TestSuite(buf, .init = setup, .fini = teardown);

Test(buf, starts_empty_but_not_absent)
{
	struct clq_str s = clq_buf_str(&b);

	cr_assert_not_null(s.p);
	cr_assert_eq(s.len, 0);
	cr_assert(clq_buf_ok(&b));
}

Test(buf, appends_in_all_ways)
{
	clq_buf_add(&b, CLQ_STR("ab"));
	clq_buf_add(&b, (struct clq_str){ NULL, 0 });
	clq_buf_addc(&b, '-');
	clq_buf_adds(&b, "cd");
	clq_buf_adds(&b, "");
	clq_buf_addint(&b, INT64_MIN);
	clq_buf_addint(&b, 42);
	clq_buf_printf(&b, "<%05d>", 7);
	clq_buf_printf(&b, "%s", "");
	cr_assert(clq_buf_ok(&b));
	cr_assert(clq_str_is(clq_buf_str(&b),
	    "ab-cd-922337203685477580842<00007>"));
}

Test(buf, grows_far)
{
	size_t i;

	for (i = 0; i < 300000; i++) {
		clq_buf_addc(&b, (char)('a' + i % 26));
		if (i % 1000 == 0)	/* so that it is not the last piece */
			clq_arena_alloc(arena, 16);
	}
	cr_assert_eq(clq_buf_str(&b).len, 300000);
	for (i = 0; i < 300000; i++)
		cr_assert_eq(b.p[i], (char)('a' + i % 26));
}

Test(buf, prints_more_than_it_has_room_for)
{
	clq_buf_init(&b, arena, 4);
	clq_buf_printf(&b, "%s", "abcd");
	clq_buf_printf(&b, "%1000d", 5);
	cr_assert_eq(b.len, 1004);
	cr_assert_eq(b.p[3], 'd');
	cr_assert_eq(b.p[4], ' ');
	cr_assert_eq(b.p[1003], '5');
}

Test(buf, limit_is_exact_and_sticky)
{
	b.limit = 5;
	clq_buf_adds(&b, "12345");
	cr_assert(clq_buf_ok(&b));
	clq_buf_adds(&b, "");
	cr_assert(clq_buf_ok(&b));
	clq_buf_addc(&b, '6');
	cr_assert_not(clq_buf_ok(&b));
	cr_assert(clq_str_is(clq_buf_str(&b), "12345"));
	b.len = 0;		/* there would be room again */
	clq_buf_adds(&b, "x");
	clq_buf_printf(&b, "%d", 1);
	cr_assert_not(clq_buf_ok(&b));
	cr_assert_eq(b.len, 0);
}

Test(buf, drops_whole_what_does_not_fit)
{
	b.limit = 4;
	clq_buf_adds(&b, "ab");
	clq_buf_printf(&b, "%s", "cde");
	cr_assert_not(clq_buf_ok(&b));
	cr_assert(clq_str_is(clq_buf_str(&b), "ab"));
}

Test(buf, escapes_json_strings)
{
	static const struct { struct clq_str in; const char *out; } cases[] = {
		{ { "", 0 }, "\"\"" },
		{ { NULL, 0 }, "\"\"" },
		{ { "plain", 5 }, "\"plain\"" },
		{ { "a\"b\\c/d", 7 }, "\"a\\\"b\\\\c/d\"" },
		{ { "\b\f\n\r\t", 5 }, "\"\\b\\f\\n\\r\\t\"" },
		{ { "\x01x\x1f\x7f", 4 }, "\"\\u0001x\\u001f\x7f\"" },
		{ { "\0", 1 }, "\"\\u0000\"" },
		{ { "\xc3\xa9\xf0\x9f\x98\x80", 6 },
		    "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		clq_buf_init(&b, arena, 0);
		clq_buf_json_str(&b, cases[i].in);
		cr_expect(clq_str_is(clq_buf_str(&b), cases[i].out),
		    "case %zu: %.*s", i, CLQ_FMT(clq_buf_str(&b)));
	}
}
