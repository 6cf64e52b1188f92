/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to the remote Kinto, by libcurl: connections are kept, certificates
 * verified, time and sizes bounded; redirects are not followed, since
 * credentials go along.
 *
 * What only reads is asked once more if there was no answer, or 503 without
 * a wish to wait; what changes something is not, since it may have been done.
 */
#include "storage/kinto.h"

#include <cliquet/clock.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include <stdio.h>
#include <unistd.h>

enum {
	HEADER_MAX = 65536		/* bytes of an Authorization */
};

/* An answer while it comes in. */
struct incoming {
	struct kr_call		*call;
	struct clq_arena	*arena;
	struct clq_buf		 body;
};

void
kr_hang_up(struct kr *k)
{
	/* a handle of the parent is its parent's */
	if (k->curl != NULL && k->pid == getpid())
		curl_easy_cleanup(k->curl);
	k->curl = NULL;
}

static CURL *
handle(struct kr *k)
{
	if (k->curl == NULL || k->pid != getpid()) {
		k->curl = curl_easy_init();
		k->pid = getpid();
	} else {
		curl_easy_reset(k->curl);	/* connections stay */
	}
	return k->curl;
}

struct clq_str
kr_login(const struct kr *k)
{
	struct clq_str none = { NULL, 0 }, v;

	if (k->login.p != NULL || k->req == NULL)
		return k->login;
	v = clq_request_header(k->req, "Authorization");
	for (size_t i = 0; i < v.len; i++)
		if ((unsigned char)v.p[i] < ' ' || v.p[i] == 127)
			return none;	/* it would be more than a header */
	return v.len > 0 && v.len < HEADER_MAX ? v : none;
}

/* ---- what comes back ----------------------------------------------------- */

static size_t
take_body(char *piece, size_t size, size_t n, void *ctx)
{
	struct incoming *in = ctx;

	clq_buf_add(&in->body, (struct clq_str){ piece, size * n });
	return clq_buf_ok(&in->body) ? size * n : 0;
}

static bool
header(struct clq_str line, const char *name, struct clq_str *value)
{
	size_t colon = clq_str_find(line, ':', 0);

	if (!clq_str_caseis(clq_str_sub(line, 0, colon), name))
		return false;
	*value = clq_str_trim(clq_str_sub(line, colon + 1, line.len));
	return true;
}

static size_t
take_header(char *piece, size_t size, size_t n, void *ctx)
{
	struct incoming *in = ctx;
	struct clq_str line = { piece, size * n }, v;
	struct kr_call *call = in->call;
	int64_t number;

	if (header(line, "ETag", &v) && v.len > 2 &&
	    clq_str_int(clq_str_sub(v, 1, v.len - 1), &number))
		call->etag = number;
	else if ((header(line, "Total-Objects", &v) ||
	    header(line, "Total-Records", &v)) && clq_str_int(v, &number))
		call->total = number;
	else if (header(line, "Next-Page", &v) && v.len < 8192)
		call->next = clq_arena_strdup(in->arena, clq_str_sub(v,
		    clq_str_find(v, '?', 0), v.len));
	return size * n;
}

/* ---- what goes out ------------------------------------------------------- */

static struct curl_slist *
headers(struct kr *k, const struct kr_call *call, struct clq_arena *arena)
{
	struct clq_str login = call->login.p != NULL ? call->login :
	    kr_login(k);
	struct curl_slist *list = NULL;

	list = curl_slist_append(list, "Accept: application/json");
	/* no waiting for 100 Continue */
	list = curl_slist_append(list, "Expect:");
	if (call->body.p != NULL)
		list = curl_slist_append(list,
		    "Content-Type: application/json");
	if (login.len > 0)
		list = curl_slist_append(list, clq_arena_printf(arena,
		    "Authorization: %.*s", CLQ_FMT(login)).p);
	if (call->condition == KR_IF_MISSING)
		list = curl_slist_append(list, "If-None-Match: *");
	else if (call->condition == KR_IF_MATCH)
		list = curl_slist_append(list, clq_arena_printf(arena,
		    "If-Match: \"%lld\"", (long long)call->time).p);
	return list;
}

static bool
set_up(struct kr *k, CURL *c, struct incoming *in, struct curl_slist *list,
    char *error)
{
	const struct kr_call *call = in->call;
	clq_msec limit = call->limit > 0 && call->limit < k->timeout ?
	    call->limit : k->timeout;
	struct clq_str url = clq_arena_printf(in->arena, "%.*s%.*s",
	    CLQ_FMT(k->base), CLQ_FMT(call->path));
	CURLcode rc = CURLE_OK;

#define SET(option, value)	\
	rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, option, value)
	SET(CURLOPT_URL, url.p);
	SET(CURLOPT_ERRORBUFFER, error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)limit);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(limit < k->connect_timeout ?
	    limit : k->connect_timeout));
	SET(CURLOPT_USERAGENT, "cliquet");
	SET(CURLOPT_HTTPHEADER, list);
	SET(CURLOPT_CUSTOMREQUEST, call->method);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, in);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, in);
	if (strcmp(call->method, "HEAD") == 0)
		SET(CURLOPT_NOBODY, 1L);
	if (call->body.p != NULL) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
		SET(CURLOPT_POSTFIELDS, call->body.p);
	}
#undef SET
	return rc == CURLE_OK;
}

/* One attempt; false: no answer, and said why in *why. */
static bool
attempt(struct kr *k, struct clq_arena *arena, struct kr_call *call,
    const char **why)
{
	struct incoming in = { .call = call, .arena = arena };
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *list = headers(k, call, arena);
	CURL *c = handle(k);
	CURLcode rc = CURLE_FAILED_INIT;
	long status = 0;

	call->status = call->errno_ = 0;
	call->etag = 0;
	call->total = -1;
	call->next = (struct clq_str){ NULL, 0 };
	clq_buf_init(&in.body, arena, 1024);
	in.body.limit = k->max_bytes;
	if (c != NULL && set_up(k, c, &in, list, error))
		rc = curl_easy_perform(c);
	if (rc == CURLE_OK)
		rc = curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	call->status = (int)status;
	call->text = clq_buf_ok(&in.body) ? clq_buf_str(&in.body) :
	    CLQ_STR("");
	*why = !clq_buf_ok(&in.body) ? "the answer is larger than "
	    "storage_max_answer_bytes" : clq_arena_printf(arena, "%s",
	    error[0] != '\0' ? error : curl_easy_strerror(rc)).p;
	if (c != NULL)		/* it must not look at our stack any more */
		curl_easy_reset(c);
	curl_slist_free_all(list);
	return rc == CURLE_OK && status != 0;
}

/* ---- what it means ------------------------------------------------------- */

static void
parse(struct clq_arena *arena, struct kr_call *call)
{
	struct clq_str why;
	int64_t n;

	call->tree = NULL;
	if (call->text.len == 0 || clq_json_parse(arena, call->text,
	    &call->tree, &why) != CLQ_OK || !cJSON_IsObject(call->tree))
		call->tree = NULL;
	if (call->tree != NULL && call->status >= 400 &&
	    clq_json_int(clq_json_get(call->tree, "errno"), &n))
		call->errno_ = (int)n;
}

/* Who sent the request has nothing to do with a login of ours. */
static enum clq_status
unauthorized(struct kr *k)
{
	if (k->login.p != NULL || k->req == NULL) {
		clq_log_err("remote Kinto: it does not know the account of "
		    "storage_url");
		return CLQ_UNAVAILABLE;
	}
	(void)clq_fail(k->req, CLQ_ERRNO_MISSING_AUTH_TOKEN, NULL);
	return CLQ_FAILED;
}

enum clq_status
kr_forbidden(struct kr *k)
{
	if (k->login.p != NULL || k->req == NULL) {
		clq_log_err("remote Kinto: the account of storage_url may "
		    "not use the bucket %.*s", CLQ_FMT(k->bucket));
		return CLQ_UNAVAILABLE;
	}
	(void)clq_fail(k->req, CLQ_ERRNO_FORBIDDEN, NULL);
	return CLQ_FAILED;
}

static enum clq_status
meaning(struct kr *k, const struct kr_call *call)
{
	int s = call->status;

	if ((s >= 200 && s < 300) || s == 304 || s == 403 || s == 404 ||
	    s == 409 || s == 412)
		return CLQ_OK;
	if (s == 401)
		return unauthorized(k);
	if (s == 405 && strcmp(call->method, "GET") != 0 &&
	    strcmp(call->method, "HEAD") != 0)
		return CLQ_READONLY;
	clq_log_err("remote Kinto: %s %.*s: %d %.*s", call->method,
	    CLQ_FMT(clq_str_sub(call->path, 0, 200)), s,
	    CLQ_FMT(clq_str_sub(call->text, 0, 300)));
	return s >= 500 || s == 429 ? CLQ_UNAVAILABLE : CLQ_FAILED;
}

enum clq_status
kr_ask(struct kr *k, struct clq_arena *arena, struct kr_call *call)
{
	bool reads = strcmp(call->method, "GET") == 0 ||
	    strcmp(call->method, "HEAD") == 0;
	clq_msec began = clq_monotonic();
	const char *why;
	bool answered;

	answered = attempt(k, arena, call, &why);
	/* one more try, but not after a long wait */
	if (reads && (!answered || call->status == 503) &&
	    clq_monotonic() - began < k->timeout / 4)
		answered = attempt(k, arena, call, &why);
	if (!answered) {
		clq_log_err("remote Kinto: %s %.*s: %s", call->method,
		    CLQ_FMT(clq_str_sub(call->path, 0, 200)), why);
		return CLQ_UNAVAILABLE;
	}
	parse(arena, call);
	return meaning(k, call);
}
