/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the effective configuration, in order: file, environment, defaults
 * of the core, checks (section 09).
 *
 * Used by cliquetd's master at start and reload, by the cliquet command, and
 * by tests. All problems are told, not just the first, and the store is handed
 * out even then, so that plugins may be asked for theirs too.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "settings_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024 };	/* bytes of an ini */

/* False, and told, if text holds what no ini holds. */
static bool
check_text(struct clq_settings *s, const char *name, struct clq_str text)
{
	struct clq_str rest = text, line;
	unsigned number = 0;

	if (text.len > FILE_MAX) {
		clq_settings_wrong(s, name, "too large; an ini has at most %d "
		    "bytes", FILE_MAX);
		return false;
	}
	while (clq_str_next(&rest, '\n', &line)) {
		number++;
		if (memchr(line.p, '\0', line.len) == NULL &&
		    clq_utf8_valid(line))
			continue;
		clq_settings_wrong(s, clq_arena_printf(s->arena, "%s:%u",
		    name, number).p, "not a text in UTF-8; give an ini file, "
		    "or convert it to UTF-8");
		return false;
	}
	return true;
}

/*
 * The embedded database lies beside the ini unless something else is said, so
 * that an ini without a word about storage is good.
 */
static void
place_database(struct clq_settings *s)
{
	const char *key = "storage_url", *slash;
	struct clq_str folder = CLQ_STR("");
	char *cwd = NULL;

	if (s->path == NULL || clq_settings_has(s, key) ||
	    !clq_str_is(clq_settings_str(s, "storage_backend"), "sqlite"))
		return;
	if (s->path[0] != '/' && (cwd = getcwd(NULL, 0)) == NULL)
		return;		/* the backend asks for a file */
	if ((slash = strrchr(s->path, '/')) != NULL)
		folder = (struct clq_str){ s->path,
		    (size_t)(slash - s->path) + 1 };
	clq_settings_assign(s, clq_settings_entry(s, clq_str_of(key)),
	    clq_arena_printf(s->arena, "sqlite://%s%s%.*scliquet.db",
	    cwd != NULL ? cwd : "", cwd != NULL ? "/" : "", CLQ_FMT(folder)),
	    CLQ_ORIGIN_DEFAULT, "default");
	free(cwd);
}

/* Everything after the text: environment, defaults, checks. */
static enum clq_status
complete(struct clq_settings *s)
{
	size_t i, n = s->n;

	for (i = 0; i < n; i++)
		clq_env_override(s, s->entries[i]);
	if (clq_settings_declare(s, clq_core_settings,
	    clq_n_core_settings) != CLQ_OK)
		s->wrong = true;
	place_database(s);
	clq_env_listeners(s);
	return s->wrong ? CLQ_INVALID : CLQ_OK;
}

enum clq_status
clq_settings_parse(const char *name, struct clq_str text,
    struct clq_settings **out)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct clq_settings *s = clq_settings_new(name);

	if (clq_str_starts(text, bom))
		text = clq_str_sub(text, strlen(bom), text.len);
	if (check_text(s, name, text))
		clq_ini_parse(s, name, text);
	*out = s;
	return complete(s);
}

/*
 * Read a file of bounded size. text.p is malloc'd, for the caller to free.
 * Says what is wrong.
 */
static enum clq_status
read_file(const char *path, struct clq_str *text)
{
	enum clq_status rc = CLQ_INVALID;
	size_t len = 0;
	struct stat st;
	char *p = NULL;
	ssize_t n;
	int fd;

	/* O_NONBLOCK: a FIFO must not stop the start. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR)) {
		clq_log_err("%s: no such file; give the path of an ini that "
		    "is there, or write one with 'cliquet init --ini %s'", path,
		    path);
		return CLQ_NOT_FOUND;
	}
	if (fd == -1 || fstat(fd, &st) == -1) {
		clq_log_err("%s: cannot be opened: %s; let the server's user "
		    "read it", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		clq_log_err("%s: not a file; give the path of an ini file",
		    path);
		goto out;
	}
	if ((p = malloc(FILE_MAX + 1)) == NULL) {
		clq_log_err("%s: out of memory", path);
		goto out;
	}
	while (len <= FILE_MAX &&
	    (n = read(fd, p + len, FILE_MAX + 1 - len)) != 0) {
		if (n == -1 && errno != EINTR) {
			clq_log_err("%s: cannot be read: %s; check the disk",
			    path, strerror(errno));
			goto out;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	*text = (struct clq_str){ p, len };
	p = NULL;
	rc = CLQ_OK;
out:	free(p);
	if (fd != -1)
		close(fd);
	return rc;
}

enum clq_status
clq_settings_load(const char *path, struct clq_settings **out)
{
	struct clq_str text;
	enum clq_status rc;
	char *p;

	*out = NULL;
	if (path == NULL) {
		*out = clq_settings_new(NULL);
		return complete(*out);
	}
	if ((rc = read_file(path, &text)) != CLQ_OK)
		return rc;
	rc = clq_settings_parse(path, text, out);
	memcpy(&p, &text.p, sizeof p);	/* ours: not const */
	free(p);
	return rc;
}

const char *
clq_default_ini(void)
{
	static const char *const names[] = { "CLIQUET_INI", "KINTO_INI" };
	static const char *const usual[] = {
		CLQ_SYSCONFDIR "/cliquet/cliquet.ini", "config/kinto.ini" };
	const char *v;

	for (size_t i = 0; i < CLQ_COUNT(names); i++)
		if ((v = getenv(names[i])) != NULL && *v != '\0')
			return v;
	for (size_t i = 0; i < CLQ_COUNT(usual); i++)
		if (access(usual[i], F_OK) == 0)
			return usual[i];
	return NULL;
}
