/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for scripts/bench: clients in a closed loop, over HTTP or FastCGI.
 *
 *	load [-c CLIENTS] [-t SECONDS] [-n REQUESTS] [-o FIRST] [-r RANGE]
 *	    [-i IDLE] (-H HOST:PORT | -F SOCKET) TEMPLATES
 *
 * A template is two lines: "WEIGHT METHOD URI<tab>Name: value...", and the
 * body, which may be empty. {n} counts from FIRST, {N} is the last {n}, {r} is
 * a random number below RANGE. Each client keeps its connection, sends one
 * request after the other and picks templates by weight. IDLE more connections
 * are opened and stay silent. Prints one line of JSON; times are microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TEMPLATES = 64, MAX_HEADERS = 8, KEEP = 1 << 20 };

struct text {
	char	*p;
	size_t	 n, cap;
};

struct template {
	unsigned long	 weight;
	char		*method, *uri, *headers[MAX_HEADERS], *body;
	size_t		 nheaders;
};

struct client {
	int		 fd;
	struct text	 out, in;
	size_t		 sent;
	bool		 head, fresh;	/* fresh: nothing was answered yet */
	uint64_t	 began;
};

static struct template templates[MAX_TEMPLATES];
static size_t ntemplates;
static unsigned long weights, counter, range = 1;
static uint64_t seed = 88172645463325252ULL;
static bool fastcgi;
static struct sockaddr_storage address;
static socklen_t address_len;
static const char *host;
static uint32_t *times;
static size_t ntimes, times_cap, errors, reconnects, by_status[1000];
static char first_error[200];
static int ep;

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static unsigned long
below(unsigned long n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned long)(seed % n);
}

/* ---- texts -------------------------------------------------------------- */

static void
add(struct text *t, const void *p, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		t->cap = (t->n + n + 1) * 2;
		t->p = realloc(t->p, t->cap);
		if (t->p == NULL)
			die("memory");
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

__attribute__((format(printf, 2, 3))) static void
addf(struct text *t, const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	add(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

/* A template's text with its places filled. */
static void
expand(struct text *t, const char *s)
{
	const char *at;

	for (; (at = strchr(s, '{')) != NULL; s = at) {
		add(t, s, (size_t)(at - s));
		if (strncmp(at, "{n}", 3) == 0)
			addf(t, "%lu", counter++);
		else if (strncmp(at, "{N}", 3) == 0)
			addf(t, "%lu", counter - 1);
		else if (strncmp(at, "{r}", 3) == 0)
			addf(t, "%lu", below(range));
		else {
			add(t, at++, 1);
			continue;
		}
		at += 3;
	}
	add(t, s, strlen(s));
}

/* ---- templates ---------------------------------------------------------- */

static char *
line_of(FILE *f)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n = getline(&line, &cap, f);

	if (n < 0)
		return NULL;
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

static void
read_templates(const char *path)
{
	FILE *f = fopen(path, "r");
	struct template *t;
	char *line, *save;

	if (f == NULL)
		die(path);
	while (ntemplates < MAX_TEMPLATES && (line = line_of(f)) != NULL) {
		t = &templates[ntemplates];
		t->weight = strtoul(strtok_r(line, " ", &save), NULL, 10);
		t->method = strtok_r(NULL, " ", &save);
		t->uri = strtok_r(NULL, "\t", &save);
		while (t->nheaders < MAX_HEADERS && (t->headers[t->nheaders] =
		    strtok_r(NULL, "\t", &save)) != NULL)
			t->nheaders++;
		t->body = line_of(f);
		if (t->uri == NULL || t->body == NULL || t->weight == 0) {
			errno = EINVAL;
			die(path);
		}
		weights += t->weight;
		ntemplates++;
	}
	fclose(f);
}

/* ---- requests ----------------------------------------------------------- */

static void
record(struct text *t, int type, const char *p, size_t n)
{
	unsigned char head[8] = { 1, (unsigned char)type, 0, 1 };
	size_t part;

	do {
		part = n < 65528 ? n : 65528;
		head[4] = (unsigned char)(part >> 8);
		head[5] = (unsigned char)part;
		add(t, head, 8);
		add(t, p, part);
		p += part;
		n -= part;
	} while (n > 0);
}

static void
size_of(struct text *t, size_t n)
{
	unsigned char b[4] = { (unsigned char)(n >> 24 | 0x80),
		(unsigned char)(n >> 16), (unsigned char)(n >> 8),
		(unsigned char)n };

	if (n < 128)
		add(t, b + 3, 1);
	else
		add(t, b, 4);
}

static void
param(struct text *t, const char *name, const char *value)
{
	size_of(t, strlen(name));
	size_of(t, strlen(value));
	add(t, name, strlen(name));
	add(t, value, strlen(value));
}

static void
header_param(struct text *t, const char *header)
{
	char name[80] = "HTTP_", *c;
	size_t n = strcspn(header, ":");

	if (strncasecmp(header, "content-type:", 13) == 0)
		n = 0;
	snprintf(name + (n > 0 ? 5 : 0), 70, "%.*s", n > 0 ? (int)n : 12,
	    header);
	for (c = name; *c != '\0'; c++)
		*c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ?
		    (char)(*c - 32) : *c;
	param(t, name, header + strcspn(header, ":") + 2);
}

static void
make_fastcgi(struct client *c, const struct template *t, const char *uri,
    const struct text *body)
{
	static const char begin[8] = { 0, 1, 1, 0, 0, 0, 0, 0 };
	static struct text params;
	const char *query = strchr(uri, '?');
	char length[24];
	size_t i;

	params.n = 0;
	param(&params, "REQUEST_METHOD", t->method);
	param(&params, "REQUEST_URI", uri);
	param(&params, "QUERY_STRING", query != NULL ? query + 1 : "");
	param(&params, "SERVER_PROTOCOL", "HTTP/1.1");
	param(&params, "SERVER_SOFTWARE", "nginx/1.22.1");
	param(&params, "HTTP_HOST", "localhost");
	if (body->n > 0) {
		snprintf(length, sizeof length, "%zu", body->n);
		param(&params, "CONTENT_LENGTH", length);
	}
	for (i = 0; i < t->nheaders; i++)
		header_param(&params, t->headers[i]);
	record(&c->out, 1, begin, 8);
	record(&c->out, 4, params.p, params.n);
	record(&c->out, 4, "", 0);
	if (body->n > 0)
		record(&c->out, 5, body->p, body->n);
	record(&c->out, 5, "", 0);
}

static void
make_http(struct client *c, const struct template *t, const char *uri,
    const struct text *body)
{
	size_t i;

	addf(&c->out, "%s %s HTTP/1.1\r\nHost: %s\r\n", t->method, uri, host);
	for (i = 0; i < t->nheaders; i++)
		addf(&c->out, "%s\r\n", t->headers[i]);
	if (body->n > 0)
		addf(&c->out, "Content-Length: %zu\r\n", body->n);
	add(&c->out, "\r\n", 2);
	if (body->n > 0)
		add(&c->out, body->p, body->n);
}

static void
next_request(struct client *c)
{
	static struct text uri, body;
	unsigned long pick = below(weights);
	const struct template *t = templates;

	while (pick >= t->weight)
		pick -= (t++)->weight;
	uri.n = body.n = c->out.n = c->in.n = c->sent = 0;
	expand(&uri, t->uri);
	expand(&body, t->body);
	c->head = strcmp(t->method, "HEAD") == 0;
	(fastcgi ? make_fastcgi : make_http)(c, t, uri.p, &body);
}

/* ---- answers: the status, 0 if there is more to come, -1 ---------------- */

static int
status_in(const struct text *in, const char *name)
{
	const char *p = in->n > 0 ? strstr(in->p, name) : NULL;

	return p != NULL ? atoi(p + strlen(name)) : 200;
}

static int
fastcgi_answer(const struct client *c)
{
	const unsigned char *p = (const unsigned char *)c->in.p;
	size_t at = 0, n;
	int status = 0;

	while (at + 8 <= c->in.n) {
		n = (size_t)p[at + 4] << 8 | p[at + 5];
		if (at + 8 + n + p[at + 6] > c->in.n)
			return 0;
		if (p[at + 1] == 6 && status == 0 && n > 12)
			status = strncmp((const char *)p + at + 8, "Status: ",
			    8) == 0 ? atoi((const char *)p + at + 16) : 200;
		if (p[at + 1] == 3)
			return status != 0 ? status : -1;
		at += 8 + n + p[at + 6];
	}
	return 0;
}

static int
http_answer(const struct client *c)
{
	const char *end, *p;
	int status;

	if (c->in.n < 16 || (end = strstr(c->in.p, "\r\n\r\n")) == NULL)
		return 0;
	status = status_in(&c->in, "HTTP/1.1 ");
	if (c->head || status == 304 || status == 204)
		return status;
	for (p = c->in.p; p < end; p = strstr(p, "\r\n") + 2)
		if (strncasecmp(p, "content-length:", 15) == 0)
			return (size_t)(end - c->in.p) + 4 +
			    strtoul(p + 15, NULL, 10) <= c->in.n ? status : 0;
	return memcmp(c->in.p + c->in.n - 5, "0\r\n\r\n", 5) == 0 ? status : 0;
}

/* ---- the loop ----------------------------------------------------------- */

static int
dial(void)
{
	int fd = socket(address.ss_family, SOCK_STREAM, 0), tries = 0;

	while (connect(fd, (struct sockaddr *)&address, address_len) != 0)
		if (errno != EAGAIN || tries++ > 2000)
			die("connect");
		else
			usleep(1000);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void
flush(struct client *c)
{
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
	    MSG_NOSIGNAL);
	struct epoll_event e = { .data.ptr = c };

	if (n > 0)
		c->sent += (size_t)n;
	e.events = EPOLLIN | (c->sent < c->out.n ? (uint32_t)EPOLLOUT : 0);
	if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e) != 0)
		die("epoll");
}

static void
open_client(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->fd = dial();
	c->fresh = true;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll");
}

static void
note(struct client *c, int status)
{
	if (ntimes == times_cap) {
		times_cap = times_cap > 0 ? times_cap * 2 : KEEP;
		times = realloc(times, times_cap * sizeof *times);
		if (times == NULL)
			die("memory");
	}
	times[ntimes++] = (uint32_t)((now() - c->began) / 1000);
	if (status >= 100 && status < 1000)
		by_status[status]++;
	if (status >= 100 && status < 400)
		return;
	errors++;
	if (first_error[0] == '\0' && c->in.n > 0)
		snprintf(first_error, sizeof first_error, "%s",
		    fastcgi ? c->in.p + 8 : c->in.p);
}

/* Read; 1: answered, 0: not yet. */
static int
receive(struct client *c)
{
	static char buf[262144];
	ssize_t n = recv(c->fd, buf, sizeof buf, 0);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		close(c->fd);
		open_client(c);
		/* what a server that closes had not seen is sent again */
		if (c->in.n > 0) {
			note(c, -1);
			return 1;
		}
		reconnects++;
		c->sent = 0;
		flush(c);
		return 0;
	}
	add(&c->in, buf, (size_t)n);
	status = (fastcgi ? fastcgi_answer : http_answer)(c);
	if (status == 0)
		return 0;
	note(c, status);
	return 1;
}

static void
start(struct client *c)
{
	next_request(c);
	c->began = now();
	flush(c);
}

static double
run(struct client *clients, size_t n, double seconds, size_t most)
{
	struct epoll_event events[256];
	uint64_t began = now(), end = began + (uint64_t)(seconds * 1e9);
	size_t begun = n, done = 0;
	int i, got;

	for (size_t k = 0; k < n; k++)
		start(&clients[k]);
	while (done < begun) {
		got = epoll_wait(ep, events, 256, 10000);
		if (got == 0)
			break;		/* somebody waits for ten seconds */
		for (i = 0; i < got; i++) {
			struct client *c = events[i].data.ptr;

			if ((events[i].events & EPOLLOUT) != 0)
				flush(c);
			if ((events[i].events & ~(uint32_t)EPOLLOUT) == 0 ||
			    !receive(c))
				continue;
			done++;
			if ((most > 0 && begun >= most) || now() >= end)
				continue;
			begun++;
			start(c);
		}
	}
	errors += begun - done;
	return (double)(now() - began) / 1e9;
}

/* ---- the report --------------------------------------------------------- */

static int
order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
report(double seconds)
{
	const char *comma = "";
	size_t i;

	qsort(times, ntimes, sizeof *times, order);
	printf("{\"requests\":%zu,\"seconds\":%.4f,\"errors\":%zu,"
	    "\"reconnects\":%zu,\"p50\":%u,\"p99\":%u,\"max\":%u,"
	    "\"next\":%lu,\"statuses\":{", ntimes, seconds, errors, reconnects,
	    ntimes > 0 ? times[ntimes / 2] : 0,
	    ntimes > 0 ? times[ntimes - 1 - ntimes / 100] : 0,
	    ntimes > 0 ? times[ntimes - 1] : 0, counter);
	for (i = 0; i < 1000; i++)
		if (by_status[i] > 0) {
			printf("%s\"%zu\":%zu", comma, i, by_status[i]);
			comma = ",";
		}
	printf("}}\n");
	if (errors > 0)
		fprintf(stderr, "load: %zu errors; the first answer: %.160s\n",
		    errors, first_error);
}

static void
set_address(const char *where)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	const char *colon = strrchr(where, ':');

	if (strchr(where, '/') != NULL) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", where);
		address_len = sizeof *un;
		return;
	}
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in->sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : ""));
	address_len = sizeof *in;
	host = where;
}

int
main(int argc, char **argv)
{
	size_t n = 16, most = 0, idle = 0, i;
	double seconds = 1;
	struct client *clients;
	int opt;

	while ((opt = getopt(argc, argv, "c:t:n:o:r:i:H:F:")) != -1)
		switch (opt) {
		case 'c': n = strtoul(optarg, NULL, 10); break;
		case 't': seconds = strtod(optarg, NULL); break;
		case 'n': most = strtoul(optarg, NULL, 10); break;
		case 'o': counter = strtoul(optarg, NULL, 10); break;
		case 'r': range = strtoul(optarg, NULL, 10); break;
		case 'i': idle = strtoul(optarg, NULL, 10); break;
		case 'F': fastcgi = true; /* FALLTHROUGH */
		case 'H': set_address(optarg); break;
		default: return 2;
		}
	if (optind + 1 != argc || address_len == 0 || n == 0 || range == 0)
		return 2;
	seed ^= (uint64_t)getpid() << 20;
	read_templates(argv[optind]);
	ep = epoll_create1(0);
	clients = calloc(n, sizeof *clients);
	if (ntemplates == 0 || clients == NULL)
		return 2;
	for (i = 0; i < idle; i++)
		(void)dial();
	for (i = 0; i < n; i++)
		open_client(&clients[i]);
	report(run(clients, n, seconds, most));
	return 0;
}
