/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From route variables to places: the list in storage, and the URIs that
 * permissions are attached to (sections 03-1, 06-3).
 *
 * A URI is the decoded path without the version prefix. Route variables are
 * single segments of that path, so filling them into the resource's pattern
 * gives the canonical URI, also where the request came through an alias.
 */
#include "resource_impl.h"

#include <cliquet/str.h>

#include "server.h"
#include "text.h"

/* The text before the last '/'. */
static struct clq_str
without_last(struct clq_str uri)
{
	size_t len = uri.len;

	while (len > 0 && uri.p[len - 1] != '/')
		len--;
	return clq_str_sub(uri, 0, len > 0 ? len - 1 : 0);
}

/* The text after the last '/'. */
static struct clq_str
last_of(struct clq_str uri)
{
	struct clq_str head = without_last(uri);

	return clq_str_sub(uri, head.len + 1, uri.len);
}

static struct clq_str
variable(const struct clq_request *req, struct clq_str name)
{
	for (size_t i = 0; i < req->nvars; i++)
		if (clq_str_eq(req->vars[i].name, name))
			return req->vars[i].value;
	return (struct clq_str){ 0 };
}

/* "/buckets/{bucket_id}/groups" with the variables of req filled in. */
static struct clq_str
expand(struct clq_request *req, struct clq_str pattern)
{
	struct clq_buf b;
	size_t open, close, from = 0;

	clq_buf_init(&b, req->arena, pattern.len + 64);
	while ((open = clq_str_find(pattern, '{', from)) < pattern.len) {
		close = clq_str_find(pattern, '}', open);
		clq_buf_add(&b, clq_str_sub(pattern, from, open));
		clq_buf_add(&b, variable(req, clq_str_sub(pattern, open + 1,
		    close)));
		from = close + 1;
	}
	clq_buf_add(&b, clq_str_sub(pattern, from, pattern.len));
	return clq_buf_str(&b);
}

void
clq_place_set_id(struct clq_arena *arena, struct clq_place *at,
    struct clq_str id)
{
	at->id = id;
	at->object = clq_text_join(arena, (const struct clq_str[]){
	    at->plural, CLQ_STR("/"), id }, 3);
}

void
clq_place_of_request(struct clq_request *req,
    const struct clq_resource_entry *entry, struct clq_place *out)
{
	struct clq_str id = clq_request_var(req, "id");

	memset(out, 0, sizeof *out);
	out->plural = expand(req, clq_str_of(entry->decl->plural_path));
	out->parent = without_last(out->plural);
	out->coll.resource = clq_str_of(entry->decl->name);
	out->coll.parent = (entry->decl->flags & CLQ_RESOURCE_USER) != 0 ?
	    clq_request_user(req) : out->parent;
	if (id.p != NULL)
		clq_place_set_id(req->arena, out, id);
}

void
clq_place_of_id(struct clq_arena *arena,
    const struct clq_resource_entry *entry, struct clq_str parent,
    struct clq_str id, struct clq_place *out)
{
	struct clq_str path = clq_str_of(entry->decl->plural_path);
	bool user = (entry->decl->flags & CLQ_RESOURCE_USER) != 0;

	memset(out, 0, sizeof *out);
	out->coll.resource = clq_str_of(entry->decl->name);
	out->coll.parent = parent;
	/* the lists of users have one URI, so its pattern has no variables */
	out->parent = user ? without_last(path) : parent;
	out->plural = clq_text_join(arena, (const struct clq_str[]){
	    out->parent, CLQ_STR("/"), last_of(path) }, 3);
	clq_place_set_id(arena, out, id);
}

void
clq_place_of_parent(struct clq_request *req,
    const struct clq_resource_entry *entry, const struct clq_place *at,
    struct clq_want *out)
{
	const struct clq_resource *parent = entry->parent->decl;
	struct clq_str plural = without_last(at->parent);

	memset(out, 0, sizeof *out);
	out->coll.resource = clq_str_of(parent->name);
	out->coll.parent = (parent->flags & CLQ_RESOURCE_USER) != 0 ?
	    clq_request_user(req) : without_last(plural);
	out->id = last_of(at->parent);
}

bool
clq_id_valid(const struct clq_resource_entry *entry,
    const struct clq_place *at)
{
	return at->id.len > 0 && at->object.len <= CLQ_MAX_URI &&
	    entry->ids->valid(at->id);
}

/* ---- from URIs to resources -------------------------------------------- */

/* True if the segments of a list's URI fit the pattern; variables are noted. */
static bool
match(const char *pattern, struct clq_str uri, struct clq_located *out)
{
	struct clq_str want = clq_str_of(pattern), segment, value;

	out->nvars = 0;
	while (clq_str_next(&want, '/', &segment)) {
		if (!clq_str_next(&uri, '/', &value))
			return false;
		if (!clq_str_starts(segment, "{")) {
			if (!clq_str_eq(segment, value))
				return false;
			continue;
		}
		if (value.len == 0 || out->nvars == CLQ_MAX_URI_VARS)
			return false;
		out->vars[out->nvars].name = clq_str_sub(segment, 1,
		    segment.len - 1);
		out->vars[out->nvars++].value = value;
	}
	return uri.len == 0;
}

bool
clq_locate(struct clq_server *srv, struct clq_str uri,
    struct clq_located *out)
{
	struct clq_str plural = without_last(uri);

	memset(out, 0, sizeof *out);
	if (clq_str_find(uri, '/', 0) == uri.len)
		return false;
	out->id = last_of(uri);
	out->parent = without_last(plural);
	for (size_t i = 0; i < srv->nresources; i++) {
		const struct clq_resource_entry *e = &srv->resources[i];

		if (e->decl->object_methods == ~0u ||
		    (e->decl->flags & CLQ_RESOURCE_USER) != 0 ||
		    !match(e->decl->plural_path, plural, out))
			continue;
		out->resource = e->decl;
		return e->ids->valid(out->id);
	}
	return false;
}
