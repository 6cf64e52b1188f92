/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider: its options, what it says about itself, and how patient we are
 * with it.
 *
 * Metadata is asked for when the server starts. If that fails, the server
 * starts all the same: others can still log in, and whoever needs the provider
 * makes us ask again. After a failure nobody asks for a while, and longer after
 * each, since every question that is not answered holds a worker for seconds.
 */
#include "openid.h"

enum {
	FIRST_DELAY = 5000,	/* ms without questions after a failure */
	LAST_DELAY = 60000
};

/* ---- options ----------------------------------------------------------- */

struct options {
	struct clq_server	*srv;
	const struct clq_settings *set;
	struct clq_arena	*arena;
	const char		*policy;
	bool			 wrong;		/* one is missing; said */
};

static const char *
key_of(const struct options *o, const char *option)
{
	return clq_arena_printf(o->arena, "multiauth.policy.%s.%s",
	    o->policy, option).p;
}

static const char *
text_option(const struct options *o, const char *option, const char *def)
{
	const char *value = clq_settings_cstr(o->set, key_of(o, option));

	return value != NULL && *value != '\0' ? value : def;
}

static const char *
required_option(struct options *o, const char *option)
{
	const char *value = text_option(o, option, NULL);

	if (value != NULL)
		return value;
	o->wrong = true;
	(void)clq_settings_error(clq_server_settings(o->srv),
	    key_of(o, option), "needed by the authentication policy \"%s\"",
	    o->policy);
	return "";
}

static int64_t
int_option(const struct options *o, const char *option, int64_t def)
{
	return clq_settings_int(o->set, key_of(o, option), def);
}

static void
read_options(struct options *o, struct openid_provider *p)
{
	p->issuer = required_option(o, "issuer");
	p->client_id = required_option(o, "client_id");
	p->client_secret = required_option(o, "client_secret");
	p->audience = text_option(o, "audience", "");
	p->header_type = text_option(o, "header_type", "Bearer");
	p->userid_field = text_option(o, "userid_field", "sub");
	p->verification_ttl = int_option(o, "verification_ttl_seconds",
	    86400) * 1000;
	p->state_ttl = int_option(o, "state_ttl_seconds", 3600) * 1000;
	p->state_length = (size_t)int_option(o, "state_length", 32);
	p->scopes = clq_settings_list(o->set, key_of(o, "allowed_scopes"));
	p->callbacks = clq_settings_list(o->set,
	    key_of(o, "trusted_callback_urls"));
	p->challenge = clq_arena_printf(o->arena, "%s realm=\"Realm\"",
	    p->header_type).p;
}

static bool
loopback(const char *url)
{
	struct clq_str s = clq_str_of(url);

	return clq_str_starts(s, "http://127.0.0.1") ||
	    clq_str_starts(s, "http://localhost") ||
	    clq_str_starts(s, "http://[::1]");
}

static enum clq_status
check_issuer(struct options *o, const char *issuer)
{
	struct clq_str s = clq_str_of(issuer);
	bool http = clq_str_starts(s, "http://");

	if (s.len > OPENID_MAX_URL || !openid_is_url(s) ||
	    !(http || clq_str_starts(s, "https://")))
		return clq_settings_error(clq_server_settings(o->srv),
		    key_of(o, "issuer"), "\"%s\" is not an https URL",
		    issuer);
	if (http && !loopback(issuer))
		clq_log_warn("%s: %s: without TLS anybody on the way can be "
		    "any user", key_of(o, "issuer"), issuer);
	return CLQ_OK;
}

static void
provider_free(void *ctx)
{
	struct openid_provider *p = ctx;

	clq_arena_free(&p->metadata_arena);
	clq_arena_free(&p->keys_arena);
}

enum clq_status
openid_provider_new(struct clq_server *srv, const char *name,
    struct openid_provider **out)
{
	struct options o = {
		.srv = srv, .set = clq_server_settings(srv),
		.arena = clq_server_arena(srv), .policy = name,
	};
	struct openid_provider *p = clq_arena_alloc(o.arena, sizeof *p);

	p->name = name;
	read_options(&o, p);
	if (o.wrong || check_issuer(&o, p->issuer) != CLQ_OK)
		return CLQ_INVALID;
	p->metadata_arena = clq_arena_new();
	p->keys_arena = clq_arena_new();
	clq_arena_defer(o.arena, provider_free, p);
	*out = p;
	return CLQ_OK;
}

struct openid_provider *
openid_provider_find(const struct openid *o, struct clq_str name)
{
	struct openid_provider *p = o->first;

	while (p != NULL && !clq_str_is(name, p->name))
		p = p->next;
	return p;
}

/* ---- questions --------------------------------------------------------- */

enum clq_status
openid_provider_ask(struct openid_provider *p, struct clq_arena *arena,
    struct openid_call *call)
{
	enum clq_status rc;

	if (clq_monotonic() < p->retry_at)
		return CLQ_UNAVAILABLE;
	rc = openid_ask(arena, call);
	if (rc == CLQ_OK) {
		p->delay = 0;
		p->retry_at = 0;
		return rc;
	}
	if (rc == CLQ_INVALID) {
		clq_log_warn("openid %s: %s: the answer is too large",
		    p->name, call->url);
		return rc;
	}
	p->delay = p->delay == 0 ? FIRST_DELAY : p->delay * 2;
	if (p->delay > LAST_DELAY)
		p->delay = LAST_DELAY;
	p->retry_at = clq_monotonic() + p->delay;
	clq_log_err("openid %s: %s does not answer (%.*s); not asked again "
	    "for %lld seconds", p->name, call->url, CLQ_FMT(call->why),
	    (long long)p->delay / 1000);
	return CLQ_UNAVAILABLE;
}

/* ---- metadata ---------------------------------------------------------- */

/* A URL of the document: none that would take tokens or secrets where the
 * issuer's own TLS does not protect them. */
static const char *
url_member(struct clq_arena *arena, const cJSON *tree, const char *name,
    const char *issuer)
{
	struct clq_str s = clq_json_str(clq_json_get(tree, name));
	bool secure = strncmp(issuer, "https:", 6) == 0;

	if (s.p == NULL || s.len > OPENID_MAX_URL || !openid_is_url(s) ||
	    !(clq_str_starts(s, "https://") ||
	    (!secure && clq_str_starts(s, "http://"))))
		return NULL;
	return clq_arena_cstr(arena, s);
}

const char *
openid_metadata_read(struct clq_arena *arena, struct clq_str text,
    const char *issuer, struct openid_metadata *out)
{
	struct clq_str why, name;
	cJSON *tree;

	memset(out, 0, sizeof *out);
	if (clq_json_parse(arena, text, &tree, &why) != CLQ_OK ||
	    !cJSON_IsObject(tree))
		return "it is not a JSON object";
	name = clq_json_str(clq_json_get(tree, "issuer"));
	out->authorization = url_member(arena, tree,
	    "authorization_endpoint", issuer);
	out->token = url_member(arena, tree, "token_endpoint", issuer);
	out->userinfo = url_member(arena, tree, "userinfo_endpoint", issuer);
	out->jwks = url_member(arena, tree, "jwks_uri", issuer);
	if (name.len == 0)
		return "it has no issuer";
	if (out->authorization == NULL || out->token == NULL ||
	    out->userinfo == NULL)
		return "authorization_endpoint, token_endpoint or "
		    "userinfo_endpoint is missing, or no URL that can be "
		    "trusted";
	out->issuer = clq_arena_cstr(arena, name);
	return NULL;
}

/* Take over an answer's document. */
static enum clq_status
learn(struct openid_provider *p, const struct openid_call *call)
{
	const char *fault;

	clq_arena_reset(p->metadata_arena);
	if (call->status != 200)
		fault = "its status is not 200";
	else
		fault = openid_metadata_read(p->metadata_arena, call->body,
		    p->issuer, &p->metadata);
	if (fault == NULL && *p->audience != '\0' &&
	    p->metadata.jwks == NULL)
		fault = "jwks_uri, needed for the audience, is missing";
	if (fault == NULL)
		return CLQ_OK;
	memset(&p->metadata, 0, sizeof p->metadata);
	p->retry_at = clq_monotonic() + FIRST_DELAY;
	clq_log_err("openid %s: %s: %s (status %d): nobody can log in with "
	    "it", p->name, call->url, fault, call->status);
	return CLQ_UNAVAILABLE;
}

enum clq_status
openid_provider_ready(struct openid_provider *p, clq_msec deadline)
{
	struct openid_call call = { .follow = true, .deadline = deadline };
	struct clq_arena *arena;
	struct clq_str base = clq_str_of(p->issuer);
	enum clq_status rc;

	if (p->metadata.issuer != NULL)
		return CLQ_OK;
	if (clq_monotonic() < p->retry_at)
		return CLQ_UNAVAILABLE;
	while (clq_str_ends(base, "/"))
		base.len--;
	arena = clq_arena_new();
	call.url = clq_arena_printf(arena,
	    "%.*s/.well-known/openid-configuration", CLQ_FMT(base)).p;
	rc = openid_provider_ask(p, arena, &call);
	if (rc == CLQ_OK)
		rc = learn(p, &call);
	else if (rc == CLQ_INVALID)
		p->retry_at = clq_monotonic() + FIRST_DELAY;
	clq_arena_free(&arena);
	return rc == CLQ_OK ? CLQ_OK : CLQ_UNAVAILABLE;
}
