/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /__flush__: remove all data from all backends (section 07-3). For
 * development and test servers; anybody may call it, so it is never enabled
 * unless `includes` names it.
 */
#include <cliquet/cliquet.h>

static enum clq_status
flush(struct clq_request *req, void *ctx)
{
	enum clq_status rc;

	(void)ctx;
	if ((rc = clq_flush_all(req)) != CLQ_OK)
		return rc;
	return clq_reply(req, 202, CLQ_STR("{}"));
}

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_POST, flush, CLQ_TX_WRITE },
};
static const struct clq_service service = {
	.size	= sizeof service,
	.name	= "flush",
	.path	= "/__flush__",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.description = "Remove everything from all backends.",
	.openapi = "{\"post\":{\"operationId\":\"create_flush\",\"tags\":"
		"[\"Flush\"],\"security\":[],\"responses\":{\"202\":{"
		"\"description\":\"Nothing is left.\",\"schema\":{"
		"\"type\":\"object\"}}}}}",
};

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	if ((rc = clq_add_service(srv, &service)) != CLQ_OK)
		return rc;
	return clq_add_capability(srv, "flush_endpoint", "The __flush__ "
	    "endpoint can be used to remove all data from all backends.",
	    "https://kinto.readthedocs.io/en/latest/api/1.x/flush.html", NULL);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "flush", .version = "1", .app = &app,
};
