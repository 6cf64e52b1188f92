/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet`: prepares, checks and maintains a service (section 09-7).
 *
 * Options may stand before or after the command. Each command takes the
 * general options and those of its row; anything else is refused before
 * anything is done. Exit status: 0 done, 1 failed (said why), 2 wrong usage.
 */
#include <cliquet/abi.h>
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "cli.h"
#include "log_conf.h"
#include "settings_load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static cli_command_f show_version;

/* Options beyond those that every command takes. */
enum {
	OPT_BACKEND = 256,
	OPT_CACHE_BACKEND,
	OPT_HOST,
	OPT_SOCKET,
	OPT_DATA,
	OPT_USERNAME,
	OPT_PASSWORD,
	OPT_DRY_RUN,
	OPT_HEADER,
	OPT_ONCE,
	OPT_JSON,
	OPT__END
};
#define BIT(opt)	(1u << ((opt) - OPT_BACKEND))
#define INIT_OPTIONS	(BIT(OPT_BACKEND) | BIT(OPT_CACHE_BACKEND) | \
			    BIT(OPT_HOST) | BIT(OPT_SOCKET) | BIT(OPT_DATA))
#define USER_OPTIONS	(BIT(OPT_USERNAME) | BIT(OPT_PASSWORD))

static const struct command {
	const char	*name;
	cli_command_f	*run;
	unsigned	 options;
	int		 min_operands;
	int		 max_operands;	/* -1: any number */
	const char	*synopsis;
	const char	*help;
} commands[] = {
	{ "init", cli_init, INIT_OPTIONS, 0, 0,
	  "[--backend sqlite|postgresql|redis|memory]\n"
	  "       [--cache-backend memory|memcached|redis|postgresql] [--data DIR]\n"
	  "       [--socket PATH | --host HOST[:PORT]]",
	  "write a configuration with fresh secrets; never overwrites" },
	{ "check-config", cli_check_config, 0, 0, 0, "",
	  "say everything that is wrong with the configuration" },
	{ "dump-config", cli_dump_config, 0, 0, 0, "",
	  "show every setting: value, origin, meaning" },
	{ "migrate", cli_migrate, BIT(OPT_DRY_RUN), 0, 0, "[--dry-run]",
	  "create or upgrade what the backends store" },
	{ "index", cli_index, 0, 1, 3,
	  "list | index add|drop BUCKET/COLLECTION FIELD",
	  "indexes that filters and sorts on a field of records use" },
	{ "outbox", cli_outbox, 0, 1, 3,
	  "list [LISTENER] | outbox retry|drop LISTENER [ID]",
	  "events that wait for listeners, or were put aside" },
	{ "flush-cache", cli_flush_cache, 0, 0, 0, "",
	  "forget everything in the cache" },
	{ "purge-deleted", cli_purge_deleted, 0, 2, -1,
	  "RESOURCE... MAX-RETAINED",
	  "keep only the newest tombstones of each list" },
	{ "create-user", cli_create_user, USER_OPTIONS, 0, 0,
	  "[-u USER] [-p PASSWORD]",
	  "create an account or change its password; asks for what is not "
	  "given" },
	{ "top", cli_top, BIT(OPT_ONCE) | BIT(OPT_JSON), 0, 1,
	  "[--once | --json] [PID]",
	  "show what the workers of a running server are doing" },
	{ "new", cli_new, 0, 1, 1, "NAME",
	  "make a folder NAME with an application to begin with" },
	{ "request", cli_request, USER_OPTIONS | BIT(OPT_HEADER), 2, 3,
	  "METHOD PATH [BODY] [-u USER] [-p PASSWORD]\n"
	  "       [--header 'Name: value']...",
	  "send a request to the running server; -v shows the header" },
	{ "version", show_version, 0, 0, 0, "", "print the version" }
};

static const char *
default_ini(void)
{
	const char *path = clq_default_ini();

	return path != NULL ? path : "config/kinto.ini"; /* for `init` */
}

static void
usage(FILE *to)
{
	size_t i;

	fputs("usage: cliquet [--ini FILE] [-q] [-v] COMMAND [OPTIONS]\n\n",
	    to);
	for (i = 0; i < CLQ_COUNT(commands); i++)
		fprintf(to, "%s%s%s\n    %s\n", commands[i].name,
		    *commands[i].synopsis != '\0' ? " " : "",
		    commands[i].synopsis, commands[i].help);
	fprintf(to, "\n"
	    "  --ini FILE     the configuration; else $CLIQUET_INI, "
	    "$KINTO_INI,\n"
	    "                 " CLQ_SYSCONFDIR "/cliquet/cliquet.ini\n"
	    "                 or config/kinto.ini, the first that exists\n"
	    "                 (now: %s)\n"
	    "  -q, --quiet    say errors only\n"
	    "  -v, --verbose  say more\n"
	    "  -h, --help     print this\n", default_ini());
}

static int
show_version(const struct cli *cli)
{
	(void)cli;
	printf("%s\n", CLQ_VERSION);
	return CLI_OK;
}

void
cli_say(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

bool
cli_write(int fd, struct clq_str text)
{
	ssize_t n;

	while (text.len > 0) {
		n = write(fd, text.p, text.len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = clq_str_sub(text, (size_t)n, text.len);
	}
	return true;
}

static int CLQ_PRINTF(1, 2)
wrong_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("cliquet: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; see cliquet --help\n", stderr);
	return CLI_USAGE;
}

/* Fill cli; *used gets the bits of the special options. False: usage. */
static bool
parse_options(int argc, char **argv, struct cli *cli, unsigned *used,
    bool *help)
{
	static const struct option longs[] = {
		{ "ini", required_argument, NULL, 'i' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "debug", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "backend", required_argument, NULL, OPT_BACKEND },
		{ "cache-backend", required_argument, NULL,
		    OPT_CACHE_BACKEND },
		{ "host", required_argument, NULL, OPT_HOST },
		{ "socket", required_argument, NULL, OPT_SOCKET },
		{ "data", required_argument, NULL, OPT_DATA },
		{ "username", required_argument, NULL, OPT_USERNAME },
		{ "password", required_argument, NULL, OPT_PASSWORD },
		{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
		{ "header", required_argument, NULL, OPT_HEADER },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ NULL, 0, NULL, 0 }
	};
	const char **texts[] = { &cli->backend, &cli->cache_backend,
	    &cli->host, &cli->socket, &cli->data, &cli->username,
	    &cli->password };
	int c;

	while ((c = getopt_long(argc, argv, "i:qvhu:p:", longs, NULL)) !=
	    -1) {
		c = c == 'u' ? OPT_USERNAME : c == 'p' ? OPT_PASSWORD : c;
		if (c >= OPT_BACKEND && c < OPT__END)
			*used |= BIT(c);
		if (c >= OPT_BACKEND && c <= OPT_PASSWORD)
			*texts[c - OPT_BACKEND] = optarg;
		else if (c == OPT_DRY_RUN)
			cli->dry_run = true;
		else if (c == OPT_HEADER && cli->nheaders < CLI_MAX_HEADERS)
			cli->headers[cli->nheaders++] = optarg;
		else if (c == OPT_HEADER)
			return wrong_usage("at most %d headers",
			    CLI_MAX_HEADERS) == CLI_OK;
		else if (c == OPT_ONCE)
			cli->once = true;
		else if (c == OPT_JSON)
			cli->json = true;
		else if (c == 'i')
			cli->ini_given = (cli->ini = optarg) != NULL;
		else if (c == 'q')
			cli->quiet = true;
		else if (c == 'v')
			cli->verbose = true;
		else if (c == 'h')
			*help = true;
		else
			return false;	/* getopt has said it */
	}
	if (cli->verbose)
		clq_log_set_level(CLQ_LOG_DEBUG);
	if (cli->quiet)
		clq_log_set_level(CLQ_LOG_ERROR);
	return true;
}

static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < CLQ_COUNT(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .ini = default_ini() };
	const struct command *cmd;
	bool help = false;
	unsigned used = 0;
	int rc;

	signal(SIGPIPE, SIG_IGN);	/* a closed stdout is a failed write */
	clq_log_set_level(CLQ_LOG_INFO);
	if (!parse_options(argc, argv, &cli, &used, &help))
		return CLI_USAGE;
	if (help) {
		usage(stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	if (optind == argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	if ((cmd = find_command(argv[optind])) == NULL)
		return wrong_usage("there is no command '%s'", argv[optind]);
	cli.operands = argv + optind + 1;
	cli.noperands = argc - optind - 1;
	if ((used & ~cmd->options) != 0)
		return wrong_usage("an option that %s does not take",
		    cmd->name);
	if (cli.noperands < cmd->min_operands || (cmd->max_operands != -1 &&
	    cli.noperands > cmd->max_operands))
		return wrong_usage("too %s operands for %s", cli.noperands <
		    cmd->min_operands ? "few" : "many", cmd->name);
	rc = cmd->run(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		clq_log_err("standard output: %s", strerror(errno));
		rc = CLI_FAILED;
	}
	return rc;
}
