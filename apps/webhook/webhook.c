/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener `webhook`: each event is POSTed as JSON to a URL, signed.
 *
 * The headers are those of Standard Webhooks: webhook-id (the same at each
 * attempt), webhook-timestamp, and with a secret webhook-signature, "v1," and
 * the base64 of HMAC-SHA256 over "id.timestamp.body". Certificates are
 * verified, redirects are not followed, of the answer only the status counts
 * and a little is read.
 *
 * 2xx: delivered. Other 4xx than 401, 403, 404, 407, 408, 425, 429: the event is
 * not wanted. All else, no answer included: the target is down or not set up,
 * and nothing is lost.
 */
#include <cliquet/app.h>
#include <cliquet/buf.h>
#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include <curl/curl.h>
#include <string.h>

enum {
	CONNECT_MS = 5000,
	MAX_ANSWER = 64 << 10,	/* bytes that are read of it */
	MAX_HEADERS = 16
};

struct hook {
	const char		*url;
	struct clq_str		 key;		/* absent: no signature */
	const char		*ca_file;	/* NULL: the system's */
	int64_t			 timeout;	/* seconds */
	struct clq_strs		 headers;	/* "Name: value" */
	CURL			*curl;
};

/* One POST. */
struct post {
	struct hook		*hook;
	struct clq_delivery	*d;
	struct curl_slist	*headers;
	size_t			 answer;	/* bytes */
	char			 error[CURL_ERROR_SIZE];
};

/* ---- settings ------------------------------------------------------------- */

static const struct clq_setting options[] = {
	{ "url", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "Where events are POSTed to: http:// or https://." },
	{ "secret", CLQ_SET_SECRET, NULL, 0, 0, NULL,
	  "Key of the signature: any text, or whsec_ and base64; unset: not "
	  "signed." },
	{ "headers", CLQ_SET_SECRET, NULL, 0, 0, NULL,
	  "More headers, one a line, as 'Authorization: Bearer x'." },
	{ "ca_file", CLQ_SET_STR, NULL, 0, 0, NULL,
	  "Certificates that are trusted instead of the system's (PEM)." },
	{ "timeout_seconds", CLQ_SET_INT, "10", 1, 60, "seconds",
	  "How long one attempt may take." },
};

/* What libcurl understands, with a host, and without a user: a password in a
 * URL would show in logs. */
static const char *
what_is_wrong(struct clq_str url)
{
	size_t end, at;
	struct clq_str rest = clq_str_sub(url, clq_str_search(url,
	    CLQ_STR("://")) + 3, url.len);
	CURLU *parts;
	CURLUcode rc;

	if (!clq_str_starts(url, "http://") && !clq_str_starts(url,
	    "https://"))
		return "is no URL: it begins with http:// or https://";
	end = clq_str_find(rest, '/', 0);
	at = clq_str_find(rest, '@', 0);
	if (at < end)
		return "names a user; write the setting `headers` instead, "
		    "with 'Authorization: Basic ...'";
	if ((parts = curl_url()) == NULL)
		return "cannot be checked: out of memory";
	rc = curl_url_set(parts, CURLUPART_URL, url.p, 0);
	curl_url_cleanup(parts);
	return rc == CURLUE_OK ? NULL : curl_url_strerror(rc);
}

/* "whsec_..." is base64. */
static bool
read_key(struct clq_arena *arena, struct clq_str text, struct clq_str *out)
{
	*out = text;
	if (!clq_str_starts(text, "whsec_"))
		return true;
	return clq_base64_decode(arena, clq_str_sub(text, 6, text.len), out)
	    == CLQ_OK && out->len > 0;
}

/* False: a line is no header. */
static bool
read_headers(struct clq_arena *arena, struct clq_str text, struct hook *h)
{
	struct clq_str line;

	while (clq_str_next(&text, '\n', &line)) {
		line = clq_str_trim(line);
		if (line.len == 0)
			continue;
		if (clq_str_find(line, ':', 0) == line.len ||
		    clq_str_find(line, ':', 0) == 0 ||
		    h->headers.n == MAX_HEADERS)
			return false;
		for (size_t i = 0; i < line.len; i++)
			if ((unsigned char)line.p[i] < ' ')
				return false;
		clq_strs_add(arena, &h->headers, clq_str_of(
		    clq_arena_cstr(arena, line)));
	}
	return true;
}

static enum clq_status
configure(struct clq_server *srv, const char *listener, const char *prefix,
    void **ctx)
{
	struct clq_arena *arena = clq_server_arena(srv);
	struct clq_settings *s = clq_server_settings(srv);
	struct hook *h = clq_arena_alloc(arena, sizeof *h);
	const struct clq_setting *t;
	const char *wrong;

	t = clq_settings_declare_below(s, prefix, options,
	    CLQ_COUNT(options));
	if (t == NULL)
		return CLQ_INVALID;
	h->url = clq_settings_cstr(s, t[0].key);
	h->ca_file = clq_settings_cstr(s, t[3].key);
	h->timeout = clq_settings_int(s, t[4].key, 10);
	if (h->url == NULL || *h->url == '\0')
		return clq_settings_error(s, t[0].key, "the listener \"%s\" "
		    "needs it: the URL that events are sent to", listener);
	if ((wrong = what_is_wrong(clq_str_of(h->url))) != NULL)
		return clq_settings_error(s, t[0].key, "%s", wrong);
	if (!read_key(arena, clq_settings_str(s, t[1].key), &h->key))
		return clq_settings_error(s, t[1].key, "what follows whsec_ "
		    "is no base64");
	if (!read_headers(arena, clq_settings_str(s, t[2].key), h))
		return clq_settings_error(s, t[2].key, "is no list of headers: "
		    "'Name: value', one a line, %d at most", MAX_HEADERS);
	*ctx = h;
	return CLQ_OK;
}

/* ---- one POST -------------------------------------------------------------- */

static void
add_header(struct post *p, const char *text)
{
	struct curl_slist *more = curl_slist_append(p->headers, text);

	if (more != NULL)
		p->headers = more;
}

static void
add_headers(struct post *p)
{
	struct clq_delivery *d = p->d;
	struct clq_str now = clq_arena_printf(d->arena, "%lld",
	    (long long)(clq_now() / 1000)), text;

	add_header(p, "Content-Type: application/json");
	add_header(p, "Expect:");
	add_header(p, clq_arena_printf(d->arena, "webhook-id: %.*s",
	    CLQ_FMT(d->id)).p);
	add_header(p, clq_arena_printf(d->arena, "webhook-timestamp: %.*s",
	    CLQ_FMT(now)).p);
	if (p->hook->key.p != NULL && p->hook->key.len > 0) {
		text = clq_arena_printf(d->arena, "%.*s.%.*s.%.*s",
		    CLQ_FMT(d->id), CLQ_FMT(now), CLQ_FMT(d->payload));
		text = clq_hex_base64(d->arena, clq_hmac_hex(d->arena,
		    p->hook->key, text));
		add_header(p, clq_arena_printf(d->arena,
		    "webhook-signature: v1,%.*s", CLQ_FMT(text)).p);
	}
	for (size_t i = 0; i < p->hook->headers.n; i++)
		add_header(p, p->hook->headers.items[i].p);
}

/* Read on for a while, so that the connection can be kept. */
static size_t
take(char *piece, size_t size, size_t n, void *ctx)
{
	struct post *p = ctx;

	(void)piece;
	p->answer += size * n;
	return p->answer <= MAX_ANSWER ? size * n : 0;
}

static bool
set_up(struct post *p)
{
	const struct hook *h = p->hook;
	CURL *c = h->curl;
	CURLcode rc = CURLE_OK;

#define SET(option, value)	\
	rc = rc != CURLE_OK ? rc : curl_easy_setopt(c, option, value)
	SET(CURLOPT_URL, h->url);
	SET(CURLOPT_ERRORBUFFER, p->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file != NULL && *h->ca_file != '\0')
		SET(CURLOPT_CAINFO, h->ca_file);
	SET(CURLOPT_TIMEOUT_MS, (long)h->timeout * 1000);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_USERAGENT, "cliquet");
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_WRITEDATA, p);
	SET(CURLOPT_HTTPHEADER, p->headers);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->d->payload.len);
	SET(CURLOPT_POSTFIELDS, p->d->payload.p);
#undef SET
	return rc == CURLE_OK;
}

static enum clq_status
judge(struct clq_delivery *d, long code)
{
	static const long not_ours[] = { 401, 403, 404, 407, 408, 425, 429 };

	if (code >= 200 && code <= 299)
		return CLQ_OK;
	d->why = clq_arena_printf(d->arena, "the answer is %ld%s", code,
	    code >= 300 && code <= 399 ? " (redirects are not followed; set "
	    "the URL that it leads to)" : "");
	if (code < 400 || code > 499)
		return CLQ_UNAVAILABLE;
	for (size_t i = 0; i < CLQ_COUNT(not_ours); i++)
		if (code == not_ours[i])
			return CLQ_UNAVAILABLE;
	return CLQ_INVALID;
}

static enum clq_status
deliver(struct clq_delivery *d, void *ctx)
{
	struct post p = { .hook = ctx, .d = d };
	CURLcode rc = CURLE_FAILED_INIT;
	curl_off_t wait = 0;
	long code = 0;

	if (p.hook->curl == NULL)	/* kept, with its connection */
		p.hook->curl = curl_easy_init();
	if (p.hook->curl == NULL) {
		d->why = CLQ_STR("libcurl: out of memory");
		return CLQ_UNAVAILABLE;
	}
	add_headers(&p);
	if (set_up(&p))
		rc = curl_easy_perform(p.hook->curl);
	(void)curl_easy_getinfo(p.hook->curl, CURLINFO_RESPONSE_CODE, &code);
	(void)curl_easy_getinfo(p.hook->curl, CURLINFO_RETRY_AFTER, &wait);
	d->why = clq_arena_printf(d->arena, "%s", p.error[0] != '\0' ?
	    p.error : curl_easy_strerror(rc));
	/* A long answer is cut off: it has said what counts. */
	if (rc == CURLE_WRITE_ERROR && p.answer > MAX_ANSWER)
		rc = CURLE_OK;
	d->wait = (clq_msec)wait * 1000;
	curl_easy_reset(p.hook->curl);
	curl_slist_free_all(p.headers);
	return rc == CURLE_OK ? judge(d, code) : CLQ_UNAVAILABLE;
}

static const struct clq_listener_kind kind = {
	.size		= sizeof kind,
	.name		= "webhook",
	.configure	= configure,
	.deliver	= deliver,
};

static enum clq_status
setup(struct clq_server *srv)
{
	return clq_add_listener_kind(srv, &kind);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };
const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "webhook", .version = "1", .app = &app,
};
