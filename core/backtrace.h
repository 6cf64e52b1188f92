/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the program was: for the log, when something went wrong.
 */
#ifndef CLQ_BACKTRACE_H
#define CLQ_BACKTRACE_H

#include <cliquet/buf.h>

enum { CLQ_FRAMES_MAX = 32 };

/* Load what backtrace(3) needs, so that a handler of signals can call it. */
CLQ_API void clq_backtrace_init(void);

/*
 * Append n frames as "cliquetd(+0x1a2b) < libcliquet.so.1(clq_fail+0x10) < ..."
 * for addr2line(1). Not in a handler of signals. The frames may be those of
 * another process that was forked from this one.
 */
CLQ_API void clq_backtrace_text(struct clq_buf *b, void *const *frames, int n);

#endif
