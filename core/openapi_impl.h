/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces that the OpenAPI document and the page are made of.
 *
 * The document is written as text: what is always the same as literals, in
 * which ' stands for " (clq_oa_add()), names and texts of applications as JSON
 * strings. It is parsed once at the end, which proves that it is JSON, and the
 * page is made of that tree alone, so that both say the same. Everything is
 * built in the master, in a scratch arena. Used by core/openapi*.c only.
 */
#ifndef CLQ_OPENAPI_IMPL_H
#define CLQ_OPENAPI_IMPL_H

#include <cliquet/buf.h>

#include "openapi.h"
#include "resource.h"
#include "router.h"

/* A document in the making. */
struct clq_oa {
	struct clq_server	*srv;
	struct clq_arena	*arena;		/* scratch */
	struct clq_buf		 b;		/* the text so far */
	struct clq_strs		 ids;		/* operationIds in use */
};

/* Append literal JSON, ' for "; NULL is nothing. */
void clq_oa_add(struct clq_buf *b, const char *literal);

/* Append a JSON string; what is not UTF-8 is replaced. */
void clq_oa_str(struct clq_buf *b, struct clq_str s);

/* Append `"key":"formatted text"`. */
void clq_oa_member(struct clq_buf *b, const char *key, const char *fmt, ...)
    CLQ_PRINTF(3, 4);

/* base, an operationId, or with a number if it is in use; in the arena. */
struct clq_str clq_oa_id(struct clq_oa *oa, struct clq_str base);

/* The name of a resource, fit for a reference (JSON pointer in a URI). */
struct clq_str clq_oa_key(struct clq_oa *oa, const struct clq_resource *decl);

/* Append `"pattern":...` and a comma if such ids have one that is known. */
void clq_oa_id_pattern(struct clq_buf *b, const struct clq_id_kind *ids);

/* The last segment of a path: "/buckets/{id}/groups" -> "groups". */
struct clq_str clq_oa_last(const char *path);

/* The tag of what has that name: with a capital. */
struct clq_str clq_oa_tag(struct clq_oa *oa, struct clq_str name);

/* Append `,"security":...`: anonymous too, or with one of the policies. */
void clq_oa_security(struct clq_oa *oa, bool anonymous);

/* "get": the method as the document and services spell it. */
const char *clq_oa_verb(struct clq_oa *oa, enum clq_method method);

/* The way back, in any case; CLQ_METHOD_OPTIONS for what no operation has. */
enum clq_method clq_oa_method(const char *verb);

/* True for a HEAD that does what GET does, without the body. */
bool clq_oa_head_of_get(const struct clq_route *route,
    enum clq_method method);

/* openapi_service.c: the same of a service. more: what it says of all its
 * verbs, or NULL. CLQ_OK, or another status if that cannot be. */
enum clq_status clq_oa_service_operation(struct clq_oa *oa,
    const struct clq_route *route, enum clq_method method,
    const cJSON *more) CLQ_MUST_CHECK;

/* openapi_resource.c: append an Operation Object; for HEAD that of a GET. */
void clq_oa_resource_operation(struct clq_oa *oa,
    const struct clq_route *route, enum clq_method method);

/* openapi_schema.c: append members of `definitions`, each with a comma before
 * it, for one resource. CLQ_OK, or CLQ_INVALID (logged). */
enum clq_status clq_oa_resource_schemas(struct clq_oa *oa,
    const struct clq_resource_entry *entry) CLQ_MUST_CHECK;

/* A field as a property of a schema: `"name":{...`, which the caller closes. */
void clq_oa_property(struct clq_buf *b, const struct clq_field *field);

/* A field's type as members of a parameter, which knows simple types only:
 * `"type":...`, without braces. */
void clq_oa_simple_type(struct clq_buf *b, const struct clq_field *field);

/* Bounds, default and a remark, each after a comma. */
void clq_oa_field_rest(struct clq_buf *b, const struct clq_field *field);

/* True if nothing stands in for a missing one. */
bool clq_oa_required(const struct clq_field *field);

/* openapi_shared.c: what all documents share, as literals. */
extern const char clq_oa_parameters[];
extern const char clq_oa_responses[];
extern const char clq_oa_definitions[];

/* openapi_doc.c: the whole document, in arena. CLQ_INVALID is logged. */
enum clq_status clq_oa_document(struct clq_server *srv,
    struct clq_arena *arena, cJSON **out) CLQ_MUST_CHECK;

/* ---- the page ---------------------------------------------------------- */

/* A document being shown. */
struct clq_oa_page {
	struct clq_arena	*arena;
	struct clq_buf		 b;
	const cJSON		*root;
	struct clq_strs		 tags;		/* in order of their paths */
};

/* The object that a Reference Object means, or obj itself. NULL if there is
 * none such. */
const cJSON *clq_oa_resolve(const cJSON *root, const cJSON *obj);

/* openapi_example.c: a value that fits the schema, as JSON. */
struct clq_str clq_oa_example(const struct clq_oa_page *page,
    const cJSON *schema);

/* openapi_example.c: s between quotes, as one word of a shell's. */
struct clq_str clq_oa_quoted(struct clq_arena *arena, struct clq_str s);

/* openapi_example.c: a curl command for an operation; plain text. */
struct clq_str clq_oa_curl(const struct clq_oa_page *page, const char *path,
    const char *method, const cJSON *operation);

/*
 * openapi_html.c: the page in two parts, in arena, between which the URL of the
 * service belongs, as clq_oa_url() writes it.
 */
void clq_oa_page(const cJSON *root, struct clq_arena *arena,
    struct clq_str out[2]);

/* openapi_html.c: append a URL, quoted for a shell and escaped for HTML. */
void clq_oa_url(struct clq_buf *b, struct clq_str url);

/* openapi_html.c: the only style that the page has, for its hash. */
extern const char clq_oa_style[];

#endif
