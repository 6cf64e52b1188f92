/* SPDX-License-Identifier: Apache-2.0 */
/* redis.so without a server: its URL. */
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

#include "core/settings_load.h"
#include "storage/redis.h"

/* What the URL is understood as, or "wrong". */
static const char *
read_(const char *url)
{
	static char text[512];
	struct clq_settings *settings;
	const struct redis_address *a;
	struct rd_db *db;
	void *self = NULL;

	(void)snprintf(text, sizeof text, "[app:main]\nstorage_url = %s\n",
	    url);
	cr_assert_eq(clq_settings_parse("test.ini", clq_str_of(text),
	    &settings), CLQ_OK);
	if (rd_configure(settings, "storage", &self) == CLQ_OK) {
		db = rd_self(self);
		a = &db->address;
		(void)snprintf(text, sizeof text, "%s|%s|%s|%d|%lld",
		    a->user != NULL ? a->user : "",
		    a->password != NULL ? a->password : "",
		    a->path != NULL ? a->path : a->host, a->port,
		    (long long)a->number);
		cr_expect_null(strstr(db->shown, "secret"));
		clq_plugin.backend->close(self);
	} else {
		(void)snprintf(text, sizeof text, "wrong");
	}
	clq_settings_free(&settings);
	return text;
}

Test(redis_url, says_where_and_who)
{
	static const struct {
		const char	*url, *read;
	} all[] = {
		{ "redis://", "||localhost|6379|0" },
		{ "redis://h", "||h|6379|0" },
		{ "redis://h:1/2", "||h|1|2" },
		{ "redis://[::1]:7/3", "||::1|7|3" },
		{ "redis://u:secret@h/", "u|secret|h|6379|0" },
		{ "redis://:sec%%40ret@h", "|sec@ret|h|6379|0" },
		{ "redis://:p@secret@h:8", "|p@secret|h|8|0" },
		{ "unix:///run/r.sock", "||/run/r.sock|0|0" },
		{ "unix:///run/a@b?db=4", "||/run/a@b|0|4" },
		{ "unix://:secret@/r", "|secret|/r|0|0" },
	};

	for (size_t i = 0; i < CLQ_COUNT(all); i++)
		cr_expect_str_eq(read_(all[i].url), all[i].read, "%s",
		    all[i].url);
}

Test(redis_url, is_refused, .init = cr_redirect_stderr)
{
	static const char *const all[] = {
		"rediss://h", "http://h", "redis://h:0", "redis://h:65536",
		"redis://h:x", "redis://h:", "redis://[::1", "redis://[::1]x",
		"redis://h/x", "redis://h/-1",
		"unix://run/r.sock", "unix://", "unix:///r?db=x",
	};

	for (size_t i = 0; i < CLQ_COUNT(all); i++)
		cr_expect_str_eq(read_(all[i]), "wrong", "%s", all[i]);
}
