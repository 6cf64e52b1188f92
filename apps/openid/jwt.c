/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens that are JWTs: signature by cjose, claims by hand.
 *
 * Only signatures with public keys are taken, and only by keys that are meant
 * for signing: a token cannot choose "none", nor make a public key a shared
 * secret. The provider's keys are kept for some minutes; a key that is not
 * among them makes us ask again, but not for every forged token.
 *
 * cjose ends the process on some texts that are no base64url, so nothing comes
 * to it that has not been looked at here.
 */
#include "openid.h"

#include <cjose/cjose.h>
#include <stdlib.h>

enum {
	KEYS_AGE = 300 * 1000,	/* ms for which keys are good */
	KEYS_PAUSE = 10 * 1000,	/* ms between questions for unknown keys */
	KEYS_RETRY = 5 * 1000,	/* ms after an answer without any */
	LEEWAY = 60,		/* seconds that clocks may differ */
	RSA_BITS_MIN = 2048
};

/* ---- what cjose may see ------------------------------------------------ */

/* True for the base64url of at least one byte, without padding. */
static bool
is_base64url(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= '0' && c <= '9') &&
		    !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    c != '-' && c != '_')
			return false;
	}
	return s.len > 1 && s.len % 4 != 1;
}

/* True if the token has the form of a signed JWT: three such parts. */
static bool
is_compact(struct clq_str token)
{
	size_t one = clq_str_find(token, '.', 0);
	size_t two = clq_str_find(token, '.', one + 1);

	return one < token.len && two < token.len &&
	    is_base64url(clq_str_sub(token, 0, one)) &&
	    is_base64url(clq_str_sub(token, one + 1, two)) &&
	    is_base64url(clq_str_sub(token, two + 1, token.len));
}

/* The token as cjose reads it; NULL if it is no JWT. */
static cjose_jws_t *
import(struct clq_str token)
{
	cjose_err err;

	if (!is_compact(token))
		return NULL;
	return cjose_jws_import(token.p, token.len, &err);
}

/*
 * The public part of a key, as a JSON text of our own: what else a provider
 * may have written is nothing to us. Absent if a member is malformed.
 */
static struct clq_str
public_key(struct clq_arena *arena, const cJSON *key)
{
	static const char *const rsa[] = { "n", "e", NULL };
	static const char *const ec[] = { "x", "y", NULL };
	bool is_ec = clq_str_is(clq_json_str(clq_json_get(key, "kty")), "EC");
	struct clq_str curve = clq_json_str(clq_json_get(key, "crv"));
	struct clq_buf b;

	clq_buf_init(&b, arena, 512);
	clq_buf_printf(&b, "{\"kty\":\"%s\"", is_ec ? "EC" : "RSA");
	if (is_ec) {
		clq_buf_adds(&b, ",\"crv\":");
		clq_buf_json_str(&b, curve.p != NULL ? curve : CLQ_STR(""));
	}
	for (const char *const *name = is_ec ? ec : rsa; *name; name++) {
		struct clq_str s = clq_json_str(clq_json_get(key, *name));

		if (!is_base64url(s))
			return (struct clq_str){ NULL, 0 };
		clq_buf_printf(&b, ",\"%s\":\"%.*s\"", *name, CLQ_FMT(s));
	}
	clq_buf_addc(&b, '}');
	return clq_buf_str(&b);
}

/* ---- keys -------------------------------------------------------------- */

static bool
for_signing(const cJSON *key)
{
	struct clq_str use = clq_json_str(clq_json_get(key, "use"));
	struct clq_str kty = clq_json_str(clq_json_get(key, "kty"));

	return (use.p == NULL || clq_str_is(use, "sig")) &&
	    (clq_str_is(kty, "RSA") || clq_str_is(kty, "EC"));
}

/* The key of that name; the only one if the token names none. */
static const cJSON *
find_key(const cJSON *keys, const char *kid)
{
	const cJSON *key, *found = NULL;

	cJSON_ArrayForEach(key, clq_json_get(keys, "keys")) {
		if (!for_signing(key))
			continue;
		if (kid != NULL && clq_str_is(clq_json_str(clq_json_get(key,
		    "kid")), kid))
			return key;
		if (kid != NULL)
			continue;
		if (found != NULL)
			return NULL;
		found = key;
	}
	return found;
}

/* True if the key may be used for such a signature: an RSA one for RS and PS,
 * an EC one for ES, and no other than it says itself. */
static bool
fits(const cJSON *key, const char *alg)
{
	static const char *const known[] = {
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512",
	};
	struct clq_str only = clq_json_str(clq_json_get(key, "alg"));
	bool ec = clq_str_is(clq_json_str(clq_json_get(key, "kty")), "EC");

	if (only.p != NULL && !clq_str_is(only, alg))
		return false;
	for (size_t i = 0; i < CLQ_COUNT(known); i++)
		if (strcmp(alg, known[i]) == 0)
			return ec == (alg[0] == 'E');
	return false;
}

/* ---- signature --------------------------------------------------------- */

static const char *
header_member(cjose_jws_t *jws, const char *name)
{
	cjose_header_t *header = cjose_jws_get_protected(jws);
	cjose_err err;

	return header != NULL ? cjose_header_get(header, name, &err) : NULL;
}

static const char *
check_signature(struct clq_arena *arena, cjose_jws_t *jws, const cJSON *key)
{
	struct clq_str text = public_key(arena, key);
	const char *fault = NULL;
	cjose_jwk_t *jwk;
	cjose_err err;

	if (text.p == NULL ||
	    (jwk = cjose_jwk_import(text.p, text.len, &err)) == NULL)
		return "its key is unusable";
	if (cjose_jwk_get_kty(jwk, &err) == CJOSE_JWK_KTY_RSA &&
	    cjose_jwk_get_keysize(jwk, &err) < RSA_BITS_MIN)
		fault = "its key is too short";
	else if (!cjose_jws_verify(jws, jwk, &err))
		fault = "its signature is wrong";
	cjose_jwk_release(jwk);
	return fault;
}

static const char *
read_claims(struct clq_arena *arena, cjose_jws_t *jws, cJSON **claims)
{
	struct clq_str why;
	uint8_t *text = NULL;
	size_t len = 0;
	cjose_err err;

	if (!cjose_jws_get_plaintext(jws, &text, &len, &err) ||
	    clq_json_parse(arena, (struct clq_str){ (const char *)text, len },
	    claims, &why) != CLQ_OK || !cJSON_IsObject(*claims))
		return "its claims are no JSON object";
	return NULL;
}

const char *
openid_jwt_verify(struct clq_arena *arena, struct clq_str token,
    const cJSON *keys, cJSON **claims)
{
	cjose_jws_t *jws = import(token);
	const char *alg, *fault;
	const cJSON *key;

	if (jws == NULL)
		return "it is no JWT";
	alg = header_member(jws, CJOSE_HDR_ALG);
	key = find_key(keys, header_member(jws, CJOSE_HDR_KID));
	if (alg == NULL || key == NULL)
		fault = "its key is not one of the provider's";
	else if (!fits(key, alg))
		fault = "its algorithm is not that of the key";
	else if ((fault = check_signature(arena, jws, key)) == NULL)
		fault = read_claims(arena, jws, claims);
	cjose_jws_release(jws);
	return fault;
}

bool
openid_jwt_key_missing(struct clq_str token, const cJSON *keys)
{
	cjose_jws_t *jws = import(token);
	bool missing;

	if (jws == NULL)
		return false;
	missing = find_key(keys, header_member(jws, CJOSE_HDR_KID)) == NULL;
	cjose_jws_release(jws);
	return missing;
}

/* ---- claims ------------------------------------------------------------ */

/* The member as seconds. False if it is no number; absent is *missing. */
static bool
seconds(const cJSON *claims, const char *name, double *out, bool *missing)
{
	const cJSON *item = clq_json_get(claims, name);

	*missing = item == NULL;
	*out = cJSON_IsNumber(item) ? item->valuedouble : 0;
	return item == NULL || cJSON_IsNumber(item);
}

static bool
names_audience(const cJSON *aud, const char *audience)
{
	const cJSON *item;

	if (cJSON_IsString(aud))
		return clq_str_is(clq_json_str(aud), audience);
	if (!cJSON_IsArray(aud))
		return false;
	cJSON_ArrayForEach(item, aud)
		if (cJSON_IsString(item) &&
		    clq_str_is(clq_json_str(item), audience))
			return true;
	return false;
}

const char *
openid_claims_fault(const cJSON *claims, const char *issuer,
    const char *audience, clq_msec now)
{
	double t, at = (double)now / 1000;
	bool missing;

	if (!seconds(claims, "exp", &t, &missing) || (!missing && t <= at))
		return "it has expired";
	if (!seconds(claims, "nbf", &t, &missing) ||
	    (!missing && t > at + LEEWAY))
		return "it is not valid yet";
	if (!seconds(claims, "iat", &t, &missing) ||
	    (!missing && t > at + LEEWAY))
		return "it was issued in the future";
	if (!clq_str_is(clq_json_str(clq_json_get(claims, "iss")), issuer))
		return "it is by another issuer";
	if (!names_audience(clq_json_get(claims, "aud"), audience))
		return "it is for another audience";
	return NULL;
}

/* ---- the provider's keys ----------------------------------------------- */

static bool
keys_due(const struct openid_provider *p, bool unknown)
{
	clq_msec age = clq_monotonic() - p->keys_at;

	if (p->keys_at == 0)
		return true;
	if (p->keys == NULL)
		return age > KEYS_RETRY;
	return age > (unknown ? KEYS_PAUSE : KEYS_AGE);
}

/* Ask for the keys; the old ones stay if that fails. */
static enum clq_status
fetch_keys(struct openid_provider *p, clq_msec deadline)
{
	struct openid_call call = {
		.url = p->metadata.jwks, .follow = true,
		.deadline = deadline,
	};
	struct clq_arena *arena = clq_arena_new();
	struct clq_str why;
	enum clq_status rc;
	cJSON *tree;

	rc = openid_provider_ask(p, arena, &call);
	if (rc == CLQ_OK && (call.status != 200 || clq_json_parse(arena,
	    call.body, &tree, &why) != CLQ_OK ||
	    !cJSON_IsArray(clq_json_get(tree, "keys")))) {
		clq_log_err("openid %s: %s: no set of keys (status %d)",
		    p->name, call.url, call.status);
		rc = CLQ_FAILED;
	}
	if (rc != CLQ_UNAVAILABLE)
		p->keys_at = clq_monotonic();
	if (rc != CLQ_OK) {
		clq_arena_free(&arena);
		return CLQ_UNAVAILABLE;
	}
	clq_arena_free(&p->keys_arena);
	p->keys_arena = arena;
	p->keys = tree;
	return CLQ_OK;
}

enum clq_status
openid_jwt_check(struct openid_provider *p, struct clq_arena *arena,
    struct clq_str token, clq_msec deadline)
{
	enum clq_status rc = CLQ_OK;
	cJSON *claims = NULL;
	const char *fault;

	if (p->metadata.jwks == NULL)
		return CLQ_UNAVAILABLE;
	if (keys_due(p, false))
		rc = fetch_keys(p, deadline);
	if (p->keys == NULL)
		return rc != CLQ_OK ? rc : CLQ_UNAVAILABLE;
	if (openid_jwt_key_missing(token, p->keys) &&
	    keys_due(p, true))
		(void)fetch_keys(p, deadline);
	fault = openid_jwt_verify(arena, token, p->keys, &claims);
	if (fault == NULL)
		fault = openid_claims_fault(claims, p->issuer, p->audience,
		    clq_now());
	if (fault == NULL)
		return CLQ_OK;
	clq_log_debug("openid %s: an access token is refused: %s", p->name,
	    fault);
	return CLQ_NOT_FOUND;
}

/* base64url without padding to the usual alphabet. */
static struct clq_str
usual_base64(struct clq_arena *arena, struct clq_str s)
{
	char *p = clq_arena_alloc(arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		p[i] = s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i];
	return (struct clq_str){ p, s.len };
}

bool
openid_jwt_current(struct clq_arena *arena, struct clq_str token,
    clq_msec now)
{
	size_t from = clq_str_find(token, '.', 0) + 1;
	size_t to = clq_str_find(token, '.', from);
	struct clq_str text, why;
	bool missing;
	cJSON *claims;
	double t;

	if (clq_base64_decode(arena, usual_base64(arena, clq_str_sub(token,
	    from, to)), &text) != CLQ_OK ||
	    clq_json_parse(arena, text, &claims, &why) != CLQ_OK ||
	    !cJSON_IsObject(claims))
		return false;
	return seconds(claims, "exp", &t, &missing) &&
	    (missing || t > (double)now / 1000);
}
