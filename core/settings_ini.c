/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an ini as Paste Deploy does (section 09-1), with iniparser.
 *
 * iniparser 4.1 keeps sections and keys, but by itself it lower-cases names,
 * cuts lines at 1024 bytes and values at ';' and '#', drops quotes, knows no
 * indented continuation and tells no line numbers. So the text is first
 * folded into logical lines (settings_fold.c); then iniparser gets the same
 * sections and keys, with every byte that it would touch written as %xx, and
 * the index of the logical line as the value. Its dictionary is what is asked
 * afterwards: which sections there are, the keys of each, and what %(name)s
 * stands for. It reads a path only, which is given through a memory file.
 */
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "settings_ini.h"

#include <iniparser/iniparser.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 10,		/* %(a)s within %(b)s within ... */
	EXPANSIONS_MAX = 1000,	/* in one value */
	VALUE_MAX = 262144	/* bytes of an expanded value */
};

/* ---- iniparser --------------------------------------------------------- */

/* A name in the characters that iniparser leaves alone. */
static void
encode_name(struct clq_buf *b, struct clq_str name)
{
	size_t i;

	for (i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '_' || c == '.' || c == '-')
			clq_buf_addc(b, (char)c);
		else
			clq_buf_printf(b, "%%%02x", (unsigned)c);
	}
}

static struct clq_str
decode_name(struct clq_ini *ini, const char *name)
{
	return clq_url_decode(ini->arena, clq_str_of(name), false);
}

/* The line of a key of a section, by iniparser; NULL if there is none. */
static struct clq_ini_line *
line_of(struct clq_ini *ini, struct clq_str section, struct clq_str key)
{
	struct clq_buf path;
	const char *found;

	if (key.len > CLQ_INI_NAME_MAX)
		return NULL;
	clq_buf_init(&path, ini->arena, 64);
	encode_name(&path, section);
	clq_buf_addc(&path, ':');
	encode_name(&path, key);
	found = iniparser_getstring(ini->dict,
	    clq_arena_cstr(ini->arena, clq_buf_str(&path)), NULL);
	return found != NULL ? &ini->lines[strtoul(found, NULL, 10)] : NULL;
}

static int CLQ_PRINTF(1, 2)
parser_complaint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	clq_vlog(CLQ_LOG_ERROR, fmt, ap);
	va_end(ap);
	return 0;
}

/* Give text to iniparser through a memory file. */
static dictionary *
parse_text(struct clq_ini *ini, struct clq_str text)
{
	dictionary *dict = NULL;
	struct clq_str path;
	size_t done = 0;
	ssize_t n;
	int fd;

	if ((fd = memfd_create("ini", MFD_CLOEXEC)) == -1)
		goto out;
	while (done < text.len) {
		n = write(fd, text.p + done, text.len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			goto out;
		done += (size_t)n;
	}
	path = clq_arena_printf(ini->arena, "/proc/self/fd/%d", fd);
	iniparser_set_error_callback(parser_complaint);
	dict = iniparser_load(path.p);
	iniparser_set_error_callback(NULL);
out:	if (dict == NULL)
		clq_settings_wrong(ini->s, ini->name, "cannot be handed to "
		    "the parser: %s; is /proc mounted?", strerror(errno));
	if (fd != -1)
		close(fd);
	return dict;
}

static bool
index_lines(struct clq_ini *ini)
{
	struct clq_str last = { NULL, 0 };
	struct clq_ini_line *l, *kept;
	struct clq_buf b;
	size_t i;

	clq_buf_init(&b, ini->arena, 4096);
	for (i = 0; i < ini->n; i++) {
		l = &ini->lines[i];
		if (!clq_str_eq(l->section, last)) {
			clq_buf_addc(&b, '[');
			encode_name(&b, l->section);
			clq_buf_adds(&b, "]\n");
			last = l->section;
		}
		encode_name(&b, l->key);
		clq_buf_printf(&b, " = %zu\n", i);
	}
	ini->dict = parse_text(ini, clq_buf_str(&b));
	if (ini->dict == NULL)
		return false;
	for (i = 0; i < ini->n; i++) {
		l = &ini->lines[i];
		kept = line_of(ini, l->section, l->key);
		if (kept != l && kept != NULL)
			clq_ini_bad(ini, kept->number, "'%.*s' is set twice in "
			    "[%.*s]; remove this line or line %u",
			    CLQ_FMT(l->key), CLQ_FMT(l->section), l->number);
	}
	return true;
}

/* ---- interpolation ----------------------------------------------------- */

static bool expand(struct clq_ini *ini, const struct clq_ini_line *l,
    struct clq_str text, int depth, struct clq_buf *out);

/* Folder of the file, absolute, as %(here)s. */
static struct clq_str
here(struct clq_ini *ini)
{
	char cwd[PATH_MAX];
	struct clq_str path = clq_str_of(ini->name);
	size_t end = path.len;

	while (end > 0 && path.p[end - 1] != '/')
		end--;
	path = clq_str_sub(path, 0, end > 1 ? end - 1 : end);
	if (clq_str_starts(path, "/"))
		return path;
	if (getcwd(cwd, sizeof cwd) == NULL)
		return CLQ_STR(".");
	return clq_arena_printf(ini->arena, "%s%s%.*s", cwd,
	    path.len != 0 ? "/" : "", CLQ_FMT(path));
}

/* What %(name)s stands for: section, [DEFAULT], then what is always there. */
static bool
expand_name(struct clq_ini *ini, const struct clq_ini_line *l,
    struct clq_str name, int depth, struct clq_buf *out)
{
	struct clq_ini_line *def = line_of(ini, l->section, name);

	if (def == NULL)
		def = line_of(ini, CLQ_STR("DEFAULT"), name);
	if (def != NULL) {
		def->used = true;
		return expand(ini, l, clq_buf_str(&def->value), depth + 1,
		    out);
	}
	if (clq_str_is(name, "here"))
		clq_buf_add(out, here(ini));
	else if (clq_str_is(name, "__file__"))
		clq_buf_adds(out, ini->name);
	else if (clq_str_is(name, "http_port"))
		clq_buf_adds(out, "8888");
	else {
		clq_ini_bad(ini, l->number, "%.*s: %%(%.*s)s names nothing; "
		    "set '%.*s' in [DEFAULT] or in this section, or write %%%% "
		    "for a percent sign", CLQ_FMT(l->key), CLQ_FMT(name),
		    CLQ_FMT(name));
		return false;
	}
	return true;
}

/* Append text with its %-signs replaced; l is the line it belongs to. */
static bool
expand(struct clq_ini *ini, const struct clq_ini_line *l, struct clq_str text,
    int depth, struct clq_buf *out)
{
	struct clq_str name;
	size_t i = 0, pct, end;

	if (depth > DEPTH_MAX || ++ini->expansions > EXPANSIONS_MAX ||
	    !clq_buf_ok(out)) {
		clq_ini_bad(ini, l->number, "%.*s: endless or too large after "
		    "replacing %%(...)s; a name must not contain itself",
		    CLQ_FMT(l->key));
		return false;
	}
	for (; i < text.len; i = end + 1) {
		pct = clq_str_find(text, '%', i);
		clq_buf_add(out, clq_str_sub(text, i, pct));
		if (pct == text.len)
			break;
		end = pct + 1;
		if (end < text.len && text.p[end] == '%') {
			clq_buf_addc(out, '%');
			continue;
		}
		end = clq_str_find(text, ')', pct);
		if (text.p[pct + 1 < text.len ? pct + 1 : pct] != '(' ||
		    end + 1 >= text.len || text.p[end + 1] != 's') {
			clq_ini_bad(ini, l->number, "%.*s: '%%' begins neither "
			    "%%(name)s nor %%%%; write %%%% for a percent "
			    "sign", CLQ_FMT(l->key));
			return false;
		}
		name = clq_str_sub(text, pct + 2, end);
		if (!expand_name(ini, l, name, depth, out))
			return false;
		end++;
	}
	return true;
}

/* ---- into the store ---------------------------------------------------- */

static void
check_conflict(struct clq_ini *ini, const struct clq_entry *e,
    const struct clq_ini_line *l, struct clq_str raw)
{
	struct clq_str other = clq_str_of(e->spelled);
	struct clq_str a = other, b = l->key;

	if (clq_str_eq(e->raw, raw))
		return;
	if (a.len > b.len) {
		a = l->key;
		b = other;
	}
	clq_ini_bad(ini, l->number, "Settings '%.*s', '%.*s' are in conflict. "
	    "Keep one of them (the other is at %s)", CLQ_FMT(a), CLQ_FMT(b),
	    e->where);
}

/* Put one line into the store under prefix + key. */
static void
take_line(struct clq_ini *ini, const struct clq_ini_line *l, struct clq_str key)
{
	struct clq_entry *e;
	struct clq_buf out;
	struct clq_str raw;

	clq_buf_init(&out, ini->arena, 0);
	out.limit = VALUE_MAX;
	ini->expansions = 0;
	if (!expand(ini, l, clq_buf_str(&l->value), 0, &out))
		return;
	if (!clq_buf_ok(&out)) {
		clq_ini_bad(ini, l->number, "%.*s: the value is too long; at "
		    "most %d bytes are read", CLQ_FMT(l->key), VALUE_MAX);
		return;
	}
	raw = clq_buf_str(&out);
	if (clq_str_is(key, "use") && clq_str_starts(raw, "config:")) {
		clq_ini_bad(ini, l->number, "use: 'config:' is not supported; "
		    "copy the settings of that file here");
		return;
	}
	e = clq_settings_entry(ini->s, key);
	if (e->origin == CLQ_ORIGIN_FILE) {
		check_conflict(ini, e, l, raw);
		return;
	}
	e->raw = clq_arena_strdup(ini->s->arena, raw);
	e->spelled = clq_arena_cstr(ini->s->arena, l->key);
	clq_settings_assign(ini->s, e, raw, CLQ_ORIGIN_FILE,
	    clq_arena_printf(ini->arena, "%s:%u", ini->name, l->number).p);
}

/* "resource.NAME." for [resource:NAME]; false if NAME will not do. */
static bool
resource_prefix(struct clq_ini *ini, struct clq_str section,
    const struct clq_ini_line *first, struct clq_str *prefix)
{
	struct clq_str name = clq_str_trim(clq_str_sub(section,
	    strlen("resource:"), section.len));
	size_t i;

	for (i = 0; i < name.len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_-",
		    name.p[i]) == NULL)
			break;
	if (name.len == 0 || i < name.len) {
		clq_ini_bad(ini, first->number, "[%.*s]: the name of a "
		    "resource is made of a-z, 0-9, '_' and '-'",
		    CLQ_FMT(section));
		return false;
	}
	*prefix = clq_arena_printf(ini->arena, "resource.%.*s.",
	    CLQ_FMT(name));
	return true;
}

static void
take_section(struct clq_ini *ini, const char *coded)
{
	struct clq_str section = decode_name(ini, coded), prefix, key;
	bool app = clq_str_is(section, "app:main");
	bool server = clq_str_is(section, "server:main");
	const char **keys;
	struct clq_ini_line *l;
	int i, n;

	if (!app && !server && !clq_str_starts(section, "resource:"))
		return;
	if ((n = iniparser_getsecnkeys(ini->dict, coded)) <= 0)
		return;
	keys = clq_arena_calloc(ini->arena, (size_t)n, sizeof *keys);
	if (iniparser_getseckeys(ini->dict, coded, keys) == NULL)
		return;
	l = &ini->lines[strtoul(iniparser_getstring(ini->dict, keys[0], "0"),
	    NULL, 10)];
	if (app)
		prefix = CLQ_STR("");
	else if (server)
		prefix = CLQ_STR("server.");
	else if (!resource_prefix(ini, section, l, &prefix))
		return;
	for (i = 0; i < n; i++) {
		l = &ini->lines[strtoul(iniparser_getstring(ini->dict,
		    keys[i], "0"), NULL, 10)];
		key = app ? clq_settings_unprefixed(l->key) : l->key;
		take_line(ini, l, clq_arena_printf(ini->arena, "%.*s%.*s",
		    CLQ_FMT(prefix), CLQ_FMT(key)));
	}
}

struct clq_str
clq_settings_unprefixed(struct clq_str key)
{
	static const char *const prefixes[] = { "cliquet.", "kinto." };
	size_t i, len;

	for (i = 0; i < CLQ_COUNT(prefixes); i++) {
		len = strlen(prefixes[i]);
		if (key.len > len && clq_str_starts(key, prefixes[i]))
			return clq_str_sub(key, len, key.len);
	}
	return key;
}

/* [DEFAULT] serves %(...)s only: tell who meant it otherwise. Which other lines
 * stand where nobody reads them is known when all settings are. */
static void
warn_misplaced(struct clq_ini *ini)
{
	size_t i;

	for (i = 0; i < ini->n; i++) {
		const struct clq_ini_line *l = &ini->lines[i];

		if (clq_str_is(l->section, "DEFAULT") &&
		    clq_settings_unprefixed(l->key).len != l->key.len)
			clq_log_warn("%s:%u: '%.*s' in [DEFAULT] serves only "
			    "for %%(...)s; move it to [app:main]", ini->name,
			    l->number, CLQ_FMT(l->key));
		else if (!l->used)
			clq_settings_note_line(ini->s, l->section, l->key,
			    clq_arena_printf(ini->arena, "%s:%u", ini->name,
			    l->number).p);
	}
}

void
clq_ini_parse(struct clq_settings *s, const char *name, struct clq_str text)
{
	struct clq_arena *scratch = clq_arena_new();
	struct clq_ini ini = { .s = s, .arena = scratch, .name = name };
	int i, n;

	ini.lines = clq_arena_alloc(scratch, 0);
	clq_ini_fold(&ini, text);
	if (!ini.has_app && ini.problems == 0)
		clq_settings_wrong(s, name, "there is no section [app:main]; "
		    "write it, and below it 'use = egg:kinto' for Kinto");
	if (index_lines(&ini)) {
		n = iniparser_getnsec(ini.dict);
		for (i = 0; i < n; i++)
			take_section(&ini, iniparser_getsecname(ini.dict, i));
		warn_misplaced(&ini);
		iniparser_freedict(ini.dict);
	}
	clq_arena_free(&scratch);
}
