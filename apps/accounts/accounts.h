/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the accounts plugin share (section 06-7). */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include <cliquet/cliquet.h>

#define ACCOUNTS_KIND	"account"	/* of policy, and its usual name */

enum {
	/* bcrypt looks at so many bytes of a password. */
	ACCOUNTS_MAX_PASSWORD = 72
};

/* ---- password.c: bcrypt ------------------------------------------------ */

/* "$2b$12$..." of a password without NUL and of at most ACCOUNTS_MAX_PASSWORD
 * bytes. cost: 2^cost rounds, 4 to 31. CLQ_OK or CLQ_FAILED (logged). */
enum clq_status accounts_hash(struct clq_arena *arena,
    struct clq_str password, unsigned cost, struct clq_str *hash)
    CLQ_MUST_CHECK;

/*
 * True if the password is that of the hash; takes its time in any case. Of a
 * longer password the first ACCOUNTS_MAX_PASSWORD bytes count, as they did
 * when older servers stored it. A hash that is none, or whose cost is absurd,
 * belongs to no password.
 */
bool accounts_verify(struct clq_arena *arena, struct clq_str password,
    struct clq_str hash);

/* Take the time of accounts_verify() with a hash of that cost. */
void accounts_pretend(struct clq_arena *arena, struct clq_str password,
    unsigned cost);

/* The setting account_bcrypt_rounds. */
unsigned accounts_cost(struct clq_request *req);

/* ---- policy.c: who is it ----------------------------------------------- */

extern const struct clq_auth_kind accounts_kind;

/* Forget what was verified when an account has changed; after the commit. */
clq_subscriber_f accounts_changed;

/* ---- resource.c -------------------------------------------------------- */

extern const struct clq_resource accounts_resource;

/* True if the text can be the name of an account. */
bool accounts_name_valid(struct clq_str id);

/* True if this request, or an earlier part of its batch, stores accounts, which
 * may still be undone. */
bool accounts_unsettled(const struct clq_request *req);

#endif
