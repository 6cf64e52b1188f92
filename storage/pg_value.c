/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters and results in PostgreSQL's binary form.
 *
 * Binary costs the server neither quoting nor date arithmetic: a timestamp is
 * the number of microseconds since 2000, jsonb is its text behind a version
 * byte, an array is a list of lengths and values. Texts are passed as they
 * are, so most parameters are not even copied.
 */
#include "storage/pg.h"

enum {
	OID_INT8	= 20,
	OID_TEXT	= 25,
	OID_TIMESTAMP	= 1114,
	OID_JSONB	= 3802,
	JSONB_VERSION	= 1,
	ARRAY_HEAD	= 20,		/* bytes before the first item */
	ARGS_FIRST	= 8
};

#define EPOCH_2000_MSEC		INT64_C(946684800000)
#define USEC_PER_MSEC		INT64_C(1000)
/* 4714-11-24 BC, where PostgreSQL's calendar begins. */
#define MIN_TIME		INT64_C(-210866803200000)

/* ---- parameters -------------------------------------------------------- */

void
pg_args_init(struct pg_args *a, struct clq_arena *arena)
{
	memset(a, 0, sizeof *a);
	a->arena = arena;
}

static void *
grow(struct clq_arena *arena, const void *old, size_t n, size_t cap,
    size_t size)
{
	void *p = clq_arena_calloc(arena, cap, size);

	if (n > 0)
		memcpy(p, old, n * size);
	return p;
}

static unsigned
add(struct pg_args *a, const char *value, size_t len)
{
	size_t cap = a->cap > 0 ? a->cap * 2 : ARGS_FIRST;

	if (a->n == a->cap) {
		a->values = grow(a->arena, a->values, a->n, cap,
		    sizeof *a->values);
		a->lengths = grow(a->arena, a->lengths, a->n, cap,
		    sizeof *a->lengths);
		a->formats = grow(a->arena, a->formats, a->n, cap,
		    sizeof *a->formats);
		a->cap = cap;
	}
	a->values[a->n] = value;
	a->lengths[a->n] = (int)len;	/* bodies are bounded far below */
	a->formats[a->n++] = 1;
	return (unsigned)a->n;
}

static void
put32(char *p, uint32_t v)
{
	int i;

	for (i = 3; i >= 0; i--, v >>= 8)
		p[i] = (char)(v & 0xff);
}

static void
put64(char *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

/* Beyond what PostgreSQL can store, the nearest that it can. */
static uint64_t
wire_time(clq_msec t)
{
	/* PostgreSQL ends 2 % above 2^53; the clock needs room above the
	 * values of clients */
	const clq_msec max = PG_MAX_TIME + PG_MAX_TIME / 64;

	if (t < MIN_TIME)
		t = MIN_TIME;
	if (t > max)
		t = max;
	return (uint64_t)((t - EPOCH_2000_MSEC) * USEC_PER_MSEC);
}

unsigned
pg_arg_null(struct pg_args *a)
{
	return add(a, NULL, 0);
}

unsigned
pg_arg_text(struct pg_args *a, struct clq_str s)
{
	return add(a, s.p != NULL ? s.p : "", s.len);
}

unsigned
pg_arg_int(struct pg_args *a, int64_t v)
{
	char *p = clq_arena_alloc(a->arena, 8);

	put64(p, (uint64_t)v);
	return add(a, p, 8);
}

unsigned
pg_arg_time(struct pg_args *a, clq_msec t)
{
	char *p = clq_arena_alloc(a->arena, 8);

	put64(p, wire_time(t));
	return add(a, p, 8);
}

unsigned
pg_arg_json(struct pg_args *a, struct clq_str json)
{
	char *p = clq_arena_alloc(a->arena, json.len + 1);

	p[0] = JSONB_VERSION;
	memcpy(p + 1, json.p, json.len);
	return add(a, p, json.len + 1);
}

/* The head of an array of n items; returns where the first begins. */
static char *
array_head(char *p, uint32_t oid, size_t n)
{
	put32(p, n > 0);		/* dimensions */
	put32(p + 4, 0);		/* no nulls */
	put32(p + 8, oid);
	if (n == 0)
		return p + 12;
	put32(p + 12, (uint32_t)n);
	put32(p + 16, 1);		/* the first index */
	return p + ARRAY_HEAD;
}

/* An array whose items begin with `lead` bytes of a version, 0 or 1. */
static unsigned
add_array(struct pg_args *a, uint32_t oid, size_t lead, pg_item_f *get,
    const void *ctx, size_t n)
{
	size_t len = ARRAY_HEAD, i;
	struct clq_str item;
	char *start, *p;

	for (i = 0; i < n; i++)
		len += 4 + lead + get(ctx, i).len;
	start = clq_arena_alloc(a->arena, len);
	p = array_head(start, oid, n);
	for (i = 0; i < n; i++) {
		item = get(ctx, i);
		put32(p, (uint32_t)(lead + item.len));
		p += 4;
		if (lead > 0)
			*p++ = JSONB_VERSION;
		if (item.len > 0)
			memcpy(p, item.p, item.len);
		p += item.len;
	}
	return add(a, start, (size_t)(p - start));
}

unsigned
pg_arg_texts(struct pg_args *a, pg_item_f *get, const void *ctx, size_t n)
{
	return add_array(a, OID_TEXT, 0, get, ctx, n);
}

unsigned
pg_arg_jsons(struct pg_args *a, pg_item_f *get, const void *ctx, size_t n)
{
	return add_array(a, OID_JSONB, 1, get, ctx, n);
}

static struct clq_str
get_str(const void *ctx, size_t i)
{
	const struct clq_strs *list = ctx;

	return list->items[i];
}

unsigned
pg_arg_strs(struct pg_args *a, struct clq_strs list)
{
	return add_array(a, OID_TEXT, 0, get_str, &list, list.n);
}

static unsigned
add_words(struct pg_args *a, uint32_t oid, const int64_t *v, size_t n)
{
	char *start = clq_arena_alloc(a->arena, ARRAY_HEAD + 12 * n);
	char *p = array_head(start, oid, n);
	size_t i;

	for (i = 0; i < n; i++, p += 12) {
		put32(p, 8);
		put64(p + 4, oid == OID_TIMESTAMP ? wire_time(v[i]) :
		    (uint64_t)v[i]);
	}
	return add(a, start, (size_t)(p - start));
}

unsigned
pg_arg_ints(struct pg_args *a, const int64_t *v, size_t n)
{
	return add_words(a, OID_INT8, v, n);
}

unsigned
pg_arg_times(struct pg_args *a, const clq_msec *t, size_t n)
{
	return add_words(a, OID_TIMESTAMP, t, n);
}

/* ---- results ----------------------------------------------------------- */

static struct clq_str
value(const PGresult *res, int row, int column)
{
	return (struct clq_str){ PQgetvalue(res, row, column),
	    (size_t)PQgetlength(res, row, column) };
}

struct clq_str
pg_get_text(struct clq_arena *arena, const PGresult *res, int row,
    int column)
{
	return clq_arena_strdup(arena, value(res, row, column));
}

/* The end of a string's inside: its closing quote, or end. */
static const char *
string_end(const char *p, const char *end)
{
	const char *quote, *q;

	for (;; p = quote + 1) {
		quote = memchr(p, '"', (size_t)(end - p));
		if (quote == NULL)
			return end;
		for (q = quote; q > p && q[-1] == '\\'; q--)
			;
		if ((quote - q) % 2 == 0)
			return quote;
	}
}

/*
 * jsonb is written with a blank behind each comma and colon; documents travel
 * without.
 */
struct clq_str
pg_get_json(struct clq_arena *arena, const PGresult *res, int row,
    int column)
{
	struct clq_str s = value(res, row, column);
	const char *p, *end, *stop;
	char *out, *o;

	if (s.len < 1 || s.p[0] != JSONB_VERSION)
		return CLQ_STR("{}");	/* NULL; or a server of the future */
	p = s.p + 1;
	end = s.p + s.len;
	o = out = clq_arena_alloc(arena, s.len);
	while (p < end) {
		if (*p == '"') {
			stop = string_end(p + 1, end);
			stop += stop < end;
			memcpy(o, p, (size_t)(stop - p));
			o += stop - p;
			p = stop;
		} else {
			*o = *p++;
			o += *o != ' ';
		}
	}
	return (struct clq_str){ out, (size_t)(o - out) };
}

int64_t
pg_get_int(const PGresult *res, int row, int column)
{
	struct clq_str s = value(res, row, column);
	uint64_t v = 0;
	size_t i;

	if (s.len != 8)
		return 0;
	for (i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)s.p[i];
	return (int64_t)v;
}

bool
pg_get_bool(const PGresult *res, int row, int column)
{
	struct clq_str s = value(res, row, column);

	return s.len == 1 && s.p[0] != 0;
}

/* Kinto stores the time of a new list in microseconds. */
clq_msec
pg_get_time(const PGresult *res, int row, int column)
{
	int64_t usec = pg_get_int(res, row, column);
	int64_t msec = usec / USEC_PER_MSEC, rest = usec % USEC_PER_MSEC;

	if (rest < 0) {
		msec--;
		rest += USEC_PER_MSEC;
	}
	return msec + (rest >= USEC_PER_MSEC / 2) + EPOCH_2000_MSEC;
}
