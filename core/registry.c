/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registering resources: from a declaration to an entry and two routes
 * (sections 03-1, 03-3, 11-3).
 *
 * Runs in the master, while applications are set up. Everything that can be
 * wrong with a declaration is found here, with a message that names it, so
 * that the endpoints need not check it again.
 */
#include "resource.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "router.h"
#include "server.h"

#define ALL_PLURAL (CLQ_BIT(CLQ_METHOD_HEAD) | CLQ_BIT(CLQ_METHOD_GET) | \
	CLQ_BIT(CLQ_METHOD_POST) | CLQ_BIT(CLQ_METHOD_DELETE))
#define ALL_OBJECT (CLQ_BIT(CLQ_METHOD_GET) | CLQ_BIT(CLQ_METHOD_PUT) | \
	CLQ_BIT(CLQ_METHOD_PATCH) | CLQ_BIT(CLQ_METHOD_DELETE))

static const char *const default_permissions[] = { "read", "write", NULL };

/* ---- ids --------------------------------------------------------------- */

static bool
alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
name_valid(struct clq_str id)
{
	size_t i;

	if (id.len == 0 || !alnum(id.p[0]))
		return false;
	for (i = 1; i < id.len; i++)
		if (!alnum(id.p[i]) && id.p[i] != '_' && id.p[i] != '-')
			return false;
	return true;
}

static bool
uuid4_valid(struct clq_str id)
{
	static const char form[] = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
	const char *set;
	size_t i;

	if (id.len != sizeof form - 1)
		return false;
	for (i = 0; i < id.len; i++) {
		set = form[i] == 'x' ? "0123456789abcdef" :
		    form[i] == 'y' ? "89ab" : NULL;
		if (set == NULL ? id.p[i] != form[i] :
		    id.p[i] == '\0' || strchr(set, id.p[i]) == NULL)
			return false;
	}
	return true;
}

static struct clq_str
name_make(struct clq_arena *arena)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	enum { LEN = 8, NSET = sizeof set - 1 };
	struct clq_str first = clq_random_text(arena, 1, set, NSET - 2);
	struct clq_str rest = clq_random_text(arena, LEN - 1, set, NSET);

	return clq_arena_printf(arena, "%.*s%.*s", CLQ_FMT(first),
	    CLQ_FMT(rest));
}

const struct clq_id_kind clq_id_uuid4 = { clq_uuid4, uuid4_valid };
const struct clq_id_kind clq_id_relaxed = { clq_uuid4, name_valid };
const struct clq_id_kind clq_id_name = { name_make, name_valid };

/* The kinds that a setting may name: ours, and the Python original's. */
static const struct {
	const char			*name;
	const struct clq_id_kind	*kind;
} id_kinds[] = {
	{ "uuid4",					&clq_id_uuid4 },
	{ "relaxed",					&clq_id_relaxed },
	{ "name",					&clq_id_name },
	{ "kinto.core.storage.generators.UUID4",	&clq_id_uuid4 },
	{ "cliquet.storage.generators.UUID4",		&clq_id_uuid4 },
	{ "kinto.views.NameGenerator",			&clq_id_name },
	{ "kinto.views.RelaxedUUID",			&clq_id_relaxed },
};

/* The kind that a setting names; *out stays if it is unset. */
static enum clq_status
ids_of_setting(struct clq_settings *set, const char *key,
    const struct clq_id_kind **out)
{
	struct clq_str value = clq_settings_str(set, key);

	if (value.len == 0)
		return CLQ_OK;
	for (size_t i = 0; i < CLQ_COUNT(id_kinds); i++) {
		if (clq_str_is(value, id_kinds[i].name)) {
			*out = id_kinds[i].kind;
			return CLQ_OK;
		}
	}
	return clq_settings_error(set, key, "no id generator is called "
	    "\"%.*s\"; there are uuid4, relaxed and name", CLQ_FMT(value));
}

static enum clq_status
find_ids(struct clq_server *srv, struct clq_resource_entry *entry)
{
	struct clq_settings *set = srv->settings;
	const struct clq_resource *decl = entry->decl;
	struct clq_str key;
	enum clq_status rc;

	entry->ids = &clq_id_uuid4;
	if ((rc = ids_of_setting(set, "id_generator", &entry->ids)) != CLQ_OK)
		return rc;
	if (decl->ids != NULL)
		entry->ids = decl->ids;
	key = clq_arena_printf(srv->arena, "%s_id_generator", decl->name);
	return ids_of_setting(set, key.p, &entry->ids);
}

/* ---- verbs ------------------------------------------------------------- */

/* "<plural|object>_<resource>_<verb>_enabled", or with an endpoint's older
 * name. */
static bool
verb_enabled(struct clq_server *srv, const struct clq_resource *decl,
    bool plural, const char *verb)
{
	static const char *const names[2][2] = {
		{ "object", "record" }, { "plural", "collection" }
	};
	struct clq_str key;

	for (size_t i = 0; i < 2; i++) {
		key = clq_arena_printf(srv->arena, "%s_%s_%s_enabled",
		    names[plural][i], decl->name, verb);
		if (!clq_settings_bool(srv->settings, key.p, true))
			return false;
	}
	return true;
}

struct verb_row {
	enum clq_method	 method;
	const char	*name;		/* in settings */
	clq_view_f	*view;
	enum clq_tx_mode tx;
};

/*
 * In the order of the Allow header. The router adds HEAD to a GET that has
 * none: on objects always, on lists if the resource was declared so; its
 * answers then show no totals. Where a setting disables HEAD, it does not.
 */
static const struct verb_row plural_verbs[] = {
	{ CLQ_METHOD_HEAD, "head", clq_plural_head, CLQ_TX_READ },
	{ CLQ_METHOD_GET, "get", clq_plural_get, CLQ_TX_READ },
	{ CLQ_METHOD_POST, "post", clq_plural_post, CLQ_TX_WRITE },
	{ CLQ_METHOD_DELETE, "delete", clq_plural_delete, CLQ_TX_WRITE },
};
static const struct verb_row object_verbs[] = {
	{ CLQ_METHOD_GET, "get", clq_object_get, CLQ_TX_READ },
	{ CLQ_METHOD_PUT, "put", clq_object_put, CLQ_TX_WRITE },
	{ CLQ_METHOD_PATCH, "patch", clq_object_patch, CLQ_TX_WRITE },
	{ CLQ_METHOD_DELETE, "delete", clq_object_delete, CLQ_TX_WRITE },
};

static void
add_verbs(struct clq_server *srv, const struct clq_resource *decl,
    struct clq_route *route, const struct verb_row *rows, size_t n,
    unsigned wanted)
{
	bool plural = route->kind == CLQ_ROUTE_PLURAL;

	route->no_head = !verb_enabled(srv, decl, plural, "head");
	for (size_t i = 0; i < n; i++) {
		if ((wanted & CLQ_BIT(rows[i].method)) == 0 ||
		    (srv->readonly && rows[i].tx == CLQ_TX_WRITE) ||
		    !verb_enabled(srv, decl, plural, rows[i].name))
			continue;
		route->verbs[rows[i].method] = (struct clq_verb){
		    rows[i].method, rows[i].view, rows[i].tx };
		route->order[route->norder++] = rows[i].method;
	}
}

static enum clq_status
add_routes(struct clq_server *srv, struct clq_resource_entry *entry)
{
	const struct clq_resource *decl = entry->decl;
	struct clq_route route = {
		.kind = CLQ_ROUTE_PLURAL, .pattern = decl->plural_path,
		.ctx = entry, .resource = decl,
	};
	enum clq_status rc;

	route.name = clq_arena_printf(srv->arena, "%s-plural", decl->name).p;
	add_verbs(srv, decl, &route, plural_verbs, CLQ_COUNT(plural_verbs),
	    decl->plural_methods != 0 ? decl->plural_methods : ALL_PLURAL);
	if ((rc = clq_router_add(srv, &route)) != CLQ_OK)
		return rc;
	if (decl->object_methods == ~0u)
		return CLQ_OK;

	memset(&route, 0, sizeof route);
	route.kind = CLQ_ROUTE_OBJECT;
	route.ctx = entry;
	route.resource = decl;
	route.name = clq_arena_printf(srv->arena, "%s-object", decl->name).p;
	route.pattern = clq_arena_printf(srv->arena, "%s/{id}",
	    decl->plural_path).p;
	add_verbs(srv, decl, &route, object_verbs, CLQ_COUNT(object_verbs),
	    decl->object_methods != 0 ? decl->object_methods : ALL_OBJECT);
	return clq_router_add(srv, &route);
}

/* ---- checks ------------------------------------------------------------ */

/* What a URL's path cannot hold as it is: routes are compared with bytes. */
static bool
path_printable(const char *path)
{
	for (const char *c = path; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f ||
		    strchr("\"#<>?\\^`|", *c) != NULL)
			return false;
	return true;
}

/* Segments are not empty; a variable is a whole segment and not "id", which
 * the object endpoint uses. */
static bool
path_valid(const char *path)
{
	struct clq_str rest = clq_str_of(path), item;
	size_t open;

	if (rest.len < 2 || rest.p[0] != '/' || rest.p[rest.len - 1] == '/')
		return false;
	rest = clq_str_sub(rest, 1, rest.len);
	while (clq_str_next(&rest, '/', &item)) {
		open = clq_str_find(item, '{', 0);
		if (item.len == 0 || clq_str_is(item, "{id}"))
			return false;
		if (open == item.len && clq_str_find(item, '}', 0) == item.len)
			continue;
		if (open != 0 || item.len < 3 ||
		    clq_str_find(item, '{', 1) < item.len ||
		    clq_str_find(item, '}', 0) != item.len - 1)
			return false;
	}
	return clq_str_find(item, '{', 0) == item.len;
}

/* True if path is "<parent's path>/{variable}/<segment>". */
static bool
path_below(const char *path, const char *parent)
{
	struct clq_str s = clq_str_of(path);
	size_t len = strlen(parent), close;

	if (!clq_str_starts(s, parent))
		return false;
	s = clq_str_sub(s, len, s.len);
	if (!clq_str_starts(s, "/{"))
		return false;
	close = clq_str_find(s, '}', 0);
	s = clq_str_sub(s, close + 1, s.len);
	return s.len > 1 && s.p[0] == '/' && clq_str_find(s, '/', 1) == s.len;
}

const char *
clq_path_fault(const char *path)
{
	if (!path_printable(path))
		return "has a blank or another character that a URL cannot "
		    "have";
	return path_valid(path) ? NULL : "is not of the form /segment or "
	    "/segment/{variable}/segment";
}

/* Every way in which a declaration can be wrong by itself: a text, or NULL. */
static const char *
declaration_fault(const struct clq_server *srv, const struct clq_resource *decl)
{
	const char *fault;

	if (decl->size < offsetof(struct clq_resource, description))
		return "it was built for another version of cliquet";
	if (decl->name == NULL || decl->name[0] == '\0')
		return "it has no name";
	if (decl->plural_path == NULL)
		return "it has no plural_path";
	if ((fault = clq_path_fault(decl->plural_path)) != NULL)
		return clq_arena_printf(srv->arena, "its plural_path %s",
		    fault).p;
	if ((decl->flags & CLQ_RESOURCE_USER) != 0 &&
	    strchr(decl->plural_path, '{') != NULL)
		return "a resource isolated by user cannot have variables in "
		    "its path";
	for (size_t i = 0; i < decl->nfields; i++) {
		const struct clq_field *f = &decl->fields[i];

		if (f->name == NULL || strcmp(f->name, "id") == 0 ||
		    strcmp(f->name, "last_modified") == 0)
			return "a field has no name, or is called id or "
			    "last_modified, which every object has";
	}
	return NULL;
}

/* The first field that is wrong by itself, and how; or NULL. */
static const char *
field_fault(struct clq_server *srv, const struct clq_resource *decl)
{
	const char *fault;

	for (size_t i = 0; i < decl->nfields; i++) {
		fault = clq_field_fault(srv->arena, &decl->fields[i]);
		if (fault != NULL)
			return clq_arena_printf(srv->arena, "its field %s %s",
			    decl->fields[i].name, fault).p;
	}
	return NULL;
}

/* What every id kind must promise: its ids fit, and URIs stay unambiguous. */
static enum clq_status
check_ids(struct clq_server *srv, const struct clq_resource_entry *entry)
{
	const char *name = entry->decl->name;

	if (entry->ids->make != NULL &&
	    !entry->ids->valid(entry->ids->make(srv->arena))) {
		clq_log_err("resource %s: its id generator makes ids that it "
		    "does not accept", name);
		return CLQ_INVALID;
	}
	if (entry->ids->valid(CLQ_STR("*")) ||
	    entry->ids->valid(CLQ_STR("a/b")) ||
	    entry->ids->valid(CLQ_STR(""))) {
		clq_log_err("resource %s: its ids may be empty or hold '/' or "
		    "'*', which URIs of objects cannot", name);
		return CLQ_INVALID;
	}
	return CLQ_OK;
}

static enum clq_status
check_parent(struct clq_server *srv, struct clq_resource_entry *entry)
{
	const struct clq_resource *decl = entry->decl;
	const struct clq_resource *parent;

	if (decl->parent == NULL)
		return CLQ_OK;
	parent = clq_find_resource(srv, decl->parent);
	if (parent == NULL) {
		clq_log_err("resource %s: its parent, %s, has not been added "
		    "(first `use`, then the ini's resources, then `includes`)",
		    decl->name, decl->parent);
		return CLQ_INVALID;
	}
	if (!path_below(decl->plural_path, parent->plural_path)) {
		clq_log_err("resource %s: the path %s is not below an object "
		    "of its parent, %s/{...}", decl->name, decl->plural_path,
		    parent->plural_path);
		return CLQ_INVALID;
	}
	entry->parent = clq_resource_entry(srv, parent);
	return CLQ_OK;
}

static enum clq_status
check(struct clq_server *srv, const struct clq_resource *decl)
{
	const char *fault = declaration_fault(srv, decl);

	if (fault == NULL)
		fault = field_fault(srv, decl);
	if (fault != NULL) {
		clq_log_err("resource %s: %s", decl->name != NULL ?
		    decl->name : "?", fault);
		return CLQ_INVALID;
	}
	for (size_t i = 0; i < srv->nresources; i++) {
		const struct clq_resource *other = srv->resources[i].decl;

		if (strcmp(other->name, decl->name) != 0 &&
		    strcmp(other->plural_path, decl->plural_path) != 0)
			continue;
		clq_log_err("resource %s (%s): there is a resource %s (%s) "
		    "already", decl->name, decl->plural_path, other->name,
		    other->plural_path);
		return CLQ_INVALID;
	}
	if (srv->nresources == CLQ_MAX_RESOURCES) {
		clq_log_err("resource %s: there are %d already, which is the "
		    "most", decl->name, CLQ_MAX_RESOURCES);
		return CLQ_INVALID;
	}
	if (srv->storage.ops == NULL && !srv->broken)
		return clq_settings_error(srv->settings, "storage_backend",
		    "the resource %s needs a storage backend", decl->name);
	return CLQ_OK;
}

/* ---- the registry ------------------------------------------------------ */

enum clq_status
clq_add_resource(struct clq_server *srv, const struct clq_resource *decl)
{
	struct clq_resource_entry *entry;
	enum clq_status rc;

	if ((rc = check(srv, decl)) != CLQ_OK)
		return rc;
	if (srv->resources == NULL)
		srv->resources = clq_arena_calloc(srv->arena,
		    CLQ_MAX_RESOURCES, sizeof *srv->resources);
	entry = &srv->resources[srv->nresources];
	entry->decl = decl;
	entry->parent = NULL;
	entry->permissions = decl->permissions != NULL ? decl->permissions :
	    default_permissions;
	if ((rc = check_parent(srv, entry)) != CLQ_OK ||
	    (rc = find_ids(srv, entry)) != CLQ_OK ||
	    (rc = check_ids(srv, entry)) != CLQ_OK ||
	    (rc = add_routes(srv, entry)) != CLQ_OK)
		return rc;
	srv->nresources++;
	return CLQ_OK;
}

const struct clq_resource_entry *
clq_resource_entry(struct clq_server *srv, const struct clq_resource *decl)
{
	for (size_t i = 0; i < srv->nresources; i++)
		if (srv->resources[i].decl == decl)
			return &srv->resources[i];
	return NULL;
}

const struct clq_resource *
clq_find_resource(struct clq_server *srv, const char *name)
{
	for (size_t i = 0; i < srv->nresources; i++)
		if (strcmp(srv->resources[i].decl->name, name) == 0)
			return srv->resources[i].decl;
	return NULL;
}
