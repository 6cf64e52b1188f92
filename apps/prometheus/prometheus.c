/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /__metrics__ for Prometheus (section 07-8.3).
 *
 * A sink for core's observations that adds them up in memory which all workers
 * share (table.h), and a view that any of them can answer. What is set anew by
 * a reload: docs/metrics.md.
 */
#include "text.h"

#include <math.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

static const struct clq_setting settings[] = {
	{ "prometheus_prefix", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "First part of the names of metrics; unset: project_name." },
	{ "prometheus_disabled_metrics", CLQ_SET_LIST, "", 0, 0, NULL,
	  "Metrics that are not collected, with or without the prefix." },
	{ "prometheus_histogram_buckets", CLQ_SET_LIST,
	  "0.01 0.05 0.1 0.5 1.0 3.0 6.0 Inf", 0, 0, "seconds",
	  "Upper limits of the buckets of times, rising." },
	{ "prometheus_created_metrics_enabled", CLQ_SET_BOOL, "true", 0, 0,
	  NULL, "Also show when each series began, as *_created." },
	{ "prometheus_max_series", CLQ_SET_INT, "2000", 1, 1000000, "series",
	  "Combinations of labels of one metric that are kept apart; beyond, "
	  "ids chosen by clients become \"\"." },
	{ "prometheus_memory_bytes", CLQ_SET_INT, "16777216", MIB, 1024 * MIB,
	  "bytes", "Memory for all series, touched as needed; a new value "
	  "needs a restart." },
};

/* The table outlives configurations; the rest is of one. */
static struct prom_table *table;

struct prom {
	struct prom_table	 *table;
	const char		 *prefix;	/* "kinto_" */
	struct clq_strs		  disabled;
	double			  bounds[PROM_MAX_BUCKETS];
	size_t			  nbounds;
	bool			  created;
	uint32_t		  max_series;
	uint32_t		  generation;
	struct prom_family	**families;	/* by number of the metric */
	bool			 *off;		/* disabled; likewise */
	size_t			  n;
};

/* ---- settings -------------------------------------------------------------- */

/* Punctuation becomes '_', as in the original. */
static char *
fixed(struct clq_arena *arena, const char *name)
{
	char *out = clq_arena_cstr(arena, clq_str_of(name));

	for (char *c = out; *c != '\0'; c++)
		if (*c == '-' || *c == '.' || *c == ' ')
			*c = '_';
	return out;
}

/* "Remote-Settings" becomes "remotesettings_": one word, so that some
 * dashboards group by it. */
static enum clq_status
read_prefix(struct clq_server *srv, struct prom *p)
{
	struct clq_settings *set = clq_server_settings(srv);
	const char *key = clq_settings_has(set, "prometheus_prefix") ?
	    "prometheus_prefix" : "project_name";
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_str text = clq_str_lower(arena, clq_settings_str(set, key));
	char *out = clq_arena_alloc(arena, text.len + 2);
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] >= 'a' && text.p[i] <= 'z') ||
		    (text.p[i] >= '0' && text.p[i] <= '9'))
			out[n++] = text.p[i];
	if (n > 0)
		out[n] = '_';
	p->prefix = out;
	if (n > 50 || (n > 0 && out[0] >= '0' && out[0] <= '9'))
		return clq_settings_error(set, key, "as the prefix of "
		    "metrics it must begin with a letter and have at most 50 "
		    "characters; prometheus_prefix gives another");
	return CLQ_OK;
}

static enum clq_status
read_buckets(struct clq_server *srv, struct prom *p)
{
	const char *key = "prometheus_histogram_buckets";
	struct clq_settings *set = clq_server_settings(srv);
	struct clq_strs words = clq_settings_list(set, key);
	double last = 0, bound;
	char *end;

	for (size_t i = 0; i < words.n; i++) {
		bound = strtod(clq_arena_cstr(clq_server_arena(srv),
		    words.items[i]), &end);
		if (*end != '\0' || isnan(bound) || bound <= last ||
		    (bound > 1e6 && !isinf(bound)))
			return clq_settings_error(set, key, "\"%.*s\": "
			    "seconds are wanted, rising, above 0 and up to "
			    "1000000 or Inf", CLQ_FMT(words.items[i]));
		last = bound;
		if (isinf(bound))
			continue;	/* is always there */
		if (p->nbounds == PROM_MAX_BUCKETS)
			return clq_settings_error(set, key, "at most %d "
			    "buckets", (int)PROM_MAX_BUCKETS);
		p->bounds[p->nbounds++] = bound;
	}
	return CLQ_OK;
}

/* Is the metric (shown as prefix + name) named in the setting? */
static bool
is_disabled(struct clq_arena *arena, const struct prom *p, const char *name)
{
	for (size_t i = 0; i < p->disabled.n; i++) {
		const char *word = fixed(arena, clq_arena_cstr(arena,
		    p->disabled.items[i]));
		struct clq_str w = clq_str_of(word);

		if (*p->prefix != '\0' && clq_str_starts(w, p->prefix))
			w = clq_str_sub(w, strlen(p->prefix), w.len);
		if (clq_str_ends(w, "_total"))
			w.len -= strlen("_total");
		if (clq_str_is(w, name))
			return true;
	}
	return false;
}

/* ---- the sink -------------------------------------------------------------- */

/* Another metric of this configuration that is shown by that name? */
static bool
name_taken(const struct prom *p, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (p->families[i] != NULL &&
		    strcmp(p->families[i]->name, name) == 0)
			return true;
	return false;
}

static enum clq_status
configure(struct clq_server *srv, void *ctx,
    const struct clq_metric *const *metrics, size_t n)
{
	struct clq_arena *arena = clq_server_arena(srv);
	struct prom *p = ctx;

	p->families = clq_arena_calloc(arena, n, sizeof *p->families);
	p->off = clq_arena_calloc(arena, n, sizeof *p->off);
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		const char *name = fixed(arena, metrics[i]->name);
		struct clq_str shown;

		if (is_disabled(arena, p, name)) {
			p->off[i] = true;
			continue;
		}
		shown = clq_arena_printf(arena, "%s%s", p->prefix, name);
		if (shown.len >= PROM_MAX_NAME ||
		    name_taken(p, i, shown.p)) {
			clq_log_warn("prometheus: %s is not shown: its name "
			    "is too long, or another metric's", shown.p);
			p->off[i] = true;
			continue;
		}
		p->families[i] = prom_family_get(p->table, metrics[i],
		    shown.p, p->bounds, p->nbounds);
		if (p->families[i] == NULL)
			clq_log_warn("prometheus: no memory for %s; raise "
			    "prometheus_memory_bytes and restart", shown.p);
	}
	return CLQ_OK;
}

static void
in_service(void *ctx)
{
	struct prom *p = ctx;

	prom_generation_use(p->table, p->generation, p->families, p->n,
	    p->created);
}

static void
observe(void *ctx, size_t id, int64_t value, const struct clq_str *labels)
{
	struct prom *p = ctx;

	if (!p->off[id] && !prom_observe(p->table, p->families[id], value,
	    labels, p->max_series))
		clq_log_once(CLQ_LOG_WARNING, "prometheus: full",
		    "prometheus: too many series; ids are left out of what "
		    "is new (said once; see prometheus_max_series and "
		    "prometheus_memory_bytes)");
}

static const struct clq_metrics_sink sink = {
	.size		= sizeof sink,
	.name		= "prometheus",
	.configure	= configure,
	.open		= in_service,
	.observe	= observe,
};

/* ---- the endpoint ---------------------------------------------------------- */

static enum clq_status
show(struct clq_request *req, void *ctx)
{
	const struct prom *p = ctx;
	struct clq_buf b;

	clq_buf_init(&b, clq_request_arena(req), 16384);
	prom_text(&b, p->table, p->prefix);
	return clq_reply_raw(req, 200, PROM_CONTENT_TYPE, clq_buf_str(&b));
}

static const struct clq_verb verbs[] = {
	{ CLQ_METHOD_GET, show, CLQ_TX_READ },
};

static enum clq_status
add_endpoint(struct clq_server *srv, struct prom *p)
{
	struct clq_service *s = clq_arena_alloc(clq_server_arena(srv),
	    sizeof *s);

	*s = (struct clq_service){
		.size = sizeof *s, .name = "prometheus_metrics",
		.path = "/__metrics__", .verbs = verbs,
		.nverbs = CLQ_COUNT(verbs), .flags = CLQ_SERVICE_NO_TX,
		.ctx = p, .description = "Metrics for Prometheus.",
	};
	return clq_add_service(srv, s);
}

static enum clq_status
announce(struct clq_server *srv, const struct prom *p)
{
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_buf b;

	clq_buf_init(&b, arena, 128);
	clq_buf_adds(&b, "{\"prefix\":");
	clq_buf_json_str(&b, clq_str_of(p->prefix));
	clq_buf_adds(&b, ",\"disabled_metrics\":[");
	for (size_t i = 0; i < p->disabled.n; i++) {
		clq_buf_adds(&b, i > 0 ? "," : "");
		clq_buf_json_str(&b, p->disabled.items[i]);
	}
	clq_buf_adds(&b, "]}");
	return clq_add_capability(srv, "prometheus", "Prometheus metrics.",
	    "https://github.com/Kinto/kinto/",
	    clq_arena_cstr(arena, clq_buf_str(&b)));
}

static enum clq_status
map_table(struct clq_settings *set, struct prom *p)
{
	const char *key = "prometheus_memory_bytes";
	size_t bytes = (size_t)clq_settings_int(set, key, 16 * MIB);

	if (table == NULL && (table = prom_table_new(bytes)) == NULL)
		return clq_settings_error(set, key, "no such memory can be "
		    "mapped");
	if (prom_table_size(table) != bytes)
		clq_log_warn("reload: a new value of `%s` needs a restart",
		    key);
	p->table = table;
	p->generation = prom_generation_new(table);
	return CLQ_OK;
}

static enum clq_status
setup(struct clq_server *srv)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct prom *p = clq_arena_alloc(clq_server_arena(srv), sizeof *p);
	enum clq_status rc;

	if ((rc = clq_settings_declare(set, settings, CLQ_COUNT(settings))) !=
	    CLQ_OK ||
	    (rc = read_prefix(srv, p)) != CLQ_OK ||
	    (rc = read_buckets(srv, p)) != CLQ_OK ||
	    (rc = map_table(set, p)) != CLQ_OK)
		return rc;
	p->disabled = clq_settings_list(set, "prometheus_disabled_metrics");
	p->created = clq_settings_bool(set,
	    "prometheus_created_metrics_enabled", true);
	p->max_series = (uint32_t)clq_settings_int(set,
	    "prometheus_max_series", 2000);
	if ((rc = clq_add_metrics_sink(srv, &sink, p)) != CLQ_OK ||
	    (rc = add_endpoint(srv, p)) != CLQ_OK)
		return rc;
	return announce(srv, p);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "prometheus", .version = "1", .app = &app,
};
