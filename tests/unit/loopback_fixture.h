/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that need a server without backends or settings of its own: `lb`,
 * a new one for each. Each file that includes this declares its suites with
 * setup and teardown.
 */
#ifndef CLQ_LOOPBACK_FIXTURE_H
#define CLQ_LOOPBACK_FIXTURE_H

#include <cliquet/json.h>
#include <cliquet/str.h>

#include "tests/support/loopback.h"

#include <criterion/criterion.h>

static struct loopback lb;

static inline void
setup(void)
{
	lb = loopback_new("project_version = 1.0\n");
}

static inline void
teardown(void)
{
	loopback_free(&lb);
}

/* JSON that the test is written with. */
static inline cJSON *
tree(const char *text)
{
	struct clq_str why;
	cJSON *out = NULL;

	cr_assert_eq(clq_json_parse(lb.arena, clq_str_of(text), &out, &why),
	    CLQ_OK, "%s", text);
	return out;
}

#endif
