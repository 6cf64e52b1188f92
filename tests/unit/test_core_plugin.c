/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin loader: where it looks, which names it maps, what it refuses and
 * how it says so. The plugins are made on the spot with the C compiler (CC, or
 * cc); they hold data only and need no library. Without a compiler the cases
 * are skipped.
 */
#include <cliquet/str.h>

#include "plugin.h"
#include "settings_load.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clq_settings *s;
static struct clq_arena *arena;
static char said_text[65536];
static int said_fd;
static char dir[] = "/tmp/clq-plugin-XXXXXX";

static void
setup(void)
{
	alarm(60);
	arena = clq_arena_new();
	said_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_neq(said_fd, -1);
	cr_assert_neq(dup2(said_fd, STDERR_FILENO), -1);
	cr_assert_not_null(mkdtemp(dir));
	unsetenv("CLQ_PLUGIN_PATH");
	cr_assert_eq(clq_settings_parse("t.ini", clq_arena_printf(arena,
	    "[app:main]\nplugin_path = %s\nstorage_backend = x\n"
	    "permission_backend = x\ncache_backend = x\nuse = x\n", dir), &s),
	    CLQ_OK);
}

static void
teardown(void)
{
	const char *command = clq_arena_printf(arena, "rm -rf %s", dir).p;

	cr_expect_eq(system(command), 0);
	clq_settings_free(&s);
	clq_arena_free(&arena);
	close(said_fd);
}

TestSuite(plugin, .init = setup, .fini = teardown);

#define cr_said(text) \
	cr_expect(said(text), "not said: %s\nbut:\n%s", text, said_text)

static bool
said(const char *text)
{
	ssize_t n = pread(said_fd, said_text, sizeof said_text - 1, 0);

	said_text[n > 0 ? n : 0] = '\0';
	return strstr(said_text, text) != NULL;
}

/* ---- plugins on the spot ----------------------------------------------- */

/* Functions of every table, and complete tables, for the sources below. */
static const char common[] =
    "#include <cliquet/app.h>\n"
    "static void f(void) { }\n"
    "#define F (void *)f\n"
    "static const struct clq_backend_ops backend __attribute__((unused)) = {\n"
    "	sizeof backend, F, F, F, F, F, F, F, F, F, NULL };\n"
    "static const struct clq_storage_ops storage __attribute__((unused)) = {\n"
    "	sizeof storage, F, F, F, F, F, F, F, F, F, F, F, F };\n"
    "static const struct clq_permission_ops permission\n"
    "	__attribute__((unused)) = {\n"
    "	sizeof permission, F, F, F, F, F, F, F, F, F, F, F, F };\n"
    "static const struct clq_cache_ops cache __attribute__((unused)) = {\n"
    "	sizeof cache, F, F, F, F, F, F };\n"
    "static const struct clq_app_ops app __attribute__((unused)) = {\n"
    "	sizeof app, F };\n";

static const char *
source_dir(void)
{
	const char *d = getenv("CLQ_SRCDIR");

	return d != NULL ? d : ".";
}

/* Make DIR/KIND/NAME.so of C text after the common part. */
static void
make(const char *kind, const char *name, const char *source)
{
	const char *cc = getenv("CC"), *c_file, *command;
	FILE *f;

	command = clq_arena_printf(arena, "%s --version >/dev/null 2>&1",
	    cc != NULL ? cc : "cc").p;
	if (system(command) != 0)
		cr_skip_test("no C compiler");
	if (mkdir(clq_arena_printf(arena, "%s/%s", dir, kind).p, 0755) == -1)
		cr_assert_eq(errno, EEXIST);
	c_file = clq_arena_printf(arena, "%s/%s/%s.c", dir, kind, name).p;
	cr_assert_not_null(f = fopen(c_file, "w"));
	fprintf(f, "%s%s", common, source);
	fclose(f);
	command = clq_arena_printf(arena, "%s -std=gnu11 -w -shared -fPIC "
	    "-I%s/core/include $(pkg-config --cflags libcjson 2>/dev/null) "
	    "-o %s/%s/%s.so %s", cc != NULL ? cc : "cc", source_dir(), dir,
	    kind, name, c_file).p;
	cr_assert_eq(system(command), 0, "%s", command);
}

#define PLUGIN(fields) "const struct clq_plugin clq_plugin = { " \
	"CLQ_PLUGIN_HEAD, .name = \"mine\", .version = \"1\", " fields " };\n"

static enum clq_status
load(const char *kind, const char *value, const struct clq_plugin **out)
{
	const char *key = strcmp(kind, "storage") == 0 ? "storage_backend" :
	    strcmp(kind, "cache") == 0 ? "cache_backend" : "use";

	return clq_plugin_load(s, kind, clq_str_of(value), key, out);
}

/* ---- cases ------------------------------------------------------------- */

Test(plugin, is_found_by_name_path_and_their_name)
{
	const struct clq_plugin *a, *b, *c;
	const char *path;

	make("storage", "postgresql", PLUGIN(".backend = &backend, "
	    ".storage = &storage, .permission = &permission"));
	cr_assert_eq(load("storage", "postgresql", &a), CLQ_OK);
	cr_expect_str_eq(a->name, "mine");
	cr_assert_eq(load("storage", "kinto.core.storage.postgresql", &b),
	    CLQ_OK);
	path = clq_arena_printf(arena, "%s/../%s/storage/postgresql.so", dir,
	    dir + strlen("/tmp/")).p;
	cr_assert_eq(load("storage", path, &c), CLQ_OK);
	cr_expect(a == b && b == c, "loaded once");
	cr_assert_eq(clq_plugin_load(s, "storage",
	    CLQ_STR("kinto.core.permission.postgresql"),
	    "permission_backend", &b), CLQ_OK);
	cr_expect(a == b);
}

Test(plugin, maps_application_names)
{
	const struct clq_plugin *a, *b;

	make("app", "kinto", PLUGIN(".app = &app"));
	make("app", "history", PLUGIN(".app = &app"));
	cr_assert_eq(load("app", "kinto", &a), CLQ_OK);
	cr_assert_eq(load("app", "egg:kinto", &b), CLQ_OK);
	cr_expect(a == b);
	cr_assert_eq(load("app", "egg:kinto#main", &b), CLQ_OK);
	cr_expect(a == b);
	cr_assert_eq(clq_plugin_load(s, "app",
	    CLQ_STR("kinto.plugins.history"), "includes", &b), CLQ_OK);
	cr_expect(a != b);
}

Test(plugin, folders_of_the_ini_come_first)
{
	const struct clq_plugin *p;

	/* The same name in two folders: "late" must not be seen. */
	make("late", "x", "");
	make("late/cache", "x", "const struct clq_plugin clq_plugin = { "
	    "CLQ_PLUGIN_HEAD, .name = \"late\", .backend = &backend, "
	    ".cache = &cache };\n");
	make("cache", "x", PLUGIN(".backend = &backend, .cache = &cache"));
	setenv("CLQ_PLUGIN_PATH", clq_arena_printf(arena, "%s/late", dir).p,
	    1);
	cr_assert_eq(load("cache", "x", &p), CLQ_OK);
	cr_expect_str_eq(p->name, "mine");
}

Test(plugin, cache_may_come_from_a_database)
{
	const struct clq_plugin *p;

	make("storage", "postgresql", PLUGIN(".backend = &backend, "
	    ".storage = &storage, .permission = &permission, "
	    ".cache = &cache"));
	cr_assert_eq(load("cache", "kinto.core.cache.postgresql", &p),
	    CLQ_OK);
}

Test(plugin, environment_names_folders)
{
	const struct clq_plugin *p;

	make("cache", "far", PLUGIN(".backend = &backend, .cache = &cache"));
	clq_settings_free(&s);
	cr_assert_eq(clq_settings_parse("t.ini", CLQ_STR("[app:main]\n"), &s),
	    CLQ_OK);
	cr_expect_eq(load("cache", "far", &p), CLQ_INVALID);
	setenv("CLQ_PLUGIN_PATH", clq_arena_printf(arena, "/nowhere:%s",
	    dir).p, 1);
	cr_expect_eq(load("cache", "far", &p), CLQ_OK);
}

Test(plugin, missing_ones_are_told_with_what_there_is)
{
	const struct clq_plugin *p;

	make("cache", "beta", PLUGIN(".backend = &backend, .cache = &cache"));
	make("cache", "alpha", PLUGIN(".backend = &backend, .cache = &cache"));
	cr_expect_eq(load("cache", "gamma", &p), CLQ_INVALID);
	cr_said("t.ini:5: cache_backend: there is no cache plugin 'gamma' in ");
	cr_said("; there are: alpha, beta\n");
	cr_expect_eq(load("storage", "some.python.name", &p), CLQ_INVALID);
	cr_said("there is no storage plugin 'some.python.name' in ");
	cr_expect_eq(load("storage", "", &p), CLQ_INVALID);
	cr_expect_eq(load("storage", "/nonexistent/x.so", &p), CLQ_INVALID);
	cr_said("t.ini:3: storage_backend: /nonexistent/x.so: no such file");
	cr_expect_eq(load("storage", "/tmp", &p), CLQ_INVALID);
	cr_said("/tmp: no such file");
	cr_expect_not(clq_settings_usable(s));
}

Test(plugin, foreign_files_are_refused)
{
	const struct clq_plugin *p;
	const char *path;
	FILE *f;

	make("cache", "other", "int nothing;\n");
	cr_expect_eq(load("cache", "other", &p), CLQ_INVALID);
	cr_said("other.so: not a plugin of this server (no symbol clq_plugin)");

	make("cache", "unresolved", "int missing_thing(void);\n"
	    "int x(void) { return missing_thing(); }\n"
	    PLUGIN(".backend = &backend, .cache = &cache"));
	cr_expect_eq(load("cache", "unresolved", &p), CLQ_INVALID);
	cr_said("unresolved.so: cannot be loaded (");
	cr_said("missing_thing");

	path = clq_arena_printf(arena, "%s/cache/text.so", dir).p;
	cr_assert_not_null(f = fopen(path, "w"));
	fputs("no library\n", f);
	fclose(f);
	cr_expect_eq(load("cache", "text", &p), CLQ_INVALID);
	cr_said("text.so: cannot be loaded (");
}

Test(plugin, other_interfaces_are_refused)
{
	const struct clq_plugin *p;

	make("cache", "newer", "const struct clq_plugin clq_plugin = { "
	    ".abi_major = CLQ_ABI_MAJOR, .abi_minor = CLQ_ABI_MINOR + 1, "
	    ".size = sizeof clq_plugin, .name = \"x\" };\n");
	make("cache", "major", "const struct clq_plugin clq_plugin = { "
	    ".abi_major = CLQ_ABI_MAJOR + 1 };\n");
	make("cache", "small", "const struct clq_plugin clq_plugin = { "
	    ".abi_major = CLQ_ABI_MAJOR, .size = 16, .name = \"x\" };\n");
	make("cache", "unnamed", "const struct clq_plugin clq_plugin = { "
	    "CLQ_PLUGIN_HEAD };\n");
	cr_expect_eq(load("cache", "major", &p), CLQ_INVALID);
	cr_said(clq_arena_printf(arena, "major.so: built for plugin interface "
	    "%d.0, this server", CLQ_ABI_MAJOR + 1).p);
	cr_expect_eq(load("cache", "newer", &p), CLQ_INVALID);
	cr_said(clq_arena_printf(arena, "newer.so: built for plugin interface "
	    "%d.%d, this server has %d.%d; ", CLQ_ABI_MAJOR,
	    CLQ_ABI_MINOR + 1, CLQ_ABI_MAJOR, CLQ_ABI_MINOR).p);
	cr_expect_eq(load("cache", "small", &p), CLQ_INVALID);
	cr_said("small.so: its descriptor is incomplete");
	cr_expect_eq(load("cache", "unnamed", &p), CLQ_INVALID);
	cr_said("unnamed.so: its descriptor is incomplete");
}

Test(plugin, incomplete_tables_are_refused)
{
	static const struct {
		const char *kind, *name, *source, *message;
	} cases[] = {
		{ "cache", "a", PLUGIN(".cache = &cache"),
		    "a.so: it has no backend table" },
		{ "cache", "b", "static const struct clq_cache_ops mine = { "
		    "sizeof mine, F, F, NULL, F, F, F };\n"
		    PLUGIN(".backend = &backend, .cache = &mine"),
		    "b.so: its cache table lacks the function take" },
		{ "cache", "c", "static const struct clq_cache_ops mine = { "
		    "offsetof(struct clq_cache_ops, flush), F, F, F, F, F, F "
		    "};\n" PLUGIN(".backend = &backend, .cache = &mine"),
		    "c.so: its cache table lacks the function flush" },
		{ "storage", "d", "static const struct clq_backend_ops mine = "
		    "{ sizeof mine, F, F, F, F };\n"
		    PLUGIN(".backend = &mine, .storage = &storage"),
		    "d.so: its backend table lacks the function begin" },
		{ "app", "e", "static const struct clq_app_ops mine = { "
		    "sizeof mine };\n" PLUGIN(".app = &mine"),
		    "e.so: its app table lacks the function setup" },
		{ "storage", "f", PLUGIN(".backend = &backend, "
		    ".permission = &permission"),
		    "f.so: the plugin 'mine' is no storage plugin" },
		{ "app", "g", PLUGIN(".backend = &backend, .cache = &cache"),
		    "g.so: the plugin 'mine' is no app plugin" }
	};
	const struct clq_plugin *p;
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		make(cases[i].kind, cases[i].name, cases[i].source);
		cr_expect_eq(load(cases[i].kind, cases[i].name, &p),
		    CLQ_INVALID);
		cr_said(cases[i].message);
	}
}
