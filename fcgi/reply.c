/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laying out an answer (see reply.h).
 *
 * Status and headers and the first part of the body share a record. Short
 * answers are one piece, which the kernel takes more cheaply than four; the body
 * of a longer one is not copied. Records are not padded: no reader needs it.
 */
#include "reply.h"

#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "scan.h"

enum {
	SMALL = 2048,		/* bytes of a body that is rather copied */
	END_LEN = 3 * CLQ_FCGI_HEAD	/* of the records that end an answer */
};

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
static void
add_headers(struct clq_buf *b, struct clq_request *req)
{
	const struct clq_response *res = &req->response;
	int status = res->status != 0 ? res->status : 500;

	clq_buf_adds(b, "Status: ");
	clq_buf_addint(b, status);
	clq_buf_addc(b, ' ');
	clq_buf_adds(b, clq_reason(status));
	for (size_t i = 0; i < res->headers.n; i++) {
		clq_buf_add(b, CLQ_STR("\r\n"));
		clq_buf_add(b, res->headers.items[i].name);
		clq_buf_add(b, CLQ_STR(": "));
		clq_buf_add(b, res->headers.items[i].value);
	}
	clq_buf_add(b, CLQ_STR("\r\n\r\n"));
}

/* The records after the last of the answer; returns their length. */
static size_t
end_records(unsigned char out[END_LEN + CLQ_REPLY_HINT_LEN], unsigned id,
    bool hint)
{
	memset(out, 0, END_LEN);
	clq_fcgi_head(out, CLQ_FCGI_STDOUT, id, 0);
	clq_fcgi_head(out + CLQ_FCGI_HEAD, CLQ_FCGI_END_REQUEST, id, 8);
	if (hint)
		clq_reply_hint(out + END_LEN, id);
	return hint ? END_LEN + CLQ_REPLY_HINT_LEN : END_LEN;
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

/* b: the first record's header (to be filled in), status and headers. */
static struct clq_reply
in_one_piece(struct clq_buf *b, struct clq_str body, unsigned id, bool hint)
{
	unsigned char end[END_LEN + CLQ_REPLY_HINT_LEN];
	size_t n = end_records(end, id, hint);
	struct clq_reply r = { .n = 0 };

	clq_buf_add(b, body);
	clq_fcgi_head((unsigned char *)b->p, CLQ_FCGI_STDOUT, id,
	    b->len - CLQ_FCGI_HEAD);
	clq_buf_add(b, (struct clq_str){ (const char *)end, n });
	r.iov = clq_arena_alloc(b->arena, sizeof *r.iov);
	push(&r, b->p, b->len);
	return r;
}

static struct clq_reply
in_pieces(struct clq_arena *arena, struct clq_str head, struct clq_str body,
    unsigned id, bool hint)
{
	struct clq_str none = CLQ_STR("");
	size_t max = CLQ_FCGI_MAX_CONTENT;
	struct clq_reply r = { .n = 0 };
	unsigned char *end;

	r.iov = clq_arena_calloc(arena,
	    2 * (head.len / max + body.len / max) + 8, sizeof *r.iov);
	while (head.len > max) {	/* headers in masses */
		struct clq_str part = { head.p, max };

		push_record(&r, arena, id, part, &none);
		head.p += max;
		head.len -= max;
	}
	push_record(&r, arena, id, head, &body);
	while (body.len > 0)
		push_record(&r, arena, id, none, &body);
	end = clq_arena_alloc(arena, END_LEN + CLQ_REPLY_HINT_LEN);
	push(&r, end, end_records(end, id, hint));
	return r;
}

struct clq_reply
clq_reply_build(struct clq_request *req, unsigned id, bool hint)
{
	static const char unfilled[CLQ_FCGI_HEAD];
	struct clq_str body = req->response.body;
	struct clq_buf b;

	clq_buf_init(&b, req->arena, SMALL + 1024);
	clq_buf_add(&b, (struct clq_str){ unfilled, sizeof unfilled });
	add_headers(&b, req);
	if (body.len <= SMALL &&
	    b.len - CLQ_FCGI_HEAD + body.len <= CLQ_FCGI_MAX_CONTENT)
		return in_one_piece(&b, body, id, hint);
	return in_pieces(req->arena, clq_str_sub(clq_buf_str(&b),
	    CLQ_FCGI_HEAD, b.len), body, id, hint);
}

void
clq_reply_hint(unsigned char out[CLQ_REPLY_HINT_LEN], unsigned id)
{
	clq_fcgi_head(out, CLQ_FCGI_STDERR, id, 0);
}
