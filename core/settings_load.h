/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the effective configuration (section 09): the side of settings that
 * only cliquetd, the cliquet command and tests use.
 */
#ifndef CLQ_SETTINGS_LOAD_H
#define CLQ_SETTINGS_LOAD_H

#include <stdio.h>

#include <cliquet/settings.h>

/* The core's own settings; the one table behind parser, dump and manual. */
extern const struct clq_setting clq_core_settings[];
extern const size_t clq_n_core_settings;

/*
 * Read path: [DEFAULT], [app:main] (and [server:main] as "server.<key>",
 * [resource:NAME] as "resource.NAME.<key>"), continuation lines, %(here)s and
 * %(name)s, prefixes `cliquet.` and `kinto.` removed, conflicts found, JSON
 * quotes removed, environment applied, core settings checked.
 *
 * path    NULL: defaults and environment only
 * out     owned by the caller; written also on CLQ_INVALID if the file could be
 *         read, so that all problems can be shown
 * Every problem is logged with file, line and remedy. CLQ_OK, CLQ_NOT_FOUND
 * (no such file; logged) or CLQ_INVALID.
 */
CLQ_API enum clq_status clq_settings_load(const char *path,
    struct clq_settings **out) CLQ_MUST_CHECK;

/*
 * Where the ini is if the command line does not say, for the server and for the
 * operator's command alike: $CLIQUET_INI, $KINTO_INI,
 * SYSCONFDIR/cliquet/cliquet.ini if there is one, ./config/kinto.ini if there
 * is one; else NULL.
 */
CLQ_API const char *clq_default_ini(void);

/* The same from a text; name stands for the file in messages. For tests. */
CLQ_API enum clq_status clq_settings_parse(const char *name,
    struct clq_str text, struct clq_settings **out) CLQ_MUST_CHECK;

CLQ_API void clq_settings_free(struct clq_settings **s);

/* False once clq_settings_error() was called. */
CLQ_API bool clq_settings_usable(const struct clq_settings *s);

/* Warn once for each key that nobody declared, each section that nobody reads
 * and each variable that sets nothing. After all plugins are set up. */
CLQ_API void clq_settings_warn_unknown(const struct clq_settings *s);

/* Every known setting, as an ini with comments: value, origin, default, unit,
 * effect; secrets masked (`cliquet dump-config`). */
CLQ_API void clq_settings_dump(const struct clq_settings *s, FILE *to);

/* The texts that stand for true and false; false if v is none of them. */
bool clq_settings_parse_bool(struct clq_str v, bool *out);

/* The text with the passwords of URLs and of "password=..." masked. */
CLQ_API struct clq_str clq_text_without_passwords(struct clq_arena *arena,
    struct clq_str v);

/* Path of the ini as given, or NULL. */
CLQ_API const char *clq_settings_path(const struct clq_settings *s);

#endif
