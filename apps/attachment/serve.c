/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where files are found, and letting the web server send them.
 *
 * Usually the web server offers base_path at base_url by itself. With the
 * setting `attachment.sendfile` the service answers for a path below
 * /attachments/, and names the file in a header that the web server takes out
 * and follows (X-Accel-Redirect, X-Sendfile); no byte of it passes through us.
 */
#include "attachment.h"

#include <sys/stat.h>

static clq_view_f send_view;

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_GET, send_view, CLQ_TX_READ },
};
static const struct clq_service service = {
	.size	= sizeof service,
	.name	= "attachments",
	.path	= "/attachments/{location*}",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.flags	= CLQ_SERVICE_NO_TX,
	.description = "The files attached to records.",
};

static struct clq_str
setting(struct clq_request *req, const char *key)
{
	return clq_settings_str(clq_server_settings(clq_request_server(req)),
	    key);
}

static struct clq_str
encoded(struct clq_request *req, struct clq_str location)
{
	return clq_url_encode(clq_request_arena(req), location, "/", false);
}

static enum clq_status
send_view(struct clq_request *req, void *ctx)
{
	struct clq_str location = clq_request_var(req, "location");
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str path;
	struct stat st;

	(void)ctx;
	if (!attachment_location_safe(location))
		return clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, NULL);
	/* A user's file, in the name of this site. */
	clq_set_header(req, "Content-Security-Policy",
	    CLQ_STR("default-src 'none'; sandbox"));
	path = clq_str_of(attachment_path(req, location));
	if (lstat(path.p, &st) == -1 || !S_ISREG(st.st_mode))
		return clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE, NULL);
	if (clq_str_caseis(setting(req, "attachment.sendfile"), "x-sendfile"))
		clq_set_header(req, "X-Sendfile", path);
	else
		clq_set_header(req, "X-Accel-Redirect", clq_arena_printf(
		    arena, "%.*s%.*s", CLQ_FMT(setting(req,
		    "attachment.sendfile_prefix")),
		    CLQ_FMT(encoded(req, location))));
	return clq_reply_raw(req, 200, NULL, CLQ_STR(""));
}

struct clq_str
attachment_service_url(struct clq_request *req, struct clq_str path)
{
	struct clq_str prefix = clq_request_path(req);

	prefix.len = clq_str_search(prefix, CLQ_STR("/buckets/"));
	return clq_absolute_url(req, clq_arena_printf(clq_request_arena(req),
	    "%.*s%.*s", CLQ_FMT(prefix), CLQ_FMT(path)));
}

struct clq_str
attachment_url(struct clq_request *req, struct clq_str location)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str base = setting(req, "attachment.base_url");
	struct clq_str url = encoded(req, location);

	if (base.len > 0)
		return clq_arena_printf(arena, "%.*s%s%.*s", CLQ_FMT(base),
		    clq_str_ends(base, "/") ? "" : "/", CLQ_FMT(url));
	if (setting(req, "attachment.sendfile").len == 0)
		return url;
	return attachment_service_url(req, clq_arena_printf(arena,
	    "/attachments/%.*s", CLQ_FMT(url)));
}

enum clq_status
attachment_serve_setup(struct clq_server *srv)
{
	struct clq_settings *s = clq_server_settings(srv);
	struct clq_str how = clq_settings_str(s, "attachment.sendfile");
	struct clq_str prefix = clq_settings_str(s,
	    "attachment.sendfile_prefix");

	if (how.len == 0)
		return CLQ_OK;
	if (!clq_str_caseis(how, "x-accel-redirect") &&
	    !clq_str_caseis(how, "x-sendfile"))
		return clq_settings_error(s, "attachment.sendfile",
		    "neither x-accel-redirect nor x-sendfile");
	if (!clq_str_starts(prefix, "/") || !clq_str_ends(prefix, "/"))
		return clq_settings_error(s, "attachment.sendfile_prefix",
		    "must begin and end with \"/\"");
	return clq_add_service(srv, &service);
}
