/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the settings to backend instances (section 09-5, design: storage and
 * permission share one instance, hence one transaction, where they can).
 *
 * The master configures, each worker opens; an instance never crosses from one
 * configuration to the next. `permission_backend` unset means "as storage", as
 * does the same plugin with no URL of its own.
 */
#include "backends.h"

#include <cliquet/log.h>

#include "plugin.h"
#include "server.h"

static enum clq_status
configure(struct clq_server *srv, const struct clq_plugin *plugin,
    const char *prefix, void **self)
{
	enum clq_status rc = plugin->backend->configure(srv->settings,
	    prefix, self);

	if (rc != CLQ_OK)
		*self = NULL;
	return rc;
}

static enum clq_status
configure_storage(struct clq_server *srv)
{
	struct clq_str name = clq_settings_str(srv->settings,
	    "storage_backend");
	const struct clq_plugin *plugin;
	enum clq_status rc;

	if (name.len == 0)
		return CLQ_OK;
	rc = clq_plugin_load(srv->settings, "storage", name,
	    "storage_backend", &plugin);
	if (rc != CLQ_OK ||
	    (rc = configure(srv, plugin, "storage", &srv->storage.self)) !=
	    CLQ_OK)
		return rc;
	srv->storage.plugin = plugin;
	srv->storage.ops = plugin->storage;
	return CLQ_OK;
}

/* True if the permission settings name what storage has already. */
static bool
shared_with_storage(const struct clq_server *srv,
    const struct clq_plugin *plugin)
{
	struct clq_str mine = clq_settings_str(srv->settings,
	    "permission_url");

	return plugin == srv->storage.plugin && (mine.len == 0 ||
	    clq_str_eq(mine, clq_settings_str(srv->settings, "storage_url")));
}

static enum clq_status
configure_permission(struct clq_server *srv)
{
	const char *key = "permission_backend";
	const struct clq_plugin *plugin = srv->storage.plugin;
	enum clq_status rc;

	if (clq_settings_has(srv->settings, key)) {
		struct clq_str name = clq_settings_str(srv->settings, key);

		if (name.len == 0)
			return CLQ_OK;
		rc = clq_plugin_load(srv->settings, "storage", name, key,
		    &plugin);
		if (rc != CLQ_OK)
			return rc;
	}
	if (plugin == NULL || (plugin->permission == NULL &&
	    !clq_settings_has(srv->settings, key)))
		return CLQ_OK;	/* who needs them will say so */
	if (plugin->permission == NULL)
		return clq_settings_error(srv->settings, key, "\"%s\" keeps "
		    "no permissions; name another plugin", plugin->name);
	if (shared_with_storage(srv, plugin))
		srv->permission.self = srv->storage.self;
	else if ((rc = configure(srv, plugin, "permission",
	    &srv->permission.self)) != CLQ_OK)
		return rc;
	srv->permission.plugin = plugin;
	srv->permission.ops = plugin->permission;
	return CLQ_OK;
}

static enum clq_status
configure_cache(struct clq_server *srv)
{
	struct clq_str name = clq_settings_str(srv->settings,
	    "cache_backend");
	const struct clq_plugin *plugin;
	enum clq_status rc;

	srv->cache.prefix = clq_settings_str(srv->settings, "cache_prefix");
	if (name.len == 0)
		return CLQ_OK;
	rc = clq_plugin_load(srv->settings, "cache", name, "cache_backend",
	    &plugin);
	if (rc != CLQ_OK ||
	    (rc = configure(srv, plugin, "cache", &srv->cache.self)) !=
	    CLQ_OK)
		return rc;
	srv->cache_plugin = plugin;
	srv->cache.ops = plugin->cache;
	return CLQ_OK;
}

enum clq_status
clq_backends_configure(struct clq_server *srv)
{
	enum clq_status storage, permission, cache;

	storage = configure_storage(srv);
	/* Without storage its part of the settings would be misread. */
	permission = storage == CLQ_OK ? configure_permission(srv) : CLQ_OK;
	cache = configure_cache(srv);
	return storage == CLQ_OK && permission == CLQ_OK &&
	    cache == CLQ_OK ? CLQ_OK : CLQ_INVALID;
}

static enum clq_status
open_one(const struct clq_plugin *plugin, void *self, const char *what)
{
	enum clq_status rc = plugin->backend->open(self);

	if (rc != CLQ_OK)
		clq_log_err("the %s backend \"%s\" cannot be opened (status "
		    "%d)", what, plugin->name, (int)rc);
	return rc;
}

enum clq_status
clq_backends_open(struct clq_server *srv)
{
	enum clq_status rc;

	if (srv->storage.ops != NULL && (rc = open_one(srv->storage.plugin,
	    srv->storage.self, "storage")) != CLQ_OK)
		return rc;
	if (srv->permission.ops != NULL &&
	    srv->permission.self != srv->storage.self &&
	    (rc = open_one(srv->permission.plugin, srv->permission.self,
	    "permission")) != CLQ_OK)
		return rc;
	if (srv->cache.ops != NULL)
		return open_one(srv->cache_plugin, srv->cache.self, "cache");
	return CLQ_OK;
}

void
clq_backends_close(struct clq_server *srv)
{
	if (srv->permission.ops != NULL &&
	    srv->permission.self != srv->storage.self)
		srv->permission.plugin->backend->close(srv->permission.self);
	if (srv->storage.ops != NULL)
		srv->storage.plugin->backend->close(srv->storage.self);
	if (srv->cache.ops != NULL)
		srv->cache_plugin->backend->close(srv->cache.self);
	srv->permission.ops = NULL;
	srv->storage.ops = NULL;
	srv->cache.ops = NULL;
}
