/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcached.so: a cache that servers on several machines share.
 *
 * Keys. A key belongs to one of `cache_hosts`, by rendezvous hashing: the same
 * in every process whatever the order of the list, and never moved to another
 * while its server is down, so that old values cannot come back.
 *
 * Values carry a head: version, generation, deadline. memcached counts whole
 * seconds and does not tell what is left, so the deadline (wall clock, which
 * the machines must agree on) is ours; memcached's own expiry comes a
 * little later and frees the memory. Our flags tell items of other programs.
 *
 * Flush. memcached cannot list keys. Each server holds, per `cache_prefix`, an
 * item with a random generation, and a value counts only if it carries the
 * same. It is read with each value in the same round trip; flush replaces it.
 * If it gets lost, the next is random too: all is forgotten, nothing returns.
 *
 * Take. A plain get and delete would delete what somebody set in between, and
 * "gets, then delete" cannot be made conditional in the text protocol. But a
 * cas can: it puts an empty item, already expired, in the place of exactly
 * what was read. Of several callers one succeeds, and only it may return the
 * value. If the answer to that cas is lost the value is too: used at most
 * once, never twice.
 */
#include <cliquet/abi.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "memcached_host.h"

#include <assert.h>
#include <stdlib.h>

enum {
	MC_MAGIC = 0x6d636463,
	FLAG_VALUE = MC_FLAG + 1,
	FLAG_GENERATION = MC_FLAG + 2,
	FLAG_GONE = MC_FLAG + 3,
	VERSION = 1,
	HEAD_LEN = 1 + 8 + 8,
	MAX_TRIES = 100,		/* to agree on a generation */
	RACE_MSEC = MC_TIMEOUT,		/* of lost races, before giving up */
	RELATIVE_SEC = 30 * 24 * 3600,	/* above, memcached wants a date */
	PAST = RELATIVE_SEC + 1		/* a date: 1970-01-31 */
};

struct mc_cache {
	unsigned		 magic;
	struct clq_arena	*arena;		/* as long as the instance */
	struct clq_arena	*scratch;	/* within a function */
	struct mc_host		*hosts;
	size_t			 n_hosts;
	struct clq_str		 prefix;	/* cache_prefix */
	struct clq_str		 gen_key;
};

/* What is known about a key. */
struct mc_entry {
	struct mc_host		*host;
	bool			 has_gen;
	uint64_t		 gen;
	bool			 found;		/* and not expired */
	clq_msec		 deadline;
	struct mc_item		 item;		/* head included */
};

static const struct clq_setting mc_settings[] = {
	{ "cache_hosts", CLQ_SET_LIST, "", 0, 0, NULL,
	    "memcached: servers, as host:port or path of a unix socket; each "
	    "key lives on one of them. If empty: those in cache_url, which "
	    "is where `kinto init` writes them." },
};

static struct mc_cache *
mc_self(void *self)
{
	struct mc_cache *m = self;

	assert(m->magic == MC_MAGIC);
	return m;
}

static void
put64(char *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (char)(v & 0xff);
}

static uint64_t
get64(const char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* A blank or a line end in a key would be read as a command. Core never lets
 * one through; if it does, nothing is sent. */
static bool
is_key(const struct mc_cache *m, struct clq_str key)
{
	if (key.len == 0 || key.len > CLQ_CACHE_MAX_KEY ||
	    clq_str_eq(key, m->gen_key))
		return false;
	for (size_t i = 0; i < key.len; i++)
		if ((unsigned char)key.p[i] <= ' ' || key.p[i] == 0x7f)
			return false;
	return true;
}

/* The expiry to give to memcached, whose clock ticks once a second: never
 * before our deadline, and two seconds after it at most. */
static time_t
expiry(clq_msec ttl)
{
	clq_msec sec = ttl < 0 ? 1 : ttl / 1000 + 2;

	if (sec <= RELATIVE_SEC)
		return (time_t)sec;
	sec += clq_now() / 1000;
	/* memcached reads 32 bits: later than 2038 means never. */
	return sec < INT32_MAX ? (time_t)sec : 0;
}

static clq_msec
deadline_of(clq_msec ttl)
{
	clq_msec now = clq_now();

	return ttl > INT64_MAX - now ? INT64_MAX : now + ttl;
}

static void
read_entry(struct mc_entry *e, const struct mc_item *gen)
{
	const struct clq_str *v = &e->item.value;

	e->has_gen = gen->flags == FLAG_GENERATION && gen->value.len == 8;
	if (e->has_gen)
		e->gen = get64(gen->value.p);
	e->found = e->has_gen && e->item.flags == FLAG_VALUE &&
	    v->len >= HEAD_LEN && v->p[0] == VERSION &&
	    get64(v->p + 1) == e->gen;
	if (e->found) {
		e->deadline = (clq_msec)get64(v->p + 9);
		e->found = e->deadline > clq_now();
	}
}

/* The generation and the item of key. CLQ_NOT_FOUND if it does not count. */
static enum clq_status
lookup(struct mc_cache *m, struct clq_arena *arena, struct clq_str key,
    struct mc_entry *e)
{
	struct clq_str keys[2] = { m->gen_key, key };
	struct mc_item items[2];
	enum clq_status st;

	*e = (struct mc_entry){ .found = false };
	if (!is_key(m, key))
		return CLQ_NOT_FOUND;
	e->host = mc_host_of(m->hosts, m->n_hosts, key);
	st = mc_host_fetch(e->host, arena, keys, 2, items);
	if (st != CLQ_OK)
		return st;
	e->item = items[1];
	read_entry(e, &items[0]);
	return e->found ? CLQ_OK : CLQ_NOT_FOUND;
}

static struct clq_str
entry_value(const struct mc_entry *e)
{
	return clq_str_sub(e->item.value, HEAD_LEN, e->item.value.len);
}

static uint64_t
random64(void)
{
	uint64_t v = clq_random_below(UINT32_MAX);

	return v << 32 | clq_random_below(UINT32_MAX);
}

/* The generation that a new value on this host must carry. */
static enum clq_status
generation(struct mc_cache *m, struct mc_host *host, uint64_t *gen)
{
	char text[8];
	struct mc_item item, fresh = {
		.value = { text, sizeof(text) }, .flags = FLAG_GENERATION
	};
	enum clq_status st;

	for (int i = 0; i < MAX_TRIES; i++) {
		st = mc_host_fetch(host, m->scratch, &m->gen_key, 1, &item);
		if (st != CLQ_OK)
			return st;
		if (item.flags == FLAG_GENERATION && item.value.len == 8) {
			*gen = get64(item.value.p);
			return CLQ_OK;
		}
		put64(text, random64());
		/* Two workers may find none: add lets one of them win. What is
		 * there but not ours is replaced. */
		st = mc_host_store(host, item.value.p == NULL ? MC_ADD : MC_SET,
		    m->gen_key, &fresh, 0);
		if (st != CLQ_OK && st != CLQ_CONFLICT)
			return CLQ_UNAVAILABLE;
	}
	return CLQ_UNAVAILABLE;
}

static enum clq_status
mc_get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	struct mc_entry e;
	enum clq_status st = lookup(mc_self(self), arena, key, &e);

	if (st == CLQ_OK)
		*value = entry_value(&e);
	return st;
}

/* The server would not take it (item size, memory). An older value must not
 * stay. */
static enum clq_status
not_stored(struct mc_host *host, struct clq_str key, size_t len)
{
	enum clq_status st = mc_host_delete(host, key);

	clq_log_once(CLQ_LOG_WARNING, "memcached: not stored",
	    "memcached %s: has no room for a value of %zu bytes, which is not "
	    "stored; see its options -I and -m (said once)", host->name, len);
	return st == CLQ_OK ? CLQ_OK : CLQ_UNAVAILABLE;
}

static enum clq_status
set_value(struct mc_cache *m, struct clq_str key, struct clq_str value,
    clq_msec ttl)
{
	struct mc_host *host = mc_host_of(m->hosts, m->n_hosts, key);
	struct mc_item item = { .flags = FLAG_VALUE };
	enum clq_status st;
	uint64_t gen;
	char *p;

	st = generation(m, host, &gen);
	if (st != CLQ_OK)
		return st;
	p = clq_arena_alloc(m->scratch, HEAD_LEN + value.len);
	p[0] = VERSION;
	put64(p + 1, gen);
	put64(p + 9, (uint64_t)deadline_of(ttl));
	if (value.len > 0)
		memcpy(p + HEAD_LEN, value.p, value.len);
	item.value = (struct clq_str){ p, HEAD_LEN + value.len };
	st = mc_host_store(host, MC_SET, key, &item, expiry(ttl));
	if (st == CLQ_OK || st == CLQ_UNAVAILABLE)
		return st;
	return not_stored(host, key, value.len);
}

static enum clq_status
mc_set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	struct mc_cache *m = mc_self(self);
	enum clq_status st = CLQ_OK;

	if (is_key(m, key))
		st = set_value(m, key, value, ttl);
	clq_arena_reset(m->scratch);
	return st;
}

static enum clq_status
mc_take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	struct mc_cache *m = mc_self(self);
	struct mc_item gone = { .value = CLQ_STR(""), .flags = FLAG_GONE };
	clq_msec until = clq_monotonic() + RACE_MSEC;
	struct mc_entry e;
	enum clq_status st;

	do {
		clq_arena_reset(m->scratch);
		st = lookup(m, m->scratch, key, &e);
		if (st != CLQ_OK)
			break;
		gone.cas = e.item.cas;
		st = mc_host_store(e.host, MC_CAS, key, &gone, PAST);
	} while (st == CLQ_CONFLICT && clq_monotonic() < until);
	if (st == CLQ_OK)
		*value = clq_arena_strdup(arena, entry_value(&e));
	clq_arena_reset(m->scratch);
	return st == CLQ_OK || st == CLQ_NOT_FOUND ? st : CLQ_UNAVAILABLE;
}

static enum clq_status
mc_ttl(void *self, struct clq_str key, clq_msec *left)
{
	struct mc_cache *m = mc_self(self);
	struct mc_entry e;
	enum clq_status st = lookup(m, m->scratch, key, &e);
	clq_msec now = clq_now();

	if (st == CLQ_OK)
		*left = e.deadline > now ? e.deadline - now : 1;
	clq_arena_reset(m->scratch);
	return st;
}

static enum clq_status
mc_expire(void *self, struct clq_str key, clq_msec ttl)
{
	struct mc_cache *m = mc_self(self);
	clq_msec until = clq_monotonic() + RACE_MSEC;
	enum clq_status st;
	struct mc_entry e;
	char *p;

	do {
		clq_arena_reset(m->scratch);
		st = lookup(m, m->scratch, key, &e);
		if (st != CLQ_OK)
			break;
		p = clq_arena_alloc(m->scratch, e.item.value.len);
		memcpy(p, e.item.value.p, e.item.value.len);
		put64(p + 9, (uint64_t)deadline_of(ttl));
		e.item.value.p = p;
		st = mc_host_store(e.host, MC_CAS, key, &e.item, expiry(ttl));
	} while (st == CLQ_CONFLICT && clq_monotonic() < until);
	clq_arena_reset(m->scratch);
	return st == CLQ_OK || st == CLQ_NOT_FOUND ? st : CLQ_UNAVAILABLE;
}

/*
 * All hosts are tried, also if one fails. A new generation forgets all of
 * cache_prefix, which may be more than prefix. A prefix that is shorter than
 * cache_prefix means other instances' keys too: then the whole server is
 * emptied.
 */
static enum clq_status
mc_flush(void *self, struct clq_str prefix)
{
	struct mc_cache *m = mc_self(self);
	bool all = prefix.len == 0 || (prefix.len < m->prefix.len &&
	    memcmp(prefix.p, m->prefix.p, prefix.len) == 0);
	enum clq_status st = CLQ_OK;
	char text[8];
	struct mc_item item = {
		.value = { text, sizeof(text) }, .flags = FLAG_GENERATION
	};

	put64(text, random64());
	for (size_t i = 0; i < m->n_hosts; i++) {
		struct mc_host *h = &m->hosts[i];
		struct mc_item old;

		/* Reading first renews a broken connection. */
		if (mc_host_fetch(h, m->scratch, &m->gen_key, 1,
		    &old) != CLQ_OK ||
		    (all && mc_host_flush_all(h) != CLQ_OK) ||
		    mc_host_store(h, MC_SET, m->gen_key, &item, 0) != CLQ_OK)
			st = CLQ_UNAVAILABLE;
	}
	clq_arena_reset(m->scratch);
	return st;
}

static enum clq_status
configure_hosts(struct mc_cache *m, struct clq_settings *settings)
{
	const char *key = mc_settings[0].key;
	struct clq_strs list = clq_settings_list(settings, key);

	if (list.n == 0) {
		key = "cache_url";
		list = clq_settings_list(settings, key);
	}
	if (list.n == 0)
		return clq_settings_error(settings, mc_settings[0].key,
		    "is empty; name the memcached servers, as "
		    "\"127.0.0.1:11211\"");
	m->hosts = clq_arena_calloc(m->arena, list.n, sizeof(*m->hosts));
	m->n_hosts = list.n;
	for (size_t i = 0; i < list.n; i++)
		if (!mc_host_parse(&m->hosts[i], m->arena, list.items[i]))
			return clq_settings_error(settings, key, "\"%.*s\" is "
			    "neither host:port nor the path of a socket",
			    CLQ_FMT(list.items[i]));
	return CLQ_OK;
}

static void
mc_close(void *self)
{
	struct mc_cache *m = mc_self(self);

	for (size_t i = 0; i < m->n_hosts; i++)
		mc_host_close(&m->hosts[i]);
	m->magic = 0;
	clq_arena_free(&m->scratch);
	clq_arena_free(&m->arena);
	free(m);
}

static enum clq_status
mc_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	struct mc_cache *m;
	struct clq_str hex;
	enum clq_status st;

	(void)prefix;		/* this plugin is nothing but a cache */
	st = clq_settings_declare(settings, mc_settings,
	    CLQ_COUNT(mc_settings));
	if (st != CLQ_OK)
		return st;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return CLQ_FAILED;
	m->magic = MC_MAGIC;
	m->arena = clq_arena_new();
	m->scratch = clq_arena_new();
	m->prefix = clq_arena_strdup(m->arena,
	    clq_settings_str(settings, "cache_prefix"));
	/* cache_prefix may hold what a key must not. */
	hex = clq_sha256_hex(m->arena, m->prefix);
	m->gen_key = clq_arena_printf(m->arena, "cliquet-generation-%.*s",
	    CLQ_FMT(hex));
	st = configure_hosts(m, settings);
	if (st == CLQ_OK)
		*self = m;
	else
		mc_close(m);
	return st;
}

/* The connections are made when first needed: a server which is down now does
 * not keep a worker from starting. */
static enum clq_status
mc_open(void *self)
{
	(void)mc_self(self);
	return CLQ_OK;
}

/* Up if every host is: a part of the keys lives on each. */
static enum clq_status
mc_ping(void *self, bool readonly, clq_msec timeout)
{
	struct mc_cache *m = mc_self(self);
	clq_msec until = clq_monotonic() + timeout;
	enum clq_status st = CLQ_OK;

	for (size_t i = 0; st == CLQ_OK && i < m->n_hosts; i++) {
		mc_host_probe(&m->hosts[i], until - clq_monotonic());
		st = mc_host_ping(&m->hosts[i], m->scratch, readonly);
		mc_host_probe_end(&m->hosts[i]);
	}
	clq_arena_reset(m->scratch);
	return st;
}

static const struct clq_backend_ops mc_backend_ops = {
	.size = sizeof(mc_backend_ops),
	.configure = mc_configure,
	.open = mc_open,
	.ping = mc_ping,
	.close = mc_close,
};

static const struct clq_cache_ops mc_cache_ops = {
	.size = sizeof(mc_cache_ops),
	.get = mc_get,
	.set = mc_set,
	.take = mc_take,
	.ttl = mc_ttl,
	.expire = mc_expire,
	.flush = mc_flush,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name = "memcached",
	.version = "1.0",
	.backend = &mc_backend_ops,
	.cache = &mc_cache_ops,
};
