/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bump allocation out of chunks, with clean-ups for what malloc owns.
 *
 * Small pieces are cut from chunks of 16 KiB, which are zeroes where nothing
 * was cut yet. The first chunk survives a reset, which clears what was used of
 * it in one go (dozens of small memset()s cost more), so ordinary requests
 * never reach malloc and leave nothing behind. A piece longer than LARGE
 * has a block of its own, which grows with realloc(): response bodies double
 * without leaving copies behind. The length alone tells which kind a piece
 * is; clq_arena_grow() keeps that true.
 *
 * With CLQ_ARENA_DEBUG every piece is "large", so that AddressSanitizer and
 * valgrind see each overrun and each use after reset.
 */
#include <cliquet/arena.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CHUNK = 16384,		/* bytes of a chunk, its head included */
#ifdef CLQ_ARENA_DEBUG
	LARGE = 0
#else
	LARGE = CHUNK / 4	/* longer pieces get their own block */
#endif
};

struct chunk {
	struct chunk		*next;
	alignas(max_align_t) char data[];
};

struct large {
	struct large		*prev;
	struct large		*next;
	alignas(max_align_t) char data[];
};

struct cleanup {
	struct cleanup		*next;
	clq_cleanup_f		*fn;
	void			*p;
};

struct clq_arena {
	struct chunk		*chunks;	/* the current one is first */
	struct large		*larges;
	struct cleanup		*cleanups;	/* last registered first */
	size_t			 pos;		/* in the current chunk */
	size_t			 used;
};

enum { CHUNK_CAP = CHUNK - sizeof(struct chunk) };

/* There is no way to serve on without memory; the master restarts us. */
static _Noreturn void
out_of_memory(void)
{
	fputs("cliquet: out of memory\n", stderr);
	abort();
}

static size_t
aligned(size_t len)
{
	size_t a = alignof(max_align_t);

	if (len > SIZE_MAX / 2)
		out_of_memory();
	return len == 0 ? a : (len + a - 1) / a * a;
}

struct clq_arena *
clq_arena_new(void)
{
	struct clq_arena *arena = calloc(1, sizeof *arena);

	if (arena == NULL)
		out_of_memory();
	return arena;
}

/* Each clean-up is unlinked before it runs: it may use the arena itself. */
static void
run_cleanups(struct clq_arena *arena)
{
	struct cleanup *c;

	while ((c = arena->cleanups) != NULL) {
		arena->cleanups = c->next;
		c->fn(c->p);
	}
}

void
clq_arena_reset(struct clq_arena *arena)
{
	struct chunk *c;
	struct large *l;

	run_cleanups(arena);
	while ((l = arena->larges) != NULL) {
		arena->larges = l->next;
		free(l);
	}
	while ((c = arena->chunks) != NULL && c->next != NULL) {
		arena->chunks = c->next;
		arena->pos = CHUNK_CAP;		/* the one below is full */
		free(c);
	}
	if (c != NULL)
		memset(c->data, 0, arena->pos);
	arena->pos = 0;
	arena->used = 0;
}

void
clq_arena_free(struct clq_arena **arena)
{
	if (*arena == NULL)
		return;
	clq_arena_reset(*arena);
	free((*arena)->chunks);
	free(*arena);
	*arena = NULL;
}

static void
large_link(struct clq_arena *arena, struct large *l)
{
	l->prev = NULL;
	l->next = arena->larges;
	if (l->next != NULL)
		l->next->prev = l;
	arena->larges = l;
}

static void *
large_alloc(struct clq_arena *arena, size_t len)
{
	struct large *l = calloc(1, sizeof *l + len);

	if (l == NULL)
		out_of_memory();
	large_link(arena, l);
	return l->data;
}

static void *
large_grow(struct clq_arena *arena, void *p, size_t new_len)
{
	struct large *l;

	l = (struct large *)(void *)((char *)p - offsetof(struct large, data));
	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		arena->larges = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	l = realloc(l, sizeof *l + new_len);
	if (l == NULL)
		out_of_memory();
	large_link(arena, l);
	return l->data;
}

/* A piece of size bytes, a multiple of the alignment; zeroes. */
static void *
chunk_cut(struct clq_arena *arena, size_t size)
{
	struct chunk *c = arena->chunks;
	void *p;

	if (c == NULL || size > (size_t)CHUNK_CAP - arena->pos) {
		c = calloc(1, CHUNK);
		if (c == NULL)
			out_of_memory();
		c->next = arena->chunks;
		arena->chunks = c;
		arena->pos = 0;
	}
	p = c->data + arena->pos;
	arena->pos += size;
	return p;
}

void *
clq_arena_alloc(struct clq_arena *arena, size_t len)
{
	size_t size = aligned(len);

	arena->used += len;
	if (size > LARGE)
		return large_alloc(arena, LARGE == 0 && len > 0 ? len : size);
	return chunk_cut(arena, size);
}

void *
clq_arena_calloc(struct clq_arena *arena, size_t n, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(n, size, &len))
		out_of_memory();
	return clq_arena_alloc(arena, len);
}

void *
clq_arena_grow(struct clq_arena *arena, void *p, size_t old_len,
    size_t new_len)
{
	size_t old_size, new_size;
	char *end;

	if (p == NULL)
		return clq_arena_alloc(arena, new_len);
	if (new_len <= old_len)
		return p;
	old_size = aligned(old_len);
	new_size = aligned(new_len);
	arena->used += new_len - old_len;
	if (old_size > LARGE)
		return large_grow(arena, p, LARGE == 0 ? new_len : new_size);
	if (new_size <= LARGE) {
		end = arena->chunks->data + arena->pos;
		if ((char *)p + old_size == end &&
		    new_size - old_size <= (size_t)CHUNK_CAP - arena->pos) {
			arena->pos += new_size - old_size;
			return p;
		}
		return memcpy(chunk_cut(arena, new_size), p, old_len);
	}
	return memcpy(large_alloc(arena, new_size), p, old_len);
}

struct clq_str
clq_arena_strdup(struct clq_arena *arena, struct clq_str s)
{
	struct clq_str copy = { NULL, 0 };

	if (s.p != NULL) {
		copy.p = clq_arena_cstr(arena, s);
		copy.len = s.len;
	}
	return copy;
}

char *
clq_arena_cstr(struct clq_arena *arena, struct clq_str s)
{
	char *p;

	if (s.len == SIZE_MAX)
		out_of_memory();
	p = clq_arena_alloc(arena, s.len + 1);
	if (s.len > 0)
		memcpy(p, s.p, s.len);
	return p;
}

struct clq_str
clq_arena_vprintf(struct clq_arena *arena, const char *fmt, va_list ap)
{
	char small[256], *p;
	struct clq_str s;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n < 0) {		/* a result beyond 2 GiB, or a broken %ls */
		fputs("cliquet: unprintable text\n", stderr);
		abort();
	}
	s.len = (size_t)n;
	p = clq_arena_alloc(arena, s.len + 1);
	if (s.len < sizeof small)
		memcpy(p, small, s.len);
	else
		vsnprintf(p, s.len + 1, fmt, again);
	va_end(again);
	s.p = p;
	return s;
}

struct clq_str
clq_arena_printf(struct clq_arena *arena, const char *fmt, ...)
{
	struct clq_str s;
	va_list ap;

	va_start(ap, fmt);
	s = clq_arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return s;
}

void
clq_arena_defer(struct clq_arena *arena, clq_cleanup_f *fn, void *p)
{
	struct cleanup *c = clq_arena_alloc(arena, sizeof *c);

	arena->used -= sizeof *c;	/* ours, not the caller's */
	c->fn = fn;
	c->p = p;
	c->next = arena->cleanups;
	arena->cleanups = c;
}

size_t
clq_arena_used(const struct clq_arena *arena)
{
	return arena->used;
}
