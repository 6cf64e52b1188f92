/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the SQLite backend on a file share: an arena, a folder of
 * their own, the database `q`, and what SQLite says of a statement. Each file
 * that includes this gives its tests begin() and end(), or calls them.
 */
#ifndef CLQ_SQLITE_FIXTURE_H
#define CLQ_SQLITE_FIXTURE_H

#include <cliquet/json.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/settings_load.h"
#include "storage/sqlite.h"

#define PAGE	"SELECT id, last_modified, deleted, data"

static const struct clq_coll list = { { "record", 6 }, { "/b/c", 4 } };
static char folder[64];
static char path[80];		/* of a database in it */
static struct clq_settings *settings;
static struct clq_arena *arena;
static struct sq_db *q;

static inline void
begin(void)
{
	arena = clq_arena_new();
	strcpy(folder, "/tmp/clq-sqlite-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/test.db", folder);
}

static inline void
end(void)
{
	char command[128];

	if (q != NULL)
		sq_close(q);
	clq_settings_free(&settings);
	clq_arena_free(&arena);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

/* The database, as another worker has it too. */
static inline struct sq_db *
another(void)
{
	struct sq_db *db = NULL;

	cr_assert_eq(sq_new(settings, path, &db), CLQ_OK);
	cr_assert_eq(sq_open(db), CLQ_OK);
	return db;
}

/* For sqlite3_trace_v2() with SQLITE_TRACE_STMT: ctx is an int. */
static inline int
count_statement(unsigned what, void *ctx, void *p, void *x)
{
	(void)what;
	(void)p;
	(void)x;
	++*(int *)ctx;
	return 0;
}

static inline const cJSON *
json(const char *text)
{
	struct clq_str why;
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(arena, clq_str_of(text), &tree, &why),
	    CLQ_OK);
	return tree;
}

/* How SQLite would go about it, a line for each step. */
static inline const char *
explain(struct clq_str sql)
{
	sqlite3_stmt *stmt = NULL;
	struct clq_buf out;

	clq_buf_init(&out, arena, 0);
	cr_assert_eq(sqlite3_prepare_v2(q->db, clq_arena_printf(arena,
	    "EXPLAIN QUERY PLAN %.*s", CLQ_FMT(sql)).p, -1, &stmt, NULL),
	    SQLITE_OK, "%s", sqlite3_errmsg(q->db));
	while (sqlite3_step(stmt) == SQLITE_ROW)
		clq_buf_printf(&out, "%s\n",
		    (const char *)sqlite3_column_text(stmt, 3));
	sqlite3_finalize(stmt);
	return clq_arena_cstr(arena, clq_buf_str(&out));
}

/* Steps of SQLite's machine since the last call. */
static inline int64_t
steps(void)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < SQ_STATEMENTS; i++)
		if (q->statements[i].stmt != NULL)
			sum += sqlite3_stmt_status(q->statements[i].stmt,
			    SQLITE_STMTSTATUS_VM_STEP, 1);
	return sum;
}

#endif
