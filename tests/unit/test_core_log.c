/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: form of its lines in text and JSON, what becomes of hostile texts,
 * levels, files. Standard error is a memory file here.
 */
#include <cliquet/json.h>
#include <cliquet/str.h>

#include "log_conf.h"
#include "log_sink.h"
#include "settings_load.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct clq_settings *s;
static struct clq_arena *arena;
static char said_text[200000];
static int said_fd;

static void
setup(void)
{
	arena = clq_arena_new();
	said_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_neq(said_fd, -1);
	cr_assert_neq(dup2(said_fd, STDERR_FILENO), -1);
}

static void
teardown(void)
{
	clq_settings_free(&s);
	clq_arena_free(&arena);
	close(said_fd);
}

TestSuite(log, .init = setup, .fini = teardown);

static const char *
said(void)
{
	ssize_t n = pread(said_fd, said_text, sizeof said_text - 1, 0);

	said_text[n > 0 ? n : 0] = '\0';
	return said_text;
}

static enum clq_status
configure(const char *body)
{
	clq_settings_free(&s);
	cr_assert_eq(clq_settings_parse("t.ini", clq_arena_printf(arena,
	    "[app:main]\n%s", body), &s), CLQ_OK);
	return clq_log_configure(s);
}

/* The only line, as JSON. */
static cJSON *
json_line(void)
{
	struct clq_str text = clq_str_of(said()), why;
	cJSON *tree = NULL;

	cr_assert(text.len > 0 && text.p[text.len - 1] == '\n');
	text.len--;
	cr_assert_eq(clq_str_find(text, '\n', 0), text.len, "one line");
	cr_assert_eq(clq_json_parse(arena, text, &tree, &why), CLQ_OK,
	    "%.*s: %.*s", CLQ_FMT(why), CLQ_FMT(text));
	return tree;
}

static const char *
member(const cJSON *tree, const char *name)
{
	const cJSON *item = clq_json_get(tree, name);

	return cJSON_IsString(item) ? item->valuestring : "(none)";
}

Test(log, text_line_has_time_pid_level)
{
	char want[64], stamp[32];
	int year, day;

	clq_log_warn("a %s message", "small");
	snprintf(want, sizeof want, "Z [%ld] WARN a small message\n",
	    (long)getpid());
	cr_expect_not_null(strstr(said(), want), "%s", said_text);
	cr_expect_eq(sscanf(said_text, "%d-%*2d-%dT%31[0-9:.]Z", &year, &day,
	    stamp), 3, "%s", said_text);
	cr_expect_eq(strlen(stamp), strlen("05:33:02.123"));
}

Test(log, nothing_from_outside_forges_lines_or_drives_terminals)
{
	clq_log_err("a\nb\r\tc\033[31md\x7f" "e\xc2\x9b" "f\xff" "g\xe2\x82"
	    " \xe2\x82\xac \xed\xa0\x80");
	cr_expect_not_null(strstr(said(), "a\\nb\\r\\tc\\x1b[31md\\x7fe\\xc2"
	    "\\x9bf\\xffg\\xe2\\x82 \xe2\x82\xac \\xed\\xa0\\x80\n"), "%s",
	    said_text);
}

Test(log, long_messages_are_cut)
{
	char *big = malloc(100001);

	cr_assert_not_null(big);
	memset(big, 'x', 100000);
	big[100000] = '\0';
	clq_log_info("%s", big);
	cr_expect(strlen(said()) < 7000);
	cr_expect_not_null(strstr(said_text, "xxx...\n"));
	free(big);
}

Test(log, levels_select)
{
	cr_assert_eq(configure("log_level = warning\n"), CLQ_OK);
	cr_expect(clq_log_enabled(CLQ_LOG_ERROR));
	cr_expect(clq_log_enabled(CLQ_LOG_WARNING));
	cr_expect_not(clq_log_enabled(CLQ_LOG_INFO));
	clq_log_info("quiet");
	clq_log_debug("quiet");
	clq_log_warn("loud");
	cr_expect_null(strstr(said(), "quiet"));
	cr_expect_not_null(strstr(said_text, "loud"));
	clq_log_set_level(CLQ_LOG_DEBUG);
	clq_log_debug("details");
	cr_expect_not_null(strstr(said(), "DEBUG details"));
}

Test(log, once_is_once)
{
	char key[32] = "key";
	int i;

	clq_log_once(CLQ_LOG_DEBUG, key, "not at this level");
	for (i = 0; i < 3; i++)
		clq_log_once(CLQ_LOG_INFO, key, "line %d", i);
	memset(key, 'x', 3);		/* the key was copied */
	clq_log_once(CLQ_LOG_INFO, "key", "again");
	clq_log_once(CLQ_LOG_INFO, "other", "other");
	cr_expect_not_null(strstr(said(), "line 0"));
	cr_expect_null(strstr(said_text, "line 1"));
	cr_expect_null(strstr(said_text, "again"));
	cr_expect_not_null(strstr(said_text, "INFO other"));
	for (i = 0; i < 5000; i++) {	/* bounded, and does not crash */
		snprintf(key, sizeof key, "k%d", i);
		clq_log_once(CLQ_LOG_INFO, key, "x");
	}
}

Test(log, json_line_is_mozlog)
{
	cJSON *tree;
	int64_t n;

	cr_assert_eq(configure("log_format = json\nproject_name = sh\"op\n"),
	    CLQ_OK);
	clq_log_warn("say \"hi\" \\ \n \x01 \xff %s", "\xe2\x82\xac");
	tree = json_line();
	cr_expect_str_eq(member(tree, "Type"), "log");
	cr_expect_str_eq(member(tree, "Logger"), "sh\"op");
	cr_expect_str_eq(member(tree, "EnvVersion"), "2.0");
	cr_expect_str_neq(member(tree, "Hostname"), "(none)");
	cr_expect(clq_json_int(clq_json_get(tree, "Severity"), &n) && n == 4);
	cr_expect(clq_json_int(clq_json_get(tree, "Pid"), &n) &&
	    n == getpid());
	cr_expect(clq_json_int(clq_json_get(tree, "Timestamp"), &n) &&
	    n > INT64_C(1600000000000000000));
	cr_expect_str_eq(member(clq_json_get(tree, "Fields"), "msg"),
	    "say \"hi\" \\ \n \\x01 \\xff \xe2\x82\xac");
}

Test(log, fields_in_text_and_json)
{
	const struct clq_log_field fields[] = {
		{ .name = "code", .number = 200 },
		{ .name = "path", .text = CLQ_STR("/v1/x") },
		{ .name = "agent", .text = CLQ_STR("a \"b\" \\") },
		{ .name = "lang", .text = CLQ_STR("") },
		{ .name = "t", .number = -3 }
	};
	const cJSON *f;
	cJSON *tree;

	clq_log_fields(CLQ_LOG_INFO, "request.summary", fields,
	    CLQ_COUNT(fields));
	cr_expect_not_null(strstr(said(), "INFO request.summary code=200 "
	    "path=/v1/x agent=\"a \\\"b\\\" \\\\\" lang=\"\" t=-3\n"), "%s",
	    said_text);
	cr_assert_eq(ftruncate(said_fd, 0), 0);
	cr_assert_eq(lseek(said_fd, 0, SEEK_SET), 0);
	cr_assert_eq(configure("log_format = json\n"), CLQ_OK);
	clq_log_fields(CLQ_LOG_INFO, "request.summary", fields,
	    CLQ_COUNT(fields));
	tree = json_line();
	cr_expect_str_eq(member(tree, "Type"), "request.summary");
	f = clq_json_get(tree, "Fields");
	cr_expect_str_eq(member(f, "path"), "/v1/x");
	cr_expect_str_eq(member(f, "agent"), "a \"b\" \\");
	cr_expect_str_eq(member(f, "lang"), "");
	cr_expect(cJSON_IsNumber(clq_json_get(f, "t")));
}

Test(log, too_many_fields_still_make_json)
{
	struct clq_log_field fields[100];
	static char text[3000];
	const cJSON *f;
	size_t i;

	memset(text, '\\', sizeof text);
	for (i = 0; i < 100; i++)
		fields[i] = (struct clq_log_field){ .name = "name",
		    .text = { text, sizeof text } };
	cr_assert_eq(configure("log_format = json\n"), CLQ_OK);
	clq_log_fields(CLQ_LOG_INFO, "t", fields, 100);
	f = clq_json_get(json_line(), "Fields");
	cr_expect_not_null(clq_json_get(f, "truncated"));
}

Test(log, escapes_that_do_not_fit_still_make_json)
{
	static char text[6000];
	size_t i;

	memset(text, '"', sizeof text);
	cr_assert_eq(configure("log_format = json\n"), CLQ_OK);
	for (i = 0; i < 8; i++) {	/* every phase of the last escape */
		memset(text, 1, 3000);
		memset(text, 'a', i);
		text[sizeof text - 1] = '\0';
		cr_assert_eq(ftruncate(said_fd, 0), 0);
		cr_assert_eq(lseek(said_fd, 0, SEEK_SET), 0);
		clq_log_info("%s", text);
		(void)json_line();
	}
}

Test(log, wrong_settings_are_told)
{
	cr_expect_eq(configure("log_level = loud\nlog_format = xml\n"),
	    CLQ_INVALID);
	cr_expect_not_null(strstr(said(), "t.ini:2: log_level: 'loud' is "
	    "unknown; "));
	cr_expect_not_null(strstr(said_text, "t.ini:3: log_format: 'xml'"));
	cr_expect_eq(configure("log_file = /nonexistent/x/y.log\n"),
	    CLQ_INVALID);
	cr_expect_not_null(strstr(said(), "t.ini:2: log_file: cannot open "
	    "/nonexistent/x/y.log: No such file"));
	cr_expect_not(clq_settings_usable(s));
}

Test(log, file_is_reopened)
{
	char dir[] = "/tmp/clq-log-XXXXXX";
	const char *path, *moved, *body;
	struct stat st;

	cr_assert_not_null(mkdtemp(dir));
	path = clq_arena_printf(arena, "%s/a.log", dir).p;
	moved = clq_arena_printf(arena, "%s/a.log.1", dir).p;
	body = clq_arena_printf(arena, "log_file = %s\n", path).p;
	cr_assert_eq(configure(body), CLQ_OK);
	clq_log_info("first");
	cr_assert_eq(rename(path, moved), 0);
	clq_log_info("second");
	cr_assert_eq(clq_log_configure(s), CLQ_OK);
	clq_log_info("third");
	cr_expect_str_empty(said());
	cr_assert_eq(stat(moved, &st), 0);
	cr_expect_eq(st.st_size, (off_t)(2 * strlen("2026-11-24T05:33:02.123Z "
	    "[] INFO ") + strlen("first\nsecond\n") + 2 *
	    clq_arena_printf(arena, "%ld", (long)getpid()).len));
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777 & ~0640, 0);
	cr_expect_gt(st.st_size, 0);
	unlink(path);
	unlink(moved);
	rmdir(dir);
}

Test(log, lines_of_processes_do_not_mix)
{
	enum { CHILDREN = 4, LINES = 200, SIZE = 3000 };
	char dir[] = "/tmp/clq-log-XXXXXX", letters[SIZE + 1], *line = NULL;
	const char *path, *msg;
	size_t cap = 0, n = 0;
	int i, j, status;
	ssize_t len;
	FILE *f;

	alarm(60);
	cr_assert_not_null(mkdtemp(dir));
	path = clq_arena_printf(arena, "%s/a.log", dir).p;
	cr_assert_eq(configure(clq_arena_printf(arena, "log_file = %s\n",
	    path).p), CLQ_OK);
	for (i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			memset(letters, 'a' + i, SIZE);
			letters[SIZE] = '\0';
			for (j = 0; j < LINES; j++)
				clq_log_info("%s", letters);
			_exit(0);
		}
	for (i = 0; i < CHILDREN; i++)
		cr_assert_gt(wait(&status), 0);
	cr_assert_not_null(f = fopen(path, "r"));
	while ((len = getline(&line, &cap, f)) > 0) {
		n++;
		msg = strstr(line, "INFO ");
		cr_assert_not_null(msg);
		msg += 5;
		cr_assert_eq(strspn(msg, (char[]){ *msg, '\0' }), SIZE);
	}
	cr_expect_eq(n, CHILDREN * LINES);
	free(line);
	fclose(f);
	unlink(path);
	rmdir(dir);
}

Test(log, a_pipe_with_little_room_does_not_hold_a_long_line)
{
	static char line[12000], page[4096];
	int ends[2];

	alarm(60);		/* a write that waits would wait for ever */
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_neq(fcntl(ends[1], F_SETFL, O_NONBLOCK), -1);
	while (write(ends[1], page, sizeof page) > 0)
		;
	cr_assert_eq(read(ends[0], page, sizeof page), (ssize_t)sizeof page);
	cr_assert_neq(fcntl(ends[1], F_SETFL, 0), -1);
	clq_sink_open(CLQ_SINK_STREAM, ends[1], NULL, "a pipe");
	clq_sink_write(CLQ_LOG_INFO, line, sizeof line);
	cr_expect_not_null(strstr(said(), "log: a pipe: "));
	close(ends[0]);
}
