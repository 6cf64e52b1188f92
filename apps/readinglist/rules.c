/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of articles, one function each (section 11-7.2).
 *
 * They run when all attributes are there and of the right type, on the document
 * that is about to be stored, before its addresses are compared with those of
 * other articles. A rule either corrects the document in silence, so that
 * devices which know less than others do no harm, or refuses it.
 */
#include "readinglist.h"

enum { TITLE_MAX = 1024 };	/* characters; the rest is cut off */

/* A document on its way, and the one that it replaces. */
struct article {
	struct clq_request	*req;
	const struct clq_draft	*draft;
	cJSON			*now;
	const cJSON		*old;		/* NULL: it is new */
};

static bool
is_true(const cJSON *data, const char *name)
{
	return cJSON_IsTrue(clq_json_get(data, name));
}

static bool
is_set(const cJSON *data, const char *name)
{
	const cJSON *value = clq_json_get(data, name);

	return value != NULL && !cJSON_IsNull(value);
}

/* Give an attribute the value that another document, or attribute, has. */
static void
copy(struct article *a, const char *name, const cJSON *from,
    const char *from_name)
{
	const cJSON *value = clq_json_get(from, from_name);

	clq_json_set(a->now, name, value == NULL ? cJSON_CreateNull() :
	    cJSON_Duplicate(value, true));
}

/* ---- titles: any text or none, trimmed, cut ----------------------------- */

static struct clq_str
cut(struct clq_str text, size_t characters)
{
	size_t i = 0;

	for (; i < text.len; i++)
		if (((unsigned char)text.p[i] & 0xc0) != 0x80 &&
		    characters-- == 0)
			break;
	return clq_str_sub(text, 0, i);
}

static enum clq_status
shorten(struct article *a, const char *name)
{
	struct clq_str text = clq_json_str(clq_json_get(a->now, name));

	if (text.p != NULL)
		clq_json_set(a->now, name, clq_json_new_str(cut(
		    clq_str_trim(text), TITLE_MAX)));
	else if (is_set(a->now, name))
		return clq_invalid(a->req, "body", clq_arena_printf(
		    clq_request_arena(a->req), "%s%s", a->draft->patch ? "" :
		    "data.", name), "%s is neither a string nor null", name);
	return CLQ_OK;
}

/* ---- what the server knows better --------------------------------------- */

static void
stamp(struct article *a)
{
	if (a->old == NULL)
		clq_json_set(a->now, "stored_on",
		    clq_json_new_int(clq_now()));
}

/* Redirects are not followed and pages not fetched: until somebody says what
 * an address leads to, it leads to itself. */
static void
resolve(struct article *a)
{
	if (!is_set(a->now, "resolved_url"))
		copy(a, "resolved_url", a->now, "url");
	if (!is_set(a->now, "resolved_title"))
		copy(a, "resolved_title", a->now, "title");
}

/* ---- reading ------------------------------------------------------------ */

/* A device that is behind does not turn pages back. */
static void
keep_position(struct article *a)
{
	int64_t before, now;

	if (clq_json_int(clq_json_get(a->old, "read_position"), &before) &&
	    clq_json_int(clq_json_get(a->now, "read_position"), &now) &&
	    now < before)
		copy(a, "read_position", a->old, "read_position");
}

/* Who marks an article as read says when or on which device. */
static enum clq_status
check_marked(struct article *a)
{
	if (is_set(a->now, "marked_read_on") ||
	    is_set(a->now, "marked_read_by"))
		return CLQ_OK;
	return clq_invalid(a->req, "body", CLQ_STR("unread"),
	    "Missing marked_read_by or marked_read_on fields");
}

/* The first who has read it remains the one who has. */
static void
keep_marked(struct article *a)
{
	copy(a, "marked_read_on", a->old, "marked_read_on");
	copy(a, "marked_read_by", a->old, "marked_read_by");
}

static void
start_again(struct article *a)
{
	clq_json_set(a->now, "marked_read_on", cJSON_CreateNull());
	clq_json_set(a->now, "marked_read_by", cJSON_CreateNull());
	clq_json_set(a->now, "read_position", clq_json_new_int(0));
}

static enum clq_status
check_reading(struct article *a)
{
	bool was_unread = is_true(a->old, "unread");
	bool unread = is_true(a->now, "unread");

	keep_position(a);
	if (was_unread && !unread)
		return check_marked(a);
	if (!was_unread && !unread)
		keep_marked(a);
	if (!was_unread && unread)
		start_again(a);
	return CLQ_OK;
}

enum clq_status
readinglist_rules(struct clq_request *req, struct clq_draft *draft)
{
	struct article a = { req, draft, draft->data, NULL };
	cJSON *old = NULL;
	enum clq_status rc;

	if (draft->old != NULL && (rc = clq_object_tree(
	    clq_request_arena(req), draft->old, &old)) != CLQ_OK)
		return rc;
	a.old = old;
	if ((rc = shorten(&a, "title")) != CLQ_OK ||
	    (rc = shorten(&a, "resolved_title")) != CLQ_OK)
		return rc;
	stamp(&a);
	resolve(&a);
	return a.old != NULL ? check_reading(&a) : CLQ_OK;
}
