/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Kinto application share. */
#ifndef KINTO_H
#define KINTO_H

#include <cliquet/cliquet.h>

/* The inheritance table of section 06-3.1, for all four kinds. */
clq_inherit_f kinto_inherit;

extern const struct clq_resource kinto_bucket;
extern const struct clq_resource kinto_group;
extern const struct clq_resource kinto_collection;
extern const struct clq_resource kinto_record;

/* GET /permissions, if it is asked for (section 06-11). */
extern const struct clq_service kinto_permissions;

/* DELETE /__user_data__/{principal} (section 06-9). */
extern const struct clq_service kinto_user_data;

/*
 * Erase all that lives below an object which has just been deleted: objects,
 * tombstones, timestamps and ACEs (section 08-3). uri: of the object.
 */
enum clq_status kinto_erase_below(struct clq_request *req,
    struct clq_str uri) CLQ_MUST_CHECK;

/*
 * Refuse an attribute of a draft with a validation error. The error's name is
 * the bare attribute for PATCH, else "data.<attribute>" (section 08-2).
 */
enum clq_status kinto_refuse(struct clq_request *req,
    const struct clq_draft *draft, const char *attribute, const char *fmt, ...)
    CLQ_PRINTF(4, 5);

/* How an offending value is written in a message: strings bare. */
struct clq_str kinto_shown(struct clq_arena *arena, const cJSON *value);

/* ---- validation.c ------------------------------------------------------ */

/* True if documents are validated with the schemas that are stored. */
bool kinto_validates(struct clq_server *srv);

/* Refuse attribute unless it is absent or a valid JSON schema (section
 * 08-2), whether documents are validated or not. */
enum clq_status kinto_check_schema(struct clq_request *req,
    const struct clq_draft *draft, const char *attribute) CLQ_MUST_CHECK;

/*
 * Validate a collection or group with that attribute of its bucket, and a
 * record with the schemas of its collection, which leaves its mark, and bucket
 * (section 08-6). 400, or 404 if the bucket is missing; nothing if validation
 * is off.
 */
enum clq_status kinto_validate(struct clq_request *req,
    struct clq_draft *draft, const char *attribute) CLQ_MUST_CHECK;
enum clq_status kinto_validate_record(struct clq_request *req,
    struct clq_draft *draft) CLQ_MUST_CHECK;

#endif
