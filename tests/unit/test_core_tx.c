/* SPDX-License-Identifier: Apache-2.0 */
/* What core does with the transaction of one or two backends. */
#include <cliquet/str.h>

#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;
static struct fake_backend fake, other;

static void
setup(void)
{
	memset(&fake, 0, sizeof fake);
	memset(&other, 0, sizeof other);
	lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n"
	    "slow_request_ms = 0\n");
	loopback_fake(&lb, &fake);
}

static void
teardown(void)
{
	cr_expect_eq(fake.open, 0, "every begin has its finish");
	cr_expect_eq(other.open, 0);
	loopback_free(&lb);
}

TestSuite(tx, .init = setup, .fini = teardown);

static struct clq_request *
request(void)
{
	struct clq_request *req = clq_request_new(lb.srv, lb.arena);

	req->tx = clq_arena_alloc(lb.arena, sizeof *req->tx);
	return req;
}

static const char *
diary(struct fake_backend *f)
{
	static char log[sizeof f->log];

	memcpy(log, f->log, sizeof log);
	f->log[0] = '\0';
	return log;
}

Test(tx, one_instance_is_one_transaction)
{
	struct clq_request *req = request();

	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK, "nothing to finish");
	cr_expect_str_eq(diary(&fake), "begin(read) commit");
}

Test(tx, reading_becomes_writing_by_starting_anew)
{
	struct clq_request *req = request();

	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(clq_tx_write(req), CLQ_OK);
	cr_expect_eq(clq_tx_write(req), CLQ_OK);
	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(req->tx->mode, CLQ_TX_WRITE);
	cr_expect_eq(clq_tx_finish(req, false), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "begin(read) abort begin(write) "
	    "abort");
}

Test(tx, failures_are_reported_and_leave_nothing_open)
{
	struct clq_request *req = request();

	fake.begin = CLQ_UNAVAILABLE;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_UNAVAILABLE);
	cr_expect_not(req->tx->open);
	fake.begin = CLQ_OK;
	fake.commit = CLQ_RETRY;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_RETRY);
	cr_expect_not(req->tx->open);
}

static void
two_backends(void)
{
	lb.srv->permission.self = &other;
}

Test(tx, two_instances_commit_storage_first)
{
	struct clq_request *req = request();

	two_backends();
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	fake.commit = CLQ_UNAVAILABLE;
	cr_expect_eq(clq_tx_finish(req, true), CLQ_UNAVAILABLE);
	cr_expect_str_eq(diary(&fake), "begin(write) commit");
	cr_expect_str_eq(diary(&other), "begin(write) abort",
	    "no permissions without objects");
	fake.commit = CLQ_OK;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
	cr_expect_str_eq(diary(&other), "begin(write) commit");
}

static void
ended(struct clq_request *req, enum clq_tx_end end, void *ctx)
{
	(void)req;
	*(enum clq_tx_end *)ctx = end;
}

Test(tx, objects_without_their_permissions_are_not_undone)
{
	struct clq_request *req = request();
	enum clq_tx_end end = CLQ_TX_COMMITTED;

	two_backends();
	other.commit = CLQ_RETRY;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	clq_tx_then(req, ended, &end);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_RETRY);
	cr_expect_eq(end, CLQ_TX_UNKNOWN);
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	clq_tx_then(req, ended, &end);
	fake.commit = CLQ_RETRY;
	cr_expect_eq(clq_tx_finish(req, true), CLQ_RETRY);
	cr_expect_eq(end, CLQ_TX_UNDONE, "neither is there");
}

Test(tx, a_second_backend_that_is_down_closes_the_first)
{
	struct clq_request *req = request();

	two_backends();
	other.begin = CLQ_UNAVAILABLE;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_UNAVAILABLE);
	cr_expect_str_eq(diary(&fake), "begin(read) abort");
}

Test(tx, savepoints_are_set_before_a_sub_request_writes)
{
	struct clq_request *req = request();

	req->tx->always_write = true;
	req->tx->mark_wanted = true;
	cr_expect_eq(clq_tx_open(req, CLQ_TX_READ), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "begin(write)", "reading needs none");
	cr_expect_eq(clq_tx_write(req), CLQ_OK);
	cr_expect_eq(clq_tx_write(req), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "mark", "once");
	cr_expect_eq(clq_tx_undo(req), CLQ_OK);
	cr_expect_eq(clq_tx_release(req), CLQ_OK);
	cr_expect_eq(clq_tx_release(req), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "undo release");
	cr_expect_eq(clq_tx_undo(req), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "", "nothing is marked");
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
}

Test(tx, one_lookup_answers_all_on_one_instance)
{
	struct clq_str group = CLQ_STR("/buckets/b/groups/g");
	struct clq_request *req = request();
	struct clq_coll coll = { CLQ_STR("r"), CLQ_STR("") };
	struct clq_lookup l = { .timestamp_of = &coll };

	clq_pairs_add(lb.arena, &req->headers, CLQ_STR("Authorization"),
	    CLQ_STR("Basic bWF0OnNlY3IzdA=="));
	fake.timestamp = 42;
	fake.groups = (struct clq_strs){ &group, 1, 0 };
	cr_expect_eq(clq_tx_lookup(req, &l), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "begin(read) lookup");
	cr_expect_eq(l.timestamp, 42);
	cr_expect(clq_str_starts(l.user, "basicauth:"));
	cr_expect_eq(l.principals.n, 3u);
	cr_expect_eq(req->identity.groups.n, 1u, "kept for settings");
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
}

Test(tx, two_instances_get_their_halves)
{
	struct clq_request *req = request();
	struct clq_coll coll = { CLQ_STR("r"), CLQ_STR("") };
	struct clq_lookup l = { .timestamp_of = &coll };
	struct clq_str group = CLQ_STR("/g");

	two_backends();
	fake.timestamp = 7;
	other.timestamp = 8;
	other.groups = (struct clq_strs){ &group, 1, 0 };
	cr_expect_eq(clq_tx_lookup(req, &l), CLQ_OK);
	cr_expect_eq(l.timestamp, 7, "the storage's");
	cr_expect_eq(l.groups.n, 1u, "the permission's");
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
}

Test(tx, without_backends_there_is_nothing_to_do)
{
	struct clq_request *req = request();
	struct clq_lookup l = { 0 };
	void *self;

	memset(&lb.srv->storage, 0, sizeof lb.srv->storage);
	memset(&lb.srv->permission, 0, sizeof lb.srv->permission);
	cr_expect_eq(clq_tx_open(req, CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(clq_tx_lookup(req, &l), CLQ_OK);
	cr_expect_null(clq_storage(req, &self));
	cr_expect_null(clq_permission(req, &self));
	cr_expect_eq(clq_tx_sync(req), CLQ_OK);
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
}

Test(tx, applications_reach_backends_inside_a_transaction)
{
	struct clq_request *req = request();
	void *self = NULL;

	cr_expect_not_null(clq_storage(req, &self));
	cr_expect_eq(self, (void *)&fake);
	cr_expect_not_null(clq_permission(req, &self));
	cr_expect_str_eq(diary(&fake), "begin(read)");
	cr_expect_eq(clq_flush_all(req), CLQ_OK);
	cr_expect_str_eq(diary(&fake), "abort begin(write) flush flush");
	cr_expect_eq(clq_tx_finish(req, true), CLQ_OK);
	fake.begin = CLQ_UNAVAILABLE;
	req = request();
	cr_expect_null(clq_storage(req, &self));
}
