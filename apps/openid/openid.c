/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in with OpenID Connect (section 06-8): a policy that takes access
 * tokens, and two endpoints with which browsers get them. A plugin.
 *
 * Each policy of the kind is one provider. Setup reads their options, asks
 * each for its metadata and announces them in hello.
 */
#include "openid.h"

static const struct clq_verb login_verbs[] = {
	{ CLQ_METHOD_GET, openid_login, CLQ_TX_READ },
};
static const struct clq_verb token_verbs[] = {
	{ CLQ_METHOD_GET, openid_token, CLQ_TX_READ },
};

#define OPTION(name)	"multiauth.policy.*." name
static const struct clq_setting settings[] = {
	{ OPTION("issuer"), CLQ_SET_STR, NULL, 0, 0, NULL,
	  "OpenID: URL of the provider." },
	{ OPTION("client_id"), CLQ_SET_STR, NULL, 0, 0, NULL,
	  "OpenID: what the provider calls this server." },
	{ OPTION("client_secret"), CLQ_SET_SECRET, NULL, 0, 0, NULL,
	  "OpenID: what it gave to prove that." },
	{ OPTION("audience"), CLQ_SET_STR, NULL, 0, 0, NULL,
	  "OpenID: take only access tokens that are JWTs for this audience." },
	{ OPTION("header_type"), CLQ_SET_STR, NULL, 0, 0, NULL,
	  "OpenID: first word of the Authorization header (Bearer)." },
	{ OPTION("userid_field"), CLQ_SET_STR, NULL, 0, 0, NULL,
	  "OpenID: member of the profile that is the user id (sub)." },
	{ OPTION("verification_ttl_seconds"), CLQ_SET_INT, NULL, 1, 31536000,
	  "seconds", "OpenID: how long a verified token is remembered." },
	{ OPTION("state_ttl_seconds"), CLQ_SET_INT, NULL, 1, 86400, "seconds",
	  "OpenID: how long a login may take." },
	{ OPTION("state_length"), CLQ_SET_INT, NULL, 16, 64, "bytes",
	  "OpenID: random bytes that protect a login." },
	{ OPTION("allowed_scopes"), CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "OpenID: scopes that clients may ask for (openid email profile)." },
	{ OPTION("trusted_callback_urls"), CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "OpenID: where browsers may be sent with their tokens; * in host, "
	  "port and path (localhost and the admin console)." },
};

/* ---- providers --------------------------------------------------------- */

static bool
is_ours(const struct clq_settings *set, struct clq_arena *arena,
    struct clq_str name)
{
	struct clq_str use = clq_settings_str(set, clq_arena_printf(arena,
	    "multiauth.policy.%.*s.use", CLQ_FMT(name)).p);

	return clq_str_is(use.len > 0 ? use : name, openid_kind.name) ||
	    clq_str_is(use, openid_kind.aliases[0]);
}

/* The providers of `multiauth.policies`, in that order. */
static enum clq_status
make_providers(struct clq_server *srv, struct openid *o)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_strs names = clq_settings_list(set, "multiauth.policies");
	struct openid_provider **at = &o->first;
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < names.n; i++) {
		if (!is_ours(set, arena, names.items[i]))
			continue;
		if (openid_provider_new(srv, clq_arena_cstr(arena,
		    names.items[i]), at) == CLQ_OK)
			at = &(*at)->next;
		else
			rc = CLQ_INVALID;
	}
	return rc;
}

/* ---- capability -------------------------------------------------------- */

static void
add_member(struct clq_buf *b, const char *name, const char *value)
{
	clq_buf_printf(b, "\"%s\":", name);
	if (value != NULL)
		clq_buf_json_str(b, clq_str_of(value));
	else
		clq_buf_adds(b, "null");
}

static void
describe(struct clq_buf *b, const struct openid_provider *p)
{
	const struct openid_metadata *m = &p->metadata;

	clq_buf_addc(b, '{');
	add_member(b, "name", p->name);
	clq_buf_addc(b, ',');
	add_member(b, "issuer", m->issuer != NULL ? m->issuer : p->issuer);
	clq_buf_addc(b, ',');
	add_member(b, "auth_path", clq_arena_printf(b->arena,
	    "/openid/%.*s/login", CLQ_FMT(clq_url_encode(b->arena,
	    clq_str_of(p->name), "", false))).p);
	clq_buf_addc(b, ',');
	add_member(b, "client_id", p->client_id);
	clq_buf_addc(b, ',');
	add_member(b, "audience", p->audience);
	clq_buf_addc(b, ',');
	add_member(b, "header_type", p->header_type);
	clq_buf_addc(b, ',');
	add_member(b, "userinfo_endpoint", m->userinfo);
	clq_buf_addc(b, '}');
}

static enum clq_status
announce(struct clq_server *srv, const struct openid *o)
{
	struct clq_buf b;

	clq_buf_init(&b, clq_server_arena(srv), 512);
	clq_buf_adds(&b, "{\"providers\":[");
	for (const struct openid_provider *p = o->first; p; p = p->next) {
		describe(&b, p);
		clq_buf_adds(&b, p->next != NULL ? "," : "");
	}
	clq_buf_adds(&b, "]}");
	return clq_add_capability(srv, "openid", "OpenID connect support.",
	    "https://kinto.readthedocs.io/en/stable/api/1.x/"
	    "authentication.html", clq_arena_cstr(clq_server_arena(srv),
	    clq_buf_str(&b)));
}

/* ---- setup ------------------------------------------------------------- */

static enum clq_status
add_services(struct clq_server *srv, struct openid *o)
{
	struct clq_service login = {
		.size = sizeof login, .name = "openid_login",
		.path = "/openid/{provider}/login", .verbs = login_verbs,
		.nverbs = CLQ_COUNT(login_verbs),
		.flags = CLQ_SERVICE_NO_TX, .ctx = o,
		.description = "Begin to log in: redirects to the provider.",
		.openapi = "{\"get\":{\"tags\":[\"OpenID\"],\"security\":[],"
			"\"produces\":[\"text/plain\"],\"parameters\":[{"
			"\"name\":\"callback\",\"in\":\"query\",\"type\":"
			"\"string\",\"required\":true,\"description\":"
			"\"Where to go in the end; the token is "
			"appended.\"},{\"name\":\"scope\",\"in\":"
			"\"query\",\"type\":\"string\",\"required\":"
			"true},{\"name\":\"prompt\",\"in\":\"query\","
			"\"type\":\"string\",\"required\":false,"
			"\"description\":\"`none`: do not ask.\"}],"
			"\"responses\":{\"307\":{\"description\":\"Go on "
			"there.\",\"headers\":{\"Location\":{\"type\":"
			"\"string\"}}},\"400\":{\"$ref\":"
			"\"#/responses/400\"}}}}",
	};
	struct clq_service token = {
		.size = sizeof token, .name = "openid_token",
		.path = "/openid/{provider}/token", .verbs = token_verbs,
		.nverbs = CLQ_COUNT(token_verbs),
		.flags = CLQ_SERVICE_NO_TX, .ctx = o,
		.description = "End of a login: redirects to the client.",
		.openapi = "{\"get\":{\"tags\":[\"OpenID\"],\"security\":[],"
			"\"produces\":[\"text/plain\"],\"parameters\":[{"
			"\"name\":\"code\",\"in\":\"query\",\"type\":"
			"\"string\",\"required\":false},{\"name\":"
			"\"state\",\"in\":\"query\",\"type\":\"string\","
			"\"required\":true},{\"name\":\"error\",\"in\":"
			"\"query\",\"type\":\"string\",\"required\":"
			"false},{\"name\":\"error_description\",\"in\":"
			"\"query\",\"type\":\"string\",\"required\":"
			"false}],\"responses\":{\"307\":{\"description\":"
			"\"Go on there.\",\"headers\":{\"Location\":{"
			"\"type\":\"string\"}}},\"400\":{\"$ref\":"
			"\"#/responses/400\"}}}}",
	};
	struct clq_service *kept = clq_arena_calloc(clq_server_arena(srv), 2,
	    sizeof *kept);
	enum clq_status rc;

	kept[0] = login;
	kept[1] = token;
	if ((rc = clq_add_service(srv, &kept[0])) != CLQ_OK)
		return rc;
	return clq_add_service(srv, &kept[1]);
}

static enum clq_status
setup(struct clq_server *srv)
{
	struct openid *o = clq_arena_alloc(clq_server_arena(srv), sizeof *o);
	enum clq_status rc;

	openid_loading = o;
	if ((rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings))) != CLQ_OK ||
	    (rc = clq_add_auth_kind(srv, &openid_kind)) != CLQ_OK ||
	    (rc = make_providers(srv, o)) != CLQ_OK ||
	    (rc = add_services(srv, o)) != CLQ_OK)
		return rc;
	for (struct openid_provider *p = o->first; p != NULL; p = p->next) {
		if (openid_provider_ready(p, clq_monotonic() +
		    OPENID_PATIENCE) != CLQ_OK)
			clq_log_warn("openid %s: the server starts without "
			    "it; logins and new tokens are refused until it "
			    "answers, and hello tells its endpoint after a "
			    "reload only", p->name);
		p->retry_at = 0;	/* of the master, not of workers */
	}
	openid_http_close();
	clq_add_user_info(srv, openid_user_info);
	return o->first != NULL ? announce(srv, o) : CLQ_OK;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "openid", .version = "1", .app = &app,
};
