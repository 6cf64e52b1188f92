/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the conformance suites share: the backend under test and its life.
 *
 * A suite is a program that knows the installed headers and no backend. The
 * environment names the backend:
 *
 *	CLQ_TEST_PLUGIN		a path or a bare name, as in an ini
 *	CLQ_TEST_URL		its <prefix>_url; may be unset
 *	CLQ_TEST_OPTIONS	more ini lines, separated by ';'
 *
 * WHAT IT POINTS AT IS FLUSHED before every test. A suite leaves with 77 when
 * no plugin is named or its service does not answer. Tests run one after the
 * other, each in a process of its own.
 */
#ifndef CLQ_TESTS_FIXTURE_H
#define CLQ_TESTS_FIXTURE_H

#include <cliquet/abi.h>
#include <cliquet/arena.h>

#include <sys/types.h>

struct fixture {
	struct clq_settings	*settings;
	const struct clq_plugin	*plugin;
	struct clq_arena	*arena;		/* until fixture_close() */
	void			*self;
};

/*
 * Load and configure the backend, as a master does before it forks. Ends the
 * process with a message if that fails: it is the tester's mistake.
 *
 * prefix  "storage", "permission" or "cache"
 */
void fixture_configure(struct fixture *f, const char *prefix);

/* Connect, as a worker does after fork. */
void fixture_open(struct fixture *f);

/* Disconnect and free all; in the process that configured, last. */
void fixture_close(struct fixture *f);

/*
 * The whole of main(): the probe, then the tests. Criterion starts the program
 * anew for each test and looks main up by name, so it must not be hidden.
 */
int fixture_main(int argc, char **argv, const char *prefix);
CLQ_API int main(int argc, char **argv);

/*
 * Fork a process that opens f, which is configured but not open, runs
 * body(f, ctx), closes f and leaves with the result, as a worker does.
 */
typedef int fixture_body_f(struct fixture *f, void *ctx);
pid_t fixture_fork(struct fixture *f, fixture_body_f *body, void *ctx);

/* Wait for pid; its exit status, or -1 - signal if a signal ended it. */
int fixture_wait(pid_t pid);

#endif
