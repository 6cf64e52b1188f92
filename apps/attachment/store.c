/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files below base_path (see attachment.h).
 *
 * A file is written under a name of ours in ".incoming", made durable, and
 * then linked to its final name, which never replaces an existing file; so a
 * name shows either nothing or the whole file, after a crash too. The name in
 * ".incoming" stays until the request is over (incoming.c).
 */
#include "attachment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_STEM = 160,		/* bytes of a client's name that are kept */
	MAX_EXTENSION = 32,	/* the same of its extension, with the dot */
	MAX_TWINS = 10000	/* names-1, -2, ... that are tried */
};

const char *
attachment_base_path(struct clq_server *srv)
{
	return clq_settings_cstr(clq_server_settings(srv),
	    "attachment.base_path");
}

const char *
attachment_path(struct clq_request *req, struct clq_str location)
{
	return clq_arena_printf(clq_request_arena(req), "%s/%.*s",
	    attachment_base_path(clq_request_server(req)),
	    CLQ_FMT(location)).p;
}

/* ---- folders ------------------------------------------------------------ */

/* A directory's entries are durable once it is synced. */
bool
attachment_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd != -1 && fsync(fd) == 0;

	if (!ok)
		clq_log_err("%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return ok;
}

/* Make the folders of a location below base_path. The mode is set in spite of
 * the umask: the web server reads them. */
static bool
make_folders(struct clq_request *req, struct clq_str folder)
{
	struct clq_str above = CLQ_STR("");
	size_t end = 0;

	while (end < folder.len) {
		struct clq_str one;
		const char *path;

		end = clq_str_find(folder, '/', end + 1);
		one = clq_str_sub(folder, 0, end);
		path = attachment_path(req, one);
		if (mkdir(path, 0755) == 0) {
			if (chmod(path, 0755) == -1 ||
			    !attachment_sync_folder(attachment_path(req, above)))
				return false;
		} else if (errno != EEXIST) {
			clq_log_err("%s: %s", path, strerror(errno));
			return false;
		}
		above = one;
	}
	return true;
}

static bool
safe_segment(struct clq_str s)
{
	return s.len > 0 && s.len <= 255 && s.p[0] != '.' &&
	    memchr(s.p, '\0', s.len) == NULL;
}

bool
attachment_location_safe(struct clq_str location)
{
	struct clq_str rest = location, item;

	if (location.len == 0 || location.len > 1024 ||
	    clq_str_ends(location, "/"))
		return false;
	while (clq_str_next(&rest, '/', &item))
		if (!safe_segment(item))
			return false;
	return true;
}

struct clq_str
attachment_folder(struct clq_request *req)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str rest = clq_settings_str(clq_server_settings(
	    clq_request_server(req)), "attachment.folder");
	const struct clq_str none = { NULL, 0 };
	struct clq_str value;
	struct clq_buf b;

	clq_buf_init(&b, arena, 128);
	while (rest.len > 0) {
		size_t open = clq_str_find(rest, '{', 0);
		size_t shut = clq_str_find(rest, '}', open);

		clq_buf_add(&b, clq_str_sub(rest, 0, open));
		if (open == rest.len)
			break;
		value = clq_request_var(req, clq_arena_cstr(arena,
		    clq_str_sub(rest, open + 1, shut)));
		if (value.p == NULL || clq_str_find(value, '/', 0) <
		    value.len || !safe_segment(value))
			return none;
		clq_buf_add(&b, value);
		rest = clq_str_sub(rest, shut + 1, rest.len);
	}
	value = clq_buf_str(&b);
	while (clq_str_ends(value, "/"))
		value.len--;
	return value.len == 0 ? CLQ_STR("") :
	    attachment_location_safe(value) ? value : none;
}

/* ---- a file on its way in ----------------------------------------------- */

static void
file_gone(void *p)
{
	struct attachment_file *f = p;

	if (f->fd != -1)
		close(f->fd);
	if (f->temporary != NULL && !f->in_doubt)
		(void)unlink(f->temporary);
	if (f->published != NULL && !f->kept)
		(void)unlink(f->published);
	f->fd = -1;
	f->temporary = f->published = NULL;
}

bool
attachment_file_begin(struct clq_request *req, struct attachment_file *f)
{
	struct clq_arena *arena = clq_request_arena(req);

	*f = (struct attachment_file){ .req = req, .fd = -1 };
	if (!attachment_incoming_ready(req))
		return false;
	f->temporary = attachment_incoming_name(req);
	f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0644);
	if (f->fd == -1) {
		clq_log_err("%s: %s", f->temporary, strerror(errno));
		f->temporary = NULL;
		return false;
	}
	clq_arena_defer(arena, file_gone, f);
	return fchmod(f->fd, 0644) == 0;
}

bool
attachment_file_write(struct attachment_file *f, const char *p, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = write(f->fd, p, n);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1) {
			clq_log_err("%s: %s", f->temporary, strerror(errno));
			file_gone(f);
			return false;
		}
		p += got;
		n -= (size_t)got;
	}
	return true;
}

bool
attachment_file_end(struct attachment_file *f)
{
	bool ok = fsync(f->fd) == 0;

	/* close() may report what write() did not see. */
	ok = close(f->fd) == 0 && ok;
	f->fd = -1;
	if (!ok) {
		clq_log_err("%s: %s", f->temporary, strerror(errno));
		file_gone(f);
	}
	return ok;
}

/* ---- its name ----------------------------------------------------------- */

static bool
stripped(char c)
{
	return c == '.' || c == '_';
}

/* What of a client's name is safe in a path and in a URL. */
static struct clq_str
safe_name(struct clq_arena *arena, struct clq_str s, size_t max)
{
	char *p = clq_arena_alloc(arena, s.len + 1);
	size_t n = 0, from = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == ' ')
			p[n++] = '_';
		else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') || c == '_' || c == '-' || c == '.')
			p[n++] = c;
	}
	while (from < n && stripped(p[from]))
		from++;
	if (n - from > max)
		n = from + max;
	while (n > from && stripped(p[n - 1]))
		n--;
	return (struct clq_str){ p + from, n - from };
}

/* "photo" and ".jpg" of "C:\\a\\photo.jpg". */
static void
split_name(struct clq_arena *arena, struct clq_str filename,
    struct clq_str *stem, struct clq_str *extension)
{
	struct clq_str ext = attachment_extension(filename);
	size_t end = filename.len - ext.len, from = end;

	while (from > 0 && filename.p[from - 1] != '/' &&
	    filename.p[from - 1] != '\\')
		from--;
	*stem = safe_name(arena, clq_str_sub(filename, from, end), MAX_STEM);
	ext = safe_name(arena, ext, MAX_EXTENSION);
	*extension = ext.len == 0 ? ext : clq_arena_printf(arena, ".%.*s",
	    CLQ_FMT(ext));
}

/* Link to the location; 1: done, 0: it is taken, -1: failed (logged). */
static int
link_to(struct attachment_file *f, struct clq_str location)
{
	const char *path = attachment_path(f->req, location);

	if (link(f->temporary, path) == 0) {
		f->published = path;
		f->location = location;
		return 1;
	}
	if (errno == EEXIST)
		return 0;
	clq_log_err("%s: %s", path, strerror(errno));
	return -1;
}

static struct clq_str
nth_name(struct clq_arena *arena, struct clq_str folder, struct clq_str stem,
    struct clq_str ext, int n)
{
	const char *slash = folder.len > 0 ? "/" : "";

	if (n == 0)
		return clq_arena_printf(arena, "%.*s%s%.*s%.*s",
		    CLQ_FMT(folder), slash, CLQ_FMT(stem), CLQ_FMT(ext));
	return clq_arena_printf(arena, "%.*s%s%.*s-%d%.*s", CLQ_FMT(folder),
	    slash, CLQ_FMT(stem), n, CLQ_FMT(ext));
}

bool
attachment_file_publish(struct attachment_file *f, struct clq_str folder,
    struct clq_str filename, bool randomize)
{
	struct clq_arena *arena = clq_request_arena(f->req);
	struct clq_str stem, ext;
	int done = 0;

	split_name(arena, filename, &stem, &ext);
	if (randomize || stem.len == 0) {
		stem = clq_uuid4(arena);
		ext = clq_str_lower(arena, ext);
	}
	if (!make_folders(f->req, folder))
		return false;
	for (int n = 0; n < MAX_TWINS && done == 0; n++)
		done = link_to(f, nth_name(arena, folder, stem, ext, n));
	if (done == 0)
		clq_log_err("%.*s: too many files of this name",
		    CLQ_FMT(stem));
	return done == 1 && attachment_sync_folder(attachment_path(f->req, folder));
}

void
attachment_remove_file(struct clq_request *req, struct clq_str location)
{
	if (!attachment_location_safe(location))
		clq_log_warn("attachment \"%.*s\" is not below base_path, and "
		    "not removed", CLQ_FMT(location));
	else if (unlink(attachment_path(req, location)) == -1 && errno != ENOENT)
		clq_log_err("attachment %.*s not removed: %s",
		    CLQ_FMT(location), strerror(errno));
}

bool
attachment_store_works(struct clq_request *req)
{
	struct attachment_file *f = clq_arena_alloc(clq_request_arena(req),
	    sizeof *f);
	bool ok = attachment_file_begin(req, f) &&
	    attachment_file_write(f, "works", 5);

	if (f->req != NULL)
		file_gone(f);
	return ok;
}
