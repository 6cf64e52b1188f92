/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the URL of a Redis server: the form that the storage of that name has,
 * too. Parts are percent-decoded, since passwords hold anything.
 */
#include "redis.h"

#include <cliquet/str.h>

static const char *
decoded(struct clq_arena *arena, struct clq_str s)
{
	return clq_arena_cstr(arena, clq_url_decode(arena, s, false));
}

/* A number within bounds; an empty text leaves the default. */
static bool
number(struct clq_str s, int64_t min, int64_t max, int64_t *out)
{
	return s.len == 0 || (clq_str_int(s, out) && *out >= min &&
	    *out <= max);
}

/* "user:password@" or ":password@" in front. The last '@' before the first '/'
 * ends it: passwords may have others, and so may paths. */
static struct clq_str
login(struct clq_arena *arena, struct clq_str rest,
    struct redis_address *out)
{
	size_t at = clq_str_find(rest, '/', 0);
	size_t colon = clq_str_find(rest, ':', 0);

	while (at > 0 && (at == rest.len || rest.p[at] != '@'))
		at--;
	if (rest.len == 0 || rest.p[at] != '@')
		return rest;
	if (colon > at)
		colon = at;
	if (colon > 0)
		out->user = decoded(arena, clq_str_sub(rest, 0, colon));
	if (colon < at)
		out->password = decoded(arena, clq_str_sub(rest, colon + 1,
		    at));
	return clq_str_sub(rest, at + 1, rest.len);
}

bool
redis_address(struct clq_arena *arena, struct clq_str url,
    struct redis_address *out)
{
	bool local = clq_str_starts(url, "unix://");
	int64_t port = 6379;
	struct clq_str rest;
	size_t end, colon;

	*out = (struct redis_address){ .host = NULL };
	if (!local && !clq_str_starts(url, "redis://"))
		return false;
	rest = login(arena, clq_str_sub(url, local ? 7 : 8, url.len), out);
	if (local) {
		end = clq_str_search(rest, CLQ_STR("?db="));
		out->path = decoded(arena, clq_str_sub(rest, 0, end));
		return out->path[0] == '/' && number(clq_str_sub(rest,
		    end + 4, rest.len), 0, 65535, &out->number);
	}
	end = clq_str_find(rest, '/', 0);
	if (!number(clq_str_sub(rest, end + 1, rest.len), 0, 65535,
	    &out->number))
		return false;
	rest = clq_str_sub(rest, 0, end);
	colon = clq_str_starts(rest, "[") ? clq_str_find(rest, ']', 0) + 1 :
	    clq_str_find(rest, ':', 0);
	if (colon > rest.len || (colon < rest.len && rest.p[colon] != ':') ||
	    !number(clq_str_sub(rest, colon + 1, rest.len), 1, 65535, &port))
		return false;
	rest = clq_str_sub(rest, 0, colon);
	if (clq_str_starts(rest, "["))
		rest = clq_str_sub(rest, 1, rest.len - 1);
	out->host = rest.len > 0 ? decoded(arena, rest) : "localhost";
	out->port = (int)port;
	return true;
}
