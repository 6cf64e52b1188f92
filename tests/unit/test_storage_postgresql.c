/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql.so without a server: settings, errors, values on the wire, and
 * that queries become SQL without any text of a client in it.
 */
#include <cliquet/json.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/settings_load.h"
#include "storage/pg.h"

static const struct clq_coll list = { { "record", 6 }, { "/b/c", 4 } };
static struct clq_settings *settings;
static struct clq_arena *arena;

static void
setup(void)
{
	arena = clq_arena_new();
}

static void
teardown(void)
{
	clq_settings_free(&settings);
	clq_arena_free(&arena);
}

#define PgTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 30)

/* ---- settings --------------------------------------------------------- */

static struct pg_db *
configure(const char *prefix, const char *ini)
{
	struct clq_str text = clq_arena_printf(arena, "[app:main]\n%s\n",
	    ini);
	void *self = NULL;

	clq_settings_free(&settings);
	cr_assert_eq(clq_settings_parse("test.ini", text, &settings), CLQ_OK);
	return clq_plugin.backend->configure(settings, prefix, &self) ==
	    CLQ_OK ? self : NULL;
}

static void
expect_url(const char *url, const char *conninfo, const char *shown)
{
	struct pg_db *db = configure("storage", clq_arena_printf(arena,
	    "storage_url = %s", url).p);

	cr_assert_not_null(db, "%s", url);
	cr_expect_str_eq(db->conninfo, conninfo);
	cr_expect_str_eq(db->shown, shown);
	pg_close(db);
}

PgTest(url, of_any_form_is_passed_to_libpq)
{
	expect_url("postgresql://u:secret@h:5433/d",
	    "postgresql://u:secret@h:5433/d", "h:5433/d");
	expect_url("postgres://u@h/d", "postgres://u@h/d", "h/d");
	expect_url("postgresql+psycopg2://u:p@h/d?sslmode=require",
	    "postgresql://u:p@h/d?sslmode=require", "h/d");
	expect_url("postgresql:///d?host=/run/pg",
	    "postgresql:///d?host=/run/pg", "/run/pg/d");
	expect_url("host=h dbname=d password=secret",
	    "host=h dbname=d password=secret", "h/d");
	expect_url("postgresql://a:1,b:2/d?target_session_attrs=primary",
	    "postgresql://a:1,b:2/d?target_session_attrs=primary",
	    "a,b:1,2/d");
}

PgTest(url, names_its_hosts)
{
	struct pg_db *db = configure("storage",
	    "storage_url = postgresql://a,b,c/d");

	cr_assert_not_null(db);
	cr_expect_eq(db->nhosts, 3);
	pg_close(db);
}

PgTest(url, that_is_wrong_is_refused_without_telling_the_password)
{
	static const char *const wrong[] = { "", "mysql:secret@h/d",
	    "postgresql://u:%%secret@h/d", "postgresql://u:secret@h/d?x=1",
	    "postgresql://u:secret@[::1/d", "secret" };
	char text[4096];
	size_t i, n;

	cr_redirect_stderr();
	for (i = 0; i < CLQ_COUNT(wrong); i++)
		cr_expect_null(configure("storage", clq_arena_printf(arena,
		    "storage_url = %s", wrong[i]).p), "%s", wrong[i]);
	fflush(stderr);
	n = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());
	text[n] = '\0';
	cr_expect_not_null(strstr(text, "storage_url"));
	cr_expect_null(strstr(text, "secret"), "%s", text);
}

PgTest(settings, say_how_long_to_wait)
{
	struct pg_db *db = configure("storage",
	    "storage_url = postgresql://h/d\n"
	    "storage_statement_timeout_seconds = 3");

	cr_assert_not_null(db);
	cr_expect_eq(db->connect_timeout, 5000);
	cr_expect_eq(db->timeout, 3000);
	pg_close(db);
	cr_expect_null(configure("storage",
	    "storage_url = postgresql://h/d\n"
	    "storage_connect_timeout_seconds = soon"));
}

PgTest(settings, of_pools_are_accepted)
{
	struct pg_db *db = configure("storage",
	    "storage_url = postgresql://h/d\nstorage_pool_size = 25\n"
	    "storage_max_overflow = 5\nstorage_poolclass = x.y");

	cr_assert_not_null(db);
	pg_close(db);
}

PgTest(settings, decide_which_tables_must_be_there)
{
	static const struct {
		const char *prefix, *ini;
		bool storage, permission;
	} cases[] = {
		{ "storage", "storage_url = postgresql://h/d", true, true },
		{ "storage", "storage_url = postgresql://h/d\n"
		    "permission_url = postgresql://h/d", true, true },
		{ "storage", "storage_url = postgresql://h/d\n"
		    "permission_url = postgresql://h/e", true, false },
		{ "storage", "storage_url = postgresql://h/d\n"
		    "permission_backend = sqlite", true, false },
		{ "storage", "storage_url = postgresql://h/d\n"
		    "permission_backend = kinto.core.permission.postgresql",
		    true, true },
		{ "permission", "permission_url = postgresql://h/d", false,
		    true },
	};
	struct pg_db *db;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		db = configure(cases[i].prefix, cases[i].ini);
		cr_assert_not_null(db);
		cr_expect_eq(db->storage, cases[i].storage, "%zu", i);
		cr_expect_eq(db->permission, cases[i].permission, "%zu", i);
		pg_close(db);
	}
}

/* ---- errors ----------------------------------------------------------- */

PgTest(sqlstate, means_one_of_our_statuses)
{
	static const struct {
		const char	*state;
		enum clq_status	 status;
	} cases[] = {
		{ NULL, CLQ_UNAVAILABLE }, { "08006", CLQ_UNAVAILABLE },
		{ "57P01", CLQ_UNAVAILABLE }, { "57P03", CLQ_UNAVAILABLE },
		{ "57014", CLQ_UNAVAILABLE }, { "53300", CLQ_UNAVAILABLE },
		{ "53100", CLQ_UNAVAILABLE }, { "42P01", CLQ_UNAVAILABLE },
		{ "25006", CLQ_READONLY }, { "40001", CLQ_RETRY },
		{ "40P01", CLQ_RETRY }, { "23505", CLQ_RETRY },
		{ "0A000", CLQ_RETRY }, { "22P02", CLQ_FAILED },
		{ "42601", CLQ_FAILED }, { "XX000", CLQ_FAILED },
		{ "", CLQ_FAILED },
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++)
		cr_expect_eq(pg_status(cases[i].state), cases[i].status,
		    "%s", cases[i].state != NULL ? cases[i].state : "none");
}

/* ---- values ----------------------------------------------------------- */

/* A result of one row and one column. */
static PGresult *
result_of(const char *value, int len)
{
	PGresAttDesc column;
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	static char name[] = "c";

	memset(&column, 0, sizeof column);
	column.name = name;
	column.format = 1;
	column.typlen = -1;
	cr_assert_eq(PQsetResultAttrs(res, 1, &column), 1);
	/* libpq only reads it */
	cr_assert_eq(PQsetvalue(res, 0, 0, (char *)(uintptr_t)value, len), 1);
	return res;
}

static void
expect_json(const char *stored, const char *expected)
{
	struct clq_str text = clq_arena_printf(arena, "\001%s", stored);
	PGresult *res = result_of(text.p, (int)text.len);
	struct clq_str got = pg_get_json(arena, res, 0, 0);

	cr_expect(clq_str_is(got, expected), "%s became %.*s", stored,
	    CLQ_FMT(got));
	PQclear(res);
}

PgTest(json, loses_blanks_between_but_not_within_strings)
{
	expect_json("{}", "{}");
	expect_json("{\"a\": 1, \"b\": [1, 2, {\"c\": null}]}",
	    "{\"a\":1,\"b\":[1,2,{\"c\":null}]}");
	expect_json("{\"a b\": \"x, y: z\"}", "{\"a b\":\"x, y: z\"}");
	expect_json("{\"q\": \"\\\" , \\\\\", \"r\": \"\\\\\\\\\", \"s\": 1}",
	    "{\"q\":\"\\\" , \\\\\",\"r\":\"\\\\\\\\\",\"s\":1}");
	expect_json("{\"\": \" \"}", "{\"\":\" \"}");
	expect_json("\"unfinished \\", "\"unfinished \\");
}

static clq_msec
there_and_back(clq_msec t)
{
	struct pg_args args;
	PGresult *res;

	pg_args_init(&args, arena);
	cr_assert_eq(pg_arg_time(&args, t), 1);
	cr_assert_eq(args.lengths[0], 8);
	res = result_of(args.values[0], 8);
	t = pg_get_time(res, 0, 0);
	PQclear(res);
	return t;
}

PgTest(time, survives_exactly)
{
	static const clq_msec times[] = { 0, 1, -1, 999, 1000, -999, -1000,
	    946684799999, 946684800000, 946684800001, 1795501184039,
	    4102444800123, 253402300799999, 253402300800000,
	    9007199254740991, 9007199254740992, -62135596800001 };
	size_t i;

	for (i = 0; i < CLQ_COUNT(times); i++)
		cr_expect_eq(there_and_back(times[i]), times[i], "%lld",
		    (long long)times[i]);
	cr_expect_gt(there_and_back(INT64_MAX), PG_MAX_TIME);
	cr_expect_lt(there_and_back(INT64_MIN), 0);
}

PgTest(time, of_microseconds_is_rounded_as_kinto_does)
{
	/* 499, 500 and 1500 us after 2000, and 500 us before */
	static const struct {
		const char	*wire;
		clq_msec	 after;
	} cases[] = {
		{ "\0\0\0\0\0\0\x01\xf3", 0 },
		{ "\0\0\0\0\0\0\x01\xf4", 1 },
		{ "\0\0\0\0\0\0\x05\xdc", 2 },
		{ "\xff\xff\xff\xff\xff\xff\xfe\x0b", -1 },
	};
	PGresult *res;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		res = result_of(cases[i].wire, 8);
		cr_expect_eq(pg_get_time(res, 0, 0), 946684800000 +
		    cases[i].after, "case %zu", i);
		PQclear(res);
	}
}

PgTest(array, is_encoded_with_its_lengths)
{
	struct clq_str items[] = { CLQ_STR("ab"), CLQ_STR("") };
	struct clq_strs some = { items, 2, 0 }, none = { items, 0, 0 };
	struct pg_args args;

	pg_args_init(&args, arena);
	cr_expect_eq(pg_arg_strs(&args, some), 1);
	cr_expect_eq(pg_arg_strs(&args, none), 2);
	cr_assert_eq(args.lengths[0], 30);
	cr_expect_arr_eq(args.values[0], "\0\0\0\1\0\0\0\0\0\0\0\x19"
	    "\0\0\0\2\0\0\0\1\0\0\0\2ab\0\0\0\0", 30);
	cr_assert_eq(args.lengths[1], 12);
	cr_expect_arr_eq(args.values[1],
	    "\0\0\0\0\0\0\0\0\0\0\0\x19", 12);
}

static void
expect_successor(const char *prefix, const char *expected)
{
	struct clq_str got = pg_successor(arena, clq_str_of(prefix));

	if (expected == NULL)
		cr_expect_null(got.p, "%s", prefix);
	else
		cr_expect(clq_str_is(got, expected), "%s: %.*s", prefix,
		    CLQ_FMT(got));
}

PgTest(successor, is_valid_utf8_and_above_all_that_begins_so)
{
	expect_successor("/a/", "/a0");
	expect_successor("a\x7f", "a\xc2\x80");
	expect_successor("\xc3\xbf", "\xc4\x80");
	expect_successor("\xdf\xbf", "\xe0\xa0\x80");
	expect_successor("\xed\x9f\xbf", "\xee\x80\x80");
	expect_successor("\xef\xbf\xbf", "\xf0\x90\x80\x80");
	expect_successor("a\xf4\x8f\xbf\xbf", "b");
	expect_successor("\xf4\x8f\xbf\xbf", NULL);
	expect_successor("", NULL);
}

/* ---- SQL -------------------------------------------------------------- */

static const cJSON *
json(const char *text)
{
	struct clq_str why = { NULL, 0 };
	cJSON *tree = NULL;

	cr_assert_eq(clq_json_parse(arena, clq_str_of(text), &tree, &why),
	    CLQ_OK);
	return tree;
}

/* The SQL of a page filtered and sorted by one field. */
static const char *
sql_of(struct pg_sql *b, const char *field, enum clq_op op,
    const cJSON *value, const cJSON *after)
{
	static struct pg_db db = { .collation = "\"C.utf8\"" };
	struct clq_filter filter = { clq_str_of(field), op, value };
	struct clq_sort sorts[] = { { clq_str_of(field), false },
	    { CLQ_STR("last_modified"), true } };
	const cJSON *afters[] = { after, after };
	struct clq_query q = { .coll = list, .filters = &filter,
	    .nfilters = 1, .sorts = sorts, .nsorts = 2, .limit = 5,
	    .after = after != NULL ? afters : NULL };

	pg_sql_init(b, arena, &db, &list);
	pg_sql_where(b, &q, false);
	pg_sql_page(b, &q);
	return clq_arena_cstr(arena, clq_buf_str(&b->text));
}

PgTest(sql, holds_no_text_of_a_client)
{
	static const char *const values[] = { "\"marker\"", "[\"marker\"]",
	    "{\"marker\":1}", "\"*marker*\"", "\"marker%%_\"" };
	static const char *const fields[] = { "marker", "marker.x",
	    "x.marker.y", "a.b.c.d.marker", "id", "'marker\"" };
	const char *text;
	struct pg_sql b;
	size_t f, v;
	int op;

	for (f = 0; f < CLQ_COUNT(fields); f++)
		for (v = 0; v < CLQ_COUNT(values); v++)
			for (op = 0; op < CLQ_OP__COUNT; op++) {
				text = sql_of(&b, fields[f], (enum clq_op)op,
				    json(values[v]), json(values[v]));
				cr_expect_null(strstr(text, "marker"),
				    "%s", text);
			}
}

/* Each parameter is used, or PostgreSQL could not know its type. */
PgTest(sql, uses_each_of_its_parameters)
{
	static const char *const values[] = { "null", "true", "1", "\"a\"",
	    "[]", "[1]", "{}", "{\"a\":1}", "1.5", "99999999999999999999" };
	static const char *const fields[] = { "a", "a.b", "a.b.c", "a.b.c.d",
	    "id", "last_modified" };
	char number[16];
	const char *text, *at;
	struct pg_sql b;
	size_t f, v, i;
	int op;

	for (f = 0; f < CLQ_COUNT(fields); f++)
		for (v = 0; v < CLQ_COUNT(values); v++)
			for (op = 0; op < CLQ_OP__COUNT; op++) {
				text = sql_of(&b, fields[f], (enum clq_op)op,
				    json(values[v]), json(values[v]));
				for (i = 1; i <= b.args.n; i++) {
					snprintf(number, sizeof number,
					    "$%zu", i);
					at = text;
					do
						at = strstr(at, number);
					while (at != NULL && at[strlen(
					    number)] >= '0' && at[strlen(
					    number)] <= '9' && *at++ != 0);
					cr_expect_not_null(at, "%s in %s",
					    number, text);
				}
			}
}

PgTest(sql, of_many_names_in_a_path_stays_short)
{
	char field[4096], *p = field;
	struct pg_sql b;
	int i;

	for (i = 0; i < 1000; i++)
		p += sprintf(p, "a.");
	*--p = '\0';
	cr_expect_lt(strlen(sql_of(&b, field, CLQ_OP_EQ, json("1"), NULL)),
	    2000);
}

/* ---- tables ------------------------------------------------------------ */

/* What is changed in a table depends on the catalog and on its constraints,
 * so that it cannot wait in the queue until there is a connection. */
PgTest(table, is_not_written_without_a_connection)
{
	static const struct clq_table rows = { .resource = "row",
	    .name = "rows", .parent_column = "owner", .parent_prefix = "" };
	static const struct clq_table *const maps[] = { &rows };
	struct clq_write w[] = { { .op = CLQ_WRITE_UPDATE,
	    .coll = list, .id = CLQ_STR("a"), .data = CLQ_STR("{}") },
	    { .op = CLQ_WRITE_UPDATE, .coll = { CLQ_STR("row"),
	    CLQ_STR("me") }, .id = CLQ_STR("a"), .data = CLQ_STR("{}") } };
	struct pg_db *db = configure("storage",
	    "storage_url = postgresql://u@/d?host=/there/is/no/server");

	cr_assert_not_null(db);
	db->maps = maps;
	db->ntables = 1;
	cr_expect_eq(pg_begin(db, CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(pg_write(db, &w[0], 1), CLQ_OK);
	cr_expect_eq(pg_write(db, &w[1], 1), CLQ_UNAVAILABLE);
	(void)(pg_finish(db, false) == CLQ_OK);
	cr_expect_eq(pg_begin(db, CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(pg_erase(db, CLQ_STR("row"), CLQ_STR("me")),
	    CLQ_UNAVAILABLE);
	(void)(pg_finish(db, false) == CLQ_OK);
	pg_close(db);
}
