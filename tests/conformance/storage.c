/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every storage backend promises (<cliquet/storage.h>, sections 03, 04,
 * 11-5.1): objects, tombstones, transactions. Timestamps, filters, sorting,
 * whole lists and concurrent processes are in the files storage_*.c; a
 * program of all of them knows no backend.
 */
#include "tests/conformance/storage.h"

#include <cliquet/str.h>

#include <stdio.h>

int
main(int argc, char **argv)
{
	return fixture_main(argc, argv, "storage");
}

/* ---- objects ---------------------------------------------------------- */

StorageTest(object, comes_back_as_it_was_stored)
{
	clq_msec t = create("r1", "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}");
	const struct clq_object *o = get("r1");

	cr_assert_not_null(o);
	cr_expect_eq(o->last_modified, t);
	cr_expect(!o->deleted);
	cr_expect(same_json(o->data, "{\"a\":[1,{\"b\":null}],\"c\":\"d\"}"));
}

StorageTest(object, may_have_no_attributes)
{
	create("r1", "{}");
	cr_assert_not_null(get("r1"));
	cr_expect(same_json(get("r1")->data, "{}"));
}

StorageTest(object, that_is_missing_is_not_found)
{
	create("r1", "{}");
	cr_expect_null(get("r2"));
}

StorageTest(object, belongs_to_its_resource_and_parent)
{
	const struct clq_coll other = { list.resource,
	    CLQ_STR("/buckets/b/collections/d") };
	const struct clq_coll group = { CLQ_STR("group"), list.parent };

	create("r1", "{\"n\":1}");
	cr_expect_null(get_in(&other, "r1"));
	cr_expect_null(get_in(&group, "r1"));
	cr_expect_gt(put_at(&other, CLQ_WRITE_CREATE, "r1", "{\"n\":2}",
	    NO_TIME), 0);
	cr_expect_gt(put_at(&group, CLQ_WRITE_CREATE, "r1", "{\"n\":3}",
	    NO_TIME), 0);
	cr_expect(same_json(get("r1")->data, "{\"n\":1}"));
	cr_expect(same_json(get_in(&other, "r1")->data, "{\"n\":2}"));
	cr_expect(same_json(get_in(&group, "r1")->data, "{\"n\":3}"));
}

StorageTest(object, may_have_the_empty_parent)
{
	const struct clq_coll buckets = { CLQ_STR("bucket"), CLQ_STR("") };

	cr_assert_gt(put_at(&buckets, CLQ_WRITE_CREATE, "b", "{}", NO_TIME),
	    0);
	cr_expect_not_null(get_in(&buckets, "b"));
}

StorageTest(create, of_a_living_id_is_a_conflict_and_changes_nothing)
{
	clq_msec t = create("r1", "{\"n\":1}"), list_t = timestamp_of(&list);

	cr_expect_eq(put_at(&list, CLQ_WRITE_CREATE, "r1", "{\"n\":2}",
	    NO_TIME), -CLQ_CONFLICT);
	cr_expect_eq(get("r1")->last_modified, t);
	cr_expect(same_json(get("r1")->data, "{\"n\":1}"));
	cr_expect_eq(timestamp_of(&list), list_t);
}

StorageTest(create, replaces_a_tombstone)
{
	struct clq_query *q = query("id last_modified");
	clq_msec gone, t;

	create("r1", "{\"n\":1}");
	gone = delete("r1");
	t = create("r1", "{\"n\":2}");
	cr_expect_gt(t, gone);
	cr_expect(same_json(get("r1")->data, "{\"n\":2}"));
	q->include_deleted = true;
	cr_expect_str_eq(ids(q), "r1");
}

StorageTest(update, replaces_the_whole_document)
{
	clq_msec t = create("r1", "{\"a\":1,\"b\":2}");

	cr_expect_gt(update("r1", "{\"c\":3}"), t);
	cr_expect(same_json(get("r1")->data, "{\"c\":3}"));
}

StorageTest(update, creates_what_is_missing)
{
	clq_msec t = update("r1", "{\"a\":1}");

	cr_expect_eq(get("r1")->last_modified, t);
	cr_expect(same_json(get("r1")->data, "{\"a\":1}"));
}

StorageTest(update, brings_a_deleted_object_back)
{
	create("r1", "{\"a\":1}");
	delete("r1");
	update("r1", "{\"b\":1}");
	cr_expect(same_json(get("r1")->data, "{\"b\":1}"));
}

StorageTest(delete, leaves_a_tombstone_and_nothing_else)
{
	struct clq_query *q = query("id last_modified");
	struct clq_page page;
	clq_msec t;

	create("r1", "{\"secret\":1}");
	t = delete("r1");
	cr_expect_null(get("r1"));
	cr_expect_str_eq(ids(q), "");
	q->include_deleted = true;
	page = run(q);
	cr_assert_eq(page.n, 1);
	cr_expect(page.objects[0].deleted);
	cr_expect(clq_str_is(page.objects[0].id, "r1"));
	cr_expect(clq_str_is(page.objects[0].data, "{}"));
	cr_expect_eq(page.objects[0].last_modified, t);
}

StorageTest(delete, of_what_is_missing_or_deleted_is_not_found)
{
	cr_expect_eq(put_at(&list, CLQ_WRITE_DELETE, "r1", NULL, NO_TIME),
	    -CLQ_NOT_FOUND);
	create("r1", "{}");
	delete("r1");
	cr_expect_eq(put_at(&list, CLQ_WRITE_DELETE, "r1", NULL, NO_TIME),
	    -CLQ_NOT_FOUND);
}

StorageTest(write, of_several_goes_on_after_a_refusal)
{
	static struct clq_write w[4];
	size_t i;

	for (i = 0; i < 4; i++) {
		w[i].op = i == 2 ? CLQ_WRITE_DELETE : CLQ_WRITE_CREATE;
		w[i].coll = list;
		w[i].data = CLQ_STR("{}");
	}
	w[0].id = w[1].id = CLQ_STR("r1");
	w[2].id = CLQ_STR("none");
	w[3].id = CLQ_STR("r2");
	tx_write();
	cr_assert_eq(storage()->write(fx.self, w, 4), CLQ_OK);
	cr_assert_eq(storage()->sync(fx.self), CLQ_OK);
	tx_commit();
	cr_expect_eq(w[0].status, CLQ_OK);
	cr_expect_eq(w[1].status, CLQ_CONFLICT);
	cr_expect_eq(w[2].status, CLQ_NOT_FOUND);
	cr_expect_eq(w[3].status, CLQ_OK);
	cr_expect_gt(w[3].last_modified, w[0].last_modified);
	cr_expect_str_eq(ids(query("id last_modified")), "r1 r2");
}

StorageTest(write, fills_its_results_at_the_latest_at_commit)
{
	static struct clq_write w;

	w.op = CLQ_WRITE_CREATE;
	w.coll = list;
	w.id = CLQ_STR("r1");
	w.data = CLQ_STR("{}");
	w.status = CLQ_FAILED;
	tx_write();
	cr_assert_eq(storage()->write(fx.self, &w, 1), CLQ_OK);
	tx_commit();
	cr_expect_eq(w.status, CLQ_OK);
	cr_expect_eq(w.last_modified, get("r1")->last_modified);
}

StorageTest(write, is_seen_by_the_transaction_that_made_it)
{
	struct clq_want want = { .coll = list, .id = CLQ_STR("r1") };
	struct clq_lookup l = { .arena = fx.arena, .wants = &want,
	    .nwants = 1 };
	struct clq_page page = { 0 };
	int64_t n = 0;

	tx_write();
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r1", "{\"a\":1}",
	    NO_TIME), 0);
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	cr_assert(want.found);
	cr_expect(same_json(want.object.data, "{\"a\":1}"));
	cr_assert_eq(storage()->count(fx.self, query(NULL), &n), CLQ_OK);
	cr_expect_eq(n, 1);
	cr_assert_eq(storage()->list(fx.self, fx.arena, query(NULL), &page),
	    CLQ_OK);
	cr_expect_eq(page.n, 1);
	tx_commit();
}

StorageTest(lookup, answers_several_questions_at_once)
{
	struct clq_want wants[3] = {
		{ .coll = list, .id = CLQ_STR("r1") },
		{ .coll = list, .id = CLQ_STR("none") },
		{ .coll = list, .id = CLQ_STR("r2") } };
	struct clq_lookup l = { .arena = fx.arena, .wants = wants,
	    .nwants = 3, .timestamp_of = &list };
	clq_msec t;

	create("r1", "{\"n\":1}");
	t = create("r2", "{\"n\":2}");
	tx_read();
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	tx_commit();
	cr_expect(wants[0].found && !wants[1].found && wants[2].found);
	cr_expect(same_json(wants[0].object.data, "{\"n\":1}"));
	cr_expect_eq(wants[2].object.last_modified, t);
	cr_expect_eq(l.timestamp, t);
}

/* A backend may answer the hint or leave it; what it answers is right. */
StorageTest(lookup, may_bring_the_list_that_comes_next)
{
	struct clq_want want = { .coll = list, .id = CLQ_STR("r0") };
	struct clq_sort newest = { CLQ_STR("last_modified"), true };
	struct clq_query q = { .coll = list, .sorts = &newest, .nsorts = 1,
	    .limit = 2 };
	struct clq_page page = { NULL, 0 };
	struct clq_lookup l = { .arena = fx.arena, .wants = &want,
	    .nwants = 1, .timestamp_of = &list, .list = &q, .page = &page };
	clq_msec t;

	create("r0", "{\"n\":0}");
	create("r1", "{\"n\":1}");
	t = create("r2", "{\"n\":2}");
	tx_read();
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	tx_commit();
	cr_expect(want.found);
	cr_expect_eq(l.timestamp, t);
	if (!l.listed)
		return;
	cr_assert_eq(page.n, 2);
	cr_expect_eq(page.objects[0].last_modified, t);
	cr_expect(same_json(page.objects[0].data, "{\"n\":2}"));
	cr_expect(same_json(page.objects[1].data, "{\"n\":1}"));
}

StorageTest(lookup, of_a_list_never_used_has_no_timestamp)
{
	struct clq_lookup l = { .arena = fx.arena, .timestamp_of = &list,
	    .timestamp = 1 };

	tx_read();
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	tx_commit();
	cr_expect_eq(l.timestamp, 0);
}

/* ---- texts ------------------------------------------------------------ */

StorageTest(text, of_any_kind_is_an_id_or_a_parent)
{
	static const char *const texts[] = { "%", "_", "'", "\"", "\\", "*",
	    "a'b\"c\\d%e_f*g", "'; DROP TABLE objects; --", "a b", "é", "𝄞",
	    "?1", "$1", "{}" };
	struct clq_query *q = query("id last_modified");
	struct clq_coll coll = { list.resource, { NULL, 0 } };
	size_t i, j;

	for (i = 0; i < CLQ_COUNT(texts); i++) {
		coll.parent = clq_str_of(texts[i]);
		for (j = 0; j < CLQ_COUNT(texts); j++)
			cr_assert_gt(put_at(&coll, CLQ_WRITE_CREATE, texts[j],
			    "{}", NO_TIME), 0);
	}
	for (i = 0; i < CLQ_COUNT(texts); i++) {
		coll.parent = clq_str_of(texts[i]);
		cr_assert_eq(put_at(&coll, CLQ_WRITE_DELETE, texts[i], NULL,
		    NO_TIME) > 0, true);
		cr_expect_null(get_in(&coll, texts[i]));
		q->coll = coll;
		cr_expect_eq(count(q), (int64_t)CLQ_COUNT(texts) - 1,
		    "parent %s", texts[i]);
	}
}

StorageTest(text, of_every_plane_comes_back)
{
	char text[64], id[8];
	unsigned plane, cp;

	for (plane = 0; plane <= 16; plane++) {
		cp = plane << 16 | 0x4e2d;
		if (plane == 0)
			snprintf(text, sizeof text, "{\"%s\":\"%s\"}",
			    "\xe4\xb8\xad", "\xe4\xb8\xad\\n\\\\\\\"");
		else
			snprintf(text, sizeof text, "{\"k%c%c%c%c\":"
			    "\"%c%c%c%c\"}",
			    0xf0 | (int)(cp >> 18), 0x80 | (cp >> 12 & 0x3f),
			    0x80 | (cp >> 6 & 0x3f), 0x80 | (cp & 0x3f),
			    0xf0 | (int)(cp >> 18), 0x80 | (cp >> 12 & 0x3f),
			    0x80 | (cp >> 6 & 0x3f), 0x80 | (cp & 0x3f));
		snprintf(id, sizeof id, "p%u", plane);
		create(id, text);
		cr_expect(same_json(get(id)->data, text), "plane %u", plane);
	}
}

StorageTest(number, comes_back_exactly)
{
	static const char *const numbers[] = { "0", "-1", "9007199254740993",
	    "-9007199254740993", "18446744073709551617", "0.1", "0.30",
	    "3.14159265358979323846264338327950288", "1.5",
	    "123456789012345678901234567890.123456789",
	    "0.000000000000000000000000000001",
	    "179769313486231570000000000000000000000" };
	char text[128];
	size_t i;

	for (i = 0; i < CLQ_COUNT(numbers); i++) {
		snprintf(text, sizeof text, "{\"n\":%s}", numbers[i]);
		update("r1", text);
		cr_expect(clq_str_is(clq_json_text(fx.arena, json(
		    clq_arena_cstr(fx.arena, get("r1")->data))), text),
		    "%s became %.*s", text, CLQ_FMT(get("r1")->data));
	}
}

StorageTest(document, may_be_long_and_deep)
{
	enum { LONG = 300000, DEPTH = 90 };
	char *text = clq_arena_alloc(fx.arena, LONG + 3 * DEPTH + 64);
	char *p = text;
	int i;

	p += sprintf(p, "{\"deep\":");
	for (i = 0; i < DEPTH; i++)
		*p++ = '[';
	for (i = 0; i < DEPTH; i++)
		*p++ = ']';
	p += sprintf(p, ",\"long\":\"");
	memset(p, 'x', LONG);
	strcpy(p + LONG, "\"}");
	create("r1", text);
	cr_expect(same_json(get("r1")->data, text));
}

/* ---- transactions ----------------------------------------------------- */

StorageTest(transaction, undone_leaves_nothing)
{
	clq_msec t = create("r1", "{\"n\":1}");

	tx_write();
	cr_assert_gt(write_at(&list, CLQ_WRITE_UPDATE, "r1", "{\"n\":2}",
	    NO_TIME), 0);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r2", "{}", NO_TIME),
	    0);
	tx_undo();
	cr_expect(same_json(get("r1")->data, "{\"n\":1}"));
	cr_expect_null(get("r2"));
	cr_expect_eq(timestamp_of(&list), t);
}

StorageTest(transaction, may_be_empty)
{
	tx_write();
	tx_commit();
	tx_read();
	tx_commit();
	tx_write();
	tx_undo();
	create("r1", "{}");
}

StorageTest(savepoint, undoes_what_came_after_it_only)
{
	tx_write();
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r1", "{}", NO_TIME),
	    0);
	cr_assert_eq(backend()->savepoint(fx.self), CLQ_OK);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r2", "{}", NO_TIME),
	    0);
	cr_assert_gt(write_at(&list, CLQ_WRITE_DELETE, "r1", NULL, NO_TIME),
	    0);
	cr_assert_eq(backend()->rollback(fx.self), CLQ_OK);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r3", "{}", NO_TIME),
	    0);
	cr_assert_eq(backend()->release(fx.self), CLQ_OK);
	tx_commit();
	cr_expect_str_eq(ids(query("id last_modified")), "r1 r3");
}

StorageTest(savepoint, stays_after_a_rollback)
{
	tx_write();
	cr_assert_eq(backend()->savepoint(fx.self), CLQ_OK);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r1", "{}", NO_TIME),
	    0);
	cr_assert_eq(backend()->rollback(fx.self), CLQ_OK);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r2", "{}", NO_TIME),
	    0);
	cr_assert_eq(backend()->rollback(fx.self), CLQ_OK);
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r3", "{}", NO_TIME),
	    0);
	tx_commit();
	cr_expect_str_eq(ids(query("id last_modified")), "r3");
}

StorageTest(savepoint, can_be_set_for_each_part_of_a_batch)
{
	char id[16];
	int i;

	tx_write();
	for (i = 0; i < 25; i++) {
		snprintf(id, sizeof id, "r%02d", i);
		cr_assert_eq(backend()->savepoint(fx.self), CLQ_OK);
		cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, id, "{}",
		    NO_TIME), 0);
		if (i % 5 != 0)
			cr_assert_eq(backend()->rollback(fx.self), CLQ_OK);
		cr_assert_eq(backend()->release(fx.self), CLQ_OK);
	}
	tx_commit();
	cr_expect_str_eq(ids(query("id last_modified")),
	    "r00 r05 r10 r15 r20");
}

StorageTest(savepoint, does_not_survive_the_transaction)
{
	tx_write();
	cr_assert_eq(backend()->savepoint(fx.self), CLQ_OK);
	tx_undo();
	tx_write();
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, "r1", "{}", NO_TIME),
	    0);
	tx_commit();
	cr_expect_not_null(get("r1"));
}

StorageTest(ping, says_up_and_stores_nothing)
{
	struct clq_resource_count *totals = NULL;
	size_t n = 1;

	cr_expect_eq(backend()->ping(fx.self, false, 10000), CLQ_OK);
	cr_expect_eq(backend()->ping(fx.self, true, 10000), CLQ_OK);
	tx_read();
	cr_assert_eq(storage()->totals(fx.self, fx.arena, &totals, &n),
	    CLQ_OK);
	tx_commit();
	cr_expect_eq(n, 0);
}

/* ---- with permissions ------------------------------------------------- */

/* An object and its entries, in the open transaction. */
static void
create_with_entry(const char *id, struct clq_str uri)
{
	cr_assert_gt(write_at(&list, CLQ_WRITE_CREATE, id, "{}", NO_TIME), 0);
	cr_assert_eq(fx.plugin->permission->add(fx.self, uri,
	    CLQ_STR("write"), CLQ_STR("alice")), CLQ_OK);
}

StorageTest(instance, with_permissions_has_one_transaction_and_one_lookup)
{
	static const struct clq_str r1 = { "/r1", 3 }, r2 = { "/r2", 3 };
	struct clq_want want = { .coll = list, .id = CLQ_STR("r1") };
	struct clq_str alice = CLQ_STR("alice");
	struct clq_bound bounds[] = { { .object = r1,
	    .permission = CLQ_STR("write") }, { .object = r2,
	    .permission = CLQ_STR("write"), .granted = true } };
	struct clq_lookup l = { .arena = fx.arena, .wants = &want,
	    .nwants = 1, .timestamp_of = &list, .user = alice,
	    .principals = { .items = &alice, .n = 1 }, .bounds = bounds,
	    .nbounds = 2, .acl_of = r1 };

	if (fx.plugin->permission == NULL)
		return;
	tx_write();
	cr_assert_eq(fx.plugin->permission->flush(fx.self), CLQ_OK);
	create_with_entry("r1", r1);
	tx_commit();
	tx_write();
	create_with_entry("r2", r2);
	tx_undo();
	tx_read();
	cr_assert_eq(storage()->lookup(fx.self, &l), CLQ_OK);
	tx_commit();
	cr_expect(want.found);
	cr_expect_eq(l.timestamp, want.object.last_modified);
	cr_expect(bounds[0].granted);
	cr_expect(!bounds[1].granted);
	cr_assert_eq(l.acl.n, 1);
	cr_expect(clq_str_is(l.acl.aces[0].permission, "write"));
}
