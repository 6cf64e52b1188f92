/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet create-user`: creates an account, or gives an existing one a new
 * password (section 06-7.4).
 *
 * It does what a PUT of the account does, through the same pipeline, as
 * somebody who may do everything: so names and passwords are checked, hashed
 * and stored by the plugin itself, and the service, if it runs, forgets the
 * old password. The password is better not given on the command line, where
 * everybody on the machine can read it: it is asked for, or read from standard
 * input.
 */
#include <cliquet/buf.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"
#include "dispatch.h"
#include "log_conf.h"
#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	LINE_LEN = 1024,	/* of an answer */
	PATIENCE = 3		/* times that two passwords may differ */
};

/* ---- asking ------------------------------------------------------------ */

/* While a password is typed: how the terminal was. */
static struct termios terminal;

static void
restore_and_die(int sig)
{
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	_exit(128 + sig);
}

/* One line of standard input into line, without its end. False: there is
 * none, or it is too long. */
static bool
read_line(char *line, size_t size)
{
	size_t len;

	if (fgets(line, (int)size, stdin) == NULL)
		return false;
	len = strlen(line);
	if (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	else if (!feof(stdin))
		return false;
	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	return true;
}

static bool
ask(const char *question, char *line, size_t size)
{
	if (isatty(STDIN_FILENO)) {
		fputs(question, stderr);
		fflush(stderr);
	}
	return read_line(line, size);
}

/* The same without showing what is typed. */
static bool
ask_secret(const char *question, char *line, size_t size)
{
	struct sigaction die = { .sa_handler = restore_and_die }, old_int,
	    old_term;
	struct termios quiet;
	bool good;

	if (tcgetattr(STDIN_FILENO, &terminal) == -1)
		return ask(question, line, size);
	sigaction(SIGINT, &die, &old_int);
	sigaction(SIGTERM, &die, &old_term);
	quiet = terminal;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	good = ask(question, line, size);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
	fputc('\n', stderr);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	return good;
}

/* Typed twice; from a pipe once. */
static bool
ask_password(char *password, size_t size)
{
	char again[LINE_LEN];
	bool same = false;
	int i;

	for (i = 0; i < PATIENCE && !same; i++) {
		if (!ask_secret("Password: ", password, size))
			return false;
		if (!isatty(STDIN_FILENO))
			return true;
		if (!ask_secret("Password, again: ", again, sizeof again))
			break;
		same = strcmp(password, again) == 0;
		if (!same)
			fputs("The two are different.\n", stderr);
	}
	explicit_bzero(again, sizeof again);
	return same;
}

/* ---- storing ----------------------------------------------------------- */

static struct clq_request *
new_request(struct clq_server *srv, struct clq_str user,
    struct clq_str password)
{
	struct clq_arena *arena = srv->arena;
	struct clq_request *req = clq_request_new(srv, arena);
	struct clq_str name = clq_url_encode(arena, user, "", false);
	struct clq_buf body;

	clq_buf_init(&body, arena, 0);
	clq_buf_adds(&body, "{\"data\":{\"password\":");
	clq_buf_json_str(&body, password);
	clq_buf_adds(&body, "}}");
	req->method = CLQ_METHOD_PUT;
	req->method_name = CLQ_STR("PUT");
	req->raw_path = clq_arena_printf(arena, "%.*s/accounts/%.*s",
	    CLQ_FMT(srv->prefix), CLQ_FMT(name));
	req->raw_query = CLQ_STR("");
	req->scheme = CLQ_STR("http");
	req->host = CLQ_STR("localhost");
	clq_pairs_add(arena, &req->headers, CLQ_STR("Content-Type"),
	    CLQ_STR("application/json"));
	req->body = clq_buf_str(&body);
	req->trusted = true;
	return req;
}

/* What the answer says for people. */
static struct clq_str
message_of(struct clq_arena *arena, struct clq_str body)
{
	struct clq_str why, message;
	cJSON *tree;

	if (clq_json_parse(arena, body, &tree, &why) != CLQ_OK)
		return CLQ_STR("no reason given");
	message = clq_json_str(clq_json_get(tree, "message"));
	return message.p != NULL ? message : CLQ_STR("no reason given");
}

static int
store(const struct cli *cli, struct clq_server *srv, const char *user,
    const char *password)
{
	struct clq_request *req = new_request(srv, clq_str_of(user),
	    clq_str_of(password));

	if (!cli->verbose && !cli->quiet)	/* no line per request */
		clq_log_set_level(CLQ_LOG_WARNING);
	clq_dispatch(req);
	if (req->response.status == 201) {
		cli_say(cli, "account %s created", user);
		return CLI_OK;
	}
	if (req->response.status == 200) {
		cli_say(cli, "account %s has a new password", user);
		return CLI_OK;
	}
	clq_log_err("no account %s: %.*s", user, CLQ_FMT(message_of(
	    srv->arena, req->response.body)));
	return CLI_FAILED;
}

static bool
usable(const struct cli *cli, struct clq_server *srv)
{
	if (clq_find_resource(srv, "account") == NULL)
		clq_log_err("%s: there are no accounts; add accounts to "
		    "includes", cli->ini);
	else if (srv->readonly)
		clq_log_err("%s: readonly: no account can be stored; set "
		    "readonly = false", cli->ini);
	else if (strcmp(srv->storage.plugin->name, "memory") == 0)
		clq_log_err("%s: accounts are in the memory of the running "
		    "server and go with it; create them by its API, or "
		    "choose another storage_backend", cli->ini);
	else if (clq_server_open(srv) != CLQ_OK)
		clq_log_err("the backends cannot be opened; see above");
	else
		return true;
	return false;
}

/* By the rule of the resource; the text is that of accounts. */
static bool
name_good(struct clq_server *srv, const char *name)
{
	const struct clq_resource *account = clq_find_resource(srv, "account");

	if (account->ids == NULL || account->ids->valid(clq_str_of(name)))
		return true;
	clq_log_err("create-user: '%s' is no user name: it consists of "
	    "unaccented letters, digits and + . @ _ -, and begins with a "
	    "letter or digit", name);
	return false;
}

int
cli_create_user(const struct cli *cli)
{
	char user[LINE_LEN], password[LINE_LEN];
	const char *name = cli->username, *word = cli->password;
	struct clq_server *srv = cli_server(cli);
	int rc = CLI_FAILED;

	if (srv == NULL)
		return CLI_FAILED;
	if (!usable(cli, srv))
		goto out;
	if (name == NULL && ask("User name: ", user, sizeof user))
		name = user;
	if (name != NULL && word == NULL && ask_password(password,
	    sizeof password))
		word = password;
	if (name == NULL || word == NULL)
		clq_log_err("create-user: no %s was given; use -u and -p, or "
		    "type them", name == NULL ? "user name" : "password");
	else if (!clq_utf8_valid(clq_str_of(name)) ||
	    !clq_utf8_valid(clq_str_of(word)))
		clq_log_err("create-user: what was given is not UTF-8");
	else if (name_good(srv, name))
		rc = store(cli, srv, name, word);
	explicit_bzero(password, sizeof password);
out:	clq_server_free(&srv);
	return rc;
}
