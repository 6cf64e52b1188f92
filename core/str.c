/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Search, split and recode text slices.
 *
 * Everything works on bytes and in linear time, but for clq_str_glob(), whose
 * worst case is the product of both lengths: patterns come from the settings.
 * Nothing depends on the locale.
 */
#include <cliquet/str.h>

static unsigned char
lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
clq_str_starts(struct clq_str s, const char *prefix)
{
	size_t len = strlen(prefix);

	return s.len >= len && (len == 0 || memcmp(s.p, prefix, len) == 0);
}

bool
clq_str_ends(struct clq_str s, const char *suffix)
{
	size_t len = strlen(suffix);

	return s.len >= len &&
	    (len == 0 || memcmp(s.p + s.len - len, suffix, len) == 0);
}

bool
clq_str_caseeq(struct clq_str a, struct clq_str b)
{
	size_t i;

	if (a.len != b.len)
		return false;
	for (i = 0; i < a.len; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
clq_str_caseis(struct clq_str s, const char *c)
{
	return clq_str_caseeq(s, clq_str_of(c));
}

size_t
clq_str_find(struct clq_str s, char c, size_t from)
{
	const char *hit;

	if (from >= s.len)
		return s.len;
	hit = memchr(s.p + from, c, s.len - from);
	return hit != NULL ? (size_t)(hit - s.p) : s.len;
}

size_t
clq_str_search(struct clq_str s, struct clq_str needle)
{
	const char *hit;

	if (needle.len == 0)
		return 0;
	if (needle.len > s.len)
		return s.len;
	hit = memmem(s.p, s.len, needle.p, needle.len);
	return hit != NULL ? (size_t)(hit - s.p) : s.len;
}

struct clq_str
clq_str_sub(struct clq_str s, size_t from, size_t to)
{
	if (to > s.len)
		to = s.len;
	if (from > to)
		from = to;
	if (from > 0)
		s.p += from;
	s.len = to - from;
	return s;
}

struct clq_str
clq_str_trim(struct clq_str s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool
clq_str_next(struct clq_str *rest, char sep, struct clq_str *item)
{
	size_t end;

	if (rest->len == 0)
		return false;
	end = clq_str_find(*rest, sep, 0);
	*item = clq_str_sub(*rest, 0, end);
	*rest = clq_str_sub(*rest, end < rest->len ? end + 1 : end, rest->len);
	return true;
}

bool
clq_str_next_word(struct clq_str *rest, struct clq_str *item)
{
	struct clq_str s = *rest;
	size_t end = 0;

	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (end < s.len && !is_blank(s.p[end]))
		end++;
	*rest = clq_str_sub(s, end, s.len);
	if (end == 0)
		return false;
	*item = clq_str_sub(s, 0, end);
	return true;
}

int
clq_str_cmp(struct clq_str a, struct clq_str b)
{
	size_t min = a.len < b.len ? a.len : b.len;
	int order = min > 0 ? memcmp(a.p, b.p, min) : 0;

	if (order != 0)
		return order < 0 ? -1 : 1;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool
clq_str_int(struct clq_str s, int64_t *out)
{
	bool negative = false;
	int64_t v = 0;
	size_t i = 0;
	int digit;

	if (s.len > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
		negative = s.p[0] == '-';
		i = 1;
	}
	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		/* towards the sign, since INT64_MIN has no counterpart */
		digit = negative ? '0' - s.p[i] : s.p[i] - '0';
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*out = v;
	return true;
}

bool
clq_strs_has(struct clq_strs list, struct clq_str s)
{
	size_t i;

	for (i = 0; i < list.n; i++)
		if (clq_str_eq(list.items[i], s))
			return true;
	return false;
}

void
clq_strs_add(struct clq_arena *arena, struct clq_strs *list, struct clq_str s)
{
	struct clq_str *items;
	size_t cap;

	if (list->n >= list->cap) {
		cap = list->n < 4 ? 8 : list->n * 2;
		items = clq_arena_calloc(arena, cap, sizeof *items);
		if (list->n > 0)
			memcpy(items, list->items, list->n * sizeof *items);
		list->items = items;
		list->cap = cap;
	}
	list->items[list->n++] = s;
}

bool
clq_str_glob(struct clq_str s, struct clq_str pattern)
{
	size_t i = 0, j = 0, star = SIZE_MAX, resume = 0;

	while (i < s.len) {
		if (j < pattern.len && pattern.p[j] == '*') {
			star = j++;
			resume = i;
		} else if (j < pattern.len &&
		    (pattern.p[j] == '?' || pattern.p[j] == s.p[i])) {
			i++;
			j++;
		} else if (star != SIZE_MAX) {
			/* let the last star swallow one byte more */
			i = ++resume;
			j = star + 1;
		} else {
			return false;
		}
	}
	while (j < pattern.len && pattern.p[j] == '*')
		j++;
	return j == pattern.len;
}

/* Length of the sequence at p, of which n bytes are left; 0 if malformed. */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;	/* bounds of the second byte */
	size_t len, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		lo = 0xa0;		/* below: overlong */
	else if (p[0] == 0xed)
		hi = 0x9f;		/* above: surrogates */
	else if (p[0] == 0xf0)
		lo = 0x90;		/* below: overlong */
	else if (p[0] == 0xf4)
		hi = 0x8f;		/* above: beyond U+10FFFF */
	if (n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool
clq_utf8_valid(struct clq_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, len;
	uint64_t word;

	while (i < s.len) {
		if (s.len - i >= sizeof word) {	/* most text is ASCII */
			memcpy(&word, p + i, sizeof word);
			if ((word & 0x8080808080808080u) == 0) {
				i += sizeof word;
				continue;
			}
		}
		len = utf8_sequence(p + i, s.len - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct clq_str
clq_url_decode(struct clq_arena *arena, struct clq_str s, bool plus)
{
	struct clq_str out = { NULL, 0 };
	size_t i, n = 0;
	char *p;
	int hi, lo;

	if (s.p == NULL)
		return out;
	p = clq_arena_alloc(arena, s.len + 1);
	for (i = 0; i < s.len; i++) {
		hi = lo = -1;
		if (s.p[i] == '%' && s.len - i > 2) {
			hi = hex_digit(s.p[i + 1]);
			lo = hex_digit(s.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			p[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			p[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	out.p = p;
	out.len = n;
	return out;
}

static bool
url_plain(char c, const char *keep)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return true;
	if (c == '\0')
		return false;	/* strchr() would find the terminator */
	return strchr("-._~", c) != NULL ||
	    (keep != NULL && strchr(keep, c) != NULL);
}

struct clq_str
clq_url_encode(struct clq_arena *arena, struct clq_str s, const char *keep,
    bool plus)
{
	static const char hex[] = "0123456789ABCDEF";
	struct clq_str out = { NULL, 0 };
	size_t i, n = 0;
	char *p;

	if (s.p == NULL)
		return out;
	p = clq_arena_calloc(arena, s.len + 1, 3);
	for (i = 0; i < s.len; i++) {
		if (url_plain(s.p[i], keep)) {
			p[n++] = s.p[i];
		} else if (plus && s.p[i] == ' ') {
			p[n++] = '+';
		} else {
			p[n++] = '%';
			p[n++] = hex[(unsigned char)s.p[i] >> 4];
			p[n++] = hex[(unsigned char)s.p[i] & 15];
		}
	}
	out.p = p;
	out.len = n;
	return out;
}
