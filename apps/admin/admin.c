/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinto's administration console, served below /admin/ (section 08-10). A
 * plugin.
 *
 * The console is a single-page application that others publish and that is
 * not part of cliquet: the folder with its build is named by a setting and
 * filled by scripts/get-admin (docs/admin.md). A folder that is named must be
 * there; without one, the service starts and says what is missing, since ini
 * files of Kinto, which brings a console along, name none.
 */
#include "admin.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#ifndef CLQ_ADMIN_DIR
#define CLQ_ADMIN_DIR "/usr/local/share/cliquet/admin"
#endif
#define REMEDY "`scripts/get-admin DIR` puts a build of the console into DIR"

#define ADMIN_DOC(status, text) "{\"get\":{\"tags\":[\"Admin\"],"		\
	"\"security\":[],\"produces\":[\"text/html\"],\"responses\":{\""	\
	status "\":{\"description\":\"" text "\"},"			\
	"\"404\":{\"$ref\":\"#/responses/404\"}}}}"

static const struct clq_setting settings[] = {
	{ "admin_assets_path", CLQ_SET_STR, CLQ_ADMIN_DIR, 0, 0, NULL,
	  "Folder with a build of the admin console, read at start and at "
	  "reload." },
};

/* ---- serving ----------------------------------------------------------- */

/* True if the client has this file already. */
static bool
is_known(struct clq_request *req, const struct admin_file *f)
{
	struct clq_str tags = clq_request_header(req, "If-None-Match"), tag;

	if (tags.p == NULL)
		return clq_str_eq(clq_str_trim(clq_request_header(req,
		    "If-Modified-Since")), f->modified);
	while (clq_str_next(&tags, ',', &tag)) {
		tag = clq_str_trim(tag);
		if (clq_str_starts(tag, "W/"))
			tag = clq_str_sub(tag, 2, tag.len);
		if (clq_str_is(tag, "*") || clq_str_eq(tag, f->etag))
			return true;
	}
	return false;
}

/* True if the client takes gzip; one that says "q=0" does not. */
static bool
takes_gzip(struct clq_request *req)
{
	struct clq_str list = clq_request_header(req, "Accept-Encoding");
	struct clq_str item, weight;
	size_t semi;

	while (clq_str_next(&list, ',', &item)) {
		semi = clq_str_find(item, ';', 0);
		weight = clq_str_trim(clq_str_sub(item, semi + 1, item.len));
		if (clq_str_caseis(clq_str_trim(clq_str_sub(item, 0, semi)),
		    "gzip"))
			return !clq_str_is(weight, "q=0") &&
			    !clq_str_starts(weight, "q=0.0");
	}
	return false;
}

static enum clq_status
serve(struct clq_request *req, void *ctx)
{
	const struct admin_files *files = ctx;
	struct clq_str path = clq_request_var(req, "path");
	const struct admin_file *f, *sent;

	f = admin_find(files, path.len > 0 ? path : CLQ_STR("index.html"));
	if (f == NULL)
		return clq_fail(req, CLQ_ERRNO_MISSING_RESOURCE,
		    files->n > 0 ? NULL :
		    "The admin console is not installed on this server.");
	sent = f;
	if (f->packed != NULL) {
		clq_set_header(req, "Vary", CLQ_STR("Accept-Encoding"));
		if (takes_gzip(req)) {
			sent = f->packed;
			clq_set_header(req, "Content-Encoding",
			    CLQ_STR("gzip"));
		}
	}
	clq_set_header(req, "ETag", sent->etag);
	clq_set_header(req, "Last-Modified", sent->modified);
	clq_set_header(req, "Cache-Control", clq_str_of(f->cache));
	if (f->policy.p != NULL)
		clq_set_header(req, "Content-Security-Policy", f->policy);
	if (is_known(req, sent))
		return clq_reply_raw(req, 304, f->type, CLQ_STR(""));
	return clq_reply_raw(req, 200, f->type, sent->body);
}

static enum clq_status
add_slash(struct clq_request *req, void *ctx)
{
	(void)ctx;
	return clq_redirect(req, clq_arena_printf(clq_request_arena(req),
	    "%.*s/", CLQ_FMT(clq_request_path(req))));
}

/* ---- start-up ---------------------------------------------------------- */

static const struct clq_verb slash_verbs[] = {
	{ CLQ_METHOD_GET, add_slash, CLQ_TX_READ },
};
static const struct clq_verb file_verbs[] = {
	{ CLQ_METHOD_GET, serve, CLQ_TX_READ },
};

static enum clq_status
add_services(struct clq_server *srv, struct admin_files *files)
{
	const struct clq_service slash = {
		.size	= sizeof slash,
		.name	= "admin",
		.path	= "/admin",
		.verbs	= slash_verbs, .nverbs = CLQ_COUNT(slash_verbs),
		.flags	= CLQ_SERVICE_NO_TX,
		.description = "Redirects to the admin console.",
		.openapi = ADMIN_DOC("307", "Go on there."),
	};
	const struct clq_service below = {
		.size	= sizeof below,
		.name	= "admin_files",
		.path	= "/admin/{path*}",
		.verbs	= file_verbs, .nverbs = CLQ_COUNT(file_verbs),
		.flags	= CLQ_SERVICE_NO_TX,
		.ctx	= files,
		.description = "The admin console.",
		.openapi = ADMIN_DOC("200", "A file of the console."),
	};
	enum clq_status rc;

	if ((rc = clq_add_service(srv, &slash)) != CLQ_OK)
		return rc;
	return clq_add_service(srv, &below);
}

/* Announce the version that the build says it has. */
static enum clq_status
announce(struct clq_server *srv, const struct admin_files *files,
    const char *dir)
{
	const struct admin_file *f = admin_find(files, CLQ_STR("VERSION"));
	cJSON *extra = clq_json_own(clq_server_arena(srv),
	    cJSON_CreateObject());
	struct clq_str version;

	if (f == NULL || admin_find(files, CLQ_STR("index.html")) == NULL)
		return clq_settings_error(clq_server_settings(srv),
		    "admin_assets_path", "%s holds no file %s: no build of "
		    "the console is there; " REMEDY, dir,
		    f == NULL ? "VERSION" : "index.html");
	version = clq_str_trim(f->body);
	if (version.len > 100 || !clq_utf8_valid(version))
		return clq_settings_error(clq_server_settings(srv),
		    "admin_assets_path", "%s/VERSION is no version", dir);
	clq_json_set(extra, "version", clq_json_new_str(version));
	return clq_add_capability(srv, "admin", "Serves the admin console.",
	    "https://github.com/Kinto/kinto-admin/",
	    clq_arena_cstr(clq_server_arena(srv),
	    clq_json_text(clq_server_arena(srv), extra)));
}

static enum clq_status
setup(struct clq_server *srv)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct admin_files *files = clq_arena_alloc(clq_server_arena(srv),
	    sizeof *files);
	enum clq_status rc;
	const char *dir;
	struct stat st;

	if ((rc = clq_settings_declare(set, settings,
	    CLQ_COUNT(settings))) != CLQ_OK ||
	    (rc = add_services(srv, files)) != CLQ_OK)
		return rc;
	dir = clq_settings_cstr(set, "admin_assets_path");
	if (dir == NULL || *dir == '\0')
		dir = CLQ_ADMIN_DIR;
	if (stat(dir, &st) == -1) {
		if (strcmp(dir, CLQ_ADMIN_DIR) != 0)
			return clq_settings_error(set, "admin_assets_path",
			    "%s: %s; " REMEDY, dir, strerror(errno));
		clq_log_warn("admin_assets_path: %s: %s; the admin console is "
		    "not served; " REMEDY, dir, strerror(errno));
		return CLQ_OK;
	}
	if ((rc = admin_load(set, clq_server_arena(srv), dir,
	    files)) != CLQ_OK)
		return rc;
	return announce(srv, files, dir);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "admin", .version = "1", .app = &app,
};
