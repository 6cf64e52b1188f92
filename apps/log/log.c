/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener `log`: a line in the server's log for each event, after its
 * commit. For people who want to see what happens, and as an example.
 *
 * Its line is the payload as JSON, or a short text; both without the objects
 * unless they are wanted, since they may hold what should not be in a log.
 */
#include <cliquet/app.h>
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

enum { LINE_MAX_BYTES = 16384 };

struct logger {
	const char	*name;
	bool		 json;
	bool		 objects;
};

static const struct clq_setting options[] = {
	{ "format", CLQ_SET_STR, "text", 0, 0, NULL,
	  "Lines as text, or as JSON (the payload)." },
	{ "objects", CLQ_SET_BOOL, "false", 0, 0, NULL,
	  "Log the objects too, as JSON." },
};

static enum clq_status
configure(struct clq_server *srv, const char *listener, const char *prefix,
    void **ctx)
{
	struct clq_settings *s = clq_server_settings(srv);
	struct logger *l = clq_arena_alloc(clq_server_arena(srv), sizeof *l);
	const struct clq_setting *t;
	struct clq_str format;

	t = clq_settings_declare_below(s, prefix, options,
	    CLQ_COUNT(options));
	if (t == NULL)
		return CLQ_INVALID;
	format = clq_settings_str(s, t[0].key);
	l->name = listener;
	l->json = clq_str_is(format, "json");
	l->objects = clq_settings_bool(s, t[1].key, false);
	if (!l->json && !clq_str_is(format, "text"))
		return clq_settings_error(s, t[0].key,
		    "\"%.*s\" is not one of text, json", CLQ_FMT(format));
	*ctx = l;
	return CLQ_OK;
}

static enum clq_status
notify(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	static const char *const names[] = {
		[CLQ_ACTION_CREATE] = "create",
		[CLQ_ACTION_UPDATE] = "update",
		[CLQ_ACTION_DELETE] = "delete", [CLQ_ACTION_READ] = "read",
	};
	const struct logger *l = ctx;
	struct clq_str user = event->user.p != NULL ? event->user :
	    CLQ_STR("-");
	struct clq_buf b;

	_Static_assert(CLQ_COUNT(names) == CLQ_ACTION__COUNT, "");
	clq_buf_init(&b, clq_request_arena(req), 512);
	if (l->json || l->objects)
		clq_event_print(&b, event, l->objects);
	else
		clq_buf_printf(&b, "%s %s %.*s by %.*s, %zu objects",
		    names[event->action], event->resource->name,
		    CLQ_FMT(event->uri), CLQ_FMT(user),
		    event->nchanges + event->nreads);
	if (b.len > LINE_MAX_BYTES) {
		clq_buf_init(&b, clq_request_arena(req), 512);
		clq_event_print(&b, event, false);
	}
	clq_log_info("listener %s: %.*s", l->name, CLQ_FMT(clq_buf_str(&b)));
	return CLQ_OK;
}

static const struct clq_listener_kind kind = {
	.size		= sizeof kind,
	.name		= "log",
	.configure	= configure,
	.notify		= notify,
	.flags		= CLQ_LISTENER_AFTER,
};

static enum clq_status
setup(struct clq_server *srv)
{
	return clq_add_listener_kind(srv, &kind);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };
const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "log", .version = "1", .app = &app,
};
