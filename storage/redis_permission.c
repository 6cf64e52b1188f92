/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of users, and permissions on objects (section 11-5.5).
 *
 * Each fact is kept both ways, as it is asked for: "user:ID" and
 * "cliquet.members:GROUP"; "permission:OBJECT:NAME" and "cliquet.may:WHO",
 * whose members are "OBJECT\tNAME". "cliquet.acl:OBJECT" has the names of
 * permissions; "cliquet.objects" and "cliquet.groups" are sorted by their texts,
 * so that all that begins with something can be found.
 */
#include "storage/redis.h"

#include <cliquet/str.h>

#include <stdlib.h>

#define OBJECTS	CLQ_STR("cliquet.objects")
#define GROUPS	CLQ_STR("cliquet.groups")
#define EMPTY	CLQ_STR("")

static struct clq_str
named(struct clq_arena *a, const char *what, struct clq_str name)
{
	return clq_arena_printf(a, "%s:%.*s", what, CLQ_FMT(name));
}

static struct clq_str
ace_key(struct clq_arena *a, struct clq_str object, struct clq_str permission)
{
	return clq_arena_printf(a, "permission:%.*s:%.*s", CLQ_FMT(object),
	    CLQ_FMT(permission));
}

static struct clq_str
pair(struct clq_arena *a, struct clq_str object, struct clq_str permission)
{
	return clq_arena_printf(a, "%.*s\t%.*s", CLQ_FMT(object),
	    CLQ_FMT(permission));
}

/* ---- changes of ACEs -------------------------------------------------------- */

static void
add_ace(struct rd_db *db, struct clq_arena *a, struct clq_str object,
    struct clq_str permission, struct clq_str principal)
{
	rd_log(db, RD_SADD, ace_key(a, object, permission), principal, 0);
	rd_log(db, RD_SADD, named(a, "cliquet.may", principal),
	    pair(a, object, permission), 0);
	rd_log(db, RD_SADD, named(a, "cliquet.acl", object), permission, 0);
	rd_log(db, RD_ZADD, OBJECTS, object, 0);
}

static void
remove_ace(struct rd_db *db, struct clq_arena *a, struct clq_str object,
    struct clq_str permission, struct clq_str principal)
{
	rd_log(db, RD_SREM, ace_key(a, object, permission), principal, 0);
	rd_log(db, RD_SREM, named(a, "cliquet.may", principal),
	    pair(a, object, permission), 0);
}

static void
clear(struct rd_db *db, struct clq_arena *a, struct clq_str object,
    struct clq_str permission)
{
	struct clq_strs who = rd_members(db, a, ace_key(a, object,
	    permission));

	for (size_t i = 0; i < who.n; i++)
		remove_ace(db, a, object, permission, who.items[i]);
	rd_log(db, RD_SREM, named(a, "cliquet.acl", object), permission, 0);
}

static void
forget_object(struct rd_db *db, struct clq_arena *a, struct clq_str object)
{
	struct clq_strs names = rd_members(db, a, named(a, "cliquet.acl",
	    object));

	for (size_t i = 0; i < names.n; i++)
		clear(db, a, object, names.items[i]);
	rd_log(db, RD_ZREM, OBJECTS, object, 0);
}

/* What the changing functions share. */
struct change {
	struct rd_db		*db;
	struct clq_arena	*arena;
};

static enum clq_status
begin_change(void *self, struct change *c)
{
	enum clq_status status;

	c->db = rd_self(self);
	status = rd_start(c->db, true);
	c->arena = status == CLQ_OK ? clq_arena_new() : NULL;
	return status;
}

static enum clq_status
end_change(struct change *c)
{
	clq_arena_free(&c->arena);
	return c->db->doomed;
}

static enum clq_status
replace(void *self, struct clq_str object, const struct clq_acl *acl)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);
	size_t i, k;

	if (status != CLQ_OK)
		return status;
	for (i = 0; i < acl->n; i++) {
		clear(c.db, c.arena, object, acl->aces[i].permission);
		for (k = 0; k < acl->aces[i].principals.n; k++)
			add_ace(c.db, c.arena, object,
			    acl->aces[i].permission,
			    acl->aces[i].principals.items[k]);
	}
	return end_change(&c);
}

static enum clq_status
add(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);

	if (status != CLQ_OK)
		return status;
	add_ace(c.db, c.arena, object, permission, principal);
	return end_change(&c);
}

static enum clq_status
remove_(void *self, struct clq_str object, struct clq_str permission,
    struct clq_str principal)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);

	if (status != CLQ_OK)
		return status;
	remove_ace(c.db, c.arena, object, permission, principal);
	return end_change(&c);
}

/* What a pattern means: itself, or all that begin so. */
static struct clq_strs
expand(struct change *c, struct clq_str index, struct clq_str pattern)
{
	struct clq_strs list = { NULL, 0, 0 };

	if (clq_str_ends(pattern, "*"))
		return rd_prefixed(c->db, c->arena, index,
		    clq_str_sub(pattern, 0, pattern.len - 1));
	clq_strs_add(c->arena, &list, pattern);
	return list;
}

static enum clq_status
delete_objects(void *self, const struct clq_str *patterns, size_t n)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);
	struct clq_strs objects;
	size_t i, k;

	if (status != CLQ_OK)
		return status;
	for (i = 0; i < n; i++) {
		objects = expand(&c, OBJECTS, patterns[i]);
		for (k = 0; k < objects.n; k++)
			forget_object(c.db, c.arena, objects.items[k]);
	}
	return end_change(&c);
}

/* ---- groups -------------------------------------------------------------------- */

static enum clq_status
add_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);

	if (status != CLQ_OK)
		return status;
	rd_log(c.db, RD_SADD, named(c.arena, "user", user), principal, 0);
	rd_log(c.db, RD_SADD, named(c.arena, "cliquet.members", principal),
	    user, 0);
	rd_log(c.db, RD_ZADD, GROUPS, principal, 0);
	return end_change(&c);
}

static enum clq_status
remove_member(void *self, struct clq_str user, struct clq_str principal)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);

	if (status != CLQ_OK)
		return status;
	rd_log(c.db, RD_SREM, named(c.arena, "user", user), principal, 0);
	rd_log(c.db, RD_SREM, named(c.arena, "cliquet.members", principal),
	    user, 0);
	return end_change(&c);
}

static void
forget_group(struct change *c, struct clq_str group)
{
	struct clq_str key = named(c->arena, "cliquet.members", group);
	struct clq_strs users = rd_members(c->db, c->arena, key);

	for (size_t i = 0; i < users.n; i++)
		rd_log(c->db, RD_SREM, named(c->arena, "user",
		    users.items[i]), group, 0);
	rd_log(c->db, RD_DEL, key, EMPTY, 0);
	rd_log(c->db, RD_ZREM, GROUPS, group, 0);
}

static enum clq_status
forget_principal(void *self, struct clq_str pattern)
{
	struct change c;
	enum clq_status status = begin_change(self, &c);
	struct clq_strs list;

	if (status != CLQ_OK)
		return status;
	list = expand(&c, GROUPS, pattern);
	for (size_t i = 0; i < list.n; i++)
		forget_group(&c, list.items[i]);
	return end_change(&c);
}

static enum clq_status
flush(void *self)
{
	struct clq_str all = CLQ_STR("*");
	enum clq_status status = forget_principal(self, all);

	return status == CLQ_OK ? delete_objects(self, &all, 1) : status;
}

/* A user's groups are two sets: his own, and of everybody who has logged in. */
enum { GROUP_SETS = 2 };

static void
group_keys(struct clq_arena *arena, struct clq_str user,
    struct clq_str keys[GROUP_SETS])
{
	keys[0] = named(arena, "user", user);
	keys[1] = CLQ_STR("user:system.Authenticated");
}

/* Both as one. */
static struct clq_strs
join(struct clq_arena *arena, const struct clq_strs sets[GROUP_SETS])
{
	struct clq_strs all = sets[0];

	for (size_t i = 0; i < sets[1].n; i++)
		if (!clq_strs_has(all, sets[1].items[i]))
			clq_strs_add(arena, &all, sets[1].items[i]);
	return all;
}

static enum clq_status
groups(void *self, struct clq_arena *arena, struct clq_str user,
    struct clq_strs *out)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct clq_str keys[GROUP_SETS];
	struct clq_strs sets[GROUP_SETS];

	if (status != CLQ_OK)
		return status;
	*out = (struct clq_strs){ NULL, 0, 0 };
	if (user.p == NULL)
		return CLQ_OK;
	group_keys(arena, user, keys);
	rd_members_of(db, arena, keys, sets, GROUP_SETS);
	*out = join(arena, sets);
	return db->doomed;
}

/* ---- questions ------------------------------------------------------------------- */

static int
by_text(const void *a, const void *b)
{
	return clq_str_cmp(*(const struct clq_str *)a,
	    *(const struct clq_str *)b);
}

static void
read_acl(struct rd_db *db, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	struct clq_strs names = rd_members(db, arena, named(arena,
	    "cliquet.acl", object));
	struct clq_str *keys = clq_arena_calloc(arena, names.n, sizeof *keys);
	struct clq_strs *who = clq_arena_calloc(arena, names.n, sizeof *who);
	size_t i;

	for (i = 0; i < names.n; i++)
		keys[i] = ace_key(arena, object, names.items[i]);
	rd_members_of(db, arena, keys, who, names.n);
	out->aces = clq_arena_calloc(arena, names.n, sizeof *out->aces);
	out->n = 0;
	for (i = 0; i < names.n; i++) {
		if (who[i].n > 1)
			qsort(who[i].items, who[i].n, sizeof *who[i].items,
			    by_text);
		if (who[i].n > 0)
			out->aces[out->n++] = (struct clq_ace){
			    names.items[i], who[i] };
	}
}

static enum clq_status
acl(void *self, struct clq_arena *arena, struct clq_str object,
    struct clq_acl *out)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);

	if (status != CLQ_OK)
		return status;
	read_acl(db, arena, object, out);
	return db->doomed;
}

static bool
one_of(struct clq_strs list, struct clq_strs others)
{
	for (size_t i = 0; i < list.n; i++)
		if (clq_strs_has(others, list.items[i]))
			return true;
	return false;
}

void
rd_lookup_permission(struct rd_db *db, struct clq_lookup *l)
{
	size_t ngroups = l->user.p != NULL ? GROUP_SETS : 0, i;
	size_t n = ngroups + l->nbounds;
	struct clq_str *keys = clq_arena_calloc(l->arena, n, sizeof *keys);
	struct clq_strs *sets = clq_arena_calloc(l->arena, n, sizeof *sets);
	struct clq_strs *who = sets + ngroups;

	if (ngroups > 0)
		group_keys(l->arena, l->user, keys);
	for (i = 0; i < l->nbounds; i++)
		keys[ngroups + i] = ace_key(l->arena, l->bounds[i].object,
		    l->bounds[i].permission);
	rd_members_of(db, l->arena, keys, sets, n);
	l->groups = (struct clq_strs){ NULL, 0, 0 };
	if (ngroups > 0)
		l->groups = join(l->arena, sets);
	for (i = 0; i < l->nbounds; i++)
		l->bounds[i].granted = one_of(who[i], l->principals) ||
		    one_of(who[i], l->groups);
	if (l->acl_of.p != NULL)
		read_acl(db, l->arena, l->acl_of, &l->acl);
}

static enum clq_status
lookup(void *self, struct clq_lookup *l)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);

	if (status != CLQ_OK)
		return status;
	rd_lookup_permission(db, l);
	return db->doomed;
}

/* ---- accessible objects ------------------------------------------------------------ */

static bool
is_bound(struct clq_str object, struct clq_str permission,
    const struct clq_bound *b, bool children)
{
	struct clq_str prefix, rest;

	if (!clq_str_eq(permission, b->permission))
		return false;
	if (!clq_str_ends(b->object, "*"))
		return clq_str_eq(object, b->object);
	prefix = clq_str_sub(b->object, 0, b->object.len - 1);
	if (object.len < prefix.len ||
	    memcmp(object.p, prefix.p, prefix.len) != 0)
		return false;
	rest = clq_str_sub(object, prefix.len, object.len);
	return children || clq_str_find(rest, '/', 0) == rest.len;
}

/* Pairs, sorted, to objects with their permissions. */
static void
gather(struct clq_arena *arena, struct clq_strs pairs,
    struct clq_accessible **out, size_t *nout)
{
	struct clq_accessible *list = clq_arena_calloc(arena, pairs.n,
	    sizeof *list);
	struct clq_str object;
	size_t i, n = 0, tab;

	if (pairs.n > 1)
		qsort(pairs.items, pairs.n, sizeof *pairs.items, by_text);
	for (i = 0; i < pairs.n; i++) {
		tab = clq_str_find(pairs.items[i], '\t', 0);
		object = clq_str_sub(pairs.items[i], 0, tab);
		if (n == 0 || !clq_str_eq(list[n - 1].object, object))
			list[n++].object = object;
		clq_strs_add(arena, &list[n - 1].permissions,
		    clq_str_sub(pairs.items[i], tab + 1,
		    pairs.items[i].len));
	}
	*out = list;
	*nout = n;
}

static enum clq_status
accessible(void *self, struct clq_arena *arena, struct clq_strs principals,
    const struct clq_bound *bounds, size_t n, bool children,
    struct clq_accessible **out, size_t *nout)
{
	struct rd_db *db = rd_self(self);
	enum clq_status status = rd_start(db, false);
	struct clq_strs pairs = { NULL, 0, 0 }, mine;
	size_t i, k, b, tab;

	if (status != CLQ_OK)
		return status;
	for (i = 0; i < principals.n; i++) {
		mine = rd_members(db, arena, named(arena, "cliquet.may",
		    principals.items[i]));
		for (k = 0; k < mine.n; k++) {
			tab = clq_str_find(mine.items[k], '\t', 0);
			for (b = 0; b < n && !is_bound(clq_str_sub(
			    mine.items[k], 0, tab), clq_str_sub(
			    mine.items[k], tab + 1, mine.items[k].len),
			    &bounds[b], children); b++)
				;
			if ((n == 0 || b < n) &&
			    !clq_strs_has(pairs, mine.items[k]))
				clq_strs_add(arena, &pairs, mine.items[k]);
		}
	}
	gather(arena, pairs, out, nout);
	return db->doomed;
}

const struct clq_permission_ops rd_permission_ops = {
	.size			= sizeof rd_permission_ops,
	.lookup			= lookup,
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
