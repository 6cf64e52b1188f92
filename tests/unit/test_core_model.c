/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a write does besides storing: permissions, hooks, events, and objects
 * made by the server (sections 03-6, 06-5, 07-11).
 */
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <stdio.h>

#include "core/events.h"
#include "core/tx.h"
#include "stored_fixture.h"

static char diary[8192];	/* of hooks and subscribers */

static void
note(const char *what, const struct clq_change *c)
{
	size_t len = strlen(diary);

	snprintf(diary + len, sizeof diary - len, "%s %.*s %.*s->%.*s%s; ",
	    what, CLQ_FMT(c->uri), c->old != NULL ? (int)c->old->data.len : 0,
	    c->old != NULL ? c->old->data.p : "", CLQ_FMT(c->new_->data),
	    c->new_->deleted ? " deleted" : "");
}

TestSuite(model, .init = setup, .fini = teardown);
TestSuite(model_settings, .fini = teardown);
TestSuite(model_hooks, .fini = teardown);

static struct clq_request *
ask(int status, const char *method, const char *url, const char *body)
{
	return stored_ask(&lb, status, method, url, ALICE, body);
}

static void
expect_permissions(const char *url, const char *permissions)
{
	struct clq_str want = clq_arena_printf(lb.arena,
	    "{\"permissions\":%s,\"data\":\"*\"}", permissions);

	stored_body(&lb, ask(200, "GET", url, NULL), want.p);
}

#define SHELF	"/v1/shelves/s"
#define MERGE	ALICE "Content-Type: application/merge-patch+json\n"
#define JSON	ALICE "Content-Type: application/json-patch+json\n"

/* ---- permissions --------------------------------------------------- */

Test(model, put_clears_what_is_not_listed)
{
	ask(201, "PUT", SHELF, "{\"permissions\":{\"read\":[\"r\"],"
	    "\"book:create\":[\"c\"]}}");
	expect_permissions(SHELF, "{\"read\":[\"r\"],\"write\":[\"$A\"],"
	    "\"book:create\":[\"c\"]}");
	ask(200, "PUT", SHELF, "{\"data\":{}}");
	ask(200, "PUT", SHELF, "{\"permissions\":{}}");
	ask(200, "PUT", SHELF, "{\"permissions\":{\"read\":null}}");
	expect_permissions(SHELF, "{\"read\":[\"r\"],\"write\":[\"$A\"],"
	    "\"book:create\":[\"c\"]}");
	ask(200, "PUT", SHELF, "{\"permissions\":{\"write\":[\"w\"],"
	    "\"read\":null}}");
	expect_permissions(SHELF, "{\"write\":[\"w\",\"$A\"]}");
	ask(200, "PUT", SHELF, "{\"permissions\":{\"read\":[]}}");
	expect_permissions(SHELF, "{\"write\":[\"$A\"]}");
}

Test(model, patch_replaces_what_is_listed)
{
	ask(201, "PUT", SHELF, "{\"permissions\":{\"read\":[\"r\"],"
	    "\"book:create\":[\"c\"]}}");
	ask(200, "PATCH", SHELF, "{\"permissions\":{\"read\":[\"q\"],"
	    "\"book:create\":null}}");
	expect_permissions(SHELF, "{\"read\":[\"q\"],\"write\":[\"$A\"],"
	    "\"book:create\":[\"c\"]}");
	ask(200, "PATCH", SHELF, "{\"permissions\":{\"read\":[],"
	    "\"write\":[]}}");
	expect_permissions(SHELF, "{\"write\":[\"$A\"],"
	    "\"book:create\":[\"c\"]}");
	stored_ask(&lb, 200, "PATCH", SHELF, MERGE, "{\"permissions\":"
	    "{\"book:create\":null,\"read\":[\"m\"]}}");
	expect_permissions(SHELF, "{\"read\":[\"m\"],\"write\":[\"$A\"]}");
}

/* A writer by inheritance sees no permissions, and must not lose them. */
Test(model, a_json_patch_keeps_what_the_writer_cannot_see)
{
	struct clq_str body = clq_arena_printf(lb.arena, "{\"permissions\":"
	    "{\"write\":[\"%s\"]}}", stored_user(&lb, BOB));

	ask(201, "PUT", SHELF, body.p);
	ask(201, "PUT", SHELF "/books/b",
	    "{\"permissions\":{\"read\":[\"r\"]}}");
	stored_ask(&lb, 200, "PATCH", SHELF "/books/b", BOB
	    "Content-Type: application/json-patch+json\n",
	    "[{\"op\":\"add\",\"path\":\"/permissions/read/q\"}]");
	expect_permissions(SHELF "/books/b",
	    "{\"read\":[\"r\",\"q\"],\"write\":[\"$A\",\"$B\"]}");
}

Test(model, permissions_go_with_the_object)
{
	ask(201, "PUT", SHELF, "{\"permissions\":{\"read\":[\"r\"]}}");
	ask(200, "DELETE", SHELF, NULL);
	ask(201, "PUT", SHELF, NULL);
	expect_permissions(SHELF, "{\"write\":[\"$A\"]}");
	ask(200, "PATCH", SHELF, "{\"permissions\":{\"read\":[\"r\"]}}");
	ask(200, "DELETE", "/v1/shelves", NULL);
	ask(201, "PUT", SHELF, NULL);
	expect_permissions(SHELF, "{\"write\":[\"$A\"]}");
}

/* Run something in a transaction of its own. */
static struct clq_request *
begin(void)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->tx = clq_arena_alloc(lb.arena, sizeof *req->tx);
	clq_events_reset(req);
	clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Authorization"),
	    CLQ_STR("Basic YWxpY2U6YQ=="));
	cr_assert_eq(clq_tx_write(req), CLQ_OK);
	return req;
}

Test(model, nothing_of_an_earlier_object_comes_back)
{
	const struct clq_permission_ops *perm;
	struct clq_request *req = begin();
	void *self;

	perm = clq_permission(req, &self);
	cr_assert_eq(perm->add(self, CLQ_STR("/shelves/s"), CLQ_STR("read"),
	    CLQ_STR("ghost")), CLQ_OK);
	cr_assert_eq(clq_tx_finish(req, true), CLQ_OK);
	ask(201, "PUT", SHELF, NULL);
	expect_permissions(SHELF, "{\"write\":[\"$A\"]}");
}

Test(model_settings, without_explicit_permissions)
{
	start("explicit_permissions = false\n"
	    "shelf_read_principals = system.Authenticated\n"
	    "shelf_write_principals = system.Authenticated\n");
	stored_body(&lb, ask(201, "PUT", SHELF, NULL),
	    "{\"permissions\":{},\"data\":\"*\"}");
	ask(200, "PATCH", SHELF, "{\"data\":{}}");
	expect_permissions(SHELF, "{}");
}

/* ---- size ---------------------------------------------------------- */

/* A few bytes of JSON-patch copy many. */
Test(model_settings, a_patch_makes_nothing_larger_than_a_body)
{
	static const char twice[] = "[{\"op\":\"copy\",\"from\":\"/data/x\","
	    "\"path\":\"/data/y\"}]";
	char body[700];

	start("max_body_bytes = 1024\n");
	snprintf(body, sizeof body, "{\"data\":{\"x\":\"%0600d\"}}", 0);
	ask(201, "PUT", SHELF, body);
	cr_expect_eq(stored_ask(&lb, 413, "PATCH", SHELF, JSON,
	    twice)->error.errno_, 113);
	snprintf(body, sizeof body, "{\"data\":{\"y\":\"%0600d\"}}", 0);
	ask(413, "PATCH", SHELF, body);
	stored_ask(&lb, 413, "PATCH", SHELF, MERGE, body);
	stored_body(&lb, ask(200, "GET", SHELF, NULL), "{\"permissions\":"
	    "\"*\",\"data\":{\"x\":\"*\",\"id\":\"s\","
	    "\"last_modified\":\"*\"}}");
	ask(200, "PUT", SHELF, "{\"data\":{\"x\":1}}");
	stored_ask(&lb, 200, "PATCH", SHELF, JSON, twice);
}

/* ---- hooks and events ---------------------------------------------- */

static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	const cJSON *pages = clq_json_get(draft->data, "pages");
	size_t len = strlen(diary);

	cr_expect_not_null(draft->parent);
	cr_expect(clq_str_is(draft->parent->id, "s"));
	cr_expect_eq(draft->parent_modified, draft->parent->last_modified);
	cr_expect_null(clq_json_get(draft->data, "id"));
	snprintf(diary + len, sizeof diary - len, "process %s%s; ",
	    draft->old != NULL ? "update" : "create",
	    draft->patch ? " patch" : "");
	if (pages != NULL && pages->valuedouble == 13)
		return clq_invalid(req, "body", CLQ_STR("pages"), "Unlucky");
	clq_json_set(draft->data, "stamp", clq_json_new_int(1));
	return CLQ_OK;
}

static enum clq_status
stored(struct clq_request *req, const struct clq_change *change)
{
	(void)req;
	note("stored", change);
	return CLQ_OK;
}

static enum clq_status
changed(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)req;
	(void)ctx;
	for (size_t i = 0; i < e->nchanges; i++) {
		note(e->action == CLQ_ACTION_CREATE ? "create" :
		    e->action == CLQ_ACTION_UPDATE ? "update" : "delete",
		    &e->changes[i]);
		cr_expect_gt(e->changes[i].new_->last_modified, 0);
		if (e->changes[i].old != NULL)
			cr_expect_gt(e->changes[i].new_->last_modified,
			    e->changes[i].old->last_modified);
	}
	return CLQ_OK;
}

static enum clq_status
was_read(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	size_t len = strlen(diary);

	(void)req;
	(void)ctx;
	snprintf(diary + len, sizeof diary - len, "read %zu; ", e->nreads);
	return CLQ_OK;
}

static void
start_with_hooks(void)
{
	static const char *const books[] = { "book", NULL };
	unsigned changes = CLQ_BIT(CLQ_ACTION_CREATE) |
	    CLQ_BIT(CLQ_ACTION_UPDATE) | CLQ_BIT(CLQ_ACTION_DELETE);

	stored_book.process = process;
	stored_book.stored = stored;
	start("");
	ask(201, "PUT", SHELF, NULL);
	cr_assert_eq(clq_subscribe(lb.srv, CLQ_IN_TRANSACTION, changes, books,
	    changed, NULL), CLQ_OK);
	cr_assert_eq(clq_subscribe(lb.srv, CLQ_IN_TRANSACTION,
	    CLQ_BIT(CLQ_ACTION_READ), books, was_read, NULL), CLQ_OK);
}

static void
expect_diary(const char *text)
{
	cr_expect_str_eq(diary, text, "%s", diary);
	diary[0] = '\0';
}

#define BOOKS	SHELF "/books"
#define BOOK	BOOKS "/b"
#define URI	"/shelves/s/books/b"

Test(model_hooks, of_each_change)
{
	start_with_hooks();
	ask(201, "PUT", BOOK, "{\"data\":{\"pages\":1}}");
	expect_diary("process create; stored " URI
	    " ->{\"pages\":1,\"stamp\":1}; create " URI
	    " ->{\"pages\":1,\"stamp\":1}; ");
	ask(200, "PATCH", BOOK, "{\"data\":{\"pages\":2}}");
	expect_diary("process update patch; stored " URI
	    " {\"pages\":1,\"stamp\":1}->{\"pages\":2,\"stamp\":1}; update "
	    URI " {\"pages\":1,\"stamp\":1}->{\"pages\":2,\"stamp\":1}; ");
	ask(200, "PUT", BOOK, "{\"data\":{}}");
	expect_diary("process update; stored " URI
	    " {\"pages\":2,\"stamp\":1}->{\"stamp\":1}; update " URI
	    " {\"pages\":2,\"stamp\":1}->{\"stamp\":1}; ");
	ask(200, "DELETE", BOOK, NULL);
	expect_diary("stored " URI " {\"stamp\":1}->{} deleted; delete " URI
	    " {\"stamp\":1}->{} deleted; ");
	ask(201, "PUT", BOOK, NULL);
	diary[0] = '\0';
	ask(200, "DELETE", BOOKS, NULL);
	expect_diary("stored " URI " {\"stamp\":1}->{} deleted; delete " URI
	    " {\"stamp\":1}->{} deleted; ");
}

Test(model_hooks, reads)
{
	start_with_hooks();
	ask(201, "PUT", BOOK, NULL);
	ask(201, "PUT", BOOKS "/c", NULL);
	diary[0] = '\0';
	ask(200, "GET", BOOKS, NULL);
	expect_diary("read 2; ");
	ask(200, "HEAD", BOOKS, NULL);
	expect_diary("read 0; ");
	ask(200, "GET", BOOK, NULL);
	expect_diary("read 1; ");
	ask(200, "HEAD", BOOK, NULL);
	expect_diary("read 0; ");
	ask(200, "POST", BOOKS, "{\"data\":{\"id\":\"b\"}}");
	expect_diary("read 1; ");
	ask(200, "DELETE", BOOKS "?pages=77", NULL);
	expect_diary("read 0; ");
	ask(404, "GET", BOOKS "/zz", NULL);
	stored_ask(&lb, 412, "GET", BOOK, ALICE "If-Match: \"1\"\n", NULL);
	ask(400, "GET", BOOKS "?_limit=x", NULL);
	expect_diary("");
}

Test(model_hooks, a_refusal_stores_nothing)
{
	start_with_hooks();
	stored_body(&lb, ask(400, "PUT", BOOK, "{\"data\":{\"pages\":13}}"),
	    "{\"code\":400,\"errno\":107,\"error\":\"Invalid parameters\","
	    "\"message\":\"pages in body: Unlucky\",\"details\":\"*\"}");
	expect_diary("process create; ");
	ask(404, "GET", BOOK, NULL);
	ask(201, "PUT", BOOK, NULL);
	ask(400, "PATCH", BOOK, "{\"data\":{\"pages\":13}}");
	stored_body(&lb, ask(200, "GET", BOOK, NULL), "{\"permissions\":"
	    "\"*\",\"data\":{\"stamp\":1,\"id\":\"b\","
	    "\"last_modified\":\"*\"}}");
}

static enum clq_status
refuse(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)e;
	(void)ctx;
	return clq_fail(req, 121, "Not today");
}

Test(model_hooks, a_listener_that_fails_undoes_the_change)
{
	start_with_hooks();
	cr_assert_eq(clq_subscribe(lb.srv, CLQ_IN_TRANSACTION,
	    CLQ_BIT(CLQ_ACTION_CREATE), NULL, refuse, NULL), CLQ_OK);
	ask(403, "PUT", BOOK, NULL);
	ask(404, "GET", BOOK, NULL);
}

static enum clq_status
changing(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	cr_expect_eq(e->nchanges, 1);
	cr_expect_eq(e->timestamp, 0);
	note("changing", &e->changes[0]);
	if (ctx != NULL)
		return clq_fail(req, 507, "Full");
	return CLQ_OK;
}

Test(model_hooks, listeners_may_come_before_the_cascade)
{
	start_with_hooks();
	cr_assert_eq(clq_subscribe(lb.srv, CLQ_ON_CHANGE,
	    CLQ_BIT(CLQ_ACTION_DELETE), NULL, changing, NULL), CLQ_OK);
	ask(201, "PUT", BOOK, NULL);
	diary[0] = '\0';
	ask(200, "DELETE", BOOK, NULL);
	expect_diary("changing " URI " {\"stamp\":1}->{} deleted; stored " URI
	    " {\"stamp\":1}->{} deleted; delete " URI
	    " {\"stamp\":1}->{} deleted; ");
	ask(201, "PUT", BOOK, NULL);
	diary[0] = '\0';
	ask(200, "DELETE", BOOKS, NULL);
	expect_diary("changing " URI " {\"stamp\":1}->{} deleted; stored " URI
	    " {\"stamp\":1}->{} deleted; delete " URI
	    " {\"stamp\":1}->{} deleted; ");
}

Test(model_hooks, a_listener_that_refuses_a_change_undoes_it)
{
	static int full;

	start_with_hooks();
	cr_assert_eq(clq_subscribe(lb.srv, CLQ_ON_CHANGE,
	    CLQ_BIT(CLQ_ACTION_CREATE), NULL, changing, &full), CLQ_OK);
	cr_expect_neq(stored_ask(&lb, 500, "PUT", BOOK, ALICE,
	    NULL)->error.errno_, 0);
	ask(404, "GET", BOOK, NULL);
}

/* Write down the permissions after each change, and what has gone since. */
static enum clq_status
watch(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < e->nchanges; i++) {
		const struct clq_change *c = &e->changes[i];
		size_t len = strlen(diary);

		snprintf(diary + len, sizeof diary - len, "%.*s %zu%s; ",
		    CLQ_FMT(c->uri), c->acl != NULL ? c->acl->n : 99,
		    clq_deleted_since(req, c, CLQ_STR("/shelves/s")) ?
		    " gone" : "");
	}
	return CLQ_OK;
}

Test(model, listeners_see_permissions_and_later_deletions)
{
	static const char *const books[] = { "book", NULL };
	unsigned changes = CLQ_BIT(CLQ_ACTION_CREATE) |
	    CLQ_BIT(CLQ_ACTION_UPDATE) | CLQ_BIT(CLQ_ACTION_DELETE);

	cr_assert_eq(clq_subscribe(lb.srv, CLQ_IN_TRANSACTION, changes, books,
	    watch, NULL), CLQ_OK);
	ask(201, "PUT", SHELF, NULL);
	ask(201, "PUT", SHELF "/books/b", "{\"permissions\":"
	    "{\"read\":[\"r\"]}}");
	ask(200, "PATCH", SHELF "/books/b", "{\"permissions\":"
	    "{\"read\":[]}}");
	ask(200, "DELETE", SHELF "/books/b", NULL);
	cr_expect_str_eq(diary, "/shelves/s/books/b 2; /shelves/s/books/b 2; "
	    "/shelves/s/books/b 99; ");
	diary[0] = '\0';
	/* the shelf is undone in a failing sub-request, then really deleted */
	ask(200, "POST", "/v1/batch", "{\"requests\":["
	    "{\"method\":\"PUT\",\"path\":\"/shelves/s/books/b\"},"
	    "{\"method\":\"DELETE\",\"path\":\"/shelves/none\"},"
	    "{\"method\":\"DELETE\",\"path\":\"/shelves/s\"},"
	    "{\"method\":\"PUT\",\"path\":\"/shelves/s\"},"
	    "{\"method\":\"PUT\",\"path\":\"/shelves/s/books/c\"}]}");
	cr_expect_str_eq(diary, "/shelves/s/books/b 1 gone; "
	    "/shelves/s/books/c 1; ");
}

/* ---- objects that the server makes --------------------------------- */

Test(model, ensure_creates_once)
{
	struct clq_request *req = begin();
	cJSON *data = clq_json_own(lb.arena, cJSON_CreateObject());
	bool created = false;

	clq_json_set(data, "a", clq_json_new_int(1));
	cr_assert_eq(clq_object_ensure(req, "shelf", CLQ_STR(""),
	    CLQ_STR("s"), data, &created), CLQ_OK);
	cr_expect(created);
	cr_assert_eq(clq_object_ensure(req, "shelf", CLQ_STR(""),
	    CLQ_STR("s"), NULL, &created), CLQ_OK);
	cr_expect_not(created);
	cr_assert_eq(clq_object_ensure(req, "book", CLQ_STR("/shelves/s"),
	    CLQ_STR("b"), NULL, &created), CLQ_OK);
	cr_expect(created);
	cr_assert_eq(clq_tx_finish(req, true), CLQ_OK);
	stored_body(&lb, ask(200, "GET", SHELF, NULL), "{\"permissions\":"
	    "{\"write\":[\"$A\"]},\"data\":{\"a\":1,\"id\":\"s\","
	    "\"last_modified\":\"*\"}}");
	expect_permissions(SHELF "/books/b", "{\"write\":[\"$A\"]}");
}

Test(model, ensure_refuses)
{
	struct clq_request *req = begin();
	bool created;

	cr_expect_eq(clq_object_ensure(req, "nothing", CLQ_STR(""),
	    CLQ_STR("s"), NULL, &created), CLQ_FAILED);
	cr_expect_eq(clq_object_ensure(req, "shelf", CLQ_STR(""),
	    CLQ_STR("-s"), NULL, &created), CLQ_INVALID);
	cr_expect(clq_str_is(req->error.invalid[0].description,
	    "Invalid shelf id"));
	(void)clq_tx_finish(req, false);
	req = begin();
	cr_expect_eq(clq_object_ensure(req, "book", CLQ_STR("/shelves/no"),
	    CLQ_STR("b"), NULL, &created), CLQ_INVALID);
	cr_expect_eq(req->error.errno_, 111);
	(void)clq_tx_finish(req, false);
	req = begin();
	cr_expect_eq(clq_object_ensure(req, "thing", CLQ_STR(""),
	    CLQ_STR("x"), clq_json_own(lb.arena, cJSON_CreateObject()),
	    &created), CLQ_INVALID);
	(void)clq_tx_finish(req, false);
}

Test(model, remove_deletes_what_is_there)
{
	struct clq_request *req;
	bool removed = false;

	ask(201, "PUT", SHELF, NULL);
	req = begin();
	cr_assert_eq(clq_object_remove(req, CLQ_STR("/shelves/s"), &removed),
	    CLQ_OK);
	cr_expect(removed);
	cr_assert_eq(clq_object_remove(req, CLQ_STR("/shelves/s"), &removed),
	    CLQ_OK);
	cr_expect_not(removed);
	removed = true;
	cr_assert_eq(clq_object_remove(req, CLQ_STR("/nothing/s"), &removed),
	    CLQ_OK);
	cr_expect_not(removed);
	cr_assert_eq(clq_tx_finish(req, true), CLQ_OK);
	ask(403, "GET", SHELF, NULL);
	ask(201, "PUT", SHELF, NULL);
	expect_permissions(SHELF, "{\"write\":[\"$A\"]}");
}

Test(model, shows_objects_as_clients_see_them)
{
	struct clq_object obj = { .id = CLQ_STR("x"), .last_modified = 5,
		.data = CLQ_STR("{\"a\":1}") };
	cJSON *tree = NULL;

	cr_expect(clq_str_is(clq_object_text(lb.arena, &obj),
	    "{\"a\":1,\"id\":\"x\",\"last_modified\":5}"));
	cr_assert_eq(clq_object_tree(lb.arena, &obj, &tree), CLQ_OK);
	cr_expect(clq_str_is(clq_json_text(lb.arena, tree),
	    "{\"a\":1,\"id\":\"x\",\"last_modified\":5}"));
	obj.deleted = true;
	cr_expect(clq_str_is(clq_object_text(lb.arena, &obj),
	    "{\"id\":\"x\",\"last_modified\":5,\"deleted\":true}"));
}
