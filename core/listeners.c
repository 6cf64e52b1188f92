/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From `event_listeners` to subscribers (section 07-11.1).
 *
 * A plugin brings the kind of listener; the operator names instances of it and
 * says which actions and resources each is told about. They run before the
 * commit, so that one that must not miss anything can refuse the request; those
 * that deliver events elsewhere are told later, from an outbox (outbox.h).
 */
#include "listeners.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "events.h"
#include "metrics.h"
#include "outbox.h"
#include "payload.h"
#include "server.h"

struct clq_listeners {
	struct kinds {
		const struct clq_listener_kind	*kind;
		struct kinds			*next;
	}	*first;
};

/* One listener being configured. */
struct listener {
	struct clq_server		*srv;
	const char			*name;
	struct clq_str			 prefix;
	const struct clq_listener_kind	*kind;
	unsigned			 actions;
	const char			**resources;
	void				*ctx;
};

/* What the subscriber of a listener gets. */
struct told {
	clq_subscriber_f	*notify;
	void			*ctx;
	const struct clq_metric	*seconds;
};

static bool
kind_is(const struct clq_listener_kind *kind, struct clq_str use)
{
	if (clq_str_is(use, kind->name))
		return true;
	for (const char *const *a = kind->aliases; a != NULL && *a != NULL;
	    a++)
		if (clq_str_is(use, *a))
			return true;
	return false;
}

static const struct clq_listener_kind *
kind_find(const struct clq_server *srv, struct clq_str use)
{
	const struct kinds *k;

	if (srv->listeners == NULL)
		return NULL;
	for (k = srv->listeners->first; k != NULL; k = k->next)
		if (kind_is(k->kind, use))
			return k->kind;
	return NULL;
}

enum clq_status
clq_add_listener_kind(struct clq_server *srv,
    const struct clq_listener_kind *kind)
{
	struct kinds *k;

	if (kind->notify == NULL && !CLQ_HAS(kind, deliver)) {
		clq_log_err("listener kind \"%s\" has neither notify nor "
		    "deliver", kind->name);
		return CLQ_INVALID;
	}
	if (kind_find(srv, clq_str_of(kind->name)) != NULL) {
		clq_log_err("listener kind \"%s\" exists already",
		    kind->name);
		return CLQ_INVALID;
	}
	if (srv->listeners == NULL)
		srv->listeners = clq_arena_alloc(srv->arena,
		    sizeof *srv->listeners);
	k = clq_arena_alloc(srv->arena, sizeof *k);
	k->kind = kind;
	k->next = srv->listeners->first;
	srv->listeners->first = k;
	return CLQ_OK;
}

/* "event_listeners.<name>.<option>" */
static const char *
key_of(const struct listener *l, const char *option)
{
	return clq_arena_printf(l->srv->arena, "%.*s%s", CLQ_FMT(l->prefix),
	    option).p;
}

/* What a plugin given by its path is called: "/x/mine.so" is "mine". */
static struct clq_str
kind_name(struct clq_str use)
{
	size_t slash = use.len;

	while (slash > 0 && use.p[slash - 1] != '/')
		slash--;
	if (slash == 0)
		return use;
	use = clq_str_sub(use, slash, use.len);
	return clq_str_ends(use, ".so") ? clq_str_sub(use, 0, use.len - 3) :
	    use;
}

static enum clq_status
find_kind(struct listener *l, enum clq_status (*setup)(
    struct clq_server *srv, struct clq_str value, const char *key))
{
	const char *key = key_of(l, "use");
	struct clq_str use = clq_settings_str(l->srv->settings, key);

	if (use.len == 0)
		return clq_settings_error(l->srv->settings, key,
		    "the listener \"%s\" needs it: the name of a plugin",
		    l->name);
	l->kind = kind_find(l->srv, kind_name(use));
	if (l->kind == NULL) {
		if (setup(l->srv, use, key) != CLQ_OK)
			return CLQ_INVALID;
		l->kind = kind_find(l->srv, kind_name(use));
	}
	if (l->kind == NULL)
		return clq_settings_error(l->srv->settings, key,
		    "the plugin \"%.*s\" brings no listener of that name",
		    CLQ_FMT(use));
	return CLQ_OK;
}

static enum clq_status
find_actions(struct listener *l)
{
	const char *key = key_of(l, "actions");
	struct clq_strs words = clq_settings_list(l->srv->settings, key);
	size_t a;

	if (words.n == 0)
		l->actions = CLQ_BIT(CLQ_ACTION_CREATE) |
		    CLQ_BIT(CLQ_ACTION_UPDATE) | CLQ_BIT(CLQ_ACTION_DELETE);
	for (size_t i = 0; i < words.n; i++) {
		for (a = 0; a < CLQ_ACTION__COUNT; a++)
			if (clq_str_is(words.items[i],
			    clq_action_name((enum clq_action)a)))
				break;
		if (a == CLQ_ACTION__COUNT)
			return clq_settings_error(l->srv->settings, key,
			    "\"%.*s\" is not one of create, update, delete, "
			    "read", CLQ_FMT(words.items[i]));
		l->actions |= CLQ_BIT(a);
	}
	return CLQ_OK;
}

static enum clq_status
find_resources(struct listener *l)
{
	const char *key = key_of(l, "resources");
	struct clq_strs words = clq_settings_list(l->srv->settings, key);

	if (words.n == 0)
		return CLQ_OK;		/* all */
	l->resources = clq_arena_calloc(l->srv->arena, words.n + 1,
	    sizeof *l->resources);
	for (size_t i = 0; i < words.n; i++) {
		l->resources[i] = clq_arena_cstr(l->srv->arena,
		    words.items[i]);
		if (clq_find_resource(l->srv, l->resources[i]) == NULL)
			return clq_settings_error(l->srv->settings, key,
			    "there is no resource \"%s\"",
			    l->resources[i]);
	}
	return CLQ_OK;
}

static enum clq_status
tell(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	const struct told *t = ctx;
	bool timed = clq_metrics_on(req->server);
	uint64_t since = timed ? clq_ticks() : 0;
	enum clq_status rc = t->notify(req, event, t->ctx);

	if (timed)
		clq_observe(req->server, t->seconds,
		    (int64_t)(clq_ticks() - since), NULL);
	return rc;
}

/* Flags of a kind; none of one that knows of none. */
static unsigned
kind_flags(const struct clq_listener_kind *kind)
{
	return kind->size >= offsetof(struct clq_listener_kind, flags) +
	    sizeof kind->flags ? kind->flags : 0;
}

static enum clq_status
subscribe(struct listener *l)
{
	struct told *t = clq_arena_alloc(l->srv->arena, sizeof *t);

	*t = (struct told){ l->kind->notify, l->ctx,
	    clq_metric_named(l->srv, (const char *const[]){ "listeners.",
	    l->name, ".seconds" }, NULL, "Time of a listener.") };
	return clq_subscribe(l->srv, kind_flags(l->kind) &
	    CLQ_LISTENER_AFTER ? CLQ_AFTER_COMMIT : CLQ_IN_TRANSACTION,
	    l->actions, l->resources, tell, t);
}

static enum clq_status
listener_configure(struct listener *l, enum clq_status (*setup)(
    struct clq_server *srv, struct clq_str value, const char *key))
{
	struct clq_outbox *box = NULL;
	enum clq_status rc;

	if ((rc = find_kind(l, setup)) != CLQ_OK ||
	    (rc = find_actions(l)) != CLQ_OK ||
	    (rc = find_resources(l)) != CLQ_OK)
		return rc;
	if (CLQ_HAS(l->kind, deliver) && (rc = clq_outbox_add(l->srv,
	    l->name, l->prefix.p, l->kind, l->actions, &box)) != CLQ_OK)
		return rc;
	if (l->kind->configure != NULL && (rc = l->kind->configure(l->srv,
	    l->name, l->prefix.p, &l->ctx)) != CLQ_OK)
		return rc;
	if (box == NULL)
		return subscribe(l);
	box->ctx = l->ctx;
	return clq_subscribe(l->srv, (enum clq_phase)CLQ_INTO_OUTBOX,
	    l->actions, l->resources, NULL, box);
}

enum clq_status
clq_listeners_configure(struct clq_server *srv, enum clq_status (*setup)(
    struct clq_server *srv, struct clq_str value, const char *key))
{
	struct clq_strs names = clq_settings_list(srv->settings,
	    "event_listeners");
	enum clq_status rc = CLQ_OK;

	for (size_t i = 0; i < names.n; i++) {
		struct listener l = { .srv = srv,
		    .name = clq_arena_cstr(srv->arena, names.items[i]) };

		l.prefix = clq_arena_printf(srv->arena,
		    "event_listeners.%s.", l.name);
		if (listener_configure(&l, setup) != CLQ_OK)
			rc = CLQ_INVALID;
	}
	return rc;
}
