/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PATCH by RFC 6902 on data and permissions (section 03-8.2).
 *
 * Operations run on a scratch document, which is given back only if all of
 * them succeeded. Below /permissions/<name>/ everything is one principal,
 * escaped or not, and needs no value: that is what clients send. Since copying
 * can double a document with each operation, and arrays and objects are
 * walked along, both are paid from a budget.
 */
#include "resource_impl.h"

#include <assert.h>

#include <cliquet/str.h>

enum {
	MAX_TOKENS = CLQ_JSON_MAX_DEPTH,
	NODE_COST = 96,			/* bytes of a tree per value, about */
	MAX_COPIED = 32 * 1024 * 1024,	/* bytes that copies may take */
	MAX_STEPS = 5000000		/* members and elements walked along */
};

static const struct clq_str no_name = { NULL, 0 };

struct pointer {
	const char	*tokens[MAX_TOKENS];
	size_t		 n;
};

struct patch {
	struct clq_request	*req;
	cJSON			*root;
	size_t			 steps;		/* left */
	size_t			 bytes;		/* left for copies */
	const char		*why;		/* of the first failure */
};

static bool
fail(struct patch *p, const char *why)
{
	if (p->why == NULL)
		p->why = why;
	return false;
}

static bool
spend(struct patch *p, size_t *budget, size_t cost)
{
	if (*budget < cost) {
		*budget = 0;
		return fail(p, "it takes too much work");
	}
	*budget -= cost;
	return true;
}

/* ---- pointers ---------------------------------------------------------- */

/* "~1" is '/', "~0" is '~', any other '~' is an error. */
static bool
unescape(struct patch *p, struct clq_str s, const char **out)
{
	char *text = clq_arena_alloc(p->req->arena, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] != '~') {
			text[n++] = s.p[i];
			continue;
		}
		i++;
		if (i == s.len || (s.p[i] != '0' && s.p[i] != '1'))
			return fail(p, "a '~' is not followed by 0 or 1");
		text[n++] = s.p[i] == '0' ? '~' : '/';
	}
	*out = text;
	return true;
}

/* True if the tokens so far are "permissions" and a name. */
static bool
at_principal(const struct pointer *ptr)
{
	return ptr->n == 2 && strcmp(ptr->tokens[0], "permissions") == 0;
}

static bool
parse_pointer(struct patch *p, const cJSON *item, struct pointer *out)
{
	struct clq_str s = clq_json_str(item), token;
	size_t end;

	out->n = 0;
	if (!clq_str_starts(s, "/"))
		return fail(p, "a pointer does not begin with '/'");
	while (s.len > 0) {
		if (out->n == MAX_TOKENS)
			return fail(p, "a pointer is too deep");
		s = clq_str_sub(s, 1, s.len);
		end = at_principal(out) ? s.len : clq_str_find(s, '/', 0);
		token = clq_str_sub(s, 0, end);
		if (!unescape(p, token, &out->tokens[out->n]))
			return false;
		out->n++;
		s = clq_str_sub(s, end, s.len);
	}
	return true;
}

/* An index without leading zeros; "-" is the end, if allowed. */
static bool
parse_index(struct patch *p, const char *token, size_t size, bool insert,
    size_t *out)
{
	struct clq_str s = clq_str_of(token);
	int64_t n;

	if (insert && clq_str_is(s, "-")) {
		*out = size;
		return true;
	}
	if (s.len == 0 || s.p[0] < '0' || s.p[0] > '9' ||
	    (s.len > 1 && s.p[0] == '0') || !clq_str_int(s, &n))
		return fail(p, "an array has no such index");
	if ((size_t)n >= size + (insert ? 1 : 0))
		return fail(p, "an index is out of range");
	*out = (size_t)n;
	return true;
}

static bool
count(struct patch *p, const cJSON *container, size_t *out)
{
	const cJSON *item;

	*out = 0;
	cJSON_ArrayForEach(item, container)
		++*out;
	return spend(p, &p->steps, *out + 1);
}

/* One step down; false if there is nothing, said. */
static bool
child(struct patch *p, cJSON *at, const char *token, cJSON **out)
{
	size_t size, i;
	cJSON *item;

	if (!count(p, at, &size))
		return false;
	if (cJSON_IsArray(at)) {
		if (!parse_index(p, token, size, false, &i))
			return false;
		for (item = at->child; i > 0; i--)
			item = item->next;
	} else if (cJSON_IsObject(at)) {
		item = clq_json_get(at, token);
	} else {
		return fail(p, "a pointer leads into a plain value");
	}
	*out = item;
	return item != NULL || fail(p, "a member does not exist");
}

/* Follow the first n tokens. */
static bool
resolve(struct patch *p, const struct pointer *ptr, size_t n, cJSON **out)
{
	*out = p->root;
	for (size_t i = 0; i < n; i++)
		if (!child(p, *out, ptr->tokens[i], out))
			return false;
	return true;
}

/* ---- trees ------------------------------------------------------------- */

/* Depth of a tree, 1 for a plain value, paying for a walk over it. */
static bool
measure(struct patch *p, const cJSON *tree, size_t *depth, size_t *bytes)
{
	const cJSON *item;
	size_t deepest = 0, below;

	if (!spend(p, &p->steps, 1))
		return false;
	*bytes += NODE_COST;
	if (tree->string != NULL)
		*bytes += strlen(tree->string);
	if (tree->valuestring != NULL)
		*bytes += strlen(tree->valuestring);
	cJSON_ArrayForEach(item, tree) {
		if (!measure(p, item, &below, bytes))
			return false;
		if (below > deepest)
			deepest = below;
	}
	*depth = deepest + 1;
	return true;
}

/*
 * By hand, since cJSON_InsertItemInArray() of some distributions (the security
 * fix of Debian 12) refuses every place but the first.
 */
static void
insert(cJSON *array, size_t index, cJSON *item)
{
	cJSON *next = array->child;

	for (; index > 0; index--)
		next = next->next;
	item->next = next;
	item->prev = next->prev;
	next->prev = item;
	if (next == array->child)
		array->child = item;
	else
		item->prev->next = item;
}

/* Put value, which has no owner, at the pointer; deleted on failure. */
static bool
add(struct patch *p, const struct pointer *ptr, cJSON *value)
{
	size_t size = 0, index = 0, depth, bytes = 0;
	const char *last;
	cJSON *parent;

	assert(ptr->n > 0);	/* a pointer begins with '/' */
	last = ptr->tokens[ptr->n - 1];
	if (!resolve(p, ptr, ptr->n - 1, &parent) ||
	    !measure(p, value, &depth, &bytes) ||
	    !count(p, parent, &size))
		goto out;
	if (depth + ptr->n > CLQ_JSON_MAX_DEPTH) {
		(void)fail(p, "the result is too deep");
	} else if (cJSON_IsObject(parent)) {
		clq_json_set(parent, last, value);
		return true;
	} else if (!cJSON_IsArray(parent)) {
		(void)fail(p, "a pointer leads into a plain value");
	} else if (parse_index(p, last, size, true, &index)) {
		if (index == size)
			cJSON_AddItemToArray(parent, value);
		else
			insert(parent, index, value);
		return true;
	}
out:	cJSON_Delete(value);
	return false;
}

/* Take the value at the pointer out of the document. */
static bool
detach(struct patch *p, const struct pointer *ptr, cJSON **out)
{
	cJSON *parent, *item;

	if (!resolve(p, ptr, ptr->n - 1, &parent) ||
	    !child(p, parent, ptr->tokens[ptr->n - 1], &item))
		return false;
	*out = cJSON_DetachItemViaPointer(parent, item);
	return true;
}

/* ---- operations -------------------------------------------------------- */

static bool
is_prefix(const struct pointer *a, const struct pointer *b)
{
	if (a->n >= b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->tokens[i], b->tokens[i]) != 0)
			return false;
	return true;
}

static bool
same(const struct pointer *a, const struct pointer *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->tokens[i], b->tokens[i]) != 0)
			return false;
	return true;
}

/* The operation's value, without owner; a principal is its own. */
static cJSON *
value_of(const struct pointer *ptr, const cJSON *op)
{
	const cJSON *value = clq_json_get(op, "value");

	if (ptr->n == 3 && strcmp(ptr->tokens[0], "permissions") == 0)
		return clq_json_new_str(clq_str_of(ptr->tokens[2]));
	return value != NULL ? cJSON_Duplicate(value, true) : NULL;
}

static bool
op_add(struct patch *p, const struct pointer *ptr, const cJSON *op)
{
	cJSON *value = value_of(ptr, op);

	return value != NULL ? add(p, ptr, value) :
	    fail(p, "an operation has no value");
}

static bool
op_replace(struct patch *p, const struct pointer *ptr, const cJSON *op)
{
	cJSON *value = value_of(ptr, op), *old, *parent;
	size_t index;

	if (value == NULL)
		return fail(p, "an operation has no value");
	if (!resolve(p, ptr, ptr->n, &old) ||
	    !resolve(p, ptr, ptr->n - 1, &parent) ||
	    (cJSON_IsArray(parent) && !parse_index(p,
	    ptr->tokens[ptr->n - 1], SIZE_MAX / 2, false, &index))) {
		cJSON_Delete(value);
		return false;
	}
	/* an array closes the gap, and add() opens it again */
	if (cJSON_IsArray(parent))
		cJSON_Delete(cJSON_DetachItemViaPointer(parent, old));
	return add(p, ptr, value);
}

static bool
op_move(struct patch *p, const struct pointer *from,
    const struct pointer *to)
{
	cJSON *value;

	if (is_prefix(from, to))
		return fail(p, "a value cannot be moved into itself");
	if (same(from, to))
		return resolve(p, from, from->n, &value);
	return detach(p, from, &value) && add(p, to, value);
}

static bool
op_copy(struct patch *p, const struct pointer *from,
    const struct pointer *to)
{
	size_t depth, bytes = 0;
	cJSON *value;

	return resolve(p, from, from->n, &value) &&
	    measure(p, value, &depth, &bytes) &&
	    spend(p, &p->bytes, bytes) &&
	    add(p, to, cJSON_Duplicate(value, true));
}

static bool
op_test(struct patch *p, const struct pointer *ptr, const cJSON *op)
{
	const cJSON *value = clq_json_get(op, "value");
	size_t depth, bytes = 0;
	cJSON *have;

	if (value == NULL)
		return fail(p, "an operation has no value");
	return resolve(p, ptr, ptr->n, &have) &&
	    measure(p, have, &depth, &bytes) &&
	    (clq_json_equal(have, value) || fail(p, "a test failed"));
}

static bool
run(struct patch *p, const cJSON *op)
{
	struct clq_str name = clq_json_str(clq_json_get(op, "op"));
	struct pointer path, from;
	cJSON *value;

	if (!parse_pointer(p, clq_json_get(op, "path"), &path))
		return false;
	if (clq_str_is(name, "add"))
		return op_add(p, &path, op);
	if (clq_str_is(name, "replace"))
		return op_replace(p, &path, op);
	if (clq_str_is(name, "test"))
		return op_test(p, &path, op);
	if (clq_str_is(name, "remove")) {
		if (!detach(p, &path, &value))
			return false;
		cJSON_Delete(value);
		return true;
	}
	return parse_pointer(p, clq_json_get(op, "from"), &from) &&
	    (clq_str_is(name, "move") ? op_move(p, &from, &path) :
	    op_copy(p, &from, &path));
}

/* ---- the document ------------------------------------------------------ */

/* {"read":{"p":"p"},...} */
static cJSON *
permissions_tree(const struct clq_acl *acl)
{
	cJSON *tree = cJSON_CreateObject(), *ace;

	for (size_t i = 0; i < acl->n; i++) {
		const struct clq_strs *list = &acl->aces[i].principals;
		cJSON *item;

		ace = cJSON_CreateObject();
		for (size_t j = 0; j < list->n; j++) {
			item = clq_json_new_str(list->items[j]);
			cJSON_AddItemToObject(ace, item->valuestring, item);
		}
		item = clq_json_new_str(acl->aces[i].permission);
		cJSON_AddItemToObject(tree, item->valuestring, ace);
		cJSON_Delete(item);
	}
	return tree;
}

/* The principals of a permission: keys of an object, or a list. */
static bool
principals_of(struct patch *p, const cJSON *ace, struct clq_strs *out)
{
	const cJSON *item;
	struct clq_str name;

	if (!cJSON_IsObject(ace) && !cJSON_IsArray(ace))
		return fail(p, "a permission is no list of principals");
	cJSON_ArrayForEach(item, ace) {
		name = cJSON_IsObject(ace) ? clq_str_of(item->string) :
		    clq_json_str(item);
		if (name.p == NULL)
			return fail(p, "a principal is no string");
		if (!spend(p, &p->steps, out->n + 1))
			return false;
		if (!clq_strs_has(*out, name))
			clq_strs_add(p->req->arena, out, name);
	}
	return true;
}

/* The permissions left in the document; one that was removed stays as it was,
 * since it is not among them. */
static bool
read_permissions(struct patch *p, struct clq_acl *out)
{
	const cJSON *tree = clq_json_get(p->root, "permissions"), *ace;

	if (tree != NULL && !cJSON_IsObject(tree))
		return fail(p, "permissions are no object");
	cJSON_ArrayForEach(ace, tree) {
		struct clq_strs principals = { NULL, 0, 0 };

		if (!principals_of(p, ace, &principals))
			return false;
		clq_acl_set(p->req->arena, out, clq_str_of(ace->string),
		    principals);
	}
	return true;
}

enum clq_status
clq_patch_json(struct clq_request *req, const cJSON *ops, cJSON **data,
    struct clq_acl *acl)
{
	struct patch p = { .req = req, .steps = MAX_STEPS,
	    .bytes = MAX_COPIED };
	struct clq_acl result = { NULL, 0 };
	const cJSON *op;

	p.root = clq_json_own(req->arena, cJSON_CreateObject());
	cJSON_AddItemToObject(p.root, "data", cJSON_Duplicate(*data, true));
	cJSON_AddItemToObject(p.root, "permissions", permissions_tree(acl));
	cJSON_ArrayForEach(op, ops)
		if (!run(&p, op))
			break;
	if (p.why == NULL && !cJSON_IsObject(clq_json_get(p.root, "data")))
		(void)fail(&p, "data is no object any more");
	if (p.why == NULL)
		(void)read_permissions(&p, &result);
	if (p.why != NULL)
		return clq_invalid(req, "body", no_name,
		    "JSON Patch operation failed: %s", p.why);
	*data = clq_json_own(req->arena, cJSON_DetachItemViaPointer(p.root,
	    clq_json_get(p.root, "data")));
	*acl = result;
	return CLQ_OK;
}
