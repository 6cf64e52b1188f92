/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that need an arena and nothing else: `arena`, a new one for each.
 * Each file that includes this declares its suites with setup and teardown.
 */
#ifndef CLQ_ARENA_FIXTURE_H
#define CLQ_ARENA_FIXTURE_H

#include <cliquet/arena.h>

static struct clq_arena *arena;

static inline void
setup(void)
{
	arena = clq_arena_new();
}

static inline void
teardown(void)
{
	clq_arena_free(&arena);
}

#endif
