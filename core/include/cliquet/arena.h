/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives as long as a request.
 *
 * Each worker has one arena per running request; it is reset after the
 * response has been written. A batch shares the arena of its envelope.
 * Start-up code uses an arena that lives as long as the process. Input must
 * be bounded before it is copied here: running out of memory ends the process
 * (the master starts another worker). Not thread-safe: one owner at a time.
 */
#ifndef CLQ_ARENA_H
#define CLQ_ARENA_H

#include <stdarg.h>

#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A new, empty arena; never NULL. Owned by the caller. */
CLQ_API struct clq_arena *clq_arena_new(void);

/* Run the deferred clean-ups, free everything, set *arena to NULL. */
CLQ_API void clq_arena_free(struct clq_arena **arena);

/*
 * Run the deferred clean-ups, last registered first, and forget all pieces.
 * Keeps one chunk, so that a worker in steady state calls malloc no more.
 */
CLQ_API void clq_arena_reset(struct clq_arena *arena);

/* len zeroed bytes, aligned for any type. Never NULL, also for len == 0. */
CLQ_API void *clq_arena_alloc(struct clq_arena *arena, size_t len)
    __attribute__((returns_nonnull, malloc, alloc_size(2)));

/* n * size zeroed bytes; ends the process if the product overflows. */
CLQ_API void *clq_arena_calloc(struct clq_arena *arena, size_t n, size_t size)
    __attribute__((returns_nonnull, malloc, alloc_size(2, 3)));

/*
 * Enlarge the piece p of old_len bytes to new_len; in place if p was the last
 * piece handed out, else by copying. The new part is not zeroed.
 */
CLQ_API void *clq_arena_grow(struct clq_arena *arena, void *p, size_t old_len,
    size_t new_len) __attribute__((returns_nonnull));

/* A copy of s in the arena. */
CLQ_API struct clq_str clq_arena_strdup(struct clq_arena *arena,
    struct clq_str s);

/* A NUL-terminated copy of s. s must not contain NUL (it would be cut). */
CLQ_API char *clq_arena_cstr(struct clq_arena *arena, struct clq_str s)
    __attribute__((returns_nonnull));

/* printf into the arena. The result is also NUL-terminated after len. */
CLQ_API struct clq_str clq_arena_printf(struct clq_arena *arena,
    const char *fmt, ...) CLQ_PRINTF(2, 3);
CLQ_API struct clq_str clq_arena_vprintf(struct clq_arena *arena,
    const char *fmt, va_list ap) CLQ_PRINTF(2, 0);

typedef void clq_cleanup_f(void *p);

/* Call fn(p) when the arena is reset or freed. Last in, first out. */
CLQ_API void clq_arena_defer(struct clq_arena *arena, clq_cleanup_f *fn,
    void *p);

/* Bytes handed out since the last reset, for logs and tests. */
CLQ_API size_t clq_arena_used(const struct clq_arena *arena);

#ifdef __cplusplus
}
#endif
#endif
