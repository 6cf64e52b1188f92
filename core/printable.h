/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes of a stranger's text may go to a terminal, a log, a page. */
#ifndef CLQ_PRINTABLE_H
#define CLQ_PRINTABLE_H

#include <cliquet/types.h>

/* Bytes of the well-formed, printable UTF-8 character at p, of which left (at
 * least 1) can be read; 0 if there is none: a control (C0, DEL, C1), or no
 * UTF-8. */
CLQ_API size_t clq_printable(const char *p, size_t left);

#endif
