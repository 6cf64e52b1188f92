/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds, loads and checks plugins (dlopen), in the master.
 *
 * A value of the ini is a path, a name to be searched for, or a name of the
 * Python original that the table below maps. A plugin is looked at only as far
 * as its version allows: first the three frozen fields, then its size, then
 * each table it offers, function by function, so that what is missing is found
 * at start-up and not in the first request that needs it. Loaded files are
 * remembered by path and stay mapped; a rebuilt one takes a restart.
 */
#include <cliquet/app.h>
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef CLQ_PLUGIN_DIR
#define CLQ_PLUGIN_DIR "/usr/local/lib/cliquet"
#endif

enum { LISTED_MAX = 40 };	/* installed plugins named in a message */

/* Names of the Python original and of its plugins, and ours. */
static const struct {
	const char	*kind;
	const char	*theirs;
	const char	*ours;
} aliases[] = {
	{ "storage", "kinto.core.storage.memory", "memory" },
	{ "storage", "kinto.core.storage.postgresql", "postgresql" },
	{ "storage", "kinto.core.permission.memory", "memory" },
	{ "storage", "kinto.core.permission.postgresql", "postgresql" },
	{ "storage", "cliquet.storage.memory", "memory" },
	{ "storage", "cliquet.storage.postgresql", "postgresql" },
	{ "storage", "cliquet.storage.redis", "redis" },
	{ "storage", "cliquet.permission.memory", "memory" },
	{ "storage", "cliquet.permission.postgresql", "postgresql" },
	{ "storage", "cliquet.permission.redis", "redis" },
	{ "storage", "kinto_redis.storage", "redis" },
	{ "storage", "kinto_redis.permission", "redis" },
	{ "cache", "kinto.core.cache.memory", "memory" },
	{ "cache", "kinto.core.cache.postgresql", "postgresql" },
	{ "cache", "kinto.core.cache.memcached", "memcached" },
	{ "cache", "cliquet.cache.memory", "memory" },
	{ "cache", "cliquet.cache.postgresql", "postgresql" },
	{ "cache", "cliquet.cache.memcached", "memcached" },
	{ "cache", "cliquet.cache.redis", "redis" },
	{ "cache", "kinto_redis.cache", "redis" },
	{ "app", "kinto.plugins.accounts", "accounts" },
	{ "app", "kinto.plugins.admin", "admin" },
	{ "app", "kinto.plugins.counters", "counters" },
	{ "app", "kinto.plugins.default_bucket", "default_bucket" },
	{ "app", "kinto.plugins.flush", "flush" },
	{ "app", "kinto.plugins.history", "history" },
	{ "app", "kinto.plugins.openid", "openid" },
	{ "app", "kinto.plugins.prometheus", "prometheus" },
	{ "app", "kinto.plugins.quotas", "quotas" },
	{ "app", "kinto.plugins.statsd", "statsd" },
	{ "app", "cliquet.listeners.redis", "redis" },
	{ "app", "kinto_redis", "redis" },
	{ "app", "kinto_redis.listeners", "redis" },
	{ "app", "kinto_attachment", "attachment" },
	{ "app", "attachments", "attachment" }
};

/* A function of a table, by its place. */
struct slot {
	const char	*name;
	size_t		 at;
};
#define SLOT(table, fn) { #fn, offsetof(struct table, fn) }

static const struct slot backend_slots[] = {
	SLOT(clq_backend_ops, configure), SLOT(clq_backend_ops, open),
	SLOT(clq_backend_ops, ping), SLOT(clq_backend_ops, close)
};
static const struct slot transaction_slots[] = {
	SLOT(clq_backend_ops, begin), SLOT(clq_backend_ops, finish),
	SLOT(clq_backend_ops, savepoint), SLOT(clq_backend_ops, rollback),
	SLOT(clq_backend_ops, release)
};
static const struct slot storage_slots[] = {
	SLOT(clq_storage_ops, lookup), SLOT(clq_storage_ops, timestamp),
	SLOT(clq_storage_ops, write), SLOT(clq_storage_ops, sync),
	SLOT(clq_storage_ops, list), SLOT(clq_storage_ops, count),
	SLOT(clq_storage_ops, delete_all), SLOT(clq_storage_ops, erase),
	SLOT(clq_storage_ops, purge), SLOT(clq_storage_ops, trim),
	SLOT(clq_storage_ops, totals), SLOT(clq_storage_ops, flush)
};
static const struct slot permission_slots[] = {
	SLOT(clq_permission_ops, lookup), SLOT(clq_permission_ops, replace),
	SLOT(clq_permission_ops, add), SLOT(clq_permission_ops, remove),
	SLOT(clq_permission_ops, delete_objects),
	SLOT(clq_permission_ops, acl), SLOT(clq_permission_ops, accessible),
	SLOT(clq_permission_ops, add_member),
	SLOT(clq_permission_ops, remove_member),
	SLOT(clq_permission_ops, forget_principal),
	SLOT(clq_permission_ops, groups), SLOT(clq_permission_ops, flush)
};
static const struct slot cache_slots[] = {
	SLOT(clq_cache_ops, get), SLOT(clq_cache_ops, set),
	SLOT(clq_cache_ops, take), SLOT(clq_cache_ops, ttl),
	SLOT(clq_cache_ops, expire), SLOT(clq_cache_ops, flush)
};
static const struct slot app_slots[] = {
	SLOT(clq_app_ops, setup)
};

/* What is loaded; for the life of the process. */
static struct loaded {
	struct loaded			*next;
	const struct clq_plugin		*plugin;
	char				 path[];
} *loaded;

/* A load under way. */
struct request {
	struct clq_settings	*s;
	struct clq_arena	*arena;
	const char		*kind;
	const char		*key;
	struct clq_str		 value;		/* as in the ini */
	struct clq_strs		 folders;
};

/* ---- finding ----------------------------------------------------------- */

static void
add_folders(struct request *r, struct clq_str list, char sep)
{
	struct clq_str part, folder;

	while (clq_str_next(&list, sep, &part))
		while (clq_str_next_word(&part, &folder))
			clq_strs_add(r->arena, &r->folders, folder);
}

static void
collect_folders(struct request *r)
{
	struct clq_strs own = clq_settings_list(r->s, "plugin_path");
	size_t i;

	for (i = 0; i < own.n; i++)
		clq_strs_add(r->arena, &r->folders, own.items[i]);
	add_folders(r, clq_str_of(getenv("CLQ_PLUGIN_PATH")), ':');
	clq_strs_add(r->arena, &r->folders, CLQ_STR(CLQ_PLUGIN_DIR));
}

/* Our name for a value; absent if it can be none of ours. */
static struct clq_str
plugin_name(const struct request *r)
{
	struct clq_str v = r->value;
	size_t i;

	for (i = 0; i < CLQ_COUNT(aliases); i++)
		if (strcmp(aliases[i].kind, r->kind) == 0 &&
		    clq_str_is(v, aliases[i].theirs))
			return clq_str_of(aliases[i].ours);
	if (clq_str_starts(v, "egg:"))	/* egg:kinto#main */
		v = clq_str_sub(v, strlen("egg:"), clq_str_find(v, '#', 0));
	for (i = 0; i < v.len; i++) {
		char c = v.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return (struct clq_str){ NULL, 0 };
	}
	return v.len != 0 && v.len <= 100 ? v : (struct clq_str){ NULL, 0 };
}

static bool
is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The file of a name in the folders; NULL if there is none. */
static const char *
search(struct request *r, struct clq_str name)
{
	const char *kinds[] = { r->kind, "storage" };
	size_t i, j, nkinds = 1;
	const char *path;

	/* A database's plugin may offer a cache too, from its own folder. */
	if (strcmp(r->kind, "cache") == 0)
		nkinds = 2;
	for (j = 0; j < nkinds; j++)
		for (i = 0; i < r->folders.n; i++) {
			path = clq_arena_printf(r->arena, "%.*s/%s/%.*s.so",
			    CLQ_FMT(r->folders.items[i]), kinds[j],
			    CLQ_FMT(name)).p;
			if (is_file(path))
				return path;
		}
	return NULL;
}

/* Names of the plugins of a folder, for a message. */
static void
list_folder(struct request *r, const char *folder, struct clq_strs *names)
{
	DIR *dir = opendir(folder);
	struct clq_str name;
	struct dirent *de;

	if (dir == NULL)
		return;
	while (names->n < LISTED_MAX && (de = readdir(dir)) != NULL) {
		name = clq_str_of(de->d_name);
		if (!clq_str_ends(name, ".so") || name.len <= 3)
			continue;
		name = clq_arena_strdup(r->arena,
		    clq_str_sub(name, 0, name.len - 3));
		if (!clq_strs_has(*names, name))
			clq_strs_add(r->arena, names, name);
	}
	closedir(dir);
}

static int
by_name(const void *a, const void *b)
{
	return clq_str_cmp(*(const struct clq_str *)a,
	    *(const struct clq_str *)b);
}

static enum clq_status
say_not_found(struct request *r)
{
	struct clq_strs names = { NULL, 0, 0 };
	struct clq_buf folders, list;
	size_t i;

	clq_buf_init(&folders, r->arena, 0);
	clq_buf_init(&list, r->arena, 0);
	for (i = 0; i < r->folders.n; i++) {
		const char *path = clq_arena_printf(r->arena, "%.*s/%s",
		    CLQ_FMT(r->folders.items[i]), r->kind).p;

		clq_buf_printf(&folders, "%s%s", i != 0 ? ", " : "", path);
		list_folder(r, path, &names);
	}
	if (names.n != 0)
		qsort(names.items, names.n, sizeof *names.items, by_name);
	for (i = 0; i < names.n; i++)
		clq_buf_printf(&list, "%s%.*s", i != 0 ? ", " : "",
		    CLQ_FMT(names.items[i]));
	if (names.n == 0)
		clq_buf_adds(&list, "none");
	return clq_settings_error(r->s, r->key, "there is no %s plugin '%.*s' "
	    "in %.*s; there are: %.*s", r->kind, CLQ_FMT(r->value),
	    CLQ_FMT(clq_buf_str(&folders)), CLQ_FMT(clq_buf_str(&list)));
}

/* ---- checking ---------------------------------------------------------- */

static enum clq_status
check_slots(struct request *r, const char *path, const char *what,
    const void *table, const struct slot *slots, size_t n)
{
	void (*fn)(void);
	uint32_t size;
	size_t i;

	memcpy(&size, table, sizeof size);
	for (i = 0; i < n; i++) {
		fn = NULL;
		if (slots[i].at + sizeof fn <= size)
			memcpy(&fn, (const char *)table + slots[i].at,
			    sizeof fn);
		if (fn == NULL)
			return clq_settings_error(r->s, r->key, "%s: its %s "
			    "table lacks the function %s; get a complete "
			    "plugin", path, what, slots[i].name);
	}
	return CLQ_OK;
}

#define CHECK(what, table, slots) \
	check_slots(r, path, what, table, slots, CLQ_COUNT(slots))

static enum clq_status
check_tables(struct request *r, const char *path, const struct clq_plugin *p)
{
	bool data = p->storage != NULL || p->permission != NULL;

	if ((data || p->cache != NULL) && p->backend == NULL)
		return clq_settings_error(r->s, r->key, "%s: it has no "
		    "backend table; get a complete plugin", path);
	if ((p->backend != NULL &&
	    CHECK("backend", p->backend, backend_slots) != CLQ_OK) ||
	    (data &&
	    CHECK("backend", p->backend, transaction_slots) != CLQ_OK) ||
	    (p->storage != NULL &&
	    CHECK("storage", p->storage, storage_slots) != CLQ_OK) ||
	    (p->permission != NULL &&
	    CHECK("permission", p->permission, permission_slots) != CLQ_OK) ||
	    (p->cache != NULL &&
	    CHECK("cache", p->cache, cache_slots) != CLQ_OK) ||
	    (p->app != NULL && CHECK("app", p->app, app_slots) != CLQ_OK))
		return CLQ_INVALID;
	return CLQ_OK;
}

static enum clq_status
check_plugin(struct request *r, const char *path, const struct clq_plugin *p)
{
	if (p->abi_major != CLQ_ABI_MAJOR || p->abi_minor > CLQ_ABI_MINOR)
		return clq_settings_error(r->s, r->key, "%s: built for plugin "
		    "interface %u.%u, this server has %u.%u; build the "
		    "plugin against the headers of this server", path,
		    p->abi_major, p->abi_minor, CLQ_ABI_MAJOR, CLQ_ABI_MINOR);
	/* Version 1.0 ends with `app`. */
	if (p->size < offsetof(struct clq_plugin, app) + sizeof p->app ||
	    p->name == NULL)
		return clq_settings_error(r->s, r->key, "%s: its descriptor is "
		    "incomplete; begin it with CLQ_PLUGIN_HEAD and give it a "
		    "name", path);
	return check_tables(r, path, p);
}

/* Does the plugin offer what the setting wants of it? */
static enum clq_status
check_kind(struct request *r, const char *path, const struct clq_plugin *p)
{
	bool permission = strcmp(r->key, "permission_backend") == 0;
	const char *want = permission ? "permission" : r->kind;
	bool ok;

	if (permission)
		ok = p->permission != NULL;
	else if (strcmp(r->kind, "storage") == 0)
		ok = p->storage != NULL;
	else if (strcmp(r->kind, "cache") == 0)
		ok = p->cache != NULL;
	else
		ok = p->app != NULL;
	if (ok)
		return CLQ_OK;
	return clq_settings_error(r->s, r->key, "%s: the plugin '%s' is no %s "
	    "plugin; choose another one", path, p->name, want);
}

/* ---- loading ----------------------------------------------------------- */

static enum clq_status
open_plugin(struct request *r, const char *path,
    const struct clq_plugin **out)
{
	const struct clq_plugin *p;
	const char *why;
	struct loaded *l;
	void *dl;

	for (l = loaded; l != NULL; l = l->next)
		if (strcmp(l->path, path) == 0) {
			*out = l->plugin;
			return CLQ_OK;
		}
	if ((dl = dlopen(path, RTLD_NOW | RTLD_LOCAL)) == NULL) {
		why = dlerror();
		return clq_settings_error(r->s, r->key, "%s: cannot be loaded "
		    "(%s); install what it needs, or build it against this "
		    "server", path, why != NULL ? why : "no reason given");
	}
	if ((p = dlsym(dl, "clq_plugin")) == NULL) {
		dlclose(dl);	/* nothing of it was used */
		return clq_settings_error(r->s, r->key, "%s: not a plugin of "
		    "this server (no symbol clq_plugin); choose another file",
		    path);
	}
	if (check_plugin(r, path, p) != CLQ_OK)
		return CLQ_INVALID;
	if ((l = malloc(sizeof *l + strlen(path) + 1)) == NULL)
		return clq_settings_error(r->s, r->key, "out of memory");
	memcpy(l->path, path, strlen(path) + 1);
	l->plugin = p;
	l->next = loaded;
	loaded = l;
	clq_log_debug("%s: %s %s loaded", path, p->name,
	    p->version != NULL ? p->version : "");
	*out = p;
	return CLQ_OK;
}

enum clq_status
clq_plugin_load(struct clq_settings *s, const char *kind, struct clq_str value,
    const char *key, const struct clq_plugin **out)
{
	struct clq_arena *arena = clq_arena_new();
	struct request r = { .s = s, .arena = arena, .kind = kind,
	    .key = key, .value = value };
	const struct clq_plugin *p = NULL;
	enum clq_status rc;
	const char *path = NULL;
	char *real = NULL;
	struct clq_str name;

	collect_folders(&r);
	if (clq_str_find(value, '/', 0) < value.len) {
		path = clq_arena_cstr(arena, value);
		if (!is_file(path)) {
			rc = clq_settings_error(s, key, "%s: no such file; "
			    "give the path of a plugin, or its name", path);
			goto out;
		}
	} else if ((name = plugin_name(&r)).p != NULL) {
		path = search(&r, name);
	}
	if (path == NULL) {
		rc = say_not_found(&r);
		goto out;
	}
	if ((real = realpath(path, NULL)) == NULL) {
		rc = clq_settings_error(s, key, "%s: %s; check the folders "
		    "above it", path, strerror(errno));
		goto out;
	}
	if ((rc = open_plugin(&r, real, &p)) == CLQ_OK &&
	    (rc = check_kind(&r, real, p)) == CLQ_OK)
		*out = p;
out:	free(real);
	clq_arena_free(&arena);
	return rc;
}
