/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in pages (see html.h).
 */
#include "html.h"

void
clq_html_add(struct clq_buf *b, struct clq_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '&')
			clq_buf_adds(b, "&amp;");
		else if (c == '<')
			clq_buf_adds(b, "&lt;");
		else if (c == '>')
			clq_buf_adds(b, "&gt;");
		else if (c == '"')
			clq_buf_adds(b, "&quot;");
		else if (c == '\'')
			clq_buf_adds(b, "&#39;");
		else if ((unsigned char)c < 0x20 && c != '\n')
			clq_buf_addc(b, ' ');
		else
			clq_buf_addc(b, c);
	}
}
