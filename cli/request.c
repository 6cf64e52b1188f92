/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet request`: one request to the running server, as a web server would
 * send it: to its socket, in FastCGI. For test scripts, and to see whether it
 * is the service or the web server that is wrong.
 *
 * The body of the answer goes to standard output, with -v its header before
 * it. What is sent is written at once and answers are bounded, so the few
 * records need no library.
 */
#include <cliquet/buf.h>
#include <cliquet/crypto.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"
#include "settings_load.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Of the FastCGI specification. */
enum {
	FCGI_HEAD = 8,			/* bytes */
	FCGI_CONTENT_MAX = 65528,	/* a multiple of 8 */
	FCGI_BEGIN = 1,
	FCGI_END = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6
};

enum {
	PATIENCE_SEC = 60,
	ANSWER_MAX = 256 << 20		/* bytes */
};

/* ---- what is sent ------------------------------------------------------- */

static void
add_record(struct clq_buf *b, int type, struct clq_str content)
{
	const char head[FCGI_HEAD] = {
		1, (char)type, 0, 1, (char)(content.len >> 8),
		(char)content.len, 0, 0
	};

	clq_buf_add(b, (struct clq_str){ head, sizeof head });
	clq_buf_add(b, content);
}

/* A stream ends with an empty record. */
static void
add_stream(struct clq_buf *b, int type, struct clq_str content)
{
	size_t end;

	for (size_t i = 0; i < content.len; i = end) {
		end = i + FCGI_CONTENT_MAX;
		if (end > content.len)
			end = content.len;
		add_record(b, type, clq_str_sub(content, i, end));
	}
	add_record(b, type, CLQ_STR(""));
}

static void
add_length(struct clq_buf *b, size_t len)
{
	clq_buf_addc(b, (char)(0x80 | len >> 24));
	clq_buf_addc(b, (char)(len >> 16));
	clq_buf_addc(b, (char)(len >> 8));
	clq_buf_addc(b, (char)len);
}

static void
add_param(struct clq_buf *b, struct clq_str name, struct clq_str value)
{
	add_length(b, name.len);
	add_length(b, value.len);
	clq_buf_add(b, name);
	clq_buf_add(b, value);
}

/* A copy in capitals. */
static char *
upper(struct clq_arena *arena, struct clq_str s)
{
	char *copy = clq_arena_cstr(arena, s);

	for (char *c = copy; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return copy;
}

/* "If-Match: x" as HTTP_IF_MATCH. False: no header. */
static bool
add_header(struct clq_buf *b, const char *text)
{
	struct clq_str line = clq_str_of(text), name;
	size_t colon = clq_str_find(line, ':', 0);
	char *c;

	name = clq_str_trim(clq_str_sub(line, 0, colon));
	if (colon == line.len || name.len == 0) {
		clq_log_err("--header: '%s' is no header; write 'Name: value'",
		    text);
		return false;
	}
	c = upper(b->arena, name);
	for (char *p = c; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	add_param(b, clq_str_caseis(name, "Content-Type") ?
	    CLQ_STR("CONTENT_TYPE") : clq_arena_printf(b->arena, "HTTP_%s",
	    c), clq_str_trim(clq_str_sub(line, colon + 1, line.len)));
	return true;
}

static void
add_credentials(struct clq_buf *b, const struct cli *cli)
{
	struct clq_str pair;

	if (cli->username == NULL)
		return;
	pair = clq_arena_printf(b->arena, "%s:%s", cli->username,
	    cli->password != NULL ? cli->password : "");
	pair = clq_base64_encode(b->arena, pair);
	add_param(b, CLQ_STR("HTTP_AUTHORIZATION"), clq_arena_printf(
	    b->arena, "Basic %.*s", CLQ_FMT(pair)));
}

static bool
add_params(struct clq_buf *b, const struct cli *cli, struct clq_str body)
{
	struct clq_str url = clq_str_of(cli->operands[1]);
	size_t query = clq_str_find(url, '?', 0);
	bool typed = false;

	/* Methods are capitals; people type as they like. */
	add_param(b, CLQ_STR("REQUEST_METHOD"), clq_str_of(upper(b->arena,
	    clq_str_of(cli->operands[0]))));
	add_param(b, CLQ_STR("REQUEST_URI"), url);
	add_param(b, CLQ_STR("QUERY_STRING"), clq_str_sub(url, query + 1,
	    url.len));
	add_param(b, CLQ_STR("HTTP_HOST"), CLQ_STR("localhost"));
	add_param(b, CLQ_STR("REMOTE_ADDR"), CLQ_STR("127.0.0.1"));
	add_param(b, CLQ_STR("CONTENT_LENGTH"), clq_arena_printf(b->arena,
	    "%zu", body.len));
	add_credentials(b, cli);
	for (int i = 0; i < cli->nheaders; i++) {
		if (!add_header(b, cli->headers[i]))
			return false;
		typed = typed || strncasecmp(cli->headers[i], "content-type",
		    strlen("content-type")) == 0;
	}
	if (body.len > 0 && !typed)
		add_param(b, CLQ_STR("CONTENT_TYPE"),
		    CLQ_STR("application/json"));
	return true;
}

/* ---- the socket ---------------------------------------------------------- */

static int
connect_path(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof sun.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (const struct sockaddr *)&sun,
	    sizeof sun) == -1) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* "127.0.0.1:9000", "[::1]:9000", "*:9000". */
static int
connect_host(struct clq_arena *arena, struct clq_str address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *a;
	size_t colon = address.len;
	struct clq_str host;
	int fd = -1;

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	host = clq_str_sub(address, 0, colon > 0 ? colon - 1 : 0);
	if (clq_str_starts(host, "["))
		host = clq_str_sub(host, 1, host.len - 1);
	if (host.len == 0 || clq_str_is(host, "*"))
		host = CLQ_STR("127.0.0.1");
	if (getaddrinfo(clq_arena_cstr(arena, host), clq_arena_cstr(arena,
	    clq_str_sub(address, colon, address.len)), &hints, &list) != 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	for (a = list; a != NULL && fd == -1; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd == -1 || connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			continue;
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static int
connect_server(const struct cli *cli, struct clq_arena *arena)
{
	const struct timeval patience = { .tv_sec = PATIENCE_SEC };
	struct clq_settings *s = NULL;
	struct clq_str address;
	struct clq_strs list;
	int fd = -1;

	(void)(clq_settings_load(cli->ini, &s) == CLQ_OK);
	if (s == NULL)
		return -1;
	list = clq_settings_list(s, "socket");
	if (list.n == 0) {
		clq_log_err("%s: no `socket` is set, so it is not known where "
		    "the server listens; set it", cli->ini);
	} else {
		address = list.items[0];
		fd = clq_str_find(address, '/', 0) < address.len ?
		    connect_path(clq_arena_cstr(arena, address)) :
		    connect_host(arena, address);
		if (fd == -1)
			clq_log_err("%.*s: %s; is the server running?",
			    CLQ_FMT(address), strerror(errno));
		else
			(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO,
			    &patience, sizeof patience);
	}
	clq_settings_free(&s);
	return fd;
}

static bool
send_all(int fd, struct clq_str text)
{
	bool good = cli_write(fd, text);

	if (!good)
		clq_log_err("the request cannot be sent: %s",
		    strerror(errno));
	return good;
}

static bool
receive(int fd, void *to, size_t len)
{
	char *p = to;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = read(fd, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0) {
			clq_log_err("no answer: %s", n == 0 ? "the server "
			    "closed the connection; its log tells why" :
			    strerror(errno));
			return false;
		}
	}
	return true;
}

/* The standard output of the request, header and body. */
static bool
read_answer(int fd, struct clq_buf *out)
{
	unsigned char head[FCGI_HEAD];
	char content[FCGI_CONTENT_MAX + 8 + 255];
	size_t len;

	out->limit = ANSWER_MAX;
	for (;;) {
		if (!receive(fd, head, sizeof head))
			return false;
		len = (size_t)head[4] << 8 | head[5];
		if (!receive(fd, content, len + head[6]))
			return false;
		if (head[1] == FCGI_STDOUT)
			clq_buf_add(out, (struct clq_str){ content, len });
		if (head[1] == FCGI_END)
			break;
	}
	if (!clq_buf_ok(out))
		clq_log_err("the answer is larger than %d bytes", ANSWER_MAX);
	return clq_buf_ok(out);
}

/* ---- the command ---------------------------------------------------------- */

/* Show it; the exit status is that of the answer. */
static int
show(const struct cli *cli, struct clq_str answer)
{
	size_t end = clq_str_search(answer, CLQ_STR("\r\n\r\n"));
	struct clq_str head = clq_str_sub(answer, 0, end), line;
	struct clq_str body = clq_str_sub(answer, end + 4, answer.len);
	struct clq_str status = CLQ_STR("200");

	while (clq_str_next(&head, '\n', &line)) {
		line = clq_str_trim(line);
		if (cli->verbose)
			printf("%.*s\n", CLQ_FMT(line));
		if (clq_str_starts(line, "Status: "))
			status = clq_str_sub(line, strlen("Status: "),
			    line.len);
	}
	if (cli->verbose)
		putchar('\n');
	(void)fwrite(body.p, 1, body.len, stdout);
	if (body.len > 0 && body.p[body.len - 1] != '\n')
		putchar('\n');
	(void)fflush(stdout);		/* before what is said of it */
	if (clq_str_cmp(status, CLQ_STR("4")) < 0)
		return CLI_OK;
	clq_log_err("%s %s: %.*s", cli->operands[0], cli->operands[1],
	    CLQ_FMT(status));
	return CLI_FAILED;
}

int
cli_request(const struct cli *cli)
{
	static const char begin[FCGI_HEAD] = { 0, 1, 0, 0, 0, 0, 0, 0 };
	struct clq_arena *arena = clq_arena_new();
	struct clq_str body = clq_str_of(cli->noperands > 2 ?
	    cli->operands[2] : "");
	struct clq_buf params, all, answer;
	int fd = -1, rc = CLI_FAILED;

	clq_buf_init(&params, arena, 1024);
	clq_buf_init(&all, arena, 4096);
	clq_buf_init(&answer, arena, 65536);
	if (!add_params(&params, cli, body))
		goto out;
	add_record(&all, FCGI_BEGIN, (struct clq_str){ begin, sizeof begin });
	add_stream(&all, FCGI_PARAMS, clq_buf_str(&params));
	add_stream(&all, FCGI_STDIN, body);
	if ((fd = connect_server(cli, arena)) != -1 &&
	    send_all(fd, clq_buf_str(&all)) && read_answer(fd, &answer))
		rc = show(cli, clq_buf_str(&answer));
out:	if (fd != -1)
		close(fd);
	clq_arena_free(&arena);
	return rc;
}
