/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the listener `redis` share.
 */
#ifndef CLQ_APP_REDIS_H
#define CLQ_APP_REDIS_H

#include <cliquet/app.h>

/* Where Redis is. */
struct redis_address {
	const char	*host;		/* or NULL: path */
	int		 port;
	const char	*path;		/* of a UNIX socket */
	const char	*user;		/* or NULL */
	const char	*password;	/* or NULL */
	int64_t		 number;	/* of the database */
};

/* redis://[[user]:password@]host[:port][/number] or
 * unix://[[user]:password@]/path[?db=number]; false: it is neither. */
bool redis_address(struct clq_arena *arena, struct clq_str url,
    struct redis_address *out);

#endif
