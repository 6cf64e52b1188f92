/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ini while it is being read: shared by settings_fold.c, which makes
 * logical lines out of the text, and settings_ini.c, which gives them meaning.
 */
#ifndef CLQ_SETTINGS_INI_H
#define CLQ_SETTINGS_INI_H

#include <cliquet/buf.h>

#include "settings_impl.h"

struct _dictionary_;		/* <iniparser/dictionary.h> */

enum {
	CLQ_INI_NAME_MAX = 150,	/* bytes of a key or section: three times two
				   of them fit in iniparser's 1024 */
	CLQ_INI_LINES_MAX = 4000 /* logical lines; iniparser is quadratic */
};

/* A setting, joined from one or more lines of the text. */
struct clq_ini_line {
	struct clq_str	section;
	struct clq_str	key;
	struct clq_buf	value;
	unsigned	number;		/* of its first line, from 1 */
	unsigned	head;		/* line of its section's head */
	bool		used;		/* something has its name as %(...)s */
};

struct clq_ini {
	struct clq_settings	*s;
	struct clq_arena	*arena;		/* while reading */
	const char		*name;		/* of the file, for messages */
	struct clq_ini_line	*lines;
	size_t			 n;
	size_t			 cap;
	bool			 has_app;	/* [app:main] was there */
	unsigned		 number;	/* of the line being read */
	unsigned		 problems;
	struct clq_str		 section;	/* where we are; or absent */
	unsigned		 section_number; /* line of its head */
	struct clq_ini_line	*open;		/* may be continued; or NULL */
	size_t			 indent;	/* of the open one */
	struct _dictionary_	*dict;		/* iniparser's */
	unsigned		 expansions;	/* in the current value */
};

/* Cut text into ini->lines; every line that is wrong is told. */
void clq_ini_fold(struct clq_ini *ini, struct clq_str text);

/* Report a problem of a line; after twenty, no more. */
void clq_ini_bad(struct clq_ini *ini, unsigned number, const char *fmt,
    ...) CLQ_PRINTF(3, 4);

#endif
