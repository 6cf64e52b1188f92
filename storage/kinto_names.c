/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a list is on the other side: one collection each, named after resource
 * and parent, in one bucket.
 *
 * Ids of collections are letters, digits, '_' and '-'. So a '-' stands between
 * resource and parent, and what is neither letter nor digit is written as '_'
 * and its two hexadecimal digits: "article-basicauth_3a9917".
 */
#include "storage/kinto.h"

#include <cliquet/str.h>

static bool
plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static void
encode(struct clq_buf *b, struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (plain(s.p[i]))
			clq_buf_addc(b, s.p[i]);
		else
			clq_buf_printf(b, "_%02x", (unsigned char)s.p[i]);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode(struct clq_arena *arena, struct clq_str s, struct clq_str *out)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, s.len);
	for (size_t i = 0; i < s.len; i++) {
		if (plain(s.p[i])) {
			clq_buf_addc(&b, s.p[i]);
			continue;
		}
		if (s.p[i] != '_' || s.len - i < 3 || digit(s.p[i + 1]) < 0 ||
		    digit(s.p[i + 2]) < 0)
			return false;
		clq_buf_addc(&b, (char)(digit(s.p[i + 1]) * 16 +
		    digit(s.p[i + 2])));
		i += 2;
	}
	*out = clq_buf_str(&b);
	return true;
}

struct clq_str
kr_list_path(const struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 128);
	clq_buf_printf(&b, "/buckets/%.*s/collections/", CLQ_FMT(k->bucket));
	encode(&b, coll->resource);
	if (coll->parent.len > 0) {
		clq_buf_addc(&b, '-');
		encode(&b, coll->parent);
	}
	return clq_buf_str(&b);
}

struct clq_str
kr_object_path(const struct kr *k, struct clq_arena *arena,
    const struct clq_coll *coll, struct clq_str id)
{
	return clq_arena_printf(arena, "%.*s/records/%.*s",
	    CLQ_FMT(kr_list_path(k, arena, coll)), CLQ_FMT(id));
}

bool
kr_list_of(struct clq_arena *arena, struct clq_str name, struct clq_coll *out)
{
	size_t dash = clq_str_find(name, '-', 0);

	out->parent = CLQ_STR("");
	return decode(arena, clq_str_sub(name, 0, dash), &out->resource) &&
	    (dash == name.len || decode(arena, clq_str_sub(name, dash + 1,
	    name.len), &out->parent));
}

bool
kr_id_fits(struct clq_str id)
{
	if (id.len == 0 || id.len > 512 || !plain(id.p[0]))
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!plain(id.p[i]) && id.p[i] != '_' && id.p[i] != '-')
			return false;
	return true;
}
