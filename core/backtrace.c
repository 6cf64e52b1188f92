/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as texts (see backtrace.h).
 *
 * Most functions are hidden from the dynamic linker, so a frame is a file and
 * an offset in it, which stays true for whoever has the same build.
 */
#include "backtrace.h"

#include <execinfo.h>
#include <stdlib.h>
#include <string.h>

void
clq_backtrace_init(void)
{
	void *frame;

	(void)backtrace(&frame, 1);	/* loads libgcc_s */
}

void
clq_backtrace_text(struct clq_buf *b, void *const *frames, int n)
{
	char **names = backtrace_symbols(frames, n);

	for (int i = 0; i < n; i++) {
		const char *name = names != NULL ? names[i] : "?";
		const char *slash = strrchr(name, '/');
		size_t len;

		/* "/usr/lib/x.so(f+0x1) [0x7f..]": without folder and address */
		if (slash != NULL)
			name = slash + 1;
		len = strcspn(name, " ");
		clq_buf_printf(b, "%s%.*s", i > 0 ? " < " : "", (int)len, name);
	}
	free(names);
}
