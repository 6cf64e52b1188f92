/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics that are declared, and what core observes of requests. */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "core/metrics.h"
#include "tests/support/loopback.h"

#include <criterion/criterion.h>

#include <stdio.h>

static struct loopback lb;
static struct fake_backend fake;

/* A sink that writes down: "name(value) label label\n"; times without value. */
static struct {
	const struct clq_metric *const	*metrics;
	char				 text[8192];
	int				 flushed;
	int				 closed;
} seen;

static enum clq_status
seen_configure(struct clq_server *srv, void *ctx,
    const struct clq_metric *const *metrics, size_t n)
{
	(void)srv;
	(void)ctx;
	(void)n;
	seen.metrics = metrics;
	return CLQ_OK;
}

static void
seen_observe(void *ctx, size_t id, int64_t value,
    const struct clq_str *labels)
{
	const struct clq_metric *m = seen.metrics[id];
	size_t at = strlen(seen.text);

	(void)ctx;
	at += (size_t)snprintf(seen.text + at, sizeof seen.text - at, "%s(%d)",
	    m->name, m->kind == CLQ_METRIC_TIMER ? 0 : (int)value);
	for (size_t i = 0; i < clq_metric_nlabels(m); i++)
		at += (size_t)snprintf(seen.text + at, sizeof seen.text - at,
		    " %s=%.*s", m->labels[i], CLQ_FMT(labels[i]));
	(void)snprintf(seen.text + at, sizeof seen.text - at, "\n");
}

static void
seen_flush(void *ctx)
{
	(void)ctx;
	seen.flushed++;
}

static void
seen_close(void *ctx)
{
	(void)ctx;
	seen.closed++;
}

static const struct clq_metrics_sink sink = {
	.size = sizeof sink, .name = "seen", .configure = seen_configure,
	.observe = seen_observe, .flush = seen_flush, .close = seen_close,
};

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	(void)ctx;
	(void)clq_request_user(req);
	return clq_reply(req, 200, CLQ_STR("{\"a\":1}"));
}

static void
setup(void)
{
	memset(&seen, 0, sizeof seen);
	memset(&fake, 0, sizeof fake);
	lb = loopback_new("project_version = 1.0\n"
	    "multiauth.policies = basicauth\nuserid_hmac_secret = x\n"
	    "metrics_matchdict_fields = game id\n");
	loopback_fake(&lb, &fake);
	loopback_view(&lb, CLQ_METHOD_GET, "/score/{game}", view, NULL);
}

static void
teardown(void)
{
	loopback_free(&lb);
}

TestSuite(metrics, .init = setup, .fini = teardown);

static void
collect(void)
{
	cr_assert_eq(clq_add_metrics_sink(lb.srv, &sink, NULL), CLQ_OK);
	cr_assert_eq(clq_metrics_configure(lb.srv), CLQ_OK);
	clq_metrics_open(lb.srv);
}

#define HAS(wanted)							\
	cr_expect_not_null(strstr(seen.text, wanted), "%s not in\n%s",	\
	    wanted, seen.text)

Test(metrics, nobody_collects)
{
	cr_expect_eq(clq_metrics_configure(lb.srv), CLQ_OK);
	clq_metrics_open(lb.srv);
	cr_expect_not(clq_metrics_on(lb.srv));
	cr_expect_eq(loopback_send(&lb, "GET", "/v1/score/go", NULL,
	    NULL)->response.status, 200);
	cr_expect_str_eq(seen.text, "");
}

Test(metrics, a_request)
{
	collect();
	loopback_send(&lb, "GET", "/v1/score/go",
	    "Authorization: Basic Ym9iOnB3\n", NULL);
	HAS("request_summary(1) method=get endpoint=/score/{game} game=go "
	    "id= status=200\n");
	HAS("request_duration_seconds(0) method=get endpoint=/score/{game} "
	    "game=go id=\n");
	HAS("request_size(7) method=get");
	HAS("users(1) auth=basicauth userid=");
	HAS("authentication(1) type=basicauth\n");
	HAS("authentication.basicauth.seconds(0) method=authenticate\n");
}

Test(metrics, nobody_fills_the_memory_with_names)
{
	collect();
	loopback_send(&lb, "GET", "/v1/nothing/here", NULL, NULL);
	HAS("request_summary(1) method=get endpoint=unknown game= id= "
	    "status=404\n");
	loopback_send(&lb, "POST", "/v1/score/go", NULL, NULL);
	HAS("method=post endpoint=/score/{game} game= id= status=405\n");
	loopback_send(&lb, "FOO", "/v1/score/go", NULL, NULL);
	HAS("method=other endpoint=/score/{game} game= id= status=405\n");
	cr_expect_null(strstr(seen.text, "users"), "nobody");
}

Test(metrics, each_request_of_a_batch)
{
	const char *first;

	collect();
	loopback_send(&lb, "POST", "/v1/batch", NULL, "{\"requests\": ["
	    "{\"path\": \"/score/a\"}, {\"path\": \"/score/b\"}]}");
	HAS("request_summary(1) method=get endpoint=/score/{game} game=a");
	HAS("request_summary(1) method=get endpoint=/score/{game} game=b");
	HAS("request_summary(1) method=post endpoint=batch game= id= "
	    "status=200\n");
	first = strstr(seen.text, "game=a");
	cr_expect_not_null(strstr(first, "game=b"));
}

Test(metrics, of_plugins)
{
	static const char *const labels[] = { "kind", NULL };
	static const struct clq_metric eaten = {
		.size = sizeof eaten, .name = "eaten", .help = "Eaten.",
		.kind = CLQ_METRIC_COUNTER, .labels = labels,
	}, same = {
		.size = sizeof same, .name = "eaten", .help = "Another.",
		.kind = CLQ_METRIC_COUNTER,
	}, bad = {
		.size = sizeof bad, .name = "no:colon", .help = "No.",
		.kind = CLQ_METRIC_COUNTER,
	}, late = {
		.size = sizeof late, .name = "late", .help = "Late.",
		.kind = CLQ_METRIC_GAUGE,
	};
	struct clq_str kind = CLQ_STR("cep");

	cr_expect_eq(clq_add_metric(lb.srv, &eaten), CLQ_OK);
	cr_expect_eq(clq_add_metric(lb.srv, &eaten), CLQ_OK, "once more");
	cr_expect_eq(clq_add_metric(lb.srv, &same), CLQ_INVALID);
	cr_expect_eq(clq_add_metric(lb.srv, &bad), CLQ_INVALID);
	clq_observe(lb.srv, &eaten, 1, &kind);
	cr_expect_str_eq(seen.text, "", "before anybody listens");
	collect();
	cr_expect_eq(clq_add_metric(lb.srv, &late), CLQ_INVALID);
	cr_expect_eq(clq_add_metrics_sink(lb.srv, &sink, NULL), CLQ_INVALID);
	clq_observe(lb.srv, &eaten, 3, &kind);
	clq_observe(lb.srv, &eaten, -3, &kind);
	clq_observe(lb.srv, &eaten, 3, NULL);
	clq_observe(lb.srv, &late, 3, NULL);
	cr_expect_str_eq(seen.text, "eaten(3) kind=cep\n",
	    "not negative, not without labels, not undeclared: %s",
	    seen.text);
	clq_metrics_flush(lb.srv);
	cr_expect_eq(seen.flushed, 1);
	clq_metrics_close(lb.srv);
	cr_expect_eq(seen.closed, 1);
	cr_expect_not(clq_metrics_on(lb.srv));
}

Test(metrics, fields_must_be_usable_as_labels)
{
	static const char *const wrong[] = {
		"status", "bucket-id", "a a", "1a", "a b c d e f g h i",
	};

	for (size_t i = 0; i < CLQ_COUNT(wrong); i++) {
		char ini[128];

		(void)snprintf(ini, sizeof ini, "project_version = 1.0\n"
		    "metrics_matchdict_fields = %s\n", wrong[i]);
		loopback_free(&lb);
		lb = loopback_new(ini);
		cr_assert_eq(clq_add_metrics_sink(lb.srv, &sink, NULL),
		    CLQ_OK);
		cr_expect_eq(clq_metrics_configure(lb.srv), CLQ_INVALID, "%s",
		    wrong[i]);
	}
}
