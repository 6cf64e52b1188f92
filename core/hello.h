/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the root URL shows (section 07-1) and what heartbeats ask: registries
 * filled in the master by core and plugins, read by the views of hello.c and
 * views.c.
 */
#ifndef CLQ_HELLO_H
#define CLQ_HELLO_H

#include "request.h"

struct clq_capability {
	const char		*id;
	const char		*description;
	const char		*url;
	struct clq_str		 extra;		/* ",\"k\":v..." or empty */
	struct clq_capability	*next;
};

struct clq_public_setting {
	const char			*key;
	struct clq_public_setting	*next;
};

struct clq_user_info {
	clq_user_info_f		*fn;
	struct clq_user_info	*next;
};

struct clq_heartbeat {
	const char		*name;
	clq_heartbeat_f		*fn;
	void			*ctx;
	struct clq_heartbeat	*next;
};

struct clq_hello {
	struct clq_capability		*capabilities;
	struct clq_public_setting	*settings;
	struct clq_user_info		*user_infos;
	struct clq_heartbeat		*heartbeats;
	struct clq_str			 config;	/* JSON, or null */
	struct clq_str			 version;	/* version.json; absent:
							   not read yet */
	struct clq_str			 before_url;	/* pieces of the answer; */
	struct clq_str			 before_user;	/* absent before the */
	struct clq_str			 after_user;	/* first request */
};

/* Empty registries, and `config` worked out; in the master. */
struct clq_hello *clq_hello_new(struct clq_server *srv);

/* The setting, or what project_version implies (section 01-1): "1.23". */
struct clq_str clq_api_version(struct clq_server *srv);

/* GET / */
clq_view_f clq_hello_view;

#endif
