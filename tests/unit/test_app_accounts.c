/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of accounts: hashes as the Python server's bcrypt library made
 * them, what is no hash, how much of a password counts; names.
 */
#include "apps/accounts/accounts.h"

#include <criterion/criterion.h>

#include "arena_fixture.h"

TestSuite(password, .init = setup, .fini = teardown);

#define A72	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
		"aaaaaaaaaa"

static bool
verify(const char *password, const char *hash)
{
	return accounts_verify(arena, clq_str_of(password), clq_str_of(hash));
}

Test(password, of_the_python_server_verifies)
{
	static const char secret[] =
	    "$2b$04$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9eC";
	static const char utf8[] =
	    "$2b$05$NW8hChpJR1JQjcT6OPLgf.6LAd/swaj2dLHzhRvK3Q06Bx5uk.quC";

	cr_expect(verify("secret", secret));
	cr_expect(!verify("secre", secret));
	cr_expect(!verify("secrets", secret));
	cr_expect(!verify("Secret", secret));
	cr_expect(!verify("", secret));
	cr_expect(verify("p\xc3\xa4ssw\xc3\xb6rd", utf8));
	cr_expect(!verify("passwort", utf8));
}

/* Servers of old stored longer ones cut, so that is what logs in. */
Test(password, counts_up_to_72_bytes)
{
	static const char hash[] =
	    "$2b$04$NwYX7NdfRKslyEwUvTDpp.laa6/VV1TMnsh6MEWKwTxiYSofb/MAq";

	cr_expect(verify(A72, hash));
	cr_expect(verify(A72 "b", hash));
	cr_expect(!verify(&A72[1], hash));
}

Test(password, with_a_nul_is_nobodys)
{
	struct clq_str hash;

	cr_assert_eq(accounts_hash(arena, CLQ_STR("abc"), 4, &hash), CLQ_OK);
	cr_expect(accounts_verify(arena, CLQ_STR("abc"), hash));
	cr_expect(!accounts_verify(arena, CLQ_STR("abc\0d"), hash));
	cr_expect(!accounts_verify(arena, CLQ_STR("abc\0"), hash));
	cr_expect_eq(accounts_hash(arena, CLQ_STR("a\0c"), 4, &hash),
	    CLQ_FAILED);
}

Test(password, hashes_with_salt_and_cost)
{
	struct clq_str one, two;

	cr_assert_eq(accounts_hash(arena, CLQ_STR(A72), 5, &one), CLQ_OK);
	cr_assert_eq(accounts_hash(arena, CLQ_STR(A72), 5, &two), CLQ_OK);
	cr_expect(!clq_str_eq(one, two));
	cr_expect(clq_str_starts(one, "$2b$05$"));
	cr_expect_eq(one.len, 60);
	cr_expect(accounts_verify(arena, CLQ_STR(A72), one));
	cr_expect(accounts_verify(arena, CLQ_STR(A72), two));
	cr_expect_eq(accounts_hash(arena, CLQ_STR(A72 "a"), 5, &one),
	    CLQ_FAILED);
	cr_expect_eq(accounts_hash(arena, CLQ_STR("a"), 3, &one), CLQ_FAILED);
}

/* Neither text that is no hash, nor hashes of other kinds, nor one that would
 * keep a worker for hours. */
Test(password, wants_a_bcrypt_hash)
{
	static const char *const bad[] = {
		"", "secret", "*0", "$2b$04$",
		"$2b$04$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9e",
		"$2b$04$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9eCC",
		"$2b$31$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9eC",
		"$2b$-4$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9eC",
		"$2x$04$D4rxmF7TbuSvH7X8aAI.xeZV0yi5UZCoRy4EHbZ2KyZ8dPaA2y9eC",
		"$1$salt$qJH7.N4xYta3aEG/dfqo/0",
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++) {
		cr_expect(!verify("secret", bad[i]), "%s", bad[i]);
		cr_expect(!verify(bad[i], bad[i]), "%s", bad[i]);
	}
}

Test(account_name, is_letters_digits_and_some_more)
{
	static const char *const good[] = {
		"a", "Z", "0", "alice", "me+you@example.org", "a-b_c.d",
	};
	static const char *const bad[] = {
		"", "-a", "_a", "+a", ".a", "@a", "a b", "a:b", "a/b", "a*",
		"a\xc3\xa9", "\xc3\xa9", "a\n", "a%20",
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(good); i++)
		cr_expect(accounts_name_valid(clq_str_of(good[i])), "%s",
		    good[i]);
	for (i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect(!accounts_name_valid(clq_str_of(bad[i])), "%s",
		    bad[i]);
	cr_expect(!accounts_name_valid(CLQ_STR("a\0")));
}
