/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cliquet check-config` and `dump-config`, and what every command does with
 * the configuration first.
 *
 * Checking is doing what the server's master does before it forks: read, ask
 * every plugin, build the routes. Nothing is connected, created or changed.
 */
#include <cliquet/log.h>
#include <cliquet/str.h>

#include "../fcgi/conf.h"
#include "cli.h"
#include "log_conf.h"
#include "server.h"
#include "settings_load.h"

struct clq_server *
cli_server(const struct cli *cli)
{
	struct clq_settings *s = NULL;
	struct clq_server *srv = NULL;
	struct clq_conf conf;
	bool sound;

	sound = clq_settings_load(cli->ini, &s) == CLQ_OK;
	if (s == NULL)
		return NULL;
	if (clq_log_check(s) != CLQ_OK)
		sound = false;
	if (clq_conf_read(s, &conf) != CLQ_OK)
		sound = false;
	/* Also with wrong settings: plugins tell their problems in one go. */
	if (clq_server_new(s, &srv) != CLQ_OK)
		return NULL;
	if (sound && clq_settings_usable(srv->settings))
		return srv;
	clq_server_free(&srv);
	return NULL;
}

int
cli_check_config(const struct cli *cli)
{
	struct clq_server *srv = cli_server(cli);

	if (srv == NULL) {
		clq_log_err("%s: the server would not start with this",
		    cli->ini);
		return CLI_FAILED;
	}
	clq_settings_warn_unknown(srv->settings);
	cli_say(cli, "%s: good", cli->ini);
	clq_server_free(&srv);
	return CLI_OK;
}

int
cli_dump_config(const struct cli *cli)
{
	struct clq_server *srv = cli_server(cli);
	struct clq_settings *s = NULL;

	if (srv != NULL) {
		clq_settings_dump(srv->settings, stdout);
		clq_server_free(&srv);
		return CLI_OK;
	}
	/* Something is wrong, and told: show what can be shown, without the
	 * plugins' settings and without telling it again. */
	clq_log_set_level((enum clq_log_level)(CLQ_LOG_ERROR - 1));
	(void)(clq_settings_load(cli->ini, &s) == CLQ_OK);
	if (s != NULL)
		clq_settings_dump(s, stdout);
	clq_settings_free(&s);
	return CLI_FAILED;
}
