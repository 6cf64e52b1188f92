/* SPDX-License-Identifier: Apache-2.0 */
/* The stop-watch of requests, and the clock around backend calls. */
#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "core/phases.h"
#include "core/timed.h"
#include "core/tx.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <unistd.h>

static struct loopback lb;
static struct fake_backend fake;

enum { PAUSE_US = 3000 };
static const uint64_t pause_ns = PAUSE_US * UINT64_C(1000);

static enum clq_status
slow_view(struct clq_request *req, void *ctx)
{
	const struct clq_storage_ops *storage;
	struct clq_coll coll = { CLQ_STR("thing"), CLQ_STR("") };
	clq_msec t;
	void *self;

	(void)ctx;
	usleep(PAUSE_US);
	if ((storage = clq_storage(req, &self)) == NULL ||
	    storage->timestamp(self, &coll, &t) != CLQ_OK)
		return CLQ_FAILED;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static void
setup(void)
{
	memset(&fake, 0, sizeof fake);
	lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n"
	    "slow_request_ms = 0\n");
	loopback_fake(&lb, &fake);
	loopback_view(&lb, CLQ_METHOD_GET, "/slow", slow_view, NULL);
}

static void
teardown(void)
{
	loopback_free(&lb);
}

TestSuite(phases, .init = setup, .fini = teardown);

static void
wanted(void)
{
	clq_phases_want(lb.srv);
	cr_assert_eq(clq_timed_configure(lb.srv), CLQ_OK);
}

Test(phases, nothing_is_measured_unasked)
{
	struct clq_request *req;

	cr_assert_eq(clq_timed_configure(lb.srv), CLQ_OK);
	cr_expect_null(lb.srv->timed);
	req = loopback_send(&lb, "GET", "/v1/slow", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_null(req->phases);
}

Test(phases, time_is_where_it_was_spent)
{
	uint64_t before = clq_ticks(), all = 0, spent;
	struct clq_request *req;

	wanted();
	req = loopback_send(&lb, "GET", "/v1/slow", NULL, NULL);
	spent = clq_ticks() - before;
	cr_assert_eq(req->response.status, 200);
	cr_assert_not_null(req->phases);
	for (int i = 0; i < CLQ_PHASE__COUNT; i++)
		all += req->phases->ns[i];
	cr_expect_leq(all, spent, "phases do not overlap");
	cr_expect_geq(req->phases->ns[CLQ_PHASE_VIEW], pause_ns);
	cr_expect_gt(req->phases->ns[CLQ_PHASE_ROUTE], 0);
	cr_expect_gt(req->phases->ns[CLQ_PHASE_DATABASE], 0);
	cr_expect_gt(req->phases->ns[CLQ_PHASE_RENDER] +
	    req->phases->ns[CLQ_PHASE_ROUTE], 0);
}

Test(phases, a_batch_has_those_of_its_requests)
{
	struct clq_request *req;

	wanted();
	req = loopback_send(&lb, "POST", "/v1/batch", NULL,
	    "{\"requests\": [{\"path\": \"/slow\"}, {\"path\": \"/slow\"}]}");
	cr_assert_eq(req->response.status, 200);
	cr_expect_geq(req->phases->ns[CLQ_PHASE_VIEW], 2 * pause_ns);
}

Test(phases, the_watch_goes_back_after_nested_work)
{
	struct clq_phases p = { { 0 } };
	enum clq_phase_of before;

	clq_phases_begin(&p, clq_ticks());
	cr_expect_eq(clq_phase_enter(CLQ_PHASE_AUTH), CLQ_PHASE_ROUTE);
	before = clq_phase_enter(CLQ_PHASE_DATABASE);
	cr_expect_eq(before, CLQ_PHASE_AUTH);
	usleep(PAUSE_US);
	cr_expect_eq(clq_phase_enter(before), CLQ_PHASE_DATABASE);
	clq_phases_end(clq_ticks());
	cr_expect_geq(p.ns[CLQ_PHASE_DATABASE], pause_ns);
	cr_expect_eq(p.ns[CLQ_PHASE_VIEW], 0);
	(void)clq_phase_enter(CLQ_PHASE_VIEW);	/* stopped: no effect */
	(void)clq_phase_enter(CLQ_PHASE_ROUTE);
	cr_expect_eq(p.ns[CLQ_PHASE_VIEW], 0);
}

static enum clq_status
writing_view(struct clq_request *req, void *ctx)
{
	struct clq_lookup l = { .arena = req->arena };
	const struct clq_permission_ops *permission;
	const struct clq_storage_ops *storage;
	struct clq_write write = { .op = CLQ_WRITE_CREATE };
	void *self;

	(void)ctx;
	if (clq_lookup(req, &l) != CLQ_OK ||
	    (storage = clq_storage(req, &self)) == NULL ||
	    storage->write(self, &write, 1) != CLQ_OK ||
	    storage->sync(self) != CLQ_OK ||
	    storage->flush(self) != CLQ_OK ||
	    (permission = clq_permission(req, &self)) == NULL ||
	    permission->flush(self) != CLQ_OK)
		return CLQ_FAILED;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(phases, calls_reach_the_backend_through_the_clock)
{
	struct clq_verb verb = { CLQ_METHOD_POST, writing_view,
	    CLQ_TX_WRITE };
	struct clq_request *req;

	wanted();
	loopback_service(&lb, "/write", verb, 0, NULL);
	req = loopback_send(&lb, "POST", "/v1/write", NULL, NULL);
	cr_expect_eq(req->response.status, 200);
	cr_expect_str_eq(fake.log, "begin(write) lookup write sync flush "
	    "flush commit");
}

static enum clq_status
slow_prefetch(void *self, struct clq_lookup *const *lookups, size_t n)
{
	(void)self;
	(void)lookups;
	usleep(PAUSE_US);
	return n == 1 ? CLQ_OK : CLQ_FAILED;
}

static enum clq_status
announcing_view(struct clq_request *req, void *ctx)
{
	struct clq_lookup l = { .arena = req->arena }, *const all[] = { &l };

	(void)ctx;
	if (!clq_tx_can_prefetch(req) ||
	    clq_tx_prefetch(req, all, CLQ_COUNT(all)) != CLQ_OK)
		return CLQ_FAILED;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

Test(phases, announced_lookups_are_time_of_the_database)
{
	static struct clq_storage_ops ops;
	struct clq_request *req;

	ops = *lb.srv->storage.ops;
	ops.prefetch = slow_prefetch;
	lb.srv->storage.ops = &ops;
	wanted();
	loopback_view(&lb, CLQ_METHOD_GET, "/ahead", announcing_view, NULL);
	req = loopback_send(&lb, "GET", "/v1/ahead", NULL, NULL);
	cr_assert_eq(req->response.status, 200);
	cr_expect_geq(req->phases->ns[CLQ_PHASE_DATABASE], pause_ns);
}
