/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The response: what views set, and what every answer carries (section 01-6).
 *
 * Header values may hold what a client or a stored document said, so each is
 * stripped of control characters when it is set: nobody can smuggle a line
 * break into the header block, whatever the front server does with it. What
 * core itself says always, or in digits, goes without that look and a copy.
 */
#include "response.h"

#include <cliquet/clock.h>
#include <cliquet/str.h>

#include "cors.h"
#include "lifecycle.h"
#include "server.h"
#include "text.h"

#define CSP "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "

const char *
clq_reason(int status)
{
	static const struct {
		int		 status;
		const char	*phrase;
	} phrases[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
		{ 204, "No Content" }, { 205, "Reset Content" },
		{ 206, "Partial Content" }, { 300, "Multiple Choices" },
		{ 301, "Moved Permanently" }, { 302, "Found" },
		{ 303, "See Other" }, { 304, "Not Modified" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 402, "Payment Required" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" },
		{ 409, "Conflict" }, { 410, "Gone" },
		{ 411, "Length Required" }, { 412, "Precondition Failed" },
		{ 413, "Request Entity Too Large" },
		{ 414, "Request-URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Requested Range Not Satisfiable" },
		{ 417, "Expectation Failed" }, { 422, "Unprocessable Entity" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" }, { 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < CLQ_COUNT(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

static bool
has_control(struct clq_str s)
{
	unsigned char bad = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		bad |= (unsigned char)((c < 0x20) | (c == 0x7f));
	}
	return bad != 0;
}

/* A copy without control characters, which end a header or worse. */
static struct clq_str
header_text(struct clq_arena *arena, struct clq_str s)
{
	size_t n = 0;
	char *p;

	if (s.p != NULL && !has_control(s))
		return clq_arena_strdup(arena, s);
	p = clq_arena_alloc(arena, s.len + 1);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != 0x7f)
			p[n++] = (char)c;
		else if (c == '\t')
			p[n++] = ' ';
	}
	return (struct clq_str){ p, n };
}

/* The header of that name; NULL if there is none yet. */
static struct clq_pair *
header_find(struct clq_request *req, struct clq_str name)
{
	struct clq_pairs *h = &req->response.headers;

	for (size_t i = 0; i < h->n; i++)
		if (clq_str_caseeq(h->items[i].name, name))
			return &h->items[i];
	return NULL;
}

void
clq_set_header(struct clq_request *req, const char *name,
    struct clq_str value)
{
	struct clq_str n = clq_str_of(name);
	struct clq_str v = header_text(req->arena, value);
	struct clq_pair *set = header_find(req, n);

	if (set != NULL)
		set->value = v;
	else
		clq_pairs_add(req->arena, &req->response.headers,
		    header_text(req->arena, n), v);
}

void
clq_set_own_header(struct clq_request *req, struct clq_str name,
    struct clq_str value)
{
	struct clq_pair *set = header_find(req, name);

	if (set != NULL)
		set->value = value;
	else
		clq_pairs_add(req->arena, &req->response.headers, name, value);
}

void
clq_response_set(struct clq_request *req, int status,
    const char *content_type, struct clq_str body, bool json)
{
	struct clq_response *r = &req->response;

	r->status = status;
	r->body = body;
	r->json = json;
	if (content_type != NULL)
		clq_set_header(req, "Content-Type", clq_str_of(content_type));
}

void
clq_response_reset(struct clq_request *req)
{
	memset(&req->response, 0, sizeof req->response);
	req->response.body = CLQ_STR("");
}

bool
clq_response_ready(const struct clq_request *req)
{
	return req->response.status != 0;
}

enum clq_status
clq_reply(struct clq_request *req, int status, struct clq_str json)
{
	clq_response_set(req, status, NULL, json, true);
	clq_set_own_header(req, CLQ_STR("Content-Type"),
	    CLQ_STR("application/json"));
	return CLQ_OK;
}

enum clq_status
clq_reply_json(struct clq_request *req, int status, const cJSON *tree)
{
	return clq_reply(req, status, clq_json_text(req->arena, tree));
}

enum clq_status
clq_reply_raw(struct clq_request *req, int status, const char *content_type,
    struct clq_str body)
{
	clq_response_set(req, status, content_type, body,
	    clq_str_caseis(clq_str_of(content_type), "application/json"));
	return CLQ_OK;
}

enum clq_status
clq_redirect(struct clq_request *req, struct clq_str target)
{
	struct clq_str url = target;

	if (clq_str_starts(target, "/"))
		url = clq_absolute_url(req, target);
	clq_response_set(req, 307, "text/plain; charset=UTF-8",
	    clq_arena_printf(req->arena, "307 Temporary Redirect\n\n"
	    "The resource has been moved to %.*s\n", CLQ_FMT(target)), false);
	clq_set_header(req, "Location", url);
	return CLQ_DONE;
}

void
clq_response_cache(struct clq_request *req, int64_t seconds)
{
	if (seconds < 0)
		return;
	if (seconds == 0) {
		clq_set_header(req, "Cache-Control", CLQ_STR("max-age=0, "
		    "must-revalidate, no-cache, no-store"));
		clq_set_header(req, "Pragma", CLQ_STR("no-cache"));
	} else {
		clq_set_header(req, "Cache-Control", clq_arena_printf(
		    req->arena, "max-age=%lld", (long long)seconds));
	}
	if (seconds > INT32_MAX)	/* the date must stay a date */
		seconds = INT32_MAX;
	clq_set_header(req, "Expires", clq_http_date(req->arena,
	    clq_now() + seconds * 1000));
}

/* One code unit of UTF-16 as JSON writes it. */
static void
ascii_unit(struct clq_buf *b, uint32_t unit)
{
	clq_buf_printf(b, "\\u%04X", unit & 0xffff);
}

/* Decode the UTF-8 sequence at s[*i], which is well-formed; advance. */
static uint32_t
utf8_next(struct clq_str s, size_t *i)
{
	unsigned char c = (unsigned char)s.p[(*i)++];
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	uint32_t code = c & (0x3fu >> more);

	for (; more > 0 && *i < s.len; more--)
		code = code << 6 | ((unsigned char)s.p[(*i)++] & 0x3f);
	return code;
}

void
clq_ascii_json_str(struct clq_buf *b, struct clq_str s)
{
	uint32_t code;
	size_t from = 0, i = 0;
	struct clq_buf quoted;
	struct clq_str text;

	/* Let the JSON writer do its escapes, then lift what is not ASCII. */
	clq_buf_init(&quoted, b->arena, s.len + 2);
	clq_buf_json_str(&quoted, s);
	text = clq_buf_str(&quoted);
	while (i < text.len) {
		if ((unsigned char)text.p[i] < 0x80) {
			i++;
			continue;
		}
		clq_buf_add(b, clq_str_sub(text, from, i));
		code = utf8_next(text, &i);
		if (code >= 0x10000) {
			ascii_unit(b, 0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		ascii_unit(b, code);
		from = i;
	}
	clq_buf_add(b, clq_str_sub(text, from, text.len));
}

void
clq_alert(struct clq_request *req, const char *code, const char *message,
    const char *url)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 128);
	clq_buf_adds(&b, "{\"code\":");
	clq_ascii_json_str(&b, clq_str_of(code));
	clq_buf_adds(&b, ",\"message\":");
	if (message == NULL)
		clq_buf_adds(&b, "null");
	else
		clq_ascii_json_str(&b, clq_text_clean(req->arena,
		    clq_str_of(message)));
	clq_buf_adds(&b, ",\"url\":");
	if (url == NULL)
		clq_buf_adds(&b, "null");
	else
		clq_ascii_json_str(&b, clq_text_clean(req->arena,
		    clq_str_of(url)));
	clq_buf_addc(&b, '}');
	req->alert = clq_buf_str(&b);
}

void
clq_response_finish(struct clq_request *req)
{
	struct clq_response *r = &req->response;

	if (header_find(req, CLQ_STR("Content-Security-Policy")) == NULL)
		clq_set_own_header(req, CLQ_STR("Content-Security-Policy"),
		    CLQ_STR(CSP));
	clq_set_own_header(req, CLQ_STR("X-Content-Type-Options"),
	    CLQ_STR("nosniff"));
	clq_lifecycle_headers(req);
	clq_cors_headers(req);
	if (r->status == 304 || r->status == 204)
		r->body = CLQ_STR("");
	else
		clq_set_own_header(req, CLQ_STR("Content-Length"),
		    clq_text_int(req->arena, (int64_t)r->body.len));
	if (req->method == CLQ_METHOD_HEAD)
		r->body = CLQ_STR("");
}
