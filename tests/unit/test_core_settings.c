/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an ini is read, and what people are told when something in it is wrong.
 */
#include "settings_fixture.h"

#include <sys/stat.h>

TestSuite(settings, .init = setup, .fini = teardown);

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
	clq_buf_adds(&b, "end\nback = a\\\nnext = 'quoted'\n"
	    "k\xc3\xa9y = \xc3\xa9\n[APP:MAIN]\nback = other\n");
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

Test(settings, bounds_interpolation)
{
	struct clq_buf b;
	int i, j;

	alarm(60);
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

Test(settings, bounds_names_and_numbers)
{
	struct clq_buf b;
	int i;

	alarm(60);
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

Test(settings, does_not_wait_for_a_fifo)
{
	char folder[] = "/tmp/clq-fifo-XXXXXX", path[64];

	alarm(60);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/fifo", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(clq_settings_load(path, &s), CLQ_INVALID);
	unlink(path);
	rmdir(folder);
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

Test(settings, declares_below_a_prefix)
{
	static const struct clq_setting options[] = {
		{ "size", CLQ_SET_INT, "5", 1, 9, "bytes", "" },
		{ "name", CLQ_SET_STR, NULL, 0, 0, NULL, "" },
	};
	const struct clq_setting *t;

	cr_assert_eq(parse("a.one.name = x\na.two.size = 10\n"), CLQ_OK);
	t = clq_settings_declare_below(s, "a.one.", options, 2);
	cr_assert_not_null(t);
	cr_expect_str_eq(t[0].key, "a.one.size");
	cr_expect_eq(clq_settings_int(s, t[0].key, 0), 5);
	cr_expect_str_eq(get(t[1].key), "x");
	cr_expect_null(clq_settings_declare_below(s, "a.two.", options, 2));
	cr_said("a.two.size: 10 is out of range");
}
