/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder.so: a cache in the files of a folder, the example of docs/backends.md.
 *
 * Each key is a file, named by the digest of the key: the deadline and the key on
 * the first line, then the value. A lock on the folder makes changes one by one,
 * over all workers; readers see a whole file or none, since a file is renamed
 * into its place.
 */
#include <cliquet/abi.h>
#include <cliquet/arena.h>
#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = CLQ_CACHE_MAX_VALUE + CLQ_CACHE_MAX_KEY + 64 };

struct folder {
	char	*path;
	int	 lock;		/* the folder itself, opened by each worker */
};

static const char *
file_of(const struct folder *f, struct clq_arena *arena, struct clq_str key)
{
	struct clq_str name = clq_sha256_hex(arena, key);

	return clq_arena_printf(arena, "%s/%.*s", f->path, CLQ_FMT(name)).p;
}

/* The value of a file, and when it ends; CLQ_NOT_FOUND if it has ended. */
static enum clq_status
read_file(struct clq_arena *arena, const char *path, struct clq_str key,
    struct clq_str *value, clq_msec *deadline)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct clq_str rest, line, number;
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;
	int64_t t;

	if (fd == -1)
		return errno == ENOENT ? CLQ_NOT_FOUND : CLQ_UNAVAILABLE;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= FILE_MAX) {
		text = clq_arena_alloc(arena, (size_t)st.st_size);
		n = read(fd, text, (size_t)st.st_size);
	}
	close(fd);
	if (n <= 0)
		return CLQ_NOT_FOUND;
	rest = (struct clq_str){ text, (size_t)n };
	line = clq_str_sub(rest, 0, clq_str_find(rest, '\n', 0));
	number = clq_str_sub(line, 0, clq_str_find(line, ' ', 0));
	if (!clq_str_int(number, &t) || t <= clq_now() || !clq_str_eq(key,
	    clq_str_sub(line, number.len + 1, line.len)))
		return CLQ_NOT_FOUND;
	*value = clq_str_sub(rest, line.len + 1, rest.len);
	*deadline = t;
	return CLQ_OK;
}

/* Called with the lock. */
static enum clq_status
write_file(const struct folder *f, struct clq_arena *arena,
    struct clq_str key, struct clq_str value, clq_msec ttl)
{
	const char *path = file_of(f, arena, key);
	const char *fresh = clq_arena_printf(arena, "%s/new", f->path).p;
	clq_msec now = clq_now();
	struct clq_buf b;
	bool good;
	int fd;

	clq_buf_init(&b, arena, value.len + key.len + 32);
	clq_buf_addint(&b, ttl > INT64_MAX - now ? INT64_MAX : now + ttl);
	clq_buf_printf(&b, " %.*s\n", CLQ_FMT(key));
	clq_buf_add(&b, value);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	good = fd != -1 && write(fd, b.p, b.len) == (ssize_t)b.len;
	if (fd != -1)
		close(fd);
	if (good && rename(fresh, path) == 0)
		return CLQ_OK;
	clq_log_err("folder: %s: %s", fresh, strerror(errno));
	return CLQ_UNAVAILABLE;
}

/* ---- the cache ------------------------------------------------------------ */

static enum clq_status
get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	clq_msec deadline;

	return read_file(arena, file_of(self, arena, key), key, value,
	    &deadline);
}

static enum clq_status
set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	struct folder *f = self;
	struct clq_arena *arena = clq_arena_new();
	enum clq_status rc;

	flock(f->lock, LOCK_EX);
	rc = write_file(f, arena, key, value, ttl);
	flock(f->lock, LOCK_UN);
	clq_arena_free(&arena);
	return rc;
}

static enum clq_status
take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	struct folder *f = self;
	enum clq_status rc;

	flock(f->lock, LOCK_EX);	/* one of several gets it */
	rc = get(self, arena, key, value);
	if (rc == CLQ_OK && unlink(file_of(f, arena, key)) == -1)
		rc = CLQ_UNAVAILABLE;
	flock(f->lock, LOCK_UN);
	return rc;
}

static enum clq_status
ttl(void *self, struct clq_str key, clq_msec *left)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_str value;
	clq_msec deadline;
	enum clq_status rc = read_file(arena, file_of(self, arena, key), key,
	    &value, &deadline);

	if (rc == CLQ_OK)
		*left = deadline - clq_now();
	clq_arena_free(&arena);
	return rc;
}

static enum clq_status
expire(void *self, struct clq_str key, clq_msec new_ttl)
{
	struct folder *f = self;
	struct clq_arena *arena = clq_arena_new();
	struct clq_str value;
	enum clq_status rc;

	flock(f->lock, LOCK_EX);
	rc = get(self, arena, key, &value);
	if (rc == CLQ_OK)
		rc = write_file(f, arena, key, value, new_ttl);
	flock(f->lock, LOCK_UN);
	clq_arena_free(&arena);
	return rc;
}

/* A cache may forget more than it is told to: everything goes. */
static enum clq_status
flush(void *self, struct clq_str prefix)
{
	struct folder *f = self;
	DIR *dir = opendir(f->path);
	struct dirent *e;

	(void)prefix;
	if (dir == NULL)
		return CLQ_UNAVAILABLE;
	flock(f->lock, LOCK_EX);
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	flock(f->lock, LOCK_UN);
	closedir(dir);
	return CLQ_OK;
}

static const struct clq_cache_ops cache = {
	.size = sizeof cache, .get = get, .set = set, .take = take,
	.ttl = ttl, .expire = expire, .flush = flush,
};

/* ---- its life --------------------------------------------------------------- */

static void
close_(void *self)
{
	struct folder *f = self;

	if (f->lock != -1)
		close(f->lock);
	free(f->path);
	free(f);
}

/* In the master: is the setting good? */
static enum clq_status
configure(struct clq_settings *settings, const char *prefix, void **self)
{
	const char *path = clq_settings_cstr(settings, "cache_url");
	struct folder *f;

	(void)prefix;
	if (path == NULL || *path != '/')
		return clq_settings_error(settings, "cache_url",
		    "is no folder: write an absolute path");
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return clq_settings_error(settings, "cache_url", "%s: %s; "
		    "choose a folder that can be made", path,
		    strerror(errno));
	if ((f = calloc(1, sizeof *f)) == NULL ||
	    (f->path = strdup(path)) == NULL) {
		free(f);
		return clq_settings_error(settings, "cache_url",
		    "out of memory");
	}
	f->lock = -1;
	*self = f;
	return CLQ_OK;
}

/* In each worker: a lock belongs to who opened the file. */
static enum clq_status
open_(void *self)
{
	struct folder *f = self;

	f->lock = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f->lock != -1 ? CLQ_OK : CLQ_UNAVAILABLE;
}

static enum clq_status
ping(void *self, bool readonly, clq_msec timeout)
{
	(void)timeout;
	return readonly ? CLQ_OK : set(self, CLQ_STR("heartbeat"),
	    CLQ_STR("true"), 60000);
}

static const struct clq_backend_ops backend = {
	.size = sizeof backend, .configure = configure, .open = open_,
	.ping = ping, .close = close_,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "folder", .version = "1",
	.backend = &backend, .cache = &cache,
};
