/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cliquetd: the FastCGI server.
 *
 * Who started us decides how we run. A listening socket on descriptor 0 means
 * spawn-fcgi or mod_fcgid, which keep processes running themselves: we are one
 * of them, without a master, unless --workers asks for one. Sockets from
 * systemd, or of our own, are served by a master and its workers.
 */
#include <cliquet/clock.h>
#include <cliquet/log.h>

#include "../core/log_conf.h"
#include "../core/settings_load.h"
#include "feed.h"
#include "load.h"
#include "master.h"
#include "notify.h"
#include "privileges.h"
#include "deliverers.h"
#include "report.h"
#include "signals.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct options {
	const char	*ini;
	int		 workers;	/* 0: not given */
	bool		 daemonize;
	bool		 foreground;
	bool		 check;
};

static const char usage[] =
    "Usage: cliquetd [options] [FILE]\n"
    "Serve the Cliquet application that the ini FILE describes, by FastCGI.\n"
    "\n"
    "  -c, --config FILE  settings; else $CLIQUET_INI, $KINTO_INI,\n"
    "                     " CLQ_SYSCONFDIR "/cliquet/cliquet.ini\n"
    "                     or config/kinto.ini, the first that exists\n"
    "  -w, --workers N    worker processes, instead of the setting `workers`\n"
    "  -f, --foreground   stay in the foreground (the default)\n"
    "  -d, --daemonize    go to the background when ready\n"
    "  -t, --check        check the settings and exit\n"
    "  -V, --version      print the version and exit\n"
    "  -h, --help         print this and exit\n"
    "\n"
    "Signals: TERM stop, HUP reload the settings, USR1 reopen the log.\n";

/* -1: go on; else exit with it. */
static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "workers", required_argument, NULL, 'w' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "daemonize", no_argument, NULL, 'd' },
		{ "check", no_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	char *end;
	long n;
	int c;

	while ((c = getopt_long(argc, argv, "c:w:fdtVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->ini = optarg;
			break;
		case 'w':
			n = strtol(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || n < 1 ||
			    n > 1024) {
				fputs("cliquetd: --workers: 1 to 1024\n",
				    stderr);
				return EXIT_FAILURE;
			}
			o->workers = (int)n;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'd':
			o->daemonize = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'V':
			puts("cliquetd " CLQ_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind < argc && o->ini == NULL)
		o->ini = argv[optind++];
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	return -1;
}

/* Without a master: this process serves until its manager has enough of it. */
static int
run_single(struct clq_server *srv, const struct clq_conf *conf,
    const struct clq_listeners *l, const char *ini)
{
	struct clq_scoreboard *board = clq_scoreboard_new(1, ini);
	struct clq_worker w = {
		.server = srv, .conf = conf, .listeners = l,
		.handover = { -1, -1 }, .board = board,
	};
	const struct clq_deliverers_start deliverers = { .listeners = l };
	int rc = EXIT_FAILURE;

	if (board != NULL) {
		w.slot = &board->slots[0];
		atomic_store(&w.slot->pid, getpid());
		atomic_store(&w.slot->generation, 1);
		atomic_store(&w.slot->started, clq_now());
		clq_report_configure(conf);
		clq_deliverers_detach(srv, &deliverers);
		rc = clq_worker_run(&w);
		clq_deliverers_stop();
		clq_report_stop();
	}
	clq_scoreboard_free(&board);
	clq_server_free(&srv);
	return rc;
}

/* Descriptors for the connections, and for what backends open. */
static void
raise_limit(const struct clq_conf *conf)
{
	rlim_t want = (rlim_t)conf->max_connections + 256;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur < want)
		clq_log_warn("max_connections_per_worker: %d may be more than "
		    "the limit of open files allows (ulimit -n)",
		    conf->max_connections);
}

/* From checked settings to the end of the service. settings is taken over. */
static int
serve(const struct options *o, struct clq_settings *settings,
    struct clq_conf *conf, struct clq_listeners *l, enum clq_started_by by)
{
	struct clq_pidfile pidfile = { .fd = -1 };
	struct clq_master_start start = {
		.ini = o->ini, .listeners = l, .pidfile = &pidfile,
		.workers = o->workers,
	};
	struct clq_server *srv = NULL;
	pid_t self = getpid();
	int rc = EXIT_FAILURE;

	if ((by == CLQ_STARTED_ALONE &&
	    clq_listeners_update(l, conf) != CLQ_OK) ||
	    clq_pidfile_open(&pidfile, conf->pidfile) != CLQ_OK ||
	    clq_become(conf->user, conf->group) != CLQ_OK) {
		clq_settings_free(&settings);
		goto out;
	}
	raise_limit(conf);
	/* The log file last: what goes wrong before is for whoever starts us;
	 * and it belongs to the user who will have to open it again. */
	if (clq_server_new(settings, &srv) != CLQ_OK)
		goto out;
	if (clq_log_configure(srv->settings) != CLQ_OK) {
		clq_server_free(&srv);
		goto out;
	}
	clq_daemon_ready();
	if (by == CLQ_STARTED_STDIN && o->workers == 0) {
		rc = run_single(srv, conf, l, o->ini);
	} else {
		start.server = srv;
		start.conf = *conf;
		rc = clq_master_run(&start);
	}
out:	if (getpid() == self) {
		clq_pidfile_remove(&pidfile);
		if (rc == EXIT_SUCCESS)
			clq_log_info("stopped");
	}
	clq_listeners_close(l, getpid() == self);
	return rc;
}

/* Standard error gets its format and level at once. */
static bool
early_log(struct clq_settings *s)
{
	struct clq_str file = clq_settings_str(s, "log_file");

	return (file.len > 0 && !clq_str_is(file, "-")) ||
	    clq_log_configure(s) == CLQ_OK;
}

static int
check(struct clq_settings *settings, const struct clq_conf *conf,
    const char *ini)
{
	struct clq_server *srv = NULL;

	bool good = clq_become(conf->user, conf->group) == CLQ_OK;

	good = clq_log_check(settings) == CLQ_OK && good;
	if (clq_server_new(settings, &srv) != CLQ_OK)
		return EXIT_FAILURE;
	if (good)
		printf("%s: fine\n", ini != NULL ? ini : "environment");
	clq_server_free(&srv);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options o = { .ini = NULL };
	struct clq_listeners listeners = { .n = 0 };
	struct clq_settings *settings = NULL;
	struct clq_conf conf;
	enum clq_started_by by;
	int status = parse(argc, argv, &o);

	if (status != -1)
		return status;
	/* It would take USR1 and PIPE; what we install afterwards stays. */
	if (clq_feed_init() != CLQ_OK)
		return EXIT_FAILURE;
	clq_signals_init(false);
	clq_notify_init();
	if (o.ini == NULL)
		o.ini = clq_default_ini();
	if (clq_load_settings(o.ini, &settings, &conf) != CLQ_OK)
		return EXIT_FAILURE;
	if (o.check)
		return check(settings, &conf, o.ini);
	if (!early_log(settings)) {
		clq_settings_free(&settings);
		return EXIT_FAILURE;
	}
	by = clq_listeners_inherit(&listeners);
	if (by == CLQ_STARTED_ALONE && !o.foreground &&
	    (o.daemonize || conf.daemonize)) {
		switch (clq_daemonize(&status)) {
		case CLQ_OK:
			break;
		case CLQ_DONE:
			clq_settings_free(&settings);
			return status;
		default:
			clq_settings_free(&settings);
			return EXIT_FAILURE;
		}
	}
	return serve(&o, settings, &conf, &listeners, by);
}
