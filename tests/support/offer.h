/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of core/plugin.c: plugins that a test holds in its hand.
 *
 * To be included by one file of a test program that links the archive; its
 * definition then wins over the archive's. What is offered is found by its
 * name, whatever the kind.
 */
#ifndef OFFER_H
#define OFFER_H

#include <cliquet/abi.h>

#include "core/plugin.h"

static const struct clq_plugin *offered[16];
static size_t noffered;

static void
offer(const struct clq_plugin *p)
{
	offered[noffered++] = p;
}

enum clq_status
clq_plugin_load(struct clq_settings *s, const char *kind,
    struct clq_str value, const char *key, const struct clq_plugin **out)
{
	for (size_t i = 0; i < noffered; i++)
		if (clq_str_is(value, offered[i]->name)) {
			*out = offered[i];
			return CLQ_OK;
		}
	return clq_settings_error(s, key, "no %s plugin %.*s", kind,
	    CLQ_FMT(value));
}

#endif
