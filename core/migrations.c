/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Migrations of applications (section 11-6), by `cliquet migrate`.
 *
 * The version that an application's data have is an object of its own in the
 * storage, written in the transaction of the step that brought it about: a step
 * is done and counted, or neither. No backend need know of it.
 */
#include "migrations.h"

#include <cliquet/log.h>

#include "dispatch.h"
#include "events.h"
#include "request.h"
#include "server.h"
#include "tx.h"

/* No client can reach it: there is no such resource. */
#define RESOURCE	CLQ_STR(".migration")

enum clq_status
clq_add_migration(struct clq_server *srv, const struct clq_migration *m)
{
	struct clq_migrations *all = srv->migrations;

	if (m->name == NULL || m->name[0] == '\0' || m->version < 1 ||
	    m->step == NULL) {
		clq_log_err("migration %s: it needs a name, a version from 1 "
		    "on and a step", m->name != NULL ? m->name : "?");
		return CLQ_INVALID;
	}
	if (all == NULL)
		all = srv->migrations = clq_arena_alloc(srv->arena,
		    sizeof *all);
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->list[i]->name, m->name) == 0) {
			clq_log_err("migration %s: there is one of that name "
			    "already", m->name);
			return CLQ_INVALID;
		}
	all->list = clq_arena_grow(srv->arena, all->list,
	    all->n * sizeof *all->list, (all->n + 1) * sizeof *all->list);
	all->list[all->n++] = m;
	return CLQ_OK;
}

/* ---- one step ----------------------------------------------------------- */

/* A request of nobody's, with the operator's rights. */
static struct clq_request *
request_new(struct clq_server *srv, struct clq_arena *arena)
{
	struct clq_request *req = clq_request_new(srv, arena);

	req->method = CLQ_METHOD_POST;
	req->method_name = CLQ_STR("POST");
	req->path = srv->prefix;
	req->trusted = true;
	req->tx = clq_arena_alloc(arena, sizeof *req->tx);
	clq_events_reset(req);
	return req;
}

static enum clq_status
stored_version(struct clq_request *req, const char *name, int64_t *out)
{
	struct clq_want want = {
		.coll = { RESOURCE, CLQ_STR("") }, .id = clq_str_of(name),
	};
	struct clq_lookup l = { .wants = &want, .nwants = 1 };
	enum clq_status rc;
	struct clq_str why;
	cJSON *tree;

	*out = 0;
	if ((rc = clq_lookup(req, &l)) != CLQ_OK || !want.found)
		return rc;
	if (clq_json_parse(req->arena, want.object.data, &tree, &why) !=
	    CLQ_OK || !clq_json_int(clq_json_get(tree, "version"), out)) {
		clq_log_err("migration %s: the stored version cannot be read",
		    name);
		return CLQ_FAILED;
	}
	return CLQ_OK;
}

static enum clq_status
store_version(struct clq_request *req, const char *name, int64_t version)
{
	struct clq_write write = {
		.op = CLQ_WRITE_UPDATE, .coll = { RESOURCE, CLQ_STR("") },
		.id = clq_str_of(name),
		.data = clq_arena_printf(req->arena, "{\"version\":%lld}",
		    (long long)version),
	};
	const struct clq_storage_ops *storage;
	enum clq_status rc;
	void *self;

	if ((storage = clq_storage(req, &self)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->write(self, &write, 1)) != CLQ_OK ||
	    (rc = storage->sync(self)) != CLQ_OK)
		return rc;
	return write.status;
}

/*
 * The next step, if one is missing: version is what is stored then. CLQ_DONE:
 * nothing was missing.
 */
static enum clq_status
step(struct clq_server *srv, const struct clq_migration *m, bool dry_run,
    int64_t *version)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_request *req = request_new(srv, arena);
	enum clq_status rc = clq_tx_open(req, dry_run ? CLQ_TX_READ :
	    CLQ_TX_WRITE);

	if (rc == CLQ_OK)
		rc = stored_version(req, m->name, version);
	if (rc == CLQ_OK && (dry_run || *version >= m->version))
		rc = CLQ_DONE;
	if (rc == CLQ_OK &&
	    (rc = m->step(req, *version + 1, m->ctx)) == CLQ_OK &&
	    (rc = store_version(req, m->name, *version + 1)) == CLQ_OK)
		rc = clq_tx_finish(req, true);
	else
		(void)clq_tx_finish(req, false);
	if (rc == CLQ_OK)
		(*version)++;
	clq_arena_free(&arena);
	return rc;
}

/* ---- all of them --------------------------------------------------------- */

static void CLQ_PRINTF(3, 4)
tell(struct clq_server *srv, void (*say)(const char *line), const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(clq_arena_vprintf(srv->arena, fmt, ap).p);
	va_end(ap);
}

static enum clq_status
run_one(struct clq_server *srv, const struct clq_migration *m, bool dry_run,
    void (*say)(const char *line))
{
	int64_t version = 0;
	enum clq_status rc;

	while ((rc = step(srv, m, dry_run, &version)) == CLQ_OK)
		tell(srv, say, "%s: brought to version %lld", m->name,
		    (long long)version);
	if (rc != CLQ_DONE) {
		clq_log_err("%s: the step to version %lld did not succeed and "
		    "is undone; what was said above tells why", m->name,
		    (long long)version + 1);
		return rc;
	}
	if (version < m->version)
		tell(srv, say, "%s: would be brought from version %lld to "
		    "%lld", m->name, (long long)version,
		    (long long)m->version);
	else if (version > m->version)
		clq_log_warn("%s: what is stored is of version %lld, of which "
		    "this plugin (%lld) knows nothing; use a newer one",
		    m->name, (long long)version, (long long)m->version);
	else
		tell(srv, say, "%s: version %lld is up to date", m->name,
		    (long long)version);
	return CLQ_OK;
}

enum clq_status
clq_migrations_run(struct clq_server *srv, bool dry_run,
    void (*say)(const char *line))
{
	const struct clq_migrations *all = srv->migrations;
	enum clq_status rc = CLQ_OK, one;

	for (size_t i = 0; all != NULL && i < all->n; i++)
		if ((one = run_one(srv, all->list[i], dry_run, say)) != CLQ_OK)
			rc = one;
	return rc;
}
