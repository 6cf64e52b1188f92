/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts: users who have chosen a password (section 06-7). A plugin that
 * brings a policy and a resource.
 *
 * Mistakes in the configuration that would let nobody in, or the wrong people,
 * are refused at start-up (section 06-7.2).
 */
#include "accounts.h"

static const struct clq_setting settings[] = {
	{ "account_create_principals", CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "Principals that may create accounts; system.Everyone lets people "
	  "sign up." },
	{ "account_write_principals", CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "Administrators: principals that may change any account." },
	{ "account_read_principals", CLQ_SET_LIST, NULL, 0, 0, NULL,
	  "Principals that may read any account." },
	{ "account_cache_ttl_seconds", CLQ_SET_INT, "30", 0, 86400, "seconds",
	  "How long a verified password is remembered in the cache." },
	{ "account_bcrypt_rounds", CLQ_SET_INT, "12", 4, 15, NULL,
	  "Cost of new password hashes: each step doubles the time of a "
	  "verification, which is about 0.3 seconds at 12." },
};

/* ---- checks ------------------------------------------------------------ */

/* True if `multiauth.policy.<name>.use`, or the name alone, is our kind. */
static bool
is_ours(const struct clq_settings *set, struct clq_arena *arena,
    struct clq_str name)
{
	struct clq_str use = clq_settings_str(set, clq_arena_printf(arena,
	    "multiauth.policy.%.*s.use", CLQ_FMT(name)).p);

	if (use.len == 0)
		use = name;
	if (clq_str_is(use, accounts_kind.name))
		return true;
	for (const char *const *a = accounts_kind.aliases; *a != NULL; a++)
		if (clq_str_is(use, *a))
			return true;
	return false;
}

struct search {
	const struct clq_settings	*set;
	struct clq_arena		*arena;
	bool				 found;
};

static void
look_at(void *ctx, const char *key, struct clq_str value)
{
	struct search *s = ctx;
	struct clq_str name = clq_str_of(key);
	size_t from = strlen("multiauth.policy.");

	(void)value;
	if (clq_str_ends(name, ".use") && name.len > from + 4)
		s->found = s->found || is_ours(s->set, s->arena,
		    clq_str_sub(name, from, name.len - 4));
}

static enum clq_status
check_policies(struct clq_settings *set, struct clq_arena *arena)
{
	struct clq_strs names = clq_settings_list(set, "multiauth.policies");
	struct search declared = { .set = set, .arena = arena };
	bool ours = false, basic = false;

	for (size_t i = 0; i < names.n && !ours; i++) {
		ours = is_ours(set, arena, names.items[i]);
		basic = basic || clq_str_is(names.items[i], "basicauth");
	}
	clq_settings_each(set, "multiauth.policy.", look_at, &declared);
	if (ours && basic)
		return clq_settings_error(set, "multiauth.policies",
		    "'basicauth' takes any user name and password: name it "
		    "after the policy of the accounts plugin");
	if (!ours && !declared.found)
		return clq_settings_error(set, "multiauth.policies", "the "
		    "plugin accounts is included, but no policy is of its "
		    "kind: add \"account\", and multiauth.policy.account.use "
		    "= %s", accounts_kind.aliases[0]);
	if (!ours)
		clq_log_warn("multiauth.policies: the policy of the accounts "
		    "plugin is not named here: no account can log in");
	return CLQ_OK;
}

/* Who may create accounts, but may not write them, could not create any. */
static enum clq_status
check_principals(struct clq_settings *set)
{
	struct clq_strs creators = clq_settings_list(set,
	    "account_create_principals");
	struct clq_strs admins = clq_settings_list(set,
	    "account_write_principals");

	for (size_t i = 0; i < creators.n; i++)
		if (!clq_str_is(creators.items[i], "system.Everyone") &&
		    !clq_strs_has(admins, creators.items[i]))
			return clq_settings_error(set,
			    "account_create_principals", "%.*s could create "
			    "no account but its own; add it to "
			    "account_write_principals to let it create "
			    "others'", CLQ_FMT(creators.items[i]));
	return CLQ_OK;
}

/* ---- setup ------------------------------------------------------------- */

static enum clq_status
setup(struct clq_server *srv)
{
	static const char *const ours[] = { "account", NULL };
	struct clq_settings *set = clq_server_settings(srv);
	enum clq_status policies, principals, rc;

	if ((rc = clq_settings_declare(set, settings,
	    CLQ_COUNT(settings))) != CLQ_OK)
		return rc;
	policies = check_policies(set, clq_server_arena(srv));
	principals = check_principals(set);
	if ((rc = clq_add_auth_kind(srv, &accounts_kind)) != CLQ_OK ||
	    (rc = clq_add_resource(srv, &accounts_resource)) != CLQ_OK ||
	    (rc = clq_subscribe(srv, CLQ_AFTER_COMMIT,
	    CLQ_BIT(CLQ_ACTION_UPDATE) | CLQ_BIT(CLQ_ACTION_DELETE), ours,
	    accounts_changed, NULL)) != CLQ_OK ||
	    (rc = clq_add_capability(srv, "accounts", "Manage user "
	    "accounts.", "https://kinto.readthedocs.io/en/latest/api/1.x/"
	    "accounts.html", "{\"validation_enabled\":false}")) != CLQ_OK)
		return rc;
	return policies != CLQ_OK ? policies : principals;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "accounts", .version = "1", .app = &app,
};
