/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fewer system calls for a commit: the write-ahead log, gathered.
 *
 * SQLite writes each page of a commit to the log by two calls, one for the
 * head of the frame, one for the page; a batch makes hundreds of them. This
 * VFS is the system's own, but for the log: adjoining writes are collected and
 * written by one call as soon as anything else is wanted of the file - above
 * all xSync, by which a commit ends. Nobody misses what is not written yet: a
 * reader looks at frames only when the index of the log names them, and with
 * synchronous=FULL SQLite syncs before it changes that. With less it does not,
 * so then this is not used.
 *
 * A write that fails is told by the call that made it necessary, which is part
 * of the same commit. A transaction that is larger than the cache writes before
 * it commits; what of that is still here when it is undone must never be
 * written, since by then the place may be another worker's: sq_vfs_end().
 *
 * Reading is by a mapping: when another worker has committed, SQLite reads all
 * its pages again, most of them from the log.
 */
#include "storage/sqlite.h"

/* The most that the system's VFS takes at once: it counts in 17 bits. */
enum { GATHER_BYTES = (128 << 10) - 1 };

enum {
	MAP_BYTES	= 64 << 20,	/* of the log at most */
	MAP_STEP	= 1 << 20	/* it grew by this: again */
};

/* The log; the file of the system's VFS comes after it. */
struct gathered {
	sqlite3_file	 base;		/* first */
	sqlite3_file	*real;
	unsigned char	*bytes;		/* GATHER_BYTES; NULL: not yet */
	bool		 direct;	/* nothing is collected */
	int		 n;		/* of which not written */
	sqlite3_int64	 at;		/* where they belong */
	sqlite3_int64	 mapped;	/* for reading */
};

static sqlite3_vfs gathering;

/* ---- the log ------------------------------------------------------------ */

static struct gathered *
of(sqlite3_file *file)
{
	return (struct gathered *)file;
}

/* Write what was collected. What could not be is forgotten: the commit that it
 * is part of fails. */
static int
flush(struct gathered *g)
{
	int n = g->n;

	g->n = 0;
	return n == 0 ? SQLITE_OK :
	    g->real->pMethods->xWrite(g->real, g->bytes, n, g->at);
}

static int
log_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
	struct gathered *g = of(file);
	int rc = SQLITE_OK;

	if (g->n > 0 && (at != g->at + g->n || n > GATHER_BYTES - g->n))
		rc = flush(g);
	if (rc != SQLITE_OK)
		return rc;
	if (g->bytes == NULL && !g->direct)
		g->bytes = sqlite3_malloc(GATHER_BYTES);
	if (g->bytes == NULL || n > GATHER_BYTES)
		return g->real->pMethods->xWrite(g->real, p, n, at);
	if (g->n == 0)
		g->at = at;
	memcpy(g->bytes + g->n, p, (size_t)n);
	g->n += n;
	return SQLITE_OK;
}

/*
 * The log as it is now, mapped: the system's VFS then copies from memory what
 * it would read. Whatever a reader may ask for was written before, so it lies
 * within the file. A log that grows is mapped anew now and then.
 */
static void
map(struct gathered *g)
{
	const sqlite3_io_methods *m = g->real->pMethods;
	sqlite3_int64 size = 0, most = MAP_BYTES;
	void *p = NULL;

	if (m->iVersion < 3 ||
	    m->xFileControl(g->real, SQLITE_FCNTL_MMAP_SIZE, &most) !=
	    SQLITE_OK || m->xFileSize(g->real, &size) != SQLITE_OK)
		return;
	g->mapped = size;
	(void)m->xUnfetch(g->real, 0, NULL);	/* the old one */
	if (m->xFetch(g->real, 0, 1, &p) == SQLITE_OK && p != NULL)
		(void)m->xUnfetch(g->real, 0, p);
}

/* Flushed for frames that a transaction larger than the cache wrote. */
static int
log_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
	struct gathered *g = of(file);
	int rc = flush(g);

	if (at >= g->mapped + MAP_STEP && at < MAP_BYTES)
		map(g);
	return rc != SQLITE_OK ? rc :
	    g->real->pMethods->xRead(g->real, p, n, at);
}

static int
log_sync(sqlite3_file *file, int flags)
{
	struct gathered *g = of(file);
	int rc = flush(g);

	return rc != SQLITE_OK ? rc : g->real->pMethods->xSync(g->real, flags);
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct gathered *g = of(file);
	int rc = flush(g);

	return rc != SQLITE_OK ? rc :
	    g->real->pMethods->xTruncate(g->real, size);
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *size)
{
	struct gathered *g = of(file);
	int rc = flush(g);

	return rc != SQLITE_OK ? rc :
	    g->real->pMethods->xFileSize(g->real, size);
}

/* What is left was never committed. */
static int
log_close(sqlite3_file *file)
{
	struct gathered *g = of(file);

	sqlite3_free(g->bytes);
	return g->real->pMethods->xClose(g->real);
}

static int
log_lock(sqlite3_file *file, int kind)
{
	return of(file)->real->pMethods->xLock(of(file)->real, kind);
}

static int
log_unlock(sqlite3_file *file, int kind)
{
	return of(file)->real->pMethods->xUnlock(of(file)->real, kind);
}

static int
log_locked(sqlite3_file *file, int *out)
{
	return of(file)->real->pMethods->xCheckReservedLock(of(file)->real,
	    out);
}

static int
log_control(sqlite3_file *file, int op, void *arg)
{
	return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
}

static int
log_sector(sqlite3_file *file)
{
	return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int
log_device(sqlite3_file *file)
{
	return of(file)->real->pMethods->xDeviceCharacteristics(
	    of(file)->real);
}

static const sqlite3_io_methods log_methods = {
	.iVersion		= 1,
	.xClose			= log_close,
	.xRead			= log_read,
	.xWrite			= log_write,
	.xTruncate		= log_truncate,
	.xSync			= log_sync,
	.xFileSize		= log_size,
	.xLock			= log_lock,
	.xUnlock		= log_unlock,
	.xCheckReservedLock	= log_locked,
	.xFileControl		= log_control,
	.xSectorSize		= log_sector,
	.xDeviceCharacteristics	= log_device,
};

/* ---- the VFS ------------------------------------------------------------ */

static int
open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
    int *out)
{
	sqlite3_vfs *system = vfs->pAppData;
	struct gathered *g = of(file);
	int rc;

	if ((flags & SQLITE_OPEN_WAL) == 0)
		return system->xOpen(system, name, file, flags, out);
	memset(g, 0, sizeof *g);
	g->real = (sqlite3_file *)(g + 1);
	rc = system->xOpen(system, name, g->real, flags, out);
	if (g->real->pMethods == NULL)
		return rc;
	g->base.pMethods = &log_methods;
	/* Else SQLite fills a sector up after it has synced. */
	g->direct = (g->real->pMethods->xDeviceCharacteristics(g->real) &
	    SQLITE_IOCAP_POWERSAFE_OVERWRITE) == 0;
	return rc;
}

void
sq_vfs_end(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
	    &file) == SQLITE_OK && file != NULL &&
	    file->pMethods == &log_methods)
		of(file)->n = 0;
}

int
sq_vfs_register(const char **name)
{
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	if (system == NULL)
		return SQLITE_ERROR;
	if (gathering.pAppData == NULL) {
		gathering = *system;
		gathering.pNext = NULL;
		gathering.szOsFile += (int)sizeof(struct gathered);
		gathering.zName = "cliquet";
		gathering.pAppData = system;
		gathering.xOpen = open_file;
	}
	*name = gathering.zName;
	return sqlite3_vfs_register(&gathering, 0);
}
