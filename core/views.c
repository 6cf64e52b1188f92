/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Utility endpoints: is it up, which version is it, who makes it (07-2, 07-3).
 *
 * A heartbeat asks the backends one after the other within one deadline; each
 * gets what the earlier ones left, so the answer comes in time however many
 * hang. The probes run outside the request's transaction.
 */
#include "views.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "batch.h"
#include "hello.h"
#include "server.h"
#include "tx.h"

/* ---- heartbeats -------------------------------------------------------- */

struct beat {
	struct clq_request	*req;
	struct clq_buf		 body;
	clq_msec		 deadline;
	bool			 down;
};

static clq_msec
time_left(const struct beat *beat)
{
	clq_msec left = beat->deadline - clq_monotonic();

	return left > 0 ? left : 1;
}

static void
beat_add(struct beat *beat, const char *name, enum clq_status rc)
{
	if (beat->body.len > 1)
		clq_buf_addc(&beat->body, ',');
	clq_buf_json_str(&beat->body, clq_str_of(name));
	clq_buf_adds(&beat->body, rc == CLQ_OK ? ":true" : ":false");
	if (rc == CLQ_OK)
		return;
	beat->down = true;
	clq_log_err("heartbeat: %s is down", name);
}

static enum clq_status
backend_ping(struct beat *beat, const struct clq_plugin *plugin, void *self)
{
	return plugin->backend->ping(self, beat->req->server->readonly,
	    time_left(beat));
}

/* Inside a batch there may be a transaction, which a probe must not enter;
 * that it still answers says as much. */
static enum clq_status
storage_ping(struct beat *beat, const struct clq_plugin *plugin, void *self)
{
	if (beat->req->tx->open)
		return clq_tx_sync(beat->req);
	return backend_ping(beat, plugin, self);
}

static void
backends_beat(struct beat *beat)
{
	struct clq_server *srv = beat->req->server;
	enum clq_status rc = CLQ_OK;

	if (srv->storage.ops != NULL) {
		rc = storage_ping(beat, srv->storage.plugin,
		    srv->storage.self);
		beat_add(beat, "storage", rc);
	}
	if (srv->permission.ops != NULL) {
		if (srv->permission.self != srv->storage.self)
			rc = storage_ping(beat, srv->permission.plugin,
			    srv->permission.self);
		beat_add(beat, "permission", rc);
	}
	if (srv->cache.ops != NULL)
		beat_add(beat, "cache", backend_ping(beat, srv->cache_plugin,
		    srv->cache.self));
}

static enum clq_status
heartbeat(struct clq_request *req, void *ctx)
{
	const struct clq_heartbeat *h = req->server->hello->heartbeats;
	struct beat beat = { .req = req };

	(void)ctx;
	beat.deadline = clq_monotonic() + 1000 * clq_settings_int(
	    req->server->settings, "heartbeat_timeout_seconds", 10);
	clq_buf_init(&beat.body, req->arena, 128);
	clq_buf_addc(&beat.body, '{');
	backends_beat(&beat);
	for (; h != NULL; h = h->next)
		beat_add(&beat, h->name, h->fn(req, h->ctx,
		    time_left(&beat)));
	clq_buf_addc(&beat.body, '}');
	return clq_reply(req, beat.down ? 503 : 200, clq_buf_str(&beat.body));
}

static enum clq_status
lbheartbeat(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{}"));
}

/* ---- version ----------------------------------------------------------- */

/* The file's JSON, in the server's memory: read well once per worker. */
static enum clq_status
version_read(struct clq_request *req)
{
	enum { VERSION_MAX = 64 << 10 };
	struct clq_server *srv = req->server;
	const char *set = clq_settings_cstr(srv->settings,
	    "version_json_path"), *path = set != NULL ? set : "version.json";
	FILE *f = fopen(path, "re");
	struct clq_str why;
	char *text;
	size_t n;
	cJSON *tree;

	if (f == NULL && errno == ENOENT) {
		clq_log_warn("version_json_path: %s: no such file, so "
		    "/__version__ has nothing to show; write it, a JSON "
		    "object with name, version, source and commit, or name "
		    "another one", path);
		return CLQ_NOT_FOUND;
	}
	if (f == NULL) {
		clq_log_err("version_json_path: %s: %s", path,
		    strerror(errno));
		return CLQ_FAILED;
	}
	text = clq_arena_alloc(req->arena, VERSION_MAX);
	n = fread(text, 1, VERSION_MAX, f);
	fclose(f);
	if (clq_json_parse(req->arena, (struct clq_str){ text, n }, &tree,
	    &why) != CLQ_OK) {
		clq_log_err("version_json_path: %s: not JSON (%.*s) or "
		    "larger than %d bytes", path, CLQ_FMT(why), VERSION_MAX);
		return CLQ_FAILED;
	}
	srv->hello->version = clq_json_text(srv->arena, tree);
	return CLQ_OK;
}

static enum clq_status
version(struct clq_request *req, void *ctx)
{
	struct clq_hello *hello = req->server->hello;
	enum clq_status rc = hello->version.p != NULL ? CLQ_OK :
	    version_read(req);

	(void)ctx;
	if (rc == CLQ_OK)
		return clq_reply(req, 200, hello->version);
	req->error.told = rc == CLQ_NOT_FOUND;
	return clq_fail(req, CLQ_ERRNO_UNDEFINED, NULL);
}

static enum clq_status
contribute(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_reply(req, 200, CLQ_STR("{"
	    "\"name\":\"cliquet\","
	    "\"description\":\"A toolkit for HTTP micro-services that store "
	    "JSON documents, and the Kinto service built with it.\","
	    "\"repository\":{\"license\":\"Apache-2.0\"},"
	    "\"participate\":{\"docs\":"
	    "\"https://kinto.readthedocs.io/\"},"
	    "\"bugs\":{},"
	    "\"urls\":{\"docs\":\"https://kinto.readthedocs.io/\"},"
	    "\"keywords\":[\"JSON\",\"storage\",\"synchronization\","
	    "\"FastCGI\",\"C\"]}"));
}

/* ---- registration ------------------------------------------------------ */

static const struct clq_verb hello_verbs[] = {
	{ CLQ_METHOD_GET, clq_hello_view, CLQ_TX_READ } };
static const struct clq_verb heartbeat_verbs[] = {
	{ CLQ_METHOD_GET, heartbeat, CLQ_TX_READ } };
static const struct clq_verb lbheartbeat_verbs[] = {
	{ CLQ_METHOD_GET, lbheartbeat, CLQ_TX_READ } };
static const struct clq_verb version_verbs[] = {
	{ CLQ_METHOD_GET, version, CLQ_TX_READ } };
static const struct clq_verb contribute_verbs[] = {
	{ CLQ_METHOD_GET, contribute, CLQ_TX_READ } };
static const struct clq_verb batch_verbs[] = {
	{ CLQ_METHOD_POST, clq_batch_view, CLQ_TX_READ } };

/* What OpenAPI says of them, in its own words. */
static const char hello_doc[] =
	"{\"get\":{\"operationId\":\"server_info\",\"tags\":"
	"[\"Utilities\"],\"responses\":{\"200\":{\"description\":\"The "
	"service as the caller sees it.\",\"schema\":{\"type\":"
	"\"object\",\"required\":[\"project_name\",\"project_version\","
	"\"http_api_version\",\"url\",\"settings\",\"capabilities\"],"
	"\"properties\":{\"project_name\":{\"type\":\"string\"},"
	"\"project_version\":{\"type\":\"string\"},\"http_api_version\":{"
	"\"type\":\"string\"},\"project_docs\":{\"type\":\"string\"},"
	"\"url\":{\"type\":\"string\"},\"settings\":{\"type\":"
	"\"object\"},\"capabilities\":{\"type\":\"object\"},\"user\":{"
	"\"type\":\"object\",\"description\":\"Only with credentials "
	"that are good.\"}}}}}}}";
static const char heartbeat_doc[] =
	"{\"get\":{\"operationId\":\"__heartbeat__\",\"tags\":"
	"[\"Utilities\"],\"security\":[],\"responses\":{\"200\":{"
	"\"description\":\"All backends answer.\",\"schema\":{\"type\":"
	"\"object\",\"additionalProperties\":{\"type\":\"boolean\"}}},"
	"\"503\":{\"description\":\"At least one does not.\",\"schema\":{"
	"\"type\":\"object\",\"additionalProperties\":{\"type\":"
	"\"boolean\"}}}}}}";
static const char lbheartbeat_doc[] =
	"{\"get\":{\"operationId\":\"__lbheartbeat__\",\"tags\":"
	"[\"Utilities\"],\"security\":[],\"responses\":{\"200\":{"
	"\"description\":\"It does.\",\"schema\":{\"type\":"
	"\"object\"}}}}}";
static const char version_doc[] =
	"{\"get\":{\"operationId\":\"__version__\",\"tags\":"
	"[\"Utilities\"],\"security\":[],\"responses\":{\"200\":{"
	"\"description\":\"What the file `version_json_path` holds.\","
	"\"schema\":{}}}}}";
static const char contribute_doc[] =
	"{\"get\":{\"operationId\":\"contribute\",\"tags\":"
	"[\"Utilities\"],\"security\":[],\"responses\":{\"200\":{"
	"\"description\":\"About the project.\",\"schema\":{\"type\":"
	"\"object\"}}}}}";
static const char batch_doc[] =
	"{\"post\":{\"operationId\":\"batch\",\"tags\":[\"Batch\"],"
	"\"consumes\":[\"application/json\"],\"description\":"
	"\"Everything is stored, or nothing if the server is in trouble; "
	"an error of one request undoes only that one.\",\"parameters\":"
	"[{\"name\":\"body\",\"in\":\"body\",\"required\":true,"
	"\"schema\":{\"type\":\"object\",\"required\":[\"requests\"],"
	"\"properties\":{\"defaults\":{\"type\":\"object\","
	"\"properties\":{\"method\":{\"type\":\"string\",\"enum\":"
	"[\"GET\",\"HEAD\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\"]},"
	"\"path\":{\"type\":\"string\",\"pattern\":\"^/\"},\"headers\":{"
	"\"type\":\"object\",\"additionalProperties\":{\"type\":"
	"\"string\"}},\"body\":{}},\"description\":\"For what the "
	"requests do not say.\"},\"requests\":{\"type\":\"array\","
	"\"items\":{\"type\":\"object\",\"properties\":{\"method\":{"
	"\"type\":\"string\",\"enum\":[\"GET\",\"HEAD\",\"POST\",\"PUT\","
	"\"PATCH\",\"DELETE\"]},\"path\":{\"type\":\"string\","
	"\"pattern\":\"^/\"},\"headers\":{\"type\":\"object\","
	"\"additionalProperties\":{\"type\":\"string\"}},\"body\":{}},"
	"\"required\":[\"path\"],\"example\":{\"method\":\"GET\","
	"\"path\":\"/\"}}}}}}],\"responses\":{\"200\":{\"description\":"
	"\"An answer for each request, in their order.\",\"schema\":{"
	"\"type\":\"object\",\"required\":[\"responses\"],\"properties\":"
	"{\"responses\":{\"type\":\"array\",\"items\":{\"type\":"
	"\"object\",\"required\":[\"status\",\"path\"],\"properties\":{"
	"\"status\":{\"type\":\"integer\"},\"path\":{\"type\":"
	"\"string\"},\"headers\":{\"type\":\"object\"},\"body\":{}}}}}}},"
	"\"400\":{\"$ref\":\"#/responses/400\"}}}}";

#define SERVICE(n, p, v, d, doc) { .size = sizeof(struct clq_service),	\
	.name = n, .path = p, .verbs = v, .nverbs = 1,			\
	.flags = CLQ_SERVICE_NO_TX, .description = d, .openapi = doc }

static const struct clq_service services[] = {
	SERVICE("hello", "/", hello_verbs,
	    "The service: version, settings, capabilities, user.", hello_doc),
	SERVICE("heartbeat", "/__heartbeat__", heartbeat_verbs,
	    "Whether the backends answer.", heartbeat_doc),
	SERVICE("lbheartbeat", "/__lbheartbeat__", lbheartbeat_verbs,
	    "Whether this server answers.", lbheartbeat_doc),
	SERVICE("version", "/__version__", version_verbs,
	    "What was deployed.", version_doc),
	SERVICE("contribute", "/contribute.json", contribute_verbs,
	    "How to take part in the project.", contribute_doc),
	SERVICE("batch", "/batch", batch_verbs,
	    "Several requests in one, in one transaction.", batch_doc),
};

enum clq_status
clq_views_setup(struct clq_server *srv)
{
	enum clq_status rc;

	for (size_t i = 0; i < CLQ_COUNT(services); i++)
		if ((rc = clq_add_service(srv, &services[i])) != CLQ_OK)
			return rc;
	return CLQ_OK;
}
