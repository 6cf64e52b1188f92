/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy `account` (section 06-7.1): a user name and the password that its
 * account was given.
 *
 * To verify a password costs a third of a second of processor, so a good one
 * is remembered in the cache for a while, under keys and as hashes that only
 * this server's secret can make. Without a cache everything works, slowly.
 *
 * A password that is changed must not live on in the cache, whoever is just
 * being verified with it. Hence the mark: it is set before the remembered
 * password is dropped, and who finds another one after remembering than before
 * looking forgets it again.
 */
#include "accounts.h"

enum {
	MARK_TTL = 600 * 1000	/* ms; far longer than a verification */
};

struct policy {
	clq_msec	ttl;
	bool		last;		/* nobody after it takes passwords */
};

/* Keys of one user in the cache. */
struct keys {
	struct clq_str	verified;
	struct clq_str	mark;
};

/* ---- configuration ----------------------------------------------------- */

static enum clq_status
configure(struct clq_server *srv, const char *policy, const char *prefix,
    void **self)
{
	const struct clq_settings *set = clq_server_settings(srv);
	struct policy *p = clq_arena_alloc(clq_server_arena(srv), sizeof *p);

	(void)prefix;
	if (clq_settings_str(set, "userid_hmac_secret").len == 0)
		clq_log_warn("userid_hmac_secret is empty: the passwords "
		    "that policy \"%s\" remembers in the cache are not "
		    "protected; set it to a long random text", policy);
	p->ttl = clq_settings_int(set, "account_cache_ttl_seconds", 30) *
	    1000;
	p->last = clq_auth_policy(srv, "basicauth", 0) == NULL;
	*self = p;
	return CLQ_OK;
}

/* ---- the cache --------------------------------------------------------- */

static struct keys
keys_of(struct clq_request *req, struct clq_str user)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str secret = clq_settings_str(
	    clq_server_settings(clq_request_server(req)),
	    "userid_hmac_secret");
	struct keys keys;

	if (secret.p == NULL)
		secret = CLQ_STR("");
	keys.verified = clq_hmac_hex(arena, secret, clq_arena_printf(arena,
	    "accounts:%.*s:verified", CLQ_FMT(user)));
	keys.mark = clq_arena_printf(arena, "accounts:%.*s:changed",
	    CLQ_FMT(keys.verified));
	return keys;
}

/* What stands for the password under that key: a JSON string. */
static struct clq_str
proof_of(struct clq_arena *arena, const struct keys *keys,
    struct clq_str password)
{
	struct clq_str hash = clq_hmac_hex(arena, keys->verified, password);

	return clq_arena_printf(arena, "\"%.*s\"", CLQ_FMT(hash));
}

/* The mark, or the absent slice; so if the cache is down. */
static struct clq_str
mark_of(struct clq_request *req, const struct keys *keys)
{
	struct clq_str mark = { NULL, 0 };

	if (clq_cache_get(req, keys->mark, &mark) != CLQ_OK)
		mark = (struct clq_str){ NULL, 0 };
	return mark;
}

static bool
remembered(struct clq_request *req, const struct keys *keys,
    struct clq_str proof, clq_msec ttl)
{
	struct clq_str value;

	if (clq_cache_get(req, keys->verified, &value) != CLQ_OK ||
	    !clq_equal_secret(value, proof))
		return false;
	/* not set anew: if it has just been dropped, it stays so */
	(void)clq_cache_expire(req, keys->verified, ttl);
	return true;
}

static void
remember(struct clq_request *req, const struct keys *keys,
    struct clq_str proof, clq_msec ttl, struct clq_str mark)
{
	struct clq_str unused;

	/* what a batch stores may be undone, and must not stay in the cache */
	if (ttl <= 0 || accounts_unsettled(req) ||
	    !clq_str_eq(mark_of(req, keys), mark) ||
	    clq_cache_set(req, keys->verified, proof, ttl) != CLQ_OK)
		return;
	if (!clq_str_eq(mark_of(req, keys), mark) && clq_cache_take(req,
	    keys->verified, &unused) == CLQ_UNAVAILABLE)
		clq_log_warn("accounts: a password that has just changed may "
		    "be good for %lld ms more", (long long)ttl);
}

enum clq_status
accounts_changed(struct clq_request *req, const struct clq_event *event,
    void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str unused, mark = clq_random_hex(arena, 8);
	enum clq_status rc = CLQ_OK;
	bool lost = false;

	(void)ctx;
	for (size_t i = 0; i < event->nchanges; i++) {
		struct keys keys = keys_of(req, event->changes[i].new_->id);

		rc = clq_cache_set(req, keys.mark, clq_arena_printf(arena,
		    "\"%.*s\"", CLQ_FMT(mark)), MARK_TTL);
		if (rc == CLQ_OK)
			rc = clq_cache_take(req, keys.verified, &unused);
		lost = lost || (rc != CLQ_OK && rc != CLQ_NOT_FOUND);
	}
	if (lost)
		clq_log_warn("accounts: the cache cannot be reached: old "
		    "passwords may be good until it has forgotten them");
	return CLQ_OK;
}

/* ---- verification ------------------------------------------------------ */

/*
 * That there is no such account must not show in the time. But where anybody
 * may be anybody by basicauth there is nothing to hide, and no time to lose.
 */
static enum clq_status
nobody(struct clq_request *req, const struct policy *p,
    struct clq_str password)
{
	if (p->last)
		accounts_pretend(clq_request_arena(req), password,
		    accounts_cost(req));
	return CLQ_NOT_FOUND;
}

/* Credentials that this request, or a part of its batch, has tried in vain. A
 * batch asks again after it has written, with other writers waiting: what was
 * wrong against the same hash is not computed twice. */
struct refused {
	struct clq_str	 user;
	struct clq_str	 password;
	struct clq_str	 hash;		/* absent: no such account */
	struct refused	*next;
};
static const char refused_key;

static bool
was_refused(struct clq_request *req, struct clq_str user,
    struct clq_str password, struct clq_str hash)
{
	const struct refused *r = clq_request_kept(req, &refused_key);

	for (; r != NULL; r = r->next)
		if (clq_str_eq(r->user, user) &&
		    clq_str_eq(r->password, password) &&
		    (r->hash.p == NULL) == (hash.p == NULL) &&
		    clq_str_eq(r->hash, hash))
			return true;
	return false;
}

static void
note_refused(struct clq_request *req, struct clq_str user,
    struct clq_str password, struct clq_str hash)
{
	struct refused *r = clq_arena_alloc(clq_request_arena(req), sizeof *r);

	*r = (struct refused){ user, password, hash,
	    clq_request_kept(req, &refused_key) };
	clq_request_keep(req, &refused_key, r);
}

/* The hash of the account's password; absent if there is none. */
static enum clq_status
find_hash(struct clq_request *req, struct clq_str user, struct clq_str *hash)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_want want = {
		.coll = { CLQ_STR("account"), user }, .id = user,
		.shared = true,
	};
	struct clq_lookup lookup = {
		.arena = arena, .wants = &want, .nwants = 1,
	};
	const struct clq_storage_ops *storage;
	struct clq_str why;
	cJSON *tree;
	void *self;

	*hash = (struct clq_str){ NULL, 0 };
	if ((storage = clq_storage(req, &self)) == NULL ||
	    storage->lookup(self, &lookup) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	if (want.found && clq_json_parse(arena, want.object.data, &tree,
	    &why) == CLQ_OK)
		*hash = clq_json_str(clq_json_get(tree, "password"));
	return CLQ_OK;
}

static enum clq_status
authenticate(struct clq_request *req, void *self, struct clq_str *userid)
{
	struct clq_arena *arena = clq_request_arena(req);
	const struct policy *p = self;
	struct clq_str user, password, proof, mark, hash;
	struct keys keys;
	enum clq_status rc;

	if (!clq_basic_credentials(req, &user, &password))
		return CLQ_NOT_FOUND;
	if (!accounts_name_valid(user))
		return nobody(req, p, password);
	keys = keys_of(req, user);
	proof = proof_of(arena, &keys, password);
	*userid = user;
	if (remembered(req, &keys, proof, p->ttl))
		return CLQ_OK;
	mark = mark_of(req, &keys);
	if ((rc = find_hash(req, user, &hash)) != CLQ_OK)
		return rc;
	if (was_refused(req, user, password, hash))
		return CLQ_NOT_FOUND;
	if (hash.p == NULL || !accounts_verify(arena, password, hash)) {
		note_refused(req, user, password, hash);
		return hash.p == NULL ? nobody(req, p, password) :
		    CLQ_NOT_FOUND;
	}
	remember(req, &keys, proof, p->ttl, mark);
	return CLQ_OK;
}

static const char *const aliases[] = {
	"kinto.plugins.accounts.AccountsPolicy",
	"kinto.plugins.accounts.authentication.AccountsAuthenticationPolicy",
	NULL
};

const struct clq_auth_kind accounts_kind = {
	.size		= sizeof accounts_kind,
	.name		= ACCOUNTS_KIND,
	.aliases	= aliases,
	.configure	= configure,
	.authenticate	= authenticate,
	.challenge	= "Basic realm=\"Realm\"",
};
