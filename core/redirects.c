/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From /buckets to /v1/buckets, from /v1/buckets/ to /v1/buckets (01-1.1, 1.2).
 *
 * Targets are made of the path as it was sent, so nothing is encoded twice. A
 * batch follows these redirects itself and needs only the target.
 */
#include "redirects.h"

#include <cliquet/str.h>

#include "response.h"
#include "server.h"

bool
clq_move_to_version(const struct clq_request *req, struct clq_move *out)
{
	const struct clq_settings *set = req->server->settings;
	struct clq_str path = req->path;

	if (clq_str_starts(path, "/v") && path.len > 2 &&
	    path.p[2] >= '0' && path.p[2] <= '9')
		return false;
	if (!clq_settings_bool(set, "version_prefix_redirect_enabled", true))
		return false;
	out->path = clq_arena_printf(req->arena, "%.*s%.*s",
	    CLQ_FMT(req->server->prefix), CLQ_FMT(req->raw_path));
	if (req->raw_path.len == 0)
		out->path = clq_arena_printf(req->arena, "%.*s/",
		    CLQ_FMT(req->server->prefix));
	out->ttl = clq_settings_int(set,
	    "version_prefix_redirect_ttl_seconds", -1);
	return true;
}

bool
clq_move_slash(const struct clq_request *req, struct clq_move *out)
{
	const struct clq_settings *set = req->server->settings;
	struct clq_str prefix = req->server->prefix, path = req->raw_path;
	size_t end = path.len;

	if (!clq_settings_bool(set, "trailing_slash_redirect_enabled", true))
		return false;
	out->ttl = clq_settings_int(set,
	    "trailing_slash_redirect_ttl_seconds", 3600);
	if (clq_str_eq(req->path, prefix)) {
		out->path = clq_arena_printf(req->arena, "%.*s/",
		    CLQ_FMT(prefix));
		return true;
	}
	while (end > 0 && path.p[end - 1] == '/')
		end--;
	if (end == path.len || end == 0 ||
	    !clq_str_eq(clq_str_sub(req->path, 0, prefix.len), prefix))
		return false;
	out->path = clq_str_sub(path, 0, end);
	return true;
}

enum clq_status
clq_move_reply(struct clq_request *req, const struct clq_move *move)
{
	struct clq_str target = move->path;

	if (req->raw_query.len > 0)
		target = clq_arena_printf(req->arena, "%.*s?%.*s",
		    CLQ_FMT(move->path), CLQ_FMT(req->raw_query));
	clq_response_cache(req, move->ttl);
	return clq_redirect(req, target);
}
