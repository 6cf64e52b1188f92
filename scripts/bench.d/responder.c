/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ceilings for scripts/bench: what a server in C could reach that did nothing
 * but answer, or nothing but one query.
 *
 *	responder SOCKET WORKERS QUERY [DATABASE]	serve until SIGTERM
 *	responder loop SECONDS PROCESSES QUERY DATABASE	the query alone
 *
 * It holds several kept connections per worker and waits for them with epoll,
 * as cliquetd does, but reads with libfcgi's blocking calls, and has no
 * deadline, no log, no routing. QUERY is hello, or get, list or post on the
 * table of records that the bench has filled; a DATABASE with '=' or '://' is
 * PostgreSQL's, else a file of SQLite. post does what one creation has to:
 * look at the parent, store the record and its entry, move the list's clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <libpq-fe.h>
#include <sqlite3.h>

enum { RECORDS = 10000, PAGE = 100, BODY = 1 << 17 };

#define PARENT	"/buckets/bench/collections/list"
#define DOCUMENT "{\"n\":1,\"title\":\"record number 1\",\"done\":true}"

static char body[BODY];
static PGconn *pg;
static sqlite3 *lite;
static sqlite3_stmt *steps[8];

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "responder: %s: %s\n", what, why);
	exit(1);
}

static const char *
any_id(void)
{
	static char id[32];

	snprintf(id, sizeof id, "r%ld", random() % RECORDS);
	return id;
}

static const char *
new_id(void)
{
	static unsigned long n;
	static char id[64];

	snprintf(id, sizeof id, "x%d-%lu-%lx", (int)getpid(), n++, random());
	return id;
}

static size_t
hello(void)
{
	return (size_t)snprintf(body, sizeof body, "{\"hello\":\"world\","
	    "\"text\":\"%0180d\"}", 0);
}

/* ---- PostgreSQL --------------------------------------------------------- */

static const char *const pg_sql[] = {
	"SELECT last_modified, data FROM objects WHERE id = $1 AND"
	" parent_id = '" PARENT "' AND resource_name = 'record'",
	"SELECT id, last_modified, data FROM objects WHERE parent_id = '"
	PARENT "' AND resource_name = 'record' AND NOT deleted"
	" ORDER BY last_modified DESC LIMIT 101",
	"BEGIN",
	"SELECT data FROM objects WHERE id = 'list' AND"
	" parent_id = '/buckets/bench' AND resource_name = 'collection'",
	"WITH l AS (SELECT last_modified FROM timestamps WHERE parent_id = '"
	PARENT "' AND resource_name = 'record' FOR NO KEY UPDATE),"
	" b AS MATERIALIZED (SELECT GREATEST(date_trunc('milliseconds',"
	" clock_timestamp() AT TIME ZONE 'UTC'), l.last_modified +"
	" interval '1 millisecond') AS t FROM l), w AS (INSERT INTO objects"
	" (id, parent_id, resource_name, last_modified, data, deleted)"
	" SELECT $1, '" PARENT "', 'record', b.t, $2::jsonb, FALSE FROM b"
	" RETURNING last_modified), u AS (UPDATE timestamps AS t SET"
	" last_modified = w.last_modified FROM w WHERE t.parent_id = '" PARENT
	"' AND t.resource_name = 'record') SELECT last_modified FROM w",
	"INSERT INTO access_control_entries (object_id, permission, principal)"
	" VALUES ('" PARENT "/records/' || $1, 'write', 'me')",
	"COMMIT",
};

static void
pg_open(const char *url)
{
	char name[8];
	PGresult *r;

	pg = PQconnectdb(url);
	if (PQstatus(pg) != CONNECTION_OK)
		die(url, PQerrorMessage(pg));
	PQclear(PQexec(pg, "SET cliquet.clock = 'on'"));
	for (size_t i = 0; i < sizeof pg_sql / sizeof *pg_sql; i++) {
		snprintf(name, sizeof name, "q%zu", i);
		r = PQprepare(pg, name, pg_sql[i], 0, NULL);
		if (PQresultStatus(r) != PGRES_COMMAND_OK)
			die(pg_sql[i], PQerrorMessage(pg));
		PQclear(r);
	}
	if (PQenterPipelineMode(pg) != 1)
		die("pipeline", "no");
}

static void
pg_send(int step, int n, const char *a, const char *b)
{
	const char *values[2] = { a, b };
	char name[8];

	snprintf(name, sizeof name, "q%d", step);
	if (PQsendQueryPrepared(pg, name, n, values, NULL, NULL, 0) != 1)
		die("send", PQerrorMessage(pg));
}

/* Wait for n results; the last one's rows go to the body. */
static size_t
pg_take(int n)
{
	size_t at = 0;
	PGresult *r;

	if (PQpipelineSync(pg) != 1)
		die("sync", PQerrorMessage(pg));
	for (; n > 0; n--) {
		at = 0;
		r = PQgetResult(pg);
		if (PQresultStatus(r) != PGRES_TUPLES_OK &&
		    PQresultStatus(r) != PGRES_COMMAND_OK)
			die("result", PQerrorMessage(pg));
		for (int i = 0; i < PQntuples(r) && at < BODY - 4096; i++)
			for (int j = 0; j < PQnfields(r); j++)
				at += (size_t)snprintf(body + at, 1024,
				    "%s,", PQgetvalue(r, i, j));
		PQclear(r);
		PQclear(PQgetResult(pg));
	}
	PQclear(PQgetResult(pg));	/* the synchronisation */
	return at;
}

static size_t
pg_get(void)
{
	pg_send(0, 1, any_id(), NULL);
	return pg_take(1);
}

static size_t
pg_list(void)
{
	pg_send(1, 0, NULL, NULL);
	return pg_take(1);
}

static size_t
pg_post(void)
{
	const char *id = new_id();

	pg_send(2, 0, NULL, NULL);
	pg_send(3, 0, NULL, NULL);
	(void)pg_take(2);
	pg_send(5, 1, id, NULL);
	pg_send(4, 2, id, DOCUMENT);
	pg_send(6, 0, NULL, NULL);
	(void)pg_take(3);
	return (size_t)snprintf(body, sizeof body, "{\"data\":%s}", DOCUMENT);
}

/* ---- SQLite ------------------------------------------------------------- */

static const char *const lite_sql[] = {
	"SELECT last_modified, data FROM objects WHERE resource = 'record'"
	" AND parent = '" PARENT "' AND id = ?1",
	"SELECT id, last_modified, data FROM objects WHERE resource = 'record'"
	" AND parent = '" PARENT "' AND deleted = 0"
	" ORDER BY last_modified DESC LIMIT 101",
	"BEGIN IMMEDIATE",
	"SELECT data FROM objects WHERE resource = 'collection'"
	" AND parent = '/buckets/bench' AND id = 'list'",
	"INSERT INTO timestamps VALUES ('record', '" PARENT "', 1)"
	" ON CONFLICT (resource, parent) DO UPDATE SET last_modified ="
	" max(last_modified + 1, CAST((julianday('now') - 2440587.5) *"
	" 86400000 AS INTEGER)) RETURNING last_modified",
	"INSERT INTO objects (resource, parent, id, last_modified, deleted,"
	" data) SELECT 'record', '" PARENT "', ?1, last_modified, 0, ?2"
	" FROM timestamps WHERE resource = 'record' AND parent = '" PARENT "'",
	"INSERT INTO access_control_entries VALUES ('" PARENT "/records/' ||"
	" ?1, 'write', 'me')",
	"COMMIT",
};

static void
lite_open(const char *path)
{
	if (sqlite3_open(path, &lite) != SQLITE_OK)
		die(path, sqlite3_errmsg(lite));
	sqlite3_busy_timeout(lite, 10000);
	sqlite3_exec(lite, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof lite_sql / sizeof *lite_sql; i++)
		if (sqlite3_prepare_v3(lite, lite_sql[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &steps[i], NULL) != SQLITE_OK)
			die(lite_sql[i], sqlite3_errmsg(lite));
}

static size_t
lite_run(int step, const char *a, const char *b)
{
	sqlite3_stmt *s = steps[step];
	size_t at = 0;
	int rc;

	if (a != NULL)
		sqlite3_bind_text(s, 1, a, -1, SQLITE_STATIC);
	if (b != NULL)
		sqlite3_bind_text(s, 2, b, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(s) &&
		    at < BODY - 4096; i++)
			at += (size_t)snprintf(body + at, 1024, "%s,",
			    (const char *)sqlite3_column_text(s, i));
	if (rc != SQLITE_DONE)
		die(lite_sql[step], sqlite3_errmsg(lite));
	sqlite3_reset(s);
	return at;
}

static size_t
lite_get(void)
{
	return lite_run(0, any_id(), NULL);
}

static size_t
lite_list(void)
{
	return lite_run(1, NULL, NULL);
}

static size_t
lite_post(void)
{
	const char *id = new_id();

	(void)lite_run(2, NULL, NULL);
	(void)lite_run(3, NULL, NULL);
	(void)lite_run(4, NULL, NULL);
	(void)lite_run(5, id, DOCUMENT);
	(void)lite_run(6, id, NULL);
	(void)lite_run(7, NULL, NULL);
	return (size_t)snprintf(body, sizeof body, "{\"data\":%s}", DOCUMENT);
}

/* ---- choosing ----------------------------------------------------------- */

typedef size_t query_f(void);

static query_f *
choose(const char *name, const char *database)
{
	bool is_pg = strchr(database, '=') != NULL ||
	    strstr(database, "://") != NULL;

	if (strcmp(name, "hello") == 0)
		return hello;
	if (is_pg)
		pg_open(database);
	else
		lite_open(database);
	srandom((unsigned)getpid());
	if (strcmp(name, "get") == 0)
		return is_pg ? pg_get : lite_get;
	if (strcmp(name, "list") == 0)
		return is_pg ? pg_list : lite_list;
	if (strcmp(name, "post") == 0)
		return is_pg ? pg_post : lite_post;
	die(name, "unknown");
	return NULL;
}

/* ---- serving ------------------------------------------------------------ */

/* One request of a kept connection, if it has one. */
static void
answer(FCGX_Request *r, query_f *query)
{
	char buf[4096];
	size_t n;

	if (FCGX_Accept_r(r) != 0)
		return;
	while (FCGX_GetStr(buf, sizeof buf, r->in) > 0)
		;
	n = query();
	FCGX_FPrintF(r->out, "Content-Type: application/json\r\n"
	    "Content-Length: %d\r\n\r\n", (int)n);
	FCGX_PutStr(body, (int)n, r->out);
	FCGX_Finish_r(r);
}

static void
add(int ep, int fd, FCGX_Request *r)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = r };

	if (r == NULL)
		e.events |= EPOLLEXCLUSIVE;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0)
		die("epoll", strerror(errno));
}

static void
take(int ep, int listener)
{
	int fd = accept(listener, NULL, NULL);
	FCGX_Request *r;

	if (fd < 0)
		return;
	r = calloc(1, sizeof *r);
	if (r == NULL)
		die("memory", "none");
	FCGX_InitRequest(r, -1, 0);
	r->ipcFd = fd;
	r->keepConnection = 1;
	add(ep, fd, r);
}

static void
serve(int listener, query_f *query)
{
	int ep = epoll_create1(0), n, i;
	struct epoll_event events[64];
	FCGX_Request *r;

	FCGX_Init();
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	add(ep, listener, NULL);
	for (;;) {
		n = epoll_wait(ep, events, 64, -1);
		for (i = 0; i < n; i++) {
			r = events[i].data.ptr;
			if (r == NULL) {
				take(ep, listener);
				continue;
			}
			answer(r, query);
			if (r->ipcFd < 0) {
				FCGX_Free(r, 1);
				free(r);
			}
		}
	}
}

static int
listen_on(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	umask(0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0 ||
	    listen(fd, 511) != 0)
		die(path, strerror(errno));
	return fd;
}

/* ---- the query alone ---------------------------------------------------- */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
loop(double seconds, query_f *query, int out)
{
	double began = now(), took;
	unsigned long n = 0;

	while ((took = now() - began) < seconds) {
		(void)query();
		n++;
	}
	took = (double)n / took;
	if (write(out, &took, sizeof took) != sizeof took)
		die("pipe", strerror(errno));
}

static int
loops(double seconds, int processes, const char *name, const char *database)
{
	double sum = 0, one;
	int ends[2], i;

	if (pipe(ends) != 0)
		die("pipe", strerror(errno));
	for (i = 0; i < processes; i++)
		if (fork() == 0) {
			loop(seconds, choose(name, database), ends[1]);
			_exit(0);
		}
	close(ends[1]);
	for (i = 0; i < processes; i++)
		if (read(ends[0], &one, sizeof one) == sizeof one)
			sum += one;
	while (wait(NULL) > 0)
		;
	printf("%.1f\n", sum);
	return sum > 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	int listener, i;

	if (argc == 6 && strcmp(argv[1], "loop") == 0)
		return loops(atof(argv[2]), atoi(argv[3]), argv[4], argv[5]);
	if (argc < 4)
		return 2;
	listener = listen_on(argv[1]);
	for (i = atoi(argv[2]); i > 0; i--)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			serve(listener, choose(argv[3], argc > 4 ? argv[4] :
			    ""));
		}
	while (wait(NULL) > 0)
		;
	return 0;
}
