/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinto, the generic storage service, as an application of the toolkit: four
 * resources, one inheritance table and the settings' defaults. Everything
 * else is the toolkit's. Optional parts (default_bucket, flush, ...) are
 * plugins of their own, named in `includes`.
 */
#include "kinto.h"

/* Defaults of Kinto where they differ from the toolkit's (section 09-3). */
static const struct clq_setting settings[] = {
	{ "project_name", CLQ_SET_STR, "kinto", 0, 0, NULL,
	  "Name of the service, in hello and in metrics." },
	{ "project_docs", CLQ_SET_STR, "https://kinto.readthedocs.io/", 0, 0,
	  NULL, "Documentation, in hello and in alerts without a URL." },
	{ "http_api_version", CLQ_SET_STR, "1.23", 0, 0, NULL,
	  "Version of the protocol; the URL prefix is its first number." },
	{ "settings_prefix", CLQ_SET_STR, "kinto", 0, 0, NULL,
	  "Prefix of keys in this file; `cliquet.` always works too." },
	{ "retry_after_seconds", CLQ_SET_INT, "3", 0, 86400, "seconds",
	  "Retry-After of answers 503 and 409." },
	{ "bucket_create_principals", CLQ_SET_LIST, "system.Authenticated",
	  0, 0, NULL, "Principals that may create buckets." },
	{ "permissions_read_principals", CLQ_SET_LIST, "system.Everyone",
	  0, 0, NULL, "Principals that may read /permissions." },
	{ "user-data_delete_principals", CLQ_SET_LIST, "", 0, 0, NULL,
	  "Principals that may delete the data of users." },
	{ "metrics_matchdict_fields", CLQ_SET_LIST,
	  "bucket_id collection_id group_id record_id", 0, 0, NULL,
	  "Route variables that become labels of metrics." },
	{ "experimental_collection_schema_validation", CLQ_SET_BOOL, "false",
	  0, 0, NULL, "Validate records with their collection's schema." },
	{ "experimental_permissions_endpoint", CLQ_SET_BOOL, "false", 0, 0,
	  NULL, "Serve /permissions." },
	{ "*record_cache_expires_seconds", CLQ_SET_INT, NULL, 0, INT32_MAX,
	  "seconds", "Cache-Control of records for anonymous readers; also "
	  "<bucket>.record_... and <bucket>.<collection>.record_..." },
};

/* The administration pages need /permissions, wherever they are included. */
static bool
wants_permissions(const struct clq_settings *s)
{
	struct clq_strs includes = clq_settings_list(s, "includes");

	return clq_settings_bool(s, "experimental_permissions_endpoint",
	    false) || clq_strs_has(includes, CLQ_STR("admin")) ||
	    clq_strs_has(includes, CLQ_STR("kinto.plugins.admin"));
}

static enum clq_status
add_permissions(struct clq_server *srv)
{
	enum clq_status rc;

	if (!wants_permissions(clq_server_settings(srv)))
		return CLQ_OK;
	if ((rc = clq_add_service(srv, &kinto_permissions)) != CLQ_OK)
		return rc;
	return clq_add_capability(srv, "permissions_endpoint", "The "
	    "permissions endpoint can be used to list all user objects "
	    "permissions.", "https://kinto.readthedocs.io/en/latest/api/1.x/"
	    "permissions.html", NULL);
}

static enum clq_status
setup(struct clq_server *srv)
{
	static const struct clq_resource *const resources[] = {
		&kinto_bucket, &kinto_group, &kinto_collection, &kinto_record
	};
	enum clq_status rc;

	rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings));
	for (size_t i = 0; rc == CLQ_OK && i < CLQ_COUNT(resources); i++)
		rc = clq_add_resource(srv, resources[i]);
	if (rc == CLQ_OK && kinto_validates(srv))
		rc = clq_add_capability(srv, "schema", "Validates collection "
		    "records with JSON schemas.",
		    "https://kinto.readthedocs.io/en/latest/api/1.x/"
		    "collections.html#collection-json-schema", NULL);
	if (rc == CLQ_OK)
		rc = clq_add_service(srv, &kinto_user_data);
	return rc == CLQ_OK ? add_permissions(srv) : rc;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "kinto", .version = "1", .app = &app,
};
