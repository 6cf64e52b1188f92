/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request on its way through core, and the response it becomes.
 *
 * fcgi/ (or the batch view, or a test's loopback) fills the first part; each
 * step of the pipeline (dispatch.h) fills more. Everything lives in the arena.
 */
#ifndef CLQ_REQUEST_H
#define CLQ_REQUEST_H

#include <cliquet/app.h>

struct clq_route;		/* router.h */
struct clq_tx;			/* tx.h */
struct clq_event_list;		/* events.h */
struct clq_auth_memo;		/* auth.h */
struct clq_kept;		/* request.c */
struct clq_phases;		/* phases.h */

enum { CLQ_MAX_VARS = 8 };

struct clq_pair {
	struct clq_str	name;
	struct clq_str	value;
};

struct clq_pairs {
	struct clq_pair	*items;
	size_t		 n;
	size_t		 cap;
};

struct clq_response {
	int			 status;
	struct clq_pairs	 headers;
	struct clq_str		 body;		/* empty for HEAD and 304 */
	bool			 json;		/* body is JSON text (batch embeds it) */
};

/* One validation error, section 02-4. */
struct clq_detail {
	const char	*location;
	struct clq_str	 name;			/* absent: JSON null */
	struct clq_str	 description;
	bool		 name_is_number;	/* write name without quotes */
};

struct clq_error {
	int			 errno_;	/* 0: none yet */
	int			 status;	/* HTTP; 0: the registry's */
	const char		*title;		/* NULL: the reason phrase */
	struct clq_str		 message;
	const cJSON		*details;	/* clq_fail_details() */
	struct clq_detail	*invalid;	/* clq_invalid(), collected */
	size_t			 ninvalid;
	void			**frames;	/* of an internal error */
	int			 nframes;
	bool			 told;		/* the log says why, in words of
						   its own: nobody's bug */
};

struct clq_identity {
	bool		 resolved;		/* authentication was tried */
	struct clq_str	 policy;		/* absent: anonymous */
	struct clq_str	 userid;		/* without prefix */
	struct clq_str	 user;			/* "policy:userid"; absent: anonymous */
	struct clq_strs	 principals;		/* without groups */
	struct clq_strs	 groups;		/* from the last lookup */
	bool		 unavailable;		/* a policy could not tell: 503 */
};

/* What the request log wants to know, section 07-9. */
struct clq_summary {
	uint64_t	 started;		/* clq_ticks() */
	uint64_t	 ran;			/* ns of a sub-request, without
						   waiting for the others */
	struct clq_str	 rid;
	int64_t		 batch_size;		/* -1: not a batch */
};

struct clq_request {
	/* Filled by whoever received it. */
	struct clq_arena	*arena;
	struct clq_server	*server;
	struct clq_request	*parent;	/* the batch, or NULL */
	enum clq_method		 method;
	struct clq_str		 method_name;
	struct clq_str		 raw_path;	/* as sent, before '?' */
	struct clq_str		 raw_query;	/* as sent, without '?' */
	struct clq_str		 scheme;	/* "http" or "https" */
	struct clq_str		 host;		/* Host header, or name[:port] */
	struct clq_pairs	 headers;	/* "User-Agent": value */
	struct clq_str		 body;
	bool			 body_in_file;	/* and body is empty */
	int			 body_fd;	/* if so; closed by its owner */
	uint64_t		 body_file_len;	/* bytes */
	int			 refused;	/* errno found while reading it (112,
						   113, 107 ...); 0: fine */

	/* Filled by the pipeline. */
	struct clq_str		 path;		/* decoded, prefix included */
	struct clq_pairs	 params;	/* decoded query, in order */
	const struct clq_route	*route;
	struct clq_pair		 vars[CLQ_MAX_VARS];
	size_t			 nvars;
	struct clq_identity	 identity;
	struct clq_tx		*tx;		/* shared with sub-requests */
	struct clq_event_list	*events;	/* shared with sub-requests */
	struct clq_error	 error;
	struct clq_response	 response;
	struct clq_str		 alert;		/* Alert header, or absent */
	bool			 aliased;	/* clq_forward()ed once already */
	struct clq_str		 asked_path;	/* decoded; before clq_forward() */
	unsigned		 attempts;	/* runs so far, after CLQ_RETRY */
	bool			 json_tried;	/* clq_request_json() was called */
	cJSON			*json;		/* its result; NULL: was bad */
	cJSON			*inputs[CLQ_IN__COUNT]; /* clq_inputs_read() */
	bool			 origin_checked; /* clq_cors_check() */
	struct clq_auth_memo	*auth_memo;	/* of the outermost request */
	struct clq_kept		*kept;		/* clq_request_keep(); likewise */
	bool			 authenticating; /* a policy is being asked */
	bool			 trusted;	/* by the operator himself: every
						   access is granted */

	/*
	 * Set by a view whose answer needs what queued writes return: called
	 * once they are known, in the end after commit.
	 */
	clq_view_f		*render;
	void			*render_ctx;
	struct clq_summary	 summary;
	struct clq_phases	*phases;	/* NULL: nobody asked, or a
						   sub-request: its batch's */
};

/* A request with empty members over arena; for fcgi, batch and tests. */
CLQ_API struct clq_request *clq_request_new(struct clq_server *srv,
    struct clq_arena *arena);

CLQ_API void clq_pairs_add(struct clq_arena *arena, struct clq_pairs *pairs,
    struct clq_str name, struct clq_str value);

/*
 * How large a body may be, and where it is kept, for a request of which only
 * the line is known. False: as the settings say. folder: out, in the server's
 * memory.
 */
CLQ_API bool clq_request_room(const struct clq_server *srv,
    struct clq_str method, struct clq_str raw_path, uint64_t *max_body,
    const char **folder);

/* The file is the body; it is closed when the arena is reset. */
CLQ_API void clq_request_set_file(struct clq_request *req, int fd,
    uint64_t len);

/* First value of that name, any case; absent slice if none. */
CLQ_API struct clq_str clq_pairs_get(const struct clq_pairs *pairs,
    const char *name);

/* "GET" -> CLQ_METHOD_GET; CLQ_METHOD_OTHER if unknown (case-sensitive). */
CLQ_API enum clq_method clq_method_of(struct clq_str name);
CLQ_API const char *clq_method_name(enum clq_method method);

/* "Not Found" for 404; "Unknown" for a status without a standard phrase. */
CLQ_API const char *clq_reason(int status);

/*
 * Steps 1 and 4 of section 01-2: decode raw_path into path, raw_query into
 * params. CLQ_OK or CLQ_INVALID (400, clq_fail()ed).
 */
enum clq_status clq_request_decode_path(struct clq_request *req)
    CLQ_MUST_CHECK;
enum clq_status clq_request_decode_query(struct clq_request *req)
    CLQ_MUST_CHECK;

/* The text with whatever is not UTF-8 replaced by U+FFFD; unchanged if fine. */
struct clq_str clq_text_clean(struct clq_arena *arena, struct clq_str s);

/* "/v1/buckets/a" -> "/buckets/a" (decoded). */
struct clq_str clq_request_uri(const struct clq_request *req);

/* True for GET, HEAD, OPTIONS. */
bool clq_method_safe(enum clq_method method);

#endif
