/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in pages: the description of the API, the state of the server.
 */
#ifndef CLQ_HTML_H
#define CLQ_HTML_H

#include <cliquet/buf.h>

/* Append text, fit for elements and quoted attributes: what HTML takes for
 * markup is escaped, control characters but newline become blanks. */
CLQ_API void clq_html_add(struct clq_buf *b, struct clq_str text);

#endif
