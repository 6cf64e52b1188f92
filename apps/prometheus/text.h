/* SPDX-License-Identifier: Apache-2.0 */
/* The table in Prometheus' text format 0.0.4 (section 07-8.3). */
#ifndef PROM_TEXT_H
#define PROM_TEXT_H

#include "table.h"

#define PROM_CONTENT_TYPE	"text/plain; version=0.0.4; charset=utf-8"

/* Families of the configuration in service, and what the table says of
 * itself; prefix: "kinto_". */
void prom_text(struct clq_buf *b, const struct prom_table *t,
    const char *prefix);

#endif
