/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords, by the bcrypt of libcrypt: the hashes are those of the Python
 * server, which writes and reads the same form.
 *
 * bcrypt is slow on purpose, and looks at 72 bytes. What it works in is large
 * and holds the password, so it is cleared after use.
 */
#include "accounts.h"

#include <crypt.h>
#include <string.h>

enum {
	HASH_LEN = 60,		/* "$2b$12$", 22 characters salt, 31 hash */
	SETTING_LEN = 29,	/* of which up to and with the salt */
	COST_MAX = 16		/* a stored hash that takes longer is a trap */
};

/* crypt(3) on a copy, so that no password is cut at a NUL unnoticed: the
 * caller has made sure that there is none. NULL: libcrypt refused. */
static struct clq_str
run(struct clq_arena *arena, struct clq_str password, const char *setting)
{
	struct crypt_data *data = clq_arena_alloc(arena, sizeof *data);
	char phrase[ACCOUNTS_MAX_PASSWORD + 1];
	struct clq_str out = { NULL, 0 };
	const char *hash;

	memcpy(phrase, password.p, password.len);
	phrase[password.len] = '\0';
	hash = crypt_rn(phrase, setting, data, sizeof *data);
	if (hash != NULL)
		out = clq_arena_strdup(arena, clq_str_of(hash));
	explicit_bzero(phrase, sizeof phrase);
	explicit_bzero(data, sizeof *data);
	return out;
}

enum clq_status
accounts_hash(struct clq_arena *arena, struct clq_str password, unsigned cost,
    struct clq_str *hash)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (password.len > ACCOUNTS_MAX_PASSWORD ||
	    clq_str_find(password, '\0', 0) < password.len ||
	    crypt_gensalt_rn("$2b$", cost, NULL, 0, setting,
	    sizeof setting) == NULL) {
		clq_log_err("accounts: no salt for a password, or it cannot "
		    "be hashed");
		return CLQ_FAILED;
	}
	*hash = run(arena, password, setting);
	if (hash->p != NULL && hash->len == HASH_LEN)
		return CLQ_OK;
	clq_log_err("accounts: libcrypt does not hash with bcrypt");
	return CLQ_FAILED;
}

/* "$2a$", "$2b$" or "$2y$", two digits, and nothing that would take hours. */
static bool
hash_usable(struct clq_str hash)
{
	int64_t cost;

	if (hash.len != HASH_LEN || !clq_str_starts(hash, "$2") ||
	    strchr("aby", hash.p[2]) == NULL || hash.p[3] != '$' ||
	    hash.p[6] != '$' || hash.p[4] < '0' || hash.p[4] > '9' ||
	    !clq_str_int(clq_str_sub(hash, 4, 6), &cost))
		return false;
	return cost <= COST_MAX;
}

/* What bcrypt looks at; one with a NUL in it is nobody's. */
static bool
significant(struct clq_str *password)
{
	*password = clq_str_sub(*password, 0, ACCOUNTS_MAX_PASSWORD);
	return clq_str_find(*password, '\0', 0) == password->len;
}

bool
accounts_verify(struct clq_arena *arena, struct clq_str password,
    struct clq_str hash)
{
	struct clq_str got;

	if (!hash_usable(hash)) {
		clq_log_once(CLQ_LOG_WARNING, "accounts: a hash", "accounts: "
		    "a stored password is no bcrypt hash, or one of an "
		    "absurd cost: its owner cannot log in (said once)");
		return false;
	}
	if (!significant(&password))
		return false;
	got = run(arena, password, clq_arena_cstr(arena, hash));
	return got.p != NULL && clq_equal_secret(got, hash);
}

void
accounts_pretend(struct clq_arena *arena, struct clq_str password,
    unsigned cost)
{
	struct clq_str setting = clq_arena_printf(arena,
	    "$2b$%02u$abcdefghijklmnopqrstuu", cost);

	if (!significant(&password))
		password = CLQ_STR("");
	(void)run(arena, password, setting.p);
}

unsigned
accounts_cost(struct clq_request *req)
{
	return (unsigned)clq_settings_int(
	    clq_server_settings(clq_request_server(req)),
	    "account_bcrypt_rounds", 12);
}
