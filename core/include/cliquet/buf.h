/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing text in an arena, for response bodies and SQL.
 *
 * Appending never fails by itself; a buffer with a limit that would be passed
 * stops growing and stays failed (sticky). Check clq_buf_ok() once, at the
 * end. The struct may live on the stack; the text lives in the arena.
 */
#ifndef CLQ_BUF_H
#define CLQ_BUF_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clq_buf {
	struct clq_arena	*arena;
	char			*p;
	size_t			 len;
	size_t			 cap;
	size_t			 limit;		/* bytes; 0: none */
	bool			 failed;
};

/* An empty buffer over arena. hint: expected bytes, 0 if unknown. */
CLQ_API void clq_buf_init(struct clq_buf *b, struct clq_arena *arena,
    size_t hint);

CLQ_API void clq_buf_add(struct clq_buf *b, struct clq_str s);
CLQ_API void clq_buf_addc(struct clq_buf *b, char c);
CLQ_API void clq_buf_adds(struct clq_buf *b, const char *c);
CLQ_API void clq_buf_addint(struct clq_buf *b, int64_t v);
CLQ_API void clq_buf_printf(struct clq_buf *b, const char *fmt, ...)
    CLQ_PRINTF(2, 3);

/* s as a JSON string, quotes included; s must be valid UTF-8. */
CLQ_API void clq_buf_json_str(struct clq_buf *b, struct clq_str s);

static inline bool
clq_buf_ok(const struct clq_buf *b)
{
	return !b->failed;
}

/* The text so far; valid until the next append. */
static inline struct clq_str
clq_buf_str(const struct clq_buf *b)
{
	struct clq_str s = { b->p != NULL ? b->p : "", b->len };

	return s;
}

#ifdef __cplusplus
}
#endif
#endif
