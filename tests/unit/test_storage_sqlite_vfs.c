/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gathered write-ahead log of SQLite: what is committed is in the files at
 * that moment, what is larger than the cache is read back, and a write that
 * fails fails the commit.
 */
#include "sqlite_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { LARGE = 20000 };		/* bytes of an object: some pages */

/* The smallest cache: much is in the log long before the commit. */
static void
setup(void)
{
	begin();
	cr_assert_eq(clq_settings_parse("test.ini", CLQ_STR("[app:main]\n"
	    "sqlite_cache_size = 64\n"), &settings), CLQ_OK);
	cr_assert_eq(sq_new(settings, path, &q), CLQ_OK);
	cr_assert_eq(sq_open(q), CLQ_OK);
}

#define VfsTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = end, .timeout = 60)

/* n large objects named by `letter`; false if one was refused. */
static bool
add_to(struct sq_db *db, char letter, int n)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = list };
	char *text = clq_arena_alloc(arena, LARGE);
	enum clq_status status = CLQ_OK;
	int i;

	memset(text, letter, LARGE);
	w.data = (struct clq_str){ text, LARGE };
	for (i = 0; i < n && status == CLQ_OK; i++) {
		w.id = clq_arena_printf(arena, "%c%d", letter, i);
		status = sq_write(db, &w, 1);
	}
	return status == CLQ_OK;
}

static bool
add(char letter, int n)
{
	return add_to(q, letter, n);
}

/* What somebody else finds in a database. */
static int
found_in(const char *file, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int n = -1;

	cr_assert_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL),
	    SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static int
count(const char *file, char letter)
{
	return found_in(file, clq_arena_printf(arena, "SELECT count(*) FROM "
	    "objects WHERE id GLOB '%c*' AND data = replace(hex(zeroblob(%d)),"
	    " '00', '%c')", letter, LARGE, letter).p);
}

static bool
is_whole(const char *file)
{
	return found_in(file, "SELECT integrity_check = 'ok' FROM "
	    "pragma_integrity_check") == 1;
}

/* What a crash of the machine would leave. */
static const char *
copy_of_files(void)
{
	char command[400];

	snprintf(command, sizeof command, "mkdir -p %s/copy && cp %s %s-wal "
	    "%s/copy", folder, path, path, folder);
	cr_assert_eq(system(command), 0);
	return clq_arena_printf(arena, "%s/copy/test.db", folder).p;
}

VfsTest(log, holds_what_is_committed)
{
	int i;

	for (i = 1; i <= 3; i++) {
		cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
		cr_assert(add((char)('a' + i), 1));
		cr_expect_eq(count(path, (char)('a' + i)), 0, "not yet");
		cr_assert_eq(sq_finish(q, true), CLQ_OK);
		cr_expect_eq(count(path, (char)('a' + i)), 1);
		cr_expect_eq(count(copy_of_files(), (char)('a' + i)), 1);
	}
	cr_expect(is_whole(copy_of_files()));
}

VfsTest(log, gives_back_what_was_too_large_for_the_cache)
{
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('a', 40));
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	cr_assert(add('b', 40));
	cr_assert_eq(sq_rollback(q), CLQ_OK);
	cr_assert(add('c', 40));
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_expect_eq(count(path, 'a'), 40);
	cr_expect_eq(count(path, 'b'), 0);
	cr_expect_eq(count(path, 'c'), 40);
	cr_expect(is_whole(copy_of_files()));
}

VfsTest(log, forgets_what_is_undone)
{
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('a', 40));
	cr_assert_eq(sq_finish(q, false), CLQ_OK);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('b', 1));
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_expect_eq(count(copy_of_files(), 'a'), 0);
	cr_expect_eq(count(copy_of_files(), 'b'), 1);
	cr_expect(is_whole(copy_of_files()));
}

/* What another worker, which maps the log, sees of them. */
static int64_t
seen_by(struct sq_db *db, char letter)
{
	struct clq_want want = { .coll = list };
	struct clq_lookup l = { .arena = arena, .wants = &want, .nwants = 1 };
	int n = 0;

	cr_assert_eq(sq_begin(db, CLQ_TX_READ), CLQ_OK);
	do {
		want.id = clq_arena_printf(arena, "%c%d", letter, n);
		cr_assert_eq(sq_lookup(db, &l), CLQ_OK);
		if (want.found)
			cr_assert_eq(want.object.data.len, (size_t)LARGE);
		if (want.found)
			cr_assert_eq(want.object.data.p[LARGE - 1], letter);
		n++;
	} while (want.found);
	cr_assert_eq(sq_finish(db, true), CLQ_OK);
	return n - 1;
}

VfsTest(log, may_grow_and_be_cut_by_others)
{
	struct sq_db *other = another();
	struct stat st;
	int i;

	for (i = 0; i < 6; i++) {
		cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
		cr_assert(add((char)('a' + i), 100));
		cr_assert_eq(sq_finish(q, true), CLQ_OK);
		cr_assert_eq(seen_by(other, (char)('a' + i)), 100);
		if (i % 2 == 0)
			continue;
		cr_expect_eq(found_in(path, "PRAGMA wal_checkpoint(TRUNCATE)"),
		    0);
		cr_assert_eq(stat(clq_arena_printf(arena, "%s-wal", path).p,
		    &st), 0);
		cr_expect_eq(st.st_size, 0);
		cr_assert_eq(seen_by(other, 'a'), 100);
	}
	sq_close(other);
	cr_expect(is_whole(path));
}

/* By the time that the one looks again, the place is the other's. */
VfsTest(log, is_never_written_with_what_was_undone)
{
	struct sq_db *other = another();
	char letter;
	int n;

	for (n = 1; n < 16; n++) {
		letter = (char)('a' + n);
		cr_expect_eq(found_in(path, "PRAGMA wal_checkpoint(TRUNCATE)"),
		    0);
		cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
		cr_assert(add('a', n));
		cr_assert_eq(sq_finish(q, false), CLQ_OK);
		cr_assert_eq(sq_begin(other, CLQ_TX_WRITE), CLQ_OK);
		cr_assert(add_to(other, letter, 3));
		cr_assert_eq(sq_finish(other, true), CLQ_OK);
		cr_expect_eq(seen_by(q, letter), 3, "%d undone", n);
		cr_expect_eq(count(copy_of_files(), letter), 3, "%d undone",
		    n);
		cr_expect(is_whole(copy_of_files()), "%d undone", n);
	}
	sq_close(other);
	cr_expect_eq(count(path, 'a'), 0);
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

VfsTest(log, that_cannot_be_written_fails_the_commit)
{
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('a', 1));
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_assert_eq(stat(clq_arena_printf(arena, "%s-wal", path).p, &st), 0);
	limit_files((rlim_t)st.st_size + 10000);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('b', 1), "it is still in memory");
	cr_expect_eq(sq_finish(q, true), CLQ_UNAVAILABLE);
	limit_files(RLIM_INFINITY);
	cr_expect_eq(count(path, 'b'), 0);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert(add('c', 1));
	cr_expect_eq(sq_finish(q, true), CLQ_OK, "there is room again");
	cr_expect_eq(count(path, 'a'), 1);
	cr_expect_eq(count(path, 'c'), 1);
	cr_expect(is_whole(copy_of_files()));
}
