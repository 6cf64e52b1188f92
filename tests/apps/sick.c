/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache for tests of the master: it cannot be opened while the file that
 * cache_url names is there. It keeps nothing.
 */
#include <cliquet/cliquet.h>

#include <unistd.h>

static const char *path;	/* lives as long as the settings */

static enum clq_status
sick_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	(void)prefix;
	path = clq_settings_cstr(settings, "cache_url");
	*self = &path;
	return CLQ_OK;
}

static enum clq_status
sick_open(void *self)
{
	(void)self;
	if (path != NULL && access(path, F_OK) == 0) {
		clq_log_err("sick: not today");
		return CLQ_FAILED;
	}
	return CLQ_OK;
}

static enum clq_status
sick_ping(void *self, bool readonly, clq_msec timeout)
{
	(void)self;
	(void)readonly;
	(void)timeout;
	return CLQ_OK;
}

static void
sick_close(void *self)
{
	(void)self;
}

static enum clq_status
sick_get(void *self, struct clq_arena *arena, struct clq_str key,
    struct clq_str *value)
{
	(void)self;
	(void)arena;
	(void)key;
	(void)value;
	return CLQ_NOT_FOUND;
}

static enum clq_status
sick_set(void *self, struct clq_str key, struct clq_str value, clq_msec ttl)
{
	(void)self;
	(void)key;
	(void)value;
	(void)ttl;
	return CLQ_OK;
}

static enum clq_status
sick_ttl(void *self, struct clq_str key, clq_msec *left)
{
	(void)self;
	(void)key;
	(void)left;
	return CLQ_NOT_FOUND;
}

static enum clq_status
sick_expire(void *self, struct clq_str key, clq_msec ttl)
{
	(void)self;
	(void)key;
	(void)ttl;
	return CLQ_NOT_FOUND;
}

static enum clq_status
sick_flush(void *self, struct clq_str prefix)
{
	(void)self;
	(void)prefix;
	return CLQ_OK;
}

static const struct clq_backend_ops backend = {
	.size = sizeof backend, .configure = sick_configure,
	.open = sick_open, .ping = sick_ping, .close = sick_close,
};

static const struct clq_cache_ops cache = {
	.size = sizeof cache, .get = sick_get, .set = sick_set,
	.take = sick_get, .ttl = sick_ttl, .expire = sick_expire,
	.flush = sick_flush,
};

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "sick", .version = "1",
	.backend = &backend, .cache = &cache,
};
