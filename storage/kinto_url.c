/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of the remote Kinto backend, checked in the master: where it is,
 * for whom we act there, how long to wait.
 */
#include "storage/kinto.h"

#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/settings.h>
#include <cliquet/str.h>

#include <stdlib.h>

static const struct clq_setting table[] = {
	{ "storage_bucket", CLQ_SET_STR, "default", 0, 0, NULL,
	  "Bucket of the remote Kinto that holds everything; made if it is not "
	  "there. \"default\" is the personal one of whoever asks." },
	{ "storage_connect_timeout_seconds", CLQ_SET_INT, "5", 1, 600,
	  "seconds", "How long the remote Kinto may take to accept a "
	  "connection." },
	{ "storage_command_timeout_seconds", CLQ_SET_INT, "15", 1, 3600,
	  "seconds", "How long it may take for an answer; the request then "
	  "fails with 503." },
	{ "storage_batch_max_requests", CLQ_SET_INT, "25", 1, 10000,
	  "requests", "Changes sent in one batch; at most what the remote "
	  "Kinto allows. What is more is not one transaction." },
	{ "storage_max_answer_bytes", CLQ_SET_INT, "67108864", 65536,
	  INT32_MAX, "bytes", "Largest answer, or list, that is taken from "
	  "the remote Kinto." },
};

/* "user:password" of the URL, as the header of an account of our own. */
static struct clq_str
login_of(struct kr *k, struct clq_str text)
{
	return clq_arena_printf(k->arena, "Basic %.*s", CLQ_FMT(
	    clq_base64_encode(k->arena, clq_url_decode(k->arena, text,
	    false))));
}

/* http(s)://[user:password@]host[:port]/v1 */
static bool
read_url(struct kr *k, struct clq_str url)
{
	size_t scheme = clq_str_starts(url, "https://") ? 8 :
	    clq_str_starts(url, "http://") ? 7 : 0;
	struct clq_str rest = clq_str_sub(url, scheme, url.len), login;
	size_t slash = clq_str_find(rest, '/', 0), at;

	if (scheme == 0 || slash == rest.len)
		return false;
	at = clq_str_find(clq_str_sub(rest, 0, slash), '@', 0);
	if (at < slash) {
		login = clq_str_sub(rest, 0, at);
		if (clq_str_find(login, ':', 0) == login.len)
			return false;
		k->login = login_of(k, login);
		rest = clq_str_sub(rest, at + 1, rest.len);
	}
	while (rest.len > 0 && rest.p[rest.len - 1] == '/')
		rest.len--;
	for (size_t i = 0; i < rest.len; i++)
		if (rest.p[i] <= ' ' || rest.p[i] == '?' || rest.p[i] == '#')
			return false;
	k->base = clq_arena_printf(k->arena, "%.*s%.*s", (int)scheme, url.p,
	    CLQ_FMT(rest));
	return clq_str_find(rest, '/', 0) < rest.len && rest.p[0] != '/';
}

static enum clq_status
read_settings(struct kr *k, struct clq_settings *s, const char *prefix)
{
	enum clq_status rc;

	if (strcmp(prefix, "storage") != 0)
		return clq_settings_error(s, "permission_backend", "a remote "
		    "Kinto keeps objects only");
	if ((rc = clq_settings_declare(s, table, CLQ_COUNT(table))) != CLQ_OK)
		return rc;
	if (!read_url(k, clq_settings_str(s, "storage_url")))
		return clq_settings_error(s, "storage_url", "is no URL of a "
		    "Kinto: https://[user:password@]host[:port]/v1");
	k->bucket = clq_settings_str(s, "storage_bucket");
	if (!kr_id_fits(k->bucket))
		return clq_settings_error(s, "storage_bucket", "is no name of "
		    "a bucket: letters, digits, '_' and '-'");
	k->connect_timeout = clq_settings_int(s,
	    "storage_connect_timeout_seconds", 5) * 1000;
	k->timeout = clq_settings_int(s, "storage_command_timeout_seconds",
	    15) * 1000;
	k->batch_max = clq_settings_int(s, "storage_batch_max_requests", 25);
	k->max_bytes = (size_t)clq_settings_int(s, "storage_max_answer_bytes",
	    64 << 20);
	return CLQ_OK;
}

enum clq_status
kr_configure(struct clq_settings *settings, const char *prefix, void **self)
{
	struct kr *k = calloc(1, sizeof *k);
	enum clq_status rc;

	if (k == NULL) {
		clq_log_err("remote Kinto: out of memory");
		return CLQ_INVALID;
	}
	k->magic = KR_MAGIC;
	k->arena = clq_arena_new();
	k->tx = clq_arena_new();
	if ((rc = read_settings(k, settings, prefix)) != CLQ_OK) {
		clq_arena_free(&k->tx);
		clq_arena_free(&k->arena);
		free(k);
		return rc;
	}
	*self = k;
	return CLQ_OK;
}
