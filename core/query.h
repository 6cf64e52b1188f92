/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query parameters of plural endpoints (section 04): reading, checking, and
 * the tokens that continue a list.
 *
 * In two steps, since other checks come in between (section 01-2): the form of
 * the `_` parameters is checked with headers and body, everything else just
 * before storage is asked. Used by the resource endpoints in workers.
 */
#ifndef CLQ_QUERY_H
#define CLQ_QUERY_H

#include <cliquet/storage.h>

#include "resource.h"

enum {
	CLQ_MAX_FILTERS = 512,		/* filters in one request */
	CLQ_MAX_SORTS = 32,		/* fields in _sort */
	CLQ_MAX_FIELDS = 256,		/* fields in _fields */
	CLQ_MAX_VALUE = 65536		/* bytes of one parameter */
};

/* The `_` parameters, checked for form. */
struct clq_params {
	int64_t		 limit;		/* 0: none */
	struct clq_str	 token;		/* absent: none */
	struct clq_str	 sort;		/* as sent; absent: none */
	struct clq_strs	 fields;	/* n == 0: all */
};

/*
 * Step 10 of section 01-2: collect what is wrong with the form of parameters.
 * Those that a request does not use are checked all the same.
 */
void clq_params_read(struct clq_request *req, struct clq_params *out);

/* The `_fields` of an object request. */
void clq_params_fields(struct clq_request *req, struct clq_params *out);

/* `last_modified` of a DELETE of an object: false if absent; collected if
 * malformed. */
bool clq_params_timestamp(struct clq_request *req, clq_msec *out);

/*
 * Step 11: filters, sort, limit and _fields names. q->coll, after, only_ids
 * are left alone; q->limit is the effective limit (section 04-8.1), and
 * include_deleted is set if a filter is on last_modified.
 * CLQ_OK or CLQ_INVALID.
 */
enum clq_status clq_query_read(struct clq_request *req,
    const struct clq_resource *decl, const struct clq_params *params,
    struct clq_query *q) CLQ_MUST_CHECK;

/* ---- match.c: of a query, for one object as a tree ---- */

/* True if it passes all filters. scratch: for what is needed on the way. */
bool clq_query_passes(struct clq_arena *scratch, const struct clq_query *q,
    const cJSON *tree);

/*
 * What it is sorted by, one value per sort, NULL: missing; the array is in
 * arena, the values are tree's. NULL if the object is not behind q->after, so
 * that it is of an earlier page.
 */
const cJSON **clq_query_keys(struct clq_arena *arena,
    const struct clq_query *q, const cJSON *tree);

/* Keys with their values in arena. */
const cJSON **clq_query_keys_dup(struct clq_arena *arena,
    const struct clq_query *q, const cJSON *const *keys);

/* Sort by id in the end: for several lists, whose timestamps may be equal. */
void clq_query_by_id(struct clq_arena *arena, struct clq_query *q);

/* Names in `_fields` against a strict resource. CLQ_OK or CLQ_INVALID. */
enum clq_status clq_query_fields(struct clq_request *req,
    const struct clq_resource *decl, struct clq_strs fields) CLQ_MUST_CHECK;

/* ---- filter.c ---------------------------------------------------------- */

/* Set q->filters, and include_deleted if one is on last_modified. */
enum clq_status clq_filters_read(struct clq_request *req,
    const struct clq_resource *decl, struct clq_query *q) CLQ_MUST_CHECK;

/* A parameter's value as section 04-2 types it; owned by the arena. */
cJSON *clq_param_typed(struct clq_arena *arena, struct clq_str value);

/* An integer, or digits in quotes as ETags are. truncate: 1.5 is 1. */
bool clq_param_integer(const cJSON *v, bool truncate, int64_t *out)
    CLQ_MUST_CHECK;

/* Collect "Invalid value for x". Returns CLQ_INVALID. */
enum clq_status clq_param_invalid(struct clq_request *req,
    struct clq_str param);

/* True if an earlier parameter has the same name, blanks aside. */
bool clq_param_repeated(const struct clq_pairs *params, size_t i);

/* Letters, digits, '_' and '.'; beyond ASCII everything is a letter. */
bool clq_is_field_name(struct clq_str s);

/* ---- pagination.c ------------------------------------------------------ */

struct clq_token {
	struct clq_str	 nonce;
	int64_t		 offset;	/* objects already given */
};

/* Decode _token into q->after and *out. CLQ_OK or CLQ_INVALID (400). If the
 * name in q->coll is empty, nothing is stored and values may have any type. */
enum clq_status clq_token_read(struct clq_request *req, struct clq_str token,
    struct clq_query *q, struct clq_token *out) CLQ_MUST_CHECK;

/*
 * q->after for the objects that follow last. CLQ_OK or CLQ_FAILED (the stored
 * document is not JSON; logged).
 */
enum clq_status clq_query_after(struct clq_request *req, struct clq_query *q,
    const struct clq_object *last) CLQ_MUST_CHECK;

/*
 * Set Next-Page: the URL of this request, continued after q->after.
 *
 * path    of the list, decoded, without the version prefix
 * single  the token may be used once: its nonce goes to the cache
 * CLQ_OK, or CLQ_UNAVAILABLE if the cache fails.
 */
enum clq_status clq_next_page(struct clq_request *req, struct clq_str path,
    const struct clq_query *q, int64_t offset, bool single) CLQ_MUST_CHECK;

/* Make a token good, and use it up: 400 if it is unknown. Statuses of the
 * cache. */
enum clq_status clq_token_keep(struct clq_request *req, struct clq_str nonce)
    CLQ_MUST_CHECK;
enum clq_status clq_token_take(struct clq_request *req, struct clq_str nonce)
    CLQ_MUST_CHECK;

#endif
