/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators tell clients about the service itself: it is read-only, it is
 * overloaded, it will end or has ended (sections 07-4 to 07-7).
 *
 * The texts of the headers are made once, in the master; each response copies
 * them. The end of service is compared with the clock for each request, so it
 * comes without a restart.
 */
#include "lifecycle.h"

#include <cliquet/clock.h>
#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include <time.h>

#include "error.h"
#include "response.h"
#include "server.h"

struct clq_lifecycle {
	bool		 has_eos;
	clq_msec	 eos;
	const char	*message;		/* NULL: null */
	const char	*url;			/* NULL: null */
	struct clq_str	 backoff;		/* seconds as text; or absent */
	int64_t		 backoff_percentage;
};

/* ---- dates ------------------------------------------------------------- */

/* Exactly n digits off the front of s. */
static bool
take_number(struct clq_str *s, size_t n, int *out)
{
	*out = 0;
	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	*s = clq_str_sub(*s, n, s->len);
	return true;
}

static bool
take_char(struct clq_str *s, const char *set)
{
	if (s->len == 0 || strchr(set, s->p[0]) == NULL || s->p[0] == '\0')
		return false;
	*s = clq_str_sub(*s, 1, s->len);
	return true;
}

/* "Z", "+02:00", "-0500": minutes east of Greenwich. */
static bool
take_zone(struct clq_str *s, bool *given, int *minutes)
{
	int h, m, sign;

	*given = s->len > 0;
	*minutes = 0;
	if (s->len == 0 || take_char(s, "Zz"))
		return true;
	sign = s->p[0] == '-' ? -1 : 1;
	if (!take_char(s, "+-") || !take_number(s, 2, &h))
		return false;
	(void)take_char(s, ":");
	if (!take_number(s, 2, &m))
		return false;
	*minutes = sign * (h * 60 + m);
	return h < 24 && m < 60;
}

static bool
take_time(struct clq_str *s, struct tm *tm)
{
	if (!take_char(s, "T "))
		return true;	/* a date alone is its midnight */
	if (!take_number(s, 2, &tm->tm_hour) || !take_char(s, ":") ||
	    !take_number(s, 2, &tm->tm_min))
		return false;
	if (take_char(s, ":")) {
		if (!take_number(s, 2, &tm->tm_sec))
			return false;
		if (take_char(s, ".,"))
			while (take_char(s, "0123456789"))
				;	/* milliseconds do not matter */
	}
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "2026-12-31", with a time and a zone if wished; local time without one. */
static bool
parse_date(struct clq_str text, clq_msec *out)
{
	struct clq_str s = clq_str_trim(text);
	struct tm tm;
	bool zone;
	int minutes;
	time_t t;

	memset(&tm, 0, sizeof tm);
	tm.tm_isdst = -1;
	if (!take_number(&s, 4, &tm.tm_year) || !take_char(&s, "-/") ||
	    !take_number(&s, 2, &tm.tm_mon) || !take_char(&s, "-/") ||
	    !take_number(&s, 2, &tm.tm_mday) || !take_time(&s, &tm) ||
	    !take_zone(&s, &zone, &minutes) || s.len > 0)
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = zone ? timegm(&tm) - minutes * 60 : mktime(&tm);
	*out = (clq_msec)t * 1000;
	return true;
}

/* ---- configuration ----------------------------------------------------- */

enum clq_status
clq_lifecycle_configure(struct clq_server *srv)
{
	struct clq_settings *set = srv->settings;
	struct clq_lifecycle *l = clq_arena_alloc(srv->arena, sizeof *l);
	int64_t backoff = clq_settings_int(set, "backoff", 0);

	srv->lifecycle = l;
	l->message = clq_settings_cstr(set, "eos_message");
	l->url = clq_settings_cstr(set, "eos_url");
	if (!clq_settings_has(set, "eos_url"))
		l->url = clq_settings_cstr(set, "project_docs");
	if (backoff > 0)
		l->backoff = clq_arena_printf(srv->arena, "%lld",
		    (long long)backoff);
	l->backoff_percentage = clq_settings_int(set, "backoff_percentage",
	    100);
	if (clq_settings_str(set, "eos").len == 0)
		return CLQ_OK;
	l->has_eos = true;
	if (!parse_date(clq_settings_str(set, "eos"), &l->eos))
		return clq_settings_error(set, "eos", "\"%s\" is not a date; "
		    "write 2026-12-31 or 2026-12-31T23:59:59Z",
		    clq_settings_cstr(set, "eos"));
	return CLQ_OK;
}

/* ---- per request ------------------------------------------------------- */

enum clq_status
clq_lifecycle_gate(struct clq_request *req)
{
	const struct clq_lifecycle *l = req->server->lifecycle;

	if (l->has_eos && clq_now() >= l->eos) {
		clq_alert(req, "hard-eol", l->message, l->url);
		return clq_fail(req, CLQ_ERRNO_SERVICE_DEPRECATED, NULL);
	}
	if (l->has_eos)
		clq_alert(req, "soft-eol", l->message, l->url);
	if (req->server->readonly && !clq_method_safe(req->method))
		return clq_fail(req, CLQ_ERRNO_METHOD_NOT_ALLOWED, NULL);
	return CLQ_OK;
}

void
clq_lifecycle_headers(struct clq_request *req)
{
	const struct clq_lifecycle *l = req->server->lifecycle;

	if (l->backoff.p != NULL && (l->backoff_percentage >= 100 ||
	    clq_random_below(100) < (uint32_t)l->backoff_percentage))
		clq_set_header(req, "Backoff", l->backoff);
	if (req->alert.p != NULL)
		clq_set_header(req, "Alert", req->alert);
}
