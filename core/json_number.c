/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decimal texts of numbers, exact in both directions.
 *
 * The canonical text is what PostgreSQL's numeric type prints, so that a
 * number reads the same whichever backend kept it: no exponent, the digits
 * after the point as many as were sent, no minus before zero.
 *
 * printf() and strtod() follow the locale's decimal point, so no text with a
 * point is exchanged with them: digits and an exponent are.
 */
#include "core/json_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPONENT_MAX = 1000000 };	/* saturates: refused anyway */

/* The parts of a JSON number. Digits count from the first of the mantissa. */
struct parts {
	const char	*p;		/* mantissa */
	long		 n_int;		/* digits before the point */
	long		 n;		/* digits in all */
	long		 first;		/* first digit not 0; n if none */
	long		 exponent;
	bool		 negative;
};

/* Digit i of the mantissa, with zeros without end on both sides. */
static char
digit(const struct parts *n, long i)
{
	if (i < 0 || i >= n->n)
		return '0';
	return n->p[i < n->n_int ? i : i + 1];
}

static void
split(struct clq_str source, struct parts *n)
{
	size_t i = 0;
	bool minus = false;

	memset(n, 0, sizeof *n);
	if (source.p[0] == '-') {
		n->negative = true;
		i = 1;
	}
	n->p = source.p + i;
	n->n_int = -1;
	for (; i < source.len && (source.p[i] | 0x20) != 'e'; i++) {
		if (source.p[i] == '.')
			n->n_int = n->n;
		else
			n->n++;
	}
	if (n->n_int < 0)
		n->n_int = n->n;
	for (i++; i < source.len; i++) {
		if (source.p[i] == '-')
			minus = true;
		else if (source.p[i] != '+' && n->exponent < EXPONENT_MAX)
			n->exponent = n->exponent * 10 + (source.p[i] - '0');
	}
	if (minus)
		n->exponent = -n->exponent;
	while (n->first < n->n && digit(n, n->first) == '0')
		n->first++;
}

size_t
clq_json_canonical(struct clq_str source, char *out)
{
	struct parts n;
	long point, scale, i;
	char *o = out;

	split(source, &n);
	point = n.n_int + n.exponent;		/* digits before the point */
	scale = n.n - point;			/* digits after it */
	if (n.first == n.n) {			/* zero */
		n.negative = false;
		point = 0;
	} else if (point - n.first > CLQ_JSON_NUM_MAX) {
		return 0;
	}
	if ((scale > 0 ? scale + 1 : 0) + n.negative +
	    (point > n.first ? point - n.first : 1) > CLQ_JSON_NUM_MAX)
		return 0;
	if (n.negative)
		*o++ = '-';
	if (n.first >= point)
		*o++ = '0';
	for (i = n.first; i < point; i++)
		*o++ = digit(&n, i);
	if (scale > 0)
		*o++ = '.';
	for (i = n.n - scale; i < n.n && scale > 0; i++)
		*o++ = digit(&n, i);
	*o = '\0';
	return (size_t)(o - out);
}

double
clq_json_nearest(const char *text)
{
	char digits[CLQ_JSON_NUM_MAX + 16], *o = digits;
	int scale = 0;
	bool fraction = false;

	for (; *text != '\0' && o - digits < CLQ_JSON_NUM_MAX; text++) {
		if (*text == '.') {
			fraction = true;
			continue;
		}
		scale += fraction;
		*o++ = *text;
	}
	snprintf(o, 16, "e-%d", scale);
	return strtod(digits, NULL);
}

/* "[-]d.dddde[+-]xx" in plain notation. */
static size_t
plain(const char *scientific, char *out)
{
	char digits[32], *o = out;
	int n = 0, point, i;

	if (*scientific == '-')
		*o++ = '-';
	for (; *scientific != 'e'; scientific++)
		if (*scientific >= '0' && *scientific <= '9')
			digits[n++] = *scientific;
	point = atoi(scientific + 1) + 1;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (point <= 0)
		*o++ = '0';
	for (i = 0; i < point; i++)
		*o++ = i < n ? digits[i] : '0';
	if (point < n)
		*o++ = '.';
	for (i = point; i < n; i++)
		*o++ = i < 0 ? '0' : digits[i];
	*o = '\0';
	return (size_t)(o - out);
}

size_t
clq_json_double_text(double d, char *out)
{
	char scientific[40];
	int precision;

	if (!isfinite(d)) {
		memcpy(out, "null", 5);
		return 4;
	}
	if (fabs(d) < 0x1p53 && d == trunc(d))	/* -0 too becomes 0 */
		return (size_t)sprintf(out, "%" PRId64, (int64_t)d);
	for (precision = 15; precision <= 17; precision++) {
		snprintf(scientific, sizeof scientific, "%.*e", precision - 1,
		    d);
		if (strtod(scientific, NULL) == d)
			break;
	}
	return plain(scientific, out);
}

const char *
clq_json_number_text(const cJSON *item, char *out)
{
	if (item->valuestring != NULL)
		return item->valuestring;
	clq_json_double_text(item->valuedouble, out);
	return out;
}
