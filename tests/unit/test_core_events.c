/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering, merging and firing events: section 07-11. */
#include <cliquet/str.h>

#include "core/events.h"
#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>

static const struct clq_resource bucket = { .size = sizeof bucket,
	.name = "bucket" };
static const struct clq_resource record = { .size = sizeof record,
	.name = "record" };

static struct loopback lb;
static struct fake_backend fake;
static char said[4096];

static void
setup(void)
{
	memset(&fake, 0, sizeof fake);
	fake.timestamp = 100;
	said[0] = '\0';
	lb = loopback_new("project_version = 1.0\n");
	loopback_fake(&lb, &fake);
}

static void
teardown(void)
{
	cr_expect_eq(fake.open, 0);
	loopback_free(&lb);
}

TestSuite(events, .init = setup, .fini = teardown);

#define ALL (CLQ_BIT(CLQ_ACTION_CREATE) | CLQ_BIT(CLQ_ACTION_UPDATE) | \
	CLQ_BIT(CLQ_ACTION_DELETE) | CLQ_BIT(CLQ_ACTION_READ))

/* Write down what a subscriber is told. */
static enum clq_status
hear(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	static const char *const actions[] = { "create", "update", "delete",
		"read" };
	size_t n = strlen(said);

	(void)req;
	n += (size_t)snprintf(said + n, sizeof said - n,
	    "%s %s %s parent=%.*s uri=%.*s user=%.*s ts=%lld:",
	    (const char *)ctx, e->resource->name, actions[e->action],
	    CLQ_FMT(e->coll.parent), CLQ_FMT(e->uri), CLQ_FMT(e->user),
	    (long long)e->timestamp);
	for (size_t i = 0; i < e->nchanges; i++)
		n += (size_t)snprintf(said + n, sizeof said - n,
		    " %.*s@%lld%s", CLQ_FMT(e->changes[i].new_->id),
		    (long long)e->changes[i].new_->last_modified,
		    e->changes[i].old != NULL ? "(old)" : "");
	for (size_t i = 0; i < e->nreads; i++)
		n += (size_t)snprintf(said + n, sizeof said - n, " %.*s",
		    CLQ_FMT(e->reads[i].id));
	snprintf(said + n, sizeof said - n, "\n");
	return CLQ_OK;
}

static void
subscribe(enum clq_phase phase, unsigned actions,
    const char *const *resources, clq_subscriber_f *fn, const char *name)
{
	static char names[8][16];
	static size_t n;

	snprintf(names[n], sizeof names[n], "%s", name);
	cr_assert_eq(clq_subscribe(lb.srv, phase, actions, resources, fn,
	    names[n++ % 8]), CLQ_OK);
}

/* What the resource engine does for a change: queue the write, tell. */
static void
change(struct clq_request *req, const struct clq_resource *resource,
    enum clq_action action, const char *parent, const char *id)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_write *w = clq_arena_alloc(arena, sizeof *w);
	struct clq_object *old = NULL, now = { .id = clq_str_of(id) };
	struct clq_change c = { .resource = resource, .action = action,
		.coll = { clq_str_of(resource->name), clq_str_of(parent) },
		.uri = clq_str_of(id), .new_ = &now };
	const struct clq_storage_ops *ops;
	void *self;

	if (action != CLQ_ACTION_CREATE) {
		old = clq_arena_alloc(arena, sizeof *old);
		c.old = old;
	}
	cr_assert_eq(clq_tx_write(req), CLQ_OK);
	ops = clq_storage(req, &self);
	cr_assert_eq(ops->write(self, w, 1), CLQ_OK);
	clq_event_change(req, &c, w);
	memset(&now, 0xff, sizeof now);		/* was copied */
	memset(&c, 0xff, sizeof c);
}

static enum clq_status
changes(struct clq_request *req, void *ctx)
{
	static const struct clq_object reads[] = {
		{ .id = { "r1", 2 } }, { .id = { "r2", 2 } } };
	struct clq_coll coll = { CLQ_STR("record"), CLQ_STR("/b/1") };

	change(req, &record, CLQ_ACTION_CREATE, "/b/1", "a");
	change(req, &record, CLQ_ACTION_CREATE, "/b/2", "b");
	change(req, &bucket, CLQ_ACTION_UPDATE, "", "c");
	change(req, &record, CLQ_ACTION_CREATE, "/b/1", "d");
	change(req, &record, CLQ_ACTION_DELETE, "/b/1", "a");
	clq_event_read(req, &record, &coll, reads, 2);
	clq_event_read(req, &record, &coll, NULL, 0);
	if (ctx != NULL)
		return clq_fail(req, *(const int *)ctx, NULL);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(events, are_merged_by_resource_parent_and_action)
{
	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, hear, "in");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(said,
	    "in record create parent=/b/1 uri=/do user= ts=104: a@101 d@104\n"
	    "in record create parent=/b/2 uri=/do user= ts=102: b@102\n"
	    "in bucket update parent= uri=/do user= ts=103: c@103(old)\n"
	    "in record delete parent=/b/1 uri=/do user= ts=105: a@105(old)\n"
	    "in record read parent=/b/1 uri=/do user= ts=105: r1 r2\n");
	cr_expect(clq_str_ends(clq_str_of(fake.log), "write sync commit"));
}

Test(events, subscribers_choose_actions_and_resources)
{
	static const char *const only[] = { "bucket", "other", NULL };

	subscribe(CLQ_IN_TRANSACTION, ALL, only, hear, "bucket");
	subscribe(CLQ_AFTER_COMMIT, CLQ_BIT(CLQ_ACTION_DELETE), NULL, hear,
	    "deleted");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	cr_expect(clq_event_wanted(lb.srv, &bucket, CLQ_ACTION_READ));
	cr_expect(clq_event_wanted(lb.srv, &record, CLQ_ACTION_DELETE));
	cr_expect_not(clq_event_wanted(lb.srv, &record, CLQ_ACTION_READ));
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(said,
	    "bucket bucket update parent= uri=/do user= ts=103: c@103(old)\n"
	    "deleted record delete parent=/b/1 uri=/do user= ts=105: "
	    "a@105(old)\n");
}

Test(events, nothing_is_gathered_that_nobody_wants)
{
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect(clq_str_ends(clq_str_of(fake.log), "write commit"),
	    "no sync: %s", fake.log);
}

Test(events, failed_requests_raise_none)
{
	static int nope = 121;

	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, hear, "in");
	subscribe(CLQ_AFTER_COMMIT, ALL, NULL, hear, "after");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, &nope);
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(said, "");
}

static enum clq_status
objects(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)e;
	(void)ctx;
	return clq_fail(req, 121, "not like this");
}

static enum clq_status
silent(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)req;
	(void)e;
	(void)ctx;
	return CLQ_FAILED;
}

Test(events, a_listener_before_the_commit_may_refuse)
{
	struct clq_request *req;

	subscribe(CLQ_IN_TRANSACTION, CLQ_BIT(CLQ_ACTION_UPDATE), NULL,
	    objects, "no");
	subscribe(CLQ_AFTER_COMMIT, ALL, NULL, hear, "after");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	req = loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(loopback_body(req), "{\"code\":403,\"errno\":121,"
	    "\"error\":\"Forbidden\",\"message\":\"not like this\"}");
	cr_expect(clq_str_ends(clq_str_of(fake.log), "sync abort"));
	cr_expect_str_eq(said, "");
}

Test(events, a_listener_that_fails_without_reason_is_an_error)
{
	struct clq_request *req;

	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, silent, "no");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	req = loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_eq(req->response.status, 500);
}

Test(events, failures_after_the_commit_change_nothing)
{
	struct clq_request *req;

	subscribe(CLQ_AFTER_COMMIT, ALL, NULL, objects, "no");
	subscribe(CLQ_AFTER_COMMIT, CLQ_BIT(CLQ_ACTION_UPDATE), NULL, hear,
	    "after");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	req = loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(loopback_body(req), "{}");
	cr_expect(clq_str_starts(clq_str_of(said), "after bucket update"));
}

/* Raises an event of its own for the first ones it hears. */
static enum clq_status
cascades(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	static int left = 2;

	(void)ctx;
	(void)e;
	if (left > 0) {
		left--;
		change(req, &record, CLQ_ACTION_CREATE, "/b/1", "more");
	}
	return CLQ_OK;
}

Test(events, what_listeners_raise_is_another_level)
{
	static const char *const records[] = { "record", NULL };

	subscribe(CLQ_IN_TRANSACTION, CLQ_BIT(CLQ_ACTION_CREATE), records,
	    cascades, "cascade");
	subscribe(CLQ_IN_TRANSACTION, CLQ_BIT(CLQ_ACTION_CREATE), records,
	    hear, "in");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(said,
	    "in record create parent=/b/1 uri=/do user= ts=104: a@101 d@104\n"
	    "in record create parent=/b/2 uri=/do user= ts=102: b@102\n"
	    "in record create parent=/b/1 uri=/do user= ts=107: more@106 "
	    "more@107\n");
}

static enum clq_status
endless(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	(void)ctx;
	(void)e;
	change(req, &record, CLQ_ACTION_CREATE, "/b/1", "more");
	return CLQ_OK;
}

Test(events, circles_end)
{
	struct clq_request *req;

	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, endless, "endless");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	req = loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_eq(req->response.status, 500);
}

Test(events, a_batch_fires_once_without_what_was_undone)
{
	static int nope = 121;

	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, hear, "in");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", changes, NULL);
	loopback_view(&lb, CLQ_METHOD_POST, "/fail", changes, &nope);
	(void)loopback_send(&lb, "POST", "/v1/batch", NULL,
	    "{\"defaults\":{\"method\":\"POST\"},\"requests\":["
	    "{\"path\":\"/do\"},{\"path\":\"/fail\"},{\"path\":\"/do\"}]}");
	cr_expect(clq_str_starts(clq_str_of(said),
	    "in record create parent=/b/1 uri=/do user= ts=114: "
	    "a@101 d@104 a@111 d@114\n"), "%s", said);
}

/* ---- at the moment of a change ----------------------------------------- */

static enum clq_status
at_once(struct clq_request *req, void *ctx)
{
	struct clq_object now = { .id = CLQ_STR("a") };
	struct clq_change c = { .resource = &record,
		.action = CLQ_ACTION_CREATE,
		.coll = { CLQ_STR("record"), CLQ_STR("/b/1") },
		.uri = CLQ_STR("a"), .new_ = &now };
	enum clq_status rc;

	(void)ctx;
	if ((rc = clq_event_at_once(req, &c)) != CLQ_OK)
		return rc;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(events, of_a_change_come_at_once)
{
	static const char *const buckets[] = { "bucket", NULL };

	loopback_view(&lb, CLQ_METHOD_POST, "/do", at_once, NULL);
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	subscribe(CLQ_ON_CHANGE, ALL, NULL, hear, "now");
	subscribe(CLQ_ON_CHANGE, ALL, buckets, hear, "bucket");
	subscribe(CLQ_ON_CHANGE, CLQ_BIT(CLQ_ACTION_DELETE), NULL, hear,
	    "gone");
	subscribe(CLQ_IN_TRANSACTION, ALL, NULL, hear, "later");
	(void)loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_str_eq(said, "now record create parent=/b/1 uri=/do user= "
	    "ts=0: a@0\n");
}

Test(events, at_once_may_refuse)
{
	struct clq_request *req;

	subscribe(CLQ_ON_CHANGE, ALL, NULL, objects, "no");
	subscribe(CLQ_ON_CHANGE, ALL, NULL, hear, "now");
	loopback_view(&lb, CLQ_METHOD_POST, "/do", at_once, NULL);
	req = loopback_send(&lb, "POST", "/v1/do", NULL, NULL);
	cr_expect_eq(req->response.status, 403);
	cr_expect_str_eq(said, "");
}

Test(events, nobody_gathers_for_those_at_once)
{
	subscribe(CLQ_ON_CHANGE, ALL, NULL, hear, "now");
	cr_expect(!clq_event_wanted(lb.srv, &record, CLQ_ACTION_CREATE));
}
