/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners declared in the ini: section 07-11.1. */
#include <cliquet/str.h>

#include "core/events.h"
#include "tests/support/loopback.h"
#include "tests/support/offer.h"

#include <criterion/criterion.h>

#include <stdio.h>

static char said[512];

static enum clq_status
notify(struct clq_request *req, const struct clq_event *e, void *ctx)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof said - n, "%s %s %d;", (const char *)ctx,
	    e->resource->name, (int)e->action);
	return strcmp(ctx, "bad") == 0 ? clq_fail(req, 121, NULL) : CLQ_OK;
}

static enum clq_status
configure(struct clq_server *srv, const char *listener, const char *prefix,
    void **ctx)
{
	char key[100];

	cr_expect(clq_str_starts(clq_str_of(prefix), "event_listeners."));
	snprintf(key, sizeof key, "%slabel", prefix);
	*ctx = clq_arena_cstr(clq_server_arena(srv), clq_str_of(
	    clq_settings_cstr(clq_server_settings(srv), key)));
	cr_expect_not_null(listener);
	return CLQ_OK;
}

static const char *const aliases[] = { "their.dotted.name", NULL };
static const struct clq_listener_kind kind = { .size = sizeof kind,
	.name = "audit", .aliases = aliases, .configure = configure,
	.notify = notify };

static enum clq_status
setup(struct clq_server *srv)
{
	return clq_add_listener_kind(srv, &kind);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };
static const struct clq_plugin plugin = { CLQ_PLUGIN_HEAD, .name = "audit",
	.app = &app };

/* A plugin without any listener. */
static enum clq_status
no_setup(struct clq_server *srv)
{
	(void)srv;
	return CLQ_OK;
}

static const struct clq_app_ops other = { .size = sizeof other,
	.setup = no_setup };
static const struct clq_plugin other_plugin = { CLQ_PLUGIN_HEAD,
	.name = "other", .app = &other };

static const struct clq_resource thing = { .size = sizeof thing,
	.name = "thing" };

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	struct clq_object now = { .id = CLQ_STR("x") };
	struct clq_change c = { .resource = &thing,
		.action = CLQ_ACTION_CREATE, .new_ = &now };
	struct clq_coll coll = { CLQ_STR("thing"), CLQ_STR("") };

	(void)ctx;
	clq_event_change(req, &c, NULL);
	clq_event_read(req, &thing, &coll, NULL, 0);
	return clq_reply(req, 200, CLQ_STR("{}"));
}

static int
status_with(const char *ini)
{
	struct loopback lb;
	int status;

	said[0] = '\0';
	lb = loopback_new(ini);
	loopback_view(&lb, CLQ_METHOD_POST, "/do", view, NULL);
	status = loopback_send(&lb, "POST", "/v1/do", NULL, NULL)->
	    response.status;
	loopback_free(&lb);
	return status;
}

#define V "project_version = 1.0\n"

Test(listeners, hear_what_they_were_told_to)
{
	offer(&plugin);
	cr_expect_eq(status_with(V "event_listeners = a b\n"
	    "event_listeners.a.use = audit\nevent_listeners.a.label = one\n"
	    "event_listeners.b.use = their.dotted.name\n"
	    "event_listeners.b.label = two\n"
	    "event_listeners.b.actions = read delete\n"), 200);
	cr_expect_str_eq(said, "one thing 0;two thing 3;");
}

Test(listeners, of_an_included_plugin)
{
	offer(&plugin);
	cr_expect_eq(status_with(V "includes = audit\nevent_listeners = a\n"
	    "event_listeners.a.use = audit\n"
	    "event_listeners.a.label = one\n"), 200);
	cr_expect_str_eq(said, "one thing 0;");
}

Test(listeners, may_refuse_the_request)
{
	offer(&plugin);
	cr_expect_eq(status_with(V "event_listeners = a\n"
	    "event_listeners.a.use = audit\n"
	    "event_listeners.a.label = bad\n"), 403);
}

Test(listeners, that_are_wrong_do_not_start)
{
	offer(&plugin);
	offer(&other_plugin);
	cr_expect_eq(loopback_try(V "event_listeners = a\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(V "event_listeners = a\n"
	    "event_listeners.a.use = nothing\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(V "event_listeners = a\n"
	    "event_listeners.a.use = other\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(V "event_listeners = a\n"
	    "event_listeners.a.use = audit\n"
	    "event_listeners.a.actions = create explode\n"), CLQ_INVALID);
	cr_expect_eq(loopback_try(V "event_listeners = a\n"
	    "event_listeners.a.use = audit\n"
	    "event_listeners.a.resources = nothing\n"), CLQ_INVALID);
}

static enum clq_status
deliver(struct clq_delivery *d, void *ctx)
{
	(void)d;
	(void)ctx;
	return CLQ_OK;
}

static const struct clq_listener_kind sender = { .size = sizeof sender,
	.name = "sender", .deliver = deliver };
static const struct clq_listener_kind nothing = { .size = sizeof nothing,
	.name = "nothing" };

static enum clq_status
add_sender(struct clq_server *srv)
{
	cr_expect_eq(clq_add_listener_kind(srv, &nothing), CLQ_INVALID);
	return clq_add_listener_kind(srv, &sender);
}

static const struct clq_app_ops sends = { .size = sizeof sends,
	.setup = add_sender };
static const struct clq_plugin sender_plugin = { CLQ_PLUGIN_HEAD,
	.name = "sender", .app = &sends };

Test(listeners, whose_events_are_stored_need_a_storage)
{
	offer(&sender_plugin);
	cr_expect_eq(loopback_try(V "storage_backend =\n"
	    "event_listeners = a\n"
	    "event_listeners.a.use = sender\n"), CLQ_INVALID);
}
