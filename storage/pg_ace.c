/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of entries and membership; they wait in the queue (pg_queue.c). And
 * the table of permissions.
 *
 * What lies below a URI is a range of texts in byte order; patterns never
 * reach SQL. Columns without collation "C" are compared as if they had it.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

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

bool
pg_is_pattern(struct clq_str s)
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
		if (!pg_is_pattern(patterns[i])) {
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

	if (!pg_is_pattern(pattern))
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
	.acl			= pg_acl,
	.accessible		= pg_accessible,
	.add_member		= add_member,
	.remove_member		= remove_member,
	.forget_principal	= forget_principal,
	.groups			= pg_groups,
	.flush			= flush,
};
