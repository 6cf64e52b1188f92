/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL of `cliquet migrate`, step by step. Only pg_migrate.c includes this.
 *
 * Tables, columns, indexes and functions have the names and meanings of
 * Kinto's schema (storage version 26, permissions version 2), so that either
 * server can work with a database that the other made.
 *
 * cliquet's own additions come after them and change no meaning:
 *	the trigger leaves rows alone that cliquet writes, which carry their
 *	timestamp; for others it does what it always did
 *	one index over the living objects of a list serves its order and counts
 *	past tombstones; three of Kinto's that nothing needs then are dropped
 */
#ifndef CLQ_STORAGE_PG_SCHEMA_H
#define CLQ_STORAGE_PG_SCHEMA_H

#include <stdbool.h>

struct pg_step {
	const char	*what;		/* for people */
	const char	*sql;		/* one or more statements */
	bool		 alone;		/* not within a transaction */
};

/* clang-format off */

/* The timestamp as milliseconds since 1970, and back. */
#define PG_EPOCH_FUNCTIONS						\
	"CREATE OR REPLACE FUNCTION as_epoch(ts TIMESTAMP)\n"		\
	"RETURNS BIGINT LANGUAGE plpgsql IMMUTABLE AS $$\n"		\
	"BEGIN\n"							\
	"  RETURN round(extract(epoch FROM ts) * 1000)::BIGINT;\n"	\
	"END $$;\n"							\
	"CREATE OR REPLACE FUNCTION from_epoch(epoch BIGINT)\n"		\
	"RETURNS TIMESTAMP LANGUAGE plpgsql IMMUTABLE AS $$\n"		\
	"BEGIN\n"							\
	"  RETURN TIMESTAMP 'epoch'\n"					\
	"    + epoch / 86400000 * INTERVAL '1 day'\n"			\
	"    + epoch % 86400000 * INTERVAL '1 millisecond';\n"		\
	"END $$;\n"

/*
 * A row that comes without a timestamp, or with the newest one of its list,
 * gets the time, or the millisecond after the newest. Those of cliquet carry
 * theirs: it says so in its sessions.
 */
#define PG_TRIGGER_FUNCTION						\
	"CREATE OR REPLACE FUNCTION bump_timestamp()\n"			\
	"RETURNS trigger LANGUAGE plpgsql AS $$\n"			\
	"DECLARE\n"							\
	"  newest BIGINT;\n"						\
	"  next BIGINT;\n"						\
	"BEGIN\n"							\
	"  IF current_setting('cliquet.clock', true) = 'on'\n"		\
	"      AND NEW.last_modified IS NOT NULL THEN\n"		\
	"    RETURN NEW;\n"						\
	"  END IF;\n"							\
	"  SELECT as_epoch(GREATEST(\n"					\
	"      (SELECT t.last_modified FROM timestamps AS t\n"		\
	"        WHERE t.parent_id = NEW.parent_id\n"			\
	"          AND t.resource_name = NEW.resource_name),\n"		\
	"      (SELECT o.last_modified FROM objects AS o\n"		\
	"        WHERE o.parent_id = NEW.parent_id\n"			\
	"          AND o.resource_name = NEW.resource_name\n"		\
	"        ORDER BY o.last_modified DESC LIMIT 1)))\n"		\
	"    INTO newest;\n"						\
	"  IF NEW.last_modified IS NULL\n"				\
	"      OR as_epoch(NEW.last_modified) = newest THEN\n"		\
	"    next := as_epoch(clock_timestamp()::TIMESTAMP);\n"		\
	"    IF newest >= next THEN\n"					\
	"      next := newest + 1;\n"					\
	"    END IF;\n"							\
	"    NEW.last_modified := from_epoch(next);\n"			\
	"  END IF;\n"							\
	"  RETURN NEW;\n"						\
	"END $$;\n"

#define PG_METADATA							\
	"CREATE TABLE IF NOT EXISTS metadata (\n"			\
	"  name VARCHAR(128) NOT NULL,\n"				\
	"  value VARCHAR(512) NOT NULL);\n"

/* A database without tables of objects. */
static const struct pg_step pg_storage_steps[] = {
	{ "functions as_epoch, from_epoch", PG_EPOCH_FUNCTIONS, false },
	{ "table objects",
	"CREATE TABLE objects (\n"
	"  id TEXT COLLATE \"C\" NOT NULL,\n"
	"  parent_id TEXT COLLATE \"C\" NOT NULL,\n"
	"  resource_name TEXT COLLATE \"C\" NOT NULL,\n"
	"  last_modified TIMESTAMP NOT NULL,\n"
	"  data JSONB NOT NULL DEFAULT '{}'::JSONB,\n"
	"  deleted BOOLEAN NOT NULL,\n"
	"  PRIMARY KEY (id, parent_id, resource_name));\n"
	"CREATE UNIQUE INDEX\n"
	"  idx_objects_parent_id_resource_name_last_modified\n"
	"  ON objects (parent_id, resource_name, last_modified DESC);\n"
	"CREATE INDEX idx_objects_history_userid_and_resourcename\n"
	"  ON objects ((data->'user_id'), (data->'resource_name'))\n"
	"  WHERE resource_name = 'history';\n", false },
	{ "table timestamps",
	"CREATE TABLE timestamps (\n"
	"  parent_id TEXT COLLATE \"C\" NOT NULL,\n"
	"  resource_name TEXT COLLATE \"C\" NOT NULL,\n"
	"  last_modified TIMESTAMP NOT NULL,\n"
	"  PRIMARY KEY (parent_id, resource_name));\n", false },
	{ "trigger on objects", PG_TRIGGER_FUNCTION
	"CREATE TRIGGER tgr_objects_last_modified\n"
	"  BEFORE INSERT OR UPDATE OF data ON objects\n"
	"  FOR EACH ROW EXECUTE PROCEDURE bump_timestamp();\n", false },
	{ "table metadata", PG_METADATA
	"INSERT INTO metadata (name, value)\n"
	"  VALUES ('created_at', NOW()::TEXT),\n"
	"         ('storage_schema_version', '26');\n", false },
};

/* A database without tables of permissions. */
static const struct pg_step pg_permission_steps[] = {
	{ "table user_principals",
	"CREATE TABLE user_principals (\n"
	"  user_id TEXT COLLATE \"C\",\n"
	"  principal TEXT,\n"
	"  PRIMARY KEY (user_id, principal));\n", false },
	{ "table access_control_entries",
	"CREATE TABLE access_control_entries (\n"
	"  object_id TEXT COLLATE \"C\",\n"
	"  permission TEXT,\n"
	"  principal TEXT,\n"
	"  PRIMARY KEY (object_id, permission, principal));\n"
	"CREATE INDEX idx_access_control_entries_principal\n"
	"  ON access_control_entries (principal);\n", false },
	{ "version of the permissions", PG_METADATA
	"INSERT INTO metadata (name, value)\n"
	"  VALUES ('permission_schema_version', '2');\n", false },
};

/* A database without a table of the cache; sec2ttl() is for Kinto. */
static const struct pg_step pg_cache_step = { "table cache",
	"CREATE UNLOGGED TABLE IF NOT EXISTS cache (\n"
	"  key VARCHAR(256) PRIMARY KEY,\n"
	"  value TEXT NOT NULL,\n"
	"  ttl TIMESTAMP DEFAULT NULL);\n"
	"CREATE INDEX IF NOT EXISTS idx_cache_ttl ON cache (ttl);\n"
	"CREATE OR REPLACE FUNCTION sec2ttl(seconds FLOAT)\n"
	"RETURNS TIMESTAMP LANGUAGE sql AS\n"
	"$$ SELECT (now() + make_interval(secs => seconds))::TIMESTAMP $$;\n",
	false };

/* What cliquet adds, version 1; for objects, then for permissions. All may be
 * run again: a migration that was interrupted goes on where it was. */
static const struct pg_step pg_storage_additions[] = {
	{ "body of the trigger function", PG_TRIGGER_FUNCTION, false },
	{ "index over living objects",
	"CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_cliquet_objects_live\n"
	"  ON objects (parent_id, resource_name, last_modified DESC)\n"
	"  WHERE NOT deleted;\n", true },
	{ "indexes that nothing needs any more",
	"DROP INDEX IF EXISTS idx_objects_last_modified_epoch;\n"
	"DROP INDEX IF EXISTS idx_objects_resource_name_parent_id_deleted;\n"
	"DROP INDEX IF EXISTS idx_objects_parent_id_record_last_modified;\n",
	false },
};
static const struct pg_step pg_permission_additions[] = {
	{ "index over members of groups",
	"CREATE INDEX CONCURRENTLY IF NOT EXISTS\n"
	"  idx_cliquet_user_principals_principal\n"
	"  ON user_principals (principal COLLATE \"C\");\n", true },
};

/* clang-format on */

#endif
