/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short words for the cache suite: a fixture that is empty, and functions for
 * what every test does.
 */
#ifndef CLQ_TESTS_CACHE_H
#define CLQ_TESTS_CACHE_H

#include <cliquet/cache.h>
#include <cliquet/clock.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/fixture.h"

enum { MINUTE = 60000 };

extern struct fixture f;
extern const struct clq_cache_ops *ops;

/* Configured and flushed; not open, as a master before it forks. */
void cache_setup(void);
void cache_teardown(void);

void sleep_ms(long ms);

/* Texts in the fixture's arena. */
struct clq_str numbered(const char *name, int i);
struct clq_str text_of(size_t len, unsigned seed);

/* For a minute; false if that fails. */
bool stored(struct clq_str key, struct clq_str value);

/* Must succeed. Not in a child: assertions belong to Criterion's process. */
void put(struct clq_str key, struct clq_str value, clq_msec ttl);

bool holds(struct clq_str key, struct clq_str value);
bool lacks(struct clq_str key);

#endif
