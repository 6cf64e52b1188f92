/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values as texts that sort: for each value a key, such that memcmp() of
 * two keys is the total order of section 04-3 and equal keys are equal values.
 *
 * Filters and sorts on arbitrary fields look at every document of a list.
 * Building trees for that would cost ten times more than reading the text, so
 * the value is found by scanning and translated straight into its key.
 *
 * A key is a byte for the type, then
 *	string	its bytes, NUL (no JSON text of ours holds U+0000)
 *	number	sign; decimal exponent; digits without zeros at either end; NUL;
 *		all complemented if negative. Exact, whatever the digits
 *	array	number of items, then their keys
 *	object	number of members, their sorted names, each with NUL, their keys
 * No key is the beginning of another, so keys can be strung together, and
 * complementing one reverses its order.
 */
#include "storage/sqlite.h"

#include <cliquet/str.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_DEPTH	= 200,		/* stored documents stay below 100 */
	EXPONENT_MAX	= 1000000,
	KEY_NULL	= 0x10,
	KEY_STRING	= 0x20,
	KEY_NUMBER	= 0x30,
	KEY_FALSE	= 0x40,
	KEY_TRUE	= 0x41,
	KEY_ARRAY	= 0x50,
	KEY_OBJECT	= 0x60,
	KEY_MISSING	= 0x70
};

/* A member of an object while its names are sorted. */
struct member {
	struct clq_str	value;
	size_t		at;		/* of the name in names */
};

static void add_value(struct sq_bytes *b, struct clq_str value,
    unsigned depth);

void
sq_bytes_room(struct sq_bytes *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap : 256;

	if (b->cap - b->len >= n && b->p != NULL)
		return;
	while (cap - b->len < n)
		cap *= 2;	/* n is bounded by SQLite's largest text */
	b->p = realloc(b->p, cap);
	if (b->p == NULL) {
		fputs("cliquet: out of memory\n", stderr);
		abort();
	}
	b->cap = cap;
}

void
sq_bytes_add(struct sq_bytes *b, const void *p, size_t n)
{
	sq_bytes_room(b, n);
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
}

static void
add_byte(struct sq_bytes *b, unsigned char c)
{
	sq_bytes_add(b, &c, 1);
}

static void
add_count(struct sq_bytes *b, uint32_t n)
{
	unsigned char be[4] = { (unsigned char)(n >> 24),
	    (unsigned char)(n >> 16), (unsigned char)(n >> 8),
	    (unsigned char)n };

	sq_bytes_add(b, be, sizeof be);
}

/* ---- keys ------------------------------------------------------------- */

/* Where the digits of a number's text are and what they mean. */
struct digits {
	const char	*p;
	size_t		 first;		/* offset of the first one not zero */
	size_t		 end;		/* offset after the last one not zero */
	long		 point;		/* value = 0.<digits> * 10^point */
};

static long
exponent(const char *p, const char *end)
{
	bool minus = p < end && *p == '-';
	long e = 0;

	for (p += p < end && (*p == '-' || *p == '+'); p < end; p++)
		if (*p >= '0' && *p <= '9' && e < EXPONENT_MAX)
			e = e * 10 + (*p - '0');
	return minus ? -e : e;
}

/* False if the number is zero. */
static bool
find_digits(struct clq_str text, struct digits *d)
{
	size_t i;
	bool fraction = false, some = false;

	memset(d, 0, sizeof *d);
	d->p = text.p;
	for (i = 0; i < text.len && (text.p[i] | 0x20) != 'e'; i++) {
		if (text.p[i] == '.') {
			fraction = true;
			continue;
		}
		if (text.p[i] < '0' || text.p[i] > '9')
			continue;
		if (text.p[i] != '0') {
			if (!some)
				d->first = i;
			some = true;
			d->end = i + 1;
		}
		if (some && !fraction)
			d->point++;
		else if (!some && fraction)
			d->point--;
	}
	if (i < text.len)
		d->point += exponent(text.p + i + 1, text.p + text.len);
	return some;
}

static void
add_number(struct sq_bytes *b, struct clq_str text)
{
	bool negative = text.len > 0 && text.p[0] == '-';
	size_t from, i;
	struct digits d;

	add_byte(b, KEY_NUMBER);
	if (!find_digits(text, &d)) {
		add_byte(b, 1);
		return;
	}
	add_byte(b, negative ? 0 : 2);
	from = b->len;
	add_count(b, (uint32_t)(d.point + 2 * EXPONENT_MAX));
	for (i = d.first; i < d.end; i++)
		if (d.p[i] != '.')
			add_byte(b, (unsigned char)d.p[i]);
	add_byte(b, 0);
	for (i = from; negative && i < b->len; i++)
		b->p[i] = (unsigned char)~b->p[i];
}

static void
add_array(struct sq_bytes *b, struct clq_str array, unsigned depth)
{
	size_t at, i;
	uint32_t n = 0;
	struct clq_str item;

	add_byte(b, KEY_ARRAY);
	at = b->len;
	add_count(b, 0);
	while (sq_json_items(&array, &item)) {
		add_value(b, item, depth + 1);
		n++;
	}
	for (i = 4; i-- > 0; n >>= 8)
		b->p[at + i] = (unsigned char)n;
}

static int
name_order(const void *a, const void *b, void *names)
{
	const struct member *x = a, *y = b;
	const char *base = names;

	return strcmp(base + x->at, base + y->at);
}

static void
add_object(struct sq_bytes *b, struct clq_str object, unsigned depth)
{
	struct sq_bytes list = { 0 }, names = { 0 };
	struct member *members, m;
	struct clq_str raw;
	uint32_t n = 0, i;
	const char *name;

	while (sq_json_members(&object, &raw, &m.value)) {
		m.at = names.len;
		sq_json_unescape(&names, raw);
		add_byte(&names, 0);
		sq_bytes_add(&list, &m, sizeof m);
		n++;
	}
	add_byte(b, KEY_OBJECT);
	add_count(b, n);
	if (n > 0) {
		members = (struct member *)(void *)list.p;
		qsort_r(members, n, sizeof *members, name_order, names.p);
		for (i = 0; i < n; i++) {
			name = (const char *)names.p + members[i].at;
			sq_bytes_add(b, name, strlen(name) + 1);
		}
		for (i = 0; i < n; i++)
			add_value(b, members[i].value, depth + 1);
	}
	free(list.p);
	free(names.p);
}

static void
add_value(struct sq_bytes *b, struct clq_str value, unsigned depth)
{
	if (value.len == 0 || depth > MAX_DEPTH) {
		add_byte(b, KEY_NULL);
		return;
	}
	switch (value.p[0]) {
	case '"':
		add_byte(b, KEY_STRING);
		if (value.len >= 2)
			sq_json_unescape(b, clq_str_sub(value, 1,
			    value.len - 1));
		add_byte(b, 0);
		return;
	case '[':
		add_array(b, value, depth);
		return;
	case '{':
		add_object(b, value, depth);
		return;
	case 't':
		add_byte(b, KEY_TRUE);
		return;
	case 'f':
		add_byte(b, KEY_FALSE);
		return;
	case 'n':
		add_byte(b, KEY_NULL);
		return;
	default:
		add_number(b, value);
	}
}

void
sq_key_add(struct sq_bytes *b, struct clq_str value)
{
	add_value(b, value, 0);
}

void
sq_key_add_missing(struct sq_bytes *b)
{
	add_byte(b, KEY_MISSING);
}

void
sq_key_add_str(struct sq_bytes *b, struct clq_str s)
{
	add_byte(b, KEY_STRING);
	sq_bytes_add(b, s.p, s.len);
	add_byte(b, 0);
}

void
sq_key_add_int(struct sq_bytes *b, int64_t v)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%lld", (long long)v);

	add_number(b, (struct clq_str){ text, (size_t)n });
}
