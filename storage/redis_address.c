/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the URL of a Redis server, part by part (see redis_address.h).
 */
#include "storage/redis_address.h"

#include <cliquet/str.h>

static const char *
decoded(struct clq_arena *arena, struct clq_str s)
{
	return clq_arena_cstr(arena, clq_url_decode(arena, s, false));
}

/* "user:password" or ":password". */
static void
read_login(struct clq_arena *arena, struct clq_str login,
    struct redis_address *out)
{
	size_t colon = clq_str_find(login, ':', 0);

	if (colon > 0)
		out->user = decoded(arena, clq_str_sub(login, 0, colon));
	if (colon < login.len)
		out->password = decoded(arena, clq_str_sub(login, colon + 1,
		    login.len));
}

/* "host", "host:port", "[::1]:port"; empty: localhost. */
static bool
read_host(struct clq_arena *arena, struct clq_str s,
    struct redis_address *out)
{
	bool brackets = clq_str_starts(s, "[");
	size_t end = brackets ? clq_str_find(s, ']', 0) + 1 :
	    clq_str_find(s, ':', 0);
	struct clq_str host = brackets ? clq_str_sub(s, 1, end - 1) :
	    clq_str_sub(s, 0, end);
	int64_t port = 6379;

	if (end > s.len || (end < s.len && (s.p[end] != ':' ||
	    !clq_str_int(clq_str_sub(s, end + 1, s.len), &port) ||
	    port < 1 || port > 65535)))
		return false;
	out->host = host.len > 0 ? decoded(arena, host) : "localhost";
	out->port = (int)port;
	return true;
}

/* An empty text is the first database. */
static bool
read_number(struct clq_str s, struct redis_address *out)
{
	return s.len == 0 || (clq_str_int(s, &out->number) &&
	    out->number >= 0 && out->number <= 65535);
}

bool
redis_address(struct clq_arena *arena, struct clq_str url,
    struct redis_address *out)
{
	bool local = clq_str_starts(url, "unix://");
	struct clq_str rest;
	size_t at, end;

	*out = (struct redis_address){ .host = NULL };
	if (!local && !clq_str_starts(url, "redis://"))
		return false;
	rest = clq_str_sub(url, strlen(local ? "unix://" : "redis://"),
	    url.len);
	/* The last '@' before the path: passwords may have others. */
	for (at = clq_str_find(rest, '/', 0); at > 0 && rest.p[at - 1] != '@';
	    at--)
		;
	if (at > 0) {
		read_login(arena, clq_str_sub(rest, 0, at - 1), out);
		rest = clq_str_sub(rest, at, rest.len);
	}
	if (local) {
		end = clq_str_search(rest, CLQ_STR("?db="));
		out->path = decoded(arena, clq_str_sub(rest, 0, end));
		return out->path[0] == '/' && read_number(clq_str_sub(rest,
		    end + strlen("?db="), rest.len), out);
	}
	end = clq_str_find(rest, '/', 0);
	return read_host(arena, clq_str_sub(rest, 0, end), out) &&
	    read_number(clq_str_sub(rest, end + 1, rest.len), out);
}
