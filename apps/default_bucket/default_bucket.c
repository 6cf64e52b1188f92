/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default bucket: an alias for a personal bucket in which collections are
 * created implicitly (section 08-7). A plugin of the Kinto application.
 *
 * A request on /buckets/default/... becomes the same request on the caller's
 * own bucket, after bucket and collection have been created if needed. The
 * usual case, both exist, costs one look-up.
 */
#include <cliquet/cliquet.h>

static clq_view_f view;
static clq_user_info_f user_info;
static clq_alias_f alias;

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_GET, view, CLQ_TX_READ },
};

/* What the other verbs have is the same as for any bucket. */
#define WRITES(verb, types) "\"" verb "\":{\"tags\":[\"Default bucket\"],"	\
	"\"description\":\"Answers as for a bucket; missing ones are made.\","	\
	"\"consumes\":[" types "],\"parameters\":[{\"name\":\"body\","	\
	"\"in\":\"body\",\"schema\":{}}]}"
#define READS(verb) "\"" verb "\":{\"tags\":[\"Default bucket\"],"		\
	"\"description\":\"Answers as for a bucket; missing ones are made.\"}"

#define SHARED READS("get") "," READS("delete") ","			\
	WRITES("put", "\"application/json\"") ","			\
	WRITES("patch", "\"application/json\","				\
	"\"application/merge-patch+json\",\"application/json-patch+json\"") ","

static const char root_doc[] = "{" SHARED "\"post\":null}";
static const char below_doc[] = "{" SHARED
	WRITES("post", "\"application/json\"") "}";

static const struct clq_service root = {
	.size	= sizeof root,
	.name	= "default_bucket",
	.path	= "/buckets/default",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.flags	= CLQ_SERVICE_ANY_METHOD | CLQ_SERVICE_PRIVATE,
	.description = "The caller's own bucket, whatever its id.",
	.openapi = root_doc,
	.alias	= alias,
};
static const struct clq_service below = {
	.size	= sizeof below,
	.name	= "default_bucket_collection",
	.path	= "/buckets/default/{rest*}",
	.verbs	= verbs, .nverbs = CLQ_COUNT(verbs),
	.flags	= CLQ_SERVICE_ANY_METHOD | CLQ_SERVICE_PRIVATE,
	.description = "What is below the caller's own bucket.",
	.openapi = below_doc,
	.alias	= alias,
};

static const struct clq_setting settings[] = {
	{ "default_bucket_hmac_secret", CLQ_SET_SECRET, "", 0, 0, NULL,
	  "Key from which the ids of personal buckets are derived; changing "
	  "it gives every user a new, empty bucket." },
};

/* The id of a user's bucket: half an HMAC in the form of a UUID. */
static struct clq_str
bucket_id(struct clq_request *req, struct clq_str user)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str key = clq_settings_str(
	    clq_server_settings(clq_request_server(req)),
	    "default_bucket_hmac_secret");
	const char *hex;

	if (key.p == NULL)
		key = CLQ_STR("");
	hex = clq_hmac_hex(arena, key, user).p;
	return clq_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex,
	    hex + 8, hex + 12, hex + 16, hex + 20);
}

/*
 * "collections/<id>[/...]" -> the id; absent if rest is something else. An
 * empty id is returned as such.
 */
static struct clq_str
collection_in(struct clq_str rest)
{
	static const char prefix[] = "collections/";
	struct clq_str none = { NULL, 0 };
	size_t from = sizeof prefix - 1;

	if (!clq_str_starts(rest, prefix))
		return none;
	return clq_str_sub(rest, from, clq_str_find(rest, '/', from));
}

/* What the request needs and does not create itself. */
struct needs {
	struct clq_str	bucket;		/* id; absent: not needed */
	struct clq_str	collection;	/* id; absent: not needed */
	struct clq_str	bucket_uri;
};

static struct needs
needs_of(struct clq_request *req, struct clq_str id, struct clq_str rest)
{
	bool put = clq_request_method(req) == CLQ_METHOD_PUT;
	struct needs needs = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	struct clq_str collection = collection_in(rest);

	needs.bucket_uri = clq_arena_printf(clq_request_arena(req),
	    "/buckets/%.*s", CLQ_FMT(id));
	if (!(put && rest.len == 0))
		needs.bucket = id;
	if (collection.p != NULL && !(put && rest.len ==
	    strlen("collections/") + collection.len))
		needs.collection = collection;
	return needs;
}

static enum clq_status
exist(struct clq_request *req, const struct needs *needs, bool *all)
{
	struct clq_want wants[] = {
		{ .coll = { CLQ_STR("bucket"), CLQ_STR("") },
		  .id = needs->bucket, .shared = true },
		{ .coll = { CLQ_STR("collection"), needs->bucket_uri },
		  .id = needs->collection, .shared = true },
	};
	struct clq_lookup lookup = {
		.arena = clq_request_arena(req), .wants = wants,
		.nwants = needs->collection.p != NULL ? 2 : 1,
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	storage = clq_storage(req, &self);
	if ((rc = storage->lookup(self, &lookup)) != CLQ_OK)
		return rc;
	*all = wants[0].found &&
	    (needs->collection.p == NULL || wants[1].found);
	return CLQ_OK;
}

static enum clq_status
create(struct clq_request *req, const struct needs *needs)
{
	bool created;
	enum clq_status rc;

	if (clq_settings_bool(clq_server_settings(clq_request_server(req)),
	    "readonly", false))
		return clq_fail(req, CLQ_ERRNO_METHOD_NOT_ALLOWED, NULL);
	if ((rc = clq_tx_write(req)) != CLQ_OK ||
	    (rc = clq_object_ensure(req, "bucket", CLQ_STR(""), needs->bucket,
	    NULL, &created)) != CLQ_OK)
		return rc;
	if (needs->collection.p == NULL)
		return CLQ_OK;
	return clq_object_ensure(req, "collection", needs->bucket_uri,
	    needs->collection, NULL, &created);
}

/* A body that says `"id": "default"` means the real bucket. */
static enum clq_status
translate_body(struct clq_request *req, struct clq_str id)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str why;
	cJSON *tree, *data;

	if (clq_str_search(clq_request_body(req), CLQ_STR("\"default\"")) ==
	    clq_request_body(req).len || clq_json_parse(arena,
	    clq_request_body(req), &tree, &why) != CLQ_OK)
		return CLQ_OK;		/* bad JSON is reported further on */
	data = clq_json_get(tree, "data");
	if (!clq_str_is(clq_json_str(clq_json_get(data, "id")), "default"))
		return CLQ_OK;
	clq_json_set(data, "id", clq_json_new_str(id));
	clq_request_set_body(req, clq_json_text(arena, tree));
	return CLQ_OK;
}

/* Where the caller's bucket has what is asked for. */
static struct clq_str
path_in(struct clq_request *req, struct clq_str id, struct clq_str rest)
{
	return clq_arena_printf(clq_request_arena(req), "/buckets/%.*s%s%.*s",
	    CLQ_FMT(id), rest.len > 0 ? "/" : "", CLQ_FMT(rest));
}

static struct clq_str
alias(struct clq_request *req)
{
	struct clq_str user = clq_request_user(req);

	if (user.p == NULL)		/* will be refused */
		return user;
	return path_in(req, bucket_id(req, user),
	    clq_request_var(req, "rest"));
}

static enum clq_status
view(struct clq_request *req, void *ctx)
{
	struct clq_str rest = clq_request_var(req, "rest");
	struct clq_str id = bucket_id(req, clq_request_user(req));
	struct needs needs = needs_of(req, id, rest);
	bool all = true;
	enum clq_status rc;

	(void)ctx;
	if (needs.collection.p != NULL && !clq_id_name.valid(needs.collection))
		return clq_invalid(req, "path", (struct clq_str){ NULL, 0 },
		    "Invalid collection id");
	if (needs.bucket.p != NULL &&
	    (rc = exist(req, &needs, &all)) != CLQ_OK)
		return rc;
	if (!all && (rc = create(req, &needs)) != CLQ_OK)
		return rc;
	if (rest.len == 0 && (rc = translate_body(req, id)) != CLQ_OK)
		return rc;
	return clq_forward(req, path_in(req, id, rest));
}

static void
user_info(struct clq_request *req, cJSON *user)
{
	clq_json_set(user, "bucket",
	    clq_json_new_str(bucket_id(req, clq_request_user(req))));
}

static enum clq_status
setup(struct clq_server *srv)
{
	enum clq_status rc;

	if ((rc = clq_settings_declare(clq_server_settings(srv), settings,
	    CLQ_COUNT(settings))) != CLQ_OK ||
	    (rc = clq_add_service(srv, &root)) != CLQ_OK ||
	    (rc = clq_add_service(srv, &below)) != CLQ_OK)
		return rc;
	clq_add_user_info(srv, user_info);
	return clq_add_capability(srv, "default_bucket", "The default bucket "
	    "is an alias for a personal bucket where collections are created "
	    "implicitly.", "https://kinto.readthedocs.io/en/latest/api/1.x/"
	    "buckets.html#personal-bucket-default", NULL);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "default_bucket", .version = "1", .app = &app,
};
