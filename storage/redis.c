/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.so: objects, permissions and a cache in Redis, for small data that
 * fits in its memory (section 11-5.5).
 *
 * Here are the descriptor and the life of an instance; redis.h says which part
 * does what, docs/redis.md what is kept where.
 */
#include "storage/redis.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct rd_db *
rd_self(void *self)
{
	struct rd_db *db = self;

	assert(db->magic == RD_MAGIC);
	return db;
}

static enum clq_status
open_(void *self)
{
	struct rd_db *db = rd_self(self);

	if (db->conn != NULL && db->pid != getpid())
		rd_disconnect(db);
	/* Said if it fails; the first request tries again. */
	(void)(rd_connect(db) == CLQ_OK);
	return CLQ_OK;
}

static void
close_(void *self)
{
	struct rd_db *db = rd_self(self);

	rd_disconnect(db);
	clq_arena_free(&db->tx_arena);
	clq_arena_free(&db->arena);
	db->magic = 0;
	free(db);
}

/* Write a key that nothing else looks at and that goes by itself, and read it;
 * another worker's beat may come between. */
static struct clq_str
beat(struct rd_db *db, struct clq_arena *arena, bool readonly)
{
	struct clq_str now = clq_arena_printf(arena, "%lld",
	    (long long)clq_now());
	struct rd_call c;

	if (readonly) {
		rd_call(&c, arena, "ECHO");
		rd_arg(&c, now);
		return rd_text(rd_ask(db, &c));
	}
	rd_call(&c, arena, "SETEX");
	rd_arg(&c, CLQ_STR("cliquet.heartbeat"));
	rd_arg_int(&c, 60);
	rd_arg(&c, now);
	(void)rd_ask(db, &c);
	rd_call(&c, arena, "GET");
	rd_arg(&c, CLQ_STR("cliquet.heartbeat"));
	return rd_text(rd_ask(db, &c));
}

static enum clq_status
ping(void *self, bool readonly, clq_msec timeout)
{
	struct rd_db *db = rd_self(self);
	struct clq_arena *arena = clq_arena_new();
	clq_msec usual = db->timeout;

	db->doomed = CLQ_OK;
	if (timeout < usual && !rd_set_timeout(db, timeout))
		rd_disconnect(db);
	if (rd_connect(db) == CLQ_OK && beat(db, arena, readonly).len == 0 &&
	    db->doomed == CLQ_OK)
		db->doomed = CLQ_UNAVAILABLE;
	if (!rd_set_timeout(db, usual))
		rd_disconnect(db);
	clq_arena_free(&arena);
	return db->doomed;
}

static const struct clq_backend_ops backend = {
	.size		= sizeof backend,
	.configure	= rd_configure,
	.open		= open_,
	.ping		= ping,
	.close		= close_,
	.begin		= rd_begin,
	.finish		= rd_finish,
	.savepoint	= rd_savepoint,
	.rollback	= rd_rollback,
	.release	= rd_release,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name		= "redis",
	.version	= "1",
	.backend	= &backend,
	.storage	= &rd_storage_ops,
	.permission	= &rd_permission_ops,
	.cache		= &rd_cache_ops,
};
