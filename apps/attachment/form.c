/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the form of an upload (see attachment.h).
 *
 * The body passes through in pieces: the file into a file, with its hash; the
 * fields `data` and `permissions` into memory, together no more than
 * max_body_bytes. The first thing that is wrong is remembered and the rest is
 * still read, so that the order of the parts does not decide which error wins,
 * and the size of a file that is too large can be told.
 */
#include "attachment.h"

#include "multipart.h"

enum { PIECE = 64 << 10 };

enum field {
	FIELD_FILE,
	FIELD_DATA,
	FIELD_PERMISSIONS,
	FIELD_OTHER
};

struct reading {
	struct attachment_form	*form;
	struct multipart	 parser;
	enum field		 field;		/* of the part being read */
	bool			 seen[FIELD_OTHER];
	bool			 store;		/* the file is wanted so far */
	bool			 no_name;	/* `attachment` is a plain field */
	uint64_t		 max_size;
	size_t			 room;		/* bytes left for fields */
	struct clq_sha256	*sha;
	struct clq_buf		 text[FIELD_OTHER];
	const char		*wrong;		/* 400 errno 109 */
	bool			 too_large;	/* fields: 413 */
	bool			 broken;	/* the disk */
};

static const char *const names[] = {
	[FIELD_FILE]		= "attachment",
	[FIELD_DATA]		= "data",
	[FIELD_PERMISSIONS]	= "permissions",
};
_Static_assert(CLQ_COUNT(names) == FIELD_OTHER, "");

/* ---- parts -------------------------------------------------------------- */

static void
wrong(struct reading *r, const char *fmt, struct clq_str name)
{
	if (r->wrong == NULL)
		r->wrong = clq_arena_printf(clq_request_arena(r->form->req),
		    fmt, CLQ_FMT(name)).p;
}

static bool
begin_file(struct reading *r, const struct multipart_part *part)
{
	struct attachment_form *form = r->form;
	struct clq_arena *arena = clq_request_arena(form->req);

	if (part->filename.p == NULL) {
		r->no_name = true;
		return true;
	}
	form->filename = clq_arena_strdup(arena, part->filename);
	form->type = clq_arena_strdup(arena, attachment_mimetype(form->req,
	    part->filename, part->type));
	r->sha = clq_sha256_new(arena);
	r->store = part->filename.len > 0 &&
	    attachment_extension_allowed(form->req, part->filename);
	r->broken = r->store && !attachment_file_begin(form->req,
	    &form->file);
	return !r->broken;
}

static bool
on_part(void *ctx, const struct multipart_part *part)
{
	struct reading *r = ctx;
	size_t i = 0;

	while (i < FIELD_OTHER && !clq_str_is(part->name, names[i]))
		i++;
	r->field = (enum field)i;
	if (r->field == FIELD_OTHER) {
		wrong(r, "body: '%.*s' not in ('data', 'permissions')",
		    part->name);
		return true;
	}
	if (r->seen[i]) {
		wrong(r, "body: '%.*s' was sent more than once", part->name);
		r->field = FIELD_OTHER;		/* the first one counts */
		return true;
	}
	r->seen[i] = true;
	if (r->field == FIELD_FILE)
		return begin_file(r, part);
	if (part->filename.p != NULL)
		wrong(r, "body: '%.*s' field should be passed as form data, "
		    "not files", part->name);
	clq_buf_init(&r->text[i], clq_request_arena(r->form->req), 1024);
	return true;
}

static bool
on_file_data(struct reading *r, const char *p, size_t n)
{
	struct attachment_form *form = r->form;

	if (form->filename.p == NULL)
		return true;
	form->size += n;
	if (!r->store || form->size > r->max_size)
		return true;
	clq_sha256_add(r->sha, p, n);
	r->broken = !attachment_file_write(&form->file, p, n);
	return !r->broken;
}

static bool
on_data(void *ctx, const char *p, size_t n)
{
	struct reading *r = ctx;

	if (r->field == FIELD_FILE)
		return on_file_data(r, p, n);
	if (r->field == FIELD_OTHER)
		return true;
	if (n > r->room) {
		r->too_large = true;
		return false;
	}
	r->room -= n;
	clq_buf_add(&r->text[r->field], (struct clq_str){ p, n });
	return true;
}

static const struct multipart_ops ops = { on_part, on_data };

/* ---- the body ----------------------------------------------------------- */

static enum clq_status
no_disk(struct clq_request *req)
{
	return clq_fail(req, CLQ_ERRNO_BACKEND,
	    "The file could not be stored.");
}

/* Through the parser; the file is complete and durable afterwards. */
static enum clq_status
read_body(struct reading *r, struct clq_str boundary)
{
	struct clq_request *req = r->form->req;
	char *piece = clq_arena_alloc(clq_request_arena(req), PIECE);
	enum clq_status rc = CLQ_OK;
	uint64_t at = 0;
	ssize_t n;

	multipart_begin(&r->parser, boundary, &ops, r);
	while (rc == CLQ_OK &&
	    (n = clq_request_body_read(req, at, piece, PIECE)) != 0) {
		if (n == -1)
			return no_disk(req);
		at += (uint64_t)n;
		rc = multipart_feed(&r->parser, piece, (size_t)n);
	}
	if (rc == CLQ_OK)
		rc = multipart_finish(&r->parser);
	if (r->broken)
		return no_disk(req);
	if (r->too_large)
		return clq_fail(req, CLQ_ERRNO_REQUEST_TOO_LARGE, NULL);
	if (rc == CLQ_INVALID)
		return attachment_refuse(req,
		    CLQ_ERRNO_INVALID_PARAMETERS, clq_arena_printf(
		    clq_request_arena(req), "Invalid multipart form: %s.",
		    r->parser.why).p);
	return rc;
}

/* ---- is it what it should be? ------------------------------------------- */

static enum clq_status
invalid(struct clq_request *req, const char *description)
{
	return clq_invalid(req, "body", (struct clq_str){ NULL, 0 }, "%s",
	    description);
}

static enum clq_status
check_file(struct reading *r)
{
	struct attachment_form *form = r->form;
	struct clq_arena *arena = clq_request_arena(form->req);

	if (!r->seen[FIELD_FILE])
		return attachment_refuse(form->req,
		    CLQ_ERRNO_INVALID_POSTED_DATA, "Attachment missing.");
	if (r->no_name || form->filename.len == 0)
		return invalid(form->req, "Filename is required.");
	if (form->size > r->max_size)
		return invalid(form->req, clq_arena_printf(arena,
		    "File size (%llu bytes) exceeds the limit (%llu bytes).",
		    (unsigned long long)form->size,
		    (unsigned long long)r->max_size).p);
	if (!r->store)
		return invalid(form->req, "File extension is not allowed.");
	if (!attachment_file_end(&form->file))
		return no_disk(form->req);
	form->hash = clq_sha256_end(r->sha, arena);
	return CLQ_OK;
}

static enum clq_status
parse_field(struct reading *r, enum field field, cJSON **out)
{
	struct clq_request *req = r->form->req;
	struct clq_arena *arena = clq_request_arena(req);
	struct clq_str why;

	*out = NULL;
	if (!r->seen[field])
		return CLQ_OK;
	if (clq_json_parse(arena, clq_buf_str(&r->text[field]), out, &why) !=
	    CLQ_OK)
		return attachment_refuse(req, CLQ_ERRNO_INVALID_POSTED_DATA,
		    clq_arena_printf(arena, "body: %s is not valid JSON "
		    "(%.*s)", names[field], CLQ_FMT(why)).p);
	if (!cJSON_IsObject(*out))
		return attachment_refuse(req, CLQ_ERRNO_INVALID_POSTED_DATA,
		    clq_arena_printf(arena, "body: %s is not an object",
		    names[field]).p);
	return CLQ_OK;
}

enum clq_status
attachment_form_read(struct clq_request *req, struct clq_str collection,
    struct attachment_form *form)
{
	struct clq_str type = clq_request_header(req, "Content-Type");
	struct clq_str boundary;
	struct reading *r = clq_arena_alloc(clq_request_arena(req),
	    sizeof *r);
	enum clq_status rc;

	form->req = req;
	r->form = form;
	r->max_size = attachment_max_size(req, collection);
	r->room = (size_t)clq_settings_int(clq_server_settings(
	    clq_request_server(req)), "max_body_bytes", 16 << 20);
	if (!clq_str_caseis(clq_str_trim(clq_str_sub(type, 0,
	    clq_str_find(type, ';', 0))), "multipart/form-data"))
		return attachment_refuse(req, CLQ_ERRNO_INVALID_PARAMETERS,
		    "Content-Type should be multipart/form-data");
	if (!multipart_boundary(type, &boundary))
		return attachment_refuse(req, CLQ_ERRNO_INVALID_PARAMETERS,
		    "Invalid boundary in multipart form");
	if ((rc = read_body(r, boundary)) != CLQ_OK ||
	    (rc = check_file(r)) != CLQ_OK)
		return rc;
	if (r->wrong != NULL)
		return attachment_refuse(req, CLQ_ERRNO_INVALID_POSTED_DATA,
		    r->wrong);
	if ((rc = parse_field(r, FIELD_DATA, &form->data)) != CLQ_OK)
		return rc;
	return parse_field(r, FIELD_PERMISSIONS, &form->permissions);
}
