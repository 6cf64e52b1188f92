/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking things up in the text of a JSON document without building a tree.
 *
 * Stored documents are valid JSON: what is read here is structure, nothing is
 * checked. Still, a text that is not valid gives some answer and never makes
 * anything read beyond its end.
 */
#include "storage/sqlite.h"

#include <cliquet/str.h>

struct cursor {
	const char	*p;
	const char	*end;
};

/* A member of an object; the name is between its quotes, still escaped. */
struct member {
	struct clq_str	name;
	struct clq_str	value;
};

static void
skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' ||
	    *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

/* From the opening quote to after the closing one; false if there is none. */
static bool
skip_string(struct cursor *c)
{
	for (c->p++; c->p < c->end; c->p++) {
		if (*c->p == '"') {
			c->p++;
			return true;
		}
		if (*c->p == '\\')
			c->p++;
	}
	c->p = c->end;
	return false;
}

/* To after the value; its text without blanks around in *value. */
static bool
take_value(struct cursor *c, struct clq_str *value)
{
	unsigned depth = 0;

	skip_blanks(c);
	value->p = c->p;
	while (c->p < c->end) {
		switch (*c->p) {
		case '"':
			if (!skip_string(c))
				return false;
			break;
		case '[':
		case '{':
			depth++;
			c->p++;
			break;
		case ']':
		case '}':
			if (depth == 0)
				goto out;	/* of what holds the value */
			depth--;
			c->p++;
			break;
		case ',':
		case ':':
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			if (depth == 0)
				goto out;
			/* FALLTHROUGH */
		default:
			c->p++;
			continue;
		}
		if (depth == 0)
			break;
	}
out:	value->len = (size_t)(c->p - value->p);
	return value->len > 0 && depth == 0;
}

/* Step over `open` or a comma; false at the end of the container. */
static bool
next_item(struct cursor *c)
{
	skip_blanks(c);
	if (c->p < c->end && *c->p == ',')
		c->p++;
	skip_blanks(c);
	return c->p < c->end && *c->p != ']' && *c->p != '}';
}

static bool
next_member(struct cursor *c, struct member *m)
{
	const char *name;

	if (!next_item(c) || *c->p != '"')
		return false;
	name = c->p + 1;
	if (!skip_string(c))
		return false;
	m->name = (struct clq_str){ name, (size_t)(c->p - 1 - name) };
	skip_blanks(c);
	if (c->p == c->end || *c->p++ != ':')
		return false;
	return take_value(c, &m->value);
}

/* What is left of a container after its first byte, or after an item. */
static struct cursor
enter(struct clq_str container)
{
	struct cursor c = { container.p, container.p + container.len };

	skip_blanks(&c);
	if (c.p < c.end && (*c.p == '[' || *c.p == '{'))
		c.p++;
	return c;
}

static bool
leave(struct clq_str *container, const struct cursor *c, bool found)
{
	/* A comma is left in front, so that no item looks like the start. */
	container->p = c->p;
	container->len = (size_t)(c->end - c->p);
	return found;
}

bool
sq_json_items(struct clq_str *array, struct clq_str *item)
{
	struct cursor c = enter(*array);
	bool found = next_item(&c) && take_value(&c, item);

	return leave(array, &c, found);
}

bool
sq_json_members(struct clq_str *object, struct clq_str *name,
    struct clq_str *value)
{
	struct cursor c = enter(*object);
	struct member m;

	if (!next_member(&c, &m))
		return leave(object, &c, false);
	*name = m.name;
	*value = m.value;
	return leave(object, &c, true);
}

/* ---- strings ---------------------------------------------------------- */

static unsigned
hex4(const char *p)
{
	unsigned v = 0;
	int i;

	for (i = 0; i < 4; i++) {
		v <<= 4;
		if (p[i] >= '0' && p[i] <= '9')
			v |= (unsigned)(p[i] - '0');
		else
			v |= (unsigned)((p[i] | 0x20) - 'a' + 10) & 0xf;
	}
	return v;
}

static size_t
put_utf8(unsigned cp, char *out)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* Decode the escape at c->p, a backslash. Returns the bytes put in out. */
static size_t
take_escape(struct cursor *c, char out[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *known;
	unsigned cp, low;

	if (++c->p >= c->end)
		return 0;
	out[0] = *c->p++;
	if (out[0] != 'u') {
		known = strchr(from, out[0]);
		if (known != NULL && *known != '\0')
			out[0] = to[known - from];
		return 1;
	}
	if (c->end - c->p < 4)
		return 1;
	cp = hex4(c->p);
	c->p += 4;
	if (cp >= 0xd800 && cp < 0xdc00 && c->end - c->p >= 6 &&
	    c->p[0] == '\\' && c->p[1] == 'u') {
		low = hex4(c->p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
			c->p += 6;
		}
	}
	return put_utf8(cp, out);
}

void
sq_json_unescape(struct sq_bytes *b, struct clq_str raw)
{
	struct cursor c = { raw.p, raw.p + raw.len };
	const char *run;
	char out[4];
	size_t n;

	while (c.p < c.end) {
		run = c.p;
		c.p = memchr(run, '\\', (size_t)(c.end - run));
		if (c.p == NULL)
			c.p = c.end;
		sq_bytes_add(b, run, (size_t)(c.p - run));
		if (c.p < c.end) {
			n = take_escape(&c, out);
			sq_bytes_add(b, out, n);
		}
	}
}

/* ---- paths ------------------------------------------------------------ */

/*
 * How many bytes of path a member's name covers if it is the path, or its
 * beginning before a dot. False if it is neither.
 */
static bool
name_covers(struct clq_str name, struct clq_str path, size_t *covered)
{
	struct cursor c = { name.p, name.p + name.len };
	size_t at = 0, n;
	char out[4];

	while (c.p < c.end) {
		if (*c.p == '\\') {
			n = take_escape(&c, out);
		} else {
			out[0] = *c.p++;
			n = 1;
		}
		if (path.len - at < n || memcmp(path.p + at, out, n) != 0)
			return false;
		at += n;
	}
	*covered = at;
	return at == path.len || path.p[at] == '.';
}

bool
sq_json_find(struct clq_str doc, struct clq_str path, struct clq_str *value)
{
	struct cursor c;
	struct member m;
	size_t covered, best_len = 0;
	bool found;

	for (;;) {
		c = (struct cursor){ doc.p, doc.p + doc.len };
		found = false;
		skip_blanks(&c);
		if (c.p == c.end || *c.p++ != '{')
			return false;
		while (next_member(&c, &m)) {
			if (!name_covers(m.name, path, &covered) ||
			    (found && covered <= best_len))
				continue;
			found = true;
			best_len = covered;
			*value = m.value;
			if (covered == path.len)
				return true;
		}
		if (!found)
			return false;
		path = clq_str_sub(path, best_len + 1, path.len);
		doc = *value;
	}
}
