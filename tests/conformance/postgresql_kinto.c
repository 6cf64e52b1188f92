/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database that Kinto made is served as it is, and what is written to it
 * keeps what Kinto relies on; other versions are refused with a remedy.
 */
#include "tests/conformance/postgresql.h"

#include <cliquet/buf.h>
#include <cliquet/json.h>

#include <stdio.h>
#include <stdlib.h>

static const struct clq_coll articles = { { "record", 6 },
    { "/buckets/blog/collections/articles", 34 } };

static void
kinto_setup(void)
{
	make_database("kinto", "kinto26.sql");
	use("kinto", "");
}

#define KintoTest(...)							\
	Test(__VA_ARGS__, .init = kinto_setup, .fini = pg_teardown,	\
	    .timeout = 120)

/* The list as the protocol shows it, newest first, tombstones with it. */
static const char *
everything(const struct clq_coll *coll)
{
	const struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_query q = { .coll = *coll, .sorts = &newest, .nsorts = 1,
	    .include_deleted = true };
	struct clq_page page = { NULL, 0 };
	struct clq_buf b;
	size_t i;

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(fx.plugin->storage->list(fx.self, fx.arena, &q, &page),
	    CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	clq_buf_init(&b, fx.arena, 256);
	for (i = 0; i < page.n; i++)
		clq_buf_printf(&b, "%s%.*s %lld %.*s\n",
		    page.objects[i].deleted ? "!" : "",
		    CLQ_FMT(page.objects[i].id),
		    (long long)page.objects[i].last_modified,
		    CLQ_FMT(page.objects[i].data));
	return clq_arena_cstr(fx.arena, clq_buf_str(&b));
}

static clq_msec
timestamp(const char *resource, const char *parent)
{
	const struct clq_coll coll = { clq_str_of(resource),
	    clq_str_of(parent) };
	clq_msec t = 0;

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(fx.plugin->storage->timestamp(fx.self, &coll, &t),
	    CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	return t;
}

KintoTest(kinto_database, is_served_as_it_is)
{
	cr_expect_str_eq(everything(&articles),
	    "!r0 4102444800125 {}\n"
	    "after 4102444800124 {\"f\":2}\n"
	    "future 4102444800123 {\"f\":1}\n"
	    "r5 1795501184124 {\"u\":null,\"v\":true}\n"
	    "r4 1795501184118 {\"s\":\"quote \\\" and \\\\ and / 𝄞\"}\n"
	    "r3 1795501184110 {\"a\":{\"b\":2},\"e\":[],\"o\":{},\"a.b\":1}\n"
	    "r2 1795501184104 {\"l\":[1,\"a\",null,{\"k\":[]}],\"n\":1.5}\n"
	    "r1 1795501184099 {\"n\":12345678901234567890,\"x\":0.1}\n"
	    "past 1500000000000 {}\n");
	/* an empty list, whose time Kinto keeps in microseconds */
	cr_expect_eq(timestamp("record", "/buckets/blog/collections/empty"),
	    1795501184083);
	/* lists whose row is older than their objects */
	cr_expect_eq(timestamp("bucket", ""), 1795501184039);
	cr_expect_eq(timestamp("collection", "/buckets/blog"),
	    1795501184163);
	cr_expect_eq(timestamp("record", "/buckets/blog/collections/articles"),
	    4102444800125);
}

KintoTest(kinto_database, has_its_permissions)
{
	struct clq_bound bounds[] = {
		{ .object = CLQ_STR("/buckets/blog/collections/articles"),
		    .permission = CLQ_STR("write") },
		{ .object = CLQ_STR("/buckets/blog"),
		    .permission = CLQ_STR("write") },
	};
	struct clq_lookup l = { .arena = fx.arena,
	    .user = CLQ_STR("basicauth:bob"), .bounds = bounds, .nbounds = 2,
	    .acl_of = CLQ_STR("/buckets/blog") };

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(fx.plugin->storage->lookup(fx.self, &l), CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	cr_expect_eq(l.groups.n, 1);
	cr_expect(bounds[0].granted, "by the group");
	cr_expect(!bounds[1].granted);
	cr_assert_eq(l.acl.n, 2);
	cr_expect(clq_str_is(l.acl.aces[0].permission, "read"));
	cr_expect(clq_str_is(l.acl.aces[0].principals.items[0],
	    "system.Everyone"));
}

static struct clq_write *
write_article(enum clq_write_op op, const char *id)
{
	struct clq_write *w = clq_arena_alloc(fx.arena, sizeof *w);

	w->op = op;
	w->coll = articles;
	w->id = clq_str_of(id);
	w->data = CLQ_STR("{\"new\":1}");
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(fx.plugin->storage->write(fx.self, w, 1), CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	cr_assert_eq(w->status, CLQ_OK);
	return w;
}

KintoTest(kinto_database, is_continued_where_kinto_left_it)
{
	cr_expect_eq(write_article(CLQ_WRITE_CREATE, "n1")->last_modified,
	    4102444800126);
	cr_expect_eq(write_article(CLQ_WRITE_CREATE, "r0")->last_modified,
	    4102444800127, "instead of a tombstone");
	cr_expect_eq(write_article(CLQ_WRITE_UPDATE, "r1")->last_modified,
	    4102444800128);
	cr_expect_eq(write_article(CLQ_WRITE_DELETE, "r2")->last_modified,
	    4102444800129);
	cr_expect_eq(timestamp("record", "/buckets/blog/collections/articles"),
	    4102444800129);
}

KintoTest(kinto_database, keeps_what_kinto_relies_on)
{
	write_article(CLQ_WRITE_CREATE, "n1");
	write_article(CLQ_WRITE_DELETE, "r5");
	cr_expect_str_eq(sql("kinto", "SELECT data FROM objects"
	    " WHERE id = 'r5'"), "{\"deleted\": true}");
	cr_expect_str_eq(sql("kinto", "SELECT count(*) FROM objects WHERE"
	    " deleted <> COALESCE((data->>'deleted')::boolean, false)"), "0");
	cr_expect_str_eq(sql("kinto", "SELECT count(*) FROM objects WHERE"
	    " data ? 'id' OR data ? 'last_modified' OR"
	    " last_modified <> from_epoch(as_epoch(last_modified))"), "0");
	cr_expect_str_eq(sql("kinto", "SELECT as_epoch(last_modified) ="
	    " 4102444800127 FROM objects WHERE id = 'r5'"), "t");
	/* a write of Kinto's goes on behind ours */
	cr_expect_str_eq(sql("kinto", "INSERT INTO objects (id, parent_id,"
	    " resource_name, data, deleted) VALUES ('k',"
	    " '/buckets/blog/collections/articles', 'record', '{}', false)"
	    " RETURNING as_epoch(last_modified)"), "4102444800128");
	cr_expect_eq(write_article(CLQ_WRITE_UPDATE, "n1")->last_modified,
	    4102444800129);
}

static void
ignore(const char *line)
{
	(void)line;
}

KintoTest(kinto_database, can_be_migrated_and_changes_no_meaning)
{
	const char *before = everything(&articles);

	cr_assert_eq(fx.plugin->backend->migrate(fx.self, false, ignore),
	    CLQ_OK);
	cr_assert_eq(fx.plugin->backend->migrate(fx.self, false, ignore),
	    CLQ_OK);
	before = clq_arena_strdup(fx.arena, clq_str_of(before)).p;
	cr_expect(clq_str_is(clq_str_of(before), everything(&articles)));
	cr_expect_eq(write_article(CLQ_WRITE_UPDATE, "n1")->last_modified,
	    4102444800126);
	/* the trigger still gives Kinto's rows their timestamp */
	cr_expect_str_eq(sql("kinto", "INSERT INTO objects (id, parent_id,"
	    " resource_name, data, deleted) VALUES ('k',"
	    " '/buckets/blog/collections/articles', 'record', '{}', false)"
	    " RETURNING as_epoch(last_modified)"), "4102444800127");
	cr_expect_str_eq(sql("kinto", "UPDATE objects SET data = '{}',"
	    " last_modified = from_epoch(4102444800127) WHERE id = 'r1'"
	    " RETURNING as_epoch(last_modified)"), "4102444800128");
	cr_expect_str_eq(sql("kinto", "SELECT max(value) FROM metadata"
	    " WHERE name = 'storage_schema_version'"), "26");
	cr_expect_str_eq(sql("kinto", "SELECT count(*) FROM metadata"
	    " WHERE name = 'cliquet_schema_version'"), "1");
}

/* ---- other versions ---------------------------------------------------- */

static void
set_version(const char *name, const char *version)
{
	char text[256];

	snprintf(text, sizeof text, "DELETE FROM metadata WHERE name = '%s'",
	    name);
	sql("kinto", text);
	snprintf(text, sizeof text, "INSERT INTO metadata (name, value)"
	    " VALUES ('%s', '%s')", name, version);
	if (version != NULL)
		sql("kinto", text);
	use("kinto", "");
}

static enum clq_status
try(void)
{
	struct clq_want want;
	enum clq_status status;

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	status = find("x", false, &want);
	(void)!finish(false);
	return status;
}

KintoTest(schema_version, that_is_not_known_is_neither_served_nor_migrated)
{
	static const char *const bad[] = { "25", "9", "27", "x", NULL };
	size_t i;

	for (i = 0; i < CLQ_COUNT(bad); i++) {
		set_version("storage_schema_version", bad[i]);
		cr_expect_eq(try(), CLQ_UNAVAILABLE, "version %s", bad[i]);
		cr_expect_eq(fx.plugin->backend->migrate(fx.self, false,
		    ignore), CLQ_UNAVAILABLE, "version %s", bad[i]);
	}
	set_version("storage_schema_version", "26");
	cr_expect_eq(try(), CLQ_OK);
	set_version("permission_schema_version", "1");
	cr_expect_eq(try(), CLQ_UNAVAILABLE);
	set_version("permission_schema_version", "2");
	cr_expect_eq(try(), CLQ_OK);
}

KintoTest(schema_version, is_the_highest_of_several)
{
	sql("kinto", "INSERT INTO metadata (name, value) VALUES"
	    " ('storage_schema_version', '9'),"
	    " ('storage_schema_version', '25')");
	use("kinto", "");
	cr_expect_eq(try(), CLQ_OK);
}

KintoTest(empty_database, is_not_served_before_migrate)
{
	sql("postgres", "DROP DATABASE IF EXISTS fresh WITH (FORCE)");
	sql("postgres", "CREATE DATABASE fresh");
	use("fresh", "");
	cr_expect_eq(try(), CLQ_UNAVAILABLE);
	cr_expect_eq(fx.plugin->backend->migrate(fx.self, true, ignore),
	    CLQ_OK, "a dry run");
	cr_expect_str_eq(sql("fresh", "SELECT count(*) FROM pg_tables"
	    " WHERE schemaname = 'public'"), "0");
	cr_expect_eq(fx.plugin->backend->migrate(fx.self, false, ignore),
	    CLQ_OK);
	use("fresh", "");
	cr_expect_eq(try(), CLQ_OK);
}

KintoTest(database, must_be_utf8)
{
	sql("postgres", "DROP DATABASE IF EXISTS latin WITH (FORCE)");
	sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1'"
	    " LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	use("latin", "");
	cr_expect_eq(try(), CLQ_UNAVAILABLE);
	cr_expect_eq(fx.plugin->backend->migrate(fx.self, false, ignore),
	    CLQ_UNAVAILABLE);
}

KintoTest(database, may_have_another_time_zone)
{
	clq_msec now = clq_now();

	sql("postgres", "ALTER DATABASE kinto SET timezone TO"
	    " 'America/New_York'");
	use("kinto", "");
	cr_assert_eq(store("a", "{}"), CLQ_OK);
	cr_expect_geq(timestamp("record", "/buckets/b/collections/c"), now);
	cr_expect_leq(timestamp("record", "/buckets/b/collections/c"),
	    clq_now());
	cr_expect_eq(timestamp("bucket", ""), 1795501184039);
}
