/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking data against the declared fields of a resource (section 03-4, with
 * the texts of 02-4.1).
 *
 * A value is converted where the protocol is lenient (digits in quotes,
 * numbers as booleans), a missing one gets its default, and null counts as
 * missing unless anything goes. Errors are collected, all of them.
 */
#include "resource_impl.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

enum { SHOWN_MAX = 200 };	/* bytes of a client's value in an error */

struct check {
	struct clq_request	*req;
	const struct clq_field	*field;
	const char		*location;	/* "body", ... */
	struct clq_str		 name;		/* with prefix */
	cJSON			*data;
	cJSON			*value;
};

/* ---- showing values ---------------------------------------------------- */

static void
show(struct clq_buf *b, const cJSON *v, bool nested)
{
	const cJSON *item;

	if (b->failed)
		return;
	if (cJSON_IsString(v)) {
		if (nested)
			clq_buf_addc(b, '\'');
		clq_buf_add(b, clq_str_sub(clq_str_of(v->valuestring), 0,
		    SHOWN_MAX));
		if (nested)
			clq_buf_addc(b, '\'');
	} else if (cJSON_IsArray(v) || cJSON_IsObject(v)) {
		clq_buf_addc(b, cJSON_IsArray(v) ? '[' : '{');
		cJSON_ArrayForEach(item, v) {
			if (item != v->child)
				clq_buf_adds(b, ", ");
			if (cJSON_IsObject(v))
				clq_buf_printf(b, "'%.*s': ", SHOWN_MAX,
				    item->string);
			show(b, item, true);
		}
		clq_buf_addc(b, cJSON_IsArray(v) ? ']' : '}');
	} else if (cJSON_IsNumber(v)) {
		clq_json_print(b, v);
	} else {
		clq_buf_adds(b, cJSON_IsNull(v) ? "None" :
		    cJSON_IsTrue(v) ? "True" : "False");
	}
}

struct clq_str
clq_schema_shown(struct clq_arena *arena, const cJSON *value)
{
	struct clq_buf b;

	clq_buf_init(&b, arena, 0);
	b.limit = 2 * SHOWN_MAX;
	if (value != NULL)
		show(&b, value, false);
	if (!clq_buf_ok(&b)) {
		b.failed = false;
		b.limit = 0;
		clq_buf_adds(&b, "...");
	}
	return clq_buf_str(&b);
}

/* ---- one value --------------------------------------------------------- */

static void
refuse(const struct check *c, const char *fmt)
{
	struct clq_str shown = clq_schema_shown(c->req->arena, c->value);

	/* fmt holds one %.*s */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)clq_invalid(c->req, c->location, c->name, fmt, CLQ_FMT(shown));
#pragma GCC diagnostic pop
}

static void
not_string(const struct check *c)
{
	struct clq_str shown = clq_schema_shown(c->req->arena, c->value);

	(void)clq_invalid(c->req, c->location, c->name,
	    "%.*s is not a string: {'%s': ''}", CLQ_FMT(shown),
	    c->field->name);
}

/* Put another value in place; it must have no owner yet. */
static void
replace(struct check *c, cJSON *value)
{
	clq_json_set(c->data, c->field->name, value);
	c->value = clq_json_get(c->data, c->field->name);
}

static size_t
characters(struct clq_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
check_range(const struct check *c, double value)
{
	const struct clq_field *f = c->field;
	struct clq_str shown = clq_schema_shown(c->req->arena, c->value);

	if (f->min == 0 && f->max == 0)
		return;
	if (value < (double)f->min)
		(void)clq_invalid(c->req, c->location, c->name, "%.*s is less than "
		    "minimum value %lld", CLQ_FMT(shown), (long long)f->min);
	else if (value > (double)f->max)
		(void)clq_invalid(c->req, c->location, c->name, "%.*s is greater "
		    "than maximum value %lld", CLQ_FMT(shown),
		    (long long)f->max);
}

static void
check_string(struct check *c)
{
	const struct clq_field *f = c->field;
	int64_t n;

	if (!cJSON_IsString(c->value)) {
		not_string(c);
		return;
	}
	if ((f->flags & CLQ_FIELD_TRIM) != 0)
		replace(c, clq_json_new_str(clq_str_trim(
		    clq_json_str(c->value))));
	if (f->min == 0 && f->max == 0)
		return;
	n = (int64_t)characters(clq_json_str(c->value));
	if (n < f->min)
		(void)clq_invalid(c->req, c->location, c->name, "Shorter than "
		    "minimum length %lld", (long long)f->min);
	else if (n > f->max)
		(void)clq_invalid(c->req, c->location, c->name, "Longer than "
		    "maximum length %lld", (long long)f->max);
}

/* The number that a text holds, or NULL. Not owned. */
static cJSON *
number_of_text(struct clq_arena *arena, struct clq_str text)
{
	struct clq_str why;
	cJSON *tree;

	if (clq_json_parse(arena, text, &tree, &why) != CLQ_OK ||
	    !cJSON_IsNumber(tree))
		return NULL;
	return cJSON_Duplicate(tree, true);
}

/* True if the value is a number now; else refused. */
static bool
become_number(struct check *c)
{
	cJSON *number = NULL;

	if (cJSON_IsNumber(c->value))
		return true;
	if (cJSON_IsString(c->value))
		number = number_of_text(c->req->arena,
		    clq_json_str(c->value));
	else if (cJSON_IsBool(c->value))
		number = clq_json_new_int(cJSON_IsTrue(c->value));
	if (number == NULL) {
		refuse(c, "\"%.*s\" is not a number");
		return false;
	}
	replace(c, number);
	return true;
}

static void
check_int(struct check *c)
{
	int64_t n;

	if (!become_number(c))
		return;
	if (!clq_json_int(c->value, &n)) {
		if (c->value->valuedouble < -9e18 ||
		    c->value->valuedouble > 9e18) {
			refuse(c, "\"%.*s\" is not a number");
			return;
		}
		n = (int64_t)c->value->valuedouble;
		replace(c, clq_json_new_int(n));
	}
	check_range(c, (double)n);
}

static void
check_bool(struct check *c)
{
	struct clq_str text = clq_json_str(c->value);
	bool v;

	if (cJSON_IsBool(c->value))
		return;
	if (text.p != NULL)
		v = !clq_str_caseis(text, "false") && !clq_str_is(text, "0");
	else if (cJSON_IsNumber(c->value))
		v = c->value->valuedouble != 0;
	else {
		refuse(c, "\"%.*s\" is not a boolean");
		return;
	}
	replace(c, cJSON_CreateBool(v));
}

static void
check_strings(struct check *c)
{
	cJSON *list = c->value, *item;
	int i = 0;

	if (!cJSON_IsArray(list)) {
		refuse(c, "\"%.*s\" is not iterable");
		return;
	}
	cJSON_ArrayForEach(item, list) {
		struct check one = *c;

		one.value = item;
		one.name = clq_arena_printf(c->req->arena, "%.*s.%d",
		    CLQ_FMT(c->name), i++);
		if (!cJSON_IsString(item))
			not_string(&one);
		else if (item->valuestring[0] == '\0')
			(void)clq_invalid(c->req, c->location, one.name,
			    "Required");
	}
}

static void
check_url(struct check *c)
{
	struct clq_str text = clq_json_str(c->value), url;
	size_t scheme;

	if (text.p == NULL) {
		not_string(c);
		return;
	}
	url = clq_str_trim(text);
	scheme = clq_str_starts(url, "https://") ? 8 :
	    clq_str_starts(url, "http://") ? 7 : 0;
	if (scheme == 0 || url.len == scheme || characters(url) > CLQ_URL_MAX ||
	    clq_str_find(url, ' ', 0) < url.len)
		(void)clq_invalid(c->req, c->location, c->name,
		    "String does not match expected pattern");
	else if (url.len < text.len)
		replace(c, clq_json_new_str(url));
}

static void
check_value(struct check *c)
{
	switch (c->field->type) {
	case CLQ_FIELD_ANY:
		break;
	case CLQ_FIELD_STRING:
		check_string(c);
		break;
	case CLQ_FIELD_INT:
	case CLQ_FIELD_TIMESTAMP:
		check_int(c);
		break;
	case CLQ_FIELD_NUMBER:
		if (become_number(c))
			check_range(c, c->value->valuedouble);
		break;
	case CLQ_FIELD_BOOL:
		check_bool(c);
		break;
	case CLQ_FIELD_OBJECT:
		if (!cJSON_IsObject(c->value))
			refuse(c, "\"%.*s\" is not a mapping type: Does not "
			    "implement dict-like functionality.");
		break;
	case CLQ_FIELD_LIST:
		if (!cJSON_IsArray(c->value))
			refuse(c, "\"%.*s\" is not iterable");
		break;
	case CLQ_FIELD_STRINGS:
		check_strings(c);
		break;
	case CLQ_FIELD_URL:
		check_url(c);
		break;
	}
}

/* ---- all fields -------------------------------------------------------- */

/* Null is a value only where anything is; empty is none for a number. */
static bool
counts_as_missing(const struct clq_field *f, const cJSON *v)
{
	if (v == NULL)
		return true;
	if (f->type == CLQ_FIELD_ANY)
		return false;
	if (cJSON_IsNull(v))
		return true;
	if (f->type != CLQ_FIELD_INT && f->type != CLQ_FIELD_NUMBER &&
	    f->type != CLQ_FIELD_TIMESTAMP)
		return false;
	return (cJSON_IsString(v) && v->valuestring[0] == '\0') ||
	    ((cJSON_IsArray(v) || cJSON_IsObject(v)) && v->child == NULL);
}

/* The value of a missing field, not owned; NULL if it has none. */
static cJSON *
default_of(struct clq_arena *arena, const struct clq_field *f)
{
	struct clq_str why;
	cJSON *tree;

	if (f->type == CLQ_FIELD_TIMESTAMP &&
	    (f->flags & CLQ_FIELD_AUTO_NOW) != 0)
		return clq_json_new_int(clq_now());
	/* checked when the resource was registered */
	if (f->def == NULL || clq_json_parse(arena, clq_str_of(f->def), &tree,
	    &why) != CLQ_OK)
		return NULL;
	return cJSON_Duplicate(tree, true);
}

void
clq_schema_field(struct clq_request *req, const struct clq_field *f,
    cJSON *data, const char *location, const char *prefix)
{
	struct check c = {
		.req = req, .field = f, .data = data, .location = location,
	};
	cJSON *def;

	c.name = clq_arena_printf(req->arena, "%s%s", prefix, f->name);
	c.value = clq_json_get(data, f->name);
	if (!counts_as_missing(f, c.value)) {
		check_value(&c);
		return;
	}
	if ((def = default_of(req->arena, f)) != NULL)
		clq_json_set(data, f->name, def);
	else if ((f->flags & CLQ_REQUIRED) != 0)
		(void)clq_invalid(req, location, c.name, "Required");
	else
		clq_json_remove(data, f->name);
}

/* The default, checked as if a client had sent it. */
static const char *
default_fault(struct clq_arena *arena, const struct clq_field *f)
{
	struct clq_request *req = clq_arena_calloc(arena, 1, sizeof *req);
	struct check c = { .req = req, .field = f, .location = "body",
	    .name = clq_str_of(f->name) };
	struct clq_str why, text = clq_str_of(f->def);
	cJSON *def;

	if (clq_json_parse(arena, text, &def, &why) != CLQ_OK)
		return clq_arena_printf(arena, "has the default %s, which is "
		    "not JSON", f->def).p;
	if (cJSON_IsNull(def))
		return NULL;		/* "not set", of any type */
	req->arena = arena;
	c.data = clq_json_own(arena, cJSON_CreateObject());
	clq_json_set(c.data, f->name, cJSON_Duplicate(def, true));
	c.value = clq_json_get(c.data, f->name);
	check_value(&c);
	if (req->error.ninvalid > 0)
		return clq_arena_printf(arena, "has the default %s, which it "
		    "would refuse: %.*s", f->def,
		    CLQ_FMT(req->error.invalid[0].description)).p;
	if (!clq_json_equal(def, c.value))
		return clq_arena_printf(arena, "has the default %s, which is "
		    "not of its type; write %.*s", f->def,
		    CLQ_FMT(clq_json_text(arena, c.value))).p;
	return NULL;
}

const char *
clq_field_fault(struct clq_arena *arena, const struct clq_field *f)
{
	if (f->min > f->max)
		return clq_arena_printf(arena, "has a min, %lld, that is "
		    "greater than its max, %lld", (long long)f->min,
		    (long long)f->max).p;
	return f->def != NULL ? default_fault(arena, f) : NULL;
}

static const struct clq_field *
find_field(const struct clq_resource *decl, struct clq_str name)
{
	for (size_t i = 0; i < decl->nfields; i++)
		if (clq_str_is(name, decl->fields[i].name))
			return &decl->fields[i];
	return NULL;
}

static void
drop_unknown(const struct clq_resource *decl, cJSON *data)
{
	cJSON *item = data->child, *next;

	for (; item != NULL; item = next) {
		next = item->next;
		if (find_field(decl, clq_str_of(item->string)) == NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(data, item));
	}
}

void
clq_schema_apply(struct clq_request *req, const struct clq_resource *decl,
    cJSON *data, const char *prefix)
{
	if ((decl->flags & CLQ_RESOURCE_STRICT) != 0)
		drop_unknown(decl, data);
	for (size_t i = 0; i < decl->nfields; i++)
		clq_schema_field(req, &decl->fields[i], data, "body", prefix);
}

bool
clq_schema_accepts_empty(const struct clq_resource *decl)
{
	for (size_t i = 0; i < decl->nfields; i++) {
		const struct clq_field *f = &decl->fields[i];

		if ((f->flags & CLQ_REQUIRED) != 0 && f->def == NULL &&
		    (f->flags & CLQ_FIELD_AUTO_NOW) == 0)
			return false;
	}
	return true;
}

bool
clq_schema_knows(const struct clq_resource *decl, struct clq_str field)
{
	struct clq_str head = clq_str_sub(field, 0,
	    clq_str_find(field, '.', 0));

	return (decl->flags & CLQ_RESOURCE_STRICT) == 0 ||
	    find_field(decl, head) != NULL || clq_str_is(head, "id") ||
	    clq_str_is(head, "last_modified") || clq_str_is(head, "deleted");
}

void
clq_schema_readonly(struct clq_request *req, const struct clq_resource *decl,
    const cJSON *old, const cJSON *data)
{
	for (size_t i = 0; i < decl->nfields; i++) {
		const char *name = decl->fields[i].name;
		const cJSON *before = clq_json_get(old, name);

		if ((decl->fields[i].flags & CLQ_FIELD_READONLY) != 0 &&
		    before != NULL &&
		    !clq_json_equal(before, clq_json_get(data, name)))
			(void)clq_invalid(req, "body", clq_str_of(name),
			    "Cannot modify %s", name);
	}
}
