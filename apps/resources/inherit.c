/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what below an object of a parent: `write` on any object above
 * grants everything, `read` grants reading, `<name>:create` on the one right
 * above grants creating. URIs alternate between resource and id, so the objects
 * above are found by taking two segments off.
 */
#include "resources.h"

struct bounds {
	struct clq_bound	*out;
	size_t			 n;
	size_t			 cap;
};

static void
bound(struct bounds *b, struct clq_str object, struct clq_str permission)
{
	if (b->n < b->cap)
		b->out[b->n++] = (struct clq_bound){ object, permission,
		    false };
}

/* How many objects of parents there are above one of the resource; those of
 * an application count as one, whatever is above them. */
static int
levels(const struct clq_resource *decl)
{
	struct clq_str path = clq_str_of(decl->plural_path);
	int n = 0;

	for (size_t i = 0; i < path.len; i++)
		n += path.p[i] == '{';
	return n;
}

/* "/a/x/b/y" -> "/a/x". */
static struct clq_str
above(struct clq_str uri)
{
	for (int i = 0; i < 2; i++) {
		while (uri.len > 0 && uri.p[uri.len - 1] != '/')
			uri.len--;
		uri.len -= uri.len > 0;
	}
	return uri;
}

size_t
ini_inherit(struct clq_arena *arena, const struct clq_access *a,
    struct clq_bound *out, size_t cap)
{
	bool reads = a->kind == CLQ_ACCESS_READ || a->kind == CLQ_ACCESS_LIST;
	struct bounds b = { out, 0, cap };
	struct clq_str up = a->parent;

	if (a->object.p != NULL) {
		bound(&b, a->object, CLQ_STR("write"));
		if (reads)
			bound(&b, a->object, CLQ_STR("read"));
	}
	if (a->kind == CLQ_ACCESS_CREATE)
		bound(&b, up, clq_arena_printf(arena, "%s:create",
		    a->resource->name));
	for (int i = levels(a->resource); i > 0; i--, up = above(up)) {
		bound(&b, up, CLQ_STR("write"));
		if (reads)
			bound(&b, up, CLQ_STR("read"));
	}
	return b.n;
}
