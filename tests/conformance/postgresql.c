/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only postgresql.so promises: how it lives with its server. Run by
 * postgresql_server.sh; the words are here, the tests in the files beside.
 */
#include "tests/conformance/postgresql.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture fx;
const struct clq_coll list = { { "record", 6 },
    { "/buckets/b/collections/c", 24 } };

int
main(int argc, char **argv)
{
	if (getenv("CLQ_PG_CTL") == NULL) {
		puts("conformance: no server: run postgresql_server.sh");
		return 77;
	}
	setenv("CLQ_TEST_URL", getenv("CLQ_PG_URL"), 1);
	return fixture_main(argc, argv, "storage");
}

const char *
sql(const char *database, const char *text)
{
	static char line[512];
	char command[2048];
	FILE *out;
	int status;

	cr_assert_null(strchr(text, '"'), "no quotes: %s", text);
	snprintf(command, sizeof command, "%s %s -A -t -c \"%s\"",
	    getenv("PSQL"), database, text);
	out = popen(command, "r");
	cr_assert_not_null(out);
	line[0] = '\0';
	if (fgets(line, sizeof line, out) != NULL)
		line[strcspn(line, "\n")] = '\0';
	while (fgetc(out) != EOF)
		;
	status = pclose(out);
	cr_assert_eq(status, 0, "%s: status %d", text, status);
	return line;
}

pid_t
server_process(void)
{
	pid_t pid = (pid_t)atoi(sql("postgres", "SELECT pid"
	    " FROM pg_stat_activity WHERE application_name = 'cliquet'"
	    " AND datname = 'clq' ORDER BY backend_start DESC LIMIT 1"));

	cr_assert_gt(pid, 0);
	return pid;
}

void
await_end(pid_t pid)
{
	clq_msec until = clq_monotonic() + 60000;

	while (kill(pid, 0) == 0 || errno != ESRCH) {
		cr_assert_lt(clq_monotonic(), until, "it does not end");
		usleep(1000);
	}
}

void
server(const char *what)
{
	char command[256];

	snprintf(command, sizeof command, "%s %s", getenv("CLQ_PG_CTL"),
	    what);
	cr_assert_eq(system(command), 0, "%s", command);
}

void
use(const char *database, const char *options)
{
	char url[512];

	snprintf(url, sizeof url, "postgresql://clq@/%s?host=%s&port=%s",
	    database, getenv("CLQ_PG_DIR"), getenv("CLQ_PG_PORT"));
	use_url(url, options);
}

void
use_url(const char *url, const char *options)
{
	if (fx.plugin != NULL)
		fixture_close(&fx);
	setenv("CLQ_TEST_URL", url, 1);
	setenv("CLQ_TEST_OPTIONS", options, 1);
	fixture_configure(&fx, "storage");
	fixture_open(&fx);
}

static void
ignore(const char *line)
{
	(void)line;
}

void
make_database(const char *name, const char *file)
{
	char command[1024];
	enum clq_status status;

	snprintf(command, sizeof command, "DROP DATABASE IF EXISTS %s "
	    "WITH (FORCE)", name);
	sql("postgres", command);
	snprintf(command, sizeof command, "CREATE DATABASE %s", name);
	sql("postgres", command);
	if (file != NULL) {
		snprintf(command, sizeof command, "%s %s -f '%s/tests/data/"
		    "%s' > /dev/null", getenv("PSQL"), name,
		    getenv("CLQ_SRCDIR"), file);
		cr_assert_eq(system(command), 0, "%s", command);
		return;
	}
	use(name, "");
	status = fx.plugin->backend->migrate(fx.self, false, ignore);
	cr_assert_eq(status, CLQ_OK);
}

void
pg_setup(void)
{
	use("clq", "");
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(fx.plugin->storage->flush(fx.self), CLQ_OK);
	cr_assert_eq(fx.plugin->permission->flush(fx.self), CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
}

void
pg_teardown(void)
{
	fixture_close(&fx);
	memset(&fx, 0, sizeof fx);
}

enum clq_status
begin(enum clq_tx_mode mode)
{
	return fx.plugin->backend->begin(fx.self, mode);
}

enum clq_status
finish(bool commit)
{
	return fx.plugin->backend->finish(fx.self, commit);
}

struct clq_write *
put(const char *id, const char *data)
{
	struct clq_write *w = clq_arena_alloc(fx.arena, sizeof *w);

	w->op = data != NULL ? CLQ_WRITE_UPDATE : CLQ_WRITE_DELETE;
	w->coll = list;
	w->id = clq_str_of(id);
	w->data = clq_str_of(data);
	w->status = CLQ_FAILED;
	cr_assert_eq(fx.plugin->storage->write(fx.self, w, 1), CLQ_OK);
	return w;
}

enum clq_status
store(const char *id, const char *data)
{
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put(id, data);
	return finish(true);
}

enum clq_status
find(const char *id, bool shared, struct clq_want *out)
{
	struct clq_lookup l = { .arena = fx.arena, .wants = out,
	    .nwants = 1 };

	memset(out, 0, sizeof *out);
	out->coll = list;
	out->id = clq_str_of(id);
	out->shared = shared;
	return fx.plugin->storage->lookup(fx.self, &l);
}

bool
exists(const char *id)
{
	struct clq_want want;

	cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(find(id, false, &want), CLQ_OK);
	cr_assert_eq(finish(true), CLQ_OK);
	return want.found;
}
