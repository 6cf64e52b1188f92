/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch knows already: answers that hold until its end.
 *
 * prefetch() asks for everything that the look-ups of a batch will ask, and
 * the answers stay here as facts, found by what they are about. A look-up
 * whose facts are all here costs no round trip. In a writing transaction
 * nobody else can change them, since the objects are locked; what the
 * transaction itself changes is taken out where changes are queued
 * (pg_queue.c), and learned again by the look-up that needs it. In a reading
 * one, nothing is locked, so that facts hold only until the next packet: an
 * object must not look older than the timestamp of its list.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

enum kind {
	OBJECT,		/* resource, parent, id */
	BOUND,		/* URI, permission */
	ACL,		/* URI */
	TOUCHED		/* URI whose entries were changed, at `since` */
};

struct pg_fact {
	enum kind		 kind;
	struct clq_str		 a, b, c;
	uint64_t		 hash;
	uint64_t		 since;	/* known->clock; 0: not known */
	uint64_t		 alone;	/* OBJECT: locked as what is to be
					   written, then; 0: not */
	bool			 yes;	/* found, granted */
	struct clq_object	 object;
	struct clq_acl		 acl;
};

static const struct clq_str none = { NULL, 0 };

/* ---- the table ---------------------------------------------------------- */

/* Where the fact is, or the free place where it would be. */
static struct pg_fact **
place(const struct pg_known *k, const struct pg_fact *f)
{
	size_t i = (size_t)(f->hash ^ f->hash >> 32) & (k->cap - 1);
	const struct pg_fact *at;

	for (; (at = k->table[i]) != NULL; i = (i + 1) & (k->cap - 1))
		if (at->hash == f->hash && at->kind == f->kind &&
		    clq_str_eq(at->c, f->c) && clq_str_eq(at->b, f->b) &&
		    clq_str_eq(at->a, f->a))
			break;
	return &k->table[i];
}

static void
grow(struct pg_db *db)
{
	struct pg_known *k = &db->known;
	struct pg_fact **old = k->table;
	size_t cap = k->cap, i;

	k->cap = cap > 0 ? cap * 2 : 128;
	k->table = clq_arena_calloc(db->tx_arena, k->cap,
	    sizeof(struct pg_fact *));
	for (i = 0; i < cap; i++)
		if (old[i] != NULL)
			*place(k, old[i]) = old[i];
}

static struct pg_fact
about(enum kind kind, struct clq_str a, struct clq_str b, struct clq_str c)
{
	struct pg_fact f = { .kind = kind, .a = a, .b = b, .c = c };

	f.hash = pg_hash_word(pg_hash_word(pg_hash_word(PG_HASH ^
	    (uint64_t)kind, a), b), c);
	return f;
}

static struct pg_fact *
find(const struct pg_db *db, enum kind kind, struct clq_str a,
    struct clq_str b, struct clq_str c)
{
	struct pg_fact f;

	if (db->known.n == 0)
		return NULL;
	f = about(kind, a, b, c);
	return *place(&db->known, &f);
}

/* The same, made if it is not there. */
static struct pg_fact *
make(struct pg_db *db, enum kind kind, struct clq_str a, struct clq_str b,
    struct clq_str c)
{
	struct pg_fact f = about(kind, a, b, c), **at;

	if (2 * db->known.n >= db->known.cap)
		grow(db);
	at = place(&db->known, &f);
	if (*at == NULL) {
		f.a = clq_arena_strdup(db->tx_arena, a);
		f.b = clq_arena_strdup(db->tx_arena, b);
		f.c = clq_arena_strdup(db->tx_arena, c);
		*at = clq_arena_alloc(db->tx_arena, sizeof f);
		**at = f;
		db->known.n++;
	}
	return *at;
}

/* True if what is known of the URI's entries is not older than its change. */
static bool
untouched(const struct pg_db *db, const struct pg_fact *f)
{
	const struct pg_fact *t = find(db, TOUCHED, f->a, none, none);

	return t == NULL || t->since < f->since;
}

static bool
holds(const struct pg_db *db, const struct pg_fact *f)
{
	return f != NULL && f->since > db->known.forgotten &&
	    (f->kind == OBJECT || untouched(db, f));
}

/* ---- answering ---------------------------------------------------------- */

static struct pg_fact *
object_fact(const struct pg_db *db, const struct clq_want *w)
{
	return find(db, OBJECT, w->coll.resource, w->coll.parent, w->id);
}

static struct pg_fact *
bound_fact(const struct pg_db *db, const struct clq_bound *b)
{
	return find(db, BOUND, b->object, b->permission, none);
}

static bool
same_caller(const struct pg_known *k, const struct clq_lookup *l)
{
	size_t i;

	if (!clq_str_eq(k->user, l->user) ||
	    k->principals.n != l->principals.n)
		return false;
	if (k->principals.items == l->principals.items)
		return true;
	for (i = 0; i < l->principals.n; i++)
		if (!clq_str_eq(k->principals.items[i],
		    l->principals.items[i]))
			return false;
	return true;
}

static bool
knows_all(const struct pg_db *db, const struct clq_lookup *l)
{
	const struct pg_known *k = &db->known;
	const struct pg_fact *f;
	size_t i;

	if (l->timestamp_of != NULL)
		return false;
	if ((l->user.p != NULL || l->nbounds > 0) &&
	    (!same_caller(k, l) || k->groups_since <= k->forgotten))
		return false;
	for (i = 0; i < l->nwants; i++) {
		f = object_fact(db, &l->wants[i]);
		if (!holds(db, f) || (db->mode == CLQ_TX_WRITE &&
		    !l->reading && !l->wants[i].shared && f->alone == 0))
			return false;
	}
	for (i = 0; i < l->nbounds; i++)
		if (!holds(db, bound_fact(db, &l->bounds[i])))
			return false;
	return l->acl_of.p == NULL ||
	    holds(db, find(db, ACL, l->acl_of, none, none));
}

bool
pg_known_answer(const struct pg_db *db, struct clq_lookup *l)
{
	const struct pg_fact *f;
	size_t i;

	if (!db->known.on || !knows_all(db, l))
		return false;
	for (i = 0; i < l->nwants; i++) {
		f = object_fact(db, &l->wants[i]);
		l->wants[i].found = f->yes;
		if (f->yes)
			l->wants[i].object = f->object;
	}
	for (i = 0; i < l->nbounds; i++)
		l->bounds[i].granted = bound_fact(db, &l->bounds[i])->yes;
	memset(&l->groups, 0, sizeof l->groups);
	if (l->user.p != NULL)
		l->groups = db->known.groups;
	if (l->acl_of.p != NULL)
		l->acl = find(db, ACL, l->acl_of, none, none)->acl;
	return true;
}

/* ---- learning ----------------------------------------------------------- */

void
pg_known_begin(struct pg_db *db, const struct clq_lookup *l)
{
	struct pg_known *k = &db->known;

	k->on = true;
	k->arena = l->arena;
	k->clock++;
	k->user = l->user;
	k->principals = l->principals;
}

static void
note_lock(const struct pg_db *db, struct pg_fact *f, const struct clq_want *w)
{
	if (!w->shared && f->alone == 0)
		f->alone = db->known.clock;
}

bool
pg_known_new(struct pg_db *db, const struct clq_want *w,
    const struct clq_bound *b, struct clq_str acl_of)
{
	size_t n = db->known.n;

	if (w != NULL)
		note_lock(db, make(db, OBJECT, w->coll.resource,
		    w->coll.parent, w->id), w);
	else if (b != NULL)
		(void)make(db, BOUND, b->object, b->permission, none);
	else
		(void)make(db, ACL, acl_of, none, none);
	return db->known.n > n;
}

static void
learn_acl(struct pg_db *db, struct clq_str uri, struct clq_acl acl)
{
	struct pg_fact *f = make(db, ACL, uri, none, none);

	f->since = db->known.clock;
	f->acl = acl;
}

void
pg_known_learn(struct pg_db *db, const struct clq_lookup *l,
    const struct clq_str *uris, const struct clq_acl *acls, size_t nacls)
{
	struct pg_known *k = &db->known;
	const struct clq_want *w;
	struct pg_fact *f;
	size_t i;

	k->clock++;
	for (w = l->wants; w < l->wants + l->nwants; w++) {
		f = make(db, OBJECT, w->coll.resource, w->coll.parent, w->id);
		note_lock(db, f, w);
		f->since = k->clock;
		f->yes = w->found;
		f->object = w->object;
	}
	if (same_caller(k, l) && (l->user.p != NULL || l->nbounds > 0)) {
		k->groups = l->groups;
		k->groups_since = k->clock;
		for (i = 0; i < l->nbounds; i++) {
			f = make(db, BOUND, l->bounds[i].object,
			    l->bounds[i].permission, none);
			f->since = k->clock;
			f->yes = l->bounds[i].granted;
		}
	}
	if (l->acl_of.p != NULL)
		learn_acl(db, l->acl_of, l->acl);
	for (i = 0; i < nacls; i++)
		learn_acl(db, uris[i], acls[i]);
}

/* ---- forgetting --------------------------------------------------------- */

void
pg_known_wrote(struct pg_db *db, const struct clq_write *w)
{
	struct pg_fact *f = find(db, OBJECT, w->coll.resource, w->coll.parent,
	    w->id);

	if (f != NULL)
		f->since = 0;
}

void
pg_known_touched(struct pg_db *db, struct clq_str uri)
{
	if (db->known.on)
		make(db, TOUCHED, uri, none, none)->since = db->known.clock;
}

void
pg_known_member(struct pg_db *db, struct clq_str user)
{
	if (clq_str_eq(user, db->known.user) ||
	    clq_str_is(user, "system.Authenticated"))
		pg_known_forget(db);
}

void
pg_known_forget(struct pg_db *db)
{
	db->known.forgotten = db->known.clock;
}

void
pg_known_mark(struct pg_db *db)
{
	db->known.mark = db->known.clock;
}

void
pg_known_undo(struct pg_db *db)
{
	struct pg_known *k = &db->known;
	struct pg_fact *f;
	size_t i;

	for (i = 0; i < k->cap; i++) {
		if ((f = k->table[i]) == NULL || f->kind == TOUCHED)
			continue;
		if (f->since > k->mark)
			f->since = 0;
		if (f->alone > k->mark)
			f->alone = 0;
	}
	if (k->groups_since > k->mark)
		k->groups_since = 0;
}
