/* SPDX-License-Identifier: Apache-2.0 */
/* Root URL and utility endpoints: sections 07-1 to 07-3. */
#include <cliquet/str.h>

#include "core/hello.h"
#include "core/settings_load.h"
#include "core/tx.h"
#include "tests/support/loopback.h"
#include "tests/support/offer.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SETTINGS "\"settings\":{\"batch_max_requests\":25," \
	"\"readonly\":false,\"explicit_permissions\":true"

static const char *
body(struct loopback *lb, const char *url, const char *headers)
{
	return loopback_body(loopback_send(lb, "GET", url, headers, NULL));
}

Test(hello, shows_the_service)
{
	struct loopback lb = loopback_new("project_name = shrooms\n"
	    "project_version = 2.0.1\nproject_docs = http://docs/\n");

	cr_expect_str_eq(body(&lb, "/v2/", "Host: h:8888"),
	    "{\"project_name\":\"shrooms\",\"project_version\":\"2.0.1\","
	    "\"http_api_version\":\"2.0\",\"project_docs\":\"http://docs/\","
	    "\"url\":\"http://h:8888/v2/\",\"config\":null," SETTINGS
	    "},\"capabilities\":{}}");
	loopback_free(&lb);
}

Test(hello, version_of_the_api_makes_the_prefix)
{
	static const struct { const char *ini, *url; } t[] = {
		{ "project_version = 0.0.1\n", "/v0/" },
		{ "project_version = 3.7.2\n", "/v3/" },
		{ "project_version = 3.7.2\nhttp_api_version = 1.23\n",
		    "/v1/" },
		{ "project_version = 12\n", "/v12/" },
	};

	for (size_t i = 0; i < CLQ_COUNT(t); i++) {
		struct loopback lb = loopback_new(t[i].ini);

		cr_expect_eq(loopback_send(&lb, "GET", t[i].url, NULL, NULL)->
		    response.status, 200);
		loopback_free(&lb);
	}
	cr_expect_eq(loopback_try("project_version = x\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("project_version = -1.0\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("http_api_version = one\n"), CLQ_INVALID);
}

Test(hello, readonly_may_be_cached)
{
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "readonly = true\nroot_cache_expires_seconds = 60\n");
	struct clq_request *req = loopback_send(&lb, "GET", "/v1/", NULL,
	    NULL);

	cr_expect_str_eq(loopback_header(req, "Cache-Control"), "max-age=60");
	cr_expect_not_null(loopback_header(req, "Expires"));
	cr_expect_not_null(strstr(loopback_body(req), "\"readonly\":true"));
	loopback_free(&lb);
}

static void
user_info(struct clq_request *req, cJSON *user)
{
	(void)req;
	clq_json_set(user, "bucket", clq_json_new_str(CLQ_STR("b-1")));
}

Test(hello, shows_who_you_are)
{
	struct clq_str group = CLQ_STR("/buckets/b/groups/g");
	struct fake_backend fake = { .groups = { &group, 1, 0 } };
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\n"
	    "userid_hmac_secret = b4c96a8692291d88fe5a97dd91846eb4\n");
	static const char me[] = "basicauth:9917721d56fd35ac8da6978b2a39b7753"
	    "de1de55047897da6bd24d15952a4190";
	const char *text;

	loopback_fake(&lb, &fake);
	clq_add_user_info(lb.srv, user_info);
	text = body(&lb, "/v1/", "Authorization: Basic bWF0OnNlY3IzdA==");
	cr_expect_not_null(strstr(text, clq_arena_printf(lb.arena,
	    "\"user\":{\"id\":\"%s\",\"principals\":[\"system.Everyone\","
	    "\"system.Authenticated\",\"%s\",\"/buckets/b/groups/g\"],"
	    "\"bucket\":\"b-1\"},\"capabilities\":{\"basicauth\":"
	    "{\"description\":\"Very basic authentication sessions. Not for "
	    "production use.\",\"url\":\"", me, me).p));
	cr_expect_str_eq(fake.log, "begin(read) commit");
	fake.log[0] = '\0';
	text = body(&lb, "/v1/", NULL);
	cr_expect_null(strstr(text, "\"user\""));
	cr_expect_str_eq(fake.log, "", "nobody's groups are not looked up");
	loopback_free(&lb);
}

Test(hello, plugins_add_capabilities_and_settings)
{
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "a.number = 3\na.text = \"x y\"\na.bool = true\n");

	cr_expect_eq(clq_add_capability(lb.srv, "one", "First.",
	    "http://one/", NULL), CLQ_OK);
	cr_expect_eq(clq_add_capability(lb.srv, "two", "Second.",
	    "http://two/", "{\"n\":[1,2], \"t\":\"x\"}"), CLQ_OK);
	cr_expect_eq(clq_add_capability(lb.srv, "three", "Third.", NULL,
	    "{}"), CLQ_OK);
	cr_expect_eq(clq_add_capability(lb.srv, "one", "Again.",
	    "http://one/", NULL), CLQ_INVALID);
	cr_expect_eq(clq_add_capability(lb.srv, "bad", "Bad.", "",
	    "[1]"), CLQ_INVALID);
	clq_add_public_setting(lb.srv, "a.number");
	clq_add_public_setting(lb.srv, "a.text");
	clq_add_public_setting(lb.srv, "a.bool");
	clq_add_public_setting(lb.srv, "a.number");
	clq_add_public_setting(lb.srv, "a.unset");
	cr_expect_not_null(strstr(body(&lb, "/v1/", NULL), SETTINGS
	    ",\"a.number\":3,\"a.text\":\"x y\",\"a.bool\":true,"
	    "\"a.unset\":null},\"capabilities\":{"
	    "\"one\":{\"description\":\"First.\",\"url\":\"http://one/\"},"
	    "\"two\":{\"description\":\"Second.\",\"url\":\"http://two/\","
	    "\"n\":[1,2],\"t\":\"x\"},"
	    "\"three\":{\"description\":\"Third.\",\"url\":\"\"}}}"));
	loopback_free(&lb);
}

Test(hello, shows_the_ini_file)
{
	char path[] = "/tmp/clq-hello-XXXXXX";
	struct clq_settings *s = NULL;
	struct loopback lb = { 0 };
	int fd = mkstemp(path);

	cr_assert_neq(fd, -1);
	dprintf(fd, "[app:main]\nproject_version = 1.0\nstorage_backend =\n"
	    "permission_backend =\ncache_backend =\n");
	close(fd);
	cr_assert_eq(clq_settings_load(path, &s), CLQ_OK);
	cr_assert_eq(clq_server_new(s, &lb.srv), CLQ_OK);
	lb.arena = clq_arena_new();
	cr_expect_not_null(strstr(body(&lb, "/v1/", NULL),
	    clq_arena_printf(lb.arena, "\"config\":{\"path\":\"%s\","
	    "\"hash\":\"", path).p));
	cr_expect_not_null(strstr(body(&lb, "/v1/", NULL),
	    "\",\"modified\":\"20"));
	unlink(path);
	loopback_free(&lb);
}

/* ---- heartbeats and the like ---------------------------------------------- */

static enum clq_status
beat(struct clq_request *req, void *ctx, clq_msec timeout)
{
	(void)req;
	cr_expect(timeout > 0 && timeout <= 60000);
	return *(const enum clq_status *)ctx;
}

Test(heartbeat, asks_each_backend_and_plugin)
{
	static enum clq_status up = CLQ_OK, down = CLQ_FAILED;
	struct loopback lb = loopback_new("project_version = 1.0\n"
	    "heartbeat_timeout_seconds = 60\n");
	struct fake_backend fake = { .ping = CLQ_OK };
	struct clq_request *req;

	req = loopback_send(&lb, "GET", "/v1/__heartbeat__", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{}");
	loopback_fake(&lb, &fake);
	req = loopback_send(&lb, "GET", "/v1/__heartbeat__", NULL, NULL);
	cr_expect_str_eq(loopback_body(req),
	    "{\"storage\":true,\"permission\":true}");
	cr_expect_str_eq(fake.log, "ping", "one instance, no transaction");
	cr_expect_eq(clq_add_heartbeat(lb.srv, "mail", beat, &up), CLQ_OK);
	cr_expect_eq(clq_add_heartbeat(lb.srv, "mail", beat, &up),
	    CLQ_INVALID);
	req = loopback_send(&lb, "GET", "/v1/__heartbeat__", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_eq(clq_add_heartbeat(lb.srv, "fax", beat, &down), CLQ_OK);
	req = loopback_send(&lb, "GET", "/v1/__heartbeat__", NULL, NULL);
	cr_expect_eq(req->response.status, 503);
	cr_expect_str_eq(loopback_body(req), "{\"storage\":true,"
	    "\"permission\":true,\"mail\":true,\"fax\":false}");
	fake.ping = CLQ_UNAVAILABLE;
	req = loopback_send(&lb, "HEAD", "/v1/__heartbeat__", NULL, NULL);
	cr_expect_eq(req->response.status, 503);
	loopback_free(&lb);
}

Test(heartbeat, of_the_balancer_asks_nobody)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");
	struct fake_backend fake = { .ping = CLQ_UNAVAILABLE };
	struct clq_request *req;

	loopback_fake(&lb, &fake);
	req = loopback_send(&lb, "GET", "/v1/__lbheartbeat__", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_body(req), "{}");
	cr_expect_str_eq(fake.log, "");
	loopback_free(&lb);
}

Test(version, is_the_file_s_content)
{
	char path[] = "/tmp/clq-version-XXXXXX", ini[200];
	int fd = mkstemp(path);
	struct loopback lb;
	struct clq_request *req;

	cr_assert_neq(fd, -1);
	dprintf(fd, "{ \"name\": \"x\",\n \"version\": \"1.0\" }\n");
	close(fd);
	snprintf(ini, sizeof ini, "project_version = 1.0\n"
	    "version_json_path = %s\n", path);
	lb = loopback_new(ini);
	req = loopback_send(&lb, "GET", "/v1/__version__", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_body(req),
	    "{\"name\":\"x\",\"version\":\"1.0\"}");
	unlink(path);
	req = loopback_send(&lb, "GET", "/v1/__version__", NULL, NULL);
	cr_expect_eq(req->response.status, 200, "read once");
	loopback_free(&lb);
	lb = loopback_new(ini);
	req = loopback_send(&lb, "GET", "/v1/__version__", NULL, NULL);
	cr_expect_eq(req->response.status, 500);
	loopback_free(&lb);
}

Test(contribute, is_json)
{
	struct loopback lb = loopback_new("project_version = 1.0\n");
	struct clq_request *req = loopback_send(&lb, "GET",
	    "/v1/contribute.json", NULL, NULL);
	struct clq_str why;
	cJSON *tree;

	cr_assert_eq(clq_json_parse(lb.arena, req->response.body, &tree,
	    &why), CLQ_OK);
	cr_expect_not_null(clq_json_get(tree, "name"));
	cr_expect_not_null(clq_json_get(tree, "keywords"));
	loopback_free(&lb);
}

/* ---- putting a server together --------------------------------------------- */

static enum clq_status
app_setup(struct clq_server *srv)
{
	static const struct clq_setting own[] = {
		{ "project_name", CLQ_SET_STR, "app's", 0, 0, NULL, "x" },
		{ "http_api_version", CLQ_SET_STR, "7.1", 0, 0, NULL, "x" },
	};

	return clq_settings_declare(clq_server_settings(srv), own,
	    CLQ_COUNT(own));
}

static enum clq_status
broken_setup(struct clq_server *srv)
{
	(void)srv;
	return CLQ_INVALID;
}

static const struct clq_app_ops app = { .size = sizeof app,
	.setup = app_setup };
static const struct clq_app_ops broken = { .size = sizeof broken,
	.setup = broken_setup };
static const struct clq_plugin app_plugin = { CLQ_PLUGIN_HEAD,
	.name = "myapp", .app = &app };
static const struct clq_plugin broken_plugin = { CLQ_PLUGIN_HEAD,
	.name = "broken", .app = &broken };

Test(server, an_application_brings_its_defaults)
{
	struct loopback lb;

	offer(&app_plugin);
	lb = loopback_new("use = egg:myapp#main\n");
	cr_expect(clq_str_is(lb.srv->prefix, "/v7"));
	cr_expect_not_null(strstr(body(&lb, "/v7/", NULL),
	    "\"project_name\":\"app's\""));
	cr_expect_eq(clq_server_open(lb.srv), CLQ_OK);
	loopback_free(&lb);
	lb = loopback_new("use = myapp\nhttp_api_version = 8.0\n");
	cr_expect(clq_str_is(lb.srv->prefix, "/v8"), "the file wins");
	loopback_free(&lb);
}

Test(server, what_is_missing_or_broken_does_not_start)
{
	offer(&broken_plugin);
	cr_expect_eq(loopback_try("use = egg:nothing\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("includes = nothing\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("includes = kinto.plugins.quotas\n"),
	    CLQ_INVALID);
	cr_expect_eq(loopback_try("use = broken\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("storage_backend = nothing\n"),
	    CLQ_INVALID);
	cr_expect_eq(loopback_try("cache_backend = nothing\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try("use = egg:cliquet\n"), CLQ_OK);
}
