/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the Redis backend, checked in the master: where it is, how long
 * to wait.
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

static bool
read_url(struct rd_db *db, struct clq_str url)
{
	struct redis_address *a = &db->address;

	if (!redis_address(db->arena, url, a))
		return false;
	db->shown = a->path != NULL ? a->path : clq_arena_printf(db->arena,
	    "%.100s:%d/%lld", a->host, a->port, (long long)a->number).p;
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
