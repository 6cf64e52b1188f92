/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of an application's own: one of each kind, as anybody would declare
 * them.
 *
 *	POST /eat/{kind}?ms=		counts, times
 *	PUT  /basket/{size}		sets
 */
#include <cliquet/cliquet.h>

static const char *const labels[] = { "kind", NULL };
static const struct clq_metric eaten = {
	.size = sizeof eaten, .name = "mushrooms.eaten",
	.help = "Mushrooms eaten.", .kind = CLQ_METRIC_COUNTER,
	.labels = labels, .open = 1,
};
static const struct clq_metric chewed = {
	.size = sizeof chewed, .name = "chewing-seconds",
	.help = "Time to eat one.", .kind = CLQ_METRIC_TIMER,
};
static const struct clq_metric basket = {
	.size = sizeof basket, .name = "basket", .help = "In the basket now.",
	.kind = CLQ_METRIC_GAUGE,
};
static const struct clq_metric weight = {
	.size = sizeof weight, .name = "weight_grams", .help = "Of each.",
	.kind = CLQ_METRIC_SUMMARY,
};

static enum clq_status
eat(struct clq_request *req, void *ctx)
{
	struct clq_server *srv = clq_request_server(req);
	struct clq_str kind = clq_request_var(req, "kind");
	int64_t ms = 0;

	(void)ctx;
	if (!clq_str_int(clq_request_param(req, "ms"), &ms))
		ms = 0;
	clq_observe(srv, &eaten, 1, &kind);
	clq_observe(srv, &chewed, ms * 1000000, NULL);
	clq_observe(srv, &weight, 30, NULL);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static enum clq_status
fill(struct clq_request *req, void *ctx)
{
	int64_t n = 0;

	(void)ctx;
	if (!clq_str_int(clq_request_var(req, "size"), &n))
		return clq_invalid(req, "path", CLQ_STR("size"), "a number");
	clq_observe(clq_request_server(req), &basket, n, NULL);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static const struct clq_verb eat_verbs[] = {
	{ CLQ_METHOD_POST, eat, CLQ_TX_READ },
};
static const struct clq_verb fill_verbs[] = {
	{ CLQ_METHOD_PUT, fill, CLQ_TX_READ },
};
static const struct clq_service services[] = {
	{ .size = sizeof *services, .name = "eat", .path = "/eat/{kind}",
	  .verbs = eat_verbs, .nverbs = 1, .flags = CLQ_SERVICE_NO_TX },
	{ .size = sizeof *services, .name = "basket",
	  .path = "/basket/{size}", .verbs = fill_verbs, .nverbs = 1,
	  .flags = CLQ_SERVICE_NO_TX },
};

static enum clq_status
setup(struct clq_server *srv)
{
	const struct clq_metric *const all[] = {
		&eaten, &chewed, &basket, &weight,
	};
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < CLQ_COUNT(all) && rc == CLQ_OK; i++)
		rc = clq_add_metric(srv, all[i]);
	for (size_t i = 0; i < CLQ_COUNT(services) && rc == CLQ_OK; i++)
		rc = clq_add_service(srv, &services[i]);
	return rc;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "metrics", .version = "1", .app = &app,
};
