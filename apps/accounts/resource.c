/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resource /accounts (section 06-7.1).
 *
 * Each account is a list of its own, whose parent id is the name of the user:
 * so a user sees his own only, whatever the permissions say. Administrators,
 * who are in account_write_principals, act on the list of the account they
 * name. Whoever creates an account, it belongs to its user.
 *
 * A password is stored as its hash. That takes a third of a second, which must
 * not pass while a transaction keeps other writers waiting: so it is hashed
 * ahead, when it is likely to be stored, and found again in the hook.
 */
#include "accounts.h"

static clq_process_f process;
static clq_scope_f scope;
static clq_inherit_f inherit;

static const struct clq_field fields[] = {
	{ .name = "password", .type = CLQ_FIELD_STRING,
	  .flags = CLQ_REQUIRED | CLQ_FIELD_TYPED },
};

static const struct clq_id_kind names = { .valid = accounts_name_valid };

const struct clq_resource accounts_resource = {
	.size		= sizeof accounts_resource,
	.name		= "account",
	.plural_path	= "/accounts",
	.fields		= fields,
	.nfields	= CLQ_COUNT(fields),
	.ids		= &names,
	.inherit	= inherit,
	.process	= process,
	.scope		= scope,
	.description	= "Accounts are users with a password.",
};

bool
accounts_name_valid(struct clq_str id)
{
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.p[i];
		bool alnum = (c >= '0' && c <= '9') ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!alnum && (i == 0 || c == '\0' ||
		    strchr("+.@_-", c) == NULL))
			return false;
	}
	return id.len > 0;
}

/* ---- permissions ------------------------------------------------------- */

static size_t
inherit(struct clq_arena *arena, const struct clq_access *access,
    struct clq_bound *out, size_t cap)
{
	struct clq_str root = CLQ_STR("");
	size_t n = 0;

	(void)arena;
	(void)cap;		/* never below CLQ_MAX_BOUNDS */
	switch (access->kind) {
	case CLQ_ACCESS_READ:
		out[n++] = (struct clq_bound){ access->object,
		    CLQ_STR("write"), false };
		out[n++] = (struct clq_bound){ access->object,
		    CLQ_STR("read"), false };
		break;
	case CLQ_ACCESS_WRITE:
		out[n++] = (struct clq_bound){ access->object,
		    CLQ_STR("write"), false };
		break;
	case CLQ_ACCESS_CREATE:
		out[n++] = (struct clq_bound){ root,
		    CLQ_STR("account:create"), false };
		break;
	case CLQ_ACCESS_LIST:	/* of one's own, or by readers: see scope() */
		out[n++] = (struct clq_bound){ root, CLQ_STR("write"), false };
		out[n++] = (struct clq_bound){ root, CLQ_STR("read"), false };
		break;
	case CLQ_ACCESS_DELETE_LIST:
		out[n++] = (struct clq_bound){ root, CLQ_STR("write"), false };
		break;
	}
	return n;
}

/* ---- the caller -------------------------------------------------------- */

/* His name without the policy's: "account:alice" is alice. */
static struct clq_str
name_of(struct clq_str user)
{
	return clq_str_sub(user, clq_str_find(user, ':', 0) + 1, user.len);
}

static bool
names_groups(struct clq_strs principals)
{
	for (size_t i = 0; i < principals.n; i++)
		if (clq_str_starts(principals.items[i], "/"))
			return true;
	return false;
}

/* True if the caller is in account_write_principals, by himself or through one
 * of his groups, which no lookup has told yet. */
static bool
is_admin(struct clq_request *req)
{
	static const char key[] = "account_write_principals";
	struct clq_strs admins = clq_settings_list(
	    clq_server_settings(clq_request_server(req)), key), groups;
	struct clq_str user = clq_request_user(req);
	const struct clq_permission_ops *permission;
	void *self;

	if (clq_request_allowed(req, key))
		return true;
	if (user.p == NULL || !names_groups(admins) ||
	    (permission = clq_permission(req, &self)) == NULL ||
	    permission->groups(self, clq_request_arena(req), user,
	    &groups) != CLQ_OK)
		return false;
	for (size_t i = 0; i < groups.n; i++)
		if (clq_strs_has(admins, groups.items[i]))
			return true;
	return false;
}

static struct clq_str
principal_of(struct clq_request *req, struct clq_str name)
{
	const char *policy = clq_auth_policy(clq_request_server(req),
	    ACCOUNTS_KIND, 0);

	return clq_arena_printf(clq_request_arena(req), "%s:%.*s",
	    policy != NULL ? policy : ACCOUNTS_KIND, CLQ_FMT(name));
}

/* ---- passwords --------------------------------------------------------- */

/* A hash made ahead, kept with the request. */
struct prepared {
	struct clq_str	password;
	struct clq_str	hash;
};
static const char prepared_key;

static bool
password_fits(struct clq_str password)
{
	return password.len > 0 && password.len <= ACCOUNTS_MAX_PASSWORD;
}

/* Hash the password in the body, if there is one that may be stored. */
static void
prepare(struct clq_request *req)
{
	struct clq_arena *arena = clq_request_arena(req);
	struct prepared *p = clq_request_kept(req, &prepared_key);
	struct clq_str password, hash, why;
	cJSON *tree;

	if (clq_request_body(req).len == 0 || clq_json_parse(arena,
	    clq_request_body(req), &tree, &why) != CLQ_OK)
		return;		/* said further on */
	password = clq_json_str(clq_json_get(clq_json_get(tree, "data"),
	    "password"));
	if (!password_fits(password) ||
	    (p != NULL && clq_equal_secret(p->password, password)) ||
	    accounts_hash(arena, password, accounts_cost(req), &hash) !=
	    CLQ_OK)
		return;
	p = clq_arena_alloc(arena, sizeof *p);
	p->password = password;
	p->hash = hash;
	clq_request_keep(req, &prepared_key, p);
}

static enum clq_status
hash_password(struct clq_request *req, struct clq_str password,
    struct clq_str *hash)
{
	const struct prepared *p = clq_request_kept(req, &prepared_key);

	if (p != NULL && clq_equal_secret(p->password, password)) {
		*hash = p->hash;
		return CLQ_OK;
	}
	return accounts_hash(clq_request_arena(req), password,
	    accounts_cost(req), hash);
}

/* The hash that is stored now; absent if there is none. */
static struct clq_str
old_hash(struct clq_request *req, const struct clq_object *old)
{
	struct clq_str none = { NULL, 0 }, why;
	cJSON *tree;

	if (old == NULL || clq_json_parse(clq_request_arena(req), old->data,
	    &tree, &why) != CLQ_OK)
		return none;
	return clq_json_str(clq_json_get(tree, "password"));
}

/* ---- hooks ------------------------------------------------------------- */

static bool
may_store(struct clq_request *req, struct clq_str user, bool admin,
    struct clq_str id)
{
	switch (clq_request_method(req)) {
	case CLQ_METHOD_POST:
	case CLQ_METHOD_PUT:
	case CLQ_METHOD_PATCH:
		return admin || (user.p != NULL ?
		    clq_str_eq(name_of(user), id) :
		    clq_request_allowed(req, "account_create_principals"));
	default:
		return false;
	}
}

/* The list itself: everybody's for administrators who may read it, else their
 * own; nobody's for strangers. */
static enum clq_status
scope_of_list(struct clq_request *req, bool admin, struct clq_scope *s)
{
	enum clq_status rc;

	if (clq_request_method(req) == CLQ_METHOD_POST)
		return clq_invalid(req, "body", CLQ_STR("data.id"),
		    "data.id in body: Required");
	if (admin) {
		s->parent = clq_request_method(req) == CLQ_METHOD_DELETE ||
		    clq_request_allowed(req, "account_read_principals") ?
		    CLQ_STR(CLQ_ANY_PARENT) : name_of(clq_request_user(req));
		return CLQ_OK;
	}
	rc = clq_fail(req, CLQ_ERRNO_UNDEFINED, "%s", "");
	clq_fail_as(req, 401, "Cannot read accounts.");
	return rc;
}

static enum clq_status
scope(struct clq_request *req, struct clq_scope *s)
{
	struct clq_str user = clq_request_user(req);
	bool admin = is_admin(req);

	if (user.p != NULL && !admin) {
		s->parent = name_of(user);
	} else if (s->id.p == NULL) {
		return scope_of_list(req, admin, s);
	} else {
		s->parent = s->id;
		s->owner = principal_of(req, s->id);
	}
	if (s->id.p != NULL && may_store(req, user, admin, s->id))
		prepare(req);
	return CLQ_OK;
}

static char unsettled;		/* a key, and a value that is there */

bool
accounts_unsettled(const struct clq_request *req)
{
	return clq_request_kept(req, &unsettled) != NULL;
}

static enum clq_status
process(struct clq_request *req, struct clq_draft *draft)
{
	struct clq_str user = clq_request_user(req), hash;
	struct clq_str password = clq_json_str(clq_json_get(draft->data,
	    "password"));
	struct clq_str name = draft->patch ? CLQ_STR("password") :
	    CLQ_STR("data.password");
	enum clq_status rc;

	clq_request_keep(req, &unsettled, &unsettled);
	if (user.p != NULL && !clq_str_eq(name_of(user), draft->id) &&
	    !is_admin(req))
		return clq_invalid(req, "body", CLQ_STR("data.id"),
		    "Username and account ID do not match.");
	if (password.len == 0)
		return clq_invalid(req, "body", name, "Required");
	/* sent back as it was got: a hash of the hash would lock him out */
	if (clq_str_eq(password, old_hash(req, draft->old)))
		return CLQ_OK;
	if (!password_fits(password))
		return clq_invalid(req, "body", name, "Longer than maximum "
		    "length %d (bytes)", ACCOUNTS_MAX_PASSWORD);
	if ((rc = hash_password(req, password, &hash)) != CLQ_OK)
		return rc;
	clq_json_set(draft->data, "password", clq_json_new_str(hash));
	return CLQ_OK;
}
