/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tables a database has, and whether they can be served.
 *
 * Kinto keeps the versions of its schemas as rows of `metadata`, one for each
 * upgrade; the highest counts. cliquet reads version 26, the one whose meaning
 * it knows, and upgrades no older one: Kinto does that.
 */
#include "storage/pg.h"

#include <cliquet/str.h>

#include <stdio.h>
#include <stdlib.h>

static int
number(const PGresult *res, int row, int column)
{
	const char *value = PQgetvalue(res, row, column);
	long n = strtol(value, NULL, 10);

	return n > 0 && n < 1000000 ? (int)n : 0;
}

static void
raise_to(int *version, int found)
{
	if (found > *version)
		*version = found;
}

static enum clq_status
read_versions(struct pg_db *db, clq_msec until, struct pg_state *s)
{
	PGresult *res = pg_ask(db, "SELECT name, value FROM metadata"
	    " WHERE name IN ('storage_schema_version',"
	    " 'permission_schema_version', 'cliquet_schema_version')",
	    until);
	const char *name;
	int row;

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	for (row = 0; row < PQntuples(res); row++) {
		name = PQgetvalue(res, row, 0);
		raise_to(name[0] == 's' ? &s->storage : name[0] == 'p' ?
		    &s->permission : &s->cliquet, number(res, row, 1));
	}
	PQclear(res);
	return CLQ_OK;
}

enum clq_status
pg_schema_read(struct pg_db *db, clq_msec until, struct pg_state *out)
{
	PGresult *res = pg_ask(db, "SELECT"
	    " (to_regclass('objects') IS NOT NULL"
	    " OR to_regclass('records') IS NOT NULL)::int,"
	    " (to_regclass('user_principals') IS NOT NULL)::int,"
	    " (to_regclass('metadata') IS NOT NULL)::int,"
	    " (to_regclass('cache') IS NOT NULL)::int", until);
	enum clq_status status = CLQ_OK;
	bool storage, permission;

	if (res == NULL)
		return CLQ_UNAVAILABLE;
	memset(out, 0, sizeof *out);
	storage = number(res, 0, 0) != 0;
	permission = number(res, 0, 1) != 0;
	out->metadata = number(res, 0, 2) != 0;
	out->cache = number(res, 0, 3) != 0;
	PQclear(res);
	if (out->metadata)
		status = read_versions(db, until, out);
	if (storage != (out->storage > 0))
		out->storage = storage ? -1 : 0;
	if (permission != (out->permission > 0))
		out->permission = permission ? -1 : 0;
	return status;
}

static const char *
judge(char *buf, size_t cap, const char *what, int found, int known)
{
	if (found == known)
		return NULL;
	if (found == 0)
		snprintf(buf, cap, "the database has no tables for %s: run "
		    "`cliquet migrate`", what);
	else if (found < 0)
		snprintf(buf, cap, "the database has tables for %s of "
		    "unknown version, older than Kinto 8.1.2: run `kinto "
		    "migrate` of Kinto 26.5, then `cliquet migrate`", what);
	else if (found < known)
		snprintf(buf, cap, "the tables for %s have Kinto's schema "
		    "version %d, and %d is needed: run `kinto migrate` of "
		    "Kinto 26.5, then `cliquet migrate`", what, found,
		    known);
	else
		snprintf(buf, cap, "the tables for %s have Kinto's schema "
		    "version %d, made by a newer Kinto; this cliquet knows "
		    "%d: upgrade cliquet", what, found, known);
	return buf;
}

const char *
pg_schema_verdict(const struct pg_db *db, const struct pg_state *s,
    char *buf, size_t cap)
{
	const char *why = NULL;

	if (db->storage)
		why = judge(buf, cap, "objects", s->storage,
		    PG_STORAGE_VERSION);
	if (why == NULL && db->permission)
		why = judge(buf, cap, "permissions", s->permission,
		    PG_PERMISSION_VERSION);
	if (why == NULL && db->cache)
		why = judge(buf, cap, "the cache", s->cache, true);
	return why;
}
