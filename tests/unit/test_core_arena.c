/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces are zeroed, aligned and disjoint, also after a reset; clean-ups run
 * once, last in, first out; memory that cannot be had ends the process.
 */
#include <cliquet/arena.h>

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <signal.h>
#include <stdalign.h>

static struct clq_arena *arena;

static void
setup(void)
{
	arena = clq_arena_new();
}

static void
teardown(void)
{
	clq_arena_free(&arena);
	cr_assert_null(arena);
}

TestSuite(arena, .init = setup, .fini = teardown);

static bool
filled_with(const char *p, size_t len, int c)
{
	return len == 0 || (p[0] == (char)c &&
	    memcmp(p, p + 1, len - 1) == 0);
}

Test(arena, zeroes_and_aligns_each_piece)
{
	static const size_t lens[] = {
		0, 1, 7, 15, 16, 17, 4096, 4097, 16368, 16384, 1 << 20
	};
	size_t round, i;
	char *p;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < CLQ_COUNT(lens); i++) {
			p = clq_arena_alloc(arena, lens[i]);
			cr_assert_not_null(p);
			cr_assert_eq((uintptr_t)p % alignof(max_align_t), 0);
			cr_assert(filled_with(p, lens[i], 0),
			    "round %zu, %zu bytes", round, lens[i]);
			memset(p, 0xa5, lens[i]);
		}
		clq_arena_reset(arena);
	}
}

Test(arena, zeroes_what_was_used_before)
{
	unsigned char *p;

	for (int round = 0; round < 4; round++) {
		/* one chunk, then more than one */
		for (int i = 0; i < (round % 2 == 0 ? 10 : 100); i++) {
			p = clq_arena_alloc(arena, 1000);
			for (size_t k = 0; k < 1000; k++)
				cr_assert_eq(p[k], 0, "%d %d %zu", round, i,
				    k);
			memset(p, 0xaa, 1000);
		}
		clq_arena_reset(arena);
	}
}

Test(arena, keeps_pieces_apart)
{
	enum { N = 2000 };
	char *p[N];
	size_t i;

	for (i = 0; i < N; i++) {
		p[i] = clq_arena_alloc(arena, i % 97 * (i % 50 == 0 ? 99 : 1));
		memset(p[i], (int)i, i % 97 * (i % 50 == 0 ? 99 : 1));
	}
	for (i = 0; i < N; i++)
		cr_assert(filled_with(p[i],
		    i % 97 * (i % 50 == 0 ? 99 : 1), (int)i), "piece %zu", i);
}

Test(arena, empty_pieces_differ)
{
	cr_assert_neq(clq_arena_alloc(arena, 0), clq_arena_alloc(arena, 0));
}

Test(arena, grows_the_last_piece_in_place)
{
#ifndef CLQ_ARENA_DEBUG
	char *p = clq_arena_alloc(arena, 10), *q;

	q = clq_arena_grow(arena, p, 10, 1000);
	cr_assert_eq(p, q);
	clq_arena_alloc(arena, 1);
	cr_assert_neq(clq_arena_grow(arena, q, 1000, 1100), q);
#endif
}

/* Through every change of kind: in place, copied, block of its own. */
Test(arena, grow_keeps_content)
{
	size_t len, next, step;
	char *p, *other = NULL;

	for (step = 1; step < 9000; step = step * 3 + 1) {
		len = step;
		p = clq_arena_alloc(arena, len);
		memset(p, 'x', len);
		while (len < 20000 + 50 * step) {
			next = len + step;
			p = clq_arena_grow(arena, p, len, next);
			cr_assert(filled_with(p, len, 'x'));
			memset(p, 'x', next);
			len = next;
			if (len % 5 == 0) {
				other = clq_arena_alloc(arena, len % 6000);
				memset(other, 'o', len % 6000);
			}
		}
	}
	cr_assert_not_null(other);
}

Test(arena, grow_starts_from_nothing_and_never_shrinks)
{
	char *p = clq_arena_grow(arena, NULL, 0, 10);

	cr_assert(filled_with(p, 10, 0));
	cr_assert_eq(clq_arena_grow(arena, p, 10, 5), p);
	cr_assert_eq(clq_arena_grow(arena, p, 10, 10), p);
}

static char order[16];

static void
note(void *p)
{
	strncat(order, p, 1);
}

Test(arena, cleans_up_last_in_first_out)
{
	static char a[] = "a", b[] = "b", c[] = "c";

	clq_arena_defer(arena, note, a);
	clq_arena_defer(arena, note, b);
	clq_arena_defer(arena, note, c);
	clq_arena_reset(arena);
	cr_assert_str_eq(order, "cba");
	clq_arena_reset(arena);
	cr_assert_str_eq(order, "cba", "a clean-up ran twice");
	clq_arena_defer(arena, note, a);
	clq_arena_free(&arena);
	cr_assert_str_eq(order, "cbaa");
	arena = clq_arena_new();
}

static void
note_late(void *p)
{
	static char z[] = "z";

	note(p);
	clq_arena_defer(arena, note, z);
}

Test(arena, clean_ups_may_register_clean_ups)
{
	static char a[] = "a", b[] = "b";

	clq_arena_defer(arena, note, a);
	clq_arena_defer(arena, note_late, b);
	clq_arena_reset(arena);
	cr_assert_str_eq(order, "bza");
}

Test(arena, counts_bytes_handed_out)
{
	char *p;

	cr_assert_eq(clq_arena_used(arena), 0);
	p = clq_arena_alloc(arena, 100);
	clq_arena_calloc(arena, 10, 20);
	cr_assert_eq(clq_arena_used(arena), 300);
	clq_arena_grow(arena, p, 100, 50000);
	cr_assert_eq(clq_arena_used(arena), 50200);
	clq_arena_reset(arena);
	cr_assert_eq(clq_arena_used(arena), 0);
}

Test(arena, copies_texts)
{
	struct clq_str s = clq_arena_strdup(arena, CLQ_STR("abc")), absent;
	char *c;

	cr_assert(clq_str_is(s, "abc"));
	absent = clq_arena_strdup(arena, (struct clq_str){ NULL, 0 });
	cr_assert_null(absent.p);
	s = clq_arena_strdup(arena, CLQ_STR(""));
	cr_assert_not_null(s.p);
	cr_assert_eq(s.len, 0);
	c = clq_arena_cstr(arena, clq_str_of("text"));
	cr_assert_str_eq(c, "text");
	cr_assert_str_eq(clq_arena_cstr(arena, absent), "");
}

Test(arena, prints)
{
	struct clq_str s = clq_arena_printf(arena, "%d-%s", 12, "x");

	cr_assert(clq_str_is(s, "12-x"));
	cr_assert_eq(s.p[s.len], '\0');
	s = clq_arena_printf(arena, "%*d|", 5000, 7);	/* beyond any buffer */
	cr_assert_eq(s.len, 5001);
	cr_assert_str_eq(s.p + 4998, " 7|");
	s = clq_arena_printf(arena, "%255d", 1);
	cr_assert_eq(s.len, 255);
	s = clq_arena_printf(arena, "%256d", 1);
	cr_assert_eq(s.len, 256);
	cr_assert_eq(s.p[255], '1');
}

Test(arena, ends_the_process_on_overflow, .signal = SIGABRT)
{
	volatile size_t huge = SIZE_MAX / 2;

	cr_redirect_stderr();
	clq_arena_calloc(arena, huge, 4);
}

Test(arena, ends_the_process_without_memory, .signal = SIGABRT)
{
	volatile size_t huge = SIZE_MAX - 8;

	cr_redirect_stderr();
	clq_arena_alloc(arena, huge);
}

Test(arena, free_accepts_what_is_freed)
{
	struct clq_arena *none = NULL;

	clq_arena_free(&none);
	cr_assert_null(none);
}
