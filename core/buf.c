/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing text: capacity doubles in the arena, failure is sticky.
 *
 * A text that would pass the limit is not cut: the append that does not fit
 * is dropped whole and everything after it too, so a failed buffer never
 * looks complete.
 */
#include <cliquet/buf.h>

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

/* What nearly every append finds: place, and nothing to be checked. */
static inline bool
fits(const struct clq_buf *b, size_t n)
{
	return n < b->cap - b->len && b->limit == 0 && !b->failed;
}

static void
add(struct clq_buf *b, const char *p, size_t n)
{
	if (n == 0 || (!fits(b, n) && !reserve(b, n)))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

void
clq_buf_add(struct clq_buf *b, struct clq_str s)
{
	add(b, s.p, s.len);
}

void
clq_buf_addc(struct clq_buf *b, char c)
{
	if (fits(b, 1) || reserve(b, 1))
		b->p[b->len++] = c;
}

void
clq_buf_adds(struct clq_buf *b, const char *c)
{
	if (c != NULL)
		add(b, c, strlen(c));
}

void
clq_buf_addint(struct clq_buf *b, int64_t v)
{
	static const char pairs[] = "00010203040506070809"
	    "10111213141516171819" "20212223242526272829"
	    "30313233343536373839" "40414243444546474849"
	    "50515253545556575859" "60616263646566676869"
	    "70717273747576777879" "80818283848586878889"
	    "90919293949596979899";
	char digits[24], *end = digits + sizeof digits, *p = end;
	uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

	for (; rest >= 100; rest /= 100) {	/* half of the divisions */
		p -= 2;
		memcpy(p, pairs + rest % 100 * 2, 2);
	}
	if (rest >= 10) {
		p -= 2;
		memcpy(p, pairs + rest * 2, 2);
	} else {
		*--p = (char)('0' + rest);
	}
	if (v < 0)
		*--p = '-';
	add(b, p, (size_t)(end - p));
}

void
clq_buf_printf(struct clq_buf *b, const char *fmt, ...)
{
	size_t room = b->failed ? 0 : b->cap - b->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? b->p + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (n == 0 || !reserve(b, (size_t)n))
		return;
	if ((size_t)n >= room) {	/* now there is room for all of it */
		va_start(ap, fmt);
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
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

/*
 * True if none of the eight bytes at p has to be escaped. Each difference sets
 * the highest bit of the first byte that has to (and maybe of some after it);
 * bytes of UTF-8 sequences have it set before, and are not meant.
 */
static bool
plain_word(const char *p)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t w, quote, slash;

	memcpy(&w, p, sizeof w);
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	return ((((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) |
	    ((slash - ones) & ~slash)) & ones * 0x80) == 0;
}

/* Bytes of s before the first that has to be escaped. */
static size_t
plain_prefix(struct clq_str s)
{
	size_t i = 0;

	while (i < s.len) {
		if (s.len - i >= 8 && plain_word(s.p + i))
			i += 8;
		else if (json_escape((unsigned char)s.p[i]) == 0)
			i++;
		else
			break;
	}
	return i;
}

void
clq_buf_json_str(struct clq_buf *b, struct clq_str s)
{
	size_t n = plain_prefix(s);
	char esc;

	if (n == s.len && fits(b, n + 2)) {	/* nearly always */
		b->p[b->len] = '"';
		if (n > 0)
			memcpy(b->p + b->len + 1, s.p, n);
		b->p[b->len + n + 1] = '"';
		b->len += n + 2;
		return;
	}
	clq_buf_addc(b, '"');
	for (;;) {
		add(b, s.p, n);
		if (n == s.len)
			break;
		esc = json_escape((unsigned char)s.p[n]);
		if (esc == 'u') {
			clq_buf_printf(b, "\\u%04x", (unsigned char)s.p[n]);
		} else {
			clq_buf_addc(b, '\\');
			clq_buf_addc(b, esc);
		}
		s = (struct clq_str){ s.p + n + 1, s.len - n - 1 };
		n = plain_prefix(s);
	}
	clq_buf_addc(b, '"');
}
