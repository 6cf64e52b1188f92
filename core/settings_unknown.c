/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in an ini or in the environment and has no effect: sections,
 * keys and variables that nobody knows. Each is warned of once, with the known
 * name that looks most like it.
 *
 * An ini is shared with other programs (Python's logging, uWSGI, the other
 * applications of a Paste file), whose sections are none of our business.
 * Those are told apart by name, as nothing else tells them apart.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "settings_impl.h"

#include <string.h>
#include <unistd.h>

enum { SECTIONS_MAX = 20 };	/* unknown ones that are kept to be told */

/* ---- likeness ---------------------------------------------------------- */

/* Edits (insert, delete, replace) from a to b, if both are short. */
static size_t
distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i, j, diagonal, above;
	size_t row[64];

	if (nb >= CLQ_COUNT(row) || na >= CLQ_COUNT(row))
		return CLQ_COUNT(row);
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 1; i <= na; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= nb; j++) {
			above = row[j];
			row[j] = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}
	return row[nb];
}

/* ---- sections ---------------------------------------------------------- */

/*
 * Names of sections, ours and those of programs that share an ini with us. One
 * that ends in ':' or '_' begins the names of a family.
 */
static const char *const sections[] = {
	"app:main", "server:main", "resource:", "DEFAULT",
	"app:", "composite:", "composit:", "filter:", "filter-app:",
	"pipeline:",					/* Paste */
	"loggers", "handlers", "formatters",
	"logger_", "handler_", "formatter_",		/* Python's logging */
	"uwsgi", "alembic", "pserve", "pshell", "watch", "celery",
	"loadtest", "watcher:", "socket:", "env:", "circus",
	"program:", "supervisord", "unix_http_server", "inet_http_server"
};

static bool
is_family(const char *known)
{
	char last = known[strlen(known) - 1];

	return last == ':' || last == '_';
}

static bool
section_known(struct clq_str name)
{
	for (size_t i = 0; i < CLQ_COUNT(sections); i++)
		if (is_family(sections[i]) ? name.len > strlen(sections[i]) &&
		    clq_str_starts(name, sections[i]) :
		    clq_str_is(name, sections[i]))
			return true;
	return false;
}

void
clq_settings_note_section(struct clq_settings *s, struct clq_str name,
    const char *where)
{
	struct clq_odd_section *odd;

	if (s->nodd == SECTIONS_MAX || section_known(name))
		return;
	if (s->odd == NULL)
		s->odd = clq_arena_calloc(s->arena, SECTIONS_MAX,
		    sizeof *s->odd);
	odd = &s->odd[s->nodd++];
	odd->name = clq_arena_cstr(s->arena, name);
	odd->where = clq_arena_cstr(s->arena, clq_str_of(where));
}

/*
 * Sections of other programs in which a setting of ours is a mistake: they have
 * no application in them that may be another Kinto.
 */
static bool
is_foreign(struct clq_str name)
{
	static const char *const ours[] = { "app:", "resource:", "filter:",
		"filter-app:", "env:" };

	for (size_t i = 0; i < CLQ_COUNT(ours); i++)
		if (clq_str_starts(name, ours[i]))
			return false;
	return section_known(name);
}

void
clq_settings_note_line(struct clq_settings *s, struct clq_str section,
    struct clq_str key, const char *where)
{
	size_t cap = s->lines_cap == 0 ? 64 : s->lines_cap * 2;
	struct clq_odd_line *odd;

	if (!is_foreign(section))
		return;
	if (s->nlines == s->lines_cap) {
		if (s->lines == NULL)
			s->lines = clq_arena_alloc(s->arena, 0);
		s->lines = clq_arena_grow(s->arena, s->lines,
		    s->lines_cap * sizeof *s->lines, cap * sizeof *s->lines);
		s->lines_cap = cap;
	}
	odd = &s->lines[s->nlines++];
	odd->section = clq_arena_cstr(s->arena, section);
	odd->key = clq_arena_cstr(s->arena, key);
	odd->where = clq_arena_cstr(s->arena, clq_str_of(where));
}

/*
 * True if it can be nothing but a setting of ours: with our prefix, or exactly
 * one whose name other programs do not use. Those of the server process
 * (workers, socket, user) are everybody's, as in the environment.
 */
static bool
ours(const struct clq_settings *s, const char *key)
{
	static const char *const common[] = { "includes", "backoff",
		"statsd_url", "statsd_prefix", "project_name" };
	struct clq_str bare = clq_settings_unprefixed(clq_str_of(key));
	const struct clq_setting *row = clq_settings_row(s, bare.p);

	if (row == NULL || strncmp(bare.p, "server.", 7) == 0)
		return false;
	if (bare.p != key)
		return true;
	for (size_t i = 0; i < CLQ_COUNT(common); i++)
		if (strcmp(key, common[i]) == 0)
			return false;
	return strcmp(row->key, key) == 0 && !clq_setting_prefixed_only(key);
}

static void
warn_misplaced(const struct clq_settings *s, struct clq_arena *arena)
{
	const struct clq_odd_line *odd;

	for (size_t i = 0; i < s->nlines; i++) {
		odd = &s->lines[i];
		if (ours(s, odd->key))
			clq_log_once(CLQ_LOG_WARNING, clq_arena_printf(arena,
			    "%s %s", odd->where, odd->key).p, "%s: %s in [%s] "
			    "has no effect; write it into [app:main]",
			    odd->where, odd->key, odd->section);
	}
}

/* The known section that looks like this one; NULL: none does. Of a family,
 * what stands before the member's name is compared: [resorce:mushroom]. */
static const char *
similar_section(struct clq_arena *arena, const char *name)
{
	size_t d, len, best = 3, head = strcspn(name, ":_");
	bool member = name[head] != '\0' && name[head + 1] != '\0';
	const char *known, *found = NULL, *family;

	family = clq_arena_cstr(arena, (struct clq_str){ name, head + member });
	for (size_t i = 0; i < CLQ_COUNT(sections); i++) {
		known = sections[i];
		len = strlen(known);
		if (is_family(known) && !member)
			continue;
		d = distance(is_family(known) ? family : name, known);
		if (d >= best || d > len / 3)
			continue;
		best = d;
		found = is_family(known) ? clq_arena_printf(arena, "%s%s",
		    known, name + head + 1).p : known;
	}
	return found;
}

static void
warn_unknown_sections(const struct clq_settings *s, struct clq_arena *arena)
{
	const struct clq_odd_section *odd;
	const char *hint;

	for (size_t i = 0; i < s->nodd; i++) {
		odd = &s->odd[i];
		hint = similar_section(arena, odd->name);
		clq_log_once(CLQ_LOG_WARNING, clq_arena_printf(arena,
		    "%s [%s]", odd->where, odd->name).p, "%s: the section "
		    "[%s] is not one of the server's and has no effect; "
		    "%s%s%s", odd->where, odd->name, hint != NULL ?
		    "did you mean [" : "its settings belong below [app:main]",
		    hint != NULL ? hint : "", hint != NULL ? "]?" : "");
	}
}

/* ---- keys and variables ----------------------------------------------- */

/* A known key that looks like this one, or NULL. */
static const char *
similar(const struct clq_settings *s, const char *key)
{
	size_t i, d, best = strlen(key) / 4 + 1;
	const char *found = NULL;

	for (i = 0; i < s->nrows; i++) {
		d = distance(key, s->rows[i]->key);
		if (d <= best && d <= 3) {
			best = d;
			found = s->rows[i]->key;
		}
	}
	return found;
}

/* A key as the rest of a variable's name: upper case, '_' for '.' and '-'. */
static const char *
as_variable(struct clq_arena *arena, const char *key)
{
	char *c, *var = clq_arena_cstr(arena, clq_str_of(key));

	for (c = var; *c != '\0'; c++)
		if (*c == '.' || *c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return var;
}

/* The known key that the variable sets, or (*exact false) one that looks like
 * it; NULL: neither. */
static const char *
variable_key(const struct clq_settings *s, struct clq_arena *arena,
    const char *name, bool *exact)
{
	size_t i, d, best = 3;
	const char *found = NULL, *var;

	*exact = false;
	for (i = 0; i < s->n; i++) {
		var = as_variable(arena, s->entries[i]->key);
		d = distance(name, var);
		if (strcmp(name, var) == 0) {
			*exact = true;
			return s->entries[i]->key;
		}
		if (s->entries[i]->row != NULL && d <= best &&
		    d <= strlen(name) / 4 + 1) {
			best = d;
			found = var;
		}
	}
	return found;
}

/* KINTO_ may be meant for something else of that name; CLIQUET_ is ours. */
static void
warn_unknown_variables(const struct clq_settings *s, struct clq_arena *arena)
{
	static const char *const prefixes[] = { "CLIQUET_", "KINTO_" };
	const char *found, *name;
	struct clq_str var;
	bool exact;

	for (char **e = environ; *e != NULL; e++) {
		for (size_t i = 0; i < CLQ_COUNT(prefixes); i++) {
			if (strncmp(*e, prefixes[i], strlen(prefixes[i])) != 0)
				continue;
			var = clq_str_sub(clq_str_of(*e), 0, strcspn(*e, "="));
			name = clq_arena_cstr(arena, clq_str_sub(var,
			    strlen(prefixes[i]), var.len));
			found = variable_key(s, arena, name, &exact);
			if (exact || strcmp(name, "INI") == 0 ||
			    (found == NULL && i > 0))
				continue;
			clq_log_once(CLQ_LOG_WARNING, clq_arena_cstr(arena,
			    var), "environment %.*s: sets nothing; %s%s%s",
			    CLQ_FMT(var), found != NULL ? "did you mean " :
			    "a key that no table of settings names must be in "
			    "the ini before a variable can change it",
			    found != NULL ? prefixes[i] : "",
			    found != NULL ? found : "");
		}
	}
}

/* ---- listeners --------------------------------------------------------- */

/* Of the options of the listener whose keys begin with prefix, the one that
 * looks like option; NULL: it is one, or none looks like it. A kind may read
 * options that it has not declared. */
static const char *
similar_option(const struct clq_settings *s, const char *prefix,
    const char *option)
{
	const char *const core[] = { "use", "actions", "resources" };
	size_t i, d, best = strlen(option) / 3, skip = strlen(prefix);
	const char *found = NULL, *name;

	if (best > 2)
		best = 2;
	for (i = 0; i < s->nrows + CLQ_COUNT(core); i++) {
		if (i < s->nrows &&
		    strncmp(s->rows[i]->key, prefix, skip) != 0)
			continue;
		name = i < s->nrows ? s->rows[i]->key + skip :
		    core[i - s->nrows];
		d = distance(option, name);
		if (d == 0)
			return NULL;
		if (d <= best) {
			best = d;
			found = name;
		}
	}
	return found;
}

/* The row of all of these is a family, so that none is unknown as a key. */
static void
warn_of_listener(const struct clq_settings *s, struct clq_arena *arena,
    const struct clq_entry *e)
{
	struct clq_strs names = clq_settings_list(s, "event_listeners");
	size_t d, best = 3, skip = strlen("event_listeners.");
	const char *key = e->key + skip, *hint = NULL, *name, *said;
	size_t len = strcspn(key, ".");

	said = clq_arena_printf(arena, "%s %s", e->where, e->key).p;
	for (size_t i = 0; i < names.n; i++) {
		name = clq_arena_cstr(arena, names.items[i]);
		d = strlen(name);
		if (strncmp(key, name, d) == 0 && key[d] == '.') {
			hint = similar_option(s, clq_arena_printf(arena,
			    "event_listeners.%s.", name).p, key + d + 1);
			if (hint != NULL)
				clq_log_once(CLQ_LOG_WARNING, said, "%s: '%s' "
				    "is no option of the listener %s; did you "
				    "mean '%s'?", e->where, e->key, name,
				    hint);
			return;
		}
		d = distance(clq_arena_printf(arena, "%.*s", (int)len, key).p,
		    name);
		if (d < best && d <= len / 3) {
			best = d;
			hint = name;
		}
	}
	clq_log_once(CLQ_LOG_WARNING, said, "%s: '%s' has no effect: "
	    "event_listeners does not name '%.*s'%s%s%s", e->where, e->key,
	    (int)len, key, hint != NULL ? "; did you mean '" : "",
	    hint != NULL ? hint : "", hint != NULL ? "'?" : "");
}

void
clq_settings_warn_unknown(const struct clq_settings *s)
{
	const struct clq_entry *e;
	struct clq_str once;
	const char *hint;
	struct clq_arena *arena = clq_arena_new();
	size_t i;

	for (i = 0; i < s->n; i++) {
		e = s->entries[i];
		if (e->origin == CLQ_ORIGIN_DEFAULT)
			continue;
		if (e->row != NULL) {
			if (strcmp(e->row->key, "event_listeners.*") == 0)
				warn_of_listener(s, arena, e);
			continue;
		}
		hint = similar(s, e->key);
		once = clq_arena_printf(arena, "%s %s", e->where, e->key);
		clq_log_once(CLQ_LOG_WARNING, once.p, "%s: '%s' is not a "
		    "setting of the server or of its plugins; %s%s%s",
		    e->where, e->spelled != NULL ? e->spelled : e->key,
		    hint != NULL ? "did you mean '" : "it has no effect",
		    hint != NULL ? hint : "", hint != NULL ? "'?" : "");
	}
	warn_misplaced(s, arena);
	warn_unknown_sections(s, arena);
	warn_unknown_variables(s, arena);
	clq_arena_free(&arena);
}
