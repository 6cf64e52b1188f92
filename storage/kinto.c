/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinto.so: objects in a remote Kinto, or in another cliquet, over HTTP
 * (section 11-5.6). No permissions: lists that belong to a user.
 *
 * Here are the descriptor and the life of an instance; kinto.h says which part
 * does what.
 */
#include "storage/kinto.h"

#include <cliquet/log.h>

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct kr *
kr_self(void *self)
{
	struct kr *k = self;

	assert(k->magic == KR_MAGIC);
	return k;
}

/* The first request connects. */
static enum clq_status
open_(void *self)
{
	kr_hang_up(kr_self(self));
	return CLQ_OK;
}

static void
close_(void *self)
{
	struct kr *k = kr_self(self);

	kr_hang_up(k);
	clq_arena_free(&k->tx);
	clq_arena_free(&k->arena);
	k->magic = 0;
	free(k);
}

/* Its own heartbeat looks at its own backends. */
static enum clq_status
ping(void *self, bool readonly, clq_msec timeout)
{
	struct kr *k = kr_self(self);
	struct clq_arena *arena = clq_arena_new();
	struct kr_call call = {
		.method = "GET", .path = CLQ_STR("/__heartbeat__"),
		.limit = timeout, .login = CLQ_STR(""),
	};
	enum clq_status rc;

	(void)readonly;
	rc = kr_ask(k, arena, &call);
	if (rc == CLQ_OK && call.status != 200)
		rc = CLQ_UNAVAILABLE;
	clq_arena_free(&arena);
	return rc;
}

static void
on_behalf(void *self, struct clq_request *req)
{
	kr_self(self)->req = req;
}

static const struct clq_backend_ops backend = {
	.size		= sizeof backend,
	.configure	= kr_configure,
	.open		= open_,
	.ping		= ping,
	.close		= close_,
	.begin		= kr_begin,
	.finish		= kr_finish,
	.savepoint	= kr_savepoint,
	.rollback	= kr_rollback,
	.release	= kr_release,
	.on_behalf	= on_behalf,
};

static const struct clq_storage_ops storage = {
	.size		= sizeof storage,
	.lookup		= kr_lookup,
	.timestamp	= kr_timestamp,
	.write		= kr_write,
	.sync		= kr_sync,
	.list		= kr_list,
	.count		= kr_count,
	.delete_all	= kr_delete_all,
	.erase		= kr_erase,
	.purge		= kr_purge,
	.trim		= kr_trim,
	.totals		= kr_totals,
	.flush		= kr_flush,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name		= "kinto",
	.version	= "1",
	.backend	= &backend,
	.storage	= &storage,
};
