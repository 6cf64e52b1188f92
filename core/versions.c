/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other versions beside this one (versions.h).
 *
 * Each is a server of its own, from an ini of its own: routes, users, backends,
 * end of service. They share the processes: the first ini says how many, where
 * they listen and what they log. A request belongs to the server whose prefix
 * ("/v1") its path begins with, and to the first one if there is none such.
 */
#include "versions.h"

#include <cliquet/str.h>

#include <string.h>

#include "outbox.h"
#include "settings_impl.h"
#include "settings_load.h"

/* A path of the ini, as seen from the ini's folder. */
static const char *
beside(const struct clq_server *srv, struct clq_str path)
{
	const char *ini = srv->settings->path, *slash;

	if (clq_str_starts(path, "/") || ini == NULL ||
	    (slash = strrchr(ini, '/')) == NULL)
		return clq_arena_cstr(srv->arena, path);
	return clq_arena_printf(srv->arena, "%.*s/%.*s", (int)(slash - ini),
	    ini, CLQ_FMT(path)).p;
}

/* What one version must not be, whatever else is right with it. */
static enum clq_status
check(const struct clq_server *srv, struct clq_server *other)
{
	bool twice = clq_str_eq(srv->prefix, other->prefix);

	for (size_t i = 0; !twice && i < srv->nversions; i++)
		twice = clq_str_eq(srv->versions[i]->prefix, other->prefix);
	if (twice)
		return clq_settings_error(other->settings,
		    "http_api_version", "%.*s is served already by another "
		    "ini; give this one another major number",
		    CLQ_FMT(other->prefix));
	if (clq_outbox_first(other) != NULL)
		return clq_settings_error(other->settings, "event_listeners",
		    "what is delivered later can be delivered for the first "
		    "ini only, the one that names this; serve this version "
		    "by a master of its own");
	return CLQ_OK;
}

static enum clq_status
add(struct clq_server *srv, const char *path)
{
	struct clq_settings *settings = NULL;
	struct clq_server *other = NULL;
	enum clq_status rc = clq_settings_load(path, &settings);

	if (settings == NULL)
		return CLQ_INVALID;
	if (clq_settings_list(settings, "other_versions").n > 0)
		rc = clq_settings_error(settings, "other_versions", "one ini "
		    "names all the others; remove it here");
	if (rc != CLQ_OK) {
		clq_settings_free(&settings);
		return CLQ_INVALID;
	}
	if (clq_server_new(settings, &other) != CLQ_OK)
		return CLQ_INVALID;
	if (check(srv, other) != CLQ_OK) {
		clq_server_free(&other);
		return CLQ_INVALID;
	}
	srv->versions[srv->nversions++] = other;
	return CLQ_OK;
}

enum clq_status
clq_versions_configure(struct clq_server *srv)
{
	struct clq_strs paths = clq_settings_list(srv->settings,
	    "other_versions");
	enum clq_status rc = CLQ_OK;

	srv->versions = clq_arena_calloc(srv->arena, paths.n,
	    sizeof(struct clq_server *));
	for (size_t i = 0; i < paths.n; i++)
		if (add(srv, beside(srv, paths.items[i])) != CLQ_OK)
			rc = CLQ_INVALID;
	return rc;
}

enum clq_status
clq_versions_open(struct clq_server *srv)
{
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; rc == CLQ_OK && i < srv->nversions; i++)
		rc = clq_server_open(srv->versions[i]);
	return rc;
}

void
clq_versions_free(struct clq_server *srv)
{
	for (size_t i = 0; i < srv->nversions; i++)
		clq_server_free(&srv->versions[i]);
	srv->nversions = 0;
}

struct clq_server *
clq_version_of(const struct clq_server *srv, struct clq_str path)
{
	for (size_t i = 0; i < srv->nversions; i++) {
		struct clq_str prefix = srv->versions[i]->prefix;

		if (path.len >= prefix.len &&
		    memcmp(path.p, prefix.p, prefix.len) == 0 &&
		    (path.len == prefix.len || path.p[prefix.len] == '/'))
			return srv->versions[i];
	}
	return NULL;
}
