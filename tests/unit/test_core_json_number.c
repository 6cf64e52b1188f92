/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers through the JSON wrapper: what is refused, what comes back and how,
 * as text, as a double and as an integer.
 */
#include <cliquet/json.h>

#include <criterion/criterion.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_fixture.h"

TestSuite(number, .init = setup, .fini = teardown);

Test(number, comes_back_exactly)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "0", "0" }, { "-0", "0" }, { "-0.0", "0.0" }, { "1", "1" },
		{ "-1", "-1" }, { "1.0", "1.0" }, { "1.50", "1.50" },
		{ "0.1", "0.1" }, { "-0.25", "-0.25" }, { "-0.5", "-0.5" },
		{ "0.30000000000000004", "0.30000000000000004" },
		{ "0.1000000000000000055", "0.1000000000000000055" },
		{ "1e5", "100000" }, { "1E+5", "100000" }, { "1e0", "1" },
		{ "1.5e3", "1500" }, { "1.50e1", "15.0" },
		{ "1e-7", "0.0000001" }, { "12.5e-3", "0.0125" },
		{ "-12345e-2", "-123.45" }, { "100e-2", "1.00" },
		{ "0e5", "0" }, { "0e-5", "0.00000" }, { "0.00e1", "0.0" },
		{ "0e999999999999999999999", "0" },
		{ "0.001e3", "1" }, { "0.0010e3", "1.0" },
		{ "9007199254740991", "9007199254740991" },
		{ "9007199254740992", "9007199254740992" },
		{ "9007199254740993", "9007199254740993" },
		{ "-9007199254740993", "-9007199254740993" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "9223372036854775808", "9223372036854775808" },
		{ "18446744073709551617", "18446744073709551617" },
		{ "123456789012345", "123456789012345" },
		{ "1234567890123456", "1234567890123456" },
		{ "1e22", "10000000000000000000000" },
		{ "1e23", "100000000000000000000000" },
		{ "3.141592653589793238462643383279502884197",
		    "3.141592653589793238462643383279502884197" },
		{ "5e-324", NULL }, { "2.2250738585072014e-308", NULL },
		{ "1.7976931348623157e308", NULL }, { "1e-400", NULL },
	};
	const char *once;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		once = print(parse(cases[i].in));
		if (cases[i].out != NULL)
			cr_expect_str_eq(once, cases[i].out);
		cr_expect_null(strpbrk(once, "eE"), "%s", once);
		cr_expect_str_eq(print(parse(once)), once);
		cr_expect_eq(parse(cases[i].in)->valuedouble,
		    strtod(cases[i].in, NULL), "%s", cases[i].in);
		cr_expect_eq(parse(once)->valuedouble,
		    strtod(cases[i].in, NULL), "%s", cases[i].in);
	}
}

/* The parser behind cuts numbers at 63 characters. */
Test(number, may_be_long)
{
	static const size_t lens[] = {
		15, 16, 59, 60, 61, 62, 63, 64, 65, 100, 300
	};
	struct clq_str s;
	cJSON *tree;
	size_t i;

	for (i = 0; i < CLQ_COUNT(lens); i++) {
		s = repeat("[1e5,", "7", lens[i], ",2.50,{\"a\":0.");
		s = repeat(clq_arena_cstr(arena, s), "3", lens[i], "}]");
		tree = parse_str(s);
		cr_assert_not_null(tree, "%zu: %.*s", lens[i], CLQ_FMT(why));
		cr_expect_eq(tree->child->valuedouble, 1e5);
		cr_expect_float_eq(tree->child->next->valuedouble /
		    pow(10, (double)lens[i]), 7.0 / 9, 1e-12);
		cr_expect_str_eq(print(tree) + 8, s.p + 5);
	}
	s = repeat("1e", "0", 100, "5");
	tree = parse_str(s);
	cr_assert_not_null(tree);
	cr_expect_str_eq(print(tree), "100000");
}

Test(number, refuses_what_is_none)
{
	static const char *const bad[] = {
		"01", "-01", "00", "+1", ".5", "1.", "-", "-.5", "1.e5",
		"1e", "1e+", "1e-", "1.5.5", "1e5.5", "0x10", "1_000", "--1",
		"1e5e5", "- 1", "1,5",
		"1e309", "-1e309", "1.8e308", "1e999999999999999999",
		"1e-1100", "1e-99999999999999999999", "0e-2000",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_null(parse_str(clq_str_of(bad[i])), "%s", bad[i]);
	cr_expect_null(parse_str(repeat("1", "0", 309, "")));
	cr_expect_not_null(parse_str(repeat("1", "0", 308, "")));
	cr_expect_null(parse_str(repeat("0.", "1", 1099, "")));
	cr_expect_not_null(parse_str(repeat("0.", "1", 1098, "")));
	cr_expect_null(parse_str(repeat("", "1", 1000000, "")));
}

Test(number, exponents_cannot_blow_up_memory)
{
	struct clq_str s = repeat("[", "1e-1000,", 100000, "1]");

	cr_assert_null(parse_str(s));
	cr_assert_lt(clq_arena_used(arena), 64u << 20);
	cr_assert_not_null(parse_str(repeat("[", "1e-1000,", 900, "1]")));
}

static void
expect_print(double d, const char *text)
{
	cJSON *item = clq_json_own(arena, cJSON_CreateNumber(d));
	const char *got = print(item);

	if (text != NULL)
		cr_expect_str_eq(got, text);
	if (isfinite(d))
		cr_expect_eq(strtod(got, NULL), d, "%s", got);
}

Test(number, prints_the_shortest_text_of_a_double)
{
	static const double more[] = {
		1e-5, 1.0 / 3, 2.0 / 3, 1e300, DBL_MAX, DBL_MIN,
		5e-324, 4503599627370497.5, 1e15 + 0.3, 123456.789e-20,
	};
	size_t i;

	expect_print(0.1, "0.1");
	expect_print(0.1 + 0.2, "0.30000000000000004");
	expect_print(-0.0, "0");
	expect_print(5e-7, "0.0000005");
	expect_print(-1234.5, "-1234.5");
	expect_print(9007199254740991.0, "9007199254740991");
	expect_print(9007199254740992.0, "9007199254740992");
	expect_print(1e21, "1000000000000000000000");
	expect_print(NAN, "null");
	expect_print(INFINITY, "null");
	for (i = 0; i < CLQ_COUNT(more); i++) {
		expect_print(more[i], NULL);
		expect_print(-more[i], NULL);
	}
}

Test(number, survives_copying)
{
	cJSON *tree = parse("{\"a\":[9007199254740993,1.50]}"), *copy;

	copy = clq_json_dup(arena, tree);
	clq_json_remove(tree, "a");
	cr_assert_str_eq(print(copy), "{\"a\":[9007199254740993,1.50]}");
	cr_assert_str_eq(print(tree), "{}");
	cr_assert_null(clq_json_dup(arena, NULL));
}

Test(number, reads_integers)
{
	static const struct { const char *text; int64_t v; } good[] = {
		{ "0", 0 }, { "-0", 0 }, { "1.0", 1 }, { "1e3", 1000 },
		{ "-7.000", -7 }, { "9007199254740993", 9007199254740993 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
		{ "9223372036854775807.0", INT64_MAX },
		{ "1152921504606846976", 1152921504606846976 },
		{ "1e18", 1000000000000000000 },
	};
	static const char *const bad[] = {
		"1.5", "9223372036854775808", "-9223372036854775809", "1e19",
		"1e-1", "\"1\"", "true", "null", "[]", "{}", "1e-400",
		"9007199254740993.5",
	};
	int64_t v;
	size_t i;

	for (i = 0; i < CLQ_COUNT(good); i++) {
		v = 77;
		cr_expect(clq_json_int(parse(good[i].text), &v), "%s",
		    good[i].text);
		cr_expect_eq(v, good[i].v, "%s", good[i].text);
	}
	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not(clq_json_int(parse(bad[i]), &v), "%s", bad[i]);
	cr_expect_not(clq_json_int(NULL, &v));
}

Test(number, new_integers_are_exact)
{
	static const int64_t values[] = {
		0, -1, 1795454839427, INT64_MAX, INT64_MIN, INT64_MIN + 1,
		9007199254740992, 9007199254740993, -9007199254740993,
		1152921504606846976,
	};
	char text[32];
	cJSON *item;
	int64_t v;
	size_t i;

	for (i = 0; i < CLQ_COUNT(values); i++) {
		item = clq_json_own(arena, clq_json_new_int(values[i]));
		snprintf(text, sizeof text, "%lld", (long long)values[i]);
		cr_expect_str_eq(print(item), text);
		cr_expect(clq_json_int(item, &v));
		cr_expect_eq(v, values[i]);
		cr_expect(clq_json_equal(item, parse(text)));
	}
}

Test(number, ignores_the_locale)
{
	static const char *const names[] = {
		"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"
	};
	static const char text[] =
	    "[1.5,0.1,1.50,9007199254740993.25,0.0000001]";
	size_t i;

	for (i = 0; i < CLQ_COUNT(names); i++)
		if (setlocale(LC_ALL, names[i]) != NULL)
			break;
	if (i == CLQ_COUNT(names))
		cr_skip("no locale with a decimal comma is installed");
	cr_assert_str_eq(localeconv()->decimal_point, ",");
	cr_expect_eq(parse(text)->child->valuedouble, 3.0 / 2);
	cr_expect_str_eq(print(parse(text)), text);
}
