/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that all workers add to: one table in memory that the master maps
 * before it forks.
 *
 * It lives as long as the master, so respawned workers and those of a reload go
 * on where others stopped. A family is a metric as one configuration declares
 * it: name, kind, labels, buckets; the same declaration finds its family again,
 * another one gets a new family that starts at zero, and only those of the
 * newest configuration in service are shown. A series is a family with values
 * for its labels.
 *
 * Nothing is ever locked or freed. Families and series are complete before one
 * atomic store makes them reachable, and numbers are added atomically: a worker
 * killed at any moment costs at most the memory of one series, and the second
 * half of one observation (a timer's sum).
 */
#ifndef PROM_TABLE_H
#define PROM_TABLE_H

#include <cliquet/cliquet.h>

#include <stdatomic.h>

enum {
	PROM_MAX_BUCKETS = 32,	/* without +Inf */
	PROM_MAX_NAME = 160
};

struct prom_series {
	struct prom_series	*next;		/* of its chain */
	int64_t			 created;	/* clq_now() */
	uint32_t		 key_len;
	uint32_t		 nvalues;
	/* COUNTER, GAUGE: the value. SUMMARY: sum, number. TIMER: sum in ns,
	 * then observations for each bucket and +Inf, not cumulated. In cache
	 * lines of their own: what is only read stays with every processor. */
	_Atomic(uint64_t)	*values;
	char			 key[];
};

struct prom_family {
	struct prom_family	*next;
	enum clq_metric_kind	 kind;
	uint32_t		 nlabels;
	uint32_t		 open;		/* see struct clq_metric */
	uint32_t		 nbounds;
	uint32_t		 mask;		/* of chains */
	double			 bounds[PROM_MAX_BUCKETS];	/* seconds */
	uint64_t		 bounds_ns[PROM_MAX_BUCKETS];
	char			 name[PROM_MAX_NAME];	/* as shown, no suffix */
	char			 help[256];
	const char		*labels[CLQ_METRIC_MAX_LABELS];
	_Atomic(uint32_t)	 generation;	/* the newest that has it */
	_Atomic(uint32_t)	 nseries;
	_Atomic(uint64_t)	 blanked;	/* observations whose open labels
						   were, for lack of place */
	_Atomic(struct prom_series *) chains[];
};

struct prom_table;

/* Map `bytes`; NULL (logged) without memory. In the master; freed by exit. */
struct prom_table *prom_table_new(size_t bytes);

/* Bytes of the mapping, and how many are used. */
size_t prom_table_size(const struct prom_table *t);
size_t prom_table_used(const struct prom_table *t);

/* For tests. */
void prom_table_free(struct prom_table **t);

/*
 * The family of a metric under that name; in the master. bounds: upper limits of
 * buckets in seconds, rising; for timers only. NULL if the table is full.
 */
struct prom_family *prom_family_get(struct prom_table *t,
    const struct clq_metric *m, const char *name, const double *bounds,
    size_t nbounds);

/* A number for a configuration; in the master. */
uint32_t prom_generation_new(struct prom_table *t);

/*
 * That configuration is in service: its families are shown from now on, unless a
 * newer one is already. created: show when series began. In a worker.
 */
void prom_generation_use(struct prom_table *t, uint32_t generation,
    struct prom_family *const *families, size_t n, bool created);

/* The one that is shown; 0: none yet. */
uint32_t prom_generation(const struct prom_table *t);

/* Does it show when series began? */
bool prom_created(const struct prom_table *t);

/* All families, by their `next`; those not shown too. */
struct prom_family *prom_family_first(const struct prom_table *t);

/* Observations lost because there was no place even with blank labels, or no
 * family. */
uint64_t prom_dropped(const struct prom_table *t);

/*
 * Add an observation, as clq_observe() has it. family NULL: counted as dropped.
 * max_series: most series of this family with values for its open labels.
 * Returns false when something was blanked or dropped.
 */
bool prom_observe(struct prom_table *t, struct prom_family *family,
    int64_t value, const struct clq_str *labels, uint32_t max_series);

/* Label values of a series, one after the other: *at starts as 0. */
struct clq_str prom_series_label(const struct prom_series *s, size_t *at);

#endif
