/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folds an ini into logical lines (section 09-1).
 *
 * What Python's ConfigParser does with a text: comments are whole lines that
 * begin with '#' or ';'; a line indented deeper than the key above continues
 * its value; keys end at the first '=' or ':'. Names keep their case. Used
 * once, in the master, before iniparser gets to see anything.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "settings_ini.h"

enum { PROBLEMS_MAX = 20 };	/* told per file */

void
clq_ini_bad(struct clq_ini *ini, unsigned number, const char *fmt,
    ...)
{
	struct clq_str msg, where;
	va_list ap;

	if (++ini->problems > PROBLEMS_MAX) {
		ini->s->wrong = true;
		return;
	}
	va_start(ap, fmt);
	msg = clq_arena_vprintf(ini->arena, fmt, ap);
	va_end(ap);
	where = clq_arena_printf(ini->arena, "%s:%u", ini->name, number);
	clq_settings_wrong(ini->s, where.p, "%.*s", CLQ_FMT(msg));
	if (ini->problems == PROBLEMS_MAX)
		clq_log_err("%s: too many problems; further ones are not told",
		    ini->name);
}

/* A resource is declared by its section, which so cannot be empty: it would
 * be overlooked. */
static void
check_section(struct clq_ini *ini)
{
	if (clq_str_starts(ini->section, "resource:") && (ini->n == 0 ||
	    ini->lines[ini->n - 1].section.p != ini->section.p))
		clq_ini_bad(ini, ini->section_number, "[%.*s] is empty; write "
		    "at least its path below it, or remove it",
		    CLQ_FMT(ini->section));
}

/* Sections of one name are one, as in Python, which may not be meant: the
 * second is often pasted. Only of those that are read. */
static void
note_second(const struct clq_ini *ini)
{
	size_t i;

	if (!clq_str_is(ini->section, "app:main") &&
	    !clq_str_starts(ini->section, "resource:"))
		return;
	for (i = 0; i < ini->n; i++)
		if (clq_str_eq(ini->lines[i].section, ini->section)) {
			clq_log_warn("%s:%u: a second [%.*s] is read as a part "
			    "of the first, at line %u; write its settings "
			    "there", ini->name, ini->number,
			    CLQ_FMT(ini->section), ini->lines[i].head);
			return;
		}
}

static void
read_section(struct clq_ini *ini, struct clq_str body)
{
	size_t end = clq_str_find(body, ']', 0);
	struct clq_str rest = clq_str_trim(clq_str_sub(body, end + 1,
	    body.len));

	check_section(ini);
	ini->open = NULL;
	ini->section = clq_str_trim(clq_str_sub(body, 1, end));
	ini->section_number = ini->number;
	if (end == body.len)
		clq_ini_bad(ini, ini->number, "the section has no ']'; write "
		    "[app:main]");
	else if (ini->section.len == 0)
		clq_ini_bad(ini, ini->number, "the section has no name; write "
		    "[app:main]");
	else if (ini->section.len > CLQ_INI_NAME_MAX)
		clq_ini_bad(ini, ini->number, "the name of the section is too "
		    "long; use at most %d bytes", CLQ_INI_NAME_MAX);
	else if (rest.len != 0 && rest.p[0] != '#' && rest.p[0] != ';')
		clq_ini_bad(ini, ini->number, "text after ']'; put it on a "
		    "line of its own");
	else {
		ini->has_app = ini->has_app ||
		    clq_str_is(ini->section, "app:main");
		note_second(ini);
		clq_settings_note_section(ini->s, ini->section,
		    clq_arena_printf(ini->arena, "%s:%u", ini->name,
		    ini->number).p);
		return;
	}
	ini->section = CLQ_STR("?");	/* skip what follows */
}

static struct clq_ini_line *
new_line(struct clq_ini *ini)
{
	size_t cap = ini->cap == 0 ? 256 : ini->cap * 2;

	if (ini->n == ini->cap) {
		ini->lines = clq_arena_grow(ini->arena, ini->lines,
		    ini->cap * sizeof *ini->lines, cap * sizeof *ini->lines);
		ini->cap = cap;
	}
	return &ini->lines[ini->n++];
}

static void
read_key(struct clq_ini *ini, struct clq_str body, size_t indent)
{
	size_t eq = clq_str_find(body, '=', 0), colon;
	struct clq_str key;
	struct clq_ini_line *l;

	colon = clq_str_find(body, ':', 0);
	if (colon < eq)
		eq = colon;
	key = clq_str_trim(clq_str_sub(body, 0, eq));
	ini->open = NULL;
	if (ini->section.p == NULL)
		clq_ini_bad(ini, ini->number, "text before the first section; "
		    "write [app:main] above it");
	else if (eq == body.len || key.len == 0)
		clq_ini_bad(ini, ini->number, "not a setting; write 'key = "
		    "value', or indent the line to continue the one above");
	else if (key.len > CLQ_INI_NAME_MAX)
		clq_ini_bad(ini, ini->number, "the key is too long; use at "
		    "most %d bytes", CLQ_INI_NAME_MAX);
	else if (ini->n == CLQ_INI_LINES_MAX)
		clq_ini_bad(ini, ini->number, "too many settings; at most %d "
		    "are read", CLQ_INI_LINES_MAX);
	else {
		l = new_line(ini);
		l->section = ini->section;
		l->key = key;
		l->number = ini->number;
		l->head = ini->section_number;
		l->used = false;
		clq_buf_init(&l->value, ini->arena, 0);
		clq_buf_add(&l->value, clq_str_trim(clq_str_sub(body, eq + 1,
		    body.len)));
		ini->open = l;
		ini->indent = indent;
	}
}

void
clq_ini_fold(struct clq_ini *ini, struct clq_str text)
{
	struct clq_str line, body;
	size_t indent;

	while (clq_str_next(&text, '\n', &line)) {
		ini->number++;
		body = clq_str_trim(line);
		if (body.len == 0 || body.p[0] == '#' || body.p[0] == ';')
			continue;
		indent = (size_t)(body.p - line.p);
		if (ini->open != NULL && indent > ini->indent) {
			clq_buf_addc(&ini->open->value, '\n');
			clq_buf_add(&ini->open->value, body);
		} else if (body.p[0] == '[') {
			read_section(ini, body);
		} else {
			read_key(ini, body, indent);
		}
	}
	check_section(ini);
}
