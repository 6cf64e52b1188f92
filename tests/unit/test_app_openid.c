/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure parts of the OpenID plugin: which callbacks are trusted, which
 * metadata is believed, which tokens are taken. The keys and tokens were made
 * with openssl.
 */
#include "apps/openid/openid.h"

#include <criterion/criterion.h>

#include "json_fixture.h"
#include "openid_tokens.h"

TestSuite(callback, .init = setup, .fini = teardown);
TestSuite(metadata, .init = setup, .fini = teardown);
TestSuite(jwt, .init = setup, .fini = teardown);
TestSuite(claims, .init = setup, .fini = teardown);

/* ---- callbacks --------------------------------------------------------- */

static bool
trusted(const char *url, const char *patterns)
{
	struct clq_strs list = { NULL, 0, 0 };
	struct clq_str rest = clq_str_of(patterns), item;

	while (clq_str_next_word(&rest, &item))
		clq_strs_add(arena, &list, item);
	return openid_callback_trusted(arena, clq_str_of(url), list);
}

Test(callback, matches_part_by_part)
{
	static const struct {
		const char	*url;
		const char	*patterns;
		bool		 good;
	} cases[] = {
		{ "http://localhost:3000/#t=", "http://localhost:*/*", true },
		{ "http://localhost/x", "http://localhost:*/*", true },
		{ "http://localhost", "http://localhost:*/*", true },
		{ "HTTP://LOCALHOST:1/", "http://localhost:*/*", true },
		{ "https://localhost/", "http://localhost:*/*", false },
		{ "http://localhost.evil.org/", "http://localhost:*/*",
		    false },
		{ "http://evil.org/?http://localhost:1/",
		    "http://localhost:*/*", false },
		{ "http://evil.org/#@localhost:1/", "http://localhost:*/*",
		    false },
		{ "https://a.b.org/cb/x?y#z", "https://*.b.org/cb*", true },
		{ "https://b.org/cb", "https://*.b.org/cb*", false },
		{ "https://evil.org/.b.org/cb", "https://*.b.org/cb*",
		    false },
		{ "https://a.b.org/CB", "https://*.b.org/cb*", false },
		{ "https://a.b.org/", "https://*.b.org/cb*", false },
		{ "https://b.org:443/x", "https://b.org/x", true },
		{ "https://b.org/x", "https://b.org:443/x", true },
		{ "https://b.org:8443/x", "https://b.org/x", false },
		{ "http://[::1]:80/x", "http://[::1]/x", true },
		{ "http://[::2]/x", "http://[::1]/x", false },
		{ "https://b.org/a?b=[c]", "https://b.org/a?b=[c]", true },
		{ "https://b.org/aXb=c", "https://b.org/a?b=c", false },
		{ "https://b.org/x", "nonsense https://b.org/x", true },
		{ "https://b.org/x", "", false },
		{ "https://b.org/aaaaaaaaaaaaaaaaaaaab",
		    "https://b.org/*a*a*a*a*a*a*a*a*c", false },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_eq(trusted(cases[i].url, cases[i].patterns),
		    cases[i].good, "%s by %s", cases[i].url,
		    cases[i].patterns);
}

/* What browsers and servers read differently is nobody's. */
Test(callback, that_is_ambiguous_is_not_trusted)
{
	static const char *const bad[] = {
		"http://user@localhost/", "http://u:p@localhost/",
		"http://evil.org\\@localhost/", "http://localhost\\.evil.org/",
		"http://localhost:80\\@evil.org/", "http://evil.org\\/",
		"http://localhost/../x", "http://localhost/a/%2e%2E/x",
		"http://localhost/a/./x", "http://localhost/a\\..\\x",
		"http://localhost/a%5c..", "http://lo calhost/",
		"http://localhost/\r\nX: y", "http://localhost/a b",
		"http://localhost\t/", "http://*/", "http://localhost:*/",
		"http://localhost:8o/", "http://localhost:1:2/", "http:///x",
		"http://[::1/", "http://[evil.org]/", "http://[::1]evil/",
		"ftp://localhost/", "javascript:alert(1)", "//localhost/",
		"localhost", "", "http://", "http://lo\xc3\xa4/",
		"http://localhost/\xff",
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect(!trusted(bad[i], "http://*:*/* http://[::1]/* "
		    "ftp://*/*"), "%s", bad[i]);
}

Test(callback, that_is_long_is_not_trusted)
{
	char url[OPENID_MAX_URL + 2];

	memset(url, 'a', sizeof url);
	memcpy(url, "http://a/", 9);
	url[OPENID_MAX_URL] = '\0';
	cr_expect(trusted(url, "http://a/*"));
	url[OPENID_MAX_URL] = 'a';
	url[OPENID_MAX_URL + 1] = '\0';
	cr_expect(!trusted(url, "http://a/*"));
}

/* ---- metadata ---------------------------------------------------------- */

static const char *
fault(const char *text, const char *issuer)
{
	struct openid_metadata m;

	return openid_metadata_read(arena, clq_str_of(text), issuer, &m);
}

#define META(issuer, auth, token, info, more)				\
	"{\"issuer\":\"" issuer "\",\"authorization_endpoint\":\"" auth	\
	"\",\"token_endpoint\":\"" token "\",\"userinfo_endpoint\":\""	\
	info "\"" more "}"

Test(metadata, is_read)
{
	static const char text[] = META("https://i.org", "https://i.org/a?b",
	    "https://t.org/t", "https://i.org/u",
	    ",\"jwks_uri\":\"https://i.org/k\",\"x\":[1]");
	struct openid_metadata m;

	cr_assert_null(openid_metadata_read(arena, clq_str_of(text),
	    "https://i.org/", &m));
	cr_expect_str_eq(m.issuer, "https://i.org");
	cr_expect_str_eq(m.authorization, "https://i.org/a?b");
	cr_expect_str_eq(m.token, "https://t.org/t");
	cr_expect_str_eq(m.userinfo, "https://i.org/u");
	cr_expect_str_eq(m.jwks, "https://i.org/k");
	cr_expect_null(fault(META("http://i", "http://i/a", "http://i/t",
	    "https://i/u", ""), "http://i"));
}

Test(metadata, that_lies_is_refused)
{
	static const char *const bad[] = {
		"", "[]", "null", "<html>", "{}", "{\"issuer\":1}",
		META("", "https://i/a", "https://i/t", "https://i/u", ""),
		META("https://i", "", "https://i/t", "https://i/u", ""),
		META("https://i", "https://i/a", "file:///etc/passwd",
		    "https://i/u", ""),
		META("https://i", "https://i/a", "https://i/t",
		    "http://i/u", ""),
		META("https://i", "https://i/a", "https://i/t",
		    "https://i/u\\r\\nX: y", ""),
		META("https://i", "javascript:x", "https://i/t",
		    "https://i/u", ""),
	};

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not_null(fault(bad[i], "https://i"), "%s", bad[i]);
}

/* ---- tokens ------------------------------------------------------------ */

#define KEYS	"{\"keys\":[" KEY0 "," KEY1 "," KEY2 "]}"

static const char *
verify(const char *token, const char *keys)
{
	cJSON *claims;

	return openid_jwt_verify(arena, clq_str_of(token), parse(keys),
	    &claims);
}

Test(jwt, with_a_good_signature_is_taken)
{
	cJSON *claims = NULL;

	cr_assert_null(openid_jwt_verify(arena, CLQ_STR(RS256), parse(KEYS),
	    &claims));
	cr_expect(clq_str_is(clq_json_str(clq_json_get(claims, "iss")),
	    "https://i.example"));
	cr_expect_null(verify(ES256, KEYS));
	cr_expect_null(verify(NOKID, "{\"keys\":[" KEY0 "]}"));
}

Test(jwt, with_another_key_is_refused)
{
	cr_expect_not_null(verify(OTHER, KEYS));
	cr_expect_not_null(verify(UNKNOWN, KEYS));
	cr_expect_not_null(verify(RS256, "{\"keys\":[]}"));
	cr_expect_not_null(verify(RS256, "{}"));
	cr_expect_not_null(verify(RS256, "{\"keys\":[1,null,{},\"x\"]}"));
	cr_expect_not_null(verify(NOKID, KEYS), "which one?");
	cr_expect_not_null(verify(SHORT, KEYS), "1024 bits");
}

/* A token does not choose how it is verified. */
Test(jwt, with_another_algorithm_is_refused)
{
	cr_expect_not_null(verify(HS256, KEYS));
	cr_expect_not_null(verify(RS_AS_EC, KEYS));
	cr_expect_not_null(verify("eyJhbGciOiJub25lIiwia2lkIjoiZ29vZCJ9."
	    "eyJpc3MiOiJ4In0.", KEYS));
}

Test(jwt, that_is_changed_or_broken_is_refused)
{
	static const char *const bad[] = {
		"", ".", "..", "...", "a.b.c", "a", "e30.e30.e30",
		"eyJhbGciOiJSUzI1NiJ9..", "\xff.\xff.\xff",
	};
	char *token = strdup(RS256);
	size_t dot = strcspn(token, ".");

	for (size_t i = 0; i < CLQ_COUNT(bad); i++)
		cr_expect_not_null(verify(bad[i], KEYS), "%s", bad[i]);
	token[dot + 8] = token[dot + 8] == 'A' ? 'B' : 'A';
	cr_expect_not_null(verify(token, KEYS));
	memcpy(token, RS256, sizeof RS256);
	for (size_t len = 0; len < sizeof RS256 - 1; len += 7) {
		token[len] = '\0';
		cr_expect_not_null(verify(token, KEYS));
		token[len] = RS256[len];
	}
	free(token);
	cr_expect_not_null(verify(CLAIMS_LIST, KEYS), "claims are a list");
}

/* ---- anything ---------------------------------------------------------- */

static uint32_t seed = 1;

static uint32_t
below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static struct clq_str
base64url(struct clq_str s)
{
	struct clq_str b = clq_base64_encode(arena, s);
	char *p = clq_arena_alloc(arena, b.len);
	size_t n = 0;

	for (size_t i = 0; i < b.len && b.p[i] != '='; i++)
		p[n++] = b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i];
	return (struct clq_str){ p, n };
}

static struct clq_str
noise(size_t len)
{
	char *p = clq_arena_alloc(arena, len);

	for (size_t i = 0; i < len; i++)
		p[i] = (char)below(256);
	return (struct clq_str){ p, len };
}

/* A header that says odd things. */
static struct clq_str
odd_header(void)
{
	static const char *const values[] = {
		"\"RS256\"", "\"ES256\"", "\"PS512\"", "\"none\"",
		"\"HS256\"", "\"\"", "null", "1", "[\"RS256\"]", "{}",
		"\"good\"", "\"ec\"", "\"short\"", "true", "\"\\ud800\"",
		"\"RSA-OAEP\"", "\"dir\"",
	};
	static const char *const names[] = {
		"alg", "kid", "typ", "crit", "b64", "enc", "zip", "jwk",
		"x5c", "cty",
	};
	struct clq_buf b;

	clq_buf_init(&b, arena, 128);
	for (uint32_t i = 0, n = below(5); i <= n; i++)
		clq_buf_printf(&b, "%c\"%s\":%s", i == 0 ? '{' : ',',
		    names[i < 2 ? i : below(CLQ_COUNT(names))],
		    values[below(CLQ_COUNT(values))]);
	clq_buf_adds(&b, below(20) > 0 ? "}" : "");
	return clq_buf_str(&b);
}

/* A set of one key of the right form and any content. */
static const cJSON *
odd_keys(void)
{
	static const char *const curves[] = {
		"P-256", "P-384", "P-521", "secp256k1", "", "x"
	};
	struct clq_str n = base64url(noise(below(3) > 0 ? 32 + below(300) :
	    below(70))), e = base64url(noise(below(70)));
	struct clq_str x = base64url(noise(below(2) > 0 ? 32 : below(70)));
	struct clq_str y = base64url(noise(below(2) > 0 ? 32 : below(70)));

	if (below(2) > 0)
		e = CLQ_STR("AQAB");
	if (below(2) > 0)
		return parse(clq_arena_printf(arena, "{\"keys\":[{"
		    "\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"}]}",
		    CLQ_FMT(n), CLQ_FMT(e)).p);
	return parse(clq_arena_printf(arena, "{\"keys\":[{\"kty\":\"EC\","
	    "\"crv\":\"%s\",\"x\":\"%.*s\",\"y\":\"%.*s\"}]}",
	    curves[below(CLQ_COUNT(curves))], CLQ_FMT(x), CLQ_FMT(y)).p);
}

/* What a client or a provider sends ends no worker, and is never believed. */
Test(jwt, survives_anything)
{
	const char *const known[] = { RS256, ES256, NOKID, HS256 };
	struct clq_str s, head, body, sign;
	const cJSON *keys;
	cJSON *claims;
	char *p;

	for (int i = 0; i < 12000; i++, clq_arena_reset(arena)) {
		if (below(2) > 0) {
			head = base64url(odd_header());
			body = base64url(noise(below(40)));
			sign = base64url(noise(below(3) > 0 ? 64 :
			    below(600)));
			s = clq_arena_printf(arena, "%.*s.%.*s.%.*s",
			    CLQ_FMT(head), CLQ_FMT(body), CLQ_FMT(sign));
		} else {
			s = clq_str_of(known[below(CLQ_COUNT(known))]);
			p = clq_arena_cstr(arena, s);
			p[below((uint32_t)s.len)] = (char)below(256);
			p[below(60)] = (char)(33 + below(90));
			s.p = p;
		}
		keys = below(3) > 0 ? odd_keys() : parse(KEYS);
		if (openid_jwt_verify(arena, s, keys, &claims) == NULL)
			cr_assert(clq_str_is(s, RS256) ||
			    clq_str_is(s, ES256));
		(void)openid_jwt_key_missing(s, keys);
		(void)openid_jwt_current(arena, s, 0);
	}
}

Test(jwt, asks_for_unknown_keys_only)
{
	const cJSON *keys = parse(KEYS);

	cr_expect(!openid_jwt_key_missing(CLQ_STR(RS256), keys));
	cr_expect(openid_jwt_key_missing(CLQ_STR(UNKNOWN), keys));
	cr_expect(!openid_jwt_key_missing(CLQ_STR("x.y.z"), keys));
}

Test(jwt, expires)
{
	clq_msec then = 2000000000LL * 1000;

	cr_expect(openid_jwt_current(arena, CLQ_STR(RS256), then - 1));
	cr_expect(!openid_jwt_current(arena, CLQ_STR(RS256), then));
	cr_expect(!openid_jwt_current(arena, CLQ_STR("x"), 0));
	cr_expect(!openid_jwt_current(arena, CLQ_STR("e30"), 0));
	cr_expect(openid_jwt_current(arena, CLQ_STR("e30.e30.x"), 0));
	cr_expect(!openid_jwt_current(arena, CLQ_STR("e30.W10.x"), 0));
}

/* ---- claims ------------------------------------------------------------ */

#define WHO	"\"iss\":\"https://i\",\"aud\":\"api\""

Test(claims, are_checked)
{
	static const struct {
		const char	*text;
		bool		 good;
	} cases[] = {
		{ "{" WHO "}", true },
		{ "{" WHO ",\"exp\":1001}", true },
		{ "{" WHO ",\"exp\":1000.5}", true },
		{ "{" WHO ",\"exp\":1000}", false },
		{ "{" WHO ",\"exp\":-1}", false },
		{ "{" WHO ",\"exp\":\"9999\"}", false },
		{ "{" WHO ",\"exp\":null}", false },
		{ "{" WHO ",\"nbf\":1059}", true },
		{ "{" WHO ",\"nbf\":1061}", false },
		{ "{" WHO ",\"nbf\":[]}", false },
		{ "{" WHO ",\"iat\":1059}", true },
		{ "{" WHO ",\"iat\":1061}", false },
		{ "{" WHO ",\"iat\":true}", false },
		{ "{\"iss\":\"https://i\",\"aud\":[\"x\",\"api\"]}", true },
		{ "{\"iss\":\"https://i\",\"aud\":[\"x\",1]}", false },
		{ "{\"iss\":\"https://i\",\"aud\":[]}", false },
		{ "{\"iss\":\"https://i\",\"aud\":{\"api\":1}}", false },
		{ "{\"iss\":\"https://i\",\"aud\":\"apis\"}", false },
		{ "{\"iss\":\"https://i\"}", false },
		{ "{\"iss\":\"https://i/\",\"aud\":\"api\"}", false },
		{ "{\"iss\":[\"https://i\"],\"aud\":\"api\"}", false },
		{ "{\"aud\":\"api\"}", false },
		{ "{}", false },
		{ "[]", false },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_eq(openid_claims_fault(parse(cases[i].text),
		    "https://i", "api", 1000000) == NULL, cases[i].good, "%s",
		    cases[i].text);
}
