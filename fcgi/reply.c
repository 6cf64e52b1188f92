/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laying out an answer (see reply.h).
 *
 * Status and headers and the first part of the body share a record; the body
 * is not copied. Records are not padded: no reader needs it.
 */
#include "reply.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "scan.h"

static void
push(struct clq_reply *r, const void *p, size_t n)
{
	union {			/* iovec is for reading too, hence not const */
		const void	*in;
		void		*out;
	} u = { p };

	if (n > 0)
		r->iov[r->n++] = (struct iovec){ u.out, n };
}

/* "Status: 412 Precondition Failed" and the rest. */
static struct clq_str
header_block(struct clq_request *req)
{
	const struct clq_response *res = &req->response;
	int status = res->status != 0 ? res->status : 500;
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 1024);
	clq_buf_adds(&b, "Status: ");
	clq_buf_addint(&b, status);
	clq_buf_addc(&b, ' ');
	clq_buf_adds(&b, clq_reason(status));
	clq_buf_adds(&b, "\r\n");
	for (size_t i = 0; i < res->headers.n; i++) {
		clq_buf_add(&b, res->headers.items[i].name);
		clq_buf_adds(&b, ": ");
		clq_buf_add(&b, res->headers.items[i].value);
		clq_buf_adds(&b, "\r\n");
	}
	clq_buf_adds(&b, "\r\n");
	return clq_buf_str(&b);
}

/* A record that begins with `first` and goes on with what fits of *rest. */
static void
push_record(struct clq_reply *r, struct clq_arena *arena, unsigned id,
    struct clq_str first, struct clq_str *rest)
{
	unsigned char *head = clq_arena_alloc(arena, CLQ_FCGI_HEAD);
	size_t n = CLQ_FCGI_MAX_CONTENT - first.len;

	if (n > rest->len)
		n = rest->len;
	clq_fcgi_head(head, CLQ_FCGI_STDOUT, id, first.len + n);
	push(r, head, CLQ_FCGI_HEAD);
	push(r, first.p, first.len);
	push(r, rest->p, n);
	rest->p += n;
	rest->len -= n;
}

void
clq_reply_no_redirect(struct clq_request *req)
{
	struct clq_pairs *headers = &req->response.headers;
	size_t kept = 0;

	if (req->response.status != 200)
		return;
	for (size_t i = 0; i < headers->n; i++)
		if (!clq_str_caseis(headers->items[i].name, "Location"))
			headers->items[kept++] = headers->items[i];
	headers->n = kept;
}

struct clq_reply
clq_reply_build(struct clq_request *req, unsigned id, bool hint)
{
	struct clq_str head = header_block(req), body = req->response.body;
	struct clq_str none = CLQ_STR("");
	size_t max = CLQ_FCGI_MAX_CONTENT;
	struct clq_reply r = { .n = 0 };
	unsigned char *end;

	r.iov = clq_arena_calloc(req->arena,
	    2 * (head.len / max + body.len / max) + 8, sizeof *r.iov);
	while (head.len > max) {	/* headers in masses */
		struct clq_str part = { head.p, max };

		push_record(&r, req->arena, id, part, &none);
		head.p += max;
		head.len -= max;
	}
	push_record(&r, req->arena, id, head, &body);
	while (body.len > 0)
		push_record(&r, req->arena, id, none, &body);
	end = clq_arena_alloc(req->arena, 4 * CLQ_FCGI_HEAD);
	clq_fcgi_head(end, CLQ_FCGI_STDOUT, id, 0);
	clq_fcgi_head(end + 8, CLQ_FCGI_END_REQUEST, id, 8);
	if (hint)
		clq_reply_hint(end + 24, id);
	push(&r, end, hint ? 32 : 24);
	return r;
}

void
clq_reply_hint(unsigned char out[CLQ_REPLY_HINT_LEN], unsigned id)
{
	clq_fcgi_head(out, CLQ_FCGI_STDERR, id, 0);
}
