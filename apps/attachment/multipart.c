/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of the parser (see multipart.h); headers are in part_head.c.
 *
 * A delimiter is CRLF, "--" and the boundary, and CR occurs in it only at its
 * beginning. So when a match breaks off after k bytes, those k bytes are
 * content, and the only place where another match can begin is the byte at
 * hand: no buffer, no going back.
 */
#include "multipart.h"

#include <cliquet/str.h>

#include "part_head.h"

void
multipart_begin(struct multipart *m, struct clq_str boundary,
    const struct multipart_ops *ops, void *ctx)
{
	memset(m, 0, sizeof *m);
	m->ops = ops;
	m->ctx = ctx;
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary.p, boundary.len);
	m->delimiter_len = 4 + boundary.len;
	m->matched = m->implied = 2;	/* the first one may stand at the very start */
}

static enum clq_status
invalid(struct multipart *m, const char *why)
{
	m->why = why;
	return CLQ_INVALID;
}

/* Content; the preamble is nobody's. */
static bool
hand_on(struct multipart *m, const char *p, size_t n)
{
	return n == 0 || m->state == MULTIPART_PREAMBLE ||
	    m->ops->data(m->ctx, p, n);
}

/* Preamble or content, up to a delimiter. */
static enum clq_status
content(struct multipart *m, const char *p, size_t n, size_t *used)
{
	size_t i = 0, from;
	const char *cr;

	while (i < n && m->matched < m->delimiter_len) {
		if (m->matched == 0) {
			from = i;
			cr = memchr(p + i, '\r', n - i);
			i = cr != NULL ? (size_t)(cr - p) : n;
			if (!hand_on(m, p + from, i - from))
				return CLQ_FAILED;
			if (cr != NULL) {
				m->matched = 1;
				i++;
			}
		} else if (p[i] == m->delimiter[m->matched]) {
			m->matched++;
			i++;
		} else {
			size_t k = m->matched - m->implied;

			from = m->implied;
			m->matched = m->implied = 0;
			if (!hand_on(m, m->delimiter + from, k))
				return CLQ_FAILED;
		}
	}
	*used = i;
	if (m->matched == m->delimiter_len) {
		m->state = MULTIPART_DELIMITER;
		m->implied = 0;
		m->nhead = 0;
	}
	return CLQ_OK;
}

/* One byte behind a delimiter: "--" ends the form, blanks and CRLF begin a
 * part. */
static enum clq_status
delimiter(struct multipart *m, char c)
{
	char before = m->nhead > 0 ? m->head[0] : '\0';

	if (before == '\0' && (c == ' ' || c == '\t'))
		return CLQ_OK;
	m->head[0] = c;
	m->nhead = 1;
	if (before == '\0' && (c == '-' || c == '\r'))
		return CLQ_OK;
	m->nhead = 0;
	if (before == '-' && c == '-') {
		m->state = MULTIPART_END;
		return CLQ_OK;
	}
	if (before != '\r' || c != '\n')
		return invalid(m, "a delimiter is followed by something else "
		    "than the end of the line");
	if (++m->nparts > MULTIPART_MAX_PARTS)
		return invalid(m, "too many parts");
	m->state = MULTIPART_HEADERS;
	return CLQ_OK;
}

/* Headers, up to the empty line. */
static enum clq_status
headers(struct multipart *m, char c)
{
	struct multipart_part part;

	if (m->nhead == sizeof m->head)
		return invalid(m, "the headers of a part are too long");
	m->head[m->nhead++] = c;
	if (m->nhead < 4 || memcmp(m->head + m->nhead - 4, "\r\n\r\n", 4) != 0)
		return CLQ_OK;
	if (!part_head_parse(m, &part))
		return CLQ_INVALID;
	m->state = MULTIPART_CONTENT;
	/* the CRLF of the empty line may be that of a delimiter, too */
	m->matched = m->implied = 2;
	return m->ops->part(m->ctx, &part) ? CLQ_OK : CLQ_FAILED;
}

enum clq_status
multipart_feed(struct multipart *m, const char *p, size_t n)
{
	enum clq_status rc = CLQ_OK;
	size_t i = 0, used;

	while (i < n && rc == CLQ_OK) {
		used = 1;
		switch (m->state) {
		case MULTIPART_PREAMBLE:
		case MULTIPART_CONTENT:
			rc = content(m, p + i, n - i, &used);
			break;
		case MULTIPART_DELIMITER:
			rc = delimiter(m, p[i]);
			break;
		case MULTIPART_HEADERS:
			rc = headers(m, p[i]);
			break;
		case MULTIPART_END:
			return CLQ_OK;
		}
		i += used;
	}
	return rc;
}

enum clq_status
multipart_finish(struct multipart *m)
{
	return m->state == MULTIPART_END ? CLQ_OK :
	    invalid(m, "the form ends before its last delimiter");
}
