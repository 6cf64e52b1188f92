/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a browser may be sent with the tokens: to trusted URLs only, else
 * anybody could have them by making somebody follow a link.
 *
 * URLs are compared part by part, and what browsers and we might read
 * differently is not trusted at all: user names, backslashes, dots in the
 * path that lead elsewhere, odd characters in the host.
 */
#include "openid.h"

struct parts {
	struct clq_str	scheme;		/* lower case */
	struct clq_str	host;		/* lower case, without brackets */
	struct clq_str	port;		/* never empty */
	struct clq_str	rest;		/* path, query, fragment */
};

static struct clq_str
lower(struct clq_arena *arena, struct clq_str s)
{
	char *p = clq_arena_alloc(arena, s.len);

	for (size_t i = 0; i < s.len; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ?
		    (char)(s.p[i] | 0x20) : s.p[i];
	return (struct clq_str){ p, s.len };
}

/* True if all bytes are letters, digits or among more. */
static bool
consists_of(struct clq_str s, const char *more)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool alnum = (c >= '0' && c <= '9') ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');

		if (!alnum && (c == '\0' || strchr(more, c) == NULL))
			return false;
	}
	return true;
}

static bool
is_ipv6(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr("0123456789abcdef:.", s.p[i]) == NULL)
			return false;
	return true;
}

static bool
has_blank(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return true;
	return !clq_utf8_valid(s);
}

bool
openid_is_url(struct clq_str s)
{
	struct clq_str mark = CLQ_STR("://");
	size_t at = clq_str_search(s, mark);

	return at > 0 && at + mark.len < s.len && !has_blank(s) &&
	    consists_of(clq_str_sub(s, 0, at), "+.-");
}

/* ---- parts ------------------------------------------------------------- */

/* "localhost:8000" or "[::1]:8000". */
static bool
split_authority(struct clq_arena *arena, struct clq_str authority,
    struct parts *out)
{
	struct clq_str s = lower(arena, authority);
	size_t end;

	if (clq_str_starts(s, "[")) {
		end = clq_str_find(s, ']', 0);
		out->host = clq_str_sub(s, 1, end);
		if (end == s.len || !is_ipv6(out->host))
			return false;
		s = clq_str_sub(s, end + 1, s.len);
	} else {
		end = clq_str_find(s, ':', 0);
		out->host = clq_str_sub(s, 0, end);
		if (!consists_of(out->host, ".-*"))
			return false;
		s = clq_str_sub(s, end, s.len);
	}
	if (out->host.len == 0 || (s.len > 0 && s.p[0] != ':'))
		return false;
	out->port = clq_str_sub(s, 1, s.len);
	for (size_t i = 0; i < out->port.len; i++)
		if (out->port.p[i] != '*' && (out->port.p[i] < '0' ||
		    out->port.p[i] > '9'))
			return false;
	if (out->port.len == 0)
		out->port = clq_str_is(out->scheme, "https") ?
		    CLQ_STR("443") : CLQ_STR("80");
	return true;
}

/* True if a browser would resolve a segment of the path: "..", "%2E". */
static bool
has_dots(struct clq_arena *arena, struct clq_str rest)
{
	struct clq_str path, segment;
	size_t end = 0;

	while (end < rest.len && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	path = clq_url_decode(arena, clq_str_sub(rest, 0, end), false);
	if (clq_str_find(path, '\\', 0) < path.len)
		return true;
	while (clq_str_next(&path, '/', &segment))
		if (clq_str_is(segment, ".") || clq_str_is(segment, ".."))
			return true;
	return false;
}

static bool
split(struct clq_arena *arena, struct clq_str url, struct parts *out)
{
	size_t scheme = clq_str_search(url, CLQ_STR("://")), end;
	struct clq_str s;

	if (url.len > OPENID_MAX_URL || !openid_is_url(url))
		return false;
	out->scheme = lower(arena, clq_str_sub(url, 0, scheme));
	if (!clq_str_is(out->scheme, "http") &&
	    !clq_str_is(out->scheme, "https"))
		return false;
	s = clq_str_sub(url, scheme + 3, url.len);
	for (end = 0; end < s.len; end++)
		if (strchr("/?#", s.p[end]) != NULL)
			break;
	out->rest = clq_str_sub(s, end, s.len);
	if (out->rest.len == 0)
		out->rest = CLQ_STR("/");
	return split_authority(arena, clq_str_sub(s, 0, end), out) &&
	    !has_dots(arena, out->rest);
}

/* ---- comparison -------------------------------------------------------- */

/* '*' is any run; everything else is itself. */
static bool
match(struct clq_str s, struct clq_str pattern)
{
	size_t i = 0, j = 0, star = pattern.len, from = 0;

	while (i < s.len) {
		if (j < pattern.len && pattern.p[j] == '*') {
			star = j++;
			from = i;
		} else if (j < pattern.len && pattern.p[j] == s.p[i]) {
			i++;
			j++;
		} else if (star < pattern.len) {
			j = star + 1;	/* let the star take one more */
			i = ++from;
		} else {
			return false;
		}
	}
	while (j < pattern.len && pattern.p[j] == '*')
		j++;
	return j == pattern.len;
}

bool
openid_callback_trusted(struct clq_arena *arena, struct clq_str url,
    struct clq_strs trusted)
{
	struct parts u, t;

	/* a star is for patterns: none in the host of a URL */
	if (!split(arena, url, &u) || clq_str_find(u.host, '*', 0) <
	    u.host.len || clq_str_find(u.port, '*', 0) < u.port.len)
		return false;
	for (size_t i = 0; i < trusted.n; i++)
		if (split(arena, trusted.items[i], &t) &&
		    clq_str_eq(u.scheme, t.scheme) &&
		    match(u.host, t.host) && match(u.port, t.port) &&
		    match(u.rest, t.rest))
			return true;
	return false;
}
