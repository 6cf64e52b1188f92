/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled schemas of this worker.
 *
 * A schema belongs to an attribute of a stored object, its holder. It is found
 * by the holder's URI and the attribute, and used if the holder has the same
 * timestamp and the same text as when it was compiled: the text decides, since
 * a transaction may be undone and a client may set a timestamp again. The least
 * recently used go when there are too many, or too many bytes of them.
 */
#ifndef KINTO_SCHEMA_CACHE_H
#define KINTO_SCHEMA_CACHE_H

#include <cliquet/cliquet.h>

#include "apps/jsonschema/jsonschema.h"

enum {
	KINTO_SCHEMAS_MAX = 64,
	KINTO_SCHEMAS_BYTES = 32 << 20
};

/* Where a schema is, and the names that it says nothing about. */
struct kinto_schema_at {
	struct clq_str			 uri;		/* of the holder */
	const struct clq_object		*holder;
	const char			*attribute;
	const char *const		*ignored;	/* NULL-terminated */
};

struct kinto_schema {
	struct js_schema	*schema;	/* NULL: it does not compile */
	struct clq_str		 why;		/* then: what is wrong */
	bool			 uses_id;	/* `properties` has id */
};

/*
 * The schema, compiled now or before; valid until the next call. The names to
 * be ignored are taken out of its top-level `required`, as is id if the
 * schema's `properties` do not mention it (section 08-6).
 *
 * out     NULL if the holder has no such attribute
 * Returns CLQ_OK, or CLQ_FAILED if the stored document is no JSON (logged).
 */
enum clq_status kinto_schema_get(struct clq_arena *arena,
    const struct kinto_schema_at *at, const struct kinto_schema **out)
    CLQ_MUST_CHECK;

/* Forget all, for tests. */
void kinto_schema_cache_clear(void);

/* How many schemas were compiled in this process, for tests. */
size_t kinto_schema_compiled(void);

#endif
