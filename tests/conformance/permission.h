/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short words for the permission suite: a fixture that is open and empty, and
 * functions that assert what every test takes for granted. Each that changes
 * or reads something has a transaction of its own; texts returned live in the
 * fixture's arena.
 */
#ifndef CLQ_TESTS_PERMISSION_H
#define CLQ_TESTS_PERMISSION_H

#include <cliquet/abi.h>

#include <criterion/criterion.h>

#include "tests/conformance/fixture.h"

/* Open, flushed, outside a transaction. */
extern struct fixture fx;

void permission_setup(void);
void permission_teardown(void);

#define PermissionTest(...)						\
	Test(__VA_ARGS__, .init = permission_setup,			\
	    .fini = permission_teardown, .timeout = 60)

#define S(text)	clq_str_of(text)

/* The table of the backend, and transactions that must succeed. */
const struct clq_permission_ops *ops(void);
void begin(enum clq_tx_mode mode);
void commit(void);

/* The words of a text; they stay, since changes may be queued. */
struct clq_strs words(const char *text);

/* add() and remove(). */
void allow(const char *object, const char *permission,
    const char *principal);
void disallow(const char *object, const char *permission,
    const char *principal);

/* Replace permissions given as pairs: name, words; ended by NULL. */
void replace(const char *object, const char *const *pairs);

/* delete_objects() of the words of a text. */
void delete_objects(const char *patterns);

/* add_member() and forget_principal(). */
void member(const char *user, const char *principal);
void forget(const char *pattern);

/* "a,b", sorted; "read=a,b write=c", sorted. */
const char *strs_text(struct clq_strs list);
const char *acl_text(struct clq_acl acl);
const char *acl_of(const char *object);
const char *groups_of(const char *user);

/*
 * accessible() for bounds given as pairs: object, permission; ended by NULL.
 * "/a=read,write /b=read", in the order returned.
 */
const char *accessible(const char *principals, const char *const *pairs,
    bool children);

/* lookup(); user and acl may be NULL. */
struct clq_lookup look(const char *user, const char *principals,
    struct clq_bound *bounds, size_t n, const char *acl);

#endif
