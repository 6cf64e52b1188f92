/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root URL: who this service is, what it can do, who you are (07-1).
 *
 * Registries are singly linked lists in order of registration, since they are
 * short and written once. Of the answer only the URL, which depends on the Host
 * header, and the user are composed for each request; the rest is made by the
 * first one, when everybody has registered.
 */
#include "hello.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "response.h"
#include "server.h"
#include "settings_load.h"
#include "text.h"

/* ---- the ini file ------------------------------------------------------ */

/* The whole file, if it can be read and is not absurdly large. */
static bool
file_read(struct clq_arena *arena, const char *path, struct clq_str *out,
    time_t *modified)
{
	enum { FILE_MAX = 4 << 20 };
	FILE *f = fopen(path, "re");
	struct stat st;
	char *p;
	size_t n;

	if (f == NULL)
		return false;
	if (fstat(fileno(f), &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > FILE_MAX) {
		fclose(f);
		return false;
	}
	p = clq_arena_alloc(arena, (size_t)st.st_size + 1);
	n = fread(p, 1, (size_t)st.st_size, f);
	fclose(f);
	*out = (struct clq_str){ p, n };
	*modified = st.st_mtime;
	return true;
}

/* {"path","hash","modified"} of the ini as it was when it was read. */
static struct clq_str
config_json(struct clq_server *srv)
{
	const char *path = clq_settings_path(srv->settings);
	struct clq_str text;
	char when[32];
	struct tm tm;
	struct clq_buf b;
	time_t t;

	if (path == NULL || !file_read(srv->arena, path, &text, &t) ||
	    localtime_r(&t, &tm) == NULL)
		return CLQ_STR("null");
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	clq_buf_init(&b, srv->arena, 256);
	clq_buf_adds(&b, "{\"path\":");
	clq_buf_json_str(&b, clq_text_clean(srv->arena, clq_str_of(path)));
	clq_buf_adds(&b, ",\"hash\":");
	clq_buf_json_str(&b, clq_sha256_hex(srv->arena, text));
	clq_buf_printf(&b, ",\"modified\":\"%s\"}", when);
	return clq_buf_str(&b);
}

struct clq_hello *
clq_hello_new(struct clq_server *srv)
{
	struct clq_hello *h = clq_arena_alloc(srv->arena, sizeof *h);

	h->config = config_json(srv);
	return h;
}

struct clq_str
clq_api_version(struct clq_server *srv)
{
	struct clq_str v = clq_settings_str(srv->settings,
	    "http_api_version");
	size_t dot;

	if (v.len > 0)
		return v;
	v = clq_settings_str(srv->settings, "project_version");
	dot = clq_str_find(v, '.', 0);
	return clq_str_sub(v, 0, clq_str_find(v, '.', dot + 1));
}

/* ---- registries -------------------------------------------------------- */

/* The inside of an object given as text, with a leading comma. */
static bool
extra_members(struct clq_arena *arena, const char *extra, struct clq_str *out)
{
	struct clq_str text, why;
	cJSON *tree;

	*out = CLQ_STR("");
	if (extra == NULL)
		return true;
	if (clq_json_parse(arena, clq_str_of(extra), &tree, &why) != CLQ_OK ||
	    !cJSON_IsObject(tree))
		return false;
	text = clq_json_text(arena, tree);
	if (tree->child != NULL)
		*out = clq_arena_printf(arena, ",%.*s",
		    CLQ_FMT(clq_str_sub(text, 1, text.len - 1)));
	return true;
}

enum clq_status
clq_add_capability(struct clq_server *srv, const char *id,
    const char *description, const char *url, const char *extra)
{
	struct clq_capability **at = &srv->hello->capabilities;
	struct clq_capability *c;

	for (; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->id, id) != 0)
			continue;
		clq_log_err("capability \"%s\" is announced twice", id);
		return CLQ_INVALID;
	}
	c = clq_arena_alloc(srv->arena, sizeof *c);
	c->id = clq_arena_cstr(srv->arena, clq_str_of(id));
	c->description = clq_arena_cstr(srv->arena, clq_str_of(description));
	c->url = clq_arena_cstr(srv->arena,
	    clq_str_of(url != NULL ? url : ""));
	if (!extra_members(srv->arena, extra, &c->extra)) {
		clq_log_err("capability \"%s\": its extra members are no "
		    "JSON object", id);
		return CLQ_INVALID;
	}
	*at = c;
	return CLQ_OK;
}

void
clq_add_public_setting(struct clq_server *srv, const char *key)
{
	struct clq_public_setting **at = &srv->hello->settings;

	for (; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->key, key) == 0)
			return;
	*at = clq_arena_alloc(srv->arena, sizeof **at);
	(*at)->key = clq_arena_cstr(srv->arena, clq_str_of(key));
}

void
clq_add_user_info(struct clq_server *srv, clq_user_info_f *fn)
{
	struct clq_user_info **at = &srv->hello->user_infos;

	while (*at != NULL)
		at = &(*at)->next;
	*at = clq_arena_alloc(srv->arena, sizeof **at);
	(*at)->fn = fn;
}

enum clq_status
clq_add_heartbeat(struct clq_server *srv, const char *name,
    clq_heartbeat_f *fn, void *ctx)
{
	struct clq_heartbeat **at = &srv->hello->heartbeats;

	for (; *at != NULL; at = &(*at)->next) {
		if (strcmp((*at)->name, name) != 0)
			continue;
		clq_log_err("heartbeat \"%s\" is registered twice", name);
		return CLQ_INVALID;
	}
	*at = clq_arena_alloc(srv->arena, sizeof **at);
	(*at)->name = clq_arena_cstr(srv->arena, clq_str_of(name));
	(*at)->fn = fn;
	(*at)->ctx = ctx;
	return CLQ_OK;
}

/* ---- the view ---------------------------------------------------------- */

static void
add_member(struct clq_buf *b, const char *key, struct clq_str text)
{
	clq_buf_json_str(b, clq_str_of(key));
	clq_buf_addc(b, ':');
	clq_buf_json_str(b, clq_text_clean(b->arena, text));
}

static void
add_setting_member(struct clq_buf *b, struct clq_server *srv,
    const char *key)
{
	struct clq_str text = clq_settings_str(srv->settings, key);

	add_member(b, key, text.p != NULL ? text : CLQ_STR(""));
	clq_buf_addc(b, ',');
}

/* The value as JSON if it is some, as in the ini; else as a string. */
static void
add_public(struct clq_buf *b, struct clq_server *srv, const char *key)
{
	struct clq_str text = clq_settings_str(srv->settings, key), why;
	cJSON *tree;

	clq_buf_addc(b, ',');
	clq_buf_json_str(b, clq_str_of(key));
	clq_buf_addc(b, ':');
	if (text.p == NULL)
		clq_buf_adds(b, "null");
	else if (clq_json_parse(b->arena, text, &tree, &why) == CLQ_OK)
		clq_json_print(b, tree);
	else
		clq_buf_json_str(b, clq_text_clean(b->arena, text));
}

static void
add_settings(struct clq_buf *b, struct clq_server *srv)
{
	const struct clq_public_setting *s = srv->hello->settings;

	clq_buf_printf(b, "\"settings\":{\"batch_max_requests\":%lld,"
	    "\"readonly\":%s,\"explicit_permissions\":%s",
	    (long long)clq_settings_int(srv->settings, "batch_max_requests",
	    0), srv->readonly ? "true" : "false",
	    srv->explicit_permissions ? "true" : "false");
	for (; s != NULL; s = s->next)
		add_public(b, srv, s->key);
	clq_buf_addc(b, '}');
}

static void
add_capabilities(struct clq_buf *b, const struct clq_hello *hello)
{
	const struct clq_capability *c = hello->capabilities;

	clq_buf_adds(b, ",\"capabilities\":{");
	for (; c != NULL; c = c->next) {
		clq_buf_json_str(b, clq_str_of(c->id));
		clq_buf_adds(b, ":{");
		add_member(b, "description", clq_str_of(c->description));
		clq_buf_addc(b, ',');
		add_member(b, "url", clq_str_of(c->url));
		clq_buf_add(b, c->extra);
		clq_buf_adds(b, c->next != NULL ? "}," : "}");
	}
	clq_buf_addc(b, '}');
}

static enum clq_status
add_principals(struct clq_request *req, cJSON *user)
{
	struct clq_strs mine = clq_request_principals(req), groups = { 0 };
	const struct clq_permission_ops *ops;
	cJSON *list = cJSON_CreateArray();
	enum clq_status rc;
	void *self;

	cJSON_AddItemToObject(user, "principals", list);
	for (size_t i = 0; i < mine.n; i++)
		cJSON_AddItemToArray(list, clq_json_new_str(mine.items[i]));
	if (req->server->permission.ops == NULL)
		return CLQ_OK;
	if ((ops = clq_permission(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	rc = ops->groups(self, req->arena, req->identity.user, &groups);
	if (rc != CLQ_OK)
		return rc;
	for (size_t i = 0; i < groups.n; i++)
		cJSON_AddItemToArray(list, clq_json_new_str(groups.items[i]));
	req->identity.groups = groups;
	return CLQ_OK;
}

static enum clq_status
add_user(struct clq_request *req, struct clq_buf *b)
{
	const struct clq_user_info *i = req->server->hello->user_infos;
	struct clq_str id = clq_request_user(req);
	enum clq_status rc;
	cJSON *user;

	if (id.p == NULL)
		return CLQ_OK;
	user = clq_json_own(req->arena, cJSON_CreateObject());
	clq_json_set(user, "id", clq_json_new_str(id));
	if ((rc = add_principals(req, user)) != CLQ_OK)
		return rc;
	for (; i != NULL; i = i->next)
		i->fn(req, user);
	clq_buf_adds(b, ",\"user\":");
	clq_json_print(b, user);
	return CLQ_OK;
}

/* What is the same for everybody, in three pieces: before the URL, before the
 * user, and the rest. */
static void
prepare(struct clq_server *srv)
{
	struct clq_hello *h = srv->hello;
	struct clq_buf b;

	clq_buf_init(&b, srv->arena, 512);
	clq_buf_addc(&b, '{');
	add_setting_member(&b, srv, "project_name");
	add_setting_member(&b, srv, "project_version");
	add_member(&b, "http_api_version", clq_api_version(srv));
	clq_buf_addc(&b, ',');
	add_setting_member(&b, srv, "project_docs");
	h->before_url = clq_buf_str(&b);
	clq_buf_init(&b, srv->arena, 512);
	clq_buf_adds(&b, ",\"config\":");
	clq_buf_add(&b, h->config);
	clq_buf_addc(&b, ',');
	if (clq_settings_str(srv->settings, "eos").len > 0)
		add_setting_member(&b, srv, "eos");
	add_settings(&b, srv);
	h->before_user = clq_buf_str(&b);
	clq_buf_init(&b, srv->arena, 2048);
	add_capabilities(&b, h);
	clq_buf_addc(&b, '}');
	h->after_user = clq_buf_str(&b);
}

enum clq_status
clq_hello_view(struct clq_request *req, void *ctx)
{
	struct clq_server *srv = req->server;
	const struct clq_hello *h = srv->hello;
	enum clq_status rc;
	struct clq_buf b;

	(void)ctx;
	if (h->after_user.p == NULL)
		prepare(srv);
	clq_buf_init(&b, req->arena, h->before_url.len + h->before_user.len +
	    h->after_user.len + 256);
	clq_buf_add(&b, h->before_url);
	add_member(&b, "url", clq_absolute_url(req, clq_text_join(req->arena,
	    (const struct clq_str[]){ srv->prefix, CLQ_STR("/") }, 2)));
	clq_buf_add(&b, h->before_user);
	if ((rc = add_user(req, &b)) != CLQ_OK)
		return rc;
	clq_buf_add(&b, h->after_user);
	if (srv->readonly)
		clq_response_cache(req, clq_settings_int(srv->settings,
		    "root_cache_expires_seconds", 86400));
	return clq_reply(req, 200, clq_buf_str(&b));
}
