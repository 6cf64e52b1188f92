/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that Prometheus reads (see text.h).
 *
 * Workers go on counting meanwhile, so that each series is a moment older or
 * younger than the next; within one, buckets add up because the number of
 * observations is computed from them.
 */
#include "text.h"

#include <math.h>
#include <stdio.h>

/* ---- pieces ---------------------------------------------------------------- */

static void
head(struct clq_buf *b, const char *name, const char *suffix,
    const char *type, const char *help)
{
	clq_buf_printf(b, "# HELP %s%s ", name, suffix);
	for (; *help != '\0'; help++) {
		if (*help == '\\' || *help == '\n')
			clq_buf_adds(b, *help == '\n' ? "\\n" : "\\\\");
		else
			clq_buf_addc(b, *help);
	}
	clq_buf_printf(b, "\n# TYPE %s%s %s\n", name, suffix, type);
}

/* What is not UTF-8 is shown as \xNN. */
static void
label_value(struct clq_buf *b, struct clq_str s)
{
	bool valid = clq_utf8_valid(s);

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\' || c == '"')
			clq_buf_addc(b, '\\');
		if (c == '\n')
			clq_buf_adds(b, "\\n");
		else if (c >= 0x80 && !valid)
			clq_buf_printf(b, "\\\\x%02x", c);
		else
			clq_buf_addc(b, (char)c);
	}
}

/* a="1",b="2" */
static void
label_pairs(struct clq_buf *b, const struct prom_family *f,
    const struct prom_series *s)
{
	size_t at = 0;

	b->len = 0;
	for (uint32_t i = 0; i < f->nlabels; i++) {
		clq_buf_printf(b, "%s%s=\"", i > 0 ? "," : "", f->labels[i]);
		label_value(b, prom_series_label(s, &at));
		clq_buf_addc(b, '"');
	}
}

/* name_suffix{pairs} and a blank */
static void
sample(struct clq_buf *b, const char *name, const char *suffix,
    const struct clq_buf *pairs)
{
	clq_buf_printf(b, pairs->len > 0 ? "%s%s{%.*s} " : "%s%s%.*s ", name,
	    suffix, CLQ_FMT(clq_buf_str(pairs)));
}

static void
number(struct clq_buf *b, uint64_t n)
{
	clq_buf_printf(b, "%llu\n", (unsigned long long)n);
}

static void
seconds(struct clq_buf *b, uint64_t ns)
{
	clq_buf_printf(b, "%llu.%09llu\n",
	    (unsigned long long)(ns / 1000000000u),
	    (unsigned long long)(ns % 1000000000u));
}

static uint64_t
value_of(const struct prom_series *s, uint32_t i)
{
	return atomic_load_explicit(&s->values[i], memory_order_relaxed);
}

/* ---- kinds ----------------------------------------------------------------- */

/* "0.1", "1.0", as the bounds of the original are written. */
static void
bound(struct clq_buf *b, double bound)
{
	if (bound >= 1e15 || bound > floor(bound))
		clq_buf_printf(b, "%.12g", bound);
	else
		clq_buf_printf(b, "%.1f", bound);
}

static void
timer(struct clq_buf *b, const struct prom_family *f,
    const struct prom_series *s, const struct clq_buf *pairs)
{
	const char *comma = pairs->len > 0 ? "," : "";
	uint64_t sum = value_of(s, 0), n = 0;

	for (uint32_t i = 0; i <= f->nbounds; i++) {
		n += value_of(s, 1 + i);
		clq_buf_printf(b, "%s_bucket{%.*s%sle=\"", f->name,
		    CLQ_FMT(clq_buf_str(pairs)), comma);
		if (i < f->nbounds)
			bound(b, f->bounds[i]);
		else
			clq_buf_adds(b, "+Inf");
		clq_buf_adds(b, "\"} ");
		number(b, n);
	}
	sample(b, f->name, "_count", pairs);
	number(b, n);
	sample(b, f->name, "_sum", pairs);
	seconds(b, sum);
}

static void
series(struct clq_buf *b, const struct prom_family *f,
    const struct prom_series *s, const struct clq_buf *pairs)
{
	switch (f->kind) {
	case CLQ_METRIC_COUNTER:
		sample(b, f->name, "_total", pairs);
		number(b, value_of(s, 0));
		break;
	case CLQ_METRIC_GAUGE:
		sample(b, f->name, "", pairs);
		clq_buf_addint(b, (int64_t)value_of(s, 0));
		clq_buf_addc(b, '\n');
		break;
	case CLQ_METRIC_SUMMARY:
		sample(b, f->name, "_count", pairs);
		number(b, value_of(s, 1));
		sample(b, f->name, "_sum", pairs);
		number(b, value_of(s, 0));
		break;
	case CLQ_METRIC_TIMER:
		timer(b, f, s, pairs);
		break;
	case CLQ_METRIC__COUNT:
		break;
	}
}

static const struct prom_series *
chain(const struct prom_family *f, uint32_t i)
{
	return atomic_load(&f->chains[i]);
}

static void
created(struct clq_buf *b, const struct prom_family *f,
    struct clq_buf *pairs)
{
	head(b, f->name, "_created", "gauge", f->help);
	for (uint32_t i = 0; i <= f->mask; i++) {
		for (const struct prom_series *s = chain(f, i); s != NULL;
		    s = s->next) {
			label_pairs(pairs, f, s);
			sample(b, f->name, "_created", pairs);
			clq_buf_printf(b, "%lld.%03lld\n",
			    (long long)(s->created / 1000),
			    (long long)(s->created % 1000));
		}
	}
}

static void
family(struct clq_buf *b, const struct prom_table *t,
    const struct prom_family *f, struct clq_buf *pairs)
{
	static const char *const types[] = {
		[CLQ_METRIC_COUNTER]	= "counter",
		[CLQ_METRIC_TIMER]	= "histogram",
		[CLQ_METRIC_SUMMARY]	= "summary",
		[CLQ_METRIC_GAUGE]	= "gauge",
	};

	_Static_assert(CLQ_COUNT(types) == CLQ_METRIC__COUNT, "");
	head(b, f->name, f->kind == CLQ_METRIC_COUNTER ? "_total" : "",
	    types[f->kind], f->help);
	for (uint32_t i = 0; i <= f->mask; i++) {
		for (const struct prom_series *s = chain(f, i); s != NULL;
		    s = s->next) {
			label_pairs(pairs, f, s);
			series(b, f, s, pairs);
		}
	}
	if (prom_created(t) && f->kind != CLQ_METRIC_GAUGE)
		created(b, f, pairs);
}

/* ---- the table itself ------------------------------------------------------ */

static void
simple(struct clq_buf *b, const char *name, const char *type,
    const char *help, uint64_t value)
{
	head(b, name, "", type, help);
	clq_buf_printf(b, "%s ", name);
	number(b, value);
}

static void
blanked(struct clq_buf *b, const struct prom_table *t, const char *name)
{
	head(b, name, "", "counter", "Observations without the labels that "
	    "clients choose, because there were too many series.");
	for (struct prom_family *f = prom_family_first(t); f; f = f->next) {
		if (f->generation != prom_generation(t) || f->open == 0)
			continue;
		clq_buf_printf(b, "%s{metric=\"%s\"} ", name, f->name);
		number(b, atomic_load(&f->blanked));
	}
}

static void
itself(struct clq_buf *b, const struct prom_table *t, const char *prefix)
{
	char name[PROM_MAX_NAME];
	uint64_t n = 0;

	for (struct prom_family *f = prom_family_first(t); f; f = f->next)
		n += atomic_load(&f->nseries);
	(void)snprintf(name, sizeof name, "%smetrics_series", prefix);
	simple(b, name, "gauge", "Series in shared memory.", n);
	(void)snprintf(name, sizeof name, "%smetrics_used_bytes", prefix);
	simple(b, name, "gauge", "Shared memory used for metrics.",
	    prom_table_used(t));
	(void)snprintf(name, sizeof name, "%smetrics_limit_bytes", prefix);
	simple(b, name, "gauge", "Shared memory there is for metrics.",
	    prom_table_size(t));
	(void)snprintf(name, sizeof name, "%smetrics_dropped_total", prefix);
	simple(b, name, "counter", "Observations lost for lack of memory.",
	    prom_dropped(t));
	(void)snprintf(name, sizeof name, "%smetrics_blanked_total", prefix);
	blanked(b, t, name);
}

void
prom_text(struct clq_buf *b, const struct prom_table *t, const char *prefix)
{
	uint32_t generation = prom_generation(t);
	struct clq_buf pairs;

	clq_buf_init(&pairs, b->arena, 1024);
	for (struct prom_family *f = prom_family_first(t); f; f = f->next)
		if (atomic_load(&f->generation) == generation)
			family(b, t, f, &pairs);
	itself(b, t, prefix);
}
