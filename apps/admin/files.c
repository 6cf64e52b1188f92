/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console's files, in memory.
 *
 * A folder of a few megabytes is read once, in the master, and shared by the
 * workers as it is; a reload reads it again. So a request is a look-up in a
 * table of names: none of its path ever reaches the file system, and files
 * that are being replaced are never sent half old, half new.
 */
#include "admin.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_FILES = 4096,
	MAX_BYTES = 64 * 1024 * 1024,	/* of all files */
	MAX_DEPTH = 16,
	HASH_LEN = 8			/* in the names of built files */
};

/* A load under way. */
struct load {
	struct clq_settings	*settings;
	struct clq_arena	*arena;
	const char		*dir;
	size_t			 dir_len;
	struct admin_files	*files;
	size_t			 bytes;
};

/* ---- headers ----------------------------------------------------------- */

static const char *
type_of(struct clq_str path)
{
	static const struct {
		const char	*suffix;
		const char	*type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".json", "application/json; charset=utf-8" },
		{ ".map", "application/json; charset=utf-8" },
		{ ".webmanifest", "application/manifest+json" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },
		{ ".gif", "image/gif" },
		{ ".webp", "image/webp" },
		{ ".woff", "font/woff" },
		{ ".woff2", "font/woff2" },
		{ ".ttf", "font/ttf" },
		{ ".eot", "application/vnd.ms-fontobject" },
		{ ".wasm", "application/wasm" },
		{ ".txt", "text/plain; charset=utf-8" },
		{ "LICENSE", "text/plain; charset=utf-8" },
		{ "VERSION", "text/plain; charset=utf-8" },
	};

	for (size_t i = 0; i < CLQ_COUNT(types); i++)
		if (clq_str_ends(path, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}

/* Eight characters that look like a hash: no word of small letters. */
static bool
is_hash(struct clq_str s)
{
	bool odd = false;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))
			odd = true;
		else if (!(c >= 'a' && c <= 'z') && c != '-' && c != '_')
			return false;
	}
	return odd && s.len == HASH_LEN;
}

/*
 * True if the name changes with the content, as builds make it:
 * "assets/index-BnpThPtk.js", "static/main.1a2b3c4d.chunk.js".
 */
static bool
is_hashed(struct clq_str path)
{
	const char *slash = memrchr(path.p, '/', path.len);
	struct clq_str part, name;
	size_t at;

	if (slash == NULL)
		return false;
	name = clq_str_sub(path, (size_t)(slash + 1 - path.p), path.len);
	while (clq_str_next(&name, '.', &part)) {
		if (name.len == 0)		/* the suffix */
			return false;
		at = part.len > HASH_LEN ? part.len - HASH_LEN : 0;
		if ((at == 0 || part.p[at - 1] == '-') &&
		    is_hash(clq_str_sub(part, at, part.len)))
			return true;
	}
	return false;
}

static void
add_headers(struct clq_arena *arena, struct admin_file *f, time_t mtime)
{
	f->type = type_of(f->path);
	f->etag = clq_arena_printf(arena, "\"%.32s\"",
	    clq_sha256_hex(arena, f->body).p);
	f->modified = clq_http_date(arena, (clq_msec)mtime * 1000);
	f->cache = is_hashed(f->path) ?
	    "public, max-age=31536000, immutable" : "no-cache";
	if (clq_str_ends(f->path, ".html"))
		f->policy = admin_policy(arena, f->body);
}

/* ---- reading ----------------------------------------------------------- */

static enum clq_status
wrong(struct load *l, const char *path, const char *what)
{
	return clq_settings_error(l->settings, "admin_assets_path",
	    "cannot use %s: %s", path, what);
}

static struct admin_file *
file_add(struct load *l)
{
	struct admin_files *files = l->files;
	size_t cap = files->cap > 0 ? 2 * files->cap : 16;

	if (files->n == files->cap) {
		files->items = clq_arena_grow(l->arena, files->items,
		    files->cap * sizeof *files->items,
		    cap * sizeof *files->items);
		files->cap = cap;
	}
	return &files->items[files->n++];
}

/* size bytes of fd, and not one more. */
static bool
read_all(int fd, char *p, size_t size)
{
	size_t have = 0;
	ssize_t n;
	char more;

	while (have < size) {
		n = read(fd, p + have, size - have);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return read(fd, &more, 1) == 0;
}

static enum clq_status
load_open(struct load *l, const char *path, int fd)
{
	struct clq_str name = clq_str_of(path + l->dir_len + 1);
	struct admin_file *f;
	struct stat st;
	char *p;

	if (fstat(fd, &st) == -1)
		return wrong(l, path, strerror(errno));
	if (!clq_utf8_valid(name))
		return wrong(l, l->dir, "a name in it is not UTF-8");
	if (l->files->n == MAX_FILES || st.st_size < 0 ||
	    (uintmax_t)st.st_size > MAX_BYTES - l->bytes)
		return wrong(l, l->dir, "more than 4096 files or 64 MiB: this "
		    "is no build of the console");
	l->bytes += (size_t)st.st_size;
	p = clq_arena_alloc(l->arena, (size_t)st.st_size);
	if (!read_all(fd, p, (size_t)st.st_size))
		return wrong(l, path, "it changes while it is read");
	f = file_add(l);
	f->path = clq_arena_strdup(l->arena, name);
	f->body = (struct clq_str){ p, (size_t)st.st_size };
	add_headers(l->arena, f, st.st_mtime);
	return CLQ_OK;
}

static enum clq_status
load_file(struct load *l, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum clq_status rc;

	if (fd == -1)
		return wrong(l, path, strerror(errno));
	rc = load_open(l, path, fd);
	close(fd);
	return rc;
}

static enum clq_status
load_entry(struct load *l, FTS *fts, FTSENT *e)
{
	if (e->fts_level > 0 && e->fts_name[0] == '.') {
		(void)fts_set(fts, e, FTS_SKIP);
		return CLQ_OK;
	}
	switch (e->fts_info) {
	case FTS_F:
		if (e->fts_level == 0)
			return wrong(l, e->fts_path, strerror(ENOTDIR));
		return load_file(l, e->fts_path);
	case FTS_D:
		return e->fts_level <= MAX_DEPTH ? CLQ_OK :
		    wrong(l, e->fts_path, "too deep");
	case FTS_DC:
		return wrong(l, e->fts_path, strerror(ELOOP));
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return wrong(l, e->fts_path, strerror(e->fts_errno));
	case FTS_SLNONE:
		return wrong(l, e->fts_path, strerror(ENOENT));
	default:	/* a folder again, or a socket or such */
		return CLQ_OK;
	}
}

/* ---- the table --------------------------------------------------------- */

static int
by_path(const void *a, const void *b)
{
	const struct admin_file *x = a, *y = b;

	return clq_str_cmp(x->path, y->path);
}

/* Once the table is sorted: which file has a compressed one beside it. */
static void
find_packed(struct clq_arena *arena, struct admin_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		files->items[i].packed = admin_find(files, clq_arena_printf(
		    arena, "%.*s.gz", CLQ_FMT(files->items[i].path)));
}

enum clq_status
admin_load(struct clq_settings *settings, struct clq_arena *arena,
    const char *dir, struct admin_files *out)
{
	char *root = clq_arena_cstr(arena, clq_str_of(dir));
	struct load l = { .settings = settings, .arena = arena, .dir = root,
		.dir_len = strlen(root), .files = out };
	char *paths[] = { root, NULL };
	enum clq_status rc = CLQ_OK;
	FTSENT *e;
	FTS *fts;

	while (l.dir_len > 1 && root[l.dir_len - 1] == '/')
		root[--l.dir_len] = '\0';
	memset(out, 0, sizeof *out);
	fts = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	if (fts == NULL)
		return wrong(&l, dir, strerror(errno));
	while (rc == CLQ_OK && (e = fts_read(fts)) != NULL)
		rc = load_entry(&l, fts, e);
	fts_close(fts);
	if (rc != CLQ_OK)
		return rc;
	if (out->n > 0)
		qsort(out->items, out->n, sizeof *out->items, by_path);
	find_packed(arena, out);
	return CLQ_OK;
}

const struct admin_file *
admin_find(const struct admin_files *files, struct clq_str path)
{
	struct admin_file key = { .path = path };

	if (files->n == 0)
		return NULL;
	return bsearch(&key, files->items, files->n, sizeof *files->items,
	    by_path);
}
