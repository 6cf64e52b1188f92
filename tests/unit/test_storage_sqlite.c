/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is SQLite's own about sqlite.so: where its file is, what an operator is
 * told, that indexes serve, and how it behaves when it cannot write.
 */
#include <cliquet/clock.h>

#include <sys/stat.h>

#include "sqlite_fixture.h"

static enum clq_status
configure(const char *ini, void **self)
{
	struct clq_str text = clq_arena_printf(arena, "[app:main]\n%s", ini);

	clq_settings_free(&settings);
	cr_assert_eq(clq_settings_parse("test.ini", text, &settings), CLQ_OK);
	return clq_plugin.backend->configure(settings, "storage", self);
}

static void
open_db(const char *options)
{
	void *self = NULL;

	cr_assert_eq(configure(clq_arena_printf(arena,
	    "storage_url = sqlite://%s\n%s", path, options).p, &self),
	    CLQ_OK);
	q = self;
	cr_assert_eq(sq_open(q), CLQ_OK);
}

#define SqliteTest(...)							\
	Test(__VA_ARGS__, .init = begin, .fini = end, .timeout = 60)

/* ---- where the file is ------------------------------------------------ */

static const char *
path_for(const char *url)
{
	void *self = NULL;
	const char *result = NULL;
	struct sq_db *db;

	if (configure(clq_arena_printf(arena, "storage_url = %s\n", url).p,
	    &self) != CLQ_OK)
		return "refused";
	db = self;
	result = clq_arena_strdup(arena, clq_str_of(db->path)).p;
	result = clq_arena_cstr(arena, clq_str_of(result));
	sq_close(db);
	return result;
}

SqliteTest(url, names_a_file_in_three_ways)
{
	char *cwd = getcwd(NULL, 0);

	cr_assert_eq(chdir(folder), 0);
	cr_expect_str_eq(path_for(clq_arena_printf(arena, "sqlite://%s",
	    path).p), path);
	cr_expect_str_eq(path_for(path), path);
	cr_expect_str_eq(path_for("sqlite:test.db"), path);
	cr_expect_str_eq(path_for("test.db"), path);
	cr_expect_str_eq(path_for("sqlite:///tmp/x%%20y.db"),
	    "/tmp/x%20y.db");
	cr_assert_eq(chdir(cwd), 0);
	free(cwd);
}

SqliteTest(url, that_is_none_is_refused)
{
	static const char *const urls[] = { "", "sqlite:", "sqlite://",
	    "sqlite://test.db", "postgresql://localhost/x",
	    "redis://localhost", ":memory:", "file:test.db?mode=memory",
	    "/nonexistent/folder/test.db", "/tmp", "/dev/null/x" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(urls); i++)
		cr_expect_str_eq(path_for(urls[i]), "refused", "%s",
		    urls[i]);
}

SqliteTest(url, of_permissions_must_not_be_the_same_file_in_disguise)
{
	void *self = NULL;
	const char *same = "storage_url = /tmp/x.db\n"
	    "permission_url = sqlite:///tmp/x.db\n";

	cr_expect_eq(configure(same, &self), CLQ_INVALID);
	cr_expect_eq(configure("storage_url = /tmp/x.db\n"
	    "permission_url = /tmp/y.db\n", &self), CLQ_OK);
	sq_close(self);
}

SqliteTest(setting, that_is_wrong_is_refused)
{
	void *self = NULL;

	cr_expect_eq(configure("storage_url = /tmp/x.db\n"
	    "sqlite_synchronous = sometimes\n", &self), CLQ_INVALID);
}

SqliteTest(file, is_made_private_when_it_is_opened_and_not_before)
{
	struct stat st;
	void *self = NULL;

	cr_assert_eq(configure(clq_arena_printf(arena,
	    "storage_url = %s\n", path).p, &self), CLQ_OK);
	cr_expect_neq(stat(path, &st), 0);
	q = self;
	cr_assert_eq(sq_open(q), CLQ_OK);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640);
}

static struct clq_str
ask(const char *sql)
{
	sqlite3_stmt *stmt = sq_prepare(q, sql, false);
	struct clq_str answer;

	cr_assert_not_null(stmt);
	cr_assert_eq(sq_step(q, stmt), CLQ_OK);
	answer = sq_column_dup(arena, stmt, 0);
	sq_done(stmt);
	return answer;
}

SqliteTest(pragmas, follow_the_settings)
{
	open_db("sqlite_synchronous = normal\nsqlite_wal_pages = 77\n");
	cr_expect(clq_str_is(ask("PRAGMA synchronous"), "1"));
	cr_expect(clq_str_is(ask("PRAGMA wal_autocheckpoint"), "77"));
	cr_expect(clq_str_is(ask("PRAGMA journal_mode"), "wal"));
}

SqliteTest(durability, is_full_unless_said_otherwise)
{
	open_db("");
	cr_expect(clq_str_is(ask("PRAGMA synchronous"), "2"));
}

/* ---- plans ------------------------------------------------------------ */

static const char *
plan_of(const struct clq_query *query, bool deleted, const char *head)
{
	struct sq_sql b;

	sq_sql_query(&b, arena, head, query, deleted);
	sq_sql_after(&b, query);
	if (strstr(head, "count") == NULL)
		sq_sql_order(&b);
	return explain(clq_buf_str(&b.text));
}

static void
expect_plan(const struct clq_query *query, bool deleted, const char *head,
    const char *index)
{
	const char *plan = plan_of(query, deleted, head);

	cr_expect_not_null(strstr(plan, index), "%s:\n%s", index, plan);
	cr_expect_null(strstr(plan, "TEMP B-TREE"), "%s", plan);
	cr_expect_null(strstr(plan, "SCAN objects"), "%s", plan);
}

SqliteTest(plan, of_the_default_order_is_one_walk_through_an_index)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_sort oldest = { CLQ_STR("last_modified"), false };
	struct clq_sort by_id = { CLQ_STR("id"), false };
	const cJSON *after[1];
	struct clq_query query = { .coll = list, .sorts = &newest,
	    .nsorts = 1 };
	struct clq_filter since = { CLQ_STR("last_modified"), CLQ_OP_GT,
	    NULL };

	open_db("");
	since.value = json("5");
	after[0] = json("7");
	expect_plan(&query, false, PAGE, "USING INDEX objects_live "
	    "(resource=? AND parent=?)");
	expect_plan(&query, true, PAGE, "USING INDEX objects_modified "
	    "(resource=? AND parent=?)");
	query.after = after;
	expect_plan(&query, false, PAGE,
	    "(resource=? AND parent=? AND last_modified<?)");
	query.filters = &since;
	query.nfilters = 1;
	expect_plan(&query, true, PAGE, "objects_modified "
	    "(resource=? AND parent=? AND last_modified>? AND "
	    "last_modified<?)");
	query.sorts = &oldest;
	query.after = NULL;
	expect_plan(&query, true, PAGE,
	    "(resource=? AND parent=? AND last_modified>?)");
	query.sorts = &by_id;
	query.filters = NULL;
	query.nfilters = 0;
	expect_plan(&query, false, PAGE, "USING INDEX objects_id "
	    "(resource=? AND parent=?)");
}

SqliteTest(plan, of_a_count_stays_in_the_index)
{
	struct clq_query query = { .coll = list };

	open_db("");
	expect_plan(&query, false, "SELECT count(*)",
	    "USING COVERING INDEX objects_live");
	expect_plan(&query, true, "SELECT count(*)",
	    "USING COVERING INDEX objects_modified");
}

SqliteTest(plan, with_ids_asks_for_them_only)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_str names[] = { CLQ_STR("a"), CLQ_STR("b") };
	struct clq_strs some = { .items = names, .n = 2 };
	struct clq_filter one = { CLQ_STR("id"), CLQ_OP_EQ, NULL };
	struct clq_query query = { .coll = list, .sorts = &newest,
	    .nsorts = 1, .only_ids = &some };

	open_db("");
	cr_expect_not_null(strstr(plan_of(&query, false, PAGE),
	    "objects_id (resource=? AND parent=? AND id=?)"));
	one.value = json("\"a\"");
	query.only_ids = NULL;
	query.filters = &one;
	query.nfilters = 1;
	cr_expect_not_null(strstr(plan_of(&query, true, PAGE),
	    "objects_id (resource=? AND parent=? AND id=?)"));
}

static void
fill(size_t n)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = list,
	    .data = CLQ_STR("{\"n\":1}") };

	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	for (; n > 0; n--) {
		w.id = clq_arena_printf(arena, "r%zu-%lld", n,
		    (long long)clq_monotonic());
		cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
		cr_assert_eq(w.status, CLQ_OK);
	}
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
}

static int64_t
steps_of_a_page(void)
{
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_query query = { .coll = list, .sorts = &newest,
	    .nsorts = 1, .limit = 10 };
	struct clq_page page = { 0 };

	(void)steps();
	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(sq_list(q, arena, &query, &page), CLQ_OK);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_assert_eq(page.n, 10);
	return steps();
}

SqliteTest(page, costs_the_same_in_a_long_list_and_behind_tombstones)
{
	struct clq_sort oldest = { CLQ_STR("last_modified"), false };
	struct clq_query query = { .coll = list, .sorts = &oldest,
	    .nsorts = 1, .limit = 3000 };
	struct clq_deletions d;
	int64_t few, many, buried;

	open_db("sqlite_synchronous = off\n");
	fill(20);
	(void)steps_of_a_page();	/* the first learns of indexes */
	few = steps_of_a_page();
	fill(3000);
	many = steps_of_a_page();
	cr_expect_eq(many, few);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(sq_delete_all(q, arena, &query, &d), CLQ_OK);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_assert_eq(d.n, 3000);
	buried = steps_of_a_page();
	cr_expect_eq(buried, few);
}

SqliteTest(statements, give_way_to_each_other_but_not_the_fixed_ones)
{
	sqlite3_stmt *fixed;
	int i;

	open_db("");
	fixed = sq_prepare(q, "SELECT 'fixed'", true);
	for (i = 0; i < 1000; i++)
		cr_assert_not_null(sq_prepare(q, clq_arena_printf(arena,
		    "SELECT %d", i).p, false));
	cr_expect_eq(sq_prepare(q, "SELECT 'fixed'", true), fixed);
	fill(1);
}

/* ---- trouble ---------------------------------------------------------- */

static enum clq_status
write_one(const char *id, size_t len)
{
	char *text = clq_arena_alloc(arena, len + 16);
	struct clq_write w = { .op = CLQ_WRITE_UPDATE, .coll = list,
	    .id = clq_str_of(id) };
	enum clq_status status;

	memset(text, 'x', len + 8);
	memcpy(text, "{\"a\":\"", 6);
	strcpy(text + len + 6, "\"}");
	w.data = clq_str_of(text);
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	status = sq_write(q, &w, 1);
	if (status != CLQ_OK) {
		cr_expect_eq(sq_finish(q, true), status,
		    "what has failed is not committed");
		return status;
	}
	return sq_finish(q, true);
}

static bool
exists(const char *id)
{
	struct clq_want want = { .coll = list, .id = clq_str_of(id) };
	struct clq_lookup l = { .arena = arena, .wants = &want, .nwants = 1 };

	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(sq_lookup(q, &l), CLQ_OK);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	return want.found;
}

static void
pragma(const char *sql)
{
	cr_assert_eq(sqlite3_exec(q->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

SqliteTest(disk, that_is_full_is_unavailable_and_leaves_all_usable)
{
	open_db("");
	cr_assert_eq(write_one("before", 10), CLQ_OK);
	pragma("PRAGMA max_page_count = 1");	/* raised to the actual size */
	cr_expect_eq(write_one("large", 1000000), CLQ_UNAVAILABLE);
	cr_expect(exists("before"));
	cr_expect(!exists("large"));
	cr_expect_eq(write_one("before", 20), CLQ_OK, "there is room");
	pragma("PRAGMA max_page_count = 1000000");
	cr_expect_eq(write_one("large", 1000000), CLQ_OK);
	cr_expect(exists("large"));
}

SqliteTest(transaction, that_failed_in_part_commits_nothing)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = list,
	    .id = CLQ_STR("small"), .data = CLQ_STR("{}") };
	char *text = clq_arena_alloc(arena, 1000001);

	open_db("");
	pragma("PRAGMA max_page_count = 1");
	cr_assert_eq(sq_begin(q, CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(sq_write(q, &w, 1), CLQ_OK);
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	memset(text, '1', 1000000);
	w.id = CLQ_STR("large");
	w.data = clq_str_of(text);
	cr_expect_eq(sq_write(q, &w, 1), CLQ_UNAVAILABLE);
	cr_expect_eq(sq_rollback(q), CLQ_UNAVAILABLE);
	cr_expect_eq(sq_finish(q, true), CLQ_UNAVAILABLE);
	cr_expect(!exists("small"));
}

SqliteTest(database, that_refuses_writes_is_readonly)
{
	clq_msec t;

	open_db("");
	cr_assert_eq(write_one("before", 10), CLQ_OK);
	pragma("PRAGMA query_only = 1");
	cr_expect_eq(write_one("after", 10), CLQ_READONLY);
	cr_expect(exists("before"));
	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(sq_timestamp(q, &(struct clq_coll){ CLQ_STR("new"),
	    CLQ_STR("") }, &t), CLQ_READONLY);
	cr_assert_eq(sq_finish(q, false), CLQ_OK);
}

SqliteTest(misuse, is_said_and_harms_nobody)
{
	struct clq_write w = { .op = CLQ_WRITE_CREATE, .coll = list,
	    .id = CLQ_STR("r"), .data = CLQ_STR("{}") };

	open_db("");
	cr_expect_eq(sq_write(q, &w, 1), CLQ_FAILED);
	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(sq_begin(q, CLQ_TX_READ), CLQ_FAILED);
	cr_expect_eq(sq_write(q, &w, 1), CLQ_FAILED);
	cr_expect_eq(sq_rollback(q), CLQ_FAILED);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	cr_expect_eq(sq_finish(q, true), CLQ_FAILED);
	cr_expect_eq(write_one("r", 1), CLQ_OK);
}

/* How long a write, and a ping of 50 ms, wait for the lock. */
static void
wait_for_lock(clq_msec *write, clq_msec *ping)
{
	clq_msec before = clq_monotonic();

	cr_expect_eq(write_one("r", 1), CLQ_UNAVAILABLE);
	*write = clq_monotonic() - before;
	cr_expect_geq(*write, 800);
	before = clq_monotonic();
	cr_expect_eq(sq_ping(q, false, 50), CLQ_UNAVAILABLE);
	*ping = clq_monotonic() - before;
}

/* On a busy machine either may take longer, but not each time. */
SqliteTest(lock, of_a_stranger_is_waited_for_and_not_for_ever)
{
	sqlite3 *other = NULL;
	clq_msec write = 0, ping = 0;
	int i = 0;

	open_db("sqlite_busy_timeout = 900\n");
	cr_assert_eq(write_one("before", 1), CLQ_OK);
	cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL,
	    NULL), SQLITE_OK);
	do
		wait_for_lock(&write, &ping);
	while ((write > 4000 || ping > 700) && ++i < 3);
	cr_expect_leq(write, 4000);
	cr_expect_leq(ping, 700);
	cr_expect(exists("before"), "readers do not wait");
	cr_expect_eq(sq_ping(q, true, 50), CLQ_OK);
	cr_assert_eq(sqlite3_close(other), SQLITE_OK);
	cr_expect_eq(write_one("r", 1), CLQ_OK);
	cr_expect_eq(sq_ping(q, false, 1000), CLQ_OK);
}

SqliteTest(connection, comes_back_after_its_folder_does)
{
	char *away = clq_arena_cstr(arena, clq_arena_printf(arena, "%s-away",
	    folder));

	cr_assert_eq(rename(folder, away), 0);
	cr_assert_eq(mkdir(folder, 0700), 0);
	open_db("");
	sq_disconnect(q);
	cr_assert_eq(system(clq_arena_printf(arena, "rm -rf %s",
	    folder).p), 0);
	cr_expect_eq(write_one("r", 1), CLQ_UNAVAILABLE);
	cr_assert_eq(rename(away, folder), 0);
	cr_expect_eq(write_one("r", 1), CLQ_OK);
}

/* ---- other people's files, migrations ---------------------------------- */

static void
make_file(const char *sql)
{
	sqlite3 *db = NULL;

	unlink(path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

SqliteTest(database, of_another_program_or_version_is_left_alone)
{
	FILE *f;

	make_file("CREATE TABLE mine(x)");
	open_db("");
	cr_expect_eq(write_one("r", 1), CLQ_UNAVAILABLE);
	make_file("PRAGMA application_id = 1668051316;"
	    "PRAGMA user_version = 99; CREATE TABLE objects(x)");
	cr_expect_eq(write_one("r", 1), CLQ_UNAVAILABLE);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs("This is a text and not a database. It is long enough to be "
	    "looked at, and nobody must overwrite what is in it.\n", f);
	fclose(f);
	cr_expect_eq(write_one("r", 1), CLQ_UNAVAILABLE);
	unlink(path);
	cr_expect_eq(write_one("r", 1), CLQ_OK);
}

static int said;

static void
say(const char *line)
{
	cr_expect_gt(strlen(line), 0);
	said++;
}

SqliteTest(migrate, makes_the_tables_and_says_so)
{
	void *self = NULL;
	struct stat st;

	cr_assert_eq(configure(clq_arena_printf(arena, "storage_url = %s\n",
	    path).p, &self), CLQ_OK);
	q = self;
	cr_expect_eq(sq_migrate(q, true, say), CLQ_OK);
	cr_expect_eq(said, 1);
	cr_expect_neq(stat(path, &st), 0, "a dry run makes nothing");
	cr_expect_eq(sq_migrate(q, false, say), CLQ_OK);
	cr_expect_eq(said, 3);
	cr_expect_eq(sq_migrate(q, false, say), CLQ_OK);
	cr_expect_eq(said, 4);
	cr_expect_eq(write_one("r", 1), CLQ_OK);
}

SqliteTest(readonly, never_makes_a_file)
{
	struct stat st;

	open_db("readonly = true\n");
	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(sq_count(q, &(struct clq_query){ .coll = list },
	    &(int64_t){ 0 }), CLQ_UNAVAILABLE);
	cr_assert_eq(sq_finish(q, false), CLQ_OK);
	cr_expect_neq(stat(path, &st), 0);
}
