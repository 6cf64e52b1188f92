/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a Redis server is, as its URL says: a library within the storage and
 * the listener of that name.
 */
#ifndef CLQ_REDIS_ADDRESS_H
#define CLQ_REDIS_ADDRESS_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

struct redis_address {
	const char	*host;		/* or NULL: path */
	int		 port;
	const char	*path;		/* of a UNIX socket */
	const char	*user;		/* or NULL */
	const char	*password;	/* or NULL */
	int64_t		 number;	/* of the database */
};

/*
 * redis://[[user]:password@]host[:port][/number], or
 * unix://[[user]:password@]/path/of/socket[?db=number]; without a host
 * localhost, without a port 6379. Parts are percent-decoded, since passwords
 * hold anything. Texts of out are the arena's. False: it is neither.
 */
bool redis_address(struct clq_arena *arena, struct clq_str url,
    struct redis_address *out);

#endif
