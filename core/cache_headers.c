/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Control of GET and HEAD on resources (section 01-6.3).
 *
 * Answers to somebody are nobody else's, so only anonymous requests may be
 * cached, and only where the application or a setting says for how long.
 */
#include "resource_impl.h"

#include "response.h"
#include "server.h"

/* Seconds that the resource's rules give; -1: no rule. */
static int64_t
seconds_of(struct clq_request *req, const struct clq_resource *decl,
    const struct clq_object *parent)
{
	struct clq_str key;
	int64_t seconds;

	if (decl->cache_seconds != NULL)
		return decl->cache_seconds(req, parent);
	key = clq_arena_printf(req->arena, "%s_cache_expires_seconds",
	    decl->name);
	seconds = clq_settings_int(req->server->settings, key.p, -1);
	return seconds > 0 ? seconds : -1;
}

void
clq_cache_headers(struct clq_request *req,
    const struct clq_resource_entry *entry, const struct clq_object *parent)
{
	int64_t seconds = -1;

	if (clq_request_user(req).p == NULL)
		seconds = seconds_of(req, entry->decl, parent);
	if (seconds < 0)
		clq_set_own_header(req, CLQ_STR("Cache-Control"),
		    CLQ_STR("no-cache, no-store"));
	else
		clq_response_cache(req, seconds);
}
