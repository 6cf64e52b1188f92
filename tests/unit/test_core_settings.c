/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings: how an ini is read, what the environment changes, what the
 * declarations check, and what people are told when something is wrong. What
 * the log says is caught by putting a memory file in place of standard error.
 */
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "settings_load.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clq_settings *s;
static struct clq_arena *arena;
static char said_text[65536];
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

TestSuite(settings, .init = setup, .fini = teardown);

/* True if the log holds this text. */
static bool
said(const char *text)
{
	ssize_t n = pread(said_fd, said_text, sizeof said_text - 1, 0);

	said_text[n > 0 ? n : 0] = '\0';
	return strstr(said_text, text) != NULL;
}

#define cr_said(text) \
	cr_expect(said(text), "not said: %s\nbut:\n%s", text, said_text)

static enum clq_status
parse_str(struct clq_str text)
{
	clq_settings_free(&s);
	return clq_settings_parse("t.ini", text, &s);
}

/* Read the body of [app:main], whose first line is line 2. */
static enum clq_status
parse(const char *body)
{
	return parse_str(clq_arena_printf(arena, "[app:main]\n%s", body));
}

static const char *
get(const char *key)
{
	const char *v = clq_settings_cstr(s, key);

	return v != NULL ? v : "(unset)";
}

/* ---- reading ----------------------------------------------------------- */

Test(settings, has_defaults_without_a_file)
{
	cr_assert_eq(clq_settings_load(NULL, &s), CLQ_OK);
	cr_expect(clq_settings_usable(s));
	cr_expect_eq(clq_settings_int(s, "batch_max_requests", -1), 25);
	cr_expect_eq(clq_settings_int(s, "workers", -1), 2);
	cr_expect_str_eq(get("storage_backend"), "sqlite");
	cr_expect_str_eq(get("cache_backend"), "memory");
	cr_expect(clq_settings_bool(s, "explicit_permissions", false));
	cr_expect_not(clq_settings_has(s, "eos"));
	cr_expect_str_eq(clq_settings_origin(s, "workers"), "default");
	cr_expect_null(clq_settings_path(s));
}

Test(settings, reads_keys_as_python_does)
{
	cr_assert_eq(parse(
	    "# a comment\n"
	    "; another\n"
	    "paginate_by=5\r\n"
	    "project_name : a = b ; not # a comment\n"
	    "Mixed_Case  =  Value\n"
	    "url = http://host:80/\n"
	    "empty =\n"), CLQ_OK);
	cr_expect_eq(clq_settings_int(s, "paginate_by", 0), 5);
	cr_expect_str_eq(get("project_name"), "a = b ; not # a comment");
	cr_expect_str_eq(get("Mixed_Case"), "Value");
	cr_expect_str_eq(get("mixed_case"), "(unset)");
	cr_expect_str_eq(get("url"), "http://host:80/");
	cr_expect_str_eq(get("empty"), "");
	cr_expect(clq_settings_has(s, "empty"));
	cr_expect_str_eq(clq_settings_origin(s, "paginate_by"), "t.ini:4");
}

Test(settings, keeps_what_the_library_would_change)
{
	const char *v;
	size_t i;
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	clq_buf_adds(&b, "[app:main]\nlong = ");
	for (i = 0; i < 5000; i++)
		clq_buf_adds(&b, "x;#\"' ");
	clq_buf_adds(&b, "end\nback = a\\\nnext = 'quoted'\nk\xc3\xa9y = \xc3\xa9"
	    "\n[APP:MAIN]\nback = other\n");
	cr_assert_eq(parse_str(clq_buf_str(&b)), CLQ_OK);
	v = get("long");
	cr_expect_eq(strlen(v), 5000 * 6 + 3);
	cr_expect_str_eq(v + 5000 * 6, "end");
	cr_expect_str_eq(get("back"), "a\\");
	cr_expect_str_eq(get("next"), "'quoted'");
	cr_expect_str_eq(get("k\xc3\xa9y"), "\xc3\xa9");
}

Test(settings, joins_indented_lines)
{
	struct clq_strs list;

	cr_assert_eq(parse(
	    "includes = one\n"
	    "           two\n"
	    "  # in between\n"
	    "\n"
	    "\tthree\n"
	    "paginate_by = 3\n"), CLQ_OK);
	cr_expect_str_eq(get("includes"), "one\ntwo\nthree");
	list = clq_settings_list(s, "includes");
	cr_assert_eq(list.n, 3);
	cr_expect(clq_str_is(list.items[2], "three"));
	cr_expect_eq(clq_settings_int(s, "paginate_by", 0), 3);
}

Test(settings, decodes_json_values)
{
	struct clq_strs list;

	cr_assert_eq(parse(
	    "project_name = \"a \\u00e9 \\\"b\\\"\"\n"
	    "eos = null\n"
	    "cors_origins = [\"http://a b\", \"c\", 1]\n"
	    "paginate_by = \"7\"\n"
	    "project_docs = \"half\n"), CLQ_OK);
	cr_expect_str_eq(get("project_name"), "a \xc3\xa9 \"b\"");
	cr_expect_not(clq_settings_has(s, "eos"));
	list = clq_settings_list(s, "cors_origins");
	cr_assert_eq(list.n, 3);
	cr_expect(clq_str_is(list.items[0], "http://a b"));
	cr_expect(clq_str_is(list.items[2], "1"));
	cr_expect_eq(clq_settings_int(s, "paginate_by", 0), 7);
	cr_expect_str_eq(get("project_docs"), "\"half");
}

Test(settings, reads_all_words_for_true_and_false)
{
	static const char *const yes[] = { "yes", "On", "1", "TRUE", "t", "y" };
	static const char *const no[] = { "no", "Off", "0", "False", "f", "n",
	    "" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(yes); i++) {
		cr_assert_eq(parse(clq_arena_printf(arena, "readonly = %s\n",
		    yes[i]).p), CLQ_OK);
		cr_expect(clq_settings_bool(s, "readonly", false), "%s",
		    yes[i]);
	}
	for (i = 0; i < CLQ_COUNT(no); i++) {
		cr_assert_eq(parse(clq_arena_printf(arena, "readonly = %s\n",
		    no[i]).p), CLQ_OK);
		cr_expect_not(clq_settings_bool(s, "readonly", true), "%s",
		    no[i]);
	}
}

Test(settings, reads_the_other_sections)
{
	cr_assert_eq(parse_str(CLQ_STR(
	    "[loggers]\nkeys = root\n"
	    "[formatter_x]\nformat = %(asctime)s\n"
	    "[server:main]\nuse = egg:waitress#main\nhost = 0.0.0.0\n"
	    "port = %(http_port)s\n"
	    "[app:main]\nuse = egg:kinto\n"
	    "[resource:mushroom]\nschema = {\"a\":\n  1}\n"
	    "kinto.x = 1\n")), CLQ_OK);
	cr_expect_str_eq(get("use"), "egg:kinto");
	cr_expect_str_eq(get("server.host"), "0.0.0.0");
	cr_expect_str_eq(get("server.port"), "8888");
	cr_expect_str_eq(get("resource.mushroom.schema"), "{\"a\":\n1}");
	cr_expect_str_eq(get("resource.mushroom.kinto.x"), "1");
	cr_expect_str_eq(get("keys"), "(unset)");
	clq_settings_warn_unknown(s);
	cr_expect_not(said("WARN"), "%s", said_text);
}

static void
collect(void *ctx, const char *key, struct clq_str value)
{
	clq_buf_printf(ctx, "%s=%.*s ", key, CLQ_FMT(value));
}

Test(settings, each_goes_in_order)
{
	struct clq_buf b;

	cr_assert_eq(parse("f.z = 1\nf.a = 2\nfa = 3\nf.n = null\n"), CLQ_OK);
	clq_buf_init(&b, arena, 0);
	clq_settings_each(s, "f.", collect, &b);
	cr_expect(clq_str_is(clq_buf_str(&b), "f.z=1 f.a=2 "));
}

/* ---- prefixes ---------------------------------------------------------- */

Test(settings, strips_both_prefixes)
{
	cr_assert_eq(parse("kinto.paginate_by = 3\ncliquet.eos_url = u\n"
	    "kinto.history.auto_trim_max_count = 4\nother.x = 1\n"), CLQ_OK);
	cr_expect_str_eq(get("paginate_by"), "3");
	cr_expect_str_eq(get("eos_url"), "u");
	cr_expect_str_eq(get("history.auto_trim_max_count"), "4");
	cr_expect_str_eq(get("other.x"), "1");
}

Test(settings, allows_both_spellings_of_one_value)
{
	cr_assert_eq(parse("kinto.paginate_by = 3\npaginate_by = 3\n"
	    "cliquet.paginate_by = 3\n"), CLQ_OK);
}

Test(settings, refuses_conflicting_spellings)
{
	cr_assert_eq(parse("kinto.paginate_by = 3\npaginate_by = 4\n"),
	    CLQ_INVALID);
	cr_said("t.ini:3: Settings 'paginate_by', 'kinto.paginate_by' are in "
	    "conflict.");
	cr_said("t.ini:2");
	cr_assert_eq(parse("cliquet.eos = 3\nkinto.eos = 4\n"), CLQ_INVALID);
	cr_said("Settings 'kinto.eos', 'cliquet.eos' are in conflict.");
	cr_expect_not(clq_settings_usable(s));
}

/* ---- interpolation ----------------------------------------------------- */

Test(settings, replaces_names)
{
	cr_assert_eq(clq_settings_parse("/etc/kinto/k.ini", CLQ_STR(
	    "[DEFAULT]\nhost = db%(n)s\nn = 1\n"
	    "[app:main]\nn = 2\nstorage_url = postgres://u:a%%40b@%(host)s/x\n"
	    "version_json_path = %(here)s/v.json\nf = %(__file__)s\n"),
	    &s), CLQ_OK);
	cr_expect_str_eq(get("storage_url"), "postgres://u:a%40b@db2/x");
	cr_expect_str_eq(get("version_json_path"), "/etc/kinto/v.json");
	cr_expect_str_eq(get("f"), "/etc/kinto/k.ini");
	cr_expect_str_eq(get("host"), "(unset)");
}

Test(settings, here_is_absolute)
{
	char cwd[4096];

	cr_assert_not_null(getcwd(cwd, sizeof cwd));
	cr_assert_eq(clq_settings_parse("sub/k.ini",
	    CLQ_STR("[app:main]\na = %(here)s\n"), &s), CLQ_OK);
	cr_expect(clq_str_eq(clq_str_of(get("a")),
	    clq_arena_printf(arena, "%s/sub", cwd)));
}

Test(settings, tells_wrong_interpolation)
{
	static const struct { const char *body, *message; } cases[] = {
		{ "a = %(nope)s\n", "t.ini:2: a: %(nope)s names nothing" },
		{ "b = 1\na = %(b\n", "t.ini:3: a: '%' begins neither" },
		{ "a = 50%\n", "t.ini:2: a: '%' begins neither" },
		{ "a = %s\n", "t.ini:2: a: '%' begins neither" },
		{ "a = %(here)d\n", "t.ini:2: a: '%' begins neither" },
		{ "a = %(here)", "t.ini:2: a: '%' begins neither" },
		{ "a = %()s\n", "t.ini:2: a: %()s names nothing" },
		{ "a = %(a)s\n", "t.ini:2: a: endless or too large" },
		{ "a = %(b)s\nb = %(a)s\n", "t.ini:3: b: endless" }
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		cr_expect_eq(parse(cases[i].body), CLQ_INVALID, "%s",
		    cases[i].body);
		cr_said(cases[i].message);
	}
}

Test(settings, bounds_interpolation, .timeout = 20)
{
	struct clq_buf b;
	int i, j;

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 9; i++) {		/* ten to the ninth */
		clq_buf_printf(&b, "a%d = ", i);
		for (j = 0; j < 10; j++)
			clq_buf_printf(&b, "%%(a%d)s", i + 1);
		clq_buf_addc(&b, '\n');
	}
	clq_buf_adds(&b, "a9 = 0123456789\n");
	cr_expect_eq(parse(clq_arena_cstr(arena, clq_buf_str(&b))),
	    CLQ_INVALID);
	cr_said("a0: endless or too large");
}

/* ---- wrong files ------------------------------------------------------- */

Test(settings, tells_wrong_lines)
{
	static const struct { const char *text, *message; } cases[] = {
		{ "", "t.ini: there is no section [app:main]" },
		{ "[server:main]\nport = 1\n", "there is no section" },
		{ "a = 1\n[app:main]\n", "t.ini:1: text before the first" },
		{ "[app:main]\nb = 1\njunk\n", "t.ini:3: not a setting" },
		{ "[app:main]\n= x\n", "t.ini:2: not a setting" },
		{ "[app:main\nb = 1\n", "t.ini:1: the section has no ']'" },
		{ "[]\n", "t.ini:1: the section has no name" },
		{ "[app:main] x\n", "t.ini:1: text after ']'" },
		{ "[app:main]\na = 1\nb = 2\na = 3\n",
		    "t.ini:4: 'a' is set twice in [app:main]; remove this "
		    "line or line 2" },
		{ "[app:main]\nuse = config:b.ini\n",
		    "t.ini:2: use: 'config:' is not supported" },
		{ "[app:main]\n[resource:A b]\nx = 1\n", "t.ini:3: "
		    "[resource:A b]: the name of a resource" }
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		cr_expect_eq(parse_str(clq_str_of(cases[i].text)),
		    CLQ_INVALID, "%s", cases[i].text);
		cr_said(cases[i].message);
		cr_expect_not_null(s);
	}
}

Test(settings, tells_all_problems_but_not_without_end)
{
	struct clq_buf b;
	int i;

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 1000; i++)
		clq_buf_printf(&b, "junk%d\n", i);
	clq_buf_adds(&b, "workers = 0\nreadonly = maybe\n");
	cr_expect_eq(parse(clq_arena_cstr(arena, clq_buf_str(&b))),
	    CLQ_INVALID);
	cr_said("t.ini:2: ");
	cr_said("t.ini:21: ");
	cr_said("too many problems");
	cr_expect_not(said("t.ini:22: "));
	cr_said("t.ini:1002: workers: ");
	cr_said("t.ini:1003: readonly: ");
}

Test(settings, bounds_names_and_numbers, .timeout = 30)
{
	struct clq_buf b;
	int i;

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 151; i++)
		clq_buf_addc(&b, 'k');
	clq_buf_adds(&b, " = 1\n");
	cr_expect_eq(parse(clq_arena_cstr(arena, clq_buf_str(&b))),
	    CLQ_INVALID);
	cr_said("t.ini:2: the key is too long");

	clq_buf_init(&b, arena, 0);
	for (i = 0; i < 4001; i++)
		clq_buf_printf(&b, "K%d = 1\n", i);
	cr_expect_eq(parse(clq_arena_cstr(arena, clq_buf_str(&b))),
	    CLQ_INVALID);
	cr_said("t.ini:4002: too many settings");
	cr_expect_str_eq(get("K3999"), "1");
}

static const char *
temporary(struct clq_str content)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof path, "/tmp/clq-settings-XXXXXX");
	fd = mkstemp(path);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, content.p, content.len), (ssize_t)content.len);
	close(fd);
	return path;
}

Test(settings, loads_a_file)
{
	const char *path = temporary(CLQ_STR(
	    "\xef\xbb\xbf[app:main]\neos_url = u\n"));

	cr_expect_eq(clq_settings_load(path, &s), CLQ_OK);
	unlink(path);
	cr_expect_str_eq(get("eos_url"), "u");
	cr_expect_str_eq(clq_settings_path(s), path);
}

Test(settings, refuses_what_is_no_ini_file)
{
	struct clq_str big = { clq_arena_alloc(arena, 2 << 20), 2 << 20 };
	const char *path;

	cr_expect_eq(clq_settings_load("/nonexistent/k.ini", &s),
	    CLQ_NOT_FOUND);
	cr_said("/nonexistent/k.ini: no such file; ");
	cr_said("cliquet init");
	cr_expect_null(s);

	cr_expect_eq(clq_settings_load("/tmp", &s), CLQ_INVALID);
	cr_said("/tmp: not a file; ");
	cr_expect_null(s);

	path = temporary(CLQ_STR("[app:main]\nx\0y = 1\n"));
	cr_expect_eq(clq_settings_load(path, &s), CLQ_INVALID);
	unlink(path);
	cr_said(clq_arena_printf(arena, "%s:2: not a text in UTF-8", path).p);
	clq_settings_free(&s);

	path = temporary(CLQ_STR("[app:main]\na = 1\n\xff\xfe\n"));
	cr_expect_eq(clq_settings_load(path, &s), CLQ_INVALID);
	unlink(path);
	cr_said(clq_arena_printf(arena, "%s:3: not a text in UTF-8", path).p);
	clq_settings_free(&s);

	path = temporary(big);
	cr_expect_eq(clq_settings_load(path, &s), CLQ_INVALID);
	unlink(path);
	cr_said(clq_arena_printf(arena, "%s: too large", path).p);
}

Test(settings, does_not_wait_for_a_fifo, .timeout = 10)
{
	char path[64];

	snprintf(path, sizeof path, "/tmp/clq-fifo-%ld", (long)getpid());
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(clq_settings_load(path, &s), CLQ_INVALID);
	unlink(path);
	cr_said("not a file");
}

/* ---- types ------------------------------------------------------------- */

Test(settings, checks_types_and_bounds)
{
	static const struct { const char *body, *message; } cases[] = {
		{ "workers = 0\n", "t.ini:2: workers: 0 is out of range; "
		    "write an integer between 1 and 1024 (processes)" },
		{ "workers = 1025\n", "t.ini:2: workers: 1025 is out" },
		{ "workers = 99999999999999999999\n",
		    "workers: '99999999999999999999' is not an integer" },
		{ "workers = 1.5\n", "workers: '1.5' is not an integer" },
		{ "workers = two\n", "workers: 'two' is not an integer" },
		{ "readonly = maybe\n", "t.ini:2: readonly: 'maybe' is "
		    "neither true nor false; " },
		{ "record_cache_expires_seconds = x\n",
		    "record_cache_expires_seconds: 'x' is not an integer" },
		{ "b.c.record_cache_expires_seconds = -1\n",
		    "b.c.record_cache_expires_seconds: -1 is out of range" },
		{ "plural_record_post_enabled = 3\n",
		    "plural_record_post_enabled: '3' is neither" }
	};
	size_t i;

	for (i = 0; i < CLQ_COUNT(cases); i++) {
		cr_expect_eq(parse(cases[i].body), CLQ_INVALID, "%s",
		    cases[i].body);
		cr_said(cases[i].message);
	}
	cr_assert_eq(parse("batch_max_requests =\npaginate_by = null\n"),
	    CLQ_OK);
	cr_expect_eq(clq_settings_int(s, "batch_max_requests", 0), 0);
	cr_expect_eq(clq_settings_int(s, "paginate_by", -7), -7);
}

/* ---- environment ------------------------------------------------------- */

Test(settings, environment_wins_in_order)
{
	setenv("EOS_URL", "bare", 1);
	cr_assert_eq(parse("eos_url = file\n"), CLQ_OK);
	cr_expect_str_eq(get("eos_url"), "bare");
	cr_expect_str_eq(clq_settings_origin(s, "eos_url"),
	    "environment EOS_URL");
	setenv("KINTO_EOS_URL", "\"kin to\"", 1);
	cr_assert_eq(parse("kinto.eos_url = file\n"), CLQ_OK);
	cr_expect_str_eq(get("eos_url"), "kin to");
	setenv("CLIQUET_EOS_URL", "mine", 1);
	cr_assert_eq(parse(""), CLQ_OK);
	cr_expect_str_eq(get("eos_url"), "mine");
	cr_expect_str_eq(clq_settings_origin(s, "eos_url"),
	    "environment CLIQUET_EOS_URL");
}

Test(settings, environment_reaches_known_keys_only)
{
	setenv("KINTO_EOS", "\"2999-01-01\"", 1);
	setenv("KINTO_MULTIAUTH_POLICIES", "a b", 1);
	setenv("RECORD_CACHE_EXPIRES_SECONDS", "3", 1);
	setenv("KINTO_OWN_KEY_X", "3", 1);
	setenv("KINTO_NEVER_HEARD", "3", 1);
	cr_assert_eq(parse("own.key-x = 1\n"), CLQ_OK);
	cr_expect_str_eq(get("eos"), "2999-01-01");
	cr_expect_eq(clq_settings_list(s, "multiauth.policies").n, 2);
	cr_expect_str_eq(get("own.key-x"), "3");
	cr_expect_str_eq(get("record_cache_expires_seconds"), "(unset)");
	cr_expect_str_eq(get("never_heard"), "(unset)");
}

Test(settings, shell_variables_do_not_configure_the_server)
{
	setenv("USER", "alice", 1);
	setenv("GROUP", "staff", 1);
	setenv("WORKERS", "9", 1);
	setenv("USE", "what", 1);
	setenv("KINTO_WORKERS", "3", 1);
	setenv("CLIQUET_USER", "www", 1);
	cr_assert_eq(parse(""), CLQ_OK);
	cr_expect_str_eq(get("group"), "");
	cr_expect_str_eq(get("user"), "www");
	cr_expect_str_eq(get("workers"), "3");
	cr_expect_str_eq(get("use"), "(unset)");
}

Test(settings, environment_is_checked)
{
	setenv("CLIQUET_WORKERS", "many", 1);
	setenv("EOS_URL", "\xff", 1);
	cr_assert_eq(parse("workers = 3\n"), CLQ_INVALID);
	cr_said("environment CLIQUET_WORKERS: workers: 'many' is not");
	cr_said("environment EOS_URL: the value is not UTF-8");
}

Test(settings, environment_makes_listener_options)
{
	setenv("EVENT_LISTENERS", "redis my-log", 1);
	setenv("EVENT_LISTENERS_REDIS_USE", "a.b", 1);
	setenv("KINTO_EVENT_LISTENERS_MY_LOG_ACTIONS", "create delete", 1);
	setenv("EVENT_LISTENERS_OTHER_USE", "x", 1);
	cr_assert_eq(parse(""), CLQ_OK);
	cr_expect_str_eq(get("event_listeners.redis.use"), "a.b");
	cr_expect_eq(clq_settings_list(s, "event_listeners.my-log.actions").n,
	    2);
	cr_expect_not(clq_settings_has(s, "event_listeners.redis.actions"));
	cr_expect_not(clq_settings_has(s, "event_listeners.other.use"));
}

/* ---- declarations ------------------------------------------------------ */

static const struct clq_setting plugin_rows[] = {
	{ "project_name", CLQ_SET_STR, "kinto", 0, 0, NULL, "Name." },
	{ "retry_after_seconds", CLQ_SET_INT, "3", 0, 10, "seconds", "X." },
	{ "plugin.size", CLQ_SET_INT, "7", 1, 9, "bytes", "Size." },
	{ "plugin.key", CLQ_SET_SECRET, NULL, 0, 0, NULL, "Key." },
	{ "plugin.on.*", CLQ_SET_BOOL, NULL, 0, 0, NULL, "Switches." }
};

static enum clq_status
declare(void)
{
	return clq_settings_declare(s, plugin_rows, CLQ_COUNT(plugin_rows));
}

Test(settings, plugins_replace_defaults)
{
	cr_assert_eq(parse(""), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);
	cr_expect_str_eq(get("project_name"), "kinto");
	cr_expect_eq(clq_settings_int(s, "retry_after_seconds", 0), 3);
	cr_expect_eq(clq_settings_int(s, "plugin.size", 0), 7);
	cr_expect_str_eq(get("plugin.key"), "(unset)");
}

Test(settings, plugins_do_not_replace_what_was_set)
{
	setenv("KINTO_RETRY_AFTER_SECONDS", "5", 1);
	setenv("PLUGIN_SIZE", "2", 1);
	setenv("PLUGIN_KEY", "k", 1);
	cr_assert_eq(parse("project_name = mine\nplugin.size = 1\n"), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);	/* twice is harmless */
	cr_expect_str_eq(get("project_name"), "mine");
	cr_expect_str_eq(get("retry_after_seconds"), "5");
	cr_expect_str_eq(get("plugin.size"), "2");
	cr_expect_str_eq(get("plugin.key"), "k");
}

Test(settings, declarations_check_the_file)
{
	cr_assert_eq(parse("plugin.size = 10\nplugin.on.x = perhaps\n"),
	    CLQ_OK);
	cr_assert_eq(declare(), CLQ_INVALID);
	cr_said("t.ini:2: plugin.size: 10 is out of range");
	cr_said("t.ini:3: plugin.on.x: 'perhaps' is neither");
	cr_expect_not(clq_settings_usable(s));
}

Test(settings, warns_of_unknown_keys_once)
{
	cr_assert_eq(parse("kinto.cors_origin = *\nzzz = 1\nplugin.size = 1\n"
	    "flush_endpoint_enabled = true\npyramid.debug = true\n"), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);
	clq_settings_warn_unknown(s);
	cr_said("t.ini:2: 'kinto.cors_origin' is not a setting of the server "
	    "or of its plugins; did you mean 'cors_origins'?");
	cr_said("t.ini:3: 'zzz' is not a setting");
	cr_expect_not(said("plugin.size"));
	cr_expect_not(said("flush_endpoint_enabled"));
	cr_expect_not(said("pyramid"));
	cr_assert_eq(ftruncate(said_fd, 0), 0);
	clq_settings_warn_unknown(s);
	cr_expect_not(said("zzz"));
	cr_expect(clq_settings_usable(s));
}

Test(settings, errors_of_plugins_name_the_place)
{
	cr_assert_eq(parse("eos = never\n"), CLQ_OK);
	cr_expect_eq(clq_settings_error(s, "eos", "no %s; use one", "date"),
	    CLQ_INVALID);
	cr_said("t.ini:2: eos: no date; use one");
	cr_expect_eq(clq_settings_error(s, "socket", "missing"), CLQ_INVALID);
	cr_said("t.ini: socket: missing");
	cr_expect_not(clq_settings_usable(s));
}

/* ---- dump -------------------------------------------------------------- */

static const char *
dump(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	const char *copy;

	clq_settings_dump(s, f);
	fclose(f);
	copy = clq_arena_cstr(arena, (struct clq_str){ text, len });
	free(text);
	return copy;
}

Test(settings, dump_hides_secrets)
{
	const char *text;

	cr_assert_eq(parse(
	    "userid_hmac_secret = hidden1\n"
	    "storage_url = postgres://me:hidden2@x@host/db?password=hidden3\n"
	    "multiauth.policy.google.client_secret = hidden4\n"
	    "unknown_password = hidden5\n"
	    "plugin.key = hidden6\n"
	    "cache_hosts = a:1 redis://:hidden7@h/ b:2\n"), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);
	text = dump();
	cr_expect_null(strstr(text, "hidden"), "%s", text);
	cr_expect_not_null(strstr(text, "postgres://me:***@host/db?password="
	    "***"));
	cr_expect_not_null(strstr(text, "a:1 redis://:***@h/ b:2"));
	cr_expect_not_null(strstr(text, "userid_hmac_secret = ***"));
}

Test(settings, dump_says_where_values_come_from)
{
	const char *text;

	setenv("CLIQUET_WORKERS", "5", 1);
	cr_assert_eq(parse("paginate_by = 3\n"), CLQ_OK);
	text = dump();
	cr_expect_not_null(strstr(text, "# Set by t.ini:2.\npaginate_by = 3"));
	cr_expect_not_null(strstr(text,
	    "# Set by environment CLIQUET_WORKERS.\nworkers = 5"));
	cr_expect_not_null(strstr(text, "\n#backlog = 1024\n"));
	cr_expect_not_null(strstr(text, "# Integer, connections, 1 to 65535;"));
}

Test(settings, dump_can_be_read_back)
{
	static const char *const keys[] = { "includes", "project_name",
	    "project_docs", "eos", "error_info_link", "unknown.thing",
	    "resource.m.schema", "server.port", "cors_origins" };
	const char *before[CLQ_COUNT(keys)];
	size_t i;

	cr_assert_eq(parse_str(CLQ_STR("[app:main]\nincludes = a\n  b\n"
	    "project_name = \" blank \"\nproject_docs = 100%%\neos = null\n"
	    "error_info_link = \"a\\n#b\"\nunknown.thing = x\n  y\n"
	    "cors_origins = \"#a\\n;b\"\n"
	    "[resource:m]\nschema = {\n  }\n[server:main]\nport = 1\n")),
	    CLQ_OK);
	for (i = 0; i < CLQ_COUNT(keys); i++)
		before[i] = clq_arena_cstr(arena, clq_str_of(get(keys[i])));
	cr_assert_eq(parse_str(clq_str_of(dump())), CLQ_OK, "%s", said_text);
	for (i = 0; i < CLQ_COUNT(keys); i++)
		cr_expect_str_eq(get(keys[i]), before[i], "%s: '%s', not '%s'",
		    keys[i], get(keys[i]), before[i]);
}

Test(settings, table_is_sound)
{
	size_t i, j;

	cr_assert_eq(clq_settings_load(NULL, &s), CLQ_OK);
	for (i = 0; i < clq_n_core_settings; i++) {
		const struct clq_setting *row = &clq_core_settings[i];
		size_t len = strlen(row->help);

		cr_expect(len > 5 && row->help[len - 1] == '.', "%s",
		    row->key);
		cr_expect(row->type != CLQ_SET_INT || row->min < row->max,
		    "%s", row->key);
		cr_expect(row->def == NULL || strchr(row->key, '*') == NULL,
		    "%s", row->key);
		for (j = 0; j < i; j++)
			cr_expect_str_neq(row->key, clq_core_settings[j].key);
	}
}
