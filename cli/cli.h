/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's command: what its parts share (section 09-7).
 *
 * Each command is a function that gets the parsed command line and returns an
 * exit status. All say what is wrong on standard error, through the log.
 */
#ifndef CLQ_CLI_H
#define CLQ_CLI_H

#include <cliquet/types.h>

#include <stdio.h>

struct clq_plugin;
struct clq_server;

enum {
	CLI_OK = 0,
	CLI_FAILED = 1,		/* said why */
	CLI_USAGE = 2		/* the command line is wrong */
};

enum { CLI_MAX_HEADERS = 32 };

/* The command line; texts are borrowed from argv, NULL where not given. */
struct cli {
	const char	 *ini;		/* never NULL */
	bool		  ini_given;	/* by --ini, and not found by itself */
	bool		  quiet;
	bool		  verbose;
	bool		  dry_run;
	bool		  once;
	bool		  json;
	const char	 *backend;
	const char	 *cache_backend;
	const char	 *host;
	const char	 *socket;
	const char	 *data;
	const char	 *username;
	const char	 *password;
	const char	 *headers[CLI_MAX_HEADERS];
	int		  nheaders;
	char		**operands;
	int		  noperands;
};

typedef int cli_command_f(const struct cli *cli);

cli_command_f cli_init;			/* init.c */
cli_command_f cli_check_config;		/* config.c */
cli_command_f cli_dump_config;
cli_command_f cli_migrate;		/* backends.c */
cli_command_f cli_flush_cache;
cli_command_f cli_purge_deleted;
cli_command_f cli_index;		/* index.c */
cli_command_f cli_outbox;		/* outbox.c */
cli_command_f cli_top;			/* top.c */
cli_command_f cli_create_user;		/* create_user.c */
cli_command_f cli_new;			/* new.c */
cli_command_f cli_request;		/* request.c */

/* Read the settings and build the server as cliquetd would: NULL if anything
 * is wrong, all of it said. */
struct clq_server *cli_server(const struct cli *cli);

/* Make the indexes of the setting storage_indexes. False: not all, said. */
bool cli_migrate_indexes(const struct cli *cli, struct clq_server *srv);

/* True, and said with the remedy, if what the plugin keeps is in the server's
 * memory, where no other process can reach it. */
bool cli_out_of_reach(const struct clq_plugin *plugin, const char *remedy);

/* Write all of it; false: errno tells why. */
bool cli_write(int fd, struct clq_str text);

/* Tell success on standard output, unless -q. */
void cli_say(const struct cli *cli, const char *fmt, ...) CLQ_PRINTF(2, 3);

#endif
