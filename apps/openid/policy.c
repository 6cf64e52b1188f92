/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy: who sent this access token? The provider knows, and its answer
 * is remembered in the cache (section 06-8), under a key that only this server
 * can make.
 *
 * What the provider refuses is remembered too, for a moment, so that a client
 * with an old token costs one question and not one per request. A provider
 * that does not answer leaves us not knowing, which is not a refusal.
 */
#include "openid.h"

enum {
	REFUSED_TTL = 30 * 1000	/* ms */
};

struct openid *openid_loading;

/* The profile that belongs to an Authorization header, for hello. */
struct kept {
	struct clq_str	 header;
	const cJSON	*profile;
	struct kept	*next;
};
static const char kept_key;

/* ---- the token --------------------------------------------------------- */

/* "Bearer abc" -> "abc"; false if it is another type, or no token can look
 * like that. */
static bool
token_of(struct clq_request *req, const char *type, struct clq_str *token)
{
	struct clq_str rest = clq_request_header(req, "Authorization");
	struct clq_str word;

	if (!clq_str_next_word(&rest, &word) || !clq_str_caseis(word, type))
		return false;
	*token = clq_str_trim(rest);
	if (token->len == 0 || token->len > OPENID_MAX_TOKEN)
		return false;
	for (size_t i = 0; i < token->len; i++)
		if (token->p[i] <= ' ' || token->p[i] > '~')
			return false;	/* whether char is signed or not */
	return true;
}

/* HMAC of what the answer depends on. */
static struct clq_str
hash_of(struct clq_request *req, const struct openid_provider *p,
    struct clq_str token)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str secret = clq_settings_str(
	    clq_server_settings(clq_request_server(req)),
	    "userid_hmac_secret");

	if (secret.p == NULL)
		secret = CLQ_STR("");
	return clq_hmac_hex(arena, secret, clq_arena_printf(arena,
	    "%s:%s:%s:%.*s", p->issuer, p->client_id, p->audience,
	    CLQ_FMT(token)));
}

/* ---- the profile ------------------------------------------------------- */

/* The user id in a profile: text, or a whole number. False if there is none
 * that could be a principal. */
static bool
userid_of(struct clq_arena *arena, const cJSON *profile, const char *field,
    struct clq_str *out)
{
	const cJSON *item = clq_json_get(profile, field);
	int64_t n;

	if (clq_json_int(item, &n))
		*out = clq_arena_printf(arena, "%lld", (long long)n);
	else
		*out = clq_json_str(item);
	if (out->len == 0 || out->len > OPENID_MAX_USERID)
		return false;
	for (size_t i = 0; i < out->len; i++)
		if ((unsigned char)out->p[i] < ' ' || out->p[i] == 0x7f)
			return false;
	return true;
}

/* Read the answer of userinfo. CLQ_NOT_FOUND: it says that this is nobody. */
static enum clq_status
read_profile(const struct openid_provider *p, struct clq_arena *arena,
    const struct openid_call *call, cJSON **profile)
{
	struct clq_str why, userid;

	if (call->status >= 500 || call->status == 429) {
		clq_log_warn("openid %s: %s: status %d", p->name, call->url,
		    call->status);
		return CLQ_UNAVAILABLE;
	}
	if (call->status != 200)
		return CLQ_NOT_FOUND;
	if (clq_json_parse(arena, call->body, profile, &why) == CLQ_OK &&
	    cJSON_IsObject(*profile) && userid_of(arena, *profile,
	    p->userid_field, &userid))
		return CLQ_OK;
	clq_log_warn("openid %s: %s: no profile, or one whose %s cannot be a "
	    "user id", p->name, call->url, p->userid_field);
	return CLQ_NOT_FOUND;
}

static enum clq_status
ask_profile(struct openid_provider *p, struct clq_arena *arena,
    struct clq_str token, cJSON **profile)
{
	clq_msec deadline = clq_monotonic() + OPENID_PATIENCE;
	struct openid_call call = {
		.bearer = clq_arena_cstr(arena, token), .deadline = deadline,
	};
	enum clq_status rc;

	if ((rc = openid_provider_ready(p, deadline)) != CLQ_OK)
		return rc;
	if (*p->audience != '\0' && (rc = openid_jwt_check(p, arena, token,
	    deadline)) != CLQ_OK)
		return rc;
	call.url = p->metadata.userinfo;
	rc = openid_provider_ask(p, arena, &call);
	if (rc == CLQ_INVALID)
		return CLQ_NOT_FOUND;
	return rc == CLQ_OK ? read_profile(p, arena, &call, profile) : rc;
}

/* ---- remembering ------------------------------------------------------- */

/*
 * What the cache knows: CLQ_OK with the profile, CLQ_NOT_FOUND if the token
 * was refused a moment ago, CLQ_UNAVAILABLE if the provider must be asked.
 */
static enum clq_status
recall(struct clq_request *req, const struct openid_provider *p,
    struct clq_str key, struct clq_str refused, cJSON **profile)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str text, why;

	if (clq_cache_get(req, key, &text) == CLQ_OK &&
	    clq_json_parse(arena, text, profile, &why) == CLQ_OK &&
	    cJSON_IsObject(*profile)) {
		(void)clq_cache_expire(req, key, p->verification_ttl);
		return CLQ_OK;
	}
	if (clq_cache_get(req, refused, &text) == CLQ_OK)
		return CLQ_NOT_FOUND;
	return CLQ_UNAVAILABLE;
}

static enum clq_status
find_profile(struct clq_request *req, struct openid_provider *p,
    struct clq_str token, cJSON **profile)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str hash = hash_of(req, p, token), key, refused;
	enum clq_status rc;

	key = clq_arena_printf(arena, "openid:verify:%.*s", CLQ_FMT(hash));
	refused = clq_arena_printf(arena, "openid:refused:%.*s",
	    CLQ_FMT(hash));
	/* verified once it would be good for ever, if it is used often */
	if (*p->audience != '\0' && !openid_jwt_current(arena, token,
	    clq_now()))
		return CLQ_NOT_FOUND;
	rc = recall(req, p, key, refused, profile);
	if (rc != CLQ_UNAVAILABLE)
		return rc;
	rc = ask_profile(p, arena, token, profile);
	if (rc == CLQ_OK)
		(void)clq_cache_set(req, key, clq_json_text(arena, *profile),
		    p->verification_ttl);
	else if (rc == CLQ_NOT_FOUND)
		(void)clq_cache_set(req, refused, CLQ_STR("true"),
		    REFUSED_TTL);
	return rc;
}

static void
keep(struct clq_request *req, const cJSON *profile)
{
	struct kept *k = clq_arena_alloc(clq_request_arena(req), sizeof *k);

	k->header = clq_request_header(req, "Authorization");
	k->profile = profile;
	k->next = clq_request_kept(req, &kept_key);
	clq_request_keep(req, &kept_key, k);
}

void
openid_user_info(struct clq_request *req, cJSON *user)
{
	struct clq_str header = clq_request_header(req, "Authorization");
	const struct kept *k = clq_request_kept(req, &kept_key);

	while (k != NULL && !clq_str_eq(k->header, header))
		k = k->next;
	clq_json_set(user, "profile", k != NULL ?
	    cJSON_Duplicate(k->profile, true) : cJSON_CreateObject());
}

/* ---- the kind ---------------------------------------------------------- */

static enum clq_status
configure(struct clq_server *srv, const char *policy, const char *prefix,
    void **self)
{
	(void)prefix;
	if (clq_settings_str(clq_server_settings(srv),
	    "userid_hmac_secret").len == 0)
		clq_log_warn("userid_hmac_secret is empty: what policy "
		    "\"%s\" remembers in the cache is not protected; set it "
		    "to a long random text", policy);
	*self = openid_provider_find(openid_loading, clq_str_of(policy));
	return *self != NULL ? CLQ_OK : CLQ_INVALID;	/* said by setup */
}

static enum clq_status
authenticate(struct clq_request *req, void *self, struct clq_str *userid)
{
	struct openid_provider *p = self;
	struct clq_str token;
	enum clq_status rc;
	cJSON *profile;

	if (!token_of(req, p->header_type, &token))
		return CLQ_NOT_FOUND;
	if ((rc = find_profile(req, p, token, &profile)) != CLQ_OK)
		return rc;
	if (!userid_of(clq_request_arena(req), profile, p->userid_field,
	    userid))
		return CLQ_NOT_FOUND;
	keep(req, profile);
	return CLQ_OK;
}

static const char *
challenge_of(void *self)
{
	const struct openid_provider *p = self;

	return p->challenge;
}

static const char *const aliases[] = {
	"kinto.plugins.openid.OpenIDConnectPolicy", NULL
};

const struct clq_auth_kind openid_kind = {
	.size		= sizeof openid_kind,
	.name		= OPENID_KIND,
	.aliases	= aliases,
	.configure	= configure,
	.authenticate	= authenticate,
	.challenge	= "Bearer realm=\"Realm\"",
	.challenge_of	= challenge_of,
};
