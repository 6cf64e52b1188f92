/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection of a worker: made, checked, lost and made again.
 *
 * The first attempt after a loss is made at once, since a restarted server is
 * back in a moment; after each failure the next one waits longer, and requests
 * that come meanwhile fail at once instead of queueing up. libpq's own
 * connect_timeout does not count in its non-blocking functions, so the hosts
 * of a URL are tried here one by one, each with its time.
 *
 * What a session needs is set when it begins, whatever the defaults of the
 * database are: UTC, time-outs, no JIT for statements of microseconds.
 */
#include "storage/pg_table.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FIRST_DELAY_MSEC	= 100,
	LAST_DELAY_MSEC		= 5000,
	COMPLAIN_MSEC		= 10000,
	MIN_SERVER		= 120000,	/* 12: MATERIALIZED */
	MAX_OPTIONS		= 80
};

/* ---- waiting ----------------------------------------------------------- */

bool
pg_poll(struct pg_db *db, bool writing, clq_msec until)
{
	struct pollfd pfd = { .fd = PQsocket(db->conn),
	    .events = (short)(writing ? POLLIN | POLLOUT : POLLIN) };
	clq_msec left;
	int n;

	if (pfd.fd < 0)
		return false;
	do {
		left = until - clq_monotonic();
		if (left < 0)
			left = 0;
		n = poll(&pfd, 1, left > 1000000 ? 1000000 : (int)left);
	} while (n == -1 && errno == EINTR);
	return n > 0;
}

/* ---- the end ----------------------------------------------------------- */

/*
 * After a fork the connection is the parent's: say nothing over it. What
 * libpq writes at the end goes nowhere.
 */
static void
mute(PGconn *conn)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd != -1 && PQsocket(conn) >= 0)
		(void)!dup2(fd, PQsocket(conn));
	if (fd != -1)
		close(fd);
}

void
pg_disconnect(struct pg_db *db)
{
	size_t i;

	if (db->conn != NULL) {
		if (db->pid != getpid())
			mute(db->conn);
		PQfinish(db->conn);
		db->conn = NULL;
	}
	db->broken = false;
	memset(db->fixed, 0, sizeof db->fixed);
	for (i = 0; i < PG_DYNAMIC; i++)
		free(db->dynamic[i].sql);
	memset(db->dynamic, 0, sizeof db->dynamic);
	db->first = db->nexpected = 0;
	db->unsynced = false;
}

enum clq_status
pg_complain(struct pg_db *db, const char *why)
{
	clq_msec now = clq_monotonic();
	struct clq_str text = clq_str_trim(clq_str_of(why));

	if (!db->complained || now - db->complained_at >= COMPLAIN_MSEC)
		clq_log_err("postgresql: %s: %.*s", db->shown,
		    CLQ_FMT(text));
	if (!db->complained || now - db->complained_at >= COMPLAIN_MSEC)
		db->complained_at = now;
	db->complained = true;
	return CLQ_UNAVAILABLE;
}

/* ---- asking outside the pipeline --------------------------------------- */

PGresult *
pg_ask(struct pg_db *db, const char *sql, clq_msec until)
{
	PGresult *res = NULL, *next;
	ExecStatusType st;

	if (PQsendQuery(db->conn, sql) != 1)
		goto out;
	for (;;) {
		while (PQisBusy(db->conn)) {
			if (!pg_poll(db, PQflush(db->conn) == 1, until) ||
			    PQconsumeInput(db->conn) != 1)
				goto out;
		}
		if ((next = PQgetResult(db->conn)) == NULL)
			break;
		PQclear(res);
		res = next;
	}
	st = PQresultStatus(res);
	if (st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK)
		return res;
out:	(void)pg_complain(db, res != NULL ? PQresultErrorMessage(res) :
	    "no answer while the session was set up");
	PQclear(res);
	return NULL;
}

/* ---- a session --------------------------------------------------------- */

/*
 * Set what exists of these; the last tells the trigger of `cliquet migrate`
 * who is writing.
 */
static enum clq_status
set_session(struct pg_db *db, clq_msec until)
{
	char sql[640];
	PGresult *res;

	snprintf(sql, sizeof sql,
	    "SELECT set_config(s.name, v.value, false) FROM (VALUES"
	    " ('TimeZone', 'UTC'), ('jit', 'off'),"
	    " ('statement_timeout', '%lld'),"
	    " ('idle_in_transaction_session_timeout', '%lld'),"
	    " ('client_connection_check_interval', '5000'))"
	    " AS v(name, value) JOIN pg_settings AS s ON s.name = v.name;"
	    "SELECT set_config('cliquet.clock', 'on', false)",
	    (long long)db->timeout, (long long)db->timeout + 5000);
	if ((res = pg_ask(db, sql, until)) == NULL)
		return CLQ_UNAVAILABLE;
	PQclear(res);
	return CLQ_OK;
}

/* A collation that knows the lower case of all letters. */
static enum clq_status
find_collation(struct pg_db *db, clq_msec until)
{
	/* Names that are the same text within SQL. */
	static const char *const known[] = { "\"C.utf8\"", "\"C.UTF-8\"",
	    "\"pg_c_utf8\"", "\"en_US.utf8\"", "\"und-x-icu\"" };
	PGresult *res = pg_ask(db, "SELECT quote_ident(collname)"
	    " FROM pg_collation WHERE collname IN ('C.utf8', 'C.UTF-8',"
	    " 'pg_c_utf8', 'en_US.utf8', 'und-x-icu')"
	    " AND collnamespace = 'pg_catalog'::regnamespace"
	    " AND collencoding IN (-1, pg_char_to_encoding('UTF8'))", until);
	size_t i;
	int row;

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	db->collation = NULL;
	for (i = 0; i < CLQ_COUNT(known) && db->collation == NULL; i++)
		for (row = 0; row < PQntuples(res); row++) {
			const char *name = PQgetvalue(res, row, 0);

			/* quote_ident() leaves plain names unquoted */
			if (strcmp(name, known[i]) == 0 ||
			    (strlen(name) + 2 == strlen(known[i]) &&
			    strncmp(name, known[i] + 1, strlen(name)) == 0))
				db->collation = known[i];
		}
	PQclear(res);
	if (db->collation == NULL) {
		db->collation = "\"default\"";
		clq_log_once(CLQ_LOG_WARNING, "pg-collation", "postgresql: "
		    "%s: no collation C.utf8: filters with like_ ignore case "
		    "as the database's own collation does", db->shown);
	}
	return CLQ_OK;
}

static const char *
parameter(const struct pg_db *db, const char *name)
{
	const char *value = PQparameterStatus(db->conn, name);

	return value != NULL ? value : "";
}

/* What no setting of a session can change. */
static enum clq_status
check_server(struct pg_db *db)
{
	const char *encoding = parameter(db, "server_encoding");
	const char *zone = parameter(db, "TimeZone");
	char text[160];

	if (PQserverVersion(db->conn) < MIN_SERVER) {
		snprintf(text, sizeof text, "the server is PostgreSQL %.20s; "
		    "12 or later is needed", parameter(db,
		    "server_version"));
		return pg_complain(db, text);
	}
	if (strcmp(encoding, "UTF8") != 0) {
		snprintf(text, sizeof text, "the database's encoding is "
		    "%.20s; make one with ENCODING 'UTF8' and restore into "
		    "it", encoding);
		return pg_complain(db, text);
	}
	if (strcmp(zone, "UTC") != 0 && strcmp(zone, "Etc/UTC") != 0 &&
	    strcmp(zone, "GMT") != 0)
		clq_log_once(CLQ_LOG_WARNING, "pg-timezone", "postgresql: "
		    "%s: the database's time zone is %.40s; UTC is used "
		    "here, but Kinto would store local time: ALTER DATABASE "
		    "... SET timezone TO 'UTC'", db->shown, zone);
	return CLQ_OK;
}

static enum clq_status
check_tables(struct pg_db *db, clq_msec until)
{
	struct pg_state state;
	const char *verdict;
	char text[256];

	if (pg_schema_read(db, until, &state) != CLQ_OK)
		return CLQ_UNAVAILABLE;
	verdict = pg_schema_verdict(db, &state, text, sizeof text);
	return verdict != NULL ? pg_complain(db, verdict) : CLQ_OK;
}

static enum clq_status
begin_session(struct pg_db *db, clq_msec until)
{
	enum clq_status status;

	if ((status = check_server(db)) != CLQ_OK ||
	    (status = set_session(db, until)) != CLQ_OK ||
	    (status = find_collation(db, until)) != CLQ_OK ||
	    (status = check_tables(db, until)) != CLQ_OK ||
	    (db->storage && (status = pg_index_load(db, until)) != CLQ_OK) ||
	    (db->storage && (status = pg_tables_load(db, until)) != CLQ_OK))
		return status;
	if (PQenterPipelineMode(db->conn) != 1)
		return pg_complain(db, "no pipeline mode");
	return CLQ_OK;
}

/* ---- connecting -------------------------------------------------------- */

/* What libpq gets: the options of the URL, some changed for one host. */
struct options {
	struct clq_arena	*arena;
	const char		*keys[MAX_OPTIONS + 1];
	const char		*values[MAX_OPTIONS + 1];
	size_t			 n;
};

static void
set(struct options *o, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (strcmp(o->keys[i], key) == 0)
			break;
	if (i == MAX_OPTIONS)
		return;		/* libpq knows half as many */
	if (i == o->n)
		o->n++;
	o->keys[i] = key;
	o->values[i] = value;
}

/* Item i of a comma-separated list; the only one stands for all. */
static void
pick(struct options *o, const char *key, size_t i)
{
	struct clq_str rest, item = { NULL, 0 };
	size_t n = 0, k;

	for (k = 0; k < o->n && strcmp(o->keys[k], key) != 0; k++)
		;
	if (k == o->n || strchr(o->values[k], ',') == NULL)
		return;
	rest = clq_str_of(o->values[k]);
	for (;;) {
		size_t comma = clq_str_find(rest, ',', 0);

		item = clq_str_sub(rest, 0, comma);
		if (n++ == i || comma == rest.len)
			break;
		rest = clq_str_sub(rest, comma + 1, rest.len);
	}
	o->values[k] = clq_arena_cstr(o->arena, item);
}

/* The options for host i; second: what "prefer-standby" falls back to. */
static bool
collect(const struct pg_db *db, struct options *o, size_t i, bool second)
{
	PQconninfoOption *all = PQconninfoParse(db->conninfo, NULL), *opt;

	if (all == NULL)
		return false;
	o->n = 0;
	set(o, "fallback_application_name", "cliquet");
	for (opt = all; opt->keyword != NULL; opt++)
		if (opt->val != NULL)
			set(o, clq_arena_cstr(o->arena,
			    clq_str_of(opt->keyword)),
			    clq_arena_cstr(o->arena, clq_str_of(opt->val)));
	PQconninfoFree(all);
	set(o, "client_encoding", "UTF8");
	if (db->nhosts > 1) {
		pick(o, "host", i);
		pick(o, "hostaddr", i);
		pick(o, "port", i);
	}
	for (i = 0; i < o->n; i++)
		if (strcmp(o->keys[i], "target_session_attrs") == 0 &&
		    strcmp(o->values[i], "prefer-standby") == 0)
			o->values[i] = second ? "any" : "standby";
	o->keys[o->n] = o->values[o->n] = NULL;
	return true;
}

static bool
prefers_standby(const struct pg_db *db)
{
	return strstr(db->conninfo, "prefer-standby") != NULL;
}

/* Drive libpq's handshake with one host. */
static bool
handshake(struct pg_db *db, clq_msec until)
{
	PostgresPollingStatusType st = PGRES_POLLING_WRITING;

	if (db->conn == NULL || PQstatus(db->conn) == CONNECTION_BAD)
		return false;
	while (st != PGRES_POLLING_OK) {
		struct pollfd pfd = { .fd = PQsocket(db->conn), .events =
		    st == PGRES_POLLING_READING ? POLLIN : POLLOUT };
		clq_msec left = until - clq_monotonic();
		int n;

		if (left <= 0)
			return false;
		n = poll(&pfd, 1, (int)left);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		st = PQconnectPoll(db->conn);
		if (st == PGRES_POLLING_FAILED)
			return false;
	}
	return PQsetnonblocking(db->conn, 1) == 0;
}

static void
quiet(void *arg, const char *message)
{
	(void)arg;
	clq_log_debug("postgresql: %s", message);
}

/* One host. The reason for a failure has been told. */
static bool
try_host(struct pg_db *db, size_t i, bool second, clq_msec until)
{
	struct options o = { .arena = clq_arena_new() };

	if (collect(db, &o, i, second))
		db->conn = PQconnectStartParams(o.keys, o.values, 0);
	clq_arena_free(&o.arena);
	db->pid = getpid();
	if (handshake(db, until)) {
		PQsetNoticeProcessor(db->conn, quiet, NULL);
		return true;
	}
	(void)pg_complain(db, db->conn != NULL &&
	    clq_str_trim(clq_str_of(PQerrorMessage(db->conn))).len > 0 ?
	    PQerrorMessage(db->conn) : "no connection in time");
	pg_disconnect(db);
	return false;
}

static bool
try_hosts(struct pg_db *db, clq_msec until)
{
	size_t n = db->nhosts * (prefers_standby(db) ? 2 : 1), i;
	clq_msec host_until;

	for (i = 0; i < n; i++) {
		host_until = clq_monotonic() + db->connect_timeout;
		if (host_until > until)
			host_until = until;
		if (try_host(db, i % db->nhosts, i >= db->nhosts,
		    host_until))
			return true;
	}
	return false;
}

/* Connecting failed: not again at once. The delay is spread, so that workers
 * do not come all together. */
static enum clq_status
back_off(struct pg_db *db)
{
	pg_disconnect(db);
	db->delay = db->delay == 0 ? FIRST_DELAY_MSEC : db->delay * 2;
	if (db->delay > LAST_DELAY_MSEC)
		db->delay = LAST_DELAY_MSEC;
	db->retry_at = clq_monotonic() + db->delay / 2 +
	    clq_random_below((uint32_t)db->delay);
	return CLQ_UNAVAILABLE;
}

enum clq_status
pg_connect(struct pg_db *db, clq_msec until)
{
	clq_msec session;

	if (db->conn != NULL)
		return CLQ_OK;
	if (db->delay > 0 && clq_monotonic() < db->retry_at)
		return CLQ_UNAVAILABLE;
	if (!try_hosts(db, until))
		return back_off(db);
	session = clq_monotonic() + db->connect_timeout;
	if (begin_session(db, session < until ? session : until) != CLQ_OK)
		return back_off(db);
	if (db->complained)
		clq_log_info("postgresql: %s: connected again", db->shown);
	db->complained = false;
	db->delay = 0;
	return CLQ_OK;
}

enum clq_status
pg_attach(struct pg_db *db)
{
	clq_msec until = clq_monotonic() + db->connect_timeout *
	    (clq_msec)db->nhosts * 2;
	enum clq_status status = CLQ_UNAVAILABLE;

	pg_disconnect(db);
	db->complained = false;
	if (try_hosts(db, until) && (status = check_server(db)) == CLQ_OK)
		return CLQ_OK;
	pg_disconnect(db);
	return status;
}

void
pg_check_idle(struct pg_db *db)
{
	if (db->conn == NULL || db->first < db->nexpected)
		return;
	/* Notices are read; the end of file shows at the second look. */
	while (pg_poll(db, false, 0))
		if (PQconsumeInput(db->conn) != 1 ||
		    PQstatus(db->conn) == CONNECTION_BAD) {
			clq_log_info("postgresql: %s: the server closed the "
			    "connection", db->shown);
			pg_disconnect(db);
			return;
		}
	(void)PQisBusy(db->conn);	/* let libpq look at them */
}
