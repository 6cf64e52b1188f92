/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources whose objects are rows of a table of somebody else
 * (docs/relational.md); for the parts of the PostgreSQL backend.
 *
 * The rows are the living objects; tombstones and the clock of a list are in
 * `objects` and `timestamps`, as for all others. Triggers on the table, made
 * by `cliquet migrate`, are the only ones that move the clock and bury, whoever
 * writes: so the sync promise holds for changes by any SQL too. A row gets its
 * timestamp while its writer holds the clock, until the commit.
 *
 * For a query, the table is made to look like `objects` by a subquery of that
 * name, which the planner resolves: id, last_modified, deleted, data and
 * parent_id as there, so that whatever pg_sql.c and its like write is right;
 * beside them `row_id` and c0, c1, ... are the columns as they are, by which
 * indexes are found.
 *
 * No name in SQL is a setting's text: all are what the catalog returned for it,
 * quoted by PostgreSQL.
 */
#ifndef CLQ_STORAGE_PG_TABLE_H
#define CLQ_STORAGE_PG_TABLE_H

#include "storage/pg.h"

/* What values of a column are compared as; PG_OTHER: as their JSON. */
enum pg_kind {
	PG_OTHER,
	PG_TEXT,
	PG_INTEGER,
	PG_NUMERIC,
	PG_BOOLEAN,
	PG_UUID,
	PG_INSTANT,		/* timestamptz */
	PG_JSON,
	PG_TEXTS		/* text[] */
};

struct pg_table_column {
	const char	*name;
	const char	*ident;		/* quoted, as all that follows */
	const char	*literal;
	const char	*type;
	const char	*collate;	/* " COLLATE x", its own; or "" */
	const char	*bytewise;	/* what makes it compare by code point */
	const char	*def;		/* default; NULL: none */
	bool		 not_null;
	bool		 generated;	/* not to be written */
	enum pg_kind	 kind;
	size_t		 n;		/* of c0, c1, ... */
};

struct pg_table {
	const struct clq_table	*conf;
	struct clq_str		 resource;

	const char		*broken;	/* why it cannot be served, and
						   what to do; else NULL */

	/* As found in the catalog by this connection. */
	const char		*name;		/* schema.table */
	const char		*resource_sql;	/* literal */
	const char		*prefix_sql;	/* literal of parent_prefix */
	const char		*schema;	/* where the functions are */
	const char		*fn[6];		/* enum pg_table_fn, quoted */
	const char		*index;		/* over timestamps, quoted */
	const char		*name_literal;
	const char		*index_literal;
	const char		*remembered;	/* mark of what migrate made, "" */
	bool			 complete;	/* triggers and index are there */
	struct pg_table_column	 id, modified, parent;
	struct pg_table_column	*columns;
	size_t			 n;
	const char		*document;	/* of the row t, as jsonb */
	const char		*parent_sql;	/* parent id of the row t */
};

enum pg_table_fn { PG_FN_LOCK, PG_FN_TICK, PG_FN_BURY, PG_FN_STAMP,
	PG_FN_MOVED, PG_FN_WRITE, PG_FN__COUNT };

/* On a table with one list; there is one less where there are many. */
enum { PG_TRIGGERS = 4 };

/* An object that a look-up of this transaction has seen. */
struct pg_seen {
	struct clq_coll	 coll;
	struct clq_str	 id;
	clq_msec	 last_modified;
	struct pg_seen	*next;
};

/* ---- pg_table.c, pg_table_catalog.c: which there are, and what they are --- */

/* The table of a resource, or NULL. One that cannot be served dooms the
 * transaction, so that nothing of it is sent and its request is answered 503;
 * then it is NULL too. */
const struct pg_table *pg_table_of(struct pg_db *db, struct clq_str resource);

/* For those who go through all tables: doom the transaction because of this
 * one, which is broken. */
void pg_table_refuse(struct pg_db *db, size_t i);

/* True if there is to be one, connected or not. */
bool pg_is_mapped(const struct pg_db *db, struct clq_str resource);

/* Learn about all tables; when connecting, outside the pipeline mode. What
 * cannot be served is complained about and marked, and is no failure. */
enum clq_status pg_tables_load(struct pg_db *db, clq_msec until)
    CLQ_MUST_CHECK;

/* The same on a connection that is there and idle, if it is due since a broken
 * one was asked for (pg_db.look_again): it may have been repaired. */
enum clq_status pg_tables_again(struct pg_db *db, clq_msec until)
    CLQ_MUST_CHECK;

/* For the heartbeat: true, and told, if one of them cannot be served. */
bool pg_tables_broken(struct pg_db *db);

/*
 * Read the catalog about one. *why: NULL, or what is wrong and what to do, in
 * the arena. CLQ_OK or CLQ_UNAVAILABLE (complained).
 */
enum clq_status pg_table_read(struct pg_db *db, struct clq_arena *arena,
    const struct clq_table *conf, clq_msec until, struct pg_table *out,
    const char **why) CLQ_MUST_CHECK;

clq_storage_map_f pg_map;

/* True for the 36 characters of a UUID as PostgreSQL prints it. */
bool pg_is_uuid(struct clq_str s);

/* ---- pg_table_script.c: what `cliquet migrate` makes --------------------- */

/* The statements, in arena, as one text; and whether they were run already for
 * this very mapping, and nothing of it is missing. */
struct clq_str pg_table_script(struct clq_arena *arena,
    const struct pg_table *t);
bool pg_table_is_ready(struct clq_arena *arena, const struct pg_table *t);

/* ---- pg_table_page.c: what is selected from */

/* What a query is about (pg_sql.part): the table and, if they take part, the
 * tombstones; or one part of a page. */
enum pg_part {
	PG_ALL,
	PG_ROWS,
	PG_WITH_VALUE,		/* of the first column of the order */
	PG_WITHOUT_VALUE,
	PG_TOMBSTONES
};

/* " FROM (...) AS objects WHERE TRUE". */
void pg_table_from(struct pg_sql *b, const struct clq_query *q,
    bool deleted);
/* Everything behind the selected columns of a page. */
void pg_table_page(struct pg_sql *b, const struct clq_query *q);

/* " AND <the row has this id>"; any of these. */
void pg_table_id(struct pg_sql *b, struct clq_str id);
void pg_table_ids(struct pg_sql *b, const struct clq_strs *ids);

/* ---- pg_table_query.c: columns in conditions */

/* The column of an attribute, or NULL. */
const struct pg_table_column *pg_table_column(const struct pg_table *t,
    struct clq_str name);

/* The same as pg_sql_compare(), pg_sql_filter(), pg_sql_sort() and in terms of
 * the column; false: nothing was written, use those. */
bool pg_table_compare(struct pg_sql *b, const struct pg_table_column *c,
    enum clq_op op, const struct cJSON *value);
bool pg_table_filter(struct pg_sql *b, const struct pg_table_column *c,
    const struct clq_filter *f);
bool pg_table_sort(struct pg_sql *b, const struct pg_table_column *c,
    bool descending);

/* expr >= value, for rows that have one; expr is the column's. */
bool pg_table_from_value(struct pg_sql *b, const struct pg_table_column *c,
    const char *expr, const struct cJSON *value);

/* ---- pg_table_write.c ---------------------------------------------------- */

/* Send the search for an object. */
void pg_table_find(struct pg_db *db, struct clq_arena *arena,
    struct clq_want *want);
/* This transaction has seen a row like that, and relies on it: writing will
 * find whether somebody else's SQL, which takes none of our locks, has changed
 * it. Does nothing for other resources. */
void pg_table_saw(struct pg_db *db, const struct clq_coll *coll,
    struct clq_str id, clq_msec last_modified);
/* Ahead of a look-up that will be followed by a write, if the last transaction
 * was overtaken like that: send for the clock of the list, so that whoever has
 * it ends first and nobody comes in between. Nothing for other resources. */
void pg_table_hold(struct pg_db *db, struct clq_arena *arena,
    const struct clq_coll *coll);
/* Send a write. */
void pg_table_send(struct pg_db *db, const struct pg_table *t,
    struct clq_write *w);
/* Queue or send what erases below a parent; all rows; adds their counts. */
void pg_table_erase(struct pg_db *db, struct clq_str resource,
    struct clq_str parent);
void pg_table_flush(struct pg_db *db);
void pg_table_totals(struct pg_db *db, struct clq_arena *arena,
    int64_t *counts);

clq_storage_written_f pg_written;

#endif
