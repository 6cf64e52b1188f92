/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache in Redis: one command each (section 11-5.5).
 *
 * Keys begin with a word of their own, so that emptying a cache without a
 * cache_prefix leaves alone what else is in the database.
 */
#include "storage/redis.h"

#include <cliquet/str.h>

/* A thousand years; Redis adds it to the time of day. */
#define FOR_EVER	((clq_msec)1000 * 365 * 24 * 3600 * 1000)

static void
arg_key(struct rd_call *c, struct clq_str key)
{
	rd_arg(c, clq_arena_printf(c->arena, "cliquet.cache:%.*s",
	    CLQ_FMT(key)));
}

static clq_msec
bounded(clq_msec ttl)
{
	return ttl < FOR_EVER ? ttl : FOR_EVER;
}

static enum clq_status
connected(void *self)
{
	struct rd_db *db = rd_self(self);

	db->doomed = CLQ_OK;
	return rd_connect(db);
}

/* The failure of a command, as callers of a cache know it. */
static enum clq_status
result(struct rd_db *db, bool found)
{
	enum clq_status status = db->doomed;

	db->doomed = CLQ_OK;
	if (status != CLQ_OK)
		return CLQ_UNAVAILABLE;
	return found ? CLQ_OK : CLQ_NOT_FOUND;
}

/* get and take: the text of the command's reply. */
static enum clq_status
text_reply(struct rd_db *db, const redisReply *r, struct clq_str *value)
{
	struct clq_str found = rd_text(r);

	if (found.p != NULL)
		*value = found;
	return result(db, found.p != NULL);
}

static enum clq_status
get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	struct rd_db *db = rd_self(self);
	struct rd_call c;

	if (connected(self) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	rd_call(&c, arena, "GET");
	arg_key(&c, key);
	return text_reply(db, rd_ask(db, &c), value);
}

static enum clq_status
take(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	struct rd_db *db = rd_self(self);
	struct rd_call c;

	if (connected(self) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	rd_script(&c, arena, db, RD_TAKE);
	arg_key(&c, key);
	return text_reply(db, rd_ask_script(db, &c, RD_TAKE), value);
}

static enum clq_status
set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	struct rd_db *db = rd_self(self);
	struct clq_arena *arena;
	struct rd_call c;

	if (connected(self) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	arena = clq_arena_new();
	rd_call(&c, arena, "PSETEX");
	arg_key(&c, key);
	rd_arg_int(&c, bounded(ttl));
	rd_arg(&c, value);
	(void)rd_ask(db, &c);
	clq_arena_free(&arena);
	return result(db, true);
}

/* A command on a key, and a number if there is one, whose reply is a number;
 * -1: there is no such key. */
static enum clq_status
ask_number(void *self, const char *command, struct clq_str key,
    const int64_t *argument, int64_t *out)
{
	struct rd_db *db = rd_self(self);
	struct clq_arena *arena;
	struct rd_call c;
	redisReply *r;

	if (connected(self) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	arena = clq_arena_new();
	rd_call(&c, arena, command);
	arg_key(&c, key);
	if (argument != NULL)
		rd_arg_int(&c, *argument);
	r = rd_ask(db, &c);
	*out = r != NULL && r->type == REDIS_REPLY_INTEGER ? r->integer : -1;
	clq_arena_free(&arena);
	return result(db, true);
}

static enum clq_status
ttl_(void *self, struct clq_str key, clq_msec *left)
{
	int64_t n;
	enum clq_status status = ask_number(self, "PTTL", key, NULL, &n);

	if (status != CLQ_OK)
		return status;
	if (n < 0)
		return CLQ_NOT_FOUND;
	*left = n;
	return CLQ_OK;
}

static enum clq_status
expire(void *self, struct clq_str key, clq_msec ttl)
{
	int64_t done, in = bounded(ttl);
	enum clq_status status = ask_number(self, "PEXPIRE", key, &in, &done);

	return status == CLQ_OK && done != 1 ? CLQ_NOT_FOUND : status;
}

/* A prefix as a pattern that means just itself. */
static struct clq_str
pattern(struct clq_arena *arena, struct clq_str prefix)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, prefix.len + 32);
	clq_buf_adds(&b, "cliquet.cache:");
	for (size_t i = 0; i < prefix.len; i++) {
		if (strchr("*?[]\\^", prefix.p[i]) != NULL)
			clq_buf_addc(&b, '\\');
		clq_buf_addc(&b, prefix.p[i]);
	}
	clq_buf_addc(&b, '*');
	return clq_buf_str(&b);
}

/* One step of SCAN, and away with what it found. Returns the next cursor. */
static struct clq_str
flush_step(struct rd_db *db, struct clq_arena *arena, struct clq_str cursor,
    struct clq_str match)
{
	struct rd_call c, gone;
	redisReply *r;
	size_t i;

	rd_call(&c, arena, "SCAN");
	rd_arg(&c, cursor);
	rd_arg(&c, CLQ_STR("MATCH"));
	rd_arg(&c, match);
	rd_arg(&c, CLQ_STR("COUNT"));
	rd_arg(&c, CLQ_STR("1000"));
	r = rd_ask(db, &c);
	if (r == NULL || r->elements != 2)
		return CLQ_STR("0");
	rd_call(&gone, arena, "DEL");
	for (i = 0; i < r->element[1]->elements; i++)
		rd_arg(&gone, rd_text(r->element[1]->element[i]));
	if (gone.n > 1)
		(void)rd_ask(db, &gone);
	return rd_text(r->element[0]);
}

static enum clq_status
flush(void *self, struct clq_str prefix)
{
	struct rd_db *db = rd_self(self);
	struct clq_arena *arena;
	struct clq_str cursor = CLQ_STR("0"), match;

	if (connected(self) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	arena = clq_arena_new();
	match = pattern(arena, prefix);
	do
		cursor = flush_step(db, arena, cursor, match);
	while (db->doomed == CLQ_OK && !clq_str_is(cursor, "0"));
	clq_arena_free(&arena);
	return result(db, true);
}

const struct clq_cache_ops rd_cache_ops = {
	.size	= sizeof rd_cache_ops,
	.get	= get,
	.set	= set,
	.take	= take,
	.ttl	= ttl_,
	.expire	= expire,
	.flush	= flush,
};
