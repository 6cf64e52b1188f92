/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short syntax of attributes, a line each:
 *
 *	fields = name: string required max=100
 *	         size: int min=0 max=300 default=10
 *
 * A type, then flags and bounds in any order; `default=` is JSON and takes the
 * rest of the line. Core does the rest: it checks types, bounds and what is
 * required, and collects all errors of a request.
 */
#include "resources.h"

static const struct {
	const char		*name;
	enum clq_field_type	 type;
} types[] = {
	{ "any",	CLQ_FIELD_ANY },
	{ "string",	CLQ_FIELD_STRING },
	{ "int",	CLQ_FIELD_INT },
	{ "number",	CLQ_FIELD_NUMBER },
	{ "bool",	CLQ_FIELD_BOOL },
	{ "object",	CLQ_FIELD_OBJECT },
	{ "list",	CLQ_FIELD_LIST },
	{ "strings",	CLQ_FIELD_STRINGS },
	{ "timestamp",	CLQ_FIELD_TIMESTAMP },
	{ "url",	CLQ_FIELD_URL },
};

static const struct {
	const char	*name;
	unsigned	 flag;
} flags[] = {
	{ "required",	CLQ_REQUIRED },
	{ "readonly",	CLQ_FIELD_READONLY },
	{ "unique",	CLQ_FIELD_UNIQUE },
	{ "auto_now",	CLQ_FIELD_AUTO_NOW },
	{ "text",	CLQ_FIELD_TEXT },
	{ "trim",	CLQ_FIELD_TRIM },
};

/* A line of the option, while it is read. */
struct line {
	struct ini		*ini;
	struct ini_resource	*r;
	const char		*key;
	struct clq_field	*field;
	bool			 has_min, has_max;
};

static bool
read_type(struct line *l, struct clq_str word)
{
	for (size_t i = 0; i < CLQ_COUNT(types); i++)
		if (clq_str_is(word, types[i].name)) {
			l->field->type = types[i].type;
			return true;
		}
	return ini_wrong(l->ini, l->r, l->key, "%s: there is no type '%.*s'; "
	    "there are any, string, int, number, bool, object, list, strings, "
	    "timestamp, url", l->field->name, CLQ_FMT(word));
}

static bool
read_bound(struct line *l, struct clq_str text, int64_t *out, bool *has)
{
	enum clq_field_type type = l->field->type;

	if (type != CLQ_FIELD_STRING && type != CLQ_FIELD_INT &&
	    type != CLQ_FIELD_NUMBER && type != CLQ_FIELD_TIMESTAMP)
		return ini_wrong(l->ini, l->r, l->key, "%s: min and max are "
		    "for string, int, number and timestamp; leave them out",
		    l->field->name);
	if (!clq_str_int(text, out))
		return ini_wrong(l->ini, l->r, l->key, "%s: '%.*s' is not an "
		    "integer; write min=0 max=100", l->field->name,
		    CLQ_FMT(text));
	return *has = true;
}

static bool
read_default(struct line *l, struct clq_str text)
{
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(l->ini->arena, text, &tree, &why) != CLQ_OK)
		return ini_wrong(l->ini, l->r, l->key, "%s: the default '%.*s' "
		    "is not JSON (%.*s); a text is written in quotes",
		    l->field->name, CLQ_FMT(text), CLQ_FMT(why));
	l->field->def = clq_arena_cstr(l->ini->arena, text);
	return true;
}

static bool
read_word(struct line *l, struct clq_str word)
{
	for (size_t i = 0; i < CLQ_COUNT(flags); i++)
		if (clq_str_is(word, flags[i].name)) {
			l->field->flags |= flags[i].flag;
			return true;
		}
	if (clq_str_starts(word, "min="))
		return read_bound(l, clq_str_sub(word, 4, word.len),
		    &l->field->min, &l->has_min);
	if (clq_str_starts(word, "max="))
		return read_bound(l, clq_str_sub(word, 4, word.len),
		    &l->field->max, &l->has_max);
	return ini_wrong(l->ini, l->r, l->key, "%s: '%.*s' is nothing that a "
	    "field has; there are required, readonly, unique, auto_now, text, "
	    "trim, min=, max=, default=", l->field->name, CLQ_FMT(word));
}

/* The words behind the type; false: said. */
static bool
read_words(struct line *l, struct clq_str rest)
{
	struct clq_str word;

	for (;;) {
		rest = clq_str_trim(rest);
		if (clq_str_starts(rest, "default="))
			return read_default(l, clq_str_sub(rest,
			    strlen("default="), rest.len));
		if (!clq_str_next_word(&rest, &word))
			return true;
		if (!read_word(l, word))
			return false;
	}
}

/* min without max, and max without min; core knows both or none. */
static bool
complete(struct line *l)
{
	struct clq_field *f = l->field;
	const char *fault;

	if (l->has_min && !l->has_max)
		f->max = INT64_MAX;
	if (l->has_max && !l->has_min && f->type != CLQ_FIELD_STRING)
		f->min = INT64_MIN;
	if (f->min > f->max)
		return ini_wrong(l->ini, l->r, l->key, "%s: min is greater "
		    "than max; change one of them", f->name);
	if ((f->flags & CLQ_REQUIRED) != 0 && f->def != NULL)
		return ini_wrong(l->ini, l->r, l->key, "%s: what is required "
		    "is never missing, so its default is never used; leave "
		    "one of the two out", f->name);
	if ((fault = clq_field_fault(l->ini->arena, f)) != NULL)
		return ini_wrong(l->ini, l->r, l->key, "%s %s", f->name,
		    fault);
	if ((f->flags & CLQ_FIELD_AUTO_NOW) != 0 &&
	    f->type != CLQ_FIELD_TIMESTAMP)
		return ini_wrong(l->ini, l->r, l->key, "%s: auto_now is for "
		    "timestamps; leave it out", f->name);
	return true;
}

static bool
read_line(struct ini *ini, struct ini_resource *r, const char *key,
    struct clq_str text)
{
	struct line l = { .ini = ini, .r = r, .key = key };
	size_t colon = clq_str_find(text, ':', 0);
	struct clq_str name = clq_str_trim(clq_str_sub(text, 0, colon));
	struct clq_str rest = clq_str_sub(text, colon + 1, text.len), word;

	if (colon == text.len || name.len == 0 ||
	    !clq_str_next_word(&rest, &word))
		return ini_wrong(ini, r, key, "'%.*s' is no field; write one a "
		    "line, as in name: string required", CLQ_FMT(text));
	if (clq_str_is(name, "id") || clq_str_is(name, "last_modified"))
		return ini_wrong(ini, r, key, "'%.*s' is there by itself; "
		    "leave it out", CLQ_FMT(name));
	if (ini_find_field(r, name) != NULL)
		return ini_wrong(ini, r, key, "'%.*s' is there twice; leave "
		    "one out", CLQ_FMT(name));
	if ((l.field = ini_field(ini, r, name, key)) == NULL)
		return false;
	return read_type(&l, word) && read_words(&l, rest) && complete(&l);
}

void
ini_read_fields(struct ini *ini, struct ini_resource *r)
{
	const char *key = ini_key(ini, r, "fields");
	struct clq_str text = clq_settings_str(ini->settings, key), line;

	while (clq_str_next(&text, '\n', &line)) {
		line = clq_str_trim(line);
		if (line.len > 0)
			(void)read_line(ini, r, key, line);
	}
}
