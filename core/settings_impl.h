/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store behind struct clq_settings, shared by the settings*.c files only.
 *
 * Entries are kept in the order in which they came (file, then defaults), and
 * found through a hash table. Everything lives in the arena of the store.
 */
#ifndef CLQ_SETTINGS_IMPL_H
#define CLQ_SETTINGS_IMPL_H

#include "settings_load.h"

enum clq_origin {
	CLQ_ORIGIN_DEFAULT,
	CLQ_ORIGIN_FILE,
	CLQ_ORIGIN_ENV
};

/* One known setting and its value. */
struct clq_entry {
	const char			*key;	/* without prefix */
	struct clq_str			 value;	/* terminated; p NULL: null */
	struct clq_strs			 words;	/* of the value */
	enum clq_origin			 origin;
	const char			*where;	/* "kinto.ini:12" */
	const char			*over;	/* what the environment beat */
	const char			*spelled; /* with its prefix */
	struct clq_str			 raw;	/* before decoding */
	const struct clq_setting	*row;	/* NULL: nobody declared it */
};

/* A section that nobody reads. */
struct clq_odd_section {
	const char	*name;
	const char	*where;		/* "kinto.ini:12" */
};

/* A line of a section that is another program's. */
struct clq_odd_line {
	const char	*section;
	const char	*key;		/* as written */
	const char	*where;
};

enum { CLQ_SETTINGS_MAGIC = 0x5e771465 };

struct clq_settings {
	unsigned			  magic;
	struct clq_arena		 *arena;
	const char			 *path;		/* as given, or NULL */
	bool				  wrong;
	struct clq_entry		**entries;
	size_t				  n;
	size_t				  cap;		/* of entries */
	uint32_t			 *slots;	/* index + 1; 0: free */
	size_t				  nslots;	/* a power of two */
	const struct clq_setting	**rows;		/* as declared */
	size_t				  nrows;
	size_t				  rows_cap;
	struct clq_odd_section		 *odd;		/* or NULL */
	size_t				  nodd;
	struct clq_odd_line		 *lines;	/* or NULL */
	size_t				  nlines;
	size_t				  lines_cap;
};

struct clq_settings *clq_settings_new(const char *path);

struct clq_entry *clq_settings_find(const struct clq_settings *s,
    const char *key);

/* The entry of key, made if missing (as an unset default). */
struct clq_entry *clq_settings_entry(struct clq_settings *s,
    struct clq_str key);

/* Set the value of e from a text as in an ini: JSON quotes removed, `null`
 * makes it unset, words split. where is copied. */
void clq_settings_assign(struct clq_settings *s, struct clq_entry *e,
    struct clq_str raw, enum clq_origin origin, const char *where);

/* Check the value of e against its row; problems are said. */
void clq_settings_check(struct clq_settings *s, struct clq_entry *e);

/* "where: message", and the configuration is not usable. */
void clq_settings_wrong(struct clq_settings *s, const char *where,
    const char *fmt, ...) CLQ_PRINTF(3, 4);

/* The row of a key: the exact one, else the family; or NULL. */
const struct clq_setting *clq_settings_row(const struct clq_settings *s,
    const char *key);

/* True if key is a member of the family (a pattern with one '*'). */
bool clq_settings_in_family(const char *family, const char *key);

/* key without "cliquet." or "kinto.". */
struct clq_str clq_settings_unprefixed(struct clq_str key);

/* settings_ini.c: fill the store from an ini. name: for messages. */
void clq_ini_parse(struct clq_settings *s, const char *name,
    struct clq_str text);

/* settings_unknown.c: keep a section that is neither ours nor of a program that
 * shares an ini with us, to be told by clq_settings_warn_unknown(). */
void clq_settings_note_section(struct clq_settings *s, struct clq_str name,
    const char *where);

/* Keep a line of a section that is not read, likewise; `[DEFAULT]` is such a
 * section for a line that no other makes use of. */
void clq_settings_note_line(struct clq_settings *s, struct clq_str section,
    struct clq_str key, const char *where);

/* settings_env.c: let the environment override e; then listeners' keys. */
void clq_env_override(struct clq_settings *s, struct clq_entry *e);
void clq_env_listeners(struct clq_settings *s);

/* settings_table.c: keys that the environment sets with a prefix only. */
bool clq_setting_prefixed_only(const char *key);

#endif
