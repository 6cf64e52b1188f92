/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what in the tree of buckets: the table of section 06-3.1.
 *
 * An access is granted by a permission on the object itself or on one of its
 * ancestors. A row names, for one kind of resource and one kind of access, the
 * permissions that count at each level of the tree. The root is the empty
 * URI: nobody holds an ACE on it, but core maps its row to the settings
 * `bucket_create_principals` and the like.
 */
#include "kinto.h"

enum level { ROOT, BUCKET, PARENT, OBJECT };

struct row {
	const char	*resource;
	unsigned	 kinds;		/* bits of enum clq_access_kind */
	enum level	 level;		/* where the permission is held */
	const char	*permission;
};

#define READ		CLQ_BIT(CLQ_ACCESS_READ)
#define WRITE		CLQ_BIT(CLQ_ACCESS_WRITE)
#define CREATE		CLQ_BIT(CLQ_ACCESS_CREATE)
#define LIST		CLQ_BIT(CLQ_ACCESS_LIST)
#define DELETE_LIST	CLQ_BIT(CLQ_ACCESS_DELETE_LIST)
#define ANY		(READ | WRITE | CREATE | LIST | DELETE_LIST)

static const struct row table[] = {
	{ "bucket",	READ | WRITE,	OBJECT,	"write" },
	{ "bucket",	READ,		OBJECT,	"read" },
	{ "bucket",	READ,		OBJECT,	"collection:create" },
	{ "bucket",	READ,		OBJECT,	"group:create" },
	{ "bucket",	CREATE,		ROOT,	"bucket:create" },
	{ "bucket",	LIST,		ROOT,	"read" },
	{ "bucket",	DELETE_LIST,	ROOT,	"write" },

	{ "group",	ANY,		BUCKET,	"write" },
	{ "group",	READ | LIST,	BUCKET,	"read" },
	{ "group",	CREATE,		BUCKET,	"group:create" },
	{ "group",	READ | WRITE,	OBJECT,	"write" },
	{ "group",	READ,		OBJECT,	"read" },

	{ "collection",	ANY,		BUCKET,	"write" },
	{ "collection",	READ | LIST,	BUCKET,	"read" },
	{ "collection",	CREATE,		BUCKET,	"collection:create" },
	{ "collection",	READ | WRITE,	OBJECT,	"write" },
	{ "collection",	READ,		OBJECT,	"read" },
	{ "collection",	READ,		OBJECT,	"record:create" },

	{ "record",	ANY,		BUCKET,	"write" },
	{ "record",	READ | LIST,	BUCKET,	"read" },
	{ "record",	ANY,		PARENT,	"write" },
	{ "record",	READ | LIST,	PARENT,	"read" },
	{ "record",	CREATE,		PARENT,	"record:create" },
	{ "record",	READ | WRITE,	OBJECT,	"write" },
	{ "record",	READ,		OBJECT,	"read" },
};

/* "/buckets/b/collections/c" -> "/buckets/b". */
static struct clq_str
bucket_of(struct clq_str parent)
{
	size_t end = clq_str_find(parent, '/', strlen("/buckets/"));

	return clq_str_sub(parent, 0, end);
}

static struct clq_str
uri_at(enum level level, const struct clq_access *access)
{
	switch (level) {
	case ROOT:
		return CLQ_STR("");
	case BUCKET:
		return bucket_of(access->parent);
	case PARENT:
		return access->parent;
	case OBJECT:
		return access->object;
	}
	return CLQ_STR("");
}

size_t
kinto_inherit(struct clq_arena *arena, const struct clq_access *access,
    struct clq_bound *out, size_t cap)
{
	size_t n = 0;

	(void)arena;
	for (size_t i = 0; i < CLQ_COUNT(table) && n < cap; i++) {
		const struct row *row = &table[i];

		if ((row->kinds & CLQ_BIT(access->kind)) == 0 ||
		    strcmp(row->resource, access->resource->name) != 0)
			continue;
		out[n].object = uri_at(row->level, access);
		out[n].permission = clq_str_of(row->permission);
		out[n].granted = false;
		n++;
	}
	return n;
}
