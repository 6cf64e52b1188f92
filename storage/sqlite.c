/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.so: objects and permissions in one SQLite file, the embedded default.
 *
 * Here are the descriptor and what its settings mean; the rest is in the
 * sqlite_*.c files, which memory.so shares.
 */
#include "storage/sqlite.h"

#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The setting that holds the URL: permissions default to the storage's. */
static const char *
url_key(const struct clq_settings *settings, const char *prefix)
{
	if (strcmp(prefix, "permission") == 0 &&
	    clq_settings_str(settings, "permission_url").len > 0)
		return "permission_url";
	return "storage_url";
}

/* The path in a URL, or the absent slice if it is not one of ours. */
static struct clq_str
path_of(struct clq_str url)
{
	if (clq_str_starts(url, "sqlite:///"))
		return clq_str_sub(url, strlen("sqlite://"), url.len);
	if (clq_str_starts(url, "sqlite://"))
		return (struct clq_str){ NULL, 0 };
	if (clq_str_starts(url, "sqlite:"))
		return clq_str_sub(url, strlen("sqlite:"), url.len);
	if (url.len == 0 || clq_str_search(url, CLQ_STR("://")) < url.len ||
	    clq_str_starts(url, "file:") || url.p[0] == ':')
		return (struct clq_str){ NULL, 0 };
	return url;
}

/* Relative paths count from where the server is started. */
static enum clq_status
absolute_path(struct clq_settings *settings, struct clq_arena *arena,
    const char *key, const char **out)
{
	struct clq_str url = clq_settings_str(settings, key), path;
	char *cwd;

	if (url.len == 0)
		return clq_settings_error(settings, key, "is not set: give "
		    "the database file, as in %s = "
		    "sqlite:///var/lib/cliquet/cliquet.db", key);
	path = path_of(url);
	if (path.len == 0)
		return clq_settings_error(settings, key, "\"%.*s\" is no "
		    "SQLite file: write sqlite:///absolute/path, "
		    "sqlite:relative/path or a plain path", CLQ_FMT(url));
	if (path.p[0] == '/') {
		*out = clq_arena_cstr(arena, path);
		return CLQ_OK;
	}
	cwd = getcwd(NULL, 0);
	if (cwd == NULL)
		return clq_settings_error(settings, key, "the working folder "
		    "is gone: %s", strerror(errno));
	*out = clq_arena_printf(arena, "%s/%.*s", cwd, CLQ_FMT(path)).p;
	free(cwd);
	return CLQ_OK;
}

/*
 * SQLite writes beside the file, too. Whoever runs this is the user who serves
 * (the server asks after it has become that user), or wants to act like him.
 */
static enum clq_status
check_writable(struct clq_settings *settings, const char *key,
    const char *path, const char *folder)
{
	const char *what = folder;

	if (clq_settings_bool(settings, "readonly", false))
		return CLQ_OK;
	if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0) {
		what = path;
		if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0 ||
		    errno == ENOENT)
			return CLQ_OK;
	}
	return clq_settings_error(settings, key, "%s cannot be written by user "
	    "id %ld: %s; make it belong to the user the server runs as, or "
	    "start as that user", what, (long)geteuid(), strerror(errno));
}

/* The folder must exist; the file need not. */
static enum clq_status
check_path(struct clq_settings *settings, struct clq_arena *arena,
    const char *key, const char *path)
{
	char *folder = clq_arena_cstr(arena, clq_str_of(path));
	struct stat st;

	*strrchr(folder, '/') = '\0';
	if (*folder == '\0')
		folder = clq_arena_cstr(arena, CLQ_STR("/"));
	if (stat(folder, &st) == -1 ? errno == ENOENT || errno == ENOTDIR :
	    !S_ISDIR(st.st_mode))
		return clq_settings_error(settings, key, "the folder %s does "
		    "not exist: make it, owned by the user the server runs "
		    "as", folder);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return clq_settings_error(settings, key, "%s is not a file: "
		    "name the database file itself", path);
	return check_writable(settings, key, path, folder);
}

/* Two instances on one file would wait for each other. */
static enum clq_status
check_permissions(struct clq_settings *settings, struct clq_arena *arena,
    const char *path)
{
	struct clq_str url = clq_settings_str(settings, "permission_url");
	const char *other = NULL;

	if (path_of(url).len == 0 ||
	    clq_str_eq(url, clq_settings_str(settings, "storage_url")))
		return CLQ_OK;
	if (absolute_path(settings, arena, "permission_url", &other) ==
	    CLQ_OK && strcmp(other, path) == 0)
		return clq_settings_error(settings, "permission_url", "is "
		    "the file of storage_url written in another way: write "
		    "both alike, or leave permission_url out");
	return CLQ_OK;
}

static enum clq_status
configure(struct clq_settings *settings, const char *prefix, void **self)
{
	const char *key = url_key(settings, prefix), *path = NULL;
	struct clq_arena *arena = clq_arena_new();
	struct sq_db *q = NULL;
	enum clq_status status;

	status = absolute_path(settings, arena, key, &path);
	if (status == CLQ_OK)
		status = check_path(settings, arena, key, path);
	if (status == CLQ_OK && strcmp(prefix, "storage") == 0)
		status = check_permissions(settings, arena, path);
	if (status == CLQ_OK)
		status = sq_new(settings, path, &q);
	if (status == CLQ_OK)
		*self = q;
	clq_arena_free(&arena);
	return status;
}

static const struct clq_backend_ops backend = {
	.size		= sizeof backend,
	.configure	= configure,
	.open		= sq_open,
	.ping		= sq_ping,
	.close		= sq_close,
	.begin		= sq_begin,
	.finish		= sq_finish,
	.savepoint	= sq_savepoint,
	.rollback	= sq_rollback,
	.release	= sq_release,
	.migrate	= sq_migrate,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name		= "sqlite",
	.version	= SQLITE_VERSION,
	.backend	= &backend,
	.storage	= &sq_storage_ops,
	.permission	= &sq_permission_ops,
};
