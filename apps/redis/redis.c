/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener `redis` (section 07-11.1): the payload of each event is pushed
 * onto a list of a Redis server.
 *
 * Events come from the outbox, in a process of its own, which keeps one
 * connection: the Python original's pool_size is taken and means nothing. What
 * the server does not acknowledge is pushed again.
 */
#include <cliquet/app.h>
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "storage/redis_address.h"

struct pusher {
	struct redis_address	 address;
	struct clq_str		 list;
	int64_t			 timeout;	/* seconds */
	redisContext		*conn;
};

static const struct clq_setting options[] = {
	{ "url", CLQ_SET_STR, "redis://localhost:6379/0", 0, 0, NULL,
	  "Where Redis is: redis://[[user]:password@]host[:port][/number] or "
	  "unix:///path[?db=number]." },
	{ "listname", CLQ_SET_STR, "cliquet.events", 0, 0, NULL,
	  "The list that events are pushed onto." },
	{ "pool_size", CLQ_SET_INT, "25", 1, 10000, "connections",
	  "No effect: there is one connection." },
	{ "timeout_seconds", CLQ_SET_INT, "5", 1, 60, "seconds",
	  "How long Redis may take to connect or to answer." },
};

static enum clq_status
configure(struct clq_server *srv, const char *listener, const char *prefix,
    void **ctx)
{
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_settings *s = clq_server_settings(srv);
	struct pusher *p = clq_arena_alloc(arena, sizeof *p);
	const struct clq_setting *t;

	(void)listener;
	t = clq_settings_declare_below(s, prefix, options,
	    CLQ_COUNT(options));
	if (t == NULL)
		return CLQ_INVALID;
	p->list = clq_settings_str(s, t[1].key);
	p->timeout = clq_settings_int(s, t[3].key, 5);
	if (p->list.len == 0)
		return clq_settings_error(s, t[1].key, "is empty; it is the "
		    "name of a list");
	if (!redis_address(arena, clq_settings_str(s, t[0].key), &p->address))
		return clq_settings_error(s, t[0].key, "is no URL of Redis: "
		    "redis://[[user]:password@]host[:port][/number] or "
		    "unix:///path[?db=number]; TLS is not spoken");
	*ctx = p;
	return CLQ_OK;
}

/* NULL (with *why) if there was no good answer; the connection is gone then,
 * unless the server only refused the command. */
static redisReply *
ask(struct pusher *p, struct clq_delivery *d, int argc, const char **argv,
    const size_t *lengths)
{
	redisReply *r = redisCommandArgv(p->conn, argc, argv, lengths);

	if (r != NULL && r->type != REDIS_REPLY_ERROR)
		return r;
	d->why = clq_arena_printf(d->arena, "redis: %s", r != NULL ? r->str :
	    p->conn->errstr);
	if (r == NULL) {
		redisFree(p->conn);
		p->conn = NULL;
	}
	freeReplyObject(r);
	return NULL;
}

static bool
session(struct pusher *p, struct clq_delivery *d)
{
	const struct redis_address *a = &p->address;
	const char *auth[3] = { "AUTH" }, *select[2] = { "SELECT" };
	char number[24];
	redisReply *r;
	int n = 1;

	if (a->password != NULL) {
		if (a->user != NULL)
			auth[n++] = a->user;
		auth[n++] = a->password;
		if ((r = ask(p, d, n, auth, NULL)) == NULL)
			return false;
		freeReplyObject(r);
	}
	snprintf(number, sizeof number, "%lld", (long long)a->number);
	select[1] = number;
	if ((r = ask(p, d, 2, select, NULL)) == NULL)
		return false;
	freeReplyObject(r);
	return true;
}

static bool
connect_to(struct pusher *p, struct clq_delivery *d)
{
	const struct timeval t = { .tv_sec = p->timeout };

	if (p->conn != NULL)
		return true;
	p->conn = p->address.path != NULL ? redisConnectUnixWithTimeout(
	    p->address.path, t) : redisConnectWithTimeout(p->address.host,
	    p->address.port, t);
	if (p->conn == NULL || p->conn->err != 0)
		d->why = clq_arena_printf(d->arena, "redis: %s",
		    p->conn != NULL ? p->conn->errstr : "out of memory");
	else if (redisSetTimeout(p->conn, t) == REDIS_OK && session(p, d))
		return true;
	if (p->conn != NULL)
		redisFree(p->conn);
	p->conn = NULL;
	return false;
}

static enum clq_status
deliver(struct clq_delivery *d, void *ctx)
{
	struct pusher *p = ctx;
	const char *argv[] = { "LPUSH", p->list.p, d->payload.p };
	const size_t lengths[] = { 5, p->list.len, d->payload.len };
	redisReply *r;

	if (!connect_to(p, d))
		return CLQ_UNAVAILABLE;
	if ((r = ask(p, d, 3, argv, lengths)) == NULL)
		return CLQ_UNAVAILABLE;
	freeReplyObject(r);
	return CLQ_OK;
}

static const char *const aliases[] = { "cliquet.listeners.redis",
	"kinto_redis.listeners", NULL };
static const struct clq_listener_kind kind = {
	.size		= sizeof kind,
	.name		= "redis",
	.aliases	= aliases,
	.configure	= configure,
	.deliver	= deliver,
	.flags		= CLQ_LISTENER_BRIEF,
};

static enum clq_status
setup(struct clq_server *srv)
{
	return clq_add_listener_kind(srv, &kind);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };
const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "redis", .version = "1", .app = &app,
};
