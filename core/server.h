/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configured server: settings, backends, routes, resources, capabilities.
 *
 * Built in the master by clq_server_new(), read-only afterwards; each worker
 * inherits it over fork and calls clq_server_open(). On reload the master
 * builds a fresh one and lets the old workers leave.
 */
#ifndef CLQ_SERVER_H
#define CLQ_SERVER_H

#include <cliquet/app.h>

#include "cache.h"

/* A backend: its plugin and its instance. ops == NULL: none configured. */
struct clq_storage_backend {
	const struct clq_plugin		*plugin;
	const struct clq_storage_ops	*ops;
	void				*self;
};
struct clq_permission_backend {
	const struct clq_plugin		*plugin;
	const struct clq_permission_ops	*ops;
	void				*self;	/* == storage.self: one instance,
						   one transaction */
};

struct clq_router;		/* router.h */
struct clq_auth;		/* auth.h: the policies */
struct clq_events;		/* events.h: subscribers */
struct clq_hello;		/* hello.h: capabilities, public settings */
struct clq_lifecycle;		/* lifecycle.h: end of service, backoff */
struct clq_cors;		/* cors.h: allowed origins */
struct clq_migrations;		/* migrations.h: of applications */
struct clq_timing;		/* timing.h */
struct clq_listeners;		/* listeners.h: their kinds */
struct clq_outbox;		/* outbox.h: events that wait */
struct clq_timed;		/* timed.h: a clock around backend calls */
struct clq_openapi;		/* openapi.h: what /__api__ answers */
struct clq_metrics;		/* metrics.h */
struct clq_request_metrics;	/* metrics_request.c */

struct clq_server {
	struct clq_arena		*arena;		/* start-up memory */
	struct clq_settings		*settings;
	struct clq_storage_backend	 storage;
	struct clq_permission_backend	 permission;
	struct clq_cache		 cache;
	const struct clq_plugin		*cache_plugin;

	struct clq_str			 prefix;	/* "/v1" */
	bool				 readonly;
	int64_t				 retry_after;	/* seconds */
	int64_t				 max_body;	/* max_body_bytes */
	int64_t				 max_fetch;	/* storage_max_fetch_size */
	int64_t				 paginate_by;	/* 0: none */
	bool				 explicit_permissions;
	bool				 broken;	/* will not start; only
							   asked for problems */

	struct clq_router		*router;
	struct clq_auth			*auth;
	struct clq_events		*events;
	struct clq_hello		*hello;
	struct clq_lifecycle		*lifecycle;
	struct clq_cors			*cors;
	struct clq_listeners		*listeners;
	struct clq_outbox		*outbox;	/* NULL: nobody needs one */
	struct clq_timing		*timing;
	bool				 wants_phases;	/* phases.h */
	struct clq_timed		*timed;		/* NULL: no clock */
	struct clq_openapi		*openapi;	/* NULL: not offered */
	struct clq_metrics		*metrics;
	struct clq_request_metrics	*request_metrics;

	struct clq_server		**versions;	/* versions.h; beside
							   this one */
	size_t				 nversions;

	struct clq_migrations		*migrations;	/* migrations.h */
	struct clq_resource_entry	*resources;	/* resource.h */
	size_t				 nresources;
};

/*
 * Load plugins, configure backends, run the application's and the includes'
 * setup, build the routes. In the master. settings is taken over, on failure
 * too. CLQ_INVALID after all problems have been logged.
 */
CLQ_API enum clq_status clq_server_new(struct clq_settings *settings,
    struct clq_server **out) CLQ_MUST_CHECK;

/* In a worker, after fork: open the backends. */
CLQ_API enum clq_status clq_server_open(struct clq_server *srv)
    CLQ_MUST_CHECK;

/* Close the backends' instances and free everything; master or worker. */
CLQ_API void clq_server_free(struct clq_server **srv);

#endif
