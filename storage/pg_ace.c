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
 * $1 and $2 object and permission to set, $3, $4 and $5 entries: object,
 * permission, principal. What stays is not touched. What goes is searched for
 * on its own and deleted by its place, for a planner that knows nothing of the
 * table. Arrays come by a sub-select, as in pg_write.c.
 */
static const struct pg_stmt ace_replace = { PG_ACE_REPLACE,
	"WITH s AS MATERIALIZED (SELECT DISTINCT object, permission"
	" FROM unnest((SELECT $1::text[]), (SELECT $2::text[]))"
	" AS u(object, permission)),"
	" n AS MATERIALIZED (SELECT DISTINCT object, permission, principal"
	" FROM unnest((SELECT $3::text[]), (SELECT $4::text[]),"
	" (SELECT $5::text[]))"
	" AS u(object, permission, principal)),"
	" o AS MATERIALIZED (SELECT a.place FROM s CROSS JOIN LATERAL"
	" (SELECT ctid AS place, principal FROM access_control_entries"
	" WHERE object_id = s.object AND permission = s.permission"
	" OFFSET 0) AS a WHERE NOT EXISTS (SELECT 1 FROM n"
	" WHERE n.object = s.object AND n.permission = s.permission"
	" AND n.principal = a.principal)),"
	" d AS (DELETE FROM access_control_entries AS a USING o"
	" WHERE a.ctid = o.place)"
	" INSERT INTO access_control_entries"
	" (object_id, permission, principal)"
	" SELECT n.object, n.permission, n.principal FROM n"
	" ON CONFLICT (object_id, permission, principal) DO NOTHING" };
/* The same for $1 one object and $2 one permission: $3 its principals. */
static const struct pg_stmt ace_set = { PG_ACE_SET,
	"WITH o AS MATERIALIZED (SELECT ctid AS place"
	" FROM access_control_entries WHERE object_id = $1"
	" AND permission = $2 AND principal <> ALL ($3::text[])),"
	" d AS (DELETE FROM access_control_entries AS a USING o"
	" WHERE a.ctid = o.place)"
	" INSERT INTO access_control_entries"
	" (object_id, permission, principal)"
	" SELECT $1, $2, n FROM unnest((SELECT $3::text[])) AS n"
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
	" WHERE object_id = ANY ((SELECT $1::text[])::text[])" };
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

static enum clq_status
may_change(struct pg_db *db)
{
	if (db->doomed == CLQ_OK && db->begun && db->mode == CLQ_TX_WRITE)
		return CLQ_OK;
	return pg_start(db, true);	/* says what is wrong */
}

/* Parameters of a change that waits; NULL: not possible, see *status. */
static struct pg_args *
change(void *self, const struct pg_stmt *stmt, enum clq_status *status)
{
	struct pg_db *db = pg_self(self);

	*status = may_change(db);
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

/* One permission of one object for each item. */
struct entries {
	struct clq_strs	objects, permissions, principals;
};

static void
add_entry(struct clq_arena *arena, struct entries *e, struct clq_str object,
    struct clq_str permission)
{
	clq_strs_add(arena, &e->objects, object);
	clq_strs_add(arena, &e->permissions, permission);
}

/* What becomes of most new objects: a permission for who made it. */
static void
send_one(struct pg_db *db, struct clq_str uri, const struct clq_ace *ace)
{
	struct pg_args args;

	pg_args_init(&args, db->tx_arena);
	pg_arg_text(&args, uri);
	pg_arg_text(&args, ace->permission);
	pg_arg_strs(&args, ace->principals);
	pg_exec(db, &ace_set, &args, NULL, NULL);
}

void
pg_send_aces(struct pg_db *db, struct pg_op *const *ops, size_t n)
{
	struct clq_arena *arena = db->tx_arena;
	struct entries set = { 0 }, all = { 0 };
	const struct clq_ace *ace;
	struct pg_args args;
	size_t i, j;

	if (n == 1 && ops[0]->acl.n == 1) {
		send_one(db, ops[0]->uri, ops[0]->acl.aces);
		return;
	}
	for (i = 0; i < n; i++) {
		ace = ops[i]->acl.aces;
		for (; ace < ops[i]->acl.aces + ops[i]->acl.n; ace++) {
			add_entry(arena, &set, ops[i]->uri, ace->permission);
			for (j = 0; j < ace->principals.n; j++) {
				add_entry(arena, &all, ops[i]->uri,
				    ace->permission);
				clq_strs_add(arena, &all.principals,
				    ace->principals.items[j]);
			}
		}
	}
	pg_args_init(&args, arena);
	pg_arg_strs(&args, set.objects);
	pg_arg_strs(&args, set.permissions);
	pg_arg_strs(&args, all.objects);
	pg_arg_strs(&args, all.permissions);
	pg_arg_strs(&args, all.principals);
	pg_exec(db, &ace_replace, &args, NULL, NULL);
}

/* Copied, since nothing says that the texts stay. */
static struct clq_acl
copy_acl(struct clq_arena *arena, const struct clq_acl *acl)
{
	struct clq_acl copy = { .n = acl->n };
	const struct clq_ace *from;
	size_t i, j;

	copy.aces = clq_arena_calloc(arena, acl->n, sizeof *copy.aces);
	for (i = 0; i < acl->n; i++) {
		from = &acl->aces[i];
		copy.aces[i].permission = clq_arena_strdup(arena,
		    from->permission);
		for (j = 0; j < from->principals.n; j++)
			clq_strs_add(arena, &copy.aces[i].principals,
			    clq_arena_strdup(arena,
			    from->principals.items[j]));
	}
	return copy;
}

static enum clq_status
replace(void *self, struct clq_str object, const struct clq_acl *wanted)
{
	struct pg_db *db = pg_self(self);
	enum clq_status status = may_change(db);
	struct clq_acl acl;

	if (status != CLQ_OK)
		return status;
	acl = copy_acl(db->tx_arena, wanted);
	pg_queue_aces(db, clq_arena_strdup(db->tx_arena, object), &acl);
	return CLQ_OK;
}

static enum clq_status
add(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str texts[] = { object, permission, principal };

	pg_known_touched(pg_self(self), object);
	return change_texts(self, &ace_add, texts, 3);
}

static enum clq_status
remove_(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str texts[] = { object, permission, principal };

	pg_known_touched(pg_self(self), object);
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
			pg_known_touched(db, patterns[i]);
			clq_strs_add(db->tx_arena, &uris, patterns[i]);
			continue;
		}
		pg_known_forget(db);
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

	pg_known_member(pg_self(self), user);
	return change_texts(self, &member_add, texts, 2);
}

static enum clq_status
remove_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct clq_str texts[] = { user, principal };

	pg_known_member(pg_self(self), user);
	return change_texts(self, &member_remove, texts, 2);
}

static enum clq_status
forget_principal(void *self, struct clq_str pattern)
{
	enum clq_status status;
	struct pg_args *args;

	pg_known_forget(pg_self(self));
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

	pg_known_forget(pg_self(self));
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
