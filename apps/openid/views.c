/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dance of logging in (section 06-8): /openid/{provider}/login sends the
 * browser to the provider, which sends it to .../token with a code, which is
 * traded for tokens, with which the browser goes to where it came from.
 *
 * A state ties the two together; it is random, lives in the cache and is good
 * once. Browsers are sent to trusted callbacks only.
 */
#include "openid.h"

enum { MAX_STATE = 256 };	/* bytes of a state that we look up */

/* ---- parameters -------------------------------------------------------- */

/* A parameter that must not be empty; else collected. */
static struct clq_str
required(struct clq_request *req, const char *name)
{
	struct clq_str value = clq_request_param(req, name);

	if (value.len == 0)
		(void)clq_invalid(req, "querystring", clq_str_of(name),
		    "Required");
	return value;
}

static struct openid_provider *
provider_of(struct clq_request *req, const struct openid *o)
{
	struct clq_str name = clq_request_var(req, "provider");
	struct openid_provider *p = openid_provider_find(o, name);

	if (p == NULL)
		(void)clq_invalid(req, "path", CLQ_STR("provider"),
		    "Unknown provider '%.*s'", CLQ_FMT(name));
	return p;
}

static struct clq_str
callback_param(struct clq_request *req)
{
	struct clq_str url = required(req, "callback");

	if (url.len > OPENID_MAX_URL)
		(void)clq_invalid(req, "querystring", CLQ_STR("callback"),
		    "Longer than maximum length %d", OPENID_MAX_URL);
	else if (url.len > 0 && !openid_is_url(url))
		(void)clq_invalid(req, "querystring", CLQ_STR("callback"),
		    "Must be a URL");
	return url;
}

/* ---- URLs -------------------------------------------------------------- */

static void
add_param(struct clq_buf *b, const char *name, struct clq_str value)
{
	if (b->len > 0)
		clq_buf_addc(b, '&');
	clq_buf_printf(b, "%s=", name);
	clq_buf_add(b, clq_url_encode(b->arena, value, "", true));
}

/* Our own .../openid/<provider>/token, as the provider must call it. */
static struct clq_str
token_url(struct clq_request *req, const struct openid_provider *p)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str path = clq_request_path(req);
	struct clq_str name = clq_url_encode(arena, clq_str_of(p->name), "",
	    false);

	path.len = clq_str_search(path, CLQ_STR("/openid/"));
	return clq_absolute_url(req, clq_arena_printf(arena,
	    "%.*s/openid/%.*s/token", CLQ_FMT(path), CLQ_FMT(name)));
}

/* ---- login ------------------------------------------------------------- */

static bool
scope_has(struct clq_str scope, const char *word)
{
	struct clq_str item;

	while (clq_str_next_word(&scope, &item))
		if (clq_str_is(item, word))
			return true;
	return false;
}

/* Clients get no tokens for more than logging in. */
static enum clq_status
check_scope(struct clq_request *req, const struct openid_provider *p,
    struct clq_str scope)
{
	struct clq_str rest = scope, item;
	struct clq_buf unknown;

	clq_buf_init(&unknown, clq_request_arena(req), 0);
	while (clq_str_next_word(&rest, &item)) {
		if (p->scopes.n > 0 ? clq_strs_has(p->scopes, item) :
		    scope_has(CLQ_STR("openid email profile"),
		    clq_arena_cstr(clq_request_arena(req), item)))
			continue;
		clq_buf_adds(&unknown, unknown.len > 0 ? ", " : "");
		clq_buf_add(&unknown, item);
	}
	if (unknown.len > 0)
		return clq_invalid(req, "body", CLQ_STR("scope"),
		    "Scopes not allowed: %.*s",
		    CLQ_FMT(clq_buf_str(&unknown)));
	return CLQ_OK;
}

/* Unless the operator names others: programs on the user's own machine, and
 * the admin console if it is served here. */
static struct clq_strs
trusted_callbacks(struct clq_request *req, const struct openid_provider *p)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_strs includes = clq_settings_list(
	    clq_server_settings(clq_request_server(req)), "includes");
	struct clq_strs trusted = { NULL, 0, 0 };
	struct clq_str path = clq_request_path(req);

	if (p->callbacks.n > 0)
		return p->callbacks;
	path.len = clq_str_search(path, CLQ_STR("/openid/"));
	clq_strs_add(arena, &trusted, CLQ_STR("http://localhost:*/*"));
	clq_strs_add(arena, &trusted, CLQ_STR("http://127.0.0.1:*/*"));
	if (clq_strs_has(includes, CLQ_STR("admin")) ||
	    clq_strs_has(includes, CLQ_STR("kinto.plugins.admin")))
		clq_strs_add(arena, &trusted, clq_absolute_url(req,
		    clq_arena_printf(arena, "%.*s/admin/*", CLQ_FMT(path))));
	return trusted;
}

static enum clq_status
check_login(struct clq_request *req, const struct openid_provider *p,
    struct clq_str scope, struct clq_str callback)
{
	enum clq_status rc;

	if ((rc = check_scope(req, p, scope)) != CLQ_OK)
		return rc;
	if (!openid_callback_trusted(clq_request_arena(req), callback,
	    trusted_callbacks(req, p)))
		return clq_invalid(req, "body", CLQ_STR("callback"),
		    "Untrusted callback URL");
	if (strcmp(p->userid_field, "email") == 0 &&
	    !scope_has(scope, "email"))
		return clq_invalid(req, "body", CLQ_STR("scope"),
		    "Provider %s requires 'email' scope", p->name);
	return CLQ_OK;
}

/* A new state under which the callback can be found, once. */
static enum clq_status
make_state(struct clq_request *req, const struct openid_provider *p,
    struct clq_str callback, struct clq_str *state)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_buf value;

	*state = clq_random_hex(arena, p->state_length);
	clq_buf_init(&value, arena, callback.len + 2);
	clq_buf_json_str(&value, callback);
	return clq_cache_set(req, clq_arena_printf(arena, "openid:state:%.*s",
	    CLQ_FMT(*state)), clq_buf_str(&value), p->state_ttl);
}

enum clq_status
openid_login(struct clq_request *req, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str callback = callback_param(req);
	struct openid_provider *p = provider_of(req, ctx);
	struct clq_str scope = required(req, "scope"), state;
	struct clq_str prompt = clq_request_param(req, "prompt");
	struct clq_buf query;
	enum clq_status rc;

	if (prompt.len > 0 && !clq_str_is(prompt, "none"))
		(void)clq_invalid(req, "querystring", CLQ_STR("prompt"),
		    "String does not match expected pattern");
	if (p == NULL || callback.len == 0 || scope.len == 0 ||
	    callback.len > OPENID_MAX_URL || !openid_is_url(callback) ||
	    (prompt.len > 0 && !clq_str_is(prompt, "none")))
		return CLQ_INVALID;
	if ((rc = check_login(req, p, scope, callback)) != CLQ_OK ||
	    (rc = openid_provider_ready(p, clq_monotonic() +
	    OPENID_PATIENCE)) != CLQ_OK ||
	    (rc = make_state(req, p, callback, &state)) != CLQ_OK)
		return rc;
	clq_buf_init(&query, arena, 512);
	add_param(&query, "client_id", clq_str_of(p->client_id));
	add_param(&query, "response_type", CLQ_STR("code"));
	add_param(&query, "scope", scope);
	add_param(&query, "redirect_uri", token_url(req, p));
	add_param(&query, "state", state);
	if (prompt.len > 0)
		add_param(&query, "prompt", prompt);
	if (*p->audience != '\0')
		add_param(&query, "audience", clq_str_of(p->audience));
	return clq_redirect(req, clq_arena_printf(arena, "%s%c%.*s",
	    p->metadata.authorization,
	    strchr(p->metadata.authorization, '?') != NULL ? '&' : '?',
	    CLQ_FMT(clq_buf_str(&query))));
}

/* ---- token ------------------------------------------------------------- */

/* 400 whose only detail tells that it is about authentication. */
static enum clq_status
bad_state(struct clq_request *req)
{
	enum clq_status rc = clq_fail(req, CLQ_ERRNO_INVALID_PARAMETERS,
	    "Invalid state");
	cJSON *details = clq_json_own(clq_request_arena(req),
	    cJSON_CreateArray());
	cJSON *detail = cJSON_CreateObject();

	cJSON_AddItemToArray(details, detail);
	clq_json_set(detail, "location", clq_json_new_str(CLQ_STR("body")));
	clq_json_set(detail, "name", clq_json_new_str(CLQ_STR("state")));
	clq_json_set(detail, "description",
	    clq_json_new_str(CLQ_STR("Invalid state")));
	clq_json_set(detail, "errno",
	    clq_json_new_int(CLQ_ERRNO_INVALID_AUTH_TOKEN));
	clq_fail_as(req, 0, "Invalid parameters");
	clq_fail_details(req, details);
	return rc;
}

/* Use the state up; the callback it stands for. */
static enum clq_status
take_state(struct clq_request *req, struct clq_str state,
    struct clq_str *callback)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str text, why;
	enum clq_status rc;
	cJSON *value;

	if (state.len > MAX_STATE)
		return bad_state(req);
	rc = clq_cache_take(req, clq_arena_printf(arena, "openid:state:%.*s",
	    CLQ_FMT(state)), &text);
	if (rc == CLQ_UNAVAILABLE)
		return rc;
	if (rc != CLQ_OK || clq_json_parse(arena, text, &value, &why) !=
	    CLQ_OK || !cJSON_IsString(value))
		return bad_state(req);
	*callback = clq_json_str(value);
	return CLQ_OK;
}

static enum clq_status
send_back(struct clq_request *req, struct clq_str callback,
    struct clq_str what)
{
	return clq_redirect(req, clq_arena_printf(clq_request_arena(req),
	    "%.*s%.*s", CLQ_FMT(callback), CLQ_FMT(what)));
}

/* The provider would not: tell the client. */
static enum clq_status
forward_error(struct clq_request *req, struct clq_str callback,
    struct clq_str error)
{
	struct clq_str text = clq_request_param(req, "error_description");
	struct clq_buf b;

	clq_buf_init(&b, clq_request_arena(req), 128);
	add_param(&b, "error", error);
	if (text.len > 0)
		add_param(&b, "error_description", text);
	return send_back(req, callback, clq_buf_str(&b));
}

/* Ask for the tokens; the provider's answer is the client's, good or bad. */
static enum clq_status
trade(struct clq_request *req, struct openid_provider *p,
    struct clq_str code, clq_msec deadline, struct clq_str *answer)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct openid_call call = {
		.url = p->metadata.token, .deadline = deadline,
	};
	enum clq_status rc;
	struct clq_buf form;

	clq_buf_init(&form, arena, 512);
	add_param(&form, "code", code);
	add_param(&form, "client_id", clq_str_of(p->client_id));
	add_param(&form, "client_secret", clq_str_of(p->client_secret));
	add_param(&form, "redirect_uri", token_url(req, p));
	add_param(&form, "grant_type", CLQ_STR("authorization_code"));
	call.form = clq_arena_cstr(arena, clq_buf_str(&form));
	rc = openid_provider_ask(p, arena, &call);
	if (rc == CLQ_OK && call.status >= 500) {
		clq_log_err("openid %s: %s: status %d", p->name, call.url,
		    call.status);
		rc = CLQ_UNAVAILABLE;
	}
	/* it travels in a header, which web servers bound */
	if (rc == CLQ_OK && call.body.len > OPENID_MAX_TOKEN * 2) {
		clq_log_err("openid %s: %s: the answer is too large", p->name,
		    call.url);
		rc = CLQ_UNAVAILABLE;
	}
	*answer = call.body;
	return rc == CLQ_INVALID ? CLQ_UNAVAILABLE : rc;
}

enum clq_status
openid_token(struct clq_request *req, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	clq_msec deadline = clq_monotonic() + OPENID_PATIENCE;
	struct openid_provider *p = provider_of(req, ctx);
	struct clq_str state = required(req, "state");
	struct clq_str code = clq_request_param(req, "code");
	struct clq_str error = clq_request_param(req, "error");
	struct clq_str callback, answer;
	enum clq_status rc;

	if (state.len > 0 && (code.len > 0) == (error.len > 0))
		(void)clq_invalid(req, "querystring", CLQ_STR(""), "Provide "
		    "either 'state' and 'code', or 'error' and "
		    "'error_description', but not both.");
	if (p == NULL || state.len == 0 || (code.len > 0) == (error.len > 0))
		return CLQ_INVALID;
	if (error.len > 0) {
		if ((rc = take_state(req, state, &callback)) != CLQ_OK)
			return rc;
		return forward_error(req, callback, error);
	}
	if ((rc = openid_provider_ready(p, deadline)) != CLQ_OK ||
	    (rc = take_state(req, state, &callback)) != CLQ_OK ||
	    (rc = trade(req, p, code, deadline, &answer)) != CLQ_OK)
		return rc;
	return send_back(req, callback, clq_url_encode(arena,
	    clq_base64_encode(arena, answer), "/", false));
}
