/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.so: the cache of one server, in memory that its workers share.
 *
 * configure() maps an anonymous shared area in the master; every worker
 * inherits it, and so does the one that replaces it. An area goes on through a
 * reload as long as `cache_max_size_bytes` stays the same: workers of the old
 * and of the new configuration then see the same tokens. A single process
 * works as well.
 *
 * What is shared is shared by fork only. Servers on several machines, or
 * processes that something else starts one by one (mod_fcgid, spawn-fcgi -F),
 * have a cache each: a single-use token set in one is unknown to the others.
 * Take memcached there.
 *
 * Deadlines are in monotonic time, which all processes of a machine share and
 * nobody sets. The table is in memory_table.c.
 */
#include <cliquet/abi.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>

#include "memory_table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEM_MAGIC = 0x6d656d63 };

/* A mapping, and how many instances of this process use it. */
struct mem_area {
	struct mem_area		*next;
	struct mem_table	*table;
	size_t			 len;
	size_t			 max_bytes;
	unsigned		 n_users;
};

struct mem_cache {
	unsigned		 magic;
	struct mem_area		*area;
};

/* Mappings of this process: one, and for a moment two when a reload changes
 * the size. */
static struct mem_area *areas;

static const struct clq_setting mem_settings[] = {
	{ "cache_max_size_bytes", CLQ_SET_INT, "524288", MEM_TABLE_MIN,
	    MEM_TABLE_MAX, "bytes",
	    "Memory cache: size of keys and values together; when full, the "
	    "oldest go until 80 % are left." },
};

static struct mem_table *
mem_self(void *self)
{
	struct mem_cache *m = self;

	assert(m->magic == MEM_MAGIC);
	return m->area->table;
}

static struct mem_area *
area_new(size_t max_bytes)
{
	struct mem_area *a = calloc(1, sizeof(*a));
	void *p;

	if (a == NULL)
		return NULL;
	a->len = mem_table_area(max_bytes);
	a->max_bytes = max_bytes;
	p = mmap(NULL, a->len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(a);
		return NULL;
	}
	a->table = mem_table_init(p, max_bytes, clq_random_below(UINT32_MAX));
	if (a->table == NULL) {
		munmap(p, a->len);
		free(a);
		errno = ENOTSUP;
		return NULL;
	}
	a->next = areas;
	areas = a;
	return a;
}

static struct mem_area *
area_use(size_t max_bytes)
{
	struct mem_area *a;

	for (a = areas; a != NULL && a->max_bytes != max_bytes; a = a->next)
		continue;
	if (a == NULL)
		a = area_new(max_bytes);
	if (a != NULL)
		a->n_users++;
	return a;
}

static void
area_release(struct mem_area *a)
{
	struct mem_area **link = &areas;

	if (--a->n_users > 0)
		return;
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	munmap(a->table, a->len);
	free(a);
}

static enum clq_status
mem_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	const char *key = mem_settings[0].key;
	struct mem_cache *m;
	int64_t max_bytes;
	enum clq_status st;

	(void)prefix;		/* this plugin is nothing but a cache */
	st = clq_settings_declare(settings, mem_settings,
	    CLQ_COUNT(mem_settings));
	if (st != CLQ_OK)
		return st;
	max_bytes = clq_settings_int(settings, key, 524288);
	if (max_bytes < MEM_TABLE_MIN || max_bytes > MEM_TABLE_MAX)
		return clq_settings_error(settings, key, "out of range");
	m = calloc(1, sizeof(*m));
	if (m != NULL)
		m->area = area_use((size_t)max_bytes);
	if (m == NULL || m->area == NULL) {
		st = clq_settings_error(settings, key, "no shared memory of "
		    "this size: %s; choose a smaller one", strerror(errno));
		free(m);
		return st;
	}
	m->magic = MEM_MAGIC;
	*self = m;
	return CLQ_OK;
}

static enum clq_status
mem_open(void *self)
{
	(void)mem_self(self);
	return CLQ_OK;
}

static void
mem_close(void *self)
{
	struct mem_cache *m = self;

	(void)mem_self(self);
	m->magic = 0;
	area_release(m->area);
	free(m);
}

static enum clq_status
mem_get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	return mem_table_get(mem_self(self), arena, key, clq_monotonic(),
	    value);
}

static enum clq_status
mem_set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	enum clq_status st;

	st = mem_table_set(mem_self(self), key, value, clq_monotonic(), ttl);
	if (st != CLQ_INVALID)
		return st;
	clq_log_once(CLQ_LOG_WARNING, "memory cache: too large",
	    "memory cache: a value of %zu bytes does not fit and is not "
	    "stored; raise cache_max_size_bytes (said once)", value.len);
	return CLQ_OK;
}

static enum clq_status
mem_take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	return mem_table_take(mem_self(self), arena, key, clq_monotonic(),
	    value);
}

static enum clq_status
mem_ttl(void *self, struct clq_str key, clq_msec *left)
{
	return mem_table_ttl(mem_self(self), key, clq_monotonic(), left);
}

static enum clq_status
mem_expire(void *self, struct clq_str key, clq_msec ttl)
{
	return mem_table_expire(mem_self(self), key, clq_monotonic(), ttl);
}

static enum clq_status
mem_flush(void *self, struct clq_str prefix)
{
	return mem_table_flush(mem_self(self), prefix);
}

/* The key holds a blank and so is no client's; each process has its own, for
 * probes at the same time must not meet. */
static enum clq_status
mem_ping(void *self, bool readonly, clq_msec timeout)
{
	struct mem_table *t = mem_self(self);
	struct mem_table_stats stats;
	struct clq_arena *arena;
	struct clq_str key, value;
	enum clq_status st;

	(void)timeout;		/* the lock's second is the longest wait */
	if (readonly)
		return mem_table_stats(t, &stats);
	arena = clq_arena_new();
	key = clq_arena_printf(arena, "heartbeat %ld", (long)getpid());
	st = mem_table_set(t, key, CLQ_STR("true"), clq_monotonic(), 60000);
	if (st == CLQ_OK)
		st = mem_table_take(t, arena, key, clq_monotonic(), &value);
	clq_arena_free(&arena);
	return st == CLQ_NOT_FOUND ? CLQ_UNAVAILABLE : st;
}

static const struct clq_backend_ops mem_backend_ops = {
	.size = sizeof(mem_backend_ops),
	.configure = mem_configure,
	.open = mem_open,
	.ping = mem_ping,
	.close = mem_close,
};

static const struct clq_cache_ops mem_cache_ops = {
	.size = sizeof(mem_cache_ops),
	.get = mem_get,
	.set = mem_set,
	.take = mem_take,
	.ttl = mem_ttl,
	.expire = mem_expire,
	.flush = mem_flush,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name = "memory",
	.version = "1.0",
	.backend = &mem_backend_ops,
	.cache = &mem_cache_ops,
};
