/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: declared services and the endpoints of resources (section 01-1).
 *
 * There are some dozens of routes, so a sorted list does: a pattern with a
 * literal segment comes before one that has a variable there, and the first
 * that matches wins. So an alias takes all that is below it, whatever else the
 * rest of the path would fit. Patterns are split once, in the master; matching
 * compares segments of the decoded path in place and allocates nothing.
 */
#include "router.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "inputs.h"
#include "server.h"

enum { MAX_SEGMENTS = 32 };

struct segment {
	struct clq_str	text;		/* literal, or variable's name */
	bool		variable;
};

struct entry {
	struct clq_route	 route;
	struct segment		*segments;
	size_t			 n;
	bool			 rest;		/* the last takes everything */
	uint32_t		 literals;	/* bits, the first highest */
};

struct clq_router {
	struct clq_arena	 *arena;
	struct entry		**entries;	/* best first */
	size_t			  n;
	size_t			  cap;
};

struct clq_router *
clq_router_new(struct clq_arena *arena)
{
	struct clq_router *router = clq_arena_alloc(arena, sizeof *router);

	router->arena = arena;
	return router;
}

const struct clq_route *
clq_router_nth(const struct clq_router *router, size_t n)
{
	return n < router->n ? &router->entries[n]->route : NULL;
}

/* ---- patterns ---------------------------------------------------------- */

/* Take the next segment off rest, which begins with '/'. */
static struct clq_str
next_segment(struct clq_str *rest)
{
	size_t end = clq_str_find(*rest, '/', 1);
	struct clq_str s = clq_str_sub(*rest, 1, end);

	*rest = clq_str_sub(*rest, end, rest->len);
	return s;
}

/* Classify one segment of a pattern; false if it is malformed. */
static bool
segment_parse(struct clq_str text, bool last, struct segment *out, bool *rest)
{
	out->text = text;
	out->variable = clq_str_starts(text, "{");
	if (!out->variable)
		return clq_str_find(text, '{', 0) == text.len &&
		    clq_str_find(text, '}', 0) == text.len;
	if (!clq_str_ends(text, "}"))
		return false;
	out->text = clq_str_sub(text, 1, text.len - 1);
	if (clq_str_ends(out->text, "*")) {
		*rest = true;
		out->text = clq_str_sub(out->text, 0, out->text.len - 1);
	}
	return out->text.len > 0 && (!*rest || last);
}

static bool
pattern_parse(struct clq_arena *arena, const char *pattern, struct entry *e)
{
	struct clq_str rest = clq_str_of(pattern);
	size_t nvars = 0;

	if (!clq_str_starts(rest, "/"))
		return false;
	e->segments = clq_arena_calloc(arena, MAX_SEGMENTS,
	    sizeof *e->segments);
	for (; rest.len > 0; e->n++) {
		struct segment *s = &e->segments[e->n];
		struct clq_str text;

		if (e->n == MAX_SEGMENTS)
			return false;
		text = next_segment(&rest);
		if (!segment_parse(text, rest.len == 0, s, &e->rest))
			return false;
		if (s->variable)
			nvars++;
		else
			e->literals |= UINT32_C(1) << (31 - e->n);
	}
	return nvars <= CLQ_MAX_VARS;
}

/* True if both match exactly the same paths. */
static bool
same_pattern(const struct entry *a, const struct entry *b)
{
	if (a->n != b->n || a->rest != b->rest ||
	    a->literals != b->literals)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!a->segments[i].variable &&
		    !clq_str_eq(a->segments[i].text, b->segments[i].text))
			return false;
	return true;
}

/* True if a is to be tried before b. */
static bool
better(const struct entry *a, const struct entry *b)
{
	if (a->literals != b->literals)
		return a->literals > b->literals;
	return !a->rest && b->rest;
}

/* ---- verbs ------------------------------------------------------------- */

static void
order_add(struct clq_route *r, enum clq_method method)
{
	if (r->methods & CLQ_BIT(method))
		return;
	r->methods |= CLQ_BIT(method);
	r->order[r->norder++] = method;
}

/* Work out methods and order from what was declared. */
static void
verbs_complete(const struct clq_server *srv, struct clq_route *r)
{
	enum clq_method declared[CLQ_METHOD__COUNT];
	size_t n = r->norder;
	bool safe_only = srv->readonly && r->kind != CLQ_ROUTE_SERVICE;

	memcpy(declared, r->order, sizeof declared);
	r->methods = 0;
	r->norder = 0;
	for (size_t i = 0; i < CLQ_METHOD__COUNT; i++)
		if (safe_only && !clq_method_safe((enum clq_method)i))
			r->verbs[i].view = NULL;
	for (size_t i = 0; i < n; i++) {
		if (r->verbs[declared[i]].view == NULL)
			continue;
		order_add(r, declared[i]);
		if (declared[i] == CLQ_METHOD_GET && !r->no_head &&
		    r->verbs[CLQ_METHOD_HEAD].view == NULL) {
			r->verbs[CLQ_METHOD_HEAD] = r->verbs[CLQ_METHOD_GET];
			order_add(r, CLQ_METHOD_HEAD);
		}
	}
	order_add(r, CLQ_METHOD_OPTIONS);
}

/* ---- adding ------------------------------------------------------------ */

static void
entries_insert(struct clq_router *router, struct entry *e)
{
	size_t i, cap;

	if (router->n == router->cap) {
		cap = router->cap > 0 ? 2 * router->cap : 32;
		router->entries = clq_arena_grow(router->arena,
		    router->entries, router->cap * sizeof *router->entries,
		    cap * sizeof *router->entries);
		router->cap = cap;
	}
	for (i = router->n; i > 0 && better(e, router->entries[i - 1]); i--)
		router->entries[i] = router->entries[i - 1];
	router->entries[i] = e;
	router->n++;
}

enum clq_status
clq_router_add(struct clq_server *srv, const struct clq_route *route)
{
	struct clq_router *router = srv->router;
	struct entry *e = clq_arena_alloc(srv->arena, sizeof *e);

	e->route = *route;
	if (!pattern_parse(srv->arena, route->pattern, e)) {
		clq_log_err("route %s: malformed pattern \"%s\"; a variable "
		    "is one segment \"{name}\", at most %d of them",
		    route->name, route->pattern, CLQ_MAX_VARS);
		return CLQ_INVALID;
	}
	for (size_t i = 0; i < router->n; i++) {
		if (!same_pattern(e, router->entries[i]))
			continue;
		clq_log_err("route %s: \"%s\" is taken by %s already",
		    route->name, route->pattern,
		    router->entries[i]->route.name);
		return CLQ_INVALID;
	}
	verbs_complete(srv, &e->route);
	entries_insert(router, e);
	return CLQ_OK;
}

/* The first verb stands for all; TRACE and unknown ones stay 405. */
static void
any_method(struct clq_route *r, const struct clq_verb *verb)
{
	static const enum clq_method all[] = {
		CLQ_METHOD_GET, CLQ_METHOD_HEAD, CLQ_METHOD_POST,
		CLQ_METHOD_PUT, CLQ_METHOD_PATCH, CLQ_METHOD_DELETE,
	};

	r->norder = CLQ_COUNT(all);
	for (size_t i = 0; i < CLQ_COUNT(all); i++) {
		r->order[i] = all[i];
		r->verbs[all[i]] = *verb;
		r->verbs[all[i]].method = all[i];
	}
}

enum clq_status
clq_add_service(struct clq_server *srv, const struct clq_service *service)
{
	struct clq_route r;

	memset(&r, 0, sizeof r);
	r.kind = CLQ_ROUTE_SERVICE;
	r.name = service->name;
	r.pattern = service->path;
	r.flags = service->flags;
	r.ctx = service->ctx;
	r.description = service->description;
	if (CLQ_HAS(service, openapi))
		r.openapi = service->openapi;
	if (CLQ_HAS(service, inputs)) {
		r.inputs = service->inputs;
		r.ninputs = service->ninputs;
		if (clq_inputs_check(srv, &r) != CLQ_OK)
			return CLQ_INVALID;
	}
	if (service->size >= offsetof(struct clq_service, body_folder) +
	    sizeof service->body_folder) {
		r.max_body = service->max_body;
		r.body_folder = service->body_folder;
	}
	r.alias = CLQ_HAS(service, alias) ? service->alias : NULL;
	if (service->flags & CLQ_SERVICE_ANY_METHOD && service->nverbs > 0) {
		any_method(&r, &service->verbs[0]);
		return clq_router_add(srv, &r);
	}
	for (size_t i = 0; i < service->nverbs; i++) {
		const struct clq_verb *v = &service->verbs[i];

		if (v->view == NULL || v->method >= CLQ_METHOD_OPTIONS ||
		    r.verbs[v->method].view != NULL) {
			clq_log_err("service %s: verb %zu has no view, is not "
			    "one of GET HEAD POST PUT PATCH DELETE, or is "
			    "declared twice", service->name, i);
			return CLQ_INVALID;
		}
		r.verbs[v->method] = *v;
		r.order[r.norder++] = v->method;
	}
	return clq_router_add(srv, &r);
}

/* ---- matching ---------------------------------------------------------- */

struct split {
	struct clq_str	segments[MAX_SEGMENTS];
	struct clq_str	tails[MAX_SEGMENTS];	/* from that segment on */
	size_t		n;			/* MAX_SEGMENTS + 1: more */
};

static void
split_path(struct clq_str path, struct split *out)
{
	struct clq_str rest = path;

	for (out->n = 0; rest.len > 0; out->n++) {
		if (out->n == MAX_SEGMENTS) {
			out->n++;
			return;
		}
		out->tails[out->n] = clq_str_sub(rest, 1, rest.len);
		out->segments[out->n] = next_segment(&rest);
	}
}

static bool
entry_matches(const struct entry *e, const struct split *path)
{
	size_t fixed = e->rest ? e->n - 1 : e->n;

	if (e->rest ? path->n < e->n : path->n != e->n)
		return false;
	/* a slash at the end leads nowhere (section 01-1.2) */
	if (e->rest && e->route.alias != NULL && path->n <= MAX_SEGMENTS &&
	    path->segments[path->n - 1].len == 0)
		return false;
	for (size_t i = 0; i < fixed; i++)
		if (e->segments[i].variable ? path->segments[i].len == 0 :
		    !clq_str_eq(e->segments[i].text, path->segments[i]))
			return false;
	return true;
}

static void
fill_vars(struct clq_request *req, const struct entry *e,
    const struct split *path)
{
	req->nvars = 0;
	for (size_t i = 0; i < e->n; i++) {
		if (!e->segments[i].variable)
			continue;
		req->vars[req->nvars].name = e->segments[i].text;
		req->vars[req->nvars].value = e->rest && i == e->n - 1 ?
		    path->tails[i] : path->segments[i];
		req->nvars++;
	}
}

const struct clq_route *
clq_router_match(struct clq_request *req, struct clq_str path)
{
	const struct clq_router *router = req->server->router;
	struct split parts;

	if (!clq_str_starts(path, "/"))
		return NULL;
	split_path(path, &parts);
	for (size_t i = 0; i < router->n; i++) {
		if (!entry_matches(router->entries[i], &parts))
			continue;
		fill_vars(req, router->entries[i], &parts);
		return &router->entries[i]->route;
	}
	return NULL;
}

const struct clq_route *
clq_router_room(const struct clq_router *router, struct clq_str path)
{
	struct split parts;

	if (!clq_str_starts(path, "/"))
		return NULL;
	split_path(path, &parts);
	for (size_t i = 0; i < router->n; i++)
		if (router->entries[i]->route.max_body > 0 &&
		    entry_matches(router->entries[i], &parts))
			return &router->entries[i]->route;
	return NULL;
}
