/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the environment changes in the settings, what declarations of plugins
 * add and check, and how it is all shown.
 */
#include "settings_fixture.h"

TestSuite(layers, .init = setup, .fini = teardown);

/* ---- environment ------------------------------------------------------- */

Test(layers, environment_wins_in_order)
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

Test(layers, environment_reaches_known_keys_only)
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

Test(layers, shell_variables_do_not_configure_the_server)
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

Test(layers, environment_is_checked)
{
	setenv("CLIQUET_WORKERS", "many", 1);
	setenv("EOS_URL", "\xff", 1);
	cr_assert_eq(parse("workers = 3\n"), CLQ_INVALID);
	cr_said("environment CLIQUET_WORKERS: workers: 'many' is not");
	cr_said("environment EOS_URL: the value is not UTF-8");
}

Test(layers, environment_makes_listener_options)
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

Test(layers, plugins_replace_defaults)
{
	cr_assert_eq(parse(""), CLQ_OK);
	cr_assert_eq(declare(), CLQ_OK);
	cr_expect_str_eq(get("project_name"), "kinto");
	cr_expect_eq(clq_settings_int(s, "retry_after_seconds", 0), 3);
	cr_expect_eq(clq_settings_int(s, "plugin.size", 0), 7);
	cr_expect_str_eq(get("plugin.key"), "(unset)");
}

Test(layers, plugins_do_not_replace_what_was_set)
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

Test(layers, declarations_check_the_file)
{
	cr_assert_eq(parse("plugin.size = 10\nplugin.on.x = perhaps\n"),
	    CLQ_OK);
	cr_assert_eq(declare(), CLQ_INVALID);
	cr_said("t.ini:2: plugin.size: 10 is out of range");
	cr_said("t.ini:3: plugin.on.x: 'perhaps' is neither");
	cr_expect_not(clq_settings_usable(s));
}

Test(layers, warns_of_unknown_keys_once)
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

Test(layers, warns_of_sections_that_nobody_reads)
{
	cr_assert_eq(parse("[resorce:mushroom]\npath = /m\n[listner]\na = 1\n"
	    "[sever:main]\n[Resource:x]\npath = /x\n[handler:x]\n"), CLQ_OK);
	clq_settings_warn_unknown(s);
	cr_said("t.ini:2: the section [resorce:mushroom] is not one of the "
	    "server's and has no effect; did you mean [resource:mushroom]?");
	cr_said("t.ini:4: the section [listner] is not one of the server's and "
	    "has no effect; its settings belong below [app:main]");
	cr_said("did you mean [server:main]?");
	cr_said("did you mean [resource:x]?");
	cr_said("t.ini:9: the section [handler:x]");
	cr_assert_eq(ftruncate(said_fd, 0), 0);
	clq_settings_warn_unknown(s);
	cr_expect_not(said("section"));
}

Test(layers, sections_of_others_are_left_alone)
{
	cr_assert_eq(parse("[server:main]\nport = 1\n[loggers]\n[handlers]\n"
	    "[formatters]\n[logger_root]\n[handler_console]\n"
	    "[formatter_color]\n[uwsgi]\nx = 1\n[composite:main]\n"
	    "[filter:gzip]\n[pipeline:main]\n[app:other]\n[DEFAULT]\n"
	    "[alembic]\n"), CLQ_OK);
	clq_settings_warn_unknown(s);
	cr_expect_not(said("section"));
}

Test(layers, warns_of_settings_where_nobody_reads_them)
{
	cr_assert_eq(parse("project_docs = %(storage_url)s\n[formatter_json]\n"
	    "readonly = true\nformat = x\n[server:main]\nreadonly = 1\n"
	    "workers = 3\nport = 1\nstatsd_prefix = x\nkinto.backlog = 3\n"
	    "[DEFAULT]\nstorage_url = used\neos_url = /\nkinto.eos = x\n"
	    "[uwsgi]\nsocket = x\nprocesses = 2\npaginate_by = 2\n"
	    "[app:other]\nreadonly = true\n[filter:x]\nreadonly = true\n"),
	    CLQ_OK);
	clq_settings_warn_unknown(s);
	cr_said("t.ini:4: readonly in [formatter_json] has no effect; write it "
	    "into [app:main]");
	cr_said("t.ini:7: readonly in [server:main] has no effect");
	cr_said("t.ini:11: kinto.backlog in [server:main] has no effect");
	cr_said("t.ini:14: eos_url in [DEFAULT] has no effect");
	cr_said("t.ini:19: paginate_by in [uwsgi] has no effect");
	cr_expect_not(said("kinto.eos in"));
	cr_expect_not(said("storage_url in"));
	for (const char *const *other = (const char *const[]){ "t.ini:5:",
	    "t.ini:8:", "t.ini:9:", "t.ini:10:", "t.ini:17:", "t.ini:18:",
	    "t.ini:21:", "t.ini:23:", NULL }; *other != NULL; other++)
		cr_expect_not(said(*other), "%s", *other);
}

Test(layers, warns_of_a_second_section)
{
	cr_assert_eq(parse("eos_url = /\n[loggers]\nkeys = a\n[loggers]\n"
	    "[app:main]\neos_message = x\n"), CLQ_OK);
	cr_said("t.ini:6: a second [app:main] is read as a part of the first, "
	    "at line 1; write its settings there");
	cr_expect_not(said("[loggers]"));
}

Test(layers, unknown_sections_are_bounded)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	for (int i = 0; i < 200; i++)
		clq_buf_printf(&b, "[odd%d]\n", i);
	cr_assert_eq(parse(clq_arena_cstr(arena, clq_buf_str(&b))), CLQ_OK);
	clq_settings_warn_unknown(s);
	cr_said("[odd19]");
	cr_expect_not(said("[odd20]"));
}

Test(layers, errors_of_plugins_name_the_place)
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

Test(layers, dump_hides_secrets)
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
	cr_expect_not_null(strstr(text, "\n#userid_hmac_secret = ***"));
}

Test(layers, dump_says_where_values_come_from)
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

Test(layers, dump_can_be_read_back)
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

Test(layers, table_is_sound)
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
