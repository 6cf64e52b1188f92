/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a new project, from etc/new: embedded when this is built, so
 * that the command needs no file of its installation. */
#ifndef CLQ_CLI_NEW_FILES_H
#define CLQ_CLI_NEW_FILES_H

#include <stddef.h>

struct cli_file {
	const char	*name;		/* in etc/new; NULL ends the table */
	const char	*text;		/* with @NAME@ and @SECRET@ */
};

extern const struct cli_file cli_new_files[];

#endif
