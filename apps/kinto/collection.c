/* SPDX-License-Identifier: Apache-2.0 */
/* Collections: lists of records with optional schema (section 08). */
#include <math.h>

#include "kinto.h"

static clq_process_f process;
static clq_stored_f stored;

static const char *const permissions[] = {
	"read", "write", "record:create", NULL
};

const struct clq_resource kinto_collection = {
	.size		= sizeof kinto_collection,
	.name		= "collection",
	.plural_path	= "/buckets/{bucket_id}/collections",
	.permissions	= permissions,
	.ids		= &clq_id_name,
	.inherit	= kinto_inherit,
	.process	= process,
	.stored		= stored,
	.description	= "Collections hold records.",
	.openapi	= "{\"properties\":{\"schema\":{\"type\":"
			"\"object\",\"description\":\"JSON schema of the "
			"records.\"},\"cache_expires\":{\"type\":"
			"\"integer\",\"minimum\":0,\"description\":"
			"\"Seconds for which anonymous readers may keep "
			"answers about records.\"}}}",
};

/* Largest number of seconds accepted: 68 years. */
#define MAX_CACHE_EXPIRES	INT32_MAX

/*
 * `cache_expires` is lenient (section 08-2): texts of digits and fractions
 * become integers, true is 1, null and [] remove the attribute.
 */
static enum clq_status
normalise_cache_expires(struct clq_request *req, struct clq_draft *draft)
{
	const cJSON *value = clq_json_get(draft->data, "cache_expires");
	struct clq_str text;
	int64_t seconds;

	if (value == NULL)
		return CLQ_OK;
	if (cJSON_IsNull(value) ||
	    (cJSON_IsArray(value) && value->child == NULL)) {
		clq_json_remove(draft->data, "cache_expires");
		return CLQ_OK;
	}
	text = clq_json_str(value);
	if (cJSON_IsBool(value))
		seconds = cJSON_IsTrue(value);
	else if (cJSON_IsNumber(value) &&
	    fabs(value->valuedouble) <= MAX_CACHE_EXPIRES)
		seconds = (int64_t)value->valuedouble;
	else if (text.p == NULL || !clq_str_int(clq_str_trim(text), &seconds)) {
		text = kinto_shown(clq_request_arena(req), value);
		return kinto_refuse(req, draft, "cache_expires",
		    "\"%.*s\" is not a number", CLQ_FMT(text));
	}
	clq_json_set(draft->data, "cache_expires", clq_json_new_int(seconds));
	return CLQ_OK;
}

static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	enum clq_status schema = kinto_check_schema(req, draft, "schema");
	enum clq_status expires = normalise_cache_expires(req, draft);

	if (schema != CLQ_OK || expires != CLQ_OK)
		return schema != CLQ_OK ? schema : expires;
	return kinto_validate(req, draft, "collection:schema");
}

static enum clq_status
stored(struct clq_request *req, const struct clq_change *change)
{
	if (change->action != CLQ_ACTION_DELETE)
		return CLQ_OK;
	return kinto_erase_below(req, change->uri);
}
