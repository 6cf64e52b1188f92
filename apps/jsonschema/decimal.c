/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as decimal digits: whether they are integers, and exact division.
 *
 * 0.0075 is a multiple of 0.0001, and 1e308 is not one of 0.123456789: doubles
 * get neither right. Both numbers are scaled to integers and divided; what fits
 * in 64 bits is, the rest by limbs of nine digits (schoolbook division).
 */
#include "impl.h"

#include <math.h>
#include <stdio.h>

enum {
	DIGITS_MAX = 1200,	/* of a number's text, see core's limit */
	SCALED_MAX = 2 * DIGITS_MAX + 400,
	LIMBS_MAX = SCALED_MAX / 9 + 4	/* normalised, and a zero above */
};
#define BASE	1000000000u

/* digits * 10^exponent; no leading and trailing zeros; n == 0 is zero. */
struct decimal {
	char	digits[DIGITS_MAX];
	size_t	n;
	int	exponent;
};

struct big {
	uint32_t	limbs[LIMBS_MAX];	/* least significant first */
	size_t		n;
};

/* The digits of a text without exponent; a sign is ignored. */
static void
read_digits(struct decimal *d, const char *text)
{
	bool fraction = false;

	d->n = 0;
	d->exponent = 0;
	for (; *text != '\0' && *text != 'e' && d->n < DIGITS_MAX; text++) {
		if (*text >= '0' && *text <= '9') {
			if (d->n > 0 || *text != '0')
				d->digits[d->n++] = *text;
			d->exponent -= fraction;
		} else if (*text != '-') {
			fraction = true;	/* the locale's point */
		}
	}
	while (d->n > 0 && d->digits[d->n - 1] == '0') {
		d->n--;
		d->exponent++;
	}
}

static void
decimal_of(struct decimal *d, const cJSON *number)
{
	char text[40];
	double v = number->valuedouble;

	if (number->valuestring != NULL) {
		read_digits(d, number->valuestring);
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision - 1, v);
		if (strtod(text, NULL) == v)
			break;
	}
	read_digits(d, text);
	if (d->n > 0)
		d->exponent += atoi(strchr(text, 'e') + 1);
}

bool
js_is_integer(const cJSON *number, enum js_draft draft)
{
	const char *point;

	if (number->valuestring == NULL)
		return trunc(number->valuedouble) == number->valuedouble;
	point = strchr(number->valuestring, '.');
	if (point == NULL)
		return true;
	return draft != JS_DRAFT_4 && strspn(point + 1, "0") ==
	    strlen(point + 1);
}

/* digits * 10^zeros as limbs. */
static void
scale(struct big *out, const struct decimal *d, size_t zeros)
{
	size_t total = d->n + zeros, i, end;

	out->n = 0;
	for (end = total; end > 0; end = end > 9 ? end - 9 : 0) {
		uint32_t limb = 0;

		for (i = end > 9 ? end - 9 : 0; i < end; i++)
			limb = limb * 10 + (i < d->n ?
			    (uint32_t)(d->digits[i] - '0') : 0);
		out->limbs[out->n++] = limb;
	}
}

static void
multiply(struct big *x, uint32_t by)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < x->n; i++) {
		carry += (uint64_t)x->limbs[i] * by;
		x->limbs[i] = (uint32_t)(carry % BASE);
		carry /= BASE;
	}
	if (carry > 0)
		x->limbs[x->n++] = (uint32_t)carry;
}

/* r[0..n] -= q * b[0..n); true if it went below zero (and wrapped). */
static bool
subtract(uint32_t *r, const struct big *b, uint64_t q)
{
	uint64_t carry = 0, product;
	int64_t diff, borrow = 0;

	for (size_t i = 0; i <= b->n; i++) {
		product = carry + (i < b->n ? q * b->limbs[i] : 0);
		carry = product / BASE;
		diff = (int64_t)r[i] - (int64_t)(product % BASE) - borrow;
		borrow = diff < 0;
		r[i] = (uint32_t)(diff + (borrow ? BASE : 0));
	}
	return borrow != 0;
}

static void
add_back(uint32_t *r, const struct big *b)
{
	uint32_t carry = 0;

	for (size_t i = 0; i <= b->n; i++) {
		carry += r[i] + (i < b->n ? b->limbs[i] : 0);
		r[i] = carry % BASE;
		carry /= BASE;
	}
}

/*
 * True if b divides a. Knuth's algorithm D: with the top limb of b at least
 * half the base, the guessed digit is at most two too large.
 */
static bool
divides(struct big *b, struct big *a)
{
	uint32_t norm = BASE / (b->limbs[b->n - 1] + 1), *r;
	uint64_t q;
	size_t i;

	multiply(a, norm);
	multiply(b, norm);
	a->limbs[a->n] = 0;
	if (a->n < b->n)
		return false;
	for (i = a->n - b->n + 1; i-- > 0;) {
		r = a->limbs + i;
		q = ((uint64_t)r[b->n] * BASE + r[b->n - 1]) /
		    b->limbs[b->n - 1];
		if (q >= BASE)
			q = BASE - 1;
		if (subtract(r, b, q))
			do {
				add_back(r, b);
			} while (r[b->n] != 0);
	}
	for (i = 0; i < b->n; i++)
		if (a->limbs[i] != 0)
			return false;
	return true;
}

static uint64_t
small(const struct big *x)
{
	return (x->n > 1 ? (uint64_t)x->limbs[1] * BASE : 0) + x->limbs[0];
}

bool
js_is_multiple(const cJSON *number, const cJSON *of, size_t *cost)
{
	struct decimal x, y;
	struct big a, b;
	int low;

	*cost = 1;
	decimal_of(&x, number);
	decimal_of(&y, of);
	if (x.n == 0 || y.n == 0)
		return x.n == 0;
	low = x.exponent < y.exponent ? x.exponent : y.exponent;
	if (x.n + (size_t)(x.exponent - low) > SCALED_MAX ||
	    y.n + (size_t)(y.exponent - low) > SCALED_MAX)
		return false;	/* longer than numbers can be */
	scale(&a, &x, (size_t)(x.exponent - low));
	scale(&b, &y, (size_t)(y.exponent - low));
	if (a.n <= 2 && b.n <= 2)
		return small(&a) % small(&b) == 0;
	*cost = a.n * b.n / 8 + 1;
	return divides(&b, &a);
}
