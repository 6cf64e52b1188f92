/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One memcached server as a worker sees it: its connection, and how long to
 * leave it alone after a failure.
 *
 * The connection is made at the first command and kept. Nothing here knows
 * what the items mean; see memcached.c. Statuses: CLQ_OK, CLQ_NOT_FOUND,
 * CLQ_CONFLICT (add: exists; cas: changed meanwhile), CLQ_INVALID (the server
 * has no room for the item) and CLQ_UNAVAILABLE, which is logged when it
 * begins and when it ends.
 */
#ifndef CLQ_CACHE_MEMCACHED_HOST_H
#define CLQ_CACHE_MEMCACHED_HOST_H

#include <libmemcached/memcached.h>

#include <cliquet/arena.h>
#include <cliquet/types.h>

enum {
	MC_TIMEOUT = 1000,	/* ms, for connecting and for an answer */
	MC_FLAG = 0x636c7100	/* flags of our items: "clq", and a kind */
};

struct mc_host {
	const char		*name;		/* as in the ini */
	const char		*address;	/* name or path */
	uint16_t		 port;		/* 0: unix socket */
	memcached_st		*mc;		/* NULL: no connection */
	bool			 used;		/* mc answered before */
	bool			 down;		/* and that was said */
	clq_msec		 timeout;
	clq_msec		 pause;		/* after the next failure */
	clq_msec		 retry_at;	/* monotonic */
};

/*
 * "host", "host:port", "[ipv6]:port" or "/path/of/socket". False if it is none
 * of these. name and address live in the arena.
 */
bool mc_host_parse(struct mc_host *h, struct clq_arena *arena,
    struct clq_str text);

/* The one of n hosts (n > 0) where key lives: the same in every process,
 * whatever the order of the list. */
struct mc_host *mc_host_of(struct mc_host *hosts, size_t n,
    struct clq_str key);

void mc_host_close(struct mc_host *h);

/* Ask even if the pause after a failure is not over, and wait ms for it. */
void mc_host_probe(struct mc_host *h, clq_msec ms);
void mc_host_probe_end(struct mc_host *h);

struct mc_item {
	struct clq_str	 value;		/* in the arena; absent: no item */
	uint32_t	 flags;
	uint64_t	 cas;
};

/*
 * Read n items (n <= 2) in one round trip. A connection that an idle time or
 * a restart of the server has broken is renewed once. CLQ_OK (also if some
 * are absent) or CLQ_UNAVAILABLE.
 */
enum clq_status mc_host_fetch(struct mc_host *h, struct clq_arena *arena,
    const struct clq_str *keys, size_t n, struct mc_item *items)
    CLQ_MUST_CHECK;

enum mc_verb {
	MC_SET,
	MC_ADD,			/* only if absent */
	MC_CAS			/* only if item->cas is unchanged */
};

/* expires: in memcached's own way, see memcached.c. */
enum clq_status mc_host_store(struct mc_host *h, enum mc_verb verb,
    struct clq_str key, const struct mc_item *item, time_t expires)
    CLQ_MUST_CHECK;

/* CLQ_OK also if there was none. */
enum clq_status mc_host_delete(struct mc_host *h, struct clq_str key)
    CLQ_MUST_CHECK;

/* Everything, other applications' items included. */
enum clq_status mc_host_flush_all(struct mc_host *h) CLQ_MUST_CHECK;

/* Read, or write and read back, an item that nobody else uses. CLQ_OK or
 * CLQ_UNAVAILABLE. */
enum clq_status mc_host_ping(struct mc_host *h, struct clq_arena *arena,
    bool readonly) CLQ_MUST_CHECK;

#endif
