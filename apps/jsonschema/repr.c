/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values in error messages, written as Python does: that is what Kinto's
 * clients are used to (section 08-6). A text that gets too long is cut.
 */
#include "impl.h"

#include <stdio.h>

/* One more than the last byte that may be written. */
struct room {
	struct clq_buf	*b;
	size_t		 end;
};

static bool
full(const struct room *r)
{
	return r->b->len >= r->end;
}

/* The code point at s, or a lone byte of invalid UTF-8 (*len is 0 then). */
static uint32_t
decode(const unsigned char *s, size_t *len)
{
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
	    c < 0xf5 ? 4 : 0;

	*len = n;
	if (n <= 1)
		return c;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*len = 0;
			return s[0];
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	return c;
}

/* The blanks, controls, marks and private places that Unicode has for long. */
static bool
is_printable(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad },
		{ 0x600, 0x605 }, { 0x61c, 0x61c }, { 0x6dd, 0x6dd },
		{ 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f },
		{ 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 },
		{ 0xd800, 0xf8ff }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb },
		{ 0xfffe, 0xffff }, { 0xe0000, 0x10ffff }
	};

	for (size_t i = 0; i < CLQ_COUNT(ranges); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return false;
	return true;
}

static void
add_character(struct clq_buf *b, const char *s, size_t len, uint32_t c,
    char quote)
{
	if (c == '\n' || c == '\r' || c == '\t')
		clq_buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' :
		    't');
	else if (c == '\\' || c == (uint32_t)quote)
		clq_buf_printf(b, "\\%c", (int)c);
	else if (len > 0 && is_printable(c))
		clq_buf_add(b, (struct clq_str){ s, len });
	else
		clq_buf_printf(b, c < 0x100 ? "\\x%02x" : c < 0x10000 ?
		    "\\u%04x" : "\\U%08x", (unsigned)c);
}

static void
add_text(struct room *r, const char *text)
{
	char quote = strchr(text, '\'') != NULL &&
	    strchr(text, '"') == NULL ? '"' : '\'';
	size_t len;
	uint32_t c;

	clq_buf_addc(r->b, quote);
	for (; *text != '\0' && !full(r); text += len > 0 ? len : 1) {
		c = decode((const unsigned char *)text, &len);
		add_character(r->b, text, len, c, quote);
	}
	if (*text != '\0')
		clq_buf_adds(r->b, "...");
	clq_buf_addc(r->b, quote);
}

static void add_value(struct room *r, const cJSON *item);

static void
add_several(struct room *r, const cJSON *container)
{
	bool object = cJSON_IsObject(container);
	const cJSON *item;

	clq_buf_addc(r->b, object ? '{' : '[');
	cJSON_ArrayForEach(item, container) {
		if (item != container->child)
			clq_buf_adds(r->b, ", ");
		if (full(r)) {
			clq_buf_adds(r->b, "...");
			break;
		}
		if (object) {
			add_text(r, item->string);
			clq_buf_adds(r->b, ": ");
		}
		add_value(r, item);
	}
	clq_buf_addc(r->b, object ? '}' : ']');
}

static void
add_value(struct room *r, const cJSON *item)
{
	if (cJSON_IsObject(item) || cJSON_IsArray(item))
		add_several(r, item);
	else if (cJSON_IsString(item))
		add_text(r, item->valuestring);
	else if (cJSON_IsBool(item))
		clq_buf_adds(r->b, cJSON_IsTrue(item) ? "True" : "False");
	else if (cJSON_IsNumber(item))
		clq_json_print(r->b, item);
	else
		clq_buf_adds(r->b, "None");
}

void
js_repr_value(struct clq_buf *b, const cJSON *item)
{
	struct room r = { b, b->len + JS_REPR_MAX };

	add_value(&r, item);
}

void
js_repr_text(struct clq_buf *b, const char *text)
{
	struct room r = { b, b->len + JS_REPR_MAX };

	add_text(&r, text);
}
