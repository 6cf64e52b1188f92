/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser of multipart/form-data (RFC 7578, RFC 2046) that is fed pieces.
 *
 * It holds no more than the headers of one part, which are bounded, and hands
 * the contents on as they come: a file of any size passes through in the pieces
 * in which it was read. It does no I/O and allocates nothing. Strict where
 * leniency would let two readers see two forms: lines end with CRLF, each part
 * has exactly one Content-Disposition with a name, nothing is folded, the last
 * delimiter must be there. Names keep what was sent but for NUL and other
 * control characters, which are refused.
 */
#ifndef ATTACHMENT_MULTIPART_H
#define ATTACHMENT_MULTIPART_H

#include <cliquet/types.h>

enum {
	MULTIPART_MAX_BOUNDARY = 70,	/* bytes; RFC 2046 */
	MULTIPART_MAX_HEADERS = 8192,	/* bytes of a part's headers */
	MULTIPART_MAX_NAME = 1024,	/* bytes of a field's or file's name */
	MULTIPART_MAX_PARTS = 64
};

/* Texts are borrowed until the callback returns; UTF-8. */
struct multipart_part {
	struct clq_str	name;
	struct clq_str	filename;	/* absent: a plain field */
	struct clq_str	type;		/* media type without parameters;
					   absent: none was sent */
};

/* Callbacks; false stops the parser (multipart_feed() returns CLQ_FAILED). */
struct multipart_ops {
	bool	(*part)(void *ctx, const struct multipart_part *part);
	bool	(*data)(void *ctx, const char *p, size_t n);
};

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_DELIMITER,	/* after it: padding, or the last "--" */
	MULTIPART_HEADERS,
	MULTIPART_CONTENT,
	MULTIPART_END
};

struct multipart {
	const struct multipart_ops	*ops;
	void				*ctx;
	enum multipart_state		 state;
	char				 delimiter[MULTIPART_MAX_BOUNDARY + 4];
	size_t				 delimiter_len;
	size_t				 matched;	/* bytes of delimiter seen */
	size_t				 implied;	/* of those: not content */
	size_t				 nparts;
	char				 head[MULTIPART_MAX_HEADERS];
	size_t				 nhead;
	char				 name[MULTIPART_MAX_NAME];
	char				 filename[MULTIPART_MAX_NAME];
	const char			*why;		/* of CLQ_INVALID; static */
};

/* The boundary that a Content-Type names; false if it is no form, or the
 * boundary is missing or malformed. out: borrowed from type. */
bool multipart_boundary(struct clq_str type, struct clq_str *out);

/* Begin; boundary is one of multipart_boundary(). ops and ctx are borrowed. */
void multipart_begin(struct multipart *m, struct clq_str boundary,
    const struct multipart_ops *ops, void *ctx);

/*
 * Take n bytes, all of them. CLQ_OK; CLQ_INVALID if they are no form (m->why
 * says why); CLQ_FAILED if a callback stopped it. What comes after the last
 * delimiter is ignored.
 */
enum clq_status multipart_feed(struct multipart *m, const char *p, size_t n)
    CLQ_MUST_CHECK;

/* There is no more: CLQ_OK if the form is complete, else CLQ_INVALID. */
enum clq_status multipart_finish(struct multipart *m) CLQ_MUST_CHECK;

#endif
