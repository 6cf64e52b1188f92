/*
 * @NAME@: an application of the cliquet toolkit.
 *
 *	GET  /v1/greeting/{whom}	a view with an input: ?shout=yes
 *	     /v1/notes			a resource: each user's own notes
 *
 * The interface is in <cliquet/app.h>; `cliquet dump-config` shows all settings.
 */
#include <cliquet/cliquet.h>

/* ---- settings: in @NAME@.ini, or in the environment ---------------------- */

static const struct clq_setting settings[] = {
	{ "@NAME@.greeting", CLQ_SET_STR, "Hello", 0, 0, NULL,
	  "The word that greets." },
};

/* ---- a view -------------------------------------------------------------- */

static const struct clq_input greeting_inputs[] = {
	{ CLQ_IN_PATH, { .name = "whom", .type = CLQ_FIELD_STRING,
	    .min = 1, .max = 50 }, 0, NULL },
	{ CLQ_IN_QUERY, { .name = "shout", .type = CLQ_FIELD_BOOL,
	    .def = "false" }, 0, NULL },
};

static enum clq_status
get_greeting(struct clq_request *req, void *ctx)
{
	struct clq_arena *arena = clq_request_arena(req);
	const struct clq_settings *s =
	    clq_server_settings(clq_request_server(req));
	struct clq_str word = clq_settings_str(s, "@NAME@.greeting");
	struct clq_str whom = clq_request_var(req, "whom");
	bool shout = cJSON_IsTrue(clq_json_get(
	    clq_request_inputs(req, CLQ_IN_QUERY), "shout"));
	cJSON *answer = clq_json_own(arena, cJSON_CreateObject());

	(void)ctx;
	clq_json_set(answer, "message", clq_json_new_str(clq_arena_printf(
	    arena, "%.*s, %.*s%s", CLQ_FMT(word), CLQ_FMT(whom),
	    shout ? "!" : ".")));
	return clq_reply_json(req, 200, answer);
}

static const struct clq_verb greeting_verbs[] = {
	{ CLQ_METHOD_GET, get_greeting, CLQ_TX_READ },
};

static const struct clq_service greeting = {
	.size = sizeof greeting,
	.name = "greeting",
	.path = "/greeting/{whom}",
	.verbs = greeting_verbs,
	.nverbs = CLQ_COUNT(greeting_verbs),
	.flags = CLQ_SERVICE_NO_TX,	/* it needs no storage */
	.description = "Greets whom you want.",
	.inputs = greeting_inputs,
	.ninputs = CLQ_COUNT(greeting_inputs),
};

/* ---- a resource ------------------------------------------------------------ */

static const struct clq_field note_fields[] = {
	{ .name = "text", .type = CLQ_FIELD_STRING, .flags = CLQ_REQUIRED,
	  .min = 1, .max = 1000 },
	{ .name = "done", .type = CLQ_FIELD_BOOL, .def = "false" },
};

static const struct clq_resource note = {
	.size = sizeof note,
	.name = "note",
	.plural_path = "/notes",
	.flags = CLQ_RESOURCE_USER,	/* each user has a list of his own */
	.fields = note_fields,
	.nfields = CLQ_COUNT(note_fields),
	.description = "Notes of the user.",
};

/* ---- start-up ---------------------------------------------------------------- */

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	if ((rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings))) != CLQ_OK ||
	    (rc = clq_add_service(srv, &greeting)) != CLQ_OK)
		return rc;
	return clq_add_resource(srv, &note);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "@NAME@", .version = "1.0", .app = &app,
};
