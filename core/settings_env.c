/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment's say in the settings (section 09-2).
 *
 * For a known key the variables KEY, KINTO_KEY and CLIQUET_KEY are asked, the
 * last one present wins: '.' and '-' become '_', letters upper case. Keys that
 * mean something else to a shell or to a service manager (USER, SOCKET, ...)
 * are taken with a prefix only. Runs in the master, when a key becomes known:
 * after the ini for what it holds, at declaration for the rest.
 */
#include <cliquet/buf.h>
#include <cliquet/str.h>

#include "settings_impl.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 65536 };	/* bytes of a variable */

/* "PREFIX" + the key as a variable name. */
static char *
variable_name(struct clq_settings *s, const char *prefix, const char *key)
{
	struct clq_str name = clq_arena_printf(s->arena, "%s%s", prefix, key);
	char *c, *var = clq_arena_cstr(s->arena, name);

	for (c = var; *c != '\0'; c++)
		if (*c == '.' || *c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return var;
}

static void
take_variable(struct clq_settings *s, struct clq_entry *e,
    const char *prefix)
{
	char *var = variable_name(s, prefix, e->key);
	struct clq_str value = clq_str_of(getenv(var));

	if (value.p == NULL)
		return;
	if (value.len > VALUE_MAX || !clq_utf8_valid(value)) {
		clq_settings_wrong(s, clq_arena_printf(s->arena,
		    "environment %s", var).p, "the value is %s",
		    value.len > VALUE_MAX ?
		    "too long; use at most 65536 bytes" :
		    "not UTF-8; write it in UTF-8, or unset the variable");
		return;
	}
	if (e->origin == CLQ_ORIGIN_FILE)
		e->over = e->where;
	clq_settings_assign(s, e, value, CLQ_ORIGIN_ENV,
	    clq_arena_printf(s->arena, "environment %s", var).p);
}

void
clq_env_override(struct clq_settings *s, struct clq_entry *e)
{
	if (e->origin == CLQ_ORIGIN_ENV)
		return;			/* taken before */
	if (!clq_setting_prefixed_only(e->key))
		take_variable(s, e, "");
	take_variable(s, e, "kinto.");
	take_variable(s, e, "cliquet.");
}

/* The only keys that the environment may bring into being: an entry is made
 * if one of its variables exists. */
static void
take_listener_key(struct clq_settings *s, struct clq_str key)
{
	static const char *const prefixes[] = { "", "kinto.", "cliquet." };
	struct clq_entry *e;
	size_t i;

	for (i = 0; i < CLQ_COUNT(prefixes); i++) {
		if (getenv(variable_name(s, prefixes[i], key.p)) == NULL)
			continue;
		e = clq_settings_entry(s, key);
		clq_env_override(s, e);
		e->row = clq_settings_row(s, e->key);
	}
}

void
clq_env_listeners(struct clq_settings *s)
{
	static const char *const options[] = { "use", "actions", "resources" };
	struct clq_strs names = clq_settings_list(s, "event_listeners");
	size_t i, j;

	for (i = 0; i < names.n; i++)
		for (j = 0; j < CLQ_COUNT(options); j++)
			take_listener_key(s, clq_arena_printf(s->arena,
			    "event_listeners.%.*s.%s", CLQ_FMT(names.items[i]),
			    options[j]));
}
