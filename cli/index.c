/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet index add|list|drop`, and the setting storage_indexes, which
 * `cliquet migrate` makes true: indexes that filters and sorts on one field of
 * one collection use (docs/indexes.md).
 *
 * The service may be running. Results are the same with and without an index,
 * so nothing has to be restarted; which indexes there are is known to the
 * database, not to the configuration.
 */
#include <cliquet/app.h>
#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include "cli.h"
#include "server.h"

#include <inttypes.h>
#include <string.h>

enum {
	MAX_FIELD	= 255,		/* bytes */
	MAX_NAMES	= 3		/* of a path, between dots */
};

#define BUCKETS		"/buckets/"
#define COLLECTIONS	"/collections/"

/* ---- what is meant ----------------------------------------------------- */

/* "BUCKET/COLLECTION" as a list of records. */
static bool
parse_collection(struct clq_arena *arena, struct clq_str text,
    struct clq_coll *coll)
{
	size_t slash = clq_str_find(text, '/', 0);
	struct clq_str bucket = clq_str_sub(text, 0, slash), name;

	name = slash < text.len ? clq_str_sub(text, slash + 1, text.len) :
	    CLQ_STR("");
	if (!clq_id_relaxed.valid(bucket) || !clq_id_relaxed.valid(name)) {
		clq_log_err("'%.*s' is no collection: write "
		    "BUCKET/COLLECTION, each with its id", CLQ_FMT(text));
		return false;
	}
	coll->resource = CLQ_STR("record");
	coll->parent = clq_arena_printf(arena, BUCKETS "%.*s" COLLECTIONS
	    "%.*s", CLQ_FMT(bucket), CLQ_FMT(name));
	return true;
}

/* NULL, or why a field can have no index. */
static const char *
objection(struct clq_str field)
{
	size_t i, names = 1;

	if (field.len == 0 || field.len > MAX_FIELD || !clq_utf8_valid(field))
		return "a field's name is UTF-8 of 1 to 255 bytes";
	for (i = 0; i < field.len; i++) {
		if ((unsigned char)field.p[i] < ' ' || field.p[i] == 0x7f)
			return "control characters are not for names";
		names += field.p[i] == '.';
	}
	if (names > MAX_NAMES)
		return "a path has three names at most";
	if (clq_str_is(field, "id") || clq_str_is(field, "last_modified"))
		return "it has an index in every collection";
	return clq_str_is(field, "deleted") ?
	    "no record has it, only a tombstone" : NULL;
}

static bool
check_field(struct clq_str field)
{
	const char *why = objection(field);

	if (why != NULL)
		clq_log_err("'%.*s' cannot have an index: %s", CLQ_FMT(field),
		    why);
	return why == NULL;
}

/* Storage that can be given indexes; else it is said why not. */
static bool
usable(const struct cli *cli, const struct clq_server *srv, bool write)
{
	const struct clq_storage_ops *ops = srv->storage.ops;

	if (ops == NULL)
		clq_log_err("%s: there is no storage; set storage_backend",
		    cli->ini);
	else if (cli_out_of_reach(srv->storage.plugin, "indexes are for "
	    "databases that stay"))
		return false;
	else if (!CLQ_HAS(ops, index_add) || !CLQ_HAS(ops, index_drop) ||
	    !CLQ_HAS(ops, index_list))
		clq_log_err("%s: the storage plugin '%s' offers no indexes",
		    cli->ini, srv->storage.plugin->name);
	else if (write && srv->readonly)
		clq_log_err("%s: readonly: indexes are left alone; set "
		    "readonly = false", cli->ini);
	else
		return true;
	return false;
}

/* ---- list -------------------------------------------------------------- */

/* The collection as it was given, or resource and parent of other lists. */
static struct clq_str
label(struct clq_arena *arena, const struct clq_coll *coll)
{
	struct clq_str rest = coll->parent;
	size_t at = clq_str_search(rest, CLQ_STR(COLLECTIONS));

	if (clq_str_is(coll->resource, "record") &&
	    clq_str_starts(rest, BUCKETS) && at < rest.len)
		return clq_arena_printf(arena, "%.*s/%.*s",
		    CLQ_FMT(clq_str_sub(rest, strlen(BUCKETS), at)),
		    CLQ_FMT(clq_str_sub(rest, at + strlen(COLLECTIONS),
		    rest.len)));
	return clq_arena_printf(arena, "%.*s:%.*s", CLQ_FMT(coll->resource),
	    CLQ_FMT(coll->parent));
}

static struct clq_str
size_text(struct clq_arena *arena, int64_t bytes)
{
	if (bytes < 0)
		return CLQ_STR("-");
	return clq_arena_printf(arena, "%" PRId64 " KiB",
	    (bytes + 1023) / 1024);
}

static enum clq_status
list(const struct cli *cli, struct clq_server *srv)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_index *items = NULL, *x;
	enum clq_status status;
	size_t n = 0;

	status = srv->storage.ops->index_list(srv->storage.self, arena,
	    &items, &n);
	for (x = items; status == CLQ_OK && x < items + n; x++)
		printf("%-32.*s %-24.*s %12.*s  %s\n",
		    CLQ_FMT(label(arena, &x->coll)), CLQ_FMT(x->field),
		    CLQ_FMT(size_text(arena, x->bytes)),
		    x->ready ? "ready" : "not ready: add it again");
	if (status == CLQ_OK && n == 0)
		cli_say(cli, "there are no indexes");
	clq_arena_free(&arena);
	return status;
}

/* ---- add, drop --------------------------------------------------------- */

static enum clq_status
change(const struct cli *cli, struct clq_server *srv, bool add,
    struct clq_str collection, struct clq_str field)
{
	const struct clq_storage_ops *ops = srv->storage.ops;
	struct clq_arena *arena = clq_arena_new();
	enum clq_status status = CLQ_INVALID;
	struct clq_coll coll;

	if (parse_collection(arena, collection, &coll) &&
	    check_field(field)) {
		status = (add ? ops->index_add : ops->index_drop)
		    (srv->storage.self, &coll, field);
		if (status == CLQ_OK)
			cli_say(cli, "%.*s: %s %.*s", CLQ_FMT(collection),
			    add ? "there is an index on" :
			    "there is no index on", CLQ_FMT(field));
		else
			clq_log_err("%.*s: the index on %.*s was not %s; "
			    "what was said above tells why",
			    CLQ_FMT(collection), CLQ_FMT(field),
			    add ? "made" : "removed");
	}
	clq_arena_free(&arena);
	return status;
}

int
cli_index(const struct cli *cli)
{
	const char *verb = cli->operands[0];
	bool lists = strcmp(verb, "list") == 0;
	bool add = strcmp(verb, "add") == 0;
	enum clq_status status = CLQ_FAILED;
	struct clq_server *srv;

	if ((!lists && !add && strcmp(verb, "drop") != 0) ||
	    cli->noperands != (lists ? 1 : 3)) {
		clq_log_err("index: write index list, or index add|drop "
		    "BUCKET/COLLECTION FIELD");
		return CLI_USAGE;
	}
	if ((srv = cli_server(cli)) == NULL)
		return CLI_FAILED;
	if (usable(cli, srv, !lists))
		status = lists ? list(cli, srv) : change(cli, srv, add,
		    clq_str_of(cli->operands[1]),
		    clq_str_of(cli->operands[2]));
	clq_server_free(&srv);
	return status == CLQ_OK ? CLI_OK : CLI_FAILED;
}

/* ---- storage_indexes --------------------------------------------------- */

/* One word of the setting: BUCKET/COLLECTION:FIELD. */
static bool
make_declared(const struct cli *cli, struct clq_server *srv,
    struct clq_str word)
{
	size_t colon = clq_str_find(word, ':', 0);

	if (colon == word.len) {
		clq_log_err("%s: storage_indexes: '%.*s' is no index: write "
		    "BUCKET/COLLECTION:FIELD", cli->ini, CLQ_FMT(word));
		return false;
	}
	if (cli->dry_run) {
		cli_say(cli, "storage: would make the index %.*s unless it "
		    "is there", CLQ_FMT(word));
		return true;
	}
	return change(cli, srv, true, clq_str_sub(word, 0, colon),
	    clq_str_sub(word, colon + 1, word.len)) == CLQ_OK;
}

bool
cli_migrate_indexes(const struct cli *cli, struct clq_server *srv)
{
	struct clq_strs words = clq_settings_list(srv->settings,
	    "storage_indexes");
	bool good = true;
	size_t i;

	if (words.n == 0)
		return true;
	if (!usable(cli, srv, true))
		return false;
	for (i = 0; i < words.n; i++)
		good = make_declared(cli, srv, words.items[i]) && good;
	return good;
}
