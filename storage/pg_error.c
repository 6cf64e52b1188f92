/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's errors as statuses: the one place that knows SQLSTATEs.
 *
 * What passes by itself or by trying again is CLQ_RETRY, what lasts until
 * somebody repairs the server is CLQ_UNAVAILABLE, and a server that refuses to
 * be written is CLQ_READONLY. Only the primary message is logged: details may
 * quote what users stored.
 */
#include "storage/pg.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

static const struct {
	const char	*prefix;	/* of the SQLSTATE */
	enum clq_status	 status;
	bool		 reconnect;	/* this connection is of no use */
} states[] = {
	/* the first that fits */
	{ "25006", CLQ_READONLY, false },	/* standby, or set so */
	{ "25P03", CLQ_UNAVAILABLE, true },	/* idle in transaction */
	{ "40001", CLQ_RETRY, false },		/* serialization */
	{ "40P01", CLQ_RETRY, false },		/* deadlock */
	{ "23505", CLQ_RETRY, false },		/* another writer's timestamp */
	{ "55P03", CLQ_RETRY, false },		/* lock_timeout */
	{ "0A000", CLQ_RETRY, true },		/* a plan outlived its table */
	{ "26000", CLQ_RETRY, true },		/* statements were dropped */
	{ "42P05", CLQ_RETRY, true },		/* ... or are another's */
	{ "42P01", CLQ_UNAVAILABLE, true },	/* tables are gone */
	{ "42703", CLQ_UNAVAILABLE, true },	/* ... or columns */
	{ "42883", CLQ_UNAVAILABLE, true },	/* ... or what migrate made */
	{ "42501", CLQ_UNAVAILABLE, true },	/* privileges are */
	{ "57014", CLQ_UNAVAILABLE, false },	/* statement_timeout */
	{ "57P", CLQ_UNAVAILABLE, true },	/* shutting down, crashed */
	{ "08", CLQ_UNAVAILABLE, true },	/* connection */
	{ "53", CLQ_UNAVAILABLE, false },	/* disk, memory, slots */
	{ "58", CLQ_UNAVAILABLE, false },	/* input, output */
};

static size_t
find(const char *sqlstate)
{
	size_t i;

	for (i = 0; i < CLQ_COUNT(states); i++)
		if (strncmp(sqlstate, states[i].prefix,
		    strlen(states[i].prefix)) == 0)
			break;
	return i;
}

enum clq_status
pg_status(const char *sqlstate)
{
	size_t i;

	if (sqlstate == NULL)
		return CLQ_UNAVAILABLE;	/* libpq's own: the connection */
	i = find(sqlstate);
	return i < CLQ_COUNT(states) ? states[i].status : CLQ_FAILED;
}

/* libpq's messages end in newlines. */
static struct clq_str
trimmed(const char *message)
{
	return clq_str_trim(clq_str_of(message != NULL ? message : ""));
}

static void
tell(const struct pg_db *db, enum clq_status status, const char *state,
    struct clq_str message, const char *what)
{
	enum clq_log_level level = CLQ_LOG_ERROR;

	if (status == CLQ_RETRY)
		level = CLQ_LOG_DEBUG;	/* core tries again */
	if (status == CLQ_READONLY)
		level = CLQ_LOG_WARNING;
	clq_log(level, "postgresql: %s: %.*s (%s; %.60s)", db->shown,
	    CLQ_FMT(message), state != NULL ? state : "no SQLSTATE", what);
}

enum clq_status
pg_error(struct pg_db *db, const PGresult *res, const char *what)
{
	const char *state = NULL;
	struct clq_str message;
	enum clq_status status;

	if (res != NULL)
		state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (res != NULL && state != NULL)
		message = trimmed(PQresultErrorField(res,
		    PG_DIAG_MESSAGE_PRIMARY));
	else
		message = trimmed(res != NULL ? PQresultErrorMessage(res) :
		    PQerrorMessage(db->conn));
	status = pg_status(state);
	if (db->doomed == CLQ_OK) {	/* later ones are its echo */
		tell(db, status, state, message, what);
		db->doomed = status;
	}
	if (state == NULL || (find(state) < CLQ_COUNT(states) &&
	    states[find(state)].reconnect))
		db->broken = true;
	/* a server that was the primary may have become a standby */
	if (status == CLQ_READONLY && db->nhosts > 1)
		db->broken = true;
	return db->doomed;
}
