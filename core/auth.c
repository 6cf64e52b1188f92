/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication: the list of policies and the identity of a request.
 *
 * Policies are tried in the configured order; the first that knows the caller
 * gives the prefix of the user id (section 06-2). Nothing is asked before a
 * view, or the engine, wants to know: routing errors cost no look-up.
 */
#include "auth.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "error.h"
#include "metrics.h"
#include "phases.h"
#include "server.h"
#include "text.h"
#include "tx.h"

struct policy {
	const char			*name;
	const struct clq_auth_kind	*kind;
	void				*self;
	const struct clq_metric		*seconds;	/* of its calls */
};

struct kinds {
	const struct clq_auth_kind	*kind;
	struct kinds			*next;
};

struct clq_auth {
	struct kinds	*kinds;
	struct policy	*policies;
	size_t		 n;
};

/* What was found out for one Authorization header, within a batch. */
struct clq_auth_memo {
	struct memo_item {
		struct clq_str		 header;
		struct clq_identity	 identity;
		struct memo_item	*next;
	}	*first;
};

struct clq_auth *
clq_auth_new(struct clq_arena *arena)
{
	return clq_arena_alloc(arena, sizeof(struct clq_auth));
}

/* ---- configuration ----------------------------------------------------- */

static const struct clq_auth_kind *
kind_find(const struct clq_auth *auth, struct clq_str use)
{
	for (const struct kinds *k = auth->kinds; k != NULL; k = k->next) {
		if (clq_str_is(use, k->kind->name))
			return k->kind;
		for (const char *const *a = k->kind->aliases;
		    a != NULL && *a != NULL; a++)
			if (clq_str_is(use, *a))
				return k->kind;
	}
	return NULL;
}

enum clq_status
clq_add_auth_kind(struct clq_server *srv, const struct clq_auth_kind *kind)
{
	struct kinds *k;

	if (kind_find(srv->auth, clq_str_of(kind->name)) != NULL) {
		clq_log_err("authentication kind \"%s\" exists already",
		    kind->name);
		return CLQ_INVALID;
	}
	k = clq_arena_alloc(srv->arena, sizeof *k);
	k->kind = kind;
	k->next = srv->auth->kinds;
	srv->auth->kinds = k;
	return CLQ_OK;
}

const char *
clq_auth_policy(struct clq_server *srv, const char *kind, size_t nth)
{
	for (size_t i = 0; i < srv->auth->n; i++)
		if (strcmp(srv->auth->policies[i].kind->name, kind) == 0 &&
		    nth-- == 0)
			return srv->auth->policies[i].name;
	return NULL;
}

static struct clq_str
known_kinds(struct clq_server *srv)
{
	struct clq_buf b;

	clq_buf_init(&b, srv->arena, 0);
	for (const struct kinds *k = srv->auth->kinds; k; k = k->next)
		clq_buf_printf(&b, "%s%s", b.len > 0 ? ", " : "",
		    k->kind->name);
	return clq_buf_str(&b);
}

static enum clq_status
policy_find(struct clq_server *srv, struct clq_str name, struct policy *p)
{
	struct clq_str prefix, key, use;

	p->name = clq_arena_cstr(srv->arena, name);
	prefix = clq_arena_printf(srv->arena, "multiauth.policy.%s.",
	    p->name);
	key = clq_arena_printf(srv->arena, "%.*suse", CLQ_FMT(prefix));
	use = clq_settings_str(srv->settings, key.p);
	if (use.len == 0)
		use = name;
	p->kind = kind_find(srv->auth, use);
	if (p->kind == NULL)
		return clq_settings_error(srv->settings,
		    clq_settings_has(srv->settings, key.p) ? key.p :
		    "multiauth.policies", "no authentication policy \"%.*s\" "
		    "(known: %.*s; a plugin in `includes` may bring more)",
		    CLQ_FMT(use), CLQ_FMT(known_kinds(srv)));
	return CLQ_OK;
}

enum clq_status
clq_auth_configure(struct clq_server *srv)
{
	struct clq_strs names = clq_settings_list(srv->settings,
	    "multiauth.policies");
	enum clq_status rc = CLQ_OK;
	struct policy *p;
	struct clq_str prefix;

	srv->auth->policies = clq_arena_calloc(srv->arena, names.n,
	    sizeof *srv->auth->policies);
	for (size_t i = 0; i < names.n; i++) {
		p = &srv->auth->policies[srv->auth->n];
		if (policy_find(srv, names.items[i], p) == CLQ_OK)
			srv->auth->n++;
		else
			rc = CLQ_INVALID;
	}
	for (size_t i = 0; i < srv->auth->n; i++) {
		p = &srv->auth->policies[i];
		p->seconds = clq_metric_named(srv, (const char *const[]){
		    "authentication.", p->name, ".seconds" }, "method",
		    "Time of calls of an authentication policy.");
		prefix = clq_arena_printf(srv->arena, "multiauth.policy.%s.",
		    p->name);
		if (p->kind->configure != NULL && p->kind->configure(srv,
		    p->name, prefix.p, &p->self) != CLQ_OK)
			rc = CLQ_INVALID;
	}
	return rc;
}

/* ---- identity ---------------------------------------------------------- */

static void
principals_fill(struct clq_arena *arena, struct clq_identity *id)
{
	memset(&id->principals, 0, sizeof id->principals);
	clq_strs_add(arena, &id->principals, CLQ_STR("system.Everyone"));
	if (id->user.p != NULL) {
		clq_strs_add(arena, &id->principals,
		    CLQ_STR("system.Authenticated"));
		clq_strs_add(arena, &id->principals, id->user);
	}
	id->principals.cap = 0;	/* the memo shares the items: copy to add */
}

/* One policy, with a clock if somebody collects. */
static enum clq_status
policy_ask(struct clq_request *req, const struct policy *p,
    struct clq_str *userid)
{
	static const struct clq_str method = { "authenticate", 12 };
	bool timed = clq_metrics_on(req->server);
	uint64_t since = timed ? clq_ticks() : 0;
	enum clq_status rc = p->kind->authenticate(req, p->self, userid);

	if (timed)
		clq_observe(req->server, p->seconds,
		    (int64_t)(clq_ticks() - since), &method);
	return rc;
}

static void
policies_ask(struct clq_request *req)
{
	const struct clq_auth *auth = req->server->auth;
	struct clq_identity *id = &req->identity;
	struct clq_str userid;
	enum clq_status rc;

	for (size_t i = 0; i < auth->n; i++) {
		const struct policy *p = &auth->policies[i];

		userid = (struct clq_str){ 0 };
		rc = policy_ask(req, p, &userid);
		if (rc == CLQ_UNAVAILABLE || rc == CLQ_RETRY)
			id->unavailable = true;	/* never guess who it is */
		if (id->unavailable)
			return;
		if (rc != CLQ_OK)
			continue;
		id->policy = clq_str_of(p->name);
		id->userid = userid;
		id->user = clq_text_join(req->arena, (const struct clq_str[]){
		    id->policy, CLQ_STR(":"), userid }, 3);
		return;
	}
}

/* The entry of this header in the batch's memo, or a new one. */
static struct memo_item *
memo_entry(struct clq_request *req, struct clq_str header)
{
	struct memo_item *m;

	while (req->parent != NULL)
		req = req->parent;
	if (req->auth_memo == NULL)
		req->auth_memo = clq_arena_alloc(req->arena,
		    sizeof *req->auth_memo);
	for (m = req->auth_memo->first; m != NULL; m = m->next)
		if ((m->header.p == NULL) == (header.p == NULL) &&
		    clq_str_eq(m->header, header))
			return m;
	m = clq_arena_alloc(req->arena, sizeof *m);
	m->header = header;
	m->next = req->auth_memo->first;
	req->auth_memo->first = m;
	return m;
}

/* Whatever a policy reads, it leaves no transaction behind: the request's own
 * begins with what is there when the caller is known. */
static void
identify(struct clq_request *req)
{
	bool open = req->tx != NULL && req->tx->open;
	enum clq_phase_of before = clq_phase_enter(CLQ_PHASE_AUTH);

	req->authenticating = true;
	policies_ask(req);
	req->authenticating = false;
	(void)clq_phase_enter(before);
	if (req->tx != NULL && !open)
		(void)clq_tx_finish(req, false);
}

enum clq_status
clq_auth_resolve(struct clq_request *req)
{
	struct clq_identity *id = &req->identity;
	struct memo_item *memo;

	if (!id->resolved) {
		memo = memo_entry(req,
		    clq_request_header(req, "Authorization"));
		if (memo->identity.resolved) {
			*id = memo->identity;
		} else {
			id->resolved = true;
			identify(req);
			principals_fill(req->arena, id);
			if (!id->unavailable)
				memo->identity = *id;
		}
	}
	if (!id->unavailable)
		return CLQ_OK;
	(void)clq_fail(req, CLQ_ERRNO_BACKEND, NULL);
	return CLQ_UNAVAILABLE;
}

void
clq_auth_again(struct clq_request *req)
{
	struct clq_str header = clq_request_header(req, "Authorization");

	if (!req->identity.resolved || req->identity.user.p != NULL ||
	    header.p == NULL)
		return;
	memset(&req->identity, 0, sizeof req->identity);
	memset(&memo_entry(req, header)->identity, 0, sizeof req->identity);
}

struct clq_str
clq_request_user(struct clq_request *req)
{
	if (clq_auth_resolve(req) != CLQ_OK)
		return (struct clq_str){ 0 };
	return req->identity.user;
}

struct clq_strs
clq_request_principals(struct clq_request *req)
{
	if (clq_auth_resolve(req) != CLQ_OK)
		return (struct clq_strs){ 0 };
	return req->identity.principals;
}

bool
clq_request_allowed(struct clq_request *req, const char *key)
{
	struct clq_strs allowed = clq_settings_list(req->server->settings,
	    key);
	struct clq_strs mine = clq_request_principals(req);
	struct clq_strs groups = req->identity.groups;

	for (size_t i = 0; i < mine.n; i++)
		if (clq_strs_has(allowed, mine.items[i]))
			return true;
	for (size_t i = 0; i < groups.n; i++)
		if (clq_strs_has(allowed, groups.items[i]))
			return true;
	return false;
}

bool
clq_auth_nth(const struct clq_server *srv, size_t n, const char **name,
    const char **challenge)
{
	const struct policy *p;
	const struct clq_auth_kind *kind;

	if (n >= srv->auth->n)
		return false;
	p = &srv->auth->policies[n];
	kind = p->kind;
	*name = p->name;
	*challenge = CLQ_HAS(kind, challenge_of) ? kind->challenge_of(p->self) :
	    kind->challenge;
	return true;
}

void
clq_auth_challenge(struct clq_request *req)
{
	const char *name, *text;

	for (size_t i = 0; clq_auth_nth(req->server, i, &name, &text); i++)
		if (text != NULL)
			clq_pairs_add(req->arena, &req->response.headers,
			    CLQ_STR("WWW-Authenticate"), clq_str_of(text));
}
