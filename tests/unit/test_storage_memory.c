/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the data of memory.so are, how long they last, what is left behind. */
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "core/settings_load.h"
#include "storage/sqlite.h"

static char base[64];
static struct clq_arena *arena;

static void
setup(void)
{
	arena = clq_arena_new();
	strcpy(base, "/tmp/clq-memory-XXXXXX");
	cr_assert_not_null(mkdtemp(base));
	setenv("TMPDIR", base, 1);
}

static void
teardown(void)
{
	char command[128];

	clq_arena_free(&arena);
	snprintf(command, sizeof command, "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}

#define MemoryTest(...)							\
	Test(__VA_ARGS__, .init = setup, .fini = teardown, .timeout = 60)

static struct sq_db *
configure(const char *ini)
{
	struct clq_settings *s = NULL;
	void *self = NULL;

	cr_assert_eq(clq_settings_parse("test.ini", clq_arena_printf(arena,
	    "[app:main]\n%s", ini), &s), CLQ_OK);
	cr_assert_eq(clq_plugin.backend->configure(s, "storage", &self),
	    CLQ_OK);
	clq_settings_free(&s);
	return self;
}

static void
drop(struct sq_db *q)
{
	clq_plugin.backend->close(q);
}

static int
folders(void)
{
	DIR *dir = opendir(base);
	struct dirent *entry;
	int n = 0;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static bool
put(struct sq_db *q, const char *id)
{
	struct clq_write w = { .op = CLQ_WRITE_UPDATE,
	    .coll = { CLQ_STR("record"), CLQ_STR("") },
	    .id = clq_str_of(id), .data = CLQ_STR("{}") };

	return sq_begin(q, CLQ_TX_WRITE) == CLQ_OK &&
	    sq_write(q, &w, 1) == CLQ_OK && sq_finish(q, true) == CLQ_OK;
}

static int64_t
count(struct sq_db *q)
{
	struct clq_query query = { .coll = { CLQ_STR("record"),
	    CLQ_STR("") } };
	int64_t n = -1;

	cr_assert_eq(sq_begin(q, CLQ_TX_READ), CLQ_OK);
	cr_assert_eq(sq_count(q, &query, &n), CLQ_OK);
	cr_assert_eq(sq_finish(q, true), CLQ_OK);
	return n;
}

/* A worker's life. */
static void
work(struct sq_db *q, const char *id)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (sq_open(q) != CLQ_OK || !put(q, id))
			_exit(1);
		drop(q);	/* must not take the data along */
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

MemoryTest(data, outlive_the_workers_and_go_with_the_master)
{
	struct sq_db *q = configure("");

	cr_expect_eq(folders(), 1);
	work(q, "a");
	work(q, "b");
	cr_assert_eq(sq_open(q), CLQ_OK);
	cr_expect_eq(count(q), 2);
	drop(q);
	cr_expect_eq(folders(), 0);
}

MemoryTest(data, outlive_a_reload)
{
	struct sq_db *old = configure(""), *new;

	work(old, "a");
	new = configure("");
	drop(old);
	work(new, "b");
	cr_assert_eq(sq_open(new), CLQ_OK);
	cr_expect_eq(count(new), 2);
	drop(new);
	cr_expect_eq(folders(), 0);
}

MemoryTest(data, of_another_url_are_others)
{
	struct sq_db *a = configure("storage_url = a\n");
	struct sq_db *b = configure("storage_url = b\n");

	cr_assert_eq(sq_open(a), CLQ_OK);
	cr_assert_eq(sq_open(b), CLQ_OK);
	cr_expect(put(a, "x"));
	cr_expect_eq(count(a), 1);
	cr_expect_eq(count(b), 0);
	drop(a);
	drop(b);
	cr_expect_eq(folders(), 0);
}

MemoryTest(instance, that_was_never_opened_leaves_nothing)
{
	drop(configure(""));
	cr_expect_eq(folders(), 0);
}

MemoryTest(folder, is_private)
{
	struct sq_db *q = configure("");
	char *folder = clq_arena_cstr(arena, clq_str_of(q->path));
	struct stat st;

	*strrchr(folder, '/') = '\0';
	cr_assert_eq(stat(folder, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700);
	drop(q);
}

/* A server that is killed, and its folder made to look old. */
static void
kill_server(void)
{
	struct utimbuf old = { 1000000000, 1000000000 };
	char path[512];
	int pipes[2];
	pid_t pid;
	ssize_t n;

	cr_assert_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		struct sq_db *q = configure("");

		(void)(sq_open(q) == CLQ_OK && put(q, "a"));
		*strrchr(memcpy(path, q->path, strlen(q->path) + 1), '/') =
		    '\0';
		n = write(pipes[1], path, strlen(path) + 1);
		for (;;)
			pause();
	}
	n = read(pipes[0], path, sizeof path);
	cr_assert_gt(n, 0);
	cr_assert_eq(utime(path, &old), 0);
	drop(configure(""));
	cr_expect_eq(folders(), 1, "it lives, and keeps its folder");
	cr_assert_eq(utime(path, &old), 0);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	close(pipes[0]);
	close(pipes[1]);
}

MemoryTest(folder, of_a_killed_server_is_removed_by_the_next)
{
	kill_server();
	cr_expect_eq(folders(), 1);
	drop(configure(""));
	cr_expect_eq(folders(), 0);
}

MemoryTest(folder, of_somebody_else_is_left_alone)
{
	struct utimbuf old = { 1000000000, 1000000000 };
	char *link_ = clq_arena_cstr(arena, clq_arena_printf(arena,
	    "%s/cliquet-memory-1-link", base));
	char *other = clq_arena_cstr(arena, clq_arena_printf(arena,
	    "%s/cliquet-memory-1-other", base));
	char *file = clq_arena_cstr(arena, clq_arena_printf(arena, "%s/mine",
	    other));
	FILE *f;

	cr_assert_eq(symlink("/etc", link_), 0);
	cr_assert_eq(mkdir(other, 0700), 0);
	f = fopen(file, "w");
	cr_assert_not_null(f);
	fclose(f);
	cr_assert_eq(utime(other, &old), 0);
	drop(configure(""));
	cr_expect_eq(access(file, F_OK), 0, "files of unknown names stay");
	cr_expect_eq(access(link_, F_OK), 0);
}
