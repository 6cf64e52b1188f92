/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting and timing (section 07-8).
 *
 * Whoever knows something declares a metric in its setup function and calls
 * clq_observe(); whoever wants to know adds a sink (the plugins `prometheus`
 * and `statsd` do). Observing costs a comparison while there is no sink, and
 * neither allocates nor waits with one.
 *
 *	static const char *const labels[] = { "kind", NULL };
 *	static const struct clq_metric eaten = {
 *		.size = sizeof eaten, .name = "mushrooms_eaten",
 *		.help = "Mushrooms eaten.", .kind = CLQ_METRIC_COUNTER,
 *		.labels = labels,
 *	};
 *	clq_add_metric(srv, &eaten);				(setup)
 *	clq_observe(clq_request_server(req), &eaten, 1, &kind);	(a view)
 */
#ifndef CLQ_METRICS_H
#define CLQ_METRICS_H

#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clq_server;

enum clq_metric_kind {
	CLQ_METRIC_COUNTER,	/* value: how many more; not negative */
	CLQ_METRIC_TIMER,	/* nanoseconds; shown as seconds, with buckets */
	CLQ_METRIC_SUMMARY,	/* an amount, not negative; number and sum */
	CLQ_METRIC_GAUGE,	/* replaces the value, whichever worker set it */
	CLQ_METRIC__COUNT
};

enum {
	CLQ_METRIC_MAX_LABELS = 16,
	CLQ_METRIC_MAX_VALUE = 255	/* bytes of a label; the rest is cut */
};

/*
 * Static, or in the server's memory.
 *
 * name    letters, digits, '_', '.', '-'; "backend.storage.seconds". Sinks put
 *         a prefix before it and may change punctuation
 * labels  names (letters, digits, '_'), NULL-terminated; NULL: none
 * open    CLQ_BIT(i) for each label whose values somebody outside chooses. Where
 *         there are too many to remember, these become "".
 */
struct clq_metric {
	uint32_t		 size;
	const char		*name;
	const char		*help;		/* one sentence */
	enum clq_metric_kind	 kind;
	const char *const	*labels;
	unsigned		 open;
};

/* In setup. The same one again is fine; CLQ_INVALID (logged) for another one
 * of that name, a malformed one, and after the start. */
CLQ_API enum clq_status clq_add_metric(struct clq_server *srv,
    const struct clq_metric *metric) CLQ_MUST_CHECK;

/* True if somebody collects: to spare the work of preparing values. */
CLQ_API bool clq_metrics_on(const struct clq_server *srv);

/*
 * Tell all sinks; in a worker. labels: a value for each, UTF-8, borrowed for
 * the call; absent counts as "". Metrics not declared are ignored.
 */
CLQ_API void clq_observe(struct clq_server *srv,
    const struct clq_metric *metric, int64_t value,
    const struct clq_str *labels);

/* Number of labels. */
static inline size_t
clq_metric_nlabels(const struct clq_metric *m)
{
	size_t n = 0;

	while (m->labels != NULL && m->labels[n] != NULL)
		n++;
	return n;
}

/* ---- collecting -------------------------------------------------------- */

/*
 * Where observations go. Functions but configure run in a worker, none of
 * them may wait for anybody; ctx is what was given with the sink.
 */
struct clq_metrics_sink {
	uint32_t	 size;
	const char	*name;
	/* In the master, once all metrics are declared; the array lives as long
	 * as the server. CLQ_INVALID after clq_settings_error(). */
	enum clq_status	(*configure)(struct clq_server *srv, void *ctx,
			    const struct clq_metric *const *metrics, size_t n);
	/* In a worker, before its first request; or NULL. */
	void		(*open)(void *ctx);
	/* id: place in that array. */
	void		(*observe)(void *ctx, size_t id, int64_t value,
			    const struct clq_str *labels);
	/* Send what was gathered: every 0.1 s of a busy worker, within about a
	 * second of an idle one; or NULL. */
	void		(*flush)(void *ctx);
	/* The server goes; also in the master, then without open. Or NULL. */
	void		(*close)(void *ctx);
};

/* In setup. One of each name; CLQ_INVALID (logged) otherwise. */
CLQ_API enum clq_status clq_add_metrics_sink(struct clq_server *srv,
    const struct clq_metrics_sink *sink, void *ctx) CLQ_MUST_CHECK;

/* True if there is a sink of that name already. */
CLQ_API bool clq_has_metrics_sink(const struct clq_server *srv,
    const char *name);

#ifdef __cplusplus
}
#endif
#endif
