/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.so: objects and permissions that go with the server.
 *
 * It is the SQLite backend on a file in a private temporary folder, made by
 * the master and removed when the master lets go of its last instance: workers
 * come and go, a reload makes a new instance, and all share the data. The
 * folder is locked as long as a process of the server lives; one that a killed
 * server left behind is not, and the next server removes it.
 *
 * A process that serves by itself (started by spawn-fcgi or mod_fcgid without
 * our master) has a folder, and data, of its own.
 */
#include "storage/sqlite.h"

#include <cliquet/log.h>
#include <cliquet/settings.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_PREFIX	"cliquet-memory-"

enum { NEWBORN_SEC = 60 };	/* may not be locked yet */

/* The folder of one storage_url; instances of a server share it. */
struct folder {
	struct folder	*next;
	char		*name;		/* of the data: the URL, or "" */
	char		*path;
	pid_t		 owner;		/* who removes it */
	unsigned	 users;		/* instances */
	int		 lock;		/* descriptor, kept open */
};

/* In the master; workers inherit a copy and leave it alone. */
static struct folder *folders;

static const char *const files[] = {
	"data.db", "data.db-wal", "data.db-shm", "data.db-journal",
	"data.db-queue", "lock"
};

static void
remove_folder(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t i;

	for (i = 0; dir != -1 && i < CLQ_COUNT(files); i++)
		if (unlinkat(dir, files[i], 0) == -1 && errno != ENOENT)
			clq_log_warn("memory: %s/%s: %m", path, files[i]);
	if (dir != -1)
		close(dir);
	if (rmdir(path) == -1 && errno != ENOENT)
		clq_log_warn("memory: %s: %m", path);
}

static bool
lock_folder(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* ---- what dead servers left ------------------------------------------- */

/* True if dir is a folder of ours that no process holds. The lock that
 * proves it is in *lock, to be closed. */
static bool
abandoned(int dir, int *lock)
{
	struct stat st;

	*lock = -1;
	if (fstat(dir, &st) == -1 ||
	    (st.st_uid != geteuid() && geteuid() != 0) ||
	    time(NULL) - st.st_mtime < NEWBORN_SEC)
		return false;
	*lock = openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return *lock == -1 ? errno == ENOENT : lock_folder(*lock);
}

static void
clean_up(const char *base)
{
	DIR *list = opendir(base);
	struct dirent *entry;
	char *path;
	int dir, lock;

	while (list != NULL && (entry = readdir(list)) != NULL) {
		if (strncmp(entry->d_name, FOLDER_PREFIX,
		    strlen(FOLDER_PREFIX)) != 0)
			continue;
		dir = openat(dirfd(list), entry->d_name, O_RDONLY |
		    O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir == -1)
			continue;
		if (abandoned(dir, &lock) &&
		    asprintf(&path, "%s/%s", base, entry->d_name) != -1) {
			remove_folder(path);
			free(path);
		}
		if (lock != -1)
			close(lock);
		close(dir);
	}
	if (list != NULL)
		closedir(list);
}

/* ---- our own ---------------------------------------------------------- */

/* The workers' user, if we are root and the settings name one. */
static void
give_away(const struct clq_settings *settings, const char *path)
{
	const char *user = clq_settings_cstr(settings, "user");
	const struct passwd *pw;

	if (geteuid() != 0 || user == NULL || *user == '\0')
		return;
	pw = getpwnam(user);
	if (pw != NULL && chown(path, pw->pw_uid, pw->pw_gid) == -1)
		clq_log_warn("memory: %s: chown to %s: %m", path, user);
}

static void
free_folder(struct folder *f)
{
	if (f->lock != -1)
		close(f->lock);
	free(f->name);
	free(f->path);
	free(f);
}

/* Make the folder itself and take its lock; errno says what failed. */
static bool
make_locked(struct folder *f, const char *base)
{
	int dir;

	if (asprintf(&f->path, "%s/" FOLDER_PREFIX "%ld-XXXXXX", base,
	    (long)getpid()) == -1) {
		f->path = NULL;
		return false;
	}
	if (mkdtemp(f->path) == NULL)
		return false;
	dir = open(f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir != -1) {
		f->lock = openat(dir, "lock", O_RDWR | O_CREAT | O_EXCL |
		    O_CLOEXEC, 0600);
		close(dir);
	}
	if (f->lock != -1 && lock_folder(f->lock))
		return true;
	remove_folder(f->path);
	return false;
}

static enum clq_status
make_folder(struct clq_settings *settings, const char *name,
    struct folder **out)
{
	const char *base = getenv("TMPDIR");
	struct folder *f = calloc(1, sizeof *f);

	if (base == NULL || *base == '\0')
		base = "/tmp";
	clean_up(base);
	if (f == NULL)
		return CLQ_FAILED;
	f->lock = -1;
	f->owner = getpid();
	f->name = strdup(name);
	if (f->name == NULL || !make_locked(f, base)) {
		(void)clq_settings_error(settings, "storage_backend",
		    "memory: cannot make a folder in %s: %s; check its "
		    "permissions, or set TMPDIR", base, strerror(errno));
		free_folder(f);
		return CLQ_INVALID;
	}
	give_away(settings, f->path);
	*out = f;
	return CLQ_OK;
}

/* The folder of that name in this process, made if there is none. */
static enum clq_status
hold_folder(struct clq_settings *settings, const char *name,
    struct folder **out)
{
	enum clq_status status;
	struct folder *f;

	for (f = folders; f != NULL; f = f->next)
		if (f->owner == getpid() && strcmp(f->name, name) == 0)
			break;
	if (f == NULL) {
		status = make_folder(settings, name, &f);
		if (status != CLQ_OK)
			return status;
		f->next = folders;
		folders = f;
	}
	f->users++;
	*out = f;
	return CLQ_OK;
}

static void
drop_folder(struct folder *f)
{
	struct folder **p;

	if (f->owner != getpid() || --f->users > 0)
		return;
	for (p = &folders; *p != f; p = &(*p)->next)
		continue;
	*p = f->next;
	remove_folder(f->path);
	free_folder(f);
}

/* ---- the table -------------------------------------------------------- */

static enum clq_status
configure(struct clq_settings *settings, const char *prefix, void **self)
{
	const char *url = clq_settings_cstr(settings,
	    strcmp(prefix, "permission") == 0 && clq_settings_has(settings,
	    "permission_url") ? "permission_url" : "storage_url");
	struct folder *f = NULL;
	struct sq_db *q = NULL;
	enum clq_status status;
	char *path = NULL;

	status = hold_folder(settings, url != NULL ? url : "", &f);
	if (status != CLQ_OK)
		return status;
	if (asprintf(&path, "%s/%s", f->path, files[0]) == -1) {
		drop_folder(f);
		return CLQ_FAILED;
	}
	status = sq_new(settings, path, &q);
	free(path);
	if (status != CLQ_OK) {
		drop_folder(f);
		return status;
	}
	q->synchronous = "off";		/* nothing here outlives the server */
	q->folder = f;
	*self = q;
	return CLQ_OK;
}

static void
close_instance(void *self)
{
	struct sq_db *q = sq_self(self);
	struct folder *f = q->folder;

	sq_free(&q);
	drop_folder(f);
}

static const struct clq_backend_ops backend = {
	.size		= sizeof backend,
	.configure	= configure,
	.open		= sq_open,
	.ping		= sq_ping,
	.close		= close_instance,
	.begin		= sq_begin,
	.finish		= sq_finish,
	.savepoint	= sq_savepoint,
	.rollback	= sq_rollback,
	.release	= sq_release,
	.migrate	= sq_migrate,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name		= "memory",
	.version	= SQLITE_VERSION,
	.backend	= &backend,
	.storage	= &sq_storage_ops,
	.permission	= &sq_permission_ops,
};
