/* SPDX-License-Identifier: Apache-2.0 */
/* Records: what it is all about (section 08), and how long they may be cached
 * by anonymous readers (section 08-4). */
#include "kinto.h"

static int64_t cache_seconds(struct clq_request *, const struct clq_object *);

const struct clq_resource kinto_record = {
	.size		= sizeof kinto_record,
	.name		= "record",
	.plural_path	= "/buckets/{bucket_id}/collections/{collection_id}"
			  "/records",
	.parent		= "collection",
	.ids		= &clq_id_relaxed,
	.inherit	= kinto_inherit,
	.process	= kinto_validate_record,
	.cache_seconds	= cache_seconds,
	.description	= "Records are the documents of a collection.",
};

/* The rule of the settings: the first that is defined, most specific first. */
static int64_t
seconds_by_settings(struct clq_request *req)
{
	static const char suffix[] = "record_cache_expires_seconds";
	struct clq_arena *arena = clq_request_arena(req);
	const struct clq_settings *s =
	    clq_server_settings(clq_request_server(req));
	struct clq_str bucket = clq_request_var(req, "bucket_id");
	struct clq_str collection = clq_request_var(req, "collection_id");
	const char *keys[5];

	keys[0] = clq_arena_printf(arena, "%.*s.%.*s.%s", CLQ_FMT(bucket),
	    CLQ_FMT(collection), suffix).p;
	keys[1] = clq_arena_printf(arena, "%.*s.%s", CLQ_FMT(bucket),
	    suffix).p;
	keys[2] = suffix;
	keys[3] = clq_arena_printf(arena, "%.*s_%.*s_%s", CLQ_FMT(bucket),
	    CLQ_FMT(collection), suffix).p;
	keys[4] = clq_arena_printf(arena, "%.*s_%s", CLQ_FMT(bucket),
	    suffix).p;
	for (size_t i = 0; i < CLQ_COUNT(keys); i++)
		if (clq_settings_has(s, keys[i]))
			return clq_settings_int(s, keys[i], -1);
	return -1;
}

/* The larger of the settings' rule and the collection's `cache_expires`. */
static int64_t
cache_seconds(struct clq_request *req, const struct clq_object *collection)
{
	int64_t seconds = seconds_by_settings(req), own;
	struct clq_str why;
	cJSON *data;

	if (collection == NULL ||
	    clq_str_search(collection->data, CLQ_STR("\"cache_expires\"")) ==
	    collection->data.len)
		return seconds;		/* the common case: nothing to parse */
	if (clq_json_parse(clq_request_arena(req), collection->data, &data,
	    &why) == CLQ_OK &&
	    clq_json_int(clq_json_get(data, "cache_expires"), &own) &&
	    own > seconds)
		seconds = own;
	return seconds;
}
