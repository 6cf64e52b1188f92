/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FastCGI parameters -> struct clq_request (see fcgi_request.h).
 *
 * REQUEST_URI is the authority on path and query, since servers decode
 * PATH_INFO. Where a server gives none, the path is put together from
 * SCRIPT_NAME and PATH_INFO and encoded again. Apache does not pass
 * Authorization on as HTTP_AUTHORIZATION unless told to; its other names for it
 * are known here.
 */
#include "fcgi_request.h"

#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/errors.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "scan.h"

#include <fcgiapp.h>
#include <limits.h>

/* Parameters that do not become headers. */
struct params {
	struct clq_incoming	*in;
	struct clq_str		 uri;
	struct clq_str		 script_name;
	struct clq_str		 path_info;
	struct clq_str		 query;
	struct clq_str		 https;
	struct clq_str		 scheme;
	struct clq_str		 host;
	struct clq_str		 server_name;
	struct clq_str		 server_port;
	struct clq_str		 content_length;
	struct clq_str		 content_type;
	struct clq_str		 authorization;
	struct clq_str		 software;
	struct clq_str		 remote;
};

/* "ACCEPT_LANGUAGE" -> "Accept-Language" */
static struct clq_str
header_name(struct clq_arena *arena, struct clq_str cgi)
{
	char *p = clq_arena_alloc(arena, cgi.len);
	bool first = true;

	for (size_t i = 0; i < cgi.len; i++) {
		char c = cgi.p[i];

		if (c == '_')
			c = '-';
		else if (!first && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		first = c == '-';
		p[i] = c;
	}
	return (struct clq_str){ p, cgi.len };
}

static void
add_header(struct clq_request *req, struct clq_str name, struct clq_str value)
{
	clq_pairs_add(req->arena, &req->headers, name,
	    clq_arena_strdup(req->arena, value));
}

/* HTTP_* */
static void
http_param(struct params *ps, struct clq_str name, struct clq_str value)
{
	struct clq_request *req = ps->in->req;
	struct clq_str rest = clq_str_sub(name, 5, name.len);

	if (clq_str_eq(rest, CLQ_STR("CONTENT_LENGTH")))
		return;		/* CONTENT_LENGTH is the one that counts */
	if (clq_str_eq(rest, CLQ_STR("CONTENT_TYPE"))) {
		if (ps->content_type.len == 0)
			ps->content_type = value;
		return;
	}
	if (clq_str_eq(rest, CLQ_STR("HOST")))
		ps->host = value;
	add_header(req, header_name(req->arena, rest), value);
}

/* What else of CGI matters, and where it goes in struct params. */
#define KNOWN(name, member)						\
	{ { "" name, sizeof(name) - 1 }, offsetof(struct params, member) }

static struct clq_str *
place_of(struct params *ps, struct clq_str name)
{
	static const struct {
		struct clq_str	name;
		size_t		place;
	} known[] = {
		KNOWN("REQUEST_URI", uri),
		KNOWN("SCRIPT_NAME", script_name),
		KNOWN("PATH_INFO", path_info),
		KNOWN("QUERY_STRING", query),
		KNOWN("HTTPS", https),
		KNOWN("REQUEST_SCHEME", scheme),
		KNOWN("SERVER_NAME", server_name),
		KNOWN("SERVER_PORT", server_port),
		KNOWN("SERVER_SOFTWARE", software),
		KNOWN("CONTENT_LENGTH", content_length),
		KNOWN("CONTENT_TYPE", content_type),
		KNOWN("REMOTE_ADDR", remote),
		KNOWN("AUTHORIZATION", authorization),
		KNOWN("REDIRECT_HTTP_AUTHORIZATION", authorization),
	};

	for (size_t i = 0; i < CLQ_COUNT(known); i++)
		if (clq_str_eq(name, known[i].name))
			return (void *)((char *)ps + known[i].place);
	return NULL;
}

static void
param(void *ctx, struct clq_str name, struct clq_str value)
{
	struct params *ps = ctx;
	struct clq_str *to;

	if (name.len > 5 && memcmp(name.p, "HTTP_", 5) == 0) {
		http_param(ps, name, value);
	} else if (clq_str_eq(name, CLQ_STR("REQUEST_METHOD"))) {
		ps->in->req->method_name = clq_arena_strdup(
		    ps->in->req->arena, value);
	} else if ((to = place_of(ps, name)) != NULL) {
		if (value.len > 0 || to->p == NULL)
			*to = value;
	}
}

/* Path and query from REQUEST_URI, which may be in absolute form. */
static void
set_target(struct clq_request *req, const struct params *ps)
{
	struct clq_str uri = ps->uri, path;
	size_t q, host;

	if (uri.len == 0) {
		path = clq_arena_printf(req->arena, "%.*s%.*s",
		    CLQ_FMT(ps->script_name), CLQ_FMT(ps->path_info));
		req->raw_path = clq_url_encode(req->arena, path,
		    "/!$&'()*+,;=:@", false);
		req->raw_query = clq_arena_strdup(req->arena,
		    ps->query.p != NULL ? ps->query : CLQ_STR(""));
	} else {
		host = clq_str_search(uri, CLQ_STR("://"));
		if (uri.p[0] != '/' && host < uri.len)
			uri = clq_str_sub(uri, clq_str_find(uri, '/',
			    host + 3), uri.len);
		uri = clq_arena_strdup(req->arena, uri);
		q = clq_str_find(uri, '?', 0);
		req->raw_path = clq_str_sub(uri, 0, q);
		req->raw_query = clq_str_sub(uri, q < uri.len ? q + 1 : q,
		    uri.len);
	}
	if (req->raw_path.len == 0)
		req->raw_path = CLQ_STR("/");
}

static void
set_origin(struct clq_request *req, const struct params *ps)
{
	bool https = ps->https.len > 0 ? !clq_str_caseis(ps->https, "off") :
	    clq_str_caseis(ps->scheme, "https");
	struct clq_str usual = https ? CLQ_STR("443") : CLQ_STR("80");

	req->scheme = https ? CLQ_STR("https") : CLQ_STR("http");
	if (ps->host.len > 0)
		req->host = clq_arena_strdup(req->arena, ps->host);
	else if (ps->server_name.len == 0)
		return;		/* nobody knows: core's default */
	else if (ps->server_port.len == 0 || clq_str_eq(ps->server_port, usual))
		req->host = clq_arena_strdup(req->arena, ps->server_name);
	else
		req->host = clq_arena_printf(req->arena, "%.*s:%.*s",
		    CLQ_FMT(ps->server_name), CLQ_FMT(ps->server_port));
}

/* What could only be decided with all parameters known. */
static void
finish(struct params *ps)
{
	struct clq_request *req = ps->in->req;

	if (req->method_name.p == NULL)
		req->method_name = CLQ_STR("GET");
	req->method = clq_method_of(req->method_name);
	set_target(req, ps);
	set_origin(req, ps);
	if (ps->content_type.len > 0)
		add_header(req, CLQ_STR("Content-Type"), ps->content_type);
	if (ps->authorization.len > 0 &&
	    clq_pairs_get(&req->headers, "Authorization").p == NULL)
		add_header(req, CLQ_STR("Authorization"), ps->authorization);
	if (ps->content_length.len > 0)
		add_header(req, CLQ_STR("Content-Length"),
		    ps->content_length);
	ps->in->remote = clq_arena_strdup(req->arena, ps->remote);
	ps->in->nginx = clq_str_starts(ps->software, "nginx");
	ps->in->apache = clq_str_starts(ps->software, "Apache");
}

static struct params
begin(struct clq_server *srv, struct clq_arena *arena,
    struct clq_incoming *out)
{
	struct params ps = { .in = out };

	out->req = clq_request_new(srv, arena);
	out->req->summary.started = clq_ticks();
	out->req->body = CLQ_STR("");
	out->nginx = out->apache = false;
	return ps;
}

/* True if CONTENT_LENGTH says nothing, or the truth. */
static bool
length_agrees(const struct params *ps, uint64_t nbody)
{
	struct clq_str s = ps->content_length;
	uint64_t n = 0;

	if (s.len == 0)
		return true;	/* chunked: the end of the stream tells */
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || n > UINT64_MAX / 10 - 9)
			return false;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return n == nbody;
}

/* FCGX_GetStr takes an int. */
static bool
read_body(FCGX_Stream *in, char *to, size_t n)
{
	size_t have = 0;
	int want, got;

	while (have < n) {
		want = n - have < INT_MAX ? (int)(n - have) : INT_MAX;
		got = FCGX_GetStr(to + have, want, in);
		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return FCGX_GetChar(in) == -1 && FCGX_GetError(in) == 0;
}

enum clq_status
clq_incoming_read(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_feed *feed, size_t nbody,
    const struct clq_body_file *file, struct clq_incoming *out)
{
	struct params ps = begin(srv, arena, out);
	struct clq_str text;
	FCGX_Request fcgx;
	size_t eq;
	char *body;
	bool ok;

	if (file != NULL)
		clq_request_set_file(out->req, file->fd, file->len);
	if (!clq_feed_accept(&fcgx, feed)) {
		clq_log_warn("fastcgi: request refused by libfcgi");
		return CLQ_FAILED;
	}
	for (char **e = fcgx.envp; *e != NULL; e++) {
		text = clq_str_of(*e);
		eq = clq_str_find(text, '=', 0);
		if (eq < text.len)
			param(&ps, clq_str_sub(text, 0, eq),
			    clq_str_sub(text, eq + 1, text.len));
	}
	body = clq_arena_alloc(arena, nbody + 1);
	ok = read_body(fcgx.in, body, nbody);
	finish(&ps);
	if (!length_agrees(&ps, file != NULL ? file->len : nbody))
		out->req->refused = CLQ_ERRNO_INVALID_PARAMETERS;
	out->req->body = (struct clq_str){ body, nbody };
	if (!ok)
		clq_log_warn("fastcgi: body ended early");
	clq_feed_done(&fcgx);
	return ok ? CLQ_OK : CLQ_FAILED;
}

void
clq_incoming_refuse(struct clq_server *srv, struct clq_arena *arena,
    const struct clq_scan *s, struct clq_incoming *out)
{
	struct params ps = begin(srv, arena, out);

	/* However many: Origin may be the last. Their bytes are bounded. */
	(void)clq_params_each(s->params.p, s->params.len, SIZE_MAX, param,
	    &ps);
	finish(&ps);
	out->req->refused = s->refused;
}
