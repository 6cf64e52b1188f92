/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What look-ups of SQLite remember: that it saves statements, and that nobody
 * is told what is true no more - whoever changed it, and also if the change is
 * undone.
 */
#include "sqlite_fixture.h"

#define USER	CLQ_STR("basicauth:ann")
#define GROUP	CLQ_STR("/b/g")
#define PARENT	CLQ_STR("/b/c")

static struct sq_db *other;		/* another worker */

static void
write_on(struct sq_db *db)
{
	cr_assert_eq(sq_begin(db, CLQ_TX_WRITE), CLQ_OK);
}

static void
done(struct sq_db *db)
{
	cr_assert_eq(sq_finish(db, true), CLQ_OK);
}

static void
put(struct sq_db *db, struct clq_str parent, struct clq_str id,
    enum clq_write_op op)
{
	struct clq_write w = { .op = op, .coll = { list.resource, parent },
	    .id = id, .data = CLQ_STR("{}") };

	cr_assert_eq(sq_write(db, &w, 1), CLQ_OK);
	cr_assert_eq(w.status, CLQ_OK);
}

/* A list whose group may write, with one object and one member. */
static void
setup(void)
{
	begin();
	cr_assert_eq(clq_settings_parse("test.ini", CLQ_STR("[app:main]\n"),
	    &settings), CLQ_OK);
	q = another();
	other = another();
	write_on(q);
	put(q, CLQ_STR("/b"), CLQ_STR("c"), CLQ_WRITE_CREATE);
	put(q, PARENT, CLQ_STR("r"), CLQ_WRITE_CREATE);
	cr_assert_eq(sq_permission_ops.add(q, PARENT, CLQ_STR("write"),
	    GROUP), CLQ_OK);
	cr_assert_eq(sq_permission_ops.add_member(q, USER, GROUP), CLQ_OK);
	done(q);
}

static void
teardown(void)
{
	sq_close(other);
	end();
}

#define KnownTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 60)

/* What a request for an object asks; in the transaction that there is. */
struct answer {
	bool	parent;
	bool	object;
	bool	granted;
	bool	member;
};

static struct answer
ask(struct sq_db *db)
{
	struct clq_want wants[2] = {
		{ .coll = { list.resource, CLQ_STR("/b") },
		    .id = CLQ_STR("c"), .shared = true },
		{ .coll = { list.resource, PARENT }, .id = CLQ_STR("r") },
	};
	struct clq_bound bound = { PARENT, CLQ_STR("write"), false };
	struct clq_lookup l = { .arena = arena, .wants = wants, .nwants = 2,
	    .user = USER, .bounds = &bound, .nbounds = 1 };

	cr_assert_eq(sq_lookup(db, &l), CLQ_OK);
	if (wants[0].found)
		cr_expect(clq_str_is(wants[0].object.data, "{}"));
	return (struct answer){ wants[0].found, wants[1].found,
	    bound.granted, l.groups.n == 1 };
}

static struct answer
read_on(struct sq_db *db)
{
	struct answer a;

	cr_assert_eq(sq_begin(db, CLQ_TX_READ), CLQ_OK);
	a = ask(db);
	cr_assert_eq(sq_finish(db, true), CLQ_OK);
	return a;
}

#define expect(a, PARENT_, OBJECT_, GRANTED_, MEMBER_) do {		\
	struct answer a_ = (a);						\
	cr_expect_eq(a_.parent, PARENT_);				\
	cr_expect_eq(a_.object, OBJECT_);				\
	cr_expect_eq(a_.granted, GRANTED_);				\
	cr_expect_eq(a_.member, MEMBER_);				\
} while (0)

/* How many statements a look-up runs. */
static int
statements_of_lookup(struct sq_db *db)
{
	int n = 0;

	sqlite3_trace_v2(db->db, SQLITE_TRACE_STMT, count_statement, &n);
	expect(read_on(db), true, true, true, true);
	sqlite3_trace_v2(db->db, 0, NULL, NULL);
	return n - 2;			/* BEGIN, COMMIT */
}

KnownTest(known, saves_statements_while_nothing_changes)
{
	cr_expect_eq(statements_of_lookup(other), 4);
	cr_expect_eq(statements_of_lookup(other), 1);
	write_on(other);
	expect(ask(other), true, true, true, true);
	put(other, PARENT, CLQ_STR("r"), CLQ_WRITE_UPDATE);
	done(other);
	cr_expect_eq(statements_of_lookup(other), 1, "what we wrote we know");
	cr_expect_eq(statements_of_lookup(q), 4, "the other's change");
}

KnownTest(known, is_forgotten_when_another_changes_it)
{
	expect(read_on(other), true, true, true, true);
	write_on(q);
	cr_assert_eq(sq_permission_ops.remove(q, PARENT, CLQ_STR("write"),
	    GROUP), CLQ_OK);
	expect(read_on(other), true, true, true, true);	/* not yet */
	done(q);
	expect(read_on(other), true, true, false, true);
	write_on(q);
	cr_assert_eq(sq_permission_ops.remove_member(q, USER, GROUP), CLQ_OK);
	done(q);
	expect(read_on(other), true, true, false, false);
	write_on(q);
	put(q, CLQ_STR("/b"), CLQ_STR("c"), CLQ_WRITE_DELETE);
	done(q);
	expect(read_on(other), false, true, false, false);
}

KnownTest(known, belongs_to_the_snapshot_of_the_reader)
{
	expect(read_on(other), true, true, true, true);
	cr_assert_eq(sq_begin(other, CLQ_TX_READ), CLQ_OK);
	expect(ask(other), true, true, true, true);
	write_on(q);
	cr_assert_eq(sq_permission_ops.remove_member(q, USER, GROUP), CLQ_OK);
	done(q);
	expect(ask(other), true, true, true, true);
	cr_assert_eq(sq_finish(other, true), CLQ_OK);
	expect(read_on(other), true, true, false, false);
}

KnownTest(known, is_what_the_transaction_itself_did)
{
	struct clq_ace ace = { .permission = CLQ_STR("write") };
	const struct clq_acl nobody = { .aces = &ace, .n = 1 };

	write_on(q);
	expect(ask(q), true, true, true, true);
	cr_assert_eq(sq_permission_ops.replace(q, PARENT, &nobody), CLQ_OK);
	expect(ask(q), true, true, false, true);
	cr_assert_eq(sq_permission_ops.add(q, PARENT, CLQ_STR("write"), USER),
	    CLQ_OK);
	cr_assert_eq(sq_permission_ops.forget_principal(q, GROUP), CLQ_OK);
	expect(ask(q), true, true, false, false);	/* not the user's */
	cr_assert_eq(sq_permission_ops.add_member(q, USER, USER), CLQ_OK);
	expect(ask(q), true, true, true, true);
	cr_assert_eq(sq_erase(q, list.resource, CLQ_STR("/b")), CLQ_OK);
	expect(ask(q), false, false, true, true);
	done(q);
	expect(read_on(q), false, false, true, true);
	expect(read_on(other), false, false, true, true);
}

KnownTest(known, is_forgotten_with_what_is_undone)
{
	write_on(q);
	expect(ask(q), true, true, true, true);
	cr_assert_eq(sq_savepoint(q), CLQ_OK);
	put(q, CLQ_STR("/b"), CLQ_STR("c"), CLQ_WRITE_DELETE);
	cr_assert_eq(sq_permission_ops.remove(q, PARENT, CLQ_STR("write"),
	    GROUP), CLQ_OK);
	expect(ask(q), false, true, false, true);
	cr_assert_eq(sq_rollback(q), CLQ_OK);
	expect(ask(q), true, true, true, true);
	cr_assert_eq(sq_permission_ops.remove(q, PARENT, CLQ_STR("write"),
	    GROUP), CLQ_OK);
	expect(ask(q), true, true, false, true);
	cr_assert_eq(sq_finish(q, false), CLQ_OK);
	expect(read_on(q), true, true, true, true);
}

KnownTest(known, does_not_outlive_the_connection)
{
	expect(read_on(q), true, true, true, true);
	write_on(other);
	cr_assert_eq(sq_permission_ops.remove_member(other, USER, GROUP),
	    CLQ_OK);
	done(other);
	sq_disconnect(q);
	expect(read_on(q), true, true, false, false);
}

/* More facts than there is room for, and larger ones. */
KnownTest(known, is_bounded)
{
	char *text = clq_arena_alloc(arena, 100000);
	struct clq_str member;
	int i;

	memset(text, 'x', 100000);
	write_on(q);
	for (i = 0; i < 300; i++) {
		member = clq_arena_printf(arena, "/b/c/%d", i);
		cr_assert_eq(sq_permission_ops.add(q, member,
		    CLQ_STR("write"), USER), CLQ_OK);
	}
	member = (struct clq_str){ text, 100000 };
	cr_assert_eq(sq_permission_ops.add_member(q, USER, member), CLQ_OK);
	done(q);
	for (i = 0; i < 600; i++) {
		struct clq_bound bound = { clq_arena_printf(arena, "/b/c/%d",
		    i % 300), CLQ_STR("write"), false };
		struct clq_str names[] = { USER };
		struct clq_lookup l = { .arena = arena, .user = USER,
		    .principals = { names, 1, 1 }, .bounds = &bound,
		    .nbounds = 1 };

		cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
		cr_assert_eq(sq_lookup(q, &l), CLQ_OK);
		cr_assert_eq(sq_finish(q, true), CLQ_OK);
		cr_assert(bound.granted);
		cr_assert_eq(l.groups.n, 2);
		cr_assert_eq(l.groups.items[1].len, 100000);
	}
	for (i = 0; i < SQ_FACTS; i++)
		cr_expect_leq(q->known.facts[i].bytes.len, 2100);
}
