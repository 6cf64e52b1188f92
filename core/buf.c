/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing text: capacity doubles in the arena, failure is sticky.
 *
 * A text that would pass the limit is not cut: the append that does not fit
 * is dropped whole and everything after it too, so a failed buffer never
 * looks complete.
 */
#include <cliquet/buf.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void
clq_buf_init(struct clq_buf *b, struct clq_arena *arena, size_t hint)
{
	memset(b, 0, sizeof *b);
	b->arena = arena;
	if (hint > 0) {
		b->p = clq_arena_alloc(arena, hint);
		b->cap = hint;
	}
}

/* Make room for n bytes more, plus one that printf() may overwrite. */
static bool
reserve(struct clq_buf *b, size_t n)
{
	size_t cap, need;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, n, &need) ||
	    need > SIZE_MAX / 4 || (b->limit != 0 && need > b->limit)) {
		b->failed = true;
		return false;
	}
	if (need >= b->cap) {
		cap = b->cap < 64 ? 128 : b->cap * 2;
		if (cap <= need)
			cap = need + 1;
		b->p = clq_arena_grow(b->arena, b->p, b->cap, cap);
		b->cap = cap;
	}
	return true;
}

void
clq_buf_add(struct clq_buf *b, struct clq_str s)
{
	if (s.len == 0 || !reserve(b, s.len))
		return;
	memcpy(b->p + b->len, s.p, s.len);
	b->len += s.len;
}

void
clq_buf_addc(struct clq_buf *b, char c)
{
	if (reserve(b, 1))
		b->p[b->len++] = c;
}

void
clq_buf_adds(struct clq_buf *b, const char *c)
{
	clq_buf_add(b, clq_str_of(c));
}

void
clq_buf_addint(struct clq_buf *b, int64_t v)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRId64, v);

	clq_buf_add(b, (struct clq_str){ digits, (size_t)n });
}

void
clq_buf_printf(struct clq_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (n == 0 || !reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* The letter after the backslash; 0: write as it is, 'u': as a number. */
static char
json_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return '"';
	case '\\':
		return '\\';
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return c < 0x20 ? 'u' : 0;
	}
}

void
clq_buf_json_str(struct clq_buf *b, struct clq_str s)
{
	size_t i, start = 0;
	char esc;

	clq_buf_addc(b, '"');
	for (i = 0; i < s.len; i++) {
		esc = json_escape((unsigned char)s.p[i]);
		if (esc == 0)
			continue;
		clq_buf_add(b, (struct clq_str){ s.p + start, i - start });
		start = i + 1;
		if (esc == 'u') {
			clq_buf_printf(b, "\\u%04x", (unsigned char)s.p[i]);
		} else {
			clq_buf_addc(b, '\\');
			clq_buf_addc(b, esc);
		}
	}
	if (start < s.len)
		clq_buf_add(b, (struct clq_str){ s.p + start, s.len - start });
	clq_buf_addc(b, '"');
}
