/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scoreboards of running servers, for `cliquet top`.
 */
#ifndef CLI_BOARD_H
#define CLI_BOARD_H

#include "../fcgi/scoreboard.h"

enum { CLI_BOARDS_MAX = 64 };

struct cli_board {
	struct clq_scoreboard	*copy;	/* as last read; sound and printable */
	pid_t			 pid;	/* of the master */
	uid_t			 uid;	/* whose it is */
	int			 fd;
};

struct cli_boards {
	struct cli_board	list[CLI_BOARDS_MAX];
	size_t			n;
	bool			other_version;	/* there is one of those */
	bool			forbidden;	/* some process was not shown */
};

/* Find that of the master pid (digits), or of all if pid is NULL, and read it.
 * Close with cli_boards_close(). */
void cli_boards_find(struct cli_boards *all, const char *pid);
void cli_boards_close(struct cli_boards *all);

/* Read it again. False: it cannot be read any more, or is none any more. */
bool cli_board_read(struct cli_board *board);

#endif
