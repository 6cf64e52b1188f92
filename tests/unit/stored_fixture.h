/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests on the resources of tests/support/stored.h: `lb`, a new server with
 * an empty database for each. Each file that includes this declares its suites
 * with setup and teardown, or calls start() where a test has settings of its
 * own.
 */
#ifndef CLQ_STORED_FIXTURE_H
#define CLQ_STORED_FIXTURE_H

#include "tests/support/offer.h"
#include "tests/support/stored.h"

static struct loopback lb;

/* ini: more lines. */
static inline void
start(const char *ini)
{
	offer(&stored_plugin);
	offer(&kept_plugin);
	lb = stored_new(ini);
}

static inline void
setup(void)
{
	start("");
}

static inline void
teardown(void)
{
	stored_free(&lb);
}

#endif
