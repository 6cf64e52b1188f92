/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding and loading plugins (design: chosen at start-up through dlopen).
 */
#ifndef CLQ_PLUGIN_H
#define CLQ_PLUGIN_H

#include <cliquet/abi.h>

/*
 * Load the plugin that an ini value names, in the master.
 *
 * kind    "storage", "cache" or "app": the folder below plugin_path
 * value   a bare name ("sqlite"), a path (holds a '/'), or a dotted name of
 *         the Python original ("kinto.core.storage.postgresql"; a table maps
 *         it). A permission backend lives in "storage".
 * key     the setting it comes from, for messages
 *
 * Folders searched: the setting `plugin_path` (blank-separated), the
 * environment CLQ_PLUGIN_PATH, then PREFIX/lib/cliquet. Refused with a message
 * naming file, wanted and found version and remedy: no such file, not a
 * plugin, another ABI, a required function missing. CLQ_OK or CLQ_INVALID.
 * The same file is loaded once. Never closed.
 */
CLQ_API enum clq_status clq_plugin_load(struct clq_settings *s,
    const char *kind, struct clq_str value, const char *key,
    const struct clq_plugin **out) CLQ_MUST_CHECK;

#endif
