/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that work on what the backends store: migrate, flush-cache,
 * purge-deleted.
 *
 * They build the server as its master would and then act as a worker: one
 * process, one connection. The service may be running meanwhile; writers take
 * turns as those of two workers do.
 */
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cache.h"
#include "cli.h"
#include "migrations.h"
#include "resource.h"
#include "server.h"

#include <inttypes.h>
#include <string.h>

#define RESTART	"restart the server to empty it"

bool
cli_out_of_reach(const struct clq_plugin *plugin, const char *remedy)
{
	if (strcmp(plugin->name, "memory") != 0)
		return false;
	clq_log_err("memory is inside the running server, out of reach; %s",
	    remedy);
	return true;
}

/* ---- migrate ----------------------------------------------------------- */

static void
say_step(const char *line)
{
	printf("%s\n", line);
}

static void
say_nothing(const char *line)
{
	(void)line;
}

static bool
migrate_one(const struct cli *cli, const char *what,
    const struct clq_plugin *plugin, void *self)
{
	const struct clq_backend_ops *ops;
	enum clq_status rc;

	if (plugin == NULL)
		return true;
	ops = plugin->backend;
	if (!CLQ_HAS(ops, migrate)) {
		cli_say(cli, "%s: %s needs no migration", what, plugin->name);
		return true;
	}
	rc = ops->migrate(self, cli->dry_run, cli->quiet ? say_nothing :
	    say_step);
	if (rc != CLQ_OK) {
		clq_log_err("%s: the migration of %s did not succeed; what "
		    "was said above tells why", what, plugin->name);
		return false;
	}
	cli_say(cli, "%s: %s is %s", what, plugin->name,
	    cli->dry_run ? "unchanged (dry run)" : "up to date");
	return true;
}

/* What applications store; after the backends, which it needs. */
static bool
migrate_applications(const struct cli *cli, struct clq_server *srv)
{
	if (srv->migrations == NULL)
		return true;
	if (srv->storage.ops == NULL ||
	    strcmp(srv->storage.plugin->name, "memory") == 0)
		return true;		/* nothing stays */
	if (clq_server_open(srv) != CLQ_OK) {
		clq_log_err("the backends cannot be opened; see above");
		return false;
	}
	return clq_migrations_run(srv, cli->dry_run, cli->quiet ?
	    say_nothing : say_step) == CLQ_OK;
}

int
cli_migrate(const struct cli *cli)
{
	struct clq_server *srv = cli_server(cli);
	bool good = true;

	if (srv == NULL)
		return CLI_FAILED;
	if (srv->readonly) {
		clq_log_warn("%s: readonly: storage and permission are left "
		    "alone; run migrate with readonly = false", cli->ini);
	} else {
		good = migrate_one(cli, "storage", srv->storage.plugin,
		    srv->storage.self) && cli_migrate_indexes(cli, srv);
		if (srv->permission.self != srv->storage.self)
			good = migrate_one(cli, "permission",
			    srv->permission.plugin, srv->permission.self) &&
			    good;
	}
	good = migrate_one(cli, "cache", srv->cache_plugin,
	    srv->cache.self) && good;
	if (good && !srv->readonly)
		good = migrate_applications(cli, srv);
	clq_server_free(&srv);
	return good ? CLI_OK : CLI_FAILED;
}

/* ---- flush-cache ------------------------------------------------------- */

int
cli_flush_cache(const struct cli *cli)
{
	struct clq_server *srv = cli_server(cli);
	int rc = CLI_FAILED;

	if (srv == NULL)
		return CLI_FAILED;
	if (srv->cache.ops == NULL) {
		clq_log_err("%s: there is no cache; set cache_backend",
		    cli->ini);
	} else if (cli_out_of_reach(srv->cache_plugin, RESTART)) {
		rc = CLI_FAILED;
	} else if (clq_server_open(srv) != CLQ_OK ||
	    clq_cached_flush(&srv->cache, srv->arena) != CLQ_OK) {
		clq_log_err("the cache (%s) cannot be reached; see above",
		    srv->cache_plugin->name);
	} else {
		cli_say(cli, "the cache is empty");
		rc = CLI_OK;
	}
	clq_server_free(&srv);
	return rc;
}

/* ---- purge-deleted ----------------------------------------------------- */

/* The names that the application gave its resources; others are mistakes. */
static bool
known_resources(const struct cli *cli, const struct clq_server *srv)
{
	struct clq_buf names;
	bool good = true, known;

	clq_buf_init(&names, srv->arena, 0);
	for (size_t j = 0; j < srv->nresources; j++)
		clq_buf_printf(&names, "%s%s", j > 0 ? ", " : "",
		    srv->resources[j].decl->name);
	for (int i = 0; i < cli->noperands - 1; i++) {
		known = false;
		for (size_t j = 0; j < srv->nresources; j++)
			known = known || strcmp(cli->operands[i],
			    srv->resources[j].decl->name) == 0;
		if (known)
			continue;
		good = false;
		clq_log_err("purge-deleted: there is no resource '%s'; the "
		    "application has: %.*s", cli->operands[i],
		    CLQ_FMT(clq_buf_str(&names)));
	}
	return good;
}

/* All resources in one transaction: all or nothing. */
static bool
purge(const struct cli *cli, struct clq_server *srv, int64_t retained)
{
	const struct clq_backend_ops *tx = srv->storage.plugin->backend;
	void *self = srv->storage.self;
	enum clq_status rc;
	int64_t n, total = 0;
	int i;

	if ((rc = tx->begin(self, CLQ_TX_WRITE)) != CLQ_OK)
		goto out;
	for (i = 0; rc == CLQ_OK && i < cli->noperands - 1; i++) {
		n = 0;
		rc = srv->storage.ops->purge(self,
		    clq_str_of(cli->operands[i]), 0, retained, &n);
		total += n;
	}
	if (rc == CLQ_OK)
		rc = tx->finish(self, true);
	else
		(void)(tx->finish(self, false) == CLQ_OK);
out:	if (rc != CLQ_OK) {
		clq_log_err("nothing was purged: the storage (%s) refused; "
		    "see above", srv->storage.plugin->name);
		return false;
	}
	cli_say(cli, "%" PRId64 " tombstones purged", total);
	return true;
}

int
cli_purge_deleted(const struct cli *cli)
{
	const char *last = cli->operands[cli->noperands - 1];
	struct clq_server *srv;
	bool good = false;
	int64_t retained;

	if (!clq_str_int(clq_str_of(last), &retained) || retained < 0) {
		clq_log_err("purge-deleted: '%s' is no number; end with how "
		    "many tombstones of each list to keep", last);
		return CLI_USAGE;
	}
	if ((srv = cli_server(cli)) == NULL)
		return CLI_FAILED;
	if (srv->readonly)
		clq_log_err("%s: readonly: nothing can be purged; set "
		    "readonly = false", cli->ini);
	else if (srv->storage.ops == NULL)
		clq_log_err("%s: there is no storage; set storage_backend",
		    cli->ini);
	else if (!known_resources(cli, srv) ||
	    cli_out_of_reach(srv->storage.plugin, RESTART))
		good = false;
	else if (clq_server_open(srv) != CLQ_OK)
		clq_log_err("the storage (%s) cannot be opened; see above",
		    srv->storage.plugin->name);
	else
		good = purge(cli, srv, retained);
	clq_server_free(&srv);
	return good ? CLI_OK : CLI_FAILED;
}
