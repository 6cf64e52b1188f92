/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error registry and the error body (section 02).
 *
 * Views and steps of the pipeline note a failure with clq_fail() or, for the
 * collected validation errors, clq_invalid(); nothing is written until dispatch
 * has undone the transaction and calls clq_error_render(). The first failure
 * is the answer, because the order of the checks is the protocol (01-2).
 */
#include "error.h"

#include <cliquet/log.h>
#include <cliquet/str.h>

#include <execinfo.h>
#include <inttypes.h>
#include <stdlib.h>

#include "auth.h"
#include "backtrace.h"
#include "response.h"
#include "server.h"

struct registry_row {
	int		 errno_;
	int		 status;
	const char	*message;
};

static const struct registry_row registry[] = {
#define CLQ_ERROR(name, status, message)	\
	{ CLQ_ERRNO_##name, status, message },
#include "errors.def"
#undef CLQ_ERROR
};

static const struct registry_row *
registry_find(int errno_)
{
	for (size_t i = 0; i < CLQ_COUNT(registry); i++)
		if (registry[i].errno_ == errno_)
			return &registry[i];
	return NULL;
}

int
clq_error_status(const struct clq_request *req)
{
	const struct registry_row *row;

	if (req->error.errno_ == 0)
		return 0;
	if (req->error.status != 0)
		return req->error.status;
	row = registry_find(req->error.errno_);
	return row != NULL ? row->status : 500;
}

/* What a failing function returns: the caller's fault, or ours. */
static enum clq_status
fail_status(const struct clq_request *req)
{
	int status = clq_error_status(req);

	return status >= 400 && status < 500 ? CLQ_INVALID : CLQ_FAILED;
}

/* Where an internal error was noticed; told by clq_error_render(), if it is
 * still one by then. */
static void
note_frames(struct clq_request *req)
{
	req->error.frames = clq_arena_calloc(req->arena, CLQ_FRAMES_MAX,
	    sizeof *req->error.frames);
	req->error.nframes = backtrace(req->error.frames, CLQ_FRAMES_MAX);
}

enum clq_status
clq_fail(struct clq_request *req, int errno_, const char *fmt, ...)
{
	const struct registry_row *row;
	va_list ap;

	if (req->error.errno_ != 0)	/* the first failure is the cause */
		return fail_status(req);
	req->error.errno_ = errno_;
	if (errno_ == CLQ_ERRNO_UNDEFINED)
		note_frames(req);
	if (fmt != NULL) {
		va_start(ap, fmt);
		req->error.message = clq_arena_vprintf(req->arena, fmt, ap);
		va_end(ap);
	} else {
		row = registry_find(errno_);
		req->error.message = clq_str_of(row != NULL ?
		    row->message : NULL);
	}
	return fail_status(req);
}

void
clq_fail_as(struct clq_request *req, int status, const char *title)
{
	if (req->error.errno_ == 0)
		return;
	if (status != 0)
		req->error.status = status;
	if (title != NULL)
		req->error.title = title;
}

void
clq_fail_details(struct clq_request *req, const cJSON *details)
{
	if (req->error.errno_ != 0)
		req->error.details = details;
}

/* One more validation error; NULL if the request has failed before. */
static struct clq_detail *
new_detail(struct clq_request *req, const char *location)
{
	struct clq_error *e = &req->error;
	struct clq_detail *d;

	if (e->errno_ != 0 && e->ninvalid == 0)
		return NULL;
	e->errno_ = CLQ_ERRNO_INVALID_PARAMETERS;
	e->invalid = clq_arena_grow(req->arena, e->invalid,
	    e->ninvalid * sizeof *e->invalid,
	    (e->ninvalid + 1) * sizeof *e->invalid);
	d = &e->invalid[e->ninvalid++];
	memset(d, 0, sizeof *d);
	d->location = location;
	return d;
}

enum clq_status
clq_invalid(struct clq_request *req, const char *location, struct clq_str name,
    const char *fmt, ...)
{
	struct clq_detail *d = new_detail(req, location);
	va_list ap;

	if (d == NULL)
		return fail_status(req);
	if (name.p != NULL)
		d->name = clq_arena_strdup(req->arena, name);
	va_start(ap, fmt);
	d->description = clq_arena_vprintf(req->arena, fmt, ap);
	va_end(ap);
	return CLQ_INVALID;
}

enum clq_status
clq_invalid_index(struct clq_request *req, const char *location,
    int64_t index, const char *fmt, ...)
{
	struct clq_detail *d = new_detail(req, location);
	va_list ap;

	if (d == NULL)
		return fail_status(req);
	d->name = clq_arena_printf(req->arena, "%" PRId64, index);
	d->name_is_number = true;
	va_start(ap, fmt);
	d->description = clq_arena_vprintf(req->arena, fmt, ap);
	va_end(ap);
	return CLQ_INVALID;
}

static const char *
status_name(enum clq_status status)
{
	return status == CLQ_NOT_FOUND ? "CLQ_NOT_FOUND" :
	    status == CLQ_INVALID ? "CLQ_INVALID" :
	    status == CLQ_FAILED ? "CLQ_FAILED" :
	    status == CLQ_DONE ? "CLQ_DONE and no answer" :
	    status == CLQ_OK ? "CLQ_OK and no answer" :
	    "a number that is no status";
}

void
clq_error_of_status(struct clq_request *req, enum clq_status status)
{
	switch (status) {
	case CLQ_UNAVAILABLE:
	case CLQ_RETRY:
		(void)clq_fail(req, CLQ_ERRNO_BACKEND, NULL);
		break;
	case CLQ_READONLY:
		(void)clq_fail(req, CLQ_ERRNO_BACKEND,
		    "Resource timestamp cannot be written. Plural endpoint "
		    "must be hit at least once from a writable instance.");
		break;
	case CLQ_CONFLICT:
		(void)clq_fail(req, CLQ_ERRNO_CONSTRAINT_VIOLATED, NULL);
		break;
	case CLQ_OK:
	case CLQ_NOT_FOUND:
	case CLQ_INVALID:
	case CLQ_FAILED:
	case CLQ_DONE:
	default:		/* a plugin may return anything */
		if (req->error.errno_ == 0)
			clq_log_err("%.*s %.*s: the view failed (%s) without "
			    "saying why", CLQ_FMT(req->method_name),
			    CLQ_FMT(req->path), status_name(status));
		(void)clq_fail(req, CLQ_ERRNO_UNDEFINED, NULL);
		break;
	}
}

enum clq_status
clq_error_of_hook(struct clq_request *req, const char *resource,
    const char *hook, enum clq_status status)
{
	if (status == CLQ_OK || req->error.errno_ != 0 ||
	    status == CLQ_UNAVAILABLE || status == CLQ_RETRY ||
	    status == CLQ_READONLY || status == CLQ_CONFLICT ||
	    (status == CLQ_DONE && clq_response_ready(req)))
		return status;
	clq_log_err("%.*s %.*s: the hook `%s` of the resource %s failed (%s) "
	    "without saying why", CLQ_FMT(req->method_name),
	    CLQ_FMT(req->path), hook, resource, status_name(status));
	return clq_fail(req, CLQ_ERRNO_UNDEFINED, NULL);
}

/* Bytewise order of the names as text, null as "None"; the order of arrival
 * among equals, for which the array's addresses stand. */
static int
detail_cmp(const void *pa, const void *pb)
{
	const struct clq_detail *a = *(const struct clq_detail *const *)pa;
	const struct clq_detail *b = *(const struct clq_detail *const *)pb;
	struct clq_str none = CLQ_STR("None");
	int c = clq_str_cmp(a->name.p != NULL ? a->name : none,
	    b->name.p != NULL ? b->name : none);

	return c != 0 ? c : (a > b) - (a < b);
}

static void
add_text(struct clq_buf *b, const char *key, struct clq_str value)
{
	clq_buf_addc(b, ',');
	clq_buf_json_str(b, clq_str_of(key));
	clq_buf_addc(b, ':');
	clq_buf_json_str(b, clq_text_clean(b->arena, value));
}

/* The message that stands for all details, section 02-4. */
static struct clq_str
detail_message(struct clq_arena *arena, const struct clq_detail *d)
{
	if (d->name.p == NULL)
		return clq_arena_printf(arena, "%s: %.*s", d->location,
		    CLQ_FMT(d->description));
	if (d->name.len == 0 ||
	    clq_str_search(d->description, d->name) < d->description.len)
		return d->description;
	return clq_arena_printf(arena, "%.*s in %s: %.*s", CLQ_FMT(d->name),
	    d->location, CLQ_FMT(d->description));
}

static void
add_detail(struct clq_buf *b, const struct clq_detail *d)
{
	clq_buf_adds(b, "{\"location\":");
	clq_buf_json_str(b, clq_str_of(d->location));
	clq_buf_adds(b, ",\"name\":");
	if (d->name.p == NULL)
		clq_buf_adds(b, "null");
	else if (d->name_is_number)
		clq_buf_add(b, d->name);
	else
		clq_buf_json_str(b, clq_text_clean(b->arena, d->name));
	add_text(b, "description", d->description);
	clq_buf_addc(b, '}');
}

static void
add_invalid(struct clq_buf *b, const struct clq_error *e)
{
	const struct clq_detail **sorted = clq_arena_calloc(b->arena,
	    e->ninvalid, sizeof *sorted);

	for (size_t i = 0; i < e->ninvalid; i++)
		sorted[i] = &e->invalid[i];
	qsort(sorted, e->ninvalid, sizeof *sorted, detail_cmp);
	add_text(b, "message", detail_message(b->arena, sorted[0]));
	clq_buf_adds(b, ",\"details\":[");
	for (size_t i = 0; i < e->ninvalid; i++) {
		if (i > 0)
			clq_buf_addc(b, ',');
		add_detail(b, sorted[i]);
	}
	clq_buf_addc(b, ']');
}

static struct clq_str
error_body(struct clq_request *req, int status)
{
	const struct clq_error *e = &req->error;
	struct clq_str info = { 0 };
	const char *title = e->title;
	struct clq_buf b;

	if (title == NULL)
		title = e->ninvalid > 0 ? "Invalid parameters" :
		    clq_reason(status);
	clq_buf_init(&b, req->arena, 256);
	clq_buf_printf(&b, "{\"code\":%d,\"errno\":%d", status, e->errno_);
	add_text(&b, "error", clq_str_of(title));
	if (e->ninvalid > 0) {
		add_invalid(&b, e);
		clq_buf_addc(&b, '}');
		return clq_buf_str(&b);
	}
	if (e->message.len > 0)
		add_text(&b, "message", e->message);
	if (e->errno_ == CLQ_ERRNO_UNDEFINED && status == 500)
		info = clq_settings_str(req->server->settings,
		    "error_info_link");
	if (info.len > 0)
		add_text(&b, "info", info);
	if (e->details != NULL && (e->details->child != NULL ||
	    !(cJSON_IsObject(e->details) || cJSON_IsArray(e->details)))) {
		clq_buf_adds(&b, ",\"details\":");
		clq_json_print(&b, e->details);
	}
	clq_buf_addc(&b, '}');
	return clq_buf_str(&b);
}

/* A view may have prepared a success before it failed; only what an error
 * answer carries as well survives. */
static void
keep_error_headers(struct clq_request *req)
{
	static const char *const kept[] = { "Allow", "ETag", "Last-Modified" };
	struct clq_pairs old = req->response.headers;
	struct clq_str value;

	memset(&req->response.headers, 0, sizeof req->response.headers);
	for (size_t i = 0; i < CLQ_COUNT(kept); i++) {
		value = clq_pairs_get(&old, kept[i]);
		if (value.p != NULL)
			clq_set_header(req, kept[i], value);
	}
}

/* An internal error: for whoever has to find out. The client learns nothing. */
static void
log_internal(struct clq_request *req)
{
	struct clq_buf b;

	clq_buf_init(&b, req->arena, 512);
	if (req->error.nframes > 0) {
		clq_buf_adds(&b, "; backtrace: ");
		clq_backtrace_text(&b, req->error.frames, req->error.nframes);
	}
	clq_log_err("internal error in %.*s %.*s (rid %.*s): %.*s%.*s",
	    CLQ_FMT(req->method_name), CLQ_FMT(req->path),
	    CLQ_FMT(req->summary.rid), CLQ_FMT(req->error.message),
	    CLQ_FMT(clq_buf_str(&b)));
}

void
clq_error_render(struct clq_request *req)
{
	int status = clq_error_status(req);

	if (status == 500 && !req->error.told)
		log_internal(req);

	keep_error_headers(req);
	clq_response_set(req, status, "application/json",
	    error_body(req, status), true);
	if (req->error.errno_ == CLQ_ERRNO_MISSING_AUTH_TOKEN)
		clq_auth_challenge(req);
	if (status == 503 || status == 409)
		clq_set_header(req, "Retry-After",
		    clq_arena_printf(req->arena, "%lld",
		    (long long)req->server->retry_after));
}
