/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access control entries and group membership, in the tables beside the
 * objects and in the same transaction (sections 06-3, 06-10).
 *
 * A short list of principals is read and compared here, which costs one query
 * for a bound; a long one is asked for each of the caller's principals, so
 * that an object shared with a hundred thousand costs no more than others.
 * What somebody may see is in sqlite_accessible.c.
 */
#include "storage/sqlite.h"

#include <cliquet/str.h>

#include <limits.h>

enum { SHORT_LIST = 64 };	/* principals of an ACE read at most */

static enum clq_status
run_strs(struct sq_db *q, const char *sql, const struct clq_str *args, int n)
{
	return sq_run(q, sq_prepare_strs(q, sql, args, n));
}

/* ---- look-up ---------------------------------------------------------- */

/* Read the first column of at most `most` rows into q->known.value. CLQ_OK:
 * there are more. CLQ_NOT_FOUND: that is all. Else the error. */
static enum clq_status
read_strs(struct sq_db *q, sqlite3_stmt *stmt, int most)
{
	enum clq_status status = CLQ_OK;

	if (stmt == NULL)
		return q->doomed;
	q->known.value.len = 0;
	for (; status == CLQ_OK && most >= 0; most--) {
		status = sq_step(q, stmt);
		if (status == CLQ_OK && most > 0)
			sq_known_add_str(&q->known.value, sq_column(stmt, 0));
	}
	sq_done(stmt);
	return status;
}

static enum clq_status
add_groups(struct sq_db *q, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *groups)
{
	const struct sq_about about = { .kind = SQ_FACT_GROUPS, .name = user };
	struct clq_str list, group;
	enum clq_status status;

	memset(groups, 0, sizeof *groups);
	if (user.p == NULL)
		return CLQ_OK;
	if (!sq_known_get(q, &about, &list)) {
		status = read_strs(q, sq_prepare_strs(q,
		    "SELECT DISTINCT principal FROM user_principals"
		    " WHERE user IN (?1, 'system.Authenticated')"
		    " ORDER BY principal", &user, 1), INT_MAX);
		if (status != CLQ_NOT_FOUND)
			return status;
		list = sq_bytes_str(&q->known.value);
		sq_known_put(q, &about, list);
	}
	while (sq_known_next_str(&list, &group))
		clq_strs_add(arena, groups, clq_arena_strdup(arena, group));
	return CLQ_OK;
}

/* One of the principals, each looked for by itself? */
static enum clq_status
probe(struct sq_db *q, struct clq_bound *b, struct clq_strs principals)
{
	enum clq_status status = CLQ_NOT_FOUND;
	struct clq_str args[3] = { b->object, b->permission, { NULL, 0 } };
	sqlite3_stmt *stmt;
	size_t i;

	for (i = 0; i < principals.n && status == CLQ_NOT_FOUND; i++) {
		args[2] = principals.items[i];
		stmt = sq_prepare_strs(q,
		    "SELECT 1 FROM access_control_entries WHERE object = ?1"
		    " AND permission = ?2 AND principal = ?3", args, 3);
		if (stmt == NULL)
			return q->doomed;
		status = sq_step(q, stmt);
		sq_done(stmt);
	}
	b->granted = status == CLQ_OK;
	return status == CLQ_NOT_FOUND ? CLQ_OK : status;
}

static enum clq_status
decide(struct sq_db *q, struct clq_bound *b, struct clq_strs known,
    struct clq_strs groups)
{
	const struct sq_about about = { .kind = SQ_FACT_ENTRIES,
	    .name = b->object, .of = b->permission };
	struct clq_str args[2] = { b->object, b->permission }, list, principal;
	enum clq_status status = CLQ_NOT_FOUND;

	if (!sq_known_get(q, &about, &list)) {
		status = read_strs(q, sq_prepare_strs(q,
		    "SELECT principal FROM access_control_entries"
		    " WHERE object = ?1 AND permission = ?2", args, 2),
		    SHORT_LIST);
		if (status != CLQ_OK && status != CLQ_NOT_FOUND)
			return status;
		list = sq_bytes_str(&q->known.value);
		if (status == CLQ_NOT_FOUND)
			sq_known_put(q, &about, list);
	}
	b->granted = false;
	while (!b->granted && sq_known_next_str(&list, &principal))
		b->granted = clq_strs_has(known, principal) ||
		    clq_strs_has(groups, principal);
	if (status == CLQ_NOT_FOUND || b->granted)
		return CLQ_OK;
	status = probe(q, b, known);
	if (status == CLQ_OK && !b->granted)
		status = probe(q, b, groups);
	return status;
}

static enum clq_status
read_acl(struct sq_db *q, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	sqlite3_stmt *stmt = sq_prepare_strs(q,
	    "SELECT permission, principal FROM access_control_entries"
	    " WHERE object = ?1 ORDER BY permission, principal", &object, 1);
	struct clq_acl acl = { 0 };
	struct clq_ace *ace = NULL;
	enum clq_status status;

	if (stmt == NULL)
		return q->doomed;
	while ((status = sq_step(q, stmt)) == CLQ_OK) {
		if (ace == NULL ||
		    !clq_str_eq(ace->permission, sq_column(stmt, 0))) {
			acl.aces = clq_arena_grow(arena, acl.aces,
			    acl.n * sizeof *ace, (acl.n + 1) * sizeof *ace);
			ace = &acl.aces[acl.n++];
			memset(ace, 0, sizeof *ace);
			ace->permission = sq_column_dup(arena, stmt, 0);
		}
		clq_strs_add(arena, &ace->principals,
		    sq_column_dup(arena, stmt, 1));
	}
	sq_done(stmt);
	if (status != CLQ_NOT_FOUND)
		return status;
	*out = acl;
	return CLQ_OK;
}

/* The same where all entries of the object have been read. */
static bool
is_granted(const struct clq_acl *acl, struct clq_str permission,
    struct clq_strs known, struct clq_strs groups)
{
	const struct clq_ace *ace = acl->aces, *last = ace + acl->n;
	size_t i;

	while (ace < last && !clq_str_eq(ace->permission, permission))
		ace++;
	for (i = 0; ace < last && i < ace->principals.n; i++)
		if (clq_strs_has(known, ace->principals.items[i]) ||
		    clq_strs_has(groups, ace->principals.items[i]))
			return true;
	return false;
}

enum clq_status
sq_permission_lookup(void *self, struct clq_lookup *l)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);
	struct clq_bound *b;

	if (status == CLQ_OK && l->acl_of.p != NULL)
		status = read_acl(q, l->arena, l->acl_of, &l->acl);
	if (status == CLQ_OK)
		status = add_groups(q, l->arena, l->user, &l->groups);
	for (b = l->bounds; status == CLQ_OK && b < l->bounds + l->nbounds;
	    b++) {
		if (l->acl_of.p != NULL && clq_str_eq(b->object, l->acl_of))
			b->granted = is_granted(&l->acl, b->permission,
			    l->principals, l->groups);
		else
			status = decide(q, b, l->principals, l->groups);
	}
	return status;
}

/* ---- entries of an object --------------------------------------------- */

#define ADD_ACE								\
	"INSERT OR IGNORE INTO access_control_entries"			\
	"(object, permission, principal) VALUES(?1, ?2, ?3)"

static enum clq_status
add_ace(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str args[3] = { object, permission, principal };
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start_careful(q);

	sq_known_drop(q, SQ_FACT_ENTRIES, object);
	return status != CLQ_OK ? status : run_strs(q, ADD_ACE, args, 3);
}

static enum clq_status
remove_ace(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct clq_str args[3] = { object, permission, principal };
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start_careful(q);

	sq_known_drop(q, SQ_FACT_ENTRIES, object);
	return status != CLQ_OK ? status : run_strs(q,
	    "DELETE FROM access_control_entries WHERE object = ?1"
	    " AND permission = ?2 AND principal = ?3", args, 3);
}

static enum clq_status
replace_ace(struct sq_db *q, struct clq_str object, const struct clq_ace *ace)
{
	struct clq_str args[3] = { object, ace->permission, { NULL, 0 } };
	enum clq_status status;
	size_t i;

	status = run_strs(q, "DELETE FROM access_control_entries"
	    " WHERE object = ?1 AND permission = ?2", args, 2);
	for (i = 0; status == CLQ_OK && i < ace->principals.n; i++) {
		args[2] = ace->principals.items[i];
		status = run_strs(q, ADD_ACE, args, 3);
	}
	return status;
}

static enum clq_status
replace(void *self, struct clq_str object, const struct clq_acl *acl)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start_careful(q);
	size_t i;

	sq_known_drop(q, SQ_FACT_ENTRIES, object);
	for (i = 0; status == CLQ_OK && i < acl->n; i++)
		status = replace_ace(q, object, &acl->aces[i]);
	return status;
}

static enum clq_status
acl(void *self, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	return status != CLQ_OK ? status : read_acl(q, arena, object, out);
}

/* ---- patterns --------------------------------------------------------- */

/* Statements for the three kinds of range, with ?1 and ?2. */
struct ranged {
	const char	*exact;
	const char	*open;
	const char	*range;
};

static enum clq_status
delete_range(struct sq_db *q, const struct ranged *sql,
    struct clq_str pattern)
{
	struct clq_arena *arena = clq_arena_new();
	struct sq_range r = sq_range_of(arena, pattern);
	struct clq_str args[2] = { r.from, r.to };
	enum clq_status status;

	if (r.exact || r.open)
		status = run_strs(q, r.exact ? sql->exact : sql->open, args,
		    1);
	else
		status = run_strs(q, sql->range, args, 2);
	clq_arena_free(&arena);
	return status;
}

static enum clq_status
delete_objects(void *self, const struct clq_str *patterns, size_t n)
{
	static const struct ranged sql = {
		"DELETE FROM access_control_entries WHERE object = ?1",
		"DELETE FROM access_control_entries WHERE object >= ?1",
		"DELETE FROM access_control_entries WHERE object >= ?1"
		" AND object < ?2"
	};
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);
	size_t i;

	for (i = 0; status == CLQ_OK && i < n; i++)
		status = delete_range(q, &sql, patterns[i]);
	return status;
}

/* ---- groups ----------------------------------------------------------- */

static enum clq_status
add_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct clq_str args[2] = { user, principal };
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);

	return status != CLQ_OK ? status : run_strs(q,
	    "INSERT OR IGNORE INTO user_principals(user, principal)"
	    " VALUES(?1, ?2)", args, 2);
}

static enum clq_status
remove_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct clq_str args[2] = { user, principal };
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);

	return status != CLQ_OK ? status : run_strs(q,
	    "DELETE FROM user_principals WHERE user = ?1 AND principal = ?2",
	    args, 2);
}

static enum clq_status
forget_principal(void *self, struct clq_str pattern)
{
	static const struct ranged sql = {
		"DELETE FROM user_principals WHERE principal = ?1",
		"DELETE FROM user_principals WHERE principal >= ?1",
		"DELETE FROM user_principals WHERE principal >= ?1"
		" AND principal < ?2"
	};
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);

	return status != CLQ_OK ? status : delete_range(q, &sql, pattern);
}

static enum clq_status
groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, false);

	return status != CLQ_OK ? status : add_groups(q, arena, user, out);
}

static enum clq_status
flush(void *self)
{
	struct sq_db *q = sq_self(self);
	enum clq_status status = sq_start(q, true);

	if (status == CLQ_OK)
		status = sq_run(q, sq_prepare(q,
		    "DELETE FROM access_control_entries", true));
	if (status == CLQ_OK)
		status = sq_run(q, sq_prepare(q,
		    "DELETE FROM user_principals", true));
	return status;
}

const struct clq_permission_ops sq_permission_ops = {
	.size			= sizeof sq_permission_ops,
	.lookup			= sq_permission_lookup,
	.replace		= replace,
	.add			= add_ace,
	.remove			= remove_ace,
	.delete_objects		= delete_objects,
	.acl			= acl,
	.accessible		= sq_accessible,
	.add_member		= add_member,
	.remove_member		= remove_member,
	.forget_principal	= forget_principal,
	.groups			= groups,
	.flush			= flush,
};
