/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the endpoints of a resource ask before anything else; known from the
 * request alone, so that a batch can ask for all its parts at once.
 *
 * Looking ahead has no effect: it routes as dispatch.c will, and stops where
 * something else would have to be asked first. What it misses, or gets wrong
 * because an earlier part of the batch changes it, costs a round trip.
 */
#include "ahead.h"

#include <cliquet/str.h>

#include "auth.h"
#include "resource_impl.h"
#include "router.h"
#include "server.h"

/* ---- questions ---------------------------------------------------------- */

bool
clq_creates_only(struct clq_request *req)
{
	return clq_str_is(clq_request_header(req, "If-None-Match"), "*");
}

static unsigned
ask_of_object(struct clq_target *t)
{
	switch (t->req->method) {
	case CLQ_METHOD_PUT:
		clq_target_ask(t, CLQ_ACCESS_CREATE);
		clq_target_ask(t, clq_creates_only(t->req) ?
		    CLQ_ACCESS_READ : CLQ_ACCESS_WRITE);
		return CLQ_LOOK_ACL;
	case CLQ_METHOD_PATCH:
		clq_target_ask(t, CLQ_ACCESS_WRITE);
		clq_target_ask(t, CLQ_ACCESS_LIST);
		return CLQ_LOOK_ACL;
	case CLQ_METHOD_DELETE:
		clq_target_ask(t, CLQ_ACCESS_WRITE);
		clq_target_ask(t, CLQ_ACCESS_LIST);
		return 0;
	default:
		clq_target_ask(t, CLQ_ACCESS_READ);
		return CLQ_LOOK_ACL;
	}
}

static unsigned
ask_of_list(struct clq_target *t)
{
	if (t->req->method == CLQ_METHOD_POST) {
		clq_target_ask(t, CLQ_ACCESS_CREATE);
		if (t->at.id.p != NULL)
			clq_target_ask(t, CLQ_ACCESS_READ);
		return CLQ_LOOK_ACL;
	}
	clq_target_ask(t, t->req->method == CLQ_METHOD_DELETE ?
	    CLQ_ACCESS_DELETE_LIST : CLQ_ACCESS_LIST);
	clq_target_ask(t, CLQ_ACCESS_CREATE);
	return CLQ_LOOK_TIMESTAMP;
}

unsigned
clq_target_ask_all(struct clq_target *t)
{
	return t->req->route->kind == CLQ_ROUTE_OBJECT ? ask_of_object(t) :
	    ask_of_list(t);
}

/* ---- looking ahead ------------------------------------------------------ */

/* Where an alias will lead. */
static const struct clq_route *
follow(struct clq_request *sub, const struct clq_route *route)
{
	struct clq_str path;

	if (route == NULL || route->alias == NULL)
		return route;
	path = route->alias(sub);
	return path.p != NULL ? clq_router_match(sub, path) : NULL;
}

static const struct clq_route *
route_of(struct clq_request *sub)
{
	struct clq_str prefix = sub->server->prefix;

	sub->nvars = 0;
	if (clq_request_decode_path(sub) != CLQ_OK ||
	    !clq_str_eq(clq_str_sub(sub->path, 0, prefix.len), prefix))
		return NULL;
	return follow(sub, clq_router_match(sub, clq_str_sub(sub->path,
	    prefix.len, sub->path.len)));
}

/* The id in the body of a POST is part of the question. */
static void
read_id(struct clq_target *t)
{
	struct clq_str body = clq_request_body(t->req);
	struct clq_body b;

	if (t->req->method != CLQ_METHOD_POST ||
	    clq_str_search(body, CLQ_STR("\"id\"")) == body.len)
		return;
	clq_body_read(t->req, &b);
	if (cJSON_IsString(b.id))
		clq_place_set_id(t->req->arena, &t->at, clq_json_str(b.id));
}

static struct clq_lookup *
lookup_of(struct clq_request *sub)
{
	const struct clq_route *route = route_of(sub);
	const struct clq_resource_entry *entry;
	struct clq_target *t;
	unsigned what;

	if (route == NULL || route->kind == CLQ_ROUTE_SERVICE ||
	    route->verbs[sub->method].view == NULL)
		return NULL;
	entry = route->ctx;
	/* only the resource knows its list then, and may ask who knows whom */
	if (CLQ_HAS(entry->decl, scope))
		return NULL;
	sub->route = route;
	t = clq_target_new(sub, entry);
	read_id(t);
	what = clq_target_ask_all(t);
	if ((what & CLQ_LOOK_TIMESTAMP) != 0 || !clq_target_prepare(t, what))
		return NULL;
	return &t->lookup;
}

struct clq_lookup *
clq_look_ahead(struct clq_request *sub)
{
	struct clq_lookup *l = NULL;

	if (clq_auth_resolve(sub) == CLQ_OK)
		l = lookup_of(sub);
	if (l != NULL) {
		l->user = sub->identity.user;
		l->principals = sub->identity.principals;
		l->reading = clq_method_safe(sub->method);
	}
	/* whatever was found is found again, and said, in its turn */
	memset(&sub->error, 0, sizeof sub->error);
	if (sub->identity.unavailable)
		memset(&sub->identity, 0, sizeof sub->identity);
	sub->route = NULL;
	sub->nvars = 0;
	return l;
}
