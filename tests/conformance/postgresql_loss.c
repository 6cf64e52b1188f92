/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server goes away, hangs, or refuses: what was acknowledged stays, what
 * was not is undone, requests fail at once and the worker goes on.
 */
#include "tests/conformance/postgresql.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* End the fixture's session; it has ended when this returns. */
static void
terminate(void)
{
	pid_t pid = server_process();
	char text[80];

	snprintf(text, sizeof text, "SELECT pg_terminate_backend(%ld)",
	    (long)pid);
	sql("postgres", text);
	await_end(pid);
}

/* Wait until the database serves again, at most a minute. */
static void
recover(void)
{
	clq_msec until = clq_monotonic() + 60000;
	struct clq_want want;
	enum clq_status rc;

	do {
		cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
		rc = find("none", false, &want);
		(void)!finish(false);
		if (rc != CLQ_OK)
			usleep(20000);
	} while (rc != CLQ_OK && clq_monotonic() < until);
	cr_assert_eq(rc, CLQ_OK, "no recovery");
}

PgTest(connection, lost_between_requests_is_made_again)
{
	int i;

	cr_assert_eq(store("a", "{}"), CLQ_OK);
	for (i = 0; i < 3; i++) {
		terminate();
		cr_expect(exists("a"), "reading, time %d", i);
		terminate();
		cr_expect_eq(store("b", "{}"), CLQ_OK, "writing, time %d", i);
	}
}

PgTest(connection, lost_within_a_transaction_undoes_it)
{
	struct clq_want want;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	put("a", "{}");
	cr_assert_eq(fx.plugin->storage->sync(fx.self), CLQ_OK);
	terminate();
	put("b", "{}");
	cr_expect_eq(finish(true), CLQ_UNAVAILABLE);
	cr_expect(!exists("a"));
	cr_expect(!exists("b"));
	cr_expect_eq(store("a", "{}"), CLQ_OK);
}

PgTest(connection, lost_before_a_lookup_dooms_what_follows)
{
	struct clq_want want;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_assert_eq(find("a", false, &want), CLQ_OK);
	terminate();
	cr_expect_eq(find("b", false, &want), CLQ_UNAVAILABLE);
	cr_expect_eq(find("a", false, &want), CLQ_UNAVAILABLE);
	cr_expect_eq(finish(true), CLQ_UNAVAILABLE);
	cr_expect_eq(store("a", "{}"), CLQ_OK);
}

PgTest(restart, between_requests_is_not_noticed)
{
	cr_assert_eq(store("a", "{\"n\":1}"), CLQ_OK);
	server("restart");
	cr_expect_eq(store("b", "{}"), CLQ_OK);
	server("restart");
	cr_expect(exists("a"));
	cr_expect(exists("b"));
}

/* Of 200 requests. */
static clq_msec
longest_failure(void)
{
	clq_msec before, longest = 0, took;
	struct clq_want want;
	int i;

	for (i = 0; i < 200; i++) {
		before = clq_monotonic();
		cr_assert_eq(begin(CLQ_TX_READ), CLQ_OK);
		cr_expect_eq(find("a", false, &want), CLQ_UNAVAILABLE);
		cr_expect_eq(finish(true), CLQ_UNAVAILABLE);
		took = clq_monotonic() - before;
		longest = took > longest ? took : longest;
	}
	return longest;
}

PgTest(stopped_server, fails_requests_at_once_and_is_found_again)
{
	clq_msec longest = 500;
	int i;

	cr_assert_eq(store("a", "{}"), CLQ_OK);
	server("stop");
	for (i = 0; i < 3 && longest >= 500; i++)	/* or all is slow */
		longest = longest_failure();
	cr_expect_lt(longest, 500);
	server("start");
	recover();
	cr_expect(exists("a"));
	cr_expect_eq(store("b", "{}"), CLQ_OK);
}

PgTest(killed_server, undoes_what_was_not_acknowledged)
{
	cr_assert_eq(store("a", "{}"), CLQ_OK);
	/* the test's server is quick and not durable: let it write */
	sql("postgres", "CHECKPOINT");
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("b", "{}");
	cr_assert_eq(fx.plugin->storage->sync(fx.self), CLQ_OK);
	server("kill");
	cr_expect_eq(finish(true), CLQ_UNAVAILABLE);
	server("start");
	recover();
	cr_expect(exists("a"));
	cr_expect(!exists("b"));
}

PgTest(killed_backend, costs_its_transaction_only)
{
	cr_assert_eq(store("a", "{}"), CLQ_OK);
	sql("postgres", "CHECKPOINT");
	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("b", "{}");
	cr_assert_eq(fx.plugin->storage->sync(fx.self), CLQ_OK);
	/* PostgreSQL then restarts all its processes */
	cr_assert_eq(kill(server_process(), SIGKILL), 0);
	cr_expect_eq(finish(true), CLQ_UNAVAILABLE);
	recover();
	cr_expect(exists("a"));
	cr_expect(!exists("b"));
	cr_expect_eq(store("c", "{}"), CLQ_OK);
}

/* How long a ping of 400 ms takes when that process is stopped. */
static clq_msec
ping_of_stopped(pid_t pid, bool readonly)
{
	clq_msec before, took;

	cr_assert_eq(kill(pid, SIGSTOP), 0);
	before = clq_monotonic();
	cr_expect_eq(fx.plugin->backend->ping(fx.self, readonly, 400),
	    CLQ_UNAVAILABLE);
	took = clq_monotonic() - before;
	/* another connection, since this one is given up */
	if (!readonly)
		cr_expect_eq(fx.plugin->backend->ping(fx.self, false, 10000),
		    CLQ_OK);
	cr_expect_eq(kill(pid, SIGCONT), 0);
	return took;
}

PgTest(hanging_server, is_not_waited_for_by_ping)
{
	clq_msec took = 900;
	int i;

	cr_assert_eq(fx.plugin->backend->ping(fx.self, false, 10000), CLQ_OK);
	for (i = 0; i < 3 && took >= 900; i++)		/* or all is slow */
		took = ping_of_stopped(server_process(), false);
	cr_expect_lt(took, 900);
	cr_expect_eq(store("a", "{}"), CLQ_OK);
}

PgTest(hanging_postmaster, is_not_waited_for_by_ping)
{
	pid_t pid = (pid_t)atoi(sql("postgres", "SELECT pg_postmaster_pid"
	    " FROM (SELECT split_part(pg_read_file('postmaster.pid'),"
	    " E'\\\\n', 1)) AS p(pg_postmaster_pid)"));
	clq_msec took = 1500;
	int i;

	cr_assert_gt(pid, 0);
	for (i = 0; i < 3 && took >= 1500; i++) {	/* or all is slow */
		terminate();
		took = ping_of_stopped(pid, true);
		recover();
	}
	cr_expect_lt(took, 1500);
}

PgTest(statement, that_takes_too_long_is_ended)
{
	struct clq_want want;
	clq_msec before;

	use("clq", "storage_statement_timeout_seconds = 4");
	cr_assert_eq(store("a", "{}"), CLQ_OK);
	sql("clq", "CREATE OR REPLACE FUNCTION slow() RETURNS trigger"
	    " LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60);"
	    " RETURN NEW; END'; CREATE OR REPLACE TRIGGER slow BEFORE INSERT"
	    " ON timestamps FOR EACH ROW EXECUTE FUNCTION slow()");
	before = clq_monotonic();
	cr_expect_eq(store("b", "{}"), CLQ_UNAVAILABLE);
	cr_expect_lt(clq_monotonic() - before, 30000);
	sql("clq", "DROP TRIGGER slow ON timestamps");
	cr_expect_eq(begin(CLQ_TX_READ), CLQ_OK);
	cr_expect_eq(find("b", false, &want), CLQ_OK);
	cr_expect(!want.found);
	cr_expect_eq(finish(true), CLQ_OK);
	cr_expect_eq(store("b", "{}"), CLQ_OK);
}

/* ---- hosts -------------------------------------------------------------- */

/* The server over TCP, behind another address; with further parameters. */
static void
use_hosts(const char *first, const char *parameters)
{
	char url[256];

	snprintf(url, sizeof url, "postgresql://clq@%s127.0.0.1:%s/clq%s",
	    first, getenv("CLQ_PG_PORT"), parameters);
	use_url(url, "storage_connect_timeout_seconds = 3");
}

PgTest(host, may_be_reached_by_tcp)
{
	use_hosts("", "");
	cr_expect_eq(store("a", "{}"), CLQ_OK);
	use_hosts("", "?target_session_attrs=read-write&sslmode=prefer");
	cr_expect(exists("a"));
}

PgTest(host, that_is_down_is_passed_by)
{
	use_hosts("127.0.0.1:1,", "");
	cr_expect_eq(store("a", "{}"), CLQ_OK);
	use_hosts("127.0.0.1:1,", "?target_session_attrs=prefer-standby");
	cr_expect(exists("a"));
	use_hosts("127.0.0.1:1,", "?target_session_attrs=standby");
	cr_expect_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("b", "{}");
	cr_expect_eq(finish(true), CLQ_UNAVAILABLE, "there is no standby");
}

PgTest(host, that_hangs_is_passed_by)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	clq_msec before;
	char first[64];

	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(first, sizeof first, "127.0.0.1:%d,", ntohs(sin.sin_port));
	before = clq_monotonic();
	use_hosts(first, "");
	cr_expect_eq(store("a", "{}"), CLQ_OK);
	cr_expect_lt(clq_monotonic() - before, 20000);
	close(fd);
}

/* ---- refusals --------------------------------------------------------- */

PgTest(readonly_database, is_read_and_says_so)
{
	const struct clq_coll empty = { CLQ_STR("record"), CLQ_STR("/x") };
	clq_msec t;

	cr_assert_eq(store("a", "{}"), CLQ_OK);
	sql("postgres",
	    "ALTER DATABASE clq SET default_transaction_read_only TO on");
	use("clq", "");
	cr_expect(exists("a"));
	cr_expect_eq(store("b", "{}"), CLQ_READONLY);
	cr_expect_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	cr_expect_eq(fx.plugin->storage->timestamp(fx.self, &empty, &t),
	    CLQ_READONLY);
	cr_expect_eq(finish(false), CLQ_OK);
	cr_expect_eq(fx.plugin->backend->ping(fx.self, true, 10000), CLQ_OK);
	cr_expect_eq(fx.plugin->backend->ping(fx.self, false, 10000),
	    CLQ_READONLY);
	sql("postgres",
	    "ALTER DATABASE clq RESET default_transaction_read_only");
	use("clq", "");
	cr_expect_eq(store("b", "{}"), CLQ_OK);
}

PgTest(refused_value, undoes_the_transaction_and_nothing_else)
{
	struct clq_write *w;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("a", "{}");
	w = put("b", "no JSON");
	put("c", "{}");
	cr_expect_eq(finish(true), CLQ_FAILED);
	cr_expect_eq(w->status, CLQ_FAILED);
	cr_expect(!exists("a"));
	cr_expect(!exists("c"));
	cr_expect_eq(store("a", "{}"), CLQ_OK);
}

PgTest(failed_statement, dooms_commit_even_if_more_succeeds)
{
	struct clq_want want;

	cr_assert_eq(begin(CLQ_TX_WRITE), CLQ_OK);
	put("a", "{}");
	cr_assert_eq(fx.plugin->storage->sync(fx.self), CLQ_OK);
	put("b", "{");
	cr_expect_eq(fx.plugin->storage->sync(fx.self), CLQ_FAILED);
	cr_expect_eq(find("a", false, &want), CLQ_FAILED);
	cr_expect_eq(finish(true), CLQ_FAILED);
	cr_expect(!exists("a"));
}
