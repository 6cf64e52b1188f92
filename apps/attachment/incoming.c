/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is under way, and what a crash leaves of it (see attachment.h).
 *
 * Every file whose fate hangs on a commit has a second name in ".incoming": an
 * upload from its first byte on, a file to be removed from before the commit.
 * The name begins with the time and goes when the request knows the outcome. So
 * a name that is a day old tells of a crash, or of a database that was away
 * over the commit. The next upload then asks the links: a file that none names
 * is removed, wherever it is. Looking for it goes through all files and links,
 * which is right for once after a crash.
 */
#include "attachment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	STALE_SEC = 24 * 3600,	/* no request takes that long */
	SWEEP_SEC = 3600	/* between two looks of a worker */
};

static const char incoming[] = ".incoming";

struct leftovers {
	struct clq_request	*req;
	const char		*folder;	/* .incoming */
	struct clq_strs		 names;		/* of it, beside a real one */
	ino_t			*inodes;	/* theirs; sorted */
	size_t			 cap;
};

bool
attachment_incoming_ready(struct clq_request *req)
{
	const char *path = attachment_path(req, clq_str_of(incoming));

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return true;
	clq_log_err("%s: %s", path, strerror(errno));
	return false;
}

const char *
attachment_incoming_name(struct clq_request *req)
{
	struct clq_arena *arena = clq_request_arena(req);

	return attachment_path(req, clq_arena_printf(arena, "%s/%llx-%.*s",
	    incoming, (unsigned long long)time(NULL),
	    CLQ_FMT(clq_uuid4(arena))));
}

bool
attachment_incoming_sync(struct clq_request *req)
{
	return attachment_sync_folder(attachment_path(req,
	    clq_str_of(incoming)));
}

/* ---- what is left ------------------------------------------------------- */

static bool
stale(const char *name, const struct stat *st)
{
	char *end;
	long long born = strtoll(name, &end, 16);

	if (*end != '-')
		born = st->st_mtime;
	return born < time(NULL) - STALE_SEC;
}

static void
add(struct leftovers *l, const char *name, ino_t inode)
{
	struct clq_arena *arena = clq_request_arena(l->req);
	size_t cap = l->cap * 2 + 16;

	if (l->names.n == l->cap) {
		l->inodes = clq_arena_grow(arena, l->inodes,
		    l->cap * sizeof *l->inodes, cap * sizeof *l->inodes);
		l->cap = cap;
	}
	l->inodes[l->names.n] = inode;
	clq_strs_add(arena, &l->names, clq_arena_strdup(arena,
	    clq_str_of(name)));
}

/* A file without another name was never published, or is removed already. */
static void
collect(struct leftovers *l)
{
	DIR *dir = opendir(l->folder);
	struct dirent *e;
	struct stat st;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode) ||
		    !stale(e->d_name, &st))
			continue;
		if (st.st_nlink > 1)
			add(l, e->d_name, st.st_ino);
		else
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	if (dir != NULL)
		closedir(dir);
}

static int
compare(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return (x > y) - (x < y);
}

/* The locations of those files; false (logged) if not all could be seen. */
static bool
locate(const struct leftovers *l, struct clq_strs *locations)
{
	struct clq_arena *arena = clq_request_arena(l->req);
	char *base = clq_arena_cstr(arena, clq_str_of(attachment_base_path(
	    clq_request_server(l->req))));
	char *const roots[] = { base, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR,
	    NULL);
	size_t skip = strlen(base) + 1;
	bool ok = tree != NULL;
	FTSENT *e;

	while (ok && (e = fts_read(tree)) != NULL) {
		if (e->fts_level > 0 && e->fts_name[0] == '.')
			(void)fts_set(tree, e, FTS_SKIP);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
			ok = false;
		else if (e->fts_info == FTS_F && bsearch(
		    &e->fts_statp->st_ino, l->inodes, l->names.n,
		    sizeof *l->inodes, compare) != NULL)
			clq_strs_add(arena, locations, clq_arena_strdup(arena,
			    clq_str_of(e->fts_path + skip)));
	}
	if (tree != NULL)
		fts_close(tree);
	if (!ok)
		clq_log_err("%s: not all of it can be read", base);
	return ok;
}

static void
settle(struct leftovers *l)
{
	struct clq_strs locations = { NULL, 0, 0 };

	qsort(l->inodes, l->names.n, sizeof *l->inodes, compare);
	if (!locate(l, &locations) || attachment_links_keep_unlinked(l->req,
	    &locations) != CLQ_OK)
		return;		/* next time */
	for (size_t i = 0; i < locations.n; i++) {
		clq_log_warn("attachment %.*s belongs to no record since a "
		    "crash, and is removed", CLQ_FMT(locations.items[i]));
		attachment_remove_file(l->req, locations.items[i]);
	}
	for (size_t i = 0; i < l->names.n; i++)
		(void)unlink(clq_arena_printf(clq_request_arena(l->req),
		    "%s/%.*s", l->folder, CLQ_FMT(l->names.items[i])).p);
}

void
attachment_sweep(struct clq_request *req)
{
	static time_t next;	/* of this worker */
	time_t now = time(NULL);
	struct leftovers l = { .req = req, .folder = attachment_path(req,
	    clq_str_of(incoming)) };

	if (now < next)
		return;
	next = now + SWEEP_SEC;
	collect(&l);
	if (l.names.n > 0)
		settle(&l);
}
