/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the fields of a resource to JSON schemas: the object, the bodies that
 * requests carry and the answers (sections 03-2, 03-4).
 *
 * What a schema says is what is accepted or sent: an attribute that is unknown
 * to a strict resource is dropped rather than refused, so no schema of an
 * object forbids any, while other members of the envelope are an error.
 */
#include "openapi_impl.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "resource_impl.h"

/* ---- fields ------------------------------------------------------------ */

/* JSON types: of the field in a body, and of a parameter. */
static const struct {
	const char	*schema;
	const char	*simple;
} types[] = {
	[CLQ_FIELD_ANY] = { "", "'type':'string'" },
	[CLQ_FIELD_STRING] = { "'type':'string'", "'type':'string'" },
	[CLQ_FIELD_INT] = { "'type':'integer','format':'int64'",
	    "'type':'integer','format':'int64'" },
	[CLQ_FIELD_NUMBER] = { "'type':'number'", "'type':'number'" },
	[CLQ_FIELD_BOOL] = { "'type':'boolean'", "'type':'boolean'" },
	[CLQ_FIELD_OBJECT] = { "'type':'object'", "'type':'string'" },
	[CLQ_FIELD_LIST] = { "'type':'array','items':{}",
	    "'type':'string'" },
	[CLQ_FIELD_STRINGS] = { "'type':'array','items':{'type':'string',"
	    "'minLength':1}", "'type':'string'" },
	[CLQ_FIELD_TIMESTAMP] = { "'type':'integer','format':'int64'",
	    "'type':'integer','format':'int64'" },
	[CLQ_FIELD_URL] = { "'type':'string','format':'uri','minLength':1,"
	    "'maxLength':2048", "'type':'string'" },
};
_Static_assert(CLQ_COUNT(types) == CLQ_FIELD_URL + 1, "a row per type");
_Static_assert(CLQ_URL_MAX == 2048, "as in the row of CLQ_FIELD_URL");

void
clq_oa_simple_type(struct clq_buf *b, const struct clq_field *field)
{
	clq_oa_add(b, types[field->type].simple);
}

static void
add_bounds(struct clq_buf *b, const struct clq_field *f)
{
	bool text = f->type == CLQ_FIELD_STRING;

	if ((f->min == 0 && f->max == 0) || (!text &&
	    f->type != CLQ_FIELD_INT && f->type != CLQ_FIELD_NUMBER))
		return;
	clq_buf_printf(b, ",\"%s\":%lld", text ? "minLength" : "minimum",
	    (long long)f->min);
	clq_buf_printf(b, ",\"%s\":%lld", text ? "maxLength" : "maximum",
	    (long long)f->max);
}

static const char *
remark(const struct clq_field *f)
{
	if (f->flags & CLQ_FIELD_READONLY)
		return "Cannot be changed once it is there.";
	if (f->flags & CLQ_FIELD_UNIQUE)
		return "No two objects of a list may have the same.";
	if (f->flags & CLQ_FIELD_AUTO_NOW)
		return "The time of the request, if missing.";
	if (f->type == CLQ_FIELD_TIMESTAMP)
		return "Milliseconds since 1970.";
	return NULL;
}

void
clq_oa_field_rest(struct clq_buf *b, const struct clq_field *f)
{
	const char *text = remark(f);

	add_bounds(b, f);
	if (text != NULL) {
		clq_buf_addc(b, ',');
		clq_oa_member(b, "description", "%s", text);
	}
	if (f->def != NULL && strcmp(f->def, "null") == 0)
		clq_oa_add(b, ",'x-nullable':true");
	else if (f->def != NULL)	/* JSON: checked when it was declared */
		clq_buf_printf(b, ",\"default\":%s", f->def);
}

void
clq_oa_property(struct clq_buf *b, const struct clq_field *f)
{
	clq_oa_str(b, clq_str_of(f->name));
	clq_oa_add(b, ":{'title':");
	clq_oa_str(b, clq_str_of(f->name));
	if (f->type != CLQ_FIELD_ANY)
		clq_buf_addc(b, ',');
	clq_oa_add(b, types[f->type].schema);
	clq_oa_field_rest(b, f);
}

bool
clq_oa_required(const struct clq_field *f)
{
	return (f->flags & CLQ_REQUIRED) != 0 && f->def == NULL &&
	    (f->flags & CLQ_FIELD_AUTO_NOW) == 0;
}

/* ---- the object -------------------------------------------------------- */

void
clq_oa_id_pattern(struct clq_buf *b, const struct clq_id_kind *ids)
{
	if (ids == &clq_id_uuid4)
		clq_oa_add(b, "'pattern':'^[0-9a-f]{8}-[0-9a-f]{4}-"
		    "4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',");
	else if (ids == &clq_id_name || ids == &clq_id_relaxed)
		clq_oa_add(b, "'pattern':"
		    "'^[a-zA-Z0-9][a-zA-Z0-9_-]*$',");
}

static struct clq_str
object_schema(struct clq_oa *oa, const struct clq_resource_entry *e)
{
	const struct clq_resource *decl = e->decl;
	struct clq_buf b;

	clq_buf_init(&b, oa->arena, 1024);
	clq_oa_add(&b, "{'type':'object','properties':{'id':{");
	clq_oa_id_pattern(&b, e->ids);
	clq_oa_add(&b, "'type':'string'},'last_modified':{'type':'integer',"
	    "'format':'int64','description':'Milliseconds since 1970; the ETag "
	    "without quotes.'}");
	for (size_t i = 0; i < decl->nfields; i++) {
		clq_buf_addc(&b, ',');
		clq_oa_property(&b, &decl->fields[i]);
		clq_buf_addc(&b, '}');
	}
	clq_buf_addc(&b, '}');
	if (!(decl->flags & CLQ_RESOURCE_STRICT))
		clq_oa_add(&b, ",'additionalProperties':true");
	clq_buf_addc(&b, '}');
	return clq_buf_str(&b);
}

/* What the application adds to it. */
static enum clq_status
add_object(struct clq_oa *oa, const struct clq_resource_entry *e)
{
	const struct clq_resource *decl = e->decl;
	struct clq_str text = object_schema(oa, e), why;
	cJSON *schema, *more;

	if (clq_json_parse(oa->arena, text, &schema, &why) != CLQ_OK) {
		clq_log_err("resource %s: its fields make no schema: %.*s",
		    decl->name, CLQ_FMT(why));
		return CLQ_INVALID;
	}
	if (CLQ_HAS(decl, openapi)) {
		if (clq_json_parse(oa->arena, clq_str_of(decl->openapi),
		    &more, &why) != CLQ_OK || !cJSON_IsObject(more)) {
			clq_log_err("resource %s: `openapi` is no JSON "
			    "object", decl->name);
			return CLQ_INVALID;
		}
		clq_patch_merge(oa->arena, schema, more);
	}
	clq_json_print(&oa->b, schema);
	return CLQ_OK;
}

/* ---- bodies and answers ------------------------------------------------ */

/* `,"<resource>-<what>":` */
static void
name(struct clq_oa *oa, const struct clq_resource *decl, const char *what)
{
	struct clq_str key = clq_oa_key(oa, decl);

	clq_buf_addc(&oa->b, ',');
	clq_oa_str(&oa->b, clq_arena_printf(oa->arena, "%.*s%s",
	    CLQ_FMT(key), what));
	clq_buf_addc(&oa->b, ':');
}

static void
reference(struct clq_oa *oa, const struct clq_resource *decl,
    const char *what)
{
	clq_buf_addc(&oa->b, '{');
	clq_oa_member(&oa->b, "$ref", "#/definitions/%.*s%s",
	    CLQ_FMT(clq_oa_key(oa, decl)), what);
	clq_buf_addc(&oa->b, '}');
}

static void
add_permissions(struct clq_oa *oa, const struct clq_resource_entry *e)
{
	name(oa, e->decl, "-permissions");
	clq_oa_add(&oa->b, "{'type':'object','description':'Principals by "
	    "permission: users, groups, system.Authenticated, "
	    "system.Everyone.','additionalProperties':false,'properties':{");
	for (const char *const *p = e->permissions; *p != NULL; p++) {
		if (p != e->permissions)
			clq_buf_addc(&oa->b, ',');
		clq_oa_str(&oa->b, clq_str_of(*p));
		clq_oa_add(&oa->b, ":{'type':'array','items':{"
		    "'type':'string','minLength':1}}");
	}
	clq_oa_add(&oa->b, "}}");
}

/* The attributes that a new object must have. */
static void
add_new(struct clq_oa *oa, const struct clq_resource *decl)
{
	bool first = true;

	name(oa, decl, "-new");
	clq_oa_add(&oa->b, "{'allOf':[");
	reference(oa, decl, "");
	clq_oa_add(&oa->b, ",{'type':'object','required':[");
	for (size_t i = 0; i < decl->nfields; i++) {
		const struct clq_field *f = &decl->fields[i];

		if (!clq_oa_required(f))
			continue;
		if (!first)
			clq_buf_addc(&oa->b, ',');
		first = false;
		clq_oa_str(&oa->b, clq_str_of(f->name));
	}
	clq_oa_add(&oa->b, "]}]}");
}

/* An envelope: `data`, and `permissions` where there are some. */
static void
add_envelope(struct clq_oa *oa, const struct clq_resource *decl,
    const char *as, const char *data)
{
	clq_oa_add(&oa->b, "'properties':{'data':");
	reference(oa, decl, data);
	if (!(decl->flags & CLQ_RESOURCE_USER)) {
		clq_oa_add(&oa->b, ",'permissions':");
		reference(oa, decl, "-permissions");
	}
	clq_oa_add(&oa->b, as);
}

enum clq_status
clq_oa_resource_schemas(struct clq_oa *oa,
    const struct clq_resource_entry *e)
{
	const struct clq_resource *decl = e->decl;
	bool empty = clq_schema_accepts_empty(decl);
	enum clq_status rc;

	name(oa, decl, "");
	if ((rc = add_object(oa, e)) != CLQ_OK)
		return rc;
	if (!(decl->flags & CLQ_RESOURCE_USER))
		add_permissions(oa, e);
	if (!empty)
		add_new(oa, decl);
	name(oa, decl, "-body");
	clq_oa_add(&oa->b, "{'type':'object',");
	if (!empty)
		clq_oa_add(&oa->b, "'required':['data'],");
	add_envelope(oa, decl, "},'additionalProperties':false}",
	    empty ? "" : "-new");
	name(oa, decl, "-patch");	/* no type: it may be an array */
	clq_oa_add(&oa->b, "{'description':'The attributes to change. As "
	    "application/json-patch+json: an array, see JSONPatch.',");
	add_envelope(oa, decl, "}}", "");
	name(oa, decl, "-answer");
	clq_oa_add(&oa->b, "{'type':'object','required':['data'],");
	add_envelope(oa, decl, "}}", "");
	name(oa, decl, "-list");
	clq_oa_add(&oa->b, "{'type':'object','required':['data'],"
	    "'properties':{'data':{'type':'array','items':");
	reference(oa, decl, "");
	clq_oa_add(&oa->b, "}}}");
	return CLQ_OK;
}
