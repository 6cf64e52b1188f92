/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access control entries and group membership, in the same transaction as the
 * objects (sections 06-3, 06-10).
 *
 * Whether somebody may do something is one statement for all bounds, in which
 * the groups are looked up too; with each bound one finds its entry by the
 * primary key, however long the list of principals is. What lies below a URI
 * is a range of texts; patterns never reach SQL.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

/* $1 user */
static const struct pg_stmt groups_of = { PG_GROUPS,
	"SELECT DISTINCT principal COLLATE \"C\" AS principal"
	" FROM user_principals"
	" WHERE user_id IN ($1, 'system.Authenticated') ORDER BY 1" };
/* $1 objects, $2 permissions, $3 principals, $4 user or NULL */
static const struct pg_stmt bounds_of = { PG_BOUNDS,
	"WITH p AS MATERIALIZED (SELECT $3::text[] || ARRAY("
	"SELECT principal FROM user_principals"
	" WHERE user_id IN ($4, 'system.Authenticated')"
	" AND $4::text IS NOT NULL) AS who)"
	" SELECT EXISTS (SELECT 1 FROM access_control_entries AS a"
	" WHERE a.object_id = b.object AND a.permission = b.permission"
	" AND a.principal = ANY ((SELECT who FROM p)::text[]))"
	" FROM unnest($1::text[], $2::text[]) WITH ORDINALITY"
	" AS b(object, permission, k) ORDER BY b.k" };
static const struct pg_stmt acl_of = { PG_ACL,
	"SELECT permission, principal FROM access_control_entries"
	" WHERE object_id = $1"
	" ORDER BY permission COLLATE \"C\", principal COLLATE \"C\"" };

/*
 * $1 object, $2 permissions to set, $3 and $4 entries: permission, principal.
 * What stays is not touched.
 */
static const struct pg_stmt ace_replace = { PG_ACE_REPLACE,
	"WITH n AS MATERIALIZED (SELECT DISTINCT permission, principal"
	" FROM unnest($3::text[], $4::text[]) AS u(permission, principal)),"
	" d AS (DELETE FROM access_control_entries AS a"
	" WHERE a.object_id = $1 AND a.permission = ANY ($2::text[])"
	" AND NOT EXISTS (SELECT 1 FROM n WHERE n.permission = a.permission"
	" AND n.principal = a.principal))"
	" INSERT INTO access_control_entries"
	" (object_id, permission, principal)"
	" SELECT $1, n.permission, n.principal FROM n"
	" ON CONFLICT (object_id, permission, principal) DO NOTHING" };
static const struct pg_stmt ace_add = { PG_ACE_ADD,
	"INSERT INTO access_control_entries"
	" (object_id, permission, principal) VALUES ($1, $2, $3)"
	" ON CONFLICT (object_id, permission, principal) DO NOTHING" };
static const struct pg_stmt ace_remove = { PG_ACE_REMOVE,
	"DELETE FROM access_control_entries"
	" WHERE object_id = $1 AND permission = $2 AND principal = $3" };
static const struct pg_stmt ace_delete = { PG_ACE_DELETE,
	"DELETE FROM access_control_entries"
	" WHERE object_id = ANY ($1::text[])" };
static const struct pg_stmt ace_delete_range = { PG_ACE_DELETE_RANGE,
	"DELETE FROM access_control_entries WHERE object_id >= $1"
	" AND ($2::text IS NULL OR object_id < $2)" };

/* $1 principals */
static const struct pg_stmt accessible_all = { PG_ACCESSIBLE_ALL,
	"SELECT DISTINCT object_id, permission COLLATE \"C\" AS permission"
	" FROM access_control_entries WHERE principal = ANY ($1::text[])"
	" ORDER BY object_id, 2" };
/*
 * $1 principals; for each bound $2 where it begins, $3 where it ends ("": it
 * is that one URI), $4 permission; $5 children too. Behind the beginning of a
 * range there is no other '/', unless children are wanted.
 */
static const struct pg_stmt accessible_some = { PG_ACCESSIBLE,
	"SELECT DISTINCT a.object_id,"
	" a.permission COLLATE \"C\" AS permission"
	" FROM unnest($2::text[], $3::text[], $4::text[])"
	" AS b(start, stop, permission)"
	" JOIN access_control_entries AS a ON a.permission = b.permission"
	" AND a.principal = ANY ($1::text[])"
	" AND a.object_id >= b.start AND (a.object_id < b.stop"
	" OR (b.stop = '' AND a.object_id = b.start))"
	" WHERE $5::bigint <> 0 OR b.stop = ''"
	" OR strpos(substr(a.object_id, length(b.start) + 1), '/') = 0"
	" ORDER BY a.object_id, 2" };

static const struct pg_stmt member_add = { PG_MEMBER_ADD,
	"INSERT INTO user_principals (user_id, principal) VALUES ($1, $2)"
	" ON CONFLICT (user_id, principal) DO NOTHING" };
static const struct pg_stmt member_remove = { PG_MEMBER_REMOVE,
	"DELETE FROM user_principals WHERE user_id = $1 AND principal = $2" };
static const struct pg_stmt forget = { PG_FORGET,
	"DELETE FROM user_principals WHERE principal COLLATE \"C\" = $1" };
static const struct pg_stmt forget_range = { PG_FORGET_RANGE,
	"DELETE FROM user_principals WHERE principal COLLATE \"C\" >= $1"
	" AND ($2::text IS NULL OR principal COLLATE \"C\" < $2)" };
static const struct pg_stmt flush_aces = { PG_FLUSH_ACES,
	"DELETE FROM access_control_entries" };
static const struct pg_stmt flush_members = { PG_FLUSH_MEMBERS,
	"DELETE FROM user_principals" };

/* ---- ranges ------------------------------------------------------------ */

/* Length of the character that ends at p + len. */
static size_t
last_char(struct clq_str s)
{
	size_t n = 1;

	while (n < s.len && n < 4 && ((unsigned char)s.p[s.len - n] & 0xc0) ==
	    0x80)
		n++;
	return n;
}

static size_t
put_char(uint32_t cp, char out[4])
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4, i;

	for (i = n; i-- > 1; cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	return n;
}

static uint32_t
code_point(const char *p, size_t n)
{
	uint32_t cp = (unsigned char)p[0] & (n == 1 ? 0xffu : 0xffu >>
	    (n + 1));
	size_t i;

	for (i = 1; i < n; i++)
		cp = cp << 6 | ((unsigned char)p[i] & 0x3f);
	return cp;
}

/* The last character replaced by the next one: PostgreSQL takes only valid
 * UTF-8, whose byte order is that of the code points. */
struct clq_str
pg_successor(struct clq_arena *arena, struct clq_str prefix)
{
	struct clq_str none = { NULL, 0 };
	uint32_t cp;
	char *out;
	size_t n;

	for (; prefix.len > 0; prefix.len -= n) {
		n = last_char(prefix);
		cp = code_point(prefix.p + prefix.len - n, n) + 1;
		if (cp == 0xd800)
			cp = 0xe000;
		if (cp > 0x10ffff)
			continue;	/* the one before it, then */
		out = clq_arena_alloc(arena, prefix.len + 4);
		memcpy(out, prefix.p, prefix.len - n);
		n = prefix.len - n + put_char(cp, out + prefix.len - n);
		return (struct clq_str){ out, n };
	}
	return none;
}

static bool
is_pattern(struct clq_str s)
{
	return s.len > 0 && s.p[s.len - 1] == '*';
}

/* Parameters for what begins like the pattern. */
static void
arg_range(struct pg_args *args, struct clq_str pattern)
{
	struct clq_str from = clq_str_sub(pattern, 0, pattern.len - 1);
	struct clq_str to = pg_successor(args->arena, from);

	pg_arg_text(args, clq_arena_strdup(args->arena, from));
	if (to.p != NULL)
		pg_arg_text(args, to);
	else
		pg_arg_null(args);
}

/* ---- look-up ----------------------------------------------------------- */

struct asking {
	struct clq_arena	*arena;
	struct clq_strs		*strs;
	struct clq_acl		*acl;
	struct clq_bound	*bounds;
	size_t			 nbounds;
};

static void
on_groups(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;
	int row;

	(void)db;
	for (row = 0; row < PQntuples(res); row++)
		clq_strs_add(a->arena, a->strs,
		    pg_get_text(a->arena, res, row, 0));
}

static void
on_bounds(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;
	size_t i;

	(void)db;
	for (i = 0; i < a->nbounds; i++)
		a->bounds[i].granted = (int)i < PQntuples(res) &&
		    pg_get_bool(res, (int)i, 0);
}

/* Rows are sorted by permission. */
static void
on_acl(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct asking *a = ctx;
	struct clq_acl acl = { NULL, 0 };
	struct clq_ace *ace = NULL;
	struct clq_str name;
	int row, n = PQntuples(res);

	(void)db;
	acl.aces = clq_arena_calloc(a->arena, (size_t)n, sizeof *ace);
	for (row = 0; row < n; row++) {
		name.p = PQgetvalue(res, row, 0);
		name.len = (size_t)PQgetlength(res, row, 0);
		if (ace == NULL || !clq_str_eq(ace->permission, name)) {
			ace = &acl.aces[acl.n++];
			ace->permission = clq_arena_strdup(a->arena, name);
		}
		clq_strs_add(a->arena, &ace->principals,
		    pg_get_text(a->arena, res, row, 1));
	}
	*a->acl = acl;
}

static struct clq_str
get_object(const void *ctx, size_t i)
{
	return ((const struct clq_bound *)ctx)[i].object;
}

static struct clq_str
get_permission(const void *ctx, size_t i)
{
	return ((const struct clq_bound *)ctx)[i].permission;
}

static void
send_groups(struct pg_db *db, struct asking *a, struct clq_str user)
{
	struct pg_args args;

	memset(a->strs, 0, sizeof *a->strs);
	if (user.p == NULL)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_text(&args, user);
	pg_exec(db, &groups_of, &args, on_groups, a);
}

static void
send_bounds(struct pg_db *db, struct asking *a, const struct clq_lookup *l)
{
	struct pg_args args;

	if (l->nbounds == 0)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_texts(&args, get_object, l->bounds, l->nbounds);
	pg_arg_texts(&args, get_permission, l->bounds, l->nbounds);
	pg_arg_strs(&args, l->principals);
	if (l->user.p != NULL)
		pg_arg_text(&args, l->user);
	else
		pg_arg_null(&args);
	pg_exec(db, &bounds_of, &args, on_bounds, a);
}

static void
send_acl(struct pg_db *db, struct asking *a, struct clq_str object)
{
	struct pg_args args;

	if (object.p == NULL)
		return;
	pg_args_init(&args, a->arena);
	pg_arg_text(&args, object);
	pg_exec(db, &acl_of, &args, on_acl, a);
}

void
pg_send_permission(struct pg_db *db, struct clq_lookup *l)
{
	struct asking *a = clq_arena_alloc(l->arena, sizeof *a);

	a->arena = l->arena;
	a->strs = &l->groups;
	a->acl = &l->acl;
	a->bounds = l->bounds;
	a->nbounds = l->nbounds;
	send_groups(db, a, l->user);
	send_bounds(db, a, l);
	send_acl(db, a, l->acl_of);
}

/* ---- reading ----------------------------------------------------------- */

/* Ready to ask; what waits is sent first. */
static enum clq_status
start_reading(struct pg_db *db)
{
	enum clq_status status = pg_start(db, false);

	if (status == CLQ_OK && db->mode == CLQ_TX_WRITE)
		pg_send_queue(db, true);
	return status;
}

static enum clq_status
acl(void *self, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct clq_acl found = { NULL, 0 };
	struct asking a = { .arena = arena, .acl = &found };

	if (status != CLQ_OK)
		return status;
	send_acl(db, &a, object);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = found;
	return status;
}

static enum clq_status
groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct clq_strs found = { NULL, 0, 0 };
	struct asking a = { .arena = arena, .strs = &found };

	if (status != CLQ_OK)
		return status;
	send_groups(db, &a, user);
	status = pg_wait(db);
	if (status == CLQ_OK)
		*out = found;
	return status;
}

/* ---- accessible objects ------------------------------------------------ */

struct collecting {
	struct clq_arena	*arena;
	struct clq_accessible	*items;
	size_t			 n;
};

/* Rows are sorted by object. */
static void
on_accessible(struct pg_db *db, const PGresult *res, void *ctx)
{
	struct collecting *c = ctx;
	struct clq_accessible *item = NULL;
	struct clq_str object;
	int row, n = PQntuples(res);

	(void)db;
	c->items = clq_arena_calloc(c->arena, (size_t)n, sizeof *item);
	for (row = 0; row < n; row++) {
		object.p = PQgetvalue(res, row, 0);
		object.len = (size_t)PQgetlength(res, row, 0);
		if (item == NULL || !clq_str_eq(item->object, object)) {
			item = &c->items[c->n++];
			item->object = clq_arena_strdup(c->arena, object);
		}
		clq_strs_add(c->arena, &item->permissions,
		    pg_get_text(c->arena, res, row, 1));
	}
}

static void
accessible_args(struct pg_args *args, const struct clq_bound *bounds,
    size_t n, bool children)
{
	struct clq_strs from = { NULL, 0, 0 }, to = { NULL, 0, 0 };
	struct clq_str start, stop;
	size_t i;

	for (i = 0; i < n; i++) {
		start = bounds[i].object;
		stop = CLQ_STR("");
		if (is_pattern(start)) {
			start.len--;
			stop = pg_successor(args->arena, start);
			if (stop.p == NULL)	/* "*": beyond all URIs */
				stop = CLQ_STR("\xf4\x8f\xbf\xbf");
		}
		clq_strs_add(args->arena, &from, start);
		clq_strs_add(args->arena, &to, stop);
	}
	pg_arg_strs(args, from);
	pg_arg_strs(args, to);
	pg_arg_texts(args, get_permission, bounds, n);
	pg_arg_int(args, children);
}

static enum clq_status
accessible(void *self, struct clq_arena *arena, struct clq_strs principals,
    const struct clq_bound *bounds, size_t n, bool children,
    struct clq_accessible **out, size_t *nout)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = start_reading(db);
	struct collecting c = { arena, NULL, 0 };
	struct pg_args args;

	if (status != CLQ_OK)
		return status;
	pg_args_init(&args, arena);
	pg_arg_strs(&args, principals);
	if (n > 0)
		accessible_args(&args, bounds, n, children);
	pg_exec(db, n > 0 ? &accessible_some : &accessible_all, &args,
	    on_accessible, &c);
	status = pg_wait(db);
	if (status != CLQ_OK)
		return status;
	*out = c.items;
	*nout = c.n;
	return CLQ_OK;
}

/* ---- changes ----------------------------------------------------------- */

/* Parameters of a change that waits; NULL: not possible, see *status. */
static struct pg_args *
change(void *self, const struct pg_stmt *stmt, enum clq_status *status)
{
	struct pg_db *db = pg_self(self);

	*status = db->doomed;
	if (*status == CLQ_OK && (!db->begun || db->mode != CLQ_TX_WRITE))
		*status = pg_start(db, true);	/* says what is wrong */
	return *status == CLQ_OK ? pg_queue_stmt(db, false, stmt) : NULL;
}

static enum clq_status
change_texts(void *self, const struct pg_stmt *stmt,
    const struct clq_str *texts, size_t n)
{
	enum clq_status status;
	struct pg_args *args = change(self, stmt, &status);
	size_t i;

	for (i = 0; args != NULL && i < n; i++)
		pg_arg_text(args, clq_arena_strdup(args->arena, texts[i]));
	return status;
}

static enum clq_status
replace(void *self, struct clq_str object, const struct clq_acl *wanted)
{
	enum clq_status status;
	struct pg_args *args = change(self, &ace_replace, &status);
	struct clq_strs set = { NULL, 0, 0 }, permissions = { NULL, 0, 0 },
	    principals = { NULL, 0, 0 };
	const struct clq_ace *ace;
	size_t i;

	if (args == NULL)
		return status;
	for (ace = wanted->aces; ace < wanted->aces + wanted->n; ace++) {
		clq_strs_add(args->arena, &set, ace->permission);
		for (i = 0; i < ace->principals.n; i++) {
			clq_strs_add(args->arena, &permissions,
			    ace->permission);
			clq_strs_add(args->arena, &principals,
			    ace->principals.items[i]);
		}
	}
	pg_arg_text(args, clq_arena_strdup(args->arena, object));
	pg_arg_strs(args, set);
	pg_arg_strs(args, permissions);
	pg_arg_strs(args, principals);
	return CLQ_OK;
}

static enum clq_status
add(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str texts[] = { object, permission, principal };

	return change_texts(self, &ace_add, texts, 3);
}

static enum clq_status
remove_(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str texts[] = { object, permission, principal };

	return change_texts(self, &ace_remove, texts, 3);
}

static enum clq_status
delete_objects(void *self, const struct clq_str *patterns, size_t n)
{
	struct pg_db *db = pg_self(self);
	struct clq_strs uris = { NULL, 0, 0 };
	enum clq_status status = CLQ_OK;
	struct pg_args *args;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!is_pattern(patterns[i])) {
			clq_strs_add(db->tx_arena, &uris, patterns[i]);
			continue;
		}
		args = change(self, &ace_delete_range, &status);
		if (args == NULL)
			return status;
		arg_range(args, patterns[i]);
	}
	if (uris.n == 0)
		return CLQ_OK;
	args = change(self, &ace_delete, &status);
	if (args != NULL)
		pg_arg_strs(args, uris);
	return status;
}

static enum clq_status
add_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct clq_str texts[] = { user, principal };

	return change_texts(self, &member_add, texts, 2);
}

static enum clq_status
remove_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct clq_str texts[] = { user, principal };

	return change_texts(self, &member_remove, texts, 2);
}

static enum clq_status
forget_principal(void *self, struct clq_str pattern)
{
	enum clq_status status;
	struct pg_args *args;

	if (!is_pattern(pattern))
		return change_texts(self, &forget, &pattern, 1);
	args = change(self, &forget_range, &status);
	if (args != NULL)
		arg_range(args, pattern);
	return status;
}

static enum clq_status
flush(void *self)
{
	enum clq_status status = change_texts(self, &flush_aces, NULL, 0);

	if (status == CLQ_OK)
		status = change_texts(self, &flush_members, NULL, 0);
	return status == CLQ_OK ? pg_sync(self) : status;
}

const struct clq_permission_ops pg_permission_ops = {
	.size			= sizeof pg_permission_ops,
	.lookup			= pg_lookup,
	.replace		= replace,
	.add			= add,
	.remove			= remove_,
	.delete_objects		= delete_objects,
	.acl			= acl,
	.accessible		= accessible,
	.add_member		= add_member,
	.remove_member		= remove_member,
	.forget_principal	= forget_principal,
	.groups			= groups,
	.flush			= flush,
};
