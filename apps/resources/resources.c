/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources.so: the sections [resource:NAME] of the ini become resources as if
 * an application had declared them (docs/toolkit.md). Core loads this plugin
 * by itself, after the application and before the includes, when there is such
 * a section.
 *
 * First every section is read, so that all that is wrong is said at once; then
 * parents are added before those below them, whatever their order in the file.
 * Runs in the master, on the public interface only.
 */
#include "resources.h"

/* ---- the sections ------------------------------------------------------ */

/* "resource.NAME.option" -> NAME; absent if it is no such key. */
static struct clq_str
name_in(const char *key)
{
	struct clq_str s = clq_str_of(key);
	size_t dot;

	if (!clq_str_starts(s, "resource."))
		return (struct clq_str){ NULL, 0 };
	s = clq_str_sub(s, strlen("resource."), s.len);
	dot = clq_str_find(s, '.', 0);
	return dot < s.len ? clq_str_sub(s, 0, dot) :
	    (struct clq_str){ NULL, 0 };
}

static bool
option_known(const char *key)
{
	const char *option = strrchr(key, '.') + 1;

	for (size_t i = 0; i < ini_noptions; i++)
		if (strcmp(strrchr(ini_options[i].key, '.') + 1, option) == 0)
			return true;
	return false;
}

static const char *
option_names(struct ini *ini)
{
	struct clq_buf b;

	clq_buf_init(&b, ini->arena, 0);
	for (size_t i = 0; i < ini_noptions; i++)
		clq_buf_printf(&b, "%s%s", i > 0 ? ", " : "",
		    strrchr(ini_options[i].key, '.') + 1);
	return clq_arena_cstr(ini->arena, clq_buf_str(&b));
}

static struct ini_resource *
find(const struct ini *ini, struct clq_str name)
{
	for (size_t i = 0; i < ini->n; i++)
		if (clq_str_is(name, ini->list[i]->decl.name))
			return ini->list[i];
	return NULL;
}

/* One key of a section: make its resource known, and the key checked. */
static void
collect(void *ctx, const char *key, struct clq_str value)
{
	struct ini *ini = ctx;
	struct clq_str name = name_in(key);
	struct ini_resource *r;

	(void)value;
	if (name.p == NULL)
		return;
	if ((r = find(ini, name)) == NULL) {
		r = clq_arena_alloc(ini->arena, sizeof *r);
		r->decl.size = sizeof r->decl;
		r->decl.name = clq_arena_cstr(ini->arena, name);
		r->first_key = clq_arena_cstr(ini->arena, clq_str_of(key));
		r->path_key = r->first_key;
		ini->list = clq_arena_grow(ini->arena, ini->list,
		    ini->n * sizeof *ini->list,
		    (ini->n + 1) * sizeof *ini->list);
		ini->list[ini->n++] = r;
	}
	if (!option_known(key))
		ini_wrong(ini, r, key, "there is no such option of a "
		    "resource; there are %s", option_names(ini));
}

/* ---- parents ----------------------------------------------------------- */

static struct ini_resource *
parent_of(const struct ini *ini, const struct ini_resource *r)
{
	return r->decl.parent != NULL ?
	    find(ini, clq_str_of(r->decl.parent)) : NULL;
}

/* Every parent is there, and none is its own ancestor. */
static void
check_parents(struct ini *ini, struct ini_resource *r)
{
	const char *key = ini_key(ini, r, "parent");
	const struct ini_resource *up = r;

	if (r->decl.parent == NULL || r->wrong)
		return;
	for (int depth = 0; up->decl.parent != NULL; depth++) {
		const struct ini_resource *next = parent_of(ini, up);

		if (next == NULL && clq_find_resource(ini->srv,
		    up->decl.parent) == NULL) {
			ini_wrong(ini, r, key, "there is no resource %s; "
			    "write a section [resource:%s], or name one of "
			    "the application's", up->decl.parent,
			    up->decl.parent);
			return;
		}
		if (depth == INI_MAX_PARENTS || next == r) {
			ini_wrong(ini, r, key, next == r ? "%s is below itself; "
			    "leave one parent out" : "%s has more parents than "
			    "a path may have; leave one out", r->decl.name);
			return;
		}
		if (next == NULL)
			return;		/* the application's: it is fine */
		up = next;
	}
}

/* With an object goes all that is below it. */
static enum clq_status
erase_below(struct clq_request *req, const struct clq_change *change)
{
	struct clq_str below = clq_arena_printf(clq_request_arena(req),
	    "%.*s/*", CLQ_FMT(change->uri));
	const struct clq_str all = { NULL, 0 };
	const struct clq_storage_ops *storage;
	const struct clq_permission_ops *permission;
	enum clq_status rc;
	void *store, *perm;

	if (change->action != CLQ_ACTION_DELETE)
		return CLQ_OK;
	if ((storage = clq_storage(req, &store)) == NULL ||
	    (permission = clq_permission(req, &perm)) == NULL)
		return CLQ_UNAVAILABLE;
	if ((rc = storage->erase(store, all, change->uri)) != CLQ_OK)
		return rc;
	return permission->delete_objects(perm, &below, 1);
}

/* An object's ACL may name who creates what is below it. */
static void
permit_children(struct ini *ini, const struct ini_resource *r)
{
	struct ini_resource *parent = parent_of(ini, r);

	if (parent == NULL)
		return;
	parent->decl.stored = erase_below;
	clq_strs_add(ini->arena, &parent->permissions,
	    clq_arena_printf(ini->arena, "%s:create", r->decl.name));
}

/* A path that was not said: below the parent's objects, in the plural. */
static void
default_path(struct ini *ini, struct ini_resource *r)
{
	const struct clq_resource *parent = NULL;

	if (r->decl.plural_path != NULL)
		return;
	if (r->decl.parent != NULL)
		parent = clq_find_resource(ini->srv, r->decl.parent);
	r->decl.plural_path = parent == NULL ?
	    clq_arena_printf(ini->arena, "/%ss", r->decl.name).p :
	    clq_arena_printf(ini->arena, "%s/{%s_id}/%ss",
	    parent->plural_path, parent->name, r->decl.name).p;
}

/* ---- adding ------------------------------------------------------------ */

static bool
same_path(struct ini *ini, struct ini_resource *r)
{
	for (size_t i = 0; i < ini->n; i++) {
		const struct ini_resource *other = ini->list[i];

		if (!other->added || strcmp(other->decl.plural_path,
		    r->decl.plural_path) != 0)
			continue;
		ini_wrong(ini, r, r->path_key, "%s and %s (%s) have the same "
		    "path %s; give one of them another", r->decl.name,
		    other->decl.name, clq_settings_origin(ini->settings,
		    other->path_key), r->decl.plural_path);
		return true;
	}
	return false;
}

static void
complete(struct ini *ini, struct ini_resource *r)
{
	const char **names;

	default_path(ini, r);
	names = clq_arena_calloc(ini->arena, r->permissions.n + 3,
	    sizeof *names);
	names[0] = "read";
	names[1] = "write";
	for (size_t i = 0; i < r->permissions.n; i++)
		names[i + 2] = clq_arena_cstr(ini->arena,
		    r->permissions.items[i]);
	r->decl.permissions = names;
	r->decl.fields = r->fields;
}

/* The parent is there, if there is to be one. */
static bool
ready(struct ini *ini, const struct ini_resource *r)
{
	return !r->added && !r->wrong && (r->decl.parent == NULL ||
	    clq_find_resource(ini->srv, r->decl.parent) != NULL);
}

static void
add(struct ini *ini, struct ini_resource *r)
{
	complete(ini, r);
	ini_read_table(ini, r);
	if (r->wrong || same_path(ini, r))
		return;
	if (clq_add_resource(ini->srv, &r->decl) == CLQ_OK)
		r->added = true;
	else
		ini_wrong(ini, r, r->path_key, "the resource %s with the "
		    "path %s is refused, as said above; change its section",
		    r->decl.name, r->decl.plural_path);
}

static enum clq_status
add_all(struct ini *ini)
{
	enum clq_status rc = CLQ_OK;
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < ini->n; i++)
			if (ready(ini, ini->list[i])) {
				add(ini, ini->list[i]);
				more = true;
			}
	}
	for (size_t i = 0; i < ini->n; i++)
		if (!ini->list[i]->added)
			rc = CLQ_INVALID;	/* it, or its parent: said */
	return rc;
}

static enum clq_status
setup(struct clq_server *srv)
{
	struct ini ini = {
		.srv = srv, .settings = clq_server_settings(srv),
		.arena = clq_server_arena(srv),
	};
	enum clq_status rc;

	rc = clq_settings_declare(ini.settings, ini_options, ini_noptions);
	ini.list = clq_arena_alloc(ini.arena, 0);
	clq_settings_each(ini.settings, "resource.", collect, &ini);
	for (size_t i = 0; i < ini.n; i++)
		if (!ini_read(&ini, ini.list[i]))
			ini.list[i]->wrong = true;
	for (size_t i = 0; i < ini.n; i++)
		check_parents(&ini, ini.list[i]);
	for (size_t i = 0; i < ini.n; i++)
		permit_children(&ini, ini.list[i]);
	return add_all(&ini) == CLQ_OK ? rc : CLQ_INVALID;
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "resources", .version = "1", .app = &app,
};
