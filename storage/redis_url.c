/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the Redis backend, checked in the master: where it is, how long
 * to wait. redis://[[user]:password@]host[:port][/number], or
 * unix://[[user]:password@]/path/of/socket[?db=number].
 */
#include "storage/redis.h"

#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#define TABLE(prefix)							\
	{ prefix "connect_timeout_seconds", CLQ_SET_INT, "5", 1, 600,	\
	  "seconds", "How long Redis may take to accept a "		\
	  "connection." },						\
	{ prefix "command_timeout_seconds", CLQ_SET_INT, "15", 1, 3600,	\
	  "seconds", "How long Redis may take for a command, and how "	\
	  "long a writer waits for the others; the request then fails "	\
	  "with 503." }
static const struct clq_setting storage_table[] = { TABLE("storage_") };
static const struct clq_setting permission_table[] = {
	TABLE("permission_")
};
static const struct clq_setting cache_table[] = { TABLE("cache_") };
/* clang-format on */

static const char *
decoded(struct rd_db *db, struct clq_str s)
{
	return clq_arena_cstr(db->arena, clq_url_decode(db->arena, s, false));
}

/* "user:password" or ":password". */
static void
read_login(struct rd_db *db, struct clq_str login)
{
	size_t colon = clq_str_find(login, ':', 0);

	if (colon > 0)
		db->user = decoded(db, clq_str_sub(login, 0, colon));
	if (colon < login.len)
		db->password = decoded(db, clq_str_sub(login, colon + 1,
		    login.len));
}

/* "host", "host:port", "[::1]:port"; empty: localhost. */
static bool
read_host(struct rd_db *db, struct clq_str s)
{
	size_t from = 0, colon;
	int64_t port = 6379;

	if (clq_str_starts(s, "[")) {
		from = clq_str_find(s, ']', 0);
		db->host = decoded(db, clq_str_sub(s, 1, from));
		if (from == s.len)
			return false;
	}
	colon = clq_str_find(s, ':', from);
	if (colon < s.len && (!clq_str_int(clq_str_sub(s, colon + 1, s.len),
	    &port) || port < 1 || port > 65535))
		return false;
	db->port = (int)port;
	if (db->host == NULL)
		db->host = colon > 0 ? decoded(db, clq_str_sub(s, 0, colon)) :
		    "localhost";
	return true;
}

static bool
read_number(struct rd_db *db, struct clq_str s)
{
	return s.len == 0 || (clq_str_int(s, &db->number) &&
	    db->number >= 0 && db->number <= 65535);
}

/* What follows "unix://". */
static bool
read_path(struct rd_db *db, struct clq_str s)
{
	size_t at = clq_str_search(s, CLQ_STR("?db="));

	db->path = decoded(db, clq_str_sub(s, 0, at));
	db->shown = db->path;
	return db->path[0] == '/' && (at == s.len || read_number(db,
	    clq_str_sub(s, at + 4, s.len)));
}

static bool
read_url(struct rd_db *db, struct clq_str url)
{
	bool is_unix = clq_str_starts(url, "unix://");
	size_t at, slash;

	if (!is_unix && !clq_str_starts(url, "redis://"))
		return false;
	url = clq_str_sub(url, clq_str_search(url, CLQ_STR("://")) + 3,
	    url.len);
	slash = clq_str_find(url, '/', 0);
	for (at = slash; at > 0 && url.p[at - 1] != '@'; at--)
		;
	if (at > 0) {	/* the last '@': passwords may have others */
		read_login(db, clq_str_sub(url, 0, at - 1));
		url = clq_str_sub(url, at, url.len);
	}
	if (is_unix)
		return read_path(db, url);
	slash = clq_str_find(url, '/', 0);
	if (!read_host(db, clq_str_sub(url, 0, slash)) ||
	    !read_number(db, clq_str_sub(url, slash + 1, url.len)))
		return false;
	db->shown = clq_arena_printf(db->arena, "%.100s:%d/%lld", db->host,
	    db->port, (long long)db->number).p;
	return true;
}

static clq_msec
msec(const struct clq_settings *settings, const char *prefix,
    const char *name, int64_t def)
{
	char key[64];

	snprintf(key, sizeof key, "%s_%s_seconds", prefix, name);
	return clq_settings_int(settings, key, def) * 1000;
}

static enum clq_status
read_settings(struct rd_db *db, struct clq_settings *settings,
    const char *prefix)
{
	const struct clq_setting *table = storage_table;
	char key[32];
	struct clq_str url;
	enum clq_status status;

	if (strcmp(prefix, "storage") != 0)
		table = strcmp(prefix, "cache") == 0 ? cache_table :
		    permission_table;
	status = clq_settings_declare(settings, table,
	    CLQ_COUNT(storage_table));
	if (status != CLQ_OK)
		return status;
	snprintf(key, sizeof key, "%s_url", prefix);
	url = clq_settings_str(settings, key);
	if (url.len == 0)
		url = CLQ_STR("redis://localhost:6379/0");
	if (clq_str_starts(url, "rediss://"))
		return clq_settings_error(settings, key, "TLS is not spoken; "
		    "put a tunnel such as stunnel in front of Redis");
	if (!read_url(db, url))
		return clq_settings_error(settings, key, "is no URL of Redis: "
		    "redis://[[user]:password@]host[:port][/number] or "
		    "unix:///path/of/socket[?db=number]");
	db->connect_timeout = msec(settings, prefix, "connect_timeout", 5);
	db->timeout = msec(settings, prefix, "command_timeout", 15);
	return CLQ_OK;
}

enum clq_status
rd_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	struct rd_db *db = calloc(1, sizeof *db);
	enum clq_status status;

	if (db == NULL) {
		clq_log_err("redis: out of memory");
		return CLQ_INVALID;
	}
	db->magic = RD_MAGIC;
	db->arena = clq_arena_new();
	db->tx_arena = clq_arena_new();
	status = read_settings(db, settings, prefix);
	if (status != CLQ_OK) {
		clq_arena_free(&db->tx_arena);
		clq_arena_free(&db->arena);
		free(db);
		return status;
	}
	*self = db;
	return CLQ_OK;
}
