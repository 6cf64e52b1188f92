/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files attached to records (section 08-11). A plugin of the Kinto application.
 */
#include "attachment.h"

#include <errno.h>
#include <sys/stat.h>

/* What a form has beside its file: delimiters, headers, names. */
enum { FORM_OVERHEAD = 1 << 20 };

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_POST, attachment_upload_view, CLQ_TX_READ },
	{ CLQ_METHOD_DELETE, attachment_delete_view, CLQ_TX_WRITE },
};

static const char *const records[] = { "record", NULL };
static const char *const owners[] = { "record", "collection", "bucket", NULL };

static enum clq_status
heartbeat(struct clq_request *req, void *ctx, clq_msec timeout)
{
	(void)ctx;
	(void)timeout;
	if (clq_settings_bool(clq_server_settings(clq_request_server(req)),
	    "readonly", false))
		return CLQ_OK;
	return attachment_store_works(req) ? CLQ_OK : CLQ_FAILED;
}

/* base_path is there; whether workers may write in it shows the heartbeat,
 * since they may be another user than we are. */
static enum clq_status
check_base_path(struct clq_server *srv)
{
	struct clq_settings *s = clq_server_settings(srv);
	struct clq_str path = clq_settings_str(s, "attachment.base_path");
	struct stat st;

	if (path.len == 0)
		return clq_settings_error(s, "attachment.base_path",
		    "missing: the folder in which files are kept (other kinds "
		    "of storage are not supported)");
	if (path.p[0] != '/')
		return clq_settings_error(s, "attachment.base_path",
		    "%.*s: must be absolute", CLQ_FMT(path));
	if (stat(path.p, &st) == -1)
		return clq_settings_error(s, "attachment.base_path",
		    "%.*s: %s; create it for the user who serves",
		    CLQ_FMT(path), strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return clq_settings_error(s, "attachment.base_path",
		    "%.*s: not a folder", CLQ_FMT(path));
	return CLQ_OK;
}

/* Braces of the pattern; what it gives is checked for each upload. */
static enum clq_status
check_folder(struct clq_server *srv)
{
	static const char *const known[] = { "bucket_id", "collection_id",
		"id" };
	struct clq_settings *s = clq_server_settings(srv);
	struct clq_str rest = clq_settings_str(s, "attachment.folder");
	struct clq_str name;
	size_t i, open, shut;

	if (clq_str_starts(rest, "/") || clq_str_starts(rest, ".") ||
	    clq_str_search(rest, CLQ_STR("/.")) < rest.len ||
	    clq_str_search(rest, CLQ_STR("//")) < rest.len)
		return clq_settings_error(s, "attachment.folder",
		    "no folder below base_path");
	while ((open = clq_str_find(rest, '{', 0)) < rest.len) {
		shut = clq_str_find(rest, '}', open);
		name = clq_str_sub(rest, open + 1, shut);
		for (i = 0; i < CLQ_COUNT(known); i++)
			if (clq_str_is(name, known[i]))
				break;
		if (shut == rest.len || i == CLQ_COUNT(known))
			return clq_settings_error(s, "attachment.folder",
			    "only {bucket_id}, {collection_id} and {id} are "
			    "known");
		rest = clq_str_sub(rest, shut + 1, rest.len);
	}
	return CLQ_OK;
}

static enum clq_status
add_endpoint(struct clq_server *srv, uint64_t max_file)
{
	struct clq_service *service = clq_arena_alloc(clq_server_arena(srv),
	    sizeof *service);

	*service = (struct clq_service){
		.size = sizeof *service, .name = "attachment",
		.path = "/buckets/{bucket_id}/collections/{collection_id}"
		    "/records/{id}/attachment",
		.verbs = verbs, .nverbs = CLQ_COUNT(verbs),
		.description = "Attach a file to a record",
		.max_body = max_file < UINT64_MAX / 2 ?
		    max_file + FORM_OVERHEAD : max_file,
		.body_folder = attachment_base_path(srv),
	};
	return clq_add_service(srv, service);
}

static enum clq_status
add_capability(struct clq_server *srv)
{
	struct clq_settings *s = clq_server_settings(srv);
	struct clq_str base = clq_settings_str(s, "attachment.extra.base_url");
	struct clq_buf b;

	if (base.p == NULL)
		base = clq_settings_str(s, "attachment.base_url");
	clq_buf_init(&b, clq_server_arena(srv), 128);
	clq_buf_adds(&b, "{\"version\":\"8.0.0\",\"base_url\":");
	if (base.len == 0)
		clq_buf_adds(&b, "null");
	else
		clq_buf_json_str(&b, clq_arena_printf(clq_server_arena(srv),
		    "%.*s%s", CLQ_FMT(base),
		    clq_str_ends(base, "/") ? "" : "/"));
	clq_buf_addc(&b, '}');
	return clq_add_capability(srv, "attachments",
	    "Add file attachments to records",
	    "https://github.com/Kinto/kinto-attachment/",
	    clq_arena_cstr(clq_server_arena(srv), clq_buf_str(&b)));
}

static enum clq_status
setup(struct clq_server *srv)
{
	uint64_t max_file = 0;
	enum clq_status rc;

	if (clq_find_resource(srv, "record") == NULL)
		return clq_settings_error(clq_server_settings(srv), "includes",
		    "attachment needs the application kinto (use = kinto)");
	if ((rc = attachment_rules_setup(srv, &max_file)) != CLQ_OK ||
	    (rc = check_base_path(srv)) != CLQ_OK ||
	    (rc = check_folder(srv)) != CLQ_OK ||
	    (rc = add_endpoint(srv, max_file)) != CLQ_OK ||
	    (rc = attachment_serve_setup(srv)) != CLQ_OK ||
	    (rc = add_capability(srv)) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_ON_CHANGE,
	    CLQ_BIT(CLQ_ACTION_UPDATE), records, attachment_on_update,
	    NULL)) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_IN_TRANSACTION,
	    CLQ_BIT(CLQ_ACTION_DELETE), owners, attachment_on_delete,
	    NULL)) != CLQ_OK)
		return rc;
	return clq_add_heartbeat(srv, "attachments", heartbeat, NULL);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "attachment", .version = "1", .app = &app,
};
