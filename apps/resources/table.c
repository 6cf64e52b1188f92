/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `table`: objects are rows of a table that exists already
 * (docs/relational.md). Here is what can be said without looking at it; the
 * storage looks.
 *
 * Each declared attribute is a column of the same name, and what is not
 * declared has no place, so it is dropped. A list is the rows whose parent
 * column has one value: the user id of a private resource, or the id of the
 * parent object, so that the column can be a foreign key.
 */
#include "resources.h"

static const char *
option(struct ini *ini, const struct ini_resource *r, const char *name,
    const char *def)
{
	const char *value = clq_settings_cstr(ini->settings, ini_key(ini, r,
	    name));

	return value != NULL ? value : def;
}

/* What stands before the parent's id: "/forests/" of /forests/{id}/trees. */
static bool
find_prefix(struct ini *ini, struct ini_resource *r)
{
	struct clq_str path = clq_str_of(r->decl.plural_path);
	size_t first = clq_str_find(path, '{', 0);
	size_t close = clq_str_find(path, '}', first);

	r->table.parent_prefix = "";
	if (first == path.len)
		return true;
	if (clq_str_find(path, '{', first + 1) < path.len ||
	    clq_str_find(path, '/', close + 2) < path.len)
		return ini_wrong(ini, r, r->table.key, "a table can only be "
		    "mapped where the path has at most one variable, right "
		    "above the list; %s has another form",
		    r->decl.plural_path);
	r->table.parent_prefix = clq_arena_cstr(ini->arena,
	    clq_str_sub(path, 0, first));
	return true;
}

/* Lists and parent columns belong together. */
static bool
check_parent(struct ini *ini, struct ini_resource *r)
{
	bool lists = (r->decl.flags & CLQ_RESOURCE_USER) != 0 ||
	    strchr(r->decl.plural_path, '{') != NULL;

	if (lists && r->table.parent_column == NULL)
		return ini_wrong(ini, r, r->table.key, "there are many lists, "
		    "and the rows must say which is theirs; write "
		    "parent_column = NAME of a column with %s, or access = "
		    "shared", (r->decl.flags & CLQ_RESOURCE_USER) != 0 ?
		    "the user id" : "the parent's id");
	if (!lists && r->table.parent_column != NULL)
		return ini_wrong(ini, r, ini_key(ini, r, "parent_column"),
		    "there is one list only; leave it out, or write access = "
		    "private");
	return true;
}

static bool
changes(const struct ini_resource *r)
{
	const unsigned list = CLQ_BIT(CLQ_METHOD_POST) |
	    CLQ_BIT(CLQ_METHOD_DELETE);
	const unsigned object = CLQ_BIT(CLQ_METHOD_PUT) |
	    CLQ_BIT(CLQ_METHOD_PATCH) | CLQ_BIT(CLQ_METHOD_DELETE);

	return r->decl.plural_methods == 0 || r->decl.object_methods == 0 ||
	    (r->decl.plural_methods & list) != 0 ||
	    (r->decl.object_methods != ~0u &&
	    (r->decl.object_methods & object) != 0);
}

static bool
find_columns(struct ini *ini, struct ini_resource *r)
{
	const char *unknown = option(ini, r, "unknown", "drop");
	const char **names;

	if (r->decl.nfields == 0)
		return ini_wrong(ini, r, r->table.key, "which columns are "
		    "attributes is not said; write `fields`, or a schema with "
		    "properties");
	if (strcmp(unknown, "keep") == 0)
		return ini_wrong(ini, r, ini_key(ini, r, "unknown"),
		    "attributes without a column cannot be kept in a table; "
		    "write drop");
	r->decl.flags |= CLQ_RESOURCE_STRICT;
	names = clq_arena_calloc(ini->arena, r->decl.nfields,
	    sizeof *names);
	for (size_t i = 0; i < r->decl.nfields; i++)
		names[i] = r->fields[i].name;
	r->table.columns = names;
	r->table.ncolumns = r->decl.nfields;
	return true;
}

void
ini_read_table(struct ini *ini, struct ini_resource *r)
{
	static const char *const others[] = { "id_column", "modified_column",
		"parent_column" };
	const char *key = ini_key(ini, r, "table");

	if (!clq_settings_has(ini->settings, key)) {
		for (size_t i = 0; i < CLQ_COUNT(others); i++)
			if (option(ini, r, others[i], NULL) != NULL)
				ini_wrong(ini, r, ini_key(ini, r, others[i]),
				    "no table is named; write table = NAME, "
				    "or leave it out");
		return;
	}
	r->table.resource = r->decl.name;
	r->table.key = key;
	r->table.name = option(ini, r, "table", "");
	r->table.id_column = option(ini, r, "id_column", "id");
	r->table.modified_column = option(ini, r, "modified_column",
	    "last_modified");
	r->table.parent_column = option(ini, r, "parent_column", NULL);
	if (!find_prefix(ini, r) || !check_parent(ini, r) ||
	    !find_columns(ini, r))
		return;
	r->table.readonly = !changes(r);
	r->decl.table = &r->table;
}
