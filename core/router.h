/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a decoded path to a route: services and the two endpoints of each
 * resource (section 01-1). Built in the master; looked up without allocation.
 */
#ifndef CLQ_ROUTER_H
#define CLQ_ROUTER_H

#include "request.h"

enum clq_route_kind {
	CLQ_ROUTE_SERVICE,
	CLQ_ROUTE_PLURAL,
	CLQ_ROUTE_OBJECT
};

struct clq_route {
	enum clq_route_kind		 kind;
	const char			*name;		/* "record-object", "hello" */
	const char			*pattern;	/* "/buckets/{bucket_id}" */
	unsigned			 methods;	/* CLQ_BIT()s, OPTIONS and HEAD
							   included */
	struct clq_verb			 verbs[CLQ_METHOD__COUNT]; /* by method;
							   view NULL: none */
	enum clq_method			 order[CLQ_METHOD__COUNT]; /* for Allow */
	size_t				 norder;
	bool				 no_head;	/* HEAD is refused, GET or not */
	unsigned			 flags;		/* CLQ_SERVICE_... */
	void				*ctx;		/* for the views */
	const struct clq_resource	*resource;	/* plural and object routes */
	const char			*description;	/* for OpenAPI, may be NULL */
	const struct clq_input		*inputs;	/* of services */
	size_t				 ninputs;
	const char			*openapi;	/* for OpenAPI, may be NULL */
	uint64_t			 max_body;	/* services; 0: the setting's */
	const char			*body_folder;
	clq_alias_f			*alias;		/* of a service; or NULL */
};

/* An empty router over the server's arena. */
struct clq_router *clq_router_new(struct clq_arena *arena);

/*
 * Add a copy of route, in the master. Of the route, verbs and order are needed;
 * methods is worked out here, HEAD falls back to GET, OPTIONS is added, and in
 * readonly mode resources lose their unsafe verbs. Texts are borrowed.
 * CLQ_INVALID (logged) if the pattern exists already, is malformed or has more
 * than CLQ_MAX_VARS variables.
 */
enum clq_status clq_router_add(struct clq_server *srv,
    const struct clq_route *route) CLQ_MUST_CHECK;

/*
 * Match a decoded path below the prefix, filling req->vars. NULL: none. Empty
 * segments never match a variable.
 */
const struct clq_route *clq_router_match(struct clq_request *req,
    struct clq_str path);

/*
 * The first service with a max_body whose pattern fits a path below the prefix,
 * whatever other routes say, since an alias may lead there; NULL: none.
 */
const struct clq_route *clq_router_room(const struct clq_router *router,
    struct clq_str path);

/* The nth route, in no particular order; NULL beyond the last. For OpenAPI. */
const struct clq_route *clq_router_nth(const struct clq_router *router,
    size_t n);

#endif
