/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet new NAME`: a folder with an application to begin with, which builds
 * against the installed library, starts and passes its own test.
 *
 * Nothing that exists is touched: the folder must be new. No file of it holds a
 * secret, so that all can be committed; the project's Makefile makes one where
 * the application is run.
 */
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"
#include "new_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LEN = 40 };

/* The files whose name is not that of the template. */
static const struct {
	const char	*from, *to;
	mode_t		 mode;
} files[] = {
	{ "app.c",	"@NAME@.c",	0644 },
	{ "app.ini",	"@NAME@.ini",	0644 },
	{ "gitignore",	".gitignore",	0644 },
	{ "test.sh",	"test.sh",	0755 },
};

/* A file's, a C identifier's and a setting's name at once. */
static bool
name_good(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len <= NAME_LEN && name[len] == '\0' &&
	    name[0] >= 'a' && name[0] <= 'z';
}

/* text with @NAME@ replaced. */
static struct clq_str
fill(struct clq_arena *arena, const char *text, const char *name)
{
	struct clq_str rest = clq_str_of(text);
	struct clq_buf b;

	clq_buf_init(&b, arena, rest.len + 256);
	while (rest.len > 0) {
		size_t at = clq_str_find(rest, '@', 0);

		clq_buf_add(&b, clq_str_sub(rest, 0, at));
		rest = clq_str_sub(rest, at, rest.len);
		if (clq_str_starts(rest, "@NAME@")) {
			clq_buf_adds(&b, name);
			rest = clq_str_sub(rest, strlen("@NAME@"), rest.len);
		} else {
			clq_buf_add(&b, clq_str_sub(rest, 0, 1));
			rest = clq_str_sub(rest, 1, rest.len);
		}
	}
	return clq_buf_str(&b);
}

static bool
write_file(const char *path, mode_t mode, struct clq_str text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool good = fd != -1 && cli_write(fd, text);

	if (fd != -1 && close(fd) == -1)
		good = false;
	if (!good)
		clq_log_err("%s: cannot be written: %s; check the disk", path,
		    strerror(errno));
	return good;
}

static bool
write_project(struct clq_arena *arena, const char *name)
{
	for (const struct cli_file *f = cli_new_files; f->name != NULL; f++) {
		const char *to = f->name, *path;
		mode_t mode = 0644;

		for (size_t i = 0; i < CLQ_COUNT(files); i++)
			if (strcmp(files[i].from, f->name) == 0) {
				to = files[i].to;
				mode = files[i].mode;
			}
		path = clq_arena_printf(arena, "%s/%.*s", name,
		    CLQ_FMT(fill(arena, to, name))).p;
		if (!write_file(path, mode, fill(arena, f->text, name)))
			return false;
	}
	return true;
}

/* The project's `make install` would write over it. */
static bool
taken(const char *name)
{
	char path[sizeof CLQ_PLUGIN_DIR + NAME_LEN + 16];

	snprintf(path, sizeof path, CLQ_PLUGIN_DIR "/app/%s.so", name);
	return strcmp(name, "kinto") == 0 || access(path, F_OK) == 0;
}

int
cli_new(const struct cli *cli)
{
	const char *name = cli->operands[0];
	struct clq_arena *arena;
	bool good;

	if (!name_good(name)) {
		clq_log_err("new: '%s' is no name; write a letter, then "
		    "letters, digits and _, all small, at most %d", name,
		    NAME_LEN);
		return CLI_FAILED;
	}
	if (taken(name)) {
		clq_log_err("new: there is an application '%s' already, which "
		    "yours would replace when it is installed; choose another "
		    "name", name);
		return CLI_FAILED;
	}
	if (mkdir(name, 0755) == -1) {
		clq_log_err("%s: cannot be made a folder: %s; choose another "
		    "name, or another place", name, strerror(errno));
		return CLI_FAILED;
	}
	arena = clq_arena_new();
	if ((good = write_project(arena, name)))
		cli_say(cli, "%s: made; now: cd %s && make check", name,
		    name);
	clq_arena_free(&arena);
	return good ? CLI_OK : CLI_FAILED;
}
