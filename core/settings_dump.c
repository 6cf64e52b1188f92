/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows the effective configuration as an ini (`cliquet dump-config`).
 *
 * What file or environment set stands as a setting, what is a default as a
 * comment, each below its meaning, so that the output of a bare installation
 * is a reference and that of a running one says what applies and why. Secrets
 * and passwords in URLs are masked.
 */
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "settings_impl.h"

#include <inttypes.h>
#include <string.h>

enum { WIDTH = 76 };	/* columns of a comment */

/* Print text as comment lines of bounded width. */
static void
comment(FILE *to, struct clq_str text)
{
	struct clq_str word;
	size_t column = 0;

	while (clq_str_next_word(&text, &word)) {
		if (column != 0 && column + 1 + word.len > WIDTH) {
			fputc('\n', to);
			column = 0;
		}
		fprintf(to, "%s%.*s", column == 0 ? "# " : " ",
		    CLQ_FMT(word));
		column += (column == 0 ? 2 : 1) + word.len;
	}
	if (column != 0)
		fputc('\n', to);
}

/* True if a key without a declaration sounds like a secret. */
static bool
sounds_secret(const char *key)
{
	static const char *const words[] = { "secret", "password", "passwd",
	    "token", "private", "dsn" };
	size_t i;

	for (i = 0; i < CLQ_COUNT(words); i++)
		if (strstr(key, words[i]) != NULL)
			return true;
	return false;
}

/*
 * v without the passwords of the URLs in it: what stands between ':' and '@'
 * after "//", and what follows "password=".
 */
struct clq_str
clq_text_without_passwords(struct clq_arena *arena, struct clq_str v)
{
	static const char name[] = "password=";
	struct clq_buf b;
	size_t i = 0, at, colon, end;

	clq_buf_init(&b, arena, v.len);
	while (i < v.len) {
		struct clq_str rest = clq_str_sub(v, i, v.len);

		if (clq_str_starts(rest, name)) {
			clq_buf_adds(&b, "password=***");
			while (i < v.len && strchr("& \n", v.p[i]) == NULL)
				i++;
			continue;
		}
		if (!clq_str_starts(rest, "//")) {
			clq_buf_addc(&b, v.p[i++]);
			continue;
		}
		/* The last '@' counts: a password may hold one. */
		for (end = i + 2, at = colon = v.len; end < v.len &&
		    strchr(" \n?", v.p[end]) == NULL; end++)
			if (v.p[end] == '@')
				at = end;
			else if (v.p[end] == ':' && colon == v.len)
				colon = end;
		end = at < v.len && colon < at ? colon + 1 : i + 2;
		clq_buf_add(&b, clq_str_sub(v, i, end));
		i = end;
		if (at < v.len && colon < at) {
			clq_buf_adds(&b, "***");
			i = at;
		}
	}
	return clq_buf_str(&b);
}

/* True if a value, written as it is, would not be read back as it is. */
static bool
needs_json(struct clq_str v, bool list)
{
	struct clq_str trimmed = clq_str_trim(v), line;

	if (trimmed.len != v.len || clq_str_starts(v, "\"") ||
	    clq_str_is(v, "null"))
		return true;
	if (memchr(v.p, '\n', v.len) == NULL)
		return false;
	while (clq_str_next(&v, '\n', &line)) {
		line = clq_str_trim(line);
		if (!list || line.len == 0 || line.p[0] == '#' ||
		    line.p[0] == ';')
			return true;
	}
	return false;
}

/* True if the value is a secret that somebody chose. */
static bool
masked(const struct clq_entry *e)
{
	bool secret = (e->row != NULL && e->row->type == CLQ_SET_SECRET) ||
	    sounds_secret(e->key);

	return secret && e->value.len != 0 &&
	    e->origin != CLQ_ORIGIN_DEFAULT;
}

static void
print_value(FILE *to, struct clq_arena *arena, const struct clq_entry *e)
{
	bool list = e->row != NULL && e->row->type == CLQ_SET_LIST;
	struct clq_str v = e->value;
	struct clq_buf b;
	size_t i;

	if (v.p == NULL)
		v = CLQ_STR("null");
	else if (masked(e))
		v = CLQ_STR("***");
	else {
		v = clq_text_without_passwords(arena, v);
		if (needs_json(v, list)) {
			clq_buf_init(&b, arena, 0);
			clq_buf_json_str(&b, v);
			v = clq_buf_str(&b);
		}
	}
	for (i = 0; i < v.len; i++) {
		fputc(v.p[i], to);
		if (v.p[i] == '%')
			fputc('%', to);
		else if (v.p[i] == '\n')
			fputs("    ", to);
	}
}

/* "seconds, 0 to 60, default 30" */
static void
print_kind(FILE *to, struct clq_arena *arena, const struct clq_setting *row)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	switch (row->type) {
	case CLQ_SET_STR:
		clq_buf_adds(&b, "Text");
		break;
	case CLQ_SET_LIST:
		clq_buf_adds(&b, "List, separated by blanks");
		break;
	case CLQ_SET_SECRET:
		clq_buf_adds(&b, "Secret text");
		break;
	case CLQ_SET_BOOL:
		clq_buf_adds(&b, "true or false");
		break;
	case CLQ_SET_INT:
		clq_buf_printf(&b, "Integer, %s%s%" PRId64 " to %" PRId64,
		    row->unit != NULL ? row->unit : "",
		    row->unit != NULL ? ", " : "", row->min, row->max);
		break;
	}
	if (row->def == NULL || *row->def == '\0')
		clq_buf_printf(&b, "; default: %s",
		    row->def == NULL ? "unset" : "empty");
	else
		clq_buf_printf(&b, "; default: %s", row->def);
	if (clq_setting_prefixed_only(row->key))
		clq_buf_adds(&b, "; in the environment with the prefix "
		    "CLIQUET_ or KINTO_ only");
	clq_buf_addc(&b, '.');
	comment(to, clq_buf_str(&b));
}

/* Bytes of "resource.NAME." at the start of a key; 0 if it is no such key. */
static size_t
resource_len(const char *key)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t head = strlen("resource."), len;

	if (strncmp(key, "resource.", head) != 0)
		return 0;
	len = strspn(key + head, chars);
	return len != 0 && key[head + len] == '.' &&
	    key[head + len + 1] != '\0' ? head + len + 1 : 0;
}

/* The part of a key that stands in the section; NULL: another section. */
static const char *
key_in(const char *section, const char *key)
{
	size_t len = resource_len(key), head = strlen("resource.");

	if (strncmp(key, "server.", 7) == 0 && key[7] != '\0')
		return strcmp(section, "server:main") == 0 ? key + 7 : NULL;
	if (len == 0)
		return strcmp(section, "app:main") == 0 ? key : NULL;
	if (strncmp(section, "resource:", head) != 0 ||
	    strlen(section) + 1 != len ||
	    strncmp(section + head, key + head, len - head - 1) != 0)
		return NULL;
	return key + len;
}

/* A prefix for keys that would not be read back as they are. */
static const char *
guard(const char *key)
{
	bool plain = (*key >= 'a' && *key <= 'z') ||
	    (*key >= 'A' && *key <= 'Z') || (*key >= '0' && *key <= '9') ||
	    *key == '_';

	return !plain || strncmp(key, "kinto.", 6) == 0 ||
	    strncmp(key, "cliquet.", 8) == 0 ? "cliquet." : "";
}

static void
print_entry(FILE *to, struct clq_arena *arena, const struct clq_entry *e,
    const char *key)
{
	const char *prefix = key == e->key ? guard(key) : "";

	if (e->origin == CLQ_ORIGIN_DEFAULT) {
		fprintf(to, "#%s = ", key);
		if (e->value.p != NULL)
			print_value(to, arena, e);
	} else {
		/* a mask is no value: whoever uses the dump as an ini must not
		 * get it as his secret */
		fprintf(to, "# Set by %s%s%s.\n%s%s%s = ", e->where,
		    e->over != NULL ? ", over " : "",
		    e->over != NULL ? e->over : "", masked(e) ? "#" : "",
		    prefix, key);
		print_value(to, arena, e);
	}
	fputs("\n\n", to);
}

static void
dump_section(const struct clq_settings *s, FILE *to, const char *section)
{
	struct clq_arena *arena = clq_arena_new();
	const struct clq_entry *e;
	const char *key;
	size_t i, j;

	fprintf(to, "[%s]\n", section);
	for (i = 0; i < s->nrows; i++) {	/* declared, in table order */
		const struct clq_setting *row = s->rows[i];

		if (clq_settings_row(s, row->key) != row)
			continue;		/* declared again later */
		if (strchr(row->key, '*') == NULL &&
		    key_in(section, row->key) == NULL)
			continue;
		if (strchr(row->key, '*') == NULL || strcmp(section,
		    "app:main") == 0) {
			comment(to, clq_str_of(row->help));
			print_kind(to, arena, row);
		}
		if (strchr(row->key, '*') != NULL &&
		    strcmp(section, "app:main") == 0)
			fprintf(to, "#%s =\n\n", row->key);
		for (j = 0; j < s->n; j++) {
			e = s->entries[j];
			key = key_in(section, e->key);
			if (e->row == row && key != NULL)
				print_entry(to, arena, e, key);
		}
	}
	for (j = 0; j < s->n; j++) {
		e = s->entries[j];
		key = key_in(section, e->key);
		if (e->row == NULL && key != NULL) {
			fputs("# Not known.\n", to);
			print_entry(to, arena, e, key);
		}
	}
	clq_arena_free(&arena);
}

void
clq_settings_dump(const struct clq_settings *s, FILE *to)
{
	struct clq_arena *arena = clq_arena_new();
	struct clq_strs seen = { NULL, 0, 0 };
	struct clq_str name;
	size_t i, len;

	fprintf(to, "# Effective configuration%s%s; what is commented out is "
	    "a default.\n\n", s->path != NULL ? " of " : "",
	    s->path != NULL ? s->path : "");
	dump_section(s, to, "app:main");
	dump_section(s, to, "server:main");
	for (i = 0; i < s->n; i++) {
		if ((len = resource_len(s->entries[i]->key)) == 0)
			continue;
		name = clq_str_sub(clq_str_of(s->entries[i]->key),
		    strlen("resource."), len - 1);
		if (clq_strs_has(seen, name))
			continue;
		clq_strs_add(arena, &seen, name);
		dump_section(s, to, clq_arena_printf(arena, "resource:%.*s",
		    CLQ_FMT(name)).p);
	}
	clq_arena_free(&arena);
}
