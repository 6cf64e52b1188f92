/* SPDX-License-Identifier: Apache-2.0 */
/* Slices: every function at its edges (empty, absent, NUL and high bytes). */
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>

#include "arena_fixture.h"

static const struct clq_str absent = { NULL, 0 };

TestSuite(str, .init = setup, .fini = teardown);
TestSuite(strs, .init = setup, .fini = teardown);
TestSuite(url, .init = setup, .fini = teardown);

Test(str, starts_and_ends)
{
	struct clq_str s = CLQ_STR("bucket:write");

	cr_expect(clq_str_starts(s, "bucket"));
	cr_expect(clq_str_starts(s, ""));
	cr_expect(clq_str_starts(s, "bucket:write"));
	cr_expect_not(clq_str_starts(s, "bucket:write2"));
	cr_expect_not(clq_str_starts(s, "ucket"));
	cr_expect(clq_str_ends(s, "write"));
	cr_expect(clq_str_ends(s, ""));
	cr_expect_not(clq_str_ends(s, "writ"));
	cr_expect_not(clq_str_ends(s, "abucket:write"));
	cr_expect(clq_str_starts(absent, ""));
	cr_expect(clq_str_ends(absent, ""));
	cr_expect_not(clq_str_starts(absent, "a"));
}

Test(str, ignores_ascii_case_only)
{
	cr_expect(clq_str_caseis(CLQ_STR("Content-TYPE"), "content-type"));
	cr_expect_not(clq_str_caseis(CLQ_STR("Content-Typ"), "content-type"));
	cr_expect(clq_str_caseeq(CLQ_STR("AZ[@"), CLQ_STR("az[@")));
	/* '@' and '`', '[' and '{' differ by the case bit too */
	cr_expect_not(clq_str_caseeq(CLQ_STR("@["), CLQ_STR("`{")));
	cr_expect_not(clq_str_caseeq(CLQ_STR("\xc3\x89"),
	    CLQ_STR("\xc3\xa9")));
	cr_expect(clq_str_caseeq(absent, CLQ_STR("")));
}

Test(str, lowers_letters_beyond_ascii)
{
	static const struct {
		const char	*text, *lower;
	} cases[] = {
		{ "", "" }, { "aBC-1_", "abc-1_" },
		{ "\xc3\x89T\xc3\x89", "\xc3\xa9t\xc3\xa9" },
		{ "\xd0\x96", "\xd0\xb6" },
		{ "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8" },
		{ "\xe2\x82\xac \xe1\xba\x9e", "\xe2\x82\xac \xc3\x9f" },
		/* what is no UTF-8 stays */
		{ "A\xff\x80\xc3", "a\xff\x80\xc3" },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect(clq_str_is(clq_str_lower(arena,
		    clq_str_of(cases[i].text)), cases[i].lower), "%s",
		    cases[i].text);
}

Test(str, finds)
{
	struct clq_str s = CLQ_STR("a.b.c");

	cr_expect_eq(clq_str_find(s, '.', 0), 1);
	cr_expect_eq(clq_str_find(s, '.', 1), 1);
	cr_expect_eq(clq_str_find(s, '.', 2), 3);
	cr_expect_eq(clq_str_find(s, '.', 4), 5);
	cr_expect_eq(clq_str_find(s, '.', 99), 5);
	cr_expect_eq(clq_str_find(absent, '.', 0), 0);
	cr_expect_eq(clq_str_search(s, CLQ_STR("b.c")), 2);
	cr_expect_eq(clq_str_search(s, CLQ_STR("b.d")), 5);
	cr_expect_eq(clq_str_search(s, CLQ_STR("")), 0);
	cr_expect_eq(clq_str_search(s, CLQ_STR("a.b.c.")), 5);
	cr_expect_eq(clq_str_search(absent, CLQ_STR("a")), 0);
	cr_expect_eq(clq_str_search(CLQ_STR("a\0b"), CLQ_STR("\0b")), 1);
}

Test(str, clamps_sub)
{
	struct clq_str s = CLQ_STR("abcdef");

	cr_expect(clq_str_is(clq_str_sub(s, 1, 3), "bc"));
	cr_expect(clq_str_is(clq_str_sub(s, 4, 99), "ef"));
	cr_expect(clq_str_is(clq_str_sub(s, 0, 6), "abcdef"));
	cr_expect_eq(clq_str_sub(s, 99, 100).len, 0);
	cr_expect_eq(clq_str_sub(s, 4, 2).len, 0);
	cr_expect_eq(clq_str_sub(absent, 1, 2).len, 0);
}

Test(str, trims)
{
	cr_expect(clq_str_is(clq_str_trim(CLQ_STR(" \t\r\na b\n ")), "a b"));
	cr_expect(clq_str_is(clq_str_trim(CLQ_STR("ab")), "ab"));
	cr_expect_eq(clq_str_trim(CLQ_STR(" \n ")).len, 0);
	cr_expect_eq(clq_str_trim(CLQ_STR("\v")).len, 1);
	cr_expect_eq(clq_str_trim(absent).len, 0);
}

Test(str, splits)
{
	static const struct { const char *in; const char *out; } cases[] = {
		{ "a,,b", "[a][][b]" }, { "a", "[a]" }, { "", "" },
		{ ",a", "[][a]" }, { "a,", "[a]" }, { ",", "[]" },
		{ "a,b,", "[a][b]" }, { "ab,,", "[ab][]" },
	};
	struct clq_str rest, item;
	char out[64];
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		out[0] = '\0';
		rest = clq_str_of(cases[i].in);
		while (clq_str_next(&rest, ',', &item))
			sprintf(out + strlen(out), "[%.*s]", CLQ_FMT(item));
		cr_expect_str_eq(out, cases[i].out);
		cr_expect_not(clq_str_next(&rest, ',', &item));
	}
	rest = absent;
	cr_expect_not(clq_str_next(&rest, ',', &item));
}

Test(str, splits_words)
{
	struct clq_str rest = CLQ_STR(" \t one\n two\r\n"), item;

	cr_assert(clq_str_next_word(&rest, &item));
	cr_expect(clq_str_is(item, "one"));
	cr_assert(clq_str_next_word(&rest, &item));
	cr_expect(clq_str_is(item, "two"));
	cr_expect_not(clq_str_next_word(&rest, &item));
	cr_expect(clq_str_is(item, "two"));
	cr_expect_not(clq_str_next_word(&rest, &item));
	rest = absent;
	cr_expect_not(clq_str_next_word(&rest, &item));
}

Test(str, orders_bytewise)
{
	cr_expect_eq(clq_str_cmp(CLQ_STR("a"), CLQ_STR("a")), 0);
	cr_expect_lt(clq_str_cmp(CLQ_STR("a"), CLQ_STR("b")), 0);
	cr_expect_lt(clq_str_cmp(CLQ_STR("a"), CLQ_STR("ab")), 0);
	cr_expect_gt(clq_str_cmp(CLQ_STR("b"), CLQ_STR("ab")), 0);
	cr_expect_gt(clq_str_cmp(CLQ_STR("\xff"), CLQ_STR("a")), 0);
	cr_expect_lt(clq_str_cmp(absent, CLQ_STR("a")), 0);
	cr_expect_eq(clq_str_cmp(absent, CLQ_STR("")), 0);
}

Test(str, reads_integers)
{
	static const struct { const char *text; int64_t v; } good[] = {
		{ "0", 0 }, { "-0", 0 }, { "+7", 7 }, { "0012", 12 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = {
		"", "+", "-", "--1", "1 ", " 1", "1.0", "1e3", "0x1", "a",
		"9223372036854775808", "-9223372036854775809",
		"99999999999999999999999",
	};
	int64_t v;
	size_t i;

	for (i = 0; i < CLQ_COUNT(good); i++) {
		cr_expect(clq_str_int(clq_str_of(good[i].text), &v));
		cr_expect_eq(v, good[i].v, "%s", good[i].text);
	}
	v = 5;
	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not(clq_str_int(clq_str_of(bad[i]), &v), "%s",
		    bad[i]);
	cr_expect_not(clq_str_int(absent, &v));
	cr_expect_not(clq_str_int(CLQ_STR("1\0"), &v));
	cr_expect_eq(v, 5);
}

Test(str, globs)
{
	static const struct { const char *s, *pattern; bool match; }
	    cases[] = {
		{ "", "", true }, { "", "*", true }, { "", "?", false },
		{ "a", "", false }, { "abc", "abc", true },
		{ "abc", "a?c", true }, { "abc", "a*", true },
		{ "abc", "*c", true }, { "abc", "*b*", true },
		{ "abc", "*d*", false }, { "abc", "a**c", true },
		{ "abc", "abcd", false }, { "abcabd", "*abd", true },
		{ "https://a.example.com", "https://*.example.com", true },
		{ "https://example.com", "https://*.example.com", false },
		{ "a.c", "a[.]c", false }, { "[", "[", true },
		{ "aXbXc", "a*X?", true },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_eq(clq_str_glob(clq_str_of(cases[i].s),
		    clq_str_of(cases[i].pattern)), cases[i].match, "%s %s",
		    cases[i].s, cases[i].pattern);
	cr_expect(clq_str_glob(absent, absent));
}

Test(strs, grows_and_finds)
{
	struct clq_strs list = { 0 };
	struct clq_str s;
	int i;

	cr_assert_not(clq_strs_has(list, CLQ_STR("0")));
	for (i = 0; i < 1000; i++) {
		s = clq_arena_printf(arena, "%d", i);
		clq_strs_add(arena, &list, s);
	}
	cr_assert_eq(list.n, 1000);
	cr_assert(clq_str_is(list.items[0], "0"));
	cr_assert(clq_str_is(list.items[999], "999"));
	cr_assert(clq_strs_has(list, CLQ_STR("500")));
	cr_assert_not(clq_strs_has(list, CLQ_STR("1000")));
	/* n doublings, not n copies of the array */
	cr_assert_lt(clq_arena_used(arena), 100000);
}

Test(strs, leaves_a_foreign_array_alone)
{
	struct clq_str array[3] = {
		CLQ_STR("a"), CLQ_STR("b"), CLQ_STR("untouched")
	};
	struct clq_strs list = { .items = array, .n = 2 };

	clq_strs_add(arena, &list, CLQ_STR("c"));
	cr_assert_eq(list.n, 3);
	cr_assert(clq_str_is(list.items[1], "b"));
	cr_assert(clq_str_is(list.items[2], "c"));
	cr_assert(clq_str_is(array[2], "untouched"));
}

Test(utf8, accepts_well_formed)
{
	static const char *const good[] = {
		"", "plain text of more than eight bytes", "\x7f",
		"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "eight by\xc3\xa9tes and some more",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(good); i++)
		cr_expect(clq_utf8_valid(clq_str_of(good[i])), "%zu", i);
	cr_expect(clq_utf8_valid(CLQ_STR("a\0b")));
	cr_expect(clq_utf8_valid(absent));
}

Test(utf8, refuses_malformed)
{
	static const char *const bad[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
		"\xe0\x9f\xbf", "\xe2\x82", "\xe2\x82\x41", "\xed\xa0\x80",
		"\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe",
		"eight by\x80tes", "ends after the ninth \xe2\x82",
		"\xc2\xc2", "\xf0\x9f\x98\xc2",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not(clq_utf8_valid(clq_str_of(bad[i])), "%zu", i);
	/* the sequence must not be completed from beyond the slice */
	cr_expect_not(clq_utf8_valid((struct clq_str){ "\xc3\xa9", 1 }));
}

Test(url, decodes)
{
	static const struct { const char *in; bool plus; const char *out; }
	    cases[] = {
		{ "", false, "" }, { "a%20b", false, "a b" },
		{ "a+b", false, "a+b" }, { "a+b", true, "a b" },
		{ "%2B", true, "+" }, { "%c3%A9", false, "\xc3\xa9" },
		{ "%", false, "%" }, { "%4", false, "%4" },
		{ "%4g", false, "%4g" }, { "%g4", false, "%g4" },
		{ "%%41", false, "%A" }, { "100%", false, "100%" },
		{ "%2541", false, "%41" },
	};
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		s = clq_url_decode(arena, clq_str_of(cases[i].in),
		    cases[i].plus);
		cr_expect(clq_str_is(s, cases[i].out), "%s: %.*s",
		    cases[i].in, CLQ_FMT(s));
		cr_expect_not_null(s.p);
	}
	s = clq_url_decode(arena, CLQ_STR("a%00b"), false);
	cr_expect(clq_str_eq(s, CLQ_STR("a\0b")));
	cr_expect_null(clq_url_decode(arena, absent, true).p);
}

Test(url, encodes)
{
	static const struct {
		struct clq_str	 in;
		const char	*keep;
		bool		 plus;
		const char	*out;
	} cases[] = {
		{ { "", 0 }, NULL, false, "" },
		{ { "azAZ09-._~", 10 }, NULL, false, "azAZ09-._~" },
		{ { "a b+c", 5 }, NULL, false, "a%20b%2Bc" },
		{ { "a b+c", 5 }, NULL, true, "a+b%2Bc" },
		{ { "/a b?", 5 }, "/", false, "/a%20b%3F" },
		{ { "\xc3\xa9", 2 }, "", false, "%C3%A9" },
		{ { "a\0b", 3 }, "/", false, "a%00b" },
		{ { "1,2=", 4 }, NULL, true, "1%2C2%3D" },
	};
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		s = clq_url_encode(arena, cases[i].in, cases[i].keep,
		    cases[i].plus);
		cr_expect(clq_str_is(s, cases[i].out), "%zu: %.*s", i,
		    CLQ_FMT(s));
	}
	cr_expect_null(clq_url_encode(arena, absent, NULL, true).p);
}

Test(url, round_trips_every_byte)
{
	char all[256];
	struct clq_str s = { all, sizeof all }, back;
	int i;

	for (i = 0; i < 256; i++)
		all[i] = (char)i;
	back = clq_url_decode(arena, clq_url_encode(arena, s, NULL, true),
	    true);
	cr_assert(clq_str_eq(s, back));
	back = clq_url_decode(arena, clq_url_encode(arena, s, NULL, false),
	    false);
	cr_assert(clq_str_eq(s, back));
}
