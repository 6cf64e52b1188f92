/* SPDX-License-Identifier: Apache-2.0 */
/* Declared inputs of services: checked when they are added, read before the
 * view runs. */
#ifndef CLQ_INPUTS_H
#define CLQ_INPUTS_H

#include <cliquet/app.h>

struct clq_route;

/* In the master: what is wrong with the declaration is logged. */
enum clq_status clq_inputs_check(struct clq_server *srv,
    const struct clq_route *route) CLQ_MUST_CHECK;

/* True if requests with that method have the input. */
bool clq_input_applies(const struct clq_input *input, enum clq_method method);

/*
 * Fill req->inputs for the matched route, as section 02-4 has it. CLQ_OK, or
 * CLQ_INVALID (all errors are collected, or 415 is noted).
 */
enum clq_status clq_inputs_read(struct clq_request *req) CLQ_MUST_CHECK;

#endif
