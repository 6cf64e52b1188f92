/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page for people: the OpenAPI document, and nothing but it, as HTML.
 *
 * One file without script or anything to load, whose style the policy allows by
 * its hash. Each operation is a <details>, so that the page is short at first
 * and needs no script to unfold; lists rather than tables, which telephones
 * cannot show. Whatever text the document has is escaped here.
 */
#include "openapi_impl.h"

#include <cliquet/str.h>

#include "html.h"

const char clq_oa_style[] =
    ":root{color-scheme:light dark;--line:#8886;--soft:#8882}"
    "body{font:1em/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;"
    "padding:1rem;overflow-wrap:anywhere}"
    "h1,h2{line-height:1.2}h2{margin-top:2.5rem}"
    "h3{display:inline;font-size:1em;font-weight:normal}"
    "h4{margin:1rem 0 .25rem;font-size:1em}"
    "nav ul{padding:0;list-style:none;display:flex;flex-wrap:wrap;"
    "gap:.25rem 1rem}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.92em}"
    "pre{background:var(--soft);padding:.6rem;overflow-x:auto;"
    "border-radius:.3rem}"
    "details{border:1px solid var(--line);border-radius:.3rem;"
    "margin:.4rem 0;padding:.4rem .7rem}"
    "summary{cursor:pointer}summary b{display:inline-block;"
    "min-width:4.2rem;font-family:ui-monospace,monospace}"
    "summary span{display:block;opacity:.85}"
    "dl{margin:.25rem 0}dt{margin-top:.4rem}dd{margin:0 0 0 1.25rem}"
    ".skip{position:absolute;left:-99rem}.skip:focus{position:static}";

/* ---- pieces ------------------------------------------------------------ */

static void
html_of(struct clq_buf *b, const cJSON *item)
{
	clq_html_add(b, clq_json_str(item));
}

/* A description: what is between ` is code. */
static void
prose(struct clq_buf *b, const cJSON *item)
{
	struct clq_str rest = clq_json_str(item), part;
	bool code = false;

	while (clq_str_next(&rest, '`', &part)) {
		if (code)
			clq_buf_adds(b, "<code>");
		clq_html_add(b, part);
		if (code)
			clq_buf_adds(b, "</code>");
		code = !code;
	}
}

/* An id for a link: letters and digits only, others by their number. */
static void
anchor(struct clq_buf *b, const char *kind, struct clq_str name)
{
	clq_buf_adds(b, kind);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if ((c >= '0' && c <= '9') || c == '_' ||
		    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			clq_buf_addc(b, (char)c);
		else
			clq_buf_printf(b, "-%02x-", c);
	}
}

const cJSON *
clq_oa_resolve(const cJSON *root, const cJSON *obj)
{
	struct clq_str ref, part;

	for (int hops = 0; obj != NULL && hops < 8; hops++) {
		ref = clq_json_str(clq_json_get(obj, "$ref"));
		if (ref.p == NULL)
			return obj;
		obj = root;
		(void)clq_str_next(&ref, '/', &part);	/* "#" */
		while (obj != NULL && clq_str_next(&ref, '/', &part)) {
			const cJSON *item, *found = NULL;

			cJSON_ArrayForEach(item, obj)
				if (item->string != NULL &&
				    clq_str_is(part, item->string))
					found = item;
			obj = found;
		}
	}
	return NULL;
}

/* ---- one operation ----------------------------------------------------- */

struct operation {
	const char	*path;
	const cJSON	*variables;	/* parameters of the path, or NULL */
	const cJSON	*op;
	const char	*method;	/* "GET" */
};

static void
parameter(struct clq_oa_page *page, const cJSON *param)
{
	struct clq_buf *b = &page->b;
	const cJSON *item, *pattern;

	clq_buf_adds(b, "<dt><code>");
	html_of(b, clq_json_get(param, "name"));
	clq_buf_adds(b, "</code> <small>");
	html_of(b, clq_json_get(param, "in"));
	if ((item = clq_json_get(param, "type")) != NULL) {
		clq_buf_adds(b, ", ");
		html_of(b, item);
	}
	if (cJSON_IsTrue(clq_json_get(param, "required")))
		clq_buf_adds(b, ", required");
	if ((pattern = clq_json_get(param, "pattern")) != NULL) {
		clq_buf_adds(b, ", as <code>");
		html_of(b, pattern);
		clq_buf_adds(b, "</code>");
	}
	clq_buf_adds(b, "</small></dt>");
	if ((item = clq_json_get(param, "description")) != NULL) {
		clq_buf_adds(b, "<dd>");
		prose(b, item);
		clq_buf_adds(b, "</dd>");
	}
}

static void
parameters(struct clq_oa_page *page, const struct operation *o)
{
	const cJSON *lists[] = {
		o->variables, clq_json_get(o->op, "parameters")
	};
	const cJSON *item, *param;
	size_t n = 0;

	for (size_t i = 0; i < CLQ_COUNT(lists); i++) {
		cJSON_ArrayForEach(item, lists[i]) {
			param = clq_oa_resolve(page->root, item);
			if (param == NULL || clq_str_is(clq_json_str(
			    clq_json_get(param, "in")), "body"))
				continue;
			if (n++ == 0)
				clq_buf_adds(&page->b,
				    "<h4>Parameters</h4><dl>");
			parameter(page, param);
		}
	}
	clq_buf_adds(&page->b, n > 0 ? "</dl>" : "");
}

/* An example, with the types that are taken. */
static void
body(struct clq_oa_page *page, const cJSON *op)
{
	struct clq_buf *b = &page->b;
	const cJSON *item, *param, *type;

	cJSON_ArrayForEach(item, clq_json_get(op, "parameters")) {
		param = clq_oa_resolve(page->root, item);
		if (!clq_str_is(clq_json_str(clq_json_get(param, "in")),
		    "body"))
			continue;
		clq_buf_adds(b, "<h4>Body</h4><p>");
		cJSON_ArrayForEach(type, clq_json_get(op, "consumes")) {
			clq_buf_adds(b, type->prev->next != NULL ?
			    ", <code>" : "<code>");
			html_of(b, type);
			clq_buf_adds(b, "</code>");
		}
		clq_buf_adds(b, cJSON_IsTrue(clq_json_get(param, "required")) ?
		    "</p><pre>" : "; may be missing</p><pre>");
		clq_html_add(b, clq_oa_example(page, clq_json_get(param,
		    "schema")));
		clq_buf_adds(b, "</pre>");
	}
}

static void
responses(struct clq_oa_page *page, const cJSON *op)
{
	struct clq_buf *b = &page->b;
	const cJSON *item, *response, *header;

	clq_buf_adds(b, "<h4>Answers</h4><dl>");
	cJSON_ArrayForEach(item, clq_json_get(op, "responses")) {
		response = clq_oa_resolve(page->root, item);
		clq_buf_adds(b, "<dt>");
		clq_html_add(b, clq_str_of(strcmp(item->string, "default") ==
		    0 ? "others" : item->string));
		clq_buf_adds(b, "</dt><dd>");
		prose(b, clq_json_get(response, "description"));
		cJSON_ArrayForEach(header, clq_json_get(response, "headers")) {
			clq_buf_adds(b, "<br><code>");
			clq_html_add(b, clq_str_of(header->string));
			clq_buf_adds(b, "</code>: ");
			prose(b, clq_json_get(header, "description"));
		}
		clq_buf_adds(b, "</dd>");
	}
	clq_buf_adds(b, "</dl>");
}

/* By whom: the policies, one of which is enough. */
static void
security(struct clq_oa_page *page, const cJSON *op)
{
	struct clq_buf *b = &page->b;
	const cJSON *item, *list = clq_json_get(op, "security");
	bool anonymous = list == NULL || list->child == NULL;
	const char *sep = "";

	clq_buf_adds(b, "<p>Credentials: ");
	cJSON_ArrayForEach(item, list) {
		if (item->child == NULL) {
			anonymous = true;
			continue;
		}
		clq_buf_printf(b, "%s<code>", sep);
		clq_html_add(b, clq_str_of(item->child->string));
		clq_buf_adds(b, "</code>");
		sep = " or ";
	}
	clq_buf_printf(b, "%s%s.</p>", anonymous ? sep : "",
	    anonymous ? "none" : "");
}

static void
operation(struct clq_oa_page *page, const struct operation *o)
{
	struct clq_buf *b = &page->b;
	const cJSON *text = clq_json_get(o->op, "description");

	clq_buf_adds(b, "<details id=\"");
	anchor(b, "op-", clq_json_str(clq_json_get(o->op, "operationId")));
	clq_buf_adds(b, "\"><summary><h3><b>");
	clq_buf_adds(b, o->method);
	clq_buf_adds(b, "</b> <code>");
	clq_html_add(b, clq_str_of(o->path));
	clq_buf_adds(b, "</code> <span>");
	prose(b, clq_json_get(o->op, "summary"));
	clq_buf_adds(b, "</span></h3></summary>");
	if (text != NULL) {
		clq_buf_adds(b, "<p>");
		prose(b, text);
		clq_buf_adds(b, "</p>");
	}
	security(page, o->op);
	parameters(page, o);
	body(page, o->op);
	responses(page, o->op);
	clq_buf_adds(b, "<h4>Example</h4><pre>");
	clq_html_add(b, clq_oa_curl(page, o->path, o->method, o->op));
	clq_buf_adds(b, "</pre></details>");
}

/* ---- the page ---------------------------------------------------------- */

static struct clq_str
tag_of(const cJSON *op)
{
	const cJSON *tags = clq_json_get(op, "tags");

	return clq_json_str(tags != NULL ? tags->child : NULL);
}

/* Call fn for each operation, in order; tag: of that tag only, absent: all. */
static void
each(struct clq_oa_page *page, struct clq_str tag,
    void (*fn)(struct clq_oa_page *, const struct operation *))
{
	const cJSON *path, *op;

	cJSON_ArrayForEach(path, clq_json_get(page->root, "paths")) {
		struct operation o = { .path = path->string,
		    .variables = clq_json_get(path, "parameters") };

		cJSON_ArrayForEach(op, path) {
			if (op == o.variables || (tag.p != NULL &&
			    !clq_str_eq(tag_of(op), tag)) ||
			    clq_json_get(op, "x-head-of-get") != NULL)
				continue;
			o.op = op;
			o.method = clq_method_name(clq_oa_method(op->string));
			fn(page, &o);
		}
	}
}

static void
collect_tag(struct clq_oa_page *page, const struct operation *o)
{
	struct clq_str tag = tag_of(o->op);

	if (tag.p != NULL && !clq_strs_has(page->tags, tag))
		clq_strs_add(page->arena, &page->tags, tag);
}

static void
section(struct clq_oa_page *page, struct clq_str tag)
{
	struct clq_buf *b = &page->b;
	const cJSON *item;

	clq_buf_adds(b, "<section><h2 id=\"");
	anchor(b, "tag-", tag);
	clq_buf_adds(b, "\">");
	clq_html_add(b, tag);
	clq_buf_adds(b, "</h2>");
	cJSON_ArrayForEach(item, clq_json_get(page->root, "tags")) {
		if (!clq_str_eq(tag, clq_json_str(clq_json_get(item,
		    "name"))) || clq_json_get(item, "description") == NULL)
			continue;
		clq_buf_adds(b, "<p>");
		prose(b, clq_json_get(item, "description"));
		clq_buf_adds(b, "</p>");
	}
	each(page, tag, operation);
	clq_buf_adds(b, "</section>");
}

static void
head(struct clq_oa_page *page, struct clq_str title)
{
	struct clq_buf *b = &page->b;
	const cJSON *info = clq_json_get(page->root, "info");

	clq_buf_adds(b, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" "
	    "content=\"width=device-width, initial-scale=1\"><title>");
	clq_html_add(b, title);
	clq_buf_printf(b, "</title><style>%s</style></head><body>"
	    "<a class=\"skip\" href=\"#main\">Skip the contents</a>"
	    "<header><h1>", clq_oa_style);
	clq_html_add(b, title);
	clq_buf_adds(b, "</h1><p>Version ");
	html_of(b, clq_json_get(info, "version"));
	clq_buf_adds(b, " of the interface. The same for programs: "
	    "<a href=\"__api__\">OpenAPI 2.0</a>.");
	clq_buf_adds(b, "</p><p>");
	prose(b, clq_json_get(info, "description"));
	clq_buf_adds(b, "</p><p>Where there is GET, HEAD answers the same "
	    "without a body, and is shown only if it says more. The examples "
	    "are for a shell:</p><pre>SERVER=");
}

static void
contents(struct clq_oa_page *page)
{
	struct clq_buf *b = &page->b;

	clq_buf_adds(b, "</pre></header><nav aria-label=\"Contents\"><ul>");
	for (size_t i = 0; i < page->tags.n; i++) {
		clq_buf_adds(b, "<li><a href=\"#");
		anchor(b, "tag-", page->tags.items[i]);
		clq_buf_adds(b, "\">");
		clq_html_add(b, page->tags.items[i]);
		clq_buf_adds(b, "</a></li>");
	}
	clq_buf_adds(b, "</ul></nav><main id=\"main\" tabindex=\"-1\">");
}

void
clq_oa_page(const cJSON *root, struct clq_arena *arena,
    struct clq_str out[2])
{
	struct clq_oa_page page = { .arena = arena, .root = root };
	struct clq_str title = clq_json_str(clq_json_get(clq_json_get(root,
	    "info"), "title"));

	if (title.len == 0)
		title = CLQ_STR("API");
	clq_buf_init(&page.b, arena, 4096);
	head(&page, title);
	out[0] = clq_buf_str(&page.b);
	clq_buf_init(&page.b, arena, 128 << 10);
	each(&page, (struct clq_str){ NULL, 0 }, collect_tag);
	contents(&page);
	for (size_t i = 0; i < page.tags.n; i++)
		section(&page, page.tags.items[i]);
	clq_buf_adds(&page.b, "</main></body></html>\n");
	out[1] = clq_buf_str(&page.b);
}

void
clq_oa_url(struct clq_buf *b, struct clq_str url)
{
	clq_html_add(b, clq_oa_quoted(b->arena, url));
}
