/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Sentry DSN: https://KEY[:SECRET]@HOST[:PORT][/PATH]/PROJECT.
 */
#ifndef CLQ_FCGI_DSN_H
#define CLQ_FCGI_DSN_H

#include <cliquet/types.h>

struct clq_dsn {
	char	url[512];	/* where envelopes go; empty: none */
	char	key[128];	/* the public one */
};

/* False if text is not a DSN. *out is written in any case. */
bool clq_dsn_parse(struct clq_str text, struct clq_dsn *out);

#endif
