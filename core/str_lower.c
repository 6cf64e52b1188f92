/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lower case beyond ASCII, for like_ filters (section 04-3:7).
 *
 * Character by character, as the locale C.UTF-8 maps them, whatever the
 * process's own locale; without that locale only A-Z have lower case.
 */
#include <cliquet/str.h>

#include <cliquet/buf.h>
#include <cliquet/log.h>

#include <locale.h>
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
			clq_log_warn("no locale C.UTF-8: the case of letters "
			    "beyond A-Z counts in like_ filters");
	}
	return locale;
}

/* Take the character off the front of s, which is not empty; a wrong byte
 * counts as a character, above all that have case. */
static uint32_t
take_char(struct clq_str *s)
{
	unsigned char lead = (unsigned char)s->p[0];
	size_t n = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	uint32_t c = lead & (0xffu >> (n + 1));

	if (lead < 0x80 || n == 1 || n > s->len) {
		*s = clq_str_sub(*s, 1, s->len);
		return lead < 0x80 ? lead : UINT32_C(0x110000) + lead;
	}
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s->p[i] & 0x3f);
	*s = clq_str_sub(*s, n, s->len);
	return c;
}

static void
put_char(struct clq_buf *b, uint32_t c)
{
	if (c >= UINT32_C(0x110000)) {		/* a wrong byte, kept */
		clq_buf_addc(b, (char)(c - UINT32_C(0x110000)));
	} else if (c < 0x80) {
		clq_buf_addc(b, (char)c);
	} else if (c < 0x800) {
		clq_buf_addc(b, (char)(0xc0 | c >> 6));
		clq_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		clq_buf_addc(b, (char)(0xe0 | c >> 12));
		clq_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		clq_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		clq_buf_addc(b, (char)(0xf0 | c >> 18));
		clq_buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		clq_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		clq_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

struct clq_str
clq_str_lower(struct clq_arena *arena, struct clq_str s)
{
	locale_t locale = utf8_locale();
	struct clq_buf b;
	uint32_t c;

	clq_buf_init(&b, arena, s.len);
	while (s.len > 0) {
		c = take_char(&s);
		if (c < 0x80)
			c = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
		else if (c < UINT32_C(0x110000) && locale != (locale_t)0)
			c = (uint32_t)towlower_l((wint_t)c, locale);
		put_char(&b, c);
	}
	return clq_buf_str(&b);
}
