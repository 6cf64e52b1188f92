/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks: what a writing transaction looked up does not change before its end.
 *
 * Row locks would not do. An object that is missing has no row, so two
 * creations of one id would both pass; and FOR SHARE on the row of a
 * collection makes every writer of a record write to that row. Advisory locks
 * exist for names rather than rows, cost no write, and are handed out in the
 * order of arrival. A writer holds
 *
 *	its objects		alone; parents (clq_want.shared) with others
 *	their lists		with others: delete_all() takes one alone
 *	every URI above them	with others: erase() takes one alone
 *
 * until the transaction ends. The statement that takes them comes before those
 * that look, each of which sees what was committed when it begins. Locks of
 * one look-up are taken in one order, so that only several look-ups of one
 * transaction can meet in a deadlock, which PostgreSQL ends with CLQ_RETRY,
 * but not before a second has passed.
 *
 * A batch looks one object up after the other, in an order that its client
 * chose; two of them with some objects in common would meet all the time. So
 * a batch, known by its marks, holds the list alone instead of the object, and
 * before it takes the list's clock.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

#include <stdlib.h>

struct pg_lock {
	int64_t	key;
	bool	alone;
};

const struct pg_stmt pg_lock_stmt = { PG_LOCK,
	"SELECT CASE WHEN alone THEN pg_advisory_xact_lock(key)"
	" ELSE pg_advisory_xact_lock_shared(key) END"
	" FROM unnest($1::bigint[], $2::bigint[]) AS l(key, n),"
	" LATERAL (SELECT n <> 0) AS m(alone)" };

/* A hash, and a stir, since its high bits change little with the last byte.
 * Two names with one key only wait for each other. */
static int64_t
key_of(char kind, struct clq_str a, struct clq_str b, struct clq_str c)
{
	uint64_t h = PG_HASH ^ (unsigned char)kind;

	h = pg_hash_word(pg_hash_word(pg_hash_word(h, a), b), c);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return (int64_t)h;
}

static void
add(struct pg_locks *locks, int64_t key, bool alone)
{
	struct pg_lock *more;
	size_t i;

	for (i = 0; i < locks->n; i++)
		if (locks->items[i].key == key) {
			locks->items[i].alone |= alone;
			return;
		}
	if (locks->n == locks->cap) {
		locks->cap = locks->cap > 0 ? locks->cap * 2 : 16;
		more = clq_arena_calloc(locks->arena, locks->cap,
		    sizeof *more);
		if (locks->n > 0)
			memcpy(more, locks->items, locks->n * sizeof *more);
		locks->items = more;
	}
	locks->items[locks->n++] = (struct pg_lock){ key, alone };
}

static const struct clq_str none = { "", 0 };

void
pg_lock_want(struct pg_locks *locks, const struct clq_want *want,
    bool whole_list)
{
	struct clq_str parent = want->coll.parent;
	bool list = whole_list && !want->shared;
	size_t i;

	for (i = 1; i <= parent.len; i++)
		if (i == parent.len || parent.p[i] == '/')
			add(locks, key_of('p', clq_str_sub(parent, 0, i),
			    none, none), false);
	add(locks, key_of('l', want->coll.resource, parent, none), list);
	if (!list)
		add(locks, key_of('o', want->coll.resource, parent,
		    want->id), !want->shared);
}

void
pg_lock_list(struct pg_locks *locks, const struct clq_coll *coll)
{
	add(locks, key_of('l', coll->resource, coll->parent, none), true);
}

void
pg_lock_below(struct pg_locks *locks, struct clq_str parent)
{
	add(locks, key_of('p', parent, none, none), true);
}

static int
order(const void *a, const void *b)
{
	const struct pg_lock *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

void
pg_lock_args(struct pg_locks *locks, struct pg_args *args)
{
	int64_t *keys = clq_arena_calloc(locks->arena, locks->n * 2,
	    sizeof *keys);
	size_t i;

	if (locks->n > 1)
		qsort(locks->items, locks->n, sizeof *locks->items, order);
	for (i = 0; i < locks->n; i++) {
		keys[i] = locks->items[i].key;
		keys[locks->n + i] = locks->items[i].alone;
	}
	pg_arg_ints(args, keys, locks->n);
	pg_arg_ints(args, keys + locks->n, locks->n);
}

void
pg_take_list(struct pg_db *db, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	struct pg_locks locks = { .arena = arena };
	struct pg_args args;

	pg_lock_list(&locks, coll);
	pg_args_init(&args, arena);
	pg_lock_args(&locks, &args);
	pg_exec(db, &pg_lock_stmt, &args, NULL, NULL);
}
