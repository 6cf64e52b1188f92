/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loopback whose resources are really stored: SQLite on a temporary file,
 * a small cache, basic authentication, and a few resources to work on.
 *
 * The test program must offer both plugins (offer.h): "stored" is storage and
 * permission, "kept" the cache.
 */
#ifndef STORED_H
#define STORED_H

#include "loopback.h"

extern const struct clq_plugin stored_plugin, kept_plugin;

/*
 * The resources:
 *	shelf	/shelves		names as ids, permissions book:create
 *	book	/shelves/{shelf}/books	parent shelf, tree of permissions;
 *					`pages` is an integer
 *	thing	/things			default permissions; strict: `name`
 *					(required), `size` (default 1), `serial`
 *					(read-only), `code` (unique)
 *	note	/notes			isolated by user, lazy, `url` unique
 */
extern struct clq_resource stored_shelf, stored_book, stored_thing,
    stored_note;

/* ini: more lines. Authenticated users may create shelves, and create and read
 * things. */
struct loopback stored_new(const char *ini);
void stored_free(struct loopback *lb);

/* Users of the policy basicauth, and their principals. */
#define ALICE	"Authorization: Basic YWxpY2U6YQ==\n"
#define BOB	"Authorization: Basic Ym9iOmI=\n"
#define NOBODY	""
const char *stored_user(struct loopback *lb, const char *headers);

/* Send; the status must be as expected. */
struct clq_request *stored_ask(struct loopback *lb, int status,
    const char *method, const char *url, const char *headers,
    const char *body);

/*
 * The body must be this JSON. In the pattern, "*" stands for anything, "$A"
 * and "$B" for the principals of alice and bob; lists of principals may be in
 * any order. Returns it parsed.
 */
cJSON *stored_body(struct loopback *lb, const struct clq_request *req,
    const char *pattern);

/* ETag of the answer, as an integer; -1 if it has none. */
clq_msec stored_etag(const struct clq_request *req);

#endif
