/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Short texts put together on the path of every request, where printf() would
 * be a tenth of the work. In any process; results live in the arena and are
 * NUL-terminated too.
 */
#ifndef CLQ_TEXT_H
#define CLQ_TEXT_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

/* n texts, one after the other. */
struct clq_str clq_text_join(struct clq_arena *arena,
    const struct clq_str *parts, size_t n);

/* The number in digits. */
struct clq_str clq_text_int(struct clq_arena *arena, int64_t number);

#endif
