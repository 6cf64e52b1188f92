/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet outbox`: what waits for listeners, and what they refused.
 *
 * The service may be running: a revived event is found by the process that
 * delivers within seconds.
 */
#include <cliquet/clock.h>
#include <cliquet/json.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"
#include "outbox.h"
#include "server.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { PAGE = 500 };

/* ---- list ----------------------------------------------------------------- */

static void
show_entry(struct clq_arena *arena, const struct clq_object *entry)
{
	time_t t = (time_t)(entry->last_modified / 1000);
	struct clq_str why = CLQ_STR("?");
	char stamp[32] = "";
	struct tm tm;
	cJSON *tree;

	if (clq_json_parse(arena, entry->data, &tree, &why) == CLQ_OK)
		why = clq_json_str(clq_json_get(tree, "why"));
	if (gmtime_r(&t, &tm) != NULL)
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("  %.*s  %s  %.*s\n", CLQ_FMT(entry->id), stamp,
	    CLQ_FMT(why));
}

static enum clq_status
list(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_outbox *box)
{
	struct clq_coll aside = clq_outbox_aside(arena, box);
	struct clq_page page = { NULL, 0 };
	struct clq_outbox_state state;
	enum clq_status rc;

	if ((rc = clq_outbox_look(srv, arena, box, &state)) != CLQ_OK ||
	    (rc = clq_outbox_read(srv, arena, &aside, PAGE, &page)) != CLQ_OK)
		return rc;
	printf("%s: %" PRId64 " waiting", box->name, state.waiting);
	if (state.oldest > 0)
		printf(" (the oldest for %" PRId64 " s)",
		    (clq_now() - state.oldest) / 1000);
	printf(", %" PRId64 " put aside\n", state.aside);
	for (size_t i = 0; i < page.n; i++)
		show_entry(arena, &page.objects[i]);
	if ((int64_t)page.n < state.aside)
		printf("  and more\n");
	return CLQ_OK;
}

/* ---- retry, drop ------------------------------------------------------------ */

struct job {
	struct clq_server	*srv;
	struct clq_outbox	*box;
	bool			 retry;		/* else drop */
	struct clq_str		 id;		/* absent: all */
	int64_t			 done;
};

/* Some of a list; *more is false when there is nothing left. */
static enum clq_status
work(struct job *job, struct clq_arena *arena, const struct clq_coll *coll,
    bool *more)
{
	struct clq_strs ids = { NULL, 0, 0 };
	struct clq_page page = { NULL, 0 };
	enum clq_status rc;

	rc = clq_outbox_read(job->srv, arena, coll, job->id.p != NULL ?
	    CLQ_DEAD_KEPT : PAGE, &page);
	for (size_t i = 0; rc == CLQ_OK && i < page.n; i++) {
		if (job->id.p != NULL && !clq_str_eq(page.objects[i].id,
		    job->id))
			continue;
		if (job->retry)
			rc = clq_outbox_revive(job->srv, arena, job->box,
			    &page.objects[i]);
		else
			clq_strs_add(arena, &ids, page.objects[i].id);
		job->done += rc == CLQ_OK;
	}
	if (rc == CLQ_OK && ids.n > 0)
		rc = clq_outbox_remove(job->srv, coll, &ids);
	*more = job->id.p == NULL && page.n == PAGE;
	return rc;
}

static enum clq_status
work_all(struct job *job, bool waiting)
{
	struct clq_arena *arena = clq_arena_new();
	enum clq_status rc = CLQ_OK;
	struct clq_coll coll;
	bool more;

	for (int i = 0; i < (waiting ? CLQ_LANES : 1) && rc == CLQ_OK; i++)
		do {
			coll = waiting ? clq_outbox_lane(arena, job->box, i) :
			    clq_outbox_aside(arena, job->box);
			rc = work(job, arena, &coll, &more);
			clq_arena_reset(arena);
		} while (rc == CLQ_OK && more);
	clq_arena_free(&arena);
	return rc;
}

/* ---- the command -------------------------------------------------------------- */

static struct clq_outbox *
find(const struct cli *cli, const struct clq_server *srv, const char *name)
{
	struct clq_outbox *box;

	for (box = clq_outbox_first(srv); box != NULL; box = box->next)
		if (strcmp(box->name, name) == 0)
			return box;
	clq_log_err("%s: there is no listener '%s' whose events are stored; "
	    "see event_listeners", cli->ini, name);
	return NULL;
}

static enum clq_status
run(const struct cli *cli, struct clq_server *srv)
{
	bool waiting = cli->noperands == 3 && strcmp(cli->operands[0],
	    "drop") == 0 && strcmp(cli->operands[2], "waiting") == 0;
	struct job job = { .srv = srv,
	    .retry = strcmp(cli->operands[0], "retry") == 0 };
	enum clq_status rc = CLQ_OK;

	if (cli->noperands > 1 && (job.box = find(cli, srv,
	    cli->operands[1])) == NULL)
		return CLQ_FAILED;
	if (strcmp(cli->operands[0], "list") == 0) {
		for (struct clq_outbox *b = clq_outbox_first(srv);
		    b != NULL && rc == CLQ_OK; b = b->next)
			if (job.box == NULL || b == job.box)
				rc = list(srv, srv->arena, b);
		return rc;
	}
	if (cli->noperands == 3 && !waiting)
		job.id = clq_str_of(cli->operands[2]);
	rc = work_all(&job, waiting);
	if (rc == CLQ_OK && job.id.p != NULL && job.done == 0) {
		clq_log_err("%s: no event %s was put aside", job.box->name,
		    cli->operands[2]);
		return CLQ_FAILED;
	}
	if (rc == CLQ_OK)
		cli_say(cli, "%s: %" PRId64 " events %s", job.box->name,
		    job.done, job.retry ? "wait again" : "dropped");
	return rc;
}

int
cli_outbox(const struct cli *cli)
{
	const char *verb = cli->operands[0];
	bool lists = strcmp(verb, "list") == 0;
	bool changes = strcmp(verb, "retry") == 0 ||
	    strcmp(verb, "drop") == 0;
	enum clq_status rc = CLQ_FAILED;
	struct clq_server *srv;

	if ((!lists && !changes) || (lists && cli->noperands > 2) ||
	    (changes && cli->noperands < 2)) {
		clq_log_err("outbox: write outbox list [LISTENER], or outbox "
		    "retry|drop LISTENER [ID], or outbox drop LISTENER "
		    "waiting");
		return CLI_USAGE;
	}
	if ((srv = cli_server(cli)) == NULL)
		return CLI_FAILED;
	if (clq_outbox_first(srv) == NULL)
		clq_log_err("%s: no listener of event_listeners has events "
		    "that are stored", cli->ini);
	else if (!cli_out_of_reach(srv->storage.plugin, "events that wait "
	    "there go with it") && (clq_server_open(srv) != CLQ_OK ||
	    (rc = run(cli, srv)) == CLQ_UNAVAILABLE))
		clq_log_err("the storage (%s) cannot be reached; see above",
		    srv->storage.plugin->name);
	clq_server_free(&srv);
	return rc == CLQ_OK ? CLI_OK : CLI_FAILED;
}
