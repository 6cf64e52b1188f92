/* SPDX-License-Identifier: Apache-2.0 */
/* What applications have to do when the form of what they store changes:
 * declared at start-up, done by `cliquet migrate`. */
#ifndef CLQ_MIGRATIONS_H
#define CLQ_MIGRATIONS_H

#include <cliquet/app.h>

struct clq_migrations {
	const struct clq_migration	**list;
	size_t				  n;
};

/*
 * Run the steps that are missing, on an open server. say: told each step, and
 * what is up to date; dry_run: only told. CLQ_OK, or the status of the step
 * that failed (logged); those before it stay done.
 */
CLQ_API enum clq_status clq_migrations_run(struct clq_server *srv,
    bool dry_run, void (*say)(const char *line)) CLQ_MUST_CHECK;

#endif
