/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-Timing and slow requests (see timing.h).
 *
 * Both are written from the same phases. Times tell what a server does for
 * whom (a cache that knows somebody, a database that is busy), so the header is
 * off unless asked for.
 */
#include "timing.h"

#include <cliquet/crypto.h>
#include <cliquet/str.h>

#include <math.h>
#include <stdlib.h>

#include "log_conf.h"
#include "phases.h"
#include "request.h"

enum {
	SAMPLE_WHOLE = 1000000,	/* a rate of 1 */
	FIELDS = 5 + CLQ_PHASE__COUNT
};

struct clq_timing {
	int64_t		slow;		/* milliseconds; 0: none is */
	uint32_t	sample;		/* of SAMPLE_WHOLE */
};

static enum clq_status
read_rate(struct clq_settings *s, uint32_t *sample)
{
	const char *text = clq_settings_cstr(s, "server_timing_rate");
	char *end;
	double rate;

	*sample = 0;
	if (text == NULL || *text == '\0')
		return CLQ_OK;
	rate = strtod(text, &end);
	if (*end != '\0' || !isfinite(rate) || rate < 0 || rate > 1)
		return clq_settings_error(s, "server_timing_rate", "'%s' is no "
		    "share; write a number between 0 and 1", text);
	*sample = (uint32_t)(rate * SAMPLE_WHOLE + 0.5);
	return CLQ_OK;
}

enum clq_status
clq_timing_configure(struct clq_server *srv)
{
	struct clq_timing *t = clq_arena_alloc(srv->arena, sizeof *t);

	srv->timing = t;
	t->slow = clq_settings_int(srv->settings, "slow_request_ms", 1000);
	if (read_rate(srv->settings, &t->sample) != CLQ_OK)
		return CLQ_INVALID;
	if (t->slow > 0 || t->sample > 0)
		clq_phases_want(srv);
	return CLQ_OK;
}

/* Milliseconds with three decimals. */
static struct clq_str
as_ms(struct clq_arena *arena, uint64_t ns)
{
	return clq_arena_printf(arena, "%llu.%03llu",
	    (unsigned long long)(ns / 1000000),
	    (unsigned long long)(ns / 1000 % 1000));
}

void
clq_timing_header(struct clq_request *req)
{
	const struct clq_timing *t = req->server->timing;
	uint64_t total = 0;
	struct clq_buf b;

	if (t->sample == 0 || req->phases == NULL ||
	    (t->sample < SAMPLE_WHOLE &&
	    clq_random_below(SAMPLE_WHOLE) >= t->sample))
		return;
	clq_buf_init(&b, req->arena, 256);
	for (int i = 0; i < CLQ_PHASE__COUNT; i++) {
		total += req->phases->ns[i];
		clq_buf_printf(&b, "%s;dur=%.*s, ", clq_phase_name(i),
		    CLQ_FMT(as_ms(req->arena, req->phases->ns[i])));
	}
	clq_buf_printf(&b, "total;dur=%.*s",
	    CLQ_FMT(as_ms(req->arena, total)));
	clq_set_header(req, "Server-Timing", clq_buf_str(&b));
}

void
clq_timing_slow(struct clq_request *req, uint64_t ns)
{
	int64_t ms = (int64_t)(ns / 1000000);
	struct clq_log_field fields[FIELDS];
	struct clq_str text;
	size_t n = 0;

	if (req->server->timing->slow == 0 || ms < req->server->timing->slow)
		return;
	fields[n++] = (struct clq_log_field){ .name = "method",
	    .text = req->method_name };
	fields[n++] = (struct clq_log_field){ .name = "path",
	    .text = clq_text_clean(req->arena, req->raw_path) };
	fields[n++] = (struct clq_log_field){ .name = "rid",
	    .text = req->summary.rid };
	fields[n++] = (struct clq_log_field){ .name = "code",
	    .number = req->response.status };
	fields[n++] = (struct clq_log_field){ .name = "t", .number = ms };
	/* of a request that was lost nobody knows them */
	for (int i = 0; i < CLQ_PHASE__COUNT && req->phases != NULL; i++) {
		text = as_ms(req->arena, req->phases->ns[i]);
		fields[n++] = (struct clq_log_field){
		    .name = clq_phase_name(i), .text = text, .json = text };
	}
	clq_log_fields(CLQ_LOG_WARNING, "request.slow", fields, n);
}
