/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands to one memcached server over libmemcached, and its failures.
 *
 * Text protocol: memcached's authors have deprecated the binary one, and with
 * text two reads that need their cas numbers are one packet each way ("gets a
 * b"). One memcached_st per server, since libmemcached's own way with several
 * moves the keys of a dead server to others: when it comes back, old values
 * do, and a single-use token could be used again. It also keeps its failures
 * for itself, and the operator should read of them.
 *
 * After a failure the connection is thrown away and the server left alone for
 * half a second, doubling up to eight: requests fail at once meanwhile, and a
 * worker tries to connect once per pause.
 */
#include "memcached_host.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <string.h>
#include <unistd.h>

enum {
	DEFAULT_PORT = 11211,
	PAUSE_MIN = 500,	/* ms */
	PAUSE_MAX = 8000
};

bool
mc_host_parse(struct mc_host *h, struct clq_arena *arena, struct clq_str text)
{
	size_t colon = text.len;
	struct clq_str host;
	int64_t port = DEFAULT_PORT;

	*h = (struct mc_host){ .timeout = MC_TIMEOUT, .pause = PAUSE_MIN };
	if (text.len == 0)
		return false;
	h->name = clq_arena_cstr(arena, text);
	if (text.p[0] == '/') {
		h->address = h->name;
		return true;
	}
	if (text.p[0] == '[') {
		size_t end = clq_str_find(text, ']', 0);

		host = clq_str_sub(text, 1, end);
		if (end + 1 < text.len && text.p[end + 1] != ':')
			return false;
		if (end == text.len)
			return false;
		colon = end + 1;
	} else {
		colon = clq_str_find(text, ':', 0);
		host = clq_str_sub(text, 0, colon);
	}
	if (colon < text.len &&
	    !clq_str_int(clq_str_sub(text, colon + 1, text.len), &port))
		return false;
	h->address = clq_arena_cstr(arena, host);
	h->port = (uint16_t)port;
	return host.len > 0 && port > 0 && port <= UINT16_MAX;
}

static uint64_t
hash_more(uint64_t h, struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
	return h;
}

/* The hash of both names decides. All processes must agree on it, so it is not
 * to be changed. */
struct mc_host *
mc_host_of(struct mc_host *hosts, size_t n, struct clq_str key)
{
	struct mc_host *best = &hosts[0];
	uint64_t most = 0;

	for (size_t i = 0; n > 1 && i < n; i++) {
		uint64_t h = UINT64_C(14695981039346656037);

		h = hash_more(h, clq_str_of(hosts[i].name));
		h = hash_more(h, key);
		h = (h ^ h >> 29) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
		if (h >= most) {
			most = h;
			best = &hosts[i];
		}
	}
	return best;
}

void
mc_host_close(struct mc_host *h)
{
	if (h->mc != NULL)
		memcached_free(h->mc);
	h->mc = NULL;
	h->used = false;
}

static bool
set_timeouts(struct mc_host *h)
{
	uint64_t ms = (uint64_t)h->timeout;

	return memcached_behavior_set(h->mc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
	    ms) == MEMCACHED_SUCCESS &&
	    memcached_behavior_set(h->mc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,
	    ms) == MEMCACHED_SUCCESS;
}

/* A handle; it connects at its first command. */
static bool
prepare(struct mc_host *h)
{
	static const memcached_behavior_t on[] = {
		MEMCACHED_BEHAVIOR_NO_BLOCK,	/* else no connect timeout */
		MEMCACHED_BEHAVIOR_SUPPORT_CAS,
	};
	memcached_return_t rc = MEMCACHED_SUCCESS;

	h->mc = memcached_create(NULL);
	if (h->mc == NULL)
		return false;
	for (size_t i = 0; i < CLQ_COUNT(on); i++)
		if (rc == MEMCACHED_SUCCESS)
			rc = memcached_behavior_set(h->mc, on[i], 1);
	if (rc == MEMCACHED_SUCCESS && h->port != 0)
		rc = memcached_behavior_set(h->mc,
		    MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
	if (rc == MEMCACHED_SUCCESS && h->port != 0)
		rc = memcached_server_add(h->mc, h->address, h->port);
	else if (rc == MEMCACHED_SUCCESS)
		rc = memcached_server_add_unix_socket(h->mc, h->address);
	if (rc == MEMCACHED_SUCCESS && set_timeouts(h))
		return true;
	mc_host_close(h);
	return false;
}

static enum clq_status
fail(struct mc_host *h, memcached_return_t rc)
{
	int err = h->mc != NULL ? memcached_last_error_errno(h->mc) : 0;

	if (!h->down)
		clq_log_err("memcached %s: %s%s%s; asked again in %d ms",
		    h->name, memcached_strerror(NULL, rc),
		    err != 0 ? ": " : "", err != 0 ? strerror(err) : "",
		    (int)h->pause);
	h->down = true;
	mc_host_close(h);
	h->retry_at = clq_monotonic() + h->pause;
	h->pause = h->pause * 2 < PAUSE_MAX ? h->pause * 2 : PAUSE_MAX;
	return CLQ_UNAVAILABLE;
}

static void
answered(struct mc_host *h)
{
	h->used = true;
	h->pause = PAUSE_MIN;
	if (h->down)
		clq_log_warn("memcached %s: answers again", h->name);
	h->down = false;
}

/*
 * False while the server is left alone, or if it cannot be reached. The first
 * command deletes what nobody stores: of a connection that fails within a
 * read, libmemcached forgets the cause.
 */
static bool
ready(struct mc_host *h)
{
	memcached_return_t rc = MEMCACHED_MEMORY_ALLOCATION_FAILURE;
	static const char hello[] = "cliquet-hello";

	if (h->mc != NULL)
		return true;
	if (clq_monotonic() < h->retry_at)
		return false;
	if (prepare(h))
		rc = memcached_delete(h->mc, hello, sizeof(hello) - 1, 0);
	if (rc == MEMCACHED_NOTFOUND || rc == MEMCACHED_SUCCESS)
		return true;
	(void)fail(h, rc);
	return false;
}

void
mc_host_probe(struct mc_host *h, clq_msec ms)
{
	h->retry_at = 0;
	h->timeout = ms < 1 ? 1 : ms < MC_TIMEOUT ? ms : MC_TIMEOUT;
	if (h->mc != NULL && !set_timeouts(h))
		mc_host_close(h);
}

void
mc_host_probe_end(struct mc_host *h)
{
	h->timeout = MC_TIMEOUT;
	if (h->mc != NULL && !set_timeouts(h))
		mc_host_close(h);
}

/* False if nobody asked for this item: then the connection is out of step. A
 * command sent over it would be answered with something else, for which
 * libmemcached has an assertion. */
static bool
take_result(struct clq_arena *arena, const memcached_result_st *r,
    const struct clq_str *keys, size_t n, struct mc_item *items)
{
	struct clq_str key = { memcached_result_key_value(r),
	    memcached_result_key_length(r) };
	struct clq_str value = { memcached_result_value(r),
	    memcached_result_length(r) };

	for (size_t i = 0; i < n; i++) {
		if (!clq_str_eq(key, keys[i]))
			continue;
		items[i].value = clq_arena_strdup(arena, value);
		items[i].flags = memcached_result_flags(r);
		items[i].cas = memcached_result_cas(r);
		return true;
	}
	return false;
}

static memcached_return_t
fetch(struct mc_host *h, struct clq_arena *arena, const struct clq_str *keys,
    size_t n, struct mc_item *items)
{
	const char *texts[2];
	size_t lens[2];
	memcached_result_st result;
	memcached_return_t rc;

	for (size_t i = 0; i < n; i++) {
		texts[i] = keys[i].p;
		lens[i] = keys[i].len;
		items[i] = (struct mc_item){ .flags = 0 };
	}
	rc = memcached_mget(h->mc, texts, lens, n);
	if (rc != MEMCACHED_SUCCESS)
		return rc;
	if (memcached_result_create(h->mc, &result) == NULL)
		return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
	while (memcached_fetch_result(h->mc, &result, &rc) != NULL)
		if (!take_result(arena, &result, keys, n, items)) {
			rc = MEMCACHED_PROTOCOL_ERROR;
			break;
		}
	memcached_result_free(&result);
	if (rc == MEMCACHED_END || rc == MEMCACHED_NOTFOUND)
		rc = MEMCACHED_SUCCESS;
	/* It tells what it did not understand as "no item". */
	if (rc == MEMCACHED_SUCCESS)
		rc = memcached_last_error(h->mc);
	return rc;
}

enum clq_status
mc_host_fetch(struct mc_host *h, struct clq_arena *arena,
    const struct clq_str *keys, size_t n, struct mc_item *items)
{
	memcached_return_t rc;

	if (!ready(h))
		return CLQ_UNAVAILABLE;
	rc = fetch(h, arena, keys, n, items);
	if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_TIMEOUT && h->used) {
		mc_host_close(h);
		if (!ready(h))
			return CLQ_UNAVAILABLE;
		rc = fetch(h, arena, keys, n, items);
	}
	if (rc != MEMCACHED_SUCCESS)
		return fail(h, rc);
	answered(h);
	return CLQ_OK;
}

/* What an answer to a writing command means. */
static enum clq_status
outcome(struct mc_host *h, memcached_return_t rc)
{
	switch (rc) {
	case MEMCACHED_SUCCESS:
	case MEMCACHED_STORED:
	case MEMCACHED_DELETED:
		answered(h);
		return CLQ_OK;
	case MEMCACHED_NOTFOUND:
		answered(h);
		return CLQ_NOT_FOUND;
	case MEMCACHED_NOTSTORED:
	case MEMCACHED_DATA_EXISTS:
		answered(h);
		return CLQ_CONFLICT;
	case MEMCACHED_E2BIG:
	case MEMCACHED_SERVER_ERROR:
	case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
		answered(h);
		return CLQ_INVALID;
	default:		/* libmemcached's enum, not ours */
		return fail(h, rc);
	}
}

enum clq_status
mc_host_store(struct mc_host *h, enum mc_verb verb, struct clq_str key,
    const struct mc_item *item, time_t expires)
{
	memcached_return_t rc = MEMCACHED_FAILURE;
	struct clq_str v = item->value;

	if (!ready(h))
		return CLQ_UNAVAILABLE;
	switch (verb) {
	case MC_SET:
		rc = memcached_set(h->mc, key.p, key.len, v.p, v.len, expires,
		    item->flags);
		break;
	case MC_ADD:
		rc = memcached_add(h->mc, key.p, key.len, v.p, v.len, expires,
		    item->flags);
		break;
	case MC_CAS:
		rc = memcached_cas(h->mc, key.p, key.len, v.p, v.len, expires,
		    item->flags, item->cas);
		break;
	}
	return outcome(h, rc);
}

enum clq_status
mc_host_delete(struct mc_host *h, struct clq_str key)
{
	enum clq_status st;

	if (!ready(h))
		return CLQ_UNAVAILABLE;
	st = outcome(h, memcached_delete(h->mc, key.p, key.len, 0));
	return st == CLQ_NOT_FOUND ? CLQ_OK : st;
}

enum clq_status
mc_host_flush_all(struct mc_host *h)
{
	if (!ready(h))
		return CLQ_UNAVAILABLE;
	return outcome(h, memcached_flush(h->mc, 0));
}

enum clq_status
mc_host_ping(struct mc_host *h, struct clq_arena *arena, bool readonly)
{
	struct clq_str key;
	struct mc_item item, probe = {
		.value = CLQ_STR("true"), .flags = MC_FLAG
	};
	enum clq_status st;

	/* No two probes meet. */
	key = clq_arena_printf(arena, "cliquet-heartbeat-%ld-%u",
	    (long)getpid(), (unsigned)clq_random_below(UINT32_MAX));
	st = mc_host_fetch(h, arena, &key, 1, &item);
	if (st != CLQ_OK || readonly)
		return st;
	st = mc_host_store(h, MC_SET, key, &probe, 60);
	if (st == CLQ_OK)
		st = mc_host_fetch(h, arena, &key, 1, &item);
	if (st == CLQ_OK && !clq_str_eq(item.value, probe.value))
		st = CLQ_UNAVAILABLE;
	if (st == CLQ_OK)
		st = mc_host_delete(h, key);
	return st == CLQ_OK ? CLQ_OK : CLQ_UNAVAILABLE;
}
