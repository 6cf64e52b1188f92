/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a provider over HTTP, by libcurl: bounded in time and size, whatever
 * the other side does.
 *
 * One handle per process, so that its connections are kept and a question
 * costs no TLS handshake. A child must not use its parent's: the master closes
 * it before it forks, and who finds one of another process leaves it alone.
 * Certificates are verified; only http and https are spoken, and a redirect
 * may not change from one to the other.
 */
#include "openid.h"

#include <curl/curl.h>
#include <unistd.h>

enum {
	MAX_ANSWER = 256 << 10,		/* bytes */
	CONNECT_MS = 2000,
	MAX_REDIRECTS = 3
};

static CURL *handle;
static pid_t owner;		/* of handle */

static CURL *
own_handle(void)
{
	if (owner == getpid() && handle != NULL) {
		curl_easy_reset(handle);
		return handle;
	}
	handle = curl_easy_init();	/* another process's is not ours */
	owner = getpid();
	return handle;
}

void
openid_http_close(void)
{
	if (owner == getpid() && handle != NULL)
		curl_easy_cleanup(handle);
	handle = NULL;
}

/* What libcurl calls with each piece; less than all of it ends the transfer. */
static size_t
take(char *piece, size_t size, size_t n, void *ctx)
{
	struct clq_buf *b = ctx;

	clq_buf_add(b, (struct clq_str){ piece, size * n });
	return clq_buf_ok(b) ? size * n : 0;
}

/* True if all options were taken. */
static bool
set_up(CURL *c, const struct openid_call *call, struct clq_buf *b,
    char *error)
{
	const char *scheme = strncmp(call->url, "https:", 6) == 0 ? "https" :
	    "http";
	clq_msec left = call->deadline - clq_monotonic();
	long ms = left > 1 ? (long)left : 1;
	CURLcode rc = CURLE_OK;

#define SET(option, value)	\
	rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, option, value)
	SET(CURLOPT_URL, call->url);
	SET(CURLOPT_ERRORBUFFER, error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, scheme);
	SET(CURLOPT_REDIR_PROTOCOLS_STR, scheme);
	SET(CURLOPT_FOLLOWLOCATION, call->follow ? 1L : 0L);
	SET(CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_TIMEOUT_MS, ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, ms < CONNECT_MS ? ms :
	    (long)CONNECT_MS);
	SET(CURLOPT_MAXFILESIZE, (long)MAX_ANSWER);
	SET(CURLOPT_USERAGENT, "cliquet");
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_WRITEDATA, b);
	if (call->bearer != NULL) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(CURLOPT_XOAUTH2_BEARER, call->bearer);
	}
	if (call->form != NULL)
		SET(CURLOPT_POSTFIELDS, call->form);
#undef SET
	return rc == CURLE_OK;
}

enum clq_status
openid_ask(struct clq_arena *arena, struct openid_call *call)
{
	char error[CURL_ERROR_SIZE] = "";
	CURL *c = own_handle();
	struct clq_buf b;
	CURLcode rc = CURLE_FAILED_INIT;
	long status = 0;

	clq_buf_init(&b, arena, 4096);
	b.limit = MAX_ANSWER;
	if (c != NULL && set_up(c, call, &b, error))
		rc = curl_easy_perform(c);
	if (rc == CURLE_OK &&
	    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) ==
	    CURLE_OK) {
		call->status = (int)status;
		call->body = clq_buf_str(&b);
	} else {
		call->why = clq_arena_printf(arena, "%s", error[0] != '\0' ?
		    error : curl_easy_strerror(rc));
	}
	if (c != NULL)	/* it must not look at our stack any more */
		curl_easy_reset(c);
	if (status != 0 && rc == CURLE_OK)
		return CLQ_OK;
	return rc == CURLE_FILESIZE_EXCEEDED || (rc == CURLE_WRITE_ERROR &&
	    !clq_buf_ok(&b)) ? CLQ_INVALID : CLQ_UNAVAILABLE;
}
