/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Printable characters (see printable.h). Controls begin escape sequences,
 * with which a text could move the cursor, forge lines and name windows.
 */
#include "printable.h"

#include <cliquet/str.h>

size_t
clq_printable(const char *p, size_t left)
{
	unsigned char c = (unsigned char)p[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	struct clq_str one = { p, len };

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (len > left || !clq_utf8_valid(one))
		return 0;
	if (c == 0xc2 && (unsigned char)p[1] < 0xa0)
		return 0;	/* C1 controls */
	return len;
}
