/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict reading of RFC 8259, in one pass over the bytes.
 *
 * cJSON accepts more than JSON, cuts numbers after 63 characters and rounds
 * them. This scan decides what is JSON, so that cJSON only ever sees valid
 * text, and notes the numbers that need help. A number of at most 15 digits
 * without exponent comes back from a double as it was sent, unless it ends in
 * a zero after the point: such numbers, nearly all, cost nothing here.
 *
 * "1e308" is short to send and long to print. What exponents add is bounded
 * for each number and for the whole text.
 */
#include "core/json_internal.h"

#include <cliquet/str.h>

#include <math.h>

enum {
	EXACT_DIGITS = 15,	/* DBL_DIG: decimal digits a double keeps */
	CJSON_NUMBER_MAX = 60,	/* characters cJSON reads of a number */
	EXPANSION_FREE = 1 << 20,	/* bytes exponents may always add */
	EXPANSION_RATIO = 16	/* and beyond, per byte of text */
};

static bool scan_value(struct clq_json_scan *s);

static bool
refuse(struct clq_json_scan *s, const char *why)
{
	s->why = why;
	return false;
}

/* The next byte, or -1 at the end. */
static int
peek(const struct clq_json_scan *s)
{
	return s->pos < s->text.len ? (unsigned char)s->text.p[s->pos] : -1;
}

static bool
take(struct clq_json_scan *s, char c)
{
	if (s->pos == s->text.len || s->text.p[s->pos] != c)
		return false;
	s->pos++;
	return true;
}

static void
skip_blanks(struct clq_json_scan *s)
{
	int c;

	while ((c = peek(s)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		s->pos++;
}

static bool
scan_word(struct clq_json_scan *s, const char *word)
{
	struct clq_str rest;

	rest.p = s->text.p + s->pos;
	rest.len = s->text.len - s->pos;
	if (rest.len < strlen(word) || memcmp(rest.p, word, strlen(word)) != 0)
		return refuse(s, "unknown word");
	s->pos += strlen(word);
	return true;
}

/* The four digits of \uXXXX; -1 if they are not there. */
static int
scan_hex4(struct clq_json_scan *s)
{
	int i, c, v = 0;

	for (i = 0; i < 4; i++, s->pos++) {
		c = peek(s);
		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (c - 'A' + 10);
		else
			return -1;
	}
	return v;
}

/* After the backslash. */
static bool
scan_escape(struct clq_json_scan *s)
{
	int c = peek(s), low;

	if (c < 0)
		return refuse(s, "unterminated string");
	if (c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
		return refuse(s, "unknown escape");
	s->pos++;
	if (c != 'u')
		return true;
	c = scan_hex4(s);
	if (c < 0)
		return refuse(s, "four hexadecimal digits expected");
	if (c == 0)
		return refuse(s, "U+0000 is not allowed");
	if (c < 0xd800 || c > 0xdfff)
		return true;
	if (c > 0xdbff || !take(s, '\\') || !take(s, 'u'))
		return refuse(s, "lone surrogate");
	low = scan_hex4(s);
	if (low < 0xdc00 || low > 0xdfff)
		return refuse(s, "lone surrogate");
	return true;
}

static bool
scan_string(struct clq_json_scan *s)
{
	size_t start = s->pos;
	bool ascii = true;
	int c;

	s->pos++;		/* the quote */
	while ((c = peek(s)) != '"') {
		if (c < 0)
			return refuse(s, "unterminated string");
		if (c < 0x20)
			return refuse(s, "control character in string");
		s->pos++;
		if (c >= 0x80)
			ascii = false;
		if (c == '\\' && !scan_escape(s))
			return false;
	}
	s->pos++;
	if (!ascii &&
	    !clq_utf8_valid(clq_str_sub(s->text, start, s->pos))) {
		s->pos = start;
		return refuse(s, "string is not valid UTF-8");
	}
	return true;
}

static void
note_number(struct clq_json_scan *s, const struct clq_json_number *number)
{
	size_t size = sizeof *number, cap;

	if (s->n_numbers == s->numbers_cap) {
		cap = s->numbers_cap == 0 ? 16 : s->numbers_cap * 2;
		s->numbers = clq_arena_grow(s->arena, s->numbers,
		    s->numbers_cap * size, cap * size);
		s->numbers_cap = cap;
	}
	s->numbers[s->n_numbers++] = *number;
}

/* A number that may not come back from a double as it was sent. */
static bool
hard_number(struct clq_json_scan *s, struct clq_str source)
{
	char text[CLQ_JSON_NUM_MAX + 1], back[CLQ_JSON_NUM_MAX + 1];
	struct clq_json_number number;
	size_t len;

	len = clq_json_canonical(source, text);
	if (len == 0)
		return refuse(s, "number out of range");
	if (len > source.len) {
		s->expanded += len - source.len;
		if (s->expanded > EXPANSION_FREE &&
		    s->expanded / EXPANSION_RATIO > s->text.len)
			return refuse(s, "too many large exponents");
	}
	number.value = clq_json_nearest(text);
	if (!isfinite(number.value))
		return refuse(s, "number out of range");
	number.ordinal = s->seen;
	number.source = source;
	number.text = NULL;
	clq_json_double_text(number.value, back);
	if (strcmp(text, back) != 0)
		number.text = clq_arena_cstr(s->arena,
		    (struct clq_str){ text, len });
	else if (source.len <= CJSON_NUMBER_MAX)
		return true;
	if (source.len > CJSON_NUMBER_MAX)
		s->long_source = true;
	note_number(s, &number);
	return true;
}

/* At least one digit; their number, 0 if there is none. */
static size_t
scan_digits(struct clq_json_scan *s)
{
	size_t start = s->pos;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->pos++;
	return s->pos - start;
}

static bool
scan_number(struct clq_json_scan *s)
{
	size_t start = s->pos, n_int, n_frac = 0;
	bool negative = take(s, '-'), exponent = false, zero_end = false;
	struct clq_str source;

	zero_end = peek(s) == '0';
	n_int = scan_digits(s);
	if (n_int == 0)
		return refuse(s, "digit expected");
	if (n_int > 1 && zero_end)
		return refuse(s, "number with a leading zero");
	zero_end = negative && zero_end;	/* "-0" */
	if (take(s, '.')) {
		n_frac = scan_digits(s);
		if (n_frac == 0)
			return refuse(s, "digit expected");
		zero_end = s->text.p[s->pos - 1] == '0';
	}
	if (take(s, 'e') || take(s, 'E')) {
		exponent = true;
		if (!take(s, '+'))
			take(s, '-');
		if (scan_digits(s) == 0)
			return refuse(s, "digit expected");
	}
	source = clq_str_sub(s->text, start, s->pos);
	if ((exponent || zero_end || n_int + n_frac > EXACT_DIGITS) &&
	    !hard_number(s, source)) {
		s->pos = start;
		return false;
	}
	s->seen++;
	return true;
}

/* The members of an object, after its brace. */
static bool
scan_members(struct clq_json_scan *s)
{
	skip_blanks(s);
	if (take(s, '}'))
		return true;
	for (;;) {
		skip_blanks(s);
		if (peek(s) != '"')
			return refuse(s, "name expected");
		if (!scan_string(s))
			return false;
		skip_blanks(s);
		if (!take(s, ':'))
			return refuse(s, "':' expected");
		if (!scan_value(s))
			return false;
		if (take(s, '}'))
			return true;
		if (!take(s, ','))
			return refuse(s, "',' or '}' expected");
	}
}

/* The items of an array, after its bracket. */
static bool
scan_items(struct clq_json_scan *s)
{
	skip_blanks(s);
	if (take(s, ']'))
		return true;
	for (;;) {
		if (!scan_value(s))
			return false;
		if (take(s, ']'))
			return true;
		if (!take(s, ','))
			return refuse(s, "',' or ']' expected");
	}
}

static bool
scan_nested(struct clq_json_scan *s)
{
	bool object = s->text.p[s->pos] == '{', ok;

	if (s->depth == CLQ_JSON_MAX_DEPTH)
		return refuse(s, "nested too deeply");
	s->depth++;
	s->pos++;
	ok = object ? scan_members(s) : scan_items(s);
	s->depth--;
	return ok;
}

/* A value with the blanks around it. */
static bool
scan_value(struct clq_json_scan *s)
{
	bool ok;
	int c;

	skip_blanks(s);
	c = peek(s);
	if (c == '{' || c == '[')
		ok = scan_nested(s);
	else if (c == '"')
		ok = scan_string(s);
	else if (c == '-' || (c >= '0' && c <= '9'))
		ok = scan_number(s);
	else if (c == 't')
		ok = scan_word(s, "true");
	else if (c == 'f')
		ok = scan_word(s, "false");
	else if (c == 'n')
		ok = scan_word(s, "null");
	else
		ok = refuse(s, c < 0 ? "unexpected end" : "value expected");
	if (ok)
		skip_blanks(s);
	return ok;
}

bool
clq_json_scan(struct clq_json_scan *scan)
{
	if (!scan_value(scan))
		return false;
	if (scan->pos < scan->text.len)
		return refuse(scan, "unexpected text after the value");
	return true;
}
