/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz driver for the reader of ini files: no text may crash or hang it, and
 * what was read and dumped must be read back with the same values.
 */
#include <cliquet/str.h>

#include "log_conf.h"
#include "settings_load.h"

#include "fuzz.h"

/* Secrets and passwords do not come back. */
static bool
masked(struct clq_str v)
{
	return clq_str_search(v, CLQ_STR("***")) < v.len;
}

static void
compare(void *ctx, const char *key, struct clq_str value)
{
	const struct clq_settings *first = ctx;
	struct clq_str was = clq_settings_str(first, key);

	if (masked(value) || clq_str_eq(was, value))
		return;
	fprintf(stderr, "fuzz_ini: '%s' was '%.*s' and is '%.*s'\n", key,
	    CLQ_FMT(was), CLQ_FMT(value));
	abort();
}

static struct clq_settings *other;

static void
find(void *ctx, const char *key, struct clq_str value)
{
	(void)ctx;
	(void)value;
	if (clq_settings_has(other, key))
		return;
	fprintf(stderr, "fuzz_ini: '%s' is lost\n", key);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct clq_str text = { (const char *)data, len };
	struct clq_settings *first, *second;
	char *dump = NULL;
	size_t dump_len;
	FILE *f;

	clq_log_set_level((enum clq_log_level)0);
	if (clq_settings_parse("f", text, &first) == CLQ_OK) {
		f = open_memstream(&dump, &dump_len);
		if (f == NULL)
			abort();
		clq_settings_dump(first, f);
		fclose(f);
		text = (struct clq_str){ dump, dump_len };
		if (clq_settings_parse("f", text, &second) != CLQ_OK) {
			fprintf(stderr, "fuzz_ini: refused its own dump\n");
			abort();
		}
		clq_settings_each(second, "", compare, first);
		other = second;
		clq_settings_each(first, "", find, NULL);
		clq_settings_free(&second);
		free(dump);
	}
	clq_settings_free(&first);
	return 0;
}

#ifndef CLQ_LIBFUZZER
int
main(int argc, char **argv)
{
	return fuzz_files(argc, argv);
}
#endif
