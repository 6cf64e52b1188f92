/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short words for the storage suite: a fixture that is open and empty, one
 * list, and functions that assert what every test takes for granted.
 */
#ifndef CLQ_TESTS_STORAGE_H
#define CLQ_TESTS_STORAGE_H

#include <cliquet/abi.h>
#include <cliquet/json.h>

#include <criterion/criterion.h>

#include "tests/conformance/fixture.h"

/* Open, flushed, outside a transaction. */
extern struct fixture fx;
extern const struct clq_coll list;	/* that most tests use */

void storage_setup(void);
void storage_teardown(void);

#define StorageTest(...)						\
	Test(__VA_ARGS__, .init = storage_setup, .fini = storage_teardown, \
	    .timeout = 120)

/* The tables of the backend. */
const struct clq_backend_ops *backend(void);
const struct clq_storage_ops *storage(void);

/* Transactions that must succeed. */
void tx_read(void);
void tx_write(void);
void tx_commit(void);
void tx_undo(void);

/*
 * One write in the open transaction, and its last_modified or, negative, its
 * status. at: the client's timestamp, NO_TIME for none.
 */
#define NO_TIME	INT64_MIN
int64_t write_at(const struct clq_coll *coll, enum clq_write_op op,
    const char *id, const char *json, clq_msec at);

/* The same in a transaction of its own. */
int64_t put_at(const struct clq_coll *coll, enum clq_write_op op,
    const char *id, const char *json, clq_msec at);

/* ... of `list`, without a timestamp, which must succeed. */
clq_msec create(const char *id, const char *json);
clq_msec update(const char *id, const char *json);
clq_msec delete(const char *id);

/* The stored object, in a transaction of its own; NULL if there is none. */
const struct clq_object *get_in(const struct clq_coll *coll, const char *id);
const struct clq_object *get(const char *id);

/* timestamp() of a list, in a writing transaction of its own. */
clq_msec timestamp_of(const struct clq_coll *coll);

/* JSON of the fixture's arena; the text must be right. */
const cJSON *json(const char *text);

/* True if the document is this one: same names, same values. */
bool same_json(struct clq_str data, const char *expected);

/*
 * A query on `list` sorted by the words of sorts, "-age id" (by default
 * "-last_modified"). Lives in the fixture's arena.
 */
struct clq_query *query(const char *sorts);

/* Add a filter to it; value is JSON. */
void filter(struct clq_query *q, const char *field, enum clq_op op,
    const char *value);

/* Run it in a transaction of its own. */
struct clq_page run(const struct clq_query *q);
int64_t count(const struct clq_query *q);

/* Run it; the ids, separated by blanks; tombstones with a '!' in front. */
const char *ids(const struct clq_query *q);

/* The same in one call: ids of a filtered list sorted by id. */
const char *matching(const char *field, enum clq_op op, const char *value);

#endif
