/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /__counters__: how many objects and tombstones of each kind there are
 * (section 07-3). Anybody may ask, and counting takes long where there is much,
 * so it is there only if `includes` names it.
 */
#include <cliquet/cliquet.h>

static enum clq_status
counters(struct clq_request *req, void *ctx)
{
	cJSON *objects = cJSON_CreateObject();
	cJSON *tombstones = cJSON_CreateObject();
	struct clq_arena *arena = clq_request_arena(req);
	cJSON *answer = clq_json_own(arena, cJSON_CreateObject());
	const struct clq_storage_ops *storage;
	struct clq_resource_count *counts = NULL;
	size_t n = 0;
	enum clq_status rc;
	void *self;

	(void)ctx;
	clq_json_set(answer, "objects", objects);
	clq_json_set(answer, "tombstones", tombstones);
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->totals(self, arena, &counts, &n)) != CLQ_OK)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *kind = clq_arena_cstr(arena, counts[i].resource);

		/* what a plugin keeps for itself is no object of the service */
		if (clq_find_resource(clq_request_server(req), kind) == NULL)
			continue;
		if (counts[i].objects > 0)
			clq_json_set(objects, kind,
			    clq_json_new_int(counts[i].objects));
		if (counts[i].tombstones > 0)
			clq_json_set(tombstones, kind,
			    clq_json_new_int(counts[i].tombstones));
	}
	return clq_reply_json(req, 200, answer);
}

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_GET, counters, CLQ_TX_READ },
};
static const struct clq_service service = {
	.size	= sizeof service,
	.name	= "counters",
	.path	= "/__counters__",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.description = "How many objects are stored.",
	.openapi = "{\"get\":{\"tags\":[\"Utilities\"],\"security\":[],"
		"\"responses\":{\"200\":{\"description\":\"Numbers by "
		"kind of object.\",\"schema\":{\"type\":\"object\","
		"\"required\":[\"objects\",\"tombstones\"],"
		"\"properties\":{\"objects\":{\"type\":\"object\","
		"\"additionalProperties\":{\"type\":\"integer\"}},"
		"\"tombstones\":{\"type\":\"object\","
		"\"additionalProperties\":{\"type\":\"integer\"}}}}}}}}",
};

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	if ((rc = clq_add_service(srv, &service)) != CLQ_OK)
		return rc;
	return clq_add_capability(srv, "counters_endpoint", "The "
	    "__counters__ endpoint exposes how many objects are stored.",
	    "https://kinto.readthedocs.io/en/latest/api/1.x/counters.html",
	    NULL);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "counters", .version = "1", .app = &app,
};
