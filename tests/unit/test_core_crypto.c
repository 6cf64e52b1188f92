/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published test vectors (FIPS 180-2, RFC 4231, RFC 4648) and the protocol's
 * own for Basic Auth user ids; shape and spread of what is random.
 */
#include <cliquet/crypto.h>

#include <criterion/criterion.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_fixture.h"

TestSuite(crypto, .init = setup, .fini = teardown);

Test(crypto, hmac_matches_vectors)
{
	static const struct { struct clq_str key, text; const char *hex; }
	    cases[] = {
		{ { "b4c96a8692291d88fe5a97dd91846eb4", 32 },
		    { "mat:secr3t", 10 },
		    "9917721d56fd35ac8da6978b2a39b7753de1de55047897da6bd24d159"
		    "52a4190" },
		{ { "Jefe", 4 }, { "what do ya want for nothing?", 28 },
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b96"
		    "4ec3843" },
		{ { "", 0 }, { NULL, 0 },
		    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144"
		    "292c5ad" },
	};
	struct clq_str s;
	size_t i;

	/* each twice: what is kept for the last key must not tell */
	for (i = 0; i < 2 * CLQ_COUNT(cases); i++) {
		s = clq_hmac_hex(arena, cases[i / 2].key, cases[i / 2].text);
		cr_expect(clq_str_is(s, cases[i / 2].hex), "%.*s", CLQ_FMT(s));
	}
	for (i = 0; i < 2 * CLQ_COUNT(cases); i++) {
		size_t k = i % CLQ_COUNT(cases);

		s = clq_hmac_hex(arena, cases[k].key, cases[k].text);
		cr_expect(clq_str_is(s, cases[k].hex), "%.*s", CLQ_FMT(s));
	}
}

Test(crypto, hmac_takes_keys_longer_than_a_block)
{
	char key[131];
	struct clq_str s;

	memset(key, 0xaa, sizeof key);
	s = clq_hmac_hex(arena, (struct clq_str){ key, sizeof key },
	    CLQ_STR("Test Using Larger Than Block-Size Key - Hash Key First"));
	cr_assert(clq_str_is(s, "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54"));
}

Test(crypto, sha256_matches_vectors)
{
	cr_expect(clq_str_is(clq_sha256_hex(arena, CLQ_STR("abc")),
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad"));
	cr_expect(clq_str_is(clq_sha256_hex(arena, CLQ_STR("")),
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855"));
}

static const struct { struct clq_str raw; const char *code; } base64[] = {
	{ { "", 0 }, "" },
	{ { "f", 1 }, "Zg==" },
	{ { "fo", 2 }, "Zm8=" },
	{ { "foo", 3 }, "Zm9v" },
	{ { "foob", 4 }, "Zm9vYg==" },
	{ { "fooba", 5 }, "Zm9vYmE=" },
	{ { "foobar", 6 }, "Zm9vYmFy" },
	{ { "\0\xff\xfe", 3 }, "AP/+" },
};

Test(crypto, base64_encodes)
{
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(base64); i++) {
		s = clq_base64_encode(arena, base64[i].raw);
		cr_expect(clq_str_is(s, base64[i].code), "%zu: %.*s", i,
		    CLQ_FMT(s));
	}
}

Test(crypto, hex_becomes_base64)
{
	cr_expect(clq_str_is(clq_hex_base64(arena, CLQ_STR("00fffe")),
	    "AP/+"));
	cr_expect(clq_str_is(clq_hex_base64(arena, clq_sha256_hex(arena,
	    CLQ_STR("abc"))),
	    "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="));
	cr_expect(clq_str_is(clq_hex_base64(arena, CLQ_STR("")), ""));
}

Test(crypto, base64_decodes_with_and_without_padding)
{
	struct clq_str s, code;
	size_t i;

	for (i = 0; i < CLQ_COUNT(base64); i++) {
		code = clq_str_of(base64[i].code);
		s.p = NULL;
		cr_expect_eq(clq_base64_decode(arena, code, &s), CLQ_OK);
		cr_expect(clq_str_eq(s, base64[i].raw), "%zu", i);
		cr_expect_not_null(s.p);
		while (code.len > 0 && code.p[code.len - 1] == '=')
			code.len--;
		cr_expect_eq(clq_base64_decode(arena, code, &s), CLQ_OK);
		cr_expect(clq_str_eq(s, base64[i].raw), "%zu", i);
	}
}

Test(crypto, base64_refuses_anything_else)
{
	static const char *const bad[] = {
		"=", "==", "====", "Zg=", "Zg===", "Z", "Zm9vY", "Zm 9v",
		"Zm9v\n", "Zm9v-_-_", "=Zg=", "Zg==Zg==", "Zm9\xc3\xa9",
		"Zm9v=",
		"Zh==",		/* bits beyond the last byte */
	};
	struct clq_str s;
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_eq(clq_base64_decode(arena, clq_str_of(bad[i]), &s),
		    CLQ_INVALID, "%s", bad[i]);
	cr_expect_eq(clq_base64_decode(arena, CLQ_STR("Zg\0="), &s),
	    CLQ_INVALID);
}

Test(crypto, random_hex_has_the_asked_length)
{
	struct clq_str a = clq_random_hex(arena, 16), b;
	size_t i;

	b = clq_random_hex(arena, 16);
	cr_assert_eq(a.len, 32);
	cr_assert_not(clq_str_eq(a, b));
	for (i = 0; i < a.len; i++)
		cr_assert_not_null(strchr("0123456789abcdef", a.p[i]));
	cr_assert_eq(clq_random_hex(arena, 0).len, 0);
}

Test(crypto, random_text_uses_the_whole_set_and_nothing_else)
{
	struct clq_str s = clq_random_text(arena, 2000, "abc", 3);
	size_t counts[3] = { 0, 0, 0 }, i;

	cr_assert_eq(s.len, 2000);
	for (i = 0; i < s.len; i++) {
		cr_assert(s.p[i] >= 'a' && s.p[i] <= 'c');
		counts[s.p[i] - 'a']++;
	}
	for (i = 0; i < 3; i++)		/* expected 667, deviation 21 */
		cr_assert(counts[i] > 450 && counts[i] < 900);
}

Test(crypto, random_below_stays_below)
{
	uint32_t i, v, seen = 0;

	for (i = 0; i < 500; i++) {
		v = clq_random_below(7);
		cr_assert_lt(v, 7);
		seen |= 1u << v;
	}
	cr_assert_eq(seen, 0x7f);
	cr_assert_eq(clq_random_below(1), 0);
	cr_assert_eq(clq_random_below(0), 0);
}

Test(crypto, uuid_is_version_4)
{
	struct clq_str u;
	size_t i, k;

	for (i = 0; i < 50; i++) {
		u = clq_uuid4(arena);
		cr_assert_eq(u.len, 36);
		for (k = 0; k < u.len; k++)
			cr_assert_not_null(strchr(k == 8 || k == 13 ||
			    k == 18 || k == 23 ? "-" : k == 14 ? "4" :
			    k == 19 ? "89ab" : "0123456789abcdef", u.p[k]),
			    "%.*s", CLQ_FMT(u));
		cr_assert_not(clq_str_eq(u, clq_uuid4(arena)));
	}
}

Test(crypto, compares_secrets)
{
	struct clq_str none = { NULL, 0 };

	cr_expect(clq_equal_secret(CLQ_STR("abc"), CLQ_STR("abc")));
	cr_expect_not(clq_equal_secret(CLQ_STR("abc"), CLQ_STR("abd")));
	cr_expect_not(clq_equal_secret(CLQ_STR("bbc"), CLQ_STR("abc")));
	cr_expect_not(clq_equal_secret(CLQ_STR("abc"), CLQ_STR("ab")));
	cr_expect_not(clq_equal_secret(CLQ_STR("a\0b"), CLQ_STR("a\0c")));
	cr_expect(clq_equal_secret(none, CLQ_STR("")));
}

Test(crypto, a_child_draws_something_else)
{
	struct clq_str mine;
	char theirs[33] = "";
	int ends[2];
	pid_t pid;

	(void)clq_random_hex(arena, 16);	/* there is a pool to inherit */
	cr_assert_eq(pipe(ends), 0);
	pid = fork();
	mine = clq_random_hex(arena, 16);
	if (pid == 0)
		_exit(write(ends[1], mine.p, 32) == 32 ? 0 : 1);
	cr_assert_eq(read(ends[0], theirs, 32), 32);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_neq(memcmp(mine.p, theirs, 32), 0);
}
