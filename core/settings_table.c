/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's own settings: the one table behind parser, checks, dump and
 * manual (sections 09-3 to 09-5, and the server's own).
 *
 * Applications and plugins declare theirs, and may declare a key of this table
 * again to give it another default. Keys that the Python original knows and
 * that mean nothing here are listed too, so that an existing file starts
 * without warnings about them.
 */
#include "settings_impl.h"

#include <string.h>

#define YEAR	(366LL * 86400)
#define MIB	(1024LL * 1024)

#define STR(key, def, help) { key, CLQ_SET_STR, def, 0, 0, NULL, help }
#define LIST(key, def, help) { key, CLQ_SET_LIST, def, 0, 0, NULL, help }
#define BOOL(key, def, help) { key, CLQ_SET_BOOL, def, 0, 0, NULL, help }
#define SECRET(key, help) { key, CLQ_SET_SECRET, "", 0, 0, NULL, help }
#define INT(key, def, min, max, unit, help) \
	{ key, CLQ_SET_INT, def, min, max, unit, help }
#define IGNORED(key) { key, CLQ_SET_STR, NULL, 0, 0, NULL, \
	"Accepted from existing files; has no effect here." }

/* clang-format off */
const struct clq_setting clq_core_settings[] = {
	/* ---- the application ---- */
	STR("use", NULL,
	    "Application to serve: a plugin's name, or egg:kinto."),
	LIST("other_versions", "",
	    "Other ini files, served beside this one under the prefix of "
	    "their http_api_version: older versions of the application."),
	LIST("includes", "",
	    "Plugins set up after the application, in this order."),
	STR("project_name", "",
	    "Name shown by the root URL; first part of metric names."),
	STR("project_version", CLQ_VERSION,
	    "Version shown by the root URL."),
	STR("project_docs", "",
	    "Documentation URL, shown by the root URL and in alerts."),
	STR("http_api_version", NULL,
	    "Version of the API; the part before the dot makes the URL "
	    "prefix (/v1). Unset: derived from project_version."),
	STR("settings_prefix", "",
	    "Prefix that keys may carry; cliquet. and kinto. always work."),
	BOOL("readonly", "false",
	    "Refuse every request that would change something."),
	BOOL("explicit_permissions", "true",
	    "Give the creator of an object the right to write it."),
	INT("batch_max_requests", "25", 0, 100000, "requests",
	    "Most requests in a batch; 0 or empty: no limit."),
	INT("paginate_by", NULL, 0, 1000000, "objects",
	    "Page size where the client asks for none, and its upper limit; "
	    "0 or unset: storage_max_fetch_size."),
	INT("storage_max_fetch_size", "10000", 1, 1000000, "objects",
	    "Most objects fetched for one page."),
	INT("pagination_token_validity_seconds", "600", 1, YEAR, "seconds",
	    "How long the pagination tokens of a DELETE are good."),
	STR("id_generator", NULL,
	    "How ids are made: a class name of the Python original."),
	STR("*_id_generator", NULL,
	    "The same for one resource."),
	LIST("*_principals", NULL,
	    "<resource>_<permission>_principals: who has that permission on "
	    "all objects of the resource."),
	INT("*_cache_expires_seconds", NULL, 0, YEAR, "seconds",
	    "Cache-Control of anonymous answers about that resource."),
	BOOL("plural_*_enabled", NULL,
	    "plural_<resource>_<verb>_enabled: offer that verb on the list."),
	BOOL("object_*_enabled", NULL,
	    "object_<resource>_<verb>_enabled: offer that verb on objects."),
	BOOL("collection_*_enabled", NULL,
	    "Older name of plural_*_enabled."),
	BOOL("record_*_enabled", NULL,
	    "Older name of object_*_enabled."),
	STR("resource.*", NULL,
	    "Resources declared in sections [resource:NAME]."),

	/* ---- HTTP ---- */
	STR("http_scheme", NULL,
	    "Scheme of generated URLs; unset: as the web server says."),
	STR("http_host", NULL,
	    "Host (and port) of generated URLs; unset: the Host header."),
	BOOL("version_prefix_redirect_enabled", "true",
	    "Redirect URLs without the version prefix to those with it."),
	INT("version_prefix_redirect_ttl_seconds", "-1", -1, YEAR, "seconds",
	    "Cache-Control of that redirect; -1: none."),
	BOOL("trailing_slash_redirect_enabled", "true",
	    "Redirect URLs that end in a slash to those that do not."),
	INT("trailing_slash_redirect_ttl_seconds", "3600", -1, YEAR,
	    "seconds", "Cache-Control of that redirect; -1: none."),
	INT("root_cache_expires_seconds", "86400", 0, YEAR, "seconds",
	    "Cache-Control of the root URL in readonly mode."),
	LIST("cors_origins", "*",
	    "Origins whose scripts may use the service; *: all."),
	INT("cors_max_age_seconds", "3600", 0, YEAR, "seconds",
	    "How long browsers keep the answer to a preflight; empty: the "
	    "header is not sent."),
	STR("error_info_link", "https://github.com/Kinto/kinto/issues/",
	    "Link given in the answer to an internal error."),
	STR("version_json_path", "version.json",
	    "File shown by /__version__."),
	BOOL("openapi_enabled", "true",
	    "Describe the API at /__api__ (OpenAPI) and /__api__.html."),
	INT("heartbeat_timeout_seconds", "10", 1, 3600, "seconds",
	    "When a backend that does not answer counts as down."),
	INT("retry_after_seconds", "30", 0, YEAR, "seconds",
	    "Retry-After of answers 503."),
	INT("backoff", NULL, 0, YEAR, "seconds",
	    "Backoff header of every answer; unset or 0: none."),
	INT("backoff_percentage", NULL, 0, 100, "percent",
	    "Share of the answers that carry it; unset: all."),
	STR("eos", NULL,
	    "Date from which on the service answers 410."),
	STR("eos_message", NULL, "Message of the end-of-service alert."),
	STR("eos_url", NULL,
	    "URL of the end-of-service alert; unset: project_docs."),

	/* ---- who and what happened ---- */
	LIST("multiauth.policies", "",
	    "Authentication policies, tried in this order; empty: everybody "
	    "is anonymous."),
	STR("multiauth.policy.*", NULL,
	    "multiauth.policy.<name>.<option>: the class of a policy (use) "
	    "and its options."),
	SECRET("userid_hmac_secret",
	    "Key from which user ids are made; never change it."),
	LIST("event_listeners", "",
	    "Names of listeners that are told about changes."),
	LIST("event_listeners.*", NULL,
	    "event_listeners.<name>.<use|actions|resources>, and options of "
	    "the listener."),
	LIST("metrics_matchdict_fields", "",
	    "Route variables that become labels of request metrics."),
	STR("statsd_url", NULL,
	    "Where metrics are sent: udp://host:port; unset: nowhere."),
	STR("statsd_prefix", "cliquet",
	    "First part of metric names if project_name is empty."),

	/* ---- backends ---- */
	STR("storage_backend", "sqlite",
	    "Plugin that keeps the objects; empty: no resources."),
	STR("storage_url", NULL,
	    "Where the storage backend finds its data; unset, for sqlite: "
	    "cliquet.db beside this file."),
	LIST("storage_indexes", "",
	    "Indexes that `cliquet migrate` makes, as "
	    "BUCKET/COLLECTION:FIELD."),
	STR("storage_*", NULL, "Further options of the storage backend."),
	STR("permission_backend", NULL,
	    "Plugin that keeps permissions and groups; unset: the same as "
	    "storage_backend, with its URL."),
	STR("permission_url", NULL,
	    "Where the permission backend finds its data."),
	STR("permission_*", NULL,
	    "Further options of the permission backend."),
	STR("cache_backend", "memory",
	    "Plugin that keeps what may be forgotten; empty: none."),
	STR("cache_url", NULL, "Where the cache backend is."),
	STR("cache_prefix", "", "First part of every key in the cache."),
	LIST("cache_hosts", "", "memcached servers, host:port each."),
	INT("cache_max_size_bytes", "524288", 4096, 1024 * 1024 * MIB,
	    "bytes", "Size of the memory cache; the oldest entries go."),
	STR("cache_*", NULL, "Further options of the cache backend."),

	/* ---- the server process ---- */
	LIST("plugin_path", "",
	    "Folders searched for plugins before the installed ones, each "
	    "with storage/, cache/ and app/ in it."),
	LIST("socket", "",
	    "Where to listen: paths of UNIX sockets, or host:port; empty: "
	    "a socket must come from whoever starts the server."),
	STR("socket_mode", "0660", "Mode of the UNIX socket, octal."),
	STR("socket_owner", "", "Owner of the UNIX socket; empty: unchanged."),
	STR("socket_group", "", "Group of the UNIX socket; empty: unchanged."),
	INT("backlog", "1024", 1, 65535, "connections",
	    "Connections that may wait to be accepted."),
	INT("workers", "2", 1, 1024, "processes",
	    "Worker processes; about one for each core, more if they wait "
	    "for a database."),
	INT("max_requests", "0", 0, 1000000000, "requests",
	    "A worker is replaced after so many; 0: never."),
	INT("request_timeout", "60", 0, 86400, "seconds",
	    "A worker that takes longer over one request is ended; 0: never."),
	INT("shutdown_timeout", "30", 0, 86400, "seconds",
	    "How long running requests may take to finish when stopping."),
	INT("max_connections_per_worker", "64", 1, 4096, "connections",
	    "Kept connections of the web server that a worker serves."),
	INT("connection_idle_timeout", "60", 1, 86400, "seconds",
	    "A kept connection without request is closed after that."),
	INT("connection_read_timeout", "10", 1, 86400, "seconds",
	    "A connection that stops in the middle of a request is closed "
	    "after that."),
	INT("max_body_bytes", "16777216", 1024, 1024 * MIB, "bytes",
	    "Larger request bodies are refused with 413."),
	INT("max_params_bytes", "262144", 4096, 16 * MIB, "bytes",
	    "Most bytes of URL and headers of a request."),
	STR("status_path", "",
	    "Path, from the root of the site, of the status page of the "
	    "server; empty: there is none."),
	LIST("status_allow", "127.0.0.1 ::1",
	    "Client addresses that may see the status page; all: no limit, "
	    "because the web server sets it."),
	INT("slow_request_ms", "1000", 0, 86400000, "milliseconds",
	    "A request that takes longer is written into the log with the "
	    "times of its parts; 0: none."),
	STR("server_timing_rate", "0",
	    "Share of the answers, 0 to 1, with a header Server-Timing that "
	    "tells the times of their parts."),
	STR("pidfile", "", "File that holds the master's process id."),
	STR("user", "", "User to become after the sockets are open."),
	STR("group", "", "Group to become; empty: the user's."),
	BOOL("daemonize", "false", "Run in the background."),
	STR("log_level", "info", "error, warning, info or debug."),
	STR("log_format", "text", "text for people, json for machines."),
	STR("log_file", "", "File to append to; empty or -: standard error."),
	STR("log_target", "file",
	    "Where the log goes: file (see log_file), syslog or journald."),
	STR("syslog_facility", "daemon", "daemon, user or local0 to local7."),
	STR("syslog_socket", "/dev/log", "Where syslog listens."),
	STR("journald_socket", "/run/systemd/journal/socket",
	    "Where systemd's journal listens."),
	STR("server.host", NULL, "[server:main]: host of an existing file."),
	STR("server.port", NULL, "[server:main]: port of an existing file."),

	/* ---- known to the original, nothing here ---- */
	IGNORED("server.*"),
	IGNORED("pyramid.*"),
	IGNORED("tm.*"),
	SECRET("sentry_dsn",
	    "Where errors are reported: https://KEY@HOST/PROJECT; empty: "
	    "nowhere."),
	STR("sentry_env", NULL, "Name of this environment in reports."),
	INT("sentry_events_min_level", "30", 0, 50, "level",
	    "What is reported: 30 warnings and errors, 40 errors."),
	IGNORED("sentry_*"),
	IGNORED("newrelic_*"),
	IGNORED("profiler_*"),
	IGNORED("multiauth.groupfinder"),
	IGNORED("multiauth.authorization_policy"),
	IGNORED("initialization_sequence"),
	IGNORED("transaction_per_request"),	/* always */
	IGNORED("json_renderer"),
	IGNORED("logging_renderer"),
	IGNORED("statsd_backend"),
	IGNORED("flush_endpoint_enabled")
};
/* clang-format on */

const size_t clq_n_core_settings = CLQ_COUNT(clq_core_settings);

/*
 * The server's own keys: the bare upper-case name is the shell's, or so
 * general that it may be meant for somebody else. CLIQUET_x and KINTO_x work.
 */
static const char *const prefixed_only[] = {
	"use", "plugin_path", "socket", "socket_mode", "socket_owner",
	"socket_group", "backlog", "workers", "max_requests",
	"request_timeout", "shutdown_timeout", "max_connections_per_worker",
	"connection_idle_timeout", "connection_read_timeout",
	"max_body_bytes", "max_params_bytes", "status_path", "status_allow",
	"slow_request_ms", "server_timing_rate", "pidfile", "user", "group",
	"daemonize", "log_level", "log_format", "log_file", "log_target",
	"syslog_facility", "syslog_socket", "journald_socket", "server.host",
	"server.port"
};

bool
clq_setting_prefixed_only(const char *key)
{
	size_t i;

	for (i = 0; i < CLQ_COUNT(prefixed_only); i++)
		if (strcmp(prefixed_only[i], key) == 0)
			return true;
	return false;
}
