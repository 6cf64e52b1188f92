/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of postgresql.so share: a server of their own, which they
 * stop, kill and change (tests/support/with-postgres), and an instance on one
 * of its databases, reached as the server's own loader does it.
 */
#ifndef CLQ_TESTS_POSTGRESQL_H
#define CLQ_TESTS_POSTGRESQL_H

#include <cliquet/abi.h>
#include <cliquet/clock.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>

#include "tests/conformance/fixture.h"

extern struct fixture fx;		/* open, on the database named last */
extern const struct clq_coll list;

/* Run SQL on a database; the first column of the first row, or "". */
const char *sql(const char *database, const char *text);

/*
 * The process behind the fixture's connection: that of the newest session,
 * since one that has ended is still listed for a moment.
 */
pid_t server_process(void);

/* Wait until that process, which ends, is gone, and its connections with it. */
void await_end(pid_t pid);

/* `$CLQ_PG_CTL what`, which must succeed. */
void server(const char *what);

/* Make the fixture an instance on a database; with more ini lines. */
void use(const char *database, const char *options);
void use_url(const char *url, const char *options);

/* Make database `name` anew: from a file of tests/data, or NULL: by migrate. */
void make_database(const char *name, const char *file);

void pg_setup(void);
void pg_teardown(void);

#define PgTest(...)							\
	Test(__VA_ARGS__, .init = pg_setup, .fini = pg_teardown,	\
	    .timeout = 120)

/* ---- short words ------------------------------------------------------ */

enum clq_status begin(enum clq_tx_mode mode);
enum clq_status finish(bool commit);

/* Queue one write, which must be accepted. Lives in the fixture's arena. */
struct clq_write *put(const char *id, const char *data);

/* One object stored in a transaction of its own. */
enum clq_status store(const char *id, const char *data);

/* Look an object up in the open transaction. */
enum clq_status find(const char *id, bool shared, struct clq_want *out);

/* The same in a reading transaction of its own; false: not found. */
bool exists(const char *id);

#endif
