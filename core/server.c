/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a server together from its settings (section 11-2).
 *
 * The order matters: backends first, since resources want to know that there is
 * a place to keep them; then the application, whose setup may give settings
 * other defaults and declares what the included plugins build upon, as do the
 * sections [resource:NAME]; then the includes; then what only reads settings.
 * All problems of a step are said before the start is refused.
 */
#include "server.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "auth.h"
#include "backends.h"
#include "cors.h"
#include "hello.h"
#include "lifecycle.h"
#include "listeners.h"
#include "metrics.h"
#include "openapi.h"
#include "outbox.h"
#include "plugin.h"
#include "resource.h"
#include "router.h"
#include "settings_load.h"
#include "timing.h"
#include "timed.h"
#include "versions.h"
#include "views.h"

/* ---- settings that core itself looks at all the time ------------------- */

/* What clients would get in every URL that the server makes. */
static enum clq_status
check_url_parts(struct clq_settings *set)
{
	struct clq_str scheme = clq_settings_str(set, "http_scheme");
	struct clq_str host = clq_settings_str(set, "http_host");
	enum clq_status rc = CLQ_OK;

	if (scheme.len > 0 && !clq_str_caseis(scheme, "http") &&
	    !clq_str_caseis(scheme, "https"))
		rc = clq_settings_error(set, "http_scheme", "\"%.*s\" is "
		    "neither http nor https", CLQ_FMT(scheme));
	for (size_t i = 0; i < host.len; i++)
		if ((unsigned char)host.p[i] <= ' ' || host.p[i] == 0x7f ||
		    strchr("\"#<>?@\\^`{|}", host.p[i]) != NULL ||
		    clq_str_starts(clq_str_sub(host, i, host.len), "://"))
			return clq_settings_error(set, "http_host", "\"%.*s\" "
			    "is no host; write one as api.example.org or "
			    "api.example.org:8443", CLQ_FMT(host));
	return rc;
}

static enum clq_status
read_basics(struct clq_server *srv)
{
	struct clq_settings *set = srv->settings;
	struct clq_str version = clq_api_version(srv);
	size_t dot = clq_str_find(version, '.', 0);
	int64_t major;

	if (!clq_str_int(clq_str_sub(version, 0, dot), &major) || major < 0)
		return clq_settings_error(set, clq_settings_has(set,
		    "http_api_version") ? "http_api_version" :
		    "project_version", "\"%.*s\" is no version: it makes the "
		    "URL prefix, as 1.23 makes /v1", CLQ_FMT(version));
	srv->prefix = clq_arena_printf(srv->arena, "/v%lld",
	    (long long)major);
	srv->readonly = clq_settings_bool(set, "readonly", false);
	srv->retry_after = clq_settings_int(set, "retry_after_seconds", 30);
	srv->max_body = clq_settings_int(set, "max_body_bytes", 16 << 20);
	srv->max_fetch = clq_settings_int(set, "storage_max_fetch_size",
	    10000);
	srv->paginate_by = clq_settings_int(set, "paginate_by", 0);
	srv->explicit_permissions = clq_settings_bool(set,
	    "explicit_permissions", true);
	return CLQ_OK;
}

/* ---- application and plugins ------------------------------------------- */

static enum clq_status
plugin_setup(struct clq_server *srv, struct clq_str value, const char *key)
{
	const struct clq_plugin *plugin;
	enum clq_status rc;

	rc = clq_plugin_load(srv->settings, "app", value, key, &plugin);
	if (rc != CLQ_OK)
		return rc;
	rc = plugin->app->setup(srv);
	if (rc != CLQ_OK)
		return clq_settings_error(srv->settings, key, "the setup of "
		    "\"%s\" failed", plugin->name);
	return CLQ_OK;
}

/* `use = egg:kinto#main` names the application kinto; nothing, or the toolkit
 * itself, means none. */
static enum clq_status
setup_application(struct clq_server *srv)
{
	struct clq_str use = clq_settings_str(srv->settings, "use");

	if (clq_str_starts(use, "egg:"))
		use = clq_str_sub(use, 4, clq_str_find(use, '#', 0));
	if (use.len == 0 || clq_str_is(use, "cliquet") ||
	    clq_str_is(use, "kinto.core"))
		return CLQ_OK;
	return plugin_setup(srv, use, "use");
}

/* The key of the first option of a section [resource:NAME]. */
static void
note_first(void *ctx, const char *key, struct clq_str value)
{
	const char **first = ctx;

	(void)value;
	if (*first == NULL)
		*first = key;
}

/* Resources of the ini belong to the application: a plugin makes them, which
 * nobody need include. */
static enum clq_status
setup_ini_resources(struct clq_server *srv)
{
	const struct clq_plugin *plugin;
	const char *first = NULL;
	enum clq_status rc;

	clq_settings_each(srv->settings, "resource.", note_first, &first);
	if (first == NULL)
		return CLQ_OK;
	/* It says each fault with the line of the option: nothing to add. */
	rc = clq_plugin_load(srv->settings, "app", CLQ_STR("resources"), first,
	    &plugin);
	return rc == CLQ_OK ? plugin->app->setup(srv) : rc;
}

/* Parts of the Python original, so that an existing file gets a better answer
 * than "no such plugin". */
static bool
known_elsewhere(struct clq_str name)
{
	static const char *const theirs[] = {
		"kinto_changes",
		"kinto_elasticsearch", "kinto_emailer", "kinto_fxa",
		"kinto_ldap", "kinto_portier",
		"kinto_remote_settings", "kinto_signer", "cliquet_fxa",
	};

	for (size_t i = 0; i < CLQ_COUNT(theirs); i++)
		if (clq_str_is(name, theirs[i]))
			return true;
	return false;
}

static enum clq_status
setup_includes(struct clq_server *srv)
{
	struct clq_strs names = clq_settings_list(srv->settings, "includes");
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < names.n; i++) {
		if (plugin_setup(srv, names.items[i], "includes") == CLQ_OK)
			continue;
		rc = CLQ_INVALID;
		if (known_elsewhere(names.items[i]))
			clq_log_err("includes: %.*s is a plugin for the "
			    "Python server; remove it from `includes` if "
			    "clients do not need it",
			    CLQ_FMT(names.items[i]));
	}
	return rc;
}

/* Cliquet had it built in: naming the server was enough. */
static enum clq_status
setup_statsd(struct clq_server *srv)
{
	const char *key = "statsd_url";

	if (clq_settings_str(srv->settings, key).len == 0 ||
	    clq_has_metrics_sink(srv, "statsd"))
		return CLQ_OK;
	return plugin_setup(srv, CLQ_STR("statsd"), key);
}

/* Resources whose permissions have no place to be kept would be closed to
 * everybody. That there is a storage was checked when they were added. */
static enum clq_status
check_permissions(struct clq_server *srv)
{
	for (size_t i = 0; i < srv->nresources; i++) {
		const struct clq_resource *r = srv->resources[i].decl;

		if (srv->permission.ops == NULL &&
		    !(r->flags & CLQ_RESOURCE_USER))
			return clq_settings_error(srv->settings,
			    "permission_backend", "the resource \"%s\" needs "
			    "a permission backend", r->name);
	}
	return CLQ_OK;
}

/* Tell the storage which objects are rows of tables (storage.h). */
static enum clq_status
map_tables(struct clq_server *srv)
{
	const struct clq_storage_ops *ops = srv->storage.ops;
	const struct clq_table **tables = clq_arena_calloc(srv->arena,
	    srv->nresources + 1, sizeof(const struct clq_table *));
	size_t n = 0;

	for (size_t i = 0; i < srv->nresources; i++) {
		const struct clq_resource *r = srv->resources[i].decl;

		if (CLQ_HAS(r, table))
			tables[n++] = r->table;
	}
	if (n == 0 || ops == NULL)
		return CLQ_OK;
	if (!CLQ_HAS(ops, map))
		return clq_settings_error(srv->settings, tables[0]->key,
		    "the storage \"%s\" has no tables to map resources to; "
		    "use postgresql, or leave the option out",
		    srv->storage.plugin->name);
	return ops->map(srv->storage.self, srv->settings, tables, n);
}

/* ---- construction ------------------------------------------------------ */

static enum clq_status
configure(struct clq_server *srv)
{
	bool complete = false;
	enum clq_status rc;

	/* Without a core there is nothing that a plugin could build upon. */
	if ((rc = read_basics(srv)) != CLQ_OK ||
	    (rc = clq_add_auth_kind(srv, &clq_auth_basic)) != CLQ_OK ||
	    (rc = clq_views_setup(srv)) != CLQ_OK)
		return rc;
	/* What is wrong with the backends must not hide the rest; what is wrong
	 * with the application would make echoes of all includes. */
	rc = clq_backends_configure(srv);
	srv->broken = rc != CLQ_OK;
	if (setup_application(srv) == CLQ_OK) {
		complete = setup_ini_resources(srv) == CLQ_OK;
		complete = setup_includes(srv) == CLQ_OK && complete &&
		    setup_statsd(srv) == CLQ_OK && !srv->broken;
	}
	if (!complete)
		rc = CLQ_INVALID;
	if (read_basics(srv) != CLQ_OK)		/* with the new defaults */
		rc = CLQ_INVALID;
	if (clq_auth_configure(srv) != CLQ_OK)
		rc = CLQ_INVALID;
	if (clq_lifecycle_configure(srv) != CLQ_OK)
		rc = CLQ_INVALID;
	if (clq_timing_configure(srv) != CLQ_OK)
		rc = CLQ_INVALID;
	if (check_url_parts(srv->settings) != CLQ_OK)
		rc = CLQ_INVALID;
	if (clq_listeners_configure(srv, plugin_setup) != CLQ_OK)
		rc = CLQ_INVALID;
	clq_cors_configure(srv);
	if (clq_timed_configure(srv) != CLQ_OK ||
	    clq_metrics_configure(srv) != CLQ_OK)
		rc = CLQ_INVALID;
	if (rc == CLQ_OK)
		rc = check_permissions(srv);
	if (rc == CLQ_OK)
		rc = map_tables(srv);
	if (rc == CLQ_OK)
		rc = clq_openapi_configure(srv);
	if (rc == CLQ_OK && !clq_settings_usable(srv->settings))
		rc = CLQ_INVALID;
	/* Only when all who could know a key were asked. */
	if (complete)
		clq_settings_warn_unknown(srv->settings);
	return rc;
}

enum clq_status
clq_server_new(struct clq_settings *settings, struct clq_server **out)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_server *srv = clq_arena_alloc(arena, sizeof *srv);
	enum clq_status rc;

	srv->arena = arena;
	srv->settings = settings;
	srv->router = clq_router_new(arena);
	srv->metrics = clq_metrics_new(arena);
	srv->auth = clq_auth_new(arena);
	srv->hello = clq_hello_new(srv);
	rc = configure(srv);
	if (clq_versions_configure(srv) != CLQ_OK)
		rc = CLQ_INVALID;
	if (rc != CLQ_OK) {
		clq_server_free(&srv);
		return CLQ_INVALID;
	}
	*out = srv;
	return CLQ_OK;
}

enum clq_status
clq_server_open(struct clq_server *srv)
{
	enum clq_status rc = clq_backends_open(srv);

	if (rc == CLQ_OK)
		clq_metrics_open(srv);
	return rc == CLQ_OK ? clq_versions_open(srv) : rc;
}

void
clq_server_free(struct clq_server **psrv)
{
	struct clq_server *srv = *psrv;
	struct clq_settings *settings;
	struct clq_arena *arena;

	if (srv == NULL)
		return;
	clq_versions_free(srv);
	clq_metrics_close(srv);
	clq_outbox_close(srv);
	clq_backends_close(srv);
	settings = srv->settings;
	arena = srv->arena;	/* which holds srv itself */
	clq_settings_free(&settings);
	clq_arena_free(&arena);
	*psrv = NULL;
}

struct clq_settings *
clq_server_settings(struct clq_server *srv)
{
	return srv->settings;
}

struct clq_arena *
clq_server_arena(struct clq_server *srv)
{
	return srv->arena;
}
