/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of a resource's endpoints share: questions of alice's, and
 * the thing that most of them are about.
 */
#ifndef CLQ_RESOURCE_FIXTURE_H
#define CLQ_RESOURCE_FIXTURE_H

#include <cliquet/str.h>

#include "stored_fixture.h"

#define THING	"/v1/things/x"
#define A_THING	"{\"data\":{\"name\":\"n\"}}"

/* As alice; headers: more of them. The status must be as expected. */
static inline struct clq_request *
ask(int status, const char *method, const char *url, const char *headers,
    const char *body)
{
	struct clq_str all = clq_arena_printf(lb.arena, "%s%s", ALICE,
	    headers);

	return stored_ask(&lb, status, method, url, all.p, body);
}

#endif
