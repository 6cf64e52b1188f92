/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: ACEs, settings, shared lists, what is shown of permissions
 * (sections 03-2.1, 06-3 to 06-6).
 */
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "core/dispatch.h"
#include "core/tx.h"
#include "stored_fixture.h"


TestSuite(authz, .init = setup, .fini = teardown);
TestSuite(authz_settings, .fini = teardown);

static struct clq_request *
ask(const char *who, int status, const char *method, const char *url,
    const char *body)
{
	return stored_ask(&lb, status, method, url, who, body);
}

/* A body that gives bob a permission. */
static const char *
for_bob(const char *permission)
{
	return clq_arena_printf(lb.arena, "{\"permissions\":{\"%s\":[\"%s\"]}}",
	    permission, stored_user(&lb, BOB)).p;
}

#define SHELF	"/v1/shelves/s"
#define BOOKS	"/v1/shelves/s/books"
#define BOOK	"/v1/shelves/s/books/b"

/* What bob gets with a permission on the shelf; alice owns all. */
Test(authz, permissions_on_the_parent)
{
	static const struct {
		const char	*permission;	/* on the shelf */
		int		 list, post, get, put, put_new, patch, erase,
				 patch_none, get_none, erase_all;
	} cases[] = {
		{ NULL,		 403, 403, 403, 403, 403, 403, 403, 403, 403,
		  403 },
		{ "read",	 200, 403, 200, 403, 403, 403, 403, 404, 404,
		  403 },
		{ "book:create", 200, 201, 403, 403, 201, 403, 403, 403, 403,
		  200 },
		{ "write",	 200, 403, 200, 200, 403, 200, 200, 403, 404,
		  200 },
	};

	for (size_t i = 0; i < CLQ_COUNT(cases); i++) {
		bool write = cases[i].permission != NULL &&
		    strcmp(cases[i].permission, "write") == 0;

		ask(ALICE, 201, "PUT", SHELF, cases[i].permission != NULL ?
		    for_bob(cases[i].permission) : NULL);
		ask(ALICE, 201, "PUT", BOOK, "{\"data\":{\"pages\":1}}");
		ask(BOB, cases[i].list, "GET", BOOKS, NULL);
		ask(BOB, cases[i].list, "HEAD", BOOKS, NULL);
		ask(BOB, cases[i].get, "GET", BOOK, NULL);
		ask(BOB, write ? 200 : cases[i].put, "PUT", BOOK, NULL);
		ask(BOB, write ? 201 : cases[i].post, "POST", BOOKS, NULL);
		ask(BOB, write ? 201 : cases[i].put_new, "PUT", BOOKS "/n",
		    NULL);
		ask(BOB, cases[i].patch, "PATCH", BOOK, "{\"data\":{}}");
		ask(BOB, write ? 404 : cases[i].patch_none, "PATCH",
		    BOOKS "/zz", "{\"data\":{}}");
		ask(BOB, cases[i].get_none, "GET", BOOKS "/zz", NULL);
		ask(BOB, cases[i].erase, "DELETE", BOOK, NULL);
		ask(BOB, cases[i].erase_all, "DELETE", BOOKS, NULL);
		ask(NOBODY, 401, "GET", BOOK, NULL);
		ask(ALICE, 200, "DELETE", BOOKS, NULL);
		ask(ALICE, 200, "DELETE", SHELF, NULL);
	}
}

Test(authz, permissions_on_the_object)
{
	ask(ALICE, 201, "PUT", SHELF, NULL);
	ask(ALICE, 201, "PUT", BOOK, for_bob("read"));
	ask(BOB, 200, "GET", BOOK, NULL);
	ask(BOB, 403, "PUT", BOOK, NULL);
	ask(BOB, 403, "DELETE", BOOK, NULL);
	ask(BOB, 200, "POST", BOOKS, "{\"data\":{\"id\":\"b\"}}");
	ask(BOB, 403, "POST", BOOKS, "{\"data\":{\"id\":\"c\"}}");
	ask(ALICE, 200, "PUT", BOOK, for_bob("write"));
	ask(BOB, 200, "GET", BOOK, NULL);
	ask(BOB, 200, "PATCH", BOOK, "{\"data\":{\"a\":1}}");
	ask(BOB, 200, "DELETE", BOOK, NULL);
}

Test(authz, everyone_and_authenticated)
{
	ask(ALICE, 201, "PUT", SHELF,
	    "{\"permissions\":{\"read\":[\"system.Everyone\"],"
	    "\"book:create\":[\"system.Authenticated\"]}}");
	ask(NOBODY, 200, "GET", BOOKS, NULL);
	ask(NOBODY, 401, "POST", BOOKS, NULL);
	ask(BOB, 201, "POST", BOOKS, NULL);
	/* an anonymous creator is everybody */
	ask(ALICE, 200, "PUT", SHELF, "{\"permissions\":"
	    "{\"book:create\":[\"system.Everyone\"]}}");
	stored_body(&lb, ask(NOBODY, 201, "PUT", BOOK, NULL),
	    "{\"permissions\":{\"write\":[\"system.Everyone\"]},"
	    "\"data\":\"*\"}");
}

Test(authz, a_401_asks_for_credentials)
{
	struct clq_request *req = ask(NOBODY, 401, "GET", "/v1/shelves/s",
	    NULL);

	cr_expect_not_null(loopback_header(req, "WWW-Authenticate"));
	stored_body(&lb, req, "{\"code\":401,\"errno\":104,\"error\":"
	    "\"Unauthorized\",\"message\":\"Please authenticate yourself to "
	    "use this endpoint.\"}");
	stored_body(&lb, ask(BOB, 403, "GET", "/v1/shelves/s", NULL),
	    "{\"code\":403,\"errno\":121,\"error\":\"Forbidden\",\"message\":"
	    "\"This user cannot access this resource.\"}");
}

Test(authz, authorization_comes_before_validation)
{
	ask(ALICE, 201, "PUT", SHELF, NULL);
	ask(ALICE, 201, "PUT", BOOK, NULL);
	stored_ask(&lb, 401, "PUT", BOOK, "If-Match: bad\n", "{");
	stored_ask(&lb, 403, "PUT", BOOK, BOB "If-Match: bad\n", "{");
	stored_ask(&lb, 401, "GET", BOOKS "?_limit=x", NOBODY, NULL);
	/* but a malformed id of the body comes before */
	stored_ask(&lb, 400, "POST", BOOKS, NOBODY,
	    "{\"data\":{\"id\":\"-\"}}");
}

/* PUT with If-None-Match: * needs the right to create, and only that. */
Test(authz, safe_creation)
{
	struct clq_str safe = clq_arena_printf(lb.arena,
	    "%sIf-None-Match: *\n", BOB);
	struct clq_request *req;

	ask(ALICE, 201, "PUT", SHELF, for_bob("book:create"));
	ask(ALICE, 201, "PUT", BOOK, "{\"data\":{\"secret\":1}}");
	req = stored_ask(&lb, 412, "PUT", BOOK, safe.p, NULL);
	stored_body(&lb, req, "{\"code\":412,\"errno\":114,\"error\":"
	    "\"Precondition Failed\",\"message\":\"*\"}");
	stored_ask(&lb, 201, "PUT", BOOKS "/mine", safe.p, NULL);
	req = stored_ask(&lb, 412, "PUT", BOOKS "/mine", safe.p, NULL);
	cr_expect_not_null(strstr(loopback_body(req), "existing"));
	/* write on the object does not stand in for it */
	ask(ALICE, 200, "PUT", SHELF, "{\"permissions\":{\"read\":[\"x\"]}}");
	ask(ALICE, 200, "PUT", BOOK, for_bob("write"));
	stored_ask(&lb, 403, "PUT", BOOK, safe.p, NULL);
}

Test(authz, shared_lists)
{
	struct clq_request *req;
	clq_msec t;

	stored_body(&lb, ask(BOB, 200, "GET", "/v1/shelves", NULL),
	    "{\"data\":[]}");
	ask(ALICE, 201, "PUT", "/v1/shelves/r", for_bob("read"));
	ask(ALICE, 201, "PUT", "/v1/shelves/w", for_bob("write"));
	ask(ALICE, 201, "PUT", "/v1/shelves/c", for_bob("book:create"));
	t = stored_etag(ask(ALICE, 201, "PUT", "/v1/shelves/no", NULL));
	req = ask(BOB, 200, "GET", "/v1/shelves?_sort=id&_fields=x", NULL);
	stored_body(&lb, req, "{\"data\":[{\"id\":\"c\",\"last_modified\":"
	    "\"*\"},{\"id\":\"r\",\"last_modified\":\"*\"},"
	    "{\"id\":\"w\",\"last_modified\":\"*\"}]}");
	cr_expect_eq(stored_etag(req), t, "the timestamp of the whole list");
	cr_expect_str_eq(loopback_header(ask(BOB, 200, "HEAD", "/v1/shelves",
	    NULL), "Total-Objects"), "3");
	stored_body(&lb, ask(BOB, 200, "GET", "/v1/shelves?in_id=r,no&"
	    "_fields=x", NULL),
	    "{\"data\":[{\"id\":\"r\",\"last_modified\":\"*\"}]}");
	/* being allowed to read a child lists nothing */
	ask(ALICE, 201, "PUT", "/v1/shelves/no/books/b", for_bob("read"));
	cr_expect_str_eq(loopback_header(ask(BOB, 200, "HEAD", "/v1/shelves",
	    NULL), "Total-Objects"), "3");
	/* only what may be written is deleted */
	stored_body(&lb, ask(BOB, 200, "DELETE", "/v1/shelves", NULL),
	    "{\"data\":[{\"id\":\"w\",\"last_modified\":\"*\","
	    "\"deleted\":true}]}");
	/* and its tombstone is nobody's business any more */
	stored_body(&lb, ask(BOB, 200, "GET", "/v1/shelves?_since=0&"
	    "deleted=true", NULL), "{\"data\":[]}");
	ask(NOBODY, 401, "GET", "/v1/shelves", NULL);
	stored_body(&lb, ask(BOB, 200, "GET", "/v1/shelves/no/books", NULL),
	    "{\"data\":[{\"id\":\"b\",\"last_modified\":\"*\"}]}");
	ask(ALICE, 201, "PUT", "/v1/shelves/none", NULL);
	ask(BOB, 403, "GET", "/v1/shelves/none/books", NULL);
}

/* By system principals: an ini cannot name users of basicauth beforehand. */
Test(authz_settings, grant_without_aces)
{
	start("shelf_read_principals = system.Authenticated\n"
	    "book_create_principals = system.Authenticated\n"
	    "book_write_principals = system.Everyone\n");
	ask(ALICE, 201, "PUT", SHELF, NULL);
	ask(ALICE, 201, "PUT", BOOK, NULL);
	stored_body(&lb, ask(BOB, 200, "GET", SHELF, NULL),
	    "{\"permissions\":{},\"data\":\"*\"}");
	ask(BOB, 403, "PUT", SHELF, NULL);
	ask(BOB, 201, "PUT", BOOKS "/c", NULL);
	ask(NOBODY, 200, "PATCH", BOOK, "{\"data\":{\"a\":1}}");
	ask(NOBODY, 200, "GET", BOOKS, NULL);
	ask(NOBODY, 200, "DELETE", BOOKS, NULL);
	ask(NOBODY, 401, "GET", SHELF, NULL);
}

Test(authz_settings, only_its_own_kind)
{
	start("shelf_write_principals = system.Authenticated\n");
	ask(ALICE, 201, "PUT", SHELF, NULL);
	ask(ALICE, 201, "PUT", BOOK, NULL);
	ask(BOB, 200, "PATCH", SHELF, "{\"data\":{}}");
	ask(ALICE, 200, "PUT", SHELF, "{\"permissions\":{\"read\":[]}}");
	ask(BOB, 403, "GET", BOOK, NULL);
}

/* Read by inheritance shows no permissions; one's own write does. */
Test(authz, permissions_shown)
{
	ask(ALICE, 201, "PUT", SHELF, for_bob("write"));
	stored_body(&lb, ask(ALICE, 201, "PUT", BOOK, NULL),
	    "{\"permissions\":{\"write\":[\"$A\"]},\"data\":\"*\"}");
	stored_body(&lb, ask(BOB, 200, "GET", BOOK, NULL),
	    "{\"permissions\":{},\"data\":\"*\"}");
	stored_body(&lb, ask(BOB, 200, "PATCH", BOOK, "{\"data\":{}}"),
	    "{\"permissions\":{\"write\":[\"$A\",\"$B\"]},\"data\":\"*\"}");
	stored_body(&lb, ask(BOB, 200, "GET", BOOK, NULL),
	    "{\"permissions\":{\"write\":[\"$A\",\"$B\"]},\"data\":\"*\"}");
}

Test(authz, groups_count)
{
	struct clq_str bob = clq_str_of(stored_user(&lb, BOB));
	const struct clq_permission_ops *perm;
	struct clq_request *req;
	void *self;

	ask(ALICE, 201, "PUT", SHELF,
	    "{\"permissions\":{\"write\":[\"/groups/g\"]}}");
	ask(BOB, 403, "PATCH", SHELF, "{\"data\":{}}");
	req = clq_request_new(lb.srv, lb.arena);
	req->tx = clq_arena_alloc(lb.arena, sizeof *req->tx);
	cr_assert_eq(clq_tx_write(req), CLQ_OK);
	perm = clq_permission(req, &self);
	cr_assert_eq(perm->add_member(self, bob, CLQ_STR("/groups/g")),
	    CLQ_OK);
	cr_assert_eq(clq_tx_finish(req, true), CLQ_OK);
	stored_body(&lb, ask(BOB, 200, "GET", SHELF, NULL),
	    "{\"permissions\":{\"write\":[\"$A\",\"/groups/g\"]},"
	    "\"data\":\"*\"}");
	cr_expect_str_eq(loopback_header(ask(BOB, 200, "HEAD", "/v1/shelves",
	    NULL), "Total-Objects"), "1");
	ask(BOB, 200, "PATCH", SHELF, "{\"data\":{}}");
}

/* ---- a resource that says where its list is ----------------------------- */

static enum clq_status
scope_by_header(struct clq_request *req, struct clq_scope *scope)
{
	struct clq_str list = clq_request_header(req, "X-List");

	cr_expect_eq(req->tx->open, false, "before the transaction");
	if (clq_str_is(list, "closed"))
		return clq_fail(req, 121, "Not today");
	if (clq_str_is(list, "all"))
		scope->parent = CLQ_STR(CLQ_ANY_PARENT);
	else if (list.p != NULL)
		scope->parent = list;
	if (scope->id.p != NULL)
		scope->owner = CLQ_STR("team:x");
	return CLQ_OK;
}

#define THING	"/v1/things/5f1b0b7c-6f3d-4c55-9d0e-0c8c9d5a7a0"
#define NAMED	"{\"data\":{\"name\":\"n\"}}"
#define IN(list) ALICE "X-List: " list "\n"

Test(authz, scope_places_lists_and_names_owners)
{
	struct clq_request *req;

	stored_thing.scope = scope_by_header;
	stored_body(&lb, ask(IN("one"), 201, "PUT", THING "1", NAMED),
	    "{\"permissions\":{\"write\":[\"team:x\"]},\"data\":\"*\"}");
	ask(IN("two"), 201, "PUT", THING "2", NAMED);
	ask(IN("one"), 200, "GET", THING "1", NULL);
	ask(IN("two"), 404, "GET", THING "1", NULL);
	ask(ALICE, 404, "GET", THING "1", NULL);
	ask(IN("closed"), 403, "GET", THING "1", NULL);
	ask(IN("closed"), 403, "PUT", THING "3", NAMED);
	ask(IN("closed"), 403, "GET", "/v1/things", NULL);
	cr_expect_str_eq(loopback_header(ask(IN("one"), 200, "HEAD",
	    "/v1/things", NULL), "Total-Objects"), "1");
	req = ask(IN("all"), 200, "HEAD", "/v1/things", NULL);
	cr_expect_str_eq(loopback_header(req, "Total-Objects"), "2");
	cr_expect_eq(stored_etag(req), stored_etag(ask(IN("two"), 200, "HEAD",
	    "/v1/things", NULL)), "the latest of all");
	stored_thing.scope = NULL;
}

/* The operator needs no permission; nobody can claim to be him. */
Test(authz, trusted_requests_may_everything)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->method = CLQ_METHOD_PUT;
	req->method_name = CLQ_STR("PUT");
	req->raw_path = CLQ_STR("/v1/shelves/t");
	req->raw_query = CLQ_STR("");
	req->scheme = CLQ_STR("http");
	req->host = CLQ_STR("localhost");
	req->body = CLQ_STR("{}");
	clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Content-Type"),
	    CLQ_STR("application/json"));
	req->trusted = true;
	clq_dispatch(req);
	cr_expect_eq(req->response.status, 201);
	ask(NOBODY "Trusted: true\nX-Trusted: 1\n", 401, "PUT",
	    "/v1/shelves/u", NULL);
}
