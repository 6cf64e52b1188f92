/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table (see table.h).
 *
 * Memory is handed out from one end of the mapping. Pointers in it are plain
 * ones, since every process that uses it inherited it at the same address. A
 * series is found by the hash of its label values, which clients may choose:
 * hence SipHash with a random key. Series with values for open labels leave
 * the last eighth to those without.
 */
#include "table.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>

enum {
	ALIGN = 64,		/* a cache line */
	CHAINS_OPEN = 1024,	/* chains of a family with open labels */
	CHAINS = 64,
	KEY_CAP = CLQ_METRIC_MAX_LABELS * (CLQ_METRIC_MAX_VALUE + 1),
	MAX_VALUES = PROM_MAX_BUCKETS + 2
};

struct prom_table {
	size_t				 size;
	unsigned char			 seed[crypto_shorthash_KEYBYTES];
	_Atomic(size_t)			 used;
	_Atomic(uint32_t)		 last;		/* generation given out */
	_Atomic(uint32_t)		 shown;		/* generation in service */
	_Atomic(uint32_t)		 created;
	_Atomic(uint64_t)		 dropped;
	_Atomic(struct prom_family *)	 first;
};

/* A series that is looked for. */
struct key {
	uint64_t	hash;
	size_t		len;
	char		bytes[KEY_CAP];
};

static size_t
aligned(size_t len)
{
	return (len + ALIGN - 1) / ALIGN * ALIGN;
}

struct prom_table *
prom_table_new(size_t bytes)
{
	struct prom_table *t = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "");
	if (t == MAP_FAILED) {
		clq_log_err("prometheus: no %zu bytes of shared memory: %s",
		    bytes, strerror(errno));
		return NULL;
	}
	t->size = bytes;
	randombytes_buf(t->seed, sizeof t->seed);
	atomic_store(&t->used, aligned(sizeof *t));
	return t;
}

void
prom_table_free(struct prom_table **t)
{
	if (*t != NULL)
		(void)munmap(*t, (*t)->size);
	*t = NULL;
}

size_t
prom_table_size(const struct prom_table *t)
{
	return t->size;
}

size_t
prom_table_used(const struct prom_table *t)
{
	return atomic_load(&t->used);
}

/* A piece that ends at or before `limit`, zeroed; NULL if there is none. */
static void *
piece(struct prom_table *t, size_t len, size_t limit)
{
	size_t at = atomic_load(&t->used);
	char *p;

	len = aligned(len);
	do {
		if (at > limit || len > limit - at)
			return NULL;
	} while (!atomic_compare_exchange_weak(&t->used, &at, at + len));
	p = (char *)t + at;
	memset(p, 0, len);	/* it may have been given back */
	return p;
}

/* Nobody was told of it; possible only if nothing was taken since. */
static void
give_back(struct prom_table *t, const void *p, size_t len)
{
	size_t at = (size_t)((const char *)p - (const char *)t);
	size_t end = at + aligned(len);

	(void)atomic_compare_exchange_strong(&t->used, &end, at);
}

/* ---- families -------------------------------------------------------------- */

static bool
family_is(const struct prom_family *f, const struct clq_metric *m,
    const char *name, const double *bounds, size_t nbounds)
{
	if (f->kind != m->kind || strcmp(f->name, name) != 0 ||
	    f->nlabels != clq_metric_nlabels(m) || f->open != m->open ||
	    f->nbounds != nbounds)
		return false;
	for (size_t i = 0; i < nbounds; i++)
		if (f->bounds[i] < bounds[i] || f->bounds[i] > bounds[i])
			return false;
	for (size_t i = 0; i < f->nlabels; i++)
		if (strcmp(f->labels[i], m->labels[i]) != 0)
			return false;
	return true;
}

static bool
copy_labels(struct prom_table *t, struct prom_family *f,
    const struct clq_metric *m)
{
	for (size_t i = 0; i < f->nlabels; i++) {
		size_t len = strlen(m->labels[i]) + 1;
		char *label = piece(t, len, t->size);

		if (label == NULL)
			return false;
		memcpy(label, m->labels[i], len);
		f->labels[i] = label;
	}
	return true;
}

struct prom_family *
prom_family_get(struct prom_table *t, const struct clq_metric *m,
    const char *name, const double *bounds, size_t nbounds)
{
	size_t chains = m->open != 0 ? CHAINS_OPEN : CHAINS;
	struct prom_family *f;

	if (m->kind != CLQ_METRIC_TIMER)
		nbounds = 0;
	for (f = atomic_load(&t->first); f != NULL; f = f->next)
		if (family_is(f, m, name, bounds, nbounds))
			return f;
	f = piece(t, sizeof *f + chains * sizeof f->chains[0], t->size);
	if (f == NULL)
		return NULL;
	f->kind = m->kind;
	f->nlabels = (uint32_t)clq_metric_nlabels(m);
	f->open = m->open;
	f->nbounds = (uint32_t)nbounds;
	f->mask = (uint32_t)chains - 1;
	for (size_t i = 0; i < nbounds; i++) {
		f->bounds[i] = bounds[i];
		f->bounds_ns[i] = (uint64_t)(bounds[i] * 1e9);
	}
	(void)snprintf(f->name, sizeof f->name, "%s", name);
	(void)snprintf(f->help, sizeof f->help, "%s", m->help);
	if (!copy_labels(t, f, m))
		return NULL;
	f->next = atomic_load(&t->first);	/* the master is alone here */
	atomic_store(&t->first, f);
	return f;
}

struct prom_family *
prom_family_first(const struct prom_table *t)
{
	return atomic_load(&t->first);
}

/* ---- generations ----------------------------------------------------------- */

static void
raise_to(_Atomic(uint32_t) *at, uint32_t value)
{
	uint32_t old = atomic_load(at);

	while (old < value && !atomic_compare_exchange_weak(at, &old, value))
		;
}

uint32_t
prom_generation_new(struct prom_table *t)
{
	return atomic_fetch_add(&t->last, 1) + 1;
}

void
prom_generation_use(struct prom_table *t, uint32_t generation,
    struct prom_family *const *families, size_t n, bool created)
{
	for (size_t i = 0; i < n; i++)
		if (families[i] != NULL)
			raise_to(&families[i]->generation, generation);
	if (atomic_load(&t->shown) <= generation)
		atomic_store(&t->created, created);
	raise_to(&t->shown, generation);
}

uint32_t
prom_generation(const struct prom_table *t)
{
	return atomic_load(&t->shown);
}

bool
prom_created(const struct prom_table *t)
{
	return atomic_load(&t->created) != 0;
}

uint64_t
prom_dropped(const struct prom_table *t)
{
	return atomic_load(&t->dropped);
}

/* ---- series ---------------------------------------------------------------- */

/* Not in the middle of a character. */
static size_t
cut(struct clq_str s)
{
	size_t len = s.len;

	if (len <= CLQ_METRIC_MAX_VALUE)
		return len;
	len = CLQ_METRIC_MAX_VALUE;
	while (len > 0 && ((unsigned char)s.p[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* Length and bytes of each value. True if one of the open ones is not "". */
static bool
key_make(const struct prom_table *t, const struct prom_family *f,
    const struct clq_str *labels, bool blank, struct key *key)
{
	bool open = false;

	key->len = 0;
	for (size_t i = 0; i < f->nlabels; i++) {
		bool may_blank = (f->open & CLQ_BIT(i)) != 0;
		size_t len = may_blank && blank ? 0 : cut(labels[i]);

		open = open || (may_blank && len > 0);
		key->bytes[key->len++] = (char)(unsigned char)len;
		if (len > 0)
			memcpy(key->bytes + key->len, labels[i].p, len);
		key->len += len;
	}
	(void)crypto_shorthash((unsigned char *)&key->hash,
	    (const unsigned char *)key->bytes, key->len, t->seed);
	return open;
}

struct clq_str
prom_series_label(const struct prom_series *s, size_t *at)
{
	struct clq_str label;

	if (*at >= s->key_len)
		return CLQ_STR("");
	label.len = (unsigned char)s->key[*at];
	label.p = s->key + *at + 1;
	*at += 1 + label.len;
	return label;
}

/* From s up to, but without, end. */
static struct prom_series *
chain_find(struct prom_series *s, const struct prom_series *end,
    const struct key *key)
{
	for (; s != end; s = s->next)
		if (s->key_len == key->len &&
		    memcmp(s->key, key->bytes, key->len) == 0)
			return s;
	return NULL;
}

static uint32_t
nvalues(const struct prom_family *f)
{
	switch (f->kind) {
	case CLQ_METRIC_TIMER:
		return f->nbounds + 2;
	case CLQ_METRIC_SUMMARY:
		return 2;
	case CLQ_METRIC_COUNTER:
	case CLQ_METRIC_GAUGE:
	case CLQ_METRIC__COUNT:
		break;
	}
	return 1;
}

/* A new series, or the one that another worker added meanwhile. head: of the
 * chain, as it was when the key was not in it. */
static struct prom_series *
series_add(struct prom_table *t, struct prom_family *f,
    const struct key *key, struct prom_series *head, size_t limit)
{
	_Atomic(struct prom_series *) *chain =
	    &f->chains[key->hash & f->mask];
	size_t values = aligned(sizeof(struct prom_series) + key->len);
	size_t len = values + nvalues(f) * sizeof(uint64_t);
	struct prom_series *s = piece(t, len, limit), *other;

	if (s == NULL)
		return NULL;
	s->created = clq_now();
	s->key_len = (uint32_t)key->len;
	s->nvalues = nvalues(f);
	s->values = (void *)((char *)s + values);
	memcpy(s->key, key->bytes, key->len);
	s->next = head;
	while (!atomic_compare_exchange_strong(chain, &head, s)) {
		other = chain_find(head, s->next, key);
		if (other != NULL) {
			give_back(t, s, len);
			return other;
		}
		s->next = head;
	}
	atomic_fetch_add(&f->nseries, 1);
	return s;
}

static struct prom_series *
series_get(struct prom_table *t, struct prom_family *f,
    const struct clq_str *labels, uint32_t max_series, bool *whole)
{
	struct prom_series *head, *s;
	struct key key;
	bool open = key_make(t, f, labels, false, &key);

	*whole = true;
	head = atomic_load(&f->chains[key.hash & f->mask]);
	if ((s = chain_find(head, NULL, &key)) != NULL)
		return s;
	if (!open)
		return series_add(t, f, &key, head, t->size);
	if (atomic_load(&f->nseries) < max_series &&
	    (s = series_add(t, f, &key, head, t->size - t->size / 8)) != NULL)
		return s;
	*whole = false;
	(void)key_make(t, f, labels, true, &key);
	head = atomic_load(&f->chains[key.hash & f->mask]);
	s = chain_find(head, NULL, &key);
	return s != NULL ? s : series_add(t, f, &key, head, t->size);
}

static void
add(_Atomic(uint64_t) *at, uint64_t value)
{
	atomic_fetch_add_explicit(at, value, memory_order_relaxed);
}

static void
series_count(const struct prom_family *f, struct prom_series *s,
    uint64_t value)
{
	uint32_t i = 0;

	switch (f->kind) {
	case CLQ_METRIC_COUNTER:
		add(&s->values[0], value);
		break;
	case CLQ_METRIC_GAUGE:
		atomic_store_explicit(&s->values[0], value,
		    memory_order_relaxed);
		break;
	case CLQ_METRIC_SUMMARY:
		add(&s->values[1], 1);
		add(&s->values[0], value);
		break;
	case CLQ_METRIC_TIMER:
		while (i < f->nbounds && value > f->bounds_ns[i])
			i++;
		add(&s->values[1 + i], 1);
		add(&s->values[0], value);
		break;
	case CLQ_METRIC__COUNT:
		break;
	}
}

bool
prom_observe(struct prom_table *t, struct prom_family *f, int64_t value,
    const struct clq_str *labels, uint32_t max_series)
{
	struct prom_series *s = NULL;
	bool whole = false;

	if (f != NULL)
		s = series_get(t, f, labels, max_series, &whole);
	if (s == NULL) {
		add(&t->dropped, 1);
		return false;
	}
	series_count(f, s, (uint64_t)value);
	if (!whole)
		add(&f->blanked, 1);
	return whole;
}
