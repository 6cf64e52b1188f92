/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the backend under test through the server's own plugin loader and
 * settings, so that what passes here loads in the server too.
 */
#include "tests/conformance/fixture.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <criterion/options.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/plugin.h"
#include "core/settings_load.h"

enum { EXIT_SKIP = 77, PROBE_MSEC = 5000 };

static void
die(const char *what)
{
	fprintf(stderr, "conformance: %s\n", what);
	_exit(EXIT_FAILURE);
}

/* The ini that the environment describes. */
static struct clq_str
ini(struct clq_arena *arena, const char *prefix)
{
	struct clq_str options = clq_str_of(getenv("CLQ_TEST_OPTIONS"));
	const char *url = getenv("CLQ_TEST_URL");
	struct clq_str line;
	struct clq_buf b;

	clq_buf_init(&b, arena, 256);
	clq_buf_adds(&b, "[app:main]\n");
	if (url != NULL && *url != '\0')
		clq_buf_printf(&b, "%s_url = %s\n", prefix, url);
	while (clq_str_next(&options, ';', &line)) {
		clq_buf_add(&b, clq_str_trim(line));
		clq_buf_addc(&b, '\n');
	}
	return clq_buf_str(&b);
}

void
fixture_configure(struct fixture *f, const char *prefix)
{
	const char *kind = strcmp(prefix, "cache") == 0 ? "cache" : "storage";
	struct clq_str name = clq_str_of(getenv("CLQ_TEST_PLUGIN"));

	memset(f, 0, sizeof *f);
	f->arena = clq_arena_new();
	if (name.len == 0)
		die("CLQ_TEST_PLUGIN names no plugin");
	if (clq_settings_parse("environment", ini(f->arena, prefix),
	    &f->settings) != CLQ_OK)
		die("CLQ_TEST_URL or CLQ_TEST_OPTIONS: not an ini value");
	if (clq_plugin_load(f->settings, kind, name, "CLQ_TEST_PLUGIN",
	    &f->plugin) != CLQ_OK)
		die("the plugin cannot be loaded");
	if (f->plugin->backend == NULL)
		die("the plugin offers no backend");
	if (f->plugin->backend->configure(f->settings, prefix, &f->self) !=
	    CLQ_OK)
		die("the plugin refuses its settings");
}

void
fixture_open(struct fixture *f)
{
	if (f->plugin->backend->open(f->self) != CLQ_OK)
		die("the backend cannot be opened");
}

void
fixture_close(struct fixture *f)
{
	f->plugin->backend->close(f->self);
	clq_settings_free(&f->settings);
	clq_arena_free(&f->arena);
}

pid_t
fixture_fork(struct fixture *f, fixture_body_f *body, void *ctx)
{
	pid_t pid, parent = getpid();
	int result;

	fflush(NULL);
	pid = fork();
	if (pid == -1)
		die("cannot fork");
	if (pid != 0)
		return pid;
	/* a test that takes too long is killed, and leaves none behind */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	fixture_open(f);
	result = body(f, ctx);
	f->plugin->backend->close(f->self);
	_exit(result);
}

int
fixture_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status))
		return -1 - WTERMSIG(status);
	return WEXITSTATUS(status);
}

static int
ping(struct fixture *f, void *ctx)
{
	(void)ctx;
	return f->plugin->backend->ping(f->self, false, PROBE_MSEC) == CLQ_OK ?
	    EXIT_SUCCESS : EXIT_SKIP;
}

/* In a process of its own: connections do not survive the tests' forks. */
static int
probe(const char *prefix)
{
	struct fixture f;
	int result;

	fixture_configure(&f, prefix);
	result = fixture_wait(fixture_fork(&f, ping, NULL));
	fixture_close(&f);
	return result;
}

int
fixture_main(int argc, char **argv, const char *prefix)
{
	struct criterion_test_set *tests;
	int result = EXIT_SUCCESS;

	if (getenv("CLQ_TEST_PLUGIN") == NULL) {
		puts("conformance: CLQ_TEST_PLUGIN is not set: skipped");
		return EXIT_SKIP;
	}
	if ((result = probe(prefix)) != EXIT_SUCCESS) {
		puts("conformance: the service does not answer");
		return result;
	}
	tests = criterion_initialize();
	criterion_options.jobs = 1;	/* they share what they flush */
	if (criterion_handle_args(argc, argv, true))
		result = criterion_run_all_tests(tests) ? EXIT_SUCCESS :
		    EXIT_FAILURE;
	criterion_finalize(tests);
	return result;
}
