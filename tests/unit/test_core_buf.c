/* SPDX-License-Identifier: Apache-2.0 */
/* Appending in all ways, the limit and its sticky failure, JSON strings. */
#include <cliquet/buf.h>

#include <criterion/criterion.h>

#include <stdio.h>

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

/* Bytes are looked at eight at a time: every byte at every place. */
Test(buf, escapes_wherever_it_is)
{
	char text[19];
	struct clq_str s;

	for (int c = 1; c < 256; c++) {
		for (size_t at = 0; at < sizeof text; at++) {
			memset(text, c == 'x' ? 'y' : 'x', sizeof text);
			text[at] = (char)c;
			clq_buf_init(&b, arena, 0);
			clq_buf_json_str(&b, (struct clq_str){ text,
			    sizeof text });
			s = clq_buf_str(&b);
			if (c < 0x20 || c == '"' || c == '\\')
				cr_assert(s.p[at + 1] == '\\' &&
				    s.len > sizeof text + 2, "%d %zu", c, at);
			else
				cr_assert(s.len == sizeof text + 2 &&
				    s.p[at + 1] == (char)c, "%d %zu", c, at);
		}
		clq_arena_reset(arena);
	}
}

Test(buf, writes_integers)
{
	static const int64_t all[] = { 0, 9, 10, 99, 100, 101, 999, 1000, -1,
		-10, -100, 1600000000123, 909090909090909090,
		INT64_MAX, INT64_MIN };
	char want[32];

	for (size_t i = 0; i < CLQ_COUNT(all); i++) {
		clq_buf_init(&b, arena, 0);
		clq_buf_addint(&b, all[i]);
		snprintf(want, sizeof want, "%lld", (long long)all[i]);
		cr_expect(clq_str_is(clq_buf_str(&b), want), "%s", want);
	}
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
