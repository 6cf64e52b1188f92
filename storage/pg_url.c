/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the backend, checked in the master: which database, how long to
 * wait.
 *
 * A URL goes to libpq as it is, so several hosts, TLS and services work; only
 * the driver that SQLAlchemy wants to be named is taken off. What else Kinto's
 * ini files say about pools of connections has no meaning here: a worker has
 * one connection.
 */
#include "storage/pg.h"

#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <stdio.h>
#include <stdlib.h>

enum { MAX_HOSTS = 32 };

/* clang-format off */
#define TABLE(prefix)							\
	{ prefix "connect_timeout_seconds", CLQ_SET_INT, "5", 1, 600,	\
	  "seconds", "How long PostgreSQL may take to accept a "	\
	  "connection, each host of the URL by itself." },		\
	{ prefix "statement_timeout_seconds", CLQ_SET_INT, "15", 1,	\
	  3600, "seconds", "How long PostgreSQL may work on one "	\
	  "statement; the request then fails with 503." }
static const struct clq_setting storage_table[] = { TABLE("storage_") };
static const struct clq_setting permission_table[] = {
	TABLE("permission_")
};
static const struct clq_setting cache_table[] = { TABLE("cache_") };
/* clang-format on */

/* Options of SQLAlchemy's engine and pool. */
static const char *const ignored[] = { "pool_size", "max_overflow",
	"pool_recycle", "pool_timeout", "max_backlog", "poolclass",
	"pool_pre_ping", "pool_use_lifo", "pool_reset_on_return",
	"echo", "echo_pool", "isolation_level", "client_encoding" };

/* ---- the URL ----------------------------------------------------------- */

/* "postgresql+psycopg2://..." as libpq knows it. */
static const char *
without_driver(struct clq_arena *arena, struct clq_str url)
{
	static const char *const schemes[] = { "postgresql+", "postgres+" };
	size_t i, at;

	for (i = 0; i < CLQ_COUNT(schemes); i++) {
		at = clq_str_search(url, CLQ_STR("://"));
		if (clq_str_starts(url, schemes[i]) && at < url.len)
			return clq_arena_printf(arena, "postgresql%.*s",
			    CLQ_FMT(clq_str_sub(url, at, url.len))).p;
	}
	return clq_arena_cstr(arena, url);
}

/* What stands in quotes may be part of a password. */
static const char *
without_quoted(struct clq_arena *arena, const char *message)
{
	const char *out, *p;
	struct clq_buf b;
	bool inside = false;

	out = clq_arena_cstr(arena, clq_str_trim(clq_str_of(message)));
	clq_buf_init(&b, arena, 0);
	for (p = out; *p != '\0'; p++) {
		if (*p == '"' && (inside = !inside))
			clq_buf_adds(&b, "\"...");
		if (!inside)
			clq_buf_addc(&b, *p);
	}
	return clq_arena_cstr(arena, clq_buf_str(&b));
}

static const char *
option(const PQconninfoOption *options, const char *name)
{
	const PQconninfoOption *o;

	for (o = options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, name) == 0 && o->val != NULL)
			return o->val;
	return "";
}

static size_t
count_items(const char *list)
{
	size_t n = 1;

	for (; *list != '\0'; list++)
		n += *list == ',';
	return n;
}

/* The same for logs: host, port and database, never a password. */
static void
describe(struct pg_db *db, const PQconninfoOption *o)
{
	const char *host = option(o, "host"), *port = option(o, "port");
	size_t n;

	if (*host == '\0')
		host = option(o, "hostaddr");
	n = count_items(option(o, "hostaddr"));
	db->nhosts = count_items(option(o, "host"));
	if (n > db->nhosts)
		db->nhosts = n;
	db->shown = clq_arena_printf(db->arena, "%.100s%s%.60s/%.60s", host,
	    *port != '\0' ? ":" : "", port, option(o, "dbname")).p;
}

static enum clq_status
read_url(struct pg_db *db, struct clq_settings *settings, const char *key)
{
	struct clq_str url = clq_settings_str(settings, key);
	PQconninfoOption *options;
	enum clq_status status = CLQ_OK;
	char *message = NULL;

	if (url.len == 0)
		return clq_settings_error(settings, key, "is not set: say "
		    "which database, as in %s = "
		    "postgresql://user:password@localhost/cliquet", key);
	db->conninfo = without_driver(db->arena, url);
	options = PQconninfoParse(db->conninfo, &message);
	if (options == NULL) {
		status = clq_settings_error(settings, key, "is no URL of "
		    "PostgreSQL (postgresql://user:password@host/database): "
		    "%s", without_quoted(db->arena,
		    message != NULL ? message : "out of memory"));
		PQfreemem(message);
		return status;
	}
	describe(db, options);
	if (db->nhosts > MAX_HOSTS)
		status = clq_settings_error(settings, key, "names %zu hosts; "
		    "at most %d are possible", db->nhosts, (int)MAX_HOSTS);
	PQconninfoFree(options);
	return status;
}

/* ---- settings ---------------------------------------------------------- */

static void
warn_ignored(const struct clq_settings *settings, const char *prefix)
{
	char key[64];
	size_t i;

	for (i = 0; i < CLQ_COUNT(ignored); i++) {
		snprintf(key, sizeof key, "%s_%s", prefix, ignored[i]);
		if (clq_settings_has(settings, key))
			clq_log_once(CLQ_LOG_WARNING, "pg-pool", "%s: %s and "
			    "other settings of connection pools have no "
			    "effect: each worker has one connection",
			    clq_settings_origin(settings, key), key);
	}
}

static bool
is_ours(struct clq_str backend)
{
	return clq_str_is(backend, "postgresql") ||
	    clq_str_ends(backend, ".postgresql") ||
	    clq_str_ends(backend, "/postgresql.so");
}

/* True if one instance is asked to keep permissions too: their settings are
 * unset or the storage's. */
static bool
keeps_permissions(const struct clq_settings *settings)
{
	struct clq_str backend = clq_settings_str(settings,
	    "permission_backend");
	struct clq_str url = clq_settings_str(settings, "permission_url");

	return (backend.len == 0 || is_ours(backend)) && (url.len == 0 ||
	    clq_str_eq(url, clq_settings_str(settings, "storage_url")));
}

static clq_msec
msec(const struct clq_settings *settings, const char *prefix,
    const char *name, int64_t def)
{
	char key[64];

	snprintf(key, sizeof key, "%s_%s_seconds", prefix, name);
	return clq_settings_int(settings, key, def) * 1000;
}

/* The setting with the URL; without one of their own, permissions and cache are
 * where the objects are. */
static const char *
url_key(const struct clq_settings *settings, const char *own, bool shared)
{
	return clq_settings_str(settings, own).len == 0 && shared ?
	    "storage_url" : own;
}

static enum clq_status
read_settings(struct pg_db *db, struct clq_settings *settings,
    const char *prefix)
{
	const struct clq_setting *table = permission_table;
	const char *url = url_key(settings, "permission_url", true);
	enum clq_status status;

	if (strcmp(prefix, "storage") == 0) {
		table = storage_table;
		url = "storage_url";
		db->storage = true;
		db->permission = keeps_permissions(settings);
	} else if (strcmp(prefix, "cache") == 0) {
		table = cache_table;
		url = url_key(settings, "cache_url", is_ours(clq_settings_str(
		    settings, "storage_backend")));
		db->cache = true;
	} else {
		db->permission = true;
	}
	status = clq_settings_declare(settings, table,
	    CLQ_COUNT(storage_table));
	if (status != CLQ_OK)
		return status;
	db->connect_timeout = msec(settings, prefix, "connect_timeout", 5);
	db->timeout = msec(settings, prefix, "statement_timeout", 15);
	warn_ignored(settings, prefix);
	return read_url(db, settings, url);
}

enum clq_status
pg_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	struct pg_db *db = calloc(1, sizeof *db);
	enum clq_status status;

	if (db == NULL) {
		clq_log_err("postgresql: out of memory");
		return CLQ_INVALID;
	}
	db->magic = PG_MAGIC;
	db->arena = clq_arena_new();
	db->tx_arena = clq_arena_new();
	status = read_settings(db, settings, prefix);
	if (status != CLQ_OK) {
		pg_close(db);
		return status;
	}
	*self = db;
	return CLQ_OK;
}
