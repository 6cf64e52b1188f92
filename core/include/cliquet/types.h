/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words every other header uses: status codes, text slices, time.
 *
 * Nothing here allocates and nothing here depends on a process or a request.
 */
#ifndef CLQ_TYPES_H
#define CLQ_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Symbols of libcliquet.so that plugins may use. All others are hidden. */
#define CLQ_API		__attribute__((visibility("default")))
#define CLQ_MUST_CHECK	__attribute__((warn_unused_result))
#define CLQ_PRINTF(f, a) __attribute__((format(printf, f, a)))

#define CLQ_COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/*
 * What a function that can fail returns. Results go through out-parameters
 * and are written only on CLQ_OK, unless a comment says otherwise.
 */
enum clq_status {
	CLQ_OK = 0,
	CLQ_NOT_FOUND,		/* no such object, key or file */
	CLQ_CONFLICT,		/* a uniqueness rule was violated */
	CLQ_INVALID,		/* the input is wrong; clq_fail() was called */
	CLQ_UNAVAILABLE,	/* a backend is down; logged; 503 */
	CLQ_READONLY,		/* the database refuses to be written; 503 */
	CLQ_RETRY,		/* lost a race; running the request again helps */
	CLQ_FAILED,		/* anything else; logged, or clq_fail() called */
	CLQ_DONE		/* the response is ready (304, redirect, ...) */
};

/* Milliseconds since 1970-01-01 00:00 UTC: the unit of last_modified. */
typedef int64_t clq_msec;

/*
 * A piece of text by value: borrowed, not NUL-terminated. UTF-8 unless a
 * comment says otherwise. { NULL, 0 } means "absent"; an empty text has a
 * non-NULL pointer.
 */
struct clq_str {
	const char	*p;
	size_t		 len;
};

/* A slice of a string literal, and the arguments of "%.*s". */
#ifdef __cplusplus
#define CLQ_STR(lit)	(clq_str{ "" lit, sizeof(lit) - 1 })
#else
#define CLQ_STR(lit)	((struct clq_str){ "" lit, sizeof(lit) - 1 })
#endif
#define CLQ_FMT(s)	(int)(s).len, (s).p

static inline bool
clq_str_eq(struct clq_str a, struct clq_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* True if s equals the C string c. */
static inline bool
clq_str_is(struct clq_str s, const char *c)
{
	size_t len = strlen(c);

	return s.len == len && (len == 0 || memcmp(s.p, c, len) == 0);
}

/* A slice over a C string, which is borrowed. NULL gives the absent slice. */
static inline struct clq_str
clq_str_of(const char *c)
{
	struct clq_str s = { c, c != NULL ? strlen(c) : 0 };

	return s;
}

/* A list of texts, e.g. principals. Items are borrowed. */
struct clq_strs {
	struct clq_str	*items;
	size_t		 n;
	size_t		 cap;	/* of items, kept by clq_strs_add(); else 0 */
};

enum clq_method {
	CLQ_METHOD_GET,
	CLQ_METHOD_HEAD,
	CLQ_METHOD_POST,
	CLQ_METHOD_PUT,
	CLQ_METHOD_PATCH,
	CLQ_METHOD_DELETE,
	CLQ_METHOD_OPTIONS,
	CLQ_METHOD_TRACE,
	CLQ_METHOD_OTHER,	/* anything else on the wire: 405 */
	CLQ_METHOD__COUNT
};

#define CLQ_BIT(method)	(1u << (method))

struct cJSON;			/* <cjson/cJSON.h>; see json.h */
struct clq_arena;		/* arena.h */
struct clq_request;		/* opaque to plugins; app.h has accessors */
struct clq_server;		/* opaque to plugins */
struct clq_settings;		/* settings.h */

#ifdef __cplusplus
}
#endif
#endif
