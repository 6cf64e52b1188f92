/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collected request as a file that libfcgi can read.
 *
 * A request that came in pieces is in our memory, and libfcgi reads from
 * descriptors only. So it is written, in the plainest of records, to a memory
 * file that the worker keeps for this. In a worker.
 */
#ifndef CLQ_FCGI_SPOOL_H
#define CLQ_FCGI_SPOOL_H

#include "scan.h"

/*
 * Write the request of s, which must be complete and not refused.
 *
 * fd   the memory file, made if it is -1; replaced as a whole, positioned at
 *      its beginning
 * False (logged) without memory.
 */
bool clq_spool_write(int *fd, const struct clq_scan *s);

#endif
