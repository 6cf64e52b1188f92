/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, basic authentication, identity and principals: section 06-1, 2. */
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include "core/auth.h"
#include "core/tx.h"
#include "tests/support/loopback.h"
#include "tests/support/offer.h"

#include <criterion/criterion.h>

#define BASIC "project_version = 1.0\nmultiauth.policies = basicauth\n" \
	"userid_hmac_secret = b4c96a8692291d88fe5a97dd91846eb4\n"
#define MAT "Authorization: Basic bWF0OnNlY3IzdA=="
#define MAT_ID "9917721d56fd35ac8da6978b2a39b7753de1de55047897da6bd24d15952a" \
	"4190"

static enum clq_status
whoami(struct clq_request *req, void *ctx)
{
	struct clq_strs p = clq_request_principals(req);
	struct clq_buf b;

	(void)ctx;
	clq_buf_init(&b, clq_request_arena(req), 0);
	clq_buf_printf(&b, "%.*s", CLQ_FMT(clq_request_user(req)));
	for (size_t i = 0; i < p.n; i++)
		clq_buf_printf(&b, " %.*s", CLQ_FMT(p.items[i]));
	return clq_reply_raw(req, 200, "text/plain", clq_buf_str(&b));
}

static const char *
ask(struct loopback *lb, const char *headers)
{
	return loopback_body(loopback_send(lb, "GET", "/v1/whoami", headers,
	    NULL));
}

static struct loopback
server(const char *ini)
{
	struct loopback lb = loopback_new(ini);

	loopback_view(&lb, CLQ_METHOD_GET, "/whoami", whoami, NULL);
	return lb;
}

Test(auth, basic_gives_the_reference_user_id)
{
	struct loopback lb = server(BASIC);

	cr_expect_str_eq(ask(&lb, MAT), "basicauth:" MAT_ID
	    " system.Everyone system.Authenticated basicauth:" MAT_ID);
	cr_expect_str_eq(ask(&lb, "Authorization:  bAsIc   bWF0OnNlY3IzdA== "),
	    "basicauth:" MAT_ID " system.Everyone system.Authenticated "
	    "basicauth:" MAT_ID);
	cr_expect_str_eq(ask(&lb, NULL), " system.Everyone");
	loopback_free(&lb);
}

Test(auth, wrong_credentials_are_nobody)
{
	static const char *const t[] = { "Authorization:",
		"Authorization: Basic", "Authorization: Basic !!!!",
		"Authorization: Bearer bWF0OnNlY3IzdA==",
		"Authorization: bWF0OnNlY3IzdA==",
		"Authorization: Basic bWF0",		/* mat */
		"Authorization: Basic OnNlY3JldA==",	/* :secret */
		"Authorization: Basic bWF0OnNlY3IzdA== x" };
	struct loopback lb = server(BASIC);

	for (size_t i = 0; i < CLQ_COUNT(t); i++)
		cr_expect_str_eq(ask(&lb, t[i]), " system.Everyone", "%s",
		    t[i]);
	loopback_free(&lb);
}

static struct clq_str user, password;

static enum clq_status
credentials(struct clq_request *req, void *ctx)
{
	*(bool *)ctx = clq_basic_credentials(req, &user, &password);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(auth, credentials_are_split_and_recoded)
{
	static const struct {
		struct clq_str	 text;
		const char	*user, *password;
	} t[] = {
		{ CLQ_STR("a:"), "a", "" },
		{ CLQ_STR("a:b:c"), "a", "b:c" },
		{ CLQ_STR("ren\xc3\xa9:x"), "ren\xc3\xa9", "x" },
		{ CLQ_STR("ren\xe9:\xe0"), "ren\xc3\xa9", "\xc3\xa0" },
	};
	struct loopback lb = loopback_new(BASIC);
	bool found = false;

	loopback_view(&lb, CLQ_METHOD_GET, "/c", credentials, &found);
	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		(void)loopback_send(&lb, "GET", "/v1/c",
		    clq_arena_printf(lb.arena, "Authorization: Basic %.*s",
		    CLQ_FMT(clq_base64_encode(lb.arena, t[i].text))).p, NULL);
		cr_assert(found);
		cr_expect(clq_str_is(user, t[i].user));
		cr_expect(clq_str_is(password, t[i].password));
	}
	loopback_free(&lb);
}

static enum clq_status
refuse(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_fail(req, 104, NULL);
}

Test(auth, refusals_carry_a_challenge_per_policy)
{
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth other\n"
	    "multiauth.policy.other.use = "
	    "kinto.core.authentication.BasicAuthAuthenticationPolicy\n"
	    "userid_hmac_secret = x\n");
	struct loopback none = loopback_new("project_version = 1.0\n");
	struct clq_request *req;
	size_t n = 0;

	loopback_view(&lb, CLQ_METHOD_GET, "/no", refuse, NULL);
	loopback_view(&none, CLQ_METHOD_GET, "/no", refuse, NULL);
	req = loopback_send(&lb, "GET", "/v1/no", NULL, NULL);
	cr_expect_eq(req->response.status, 401);
	for (size_t i = 0; i < req->response.headers.n; i++)
		if (clq_str_is(req->response.headers.items[i].name,
		    "WWW-Authenticate")) {
			n++;
			cr_expect(clq_str_is(
			    req->response.headers.items[i].value,
			    "Basic realm=\"Realm\""));
		}
	cr_expect_eq(n, 2u);
	req = loopback_send(&none, "GET", "/v1/no", NULL, NULL);
	cr_expect_eq(req->response.status, 401);
	cr_expect_null(loopback_header(req, "WWW-Authenticate"));
	loopback_free(&lb);
	loopback_free(&none);
}

Test(auth, private_services_want_a_user)
{
	struct loopback lb = loopback_new(BASIC);
	struct clq_request *req;

	loopback_service(&lb, "/private", (struct clq_verb){ CLQ_METHOD_GET,
	    whoami, CLQ_TX_READ }, CLQ_SERVICE_PRIVATE, NULL);
	req = loopback_send(&lb, "GET", "/v1/private", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":401,\"errno\":104,"
	    "\"error\":\"Unauthorized\",\"message\":\"Please authenticate "
	    "yourself to use this endpoint.\"}");
	req = loopback_send(&lb, "GET", "/v1/private", MAT, NULL);
	cr_expect_eq(req->response.status, 200);
	/* preflight and a wrong verb need nobody */
	req = loopback_send(&lb, "PUT", "/v1/private", NULL, NULL);
	cr_expect_eq(req->response.status, 405);
	req = loopback_send(&lb, "OPTIONS", "/v1/private",
	    "Origin: x\nAccess-Control-Request-Method: GET", NULL);
	cr_expect_eq(req->response.status, 200);
	loopback_free(&lb);
}

Test(auth, bad_configurations_do_not_start)
{
	cr_expect_eq(loopback_try("project_version = 1.0\n"
	    "multiauth.policies = basicauth\n"), CLQ_INVALID, "no secret");
	cr_expect_eq(loopback_try("project_version = 1.0\n"
	    "multiauth.policies = nobody\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(BASIC "multiauth.policy.basicauth.use = "
	    "some.class\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(BASIC "multiauth.policy.basicauth.use = "
	    "cliquet.authentication.BasicAuthAuthenticationPolicy\n"),
	    CLQ_OK);
}

/* ---- a policy of one's own ------------------------------------------------ */

static int asked;
static bool signed_up;

static enum clq_status
token_authenticate(struct clq_request *req, void *self,
    struct clq_str *userid)
{
	struct clq_str h = clq_request_header(req, "Authorization");
	void *unused;

	(void)self;
	asked++;
	if (clq_str_is(h, "Token broken"))
		return CLQ_UNAVAILABLE;
	if (clq_str_is(h, "Token stored") &&
	    clq_storage(req, &unused) == NULL)
		return CLQ_UNAVAILABLE;
	if (!clq_str_starts(h, "Token ") ||
	    (clq_str_is(h, "Token new") && !signed_up))
		return CLQ_NOT_FOUND;
	*userid = clq_str_sub(h, 6, h.len);
	return CLQ_OK;
}

static const struct clq_auth_kind token = {
	.size = sizeof token, .name = "token",
	.authenticate = token_authenticate, .challenge = "Token",
};

static enum clq_status
token_setup(struct clq_server *srv)
{
	enum clq_status rc = clq_add_auth_kind(srv, &token);

	cr_expect_eq(clq_add_auth_kind(srv, &token), CLQ_INVALID, "twice");
	return rc;
}

static const struct clq_app_ops token_app = { .size = sizeof token_app,
	.setup = token_setup };
static const struct clq_plugin token_plugin = { CLQ_PLUGIN_HEAD,
	.name = "token", .app = &token_app };

static struct loopback
token_server(void)
{
	offer(&token_plugin);
	return server("project_version = 1.0\nincludes = token\n"
	    "multiauth.policies = tok basicauth\n"
	    "multiauth.policy.tok.use = token\nuserid_hmac_secret = x\n"
	    "boss_create_principals = tok:ann /buckets/b/groups/g\n"
	    "all_create_principals = system.Authenticated\n");
}

Test(auth, policies_are_tried_in_order_and_name_the_user)
{
	struct loopback lb = token_server();

	cr_expect_str_eq(ask(&lb, "Authorization: Token ann"), "tok:ann "
	    "system.Everyone system.Authenticated tok:ann");
	cr_expect(clq_str_starts(clq_str_of(ask(&lb, MAT)), "basicauth:"));
	cr_expect_str_eq(clq_auth_policy(lb.srv, "token", 0), "tok");
	cr_expect_null(clq_auth_policy(lb.srv, "token", 1));
	cr_expect_str_eq(clq_auth_policy(lb.srv, "basicauth", 0),
	    "basicauth");
	loopback_free(&lb);
}

Test(auth, a_policy_that_cannot_tell_makes_503)
{
	struct loopback lb = token_server();
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v1/whoami",
	    "Authorization: Token broken", NULL);
	cr_expect_eq(req->response.status, 503);
	cr_expect_eq(req->error.errno_, 201);
	cr_expect_not_null(loopback_header(req, "Retry-After"));
	loopback_free(&lb);
}

Test(auth, nobody_is_asked_before_routing)
{
	struct loopback lb = token_server();

	asked = 0;
	(void)loopback_send(&lb, "GET", "/v1/nothing",
	    "Authorization: Token ann", NULL);
	(void)loopback_send(&lb, "PUT", "/v1/whoami",
	    "Authorization: Token ann", NULL);
	(void)loopback_send(&lb, "GET", "/v1/__lbheartbeat__",
	    "Authorization: Token ann", NULL);
	cr_expect_eq(asked, 0);
	loopback_free(&lb);
}

Test(auth, a_batch_asks_once_per_header)
{
	struct loopback lb = token_server();
	struct clq_request *req;

	asked = 0;
	req = loopback_send(&lb, "POST", "/v1/batch",
	    "Authorization: Token ann", "{\"requests\":["
	    "{\"path\":\"/whoami\"},{\"path\":\"/whoami\"},"
	    "{\"path\":\"/whoami\",\"headers\":"
	    "{\"authorization\":\"Token bob\"}},"
	    "{\"path\":\"/whoami\"}]}");
	cr_expect_eq(req->response.status, 200);
	cr_expect_eq(asked, 2);
	cr_expect_not_null(strstr(loopback_body(req), "\"body\":\"tok:bob "));
	cr_expect_not_null(strstr(loopback_body(req), "\"body\":\"tok:ann "));
	loopback_free(&lb);
}

static enum clq_status
write_something(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_tx_write(req);

	(void)ctx;
	return rc != CLQ_OK ? rc : clq_reply(req, 200, CLQ_STR("{}"));
}

/* What a policy reads is over before others have to wait for the request. */
Test(auth, policies_read_outside_of_the_transaction)
{
	struct loopback lb = token_server();
	struct fake_backend fake = { .open = 0 };

	loopback_fake(&lb, &fake);
	loopback_service(&lb, "/write", (struct clq_verb){ CLQ_METHOD_POST,
	    write_something, CLQ_TX_WRITE }, 0, NULL);
	loopback_service(&lb, "/late", (struct clq_verb){ CLQ_METHOD_POST,
	    write_something, CLQ_TX_READ }, 0, NULL);
	(void)loopback_send(&lb, "POST", "/v1/write",
	    "Authorization: Token stored", NULL);
	cr_expect_str_eq(fake.log, "begin(read) abort begin(write) commit");
	fake.log[0] = '\0';
	(void)loopback_send(&lb, "POST", "/v1/write",
	    "Authorization: Token ann", NULL);
	cr_expect_str_eq(fake.log, "begin(write) commit", "it read nothing");
	fake.log[0] = '\0';
	(void)loopback_send(&lb, "POST", "/v1/batch",
	    "Authorization: Token stored", "{\"requests\":["
	    "{\"path\":\"/write\",\"method\":\"POST\"}]}");
	cr_expect(clq_str_starts(clq_str_of(fake.log),
	    "begin(read) abort begin(write)"), "%s", fake.log);
	fake.log[0] = '\0';
	(void)loopback_send(&lb, "POST", "/v1/batch", NULL, "{\"requests\":["
	    "{\"path\":\"/write\",\"method\":\"POST\"},"
	    "{\"path\":\"/write\",\"method\":\"POST\",\"headers\":"
	    "{\"Authorization\":\"Token stored\"}}]}");
	cr_expect(clq_str_starts(clq_str_of(fake.log), "begin(read) abort "
	    "begin(write) mark release mark"), "all at first: %s", fake.log);
	loopback_free(&lb);
}

static enum clq_status
sign_up(struct clq_request *req, void *ctx)
{
	enum clq_status rc = clq_tx_write(req);

	(void)ctx;
	signed_up = true;
	req->tx->wrote = true;
	return rc != CLQ_OK ? rc : clq_reply(req, 201, CLQ_STR("{}"));
}

Test(auth, credentials_made_in_a_batch_are_good_in_it)
{
	struct loopback lb = token_server();
	struct clq_request *req;

	signed_up = false;
	loopback_service(&lb, "/sign_up", (struct clq_verb){ CLQ_METHOD_POST,
	    sign_up, CLQ_TX_WRITE }, 0, NULL);
	req = loopback_send(&lb, "POST", "/v1/batch", NULL, "{\"requests\":["
	    "{\"path\":\"/sign_up\",\"method\":\"POST\"},"
	    "{\"path\":\"/whoami\",\"headers\":"
	    "{\"Authorization\":\"Token new\"}}]}");
	cr_expect_not_null(strstr(loopback_body(req), "\"body\":\"tok:new "));
	loopback_free(&lb);
}

/* Who needs nobody is not troubled by a policy that cannot tell. */
Test(auth, a_batch_fails_only_if_an_unknown_caller_matters)
{
	struct loopback lb = token_server();

	loopback_service(&lb, "/write", (struct clq_verb){ CLQ_METHOD_POST,
	    write_something, CLQ_TX_WRITE }, 0, NULL);
	cr_expect_eq(loopback_send(&lb, "POST", "/v1/batch",
	    "Authorization: Token broken", "{\"requests\":["
	    "{\"path\":\"/nothing\",\"method\":\"POST\"}]}")->response.status,
	    200);
	cr_expect_eq(loopback_send(&lb, "POST", "/v1/batch",
	    "Authorization: Token broken", "{\"requests\":["
	    "{\"path\":\"/write\",\"method\":\"POST\"}]}")->response.status,
	    503);
	loopback_free(&lb);
}

static const char *
challenge_of(void *self)
{
	(void)self;
	return "Token realm=\"of options\"";
}

static const struct clq_auth_kind varied = {
	.size = sizeof varied, .name = "varied",
	.authenticate = token_authenticate, .challenge = "Token",
	.challenge_of = challenge_of,
};

static enum clq_status
varied_setup(struct clq_server *srv)
{
	return clq_add_auth_kind(srv, &varied);
}

static const struct clq_app_ops varied_app = { .size = sizeof varied_app,
	.setup = varied_setup };
static const struct clq_plugin varied_plugin = { CLQ_PLUGIN_HEAD,
	.name = "varied", .app = &varied_app };

Test(auth, a_challenge_may_depend_on_options)
{
	struct loopback lb;

	offer(&varied_plugin);
	lb = loopback_new("project_version = 1.0\nincludes = varied\n"
	    "multiauth.policies = varied\n");
	loopback_view(&lb, CLQ_METHOD_GET, "/no", refuse, NULL);
	cr_expect_str_eq(loopback_header(loopback_send(&lb, "GET", "/v1/no",
	    NULL, NULL), "WWW-Authenticate"), "Token realm=\"of options\"");
	loopback_free(&lb);
}

/* "mat:secr3t" and what looks like it up to a NUL are two users. */
Test(auth, a_nul_cuts_nothing_off)
{
	struct loopback lb = server(BASIC);
	const char *id = ask(&lb, "Authorization: Basic "
	    "bWF0OnNlY3IzdAB4");	/* mat:secr3t NUL x */

	cr_expect(clq_str_starts(clq_str_of(id), "basicauth:"));
	cr_expect(!clq_str_starts(clq_str_of(id), "basicauth:" MAT_ID));
	loopback_free(&lb);
}

static enum clq_status
allowed(struct clq_request *req, void *ctx)
{
	struct clq_lookup l = { .arena = clq_request_arena(req) };

	if (clq_tx_lookup(req, &l) != CLQ_OK)
		return CLQ_FAILED;
	return clq_reply(req, clq_request_allowed(req, ctx) ? 200 : 202,
	    CLQ_STR("{}"));
}

Test(auth, settings_list_principals_and_groups)
{
	static char boss[] = "boss_create_principals",
		all[] = "all_create_principals", none[] = "x_y_principals";
	struct clq_str group = CLQ_STR("/buckets/b/groups/g");
	struct loopback lb = token_server();
	struct fake_backend fake = { .groups = { 0 } };

	loopback_fake(&lb, &fake);
	loopback_view(&lb, CLQ_METHOD_GET, "/boss", allowed, boss);
	loopback_view(&lb, CLQ_METHOD_GET, "/all", allowed, all);
	loopback_view(&lb, CLQ_METHOD_GET, "/none", allowed, none);
#define STATUS(url, who) loopback_send(&lb, "GET", url, who, \
	NULL)->response.status
	cr_expect_eq(STATUS("/v1/boss", "Authorization: Token ann"), 200);
	cr_expect_eq(STATUS("/v1/boss", "Authorization: Token bob"), 202);
	cr_expect_eq(STATUS("/v1/boss", NULL), 202);
	cr_expect_eq(STATUS("/v1/all", "Authorization: Token bob"), 200);
	cr_expect_eq(STATUS("/v1/all", NULL), 202);
	cr_expect_eq(STATUS("/v1/none", "Authorization: Token ann"), 202);
	fake.groups = (struct clq_strs){ &group, 1, 0 };
	cr_expect_eq(STATUS("/v1/boss", "Authorization: Token bob"), 200);
	loopback_free(&lb);
}
