/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared metrics and their sinks (see metrics.h).
 *
 * A metric is known by the address of its declaration, which apps keep in
 * static memory: so nothing has to be handed from setup to views, and a reload
 * that fails leaves no stale handle behind. A small hash over addresses,
 * built when all are known, gives the number that sinks know it by.
 */
#include "metrics.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include "server.h"

enum { MAX_SINKS = 8 };

struct sink {
	const struct clq_metrics_sink	*ops;
	void				*ctx;
};

struct slot {
	const struct clq_metric	*metric;	/* NULL: free */
	size_t			 id;
};

struct clq_metrics {
	const struct clq_metric	**items;
	size_t			  n;
	size_t			  cap;
	struct slot		 *slots;	/* NULL: not configured yet */
	size_t			  mask;
	struct sink		  sinks[MAX_SINKS];
	size_t			  nsinks;
	bool			  open;
};

struct clq_metrics *
clq_metrics_new(struct clq_arena *arena)
{
	return clq_arena_alloc(arena, sizeof(struct clq_metrics));
}

/* ---- declarations --------------------------------------------------------- */

bool
clq_metric_name_valid(struct clq_str name, const char *more)
{
	if (name.len == 0 || (*name.p >= '0' && *name.p <= '9'))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '_' &&
		    (c == '\0' || strchr(more, c) == NULL))
			return false;
	}
	return true;
}

static bool
metric_valid(const struct clq_metric *m)
{
	size_t n = clq_metric_nlabels(m);

	if (!clq_metric_name_valid(clq_str_of(m->name), ".-") || n > CLQ_METRIC_MAX_LABELS ||
	    m->help == NULL || (unsigned)m->kind >= CLQ_METRIC__COUNT)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!clq_metric_name_valid(clq_str_of(m->labels[i]), ""))
			return false;
	return true;
}

enum clq_status
clq_add_metric(struct clq_server *srv, const struct clq_metric *metric)
{
	struct clq_metrics *all = srv->metrics;

	if (!metric_valid(metric)) {
		clq_log_err("metric \"%s\": name, labels, kind or help are "
		    "not as they must be", metric->name != NULL ?
		    metric->name : "");
		return CLQ_INVALID;
	}
	for (size_t i = 0; i < all->n; i++) {
		if (all->items[i] == metric)
			return CLQ_OK;
		if (strcmp(all->items[i]->name, metric->name) != 0)
			continue;
		clq_log_err("metric \"%s\" exists already", metric->name);
		return CLQ_INVALID;
	}
	if (all->slots != NULL) {
		clq_log_err("metric \"%s\" comes after the start",
		    metric->name);
		return CLQ_INVALID;
	}
	if (all->n == all->cap) {
		all->cap = all->cap > 0 ? 2 * all->cap : 32;
		all->items = clq_arena_grow(srv->arena, all->items,
		    all->n * sizeof *all->items,
		    all->cap * sizeof *all->items);
	}
	all->items[all->n++] = metric;
	return CLQ_OK;
}

/* A word of the settings as part of a name. */
static void
tame(char *name)
{
	for (; *name != '\0'; name++)
		if (!clq_metric_name_valid((struct clq_str){
		    (const char[]){ '_', *name }, 2 }, ".-"))
			*name = '_';
}

const struct clq_metric *
clq_metric_named(struct clq_server *srv, const char *const parts[3],
    const char *label, const char *help)
{
	struct clq_metric *m = clq_arena_alloc(srv->arena, sizeof *m);
	const char **labels = clq_arena_calloc(srv->arena, 2, sizeof *labels);
	char *middle = clq_arena_cstr(srv->arena, clq_str_of(parts[1]));

	tame(middle);
	labels[0] = label;
	*m = (struct clq_metric){
		.size = sizeof *m, .help = help, .kind = CLQ_METRIC_TIMER,
		.name = clq_arena_printf(srv->arena, "%s%s%s", parts[0],
		    middle, parts[2]).p,
		.labels = labels,
	};
	/* Two names may have become one: then they share it. */
	for (size_t i = 0; i < srv->metrics->n; i++)
		if (strcmp(srv->metrics->items[i]->name, m->name) == 0)
			return srv->metrics->items[i];
	return clq_add_metric(srv, m) == CLQ_OK ? m : NULL;
}

/* ---- sinks ---------------------------------------------------------------- */

bool
clq_has_metrics_sink(const struct clq_server *srv, const char *name)
{
	for (size_t i = 0; i < srv->metrics->nsinks; i++)
		if (strcmp(srv->metrics->sinks[i].ops->name, name) == 0)
			return true;
	return false;
}

enum clq_status
clq_add_metrics_sink(struct clq_server *srv,
    const struct clq_metrics_sink *sink, void *ctx)
{
	struct clq_metrics *all = srv->metrics;

	if (clq_has_metrics_sink(srv, sink->name) || all->nsinks == MAX_SINKS ||
	    all->slots != NULL) {
		clq_log_err("metrics sink \"%s\": there already, one too many "
		    "(of %d), or too late", sink->name, (int)MAX_SINKS);
		return CLQ_INVALID;
	}
	all->sinks[all->nsinks++] = (struct sink){ sink, ctx };
	return CLQ_OK;
}

bool
clq_metrics_wanted(const struct clq_server *srv)
{
	return srv->metrics->nsinks > 0;
}

bool
clq_metrics_on(const struct clq_server *srv)
{
	return srv->metrics->open;
}

/* ---- numbers -------------------------------------------------------------- */

static size_t
slot_of(const struct clq_metrics *all, const struct clq_metric *m)
{
	uint64_t h = (uint64_t)(uintptr_t)m * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h >> 32) & all->mask;

	while (all->slots[at].metric != NULL && all->slots[at].metric != m)
		at = (at + 1) & all->mask;
	return at;
}

static void
number(struct clq_server *srv)
{
	struct clq_metrics *all = srv->metrics;
	size_t n = 64;

	while (n < 4 * all->n)
		n *= 2;
	all->slots = clq_arena_calloc(srv->arena, n, sizeof *all->slots);
	all->mask = n - 1;
	for (size_t i = 0; i < all->n; i++)
		all->slots[slot_of(all, all->items[i])] =
		    (struct slot){ all->items[i], i };
}

enum clq_status
clq_metrics_configure(struct clq_server *srv)
{
	struct clq_metrics *all = srv->metrics;
	enum clq_status rc = CLQ_OK;

	if (all->nsinks == 0)
		return CLQ_OK;
	if (clq_request_metrics_declare(srv) != CLQ_OK)
		return CLQ_INVALID;
	number(srv);
	for (size_t i = 0; i < all->nsinks; i++) {
		const struct sink *s = &all->sinks[i];

		if (s->ops->configure != NULL && s->ops->configure(srv, s->ctx,
		    all->items, all->n) != CLQ_OK)
			rc = CLQ_INVALID;
	}
	return rc;
}

/* ---- in a worker ---------------------------------------------------------- */

void
clq_metrics_open(struct clq_server *srv)
{
	struct clq_metrics *all = srv->metrics;

	if (all->slots == NULL)
		return;
	for (size_t i = 0; i < all->nsinks; i++)
		if (all->sinks[i].ops->open != NULL)
			all->sinks[i].ops->open(all->sinks[i].ctx);
	all->open = true;
}

void
clq_observe(struct clq_server *srv, const struct clq_metric *metric,
    int64_t value, const struct clq_str *labels)
{
	const struct clq_metrics *all = srv->metrics;
	const struct slot *slot;

	if (!all->open)
		return;
	slot = &all->slots[slot_of(all, metric)];
	if (slot->metric == NULL ||
	    (value < 0 && metric->kind != CLQ_METRIC_GAUGE) ||
	    (labels == NULL && clq_metric_nlabels(metric) > 0))
		return;
	for (size_t i = 0; i < all->nsinks; i++)
		all->sinks[i].ops->observe(all->sinks[i].ctx, slot->id, value,
		    labels);
}

void
clq_metrics_flush(struct clq_server *srv)
{
	const struct clq_metrics *all = srv->metrics;

	if (!all->open)
		return;
	for (size_t i = 0; i < all->nsinks; i++)
		if (all->sinks[i].ops->flush != NULL)
			all->sinks[i].ops->flush(all->sinks[i].ctx);
}

void
clq_metrics_close(struct clq_server *srv)
{
	struct clq_metrics *all = srv->metrics;

	clq_metrics_flush(srv);
	all->open = false;
	for (size_t i = 0; i < all->nsinks; i++)
		if (all->sinks[i].ops->close != NULL)
			all->sinks[i].ops->close(all->sinks[i].ctx);
	all->nsinks = 0;
}
