/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to URIs: RFC 3986, sections 5.2 and 5.3, without fragments.
 *
 * Identifiers of schemas are only compared, never fetched; what is not a URI
 * at all still has a well-defined text here.
 */
#include "impl.h"

/* The parts of a URI reference; absent ones have no pointer. */
struct uri {
	struct clq_str	scheme, authority, path, query;
};

static bool
is_scheme(struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i] | 0x20;

		if (c >= 'a' && c <= 'z')
			continue;
		if (i == 0 || strchr("0123456789+-.", s.p[i]) == NULL)
			return false;
	}
	return s.len > 0;
}

/* Cut at the first of the characters; the rest, with it, stays in s. */
static struct clq_str
until(struct clq_str *s, const char *stops)
{
	size_t i = 0;
	struct clq_str head;

	while (i < s->len && strchr(stops, s->p[i]) == NULL)
		i++;
	head = clq_str_sub(*s, 0, i);
	*s = clq_str_sub(*s, i, s->len);
	return head;
}

static struct uri
split(struct clq_str s)
{
	struct uri u;
	size_t colon;

	memset(&u, 0, sizeof u);
	s = clq_str_sub(s, 0, clq_str_find(s, '#', 0));
	colon = clq_str_find(s, ':', 0);
	if (colon < s.len && is_scheme(clq_str_sub(s, 0, colon))) {
		u.scheme = clq_str_sub(s, 0, colon);
		s = clq_str_sub(s, colon + 1, s.len);
	}
	if (clq_str_starts(s, "//")) {
		s = clq_str_sub(s, 2, s.len);
		u.authority = until(&s, "/?");
	}
	u.path = until(&s, "?");
	if (s.len > 0)
		u.query = clq_str_sub(s, 1, s.len);
	return u;
}

/* Take the last segment and its slash off b. */
static void
drop_segment(struct clq_buf *b, size_t start)
{
	while (b->len > start && b->p[b->len - 1] != '/')
		b->len--;
	if (b->len > start)
		b->len--;
}

/* Section 5.2.4 for a path; relative ones keep what leads out of them. */
static void
add_path(struct clq_buf *b, struct clq_str path)
{
	size_t start = b->len, slash;
	struct clq_str segment;

	while (path.len > 0) {
		slash = clq_str_find(path, '/', path.p[0] == '/');
		segment = clq_str_sub(path, 0, slash);
		path = clq_str_sub(path, slash, path.len);
		if (clq_str_is(segment, "/.") || clq_str_is(segment, "/..")) {
			if (segment.len == 3)
				drop_segment(b, start);
			if (path.len == 0)
				clq_buf_addc(b, '/');
			continue;
		}
		clq_buf_add(b, segment);
	}
}

/* The base's path up to its last slash, and the reference's. */
static struct clq_str
merge(struct clq_arena *arena, const struct uri *base, struct clq_str path)
{
	size_t end = base->path.len;

	if (base->authority.p != NULL && base->path.len == 0)
		return clq_arena_printf(arena, "/%.*s", CLQ_FMT(path));
	while (end > 0 && base->path.p[end - 1] != '/')
		end--;
	return clq_arena_printf(arena, "%.*s%.*s", (int)end, base->path.p,
	    CLQ_FMT(path));
}

const char *
js_uri_join(struct js_compiler *c, const char *base, struct clq_str ref)
{
	struct uri b = split(clq_str_of(base)), r = split(ref), t = b;
	struct clq_arena *arena = c->arena;
	struct clq_buf out;

	if (strlen(base) + ref.len > JS_MAX_URI) {
		(void)js_compile_fail(c, "$ref",
		    "the schema has too long identifiers");
		return NULL;
	}
	if (r.scheme.p != NULL) {
		t = r;
	} else if (r.authority.p != NULL) {
		t = r;
		t.scheme = b.scheme;
	} else if (r.path.len > 0) {
		t.path = r.path.p[0] == '/' ? r.path :
		    merge(arena, &b, r.path);
		t.query = r.query;
	} else if (r.query.p != NULL) {
		t.query = r.query;
	}
	clq_buf_init(&out, arena, 64);
	if (t.scheme.p != NULL)
		clq_buf_printf(&out, "%.*s:", CLQ_FMT(t.scheme));
	if (t.authority.p != NULL)
		clq_buf_printf(&out, "//%.*s", CLQ_FMT(t.authority));
	add_path(&out, t.path);
	if (t.query.p != NULL)
		clq_buf_printf(&out, "?%.*s", CLQ_FMT(t.query));
	return clq_arena_cstr(arena, clq_buf_str(&out));
}
