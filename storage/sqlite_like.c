/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The patterns of like_ filters (section 04-3): '*' stands for any run, a
 * pattern without one is searched for anywhere, and case does not count.
 *
 * Texts are lower-cased character by character, as the locale C.UTF-8 maps
 * them. The parts between wildcards are found with memmem(), which is linear,
 * so that no pattern can be made slow.
 */
#include "storage/sqlite.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <locale.h>
#include <stdlib.h>
#include <wctype.h>

static locale_t
utf8_locale(void)
{
	static locale_t locale;
	static bool tried;

	if (!tried) {
		tried = true;
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		if (locale == (locale_t)0)
			clq_log_warn("no locale C.UTF-8: filters with like_ "
			    "ignore the case of A-Z only");
	}
	return locale;
}

/* The character at p and its length; a wrong byte stands for itself. */
static unsigned
take_char(const char *p, size_t left, size_t *len)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, i;
	unsigned cp = c & (0xffu >> (n + 1));

	*len = n == 1 || n > left ? 1 : n;
	if (*len == 1)
		return c;
	for (i = 1; i < n; i++)
		cp = cp << 6 | ((unsigned char)p[i] & 0x3f);
	return cp;
}

static size_t
put_char(unsigned cp, char out[4])
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4, i;

	for (i = n; i-- > 1; cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(lead[n] | cp);
	if (n == 1)
		out[0] = (char)cp;
	return n;
}

static void
add_lower(struct sq_bytes *b, struct clq_str s)
{
	const char *p = s.p, *end = s.p + s.len;
	locale_t locale = utf8_locale();
	unsigned cp, lower;
	char out[4];
	size_t n;

	sq_bytes_room(b, s.len + 1);
	while (p < end) {
		if ((unsigned char)*p < 0x80) {
			out[0] = *p >= 'A' && *p <= 'Z' ?
			    (char)(*p + ('a' - 'A')) : *p;
			sq_bytes_add(b, out, 1);
			p++;
			continue;
		}
		cp = take_char(p, (size_t)(end - p), &n);
		lower = n > 1 && locale != (locale_t)0 ?
		    (unsigned)towlower_l((wint_t)cp, locale) : cp;
		if (lower == cp)
			sq_bytes_add(b, p, n);
		else
			sq_bytes_add(b, out, put_char(lower, out));
		p += n;
	}
}

void
sq_pattern_parse(struct clq_arena *arena, struct sq_pattern *p,
    struct clq_str text)
{
	struct sq_bytes lower = { 0 };
	size_t from = 0, to;

	add_lower(&lower, text);
	text = clq_arena_strdup(arena, (struct clq_str){
	    (const char *)lower.p, lower.len });
	free(lower.p);
	memset(p, 0, sizeof *p);
	do {
		to = clq_str_find(text, '*', from);
		clq_strs_add(arena, &p->parts, clq_str_sub(text, from, to));
		from = to + 1;
	} while (to < text.len);
	p->anywhere = p->parts.n == 1;
}

/* Take everything to the end of the first `part` off text. */
static bool
take_part(struct clq_str *text, struct clq_str part)
{
	const char *at;

	if (part.len == 0)
		return true;
	at = memmem(text->p, text->len, part.p, part.len);
	if (at == NULL)
		return false;
	text->len -= (size_t)(at - text->p) + part.len;
	text->p = at + part.len;
	return true;
}

static bool
match_lower(const struct sq_pattern *p, struct clq_str text)
{
	struct clq_str first = p->parts.items[0];
	struct clq_str last = p->parts.items[p->parts.n - 1];
	size_t i;

	if (p->anywhere)
		return take_part(&text, first);
	if (text.len < first.len + last.len ||
	    !clq_str_eq(clq_str_sub(text, 0, first.len), first) ||
	    !clq_str_eq(clq_str_sub(text, text.len - last.len, text.len),
	    last))
		return false;
	text = clq_str_sub(text, first.len, text.len - last.len);
	for (i = 1; i + 1 < p->parts.n; i++)
		if (!take_part(&text, p->parts.items[i]))
			return false;
	return true;
}

bool
sq_pattern_match(const struct sq_pattern *p, struct clq_str text,
    struct sq_bytes *scratch)
{
	size_t from = scratch->len;
	struct clq_str lower;
	bool result;

	add_lower(scratch, text);
	lower.p = (const char *)scratch->p + from;
	lower.len = scratch->len - from;
	result = match_lower(p, lower);
	scratch->len = from;
	return result;
}
