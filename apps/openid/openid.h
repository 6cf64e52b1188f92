/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the OpenID plugin share (section 06-8). */
#ifndef OPENID_H
#define OPENID_H

#include <cliquet/cliquet.h>

#define OPENID_KIND	"openid"

enum {
	/* One request of ours holds its worker so long at most (ms), however
	 * many questions it has; and so the start of the server, per provider. */
	OPENID_PATIENCE = 4000,
	OPENID_MAX_TOKEN = 8192,	/* bytes of an access token */
	OPENID_MAX_USERID = 512,
	OPENID_MAX_URL = 2048
};

/* ---- http.c: asking providers ------------------------------------------ */

/* A question and its answer. */
struct openid_call {
	const char	*url;		/* http or https */
	const char	*bearer;	/* access token to send; or NULL */
	const char	*form;		/* POST this; NULL: GET */
	bool		 follow;	/* redirects, to the same scheme */
	clq_msec	 deadline;	/* clq_monotonic() */
	int		 status;	/* out, on CLQ_OK */
	struct clq_str	 body;		/* out, on CLQ_OK; in the arena */
	struct clq_str	 why;		/* out, otherwise */
};

/*
 * CLQ_OK: there is an answer, of whatever status. CLQ_INVALID: it is larger
 * than anything sensible. CLQ_UNAVAILABLE: none came before the deadline.
 */
enum clq_status openid_ask(struct clq_arena *arena, struct openid_call *call)
    CLQ_MUST_CHECK;

/* Give up what the process keeps for asking: before it forks. */
void openid_http_close(void);

/* ---- provider.c -------------------------------------------------------- */

/* What a provider says about itself; texts in the provider's own arena. */
struct openid_metadata {
	const char	*issuer;	/* NULL: nothing is known yet */
	const char	*authorization;
	const char	*token;
	const char	*userinfo;
	const char	*jwks;		/* or NULL */
};

/*
 * One policy of our kind. Options are read-only after the start; what is
 * learned from the provider belongs to each process.
 */
struct openid_provider {
	const char		*name;		/* of the policy */
	const char		*issuer;	/* as configured */
	const char		*client_id;
	const char		*client_secret;
	const char		*audience;	/* "": tokens are opaque */
	const char		*header_type;
	const char		*userid_field;
	const char		*challenge;
	clq_msec		 verification_ttl;
	clq_msec		 state_ttl;
	size_t			 state_length;	/* bytes */
	struct clq_strs		 scopes;	/* that login may ask for */
	struct clq_strs		 callbacks;	/* trusted URLs; none: defaults */

	struct openid_metadata	 metadata;
	struct clq_arena	*metadata_arena;
	const cJSON		*keys;		/* JWKS; NULL: not fetched */
	struct clq_arena	*keys_arena;
	clq_msec		 keys_at;	/* clq_monotonic(); of the last try */
	clq_msec		 retry_at;	/* clq_monotonic(); not earlier */
	clq_msec		 delay;		/* after the next failure */
	struct openid_provider	*next;
};

/* All providers of a server; in its arena. */
struct openid {
	struct openid_provider	*first;
};

/*
 * A provider from the options of a policy. CLQ_OK, or CLQ_INVALID (said).
 * prefix: "multiauth.policy.<name>."
 */
enum clq_status openid_provider_new(struct clq_server *srv, const char *name,
    struct openid_provider **out) CLQ_MUST_CHECK;

struct openid_provider *openid_provider_find(const struct openid *o,
    struct clq_str name);

/*
 * Make sure that the metadata is known, asking for it if it is time to. CLQ_OK
 * or CLQ_UNAVAILABLE (logged when it was tried).
 */
enum clq_status openid_provider_ready(struct openid_provider *p,
    clq_msec deadline) CLQ_MUST_CHECK;

/*
 * As openid_ask(), but a provider that did not answer is left alone for a while
 * (CLQ_UNAVAILABLE at once), so that it does not take the workers with it.
 */
enum clq_status openid_provider_ask(struct openid_provider *p,
    struct clq_arena *arena, struct openid_call *call) CLQ_MUST_CHECK;

/* Read a metadata document into out, whose texts go to arena. NULL, or what is
 * wrong with it; issuer: as configured. */
const char *openid_metadata_read(struct clq_arena *arena, struct clq_str text,
    const char *issuer, struct openid_metadata *out);

/* ---- jwt.c ------------------------------------------------------------- */

/*
 * CLQ_OK if the token is a JWT for our audience, by our issuer, and valid now.
 * CLQ_NOT_FOUND if not, CLQ_UNAVAILABLE if the keys cannot be had.
 */
enum clq_status openid_jwt_check(struct openid_provider *p,
    struct clq_arena *arena, struct clq_str token, clq_msec deadline)
    CLQ_MUST_CHECK;

/* The signature and the header only: NULL and the payload, or why not. */
const char *openid_jwt_verify(struct clq_arena *arena, struct clq_str token,
    const cJSON *keys, cJSON **claims);

/* True if the token names a key (or none) that is not among the keys. */
bool openid_jwt_key_missing(struct clq_str token, const cJSON *keys);

/* NULL, or why the claims do not do. now: milliseconds. */
const char *openid_claims_fault(const cJSON *claims, const char *issuer,
    const char *audience, clq_msec now);

/* False if the token, verified once, has expired since. */
bool openid_jwt_current(struct clq_arena *arena, struct clq_str token,
    clq_msec now);

/* ---- policy.c ---------------------------------------------------------- */

extern const struct clq_auth_kind openid_kind;

/* Between setup and the end of the configuration: the server's providers. */
extern struct openid *openid_loading;

/* hello: `user.profile`. */
clq_user_info_f openid_user_info;

/* ---- callback.c -------------------------------------------------------- */

/* True if the URL is one of the trusted ones, in which '*' in host, port and
 * path stands for anything. */
bool openid_callback_trusted(struct clq_arena *arena, struct clq_str url,
    struct clq_strs trusted);

/* True for "scheme://something", without blanks and controls. */
bool openid_is_url(struct clq_str s);

/* ---- views.c ----------------------------------------------------------- */

clq_view_f openid_login;
clq_view_f openid_token;

#endif
