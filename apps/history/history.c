/* SPDX-License-Identifier: Apache-2.0 */
/*
 * History of buckets (section 08-8): who changed what, and how it was before.
 * A plugin of the Kinto application.
 *
 * Entries are objects of a list that belongs to the bucket, so that reading,
 * filtering and deleting them is the toolkit's; here are their settings and
 * the rules of access. They are written in entries.c, and read back as
 * snapshots in snapshot.c. A bucket's entries go with the bucket, as all that
 * is stored below it.
 */
#include "history.h"

static const struct clq_setting settings[] = {
	{ "history.exclude_resources", CLQ_SET_LIST, "", 0, 0, NULL,
	  "URIs of buckets, collections, groups or records whose changes (with "
	  "all below them) are not noted." },
	{ "history.exclude_user_ids", CLQ_SET_LIST, "", 0, 0, NULL,
	  "Users whose changes are not noted." },
	{ "history.auto_trim_max_count", CLQ_SET_INT, "-1", -1, INT32_MAX,
	  "entries", "Entries kept per bucket and kind of object; 0 or -1: "
	  "all." },
	{ "history.auto_trim_threshold", CLQ_SET_INT, "100", 0, INT32_MAX,
	  "entries", "So many more may be there before the oldest are removed." },
	{ "history.auto_trim_user_ids", CLQ_SET_LIST, "", 0, 0, NULL,
	  "Remove old entries of these users only, each by himself; empty: of "
	  "all users together." },
};

/* ---- the list ---------------------------------------------------------- */

/* Filters follow section 04-2, as those of Kinto's kinds do; ids are texts. */
#define ENTRY	CLQ_FIELD_STRING, CLQ_FIELD_TYPED
#define ID	CLQ_FIELD_STRING, CLQ_FIELD_TYPED | CLQ_FIELD_TEXT

static const struct clq_field fields[] = {
	{ "user_id", ENTRY, NULL, 0, 0 },
	{ "uri", ENTRY, NULL, 0, 0 },
	{ "action", ENTRY, NULL, 0, 0 },
	{ "date", ENTRY, NULL, 0, 0 },
	{ "resource_name", ENTRY, NULL, 0, 0 },
	{ "bucket_id", ID, NULL, 0, 0 },
	{ "collection_id", ID, NULL, 0, 0 },
	{ "group_id", ID, NULL, 0, 0 },
	{ "record_id", ID, NULL, 0, 0 },
	{ "target", CLQ_FIELD_OBJECT, 0, NULL, 0, 0 },
};

/* Entries are read by who may read the bucket or the entry, and deleted by who
 * may write the bucket. Nobody creates them. */
static size_t
inherit(struct clq_arena *arena, const struct clq_access *a,
    struct clq_bound *out, size_t cap)
{
	bool object = a->kind == CLQ_ACCESS_READ ||
	    a->kind == CLQ_ACCESS_WRITE;
	bool reads = a->kind == CLQ_ACCESS_READ || a->kind == CLQ_ACCESS_LIST;
	struct clq_bound all[] = {
		{ a->parent, CLQ_STR("write"), false },
		{ a->parent, CLQ_STR("read"), false },
		{ a->object, CLQ_STR("write"), false },
		{ a->object, CLQ_STR("read"), false },
	};
	size_t n = 0;

	(void)arena;
	for (size_t i = 0; i < CLQ_COUNT(all) && n < cap; i++)
		if (a->kind != CLQ_ACCESS_CREATE && (i % 2 == 0 || reads) &&
		    (i < 2 || object))
			out[n++] = all[i];
	return n;
}

const struct clq_resource history_resource = {
	.size		= sizeof history_resource,
	.name		= "history",
	.plural_path	= "/buckets/{bucket_id}/history",
	.plural_methods	= CLQ_BIT(CLQ_METHOD_GET) | CLQ_BIT(CLQ_METHOD_DELETE),
	.object_methods	= ~0u,
	.flags		= CLQ_RESOURCE_STRICT,
	.fields		= fields,
	.nfields	= CLQ_COUNT(fields),
	.ids		= &clq_id_uuid4,
	.inherit	= inherit,
	.description	= "The changes of a bucket and of what it holds.",
};

struct clq_str
history_bucket(struct clq_str uri)
{
	return clq_str_sub(uri, 0, clq_str_find(uri, '/',
	    strlen("/buckets/")));
}

struct clq_coll
history_list(struct clq_str bucket)
{
	return (struct clq_coll){ CLQ_STR("history"), bucket };
}

/* ---- the time it takes (section 07-8.1) -------------------------------- */

static const struct clq_metric note_seconds = {
	.size = sizeof note_seconds, .name = "plugins.history.seconds",
	.help = "Time to note changes in the history.",
	.kind = CLQ_METRIC_TIMER,
};

static enum clq_status
timed_note(struct clq_request *req, const struct clq_event *event, void *ctx)
{
	struct clq_server *srv = clq_request_server(req);
	bool timed = clq_metrics_on(srv);
	uint64_t since = timed ? clq_ticks() : 0;
	enum clq_status rc = history_note(req, event, ctx);

	if (timed)
		clq_observe(srv, &note_seconds,
		    (int64_t)(clq_ticks() - since), NULL);
	return rc;
}

/* ---- start-up ---------------------------------------------------------- */

/* "/buckets/b/collections/c" -> {"bucket":"b","collection":"c"}; false if it
 * is no URI of ours. */
static bool
describe(struct clq_str uri, cJSON *out)
{
	static const struct {
		const char	*plural;
		const char	*name;
		unsigned	 depth;
	} kinds[] = {
		{ "buckets", "bucket", 0 }, { "groups", "group", 1 },
		{ "collections", "collection", 1 }, { "records", "record", 2 },
	};
	struct clq_str plural, id;
	unsigned depth = 0;
	size_t k;

	if (!clq_str_next(&uri, '/', &plural) || plural.len > 0)
		return false;
	for (; clq_str_next(&uri, '/', &plural); depth++) {
		for (k = 0; k < CLQ_COUNT(kinds); k++)
			if (clq_str_is(plural, kinds[k].plural) &&
			    depth == kinds[k].depth)
				break;
		if (k == CLQ_COUNT(kinds) || !clq_str_next(&uri, '/', &id) ||
		    id.len == 0)
			return false;
		if (depth == 2 && clq_json_get(out, "group") != NULL)
			return false;
		clq_json_set(out, kinds[k].name, clq_json_new_str(id));
	}
	return depth > 0;
}

/* What hello tells of the settings, each only if it is set. */
static enum clq_status
announce(struct clq_server *srv, const struct history *h)
{
	struct clq_arena *arena = clq_server_arena(srv);
	cJSON *extra = clq_json_own(arena, cJSON_CreateObject());
	cJSON *list, *one;
	size_t i;

	if (h->trim_max > 0)
		clq_json_set(extra, "auto_trim_max_count",
		    clq_json_new_int(h->trim_max));
	list = cJSON_CreateArray();
	for (i = 0; i < h->trim_users.n; i++)
		cJSON_AddItemToArray(list,
		    clq_json_new_str(h->trim_users.items[i]));
	clq_json_set(extra, "auto_trim_user_ids", list);
	if (h->trim_users.n == 0)
		clq_json_remove(extra, "auto_trim_user_ids");
	list = cJSON_CreateArray();
	clq_json_set(extra, "excluded_resources", list);
	for (i = 0; i < h->exclude_resources.n; i++) {
		one = cJSON_CreateObject();
		cJSON_AddItemToArray(list, one);
		if (!describe(h->exclude_resources.items[i], one))
			return clq_settings_error(clq_server_settings(srv),
			    "history.exclude_resources", "%.*s is no URI of "
			    "a bucket, collection, group or record",
			    CLQ_FMT(h->exclude_resources.items[i]));
	}
	if (h->exclude_resources.n == 0)
		clq_json_remove(extra, "excluded_resources");
	return clq_add_capability(srv, "history", "Track changes on data.",
	    "https://kinto.readthedocs.io/en/latest/api/1.x/history.html",
	    clq_arena_cstr(arena, clq_json_text(arena, extra)));
}

static enum clq_status
setup(struct clq_server *srv)
{
	static const char *const noted[] = {
		"bucket", "group", "collection", "record", NULL
	};
	struct history *h = clq_arena_alloc(clq_server_arena(srv), sizeof *h);
	struct clq_settings *s = clq_server_settings(srv);
	enum clq_status rc;

	if ((rc = clq_settings_declare(s, settings,
	    CLQ_COUNT(settings))) != CLQ_OK)
		return rc;
	h->exclude_users = clq_settings_list(s, "history.exclude_user_ids");
	h->exclude_resources = clq_settings_list(s,
	    "history.exclude_resources");
	h->trim_users = clq_settings_list(s, "history.auto_trim_user_ids");
	h->trim_max = clq_settings_int(s, "history.auto_trim_max_count", -1);
	h->trim_threshold = clq_settings_int(s,
	    "history.auto_trim_threshold", 100);
	h->explicit_permissions = clq_settings_bool(s,
	    "explicit_permissions", true);
	if ((rc = clq_add_resource(srv, &history_resource)) != CLQ_OK ||
	    (rc = clq_add_service(srv, &history_snapshot)) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_IN_TRANSACTION,
	    CLQ_BIT(CLQ_ACTION_CREATE) | CLQ_BIT(CLQ_ACTION_UPDATE) |
	    CLQ_BIT(CLQ_ACTION_DELETE), noted, timed_note, h)) != CLQ_OK ||
	    (rc = clq_add_metric(srv, &note_seconds)) != CLQ_OK)
		return rc;
	return announce(srv, h);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "history", .version = "1", .app = &app,
};
