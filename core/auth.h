/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is asking: the configured policies and the request's identity (06-1, 2).
 */
#ifndef CLQ_AUTH_H
#define CLQ_AUTH_H

#include "request.h"

struct clq_auth;		/* srv->auth */

struct clq_auth *clq_auth_new(struct clq_arena *arena);

/*
 * Read `multiauth.policies` and configure each policy; in the master, after
 * all kinds have been registered. CLQ_OK or CLQ_INVALID (said).
 */
enum clq_status clq_auth_configure(struct clq_server *srv) CLQ_MUST_CHECK;

/*
 * Fill req->identity, once; sub-requests of a batch with the same Authorization
 * header share the result. CLQ_OK, also for an anonymous caller, or
 * CLQ_UNAVAILABLE (clq_fail()ed) if a policy could not tell.
 */
enum clq_status clq_auth_resolve(struct clq_request *req) CLQ_MUST_CHECK;

/*
 * Forget that the credentials of a sub-request are nobody's: what the batch has
 * written since may have made them somebody's. Nothing happens to others.
 */
void clq_auth_again(struct clq_request *req);

/* Add one WWW-Authenticate per policy to the response. */
void clq_auth_challenge(struct clq_request *req);

/*
 * The nth policy, in the order of the setting; false beyond the last.
 *
 * name       out: as in the setting
 * challenge  out: what a 401 says of it, e.g. "Basic realm=\"Realm\""; or NULL
 */
bool clq_auth_nth(const struct clq_server *srv, size_t n, const char **name,
    const char **challenge);

/* The kind that core brings along (06-2.1). */
extern const struct clq_auth_kind clq_auth_basic;

#endif
