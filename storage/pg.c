/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgresql.so: objects and permissions in the tables of a Kinto database,
 * on one connection and in one transaction; and a cache on another.
 *
 * Here is the descriptor; pg.h says which part does what.
 */
#include "storage/pg.h"

#include <assert.h>

struct pg_db *
pg_self(void *self)
{
	struct pg_db *db = self;

	assert(db->magic == PG_MAGIC);
	return db;
}

static const struct clq_backend_ops backend = {
	.size		= sizeof backend,
	.configure	= pg_configure,
	.open		= pg_open,
	.ping		= pg_ping,
	.close		= pg_close,
	.begin		= pg_begin,
	.finish		= pg_finish,
	.savepoint	= pg_savepoint,
	.rollback	= pg_rollback,
	.release	= pg_release,
	.migrate	= pg_migrate,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD,
	.name		= "postgresql",
	.version	= "schema 26",
	.backend	= &backend,
	.storage	= &pg_storage_ops,
	.permission	= &pg_permission_ops,
	.cache		= &pg_cache_ops,
};
