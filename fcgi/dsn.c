/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a DSN apart (see dsn.h).
 */
#include "dsn.h"

#include <cliquet/str.h>

#include <stdio.h>

static bool
sane(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"')
			return false;
	return s.len > 0;
}

bool
clq_dsn_parse(struct clq_str text, struct clq_dsn *out)
{
	struct clq_str scheme, rest, key, host, path, project;
	size_t at, i;

	*out = (struct clq_dsn){ .url = "" };
	i = clq_str_search(text, CLQ_STR("://"));
	if (i == text.len || !sane(text))
		return false;
	scheme = clq_str_sub(text, 0, i);
	rest = clq_str_sub(text, i + 3, text.len);
	at = clq_str_find(rest, '@', 0);
	key = clq_str_sub(rest, 0, at);
	key = clq_str_sub(key, 0, clq_str_find(key, ':', 0));
	rest = at < rest.len ? clq_str_sub(rest, at + 1, rest.len) :
	    CLQ_STR("");
	i = clq_str_find(rest, '/', 0);
	host = clq_str_sub(rest, 0, i);
	path = clq_str_sub(rest, i, rest.len);
	while (path.len > 0 && path.p[path.len - 1] == '/')
		path.len--;
	for (i = path.len; i > 0 && path.p[i - 1] != '/'; i--)
		;
	project = clq_str_sub(path, i, path.len);
	path = clq_str_sub(path, 0, i > 0 ? i - 1 : 0);
	if ((!clq_str_is(scheme, "https") && !clq_str_is(scheme, "http")) ||
	    key.len == 0 || key.len >= sizeof out->key || host.len == 0 ||
	    project.len == 0 || text.len > sizeof out->url - 32)
		return false;
	snprintf(out->key, sizeof out->key, "%.*s", CLQ_FMT(key));
	snprintf(out->url, sizeof out->url, "%.*s://%.*s%.*s/api/%.*s/"
	    "envelope/", CLQ_FMT(scheme), CLQ_FMT(host), CLQ_FMT(path),
	    CLQ_FMT(project));
	return true;
}
