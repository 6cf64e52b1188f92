/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content-Disposition and Content-Type (see part_head.h).
 *
 * Browsers write a quote in a name as %22, curl as \" or %22, and a backslash
 * is also what old paths are made of: it escapes quotes and backslashes only,
 * and nothing is percent-decoded but filename*.
 */
#include "part_head.h"

#include <cliquet/str.h>

struct text {
	char	*p;		/* MULTIPART_MAX_NAME bytes */
	size_t	 len;
	bool	 set;
};

struct disposition {
	struct text	name;
	struct text	filename;
	bool		extended;	/* filename came as filename* */
};

static bool
fail(struct multipart *m, const char *why)
{
	m->why = why;
	return false;
}

static bool
token_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static bool
put(struct text *t, char c)
{
	if (t->len == MULTIPART_MAX_NAME)
		return false;
	t->p[t->len++] = c;
	return true;
}

/* A quoted string or a token at *rest; false if it is neither, or too long. */
static bool
value(struct clq_str *rest, struct text *out)
{
	struct clq_str s = *rest;
	size_t i = 0;

	out->len = 0;
	out->set = true;
	if (s.len == 0 || s.p[0] != '"') {
		while (i < s.len && s.p[i] != ';' && s.p[i] != ' ' &&
		    s.p[i] != '\t')
			if (!put(out, s.p[i++]))
				return false;
		*rest = clq_str_sub(s, i, s.len);
		return true;
	}
	for (i = 1; i < s.len && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len &&
		    (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
			i++;
		if (!put(out, s.p[i]))
			return false;
	}
	*rest = clq_str_sub(s, i + 1, s.len);
	return i < s.len;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* UTF-8''%C3%A9.txt, in place. */
static bool
extended(struct text *t)
{
	struct clq_str s = { t->p, t->len };
	size_t quote = clq_str_find(s, '\'', 0);
	size_t i = clq_str_find(s, '\'', quote + 1) + 1, n = 0;

	if (i > s.len || !clq_str_caseis(clq_str_sub(s, 0, quote), "UTF-8"))
		return false;
	for (; i < s.len; i++, n++) {
		int high = -1, low = -1;

		t->p[n] = s.p[i];
		if (s.p[i] != '%')
			continue;
		if (i + 2 < s.len) {
			high = hex_digit(s.p[i + 1]);
			low = hex_digit(s.p[i + 2]);
		}
		if (high < 0 || low < 0)
			return false;
		t->p[n] = (char)(high << 4 | low);
		i += 2;
	}
	t->len = n;
	return true;
}

static bool
clean(const struct text *t)
{
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->p[i] < ' ' || t->p[i] == 0x7f)
			return false;
	return clq_utf8_valid((struct clq_str){ t->p, t->len });
}

/* One parameter: name=value. */
static bool
parameter(struct clq_str *rest, struct disposition *d)
{
	char scrap[MULTIPART_MAX_NAME];
	struct text other = { .p = scrap }, *to = &other;
	size_t n = 0;
	struct clq_str name;

	while (n < rest->len && token_char(rest->p[n]))
		n++;
	name = clq_str_sub(*rest, 0, n);
	if (n == 0 || n == rest->len || rest->p[n] != '=')
		return false;
	*rest = clq_str_sub(*rest, n + 1, rest->len);
	if (clq_str_caseis(name, "name")) {
		to = &d->name;
		if (to->set)
			return false;
	} else if (clq_str_caseis(name, "filename*")) {
		if (d->extended)
			return false;
		d->extended = true;
		return value(rest, &d->filename) && extended(&d->filename);
	} else if (clq_str_caseis(name, "filename") && !d->extended) {
		to = &d->filename;
		if (to->set)
			return false;
	}
	return value(rest, to);
}

static bool
disposition(struct clq_str s, struct disposition *d)
{
	size_t n = clq_str_find(s, ';', 0);

	if (!clq_str_caseis(clq_str_trim(clq_str_sub(s, 0, n)), "form-data"))
		return false;
	s = clq_str_trim(clq_str_sub(s, n, s.len));
	while (s.len > 0) {
		if (s.p[0] != ';')
			return false;
		s = clq_str_trim(clq_str_sub(s, 1, s.len));
		if (s.len == 0)
			break;		/* a last ";" */
		if (!parameter(&s, d))
			return false;
		s = clq_str_trim(s);
	}
	return d->name.set && clean(&d->name) && clean(&d->filename);
}

/* "type/subtype", without what follows; absent if it is none. */
static struct clq_str
media_type(struct clq_str s)
{
	const struct clq_str none = { NULL, 0 };
	struct clq_str type = clq_str_trim(clq_str_sub(s, 0,
	    clq_str_find(s, ';', 0)));
	size_t slash = clq_str_find(type, '/', 0);

	if (slash == 0 || slash + 1 >= type.len || type.len > 127)
		return none;
	for (size_t i = 0; i < type.len; i++)
		if (i != slash && !token_char(type.p[i]))
			return none;
	return type;
}

static bool
header(struct multipart *m, struct clq_str line, struct disposition *d,
    struct multipart_part *out)
{
	size_t colon = clq_str_find(line, ':', 0);
	struct clq_str name = clq_str_sub(line, 0, colon);
	struct clq_str text = clq_str_trim(clq_str_sub(line, colon + 1,
	    line.len));

	if (colon == 0 || colon == line.len || !token_char(line.p[0]) ||
	    memchr(line.p, '\0', line.len) != NULL)
		return fail(m, "a header of a part is malformed");
	if (clq_str_caseis(name, "Content-Disposition")) {
		if (d->name.set || !disposition(text, d))
			return fail(m, "a Content-Disposition is malformed, or "
			    "a name in it is too long");
	} else if (clq_str_caseis(name, "Content-Type")) {
		out->type = media_type(text);
	} else if (clq_str_caseis(name, "Content-Transfer-Encoding") &&
	    !clq_str_caseis(text, "binary") && !clq_str_caseis(text, "8bit") &&
	    !clq_str_caseis(text, "7bit")) {
		return fail(m, "a part has a Content-Transfer-Encoding");
	}
	return true;
}

bool
part_head_parse(struct multipart *m, struct multipart_part *out)
{
	struct clq_str rest = { m->head, m->nhead - 2 };
	struct disposition d = {
		.name = { .p = m->name }, .filename = { .p = m->filename },
	};
	size_t end;

	memset(out, 0, sizeof *out);
	while (rest.len > 0) {
		end = clq_str_search(rest, CLQ_STR("\r\n"));
		if (!header(m, clq_str_sub(rest, 0, end), &d, out))
			return false;
		rest = clq_str_sub(rest, end + 2, rest.len);
	}
	if (!d.name.set)
		return fail(m, "a part has no name");
	out->name = (struct clq_str){ m->name, d.name.len };
	if (d.filename.set)
		out->filename = (struct clq_str){ m->filename,
		    d.filename.len };
	return true;
}

bool
multipart_boundary(struct clq_str type, struct clq_str *out)
{
	struct clq_str rest = type, item;

	if (!clq_str_next(&rest, ';', &item) ||
	    !clq_str_caseis(clq_str_trim(item), "multipart/form-data"))
		return false;
	while (clq_str_next(&rest, ';', &item)) {
		item = clq_str_trim(item);
		if (!clq_str_caseis(clq_str_sub(item, 0, 9), "boundary="))
			continue;
		item = clq_str_sub(item, 9, item.len);
		if (item.len >= 2 && item.p[0] == '"' &&
		    item.p[item.len - 1] == '"')
			item = clq_str_sub(item, 1, item.len - 1);
		if (item.len == 0 || item.len > MULTIPART_MAX_BOUNDARY)
			return false;
		for (size_t i = 0; i < item.len; i++)
			if (item.p[i] < ' ' || item.p[i] > '~')
				return false;
		*out = item;
		return true;
	}
	return false;
}
