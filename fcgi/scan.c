/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record scanner (see scan.h).
 *
 * Two passes over the same code: a dry one over the first bytes, which
 * settles nearly all requests, and one that keeps bytes, for requests that
 * come in pieces or oddly wrapped. Rules are those of the FastCGI
 * specification 1.0: records of an unknown request are ignored, a second
 * request on a busy connection is answered CANT_MPX_CONN, management records
 * are answered, unknown types with UNKNOWN_TYPE.
 */
#include "scan.h"

#include <cliquet/errors.h>

#include "bodyfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RESPONDER = 1,		/* role */
	KEEP_CONN = 1,		/* flag */
	REQUEST_COMPLETE = 0,	/* protocol status */
	CANT_MPX_CONN = 1,
	UNKNOWN_ROLE = 3,
	MAX_REPLY = 4096	/* bytes of control replies between requests */
};

bool
clq_bytes_add(struct clq_bytes *b, const void *p, size_t n)
{
	size_t cap = b->cap == 0 ? 4096 : b->cap;
	unsigned char *q;

	while (cap - b->len < n) {
		if (cap > SIZE_MAX / 2)
			return false;
		cap *= 2;
	}
	if (cap != b->cap) {
		q = realloc(b->p, cap);
		if (q == NULL)
			return false;
		b->p = q;
		b->cap = cap;
	}
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	return true;
}

void
clq_bytes_free(struct clq_bytes *b)
{
	free(b->p);
	*b = (struct clq_bytes){ 0 };
}

void
clq_fcgi_head(unsigned char *out, enum clq_fcgi_type type, unsigned id,
    size_t content)
{
	out[0] = 1;
	out[1] = (unsigned char)type;
	out[2] = (unsigned char)(id >> 8);
	out[3] = (unsigned char)id;
	out[4] = (unsigned char)(content >> 8);
	out[5] = (unsigned char)content;
	out[6] = 0;
	out[7] = 0;
}

/* ---- names and values ---------------------------------------------------- */

/* A length of one or four bytes; false if the bytes are not there. */
static bool
pair_length(const unsigned char **p, const unsigned char *end, size_t *out)
{
	const unsigned char *q = *p;

	if (q == end)
		return false;
	if (q[0] < 0x80) {
		*out = q[0];
		*p = q + 1;
		return true;
	}
	if (end - q < 4)
		return false;
	*out = (size_t)(q[0] & 0x7f) << 24 | (size_t)q[1] << 16 |
	    (size_t)q[2] << 8 | q[3];
	*p = q + 4;
	return true;
}

bool
clq_params_each(const unsigned char *p, size_t len, size_t max,
    clq_param_f *fn, void *ctx)
{
	const unsigned char *end = p + len;
	struct clq_str name, value;
	size_t n = 0;

	while (p < end) {
		if (++n > max ||
		    !pair_length(&p, end, &name.len) ||
		    !pair_length(&p, end, &value.len) ||
		    name.len > (size_t)(end - p) ||
		    value.len > (size_t)(end - p) - name.len)
			return false;
		/* libfcgi makes C strings of them. */
		if (name.len + value.len > 0 &&
		    memchr(p, '\0', name.len + value.len) != NULL)
			return false;
		name.p = (const char *)p;
		value.p = (const char *)p + name.len;
		p += name.len + value.len;
		if (fn != NULL)
			fn(ctx, name, value);
	}
	return true;
}

/* ---- replies ------------------------------------------------------------- */

static bool
reply(struct clq_scan *s, enum clq_fcgi_type type, unsigned id,
    const unsigned char *content, size_t len)
{
	unsigned char head[CLQ_FCGI_HEAD];

	s->plain = false;
	if (s->dry)
		return true;
	if (s->reply.len > MAX_REPLY)
		return false;	/* somebody is asking for the fun of it */
	clq_fcgi_head(head, type, id, len);
	return clq_bytes_add(&s->reply, head, sizeof head) &&
	    clq_bytes_add(&s->reply, content, len);
}

static bool
reply_end(struct clq_scan *s, unsigned id, unsigned char protocol_status)
{
	unsigned char body[8] = { 0, 0, 0, 0, protocol_status, 0, 0, 0 };

	return reply(s, CLQ_FCGI_END_REQUEST, id, body, sizeof body);
}

struct values {
	char	text[128];
	size_t	len;
};

static void
add_value(void *ctx, struct clq_str name, struct clq_str value)
{
	struct values *v = ctx;
	const char *known = NULL;

	(void)value;
	if (clq_str_is(name, "FCGI_MAX_CONNS") ||
	    clq_str_is(name, "FCGI_MAX_REQS"))
		known = "1";
	else if (clq_str_is(name, "FCGI_MPXS_CONNS"))
		known = "0";
	if (known == NULL || sizeof v->text - v->len < name.len + 4)
		return;
	v->text[v->len++] = (char)name.len;
	v->text[v->len++] = 1;
	memcpy(v->text + v->len, name.p, name.len);
	v->len += name.len;
	v->text[v->len++] = *known;
}

static bool
management(struct clq_scan *s)
{
	unsigned char body[8] = { 0 };
	struct values v = { .len = 0 };

	if (s->type != CLQ_FCGI_GET_VALUES) {
		body[0] = (unsigned char)s->type;
		return reply(s, CLQ_FCGI_UNKNOWN_TYPE, 0, body, sizeof body);
	}
	(void)clq_params_each(s->small, s->nsmall, SIZE_MAX, add_value, &v);
	return reply(s, CLQ_FCGI_GET_VALUES_RESULT, 0,
	    (const unsigned char *)v.text, v.len);
}

/* ---- records ------------------------------------------------------------- */

static bool
begin(struct clq_scan *s)
{
	unsigned role = (unsigned)s->small[0] << 8 | s->small[1];

	if (s->id == 0 || s->nsmall != 8)
		return false;
	if (s->begun)
		return reply_end(s, s->id, CANT_MPX_CONN);
	if (role != RESPONDER)
		return reply_end(s, s->id, UNKNOWN_ROLE);
	s->begun = true;
	s->keep = (s->small[2] & KEEP_CONN) != 0;
	s->request_id = (uint16_t)s->id;
	if (s->head[6] != 0)
		s->plain = false;	/* libfcgi takes padding for records */
	return true;
}

/* A piece of the content of a record of our request. */
static bool
take(struct clq_scan *s, const unsigned char *p, size_t n)
{
	bool params = s->type == CLQ_FCGI_PARAMS;
	size_t *seen = params ? &s->nparams : &s->nbody;
	size_t max = params ? s->max_params : s->max_body;

	if (s->refused == 0 && n > max - *seen)
		s->refused = params ? CLQ_ERRNO_INVALID_PARAMETERS :
		    CLQ_ERRNO_REQUEST_TOO_LARGE;
	if (*seen > SIZE_MAX - n)
		return false;
	*seen += n;
	if (s->dry) {
		if (!params)
			return true;
		/* A single record is looked at where it lies. */
		if (s->one_params != NULL)
			s->plain = false;
		s->one_params = p;
		return true;
	}
	if (s->refused != 0 && (!params || s->nparams > max))
		return true;	/* read on, to be able to answer */
	if (s->in_file && !params) {
		if (!clq_bodyfile_write(s->body_fd, p, n))
			s->refused = CLQ_ERRNO_BACKEND;
		return true;
	}
	return clq_bytes_add(params ? &s->params : &s->body, p, n);
}

static void
params_end(struct clq_scan *s)
{
	const unsigned char *p = s->dry ? s->one_params : s->params.p;
	size_t n = s->dry ? s->nparams : s->params.len;

	s->params_done = true;
	if (s->head[6] != 0)
		s->plain = false;	/* libfcgi forgets that padding */
	if (s->refused != 0 || (s->dry && !s->plain))
		return;
	if (n > 0 && !clq_params_each(p, n, CLQ_FCGI_MAX_PAIRS, NULL, NULL))
		s->refused = CLQ_ERRNO_INVALID_PARAMETERS;
	else if (s->room != NULL)
		s->room(s, s->room_ctx);
}

static void
forget_body(struct clq_scan *s)
{
	if (s->in_file)
		close(s->body_fd);
	s->in_file = false;
	clq_bytes_free(&s->body);
}

/* The content of a record is complete. */
static enum clq_scan_verdict
record_end(struct clq_scan *s, bool empty)
{
	bool ok = true;

	if (s->id == 0)
		ok = s->type != CLQ_FCGI_BEGIN_REQUEST && management(s);
	else if (s->type == CLQ_FCGI_BEGIN_REQUEST)
		ok = begin(s);
	else if (!s->begun || s->id != s->request_id)
		s->plain = false;	/* of a request we do not know */
	else if (s->type == CLQ_FCGI_ABORT_REQUEST)
		s->aborted = true;
	else if (s->type == CLQ_FCGI_PARAMS && !s->params_done && empty)
		params_end(s);
	else if (s->type == CLQ_FCGI_STDIN && s->params_done && empty)
		s->ended = true;
	else if (s->type != (s->params_done ? CLQ_FCGI_STDIN :
	    CLQ_FCGI_PARAMS))
		ok = false;
	return ok ? CLQ_SCAN_MORE : CLQ_SCAN_BROKEN;
}

/* The request was taken back: say so, and be ready for the next. */
static enum clq_scan_verdict
abort_request(struct clq_scan *s)
{
	if (!reply_end(s, s->request_id, REQUEST_COMPLETE))
		return CLQ_SCAN_BROKEN;
	s->begun = s->aborted = s->params_done = false;
	s->nparams = s->nbody = 0;
	s->refused = 0;
	s->one_params = NULL;
	clq_bytes_free(&s->params);
	forget_body(s);
	s->max_body = s->usual_body;
	return CLQ_SCAN_MORE;
}

static bool
record_begin(struct clq_scan *s)
{
	s->type = s->head[1];
	s->id = (unsigned)s->head[2] << 8 | s->head[3];
	s->content = (size_t)s->head[4] << 8 | s->head[5];
	s->padding = s->head[6];
	s->nsmall = 0;
	return s->head[0] == 1;
}

/* Bytes of content; true if they could be kept. */
static bool
content(struct clq_scan *s, const unsigned char *p, size_t n)
{
	bool stream = s->begun && s->id == s->request_id &&
	    ((s->type == CLQ_FCGI_PARAMS && !s->params_done) ||
	    (s->type == CLQ_FCGI_STDIN && s->params_done));
	size_t room = sizeof s->small - s->nsmall;

	s->content -= n;
	if (stream)
		return take(s, p, n);
	if (n > room)
		n = room;	/* what is longer means nothing to us */
	memcpy(s->small + s->nsmall, p, n);
	s->nsmall += n;
	return true;
}

enum clq_scan_verdict
clq_scan_feed(struct clq_scan *s, const unsigned char *p, size_t n,
    size_t *used)
{
	enum clq_scan_verdict v = CLQ_SCAN_MORE;
	size_t i = 0, k;

	while (i < n && v == CLQ_SCAN_MORE) {
		if (s->nhead < CLQ_FCGI_HEAD) {
			s->head[s->nhead++] = p[i++];
			if (s->nhead < CLQ_FCGI_HEAD)
				continue;
			if (!record_begin(s))
				v = CLQ_SCAN_BROKEN;
			else if (s->content == 0)
				v = record_end(s, true);
		} else if (s->content > 0) {
			k = n - i < s->content ? n - i : s->content;
			if (!content(s, p + i, k))
				v = CLQ_SCAN_BROKEN;
			else if (s->content == 0)
				v = record_end(s, false);
			i += k;
		} else {
			k = n - i < s->padding ? n - i : s->padding;
			s->padding -= k;
			i += k;
		}
		if (v == CLQ_SCAN_MORE && s->aborted)
			v = abort_request(s);
		if (s->nhead < CLQ_FCGI_HEAD || s->content > 0 ||
		    s->padding > 0)
			continue;
		s->nhead = 0;
		if (v == CLQ_SCAN_MORE && s->ended)
			v = CLQ_SCAN_DONE;
	}
	*used = i;
	return v;
}

void
clq_scan_start(struct clq_scan *s, bool dry, size_t max_params,
    size_t max_body)
{
	*s = (struct clq_scan){
		.dry = dry, .plain = true,
		.max_params = max_params, .max_body = max_body,
		.usual_body = max_body,
	};
}

void
clq_scan_free(struct clq_scan *s)
{
	clq_bytes_free(&s->params);
	forget_body(s);
	clq_bytes_free(&s->reply);
}
