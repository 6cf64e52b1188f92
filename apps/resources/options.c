/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a section [resource:NAME], and what they make of it.
 *
 * Some stand for settings of core that have the resource's name in them; those
 * are declared with the option's value as their default, so that the longer
 * name and the environment still win.
 */
#include "resources.h"

#include <stdarg.h>

#define STR(key, help)	{ "resource.*." key, CLQ_SET_STR, NULL, 0, 0, NULL, \
			    help }
#define LIST(key, help)	{ "resource.*." key, CLQ_SET_LIST, NULL, 0, 0, NULL, \
			    help }
#define BOOL(key, help)	{ "resource.*." key, CLQ_SET_BOOL, NULL, 0, 0, NULL, \
			    help }

/* clang-format off */
const struct clq_setting ini_options[] = {
	STR("path",
	    "Path of the list, with variables: /forests/{forest_id}/trees. "
	    "Default: /NAMEs, below the parent's objects if there is one."),
	STR("parent",
	    "Resource whose object must exist first, and whose permissions "
	    "hold below it."),
	STR("schema",
	    "File with a JSON Schema that every object must fit; relative to "
	    "the folder of this file."),
	STR("fields",
	    "Attributes, one a line: NAME: TYPE [required] [readonly] "
	    "[unique] [auto_now] [text] [trim] [min=N] [max=N] "
	    "[default=JSON]."),
	STR("unknown",
	    "What becomes of attributes that nobody declared: keep or drop. "
	    "Default: keep."),
	LIST("readonly", "Attributes that PATCH may not change."),
	LIST("unique", "Attributes of which no two objects of a list may have "
	    "the same value."),
	STR("access",
	    "private: each user has a list of his own, without permissions; "
	    "shared: one list, with permissions. Default: private, or shared "
	    "if the path has variables."),
	LIST("permissions", "Further permissions, beside read and write."),
	LIST("create_principals", "Who may create objects."),
	LIST("read_principals", "Who may read all objects."),
	LIST("write_principals", "Who may change all objects."),
	LIST("plural_methods",
	    "Methods of the list, of GET HEAD POST DELETE. Default: all."),
	LIST("object_methods",
	    "Methods of objects, of GET PUT PATCH DELETE; none: objects have "
	    "no URL. Default: all."),
	STR("ids",
	    "How ids are made and which are good: uuid4, relaxed (a UUID is "
	    "made, names are good), name (8 characters). Default: uuid4."),
	{ "resource.*.cache_seconds", CLQ_SET_INT, NULL, 0, INT32_MAX,
	  "seconds", "How long anonymous readers may cache; only for shared "
	  "ones." },
	BOOL("lazy_patch",
	    "A PATCH that changes nothing keeps last_modified. Default: no."),
	STR("table",
	    "Table of the PostgreSQL database whose rows are the objects, "
	    "with a column for each attribute: [SCHEMA.]TABLE."),
	STR("id_column", "Its column with ids: text or uuid. Default: id."),
	STR("modified_column", "Its column of type timestamp that the server "
	    "keeps the time of changes in. Default: last_modified."),
	STR("parent_column", "Its column that says whose list a row is in: the "
	    "user id, or the id of the parent. Needed by private resources "
	    "and by those with a parent."),
	STR("description", "What it is, for people and for OpenAPI."),
};
/* clang-format on */
const size_t ini_noptions = CLQ_COUNT(ini_options);

const char *
ini_key(struct ini *ini, const struct ini_resource *r, const char *option)
{
	return clq_arena_printf(ini->arena, "resource.%s.%s", r->decl.name,
	    option).p;
}

bool
ini_wrong(struct ini *ini, struct ini_resource *r, const char *key,
    const char *fmt, ...)
{
	struct clq_str text;
	va_list ap;

	va_start(ap, fmt);
	text = clq_arena_vprintf(ini->arena, fmt, ap);
	va_end(ap);
	(void)clq_settings_error(ini->settings,
	    clq_settings_has(ini->settings, key) ? key : r->first_key,
	    "%.*s", CLQ_FMT(text));
	r->wrong = true;
	return false;
}

/* ---- fields ------------------------------------------------------------ */

const struct clq_field *
ini_find_field(const struct ini_resource *r, struct clq_str name)
{
	for (size_t i = 0; i < r->decl.nfields; i++)
		if (clq_str_is(name, r->fields[i].name))
			return &r->fields[i];
	return NULL;
}

struct clq_field *
ini_field(struct ini *ini, struct ini_resource *r, struct clq_str name,
    const char *key)
{
	struct clq_field *f;

	for (size_t i = 0; i < r->decl.nfields; i++)
		if (clq_str_is(name, r->fields[i].name))
			return &r->fields[i];
	if (r->decl.nfields == INI_MAX_FIELDS) {
		ini_wrong(ini, r, key, "more than %d attributes; leave some "
		    "out", INI_MAX_FIELDS);
		return NULL;
	}
	if (r->fields == NULL)
		r->fields = clq_arena_calloc(ini->arena, INI_MAX_FIELDS,
		    sizeof *r->fields);
	f = &r->fields[r->decl.nfields++];
	f->name = clq_arena_cstr(ini->arena, name);
	return f;
}

/* `readonly` and `unique` name attributes, which are declared if any are. */
static void
read_flag(struct ini *ini, struct ini_resource *r, const char *option,
    unsigned flag, bool closed)
{
	const char *key = ini_key(ini, r, option);
	struct clq_strs names = clq_settings_list(ini->settings, key);
	struct clq_field *f;

	for (size_t i = 0; i < names.n; i++) {
		if (closed && ini_find_field(r, names.items[i]) == NULL)
			ini_wrong(ini, r, key, "there is no attribute '%.*s'; "
			    "name one of `fields` or of the schema's "
			    "properties%s", CLQ_FMT(names.items[i]),
			    flag == CLQ_FIELD_READONLY &&
			    clq_str_is(names.items[i], "true") ? " (for a "
			    "service that is read-only the line belongs below "
			    "[app:main])" : "");
		else if ((f = ini_field(ini, r, names.items[i], key)) != NULL)
			f->flags |= flag;
	}
}

/* ---- words that are one of a few --------------------------------------- */

/* Index of the option's word in names; def if unset, -1 if wrong (said). */
static int
choice(struct ini *ini, struct ini_resource *r, const char *option,
    const char *const *names, size_t n, int def)
{
	const char *key = ini_key(ini, r, option);
	struct clq_str v = clq_settings_str(ini->settings, key);
	struct clq_buf all;

	if (v.p == NULL)
		return def;
	clq_buf_init(&all, ini->arena, 0);
	for (size_t i = 0; i < n; i++) {
		if (clq_str_is(v, names[i]))
			return (int)i;
		clq_buf_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	ini_wrong(ini, r, key, "'%.*s' is none of %.*s; write one of these",
	    CLQ_FMT(v), CLQ_FMT(clq_buf_str(&all)));
	return -1;
}

static void
read_access(struct ini *ini, struct ini_resource *r)
{
	static const char *const names[] = { "private", "shared" };
	bool variables = r->decl.parent != NULL ||
	    (r->decl.plural_path != NULL &&
	    strchr(r->decl.plural_path, '{') != NULL);
	int which = choice(ini, r, "access", names, CLQ_COUNT(names),
	    variables);

	if (which != 0)
		return;
	r->decl.flags |= CLQ_RESOURCE_USER;
	if (variables)
		ini_wrong(ini, r, ini_key(ini, r, "access"), "a private list "
		    "has no parent and no variables in its path; write "
		    "shared, or take them out");
}

static void
read_words(struct ini *ini, struct ini_resource *r)
{
	static const char *const unknown[] = { "keep", "drop" };
	static const char *const ids[] = { "uuid4", "relaxed", "name" };
	static const struct clq_id_kind *const kinds[] = {
		&clq_id_uuid4, &clq_id_relaxed, &clq_id_name
	};
	int which;

	read_access(ini, r);
	which = choice(ini, r, "unknown", unknown, CLQ_COUNT(unknown), 0);
	if (which == 1)
		r->decl.flags |= CLQ_RESOURCE_STRICT;
	if (which == 1 && r->decl.nfields == 0)
		ini_wrong(ini, r, ini_key(ini, r, "unknown"), "nothing is "
		    "declared, so everything would be dropped; write `fields` "
		    "or a schema with properties");
	which = choice(ini, r, "ids", ids, CLQ_COUNT(ids), -1);
	if (which >= 0)
		r->decl.ids = kinds[which];
	if (clq_settings_bool(ini->settings, ini_key(ini, r, "lazy_patch"),
	    false))
		r->decl.flags |= CLQ_RESOURCE_LAZY_PATCH;
}

/* ---- methods ----------------------------------------------------------- */

static const struct {
	const char	*name;
	enum clq_method	 method;
	bool		 plural, object;
} methods[] = {
	{ "GET",	CLQ_METHOD_GET,		true,	true },
	{ "HEAD",	CLQ_METHOD_HEAD,	true,	true },
	{ "POST",	CLQ_METHOD_POST,	true,	false },
	{ "PUT",	CLQ_METHOD_PUT,		false,	true },
	{ "PATCH",	CLQ_METHOD_PATCH,	false,	true },
	{ "DELETE",	CLQ_METHOD_DELETE,	true,	true },
};

static unsigned
method_bit(struct clq_str word, bool plural)
{
	for (size_t i = 0; i < CLQ_COUNT(methods); i++)
		if (clq_str_caseis(word, methods[i].name))
			return (plural ? methods[i].plural :
			    methods[i].object) ? CLQ_BIT(methods[i].method) :
			    0;
	return 0;
}

static unsigned
read_methods(struct ini *ini, struct ini_resource *r, const char *option,
    bool plural)
{
	const char *key = ini_key(ini, r, option);
	struct clq_strs words = clq_settings_list(ini->settings, key);
	unsigned bits = 0, bit;

	if (!clq_settings_has(ini->settings, key))
		return 0;		/* all */
	if (!plural && words.n == 1 && clq_str_caseis(words.items[0], "none"))
		return ~0u;
	for (size_t i = 0; i < words.n; i++) {
		if ((bit = method_bit(words.items[i], plural)) == 0)
			ini_wrong(ini, r, key, "'%.*s' is no method of %s; "
			    "write some of %s", CLQ_FMT(words.items[i]),
			    plural ? "a list" : "an object", plural ?
			    "GET HEAD POST DELETE" : "GET PUT PATCH DELETE");
		bits |= bit;
	}
	if (words.n == 0)
		ini_wrong(ini, r, key, "no method is left; write some, or "
		    "take the option out for all%s", plural ? "" :
		    ", or write none");
	return bits;
}

/* ---- options that are settings of core --------------------------------- */

static void
stand_for(struct ini *ini, struct ini_resource *r, const char *option,
    enum clq_set_type type, const char *key_of_core)
{
	const char *value = clq_settings_cstr(ini->settings,
	    ini_key(ini, r, option));
	struct clq_setting *row;

	if (value == NULL || (type == CLQ_SET_INT && clq_settings_int(
	    ini->settings, ini_key(ini, r, option), -1) < 0))
		return;		/* or no number, which is said */
	row = clq_arena_alloc(ini->arena, sizeof *row);
	row->key = clq_arena_printf(ini->arena, "%s_%s", r->decl.name,
	    key_of_core).p;
	row->type = type;
	row->def = value;
	row->max = type == CLQ_SET_INT ? INT32_MAX : 0;
	row->help = clq_arena_printf(ini->arena, "As %s of the section "
	    "[resource:%s], which it overrides.", option, r->decl.name).p;
	if (clq_settings_declare(ini->settings, row, 1) != CLQ_OK)
		r->wrong = true;
}

/* Who may do something in the list; only a shared one asks. */
static void
read_principals(struct ini *ini, struct ini_resource *r, const char *option)
{
	const char *key = ini_key(ini, r, option);
	struct clq_strs list = clq_settings_list(ini->settings, key);

	if (list.n > 0 && (r->decl.flags & CLQ_RESOURCE_USER) != 0)
		ini_wrong(ini, r, key, "a private list belongs to one user; "
		    "leave it out, or write access = shared");
	for (size_t i = 0; i < list.n; i++) {
		struct clq_str p = list.items[i];

		if (clq_str_find(p, '.', 0) == p.len &&
		    clq_str_find(p, ':', 0) == p.len &&
		    clq_str_find(p, '/', 0) == p.len)
			clq_log_warn("%s: %s: nobody is called '%.*s': "
			    "principals are system.Everyone, "
			    "system.Authenticated, POLICY:USER or the path of "
			    "a group", clq_settings_origin(ini->settings, key),
			    key, CLQ_FMT(p));
	}
	stand_for(ini, r, option, CLQ_SET_LIST, option);
}

/* ---- all ---------------------------------------------------------------- */

static void
read_names(struct ini *ini, struct ini_resource *r)
{
	struct clq_settings *s = ini->settings;
	const char *key = ini_key(ini, r, "path"), *fault;

	if (clq_settings_has(s, key)) {
		r->path_key = key;
		r->decl.plural_path = clq_settings_cstr(s, key);
		fault = clq_path_fault(r->decl.plural_path);
		if (fault != NULL)
			ini_wrong(ini, r, key, "%s %s; write one as /rooms",
			    r->decl.plural_path, fault);
	}
	r->decl.parent = clq_settings_cstr(s, ini_key(ini, r, "parent"));
	r->decl.description = clq_settings_cstr(s, ini_key(ini, r,
	    "description"));
	r->permissions = clq_settings_list(s, ini_key(ini, r, "permissions"));
	if (r->decl.parent != NULL)
		r->decl.inherit = ini_inherit;
}

bool
ini_read(struct ini *ini, struct ini_resource *r)
{
	bool closed;

	read_names(ini, r);
	ini_read_fields(ini, r);
	ini_read_schema(ini, r);
	closed = r->decl.nfields > 0;
	read_flag(ini, r, "readonly", CLQ_FIELD_READONLY, closed);
	read_flag(ini, r, "unique", CLQ_FIELD_UNIQUE, closed);
	read_words(ini, r);
	r->decl.plural_methods = read_methods(ini, r, "plural_methods", true);
	r->decl.object_methods = read_methods(ini, r, "object_methods", false);
	read_principals(ini, r, "create_principals");
	read_principals(ini, r, "read_principals");
	read_principals(ini, r, "write_principals");
	stand_for(ini, r, "cache_seconds", CLQ_SET_INT,
	    "cache_expires_seconds");
	return !r->wrong;
}
