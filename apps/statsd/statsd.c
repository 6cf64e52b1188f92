/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics for a StatsD server (section 07-8.2).
 *
 * A sink for core's observations that writes one line for each into a
 * datagram, sent when it is full or when core says so, after 0.1 to 1 second.
 * Keys are those of the original: labels follow the name of a timer; labelled
 * counters are sets, which count distinct members; sizes are gauges.
 */
#include "peer.h"

#include <stdio.h>

enum {
	DATAGRAM = 1432,	/* fits an Ethernet frame, over IPv6 too */
	LOCAL_DATAGRAM = 8192,	/* to this machine */
	DEFAULT_PORT = 8125
};

static const struct clq_setting settings[] = {
	{ "statsd_backend", CLQ_SET_STR, "kinto.core.statsd", 0, 0, NULL,
	  "Module of the original that sends; only its own are known." },
};

struct statsd {
	const struct clq_metric *const	*metrics;
	const char			*prefix;	/* "kinto." */
	const char			*host;
	const char			*port;
	struct statsd_peer		*peer;
	size_t				 cap;	/* of a datagram */
	char				 text[LOCAL_DATAGRAM];
	size_t				 len;
};

/* ---- lines ----------------------------------------------------------------- */

/* A line being written; it may turn out not to fit. */
struct line {
	char	text[DATAGRAM];
	size_t	len;
	bool	fits;
};

static void
put(struct line *l, struct clq_str s)
{
	if (s.len > sizeof l->text - l->len) {
		l->fits = false;
		return;
	}
	if (s.len > 0)
		memcpy(l->text + l->len, s.p, s.len);
	l->len += s.len;
}

/* The value of a label: ':' and '|' end keys, a line ends the metric. */
static void
put_value(struct line *l, struct clq_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == ':')
			continue;
		if (c == '|' || (unsigned char)c < ' ')
			c = '_';
		put(l, (struct clq_str){ &c, 1 });
	}
}

/* label.value.label.value */
static void
put_labels(struct line *l, const struct clq_metric *m,
    const struct clq_str *labels)
{
	for (size_t i = 0; i < clq_metric_nlabels(m); i++) {
		put(l, i > 0 ? CLQ_STR(".") : CLQ_STR(""));
		put(l, clq_str_of(m->labels[i]));
		put(l, CLQ_STR("."));
		put_value(l, labels[i]);
	}
}

static void
put_number(struct line *l, int64_t value, const char *unit)
{
	char text[48];

	(void)snprintf(text, sizeof text, ":%lld|%s", (long long)value, unit);
	put(l, clq_str_of(text));
}

/* "-1|g" would mean "one less": first to zero, then down. */
static void
put_gauge(struct line *l, int64_t value)
{
	size_t key = l->len;

	if (value < 0) {
		put_number(l, 0, "g\n");
		put(l, (struct clq_str){ l->text, key });
	}
	put_number(l, value, "g");
}

static void
write_line(struct line *l, const struct statsd *s,
    const struct clq_metric *m, int64_t value, const struct clq_str *labels)
{
	bool labelled = clq_metric_nlabels(m) > 0;
	char text[48];

	put(l, clq_str_of(s->prefix));
	put(l, clq_str_of(m->name));
	if (labelled && m->kind == CLQ_METRIC_COUNTER) {
		put(l, CLQ_STR(":"));
		put_labels(l, m, labels);
		put(l, CLQ_STR("|s"));
		return;
	}
	if (labelled && m->kind != CLQ_METRIC_SUMMARY) {
		put(l, CLQ_STR("."));
		put_labels(l, m, labels);
	}
	switch (m->kind) {
	case CLQ_METRIC_COUNTER:
		put_number(l, value, "c");
		break;
	case CLQ_METRIC_TIMER:
		(void)snprintf(text, sizeof text, ":%lld.%06lld|ms",
		    (long long)(value / 1000000), (long long)(value % 1000000));
		put(l, clq_str_of(text));
		break;
	case CLQ_METRIC_GAUGE:
		put_gauge(l, value);
		break;
	case CLQ_METRIC_SUMMARY:
		put_number(l, value, "g");
		break;
	case CLQ_METRIC__COUNT:
		break;
	}
}

/* ---- the sink -------------------------------------------------------------- */

static enum clq_status
configure(struct clq_server *srv, void *ctx,
    const struct clq_metric *const *metrics, size_t n)
{
	struct statsd *s = ctx;

	(void)srv;
	(void)n;
	s->metrics = metrics;
	return CLQ_OK;
}

static void
start(void *ctx)
{
	struct statsd *s = ctx;

	s->peer = statsd_peer_open(s->host, s->port);
}

static void
flush(void *ctx)
{
	struct statsd *s = ctx;

	if (s->len > 0)
		statsd_peer_send(s->peer, s->text, s->len);
	s->len = 0;
}

static void
observe(void *ctx, size_t id, int64_t value, const struct clq_str *labels)
{
	struct statsd *s = ctx;
	struct line l = { .len = 0 };

	l.fits = true;
	write_line(&l, s, s->metrics[id], value, labels);
	if (!l.fits)
		return;
	if (s->len > 0 && l.len + 1 > s->cap - s->len)
		flush(s);
	if (s->len > 0)
		s->text[s->len++] = '\n';
	memcpy(s->text + s->len, l.text, l.len);
	s->len += l.len;
}

static void
stop(void *ctx)
{
	struct statsd *s = ctx;

	statsd_peer_close(&s->peer);
}

static const struct clq_metrics_sink sink = {
	.size		= sizeof sink,
	.name		= "statsd",
	.configure	= configure,
	.open		= start,
	.observe	= observe,
	.flush		= flush,
	.close		= stop,
};

/* ---- start-up -------------------------------------------------------------- */

/* "udp://host[:port]", "udp://[::1]:8125". */
static enum clq_status
read_url(struct clq_server *srv, struct statsd *s)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct clq_arena *arena = clq_server_arena(srv);
	const char *key = "statsd_url";
	struct clq_str url = clq_settings_str(set, key), host, port;
	int64_t number = DEFAULT_PORT;
	size_t end;

	if (!clq_str_starts(url, "udp://"))
		return clq_settings_error(set, key, "udp://host:port is "
		    "wanted, not \"%.*s\"", CLQ_FMT(url));
	host = clq_str_sub(url, strlen("udp://"), url.len);
	host = clq_str_sub(host, 0, clq_str_find(host, '/', 0));
	if (clq_str_starts(host, "[")) {
		end = clq_str_find(host, ']', 0);
		port = clq_str_sub(host, end + (end < host.len), host.len);
		host = clq_str_sub(host, 1, end);
	} else {
		end = clq_str_find(host, ':', 0);
		port = clq_str_sub(host, end, host.len);
		host = clq_str_sub(host, 0, end);
	}
	if (clq_str_starts(port, ":"))
		port = clq_str_sub(port, 1, port.len);
	if (host.len == 0 || (port.len > 0 && (!clq_str_int(port, &number) ||
	    number < 1 || number > 65535)))
		return clq_settings_error(set, key, "\"%.*s\" has no usable "
		    "host or port", CLQ_FMT(url));
	s->host = clq_arena_cstr(arena, host);
	s->cap = clq_str_starts(host, "127.") ||
	    clq_str_is(host, "localhost") || clq_str_is(host, "::1") ?
	    LOCAL_DATAGRAM : DATAGRAM;
	s->port = clq_arena_printf(arena, "%d", (int)number).p;
	return CLQ_OK;
}

static void
read_prefix(struct clq_server *srv, struct statsd *s)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct clq_str prefix = clq_settings_str(set, "project_name");
	struct clq_arena *arena = clq_server_arena(srv);
	char *text;

	if (prefix.len == 0)
		prefix = clq_settings_str(set, "statsd_prefix");
	text = clq_arena_cstr(arena, clq_arena_printf(arena, "%.*s%s",
	    CLQ_FMT(prefix), prefix.len > 0 ? "." : ""));
	for (char *c = text; *c != '\0'; c++)
		if (*c == ':' || *c == '|' || (unsigned char)*c < ' ')
			*c = '_';
	s->prefix = text;
}

/* Somebody's own class cannot be loaded: better said than ignored. */
static enum clq_status
check_backend(struct clq_settings *set)
{
	static const char *const known[] = {
		"kinto.core.statsd", "kinto.plugins.statsd",
		"cliquet.statsd", "statsd",
	};
	struct clq_str backend = clq_settings_str(set, "statsd_backend");

	for (size_t i = 0; i < CLQ_COUNT(known); i++)
		if (backend.len == 0 || clq_str_is(backend, known[i]))
			return CLQ_OK;
	return clq_settings_error(set, "statsd_backend", "\"%.*s\" is not "
	    "known; kinto.plugins.statsd is", CLQ_FMT(backend));
}

static enum clq_status
setup(struct clq_server *srv)
{
	struct clq_settings *set = clq_server_settings(srv);
	struct statsd *s;
	enum clq_status rc;

	if ((rc = clq_settings_declare(set, settings, CLQ_COUNT(settings))) !=
	    CLQ_OK || (rc = check_backend(set)) != CLQ_OK)
		return rc;
	if (clq_settings_str(set, "statsd_url").len == 0) {
		clq_log_warn("statsd: statsd_url is not set; nothing is sent");
		return CLQ_OK;
	}
	s = clq_arena_alloc(clq_server_arena(srv), sizeof *s);
	if ((rc = read_url(srv, s)) != CLQ_OK)
		return rc;
	read_prefix(srv, s);
	return clq_add_metrics_sink(srv, &sink, s);
}

static const struct clq_app_ops app = { .size = sizeof app, .setup = setup };

const struct clq_plugin clq_plugin = {
	CLQ_PLUGIN_HEAD, .name = "statsd", .version = "1", .app = &app,
};
