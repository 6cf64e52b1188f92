/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at FastCGI records before libfcgi sees them.
 *
 * libfcgi reads with blocking calls, believes every length it is told and
 * loses its place on padding where it expects none. So a request is handed to
 * it only when the whole of it is there and has been found sound. The scanner
 * follows the records of one connection, byte by byte if they come so; it
 * answers or ignores what is not part of a request, and it bounds parameters
 * and body. It does no I/O, but for bodies that go to a file (bodyfile.h). In
 * a worker.
 */
#ifndef CLQ_FCGI_SCAN_H
#define CLQ_FCGI_SCAN_H

#include <cliquet/types.h>

enum {
	CLQ_FCGI_HEAD = 8,		/* bytes of a record's header */
	CLQ_FCGI_MAX_CONTENT = 65535,	/* bytes of a record's content */
	CLQ_FCGI_MAX_PAIRS = 500	/* parameters of a request */
};

/* Record types of the FastCGI specification, chapter 8. */
enum clq_fcgi_type {
	CLQ_FCGI_BEGIN_REQUEST = 1,
	CLQ_FCGI_ABORT_REQUEST = 2,
	CLQ_FCGI_END_REQUEST = 3,
	CLQ_FCGI_PARAMS = 4,
	CLQ_FCGI_STDIN = 5,
	CLQ_FCGI_STDOUT = 6,
	CLQ_FCGI_STDERR = 7,
	CLQ_FCGI_DATA = 8,
	CLQ_FCGI_GET_VALUES = 9,
	CLQ_FCGI_GET_VALUES_RESULT = 10,
	CLQ_FCGI_UNKNOWN_TYPE = 11
};

/* Bytes that grow, outside any arena: they outlive several requests. */
struct clq_bytes {
	unsigned char	*p;
	size_t		 len;
	size_t		 cap;
};

/* Append n bytes; false (and unchanged) if there is no memory. */
bool clq_bytes_add(struct clq_bytes *b, const void *p, size_t n);
void clq_bytes_free(struct clq_bytes *b);

enum clq_scan_verdict {
	CLQ_SCAN_MORE,		/* all bytes taken, the request is incomplete */
	CLQ_SCAN_DONE,		/* the request is complete */
	CLQ_SCAN_BROKEN		/* not FastCGI, or no memory: close */
};

struct clq_scan;

/* Parameters are complete: set max_body and body_fd if this request may have
 * another body than usual. Not called when dry. */
typedef void clq_scan_room_f(struct clq_scan *s, const void *ctx);

struct clq_scan {
	/* the record being read */
	unsigned char		 head[CLQ_FCGI_HEAD];
	size_t			 nhead;
	unsigned		 type;
	unsigned		 id;
	size_t			 content;	/* bytes still to come */
	size_t			 padding;	/* bytes still to come */
	unsigned char		 small[256];	/* content of short records */
	size_t			 nsmall;

	/* the request */
	bool			 begun;
	bool			 aborted;
	bool			 params_done;
	bool			 ended;		/* STDIN is at its end */
	bool			 keep;		/* FCGI_KEEP_CONN */
	uint16_t		 request_id;
	size_t			 nparams;	/* bytes seen */
	size_t			 nbody;		/* bytes seen */
	int			 refused;	/* errno of section 02-2, or 0 */

	/* what libfcgi may read as it came: nothing in it that confuses it */
	bool			 plain;
	const unsigned char	*one_params;	/* dry: the only params record */

	/* kept bytes; not used when dry */
	bool			 dry;
	struct clq_bytes	 params;
	struct clq_bytes	 body;
	struct clq_bytes	 reply;		/* records to send back */
	size_t			 max_params;
	size_t			 max_body;
	size_t			 usual_body;	/* max_body without room */

	clq_scan_room_f		*room;		/* or NULL */
	const void		*room_ctx;
	bool			 in_file;	/* the body, instead of in memory */
	int			 body_fd;	/* if so */
};

/*
 * Ready for the next request of a connection.
 *
 * dry         only look: keep nothing, answer nothing
 * max_params  bytes of names and values
 * max_body    bytes
 */
void clq_scan_start(struct clq_scan *s, bool dry, size_t max_params,
    size_t max_body);

/*
 * Take up to n bytes. *used is how many; less than n only after DONE. After
 * DONE, `plain`, `refused`, `keep` and the kept bytes tell about the request:
 * if refused is 0, params is well-formed and bounded, body is bounded.
 */
enum clq_scan_verdict clq_scan_feed(struct clq_scan *s,
    const unsigned char *p, size_t n, size_t *used) CLQ_MUST_CHECK;

/* Free the kept bytes. */
void clq_scan_free(struct clq_scan *s);

/*
 * Call fn for each name and value of a PARAMS stream; ctx is passed on, fn may
 * be NULL. False if it is malformed, holds a NUL or more than max pairs: what
 * came before has been told.
 */
typedef void clq_param_f(void *ctx, struct clq_str name, struct clq_str value);
bool clq_params_each(const unsigned char *p, size_t len, size_t max,
    clq_param_f *fn, void *ctx);

/* Write a record header to out[CLQ_FCGI_HEAD]. */
void clq_fcgi_head(unsigned char *out, enum clq_fcgi_type type, unsigned id,
    size_t content);

#endif
