/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application for tests of the toolkit's interface: one of each thing that
 * an application may declare, and hooks that fail or never return.
 *
 *	GET|POST /inputs/{n}	what the declared inputs came to
 *	POST /visits		counts in storage and in the cache
 *	/things			a resource; `how` in a body says what its hook
 *				does: fail, invalid, hang; `veto` is refused by a
 *				subscriber
 *
 * Nothing but the installed headers.
 */
#include <cliquet/cliquet.h>

#include <unistd.h>

static const struct clq_setting settings[] = {
	{ "toolkit.greeting", CLQ_SET_STR, "hello", 0, 0, NULL,
	  "What hello says." },
	{ "toolkit.sick", CLQ_SET_BOOL, "false", 0, 0, NULL,
	  "Whether the heartbeat fails." },
	{ "toolkit.twice", CLQ_SET_BOOL, "false", 0, 0, NULL,
	  "Whether a path is taken twice." },
	{ "toolkit.bad_input", CLQ_SET_BOOL, "false", 0, 0, NULL,
	  "Whether an input is declared wrongly." },
	{ "toolkit.version", CLQ_SET_INT, "2", 1, 3, NULL,
	  "Version of the data; the step to 3 fails." },
};

/* ---- inputs ------------------------------------------------------------ */

static const char *const colours[] = { "red", "blue", NULL };
static const struct clq_input inputs[] = {
	{ CLQ_IN_PATH, { .name = "n", .type = CLQ_FIELD_INT, .min = 1,
	    .max = 9 }, 0, NULL },
	{ CLQ_IN_QUERY, { .name = "colour", .type = CLQ_FIELD_STRING,
	    .def = "\"red\"" }, 0, colours },
	{ CLQ_IN_QUERY, { .name = "tags", .type = CLQ_FIELD_STRINGS }, 0,
	    NULL },
	{ CLQ_IN_QUERY, { .name = "deep", .type = CLQ_FIELD_BOOL }, 0, NULL },
	{ CLQ_IN_HEADER, { .name = "X-Size", .type = CLQ_FIELD_NUMBER }, 0,
	    NULL },
	{ CLQ_IN_BODY, { .name = "title", .type = CLQ_FIELD_STRING,
	    .flags = CLQ_REQUIRED, .max = 10 }, 0, NULL },
	{ CLQ_IN_BODY, { .name = "stars", .type = CLQ_FIELD_INT, .def = "3" },
	    CLQ_BIT(CLQ_METHOD_POST), NULL },
};

static enum clq_status
show_inputs(struct clq_request *req, void *ctx)
{
	static const char *const names[] = { "path", "query", "header",
	    "body" };
	struct clq_arena *arena = clq_request_arena(req);
	cJSON *all = clq_json_own(arena, cJSON_CreateObject());

	(void)ctx;
	for (int i = 0; i < CLQ_IN__COUNT; i++)
		clq_json_set(all, names[i], cJSON_Duplicate(
		    clq_request_inputs(req, (enum clq_location)i), true));
	return clq_reply_json(req, 200, all);
}

static const struct clq_verb input_verbs[] = {
	{ CLQ_METHOD_GET, show_inputs, CLQ_TX_READ },
	{ CLQ_METHOD_POST, show_inputs, CLQ_TX_READ },
};
static const struct clq_service input_service = {
	.size = sizeof input_service, .name = "inputs",
	.path = "/inputs/{n}", .verbs = input_verbs,
	.nverbs = CLQ_COUNT(input_verbs), .flags = CLQ_SERVICE_NO_TX,
	.inputs = inputs, .ninputs = CLQ_COUNT(inputs),
};
static const struct clq_service same_path = {
	.size = sizeof same_path, .name = "impostor",
	.path = "/inputs/{other}", .verbs = input_verbs,
	.nverbs = CLQ_COUNT(input_verbs),
};
static const struct clq_input wrong_inputs[] = {
	{ CLQ_IN_PATH, { .name = "size", .type = CLQ_FIELD_INT }, 0, NULL },
};
static const struct clq_service wrong_service = {
	.size = sizeof wrong_service, .name = "wrong", .path = "/wrong/{n}",
	.verbs = input_verbs, .nverbs = CLQ_COUNT(input_verbs),
	.inputs = wrong_inputs, .ninputs = 1,
};

/* ---- storage and cache ------------------------------------------------- */

static enum clq_status
visit(struct clq_request *req, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_write write = {
		.op = CLQ_WRITE_CREATE,
		.coll = { CLQ_STR("visit"), clq_request_user(req) },
		.id = clq_uuid4(arena), .data = CLQ_STR("{}"),
	};
	struct clq_query query = { .coll = write.coll };
	const struct clq_storage_ops *storage;
	struct clq_str last = CLQ_STR("");
	enum clq_status rc;
	int64_t n;
	void *self;

	(void)ctx;
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->write(self, &write, 1)) != CLQ_OK ||
	    (rc = storage->count(self, &query, &n)) != CLQ_OK)
		return rc;
	rc = clq_cache_get(req, CLQ_STR("last"), &last);
	if ((rc != CLQ_OK && rc != CLQ_NOT_FOUND) ||
	    (rc = clq_cache_set(req, CLQ_STR("last"), clq_arena_printf(arena,
	    "\"%.*s\"", CLQ_FMT(write.id)), 60000)) != CLQ_OK)
		return rc;
	return clq_reply(req, 201, clq_arena_printf(arena, "{\"n\":%lld,"
	    "\"id\":\"%.*s\",\"last\":%.*s}", (long long)n,
	    CLQ_FMT(write.id), CLQ_FMT(last.len > 0 ? last :
	    CLQ_STR("null"))));
}

static const struct clq_verb visit_verbs[] = {
	{ CLQ_METHOD_POST, visit, CLQ_TX_WRITE },
};
static const struct clq_service visit_service = {
	.size = sizeof visit_service, .name = "visits", .path = "/visits",
	.verbs = visit_verbs, .nverbs = 1, .flags = CLQ_SERVICE_PRIVATE,
};

/* ---- hooks that go wrong ----------------------------------------------- */

static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	struct clq_str how = clq_json_str(clq_json_get(draft->data, "how"));

	if (clq_str_is(how, "fail"))
		return CLQ_FAILED;
	if (clq_str_is(how, "done"))
		return CLQ_DONE;
	if (clq_str_is(how, "conflict"))
		return CLQ_CONFLICT;
	if (clq_str_is(how, "retry"))
		return CLQ_RETRY;
	if (clq_str_is(how, "invalid"))
		return clq_invalid(req, "body", CLQ_STR("data.how"),
		    "not that way");
	while (clq_str_is(how, "hang"))
		sleep(1);
	return CLQ_OK;
}

/* Stored already, when it returns something that is no status. */
static enum clq_status
stored(struct clq_request *req, const struct clq_change *change)
{
	(void)req;
	return clq_str_search(change->new_->data, CLQ_STR("\"odd\"")) <
	    change->new_->data.len ? (enum clq_status)99 : CLQ_OK;
}

static enum clq_status
veto(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < event->nchanges; i++) {
		const struct clq_object *o = event->changes[i].new_;

		if (clq_str_search(o->data, CLQ_STR("\"veto\"")) <
		    o->data.len)
			return clq_fail(req, CLQ_ERRNO_FORBIDDEN, "Vetoed.");
	}
	return CLQ_OK;
}

static const struct clq_resource thing = {
	.size = sizeof thing, .name = "thing", .plural_path = "/things",
	.flags = CLQ_RESOURCE_USER, .process = process,
	.stored = stored,
};

/* ---- the rest ----------------------------------------------------------- */

static enum clq_status
authenticate(struct clq_request *req, void *self, struct clq_str *userid)
{
	struct clq_str a = clq_request_header(req, "Authorization");

	(void)self;
	if (!clq_str_starts(a, "Toolkit ") || a.len == strlen("Toolkit "))
		return CLQ_NOT_FOUND;
	*userid = clq_str_sub(a, strlen("Toolkit "), a.len);
	return CLQ_OK;
}

static const struct clq_auth_kind auth = {
	.size = sizeof auth, .name = "toolkit",
	.authenticate = authenticate, .challenge = "Toolkit",
};

static enum clq_status
beat(struct clq_request *req, void *ctx, clq_msec timeout)
{
	(void)ctx;
	(void)timeout;
	return clq_settings_bool(clq_server_settings(
	    clq_request_server(req)), "toolkit.sick", false) ? CLQ_FAILED :
	    CLQ_OK;
}

/* Each step leaves an object behind, also the one that fails. */
static enum clq_status
migrate(struct clq_request *req, int64_t version, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_write write = {
		.op = CLQ_WRITE_CREATE,
		.coll = { CLQ_STR("thing"), CLQ_STR("toolkit:steps") },
		.id = clq_uuid4(arena),
		.data = clq_arena_printf(arena, "{\"step\":%lld}",
		    (long long)version),
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	(void)ctx;
	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->write(self, &write, 1)) != CLQ_OK ||
	    (rc = storage->sync(self)) != CLQ_OK)
		return rc;
	return version == 3 ? CLQ_FAILED : write.status;
}

static enum clq_status
add_all(struct clq_server *srv)
{
	static struct clq_migration migration = {
		.size = sizeof migration, .name = "toolkit", .step = migrate,
	};
	struct clq_settings *s = clq_server_settings(srv);
	enum clq_status rc;

	migration.version = clq_settings_int(s, "toolkit.version", 2);
	clq_add_public_setting(srv, "toolkit.greeting");
	if ((rc = clq_add_service(srv, &input_service)) != CLQ_OK ||
	    (rc = clq_add_service(srv, &visit_service)) != CLQ_OK ||
	    (rc = clq_add_resource(srv, &thing)) != CLQ_OK ||
	    (rc = clq_add_auth_kind(srv, &auth)) != CLQ_OK ||
	    (rc = clq_add_migration(srv, &migration)) != CLQ_OK ||
	    (rc = clq_add_heartbeat(srv, "toolkit", beat, NULL)) != CLQ_OK ||
	    (rc = clq_add_capability(srv, "toolkit", "One of each.",
	    "https://example.org/", "{\"since\":1}")) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_IN_TRANSACTION, ~0u, NULL, veto,
	    NULL)) != CLQ_OK)
		return rc;
	if (clq_settings_bool(s, "toolkit.bad_input", false) &&
	    (rc = clq_add_service(srv, &wrong_service)) != CLQ_OK)
		return rc;
	return clq_settings_bool(s, "toolkit.twice", false) ?
	    clq_add_service(srv, &same_path) : CLQ_OK;
}

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings));
	return rc == CLQ_OK ? add_all(srv) : rc;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "toolkit", .version = "1", .app = &app,
};
