/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective configuration: defaults, then the ini file, then the
 * environment (section 09).
 *
 * Read once in the master before forking; read-only afterwards, so any
 * process may look things up at any time. Keys are given without the prefix
 * (`paginate_by`, never `cliquet.paginate_by`).
 */
#ifndef CLQ_SETTINGS_H
#define CLQ_SETTINGS_H

#include <cliquet/arena.h>
#include <cliquet/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clq_set_type {
	CLQ_SET_STR,
	CLQ_SET_INT,		/* between min and max */
	CLQ_SET_BOOL,		/* yes/no/on/off/1/0/true/false */
	CLQ_SET_LIST,		/* separated by blanks or newlines */
	CLQ_SET_SECRET		/* a text that no dump shows */
};

/*
 * One setting. Tables of these drive the parser, the checks, `cliquet
 * dump-config` and the manual. A key may hold one '*' for a family of
 * settings ("*_cache_expires_seconds"); its default is then NULL.
 */
struct clq_setting {
	const char		*key;
	enum clq_set_type	 type;
	const char		*def;	/* default as in an ini; NULL: unset */
	int64_t			 min;	/* CLQ_SET_INT only */
	int64_t			 max;
	const char		*unit;	/* "seconds", "bytes", ...; or NULL */
	const char		*help;	/* one sentence: the effect */
};

/* The text of key, JSON-unquoted; the absent slice if unset or `null`. An
 * empty value is an empty text. */
CLQ_API struct clq_str clq_settings_str(const struct clq_settings *s,
    const char *key);

/* As a NUL-terminated string, or NULL if unset. Lives as long as s. */
CLQ_API const char *clq_settings_cstr(const struct clq_settings *s,
    const char *key);

/* Checked at start-up; def if unset, empty (a number) or wrong. */
CLQ_API int64_t clq_settings_int(const struct clq_settings *s,
    const char *key, int64_t def);
CLQ_API bool clq_settings_bool(const struct clq_settings *s, const char *key,
    bool def);

/* The words of a list; n == 0 if unset. The array lives as long as s. */
CLQ_API struct clq_strs clq_settings_list(const struct clq_settings *s,
    const char *key);

/* True if the file, the environment or a default gives key a value. */
CLQ_API bool clq_settings_has(const struct clq_settings *s, const char *key);

/* "file.ini:12" or "environment X" or "default", for messages. */
CLQ_API const char *clq_settings_origin(const struct clq_settings *s,
    const char *key);

/* Call fn for every set key that begins with prefix ("" for all), in the order
 * of the file, then of the tables. */
typedef void clq_settings_each_f(void *ctx, const char *key,
    struct clq_str value);
CLQ_API void clq_settings_each(const struct clq_settings *s,
    const char *prefix, clq_settings_each_f *fn, void *ctx);

/*
 * Report a wrong value: logs "<origin>: <key>: <message>" and remembers that
 * the configuration is not usable. Returns CLQ_INVALID, for `return`.
 */
CLQ_API enum clq_status clq_settings_error(struct clq_settings *s,
    const char *key, const char *fmt, ...) CLQ_PRINTF(3, 4);

/*
 * Make the settings of a plugin known, with defaults; from its setup or
 * configure function, before it looks them up. The table must stay valid. A
 * key that is known already gets the new type, bounds and, unless file or
 * environment set it, the new default. CLQ_INVALID after wrong values were
 * told.
 */
CLQ_API enum clq_status clq_settings_declare(struct clq_settings *s,
    const struct clq_setting *table, size_t n) CLQ_MUST_CHECK;

/*
 * The same for options whose keys are known at the start only: those of the
 * table with the prefix in front, as a listener's
 * "event_listeners.NAME.". Returns a copy of the table with the whole keys, in
 * its order, that lives as long as s; NULL after wrong values were told. The
 * table itself need not stay. Since 1.10.
 */
CLQ_API const struct clq_setting *clq_settings_declare_below(
    struct clq_settings *s, const char *prefix,
    const struct clq_setting *table, size_t n) CLQ_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
